"""CSV tables of a network: read back and held against `path`, snapshots and each other."""

import csv
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import skyweave
from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf
from skyweave.time import parse_utc
from skyweave.twin.export.csv_tables import COLUMNS, export_csv
from skyweave.twin.geometry import look_angles
from skyweave.twin.scenario import build_scenario
from skyweave.twin.snapshots import snapshots
from skyweave.twin.world import build_system, build_world

ROOT = Path(__file__).parents[3]
HALF_A_MILLIMETRE = 0.5001e-3
TWO_MILLIMETRES = 2e-3  # between positions rounded to a millimetre
HALF_A_PICOSECOND = 0.5001e-12
HALF_A_MICRODEGREE = 0.5001e-6
A_FEW_ROUNDINGS = 1e-12  # relative

SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 36, "per_plane": 20, "phasing": 1}
TIME = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15}
SITES = [
    {"name": name, "lat_deg": lat_deg, "lon_deg": lon_deg, "height_wgs84_m": height_m}
    for name, lat_deg, lon_deg, height_m in [
        ("Bern", 46.9, 7.4, 542.0),
        ('Sofia, "the wise"', 42.7, 23.3, 0.0),
        ("Kiruna", 67.9, 20.2, 0.0),  # sees none of these satellites
        ("Quito", -0.2, -78.5, 2850.0),
    ]
]
T_S = np.array([0.0, 10.0, 20.0])


def scenario_of(folder, **more):
    return build_scenario({"time": TIME, "shells": [SHELL], "sites": SITES, **more}, "mine", folder)


def export(scenario, out, t_s=T_S, **options):
    world = build_world(scenario)
    return world, export_csv(world, parse_utc(TIME["start_utc"]), t_s, out, **options)


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    """The scenario, its world, what the export told and the tables as text, row by row."""
    folder = tmp_path_factory.mktemp("csv")
    visibility = {"min_elevation_deg": 25.0, "gso_separation_deg": 18.0}
    scenario = scenario_of(folder, visibility=visibility)
    world, told = export(scenario, folder / "out")
    return scenario, world, told, read(folder / "out")


