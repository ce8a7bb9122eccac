"""Signed notes against the specification's example and the vectors of Go's checksum database."""

import base64
import hashlib

import pytest

from skyweave.control.log.trust import parse_policy, verify_checkpoint
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.control.signing.notes import (
    COSIGNATURE,
    LOG_SIGNATURE,
    Note,
    VerifierKey,
    cosign_note,
    parse_note,
    parse_verifier_key,
    sign_note,
    verified_lines,
)
from skyweave.errors import InputError

# c2sp.org/signed-note, section "Verifier keys", example.
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONnc"
    "AlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

# golang.org/x/mod v0.30, sumdb/note/note_test.go: seed, key, text and signature.
GO_SEED = "YEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"  # after the type byte, see below
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6"
    "KE6RyyBwJnAM=\n"
)
GO_OTHER_KEY = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
GO_OTHER_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WW"
    "d1RvMc+QQ=\n"
)
KEY = private_key_from_seed(bytes(range(32)))


def verify(content, *keys):
    return verified_lines(parse_note(content), [parse_verifier_key(k) for k in keys], "note")


def test_the_example_of_the_specification_verifies():
    assert [signed.key.text for signed in verify(SPEC_NOTE, SPEC_KEY)] == [SPEC_KEY]
    with pytest.raises(InputError, match="is not a signature of this text"):
        verify(SPEC_NOTE.replace(b"example message", b"another message"), SPEC_KEY)


def test_the_vectors_of_the_go_checksum_database_verify():
    both = (GO_TEXT + "\n" + GO_LINE + GO_OTHER_LINE).encode()
    assert [s.key.name for s in verify(both, GO_KEY)] == ["PeterNeumann"]
    assert [s.key.name for s in verify(both, GO_KEY, GO_OTHER_KEY)] == ["PeterNeumann", "EnochRoot"]
    assert verify(both) == ()
    assert parse_note(both).encode() == both


def test_the_go_seed_signs_as_go_does():
    seed = base64.b64decode("A" + GO_SEED)[1:]
    line = sign_note(GO_TEXT, "PeterNeumann", private_key_from_seed(seed))
    assert line.text == GO_LINE


def test_no_part_and_no_neighbour_of_a_verifier_key_is_a_key():
    for start in range(len(GO_KEY)):
        for end in range(start + 1, len(GO_KEY) + 1):
            if end - start < len(GO_KEY):
                with pytest.raises(InputError):
                    parse_verifier_key(GO_KEY[start:end])
    for place, letter in enumerate(GO_KEY):
        changed = GO_KEY[:place] + chr(ord(letter) + 1) + GO_KEY[place + 1 :]
        with pytest.raises(InputError):
            parse_verifier_key(changed)
    wrong_length = "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY=="
    with pytest.raises(InputError, match="expected padded base64"):
        parse_verifier_key(wrong_length)
    with pytest.raises(InputError, match="signature type 101 is not known"):
        parse_verifier_key("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")


def test_a_key_hash_is_that_of_the_specification():
    for kind in (LOG_SIGNATURE, COSIGNATURE):
        key = VerifierKey("example.org/w", kind, KEY.public)
        expected = hashlib.sha256(b"example.org/w\n" + bytes([kind]) + KEY.public.raw).digest()[:4]
        assert key.key_hash == expected
        assert parse_verifier_key(key.text) == key


def test_a_cosignature_signs_the_lines_that_the_specification_states():
    """c2sp.org/tlog-cosignature, section "Ed25519 signed message", put together by hand."""
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    line = cosign_note(text, "example.org/w", KEY, 1679315147)
    message = b"cosignature/v1\ntime 1679315147\n" + text.encode()
    assert line.signature[:8] == (1679315147).to_bytes(8, "big")
    assert KEY.public.verifies(line.signature[8:], message)
    key = VerifierKey("example.org/w", COSIGNATURE, KEY.public)
    (signed,) = verified_lines(Note(text, (line,)), [key], "note")
    assert signed.time_s == 1679315147


