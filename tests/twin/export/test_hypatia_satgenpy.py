"""Hypatia's own satgenpy on exported folders: its readers, its algorithm and its analysis."""

import networkx as nx
import numpy as np
import pytest
from tests.twin.export.folders import KUIPER, ROOT, lengths_m, read_states, small_world, way, way_m

import skyweave
from skyweave import load_scenario
from skyweave.twin.export import export_hypatia
from skyweave.twin.scenario import build_scenario
from skyweave.twin.snapshots import site_places, site_views, snapshots
from skyweave.twin.world import build_world

NOT_INSTALLED = "satgenpy, Hypatia's own reader, is not installed (pip install satgenpy)"
satgen = pytest.importorskip("satgen", reason=NOT_INSTALLED)
post_analysis = pytest.importorskip("satgen.post_analysis.print_routes_and_rtt")
exputil = pytest.importorskip("exputil")

GOLDEN = ROOT / "tests" / "golden" / "hypatia"
SAME_LENGTHS = 1e-9  # relative: satgenpy adds the same lengths in another order
ONE_MICROSECOND_NS = 1e3
MANILA, DALIAN = 1156 + 17, 1156 + 85


@pytest.fixture(scope="module")
def kuiper(tmp_path_factory, full_counts):
    """The exported folder of Kuiper-630, the ms between its steps and its seconds."""
    world = build_world(load_scenario(KUIPER))
    every_ms, for_s = (100, 200) if full_counts else (2000, 20)
    out = tmp_path_factory.mktemp("export") / "kuiper_630"
    export_hypatia(world, world.grid.epoch_utc, every_ms / 1e3, for_s, out)
    return out, every_ms, for_s


def test_satgenpy_reads_every_file(kuiper):
    out, *_ = kuiper
    tles = satgen.read_tles(str(out / "tles.txt"))
    assert (tles["n_orbits"], tles["n_sats_per_orbit"], len(tles["satellites"])) == (34, 34, 1156)
    assert str(tles["epoch"]) == "2000-01-01 00:00:00.000"
    stations = satgen.read_ground_stations_extended(str(out / "ground_stations.txt"))
    assert [stations[k]["name"] for k in (17, 85)] == ["Manila", "Dalian"]
    assert len(satgen.read_isls(str(out / "isls.txt"), 1156)) == 2 * 1156
    antennas = satgen.read_gsl_interfaces_info(str(out / "gsl_interfaces_info.txt"), 1156, 100)
    assert {each["number_of_interfaces"] for each in antennas} == {1}
    description = exputil.PropertiesConfig(str(out / "description.txt"))
    assert float(description.get_property_or_fail("max_gsl_length_m")) == 1_260_100.0


def test_elements_and_stations_are_satgenpy_s_to_the_byte(kuiper, tmp_path):
    out, *_ = kuiper
    theirs = tmp_path / "tles.txt"
    satgen.generate_tles_from_scratch_manual(
        str(theirs), "HYPATIA", 34, 34, True, 51.9, 0.0000001, 0.0, 14.80
    )
    assert (out / "tles.txt").read_text() == theirs.read_text()
    theirs = tmp_path / "ground_stations.txt"
    satgen.extend_ground_stations(str(GOLDEN / "ground_stations_top_100.basic.txt"), str(theirs))
    assert (out / "ground_stations.txt").read_text() == theirs.read_text()
    theirs = tmp_path / "gsl_interfaces_info.txt"
    satgen.generate_simple_gsl_interfaces_info(str(theirs), 1156, 100, 1, 1, 1, 1)
    assert (out / "gsl_interfaces_info.txt").read_text() == theirs.read_text()
    theirs = tmp_path / "isls.txt"
    satgen.generate_plus_grid_isls(str(theirs), 34, 34, 0)
    assert set((out / "isls.txt").read_text().split("\n")) == set(theirs.read_text().split("\n"))


def test_satgenpy_s_algorithm_on_the_same_lengths_finds_ways_as_short(tmp_path, record_figure):
    """And the same next hops, other than where two ways are equally long."""
    world = small_world()
    at_utc = world.fleet.catalogue.epoch_utc[0]
    export_hypatia(world, at_utc, 60.0, 180, tmp_path / "ours")
    theirs = tmp_path / "theirs" / "dynamic_state_60000ms_for_180s"
    theirs.mkdir(parents=True)
    before, worst, others, rows = None, 0.0, 0, 0
    places = site_places(world.scenario.sites)
    states = read_states(tmp_path / "ours")
    for _, chunk in snapshots(world, at_utc, np.array([0.0, 60.0, 120.0])):
        for now in chunk:
            views = site_views(world, places, now.sat_itrf_m)
            t_ns, ours = next(states)
            before = satgen_step(theirs, t_ns, now, *views, len(places[0]), before)
            length_m = lengths_m(now, *views)
            for pair, hop in before["fstate"].items():
                costs = [way_m(way(state, *pair), length_m) for state in (ours, before["fstate"])]
                worst = max(worst, abs(costs[0] - costs[1]) / max(costs[1], 1.0))
                others += ours[pair] != hop
                rows += 1
    record_figure("Hypatia export, small shell: cost against satgenpy", worst, "relative", "1e-9")
    assert worst <= SAME_LENGTHS
    assert others <= 0.02 * rows
    name = "gsl_if_bandwidth_{}.txt"
    for t_ns in (0, 60_000_000_000):
        (found,) = (tmp_path / "ours").glob("*/" + name.format(t_ns))
        assert found.read_text() == (theirs / name.format(t_ns)).read_text()


