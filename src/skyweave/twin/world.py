"""The world of a run: everything that a scenario fixes before the first slot.

A `World` is one operator's: its satellites, its ground network and its terminals.  A `System` holds
the worlds of all operators of a scenario, and for each what fails of it and when.
"""

import difflib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import EarthOrientation, earth_orientation, geodetic_to_itrf
from skyweave.policy.regions import cells_at
from skyweave.policy.snapshot import Snapshot
from skyweave.seeds import text_keys
from skyweave.time import TimeGrid, format_utc, parse_utc, slot_grid
from skyweave.twin.border_walk import verdicts_of
from skyweave.twin.delay import delay_model
from skyweave.twin.geometry import Mask
from skyweave.twin.results.policy import PolicyFacts
from skyweave.twin.satellites import Fleet, build_fleet
from skyweave.twin.scenario import Scenario
from skyweave.twin.scheduling import BeamLimits, Rule, beam_limits, find_rule
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
    GENERATIONS,
    NO_FAILED_LINKS,
    Effect,
    FailedLinks,
    Failure,
    FixedPlan,
    Gateways,
    IslPlan,
    Network,
    Pops,
    checked_failure,
    default_pops,
    effect_of,
    joined_links,
    load_gateways,
    load_pops,
    make_plan,
    near_names,
    parse_failure,
    refuse_unknown,
    rehomed,
    unserved_countries,
)
from skyweave.twin.verdicts import Verdicts

HORIZON_S = 900.0  # how far ahead "stays in view longest" looks; longer stays count as equal
MOST_WORLDS = 8  # of one operator, each with other failures, that are kept at a time

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]


class VerifiedPolicy(NamedTuple):
    """What a log that was verified says."""

    snapshot: Snapshot
    genesis: str  # digest of the charter that the log begins with
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class World:
    """What one operator's run needs, fixed and picklable; slots are computed from nothing else."""

    scenario: Scenario  # of this operator
    grid: TimeGrid  # the slots' boundaries
    orientation: EarthOrientation
    fleet: Fleet
    sat_is_up: BoolArray  # (N,) has not failed
    failed_links: FailedLinks  # laser links
    gateways: Gateways
    gateway_is_up: BoolArray  # (G,)
    pops: Pops
    pop_is_up: BoolArray  # (P,)
    core_is_up: bool  # the software that runs the network
    terminals: Terminals
    sky: SiteSky
    targets: Targets
    rule: Rule
    warnings: tuple[str, ...]
    verdicts: Verdicts | None = None  # what the policy says; None: everything is on

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

    @property
    def ground_is_up(self) -> bool:
        """Whether all gateways and PoPs are in order."""
        return bool(self.gateway_is_up.all() and self.pop_is_up.all())

    @property
    def network_is_up(self) -> bool:
        """Whether everything but the operator's software is in order."""
        return self.ground_is_up and bool(self.sat_is_up.all()) and not self.failed_links

    @cached_property
    def terminal_key(self) -> NDArray[np.uint64]:
        """A number of each terminal's id, for random numbers, (S,)."""
        return text_keys(self.terminals.terminal_id)

    @cached_property
    def cell(self) -> IntArray:
        """The H3 cell of each terminal, (S,), that of the first fix for one that moves."""
        return cells_at(self.terminals.lat_deg, self.terminals.lon_deg).astype(np.int64)

    @cached_property
    def beams(self) -> BeamLimits:
        """The beams of each satellite, by its generation."""
        section = self.scenario.beams
        own = {each.generation: (each.down, each.up) for each in section.generations}
        of_all: dict[str, tuple[int, int]] = dict.fromkeys(GENERATIONS, (section.down, section.up))
        return beam_limits(self.fleet.generation, of_all | own)

    def beyond_propagation_s(self, dishes: int = 1) -> float:
        """Return what a round trip between so many dishes usually has beyond propagation."""
        delay = self.scenario.delay
        if delay.model == "geometry":
            return delay.processing_s
        return dishes * delay_model(delay.period).median_extra_s

    def in_order(self, sat_itrf_m: FloatArray) -> FloatArray:
        """Return positions (..., N, 3) with NaN for each satellite that has failed."""
        if self.sat_is_up.all():
            return sat_itrf_m
        return np.where(self.sat_is_up[:, None], sat_itrf_m, np.nan)

    def has_failed(self, edges: RowArray) -> BoolArray:
        """Return which laser links (E, 2) have failed as such, whatever their satellites do."""
        if not self.failed_links:
            return np.zeros(len(edges), dtype=np.bool_)
        return self.failed_links.holds(self.fleet.catalogue.norad_id[edges])

    def boundaries(self, first: int, stop: int) -> TimeGrid:
        """Return the slot boundaries first to stop - 1, which may lie beyond the run's end."""
        t_s = np.arange(first, stop, dtype=np.float64) * self.scenario.time.slot_s
        return TimeGrid(self.grid.epoch_utc, t_s)

    def only_terminal(self, row: int) -> "World":
        """Return the same world with one terminal."""
        terminals = self.terminals.take(np.array([row]))
        targets = self.targets.only(int(self.targets.of_terminal[row]))
        return replace(
            self,
            terminals=terminals,
            sky=site_sky(self.scenario, terminals),
            targets=targets,
            verdicts=self.verdicts.take(np.array([row])) if self.verdicts else None,
        )


