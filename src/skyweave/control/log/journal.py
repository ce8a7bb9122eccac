"""The writer's journal: what was acknowledged since the log's files were last flushed.

One file: a mark, then records of a length, a SHA-256 and a content.  The first record is the
checkpoint whose files are all on the disk; each further one a batch that was appended to it.  The
file is laid out in advance with zeros, so that adding a record changes no metadata: one flush.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from skyweave.control.log.durable import publish, read_limited
from skyweave.control.log.tiles import decode_bundle, encode_bundle
from skyweave.errors import InputError

MAX_JOURNAL_BYTES = 1 << 28

_MARK = b"skyweave.journal.v1\n"
_ROOM_BYTES = 1 << 17
_LENGTH_BYTES = 4
_DIGEST_BYTES = 32


class Journal(NamedTuple):
    """A journal's content: the flushed checkpoint's note, and the batches after it."""

    base: bytes
    batches: list[list[bytes]]


def begin_journal(path: Path, base: bytes) -> int:
    """Start anew from a checkpoint whose files are on the disk; return where records go on."""
    head = _MARK + _record(base)
    publish(path.parent, {path.name: head + bytes(_ROOM_BYTES)}, path.parent)
    return len(head)


def add_batch(path: Path, start: int, entries: Sequence[bytes]) -> int:
    """Add a batch at `start`, wait until it is on the disk, and return where the next one goes."""
    with path.open("r+b") as file:
        file.seek(start)
        file.write(_record(encode_bundle(entries)))
        file.flush()
        os.fdatasync(file.fileno())  # of the metadata, it flushes the length where that grew
        return file.tell()


def read_journal(path: Path) -> Journal:
    """Return what a journal holds; a torn record at its end was never acknowledged or signed."""
    content = read_limited(path, MAX_JOURNAL_BYTES, "the log's journal")
    records = _records(content.removeprefix(_MARK)) if content.startswith(_MARK) else []
    if not records:
        raise InputError(f"{path}: not a log's journal; restore the whole folder from a copy")
    return Journal(records[0], [decode_bundle(each, str(path)) for each in records[1:]])


def _record(content: bytes) -> bytes:
    digest = hashlib.sha256(content).digest()
    return len(content).to_bytes(_LENGTH_BYTES, "big") + digest + content


def _records(content: bytes) -> list[bytes]:
    found: list[bytes] = []
    place = 0
    while place < len(content):
        length = int.from_bytes(content[place : place + _LENGTH_BYTES], "big")
        start = place + _LENGTH_BYTES + _DIGEST_BYTES
        record = content[start : start + length]
        if content[place:start] + record != _record(record):
            break
        found.append(record)
        place = start + length
    return found
