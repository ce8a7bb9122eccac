"""Recorded files about a dish: what is read, and the one line that refuses what cannot be."""

import gzip
import json

import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.realism import observations
from skyweave.realism.observations import (
    check_overlap,
    read_sky_list,
    read_track,
    slot_start,
)

HEADER = "Timestamp,Y,X,Elevation,Azimuth,Connected_Satellite,Distance\n"
ROW = "2024-07-17 17:38:27+00:00,72,43,43.0,328.4,STARLINK-5476,793.5\n"
LISTED = {"Name": "STARLINK-1370", "Azimuth": 83.9, "Elevation": 49.6, "Distance": 380.2}
ENTRY = {"Timestamp": "2024-07-17T17:38:27+00:00", "Satellites": [LISTED]}


def utc(text):
    return np.datetime64(text, "ns")


def test_slots_begin_at_twelve_and_every_fifteen_seconds():
    moments = np.array([utc("2024-07-17T17:38:26.999"), utc("2024-07-17T17:38:27"),
                        utc("2024-07-17T00:00:03"), utc("1969-12-31T23:59:59")])  # fmt: skip
    assert slot_start(moments).tolist() == [
        utc("2024-07-17T17:38:12").item(), utc("2024-07-17T17:38:27").item(),
        utc("2024-07-16T23:59:57").item(), utc("1969-12-31T23:59:57").item(),
    ]  # fmt: skip


@pytest.mark.parametrize("packed", [False, True])
def test_a_chosen_file_is_read_plain_or_packed_and_put_in_order(tmp_path, packed):
    late = ROW.replace("17:38:27+00:00", "17:38:28").replace("72,43", "72,42")  # no zone: UTC
    content = (HEADER + late + ROW.replace("STARLINK-5476", "Starlink-5476")).encode()
    path = tmp_path / "first_x.csv.gz"
    path.write_bytes(gzip.compress(content) if packed else content)
    track = read_track(path)
    assert track.t_utc.tolist() == [
        utc("2024-07-17T17:38:27").item(), utc("2024-07-17T17:38:28").item()
    ]  # fmt: skip
    assert track.x_px.tolist() == [43.0, 42.0]
    assert track.y_px.tolist() == [72.0, 72.0]
    assert track.name.tolist() == ["STARLINK-5476"] * 2


