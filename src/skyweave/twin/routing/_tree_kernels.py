"""Compiled half of `trees`: sweeps in which many roots share each look at a link.

One row of each table holds one satellite's labels for `LANES` roots side by side, so one vector
instruction relaxes a link for several roots.  Left to itself the compiler vectorises the lanes in
some loops and not in others (measured: 10x apart), so the row operations are written in LLVM's
vector types, which every processor's back end lowers to what it has.

Intrinsics and the kernels that use them share this file because Numba's cache watches only it.
"""

from typing import Any, NamedTuple, cast

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils as numba_cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from skyweave.kernels import kernel

LANES = 32  # roots side by side; 16 cost the same per root and 64 up to 1.2x as much
CHUNK_SHIFT = 3  # satellites are revisited in chunks of 8: chunks of 1 or 16 cost up to 15 % more
TILE = 64  # satellites turned from columns to rows together: touch few pages of memory at a time
SQUARE = 8  # ... and of those, in registers, this many by as many roots
CACHE_LINE_BYTES = 64

SEED = -2  # in `via`: here the root itself is reached at its own offset

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]
HopArray = NDArray[np.int16]
LinkArray = NDArray[np.int8]
FlagArray = NDArray[np.uint8]  # (chunks,) 1 where a label may have to be lowered

cgutils: Any = numba_cgutils  # it has no types

_INT, _LANE_BITS = ir.IntType(64), ir.IntType(LANES)
_COSTS = ir.VectorType(ir.DoubleType(), LANES)
_HOPS = ir.VectorType(ir.IntType(16), LANES)
_LINKS = ir.VectorType(ir.IntType(8), LANES)
_SQUARE_ROWS = ir.VectorType(ir.IntType(32), SQUARE)


class Links(NamedTuple):
    """Links that carry, with satellites renumbered.

    Every satellite has as many links and marks, for a loop whose length changes is guessed wrong by
    the processor as often as not: links to oneself at infinite cost, and marks on a chunk beyond
    the last, fill the rows.  The marks are the chunks of those with a link *to* the satellite, who
    must look again when its label changes; without those that the sweep is about to reach anyway.
    """

    to: RowArray  # (N, K), lower rows of the old numbering first
    cost: FloatArray  # (N, K)
    mark_forward: RowArray  # (N, M)
    mark_backward: RowArray  # (N, M)
    name: RowArray  # (K, padded N) what `to` is called in the old numbering, satellites likewise


class Seeds(NamedTuple):
    """Where the roots of each block of `LANES` begin, ordered by block, satellite and lane."""

    start: NDArray[np.int64]  # (B + 1,) first seed of each block
    sat: RowArray  # renumbered
    lane: RowArray
    offset: FloatArray


class Labels(NamedTuple):
    """What is known of each satellite for the roots of one block, shape (N, LANES)."""

    cost: FloatArray
    hops: HopArray
    via: LinkArray  # which of the satellite's links leads on; SEED, or -1 where none does


class Columns(NamedTuple):
    """Room for the answer, shape (R, N), both padded: R to whole `LANES` and N to whole `TILE`.

    It must begin on a cache line, so that whole lines are written past the caches, which need not
    fetch what they would overwrite.
    """

    cost: FloatArray
    hops: HopArray  # or (0, N): not wanted
    next_row: RowArray


def _all_data(context: Any, builder: Any, typed: Any, args: Any, arrays: int) -> list[Any]:
    """Return the addresses of the first elements of the first `arrays` arguments."""
    return [
        context.make_array(kind)(context, builder, array).data
        for kind, array in zip(typed.args[:arrays], args[:arrays], strict=True)
    ]


def _lanes_at(builder: Any, data: Any, row: Any, vector: ir.VectorType) -> Any:
    at = builder.gep(data, [builder.mul(row, _INT(LANES))])
    return builder.bitcast(at, vector.as_pointer())


def _load(builder: Any, at: Any, align: int) -> Any:
    lanes = builder.load(at)
    lanes.align = align
    return lanes


def _store(builder: Any, lanes: Any, at: Any, align: int) -> None:
    builder.store(lanes, at).align = align


