"""+Grid, ring, other motifs and nearest-n on lattices of circular orbits."""

import networkx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from skyweave.constants import WGS84_A_M
from skyweave.errors import InputError
from skyweave.twin.catalogue import (
    combine_shells,
    hypatia_shell,
    mean_altitude_m,
    walker_delta,
    walker_star,
)
from skyweave.twin.scenario.models import Isl
from skyweave.twin.topology.isl import are_feasible, edge_lengths_m, step
from skyweave.twin.topology.motifs import NearestPlan, motif_edges
from skyweave.twin.topology.plans import make_plan

NOON = np.datetime64("2026-06-14T12:00:12", "ns")
RESEARCH_ROUNDING_M = 1000.0
ONE_METRE = 1.0


def walker(planes, slots, phasing=0):
    name = f"Walker {planes} x {slots} F={phasing}"
    return walker_delta(550e3, 53.0, planes, slots, phasing, NOON, name)


def on_circles(catalogue, turn_deg=0.0, altitude_m=550e3):
    """Where the satellites of a lattice are after `turn_deg` of their orbit, shape (N, 3)."""
    u = np.radians(catalogue.mean_anomaly_deg + turn_deg)
    i, raan = np.radians(catalogue.inclination_deg), np.radians(catalogue.raan_deg)
    return (WGS84_A_M + altitude_m) * np.column_stack(
        (
            np.cos(raan) * np.cos(u) - np.sin(raan) * np.sin(u) * np.cos(i),
            np.sin(raan) * np.cos(u) + np.cos(raan) * np.sin(u) * np.cos(i),
            np.sin(u) * np.sin(i),
        )
    )


def planned(name, catalogue, sat_m=None, **options):
    plan = make_plan(name, catalogue, NOON, 15.0, **options)
    sat_m = on_circles(catalogue) if sat_m is None else sat_m
    return step(plan, None, 0, sat_m, sat_m).up


def degrees(edges, satellites):
    return np.bincount(edges.ravel(), minlength=satellites)


def components(edges, satellites):
    graph = coo_matrix((np.ones(len(edges)), edges.T), shape=(satellites, satellites))
    return connected_components(graph, directed=False)[0]


def hypatia_plus_grid(planes, slots):
    """Hypatia's rule, from its paper: next slot of the plane, same slot of the next plane."""
    pairs = set()
    for p in range(planes):
        for s in range(slots):
            for q, t in [(p, (s + 1) % slots), ((p + 1) % planes, s)]:
                pairs.add(tuple(sorted((p * slots + s, q * slots + t))))
    return sorted(pairs)


KUIPER_630 = hypatia_shell(14.80, 51.9, 34, 34, name="Hypatia 34 x 34")
STARLINK_550 = hypatia_shell(15.19, 53.0, 72, 22, name="Hypatia 72 x 22")
TELESAT_1015 = hypatia_shell(13.66, 98.98, 27, 13, name="Hypatia 27 x 13")


@pytest.mark.parametrize(
    "shell",
    [
        KUIPER_630,
        STARLINK_550,
        TELESAT_1015,
        walker(72, 22, 39),
        walker(72, 22, 65),
        walker(72, 22),
        walker(34, 34, 1),
    ],
)
def test_plus_grid_gives_four_links_each_and_one_network(shell, record_figure):
    edges = planned("plus-grid", shell)
    assert len(edges) == 2 * len(shell)
    assert (degrees(edges, len(shell)) == 4).all()
    assert components(edges, len(shell)) == 1
    record_figure(
        f"+Grid, {shell.name[0][:-4]}: links / satellites", len(edges) / len(shell), "", "2"
    )


@pytest.mark.parametrize("shell", [KUIPER_630, STARLINK_550, TELESAT_1015])
def test_hypatia_shells_get_exactly_hypatias_links_all_around_the_orbit(shell):
    edges = planned("plus-grid", shell)
    planes, slots = shell.grid_plane.max() + 1, shell.grid_slot.max() + 1
    assert edges.tolist() == [list(pair) for pair in hypatia_plus_grid(planes, slots)]
    plan, altitude_m = make_plan("plus-grid", shell, NOON, 15.0), mean_altitude_m(shell)[0]
    for turn_deg in np.arange(0.0, 360.0, 5.0):
        assert are_feasible(edges, on_circles(shell, turn_deg, altitude_m), plan.limits).all()


