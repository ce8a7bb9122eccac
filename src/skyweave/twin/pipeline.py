"""The order of a run: the one module that knows every stage.

A run has two parts.  The *network* part goes through the slots in order, because feeder links and
laser links depend on those of the slot before.  The *service* part computes each terminal's
satellite and path from one slot's network alone, so slots can be shared among processes; the
results do not depend on how.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import islice
from multiprocessing import get_context
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.policy.reasons import SERVED, Reason
from skyweave.twin.geometry import (
    VisiblePairs,
    gso_separation_deg,
    keep,
    pair_angles,
    remaining_slots,
    visible_pairs,
)
from skyweave.twin.orbits import Sgp4Records, initialise, propagate
from skyweave.twin.results.chunk import AccessChunk
from skyweave.twin.routing import SatelliteCosts, cheapest_to_ground
from skyweave.twin.scheduling import Candidates, choose, score_candidates
from skyweave.twin.terminals import terminal_itrf
from skyweave.twin.topology import (
    FeederLinks,
    assign_feeders,
    fibre_delay_s,
    padded_adjacency,
    padded_lengths_m,
    step,
)
from skyweave.twin.world import World, gateway_itrf, gateway_mask, isl_plan, site_mask

CHUNK_SLOTS = 60  # slots computed together; no result depends on it

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
Places = tuple[FloatArray, FloatArray]  # positions and ellipsoid normals, (S, 3) each


@dataclass(frozen=True)
class SlotNetwork:
    """The links of one slot, chosen in slot order."""

    slot: int
    feeders: FeederLinks
    edges: RowArray  # (E, 2) laser links up for the whole slot, satellite rows
    in_gateway_view: BoolArray  # (N,) above some gateway's mask for the whole slot


@dataclass(frozen=True)
class SlotService:
    """What one slot offered to the terminals, and what was chosen."""

    candidates: Candidates  # usable satellites above the mask at both ends of the slot
    is_located: BoolArray  # (S,) the terminal's position is known at both ends
    is_clear: BoolArray  # (P,) far enough from the geostationary arc at both ends
    score: FloatArray  # (P,) -inf where the satellite cannot serve
    chosen: NDArray[np.int64]  # (S,) the pair that serves, -1 = none
    costs: tuple[SatelliteCosts, ...]  # of each satellite, one per entry of `Targets.pops`
    feeder_s: FloatArray  # (L,) one-way delay of each feeder link


def run_slots(
    world: World, workers: int = 1, progress: Callable[[str], None] = lambda _: None
) -> Iterator[AccessChunk]:
    """Yield what every terminal has, chunk by chunk in slot order."""
    records = initialise(world.fleet.catalogue)
    pieces = _pieces(networks(world, records, world.slots, progress))
    chunks: Iterator[AccessChunk]
    if workers == 1:
        chunks = (serve(world, records, piece) for piece in pieces)
    else:
        chunks = _shared_out(world, records, pieces, workers)
    for chunk in chunks:
        yield chunk
        progress(f"terminals: slot {chunk.first_slot + chunk.slots} of {world.slots}")


def networks(
    world: World,
    records: Sgp4Records,
    stop: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[SlotNetwork]:
    """Yield the network of slots 0 to stop - 1, each built on the one before."""
    plan = isl_plan(world, world.grid.epoch_utc)
    gateways, antennas = gateway_itrf(world.gateways), world.gateways.antennas
    planned, feeders = None, None
    for first in range(0, stop, CHUNK_SLOTS):
        last = min(first + CHUNK_SLOTS, stop)
        progress(f"links: slot {first} of {stop}")
        sat_itrf_m = _positions(world, records, first, last + world.horizon)
        views = [_gateway_views(world, gateways, now_m) for now_m in sat_itrf_m]
        remaining = remaining_slots(views, world.horizon)
        for slot in range(first, last):
            k = slot - first
            planned, edges = step(plan, planned, slot, sat_itrf_m[k], sat_itrf_m[k + 1])
            feeders = assign_feeders(
                feeders, views[k], remaining[k], antennas, usable_sat=world.fleet.serves
            )
            in_view = np.zeros(len(world.fleet.catalogue), dtype=np.bool_)
            in_view[views[k].sat[remaining[k] >= 1]] = True
            yield SlotNetwork(slot, feeders, edges, in_view & world.fleet.serves)


def serve(world: World, records: Sgp4Records, slots: Sequence[SlotNetwork]) -> AccessChunk:
    """Return what every terminal has in consecutive slots, from their networks alone."""
    parts = [
        _access(world, network, service, sat_itrf_m)
        for network, service, sat_itrf_m in services(world, records, slots)
    ]
    arrays = {name: np.stack([part[name] for part in parts]) for name in parts[0]}
    return AccessChunk(first_slot=slots[0].slot, **arrays)


def services(
    world: World, records: Sgp4Records, slots: Sequence[SlotNetwork]
) -> Iterator[tuple[SlotNetwork, SlotService, FloatArray]]:
    """Yield the network, the service and the satellites' positions (N, 3) of each slot."""
    first, count = slots[0].slot, len(slots)
    horizon = world.horizon if world.rule.looks_ahead else 1
    sat_itrf_m = _positions(world, records, first, first + count + horizon - 1)
    positions = terminal_itrf(world.terminals, world.boundaries(first, first + count + horizon).utc)
    places = [positions.at(k) for k in range(len(sat_itrf_m))]
    mask = site_mask(world, len(world.terminals))
    usable_m = np.where(world.fleet.serves[None, :, None], sat_itrf_m, np.nan)
    views = [visible_pairs(*places[k], usable_m[k], mask) for k in range(len(places))]
    clear = [clear_of_gso(world, views[k], places[k], sat_itrf_m[k]) for k in range(len(places))]
    in_view = remaining_slots(views, horizon)
    in_clear = remaining_slots([keep(v, c) for v, c in zip(views, clear, strict=True)], horizon)
    for k, network in enumerate(slots):
        clear_slots = np.zeros(len(views[k]), dtype=np.int32)
        clear_slots[clear[k]] = in_clear[k]
        both_ends = in_view[k] >= 1
        seen = keep(views[k], both_ends)
        ends = places[k : k + 2]
        service = _choose(world, network, seen, clear_slots[both_ends], ends, sat_itrf_m[k])
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
    """Return the satellites at boundaries first to last, both included, (T, N, 3)."""
    grid = world.boundaries(first, last + 1)
    catalogue, orientation = world.fleet.catalogue, world.orientation
    return propagate(catalogue, grid, orientation, records=records).sat_itrf_m


