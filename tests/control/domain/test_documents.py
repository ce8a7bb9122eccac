"""Documents: one spelling, one format, and nothing in them that is not described."""

import pytest
from tests.support.made_charter import NOON_S

from skyweave.control.domain.documents import (
    DOCUMENTS,
    MAX_DOCUMENT_BYTES,
    Approval,
    Request,
    Revocation,
    canonical,
    parse_document,
)
from skyweave.errors import InputError

REVOCATION = Revocation(key_id="0" * 64, reason="The key was lost")
FIELDS = REVOCATION.model_dump()


def test_a_document_comes_back_from_its_own_bytes_with_its_digest():
    again = parse_document(REVOCATION.encode(), Revocation, "file")
    assert again == REVOCATION
    assert again.digest == REVOCATION.digest


@pytest.mark.parametrize("model", DOCUMENTS.values(), ids=lambda model: model.kind)
def test_every_document_says_its_format_and_accepts_no_other(model):
    field = model.model_fields["format"]
    assert field.default == f"skyweave.{model.kind}.v1"
    content = canonical({"format": f"skyweave.{model.kind}.v2"})
    with pytest.raises(InputError, match=f"make the {model.kind} again"):
        parse_document(content, model, "file")


@pytest.mark.parametrize(
    ("change", "advice"),
    {
        "another format": ({"format": "skyweave.revocation.v2"}, "format: Input should be"),
        "a field more": ({"note": "so that somebody reads more than was meant"}, "note: Extra"),
        "a text for a number": ({"key_id": 7}, "key_id: Input should be a valid string"),
        "half a key": ({"key_id": "0" * 32}, "key_id: String should match"),
        "no reason": ({"reason": ""}, "reason: String should have at least 1"),
    }.values(),
)
def test_what_the_description_does_not_say_is_refused(change, advice):
    with pytest.raises(InputError, match=advice):
        parse_document(canonical(FIELDS | change), Revocation, "file")


def test_another_spelling_of_the_same_is_refused_because_its_digest_differs():
    for content in (b" " + REVOCATION.encode(), REVOCATION.encode().replace(b":", b": ", 1)):
        with pytest.raises(InputError, match="not in canonical form"):
            parse_document(content, Revocation, "file")


def test_a_document_too_large_for_an_entry_is_refused_before_it_is_read():
    with pytest.raises(InputError, match="put long texts into the object it names"):
        parse_document(b"x" * (MAX_DOCUMENT_BYTES + 1), Revocation, "file")


def test_a_time_before_1970_is_no_time():
    vote = Approval(
        directive_id="d", question="sha256:" + "0" * 64, charter_version=1, decision="approve",
        signed_s=NOON_S, expires_s=NOON_S + 1,
    )  # fmt: skip
    with pytest.raises(InputError, match="signed_s: Input should be greater"):
        parse_document(canonical(vote.model_dump() | {"signed_s": -1}), Approval, "file")


def test_who_asked_is_of_a_known_kind():
    request = Request(
        request_id="r", received_s=NOON_S, asked_by="An office", asked_by_kind="state",
        channel="letter", summary="", text="sha256:" + "0" * 64,
    )  # fmt: skip
    with pytest.raises(InputError, match="asked_by_kind: Input should be 'state', 'regulator'"):
        parse_document(canonical(request.model_dump() | {"asked_by_kind": "x"}), Request, "file")
