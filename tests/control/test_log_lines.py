"""Receipts and checkpoints line by line: what is wrong is named, what was verified stays so."""

from dataclasses import FrozenInstanceError, fields

import pytest
from tests.support.made_log import LOG_KEY, ORIGIN, make_log

from skyweave.control.log import LogFolder, parse_policy, parse_receipt, prove, verify_folder
from skyweave.control.log.checkpoint import Checkpoint, parse_checkpoint
from skyweave.control.signing.notes import Note, sign_note
from skyweave.errors import InputError

ROOT = "A" * 43 + "="


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    folder = tmp_path_factory.mktemp("log")
    make_log(folder / "log", [b"%d" % n for n in range(9)])
    return prove(LogFolder(folder / "log"), 7).encode().decode().split("\n")


def with_lines(lines, start, stop, *new):
    return "\n".join([*lines[:start], *new, *lines[stop:]]).encode()


@pytest.mark.parametrize(
    ("start", "stop", "new", "text"),
    [
        (1, 2, ["number 7"], r'receipt: line 2: found "number 7", expected "index N"'),
        (1, 2, ["extra AAAA", "number 7"], r'line 3: found "number 7", expected "index N"'),
        (1, 2, ["extra AAAA", "index x"], "receipt: line 3"),
        (1, 2, ["index x"], "receipt: line 2"),
        (1, 2, ["extra !"], "receipt: line 2"),
    ],
)
def test_the_line_that_is_wrong_is_named(lines, start, stop, new, text):
    with pytest.raises(InputError, match=text):
        parse_receipt(with_lines(lines, start, stop, *new), "receipt")


def test_a_receipt_that_ends_after_its_extra_has_nothing_there(lines):
    blank = lines.index("")
    with pytest.raises(InputError, match=r"line 3: found nothing, expected"):
        parse_receipt(with_lines(lines, 1, blank, "extra AAAA"), "receipt")


def test_the_extra_of_a_receipt_is_kept(lines):
    read = parse_receipt(with_lines(lines, 1, 1, "extra AAEC"), "receipt")
    assert (read.extra, read.index) == (b"\x00\x01\x02", 7)
    assert parse_receipt("\n".join(lines).encode(), "receipt").extra is None


def note(text):
    """The bytes of a note by the log's key."""
    return Note(text, (sign_note(text, ORIGIN, LOG_KEY),)).encode()


@pytest.mark.parametrize(
    ("text", "refusal"),
    [
        (f"{ORIGIN}\n9\n", "expected three lines, origin, size and root"),
        (f"{ORIGIN}\n\n{ROOT}\n", "expected three lines"),
        (f"{ORIGIN}\n9\n{ROOT}\n\nmore\n", "expected three lines"),
        (f"{ORIGIN}\n09\n{ROOT}\n", "line 2: found"),
        (f"{ORIGIN}\n-9\n{ROOT}\n", "line 2: found"),
        (f"{ORIGIN}\n{2**40 + 1}\n{ROOT}\n", "expected a number up to 1,099,511,627,776"),
        (f"{ORIGIN}\n9\n{ROOT[:-2]}\n", "line 3"),
    ],
)
def test_a_checkpoint_that_is_spoilt_says_where(text, refusal):
    with pytest.raises(InputError, match=refusal):
        parse_checkpoint(note(text))


@pytest.mark.parametrize(("size", "more"), [(9, ""), (2**40, ""), (0, "extension\n")])
def test_a_checkpoint_of_any_size_is_read_and_extensions_are_passed_over(size, more):
    read, _ = parse_checkpoint(note(f"{ORIGIN}\n{size}\n{ROOT}\n{more}"))
    assert read == Checkpoint(ORIGIN, size, bytes(32))


def test_nobody_changes_what_was_verified_afterwards(tmp_path):
    policy = make_log(tmp_path / "log", [b"one", b"two"])
    verified = verify_folder(tmp_path / "log", policy, quorum=False)
    receipt = prove(LogFolder(tmp_path / "log"), 1)
    groups = parse_policy(b"quorum none\n"), policy
    for record in (verified, verified.checkpoint, receipt, Checkpoint("x", 0, bytes(32)), *groups):
        with pytest.raises(FrozenInstanceError):
            setattr(record, fields(record)[0].name, None)
