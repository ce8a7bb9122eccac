"""Ground to ground for many places at once: the cheapest way over every satellite in view."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.kernels import kernel

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]


class PairCosts(NamedTuple):
    """One row per place, one column per root of the trees: both arrays have shape (S, R)."""

    cost: FloatArray  # one way, in the trees' unit; inf where there is no way
    ingress: RowArray  # the satellite that the place sends to, -1 where there is no way


def pair_costs(
    site_start: NDArray[np.int64], sat: RowArray, offset: FloatArray, tree_cost: FloatArray
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


@kernel()
def _pair_costs(
    site_start: NDArray[np.int64], sat: RowArray, offset: FloatArray, tree_cost: FloatArray
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
