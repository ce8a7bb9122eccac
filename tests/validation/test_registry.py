"""The table of published results, and that each of its rows is judged in exactly one place."""

import json
from dataclasses import replace

import pytest

from skyweave.errors import InputError
from skyweave.validation import registry, validate
from skyweave.validation.judge import Finding, NotApplicable, Verdict
from skyweave.validation.registry import all_checks, all_within, check, judge, within
from skyweave.validation.set_aside import SET_ASIDE
from skyweave.validation.table import Row, published_rows, select_rows

ROWS = {row.id: row for row in published_rows()}


def test_every_row_is_checked_or_set_aside_and_none_twice():
    checked, aside = set(all_checks()), set(SET_ASIDE)
    assert checked | aside == set(ROWS)
    assert checked & aside == set()


def test_a_second_check_of_a_row_is_refused():
    with pytest.raises(ValueError, match="CEL-02 has two checks"):
        check("CEL-02")(lambda row: Finding("", True))


def test_ids_are_unique_and_every_reason_is_a_sentence():
    assert len(ROWS) == len(published_rows()) == 91
    assert {row_id: text for row_id, text in SET_ASIDE.items() if not text.endswith(".")} == {}


@pytest.mark.parametrize(
    ("expected", "numbers"),
    [
        ("155-165", (155.0, 165.0)),
        ("184-183-217", (184.0, 183.0, 217.0)),
        ("-89.998", (-89.998,)),
        ("-0.4847;41.3", (-0.4847, 41.3)),
        ("95.65;-4.489", (95.65, -4.489)),
        ("-2.35->0.490243; 6.62->1.980636", (-2.35, 0.490243, 6.62, 1.980636)),
        (">=0.10", (0.10,)),
        ("~3000", (3000.0,)),
        ("31 vs 11", (31.0, 11.0)),
        ("5/32", (5.0, 32.0)),
        ("4.88;6.06 (min 2;5)", (4.88, 6.06, 2.0, 5.0)),
        ("1/750 = 1.33333", (1.0, 750.0, 1.33333)),
        ("Telesat T1 < Kuiper K1 < Starlink S1", ()),
    ],
)
def test_numbers_are_read_as_the_table_writes_them(expected, numbers):
    assert replace(ROWS["HYP-10"], expected=expected).numbers == numbers


def test_ids_and_families_are_found_in_any_case_once_each_in_the_table_s_order():
    assert [row.id for row in select_rows(["cel-03", "CEL", " cel-01 "])] == [
        "CEL-01",
        "CEL-02",
        "CEL-03",
    ]
    assert [row.id for row in select_rows([])] == list(ROWS)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("HYP-99", "did you mean HYP-"),
        ("CELL", "did you mean CEL"),
        ("§", "give the id of a row, or the families HYP, HAN"),
        ("", "give the id of a row, or the families HYP, HAN"),
    ],
)
def test_an_unknown_id_is_refused_in_one_line_with_near_ones(text, hint):
    with pytest.raises(InputError) as refusal:
        validate(["CEL-01", text])
    assert hint in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_long_or_unprintable_id_does_not_fill_the_terminal():
    with pytest.raises(InputError) as refusal:
        validate(["\x1b[2J" + "X" * 10_000])
    assert len(str(refusal.value)) < 300
    assert "\x1b" not in str(refusal.value)


def test_results_have_the_documented_keys_and_are_text():
    steps = []
    results = validate(["CEL-03", "orb-10"], steps.append)
    assert json.loads(json.dumps(results)) == results
    documented = {
        "id", "source", "workload", "expected", "actual", "unit", "tolerance", "verdict", "note",
    }  # fmt: skip
    for result in results:
        assert documented <= set(result)
        assert all(isinstance(value, str) for value in result.values())
    assert [result["verdict"] for result in results] == ["not_applicable", "reproduced"]
    assert len(steps) == 2


def test_a_check_may_set_its_row_aside_when_it_runs(monkeypatch):
    def without_extra(row: Row) -> Finding:
        raise NotApplicable("Install it.")

    monkeypatch.setattr(
        "skyweave.validation.registry.all_checks", lambda: {"CEL-02": without_extra}
    )
    outcome = judge(ROWS["CEL-02"])
    assert (outcome.verdict, outcome.note) == (Verdict.NOT_APPLICABLE, "Install it.")


def test_nothing_is_within_a_tolerance_of_nan_or_of_fewer_numbers():
    assert within(1.0, 1.5, 0.5)
    assert not within(float("nan"), 1.0, 1e9)
    assert all_within([1.0, 2.0], [1.1, 2.5], [0.2, 0.5])
    assert not all_within([1.0, 2.0], [1.1, 2.5], 0.2)
    assert not all_within([1.0], [1.0, 2.0], 5.0)


def test_a_check_that_fails_is_a_row_that_differs_and_says_why(monkeypatch):
    def broken(row):
        raise RuntimeError("no gateway left")

    monkeypatch.setitem(registry._checks, "CEL-02", broken)
    outcome = judge(ROWS["CEL-02"])
    assert outcome.verdict is Verdict.DIFFERS
    assert outcome.note == "The check failed: RuntimeError: no gateway left."
