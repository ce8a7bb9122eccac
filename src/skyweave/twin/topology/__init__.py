"""Topology: what a slot's network is made of: gateways, PoPs, feeder links and laser links."""

from skyweave.twin.topology.changes import LINK_REASONS, LinkChanges, link_changes
from skyweave.twin.topology.failed_links import NO_FAILED_LINKS, FailedLinks, joined_links
from skyweave.twin.topology.failures import (
    Effect,
    Failure,
    Network,
    checked_failure,
    effect_of,
    near_names,
    parse_failure,
    refuse_unknown,
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
    unserved_countries,
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
from skyweave.twin.topology.lasers import GENERATIONS, satellite_generations
from skyweave.twin.topology.motifs import FixedPlan
from skyweave.twin.topology.plane_names import plane_names
from skyweave.twin.topology.plans import make_plan

__all__ = [
    "GENERATIONS",
    "LINK_REASONS",
    "NO_FAILED_LINKS",
    "Effect",
    "FailedLinks",
    "Failure",
    "FeederLinks",
    "FeederRule",
    "FixedPlan",
    "Gateways",
    "IslPlan",
    "LinkChanges",
    "LinkLimits",
    "LinkState",
    "Network",
    "Pops",
    "are_feasible",
    "as_edges",
    "assign_feeders",
    "builtin_pops",
    "checked_failure",
    "default_pops",
    "edge_lengths_m",
    "effect_of",
    "fibre_delay_s",
    "joined_links",
    "link_changes",
    "load_gateways",
    "load_pops",
    "make_plan",
    "near_names",
    "nearest_pop",
    "padded_adjacency",
    "padded_lengths_m",
    "parse_failure",
    "plane_names",
    "refuse_unknown",
    "rehomed",
    "satellite_generations",
    "step",
    "unserved_countries",
]
