"""What obeying a policy costs a run: the same run with and without it, taking turns.

    python benchmarks/policy.py [--rounds 3] [--slots 240] [--convoys 40]

2,000 cities and some convoys under the real fleet with laser links.  The policy has everything on,
so that both runs do the same work for the network: a region for each of the world's 12 belts of
longitude, 30 restrictions there and 270 directives of all kinds elsewhere that begin and end all
the time, and convoys that drive from a border inwards.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import h3.api.numpy_int as h3_cells
import numpy as np
from common import interleaved

from skyweave.policy.regions import cells_at
from skyweave.policy.snapshot import Directive, Kind, PolicyRegion, Snapshot
from skyweave.time import format_utc
from skyweave.twin.border_walk import verdicts_of
from skyweave.twin.run import run_system
from skyweave.twin.scenario import build_scenario
from skyweave.twin.terminals import city_terminals, great_circle_track, write_track
from skyweave.twin.world import System, VerifiedPolicy, build_system

CITIES, SLOT_S, BELTS, DIRECTIVES = 2_000, 15.0, 12, 300
START_UTC = np.datetime64("2026-06-14T12:00:12", "ns")
START_S = int(START_UTC.astype(np.int64)) // 10**9
LIMIT_SHARE = 0.05  # of the run without a policy
_ELSEWHERE = (-75.0, 0.0)  # deg: where nobody is


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slots", type=int, default=240)
    parser.add_argument("--convoys", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        return measure(Path(folder), options.rounds, options.slots, options.convoys)


def measure(folder: Path, rounds: int, slots: int, convoys: int) -> int:
    content = scenario_of(folder, slots, convoys)
    scenario = build_scenario(content, "benchmark", folder)
    policy = VerifiedPolicy(policy_of(slots), "sha256:" + "0" * 64)
    free = build_system(scenario)
    began = time.perf_counter()
    verdicts = verdicts_of(policy.snapshot, free.terminals, free.grid.utc)
    first_s = time.perf_counter() - began
    epochs, decisions = len(verdicts.code), len(verdicts.table)
    print(f"{len(free.terminals):,} terminals, {convoys} of them moving, {slots} slots")
    print(f"{epochs} epochs, {decisions} verdicts that differ, first worked out in {first_s:.2f} s")

    def obeyed() -> None:
        run(build_system(scenario, (), policy), folder / "obeyed")

    def freely() -> None:
        run(build_system(scenario), folder / "free")

    found = interleaved({"free": freely, "obeyed": obeyed}, rounds)
    share = found["obeyed"] / found["free"] - 1.0
    print(f"without a policy {found['free']:.2f} s, with it {found['obeyed']:.2f} s")
    word = "holds" if share <= LIMIT_SHARE else "above the limit"
    print(f"what obeying costs: {share:+.1%} (limit {LIMIT_SHARE:.0%}): {word}")
    return int(share > LIMIT_SHARE)


def run(system: System, out: Path) -> None:
    run_system(system, out)


def scenario_of(folder: Path, slots: int, convoys: int) -> dict[str, object]:
    """Return the run's scenario; each convoy drives 100 km from the edge of the area inwards."""
    moving = []
    for n in range(convoys):
        lat_deg = -20.0 + n
        track = great_circle_track((lat_deg, 169.0), (lat_deg, 168.0), START_UTC, 25.0, 0.0, 60.0)
        write_track(track, folder / f"convoy-{n}.csv")
        moving.append({"id": f"convoy-{n}", "track": f"convoy-{n}.csv"})
    return {
        "time": {"start_utc": format_utc(START_UTC), "duration_s": slots * SLOT_S},
        "catalogue": {"select": ["STARLINK"]},
        "isl": {"plan": "fleet"},
        "terminal_sets": [{"builtin": "cities", "count": CITIES}],
        "terminals": moving,
    }


def policy_of(slots: int) -> Snapshot:
    """Return a policy that has the cities and convoys on, and switches a lot where nobody is."""
    cities = city_terminals(CITIES)
    cells = cells_at(cities.lat_deg, cities.lon_deg)
    belt = ((cities.lon_deg + 180.0) // (360.0 / BELTS)).astype(int) % BELTS
    regions = [region(f"belt-{n}", cells[belt == n]) for n in range(BELTS)]
    strip = [around(-20.0 + k / 4, lon) for k in range(164) for lon in np.arange(160.0, 169.2, 0.2)]
    regions += [region("road", np.concatenate(strip)), region("ice", around(*_ELSEWHERE, 4))]
    active = [directive(Kind.ACTIVATE, n, each.region_id) for n, each in enumerate(regions[:-1])]
    kinds = [Kind.SUSPEND, Kind.EXCLUDE, Kind.EMERGENCY_ACTIVATE]
    rng = np.random.default_rng(1)
    passing = []
    for n in range(DIRECTIVES):
        begin = START_S + int(rng.integers(-3600, slots * SLOT_S))
        is_here = n % 10 == 0
        kind = Kind.RESTRICT if is_here else kinds[n % len(kinds)]
        found = directive(kind, 100 + n, f"belt-{n % BELTS}" if is_here else "ice")
        passing.append(replace(found, from_s=begin, until_s=begin + int(rng.integers(60, 3600))))
    return Snapshot(
        version=1, log_origin="benchmark.example/log", log_size=1000, log_root="r",
        charter_version=1, taken_at_s=START_S, salt="5a" * 16, regions=tuple(regions),
        directives=(*active, *passing),
    )  # fmt: skip


def around(lat_deg: float, lon_deg: float, rings: int = 1) -> np.ndarray:
    return h3_cells.grid_disk(h3_cells.latlng_to_cell(lat_deg, lon_deg, 5), rings)


def region(name: str, cells: np.ndarray) -> PolicyRegion:
    ascending = np.unique(cells.astype(np.uint64))
    return PolicyRegion(name, 1, f"sha256:{name}", ascending, needs_licence=False)


def directive(kind: Kind, entry: int, region_id: str) -> Directive:
    return Directive(
        f"d-{entry}", kind, region_id, entry, START_S - 10**6, START_S + 10**6, "benchmark"
    )


if __name__ == "__main__":
    sys.exit(main())
