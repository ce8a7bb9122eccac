"""The world of a run: everything that a scenario fixes before the first slot.

A `World` is one operator's: its satellites, its ground network and its terminals.  A `System` holds
the worlds of all operators of a scenario, and beside each what it is with the failures of the run.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import EarthOrientation, earth_orientation, geodetic_to_itrf
from skyweave.time import TimeGrid, format_utc, parse_utc, slot_grid
from skyweave.twin.geometry import Mask
from skyweave.twin.satellites import Fleet, build_fleet
from skyweave.twin.scenario import Scenario
from skyweave.twin.scheduling import Rule, find_rule
from skyweave.twin.sites import (
    SiteSky,
    class_warnings,
    operator_rows,
    scenario_terminals,
    site_sky,
)
from skyweave.twin.targets import Targets, find_targets
from skyweave.twin.terminals import Terminals
from skyweave.twin.topology import (
    Failure,
    Gateways,
    IslPlan,
    Pops,
    default_pops,
    gateways_failed,
    load_gateways,
    load_pops,
    make_plan,
    parse_failure,
    pops_failed,
    rehomed,
)

HORIZON_S = 900.0  # how far ahead "stays in view longest" looks; longer stays count as equal

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class World:
    """What one operator's run needs, fixed and picklable; slots are computed from nothing else."""

    scenario: Scenario  # of this operator
    grid: TimeGrid  # the slots' boundaries
    orientation: EarthOrientation
    fleet: Fleet
    gateways: Gateways
    gateway_is_up: BoolArray  # (G,)
    pops: Pops
    pop_is_up: BoolArray  # (P,)
    terminals: Terminals
    sky: SiteSky
    targets: Targets
    rule: Rule
    warnings: tuple[str, ...]

    @property
    def operator(self) -> str:
        """The name of the operator."""
        return self.scenario.operator_name

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

    def only_terminal(self, row: int) -> "World":
        """Return the same world with one terminal."""
        terminals = self.terminals.take(np.array([row]))
        targets = self.targets.only(int(self.targets.of_terminal[row]))
        return replace(
            self, terminals=terminals, sky=site_sky(self.scenario, terminals), targets=targets
        )


@dataclass(frozen=True)
class Part:
    """One operator's share of a system."""

    world: World
    rows: IntArray  # (S,) the world's terminals in the system's table
    failed: World | None  # the same with the run's failures, None where they change nothing
    is_gone: bool  # the operator itself has failed


@dataclass(frozen=True)
class System:
    """All operators of a scenario, with the terminals of each."""

    scenario: Scenario
    grid: TimeGrid
    terminals: Terminals
    parts: tuple[Part, ...]
    without: tuple[Failure, ...]
    warnings: tuple[str, ...]

    @property
    def slots(self) -> int:
        """Number of slots."""
        return len(self.grid) - 1

    def slot_at(self, at_utc: np.datetime64) -> int:
        """Return the slot that contains an instant; refuse one outside the run."""
        slot = int(np.searchsorted(self.grid.utc, at_utc, side="right")) - 1
        if not 0 <= slot < self.slots:
            first, end = format_utc(self.grid.utc[0]), format_utc(self.grid.utc[-1])
            at = format_utc(at_utc)
            raise InputError(f"--at {at} is outside the run, which begins {first}, ends {end}")
        return slot

    def part_of(self, row: int) -> tuple[Part, int]:
        """Return whose terminal a row of the table is, and its row there."""
        part = next(each for each in self.parts if row in each.rows)
        return part, int(np.searchsorted(part.rows, row))

    def only_terminal(self, row: int) -> "System":
        """Return the same system with one terminal and its operator alone."""
        part, own = self.part_of(row)
        failed = part.failed and part.failed.only_terminal(own)
        only = Part(part.world.only_terminal(own), np.zeros(1, np.int64), failed, part.is_gone)
        return replace(self, terminals=self.terminals.take(np.array([row])), parts=(only,))

    def operator(self, name: str | None) -> World:
        """Return the world of an operator, the first where none is named."""
        worlds = {part.world.operator: part.world for part in self.parts}
        if name is None:
            return self.parts[0].world
        if name not in worlds:
            raise InputError(f'operator "{name[:60]}" is unknown; {_near(name, list(worlds))}')
        return worlds[name]


