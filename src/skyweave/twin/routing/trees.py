"""Shortest-path trees of many roots at once: cost, hops and next hop of every satellite.

A network is the padded pair of arrays that `dijkstra` describes: `neighbour` (N, K) and `length`
(N, K), in metres, seconds or any other cost.  `length[n, k]` is the cost from satellite n to
`neighbour[n, k]`; -1 in `neighbour`, or a length that is NaN, infinite or negative, carries
nothing.  The two directions of a link may differ: the costs are those *toward* the root.

How it is done: satellites are renumbered breadth first, and blocks of roots share every look at a
link in sweeps over that order, forward and back in turn, skipping satellites where nothing can have
changed.  Labels start at infinity and only fall, so no state of an earlier slot enters.  Every cost
is the float64 sum of its path from the root on, the least there is: the same bits as Dijkstra's.
(Other ways and their times: docs/design/shortest-path-trees.md.)
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.twin.routing._tree_kernels import (
    CHUNK_SHIFT,
    LANES,
    TILE,
    Columns,
    Labels,
    Links,
    Seeds,
    breadth_first,
    grow_trees,
    live_links,
)

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]

HUGE_PAGE_BYTES = 1 << 21


class Roots(NamedTuple):
    """Places that trees lead to, each reached over one or more satellites at an offset.

    Root r is reached from satellite `sat[l]` at the cost `offset[l]`, for l from `start[r]` to
    `start[r + 1]`: a PoP, say, over its gateways' feeder links.  A NaN or infinite offset is none.
    """

    start: NDArray[np.int64]  # (R + 1,)
    sat: RowArray  # (L,)
    offset: FloatArray  # (L,) in the unit of the lengths


class Trees(NamedTuple):
    """One row per root, one column per satellite: the arrays have shape (R, N)."""

    cost: FloatArray  # from the satellite to the root, offset included; inf where unreachable
    hops: NDArray[np.int16]  # links on the way, -1 where unreachable, 32,767 also for more
    next_hop: RowArray  # the satellite to hand on to; -1 where the way ends and where there is none


class TreeBlock(NamedTuple):
    """The trees of some roots in one slot."""

    slot: int  # counted from 0 in the order of the networks given
    first_root: int
    trees: Trees


def shortest_trees(
    neighbour: RowArray,
    length: FloatArray,
    sources: RowArray | Roots,
    *,
    with_hops: bool = True,
) -> Trees:
    """Return the shortest-path trees of all `sources` at one instant.

    `sources` are satellites (R,), or `Roots` that are reached over several.  Counting hops takes
    a fifth to a third of the time: without them `hops` has shape (0, N).

    Equal costs are decided by row: the root's own offset before a relay, then the lowest row among
    the neighbours that lie nearer and realise the cost.  (Where only links that cost nothing lead
    on: the fewest of those, then the lowest row.)  So the answer depends on the arguments alone.
    """
    return TreeGrower(with_hops=with_hops).trees(neighbour, length, sources)


def tree_blocks(
    networks: Iterable[tuple[RowArray, FloatArray]],
    sources: RowArray | Roots,
    *,
    roots_at_once: int = 256,
    with_hops: bool = True,
) -> Iterator[TreeBlock]:
    """Yield the trees of slot after slot, `roots_at_once` roots at a time, as `shortest_trees`.

    Memory stays that of one block however many roots and slots there are, because every block is
    written over the one before: take from it what you need before asking for the next.
    """
    grower = TreeGrower(with_hops=with_hops)
    for slot, (neighbour, length) in enumerate(networks):
        blocks = grower.blocks(neighbour, length, sources, roots_at_once)
        for first_root, trees in blocks:
            yield TreeBlock(slot, first_root, trees)


class TreeGrower:
    """Grows trees of one network after another in the same memory.

    While the same satellites are linked the order of sweeps stays, so that a step costs less than
    `shortest_trees`, whose answers these are.  What a method returned is written over by the next.
    """

    def __init__(self, *, with_hops: bool = True) -> None:
        self._with_hops = with_hops
        self._satellites = -1
        self._roots = -1

    def trees(self, neighbour: RowArray, length: FloatArray, sources: RowArray | Roots) -> Trees:
        """Return the trees of all sources."""
        roots = _as_roots(sources)
        ((_, trees),) = self.blocks(neighbour, length, roots, max(1, roots.start.size - 1))
        return trees

    def blocks(
        self,
        neighbour: RowArray,
        length: FloatArray,
        sources: RowArray | Roots,
        roots_at_once: int,
    ) -> Iterator[tuple[int, Trees]]:
        """Yield the trees of `roots_at_once` sources at a time, each with its first source."""
        if roots_at_once < 1:
            raise InputError(f"roots_at_once = {roots_at_once}; pass at least 1")
        roots = _as_roots(sources)
        _check(neighbour, length, roots)
        count, satellites = roots.start.size - 1, neighbour.shape[0]
        self._make_room(min(count, roots_at_once), satellites)
        links = self._links(neighbour, length)
        for first in range(0, max(1, count), roots_at_once):
            block = _only(roots, first, min(count, first + roots_at_once))
            grow_trees(
                links, self._place, self._seeds(block), self._labels, self._dirty, self._room
            )
            yield first, _trees(self._room, block.start.size - 1, satellites)

    def _make_room(self, roots: int, satellites: int) -> None:
        if satellites != self._satellites:
            self._neighbour = np.empty((0, 0), np.int32)
            self._place = np.zeros(_whole(satellites, TILE), np.int32)
            cost, hops, via = _tables((satellites, LANES), [np.float64, np.int16, np.int8])
            cost[:], hops[:], via[:] = np.inf, -1, -1
            self._labels = Labels(cost, hops, via)
            self._dirty = np.zeros(((satellites - 1) >> CHUNK_SHIFT) + 2, np.uint8)
        if satellites != self._satellites or roots > self._roots:
            self._room, self._roots = _room(roots, satellites, self._with_hops), roots
        self._satellites = satellites

    def _links(self, neighbour: RowArray, length: FloatArray) -> Links:
        if not np.array_equal(self._neighbour, neighbour):
            self._neighbour = neighbour.copy()
            self._row = breadth_first(neighbour)
            self._place[self._row] = np.arange(self._satellites, dtype=np.int32)
        return live_links(neighbour, length, self._row, self._place)

    def _seeds(self, roots: Roots) -> Seeds:
        count = roots.start.size - 1
        lying = slice(roots.start[0], roots.start[-1])
        reaches = np.isfinite(roots.offset[lying])
        root = np.repeat(np.arange(count), np.diff(roots.start))[reaches]
        sat, offset = self._place[roots.sat[lying][reaches]], roots.offset[lying][reaches]
        block, lane = np.divmod(root, LANES)
        order = np.lexsort((lane, sat, block))
        start = np.searchsorted(block[order], np.arange(-(-count // LANES) + 1))
        return Seeds(start, sat[order], lane[order].astype(np.int32), offset[order])


def _as_roots(sources: RowArray | Roots) -> Roots:
    if isinstance(sources, Roots):
        return sources
    sat = np.asarray(sources, dtype=np.int32)
    if sat.ndim != 1:
        raise InputError(f"sources have shape {sat.shape}; pass satellite rows, shape (R,)")
    return Roots(np.arange(sat.size + 1), sat, np.zeros(sat.size))


def _only(roots: Roots, first: int, stop: int) -> Roots:
    return roots._replace(start=roots.start[first : stop + 1])


def _room(roots: int, satellites: int, with_hops: bool) -> Columns:
    shape = (_whole(roots, LANES), _whole(satellites, TILE))
    cost, next_row, hops = _tables(shape, [np.float64, np.int32, np.int16])
    return Columns(cost, hops if with_hops else hops[:0], next_row)


def _trees(room: Columns, roots: int, satellites: int) -> Trees:
    cost, hops, next_row = room
    kept = (slice(roots), slice(satellites))
    return Trees(cost[kept], hops[kept], next_row[kept])


def _whole(count: int, step: int) -> int:
    return -(-count // step) * step


def _tables(shape: tuple[int, int], kinds: Sequence[type]) -> list[NDArray[Any]]:
    """Return arrays of one shape in one block of memory, where it may lie in huge pages.

    Rows of many satellites and roots are touched in turn: with small pages, half the time and more
    went into finding them.
    """
    sizes = [int(np.prod(shape)) * np.dtype(kind).itemsize for kind in kinds]
    room = np.empty(sum(sizes) + HUGE_PAGE_BYTES, np.uint8)
    ends = -room.ctypes.data % HUGE_PAGE_BYTES + np.cumsum(sizes)
    return [
        room[end - size : end].view(kind).reshape(shape)
        for kind, size, end in zip(kinds, sizes, ends, strict=True)
    ]


def _check(neighbour: RowArray, length: FloatArray, roots: Roots) -> None:
    """Refuse what would make a kernel read outside its arrays or never end."""
    if neighbour.ndim != 2 or neighbour.shape != length.shape:
        raise InputError(
            f"neighbour has shape {neighbour.shape} and length {length.shape}; pass both (N, K)"
        )
    satellites = neighbour.shape[0]
    if neighbour.size and neighbour.max() >= satellites:
        raise InputError(f"neighbour names row {neighbour.max()}; pass -1 to {satellites - 1}")
    start, sat, offset = roots
    if sat.shape != offset.shape or sat.ndim != 1:
        raise InputError(f"{sat.shape} satellites have {offset.shape} offsets; pass one for each")
    if start.ndim != 1 or not start.size or start[0] < 0 or start[-1] > sat.size:
        raise InputError(f"the roots' start does not lie in 0 to {sat.size}; pass R + 1 positions")
    if (np.diff(start) < 0).any():
        raise InputError("the roots' start falls somewhere; pass positions that only rise")
    if sat.size and not 0 <= sat.min() <= sat.max() < satellites:
        raise InputError(
            f"a root names satellite rows {sat.min()} to {sat.max()}; pass 0 to {satellites - 1}"
        )
    if (offset < 0.0).any():
        raise InputError(f"a root has an offset of {np.nanmin(offset)}; it cannot be negative")
