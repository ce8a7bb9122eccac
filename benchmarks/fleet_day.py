"""A fleet's whole day: 900 sites x 24 h x 15 s under the full fleet with laser links.

    python benchmarks/fleet_day.py

Absolute limits, not ratios: they are what a person waits for.  The memory is the largest of any
one process, and their sum counts against the limit.
"""

import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

MAX_WALL_S, MAX_MEMORY_BYTES = 600.0, 2e9
WORKERS = 2
SKYWEAVE = Path(sys.executable).parent / "skyweave"
SCENARIO = """
title = "A fleet's day"
[time]
start_utc = 2026-06-14T12:00:12Z
duration_s = 86400
[catalogue]
select = ["STARLINK"]
[visibility]
gso_separation_deg = 18.0
[isl]
plan = "fleet"
[results]
access = "changes"
[[terminal_sets]]
builtin = "cities"
count = 900
"""


def memory_bytes(process: psutil.Process) -> int:
    """Return what a process and its children hold at this moment, shared pages counted once."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        try:
            total += each.memory_full_info().pss
        except psutil.Error:  # it ended meanwhile
            continue
    return total


def watched(command: list[str]) -> tuple[str, float, int]:
    """Run a command; return its output, its wall time and the most memory it held at once."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        answer: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: answer.append(process.stdout.read()))
        reader.start()
        peak, watching = 0, psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, memory_bytes(watching))
            time.sleep(1.0)
        reader.join()
    if process.returncode:
        raise SystemExit(f"the run failed with exit code {process.returncode}")
    return answer[0], time.perf_counter() - started, peak


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "day.toml"
        scenario.write_text(SCENARIO)
        command = [str(SKYWEAVE), "run", str(scenario), "--out", f"{folder}/run", "--json"]
        answer, wall_s, peak = watched([*command, "--workers", str(WORKERS)])
        rows = json.loads(answer)
        size = sum(path.stat().st_size for path in Path(folder, "run").iterdir())
    print(f"{rows['terminals']} terminals x {rows['slots']} slots, {WORKERS} workers")
    print(f"served {rows['served_share']:.4%}, run folder {size / 1e6:.0f} MB")
    figures = (
        ("the whole command", wall_s, MAX_WALL_S, "s"),
        ("peak memory of all its processes", peak / 1e9, MAX_MEMORY_BYTES / 1e9, "GB"),
    )
    for name, value, limit, unit in figures:
        print(f"{name}: {value:.2f} {unit} (limit {limit:g}): {'ok' if value <= limit else 'OVER'}")
    return int(any(value > limit for _, value, limit, _ in figures))


if __name__ == "__main__":
    sys.exit(main())
