"""All pairs of sites: Hypatia's golden files and figures, `path`, and sums by plain NumPy."""

import gzip
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest

import skyweave
from skyweave.errors import InputError
from skyweave.time import parse_utc
from skyweave.twin.geometry import gso_separation_deg
from skyweave.twin.pairs import pairs_over_time, pairs_summary, pairs_table, study_pairs
from skyweave.twin.scenario import build_scenario
from skyweave.twin.snapshots import snapshots
from skyweave.twin.world import build_world, gateway_itrf

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "hypatia"
KUIPER = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
ONE_MICROSECOND = 1e-6
A_FEW_ROUNDINGS = 1e-12  # relative


def world_of(scenario):
    scenario = skyweave.load_scenario(scenario)
    return build_world(scenario), scenario.sites, parse_utc(scenario.time.start_utc)


def rows_of(sites, *names):
    found = [site.name for site in sites]
    return [next(k for k, each in enumerate(found) if name in each) for name in names]


@pytest.fixture(scope="module")
def kuiper():
    """The scenario's world, its sites and a few instants of the first ones among them."""
    world, sites, at_utc = world_of(KUIPER)
    samples = list(pairs_over_time(world, sites, at_utc, np.arange(0.0, 40.0, 4.0), paths=True))
    return world, sites, at_utc, samples


def test_manila_to_dalian_is_hypatia_s_golden_file_among_all_pairs(kuiper):
    _, sites, _, samples = kuiper
    manila, dalian = rows_of(sites, "Manila", "Dalian")
    text = gzip.decompress(next(GOLDEN.glob("*rtt_1173_to_1241*")).read_bytes()).decode()
    golden_s = {int(ns): float(rtt_ns) * 1e-9 for ns, rtt_ns in map(_fields, text.split())}
    for sample in samples:
        expected_s = golden_s[round(sample.t_s * 1e9)]
        assert abs(sample.rtt_s[manila, dalian] - expected_s) <= ONE_MICROSECOND
        assert sample.rtt_s[manila, dalian] == sample.rtt_s[dalian, manila]
    # From Hypatia's path file: 184-183-217, then 218-217 from 18.0 s, 648-649-650-616 from 27.6 s.
    named = [sample.nodes.between(manila, dalian) for sample in samples]
    assert named == [[184, 183, 217]] * 5 + [[218, 217]] * 2 + [[648, 649, 650, 616]] * 3
    assert samples[0].nodes.between(dalian, manila) == [217, 183, 184]
    assert [int(sample.hops[dalian, manila]) for sample in samples] == [4] * 5 + [3] * 2 + [5] * 3
    changed = [before.digest != after.digest for before, after in pairwise(samples)]
    assert [bool(change[manila, dalian]) for change in changed] == [0, 0, 0, 0, 1, 0, 1, 0, 0]


def _fields(line):
    return line.split(",")


def test_all_pairs_are_what_path_finds_one_by_one(kuiper):
    _, sites, _, samples = kuiper
    rng = np.random.default_rng(4)
    for a, b in rng.permutation(len(sites))[:8].reshape(-1, 2).tolist():
        found = skyweave.path(KUIPER, sites[a].name, sites[b].name, every_s=4.0, for_s=40.0)
        for sample, one in zip(samples, found["samples"], strict=True):
            rtt_s = np.inf if one["rtt_s"] is None else one["rtt_s"]
            assert sample.rtt_s[a, b] == pytest.approx(rtt_s, rel=A_FEW_ROUNDINGS)
            assert [str(row) for row in sample.nodes.between(a, b)] == one["nodes"][1:-1]


