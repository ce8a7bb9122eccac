"""Cut out of an exported state what the packets of one pair can meet, in the words of a simulator.

A packet in flight at a change goes on from wherever it is, by the routes then in force.  So the
nodes are not only those on the pair's paths: they are closed under every next hop that ever holds.
"""

from typing import NamedTuple

import numpy as np
from benchmarks.packets.exported_state import (
    NO_NEXT_HOP,
    ExportedState,
    FloatArray,
    FolderError,
    IntArray,
    next_hops,
    positions_itrf_m,
)

SPEED_OF_LIGHT_M_S = 299_792_458.0


class Change(NamedTuple):
    """From a step on, packets at a node for one of the ends take this link, or none (-1)."""

    step: int
    node: int  # a row of `Plan.node`
    towards: int  # 0: the first end, 1: the second
    link: int  # a row of `Plan.link`, or -1


class Plan(NamedTuple):
    """The network of one pair of ground stations, its nodes and links numbered from 0."""

    node: IntArray  # (M,) the folder's number of each node
    ends: tuple[int, int]  # rows of `node`
    link: IntArray  # (L, 2) rows of `node`, the lower first
    is_gsl: np.ndarray  # (L,)
    delay_s: FloatArray  # (K, L) light along each link at each step
    changes: list[Change]  # in order of time; those of step 0 set up the routes
    paths: list[tuple[int, list[int], list[int]]]  # step, nodes there, nodes back; empty: no path


def station(state: ExportedState, name: str) -> int:
    """Return the node of the ground station of this name."""
    rows = [row for row, known in enumerate(state.station_names) if known == name]
    if len(rows) != 1:
        raise FolderError(
            f'{state.folder / "ground_stations.txt"}: "{name}" names {len(rows)} ground stations; '
            "use a name as it stands there"
        )
    return len(state.satellites) + rows[0]


def plan_pair(state: ExportedState, start: str, end: str) -> Plan:
    """Return what packets between two ground stations meet, in both directions."""
    ends = station(state, start), station(state, end)
    if ends[0] == ends[1]:
        raise FolderError(f'FROM and TO are both "{start}"; give two ground stations')
    hops = next_hops(state, ends)
    used = [_reached(hops[:, towards], ends[1 - towards], ends[towards]) for towards in (0, 1)]
    node = np.unique(np.concatenate([*used, np.array(ends)]))
    route = _local_routes(hops, node, used)
    link = _links(route)
    place_m = positions_itrf_m(state, node)
    length_m = np.linalg.norm(place_m[:, link[:, 0]] - place_m[:, link[:, 1]], axis=2)
    local_ends = tuple(np.searchsorted(node, ends).tolist())
    return Plan(
        node,
        local_ends,
        link,
        (node[link] >= len(state.satellites)).any(axis=1),
        length_m / SPEED_OF_LIGHT_M_S,
        _changes(route, link),
        _paths(hops, ends),
    )


def _reached(hops: IntArray, start: int, end: int) -> IntArray:
    """Return every node that a packet from start to end can come to over `hops` (K, nodes)."""
    reached = np.array([start])
    while True:
        following = hops[:, reached[reached != end]]
        more = np.union1d(reached, following[following != NO_NEXT_HOP])
        if more.size == reached.size:
            return reached
        reached = more


def _local_routes(hops: IntArray, node: IntArray, used: list[IntArray]) -> IntArray:
    """Return (K, 2, M): `hops` of the nodes used, as rows of `node`, -1 elsewhere."""
    row = np.full(hops.shape[2] + 1, NO_NEXT_HOP)  # its last entry serves next hop -1
    row[node] = np.arange(node.size)
    route = np.full((hops.shape[0], 2, node.size), NO_NEXT_HOP)
    for towards in (0, 1):
        route[:, towards, row[used[towards]]] = row[hops[:, towards, used[towards]]]
    return route


def _links(route: IntArray) -> IntArray:
    step, towards, node = np.nonzero(route != NO_NEXT_HOP)
    pair = np.column_stack((node, route[step, towards, node]))
    return np.unique(np.sort(pair, axis=1), axis=0)


def _changes(route: IntArray, link: IntArray) -> list[Change]:
    number = {(int(a), int(b)): row for row, (a, b) in enumerate(link)}
    before = np.concatenate((np.full_like(route[:1], NO_NEXT_HOP), route[:-1]))
    changes = []
    for step, towards, node in np.argwhere(route != before).tolist():
        following = int(route[step, towards, node])
        key = min(node, following), max(node, following)
        changes.append(Change(step, node, towards, number.get(key, NO_NEXT_HOP)))
    return changes


def _paths(hops: IntArray, ends: tuple[int, int]) -> list[tuple[int, list[int], list[int]]]:
    """Return the paths there and back with the step from which each pair of them holds."""
    found: list[tuple[int, list[int], list[int]]] = []
    for step, (to_first, to_second) in enumerate(hops):
        there, back = _walk(to_second, *ends), _walk(to_first, *reversed(ends))
        if not found or found[-1][1:] != (there, back):
            found.append((step, there, back))
    return found


def _walk(hops: IntArray, start: int, end: int) -> list[int]:
    path = [start]
    while path[-1] != end:
        following = int(hops[path[-1]])
        if following == NO_NEXT_HOP:
            return []
        if following in path:
            raise FolderError(f"the forwarding state leads in a circle at node {following}")
        path.append(following)
    return path
