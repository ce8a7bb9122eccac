"""Look angles: where each satellite stands in each ground site's sky.

All angles are geometric: refraction would add 0.09 deg at 10 deg elevation and 0.04 deg at 25 deg
(Bennett 1982).  A satellite at NaN, whose propagation failed, yields NaN.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.kernels import kernel

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.signedinteger[Any]]


class LookAngles(NamedTuple):
    """The three arrays have one shape: (S, N) for all pairs, (P,) for listed pairs."""

    elevation_deg: FloatArray  # above the plane normal to the WGS 84 ellipsoid, -90 to 90
    azimuth_deg: FloatArray  # 0 = north, 90 = east, below 360; any value at the very zenith
    range_m: FloatArray  # straight-line distance


def look_angles(site_itrf_m: FloatArray, up_itrf: FloatArray, sat_itrf_m: FloatArray) -> LookAngles:
    """Return angles and slant range from every site to every satellite at one instant.

    `site_itrf_m` (S, 3) and `sat_itrf_m` (N, 3) are positions; `up_itrf` (S, 3) holds the
    unit ellipsoid normals at the sites, as `frames.geodetic_to_itrf` returns them.
    Follows the geocentric/topocentric conversion, EPSG method 9837 (IOGP 373-7-2, 4.1.3).
    """
    check_positions(site_itrf_m, up_itrf, sat_itrf_m)
    axes = np.stack([*_east_and_north(up_itrf), up_itrf], axis=1)  # (S, 3, 3)
    line_enu_m = np.einsum("sck,snk->csn", axes, sat_itrf_m - site_itrf_m[:, None, :])
    east_m, north_m, up_m = line_enu_m
    across_m = np.hypot(east_m, north_m)
    azimuth_deg = np.degrees(np.arctan2(east_m, north_m))
    azimuth_deg = np.where(azimuth_deg < 0.0, azimuth_deg + 360.0, azimuth_deg)
    return LookAngles(
        # arctan2 stays exact at the zenith, where arcsin(up / range) loses half its digits.
        np.degrees(np.arctan2(up_m, across_m)),
        np.where(azimuth_deg >= 360.0, 0.0, azimuth_deg),  # the sum rounds up just west of north
        np.hypot(up_m, across_m),
    )


def pair_angles(
    site_itrf_m: FloatArray,
    up_itrf: FloatArray,
    sat_itrf_m: FloatArray,
    site_rows: RowArray,
    sat_rows: RowArray,
) -> LookAngles:
    """Return what `look_angles` returns, for the P pairs (site_rows[p], sat_rows[p]) only."""
    check_positions(site_itrf_m, up_itrf, sat_itrf_m)
    site, sat = checked_pairs(site_rows, sat_rows, len(site_itrf_m), len(sat_itrf_m))
    elevation_deg, azimuth_deg, range_m = np.empty((3, site.size))
    axes = np.stack([*_east_and_north(up_itrf), up_itrf], axis=1)
    positions_m = np.ascontiguousarray(site_itrf_m), np.ascontiguousarray(sat_itrf_m)
    _pair_angles(axes, *positions_m, site, sat, elevation_deg, azimuth_deg, range_m)
    return LookAngles(elevation_deg, azimuth_deg, range_m)


def check_positions(site_itrf_m: FloatArray, up_itrf: FloatArray, sat_itrf_m: FloatArray) -> None:
    """Refuse what is not sites (S, 3), their normals (S, 3) and one instant's satellites (N, 3)."""
    if sat_itrf_m.ndim != 2 or sat_itrf_m.shape[1] != 3:
        raise InputError(f"sat_itrf_m has shape {sat_itrf_m.shape}; pass one instant, shape (N, 3)")
    if site_itrf_m.ndim != 2 or site_itrf_m.shape[1] != 3 or up_itrf.shape != site_itrf_m.shape:
        raise InputError(
            f"site_itrf_m has shape {site_itrf_m.shape} and up_itrf {up_itrf.shape}; "
            "pass (S, 3) for both, as geodetic_to_itrf returns them"
        )


def checked_pairs(
    site_rows: RowArray, sat_rows: RowArray, sites: int, satellites: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return row numbers fit for a kernel, which would read any memory a wrong row points to."""
    if np.shape(site_rows) != np.shape(sat_rows) or np.ndim(site_rows) != 1:
        raise InputError(
            f"site_rows has shape {np.shape(site_rows)} and sat_rows {np.shape(sat_rows)}; "
            "pass one of each for every pair, shape (P,)"
        )
    for name, rows, count in (("site_rows", site_rows, sites), ("sat_rows", sat_rows, satellites)):
        if np.size(rows) and (np.min(rows) < 0 or np.max(rows) >= count):
            raise InputError(
                f"{name} runs from {np.min(rows)} to {np.max(rows)}; "
                f"expected 0 to {count - 1}: mask the pairs without a satellite first"
            )
    return np.ascontiguousarray(site_rows, np.int64), np.ascontiguousarray(sat_rows, np.int64)


def _east_and_north(up_itrf: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the unit vectors (S, 3) that complete each normal to east, north, up.

    On the axis itself, where no direction is east, that of longitude 0 is taken.
    """
    x, y = up_itrf[:, 0], up_itrf[:, 1]
    on_axis = (x == 0.0) & (y == 0.0)
    length = np.where(on_axis, 1.0, np.hypot(x, y))
    east = np.stack([-y / length, np.where(on_axis, 1.0, x / length), np.zeros(len(x))], axis=1)
    return east, np.cross(up_itrf, east)


@kernel()
def _pair_angles(
    axes: FloatArray,  # (S, 3, 3): east, north, up
    site_m: FloatArray,
    sat_m: FloatArray,
    site_rows: NDArray[np.int64],
    sat_rows: NDArray[np.int64],
    elevation_deg: FloatArray,  # out, (P,)
    azimuth_deg: FloatArray,  # out, (P,)
    range_m: FloatArray,  # out, (P,)
) -> None:
    for p in range(site_rows.size):
        s, n = site_rows[p], sat_rows[p]
        x = sat_m[n, 0] - site_m[s, 0]
        y = sat_m[n, 1] - site_m[s, 1]
        z = sat_m[n, 2] - site_m[s, 2]
        east = axes[s, 0, 0] * x + axes[s, 0, 1] * y  # east has no z component
        north = axes[s, 1, 0] * x + axes[s, 1, 1] * y + axes[s, 1, 2] * z
        up = axes[s, 2, 0] * x + axes[s, 2, 1] * y + axes[s, 2, 2] * z
        across = math.sqrt(east * east + north * north)
        azimuth = math.degrees(math.atan2(east, north))
        if azimuth < 0.0:
            azimuth += 360.0
        azimuth_deg[p] = 0.0 if azimuth >= 360.0 else azimuth
        elevation_deg[p] = math.degrees(math.atan2(up, across))
        range_m[p] = math.sqrt(up * up + across * across)
