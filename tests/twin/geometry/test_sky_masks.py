"""Field of view and obstructions, pair by pair, against a plain search that shares no code."""

import json
import math
import pickle

import numpy as np
import pytest
import shapely

from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf, itrf_to_enu_matrix
from skyweave.twin.geometry import (
    SkyCode,
    gso_arc,
    gso_separation_deg,
    in_field_of_view,
    is_obstructed,
    pack,
    sky_codes,
)
from skyweave.twin.terminals import Obstruction, combine, parse_obstruction

PAIRS_PER_SITE = 60
NO_ROWS = np.zeros(0, dtype=np.int64)
A_NANODEGREE = 1e-9


def horizon(*points) -> Obstruction:
    lines = "\n".join(f"{float(azimuth)!r},{float(elevation)!r}" for azimuth, elevation in points)
    return parse_obstruction(f"azimuth_deg,elevation_deg\n{lines}\n".encode(), "horizon.csv")


def polygons(*shapes) -> Obstruction:
    lines = "\n".join(
        f"p{number},{float(azimuth)!r},{float(elevation)!r}"
        for number, shape in enumerate(shapes)
        for azimuth, elevation in shape
    )
    return parse_obstruction(f"polygon,azimuth_deg,elevation_deg\n{lines}\n".encode(), "p.csv")


def dish_map(snr: np.ndarray, **fields) -> Obstruction:
    message = {"numRows": len(snr), "numCols": len(snr), "snr": snr.ravel().tolist(), **fields}
    return parse_obstruction(json.dumps(message).encode(), "map.json")


def obstructed(obstruction: Obstruction, azimuth_deg, elevation_deg) -> np.ndarray:
    azimuth, elevation = np.broadcast_arrays(
        np.asarray(azimuth_deg, dtype=float), np.asarray(elevation_deg, dtype=float)
    )
    rows = np.zeros(azimuth.size, dtype=np.int64)
    packed = pack({0: obstruction}, 1)
    return is_obstructed(packed, rows, azimuth.ravel(), elevation.ravel())


# The brute force: plain Python and shapely