def test_a_study_adds_up_what_the_samples_hold(kuiper):
    world, sites, at_utc, samples = kuiper
    told = []
    t_s = np.array([sample.t_s for sample in samples])
    study = study_pairs(world, sites, at_utc, t_s, told.append)
    rtt_s = np.array([sample.rtt_s for sample in samples])
    rtt_s[np.isinf(rtt_s)] = np.nan
    hops = np.array([sample.hops for sample in samples])
    digest = np.array([sample.digest for sample in samples])
    is_way = hops >= 0
    above = study.pairs(0.0) & is_way.any(axis=0)
    np.testing.assert_array_equal(study.min_rtt_s[above], np.nanmin(rtt_s[:, above], axis=0))
    np.testing.assert_array_equal(study.max_rtt_s[above], np.nanmax(rtt_s[:, above], axis=0))
    np.testing.assert_array_equal(study.max_hops, hops.max(axis=0))
    least = np.where(is_way, hops, 10**6).min(axis=0)
    np.testing.assert_array_equal(study.min_hops[above], least[above])
    np.testing.assert_array_equal(study.reachable, is_way.sum(axis=0))
    np.testing.assert_array_equal(study.changes, (np.diff(digest, axis=0) != 0).sum(axis=0))
    lists = [s.nodes.between(a, b) for s in samples for a, b in np.argwhere(study.pairs(0.0))]
    counts = np.bincount([n for nodes in lists for n in nodes], minlength=study.norad_id.size)
    ways = sum(bool(nodes) for nodes in lists)
    np.testing.assert_allclose(study.satellite_share, counts / ways, rtol=A_FEW_ROUNDINGS)
    edges = [tuple(sorted(edge)) for nodes in lists for edge in pairwise(nodes)]
    assert study.link_share.sum() == pytest.approx(len(edges) / ways)
    assert set(map(tuple, study.link.tolist())) == set(edges)


def test_the_hundred_cities_of_hypatia_give_its_published_figures(full_counts, record_figure):
    world, sites, at_utc = world_of(KUIPER)
    every_s = 1.0 if full_counts else 4.0
    study = study_pairs(world, sites, at_utc, np.arange(0.0, 200.0, every_s))
    apart = study.pairs()
    below_twice = (study.stretch[apart] < 2.0).mean()
    record_figure("Hypatia, 100 cities, Kuiper-630: RTT below 2x geodesic", below_twice, "", ">0.8")
    assert below_twice == pytest.approx(0.950, abs=0.015)
    assert np.median(study.changes[apart]) == 4
    if full_counts:
        assert (study.changes[apart] >= 7).mean() == pytest.approx(0.107, abs=0.02)
    rio, petersburg = rows_of(sites, "Rio", "Saint-Petersburg")
    lost_s = every_s * (study.t_s.size - study.reachable[rio, petersburg])
    assert lost_s == pytest.approx(165.1 - 155.4, abs=every_s)


SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 36, "per_plane": 20, "phasing": 1}
TIME = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15}
SITES = [
    {"name": name, "lat_deg": lat_deg, "lon_deg": lon_deg}
    for name, lat_deg, lon_deg in [
        ("Bern", 46.9, 7.4), ("Madrid", 40.4, -3.7), ("Kiruna", 67.9, 20.2), ("Ankara", 39.9, 32.9),
        ("Sofia", 42.7, 23.3), ("Milan", 45.5, 9.2),
    ]
]  # fmt: skip


def small(folder, **more):
    content = {"time": TIME, "shells": [SHELL], "sites": SITES, **more}
    return build_scenario(content, "small", folder)


def samples_of(scenario, **options):
    world = build_world(scenario)
    at_utc = parse_utc(scenario.time.start_utc)
    (sample,) = pairs_over_time(world, scenario.sites, at_utc, np.zeros(1), paths=True, **options)
    return world, sample


def test_without_lasers_only_relays_reach_beyond_one_satellite(tmp_path):
    scenario = small(tmp_path, isl={"plan": "none"})
    world, alone = samples_of(scenario)
    _, relayed = samples_of(scenario, relays="sites")
    madrid, kiruna, ankara = 1, 2, 3
    assert np.isinf(alone.rtt_s[madrid, ankara])
    assert alone.nodes.between(madrid, ankara) == []
    over = relayed.nodes.between(madrid, ankara)
    satellites = len(world.fleet.catalogue)
    assert any(node >= satellites for node in over)
    assert relayed.hops[madrid, ankara] == len(over) + 1
    assert np.isinf(relayed.rtt_s[kiruna]).sum() == 5  # no satellite in view, so no relay helps
    assert np.isnan(np.diagonal(relayed.rtt_s)).all()
    better = relayed.rtt_s <= alone.rtt_s
    assert (better | np.eye(6, dtype=bool)).all()


