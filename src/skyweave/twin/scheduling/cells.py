"""The scheduler over service cells: hundreds of thousands of H3 cells, slot by slot.

A cell keeps its satellite as long as that can serve it: above the mask at both ends of the slot,
clear of the geostationary arc, connected to a gateway, within its beams.  The others get, cell by
cell in the order of their H3 indices, the best satellite by the rule that has a beam free.  Nobody
is moved to make room, so a cell may go without a beam although another assignment would serve it;
`beams` and `optimum` say what that costs on small instances.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import h3.api.numpy_int as h3
import numpy as np
from numpy.typing import NDArray

from skyweave.constants import GEO_RADIUS_M, SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf
from skyweave.kernels import parallel_kernels
from skyweave.policy.reasons import SERVED, Reason
from skyweave.twin.geometry import gso_separation_deg
from skyweave.twin.scheduling import _cell_kernels as kernels
from skyweave.twin.scheduling.beams import BeamLimits

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
CellArray = NDArray[np.uint64]

CELL_RESOLUTION = 5  # of H3: 253 km2 on average, a radius of about 10 km
MOST_CELLS = 2_100_000  # H3 has 2,016,842 cells of this resolution

RULES = {
    "highest-elevation": kernels.HIGHEST,
    "shortest-path": kernels.SHORTEST,
    "longest-visible": kernels.LONGEST,
}

CAUSES = np.array(  # in the order of the kernels' UNSEEN, SEEN, CLEAR, CONNECTED
    [
        Reason.NO_SATELLITE_IN_VIEW.number,
        Reason.GSO_ARC.number,
        Reason.NO_GATEWAY_PATH.number,
        Reason.NO_BEAM_FREE.number,
    ],
    dtype=np.int16,
)

_REGION_SHIFT = 45  # of an H3 index: what is left names the base cell
_TILE_SHIFT = 39  # and here its descendant of resolution 2, with 343 cells of resolution 5
_VERTICAL_DEG = 0.2  # the ellipsoid's normal leans at most 0.193 deg from the geocentric vertical


@dataclass(frozen=True, eq=False)
class Cells:
    """Service cells in order of their H3 index, C of them, in B tiles of R regions."""

    cell: CellArray  # (C,) ascending
    lat_deg: FloatArray  # (C,) of the centres
    lon_deg: FloatArray  # (C,)
    place: FloatArray  # (C, 6) the centres on the ellipsoid, ITRF in m, and its normals there
    lowest_m: float  # least distance of a centre from the Earth's own
    tile_start: IntArray  # (B + 1,) cells of tile b are tile_start[b] .. tile_start[b + 1]
    tile_region: IntArray  # (B,) the region of each tile
    tile_bound: FloatArray  # (B, 5) see `_bounds`
    region_bound: FloatArray  # (R, 5)

    def __len__(self) -> int:
        return int(self.cell.size)

    @property
    def site_itrf_m(self) -> FloatArray:
        """The centres, (C, 3)."""
        return self.place[:, :3]

    @property
    def up_itrf(self) -> FloatArray:
        """The ellipsoid's normals there, (C, 3)."""
        return self.place[:, 3:]


@dataclass(frozen=True, eq=False)
class CellSky:
    """What N satellites offer in one slot."""

    sat_itrf_m: FloatArray  # (K, N, 3) at the slot's boundaries and those after it; NaN = no use
    path_s: FloatArray  # (N,) one-way delay to the PoP, inf where there is no path
    capacity: RowArray  # (N,) cells each can serve, see `cell_capacity`


@dataclass(frozen=True)
class CellRule:
    """What cells demand of a satellite, and which of several they take.

    "longest-visible" looks as far ahead as `CellSky` has boundaries; equals go to the lower row.
    """

    name: str = "longest-visible"
    min_elevation_deg: float = 25.0
    gso_separation_deg: float = 0.0

    def __post_init__(self) -> None:
        if self.name not in RULES:
            raise InputError(
                f'rule = "{self.name[:60]}" is unknown for cells; use {", ".join(RULES)}'
            )
        for name in ("min_elevation_deg", "gso_separation_deg"):
            value = getattr(self, name)
            if not 0.0 <= value <= 90.0:
                raise InputError(f"{name} = {value} is outside 0..90 deg; use 25 and 18, say")


@dataclass(frozen=True, eq=False)
class CellState:
    """What the next slot's assignment depends on."""

    sat: RowArray  # (C,) satellite row of each cell, -1 = none


@dataclass(frozen=True, eq=False)
class CellAssignment:
    """Who serves each cell in one slot."""

    sat: RowArray  # (C,) satellite row, -1 = none
    reason: NDArray[np.int16]  # (C,) why none, SERVED where there is one
    is_new: BoolArray  # (C,) served by another satellite than in the slot before
    load: RowArray  # (N,) cells that each satellite serves