def read(out):
    found = {}
    for path in out.glob("*.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = list(csv.DictReader(file))
    return found


def numbers(rows, *columns):
    return np.array([[float(row[name] or "nan") for name in columns] for row in rows])


def instants(scenario, world):
    for _, chunk in snapshots(world, parse_utc(scenario.time.start_utc), T_S):
        yield from chunk


def test_every_table_is_there_with_its_columns_and_the_rows_told(tables):
    _, _, told, found = tables
    assert {name: tuple(rows[0]) for name, rows in found.items()} == COLUMNS
    assert told["rows"] == {f"{name}.csv": len(rows) for name, rows in found.items()}
    assert (told["kind"], told["instants"], told["start_utc"]) == ("csv", 3, TIME["start_utc"])
    assert told["rows"]["satellites.csv"] == 3 * 720
    assert told["rows"]["paths.csv"] == 3 * 6


def test_satellites_and_links_are_those_of_the_snapshots(tables):
    scenario, world, _, found = tables
    norad_id = world.fleet.catalogue.norad_id
    place = {number: row for row, number in enumerate(norad_id.tolist())}
    for now in instants(scenario, world):
        rows = [row for row in found["satellites"] if float(row["t_s"]) == now.t_s]
        assert [int(row["norad_id"]) for row in rows] == norad_id.tolist()
        itrf_m = numbers(rows, "x_itrf_m", "y_itrf_m", "z_itrf_m")
        np.testing.assert_allclose(itrf_m, now.sat_itrf_m, rtol=0, atol=HALF_A_MILLIMETRE)
        rows = [row for row in found["links"] if float(row["t_s"]) == now.t_s]
        a, b = (
            np.array([place[int(row[name])] for row in rows])
            for name in ("norad_id_a", "norad_id_b")
        )
        listed = {frozenset(edge) for edge in zip(a.tolist(), b.tolist(), strict=True)}
        held = np.argwhere(now.neighbour >= 0)
        assert listed == {frozenset((int(n), int(now.neighbour[n, k]))) for n, k in held}
        assert len(listed) == len(rows)
        length_m, delay_s = numbers(rows, "length_m", "delay_s").T
        apart_m = np.linalg.norm(itrf_m[a] - itrf_m[b], axis=1)
        np.testing.assert_allclose(length_m, apart_m, rtol=0, atol=TWO_MILLIMETRES)
        light_s = length_m / SPEED_OF_LIGHT_M_S
        one_rounding_s = HALF_A_MILLIMETRE / SPEED_OF_LIGHT_M_S + HALF_A_PICOSECOND
        np.testing.assert_allclose(delay_s, light_s, rtol=0, atol=one_rounding_s)


def test_views_are_the_look_angles_and_keep_clear_of_the_arc(tables):
    scenario, world, _, found = tables
    columns = [[getattr(s, n) for s in scenario.sites] for n in ("lat_deg", "lon_deg")]
    places = geodetic_to_itrf(*columns, [site.height_wgs84_m for site in scenario.sites])
    site_row = {site.name: row for row, site in enumerate(scenario.sites)}
    sat_row = {n: row for row, n in enumerate(world.fleet.catalogue.norad_id.tolist())}
    for now in instants(scenario, world):
        look = look_angles(*places, now.sat_itrf_m)
        rows = [row for row in found["views"] if float(row["t_s"]) == now.t_s]
        of = [site_row[row["site"]] for row in rows]
        to = [sat_row[int(row["norad_id"])] for row in rows]
        elevation_deg, range_m = numbers(rows, "elevation_deg", "range_m").T
        expected_deg = look.elevation_deg[of, to]
        np.testing.assert_allclose(elevation_deg, expected_deg, rtol=0, atol=HALF_A_MICRODEGREE)
        np.testing.assert_allclose(range_m, look.range_m[of, to], rtol=0, atol=HALF_A_MILLIMETRE)
        high = {(int(s), int(n)) for s, n in np.argwhere(look.elevation_deg >= 25.0)}
        listed = set(zip(of, to, strict=True))
        left_out = high - listed
        assert listed <= high
        assert left_out  # too close to the geostationary arc
        assert {scenario.sites[s].name for s, _ in left_out} & {"Quito"}
    itrf_m = numbers(found["sites"], "x_itrf_m", "y_itrf_m", "z_itrf_m")
    np.testing.assert_allclose(itrf_m, places[0], rtol=0, atol=HALF_A_MILLIMETRE)


def test_paths_are_those_that_path_finds_one_by_one(tables):
    scenario, _, _, found = tables
    rows = {(row["from"], row["to"], float(row["t_s"])): row for row in found["paths"]}
    assert len(rows) == 18
    samples = {
        (start, end, sample["t_s"]): sample
        for start, end in {(start, end) for start, end, _ in rows}
        for sample in skyweave.path(
            scenario, start, end, at=TIME["start_utc"], every_s=10, for_s=30
        )["samples"]
    }
    for key, row in rows.items():
        sample = samples[key]
        assert row["reason"] == sample.get("reason", "")
        assert row["satellites"].split() == sample["nodes"][1:-1]
        if sample["rtt_s"] is None:
            assert (row["up"], row["rtt_s"], row["hops"]) == ("0", "", "")
        else:
            assert float(row["rtt_s"]) == pytest.approx(sample["rtt_s"], rel=A_FEW_ROUNDINGS)
            assert (row["up"], int(row["hops"])) == ("1", len(sample["nodes"]) - 1)
    assert {row["up"] for row in rows.values()} == {"0", "1"}


def test_a_path_s_rtt_adds_up_from_the_other_tables(tables):
    scenario, _, _, found = tables
    link_m = {
        (row["t_s"], frozenset((row["norad_id_a"], row["norad_id_b"]))): float(row["length_m"])
        for row in found["links"]
    }
    view_m = {(r["t_s"], r["site"], r["norad_id"]): float(r["range_m"]) for r in found["views"]}
    paths = [row for row in found["paths"] if row["up"] == "1"]
    for row in paths:
        sats = row["satellites"].split()
        way_m = sum(link_m[row["t_s"], frozenset(hop)] for hop in pairwise(sats))
        way_m += view_m[row["t_s"], row["from"], sats[0]] + view_m[row["t_s"], row["to"], sats[-1]]
        rtt_s = 2 * way_m / SPEED_OF_LIGHT_M_S + scenario.delay.processing_s
        off_m = HALF_A_MILLIMETRE * int(row["hops"])
        assert float(row["rtt_s"]) == pytest.approx(rtt_s, abs=2 * off_m / SPEED_OF_LIGHT_M_S)


def test_a_reason_tells_the_arc_from_an_empty_sky(tmp_path):
    visibility = {"min_elevation_deg": 40.0, "gso_separation_deg": 60.0}
    sites = [SITES[3], SITES[2], SITES[0]]
    scenario = scenario_of(tmp_path, visibility=visibility, sites=sites)
    export(scenario, tmp_path / "out", t_s=np.zeros(1))
    rows = read(tmp_path / "out")["paths"]
    for row in rows:
        found = skyweave.path(scenario, row["from"], row["to"], at=TIME["start_utc"])
        assert row["reason"] == found["samples"][0]["reason"]
    assert "gso_arc" in {row["reason"] for row in rows}


def test_what_has_failed_is_left_out_while_it_lasts(tables, tmp_path):
    _, _, _, whole = tables
    on_path = next(row for row in whole["paths"] if row["up"] == "1")["satellites"].split()[0]
    window = {"from_utc": "2026-06-14T12:00:20Z", "to_utc": "2026-06-14T12:00:30Z"}
    failures = [{"kind": "satellite", "ids": [on_path], **window}]
    visibility = {"min_elevation_deg": 25.0, "gso_separation_deg": 18.0}
    long = {**TIME, "duration_s": 60}
    scenario = scenario_of(tmp_path, visibility=visibility, failures=failures, time=long)
    (part,) = build_system(scenario).parts
    at_utc = parse_utc(TIME["start_utc"])
    export_csv(part.world, at_utc, T_S, tmp_path / "out", world_at=part.at_utc)
    found = read(tmp_path / "out")
    x_m = [row["x_itrf_m"] for row in found["satellites"] if row["norad_id"] == on_path]
    assert [bool(x) for x in x_m] == [True, False, True]
    for name in ("satellites", "links", "views", "paths"):
        for t_s in T_S:
            ours, theirs = (
                [r for r in each[name] if float(r["t_s"]) == t_s] for each in (found, whole)
            )
            assert (ours == theirs) == (t_s != 10.0)
    during = [row for row in found["paths"] if float(row["t_s"]) == 10.0]
    assert not any(on_path in row["satellites"].split() for row in during)
    for row in during:
        path = skyweave.path(scenario, row["from"], row["to"], at="2026-06-14T12:00:22Z")
        assert row["satellites"].split() == path["samples"][0]["nodes"][1:-1]


def test_satellites_that_only_relay_are_marked_and_in_nobody_s_view(tmp_path):
    world = build_world(scenario_of(tmp_path))
    serves = np.arange(720) % 3 > 0
    world = replace(world, fleet=replace(world.fleet, serves=serves))
    export_csv(world, parse_utc(TIME["start_utc"]), np.zeros(1), tmp_path / "out")
    found = read(tmp_path / "out")
    assert [row["on_station"] for row in found["satellites"]] == [str(int(x)) for x in serves]
    assert all(row["x_itrf_m"] for row in found["satellites"])
    on_station = set(world.fleet.catalogue.norad_id[serves].tolist())
    assert {int(row["norad_id"]) for row in found["views"]} <= on_station
    ends = [row["satellites"].split()[k] for row in found["paths"] for k in (0, -1) if row["hops"]]
    assert set(map(int, ends)) <= on_station


@pytest.mark.parametrize("sites", [[], SITES[:1]])
def test_a_scenario_with_fewer_than_two_sites_has_no_paths(tmp_path, sites):
    _, told = export(scenario_of(tmp_path, sites=sites), tmp_path / "out", t_s=np.zeros(1))
    found = read(tmp_path / "out")
    assert len(found["sites"]) == len(sites)
    assert bool(found["views"]) == bool(sites)
    assert found["paths"] == []
    assert told["rows"]["satellites.csv"] == 720


def test_terminals_are_nowhere_in_the_files(tmp_path):
    terminal = {"id": "clinic-in-secret", "lat_deg": 47.123, "lon_deg": 8.321}
    export(scenario_of(tmp_path, terminals=[terminal]), tmp_path / "out", t_s=np.zeros(1))
    for path in (tmp_path / "out").iterdir():
        text = path.read_text(encoding="utf-8")
        assert "clinic" not in text
        assert "47.123" not in text


def test_the_same_export_writes_the_same_bytes(tmp_path):
    for name in "ab":
        export(scenario_of(tmp_path), tmp_path / name, t_s=T_S[:2])
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted(["README.txt", *(f"{name}.csv" for name in COLUMNS)])
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_too_many_rows_are_refused_before_they_are_written(tmp_path):
    with pytest.raises(InputError, match=r"mine: 100,000 instants of some 7\d\d rows each; .*"):
        export(scenario_of(tmp_path), tmp_path / "out", t_s=np.arange(100_000.0))
    many = {"min_elevation_deg": 0.0}
    with pytest.raises(InputError, match=r"30,000 instants of some 2,[12]\d\d rows each; expected"):
        export(scenario_of(tmp_path, visibility=many), tmp_path / "out", t_s=np.arange(30_000.0))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_stays_as_it_was(tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(InputError, match=r"not empty \(it holds mine\); pass another --out"):
        export(scenario_of(tmp_path), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_progress_is_told(tmp_path):
    told = []
    t_s = np.arange(100.0)
    export(scenario_of(tmp_path, sites=SITES[:2]), tmp_path / "out", t_s=t_s, progress=told.append)
    assert told == [
        "export: orbits and links",
        "export: 100 of 100 instants",
        "export: paths between the sites",
        "export: paths of 100 of 100 instants",
    ]