def _gateway_views(world: World, gateways: Places, sat_itrf_m: FloatArray) -> VisiblePairs:
    views = visible_pairs(*gateways, sat_itrf_m, gateway_mask(world, world.gateways))
    return keep(views, clear_of_gso(world, views, gateways, sat_itrf_m))


def clear_of_gso(
    world: World, views: VisiblePairs, places: Places, sat_itrf_m: FloatArray
) -> BoolArray:
    """Return which pairs of a site and a satellite are far enough from the geostationary arc."""
    limit_deg = world.scenario.visibility.gso_separation_deg
    if limit_deg == 0.0:
        return np.ones(len(views), dtype=np.bool_)
    separation = gso_separation_deg(*places, sat_itrf_m, views.site_rows, views.sat)
    clear: BoolArray = separation >= limit_deg
    return clear


def _choose(
    world: World, network: SlotNetwork, seen: VisiblePairs, clear_slots: RowArray,
    places: Sequence[Places], sat_itrf_m: FloatArray,
) -> SlotService:  # fmt: skip
    feeder_s = _feeder_delays_s(world, network, sat_itrf_m)
    behind_s = [fibre_s(world, pop)[network.feeders.gateway] for pop in world.targets.pops]
    costs = _satellite_costs(network, sat_itrf_m, [feeder_s + fibre for fibre in behind_s])
    rows, sats = seen.site_rows, seen.sat
    cost_s = np.stack([c.cost_s for c in costs])[world.targets.of_terminal[rows], sats]
    look = pair_angles(*places[0], sat_itrf_m, rows, sats)
    site_itrf_m = np.stack([position_m for position_m, _ in places])  # (2, S, 3)
    is_located = np.asarray(np.isfinite(site_itrf_m).all(axis=(0, 2)))
    is_clear = clear_slots >= 1
    candidates = Candidates(
        terminal_start=seen.site_start,
        terminal=rows,
        sat=sats,
        elevation_deg=look.elevation_deg,
        azimuth_deg=look.azimuth_deg,
        range_m=look.range_m,
        path_s=cost_s,
        remaining_slots=clear_slots,
    )
    score = np.where(is_clear, score_candidates(world.rule, candidates), -np.inf)
    chosen = choose(candidates, score)
    return SlotService(candidates, is_located, is_clear, score, chosen, costs, feeder_s)


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
        "rtt_s": np.sum(list(parts.values()), axis=0) + world.scenario.delay.processing_s,
        **parts,
    }
    count = len(world.terminals)
    access = {name: _scattered(name, value, rows, count) for name, value in values.items()}
    is_lost = bool(np.isnan(sat_itrf_m[world.fleet.serves]).any(axis=1).all())
    access["reason"] = _reasons(network, service, is_lost)
    return access


