"""How far each satellite stands from the geostationary arc, as its ground site sees both.

Links near the arc would disturb geostationary satellites, so operators switch off what comes within
12 to 22 deg of it.  The arc is taken as the site really sees it: at 45 deg latitude parallax shifts
it by 7 deg from where it would stand among the stars.
"""

import math

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import GEO_RADIUS_M
from skyweave.kernels import kernel
from skyweave.twin.geometry.look import FloatArray, RowArray, check_positions, checked_pairs

# The visible arc, at most 163 deg long, is scanned at this many points; each nearest one among
# them is then refined to rounding.  Nine points already find every one in the tests.
_ARC_POINTS = 17


def gso_separation_deg(
    site_itrf_m: FloatArray,
    up_itrf: FloatArray,
    sat_itrf_m: FloatArray,
    site_rows: RowArray,
    sat_rows: RowArray,
) -> FloatArray:
    """Return the angle from satellite sat_rows[p] to the geostationary arc at site site_rows[p].

    Positions are those of one instant: `site_itrf_m` and `up_itrf` (S, 3), `sat_itrf_m` (N, 3).
    The answer has shape (P,).  Only the part of the arc above the site's horizon counts; where
    there is none, poleward of 81.3 deg, the answer is +inf.  NaN positions yield NaN.
    """
    check_positions(site_itrf_m, up_itrf, sat_itrf_m)
    site, sat = checked_pairs(site_rows, sat_rows, len(site_itrf_m), len(sat_itrf_m))
    meridian = _meridian_axes(up_itrf)
    site_radii = np.einsum("sck,sk->sc", meridian, site_itrf_m / GEO_RADIUS_M)
    arc, directions = _visible_arc(site_radii, _cosine_of_end(meridian, site_radii, up_itrf))
    separation_deg = np.empty(site.size)
    _separation(
        meridian,
        site_radii,
        arc,
        directions,
        np.ascontiguousarray(site_itrf_m),
        np.ascontiguousarray(sat_itrf_m),
        site,
        sat,
        separation_deg,
    )
    return separation_deg


