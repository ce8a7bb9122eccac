"""Edges, feasibility and slots, against brute force."""

import textwrap

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from skyweave.constants import WGS84_A_M
from skyweave.errors import InputError
from skyweave.twin.catalogue.elements import ARRAY_FIELDS, Catalogue
from skyweave.twin.topology import isl
from skyweave.twin.topology.isl import (
    NO_EDGES,
    LinkLimits,
    are_feasible,
    as_edges,
    edge_lengths_m,
    padded_adjacency,
    padded_lengths_m,
    step,
)
from skyweave.twin.topology.plans import make_plan

ONE_METRE = 1.0
NOON = np.datetime64("2026-06-14T12:00:12", "ns")
NOBODY = Catalogue(*[np.empty(0)] * len(ARRAY_FIELDS))


def in_a_row(count, apart_m, radius_m=WGS84_A_M + 550e3):
    """Satellites along the equator, neighbours `apart_m` apart."""
    turn = 2 * np.arcsin(apart_m / 2 / radius_m) * np.arange(count)
    return radius_m * np.column_stack((np.cos(turn), np.sin(turn), np.zeros(count)))


def chain_of_the_docstring():
    """The example plan of the module's text, executed."""
    lines = isl.__doc__.splitlines()
    names = vars(isl) | {"np": np}
    exec(textwrap.dedent("\n".join(lines[lines.index("    class Chain:") :])), names)
    return names["Chain"]()


def lowest_by_brute_force_m(a_m, b_m, points=20_001):
    share = np.linspace(0.0, 1.0, points)[:, None]
    return np.linalg.norm(a_m + share * (b_m - a_m), axis=1).min() - WGS84_A_M


@settings(deadline=None)  # the first example compiles
@given(
    arrays(float, (2, 3), elements=st.floats(-1.2e7, 1.2e7)),
    st.floats(0.0, 1.5e7),
    st.floats(-6e6, 1e6),
)
def test_a_link_is_feasible_where_walking_along_the_beam_says_so(sat_m, max_range_m, grazing_m):
    range_m = np.linalg.norm(sat_m[1] - sat_m[0])
    lowest_m = lowest_by_brute_force_m(*sat_m)
    # The walk overshoots the lowest point by less than half a step along the beam.
    half_step_m = range_m / 40_000
    if abs(range_m - max_range_m) < ONE_METRE or abs(lowest_m - grazing_m) < half_step_m + 1:
        return
    expected = range_m <= max_range_m and lowest_m >= grazing_m
    assert are_feasible(as_edges([0], [1]), sat_m, LinkLimits(max_range_m, grazing_m)) == [expected]


@pytest.mark.parametrize("altitude_m", [550e3, 630e3, 1015e3])
def test_the_longest_link_of_a_shell_is_the_chord_that_grazes_80_km(altitude_m):
    radius_m = WGS84_A_M + altitude_m
    longest_m = 2 * np.sqrt(radius_m**2 - (WGS84_A_M + 80e3) ** 2)
    edge = as_edges([0], [1])
    assert are_feasible(edge, in_a_row(2, longest_m - ONE_METRE, radius_m), LinkLimits())
    assert not are_feasible(edge, in_a_row(2, longest_m + ONE_METRE, radius_m), LinkLimits())


def test_a_satellite_without_a_position_has_no_links():
    sat_m = in_a_row(3, 1e6)
    sat_m[1] = np.nan
    assert are_feasible(as_edges([0, 1, 0], [1, 2, 2]), sat_m, LinkLimits()).tolist() == [
        False,
        True,
        False,
    ]


def test_edges_are_sorted_pairs_each_once_and_never_to_oneself():
    edges = as_edges([5, 0, 2, 3, 1], [1, 4, 2, 0, 5])
    assert edges.tolist() == [[0, 3], [0, 4], [1, 5]]
    assert edges.dtype == np.int32


def test_a_link_that_ends_within_the_slot_is_absent_but_stays_planned():
    near, far = in_a_row(3, 1e6), in_a_row(3, 1e6)
    far[2] = 2.5e7 * near[2] / np.linalg.norm(near[2])
    plan = chain_of_the_docstring()
    plan.limits = LinkLimits(max_range_m=5e6)
    for start_m, end_m in [(near, far), (far, near)]:
        planned, up = step(plan, None, 0, start_m, end_m)
        assert planned.tolist() == [[0, 1], [1, 2]]
        assert up.tolist() == [[0, 1]]
    assert step(plan, planned, 1, near, near)[1].tolist() == [[0, 1], [1, 2]]


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=60))
def test_padded_adjacency_agrees_with_networkx(pairs):
    edges = as_edges(*np.array(pairs, int).reshape(-1, 2).T)
    graph = networkx.Graph(edges.tolist())
    graph.add_nodes_from(range(30))
    degree = max(dict(graph.degree).values())
    neighbour = padded_adjacency(edges, 30, degree + 1)
    for satellite, row in enumerate(neighbour.tolist()):
        expected = sorted(graph[satellite])
        assert row == expected + [-1] * (degree + 1 - len(expected))


def test_padded_lengths_are_those_of_the_edges_and_infinite_elsewhere():
    sat_m = in_a_row(4, 1e6)
    edges = as_edges([0, 1], [1, 3])
    neighbour = padded_adjacency(edges, 4, 2)
    length_m = padded_lengths_m(neighbour, sat_m)
    for (a, b), expected_m in zip(edges.tolist(), edge_lengths_m(edges, sat_m), strict=True):
        assert length_m[a][neighbour[a] == b] == pytest.approx(expected_m, rel=1e-15)
        assert length_m[b][neighbour[b] == a] == pytest.approx(expected_m, rel=1e-15)
    assert np.isinf(length_m[neighbour < 0]).all()
    assert edge_lengths_m(edges, sat_m)[0] == pytest.approx(1e6, abs=1e-6)


def test_more_links_than_the_degree_are_refused_with_advice():
    with pytest.raises(InputError, match="has 3 laser links, expected at most 2; give the link"):
        padded_adjacency(as_edges([0, 0, 0], [1, 2, 3]), 4, 2)


def test_no_links_at_all_are_an_empty_table():
    plan = make_plan("none", NOBODY, NOON, 15.0)
    planned, up = step(plan, None, 0, in_a_row(5, 1e6), in_a_row(5, 1e6))
    assert planned.shape == up.shape == (0, 2)
    assert padded_adjacency(NO_EDGES, 5, plan.degree).shape == (5, 0)
    assert padded_adjacency(NO_EDGES, 5, 2).tolist() == [[-1, -1]] * 5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fleeet", r"isl.plan: found 'fleeet', expected one of none, .*; did you mean 'fleet'\?"),
        ("torus", r"isl.plan: found 'torus', expected one of .*; choose one of them"),
    ],
)
def test_an_unknown_plan_is_refused_with_the_known_ones(name, text):
    with pytest.raises(InputError, match=text):
        make_plan(name, NOBODY, NOON, 15.0)


def test_less_than_one_link_per_satellite_is_refused():
    with pytest.raises(InputError, match=r"isl.degree: found 0, expected at least 1"):
        make_plan("nearest-n", NOBODY, NOON, 15.0, degree=0)
