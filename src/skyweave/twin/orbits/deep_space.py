"""SGP4 for deep-space satellites (periods of 225 minutes and more), by the `sgp4` library."""

import numpy as np
from numpy.typing import NDArray
from sgp4.api import WGS72, Satrec

from skyweave.twin.orbits.records import Sgp4Records

FloatArray = NDArray[np.float64]

_NS_PER_DAY = 86_400_000_000_000
_JULIAN_DAY_OF_1970 = 2440587.5
_JULIAN_DAY_OF_SGP4 = 2433281.5  # 1949-12-31


def deep_space_teme(
    records: Sgp4Records, utc: NDArray[np.datetime64]
) -> tuple[FloatArray, FloatArray, NDArray[np.uint8]]:
    """Return positions (T, N, 3) in m, velocities in m/s and SGP4's error codes (T, N), in TEME.

    A failed pair is NaN.  One satellite at a time: the library keeps the resonances' integrator
    inside the satellite, and a fresh one makes the answer independent of earlier calls.
    """
    shape = (utc.size, len(records))
    position, speed = np.empty((*shape, 3)), np.empty((*shape, 3))
    error = np.empty(shape, dtype=np.uint8)
    for row in range(len(records)):
        satellite = _satellite(records, row)
        days = (utc - records.epoch_utc[row]).astype(np.int64) / _NS_PER_DAY
        code, position_km, speed_km_s = satellite.sgp4_array(np.zeros(utc.size), days)
        position[:, row] = position_km * 1e3
        speed[:, row] = speed_km_s * 1e3
        error[:, row] = code
    # The library still gives the place of a decayed satellite (code 6).
    position[error != 0] = speed[error != 0] = np.nan
    return position, speed, error


def _satellite(r: Sgp4Records, row: int) -> Satrec:
    """Return the library's satellite, its own epoch set to zero so that it is asked in days."""
    day, rest_ns = divmod(int(r.epoch_utc[row].astype(np.int64)), _NS_PER_DAY)
    # One float64 holds the epoch to 40 us only; the published code rounds it so for Sun and Moon,
    # and at apogees of 5e5 km that moves satellites by millimetres.
    julian_day = (_JULIAN_DAY_OF_1970 + day) + rest_ns / _NS_PER_DAY
    satellite = Satrec()
    satellite.sgp4init(
        WGS72,
        "i",
        0,  # catalogue number, unused
        julian_day - _JULIAN_DAY_OF_SGP4,
        float(r.bstar[row]),
        0.0,  # first and second derivatives of the mean motion, unused
        0.0,
        float(r.ecco[row]),
        float(r.argpo[row]),
        float(r.inclo[row]),
        float(r.mo[row]),
        float(r.no_kozai[row]),
        float(r.nodeo[row]),
    )
    satellite.jdsatepoch = satellite.jdsatepochF = 0.0
    return satellite
