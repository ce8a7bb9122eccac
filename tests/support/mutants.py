"""Break modules on purpose by tools/mutate.py, and count what their tests notice."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ENOUGH = 0.85


def assert_killed(pairs, every, group, record_figure):
    """Try each `every`-th mutant of modules; `pairs` holds their tests, the fastest first."""
    names = [f"skyweave.{module}={','.join(tests)}" for module, tests in pairs.items()]
    command = [sys.executable, "tools/mutate.py", "--json", "--every", str(every), *names]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout, done.stderr
    found = json.loads(done.stdout).values()
    killed, tried = sum(each["killed"] for each in found), sum(each["tried"] for each in found)
    record_figure(
        f"mutation: {group}, mutants killed of {tried} (1 in {every})",
        100.0 * killed / tried, "%", ">= 85 %",
    )  # fmt: skip
    assert killed >= ENOUGH * tried, done.stdout
