"""`skyweave edge` as the leader of a convoy meets it, and as anybody else does."""

import json
import os
import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from skyweave.cli import main, show

SKYWEAVE = Path(sys.executable).parent / "skyweave"
CONVOY = files("skyweave.data") / "demo" / "convoy.csv"
SCENARIO = f"""
[time]
start_utc = 2026-06-14T12:00:12Z
duration_s = 1500
[[shells]]
altitude_km = 550
inclination_deg = 53
planes = 72
per_plane = 22
phasing = 39
[[terminals]]
id = "convoy"
account = "aid"
track = "{CONVOY}"
[[terminals]]
id = "truck"
account = "freight"
track = "{CONVOY}"
"""
VALLEY = {
    "type": "Polygon",
    "coordinates": [[[47.6, -19.5], [47.7, -19.5], [47.7, -18.0], [47.6, -18.0], [47.6, -19.5]]],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edge")
    (folder / "convoy.toml").write_text(SCENARIO)
    (folder / "valley.geojson").write_text(json.dumps(VALLEY))
    (folder / "temporary").mkdir()
    return folder


MINE = ["edge", "convoy.toml", "--region", "valley.geojson", "--terminal", "convoy",
        "--account", "aid", "--exclude"]  # fmt: skip


@pytest.fixture(scope="module")
def predicted(folder):
    own = {"COLUMNS": "120", "TMPDIR": str(folder / "temporary")}
    return subprocess.run(
        [SKYWEAVE, *MINE], cwd=folder, env=os.environ | own, capture_output=True, text=True,
        check=False,
    )  # fmt: skip


def test_the_leader_reads_where_and_when_service_ends_and_returns(predicted):
    assert predicted.returncode == 0, predicted.stderr
    number, clock = r"-?\d+\.\d{3}", r"12:\d\d:\d\d UTC"
    assert re.search(
        rf"^service ends {clock} at {number}, {number} \(slot \d+\): inside the area without "
        rf"service; next service {clock}, \d+\.\d km further on \(\d+ min \d+ s without\)$",
        predicted.stdout, re.MULTILINE,
    ), predicted.stdout  # fmt: skip
    border = rf"^border crossed (into|out of) the cells with service at {clock}, {number}, {number}"
    assert len(re.findall(border, predicted.stdout, re.MULTILINE)) == 2


def test_nothing_of_it_stands_on_stderr_or_in_a_file(predicted, folder):
    lines = predicted.stdout.splitlines()
    told = re.findall(r"-?\d+\.\d{3}|12:\d\d:\d\d", "\n".join(lines[1:]))
    assert len(told) > 8
    assert not [value for value in told if value in predicted.stderr]
    assert {path.name for path in folder.rglob("*")} == {"convoy.toml", "valley.geojson",
                                                         "temporary"}  # fmt: skip


def test_json_is_one_document_with_the_same_gaps(predicted, folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["skyweave", *MINE, "--json"])
    with pytest.raises(SystemExit) as stopped:
        main()
    assert stopped.value.code == 0
    found = json.loads(capsys.readouterr().out)
    (gap,) = found["edges"]
    assert gap["reason"] == "blocked_area"
    assert f"(slot {gap['slot']})" in predicted.stdout
    assert f"{gap['along_track_m'] / 1000:.1f} km further on" in predicted.stdout
    assert found["served_slots"] + gap["gap_s"] / 15 == found["slots"] == 100


def refused(folder, monkeypatch, capsys, *arguments):
    """Return the one line that a refusal prints, with nothing else and no answer."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["skyweave", "edge", "convoy.toml", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    out, err = capsys.readouterr()
    assert stopped.value.code == 1
    assert out == ""
    assert err.count("\n") == 1
    return err


def test_anybody_else_is_refused_in_one_line(folder, monkeypatch, capsys):
    area = ("--region", "valley.geojson")
    nameless = refused(folder, monkeypatch, capsys, "--terminal", "convoy", *area)
    assert "give --account NAME" in nameless
    mine = ("--account", "freight", *area)
    others = refused(folder, monkeypatch, capsys, "--terminal", "convoy", *mine)
    absent = refused(folder, monkeypatch, capsys, "--terminal", "nobody", *mine)
    assert others.replace('"convoy"', '"nobody"') == absent
    assert 'no terminal "convoy" of account "freight"' in others
    for line in (nameless, others, absent):
        assert not re.search(r"\d\.\d|track|mov", line), line


def test_a_bad_area_is_refused_before_anything_is_computed(folder, monkeypatch, capsys):
    (folder / "bad.geojson").write_text("{")
    try:
        line = refused(folder, monkeypatch, capsys, "--terminal", "convoy", "--account", "aid",
                       "--region", "bad.geojson")  # fmt: skip
    finally:
        (folder / "bad.geojson").unlink()
    assert line.startswith("bad.geojson: line 1: not JSON")


GAP = {
    "ends_utc": "2026-06-14T23:50:12Z", "slot": 7, "lat_deg": 47.1234, "lon_deg": 37.4567,
    "reason": "no_satellite_in_view", "reasons": {"no_satellite_in_view": 2, "cell_is_disabled": 9},
    "gap_s": 45.0, "begins_before": False, "lasts_beyond": False,
    "resumes_utc": "2026-06-15T00:10:12Z", "resumes_slot": 10, "next_lat_deg": 47.2,
    "next_lon_deg": 37.5, "along_track_m": 21_340.0, "straight_m": 20_000.0,
}  # fmt: skip


def shown(capsys, *gaps):
    found = {
        "terminal": "convoy", "region": "valley", "cells": 1, "excluded": False,
        "from_utc": "2026-06-14T23:00:12Z", "to_utc": "2026-06-15T01:00:12Z", "slots": 480,
        "served_slots": 469, "edges": gaps, "boundary_crossings": [],
    }  # fmt: skip
    show.edge(found)
    return capsys.readouterr().out


def test_a_gap_over_midnight_names_the_day_and_every_reason(capsys):
    text = shown(capsys, GAP)
    assert "service ends 23:50:12 UTC at 47.123, 37.457 (slot 7): " in text
    assert "high enough in the sky (2 slots), outside the area of service (9 slots)" in text
    assert "next service 2026-06-15 00:10:12 UTC, 21.3 km further on (45 s without)" in text


def test_open_gaps_say_so(capsys):
    begins = shown(capsys, GAP | {"begins_before": True, "reasons": {"cell_is_disabled": 1}})
    assert "no service at the start (slot 7): outside the area of service; next service" in begins
    assert "UTC at 47.200, 37.500" in begins
    lasts = shown(capsys, GAP | {"lasts_beyond": True})
    assert "; no service again up to the end, 2026-06-15 01:00:12 UTC" in lasts


def test_a_way_without_a_gap_says_so(capsys):
    assert "service all the way" in shown(capsys)
