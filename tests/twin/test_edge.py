"""The edge, predicted: gaps as a loop over slots finds them, and nobody else is told."""

import bisect
import csv
import gzip
import json
import logging
import math
import re
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import h3
import numpy as np
import pandas as pd
import pytest

import skyweave
from skyweave import api
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.policy import SERVED, reason_names
from skyweave.twin.edge import MAX_REGION_BYTES
from skyweave.twin.execution import run_slots
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system

DEMO = files("skyweave.data") / "demo"
START = "2026-06-14T12:00:12Z"
SLOT_S = 15
SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 72, "per_plane": 22, "phasing": 39}
FULL_FLEET = {"catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]}}
ONE_METRE = 1.0
LAT_LON = ("lat", "lon")


def scenario(terminals, duration_s=1500, start=START, **sections):
    content = {
        "time": {"start_utc": start, "duration_s": duration_s},
        "terminals": terminals,
        **({} if "catalogue" in sections else {"shells": [SHELL]}),
        **sections,
    }
    return build_scenario(content, "test.toml")


def moving(name="convoy", **more):
    return {"id": name, "track": str(DEMO / f"{name}.csv"), **more}


def boxes(*sides):
    """Return GeoJSON of boxes (west, south, east, north)."""
    rings = [
        [[[w, s], [e, s], [e, n], [w, n], [w, s]]] for w, s, e, n in sides
    ]  # fmt: skip
    return {"type": "MultiPolygon", "coordinates": rings}


MIDDLE_OF_THE_ROAD = boxes((47.6, -19.5, 47.7, -18.0))
OVER_THE_ATLANTIC = boxes((-30.5, 50.0, -29.5, 56.0), (-33.2, 50.0, -32.0, 56.0))


class ByHand:
    """The same question answered slot by slot: fixes, cells and the run's own access table."""

    def __init__(self, track_csv, content, outside, access):
        with open(track_csv, encoding="utf-8", newline="") as file:
            fixes = list(csv.DictReader(file))
        self.t_s = [self.seconds(fix["time_utc"]) for fix in fixes]
        lat, lon = np.radians([[float(fix[f"{name}_deg"]) for fix in fixes] for name in LAT_LON])
        self.up = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], -1)
        self.cells, self.outside = set(), outside
        for (ring,) in content["coordinates"]:
            self.cells |= set(h3.polygon_to_cells(h3.LatLngPoly([(y, x) for x, y in ring]), 5))
        self.reason = {}
        rows = access.sort_values("slot")
        for slot, state, reason in zip(rows.slot, rows.state, rows.reason, strict=True):
            t_s = slot * SLOT_S
            if self.t_s[0] <= t_s and t_s + SLOT_S <= self.t_s[-1]:
                self.reason[slot] = self._reason(t_s, None if state == "served" else reason)

    def seconds(self, utc):
        start = datetime.fromisoformat(START)
        return (datetime.fromisoformat(utc) - start) / timedelta(seconds=1)

    def place(self, t_s):
        """Return latitude and longitude on the great circle between the fixes around."""
        fix = min(max(bisect.bisect_right(self.t_s, t_s) - 1, 0), len(self.t_s) - 2)
        share = (t_s - self.t_s[fix]) / (self.t_s[fix + 1] - self.t_s[fix])
        first, last = self.up[fix], self.up[fix + 1]
        angle = np.arcsin(np.linalg.norm(np.cross(first, last)))
        if angle == 0.0:
            share, angle = 0.0, 1.0
        x, y, z = np.sin((1.0 - share) * angle) * first + np.sin(share * angle) * last
        return math.degrees(math.atan2(z, math.hypot(x, y))), math.degrees(math.atan2(y, x))

    def allows(self, t_s):
        return (h3.latlng_to_cell(*self.place(t_s), 5) in self.cells) != self.outside

    def _reason(self, t_s, network):
        if self.allows(t_s) and self.allows(t_s + SLOT_S):
            return network
        return "blocked_area" if self.outside else "cell_is_disabled"

    def gaps(self):
        """Return [first slot, slot after the last, {reason: slots}] of each gap."""
        found, before = [], None
        for slot, reason in self.reason.items():
            if reason is not None:
                if before is None:
                    found.append([slot, slot, {}])
                found[-1][1] = slot + 1
                found[-1][2][reason] = found[-1][2].get(reason, 0) + 1
            before = reason
        return found

    def along_m(self, first_s, last_s):
        t_s = np.append(np.arange(first_s, last_s, 1.0), last_s)
        lat, lon = np.array([self.place(t) for t in t_s.tolist()]).T
        return float(great_circle_m(lat[:-1], lon[:-1], lat[1:], lon[1:]).sum())


