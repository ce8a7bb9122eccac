"""The spatial index of `visible_pairs`: satellites descend through tiles of sites.

Every site is a sky: a place, an axis, and a demand on the line from the place to a satellite,

    axis . line + reach_m >= sine * |line|

An elevation mask has the vertical as its axis, the sine of its lowest elevation and no reach; a
range mask has no axis, a sine of 1 and its longest range as reach.  Sites are sorted into tiles of
a cube drawn around the Earth, and each tile is bounded by a sky of the same form that holds the
skies of all its sites.  So are the tiles of tiles above it.  From the root down, each tile tests
only the satellites that its parent's sky holds, and the last step tests the sites themselves.
Rows stay in ascending order all the way.

The test runs in float32 on positions relative to a site nearby, sixteen satellites at a time, with
a bound on its rounding error.  Where that bound leaves a site's answer open (2 tests in 100,000 at
25 deg, 1 in 100 at the horizon), it is found again in float64, and so the pairs are those of
float64 throughout, whatever the machine.
"""

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from skyweave.kernels import kernel, parallel_kernels

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]

LANES = 16  # satellites tested by one instruction, where the machine has AVX-512
SITES_OF_LEVEL_0 = 26  # measured: each level finer pays with about 8 times as many sites
FINEST_LEVEL = 8  # tiles of about 0.35 deg
PARTS = 64  # of a parallel loop, each with its own scratch arrays
PARALLEL_FROM_PAIRS = 2e8  # sites times satellites
LEVELS_PER_STEP = 2  # 16 children per tile tested a little faster than 4
HALF_ULP = 2.0**-24  # largest relative error of rounding to float32
SLOPE = np.float32(40.0 * HALF_ULP)  # doubt per squared range, see _rounded
OFFSET = np.float32(10.0 * HALF_ULP)  # doubt per squared distance of the sky's place, and reach
FARTHEST_M = 1e15  # whatever is farther from the Earth's centre has no position


class Skies(NamedTuple):
    """Skies of sites or tiles, and the tile each belongs to (see the module's first lines)."""

    row: FloatArray  # (M, 8): place x, y, z in m, axis x, y, z, sine, reach in m
    child_start: IntArray  # (parents + 1,): parent p has rows child_start[p]..child_start[p+1]


class Candidates(NamedTuple):
    """Satellites that each of M skies holds, in ascending order (CSR)."""

    start: IntArray  # (M + 1,)
    sat: RowArray  # with LANES spare elements at the end


# --- sixteen lanes: what Numba has no words for, in LLVM's portable vector types ----------------
# (llvm.experimental.vector.compress came with LLVM 19, so Numba 0.62 is the oldest that will do)

_INT16, _INT32, _INT64 = (ir.IntType(bits) for bits in (16, 32, 64))
_FLOATS = ir.VectorType(ir.FloatType(), LANES)
_INTS = ir.VectorType(_INT32, LANES)
_BITS = ir.VectorType(ir.IntType(1), LANES)
_FUSED = ("contract",)  # multiply and add with one rounding, where the machine can


class _Lanes:
    """A vector of float32 under construction, so that the formula below reads as one."""

    def __init__(self, builder: Any, value: Any) -> None:
        self.builder, self.value = builder, value

    def __add__(self, other: "_Lanes") -> "_Lanes":
        return _Lanes(self.builder, self.builder.fadd(self.value, other.value, flags=_FUSED))

    def __sub__(self, other: "_Lanes") -> "_Lanes":
        return _Lanes(self.builder, self.builder.fsub(self.value, other.value, flags=_FUSED))

    def __mul__(self, other: "_Lanes") -> "_Lanes":
        return _Lanes(self.builder, self.builder.fmul(self.value, other.value, flags=_FUSED))

    def __neg__(self) -> "_Lanes":
        return _Lanes(self.builder, self.builder.fneg(self.value))

    def __abs__(self) -> "_Lanes":
        fabs = _declared(self.builder, "llvm.fabs.v16f32", _FLOATS, [_FLOATS])
        return _Lanes(self.builder, self.builder.call(fabs, [self.value]))

    def at_least(self, other: "_Lanes") -> Any:
        """Return one bit per lane, in an int32."""
        bits = self.builder.fcmp_ordered(">=", self.value, other.value)
        return self.builder.zext(self.builder.bitcast(bits, _INT16), _INT32)


