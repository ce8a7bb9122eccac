"""Kernels of `cells`: which cells keep their satellite, and who serves the others.

Cells come in tiles, runs of neighbours, and tiles in regions.  A bound on each says which
satellites can stand in the sky of any of its cells; regions sift all satellites, tiles those of
their region, and cells test those of their tile.  All decisions are made in float64, in the order
of operations that `cells.schedule_cells_plainly` uses, so both give the same bits.

Whatever a parallel kernel writes for one cell or tile depends on nothing that another thread
writes; what passes from cell to cell, the free beams, is counted in the order of the cells.

Throughout, `place` (C, 6) holds where cells lie and their ellipsoid normals, `arc` (C, 5) what
`cells.arc_rows` returns, or (0, 5) where the geostationary arc does not matter, `sat_m` (K, N, 3)
the satellites at the boundaries of this slot and the next ones, `path_s` (N,) their delays to the
PoP, and `limit` the sine of the lowest elevation and the separation from the arc in degrees.
(Arrays, because a tuple of them costs a kernel that asks one question per call 200 ns each time.)
"""

import math

import numba
import numpy as np
from numpy.typing import NDArray

from skyweave.constants import GEO_RADIUS_M, SPEED_OF_LIGHT_M_S
from skyweave.kernels import kernel
from skyweave.twin.geometry.gso import nearest_on_circle

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]

PARTS = 64  # of a parallel loop
ARC_STEPS = 16  # of the scan for the nearest point of the visible geostationary arc
HIGHEST, SHORTEST, LONGEST = 0, 1, 2  # rules by number
UNSEEN, SEEN, CLEAR, CONNECTED = 0, 1, 2, 3  # how near a cell's best satellite comes to serving
ROUNDING = 1e-6  # of the cosines that sift satellites, taken wide: it costs nothing
SURELY = 1e-12  # how far beyond a cosine's limit rounding cannot reach


# --- which satellites a tile can see at all -----------------------------------------------------


@kernel()
def cones(
    sat_m: FloatArray, lowest_m: float, cosine: float, sine: float
) -> tuple[RowArray, FloatArray]:
    """Return the satellites known at both ends of the slot, and from where each can be seen.

    Rows of the second, (N, 5), hold the direction of a satellite from the Earth's centre, and
    cosine and sine of the angle around it within which a place `lowest_m` from the centre has it
    above the elevation of that cosine and sine.
    """
    satellites = sat_m.shape[1]
    known, cone = np.empty(satellites, np.int32), np.zeros((satellites, 5))
    count = 0
    for s in range(satellites):
        x, y, z = sat_m[0, s, 0], sat_m[0, s, 1], sat_m[0, s, 2]
        radius_m = math.sqrt(x * x + y * y + z * z)
        end_m = abs(sat_m[1, s, 0]) + abs(sat_m[1, s, 1]) + abs(sat_m[1, s, 2])
        if radius_m < np.inf and end_m < np.inf and radius_m > 0.0:
            known[count] = s
            count += 1
            # In the triangle of centre, place and satellite, the angle at the satellite has this
            # sine; the angle at the centre is what the other two leave.
            nadir = min(lowest_m / radius_m * cosine, 1.0)
            away = math.sqrt(1.0 - nadir * nadir)
            cone[s, 0], cone[s, 1], cone[s, 2] = x / radius_m, y / radius_m, z / radius_m
            cone[s, 3], cone[s, 4] = nadir * cosine + away * sine, away * cosine - nadir * sine
            if cone[s, 4] < 0.0:
                cone[s, 3], cone[s, 4] = 1.0, 0.0
    return known[:count].copy(), cone


