"""People and border of an impact report, against H3, Shapely and GeoNames asked one by one."""

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest
import shapely

from skyweave.control.domain.impact_border import (
    Border,
    People,
    border_impact,
    border_of,
    people_of,
)
from skyweave.places.cities import all_cities
from skyweave.policy.regions import region_from_geojson

# Over the Swiss plateau and the Jura: a border with a hole, and a part that stands apart.
DRAWN = {
    "type": "MultiPolygon",
    "coordinates": [
        [
            [[6.9, 46.6], [8.4, 46.7], [8.5, 47.5], [7.2, 47.6], [6.9, 46.6]],
            [[7.3, 46.85], [7.6, 46.85], [7.6, 47.05], [7.3, 47.05], [7.3, 46.85]],
        ],
        [[[9.1, 47.3], [9.5, 47.3], [9.3, 47.6], [9.1, 47.3]]],
    ],
}
ACROSS_180 = {
    "type": "Polygon",
    "coordinates": [[[177.0, -19.0], [182.0, -19.0], [182.0, -15.0], [177.0, -15.0],
                     [177.0, -19.0]]],
}  # fmt: skip


def outline(cell, centre_deg):
    """Return a cell as a polygon in the plane, its longitudes next to a longitude."""
    corners = [(lon, lat) for lat, lon in h3_cells.cell_to_boundary(cell)]
    near = [((lon - centre_deg + 180.0) % 360.0 - 180.0 + centre_deg, lat) for lon, lat in corners]
    return shapely.Polygon(near)


def one_by_one(content, cells, losing, centre_deg):
    """Return the figures of a border, each cell and town looked at by itself."""
    area = shapely.geometry.shape(content)
    mine = set(cells.tolist())
    beyond = {c for c in mine if not area.covers(outline(c, centre_deg))}
    near = set(np.concatenate([h3_cells.grid_disk(c, 9) for c in list(mine)[::3]]).tolist())
    spill = {c for c in near - mine if area.intersects(outline(c, centre_deg))}
    people_beyond = people_spill = 0
    towns = all_cities()
    for lat, lon, count in zip(towns.lat_deg, towns.lon_deg, towns.population, strict=True):
        if abs(lat - h3_cells.cell_to_latlng(cells[0])[0]) > 5.0:
            continue
        cell = h3_cells.latlng_to_cell(lat, lon, 5)
        is_in = area.intersects(
            shapely.Point((lon - centre_deg + 180.0) % 360.0 - 180.0 + centre_deg, lat)
        )
        people_beyond += int(count) if cell in mine and not is_in else 0
        people_spill += int(count) if cell not in mine and is_in else 0
    lost = sum(cell in beyond for cell in losing.tolist())
    return len(beyond), people_beyond, lost, len(spill), people_spill


@pytest.mark.parametrize(
    ("content", "centre_deg"), [(DRAWN, 8.0), (ACROSS_180, 180.0)], ids=["alps", "across 180"]
)
@pytest.mark.parametrize("rule", ["centre", "inside", "overlap"])
def test_a_border_s_figures_equal_those_found_one_by_one(content, centre_deg, rule):
    cells = region_from_geojson(content, "r", rule).cells
    losing = np.random.default_rng(1).choice(cells, 200)
    found = border_impact(border_of(content), cells, losing, people_of(all_cities()))
    expected = one_by_one(content, cells, losing, centre_deg)
    assert tuple(vars(found).values()) == expected
    if rule == "inside":
        assert (found.cells_beyond, found.people_beyond, found.losing_beyond) == (0, 0, 0)
        assert found.cells_spill > 0
    if rule == "overlap":
        assert (found.cells_spill, found.people_spill) == (0, 0)


def test_people_across_the_border_are_there_by_the_rule_overlap():
    """Else a cut that hits the neighbours would be signed without knowing."""
    cells = region_from_geojson(DRAWN, "r", "overlap").cells
    found = border_impact(border_of(DRAWN), cells, cells, people_of(all_cities()))
    assert found.people_beyond > 100_000


def test_a_border_smaller_than_a_cell_has_none_inside():
    lat, lon = h3_cells.cell_to_latlng(h3_cells.latlng_to_cell(47.0, 8.0, 5))
    ring = [[lon, lat], [lon + 0.01, lat], [lon, lat + 0.01], [lon, lat]]
    small = {"type": "Polygon", "coordinates": [ring]}
    found = border_of(small)
    assert (found.inside.size, found.touched.size) == (0, 1)


def test_every_town_is_in_one_cell_with_its_people():
    people, towns = people_of(all_cities()), all_cities()
    assert people.count == int(towns.population.sum())
    for n in range(0, len(towns), 1_000):
        cell = h3_cells.latlng_to_cell(towns.lat_deg[n], towns.lon_deg[n], 5)
        assert people.cell[n] == cell


def test_a_border_of_features_is_that_of_their_polygons():
    feature = {"type": "Feature", "properties": {}, "geometry": DRAWN}
    collection = {"type": "FeatureCollection", "features": [feature]}
    one, other = border_of(DRAWN), border_of(collection)
    assert isinstance(other, Border)
    assert shapely.equals(one.area, other.area)
    assert one.touched.tolist() == other.touched.tolist()


def test_nobody_is_nobody():
    nobody = People(np.zeros(0, np.uint64), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))
    cells = region_from_geojson(DRAWN, "r").cells
    found = border_impact(border_of(DRAWN), cells, cells[:0], nobody)
    assert (found.people_beyond, found.people_spill, found.losing_beyond) == (0, 0, 0)