@dataclass(frozen=True)
class Breakage:
    """What a failure breaks of one operator's network, and when, in seconds from slot 0."""

    effect: Effect
    begin_s: float  # -inf = before the run
    end_s: float  # inf = after it

    def slots(self, slot_s: float) -> tuple[float, float]:
        """Return the first slot that it touches and the first one after it, -inf and inf too."""
        # To a billionth of a slot: three slots of 1.1 s and 3.3 s are the same instant.
        begin, end = np.round(np.array([self.begin_s, self.end_s]) / slot_s, 9)
        return float(np.floor(begin)), float(np.ceil(end))


@dataclass(frozen=True, eq=False)
class Part:
    """One operator's share of a system."""

    world: World  # with everything in order
    rows: IntArray  # (S,) the world's terminals in the system's table
    breakages: tuple[Breakage, ...] = ()
    _worlds: dict[tuple[int, ...], World] = field(default_factory=dict, init=False, repr=False)

    def at_slot(self, slot: int) -> World:
        """Return the world with all failures that hold in any part of a slot."""
        spans = [each.slots(self.world.scenario.time.slot_s) for each in self.breakages]
        return self._with([first <= slot < stop for first, stop in spans])

    def at_utc(self, utc: np.datetime64) -> World:
        """Return the world with the failures that hold at an instant."""
        t_s = float((utc - self.world.grid.epoch_utc) / np.timedelta64(1, "s"))
        return self._with([b.begin_s <= t_s < b.end_s for b in self.breakages])

    def _with(self, in_force: Sequence[bool]) -> World:
        numbers = tuple(
            number
            for number, (holds, breakage) in enumerate(zip(in_force, self.breakages, strict=True))
            if holds and not breakage.effect.is_nothing
        )
        if not numbers:
            return self.world
        if numbers not in self._worlds:
            if len(self._worlds) == MOST_WORLDS:
                self._worlds.clear()
            effects = [self.breakages[number].effect for number in numbers]
            self._worlds[numbers] = _broken(self.world, effects)
        return self._worlds[numbers]

    def only_terminal(self, row: int) -> "Part":
        """Return the same part with one of its terminals."""
        return Part(self.world.only_terminal(row), np.zeros(1, np.int64), self.breakages)


@dataclass(frozen=True)
class System:
    """All operators of a scenario, with the terminals of each."""

    scenario: Scenario
    grid: TimeGrid
    terminals: Terminals
    parts: tuple[Part, ...]
    failures: tuple[Failure, ...]  # one breakage in each part
    warnings: tuple[str, ...]
    policy: PolicyFacts | None = None

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
        only, rows = (part.only_terminal(own),), np.array([row])
        policy = self.policy
        if policy is not None:
            policy = replace(policy, verdicts=policy.verdicts.take(rows))
        return replace(self, terminals=self.terminals.take(rows), parts=only, policy=policy)

    def operator(self, name: str | None) -> World:
        """Return the world of an operator, the first where none is named."""
        return self.operator_part(name).world

    def operator_part(self, name: str | None) -> Part:
        """Return the part of an operator, the first where none is named."""
        parts = {part.world.operator: part for part in self.parts}
        if name is None:
            return self.parts[0]
        if name not in parts:
            raise InputError(f'operator "{name[:60]}" is unknown; {near_names(name, list(parts))}')
        return parts[name]


def build_world(scenario: Scenario) -> World:
    """Return the world of a scenario's first operator."""
    return build_system(scenario).parts[0].world


