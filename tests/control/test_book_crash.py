"""A keeper who is killed at any moment leaves a folder that holds, with all acknowledged."""

import os
import random
import signal
import subprocess
import sys

import pytest
from tests.support.kept_log import Kept
from tests.support.made_charter import key

from skyweave.control.book import Book, BookWriter, examine

# For each line it reads, forks a child that appends requests, each with a text of its own, and says
# after each append which entry was acknowledged.  It dies, as by kill -9, after so many steps.
KEEPER = """
import os, signal, sys
from pathlib import Path
from tests.support.kept_log import Kept
from tests.support.made_charter import MadeLog, NOON_S, key
from skyweave.control.book import BookWriter
from skyweave.control.domain.documents import Request, digest_of
from skyweave.control.log import store
log = MadeLog()
def counted(function):
    def step(*arguments, **options):
        global steps
        steps -= 1
        if steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*arguments, **options)
    return step
def request(number):
    text = b"ask %d" % number
    fields = {"received_s": NOON_S, "asked_by": "An office", "asked_by_kind": "state",
              "channel": "letter", "summary": ""}
    made = Request(request_id=f"r-{number}", text=digest_of(text), **fields)
    return log.sign(made, "tidewire-1"), {made.text: text}
def die_keeping():
    os.fsync, os.replace = counted(os.fsync), counted(os.replace)
    os.fdatasync = counted(os.fdatasync)
    Path.write_bytes = counted(Path.write_bytes)
    with BookWriter(Path(sys.argv[1]), key("log")) as writer:
        while True:
            number = len(writer.book.entries)
            envelope, objects = request(number)
            writer.append([envelope], objects, {}, NOON_S + number)
            os.write(1, f"{number}\\n".encode())
for line in sys.stdin:
    steps = int(line)
    store._JOURNALLED_BATCHES = 5  # so that the files are flushed between appends, too
    child = os.fork()
    if child == 0:
        die_keeping()
    _, status = os.waitpid(child, 0)
    os.write(1, f"ended {status}\\n".encode())
"""


@pytest.fixture
def keepers(tmp_path):
    """The process whose children keep a log and die."""
    command = [sys.executable, "-c", KEEPER, str(tmp_path / "log")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(["src", ".", *sys.path])}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield process
        process.stdin.close()


def killed(process, steps):
    """The entries that a keeper acknowledged before it was killed."""
    process.stdin.write(f"{steps}\n")
    process.stdin.flush()
    lines = []
    while not lines or not lines[-1].startswith("ended"):
        lines.append(process.stdout.readline().strip())
    assert lines.pop() == f"ended {int(signal.SIGKILL)}"
    return [int(line) for line in lines]


def test_no_crash_leaves_an_entry_without_its_text(tmp_path, keepers, full_counts, record_figure):
    """Or a folder that does not verify, before the keeper comes back and after."""
    rng, acknowledged = random.Random(9), 0
    Kept(tmp_path / "log")
    points = 60 if full_counts else 8
    for _ in range(points):
        acknowledged = max([acknowledged, *killed(keepers, rng.randint(1, 40))])
        as_it_lies = Book.open(tmp_path / "log", quorum=False)
        assert len(as_it_lies.entries) > acknowledged
        with BookWriter(tmp_path / "log", key("log")) as writer:
            assert len(writer.book.entries) > acknowledged
        health = examine(tmp_path / "log")
        assert health.problems == ()
    after = Book.open(tmp_path / "log", quorum=False)
    requests = after.authority().requests
    assert len(requests) == len(after.entries) - 1
    for request, number in requests.values():
        assert after.objects[request.text] == b"ask %d" % number
    record_figure("log: kill -9 points of a keeper, with objects", points, "", "")
