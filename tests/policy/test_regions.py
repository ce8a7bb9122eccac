"""Regions: polygons as cells, compared with point-in-polygon by brute force and with h3's own."""

import hashlib
import math
import struct

import h3
import h3.api.numpy_int as h3_cells
import numpy as np
import pytest
import shapely

from skyweave.constants import EARTH_MEAN_RADIUS_M
from skyweave.errors import InputError
from skyweave.places.boundaries import boundaries
from skyweave.policy import cells_at, region_from_geojson
from skyweave.policy.regions import MAX_CELLS, MAX_VERTICES

LATTICE_DEG = 0.04  # at most 4.5 km, so that every cell holds points of the lattice


def polygon(*rings):
    return {"type": "Polygon", "coordinates": [list(map(list, ring)) for ring in rings]}


def box(west, south, east, north):
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def cells_of(content, rule="centre"):
    return region_from_geojson(content, "test", rule).cells


def nearby_cells(area):
    """Return all cells that an area may touch: those of a dense lattice over its bounds."""
    west, south, east, north = area.bounds
    north, south = min(north + 0.3, 90.0), max(south - 0.3, -90.0)
    widest = math.cos(math.radians(min(89.0, max(abs(south), abs(north)))))
    lat = np.arange(south, north, LATTICE_DEG)
    lon = np.arange(west - 0.3 / widest, east + 0.3 / widest, LATTICE_DEG)
    return np.unique(cells_at(*(axis.ravel() for axis in np.meshgrid(lat, lon))))


def centres_in(area, cells):
    """Return the cells whose centre is in an area, whatever turn its longitudes are written in."""
    lat, lon = np.array([h3_cells.cell_to_latlng(cell) for cell in cells.tolist()]).T
    turns = [shapely.intersects_xy(area, lon + 360.0 * turn, lat) for turn in (-2, -1, 0, 1, 2)]
    return cells[np.any(turns, axis=0)]


def random_polygon(rng, reach_deg):
    """Return a random star-shaped polygon, half of them with a hole, anywhere below 80 deg."""
    vertices = int(rng.integers(3, 30))
    lon, lat = rng.uniform(-200.0, 200.0), rng.uniform(-78.0, 78.0)
    angle = np.arange(vertices) * 2.0 * np.pi / vertices
    outer = reach_deg * rng.uniform(0.5, 1.0, vertices)
    inner = 0.2 * reach_deg * rng.uniform(0.5, 1.0, vertices)
    rings = []
    for radius in (outer, inner)[: 1 + int(rng.integers(2))]:
        ring = np.stack([lon + radius * np.cos(angle), lat + radius * np.sin(angle)], axis=-1)
        rings.append([*ring.tolist(), ring[0].tolist()])
    return polygon(*rings)


def test_cells_of_random_polygons_are_those_of_brute_force(full_counts, record_figure):
    rng = np.random.default_rng(3)
    count = 10_000 if full_counts else 60
    wrong = 0
    for _ in range(count):
        drawn = random_polygon(rng, rng.uniform(0.3, 1.0))
        area = shapely.Polygon(drawn["coordinates"][0], drawn["coordinates"][1:])
        expected = centres_in(area, nearby_cells(area))
        wrong += expected.size > 0 and not np.array_equal(cells_of(drawn), expected)
    record_figure(f"regions: {count} random polygons unlike brute force", wrong, "", "0")
    assert wrong == 0


@pytest.mark.parametrize(("rule", "contain"), [("inside", "full"), ("overlap", "overlap")])
def test_the_other_rules_agree_with_those_of_h3(rule, contain):
    rng = np.random.default_rng(4)
    for _ in range(40):
        drawn = random_polygon(rng, 0.8)
        if np.abs(np.array(drawn["coordinates"][0])[:, 0]).max() > 179.0:
            continue
        rings = [[position[::-1] for position in ring] for ring in drawn["coordinates"]]
        expected = h3_cells.polygon_to_cells_experimental(h3.LatLngPoly(*rings), 5, contain)
        if len(expected):
            np.testing.assert_array_equal(cells_of(drawn, rule), np.unique(expected))


