"""C2SP signed notes (c2sp.org/signed-note): a text, an empty line, and signature lines.

Two kinds of Ed25519 signature are known: plain ones of a log (type 1) and timestamped cosignatures
of a witness (type 4, c2sp.org/tlog-cosignature).  A key is named by its name and a 32-bit id; the
id only says which key to try, never that a signature is good.
"""

import functools
import hashlib
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from skyweave.control.signing.encoding import from_base64, shown, to_base64
from skyweave.control.signing.keys import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, PrivateKey, PublicKey
from skyweave.errors import InputError

MAX_NOTE_BYTES = 1 << 16
MAX_SIGNATURE_LINES = 100
MAX_NAME_CHARACTERS = 200

LOG_SIGNATURE = 1
COSIGNATURE = 4
_KINDS = (LOG_SIGNATURE, COSIGNATURE)

_KEY_HASH_BYTES = 4
_TIME_BYTES = 8
_MAX_TIME_S = 2**63 - 1
_DASH = "\N{EM DASH} "


class SignatureLine(NamedTuple):
    """One signature line: who claims to have signed, and what stands after the key's id."""

    name: str
    key_hash: bytes
    signature: bytes

    @property
    def text(self) -> str:
        """The line as it stands in a note, with its newline."""
        return f"{_DASH}{self.name} {to_base64(self.key_hash + self.signature)}\n"


@dataclass(frozen=True)
class VerifierKey:
    """A public key with the name and the kind of signature that it is trusted for."""

    name: str
    kind: int  # LOG_SIGNATURE or COSIGNATURE
    public: PublicKey

    @property
    def key_hash(self) -> bytes:
        """The four bytes that stand before each signature of the key."""
        material = bytes([self.kind]) + self.public.raw
        return hashlib.sha256(self.name.encode() + b"\n" + material).digest()[:_KEY_HASH_BYTES]

    @property
    def text(self) -> str:
        """The verifier key as one word: name+id+key."""
        material = bytes([self.kind]) + self.public.raw
        return f"{self.name}+{self.key_hash.hex()}+{to_base64(material)}"


@dataclass(frozen=True)
class Note:
    """A text, which ends in a newline, and the signature lines under it."""

    text: str
    lines: tuple[SignatureLine, ...]

    def encode(self) -> bytes:
        """Return the note as it is published."""
        return (self.text + "\n" + "".join(line.text for line in self.lines)).encode()

    def with_line(self, line: SignatureLine) -> "Note":
        """Return the note with one more line; a line of the same key gives way to it."""
        kept = (x for x in self.lines if (x.name, x.key_hash) != (line.name, line.key_hash))
        return replace(self, lines=(*kept, line))

    def with_lines(self, lines: Iterable[SignatureLine]) -> "Note":
        """Return the note with more lines, each as `with_line` adds it."""
        return functools.reduce(Note.with_line, lines, self)


class Signed(NamedTuple):
    """A signature that verified: whose it is, and for a cosignature its time."""

    key: VerifierKey
    time_s: int | None  # POSIX seconds at which a witness saw the text


def parse_verifier_key(text: str, where: str = "verifier key") -> VerifierKey:
    """Return the key of its one-word form; its id must be the one that its parts give."""
    parts = text.split("+", 2)  # base64 may hold more plus signs
    if len(parts) != 3 or not is_key_name(parts[0]):
        raise InputError(f"{where}: found {shown(text)}, expected name+id+key; copy the whole word")
    material = from_base64(parts[2], where, 1 + PUBLIC_KEY_BYTES)
    if material[0] not in _KINDS:
        raise InputError(
            f"{where}: signature type {material[0]} is not known; expected Ed25519, type 1 of a "
            "log or 4 of a witness"
        )
    key = VerifierKey(parts[0], material[0], PublicKey(material[1:]))
    if key.key_hash.hex() != parts[1]:
        raise InputError(
            f"{where}: id {shown(parts[1])} does not belong to the key; copy the whole word again"
        )
    return key


def is_key_name(name: str) -> bool:
    """Return whether a key may have this name: not empty, no space, no plus, no control."""
    bad = any(c == "+" or c.isspace() or unicodedata.category(c) in ("Cc", "Cs") for c in name)
    return 0 < len(name) <= MAX_NAME_CHARACTERS and not bad


