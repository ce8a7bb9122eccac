"""Whole runs: the same tables for any number of workers, and what each row claims is true."""

import filecmp
import json

import numpy as np
import pytest

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf, great_circle_m
from skyweave.policy.reasons import Reason
from skyweave.twin import pipeline
from skyweave.twin.geometry import look_angles
from skyweave.twin.orbits import initialise, propagate
from skyweave.twin.run import run_system
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system

FULL_FLEET = {"catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]}}
SHELL = {"shells": [{"altitude_km": 550, "inclination_deg": 53, "planes": 72, "per_plane": 22,
                     "phasing": 39}]}  # fmt: skip
ONE_MICROSECOND = 1e-6


def system_of(satellites=SHELL, duration_s=120, cities=40, **sections):
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": duration_s},
        "terminal_sets": [{"builtin": "cities", "count": cities}],
        **satellites,
        **sections,
    }
    return build_system(build_scenario(content, "test"))


@pytest.fixture(scope="module")
def fleet_system():
    return system_of(FULL_FLEET, duration_s=60, cities=200)


@pytest.fixture(scope="module")
def fleet_world(fleet_system):
    return fleet_system.parts[0].world


@pytest.fixture(scope="module")
def fleet_run(fleet_system, tmp_path_factory):
    return run_system(fleet_system, tmp_path_factory.mktemp("runs") / "fleet")


@pytest.fixture(scope="module")
def fleet_positions(fleet_world):
    grid = fleet_world.grid
    return propagate(fleet_world.fleet.catalogue, grid, fleet_world.orientation).sat_itrf_m


def test_every_served_row_is_what_the_geometry_says(fleet_world, fleet_run, fleet_positions):
    terminals, catalogue = fleet_world.terminals, fleet_world.fleet.catalogue
    site_m, up = geodetic_to_itrf(terminals.lat_deg, terminals.lon_deg, terminals.height_wgs84_m)
    row_of = {name: row for row, name in enumerate(terminals.terminal_id.tolist())}
    served = fleet_run.access[fleet_run.access.state == "served"].sample(200, random_state=0)
    for row in served.itertuples():
        terminal = row_of[row.terminal_id]
        sat = int(np.flatnonzero(catalogue.norad_id == row.norad_id)[0])
        one = slice(terminal, terminal + 1)
        now, then = (
            look_angles(site_m[one], up[one], fleet_positions[k, sat : sat + 1])
            for k in (row.slot, row.slot + 1)
        )
        assert row.elevation_deg == pytest.approx(now.elevation_deg.item(), abs=1e-4)
        assert row.range_m == pytest.approx(now.range_m.item(), abs=1e-3)
        assert min(now.elevation_deg.item(), then.elevation_deg.item()) >= 25.0
        assert fleet_world.fleet.serves[sat]


def test_every_round_trip_is_longer_than_light_needs(fleet_world, fleet_run):
    terminals, pops = fleet_world.terminals, fleet_world.pops
    place = {t: (terminals.lat_deg[k], terminals.lon_deg[k])
             for k, t in enumerate(terminals.terminal_id.tolist())}  # fmt: skip
    served = fleet_run.access[fleet_run.access.state == "served"]
    rows = [pops.row(pop) for pop in served.pop_id]
    lat, lon = np.array([place[t] for t in served.terminal_id]).T
    ground_m = great_circle_m(lat, lon, pops.lat_deg[rows], pops.lon_deg[rows])
    least_s = 2.0 * np.maximum(ground_m, 2.0 * 340e3) / SPEED_OF_LIGHT_M_S
    assert (served.rtt_s.to_numpy() > least_s).all()


def test_the_shortest_path_is_never_longer_than_by_another_rule(fleet_world, tmp_path):
    by_rule = {}
    for rule in ("shortest-path", "highest-elevation", "longest-visible"):
        system = system_of(FULL_FLEET, duration_s=15, cities=100, assignment={"rule": rule})
        by_rule[rule] = run_system(system, tmp_path / rule).access.rtt_s.to_numpy()
    for other in ("highest-elevation", "longest-visible"):
        both = ~np.isnan(by_rule["shortest-path"])
        assert (by_rule["shortest-path"][both] <= by_rule[other][both] + ONE_MICROSECOND).all()
        assert (by_rule["shortest-path"][both] < by_rule[other][both]).any()