def _meridian_axes(up_itrf: FloatArray) -> FloatArray:
    """Return (S, 3, 3): towards each site's meridian on the equator, a quarter turn east, north."""
    x, y = up_itrf[:, 0], up_itrf[:, 1]
    on_axis = (x == 0.0) & (y == 0.0)
    length = np.where(on_axis, 1.0, np.hypot(x, y))
    cos_lon, sin_lon = np.where(on_axis, 1.0, x / length), y / length
    nothing = np.zeros(len(x))
    rows = [
        [cos_lon, sin_lon, nothing],
        [-sin_lon, cos_lon, nothing],
        [nothing, nothing, np.ones(len(x))],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _cosine_of_end(meridian: FloatArray, site_radii: FloatArray, up_itrf: FloatArray) -> FloatArray:
    """Return the cosine of the longitude from each meridian at which the arc sets (S,).

    It exceeds 1 where the arc never rises and is inf at the poles, where all of it is below.
    """
    up_axis = np.einsum("sk,sk->s", meridian[:, 0], up_itrf)  # cosine of the latitude
    up_site = np.einsum("sc,sck,sk->s", site_radii, meridian, up_itrf)
    cosine = np.full(len(up_axis), np.inf)
    np.divide(up_site, up_axis, out=cosine, where=up_axis != 0.0)
    return cosine


def _visible_arc(
    site_radii: FloatArray, cosine_of_end: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return points (S, 2, K) spread over each visible arc and the directions to them (S, 3, K).

    Points lie on the unit circle in the site's meridian axes.  NaN where the site sees no arc.
    """
    end_rad = np.arccos(np.where(cosine_of_end < 1.0, np.maximum(cosine_of_end, -1.0), np.nan))
    along_rad = end_rad[:, None] * np.linspace(-1.0, 1.0, _ARC_POINTS)
    arc = np.stack([np.cos(along_rad), np.sin(along_rad)], axis=1)
    line = np.empty((len(arc), 3, _ARC_POINTS))
    line[:, :2] = arc - site_radii[:, :2, None]
    line[:, 2] = -site_radii[:, 2, None]
    return arc, line / np.sqrt(np.einsum("sck,sck->sk", line, line))[:, None, :]


@kernel()
def _separation(
    meridian: FloatArray,
    site_radii: FloatArray,
    arc: FloatArray,
    directions: FloatArray,
    site_m: FloatArray,
    sat_m: FloatArray,
    site_rows: NDArray[np.int64],
    sat_rows: NDArray[np.int64],
    separation_deg: FloatArray,  # out, (P,)
) -> None:
    last = arc.shape[2] - 1
    cosine = np.empty(last + 1)
    for p in range(site_rows.size):
        i, n = site_rows[p], sat_rows[p]
        x = sat_m[n, 0] - site_m[i, 0]
        y = sat_m[n, 1] - site_m[i, 1]
        z = sat_m[n, 2] - site_m[i, 2]
        distance = math.sqrt(x * x + y * y + z * z)
        if not distance > 0.0:  # NaN, or a satellite on its site
            separation_deg[p] = np.nan
            continue
        if math.isnan(arc[i, 0, 0]):
            separation_deg[p] = np.inf
            continue
        s0 = (meridian[i, 0, 0] * x + meridian[i, 0, 1] * y) / distance
        s1 = (meridian[i, 1, 0] * x + meridian[i, 1, 1] * y) / distance
        s2 = z / distance
        for k in range(last + 1):
            cosine[k] = (
                s0 * directions[i, 0, k] + s1 * directions[i, 1, k] + s2 * directions[i, 2, k]
            )
        g0, g1, g2 = site_radii[i, 0], site_radii[i, 1], site_radii[i, 2]
        least_rad = math.pi
        for k in range(last + 1):
            before, after = cosine[max(k - 1, 0)], cosine[min(k + 1, last)]
            if cosine[k] < before or (k < last and cosine[k] <= after):
                continue
            c, sn = nearest_on_circle(s0, s1, s2, g0, g1, g2, arc[i, 0, k], arc[i, 1, k])
            if c < arc[i, 0, 0]:  # it has set: the end of the visible arc is the nearest
                c, sn = arc[i, 0, k], arc[i, 1, k]
            a0, a1, a2 = c - g0, sn - g1, -g2
            # arctan2 of cross and dot product is exact near the arc, where arccos is not.
            c0, c1, c2 = s1 * a2 - s2 * a1, s2 * a0 - s0 * a2, s0 * a1 - s1 * a0
            off = math.sqrt(c0 * c0 + c1 * c1 + c2 * c2)
            least_rad = min(least_rad, math.atan2(off, s0 * a0 + s1 * a1 + s2 * a2))
        separation_deg[p] = math.degrees(least_rad)


@kernel(inline=True)
def nearest_on_circle(
    s0: float, s1: float, s2: float, g0: float, g1: float, g2: float, c: float, sn: float
) -> tuple[float, float]:
    """Return the point of the unit circle whose direction from g is nearest to direction s.

    For circle point a, line a - g and q = |a - g|^2, the cosine s.(a - g) / sqrt(q) rises along
    the circle with the sign of `rise`.  Newton's method from the point (c, sn) on; it turns the
    point by rational rotations, of which half the angle is t, and so needs no sine or cosine.

    The kernels of `scheduling._cell_kernels` inline it too: after a change here, change that file
    as well (a touch will do), or Numba takes what it has on disk.
    """
    s_g = s0 * g0 + s1 * g1 + s2 * g2
    g_g = g0 * g0 + g1 * g1 + g2 * g2
    for _ in range(12):
        s_a, s_da = s0 * c + s1 * sn, s1 * c - s0 * sn
        g_a, g_da = g0 * c + g1 * sn, g1 * c - g0 * sn
        q = 1.0 + g_g - 2.0 * g_a
        rise = s_da * q + (s_a - s_g) * g_da
        bend = -s_a * q - s_da * g_da - (s_a - s_g) * g_a  # of `rise`, per radian
        t = 0.05 if rise > 0.0 else -0.05
        if abs(rise) < -0.1 * bend:
            t = -0.5 * rise / bend
        scale = 1.0 / (1.0 + t * t)
        c, sn = (c - (sn * 2.0 + c * t) * t) * scale, (sn + (c * 2.0 - sn * t) * t) * scale
        if abs(t) < 1e-4:  # the next step would be about its square, 1e-6 deg
            break
    return c, sn
