"""Receipts (c2sp.org/tlog-proof): that an entry stands in a log, checkable without the log."""

from dataclasses import dataclass

from skyweave.control.log.checkpoint import checkpoint_of, parse_number
from skyweave.control.log.merkle import (
    HASH_BYTES,
    MAX_PROOF_HASHES,
    inclusion_proof,
    inclusion_root,
    leaf_hash,
)
from skyweave.control.log.store import LogFolder
from skyweave.control.log.tiles import MAX_ENTRIES
from skyweave.control.log.trust import TrustPolicy, VerifiedCheckpoint, verify_checkpoint
from skyweave.control.signing.encoding import from_base64, shown, to_base64
from skyweave.control.signing.notes import MAX_NOTE_BYTES, parse_note
from skyweave.errors import InputError

MAX_RECEIPT_BYTES = 2 * MAX_NOTE_BYTES

_FIRST_LINE = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Receipt:
    """An entry's place in a log and the proof that leads from it to a checkpoint's root."""

    index: int
    proof: tuple[bytes, ...]
    checkpoint: bytes  # the note, as published
    extra: bytes | None = None  # unauthenticated, by the format's rules

    def encode(self) -> bytes:
        """Return the receipt as a file, usually named .tlog-proof."""
        extra = [] if self.extra is None else [f"extra {to_base64(self.extra)}"]
        hashes = (to_base64(each) for each in self.proof)
        head = "\n".join([_FIRST_LINE, *extra, f"index {self.index}", *hashes])
        return head.encode() + b"\n\n" + self.checkpoint


def prove(log: LogFolder, index: int, checkpoint: bytes | None = None) -> Receipt:
    """Return the receipt of an entry, under the newest checkpoint or one the log gave before."""
    note = log.checkpoint() if checkpoint is None else checkpoint
    head = checkpoint_of(parse_note(note))
    if not 0 <= index < head.size:
        raise InputError(
            f"{log.folder}: entry {index} is not in the log, which has {head.size} entries from 0"
        )
    proof = tuple(inclusion_proof(index, head.size, log.subtree(head.size)))
    leaf = leaf_hash(log.entry(index, head.size))
    if inclusion_root(index, head.size, leaf, proof) != head.root:
        raise InputError(
            f"{log.folder}: the files do not prove entry {index}; find the damage with "
            "skyweave log fsck"
        )
    return Receipt(index, proof, note)


def verify_receipt(
    receipt: Receipt,
    entry: bytes,
    policy: TrustPolicy,
    source: str = "receipt",
    *,
    quorum: bool = True,
) -> VerifiedCheckpoint:
    """Return the checkpoint that holds the entry, by the word of an accepted log and witnesses."""
    verified = verify_checkpoint(receipt.checkpoint, policy, source, quorum=quorum)
    head = verified.checkpoint
    if inclusion_root(receipt.index, head.size, leaf_hash(entry), receipt.proof) != head.root:
        raise InputError(
            f"{source}: the entry does not stand in the log at {receipt.index}; "
            "do not act on it, and ask the log for its own receipt"
        )
    return verified


def parse_receipt(content: bytes, source: str = "receipt") -> Receipt:
    """Return the receipt of its bytes; nothing in it is verified yet."""
    if len(content) > MAX_RECEIPT_BYTES:
        raise InputError(f"{source}: at most {MAX_RECEIPT_BYTES:,} bytes are read; name a receipt")
    head, gap, checkpoint = content.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError:
        first, lines = "", []
    if first != _FIRST_LINE or not gap or not lines:
        raise InputError(
            f'{source}: expected "{_FIRST_LINE}" and a proof; ask for the receipt anew'
        )
    extra = None
    if lines[0].startswith("extra "):
        extra = from_base64(lines.pop(0).removeprefix("extra "), f"{source}: line 2")
    number = 2 if extra is None else 3
    if not lines or not lines[0].startswith("index "):
        found = shown(lines[0]) if lines else "nothing"
        raise InputError(f'{source}: line {number}: found {found}, expected "index N"')
    index = parse_number(lines[0].removeprefix("index "), f"{source}: line {number}", MAX_ENTRIES)
    proof = parse_hashes(lines[1:], f"{source}: proof")
    checkpoint_of(parse_note(checkpoint, source), source)
    return Receipt(index, proof, checkpoint, extra)


def parse_hashes(lines: list[str], where: str) -> tuple[bytes, ...]:
    """Return the hashes of a proof's lines."""
    if len(lines) > MAX_PROOF_HASHES:
        raise InputError(f"{where}: {len(lines)} hashes, at most {MAX_PROOF_HASHES} make a proof")
    return tuple(from_base64(x, f"{where}: hash {n}", HASH_BYTES) for n, x in enumerate(lines))
