"""Feeder links: which satellites each gateway's antennas follow during a slot."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.kernels import kernel
from skyweave.twin.geometry import VisiblePairs

IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]


class FeederLinks(NamedTuple):
    """The links of one slot by gateway, then satellite: arrays of shape (L,)."""

    gateway: RowArray
    sat: RowArray


NO_LINKS = FeederLinks(np.empty(0, np.int32), np.empty(0, np.int32))


class FeederRule(Protocol):
    """How feeder links are chosen; `assign_feeders` is one, a scenario may bring another."""

    def __call__(
        self,
        previous: FeederLinks | None,
        pairs: VisiblePairs,
        remaining: RowArray,
        antennas: RowArray,
        max_gateways_per_sat: int = 2,
        *,
        usable_sat: BoolArray,
    ) -> FeederLinks:
        """Return the links of a slot; the arguments are those of `assign_feeders`."""


def assign_feeders(
    previous: FeederLinks | None,
    pairs: VisiblePairs,
    remaining: RowArray,
    antennas: RowArray,
    max_gateways_per_sat: int = 2,
    *,
    usable_sat: BoolArray,
) -> FeederLinks:
    """Return the feeder links of a slot, given those of the slot before (None at the start).

    `pairs` are the gateways and the satellites they see at the slot's start, and `remaining` (P,)
    for how many whole slots each pair stays above the mask.  `antennas` (G,) are the satellites a
    gateway can follow, and `usable_sat` (N,) the satellites that take feeder links at all.

    A pair can be linked when it stays above the mask for the whole slot (`remaining` of 1 or more)
    and its satellite is usable.  Pairs are ranked: longest remaining first, then the lower
    satellite, then the lower gateway.  In that order links are given, as long as the gateway has a
    free antenna and the satellite fewer than `max_gateways_per_sat` gateways,

    1. to the pairs linked in the slot before,
    2. to pairs whose satellite has no gateway at that moment,
    3. to pairs whose satellite has one gateway; and so on up to the limit.

    Each round ends before the next begins, so nobody gets a second gateway while an antenna could
    give somebody a first.  Where nothing has failed, round 1 keeps all of the old links that last.
    """
    _check(previous, pairs, remaining, antennas, usable_sat)
    old = NO_LINKS if previous is None else previous
    held = _held(old.gateway, old.sat, pairs.site_start, pairs.sat)
    linked = _linked(
        pairs.site_rows, pairs.sat, remaining, held, antennas, usable_sat, max_gateways_per_sat
    )
    return FeederLinks(pairs.site_rows[linked], pairs.sat[linked])


def assign_feeders_plainly(
    previous: FeederLinks | None,
    pairs: VisiblePairs,
    remaining: RowArray,
    antennas: RowArray,
    max_gateways_per_sat: int = 2,
    *,
    usable_sat: BoolArray,
) -> FeederLinks:
    """Return what `assign_feeders` returns, by its words: its plain reference."""
    held = set(zip(previous.gateway, previous.sat, strict=True)) if previous else set()
    free = antennas.tolist()
    gateways_of = [0] * usable_sat.size
    ranked = sorted(
        (-left, sat, gateway)
        for gateway, sat, left in zip(pairs.site_rows, pairs.sat, remaining, strict=True)
        if left >= 1 and usable_sat[sat]
    )
    links: set[tuple[int, int]] = set()
    for level in range(-1, max_gateways_per_sat):
        for _, sat, gateway in ranked:
            called = (gateway, sat) in held if level < 0 else gateways_of[sat] == level
            can = free[gateway] > 0 and gateways_of[sat] < max_gateways_per_sat
            if called and can and (gateway, sat) not in links:
                links.add((gateway, sat))
                free[gateway] -= 1
                gateways_of[sat] += 1
    ordered = np.array(sorted(links), dtype=np.int32).reshape(-1, 2)
    return FeederLinks(ordered[:, 0].copy(), ordered[:, 1].copy())


def _check(
    previous: FeederLinks | None,
    pairs: VisiblePairs,
    remaining: RowArray,
    antennas: RowArray,
    usable_sat: BoolArray,
) -> None:
    """Refuse what would make a kernel read outside its arrays."""
    if remaining.size != len(pairs) or antennas.size != pairs.sites:
        raise InputError(
            f"{len(pairs)} pairs of {pairs.sites} gateways have {remaining.size} remaining slots "
            f"and {antennas.size} antenna counts; pass one for each"
        )
    if previous is not None and previous.gateway.max(initial=-1) >= pairs.sites:
        raise InputError(
            f"a link of the slot before names gateway {previous.gateway.max()}, expected at most "
            f"{pairs.sites - 1}; pass the links of the same gateways"
        )
    if len(pairs) and pairs.sat.max() >= usable_sat.size:
        raise InputError(
            f"satellite row {pairs.sat.max()} is in view but usable_sat has {usable_sat.size} "
            "rows; pass one for each satellite"
        )


@kernel()
def _held(gateway: RowArray, sat: RowArray, start: IntArray, seen: RowArray) -> BoolArray:
    """Return whether each pair, of satellites `seen` from each gateway's `start` on, is a link."""
    held = np.zeros(seen.size, np.bool_)
    for link in range(gateway.size):
        first, stop = start[gateway[link]], start[gateway[link] + 1]
        pair = first + np.searchsorted(seen[first:stop], sat[link])
        if pair < stop and seen[pair] == sat[link]:
            held[pair] = True
    return held