def test_the_path_costs_of_a_slot_are_scipy_s(fleet_world, fleet_positions):
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    records = initialise(fleet_world.fleet.catalogue)
    network = next(pipeline.networks(fleet_world, records, 1))
    (found,) = [s for _, s, _ in pipeline.services(fleet_world, records, [network])]
    sat_m, count = fleet_positions[0], len(fleet_world.fleet.catalogue)
    a, b = network.edges.T
    length_s = np.linalg.norm(sat_m[a] - sat_m[b], axis=1) / SPEED_OF_LIGHT_M_S
    ground = np.full(network.feeders.sat.size, count)  # one node for all PoPs together
    seed_s = {}
    cost_s = found.feeder_s + pipeline.fibre_s(fleet_world, -1)[network.feeders.gateway]
    for sat, cost in zip(network.feeders.sat.tolist(), cost_s.tolist(), strict=True):
        seed_s[sat] = min(cost, seed_s.get(sat, np.inf))
    feeders = np.array(list(seed_s))
    ground = np.full(feeders.size, count)
    graph = coo_array(
        (np.concatenate([length_s, list(seed_s.values())]),
         (np.concatenate([a, feeders]), np.concatenate([b, ground]))),
        shape=(count + 1, count + 1),
    )  # fmt: skip
    expected = dijkstra(graph.tocsr(), directed=False, indices=count)[:count]
    np.testing.assert_allclose(found.costs[0].cost_s, expected, rtol=1e-12)


@pytest.mark.parametrize("satellites", [SHELL, FULL_FLEET], ids=["shell", "fleet"])
def test_the_tables_are_equal_for_any_number_of_workers_and_any_cut(
    satellites, tmp_path, monkeypatch
):
    first = run_system(system_of(satellites), tmp_path / "one", workers=1)
    second = run_system(system_of(satellites), tmp_path / "two", workers=2)
    monkeypatch.setattr(pipeline, "CHUNK_SLOTS", 3)
    third = run_system(system_of(satellites), tmp_path / "three", workers=1)
    for other in (second, third):
        for name in ("access.parquet", "events.parquet", "slots.parquet", "fleet.csv"):
            assert filecmp.cmp(first.folder / name, other.folder / name, shallow=False), name
        one, two = (
            {**json.loads((run.folder / "manifest.json").read_text()), "execution": None}
            for run in (first, other)
        )
        assert one == two


def test_the_network_of_a_slot_does_not_depend_on_where_the_run_ends(fleet_world):
    records = initialise(fleet_world.fleet.catalogue)
    short = list(pipeline.networks(fleet_world, records, 2))[-1]
    long = list(pipeline.networks(fleet_world, records, 4))[1]
    np.testing.assert_array_equal(short.feeders.sat, long.feeders.sat)
    np.testing.assert_array_equal(short.feeders.gateway, long.feeders.gateway)
    np.testing.assert_array_equal(short.edges, long.edges)


def reasons_of(system, tmp_path):
    return run_system(system, tmp_path / "run").access.reason.dropna().unique().tolist()


def test_nobody_served_is_a_result(tmp_path):
    polar = {"id": "pole", "lat_deg": 89.0, "lon_deg": 0.0}
    system = system_of(cities=1, terminals=[polar], duration_s=30, isl={"plan": "none"})
    assert Reason.NO_SATELLITE_IN_VIEW in reasons_of(system, tmp_path)


def test_a_terminal_without_a_gateway_in_reach_says_so(tmp_path):
    mid_ocean = {"id": "ocean", "lat_deg": -40.0, "lon_deg": 80.0}
    system = system_of(cities=1, terminals=[mid_ocean], isl={"plan": "none"}, duration_s=30)
    assert Reason.NO_GATEWAY_PATH in reasons_of(system, tmp_path)


def test_a_terminal_under_the_arc_says_so(tmp_path):
    equator = {"id": "equator", "lat_deg": 0.0, "lon_deg": 0.0}
    system = system_of(
        cities=1, terminals=[equator], duration_s=30, visibility={"gso_separation_deg": 89.0}
    )
    assert Reason.GSO_ARC in reasons_of(system, tmp_path)


