"""Hypatia's folders: what a reader of their files finds in them, against scipy and sgp4."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra
from sgp4.api import Satrec
from tests.twin.export.folders import (
    KUIPER,
    lengths_m,
    read_network,
    read_states,
    small_world,
    way,
    way_m,
)

from skyweave import load_scenario
from skyweave.errors import InputError
from skyweave.time import TimeGrid
from skyweave.twin.catalogue import hypatia_shell
from skyweave.twin.catalogue.tle import read_tle
from skyweave.twin.export import _hypatia_text, export_hypatia
from skyweave.twin.orbits import propagate
from skyweave.twin.snapshots import site_places, site_views, snapshots
from skyweave.twin.world import build_world

EVERY_S, FOR_S = 20.0, 200
ROUNDING = 1e-12  # relative: sums of some twenty lengths, in another order
ONE_MILLIMETRE = 1e-3
LAST_DIGITS_M = 15.0  # 1e-4 deg of node and anomaly, 1e-7 of eccentricity at 7,600 km


@pytest.fixture(scope="module", params=["range", "elevation"])
def exported(request, tmp_path_factory):
    """A world, where it was exported, and what the export said of it."""
    mode = {"range": {"mode": "range", "max_range_m": 2.5e6},
            "elevation": {"mode": "elevation", "min_elevation_deg": 20.0}}  # fmt: skip
    world = small_world(visibility=mode[request.param])
    out = tmp_path_factory.mktemp("hypatia") / "network"
    return world, out, export_hypatia(world, world.grid.epoch_utc, EVERY_S, FOR_S, out)


def instants(world):
    """Yield the links of each step, {(node, node): metres}, as the twin knows them."""
    places = site_places(world.scenario.sites)
    for _, chunk in snapshots(world, world.grid.epoch_utc, np.arange(0.0, FOR_S, EVERY_S)):
        for now in chunk:
            yield lengths_m(now, *site_views(world, places, now.sat_itrf_m))


def test_every_way_is_as_short_as_scipy_s_and_uses_links_that_are_there(exported):
    world, out, _ = exported
    network = read_network(out)
    unreachable = reached = 0
    for (_, state), length_m in zip(read_states(out), instants(world), strict=True):
        least_m = least_ways_m(network, length_m)
        for (node, to), (then, own, far) in state.items():
            found_m = way_m(nodes, length_m) if (nodes := way(state, node, to)) else np.inf
            assert found_m == pytest.approx(least_m[node, to], rel=ROUNDING)
            unreachable += then < 0
            reached += then >= 0
            assert (own, far) == interfaces(network, node, then)
    assert min(unreachable, reached) > 500


def least_ways_m(network, length_m):
    """Scipy's shortest ways {(node, site): metres}; ground stations only start and end them."""
    nodes = network.satellites + network.sites
    least_m = {}
    for to in range(network.satellites, nodes):
        # The way back from `to`: it leaves the ground once, and other sites lead nowhere.
        back = {(b, a): m for (a, b), m in length_m.items() if b == to or b < network.satellites}
        back = {(b, a): m for (b, a), m in back.items() if a != to}
        (start, end), metres = zip(*back, strict=True), list(back.values())
        found_m = dijkstra(csr_matrix((metres, (start, end)), shape=(nodes, nodes)), indices=to)
        least_m |= {(node, to): found_m[node] for node in range(nodes)}
    return least_m


def interfaces(network, node, then):
    if then < 0:
        return -1, -1
    if node >= network.satellites:
        return 0, network.to_ground[then]
    if then >= network.satellites:
        return network.to_ground[node], 0
    return network.interface[node, then], network.interface[then, node]


def test_all_nodes_know_every_ground_station_but_themselves(exported):
    world, out, told = exported
    sites, satellites = len(world.scenario.sites), len(world.fleet.catalogue)
    expected = {
        (node, satellites + site)
        for node in range(satellites + sites)
        for site in range(sites)
        if node != satellites + site
    }
    states = list(read_states(out))
    assert [t_ns for t_ns, _ in states] == [k * 20_000_000_000 for k in range(10)]
    assert all(set(state) == expected for _, state in states)
    rows = sum(len(path.read_text().splitlines()) for path in out.glob("*/fstate_*"))
    assert told["rows"] == rows < 10 * len(expected)
    assert told["files"] == len([path for path in out.rglob("*") if path.is_file()])