def _scattered(name: str, value: NDArray[Any], rows: NDArray[np.int64], count: int) -> NDArray[Any]:
    """Return the values at their rows; the others are -1 for numbers of things, else NaN."""
    kinds = {"sat": np.int32, "gateway": np.int32, "pop": np.int32, "isl_hops": np.int16}
    kind = kinds.get(name, np.float64)
    everyone = np.full(count, -1 if name in kinds else np.nan, dtype=kind)
    everyone[rows] = value
    return everyone


def _reasons(network: SlotNetwork, service: SlotService, is_lost: bool) -> NDArray[np.int16]:
    """Return why each terminal is out, the first that applies of a fixed order, (S,).

    `is_lost`: no satellite that may serve has a valid position.
    """
    found, terminals = service.candidates, service.chosen.size
    seen = np.bincount(found.terminal, minlength=terminals)
    clear = np.bincount(found.terminal[service.is_clear], minlength=terminals)
    near = service.is_clear & network.in_gateway_view[found.sat]
    near_gateway = np.bincount(found.terminal[near], minlength=terminals)
    causes = [
        (service.chosen >= 0, SERVED),
        (~service.is_located, Reason.POSITION_UNKNOWN.number),
        (np.full(terminals, is_lost), Reason.NO_VALID_EPHEMERIS.number),
        (seen == 0, Reason.NO_SATELLITE_IN_VIEW.number),
        (clear == 0, Reason.GSO_ARC.number),
        (near_gateway > 0, Reason.GATEWAY_ANTENNAS_BUSY.number),
    ]
    conditions, numbers = zip(*causes, strict=True)
    chosen = np.select(conditions, numbers, Reason.NO_GATEWAY_PATH.number)
    return np.asarray(chosen, dtype=np.int16)


def _pieces(slots: Iterator[SlotNetwork]) -> Iterator[list[SlotNetwork]]:
    while piece := list(islice(slots, CHUNK_SLOTS)):
        yield piece


def _shared_out(
    world: World, records: Sgp4Records, pieces: Iterator[list[SlotNetwork]], workers: int
) -> Iterator[AccessChunk]:
    """Serve pieces in spawned processes, in order, with at most two waiting per process."""
    threads = max(1, numba.get_num_threads() // workers)
    waiting: deque[Future[AccessChunk]] = deque()
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start_worker, initargs=(world, records, threads)
    ) as pool:
        for piece in pieces:
            waiting.append(pool.submit(_serve_in_worker, piece))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_worker: tuple[World, Sgp4Records]


def _start_worker(world: World, records: Sgp4Records, threads: int) -> None:
    global _worker
    numba.set_num_threads(threads)
    _worker = (world, records)


def _serve_in_worker(piece: list[SlotNetwork]) -> AccessChunk:
    return serve(*_worker, piece)
