"""A log whose writer is killed at any moment loses nothing acknowledged and signs one history."""

import os
import random
import signal
import subprocess
import sys

import pytest
from tests.support import rfc6962
from tests.support.made_log import LOG_KEY, LOG_VERIFIER, ORIGIN

from skyweave.control.log import (
    LogFolder,
    LogWriter,
    create_log,
    fsck,
    parse_policy,
    verify_folder,
)
from skyweave.control.log.checkpoint import parse_checkpoint

# For each line it reads, forks a child that appends forever and says after each append what was
# acknowledged.  The child dies, as by kill -9, after so many file operations (write, rename,
# flush: the steps between which a crash can fall).
WRITER = """
import os, signal, sys
from pathlib import Path
from skyweave.control.log import LogWriter, store
from tests.support.made_log import LOG_KEY
def counted(function):
    def step(*arguments, **options):
        global steps
        steps -= 1
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return step
def die_writing():
    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    os.fdatasync = counted(os.fdatasync)
    Path.write_bytes = counted(Path.write_bytes)
    with LogWriter(Path(folder), LOG_KEY) as log:
        while True:
            size = log.checkpoint.size
            head = log.append([b"entry %d" % (size + n) for n in range(batch)])
            os.write(1, f"{head.size} {head.root.hex()}\\n".encode())
for line in sys.stdin:
    steps, batch, folder = line.split(maxsplit=2)
    steps, batch, folder = int(steps), int(batch), folder.strip()
    store._JOURNALLED_BATCHES = 20  # so that the files are flushed between appends, too
    child = os.fork()
    if child == 0:
        die_writing()
    _, status = os.waitpid(child, 0)
    os.write(1, f"ended {status}\\n".encode())
"""


@pytest.fixture
def writers():
    """The process whose children write and die."""
    command = [sys.executable, "-c", WRITER]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", ".", *sys.path])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.stdin.close()


def killed(process, folder, rng):
    """The checkpoints that a writer acknowledged before it was killed: (size, root) each."""
    # Few steps die in recovery or soon after; 400 let whole tiles grow between.
    most, batches = rng.choice(((12, (1, 260)), (30, (3, 90)), (400, (1, 2))))
    process.stdin.write(f"{rng.randint(1, most)} {rng.choice(batches)} {folder}\n")
    process.stdin.flush()
    lines = []
    while not lines or lines[-1][0] != "ended":
        lines.append(process.stdout.readline().split())
    assert lines.pop() == ["ended", str(int(signal.SIGKILL))]
    return [(int(size), root) for size, root in lines]


def test_no_crash_loses_an_acknowledged_entry_or_forks(
    tmp_path, writers, full_counts, record_figure
):
    rng = random.Random(4)
    logs, points = (20, 25) if full_counts else (1, 25)  # kills of one log, each after the other
    for number in range(logs):
        assert_survives(tmp_path / f"log {number}", points, writers, rng)
    record_figure("log: kill -9 points without loss or fork", logs * points, "", "500")


def assert_survives(log, points, process, rng):
    create_log(log, ORIGIN, LOG_KEY)
    policy, roots = parse_policy(f"log {LOG_VERIFIER.text}\nquorum none\n".encode()), {}
    for _ in range(points):
        said = killed(process, log, rng)
        # Every root the log ever signed, acknowledged or not, must stay the root of its size.
        signed, _ = parse_checkpoint(LogFolder(log).checkpoint())
        for size, root in [*said, (signed.size, signed.root.hex())]:
            assert roots.setdefault(size, root) == root, f"a fork at {size}"
        with LogWriter(log, LOG_KEY) as writer:
            assert writer.checkpoint.size >= max(roots)
            roots[writer.checkpoint.size] = writer.checkpoint.root.hex()
        assert not fsck(log, policy).problems
    entries = verify_folder(log, policy).entries
    assert entries == tuple(b"entry %d" % n for n in range(len(entries)))
    for size, root in roots.items():
        assert rfc6962.mth(entries[:size]).hex() == root
