"""DSSE envelopes: signatures over exact bytes, with their type inside what is signed.

Protocol: github.com/secure-systems-lab/dsse, version 1.0.2.  A verifier never re-encodes the
payload; the bytes that were signed are the bytes that are parsed afterwards.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from skyweave.control.signing.encoding import from_base64, shown, to_base64
from skyweave.control.signing.keys import SIGNATURE_BYTES, PrivateKey, PublicKey
from skyweave.errors import InputError

MAX_ENVELOPE_BYTES = 1 << 20
MAX_SIGNATURES = 64
MAX_TYPE_CHARACTERS = 200


@dataclass(frozen=True)
class EnvelopeSignature:
    """One signature; `key_id` is the signer's claim and says only which key to try."""

    key_id: str
    signature: bytes


@dataclass(frozen=True)
class Envelope:
    """A payload of a stated type and signatures over both."""

    payload_type: str
    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]

    def encode(self) -> bytes:
        """Return the envelope as one line of JSON."""
        signatures = [{"keyid": s.key_id, "sig": to_base64(s.signature)} for s in self.signatures]
        content = {
            "payload": to_base64(self.payload),
            "payloadType": self.payload_type,
            "signatures": signatures,
        }
        return json.dumps(content).encode("ascii") + b"\n"


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return the bytes that are signed: lengths first, so no two inputs share one encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: bytes, keys: Iterable[PrivateKey]) -> Envelope:
    """Return the payload under one signature of each key."""
    message = pre_authentication_encoding(payload_type, payload)
    made = (EnvelopeSignature(key.public.key_id, key.sign(message)) for key in keys)
    return Envelope(payload_type, payload, tuple(made))


def signers(
    envelope: Envelope, keys: Mapping[str, PublicKey], payload_type: str
) -> tuple[str, ...]:
    """Return the ids of the known keys that signed, each once, in the envelope's order.

    `keys` holds the accepted keys by id.  An envelope of another type has no signers: a signature
    given for one purpose is none for another.  A signature that does not verify counts for nothing.
    """
    if envelope.payload_type != payload_type:
        return ()
    message = pre_authentication_encoding(payload_type, envelope.payload)
    found: dict[str, None] = {}
    for each in envelope.signatures:
        key = keys.get(each.key_id)
        if key is not None and each.key_id not in found and key.verifies(each.signature, message):
            found[each.key_id] = None
    return tuple(found)


def parse_envelope(content: bytes, source: str = "envelope") -> Envelope:
    """Return the envelope of JSON bytes; nothing in it is verified yet."""
    if len(content) > MAX_ENVELOPE_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes, at most {MAX_ENVELOPE_BYTES:,} are read; "
            "sign the digest of a large text instead"
        )
    fields = _object(_json(content, source), {"payload", "payloadType", "signatures"}, source)
    kind = fields["payloadType"]
    if not isinstance(kind, str) or not 0 < len(kind) <= MAX_TYPE_CHARACTERS or not _plain(kind):
        raise InputError(f"{source}: payloadType is no short ASCII text; sign the file anew")
    listed = fields["signatures"]
    if not isinstance(listed, list) or not 0 < len(listed) <= MAX_SIGNATURES:
        raise InputError(
            f"{source}: signatures: expected a list of 1 to {MAX_SIGNATURES}; sign the file first"
        )
    payload = from_base64(_text(fields["payload"], f"{source}: payload"), f"{source}: payload")
    each = (_signature(s, f"{source}: signatures[{n}]") for n, s in enumerate(listed))
    return Envelope(kind, payload, tuple(each))


def _signature(content: object, where: str) -> EnvelopeSignature:
    fields = _object(content, {"keyid", "sig"}, where)
    key_id = _text(fields["keyid"], f"{where}.keyid")
    if len(key_id) != 64 or set(key_id) - set("0123456789abcdef"):
        raise InputError(f"{where}.keyid: found {shown(key_id)}, expected a SHA-256 in hexadecimal")
    text = _text(fields["sig"], f"{where}.sig")
    return EnvelopeSignature(key_id, from_base64(text, f"{where}.sig", SIGNATURE_BYTES))


def _json(content: bytes, source: str) -> object:
    try:
        return json.loads(content.decode("utf-8"), object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise InputError(f"{source}: not JSON of a DSSE envelope; sign the file anew") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated key: two readers could each believe another of its values."""
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise ValueError("repeated key")
    return fields


def _object(content: object, names: set[str], where: str) -> dict[str, Any]:
    if not isinstance(content, dict) or set(content) != names:
        raise InputError(f"{where}: expected the keys {', '.join(sorted(names))}; sign it anew")
    return content


def _text(content: object, where: str) -> str:
    if not isinstance(content, str):
        raise InputError(f"{where}: expected a text; sign the file anew")
    return content


def _plain(text: str) -> bool:
    return text.isascii() and text.isprintable()
