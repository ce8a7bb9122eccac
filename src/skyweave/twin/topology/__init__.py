"""Topology: what a slot's network is made of: gateways, PoPs, feeder links and laser links."""

from skyweave.twin.topology.changes import LINK_REASONS, LinkChanges, changes
from skyweave.twin.topology.failures import (
    Failure,
    gateways_failed,
    parse_failure,
    pops_failed,
    rehomed,
)
from skyweave.twin.topology.feeder import FeederLinks, FeederRule, assign_feeders
from skyweave.twin.topology.ground import (
    Gateways,
    Pops,
    builtin_pops,
    default_pops,
    fibre_delay_s,
    load_gateways,
    load_pops,
    nearest_pop,
)
from skyweave.twin.topology.isl import (
    IslPlan,
    LinkLimits,
    LinkState,
    are_feasible,
    as_edges,
    edge_lengths_m,
    padded_adjacency,
    padded_lengths_m,
    step,
)
from skyweave.twin.topology.plane_names import plane_names
from skyweave.twin.topology.plans import PLAN_NAMES, make_plan

__all__ = [
    "LINK_REASONS",
    "PLAN_NAMES",
    "Failure",
    "FeederLinks",
    "FeederRule",
    "Gateways",
    "IslPlan",
    "LinkChanges",
    "LinkLimits",
    "LinkState",
    "Pops",
    "are_feasible",
    "as_edges",
    "assign_feeders",
    "builtin_pops",
    "changes",
    "default_pops",
    "edge_lengths_m",
    "fibre_delay_s",
    "gateways_failed",
    "load_gateways",
    "load_pops",
    "make_plan",
    "nearest_pop",
    "padded_adjacency",
    "padded_lengths_m",
    "parse_failure",
    "plane_names",
    "pops_failed",
    "rehomed",
    "step",
]
