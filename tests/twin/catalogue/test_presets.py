"""Presets against their origins: satgenpy's TLE text, Hypatia's limits, and closed forms."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra
from sgp4.api import WGS72, Satrec, SatrecArray, jday
from sgp4.io import compute_checksum

import skyweave
from skyweave.constants import SPEED_OF_LIGHT_M_S, WGS84_A_M
from skyweave.errors import InputError
from skyweave.twin.catalogue import filed_shell, filed_shells, minimum_separation_m, walker_star

SCENARIOS = Path(__file__).parents[3] / "scenarios" / "hypatia"
EPOCH = np.datetime64("2026-06-14T12:00:00", "ns")
HYPATIAS_EARTH_M = 6_378_135.0
ONE_MILLIMETRE = 1e-3
HUNDRED_NANOSECONDS_S = 1e-7  # 30 m of path: the two Earths differ in shape and turn

# What satgenpy 0.4.0 writes: sha256 of generate_tles_from_scratch_manual(file, name, planes,
# satellites each, True, inclination, 0.0000001, 0.0, rev/day).
SATGENPY = {
    "starlink-550": (
        "Starlink-550", "e8e944ac15ae28f2ba5fe8e0a845bdfe106694a1536711a52ec0e54f5ca29dd5",
    ),
    "kuiper-630": (
        "Kuiper-630", "0dcca8824ea8124d24cd0b47ae5a4f8a936e0a2b37bc8dbba6c739a5de25b271",
    ),
    "kuiper-610": (
        "Kuiper-610", "f2a894eb5c950bc459dcb8838661c08b37d681b1012eb9a9c999652a10e8e8bf",
    ),
    "telesat-1015": (
        "Telesat-1015", "fe37708bfb09221386de1ab5b6cda90422e5f9956bf1e91d6bc37114a286c2a7",
    ),
}  # fmt: skip
# MAX_GSL_LENGTH_M and MAX_ISL_LENGTH_M by the formulas of Hypatia's main_*.py: altitude, cone.
ALTITUDE_M = {
    "starlink-550": 550e3, "kuiper-630": 630e3, "kuiper-610": 610e3, "telesat-1015": 1015e3,
}  # fmt: skip
CONE_M = {
    "starlink-550": 940.7e3,
    "kuiper-630": 630e3 / math.tan(math.radians(30.0)),
    "kuiper-610": 610e3 / math.tan(math.radians(30.0)),
    "telesat-1015": 1015e3 / math.tan(math.radians(10.0)),
}
CITIES = {
    "starlink-550": ("Manila", "Dalian"), "kuiper-630": ("Manila", "Dalian"),
    "kuiper-610": ("Istanbul", "Nairobi"), "telesat-1015": ("London", "Johannesburg"),
}  # fmt: skip


def tle_lines(name, shell):
    """Return the shell as the TLE text that Hypatia would read."""
    yield f"{shell.grid_plane[-1] + 1} {shell.grid_slot[-1] + 1}"
    for n in range(len(shell)):
        first = f"1 {n + 1:05}U 00000ABC 00001.00000000  .00000000  00000-0  00000+0 0    0"
        second = (
            f"2 {n + 1:05} {shell.inclination_deg[n]:8.4f} {shell.raan_deg[n]:8.4f} "
            f"{f'{shell.eccentricity[n]:.7f}'[2:]} {shell.argp_deg[n]:8.4f} "
            f"{shell.mean_anomaly_deg[n]:8.4f} {shell.mean_motion_rev_day[n]:11.8f}    0"
        )
        yield f"{name} {n}"
        yield first + str(compute_checksum(first))
        yield second + str(compute_checksum(second))


@pytest.mark.parametrize("short", SATGENPY)
def test_hypatias_presets_are_the_tle_text_of_satgenpy_to_the_last_digit(short):
    name, digest = SATGENPY[short]
    shell = filed_shell(f"hypatia-{short}", EPOCH)
    text = "".join(f"{line}\n" for line in tle_lines(name, shell))
    assert hashlib.sha256(text.encode()).hexdigest() == digest
    assert (shell.epoch_utc == np.datetime64("2000-01-01")).all()
    assert filed_shell(short, EPOCH).name[0] == f"HYPATIA-{short.upper()} 0-0"


def scenario(short):
    return skyweave.load_scenario(SCENARIOS / f"{short}.toml")


@pytest.mark.parametrize("short", SATGENPY)
def test_hypatias_scenarios_hold_the_presets_numbers_and_hypatias_range(short):
    loaded, preset = scenario(short), filed_shell(short, EPOCH)
    (shell,) = loaded.shells
    assert shell.pattern == "hypatia"
    assert (shell.planes, shell.per_plane) == (preset.grid_plane[-1] + 1, preset.grid_slot[-1] + 1)
    assert {shell.mean_motion_rev_day} == set(preset.mean_motion_rev_day)
    assert {shell.inclination_deg} == set(preset.inclination_deg)
    assert loaded.visibility.mode == "range"
    max_gsl_m = math.sqrt(CONE_M[short] ** 2 + ALTITUDE_M[short] ** 2)
    assert loaded.visibility.max_range_m == pytest.approx(max_gsl_m, abs=ONE_MILLIMETRE)
    assert (loaded.earth.orientation, loaded.delay.processing_s) == ("none", 0.0)
    assert len(loaded.sites) == 100


def satellites_m(short):
    """Return the first instant's TEME positions (N, 3), by the library from the TLE text."""
    lines = list(tle_lines("x", filed_shell(short, EPOCH)))[1:]
    pairs = zip(lines[1::3], lines[2::3], strict=True)
    satellites = SatrecArray([Satrec.twoline2rv(*pair, WGS72) for pair in pairs])
    errors, position_km, _ = satellites.sgp4(*map(np.atleast_1d, jday(2000, 1, 1, 0, 0, 0)))
    assert not errors.any()
    return position_km[:, 0] * 1e3


