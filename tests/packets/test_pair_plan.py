"""What the packet runner reads from an exported folder: routes by hand, delays by Hypatia."""

import gzip
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from benchmarks.packets.exported_state import FolderError, read_state
from benchmarks.packets.pair_plan import plan_pair

GOLDEN = Path(__file__).parents[1] / "golden" / "hypatia"
STEP_NS = 100_000_000

ONE_MICROSECOND = 1e-6  # Hypatia's frames are pyephem's; ours differ by up to 75 m of path

TLE = """1 {0:05d}U 00000ABC 00001.00000000  .00000000  00000-0  00000+0 0    00
2 {0:05d}  51.9000   0.0000 0000001   0.0000 {1:8.4f} 14.80000000    00
"""
# Satellites 0 to 2, ground stations 3 (Here) and 4 (There).  At step 1 the path moves from
# satellite 0 to 2, and what is still at 0 goes on over 1, which is never on a path; at step 2 There
# is lost.
STEPS = (
    "0,4,4,0,0\n1,4,4,0,0\n2,4,4,0,0\n0,3,3,0,0\n1,3,3,0,0\n2,3,3,0,0\n3,4,0,0,0\n4,3,0,0,0\n",
    "0,4,1,0,0\n3,4,2,0,0\n",
    "3,4,-1,-1,-1\n",
)
HERE_OVER_0, HERE_OVER_2 = [3, 0, 4], [3, 2, 4]


@pytest.fixture
def folder(tmp_path):
    """A network of three satellites and two ground stations for 0.3 s."""
    elements = [f"TEST {n}\n" + TLE.format(n + 1, 10.0 * n) for n in range(3)]
    (tmp_path / "tles.txt").write_text("1 3\n" + "".join(elements))
    (tmp_path / "ground_stations.txt").write_text(
        "0,Here,0.0,0.0,0.0,6378135.0,0.0,0.0\n1,There,0.0,90.0,0.0,0.0,6378135.0,0.0\n"
    )
    states = tmp_path / "dynamic_state_100ms_for_1s"
    states.mkdir()
    for step in range(10):
        text = STEPS[step] if step < len(STEPS) else ""
        (states / f"fstate_{step * STEP_NS}.txt").write_text(text)
        rates = "".join(f"{n},0,{1 + n:.6f}\n" for n in range(5)) if step == 0 else ""
        (states / f"gsl_if_bandwidth_{step * STEP_NS}.txt").write_text(rates)
    return tmp_path


@pytest.fixture
def plan(folder):
    return plan_pair(read_state(folder), "Here", "There")


def change_fstate(folder, step, text):
    (folder / "dynamic_state_100ms_for_1s" / f"fstate_{step * STEP_NS}.txt").write_text(text)


def test_a_route_holds_until_a_later_file_changes_it(plan):
    back = list(reversed(HERE_OVER_0))
    assert plan.paths == [(0, HERE_OVER_0, back), (1, HERE_OVER_2, back), (2, [], back)]


def test_packets_left_behind_have_a_way_over_satellites_that_were_never_on_a_path(plan):
    assert plan.node.tolist() == [0, 1, 2, 3, 4]
    assert plan.link.tolist() == [[0, 1], [0, 3], [0, 4], [1, 4], [2, 3], [2, 4]]
    assert plan.is_gsl.tolist() == [False, True, True, True, True, True]


def test_routes_are_told_at_the_step_of_their_change_and_only_then(plan):
    from_0_over_1, from_3_over_2 = (1, 0, 1, 0), (1, 3, 1, 4)
    assert [tuple(change) for change in plan.changes if change.step] == [
        from_0_over_1,
        from_3_over_2,
        (2, 3, 1, -1),
    ]