@pytest.mark.parametrize(
    "drawn",
    [box(-170, 50, -60, 72), box(0, 0, 60, 0.5), box(-100, 84, 80, 89.9), box(10, -88, 40, -60)],
    ids=["wide", "thin", "polar", "tall"],
)
def test_large_polygons_have_the_cells_of_brute_force(drawn):
    rows = []
    lat = np.arange(drawn[0][1] - 0.2, min(90.0, drawn[2][1] + 0.2), 0.08)
    for parallel in lat.tolist():
        step = 0.08 / max(0.002, math.cos(math.radians(parallel)))
        lon = np.arange(drawn[0][0] - 1.0, drawn[1][0] + 1.0, min(step, 5.0))
        rows.append(np.unique(cells_at(np.full(lon.size, parallel), lon)))
    expected = centres_in(shapely.Polygon(drawn), np.unique(np.concatenate(rows)))
    np.testing.assert_array_equal(cells_of(polygon(drawn)), expected)


@pytest.mark.parametrize("rule", ["centre", "inside", "overlap"])
def test_a_region_across_180_is_the_same_however_it_is_written(rule):
    east_of_it = cells_of(polygon(box(176.0, -20.0, 184.0, -15.0)), rule)
    west_of_it = cells_of(polygon(box(-184.0, -20.0, -176.0, -15.0)), rule)
    halves = [[box(176.0, -20.0, 180.0, -15.0)], [box(-180.0, -20.0, -176.0, -15.0)]]
    cut = cells_of({"type": "MultiPolygon", "coordinates": halves}, rule)
    np.testing.assert_array_equal(east_of_it, west_of_it)
    np.testing.assert_array_equal(east_of_it, cut)
    lon = np.array([h3_cells.cell_to_latlng(cell)[1] for cell in cut.tolist()])
    assert (np.abs(lon) > 175.8).all()
    assert (lon > 0).any()
    assert (lon < 0).any()


@pytest.mark.parametrize("rule", ["inside", "overlap"])
def test_no_cell_at_180_is_judged_by_its_half(rule):
    """A band round the Earth has as many cells for every turn of its seam."""
    seam_at_180 = cells_of(polygon(box(-180.0, 60.0, 180.0, 62.0)), rule)
    seam_at_0 = cells_of(polygon(box(0.0, 60.0, 360.0, 62.0)), rule)
    np.testing.assert_array_equal(seam_at_180, seam_at_0)


@pytest.mark.parametrize("rule", ["centre", "inside", "overlap"])
@pytest.mark.parametrize("south", [85.0, -90.0])
def test_near_a_pole_a_turn_of_the_longitudes_changes_nothing(rule, south):
    """There a cell spans many degrees and may reach a region from beyond longitude 180."""
    drawn = cells_of(polygon(box(-169.0, south, -79.0, south + 5.0)), rule)
    turned = cells_of(polygon(box(191.0, south, 281.0, south + 5.0)), rule)
    np.testing.assert_array_equal(drawn, turned)


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_every_wedge_that_ends_at_a_pole_touches_its_cell(pole):
    below = math.copysign(89.98, pole)
    for lon in range(-180, 180, 30):
        wedge = box(lon, min(pole, below), lon + 10, max(pole, below))
        assert cells_of(polygon(wedge), "overlap") == [h3_cells.latlng_to_cell(pole, 0.0, 5)]


def test_an_edge_along_a_pole_may_be_of_any_length():
    lens = [[-170, 84], [0, 84], [170, 84], [170, 90], [-170, 90], [-170, 84]]
    around = np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(90.0, 0.0, 5), 60))
    expected = centres_in(shapely.Polygon(lens), around)
    np.testing.assert_array_equal(cells_of(polygon(lens)), expected)


