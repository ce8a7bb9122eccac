"""Flights and a bus as they were recorded: every slot has a state, and every outage a reason."""

import csv
import gzip
import io
import json

import numpy as np
import pytest

from skyweave.policy.reasons import REASONS
from skyweave.time import format_utc
from skyweave.twin.run import run_system
from skyweave.twin.scenario import build_scenario
from skyweave.twin.terminals import read_track
from skyweave.twin.world import build_system

FOOT_M = 0.3048
FLIGHTS = ("aircraft_carrier", "belevingsvlucht", "dreamliner_boeing", "vasaloppet")
START = np.datetime64("2026-06-14T12:00:12", "ns")


def flight_fixes(path):
    rows = json.loads(gzip.decompress(path.read_bytes()))
    return [
        (row["timestamp"] / 1e3, row["latitude"], row["longitude"], row["altitude"]) for row in rows
    ]


def trace_fixes(path):
    trace = json.loads(gzip.decompress(path.read_bytes()))
    return [
        (trace["timestamp"] + t_s, lat, lon, 0.0 if feet == "ground" else feet)
        for t_s, lat, lon, feet, *_ in trace["trace"]
    ]


def bus_fixes(path):
    rows = csv.DictReader(io.StringIO(gzip.decompress(path.read_bytes()).decode()))
    return [
        (
            float(np.datetime64(row["timestamp"].replace(" ", "T"), "s").astype(int)),
            float(row["latitude"]),
            float(row["longitude"]),
            0.0,
        )
        for row in rows
    ]


def write_fixes(fixes, path):
    """Write the fixes that have a position, one per instant, as a track; return how many."""
    located = {t_s: fix for t_s, *fix in sorted(fixes, key=lambda fix: fix[0]) if None not in fix}
    lines = ["time_utc,lat_deg,lon_deg,height_wgs84_m"]
    for t_s, (lat, lon, feet) in located.items():
        utc = np.datetime64(round(t_s * 1e3), "ms").astype("datetime64[ns]")
        lines.append(f"{format_utc(utc)},{lat},{lon},{feet * FOOT_M:.1f}")
    path.write_text("\n".join(lines) + "\n")
    return len(located)


@pytest.fixture(scope="module")
def tracks(reference_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tracks")
    adsb = reference_data / "trajectories" / "adsb"
    fixes = {name: flight_fixes(adsb / f"{name}.json.gz") for name in FLIGHTS}
    fixes["trace"] = trace_fixes(adsb / "trace_full_ac671b.json.gz")
    bus = reference_data / "trajectories" / "bus" / "liverpool_route14_outbound_2026-01-26.csv.gz"
    fixes["bus"] = bus_fixes(bus)
    for name, own in fixes.items():
        assert write_fixes(own, folder / f"{name}.csv") > 1000
    return folder


def test_every_slot_of_a_recorded_journey_has_a_state_and_every_outage_a_reason(
    tracks, tmp_path, full_counts, record_figure
):
    names = sorted(path.stem for path in tracks.glob("*.csv"))
    journeys = {name: read_track(tracks / f"{name}.csv").starting_at(START) for name in names}
    longest_s = max(float((j.utc[-1] - START) / np.timedelta64(1, "s")) for j in journeys.values())
    content = {
        "time": {
            "start_utc": "2026-06-14T12:00:12Z",
            "duration_s": longest_s + 60.0 if full_counts else 300.0,
        },
        "catalogue": {"select": ["STARLINK"]},
        "terminals": [
            {"id": name.replace("_", "-"), "track": f"{name}.csv", "track_start": "scenario"}
            for name in names
        ],
    }
    system = build_system(build_scenario(content, "journeys", tracks))
    access = run_system(system, tmp_path / "run").access

    assert len(access) == system.slots * len(names)
    assert set(access.state) <= {"served", "out"}
    is_out = access.state == "out"
    assert access.reason[is_out].isin([str(reason) for reason in REASONS]).all()
    assert access.reason[~is_out].isna().all()
    assert access.rtt_s[~is_out].gt(0.01).all()
    assert access.rtt_s[is_out].isna().all()
    for name, journey in journeys.items():
        rows = access[access.terminal_id == name.replace("_", "-")]
        ends = (
            system.grid.utc[1:] <= journey.utc[-1]
        )  # a slot is served only if both ends are known
        assert (rows.reason == "position_unknown").tolist() == (~ends).tolist(), name
        assert (rows.state[ends] == "served").mean() > 0.5, name
    record_figure("slots of recorded journeys with a state", len(access), "slots", "all")
    record_figure("their outages with a reason", int(is_out.sum()), "slots", "all")
