"""Shortest-path trees of 320 sources, one thread: own against scipy, networkit and rustworkx.

    python benchmarks/trees.py

On a torus of 10,000 satellites and on the real fleet of 2026-06-14 with its modelled laser links.
Scipy and we return cost and next hop; the floors are on that, the same work, and the hop counts
that only we return are a line of their own.  The peers get their graphs ready made and those that
are not installed are left out; networkit and rustworkx return costs alone.  Our trees are written
over those of the slot before, as in use (`tree_blocks`).  All on as many sources as take about the
same time, interleaved.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import interleaved, plus_grid, verdict
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyweave import load_scenario
from skyweave.twin.orbits import initialise, propagate
from skyweave.twin.pipeline import networks
from skyweave.twin.routing import tree_blocks
from skyweave.twin.topology import padded_adjacency, padded_lengths_m
from skyweave.twin.world import build_world

SOURCES, PEER_SOURCES, SLOTS, ROUNDS = 320, 32, 4, 9
Network = tuple[np.ndarray, np.ndarray]
FLEET = """
title = "Trees"
[time]
start_utc = 2026-06-14T12:00:12Z
duration_s = 15
[catalogue]
select = ["STARLINK"]
[isl]
plan = "fleet"
[[terminals]]
id = "anywhere"
lat_deg = 0.0
lon_deg = 0.0
"""


def main() -> int:
    torus, fleet = plus_grid(100, 100), real_fleet()
    below = against_peers("10,000 satellites, torus", torus, floor=12.0, aim=30.0)
    below |= against_peers(f"{len(fleet[0]):,} satellites, real fleet", fleet, floor=8.0, aim=30.0)
    growth()
    steadiness(fleet)
    return below


def against_peers(what: str, network: Network, floor: float, aim: float) -> int:
    sources = some_sources(network)
    few = sources[:PEER_SOURCES]
    graph = matrix(network)
    functions: dict[str, Callable[[], object]] = {
        "scipy": lambda: dijkstra(graph, indices=few, return_predecessors=True),
        "skyweave": lambda: run([network] * SLOTS, sources, with_hops=False),
        "skyweave with hops": lambda: run([network] * SLOTS, sources, with_hops=True),
        **networkit(network, few),
        **rustworkx(network, few),
    }
    wall_s = interleaved(functions, ROUNDS)
    print(what)
    per_source_s = {
        name: wall / (SOURCES * SLOTS if name.startswith("skyweave") else PEER_SOURCES)
        for name, wall in wall_s.items()
    }
    for name, each_s in per_source_s.items():
        ratio = per_source_s["scipy"] / each_s
        print(f"  {name:19} {each_s * 1e6:8.0f} us a source, {ratio:5.1f}x scipy")
    return verdict(f"trees, {what}", per_source_s["scipy"] / per_source_s["skyweave"], floor, aim)


def growth() -> None:
    """Print how the time grows with the satellites."""
    print("growth, torus: time of a source and of a source and satellite")
    for planes, per_plane in ((20, 50), (50, 60), (100, 100), (150, 200)):
        network = plus_grid(planes, per_plane)
        sources, satellites = some_sources(network), planes * per_plane
        wall_s = (
            interleaved({"": lambda n=network, s=sources: run([n] * SLOTS, s, True)}, 5)[""]
            / SOURCES
            / SLOTS
        )
        print(f"  {satellites:6,}  {wall_s * 1e6:8.1f} us  {wall_s / satellites * 1e9:6.2f} ns")


def steadiness(network: Network) -> None:
    """Print what later slots cost against the first ones: no state is kept that could grow."""
    neighbour, length = network
    slots = [(neighbour, length * (1 + k * 1e-4)) for k in range(12)]
    sources = some_sources(network)
    early, late = slots[:4], slots[8:]
    wall_s = interleaved(
        {"early": lambda: run(early, sources, True), "late": lambda: run(late, sources, True)}, 5
    )
    print(f"cost of a late slot over an early one: {wall_s['late'] / wall_s['early']:.2f}")


def run(slots: list[Network], sources: np.ndarray, with_hops: bool) -> None:
    for _ in tree_blocks(slots, sources, with_hops=with_hops):
        pass


def some_sources(network: Network) -> np.ndarray:
    linked = np.flatnonzero((network[0] >= 0).any(axis=1))
    return np.random.default_rng(0).choice(linked, SOURCES, replace=False).astype(np.int32)


def matrix(network: Network) -> csr_matrix:
    neighbour, length = network
    sat, link = np.nonzero(neighbour >= 0)
    ends = (sat, neighbour[sat, link])
    return csr_matrix((length[sat, link], ends), shape=(len(neighbour), len(neighbour)))


def undirected(network: Network) -> list[tuple[int, int, float]]:
    graph = matrix(network).tocoo()
    once = graph.row < graph.col
    columns = (graph.row[once].tolist(), graph.col[once].tolist(), graph.data[once].tolist())
    return list(zip(*columns, strict=True))


def networkit(network: Network, sources: np.ndarray) -> dict[str, Callable[[], object]]:
    try:
        import networkit as nk
    except ImportError:
        print("networkit is not installed: left out")
        return {}
    nk.setNumberOfThreads(1)
    graph = nk.Graph(len(network[0]), weighted=True)
    for a, b, metres in undirected(network):
        graph.addEdge(a, b, metres)
    return {"networkit (costs)": lambda: nk.distance.SPSP(graph, sources.tolist()).run()}


def rustworkx(network: Network, sources: np.ndarray) -> dict[str, Callable[[], object]]:
    try:
        import rustworkx as rx
    except ImportError:
        print("rustworkx is not installed: left out")
        return {}
    graph = rx.PyGraph()
    graph.add_nodes_from(range(len(network[0])))
    graph.add_edges_from(undirected(network))
    lengths = rx.dijkstra_shortest_path_lengths
    return {"rustworkx (costs)": lambda: [lengths(graph, s, float) for s in sources.tolist()]}


def real_fleet() -> Network:
    """Neighbours and link lengths of the built-in catalogue's fleet in one slot."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fleet.toml"
        path.write_text(FLEET, encoding="utf-8")
        world = build_world(load_scenario(path))
    catalogue = world.fleet.catalogue
    records = initialise(catalogue)
    edges = next(networks(world, records, 1)).edges
    grid = world.boundaries(0, 1)
    sat_m = propagate(catalogue, grid, world.orientation, records=records).sat_itrf_m[0]
    neighbour = padded_adjacency(edges, len(sat_m), int(np.bincount(edges.ravel()).max()))
    return neighbour, padded_lengths_m(neighbour, sat_m)


if __name__ == "__main__":
    sys.exit(main())
