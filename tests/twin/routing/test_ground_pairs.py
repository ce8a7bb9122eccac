"""All pairs of places, with and without relays: scipy on the graph with the ground in it."""

from itertools import combinations, pairwise
from typing import NamedTuple

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyweave.errors import InputError
from skyweave.twin.routing import (
    PairWays,
    Roots,
    Uses,
    list_nodes,
    mark_ways,
    no_ways,
    pair_costs,
    relayed_costs,
    shortest_trees,
    tree_blocks,
)
from skyweave.twin.routing.ground_pairs import NO_RELAYS
from skyweave.twin.routing.relays import relayed_costs_reference

A_FEW_ROUNDINGS = 1e-12  # relative
NOBODY = np.empty(0, np.int32)


class World(NamedTuple):
    """Random satellites and places: links both ways, views of 0 to 6 satellites."""

    neighbour: NDArray[np.int32]
    length: NDArray[np.float64]
    roots: Roots

    @property
    def satellites(self) -> int:
        return len(self.neighbour)

    @property
    def places(self) -> int:
        return self.roots.start.size - 1


def random_world(rng, satellites, degree, places, *, whole=False):
    """Draw a network in which some satellites, links and places are cut off."""
    neighbour = np.full((satellites, degree), -1, np.int32)
    length = np.full((satellites, degree), np.inf)
    used = np.zeros(satellites, int)
    for a, b in rng.integers(satellites, size=(satellites * degree, 2)).tolist():
        if a != b and max(used[a], used[b]) < degree and b not in neighbour[a]:
            metres = rng.integers(1, 4) * 1e6 if whole else rng.uniform(1e5, 5e6)
            for here, there in ((a, b), (b, a)):
                neighbour[here, used[here]], length[here, used[here]] = there, metres
                used[here] += 1
    views = [np.sort(rng.permutation(satellites)[: rng.integers(7)]) for _ in range(places)]
    start = np.cumsum([0, *(v.size for v in views)])
    sat = np.concatenate([*views, NOBODY]).astype(np.int32)
    offset = rng.integers(1, 4, sat.size) * 1e6 if whole else rng.uniform(5e5, 2e6, sat.size)
    offset = np.where(rng.random(sat.size) < 0.1, np.nan, offset.astype(np.float64))
    return World(neighbour, length, Roots(start, sat, offset))


def oracle_costs(world, relays):
    """Every place sends from a node of its own and receives at another, joined at relays."""
    n, s = world.satellites, world.places
    row, link = np.nonzero((world.neighbour >= 0) & np.isfinite(world.length))
    site = np.repeat(np.arange(s), np.diff(world.roots.start))
    is_seen = np.isfinite(world.roots.offset)
    site, sat, offset = site[is_seen], world.roots.sat[is_seen], world.roots.offset[is_seen]
    almost_nothing = 1e-6  # scipy takes a stored 0 for no link
    start = np.concatenate([row, n + site, sat, n + s + relays])
    end = np.concatenate([world.neighbour[row, link], sat, n + s + site, n + relays])
    joined = np.full(relays.size, almost_nothing)
    cost = np.concatenate([world.length[row, link], offset, offset, joined])
    graph = csr_matrix((cost, (start, end)), shape=(n + 2 * s, n + 2 * s))
    return dijkstra(graph, indices=np.arange(n, n + s))[:, n + s :]


def solved(world, relays=None):
    trees = shortest_trees(world.neighbour, world.length, world.roots)
    found = pair_costs(world.roots.start, world.roots.sat, world.roots.offset, trees.cost)
    ways, cost, via = no_ways(world.places), found.cost, NO_RELAYS
    if relays is not None:
        cost, via = relayed_costs(found.cost, relays)
    mark_ways(found.ingress, trees.next_hop, ways, via=via)
    return cost, ways, list_nodes(found.ingress, trees.next_hop, ways, via=via)


def nodes_of(ways: PairWays, node, a, b):
    return node[ways.start[a, b] :][: max(0, ways.hops[a, b] - 1)].tolist()


def cost_along(world, places_and_nodes):
    """Add up what the links between nodes cost; places are numbered behind the satellites."""
    n, total = world.satellites, 0.0
    for a, b in pairwise(places_and_nodes):
        if a < n and b < n:
            total += world.length[a, world.neighbour[a] == b].min(initial=np.inf)
            continue
        place, sat = max(a, b) - n, min(a, b)
        seen = slice(*world.roots.start[place : place + 2])
        is_it = world.roots.sat[seen] == sat
        total += np.nanmin(world.roots.offset[seen][is_it], initial=np.inf)
    return total