def plus_grid(planes, per_plane):
    """Return the links (E, 2): to the next of the plane and to the same slot of the next plane."""
    plane, slot = np.divmod(np.arange(planes * per_plane), per_plane)
    ahead = plane * per_plane + (slot + 1) % per_plane
    beside = (plane + 1) % planes * per_plane + slot
    here = np.arange(planes * per_plane)
    return np.vstack([np.stack([here, ahead], 1), np.stack([here, beside], 1)])


def site_teme_m(site):
    """Return a place on Hypatia's WGS 72 ellipsoid, turned by Greenwich time of 2000-01-01."""
    lat, e2 = math.radians(site.lat_deg), (2.0 - 1.0 / 298.26) / 298.26
    angle = math.radians(site.lon_deg) + math.radians(99.96779469)  # GMST 1982 at 0 h UT1
    n_m = HYPATIAS_EARTH_M / math.sqrt(1.0 - e2 * math.sin(lat) ** 2)
    across_m = n_m * math.cos(lat)
    up_m = n_m * (1.0 - e2) * math.sin(lat)
    return np.array([across_m * math.cos(angle), across_m * math.sin(angle), up_m])


@pytest.mark.parametrize("short", SATGENPY)
def test_a_path_over_each_of_hypatias_shells_is_that_of_an_independent_search(short, record_figure):
    loaded = scenario(short)
    sat_m = satellites_m(short)
    edges = plus_grid(loaded.shells[0].planes, loaded.shells[0].per_plane)
    isl_m = np.linalg.norm(sat_m[edges[:, 0]] - sat_m[edges[:, 1]], axis=1)
    radius_m = HYPATIAS_EARTH_M + ALTITUDE_M[short]
    assert isl_m.max() < 2.0 * math.sqrt(radius_m**2 - (HYPATIAS_EARTH_M + 80e3) ** 2)

    sites = {site.name: site for site in loaded.sites}
    rows, lengths_m = [edges], [isl_m]
    for number, city in enumerate(CITIES[short]):
        away_m = np.linalg.norm(sat_m - site_teme_m(sites[city]), axis=1)
        seen = np.flatnonzero(away_m <= loaded.visibility.max_range_m)
        rows.append(np.stack([np.full(seen.size, len(sat_m) + number), seen], 1))
        lengths_m.append(away_m[seen])
    links, size = np.vstack(rows), len(sat_m) + 2
    graph = csr_array((np.concatenate(lengths_m), links.T), shape=(size, size))
    shortest_m = dijkstra(graph, directed=False, indices=size - 2)[size - 1]

    answer = skyweave.path(loaded, *CITIES[short])
    (sample,) = answer["samples"]
    expected_s = 2.0 * shortest_m / SPEED_OF_LIGHT_M_S
    wrong_ns = 1e9 * abs(sample["rtt_s"] - expected_s)
    record_figure(f"Hypatia {short}, path by an independent search", wrong_ns, "ns", "100")
    assert sample["rtt_s"] == pytest.approx(expected_s, abs=HUNDRED_NANOSECONDS_S)
    assert (sample["nodes"][0], sample["nodes"][-1]) == CITIES[short]


