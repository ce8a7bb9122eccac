"""A link plan of one's own: ten lines in a file that the scenario names."""

from itertools import pairwise

import numpy as np
import pytest

import skyweave
from skyweave.errors import InputError
from skyweave.twin.scenario import parse_scenario
from skyweave.twin.world import build_world, isl_plan

CHAIN = """
import numpy as np
from skyweave.twin.topology import LinkLimits, as_edges

class Chain:
    degree = 2
    limits = LinkLimits()

    def __init__(self, catalogue, epoch_utc, slot_s, relays):
        self.count = len(catalogue)

    def links(self, previous, slot, sat_itrf_m):
        rows = np.arange(self.count - 1)
        return as_edges(rows, rows + 1)
"""
SCENARIO = """
sites = [
    {{ name = "A", lat_deg = 0.0, lon_deg = 0.0 }}, {{ name = "B", lat_deg = 0.0, lon_deg = 40.0 }},
]
[time]
start_utc = 2026-06-14T12:00:12Z
duration_s = 60
[isl]
plan = "{plan}"
{more}
[[shells]]
altitude_km = 1200
inclination_deg = 0.0
planes = 1
per_plane = 12
"""


def scenario(tmp_path, code=CHAIN, plan="own.py:Chain", more=""):
    (tmp_path / "own.py").write_text(code, encoding="utf-8")
    text = SCENARIO.format(plan=plan, more=more)
    return parse_scenario(text, source="own.toml", folder=tmp_path)


def test_a_chain_in_ten_lines_links_what_it_says(tmp_path):
    world = build_world(scenario(tmp_path))
    edges = isl_plan(world, world.grid.epoch_utc).links(None, 0, np.zeros((12, 3)))
    assert edges.tolist() == [[k, k + 1] for k in range(11)]
    (sample,) = skyweave.path(scenario(tmp_path), "A", "B")["samples"]
    inside = [int(node) for node in sample["nodes"][1:-1]]
    assert sample["rtt_s"] > 0.0
    assert {abs(a - b) for a, b in pairwise(inside)} == {1}


@pytest.mark.parametrize(
    ("code", "plan", "more", "expected"),
    [
        (CHAIN, "none.py:Chain", "", r'isl\.plan = "none\.py:Chain": no file .*; write FILE\.py'),
        (CHAIN, "own.py:Ring", "", 'has no function "Ring"'),
        (CHAIN, "own.rb:Chain", "", r"found 'own\.rb:Chain', expected one of none, .* or FILE\.py"),
        (CHAIN, "own.py:Chain", "max_range_m = 1e6", "max_range_m is for built-in plans"),
        (CHAIN.replace("degree = 2", ""), "own.py:Chain", "", "failed: AttributeError"),
        (CHAIN.replace("LinkLimits()", "None"), "own.py:Chain", "", "a plan needs degree, limits"),
        (CHAIN.replace("self.count =", "1 / 0 #"), "own.py:Chain", "", "failed: ZeroDivisionError"),
        (CHAIN.replace("self.count =", "raise SystemExit(0) #"), "own.py:Chain", "", "SystemExit"),
        (CHAIN.replace("degree = 2", "degree = 10**7"), "own.py:Chain", "", "expected 0 to 64"),
        (CHAIN.replace("degree = 2", "degree = -1"), "own.py:Chain", "", "expected 0 to 64"),
    ],
)
def test_what_is_no_plan_is_refused_in_one_line(tmp_path, code, plan, more, expected):
    with pytest.raises(InputError, match=expected) as refusal:
        build_world(scenario(tmp_path, code, plan, more))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "links",
    ["[[0, 12]]", "np.zeros(3)", "[[0.5, 1.5]]", "1 / 0", "[['a', 'b']]", "exit(3)"],
)
def test_links_that_cannot_be_are_refused_in_one_line(tmp_path, links):
    code = CHAIN.replace("return as_edges(rows, rows + 1)", f"return {links}")
    world = build_world(scenario(tmp_path, code))
    with pytest.raises(InputError, match=r"isl\.plan \"own\.py:Chain\"") as refusal:
        isl_plan(world, world.grid.epoch_utc).links(None, 0, np.zeros((12, 3)))
    assert "\n" not in str(refusal.value)


def test_what_a_plan_prints_does_not_reach_stdout(tmp_path, capsys):
    code = CHAIN.replace("self.count =", "print('made'); self.count =")
    code = code.replace("rows = np", "print('linked'); rows = np")
    world = build_world(scenario(tmp_path, code))
    isl_plan(world, world.grid.epoch_utc).links(None, 0, np.zeros((12, 3)))
    found = capsys.readouterr()
    assert found.out == ""
    assert {"made", "linked"} <= set(found.err.split())
