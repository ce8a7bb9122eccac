"""Cheapest ways over the satellites, compared with scipy's Dijkstra and with the tie rules."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.twin.routing import (
    GroundLinks,
    cheapest_to_ground,
    ground_links,
    ground_paths,
    walk,
)

ROUNDING = 1e-12  # relative


def network(satellites, edges, length_m):
    """The padded arrays of a list of links."""
    listed = [[] for _ in range(satellites)]
    for (a, b), metres in zip(edges, length_m, strict=True):
        listed[a].append((b, metres))
        listed[b].append((a, metres))
    degree = max((len(row) for row in listed), default=0) + 1
    neighbour = np.full((satellites, degree), -1, np.int32)
    padded_m = np.full((satellites, degree), np.nan)
    for row, links in enumerate(listed):
        for k, (other, metres) in enumerate(links):
            neighbour[row, k], padded_m[row, k] = other, metres
    return neighbour, padded_m


def torus(planes, per_plane, rng, dead_share=0.0):
    edges = []
    for plane in range(planes):
        for slot in range(per_plane):
            here = plane * per_plane + slot
            edges.append((here, plane * per_plane + (slot + 1) % per_plane))
            edges.append((here, (plane + 1) % planes * per_plane + slot))
    length_m = rng.uniform(0.5e6, 2e6, len(edges))
    length_m[rng.random(len(edges)) < dead_share] = np.nan
    return network(planes * per_plane, edges, length_m)


def scattered(satellites, links, rng):
    """A random network that falls into many pieces; its lengths span six decades."""
    ends = rng.integers(0, satellites, (links, 2))
    edges = sorted({(min(a, b), max(a, b)) for a, b in ends.tolist() if a != b})
    length_m = 10.0 ** rng.uniform(1.0, 7.0, len(edges))
    length_m[rng.random(len(edges)) < 0.1] = np.inf
    return network(satellites, edges, length_m)


def scipy_costs_s(neighbour, length_m, seed_sat, seed_cost_s):
    """The oracle: one more node, joined one way to each seed, is the only source."""
    satellites = len(neighbour)
    row, k = np.nonzero((neighbour >= 0) & np.isfinite(length_m))
    seed = np.flatnonzero(np.isfinite(seed_cost_s))
    # Of several seeds on one satellite the sparse matrix would add the costs up.
    seed = seed[np.lexsort((seed_cost_s[seed], seed_sat[seed]))]
    seed = seed[np.unique(seed_sat[seed], return_index=True)[1]]
    source = np.concatenate([row, np.full(seed.size, satellites)])
    target = np.concatenate([neighbour[row, k], seed_sat[seed]])
    cost_s = np.concatenate([length_m[row, k] / SPEED_OF_LIGHT_M_S, seed_cost_s[seed]])
    graph = csr_matrix((cost_s, (source, target)), shape=(satellites + 1, satellites + 1))
    return dijkstra(graph, indices=satellites)[:satellites]


def check_rules(neighbour, length_m, seed_sat, seed_cost_s, costs):
    """Hold every satellite's choice against the rules of `cheapest_to_ground`, one by one."""
    for sat in range(len(neighbour)):
        offers = {
            int(other): costs.cost_s[other] + metres / SPEED_OF_LIGHT_M_S
            for other, metres in zip(neighbour[sat], length_m[sat], strict=True)
            if other >= 0 and np.isfinite(metres)
        }
        own_s = np.where(seed_sat == sat, seed_cost_s, np.inf)
        own_s[np.isnan(own_s)] = np.inf
        if np.isinf(costs.cost_s[sat]):
            assert (costs.next_sat[sat], costs.seed[sat], costs.hops[sat]) == (-1, -1, -1)
        elif own_s.min(initial=np.inf) == costs.cost_s[sat]:
            assert (costs.next_sat[sat], costs.hops[sat]) == (-1, 0)
            assert costs.seed[sat] == np.argmin(own_s)
        else:
            cheapest = min(offers, key=lambda other: (offers[other], other))
            assert offers[cheapest] == costs.cost_s[sat]
            assert costs.next_sat[sat] == cheapest
            assert costs.seed[sat] == costs.seed[cheapest]
            assert costs.hops[sat] == costs.hops[cheapest] + 1


def some_seeds(satellites, count, rng):
    cost_s = rng.uniform(0.002, 0.03, count)
    cost_s[rng.random(count) < 0.1] = np.nan
    return rng.integers(0, satellites, count).astype(np.int32), cost_s


