"""Reading a dish's obstruction maps: what came new, when, and what is refused."""

import gzip
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from skyweave.errors import InputError
from skyweave.realism.maps import DISH, EARTH, MAP_ROWS, UNKNOWN, read_maps

CELLS = MAP_ROWS * MAP_ROWS
BEGIN_S = 1_780_000_002.0  # second 42 of a minute: a slot begins
BEGIN_UTC = np.datetime64(1_780_000_002, "s")


def painted(*pixels: tuple[int, int]) -> np.ndarray:
    """Return one map of 0 and 1, (15129,)."""
    cells = np.zeros((MAP_ROWS, MAP_ROWS), dtype=np.int64)
    for row, col in pixels:
        cells[row, col] = 1
    return cells.ravel()


def write_parquet(path, times_s, maps, frame: int | None = None):
    """Write maps (B, 15129) in the form of LEOViz."""
    lengths = np.cumsum([0, *(len(cells) for cells in maps)])
    lists = pa.ListArray.from_arrays(pa.array(lengths, pa.int32()), pa.array(np.concatenate(maps)))
    columns = {"timestamp": pa.array(times_s), "obstruction_map": lists}
    if frame is not None:
        columns["frame_type"] = pa.array([frame] * len(maps))
    pq.write_table(pa.table(columns), path)
    return path


def message(cells: np.ndarray, time, **more) -> dict:
    """Return one answer of the dish, -1 where nothing was painted, as recorders save it."""
    snr = np.where(cells > 0, 1, -1).tolist()
    return {
        "timestamp": time,
        "dishGetObstructionMap": {"numRows": 123, "numCols": 123, "snr": snr, **more},
    }


THREE = [
    painted((61, 61)),
    painted((61, 61), (60, 62)),
    painted((61, 61), (60, 62), (59, 63), (59, 64)),
]
THREE_S = [BEGIN_S + 1.0, BEGIN_S + 2.0, BEGIN_S + 3.0]


def test_new_pixels_are_placed_half_way_between_two_maps(tmp_path):
    record = read_maps(write_parquet(tmp_path / "maps.parquet", THREE_S, THREE, frame=2))
    begin_ns = BEGIN_UTC.astype("datetime64[ns]")
    np.testing.assert_array_equal(
        record.utc, [begin_ns + np.timedelta64(ms, "ms") for ms in (1500, 2500)]
    )
    np.testing.assert_array_equal(record.row, [60.0, 59.0])
    np.testing.assert_array_equal(record.col, [62.0, 63.5])
    np.testing.assert_array_equal(record.pixels, [1, 2])
    assert (record.maps, record.resets, record.jumps, record.frame) == (3, 0, 0, DISH)


@pytest.mark.parametrize("form", ["list", "lines", "gzip", "rows", "iso", "from start"])
def test_every_json_form_reads_as_the_parquet_does(tmp_path, form):
    times = {
        "iso": [f"2026-05-28 20:26:4{2 + n}" for n in (1, 2, 3)],
        "from start": [1.0, 2.0, 3.0],
    }.get(form, THREE_S)
    maps = [
        message(cells, time, mapReferenceFrame="FRAME_EARTH")
        for cells, time in zip(THREE, times, strict=True)
    ]
    if form == "rows":
        for entry in maps:
            own = entry["dishGetObstructionMap"]
            own["snr"] = np.reshape(own["snr"], (123, 123)).tolist()
    text = "\n".join(map(json.dumps, maps)) if form == "lines" else json.dumps(maps)
    path = tmp_path / "maps.json"
    path.write_bytes(gzip.compress(text.encode()) if form == "gzip" else text.encode())
    record = read_maps(path, BEGIN_UTC if form == "from start" else None)
    expected = read_maps(write_parquet(tmp_path / "maps.parquet", THREE_S, THREE))
    for name in ("utc", "row", "col", "pixels"):
        np.testing.assert_array_equal(getattr(record, name), getattr(expected, name))
    assert (record.frame, expected.frame) == (EARTH, UNKNOWN)


def test_a_blocked_pixel_of_the_dish_is_painted_too(tmp_path):
    entries = [message(cells, time) for cells, time in zip(THREE, THREE_S, strict=True)]
    entries[1]["dishGetObstructionMap"]["snr"][60 * 123 + 62] = 0.0  # tried, and blocked
    (tmp_path / "maps.json").write_text(json.dumps(entries))
    assert read_maps(tmp_path / "maps.json").row[0] == 60.0