def test_busy_antennas_are_told_from_missing_gateways(tmp_path):
    gateway = tmp_path / "one.csv"
    gateway.write_text("name,lat_deg,lon_deg\nOnly,50.0,8.0\n")
    near = [{"id": f"near-{k}", "lat_deg": 50.0, "lon_deg": 7.0 + k} for k in range(3)]
    system = system_of(
        cities=1, terminals=near, duration_s=30, isl={"plan": "none"},
        gateways={"source": str(gateway), "antennas": 1},
        assignment={"rule": "highest-elevation"}, visibility={"min_elevation_deg": 40.0},
    )  # fmt: skip
    access = run_system(system, tmp_path / "run").access
    assert set(access.reason.dropna()) <= {Reason.GATEWAY_ANTENNAS_BUSY, Reason.NO_GATEWAY_PATH,
                                           Reason.NO_SATELLITE_IN_VIEW}  # fmt: skip


def test_a_fixed_pop_is_the_end_of_the_path(tmp_path):
    here = {"lat_deg": 50.0, "lon_deg": 8.0}
    terminals = [{"id": "own", **here}, {"id": "fixed", "pop_id": "nwyynyx1", **here}]
    system = system_of(FULL_FLEET, cities=1, terminals=terminals, duration_s=15)
    access = run_system(system, tmp_path / "run").access.set_index("terminal_id")
    assert access.loc["fixed", "pop_id"] == "nwyynyx1"
    assert access.loc["own", "pop_id"] != "nwyynyx1"
    assert access.loc["fixed", "rtt_s"] > access.loc["own", "rtt_s"] + 0.030


def test_the_slot_of_an_instant_is_the_one_that_contains_it():
    system = system_of(duration_s=60, cities=1)
    start = system.grid.epoch_utc
    for t_s, slot in ((0.0, 0), (14.999, 0), (15.0, 1), (59.999, 3)):
        assert system.slot_at(start + np.timedelta64(round(t_s * 1e9), "ns")) == slot
    with pytest.raises(InputError, match="outside the run"):
        system.slot_at(start + np.timedelta64(60, "s"))


def test_a_fixed_pop_without_fibre_is_refused():
    terminals = [{"id": "x", "pop_id": "nwyynyx1", "lat_deg": 1.0, "lon_deg": 1.0}]
    with pytest.raises(InputError, match="include_fibre = true"):
        system_of(cities=1, terminals=terminals, delay={"include_fibre": False})


def test_objects_left_out_for_their_age_are_listed(tmp_path):
    satellites = {"catalogue": {**FULL_FLEET["catalogue"], "max_age_days": 2.0}}
    run = run_system(system_of(satellites, cities=1, duration_s=15), tmp_path / "run")
    listed = run.manifest["catalogue"]["too_old"]
    assert len(listed) == run.summary["satellites"]["left_out"]["too_old"] > 0
    assert all("STARLINK" in line for line in listed)


def test_columns_of_one_s_own_are_kept_but_not_positions(tmp_path):
    (tmp_path / "f.csv").write_text("id,lat_deg,lon_deg,ward\na,1,2,north\n")
    system = system_of(cities=1, terminal_sets=[{"file": str(tmp_path / "f.csv")}], duration_s=15)
    fleet = run_system(system, tmp_path / "run").fleet
    assert fleet.ward.tolist() == ["north"]
    assert not {"lat_deg", "lon_deg"} & set(fleet.columns)


def test_an_unknown_fixed_pop_is_refused():
    terminals = [{"id": "x", "pop_id": "nowhere", "lat_deg": 1.0, "lon_deg": 1.0}]
    with pytest.raises(InputError, match="nowhere"):
        system_of(cities=1, terminals=terminals)


def test_a_position_that_is_not_known_is_a_reason(tmp_path):
    track = tmp_path / "ship.csv"
    track.write_text(
        "time_utc,lat_deg,lon_deg,height_wgs84_m\n"
        "2026-06-14T12:00:27Z,10,10,0\n2026-06-14T12:00:57Z,10.01,10,0\n"
    )
    terminal = {"id": "ship", "track": str(track)}
    system = system_of(cities=1, terminals=[terminal], duration_s=60)
    access = run_system(system, tmp_path / "run").access
    ship = access[access.terminal_id == "ship"].set_index("slot")
    is_unknown = (ship.reason == Reason.POSITION_UNKNOWN).tolist()
    assert is_unknown == [True, False, False, True]  # slot 3 ends after the last fix
