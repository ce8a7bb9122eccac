"""`skyweave approve`: a signer reads all of it first, and one signature changes nothing."""

import dataclasses

import pytest

pytest.importorskip("cryptography", reason="the extra control is not installed")

from tests.support.made_charter import (
    DAY_S,
    NOON_S,
    key,
    key_id,
    made_licence,
    made_region,
)
from tests.support.signers_shell import Shell, copied

from skyweave.api.words import directive_words
from skyweave.control.domain.documents import (
    Approval,
    Directive,
    DirectiveKind,
    Proposal,
    digest_of,
    parse_document,
)
from skyweave.control.parcel import Parcel, write_parcel
from skyweave.control.signing.dsse import signers

PROPOSE = ("directive", "propose", "LOG", "--id", "off", "--kind", "suspend", "--route", "suspend",
           "--region", "port-amity", "--days", "7", "--reason", "Interference", "--terminals",
           "fleet.csv")  # fmt: skip
DIGEST = digest_of(b"another")
APPROVE = ("approve", "LOG", "off", "--yes")


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """A log in which the region is on, and a suspension is proposed by tidewire-2."""
    place = tmp_path_factory.mktemp("shell")
    shell = Shell(place)
    shell.log.decide("activate", shell.region, "on")
    shell.keep()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        shell.signed(*PROPOSE, by="tidewire-2", out="off.parcel")
        shell.append("off.parcel")
    return shell


@pytest.fixture
def shell(master, tmp_path, monkeypatch):
    return copied(master, tmp_path, monkeypatch)


def state(shell):
    return shell.answer("directive", "show", "LOG", "off", "--now", shell.now)["directives"][0]


def vote(shell, name, *words):
    """Vote, and let the keeper append it."""
    parcel = shell.signed(*APPROVE, *words, by=name, out=f"{name}.vote")
    shell.append(f"{name}.vote")
    return parse_document(parcel.envelope.payload, Approval, "vote")


def test_a_signer_sees_words_impact_digest_and_what_is_missing(shell):
    text = shell.says(*APPROVE, "--key", "tidewire-1.key", "--out", "v", "--now", shell.now)
    question = state(shell)["question"]
    before, _, after = text.partition("v: tidewire-1 (Duty officer, tidewire) votes to approve off")
    for part in ("suspend: switch off Port-Amity", "because: Interference", "20 terminals",
                 f"what is signed: {question}",
                 "council: so far 0 of 3 people, 0 of 2 organisations"):  # fmt: skip
        assert part in before
    assert "council: so far 1 of 3 people, 1 of 2 organisations" in after


def test_one_person_alone_takes_nobody_off_the_air(shell):
    vote(shell, "tidewire-1")
    found = state(shell)
    assert found["state"] == "collecting"
    assert found["from_s"] is None
    assert found["missing"] == ["council: so far 1 of 3 people, 1 of 2 organisations"]


def test_the_quorum_schedules_it_after_the_notice(shell):
    names = ("tidewire-1", "amity-office-1", "harbour-hospitals-1")
    for name in names:
        shell.signed(*APPROVE, by=name, out=f"{name}.vote")
    shell.append(*(f"{name}.vote" for name in names))
    found = state(shell)
    assert found["state"] == "scheduled"
    approved_s = next(s["at_s"] for s in found["story"] if s["state"] == "approved")
    assert found["from_s"] >= approved_s + 3 * DAY_S


def test_what_is_signed_is_the_question_and_a_time(shell):
    parcel = shell.signed(*APPROVE, "--days", "2", by="tidewire-1", out="v")
    found = parse_document(parcel.envelope.payload, Approval, "vote")
    assert found.question == state(shell)["question"]
    assert found.expires_s - found.signed_s == 2 * DAY_S
    assert found.decision == "approve"
    public = key("tidewire-1").public
    known = {public.key_id: public}
    assert signers(parcel.envelope, known, Approval.payload_type()) == (public.key_id,)


def test_a_vote_against_is_a_vote(shell):
    assert vote(shell, "tidewire-1", "--reject").decision == "reject"
    assert state(shell)["missing"][0].startswith("council: so far 0 of 3 people")


def test_nobody_signs_what_nobody_was_there_to_read(shell):
    words = (*APPROVE[:3], "--key", "tidewire-1.key", "--out", "v", "--now", shell.now)
    shell.says(*words, code=2)
    shell.says(*words, "--json", code=2)
    assert not (shell.place / "v").exists()


def test_a_person_who_says_no_has_signed_nothing(shell, monkeypatch):
    monkeypatch.setattr("skyweave.cli.approve.at_terminal", lambda: True)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    words = (*APPROVE[:3], "--key", "tidewire-1.key", "--out", "v", "--now", shell.now)
    assert shell.refusal(*words).startswith("nothing was signed")
    assert not (shell.place / "v").exists()