@pytest.mark.parametrize(
    ("name", "make", "seeds"),
    [
        ("a torus with one gateway link", lambda rng: torus(20, 22, rng), 1),
        ("a torus with many gateway links", lambda rng: torus(34, 34, rng), 200),
        ("a torus with a third of its links dead", lambda rng: torus(30, 30, rng, 0.33), 20),
        ("a network in pieces", lambda rng: scattered(1500, 1600, rng), 30),
        ("a dense random network", lambda rng: scattered(400, 4000, rng), 10),
        ("ten thousand satellites, 1,700 feeder links", lambda rng: torus(100, 100, rng), 1700),
        ("no gateway at all", lambda rng: torus(5, 5, rng), 0),
    ],
)
def test_costs_agree_with_scipy_and_choices_with_the_rules(name, make, seeds, record_figure):
    rng = np.random.default_rng(1)
    neighbour, length_m = make(rng)
    seed_sat, seed_cost_s = some_seeds(len(neighbour), seeds, rng)
    costs = cheapest_to_ground(neighbour, length_m, seed_sat, seed_cost_s)
    expected_s = scipy_costs_s(neighbour, length_m, seed_sat, seed_cost_s)
    reached = np.isfinite(expected_s)
    np.testing.assert_array_equal(np.isfinite(costs.cost_s), reached)
    difference = np.abs(costs.cost_s[reached] / expected_s[reached] - 1.0).max(initial=0.0)
    record_figure(f"Dijkstra against scipy: {name}", difference, "relative", "<= 1e-12")
    assert difference <= ROUNDING
    check_rules(neighbour, length_m, seed_sat, seed_cost_s, costs)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), satellites=st.integers(1, 30), links=st.integers(0, 60))
def test_equal_lengths_are_decided_by_row_in_any_network(seed, satellites, links):
    rng = np.random.default_rng(seed)
    neighbour, length_m = scattered(satellites, links, rng)
    length_m = np.where(np.isfinite(length_m), 1e6, length_m)
    count = int(rng.integers(0, 5))
    seed_sat, seed_cost_s = rng.integers(0, satellites, count).astype(np.int32), np.zeros(count)
    costs = cheapest_to_ground(neighbour, length_m, seed_sat, seed_cost_s)
    expected_s = scipy_costs_s(neighbour, length_m, seed_sat, seed_cost_s + 1.0) - 1.0
    np.testing.assert_allclose(costs.cost_s, expected_s, rtol=0, atol=ROUNDING)
    check_rules(neighbour, length_m, seed_sat, seed_cost_s, costs)


def test_satellites_at_one_point_are_joined_without_a_loop():
    neighbour, length_m = network(4, [(0, 1), (1, 2), (2, 3), (0, 3)], [0.0, 0.0, 0.0, 0.0])
    costs = cheapest_to_ground(neighbour, length_m, np.array([2], np.int32), np.array([0.01]))
    np.testing.assert_array_equal(costs.cost_s, 0.01)
    assert [walk(costs.next_sat, sat)[-1] for sat in range(4)] == [2, 2, 2, 2]


def test_a_seed_is_preferred_to_a_relay_that_costs_the_same():
    neighbour, length_m = network(2, [(0, 1)], [1e6])
    relay_s = 0.01 + 1e6 / SPEED_OF_LIGHT_M_S
    for seed_sat in ([0, 1], [1, 0]):
        seed_cost_s = np.where(np.array(seed_sat) == 0, 0.01, relay_s)
        costs = cheapest_to_ground(neighbour, length_m, np.array(seed_sat, np.int32), seed_cost_s)
        np.testing.assert_array_equal(costs.next_sat, [-1, -1])
        np.testing.assert_array_equal(costs.seed, np.argsort(seed_sat))


def test_a_walk_adds_up_to_the_cost_and_ends_at_the_seed():
    rng = np.random.default_rng(2)
    neighbour, length_m = torus(12, 12, rng)
    seed_sat, seed_cost_s = some_seeds(144, 4, rng)
    costs = cheapest_to_ground(neighbour, length_m, seed_sat, seed_cost_s)
    for sat in range(144):
        rows = walk(costs.next_sat, sat)
        hops_m = [length_m[a, neighbour[a] == b][0] for a, b in pairwise(rows)]
        assert rows[-1] == seed_sat[costs.seed[sat]]
        assert len(rows) - 1 == costs.hops[sat]
        total_s = seed_cost_s[costs.seed[sat]] + sum(hops_m) / SPEED_OF_LIGHT_M_S
        assert total_s == pytest.approx(costs.cost_s[sat], rel=ROUNDING)


def test_a_negative_length_carries_nothing():
    neighbour, length_m = network(2, [(0, 1)], [-1.0])
    costs = cheapest_to_ground(neighbour, length_m, np.array([0], np.int32), np.array([0.01]))
    np.testing.assert_array_equal(costs.cost_s, [0.01, np.inf])