def test_a_cosignature_with_another_time_is_refused():
    """Otherwise a late witness could be made to look early, and a lapsed directive valid."""
    key = VerifierKey("example.org/w", COSIGNATURE, KEY.public)
    line = cosign_note("a\n", "example.org/w", KEY, 1000)
    later = line._replace(signature=(1001).to_bytes(8, "big") + line.signature[8:])
    with pytest.raises(InputError, match="is not a signature of this text"):
        verified_lines(Note("a\n", (later,)), [key], "note")


@pytest.mark.parametrize("time_s", [0, 2**63])
def test_a_cosignature_without_a_possible_time_is_refused(time_s):
    key = VerifierKey("example.org/w", COSIGNATURE, KEY.public)
    line = cosign_note("a\n", "example.org/w", KEY, time_s)
    with pytest.raises(InputError, match="is not a signature of this text"):
        verified_lines(Note("a\n", (line,)), [key], "note")


def test_a_log_signature_is_no_cosignature():
    log = VerifierKey("example.org/w", LOG_SIGNATURE, KEY.public)
    witness = VerifierKey("example.org/w", COSIGNATURE, KEY.public)
    line = sign_note("a\n", "example.org/w", KEY)
    assert verified_lines(Note("a\n", (line,)), [witness], "note") == ()
    renamed = line._replace(key_hash=witness.key_hash)
    with pytest.raises(InputError, match="is not a signature"):
        verified_lines(Note("a\n", (renamed,)), [log, witness], "note")


def test_a_second_line_of_one_key_condemns_the_note():
    key = VerifierKey("example.org/w", COSIGNATURE, KEY.public)
    lines = tuple(cosign_note("a\n", "example.org/w", KEY, t) for t in (1, 2))
    with pytest.raises(InputError, match="stands there twice"):
        verified_lines(Note("a\n", lines), [key], "note")


MALFORMED = {
    "no signature": GO_TEXT,
    "nothing after the empty line": GO_TEXT + "\n",
    "an unended line": GO_TEXT + "\n" + GO_LINE[:-1],
    "a control character": "\x01" + GO_TEXT + "\n" + GO_LINE,
    "a carriage return": GO_TEXT + "\r\n\n" + GO_LINE,
    "a name with a space": GO_TEXT + "\n" + GO_LINE.replace("PeterN", "Peter N"),
    "a name with a plus": GO_TEXT + "\n" + GO_LINE.replace("PeterN", "Peter+N"),
    "a line between": GO_TEXT + "\n" + GO_LINE + "Unexpected line.\n",
    "a hyphen for a dash": GO_TEXT + "\n" + GO_LINE.replace("—", "-"),
    "another spelling of the base64": GO_TEXT + "\n" + GO_LINE.replace("AM=\n", "AN=\n"),
    "a key hash alone": GO_TEXT + "\n— PeterNeumann x08gow==\n",
    "too many lines": GO_TEXT + "\n" + GO_LINE * 101,
    "too long": GO_TEXT * 1000 + "\n" + GO_LINE,
}


@pytest.mark.parametrize("content", MALFORMED.values(), ids=MALFORMED.keys())
def test_what_is_no_signed_note_is_refused_in_one_line(content):
    with pytest.raises(InputError) as refusal:
        parse_note(content.encode(), "checkpoint")
    assert str(refusal.value).startswith("checkpoint: ")
    assert "\n" not in str(refusal.value)


def test_bytes_that_are_not_utf_8_are_refused():
    with pytest.raises(InputError, match="byte 0 is not UTF-8"):
        parse_note(b"\xff" + (GO_TEXT + "\n" + GO_LINE).encode())


def test_a_checkpoint_with_extension_lines_is_read_and_all_of_it_is_signed():
    text = "example.org/log\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\nmore\n"
    key = VerifierKey("example.org/log", LOG_SIGNATURE, KEY.public)
    policy = parse_policy(f"log {key.text}\nquorum none\n".encode())
    note = Note(text, (sign_note(text, "example.org/log", KEY),))
    assert verify_checkpoint(note.encode(), policy).checkpoint.size == 0
    with pytest.raises(InputError, match="is not a signature"):
        verify_checkpoint(note.encode().replace(b"more", b"less"), policy)
