"""Where satellites stand in the sky of each site, and which of them it sees."""

from skyweave.twin.geometry.gso import gso_separation_deg
from skyweave.twin.geometry.look import LookAngles, look_angles, pair_angles
from skyweave.twin.geometry.sky_masks import (
    PackedObstructions,
    SkyCode,
    SkyCodes,
    gso_arc,
    in_field_of_view,
    is_obstructed,
    pack,
    sky_codes,
)
from skyweave.twin.geometry.sunlit import is_sunlit, sun_itrf_m
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
    "PackedObstructions",
    "SkyCode",
    "SkyCodes",
    "VisiblePairs",
    "gso_arc",
    "gso_separation_deg",
    "in_field_of_view",
    "is_obstructed",
    "is_sunlit",
    "keep",
    "look_angles",
    "pack",
    "pair_angles",
    "remaining_slots",
    "sky_codes",
    "sun_itrf_m",
    "visible_pairs",
]