def _declared(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    known = builder.module.globals.get(name)
    return known or ir.Function(builder.module, ir.FunctionType(result, arguments), name)


def _lanes_at(
    context: Any, builder: Any, array_type: Any, array: Any, index: Any, lanes: Any
) -> Any:
    """Return a pointer to the lanes that begin at one element of a one-dimensional array."""
    first = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(first, [index]), lanes.as_pointer())


def _look_16(
    typing: Any, xyz: Any, first: Any, stride: Any, px: Any, py: Any, pz: Any,
    ux: Any, uy: Any, uz: Any, sine2: Any, reach2: Any, slope: Any, offset: Any,
) -> Any:  # fmt: skip
    """Tell which of 16 satellites may be in a sky (bits 0..15) and which are for certain (16..31).

    `xyz` holds x, y and z of the satellites, `stride` elements apart; sine2 = sine * |sine| and
    reach2 = reach * reach; slope * range^2 + offset bounds the rounding error of the margin.
    """
    signature = types.uint32(xyz, types.int64, types.int64, *[types.float32] * 10)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        xyz, first, stride = arguments[:3]

        def load(axis: int) -> _Lanes:
            index = builder.add(first, builder.mul(stride, ir.Constant(_INT64, axis)))
            at = _lanes_at(context, builder, signature.args[0], xyz, index, _FLOATS)
            return _Lanes(builder, builder.load(at, align=4))

        def spread(scalar: Any) -> _Lanes:
            nothing = ir.Constant(_FLOATS, ir.Undefined)
            one = builder.insert_element(nothing, scalar, ir.Constant(_INT32, 0))
            zeros = ir.Constant(_INTS, [0] * LANES)
            return _Lanes(builder, builder.shuffle_vector(one, nothing, zeros))

        px, py, pz, ux, uy, uz, sine2, reach2, slope, offset = map(spread, arguments[3:])
        x, y, z = load(0) - px, load(1) - py, load(2) - pz
        up = x * ux + y * uy + z * uz
        range2 = x * x + y * y + z * z
        margin = up * abs(up) + reach2 - sine2 * range2
        doubt = slope * range2 + offset
        certain = builder.shl(margin.at_least(doubt), ir.Constant(_INT32, LANES))
        return builder.or_(margin.at_least(-doubt), certain)

    return signature, generate


def _squeeze_16(typing: Any, source: Any, first: Any, bits: Any, target: Any, at: Any) -> Any:
    """Copy those of 16 elements from `source[first]` on whose bit is set to `target[at]` on.

    Return how many they are; nothing beyond them is written.
    """
    signature = types.int64(source, types.int64, types.uint16, target, types.int64)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, first, bits, target, at = arguments
        found = _lanes_at(context, builder, signature.args[0], source, first, _INTS)
        name = "llvm.experimental.vector.compress.v16i32"
        compress = _declared(builder, name, _INTS, [_INTS, _BITS, _INTS])
        kept = [builder.load(found, align=4), builder.bitcast(bits, _BITS)]
        packed = builder.call(compress, [*kept, ir.Constant(_INTS, ir.Undefined)])
        count = builder.ctpop(builder.zext(bits, _INT64))
        one = ir.Constant(_INT64, 1)
        low = builder.trunc(builder.sub(builder.shl(one, count), one), _INT16)
        place = _lanes_at(context, builder, signature.args[3], target, at, _INTS)
        name = "llvm.masked.store.v16i32.p0"
        store = _declared(builder, name, ir.VoidType(), [_INTS, place.type, _INT32, _BITS])
        align = ir.Constant(_INT32, 4)
        builder.call(store, [packed, place, align, builder.bitcast(low, _BITS)])
        return count

    return signature, generate