def test_every_node_has_one_antenna_and_rates_are_told_once(exported):
    _, out, _ = exported
    network = read_network(out)
    nodes = network.satellites + network.sites
    assert (out / "gsl_interfaces_info.txt").read_text().splitlines() == [
        f"{node},1,1.000000" for node in range(nodes)
    ]
    first, *later = sorted(
        out.glob("*/gsl_if_bandwidth_*"), key=lambda path: int(path.stem.split("_")[-1])
    )
    to_ground = [*network.to_ground, *[0] * network.sites]
    assert first.read_text().splitlines() == [
        f"{node},{own},1.000000" for node, own in enumerate(to_ground)
    ]
    assert {path.read_text() for path in later} == {""}


def test_no_link_is_longer_than_the_description_allows(exported):
    world, out, told = exported
    network = read_network(out)
    used_m = [
        [length_m[pair] for pair in length_m if (max(pair) >= network.satellites) == is_ground]
        for is_ground in (False, True)
        for length_m in instants(world)
    ]
    longest = network.description
    assert max(map(max, used_m[:10])) < longest["max_isl_length_m"]
    assert max(map(max, used_m[10:])) < longest["max_gsl_length_m"]
    if world.scenario.visibility.mode == "range":
        assert longest["max_gsl_length_m"] == 2.5e6 + 100.0
    assert told["max_gsl_length_m"] == pytest.approx(longest["max_gsl_length_m"], abs=1e-9)


def test_isls_are_the_plan_s_pairs_in_order(exported):
    _, out, told = exported
    isls = read_network(out).isls
    assert isls == sorted(set(isls))
    assert all(a < b for a, b in isls)
    assert len(isls) == told["isls"] == 2 * 120  # +Grid: two links for each satellite


def test_a_comma_in_a_name_does_not_end_it(exported):
    _, out, _ = exported
    rows = (out / "ground_stations.txt").read_text().splitlines()
    assert rows[4].startswith("4,Sydney Australia,-33.867850,151.207320,0.000000,")
    assert {row.count(",") for row in rows} == {7}


def test_hypatia_s_own_shells_lose_nothing_in_its_element_sets(tmp_path):
    world = build_world(load_scenario(KUIPER))
    told = export_hypatia(world, world.grid.epoch_utc, 1, 1, tmp_path / "kuiper")
    assert told["elements_moved_m"] == 0.0
    assert (tmp_path / "kuiper" / "tles.txt").read_text().startswith("34 34\n")


def test_other_shells_are_where_the_element_sets_say_as_sgp4_reads_them(tmp_path):
    """Sevenths of a circle do not fit into 4 decimals: the paths are then those of the file."""
    shell = {"altitude_km": 1200, "inclination_deg": 51.123456, "planes": 7, "per_plane": 11,
             "phasing": 3}  # fmt: skip
    start = "2026-06-14T12:00:07Z"
    world = small_world(shells=[shell], time={"start_utc": start, "duration_s": 60, "slot_s": 1})
    told = export_hypatia(world, world.grid.epoch_utc, 1, 2, tmp_path / "walker")
    assert ONE_MILLIMETRE < told["elements_moved_m"] < LAST_DIGITS_M
    lines = (tmp_path / "walker" / "tles.txt").read_text().splitlines()
    sets = [Satrec.twoline2rv(*pair) for pair in zip(lines[2::3], lines[3::3], strict=True)]
    read = read_tle("\n".join(lines[1:]).encode(), "tles.txt")
    grid = TimeGrid(read.epoch_utc[0], np.array([0.0]))
    ours_m = propagate(read, grid, world.orientation).sat_itrf_m[0]
    theirs_m = np.array([each.sgp4_tsince(0.0)[1] for each in sets]) * 1e3
    # Frames apart, the two are the same satellites: equal radii and equal distances.
    np.testing.assert_allclose(norms(ours_m), norms(theirs_m), atol=ONE_MILLIMETRE)
    np.testing.assert_allclose(
        norms(ours_m[1:] - ours_m[:-1]), norms(theirs_m[1:] - theirs_m[:-1]), atol=ONE_MILLIMETRE
    )
    exported_m = [length_m[0, 1] for length_m in _first_step(replace_elements(world, read))]
    assert exported_m == pytest.approx([norms(theirs_m[:1] - theirs_m[1:2])[0]])


def norms(vectors):
    return np.linalg.norm(vectors, axis=1)


def replace_elements(world, read):
    kept = {name: getattr(world.fleet.catalogue, name) for name in
            ("grid_shell", "grid_plane", "grid_slot")}  # fmt: skip
    return replace(world, fleet=replace(world.fleet, catalogue=replace(read, **kept)))


def _first_step(world):
    places = site_places(world.scenario.sites)
    at_utc = world.fleet.catalogue.epoch_utc[0]
    for _, chunk in snapshots(world, at_utc, np.zeros(1)):
        for now in chunk:
            yield lengths_m(now, *site_views(world, places, now.sat_itrf_m))


