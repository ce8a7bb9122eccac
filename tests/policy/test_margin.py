"""Margin rings, and regions at the poles, across 180 deg and side by side, by brute force."""

import contextlib
import math

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest
import shapely

from skyweave.errors import InputError
from skyweave.policy import region_from_geojson
from skyweave.policy.regions import margin_rings


def cells_of(rings):
    return region_from_geojson({"type": "Polygon", "coordinates": rings}, "test").cells


def distances_to_outside(cells, up_to):
    """Return each cell's steps to the nearest cell outside, 0 beyond `up_to`, one by one."""
    inside = set(cells.tolist())
    found = []
    for cell in cells.tolist():
        around = (h3_cells.grid_disk(cell, n).tolist() for n in range(1, up_to + 1))
        outside = [n for n, disk in enumerate(around, 1) if not inside.issuperset(disk)]
        found.append(outside[0] if outside else 0)
    return found


@pytest.mark.parametrize(
    "ring",
    [
        [[10, 40], [12, 40], [12, 42], [10, 42], [10, 40]],
        [[179, -17], [181, -17], [181, -15], [179, -15], [179, -17]],
        [[-180, 88], [180, 88], [180, 90], [-180, 90], [-180, 88]],
    ],
    ids=["plain", "across 180", "round a pole"],
)
@pytest.mark.parametrize("rings", [1, 3])
def test_the_margin_is_that_many_steps_deep_inside(ring, rings):
    cells = cells_of([ring])
    assert margin_rings(cells, rings).tolist() == distances_to_outside(cells, rings)


def test_a_hole_and_a_pentagon_have_margins_too():
    """Pentagons have five neighbours and no distance on the grid; a hole is outside."""
    pentagon = h3_cells.get_pentagons(5)[0]
    cells = np.setdiff1d(h3_cells.grid_disk(pentagon, 5), h3_cells.grid_disk(pentagon, 1))
    cells = cells.astype(np.uint64)
    assert margin_rings(cells, 2).tolist() == distances_to_outside(cells, 2)


def test_a_small_region_is_all_margin():
    one = np.array([h3_cells.latlng_to_cell(47.0, 8.0, 5)], dtype=np.uint64)
    assert margin_rings(one, 3).tolist() == [1]
    assert margin_rings(one, 0).tolist() == [0]


def neighbours(rng, count):
    """Return random convex polygons that share their borders and fill a box, anywhere."""
    lon, lat = rng.uniform(-185.0, 183.0), rng.uniform(-84.0, 82.0)
    points = shapely.MultiPoint(np.array([lon, lat]) + rng.uniform(0.0, 2.0, (count, 2)))
    box = shapely.box(lon, lat, lon + 2.0, lat + 2.0)
    drawn = shapely.voronoi_polygons(points, extend_to=box)
    return [shapely.intersection(part, box) for part in drawn.geoms], box


def rings_of(part):
    return [shapely.get_coordinates(part.exterior).tolist()]


def test_random_neighbours_partition_the_land(full_counts, record_figure):
    rng = np.random.default_rng(5)
    count = 1_000 if full_counts else 15
    wrong = 0
    for _ in range(count):
        parts, box = neighbours(rng, int(rng.integers(2, 6)))
        each = []
        for part in parts:
            with contextlib.suppress(InputError):  # a part smaller than a cell is no region
                each.append(cells_of(rings_of(part)))
        together = np.sort(np.concatenate(each))
        wrong += not np.array_equal(together, cells_of(rings_of(box)))
    record_figure(f"regions: {count} sets of neighbours that overlap or gape", wrong, "", "0")
    assert wrong == 0


def cells_round(pole, steps):
    """Return the cells up to some steps from a pole, and the latitudes and longitudes of each."""
    cells = np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(pole, 0.0, 5), steps))
    lat, lon = np.array([h3_cells.cell_to_latlng(cell) for cell in cells.tolist()]).T
    return cells, lat, lon