def clock(slot):
    return (datetime.fromisoformat(START) + timedelta(seconds=SLOT_S * slot)).strftime(
        "%Y-%m-%dT%H:%M:%SZ"
    )


def every_slot(world, terminal):
    """Return slot, state and reason of a terminal, computed together with all others."""
    system = build_system(world)
    row = system.terminals.terminal_id.tolist().index(terminal)
    numbers = np.concatenate([chunk.reason[:, row] for chunk, _ in run_slots(system)])
    reason = reason_names(numbers)
    state = np.where(numbers == SERVED, "served", "out")
    return pd.DataFrame({"slot": np.arange(reason.size), "state": state, "reason": reason})


def check_against_hand(world, terminal, track_csv, content, outside, access):
    """Compare a prediction with the loop by hand; return it."""
    found = api.edge(world, terminal, content, exclude=outside)
    hand = ByHand(track_csv, content, outside, access)
    first, last = min(hand.reason), max(hand.reason)
    assert (found["from_utc"], found["to_utc"]) == (clock(first), clock(last + 1))
    assert found["slots"] == len(hand.reason)
    assert found["served_slots"] == sum(reason is None for reason in hand.reason.values())
    assert len(found["edges"]) == len(hand.gaps())
    for gap, (start, stop, reasons) in zip(found["edges"], hand.gaps(), strict=True):
        begins_before, lasts_beyond = start == first, stop == last + 1
        assert gap["slot"] == start
        assert gap["reasons"] == reasons
        assert gap["reason"] == hand.reason[start]
        assert gap["gap_s"] == (stop - start) * SLOT_S
        assert (gap["begins_before"], gap["lasts_beyond"]) == (begins_before, lasts_beyond)
        assert gap["ends_utc"] == (None if begins_before else clock(start))
        assert gap["resumes_utc"] == (None if lasts_beyond else clock(stop))
        assert gap["resumes_slot"] == (None if lasts_beyond else stop)
        ends, resumes = hand.place(start * SLOT_S), hand.place(stop * SLOT_S)
        if begins_before:
            assert gap["lat_deg"] is gap["lon_deg"] is None
        else:
            assert great_circle_m(gap["lat_deg"], gap["lon_deg"], *ends) < 2 * ONE_METRE
        if lasts_beyond:
            assert gap["next_lat_deg"] is gap["next_lon_deg"] is None
        else:
            here = gap["next_lat_deg"], gap["next_lon_deg"]
            assert great_circle_m(*here, *resumes) < 2 * ONE_METRE
        if begins_before or lasts_beyond:
            assert gap["along_track_m"] is gap["straight_m"] is None
        else:
            along_m = hand.along_m(start * SLOT_S, stop * SLOT_S)
            assert gap["along_track_m"] == pytest.approx(along_m, rel=1e-4, abs=ONE_METRE)
            straight_m = float(great_circle_m(*ends, *resumes))
            assert gap["straight_m"] == pytest.approx(straight_m, rel=1e-4, abs=4 * ONE_METRE)
            assert gap["straight_m"] <= gap["along_track_m"] + ONE_METRE
    check_crossings(found, hand, first, last)
    return found


def check_crossings(found, hand, first, last):
    """Each crossing lies within a second of a change of sides, and none is missing."""
    t_s = range(first * SLOT_S, (last + 1) * SLOT_S + 1)
    allowed = [hand.allows(t) for t in t_s]
    changes = [t for k, t in enumerate(t_s) if k and allowed[k] != allowed[k - 1]]
    assert len(found["boundary_crossings"]) == len(changes)
    for crossing, t in zip(found["boundary_crossings"], changes, strict=True):
        assert abs(hand.seconds(crossing["utc"]) - t) <= 1.0
        assert crossing["enters"] == hand.allows(t)
        place = hand.place(hand.seconds(crossing["utc"]))
        assert great_circle_m(crossing["lat_deg"], crossing["lon_deg"], *place) < 2 * ONE_METRE


BOTH = scenario([moving("flight"), moving("convoy")])


@pytest.fixture(scope="module")
def both_slots():
    return {terminal: every_slot(BOTH, terminal) for terminal in ("convoy", "flight")}