def test_an_emptied_map_begins_anew(tmp_path):
    maps = [*THREE, painted((30, 30)), painted((30, 30), (61, 61))]
    times_s = [*THREE_S, BEGIN_S + 15.2, BEGIN_S + 16.2]
    times_s[:3] = [time_s + 11.0 for time_s in THREE_S]
    record = read_maps(write_parquet(tmp_path / "maps.parquet", times_s, maps))
    assert record.resets == 1
    np.testing.assert_array_equal(record.row, [60.0, 59.0, 30.0, 61.0])
    # What stands in an emptied map was painted since, so its time is the map's own.
    assert record.utc[2] == BEGIN_UTC + np.timedelta64(15_200, "ms")


def test_pixels_that_may_be_of_either_slot_are_left_out(tmp_path):
    times_s = [BEGIN_S + 13.0, BEGIN_S + 14.5, BEGIN_S + 15.5]
    record = read_maps(write_parquet(tmp_path / "maps.parquet", times_s, THREE))
    np.testing.assert_array_equal(record.row, [60.0])


def test_a_refilled_map_is_no_track(tmp_path):
    full = np.ones(CELLS, dtype=np.int64)
    record = read_maps(write_parquet(tmp_path / "m.parquet", THREE_S, [*THREE[:2], full]))
    assert (record.jumps, len(record.utc)) == (1, 1)


