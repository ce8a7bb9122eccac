"""The validation page: counts, tables, and nothing in them that Markdown would eat."""

import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from skyweave import __version__, api
from skyweave.errors import InputError
from skyweave.validation import as_markdown, validate
from skyweave.validation.table import published_rows

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "validation.md"
WEATHER = {"PHY-04", "PHY-06", "PHY-08"}
QUICK = ["CEL", "OSO", "PHY", "ORB", "TOP-03", "HAN-07", "HAN-02", "REG-23", "MEA-07", "MEA-08"]


def result(**fields):
    empty = dict.fromkeys(
        ("source", "where", "workload", "quantity", "expected", "actual", "unit", "tolerance"), ""
    )
    return {"id": "XXX-01", "verdict": "reproduced", "note": "", **empty, **fields}


def lines_by_id(page):
    return {line.split(" | ")[0].strip("| "): line for line in page.splitlines() if " | " in line}


def test_results_are_counted_and_grouped_by_source_in_the_order_given():
    page = as_markdown(
        [
            result(id="B-1", source="Beta", verdict="differs", note="Because."),
            result(id="A-1", source="Alpha"),
            result(id="B-2", source="Beta", verdict="not_applicable", note="Needs packets."),
            result(id="B-3", source="Beta", verdict="not_applicable", note="Needs packets."),
        ]
    )
    assert "Of 4 rows 2 are judged here: **1 reproduced, 1 differ** (B-1). 2 are not" in page
    assert f"Skyweave {__version__}" in page
    assert (
        page.index("## Beta") < page.index("| B-1") < page.index("| B-2") < page.index("## Alpha")
    )
    assert "- B-1: Because.\n- B-2, B-3: Needs packets.\n" in page
    assert "**differs**" in page


def test_signs_that_mean_something_to_markdown_stay_signs():
    page = as_markdown([result(expected="a|b <c> *d* _e_ ~f~ [g] `h` &amp; \\", source="S")])
    (line,) = (line for line in page.splitlines() if line.startswith("| XXX-01"))
    assert len(re.findall(r"(?<!\\)\|", line)) == 7
    assert r"a\|b &lt;c&gt; \*d\* \_e\_ &#126;f&#126; \[g\] \`h\` &amp;amp; \\" in line


def test_the_page_is_the_same_each_time():
    assert as_markdown(validate(["CEL"])) == as_markdown(validate(["CEL"]))


def test_the_committed_page_lists_every_row_once_and_is_what_the_quick_checks_say():
    committed = PAGE.read_text(encoding="utf-8")
    ids = re.findall(r"^\| ([A-Z]{3}-\d+) \|", committed, re.MULTILINE)
    assert sorted(ids) == sorted(row.id for row in published_rows())
    fresh = lines_by_id(as_markdown(validate(QUICK)))
    known = lines_by_id(committed)
    if find_spec("itur") is None:
        fresh = {row_id: line for row_id, line in fresh.items() if row_id not in WEATHER}
    changed = {row_id for row_id, line in fresh.items() if known[row_id] != line}
    assert changed == set(), "run skyweave validate --out docs/validation.md"


def test_the_command_writes_the_page_of_what_it_computed(tmp_path):
    page = tmp_path / "page.md"
    assert api.validate(["CEL"], out=page) == validate(["CEL"])
    assert page.read_text(encoding="utf-8") == as_markdown(validate(["CEL"]))


def test_a_page_in_no_folder_is_refused_before_anything_is_computed(tmp_path):
    with pytest.raises(InputError, match="there is no folder"):
        api.validate(["CEL"], out=tmp_path / "none" / "page.md", progress=pytest.fail)