@pytest.mark.parametrize("outside", [False, True], ids=["area of service", "excluded area"])
@pytest.mark.parametrize(
    ("terminal", "region"),
    [("convoy", MIDDLE_OF_THE_ROAD), ("flight", OVER_THE_ATLANTIC)],
    ids=["convoy", "flight"],
)
def test_the_gaps_are_those_of_a_loop_over_slots(terminal, region, outside, both_slots):
    track = DEMO / f"{terminal}.csv"
    found = check_against_hand(BOTH, terminal, track, region, outside, both_slots[terminal])
    assert len(found["boundary_crossings"]) >= 2
    assert 0 < found["served_slots"] < found["slots"]
    expected = "blocked_area" if outside else "cell_is_disabled"
    assert {gap["reason"] for gap in found["edges"]} == {expected}


def later(track_csv, seconds, path):
    """Write a track that begins so much later."""
    with open(track_csv, encoding="utf-8", newline="") as file:
        fixes = list(csv.DictReader(file))
    for fix in fixes:
        utc = datetime.fromisoformat(fix["time_utc"]) + timedelta(seconds=seconds)
        fix["time_utc"] = utc.isoformat()
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fixes[0].keys())
        writer.writeheader()
        writer.writerows(fixes)
    return path


def test_gaps_of_the_network_inside_the_region_keep_their_reason(tmp_path):
    """The track begins after the run, so slots of the run and of the track differ."""
    track = later(DEMO / "convoy.csv", 400, tmp_path / "late.csv")
    terminal = {"id": "convoy", "track": str(track)}
    world = scenario([terminal], visibility={"min_elevation_deg": 65.0})
    found = check_against_hand(
        world, "convoy", track, MIDDLE_OF_THE_ROAD, False, every_slot(world, "convoy")
    )
    reasons = {name for gap in found["edges"] for name in gap["reasons"]}
    assert {"cell_is_disabled", "no_satellite_in_view"} <= reasons
    assert any(len(gap["reasons"]) > 1 for gap in found["edges"])


def test_crossings_do_not_depend_on_how_the_seconds_are_cut(monkeypatch):
    world = scenario([moving()], 480)
    whole = api.edge(world, "convoy", MIDDLE_OF_THE_ROAD)["boundary_crossings"]
    monkeypatch.setattr("skyweave.twin.edge._BLOCK_S", 1)
    assert api.edge(world, "convoy", MIDDLE_OF_THE_ROAD)["boundary_crossings"] == whole != []


def test_without_a_border_in_the_way_there_is_no_edge():
    found = api.edge(scenario([moving()], 600), "convoy", boxes((40, -30, 55, -10)))
    assert found["edges"] == found["boundary_crossings"] == []
    assert found["served_slots"] == found["slots"] == 40


def test_out_of_the_region_all_the_way_is_one_gap_open_at_both_ends():
    found = api.edge(scenario([moving()], 600), "convoy", boxes((0, 0, 1, 1)))
    (gap,) = found["edges"]
    assert gap["begins_before"]
    assert gap["lasts_beyond"]
    assert gap["gap_s"] == 600.0
    assert found["served_slots"] == 0


def test_only_slots_at_whose_both_ends_the_position_is_known_are_predicted(tmp_path):
    track = tmp_path / "ship.csv"
    track.write_text(
        "time_utc,lat_deg,lon_deg\n"
        "2026-06-14T12:00:20Z,10.0,10.0\n2026-06-14T12:01:30Z,10.01,10.0\n"
    )
    world = scenario([{"id": "ship", "track": str(track)}], 600)
    found = api.edge(world, "ship", boxes((5, 5, 15, 15)))
    assert (found["from_utc"], found["to_utc"]) == (clock(1), clock(5))
    assert found["slots"] == 4


def test_a_track_at_another_time_is_refused_with_advice(tmp_path):
    world = scenario([moving()], start="2026-06-15T12:00:12Z")
    with pytest.raises(InputError, match=r'covers no slot of the run; .* track_start = "scenario"'):
        api.edge(world, "convoy", MIDDLE_OF_THE_ROAD)


def test_the_rule_and_the_region_are_in_the_answer(tmp_path):
    file = tmp_path / "valley.geojson"
    file.write_text(json.dumps(OVER_THE_ATLANTIC))
    world = scenario([moving()], 300)
    few, many = (skyweave.edge(world, "convoy", file, rule=rule) for rule in ("inside", "overlap"))
    assert (few["region"], few["rule"], few["excluded"]) == ("valley", "inside", False)
    assert few["cells"] < many["cells"]
    assert few["region_digest"] != many["region_digest"]


# Lines we do not cross

TWO_ACCOUNTS = [
    moving("convoy", account="aid"),
    moving("flight", account="line"),
    {"id": "office", "account": "line", "lat_deg": 50.123456, "lon_deg": 8.654321},
    {"id": "stray", "track": str(DEMO / "convoy.csv")},
]