def test_gateways_relay_where_asked_and_stay_out_of_the_answer(tmp_path):
    (tmp_path / "ground.csv").write_text("name,lat_deg,lon_deg\nRome,42,12.5\nNice,43.7,7.2\n")
    (tmp_path / "pops.csv").write_text("pop_id,city,country,lat_deg,lon_deg\nr,Rome,IT,42,12\n")
    ground = {"source": "ground.csv", "pops": "pops.csv"}
    arc = {"min_elevation_deg": 25.0, "gso_separation_deg": 12.0}
    scenario = small(tmp_path, isl={"plan": "none"}, gateways=ground, visibility=arc)
    world, sample = samples_of(scenario, relays="gateways")
    _, alone = samples_of(scenario)
    assert sample.rtt_s.shape == (6, 6)
    satellites = len(world.fleet.catalogue)
    (_, chunk), *_ = snapshots(world, parse_utc(TIME["start_utc"]), np.zeros(1))
    sat_m, place = next(chunk).sat_itrf_m, gateway_itrf(world.gateways)
    links = set()  # of gateways that relay
    for a, b in combinations(range(6), 2):
        for edge in pairwise(sample.nodes.between(a, b)):
            links |= {(max(edge) - satellites - 6, min(edge))} if max(edge) >= satellites else set()
    gateway, sat = np.array(sorted(links)).T
    assert set(gateway.tolist()) <= {0, 1}
    assert gso_separation_deg(*place, sat_m, gateway, sat).min() >= 12.0
    gained = np.isfinite(sample.rtt_s) & np.isinf(alone.rtt_s)
    assert gained.any()


def test_a_summary_tells_pairs_without_a_way_apart(tmp_path):
    scenario = small(tmp_path)
    world = build_world(scenario)
    study = study_pairs(world, scenario.sites, parse_utc(TIME["start_utc"]), np.arange(3.0))
    summary = pairs_summary(study)
    assert (summary["sites"], summary["pairs"], summary["instants"]) == (6, 15, 3)
    assert summary["unreachable_pairs"] == 5  # Kiruna's
    assert summary["unreachable_share"] == pytest.approx(1 / 3)
    assert np.isnan(study.stretch[2]).all()
    assert summary["stretch"]["geodesic"]["p5"] > 1.0
    busiest = summary["busiest_satellites"]
    assert busiest[0]["share"] >= busiest[-1]["share"] > 0
    table = pairs_table(study)
    assert table.num_rows == 15
    rows = {(row["from"], row["to"]): row for row in table.to_pylist()}
    assert rows["Madrid", "Kiruna"]["max_rtt_s"] is None
    assert rows["Madrid", "Kiruna"]["stretch"] is None
    assert rows["Madrid", "Kiruna"]["reachable_share"] == 0.0
    row = rows["Bern", "Sofia"]
    assert row["max_rtt_s"] == study.max_rtt_s[0, 4] > row["geodesic_m"] * 2 / 299_792_458
    assert row["fibre_stretch"] == pytest.approx(row["stretch"] / 1.468)


@pytest.mark.parametrize(
    ("sites", "relays", "text"),
    [
        (SITES[:1], None, r"pairs need at least 2 sites; add \[\[sites\]\]"),
        (SITES, "moon", '--relays "moon": expected sites or gateways'),
        (
            [{**SITES[0], "name": str(k)} for k in range(2001)],
            "sites",
            "pairs of 2,001 places; expected at most 2,000; take fewer sites",
        ),
    ],
)
def test_wrong_studies_are_refused(sites, relays, text, tmp_path):
    with pytest.raises(InputError, match=text):
        samples_of(small(tmp_path, sites=sites), relays=relays)
