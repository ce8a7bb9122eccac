"""GUARANTEES.md says only what a test tries to break, and names tests that there are."""

import ast
import re
from pathlib import Path

import pytest
from tests.control.attacks import catalogue

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "GUARANTEES.md"
NAMED = re.compile(r"`(tests/[\w/.-]+\.py)(?:::(\w+))?`")
SECTION = re.compile(r"^## (G\d+): (.*?)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
COUNT = 10
BEGIN, END = "<!-- the table of attacks begins -->", "<!-- the table of attacks ends -->"

TEXT = PAGE.read_text(encoding="utf-8")
SECTIONS = {number: (title, body) for number, title, body in SECTION.findall(TEXT)}


def functions(path):
    """The names of the tests in a file, also those that a decorator makes."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_names_exists():
    for path, function in NAMED.findall(TEXT):
        assert (ROOT / path).is_file(), path
        assert not function or function in functions(path), f"{path}::{function}"
        assert not function or function.startswith("test_"), function


@pytest.mark.parametrize("number", [f"G{n}" for n in range(1, COUNT + 1)])
def test_every_guarantee_names_its_tests_or_says_not_yet_and_why(number):
    title, body = SECTIONS[number]
    if "not yet" in title:
        assert "Not yet, because" in body
    else:
        assert len(NAMED.findall(body)) >= 2
        assert "**Promised.**" in body
        assert "**Not promised.**" in body


def test_the_page_has_the_table_of_all_attacks():
    """The table is what `python -c "from tests.control.attacks.catalogue import table;
    print(*table(), sep='\\n')"` prints; put that between the two marks."""
    shown = TEXT.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    assert shown == list(catalogue.table())
