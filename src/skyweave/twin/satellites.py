"""The satellites of one operator: which take part, which only relay, and which are left out."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.twin.catalogue import (
    SATELLITE_CLASSES,
    Catalogue,
    RowIssue,
    age_days,
    age_warning,
    classify,
    combine_shells,
    earlier_sets,
    filed_shell,
    hypatia_shell,
    leave_out_old,
    nearest_epoch,
    read_catalogue,
    select_names,
    walker_delta,
    walker_star,
)
from skyweave.twin.scenario import Scenario, Shell
from skyweave.twin.topology import GENERATIONS, satellite_generations


@dataclass(frozen=True)
class Fleet:
    """The satellites of a run, in order of NORAD id, and the account of those left out."""

    catalogue: Catalogue  # satellites that serve or relay
    serves: NDArray[np.bool_]  # (N,) may serve terminals and take feeder links
    left_out: dict[str, int]  # objects per class that take no part
    too_old: tuple[RowIssue, ...]
    age_days: NDArray[np.float64]  # (N,) age of the elements at the start
    generation: NDArray[np.int8]  # (N,) place in `topology.GENERATIONS`


def build_fleet(scenario: Scenario, start_utc: np.datetime64) -> tuple[Fleet, list[str]]:
    """Return the satellites of a scenario and the warnings about them."""
    if scenario.catalogue is None:
        return _synthetic_fleet(scenario, start_utc), []
    return _real_fleet(scenario, start_utc)


def _synthetic_fleet(scenario: Scenario, start_utc: np.datetime64) -> Fleet:
    catalogue = combine_shells([_shell(shell, start_utc) for shell in scenario.shells])
    everyone = np.ones(len(catalogue), dtype=np.bool_)
    generation = np.zeros(len(catalogue), dtype=np.int8)
    return Fleet(catalogue, everyone, {}, (), age_days(catalogue, start_utc), generation)


def _shell(shell: Shell, epoch_utc: np.datetime64) -> Catalogue:
    if shell.preset is not None:
        return filed_shell(shell.preset, epoch_utc)
    assert shell.inclination_deg is not None
    assert shell.planes is not None
    assert shell.per_plane is not None
    size = (shell.inclination_deg, shell.planes, shell.per_plane)
    if shell.pattern == "hypatia":
        assert shell.mean_motion_rev_day is not None
        return hypatia_shell(shell.mean_motion_rev_day, *size)
    assert shell.altitude_km is not None
    walker = walker_star if shell.pattern == "walker-star" else walker_delta
    return walker(shell.altitude_km * 1000.0, *size, shell.phasing, epoch_utc)


def _real_fleet(scenario: Scenario, start_utc: np.datetime64) -> tuple[Fleet, list[str]]:
    section = scenario.catalogue
    assert section is not None
    sets = select_names(read_catalogue(scenario.source_of(section.source)), section.select)
    nearest = nearest_epoch(sets, start_utc)
    kept, too_old = leave_out_old(nearest, start_utc, section.max_age_days)
    classes = classify(kept, earlier_sets(sets, kept))
    serves = np.isin(classes, section.use)
    relays = (classes == "direct_to_cell") & (scenario.isl_plan == "fleet")
    if not serves.any():
        counts = ", ".join(f"{n} {c}" for c, n in Counter(classes.tolist()).items())
        raise InputError(
            f"{scenario.source}: no satellite of {section.source} is of the classes "
            f"catalogue.use = {list(section.use)}; found {counts}"
        )
    used = serves | relays
    fleet = Fleet(
        catalogue=kept.take(used),
        serves=serves[used],
        left_out=_counts_left_out(classes, serves, len(too_old)),
        too_old=tuple(too_old),
        age_days=age_days(kept, start_utc)[used],
        generation=_generation_numbers(kept)[used],
    )
    warning = age_warning(fleet.catalogue, start_utc)
    return fleet, [warning] if warning else []


def _generation_numbers(catalogue: Catalogue) -> NDArray[np.int8]:
    labels, which = np.unique(satellite_generations(catalogue), return_inverse=True)
    numbers = [GENERATIONS.index(label) for label in labels.tolist()]
    return np.array(numbers, dtype=np.int8)[which]


def _counts_left_out(
    classes: NDArray[np.str_], serves: NDArray[np.bool_], too_old: int
) -> dict[str, int]:
    """Count the satellites that serve no terminal, by class, and those with old elements."""
    counts = {name: int(np.sum((classes == name) & ~serves)) for name in SATELLITE_CLASSES}
    return {name: n for name, n in (counts | {"too_old": too_old}).items() if n}
