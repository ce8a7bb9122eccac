"""The terminals of a scenario: where they are, whose they are, and what sky their dishes see."""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.twin.geometry import PackedObstructions, pack
from skyweave.twin.scenario import Scenario, Terminal, TerminalClass
from skyweave.twin.terminals import (
    Obstruction,
    Terminals,
    Track,
    city_terminals,
    combine,
    concatenate,
    make_terminals,
    read_fleet,
    read_obstruction,
    read_track,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class SiteSky:
    """What the dish of each terminal can see of the sky: arrays of shape (S,)."""

    min_elevation_deg: FloatArray
    fov_deg: FloatArray  # full angle of the cone around the boresight, NaN = all of the sky
    boresight_azimuth_deg: FloatArray
    boresight_elevation_deg: FloatArray
    tells_boresight: NDArray[np.bool_]  # it is given, or that of a class that is described
    obstructions: PackedObstructions

    @property
    def has_cone(self) -> NDArray[np.bool_]:
        """Which terminals have a field of view."""
        return np.isfinite(self.fov_deg)

    @property
    def has_obstruction(self) -> NDArray[np.bool_]:
        """Which terminals have something that blocks their view."""
        return np.asarray(self.obstructions.sky >= 0)


def scenario_terminals(scenario: Scenario, epoch_utc: np.datetime64) -> Terminals:
    """Return the terminals of a scenario: its sets in order, then those it lists itself."""
    sets = [
        read_fleet(scenario.file(each.file), epoch_utc) if each.file else city_terminals(each.count)
        for each in scenario.terminal_sets
    ]
    names = [each.file or f"{each.count} {each.builtin}" for each in scenario.terminal_sets]
    return concatenate([*sets, _listed(scenario, epoch_utc)], [*names, scenario.source])


def _listed(scenario: Scenario, epoch_utc: np.datetime64) -> Terminals:
    listed = scenario.terminals
    return make_terminals(
        [each.id for each in listed],
        [_or_nan(each.lat_deg) for each in listed],
        [_or_nan(each.lon_deg) for each in listed],
        height_wgs84_m=[each.height_wgs84_m for each in listed],
        class_=[each.class_ for each in listed],
        name=[each.name for each in listed],
        service_class=[each.service_class for each in listed],
        account=[each.account for each in listed],
        country=[each.country for each in listed],
        sponsor=[each.sponsor for each in listed],
        pop_id=[each.pop_id for each in listed],
        operator=[each.operator for each in listed],
        kit=[each.kit for each in listed],
        boresight_azimuth_deg=[_or_nan(each.boresight_azimuth_deg) for each in listed],
        boresight_elevation_deg=[_or_nan(each.boresight_elevation_deg) for each in listed],
        tracks={
            row: _track(scenario, each, epoch_utc) for row, each in enumerate(listed) if each.track
        },
        obstructions=_obstructions(scenario),
    )


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value


def _track(scenario: Scenario, terminal: Terminal, epoch_utc: np.datetime64) -> Track:
    assert terminal.track is not None
    track = read_track(scenario.file(terminal.track))
    return track.starting_at(epoch_utc) if terminal.track_start == "scenario" else track


def _obstructions(scenario: Scenario) -> dict[int, Obstruction]:
    read = cache(lambda name: read_obstruction(scenario.file(name)))
    named = {
        row: [name for name in (each.obstruction, each.horizon) if name]
        for row, each in enumerate(scenario.terminals)
    }
    return {
        row: combine([read(name) for name in names], f"{scenario.source}: terminals[{row}]")
        for row, names in named.items()
        if names
    }


def operator_rows(terminals: Terminals, names: Sequence[str], source: str) -> NDArray[np.int64]:
    """Return the number of each terminal's operator among `names`, (S,); "" is the first."""
    number = {"": 0} | {name: k for k, name in enumerate(names)}
    for terminal_id, name in zip(terminals.terminal_id, terminals.operator, strict=True):
        if name not in number:
            near = difflib.get_close_matches(name, names, n=1)
            hint = f'did you mean "{near[0]}"?' if near else f"there are {', '.join(names)}"
            raise InputError(f'{source}: terminal "{terminal_id}": operator "{name}": {hint}')
    return np.array([number[name] for name in terminals.operator.tolist()], dtype=np.int64)


def site_sky(scenario: Scenario, terminals: Terminals) -> SiteSky:
    """Return what each terminal's dish sees, from its class, its boresight and its files."""
    described = {each.name: each for each in scenario.terminal_classes}
    classes = [described.get(name) for name in terminals.class_.tolist()]
    tilt_azimuth_deg = np.array(
        [_tilt_azimuth_deg(*pair) for pair in zip(classes, terminals.lat_deg, strict=True)]
    )
    tilt_deg = np.array([each.tilt_deg if each else 0.0 for each in classes])
    own = np.isfinite(terminals.boresight_azimuth_deg)
    return SiteSky(
        min_elevation_deg=_min_elevations_deg(scenario, classes),
        fov_deg=np.array([each.cone_deg if each else np.nan for each in classes]),
        boresight_azimuth_deg=np.where(own, terminals.boresight_azimuth_deg, tilt_azimuth_deg),
        boresight_elevation_deg=np.where(own, terminals.boresight_elevation_deg, 90.0 - tilt_deg),
        tells_boresight=own | np.array([each is not None for each in classes], dtype=np.bool_),
        obstructions=pack(terminals.obstructions, len(terminals)),
    )


def _tilt_azimuth_deg(described: TerminalClass | None, lat_deg: float) -> float:
    """Return where a dish of a class leans; towards the nearer pole where it does not say."""
    if described is not None and described.tilt_azimuth_deg is not None:
        return described.tilt_azimuth_deg
    return 0.0 if lat_deg >= 0.0 else 180.0


def _min_elevations_deg(scenario: Scenario, classes: Sequence[TerminalClass | None]) -> FloatArray:
    limit_deg, mode = scenario.visibility.min_elevation_deg, scenario.visibility.mode
    own = {each.name: each.min_elevation_deg for each in classes if each}
    given = [name for name, value in own.items() if value is not None]
    if mode == "range" and given:
        raise InputError(
            f'{scenario.source}: terminal_classes "{given[0]}": min_elevation_deg has no meaning '
            'with visibility.mode = "range"; remove one of them'
        )
    limits = [own.get(each.name) if each else None for each in classes]
    return np.array([limit_deg if limit is None else limit for limit in limits], dtype=np.float64)


def class_warnings(scenario: Scenario, terminals: Terminals) -> list[str]:
    """Return what of the scenario's classes and rules meets no terminal, as sentences."""
    present = set(terminals.class_.tolist())
    described = [each.name for each in scenario.terminal_classes]
    ruled = [each.class_ for each in scenario.landing_rules if each.class_ is not None]
    absent = dict.fromkeys(name for name in (*described, *ruled) if name not in present)
    warnings = [f'no terminal is of the class "{name}"{_near(name, present)}' for name in absent]
    unused = np.isfinite(terminals.boresight_azimuth_deg) & ~np.isin(terminals.class_, described)
    if unused.any():
        warnings.append(
            f"boresights given to no effect: {int(unused.sum())}; describe the terminals' class "
            "and its field of view in [[terminal_classes]]"
        )
    return warnings


def _near(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f'; did you mean "{near[0]}"?' if near else ""