def refusal_of(world, terminal, account):
    with pytest.raises(InputError) as refusal:
        api.edge(world, terminal, MIDDLE_OF_THE_ROAD, account=account)
    return str(refusal.value)


def test_a_prediction_goes_only_to_the_terminal_s_own_account():
    world = scenario(TWO_ACCOUNTS, 300)
    assert api.edge(world, "convoy", MIDDLE_OF_THE_ROAD, account="aid")["terminal"] == "convoy"
    for account in ("line", "", "nobody"):
        assert "only to the terminal's own account" in refusal_of(world, "convoy", account)
    for terminal in ("convoy", "stray", "office", "nobody"):
        assert "give --account NAME" in refusal_of(world, terminal, None)


def test_a_refusal_does_not_tell_whether_another_s_terminal_moves_or_exists():
    world = scenario(TWO_ACCOUNTS, 300)
    moves, stands, is_none = (
        refusal_of(world, terminal, "aid").replace(terminal, "X")
        for terminal in ("flight", "office", "nobody")
    )
    assert moves == stands == is_none
    assert refusal_of(world, "flight", None) == refusal_of(world, "office", None)


def test_a_terminal_without_account_is_nobody_s_where_others_have_one():
    world = scenario(TWO_ACCOUNTS, 300)
    for account in ("aid", "line", ""):
        assert "no terminal" in refusal_of(world, "stray", account)


def test_one_account_may_leave_its_name_out_but_not_give_another():
    world = scenario([moving("convoy", account="aid"), moving("flight")], 300)
    assert api.edge(world, "convoy", MIDDLE_OF_THE_ROAD)["terminal"] == "convoy"
    assert 'of account "line"' in refusal_of(world, "convoy", "line")


def test_a_fixed_terminal_is_refused_with_advice():
    world = scenario(TWO_ACCOUNTS, 300)
    assert "has no track, so it crosses no edge; see what it has with skyweave explain" in (
        refusal_of(world, "office", "line")
    )


def test_an_unknown_terminal_of_one_s_own_file_is_refused_with_the_near_one():
    assert "did you mean convoy?" in refusal_of(scenario([moving()], 300), "convy", None)


def coordinates(found):
    """Return how the coordinates of an answer begin, as any text would show them."""
    values = [
        entry[key]
        for entry in [*found["edges"], *found["boundary_crossings"]]
        for key in ("lat_deg", "lon_deg", "next_lat_deg", "next_lon_deg")
        if entry.get(key) is not None
    ]
    assert values
    return {f"{value:.2f}".rstrip("0") for value in values}


def test_nothing_of_a_prediction_is_told_or_written_beside_the_answer(
    tmp_path, monkeypatch, caplog, capfd
):
    """Whoever reads logs, screens or folders must not learn where a convoy will be."""
    for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    caplog.set_level(logging.DEBUG)
    steps = []
    world = scenario([moving("convoy", account="aid")], start="2026-06-14T12:00:13Z")
    found = api.edge(world, "convoy", MIDDLE_OF_THE_ROAD, progress=steps.append)
    told = "\n".join([*steps, caplog.text, *capfd.readouterr()])
    assert steps
    assert not [value for value in coordinates(found) if value in told]
    times = [gap[key][11:19] for gap in found["edges"] for key in ("ends_utc", "resumes_utc")
             if gap[key] is not None]  # fmt: skip
    assert times
    assert not [value for value in times if value in told]
    assert list(tmp_path.iterdir()) == []


def test_a_run_beside_a_prediction_agrees_with_it_and_holds_nothing_of_it(tmp_path):
    world = scenario([moving()], 480)
    found = api.edge(world, "convoy", MIDDLE_OF_THE_ROAD)
    run = api.run(world, tmp_path / "run")
    assert (run.access.state == "served").tolist() == [True] * 32
    assert found["served_slots"] + found["edges"][0]["reasons"]["cell_is_disabled"] == 32
    files_of_text = [p for p in run.folder.iterdir() if p.suffix in (".json", ".csv", ".html")]
    texts = [path.read_text(encoding="utf-8") for path in files_of_text]
    full = {str(crossing["lat_deg"]) for crossing in found["boundary_crossings"]}
    assert full
    assert not [value for value in full if any(value in text for text in texts)]
    assert not [text for text in texts if "cell_is_disabled" in text]


