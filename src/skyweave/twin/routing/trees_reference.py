"""The same trees in plain Python, root by root: what the compiled ones are compared with."""

import heapq

import numpy as np

from skyweave.twin.routing.trees import FloatArray, Roots, RowArray, Trees

Arcs = list[list[tuple[int, float]]]  # of each satellite: the other end's row and the cost


def shortest_trees_reference(neighbour: RowArray, length: FloatArray, roots: Roots) -> Trees:
    """Return what `shortest_trees` does, by Dijkstra's algorithm and the rules as worded there."""
    links = _links(neighbour, length)
    rows = [
        _tree(links, roots.sat[first:stop].tolist(), roots.offset[first:stop].tolist())
        for first, stop in zip(roots.start[:-1], roots.start[1:], strict=True)
    ]
    shape = (len(rows), len(links))
    cost, hops, next_hop = ([row[k] for row in rows] for k in range(3))
    return Trees(
        np.array(cost, dtype=np.float64).reshape(shape),
        np.array(hops, dtype=np.int16).reshape(shape),
        np.array(next_hop, dtype=np.int32).reshape(shape),
    )


def _links(neighbour: RowArray, length: FloatArray) -> Arcs:
    return [
        sorted((int(u), float(w)) for u, w in zip(*row, strict=True) if u >= 0 and 0 <= w < np.inf)
        for row in zip(neighbour, length, strict=True)
    ]


def _tree(
    links: Arcs, sats: list[int], offsets: list[float]
) -> tuple[list[float], list[int], list[int]]:
    own = [np.inf] * len(links)
    for sat, offset in zip(sats, offsets, strict=True):
        own[sat] = min(own[sat], offset) if offset == offset else own[sat]
    cost = _dijkstra(links, own)
    is_end = [c == o and c < np.inf for c, o in zip(cost, own, strict=True)]
    next_hop = [-1] * len(links)
    for v, arcs in enumerate(links):
        nearer = (u for u, w in arcs if cost[u] + w == cost[v] and cost[u] < cost[v])
        next_hop[v] = -1 if is_end[v] else next(nearer, -1)
    while True:  # what only free links lead on from, those with the fewest of them first
        named = [is_end[v] or next_hop[v] >= 0 for v in range(len(links))]
        found = {}
        for v, arcs in enumerate(links):
            if not named[v] and cost[v] < np.inf:
                level = [u for u, w in arcs if cost[u] + w == cost[v] and named[u]]
                found.update({v: level[0]} if level else {})
        if not found:
            break
        for v, u in found.items():
            next_hop[v] = u
    return (
        cost,
        [_hops(next_hop, v) if cost[v] < np.inf else -1 for v in range(len(links))],
        next_hop,
    )


def _dijkstra(links: Arcs, own: list[float]) -> list[float]:
    users: Arcs = [[] for _ in links]
    for v, arcs in enumerate(links):
        for u, w in arcs:
            users[u].append((v, w))
    cost, heap = list(own), [(c, v) for v, c in enumerate(own) if c < np.inf]
    heapq.heapify(heap)
    while heap:
        there, u = heapq.heappop(heap)
        if there > cost[u]:
            continue
        for v, w in users[u]:
            if there + w < cost[v]:
                cost[v] = there + w
                heapq.heappush(heap, (cost[v], v))
    return cost


def _hops(next_hop: list[int], sat: int) -> int:
    hops = 0
    while next_hop[sat] >= 0:
        sat, hops = next_hop[sat], hops + 1
    return hops
