"""Regions: the H3 cells that a polygon stands for, by a stated rule, with a digest over both.

A polygon is read in the plane of longitude and latitude, as RFC 7946 does: the line between two
positions is straight there.  So that a line never means two things, no edge may span more than
180 deg of longitude, except along a pole and once round the Earth (from -180 to 180).  A polygon
that crosses the 180 deg meridian is cut there by its author, as RFC 7946 asks, or goes on counting
(179, 181); one that holds a pole runs to longitude 180 and -180 and along latitude 90 or -90.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeGuard

import h3
import h3.api.numpy_int as h3_cells
import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from skyweave.errors import InputError

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
CellArray = NDArray[np.uint64]
Geometry = Any  # of shapely

CELL_RESOLUTION = 5  # 2,016,842 cells of 253 km2 on average
RULES = ("centre", "inside", "overlap")
MAX_VERTICES = 200_000
MAX_CELLS = 1_000_000  # half the Earth; the rest is better excluded
MAX_DEPTH = 8  # collections inside collections

# The outline is sampled so densely that each cell it passes holds a sample or borders on one that
# does: a cell is at least 10 km across.
_SAMPLE_DEG = 0.02  # at most 2.2 km
_MAX_SAMPLES = 1_000_000
# Polygons are filled in tiles: h3 reads an edge of more than 180 deg as one the other way round.
_TILE_DEG = 30.0

_SHAPES = "a Polygon, MultiPolygon, Feature, FeatureCollection or GeometryCollection"


class _Polygon(NamedTuple):
    """One polygon as written: rings (V, 2) of longitude and latitude in deg, closed."""

    shell: FloatArray
    holes: tuple[FloatArray, ...]


@dataclass(frozen=True, eq=False)
class Region:
    """A named set of cells; equal digests mean equal rule, polygons, library and cells."""

    region_id: str
    cells: CellArray  # (C,) ascending, read-only
    rule: str  # one of RULES
    boundary_data: str  # name and version of the data the polygons come from, "" if drawn
    polygon_digest: str  # of the polygons as written, in canonical order
    h3_version: str  # of the library that made the cells
    digest: str  # over all of the above but the name

    def __len__(self) -> int:
        return int(self.cells.size)

    def contains_cells(self, cells: ArrayLike) -> BoolArray:
        """Return which cells (S,), uint64, belong to the region; 0, no cell, does not."""
        asked = np.asarray(cells, dtype=np.uint64)
        return _contains(self.cells, asked)

    def contains(self, lat_deg: ArrayLike, lon_deg: ArrayLike) -> BoolArray:
        """Return which places (S,) lie in a cell of the region; a place at NaN does not."""
        return self.contains_cells(cells_at(lat_deg, lon_deg))


def cells_at(lat_deg: ArrayLike, lon_deg: ArrayLike) -> CellArray:
    """Return the cells of places (S,), 0 where a place is NaN."""
    lat = np.asarray(lat_deg, dtype=np.float64)
    lon = np.asarray(lon_deg, dtype=np.float64)
    cells = np.zeros(lat.size, dtype=np.uint64)
    known = np.flatnonzero(np.isfinite(lat) & np.isfinite(lon))
    found = map(h3_cells.latlng_to_cell, lat[known].tolist(), lon[known].tolist(), _always())
    cells[known] = np.fromiter(found, dtype=np.uint64, count=known.size)
    return cells


def region_from_geojson(
    content: object,
    region_id: str,
    rule: str = "centre",
    *,
    boundary_data: str = "",
    source: str = "GeoJSON",
) -> Region:
    """Return the region of GeoJSON (RFC 7946) that was parsed to plain values.

    A cell belongs to it whose centre lies in a polygon (`centre`, so regions that share a border
    share no cell), that lies in the polygons altogether (`inside`), or that they touch
    (`overlap`).  Polygons add up.  Heights are dropped.  `source` is what errors call the content.
    """
    if rule not in RULES:
        raise InputError(f'rule = "{str(rule)[:40]}": expected {", ".join(RULES)}')
    # On numbers such as 1e-320 GEOS overflows on its way to a right answer; that warns nobody.
    with np.errstate(all="ignore"):
        polygons = tuple(_polygons(content, source))
        if not polygons:
            raise InputError(f"{source}: no polygon in it; expected {_SHAPES} that holds one")
        cells = _cells(polygons, rule, source)
    if not cells.size:
        raise InputError(
            f'{source}: no cell of about 250 km2 is in it by the rule "{rule}"; draw it larger'
            + ("" if rule == "overlap" else ' or use the rule "overlap"')
        )
    cells.flags.writeable = False
    versions = h3.versions()["c"]
    polygon_digest = _sha256(_canonical(polygons))
    heading = json.dumps(["skyweave.region.v1", rule, boundary_data, polygon_digest, versions])
    digest = _sha256(heading.encode() + b"\n" + cells.astype("<u8").tobytes())
    return Region(region_id, cells, rule, boundary_data, polygon_digest, versions, digest)


def margin_rings(cells: CellArray, rings: int) -> NDArray[np.int64]:
    """Return how deep in their area cells (C,), ascending, lie: 1 at its border, 0 beyond `rings`.

    The margin so lies inside: a cell of ring 1 has a neighbour outside, and one of ring n is n - 1
    steps from ring 1, through the area.
    """
    depth = np.zeros(cells.size, dtype=np.int64)
    ring = np.array(
        [n for n, cell in enumerate(cells.tolist()) if not _contains(cells, _disk(cell)).all()],
        dtype=np.int64,
    )
    for n in range(1, rings + 1):
        depth[ring] = n
        around = [_disk(cell) for cell in cells[ring].tolist()]
        near = np.unique(np.concatenate(around)) if around else np.empty(0, dtype=np.uint64)
        inner = np.searchsorted(cells, near[_contains(cells, near)])
        ring = inner[depth[inner] == 0]
    return depth


def _disk(cell: int) -> CellArray:
    """Return a cell and its neighbours."""
    return np.asarray(h3_cells.grid_disk(cell, 1), dtype=np.uint64)


def _contains(cells: CellArray, asked: CellArray) -> BoolArray:
    place = np.minimum(np.searchsorted(cells, asked), cells.size - 1)
    return np.asarray(cells[place] == asked)


def _always() -> Iterator[int]:
    while True:
        yield CELL_RESOLUTION


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


# Reading GeoJSON


def _polygons(content: object, source: str) -> Iterator[_Polygon]:
    """Yield the polygons of GeoJSON values, each checked."""
    room = MAX_VERTICES
    for coordinates, where in _coordinates(content, source, MAX_DEPTH):
        if not isinstance(coordinates, Sequence) or isinstance(coordinates, str) or not coordinates:
            raise InputError(f"{where}: found {_shown(coordinates)}, expected a list of rings")
        if any(isinstance(ring, Sequence) and len(ring) > room for ring in coordinates):
            raise _too_many_vertices(source)
        rings = [_ring(ring, f"{where}[{n}]") for n, ring in enumerate(coordinates)]
        room -= sum(map(len, rings))
        if room < 0:
            raise _too_many_vertices(source)
        polygon = _Polygon(rings[0], tuple(rings[1:]))
        _refuse_invalid(polygon, where)
        yield polygon


def _too_many_vertices(source: str) -> InputError:
    return InputError(
        f"{source}: more than {MAX_VERTICES:,} positions; cells are 17 km across, so simplify "
        "the outline to steps of a kilometre"
    )


def _coordinates(content: object, where: str, depth: int) -> Iterator[tuple[Any, str]]:
    """Yield the coordinates of each polygon and where they stand, through all collections."""
    if not isinstance(content, Mapping):
        raise InputError(f"{where}: found {_shown(content)}, expected {_SHAPES}")
    if depth == 0:
        raise InputError(f"{where}: more than {MAX_DEPTH} collections in each other; flatten them")
    _refuse_other_datum(content, where)
    kind = content.get("type")
    if kind == "Polygon":
        yield content.get("coordinates"), f"{where}: coordinates"
    elif kind == "MultiPolygon":
        for n, each in enumerate(_members(content, "coordinates", where)):
            yield each, f"{where}: coordinates[{n}]"
    elif kind == "Feature":
        yield from _coordinates(content.get("geometry"), f"{where}: geometry", depth - 1)
    elif kind in ("FeatureCollection", "GeometryCollection"):
        name = "features" if kind == "FeatureCollection" else "geometries"
        for n, each in enumerate(_members(content, name, where)):
            yield from _coordinates(each, f"{where}: {name}[{n}]", depth - 1)
    else:
        raise InputError(
            f"{where}: type {_shown(kind)} has no area; expected {_SHAPES}: leave it out"
        )


def _members(content: Mapping[str, Any], name: str, where: str) -> Sequence[Any]:
    members = content.get(name)
    if not isinstance(members, Sequence) or isinstance(members, str):
        raise InputError(f"{where}: {name} is {_shown(members)}, expected a list")
    return members


def _refuse_other_datum(content: Mapping[str, Any], where: str) -> None:
    """Refuse the `crs` of old GeoJSON where it is not the one that RFC 7946 fixes."""
    crs = content.get("crs")
    properties = crs.get("properties") if isinstance(crs, Mapping) else None
    name = properties.get("name") if isinstance(properties, Mapping) else None
    if crs is not None and not str(name).endswith(("CRS84", ":4326")):
        raise InputError(
            f"{where}: crs is not WGS 84; GeoJSON is longitude and latitude in WGS 84 (RFC 7946): "
            "convert the file to EPSG:4326"
        )


def _ring(positions: object, where: str) -> FloatArray:
    """Return a closed ring (V, 2) of longitudes and latitudes, without repeated positions."""
    if not isinstance(positions, Sequence) or isinstance(positions, str):
        raise InputError(
            f"{where}: found {_shown(positions)}, expected a ring: a list of positions"
        )
    if len(positions) < 4:
        raise InputError(
            f"{where}: {len(positions)} positions; a ring has at least 4, the last as the first"
        )
    for n, position in enumerate(positions):
        _check_position(position, where, n)
    pairs = [position[:2] for position in positions]
    ring: FloatArray = np.array(pairs, dtype=np.float64) + 0.0  # no -0.0
    if (ring[0] != ring[-1]).any():
        raise InputError(
            f"{where}: the ring is not closed; end it with its first position, and check that "
            "nothing is missing at its end"
        )
    _refuse_ambiguous_edges(ring, where)
    is_new = np.concatenate([[True], (np.diff(ring, axis=0) != 0.0).any(axis=1)])
    distinct: FloatArray = ring[is_new]
    return distinct


def _check_position(position: object, where: str, n: int) -> None:
    if not _is_position(position):
        raise InputError(
            f"{where}[{n}]: found {_shown(position)}, expected [longitude, latitude] in degrees"
        )
    lon_deg, lat_deg = position[:2]
    if abs(lat_deg) > 90.0 or abs(lon_deg) > 360.0:
        raise InputError(
            f"{where}[{n}]: longitude {lon_deg:g}, latitude {lat_deg:g}; expected -360 to 360 and "
            f"-90 to 90 degrees{_position_hint(lon_deg, lat_deg)}"
        )


def _is_position(position: object) -> TypeGuard[Sequence[float]]:
    return (
        isinstance(position, Sequence)
        and not isinstance(position, str)
        and 2 <= len(position) <= 4
        and all(type(x) in (int, float) and abs(x) < 1e300 for x in position)
    )


def _position_hint(lon_deg: float, lat_deg: float) -> str:
    if abs(lon_deg) <= 90.0 and abs(lat_deg) <= 360.0:
        return "; are they swapped? GeoJSON writes the longitude first"
    if max(abs(lon_deg), abs(lat_deg)) > 1000.0:
        return "; are they metres of a map projection? convert the file to EPSG:4326"
    return "; write decimal degrees"


def _refuse_ambiguous_edges(ring: FloatArray, where: str) -> None:
    span_deg = np.abs(np.diff(ring[:, 0]))
    is_at_pole = (np.abs(ring[:-1, 1]) == 90.0) & (ring[:-1, 1] == ring[1:, 1])
    wrong = np.flatnonzero((span_deg > 180.0) & (span_deg != 360.0) & ~is_at_pole)
    if wrong.size:
        n = int(wrong[0])
        raise InputError(
            f"{where}[{n}]: the edge from longitude {ring[n, 0]:g} to {ring[n + 1, 0]:g} could go "
            "either way round; to cross 180 go on counting (179, 181) or cut the polygon there, "
            "to go the long way add a position between, round a pole pass [180, 90], [-180, 90]"
        )
    if np.ptp(ring[:, 0]) > 360.0:
        raise InputError(f"{where}: spans more than 360 degrees of longitude; cut the polygon")


def _refuse_invalid(polygon: _Polygon, where: str) -> None:
    if any(len(ring) < 4 for ring in (polygon.shell, *polygon.holes)):
        raise InputError(f"{where}: a ring of fewer than 3 different positions has no area")
    reason = str(shapely.is_valid_reason(shapely.Polygon(polygon.shell, polygon.holes)))
    if reason != "Valid Geometry":
        raise InputError(
            f"{where}: not a simple polygon: {reason}; no ring may cross or touch itself, and "
            "holes lie inside and apart: correct it there, or let a tool repair it"
        )


def _shown(value: object) -> str:
    """Return a value as an error may show it: short."""
    if value is None:
        return "nothing"
    if isinstance(value, (str, int, float)):
        return json.dumps(value[:40] if isinstance(value, str) else value)[:60]
    return (
        f"{type(value).__name__} of {len(value)}" if isinstance(value, (list, dict)) else "another"
    )


def _canonical(polygons: Sequence[_Polygon]) -> bytes:
    """Return polygons as bytes that do not depend on where their rings start, turn and stand."""
    return b"".join(
        sorted(
            b"P" + len(p.holes).to_bytes(4, "little") + _canonical_ring(p.shell)
            + b"".join(sorted(map(_canonical_ring, p.holes)))
            for p in polygons
        )
    )  # fmt: skip


def _canonical_ring(ring: FloatArray) -> bytes:
    open_ring = ring[:-1]
    first = int(np.lexsort((open_ring[:, 1], open_ring[:, 0]))[0])
    turned = np.roll(open_ring, -first, axis=0)
    x, y = (turned - turned[0]).T
    area = float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
    onward = turned if area > 0.0 else np.concatenate([turned[:1], turned[:0:-1]])
    return len(onward).to_bytes(4, "little") + onward.astype("<f8").tobytes()


# From polygons to cells


def _cells(polygons: Sequence[_Polygon], rule: str, source: str) -> CellArray:
    """Return the cells of polygons, ascending.

    Away from the outlines h3 fills the polygons; along them the rule decides cell by cell, exactly.
    """
    drawn = shapely.union_all([shapely.Polygon(p.shell, p.holes) for p in polygons])
    area = _all_round(drawn)
    along = _cells_along(drawn, source)
    filled = _filled(area, source)
    shapely.prepare(area)
    kept = along[_DECIDE[rule](area, along)]
    cells = np.union1d(np.setdiff1d(filled, along, assume_unique=True), kept)
    if cells.size > MAX_CELLS:
        raise _too_large(source)
    return cells


def _too_large(source: str) -> InputError:
    return InputError(
        f"{source}: more than {MAX_CELLS:,} cells, half the Earth; give the area outside it as an "
        "exclusion instead"
    )


def _all_round(drawn: Geometry) -> Geometry:
    """Return an area with its copies a turn to the west and east, joined.

    A cell that straddles longitude 180, or surrounds a pole, then meets all of the area.
    """
    west, south, east, north = drawn.bounds
    if west > -170.0 and east < 170.0 and max(-south, north) < 80.0:
        return drawn
    copies = [
        shapely.transform(drawn, lambda xy, turn=turn: xy + np.array([360.0 * turn, 0.0]))
        for turn in range(-2, 3)
        if west + 360.0 * turn < 360.0 and east + 360.0 * turn > -360.0
    ]
    return shapely.union_all(copies)


def _cells_along(drawn: Geometry, source: str) -> CellArray:
    """Return every cell that the outlines may pass through, ascending."""
    outline = shapely.boundary(drawn)
    samples = outline.length / _SAMPLE_DEG + shapely.get_num_coordinates(outline)
    if samples > _MAX_SAMPLES:
        raise InputError(
            f"{source}: its outlines are {outline.length:,.0f} degrees long; at most "
            f"{_MAX_SAMPLES * _SAMPLE_DEG:,.0f} are read: simplify them"
        )
    lon_deg, lat_deg = shapely.get_coordinates(shapely.segmentize(outline, _SAMPLE_DEG)).T
    on_it = np.unique(cells_at(lat_deg, lon_deg))
    return np.unique(np.concatenate([h3_cells.grid_disk(cell, 1) for cell in on_it.tolist()]))


def _filled(area: Geometry, source: str) -> CellArray:
    """Return the cells whose centre lies in an area, ascending; cells along its outline may err."""
    coarse = shapely.simplify(area, _SAMPLE_DEG)
    coarse = coarse if shapely.is_valid(coarse) else area
    found, count = [np.empty(0, dtype=np.uint64)], 0
    for tile in _tiles(area):
        for part in shapely.get_parts(shapely.intersection(coarse, tile)).tolist():
            if shapely.get_dimensions(part) == 2:
                found.append(h3_cells.polygon_to_cells(_h3_polygon(part), CELL_RESOLUTION))
                count += found[-1].size
        if count > 1.01 * MAX_CELLS:  # tiles may share cells, and the rule takes some away
            raise _too_large(source)
    return np.unique(np.concatenate(found))


def _tiles(area: Geometry) -> Iterator[Geometry]:
    """Yield boxes that cover an area between longitudes -180 and 180."""
    west, south, east, north = area.bounds
    for lon_deg in _tile_edges(-180.0, west, east):
        for lat_deg in _tile_edges(-90.0, south, north):
            yield shapely.box(lon_deg, lat_deg, lon_deg + _TILE_DEG, lat_deg + _TILE_DEG)


def _tile_edges(first_deg: float, low_deg: float, high_deg: float) -> list[float]:
    """Return where the tiles begin, counted from the world's edge, that a span reaches into."""
    edges_deg = np.arange(first_deg, -first_deg, _TILE_DEG)
    reached = (low_deg < edges_deg + _TILE_DEG) & (edges_deg < high_deg)
    found: list[float] = edges_deg[reached].tolist()
    return found