@kernel()
def sift(
    bound: FloatArray,
    parent: IntArray,
    parent_start: IntArray,
    parent_sat: RowArray,
    cone: FloatArray,
    wanted: BoolArray,
) -> tuple[IntArray, RowArray]:
    """Return the satellites seen from anywhere within each bound, in its parent's order (CSR).

    `bound` (B, 5) and `cone` (N, 5) hold a direction and the cosine and sine of the angle around
    it.  Bounds that are not `wanted` get none.
    """
    start = np.zeros(bound.shape[0] + 1, np.int64)
    sat = np.empty(max(16, 2 * parent_sat.size), np.int32)
    used = 0
    for b in range(bound.shape[0]):
        if wanted[b]:
            first, stop = parent_start[parent[b]], parent_start[parent[b] + 1]
            if used + stop - first > sat.size:
                larger = np.empty(2 * sat.size, np.int32)
                larger[:used] = sat[:used]
                sat = larger
            x, y, z, cosine, sine = bound[b, 0], bound[b, 1], bound[b, 2], bound[b, 3], bound[b, 4]
            for p in range(first, stop):
                s = parent_sat[p]
                along = x * cone[s, 0] + y * cone[s, 1] + z * cone[s, 2]
                sat[used] = s
                used += along >= cosine * cone[s, 3] - sine * cone[s, 4] - ROUNDING
        start[b + 1] = used
    return start, sat[:used].copy()


# --- what one cell sees -------------------------------------------------------------------------


@kernel()
def _is_seen(place: FloatArray, i: int, sat_m: FloatArray, k: int, s: int, sine: float) -> bool:
    """Tell whether satellite s stands above the mask of cell i at boundary k; not so at NaN."""
    x, y, z = (
        sat_m[k, s, 0] - place[i, 0],
        sat_m[k, s, 1] - place[i, 1],
        sat_m[k, s, 2] - place[i, 2],
    )
    up_m = x * place[i, 3] + y * place[i, 4] + z * place[i, 5]
    return up_m >= sine * math.sqrt(x * x + y * y + z * z)  # type: ignore[no-any-return]


@kernel()
def _is_clear(
    place: FloatArray, i: int, arc: FloatArray, sat_m: FloatArray, k: int, s: int, apart_deg: float
) -> bool:
    """Tell whether satellite s stands far enough from the arc that cell i sees at boundary k.

    The line to a satellite is no nearer to the arc than the difference of their declinations, and
    no farther than the arc's point of the same hour angle.  That settles all but a few cases; those
    are found as in `geometry.gso`.
    """
    px, py, pz = place[i, 0], place[i, 1], place[i, 2]
    x, y, z = sat_m[k, s, 0] - px, sat_m[k, s, 1] - py, sat_m[k, s, 2] - pz
    range_m = math.sqrt(x * x + y * y + z * z)
    s2 = z / range_m
    if s2 < arc[i, 0] or s2 > arc[i, 1]:
        return True
    # From here on in the cell's meridian axes: towards its meridian on the equator, east, north.
    level = math.sqrt(place[i, 3] * place[i, 3] + place[i, 4] * place[i, 4])
    cos_lon, sin_lon = place[i, 3] / level, place[i, 4] / level
    s0, s1 = (cos_lon * x + sin_lon * y) / range_m, (cos_lon * y - sin_lon * x) / range_m
    g0, g1 = (
        (cos_lon * px + sin_lon * py) / GEO_RADIUS_M,
        (cos_lon * py - sin_lon * px) / GEO_RADIUS_M,
    )
    g2 = pz / GEO_RADIUS_M
    across = math.sqrt(s0 * s0 + s1 * s1)
    if across > 0.0:
        along = (g0 * s0 + g1 * s1) / across
        away = math.sqrt(along * along + 1.0 - g0 * g0 - g1 * g1) - along
        c, sn = g0 + away * s0 / across, g1 + away * s1 / across
        near = _cosine(s0, s1, s2, g0, g1, g2, c, sn)
        if c > arc[i, 2] and near > math.cos(math.radians(apart_deg)) + SURELY:
            return False
    cos_end, cos_step, sin_step = arc[i, 2], arc[i, 3], arc[i, 4]
    return _separation_deg(s0, s1, s2, g0, g1, g2, cos_end, cos_step, sin_step) >= apart_deg