REFUSED = {
    "the proposer": ("tidewire-2", "off", "who proposed a directive does not vote"),
    "an unknown directive": ("tidewire-1", "of", "it has: on, off"),
    "what is decided": ("open-waters-1", "on", "on"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_vote_that_could_not_count_is_refused(case, master, monkeypatch):
    name, what, why = REFUSED[case]
    monkeypatch.chdir(master.place)
    told = master.refusal("approve", "LOG", what, "--yes", "--key", f"{name}.key", "--out", "no",
                          "--now", master.now)  # fmt: skip
    assert why in told
    assert not (master.place / "no").exists()


def test_a_stranger_s_key_signs_nothing(shell):
    shell.says("party", "key", "stranger.key", "--no-passphrase")
    told = shell.refusal(*APPROVE, "--key", "stranger.key", "--out", "v", "--now", shell.now)
    assert "not a key of charter version 1" in told


def test_a_proposal_on_its_way_can_be_read_and_voted_on(shell):
    words = [word if word != "off" else "later" for word in PROPOSE]
    shell.signed(*words, by="tidewire-2", out="later.parcel")
    by_parcel = shell.signed("approve", "LOG", "later.parcel", "--yes", by="tidewire-1", out="v")
    shell.append("later.parcel", "v")
    found = parse_document(by_parcel.envelope.payload, Approval, "vote")
    shown = shell.answer("directive", "show", "LOG", "later", "--now", shell.now)["directives"][0]
    assert shown["question"] == found.question
    assert shown["missing"] == ["council: so far 1 of 3 people, 1 of 2 organisations"]


def test_a_parcel_of_something_else_is_no_proposal(shell):
    shell.signed(*APPROVE, by="tidewire-1", out="v")
    told = shell.refusal("approve", "LOG", "v", "--yes", "--key", "tidewire-1.key", "--out", "w",
                         "--now", shell.now)  # fmt: skip
    assert told == "v: holds no proposal; name the parcel of one, or a directive's id"


@pytest.mark.parametrize("which", ["of another directive", "of nothing"])
def test_a_harmless_report_beside_a_harmful_directive_is_not_approved(shell, which):
    """Else signers would read "nobody loses service" and take a region off the air."""
    logged = parse_document(shell.log.signed[-1][1].payload, Proposal, "proposal")
    own = shell.log.objects[logged.impact]
    impact = own if which == "of another directive" else b'{"made":"impact report"}'
    directive = logged.directive.model_copy(update={"directive_id": "sly"})
    proposal = Proposal(directive=directive, impact=digest_of(impact))
    parcel = Parcel(shell.log.sign(proposal, "tidewire-2"), {digest_of(impact): impact})
    write_parcel(shell.place / "sly.parcel", parcel)
    told = shell.refusal("approve", "LOG", "sly.parcel", "--key", "tidewire-1.key", "--yes",
                         "--out", "v", "--now", shell.now)  # fmt: skip
    assert ("another directive" if impact is own else "impact") in told
    assert not (shell.place / "v").exists()
    text = shell.says("directive", "impact", "LOG", "sly.parcel", "--now", shell.now)
    assert "no impact can be shown" in text


def test_a_vote_in_place_of_a_file_is_refused(shell):
    (shell.place / "v").write_text("mine")
    told = shell.refusal(*APPROVE, "--key", "tidewire-1.key", "--out", "v", "--now", shell.now)
    assert told.startswith("v: a file is there already")
    assert (shell.place / "v").read_text() == "mine"


def test_a_sealed_key_asks_for_its_passphrase(shell, monkeypatch):
    (shell.place / "words").write_text("four words of mine\n")
    shell.says("party", "key", "sealed.key", "--passphrase-file", "words")
    told = shell.refusal(*APPROVE, "--key", "sealed.key", "--out", "v", "--now", shell.now)
    assert "sealed; give its passphrase" in told
    monkeypatch.setenv("SKYWEAVE_PASSPHRASE", "not these words")
    told = shell.refusal(*APPROVE, "--key", "sealed.key", "--out", "v", "--now", shell.now)
    assert "does not open the key" in told
    assert "words" not in told.replace("give", "")


def test_a_changed_log_is_not_voted_on(shell):
    (entries,) = (shell.place / "LOG" / "tile" / "entries").glob("000.p/4")
    content = bytearray(entries.read_bytes())
    content[-9] ^= 1
    entries.write_bytes(content)
    told = shell.refusal(*APPROVE, "--key", "tidewire-1.key", "--out", "v", "--now", shell.now)
    assert told.startswith("LOG")


def test_a_parcel_s_document_is_what_was_signed(shell):
    """A keeper who swaps a document in a parcel is caught by its signature."""
    parcel = shell.signed(*APPROVE, by="tidewire-1", out="v")
    envelope = dataclasses.replace(
        parcel.envelope, payload=parcel.envelope.payload.replace(b"approve", b"reject")
    )
    write_parcel(shell.place / "w", Parcel(envelope))
    told = shell.refusal("log", "append", "LOG", "w", "--key", "log.key", "--now", shell.now)
    assert "sign" in told


def test_nobody_s_words_steer_the_signer_s_terminal(shell):
    """A reason that ends the line could forge the lines that follow, or hide those before."""
    reason = "Repair\x1b[2J\nmissing: nothing \u202e"
    shell.log.propose("suspend", shell.region, "sly", reason=reason)
    shell.keep()
    text = shell.says("directive", "show", "LOG", "sly", "--now", shell.now)
    assert "\\x1b[2J\\nmissing: nothing \\u202e" in text
    assert not {"\x1b", "\u202e"} & set(text)


NOT_SAID = {"format"}  # the same in all of them
OTHERS = {
    "directive_id": "other", "does": DirectiveKind.RESTRICT, "route": "other", "charter": DIGEST,
    "region_id": "other", "region": DIGEST, "administration": "AMY", "agreements": ("a-9",),
    "owner": "other", "reason": "Other", "legal_basis": "A law", "instrument": "A law",
    "forbids_lifeline": True, "publication": "A gazette", "appeal": "A court",
    "emergency": "A storm", "request_ids": ("r-9",), "from_s": NOON_S, "until_s": NOON_S + 1,
    "approvals_until_s": NOON_S, "max_down_bps": 1, "max_up_bps": 1, "allow_list": DIGEST,
    "agreement_id": "a-9", "exception": "Safety", "licence": made_licence(),
    "supersedes": "on", "replaces_by": DIGEST,
}  # fmt: skip


@pytest.mark.parametrize("field", sorted(Directive.model_fields.keys() - NOT_SAID))
def test_no_field_of_a_directive_is_signed_unseen(field, master):
    """What a signer is not shown can be used against them: every field changes the words."""
    directive = parse_document(master.log.signed[-1][1].payload, Proposal, "p").directive
    other = directive.model_copy(update={field: OTHERS[field]})
    assert other != directive
    said, changed = (
        [each.directive_id, *directive_words(each, master.log.authority(), {})]
        for each in (directive, other)
    )
    assert said != changed


def amended(shell, document, kind, **changes):
    """Log a proposal, "change", that sets a new version of a document."""
    digest = shell.log.put(document.encode())
    proposal = shell.log.proposal(kind, shell.region, "change", replaces_by=digest, **changes)
    shell.log.append(proposal, "tidewire-2")
    shell.keep()
    return shell.answer("directive", "show", "LOG", "change", "--now", shell.now)["directives"][0]


def test_who_approves_a_new_charter_reads_what_it_changes(shell):
    """A digest alone would let one line among hundreds halve the people that a cut takes."""
    old = shell.log.charter
    routes = tuple(
        route.model_copy(update={"notice_s": 5 * DAY_S}) if route.route == "suspend" else route
        for route in old.routes
    )
    gone = key_id("open-waters-2")
    roles = tuple(
        role.model_copy(update={"key_ids": tuple(k for k in role.key_ids if k != gone)})
        for role in old.roles
    )
    keys = tuple(each for each in old.keys if each.person != "open-waters-2")
    new = old.model_copy(update={"version": 2, "routes": routes, "roles": roles, "keys": keys})
    digest = shell.log.put(new.encode())
    words = amended_charter(shell, digest)
    assert "to charter version 2, which ends" in " ".join(words)
    assert "no longer signs: open-waters-2 of open-waters" in words
    assert "route suspend: notice_s: 259200 becomes 432000" in words
    assert any(line.startswith("role council: ") and "becomes" in line for line in words)
    assert not any("exclude" in line for line in words)


def amended_charter(shell, digest):
    proposal = shell.log.proposal("amend_charter", None, "change", replaces_by=digest)
    shell.log.append(proposal, "tidewire-2")
    shell.keep()
    found = shell.answer("directive", "show", "LOG", "change", "--now", shell.now)
    return found["directives"][0]["words"]


def test_who_approves_a_new_border_reads_how_many_cells_it_takes(shell):
    wider = made_region("made", 1, 0)  # the box to the east
    record = shell.region.model_copy(
        update={"version": 2, "digest_of_region": wider.digest_of_region,
                "geometry": shell.log.put(wider.encode()), "cells": int(wider.cells.size)}
    )  # fmt: skip
    found = amended(shell, record, "amend_region")
    old = made_region("made", 0, 0).cells
    both = len(set(old.tolist()) & set(wider.cells.tolist()))
    line = f"adds {wider.cells.size - both} cells and takes {old.size - both} away"
    assert line in found["words"]


def test_nobody_approves_a_new_document_that_is_not_here(shell):
    record = shell.region.model_copy(update={"version": 2, "title": "Bay"})
    amended(shell, record, "amend_region")
    (shell.place / "LOG" / "objects" / record.digest[7:]).unlink()
    told = shell.refusal("approve", "LOG", "change", "--yes", "--key", "tidewire-1.key", "--out",
                         "v", "--now", shell.now)  # fmt: skip
    assert "is missing; copy objects" in told or "not published" in told