@pytest.mark.parametrize(
    ("phasing", "shortest_km", "longest_km"), [(39, 1432, 1512), (36, 1350, 1434)]
)
def test_lengths_between_planes_are_those_of_the_research_also_where_the_shell_closes(
    phasing, shortest_km, longest_km
):
    shell = walker(72, 22, phasing)
    edges = planned("plus-grid", shell)
    plane = shell.grid_plane[edges]
    across = edges[plane[:, 0] != plane[:, 1]]
    length_m = np.array(
        [edge_lengths_m(across, on_circles(shell, turn)) for turn in np.arange(0.0, 360.0, 2.0)]
    )
    closing = shell.grid_plane[across][:, 1] - shell.grid_plane[across][:, 0] == 71
    assert closing.sum() == 22
    for some in (closing, ~closing):
        assert length_m[:, some].min() == pytest.approx(shortest_km * 1e3, abs=RESEARCH_ROUNDING_M)
        assert length_m[:, some].max() == pytest.approx(longest_km * 1e3, abs=RESEARCH_ROUNDING_M)
    within = edges[plane[:, 0] == plane[:, 1]]
    intra_m = edge_lengths_m(within, on_circles(shell))
    assert intra_m == pytest.approx(np.full(72 * 22, 1_972_000.0), abs=RESEARCH_ROUNDING_M)


@pytest.mark.parametrize("phasing", [0, 1, 17, 22, 23, 45])
def test_the_last_gap_of_a_walker_shell_looks_like_the_others(phasing):
    shell = walker(46, 22, phasing)
    edges = planned("plus-grid", shell)
    hop = np.diff(shell.grid_plane[edges], axis=1).ravel()
    length_m = np.array(
        [edge_lengths_m(edges, on_circles(shell, turn)) for turn in np.arange(0.0, 360.0, 1.0)]
    )
    assert length_m[:, hop == 45].max() == pytest.approx(length_m[:, hop == 1].max(), abs=ONE_METRE)
    assert length_m[:, hop == 45].min() == pytest.approx(length_m[:, hop == 1].min(), abs=ONE_METRE)


def test_a_walker_star_has_no_links_across_its_seam():
    shell = walker_star(780e3, 86.4, 6, 11, 3, NOON)
    edges = planned("plus-grid", shell, on_circles(shell, altitude_m=780e3))
    pairs = {tuple(pair) for pair in shell.grid_plane[edges].tolist()}
    assert (4, 5) in pairs
    assert (0, 5) not in pairs
    assert len(edges) == 6 * 11 + 5 * 11


@pytest.mark.parametrize(("planes", "slots", "count"), [(1, 1, 0), (1, 2, 1), (1, 3, 3), (2, 1, 1)])
def test_tiny_shells_do_not_link_twice_nor_to_themselves(planes, slots, count):
    shell = walker(planes, slots)
    plan = make_plan("plus-grid", shell, NOON, 15.0)
    assert len(plan.links(None, 0, on_circles(shell))) == count


def test_rings_join_each_plane_alone():
    shell = walker(12, 18)
    edges = planned("ring", shell)
    assert len(edges) == len(shell)
    assert (degrees(edges, len(shell)) == 2).all()
    assert components(edges, len(shell)) == 12


@pytest.mark.parametrize("name", ["plus-grid", "ring", "motif"])
def test_a_hole_in_the_shell_takes_only_its_own_links_along(name):
    shell = walker(12, 18, 5)
    isl = Isl(motif=[[1, -1], [3, 2]])
    whole = {tuple(pair) for pair in planned(name, shell, isl=isl).tolist()}
    lost = [0, 17, 100, 215]
    rows = np.setdiff1d(np.arange(len(shell)), lost)
    holed = {tuple(pair) for pair in rows[planned(name, shell.take(rows), isl=isl)].tolist()}
    assert holed == {pair for pair in whole if not set(pair) & set(lost)}
    some = np.isin(np.arange(len(shell)), rows)
    relayed = {tuple(pair) for pair in planned(name, shell, relays=some, isl=isl).tolist()}
    assert relayed == holed


