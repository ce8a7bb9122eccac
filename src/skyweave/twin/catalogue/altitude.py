"""Mean altitude and the mean motion that belongs to it, as SGP4 relates the two.

Published mean motions follow Kozai; SGP4 first turns them into Brouwer's, which by Kepler's third
law give the mean semi-major axis (Hoots and Roehrich, Spacetrack Report No. 3, section 6).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import (
    WGS72_J2,
    WGS72_MU_KM3_S2,
    WGS72_RADIUS_KM,
    WGS84_A_M,
)
from skyweave.twin.catalogue.elements import Catalogue

FloatArray = NDArray[np.float64]

_RAD_MIN_PER_REV_DAY = 2.0 * np.pi / 1440.0
_KE = 60.0 * np.sqrt(WGS72_MU_KM3_S2 / WGS72_RADIUS_KM**3)  # rad/min at one Earth radius


def mean_semi_major_axis_m(catalogue: Catalogue) -> FloatArray:
    """Return each orbit's mean semi-major axis, shape (N,)."""
    kozai_rad_min = catalogue.mean_motion_rev_day * _RAD_MIN_PER_REV_DAY
    oblateness = _oblateness(catalogue.inclination_deg, catalogue.eccentricity)
    brouwer_rad_min = kozai_rad_min / (1.0 + _kozai_excess(kozai_rad_min, oblateness))
    return np.asarray((_KE / brouwer_rad_min) ** (2.0 / 3.0) * (WGS72_RADIUS_KM * 1e3))


def mean_altitude_m(catalogue: Catalogue) -> FloatArray:
    """Return each orbit's mean height above the equatorial radius of WGS 84, shape (N,)."""
    return mean_semi_major_axis_m(catalogue) - WGS84_A_M


def mean_motion_rev_day(
    altitude_m: float, inclination_deg: float, eccentricity: float = 0.0
) -> float:
    """Return the Kozai mean motion to publish for an orbit of a given mean altitude."""
    brouwer_rad_min = _KE * (WGS72_RADIUS_KM * 1e3 / (altitude_m + WGS84_A_M)) ** 1.5
    oblateness = _oblateness(inclination_deg, eccentricity)
    kozai_rad_min = brouwer_rad_min
    for _ in range(6):  # each round gains three digits: the excess is below 1e-3
        kozai_rad_min = brouwer_rad_min * (1.0 + _kozai_excess(kozai_rad_min, oblateness))
    return float(kozai_rad_min / _RAD_MIN_PER_REV_DAY)


def _oblateness(inclination_deg: Any, eccentricity: Any) -> Any:
    cos_squared = np.cos(np.radians(inclination_deg)) ** 2
    return 0.75 * WGS72_J2 * (3.0 * cos_squared - 1.0) / (1.0 - np.square(eccentricity)) ** 1.5


def _kozai_excess(kozai_rad_min: Any, oblateness: Any) -> Any:
    """Return by what fraction the Kozai mean motion exceeds Brouwer's."""
    radii = (_KE / kozai_rad_min) ** (2.0 / 3.0)
    first = oblateness / radii**2
    radii = radii * (1.0 - first**2 - first * (1.0 / 3.0 + 134.0 * first**2 / 81.0))
    return oblateness / radii**2
