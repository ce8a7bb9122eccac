"""The Sun's place and the Earth's shadow against skyfield with a JPL ephemeris."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import skyfield_data
from skyfield.api import EarthSatellite, load, load_file, wgs84
from skyfield.framelib import itrs
from tests.support.from_sgp4 import catalogue_of, element_lines, satellites_of

from skyweave.constants import WGS84_A_M
from skyweave.data import read_data_text
from skyweave.frames import earth_orientation
from skyweave.time import TimeGrid
from skyweave.twin.geometry import is_sunlit, sun_itrf_m
from skyweave.twin.orbits import propagate

IERS = earth_orientation("iers")
START = np.datetime64("2025-12-14T12:00:00", "ns")  # half a year before the catalogue's day
YEAR_S = 365.25 * 86400.0
ALMANAC_DEG = 0.01  # what its low-precision formulas promise
TERMINATOR_S = 5.0
SUN_M = np.array([149.6e9, 0.0, 0.0])


@pytest.fixture(scope="module")
def kernel():
    """JPL's DE421 as its PyPI package ships it."""
    ephemeris = load_file(str(Path(skyfield_data.__file__).parent / "data" / "de421.bsp"))
    yield ephemeris
    ephemeris.close()


def skyfield_times(timescale, utc: np.ndarray):
    """Return skyfield's times of instants that are whole microseconds."""
    day = utc.astype("datetime64[D]")
    seconds = (utc - day).astype(np.int64) / 1e9
    years, months = day.astype("datetime64[Y]"), day.astype("datetime64[M]")
    return timescale.utc(
        years.astype(int) + 1970,
        months.astype(int) % 12 + 1,
        (day - months).astype(int) + 1,
        0,
        0,
        seconds,
    )


def test_the_sun_stands_where_a_jpl_ephemeris_has_it(kernel, record_figure):
    utc = START + (np.arange(200) * (YEAR_S / 200) * 1e6).astype("timedelta64[us]")
    times = skyfield_times(load.timescale(builtin=True), utc)
    apparent = kernel["earth"].at(times).observe(kernel["sun"]).apparent()
    theirs_m = apparent.frame_xyz(itrs).m.T
    ours_m = sun_itrf_m(utc, IERS)
    off_deg = np.degrees(
        np.arctan2(
            np.linalg.norm(np.cross(ours_m, theirs_m), axis=1), (ours_m * theirs_m).sum(axis=1)
        )
    )
    record_figure("place of the Sun", round(off_deg.max(), 4), "deg max", "<= 0.01")
    assert off_deg.max() <= ALMANAC_DEG
    distance = np.linalg.norm(ours_m, axis=1) / np.linalg.norm(theirs_m, axis=1)
    assert np.abs(distance - 1.0).max() <= 1e-4


class Sample(NamedTuple):
    """Satellites at random instants of a year: L of them, K instants each."""

    lines: list
    utc: np.ndarray  # (L, K)


def sampled(satellites: int, instants: int) -> Sample:
    rng = np.random.default_rng(20260614)
    pairs = element_lines(read_data_text("active_2026-06-14.tle.xz"))
    chosen = rng.choice(len(pairs), satellites, replace=False)
    after_us = rng.integers(0, int(YEAR_S * 1e6), (satellites, instants))
    utc = START + np.sort(after_us, axis=1).astype("timedelta64[us]")
    return Sample([pairs[i] for i in chosen], utc)


def ours(lines: tuple[str, str], utc: np.ndarray) -> np.ndarray:
    """Return whether one satellite is sunlit at each instant."""
    grid = TimeGrid(utc[0], (utc - utc[0]).astype(np.int64) / 1e9)
    sat_m = propagate(catalogue_of(satellites_of([lines])), grid, IERS).sat_itrf_m
    sun_m = sun_itrf_m(utc, IERS)
    return np.array([is_sunlit(sat_m[k], sun_m[k])[0] for k in range(utc.size)])


