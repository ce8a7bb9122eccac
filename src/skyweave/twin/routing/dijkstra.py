"""Cheapest ways over the satellites: from every one to the ground, or between two ground sites.

A network is a padded pair of arrays: `neighbour` (N, K) int32 lists the satellites each one has a
laser link with (-1 fills the row) and `length_m` (N, K) how long those links are.  Both ends list
a link, with the same length.  A length that is NaN, infinite or negative carries nothing: that is
how a link with a failed or unpropagated end is written.  Ground nodes are not part of the network,
so no path can pass through one.
"""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.kernels import kernel

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]

WAITING, SETTLED = -1, -2  # in `place`: not in the heap yet, and done; else the position in it


class SatelliteCosts(NamedTuple):
    """What each satellite pays to reach the ground, one row per satellite, shape (N,)."""

    cost_s: FloatArray  # one way: links plus the offset of the seed used; inf where unreachable
    next_sat: RowArray  # the satellite to hand on to; -1 at a seed and where unreachable
    seed: RowArray  # which of the seeds is used, -1 where unreachable
    hops: RowArray  # laser links on the way, 0 at a seed, -1 where unreachable


def cheapest_to_ground(
    neighbour: RowArray, length_m: FloatArray, seed_sat: RowArray, seed_cost_s: FloatArray
) -> SatelliteCosts:
    """Return each satellite's cheapest way to any of the seeds at one instant: exact Dijkstra.

    Seed l says that satellite `seed_sat[l]` reaches the ground at `seed_cost_s[l]` seconds one
    way (feeder link, fibre and whatever lies behind); a cost of NaN or inf is no seed.  `neighbour`
    and `length_m` (N, K) are the network described at the top of this file.

    Equal costs are decided by row: the lower seed on one satellite, a seed before a relay, and the
    lower next satellite.  So the answer depends on nothing but the arguments.
    """
    _check(neighbour, length_m, seed_sat, seed_cost_s)
    costs = _unreached(neighbour.shape[0])
    no_egress_s = np.full(neighbour.shape[0], np.inf)
    _settle(neighbour, length_m, GroundLinks(seed_sat, seed_cost_s), no_egress_s, costs)
    return costs


def walk(next_sat: RowArray, start: int) -> list[int]:
    """Return the satellites from row `start` to its seed, both included.

    An unreachable satellite leads nowhere: the list holds only `start`, so look at its cost first.
    """
    if not 0 <= start < next_sat.size:
        raise InputError(f"walk starts at row {start}; pass 0 to {next_sat.size - 1}")
    rows = [start]
    while next_sat[rows[-1]] >= 0:
        rows.append(int(next_sat[rows[-1]]))
    return rows


class GroundLinks(NamedTuple):
    """The links between one place on the ground and satellites, shape (L,) each.

    A satellite may stand here more than once, for example when it feeds two gateways of one PoP.
    """

    sat: RowArray
    cost_s: FloatArray  # one way, with all that lies on the ground side of the link


def ground_links(
    sat: RowArray, range_m: FloatArray, offset_s: FloatArray | float = 0.0
) -> GroundLinks:
    """Return the links to satellites at `range_m` (L,), with `offset_s` behind them (fibre)."""
    return GroundLinks(np.asarray(sat, np.int32), range_m / SPEED_OF_LIGHT_M_S + offset_s)


class GroundPath(NamedTuple):
    """One way between two places on the ground."""

    cost_s: float  # one way
    sats: tuple[int, ...]  # rows from the start's satellite to the end's; one row is a bent pipe
    start_link: int  # which of the start's links
    end_link: int  # which of the end's links


