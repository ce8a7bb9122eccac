"""Where satellites stand in the sky of each site, and which of them it sees."""

from skyweave.twin.geometry.visibility import (
    Mask,
    VisiblePairs,
    keep,
    remaining_slots,
    visible_pairs,
)

__all__ = ["Mask", "VisiblePairs", "keep", "remaining_slots", "visible_pairs"]
