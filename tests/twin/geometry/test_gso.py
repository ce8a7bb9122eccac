"""The geostationary arc against published unit checks and a search that knows no shortcut."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from skyweave.constants import GEO_RADIUS_M, WGS84_A_M
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf, itrf_to_enu_matrix
from skyweave.twin.geometry.gso import gso_separation_deg, nearest_on_circle
from skyweave.twin.geometry.look import look_angles

NO_ROWS = np.zeros(0, dtype=np.int32)
GOLDEN = (np.sqrt(5.0) - 1.0) / 2.0


def separation_deg(lat_deg, elevation_deg, azimuth_deg, lon_deg=0.0, range_m=1e6) -> float:
    """Return the separation of one satellite placed at given angles in one site's sky."""
    site_itrf_m, up_itrf = geodetic_to_itrf([lat_deg], [lon_deg], [0.0])
    elevation, azimuth = np.radians([elevation_deg, azimuth_deg])
    level = np.cos(elevation)
    line_enu = np.array([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)])
    sat_itrf_m = site_itrf_m + range_m * line_enu @ itrf_to_enu_matrix(lat_deg, lon_deg)
    row = np.array([0])
    return gso_separation_deg(site_itrf_m, up_itrf, sat_itrf_m, row, row).item()


def arc_point_m(lon_deg: np.ndarray) -> np.ndarray:
    lon = np.radians(lon_deg)
    return GEO_RADIUS_M * np.stack([np.cos(lon), np.sin(lon), np.zeros(lon.shape)], -1)


