"""Countries: which country a place lies in, by the shipped boundaries."""

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from skyweave.constants import EARTH_MEAN_RADIUS_M
from skyweave.errors import InputError
from skyweave.places.boundaries import boundaries, disputed_areas, wrap_deg
from skyweave.places.cities import all_cities

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_MEANT = {"UK": "GB", "EL": "GR"}  # as the European Union writes them

NEAR_LAND_M = 50_000.0  # beyond this from any coast a place belongs to no country
_COAST_STEP_M = 2_000.0  # spacing of the points that stand for the coast in that test


@dataclass(frozen=True, eq=False)
class _Land:
    tree: shapely.STRtree  # over P prepared polygons, longitude and latitude in deg
    code: NDArray[np.str_]  # (P,)


@dataclass(frozen=True, eq=False)
class _Coast:
    tree: cKDTree  # points of the coast on the unit sphere
    polygon: IntArray  # the polygon of each


def country_at(lat_deg: ArrayLike, lon_deg: ArrayLike) -> list[str]:
    """Return the ISO 3166-1 alpha-2 code of the country at each place, for inputs (S,).

    A place off the coast belongs to the nearest land within 50 km; farther out, or where the
    position is NaN, the answer is "".  Longitudes may be of any turn.

    Boundaries are Natural Earth's 1:50m: good to a few km (99.4 % of GeoNames' cities lie in the
    country GeoNames gives), without the smallest islands (Tuvalu), and with overseas departments
    counted to their state (Reunion is FR).  They show who administers a place, de facto;
    Skyweave takes no side, and `claims_at` tells whether somebody contests it.
    """
    lat_deg, lon_deg = _checked(lat_deg, lon_deg)
    polygon = np.full(lat_deg.size, -1, dtype=np.int64)
    known = np.flatnonzero(np.isfinite(lat_deg) & np.isfinite(lon_deg))
    polygon[known] = _land_at(lat_deg[known], lon_deg[known])
    at_sea = known[polygon[known] < 0]
    if at_sea.size:
        polygon[at_sea] = _nearest_land(lat_deg[at_sea], lon_deg[at_sea])
    return [str(_land().code[p]) if p >= 0 else "" for p in polygon]


def claims_at(lat_deg: ArrayLike, lon_deg: ArrayLike) -> list[str]:
    """Return who administers and who claims each place, for inputs (S,); "" where nobody disputes.

    For example "Abyei: Admin. by Sudan; Claimed by South Sudan", in Natural Earth's words.
    """
    lat_deg, lon_deg = _checked(lat_deg, lon_deg)
    disputed = disputed_areas()
    places = shapely.points(lon_deg, lat_deg)
    claims: list[list[str]] = [[] for _ in places]
    place, area = shapely.STRtree(disputed.area).query(places, predicate="intersects")
    for row, found in sorted(zip(place.tolist(), area.tolist(), strict=True)):
        claims[row].append(disputed.claim[found])
    return [" / ".join(claim) for claim in claims]


def _checked(lat_deg: ArrayLike, lon_deg: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Return places as arrays (S,) with longitudes -180 to 180."""
    lat_deg = np.atleast_1d(np.asarray(lat_deg, dtype=np.float64))
    lon_deg = np.atleast_1d(np.asarray(lon_deg, dtype=np.float64))
    if lat_deg.ndim != 1 or lat_deg.shape != lon_deg.shape:
        raise InputError(f"places of shapes {lat_deg.shape} and {lon_deg.shape}; pass both as (S,)")
    if (np.abs(lat_deg) > 90.0).any():
        raise InputError(f"a latitude of {np.abs(lat_deg).max()} deg; expected -90 to 90")
    return lat_deg, wrap_deg(lon_deg)


@cache
def _land() -> _Land:
    known = boundaries()
    points = np.concatenate(known.rings)
    ring_of_point = np.repeat(np.arange(len(known.rings)), [len(ring) for ring in known.rings])
    rings = shapely.linearrings(points, indices=ring_of_point)
    polygons = shapely.polygons(rings, indices=known.ring_polygon)
    shapely.prepare(polygons)
    return _Land(shapely.STRtree(polygons), known.code)


@cache
def _coast() -> _Coast:
    known = boundaries()
    starts, ends, polygons = [], [], []
    for ring, is_coast, polygon in zip(
        known.rings, known.is_coast, known.ring_polygon, strict=True
    ):
        starts.append(ring[:-1][is_coast])
        ends.append(ring[1:][is_coast])
        polygons.append(np.full(int(is_coast.sum()), polygon))
    start, end = (_unit(*np.concatenate(side).T) for side in (starts, ends))
    length_m = np.linalg.norm(end - start, axis=1) * EARTH_MEAN_RADIUS_M
    steps = np.maximum(1, np.ceil(length_m / _COAST_STEP_M)).astype(np.int64)
    edge = np.repeat(np.arange(steps.size), steps)
    step = np.arange(edge.size) - np.repeat(np.cumsum(steps) - steps, steps)
    share = (step / steps[edge])[:, None]
    points = (1.0 - share) * start[edge] + share * end[edge]
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    return _Coast(cKDTree(points), np.concatenate(polygons)[edge])


def _land_at(lat_deg: FloatArray, lon_deg: FloatArray) -> IntArray:
    """Return the polygon that holds each place, -1 at sea; on a border the first of the two."""
    tree = _land().tree
    place, polygon = tree.query(shapely.points(lon_deg, lat_deg))
    # Asking the prepared polygons is 20 times faster than the tree's own predicate.
    is_inside = shapely.intersects_xy(tree.geometries[polygon], lon_deg[place], lat_deg[place])
    first = np.full(lat_deg.size, len(tree.geometries))
    np.minimum.at(first, place[is_inside], polygon[is_inside])
    return np.where(first < len(tree.geometries), first, -1)


def _nearest_land(lat_deg: FloatArray, lon_deg: FloatArray) -> IntArray:
    """Return the polygon whose coast is nearest to each place, -1 beyond NEAR_LAND_M."""
    coast = _coast()
    chord, point = coast.tree.query(_unit(lon_deg, lat_deg))
    is_near = 2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)) * EARTH_MEAN_RADIUS_M <= NEAR_LAND_M
    return np.where(is_near, coast.polygon[point], -1)


def _unit(lon_deg: FloatArray, lat_deg: FloatArray) -> FloatArray:
    lon, lat = np.radians(lon_deg), np.radians(lat_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def check_country_codes(codes: Iterable[str], where: str = "") -> None:
    """Refuse what is no ISO 3166-1 alpha-2 code of a country in the boundaries or the gazetteer.

    `where` begins the error's text.
    """
    for code in codes:
        if code not in _known_codes():
            wanted = _MEANT.get(code.upper(), code.upper())
            near = difflib.get_close_matches(wanted, sorted(_known_codes()), n=1, cutoff=0.5)
            is_code = len(code) <= 3  # of a name in full any two letters would do
            hint = f'; did you mean "{near[0]}"?' if near and is_code else ""
            raise InputError(
                f'{where}country "{code[:40]}" is unknown: expected two capital letters of ISO '
                f'3166-1, such as "DE"{hint}'
            )


@cache
def _known_codes() -> frozenset[str]:
    known = {*boundaries().code.tolist(), *all_cities().country.tolist()}
    return frozenset(known - {""})
