"""A witness (c2sp.org/tlog-witness): cosigns a log's growth and never two histories of it.

It keeps one file, the largest checkpoint it has cosigned of each log, and answers requests with
the protocol's status codes; module `witness_http` serves them.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from skyweave.control.log.checkpoint import (
    Checkpoint,
    checkpoint_of,
    parse_checkpoint,
    parse_number,
)
from skyweave.control.log.durable import locked, publish, read_limited
from skyweave.control.log.merkle import consistency_proof, is_consistent
from skyweave.control.log.proofs import parse_hashes
from skyweave.control.log.store import LogFolder
from skyweave.control.log.tiles import MAX_ENTRIES
from skyweave.control.signing.encoding import shown, to_base64
from skyweave.control.signing.keys import PrivateKey
from skyweave.control.signing.notes import (
    COSIGNATURE,
    MAX_NOTE_BYTES,
    Note,
    SignatureLine,
    VerifierKey,
    cosign_note,
    parse_note,
    parse_signature_line,
    verified_lines,
)
from skyweave.errors import InputError, SkyweaveError

MAX_REQUEST_BYTES = 2 * MAX_NOTE_BYTES
MAX_STATE_BYTES = 1 << 24

_ORIGIN_TAKEN = "the checkpoint names another log"


class WitnessReply(NamedTuple):
    """What HTTP would carry: 200 with a signature line, 409 with the size that is known."""

    status: int  # 200, 400, 403, 404, 409 or 422
    body: bytes


Carrier = Callable[[bytes], WitnessReply]  # brings an add-checkpoint request to a witness


class _Seen(NamedTuple):
    """The last checkpoint of a log that was cosigned, with that signature, and when."""

    note: Note
    time_s: int


@dataclass(frozen=True)
class Witness:
    """A witness of some logs; requests are handled one at a time, under the state file's lock."""

    name: str
    key: PrivateKey
    logs: Mapping[str, Sequence[VerifierKey]]  # accepted keys by origin
    state: Path  # JSON, made at the first request

    @property
    def verifier(self) -> VerifierKey:
        """The key to name in policies."""
        return VerifierKey(self.name, COSIGNATURE, self.key.public)

    def add_checkpoint(self, request: bytes, now_s: int) -> WitnessReply:
        """Answer one request; a cosignature leaves only after the new state is durable."""
        try:
            old_size, proof, note = parse_request(request)
            head = checkpoint_of(note)
        except InputError as error:
            return WitnessReply(400, f"{error}\n".encode())
        refusal = self._refusal_of(note, head, old_size)
        if refusal is not None:
            return refusal
        with locked(self.state.with_name(self.state.name + ".lock"), "the witness's state"):
            return self._cosigned(note, head, old_size, proof, now_s)

    def newest(self, origin: str) -> bytes | None:
        """Return the last checkpoint of a log that was cosigned, with that signature and the log's.

        None where the witness has not seen the log.
        """
        found = self._latest().get(origin)
        return None if found is None else found.note.encode()

    def _refusal_of(self, note: Note, head: Checkpoint, old_size: int) -> WitnessReply | None:
        keys = self.logs.get(head.origin)
        if keys is None:
            return WitnessReply(404, b"log unknown\n")
        try:
            signed = verified_lines(note, keys, "checkpoint")
        except InputError as error:
            return WitnessReply(403, f"{error}\n".encode())
        if not signed:
            return WitnessReply(403, b"no signature of the log\n")
        if old_size > head.size:
            return WitnessReply(400, b"the old size is larger than the checkpoint's\n")
        return None

    def _cosigned(
        self, note: Note, head: Checkpoint, old_size: int, proof: Sequence[bytes], now_s: int
    ) -> WitnessReply:
        latest = self._latest()
        last = latest.get(head.origin)
        known = Checkpoint.empty(head.origin) if last is None else checkpoint_of(last.note)
        if old_size != known.size:
            return WitnessReply(409, f"{known.size}\n".encode())
        if not is_consistent(old_size, head.size, known.root, head.root, proof):
            return WitnessReply(422, b"the proof does not lead from the old root to the new one\n")
        if last is not None and now_s < last.time_s:
            raise SkyweaveError(
                f"{self.state}: the clock stands before the last cosignature; set it right, "
                "a witness's times only rise"
            )
        line = cosign_note(note.text, self.name, self.key, now_s)
        latest[head.origin] = _Seen(self._kept(note, head).with_line(line), now_s)
        self._keep(latest)
        return WitnessReply(200, line.text.encode())

    def _kept(self, note: Note, head: Checkpoint) -> Note:
        """Return a note with the log's own lines alone."""
        keys = {(key.name, key.key_hash) for key in self.logs[head.origin]}
        lines = (line for line in note.lines if (line.name, line.key_hash) in keys)
        return Note(note.text, tuple(lines))

    def _latest(self) -> dict[str, _Seen]:
        """Return what was cosigned last of each log."""
        if not self.state.exists():
            return {}
        content = read_limited(self.state, MAX_STATE_BYTES, "a witness's state")
        found: dict[str, _Seen] = {}
        with suppress(ValueError, TypeError, AttributeError, LookupError, RecursionError):
            for origin, fields in json.loads(content).items():
                head, note = parse_checkpoint(fields["note"].encode(), str(self.state))
                if head.origin != origin:
                    raise InputError(f"{self.state}: {_ORIGIN_TAKEN}; restore the file")
                found[origin] = _Seen(note, int(fields["time_s"]))
            return found
        raise InputError(
            f"{self.state}: not a witness's state; restore it from a backup of this very moment "
            "or retire the witness's key: a witness that forgets can be led to cosign a fork"
        )

    def _keep(self, latest: Mapping[str, _Seen]) -> None:
        content = {
            origin: {"note": seen.note.encode().decode(), "time_s": seen.time_s}
            for origin, seen in latest.items()
        }
        encoded = json.dumps(content, indent=1).encode()
        publish(self.state.parent, {self.state.name: encoded}, self.state.parent)