def _count_ones(typing: Any, bits: Any) -> Any:
    """Return how many of 16 bits are set."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.ctpop(builder.zext(arguments[0], _INT64))

    return types.int64(types.uint16), generate


look_16: Any = intrinsic(_look_16)
squeeze_16: Any = intrinsic(_squeeze_16)
count_ones: Any = intrinsic(_count_ones)


# --- tiles: a site's place on a cube around the Earth, 4 tiles in each tile of the level above ---


@kernel()
def _tile_sites(
    place_m: FloatArray, axis: FloatArray, limit: FloatArray, level: int, tile: RowArray
) -> None:
    """Number the tile of each site face by face, in Morton order; unusable sites come last.

    Places and axes are flat, (3 S,), for only then does LLVM see that it may use vectors.
    """
    one, zero = np.float32(1.0), np.float32(0.0)
    half, top = np.float32(0.5 * (1 << level)), np.float32((1 << level) - 1)
    face_shift, nowhere = np.uint32(2 * level), np.int32(6 << (2 * level))
    for i in range(np.uint64(tile.size)):
        at = np.uint64(3) * i
        x, y = np.float32(place_m[at]), np.float32(place_m[at + np.uint64(1)])
        z = np.float32(place_m[at + np.uint64(2)])
        along_y = abs(y) > abs(x)
        along_z = abs(z) > max(abs(x), abs(y))
        depth = z if along_z else (y if along_y else x)
        u = x if along_z | along_y else y
        v = y if along_z else z
        face = np.uint32(2 if along_z else (1 if along_y else 0))
        face += np.uint32(3 if depth < zero else 0)
        scale = one / max(abs(depth), one)
        column = _every_second_bit(np.int32(min(half + half * _even(u * scale), top)))
        row = _every_second_bit(np.int32(min(half + half * _even(v * scale), top)))
        number = (face << face_shift) | (column << np.uint32(1)) | row
        sums = x + y + z + np.float32(axis[at]) + np.float32(axis[at + np.uint64(1)])
        sums += np.float32(axis[at + np.uint64(2)])
        usable = (sums - sums == zero) & (limit[i] == limit[i])
        tile[i] = np.int32(number) if usable else nowhere


@kernel(inline=True)
def _even(u: np.float32) -> np.float32:
    """Map -1..1 on a cube's face to -1..1 so that tiles grow more alike: about arctan(u)."""
    return np.float32(u * (np.float32(1.2732395) - np.float32(0.2732395) * abs(u)))


@kernel(inline=True)
def _every_second_bit(number: np.int32) -> np.uint32:
    b = np.uint32(number)
    b = (b | (b << np.uint32(8))) & np.uint32(0x00FF00FF)
    b = (b | (b << np.uint32(4))) & np.uint32(0x0F0F0F0F)
    b = (b | (b << np.uint32(2))) & np.uint32(0x33333333)
    return (b | (b << np.uint32(1))) & np.uint32(0x55555555)


@kernel()
def _sort_by_tile(tile: RowArray, tiles: int) -> tuple[RowArray, RowArray, RowArray, IntArray]:
    """Return each site's rank, the site of each rank, the tiles in use and their first ranks."""
    first = np.zeros(tiles + 2, np.int32)
    for t in tile:
        first[t + 1] += 1
    used = 0
    for t in range(tiles):
        used += first[t + 1] > 0
    used_tile, start = np.empty(used, np.int32), np.empty(used + 1, np.int64)
    used = 0
    for t in range(tiles):
        if first[t + 1] > 0:
            used_tile[used], start[used] = t, first[t]
            used += 1
        first[t + 1] += first[t]
    start[used] = first[tiles]
    rank, site = np.empty(tile.size, np.int32), np.empty(tile.size, np.int32)
    for i in range(tile.size):
        r = first[tile[i]]
        rank[i], site[r] = r, i
        first[tile[i]] = r + 1
    return rank, site, used_tile, start


