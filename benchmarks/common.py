"""What the benchmarks share: interleaved timing in one process, and the verdict on a ratio.

A machine's speed drifts with what else runs on it, so peers and we take turns round by round and
only ratios of one run are compared.
"""

import statistics
import time
from collections.abc import Callable, Mapping


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
