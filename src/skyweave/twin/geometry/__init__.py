"""Where satellites stand in the sky of each site, and which of them it sees."""

from skyweave.twin.geometry.gso import gso_separation_deg
from skyweave.twin.geometry.look import LookAngles, look_angles, pair_angles
from skyweave.twin.geometry.visibility import (
    Mask,
    VisiblePairs,
    keep,
    remaining_slots,
    visible_pairs,
)

__all__ = [
    "LookAngles",
    "Mask",
    "VisiblePairs",
    "gso_separation_deg",
    "keep",
    "look_angles",
    "pair_angles",
    "remaining_slots",
    "visible_pairs",
]