@kernel()
def _separation_deg(
    s0: float, s1: float, s2: float, g0: float, g1: float, g2: float,
    cos_end: float, cos_step: float, sin_step: float,
) -> float:  # fmt: skip
    """Return the angle from direction s to the arc as seen from g, all in the cell's meridian axes.

    The arc is scanned step by step; each nearest point among them is then refined.
    """
    c, sn = cos_end, -math.sqrt(max(0.0, 1.0 - cos_end * cos_end))
    least_rad, before, here = math.pi, -2.0, _cosine(s0, s1, s2, g0, g1, g2, c, sn)
    for step in range(ARC_STEPS + 1):
        c_next, sn_next = c * cos_step - sn * sin_step, sn * cos_step + c * sin_step
        after = -2.0
        if step < ARC_STEPS:
            after = _cosine(s0, s1, s2, g0, g1, g2, c_next, sn_next)
        if here >= before and here > after:
            c_best, sn_best = nearest_on_circle(s0, s1, s2, g0, g1, g2, c, sn)
            if c_best < cos_end:  # it has set: the end of the visible arc is the nearest
                c_best, sn_best = c, sn
            a0, a1, a2 = c_best - g0, sn_best - g1, -g2
            c0, c1, c2 = s1 * a2 - s2 * a1, s2 * a0 - s0 * a2, s0 * a1 - s1 * a0
            off = math.sqrt(c0 * c0 + c1 * c1 + c2 * c2)
            least_rad = min(least_rad, math.atan2(off, s0 * a0 + s1 * a1 + s2 * a2))
        c, sn, before, here = c_next, sn_next, here, after
    return math.degrees(least_rad)


@kernel()
def _cosine(
    s0: float, s1: float, s2: float, g0: float, g1: float, g2: float, c: float, sn: float
) -> float:
    """Return the cosine of the angle at g between direction s and a point of the unit circle."""
    a0, a1, a2 = c - g0, sn - g1, -g2
    return (s0 * a0 + s1 * a1 + s2 * a2) / math.sqrt(a0 * a0 + a1 * a1 + a2 * a2)


# --- holding on ---------------------------------------------------------------------------------


