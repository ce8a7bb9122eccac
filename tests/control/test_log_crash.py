"""A log whose writer is killed at any moment loses nothing acknowledged and signs one history."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from tests.support import rfc6962
from tests.support.made_log import LOG_KEY, LOG_VERIFIER, ORIGIN, append, make_log

from skyweave.control.log import (
    LogFolder,
    LogWriter,
    create_log,
    durable,
    fsck,
    parse_policy,
    verify_folder,
)
from skyweave.control.log.checkpoint import parse_checkpoint
from skyweave.control.log.tiles import Tile
from skyweave.errors import InputError, SkyweaveError

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


def test_lost_power_takes_no_acknowledged_entry(tmp_path):
    """It may take every name and block that was not flushed: here all but the journal."""
    log, flushed = tmp_path / "log", tmp_path / "flushed"
    create_log(log, ORIGIN, LOG_KEY)
    append(log, [b"a"] * 250)
    shutil.copytree(log, flushed)
    with LogWriter(log, LOG_KEY) as writer:
        writer.append([b"c"])
        writer.append([b"d"] * 20)
        shutil.copy(log / ".writer/journal", flushed / ".writer/journal")
        said = writer.checkpoint
        kept = (log / "checkpoint").read_bytes()
    for lost in (b"", b"\0" * 100, None):  # a checkpoint emptied, of zeros, and as it was before
        once = shutil.copytree(flushed, tmp_path / f"once {lost!r:.6}".replace("\\", ""))
        if lost is not None:
            (once / "checkpoint").write_bytes(lost)
        with LogWriter(once, LOG_KEY) as again:
            assert again.checkpoint == said
        assert (once / "checkpoint").read_bytes() == kept
        assert LogFolder(once).entry(250, 271) == b"c"


def test_a_torn_journal_was_never_signed_and_is_dropped(tmp_path):
    log = tmp_path / "log"
    create_log(log, ORIGIN, LOG_KEY)
    append(log, [b"a"])
    before = shutil.copytree(log, tmp_path / "before")
    empty = (log / ".writer/journal").read_bytes()
    with LogWriter(log, LOG_KEY) as writer:
        writer.append([b"b" * 50])
        journal = (log / ".writer/journal").read_bytes()
    start, end = (len(each.rstrip(b"\0")) for each in (empty, journal))
    for cut in range(start, end, 7):
        torn = journal[:cut] + bytes(len(journal) - cut)
        (before / ".writer/journal").write_bytes(torn if cut % 2 else journal[:cut])
        with LogWriter(before, LOG_KEY) as again:
            assert again.checkpoint.size == 1
        assert b"bbb" not in (before / ".writer/journal").read_bytes()
    for cut in range(0, start, 7):
        (before / ".writer/journal").write_bytes(journal[:cut])
        with pytest.raises(InputError, match="not a log's journal; restore"):
            LogWriter(before, LOG_KEY).__enter__()


def test_partial_tiles_stay_until_the_full_one_is_durable(tmp_path):
    log = tmp_path / "log"
    create_log(log, ORIGIN, LOG_KEY)
    with LogWriter(log, LOG_KEY) as writer:
        writer.append([b"a"] * 255)
        writer.append([b"b"])
        assert (log / "tile/0/000.p/255").is_file()
    assert not (log / "tile/0/000.p").exists()
    assert not (log / "tile/entries/000.p").exists()
    assert (log / "tile/0/000").is_file()


def test_a_failed_write_closes_the_log_until_it_is_opened_anew(tmp_path, monkeypatch):
    """After a failed flush the system may forget what was written, so going on could fork."""
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        log.append([b"a"])

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(durable.os, "replace", full)
        with pytest.raises(OSError, match="No space left"):
            log.append([b"b"])
        monkeypatch.undo()
        with pytest.raises(SkyweaveError, match="the log is closed; open it again"):
            log.append([b"c"])
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        assert log.checkpoint.size == 2
        assert log.reader.entry(1, 2) == b"b"


def test_a_second_writer_is_refused_and_let_in_later(tmp_path):
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    second = LogWriter(tmp_path / "log", LOG_KEY)
    refused = pytest.raises(InputError, match="another process is writing the log")
    with LogWriter(tmp_path / "log", LOG_KEY), refused:
        second.__enter__()
    append(tmp_path / "log", [b"a"])
    assert LogFolder(tmp_path / "log").entry(0, 1) == b"a"


def test_a_folder_that_was_set_back_is_not_written_on(tmp_path):
    """Or else the log would sign a second history of the entries that are missing."""
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    append(tmp_path / "log", [b"a"])
    old = (tmp_path / "log/checkpoint").read_bytes()
    append(tmp_path / "log", [b"b"])
    append(tmp_path / "log", [b"c"])
    (tmp_path / "log/checkpoint").write_bytes(old)
    with pytest.raises(InputError, match="the folder was set back, restore all of it"):
        append(tmp_path / "log", [b"d"])


def test_a_reader_beside_the_writer_always_finds_a_log_that_holds(tmp_path, full_counts):
    """Partial tiles go when the full one is there: between looking for one and reading it, too."""
    policy = make_log(tmp_path / "log", [b"x"])
    done = threading.Event()

    def write():
        while not done.is_set():
            with LogWriter(tmp_path / "log", LOG_KEY) as log:
                for _ in range(40):
                    log.append([b"entry"] * 7)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(400 if full_counts else 20):
            assert not fsck(tmp_path / "log", policy).problems
    finally:
        done.set()
        writer.join()


def test_a_partial_tile_that_is_gone_is_found_in_the_full_one(tmp_path):
    make_log(tmp_path / "log", [b"entry"] * 256)
    partial = Tile(0, 0, 100)
    name, content = LogFolder(tmp_path / "log").content_of(partial, 10**6)
    assert name == "tile/0/000"
    assert LogFolder(tmp_path / "log").tile(partial) == content[:3200]
    with pytest.raises(InputError, match="No such file"):
        LogFolder(tmp_path / "log").tile(Tile(0, 1, 100))