@kernel()
def _tiles_of_tiles(tile: RowArray, shift: int) -> tuple[RowArray, IntArray]:
    """Return the tiles `shift / 2` levels up, and where the children of each begin."""
    parent, start = np.empty(tile.size, np.int32), np.empty(tile.size + 1, np.int64)
    used = 0
    for i in range(tile.size):
        if i == 0 or tile[i] >> shift != parent[used - 1]:
            parent[used], start[used] = tile[i] >> shift, i
            used += 1
    start[used] = tile.size
    return parent[:used].copy(), start[: used + 1].copy()


# --- skies: one row per site, and one per tile that holds all skies of its children -------------


@kernel()
def _site_skies(
    site_m: FloatArray,
    axis: FloatArray,
    sine: FloatArray,
    reach_m: FloatArray,
    rank: RowArray,
    row: FloatArray,
) -> None:
    for i in range(rank.size):
        r = np.uint32(rank[i])
        if r < np.uint32(row.shape[0]):
            row[r, 0], row[r, 1], row[r, 2] = site_m[i, 0], site_m[i, 1], site_m[i, 2]
            row[r, 3], row[r, 4], row[r, 5] = axis[i, 0], axis[i, 1], axis[i, 2]
            row[r, 6], row[r, 7] = sine[i], reach_m[i]


@kernel()
def _tile_skies(
    child: FloatArray, start: IntArray, by_range: bool, lowest_sat_m: float, row: FloatArray
) -> None:
    for p in range(start.size - 1):
        if by_range:
            _bounding_ball(child, start[p], start[p + 1], row, p)
        else:
            _bounding_cone(child, start[p], start[p + 1], lowest_sat_m, row, p)


@kernel()
def _bounding_ball(child: FloatArray, first: int, stop: int, row: FloatArray, p: int) -> None:
    x, y, z = _mean_place(child, first, stop)
    reach_m = 0.0
    for c in range(first, stop):
        away2 = (child[c, 0] - x) ** 2 + (child[c, 1] - y) ** 2 + (child[c, 2] - z) ** 2
        reach_m = max(reach_m, math.sqrt(away2) + child[c, 7])
    row[p, 0], row[p, 1], row[p, 2] = x, y, z
    row[p, 3] = row[p, 4] = row[p, 5] = 0.0
    row[p, 6], row[p, 7] = 1.0, reach_m * (1.0 + 1e-9) + 1e-3


@kernel()
def _bounding_cone(
    child: FloatArray, first: int, stop: int, lowest_sat_m: float, row: FloatArray, p: int
) -> None:
    """Bound cones whose axes are nearly radial by one whose axis is radial.

    Seen from the Earth's centre, let the children lie within an angle b of the direction c, no
    nearer than radius r; none admits anything lower than the elevation e above the plane normal to
    its own radius.  Each such cone turned about the centre by at most b stays inside the cone with
    its apex on c, elevation e - b and the same distance r cos(e) from its surface to the centre.
    With e < b this holds for satellites beyond the apex only.  Rounding here is covered by the
    doubt of the test in float32, which lets doubtful satellites through every tile.
    """
    x, y, z = _mean_place(child, first, stop)
    centre_m = math.sqrt(x * x + y * y + z * z)
    away2 = tilt2 = reach_m = 0.0
    radius2 = sine = up_m = np.inf
    for c in range(first, stop):
        px, py, pz = child[c, 0], child[c, 1], child[c, 2]
        ux, uy, uz = child[c, 3], child[c, 4], child[c, 5]
        away2 = max(away2, (px - x) ** 2 + (py - y) ** 2 + (pz - z) ** 2)
        own_radius2, own_up_m = px * px + py * py + pz * pz, px * ux + py * uy + pz * uz
        radius2, up_m = min(radius2, own_radius2), min(up_m, own_up_m)
        tilt2 = max(tilt2, own_radius2 - own_up_m * own_up_m)
        sine, reach_m = min(sine, child[c, 6]), max(reach_m, child[c, 7])
    radius_m = math.sqrt(radius2)
    spread = math.sqrt(away2) / centre_m if centre_m > 0.0 else np.inf
    tilt = math.sqrt(tilt2) / radius_m if radius_m > 0.0 else np.inf
    elevation = math.asin(sine) - math.asin(min(tilt, 1.0))
    widened = elevation - math.asin(min(spread, 1.0))
    apex_m = radius_m * math.cos(elevation) / math.cos(max(widened, -1.5))
    sound = spread < 1.0 and tilt < 1.0 and up_m > 0.0 and widened > -1.5
    if not sound or (widened < 0.0 and apex_m > lowest_sat_m):
        reach_m = np.inf  # such a tile lets every satellite through
    inverse = 1.0 / max(centre_m, 1.0)
    row[p, 3], row[p, 4], row[p, 5] = x * inverse, y * inverse, z * inverse
    row[p, 0], row[p, 1], row[p, 2] = apex_m * row[p, 3], apex_m * row[p, 4], apex_m * row[p, 5]
    row[p, 6], row[p, 7] = math.sin(max(widened, -1.5)), reach_m


