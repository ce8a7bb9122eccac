"""What a site cannot use of its sky: outside its field of view, behind obstructions, near the GSO.

Pairs of a site and a satellite are judged by where the satellite stands: azimuth from north over
east and geometric elevation, as `pair_angles` returns them.  A direction that is NaN is neither in
view nor obstructed.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.constants import GEO_RADIUS_M
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf, itrf_to_enu_matrix
from skyweave.kernels import kernel
from skyweave.twin.geometry.gso import gso_separation_deg
from skyweave.twin.geometry.look import FloatArray, RowArray, look_angles
from skyweave.twin.terminals.obstruction import Obstruction

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

# A satellite at the very edge of the cone counts as inside, whatever the rounding: 0.1 mm at 6,000
# km, and far above the 1e-13 deg that angles are rounded to.
_EDGE_DEG = 1e-9
_NO_CONE = 2.0  # no squared sine reaches it

_BINS = 360  # one for each degree of azimuth
_ARC_POINTS = 181


def in_field_of_view(
    boresight_azimuth_deg: ArrayLike,
    boresight_elevation_deg: ArrayLike,
    fov_deg: ArrayLike,
    site_rows: RowArray,
    azimuth_deg: FloatArray,
    elevation_deg: FloatArray,
) -> BoolArray:
    """Return which of P directions lie in their site's cone, shape (P,).

    Boresights and full widths `fov_deg` of the cones have shape (S,).  A direction belongs to the
    cone up to and with an angle of half its width from the boresight.  Where `fov_deg` is NaN the
    site has no cone and any direction is in view.
    """
    cones = _cones(boresight_azimuth_deg, boresight_elevation_deg, fov_deg)
    rows, azimuth, elevation = _checked(site_rows, azimuth_deg, elevation_deg, len(cones))
    inside = np.empty(rows.size, dtype=np.bool_)
    _in_cone(cones, rows, azimuth, elevation, inside)
    return inside


def _cones(
    boresight_azimuth_deg: ArrayLike, boresight_elevation_deg: ArrayLike, fov_deg: ArrayLike
) -> FloatArray:
    """Return (S, 4): boresight azimuth and elevation, cosine of that, squared sine of the limit."""
    columns = (boresight_azimuth_deg, boresight_elevation_deg, fov_deg)
    azimuth, elevation, fov = (np.asarray(column, dtype=np.float64) for column in columns)
    if not (azimuth.ndim == 1 and azimuth.shape == elevation.shape == fov.shape):
        raise InputError(
            f"boresights have shapes {azimuth.shape} and {elevation.shape}, fov_deg {fov.shape}; "
            "pass one of each for every site, shape (S,)"
        )
    cone = ~np.isnan(fov)
    wrong = cone & ~((fov >= 0.0) & (fov <= 360.0))
    if wrong.any():
        raise InputError(f"fov_deg = {fov[wrong][0]:g}; expected 0 to 360 degrees, or NaN for none")
    wrong = cone & ~(np.isfinite(azimuth) & (np.abs(elevation) <= 90.0))
    if wrong.any():
        raise InputError(
            f"boresight at azimuth {azimuth[wrong][0]:g}, elevation {elevation[wrong][0]:g}; "
            "expected degrees, the elevation within -90..90"
        )
    half_deg = np.where(cone, fov / 2.0, 180.0)
    limit = np.sin(np.radians(half_deg + _EDGE_DEG) / 2.0) ** 2
    return np.stack(
        [
            np.where(cone, azimuth, 0.0),
            np.where(cone, elevation, 0.0),
            np.cos(np.radians(np.where(cone, elevation, 0.0))),
            np.where(half_deg >= 180.0, _NO_CONE, limit),
        ],
        axis=1,
    )


@kernel()
def _in_cone(
    cones: FloatArray,
    site_rows: IntArray,
    azimuth_deg: FloatArray,
    elevation_deg: FloatArray,
    inside: BoolArray,  # out, (P,)
) -> None:
    for p in range(site_rows.size):
        cone = cones[site_rows[p]]
        if cone[3] == _NO_CONE:
            inside[p] = azimuth_deg[p] - azimuth_deg[p] + elevation_deg[p] - elevation_deg[p] == 0.0
            continue
        # Half the angle by haversines: exact for narrow cones, where a cosine is not.
        up = math.sin(math.radians(elevation_deg[p] - cone[1]) * 0.5)
        along = math.sin(math.radians(azimuth_deg[p] - cone[0]) * 0.5)
        level = math.cos(math.radians(elevation_deg[p])) * cone[2]
        inside[p] = up * up + level * along * along <= cone[3]


@dataclass(frozen=True, eq=False)
class PackedObstructions:
    """The obstructions of S sites in one piece for `is_obstructed`; U of them are different.

    The edges of each are listed by the degree of azimuth they pass, outline by outline: those of
    obstruction u over azimuth b..b + 1 are rows `bin_start[360 u + b]:bin_start[360 u + b + 1]`.
    """

    sky: NDArray[np.int32]  # (S,): number of the site's obstruction, -1 where there is none
    bin_start: IntArray  # (360 U + 1,)
    edges: FloatArray  # (X, 4): azimuth from and to, elevation from and to
    edge_outline: NDArray[np.int32]  # (X,)
    zenith_inside: BoolArray  # of each outline
    map_start: IntArray  # (U + 1,): where each one's pixels begin
    map_rows: IntArray  # (U,): 0 where there is no map
    map_deg: FloatArray  # (U, 2): zenith angle of one pixel, and up to which the map tells
    map_blocked: BoolArray  # pixels of all maps, row by row

    def __len__(self) -> int:
        """Return the number of sites."""
        return int(self.sky.size)


def pack(obstructions: Mapping[int, Obstruction], sites: int) -> PackedObstructions:
    """Return the obstructions, by row of their site, ready for `is_obstructed` at every instant.

    An obstruction that many sites share is kept once.
    """
    wrong = [row for row in obstructions if not 0 <= row < sites]
    if wrong:
        raise InputError(f"obstruction of site row {wrong[0]}; expected 0 to {sites - 1}")
    different = list(dict.fromkeys(obstructions.values()))
    number = {obstruction: u for u, obstruction in enumerate(different)}
    sky = np.full(sites, -1, dtype=np.int32)
    for row, obstruction in obstructions.items():
        sky[row] = number[obstruction]
    outlines = np.cumsum([0, *(o.zenith_inside.size for o in different)])
    listed = [_edges_by_bin(o, int(outlines[u])) for u, o in enumerate(different)]
    counts = np.concatenate([np.zeros(1, np.int64), *(bins for bins, _, _ in listed)])
    maps = [o.dish_map for o in different]
    return PackedObstructions(
        sky=sky,
        bin_start=np.cumsum(counts),
        edges=np.concatenate([np.zeros((0, 4)), *(edges for _, edges, _ in listed)]),
        edge_outline=np.concatenate([np.zeros(0, np.int32), *(number for _, _, number in listed)]),
        zenith_inside=np.concatenate(
            [np.zeros(0, np.bool_), *(o.zenith_inside for o in different)]
        ),
        map_start=np.cumsum([0, *(m.blocked.size if m else 0 for m in maps)], dtype=np.int64),
        map_rows=np.array([len(m.blocked) if m else 0 for m in maps], dtype=np.int64),
        map_deg=np.array(
            [(m.deg_per_pixel, m.limit_theta_deg) if m else (1.0, 0.0) for m in maps]
        ).reshape(-1, 2),
        map_blocked=np.concatenate(
            [np.zeros(0, np.bool_), *(m.blocked.ravel() for m in maps if m)]
        ),
    )


def _edges_by_bin(
    obstruction: Obstruction, first_outline: int
) -> tuple[IntArray, FloatArray, NDArray[np.int32]]:
    """Return the number of edges in each degree (360,), those edges (X, 4), and their outlines."""
    edges = np.hstack([obstruction.edge_azimuth_deg, obstruction.edge_elevation_deg])
    sizes = np.diff(obstruction.outline_start)
    outline = np.repeat(np.arange(first_outline, first_outline + sizes.size), sizes)
    west = edges[:, 0].astype(np.int64)
    east = np.minimum(edges[:, 1].astype(np.int64), _BINS - 1)
    passes = east - west + 1
    row = np.repeat(np.arange(len(edges)), passes)
    within = np.arange(row.size) - np.repeat(np.cumsum(passes) - passes, passes)
    degree = west[row] + within
    order = np.argsort(degree, kind="stable")  # so that each outline's edges stay together
    row = row[order]
    counts = np.bincount(degree, minlength=_BINS).astype(np.int64)
    return counts, edges[row], outline[row].astype(np.int32)


def is_obstructed(
    packed: PackedObstructions,
    site_rows: RowArray,
    azimuth_deg: FloatArray,
    elevation_deg: FloatArray,
) -> BoolArray:
    """Return which of P directions an obstruction of their site blocks, shape (P,)."""
    rows, azimuth, elevation = _checked(site_rows, azimuth_deg, elevation_deg, len(packed))
    blocked = np.zeros(rows.size, dtype=np.bool_)
    if packed.map_rows.size:
        _blocked(
            packed.sky, packed.bin_start, packed.edges, packed.edge_outline, packed.zenith_inside,
            packed.map_start, packed.map_rows, packed.map_deg, packed.map_blocked,
            rows, azimuth, elevation, blocked,
        )  # fmt: skip
    return blocked


def _checked(
    site_rows: RowArray, azimuth_deg: FloatArray, elevation_deg: FloatArray, sites: int
) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return pairs fit for a kernel, which would read any memory a wrong row points to."""
    shapes = np.shape(site_rows), np.shape(azimuth_deg), np.shape(elevation_deg)
    if len(set(shapes)) > 1 or len(shapes[0]) != 1:
        raise InputError(
            f"site_rows has shape {shapes[0]}, azimuth_deg {shapes[1]}, elevation_deg {shapes[2]}; "
            "pass one of each for every pair, shape (P,)"
        )
    if np.size(site_rows) and (np.min(site_rows) < 0 or np.max(site_rows) >= sites):
        raise InputError(
            f"site_rows runs from {np.min(site_rows)} to {np.max(site_rows)}; "
            f"expected 0 to {sites - 1}"
        )
    return (
        np.ascontiguousarray(site_rows, np.int64),
        np.ascontiguousarray(azimuth_deg, np.float64),
        np.ascontiguousarray(elevation_deg, np.float64),
    )