@pytest.mark.parametrize("pole", [90.0, -90.0])
def test_a_polar_cap_is_every_cell_of_its_latitudes(pole):
    south, north = sorted((pole, math.copysign(85.0, pole)))
    cap = polygon(box(-180.0, south, 180.0, north))
    around = np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(pole, 0.0, 5), 50))
    lat = np.array([h3_cells.cell_to_latlng(cell)[0] for cell in around.tolist()])
    np.testing.assert_array_equal(cells_of(cap), around[np.abs(lat) >= 85.0])
    outlines = [np.array(h3_cells.cell_to_boundary(cell))[:, 0] for cell in around.tolist()]
    lowest = np.array([np.abs(each).min() for each in outlines])
    np.testing.assert_array_equal(cells_of(cap, "inside"), around[lowest >= 85.0])


def test_cells_cover_the_area_of_their_polygon():
    """A cap's area has a closed form; cells along its rim add and lack as much."""
    for south in (80.0, 65.0):
        cells = cells_of(polygon(box(-180.0, south, 180.0, 90.0)))
        covered = sum(h3_cells.cell_area(cell, unit="rads^2") for cell in cells.tolist())
        expected = 2.0 * math.pi * (1.0 - math.sin(math.radians(south)))
        assert covered == pytest.approx(expected, rel=1e-3)
        assert covered * EARTH_MEAN_RADIUS_M**2 / cells.size == pytest.approx(253e6, rel=0.25)


def country(code):
    known = boundaries()
    polygons = [
        [known.rings[ring].tolist() for ring in np.flatnonzero(known.ring_polygon == number)]
        for number in np.flatnonzero(known.code == code)
    ]
    return {"type": "MultiPolygon", "coordinates": polygons}


def test_neighbours_share_no_cell_and_leave_none_between_them():
    codes = ("FR", "DE", "CH", "AT", "BE", "LU")
    each = [cells_of(country(code)) for code in codes]
    features = [{"type": "Feature", "properties": {}, "geometry": country(c)} for c in codes]
    together = cells_of({"type": "FeatureCollection", "features": features})
    assert sum(map(len, each)) == together.size
    np.testing.assert_array_equal(np.unique(np.concatenate(each)), together)


def test_every_country_of_the_boundaries_can_be_a_region(full_counts):
    codes = sorted(set(boundaries().code.tolist()) - {""})
    for code in codes if full_counts else ("AQ", "FJ", "NZ"):
        region = region_from_geojson(country(code), code, "overlap")
        assert len(region) > 0


def test_the_rules_lie_in_each_other():
    drawn = polygon(box(10, 40, 12, 42), box(10.5, 40.5, 11, 41))
    inside, centre, overlap = (set(cells_of(drawn, r)) for r in ("inside", "centre", "overlap"))
    assert inside < centre < overlap


def test_a_place_belongs_to_the_region_of_its_cell():
    region = region_from_geojson(polygon(box(10, 40, 12, 42)), "test")
    lat, lon = np.array([41.0, 39.0, np.nan, 41.0]), np.array([11.0, 11.0, 11.0, 371.0])
    assert region.contains(lat, lon).tolist() == [True, False, False, True]
    assert region.contains_cells([0, region.cells[5], 2**63]).tolist() == [False, True, False]
    assert not region.cells.flags.writeable
    assert (np.diff(region.cells.astype(object)) > 0).all()


def test_the_digest_is_of_the_area_and_not_of_how_it_is_written():
    ring, hole = box(10, 40, 12, 42), box(10.5, 40.5, 11, 41)
    first = region_from_geojson(polygon(ring, hole), "one")
    turned = [*ring[2:], *ring[1:3]]
    assert turned[0] == turned[-1]
    high = [[*position, 120.0] for position in ring[::-1]]
    repeated = [ring[0], *ring]
    for same in (turned, high, repeated, ring[::-1]):
        again = region_from_geojson(polygon(same, hole[::-1]), "two")
        assert again.digest == first.digest
        assert again.polygon_digest == first.polygon_digest


