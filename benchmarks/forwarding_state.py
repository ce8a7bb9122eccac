"""Hypatia's forwarding state: satgenpy's `algorithm_free_one_only_over_isls` against our export.

    python benchmarks/forwarding_state.py [--peer-python PYTHON] [--peer-steps 3] [--steps 200]

Both take 100 cities and steps of 100 ms and write their files; a step of satgenpy and whole exports
of ours take turns.  satgenpy starts from the very folder we wrote.  PYTHON is an interpreter that
has satgenpy, where this one has not.

Then the answers: over satgenpy's own lengths its way and ours cost the same for every node, city
and step; and how far the two differ from end to end, where each propagates by itself.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SHELLS = ("starlink-550", "kuiper-610")
EVERY_MS = 100
EXPORTS_PER_PEER_STEP = 3
FLOOR, AIM = 500.0, 3000.0
SAME_COST = 1e-9  # relative
LIGHT_M_S = 299_792_458.0


class Network(NamedTuple):
    """Lengths of one step: S cities, N satellites, K laser links each."""

    neighbour: np.ndarray  # (N, K)
    length_m: np.ndarray  # (N, K)
    start: np.ndarray  # (S + 1,) where the satellites in view of each city begin
    sat: np.ndarray  # (P,)
    range_m: np.ndarray  # (P,)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer-python", default=sys.executable)
    parser.add_argument("--peer-steps", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200, help="of each export of ours")
    parser.add_argument("--only", choices=SHELLS)
    parser.add_argument("--serve", nargs=2, metavar=("NETWORK", "OUT"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.serve:
        serve(*map(Path, chosen.serve))
        return 0
    failed = 0
    for shell in (chosen.only,) if chosen.only else SHELLS:
        with tempfile.TemporaryDirectory() as folder:
            failed |= compare(shell, Path(folder), chosen)
    return failed


def compare(shell: str, folder: Path, chosen: argparse.Namespace) -> int:
    from common import verdict

    export = Exports(shell, folder / "ours", chosen.steps)
    export.write()  # untimed: kernels compile, and satgenpy needs a folder to start from
    ours_s, theirs_s = [], []
    (folder / "theirs").mkdir()
    with satgenpy(chosen.peer_python, folder / "ours", folder / "theirs") as step:
        for k in range(chosen.peer_steps):
            theirs_s.append(step(k))
            ours_s += [export.timed() for _ in range(EXPORTS_PER_PEER_STEP)]
    print(f"{shell}, 100 cities, {EVERY_MS} ms: a step with its files, medians")
    theirs, ours = statistics.median(theirs_s), statistics.median(ours_s)
    print(f"  satgenpy {theirs:.2f} s ({chosen.peer_steps} steps), skyweave {ours * 1e3:.2f} ms")
    failed = verdict(f"forwarding state, {shell}", theirs / ours, FLOOR, AIM)
    return failed | answers(export, folder, chosen.peer_steps)


class Exports:
    """Our export of one constellation, again and again into the same folder."""

    def __init__(self, shell: str, out: Path, steps: int) -> None:
        from skyweave import load_scenario
        from skyweave.twin.world import build_world

        scenarios = Path(__file__).parents[1] / "scenarios" / "hypatia"
        self.world = build_world(load_scenario(scenarios / f"{shell}.toml"))
        self.out, self.steps = out, steps

    def write(self) -> None:
        from skyweave.twin.export import export_hypatia

        shutil.rmtree(self.out, ignore_errors=True)
        for_s = self.steps * EVERY_MS // 1000
        export_hypatia(self.world, self.world.grid.epoch_utc, EVERY_MS / 1e3, for_s, self.out)

    def timed(self) -> float:
        """Return the seconds that one step took, its share of all other files included."""
        shutil.rmtree(self.out, ignore_errors=True)
        start = time.perf_counter()
        self.write()
        return (time.perf_counter() - start) / self.steps


@contextmanager
def satgenpy(python: str, network: Path, out: Path) -> Iterator[Any]:
    """Yield a function that lets satgenpy compute step k and returns the seconds it took."""
    command = [python, __file__, "--serve", str(network), str(out)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None

        def step(k: int) -> float:
            print(k, file=child.stdin, flush=True)
            answer = child.stdout.readline()
            if not answer:
                sys.exit(f"{python} ended: has it satgenpy? (pip install satgenpy)")
            return float(json.loads(answer))

        yield step
        child.stdin.close()


def serve(network: Path, out: Path) -> None:
    """Compute the steps named on standard input with satgenpy alone, and keep its lengths."""
    import exputil
    import satgen

    # The package gives the module's name to the function in it.
    generate = sys.modules["satgen.dynamic_state.generate_dynamic_state"]
    tles = satgen.read_tles(str(network / "tles.txt"))
    stations = satgen.read_ground_stations_extended(str(network / "ground_stations.txt"))
    satellites = tles["satellites"]
    isls = satgen.read_isls(str(network / "isls.txt"), len(satellites))
    antennas = satgen.read_gsl_interfaces_info(
        str(network / "gsl_interfaces_info.txt"), len(satellites), len(stations)
    )
    limits = exputil.PropertiesConfig(str(network / "description.txt"))
    longest_m = [float(limits.get_property_or_fail(f"max_{k}_length_m")) for k in ("gsl", "isl")]
    seen: list[tuple[Any, ...]] = []
    algorithm = generate.algorithm_free_one_only_over_isls

    def watched(*arguments: Any) -> Any:
        seen[:] = arguments[4:6]  # the graph and the satellites in range
        return algorithm(*arguments)

    generate.algorithm_free_one_only_over_isls = watched
    before = None
    for line in sys.stdin:
        t_ns = int(line) * EVERY_MS * 1_000_000
        start = time.perf_counter()
        before = generate.generate_dynamic_state_at(
            str(out), tles["epoch"], t_ns, satellites, stations, isls, antennas, *longest_m,
            "algorithm_free_one_only_over_isls", before, False,
        )  # fmt: skip
        wall_s = time.perf_counter() - start
        graph, in_range = seen
        edges = np.array([(a, b, m) for a, b, m in graph.edges(data="weight")])
        views = [(site, sat, m) for site, row in enumerate(in_range) for m, sat in row]
        np.savez(out / f"lengths_{t_ns}.npz", edges=edges, views=np.array(views))
        print(json.dumps(wall_s), flush=True)


def answers(export: Exports, folder: Path, steps: int) -> int:
    """Compare both answers step by step; return 1 where ways over the same lengths differ."""
    worst, others, rows, one_sided = 0.0, 0, 0, 0
    apart_s: list[np.ndarray] = []
    satellites = len(export.world.fleet.catalogue)
    theirs, written = (empty_table(satellites, 100) for _ in range(2))
    (state,) = (folder / "ours").glob("dynamic_state_*")
    for k, ours in enumerate(networks(export, steps)):
        t_ns = k * EVERY_MS * 1_000_000
        read_changes(folder / "theirs" / f"fstate_{t_ns}.txt", theirs)
        read_changes(state / f"fstate_{t_ns}.txt", written)
        same = peer_network(folder / "theirs" / f"lengths_{t_ns}.npz", ours.neighbour)
        table, cost_m = our_answer(same)
        theirs_m = walked_m(theirs, same)
        for mine_m in (cost_m, walked_m(table, same)):
            worst = max(worst, relative(mine_m, theirs_m))
        others += int((table != theirs).sum())
        rows += table.size
        end_to_end_m = walked_m(written, ours)
        both = np.isfinite(end_to_end_m) & np.isfinite(theirs_m)
        one_sided += int((np.isfinite(end_to_end_m) != np.isfinite(theirs_m)).sum())
        apart_s.append(np.abs(end_to_end_m[both] - theirs_m[both]) / LIGHT_M_S)
    half, most, all_us = np.percentile(np.concatenate(apart_s) * 1e6, [50, 99, 100])
    print(
        f"  over the same lengths: costs within {worst:.1e} (limit {SAME_COST:g}), other next hops"
    )
    print(f"  in {others:,} of {rows:,} (ties)")
    print(
        f"  each over its own lengths, one way: half within {half:.2f} us, 99 % within {most:.2f},"
    )
    print(f"  all within {all_us:.0f} (satellites at the rim); {one_sided} ways only one of us has")
    return int(worst > SAME_COST)


def empty_table(satellites: int, sites: int) -> np.ndarray:
    table = np.full((sites, satellites + sites), -1)
    table[np.arange(sites), satellites + np.arange(sites)] = satellites + np.arange(sites)
    return table


def read_changes(path: Path, table: np.ndarray) -> None:
    rows = np.loadtxt(path, delimiter=",", dtype=np.int64, ndmin=2)
    if rows.size:
        table[rows[:, 1] - (table.shape[1] - len(table)), rows[:, 0]] = rows[:, 2]


def networks(export: Exports, steps: int) -> Iterator[Network]:
    """Yield our own lengths, step by step."""
    from skyweave.twin.snapshots import site_places, site_views, snapshots

    world = export.world
    places = site_places(world.scenario.sites)
    t_s = np.arange(steps) * EVERY_MS / 1e3
    for _, chunk in snapshots(world, world.grid.epoch_utc, t_s):
        for now in chunk:
            seen, range_m = site_views(world, places, now.sat_itrf_m)
            yield Network(now.neighbour, now.length_m, seen.site_start, seen.sat, range_m)


def peer_network(path: Path, neighbour: np.ndarray) -> Network:
    """Return satgenpy's lengths over the same laser links."""
    with np.load(path) as kept:
        edges, views = kept["edges"], kept["views"]
    a, b = edges[:, :2].astype(np.int64).T
    dense_m = np.full((len(neighbour), len(neighbour)), np.inf)
    dense_m[a, b] = dense_m[b, a] = edges[:, 2]
    site = views[:, 0].astype(np.int64)
    start = np.searchsorted(site, np.arange(101))
    length_m = np.where(
        neighbour >= 0, dense_m[np.arange(len(neighbour))[:, None], neighbour], np.inf
    )
    return Network(neighbour, length_m, start, views[:, 1].astype(np.int32), views[:, 2].copy())


