"""The world of a run: everything that a scenario fixes before the first slot."""

import difflib
from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import EarthOrientation, earth_orientation, geodetic_to_itrf
from skyweave.time import TimeGrid, format_utc, parse_utc, slot_grid
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
from skyweave.twin.geometry import Mask
from skyweave.twin.scenario import Scenario, Shell, Terminal
from skyweave.twin.scheduling import Rule, find_rule
from skyweave.twin.terminals import (
    Terminals,
    Track,
    city_terminals,
    make_terminals,
    read_fleet,
    read_track,
)
from skyweave.twin.terminals import concatenate as concatenate_terminals
from skyweave.twin.topology import (
    Gateways,
    IslPlan,
    Pops,
    builtin_pops,
    load_gateways,
    make_plan,
)

HORIZON_S = 900.0  # how far ahead "stays in view longest" looks; longer stays count as equal


@dataclass(frozen=True)
class Fleet:
    """The satellites of a run, in order of NORAD id, and the account of those left out."""

    catalogue: Catalogue  # satellites that serve or relay
    serves: NDArray[np.bool_]  # (N,) may serve terminals and take feeder links
    left_out: dict[str, int]  # objects per class that take no part
    too_old: tuple[RowIssue, ...]
    age_days: NDArray[np.float64]  # (N,) age of the elements at the start


@dataclass(frozen=True)
class Targets:
    """The PoPs that paths end at: -1 stands for the gateway's own, others are fixed PoP rows."""

    pops: NDArray[np.int64]
    of_terminal: NDArray[np.int64]  # (S,) which of them a terminal uses


@dataclass(frozen=True)
class World:
    """What a run needs, fixed and picklable; slots are computed from it and from nothing else."""

    scenario: Scenario
    grid: TimeGrid  # the slots' boundaries
    orientation: EarthOrientation
    fleet: Fleet
    gateways: Gateways
    pops: Pops
    terminals: Terminals
    targets: Targets
    rule: Rule
    warnings: tuple[str, ...]

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.grid) - 1

    @property
    def horizon(self) -> int:
        """How many slots ahead visibility is followed."""
        return max(1, int(np.ceil(HORIZON_S / self.scenario.time.slot_s)))

    def boundaries(self, first: int, stop: int) -> TimeGrid:
        """Return the slot boundaries first to stop - 1, which may lie beyond the run's end."""
        t_s = np.arange(first, stop, dtype=np.float64) * self.scenario.time.slot_s
        return TimeGrid(self.grid.epoch_utc, t_s)

    def slot_at(self, at_utc: np.datetime64) -> int:
        """Return the slot that contains an instant; refuse one outside the run."""
        slot = int(np.searchsorted(self.grid.utc, at_utc, side="right")) - 1
        if not 0 <= slot < self.slots:
            first, end = format_utc(self.grid.utc[0]), format_utc(self.grid.utc[-1])
            at = format_utc(at_utc)
            raise InputError(f"--at {at} is outside the run, which begins {first}, ends {end}")
        return slot

    def only_terminal(self, row: int) -> "World":
        """Return the same world with one terminal."""
        terminals = self.terminals.take(np.array([row]))
        targets = find_targets(terminals, self.pops, self.scenario.source)
        return replace(self, terminals=terminals, targets=targets)


def build_world(scenario: Scenario) -> World:
    """Read and check everything a scenario names; raises `InputError` before any computing."""
    start_utc = parse_utc(scenario.time.start_utc, f"{scenario.source}: time.start_utc")
    grid = slot_grid(start_utc, scenario.time.duration_s, scenario.time.slot_s, scenario.source)
    orientation = earth_orientation(scenario.earth.orientation)
    rule = find_rule(scenario.assignment.rule, scenario.folder)
    terminals = scenario_terminals(scenario, grid.epoch_utc)
    pops = builtin_pops()
    targets = find_targets(terminals, pops, scenario.source)
    if targets.pops.size > 1 and not scenario.delay.include_fibre:
        raise InputError(
            f"{scenario.source}: terminals with a pop_id need delay.include_fibre = true: without "
            "fibre any PoP would be at no distance; remove one of the two"
        )
    gateways = load_gateways(
        _source(scenario, scenario.gateways.source),
        pops,
        min_elevation_deg=scenario.visibility.min_elevation_deg,
        antennas=scenario.gateways.antennas,
        fibre_detour=scenario.delay.fibre_detour,
    )
    fleet, warnings = build_fleet(scenario, start_utc)
    if grid.epoch_utc != start_utc:
        warnings.append(f"the run starts at {format_utc(grid.epoch_utc)}, the slot's beginning")
    if scenario.earth.orientation == "iers" and not orientation.at(grid.utc[[0, -1]]).inside.all():
        warnings.append("outside the Earth-orientation table: UT1 = UTC and no polar motion")
    return World(
        scenario,
        grid,
        orientation,
        fleet,
        gateways,
        pops,
        terminals,
        targets,
        rule,
        tuple(warnings),
    )


