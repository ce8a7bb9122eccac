"""What cuts a path, and the relaxation offered: with it there is a path, with a hair less none."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import skyweave
from skyweave.time import parse_utc
from skyweave.twin.ends import EndSky
from skyweave.twin.ends_by_name import endpoint
from skyweave.twin.geometry import Mask, look_angles
from skyweave.twin.no_path import Diagnosis, _shortest_chain, _shortest_link
from skyweave.twin.pairs import pairs_over_time
from skyweave.twin.paths import paths_over_time
from skyweave.twin.scenario import build_scenario
from skyweave.twin.snapshots import snapshots
from skyweave.twin.world import build_system, build_world

ROOT = Path(__file__).parents[2]
KUIPER = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
TIME = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15}
AT_UTC = parse_utc(TIME["start_utc"])
SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 36, "per_plane": 22, "phasing": 17}
TWO_PLANES = {**SHELL, "pattern": "walker-star", "inclination_deg": 90, "planes": 2, "phasing": 0}
SITES = [
    {"name": name, "lat_deg": lat_deg, "lon_deg": lon_deg}
    for name, lat_deg, lon_deg in [
        ("Bern", 46.9, 7.4), ("Madrid", 40.4, -3.7), ("Tromso", 69.6, 18.9), ("Alert", 82.5, -62.3),
        ("Quito", -0.2, -78.5), ("Kisumu", -0.1, 34.8), ("Sofia", 42.7, 23.3),
        ("Ankara", 39.9, 32.9), ("Perth", -31.9, 115.9), ("Milan", 45.5, 9.2), ("Zagreb", 45.8, 16),
        ("Eureka", 80.0, -85.9),
    ]
]  # fmt: skip

# How much less than offered must not do: the rounding to the safe side, and as much again.
A_HAIR_DEG, A_HAIR_M = 2e-6, 2e-3


def network(folder=Path(), **content):
    scenario = build_scenario(
        {"time": TIME, "shells": [SHELL], "sites": SITES, **content}, "-", folder
    )
    return build_world(scenario)


def ask(world, start, end, at_utc=AT_UTC):
    ends = endpoint(world, start), endpoint(world, end)
    (sample,) = paths_over_time(world, *ends, at_utc, np.zeros(1), causes=True)
    assert not sample.paths
    json.dumps(sample.cause, allow_nan=False)
    assert sample.cause["text"].isprintable()
    return ends, sample.cause


def relaxed(world, ends, relaxation, less):
    """Apply a relaxation, or a little less of it."""
    what, to = relaxation["what"], relaxation["to"]
    tighter = {
        "min_elevation_deg": A_HAIR_DEG, "gso_separation_deg": A_HAIR_DEG, "fov_deg": -A_HAIR_DEG,
        "max_range_m": -A_HAIR_M, "isl.max_range_m": -A_HAIR_M, "isl.min_grazing_m": A_HAIR_M,
    }  # fmt: skip
    to += less * tighter[what]
    scenario = world.scenario
    if what in ("min_elevation_deg", "max_range_m"):
        return world, [masked(end, relaxation["at"], what, to) for end in ends]
    if what == "fov_deg":
        return world, [
            end if end.sky is None else replace(end, sky=replace(end.sky, fov_deg=np.array([to])))
            for end in ends
        ]
    section, key = what.split(".") if "." in what else ("visibility", what)
    changed = getattr(scenario, section).model_copy(update={key: to})
    return replace(world, scenario=scenario.model_copy(update={section: changed})), ends


def masked(end, at, what, limit):
    """Give a limit to the antennas of an end that a relaxation names."""
    rows = [name in at.split(" and ") for name in (end.antennas or (end.name,))]
    if not any(rows):
        return end
    if what == "max_range_m":
        return replace(end, mask=Mask.range(np.where(rows, limit, end.mask.limit), len(rows)))
    own = np.degrees(np.arcsin(end.mask.limit))
    return replace(end, mask=Mask.elevation(np.where(rows, limit, own), len(rows)))


def check_that_it_is_exact(world, ends, relaxation, at_utc=AT_UTC):
    for less, has_path in ((False, True), (True, False)):
        other, others = relaxed(world, ends, relaxation, less)
        (sample,) = paths_over_time(other, *others, at_utc, np.zeros(1))
        assert bool(sample.paths) == has_path


def test_a_site_beyond_the_shell_is_told_by_how_much():
    scenario = skyweave.load_scenario(KUIPER)
    world, at_utc = build_world(scenario), parse_utc(scenario.time.start_utc)
    ends, cause = ask(world, "Manila", "Tromsø", at_utc)
    assert (cause["constraint"], cause["at"]) == ("no_satellite_in_view", "Tromsø")
    relaxation = cause["relaxation"]
    assert (relaxation["what"], relaxation["from"]) == ("max_range_m", 1_260_000.0)
    check_that_it_is_exact(world, ends, relaxation, at_utc)


@pytest.mark.parametrize("ends", [("Bern", "Tromso"), ("Tromso", "Madrid")])
def test_one_end_without_a_satellite_needs_a_lower_mask(ends):
    world = network()
    ends, cause = ask(world, *ends)
    assert (cause["constraint"], cause["at"]) == ("no_satellite_in_view", "Tromso")
    assert cause["relaxation"]["what"] == "min_elevation_deg"
    assert 0 < cause["relaxation"]["to"] < cause["relaxation"]["from"] == 25.0
    assert "instead of 25 deg at Tromso would give a path" in cause["text"]
    check_that_it_is_exact(world, ends, cause["relaxation"])


@pytest.mark.parametrize("visibility", [
    {"min_elevation_deg": 80.0}, {"mode": "range", "max_range_m": 560_000.0},
])  # fmt: skip
@pytest.mark.parametrize("plan", ["plus-grid", "ring", "none"])
def test_two_ends_without_a_satellite_need_one_mask_for_both(visibility, plan):
    world = network(visibility=visibility, isl={"plan": plan})
    ends, cause = ask(world, "Bern", "Milan")
    assert cause["at"] == "Bern and Milan"
    check_that_it_is_exact(world, ends, cause["relaxation"])


def test_a_site_with_the_shell_below_its_horizon_is_beyond_help():
    _, cause = ask(network(), "Bern", "Alert")
    assert cause["relaxation"] is None
    assert cause["text"] == (
        "Alert sees no satellite within its limits; no single change gives a path"
    )
    assert ask(network(), "Alert", "Eureka")[1]["relaxation"] is None


def test_the_gateway_that_needs_least_is_named(tmp_path):
    (tmp_path / "ground.csv").write_text(
        "name,lat_deg,lon_deg,min_elevation_deg\nFar,69,18,60\nNear,62.5,12,70\n"
    )
    (tmp_path / "pops.csv").write_text("pop_id,city,country,lat_deg,lon_deg\np,Oslo,NO,60,10\n")
    world = network(tmp_path, gateways={"source": "ground.csv", "pops": "pops.csv"})
    for name in ("p", "near"):
        ends, cause = ask(world, "Bern", name)
        relaxation = cause["relaxation"]
        assert cause["at"] == name
        assert relaxation["at"] in ("near", "far")
        assert relaxation["from"] == {"near": 70.0, "far": 60.0}[relaxation["at"]]
        check_that_it_is_exact(world, ends, relaxation)


def test_a_pop_without_gateways_says_so(tmp_path):
    (tmp_path / "pops.csv").write_text("pop_id,city,country,lat_deg,lon_deg\np,Oslo,NO,60,10\n")
    world = network(tmp_path, gateways={"source": "none", "pops": "pops.csv"})
    _, cause = ask(world, "Bern", "p")
    assert (cause["constraint"], cause["relaxation"]) == ("no_gateway_path", None)
    assert cause["text"].startswith("p has no gateway in service")


@pytest.mark.parametrize(
    ("failed", "constraint", "text"),
    [
        (["gateway:near", "gateway:far"], "gateway_failed", "p has lost its gateways to a failure"),
        (["pop:p"], "pop_failed", "p has failed"),
        (["core:op"], "core_failed", "operator's core systems are down"),
    ],
)
def test_what_has_failed_is_named(failed, constraint, text, tmp_path):
    (tmp_path / "ground.csv").write_text("name,lat_deg,lon_deg\nFar,48,10\nNear,47,8\n")
    (tmp_path / "pops.csv").write_text("pop_id,city,country,lat_deg,lon_deg\np,Oslo,NO,60,10\n")
    ground = {"source": "ground.csv", "pops": "pops.csv"}
    operator = {"name": "op", "shells": [SHELL], "gateways": ground}
    content = {"time": TIME, "sites": SITES, "operators": [operator]}
    (part,) = build_system(build_scenario(content, "-", tmp_path), failed).parts
    ends = endpoint(part.world, "Bern"), endpoint(part.world, "p")
    options = {"causes": True, "world_at": part.at_utc}
    (sample,) = paths_over_time(part.world, *ends, AT_UTC, np.zeros(1), **options)
    assert (sample.cause["constraint"], sample.cause["relaxation"]) == (constraint, None)
    assert text in sample.cause["text"]


def test_a_longer_range_reaches_over_what_is_nearer_but_below_the_horizon():
    high = {**SHELL, "altitude_km": 8_000, "inclination_deg": 85, "planes": 8, "per_plane": 8}
    limits = {"mode": "range", "max_range_m": 1_000_000.0}
    world = network(shells=[SHELL, {**high, "phasing": 1}], visibility=limits)
    bern = replace(endpoint(world, "Bern"), mask=Mask.range(9_900_000.0, 1))  # sees both shells
    ends = bern, endpoint(world, "Alert")
    (sample,) = paths_over_time(world, *ends, AT_UTC, np.zeros(1), causes=True)
    relaxation = sample.cause["relaxation"]
    assert (relaxation["what"], relaxation["at"]) == ("max_range_m", "Alert")
    grid, now = first_snapshot(world)
    look = look_angles(*ends[1].places(grid)[0], now.sat_itrf_m)
    is_up = look.elevation_deg[0] >= 0.0
    assert look.range_m[0].min() < look.range_m[0, is_up].min() - 1e6
    assert relaxation["to"] == pytest.approx(look.range_m[0, is_up].min(), abs=A_HAIR_M)


def first_snapshot(world, at_utc=AT_UTC):
    (grid, chunk), *_ = snapshots(world, at_utc, np.zeros(1))
    return grid, next(chunk)


@pytest.mark.parametrize("visibility", [{}, {"gso_separation_deg": 5.0}])
def test_an_end_whose_satellites_have_failed_says_so_and_what_would_help(visibility):
    content = {"time": TIME, "sites": SITES, "shells": [SHELL], "visibility": visibility}
    scenario = build_scenario(content, "-", Path())
    world = build_world(scenario)
    bern = endpoint(world, "Bern")
    grid, now = first_snapshot(world)
    used = EndSky(world, bern, bern.places(grid)[0], now.all_itrf_m).links.sat
    gone = [f"satellite:{each}" for each in world.fleet.catalogue.norad_id[used].tolist()]
    (part,) = build_system(scenario, gone).parts
    options = {"causes": True, "world_at": part.at_utc}
    ends = bern, endpoint(world, "Quito")
    (sample,) = paths_over_time(world, *ends, AT_UTC, np.zeros(1), **options)
    assert sample.reason == "satellite_failed"
    assert (sample.cause["constraint"], sample.cause["at"]) == ("satellite_failed", "Bern")
    assert "Bern has lost its satellites to a failure; a lowest el" in sample.cause["text"]
    for less, has_path in ((False, True), (True, False)):
        _, others = relaxed(world, ends, sample.cause["relaxation"], less)
        (other,) = paths_over_time(world, *others, AT_UTC, np.zeros(1), **options)
        assert bool(other.paths) == has_path


def test_an_end_that_would_see_nothing_anyway_is_not_put_down_to_a_failure():
    content = {"time": TIME, "sites": SITES, "shells": [SHELL]}
    (part,) = build_system(build_scenario(content, "-", Path()), ["satellite:366"]).parts
    ends = endpoint(part.world, "Bern"), endpoint(part.world, "Alert")
    (sample,) = paths_over_time(part.world, *ends, AT_UTC, np.zeros(1), world_at=part.at_utc)
    assert sample.reason == "no_satellite_in_view"


@pytest.mark.parametrize("seed", range(20))
def test_the_one_link_is_the_shortest_of_all_that_can_be(seed):
    # Shells of unlike altitude, satellites without a position, and failed links among the shortest.
    rng = np.random.default_rng(seed)
    min_grazing_m = rng.choice([-7e6, 80e3, 600e3])
    way = rng.normal(size=(60, 3))
    radius_m = 6_378_137.0 + rng.choice([550e3, 1_200e3, 8_000e3, 35_786e3], size=60)
    sat_m = way / np.linalg.norm(way, axis=1)[:, None] * radius_m[:, None]
    sat_m[rng.random(60) < 0.1] = np.nan
    here = rng.random(60) < rng.choice([0.05, 0.5])
    there = ~here & (rng.random(60) < 0.8)
    edges = np.array([(a, b) for a in np.flatnonzero(here) for b in np.flatnonzero(there)], int)
    edges = edges.reshape(-1, 2)
    length_m = np.linalg.norm(sat_m[edges[:, 0]] - sat_m[edges[:, 1]], axis=1)
    along = np.linspace(0.0, 1.0, 2001)[:, None, None]
    lowest_m = np.linalg.norm(
        along * sat_m[edges[:, 0]] + (1 - along) * sat_m[edges[:, 1]], axis=2
    ).min(axis=0)
    clear = np.flatnonzero(lowest_m >= 6_378_137.0 + min_grazing_m)
    clear = clear[np.argsort(length_m[clear])]
    failed = {tuple(edges[row]) for row in clear[: rng.integers(0, 4)]}
    world = SimpleNamespace(
        has_failed=lambda all: np.array([tuple(e) in failed for e in all], bool)
    )
    now = SimpleNamespace(world=world, sat_itrf_m=sat_m)
    found = _shortest_link(now, here, there, min_grazing_m)
    expected = [edges[row] for row in clear if tuple(edges[row]) not in failed]
    assert (found is None) == (not expected)
    if expected:
        assert found.tolist() == expected[0].tolist()


def test_a_longer_reach_does_not_count_on_failed_links():  # 366-388 would else decide
    limits = {"plan": "plus-grid", "max_range_m": 1_200_000.0}
    content = {"time": TIME, "sites": SITES, "shells": [SHELL], "isl": limits}
    (part,) = build_system(build_scenario(content, "-", Path()), ["link:366-388"]).parts
    ends = endpoint(part.world, "Bern"), endpoint(part.world, "Perth")
    options = {"causes": True, "world_at": part.at_utc}
    (sample,) = paths_over_time(part.world, *ends, AT_UTC, np.zeros(1), **options)
    _, whole = ask(part.world, "Bern", "Perth")
    assert sample.cause["relaxation"]["to"] > whole["relaxation"]["to"]


def test_the_geostationary_arc_is_told_with_the_separation_that_does():
    world = network(visibility={"min_elevation_deg": 25.0, "gso_separation_deg": 60.0})
    ends, cause = ask(world, "Quito", "Bern")
    assert (cause["constraint"], cause["at"]) == ("gso_arc", "Quito")
    assert cause["relaxation"]["what"] == "gso_separation_deg"
    check_that_it_is_exact(world, ends, cause["relaxation"])


def test_a_narrow_dish_is_told_with_the_cone_that_does():
    dish = {"id": "dish", "lat_deg": 46.9, "lon_deg": 7.4, "class": "pencil"}
    pencil = {"name": "pencil", "fov_deg": 4.0, "tilt_deg": 20.0}
    world = network(terminals=[dish], terminal_classes=[pencil])
    ends, cause = ask(world, "dish", "Madrid")
    assert (cause["constraint"], cause["at"]) == ("field_of_view", "dish")
    assert (cause["relaxation"]["what"], cause["relaxation"]["from"]) == ("fov_deg", 4.0)
    check_that_it_is_exact(world, ends, cause["relaxation"])


def test_a_walled_dish_is_told_where_a_clear_sight_would_do(tmp_path):
    (tmp_path / "walls.csv").write_text("azimuth_deg,elevation_deg\n0,89.9\n180,89.9\n")
    dish = {"id": "dish", "lat_deg": 46.9, "lon_deg": 7.4, "horizon": "walls.csv"}
    world = network(tmp_path, terminals=[dish])
    (here, _), cause = ask(world, "dish", "Madrid")
    assert (cause["constraint"], cause["at"]) == ("obstructed", "dish")
    (grid, chunk), *_ = snapshots(world, AT_UTC, np.zeros(1))
    look = look_angles(*here.places(grid)[0], next(chunk).sat_itrf_m)
    highest = int(np.nanargmax(look.elevation_deg[0]))
    assert cause["relaxation"]["elevation_deg"] == round(look.elevation_deg[0, highest], 1)
    assert cause["relaxation"]["azimuth_deg"] == round(look.azimuth_deg[0, highest], 1)


@pytest.mark.parametrize(("limits", "what"), [
    ({"max_range_m": 1_200_000.0}, "isl.max_range_m"),
    ({"min_grazing_m": 500_000.0}, "isl.min_grazing_m"),
    ({"max_range_m": 900_000.0, "min_grazing_m": 400_000.0}, "isl.max_range_m"),
    ({"max_range_m": 2_000_000.0, "min_grazing_m": 520_000.0}, "isl.min_grazing_m"),
])  # fmt: skip
def test_links_cut_short_are_told_with_the_limit_that_does(limits, what):
    world = network(isl={"plan": "plus-grid", **limits})
    ends, cause = ask(world, "Bern", "Perth")
    assert (cause["constraint"], cause["at"]) == ("partition", "network")
    assert "no laser links join the satellites of Bern (planes 0-" in cause["text"]
    (grid, chunk), *_ = snapshots(world, AT_UTC, np.zeros(1))
    seen = look_angles(*ends[1].places(grid)[0], next(chunk).sat_itrf_m).elevation_deg[0] >= 25.0
    planes = {f"0-{plane}" for plane in world.fleet.catalogue.grid_plane[seen].tolist()}
    assert cause["planes"]["Perth"] == sorted(planes)
    assert cause["relaxation"]["what"] == what
    assert cause["relaxation"]["from"] == limits[what.removeprefix("isl.")]
    check_that_it_is_exact(world, ends, cause["relaxation"])


@pytest.mark.parametrize("ends", [("Bern", "Quito"), ("Perth", "Ankara"), ("Bern", "Perth")])
def test_rings_are_joined_by_a_lower_mask_at_the_end_that_needs_less(ends):
    world = network(isl={"plan": "ring"}, shells=[{**SHELL, "planes": 8, "phasing": 3}])
    ends, cause = ask(world, *ends)
    assert cause["constraint"] == "partition"
    relaxation = cause["relaxation"]
    assert relaxation["what"] == "min_elevation_deg"
    check_that_it_is_exact(world, ends, relaxation)
    other = next(end.name for end in ends if end.name != relaxation["at"])
    _, as_low = relaxed(world, ends, {**relaxation, "at": other}, True)
    (sample,) = paths_over_time(world, *as_low, AT_UTC, np.zeros(1))
    assert not sample.paths


def test_bent_pipes_are_joined_by_the_fewest_ground_relays():
    # Ends 6,500 km apart share no sky, however low they look.
    along = [{"name": f"E{lon}", "lat_deg": 45.0, "lon_deg": lon} for lon in range(0, 85, 6)]
    world = network(isl={"plan": "none"}, sites=along, shells=[{**SHELL, "planes": 72}])
    _, cause = ask(world, "E0", "E84")
    assert cause["relaxation"]["what"] == "ground_relay"
    relays = cause["relaxation"]["sites"]
    sites = {site.name: site for site in world.scenario.sites}

    def rtt_s(names):
        chosen = [sites[name] for name in ("E0", "E84", *names)]
        (sample,) = pairs_over_time(world, chosen, AT_UTC, np.zeros(1), relays="sites")
        return sample.rtt_s[0, 1]

    assert len(relays) >= 3
    assert np.isfinite(rtt_s(relays))
    for row in range(len(relays)):
        assert np.isinf(rtt_s(relays[:row] + relays[row + 1 :]))


def test_planes_apart_are_joined_by_the_shortest_link():
    sites = [SITES[4], {"name": "East", "lat_deg": 0.0, "lon_deg": 11.5}]
    world = network(isl={"plan": "ring"}, shells=[TWO_PLANES], sites=sites)
    found = None
    for t_s in np.arange(0.0, 86_400.0, 300.0):
        at_utc = AT_UTC + np.timedelta64(int(t_s), "s")
        ends = endpoint(world, "Quito"), endpoint(world, "East")
        (sample,) = paths_over_time(world, *ends, at_utc, np.zeros(1), causes=True)
        if sample.cause and sample.cause["constraint"] == "partition":
            found = at_utc, sample.cause["relaxation"]
            break
    at_utc, relaxation = found
    assert relaxation["what"] == "laser_link"
    assert sorted(relaxation["planes"]) == ["0-0", "0-1"]
    (_, chunk), *_ = snapshots(world, at_utc, np.zeros(1))
    sat_m = next(chunk).sat_itrf_m
    plane = world.fleet.catalogue.grid_plane
    apart_m = np.linalg.norm(sat_m[plane == 0][:, None] - sat_m[plane == 1], axis=2)
    assert relaxation["length_m"] == pytest.approx(apart_m.min(), rel=1e-12)
    # Where the best two carry no lasers, the next best are named.
    diagnosis = Diagnosis(world, at_utc)
    norad_id = world.fleet.catalogue.norad_id
    diagnosis.has_laser = ~np.isin(norad_id, relaxation["norad_ids"])
    (grid, chunk), *_ = snapshots(world, at_utc, np.zeros(1))
    now = next(chunk)
    skies = [EndSky(world, end, end.places(grid)[0], now.all_itrf_m) for end in ends]
    other = diagnosis.cause(now, *skies)["relaxation"]
    assert not set(other["norad_ids"]) & set(relaxation["norad_ids"])


def test_no_link_is_offered_through_the_earth():
    _, cause = ask(network(isl={"plan": "none"}), "Bern", "Perth")
    assert cause["relaxation"] is None


def test_the_real_fleet_is_told_the_same_way():
    content = {
        "time": TIME, "sites": SITES, "visibility": {"min_elevation_deg": 89.5},
        "catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]},
    }  # fmt: skip
    world = build_world(build_scenario(content, "-", Path()))
    ends, cause = ask(world, "Bern", "Perth")
    assert cause["relaxation"]["what"] == "min_elevation_deg"
    check_that_it_is_exact(world, ends, cause["relaxation"])


@pytest.mark.parametrize(
    ("views", "chain"),
    [
        (
            [{0, 1}, {1, 2}, {0, 3}, {3, 4}, {4, 9}, {2, 9}],
            [2, 3, 4],
        ),  # as long as [0, 1, 5], and found first
        ([{0, 9}, {0, 1}], [0]),
        ([{0, 1}, {2, 9}], None),
        ([], None),
    ],
)
def test_the_shortest_chain_of_relays_is_taken(views, chain):
    assert _shortest_chain(views, {0}, {9}) == chain