@kernel()
def _blocked(
    sky: NDArray[np.int32],
    bin_start: IntArray,
    edges: FloatArray,
    edge_outline: NDArray[np.int32],
    zenith_inside: BoolArray,
    map_start: IntArray,
    map_rows: IntArray,
    map_deg: FloatArray,
    map_blocked: BoolArray,
    site_rows: IntArray,
    azimuth_deg: FloatArray,
    elevation_deg: FloatArray,
    blocked: BoolArray,  # out, (P,), all False
) -> None:
    for p in range(site_rows.size):
        u = sky[site_rows[p]]
        if u < 0:
            continue
        azimuth, elevation = azimuth_deg[p], elevation_deg[p]
        if not (abs(azimuth) < np.inf and abs(elevation) < np.inf):
            continue
        azimuth -= 360.0 * math.floor(azimuth / 360.0)
        if not 0.0 <= azimuth < 360.0:  # rounding, just west of north
            azimuth = 0.0
        degree = _BINS * u + int(azimuth)
        inside, outline = False, np.int32(-1)
        for k in range(bin_start[degree], bin_start[degree + 1]):
            if edge_outline[k] != outline:
                if inside:
                    break
                outline = edge_outline[k]
                inside = zenith_inside[outline]
            west, east = edges[k, 0], edges[k, 1]
            if west <= azimuth < east:
                share = (azimuth - west) / (east - west)
                if edges[k, 2] + share * (edges[k, 3] - edges[k, 2]) > elevation:
                    inside = not inside
        theta = 90.0 - elevation
        if not inside and map_rows[u] > 0 and 0.0 <= theta <= map_deg[u, 1]:
            rows = map_rows[u]
            away, turn = theta / map_deg[u, 0], math.radians(azimuth)
            row = min(max(math.floor(0.5 * rows - away * math.cos(turn)), 0), rows - 1)
            column = min(max(math.floor(0.5 * rows + away * math.sin(turn)), 0), rows - 1)
            inside = map_blocked[map_start[u] + row * rows + column]
        blocked[p] = inside


