"""Visible pairs against the test of every pair, in skies made to be awkward."""

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.constants import GEO_RADIUS_M, WGS84_A_M
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf
from skyweave.twin.geometry import (
    Mask,
    VisiblePairs,
    keep,
    look_angles,
    remaining_slots,
    visible_pairs,
)
from skyweave.twin.geometry import _visibility_kernel as visibility_kernel
from skyweave.twin.geometry.visibility import pairs_by_brute_force

ON_THE_EQUATOR = np.array([[WGS84_A_M, 0.0, 0.0]]), np.array([[1.0, 0.0, 0.0]])


def directions(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return unit vectors uniform on the sphere."""
    vector = rng.normal(size=(count, 3))
    return vector / np.linalg.norm(vector, axis=1, keepdims=True)


def random_places(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return sites everywhere, crowded together, at the poles and on both sides of 180 deg."""
    lat_deg = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, count)))
    lon_deg = rng.uniform(-180.0, 180.0, count)
    kind = rng.integers(0, 6, count)
    lat_deg[kind == 1] = rng.uniform(46.0, 47.0) + rng.normal(0.0, 0.1, count)[kind == 1]
    lon_deg[kind == 1] = rng.uniform(-180.0, 180.0) + rng.normal(0.0, 0.1, count)[kind == 1]
    lat_deg[kind == 2] = rng.choice([-90.0, 90.0, 89.9999, 0.0], count)[kind == 2]
    lon_deg[kind == 3] = rng.choice([-180.0, 180.0, 179.9999, -179.9999], count)[kind == 3]
    height_m = rng.choice([0.0, 0.0, -430.0, 4_800.0, 12_000.0], count)
    site_m, up = geodetic_to_itrf(lat_deg, lon_deg, height_m)
    site_m[rng.random(count) < 0.02] = np.nan
    up[rng.random(count) < 0.01, 1] = np.nan
    return site_m, up


def random_satellites(count: int, rng: np.random.Generator) -> np.ndarray:
    """Return satellites from just above the ground to beyond the Moon, some of them lost."""
    lowest_m, highest_m = [
        (300e3, 600e3),
        (500e3, 2_000e3),
        (1_000.0, 100e3),
        (35_700e3, 35_900e3),
        (200e3, 500_000e3),
    ][rng.integers(0, 5)]
    height_m = np.exp(rng.uniform(np.log(lowest_m), np.log(highest_m), count))
    geostationary = rng.random(count) < 0.05
    height_m[geostationary] = GEO_RADIUS_M - WGS84_A_M
    sat_m = directions(count, rng) * (6_371e3 + height_m)[:, None]
    sat_m[rng.random(count) < 0.02] = np.nan
    sat_m[rng.random(count) < 0.01, 2] = np.inf
    return sat_m


def random_mask(count: int, rng: np.random.Generator) -> Mask:
    """Return a mask by elevation or range, the same everywhere or not."""
    if rng.random() < 0.3:
        same, own = rng.choice([0.0, 5e5, 1.2e6, 4e7, np.inf]), rng.uniform(0.0, 5e6, count)
        return Mask.range(same if rng.random() < 0.5 else own, count)
    same = rng.choice([-90.0, -5.0, 0.0, 5.0, 10.0, 25.0, 25.0, 40.0, 89.0, 90.0])
    two_kinds = rng.choice([5.0, 25.0], count)
    own = rng.uniform(-90.0, 90.0, count)
    return Mask.elevation((same, two_kinds, own)[rng.integers(0, 3)], count)


def assert_same(pairs: VisiblePairs, expected: VisiblePairs, case: object = "") -> None:
    np.testing.assert_array_equal(pairs.site_start, expected.site_start, str(case))
    np.testing.assert_array_equal(pairs.sat, expected.sat, str(case))
    assert pairs.sat.dtype == np.int32
    assert pairs.site_start.dtype == np.int64


def test_random_skies_give_what_testing_every_pair_gives(full_counts, record_figure):
    rng, pairs, cases = np.random.default_rng(20), 0, 1200 if full_counts else 150
    for case in range(cases):
        sites = int(
            rng.choice([0, 1, 2, 7, 40, 300, 3_000], p=[0.02, 0.1, 0.1, 0.2, 0.3, 0.23, 0.05])
        )
        satellites = int(rng.choice([0, 1, 15, 16, 17, 200, 2_000], p=[0.02] + 5 * [0.16] + [0.18]))
        sky = (
            *random_places(sites, rng),
            random_satellites(satellites, rng),
            random_mask(sites, rng),
        )
        found = visible_pairs(*sky)
        assert_same(found, pairs_by_brute_force(*sky), case)
        pairs += len(found)
    assert pairs > 1000 * cases
    record_figure("visible pairs equal to testing every pair", cases, "random skies", ">= 1000")


