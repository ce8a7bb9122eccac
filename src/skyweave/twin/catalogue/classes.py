"""What each satellite is for service: on station, on its way, direct-to-cell, or out of use.

A satellite is on station when its mean altitude lies within 15 km of a peak of its constellation
and inclination: an altitude within 1 km of which there are at least 60 satellites.  Constellations
are told by name, so that choosing one first or last gives the same classes; direct-to-cell
satellites make no peak, since nothing that serves terminals is stationed with them.
"""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sgp4.api import WGS72, Satrec

from skyweave.constants import WGS84_A_M
from skyweave.twin.catalogue.altitude import mean_altitude_m
from skyweave.twin.catalogue.elements import Catalogue, rows_of

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SATELLITE_CLASSES = (
    "on_station",
    "raising",
    "lowering",
    "direct_to_cell",
    "decayed",
    "error",
    "other",
)
STATION_M = 15e3
PEAK_M = 1e3
PEAK_SATELLITES = 60
# OneWeb flies its 12 planes of 49 to 60 satellites 4 km above one another, so a peak of a
# constellation of under 1,000 objects needs fewer.
SMALL_PEAK_SATELLITES, SMALL_CONSTELLATION = 40, 1000
SAME_SHELL_DEG = 0.25  # a wider gap in inclination divides shells
MOVED_M = 1e3  # an altitude that changes less between two dates is held (real-fleet study)

_FIRST_LETTERS = re.compile(r"[A-Za-z]*")
_DIRECT_TO_CELL = re.compile(
    r"\[DTC\]|^STARLINK-(1[1-9]|2\d)\d{3}\b"
)  # CelesTrak's tag, or by number
_SGP4_DECAYED = 6
_RAD_MIN_PER_REV_DAY = 2.0 * np.pi / 1440.0
_DAY_ZERO = np.datetime64("1949-12-31T00:00:00", "ns")  # from which SGP4 counts its epochs


def constellations(catalogue: Catalogue) -> NDArray[np.str_]:
    """Return the letters each name begins with, "STARLINK" of "STARLINK-1008", shape (N,)."""
    found = [_FIRST_LETTERS.match(name) for name in catalogue.name.tolist()]
    return np.array([match[0].upper() if match else "" for match in found], dtype=np.str_)


def classify(catalogue: Catalogue, previous: Catalogue | None = None) -> NDArray[np.str_]:
    """Return the class of each satellite, shape (N,), one of SATELLITE_CLASSES.

    `previous` holds sets of an earlier date, at most one per object: only with it is known which
    of the satellites away from any station rise or sink.  Those of synthetic shells are where
    they were put, on station.  "error" and "decayed" are what SGP4 says at the epoch itself, or an
    orbit whose perigee lies below the Earth's equatorial radius.
    """
    altitude_m = mean_altitude_m(catalogue)
    moved_m = _moved_m(catalogue, altitude_m, previous)
    sgp4_error = _sgp4_errors(catalogue)
    perigee_m = (altitude_m + WGS84_A_M) * (1.0 - catalogue.eccentricity)
    is_dtc = is_direct_to_cell(catalogue)
    is_synthetic = catalogue.grid_shell >= 0
    decided = [  # the first that holds
        ("decayed", (sgp4_error == _SGP4_DECAYED) | (perigee_m < WGS84_A_M)),
        ("error", sgp4_error > 0),
        ("direct_to_cell", is_dtc),
        ("on_station", is_synthetic | _is_on_station(catalogue, altitude_m, ~is_dtc)),
        ("raising", moved_m >= MOVED_M),
        ("lowering", moved_m <= -MOVED_M),
    ]
    return np.select([holds for _, holds in decided], [name for name, _ in decided], "other")


def is_direct_to_cell(catalogue: Catalogue) -> BoolArray:
    """Return which satellites serve phones: tagged [DTC], or Starlinks 11000 to 29999, (N,)."""
    names = catalogue.name.tolist()
    return np.array([bool(_DIRECT_TO_CELL.search(name)) for name in names], dtype=np.bool_)


def _moved_m(
    catalogue: Catalogue, altitude_m: FloatArray, previous: Catalogue | None
) -> FloatArray:
    """Return how much higher each satellite is than it was, NaN where that is not known."""
    if previous is None:
        return np.full(len(catalogue), np.nan)
    row = rows_of(previous, catalogue.norad_id)
    before_m = np.append(mean_altitude_m(previous), np.nan)[row]  # row -1 is unknown
    return np.asarray(altitude_m - before_m)


def _is_on_station(catalogue: Catalogue, altitude_m: FloatArray, can_peak: BoolArray) -> BoolArray:
    on_station = np.zeros(len(catalogue), dtype=np.bool_)
    for rows, needed in _shells(catalogue):
        for peak_m in _peaks_m(altitude_m[rows[can_peak[rows]]], needed):
            on_station[rows] |= np.abs(altitude_m[rows] - peak_m) <= STATION_M
    return on_station


def _shells(catalogue: Catalogue) -> Iterator[tuple[IntArray, int]]:
    """Yield the rows of each constellation and inclination, and how many make a peak there."""
    names, member = np.unique(constellations(catalogue), return_inverse=True)
    for group in range(names.size):
        rows = np.flatnonzero(member == group)
        needed = SMALL_PEAK_SATELLITES if rows.size < SMALL_CONSTELLATION else PEAK_SATELLITES
        if rows.size < needed:
            continue
        rows = rows[np.argsort(catalogue.inclination_deg[rows], kind="stable")]
        gaps = np.diff(catalogue.inclination_deg[rows]) > SAME_SHELL_DEG
        for shell in np.split(rows, np.flatnonzero(gaps) + 1):
            yield shell, needed


def _peaks_m(altitude_m: FloatArray, needed: int) -> list[float]:
    """Return the altitudes with at least `needed` satellites within 1 km, the fullest first."""
    left_m = np.sort(altitude_m)
    peaks: list[float] = []
    while left_m.size >= needed:
        counts = np.searchsorted(left_m, left_m + 2 * PEAK_M, side="right") - np.arange(left_m.size)
        start = int(np.argmax(counts))
        if counts[start] < needed:
            break
        peaks.append(float(np.median(left_m[start : start + counts[start]])))
        # What lies on the slope of a peak must not make a second one beside it.
        left_m = left_m[np.abs(left_m - peaks[-1]) > 2 * PEAK_M]
    return peaks


def _sgp4_errors(catalogue: Catalogue) -> NDArray[np.uint8]:
    """Return the error code SGP4 gives each object at its own epoch, 0 where it has none, (N,)."""
    days = (catalogue.epoch_utc - _DAY_ZERO) / np.timedelta64(1, "D")
    columns = (
        days,
        catalogue.bstar_per_radius,
        np.zeros(len(catalogue)),  # the derivatives of the mean motion, which SGP4 does not use
        np.zeros(len(catalogue)),
        catalogue.eccentricity,
        np.radians(catalogue.argp_deg),
        np.radians(catalogue.inclination_deg),
        np.radians(catalogue.mean_anomaly_deg),
        catalogue.mean_motion_rev_day * _RAD_MIN_PER_REV_DAY,
        np.radians(catalogue.raan_deg),
    )
    codes = [_sgp4_error(row) for row in zip(*(c.tolist() for c in columns), strict=True)]
    return np.array(codes, dtype=np.uint8)


def _sgp4_error(elements: tuple[float, ...]) -> int:
    satellite = Satrec()
    satellite.sgp4init(WGS72, "i", 0, *elements)
    return int(satellite.error)