@kernel(parallel=True)
def hold(
    place: FloatArray,
    arc: FloatArray,
    sat_m: FloatArray,
    path_s: FloatArray,
    limit: tuple[float, float],
    is_on: BoolArray,
    serving: RowArray,
) -> None:
    """Let go of satellites that no longer serve their cells for a whole slot, in `serving` (C,)."""
    cells = serving.size
    sine, apart_deg = limit
    no_arc = arc.shape[0] == 0
    for part in numba.prange(PARTS):
        for i in range(cells * part // PARTS, cells * (part + 1) // PARTS):
            s = serving[i]
            if s >= 0 and not (
                is_on[i]
                and path_s[s] < np.inf
                and _is_seen(place, i, sat_m, 0, s, sine)
                and _is_seen(place, i, sat_m, 1, s, sine)
                and (no_arc or _is_clear(place, i, arc, sat_m, 0, s, apart_deg))
                and (no_arc or _is_clear(place, i, arc, sat_m, 1, s, apart_deg))
            ):
                serving[i] = -1


@kernel()
def count_beams(serving: RowArray, free: RowArray) -> None:
    """Take the held cells' shares from `free` (N,); in order, those beyond it are let go."""
    for i in range(serving.size):
        s = serving[i]
        if s >= 0:
            if free[s] > 0:
                free[s] -= 1
            else:
                serving[i] = -1


@kernel()
def waiting_tiles(serving: RowArray, is_on: BoolArray, tile_start: IntArray) -> BoolArray:
    """Return which tiles have a cell that is on and has no satellite."""
    wanted = np.zeros(tile_start.size - 1, np.bool_)
    for t in range(wanted.size):
        for i in range(tile_start[t], tile_start[t + 1]):
            if serving[i] < 0 and is_on[i]:
                wanted[t] = True
                break
    return wanted


# --- new satellites -----------------------------------------------------------------------------


@kernel()
def fill_beams(
    rule: int,
    place: FloatArray,
    arc: FloatArray,
    sat_m: FloatArray,
    path_s: FloatArray,
    limit: tuple[float, float],
    is_on: BoolArray,
    tile_start: IntArray,
    start: IntArray,
    sat: RowArray,
    free: RowArray,
    serving: RowArray,
) -> None:
    """Give each waiting cell, in order, its best satellite with a free share of a beam.

    Tile t can see `sat[start[t] : start[t + 1]]`.  `free` (N,) and `serving` (C,) are updated.
    """
    most = 1
    for t in range(tile_start.size - 1):
        most = max(most, start[t + 1] - start[t])
    here, near = np.empty(most, np.int32), np.empty((4, most))
    up_m, range_m = np.empty(most), np.empty(most)
    for t in range(tile_start.size - 1):
        count = _gather(sat_m, path_s, start[t], start[t + 1], sat, free, here, near)
        for i in range(tile_start[t], tile_start[t + 1]):
            if count == 0:
                break
            if serving[i] >= 0 or not is_on[i]:
                continue
            _look(place, i, near, count, up_m, range_m)
            if rule == LONGEST:
                best = _longest(place, i, arc, sat_m, limit, here, count, up_m, range_m)
            else:
                best = _highest(
                    rule, place, i, arc, sat_m, limit, here, near[3], count, up_m, range_m
                )
            if best >= 0:
                s = here[best]
                serving[i] = s
                free[s] -= 1
                if free[s] == 0:
                    count = _remove(best, count, here, near)


@kernel()
def _gather(
    sat_m: FloatArray, path_s: FloatArray, first: int, stop: int, sat: RowArray, free: RowArray,
    here: RowArray, near: FloatArray,
) -> int:  # fmt: skip
    """Put the satellites that can take a cell side by side: rows, x, y, z and path; count them."""
    count = 0
    for p in range(first, stop):
        s = sat[p]
        if free[s] > 0 and path_s[s] < np.inf:
            here[count] = s
            near[0, count], near[1, count] = sat_m[0, s, 0], sat_m[0, s, 1]
            near[2, count], near[3, count] = sat_m[0, s, 2], path_s[s]
            count += 1
    return count


@kernel()
def _remove(at: int, count: int, here: RowArray, near: FloatArray) -> int:
    """Close the gap that a satellite leaves, so that the others stay in order."""
    for j in range(at, count - 1):
        here[j] = here[j + 1]
        for axis in range(4):
            near[axis, j] = near[axis, j + 1]
    return count - 1


@kernel(inline=True)
def _look(
    place: FloatArray, i: int, near: FloatArray, count: int, up_m: FloatArray, range_m: FloatArray
) -> None:
    px, py, pz = place[i, 0], place[i, 1], place[i, 2]
    ux, uy, uz = place[i, 3], place[i, 4], place[i, 5]
    for j in range(count):
        x, y, z = near[0, j] - px, near[1, j] - py, near[2, j] - pz
        up_m[j] = x * ux + y * uy + z * uz
        range_m[j] = math.sqrt(x * x + y * y + z * z)


@kernel(inline=True)
def _highest(
    rule: int, place: FloatArray, i: int, arc: FloatArray, sat_m: FloatArray,
    limit: tuple[float, float], here: RowArray, path_s: FloatArray, count: int,
    up_m: FloatArray, range_m: FloatArray,
) -> int:  # fmt: skip
    """Return the satellite of highest score that serves the whole slot, the first of equals."""
    sine, apart_deg = limit
    no_arc = arc.shape[0] == 0
    best, best_score = -1, -np.inf
    for j in range(count):
        if up_m[j] >= sine * range_m[j]:
            score = up_m[j] / range_m[j]
            if rule == SHORTEST:
                score = -(range_m[j] / SPEED_OF_LIGHT_M_S + path_s[j])
            # Only what would be the best so far is worth the other questions.
            if (
                score > best_score
                and _is_seen(place, i, sat_m, 1, here[j], sine)
                and (no_arc or _is_clear(place, i, arc, sat_m, 0, here[j], apart_deg))
                and (no_arc or _is_clear(place, i, arc, sat_m, 1, here[j], apart_deg))
            ):
                best, best_score = j, score
    return best


@kernel(inline=True)
def _longest(
    place: FloatArray, i: int, arc: FloatArray, sat_m: FloatArray, limit: tuple[float, float],
    here: RowArray, count: int, up_m: FloatArray, range_m: FloatArray,
) -> int:  # fmt: skip
    """Return the satellite that stays for most whole slots, the first of equals."""
    sine, apart_deg = limit
    no_arc = arc.shape[0] == 0
    best, longest, horizon = -1, 0, sat_m.shape[0] - 1
    for j in range(count):
        if longest == horizon:
            break
        s = here[j]
        if (
            up_m[j] >= sine * range_m[j]
            and _is_seen(place, i, sat_m, longest + 1, s, sine)  # or it leaves too early
            and (no_arc or _is_clear(place, i, arc, sat_m, 0, s, apart_deg))
        ):
            left = 0
            while left < horizon and (
                _is_seen(place, i, sat_m, left + 1, s, sine)
                and (no_arc or _is_clear(place, i, arc, sat_m, left + 1, s, apart_deg))
            ):
                left += 1
            if left > longest:
                best, longest = j, left
    return best


# --- why not ------------------------------------------------------------------------------------


@kernel(parallel=True)
def explain(
    place: FloatArray,
    arc: FloatArray,
    sat_m: FloatArray,
    path_s: FloatArray,
    limit: tuple[float, float],
    is_on: BoolArray,
    tile_start: IntArray,
    start: IntArray,
    sat: RowArray,
    serving: RowArray,
    cause: NDArray[np.int16],
    reason: NDArray[np.int16],
) -> None:
    """Tell why cells that are on have no satellite, in `reason` (C,).

    `cause` (4,) names what is wrong when the best of the satellites is UNSEEN to CONNECTED.
    """
    tiles = tile_start.size - 1
    for part in numba.prange(PARTS):
        for t in range(tiles * part // PARTS, tiles * (part + 1) // PARTS):
            first, stop, last = start[t], start[t + 1], start[t]
            for i in range(tile_start[t], tile_start[t + 1]):
                if serving[i] < 0 and is_on[i]:
                    # What lacked only a beam for one cell most likely does for the next.
                    nearest, last = _nearest(
                        place, i, arc, sat_m, path_s, limit, first, stop, last, sat
                    )
                    reason[i] = cause[nearest]


@kernel(inline=True)
def _nearest(
    place: FloatArray, i: int, arc: FloatArray, sat_m: FloatArray, path_s: FloatArray,
    limit: tuple[float, float], first: int, stop: int, begin: int, sat: RowArray,
) -> tuple[int, int]:  # fmt: skip
    """Return how near cell i comes to service, and which of its satellites comes nearest.

    The search goes from `begin` once around; the order changes nothing of the first.
    """
    sine, apart_deg = limit
    no_arc = arc.shape[0] == 0
    nearest, at, p = UNSEEN, begin, begin
    for _ in range(first, stop):
        s = sat[p]
        if _is_seen(place, i, sat_m, 0, s, sine) and _is_seen(place, i, sat_m, 1, s, sine):
            level = SEEN
            if no_arc or (
                _is_clear(place, i, arc, sat_m, 0, s, apart_deg)
                and _is_clear(place, i, arc, sat_m, 1, s, apart_deg)
            ):
                level = CONNECTED if path_s[s] < np.inf else CLEAR
            if level > nearest:
                nearest, at = level, p
            if nearest == CONNECTED:
                break
        p = p + 1 if p + 1 < stop else first
    return nearest, at