def test_every_filed_shell_is_a_preset_under_its_own_name_whatever_its_case():
    for filed in filed_shells():
        built = filed_shell(filed.shell.lower(), EPOCH)
        assert len(built) == filed.satellites
        assert built.name[0] == f"{filed.shell} 0-0"


def test_the_table_of_filings_multiplies_out(reference_data):
    table = (reference_data / "constellations/fcc_filing_shells.csv").read_text().splitlines()
    totals = [int(line.split(",")[7]) for line in table[1:]]
    assert [shell.satellites for shell in filed_shells()] == totals


def test_an_unknown_hypatia_preset_suggests_the_near_one():
    with pytest.raises(InputError, match="did you mean 'hypatia-kuiper-610'"):
        filed_shell("hypatia-kuiper-61", EPOCH)


@pytest.mark.parametrize("phasing", [0, 2, 5])
def test_a_walker_star_is_its_closed_form(phasing):
    """Nodes 180/P apart, satellites 360/S, planes ahead by F 360/T (Walker 1971)."""
    planes, per_plane = 6, 11
    star = walker_star(780e3, 86.4, planes, per_plane, phasing, EPOCH)
    plane, slot = np.divmod(np.arange(planes * per_plane), per_plane)
    np.testing.assert_allclose(star.raan_deg, plane * 30.0, atol=1e-12)
    phase_deg = slot * 360.0 / per_plane + plane * phasing * 360.0 / (planes * per_plane)
    np.testing.assert_allclose(star.mean_anomaly_deg, phase_deg % 360.0, atol=1e-10)


def test_the_least_separation_of_a_walker_star_is_that_of_many_instants():
    shape = (780e3, 86.4, 6, 11, 2)
    star = walker_star(*shape, EPOCH)
    node, tilt = np.radians(star.raan_deg), np.radians(86.4)
    turn = np.linspace(0.0, 2.0 * np.pi, 20_000, endpoint=False)[:, None]
    u = np.radians(star.mean_anomaly_deg) + turn
    x = np.cos(node) * np.cos(u) - np.sin(node) * np.sin(u) * np.cos(tilt)
    y = np.sin(node) * np.cos(u) + np.cos(node) * np.sin(u) * np.cos(tilt)
    xyz = np.stack([x, y, np.sin(u) * np.sin(tilt)], axis=-1)  # (instants, N, 3)
    nearest_m = min(
        np.linalg.norm(xyz[:, [k for k in range(66) if k != one]] - xyz[:, [one]], axis=-1).min()
        for one in range(0, 66, 11)
    ) * (780e3 + WGS84_A_M)
    exact_m = minimum_separation_m(*shape, node_spread_deg=180.0)
    between_instants_m = 2.5e3
    assert exact_m - ONE_MILLIMETRE <= nearest_m <= exact_m + between_instants_m
