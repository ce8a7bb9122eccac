"""`skyweave request`: who asked, under which pressure; and that asking alone changes nothing."""

import json

import pytest

pytest.importorskip("cryptography", reason="the extra control is not installed")

from tests.support.made_charter import DAY_S
from tests.support.signers_shell import Shell, copied

from skyweave.control.domain.documents import Request, digest_of, parse_document

TEXT = "Switch Port Amity off, or the frequency fee doubles.\nSigned: the minister's office\n"
RECORD = ("request", "record", "LOG", "--id", "r-1", "--asked-by", "A minister's office", "--kind",
          "state", "--channel", "telephone", "--text", "text.txt")  # fmt: skip


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("shell"))
    (shell.place / "text.txt").write_text(TEXT)
    shell.log.decide("activate", shell.region, "on")
    shell.keep()
    return shell


@pytest.fixture
def shell(master, tmp_path, monkeypatch):
    return copied(master, tmp_path, monkeypatch)


def request_in(parcel):
    return parse_document(parcel.envelope.payload, Request, "request")


def shown(shell):
    (found,) = shell.answer("request", "show", "LOG", "--now", shell.now)["requests"]
    return found


def test_an_ask_with_pressure_is_public_and_changes_nothing(shell):
    before = shell.answer("region", "show", "LOG", "--at", shell.now)["regions"]
    words = ("--pressure", "the fee would double", "--summary", "Switch it off")
    shell.signed(*RECORD, *words, by="tidewire-1")
    shell.append("out.parcel")
    assert shell.answer("region", "show", "LOG", "--at", shell.now)["regions"] == before
    text = shell.says("request", "show", "LOG", "r-1", "--now", shell.now)
    for part in ("r-1: A minister's office (state), by telephone", "asks: Switch it off",
                 "pressure: the fee would double", "| Switch Port Amity off, or the frequency fee",
                 "no directive names it: nothing changed"):  # fmt: skip
        assert part in text


def test_a_sealed_text_cannot_be_guessed_from_its_digest(shell):
    """Few sentences are likely enough to be tried: the text is hashed with a nonce."""
    words = (*RECORD, "--sealed-days", "30")
    first = request_in(shell.signed(*words, by="tidewire-1"))
    second = request_in(shell.signed(*words, by="tidewire-1", out="b.parcel"))
    assert first.text != second.text
    guesses = (TEXT.encode(), json.dumps(TEXT).encode())
    assert first.text not in [digest_of(guess) for guess in guesses]
    assert first.publish_by_s == shell.log.now_s + 30 * DAY_S


def test_a_sealed_text_stays_with_the_keeper_until_it_is_revealed(shell):
    parcel = shell.signed(*RECORD, "--sealed-days", "30", by="tidewire-1")
    assert not parcel.objects
    shell.append("out.parcel")
    assert shown(shell)["text"] is None
    published = b"".join(p.read_bytes() for p in (shell.place / "LOG" / "objects").iterdir())
    assert b"frequency fee" not in published
    assert "sealed until" in shell.says("request", "show", "LOG", "--now", shell.now)
    reveal = ("request", "reveal", "LOG", "r-1", "--key", "log.key", "--now", shell.now)
    assert shell.says(*reveal) == "r-1: published\n"
    assert shown(shell)["text"] == TEXT
    assert shell.says(*reveal) == "r-1: was public already\n"


def test_the_text_can_come_from_the_parcel_where_the_keeper_lost_it(shell):
    shell.signed(*RECORD, "--sealed-days", "30", by="tidewire-1")
    shell.append("out.parcel")
    for each in (shell.place / "LOG" / "private").iterdir():
        each.unlink()
    reveal = ("request", "reveal", "LOG", "r-1", "--key", "log.key", "--now", shell.now)
    assert "give the parcel that it came in, as --text PARCEL" in shell.refusal(*reveal)
    assert shell.says(*reveal, "--text", "out.parcel") == "r-1: published\n"
    assert shown(shell)["text"] == TEXT


def test_another_text_is_not_revealed_in_its_place(shell):
    """A keeper who dislikes the text cannot publish a kinder one."""
    shell.signed(*RECORD, "--sealed-days", "30", by="tidewire-1")
    shell.append("out.parcel")
    (shell.place / "text.txt").write_text("Kindly consider a pause.\n")
    shell.signed(*RECORD, "--id", "r-2", by="tidewire-1", out="kind.parcel")
    told = shell.refusal("request", "reveal", "LOG", "r-1", "--key", "log.key", "--text",
                         "kind.parcel", "--now", shell.now)  # fmt: skip
    assert told.startswith("kind.parcel: holds no text of request r-1")


REFUSED = {
    "a kind": ((*RECORD, "--kind", "king"), "expected state, regulator, sponsor"),
    "an id": ((*RECORD, "--id", "Request 1"), "request_id"),
    "sealed for ever": ((*RECORD, "--sealed-days", "400"), "up to 366 days"),
    "no text": ((*RECORD, "--text", "no.txt"), "no.txt: No such file"),
    "a folder": ((*RECORD, "--text", "LOG"), "LOG: not a regular file"),
    "no log": (("request", "record", "NO", *RECORD[3:]), "NO"),
    "in the future": (
        (*RECORD, "--received", "2036-01-01T00:00:00Z"),
        "received later than it is logged",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_cannot_be_recorded_is_refused_in_a_line(case, master, monkeypatch):
    words, why = REFUSED[case]
    monkeypatch.chdir(master.place)
    told = master.refusal(*words, "--key", "tidewire-1.key", "--out", "never", "--now", master.now)
    assert why in told
    assert not (master.place / "never").exists()


def test_a_second_request_of_the_same_name_is_refused(shell):
    shell.signed(*RECORD, by="tidewire-1")
    shell.append("out.parcel")
    told = shell.refusal(*RECORD, "--key", "tidewire-2.key", "--out", "o", "--now", shell.now)
    assert "r-1" in told