def build_world(scenario: Scenario) -> World:
    """Return the world of a scenario's first operator."""
    return build_system(scenario).parts[0].world


def build_system(scenario: Scenario, without: Sequence[str] = ()) -> System:
    """Read and check everything a scenario names; raises `InputError` before any computing.

    `without` lists what has failed for the whole run, as `--without` takes it.
    """
    failures = tuple(dict.fromkeys(parse_failure(text) for text in without))
    start_utc = parse_utc(scenario.time.start_utc, f"{scenario.source}: time.start_utc")
    grid = slot_grid(start_utc, scenario.time.duration_s, scenario.time.slot_s, scenario.source)
    terminals = scenario_terminals(scenario, grid.epoch_utc)
    networks = scenario.networks()
    names = [network.operator_name for network in networks]
    owner = operator_rows(terminals, names, scenario.source)
    rows = [np.flatnonzero(owner == k) for k in range(len(networks))]
    worlds = [
        _build_world(network, grid, start_utc, terminals.take(own))
        for network, own in zip(networks, rows, strict=True)
    ]
    _refuse_unknown(failures, worlds)
    parts = tuple(_part(*pair, failures) for pair in zip(worlds, rows, strict=True))
    warnings = [
        *_time_warnings(scenario, grid, start_utc, worlds[0].orientation),
        *class_warnings(scenario, terminals),
        *(text for world in worlds for text in _told(world, len(worlds))),
        *_needless(failures, worlds),
    ]
    return System(scenario, grid, terminals, parts, failures, tuple(warnings))


def _build_world(
    scenario: Scenario, grid: TimeGrid, start_utc: np.datetime64, terminals: Terminals
) -> World:
    rule = find_rule(scenario.assignment.rule, scenario.folder)
    pops, lowest_deg = _pops(scenario), scenario.gateways.min_elevation_deg
    gateways = load_gateways(
        scenario.source_of(scenario.gateways.source),
        pops,
        min_elevation_deg=(
            scenario.visibility.min_elevation_deg if lowest_deg is None else lowest_deg
        ),
        antennas=scenario.gateways.antennas,
        fibre_detour=scenario.delay.fibre_detour,
    )
    targets = find_targets(terminals, gateways, pops, scenario.landing_rules, scenario.source)
    if (targets.pops >= 0).any() and not scenario.delay.include_fibre:
        raise InputError(
            f"{scenario.source}: terminals with a pop_id need delay.include_fibre = true: without "
            "fibre any PoP would be at no distance; remove one of the two"
        )
    fleet, warnings = build_fleet(scenario, start_utc)
    return World(
        scenario=scenario,
        grid=grid,
        orientation=earth_orientation(scenario.earth.orientation),
        fleet=fleet,
        gateways=gateways,
        gateway_is_up=np.ones(len(gateways), dtype=np.bool_),
        pops=pops,
        pop_is_up=np.ones(len(pops), dtype=np.bool_),
        terminals=terminals,
        sky=site_sky(scenario, terminals),
        targets=targets,
        rule=rule,
        warnings=tuple(warnings),
    )


def _pops(scenario: Scenario) -> Pops:
    named, gateways = scenario.gateways.pops, scenario.gateways.source
    return load_pops(default_pops(gateways) if named is None else scenario.source_of(named))


def _part(world: World, rows: IntArray, failures: Sequence[Failure]) -> Part:
    is_gone = any(f.kind == "operator" and f.target == world.operator for f in failures)
    failed = None if is_gone else _failed_world(world, failures)
    return Part(world, rows, failed, is_gone)


def _failed_world(world: World, failures: Sequence[Failure]) -> World | None:
    """Return the world with its ground network after the failures, None where nothing changes."""
    gateway_failed = gateways_failed(failures, world.gateways)
    pop_failed = pops_failed(failures, world.pops)
    if not (gateway_failed.any() or pop_failed.any()):
        return None
    scenario = world.scenario
    gateways = rehomed(world.gateways, world.pops, pop_failed, scenario.delay.fibre_detour)
    targets = find_targets(
        world.terminals, gateways, world.pops, scenario.landing_rules, scenario.source,
        gateway_failed=gateway_failed, pop_failed=pop_failed,
    )  # fmt: skip
    return replace(
        world,
        gateways=gateways,
        gateway_is_up=~gateway_failed,
        pop_is_up=~pop_failed,
        targets=targets,
    )