def _h3_polygon(part: Geometry) -> Any:
    rings = [part.exterior, *part.interiors]
    return h3.LatLngPoly(*(shapely.get_coordinates(ring)[:, ::-1].tolist() for ring in rings))


def _has_centre(area: Geometry, cells: CellArray) -> BoolArray:
    lat_deg, lon_deg = np.array([h3_cells.cell_to_latlng(c) for c in cells.tolist()]).T
    return np.asarray(shapely.intersects_xy(area, lon_deg, lat_deg))


def _has_all(area: Geometry, cells: CellArray) -> BoolArray:
    return np.asarray(shapely.covers(area, _outlines(cells)))


def _has_some(area: Geometry, cells: CellArray) -> BoolArray:
    return np.asarray(shapely.intersects(area, _outlines(cells)))


_DECIDE = {"centre": _has_centre, "inside": _has_all, "overlap": _has_some}


def _outlines(cells: CellArray) -> NDArray[np.object_]:
    """Return cells (C,) as polygons in the plane, each in one piece around its centre."""
    poles = {h3_cells.latlng_to_cell(lat, 0.0, CELL_RESOLUTION): lat for lat in (90.0, -90.0)}
    rings = []
    for cell in cells.tolist():
        lat_deg, lon_deg = np.array(h3_cells.cell_to_boundary(cell)).T
        if cell in poles:
            rings.append(_round_the_pole(lon_deg, lat_deg, poles[cell]))
        else:
            centre_deg = h3_cells.cell_to_latlng(cell)[1]
            near_deg = centre_deg + np.mod(lon_deg - centre_deg + 180.0, 360.0) - 180.0
            rings.append(np.stack([near_deg, lat_deg], axis=-1))
    return np.array([shapely.Polygon(ring) for ring in rings], dtype=object)


def _round_the_pole(lon_deg: FloatArray, lat_deg: FloatArray, pole_deg: float) -> FloatArray:
    """Return the ring (V, 2) of a cell that surrounds a pole: along it, and back along the pole."""
    order = np.argsort(lon_deg)
    lon, lat = lon_deg[order], lat_deg[order]
    share = (180.0 - lon[-1]) / (lon[0] + 360.0 - lon[-1])
    seam_deg = lat[-1] + share * (lat[0] - lat[-1])
    return np.array(
        [(-180.0, seam_deg), *zip(lon, lat, strict=True), (180.0, seam_deg),
         (180.0, pole_deg), (-180.0, pole_deg)]
    )  # fmt: skip