@pytest.mark.parametrize("name", ["plus-grid", "ring", "nearest-n"])
def test_the_order_of_the_rows_does_not_matter(name):
    shell = walker(12, 18, 5)
    rows = np.random.default_rng(1).permutation(len(shell))
    expected = planned(name, shell)
    shuffled = np.sort(rows[planned(name, shell.take(rows))], axis=1)
    assert sorted(shuffled.tolist()) == expected.tolist()


def test_two_shells_that_share_a_number_are_refused_with_advice():
    shell = walker(3, 4)
    with pytest.raises(InputError, match="two satellites share one plane and slot"):
        make_plan("plus-grid", shell.take(np.r_[0:12, 0:2]), NOON, 15.0)


@pytest.mark.parametrize("name", ["plus-grid", "ring"])
def test_a_grid_without_synthetic_shells_is_refused_with_advice(name):
    real = walker(3, 4)
    real.grid_shell[:] = -1
    with pytest.raises(InputError, match=r'found none; use plan = "fleet" or "nearest-n"'):
        make_plan(name, real, NOON, 15.0)


def turned_alike(shell, motif, seam=False):
    """Pairs apart by an offset in node and in phase, found among all pairs of a Walker shell.

    The pattern has no first plane: an offset turns node and phase by the same angles everywhere.
    """
    planes, slots = shell.grid_plane.max() + 1, shell.grid_slot.max() + 1
    ahead_deg = np.subtract.outer(shell.mean_anomaly_deg, shell.mean_anomaly_deg).T
    east = np.subtract.outer(shell.grid_plane, shell.grid_plane).T
    between_planes_deg = shell.mean_anomaly_deg[slots] if planes > 1 else 0.0
    pairs = set()
    for dp, ds in motif:
        turn_deg = dp * between_planes_deg + ds * 360.0 / slots
        off_deg = (ahead_deg - turn_deg + 180.0) % 360.0 - 180.0
        here = east == dp if seam else (east - dp) % planes == 0
        found = np.argwhere(here & (np.abs(off_deg) < ONE_MICRODEGREE))
        pairs |= {tuple(sorted(pair)) for pair in found.tolist() if pair[0] != pair[1]}
    return sorted(pairs)


ONE_MICRODEGREE = 1e-6
offset = st.tuples(st.integers(-9, 9), st.integers(-9, 9))


@settings(deadline=None)
@given(st.data(), st.integers(2, 6), st.integers(1, 7), st.lists(offset, min_size=1, max_size=4))
def test_a_motif_turns_every_satellite_by_the_same_angles(data, planes, slots, motif):
    shell = walker(planes, slots, data.draw(st.integers(0, planes - 1)))
    edges = motif_edges(shell, motif)
    assert [tuple(pair) for pair in edges.tolist()] == turned_alike(shell, motif)


@settings(deadline=None)
@given(st.data(), st.integers(2, 6), st.integers(1, 7), st.lists(offset, min_size=1, max_size=4))
def test_a_motif_does_not_cross_the_seam_of_a_star(data, planes, slots, motif):
    shell = walker_star(780e3, 86.4, planes, slots, data.draw(st.integers(0, planes - 1)), NOON)
    edges = motif_edges(shell, motif)
    assert [tuple(pair) for pair in edges.tolist()] == turned_alike(shell, motif, seam=True)


@pytest.mark.parametrize("shell", [KUIPER_630, TELESAT_1015, walker(72, 22, 39), walker(9, 4, 8)])
@pytest.mark.parametrize(("name", "motif"), [("plus-grid", [[0, 1], [1, 0]]), ("ring", [[0, 1]])])
def test_grid_and_ring_are_motifs_bit_for_bit(shell, name, motif):
    other_ways = [[-dp, -ds] for dp, ds in reversed(motif)]
    expected = make_plan(name, shell, NOON, 15.0)
    for offsets in (motif, other_ways):
        plan = make_plan("motif", shell, NOON, 15.0, isl=Isl(plan="motif", motif=offsets))
        assert plan.edges.tobytes() == expected.edges.tobytes()
        assert plan.degree == expected.degree


def test_a_motif_repeats_in_each_of_several_unlike_shells():
    shells = [walker(6, 5, 2), walker(4, 9, 3)]
    motif = [(1, -2), (2, 1)]
    first, second = (motif_edges(shell, motif) for shell in shells)
    both = motif_edges(combine_shells(shells), motif)
    assert both.tolist() == [*first.tolist(), *(second + len(shells[0])).tolist()]


