"""Run the tests at their full counts, resumably, and write the table of figures.

    python tools/prove.py

Each test file is run by itself with SKYWEAVE_FULL=1, as many at a time as there are cores.  A file
that passed for this very source is not run again, so an interrupted proof goes on where it stopped;
what other test files hold does not count, unless it names them.
A failure or a skip fails the proof: it needs the reference data.  The table goes to
docs/evidence/figures.md.
"""

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
STATE = ROOT / ".prove"
SLOW = ("fuzz", "mutants", "stateful", "tamper", "crash", "border")  # longest, so they come first
TESTS = sorted(
    (ROOT / "tests").rglob("test_*.py"), key=lambda path: not any(s in path.name for s in SLOW)
)
NAMED = re.compile(rb"(?:tests|tools)/[\w/]+\.py")
EVIDENCE = ROOT / "docs" / "evidence" / "figures.md"


def source_digest() -> str:
    """Return one digest of everything that every test's outcome depends on."""
    digest = hashlib.sha256()
    for folder in ("src", "tests", "scenarios", "benchmarks"):
        for path in sorted((ROOT / folder).rglob("*")):
            kept = path.suffix not in (".pyc", ".nbi", ".nbc") and path not in TESTS
            if path.is_file() and kept:
                digest.update(str(path.relative_to(ROOT)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def content_of(test: Path) -> bytes:
    """Return a test file and the files that it names, whose tests it runs itself."""
    own = test.read_bytes()
    named = sorted({ROOT / name.decode() for name in NAMED.findall(own)})
    return b"\0".join([own, *(path.read_bytes() for path in named if path.is_file())])


def prove(test: Path, digest: str) -> dict[str, object]:
    """Run one test file, or return its outcome when it already passed for this source."""
    name = str(test.relative_to(ROOT))
    digest = hashlib.sha256(digest.encode() + content_of(test)).hexdigest()[:16]
    record = STATE / f"{name.replace('/', '-')}.json"
    if record.exists() and (found := json.loads(record.read_text()))["digest"] == digest:
        return found
    figures = record.with_suffix(".figures")
    figures.unlink(missing_ok=True)
    environment = os.environ | {"SKYWEAVE_FULL": "1", "SKYWEAVE_FIGURES": str(figures)}
    started = time.monotonic()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", name]
    outcome = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    last = outcome.stdout.strip().splitlines()[-1] if outcome.stdout.strip() else outcome.stderr
    passed = outcome.returncode == 0 and "skipped" not in last
    if not passed:
        print(outcome.stdout, outcome.stderr)
    lines = figures.read_text().splitlines() if figures.exists() else []
    found = {
        "digest": digest,
        "test": name,
        "outcome": last.strip("= "),
        "passed": passed,
        "seconds": round(time.monotonic() - started, 1),
        "figures": [json.loads(line) for line in lines],
    }
    if passed:
        record.write_text(json.dumps(found))
    return found


def report(results: list[dict[str, object]], digest: str) -> str:
    """Return the evidence as Markdown."""
    version = subprocess.run(
        [sys.executable, "-c", "import skyweave; print(skyweave.__version__)"],
        capture_output=True, text=True, check=True,
    ).stdout.strip()  # fmt: skip
    lines = [
        "# Evidence: figures",
        "",
        f"Skyweave {version}, source {digest}, {datetime.now(UTC):%Y-%m-%d}, "
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores. "
        "Written by `make prove`, which runs every test at its full count.",
        "",
        "| figure | measured | limit |",
        "|---|---|---|",
    ]
    for result in results:
        for row in result["figures"]:  # type: ignore[attr-defined]
            value = f"{row['value']:.6g}" if isinstance(row["value"], float) else row["value"]
            lines.append(f"| {row['figure']} | {value} {row['unit']} | {row['limit']} |")
    lines += ["", "| tests | outcome | s |", "|---|---|---|"]
    lines += [f"| `{r['test']}` | {r['outcome']} | {r['seconds']} |" for r in results]
    return "\n".join(lines) + "\n"


def collects_as_one() -> bool:
    """Say whether `make test` could begin: the test files of one run must not shadow each other."""
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider"]
    outcome = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if outcome.returncode:
        print(outcome.stdout[-4000:], outcome.stderr)
    return outcome.returncode == 0


def main() -> int:
    STATE.mkdir(exist_ok=True)
    if not collects_as_one():
        print("not proven: the tests cannot be collected in one run")
        return 1
    digest = source_digest()
    results = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(lambda test: prove(test, digest), TESTS):
            print(f"{result['test']}: {result['outcome']}", flush=True)
            results.append(result)
    if not all(result["passed"] for result in results):
        print("not proven: a test failed or was skipped; fix it, then run this again to go on")
        return 1
    EVIDENCE.write_text(report(results, digest), encoding="utf-8")
    print(EVIDENCE.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
