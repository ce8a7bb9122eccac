"""Run every benchmark: each prints its ratios against a peer and fails below its floor."""

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "benchmarks"
BENCHMARKS = sorted(p for p in FOLDER.glob("*.py") if p.name != "common.py")


def main() -> int:
    below = [p.name for p in BENCHMARKS if subprocess.run([sys.executable, p]).returncode]
    if below:
        print(f"below its floor, or failed: {', '.join(below)}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
