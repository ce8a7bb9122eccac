"""Files that hang, lie or would be lost: refused in one line, with nothing half done."""

import json
import os

import pytest

pytest.importorskip("cryptography", reason="the extra control is not installed")

from tests.support.signers_shell import Shell, copied

SIGN = ("region", "make", "border.geojson", "--id", "r", "--title", "R", "--no-licence")


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    return Shell(tmp_path_factory.mktemp("shell"))


@pytest.fixture
def shell(master, tmp_path, monkeypatch):
    monkeypatch.delenv("SKYWEAVE_PASSPHRASE", raising=False)
    return copied(master, tmp_path, monkeypatch)


@pytest.mark.parametrize("words", [
    ("party", "card", "pipe", "--person", "p", "--organisation", "o", "--office", "x",
     "--mandate", "m", "--out", "card"),
    ("agreement", "sign", "pipe", "--key", "tidewire-1.key", "--yes", "--out", "a.parcel"),
    ("log", "append", "LOG", "pipe", "--key", "log.key"),
    ("party", "key", "new.key", "--passphrase-file", "pipe"),
], ids=["a key", "a draft", "a parcel", "a passphrase"])  # fmt: skip
def test_a_named_pipe_that_never_answers_is_refused_at_once(shell, words):
    os.mkfifo("pipe")
    assert "pipe: not a plain file" in shell.refusal(*words)


@pytest.mark.parametrize("key", ["allow_list", "document"])
def test_a_file_name_that_no_file_can_have_is_told(shell, key):
    draft = f'id = "x"\nkind = "restrict"\nreason = "r"\ndays = 3\n{key} = "a\\u0000b"\n'
    shell.place.joinpath("draft.toml").write_text(draft)
    told = shell.refusal(
        "directive", "propose", "LOG", "draft.toml", "--key", "tidewire-1.key", "--out", "d.parcel"
    )
    assert "no file can be called so" in told


def test_a_passphrase_that_is_cut_or_guessed_seals_no_key(shell, monkeypatch):
    shell.place.joinpath("long").write_bytes(b"x" * 5_000)
    told = shell.refusal("log", "key", "n.key", "--name", "n", "--passphrase-file", "long")
    assert "long: more than 4,096 bytes" in told
    for given, why in ((b"", "of 0 characters"), (b"short", "of 5"), (b"\xff" * 9, "not UTF-8")):
        monkeypatch.setenv("SKYWEAVE_PASSPHRASE", os.fsdecode(given))
        assert why in shell.refusal("log", "key", "n.key", "--name", "n")
    assert not shell.place.joinpath("n.key").exists()


def test_a_passphrase_saved_on_windows_opens_the_same_key(shell):
    shell.place.joinpath("unix").write_bytes(b"four words of mine\n")
    shell.place.joinpath("windows").write_bytes(b"four words of mine\r\n")
    shell.says("party", "key", "k.key", "--passphrase-file", "unix")
    shell.says(*SIGN, "--key", "k.key", "--passphrase-file", "windows", "--out", "r.parcel")


def test_a_receipt_does_not_take_the_place_of_its_entry(shell):
    told = shell.refusal("log", "prove", "LOG", "0", "--out", "same", "--entry", "same")
    assert "same: named twice" in told
    assert not shell.place.joinpath("same").exists()


def test_json_spells_out_what_could_steer_a_terminal(shell):
    name = "a\x9b31m\u202e\udcff.parcel"
    text = shell.says(*SIGN, "--key", "tidewire-1.key", "--out", name, "--json")
    assert text.rstrip("\n").isprintable()
    assert json.loads(text)["written"] == name
