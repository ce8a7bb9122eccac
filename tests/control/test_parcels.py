"""Parcels: what a signer hands over is what the keeper reads, and nothing else fits."""

import json
import os
from pathlib import Path

import pytest

from skyweave.control.domain.documents import digest_of
from skyweave.control.parcel import Parcel, parse_parcel, read_parcel, write_parcel
from skyweave.control.signing.dsse import sign_envelope, signers
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.errors import InputError

KEY, OTHER = (private_key_from_seed(bytes([n]) * 32) for n in (1, 2))
TEXT, SECRET = b"An impact report", b"A salt of many bytes"
PARCEL = Parcel(
    sign_envelope("application/test", b"{}", [KEY]),
    {digest_of(TEXT): TEXT},
    {digest_of(SECRET): SECRET},
)


def changed(change):
    """A parcel's bytes after a change of what they hold."""
    content = json.loads(PARCEL.encode())
    change(content)
    return json.dumps(content).encode()


def test_a_parcel_reads_as_it_was_written(tmp_path):
    write_parcel(tmp_path / "p", PARCEL)
    assert read_parcel(tmp_path / "p") == PARCEL


def test_what_is_private_can_be_read_by_its_owner_alone(tmp_path):
    write_parcel(tmp_path / "p", PARCEL)
    write_parcel(tmp_path / "open", Parcel(PARCEL.envelope, PARCEL.objects))
    assert (tmp_path / "p").stat().st_mode & 0o077 == 0
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "open").stat().st_mode & 0o044 == 0o044 & ~mask


def test_a_file_that_is_there_is_not_overwritten_unless_it_is_its_earlier_state(tmp_path):
    path = tmp_path / "p"
    path.write_text("mine")
    with pytest.raises(InputError, match="a file is there already; name another"):
        write_parcel(path, PARCEL)
    assert path.read_text() == "mine"
    write_parcel(path, PARCEL, over=True)
    assert read_parcel(path) == PARCEL
    assert [each.name for each in tmp_path.iterdir()] == ["p"]


def test_a_second_signature_is_over_the_same_bytes():
    both = PARCEL.signed_by(OTHER)
    keys = {key.public.key_id: key.public for key in (KEY, OTHER)}
    assert signers(both.envelope, keys, "application/test") == tuple(keys)
    assert (both.objects, both.private) == (PARCEL.objects, PARCEL.private)


def test_one_key_signs_once():
    with pytest.raises(InputError, match="has signed this already; nothing to do"):
        PARCEL.signed_by(KEY)


def put(name, value):
    return lambda content: content.update({name: value})


FAULTS = {
    "another format": (changed(put("format", "skyweave.parcel.v2")), "expected the keys"),
    "one more key": (changed(put("note", "")), "keys envelope, format, objects, private"),
    "no envelope": (changed(lambda c: c.pop("envelope")), "expected the keys"),
    "an envelope without signatures": (
        changed(lambda c: c["envelope"].update(signatures=[])), "envelope: signatures",
    ),
    "an object under another digest": (
        changed(put("objects", {digest_of(b"kind words"): "VGhlIHRydXRo"})), "copy the parcel",
    ),
    "an object that is no base64": (changed(put("private", {digest_of(TEXT): "!"})), "base64"),
    "an object that is a number": (changed(put("objects", {digest_of(TEXT): 7})), "base64"),
    "objects that are a list": (changed(put("objects", [])), "objects by their digests"),
    "too many objects": (
        changed(put("objects", {str(n): "" for n in range(1_001)})), "at most 1,000 objects",
    ),
    "no JSON": (b"parcel", "not JSON of a parcel"),
    "no text": (b"\xff\xfe", "not JSON of a parcel"),
    "a list": (b"[]", "expected the keys"),
    "nothing": (b"", "not JSON of a parcel"),
    "a key twice": (
        PARCEL.encode().replace(b'"format"', b'"format":"skyweave.parcel.v1","format"'), "not JSON",
    ),
    "nesting without end": (b'{"envelope":' + b"[" * 100_000, "not JSON of a parcel"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_anything_else_is_refused_in_a_line_that_names_the_file(fault):
    content, why = FAULTS[fault]
    with pytest.raises(InputError) as refused:
        parse_parcel(content, "x.parcel")
    assert str(refused.value).startswith("x.parcel: ")
    assert why in str(refused.value)


def test_a_parcel_that_would_fill_the_memory_is_not_read(monkeypatch, tmp_path):
    monkeypatch.setattr("skyweave.control.parcel.MAX_PARCEL_BYTES", 1_000)
    (tmp_path / "p").write_bytes(b" " * 2_000)
    with pytest.raises(InputError, match="more than 1,000 bytes; expected a parcel"):
        read_parcel(tmp_path / "p")
    with pytest.raises(InputError, match="a parcel has at most 1,000 bytes; send less"):
        write_parcel(tmp_path / "q", Parcel(PARCEL.envelope, {digest_of(b"x" * 999): b"x" * 999}))
    monkeypatch.setattr("skyweave.control.parcel.MAX_OBJECT_BYTES", 10)
    with pytest.raises(InputError, match="an object has at most 10 bytes"):
        parse_parcel(PARCEL.encode())


def test_a_parcel_that_is_not_there_is_told():
    with pytest.raises(InputError, match=r"no\.parcel: No such file .*; expected a parcel"):
        read_parcel(Path("no.parcel"))
