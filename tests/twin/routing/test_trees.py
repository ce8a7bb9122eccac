"""Many trees at once against scipy's Dijkstra and a plain one, on networks of every kind."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyweave.errors import InputError
from skyweave.twin.routing import Roots, Trees, shortest_trees, tree_blocks
from skyweave.twin.routing.trees_reference import shortest_trees_reference

A_FEW_ROUNDINGS = 1e-12  # relative

Network = tuple[NDArray[np.int32], NDArray[np.float64]]


def random_network(rng: np.random.Generator, satellites: int, degree: int) -> Network:
    """A network of satellites with 0 to `degree` links, some dead, some in one direction only."""
    neighbour = np.full((satellites, degree), -1, np.int32)
    length = np.full((satellites, degree), np.nan)
    used = np.zeros(satellites, int)
    is_whole = rng.random() < 0.3  # whole numbers: many ways cost exactly the same
    for a, b in rng.integers(satellites, size=(satellites * degree, 2)).tolist():
        if a == b or used[a] >= degree or used[b] >= degree or b in neighbour[a]:
            continue
        metres = rng.integers(1, 4) * 1e6 if is_whole else rng.uniform(1e5, 5e6)
        neighbour[a, used[a]], length[a, used[a]] = b, metres
        neighbour[b, used[b]], length[b, used[b]] = a, metres
        used[[a, b]] += 1
    dead = rng.random(length.shape) < rng.choice([0.0, 0.05, 0.3])
    length[dead] = rng.choice([np.inf, np.nan, -1.0])
    neighbour[rng.random(length.shape) < 0.02] = -1
    return neighbour, length


def matrix(neighbour: NDArray[np.int32], length: NDArray[np.float64]) -> csr_matrix:
    """The links turned round, so that scipy's ways *from* a root are ours *to* it."""
    satellites, degree = neighbour.shape
    carries = (neighbour >= 0) & (length >= 0) & np.isfinite(length)
    sat = np.repeat(np.arange(satellites), degree).reshape(neighbour.shape)
    ends = (neighbour[carries], sat[carries])
    return csr_matrix((length[carries], ends), shape=(satellites, satellites))


def ring(satellites: int, metres: float = 1e6) -> Network:
    row = np.arange(satellites)
    neighbour = np.column_stack(((row - 1) % satellites, (row + 1) % satellites)).astype(np.int32)
    return neighbour, np.full(neighbour.shape, metres)


def torus(planes: int, per_plane: int, metres: float = 1e6) -> Network:
    plane, slot = np.divmod(np.arange(planes * per_plane), per_plane)
    steps = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    rows = [(plane + p) % planes * per_plane + (slot + s) % per_plane for p, s in steps]
    neighbour = np.column_stack(rows).astype(np.int32)
    return neighbour, np.full(neighbour.shape, metres)


def check_that_next_hops_realise_the_costs(network: Network, trees: Trees) -> None:
    neighbour, length = network
    root, sat = np.nonzero(trees.next_hop >= 0)
    following = trees.next_hop[root, sat]
    is_it = (neighbour[sat] == following[:, None]) & (length[sat] >= 0)
    link = np.where(is_it, length[sat], np.inf).min(axis=1, initial=np.inf)
    np.testing.assert_array_equal(trees.cost[root, following] + link, trees.cost[root, sat])
    np.testing.assert_array_equal(trees.hops[root, following] + 1, trees.hops[root, sat])


def check_equal(found: Trees, expected: Trees) -> None:
    for name in Trees._fields:
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)


def satellites_as_roots(rows: NDArray[np.int32]) -> Roots:
    return Roots(np.arange(rows.size + 1), rows, np.zeros(rows.size))