def request_body(old_size: int, proof: Sequence[bytes], checkpoint: bytes) -> bytes:
    """Return the body of an add-checkpoint request."""
    hashes = "".join(f"{to_base64(each)}\n" for each in proof)
    return f"old {old_size}\n{hashes}\n".encode() + checkpoint


def parse_request(content: bytes) -> tuple[int, tuple[bytes, ...], Note]:
    """Return the old size, the consistency proof and the checkpoint of a request."""
    if len(content) > MAX_REQUEST_BYTES:
        raise InputError(f"request: at most {MAX_REQUEST_BYTES:,} bytes are read")
    head, gap, checkpoint = content.partition(b"\n\n")
    first, *lines = head.decode("ascii", "replace").split("\n")
    if not gap or not first.startswith("old "):
        raise InputError(f'request: found {shown(first)}, expected "old SIZE", a proof and a note')
    old_size = parse_number(first.removeprefix("old "), "request: line 1", MAX_ENTRIES)
    return old_size, parse_hashes(lines, "request: proof"), parse_note(checkpoint, "request")


def ask_witness(
    log: LogFolder, witness: VerifierKey, add_checkpoint: Carrier
) -> tuple[Note, SignatureLine]:
    """Return the newest checkpoint and a witness's verified line over it."""
    note, line, _ = ask_any_witness(log, [witness], add_checkpoint, witness.name)
    return note, line


def ask_any_witness(
    log: LogFolder, witnesses: Sequence[VerifierKey], add_checkpoint: Carrier, who: str
) -> tuple[Note, SignatureLine, VerifierKey]:
    """Return the newest checkpoint and a line over it of one of these witnesses: whichever answers.

    `add_checkpoint` carries the request there; where the witness knows another size than none, it
    says so (409) and is asked again with the proof from there.
    """
    content = log.checkpoint()
    head, note = parse_checkpoint(content, str(log.folder))
    reply = add_checkpoint(request_body(0, (), content))
    if reply.status == 409:
        old_size = _size_of(reply, who)
        if old_size > head.size:
            raise InputError(
                f"{who}: the witness has seen {old_size} entries, the log has {head.size};"
                " the folder was set back, restore it before anything is appended"
            )
        proof = consistency_proof(old_size, head.size, log.subtree(head.size))
        reply = add_checkpoint(request_body(old_size, proof, content))
    lines = reply.body[:MAX_NOTE_BYTES].decode("utf-8", "replace").split("\n")
    if reply.status != 200:
        raise InputError(
            f"{who}: refused with {reply.status}: {shown(_printable(lines[0]))}; "
            "ask whoever runs the witness"
        )
    for text in filter(None, lines):
        line = parse_signature_line(text, who)
        for signed in verified_lines(Note(note.text, (line,)), witnesses, who):
            return note, line, signed.key
    raise InputError(f"{who}: the reply holds no cosignature by its key; check the policy")


def _size_of(reply: WitnessReply, who: str) -> int:
    text = reply.body[:MAX_NOTE_BYTES].decode("ascii", "replace").removesuffix("\n")
    return parse_number(_printable(text), who, MAX_ENTRIES)


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text).strip()
