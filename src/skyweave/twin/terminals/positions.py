"""Where every terminal is at every instant: the fixed ones once, the moving ones each time."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.frames import geodetic_to_itrf
from skyweave.twin.terminals.table import Terminals
from skyweave.twin.terminals.tracks import Position

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class TerminalPositions:
    """Positions of S terminals, M of them moving, at T instants.

    A moving terminal is at NaN before its first and after its last fix: its position is unknown.
    """

    fixed: Position  # arrays (S,); rows of moving terminals hold their first fix
    fixed_itrf_m: FloatArray  # (S, 3)
    fixed_up_itrf: FloatArray  # (S, 3) unit normals of the ellipsoid
    moving_rows: IntArray  # (M,) ascending
    moving: Position  # arrays (T, M)
    moving_itrf_m: FloatArray  # (T, M, 3)
    moving_up_itrf: FloatArray  # (T, M, 3)

    def at(self, instant: int) -> tuple[FloatArray, FloatArray]:
        """Return `site_itrf_m` and `up_itrf`, each (S, 3), at one instant; do not write to them."""
        return (
            self._patched(self.fixed_itrf_m, self.moving_itrf_m[instant]),
            self._patched(self.fixed_up_itrf, self.moving_up_itrf[instant]),
        )

    def geodetic_at(self, instant: int) -> Position:
        """Return latitudes, longitudes and heights, each (S,), at one instant."""
        pairs = zip(self.fixed, self.moving, strict=True)
        return Position(*(self._patched(fixed, moving[instant]) for fixed, moving in pairs))

    def _patched(self, fixed: FloatArray, moving: FloatArray) -> FloatArray:
        if not self.moving_rows.size:
            return fixed
        patched = fixed.copy()
        patched[self.moving_rows] = moving
        return patched


def terminal_itrf(terminals: Terminals, utc: ArrayLike) -> TerminalPositions:
    """Return where S terminals are at instants `utc` (T,), datetime64[ns]."""
    instants = np.asarray(utc, dtype="datetime64[ns]")
    fixed = Position(terminals.lat_deg, terminals.lon_deg, terminals.height_wgs84_m)
    rows = np.array(sorted(terminals.tracks), dtype=np.int64)
    tracked = [terminals.tracks[row].at(instants) for row in rows.tolist()]
    nowhere = np.empty((instants.size, 0))
    moving = (
        Position(*(np.stack(column, axis=-1) for column in zip(*tracked, strict=True)))
        if tracked
        else Position(nowhere, nowhere, nowhere)
    )
    moving_itrf_m, moving_up_itrf = geodetic_to_itrf(*moving)
    fixed_itrf_m, fixed_up_itrf = geodetic_to_itrf(*fixed)
    for shared in (fixed_itrf_m, fixed_up_itrf):
        shared.flags.writeable = False
    return TerminalPositions(
        fixed, fixed_itrf_m, fixed_up_itrf, rows, moving, moving_itrf_m, moving_up_itrf
    )
