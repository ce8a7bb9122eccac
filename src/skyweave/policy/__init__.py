"""The small core that the twin and the control plane share."""

from skyweave.policy.reasons import REASONS, SERVED, Reason, reason_names
from skyweave.policy.regions import Region, cells_at, region_from_geojson

__all__ = [
    "REASONS",
    "SERVED",
    "Reason",
    "Region",
    "cells_at",
    "reason_names",
    "region_from_geojson",
]