def sign_note(text: str, name: str, key: PrivateKey) -> SignatureLine:
    """Return a log's signature line over a note's text."""
    verifier = _named(name, LOG_SIGNATURE, key)
    return SignatureLine(name, verifier.key_hash, key.sign(text.encode()))


def cosign_note(text: str, name: str, key: PrivateKey, time_s: int) -> SignatureLine:
    """Return a witness's line: it saw this text, its log's largest, at `time_s` (POSIX seconds)."""
    verifier = _named(name, COSIGNATURE, key)
    signature = key.sign(_cosigned(text, time_s))
    return SignatureLine(name, verifier.key_hash, time_s.to_bytes(_TIME_BYTES, "big") + signature)


def verified_lines(note: Note, keys: Iterable[VerifierKey], source: str) -> tuple[Signed, ...]:
    """Return the signatures of known keys, each key once, in the note's order.

    Lines of unknown keys are ignored.  A line under a known key that does not verify, or a second
    one of the same key, condemns the whole note: someone meddled with it.
    """
    known = {(key.name, key.key_hash): key for key in keys}
    found: dict[VerifierKey, Signed] = {}
    for line in note.lines:
        key = known.get((line.name, line.key_hash))
        if key is None:
            continue
        signed = _verified(note.text, line, key)
        if signed is None or key in found:
            fault = "is not a signature of this text" if signed is None else "stands there twice"
            raise InputError(
                f"{source}: the line of {shown(key.name)} {fault}; fetch the file again, and if "
                "it stays so, keep it: it was tampered with"
            )
        found[key] = signed
    return tuple(found.values())


def parse_note(content: bytes, source: str = "note") -> Note:
    """Return the note of its bytes; no signature in it is verified yet."""
    if len(content) > MAX_NOTE_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes, at most {MAX_NOTE_BYTES:,} are read; name a note"
        )
    try:
        whole = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_a_note(source, f"byte {error.start} is not UTF-8") from None
    if any(c < " " and c != "\n" for c in whole):
        raise _not_a_note(source, "it holds control characters")
    body, gap, signatures = whole.rpartition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise _not_a_note(source, "no empty line with signature lines after it, each ended")
    text = body + "\n"
    listed = signatures[:-1].split("\n")
    if len(listed) > MAX_SIGNATURE_LINES:
        raise _not_a_note(source, f"more than {MAX_SIGNATURE_LINES} signature lines")
    first = text.count("\n") + 2
    lines = (parse_signature_line(x, f"{source}: line {first + n}") for n, x in enumerate(listed))
    return Note(text, tuple(lines))


def parse_signature_line(line: str, where: str) -> SignatureLine:
    """Return the parts of a signature line, given without its newline."""
    name, gap, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not gap or not is_key_name(name):
        raise InputError(
            f"{where}: found {shown(line)}, expected a dash, a key name and base64; fetch it again"
        )
    signature = from_base64(encoded, where)
    if len(signature) <= _KEY_HASH_BYTES:
        raise InputError(f"{where}: the signature is missing; fetch the file again")
    return SignatureLine(name, signature[:_KEY_HASH_BYTES], signature[_KEY_HASH_BYTES:])


def _verified(text: str, line: SignatureLine, key: VerifierKey) -> Signed | None:
    if key.kind == LOG_SIGNATURE:
        good = key.public.verifies(line.signature, text.encode())
        return Signed(key, None) if good else None
    if len(line.signature) != _TIME_BYTES + SIGNATURE_BYTES:
        return None
    time_s = int.from_bytes(line.signature[:_TIME_BYTES], "big")
    good = 0 < time_s <= _MAX_TIME_S and key.public.verifies(
        line.signature[_TIME_BYTES:], _cosigned(text, time_s)
    )
    return Signed(key, time_s) if good else None


def _cosigned(text: str, time_s: int) -> bytes:
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _named(name: str, kind: int, key: PrivateKey) -> VerifierKey:
    if not is_key_name(name):
        raise InputError(
            f"key name {shown(name)}: expected 1 to {MAX_NAME_CHARACTERS} characters without "
            "spaces and plus signs, for example example.org/log"
        )
    return VerifierKey(name, kind, key.public)


def _not_a_note(source: str, why: str) -> InputError:
    return InputError(f"{source}: not a signed note: {why}; fetch the file again")
