"""Candidates: the satellites a slot offers to each terminal, as plain arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int32]

AGE_SLOTS = 3  # how far back "has been in view" is followed; more counts as this
MEMORY_SLOTS = 10  # how far back a terminal's use of a satellite is remembered


@dataclass(frozen=True)
class Candidates:
    """Pairs (terminal, satellite) of one slot, sorted by terminal, then by satellite.

    A satellite is a candidate when it is usable and above the mask at both ends of the slot;
    every other value is that of the slot's start.  P pairs, S terminals.
    """

    terminal_start: NDArray[np.int64]  # (S + 1,) pairs of terminal s are start[s] .. start[s + 1]
    terminal: IntArray  # (P,) terminal rows
    sat: IntArray  # (P,) satellite rows, in order of NORAD id
    elevation_deg: FloatArray  # (P,)
    azimuth_deg: FloatArray  # (P,) 0 is north, clockwise
    range_m: FloatArray  # (P,)
    path_s: FloatArray  # (P,) one-way delay from satellite to PoP, inf where there is no path
    remaining_slots: IntArray  # (P,) whole slots it stays in view, at most the rule's `ahead_slots`
    age_slots: IntArray  # (P,) whole slots it has been in view before this, at most AGE_SLOTS
    is_sunlit: NDArray[np.bool_]  # (P,) the Sun is not behind the Earth
    gso_separation_deg: FloatArray  # (P,) angle to the geostationary arc, inf where none is up
    boresight_deg: FloatArray  # (P,) angle to where the dish points, NaN where it does not tell
    generation: NDArray[np.int8]  # (P,) place in `topology.GENERATIONS`
    slots_since_use: IntArray  # (P,) slots since the terminal last used it, 0 = not in MEMORY_SLOTS
    load: FloatArray  # (P,) share of the satellite's beams that the slot before used
    lat_deg: FloatArray  # (S,) of the terminals

    def __post_init__(self) -> None:
        # A rule of one's own sees these arrays; what it computes must not change the results.
        for array in vars(self).values():
            array.flags.writeable = False

    def __len__(self) -> int:
        return int(self.sat.size)