class Sky:
    """A random sky, and what a plain search says of a direction in it."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.boresight = rng.uniform(0, 360), rng.uniform(-90, 90)
        self.fov_deg = rng.choice([np.nan, 20.0, 110.0, 200.0, 350.0, rng.uniform(0, 180)])
        self.horizon, self.shapes, self.round, self.snr = None, [], [], None
        parts = []
        if rng.random() < 0.5:
            azimuth = np.unique(rng.choice(720, rng.integers(1, 9)) * 0.5)
            self.horizon = [(a, rng.uniform(-10, 70)) for a in azimuth]
            parts.append(horizon(*rng.permutation(self.horizon)))
        if rng.random() < 0.7:
            self.shapes = [self.polygon(rng) for _ in range(rng.integers(1, 5))]
            self.round = [self.loop(rng) for _ in range(rng.integers(0, 2))]
            parts.append(polygons(*([wrapped(s) for s in (*self.shapes, *self.round)])))
        if rng.random() < 0.3:
            rows = int(rng.choice([123, 123, 122, 45]))
            self.snr = rng.choice([-1.0, 0.0, 0.49, 0.5, 1.0], (rows, rows))
            self.min_elevation_deg = float(rng.choice([10.0, 25.0]))
            parts.append(
                dish_map(self.snr, maxThetaDeg=80.0, minElevationDeg=self.min_elevation_deg)
            )
        self.obstruction = combine(parts) if parts else None
        self.areas = [shapely.make_valid(shapely.Polygon(shape)) for shape in self.shapes]
        for loop in self.round:
            top = [(loop[0][0] + 360.0, loop[0][1]), (loop[0][0] + 360.0, 99.0), (loop[0][0], 99.0)]
            self.areas.append(shapely.make_valid(shapely.Polygon([*loop, *top])))
        shapely.prepare(self.areas)

    @staticmethod
    def polygon(rng) -> list:
        """Return the vertices of a polygon on an unrolled azimuth, from -180 to 540."""
        kind = rng.choice(["convex", "concave", "across north", "touching", "crossing"])
        azimuth = rng.uniform(330, 380) if kind == "across north" else rng.uniform(0, 360)
        elevation, turns = rng.uniform(0, 80), np.sort(rng.uniform(0, 2 * np.pi, 7))
        size = np.full(7, 1.0) if kind in ("convex", "across north") else rng.uniform(0.2, 1, 7)
        ring = [
            (azimuth + 70 * s * math.cos(t), min(elevation + 30 * s * math.sin(t), 90.0))
            for s, t in zip(size, turns, strict=True)
        ]
        if kind == "touching":  # two triangles that share a vertex
            middle = (azimuth, elevation)
            return [middle, ring[0], ring[1], middle, ring[3], ring[4]]
        return [ring[i] for i in rng.permutation(7)] if kind == "crossing" else ring

    @staticmethod
    def loop(rng) -> list:
        """Return vertices that lead once round the compass, one way or the other."""
        start = rng.uniform(0, 360)
        steps = np.concatenate([[0.0], np.sort(rng.uniform(10, 350, 6))])
        steps[[3, 4]] = steps[[4, 3]]  # a fold
        gaps = np.diff(steps, append=360.0)
        if np.abs(gaps).max() >= 170.0:
            return Sky.loop(rng)
        return [(start + step, rng.uniform(-20, 80)) for step in steps]

    def sees(self, azimuth: float, elevation: float) -> bool:
        """Return whether a direction is in the cone, by the angle between two vectors."""
        if math.isnan(self.fov_deg):
            return True
        a, b = unit(azimuth, elevation), unit(*self.boresight)
        apart = np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))
        return bool(apart <= self.fov_deg / 2)

    def blocks(self, azimuth: float, elevation: float) -> bool:
        return (
            self.below_horizon(azimuth, elevation)
            or any(
                shapely.contains_xy(area, azimuth + turn, elevation)
                for area in self.areas
                for turn in (-360.0, 0.0, 360.0)
            )
            or self.blocked_in_map(azimuth, elevation)
        )

    def below_horizon(self, azimuth: float, elevation: float) -> bool:
        if self.horizon is None:
            return False
        x, y = zip(*sorted(self.horizon), strict=True)
        return elevation < np.interp(azimuth, x, y, period=360.0)

    def blocked_in_map(self, azimuth: float, elevation: float) -> bool:
        if self.snr is None or elevation < self.min_elevation_deg or elevation < 10.0:
            return False
        rows = len(self.snr)
        pixels = (90.0 - elevation) / (80.0 / (rows / 2.0))
        east, north = (pixels * f(math.radians(azimuth)) for f in (math.sin, math.cos))
        for row in range(rows):
            if abs(north - ((rows - 1) / 2 - row)) > 0.5:
                continue
            for column in range(rows):
                if abs(east - (column - (rows - 1) / 2)) <= 0.5:
                    return bool(0.0 <= self.snr[row, column] < 0.5)
        raise AssertionError("no pixel holds this direction")


def wrapped(shape: list) -> list:
    return [(azimuth % 360.0, elevation) for azimuth, elevation in shape]


def unit(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    a, e = math.radians(azimuth_deg), math.radians(elevation_deg)
    return np.array([math.cos(e) * math.sin(a), math.cos(e) * math.cos(a), math.sin(e)])


def test_random_skies_are_masked_as_brute_force_masks_them(full_counts, record_figure):
    rng = np.random.default_rng(3)
    skies = [Sky(rng) for _ in range(1000 if full_counts else 60)]
    rows = rng.permutation(np.repeat(np.arange(len(skies)), PAIRS_PER_SITE))
    azimuth = rng.uniform(0, 360, rows.size)
    elevation = np.degrees(np.arcsin(rng.uniform(-0.1, 1, rows.size)))
    azimuth_b, elevation_b = np.array([sky.boresight for sky in skies]).T
    fov = np.array([sky.fov_deg for sky in skies])
    seen = in_field_of_view(azimuth_b, elevation_b, fov, rows, azimuth, elevation)
    packed = pack({i: s.obstruction for i, s in enumerate(skies) if s.obstruction}, len(skies))
    blocked = is_obstructed(packed, rows, azimuth, elevation)
    pairs = list(zip(rows, azimuth, elevation, strict=True))
    expected_seen = np.array([skies[i].sees(a, e) for i, a, e in pairs])
    expected_blocked = np.array([skies[i].blocks(a, e) for i, a, e in pairs])
    record_figure("skies compared", len(skies), "random skies", ">= 1,000")
    record_figure("field of view", int((seen != expected_seen).sum()), "pairs differ", "0")
    record_figure("obstruction", int((blocked != expected_blocked).sum()), "pairs differ", "0")
    np.testing.assert_array_equal(seen, expected_seen)
    np.testing.assert_array_equal(blocked, expected_blocked)
    for both in (seen, blocked):
        assert 0.2 < both.mean() < 0.9  # neither answer is rare


# Field of view


def in_cone(boresight, fov_deg, azimuth_deg, elevation_deg) -> np.ndarray:
    azimuth, elevation = np.broadcast_arrays(
        np.asarray(azimuth_deg, dtype=float), np.asarray(elevation_deg, dtype=float)
    )
    (azimuth_b, elevation_b), rows = boresight, np.zeros(azimuth.size, dtype=np.int64)
    return in_field_of_view([azimuth_b], [elevation_b], [fov_deg], rows, azimuth, elevation)


@pytest.mark.parametrize("fov_deg", [0.0, 1e-3, 10.0, 110.0, 120.0, 179.0])
def test_an_upright_cone_is_a_lowest_elevation_that_counts_as_inside(fov_deg):
    azimuth_deg = np.arange(0.0, 360.0, 0.5)
    limit_deg = 90.0 - fov_deg / 2.0
    assert in_cone((77.0, 90.0), fov_deg, azimuth_deg, limit_deg).all()
    assert not in_cone((77.0, 90.0), fov_deg, azimuth_deg, limit_deg - 2 * A_NANODEGREE).any()


def test_a_cone_of_110_deg_means_35_deg_of_elevation():
    assert in_cone((0.0, 90.0), 110.0, [0.0, 90.0, 359.9], [35.0, 35.0, 34.999]).tolist() == [
        True, True, False,
    ]  # fmt: skip


def test_the_edge_of_a_tilted_cone_counts_as_inside():
    assert in_cone((180.0, 60.0), 110.0, [180.0, 0.0], [5.0, 65.0]).all()
    assert not in_cone((180.0, 60.0), 110.0, [180.0, 0.0], [4.999999, 64.999999]).any()


def test_north_is_one_direction_however_it_is_written():
    assert in_cone((0.0, 30.0), 0.0, [0.0, 360.0, -360.0], 30.0).all()
    assert in_cone((359.0, 30.0), 10.0, [1.0, 361.0], 30.0).all()


def test_a_site_without_a_cone_has_all_in_view_but_no_nan():
    azimuth, elevation = np.array([0.0, np.nan, 10.0, 200.0]), np.array([-90.0, 1.0, np.nan, 5.0])
    assert in_cone((np.nan, np.nan), np.nan, azimuth, elevation).tolist() == [
        True, False, False, True,
    ]  # fmt: skip
    assert in_cone((0.0, 0.0), 360.0, azimuth, elevation).tolist() == [True, False, False, True]
    assert in_cone((0.0, 0.0), 180.0, azimuth, elevation).tolist() == [True, False, False, False]


def test_each_pair_is_judged_by_its_own_sites_cone():
    rows = np.array([2, 0, 1, 2], dtype=np.int32)
    cones = [0.0, 90.0, 180.0], [45.0, 45.0, 45.0], [10.0, 10.0, np.nan]
    seen = in_field_of_view(*cones, rows, np.array([0.0, 0.0, 0.0, 90.0]), np.full(4, 45.0))
    assert seen.tolist() == [True, True, False, True]


@pytest.mark.parametrize(
    ("cones", "text"),
    [
        (([0.0], [90.0], [361.0]), "fov_deg = 361; expected 0 to 360 degrees, or NaN for none"),
        (([0.0], [90.0], [-1.0]), "fov_deg = -1; expected 0 to 360 degrees, or NaN for none"),
        (
            ([0.0], [np.nan], [110.0]),
            "boresight at azimuth 0, elevation nan; expected degrees, the elevation within -90..90",
        ),
        (
            ([0.0], [90.0, 80.0], [110.0]),
            "boresights have shapes (1,) and (2,), fov_deg (1,); pass one of each for every site, "
            "shape (S,)",
        ),
    ],
)
def test_an_impossible_cone_is_refused(cones, text):
    with pytest.raises(InputError) as refusal:
        in_field_of_view(*cones, NO_ROWS, np.zeros(0), np.zeros(0))
    assert str(refusal.value) == text


# Obstructions

SQUARE = [(10, 20), (30, 20), (30, 40), (10, 40)]


def test_a_polygon_holds_its_lower_and_western_border_and_not_the_others():
    azimuth = np.array([10.0, 30.0, 10.0, 30.0, 20.0, 20.0, 10.0, 30.0])
    elevation = np.array([20.0, 20.0, 40.0, 40.0, 20.0, 40.0, 30.0, 30.0])
    expected = [True, False, False, False, True, False, True, False]
    assert obstructed(polygons(SQUARE), azimuth, elevation).tolist() == expected


def test_polygons_that_touch_leave_no_seam_and_share_no_direction():
    halves = [[(10, 20), (20, 20), (20, 40), (10, 40)], [(20, 20), (30, 20), (30, 40), (20, 40)]]
    grid = np.meshgrid(np.arange(5.0, 36.0), np.arange(15.0, 46.0))
    whole = obstructed(polygons(SQUARE), *grid)
    parts = [obstructed(polygons(half), *grid) for half in halves]
    np.testing.assert_array_equal(obstructed(polygons(*halves), *grid), whole)
    assert not (parts[0] & parts[1]).any()


def test_a_vertex_hit_exactly_from_below_opens_no_gap():
    kite = [(0.1, 30.0), (20.0, 10.0), (40.3, 30.0), (20.0, 50.0)]
    below = obstructed(polygons(kite), [20.0, 20.0, 20.0], [9.9, 10.1, 50.1])
    assert below.tolist() == [False, True, False]


def test_a_polygon_across_north_is_the_same_polygon_turned():
    azimuth, elevation = np.meshgrid(np.arange(0.0, 360.0, 1.5), np.arange(0.0, 90.0, 1.5))
    turned = [((a - 20.0) % 360.0, e) for a, e in SQUARE]
    expected = obstructed(polygons(SQUARE), (azimuth + 20.0) % 360.0, elevation)
    np.testing.assert_array_equal(obstructed(polygons(turned), azimuth, elevation), expected)
    assert obstructed(polygons(turned), [0.0, 360.0, -0.0, 720.0, -1e-20], 30.0).all()


@pytest.mark.parametrize("way", [1, -1])
def test_a_polygon_round_the_compass_blocks_the_zenith_and_not_the_horizon(way):
    loop = [(a, 60.0) for a in range(0, 360, 60)][::way]
    blocked = obstructed(polygons(loop), [0.0, 33.0, 359.9, 0.0], [90.0, 60.1, 75.0, 59.9])
    assert blocked.tolist() == [True, True, True, False]


def test_a_hole_drawn_as_a_path_in_and_out_stays_clear():
    inner = [(15, 25), (15, 35), (25, 35), (25, 25), (15, 25)]
    ring = [*SQUARE, SQUARE[0], *inner]
    assert obstructed(polygons(ring), [12.0, 20.0], [30.0, 30.0]).tolist() == [True, False]


def test_the_sky_below_the_horizon_profile_is_blocked_and_the_line_is_not():
    line = horizon((0, 10), (90, 30), (270, 20))
    azimuth = [0.0, 0.0, 45.0, 45.0, 180.0, 180.0, 315.0, 315.0]
    elevation = [10.0, 9.99, 20.0, 19.99, 25.0, 24.99, 15.0, 14.99]
    assert obstructed(line, azimuth, elevation).tolist() == [False, True] * 4


def test_the_zenith_is_above_every_horizon():
    assert not obstructed(horizon((0, 90)), [0.0, 123.0], 90.0).any()
    assert obstructed(horizon((0, 90)), [0.0, 123.0], 89.999).all()


def test_a_map_blocks_north_at_its_top_and_east_at_its_right():
    snr = np.ones((123, 123))
    snr[0, 61], snr[61, 122], snr[61, 61] = 0.0, 0.0, 0.0
    directions = [0.0, 90.0, 180.0, 270.0]
    assert obstructed(dish_map(snr), directions, 10.5).tolist() == [True, True, False, False]
    assert obstructed(dish_map(snr), directions, 90.0).all()  # the middle pixel is the zenith
    assert not obstructed(dish_map(snr), directions, 88.0).any()


def test_a_map_says_nothing_beyond_its_largest_angle():
    blocked = np.zeros((123, 123))
    directions = np.arange(0.0, 360.0, 0.5)
    assert obstructed(dish_map(blocked, maxThetaDeg=80), directions, 10.0).all()
    assert not obstructed(dish_map(blocked, maxThetaDeg=80), directions, 9.999).any()
    assert not obstructed(dish_map(blocked, minElevationDeg=25), directions, 24.999).any()


def test_what_is_combined_blocks_what_any_part_blocks():
    snr = np.ones((123, 123))
    snr[61, 61] = 0.0
    parts = [horizon((0, 15)), polygons(SQUARE), dish_map(snr)]
    azimuth, elevation = np.meshgrid(np.arange(0.0, 360.0, 2.0), np.arange(0.0, 91.0, 2.0))
    expected = np.any([obstructed(part, azimuth, elevation) for part in parts], axis=0)
    whole = pickle.loads(pickle.dumps(combine(parts)))
    np.testing.assert_array_equal(obstructed(whole, azimuth, elevation), expected)
    assert not obstructed(combine([]), azimuth, elevation).any()


def test_nan_is_not_obstructed_and_nothing_is_nothing():
    assert not obstructed(horizon((0, 89)), [np.nan, 0.0, np.inf], [0.0, np.nan, 0.0]).any()
    nothing = np.zeros(0)
    assert is_obstructed(pack({}, 3), NO_ROWS, nothing, nothing).shape == (0,)
    assert is_obstructed(pack({1: horizon((0, 5))}, 3), NO_ROWS, nothing, nothing).shape == (0,)
    assert in_field_of_view(nothing, nothing, nothing, NO_ROWS, nothing, nothing).shape == (0,)


def test_sites_share_an_obstruction_and_others_stay_clear():
    line = horizon((0, 45))
    packed = pack({3: line, 1: line, 4: horizon((0, 5))}, 6)
    assert packed.map_rows.size == 2
    blocked = is_obstructed(packed, np.arange(6), np.zeros(6), np.full(6, 30.0))
    assert blocked.tolist() == [False, True, False, True, False, False]


def test_rows_outside_the_table_are_refused_before_a_kernel_reads_them():
    packed = pack({0: horizon((0, 45))}, 2)
    with pytest.raises(InputError, match="site_rows runs from 0 to 2; expected 0 to 1"):
        is_obstructed(packed, np.array([0, 2]), np.zeros(2), np.zeros(2))
    with pytest.raises(InputError, match=r"shape \(2,\), azimuth_deg \(1,\), elevation_deg \(2,\)"):
        is_obstructed(packed, np.array([0, 1]), np.zeros(1), np.zeros(2))
    with pytest.raises(InputError, match="obstruction of site row 2; expected 0 to 1"):
        pack({2: horizon((0, 45))}, 2)


# The sky as it is drawn


@pytest.mark.parametrize(("lat_deg", "lon_deg"), [(0.0, 10.0), (47.0, 8.0), (-33.0, 151.0)])
def test_the_arc_runs_from_east_to_west_where_the_separation_is_nothing(lat_deg, lon_deg):
    azimuth_deg, elevation_deg = gso_arc(lat_deg, lon_deg, 400.0)
    site_m, up = geodetic_to_itrf([lat_deg], [lon_deg], [400.0])
    a, e = np.radians(azimuth_deg), np.radians(elevation_deg)
    line_enu = np.stack([np.cos(e) * np.sin(a), np.cos(e) * np.cos(a), np.sin(e)], axis=1)
    there_m = site_m + 1e6 * line_enu @ itrf_to_enu_matrix(lat_deg, lon_deg)
    row = np.zeros(a.size, dtype=np.int64)
    separation_deg = gso_separation_deg(site_m, up, there_m, row, np.arange(a.size))
    assert separation_deg.max() < 1e-6
    assert elevation_deg[[0, -1]] == pytest.approx([0.0, 0.0], abs=1e-9)
    assert (elevation_deg[1:-1] > 0.0).all()
    assert np.isfinite(azimuth_deg).all()
    assert line_enu[0, 0] > 0.9 > -0.9 > line_enu[-1, 0]  # from the east to the west
    assert (np.diff(line_enu[:, 0]) < 0.0).all()


def test_near_the_poles_there_is_no_arc():
    for lat_deg in (81.5, 90.0, -90.0):
        assert gso_arc(lat_deg, 0.0, 0.0)[0].shape == (0,)
    assert gso_arc(81.2, 0.0, 0.0)[0].size > 100


def test_each_direction_of_the_drawn_sky_says_what_rules_it_out_first():
    sky = sky_codes(25.0, 18.0, 47.0, 0.0, 63.0, 110.0, polygons([*SQUARE[:2], (30, 60), (10, 60)]))
    assert sky.code.shape == (360, 91) == (sky.azimuth_deg.size, sky.elevation_deg.size)
    assert (sky.code[:, :25] == SkyCode.BELOW_MIN_ELEVATION).all()
    assert sky.code[180, 36] == SkyCode.GSO_ARC  # 47 deg north: the arc culminates at 36 deg
    assert sky.code[90, 30] == SkyCode.OUT_OF_FIELD_OF_VIEW
    assert sky.code[20, 50] == SkyCode.OBSTRUCTED
    assert sky.code[0, 63] == SkyCode.CLEAR


def test_the_drawn_sky_agrees_with_the_masks_of_the_pipeline():
    obstruction = combine([horizon((0, 30), (180, 50)), polygons(SQUARE)])
    sky = sky_codes(20.0, 0.0, 47.0, 10.0, 70.0, 90.0, obstruction)
    azimuth, elevation = np.meshgrid(sky.azimuth_deg, sky.elevation_deg, indexing="ij")
    cone = in_cone((10.0, 70.0), 90.0, azimuth.ravel(), elevation.ravel())
    blocked = obstructed(obstruction, azimuth, elevation)
    clear = (elevation.ravel() >= 20.0) & cone & ~blocked
    np.testing.assert_array_equal(sky.code.ravel() == SkyCode.CLEAR, clear)
    open_sky = sky_codes(0.0, 0.0, 47.0, np.nan, np.nan, np.nan)
    assert (open_sky.code == SkyCode.CLEAR).all()