def check_that_nodes_realise_the_costs(world, cost, ways, node):
    n = world.satellites
    for a, b in combinations(range(world.places), 2):
        between = nodes_of(ways, node, a, b)
        assert (ways.hops[a, b] < 0) == np.isinf(cost[a, b]) == (ways.digest[a, b] == 0)
        if between:
            along = cost_along(world, [n + a, *between, n + b])
            assert along == pytest.approx(cost[a, b], rel=A_FEW_ROUNDINGS)


@given(seed=st.integers(0, 2**32 - 1), degree=st.integers(0, 4), whole=st.booleans())
@settings(max_examples=30, deadline=None)
def test_every_pair_costs_what_scipy_finds_and_its_nodes_realise_that(seed, degree, whole):
    rng = np.random.default_rng(seed)
    world = random_world(rng, rng.integers(1, 40), degree, 8, whole=whole)
    cost, ways, node = solved(world)
    expected = oracle_costs(world, NOBODY)
    above = np.triu_indices(world.places, 1)
    np.testing.assert_allclose(cost[above], expected[above], rtol=A_FEW_ROUNDINGS)
    check_that_nodes_realise_the_costs(world, cost, ways, node)
    assert (node < world.satellites).all()


@given(seed=st.integers(0, 2**32 - 1), degree=st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_ways_over_relays_cost_what_scipy_finds_and_touch_no_other_ground(seed, degree):
    rng = np.random.default_rng(seed)
    world = random_world(rng, 60, degree, 25)
    relays = np.flatnonzero(rng.random(25) < 0.5).astype(np.int32)
    cost, ways, node = solved(world, relays)
    above = np.triu_indices(world.places, 1)
    a_millimetre = 1e-3  # the oracle's joints
    np.testing.assert_allclose(
        cost[above], oracle_costs(world, relays)[above], rtol=0, atol=a_millimetre
    )
    check_that_nodes_realise_the_costs(world, cost, ways, node)
    assert np.isin(node[node >= world.satellites] - world.satellites, relays).all()


def test_bent_pipes_hand_on_from_relay_to_relay():
    # Place k sees satellites k and k + 1 of a chain without lasers.
    places = 12
    start = np.arange(0, 2 * places + 1, 2)
    sat = (np.arange(places)[:, None] + [0, 1]).ravel().astype(np.int32)
    roots = Roots(start, sat, np.full(sat.size, 1e6))
    none = np.empty((places + 1, 0))
    world = World(none.astype(np.int32), none, roots)
    cost, ways, node = solved(world, np.arange(places, dtype=np.int32))
    assert cost[0, 11] == 22e6
    assert ways.hops[0, 11] == 22
    assert nodes_of(ways, node, 0, 2) == [1, world.satellites + 1, 2]
    _, direct, _ = solved(world)
    assert direct.hops[0, 1] == 2
    assert direct.hops[0, 2] == -1


def test_letting_relays_in_is_the_plain_reference():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        cost = rng.integers(1, 9, (15, 15)).astype(float)  # with ties
        cost[rng.random(cost.shape) < 0.6] = np.inf
        relays = rng.permutation(15)[:8].astype(np.int32)
        found, expected = relayed_costs(cost, relays), relayed_costs_reference(cost, relays)
        np.testing.assert_array_equal(found.cost, expected.cost)
        np.testing.assert_array_equal(found.via, expected.via)


@pytest.mark.parametrize("roots_at_once", [1, 3, 100])
def test_roots_by_the_block_find_the_same_ways(roots_at_once):
    world = random_world(np.random.default_rng(7), 80, 3, 20)
    cost, ways, node = solved(world)
    blocks, lists, first_node = no_ways(20), [], 0
    network = [(world.neighbour, world.length)]
    for block in tree_blocks(network, world.roots, roots_at_once=roots_at_once):
        by = pair_costs(world.roots.start, world.roots.sat, world.roots.offset, block.trees.cost)
        ends = slice(block.first_root, block.first_root + len(block.trees.cost))
        np.testing.assert_array_equal(by.cost, cost[:, ends])
        which = {"first_root": block.first_root}
        mark_ways(by.ingress, block.trees.next_hop, blocks, **which)
        lists.append(
            list_nodes(by.ingress, block.trees.next_hop, blocks, first_node=first_node, **which)
        )
        first_node += lists[-1].size
    np.testing.assert_array_equal(np.concatenate(lists), node)
    for name in PairWays._fields:
        np.testing.assert_array_equal(getattr(blocks, name), getattr(ways, name), err_msg=name)


def test_digests_are_equal_exactly_where_the_nodes_are():
    seen = {}
    for seed in range(30):
        world = random_world(np.random.default_rng(seed), 30, 3, 12)
        _, ways, node = solved(world, np.arange(6, dtype=np.int32))
        for a, b in combinations(range(12), 2):
            seen.setdefault(tuple(nodes_of(ways, node, a, b)), set()).add(int(ways.digest[a, b]))
    assert all(len(digests) == 1 for digests in seen.values())
    assert len(set.union(*seen.values())) == len(seen) > 500


def test_uses_count_every_way_over_a_satellite_and_a_link():
    uses, satellites, links = Uses(50), {}, {}
    for seed in (1, 2, 2, 1):  # the links change between some of the instants
        world = random_world(np.random.default_rng(seed), 50, 3, 20)
        relays = np.arange(4, dtype=np.int32)
        _, ways, node = solved(world, relays)
        uses.add(ways, node, world.neighbour)
        for a, b in combinations(range(20), 2):
            between = nodes_of(ways, node, a, b)
            for sat in between:
                satellites[sat] = satellites.get(sat, 0) + 1
            for pair in pairwise(between):
                if max(pair) < 50:
                    key = tuple(sorted(pair))
                    links[key] = links.get(key, 0) + 1
    expected = [satellites.get(sat, 0) for sat in range(50)]
    np.testing.assert_array_equal(uses.of_satellite, expected)
    edges, counts = uses.of_link
    assert dict(zip(map(tuple, edges.tolist()), counts.tolist(), strict=True)) == links
    assert edges.tolist() == sorted(edges.tolist())


def test_uses_are_networkx_s_betweenness_between_the_places():
    world = random_world(np.random.default_rng(5), 40, 4, 15)
    _, ways, node = solved(world)
    uses = Uses(40)
    uses.add(ways, node, world.neighbour)
    graph = networkx.Graph()
    for a, k in zip(*np.nonzero(world.neighbour >= 0), strict=True):
        graph.add_edge(int(a), int(world.neighbour[a, k]), weight=world.length[a, k])
    too_dear_to_pass_twice = 1e12
    for place in range(15):
        graph.add_node(40 + place)
        for link in range(*world.roots.start[place : place + 2]):
            if np.isfinite(world.roots.offset[link]):
                weight = world.roots.offset[link] + too_dear_to_pass_twice
                graph.add_edge(40 + place, int(world.roots.sat[link]), weight=weight)
    places = [40 + place for place in range(15)]
    expected = networkx.betweenness_centrality_subset(
        graph, places, places, normalized=False, weight="weight"
    )
    found = dict(enumerate(uses.of_satellite.tolist()))
    assert found == {sat: expected.get(sat, 0.0) for sat in range(40)}
    assert sum(found.values()) > 50


@pytest.mark.parametrize(
    ("ingress", "first_root", "via", "text"),
    [
        (np.zeros((3, 2), np.int32), 0, NO_RELAYS, r"pass \(S, R\), \(R, N\) and \(S, S\)"),
        (np.zeros((3, 3), np.int32), 1, NO_RELAYS, "roots 1 to 3 of 3 places"),
        (np.zeros((3, 3), np.int32), 0, np.zeros((2, 2), np.int32), "with every place a root"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(ingress, first_root, via, text):
    with pytest.raises(InputError, match=text):
        mark_ways(ingress, np.zeros((3, 5), np.int32), no_ways(3), first_root=first_root, via=via)


@pytest.mark.parametrize(
    ("cost", "relays", "text"),
    [
        (np.ones((2, 3)), [], r"pass \(S, S\)"),
        (np.ones((2, 2)), [2], "a relay has row 2; pass 0 to 1"),
        (-np.ones((2, 2)), [], "cannot be negative"),
    ],
)
def test_relays_that_do_not_fit_are_refused(cost, relays, text):
    with pytest.raises(InputError, match=text):
        relayed_costs(cost, np.array(relays, dtype=np.int32))


def test_a_satellite_between_three_places_serves_all_their_ways():
    start, sat = np.arange(4), np.zeros(3, np.int32)
    world = World(np.full((1, 1), -1, np.int32), np.full((1, 1), np.inf),
                  Roots(start, sat, np.array([1.0, 2.0, 4.0])))  # fmt: skip
    cost, ways, node = solved(world)
    assert [cost[0, 1], cost[0, 2], cost[1, 2]] == [3.0, 5.0, 6.0]
    assert node.tolist() == [0, 0, 0]
    assert ways.hops[0, 1] == 2