@pytest.mark.parametrize(
    ("shells", "first_line"),
    [
        ([(12, 10), (7, 10)], "19 10"),
        ([(12, 10), (10, 12)], "240 1"),  # planes of 10 and of 12: no one number says it
    ],
)
def test_several_shells_count_as_many_satellites_as_there_are(tmp_path, shells, first_line):
    tables = [
        {"altitude_km": 1200 + 50 * k, "inclination_deg": 60, "planes": p, "per_plane": n}
        for k, (p, n) in enumerate(shells)
    ]
    world = small_world(shells=tables)
    export_hypatia(world, world.fleet.catalogue.epoch_utc[0], 1, 1, tmp_path / "two")
    lines = (tmp_path / "two" / "tles.txt").read_text().splitlines()
    assert lines[0] == first_line
    numbers = [int(name.split()[1]) for name in lines[1::3]]
    assert numbers == list(range(len(world.fleet.catalogue)))


ONE_SATELLITE = hypatia_shell(13.16, 60.0, 1, 1)


@given(
    drag=st.floats(-9.0, 9.0) | st.floats(-1e-12, 1e-12) | st.just(0.0),
    inclination_deg=st.floats(0.0, 180.0),
    raan_deg=st.floats(0.0, 359.99999999),
    eccentricity=st.floats(0.0, 0.9),
    motion=st.floats(1.0, 16.9),
    epoch_ns=st.integers(0, 56 * 365 * 86_400 * 10**9),
)
@settings(max_examples=50, deadline=None)
def test_an_element_set_keeps_all_digits_it_has(
    drag, inclination_deg, raan_deg, eccentricity, motion, epoch_ns
):
    epoch = np.datetime64("2000-01-01", "ns") + np.timedelta64(epoch_ns, "ns")
    given_ = replace(
        ONE_SATELLITE,
        bstar_per_radius=np.array([drag]),
        inclination_deg=np.array([inclination_deg]),
        raan_deg=np.array([raan_deg]),
        eccentricity=np.array([eccentricity]),
        mean_motion_rev_day=np.array([motion]),
        epoch_utc=np.array([epoch]),
    )
    read = read_tle("\n".join(_hypatia_text.element_sets(given_)).encode(), "lines")
    assert not read.issues
    assert read.bstar_per_radius[0] == pytest.approx(drag, rel=5e-5, abs=1e-10)
    assert read.inclination_deg[0] == pytest.approx(inclination_deg, abs=5.001e-5)
    turned_deg = (read.raan_deg[0] - raan_deg + 180.0) % 360.0 - 180.0
    assert abs(turned_deg) <= 5.001e-5
    assert read.eccentricity[0] == pytest.approx(max(eccentricity, 1e-7), abs=5.001e-8)
    assert read.mean_motion_rev_day[0] == pytest.approx(motion, abs=5.001e-9)
    assert abs(read.epoch_utc[0] - epoch) <= np.timedelta64(432_000, "ns")


