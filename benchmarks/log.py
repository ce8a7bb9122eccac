"""The public log: durable appends a second, one receipt checked, a whole log checked.

    python benchmarks/log.py [--entries N] [--folder DIR]

Appends wait for the disk, so give a DIR on the disk that a log would stand on; the machine's own
flush is timed beside them, because no append can be faster than one.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from skyweave.control.log import (
    LogFolder,
    LogWriter,
    Witness,
    ask_witness,
    create_log,
    fsck,
    parse_policy,
    parse_receipt,
    prove,
    verify_receipt,
)
from skyweave.control.signing import VerifierKey, generate_key
from skyweave.control.signing.notes import LOG_SIGNATURE

ORIGIN = "example.org/benchmark"
WITNESSES, QUORUM = 5, 3
SINGLE_APPENDS, BATCH, RECEIPTS = 400, 4096, 200
APPENDS_FLOOR, RECEIPT_LIMIT_S, FSCK_LIMIT_S = 100.0, 0.005, 30.0


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--entries", type=int, default=100_000, metavar="N")
    parser.add_argument("--folder", type=Path, metavar="DIR")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        return measure(Path(place), options.entries)


def measure(place: Path, entries: int) -> int:
    folder, key = place / "log", generate_key()
    own = VerifierKey(ORIGIN, LOG_SIGNATURE, key.public)
    seen = [Witness(f"w.org/{n}", generate_key(), {ORIGIN: [own]}, place / f"w{n}.json")
            for n in range(WITNESSES)]  # fmt: skip
    names = [f"w{n}" for n in range(WITNESSES)]
    lines = [f"log {own.text}"]
    lines += [f"witness {name} {w.verifier.text}" for name, w in zip(names, seen, strict=True)]
    lines += [f"group g {QUORUM} {' '.join(names)}", "quorum g"]
    policy = parse_policy("\n".join(lines).encode())
    create_log(folder, ORIGIN, key)
    with LogWriter(folder, key) as log:
        flush_s = statistics.median(timed(lambda: flush_once(place)) for _ in range(100))
        single_s = timed(lambda: append_singly(log))
        batched_s = timed(lambda: append_rest(log, entries - SINGLE_APPENDS))
        for witness in seen:
            note, line = ask_witness(
                log.reader, witness.verifier, lambda r, w=witness: w.add_checkpoint(r, 1)
            )
            log.add_cosignatures(note, [line])
    rate = SINGLE_APPENDS / single_s
    print(f"one flush of the disk: {flush_s * 1e3:.2f} ms")
    print(f"batched appends: {(entries - SINGLE_APPENDS) / batched_s:,.0f} entries/s")
    receipt = prove(LogFolder(folder), entries // 3).encode()
    entry = LogFolder(folder).entry(entries // 3, entries)
    receipt_s = statistics.median(
        timed(lambda: verify_receipt(parse_receipt(receipt), entry, policy))
        for _ in range(RECEIPTS)
    )
    reports = []
    fsck_s = timed(lambda: reports.append(fsck(folder, policy)))
    sound = bool(reports[0])
    print(f"fsck finds {len(reports[0].problems)} problems in {entries:,} entries")
    return max(
        said("durable appends, one at a time", rate, "/s", rate >= APPENDS_FLOOR),
        said("one receipt", receipt_s * 1e3, "ms", receipt_s <= RECEIPT_LIMIT_S),
        said("fsck", fsck_s, "s", sound and fsck_s <= FSCK_LIMIT_S),
    )


def append_singly(log: LogWriter) -> None:
    for number in range(SINGLE_APPENDS):
        log.append([entry_of(number)])


def append_rest(log: LogWriter, count: int) -> None:
    for start in range(0, count, BATCH):
        log.append([entry_of(n) for n in range(start, min(start + BATCH, count))])


def entry_of(number: int) -> bytes:
    return b"%d " % number + b"x" * 300  # about the size of an approval


def flush_once(place: Path) -> None:
    with (place / "flush").open("wb") as file:
        file.write(b"x" * 400)
        file.flush()
        os.fsync(file.fileno())


def timed(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def said(what: str, value: float, unit: str, holds: bool) -> int:
    print(f"{what}: {value:.3g} {unit}: {'holds' if holds else 'below the floor'}")
    return int(not holds)


if __name__ == "__main__":
    sys.exit(main())