def _splat(builder: Any, value: Any, vector: ir.VectorType) -> Any:
    empty = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(empty, value, ir.IntType(32)(0))
    every = ir.Constant(ir.VectorType(ir.IntType(32), vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, empty, every)


def _bits(builder: Any, lanes: Any) -> Any:
    bits = builder.bitcast(lanes, _LANE_BITS)
    return bits if LANES == 64 else builder.zext(bits, _INT)


def _pull(_: Any, cost: Any, to: Any, link_cost: Any, first: Any, stop: Any, sat: Any) -> Any:
    """Lower the costs of `sat` to the best its links offer; return a bit for each lane lowered."""
    signature = types.int64(cost, to, link_cost, types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, typed: Any, args: Any) -> Any:
        costs, targets, weights = _all_data(context, builder, typed, args, 3)
        first, stop, sat = args[3:]
        own_at = _lanes_at(builder, costs, sat, _COSTS)
        before = _load(builder, own_at, 8)
        best = cgutils.alloca_once_value(builder, before)
        with cgutils.for_range_slice(builder, first, stop, _INT(1)) as (link, _):
            other = builder.sext(builder.load(builder.gep(targets, [link])), _INT)
            weight = _splat(builder, builder.load(builder.gep(weights, [link])), _COSTS)
            there = _load(builder, _lanes_at(builder, costs, other, _COSTS), 8)
            offer, now = builder.fadd(there, weight), builder.load(best)
            is_less = builder.fcmp_ordered("<", offer, now)
            builder.store(builder.select(is_less, offer, now), best)
        after = builder.load(best)
        _store(builder, after, own_at, 8)
        return _bits(builder, builder.fcmp_ordered("<", after, before))

    return signature, generate


def _join(
    _: Any, cost: Any, via: Any, to: Any, link_cost: Any, first: Any, stop: Any, sat: Any
) -> Any:
    """Name the link that leads on from `sat` in each lane.

    Returns a bit for each lane that has a finite cost and no such link.
    """
    whole = types.int64
    signature = whole(cost, via, to, link_cost, whole, whole, whole)

    def generate(context: Any, builder: Any, typed: Any, args: Any) -> Any:
        costs, links, targets, weights = _all_data(context, builder, typed, args, 4)
        first, stop, sat = args[4:]
        own = _load(builder, _lanes_at(builder, costs, sat, _COSTS), 8)
        none = ir.Constant(_LINKS, [-1] * LANES)
        chosen = cgutils.alloca_once_value(builder, none)
        # Backwards, so that the lowest of equally good rows is the last to be written.
        with cgutils.for_range_slice(builder, first, stop, _INT(1)) as (forward, _):
            number = builder.sub(builder.sub(stop, forward), _INT(1))
            link = builder.add(first, number)
            other = builder.sext(builder.load(builder.gep(targets, [link])), _INT)
            weight = _splat(builder, builder.load(builder.gep(weights, [link])), _COSTS)
            there = _load(builder, _lanes_at(builder, costs, other, _COSTS), 8)
            is_tight = builder.and_(
                builder.fcmp_ordered("==", builder.fadd(there, weight), own),
                builder.fcmp_ordered("<", there, own),
            )
            short = _splat(builder, builder.trunc(number, ir.IntType(8)), _LINKS)
            builder.store(builder.select(is_tight, short, builder.load(chosen)), chosen)
        after = builder.load(chosen)
        endless = ir.Constant(_COSTS, [np.inf] * LANES)
        is_open = builder.and_(
            builder.icmp_signed("==", after, none), builder.fcmp_ordered("<", own, endless)
        )
        _store(builder, after, _lanes_at(builder, links, sat, _LINKS), 1)
        return _bits(builder, is_open)

    return signature, generate


def _count(_: Any, hops: Any, via: Any, to: Any, first: Any, stop: Any, sat: Any) -> Any:
    """Count the hops of `sat` from those of its next hops; return a bit for each lane changed."""
    signature = types.int64(hops, via, to, types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, typed: Any, args: Any) -> Any:
        counts, links, targets = _all_data(context, builder, typed, args, 3)
        first, stop, sat = args[3:]
        own_at = _lanes_at(builder, counts, sat, _HOPS)
        before = _load(builder, own_at, 2)
        chosen = _load(builder, _lanes_at(builder, links, sat, _LINKS), 1)
        unknown = ir.Constant(_HOPS, [-1] * LANES)
        found = cgutils.alloca_once_value(builder, unknown)
        with cgutils.for_range_slice(builder, first, stop, _INT(1)) as (link, _):
            other = builder.sext(builder.load(builder.gep(targets, [link])), _INT)
            there = _load(builder, _lanes_at(builder, counts, other, _HOPS), 2)
            number = builder.trunc(builder.sub(link, first), ir.IntType(8))
            is_next = builder.icmp_signed("==", chosen, _splat(builder, number, _LINKS))
            builder.store(builder.select(is_next, there, builder.load(found)), found)
        # Saturating: 32,767 also stands for more, rather than turning negative.
        add = cgutils.get_or_insert_function(
            builder.module, ir.FunctionType(_HOPS, [_HOPS, _HOPS]), f"llvm.sadd.sat.v{LANES}i16"
        )
        known = builder.load(found)
        more = builder.call(add, [known, ir.Constant(_HOPS, [1] * LANES)])
        is_known = builder.icmp_signed(">", known, unknown)
        after = builder.select(is_known, more, before)
        _store(builder, after, own_at, 2)
        return _bits(builder, builder.icmp_signed("!=", after, before))

    return signature, generate


def _turn(
    _: Any, table: Any, place: Any, name: Any, out: Any, sat: Any, lane: Any, root: Any
) -> Any:
    """Move some lanes of some satellites in `table` to a cache line of each of the roots' rows.

    Of links (int8) the name is written, the row where each leads.  What stays behind in the table
    is infinity or -1: nothing known, as the next block of roots begins.
    """
    signature = types.void(table, place, name, out, types.int64, types.int64, types.int64)

    def generate(context: Any, builder: Any, typed: Any, args: Any) -> Any:
        source, places, names, target = _all_data(context, builder, typed, args, 4)
        sat, lane, root = args[4:]
        made = [context.make_array(kind) for kind in typed.args[:4]]
        width = builder.extract_value(made[3](context, builder, args[3]).shape, 1)
        degree = builder.extract_value(made[2](context, builder, args[2]).shape, 0)
        is_links = typed.args[0].dtype == types.int8
        per_line = CACHE_LINE_BYTES // context.get_abi_sizeof(target.type.pointee)
        squares = []
        for step in range(0, per_line, SQUARE):
            first = builder.add(sat, _INT(step))
            rows = [
                _take(context, builder, source, places, builder.add(first, _INT(k)), lane)
                for k in range(SQUARE)
            ]
            square = _transposed(builder, rows)
            if is_links:
                square = _named(builder, square, names, degree, width, first)
            squares.append(square)
        past_caches = builder.module.add_metadata([ir.IntType(32)(1)])
        for k, pieces in enumerate(zip(*squares, strict=True)):
            line = _side_by_side(builder, list(pieces))
            to = builder.add(builder.mul(builder.add(root, _INT(k)), width), sat)
            at = builder.bitcast(builder.gep(target, [to]), line.type.as_pointer())
            written = builder.store(line, at)
            written.align = CACHE_LINE_BYTES
            written.set_metadata("nontemporal", past_caches)
        return context.get_dummy_value()

    return signature, generate


def _take(context: Any, builder: Any, source: Any, places: Any, sat: Any, lane: Any) -> Any:
    element = source.type.pointee
    piece, align = ir.VectorType(element, SQUARE), context.get_abi_sizeof(element)
    row = builder.sext(builder.load(builder.gep(places, [sat])), _INT)
    first = builder.gep(source, [builder.add(builder.mul(row, _INT(LANES)), lane)])
    at = builder.bitcast(first, piece.as_pointer())
    lanes = _load(builder, at, align)
    blank = np.inf if element == ir.DoubleType() else -1
    _store(builder, ir.Constant(piece, [blank] * SQUARE), at, align)
    return lanes


def _side_by_side(builder: Any, pieces: list[Any]) -> Any:
    """Return one vector of vectors as many as a power of two."""
    while len(pieces) > 1:
        both = range(2 * pieces[0].type.count)
        order = ir.Constant(ir.VectorType(ir.IntType(32), len(both)), list(both))
        pairs = zip(pieces[::2], pieces[1::2], strict=True)
        pieces = [builder.shuffle_vector(left, right, order) for left, right in pairs]
    return pieces[0]


def _named(
    builder: Any, links: list[Any], names: Any, degree: Any, width: Any, sat: Any
) -> list[Any]:
    """Return the rows where `links` of the satellites from `sat` on lead, -1 where none does."""
    chosen = [
        cgutils.alloca_once_value(builder, ir.Constant(_SQUARE_ROWS, [-1] * SQUARE)) for _ in links
    ]
    numbers = [builder.sext(link, _SQUARE_ROWS) for link in links]
    with cgutils.for_range(builder, degree) as loop:
        first = builder.add(builder.mul(loop.index, width), sat)
        at = builder.bitcast(builder.gep(names, [first]), _SQUARE_ROWS.as_pointer())
        name = _load(builder, at, 4)
        number = _splat(builder, builder.trunc(loop.index, ir.IntType(32)), _SQUARE_ROWS)
        for mine, best in zip(numbers, chosen, strict=True):
            is_it = builder.icmp_signed("==", mine, number)
            builder.store(builder.select(is_it, name, builder.load(best)), best)
    return [builder.load(best) for best in chosen]


def _fetch(_: Any, table: Any, sat: Any) -> Any:
    """Ask the memory for the labels of `sat`, which will be read soon."""
    signature = types.void(table, types.int64)

    def generate(context: Any, builder: Any, typed: Any, args: Any) -> Any:
        (source,) = _all_data(context, builder, typed, args, 1)
        per_line = CACHE_LINE_BYTES // context.get_abi_sizeof(source.type.pointee)
        byte, whole = ir.IntType(8).as_pointer(), ir.IntType(32)
        ask = cgutils.get_or_insert_function(
            builder.module,
            ir.FunctionType(ir.VoidType(), [byte, whole, whole, whole]),
            "llvm.prefetch.p0",
        )
        for lane in range(0, LANES, per_line):
            first = builder.add(builder.mul(args[1], _INT(LANES)), _INT(lane))
            at = builder.bitcast(builder.gep(source, [first]), byte)
            builder.call(ask, [at, whole(0), whole(3), whole(1)])
        return context.get_dummy_value()

    return signature, generate


def _transposed(builder: Any, rows: list[Any]) -> list[Any]:
    """Transpose a square of 8 by 8: swap halves, then quarters of them, then single ones."""
    index = ir.VectorType(ir.IntType(32), SQUARE)
    for bit in (4, 2, 1):
        low = [j if not j & bit else SQUARE + j - bit for j in range(SQUARE)]
        high = [j + bit if not j & bit else SQUARE + j for j in range(SQUARE)]
        for i in (i for i in range(SQUARE) if not i & bit):
            upper, lower = rows[i], rows[i + bit]
            rows[i] = builder.shuffle_vector(upper, lower, ir.Constant(index, low))
            rows[i + bit] = builder.shuffle_vector(upper, lower, ir.Constant(index, high))
    return rows


def _settle(_: Any) -> Any:
    """Let every thread see what was written past the caches."""

    def generate(context: Any, builder: Any, typed: Any, args: Any) -> Any:
        builder.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), generate


