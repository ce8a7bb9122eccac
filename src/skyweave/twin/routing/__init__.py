"""Routing: cheapest ways over a slot's network, to the ground and between ground sites."""

from skyweave.twin.routing.dijkstra import (
    GroundLinks,
    GroundPath,
    SatelliteCosts,
    cheapest_to_ground,
    ground_links,
    ground_paths,
    walk,
)
from skyweave.twin.routing.ground_pairs import PairCosts, pair_costs
from skyweave.twin.routing.trees import Roots, TreeBlock, Trees, shortest_trees, tree_blocks

__all__ = [
    "GroundLinks",
    "GroundPath",
    "PairCosts",
    "Roots",
    "SatelliteCosts",
    "TreeBlock",
    "Trees",
    "cheapest_to_ground",
    "ground_links",
    "ground_paths",
    "pair_costs",
    "shortest_trees",
    "tree_blocks",
    "walk",
]
