"""Ground to ground for many places at once: the cheapest way over every satellite in view."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.kernels import kernel

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]
HopArray = NDArray[np.int16]
DigestArray = NDArray[np.uint64]

NO_RELAYS: RowArray = np.empty((0, 0), np.int32)


class PairCosts(NamedTuple):
    """One row per place, one column per root of the trees: both arrays have shape (S, R)."""

    cost: FloatArray  # one way, in the trees' unit; inf where there is no way
    ingress: RowArray  # the satellite that the place sends to, -1 where there is no way


class PairWays(NamedTuple):
    """The ways between places, each from the lower row to the higher: arrays of shape (S, S).

    Nothing is written on the diagonal and below it.
    """

    hops: RowArray  # links on the way, both ground links included; -1 where there is no way
    digest: DigestArray  # equal where the nodes on the way are, 0 where there is no way
    start: IntArray  # where the nodes of the way begin in what `list_nodes` returns


def pair_costs(
    site_start: IntArray, sat: RowArray, offset: FloatArray, tree_cost: FloatArray
) -> PairCosts:
    """Return the cheapest way from every place to every root, over any satellite in view.

    Place s sees the satellites `sat[l]` at the cost `offset[l]` for l from `site_start[s]` to
    `site_start[s + 1]`; a NaN or infinite offset is none.  `tree_cost` (R, N) is `Trees.cost`.  Of
    equal ways the one over the lowest satellite row is taken.
    """
    if site_start.ndim != 1 or not site_start.size or site_start[-1] > sat.size:
        raise InputError(f"site_start does not lie in 0 to {sat.size}; pass S + 1 positions")
    if sat.shape != offset.shape:
        raise InputError(f"{sat.shape} links have {offset.shape} offsets; pass one for each")
    if sat.size and not 0 <= sat.min() <= sat.max() < tree_cost.shape[1]:
        raise InputError(f"a link names satellite {sat.max()}; pass 0 to {tree_cost.shape[1] - 1}")
    return PairCosts(*_pair_costs(site_start, sat, offset, tree_cost))


def no_ways(places: int) -> PairWays:
    """Return the tables that `mark_ways` fills."""
    shape = (places, places)
    return PairWays(
        np.full(shape, -1, np.int32), np.zeros(shape, np.uint64), np.zeros(shape, np.int64)
    )


def mark_ways(
    ingress: RowArray,
    next_hop: RowArray,
    ways: PairWays,
    *,
    first_root: int = 0,
    via: RowArray = NO_RELAYS,
) -> None:
    """Find hops and digests of the ways to the places `first_root`, `first_root` + 1, ...

    `ingress` (S, R) is that of `pair_costs` to these places, and `next_hop` (R, N) that of the same
    trees.  Where ways may touch the ground in between, `via[a, b]` is the place that follows a on
    the way to b: b itself at the end, -1 where there is no way; then every place must be a root.
    """
    _check_ways(ingress, next_hop, ways, first_root, via)
    _mark_ways(ingress, next_hop, first_root, via, ways.hops, ways.digest)


def list_nodes(
    ingress: RowArray,
    next_hop: RowArray,
    ways: PairWays,
    *,
    first_root: int = 0,
    via: RowArray = NO_RELAYS,
    first_node: int = 0,
) -> RowArray:
    """Return what lies on the ways that `mark_ways` found from the same arguments, way after way.

    A way from a to b holds `hops[a, b] - 1` nodes from `start[a, b] - first_node` on, in order:
    satellites by row, and a place g between them as the number of satellites plus g.
    """
    _check_ways(ingress, next_hop, ways, first_root, via)
    last = first_root + ingress.shape[1]
    held = np.maximum(ways.hops[:, first_root:last].T - 1, 0).astype(np.int64)
    held[np.arange(first_root, last)[:, None] <= np.arange(held.shape[1])] = 0
    ends = np.cumsum(held).reshape(held.shape)
    ways.start[:, first_root:last] = first_node + (ends - held).T
    node = np.empty(held.sum(), np.int32)
    _list_nodes(ingress, next_hop, first_root, via, node)
    return node


def _check_ways(
    ingress: RowArray, next_hop: RowArray, ways: PairWays, first_root: int, via: RowArray
) -> None:
    """Refuse what would make a kernel read or write outside its arrays."""
    places, roots = ingress.shape
    if len(next_hop) != roots or ways.hops.shape != (places, places):
        raise InputError(
            f"ingress has shape {ingress.shape}, next_hop {next_hop.shape} and the ways "
            f"{ways.hops.shape}; pass (S, R), (R, N) and (S, S)"
        )
    if first_root < 0 or first_root + roots > places:
        raise InputError(f"roots {first_root} to {first_root + roots - 1} of {places} places")
    if via.size and (via.shape != (places, places) or roots != places):
        raise InputError(f"via has shape {via.shape}; pass (S, S), with every place a root")


@kernel()
def _pair_costs(
    site_start: IntArray, sat: RowArray, offset: FloatArray, tree_cost: FloatArray
) -> tuple[FloatArray, RowArray]:
    sites, roots = site_start.size - 1, tree_cost.shape[0]
    cost = np.full((sites, roots), np.inf)
    ingress = np.full((sites, roots), -1, np.int32)
    # Root by root, so that one row of the trees stays in the cache for all places.
    for r in range(roots):
        for s in range(sites):
            best, by = np.inf, -1
            for link in range(site_start[s], site_start[s + 1]):
                n = sat[link]
                there = offset[link] + tree_cost[r, n]
                if there < best or (there == best and n < by):
                    best, by = there, n
            cost[s, r] = best
            ingress[s, r] = by
    return cost, ingress


@kernel()
def _mark_ways(
    ingress: RowArray,
    next_hop: RowArray,
    first_root: int,
    via: RowArray,
    hops: RowArray,
    digest: DigestArray,
) -> None:
    satellites = next_hop.shape[1]
    for r in range(ingress.shape[1]):
        end = first_root + r
        for start in range(end):
            place, count, mixed = start, 0, np.uint64(0)
            while place != end:
                then = via[place, end] if via.size else end
                n = ingress[place, then - first_root] if then >= 0 else -1
                if n < 0:
                    break
                count += 1
                while n >= 0:
                    count += 1
                    mixed = _mix(mixed, n)
                    n = next_hop[then - first_root, n]
                if then != end:
                    mixed = _mix(mixed, satellites + then)
                place = then
            hops[start, end] = count if place == end else -1
            digest[start, end] = mixed if place == end else np.uint64(0)


@kernel()
def _list_nodes(
    ingress: RowArray, next_hop: RowArray, first_root: int, via: RowArray, node: RowArray
) -> None:
    satellites, at = next_hop.shape[1], 0
    for r in range(ingress.shape[1]):
        end = first_root + r
        for start in range(end):
            place = start
            while place != end:
                then = via[place, end] if via.size else end
                n = ingress[place, then - first_root] if then >= 0 else -1
                if n < 0:
                    break
                while n >= 0:
                    node[at] = n
                    at += 1
                    n = next_hop[then - first_root, n]
                if then != end:
                    node[at] = satellites + then
                    at += 1
                place = then


@kernel()
def _mix(mixed: np.uint64, node: int) -> np.uint64:
    """Return a digest of the nodes so far and one more, never 0: as splitmix64 mixes a counter."""
    mixed = (mixed ^ np.uint64(node + 1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = mixed ^ (mixed >> np.uint64(27))
    return mixed if mixed != np.uint64(0) else np.uint64(1)
