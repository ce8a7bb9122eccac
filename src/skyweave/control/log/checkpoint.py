"""Checkpoints (c2sp.org/tlog-checkpoint): a log's name, size and root as a signed note."""

from dataclasses import dataclass

from skyweave.control.log.merkle import EMPTY_ROOT, HASH_BYTES
from skyweave.control.log.tiles import MAX_ENTRIES
from skyweave.control.signing.encoding import from_base64, shown, to_base64
from skyweave.control.signing.notes import Note, parse_note
from skyweave.errors import InputError


@dataclass(frozen=True)
class Checkpoint:
    """What a log signs: the root hash over its first `size` entries."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def empty(cls, origin: str) -> "Checkpoint":
        """Return the checkpoint of a log without entries."""
        return cls(origin, 0, EMPTY_ROOT)

    @property
    def text(self) -> str:
        """The note text, three lines; extension lines are not written."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


def parse_checkpoint(content: bytes, source: str = "checkpoint") -> tuple[Checkpoint, Note]:
    """Return a checkpoint and the note it stands in; no signature is verified yet."""
    note = parse_note(content, source)
    return checkpoint_of(note, source), note


def checkpoint_of(note: Note, source: str = "checkpoint") -> Checkpoint:
    """Return the checkpoint that a note's text states; extension lines are passed over."""
    lines = note.text[:-1].split("\n")
    if len(lines) < 3 or not all(lines):
        raise InputError(
            f"{source}: expected three lines, origin, size and root; fetch the checkpoint again"
        )
    size = parse_number(lines[1], f"{source}: line 2", MAX_ENTRIES)
    root = from_base64(lines[2], f"{source}: line 3", HASH_BYTES)
    return Checkpoint(lines[0], size, root)


def parse_number(text: str, where: str, limit: int) -> int:
    """Return a decimal number in its one spelling, 0 to `limit`."""
    digits = text.isascii() and text.isdigit() and len(text) <= len(str(limit))
    if not digits or str(int(text)) != text or int(text) > limit:
        raise InputError(f"{where}: found {shown(text)}, expected a number up to {limit:,}")
    return int(text)