def ground_paths(
    neighbour: RowArray,
    length_m: FloatArray,
    start: GroundLinks,
    end: GroundLinks,
    *,
    count: int = 1,
    disjoint: str = "satellite",
) -> list[GroundPath]:
    """Return up to `count` ways from `start` to `end` at one instant, cheapest first.

    The first is the minimum over all satellites in view of either end.  The others share no
    satellite with those before them (`disjoint="satellite"`), or no link, neither laser nor ground
    (`disjoint="edge"`).  They are found greedily: each is the cheapest of what its predecessors
    left.  That is what a network does that protects its best path, but it is not the set with the
    least total cost, and it may hold fewer paths than the network could carry side by side.

    An empty list says that no path exists.  Equal costs are decided by row, as in
    `cheapest_to_ground`: among ends equally cheap to leave by, the lower satellite.
    """
    if disjoint not in ("satellite", "edge"):
        raise InputError(f'disjoint = "{disjoint}"; pass "satellite" or "edge"')
    _check(neighbour, length_m, *start)
    _check(neighbour, length_m, *end)
    paths: list[GroundPath] = []
    while len(paths) < count:
        path = _cheapest_path(neighbour, length_m, start, end)
        if path is None:
            break
        paths.append(path)
        if len(paths) < count:
            without = _without_satellites if disjoint == "satellite" else _without_links
            length_m, start, end = without(path, neighbour, length_m.copy(), start, end)
    return paths


def _cheapest_path(
    neighbour: RowArray, length_m: FloatArray, start: GroundLinks, end: GroundLinks
) -> GroundPath | None:
    satellites = neighbour.shape[0]
    egress_s, egress_link = np.full(satellites, np.inf), np.full(satellites, -1, np.int32)
    _cheapest_links(end.sat, end.cost_s, egress_s, egress_link)
    found = _unreached(satellites)
    last = _settle(neighbour, length_m, start, egress_s, found)
    if last < 0:
        return None
    sats = tuple(reversed(walk(found.next_sat, last)))
    cost_s = float(found.cost_s[last] + egress_s[last])
    return GroundPath(cost_s, sats, int(found.seed[last]), int(egress_link[last]))


def _without_satellites(
    path: GroundPath, _: RowArray, length_m: FloatArray, start: GroundLinks, end: GroundLinks
) -> tuple[FloatArray, GroundLinks, GroundLinks]:
    # Nothing leaves a satellite of the path any more and neither end sees it, so it is of no use
    # to anyone even though its neighbours still list it.
    length_m[list(path.sats)] = np.inf
    return length_m, _without_sats(start, path.sats), _without_sats(end, path.sats)


def _without_links(
    path: GroundPath,
    neighbour: RowArray,
    length_m: FloatArray,
    start: GroundLinks,
    end: GroundLinks,
) -> tuple[FloatArray, GroundLinks, GroundLinks]:
    for a, b in pairwise(path.sats):
        length_m[a, neighbour[a] == b] = np.inf
        length_m[b, neighbour[b] == a] = np.inf
    return length_m, _without_link(start, path.start_link), _without_link(end, path.end_link)


def _without_sats(links: GroundLinks, sats: tuple[int, ...]) -> GroundLinks:
    # The links stay in place, at an infinite cost, so that their numbers keep their meaning.
    return links._replace(cost_s=np.where(np.isin(links.sat, sats), np.inf, links.cost_s))


def _without_link(links: GroundLinks, link: int) -> GroundLinks:
    cost_s = links.cost_s.copy()
    cost_s[link] = np.inf
    return links._replace(cost_s=cost_s)


def _unreached(satellites: int) -> SatelliteCosts:
    return SatelliteCosts(
        np.full(satellites, np.inf),
        np.full(satellites, -1, np.int32),
        np.full(satellites, -1, np.int32),
        np.full(satellites, -1, np.int32),
    )


def _check(neighbour: RowArray, length_m: FloatArray, sat: RowArray, cost_s: FloatArray) -> None:
    """Refuse what would make a kernel read outside its arrays or stop too early."""
    if neighbour.ndim != 2 or neighbour.shape != length_m.shape:
        raise InputError(
            f"neighbour has shape {neighbour.shape} and length_m {length_m.shape}; pass both (N, K)"
        )
    satellites = neighbour.shape[0]
    if neighbour.size and neighbour.max() >= satellites:
        raise InputError(f"neighbour names row {neighbour.max()}; pass -1 to {satellites - 1}")
    if sat.shape != cost_s.shape or sat.ndim != 1:
        raise InputError(f"{sat.shape} satellites have {cost_s.shape} costs; pass one for each")
    if sat.size and not 0 <= sat.min() <= sat.max() < satellites:
        raise InputError(
            f"a ground link names satellite rows {sat.min()} to {sat.max()}; "
            f"pass 0 to {satellites - 1}"
        )
    if (cost_s < 0.0).any():
        raise InputError(f"a ground link costs {np.nanmin(cost_s)} s; a cost cannot be negative")