@pytest.mark.parametrize("packed", [False, True])
def test_a_candidates_file_is_read_by_slot_in_si(tmp_path, packed):
    second = {**LISTED, "Name": "STARLINK-1008", "Azimuth": -90.0}
    del second["Distance"]
    entries = [
        {"Timestamp": "2024-07-17T17:38:42+00:00", "Satellites": [LISTED]},
        {"Timestamp": "2024-07-17T17:38:27+00:00", "Satellites": [LISTED, second]},
        {"Timestamp": "2024-07-17T17:38:28+00:00", "Satellites": []},  # the slot is known already
    ]
    content = json.dumps(entries).encode()
    path = tmp_path / "fov.json"
    path.write_bytes(gzip.compress(content) if packed else content)
    sky = read_sky_list(path)
    assert sky.slot_utc.tolist() == [
        utc("2024-07-17T17:38:27").item(), utc("2024-07-17T17:38:42").item()
    ]  # fmt: skip
    assert sky.start.tolist() == [0, 2, 3]
    assert sky.slot_of.tolist() == [0, 0, 1]
    assert sky.name.tolist() == ["STARLINK-1008", "STARLINK-1370", "STARLINK-1370"]
    assert sky.azimuth_deg.tolist() == [270.0, 83.9, 83.9]
    np.testing.assert_allclose(sky.range_m, [np.nan, 380.2e3, 380.2e3])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; expected a CSV with columns Timestamp,Y,X,Connected_Satellite"),
        (b" \n", "the file is empty"),
        (HEADER.encode(), "no rows below the header; expected one for each second"),
        (b'[{"Timestamp": 1}]', "found JSON, .* are --chosen and --candidates swapped"),
        (b"Timestamp,Y,X,Satellite\n", 'line 1: column "connected_satellite" is missing'),
        (b"Timestamp,Elevation,Connected_Satellite\n", 'line 1: column "y" is missing'),
        ((HEADER + ROW.replace("72,43", "72,123")).encode(), "line 2: x = 123: expected 0 to 122"),
        ((HEADER + ROW.replace("72,43", "-1,43")).encode(), "line 2: y = -1: expected 0 to 122"),
        ((HEADER + ROW.replace("72,43", "up,43")).encode(), 'line 2: y: found "up"'),
        ((HEADER + ROW.replace("2024-07-17", "17.07.24")).encode(), "line 2: found .* time"),
        ((HEADER + ROW.replace("793.5", "793.5,1")).encode(), "line 2: 8 cells for 7 columns"),
        (b"\x1f\x8b damaged", "the gzip data is damaged"),
        (gzip.compress((HEADER + ROW).encode(), mtime=0)[:-12], "ends too early"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
    ],
)  # fmt: skip
def test_a_bad_chosen_file_is_refused_in_one_advising_line(tmp_path, content, message):
    path = tmp_path / "first_x.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refusal:
        read_track(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def entries_with(**changes):
    return json.dumps([{**ENTRY, "Satellites": [{**LISTED, **changes}]}]).encode()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty; expected a JSON list"),
        ((HEADER + ROW).encode(), "no JSON list, expected a JSON list of"),
        (b"{}", "no JSON list"),
        (b"[{]", "the JSON is damaged: fetch the file again"),
        (b"[]", "no satellite is listed"),
        (b"[1]", "entry 1: Timestamp or Satellites is missing"),
        (b'[{"Timestamp": "2024-07-17T17:38:27Z"}]', "entry 1: Timestamp or Satellites is missing"),
        (b'[{"Timestamp": "today", "Satellites": []}]', "entry 1: found .* expected a time"),
        (b'[{"Timestamp": "2024-07-17T17:38:27Z", "Satellites": 3}]', "Satellites is no list"),
        (b'[{"Timestamp": "2024-07-17T17:38:27Z", "Satellites": [3]}]', "found no Name"),
        (entries_with(Elevation=91.0), "entry 1, satellite 1: Elevation = 91.0; expected degrees"),
        (entries_with(Elevation=float("nan")), "Elevation = nan; expected degrees"),
        (entries_with(Azimuth="north"), "Azimuth = north; expected degrees from -360 to 360"),
        (entries_with(Distance=-1.0), "Distance = -1.0; expected kilometres above 0"),
        (entries_with(Distance="far"), "Distance = far; expected kilometres above 0"),
        (entries_with(Name=5), "satellite 1: found no Name"),
        (entries_with(Name="S" * 101), "Name has 101 characters; at most 100 fit"),
        (entries_with(Azimuth=True), "Azimuth = True; expected degrees"),
        (entries_with(Distance=793_000), "up to 100,000, or no Distance at all: is it in metres"),
        (json.dumps([{**ENTRY, "Satellites": [LISTED] * 3}]).encode(),
         'entry 1: "STARLINK-1370" is listed 3 times, expected once in each slot'),
        (b"[" + b"[]," * 4_000_001 + b"[]]", "JSON lists and objects .* split the file"),
        (b"[" * 100_000, "the JSON is damaged"),
    ],
)  # fmt: skip
def test_a_bad_candidates_file_is_refused_in_one_advising_line(tmp_path, content, message):
    path = tmp_path / "fov.json"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message) as refusal:
        read_sky_list(path)
    assert str(refusal.value).startswith(f"{path}: ")
    assert "\n" not in str(refusal.value)


def test_a_byte_order_mark_before_json_does_no_harm(tmp_path):
    path = tmp_path / "fov.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([ENTRY]).encode())
    assert read_sky_list(path).name.tolist() == ["STARLINK-1370"]


def test_a_file_that_unpacks_without_end_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(observations, "MAX_UNPACKED_BYTES", 10_000)
    path = tmp_path / "first_x.csv.gz"
    path.write_bytes(gzip.compress(HEADER.encode() + 1000 * ROW.encode()))
    with pytest.raises(InputError, match=r"more than .* MiB unpacked; split the file"):
        read_track(path)


def test_more_slots_than_a_file_may_hold_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(observations, "MAX_SLOTS", 1)
    path = tmp_path / "fov.json"
    path.write_text(json.dumps([ENTRY, ENTRY]))
    with pytest.raises(InputError, match="2 entries; at most 1 are read: split the file"):
        read_sky_list(path)


def test_files_of_different_days_are_refused(tmp_path):
    chosen, listed = tmp_path / "first_x.csv", tmp_path / "fov.json"
    chosen.write_text(HEADER + ROW.replace("07-17", "07-18"))
    listed.write_text(json.dumps([ENTRY]))
    track, sky = read_track(chosen), read_sky_list(listed)
    with pytest.raises(
        InputError, match=r"share no slot with .*fov\.json, which begins 2024-07-17"
    ):
        check_overlap(track, sky)
    check_overlap(read_track(_rewritten(chosen, ROW)), sky)


def _rewritten(path, row):
    path.write_text(HEADER + row)
    return path


def test_the_shared_files_are_read_whole(reference_data):
    folder = reference_data / "measurements" / "satinview_2024-07-17"
    for site, rows, slots in (("bri", 6911, 497), ("ucl", 7000, 500)):
        track = read_track(folder / f"first_{site}.csv.gz")
        sky = read_sky_list(folder / f"fov_data_{site}.json.gz")
        assert (track.t_utc.size, len(sky)) == (rows, slots)
        assert np.isin(slot_start(track.t_utc), sky.slot_utc).all()
        assert sky.elevation_deg.min() >= 20.0
