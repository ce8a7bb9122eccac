"""Elements and a time grid to positions: Earth-fixed for the twin, TEME for comparisons."""

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import EarthOrientation, earth_rotation_itrf, teme_to_itrf_matrix
from skyweave.time import TimeGrid
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.orbits.deep_space import deep_space_teme
from skyweave.twin.orbits.ephemeris import Ephemeris
from skyweave.twin.orbits.near_earth import near_earth
from skyweave.twin.orbits.records import DEEP_SPACE, Sgp4Records, initialise

FloatArray = NDArray[np.float64]
CodeArray = NDArray[np.uint8]


def propagate(
    catalogue: Catalogue,
    grid: TimeGrid,
    orientation: EarthOrientation,
    *,
    velocity: bool = False,
    records: Sgp4Records | None = None,
) -> Ephemeris:
    """Return where every satellite is, Earth-fixed (ITRF), at every instant of the grid.

    One bad satellite is NaN beside its SGP4 error code (1 mean eccentricity, 2 mean motion,
    3 perturbed eccentricity, 4 semi-latus rectum, 6 decayed) and stops no other.  A pair of
    satellite and instant gets the same bits in any company: grids may be split, catalogues cut and
    threads changed.  `records` (from `initialise`) skips the initialisation.
    """
    matrix = teme_to_itrf_matrix(grid.utc, orientation)
    spin_rad_s = earth_rotation_itrf(grid.utc, orientation)
    position, speed, error = _propagate(catalogue, grid, (matrix, spin_rad_s), velocity, records)
    return Ephemeris(grid, position, error, speed)


def propagate_teme(
    catalogue: Catalogue,
    grid: TimeGrid,
    *,
    velocity: bool = True,
    records: Sgp4Records | None = None,
) -> tuple[FloatArray, FloatArray | None, CodeArray]:
    """Return positions (T, N, 3) in m, velocities in m/s and error codes (T, N), in TEME.

    TEME is SGP4's own frame: true equator and mean equinox of date, not rotating.
    """
    return _propagate(catalogue, grid, None, velocity, records)


def _propagate(
    catalogue: Catalogue,
    grid: TimeGrid,
    turn: tuple[FloatArray, FloatArray] | None,
    velocity: bool,
    records: Sgp4Records | None,
) -> tuple[FloatArray, FloatArray | None, CodeArray]:
    records = initialise(catalogue) if records is None else records
    if len(records) != len(catalogue):
        raise InputError(
            f"records hold {len(records)} satellites, the catalogue {len(catalogue)}; "
            "pass the records that initialise(catalogue) returned"
        )
    utc = grid.utc
    position, speed, error = near_earth(records, utc, turn, velocity)
    deep = np.flatnonzero(records.method == DEEP_SPACE)
    if deep.size:
        deep_position, deep_speed, error[:, deep] = deep_space_teme(records.take(deep), utc)
        if turn is not None:
            deep_position, deep_speed = _to_itrf(deep_position, deep_speed, *turn)
        position[:, deep] = deep_position
        if speed is not None:
            speed[:, deep] = deep_speed
    return position, speed, error


def _to_itrf(
    position: FloatArray, speed: FloatArray, matrix: FloatArray, spin_rad_s: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Turn TEME states (T, N, 3): r = M r, v = M v - w x r.

    Written out by component, because a matrix product may round differently in other company.
    """

    def product(vector: FloatArray) -> FloatArray:
        x, y, z = np.moveaxis(vector, -1, 0)
        M = matrix[:, :, :, None]  # (T, 3, 3, 1)
        rows = [M[:, i, 0] * x + M[:, i, 1] * y + M[:, i, 2] * z for i in range(3)]
        return np.stack(rows, axis=-1)

    turned = product(position)
    x, y, z = np.moveaxis(turned, -1, 0)
    wx, wy, wz = spin_rad_s.T[:, :, None]
    drift = np.stack([wy * z - wz * y, wz * x - wx * z, wx * y - wy * x], axis=-1)
    return turned, product(speed) - drift