def view(satellites, count, rng):
    sat = np.sort(rng.choice(satellites, count, replace=False)).astype(np.int32)
    return ground_links(sat, rng.uniform(0.5e6, 1.2e6, count))


def scipy_path_cost_s(neighbour, length_m, start, end):
    reach_s = scipy_costs_s(neighbour, length_m, *start)
    return np.min(reach_s[end.sat] + end.cost_s, initial=np.inf)


def path_cost_s(path, neighbour, length_m, start, end):
    """What the path named costs, link by link."""
    hops = pairwise(path.sats)
    lasers_s = sum(length_m[a, neighbour[a] == b].min() for a, b in hops) / SPEED_OF_LIGHT_M_S
    return start.cost_s[path.start_link] + lasers_s + end.cost_s[path.end_link]


@pytest.mark.parametrize("seed", range(20))
def test_a_ground_path_is_the_minimum_over_all_ends(seed):
    rng = np.random.default_rng(seed)
    neighbour, length_m = torus(16, 16, rng, 0.2)
    start, end = view(256, 9, rng), view(256, 7, rng)
    (path,) = ground_paths(neighbour, length_m, start, end)
    expected_s = scipy_path_cost_s(neighbour, length_m, start, end)
    assert path.cost_s == pytest.approx(expected_s, rel=ROUNDING)
    assert path.cost_s == pytest.approx(
        path_cost_s(path, neighbour, length_m, start, end), rel=ROUNDING
    )
    assert (path.sats[0], path.sats[-1]) == (start.sat[path.start_link], end.sat[path.end_link])


@pytest.mark.parametrize("seed", range(10))
def test_the_way_back_costs_the_same(seed):
    rng = np.random.default_rng(seed)
    neighbour, length_m = torus(16, 16, rng)
    start, end = view(256, 9, rng), view(256, 7, rng)
    (there,), (back,) = (
        ground_paths(neighbour, length_m, a, b) for a, b in ((start, end), (end, start))
    )
    assert there.cost_s == pytest.approx(back.cost_s, rel=ROUNDING)
    assert there.sats == back.sats[::-1]


def links_of(path):
    lasers = [frozenset(pair) for pair in pairwise(path.sats)]
    return {*lasers, ("start", path.start_link), ("end", path.end_link)}


@pytest.mark.parametrize("disjoint", ["satellite", "edge"])
@pytest.mark.parametrize("seed", range(10))
def test_each_further_path_is_the_cheapest_of_what_is_left(disjoint, seed):
    rng = np.random.default_rng(seed)
    neighbour, length_m = torus(10, 10, rng)
    start, end = view(100, 5, rng), view(100, 5, rng)
    before_m = length_m.copy()
    paths = ground_paths(neighbour, length_m, start, end, count=9, disjoint=disjoint)
    np.testing.assert_array_equal(length_m, before_m)
    assert len(paths) > 1
    for path in [*paths, None]:
        left_s = scipy_path_cost_s(neighbour, length_m, start, end)
        assert (path.cost_s if path else np.inf) == pytest.approx(left_s, rel=ROUNDING)
        if path is None:
            break
        # Take the path away by hand and ask the oracle again.
        start, end, length_m = taken_away(path, disjoint, neighbour, length_m, start, end)
    costs_s = [path.cost_s for path in paths]
    assert costs_s == sorted(costs_s)
    taken = [set(path.sats) if disjoint == "satellite" else links_of(path) for path in paths]
    assert len(set().union(*taken)) == sum(len(part) for part in taken)


def taken_away(path, disjoint, neighbour, length_m, start, end):
    rows = np.arange(len(neighbour))[:, None]
    if disjoint == "satellite":
        used = np.isin(neighbour, path.sats) | np.isin(rows, path.sats)
        left = [np.where(np.isin(x.sat, path.sats), np.inf, x.cost_s) for x in (start, end)]
    else:
        used = np.zeros(neighbour.shape, bool)
        for a, b in pairwise(path.sats):
            used |= ((rows == a) & (neighbour == b)) | ((rows == b) & (neighbour == a))
        ends = (start, path.start_link), (end, path.end_link)
        left = [np.where(np.arange(x.sat.size) == link, np.inf, x.cost_s) for x, link in ends]
    start, end = (x._replace(cost_s=c) for x, c in zip((start, end), left, strict=True))
    return start, end, np.where(used, np.nan, length_m)


def test_one_satellite_in_view_of_both_is_a_bent_pipe():
    neighbour, length_m = network(3, [(0, 1), (1, 2)], [1e6, 1e6])
    start = ground_links(np.array([0, 1], np.int32), np.array([6e5, 9e5]))
    end = ground_links(np.array([1, 2], np.int32), np.array([7e5, 6e5]))
    (path,) = ground_paths(neighbour, length_m, start, end)
    assert path == (pytest.approx(1.6e6 / SPEED_OF_LIGHT_M_S), (1,), 1, 0)


