"""How pings of a simulation are held against samples of `skyweave path`, case by case."""

import json
import sys

import pytest
from benchmarks.packets import compare as module
from benchmarks.packets.compare import Fate, compare

A, B = ["Here", "0", "There"], ["Here", "1", "There"]
ROUTES = [
    {"t_s": 0.0, "there": A, "back": A[::-1]},
    {"t_s": 1.0, "there": B, "back": B[::-1]},
    {"t_s": 5.0, "there": [], "back": []},
]
SAMPLES = [
    {"t_s": 0.0, "rtt_s": 0.030, "nodes": A},
    {"t_s": 1.0, "rtt_s": 0.020, "nodes": B},
    {"t_s": 3.0, "rtt_s": 0.010, "nodes": A},
    {"t_s": 4.0, "rtt_s": 0.020, "nodes": B},
    {"t_s": 5.0, "rtt_s": None, "nodes": []},
]
TEN_NANOSECONDS = 1e-8


def one(t_s, rtt_s, serialisation_s=0.0, queueing_s=0.0, dropped=False):
    """Compare a single ping."""
    fields = {"t_s": t_s, "rtt_s": rtt_s, "serialisation_s": serialisation_s}
    fields |= {"queueing_s": queueing_s, "dropped": dropped}
    return compare({name: [value] for name, value in fields.items()}, ROUTES, SAMPLES)


@pytest.mark.parametrize(
    ("t_s", "rtt_s", "dropped", "fate"),
    [
        (0.5, 0.030, False, Fate.COMPARED),
        (1.0, 0.020, False, Fate.COMPARED),  # sent at the very change: all of its way is new
        (0.98, 0.030, False, Fate.ACROSS_CHANGE),
        (0.98, None, False, Fate.ACROSS_CHANGE),
        (3.5, 0.020, False, Fate.OTHER_PATH),
        (0.0, None, True, Fate.DROPPED),
        (0.98, None, True, Fate.DROPPED),
        (1.5, None, False, Fate.UNEXPLAINED),
        (6.0, None, False, Fate.NO_PATH),
    ],
)
def test_each_ping_has_one_fate(t_s, rtt_s, dropped, fate):
    found = one(t_s, rtt_s, dropped=dropped)
    assert [kind for kind, pings in found.pings.items() if pings] == [fate]


def test_time_at_interfaces_is_taken_off_the_round_trip():
    found = one(0.5, 0.150, serialisation_s=0.001, queueing_s=0.119)
    assert found.deviation_s == pytest.approx([0.0], abs=TEN_NANOSECONDS)


@pytest.mark.parametrize(
    ("t_s", "rtt_s", "holds"),
    [
        (0.5, 0.03009, True),
        (0.5, 0.03011, False),
        (0.5, 0.02989, False),
        (3.5, 0.020, False),
        (1.5, None, False),
        (6.0, None, False),  # nothing was compared
    ],
)
def test_it_holds_when_pings_are_within_a_tenth_of_a_millisecond_and_none_is_unclear(
    t_s, rtt_s, holds
):
    assert one(t_s, rtt_s).holds is holds


@pytest.mark.parametrize(("t_s", "rtt_s"), [(3.5, 0.020), (1.5, None)])
def test_one_unclear_ping_among_good_ones_is_enough_to_fail(t_s, rtt_s):
    pings = {"t_s": [0.5, t_s], "rtt_s": [0.030, rtt_s], "serialisation_s": [0.0, 0.0]}
    pings |= {"queueing_s": [0.0, 0.0], "dropped": [False, False]}
    found = compare(pings, ROUTES, SAMPLES)
    assert len(found.deviation_s) == 1
    assert not found.holds


@pytest.fixture
def files(tmp_path):
    """What run_ns3.py and `skyweave path --json` would write for one ping and two TCP segments."""
    pings = {"t_s": [0.5], "rtt_s": [0.031], "serialisation_s": [0.001]}
    pings |= {"queueing_s": [0.0], "dropped": [False]}
    tcp = {"kind": "cubic", "delivered_bytes": [1448, 1448]}
    packets = {
        "from": "Here", "to": "There", "duration_s": 2.0, "rate_bps": 1e6, "paths": ROUTES,
        "alone": {"ping": pings}, "beside_tcp": {"ping": pings, "queue_drops": 3, "tcp": tcp},
    }  # fmt: skip
    path = {"from": "Here", "to": "There", "samples": SAMPLES}
    (tmp_path / "packets.json").write_text(json.dumps(packets))
    (tmp_path / "path.json").write_text(json.dumps(path))
    return tmp_path / "packets.json", tmp_path / "path.json"


def test_the_report_says_what_was_compared_and_what_tcp_delivered(files, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, files)])
    assert module.main() == 0
    said = capsys.readouterr().out
    assert said.count("the rest is `skyweave path` within 0.00 us (limit 100 us)") == 2
    assert "being sent 1.000 to 1.000 ms" in said
    assert "TCP cubic: 0.012 Mbit/s delivered at 1 Mbit/s, 3 packets dropped" in said


def test_another_pair_is_refused(files, monkeypatch):
    path = files[1]
    path.write_text(path.read_text().replace('"There"', '"Elsewhere"', 1))
    monkeypatch.setattr(sys, "argv", ["compare", *map(str, files)])
    with pytest.raises(SystemExit, match=r"another pair than .*; give the same"):
        module.main()
