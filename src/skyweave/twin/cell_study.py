"""A whole operator's service: hundreds of thousands of cells and a million terminals, slot by slot.

Everything streams.  A slot's network comes from `pipeline`, `scheduling.cells` gives each service
cell a satellite, and each terminal gets what its cell has, as far as its own sky allows.  What is
kept of a slot is its summary, so memory does not grow with time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import h3.api.numpy_int as h3
import numba
import numpy as np
from numpy.typing import NDArray

from skyweave.constants import EARTH_MEAN_RADIUS_M, SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf
from skyweave.kernels import kernel, parallel_kernels
from skyweave.places import country_at
from skyweave.policy.reasons import REASONS, SERVED
from skyweave.twin.orbits import Sgp4Records, initialise, propagate
from skyweave.twin.pipeline import SlotNetwork, fibre_s, networks
from skyweave.twin.routing import cheapest_to_ground
from skyweave.twin.scheduling.cells import (
    CELL_RESOLUTION,
    CellAssignment,
    CellRule,
    Cells,
    CellSky,
    CellState,
    make_cells,
    schedule_cells,
)
from skyweave.twin.topology import padded_adjacency, padded_lengths_m
from skyweave.twin.world import World, gateway_itrf

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

CHUNK_SLOTS = 20  # whose positions are computed together; no result depends on it
LOOK_AHEAD_SLOTS = 24  # 6 min: at 25 deg no pass below 600 km takes longer
MOST_TERMINALS = 20_000_000
SPREAD_M = (
    7_000.0  # terminals lie this near to their cell's centre; a hexagon's inner radius is 8.5
)
PARTS = 16  # of a parallel loop, each with its own histogram
BIN_S, BINS = 2e-5, 30_000  # of RTTs: 0 to 0.6 s, the last bin holds what is above


@dataclass(frozen=True, eq=False)
class CellTerminals:
    """Fixed terminals in service cells, in the order of their cells: T of them."""

    cell_row: RowArray  # (T,) ascending
    place: FloatArray  # (T, 6) ITRF position in m and ellipsoid normal

    def __len__(self) -> int:
        return int(self.cell_row.size)


@dataclass(frozen=True)
class CellSlot:
    """What one slot gave to cells and terminals."""

    slot: int
    cells_served: int
    cells_new: int  # served by another satellite than in the slot before
    cells_by_reason: dict[str, int]  # of those not served
    satellites_serving: int
    most_cells_on_one: int  # satellite
    terminals_served: int
    terminals_below_mask: int  # whose cell is served, by a satellite below their own mask
    rtt_s: dict[str, float]  # p5, p50 and p95 to the PoP and back, to 20 us; NaN where none


@lru_cache(maxsize=1)
def land_cells(count: int) -> Cells:
    """Return the `count` cells nearest the equator whose centre is on land or within 50 km of it.

    There are 663,803 such cells by the shipped boundaries.  Takes half a minute, once.
    """
    everywhere = np.concatenate(
        [h3.cell_to_children(base, CELL_RESOLUTION) for base in h3.get_res0_cells()]
    )
    centre_deg = np.array([h3.cell_to_latlng(index) for index in everywhere.tolist()])
    near = np.array(country_at(centre_deg[:, 0], centre_deg[:, 1])) != ""
    rows = np.flatnonzero(near)
    if not 1 <= count <= rows.size:
        raise InputError(f"{count} cells asked for; pass 1 to {rows.size}, all of the land")
    order = np.lexsort((everywhere[rows], np.abs(centre_deg[rows, 0])))
    return make_cells(everywhere[rows[order[:count]]])


def spread_terminals(cells: Cells, count: int, rng: np.random.Generator) -> CellTerminals:
    """Return `count` terminals on the ellipsoid, as many in each cell as can be, 7 km around it."""
    if not 0 <= count <= MOST_TERMINALS or not len(cells):
        raise InputError(
            f"{count} terminals in {len(cells)} cells; pass 0 to {MOST_TERMINALS} and some cells"
        )
    row = (np.arange(count) * len(cells) // max(count, 1)).astype(np.int32)
    away_rad = SPREAD_M / EARTH_MEAN_RADIUS_M * np.sqrt(rng.random(count))
    bearing = rng.uniform(0.0, 2.0 * np.pi, count)
    lat_deg = cells.lat_deg[row] + np.degrees(away_rad * np.cos(bearing))
    # Beyond the pole the other side begins: geodetic_to_itrf takes such latitudes as they are.
    level = np.maximum(np.cos(np.radians(cells.lat_deg[row])), 1e-3)
    lon_deg = cells.lon_deg[row] + np.degrees(away_rad * np.sin(bearing) / level)
    place = np.hstack(geodetic_to_itrf(lat_deg, lon_deg, np.zeros(count)))
    return CellTerminals(row, place)


def study_cells(
    world: World,
    cells: Cells,
    terminals: CellTerminals,
    rule: CellRule,
    capacity: RowArray,
    *,
    slots: int | None = None,
    is_on: BoolArray | None = None,
) -> Iterator[CellSlot]:
    """Yield what each slot of a world gives to its cells and terminals.

    `capacity` (N,) says how many cells each satellite of the world's fleet can serve, see
    `cell_capacity`, and `is_on` (C,) which cells may have service.  Gateways, laser links and
    feeder links are the world's, everything in order; its own terminals play no part.
    """
    _check(world, capacity)
    records = initialise(world.fleet.catalogue)
    state: CellState | None = None
    stop = world.slots if slots is None else slots
    positions = _positions(world, records, stop, rule)
    for network, sat_itrf_m in zip(networks(world, records, stop), positions, strict=True):
        path_s = satellite_path_s(world, network, sat_itrf_m[0])
        usable_m = np.where(world.fleet.serves[None, :, None], sat_itrf_m, np.nan)
        sky = CellSky(usable_m, path_s, capacity)
        assignment, state = schedule_cells(cells, state, sky, rule, is_on)
        yield _summary(world, network.slot, assignment, terminals, sky, rule)


def satellite_path_s(world: World, network: SlotNetwork, sat_itrf_m: FloatArray) -> FloatArray:
    """Return the least one-way delay from each satellite to the PoP of a gateway, (N,), or inf."""
    edges, feeders = network.edges, network.feeders
    degree = int(np.bincount(edges.ravel(), minlength=1).max(initial=1))
    neighbour = padded_adjacency(edges, len(sat_itrf_m), degree)
    gateway_m, _ = gateway_itrf(world.gateways)
    line_m = sat_itrf_m[feeders.sat] - gateway_m[feeders.gateway]
    feeder_s = np.linalg.norm(line_m, axis=1) / SPEED_OF_LIGHT_M_S
    seed_s = feeder_s + fibre_s(world, -1)[feeders.gateway]
    length_m = padded_lengths_m(neighbour, sat_itrf_m)
    return cheapest_to_ground(neighbour, length_m, feeders.sat, seed_s).cost_s


def _check(world: World, capacity: RowArray) -> None:
    visibility, satellites = world.scenario.visibility, len(world.fleet.catalogue)
    if visibility.mode != "elevation":
        raise InputError(
            f'{world.scenario.source}: visibility.mode = "{visibility.mode}"; cells need '
            '"elevation"'
        )
    if capacity.shape != (satellites,):
        raise InputError(
            f"capacity has shape {capacity.shape}; pass one for each of {satellites} satellites"
        )


def _positions(
    world: World, records: Sgp4Records, stop: int, rule: CellRule
) -> Iterator[FloatArray]:
    """Yield the satellites at each slot's boundaries and as many after it as the rule wants."""
    ahead = LOOK_AHEAD_SLOTS if rule.name == "longest-visible" else 1
    for first in range(0, stop, CHUNK_SLOTS):
        last = min(first + CHUNK_SLOTS, stop)
        grid = world.boundaries(first, last + ahead)
        catalogue, orientation = world.fleet.catalogue, world.orientation
        sat_itrf_m = propagate(catalogue, grid, orientation, records=records).sat_itrf_m
        for k in range(last - first):
            yield sat_itrf_m[k : k + ahead + 1]


