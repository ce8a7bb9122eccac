"""The demo's run on warm caches: at most 60 s and 1.5 GB; and `import skyweave`: at most 0.5 s.

    python benchmarks/demo.py

Absolute limits, not ratios: they are what a person waits for.  The memory is the peak of the whole
process.
"""

import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAX_RUN_S, MAX_MEMORY_BYTES, MAX_IMPORT_S = 60.0, 1.5e9, 0.5
RUNS, IMPORTS = 3, 7
SKYWEAVE = Path(sys.executable).parent / "skyweave"


def run_s(folder: str) -> float:
    """Return the demo's own account of its wall time, report and pictures excluded."""
    command = [SKYWEAVE, "demo", "--out", f"{folder}/demo", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout)["wall_s"])


def import_s(code: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - started


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        run_s(folder)  # compiles and caches the kernels
        wall_s = statistics.median(run_s(folder) for _ in range(RUNS))
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    pairs = [(import_s("import skyweave"), import_s("pass")) for _ in range(IMPORTS)]
    loading_s = statistics.median(ours - bare for ours, bare in pairs)
    figures = (
        ("demo's run stage", wall_s, MAX_RUN_S, "s"),
        ("its peak memory", memory / 1e9, MAX_MEMORY_BYTES / 1e9, "GB"),
        ("import skyweave", loading_s, MAX_IMPORT_S, "s"),
    )
    for name, value, limit, unit in figures:
        print(f"{name}: {value:.2f} {unit} (limit {limit:g}): {'ok' if value <= limit else 'OVER'}")
    return int(any(value > limit for _, value, limit, _ in figures))


if __name__ == "__main__":
    sys.exit(main())