pull = cast(Any, intrinsic)(_pull)
join = cast(Any, intrinsic)(_join)
count = cast(Any, intrinsic)(_count)
turn = cast(Any, intrinsic)(_turn)
fetch = cast(Any, intrinsic)(_fetch)
settle = cast(Any, intrinsic)(_settle)


@kernel()
def grow_trees(
    links: Links, place: RowArray, seeds: Seeds, labels: Labels, dirty: FlagArray, out: Columns
) -> None:
    """Fill `out` in the old numbering, block of roots by block of roots; `place` is padded too.

    Labels come blank, infinite or -1, and are left so.
    """
    for block in range(seeds.start.size - 1):
        _plant(links, seeds, block, labels, dirty)
        _sweep(links, labels, dirty)
        if _join_all(links, seeds, block, labels) != 0:
            _mend(links, labels)
        first = block * LANES
        if out.hops.shape[0] > 0:
            _count_all(links, seeds, block, labels, dirty)
            _deliver(place, links.name, labels.hops, out.hops, first)
        _deliver(place, links.name, labels.cost, out.cost, first)
        _deliver(place, links.name, labels.via, out.next_row, first)
    settle()


@kernel()
def _plant(links: Links, seeds: Seeds, block: int, labels: Labels, dirty: FlagArray) -> None:
    """Enter the roots' offsets and flag who may learn from them."""
    cost = labels.cost
    seed_start, seed_sat, seed_lane, seed_offset = seeds
    for s in range(seed_start[block], seed_start[block + 1]):
        sat, lane = seed_sat[s], seed_lane[s]
        if seed_offset[s] < cost[sat, lane]:
            cost[sat, lane] = seed_offset[s]
            _flag(links, sat, dirty)


