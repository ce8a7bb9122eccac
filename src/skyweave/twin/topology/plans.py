"""The named link plans of a scenario's `[isl] plan`."""

from difflib import get_close_matches

import numpy as np

from skyweave.errors import InputError
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.scenario.models import Isl
from skyweave.twin.topology.crosslinks import POLICIES
from skyweave.twin.topology.fleet import FLEET_ACQUISITION_S, FLEET_MAX_RANGE_M, fleet_plan
from skyweave.twin.topology.isl import NO_EDGES, BoolArray, EdgeArray, IslPlan, LinkLimits
from skyweave.twin.topology.motifs import (
    NEAREST_MAX_RANGE_M,
    PLUS_GRID,
    RING,
    FixedPlan,
    NearestPlan,
    motif_edges,
)

PLAN_NAMES = ("none", "plus-grid", "ring", "motif", "nearest-n", "fleet")

# What holds where `[isl]` does not say otherwise.
MAX_RANGE_M = {"nearest-n": NEAREST_MAX_RANGE_M, "fleet": FLEET_MAX_RANGE_M}
ACQUISITION_S = {"fleet": FLEET_ACQUISITION_S}


def make_plan(
    name: str,
    catalogue: Catalogue,
    epoch_utc: np.datetime64,
    slot_s: float,
    *,
    relays: BoolArray | None = None,
    isl: Isl | None = None,
) -> IslPlan:
    """Return a plan by its name, for satellites marked in `relays` (default: all rows).

    `epoch_utc` is the start of slot 0; `isl` has the plan's settings (default: its own defaults).
    """
    relays = np.ones(len(catalogue), bool) if relays is None else relays
    isl = isl or Isl()
    if name not in PLAN_NAMES:
        near = get_close_matches(name, PLAN_NAMES, n=1)
        raise InputError(
            f"isl.plan: found {name!r}, expected one of {', '.join(PLAN_NAMES)}; "
            + (f"did you mean {near[0]!r}?" if near else "choose one of them")
        )
    limits = _limits(name, isl, slot_s)
    match name:
        case "none":
            return FixedPlan(NO_EDGES)
        case "nearest-n":
            return NearestPlan(catalogue.norad_id, relays, isl.nearest, limits)
        case "fleet":
            rules = POLICIES[isl.policy].with_keep_slew(isl.keep_slew_deg_s)
            return fleet_plan(
                catalogue, epoch_utc, slot_s, relays,
                replan_s=isl.replan_s, rules=rules, limits=limits,
            )  # fmt: skip
    offsets = {"plus-grid": PLUS_GRID, "ring": RING}.get(name, isl.motif)
    edges = motif_edges(catalogue, offsets)
    if name == "motif":
        _refuse_empty(catalogue, isl)
    return FixedPlan(_among(relays, edges), limits)


def _limits(name: str, isl: Isl, slot_s: float) -> LinkLimits:
    """Return the limits of a plan; acquisition takes whole slots."""
    max_range_m = MAX_RANGE_M.get(name, np.inf) if isl.max_range_m is None else isl.max_range_m
    wait_s = ACQUISITION_S.get(name, 0.0) if isl.acquisition_s is None else isl.acquisition_s
    return LinkLimits(max_range_m, isl.min_grazing_m, int(np.ceil(wait_s / slot_s)))


def _refuse_empty(catalogue: Catalogue, isl: Isl) -> None:
    """Refuse an offset that goes round to where it began, or nowhere, in every shell."""
    for offset in isl.motif:
        if not len(motif_edges(catalogue, [offset])):
            raise InputError(
                f"isl.motif: {list(offset)} joins no two satellites of the shells; "
                "give planes and slots that lead to another satellite"
            )


def _among(relays: BoolArray, edges: EdgeArray) -> EdgeArray:
    both = relays[edges].all(axis=1)
    return edges[both]
