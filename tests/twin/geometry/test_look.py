"""Look angles against the textbook triangle, skyfield, and the two forms against each other."""

import io
import lzma
from itertools import pairwise

import numpy as np
import pytest
import skyfield.data.iers
from hypothesis import given, settings
from hypothesis import strategies as st
from sgp4.api import Satrec
from skyfield.api import EarthSatellite, wgs84
from skyfield.timelib import Timescale

from skyweave.constants import GEO_RADIUS_M, WGS84_A_M
from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.frames import (
    earth_orientation,
    geodetic_to_itrf,
    itrf_to_enu_matrix,
    teme_to_itrf_matrix,
)
from skyweave.twin.geometry.look import look_angles, pair_angles

ONE_MICROMETRE = 1e-6
NO_ROWS = np.zeros(0, dtype=np.int32)


def directions(elevation_deg: np.ndarray, azimuth_deg: np.ndarray) -> np.ndarray:
    """Return unit vectors east, north, up (..., 3)."""
    elevation, azimuth = np.radians(elevation_deg), np.radians(azimuth_deg)
    level = np.cos(elevation)
    return np.stack([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)], -1)


def between_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the angle between unit vectors (..., 3), exact near zero."""
    return np.degrees(2.0 * np.arcsin(np.linalg.norm(a - b, axis=-1) / 2.0))


def placed(lat_deg: float, lon_deg: float, elevation_deg, azimuth_deg, range_m: float):
    """Return a site and one satellite at given angles: (1, 3), (1, 3), (1, 3)."""
    site_itrf_m, up_itrf = geodetic_to_itrf([lat_deg], [lon_deg], [0.0])
    line_enu_m = range_m * directions(np.array([elevation_deg]), np.array([azimuth_deg]))
    return site_itrf_m, up_itrf, site_itrf_m + line_enu_m @ itrf_to_enu_matrix(lat_deg, lon_deg)


def both_forms(site_itrf_m, up_itrf, sat_itrf_m):
    """Return the angles of all pairs from `look_angles` and from `pair_angles`, flat."""
    site_rows, sat_rows = np.indices((len(site_itrf_m), len(sat_itrf_m))).reshape(2, -1)
    listed = pair_angles(site_itrf_m, up_itrf, sat_itrf_m, site_rows, sat_rows)
    return [x.ravel() for x in look_angles(site_itrf_m, up_itrf, sat_itrf_m)], listed


@pytest.fixture(scope="module")
def skyfield_scale(reference_data) -> Timescale:
    """Skyfield with finals2000A for UT1 and with its polar motion installed."""
    content = lzma.decompress((reference_data / "eop" / "finals2000A.all.xz").read_bytes())
    finals = skyfield.data.iers.parse_x_y_dut1_from_finals_all(io.BytesIO(content))
    daily_tt, delta_t, leap_dates, leap_offsets = skyfield.data.iers.build_timescale_arrays(
        finals["utc_mjd"], finals["dut1"]
    )
    scale = Timescale((daily_tt, delta_t), leap_dates, leap_offsets)
    skyfield.data.iers.install_polar_motion_table(scale, finals)
    return scale


def low_satellites(count: int) -> list[tuple[str, str]]:
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    low = [
        (a, b)
        for a, b in pairwise(lines)
        if a.startswith("1 ") and b.startswith("2 ") and float(b[52:63]) > 11.25
    ]
    return low[:: len(low) // count][:count]


def test_directions_and_ranges_are_skyfield_s(skyfield_scale, full_counts, record_figure):
    pairs = 10_000 if full_counts else 2_000
    satellites, instants = low_satellites(50), pairs // 50
    rng = np.random.default_rng(2)
    lat_deg = np.degrees(np.arcsin(rng.uniform(-1, 1, 50)))
    lat_deg[:4] = [90.0, -90.0, 89.999, 0.0]
    lon_deg, height_m = rng.uniform(-180, 180, 50), rng.uniform(-400, 12_000, 50)
    site_itrf_m, up_itrf = geodetic_to_itrf(lat_deg, lon_deg, height_m)

    second = np.linspace(0.25, 86_400.0, instants)
    utc = np.datetime64("2026-06-14", "ns") + (second * 1e9).astype("timedelta64[ns]")
    turn = teme_to_itrf_matrix(utc, earth_orientation())
    time = skyfield_scale.utc(2026, 6, 14, 0, 0, second)
    apart_deg, range_error_m = [], []
    for row, lines in enumerate(satellites):
        difference = EarthSatellite(*lines, ts=skyfield_scale) - wgs84.latlon(
            lat_deg[row], lon_deg[row], height_m[row]
        )
        altitude, azimuth, distance = difference.at(time).altaz()
        julian_day = np.full(instants, 2461205.5)
        error, teme_km, _ = Satrec.twoline2rv(*lines).sgp4_array(julian_day, second / 86_400.0)
        assert not error.any()
        sat_itrf_m = np.einsum("tij,tj->ti", turn, teme_km * 1e3)
        look = look_angles(site_itrf_m[[row]], up_itrf[[row]], sat_itrf_m)
        here = directions(look.elevation_deg[0], look.azimuth_deg[0])
        apart_deg.append(between_deg(here, directions(altitude.degrees, azimuth.degrees)))
        range_error_m.append(np.abs(look.range_m[0] - distance.m))

    for name, errors, unit, limit in (
        ("look direction, skyfield", apart_deg, "deg", "1e-4"),
        ("slant range, skyfield", range_error_m, "m", "1"),
    ):
        for label, value in zip(
            ("p50", "p99", "max"), np.percentile(errors, [50, 99, 100]), strict=True
        ):
            record_figure(f"{name}, {pairs} pairs, {label}", float(value), unit, limit)
    one_ten_thousandth_deg, one_metre = 1e-4, 1.0
    assert np.max(apart_deg) <= one_ten_thousandth_deg
    assert np.max(range_error_m) <= one_metre


@pytest.mark.parametrize("separation_deg", [0.0, 30.0, 81.3, 90.0])
def test_site_on_the_equator_agrees_with_the_textbook_triangle(separation_deg):
    s = np.radians(separation_deg)
    expected_rad = np.arctan2(np.cos(s) - WGS84_A_M / GEO_RADIUS_M, np.sin(s))
    expected_m = np.sqrt(WGS84_A_M**2 + GEO_RADIUS_M**2 - 2 * WGS84_A_M * GEO_RADIUS_M * np.cos(s))
    site_m, up = np.array([[WGS84_A_M, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    sat_m = GEO_RADIUS_M * np.array([[np.cos(s), np.sin(s), 0.0]])
    for look in both_forms(site_m, up, sat_m):
        elevation_deg, azimuth_deg, range_m = (x.item() for x in look)
        assert elevation_deg == pytest.approx(np.degrees(expected_rad), abs=1e-9)
        assert range_m == pytest.approx(expected_m, rel=1e-12)
        assert azimuth_deg == (90.0 if separation_deg else 0.0)


@given(
    lat_deg=st.floats(-90, 90),
    lon_deg=st.floats(-180, 180),
    elevation_deg=st.floats(-89.9, 89.9),
    azimuth_deg=st.floats(0, 360),
    range_m=st.floats(1.0, 4e7),
)
@settings(deadline=None)
def test_a_satellite_is_seen_where_it_was_placed(
    lat_deg, lon_deg, elevation_deg, azimuth_deg, range_m
):
    for look in both_forms(*placed(lat_deg, lon_deg, elevation_deg, azimuth_deg, range_m)):
        seen_elevation_deg, seen_azimuth_deg, seen_m = (x.item() for x in look)
        assert 0.0 <= seen_azimuth_deg < 360.0
        assert seen_m == pytest.approx(range_m, abs=ONE_MICROMETRE)
        apart_deg = between_deg(
            directions(seen_elevation_deg, seen_azimuth_deg),
            directions(elevation_deg, azimuth_deg),
        )
        assert np.radians(apart_deg) * range_m <= ONE_MICROMETRE


@given(lat_deg=st.floats(-90, 90), turn_deg=st.floats(-180, 180))
@settings(deadline=None)
def test_turning_earth_and_satellites_together_changes_nothing(lat_deg, turn_deg):
    c, s = np.cos(np.radians(turn_deg)), np.sin(np.radians(turn_deg))
    sat_m = np.array([[7.0e6, 1.0e6, 2.0e6], [-3.0e6, 5.0e6, 4.0e6]])
    turned_m = sat_m @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    here = look_angles(*geodetic_to_itrf([lat_deg], [10.0], [120.0]), sat_m)
    there = look_angles(*geodetic_to_itrf([lat_deg], [10.0 + turn_deg], [120.0]), turned_m)
    np.testing.assert_allclose(there.range_m, here.range_m, atol=ONE_MICROMETRE, rtol=0)
    np.testing.assert_allclose(there.elevation_deg, here.elevation_deg, atol=1e-10, rtol=0)
    turned_deg = (there.azimuth_deg - here.azimuth_deg + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(turned_deg, 0.0, atol=1e-9)


def test_listed_pairs_are_those_of_the_full_table():
    rng = np.random.default_rng(3)
    lat_deg, lon_deg = rng.uniform(-90, 90, 40), rng.uniform(-180, 180, 40)
    site_itrf_m, up_itrf = geodetic_to_itrf(lat_deg, lon_deg, rng.uniform(0, 1e4, 40))
    sat_itrf_m = rng.normal(size=(60, 3))
    sat_itrf_m *= 7e6 / np.linalg.norm(sat_itrf_m, axis=1)[:, None]
    site_rows = rng.integers(0, 40, 500).astype(np.int32)
    sat_rows = rng.integers(0, 60, 500).astype(np.int32)
    table = look_angles(site_itrf_m, up_itrf, sat_itrf_m)
    listed = pair_angles(site_itrf_m, up_itrf, sat_itrf_m, site_rows, sat_rows)
    for all_pairs, some, atol in zip(table, listed, (1e-12, 1e-11, 1e-8), strict=True):
        np.testing.assert_allclose(some, all_pairs[site_rows, sat_rows], atol=atol, rtol=0)


def test_views_and_read_only_arrays_give_the_same_angles():
    site_itrf_m, up_itrf = geodetic_to_itrf([10.0, 50.0], [20.0, 30.0], 0.0)
    sat_itrf_m = np.array([[7e6, 1e6, 2e6], [5e6, 3e6, 4e6]])
    rows = np.array([0, 1])
    expected = pair_angles(site_itrf_m, up_itrf, sat_itrf_m, rows, rows)
    view_m = np.repeat(sat_itrf_m, 2, axis=0)[::2]
    sat_itrf_m.flags.writeable = False
    for sat_m in (view_m, np.asfortranarray(sat_itrf_m), sat_itrf_m):
        for x, y in zip(
            pair_angles(site_itrf_m, up_itrf, sat_m, rows, rows), expected, strict=True
        ):
            np.testing.assert_array_equal(x, y)


@pytest.mark.parametrize("longitude_deg", [-180.0, 180.0, 179.999999, -179.999999])
def test_longitude_180_is_a_place_like_any_other(longitude_deg):
    site_itrf_m, up_itrf, sat_itrf_m = placed(20.0, longitude_deg, 30.0, 260.0, 1e6)
    for look in both_forms(site_itrf_m, up_itrf, sat_itrf_m):
        np.testing.assert_allclose([x.item() for x in look], [30.0, 260.0, 1e6], rtol=1e-12)


@pytest.mark.parametrize("lat_deg", [90.0, -90.0])
def test_at_a_pole_azimuth_counts_from_the_given_meridian(lat_deg):
    for look in both_forms(*placed(lat_deg, 40.0, 30.0, 110.0, 1e6)):
        np.testing.assert_allclose([x.item() for x in look], [30.0, 110.0, 1e6], rtol=1e-12)


def test_on_the_axis_itself_azimuth_counts_as_on_longitude_zero():
    site_itrf_m, up_itrf = np.array([[0.0, 0.0, 6.4e6]]), np.array([[0.0, 0.0, 1.0]])
    sat_itrf_m = np.array([[-1e6, 0.0, 7.4e6], [0.0, 1e6, 7.4e6]])
    for look in both_forms(site_itrf_m, up_itrf, sat_itrf_m):
        np.testing.assert_allclose(look[0], [45.0, 45.0], atol=1e-12)
        np.testing.assert_allclose(look[1], [0.0, 90.0], atol=1e-12)


def test_a_hair_west_of_north_is_not_360_degrees():
    site_itrf_m, up_itrf = np.array([[6.4e6, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])
    for look in both_forms(site_itrf_m, up_itrf, np.array([[7e6, -1e-20, 1e6]])):
        assert look[1].item() == 0.0


def test_the_zenith_keeps_its_digits():
    site_itrf_m, up_itrf, sat_itrf_m = placed(47.0, 8.0, 90.0 - 1e-7, 0.0, 5.5e5)
    for look in both_forms(site_itrf_m, up_itrf, sat_itrf_m):
        assert 90.0 - look[0].item() == pytest.approx(1e-7, rel=1e-4)


def test_a_failed_satellite_is_nan_and_spoils_no_other():
    site_itrf_m, up_itrf = geodetic_to_itrf([0.0, np.nan], [0.0, 0.0], 0.0)
    sat_itrf_m = np.array([[np.nan] * 3, [7e6, 0.0, 0.0]])
    for look in both_forms(site_itrf_m, up_itrf, sat_itrf_m):
        for values in look:
            np.testing.assert_array_equal(np.isnan(values), [True, False, True, True])


def test_nothing_to_see_is_an_empty_answer():
    site_itrf_m, up_itrf = geodetic_to_itrf([0.0], [0.0], [0.0])
    assert look_angles(site_itrf_m, up_itrf, np.zeros((0, 3))).range_m.shape == (1, 0)
    assert look_angles(site_itrf_m[:0], up_itrf[:0], np.zeros((2, 3))).range_m.shape == (0, 2)
    no_pairs = pair_angles(site_itrf_m[:0], up_itrf[:0], np.zeros((0, 3)), NO_ROWS, NO_ROWS)
    assert [x.shape for x in no_pairs] == [(0,)] * 3


def test_a_block_of_instants_is_refused_with_the_shape_to_pass():
    with pytest.raises(InputError, match=r"shape \(4, 2, 3\); pass one instant"):
        look_angles(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((4, 2, 3)))
    with pytest.raises(InputError, match=r"shape \(4, 2, 3\); pass one instant"):
        pair_angles(np.zeros((1, 3)), np.zeros((1, 3)), np.zeros((4, 2, 3)), NO_ROWS, NO_ROWS)


def test_sites_without_their_normals_are_refused():
    with pytest.raises(InputError, match=r"shape \(2, 3\) and up_itrf \(1, 3\); pass \(S, 3\)"):
        look_angles(np.zeros((2, 3)), np.zeros((1, 3)), np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("site_rows", "sat_rows", "advice"),
    [
        ([0, 0], [1, -1], r"sat_rows runs from -1 to 1; expected 0 to 1: mask the pairs"),
        ([0, 0], [0, 2], r"sat_rows runs from 0 to 2; expected 0 to 1"),
        ([0, 1], [0, 0], r"site_rows runs from 0 to 1; expected 0 to 0"),
        ([0, 0], [0], r"site_rows has shape \(2,\) and sat_rows \(1,\); pass one of each"),
        (0, 0, r"site_rows has shape \(\) and sat_rows \(\); pass one of each"),
    ],
)
def test_pairs_that_point_nowhere_are_refused(site_rows, sat_rows, advice):
    site_itrf_m, up_itrf = geodetic_to_itrf([0.0], [0.0], [0.0])
    with pytest.raises(InputError, match=advice):
        pair_angles(
            site_itrf_m, up_itrf, np.full((2, 3), 7e6), np.array(site_rows), np.array(sat_rows)
        )