def test_the_same_satellites_are_sunlit_as_in_skyfield(kernel, full_counts, record_figure):
    sample = sampled(*((100, 110) if full_counts else (20, 50)))
    timescale = load.timescale(builtin=True)
    equal, compared, farthest_s = 0, 0, 0.0
    for lines, utc in zip(*sample, strict=True):
        geocentric = EarthSatellite(*lines, ts=timescale).at(skyfield_times(timescale, utc))
        # Left to itself for half a year, a satellite may have come down: SGP4 then has no place.
        flies = np.isfinite(geocentric.xyz.m).all(axis=0)
        theirs, mine = geocentric.is_sunlit(kernel)[flies], ours(lines, utc)[flies]
        compared += theirs.size
        equal += np.count_nonzero(theirs == mine)
        for k in np.flatnonzero(theirs != mine):
            farthest_s = max(farthest_s, seconds_to_the_terminator(lines, utc[flies][k]))
    record_figure("sunlit as in skyfield", round(100.0 * equal / compared, 3), "%", ">= 99.9")
    record_figure("sunlit: compared", compared, "satellite-instants", ">= 10,000")
    record_figure("sunlit: differing, from the terminator", farthest_s, "s max", "<= 5")
    assert compared >= (10_000 if full_counts else 900)
    assert equal >= 0.999 * compared
    assert farthest_s <= TERMINATOR_S


def test_satellites_cross_the_terminator_when_skyfield_says(kernel, full_counts, record_figure):
    sample = sampled(100 if full_counts else 10, 1)
    timescale = load.timescale(builtin=True)
    off_s = []
    for lines, utc in zip(*sample, strict=True):
        along_ms = np.arange(0, 7_200_000, 2000)
        lit = ours(lines, utc + along_ms.astype("timedelta64[ms]"))
        crossings_ms = along_ms[1:][np.diff(lit.astype(int)) != 0]
        alone = np.diff(crossings_ms, prepend=-60_000, append=9_000_000) > 20_000
        for crossing_ms in crossings_ms[alone[:-1] & alone[1:]]:
            near_ms = crossing_ms + np.arange(-7000, 5001, 100)
            near_utc = utc + near_ms.astype("timedelta64[ms]")
            mine = ours(lines, near_utc)
            geocentric = EarthSatellite(*lines, ts=timescale).at(
                skyfield_times(timescale, near_utc)
            )
            theirs = geocentric.is_sunlit(kernel)
            assert mine[0] == theirs[0] != mine[-1] == theirs[-1]
            off_s.append(np.count_nonzero(mine != theirs) * 0.1)
    record_figure("terminator crossings", round(max(off_s), 1), "s max from skyfield", "<= 5")
    assert len(off_s) >= (100 if full_counts else 10)


def seconds_to_the_terminator(lines: tuple[str, str], utc: np.datetime64) -> float:
    """Return how far the nearest crossing is on our side, inf where none is within the limit."""
    after_ms = np.arange(-5000, 5001, 50)
    lit = ours(lines, utc + after_ms.astype("timedelta64[ms]"))
    crossings_ms = after_ms[1:][np.diff(lit.astype(int)) != 0]
    return float(np.abs(crossings_ms).min()) / 1e3 if crossings_ms.size else np.inf


def test_the_shadow_is_a_cylinder_of_the_equatorial_radius_behind_the_earth():
    behind, ahead, height = -7.0e6, 7.0e6, WGS84_A_M
    sat_m = np.array(
        [
            [ahead, 0.0, 0.0],
            [behind, 0.0, 0.0],
            [behind, height - 1e3, 0.0],
            [behind, height + 1e3, 0.0],
            [ahead, height - 1e3, 0.0],
        ]
    )
    assert is_sunlit(sat_m, SUN_M).tolist() == [True, False, False, True, True]


def test_a_satellite_without_a_place_or_inside_the_earth_is_not_sunlit():
    sat_m = np.array([[np.nan, 0.0, 0.0], [6.0e6, 0.0, 0.0], [np.nan, np.nan, np.nan]])
    assert not is_sunlit(sat_m, SUN_M).any()
    assert is_sunlit(np.zeros((0, 3)), SUN_M).shape == (0,)


def test_at_noon_of_an_equinox_the_sun_stands_over_the_equator_near_longitude_0():
    equinox_utc = np.array(["2026-03-20T14:46:00"], dtype="datetime64[ns]")  # almanac, to a minute
    (x_m, y_m, z_m), *_ = sun_itrf_m(equinox_utc, IERS)
    minute_of_declination_deg = 0.01
    assert np.degrees(np.arctan2(z_m, np.hypot(x_m, y_m))) == pytest.approx(
        0.0, abs=minute_of_declination_deg
    )
    equation_of_time_h = -7.5 / 60.0
    hours_past_noon = 14.0 + 46.0 / 60.0 - 12.0 + equation_of_time_h
    assert np.degrees(np.arctan2(y_m, x_m)) == pytest.approx(-15.0 * hours_past_noon, abs=0.05)
    assert wgs84.radius.m == pytest.approx(WGS84_A_M)  # the sphere of both definitions
