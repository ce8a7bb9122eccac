"""Traces: read back as their tools read them, and the script run by a real shell."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import skyweave
from skyweave.errors import InputError
from skyweave.time import parse_utc
from skyweave.twin.ends_by_name import endpoint
from skyweave.twin.export._trace_text import (
    netem_changes,
    netem_limit,
    netem_script,
    opportunities_ms,
)
from skyweave.twin.export.traces import export_run_trace, export_trace
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system, build_world

ROOT = Path(__file__).parents[3]
KUIPER = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
PACKET_BITS = 12_000
HALF_A_MICROSECOND_S = 0.5e-6
A_SECOND_OF_A_BUSY_MACHINE_MS = 1_000


@pytest.fixture(scope="module")
def kuiper():
    return build_world(skyweave.load_scenario(KUIPER))


def exported(world, start, end, out, at_s=0.0, every_s=0.1, for_s=5.0, **options):
    at_utc = parse_utc(world.scenario.time.start_utc) + np.timedelta64(round(at_s * 1e3), "ms")
    ends = endpoint(world, start), endpoint(world, end)
    return export_trace(world, *ends, at_utc, every_s, for_s, out, **options)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def outage(kuiper, tmp_path_factory):
    """Saint Petersburg to Dalian around the start of Hypatia's outage at 155.4 s."""
    out = tmp_path_factory.mktemp("trace") / "outage"
    found = exported(
        kuiper, "Saint Petersburg", "Dalian", out, at_s=153.0, for_s=5.0, rate_bps=12_000_000
    )
    return out, found


def test_the_table_is_what_path_prints(outage):
    out, found = outage
    scenario = skyweave.load_scenario(KUIPER)
    at_utc = str(parse_utc(scenario.time.start_utc) + np.timedelta64(153, "s")) + "Z"
    expected = skyweave.path(
        scenario, "Saint Petersburg", "Dalian", at=at_utc, every_s=0.1, for_s=5
    )
    rows = rows_of(out / "trace.csv")
    assert len(rows) == len(expected["samples"]) == found["steps"] == 50
    for row, sample in zip(rows, expected["samples"], strict=True):
        assert float(row["t_s"]) == pytest.approx(sample["t_s"], abs=1e-9)
        assert row["reason"] == sample.get("reason", "")
        assert row["nodes"] == " > ".join(sample["nodes"])
        if sample["rtt_s"] is None:
            assert (row["up"], row["rtt_s"], row["rate_bps"]) == ("0", "", "0")
        else:
            assert (row["up"], row["rate_bps"]) == ("1", "12000000")
            assert float(row["rtt_s"]) == sample["rtt_s"] == 2 * float(row["one_way_delay_s"])
    assert {row["up"] for row in rows} == {"0", "1"}
    up = [row["up"] == "1" for row in rows]
    assert found["up_share"] == sum(up) / 50


