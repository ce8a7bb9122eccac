"""Packets of ns-3 over our exported state: a ping and a TCP flow from Manila to Dalian.

ns-3 is GPL-2.0 and no part of Skyweave: it runs as another program in an environment of its own
(docs/how-to/packets.md).  SKYWEAVE_NS3_PYTHON names that environment's interpreter.
"""

import json
import os
import subprocess
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from benchmarks.packets.compare import Fate, compare
from benchmarks.packets.exported_state import read_state
from benchmarks.packets.pair_plan import station

import skyweave

ROOT = Path(__file__).parents[2]
KUIPER = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
RATE_BPS = 10e6
HOST_RATE_BPS = 10e9
PING_FRAME_BITS = 8 * 86  # ICMP's 64 bytes, IPv4's 20, PPP's 2
TCP_PAYLOAD_SHARE = 1448 / 1502  # of a full packet with its headers

ONE_NANOSECOND_A_HOP_S = 1e-9 * 24  # ns-3 counts whole ones
TENTH_OF_A_MILLISECOND_US = 100.0
LONGEST_SILENCE_S = 1.0  # of a TCP flow that survives a change: below a first time-out

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ns3_python(full_counts):
    """The interpreter of the environment that holds ns3."""
    named = os.environ.get("SKYWEAVE_NS3_PYTHON")
    if not (named or full_counts):
        pytest.skip("simulates packets for minutes: run by make prove, or set SKYWEAVE_NS3_PYTHON")
    python = Path(named or ROOT / ".venv-ns3" / "bin" / "python")
    if not python.is_file():
        pytest.skip(f"ns-3 absent: {python} is missing; docs/how-to/packets.md says how to make it")
    return python


@pytest.fixture
def span_s(full_counts):
    return 200 if full_counts else 30


def simulated(python, folder, out, *options):
    command = [python, "-m", "benchmarks.packets.run_ns3", folder, "Manila", "Dalian"]
    subprocess.run([*command, "--out", out, *options], cwd=ROOT, check=True)
    return json.loads(out.read_text())


def test_pings_are_the_path_and_tcp_survives_its_changes(
    ns3_python, export, tmp_path, full_counts, span_s, record_figure
):
    folder = export("state", span_s, only=() if full_counts else ("Manila", "Dalian"))
    packets = simulated(ns3_python, folder, tmp_path / "packets.json")
    path = skyweave.path(KUIPER, "Manila", "Dalian", every_s=0.1, for_s=span_s)
    assert len(packets["paths"]) == (6 if full_counts else 3)
    for name in ("alone", "beside_tcp"):
        found = compare(packets[name]["ping"], packets["paths"], path["samples"])
        assert found.holds, {str(fate): len(pings) for fate, pings in found.pings.items()}
        assert len(found.deviation_s) > 0.99 * 100 * span_s
        largest_us = 1e6 * max(found.deviation_s)
        figure = f"ns-3 ping {name.replace('_', ' ')} less sending and queueing, against path"
        record_figure(figure, round(largest_us, 2), "us", "<= 100")
        assert largest_us <= TENTH_OF_A_MILLISECOND_US
    assert_sending_is_what_the_rates_say(packets)
    assert_queues_are_empty_without_tcp(packets)
    goodput_bps = assert_tcp_goes_on(packets)
    record_figure("ns-3 TCP goodput at 10 Mbit/s", round(goodput_bps / 1e6, 3), "Mbit/s", "0 to 10")


def assert_sending_is_what_the_rates_say(packets):
    """Every interface there and back sends the ping once, each host's at the host's rate."""
    pings = packets["alone"]["ping"]
    changes_s = [route["t_s"] for route in packets["paths"][1:]]
    for route, until_s in zip(packets["paths"], [*changes_s, np.inf], strict=True):
        links = 2 * (len(route["there"]) - 1)
        expected_s = PING_FRAME_BITS * (links / RATE_BPS + 4 / HOST_RATE_BPS)
        for t_s, rtt_s, sent_s in zip(
            pings["t_s"], pings["rtt_s"], pings["serialisation_s"], strict=True
        ):
            if route["t_s"] <= t_s and t_s + rtt_s < until_s:
                assert sent_s == pytest.approx(expected_s, abs=ONE_NANOSECOND_A_HOP_S)


def assert_queues_are_empty_without_tcp(packets):
    assert packets["alone"]["queue_drops"] == 0
    assert set(packets["alone"]["ping"]["queueing_s"]) == {0.0}


def assert_tcp_goes_on(packets):
    """Check that the flow fills the link, never beyond it, through every change; return goodput."""
    tcp = packets["beside_tcp"]["tcp"]
    busy = np.flatnonzero(tcp["delivered_bytes"])
    silence_s = tcp["bin_s"] * max(after - before - 1 for before, after in pairwise(busy))
    assert silence_s < LONGEST_SILENCE_S
    goodput_bps = 8 * sum(tcp["delivered_bytes"]) / packets["duration_s"]
    assert 0.8 * RATE_BPS < goodput_bps < TCP_PAYLOAD_SHARE * RATE_BPS
    assert max(tcp["window_bytes"]) > 1448
    return goodput_bps


def test_an_unreachable_end_loses_every_ping(ns3_python, export, tmp_path):
    folder = export("state", 2, only=("Manila", "Dalian"))
    state = read_state(folder)
    manila, dalian = station(state, "Manila"), station(state, "Dalian")
    neither = f"{manila},{dalian},-1,-1,-1\n{dalian},{manila},-1,-1,-1\n"
    (state.states / "fstate_1000000000.txt").write_text(neither)
    packets = simulated(ns3_python, folder, tmp_path / "packets.json", "--tcp", "cubic")
    rtt_s = packets["alone"]["ping"]["rtt_s"]
    assert None not in rtt_s[:97]  # three pings are under way for the 30 ms before the change
    assert set(rtt_s[100:]) == {None}
    samples = skyweave.path(KUIPER, "Manila", "Dalian", every_s=0.1, for_s=2)["samples"]
    cut = [{"t_s": 1.0, "rtt_s": None, "nodes": []}]
    found = compare(packets["alone"]["ping"], packets["paths"], samples[:10] + cut)
    assert found.holds
    assert len(found.pings[Fate.NO_PATH]) == 100
    tenths = packets["beside_tcp"]["tcp"]["delivered_bytes"]
    assert sum(tenths[5:10]) > 0
    assert sum(tenths[12:]) == 0  # what was under way has arrived, or left a queue