@kernel()
def _flag(links: Links, sat: int, dirty: FlagArray) -> None:
    for k in range(links.mark_forward.shape[1]):
        dirty[links.mark_forward[sat, k]] = 1
        dirty[links.mark_backward[sat, k]] = 1


@kernel()
def _sweep(links: Links, labels: Labels, dirty: FlagArray) -> None:
    """Sweep forward and back over the chunks that a lowered label may lower, until none is left.

    Labels only fall and each is the float64 sum of a real path, so what is left is the minimum.
    """
    # Tuples are unpacked before the loop: an array taken from one inside is counted each time.
    cost = labels.cost
    to, link_cost, mark_forward, mark_backward, _ = links
    satellites, degree = to.shape
    chunks = dirty.size - 1
    is_forward, found = True, True
    while found:
        found = False
        mark = mark_forward if is_forward else mark_backward
        for step in range(chunks):
            chunk = step if is_forward else chunks - 1 - step
            if dirty[chunk] == 0:
                continue
            dirty[chunk] = 0
            found = True
            low = chunk << CHUNK_SHIFT
            high = min(satellites, low + (1 << CHUNK_SHIFT))
            for i in range(high - low):
                sat = np.int64(low + i if is_forward else high - 1 - i)
                first = sat * degree
                lowered = pull(cost, to, link_cost, first, first + degree, sat)
                # No branch on the outcome, which is as good as random to the processor.
                flag = np.uint8(lowered != 0)
                for k in range(mark.shape[1]):
                    dirty[np.uint32(mark[sat, k])] |= flag
        is_forward = not is_forward


