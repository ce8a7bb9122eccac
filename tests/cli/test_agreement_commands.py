"""`skyweave agreement`: read before it is signed, by one party after another, on one text."""

import pytest

pytest.importorskip("cryptography", reason="the extra control is not installed")

from tests.support.made_charter import SALT, key_id
from tests.support.signers_shell import Shell, copied

from skyweave.api.words import agreement_words
from skyweave.control.domain.documents import AgreementRecord, FloorRecord, parse_document
from skyweave.control.parcel import read_parcel
from skyweave.policy.snapshot import Subject, subject_hash

DRAFT = """
id = "a-17"
title = "The clinic stays on"
parties = ["harbour-hospitals", "tidewire"]
people = 2
organisations = 2
regions = ["port-amity"]
from = 2026-11-22T00:00:00Z
until = 2027-11-22T00:00:00Z
notice_days = 30
terminals = ["clinic"]
exceptions = ["safety of life"]
remedy = "the fee of the month"

[floor]
down_bps = 20_000_000
up_bps = 5_000_000
availability = 0.99
"""
SIGN = ("agreement", "sign", "a-17.toml", "--log", "LOG", "--yes", "--out", "a-17.parcel")
PARTIES = ("harbour-hospitals-1", "tidewire-1")


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    shell = Shell(tmp_path_factory.mktemp("shell"))
    (shell.place / "a-17.toml").write_text(DRAFT)
    return shell


@pytest.fixture
def shell(master, tmp_path, monkeypatch):
    return copied(master, tmp_path, monkeypatch)


def sign(shell, name, *words):
    text = shell.says(*(words or SIGN), "--key", f"{name}.key")
    return text, read_parcel(shell.place / "a-17.parcel")


def test_one_parcel_collects_the_signatures_of_all_parties(shell):
    for count, name in enumerate(PARTIES, 1):
        _, parcel = sign(shell, name)
        assert [s.key_id for s in parcel.envelope.signatures] == list(map(key_id, PARTIES[:count]))
    shell.append("a-17.parcel")
    text = shell.says("agreement", "show", "LOG", "--now", shell.now)
    for part in ("a-17: The clinic stays on (agreement a-17, version 1)", "in force, log entry 2",
                 "lifted or amended only by 2 people of 2 of its parties"):  # fmt: skip
        assert part in text


def test_a_party_reads_all_of_it_before_signing(shell):
    text, _ = sign(shell, PARTIES[0])
    for part in ("between harbour-hospitals, tidewire", "for 1 named terminal (",
                 "at least 20 Mbit/s down, 5 Mbit/s up, available 99.00%, class standard",
                 "gives way to: safety of life", "where it is broken: the fee of the month",
                 "notice 30 days", "digest sha256:"):  # fmt: skip
        assert part in text


def test_no_terminal_is_named_in_what_is_signed(shell):
    _, parcel = sign(shell, PARTIES[0])
    record = parse_document(parcel.envelope.payload, AgreementRecord, "agreement")
    assert record.terminal_hashes == (subject_hash(SALT, Subject.TERMINAL, "clinic"),)
    assert b'"clinic"' not in parcel.envelope.payload


def test_the_parcel_itself_can_be_signed_without_the_draft(shell):
    sign(shell, PARTIES[0])
    words = ("agreement", "sign", "a-17.parcel", "--yes", "--out", "a-17.parcel")
    text, parcel = sign(shell, PARTIES[1], *words)
    assert "The clinic stays on" in text
    assert len(parcel.envelope.signatures) == 2


def test_a_party_never_signs_another_text_than_the_others(shell):
    sign(shell, PARTIES[0])
    (shell.place / "a-17.toml").write_text(DRAFT.replace("20_000_000", "2_000_000"))
    told = shell.refusal(*SIGN, "--key", "tidewire-1.key")
    assert told == (
        "a-17.parcel: what is signed there differs from a-17.toml: floor; agree on one text first"
    )


