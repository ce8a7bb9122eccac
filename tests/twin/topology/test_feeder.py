"""Feeder links, compared with the rule written out plainly and with cases worked by hand."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.errors import InputError
from skyweave.twin.geometry import VisiblePairs
from skyweave.twin.topology import FeederLinks, assign_feeders
from skyweave.twin.topology.feeder import assign_feeders_plainly


def sky(*gateways):
    """Visible pairs and remaining slots of {satellite: slots} per gateway."""
    start = np.cumsum([0, *map(len, gateways)])
    ordered = [sorted(seen.items()) for seen in gateways]
    sat = np.array([sat for seen in ordered for sat, _ in seen], np.int32)
    remaining = np.array([slots for seen in ordered for _, slots in seen], np.int32)
    return VisiblePairs(start, sat), remaining


def links(*pairs):
    gateway, sat = np.array(pairs, np.int32).reshape(-1, 2).T.copy()
    return FeederLinks(gateway, sat)


def chosen(previous, gateways, antennas, limit=2, satellites=10, unusable=()):
    usable = ~np.isin(np.arange(satellites), unusable)
    pairs, remaining = sky(*gateways)
    found = assign_feeders(
        previous, pairs, remaining, np.array(antennas, np.int32), limit, usable_sat=usable
    )
    return list(zip(found.gateway.tolist(), found.sat.tolist(), strict=True))


HAND_WORKED = {
    "an antenna follows the satellite that stays longest": (
        (None, [{3: 2, 5: 9, 7: 4}], [1]),
        [(0, 5)],
    ),
    "equal stays go to the lower satellite": ((None, [{7: 4, 5: 4}], [1]), [(0, 5)]),
    "equal stays of one satellite go to the lower gateway": (
        (None, [{5: 4}, {5: 4}], [1, 1], 1),
        [(0, 5)],
    ),
    "a link that lasts is kept although another would last longer": (
        (links((0, 3)), [{3: 1, 5: 9}], [1]),
        [(0, 3)],
    ),
    "a link that ends within the slot gives its antenna up": (
        (links((0, 3)), [{3: 0, 5: 1}], [1]),
        [(0, 5)],
    ),
    "a satellite that set gives its antenna up": ((links((0, 3)), [{5: 1}], [1]), [(0, 5)]),
    "a satellite without a gateway comes before one with a longer stay": (
        (links((0, 3)), [{3: 9}, {3: 9, 5: 1}], [1, 1]),
        [(0, 3), (1, 5)],
    ),
    "second gateways are given when nobody lacks a first": (
        (None, [{3: 9, 5: 1}, {3: 8}], [2, 1]),
        [(0, 3), (0, 5), (1, 3)],
    ),
    "a satellite takes at most two gateways": (
        (None, [{3: 7}, {3: 8}, {3: 9}], [8, 8, 8]),
        [(1, 3), (2, 3)],
    ),
    "a limit that was lowered holds for links that last too": (
        (links((0, 3), (1, 3)), [{3: 7}, {3: 8}], [8, 8], 1),
        [(1, 3)],
    ),
    "the limit can be another": ((None, [{3: 7}, {3: 8}, {3: 9}], [8, 8, 8], 3),
        [(0, 3), (1, 3), (2, 3)],
    ),
    "a satellite that takes no feeder link gets none, kept or new": (
        (links((0, 3)), [{3: 9, 4: 9, 5: 1}], [1], 2, 10, (3, 4)),
        [(0, 5)],
    ),
    "a gateway without antennas loses its links": (
        (links((0, 3), (1, 5)), [{3: 9}, {5: 9}], [0, 1]),
        [(1, 5)],
    ),
    "a gateway that lost antennas keeps what stays longest": (
        (links((0, 3), (0, 4), (0, 5)), [{3: 1, 4: 6, 5: 2, 6: 9}], [2]),
        [(0, 4), (0, 5)],
    ),
    "links come by gateway, then satellite": (
        (None, [{9: 1, 2: 5}, {8: 7, 1: 3}], [2, 2]),
        [(0, 2), (0, 9), (1, 1), (1, 8)],
    ),
    "nothing in view is no link": ((None, [{}, {}], [8, 8]), []),
    "no gateway is no link": ((None, [], []), []),
}  # fmt: skip


@pytest.mark.parametrize("case", HAND_WORKED)
def test_hand_worked_case(case):
    arguments, expected = HAND_WORKED[case]
    assert chosen(*arguments) == expected


def random_slots(seed, slots, gateways, satellites, seen):
    """Consecutive slots in which satellites rise, stay and set."""
    rng = np.random.default_rng(seed)
    left = np.where(rng.random((gateways, satellites)) < seen / satellites, 1, 0)
    left *= rng.integers(1, 8, left.shape)
    for _ in range(slots):
        rising = (left < 0) & (rng.random(left.shape) < seen / satellites / 5)
        left = np.where(rising, rng.integers(0, 12, left.shape), left)
        gateway, sat = np.nonzero(left >= 0)
        start = np.searchsorted(gateway, np.arange(gateways + 1))
        yield VisiblePairs(start, sat.astype(np.int32)), left[left >= 0].astype(np.int32)
        left = np.maximum(left - 1, -1)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    gateways=st.integers(1, 12),
    satellites=st.integers(1, 40),
    antennas=st.integers(0, 5),
    limit=st.integers(0, 3),
)
def test_the_kernel_follows_the_plain_rule_slot_after_slot(
    seed, gateways, satellites, antennas, limit
):
    rng = np.random.default_rng(seed)
    previous = None
    for pairs, remaining in random_slots(seed, 6, gateways, satellites, 8):
        free = rng.integers(0, antennas + 1, gateways).astype(np.int32)
        usable = rng.random(satellites) < 0.9
        found = assign_feeders(previous, pairs, remaining, free, limit, usable_sat=usable)
        plain = assign_feeders_plainly(previous, pairs, remaining, free, limit, usable_sat=usable)
        np.testing.assert_array_equal(found.gateway, plain.gateway)
        np.testing.assert_array_equal(found.sat, plain.sat)
        previous = found


def test_limits_hold_and_links_that_last_are_kept_on_a_whole_network():
    gateways, satellites = 60, 900
    antennas, usable = np.full(gateways, 8, np.int32), np.arange(satellites) % 10 != 0
    slots = list(random_slots(3, 20, gateways, satellites, 30))
    found = [assign_feeders(None, *slots[0], antennas, usable_sat=usable)]
    for pairs, remaining in slots[1:]:
        found.append(assign_feeders(found[-1], pairs, remaining, antennas, usable_sat=usable))
    for links_now, (pairs, remaining) in zip(found, slots, strict=True):
        assert np.bincount(links_now.gateway).max() <= 8
        assert np.bincount(links_now.sat).max() <= 2
        assert usable[links_now.sat].all()
        whole_slot = remaining >= 1
        assert pair_set(links_now) <= set(
            zip(pairs.site_rows[whole_slot].tolist(), pairs.sat[whole_slot].tolist(), strict=True)
        )
    for (before, now), (pairs, remaining) in zip(pairwise(found), slots[1:], strict=True):
        lasting = remaining >= 1
        up = set(zip(pairs.site_rows[lasting].tolist(), pairs.sat[lasting].tolist(), strict=True))
        assert pair_set(before) & up <= pair_set(now)


def pair_set(found):
    return set(zip(found.gateway.tolist(), found.sat.tolist(), strict=True))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"remaining": np.zeros(1, np.int32)}, "2 pairs of 1 gateways have 1 remaining slots"),
        ({"antennas": np.zeros(2, np.int32)}, "and 2 antenna counts; pass one for each"),
        ({"previous": links((1, 3))}, "names gateway 1, expected at most 0; pass the links of the"),
        ({"usable_sat": np.ones(5, bool)}, "satellite row 5 is in view but usable_sat has 5 rows"),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_what_to_pass(change, text):
    pairs, remaining = sky({3: 1, 5: 1})
    right = {
        "previous": None,
        "pairs": pairs,
        "remaining": remaining,
        "antennas": np.ones(1, np.int32),
        "usable_sat": np.ones(10, bool),
    }
    with pytest.raises(InputError, match=text):
        assign_feeders(**(right | change))
