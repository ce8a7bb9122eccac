"""Where the Sun stands, and which satellites it shines on."""

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS84_A_M
from skyweave.frames import EarthOrientation, teme_to_itrf_matrix
from skyweave.time import TimeArray

FloatArray = NDArray[np.float64]

ASTRONOMICAL_UNIT_M = 149_597_870_700.0  # exact, IAU 2012 resolution B2

_J2000_UTC = np.datetime64("2000-01-01T12:00:00", "ns")


def sun_itrf_m(utc: TimeArray, orientation: EarthOrientation) -> FloatArray:
    """Return the Sun's apparent position at T instants, shape (T, 3).

    The low-precision formulas of the Astronomical Almanac, page C5: 0.01 deg between 1950 and
    2050; 0.0099 deg at most from JPL's DE421 in 2026.  They count from the mean equinox of date,
    which TEME shares but for nutation.  UTC stands for the almanac's Terrestrial Time: a minute
    of the Sun's own motion is 0.0007 deg.
    """
    days = (np.asarray(utc, dtype="datetime64[ns]") - _J2000_UTC).astype(np.int64) / 86_400e9
    anomaly = np.radians(357.528 + 0.9856003 * days)
    longitude = np.radians(
        280.460 + 0.9856474 * days + 1.915 * np.sin(anomaly) + 0.020 * np.sin(2.0 * anomaly)
    )
    obliquity = np.radians(23.439 - 0.0000004 * days)
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2.0 * anomaly)
    sun_teme = np.stack(
        [
            np.cos(longitude),
            np.cos(obliquity) * np.sin(longitude),
            np.sin(obliquity) * np.sin(longitude),
        ],
        axis=-1,
    )
    turned = np.einsum("tij,tj->ti", teme_to_itrf_matrix(utc, orientation), sun_teme)
    sun_m: FloatArray = turned * (distance * ASTRONOMICAL_UNIT_M)[:, None]
    return sun_m


def is_sunlit(sat_itrf_m: FloatArray, sun_itrf_m: FloatArray) -> NDArray[np.bool_]:
    """Return which of N satellites (N, 3) see the middle of the Sun at (3,), at one instant.

    The Earth is a sphere of its equatorial radius without an atmosphere, the definition of
    skyfield's `is_sunlit`.  A satellite at NaN is not sunlit, nor is one inside that sphere.
    """
    to_sun = sun_itrf_m - sat_itrf_m
    to_sun /= np.sqrt(np.einsum("nk,nk->n", to_sun, to_sun))[:, None]
    along_m = np.einsum("nk,nk->n", sat_itrf_m, to_sun)  # below 0: the Earth's middle lies ahead
    distance2 = np.einsum("nk,nk->n", sat_itrf_m, sat_itrf_m)
    clear_of_line = distance2 - along_m**2 >= WGS84_A_M**2
    sunlit: NDArray[np.bool_] = clear_of_line | ((along_m >= 0.0) & (distance2 >= WGS84_A_M**2))
    return sunlit