def build_system(
    scenario: Scenario, without: Sequence[str] = (), verified: VerifiedPolicy | None = None
) -> System:
    """Read and check everything a scenario names; raises `InputError` before any computing.

    `without` lists what has failed for the whole run, as `--without` takes it, beside the failures
    of the scenario itself.  `verified` is the policy of the scenario's log, which the caller has
    verified; without it every cell is on.
    """
    failures = (
        *dict.fromkeys(parse_failure(text) for text in without),
        *_scenario_failures(scenario),
    )
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
    policy = _policy(verified, terminals, grid)
    if policy is not None:
        worlds = [
            replace(world, verdicts=policy.verdicts.take(own))
            for world, own in zip(worlds, rows, strict=True)
        ]
    ground = [_failing(world) for world in worlds]
    for failure in failures:
        refuse_unknown(failure, ground)
    parts = tuple(
        Part(world, own, tuple(_breakage(each, network, scenario.seed) for each in failures))
        for world, own, network in zip(worlds, rows, ground, strict=True)
    )
    warnings = [
        *_time_warnings(scenario, grid, start_utc, worlds[0].orientation),
        *class_warnings(scenario, terminals),
        *(verified.warnings if verified else ()),
        *(text for world in worlds for text in _told(world, len(worlds))),
        *_needless(failures, parts),
    ]
    return System(scenario, grid, terminals, parts, failures, tuple(warnings), policy)


def _policy(
    verified: VerifiedPolicy | None, terminals: Terminals, grid: TimeGrid
) -> PolicyFacts | None:
    if verified is None:
        return None
    verdicts = verdicts_of(verified.snapshot, terminals, grid.utc)
    return PolicyFacts(verified.snapshot, verified.genesis, verdicts)


def _scenario_failures(scenario: Scenario) -> list[Failure]:
    """Return the failures of a scenario; a whole operator may go without a name if it is one."""
    operators = [network.operator_name for network in scenario.networks()]
    found = []
    for number, each in enumerate(scenario.failures):
        place = f"{scenario.source}: failures[{number}]"
        is_named = bool(each.ids) or each.share is not None
        if not is_named and len(operators) > 1:
            raise InputError(
                f'{place}: kind = "{each.kind}" with several operators; say which: '
                f'ids = ["{operators[0]}"]'
            )
        failure = Failure(
            kind=each.kind,
            ids=each.ids if is_named else tuple(operators),
            share=each.share,
            operator=each.operator,
            from_utc=None if each.from_utc is None else parse_utc(each.from_utc),
            to_utc=None if each.to_utc is None else parse_utc(each.to_utc),
            place=place,
            number=number,
        )
        found.append(checked_failure(failure))
    return found


def _failing(world: World) -> Network:
    """Return what of a world can fail."""
    epoch_utc = world.grid.epoch_utc
    return Network(world.operator, world.fleet.catalogue, epoch_utc, world.gateways, world.pops)


def _breakage(failure: Failure, network: Network, seed: int) -> Breakage:
    begin_s, end_s = (
        otherwise if utc is None else float((utc - network.epoch_utc) / np.timedelta64(1, "s"))
        for utc, otherwise in ((failure.from_utc, -np.inf), (failure.to_utc, np.inf))
    )
    return Breakage(effect_of(failure, network, seed), begin_s, end_s)


def _build_world(
    scenario: Scenario, grid: TimeGrid, start_utc: np.datetime64, terminals: Terminals
) -> World:
    rule = find_rule(scenario.assignment.rule, scenario.folder)
    section, lowest_deg = scenario.gateways, scenario.gateways.min_elevation_deg
    leave_out = unserved_countries() if section.unserved == "drop" else frozenset[str]()
    pops = _pops(scenario, leave_out)
    gateways = load_gateways(
        scenario.source_of(section.source),
        pops,
        min_elevation_deg=(
            scenario.visibility.min_elevation_deg if lowest_deg is None else lowest_deg
        ),
        antennas=section.antennas,
        fibre_detour=scenario.delay.fibre_detour,
        leave_out=leave_out,
        at_every_pop=section.at_every_pop,
    )
    targets = _targets(scenario, terminals, gateways, pops)
    if (targets.pops >= 0).any() and not scenario.delay.include_fibre:
        raise InputError(
            f"{scenario.source}: terminals with a pop_id need delay.include_fibre = true: without "
            "fibre any PoP would be at no distance; remove one of the two"
        )
    fleet, warnings = build_fleet(scenario, start_utc)
    world = World(
        scenario=scenario,
        grid=grid,
        orientation=earth_orientation(scenario.earth.orientation),
        fleet=fleet,
        sat_is_up=np.ones(len(fleet.catalogue), dtype=np.bool_),
        failed_links=NO_FAILED_LINKS,
        gateways=gateways,
        gateway_is_up=np.ones(len(gateways), dtype=np.bool_),
        pops=pops,
        pop_is_up=np.ones(len(pops), dtype=np.bool_),
        core_is_up=True,
        terminals=terminals,
        sky=site_sky(scenario, terminals),
        targets=targets,
        rule=rule,
        warnings=tuple(warnings),
    )
    if ":" in scenario.isl_plan:
        isl_plan(world, grid.epoch_utc)  # one of the user's own is refused before any computing
    return world


