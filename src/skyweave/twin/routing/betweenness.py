"""Betweenness: how many of the ways between places lead over each satellite and laser link."""

import numpy as np
from numpy.typing import NDArray

from skyweave.kernels import kernel
from skyweave.twin.routing.ground_pairs import PairWays

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]


class Uses:
    """Counts of ways over satellites and laser links, added up over many instants."""

    def __init__(self, satellites: int) -> None:
        self.of_satellite: IntArray = np.zeros(satellites, np.int64)
        self._links: dict[tuple[int, int], int] = {}  # counted under earlier neighbours
        self._neighbour: RowArray = np.empty((satellites, 0), np.int32)
        self._of_neighbour: IntArray = np.empty((satellites, 0), np.int64)

    def add(self, ways: PairWays, node: RowArray, neighbour: RowArray) -> None:
        """Count the ways of one instant: `node` from `list_nodes`, `neighbour` (N, K) its links."""
        if not np.array_equal(neighbour, self._neighbour):
            self._set_aside()
            self._neighbour = neighbour.copy()
            self._of_neighbour = np.zeros(neighbour.shape, np.int64)
        _count(ways.hops, ways.start, node, neighbour, self.of_satellite, self._of_neighbour)

    @property
    def of_link(self) -> tuple[RowArray, IntArray]:
        """The laser links used, (E, 2) rows a < b in lexicographic order, and how often, (E,)."""
        self._set_aside()
        edges = np.array(sorted(self._links), dtype=np.int32).reshape(-1, 2)
        counts = np.array([self._links[a, b] for a, b in edges.tolist()], dtype=np.int64)
        return edges, counts

    def _set_aside(self) -> None:
        row, link = np.nonzero(self._of_neighbour)
        counts = self._of_neighbour[row, link]
        to = self._neighbour[row, link]
        for a, b, count in zip(row.tolist(), to.tolist(), counts.tolist(), strict=True):
            self._links[a, b] = self._links.get((a, b), 0) + count
        self._of_neighbour[:] = 0


@kernel()
def _count(
    hops: RowArray,
    start: IntArray,
    node: RowArray,
    neighbour: RowArray,
    of_satellite: IntArray,
    of_neighbour: IntArray,
) -> None:
    satellites, degree = neighbour.shape
    for a in range(hops.shape[0]):
        for b in range(a + 1, hops.shape[0]):
            before = satellites  # on the ground
            for i in range(start[a, b], start[a, b] + hops[a, b] - 1):
                here = node[i]
                if here < satellites:
                    of_satellite[here] += 1
                    low, high = min(here, before), max(here, before)
                    for k in range(degree):
                        if neighbour[low, k] == high:
                            of_neighbour[low, k] += 1
                            break
                before = here
