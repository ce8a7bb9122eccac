"""What is left of a way after one thing on it fails."""

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.routing.dijkstra import GroundLinks, GroundPath, ground_paths

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]


class Failover(NamedTuple):
    """The cheapest way that remains when one satellite or link of the best way fails."""

    kind: str  # "satellite", "laser", "start" or "end": the last two are the ground links
    sats: tuple[int, ...]  # the satellite, or both ends of the laser link
    cost_s: float  # one way; inf where the failure cuts the pair


def failovers(
    neighbour: RowArray, length_m: FloatArray, start: GroundLinks, end: GroundLinks,
    path: GroundPath,
) -> list[Failover]:  # fmt: skip
    """Return what remains after each single failure on `path`, in the order of the way.

    Each answer is that of `ground_paths` on the network without what failed; a ground link fails
    between one antenna and one satellite.  `path` is what `ground_paths` found there.
    """
    found = []
    for kind, sats, network in _networks(neighbour, length_m, start, end, path):
        best = ground_paths(neighbour, *network)
        found.append(Failover(kind, sats, best[0].cost_s if best else np.inf))
    return found


Network = tuple[FloatArray, GroundLinks, GroundLinks]


def _networks(
    neighbour: RowArray, length_m: FloatArray, start: GroundLinks, end: GroundLinks,
    path: GroundPath,
) -> Iterator[tuple[str, tuple[int, ...], Network]]:  # fmt: skip
    """Yield, for each thing that may fail, the lengths and ground links without it."""
    first, last = path.sats[0], path.sats[-1]
    yield "start", (first,), (length_m, _without(start, path.start_link), end)
    for sat, then in [*pairwise(path.sats), (last, None)]:
        # Its neighbours still list a failed satellite, but nothing leaves it.
        dead = np.arange(len(length_m)) == sat
        yield (
            "satellite",
            (sat,),
            (
                np.where(dead[:, None], np.inf, length_m),
                _without(start, start.sat == sat),
                _without(end, end.sat == sat),
            ),
        )
        if then is not None:
            cut_m = length_m.copy()
            cut_m[sat, neighbour[sat] == then] = np.inf
            cut_m[then, neighbour[then] == sat] = np.inf
            yield "laser", (sat, then), (cut_m, start, end)
    yield "end", (last,), (length_m, start, _without(end, path.end_link))


def _without(links: GroundLinks, which: int | NDArray[np.bool_]) -> GroundLinks:
    cost_s = links.cost_s.copy()
    cost_s[which] = np.inf
    return links._replace(cost_s=cost_s)