def _refuse_unknown(failures: Sequence[Failure], worlds: Sequence[World]) -> None:
    """Refuse the failure of something that the scenario does not have."""
    known = {
        "operator": [world.operator for world in worlds],
        "gateway": [name for world in worlds for name in world.gateways.gateway_id.tolist()],
        "pop": [name for world in worlds for name in world.pops.pop_id.tolist()],
    }
    countries = {
        "gateway": {code for world in worlds for code in world.gateways.country.tolist()},
        "pop": {code for world in worlds for code in world.pops.country.tolist()},
    }
    for failure in failures:
        names = known.get(failure.kind)
        if names is None or failure.target in {*names, *countries.get(failure.kind, ())} - {""}:
            continue
        hint = _near(failure.target, list(dict.fromkeys(names)))  # operators may share some
        raise InputError(f'--without {failure}: no {failure.kind} "{failure.target}"; {hint}')


def _needless(failures: Sequence[Failure], worlds: Sequence[World]) -> list[str]:
    return [
        f"--without {failure} changes nothing: no gateway and no PoP is there"
        for failure in failures
        if failure.kind == "country"
        and not any(
            (world.gateways.country == failure.target).any()
            or (world.pops.country == failure.target).any()
            for world in worlds
        )
    ]


def _time_warnings(
    scenario: Scenario, grid: TimeGrid, start_utc: np.datetime64, orientation: EarthOrientation
) -> list[str]:
    warnings = []
    if grid.epoch_utc != start_utc:
        warnings.append(f"the run starts at {format_utc(grid.epoch_utc)}, the slot's beginning")
    if scenario.earth.orientation == "iers" and not orientation.at(grid.utc[[0, -1]]).inside.all():
        warnings.append("outside the Earth-orientation table: UT1 = UTC and no polar motion")
    return warnings


def _told(world: World, operators: int) -> list[str]:
    """Return what one operator's world warns of, under its name where there are several."""
    warnings = list(world.warnings)
    for target in np.flatnonzero(~world.targets.gateway_allowed.any(axis=1)).tolist():
        count = int((world.targets.of_terminal == target).sum())
        if count and len(world.gateways):
            warnings.append(f"terminals that landing rules leave no gateway: {count}")
    return [f"{world.operator}: {text}" if operators > 1 else text for text in warnings]


def terminal_row(system: System, terminal_id: str) -> int:
    """Return the row of a terminal; refuse an unknown one with the near ones."""
    known: list[str] = system.terminals.terminal_id.tolist()
    if terminal_id in known:
        return known.index(terminal_id)
    near = difflib.get_close_matches(terminal_id, known, n=3)
    hint = f"did you mean {', '.join(near)}?" if near else "see the scenario's terminals"
    raise InputError(f'{system.scenario.source}: no terminal "{terminal_id}"; {hint}')


def _near(wanted: str, names: list[str]) -> str:
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def gateway_mask(world: World, gateways: Gateways) -> Mask:
    """Return what some or all of the gateways demand of a satellite in view."""
    return _mask(world, gateways.min_elevation_deg, len(gateways))


def terminal_mask(world: World) -> Mask:
    """Return what the terminals demand of a satellite in view."""
    return _mask(world, world.sky.min_elevation_deg, len(world.terminals))


def site_mask(world: World, sites: int) -> Mask:
    """Return what sites that are no terminals demand of a satellite in view."""
    return _mask(world, world.scenario.visibility.min_elevation_deg, sites)


def _mask(world: World, min_elevation_deg: float | FloatArray, sites: int) -> Mask:
    visibility = world.scenario.visibility
    if visibility.mode == "range":
        assert visibility.max_range_m is not None
        return Mask.range(visibility.max_range_m, sites)
    return Mask.elevation(min_elevation_deg, sites)


def gateway_itrf(gateways: Gateways) -> tuple[FloatArray, FloatArray]:
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
        isl=scenario.isl,
    )