@kernel()
def _join_all(links: Links, seeds: Seeds, block: int, labels: Labels) -> int:
    """Name all links that lead on; return how often a satellite was left without one."""
    cost, _, via = labels
    to, link_cost = links.to, links.cost
    satellites, degree = to.shape
    seed_start, seed_sat, seed_lane, seed_offset = seeds
    s, end = seed_start[block], seed_start[block + 1]
    left_open = 0
    for v in range(satellites):
        sat = np.int64(v)
        first = sat * degree
        is_open = join(cost, via, to, link_cost, first, first + degree, sat)
        while s < end and seed_sat[s] == sat:
            lane = np.int64(seed_lane[s])
            if seed_offset[s] == cost[sat, lane]:
                via[sat, lane] = SEED
                is_open &= ~(np.int64(1) << lane)
            s += 1
        left_open += is_open != 0
    return left_open


@kernel()
def _mend(links: Links, labels: Labels) -> None:
    """Name the next hops that lie no nearer than who hands on: over links that cost nothing.

    In rounds, so that those with the fewest such links on their way go first and none runs in a
    circle.  Rare: only a link of length zero, or one lost in the rounding of a cost, leads here.
    """
    cost, _, via = labels
    to, link_cost = links.to, links.cost
    satellites, degree = to.shape
    who, link = np.empty(satellites, np.int32), np.empty(satellites, np.int32)
    for lane in range(LANES):
        found = 1
        while found > 0:
            found = 0
            for v in range(satellites):
                if via[v, lane] != -1 or cost[v, lane] == np.inf:
                    continue
                for k in range(degree):
                    is_tight = cost[to[v, k], lane] + link_cost[v, k] == cost[v, lane]
                    if is_tight and via[to[v, k], lane] != -1:
                        who[found], link[found] = v, k
                        found += 1
                        break
            for i in range(found):
                via[who[i], lane] = link[i]