def test_mahimahi_reads_the_rate_back_and_nothing_in_the_outage(outage):
    out, found = outage
    text = (out / "mahimahi-up.trace").read_bytes()
    assert text == (out / "mahimahi-down.trace").read_bytes()
    at_ms = [int(line) for line in text.decode("ascii").split()]
    assert at_ms == sorted(at_ms)
    up = [row["up"] == "1" for row in rows_of(out / "trace.csv")]
    # 12 Mbit/s are one packet of 1500 bytes a millisecond.
    per_step = np.bincount([ms // 100 for ms in at_ms], minlength=51)
    assert per_step[1:50].tolist() == [100 * is_up for is_up in up[1:]]
    assert (per_step[0], per_step[50], at_ms[-1]) == (99, 1, 5_000)
    assert found["mahimahi"]["loops_after_s"] == 5.0
    one_way_s = [float(r["one_way_delay_s"]) for r in rows_of(out / "trace.csv") if r["up"] == "1"]
    assert found["mahimahi"]["mm_delay_ms"] == round(1e3 * np.median(one_way_s))
    assert "That is the whole trace." in (out / "README.txt").read_text(encoding="utf-8")


@given(
    up=st.lists(st.booleans(), min_size=1, max_size=30).filter(any),
    every_ms=st.integers(1, 2_000),
    rate_bps=st.integers(1_000, 200_000_000),
)
def test_opportunities_rise_carry_the_rate_and_keep_out_of_outages(up, every_ms, rate_bps):
    up = np.array(up)
    at_ms = opportunities_ms(up, every_ms, rate_bps)
    assert (np.diff(at_ms) >= 0).all()
    end_ms = up.size * every_ms
    inside = at_ms[at_ms < end_ms]
    assert up[inside // every_ms].all()
    at_end = at_ms[at_ms == end_ms]
    assert at_ms.max() <= end_ms
    assert at_end.size <= 1
    assert not at_end.size or up[0] or up[-1]
    assert at_end.size or not (up[0] or up[-1])  # so that a turn takes the trace's whole time
    bits = up.sum() * every_ms * rate_bps / 1000
    assert 0 <= PACKET_BITS * at_ms.size - bits < PACKET_BITS


def test_opportunities_are_spread_evenly_over_the_time_with_a_path():
    at_ms = opportunities_ms(np.array([0, 1, 0, 1, 1, 0]) > 0, 100, 1_200_000)  # one in 10 ms
    np.testing.assert_array_equal(at_ms, [*range(100, 200, 10), *range(300, 500, 10)])


def test_netem_holds_twice_what_is_under_way():
    assert netem_limit(100_000_000, 0.6) == 2 * 100_000_000 * 0.6 / PACKET_BITS
    assert netem_limit(1_000_000, 0.03) == 1000  # its own default


def test_netem_changes_are_whole_microseconds_and_only_changes():
    one_way_s = np.array([np.nan, 0.0123456, 0.0123456, 0.02, np.nan, np.nan, 0.02])
    assert list(netem_changes(one_way_s, 250)) == [
        (0, 12_346, 100),
        (250, 12_346, 0),
        (750, 20_000, 0),
        (1000, 20_000, 100),
        (1500, 20_000, 0),
    ]


FAKE_TC = """#!/bin/sh
read -r up _ </proc/uptime
echo "$up $*" >>"$TC_LOG"
case "$*" in *" $TC_FAILS "*) exit 2 ;; esac
"""
TC = shutil.which("tc", path=f"{os.environ['PATH']}{os.pathsep}/usr/sbin{os.pathsep}/sbin")
HANDLE = "dev veth0 root handle 5357:"
SETTINGS = "limit 1000 rate 5000000bit"


@pytest.fixture
def shell(tmp_path):
    """Start a script by sh, with a tc that writes down what it is told."""
    (tmp_path / "bin").mkdir()
    tool = tmp_path / "bin" / "tc"
    tool.write_text(FAKE_TC)
    tool.chmod(0o755)
    log = tmp_path / "tc.log"
    log.touch()

    started = []

    def start(script, *words, fails="nothing"):
        env = os.environ | {
            "PATH": f"{tool.parent}{os.pathsep}{os.environ['PATH']}",
            "TC_LOG": str(log),
            "TC_FAILS": fails,
        }
        process = subprocess.Popen(
            ["sh", str(script), *words], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, preexec_fn=heed_signals,
        )  # fmt: skip
        started.append(process)
        return process

    def told():
        lines = [line.split(" ", 1) for line in log.read_text().splitlines()]
        return [float(up) for up, _ in lines], [words for _, words in lines]

    yield start, told
    for process in started:
        process.kill()
        process.communicate()


def heed_signals():
    """Let a script trap what the tests themselves were started to ignore, as by nohup or &."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def script_of(folder, one_way_s, every_ms=100):
    lines = netem_script(netem_changes(np.array(one_way_s), every_ms), 400, 1000, 5_000_000)
    path = folder / "netem.sh"
    path.write_text("\n".join(lines) + "\n")
    return path


on_linux = pytest.mark.skipif(sys.platform != "linux", reason="tc and /proc are Linux's")


@on_linux
def test_the_script_tells_tc_each_change_at_its_time_and_cleans_up(tmp_path, shell):
    start, told = shell
    done = start(script_of(tmp_path, [0.012, np.nan, 0.0135, 0.0135]), "veth0")
    _, errors = done.communicate(timeout=30)
    assert done.returncode == 0, errors
    uptime_s, words = told()
    assert words == [
        f"qdisc add {HANDLE} netem delay 12000us loss 0% {SETTINGS}",
        f"qdisc change {HANDLE} netem delay 12000us loss 100% {SETTINGS}",
        f"qdisc change {HANDLE} netem delay 13500us loss 0% {SETTINGS}",
        f"qdisc del {HANDLE}",
    ]
    after_ms = 1e3 * (np.array(uptime_s) - uptime_s[0])
    one_tick_ms = 10.0  # of /proc/uptime, at either end
    for got_ms, wanted_ms in zip(after_ms, [0, 100, 200, 400], strict=True):
        assert wanted_ms - one_tick_ms - 1e-3 <= got_ms
        assert got_ms <= wanted_ms + A_SECOND_OF_A_BUSY_MACHINE_MS
    assert "done; at worst" in errors


@on_linux
def test_a_dry_run_prints_the_commands_and_runs_none(tmp_path, shell):
    start, told = shell
    done = start(script_of(tmp_path, [0.012, np.nan, 0.0135, 0.0135]), "-n", "veth0")
    printed, _ = done.communicate(timeout=30)
    assert done.returncode == 0
    assert told()[1] == []
    assert printed.splitlines() == [
        f"0 ms: tc qdisc add {HANDLE} netem delay 12000us loss 0% {SETTINGS}",
        f"100 ms: tc qdisc change {HANDLE} netem delay 12000us loss 100% {SETTINGS}",
        f"200 ms: tc qdisc change {HANDLE} netem delay 13500us loss 0% {SETTINGS}",
    ]


@on_linux
def test_a_device_with_a_discipline_of_its_own_is_left_alone(tmp_path, shell):
    start, told = shell
    done = start(script_of(tmp_path, [0.012, 0.013]), "veth0", fails="add")
    _, errors = done.communicate(timeout=30)
    assert done.returncode == 1
    assert [words.split()[1] for words in told()[1]] == ["add"]
    assert "has a qdisc of its own; nothing changed" in errors


@on_linux
def test_a_change_that_fails_ends_the_script_and_what_it_added(tmp_path, shell):
    start, told = shell
    done = start(script_of(tmp_path, [0.012, 0.013, 0.014]), "veth0", fails="change")
    done.communicate(timeout=30)
    assert done.returncode == 1
    assert [words.split()[1] for words in told()[1]] == ["add", "change", "del"]


@on_linux
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_an_interrupted_script_removes_what_it_added_at_once(tmp_path, shell, number):
    start, told = shell
    done = start(script_of(tmp_path, [0.012, 0.013], every_ms=60_000), "veth0")
    deadline = time.monotonic() + 20
    while not told()[1] and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # it has its traps by then, and sleeps
    done.send_signal(number)
    done.communicate(timeout=20)
    assert done.returncode == 128 + number
    assert [words.split()[1] for words in told()[1]] == ["add", "del"]


@on_linux
@pytest.mark.parametrize("words", [(), ("",), ("a", "b"), ("-n",)])
def test_a_script_without_a_device_says_how_it_is_used(tmp_path, shell, words):
    start, told = shell
    done = start(script_of(tmp_path, [0.012]), *words)
    _, errors = done.communicate(timeout=30)
    assert (done.returncode, told()[1]) == (2, [])
    assert errors == "usage: sh netem.sh [-n] DEVICE\n"


@on_linux
def test_the_exported_script_has_the_delays_of_the_table(outage):
    out, found = outage
    assert subprocess.run(["sh", "-n", out / "netem.sh"], check=False).returncode == 0
    done = subprocess.run(
        ["sh", out / "netem.sh", "-n", "veth0"], capture_output=True, text=True, check=True
    )
    printed = [line.split() for line in done.stdout.splitlines()]
    assert len(printed) == 1 + found["netem"]["changes"]
    at_ms = np.array([int(words[0]) for words in printed])
    rows = rows_of(out / "trace.csv")
    for row in rows:
        words = printed[np.searchsorted(at_ms, round(1e3 * float(row["t_s"])), side="right") - 1]
        delay_us, loss = words[words.index("delay") + 1], words[words.index("loss") + 1]
        assert loss == ("0%" if row["up"] == "1" else "100%")
        if row["up"] == "1":
            delay_s = int(delay_us.removesuffix("us")) * 1e-6
            assert abs(delay_s - float(row["one_way_delay_s"])) <= HALF_A_MICROSECOND_S * 1.001


@pytest.mark.skipif(TC is None, reason="no tc on this machine")
def test_the_real_tc_understands_every_command_of_the_script(tmp_path):
    """No such device exists, and tc reads all of the words before it looks for the device."""
    script = script_of(tmp_path, [0.012, np.nan, 0.0135, 0.0135])
    commands = subprocess.run(
        ["sh", script, "-n", "skyweave-none"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert len(commands) == 3
    for command in commands:
        words = command.partition(": tc ")[2].split()
        done = subprocess.run([TC, *words], capture_output=True, text=True, check=False)
        assert done.stderr.strip() == 'Cannot find device "skyweave-none"'


def test_a_failure_of_all_satellites_in_view_is_an_outage_while_it_lasts(tmp_path):
    sites = [
        {"name": "Bern", "lat_deg": 46.9, "lon_deg": 7.4},
        {"name": "Madrid", "lat_deg": 40.4, "lon_deg": -3.7},
    ]
    window = {"from_utc": "2026-06-14T12:00:14Z", "to_utc": "2026-06-14T12:00:16Z"}
    failures = [{"kind": "satellite", "share": 1.0, **window}]
    (part,) = build_system(small_scenario(tmp_path, sites=sites, failures=failures)).parts
    ends = [endpoint(part.world, site["name"]) for site in sites]
    export_trace(
        part.world, *ends, parse_utc(TIME["start_utc"]), 1.0, 6.0, tmp_path / "out",
        world_at=part.at_utc,
    )  # fmt: skip
    up = [row["up"] for row in rows_of(tmp_path / "out" / "trace.csv")]
    assert "".join(up) == "110011"


def test_nothing_that_a_user_named_is_in_the_script(tmp_path):
    """A scenario from elsewhere names its sites; a shell must never read such a name."""
    evil = "Bern\n$(rm hit)"
    sites = [
        {"name": evil, "lat_deg": 46.9, "lon_deg": 7.4},
        {"name": "Madrid", "lat_deg": 40.4, "lon_deg": -3.7},
    ]
    world = build_world(small_scenario(tmp_path, sites=sites))
    exported(world, evil, "Madrid", tmp_path / "out", every_s=1, for_s=3, rate_bps=1e6)
    assert "rm hit" not in (tmp_path / "out" / "netem.sh").read_text(encoding="utf-8")


def test_the_same_export_writes_the_same_bytes(kuiper, tmp_path):
    for name in ("a", "b"):
        exported(kuiper, "Manila", "Dalian", tmp_path / name, for_s=2, rate_bps=1e6)
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    manifest = json.loads((tmp_path / "a" / "manifest.json").read_text(encoding="utf-8"))
    assert names == manifest["files"] == [
        "README.txt", "mahimahi-down.trace", "mahimahi-up.trace", "manifest.json", "netem.sh",
        "trace.csv",
    ]  # fmt: skip
    for name in names:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_without_a_rate_there_is_the_table_alone(kuiper, tmp_path):
    found = exported(kuiper, "Manila", "Dalian", tmp_path / "out", for_s=1)
    assert found["files"] == ["README.txt", "manifest.json", "trace.csv"]
    assert {row["rate_bps"] for row in rows_of(tmp_path / "out" / "trace.csv")} == {""}
    assert "--rate-bps" in (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")


SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 36, "per_plane": 20, "phasing": 1}
TIME = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 60}


def small_scenario(folder, **more):
    return build_scenario({"time": TIME, "shells": [SHELL], **more}, "small", folder)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    (folder / "ground.csv").write_text("name,lat_deg,lon_deg\nRome,42,12.5\nNice,43.7,7.2\n")
    (folder / "pops.csv").write_text("pop_id,city,country,lat_deg,lon_deg\nr,Rome,IT,42,12\n")
    terminals = [
        {"id": "clinic", "lat_deg": 46.9, "lon_deg": 7.4},
        {"id": "pole", "lat_deg": 89.0, "lon_deg": 0.0},
    ]
    scenario = small_scenario(
        folder, gateways={"source": "ground.csv", "pops": "pops.csv"}, terminals=terminals
    )
    return skyweave.run(scenario, folder / "run")


def test_a_terminal_s_trace_is_its_rows_of_the_run(run, tmp_path):
    found = export_run_trace(run, "clinic", tmp_path / "out", rate_bps=1e6)
    expected = run.access[run.access.terminal_id == "clinic"]
    rows = rows_of(tmp_path / "out" / "trace.csv")
    assert len(rows) == len(expected) == found["steps"] == 4
    for row, (_, slot) in zip(rows, expected.iterrows(), strict=True):
        assert float(row["t_s"]) == 15.0 * slot.slot
        assert float(row["rtt_s"]) == slot.rtt_s
        assert row["norad_id"] == str(slot.norad_id)
        assert (row["gateway_id"], row["pop_id"]) == (slot.gateway_id, slot.pop_id)
    assert (found["terminal"], found["every_s"], found["duration_s"]) == ("clinic", 15.0, 60.0)
    at_ms = (tmp_path / "out" / "mahimahi-down.trace").read_text().split()
    assert len(at_ms) == 60 * 1_000_000 / PACKET_BITS
    assert at_ms[-1] == "60000"


@pytest.mark.parametrize(
    ("terminal", "text"),
    [
        ("clinik", 'no terminal "clinik"; did you mean clinic?'),
        ("pole", r"pole: no path at any of 4 steps \(.*\); there is nothing to replay, take"),
    ],
)
def test_terminals_without_a_trace_are_refused(run, tmp_path, terminal, text):
    with pytest.raises(InputError, match=text):
        export_run_trace(run, terminal, tmp_path / "out", rate_bps=1e6)
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_kept_only_changes_is_refused(tmp_path):
    scenario = small_scenario(
        tmp_path,
        terminals=[{"id": "clinic", "lat_deg": 89.0, "lon_deg": 0.0}],
        results={"access": "changes"},
    )
    run = skyweave.run(scenario, tmp_path / "run")
    with pytest.raises(InputError, match=r'holds 1 of 4 slots of "clinic"; run .* access = "all"'):
        export_run_trace(run, "clinic", tmp_path / "out")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"every_s": 0.0005}, "--every 0.0005: traces are replayed in whole milliseconds"),
        ({"every_s": 0.0}, "--every 0: .* at least 1; change the number of seconds"),
        ({"for_s": float("nan")}, "--for nan: traces are replayed in whole milliseconds"),
        ({"every_s": 0.001, "for_s": 1001.0}, "1,001,000 steps, expected at most 1,000,000"),
        ({"rate_bps": 0.0}, "--rate-bps 0: expected whole bits per second, 1,000 to"),
        ({"rate_bps": float("nan")}, "--rate-bps nan: expected whole bits per second"),
        ({"rate_bps": 1e6 + 0.5}, "--rate-bps 1e[+]06: expected whole bits per second"),
        ({"rate_bps": 1e12, "for_s": 1.0}, "would have 83,333,333 lines, expected at most 20,000"),
    ],
)
def test_traces_that_no_tool_can_replay_are_refused_at_once(kuiper, tmp_path, options, text):
    with pytest.raises(InputError, match=text):
        exported(kuiper, "Manila", "Dalian", tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_stays_as_it_was(kuiper, tmp_path):
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(InputError, match=r"not empty .*it holds mine.*nothing was changed"):
        exported(kuiper, "Manila", "Dalian", tmp_path, rate_bps=1e6)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