def test_a_csv_of_pixels_needs_no_header_and_takes_columns_in_any_order(tmp_path):
    bare, named = tmp_path / "bare.csv", tmp_path / "named.csv"
    bare.write_text("2026-05-28 20:26:43,72,43\n2026-05-28 20:26:44,71,42\n")
    named.write_text(f'X,"Y",timestamp\n42,71,{BEGIN_S + 2:.1f}\n43,72,{BEGIN_S + 1:.1f}\n')
    one, other = read_maps(bare), read_maps(named)
    np.testing.assert_array_equal(one.row, [72.0, 71.0])
    np.testing.assert_array_equal(one.col, [43.0, 42.0])
    for name in ("utc", "row", "col", "pixels"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


BAD_JSON = {
    "another size": (
        [{"timestamp": BEGIN_S, "snr": [-1] * 100, "numRows": 10, "numCols": 10}],
        "map 1: numRows and numCols are 10 and 10; expected 123",
    ),
    "cells missing": (
        [{"timestamp": BEGIN_S, "snr": [-1] * 100}],
        "map 1: a map of 10 x 10; expected 123 x 123",
    ),
    "a value above 1": (
        [{"timestamp": BEGIN_S, "snr": [7] + [-1] * (CELLS - 1)}],
        r"map 1: row 1, column 1 is 7; expected -1 \(no data\) or 0 to 1",
    ),
    "text for a value": (
        [{"timestamp": BEGIN_S, "snr": ["?"] * CELLS}],
        "map 1: a cell is no number",
    ),
    "no time": ([{"snr": [-1] * CELLS}], "map 1: no timestamp; a track needs one for each map"),
    "milliseconds": (
        [{"timestamp": BEGIN_S * 1e3, "snr": [-1] * CELLS}],
        "expected unix seconds: divide milliseconds by 1000",
    ),
    "seconds from nowhere": (
        [{"timestamp": 3.0, "snr": [-1] * CELLS}],
        "counts from the recording's beginning; give --start",
    ),
    "a time that no float holds": (
        [{"timestamp": 10**400, "snr": [-1] * CELLS}],
        "expected unix seconds",
    ),
    "a cell that no float holds": (
        [{"timestamp": BEGIN_S, "snr": [10**400] * CELLS}],
        "map 1: a cell is no number",
    ),
    "five rows": (
        [{"timestamp": BEGIN_S, "snr": [-1] * CELLS, "numRows": 5, "numCols": 123}],
        "numRows and numCols are 5 and 123; expected 123",
    ),
    "another frame": (
        [{"timestamp": BEGIN_S, "snr": [-1] * CELLS, "mapReferenceFrame": "FRAME_MARS"}],
        'reference frame "FRAME_MARS"; expected FRAME_EARTH or FRAME_UT',
    ),
    "one map": ([message(THREE[0], BEGIN_S)], "1 map; two in a row or more tell a track"),
    "no maps": ([], "0 maps; two in a row"),
    "another answer": ([{"timestamp": BEGIN_S, "dishGetStatus": {}}], '"snr" is missing'),
    "numbers": ([1, 2], "map 1: no JSON object"),
    "a step back in time": (
        [message(cells, BEGIN_S - n) for n, cells in enumerate(THREE)],
        "map 2 is not later than the one before it; sort the maps by time",
    ),
    "too far apart": (
        [message(cells, BEGIN_S + 15.0 * n) for n, cells in enumerate(THREE)],
        r"the maps are 15 s apart \(median\); expected 5 s or less: save one each second",
    ),
    "two frames": (
        [message(cells, BEGIN_S + n, mapReferenceFrame=1 + n % 2) for n, cells in enumerate(THREE)],
        "maps of different reference frames",
    ),
}


@pytest.mark.parametrize(("entries", "advice"), BAD_JSON.values(), ids=BAD_JSON)
def test_unfit_json_is_refused_in_one_line(tmp_path, entries, advice):
    path = tmp_path / "maps.json"
    path.write_text(json.dumps(entries))
    with pytest.raises(InputError, match=advice) as refusal:
        read_maps(path)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith(str(path))


BAD_BYTES = {
    "nothing": (b" \n", "the file is empty; expected Parquet"),
    "half JSON": (b'[{"snr": [1,', "not JSON"),
    "half Parquet": (b"PAR1" + bytes(100), "the Parquet data is damaged"),
    "half gzip": (gzip.compress(b"1,2,3\n" * 99)[:-9], "the gzip data ends too early"),
    "a picture": (b"\x89PNG\r\n\x1a\n\xff\xd8", "no text and no Parquet"),
    "other columns": (b"time,lat,lon\n1,2,3\n", "line 1: found time,lat,lon, expected a column y"),
    "header alone": (b"time,row,col\n", "no pixels; expected rows of time,row,column"),
    "a pixel outside": (b"2026-05-28 20:26:43,123,0\n", 'line 1: found "123", expected a pixel'),
    "half a pixel": (b"2026-05-28 20:26:43,1.5,0\n", 'line 1: found "1.5", expected a pixel'),
    "two cells": (b"2026-05-28 20:26:43,1\n", "line 1: 2 cells; expected time,row,column"),
    "no such day": (b"2026-02-30 20:26:43,1,2\n", "line 1"),
    "no time": (b"time,y,x\n,1,2\n", "line 2: no timestamp"),
}


@pytest.mark.parametrize(("content", "advice"), BAD_BYTES.values(), ids=BAD_BYTES)
def test_an_unfit_file_is_refused_in_one_line(tmp_path, content, advice):
    path = tmp_path / "maps.dat"
    path.write_bytes(content)
    with pytest.raises(InputError, match=advice) as refusal:
        read_maps(path)
    assert "\n" not in str(refusal.value)


def test_parquet_of_another_size_or_value_or_column_is_refused(tmp_path):
    path = tmp_path / "maps.parquet"
    with pytest.raises(InputError, match=r"a map of 10 x 10; expected 123 x 123"):
        read_maps(write_parquet(path, [BEGIN_S], [np.zeros(100, np.int64)]))
    with pytest.raises(InputError, match=r"map 1: row 1, column 2 is 5; expected -1, 0 or 1"):
        read_maps(write_parquet(path, [BEGIN_S], [np.r_[0, 5, np.zeros(CELLS - 2, np.int64)]]))
    pq.write_table(pa.table({"timestamp": [BEGIN_S], "map": [[1]]}), path)
    with pytest.raises(InputError, match=r'column "obstruction_map" is missing'):
        read_maps(path)
    pq.write_table(pa.table({"timestamp": [BEGIN_S], "obstruction_map": ["x"]}), path)
    with pytest.raises(InputError, match=r"obstruction_map holds string; expected lists"):
        read_maps(path)
    with pytest.raises(InputError, match=r"map 1: no timestamp"):
        read_maps(write_parquet(path, pa.array([None], pa.float64()), [THREE[0]]))


def test_times_of_parquet_are_utc_whatever_their_zone(tmp_path):
    seconds = [BEGIN_S, BEGIN_S + 1, BEGIN_S + 2]
    path = tmp_path / "maps.parquet"
    expected = read_maps(write_parquet(path, seconds, THREE)).utc
    micros = [round(each * 1e6) for each in seconds]
    for zone in (None, "UTC", "+02:00"):
        times = pa.array(micros, pa.timestamp("us", zone))
        np.testing.assert_array_equal(read_maps(write_parquet(path, times, THREE)).utc, expected)
    far = pa.array([2**62, 2**62 + 1, 2**62 + 2], pa.timestamp("us"))
    with pytest.raises(InputError, match="the Parquet data is damaged"):
        read_maps(write_parquet(path, far, THREE))


def test_a_list_too_short_among_full_ones_is_refused(tmp_path):
    maps = [np.zeros(CELLS - 1, np.int64), np.zeros(CELLS + 1, np.int64)]
    with pytest.raises(InputError, match="map 1: a map of 15,128 cells; expected"):
        read_maps(write_parquet(tmp_path / "maps.parquet", [BEGIN_S, BEGIN_S + 1], maps))