@kernel()
def _count_all(links: Links, seeds: Seeds, block: int, labels: Labels, dirty: FlagArray) -> None:
    """Count hops outward from the roots, in sweeps as those of the costs."""
    _, hops, via = labels
    to, _, mark_forward, mark_backward, _ = links
    seed_start, seed_sat, seed_lane, _ = seeds
    satellites, degree = to.shape
    chunks = dirty.size - 1
    for s in range(seed_start[block], seed_start[block + 1]):
        sat = seed_sat[s]
        if via[sat, seed_lane[s]] == SEED:
            hops[sat, seed_lane[s]] = 0
            _flag(links, sat, dirty)
    is_forward, found = True, True
    while found:
        found = False
        mark = mark_forward if is_forward else mark_backward
        for step in range(chunks):
            chunk = step if is_forward else chunks - 1 - step
            if dirty[chunk] == 0:
                continue
            dirty[chunk] = 0
            found = True
            low = chunk << CHUNK_SHIFT
            high = min(satellites, low + (1 << CHUNK_SHIFT))
            for i in range(high - low):
                sat = np.int64(low + i if is_forward else high - 1 - i)
                first = sat * degree
                changed = count(hops, via, to, first, first + degree, sat)
                flag = np.uint8(changed != 0)
                for k in range(mark.shape[1]):
                    dirty[np.uint32(mark[sat, k])] |= flag
        is_forward = not is_forward


@kernel()
def _deliver(place: RowArray, name: RowArray, table: Any, out: Any, first: int) -> None:
    """Move the labels (N, LANES) of a block to rows of `out` from `first` on."""
    for low in range(0, place.size, TILE):
        for v in range(low + TILE, min(place.size, low + 2 * TILE)):
            fetch(table, np.int64(place[v]))
        for lane in range(0, LANES, SQUARE):
            for v in range(low, low + TILE, CACHE_LINE_BYTES // out.itemsize):
                turn(table, place, name, out, np.int64(v), np.int64(lane), np.int64(first + lane))


@kernel()
def breadth_first(neighbour: RowArray) -> RowArray:
    """Return all rows, nearest to row 0 by hops first, then each further part likewise."""
    satellites, degree = neighbour.shape
    order = np.empty(satellites, np.int32)
    is_listed = np.zeros(satellites, np.bool_)
    listed, at = 0, 0
    for start in range(satellites):
        if is_listed[start]:
            continue
        is_listed[start] = True
        order[listed] = start
        listed += 1
        while at < listed:
            for k in range(degree):
                other = neighbour[order[at], k]
                if other >= 0 and not is_listed[other]:
                    is_listed[other] = True
                    order[listed] = other
                    listed += 1
            at += 1
    return order


@kernel()
def live_links(neighbour: RowArray, length: FloatArray, row: RowArray, place: RowArray) -> Links:
    """Return the links that carry, with satellite `row[v]` renumbered v (`place`: the reverse)."""
    satellites, degree = neighbour.shape
    to = np.empty((satellites, degree), np.int32)
    name = np.empty((degree, place.size), np.int32)
    cost = np.full((satellites, degree), np.inf)
    users = np.zeros(satellites + 1, np.int32)  # and one for the sake of an empty network
    for v in range(satellites):
        to[v] = v
        count = 0
        for k in range(degree):
            other = neighbour[row[v], k]
            if other < 0 or not 0.0 <= length[row[v], k] < np.inf:
                continue
            at = count
            while at > 0 and row[to[v, at - 1]] > other:  # a handful, so sorted as they come
                to[v, at], cost[v, at] = to[v, at - 1], cost[v, at - 1]
                at -= 1
            to[v, at], cost[v, at] = place[other], length[row[v], k]
            users[place[other]] += 1
            count += 1
        for k in range(count):
            name[k, row[v]] = row[to[v, k]]
    beyond = ((satellites - 1) >> CHUNK_SHIFT) + 1
    forward = np.full((satellites, users.max()), beyond, np.int32)
    backward = np.full((satellites, users.max()), beyond, np.int32)
    users[:] = 0
    for user in range(satellites):
        for k in range(degree):
            if cost[user, k] < np.inf:
                sat, chunk = to[user, k], user >> CHUNK_SHIFT
                is_far = chunk != sat >> CHUNK_SHIFT
                if is_far or user < sat:
                    forward[sat, users[sat]] = chunk
                if is_far or user > sat:
                    backward[sat, users[sat]] = chunk
                users[sat] += 1
    return Links(to, cost, forward, backward, name)
