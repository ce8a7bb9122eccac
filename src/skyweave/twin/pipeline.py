"""The order of a run: the one module that knows every stage.

A run has two parts.  The *network* part goes through the slots in order, because feeder links and
laser links depend on those of the slot before.  The *service* part computes each terminal's
satellite and path from one slot's network alone, so slots can be shared among processes; the
results do not depend on how.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.policy.reasons import SERVED, Reason
from skyweave.policy.regions import cells_at
from skyweave.seeds import hashed_uniform, named_key
from skyweave.twin.delay import delay_model, slot_extra_s, utc_slots
from skyweave.twin.geometry import (
    VisiblePairs,
    gso_separation_deg,
    is_sunlit,
    keep,
    pair_angles,
    remaining_slots,
    sun_itrf_m,
    visible_pairs,
)
from skyweave.twin.orbits import Sgp4Records, propagate
from skyweave.twin.results.chunk import AccessChunk
from skyweave.twin.routing import SatelliteCosts, cheapest_to_ground
from skyweave.twin.scheduling import (
    Assignment,
    Candidates,
    Memory,
    Request,
    assign,
    own_assignment,
    score_candidates,
    separation_deg,
    service_rank,
)
from skyweave.twin.sight import SKY_REASONS, Places, Sight, permitted, sights, sky_tests
from skyweave.twin.terminals import Position, terminal_itrf
from skyweave.twin.topology import (
    FeederLinks,
    IslPlan,
    LinkChanges,
    LinkState,
    assign_feeders,
    fibre_delay_s,
    link_changes,
    padded_adjacency,
    padded_lengths_m,
    step,
)
from skyweave.twin.world import (
    Part,
    World,
    gateway_itrf,
    gateway_mask,
    isl_plan,
    terminal_mask,
)

CHUNK_SLOTS = 60  # slots computed together; no result depends on it

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class SlotNetwork:
    """The links of one slot, chosen in slot order."""

    slot: int
    feeders: FeederLinks
    edges: RowArray  # (E, 2) laser links up for the whole slot, satellite rows
    in_gateway_view: BoolArray  # (K, N) above the mask of a gateway of each target, whole slot
    changes: LinkChanges  # of the laser links since the slot before


@dataclass(frozen=True)
class SlotService:
    """What one slot offered to the terminals, and what was chosen."""

    candidates: Candidates  # usable satellites above the mask at both ends of the slot
    is_located: BoolArray  # (S,) the terminal's position is known at both ends
    refused: NDArray[np.int16]  # (P,) why the sky keeps a satellite from serving, SERVED = it can
    score: FloatArray  # (P,) -inf where the satellite cannot serve
    drawn: FloatArray  # (P,) the score with the noise that makes a choice a draw, where it is one
    chosen: NDArray[np.int64]  # (S,) the pair that serves, -1 = none
    no_beam: BoolArray  # (S,) a satellite could have served, but none had a free beam
    costs: tuple[SatelliteCosts, ...]  # of each satellite, one per entry of `Targets.pops`
    feeder_s: FloatArray  # (L,) one-way delay of each feeder link
    memory: Memory  # what is remembered after the slot


class SlotPair(NamedTuple):
    """The network of one slot as it would be if nothing had ever failed, and as it is."""

    whole: SlotNetwork
    now: SlotNetwork  # the same object as long as nothing of the network has failed


class _Boundary(NamedTuple):
    """What a slot's links are chosen from: satellites (N, 3) at both ends, and gateways' views."""

    start_itrf_m: FloatArray
    end_itrf_m: FloatArray
    views: VisiblePairs
    remaining: RowArray  # (P,) whole slots for which each pair stays in view


@dataclass(frozen=True, eq=False)
class _Line:
    """A network on its way through the slots: all that the next slot's links depend on."""

    plan: IslPlan
    links: LinkState | None = None
    feeders: FeederLinks | None = None

    def next(self, world: World, slot: int, at: _Boundary) -> "tuple[_Line, SlotNetwork]":
        """Return the line after a slot, and the slot's network in a world."""
        start_m, end_m = world.in_order(at.start_itrf_m), world.in_order(at.end_itrf_m)
        links = step(self.plan, self.links, slot, start_m, end_m)
        if world.failed_links:
            links = links.without(world.has_failed(links.planned))
        views, remaining = at.views, at.remaining
        if not world.network_is_up:
            is_up = world.gateway_is_up[views.site_rows] & world.sat_is_up[views.sat]
            views, remaining = keep(views, is_up), remaining[is_up]
        feeders = assign_feeders(
            self.feeders, views, remaining, world.gateways.antennas, usable_sat=world.fleet.serves
        )
        lasting = keep(views, remaining >= 1)
        changes = link_changes(self.links, links, world.sat_is_up)
        in_view = _in_gateway_view(world, lasting)
        network = SlotNetwork(slot, feeders, links.up, in_view, changes)
        return _Line(self.plan, links, feeders), network