REFUSALS = {
    "half a millisecond": ({}, {"every_s": 0.0005}, r"--every 0\.0005: .* whole milliseconds"),
    "no step": ({}, {"every_s": 0.0}, r"--every 0: .* at least 1"),
    "no number": ({}, {"every_s": float("nan")}, "--every nan"),
    "half a second": ({}, {"for_s": 1.5}, r"--for 1\.5: .* whole seconds"),
    "too many steps": (
        {}, {"every_s": 0.001, "for_s": 2000}, "2,000,000 steps .* at most 1,000,000",
    ),
    "no sites": ({"sites": []}, {}, r"small\.toml: no \[\[sites\]\].* add some"),
    "another start": (
        {}, {"at_utc": np.datetime64("2000-01-01T00:00:15", "ns")},
        "start at 2000-01-01T00:00:15Z, .* epoch, 2000-01-01T00:00:00Z; start it then",
    ),
    "links that change": (
        {"isl": {"plan": "nearest-n"}}, {"every_s": 15.0, "for_s": 300},
        "laser links change, or fail, .* s after the start, .* plus-grid, or a shorter --for",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSALS)
def test_what_the_format_cannot_hold_is_refused_and_leaves_nothing(tmp_path, what):
    changed, given_, message = REFUSALS[what]
    world = small_world(**changed)
    asked = {"at_utc": world.grid.epoch_utc, "every_s": 1.0, "for_s": 1} | given_
    with pytest.raises(InputError, match=message) as refusal:
        export_hypatia(world, out=tmp_path / "out", **asked)
    assert "\n" not in str(refusal.value)
    assert list(tmp_path.iterdir()) == []


def test_elements_of_several_epochs_are_refused(tmp_path):
    world = small_world()
    catalogue = world.fleet.catalogue
    later = catalogue.epoch_utc + np.arange(120) * np.timedelta64(1, "s")
    mixed = replace(
        world, fleet=replace(world.fleet, catalogue=replace(catalogue, epoch_utc=later))
    )
    with pytest.raises(InputError, match=r"120 different epochs, .* allows one; export a scenario"):
        export_hypatia(mixed, world.grid.epoch_utc, 1, 1, tmp_path / "out")


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    world = small_world()
    with pytest.raises(InputError, match=r"not empty \(it holds mine\.txt\); pass another --out"):
        export_hypatia(world, world.grid.epoch_utc, 1, 1, tmp_path)
    with pytest.raises(InputError, match=r"mine\.txt: is no folder; pass another --out"):
        export_hypatia(world, world.grid.epoch_utc, 1, 1, tmp_path / "mine.txt")
    with pytest.raises(InputError, match=r"cannot be written: .*; pass another --out"):
        export_hypatia(world, world.grid.epoch_utc, 1, 1, tmp_path / "mine.txt" / "below")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine"]


def test_an_empty_folder_is_taken_and_progress_is_told(tmp_path):
    world, told = small_world(), []
    export_hypatia(world, world.grid.epoch_utc, 0.01, 2, tmp_path, told.append)
    assert told == [
        "export: elements, sites and laser links",
        "export: 100 of 200 steps",
        "export: 200 of 200 steps",
    ]
    assert (tmp_path / "dynamic_state_10ms_for_2s" / "fstate_1990000000.txt").is_file()


@given(seed=st.integers(0, 2**32 - 1), sites=st.integers(1, 5), satellites=st.integers(1, 9))
@settings(max_examples=50, deadline=None)
def test_the_kernels_write_what_plain_python_does(seed, sites, satellites):
    rng = np.random.default_rng(seed)
    table = _hypatia_text.no_table(satellites, sites)
    links = ring_links(satellites)
    before = {}
    for _ in range(3):
        next_hop = links.neighbour[
            np.arange(satellites), rng.integers(0, links.neighbour.shape[1], (sites, satellites))
        ]
        next_hop[rng.random(next_hop.shape) < 0.3] = -1
        cost = np.where((next_hop < 0) & (rng.random(next_hop.shape) < 0.5), np.inf, 1.0)
        ingress = rng.integers(-1, satellites, (sites, sites)).astype(np.int32)
        now = _hypatia_text.forwarding_table(next_hop, cost, ingress)
        changes = _hypatia_text.changed(table, now)
        text = b"".join(_hypatia_text.change_text(changes, now, links)).decode()
        after = plain_state(next_hop, cost, ingress, links)
        assert text.splitlines() == [
            ",".join(map(str, (*key, *hop)))
            for key, hop in sorted(after.items())
            if before.get(key) != hop
        ]
        table, before = now, after


def ring_links(satellites):
    rows = np.arange(satellites)
    if satellites < 3:
        return _hypatia_text.links_of(np.full((satellites, 2), -1, np.int32))
    pairs = np.sort(np.column_stack(((rows - 1) % satellites, (rows + 1) % satellites)), axis=1)
    return _hypatia_text.links_of(pairs.astype(np.int32))


def plain_state(next_hop, cost, ingress, links):
    sites, satellites = next_hop.shape
    neighbours = [[int(n) for n in row if n >= 0] for row in links.neighbour]
    state = {}
    for d in range(sites):
        for n in range(satellites):
            then = int(next_hop[d, n])
            if then >= 0:
                hop = (then, neighbours[n].index(then), neighbours[then].index(n))
            elif np.isfinite(cost[d, n]):
                hop = (satellites + d, len(neighbours[n]), 0)
            else:
                hop = (-1, -1, -1)
            state[n, satellites + d] = hop
        for s in range(sites):
            first = int(ingress[s, d])
            hop = (first, 0, len(neighbours[first])) if first >= 0 else (-1, -1, -1)
            if s != d:
                state[satellites + s, satellites + d] = hop
    return state


def test_a_long_state_is_written_in_pieces(tmp_path, monkeypatch):
    world = small_world()
    texts = []
    for rows, name in ((1 << 20, "whole"), (7, "pieces")):
        monkeypatch.setattr(_hypatia_text, "ROWS_AT_ONCE", rows)
        export_hypatia(world, world.grid.epoch_utc, 1, 1, tmp_path / name)
        texts.append((tmp_path / name / "dynamic_state_1000ms_for_1s/fstate_0.txt").read_bytes())
    assert texts[0] == texts[1]
    assert texts[0].count(b"\n") == 6 * 125