def _summary(
    world: World,
    slot: int,
    assignment: CellAssignment,
    terminals: CellTerminals,
    sky: CellSky,
    rule: CellRule,
) -> CellSlot:
    counts = np.bincount(assignment.reason + 1, minlength=len(REASONS) + 1)
    histogram, below = serve_terminals(
        assignment, terminals, sky, rule, world.scenario.delay.processing_s
    )
    return CellSlot(
        slot=slot,
        cells_served=int(counts[SERVED + 1]),
        cells_new=int(assignment.is_new.sum()),
        cells_by_reason={
            str(reason): int(counts[reason.number + 1])
            for reason in REASONS
            if counts[reason.number + 1]
        },
        satellites_serving=int((assignment.load > 0).sum()),
        most_cells_on_one=int(assignment.load.max(initial=0)),
        terminals_served=int(histogram.sum()),
        terminals_below_mask=below,
        rtt_s={f"p{p}": _percentile_s(histogram, p) for p in (5, 50, 95)},
    )


def serve_terminals(
    assignment: CellAssignment,
    terminals: CellTerminals,
    sky: CellSky,
    rule: CellRule,
    processing_s: float,
) -> tuple[IntArray, int]:
    """Return the histogram of the terminals' RTTs, (BINS,), and how many stand below the mask.

    A terminal has the satellite of its cell if that stays above its own mask for the whole slot.
    """
    sine = float(np.sin(np.radians(rule.min_elevation_deg)))
    parts, below = np.zeros((PARTS, BINS), np.int32), np.zeros(PARTS, np.int64)
    with parallel_kernels:
        _serve(
            terminals.cell_row, terminals.place, assignment.sat, sky.sat_itrf_m[:2].copy(),
            sky.path_s, sine, processing_s, parts, below,
        )  # fmt: skip
    return parts.sum(axis=0, dtype=np.int64), int(below.sum())