class SkyCode(IntEnum):
    """What rules a direction out, the first that applies."""

    CLEAR = 0
    BELOW_MIN_ELEVATION = 1
    GSO_ARC = 2
    OUT_OF_FIELD_OF_VIEW = 3
    OBSTRUCTED = 4


class SkyCodes(NamedTuple):
    """The sky of one site on a grid of whole degrees."""

    azimuth_deg: FloatArray  # (A,): 0 to 359
    elevation_deg: FloatArray  # (E,): 0 to 90
    code: NDArray[np.uint8]  # (A, E), values of SkyCode


def sky_codes(
    min_elevation_deg: float,
    gso_separation_limit_deg: float,
    lat_deg: float,
    boresight_azimuth_deg: float,
    boresight_elevation_deg: float,
    fov_deg: float,
    obstruction: Obstruction | None = None,
    *,
    height_wgs84_m: float = 0.0,
) -> SkyCodes:
    """Return what rules out each whole degree of a site's sky, for drawing.

    The limits are those of a scenario: 0 deg of separation means the arc may be used, a NaN
    `fov_deg` that there is no cone.  The arc looks the same from all longitudes.
    """
    azimuth_deg, elevation_deg = np.arange(360.0), np.arange(91.0)
    azimuth, elevation = (
        grid.ravel() for grid in np.meshgrid(azimuth_deg, elevation_deg, indexing="ij")
    )
    row = np.zeros(azimuth.size, dtype=np.int64)
    one = (np.array([x]) for x in (boresight_azimuth_deg, boresight_elevation_deg, fov_deg))
    boresight_azimuth, boresight_elevation, fov = one
    packed = pack({} if obstruction is None else {0: obstruction}, 1)
    # From the last that counts to the first, each writing over those before.
    code = np.zeros(azimuth.size, dtype=np.uint8)
    code[is_obstructed(packed, row, azimuth, elevation)] = SkyCode.OBSTRUCTED
    code[
        ~in_field_of_view(boresight_azimuth, boresight_elevation, fov, row, azimuth, elevation)
    ] = SkyCode.OUT_OF_FIELD_OF_VIEW
    if gso_separation_limit_deg > 0.0:
        separation_deg = _separation_of_directions(lat_deg, height_wgs84_m, azimuth, elevation)
        code[separation_deg < gso_separation_limit_deg] = SkyCode.GSO_ARC
    code[elevation < min_elevation_deg] = SkyCode.BELOW_MIN_ELEVATION
    return SkyCodes(azimuth_deg, elevation_deg, code.reshape(azimuth_deg.size, elevation_deg.size))