def test_costs_are_those_of_scipy_on_random_networks(full_counts, record_figure):
    networks, worst = 1000 if full_counts else 60, 0.0
    for seed in range(networks):
        rng = np.random.default_rng(seed)
        satellites = int(rng.integers(2, 200))
        network = random_network(rng, satellites, int(rng.integers(0, 6)))
        sources = rng.integers(satellites, size=int(rng.integers(1, 40))).astype(np.int32)
        trees = shortest_trees(*network, sources)
        expected = dijkstra(matrix(*network), indices=sources)
        np.testing.assert_allclose(trees.cost, expected, rtol=A_FEW_ROUNDINGS, atol=0)
        reached = np.isfinite(expected) & (expected > 0)
        error = np.abs(trees.cost[reached] / expected[reached] - 1)
        worst = max(worst, float(error.max(initial=0.0)))
        check_that_next_hops_realise_the_costs(network, trees)
        is_end = np.arange(satellites) == sources[:, None]
        np.testing.assert_array_equal(trees.next_hop == -1, is_end | np.isinf(expected))
        np.testing.assert_array_equal(trees.hops == -1, np.isinf(expected))
    record_figure(f"trees against scipy, {networks} networks, relative", worst, "", "<= 1e-6")


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), degree=st.integers(0, 8), satellites=st.integers(1, 70))
def test_every_array_is_that_of_the_plain_version(seed, degree, satellites):
    rng = np.random.default_rng(seed)
    neighbour, length = random_network(rng, satellites, degree)
    length[rng.random(length.shape) < rng.choice([0.0, 0.2])] = 0.0
    entries = rng.integers(0, 6, size=int(rng.integers(0, 70)))
    start = np.concatenate(([0], np.cumsum(entries)))
    sat = rng.integers(satellites, size=start[-1]).astype(np.int32)
    offset = rng.choice([0.0, 1e6, 2e6, np.nan, np.inf, rng.uniform(0, 1e7)], size=sat.size)
    roots = Roots(start, sat, offset)
    expected = shortest_trees_reference(neighbour, length, roots)
    check_equal(shortest_trees(neighbour, length, roots), expected)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=20, deadline=None)
def test_a_tree_is_the_same_whatever_other_roots_are_asked_for(seed):
    rng = np.random.default_rng(seed)
    network = random_network(rng, 90, 4)
    sources = rng.integers(90, size=75).astype(np.int32)
    together = shortest_trees(*network, sources)
    alone = shortest_trees(*network, sources[70:71])
    check_equal(alone, Trees(*(array[70:71] for array in together)))


def test_satellites_of_a_torus_lie_as_many_hops_away_as_planes_and_slots():
    planes, per_plane = 12, 17
    trees = shortest_trees(*torus(planes, per_plane), np.arange(planes * per_plane, dtype=np.int32))
    plane, slot = np.divmod(np.arange(planes * per_plane), per_plane)
    across, along = abs(plane[:, None] - plane), abs(slot[:, None] - slot)
    expected = np.minimum(across, planes - across) + np.minimum(along, per_plane - along)
    np.testing.assert_array_equal(trees.hops, expected)
    np.testing.assert_array_equal(trees.cost, expected * 1e6)


def test_shells_without_a_link_between_them_do_not_reach_each_other():
    (inner, near), (outer, far) = ring(9), torus(4, 5, 2e6)
    neighbour = np.full((29, 4), -1, np.int32)
    length = np.full((29, 4), np.inf)
    neighbour[:9, :2], length[:9, :2] = inner, near
    neighbour[9:], length[9:] = outer + 9, far
    trees = shortest_trees(neighbour, length, np.array([3, 12], np.int32))
    assert np.isinf(trees.cost[0, 9:]).all()
    assert np.isinf(trees.cost[1, :9]).all()
    assert (trees.next_hop[0, 9:] == -1).all()
    assert (trees.hops[1, :9] == -1).all()
    check_equal(shortest_trees(inner, near, np.array([3], np.int32)),
                Trees(*(array[:1, :9] for array in trees)))  # fmt: skip


def test_a_place_with_several_gateways_takes_the_cheapest_of_them():
    neighbour, length = ring(10)
    start, sat = np.array([0, 2]), np.array([0, 5], np.int32)
    trees = shortest_trees(neighbour, length, Roots(start, sat, np.array([2.5e6, 0.0])))
    expected = [2.5e6, 3.5e6, 3e6, 2e6, 1e6, 0.0, 1e6, 2e6, 3e6, 3.5e6]
    np.testing.assert_array_equal(trees.cost, [expected])
    np.testing.assert_array_equal(trees.next_hop, [[-1, 0, 3, 4, 5, -1, 5, 6, 7, 0]])
    np.testing.assert_array_equal(trees.hops, [[0, 1, 3, 2, 1, 0, 1, 2, 3, 1]])


