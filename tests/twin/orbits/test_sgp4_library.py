"""Our SGP4 against the `sgp4` library over the packaged catalogue."""

import numpy as np
import pytest
from sgp4.api import WGS72, Satrec
from sgp4.model import Satrec as OpenSatrec  # the pure Python one, which shows its coefficients
from tests.support.from_sgp4 import catalogue_of, element_lines, satellites_of

from skyweave.data import read_data_text
from skyweave.time import TimeGrid
from skyweave.twin.orbits import initialise, propagate_teme
from skyweave.twin.orbits.records import DEEP_SPACE

START_UTC = np.datetime64("2026-06-14T12:00:00", "ns")
WEEK_S = 7 * 86400.0
ONE_MILLIMETRE_M = 1e-3
ONE_MICROMETRE_A_SECOND = 1e-6


@pytest.fixture(scope="module")
def element_pairs() -> list[tuple[str, str]]:
    return element_lines(read_data_text("active_2026-06-14.tle.xz"))


@pytest.fixture(scope="module")
def satellites(element_pairs, full_counts) -> list[Satrec]:
    return satellites_of(element_pairs[:: 1 if full_counts else 10])


@pytest.fixture(scope="module")
def grid(full_counts) -> TimeGrid:
    return TimeGrid(START_UTC, np.linspace(0.0, WEEK_S, 200 if full_counts else 40))


def by_library(satellites: list[Satrec], grid: TimeGrid) -> tuple[np.ndarray, ...]:
    """Return the library's positions (T, N, 3) in m, velocities in m/s and codes (T, N)."""
    days, rest_ns = np.divmod(grid.utc.astype(np.int64), 86_400_000_000_000)
    states = [s.sgp4_array(2440587.5 + days, rest_ns / 86_400e9) for s in satellites]
    error, position_km, speed_km_s = (np.stack(part, axis=1) for part in zip(*states, strict=True))
    return position_km * 1e3, speed_km_s * 1e3, error


def test_every_near_earth_object_agrees_for_a_week(satellites, grid, record_figure):
    near = [s for s in satellites if s.method == "n"]
    position, speed, error = propagate_teme(catalogue_of(near), grid)
    expected_position, expected_speed, expected_error = by_library(near, grid)
    np.testing.assert_array_equal(error, expected_error)
    good = error == 0
    apart_m = np.linalg.norm(position - expected_position, axis=-1)[good]
    what = f"own SGP4 to library, {len(near)} near-Earth objects x {len(grid)} epochs"
    for percentile in (50, 99, 100):
        figure = float(np.percentile(apart_m, percentile))
        record_figure(f"{what}, p{percentile}", figure, "m", "0.001")
    record_figure(f"{what}, differing error codes", int((error != expected_error).sum()), "", "0")
    assert apart_m.max() <= ONE_MILLIMETRE_M
    assert np.abs(speed - expected_speed)[good].max() <= ONE_MICROMETRE_A_SECOND
    assert np.isnan(position[~good]).all()
    assert np.isnan(speed[~good]).all()


def test_deep_space_objects_are_the_librarys_own(satellites, grid):
    deep = [s for s in satellites if s.method == "d"]
    assert (initialise(catalogue_of(deep)).method == DEEP_SPACE).all()
    position, speed, error = propagate_teme(catalogue_of(deep), grid)
    expected_position, expected_speed, expected_error = by_library(deep, grid)
    np.testing.assert_array_equal(error, expected_error)
    # They differ only in how an epoch of 1e4 days is held in one float64.
    np.testing.assert_allclose(position, expected_position, rtol=0.0, atol=ONE_MILLIMETRE_M)
    np.testing.assert_allclose(speed, expected_speed, rtol=0.0, atol=ONE_MICROMETRE_A_SECOND)


ALWAYS = ["no_unkozai", "mdot", "argpdot", "nodedot", "nodecf", "cc1", "cc4", "t2cof", "eta"]
ALWAYS += ["delmo", "sinmao", "aycof", "xlcof", "ecco", "inclo", "nodeo", "argpo", "mo", "no_kozai"]
ONLY_HIGH = ["cc5", "d2", "d3", "d4", "t3cof", "t4cof", "t5cof", "omgcof", "xmcof"]


def test_coefficients_are_those_of_the_published_initialisation(element_pairs):
    opened = [OpenSatrec.twoline2rv(*pair) for pair in element_pairs[::100]]
    opened = [s for s in opened if s.method == "n"]
    records = initialise(catalogue_of(opened))
    low = np.array([s.isimp == 1 for s in opened])
    for name in ALWAYS + ONLY_HIGH:
        expected = np.array([getattr(s, name) for s in opened])
        if name in ONLY_HIGH:
            expected[low] = 0.0
        tiny = 1e-15 * np.abs(expected).max()
        np.testing.assert_allclose(getattr(records, name), expected, rtol=1e-11, atol=tiny)
    axis = [(s.xke / s.no_unkozai) ** (2.0 / 3.0) for s in opened]
    np.testing.assert_allclose(records.ao, axis, rtol=1e-15)


def odd_satellite(**changed: float) -> Satrec:
    """Return a satellite with elements that no reader would let through."""
    orbit = {"ecc": 0.001, "inc_deg": 53.0, "rev_day": 15.06, "bstar": 1e-4} | changed
    satellite = Satrec()
    satellite.sgp4init(
        WGS72, "i", 1, 27922.5, orbit["bstar"], 0.0, 0.0, orbit["ecc"], 0.3,
        np.radians(orbit["inc_deg"]), 0.2, orbit["rev_day"] * 2.0 * np.pi / 1440.0, 0.5,
    )  # fmt: skip
    return satellite


@pytest.mark.parametrize(
    "changed",
    [
        {"ecc": 1.5},
        {"ecc": -0.01},
        {"ecc": -0.0005},
        {"rev_day": 0.0},
        {"rev_day": 1e-9},
        {"rev_day": 17.5},
        {"rev_day": 25.0},
        {"rev_day": 1e6},
        {"bstar": 10.0},
        {"ecc": 0.5},
        {"ecc": 0.9999, "rev_day": 12.0},
        {"ecc": 0.3, "rev_day": 8.0, "bstar": 0.5},
    ],
    ids=str,
)
def test_elements_outside_the_domain_get_the_librarys_code(changed):
    satellite = odd_satellite(**changed)
    grid = TimeGrid(START_UTC, np.array([0.0, 600.0, 86400.0, 8_640_000.0]))
    position, _, error = propagate_teme(catalogue_of([satellite]), grid)
    expected_position, _, expected_error = by_library([satellite], grid)
    np.testing.assert_array_equal(error, expected_error)
    good = error == 0
    np.testing.assert_allclose(position[good], expected_position[good], atol=ONE_MILLIMETRE_M)
    assert np.isnan(position[~good]).all()


@pytest.mark.parametrize("name", ["ecc", "rev_day", "inc_deg", "bstar"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_elements_that_are_not_numbers_get_code_1_and_disturb_no_other(name, value):
    # For most of these the library says error 0 beside a position of NaN.
    satellites = [odd_satellite(), odd_satellite(**{name: value}), odd_satellite()]
    position, _, error = propagate_teme(
        catalogue_of(satellites), TimeGrid(START_UTC, np.array([0.0, 60.0]))
    )
    assert error.tolist() == [[0, 1, 0], [0, 1, 0]]
    assert np.isnan(position[:, 1]).all()
    assert np.isfinite(position[:, [0, 2]]).all()