@kernel()
def _mean_place(child: FloatArray, first: int, stop: int) -> tuple[float, float, float]:
    x = y = z = 0.0
    for c in range(first, stop):
        x += child[c, 0]
        y += child[c, 1]
        z += child[c, 2]
    return x / (stop - first), y / (stop - first), z / (stop - first)


# --- descent: what a parent's sky holds is tested by its children -------------------------------


@kernel(parallel=True)
def _look(
    row: FloatArray,
    child_start: IntArray,
    sat_m: FloatArray,
    start: IntArray,
    sat: RowArray,
    exactly: bool,
    word_start: IntArray,
    word: NDArray[np.uint16],
    place: RowArray,
    found: IntArray,
) -> None:
    parents = child_start.size - 1
    parts = min(parents, PARTS)
    for part in numba.prange(parts):
        _look_some(
            row, child_start, sat_m, start, sat, exactly, word_start, word, place, found,
            parents * part // parts, parents * (part + 1) // parts,
        )  # fmt: skip


@kernel()
def _look_some(
    row: FloatArray,
    child_start: IntArray,
    sat_m: FloatArray,
    start: IntArray,
    sat: RowArray,
    exactly: bool,
    word_start: IntArray,
    word: NDArray[np.uint16],
    place: RowArray,
    found: IntArray,
    first_parent: int,
    stop_parent: int,
) -> None:
    """Test the candidates of some tiles from each child of theirs.

    Child c leaves `found[place[c]]`: how many satellites it sees, the first candidate, and the
    first word of 16 bits that tell which of them they are.  `row` and `sat_m` are flat.
    """
    most = 0
    for p in range(first_parent, stop_parent):
        most = max(most, start[p + 1] - start[p])
    xyz = np.empty(3 * (most + LANES), np.float32)
    for p in range(first_parent, stop_parent):
        first, count, at = start[p], start[p + 1] - start[p], word_start[p]
        stride = (count + LANES - 1) // LANES * LANES
        here = 8 * child_start[p]
        here_x, here_y, here_z = row[here], row[here + 1], row[here + 2]
        for j in range(count):
            s = np.uint64(3) * np.uint64(sat[first + j])
            xyz[j] = sat_m[s] - here_x
            xyz[stride + j] = sat_m[s + np.uint64(1)] - here_y
            xyz[2 * stride + j] = sat_m[s + np.uint64(2)] - here_z
        for j in range(count, stride):
            xyz[j] = np.nan  # is in no sky
        for c in range(child_start[p], child_start[p + 1]):
            own = np.uint64(8 * c)
            view = _rounded(row, own, here_x, here_y, here_z)
            seen, doubt, words = 0, np.uint32(0), at
            for j in range(0, stride, LANES):
                answer = look_16(xyz, j, stride, *view)
                maybe = np.uint16(answer)
                word[np.uint64(at)] = maybe
                seen += count_ones(maybe)
                doubt |= answer ^ (answer >> np.uint32(LANES))
                at += 1
            if exactly and np.uint16(doubt) != 0:
                seen = _look_exactly(row, own, sat_m, sat, first, xyz, view, word[words:at])
            i = np.uint64(place[c])
            found[i, 0], found[i, 1], found[i, 2] = seen, first, words