@pytest.mark.parametrize("sites", [60, 4_000])
def test_satellites_a_hair_from_the_limit_are_told_apart_as_in_float64(sites):
    rng = np.random.default_rng(sites)
    site_m, up = geodetic_to_itrf(
        np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, sites))),
        rng.uniform(-180.0, 180.0, sites),
        rng.uniform(0.0, 9_000.0, sites),
    )
    for limit_deg in (0.0, 5.0, 25.0, 75.0, 90.0):
        row = rng.integers(0, sites, 600)
        hair_rad = rng.choice([-1.0, 0.0, 1.0], 600) * 10.0 ** rng.uniform(-16.0, -4.0, 600)
        elevation_rad = np.radians(limit_deg) + hair_rad
        level = np.cross(up[row], directions(600, rng))
        level /= np.linalg.norm(level, axis=1, keepdims=True)
        line = np.cos(elevation_rad)[:, None] * level + np.sin(elevation_rad)[:, None] * up[row]
        sat_m = site_m[row] + 10.0 ** rng.uniform(3.0, 6.5, 600)[:, None] * line
        sky = site_m, up, sat_m, Mask.elevation(limit_deg, sites)
        assert_same(visible_pairs(*sky), pairs_by_brute_force(*sky), limit_deg)
    range_m = np.linalg.norm(sat_m[:300] - site_m[0], axis=1)
    first = np.zeros(300, dtype=np.int64)
    sky = site_m[first], up[first], sat_m, Mask.range(range_m, 300)
    found = visible_pairs(*sky)
    assert_same(found, pairs_by_brute_force(*sky))
    assert np.all([row in found.sat[slice(*found.site_start[row : row + 2])] for row in range(300)])


@pytest.mark.parametrize(
    ("sat_m", "mask"),
    [
        ([WGS84_A_M + 550e3, 0.0, 0.0], Mask.elevation(90.0, 1)),
        ([WGS84_A_M, 1_000e3, 0.0], Mask.elevation(0.0, 1)),
        ([WGS84_A_M - 1_000e3, 0.0, 0.0], Mask.elevation(-90.0, 1)),
        ([WGS84_A_M + 600e3, 800e3, 0.0], Mask.range(1_000e3, 1)),
        ([WGS84_A_M, 0.0, 0.0], Mask.range(0.0, 1)),
    ],
)
def test_a_satellite_exactly_at_the_limit_is_visible(sat_m, mask):
    assert visible_pairs(*ON_THE_EQUATOR, np.array([sat_m]), mask).sat.tolist() == [0]


def test_elevation_is_that_of_look_angles():
    rng = np.random.default_rng(8)
    site_m, up = geodetic_to_itrf(
        rng.uniform(-90, 90, 50), rng.uniform(-180, 180, 50), np.zeros(50)
    )
    sat_m = directions(3_000, rng) * 6_928e3
    elevation_deg = look_angles(site_m, up, sat_m).elevation_deg
    found = visible_pairs(site_m, up, sat_m, Mask.elevation(25.0, 50))
    site, sat = np.nonzero(elevation_deg >= 25.0)
    np.testing.assert_array_equal(found.site_rows, site)
    np.testing.assert_array_equal(found.sat, sat)


@settings(deadline=None)
@given(
    lat_deg=st.lists(st.floats(-90.0, 90.0), min_size=1, max_size=5),
    lon_deg=st.floats(-180.0, 180.0),
    height_m=st.floats(-11_000.0, 20_000.0),
    sat_km=st.lists(st.tuples(*[st.floats(-50_000.0, 50_000.0)] * 3), max_size=20),
    limit_deg=st.floats(-90.0, 90.0),
    limit_m=st.floats(0.0, 1e8),
)
def test_any_sky_gives_what_testing_every_pair_gives(
    lat_deg, lon_deg, height_m, sat_km, limit_deg, limit_m
):
    sites = len(lat_deg)
    place = geodetic_to_itrf(lat_deg, [lon_deg] * sites, [height_m] * sites)
    sat_m = 1e3 * np.array(sat_km).reshape(-1, 3)
    for mask in (Mask.elevation(limit_deg, sites), Mask.range(limit_m, sites)):
        sky = *place, sat_m, mask
        assert_same(visible_pairs(*sky), pairs_by_brute_force(*sky))


def test_a_dish_may_look_along_any_axis():
    rng = np.random.default_rng(5)
    site_m, _ = geodetic_to_itrf(
        rng.uniform(-90, 90, 400), rng.uniform(-180, 180, 400), np.zeros(400)
    )
    sky = site_m, directions(400, rng), directions(2_000, rng) * 6_900e3, Mask.elevation(40.0, 400)
    assert_same(visible_pairs(*sky), pairs_by_brute_force(*sky))


def test_one_thread_or_two_give_the_same_pairs(monkeypatch):
    monkeypatch.setattr(visibility_kernel, "PARALLEL_FROM_PAIRS", 0)
    rng, threads = np.random.default_rng(6), numba.get_num_threads()
    sky = *random_places(20_000, rng), directions(1_000, rng) * 6_928e3, random_mask(20_000, rng)
    together = visible_pairs(*sky)
    try:
        numba.set_num_threads(1)
        alone = visible_pairs(*sky)
    finally:
        numba.set_num_threads(threads)
    assert_same(together, alone)
    assert len(alone) > 0


