"""DSSE envelopes: the protocol's own example, and what must not be taken for a signature."""

import json

import pytest

from skyweave.control.signing.dsse import (
    MAX_ENVELOPE_BYTES,
    EnvelopeSignature,
    parse_envelope,
    pre_authentication_encoding,
    sign_envelope,
    signers,
)
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.errors import InputError

TYPE = "skyweave.approval.v1"
KEYS = [private_key_from_seed(bytes([n]) * 32) for n in range(3)]
KNOWN = {key.public.key_id: key.public for key in KEYS}


def test_the_signed_bytes_are_those_of_the_protocol():
    """github.com/secure-systems-lab/dsse, protocol.md, section "Test Vectors"."""
    signed = pre_authentication_encoding("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_lengths_keep_type_and_payload_apart():
    assert pre_authentication_encoding("a", b"b c") != pre_authentication_encoding("a b", b"c")


def test_each_signer_is_found_once_and_by_its_own_signature():
    envelope = sign_envelope(TYPE, b"payload", KEYS[:2])
    ids = tuple(key.public.key_id for key in KEYS)
    assert signers(envelope, KNOWN, TYPE) == ids[:2]
    doubled = envelope.__class__(TYPE, b"payload", envelope.signatures * 2)
    assert signers(doubled, KNOWN, TYPE) == ids[:2]
    assert signers(envelope, {ids[1]: KEYS[1].public}, TYPE) == (ids[1],)
    claimed = EnvelopeSignature(ids[2], envelope.signatures[0].signature)
    assert signers(envelope.__class__(TYPE, b"payload", (claimed,)), KNOWN, TYPE) == ()
    assert signers(envelope.__class__(TYPE, b"other", envelope.signatures), KNOWN, TYPE) == ()


def test_a_signature_for_one_purpose_is_none_for_another():
    """Or an approval could be shown as a request's receipt, and the reverse."""
    envelope = sign_envelope(TYPE, b"payload", KEYS)
    assert signers(envelope, KNOWN, "skyweave.request.v1") == ()
    renamed = envelope.__class__("skyweave.request.v1", b"payload", envelope.signatures)
    assert signers(renamed, KNOWN, "skyweave.request.v1") == ()


def test_an_envelope_is_read_as_it_was_written():
    envelope = sign_envelope(TYPE, bytes(range(256)), KEYS)
    assert parse_envelope(envelope.encode()) == envelope


GOOD = json.loads(sign_envelope(TYPE, b"payload", KEYS[:1]).encode())
SIGNATURE = GOOD["signatures"][0]
BAD = {
    "no JSON": (b"{", "not JSON of a DSSE envelope"),
    "deep": (b"[" * 100_000, "not JSON of a DSSE envelope"),
    "a repeated key": (b'{"payload": "", "payload": "", "payloadType": "a", "signatures": []}',
                       "not JSON of a DSSE envelope"),
    "a list": (b"[]", "expected the keys payload, payloadType, signatures"),
    "another key": (json.dumps(GOOD | {"x": 1}).encode(), "expected the keys"),
    "no signature": (json.dumps(GOOD | {"signatures": []}).encode(), "sign the file first"),
    "many signatures": (json.dumps(GOOD | {"signatures": [SIGNATURE] * 65}).encode(), "1 to 64"),
    "a type of two lines": (json.dumps(GOOD | {"payloadType": "a\nb"}).encode(), "payloadType"),
    "no type": (json.dumps(GOOD | {"payloadType": ""}).encode(), "payloadType"),
    "a number": (json.dumps(GOOD | {"payload": 1}).encode(), "payload: expected a text"),
    "loose base64": (json.dumps(GOOD | {"payload": "YR=="}).encode(), "expected padded base64"),
    "a short signature": (json.dumps(GOOD | {"signatures": [SIGNATURE | {"sig": "YQ=="}]}).encode(),
                          r"signatures\[0\].sig: found 1 bytes, expected 64"),
    "a short key id": (json.dumps(GOOD | {"signatures": [SIGNATURE | {"keyid": "ab"}]}).encode(),
                       "expected a SHA-256 in hexadecimal"),
    "too long": (b" " * (MAX_ENVELOPE_BYTES + 1), "at most 1,048,576 are read"),
}  # fmt: skip


@pytest.mark.parametrize(("content", "text"), BAD.values(), ids=BAD.keys())
def test_what_is_no_envelope_is_refused_in_one_line(content, text):
    with pytest.raises(InputError, match=text) as refusal:
        parse_envelope(content, "approval.json")
    assert str(refusal.value).startswith("approval.json")
    assert "\n" not in str(refusal.value)