def satgen_step(folder, t_ns, now, seen, range_m, sites, before):
    """Run satgenpy's algorithm over the links of one instant, with our lengths."""
    satellites = len(now.neighbour)
    graph = nx.Graph()
    graph.add_nodes_from(range(satellites))
    interface, used = {}, [0] * satellites
    for a, column in zip(*np.nonzero(now.neighbour > np.arange(satellites)[:, None]), strict=True):
        here, there = int(a), int(now.neighbour[a, column])
        graph.add_edge(here, there, weight=float(now.length_m[a, column]))
        for node, other in ((here, there), (there, here)):
            interface[node, other] = used[node]
            used[node] += 1
    in_range = [[] for _ in range(sites)]
    views = zip(seen.site_rows.tolist(), seen.sat.tolist(), range_m.tolist(), strict=True)
    for site, sat, metres in views:
        in_range[site].append((metres, sat))
    antenna = [{"number_of_interfaces": 1, "aggregate_max_bandwidth": 1.0}] * (satellites + sites)
    return satgen.dynamic_state.algorithm_free_one_only_over_isls.algorithm_free_one_only_over_isls(
        str(folder), t_ns, [None] * satellites, [None] * sites, graph, in_range, used, interface,
        antenna, before, False,
    )  # fmt: skip


def test_satgenpy_s_analysis_of_manila_dalian_is_our_path(
    kuiper, tmp_path, monkeypatch, capsys, record_figure
):
    out, every_ms, for_s = kuiper
    for drawing in ("copy_file", "sed_replace_in_file_plain", "perfect_exec"):  # with gnuplot
        monkeypatch.setattr(exputil.LocalShell, drawing, lambda *_: None)
    (tmp_path / "data").mkdir()
    post_analysis.print_routes_and_rtt(
        str(tmp_path), str(out), every_ms, for_s, MANILA, DALIAN, "unused/"
    )
    assert "Change at t=0 ns" in capsys.readouterr().out
    rows = (tmp_path / "data" / f"networkx_rtt_{MANILA}_to_{DALIAN}.txt").read_text().split()
    theirs_ns = np.array([float(row.split(",")[1]) for row in rows])
    changes = (tmp_path / "data" / f"networkx_path_{MANILA}_to_{DALIAN}.txt").read_text().split()
    answer = skyweave.path(KUIPER, "Manila", "Dalian", every_s=every_ms / 1e3, for_s=for_s)
    samples = answer["samples"]
    ours_ns = np.array([sample["rtt_s"] for sample in samples]) * 1e9
    worst_ns = np.abs(ours_ns - theirs_ns).max()
    what = f"satgenpy's analysis of an exported folder, {len(samples)} samples: RTT to `path`"
    record_figure(what, worst_ns / 1e3, "us", "<= 1")
    assert worst_ns <= ONE_MICROSECOND_NS
    nodes = ["-".join((str(MANILA), *s["nodes"][1:-1], str(DALIAN))) for s in samples]
    begins = [k for k in range(len(nodes)) if k == 0 or nodes[k] != nodes[k - 1]]
    assert changes == [f"{k * every_ms * 10**6},{nodes[k]}" for k in begins]


def test_all_pairs_can_be_analysed(tmp_path, full_counts):
    """satgenpy stops at a hop longer than description.txt allows: none is, at the rim of sight."""
    scenario = load_scenario(KUIPER)
    few = scenario.sites if full_counts else scenario.sites[::20]
    content = scenario.model_dump(by_alias=True, exclude_unset=True) | {
        "sites": [site.model_dump() for site in few]
    }
    world = build_world(build_scenario(content, scenario.source, scenario.folder))
    for_s = 100 if full_counts else 10
    export_hypatia(world, world.grid.epoch_utc, 10.0, for_s, tmp_path / "out")
    tles = satgen.read_tles(str(tmp_path / "out" / "tles.txt"))
    stations = satgen.read_ground_stations_extended(str(tmp_path / "out" / "ground_stations.txt"))
    isls = satgen.read_isls(str(tmp_path / "out" / "isls.txt"), 1156)
    limits = exputil.PropertiesConfig(str(tmp_path / "out" / "description.txt"))
    longest_m = [
        float(limits.get_property_or_fail(f"max_{kind}_length_m")) for kind in ("gsl", "isl")
    ]
    reached = asked = 0
    for t_ns, state in read_states(tmp_path / "out"):
        graph = post_analysis.construct_graph_with_distances(
            tles["epoch"], t_ns, tles["satellites"], stations, isls, *longest_m
        )
        hops = {pair: hop[0] for pair, hop in state.items()}
        for start in range(len(stations)):
            for end in range(start):
                asked += 1
                nodes = post_analysis.get_path(1156 + start, 1156 + end, hops)
                if nodes is not None:
                    assert post_analysis.compute_path_length_with_graph(nodes, graph) > 0.0
                    reached += 1
    assert reached > 0.9 * asked