def test_rates_are_the_factors_of_each_node(folder):
    assert read_state(folder).gsl_rate_factor.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("step", "text", "advice"),
    [
        (0, "0,4,4\n", "expected 5 columns in each line; export again"),
        (3, "0,4,5,0,0\n", "a node is outside 0..4; export again"),
        (3, "3,4,0,0,0\n0,4,1,0,0\n1,4,0,0,0\n", "leads in a circle at node 0"),
    ],
)
def test_a_forwarding_state_that_leads_nowhere_is_refused(folder, step, text, advice):
    change_fstate(folder, step, text)
    with pytest.raises(FolderError, match=re.escape(advice)):
        plan_pair(read_state(folder), "Here", "There")


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("tles.txt", "", "tles.txt: not enough values to unpack"),
        ("tles.txt", "2 2\n", "tles.txt: line 1 does not count the satellites"),
        ("ground_stations.txt", "0,Here\n", "expected eight columns in each line"),
        ("ground_stations.txt", "0,Here,0,0,0,far,0,0\n", "could not convert string to float"),
        ("dynamic_state_100ms_for_1s/gsl_if_bandwidth_0.txt", "0,0,1\n", "one line for each of 5"),
        ("dynamic_state_100ms_for_1s/fstate_0.txt", "0,4,x,0,0\n", "fstate_0.txt: invalid literal"),
    ],
)
def test_a_file_of_another_shape_is_named_with_what_to_do(folder, name, text, advice):
    (folder / name).write_text(text)
    with pytest.raises(FolderError, match=f"{re.escape(advice)}.*; export again"):
        plan_pair(read_state(folder), "Here", "There")


def test_a_step_that_is_missing_is_named(folder):
    (folder / "dynamic_state_100ms_for_1s" / "fstate_500000000.txt").unlink()
    with pytest.raises(FolderError, match=r"fstate_500000000\.txt: No such file"):
        plan_pair(read_state(folder), "Here", "There")


def test_an_unknown_ground_station_is_refused(folder):
    with pytest.raises(FolderError, match='"Nowhere" names 0 ground stations; use a name'):
        plan_pair(read_state(folder), "Here", "Nowhere")


def test_a_pair_of_one_is_refused(folder):
    with pytest.raises(FolderError, match='FROM and TO are both "Here"'):
        plan_pair(read_state(folder), "Here", "Here")


def test_a_folder_without_a_state_is_refused(tmp_path, folder):
    (folder / "dynamic_state_100ms_for_1s").rename(folder / "other")
    with pytest.raises(FolderError, match="found 0 folders dynamic_state_<STEP>ms"):
        read_state(folder)


def test_bandwidths_that_change_are_refused(folder):
    later = folder / "dynamic_state_100ms_for_1s" / "gsl_if_bandwidth_100000000.txt"
    later.write_text("0,0,0.5\n")
    with pytest.raises(FolderError, match="bandwidths change with time"):
        read_state(folder)


def golden_rtt_s(t_s):
    with gzip.open(GOLDEN / "networkx_rtt_1173_to_1241.txt.gz", "rt") as file:
        return np.loadtxt(file, delimiter=",")[np.rint(t_s / 0.1).astype(int), 1] * 1e-9


def test_delays_along_the_exported_routes_are_hypatias_own_round_trips(export, full_counts):
    for_s, every_s = (200, 0.1) if full_counts else (20, 1.0)
    state = read_state(export("pair", for_s, only=("Manila", "Dalian"), every_s=every_s))
    plan = plan_pair(state, "Manila", "Dalian")
    rtt_s = np.array([round_trip_s(plan, step) for step in range(state.steps)])
    np.testing.assert_allclose(rtt_s, golden_rtt_s(state.t_s()), rtol=0, atol=ONE_MICROSECOND)


def round_trip_s(plan, step):
    _, there, back = next(path for path in reversed(plan.paths) if path[0] <= step)
    row = {tuple(pair): number for number, pair in enumerate(plan.link.tolist())}
    hops = np.searchsorted(plan.node, [*pairwise(there), *pairwise(back)])
    return sum(plan.delay_s[step, row[min(hop), max(hop)]] for hop in hops.tolist())
