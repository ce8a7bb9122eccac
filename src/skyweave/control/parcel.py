"""Parcels: a signed document on its way to the log, with the objects that it names, in one file.

A signer makes a parcel and hands it to whoever keeps the log; nothing in it is believed before the
log checks it.  What is in `private` the keeper stores but never publishes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from skyweave.control.domain.documents import canonical, digest_of
from skyweave.control.files import PRIVATE_MODE, PUBLIC_MODE, write_new, write_over
from skyweave.control.log.durable import read_limited
from skyweave.control.signing.dsse import Envelope, parse_envelope, sign_envelope
from skyweave.control.signing.encoding import from_base64, to_base64
from skyweave.control.signing.keys import PrivateKey
from skyweave.errors import InputError

FORMAT = "skyweave.parcel.v1"
MAX_OBJECT_BYTES = 32 * 2**20
MAX_PARCEL_BYTES = 96 * 2**20
MAX_OBJECTS = 1_000

_FIELDS = {"format", "envelope", "objects", "private"}


@dataclass(frozen=True)
class Parcel:
    """A signed document and the objects beside it, by their digests."""

    envelope: Envelope
    objects: Mapping[str, bytes] = field(default_factory=dict)
    private: Mapping[str, bytes] = field(default_factory=dict)

    def encode(self) -> bytes:
        """Return the parcel as one line of JSON."""
        content = {
            "format": FORMAT,
            "envelope": json.loads(self.envelope.encode()),
            "objects": {digest: to_base64(each) for digest, each in self.objects.items()},
            "private": {digest: to_base64(each) for digest, each in self.private.items()},
        }
        return canonical(content) + b"\n"

    def signed_by(self, key: PrivateKey) -> "Parcel":
        """Return the parcel with one more signature over the same document."""
        if any(each.key_id == key.public.key_id for each in self.envelope.signatures):
            raise InputError(f"key {key.public.key_id[:16]} has signed this already; nothing to do")
        ours = sign_envelope(self.envelope.payload_type, self.envelope.payload, [key])
        signatures = (*self.envelope.signatures, *ours.signatures)
        return replace(self, envelope=replace(self.envelope, signatures=signatures))


def parse_parcel(content: bytes, source: str = "parcel") -> Parcel:
    """Return the parcel of its bytes; no signature in it is verified yet."""
    fields = _fields(content, source)
    envelope = parse_envelope(json.dumps(fields["envelope"]).encode(), f"{source}: envelope")
    objects = _objects(fields["objects"], f"{source}: objects")
    return Parcel(envelope, objects, _objects(fields["private"], f"{source}: private"))


def read_parcel(path: Path) -> Parcel:
    """Return the parcel in a file."""
    return parse_parcel(read_limited(path, MAX_PARCEL_BYTES, "a parcel"), str(path))


def write_parcel(path: Path, parcel: Parcel, *, over: bool = False) -> None:
    """Write a parcel to a new file, or with `over` in place of an earlier state of it.

    A parcel with private parts can be read by its owner alone.
    """
    content = parcel.encode()
    if len(content) > MAX_PARCEL_BYTES:
        raise InputError(f"{path}: a parcel has at most {MAX_PARCEL_BYTES:,} bytes; send less")
    mode = PRIVATE_MODE if parcel.private else PUBLIC_MODE
    if over:
        write_over(path, content, mode=mode)
    else:
        write_new(path, content, mode=mode, what="parcels")


def _fields(content: bytes, source: str) -> dict[str, Any]:
    if len(content) > MAX_PARCEL_BYTES:
        raise InputError(f"{source}: more than {MAX_PARCEL_BYTES:,} bytes; not a parcel")
    try:
        fields = json.loads(content.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InputError(f"{source}: not JSON of a parcel; make the parcel again") from None
    if not isinstance(fields, dict) or set(fields) != _FIELDS or fields["format"] != FORMAT:
        raise InputError(
            f"{source}: expected the keys {', '.join(sorted(_FIELDS))} of {FORMAT}; name a parcel"
        )
    return fields


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated key: two readers could each believe another of its values."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("repeated key")
    return fields


def _objects(values: object, where: str) -> dict[str, bytes]:
    if not isinstance(values, dict) or len(values) > MAX_OBJECTS:
        raise InputError(f"{where}: expected at most {MAX_OBJECTS:,} objects by their digests")
    return {digest: _object(digest, each, where) for digest, each in values.items()}


def _object(digest: str, encoded: object, where: str) -> bytes:
    if not isinstance(encoded, str):
        raise InputError(f"{where}: expected base64; make the parcel again")
    content = from_base64(encoded, where)
    if len(content) > MAX_OBJECT_BYTES:
        raise InputError(f"{where}: an object has at most {MAX_OBJECT_BYTES:,} bytes; shorten it")
    if digest_of(content) != digest:
        raise InputError(
            f"{where}: an object is not what its digest {digest[:24]} says; copy the parcel again"
        )
    return content
