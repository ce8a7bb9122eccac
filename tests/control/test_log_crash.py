"""A log whose writer is killed at any moment loses nothing acknowledged and signs one history."""

import os
import random
import shutil
import signal
import subprocess
import sys

import pytest

from skyweave.control.log import LogFolder, LogWriter, create_log, fsck, verify_folder
from skyweave.control.log import durable
from skyweave.control.log.checkpoint import parse_checkpoint
from skyweave.errors import InputError, SkyweaveError
from tests.support import rfc6962
from tests.support.made_log import LOG_KEY, ORIGIN, append, make_log

# Appends forever and says after each append what was acknowledged; dies after so many file
# operations (write, rename, flush: the steps between which a crash can fall), as by kill -9.
WRITER = """
import os, signal, sys
from pathlib import Path
from skyweave.control.log import LogWriter
from tests.support.made_log import LOG_KEY
steps = int(sys.argv[2])
def counted(function):
    def step(*arguments, **options):
        global steps
        steps -= 1
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return step
os.fsync, os.replace = counted(os.fsync), counted(os.replace)
with LogWriter(Path(sys.argv[1]), LOG_KEY) as log:
    while True:
        size = log.checkpoint.size
        head = log.append([b"entry %d" % (size + n) for n in range(int(sys.argv[3]))])
        sys.stdout.write(f"{head.size} {head.root.hex()}\\n")
        sys.stdout.flush()
"""


def killed(folder, steps, batch):
    """The checkpoints that a writer acknowledged before it was killed."""
    command = [sys.executable, "-c", WRITER, str(folder), str(steps), str(batch)]
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=120,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(["src", ".", *sys.path])},
    )  # fmt: skip
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    lines = (line.split() for line in ended.stdout.splitlines())
    return [(int(size), root) for size, root in lines]


def test_no_crash_loses_an_acknowledged_entry_or_forks(tmp_path, full_counts, record_figure):
    rng = random.Random(4)
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    policy = make_log(tmp_path / "other", [b"x"])
    points, roots = 500 if full_counts else 8, {}
    for _ in range(points):
        said = killed(tmp_path / "log", rng.randint(1, 40), rng.choice((1, 3, 100, 300)))
        # Every root the log ever signed, acknowledged or not, must stay the root of its size.
        signed, _ = parse_checkpoint(LogFolder(tmp_path / "log").checkpoint())
        for size, root in [*said, (signed.size, signed.root.hex())]:
            assert roots.setdefault(size, root) == root, f"a fork at {size}"
        with LogWriter(tmp_path / "log", LOG_KEY) as log:
            assert log.checkpoint.size >= max(roots)
            roots[log.checkpoint.size] = log.checkpoint.root.hex()
        assert not fsck(tmp_path / "log", policy).problems
    entries = verify_folder(tmp_path / "log", policy).entries
    assert entries == tuple(b"entry %d" % n for n in range(len(entries)))
    for size, root in roots.items():
        assert rfc6962.mth(entries[:size]).hex() == root
    record_figure("log: kill -9 points without loss or fork", points, "", "500")


def test_a_log_that_was_never_closed_is_whole_again_when_it_is_opened(tmp_path):
    """Lost power may take every name and block that was not flushed, the journal excepted."""
    log = tmp_path / "log"
    create_log(log, ORIGIN, LOG_KEY)
    append(log, [b"a", b"b"])
    shutil.copytree(log, tmp_path / "flushed")
    append(log, [b"c", b"d", b"e"])
    shutil.copy(log / ".writer/journal", tmp_path / "flushed/.writer/journal")
    with LogWriter(tmp_path / "flushed", LOG_KEY) as again:
        assert again.checkpoint.size == 5
    assert (tmp_path / "flushed/checkpoint").read_bytes() == (log / "checkpoint").read_bytes()


def test_a_torn_journal_was_never_signed_and_is_dropped(tmp_path):
    log = tmp_path / "log"
    create_log(log, ORIGIN, LOG_KEY)
    append(log, [b"a"])
    before = shutil.copytree(log, tmp_path / "before")
    append(log, [b"b" * 50])
    journal = (log / ".writer/journal").read_bytes()
    for cut in range(0, len(journal), 7):
        (before / ".writer/journal").write_bytes(journal[:cut])
        with LogWriter(before, LOG_KEY) as again:
            assert again.checkpoint.size == 1


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
    with LogWriter(tmp_path / "log", LOG_KEY):
        with pytest.raises(InputError, match="another process is writing the log"):
            LogWriter(tmp_path / "log", LOG_KEY).__enter__()
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
