"""Pictures of a run, of a sky and of paths."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skyweave.api.network import check_network, instant, path_ends, sample_times
from skyweave.api.runs import explained
from skyweave.api.scenarios import Progress, load_scenario, silent, warned
from skyweave.errors import InputError
from skyweave.time import instants, parse_utc
from skyweave.twin.explanation import explain_slot
from skyweave.twin.pairs import check_pairs, study_pairs
from skyweave.twin.paths import paths_over_time
from skyweave.twin.results.folder import load_run
from skyweave.twin.results.path_plots import (
    check_instants,
    check_studies,
    plot_path_ecdf,
    plot_rtt_over_time,
    rtt_over_time,
)
from skyweave.twin.results.plots import PLOTS, plot_run
from skyweave.twin.results.sky import plot_sky
from skyweave.twin.results.style import check_picture
from skyweave.twin.sky import sky_picture
from skyweave.twin.world import build_system

SCENARIO_PLOTS = ("sky", "rtt-over-time", "path-ecdf")
OPTIONS = {
    "sky": "--terminal --at",
    "rtt-over-time": "--from --to --at --every --for --operator",
    "path-ecdf": "--at --every --for --beside --operator",
}


def plot(
    source: str | Path,
    what: str,
    out: str | Path,
    *,
    terminal: str | None = None,
    at: str | None = None,
    start: str | None = None,
    end: str | None = None,
    every_s: float | None = None,
    for_s: float | None = None,
    beside: Sequence[str | Path] = (),
    operator: str | None = None,
    progress: Progress = silent,
) -> None:
    """Draw a run folder, or of a scenario what `what` names.

    "sky" is the sky above `terminal` at `at`; "rtt-over-time" the path from `start` to `end`;
    "path-ecdf" all pairs of sites, where `beside` are scenarios to draw in the same picture.
    """
    if what not in (*PLOTS, *SCENARIO_PLOTS):
        raise InputError(
            f"--what {what[:60]}: unknown picture; use one of {', '.join(PLOTS)} for a run, or "
            f"{', '.join(SCENARIO_PLOTS)} for a scenario"
        )
    given = {
        "--terminal": terminal, "--at": at, "--from": start, "--to": end, "--every": every_s,
        "--for": for_s, "--beside": beside or None, "--operator": operator,
    }  # fmt: skip
    _refuse_others(what, [name for name, value in given.items() if value is not None])
    out = Path(out)
    if what in PLOTS:
        plot_run(load_run(source), what, out)
    elif what == "sky":
        _plot_sky(source, terminal, at, out, progress)
    elif what == "rtt-over-time":
        _plot_pair(source, (start, end), at, sample_times(every_s, for_s), operator, out, progress)
    else:
        t_s = sample_times(every_s, for_s)
        _plot_pairs([source, *beside], at, t_s, operator, out, progress)


def _refuse_others(what: str, given: Sequence[str]) -> None:
    """Refuse options that do not belong to a picture."""
    spare = [name for name in given if name not in OPTIONS.get(what, "").split()]
    if spare:
        raise InputError(f"--what {what} takes no {' and no '.join(spare)}; leave it out")


def _plot_sky(
    source: str | Path, terminal: str | None, at: str | None, out: Path, progress: Progress
) -> None:
    if terminal is None or at is None:
        raise InputError("--what sky: draws one terminal in one slot; give --terminal and --at")
    check_picture(out)
    at_utc = parse_utc(at, "--at")
    system, row = explained(source, terminal, None, None, None, at_utc)
    slot = system.slot_at(at_utc)
    found = explain_slot(system, row, slot, warned(system, progress))
    plot_sky(sky_picture(system, row, slot, found), out)


def _plot_pair(
    source: str | Path, ends: tuple[str | None, str | None], at: str | None,
    t_s: np.ndarray[Any, Any], operator: str | None, out: Path, progress: Progress,
) -> None:  # fmt: skip
    start, end = ends
    if start is None or end is None:
        raise InputError("--what rtt-over-time: draws one pair; give --from and --to")
    check_instants("rtt-over-time", t_s)
    check_picture(out)
    scenario = load_scenario(source)
    system = build_system(scenario)
    part, near, far = path_ends(system, start, end, operator)
    at_utc = instant(scenario, at)
    check_network(part.world, at_utc, t_s)
    warned(system, progress)("paths: orbits and links")
    samples = list(paths_over_time(part.world, near, far, at_utc, t_s, world_at=part.at_utc))
    grid = instants(at_utc, t_s)
    found = rtt_over_time(near.name, far.name, at_utc, samples, near.at_deg(grid), far.at_deg(grid))
    plot_rtt_over_time(found, out)


def _plot_pairs(
    sources: Sequence[str | Path], at: str | None, t_s: np.ndarray[Any, Any],
    operator: str | None, out: Path, progress: Progress,
) -> None:  # fmt: skip
    check_studies(len(sources))
    check_instants("path-ecdf", t_s)
    check_picture(out)
    scenarios = [load_scenario(source) for source in sources]
    systems = [build_system(scenario) for scenario in scenarios]
    for scenario, system in zip(scenarios, systems, strict=True):
        world = system.operator(operator)
        check_pairs(world, world.scenario.sites)
        check_network(world, instant(scenario, at), t_s)
    studies = []
    for scenario, system in zip(scenarios, systems, strict=True):
        part = system.operator_part(operator)
        tell = warned(system, progress)
        tell(f"pairs of {scenario.source}: orbits and links")
        at_utc, sites = instant(scenario, at), part.world.scenario.sites
        study = study_pairs(part.world, sites, at_utc, t_s, tell, world_at=part.at_utc)
        studies.append((scenario.title or Path(scenario.source).stem, study))
    plot_path_ecdf(studies, out)