def test_the_digest_changes_with_whatever_decides_the_cells():
    ring = box(10, 40, 12, 42)
    moved = [ring[0], [12.0, 40.0001], *ring[2:]]
    pinhole = box(11.0, 41.0, 11.0001, 41.0001)
    digests = {
        region_from_geojson(polygon(ring, pinhole), "x").digest,
        region_from_geojson(polygon(ring), "x").digest,
        region_from_geojson(polygon(ring), "x", "overlap").digest,
        region_from_geojson(polygon(moved), "x").digest,
        region_from_geojson(polygon(ring), "x", boundary_data="Natural Earth 5.1.1").digest,
    }
    assert len(digests) == 5
    for other in (polygon(moved), polygon(ring, pinhole)):
        np.testing.assert_array_equal(cells_of(polygon(ring)), cells_of(other))


def test_the_digest_can_be_computed_again_from_what_the_region_says():
    region = region_from_geojson(polygon(box(10, 40, 12, 42)), "x", "inside", boundary_data="own")
    heading = (
        f'["skyweave.region.v1", "inside", "own", "{region.polygon_digest}", '
        f'"{region.h3_version}"]\n'
    )
    cells = b"".join(int(cell).to_bytes(8, "little") for cell in region.cells)
    expected = hashlib.sha256(heading.encode() + cells).hexdigest()
    assert region.digest == f"sha256:{expected}"
    corners = [(10.0, 40.0), (12.0, 40.0), (12.0, 42.0), (10.0, 42.0)]
    ring = b"".join(struct.pack("<dd", *corner) for corner in corners)
    drawn = b"P" + struct.pack("<II", 0, 4) + ring
    assert region.polygon_digest == f"sha256:{hashlib.sha256(drawn).hexdigest()}"


def test_polygons_are_found_in_any_collection():
    first, second = polygon(box(10, 40, 11, 41)), polygon(box(20, 40, 21, 41))
    both = {"type": "MultiPolygon", "coordinates": [first["coordinates"], second["coordinates"]]}
    feature = {"type": "Feature", "properties": None, "geometry": both}
    inner = {"type": "GeometryCollection", "geometries": [first, second]}
    nested = {"type": "FeatureCollection", "features": [{**feature, "geometry": inner}]}
    assert len({region_from_geojson(x, "x").digest for x in (both, feature, inner, nested)}) == 1