def cell_capacity(limits: BeamLimits, cells_per_beam: int = 1) -> RowArray:
    """Return how many cells each satellite can serve, (N,).

    A cell takes one down beam and its share of an up beam; with `cells_per_beam` above 1 that many
    cells take turns on each beam.
    """
    fewest = min(limits.down.min(initial=0), limits.up.min(initial=0))
    if limits.down.shape != limits.up.shape or fewest < 0 or not 1 <= cells_per_beam <= 1000:
        raise InputError(
            f"{limits.down.shape} down and {limits.up.shape} up beams from {fewest} on, "
            f"{cells_per_beam} cells a beam; pass one count of 0 or more for each satellite and 1 "
            "to 1000 cells a beam"
        )
    return np.asarray(limits.links * cells_per_beam, dtype=np.int32)


def make_cells(cell: CellArray) -> Cells:
    """Return the service cells of H3 indices (C,) of resolution 5, in ascending order."""
    cell = np.unique(np.asarray(cell, dtype=np.uint64))
    if cell.size > MOST_CELLS:
        raise InputError(f"{cell.size} cells; pass at most {MOST_CELLS}")
    for index in cell.tolist():
        if not h3.is_valid_cell(index) or h3.get_resolution(index) != CELL_RESOLUTION:
            raise InputError(
                f"{index:x} is no H3 cell of resolution {CELL_RESOLUTION}; "
                "make them with h3.latlng_to_cell(lat, lon, 5)"
            )
    centre_deg = np.array([h3.cell_to_latlng(index) for index in cell.tolist()]).reshape(-1, 2)
    site_m, up = geodetic_to_itrf(centre_deg[:, 0], centre_deg[:, 1], np.zeros(cell.size))
    tile_start = _runs(cell >> np.uint64(_TILE_SHIFT))
    region_start = _runs(cell >> np.uint64(_REGION_SHIFT))
    tile_region = np.searchsorted(region_start, tile_start[:-1], side="right") - 1
    return Cells(
        cell=cell,
        lat_deg=centre_deg[:, 0].copy(),
        lon_deg=centre_deg[:, 1].copy(),
        place=np.hstack((site_m, up)),
        lowest_m=float(np.linalg.norm(site_m, axis=1).min(initial=np.inf)),
        tile_start=tile_start,
        tile_region=np.asarray(tile_region, dtype=np.int64),
        tile_bound=_bounds(site_m, tile_start),
        region_bound=_bounds(site_m, region_start),
    )


def _runs(key: CellArray) -> IntArray:
    """Return where each run of equal keys begins, and the end."""
    change = np.flatnonzero(key[1:] != key[:-1]) + 1
    return np.array([0, *change, key.size] if key.size else [0], dtype=np.int64)


def _bounds(site_m: FloatArray, start: IntArray) -> FloatArray:
    """Return a cone from the Earth's centre around each run of cells, (B, 5).

    Its axis, and the cosine and sine of the angle between the axis and its outermost cell.
    """
    if start.size == 1:
        return np.empty((0, 5))
    unit = site_m / np.linalg.norm(site_m, axis=1, keepdims=True)
    axis = np.add.reduceat(unit, start[:-1])
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    chord = np.linalg.norm(unit - np.repeat(axis, np.diff(start), axis=0), axis=1)
    angle = 2.0 * np.arcsin(np.maximum.reduceat(chord, start[:-1]) / 2.0)
    return np.column_stack((axis, np.cos(angle), np.sin(angle)))


def schedule_cells(
    cells: Cells,
    state: CellState | None,
    sky: CellSky,
    rule: CellRule,
    is_on: BoolArray | None = None,
) -> tuple[CellAssignment, CellState]:
    """Return who serves each cell in a slot, and the state to pass with the next slot.

    `state` is None at the start.  Cells that `is_on` (C,) leaves out, by policy or for want of
    demand, get nothing.  The answer is the same for any number of threads.
    """
    is_on = _checked(cells, state, sky, is_on)
    serving = np.full(len(cells), -1, np.int32) if state is None else state.sat.copy()
    free, reason = sky.capacity.copy(), np.full(len(cells), SERVED, np.int16)
    view = _view(cells, sky, rule)
    with parallel_kernels:
        kernels.hold(*view, is_on, serving)
        kernels.count_beams(serving, free)
        start, sat = _within_reach(cells, view.sat_m, rule, serving, is_on)
        kernels.fill_beams(
            RULES[rule.name], *view, is_on, cells.tile_start, start, sat, free, serving
        )
        kernels.explain(*view, is_on, cells.tile_start, start, sat, serving, CAUSES, reason)
    return _assignment(state, sky, is_on, serving, free, reason)


