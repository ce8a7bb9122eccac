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

__all__ = [
    "GroundLinks",
    "GroundPath",
    "SatelliteCosts",
    "cheapest_to_ground",
    "ground_links",
    "ground_paths",
    "walk",
]
