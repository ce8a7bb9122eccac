"""What remains of a way after each single failure, against networkx on the network without it."""

from itertools import pairwise

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.twin.routing import GroundLinks, failovers, ground_paths

A_FEW_ROUNDINGS = 1e-12  # relative
START, END = "start", "end"


def random_case(seed, satellites=25, degree=3):
    rng = np.random.default_rng(seed)
    neighbour = np.full((satellites, degree), -1, np.int32)
    length_m = np.full((satellites, degree), np.inf)
    used = np.zeros(satellites, int)
    for a, b in rng.integers(satellites, size=(3 * satellites * degree, 2)).tolist():
        if a != b and max(used[a], used[b]) < degree and b not in neighbour[a]:
            metres = rng.uniform(1e5, 5e6)
            for here, there in ((a, b), (b, a)):
                neighbour[here, used[here]], length_m[here, used[here]] = there, metres
                used[here] += 1
    ground = []
    for count in rng.integers(1, 5, 2):
        sat = rng.integers(satellites, size=count).astype(np.int32)  # two gateways may share one
        ground.append(GroundLinks(sat, rng.uniform(2e-3, 5e-3, count)))
    return neighbour, length_m, *ground


def graph_of(neighbour, length_m, start, end):
    """Every ground link through a node of its own, so that one of several can fail alone."""
    graph = networkx.Graph()
    graph.add_nodes_from([START, END])
    for sat, k in zip(*np.nonzero(neighbour >= 0), strict=True):
        weight = length_m[sat, k] / SPEED_OF_LIGHT_M_S
        graph.add_edge(int(sat), int(neighbour[sat, k]), weight=weight)
    for place, links in ((START, start), (END, end)):
        for link, (sat, cost_s) in enumerate(zip(*links, strict=True)):
            graph.add_edge(place, (place, link), weight=1.0)  # dear, so no way comes back here
            graph.add_edge((place, link), int(sat), weight=cost_s)
    return graph


def cost_of(graph):
    try:
        return networkx.shortest_path_length(graph, START, END, weight="weight") - 2.0
    except networkx.NetworkXNoPath:
        return np.inf


def without(graph, path, failover):
    graph = graph.copy()
    if failover.kind == "satellite":
        graph.remove_node(failover.sats[0])
    elif failover.kind == "laser":
        graph.remove_edge(*failover.sats)
    else:
        links = {START: path.start_link, END: path.end_link}
        graph.remove_node((failover.kind, links[failover.kind]))
    return graph


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=40, deadline=None)
def test_what_remains_is_networkx_s_best_without_what_failed(seed):
    case = random_case(seed)
    found = ground_paths(*case)
    if not found:
        return
    graph, (path,) = graph_of(*case), found
    left = failovers(*case, path)
    lasers = list(pairwise(path.sats))
    assert [each.sats for each in left if each.kind == "laser"] == lasers
    assert [each.sats[0] for each in left if each.kind == "satellite"] == list(path.sats)
    assert (left[0].kind, left[-1].kind) == ("start", "end")
    assert len(left) == 2 * len(path.sats) + 1
    for failover in left:
        expected_s = cost_of(without(graph, path, failover))
        assert failover.cost_s == pytest.approx(expected_s, rel=1e-9)
        assert failover.cost_s >= path.cost_s * (1.0 - A_FEW_ROUNDINGS)


def test_the_only_satellite_cuts_the_pair_and_a_second_link_to_it_does_not():
    neighbour, length_m = np.full((1, 1), -1, np.int32), np.full((1, 1), np.inf)
    start = GroundLinks(np.zeros(2, np.int32), np.array([0.002, 0.003]))
    end = GroundLinks(np.zeros(1, np.int32), np.array([0.004]))
    (path,) = ground_paths(neighbour, length_m, start, end)
    kept = length_m.copy(), start.cost_s.copy()
    left = failovers(neighbour, length_m, start, end, path)
    assert [(each.kind, each.cost_s) for each in left] == [
        ("start", 0.007),
        ("satellite", np.inf),
        ("end", np.inf),
    ]
    np.testing.assert_array_equal(kept[0], length_m)
    np.testing.assert_array_equal(kept[1], start.cost_s)