def test_the_degree_of_a_motif_is_that_of_its_busiest_satellite():
    shell = walker(8, 6)
    plan = make_plan("motif", shell, NOON, 15.0, isl=Isl(motif=[[0, 3], [1, 1], [2, 0]]))
    assert plan.degree == 1 + 2 + 2  # half a turn is one link for both ends
    assert (degrees(plan.edges, len(shell)) == 5).all()


def test_an_offset_that_leads_nowhere_is_refused_with_advice():
    with pytest.raises(InputError, match=r"isl.motif: \[0, 6\] joins no two satellites of the"):
        make_plan("motif", walker(8, 6), NOON, 15.0, isl=Isl(motif=[[0, 1], [0, 6]]))


@pytest.mark.parametrize("name", ["plus-grid", "nearest-n"])
def test_a_longest_link_is_kept(name):
    shell = walker(12, 18, 5)
    longest_m = edge_lengths_m(planned(name, shell), on_circles(shell)).max()
    some = planned(name, shell, isl=Isl(max_range_m=0.9 * longest_m))
    assert len(some) > 0
    assert edge_lengths_m(some, on_circles(shell)).max() <= 0.9 * longest_m


def test_beams_pass_above_the_grazing_altitude():
    shell = walker(12, 18, 5)
    assert len(planned("plus-grid", shell)) > 0
    assert len(planned("plus-grid", shell, isl=Isl(min_grazing_m=549e3))) == 0


@pytest.mark.parametrize(
    ("slot_s", "acquisition_s", "slots"), [(15, 0, 0), (15, 15, 1), (15, 16, 2), (1, 12, 12)]
)
def test_acquisition_takes_whole_slots(slot_s, acquisition_s, slots):
    isl = Isl(acquisition_s=acquisition_s)
    assert make_plan("ring", walker(3, 4), NOON, slot_s, isl=isl).limits.acquisition_slots == slots


def nearest_by_brute_force(sat_m, norad_id, degree, limits):
    """All feasible pairs among the 4 n nearest of either end, shortest first."""
    range_m = np.linalg.norm(sat_m[:, None] - sat_m, axis=-1)
    rank = np.argsort(np.argsort(range_m, axis=1), axis=1)
    near = (rank <= 4 * degree) | (rank <= 4 * degree).T
    pairs = np.argwhere(np.triu(near, 1)).astype(np.int32)
    pairs = pairs[are_feasible(pairs, sat_m, limits)]
    ids = np.sort(norad_id[pairs], axis=1)
    order = np.lexsort((ids[:, 1], ids[:, 0], range_m[pairs[:, 0], pairs[:, 1]]))
    graph = networkx.Graph()
    graph.add_nodes_from(range(len(sat_m)))
    for a, b in pairs[order].tolist():
        if graph.degree[a] < degree and graph.degree[b] < degree:
            graph.add_edge(a, b)
    return sorted(sorted(pair) for pair in graph.edges)


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_nearest_n_agrees_with_brute_force(degree):
    rng = np.random.default_rng(degree)
    sat_m = rng.normal(size=(300, 3))
    sat_m *= (WGS84_A_M + rng.uniform(340e3, 600e3, (300, 1))) / np.linalg.norm(
        sat_m, axis=1, keepdims=True
    )
    norad_id = rng.permutation(300)
    plan = NearestPlan(norad_id, np.ones(300, bool), degree)
    edges = plan.links(None, 0, sat_m)
    assert edges.tolist() == nearest_by_brute_force(sat_m, norad_id, degree, plan.limits)
    assert degrees(edges, 300).max() == degree


def test_nearest_n_passes_over_satellites_at_nan_and_those_that_do_not_relay():
    shell = walker(12, 18)
    sat_m = on_circles(shell)
    sat_m[7] = np.nan
    relays = np.arange(len(shell)) != 8
    edges = planned("nearest-n", shell, sat_m, relays=relays, isl=Isl(nearest=3))
    assert not np.isin(edges, [7, 8]).any()
    assert np.isin([6, 9], edges).all()


@pytest.mark.parametrize("count", [0, 1])
def test_nearest_n_of_hardly_any_satellites_is_empty(count):
    shell = walker(3, 4)
    relays = np.arange(len(shell)) < count
    assert planned("nearest-n", shell, relays=relays).shape == (0, 2)
