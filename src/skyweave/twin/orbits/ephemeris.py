"""Where every satellite is at every instant of a grid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.time import TimeGrid

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Ephemeris:
    """Earth-fixed positions: a satellite whose propagation failed is NaN beside its error code."""

    grid: TimeGrid
    sat_itrf_m: FloatArray  # (T, N, 3)
    error: NDArray[np.uint8]  # (T, N), SGP4 error code, 0 where the position is valid
    sat_itrf_m_s: FloatArray | None = None  # (T, N, 3) Earth-fixed velocity, when asked for