def angle_deg(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def searched_deg(site_m, up, sat_m) -> float:
    """Return the separation by a grid of 0.5 deg over the whole belt and golden sections.

    This is the recipe of the published unit checks; it stops at the horizon by a bisection.
    """

    def separations_deg(lon_deg):
        return angle_deg(arc_point_m(lon_deg) - site_m, sat_m - site_m)

    def height(lon_deg):
        return (arc_point_m(lon_deg) - site_m) @ up

    middle_deg = np.degrees(np.arctan2(up[1], up[0]))
    if height(middle_deg) <= 0.0:
        return np.inf
    ends_deg = []
    for side in (-180.0, 180.0):
        risen, set_deg = middle_deg, middle_deg + side
        for _ in range(45):
            between = (risen + set_deg) / 2.0
            risen, set_deg = (between, set_deg) if height(between) > 0.0 else (risen, between)
        ends_deg.append(risen)
    grid_deg = np.append(np.arange(*ends_deg, 0.5), ends_deg[1])
    nearest = int(np.argmin(separations_deg(grid_deg)))
    low, high = grid_deg[max(nearest - 1, 0)], grid_deg[min(nearest + 1, len(grid_deg) - 1)]
    for _ in range(40):
        first, second = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        if separations_deg(first) < separations_deg(second):
            high = second
        else:
            low = first
    return float(separations_deg((low + high) / 2.0))


def random_pairs(rng: np.random.Generator, pairs: int):
    """Return sites of all latitudes, each with one low satellite above its horizon."""
    lat_deg = np.degrees(np.arcsin(rng.uniform(-1, 1, pairs)))
    lat_deg[::4] = rng.uniform(60.0, 82.0, len(lat_deg[::4])) * rng.choice([-1, 1])
    site_itrf_m, up_itrf = geodetic_to_itrf(lat_deg, rng.uniform(-180, 180, pairs), 0.0)
    line = rng.normal(size=(pairs, 3))
    line *= np.sign((line * up_itrf).sum(1))[:, None]
    sat_itrf_m = site_itrf_m + 1e6 * line / np.linalg.norm(line, axis=1)[:, None]
    return site_itrf_m, up_itrf, sat_itrf_m


@pytest.mark.parametrize(
    ("lat_deg", "elevation_deg", "azimuth_deg", "expected_deg"),
    [
        (0.0, 90.0, 0.0, 0.0),
        (0.0, 60.0, 0.0, 30.0),
        (45.0, 38.2, 180.0, 0.03),
        (45.0, 60.0, 0.0, 81.83),
        (45.0, 60.0, 180.0, 21.83),
        (60.0, 25.0, 180.0, 3.07),
    ],
)
def test_unit_checks_hold(lat_deg, elevation_deg, azimuth_deg, expected_deg, record_figure):
    found_deg = separation_deg(lat_deg, elevation_deg, azimuth_deg)
    name = f"GSO separation at lat {lat_deg:g}, az {azimuth_deg:g}, el {elevation_deg:g}"
    record_figure(name, found_deg, "deg", f"{expected_deg} +- 0.05")
    assert found_deg == pytest.approx(expected_deg, abs=0.05)


def test_no_search_finds_a_nearer_point_of_the_arc(full_counts, record_figure):
    pairs = 2_000 if full_counts else 150
    site_itrf_m, up_itrf, sat_itrf_m = random_pairs(np.random.default_rng(5), pairs)
    rows = np.arange(pairs)
    found_deg = gso_separation_deg(site_itrf_m, up_itrf, sat_itrf_m, rows, rows)
    expected_deg = np.array(
        [searched_deg(*row) for row in zip(site_itrf_m, up_itrf, sat_itrf_m, strict=True)]
    )
    np.testing.assert_array_equal(np.isinf(found_deg), np.isinf(expected_deg))
    seen = np.isfinite(expected_deg)
    errors_deg = np.abs(found_deg[seen] - expected_deg[seen])
    for label, value in zip(
        ("p50", "p99", "max"), np.percentile(errors_deg, [50, 99, 100]), strict=True
    ):
        record_figure(f"GSO separation, search, {label}", float(value), "deg", "0.05")
    one_millionth_deg = 1e-6
    assert errors_deg.max() <= one_millionth_deg


def test_a_satellite_before_the_arc_is_not_separated_from_it():
    lat_deg, lon_deg = np.array([0.0, 45.0, -60.0, 80.0]), np.array([10.0, -170.0, 0.0, 100.0])
    site_itrf_m, up_itrf = geodetic_to_itrf(lat_deg, lon_deg, 0.0)
    for east_deg in (-20.0, 0.0, 3.0):
        sat_itrf_m = site_itrf_m + 0.03 * (arc_point_m(lon_deg + east_deg) - site_itrf_m)
        rows = np.arange(4)
        found_deg = gso_separation_deg(site_itrf_m, up_itrf, sat_itrf_m, rows, rows)
        np.testing.assert_allclose(found_deg, 0.0, atol=1e-6)


def test_below_the_horizon_the_arc_does_not_count():
    site_itrf_m, up_itrf = geodetic_to_itrf([70.0], [0.0], [0.0])
    end_deg = np.degrees(np.arccos(WGS84_A_M / GEO_RADIUS_M / np.cos(np.radians(70.0))))
    beyond_deg = end_deg + np.array([2.0, 30.0])
    sat_itrf_m = arc_point_m(beyond_deg)
    assert (look_angles(site_itrf_m, up_itrf, sat_itrf_m).elevation_deg < 0.0).all()
    rows = np.array([0, 1])
    found_deg = gso_separation_deg(site_itrf_m, up_itrf, sat_itrf_m, 0 * rows, rows)
    expected_deg = [searched_deg(site_itrf_m[0], up_itrf[0], sat_m) for sat_m in sat_itrf_m]
    np.testing.assert_allclose(found_deg, expected_deg, atol=1e-6)
    assert found_deg[0] > 1.0
    assert found_deg[1] > 20.0


def test_the_nearest_of_two_arms_is_taken():
    # From 65 deg north a satellite low in the north stands between the two ends of the arc.
    west, east = (separation_deg(65.0, 5.0, azimuth_deg) for azimuth_deg in (-1.0, 1.0))
    assert west == pytest.approx(east, abs=1e-9)
    assert separation_deg(65.0, 5.0, 40.0) < separation_deg(65.0, 5.0, 1.0) < 180.0


@given(
    lat_deg=st.floats(-85, 85),
    elevation_deg=st.floats(0.1, 90),
    azimuth_deg=st.floats(0, 360),
    lon_deg=st.floats(-180, 180),
    range_m=st.floats(1e5, 1e9),
)
@example(lat_deg=30.0, elevation_deg=40.0, azimuth_deg=200.0, lon_deg=180.0, range_m=1e6)
@settings(deadline=None)
def test_longitude_hemisphere_side_and_distance_do_not_matter(
    lat_deg, elevation_deg, azimuth_deg, lon_deg, range_m
):
    here_deg = separation_deg(lat_deg, elevation_deg, azimuth_deg)
    assert here_deg >= 0.0
    for elsewhere_deg in (
        separation_deg(lat_deg, elevation_deg, azimuth_deg, lon_deg),
        separation_deg(-lat_deg, elevation_deg, 180.0 - azimuth_deg),
        separation_deg(lat_deg, elevation_deg, -azimuth_deg),
        separation_deg(lat_deg, elevation_deg, azimuth_deg, range_m=range_m),
    ):
        assert elsewhere_deg == pytest.approx(here_deg, abs=1e-5)


@pytest.mark.parametrize("lat_deg", [90.0, -90.0, 81.4, -85.0])
def test_near_a_pole_no_satellite_is_too_near_the_arc(lat_deg):
    assert separation_deg(lat_deg, 30.0, 180.0) == np.inf


def test_on_the_axis_itself_there_is_no_arc_either():
    site_itrf_m, up_itrf = np.array([[0.0, 0.0, 6.4e6]]), np.array([[0.0, 0.0, 1.0]])
    row = np.array([0])
    found_deg = gso_separation_deg(site_itrf_m, up_itrf, np.array([[1e6, 0.0, 7e6]]), row, row)
    assert found_deg.tolist() == [np.inf]


def test_where_the_arc_barely_rises_it_is_one_point_in_the_south():
    south = look_angles(*geodetic_to_itrf([81.28], [0.0], [0.0]), arc_point_m(np.zeros(1)))
    risen_deg = south.elevation_deg.item()
    assert 0.0 < risen_deg < 0.05
    assert separation_deg(81.28, 30.0, 180.0) == pytest.approx(30.0 - risen_deg, abs=1e-6)


def test_a_satellite_equally_far_from_all_of_the_arc_has_that_separation():
    site_itrf_m, up_itrf = geodetic_to_itrf([0.0], [0.0], [0.0])
    row = np.array([0])
    north_m = np.array([[0.0, 0.0, 1e6]])
    found_deg = gso_separation_deg(site_itrf_m, up_itrf, site_itrf_m + north_m, row, row)
    assert found_deg.item() == pytest.approx(90.0, abs=1e-12)


@pytest.mark.parametrize("start_deg", [-40.0, -20.0, 12.0, 60.0])
def test_the_nearest_point_is_found_from_far_away_too(start_deg):
    site = np.array([0.12, 0.0, 0.09])
    line = np.array([np.cos(0.2), np.sin(0.2), 0.0]) - site
    start = np.cos(np.radians(start_deg)), np.sin(np.radians(start_deg))
    c, sn = nearest_on_circle(*(line / np.linalg.norm(line)), *site, *start)
    assert np.arctan2(sn, c) == pytest.approx(0.2, abs=1e-8)


def test_a_satellite_on_the_site_has_no_direction():
    site_itrf_m, up_itrf = geodetic_to_itrf([0.0], [0.0], [0.0])
    row = np.array([0])
    assert np.isnan(gso_separation_deg(site_itrf_m, up_itrf, site_itrf_m, row, row)).all()


def test_nan_in_is_nan_out_also_where_there_is_no_arc():
    site_itrf_m, up_itrf = geodetic_to_itrf([10.0, 90.0, np.nan], [0.0, 0.0, 0.0], 0.0)
    sat_itrf_m = np.array([[np.nan] * 3, [7e6, 0.0, 0.0]])
    site_rows, sat_rows = np.array([0, 1, 2, 0, 1]), np.array([0, 0, 1, 1, 1])
    found_deg = gso_separation_deg(site_itrf_m, up_itrf, sat_itrf_m, site_rows, sat_rows)
    np.testing.assert_array_equal(np.isnan(found_deg), [True, True, True, False, False])
    assert found_deg[4] == np.inf


def test_no_pairs_give_no_separations():
    site_itrf_m, up_itrf = geodetic_to_itrf([10.0], [0.0], [0.0])
    for sites in (0, 1):
        found_deg = gso_separation_deg(
            site_itrf_m[:sites], up_itrf[:sites], np.zeros((0, 3)), NO_ROWS, NO_ROWS
        )
        assert found_deg.shape == (0,)


def test_a_pair_without_a_satellite_is_refused():
    site_itrf_m, up_itrf = geodetic_to_itrf([10.0], [0.0], [0.0])
    with pytest.raises(InputError, match="mask the pairs without a satellite first"):
        gso_separation_deg(site_itrf_m, up_itrf, np.zeros((3, 3)), np.array([0]), np.array([-1]))
