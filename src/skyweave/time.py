"""Time: UTC instants as datetime64[ns], grids of slots, and the leap-second table.

A moment is `epoch_utc` (datetime64[ns], UTC) plus float64 seconds `t_s` from it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class TimeGrid:
    """Instants at which the twin computes: `epoch_utc + t_s`.

    For a run of `slots` slots the grid holds the slots + 1 boundaries; slot k covers
    [epoch_utc + k * slot_s, epoch_utc + (k + 1) * slot_s).
    """

    epoch_utc: np.datetime64  # datetime64[ns]
    t_s: FloatArray  # (T,)

    def __len__(self) -> int:
        return int(self.t_s.size)

    @property
    def utc(self) -> NDArray[np.datetime64]:
        """The instants as datetime64[ns], shape (T,)."""
        return self.epoch_utc + np.round(self.t_s * 1e9).astype("timedelta64[ns]")

    def part(self, start: int, stop: int) -> "TimeGrid":
        """Return instants start to stop - 1, on the same epoch (so results do not change)."""
        return TimeGrid(self.epoch_utc, self.t_s[start:stop])
