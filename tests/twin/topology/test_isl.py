"""Edges, feasibility and slots, against brute force."""

import pickle
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
    edge_rows,
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
    near, far = in_a_row(3, 1e6), gone_far(in_a_row(3, 1e6))
    plan = chain_of_the_docstring()
    plan.limits = LinkLimits(max_range_m=5e6)
    for start_m, end_m in [(near, far), (far, near)]:
        state = step(plan, None, 0, start_m, end_m)
        assert state.planned.tolist() == state.ready.tolist() == [[0, 1], [1, 2]]
        assert state.up.tolist() == [[0, 1]]
    assert step(plan, state, 1, near, near).up.tolist() == [[0, 1], [1, 2]]


def gone_far(sat_m):
    """The same with the last satellite out of everyone's range."""
    sat_m[-1] = 2.5e7 * sat_m[-1] / np.linalg.norm(sat_m[-1])
    return sat_m


class Scripted:
    """A plan that says what it is told, slot by slot."""

    degree = 4

    def __init__(self, script, acquisition_slots):
        self.script = script
        self.limits = LinkLimits(max_range_m=5e6, acquisition_slots=acquisition_slots)

    def links(self, previous, slot, sat_itrf_m):
        return as_edges(*np.array(self.script[slot], int).reshape(-1, 2).T)


def up_by_hand(script, feasible, wait, first):
    """What carries, told link by link: so many slots of being planned and feasible must pass."""
    held, carried = {}, []
    for slot, (planned, good) in enumerate(zip(script, feasible, strict=True)):
        if slot < first:
            carried.append([])
            continue
        held = {link: held.get(link, 0 if slot > first else wait) for link in planned}
        carried.append(sorted(link for link in planned if link in good and held[link] >= wait))
        held = {link: held[link] + 1 for link in planned if link in good}
    return carried


LINKS_OF_FOUR = [(a, b) for a in range(4) for b in range(a + 1, 4)]


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(LINKS_OF_FOUR), unique=True), min_size=1, max_size=9),
    st.integers(0, 3),
    st.integers(0, 2),
    st.data(),
)
def test_new_and_interrupted_links_carry_only_once_they_are_acquired(script, wait, first, data):
    lost = [data.draw(st.sets(st.integers(0, 3))) for _ in script]
    plan, near, state = Scripted(script, wait), in_a_row(4, 1e6), None
    feasible = [{link for link in LINKS_OF_FOUR if not set(link) & gone} for gone in map(set, lost)]
    expected = up_by_hand(script, feasible, wait, first)
    for slot in range(first, len(script)):
        end_m = near.copy()
        end_m[list(lost[slot])] = np.nan
        state = step(plan, state, slot, near, end_m)
        assert [tuple(pair) for pair in state.up.tolist()] == expected[slot]
        assert {tuple(pair) for pair in state.up.tolist()} == {
            tuple(pair) for pair in state.ready.tolist()
        } & feasible[slot]


def test_a_failed_link_does_not_carry_and_is_acquired_anew():
    plan, near = Scripted([[(0, 1), (1, 2)]] * 5, 1), in_a_row(3, 1e6)
    state, up = None, []
    for slot in range(5):
        state = step(plan, state, slot, near, near)
        if slot in (1, 2):
            state = state.without(np.array([False, True]))
            assert state.ready.tolist() == [[0, 1]]
        up.append(state.up.tolist())
    assert up == [[[0, 1], [1, 2]]] + [[[0, 1]]] * 3 + [[[0, 1], [1, 2]]]


def test_a_state_survives_pickling():
    plan, near, far = Scripted([[(0, 1), (1, 2)]] * 4, 2), in_a_row(3, 1e6), in_a_row(3, 1e6)
    first = step(plan, None, 0, near, gone_far(far))
    again = pickle.loads(pickle.dumps(first))
    for slot in (1, 2, 3):
        first, again = step(plan, first, slot, near, near), step(plan, again, slot, near, near)
        assert first.up.tolist() == again.up.tolist() == [[0, 1], [1, 2]][: 1 if slot < 3 else 2]


@settings(deadline=None)
@given(*[st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9))).map(list)] * 2)
def test_the_row_of_an_edge_is_where_it_stands_in_the_other_list(some, others):
    edges, among = (as_edges(*np.array(pairs, int).reshape(-1, 2).T) for pairs in (some, others))
    place = {tuple(pair): row for row, pair in enumerate(among.tolist())}
    assert edge_rows(edges, among).tolist() == [place.get(tuple(e), -1) for e in edges.tolist()]


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
    state = step(plan, None, 0, in_a_row(5, 1e6), in_a_row(5, 1e6))
    assert state.planned.shape == state.up.shape == (0, 2)
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