def networks(
    world: World,
    records: Sgp4Records,
    stop: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[SlotNetwork]:
    """Yield the network of slots 0 to stop - 1, each built on the one before."""
    everyone = np.arange(len(world.terminals))
    for pair in network_pairs(Part(world, everyone), records, stop, progress):
        yield pair.whole


def network_pairs(
    part: Part,
    records: Sgp4Records,
    stop: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[SlotPair]:
    """Yield the networks of slots 0 to stop - 1, each built on the one before.

    Both hand their state on from slot to slot.  Nobody knows of a failure before its first slot,
    and in each slot nobody knows that one may end.
    """
    world, gateways = part.world, gateway_itrf(part.world.gateways)
    line, line_now = _Line(isl_plan(world, world.grid.epoch_utc)), None
    for first in range(0, stop, CHUNK_SLOTS):
        last = min(first + CHUNK_SLOTS, stop)
        progress(f"links: slot {first} of {stop}")
        sat_itrf_m = _positions(world, records, first, last + world.horizon)
        views = [_gateway_views(world, gateways, now_m) for now_m in sat_itrf_m]
        remaining = remaining_slots(views, world.horizon)
        for slot in range(first, last):
            k = slot - first
            at = _Boundary(sat_itrf_m[k], sat_itrf_m[k + 1], views[k], remaining[k])
            world_now = part.at_slot(slot)
            if line_now is None and not world_now.network_is_up:
                line_now = line
            line, whole = line.next(world, slot, at)
            now = whole
            if line_now is not None:
                line_now, now = line_now.next(world_now, slot, at)
            yield SlotPair(whole, now)


def _in_gateway_view(world: World, views: VisiblePairs) -> BoolArray:
    """Return the usable satellites that gateways allowed to each target see, (K, N)."""
    in_view = np.zeros((len(world.targets.pops), len(world.fleet.catalogue)), dtype=np.bool_)
    for seen, allowed in zip(in_view, world.targets.gateway_allowed, strict=True):
        seen[views.sat[allowed[views.site_rows]]] = True
    return in_view & world.fleet.serves


def serve(
    world: World,
    records: Sgp4Records,
    slots: Sequence[SlotNetwork],
    memory: Memory | None = None,
) -> tuple[AccessChunk, Memory]:
    """Return what every terminal has in consecutive slots, and what is remembered after them.

    `memory` is what is remembered of the slots before, None = nothing.  A rule that remembers
    nothing leaves it as it is, and the slots stand by themselves.
    """
    if memory is None:
        memory = Memory.nothing(len(world.terminals), len(world.fleet.catalogue))
    parts = []
    for network, service, sat_itrf_m in services(world, records, slots, memory):
        parts.append(_access(world, network, service, sat_itrf_m))
        memory = service.memory
    arrays = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return AccessChunk(first_slot=slots[0].slot, links=(), **arrays), memory


def services(
    world: World,
    records: Sgp4Records,
    slots: Sequence[SlotNetwork],
    memory: Memory | None = None,
) -> Iterator[tuple[SlotNetwork, SlotService, FloatArray]]:
    """Yield the network, the service and the satellites' positions (N, 3) of each slot.

    `memory` is what is remembered of the slots before, None = nothing.
    """
    if memory is None:
        memory = Memory.nothing(len(world.terminals), len(world.fleet.catalogue))
    first, count, rule = slots[0].slot, len(slots), world.rule
    back = rule.behind_slots
    ahead = world.horizon if rule.ahead_slots is None else min(rule.ahead_slots, world.horizon)
    sat_itrf_m = _positions(world, records, first - back, first + count + ahead - 1)
    grid = world.boundaries(first - back, first + count + ahead)
    positions = terminal_itrf(world.terminals, grid.utc)
    places = [positions.at(k) for k in range(len(sat_itrf_m))]
    sun_m = sun_itrf_m(grid.utc[back : back + count], world.orientation)
    mask = terminal_mask(world)
    usable_m = np.where(world.fleet.serves[None, :, None], sat_itrf_m, np.nan)
    views = [visible_pairs(*places[k], usable_m[k], mask) for k in range(len(places))]
    of_slot = sights(world, views, places, sat_itrf_m, ahead, back)[back:]
    for number, (network, sight) in enumerate(zip(slots, of_slot, strict=False)):
        k = back + number
        offer = _Offer(
            permitted(sight, off_reasons(world, network.slot)),
            (places[k], places[k + 1]), positions.geodetic_at(k), sat_itrf_m[k],
            is_sunlit(sat_itrf_m[k], sun_m[number]),
        )  # fmt: skip
        service = _choose(world, network, offer, memory)
        memory = service.memory
        yield network, service, sat_itrf_m[k]


def fibre_s(world: World, pop: int) -> FloatArray:
    """Return the one-way fibre delay from each gateway to its PoP, or to one PoP for all, (G,)."""
    if not world.scenario.delay.include_fibre:
        return np.zeros(len(world.gateways))
    if pop < 0:
        return world.gateways.fibre_s
    rows = np.full(len(world.gateways), pop, dtype=np.int32)
    return fibre_delay_s(world.gateways, world.pops, rows, world.scenario.delay.fibre_detour)


def _positions(world: World, records: Sgp4Records, first: int, last: int) -> FloatArray:
    """Return the satellites in order at boundaries first to last, both included, (T, N, 3)."""
    grid = world.boundaries(first, last + 1)
    catalogue, orientation = world.fleet.catalogue, world.orientation
    return world.in_order(propagate(catalogue, grid, orientation, records=records).sat_itrf_m)


def _gateway_views(world: World, gateways: Places, sat_itrf_m: FloatArray) -> VisiblePairs:
    views = visible_pairs(*gateways, sat_itrf_m, gateway_mask(world, world.gateways))
    for _, test in sky_tests(world, None):
        views = keep(views, test(views, gateways, sat_itrf_m))
    return views


class _Offer(NamedTuple):
    """What a slot offers to the terminals, before anyone is chosen."""

    sight: Sight
    places: tuple[Places, Places]  # the terminals at both ends of the slot
    geodetic: Position  # and where they are at its start
    sat_itrf_m: FloatArray  # (N, 3)
    is_lit: BoolArray  # (N,)


def _choose(world: World, network: SlotNetwork, offer: _Offer, memory: Memory) -> SlotService:
    feeder_s = _feeder_delays_s(world, network, offer.sat_itrf_m)
    gateway = network.feeders.gateway
    seed_s = [
        np.where(allowed, feeder_s + fibre_s(world, pop)[gateway], np.inf)
        for pop, allowed in zip(
            world.targets.pops.tolist(), world.targets.gateway_allowed[:, gateway], strict=True
        )
    ]
    costs = _satellite_costs(network, offer.sat_itrf_m, seed_s)
    candidates = _candidates(world, offer, costs, memory)
    score = score_candidates(world.rule, candidates)
    score = np.where(offer.sight.refused == SERVED, score, -np.inf)
    cell = _cells(world, offer.geodetic)
    drawn = score
    if world.rule.is_sampled:
        drawn = score + _gumbel(world, network.slot, candidates, cell)
    assignment = _assign(world, network.slot, candidates, drawn, cell)
    site_itrf_m = np.stack([position_m for position_m, _ in offer.places])  # (2, S, 3)
    return SlotService(
        candidates=candidates,
        is_located=np.asarray(np.isfinite(site_itrf_m).all(axis=(0, 2))),
        refused=offer.sight.refused,
        score=score,
        drawn=drawn,
        chosen=assignment.chosen,
        no_beam=assignment.reason_no_beam,
        costs=costs,
        feeder_s=feeder_s,
        memory=_remembered(world, memory, candidates, assignment),
    )


def _candidates(
    world: World, offer: _Offer, costs: tuple[SatelliteCosts, ...], memory: Memory
) -> Candidates:
    rule, sight, sat_itrf_m = world.rule, offer.sight, offer.sat_itrf_m
    rows, sats = sight.seen.site_rows, sight.seen.sat
    look = pair_angles(*offer.places[0], sat_itrf_m, rows, sats)
    cost_s = np.stack([c.cost_s for c in costs])[world.targets.of_terminal[rows], sats]
    unseen = np.full(sats.size, np.nan)
    return Candidates(
        terminal_start=sight.seen.site_start,
        terminal=rows,
        sat=sats,
        elevation_deg=look.elevation_deg,
        azimuth_deg=look.azimuth_deg,
        range_m=look.range_m,
        path_s=cost_s,
        remaining_slots=sight.left,
        age_slots=sight.age,
        is_sunlit=offer.is_lit[sats],
        gso_separation_deg=(
            gso_separation_deg(*offer.places[0], sat_itrf_m, rows, sats)
            if rule.sees_gso
            else unseen
        ),
        boresight_deg=_boresight_deg(world, rows, look.azimuth_deg, look.elevation_deg),
        generation=world.fleet.generation[sats],
        slots_since_use=(
            memory.slots_since_use(rows, sats) if rule.remembers else np.zeros_like(sats)
        ),
        load=memory.load[sats],
        lat_deg=offer.geodetic.lat_deg.copy(),
    )


def _boresight_deg(
    world: World, rows: RowArray, azimuth_deg: FloatArray, elevation_deg: FloatArray
) -> FloatArray:
    """Return the angle from each direction to the dish's boresight, NaN where it tells none."""
    sky = world.sky
    if not sky.tells_boresight.any():
        return np.full(rows.size, np.nan)
    angle_deg = separation_deg(
        azimuth_deg, elevation_deg,
        sky.boresight_azimuth_deg[rows], sky.boresight_elevation_deg[rows],
    )  # fmt: skip
    return np.where(sky.tells_boresight[rows], angle_deg, np.nan)


def _cells(world: World, geodetic: Position) -> NDArray[np.int64]:
    """Return the H3 cell that each terminal is in, (S,)."""
    moving = np.array(sorted(world.terminals.tracks), dtype=np.int64)
    if not moving.size:
        return world.cell
    cell = world.cell.copy()
    where = cells_at(geodetic.lat_deg[moving], geodetic.lon_deg[moving])
    cell[moving] = where.astype(np.int64)
    return cell


def off_reasons(world: World, slot: int) -> NDArray[np.int16] | None:
    """Return why the policy has terminals off in a slot, SERVED where not; None: nobody is."""
    if world.verdicts is None:
        return None
    reason = world.verdicts.reasons(slot)
    return reason if (reason != SERVED).any() else None


def _assign(
    world: World, slot: int, candidates: Candidates, score: FloatArray, cell: NDArray[np.int64]
) -> Assignment:
    """Return who serves whom, the terminals of higher service class first."""
    rank = _ranks(world, slot, cell)
    start, sat = candidates.terminal_start, candidates.sat
    request = Request(start, sat, score, cell, rank, world.beams)
    if world.rule.choose is not None:
        return own_assignment(world.rule, candidates, request)
    return assign(*request)


def _ranks(world: World, slot: int, cell: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the order of service, (S,); whom the policy has off come last and count for nobody."""
    classes, keys = world.terminals.service_class, world.terminal_key
    when, seed = _start_ms(world, slot), world.scenario.seed
    off = off_reasons(world, slot)
    if off is None:
        return service_rank(classes, seed, when, keys, cell)
    asks = np.flatnonzero(off == SERVED)
    rank = np.empty(off.size, dtype=np.int64)
    rank[asks] = service_rank(classes[asks], seed, when, keys[asks], cell[asks])
    rank[off != SERVED] = np.arange(asks.size, off.size)
    return rank


def _gumbel(world: World, slot: int, candidates: Candidates, cell: NDArray[np.int64]) -> FloatArray:
    """Return the noise that makes the highest of log weights a draw by weight, (P,).

    It depends on the seed, the slot's time, the terminal's cell and the satellite alone: terminals
    of one cell draw alike, so that they share beams where their skies let them, and runs that begin
    at other slots draw the same.
    """
    key = named_key(world.scenario.seed, "assignment", world.operator)
    norad_id = world.fleet.catalogue.norad_id[candidates.sat]
    uniform = hashed_uniform(key, _start_ms(world, slot), cell[candidates.terminal], norad_id)
    noise: FloatArray = -np.log(-np.log(uniform))
    return noise


def _start_ms(world: World, slot: int) -> int:
    """Return when a slot begins, in milliseconds since 1970."""
    return int(world.grid.utc[slot].astype("datetime64[ms]").astype(np.int64))


def _remembered(
    world: World, memory: Memory, candidates: Candidates, assignment: Assignment
) -> Memory:
    if not world.rule.remembers:
        return memory
    sat = np.append(candidates.sat, np.int32(-1))[assignment.chosen]
    return memory.after(sat, assignment.beams_used / np.maximum(world.beams.links, 1))


def _satellite_costs(
    network: SlotNetwork, sat_itrf_m: FloatArray, seed_s: list[FloatArray]
) -> tuple[SatelliteCosts, ...]:
    satellites = len(sat_itrf_m)
    degree = int(np.bincount(network.edges.ravel(), minlength=1).max(initial=1))
    neighbour = padded_adjacency(network.edges, satellites, degree)
    length_m = padded_lengths_m(neighbour, sat_itrf_m)
    return tuple(
        cheapest_to_ground(neighbour, length_m, network.feeders.sat, each) for each in seed_s
    )


def _feeder_delays_s(world: World, network: SlotNetwork, sat_itrf_m: FloatArray) -> FloatArray:
    """Return the one-way delay of each feeder link, (L,)."""
    gateway_m, _ = gateway_itrf(world.gateways)
    line_m = sat_itrf_m[network.feeders.sat] - gateway_m[network.feeders.gateway]
    delay_s: FloatArray = np.linalg.norm(line_m, axis=1) / SPEED_OF_LIGHT_M_S
    return delay_s


def _access(
    world: World, network: SlotNetwork, service: SlotService, sat_itrf_m: FloatArray
) -> dict[str, NDArray[Any]]:
    """Return the arrays of `AccessChunk` for one slot, shape (S,) each."""
    rows = np.flatnonzero(service.chosen >= 0)
    pair = service.chosen[rows]
    found, targets = service.candidates, world.targets
    sat, which = found.sat[pair], targets.of_terminal[rows]
    seed = np.stack([c.seed for c in service.costs])[which, sat]
    gateway = network.feeders.gateway[seed]
    own_pop, fixed = world.gateways.pop[gateway], targets.pops[which]
    fibre = np.stack([fibre_s(world, pop) for pop in targets.pops])[which, gateway]
    parts = {
        "access_s": 2.0 * found.range_m[pair] / SPEED_OF_LIGHT_M_S,
        "isl_s": 2.0 * (found.path_s[pair] - (service.feeder_s[seed] + fibre)),
        "feeder_s": 2.0 * service.feeder_s[seed],
        "fibre_s": 2.0 * fibre,
    }
    values: dict[str, NDArray[Any]] = {
        "sat": sat,
        "elevation_deg": found.elevation_deg[pair],
        "azimuth_deg": found.azimuth_deg[pair],
        "range_m": found.range_m[pair],
        "gateway": gateway,
        "pop": np.where(fixed < 0, own_pop, fixed),
        "isl_hops": np.stack([c.hops for c in service.costs])[which, sat],
        "rtt_s": np.sum(list(parts.values()), axis=0)
        + beyond_geometry_s(world, network.slot, rows),
        **parts,
    }
    count = len(world.terminals)
    access = {name: _scattered(name, value, rows, count) for name, value in values.items()}
    serving_m = sat_itrf_m[world.fleet.serves & world.sat_is_up]
    is_lost = len(serving_m) > 0 and bool(np.isnan(serving_m).any(axis=1).all())
    access["reason"] = _reasons(world, network, service, is_lost)
    return access


def beyond_geometry_s(world: World, slot: int, rows: NDArray[np.int64]) -> FloatArray:
    """Return what the round trip of terminals has in a slot beyond propagation, (S,)."""
    delay = world.scenario.delay
    if delay.model == "geometry":
        return np.full(rows.size, delay.processing_s)
    start = utc_slots(world.grid.utc[[slot]])
    model, seed = delay_model(delay.period), world.scenario.seed
    extra_s: FloatArray = slot_extra_s(model, seed, start, world.terminal_key[rows])[0]
    return extra_s


_ROW_NUMBERS = {"sat": np.int32, "gateway": np.int32, "pop": np.int32, "isl_hops": np.int16}


def absent(name: str) -> float:
    """Return what stands in an array where there is nothing: -1 for numbers of things, else NaN."""
    return -1 if name in (*_ROW_NUMBERS, "reason") else np.nan


def _scattered(name: str, value: NDArray[Any], rows: NDArray[np.int64], count: int) -> NDArray[Any]:
    """Return the values at their rows, among `count`."""
    everyone = np.full(count, absent(name), dtype=_ROW_NUMBERS.get(name, np.float64))
    everyone[rows] = value
    return everyone


def _reasons(
    world: World, network: SlotNetwork, service: SlotService, is_lost: bool
) -> NDArray[np.int16]:
    """Return why each terminal is out, the first that applies of a fixed order, (S,).

    `is_lost`: no satellite that may serve and is in order has a valid position.
    """
    found, terminals = service.candidates, service.chosen.size
    off = off_reasons(world, network.slot)
    if (service.chosen >= 0).all():  # the common case needs no search for causes
        return np.full(terminals, SERVED, dtype=np.int16)
    seen = np.bincount(found.terminal, minlength=terminals)
    can_serve = service.refused == SERVED
    usable = np.bincount(found.terminal[can_serve], minlength=terminals)
    target = world.targets.of_terminal[found.terminal]
    near = can_serve & network.in_gateway_view[target, found.sat]
    near_gateway = np.bincount(found.terminal[near], minlength=terminals)
    causes = [
        (service.chosen >= 0, SERVED),
        (~service.is_located, Reason.POSITION_UNKNOWN.number),
        (np.full(terminals, is_lost), Reason.NO_VALID_EPHEMERIS.number),
        (seen == 0, Reason.NO_SATELLITE_IN_VIEW.number),
        (usable == 0, _last_refusal(service)),
        (service.no_beam, Reason.NO_BEAM_FREE.number),
        (near_gateway > 0, Reason.GATEWAY_ANTENNAS_BUSY.number),
    ]
    if off is not None:
        causes.insert(0, (off != SERVED, off))
    conditions, numbers = zip(*causes, strict=True)
    chosen = np.select(conditions, numbers, Reason.NO_GATEWAY_PATH.number)
    return np.asarray(chosen, dtype=np.int16)


def _last_refusal(service: SlotService) -> NDArray[np.int16]:
    """Return at which test the last of each terminal's satellites fell out, (S,)."""
    order = [SERVED, *(reason.number for reason in SKY_REASONS)]
    rank = np.zeros(service.chosen.size, dtype=np.int64)
    np.maximum.at(rank, service.candidates.terminal, _rank_of(service.refused, order))
    return np.array(order, dtype=np.int16)[rank]


def _rank_of(codes: NDArray[np.int16], order: list[int]) -> NDArray[np.int64]:
    place = np.zeros(max(order) + 2, dtype=np.int64)  # the last is that of SERVED, -1
    place[order] = np.arange(len(order))
    return place[codes]
