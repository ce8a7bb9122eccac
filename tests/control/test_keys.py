"""Key pairs against RFC 8032's vectors; key files that nobody else can read or change."""

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest

from skyweave.control.signing import keys
from skyweave.control.signing.keys import (
    PublicKey,
    generate_key,
    load_private_key,
    private_key_from_seed,
    public_key_from_text,
    save_private_key,
)
from skyweave.errors import InputError, SkyweaveError

# RFC 8032, section 7.1, TEST 1 to TEST 3: secret, public, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
        "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
        "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]
PASSPHRASE = "four words of mine"


@pytest.fixture
def quick(monkeypatch):
    """A short key derivation, for what is not about its length."""
    monkeypatch.setattr(keys, "_SCRYPT", {"n": 16, "r": 8, "p": 1})


@pytest.mark.parametrize(("secret", "public", "message", "signature"), VECTORS)
def test_signatures_are_those_of_rfc_8032(secret, public, message, signature):
    key = private_key_from_seed(bytes.fromhex(secret))
    assert key.public.raw.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    assert key.public.verifies(bytes.fromhex(signature), bytes.fromhex(message))
    assert not key.public.verifies(bytes.fromhex(signature), bytes.fromhex(message) + b"x")
    assert key.public.key_id == hashlib.sha256(bytes.fromhex(public)).hexdigest()


def test_what_is_no_signature_or_key_verifies_nothing():
    key = generate_key()
    for signature in (b"", bytes(63), bytes(64), bytes(65)):
        assert not key.public.verifies(signature, b"x")
    assert not PublicKey(b"\xff" * 32).verifies(bytes(64), b"x")
    with pytest.raises(InputError, match="found 31 bytes, expected 32"):
        PublicKey(bytes(31))


def test_a_key_of_small_order_is_refused():
    """Such a key has signatures that fit almost any text, so its holder could disown them all."""
    identity, order_two = b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"
    order_eight = bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")
    for raw in (bytes(32), identity, order_two, order_eight, order_eight[:31] + b"\x85"):
        with pytest.raises(InputError, match="fits any text; make a new key"):
            PublicKey(raw)


def test_a_key_never_shows_its_secret():
    key = private_key_from_seed(bytes(range(32)))
    assert "secret" not in repr(key)
    assert key.seed().hex() not in repr(key)
    assert public_key_from_text(key.public.text) == key.public


def test_a_sealed_key_file_opens_with_its_passphrase_alone(tmp_path, quick):
    key, path = generate_key(), tmp_path / "key"
    save_private_key(path, key, PASSPHRASE)
    assert load_private_key(path, PASSPHRASE).public == key.public
    content = path.read_bytes()
    assert key.seed() not in content
    assert "private" not in json.loads(content)
    with pytest.raises(InputError, match="the passphrase does not open the key"):
        load_private_key(path, "another")
    with pytest.raises(InputError, match="the key is sealed; give its passphrase"):
        load_private_key(path)
    path.chmod(0o644)  # sealed, it may be read by others
    assert load_private_key(path, PASSPHRASE).public == key.public


def test_the_key_derivation_is_as_costly_as_the_file_says():
    """128 MiB for each guess, the first of OWASP's recommendations for scrypt."""
    n, r, p = (int(x) for x in keys._KDF.removeprefix("scrypt-").split("-"))
    assert {"n": n, "r": r, "p": p} == keys._SCRYPT
    assert 128 * n * r == 128 * 2**20


def test_a_changed_sealed_file_is_refused(tmp_path, quick):
    path = tmp_path / "key"
    save_private_key(path, generate_key(), PASSPHRASE)
    content = json.loads(path.read_text())
    other = private_key_from_seed(bytes(32)).public.text
    for name in ("public", "salt", "nonce", "sealed"):
        changed = other if name == "public" else content[name][::-1].lstrip("=")
        (tmp_path / name).write_text(json.dumps({**content, name: changed}))
        with pytest.raises(InputError, match=r"does not open the key|expected"):
            load_private_key(tmp_path / name, PASSPHRASE)


def test_a_key_without_a_passphrase_must_be_its_owner_s_alone(tmp_path, monkeypatch):
    key, path = generate_key(), tmp_path / "key"
    save_private_key(path, key)
    assert path.stat().st_mode & 0o777 == 0o600
    assert load_private_key(path).seed() == key.seed()
    for mode in (0o640, 0o604, 0o660, 0o601, 0o620):
        path.chmod(mode)
        with pytest.raises(InputError, match=r'others can read the file; run "chmod 600 '):
            load_private_key(path)
    path.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(InputError, match="the file belongs to another user"):
        load_private_key(path)


def test_a_key_file_is_never_overwritten(tmp_path):
    path = tmp_path / "key"
    save_private_key(path, generate_key())
    kept = path.read_bytes()
    with pytest.raises(InputError, match="keys are not overwritten"):
        save_private_key(path, generate_key())
    assert path.read_bytes() == kept


def test_a_key_pair_that_does_not_match_is_refused(tmp_path):
    path = tmp_path / "key"
    save_private_key(path, generate_key())
    content = json.loads(path.read_text()) | {"public": generate_key().public.text}
    path.write_text(json.dumps(content))
    with pytest.raises(InputError, match="do not belong together"):
        load_private_key(path)


BAD_FILES = {
    "empty": b"",
    "no JSON": b"-----BEGIN PRIVATE KEY-----",
    "a list": b"[1]",
    "numbers": b'{"format": 1, "public": 2, "private": 3}',
    "too long": b" " * 5000,
    "deep": b"[" * 4000,
    "another version": b'{"format": "skyweave-key-v9", "public": "", "private": ""}',
    "another derivation": b'{"format": "skyweave-key-v1", "public": "", "kdf": "scrypt-2-1-1", '
    b'"salt": "", "nonce": "", "sealed": ""}',
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
def test_what_is_no_key_file_is_refused_in_one_line(tmp_path, content):
    path: Path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(InputError) as refusal:
        load_private_key(path, PASSPHRASE)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="No such file or directory; name a key file"):
        load_private_key(tmp_path / "absent")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric", None)
    with pytest.raises(SkyweaveError, match=r'pip install "skyweave\[control\]"'):
        generate_key()
