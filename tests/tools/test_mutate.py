"""The tool that breaks modules: it makes the breaks it says, and sees who notices."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tools.mutate import mutants

ROOT = Path(__file__).parents[2]

BREAKS = {
    "a < b": ["a <= b"],
    "a == b": ["a != b"],
    "a + 1": ["a - 1", "a + 2"],
    "a and b": ["a or b"],
    "not a": ["+a"],
    "b if a else c": ["b if not a else c"],
    "f(True)": ["f(False)"],
    "min(a)": ["max(a)"],
    "'text'": [],
}


@pytest.mark.parametrize(("code", "expected"), BREAKS.items())
def test_each_spot_is_broken_in_its_own_way(code, expected):
    found = [broken.removeprefix("x = ") for _, _, broken in mutants(f"x = {code}\n")]
    assert sorted(found) == sorted(expected)


def test_a_returned_value_is_dropped_and_hints_of_types_stay():
    source = "def f(a: int | None) -> int | None:\n    return a\n"
    assert [(line, what) for line, what, _ in mutants(source)] == [(2, "None returned")]


def test_the_tool_counts_who_is_killed_and_leaves_the_source_alone():
    path = ROOT / "src/skyweave/policy/salted.py"
    before = path.read_bytes()
    pair = "skyweave.policy.salted=tests/policy/test_terminals.py"
    command = [sys.executable, "tools/mutate.py", "--json", "--every", "4", pair]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)["skyweave.policy.salted"]
    assert found["killed"] == found["tried"] > 0
    assert path.read_bytes() == before