BOW_TIE = [[10, 40], [12, 42], [12, 40], [10, 42], [10, 40]]
REFUSED = {
    "no object": ([1, 2], r"found list of 2, expected a Polygon"),
    "a point": ({"type": "Point", "coordinates": [1, 2]}, '"Point" has no area'),
    "no type": ({}, "type nothing has no area"),
    "a feature without place": ({"type": "Feature", "geometry": None}, "geometry: found nothing"),
    "no features": ({"type": "FeatureCollection"}, "features is nothing, expected a list"),
    "nothing in it": ({"type": "FeatureCollection", "features": []}, "no polygon in it"),
    "no ring": ({"type": "Polygon", "coordinates": []}, "expected a list of rings"),
    "a flat ring": ({"type": "Polygon", "coordinates": [10, 40]}, r"\[0\]: found 10, expected"),
    "a short ring": (polygon([[10, 40], [11, 41], [10, 40]]), "3 positions; a ring has at least 4"),
    "an open ring": (polygon([*box(10, 40, 12, 42)[:-1], [10, 41]]), "not closed; end it with i"),
    "a line": (polygon([[10, 40], [11, 41], [10, 40], [10, 40]]), "fewer than 3 different"),
    "a flat area": (polygon([[10, 40], [11, 40], [12, 40], [10, 40]]), "not a simple polygon"),
    "a bow tie": (polygon(BOW_TIE), r"Self-intersection\[11 41\]; no ring may cross"),
    "a hole outside": (polygon(box(10, 40, 12, 42), box(20, 40, 21, 41)), "Hole lies outside"),
    "swapped": (polygon([[40, 110], [42, 110], [42, 112], [40, 110]]), "are they swapped?"),
    "metres": (polygon([[1e6, 4e6], [2e6, 4e6], [2e6, 5e6], [1e6, 4e6]]), "metres of a map proj"),
    "no number": (polygon([["10", 40], [11, 40], [11, 41], ["10", 40]]), "found list of 2, expec"),
    "a truth": (polygon([[True, 40], [11, 40], [11, 41], [True, 40]]), "longitude, latitude"),
    "not a number": (polygon([[math.nan, 40], [11, 40], [11, 41], [10, 40]]), "longitude, latit"),
    "one number": (polygon([[10], [11, 40], [11, 41], [10]]), "found list of 1"),
    "a huge number": (polygon([[10**400, 40], [11, 40], [11, 41], [10, 40]]), "longitude, latit"),
    "the long way": (polygon(box(-179, 10, 179, 20)), r"from longitude -179 to 179 could go eit"),
    "round a pole": (
        polygon([[0, 80], [120, 80], [-120, 80], [0, 80]]), r"round a pole pass \[180, 90\]",
    ),
    "twice round": (polygon([[-350, 10], [-200, 10], [-50, 10], [100, 10],
                    [100, 20], [-50, 20], [-200, 20], [-350, 20], [-350, 10]]), "more than 360"),
    "another datum": ({**polygon(box(1, 2, 3, 4)), "crs": {"properties": {"name": "EPSG:3857"}}},
                      "crs is not WGS 84"),
    "smaller than a cell": (polygon(box(10.0, 40.0, 10.001, 40.001)), 'use the rule "overlap"'),
    "most of the Earth": (polygon(box(-180, -60, 180, 60)), f"more than {MAX_CELLS:,} cells"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_region_is_refused_with_advice(content, text):
    with pytest.raises(InputError, match=text) as refusal:
        region_from_geojson(content, "x", source="area.geojson")
    message = str(refusal.value)
    assert message.startswith("area.geojson")
    assert "\n" not in message
    assert len(message) < 400


def test_an_unknown_rule_is_refused():
    with pytest.raises(InputError, match='rule = "corner": expected centre, inside, overlap'):
        region_from_geojson(polygon(box(10, 40, 12, 42)), "x", "corner")


def test_a_number_next_to_nothing_is_nothing_to_warn_of():
    """GEOS overflows on the way with such a corner, and warnings are errors here."""
    tiny = [[0.0, 0.0], [0.3, 0.0], [0.3, 1e-320], [0.0, 0.3], [0.0, 0.0]]
    plain = [[0.0, 0.0], [0.3, 0.0], [0.0, 0.3], [0.0, 0.0]]
    np.testing.assert_array_equal(cells_of(polygon(tiny)), cells_of(polygon(plain)))


def test_the_old_name_of_wgs_84_is_accepted():
    named = {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}}
    assert cells_of({**polygon(box(10, 40, 12, 42)), "crs": named}).size > 100


def circle(vertices):
    angle = np.linspace(0.0, 2.0 * np.pi, vertices)
    ring = np.stack([10.0 + np.cos(angle), 40.0 + np.sin(angle)], axis=-1)
    ring[-1] = ring[0]
    return polygon(ring.tolist())


def test_too_many_positions_are_refused_also_in_sum():
    assert cells_of(circle(20_000)).size > 100
    with pytest.raises(InputError, match=r"more than 200,000 positions; .* simplify"):
        cells_of(circle(MAX_VERTICES + 2))
    each = circle(MAX_VERTICES // 4)["coordinates"]
    with pytest.raises(InputError, match="more than 200,000 positions"):
        cells_of({"type": "MultiPolygon", "coordinates": [each] * 5})


def test_an_endless_outline_is_refused_before_it_is_sampled():
    teeth = np.arange(0.0, 60.0, 0.2)
    comb = [[0.0, 0.0]]
    for lat in teeth.tolist():
        comb += [[170.0, lat], [170.0, lat + 0.1], [0.1, lat + 0.1], [0.1, lat + 0.2]]
    comb += [[0.0, 60.2], [0.0, 0.0]]
    with pytest.raises(InputError, match="degrees long; at most 20,000 are read"):
        cells_of(polygon(comb))


def test_collections_nest_only_so_deep():
    content = polygon(box(10, 40, 12, 42))
    for _ in range(9):
        content = {"type": "GeometryCollection", "geometries": [content]}
    with pytest.raises(InputError, match="more than 8 collections in each other; flatten"):
        region_from_geojson(content, "x")