def schedule_cells_plainly(
    cells: Cells,
    state: CellState | None,
    sky: CellSky,
    rule: CellRule,
    is_on: BoolArray | None = None,
) -> tuple[CellAssignment, CellState]:
    """Return what `schedule_cells` returns, by its words: its plain reference."""
    is_on = _checked(cells, state, sky, is_on)
    free, reason = sky.capacity.copy(), np.full(len(cells), SERVED, np.int16)
    serving = np.full(len(cells), -1, np.int32)
    connected = np.isfinite(sky.path_s)
    if state is not None:
        held = np.flatnonzero((state.sat >= 0) & is_on)
        held = held[connected[state.sat[held]]]
        for boundary_m in sky.sat_itrf_m[:2]:
            held = held[np.all(_admits(cells, held, state.sat[held], boundary_m, rule), axis=0)]
        for i in held.tolist():
            if free[state.sat[i]] > 0:
                serving[i] = state.sat[i]
                free[serving[i]] -= 1
    for i in np.flatnonzero((serving < 0) & is_on).tolist():
        sat = np.flatnonzero(np.isfinite(sky.sat_itrf_m[:2]).all(axis=(0, 2)))
        here = np.full(sat.size, i)
        first, last = (_admits(cells, here, sat, sky.sat_itrf_m[k], rule) for k in range(2))
        seen, clear = first[0] & last[0], first[0] & last[0] & first[1] & last[1]
        ready = sat[clear & connected[sat]]
        nearest = int(seen.any()) + int(clear.any()) + int(ready.size > 0)
        ready = ready[free[ready] > 0]
        if ready.size:
            best = ready[np.argmax(_scores(cells, i, ready, sky, rule))]  # the first of equals
            serving[i] = best
            free[best] -= 1
        else:
            reason[i] = CAUSES[nearest]
    return _assignment(state, sky, is_on, serving, free, reason)


def _admits(
    cells: Cells, row: IntArray, sat: NDArray[np.integer], sat_m: FloatArray, rule: CellRule
) -> tuple[BoolArray, BoolArray]:
    """Return which pairs of cell and satellite are above the mask, and which clear of the arc."""
    up_m, range_m = _look(cells, row, sat_m[sat])
    seen: BoolArray = up_m >= np.sin(np.radians(rule.min_elevation_deg)) * range_m
    clear = np.ones(seen.size, dtype=np.bool_)
    if rule.gso_separation_deg > 0.0:
        pair = np.flatnonzero(seen)  # what is not seen has no need to be clear
        site, own = np.unique(row[pair], return_inverse=True)
        separation_deg = gso_separation_deg(
            cells.site_itrf_m[site], cells.up_itrf[site], sat_m, own.astype(np.int32),
            sat[pair].astype(np.int32),
        )  # fmt: skip
        clear[pair] = separation_deg >= rule.gso_separation_deg
    return seen, clear


