"""Routing: cheapest ways over a slot's network, to the ground and between ground sites."""

from skyweave.twin.routing.betweenness import Uses
from skyweave.twin.routing.dijkstra import (
    GroundLinks,
    GroundPath,
    SatelliteCosts,
    cheapest_to_ground,
    ground_links,
    ground_paths,
    walk,
)
from skyweave.twin.routing.ground_pairs import (
    PairCosts,
    PairWays,
    list_nodes,
    mark_ways,
    no_ways,
    pair_costs,
)
from skyweave.twin.routing.protection import Failover, failovers
from skyweave.twin.routing.relays import RelayedCosts, relayed_costs
from skyweave.twin.routing.trees import (
    Roots,
    TreeBlock,
    TreeGrower,
    Trees,
    shortest_trees,
    tree_blocks,
)

__all__ = [
    "Failover",
    "GroundLinks",
    "GroundPath",
    "PairCosts",
    "PairWays",
    "RelayedCosts",
    "Roots",
    "SatelliteCosts",
    "TreeBlock",
    "TreeGrower",
    "Trees",
    "Uses",
    "cheapest_to_ground",
    "failovers",
    "ground_links",
    "ground_paths",
    "list_nodes",
    "mark_ways",
    "no_ways",
    "pair_costs",
    "relayed_costs",
    "shortest_trees",
    "tree_blocks",
    "walk",
]