def test_an_agreement_of_one_party_is_not_logged(shell):
    sign(shell, PARTIES[0])
    told = shell.refusal("log", "append", "LOG", "a-17.parcel", "--key", "log.key", "--now",
                         shell.now)  # fmt: skip
    assert "tidewire" in told


def test_signing_twice_is_told(shell):
    sign(shell, PARTIES[0])
    told = shell.refusal(*SIGN, "--key", f"{PARTIES[0]}.key")
    assert "has signed this already" in told


def test_the_salt_can_come_as_a_file_and_only_the_right_one(shell):
    for each in (shell.place / "LOG" / "private").iterdir():
        each.unlink()
    told = shell.refusal(*SIGN, "--key", "tidewire-1.key")
    assert "ask the keeper of the log for it and give it as --salt FILE" in told
    for content, why in ((SALT, ""), ("00" * 16, "not the salt"), ("salt", "not the salt")):
        (shell.place / "salt").write_text(content)
        words = (*SIGN, "--salt", "salt", "--key", "tidewire-1.key")
        assert why in (shell.refusal(*words) if why else shell.says(*words))


def test_nobody_signs_an_agreement_unread(shell):
    shell.says(*SIGN[:5], *SIGN[6:], "--key", "tidewire-1.key", code=2)
    assert not (shell.place / "a-17.parcel").exists()


FLOORS = {
    "down_bps": 1, "up_bps": 1, "latency_s": 0.1, "availability": 0.5, "service_class": "lifeline",
}  # fmt: skip
OTHERS = {
    "agreement_id": "a-9", "version": 2, "title": "Other", "parties": ("a", "b"), "people": 3,
    "organisations": 3, "region_ids": ("bay",), "terminal_hashes": ("0" * 64,),
    "account_hashes": ("0" * 64,), "exceptions": ("War",), "from_s": 1, "until_s": 2,
    "notice_s": 3, "remedy": "None", **{f"floor.{name}": x for name, x in FLOORS.items()},
}  # fmt: skip


def test_no_field_of_an_agreement_is_signed_unseen(shell):
    _, parcel = sign(shell, PARTIES[0])
    record = parse_document(parcel.envelope.payload, AgreementRecord, "agreement")
    fields = {n for n in AgreementRecord.model_fields if n not in ("format", "floor")}
    assert set(OTHERS) == fields | {f"floor.{name}" for name in FloorRecord.model_fields}
    for name, value in OTHERS.items():
        floor = record.floor.model_copy(update={name.removeprefix("floor."): value})
        change = {"floor": floor} if name.startswith("floor.") else {name: value}
        assert agreement_words(record.model_copy(update=change)) != agreement_words(record), name


REFUSED = {
    "terminals": ("terminals", "terminal", 'unknown key "terminal"; did you mean "terminals"?'),
    "a floor": ("down_bps", "down", 'unknown key "floor.down"; did you mean "down_bps"?'),
    "a rate": ("20_000_000", '"fast"', "floor.down_bps"),
    "a date": ("2027-11-22T00:00:00Z", '"next year"', 'until: found "next year"'),
    "a zone": ("2027-11-22T00:00:00Z", "2027-11-22T00:00:00", "without a zone"),
    "TOML": ("[floor]", "[floor", "not valid TOML"),
    "one party": (', "tidewire"]', "]", "parties"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_draft_that_cannot_be_is_refused_with_the_key_to_correct(case, shell):
    old, new, why = REFUSED[case]
    (shell.place / "a-17.toml").write_text(DRAFT.replace(old, new))
    told = shell.refusal(*SIGN, "--key", "tidewire-1.key")
    assert told.startswith("a-17.toml: ")
    assert why in told


def test_terminals_need_the_log_for_its_salt(shell):
    told = shell.refusal("agreement", "sign", "a-17.toml", "--yes", "--out", "o", "--key",
                         "tidewire-1.key")  # fmt: skip
    assert told.endswith("give the log too, as --log LOG")


def test_an_unknown_agreement_is_refused_with_those_there_are(shell):
    told = shell.refusal("agreement", "show", "LOG", "a-1", "--now", shell.now)
    assert told == 'agreement "a-1" is not in the log; it has: none'