@kernel(inline=True)
def _rounded(row: FloatArray, own: Any, here_x: float, here_y: float, here_z: float) -> Any:
    """Return the sky at `row[own]` in float32 as `look_16` takes it, its place relative to here.

    In units of HALF_ULP, for a range r and a place b away: the line is off by 2 r + 2 b, `up` by
    6 r + 2 b, the squared range by 7 r^2 + 4 r b, the margin by 26 r^2 + 8 r b + 3 reach^2 or less.
    """
    x, y = np.float32(row[own] - here_x), np.float32(row[own + np.uint64(1)] - here_y)
    z, ux = np.float32(row[own + np.uint64(2)] - here_z), np.float32(row[own + np.uint64(3)])
    uy, uz = np.float32(row[own + np.uint64(4)]), np.float32(row[own + np.uint64(5)])
    sine, reach = np.float32(row[own + np.uint64(6)]), np.float32(row[own + np.uint64(7)])
    reach2 = reach * reach
    offset = OFFSET * (x * x + y * y + z * z + reach2)
    return x, y, z, ux, uy, uz, sine * abs(sine), reach2, SLOPE, offset


@kernel()
def _look_exactly(
    row: FloatArray,
    own: Any,
    sat_m: FloatArray,
    sat: RowArray,
    first: int,
    xyz: NDArray[np.float32],
    view: Any,
    word: NDArray[np.uint16],
) -> int:
    """Test in float64 whatever float32 left open, correct the words and return their ones."""
    x, y, z, ux, uy, uz, sine, reach_m = row[own : own + np.uint64(8)]
    seen = 0
    for w in range(word.size):
        answer = look_16(xyz, LANES * w, LANES * word.size, *view)
        doubt = (answer ^ (answer >> np.uint32(LANES))) & np.uint32(0xFFFF)
        for lane in range(LANES):
            if (doubt >> np.uint32(lane)) & np.uint32(1):
                s = 3 * sat[first + LANES * w + lane]
                dx, dy, dz = sat_m[s] - x, sat_m[s + 1] - y, sat_m[s + 2] - z
                up_m = dx * ux + dy * uy + dz * uz
                if not up_m + reach_m >= sine * math.sqrt(dx * dx + dy * dy + dz * dz):
                    word[w] ^= np.uint16(1 << lane)
        seen += count_ones(word[w])
    return seen


@kernel(parallel=True)
def _gather(
    found: IntArray, sat: RowArray, word: NDArray[np.uint16], start: IntArray, target: RowArray
) -> None:
    parts = (start.size + 1022) // 1024
    for part in numba.prange(parts):
        _gather_some(found, sat, word, start, target, 1024 * part)


@kernel()
def _gather_some(
    found: IntArray,
    sat: RowArray,
    word: NDArray[np.uint16],
    start: IntArray,
    target: RowArray,
    first: int,
) -> None:
    """Copy the satellites each sky sees to its part of `target`; places follow one another."""
    for i in range(first, min(first + 1024, start.size - 1)):
        candidate, w, at = found[i, 1], found[i, 2], start[i]
        while at < start[i + 1]:
            at += squeeze_16(sat, candidate, word[w], target, at)
            candidate += LANES
            w += 1


@kernel()
def _start_of(found: IntArray) -> IntArray:
    start = np.empty(found.shape[0] + 1, np.int64)
    start[0] = 0
    for i in range(found.shape[0]):
        start[i + 1] = start[i] + found[i, 0]
    return start


@kernel()
def _finite_satellites(sat_m: FloatArray) -> tuple[RowArray, float]:
    """Return the rows at finite positions, with LANES spare, and the least distance from 0."""
    row, used, least2 = np.empty(sat_m.shape[0] + LANES, np.int32), 0, np.inf
    for j in range(sat_m.shape[0]):
        radius2 = sat_m[j, 0] ** 2 + sat_m[j, 1] ** 2 + sat_m[j, 2] ** 2
        if radius2 < FARTHEST_M**2:
            row[used] = j
            used += 1
            least2 = min(least2, radius2)
    return row[: used + LANES], math.sqrt(least2)