def test_a_small_sky_leaves_the_number_of_threads_as_it_was():
    threads = numba.get_num_threads()
    visible_pairs(*ON_THE_EQUATOR, np.array([[7e6, 0.0, 0.0]]), Mask.elevation(25.0, 1))
    assert numba.get_num_threads() == threads


def test_views_of_larger_arrays_are_read_as_they_stand():
    rng = np.random.default_rng(7)
    site_m, up = random_places(60, rng)
    sat_m = directions(500, rng) * 6_928e3
    mask = Mask.elevation(25.0, 60)
    expected = pairs_by_brute_force(site_m, up, sat_m, mask)
    assert_same(
        visible_pairs(np.asfortranarray(site_m), up, np.repeat(sat_m, 2, 0)[::2], mask), expected
    )


def test_nobody_sees_anything_without_sites_or_satellites():
    nowhere, none = np.zeros((0, 3)), np.zeros((0, 3))
    assert visible_pairs(nowhere, nowhere, np.ones((4, 3)), Mask.elevation(25.0, 0)).sites == 0
    pairs = visible_pairs(*ON_THE_EQUATOR, none, Mask.elevation(25.0, 1))
    assert (pairs.sites, len(pairs), pairs.site_start.tolist()) == (1, 0, [0, 0])


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: Mask.elevation(95.0, 2), r"min_elevation_deg\[0\] = 95.0 is outside -90..90 deg"),
        (lambda: Mask.elevation([25.0, np.nan], 2), r"min_elevation_deg\[1\] = nan is outside"),
        (lambda: Mask.elevation([25.0] * 3, 2), r"shape \(3,\); pass one number or shape \(2,\)"),
        (lambda: Mask.range(-1.0, 1), r"max_range_m\[0\] = -1.0 is outside 0 m or more"),
        (lambda: Mask(), "a mask has one limit; use Mask.elevation"),
        (lambda: Mask(np.zeros(1), np.zeros(1)), "a mask has one limit; use Mask.elevation"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused_with_its_value(make, text):
    with pytest.raises(InputError, match=text):
        make()


def test_wrong_shapes_are_refused_with_the_shape_to_pass():
    site_m, up = ON_THE_EQUATOR
    with pytest.raises(InputError, match=r"shape \(4, 2, 3\); pass one instant"):
        visible_pairs(site_m, up, np.zeros((4, 2, 3)), Mask.elevation(25.0, 1))
    with pytest.raises(InputError, match=r"up_itrf \(2, 3\); pass \(S, 3\) for both"):
        visible_pairs(site_m, np.zeros((2, 3)), np.zeros((4, 3)), Mask.elevation(25.0, 1))
    with pytest.raises(InputError, match=r"the mask has shape \(2,\) for 1 sites"):
        visible_pairs(site_m, up, np.zeros((4, 3)), Mask.elevation(25.0, 2))


def pairs_of(*rows: list[int]) -> VisiblePairs:
    """Return pairs from the satellites of each site."""
    site_start = np.cumsum([0, *map(len, rows)])
    return VisiblePairs(site_start, np.concatenate(rows).astype(np.int32))


def test_remaining_slots_count_the_boundaries_still_to_come():
    boundaries = [
        pairs_of([1, 4], [2]),
        pairs_of([4, 7], [2]),
        pairs_of([4], []),
        pairs_of([7], [2]),
    ]
    expected = [[0, 2, 1], [1, 0, 0], [0], [0, 0]]
    assert [r.tolist() for r in remaining_slots(boundaries, 9)] == expected
    assert [r.tolist() for r in remaining_slots(boundaries, 1)] == [
        [0, 1, 1],
        [1, 0, 0],
        [0],
        [0, 0],
    ]
    assert [r.tolist() for r in remaining_slots(boundaries, 0)] == [[0] * 3, [0] * 3, [0], [0, 0]]
    assert remaining_slots([], 9) == []


def test_remaining_slots_agree_with_looking_each_pair_up():
    rng, horizon = np.random.default_rng(1), 4
    seen = rng.random((9, 12, 30)) < 0.7  # boundary, site, satellite
    boundaries = [pairs_of(*(np.flatnonzero(row).tolist() for row in now)) for now in seen]
    for k, (pairs, remaining) in enumerate(
        zip(boundaries, remaining_slots(boundaries, horizon), strict=True)
    ):
        for site, sat, slots in zip(pairs.site_rows, pairs.sat, remaining, strict=True):
            later = seen[k + 1 : k + 1 + horizon, site, sat]
            assert slots == (later.size if later.all() else np.argmin(later))


def test_remaining_slots_refuse_boundaries_of_different_sites():
    with pytest.raises(InputError, match=r"boundaries have \[1, 2\] sites; pass the same sites"):
        remaining_slots([pairs_of([1]), pairs_of([1], [2])], 9)


def test_keep_leaves_sites_without_a_pair_in_their_place():
    pairs = keep(pairs_of([1, 4], [], [2], [0, 3]), np.array([False, True, False, True, True]))
    assert pairs.site_start.tolist() == [0, 1, 1, 1, 3]
    assert pairs.sat.tolist() == [4, 0, 3]
    assert pairs.site_rows.tolist() == [0, 3, 3]
    assert pairs.site_rows.dtype == np.int32