def _separation_of_directions(
    lat_deg: float, height_wgs84_m: float, azimuth_deg: FloatArray, elevation_deg: FloatArray
) -> FloatArray:
    """Return the separation of directions (P,) from the arc as the site sees both."""
    site_itrf_m, up_itrf = geodetic_to_itrf([lat_deg], [0.0], [height_wgs84_m])
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    level = np.cos(elevation)
    line_enu = np.stack([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)], -1)
    far_m = 1e6  # any distance does, as only the direction counts
    there_m = site_itrf_m + far_m * line_enu @ itrf_to_enu_matrix(lat_deg, 0.0)
    row = np.zeros(azimuth.size, dtype=np.int64)
    return gso_separation_deg(site_itrf_m, up_itrf, there_m, row, np.arange(azimuth.size))


def gso_arc(lat_deg: float, lon_deg: float, height_wgs84_m: float) -> tuple[FloatArray, FloatArray]:
    """Return azimuth and elevation along the geostationary arc above the horizon, east to west.

    Points are evenly spread in longitude, the first and the last on the horizon.  Poleward of
    81.3 deg, where the arc does not rise, both arrays are empty.
    """
    site_itrf_m, up_itrf = geodetic_to_itrf([lat_deg], [lon_deg], [height_wgs84_m])
    across = math.hypot(up_itrf[0, 0], up_itrf[0, 1])
    up_m = float(site_itrf_m[0] @ up_itrf[0])
    if up_m >= across * GEO_RADIUS_M:
        return np.zeros(0), np.zeros(0)
    end_rad = math.acos(up_m / (across * GEO_RADIUS_M))
    lon = math.radians(lon_deg) + end_rad * np.linspace(1.0, -1.0, _ARC_POINTS)
    arc_m = GEO_RADIUS_M * np.stack([np.cos(lon), np.sin(lon), np.zeros(lon.size)], axis=1)
    look = look_angles(site_itrf_m, up_itrf, arc_m)
    return look.azimuth_deg[0], look.elevation_deg[0]