def _pops(scenario: Scenario, leave_out: Collection[str]) -> Pops:
    named, gateways = scenario.gateways.pops, scenario.gateways.source
    source = default_pops(gateways) if named is None else scenario.source_of(named)
    return load_pops(source, leave_out=leave_out)


def _targets(
    scenario: Scenario, terminals: Terminals, gateways: Gateways, pops: Pops, **failed: BoolArray
) -> Targets:
    """Return the ends of the terminals' paths by the scenario's rules and what has failed."""
    return find_targets(
        terminals, gateways, pops, scenario.landing_rules, scenario.source,
        at_home=scenario.has_home_pops, domestic_only=scenario.gateways.domestic_only, **failed,
    )  # fmt: skip


def _broken(world: World, effects: Sequence[Effect]) -> World:
    """Return the world with the effects of failures."""
    gateway_failed = np.logical_or.reduce([effect.gateway for effect in effects])
    pop_failed = np.logical_or.reduce([effect.pop for effect in effects])
    broken = replace(
        world,
        sat_is_up=~np.logical_or.reduce([effect.sat for effect in effects]),
        failed_links=joined_links([effect.links for effect in effects]),
        gateway_is_up=~gateway_failed,
        pop_is_up=~pop_failed,
        core_is_up=not any(effect.is_core for effect in effects),
    )
    return broken if broken.ground_is_up else _on_ground_left(broken)


def _on_ground_left(world: World) -> World:
    """Return the world with its traffic at the gateways and PoPs that are in order."""
    scenario, pop_failed = world.scenario, ~world.pop_is_up
    gateways = rehomed(world.gateways, world.pops, pop_failed, scenario.delay.fibre_detour)
    targets = _targets(
        scenario, world.terminals, gateways, world.pops,
        gateway_failed=~world.gateway_is_up, pop_failed=pop_failed,
    )  # fmt: skip
    return replace(world, gateways=gateways, targets=targets)


def _needless(failures: Sequence[Failure], parts: Sequence[Part]) -> list[str]:
    """Return a warning for each failure that changes nothing."""
    warnings = []
    for failure, broken in zip(
        failures, zip(*(p.breakages for p in parts), strict=True), strict=True
    ):
        cause = _cause_of_nothing(failure, broken, parts[0].world)
        if not cause and failure.kind == "link":
            hits = [_may_have(p.world, b.effect.links) for p, b in zip(parts, broken, strict=True)]
            cause = "" if any(hits) else "the plan has no such link"
        if cause:
            warnings.append(f"{failure.place} changes nothing: {cause}")
    return warnings


def _cause_of_nothing(failure: Failure, broken: Sequence[Breakage], world: World) -> str:
    """Return why a failure changes nothing, "" where it may."""
    end_s = world.slots * world.scenario.time.slot_s
    if not any(each.begin_s < end_s and each.end_s > 0.0 for each in broken):
        first, end = format_utc(world.grid.utc[0]), format_utc(world.grid.utc[-1])
        return f"its time lies outside the run, which begins {first}, ends {end}"
    if not all(each.effect.is_nothing for each in broken):
        return ""
    if failure.kind == "country":
        return "no gateway and no PoP is there"
    return f"share = {failure.share:g} of what there is draws no {failure.kind}"


def _may_have(world: World, failed: FailedLinks) -> bool:
    """Return whether any link that has failed may be in the plan, which is checked if it lasts."""
    if world.scenario.isl_plan == "fleet":  # it changes, and takes seconds to make
        return bool(failed)
    plan = isl_plan(world, world.grid.epoch_utc)
    if not isinstance(plan, FixedPlan):
        return bool(failed)
    edges = plan.links(None, 0, np.empty((0, 3)))  # the same wherever satellites are
    return bool(failed.holds(world.fleet.catalogue.norad_id[edges]).any())


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
        folder=scenario.folder,
    )
