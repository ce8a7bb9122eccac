"""What a picture of the sky shows, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.geometry import SkyCodes

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# What a satellite is to the terminal, where no reason refuses it.
SERVES, COULD_SERVE, NOT_IN_SLOT = "serves", "could_serve", "not_in_slot"


@dataclass(frozen=True, eq=False)
class SkyMask:
    """Which parts of the sky a dish may not use, and why."""

    codes: SkyCodes  # the first cause of each whole degree
    is_blocked: BoolArray  # (A, E) something stands there, whatever else rules it out
    min_elevation_deg: float
    gso_separation_deg: float  # 0 where the arc may be used
    fov_deg: float  # full angle of the cone around the boresight, NaN = all of the sky
    boresight_azimuth_deg: float
    boresight_elevation_deg: float
    arc_azimuth_deg: FloatArray  # (K,) the geostationary arc above the horizon
    arc_elevation_deg: FloatArray  # (K,)


@dataclass(frozen=True, eq=False)
class SkyPasses:
    """How M satellites cross the sky at T instants around the start of a slot."""

    t_s: FloatArray  # (T,) ascending seconds from the slot's start, 0 among them
    azimuth_deg: FloatArray  # (T, M) NaN below the horizon
    elevation_deg: FloatArray  # (T, M) likewise
    norad_id: NDArray[np.int64]  # (M,)
    is_sunlit: BoolArray  # (M,) at the slot's start
    role: tuple[str, ...]  # M of them: SERVES, COULD_SERVE, NOT_IN_SLOT, or why it is refused

    @property
    def now(self) -> int:
        """The instant of the slot's start."""
        return int(np.searchsorted(self.t_s, 0.0))

    def rows(self, *roles: str) -> NDArray[np.intp]:
        """Return the satellites that have one of some roles."""
        return np.flatnonzero([role in roles for role in self.role])


@dataclass(frozen=True, eq=False)
class SkyPicture:
    """The sky of one terminal in one slot; its geometry is that of the slot's start."""

    terminal_id: str
    slot_start_utc: str
    outcome: str  # what the terminal had, in plain words
    serving_name: str  # "" where nobody serves
    leaves_s: float  # the slot boundary up to which the one that serves can, NaN if beyond `t_s`
    leaves_utc: str  # the same as a time, "" if beyond
    mask: SkyMask
    passes: SkyPasses
