"""Ways between places that may touch the ground in between, at places that relay."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.kernels import kernel

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]


class RelayedCosts(NamedTuple):
    """Costs between places over any relays: arrays of shape (S, S)."""

    cost: FloatArray  # one way; inf where there is none
    via: RowArray  # the place that follows on the way to another, -1 where there is no way


def relayed_costs(cost: FloatArray, relays: RowArray) -> RelayedCosts:
    """Return the cheapest ways between all places over any number of the places `relays`.

    `cost` (S, S) is that of the ways which touch no ground in between, inf where there is none.
    The cheapest way over relays is a chain of such ways, so the relays are let in one after the
    other (Floyd 1962, Algorithm 97): S x S steps for each.  Of equal ways the one that was there
    first is kept: the direct one, then the one over relays named earlier.
    """
    places = len(cost)
    if cost.shape != (places, places):
        raise InputError(f"cost has shape {cost.shape}; pass (S, S)")
    if relays.size and not 0 <= relays.min() <= relays.max() < places:
        raise InputError(f"a relay has row {relays.max()}; pass 0 to {places - 1}")
    if (cost < 0.0).any():
        raise InputError(f"a way costs {np.nanmin(cost)}; a cost cannot be negative")
    cost = cost.copy()
    via = np.where(cost < np.inf, np.arange(places, dtype=np.int32), np.int32(-1))
    _let_in(cost, via, relays)
    return RelayedCosts(cost, via)


def relayed_costs_reference(cost: FloatArray, relays: RowArray) -> RelayedCosts:
    """Return what `relayed_costs` does, a whole row at a time."""
    cost = cost.copy()
    via = np.where(cost < np.inf, np.arange(len(cost), dtype=np.int32), np.int32(-1))
    for k in relays.tolist():
        over = cost[:, k, None] + cost[k]
        better = over < cost
        np.fill_diagonal(better, False)
        better[k] = better[:, k] = False
        via = np.where(better, via[:, k, None], via)
        cost = np.where(better, over, cost)
    return RelayedCosts(cost, via)


@kernel()
def _let_in(cost: FloatArray, via: RowArray, relays: RowArray) -> None:
    places = cost.shape[0]
    for k in relays:
        for a in range(places):
            to_relay, then = cost[a, k], via[a, k]
            if a == k or not to_relay < np.inf:
                continue
            for b in range(places):
                over = to_relay + cost[k, b]
                if over < cost[a, b] and b != a and b != k:
                    cost[a, b] = over
                    via[a, b] = then
