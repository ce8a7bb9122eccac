"""Drafts in TOML: what people write becomes what was meant, or one line says what to correct."""

import tomllib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.control.domain.documents import DirectiveKind
from skyweave.control.drafts import AgreementDraft, DirectiveDraft, make_draft, read_toml
from skyweave.errors import InputError

LEAST = {"id": "off", "kind": "suspend", "reason": "Interference"}
WORDS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.datetimes(), st.just(datetime(2026, 12, 1, tzinfo=UTC)), st.just("2026-12-01T00:00:00Z"),
    st.lists(st.text(max_size=5), max_size=3), st.dictionaries(st.text(max_size=5), st.integers()),
)  # fmt: skip
DIRECTIVE_KEYS = st.sampled_from([f.alias or n for n, f in DirectiveDraft.model_fields.items()])
AGREEMENT_KEYS = st.sampled_from([f.alias or n for n, f in AgreementDraft.model_fields.items()])


def test_a_time_may_be_written_as_toml_or_as_text():
    for text in ("2026-12-01T00:00:00Z", '"2026-12-01T00:00:00Z"', '"2026-12-01T01:00:00+01:00"'):
        draft = make_draft(LEAST | tomllib.loads(f"from = {text}"), DirectiveDraft, "d.toml")
        assert draft.from_s == int(datetime(2026, 12, 1, tzinfo=UTC).timestamp())


@pytest.mark.parametrize("kind", DirectiveKind)
def test_every_kind_can_be_written(kind):
    assert make_draft(LEAST | {"kind": kind.value}, DirectiveDraft, "d").kind is kind


REFUSED = {
    "an unknown key": ({"zzz": 7}, 'unknown key "zzz"; known keys: id, kind, reason'),
    "a near key": ({"regin": "x"}, 'unknown key "regin"; did you mean "region"?'),
    "a near key of a table": (
        {"licence": {"administration": "AMY", "instrument": "x", "from": 0, "untill": 9}},
        'unknown key "licence.untill"; did you mean "until"?',
    ),
    "a local time": ({"from": datetime(2026, 12, 1)}, "from: found"),
    "no number of days": ({"days": "seven"}, "days = "),
    "no days": ({"days": 0}, "days = 0"),
    "days without end": ({"days": float("inf")}, "days = inf"),
    "a table for a text": ({"reason": {"a": 1}}, "reason = a table"),
    "a list for a text": ({"route": ["a", "b"]}, "route = a list of 2"),
    "a long text": ({"reason": "x" * 501}, "reason = "),
    "an id with spaces": ({"id": "Off 1"}, 'id = "Off 1"'),
    "a rate below none": ({"max_down_bps": -1}, "max_down_bps = -1"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_meant_is_refused_with_its_key(case):
    content, why = REFUSED[case]
    with pytest.raises(InputError) as refused:
        make_draft(LEAST | content, DirectiveDraft, "d.toml")
    assert str(refused.value).startswith("d.toml: ")
    assert why in str(refused.value)
    assert len(str(refused.value)) < 700


def refusal(content, model):
    """What a draft is refused with, None where it is read."""
    try:
        make_draft(content, model, "d.toml")
    except InputError as error:
        return str(error)
    return None


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(DIRECTIVE_KEYS, WORDS), st.dictionaries(AGREEMENT_KEYS, WORDS))
def test_whatever_stands_in_a_draft_is_read_or_refused_in_a_line(directive, agreement):
    for content, model in ((LEAST | directive, DirectiveDraft), (agreement, AgreementDraft)):
        told = refusal(content, model)
        assert told is None or (told.startswith("d.toml: ") and "\n" not in told)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"id = ", "not valid TOML"),
        (b"\xff", "not UTF-8 text"),
        (b"a = " + b"[" * 100_000, "d.toml"),
        (b"a = " + b"9" * 5_000, "not valid TOML"),
        (b"#" * 300_000, "more than 262,144 bytes"),
    ],
)
def test_files_that_are_no_drafts_are_refused(content, why, tmp_path):
    (tmp_path / "d.toml").write_bytes(content)
    with pytest.raises(InputError, match=why):
        read_toml(tmp_path / "d.toml")
    with pytest.raises(InputError, match="No such file or directory; expected a draft"):
        read_toml(tmp_path / "no.toml")