def cap(rng):
    """Return a random area round a pole as a ring, and a test of who lies in it."""
    pole = float(rng.choice([90.0, -90.0]))
    lon = np.arange(-180.0, 180.0, 45.0) + rng.uniform(1.0, 44.0, 8)  # no edge spans 180 deg
    reach = rng.uniform(0.5, 2.5, 8)
    lon = np.concatenate([[-180.0], lon, [180.0]])
    reach = np.concatenate([[1.0], reach, [1.0]])
    lat = math.copysign(90.0, pole) - math.copysign(1.0, pole) * reach
    ring = [*zip(lon.tolist(), lat.tolist(), strict=True), (180.0, pole), (-180.0, pole)]
    return [[list(p) for p in (*ring, ring[0])]], pole, lon, reach


def test_random_caps_hold_the_cells_whose_centre_is_nearer_the_pole(full_counts, record_figure):
    rng = np.random.default_rng(6)
    count = 2_000 if full_counts else 10
    near = {pole: cells_round(pole, 26) for pole in (-90.0, 90.0)}
    wrong = 0
    for _ in range(count):
        rings, pole, lon, reach = cap(rng)
        cells, cell_lat, cell_lon = near[pole]
        expected = cells[90.0 - np.abs(cell_lat) <= np.interp(cell_lon, lon, reach)]
        wrong += not np.array_equal(cells_of(rings), expected)
    record_figure(f"regions: {count} random areas round a pole unlike brute force", wrong, "", "0")
    assert wrong == 0


def wedge(rng):
    """Return a random polygon with a hole near a pole but not round it, as rings of (lon, lat)."""
    corners = int(rng.integers(5, 15))
    turn = (np.arange(corners) + rng.uniform(0.1, 0.9, corners)) * 2.0 * np.pi / corners
    middle = np.array([rng.uniform(-180.0, 180.0), rng.choice([-1.0, 1.0]) * 87.0])
    around = np.stack([60.0 * np.cos(turn), 2.9 * np.sin(turn)], axis=-1)
    shell = middle + rng.uniform(0.5, 1.0, (corners, 1)) * around
    hole = middle + rng.uniform(0.1, 0.3, (corners, 1)) * around
    return [[*ring.tolist(), ring[0].tolist()] for ring in (shell, hole)]


def test_random_wedges_near_a_pole_are_those_of_brute_force(full_counts, record_figure):
    rng = np.random.default_rng(8)
    count = 1_000 if full_counts else 10
    near = {pole: cells_round(pole, 50) for pole in (-90.0, 90.0)}
    wrong = 0
    for _ in range(count):
        rings = wedge(rng)
        area = shapely.Polygon(rings[0], rings[1:])
        cells, lat, lon = near[math.copysign(90.0, rings[0][0][1])]
        turns = [shapely.intersects_xy(area, lon + turn, lat) for turn in (-360.0, 0.0, 360.0)]
        wrong += not np.array_equal(cells_of(rings), cells[np.any(turns, axis=0)])
    record_figure(f"regions: {count} random wedges near a pole unlike brute force", wrong, "", "0")
    assert wrong == 0


def test_random_self_crossings_are_refused(full_counts, record_figure):
    """Two corners of a star-shaped polygon change places, so that its outline crosses itself."""
    rng = np.random.default_rng(7)
    refused = 0
    count = 2_000 if full_counts else 100
    for _ in range(count):
        corners = int(rng.integers(5, 20))
        turn = np.arange(corners) * 2.0 * np.pi / corners
        ring = rng.uniform(-60, 60, 2) + np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        ring[[1, 2]] = ring[[2, 1]]
        with pytest.raises(InputError, match=r"not a simple polygon: .*; no ring may cross"):
            cells_of([[*ring.tolist(), ring[0].tolist()]])
        refused += 1
    record_figure("regions: random self-crossing polygons refused", refused, f"of {count}", "all")
    assert refused == count