def _look(cells: Cells, row: IntArray, sat_m: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return how far each satellite is above its cell's horizon, and how far away."""
    x, y, z = (sat_m - cells.site_itrf_m[row]).T
    ux, uy, uz = cells.up_itrf[row].T
    return x * ux + y * uy + z * uz, np.sqrt(x * x + y * y + z * z)


def _scores(cells: Cells, i: int, sat: IntArray, sky: CellSky, rule: CellRule) -> FloatArray:
    here = np.full(sat.size, i)
    up_m, range_m = _look(cells, here, sky.sat_itrf_m[0, sat])
    if rule.name == "highest-elevation":
        return up_m / range_m
    if rule.name == "shortest-path":
        return -(range_m / SPEED_OF_LIGHT_M_S + sky.path_s[sat])
    stays, slots = np.ones(sat.size, dtype=np.bool_), np.zeros(sat.size)
    for boundary_m in sky.sat_itrf_m[1:]:
        stays &= np.all(_admits(cells, here, sat, boundary_m, rule), axis=0)
        slots += stays
    return slots


def _checked(
    cells: Cells, state: CellState | None, sky: CellSky, is_on: BoolArray | None
) -> BoolArray:
    """Return which cells are on; refuse what would make a kernel read outside its arrays."""
    boundaries, satellites = sky.sat_itrf_m.shape[0], sky.path_s.size
    if sky.sat_itrf_m.shape != (boundaries, satellites, 3) or boundaries < 2:
        raise InputError(
            f"sat_itrf_m has shape {sky.sat_itrf_m.shape} for {satellites} satellites; pass (K, N, "
            "3) with both ends of the slot and what lies ahead"
        )
    if sky.capacity.shape != (satellites,) or sky.capacity.min(initial=0) < 0:
        raise InputError(
            f"capacity has shape {sky.capacity.shape} for {satellites} satellites; pass a count of "
            "0 or more for each, from cell_capacity"
        )
    if state is not None and (
        state.sat.shape != (len(cells),) or state.sat.max(initial=-1) >= satellites
    ):
        raise InputError(
            f"the state holds {state.sat.size} cells up to satellite row "
            f"{state.sat.max(initial=-1)}, expected {len(cells)} cells and rows below {satellites};"
            " pass the state of the same cells and satellites"
        )
    if is_on is None:
        return np.ones(len(cells), dtype=np.bool_)
    if is_on.shape != (len(cells),):
        raise InputError(f"is_on has shape {is_on.shape}; pass one for each of {len(cells)} cells")
    return is_on


class _View(NamedTuple):
    """What the kernels are told of a slot; see there."""

    place: FloatArray  # (C, 6)
    arc: FloatArray  # (C, 5) or (0, 5)
    sat_m: FloatArray  # (K, N, 3)
    path_s: FloatArray  # (N,)
    limit: tuple[float, float]  # sine of the lowest elevation, separation in deg


def _view(cells: Cells, sky: CellSky, rule: CellRule) -> _View:
    arc = np.empty((0, 5))
    if rule.gso_separation_deg > 0.0:
        arc = arc_rows(cells, rule.gso_separation_deg)
    boundaries = len(sky.sat_itrf_m) if rule.name == "longest-visible" else 2
    sat_m = np.ascontiguousarray(sky.sat_itrf_m[:boundaries])
    sine = float(np.sin(np.radians(rule.min_elevation_deg)))
    return _View(cells.place, arc, sat_m, sky.path_s, (sine, rule.gso_separation_deg))


@lru_cache(maxsize=2)
def arc_rows(cells: Cells, separation_deg: float) -> FloatArray:
    """Return what tells whether a satellite is clear of the geostationary arc, (C, 5).

    A direction whose component along the Earth's axis is below the first value, or above the
    second, is clear of the arc by `separation_deg`: declinations alone say so.  Then the cosine of
    the longitude, from the cell's meridian, at which the arc sets, and cosine and sine of a
    sixteenth of the way between its ends.  Where the arc never rises everything is clear.
    """
    up, site = cells.up_itrf, cells.site_itrf_m / GEO_RADIUS_M
    level, away = np.hypot(up[:, 0], up[:, 1]), np.hypot(site[:, 0], site[:, 1])
    with np.errstate(divide="ignore"):
        cos_end = (away * level + site[:, 2] * up[:, 2]) / level
    rises = cos_end < 1.0
    end = np.arccos(np.where(rises, cos_end, 1.0))
    axial = site[:, 2]
    declination = np.stack(
        [
            -np.arcsin(axial / np.sqrt(1.0 + away**2 - 2.0 * away * cosine + axial**2))
            for cosine in (1.0, np.cos(end))
        ]
    )
    margin = np.radians(separation_deg) + 1e-9
    low, high = declination.min(axis=0) - margin, declination.max(axis=0) + margin
    low = np.where(low > -np.pi / 2, np.sin(np.maximum(low, -np.pi / 2)), -2.0)
    high = np.where(high < np.pi / 2, np.sin(np.minimum(high, np.pi / 2)), 2.0)
    step = 2.0 * end / kernels.ARC_STEPS
    low = np.where(rises, low, 2.0)
    return np.column_stack((low, high, np.where(rises, cos_end, 1.0), np.cos(step), np.sin(step)))


def _within_reach(
    cells: Cells, sat_m: FloatArray, rule: CellRule, serving: RowArray, is_on: BoolArray
) -> tuple[IntArray, RowArray]:
    """Return the satellites that cells of each tile may see, for tiles where one waits (CSR).

    It takes the lowest cell, with its vertical as slanted as it can be: wide enough for all.
    """
    elevation = np.radians(rule.min_elevation_deg - _VERTICAL_DEG)
    known, cone = kernels.cones(sat_m, cells.lowest_m, np.cos(elevation), np.sin(elevation))
    wanted = kernels.waiting_tiles(serving, is_on, cells.tile_start)
    regions = len(cells.region_bound)
    region_wanted = np.zeros(regions, dtype=np.bool_)
    region_wanted[cells.tile_region[wanted]] = True
    one, all_of_them = np.zeros(regions, np.int64), np.array([0, known.size])
    start, sat = kernels.sift(cells.region_bound, one, all_of_them, known, cone, region_wanted)
    return kernels.sift(cells.tile_bound, cells.tile_region, start, sat, cone, wanted)


def _assignment(
    state: CellState | None,
    sky: CellSky,
    is_on: BoolArray,
    serving: RowArray,
    free: RowArray,
    reason: NDArray[np.int16],
) -> tuple[CellAssignment, CellState]:
    reason[~is_on] = Reason.CELL_IS_DISABLED.number
    is_new = serving >= 0 if state is None else (serving >= 0) & (serving != state.sat)
    return CellAssignment(serving, reason, is_new, sky.capacity - free), CellState(serving)
