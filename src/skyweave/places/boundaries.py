"""Boundaries: the outlines of countries, coasts and disputed borders, as arrays.

They are Natural Earth's layers, which draw countries "according to de facto status".  Skyweave
does not decide disputes: a border that somebody contests is drawn as such (`disputed_lines`) and
left out of the others.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from skyweave.data import read_data_text

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# Countries to which the 1:50m layer gives no ISO 3166-1 code.  France and Norway have one; the
# territories get that of the country in whose entry ISO 3166-2 lists them, if any.
_CODES = {
    "FRA": "FR",
    "NOR": "NO",
    "ATC": "AU",  # Ashmore and Cartier Islands
    "IOA": "AU",  # Christmas Island (CX) and Cocos Islands (CC), one feature of the layer
    "CYN": "CY",  # Northern Cyprus
    "SOL": "SO",  # Somaliland
    "KAS": "",  # Siachen Glacier
}
# The disputed border that the layer of disputed areas lacks: Kosovo (user-assigned code XK) and
# Serbia, in the order in which the layer of countries has them.
_CONTESTED_SIDES = {"XK": "RS"}

# The layers of countries (1:50m) and of disputed areas (1:10m) differ by some km on a border.
_NEAR_DISPUTED_DEG = 0.1


@dataclass(frozen=True, eq=False)
class Boundaries:
    """Every ring of every country: R rings of P polygons, with one ISO code per polygon."""

    rings: tuple[FloatArray, ...]  # R closed rings, each (K, 2): longitude and latitude, deg
    ring_polygon: NDArray[np.int64]  # (R,) ascending; the first ring of a polygon is its shell
    code: NDArray[np.str_]  # (P,) ISO 3166-1 alpha-2, "" where none exists
    is_coast: tuple[BoolArray, ...]  # R arrays (K - 1,): edges that lie on the sea
    is_border: tuple[BoolArray, ...]  # R arrays (K - 1,): shared edges, in one of their rings


@dataclass(frozen=True, eq=False)
class DisputedAreas:
    """Areas that more than one administration claims: D areas."""

    area: NDArray[np.object_]  # (D,) shapely geometries, longitude and latitude in deg
    claim: tuple[str, ...]  # "Abyei: Admin. by Sudan; Claimed by South Sudan"


@cache
def boundaries() -> Boundaries:
    """Return the outlines of all countries (Natural Earth 1:50m)."""
    rings: list[FloatArray] = []
    ring_polygon: list[int] = []
    code: list[str] = []
    for feature in _features("ne_50m_admin_0_countries.geojson.xz"):
        for polygon in _polygons(feature["geometry"]):
            rings.extend(np.array(ring, dtype=np.float64) for ring in polygon)
            ring_polygon.extend([len(code)] * len(polygon))
            code.append(_code(feature["properties"]))
    is_coast, is_border = _kinds_of_edges(rings)
    return Boundaries(
        tuple(rings), np.array(ring_polygon, dtype=np.int64), np.array(code), is_coast, is_border
    )


@cache
def disputed_areas() -> DisputedAreas:
    """Return the disputed areas (Natural Earth 1:10m, without leases and buffer zones)."""
    features = _features("ne_10m_admin_0_disputed_areas.geojson.xz")
    return DisputedAreas(
        area=np.array([shapely.geometry.shape(f["geometry"]) for f in features]),
        claim=tuple(_claim(feature["properties"]) for feature in features),
    )


def coastlines() -> list[FloatArray]:
    """Return the coasts as polylines (K, 2) of longitude and latitude in degrees."""
    known = boundaries()
    return _runs(zip(known.rings, known.is_coast, strict=True))


def country_outlines() -> list[FloatArray]:
    """Return coasts and undisputed borders as polylines (K, 2) of longitude and latitude in deg."""
    known = boundaries()
    kinds = zip(known.is_coast, known.is_border, _disputed_borders(), strict=True)
    drawn = (coast | (border & ~disputed) for coast, border, disputed in kinds)
    return _runs(zip(known.rings, drawn, strict=True))


def disputed_lines() -> list[FloatArray]:
    """Return disputed borders as polylines (K, 2) of longitude and latitude in degrees.

    They are the lines of claims and breakaway areas inside a country, and the borders beside a
    disputed area.  Draw them dashed.
    """
    lines = [
        np.array(feature["geometry"]["coordinates"], dtype=np.float64)
        for feature in _features("ne_50m_admin_0_boundary_lines_disputed_areas.geojson.xz")
    ]
    return lines + _runs(zip(boundaries().rings, _disputed_borders(), strict=True))


def wrap_deg(lon_deg: ArrayLike) -> FloatArray:
    """Return longitudes as -180 to 180, those already there unchanged."""
    lon_deg = np.asarray(lon_deg, dtype=np.float64)
    return np.where(np.abs(lon_deg) <= 180.0, lon_deg, np.mod(lon_deg + 180.0, 360.0) - 180.0)


def _features(name: str) -> list[dict[str, Any]]:
    features: list[dict[str, Any]] = json.loads(read_data_text(name))["features"]
    return features


def _polygons(geometry: dict[str, Any]) -> list[Any]:
    """Return the polygons of a GeoJSON geometry, each a list of rings."""
    coordinates: list[Any] = geometry["coordinates"]
    return [coordinates] if geometry["type"] == "Polygon" else coordinates


def _code(properties: dict[str, str]) -> str:
    return _CODES.get(properties["ADM0_A3"], properties["ISO_A2"])


def _claim(properties: dict[str, str | None]) -> str:
    return f"{properties['BRK_NAME']}: {properties['NOTE_BRK'] or 'disputed'}"


def _kinds_of_edges(
    rings: list[FloatArray],
) -> tuple[tuple[BoolArray, ...], tuple[BoolArray, ...]]:
    """Tell coasts from borders: neighbours share a border vertex by vertex, so it occurs twice.

    A border is marked in the first of its two rings only, so that it is drawn once.  The cuts
    that the layer makes at longitude 180 are neither.
    """
    points = np.concatenate(rings)
    _, vertex = np.unique(_vertices(points), return_inverse=True)
    low, high = np.minimum(vertex[:-1], vertex[1:]), np.maximum(vertex[:-1], vertex[1:])
    key = low * points.shape[0] + high
    between_rings = np.cumsum([len(ring) for ring in rings])[:-1] - 1
    key[between_rings] = -1 - between_rings
    _, first, edge, count = np.unique(
        key, return_index=True, return_inverse=True, return_counts=True
    )
    is_shared = count[edge] > 1
    is_border = is_shared & (first[edge] == np.arange(key.size))
    is_at_180 = np.abs(points[:, 0]) == 180.0
    is_coast = ~is_shared & ~(is_at_180[:-1] & is_at_180[1:])
    return _per_ring(is_coast, rings), _per_ring(is_border, rings)


def _per_ring(edges: BoolArray, rings: Iterable[FloatArray]) -> tuple[BoolArray, ...]:
    """Split marks of the edges between all points in a row; those between two rings are none."""
    ends = np.cumsum([len(ring) for ring in rings])
    starts = np.concatenate([[0], ends[:-1]])
    return tuple(edges[start : end - 1] for start, end in zip(starts, ends, strict=True))


@cache
def _disputed_borders() -> tuple[BoolArray, ...]:
    """Mark the borders that run through or along a disputed area: R arrays (K - 1,)."""
    known = boundaries()
    candidate = np.concatenate(known.is_border)
    middle = np.concatenate([(ring[:-1] + ring[1:]) / 2.0 for ring in known.rings])
    disputed = np.concatenate([_is_contested(known, r) for r in range(len(known.rings))])
    tree = shapely.STRtree(shapely.points(middle[candidate]))
    _, found = tree.query(disputed_areas().area, predicate="dwithin", distance=_NEAR_DISPUTED_DEG)
    disputed[np.flatnonzero(candidate)[found]] = True
    ends = np.cumsum([len(edges) for edges in known.is_border])[:-1]
    return tuple(np.split(disputed & candidate, ends))


def _is_contested(known: Boundaries, ring: int) -> BoolArray:
    """Mark the edges (K - 1,) of a ring that it shares with the other side of a dispute."""
    points = _vertices(known.rings[ring])
    other = _CONTESTED_SIDES.get(str(known.code[known.ring_polygon[ring]]))
    if other is None:
        return np.zeros(points.size - 1, dtype=bool)
    theirs = [known.rings[r] for r in np.flatnonzero(known.code[known.ring_polygon] == other)]
    is_shared = np.isin(points, _vertices(np.concatenate(theirs)))
    return is_shared[:-1] & is_shared[1:]


def _vertices(points: FloatArray) -> NDArray[np.complex128]:
    """Return points (K, 2) as single numbers (K,) that can be compared."""
    return points.view(np.complex128)[:, 0]


def _runs(parts: Iterable[tuple[FloatArray, BoolArray]]) -> list[FloatArray]:
    """Return the polylines that the marked edges of each ring make."""
    lines: list[FloatArray] = []
    for ring, is_marked in parts:
        change = np.flatnonzero(np.diff(is_marked, prepend=False, append=False))
        lines.extend(ring[first : last + 1] for first, last in change.reshape(-1, 2))
    return lines
