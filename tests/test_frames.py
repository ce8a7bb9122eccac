"""Frames against astropy and skyfield, both fed with the same Earth orientation as ours."""

import io
import lzma
from itertools import pairwise

import astropy.units as u
import numpy as np
import pytest
import skyfield.data.iers
from astropy.coordinates import (
    ITRS,
    TEME,
    CartesianDifferential,
    CartesianRepresentation,
    EarthLocation,
)
from astropy.time import Time
from astropy.utils import iers
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sgp4.api import Satrec
from skyfield.api import EarthSatellite
from skyfield.framelib import itrs
from skyfield.timelib import Timescale

from skyweave.constants import EARTH_MEAN_RADIUS_M, WGS84_A_M, WGS84_F
from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.frames import (
    EarthOrientation,
    earth_orientation,
    earth_rotation_itrf,
    geodetic_to_itrf,
    gmst82_rad,
    great_circle_m,
    itrf_to_enu_matrix,
    itrf_to_geodetic,
    teme_to_itrf_matrix,
)

ONE_CM = 0.01
FIVE_CM = 0.05
ONE_MICROMETRE = 1e-6

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


def moments(first: str, last: str, count: int) -> np.ndarray:
    """Return moments spread evenly, each off the whole second (T,)."""
    ends_ns = np.array([first, last], dtype="datetime64[ns]").astype(np.int64)
    return np.linspace(*ends_ns.astype(float), count).astype(np.int64).astype("datetime64[ns]")


