"""Hours of shortest-path trees: 1,000 sources x the real fleet x slots of 15 s, one thread.

    python benchmarks/trees_day.py [--slots 5760 for a day; 240, an hour, by default]

The laser links and their lengths are made anew for each slot, as a user's would be, and streamed
through `tree_blocks`: cost and next hop of every satellite.  Limits: 2 GB, and later slots
cost no more than early ones.  The time of the trees is told apart from that of the links.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator

import numpy as np
from common import real_fleet

from skyweave.twin.routing import tree_blocks
from skyweave.twin.snapshots import snapshots
from skyweave.twin.world import World

SOURCES, SLOT_S, SLOTS_AN_HOUR = 1000, 15.0, 240
MAX_MEMORY_BYTES, MAX_LATE_OVER_EARLY = 2e9, 1.25  # the second: a shared machine's drift
Network = tuple[np.ndarray, np.ndarray]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--slots", type=int, default=SLOTS_AN_HOUR, help="15 s each; a day: 5760")
    slots = parser.parse_args().slots
    world = real_fleet(duration_s=slots * SLOT_S)
    sources = some_sources(next(networks(world, 1)))
    links_s: list[float] = []
    started_s = time.perf_counter()
    slot_s = grow(timed(networks(world, slots), links_s), sources)
    wall_s = time.perf_counter() - started_s
    trees_s = slot_s - np.array(links_s)
    print(f"{SOURCES:,} sources x {slots:,} slots: {wall_s:.0f} s")
    print(
        f"a slot: trees {1e3 * np.median(trees_s):.0f} ms, links {1e3 * np.median(links_s):.0f} ms"
    )
    hour = max(1, min(SLOTS_AN_HOUR, slots // 2))
    late_over_early = float(np.median(trees_s[-hour:]) / np.median(trees_s[:hour]))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    figures = (
        ("last hour's trees over the first's", late_over_early, MAX_LATE_OVER_EARLY, "x"),
        ("peak memory", peak_bytes / 1e9, MAX_MEMORY_BYTES / 1e9, "GB"),
    )
    for name, value, limit, unit in figures:
        print(f"{name}: {value:.2f} {unit} (limit {limit:g}): {'ok' if value <= limit else 'OVER'}")
    return int(any(value > limit for _, value, limit, _ in figures))


def grow(stream: Iterator[Network], sources: np.ndarray) -> np.ndarray:
    """Return the seconds of each slot, links included."""
    ends_s = [time.perf_counter()]
    for block in tree_blocks(stream, sources, with_hops=False):
        if block.first_root + len(block.trees.cost) == SOURCES:
            ends_s.append(time.perf_counter())
    return np.diff(ends_s)


def timed(stream: Iterator[Network], spent_s: list[float]) -> Iterator[Network]:
    """Yield what `stream` does, noting the seconds that each item took to make."""
    while True:
        started_s = time.perf_counter()
        network = next(stream, None)
        if network is None:
            return
        spent_s.append(time.perf_counter() - started_s)
        yield network


def some_sources(network: Network) -> np.ndarray:
    linked = np.flatnonzero((network[0] >= 0).any(axis=1))
    return np.random.default_rng(0).choice(linked, SOURCES, replace=False).astype(np.int32)


def networks(world: World, slots: int) -> Iterator[Network]:
    for _, chunk in snapshots(world, world.grid.epoch_utc, np.arange(slots) * SLOT_S):
        for now in chunk:
            yield now.neighbour, now.length_m


if __name__ == "__main__":
    sys.exit(main())