def test_no_refusal_holds_a_position(tmp_path):
    late = scenario([moving(account="aid")], start="2026-06-15T12:00:12Z")
    world = scenario(TWO_ACCOUNTS, 300)
    said = [
        refusal_of(late, "convoy", None),
        *(refusal_of(world, t["id"], a) for t in TWO_ACCOUNTS for a in (None, "", "other")),
        refusal_of(world, "office", "line"),
    ]
    for text in said:
        assert not re.search(r"-?\d+\.\d", text), text
        assert "\n" not in text


# Reading the file


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"", r"line 1: not JSON \(Expecting value\); expected GeoJSON"),
        (b'{"type": "Polygon",\n "coordinates": [}', "line 2: not JSON"),
        (b"\xff\xfe\xff", "not JSON in UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"1" * 5000 + b"]", "a number too long"),
        (b'{"type": "Polygon", "coordinates": [[[NaN, 1], [2, 1], [2, 2], [NaN, 1]]]}',
         r"expected \[longitude, latitude\]"),
        (b"x" * (MAX_REGION_BYTES + 1), "16,777,217 bytes; at most 16,777,216 are read"),
    ],
    ids=["empty", "broken", "not text", "deep", "long number", "not a number", "large"],
)  # fmt: skip
def test_a_file_that_is_no_region_is_refused_in_one_line(content, text, tmp_path):
    file = tmp_path / "area.geojson"
    file.write_bytes(content)
    with pytest.raises(InputError, match=text) as refusal:
        api.edge(scenario([moving()], 300), "convoy", file)
    assert str(refusal.value).startswith(str(file))
    assert "\n" not in str(refusal.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    world = scenario([moving()], 300)
    with pytest.raises(InputError, match="no such file; check the name"):
        api.edge(world, "convoy", tmp_path / "none.geojson")
    with pytest.raises(InputError, match="a folder; expected a GeoJSON file"):
        api.edge(world, "convoy", tmp_path)
    with pytest.raises(InputError, match="not a regular file"):
        api.edge(world, "convoy", "/dev/zero")


# Measured tracks


def write_csv(path, fixes):
    """Write (time, lat_deg, lon_deg) as a track, moved so that it begins with the run."""
    start, lines, last = datetime.fromisoformat(START), [], None
    for time, lat, lon in fixes:
        moved = start + (time - fixes[0][0])
        if last is None or moved > last:
            lines.append(f"{moved.isoformat().replace('+00:00', 'Z')},{lat},{lon}")
            last = moved
    path.write_text("\n".join(["time_utc,lat_deg,lon_deg", *lines, ""]))
    return path


def flight_fixes(data):
    with gzip.open(data / "trajectories/adsb/trace_full_ac671b.json.gz") as file:
        trace = json.load(file)
    start = datetime.fromtimestamp(trace["timestamp"], UTC)
    return [(start + timedelta(seconds=row[0]), row[1], row[2]) for row in trace["trace"]]


def bus_fixes(data):
    file = data / "trajectories/bus/liverpool_route14_outbound_2026-01-26.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    rows = [row for row in rows if row["trip_id"] == rows[0]["trip_id"]]
    return [
        (datetime.fromisoformat(row["timestamp"] + "+00:00"),
         float(row["latitude"]), float(row["longitude"]))
        for row in sorted(rows, key=lambda row: row["timestamp"])
    ]  # fmt: skip


def outline(cell):
    ring = [[lon, lat] for lat, lon in h3.cell_to_boundary(cell)]
    return [*ring, ring[0]]


@pytest.mark.parametrize("fixes_of", [flight_fixes, bus_fixes], ids=["flight", "bus"])
def test_measured_tracks_have_the_gaps_of_a_loop_over_slots(
    fixes_of, reference_data: Path, full_counts, tmp_path
):
    fixes = fixes_of(reference_data)
    track = write_csv(tmp_path / "track.csv", fixes)
    span_s = min((fixes[-1][0] - fixes[0][0]).total_seconds(), 7200 if full_counts else 900)
    early = [fix for fix in fixes if (fix[0] - fixes[0][0]).total_seconds() <= span_s]
    visited = list(dict.fromkeys(h3.latlng_to_cell(*fix[1:], 5) for fix in early))
    region = {"type": "MultiPolygon", "coordinates": [[outline(cell)] for cell in visited[1::2]]}
    sections = FULL_FLEET if full_counts else {}
    terminal = {"id": "x", "track": str(track), "track_start": "scenario"}
    world = scenario([terminal], span_s, **sections)
    found = check_against_hand(world, "x", track, region, True, every_slot(world, "x"))
    assert found["boundary_crossings"]