def low_satellites(count: int) -> list[tuple[str, str]]:
    """Return the TLE lines of some low satellites of the packaged catalogue."""
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    pairs = [(a, b) for a, b in pairwise(lines) if a[:2] + b[:2] == "1 2 "]
    low = [pair for pair in pairs if float(pair[1][52:63]) > 11.25 and pair[0][18:20] == "26"]
    return low[:: len(low) // count][:count]


def julian_days(utc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    day = utc.astype("datetime64[D]")
    fraction = (utc - day) / np.timedelta64(86_400_000_000_000, "ns")
    return day.astype(np.int64) + 2440587.5, fraction


def teme_of(lines: tuple[str, str], utc: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return TEME positions and velocities (T, 3), m and m/s, by the sgp4 library."""
    error, teme_km, teme_km_s = Satrec.twoline2rv(*lines).sgp4_array(*julian_days(utc))
    assert not error.any()
    return teme_km * 1e3, teme_km_s * 1e3


@pytest.fixture(scope="module")
def our_table_in_astropy():
    """Astropy reads the packaged Earth orientation and never the network."""
    rows = read_data_text("earth_orientation.csv.xz").splitlines()[1:]
    mjd, pole_x, pole_y, ut1_utc = np.array([row.split(",") for row in rows], dtype=float).T
    table = iers.IERS(
        {
            "MJD": mjd * u.d,
            "PM_x": pole_x * u.arcsec,
            "PM_y": pole_y * u.arcsec,
            "UT1_UTC": ut1_utc * u.s,
        }
    )
    with iers.conf.set_temp("auto_download", False), iers.earth_orientation_table.set(table):
        yield


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


def record_spread(record_figure, name: str, errors: np.ndarray, unit: str, limit: str) -> None:
    for label, value in zip(
        ("p50", "p99", "max"), np.percentile(errors, [50, 99, 100]), strict=True
    ):
        record_figure(f"{name}, {label}", float(value), unit, limit)


def astropy_itrs(utc, teme_m, teme_m_s):
    """Return astropy's ITRS positions and velocities, each (T, 3)."""
    time = Time(utc, format="datetime64", scale="utc")
    motion = CartesianDifferential(teme_m_s.T * u.m / u.s)
    teme = TEME(CartesianRepresentation(teme_m.T * u.m, differentials=motion), obstime=time)
    there = teme.transform_to(ITRS(obstime=time))
    return there.cartesian.xyz.to_value(u.m).T, there.velocity.d_xyz.to_value(u.m / u.s).T


def ours(utc, teme_m, teme_m_s):
    """Return our ITRF positions and velocities, each (T, 3)."""
    orientation = earth_orientation()
    turn = teme_to_itrf_matrix(utc, orientation)
    itrf_m = np.einsum("tij,tj->ti", turn, teme_m)
    spin = np.cross(earth_rotation_itrf(utc, orientation), itrf_m)
    return itrf_m, np.einsum("tij,tj->ti", turn, teme_m_s) - spin


def test_low_satellites_stand_where_astropy_puts_them(
    our_table_in_astropy, full_counts, record_figure
):
    utc = moments("2026-06-12T00:00:00.1", "2026-06-18T23:59:59.7", 200 if full_counts else 50)
    position_m, velocity_m_s = [], []
    for lines in low_satellites(100 if full_counts else 10):
        teme = teme_of(lines, utc)
        for errors, here, there in zip(
            (position_m, velocity_m_s), ours(utc, *teme), astropy_itrs(utc, *teme), strict=True
        ):
            errors.append(np.linalg.norm(here - there, axis=1))
    record_spread(record_figure, "ITRF position, astropy", np.array(position_m), "m", "0.01")
    record_spread(record_figure, "ITRF velocity, astropy", np.array(velocity_m_s), "m/s", "0.001")
    assert np.max(position_m) <= ONE_CM
    one_mm_s = 0.001
    assert np.max(velocity_m_s) <= one_mm_s


def test_any_moment_of_the_table_turns_as_in_astropy(
    our_table_in_astropy, full_counts, record_figure
):
    utc = moments("1973-01-03", "2027-10-20", 20_000 if full_counts else 2_000)
    teme_m = np.tile([7e6 / np.sqrt(3.0)] * 3, (len(utc), 1))
    errors_m = np.linalg.norm(
        np.subtract(ours(utc, teme_m, 0 * teme_m)[0], astropy_itrs(utc, teme_m, 0 * teme_m)[0]),
        axis=1,
    )
    record_spread(record_figure, "ITRF position 1973-2027, astropy", errors_m, "m", "0.01")
    # One formula and one table: what is left is rounding and, on days of a leap second, 14 um
    # because astropy's day is then 86,401 s long.  A missing cubic term shows as 50 um.
    assert errors_m.max() <= 20 * ONE_MICROMETRE


def test_low_satellites_stand_where_skyfield_puts_them(skyfield_scale, full_counts, record_figure):
    utc = moments("2026-06-12T00:00:00.1", "2026-06-18T23:59:59.7", 200 if full_counts else 50)
    second = (utc - np.datetime64("2026-06-01", "ns")) / np.timedelta64(1, "s")
    time = skyfield_scale.utc(2026, 6, 1, 0, 0, second)
    errors_m = []
    for lines in low_satellites(100 if full_counts else 10):
        there = EarthSatellite(*lines, ts=skyfield_scale).at(time).frame_xyz(itrs).m.T
        errors_m.append(np.linalg.norm(ours(utc, *teme_of(lines, utc))[0] - there, axis=1))
    record_spread(record_figure, "ITRF position, skyfield", np.array(errors_m), "m", "0.05")
    assert np.max(errors_m) <= FIVE_CM


def test_the_velocity_is_the_slope_of_the_position():
    utc = moments("2026-06-14", "2026-06-15", 20)
    angle, rate_rad_s = np.linspace(0, 6, 20), 0.0011

    def position_m(t_s):
        turned = angle + rate_rad_s * t_s
        return 7e6 * np.stack([np.cos(turned), np.sin(turned) * 0.6, np.sin(turned) * 0.8], 1)

    half_a_second = np.timedelta64(500, "ms")
    nothing = np.zeros((20, 3))
    before_m, _ = ours(utc - half_a_second, position_m(-0.5), nothing)
    after_m, _ = ours(utc + half_a_second, position_m(0.5), nothing)
    teme_m_s = (position_m(0.5) - position_m(-0.5)) / np.sinc(rate_rad_s / (2 * np.pi))
    _, velocity_m_s = ours(utc, position_m(0.0), teme_m_s)
    # A difference over 1 s misses a 24th of the jerk: (1.1e-3 rad/s)^3 * 7e6 m / 24 = 4e-4 m/s.
    np.testing.assert_allclose(velocity_m_s, after_m - before_m, atol=6e-4, rtol=0)


def test_a_place_on_the_turning_earth_does_not_move():
    utc = moments("2026-06-14", "2026-06-15", 5)
    orientation = earth_orientation()
    itrf_m = np.array([4e6, -3e6, 4e6])
    turn = teme_to_itrf_matrix(utc, orientation)
    spin = earth_rotation_itrf(utc, orientation)
    teme_m_s = np.einsum("tji,tj->ti", turn, np.cross(spin, itrf_m))
    still_m_s = np.einsum("tij,tj->ti", turn, teme_m_s) - np.cross(spin, itrf_m)
    np.testing.assert_allclose(still_m_s, 0.0, atol=1e-9)
    later = teme_to_itrf_matrix(utc + np.timedelta64(1, "s"), orientation)
    moved_m = np.einsum("tij,tkj,k->ti", later, turn, itrf_m) - itrf_m
    np.testing.assert_allclose(moved_m, -np.cross(spin, itrf_m), atol=0.02)


def test_sidereal_time_is_that_of_vallado_s_example():
    utc = np.array(["1992-08-20T12:14:00"], dtype="datetime64[ns]")  # example 3-5, UT1
    printed_seconds = -232984181.0909255  # from a century rounded to nine places
    expected_deg = printed_seconds % 86400.0 / 240.0
    assert np.degrees(gmst82_rad(utc, np.zeros(1))) == pytest.approx(expected_deg, abs=1e-7)


@given(hnp.arrays("int64", st.integers(0, 5), elements=st.integers(-4 * 10**17, 4 * 10**18)))
@settings(deadline=None)
def test_every_turn_is_a_rotation(ns):
    utc = ns.astype("datetime64[ns]")
    turn = teme_to_itrf_matrix(utc, earth_orientation())
    assert turn.shape == (len(ns), 3, 3)
    np.testing.assert_allclose(
        turn @ np.swapaxes(turn, 1, 2), np.broadcast_to(np.eye(3), turn.shape), atol=1e-15
    )
    np.testing.assert_allclose(np.linalg.det(turn), 1.0, atol=1e-15)


def test_without_orientation_the_earth_turns_by_utc_about_its_axis():
    utc = moments("2000-01-01", "2026-06-14", 7)
    none = earth_orientation("none")
    ut1_minus_utc_s, pole_x_rad, pole_y_rad, inside = none.at(utc)
    assert not ut1_minus_utc_s.any()
    assert not pole_x_rad.any()
    assert not pole_y_rad.any()
    assert inside.all()
    turn = teme_to_itrf_matrix(utc, none)
    np.testing.assert_array_equal(turn[:, 2], np.tile([0.0, 0.0, 1.0], (7, 1)))
    np.testing.assert_allclose(
        np.arctan2(turn[:, 0, 1], turn[:, 0, 0]) % (2 * np.pi),
        gmst82_rad(utc, np.zeros(7)),
        atol=1e-14,
    )


def test_outside_the_table_ut1_is_utc_and_the_pole_stands_still():
    table = earth_orientation()
    one_ns = np.timedelta64(1, "ns")
    edges = table.day_utc[[0, -1]]
    at_edges = table.at(edges)
    assert at_edges.inside.all()
    assert at_edges.ut1_minus_utc_s[0] == pytest.approx(0.8084178, abs=1e-9)
    beyond = table.at(edges + np.array([-one_ns, one_ns]))
    assert not beyond.inside.any()
    for values in beyond[:3]:
        assert not values.any()


def test_ut1_runs_on_through_a_leap_second():
    utc = np.array(
        ["2016-12-31", "2016-12-31T12:00", "2016-12-31T23:59:59.999999999", "2017-01-01"],
        dtype="datetime64[ns]",
    )
    ut1_minus_utc_s = earth_orientation().at(utc).ut1_minus_utc_s
    # The table says -0.4077601 and +0.5912821; without the second the day loses 0.9578 ms.
    expected_s = [-0.4077601, (-0.4077601 + 0.5912821 - 1.0) / 2, 0.5912821 - 1.0, 0.5912821]
    one_microsecond = 1e-6
    np.testing.assert_allclose(ut1_minus_utc_s, expected_s, atol=one_microsecond)


def test_a_run_cut_into_parts_turns_the_same():
    utc = moments("2027-10-01", "2027-12-01", 61)  # across the end of the table
    whole = teme_to_itrf_matrix(utc, earth_orientation())
    parts = [teme_to_itrf_matrix(part, earth_orientation()) for part in np.array_split(utc, 7)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_the_table_is_read_once():
    assert earth_orientation() is earth_orientation("iers")
    assert isinstance(earth_orientation("none"), EarthOrientation)


def test_an_unknown_orientation_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r'"iau" is unknown; expected "iers" or "none"'):
        earth_orientation("iau")


def test_places_stand_where_astropy_puts_them(record_figure):
    rng = np.random.default_rng(0)
    lat_deg = np.concatenate([np.degrees(np.arcsin(rng.uniform(-1, 1, 1000))), [90, -90, 0, 0]])
    lon_deg = np.concatenate([rng.uniform(-180, 180, 1000), [0, 77, 180, -180]])
    height_m = np.concatenate([rng.uniform(-500, 2e6, 1000), [0, 100, -100, 4e7]])
    there = EarthLocation.from_geodetic(lon_deg, lat_deg, height_m)
    site_itrf_m, up_itrf = geodetic_to_itrf(lat_deg, lon_deg, height_m)
    errors_m = np.linalg.norm(site_itrf_m - np.stack([there.x, there.y, there.z], 1).value, axis=1)
    record_spread(record_figure, "geodetic to ITRF, astropy", errors_m, "m", "1e-6")
    assert errors_m.max() <= ONE_MICROMETRE
    np.testing.assert_allclose(np.linalg.norm(up_itrf, axis=1), 1.0, atol=1e-15)

    lat_back_deg, lon_back_deg, height_back_m = itrf_to_geodetic(site_itrf_m)
    assert np.abs(height_back_m - height_m).max() <= ONE_MICROMETRE
    assert great_circle_m(lat_back_deg, lon_back_deg, lat_deg, lon_deg).max() <= ONE_MICROMETRE
    geodetic = there.to_geodetic()  # itself 16 um off at 2,000 km height
    offset_m = great_circle_m(lat_back_deg, lon_back_deg, geodetic.lat.value, geodetic.lon.value)
    assert offset_m.max() <= 1e-4
    assert np.abs(height_back_m - geodetic.height.value).max() <= ONE_MICROMETRE


@given(latitudes, st.floats(-180, 360), st.floats(-1e5, 3.6e7))
@settings(deadline=None)
def test_a_place_comes_back_from_itrf(lat_deg, lon_deg, height_m):
    site_itrf_m, _ = geodetic_to_itrf([lat_deg], [lon_deg], [height_m])
    lat_back_deg, lon_back_deg, height_back_m = itrf_to_geodetic(site_itrf_m)
    assert -180.0 <= lon_back_deg.item() <= 180.0
    assert great_circle_m(lat_back_deg, lon_back_deg, lat_deg, lon_deg).item() <= ONE_MICROMETRE
    assert height_back_m.item() == pytest.approx(height_m, abs=ONE_MICROMETRE)


def test_the_poles_and_the_equator_have_the_ellipsoid_s_radii():
    site_itrf_m, up_itrf = geodetic_to_itrf([90, -90, 0, 0], [0, 12, 0, 180], 0.0)
    b_m = WGS84_A_M * (1 - WGS84_F)
    expected_m = [[0, 0, b_m], [0, 0, -b_m], [WGS84_A_M, 0, 0], [-WGS84_A_M, 0, 0]]
    np.testing.assert_allclose(site_itrf_m, expected_m, atol=1e-8)
    np.testing.assert_allclose(up_itrf, np.sign(expected_m), atol=1e-15)
    lat_deg, _, height_m = itrf_to_geodetic(np.array([[0, 0, b_m + 100.0], [0, 0, -b_m]]))
    assert lat_deg.tolist() == [90.0, -90.0]
    np.testing.assert_allclose(height_m, [100.0, 0.0], atol=1e-8)


@given(latitudes, longitudes)
@settings(deadline=None)
def test_east_north_and_up_are_what_their_names_say(lat_deg, lon_deg):
    turn = itrf_to_enu_matrix([lat_deg], [lon_deg])[0]
    site_itrf_m, up_itrf = geodetic_to_itrf([lat_deg], [lon_deg], [0.0])
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-15)
    np.testing.assert_allclose(np.cross(turn[0], turn[1]), turn[2], atol=1e-15)
    np.testing.assert_allclose(turn[2], up_itrf[0], atol=1e-15)
    assert turn[0, 2] == 0.0  # east is level with the equator
    assert turn[1, 2] >= 0.0  # north leans to the pole
    assert turn[0] @ np.array([-site_itrf_m[0, 1], site_itrf_m[0, 0], 0.0]) >= 0.0


@pytest.mark.parametrize(
    ("places", "turns"),
    [
        ((0, 0, 0, 90), 0.25),
        ((0, 0, 90, 123), 0.25),
        ((10, 179.5, 10, 179.5), 0.0),
        ((0, 179.5, 0, -179.5), 1 / 360),
        ((0, -180, 0, 180), 0.0),
        ((37, 20, -37, -160), 0.5),
        ((90, 0, -90, 55), 0.5),
    ],
)
def test_great_circles_have_the_length_of_the_sphere(places, turns):
    assert great_circle_m(*places) == pytest.approx(
        2 * np.pi * EARTH_MEAN_RADIUS_M * turns, abs=0.1
    )


def test_great_circles_broadcast_and_carry_nan():
    distance_m = great_circle_m(np.zeros((2, 1)), 0.0, 0.0, np.array([0.0, 1.0, np.nan]))
    assert distance_m.shape == (2, 3)
    np.testing.assert_array_equal(np.isnan(distance_m), [[False, False, True]] * 2)


def test_nan_in_is_nan_out_and_nothing_in_is_nothing_out():
    site_itrf_m, up_itrf = geodetic_to_itrf([np.nan, 0.0], [0.0, 0.0], [0.0, np.nan])
    assert np.isnan(site_itrf_m).any(axis=1).all()
    assert np.isnan(up_itrf[0]).all()
    for values in itrf_to_geodetic(np.full((2, 4, 3), np.nan)):
        assert values.shape == (2, 4)
        assert np.isnan(values).all()
    assert geodetic_to_itrf([], [], [])[0].shape == (0, 3)
    assert itrf_to_enu_matrix([], []).shape == (0, 3, 3)
    no_time = np.zeros(0, dtype="datetime64[ns]")
    assert teme_to_itrf_matrix(no_time, earth_orientation()).shape == (0, 3, 3)
    assert earth_rotation_itrf(no_time, earth_orientation()).shape == (0, 3)