def test_a_pop_is_reached_by_the_feeder_link_whose_fibre_is_shortest():
    neighbour, length_m = network(2, [(0, 1)], [1e6])
    start = ground_links(np.array([0], np.int32), np.array([6e5]))
    fibre_s = np.array([0.008, 0.004, 0.001])
    end = ground_links(np.array([0, 0, 1], np.int32), np.full(3, 7e5), fibre_s)
    paths = ground_paths(neighbour, length_m, start, end)
    assert [(path.sats, path.end_link) for path in paths] == [((0,), 1)]
    nearer = end._replace(cost_s=end.cost_s - np.array([0.0, 0.0, 0.001]))
    paths = ground_paths(neighbour, length_m, start, nearer)
    assert [(path.sats, path.end_link) for path in paths] == [((0, 1), 2)]


def test_equal_ways_out_are_decided_by_row():
    neighbour, length_m = network(3, [(0, 1), (0, 2)], [1e6, 1e6])
    start = ground_links(np.array([0], np.int32), np.array([6e5]))
    end = ground_links(np.array([2, 1, 1], np.int32), np.full(3, 7e5))
    (path,) = ground_paths(neighbour, length_m, start, end)
    assert (path.sats, path.end_link) == ((0, 1), 1)


def test_a_far_end_without_ground_delay_is_not_given_up_too_early():
    quarter_m = 0.25 * SPEED_OF_LIGHT_M_S
    neighbour, length_m = network(3, [(0, 2), (0, 1)], [quarter_m, 3.0 * quarter_m])
    start = GroundLinks(np.array([0], np.int32), np.array([0.25]))
    end = GroundLinks(np.array([2, 1], np.int32), np.array([0.5, 0.0]))
    (path,) = ground_paths(neighbour, length_m, start, end)
    assert path == (1.0, (0, 1), 0, 1)  # both ways cost 1 s: the lower row decides


@pytest.mark.parametrize("case", ["cut", "sees nothing", "failed satellite"])
def test_no_path_is_an_empty_list_and_not_a_round_trip_of_zero(case):
    neighbour, length_m = network(4, [(0, 1), (2, 3)], [1e6, 1e6])
    start = ground_links(np.array([0], np.int32), np.array([6e5]))
    end = {
        "cut": ground_links(np.array([3], np.int32), np.array([6e5])),
        "sees nothing": ground_links(np.zeros(0, np.int32), np.zeros(0)),
        "failed satellite": ground_links(np.array([1], np.int32), np.array([np.nan])),
    }[case]
    assert ground_paths(neighbour, length_m, start, end, count=3) == []
    assert ground_paths(neighbour, length_m, end, start, count=3) == []


NEIGHBOUR, LENGTH_M = np.array([[1], [0]], np.int32), np.array([[1e6], [1e6]])
LINK = GroundLinks(np.array([0], np.int32), np.array([0.002]))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: walk(np.array([-1]), 1), "walk starts at row 1; pass 0 to 0"),
        (lambda: walk(np.array([-1]), -1), "walk starts at row -1; pass 0 to 0"),
        (
            lambda: cheapest_to_ground(NEIGHBOUR, LENGTH_M[:1], *LINK),
            r"neighbour has shape \(2, 1\) and length_m \(1, 1\); pass both \(N, K\)",
        ),
        (
            lambda: cheapest_to_ground(NEIGHBOUR + 1, LENGTH_M, *LINK),
            "neighbour names row 2; pass -1 to 1",
        ),
        (
            lambda: cheapest_to_ground(NEIGHBOUR, LENGTH_M, LINK.sat, np.zeros(2)),
            r"\(1,\) satellites have \(2,\) costs; pass one for each",
        ),
        (
            lambda: cheapest_to_ground(NEIGHBOUR, LENGTH_M, LINK.sat + 2, LINK.cost_s),
            "a ground link names satellite rows 2 to 2; pass 0 to 1",
        ),
        (
            lambda: cheapest_to_ground(NEIGHBOUR, LENGTH_M, LINK.sat, -LINK.cost_s),
            "a ground link costs -0.002 s; a cost cannot be negative",
        ),
        (
            lambda: ground_paths(NEIGHBOUR, LENGTH_M, LINK, LINK, disjoint="node"),
            'disjoint = "node"; pass "satellite" or "edge"',
        ),
        (
            lambda: ground_paths(NEIGHBOUR, LENGTH_M, LINK, LINK._replace(sat=LINK.sat - 1)),
            "a ground link names satellite rows -1 to -1; pass 0 to 1",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused_with_what_to_pass(call, text):
    with pytest.raises(InputError, match=text):
        call()
