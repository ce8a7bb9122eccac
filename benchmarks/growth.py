"""What a slot costs as sites grow from 10 to 100,000, under the full fleet with laser links.

    python benchmarks/growth.py

Reported, without a limit: milliseconds a slot, and nanoseconds for each pair of a site and a
satellite that it sees.  The cost of the network itself, which no site changes, is told apart.
"""

import sys
import time

import numpy as np

from skyweave.twin.orbits import initialise
from skyweave.twin.pipeline import networks, serve, services
from skyweave.twin.scenario import build_scenario
from skyweave.twin.sites import site_sky
from skyweave.twin.targets import find_targets
from skyweave.twin.terminals import make_terminals
from skyweave.twin.world import World, build_world

SITES = (10, 100, 1_000, 10_000, 100_000)
SLOTS, NETWORK_SLOTS, ROUNDS = 4, 60, 3
SOUTHMOST_DEG, NORTHMOST_DEG = -56.0, 62.0  # where people live


def base_world() -> World:
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15.0 * SLOTS},
        "catalogue": {"select": ["STARLINK"]},
        "isl": {"plan": "fleet"},
        "terminals": [{"id": "one", "lat_deg": 0.0, "lon_deg": 0.0}],
    }
    return build_world(build_scenario(content, "growth"))


def with_sites(world: World, count: int) -> World:
    """Return a world with sites spread evenly over the area of the inhabited latitudes."""
    rng = np.random.default_rng(count)
    low, high = np.sin(np.radians([SOUTHMOST_DEG, NORTHMOST_DEG]))
    lat_deg = np.degrees(np.arcsin(rng.uniform(low, high, count)))
    terminals = make_terminals(
        [f"site-{n}" for n in range(count)], lat_deg, rng.uniform(-180, 180, count), country="XX"
    )
    targets = find_targets(terminals, world.gateways, world.pops, (), "growth")
    sky = site_sky(world.scenario, terminals)
    return World(**{**vars(world), "terminals": terminals, "targets": targets, "sky": sky})


def best_s(work) -> float:
    times_s = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        times_s.append(time.perf_counter() - started)
    return min(times_s)


def main() -> int:
    world = base_world()
    records = initialise(world.fleet.catalogue)
    slots = list(networks(world, records, SLOTS))  # compiles, and serves all sizes
    alone_s = best_s(lambda: list(networks(world, records, NETWORK_SLOTS)))
    print(f"the network alone: {1e3 * alone_s / NETWORK_SLOTS:.0f} ms a slot")
    print(f"{'sites':>8} {'pairs a slot':>13} {'ms a slot':>10} {'ns a pair':>10}")
    for count in SITES:
        sized = with_sites(world, count)
        serve(sized, records, slots[:1])
        found = next(services(sized, records, slots[:1]))[1]
        cost_s = best_s(lambda sized=sized: serve(sized, records, slots)) / SLOTS
        pairs = len(found.candidates)
        print(f"{count:>8,} {pairs:>13,} {1e3 * cost_s:>10.1f} {1e9 * cost_s / pairs:>10.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
