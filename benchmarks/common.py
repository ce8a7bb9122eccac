"""What the benchmarks share: interleaved timing in one process, verdicts, and a network.

A machine's speed drifts with what else runs on it, so peers and we take turns round by round and
only ratios of one run are compared.
"""

import statistics
import time
from collections.abc import Callable, Mapping

import numpy as np

from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import World, build_world


def real_fleet(duration_s: float) -> World:
    """Return the real fleet with its modelled laser links, and one terminal."""
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": duration_s},
        "catalogue": {"select": ["STARLINK"]},
        "isl": {"plan": "fleet"},
        "terminals": [{"id": "anywhere", "lat_deg": 0.0, "lon_deg": 0.0}],
    }
    return build_world(build_scenario(content, "benchmark"))


def interleaved(functions: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Return each function's median time in seconds over `rounds` rounds, taking turns.

    Every function runs once beforehand, untimed, so compilation and first touches do not count.
    """
    for function in functions.values():
        function()
    times_s: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            times_s[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times_s.items()}


def verdict(what: str, ratio: float, floor: float, aim: float) -> int:
    """Print how a ratio stands to its floor and aim; return the exit code, 1 below the floor."""
    word = "below the floor" if ratio < floor else "holds" if ratio < aim else "reaches the aim"
    print(f"{what}: {ratio:.1f}x (floor {floor:g}x, aim {aim:g}x): {word}")
    return int(ratio < floor)


def plus_grid(planes: int, per_plane: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours and link lengths (N, 4) of a 53-degree shell at 550 km, odd planes shifted."""
    plane, slot = np.divmod(np.arange(planes * per_plane), per_plane)
    along = 2 * np.pi * (slot + plane % 2 / 2) / per_plane
    node, tilt = 2 * np.pi * plane / planes, np.radians(53.0)
    x, y = np.cos(along), np.sin(along)
    sat_m = 6.928e6 * np.column_stack(
        (
            np.cos(node) * x - np.sin(node) * np.cos(tilt) * y,
            np.sin(node) * x + np.cos(node) * np.cos(tilt) * y,
            np.sin(tilt) * y,
        )
    )
    steps = [(0, 1), (0, -1), (1, 0), (-1, 0)]
    rows = [(plane + p) % planes * per_plane + (slot + s) % per_plane for p, s in steps]
    neighbour = np.sort(np.column_stack(rows)).astype(np.int32)
    return neighbour, np.linalg.norm(sat_m[neighbour] - sat_m[:, None], axis=2)
