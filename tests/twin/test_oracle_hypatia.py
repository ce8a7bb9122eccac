"""`path` against every file of Hypatia's Kuiper-630 test, both pairs in both directions.

Between two changes the nodes are Hypatia's and the round-trip time is within 1 us.  At a change
listed in its path file one 0.1-s sample may fall on the other side: there the file's own test was
met or missed by some 10 m of range, and the two programs' frames differ by up to 75 m.
"""

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

import skyweave

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "tests" / "golden" / "hypatia"
SCENARIO = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
SATELLITES = 34 * 34
STEP_S = 0.1
STEPS = 2000
NEAR_A_CHANGE = 4  # steps to either side that are looked at where not all are

ONE_MICROSECOND = 1e-6
ONE_SAMPLE = 1

CITIES = {1173: "Manila", 1229: "Sankt-Peterburg-(Saint-Petersburg)", 1241: "Dalian"}
TOLD = {1173: "Manila", 1229: "Petersburg", 1241: "Dalian"}
THERE = ((1173, 1241), (1229, 1241))
BACK = tuple((end, start) for start, end in THERE)
EXPECTED_MOVED = {frozenset(THERE[0]): 0, frozenset(THERE[1]): 2}

Steps = NDArray[np.int64]


class Golden(NamedTuple):
    changes: Steps  # the steps at which a path begins, the first at 0
    nodes: list[str]  # (STEPS,) satellites by number, joined; "" where unreachable
    rtt_s: NDArray[np.float64]  # (STEPS,) NaN where unreachable


class Answer(NamedTuple):
    nodes: list[str]
    rtt_s: NDArray[np.float64]


@pytest.fixture(scope="module")
def scenario():
    return skyweave.load_scenario(SCENARIO)


def golden(folder: Path, start: int, end: int) -> Golden:
    lines = (folder / f"networkx_path_{start}_to_{end}.txt").read_text().split()
    t_ns, paths = zip(*(line.split(",") for line in lines), strict=True)
    changes = np.array(t_ns, np.int64) // 10**8
    begun = np.searchsorted(changes, np.arange(STEPS), side="right") - 1
    with gzip.open(folder / f"networkx_rtt_{start}_to_{end}.txt.gz", "rt") as file:
        t_ns, rtt_ns = np.loadtxt(file, delimiter=",").T
    np.testing.assert_array_equal(t_ns, np.arange(STEPS) * 1e8)
    sats = ["" if path == "Unreachable" else "-".join(path.split("-")[1:-1]) for path in paths]
    return Golden(changes, [sats[k] for k in begun], np.where(rtt_ns > 0, rtt_ns * 1e-9, np.nan))


def answers(scenario, start: int, end: int, steps: Steps) -> Answer:
    """Ask `path` for steps, one call for each run of them without a gap."""
    samples = []
    for run in np.split(steps, np.flatnonzero(np.diff(steps) != 1) + 1):
        tenths = np.timedelta64(int(run[0]) * 100, "ms")
        at = np.datetime64("2000-01-01T00:00:00.000") + tenths
        found = skyweave.path(scenario, CITIES[start], CITIES[end], at=f"{at}Z",
                              every_s=STEP_S, for_s=run.size * STEP_S)  # fmt: skip
        samples += found["samples"]
    assert len(samples) == steps.size
    nodes = ["-".join(sample["nodes"][1:-1]) for sample in samples]
    rtt_s = [np.nan if sample["rtt_s"] is None else sample["rtt_s"] for sample in samples]
    return Answer(nodes, np.array(rtt_s))


def looked_at(changes: Steps, full: bool) -> Steps:
    near = np.arange(-NEAR_A_CHANGE, NEAR_A_CHANGE)
    steps = np.arange(STEPS) if full else np.unique(changes[:, None] + near)
    return steps[(steps >= 0) & (steps < STEPS)]


def across(expected: Golden, step: int, change: int) -> tuple[str, float]:
    """Return the path from the other side of a change, and its time carried on to this step."""
    side = np.array([change, change + 1] if step < change else [change - 1, change - 2])
    near_s, far_s = expected.rtt_s[side]
    return expected.nodes[side[0]], float(2 * near_s - far_s)


def check(expected: Golden, found: Answer, steps: Steps) -> tuple[list[int], float]:
    """Return the steps whose sample lies across a change, and the largest error in s."""
    changes = expected.changes[1:]
    expected_s = expected.rtt_s[steps].copy()
    moved, of_changes = [], []
    for k, step in enumerate(steps.tolist()):
        if found.nodes[k] == expected.nodes[step]:
            continue
        change = int(changes[np.abs(changes - step).argmin()])
        assert step in (change - ONE_SAMPLE, change)  # the last before it or the first after it
        nodes, expected_s[k] = across(expected, step, change)
        assert found.nodes[k] == nodes
        moved.append(step)
        of_changes.append(change)
    assert len(set(of_changes)) == len(of_changes), "two samples lie across one change"
    np.testing.assert_array_equal(np.isnan(found.rtt_s), np.isnan(expected_s))
    return moved, float(np.nanmax(np.abs(found.rtt_s - expected_s)))


def compare(scenario, expected: Golden, pair, is_full: bool, record_figure) -> None:
    start, end = pair
    steps = looked_at(expected.changes, is_full)
    told = f"Hypatia {TOLD[start]}-{TOLD[end]} through `path`, {steps.size} samples"
    moved, error_s = check(expected, answers(scenario, start, end, steps), steps)
    listed = ", ".join(f"{step / 10}" for step in moved) or "none"
    record_figure(f"{told}: across a change, at", listed, "s", "<= 1 sample a change")
    record_figure(f"{told}: RTT, max", error_s * 1e6, "us", "<= 1")
    assert error_s <= ONE_MICROSECOND
    assert len(moved) == EXPECTED_MOVED[frozenset(pair)]


@pytest.mark.parametrize("pair", THERE)
def test_every_sample_is_that_of_the_shipped_files(pair, scenario, full_counts, record_figure):
    compare(scenario, golden(SHIPPED, *pair), pair, full_counts, record_figure)


@pytest.mark.parametrize("pair", BACK)
def test_every_sample_of_the_way_back_is_that_of_its_own_files(
    pair, scenario, reference_data, full_counts, record_figure
):
    expected = golden(reference_data / "oracles" / "hypatia_kuiper_630", *pair)
    compare(scenario, expected, pair, full_counts, record_figure)


@pytest.mark.parametrize("pair", THERE)
def test_the_shipped_files_are_the_reference_files(pair, reference_data):
    shipped, reference = SHIPPED, reference_data / "oracles" / "hypatia_kuiper_630"
    for name in ("networkx_path_{}_to_{}.txt", "networkx_rtt_{}_to_{}.txt.gz"):
        ours, theirs = (folder / name.format(*pair) for folder in (shipped, reference))
        read = gzip.open if name.endswith("gz") else open
        with read(ours, "rb") as one, read(theirs, "rb") as other:
            assert one.read() == other.read()