def test_of_equal_ways_the_lower_row_is_taken():
    trees = shortest_trees(*ring(6), np.array([3], np.int32))
    assert trees.next_hop[0, 0] == 1
    offsets = Roots(np.array([0, 2]), np.array([0, 3], np.int32), np.array([0.0, 3e6]))
    assert shortest_trees(*ring(6), offsets).next_hop[0, 3] == -1  # its own offset, not a relay


def test_links_of_length_zero_make_no_circle():
    trees = shortest_trees(*ring(7, metres=0.0), np.array([2], np.int32))
    np.testing.assert_array_equal(trees.next_hop, [[1, 2, -1, 2, 3, 4, 0]])
    np.testing.assert_array_equal(trees.hops, [[2, 1, 0, 1, 2, 3, 3]])


def test_the_two_directions_of_a_link_may_differ():
    neighbour, length = ring(5)
    length[2, 1] = np.inf  # from 2 nothing goes up to 3
    trees = shortest_trees(neighbour, length, np.array([3], np.int32))
    np.testing.assert_array_equal(trees.hops, [[2, 3, 4, 0, 1]])


def test_blocks_of_roots_and_slots_are_pieces_of_the_whole():
    rng = np.random.default_rng(7)
    networks = [random_network(rng, 80, 4), random_network(rng, 80, 3)]
    networks.append((networks[1][0], networks[1][1] * 1.5))
    sources = rng.integers(80, size=70).astype(np.int32)
    wholes = [shortest_trees(*network, sources) for network in networks]
    seen = []
    for block in tree_blocks(networks, sources, roots_at_once=33):
        first, stop = block.first_root, block.first_root + len(block.trees.cost)
        check_equal(block.trees, Trees(*(array[first:stop] for array in wholes[block.slot])))
        seen.append((block.slot, first, stop))
    assert seen == [(k, a, b) for k in range(3) for a, b in ((0, 33), (33, 66), (66, 70))]


def test_hops_can_be_left_out():
    network, sources = torus(5, 8), np.arange(20, dtype=np.int32)
    with_hops, without = (shortest_trees(*network, sources, with_hops=w) for w in (True, False))
    assert without.hops.shape == (0, 40)
    check_equal(with_hops._replace(hops=without.hops), without)


@pytest.mark.parametrize(("satellites", "sources"), [(0, []), (5, [])])
def test_nothing_to_do_gives_empty_tables(satellites, sources):
    neighbour = np.full((satellites, 4), -1, np.int32)
    trees = shortest_trees(neighbour, np.zeros((satellites, 4)), np.array(sources, np.int32))
    assert trees.cost.shape == trees.hops.shape == trees.next_hop.shape == (0, satellites)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"length": np.ones((6, 3))}, r"neighbour has shape \(6, 2\) and length \(6, 3\)"),
        ({"neighbour": np.full((6, 2), 6, np.int32)}, "neighbour names row 6; pass -1 to 5"),
        ({"sources": np.array([6], np.int32)}, "names satellite rows 6 to 6; pass 0 to 5"),
        ({"sources": np.array([[1]], np.int32)}, r"shape \(1, 1\); pass satellite rows"),
        ({"sources": Roots(np.array([0, 1]), np.zeros(1, np.int32), np.array([-2.0]))},
         r"an offset of -2.0; it cannot be negative"),
        ({"sources": Roots(np.array([0, 2]), np.zeros(1, np.int32), np.zeros(1))},
         r"start does not lie in 0 to 1"),
        ({"sources": Roots(np.array([0, 1, 0, 1]), np.zeros(1, np.int32), np.zeros(1))},
         "pass positions that only rise"),
        ({"sources": Roots(np.array([0, 1]), np.zeros(1, np.int32), np.zeros(2))},
         r"\(1,\) satellites have \(2,\) offsets; pass one for each"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit_are_refused_with_what_to_pass(change, told):
    neighbour, length = ring(6)
    arguments = {"neighbour": neighbour, "length": length, "sources": np.zeros(1, np.int32)}
    with pytest.raises(InputError, match=told):
        shortest_trees(**(arguments | change))


def test_a_block_of_no_roots_is_refused():
    with pytest.raises(InputError, match="roots_at_once = 0; pass at least 1"):
        next(tree_blocks([ring(4)], np.zeros(1, np.int32), roots_at_once=0))
