"""The named link plans of a scenario's `[isl] plan`."""

from difflib import get_close_matches

import numpy as np

from skyweave.errors import InputError
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.topology.fleet import fleet_plan
from skyweave.twin.topology.isl import NO_EDGES, BoolArray, EdgeArray, IslPlan
from skyweave.twin.topology.motifs import FixedPlan, NearestPlan, plus_grid_edges, ring_edges

PLAN_NAMES = ("none", "plus-grid", "ring", "nearest-n", "fleet")


def make_plan(
    name: str,
    catalogue: Catalogue,
    epoch_utc: np.datetime64,
    slot_s: float,
    *,
    relays: BoolArray | None = None,
    degree: int = 4,
) -> IslPlan:
    """Return a plan by its name, for satellites marked in `relays` (default: all rows).

    `epoch_utc` is the start of slot 0.  `degree` is the n of nearest-n; the others know theirs.
    """
    relays = np.ones(len(catalogue), bool) if relays is None else relays
    if degree < 1:
        raise InputError(f"isl.degree: found {degree}, expected at least 1 link per satellite")
    match name:
        case "none":
            return FixedPlan(NO_EDGES, degree=0)
        case "plus-grid":
            return FixedPlan(_among(relays, plus_grid_edges(catalogue)), degree=4)
        case "ring":
            return FixedPlan(_among(relays, ring_edges(catalogue)), degree=2)
        case "nearest-n":
            return NearestPlan(catalogue.norad_id, relays, degree)
        case "fleet":
            return fleet_plan(catalogue, epoch_utc, slot_s, relays)
    near = get_close_matches(name, PLAN_NAMES, n=1)
    raise InputError(
        f"isl.plan: found {name!r}, expected one of {', '.join(PLAN_NAMES)}; "
        + (f"did you mean {near[0]!r}?" if near else "choose one of them")
    )


def _among(relays: BoolArray, edges: EdgeArray) -> EdgeArray:
    both = relays[edges].all(axis=1)
    return edges[both]