@kernel()
def _settle(
    neighbour: RowArray,
    length_m: FloatArray,
    seeds: GroundLinks,
    egress_s: FloatArray,
    costs: SatelliteCosts,
) -> int:
    """Dijkstra from all seeds at once; fills `costs`, given as `_unreached`.

    Stops as soon as no satellite left can better `cost_s + egress_s`; returns the row where that
    is least (the lowest of equals), -1 where it is inf everywhere.
    """
    seed_sat, seed_cost_s = seeds
    cost_s, next_sat, seed, hops = costs
    satellites, degree = neighbour.shape
    # Keys lie beside the rows: with ties left to the rows, or a heap of four, it was no faster.
    heap_s = np.full(satellites + 1, np.inf)  # inf from `size` on, so a lone child has a sibling
    heap = np.zeros(satellites + 1, np.int32)
    place = np.full(satellites, WAITING, np.int32)
    size = 0
    for s in range(seed_sat.size):
        sat = seed_sat[s]
        if seed_cost_s[s] < cost_s[sat]:  # false for NaN and inf
            cost_s[sat] = seed_cost_s[s]
            seed[sat] = s
            hops[sat] = 0
            size = _put(heap_s, heap, place, size, sat, cost_s[sat])
    best_s, last = np.inf, -1
    while size > 0 and heap_s[0] <= best_s:
        sat = heap[0]
        size = _settle_first(heap_s, heap, place, size)
        total_s = cost_s[sat] + egress_s[sat]
        if total_s < best_s or (total_s == best_s and sat < last):
            best_s, last = total_s, sat
        for k in range(degree):
            other = neighbour[sat, k]
            if other < 0 or not length_m[sat, k] >= 0.0:
                continue
            there_s = cost_s[sat] + length_m[sat, k] / SPEED_OF_LIGHT_M_S
            if there_s > cost_s[other]:
                continue
            if there_s < cost_s[other]:
                cost_s[other] = there_s
                size = _put(heap_s, heap, place, size, other, there_s)
            elif place[other] == SETTLED or next_sat[other] < sat:
                continue
            next_sat[other] = sat
            seed[other] = seed[sat]
            hops[other] = hops[sat] + 1
    return last


@kernel()
def _put(
    heap_s: FloatArray, heap: RowArray, place: RowArray, size: int, row: int, cost_s: float
) -> int:
    """Let `row` rise to where its new, lower cost belongs; return the size of the heap."""
    at = place[row]
    if at == WAITING:
        at = size
        size += 1
    while at > 0 and cost_s < heap_s[(at - 1) // 2]:
        parent = (at - 1) // 2
        _move(heap_s, heap, place, parent, at)
        at = parent
    heap_s[at] = cost_s
    heap[at] = row
    place[row] = at
    return size


@kernel()
def _settle_first(heap_s: FloatArray, heap: RowArray, place: RowArray, size: int) -> int:
    """Take the cheapest row out and let the last one sink from the top; return the new size."""
    place[heap[0]] = SETTLED
    size -= 1
    row, cost_s = heap[size], heap_s[size]
    heap_s[size] = np.inf
    if size == 0:
        return size
    at, child = 0, 1
    while child < size:
        child += heap_s[child + 1] < heap_s[child]
        if cost_s <= heap_s[child]:
            break
        _move(heap_s, heap, place, child, at)
        at, child = child, 2 * child + 1
    heap_s[at] = cost_s
    heap[at] = row
    place[row] = at
    return size


@kernel()
def _move(heap_s: FloatArray, heap: RowArray, place: RowArray, source: int, target: int) -> None:
    heap_s[target] = heap_s[source]
    heap[target] = heap[source]
    place[heap[target]] = target


@kernel()
def _cheapest_links(
    sat: RowArray, cost_s: FloatArray, best_s: FloatArray, best_link: RowArray
) -> None:
    """Keep, for each satellite, its cheapest link (the first of equals); NaN and inf never are."""
    for link in range(sat.size):
        if cost_s[link] < best_s[sat[link]]:
            best_s[sat[link]] = cost_s[link]
            best_link[sat[link]] = link