@kernel(parallel=True)
def _serve(
    cell_row: RowArray, place: FloatArray, cell_sat: RowArray, sat_m: FloatArray,
    path_s: FloatArray, sine: float, processing_s: float,
    histogram: RowArray, below: IntArray,
) -> None:  # fmt: skip
    terminals = cell_row.size
    for part in numba.prange(PARTS):
        missed = 0
        for i in range(terminals * part // PARTS, terminals * (part + 1) // PARTS):
            s = cell_sat[cell_row[i]]
            if s < 0:
                continue
            start_m = _line_m(place, i, sat_m, 0, s, sine)
            if np.isfinite(start_m) and np.isfinite(_line_m(place, i, sat_m, 1, s, sine)):
                rtt_s = 2.0 * (start_m / SPEED_OF_LIGHT_M_S + path_s[s]) + processing_s
                histogram[part, min(int(rtt_s / BIN_S), BINS - 1)] += 1
            else:
                missed += 1
        below[part] = missed


@kernel(inline=True)
def _line_m(place: FloatArray, i: int, sat_m: FloatArray, k: int, s: int, sine: float) -> float:
    """Return the distance to a satellite, inf below the mask."""
    x, y, z = (
        sat_m[k, s, 0] - place[i, 0],
        sat_m[k, s, 1] - place[i, 1],
        sat_m[k, s, 2] - place[i, 2],
    )
    range_m = np.sqrt(x * x + y * y + z * z)
    is_seen = x * place[i, 3] + y * place[i, 4] + z * place[i, 5] >= sine * range_m
    return range_m if is_seen else np.inf


def _percentile_s(histogram: IntArray, percent: int) -> float:
    """Return the middle of the bin that holds a percentile, NaN where there is nothing."""
    total = int(histogram.sum())
    if total == 0:
        return float("nan")
    place = int(np.searchsorted(np.cumsum(histogram), percent / 100.0 * (total - 1), side="right"))
    return (place + 0.5) * BIN_S