@kernel()
def _linked(
    gateway: RowArray,
    sat: RowArray,
    remaining: RowArray,
    held: BoolArray,
    antennas: RowArray,
    usable_sat: BoolArray,
    max_gateways_per_sat: int,
) -> BoolArray:
    """Return whether each pair becomes a link, shape (P,)."""
    free = antennas.copy()
    gateways_of = np.zeros(usable_sat.size, np.int32)
    ranked = _ranked(sat, remaining, usable_sat)
    linked = np.zeros(sat.size, np.bool_)
    for level in range(-1, max_gateways_per_sat):
        for pair in ranked:
            s, g = sat[pair], gateway[pair]
            called = held[pair] if level < 0 else gateways_of[s] == level
            can = free[g] > 0 and gateways_of[s] < max_gateways_per_sat
            if called and can and not linked[pair]:
                linked[pair] = True
                free[g] -= 1
                gateways_of[s] += 1
    return linked


@kernel()
def _ranked(sat: RowArray, remaining: RowArray, usable_sat: BoolArray) -> RowArray:
    """Return the pairs that can be linked by longest remaining, then satellite, then gateway.

    Two counting sorts, first by satellite, then by remaining slots.  Both keep the order of equals,
    and pairs come by gateway.
    """
    of_sat = np.zeros(usable_sat.size + 1, np.int64)
    longest = int(remaining.max()) if remaining.size else 0
    of_left = np.zeros(longest + 2, np.int64)
    count = 0
    for pair in range(sat.size):
        if remaining[pair] >= 1 and usable_sat[sat[pair]]:
            of_sat[sat[pair] + 1] += 1
            of_left[longest - remaining[pair] + 1] += 1
            count += 1
    next_of_sat, next_of_left = np.cumsum(of_sat), np.cumsum(of_left)
    by_sat, ranked = np.empty(count, np.int32), np.empty(count, np.int32)
    for pair in range(sat.size):
        if remaining[pair] >= 1 and usable_sat[sat[pair]]:
            by_sat[next_of_sat[sat[pair]]] = pair
            next_of_sat[sat[pair]] += 1
    for k in range(count):
        shorter = longest - remaining[by_sat[k]]
        ranked[next_of_left[shorter]] = by_sat[k]
        next_of_left[shorter] += 1
    return ranked