def find_targets(terminals: Terminals, pops: Pops, source: str) -> Targets:
    """Return the PoPs that the terminals' paths end at; refuse one that is not known."""
    fixed = sorted({pop for pop in terminals.pop_id.tolist() if pop})
    rows = [pops.row(pop_id, f"{source}: terminals: ") for pop_id in fixed]
    number = {"": 0} | {pop_id: k + 1 for k, pop_id in enumerate(fixed)}
    of_terminal = [number[pop_id] for pop_id in terminals.pop_id.tolist()]
    return Targets(np.array([-1, *rows]), np.array(of_terminal, dtype=np.int64))


def build_fleet(scenario: Scenario, start_utc: np.datetime64) -> tuple[Fleet, list[str]]:
    """Return the satellites of a scenario and the warnings about them."""
    if scenario.catalogue is None:
        return _synthetic_fleet(scenario, start_utc), []
    return _real_fleet(scenario, start_utc)


def scenario_terminals(scenario: Scenario, epoch_utc: np.datetime64) -> Terminals:
    """Return the terminals of a scenario: its sets in order, then those it lists itself."""
    sets = [
        read_fleet(scenario.file(each.file)) if each.file else city_terminals(each.count)
        for each in scenario.terminal_sets
    ]
    names = [each.file or f"{each.count} {each.builtin}" for each in scenario.terminal_sets]
    listed = scenario.terminals
    tracks = {
        row: _track(scenario, each, epoch_utc) for row, each in enumerate(listed) if each.track
    }
    own = make_terminals(
        [each.id for each in listed],
        [np.nan if each.lat_deg is None else each.lat_deg for each in listed],
        [np.nan if each.lon_deg is None else each.lon_deg for each in listed],
        height_wgs84_m=[each.height_wgs84_m for each in listed],
        class_=[each.class_ for each in listed],
        tracks=tracks,
        name=[each.name for each in listed],
        service_class=[each.service_class for each in listed],
        account=[each.account for each in listed],
        country=[each.country for each in listed],
        sponsor=[each.sponsor for each in listed],
        pop_id=[each.pop_id for each in listed],
    )
    return concatenate_terminals([*sets, own], [*names, scenario.source])


def _track(scenario: Scenario, terminal: Terminal, epoch_utc: np.datetime64) -> Track:
    assert terminal.track is not None
    track = read_track(scenario.file(terminal.track))
    return track.starting_at(epoch_utc) if terminal.track_start == "scenario" else track


def terminal_row(world: World, terminal_id: str) -> int:
    """Return the row of a terminal; refuse an unknown one with the near ones."""
    known: list[str] = world.terminals.terminal_id.tolist()
    if terminal_id in known:
        return known.index(terminal_id)
    near = difflib.get_close_matches(terminal_id, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "see the scenario's terminals"
    raise InputError(f'{world.scenario.source}: no terminal "{terminal_id}"; {hint}')


def _source(scenario: Scenario, source: str) -> str:
    return source if source.startswith("builtin:") else str(scenario.file(source))


def _synthetic_fleet(scenario: Scenario, start_utc: np.datetime64) -> Fleet:
    catalogue = combine_shells([_shell(shell, start_utc) for shell in scenario.shells])
    everyone = np.ones(len(catalogue), dtype=np.bool_)
    return Fleet(catalogue, everyone, {}, (), age_days(catalogue, start_utc))


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
    sets = select_names(read_catalogue(_source(scenario, section.source)), section.select)
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
    )
    warning = age_warning(fleet.catalogue, start_utc)
    return fleet, [warning] if warning else []


def _counts_left_out(
    classes: NDArray[np.str_], serves: NDArray[np.bool_], too_old: int
) -> dict[str, int]:
    """Count the satellites that serve no terminal, by class, and those with old elements."""
    counts = {name: int(np.sum((classes == name) & ~serves)) for name in SATELLITE_CLASSES}
    return {name: n for name, n in (counts | {"too_old": too_old}).items() if n}


def gateway_mask(world: World, gateways: Gateways) -> Mask:
    """Return what some or all of the gateways demand of a satellite in view."""
    return _mask(world, gateways.min_elevation_deg, len(gateways))


def site_mask(world: World, sites: int) -> Mask:
    """Return what terminals and sites demand of a satellite in view."""
    return _mask(world, world.scenario.visibility.min_elevation_deg, sites)


def _mask(world: World, min_elevation_deg: float | NDArray[np.float64], sites: int) -> Mask:
    visibility = world.scenario.visibility
    if visibility.mode == "range":
        assert visibility.max_range_m is not None
        return Mask.range(visibility.max_range_m, sites)
    return Mask.elevation(min_elevation_deg, sites)


def gateway_itrf(gateways: Gateways) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the gateways' positions and ellipsoid normals, (G, 3) each."""
    return geodetic_to_itrf(gateways.lat_deg, gateways.lon_deg, gateways.height_wgs84_m)


def isl_plan(world: World, epoch_utc: np.datetime64) -> IslPlan:
    """Return the scenario's laser plan with its slot 0 at `epoch_utc`."""
    scenario = world.scenario
    return make_plan(
        scenario.isl_plan,
        world.fleet.catalogue,
        epoch_utc,
        scenario.time.slot_s,
        degree=scenario.isl.nearest,
    )