def our_answer(network: Network) -> tuple[np.ndarray, np.ndarray]:
    """Return our table (S, N + S) over some lengths and the cost that we state, in metres."""
    from skyweave.twin.export._hypatia_text import forwarding_table
    from skyweave.twin.routing import Roots, shortest_trees
    from skyweave.twin.routing.ground_pairs import pair_costs

    roots = Roots(network.start, network.sat, network.range_m)
    trees = shortest_trees(network.neighbour, network.length_m, roots, with_hops=False)
    ways = pair_costs(*roots, trees.cost)
    table = forwarding_table(trees.next_hop, trees.cost, ways.ingress).astype(np.int64)
    here = np.arange(len(table))
    table[here, network.length_m.shape[0] + here] = network.length_m.shape[0] + here
    cost_m = np.hstack((trees.cost, ways.cost.T))
    cost_m[here, network.length_m.shape[0] + here] = 0.0
    return table, cost_m


def walked_m(table: np.ndarray, network: Network) -> np.ndarray:
    """Return what the way from every node to every city adds up to, (S, N + S), in metres."""
    satellites, sites = len(network.neighbour), len(table)
    nodes = satellites + sites
    length_m = np.full((nodes + 1, nodes + 1), np.inf)  # the last row is "nowhere", -1
    near, column = np.nonzero(network.neighbour >= 0)
    length_m[near, network.neighbour[near, column]] = network.length_m[near, column]
    site = satellites + np.repeat(np.arange(sites), np.diff(network.start))
    length_m[site, network.sat] = length_m[network.sat, site] = network.range_m
    length_m[np.arange(nodes), np.arange(nodes)] = 0.0
    total_m = np.zeros(table.shape)
    for d in range(sites):
        then = np.append(table[d], -1)
        node = np.arange(nodes)
        for _ in range(nodes):
            onward = then[node]
            total_m[d] += length_m[node, onward]
            if (onward == node).all():
                break
            node = onward
    return total_m


def relative(ours_m: np.ndarray, theirs_m: np.ndarray) -> float:
    """Return the largest relative difference; infinite where only one of the two arrives."""
    if (np.isfinite(ours_m) != np.isfinite(theirs_m)).any():
        return np.inf
    there = np.isfinite(theirs_m) & (theirs_m > 0.0)
    return float((np.abs(ours_m[there] - theirs_m[there]) / theirs_m[there]).max())


if __name__ == "__main__":
    sys.exit(main())
