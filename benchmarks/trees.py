"""Shortest-path trees of 320 sources, one thread: own against scipy, networkit and rustworkx.

    python benchmarks/trees.py [--plot FILE]

On a torus of 10,000 satellites and on the real fleet of 2026-06-14 with its modelled laser links,
there also from the real gateways, each over all satellites in its view.
Scipy and we return cost and next hop; the floors are on that, the same work, and the hop counts
that only we return are a line of their own.  The peers get their graphs ready made and those that
are not installed are left out; networkit and rustworkx return costs alone.  Our trees are written
over those of the slot before, as in use (`tree_blocks`).  All on as many sources as take about the
same time, interleaved.  The growth with the satellites is drawn to FILE.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from common import interleaved, plus_grid, real_fleet, verdict
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyweave.frames import geodetic_to_itrf
from skyweave.twin.geometry import Mask, visible_pairs
from skyweave.twin.orbits import initialise, propagate
from skyweave.twin.pipeline import networks
from skyweave.twin.routing import Roots, tree_blocks
from skyweave.twin.topology import Gateways, padded_adjacency, padded_lengths_m

SOURCES, PEER_SOURCES, SLOTS, ROUNDS = 320, 32, 4, 9
GROWN = ((20, 50), (50, 60), (100, 100), (150, 200))  # planes and satellites in each
BEND = 1.25  # times the least nanoseconds of fewer satellites
Network = tuple[np.ndarray, np.ndarray]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--plot", type=Path, metavar="FILE")
    plot = parser.parse_args().plot
    torus, (fleet, gateways) = plus_grid(100, 100), fleet_network()
    below = against_peers("10,000 satellites, torus", torus, floor=12.0, aim=30.0)
    below |= against_peers(f"{len(fleet[0]):,} satellites, real fleet", fleet, floor=8.0, aim=30.0)
    from_gateways(fleet, gateways)
    sizes, spent_ns = growth()
    if plot:
        draw(plot, sizes, spent_ns)
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


def from_gateways(network: Network, gateways: Roots) -> None:
    """Print the time of trees that begin at many satellites at once; scipy gets a node for each."""
    count, satellites = gateways.start.size - 1, len(network[0])
    graph, root = matrix(network).tocoo(), np.repeat(np.arange(count), np.diff(gateways.start))
    ends = (np.append(graph.row, satellites + root), np.append(graph.col, gateways.sat))
    lengths = np.append(graph.data, gateways.offset)
    joined = csr_matrix((lengths, ends), shape=(satellites + count, satellites + count))
    few = satellites + np.arange(0, count, 8)
    functions: dict[str, Callable[[], object]] = {
        "scipy": lambda: dijkstra(joined, indices=few, return_predecessors=True),
        "skyweave": lambda: run([network] * SLOTS, gateways, with_hops=False),
    }
    wall_s = interleaved(functions, ROUNDS)
    each_us = wall_s["skyweave"] / count / SLOTS * 1e6
    ratio = wall_s["scipy"] / few.size * 1e6 / each_us
    print(f"{count} gateways, {root.size / count:.0f} satellites each, real fleet")
    print(f"  skyweave            {each_us:8.0f} us a source, {ratio:5.1f}x scipy")


def growth() -> tuple[list[int], dict[str, list[float]]]:
    """Print and return how the nanoseconds of a source and satellite grow with the satellites."""
    spent_ns: dict[str, list[float]] = {"scipy": [], "skyweave": [], "skyweave with hops": []}
    print(f"growth, torus: ns of a source and satellite\n  satellites  {'  '.join(spent_ns)}")
    for planes, per_plane in GROWN:
        network = plus_grid(planes, per_plane)
        sources, graph = some_sources(network), matrix(network)
        few = sources[: PEER_SOURCES // 4]
        functions: dict[str, Callable[[], object]] = {
            "scipy": lambda g=graph, f=few: dijkstra(g, indices=f, return_predecessors=True),
            "skyweave": lambda n=network, s=sources: run([n] * SLOTS, s, with_hops=False),
            "skyweave with hops": lambda n=network, s=sources: run([n] * SLOTS, s, with_hops=True),
        }
        for name, wall_s in interleaved(functions, ROUNDS).items():
            trees = few.size if name == "scipy" else sources.size * SLOTS
            spent_ns[name].append(wall_s * 1e9 / trees / (planes * per_plane))
        now = "  ".join(f"{values[-1]:{len(name)}.1f}" for name, values in spent_ns.items())
        print(f"  {planes * per_plane:10,}  {now}")
    sizes = [planes * per_plane for planes, per_plane in GROWN]
    for name, values in spent_ns.items():
        print(f"  {name} {bend(sizes, values)}")
    return sizes, spent_ns


def bend(sizes: list[int], values: list[float]) -> str:
    least = np.minimum.accumulate(values)
    bent = [n for n, ns, low in zip(sizes, values, least, strict=True) if ns > BEND * low]
    return f"bends upward by {bent[0]:,} satellites" if bent else "does not bend"


def draw(path: Path, sizes: list[int], spent_ns: dict[str, list[float]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.subplots()
    for name, values in spent_ns.items():
        axes.loglog(sizes, values, marker="o", label=name)
        below = (0, -14) if name == "skyweave" else (0, 6)
        for size, value in zip(sizes, values, strict=True):
            at = {"xytext": below, "textcoords": "offset points", "ha": "center"}
            axes.annotate(f"{value:.0f}", (size, value), **at)
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
    axes.minorticks_off()
    axes.set_xlabel("satellites (torus)")
    axes.set_ylabel("ns a source and satellite")
    every = [value for values in spent_ns.values() for value in values]
    axes.set_ylim(min(every) / 2, max(every) * 2)
    axes.set_title(f"skyweave {bend(sizes, spent_ns['skyweave'])}")
    axes.margins(x=0.1)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


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


def run(slots: list[Network], sources: np.ndarray | Roots, with_hops: bool) -> None:
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


def fleet_network() -> tuple[Network, Roots]:
    """Neighbours and link lengths of the built-in catalogue's fleet in one slot, and gateways."""
    world = real_fleet(duration_s=15.0)
    catalogue = world.fleet.catalogue
    records = initialise(catalogue)
    edges = next(networks(world, records, 1)).edges
    grid = world.boundaries(0, 1)
    sat_m = propagate(catalogue, grid, world.orientation, records=records).sat_itrf_m[0]
    neighbour = padded_adjacency(edges, len(sat_m), int(np.bincount(edges.ravel()).max()))
    return (neighbour, padded_lengths_m(neighbour, sat_m)), roots_at(world.gateways, sat_m)


def roots_at(gateways: Gateways, sat_m: np.ndarray) -> Roots:
    places = geodetic_to_itrf(gateways.lat_deg, gateways.lon_deg, gateways.height_wgs84_m)
    seen = visible_pairs(*places, sat_m, Mask.elevation(gateways.min_elevation_deg, len(gateways)))
    slant_m = np.linalg.norm(sat_m[seen.sat] - places[0][seen.site_rows], axis=1)
    return Roots(seen.site_start, seen.sat, slant_m)


if __name__ == "__main__":
    sys.exit(main())
