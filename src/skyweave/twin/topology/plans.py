"""The named link plans of a scenario's `[isl] plan`, and those of one's own."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyweave.errors import InputError
from skyweave.plugins import load_function, running_own
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.scenario.models import Isl, checked_plan
from skyweave.twin.topology.crosslinks import POLICIES
from skyweave.twin.topology.fleet import FLEET_ACQUISITION_S, FLEET_MAX_RANGE_M, fleet_plan
from skyweave.twin.topology.isl import (
    NO_EDGES,
    BoolArray,
    EdgeArray,
    FloatArray,
    IslPlan,
    LinkLimits,
    as_edges,
)
from skyweave.twin.topology.motifs import (
    NEAREST_MAX_RANGE_M,
    PLUS_GRID,
    RING,
    FixedPlan,
    NearestPlan,
    motif_edges,
)

# What holds where `[isl]` does not say otherwise.
MAX_RANGE_M = {"nearest-n": NEAREST_MAX_RANGE_M, "fleet": FLEET_MAX_RANGE_M}
ACQUISITION_S = {"fleet": FLEET_ACQUISITION_S}
MAX_DEGREE = 64  # links per satellite of a plan of one's own; tables of neighbours are as wide


def make_plan(
    name: str,
    catalogue: Catalogue,
    epoch_utc: np.datetime64,
    slot_s: float,
    *,
    relays: BoolArray | None = None,
    isl: Isl | None = None,
    folder: Path = Path(),
) -> IslPlan:
    """Return a plan by its name, for satellites marked in `relays` (default: all rows).

    `epoch_utc` is the start of slot 0; `isl` has the plan's settings (default: its own defaults).
    A plan of one's own is FILE.py:NAME, relative to `folder`: what NAME(catalogue, epoch_utc,
    slot_s, relays) returns.
    """
    relays = np.ones(len(catalogue), bool) if relays is None else relays
    isl = isl or Isl()
    try:
        checked_plan(name)
    except ValueError as refusal:
        raise InputError(f"isl.plan: {refusal}") from None
    if ":" in name:
        return _own_plan(name, folder, catalogue, epoch_utc, slot_s, relays)
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


def _own_plan(
    name: str, folder: Path, catalogue: Catalogue, epoch_utc: np.datetime64, slot_s: float,
    relays: BoolArray,
) -> IslPlan:  # fmt: skip
    make = load_function(name, folder, "isl.plan")
    with running_own(f'isl.plan "{name}" failed'):
        plan: IslPlan = make(catalogue, epoch_utc, slot_s, relays)
        degree, limits, links = int(plan.degree), plan.limits, getattr(plan, "links", None)
    if not isinstance(limits, LinkLimits) or not callable(links):
        raise InputError(f'isl.plan "{name}": a plan needs degree, limits (LinkLimits) and links')
    if not 0 <= degree <= MAX_DEGREE:
        raise InputError(f'isl.plan "{name}": degree = {degree}, expected 0 to {MAX_DEGREE}')
    return _OwnPlan(name, plan, degree, limits)


@dataclass(frozen=True, eq=False)
class _OwnPlan:
    """A plan of one's own, whose edges are checked."""

    name: str
    plan: IslPlan
    degree: int
    limits: LinkLimits

    def links(self, previous: EdgeArray | None, slot: int, sat_itrf_m: FloatArray) -> EdgeArray:
        """Return the planned edges; see `isl.IslPlan`."""
        with running_own(f'isl.plan "{self.name}" failed'):
            edges = np.asarray(self.plan.links(previous, slot, sat_itrf_m))
        rows = len(sat_itrf_m)
        is_table = edges.ndim == 2 and edges.shape[1] == 2 and edges.dtype.kind in "iu"
        if not is_table or (edges.size and not 0 <= edges.min() <= edges.max() < rows):
            raise InputError(
                f'isl.plan "{self.name}": links returned {edges.dtype} of shape {edges.shape}; '
                f"return whole numbers (E, 2), rows 0 to {rows - 1}, as as_edges makes them"
            )
        return as_edges(edges[:, 0], edges[:, 1])
