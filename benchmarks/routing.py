"""Every satellite's cheapest way to 1,700 feeder links: own Dijkstra against scipy's, one thread.

Scipy gets its matrix ready made; in use its weights would have to be filled in for every slot.
"""

import sys

import numpy as np
from common import interleaved, plus_grid, verdict
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.twin.routing import cheapest_to_ground

PLANES, PER_PLANE, FEEDER_LINKS, ROUNDS = 100, 100, 1700, 31
SATELLITES = PLANES * PER_PLANE


def main() -> int:
    rng = np.random.default_rng(0)
    neighbour, length_m = plus_grid(PLANES, PER_PLANE)
    seed_sat = rng.choice(SATELLITES, FEEDER_LINKS, replace=False).astype(np.int32)
    seed_cost_s = rng.uniform(0.002, 0.03, FEEDER_LINKS)
    graph = with_source(neighbour, length_m, seed_sat, seed_cost_s)
    wall_s = interleaved(
        {
            "scipy": lambda: dijkstra(graph, indices=SATELLITES, return_predecessors=True),
            "skyweave": lambda: cheapest_to_ground(neighbour, length_m, seed_sat, seed_cost_s),
        },
        ROUNDS,
    )
    print(f"scipy {wall_s['scipy'] * 1e3:.2f} ms, skyweave {wall_s['skyweave'] * 1e3:.2f} ms")
    ratio = wall_s["scipy"] / wall_s["skyweave"]
    return verdict("routing, 10k satellites, 1,700 feeder links", ratio, floor=1.0, aim=2.0)


def with_source(
    neighbour: np.ndarray, length_m: np.ndarray, seed_sat: np.ndarray, seed_cost_s: np.ndarray
) -> csr_matrix:
    """The same network with one more node, joined one way to every seed."""
    source = np.concatenate(
        [np.repeat(np.arange(SATELLITES), 4), np.full(FEEDER_LINKS, SATELLITES)]
    )
    target = np.concatenate([neighbour.ravel(), seed_sat])
    cost_s = np.concatenate([length_m.ravel() / SPEED_OF_LIGHT_M_S, seed_cost_s])
    return csr_matrix((cost_s, (source, target)), shape=(SATELLITES + 1, SATELLITES + 1))


if __name__ == "__main__":
    sys.exit(main())