# --- the whole way ------------------------------------------------------------------------------


def find_pairs(
    site_m: FloatArray, up: FloatArray, limit: FloatArray, by_range: bool, sat_m: FloatArray
) -> tuple[IntArray, RowArray]:
    """Return the satellites each site sees as CSR: start (S + 1,) and satellite rows (P,).

    `limit` (S,) holds the sines of lowest elevations, or with `by_range` the longest ranges in m.
    """
    threads = numba.get_num_threads()
    with parallel_kernels:
        if site_m.shape[0] * sat_m.shape[0] < PARALLEL_FROM_PAIRS:
            numba.set_num_threads(1)  # waking threads would take longer than the work
        try:
            return _find_pairs(site_m, up, limit, by_range, sat_m)
        finally:
            numba.set_num_threads(threads)


def _find_pairs(
    site_m: FloatArray, up: FloatArray, limit: FloatArray, by_range: bool, sat_m: FloatArray
) -> tuple[IntArray, RowArray]:
    sat, lowest_sat_m = _finite_satellites(sat_m)
    site, levels = _index(site_m, up, limit, by_range, lowest_sat_m)
    held = Candidates(np.array([0, sat.size - LANES]), sat)
    for skies in levels[:-1]:
        place = np.arange(skies.row.shape[0], dtype=np.int32)
        held = _descend(skies, held, sat_m, place, spare=LANES)
    return _descend(levels[-1], held, sat_m, site, exactly=True)


def _index(
    site_m: FloatArray, up: FloatArray, limit: FloatArray, by_range: bool, lowest_sat_m: float
) -> tuple[RowArray, list[Skies]]:
    """Return the site of each row of the last level, and the levels from the root to the sites."""
    sites = site_m.shape[0]
    level = min(round(math.log(max(sites / SITES_OF_LEVEL_0, 8.0), 8)), FINEST_LEVEL)
    tile = np.empty(sites, np.int32)
    _tile_sites(site_m.ravel(), up.ravel(), limit, level, tile)
    rank, site, tile, start = _sort_by_tile(tile, 6 << (2 * level))
    axis, sine, reach_m = up, limit, np.zeros(sites)
    if by_range:
        axis, sine, reach_m = np.zeros((sites, 3)), np.ones(sites), limit
    row = np.empty((int(start[-1]), 8))
    _site_skies(site_m, axis, sine, reach_m, rank, row)
    levels = [Skies(row, start)]
    while level > 0:
        child, row = row, np.empty((tile.size, 8))
        _tile_skies(child, start, by_range, lowest_sat_m, row)
        upper = 0 if level == 1 else max(level - LEVELS_PER_STEP, 1)
        tile, start = _tiles_of_tiles(tile, 2 * (level - upper) if upper else 31)
        level = upper
        levels.append(Skies(row, start))
    return site, levels[::-1]


def _descend(
    skies: Skies,
    held: Candidates,
    sat_m: FloatArray,
    place: RowArray,
    *,
    spare: int = 0,
    exactly: bool = False,
) -> Candidates:
    """Return what the skies of one level hold of what the level above held.

    The satellites of row c come at `place[c]`; places no row has stay empty.
    """
    words = (np.diff(held.start) + LANES - 1) // LANES * np.diff(skies.child_start)
    word_start = np.cumsum(words) - words
    word = np.empty(int(words.sum()), np.uint16)
    found = np.zeros((place.size, 3), np.int64)
    _look(
        skies.row.ravel(), skies.child_start, sat_m.ravel(), held.start, held.sat, exactly,
        word_start, word, place, found,
    )  # fmt: skip
    start = _start_of(found)
    sat = np.empty(int(start[-1]) + spare, np.int32)
    _gather(found, held.sat, word, start, sat)
    return Candidates(start, sat)
