"""Moving terminals: tracks as written, between fixes, and in the table of positions."""

import re

import numpy as np
import pytest
from astropy import units
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from spoiled import read_or_refused, spoiled

from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf, great_circle_m
from skyweave.twin.terminals import (
    Track,
    concatenate,
    great_circle_track,
    make_terminals,
    parse_track,
    read_track,
    terminal_itrf,
    write_track,
)
from skyweave.twin.terminals.tracks import COLUMNS

HEADER = ",".join(COLUMNS)
START = np.datetime64("2026-06-14T12:00:12", "ns")
A_NANODEGREE = 1e-9  # 0.1 mm
A_MILLIMETRE = 1e-3


def track(text: str) -> Track:
    return parse_track(text.encode(), "x.csv")


def two_fixes(start, end, duration_s=100.0) -> Track:
    utc = START + np.array([0, round(duration_s * 1e9)], dtype="timedelta64[ns]")
    (lat1, lon1, height1), (lat2, lon2, height2) = start, end
    return Track(utc, np.array([lat1, lat2]), np.array([lon1, lon2]), np.array([height1, height2]))


def after(seconds) -> np.ndarray:
    return START + np.round(np.asarray(seconds) * 1e9).astype("timedelta64[ns]")


def test_a_track_is_read_as_written(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        f"{HEADER}\n2026-06-14T12:00:12Z,1.5,179.5,10\n2026-06-14T14:00:27.5+02:00,2,181,20.5\n",
        encoding="utf-8",
    )
    fixes = read_track(path)
    assert fixes.utc.tolist() == np.array([START, START + np.timedelta64(15_500, "ms")]).tolist()
    assert fixes.lat_deg.tolist() == [1.5, 2.0]
    assert fixes.lon_deg.tolist() == [179.5, -179.0]
    assert fixes.height_wgs84_m.tolist() == [10.0, 20.5]


def test_heights_may_be_left_out():
    text = "time_utc,lat_deg,lon_deg\n2026-06-14T12:00:12Z,1,2\n2026-06-14T12:00:13Z,1,2\n"
    assert track(text).height_wgs84_m.tolist() == [0.0, 0.0]


FIX = "2026-06-14T12:00:12Z,1,2,0"
LATER = "2026-06-14T12:01:12Z,1,3,0"
BAD = {
    "one fix": (f"{HEADER}\n{FIX}", "1 fixes; a track needs at least 2: add when it ends"),
    "no zone": (f"{HEADER}\n2026-06-14T12:00:12,1,2,0\n{LATER}", "line 2: time_utc: found"),
    "no time": (f"{HEADER}\nnoon,1,2,0\n{LATER}", 'line 2: time_utc: found "noon", expected'),
    "no such day": (f"{HEADER}\n2026-02-30T00:00:00Z,1,2,0\n{LATER}", "line 2: time_utc: found"),
    "an empty time": (f"{HEADER}\n,1,2,0\n{LATER}", "line 2: time_utc: found"),
    "times going back": (
        f"{HEADER}\n{LATER}\n{FIX}",
        "line 3: time_utc 2026-06-14T12:00:12Z is not after 2026-06-14T12:01:12Z of line 2; "
        "sort the fixes by time",
    ),
    "one time twice": (f"{HEADER}\n{FIX}\n{FIX}", "line 3: time_utc 2026-06-14T12:00:12Z is not"),
    "latitude 95": (f"{HEADER}\n{FIX}\n2026-06-14T13:00:00Z,95,2,0", "line 3: lat_deg = 95:"),
    "no latitude": (f"{HEADER}\n{FIX}\n2026-06-14T13:00:00Z,,2,0", "line 3: lat_deg is empty"),
    "a height in feet, too high": (
        f"{HEADER}\n{FIX}\n2026-06-14T13:00:00Z,1,2,350000",
        "line 3: height_wgs84_m = 350000: expected -1000 to 100000",
    ),
    "the other side of the Earth": (
        f"{HEADER}\n2026-06-14T12:00:12Z,40,10,0\n2026-06-14T13:00:12Z,-40,-170,0",
        "line 3: opposite the fix of line 2 on the Earth, so the way between them is unknown; "
        "add fixes on the way",
    ),
    "a missing column": ("time,lat_deg,lon_deg\n1,2,3", 'column "time_utc" is missing; rename "ti'),
    "a GPX file cut off": ("<?xml version='1.0'?>\n<gpx>", "line 2: the XML text breaks: it ends"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_track_is_refused_with_advice(name):
    text, advice = BAD[name]
    with pytest.raises(InputError, match=f"^x.csv: .*{re.escape(advice)}") as refusal:
        track(text)
    assert "\n" not in str(refusal.value)


def test_a_missing_track_is_refused_with_advice(tmp_path):
    with pytest.raises(InputError, match=r"gone.csv: no such file; check the name and the folder"):
        read_track(tmp_path / "gone.csv")


PLACES = st.tuples(
    st.floats(-90, 90) | st.sampled_from([-90.0, 90.0, 89.9999]),
    st.floats(-180, 180) | st.sampled_from([-180.0, 180.0, 179.9]),
    st.floats(-100, 12_000),
)


@settings(deadline=None)
@given(start=PLACES, end=PLACES, share=st.floats(0, 1))
def test_positions_between_fixes_agree_with_astropys_great_circle(start, end, share):
    here = SkyCoord(start[1] * units.deg, start[0] * units.deg)
    there = SkyCoord(end[1] * units.deg, end[0] * units.deg)
    whole = here.separation(there)
    if whole.deg > 179.0:
        return
    moving = two_fixes(start, end).at(after([100.0 * share]))
    if abs(moving.lat_deg[0]) > 89.999:
        return  # the oracle takes an arcsine, which loses half its digits there, or passes 1
    expected = here.directional_offset_by(here.position_angle(there), whole * share)
    found = SkyCoord(moving.lon_deg[0] * units.deg, moving.lat_deg[0] * units.deg)
    assert found.separation(expected).deg <= 100 * A_NANODEGREE
    height_m = start[2] + share * (end[2] - start[2])
    assert moving.height_wgs84_m[0] == pytest.approx(height_m, abs=0.01)


@settings(deadline=None)
@given(start=PLACES, end=PLACES, share=st.floats(0, 1))
def test_the_way_is_shared_out_in_proportion_to_time(start, end, share):
    whole_m = float(great_circle_m(*start[:2], *end[:2]))
    if whole_m > 19_900_000.0:
        return
    moving = two_fixes(start, end).at(after([100.0 * share]))
    gone_m = great_circle_m(*start[:2], moving.lat_deg[0], moving.lon_deg[0])
    left_m = great_circle_m(moving.lat_deg[0], moving.lon_deg[0], *end[:2])
    assert gone_m == pytest.approx(share * whole_m, abs=0.01)
    assert gone_m + left_m == pytest.approx(whole_m, abs=0.02)


@pytest.mark.parametrize(
    ("name", "start", "end", "middle"),
    [
        ("across the date line", (0.0, 179.0, 0.0), (0.0, -179.0, 0.0), (0.0, 180.0)),
        ("over the North Pole", (89.0, 0.0, 0.0), (89.0, 180.0, 0.0), (90.0, None)),
        ("over the South Pole", (-89.0, 90.0, 0.0), (-89.0, -90.0, 0.0), (-90.0, None)),
        ("from the pole", (90.0, 77.0, 0.0), (88.0, 10.0, 0.0), (89.0, 10.0)),
        ("along the equator", (0.0, -10.0, 0.0), (0.0, 10.0, 0.0), (0.0, 0.0)),
    ],
)
def test_a_way_leads_straight_over_the_seams_of_the_map(name, start, end, middle):
    moving = two_fixes(start, end).at(after([50.0]))
    assert moving.lat_deg[0] == pytest.approx(middle[0], abs=A_NANODEGREE), name
    if middle[1] is not None:
        turns = (moving.lon_deg[0] - middle[1]) / 360.0
        assert turns == pytest.approx(round(turns), abs=A_NANODEGREE), name


def test_a_fix_is_kept_exactly_and_outside_the_fixes_nothing_is_known():
    fixes = two_fixes((10.0, 20.0, 30.0), (10.5, 20.5, 130.0))
    at = fixes.at(after([-1e-9, 0.0, 100.0, 100.000000001]))
    assert at.lat_deg == pytest.approx([np.nan, 10.0, 10.5, np.nan], abs=1e-12, nan_ok=True)
    assert at.lon_deg == pytest.approx([np.nan, 20.0, 20.5, np.nan], abs=1e-12, nan_ok=True)
    assert at.height_wgs84_m == pytest.approx([np.nan, 30.0, 130.0, np.nan], nan_ok=True)


def test_a_terminal_that_stands_still_stays_where_it_is():
    at = two_fixes((33.3, -44.4, 5.0), (33.3, -44.4, 5.0)).at(after([0.0, 12.3, 100.0]))
    assert at.lat_deg == pytest.approx(np.full(3, 33.3), abs=1e-12)
    assert at.lon_deg == pytest.approx(np.full(3, -44.4), abs=1e-12)


def test_a_step_of_a_millimetre_is_still_divided():
    at = two_fixes((45.0, 7.0, 0.0), (45.0 + 1e-8, 7.0, 0.0)).at(after([25.0]))
    assert at.lat_deg[0] - 45.0 == pytest.approx(0.25e-8, rel=1e-4)


def test_a_journey_can_start_with_the_run():
    fixes = two_fixes((0.0, 0.0, 0.0), (1.0, 1.0, 0.0)).starting_at(np.datetime64("2030-01-01"))
    assert str(fixes.utc[0]) == "2030-01-01T00:00:00.000000000"
    assert fixes.utc[1] - fixes.utc[0] == np.timedelta64(100, "s")


def test_a_flight_keeps_its_speed_and_height_and_arrives():
    london, new_york = (51.47, -0.45), (40.64, -73.78)
    flight = great_circle_track(london, new_york, START, 240.0, 11_000.0, 60.0)
    step_m = great_circle_m(
        flight.lat_deg[:-1], flight.lon_deg[:-1], flight.lat_deg[1:], flight.lon_deg[1:]
    )
    assert step_m[:-1] == pytest.approx(np.full(len(flight) - 2, 14_400.0), abs=A_MILLIMETRE)
    assert 0.0 < step_m[-1] <= 14_400.0
    ends_deg = flight.lat_deg[[0, -1]], flight.lon_deg[[0, -1]]
    assert np.array(ends_deg) == pytest.approx(np.array([london, new_york]).T, abs=A_NANODEGREE)
    assert set(flight.height_wgs84_m) == {11_000.0}
    duration_s = (flight.utc[-1] - flight.utc[0]) / np.timedelta64(1, "s")
    assert duration_s * 240.0 == pytest.approx(great_circle_m(*london, *new_york), abs=0.01)


@pytest.mark.parametrize("steps", range(1, 60))
def test_a_journey_of_whole_steps_has_no_fix_twice(steps):
    arrival_s = float(great_circle_m(0.0, 0.0, 0.0, 10.0)) / 100.0
    flight = great_circle_track((0, 0), (0, 10), START, 100.0, 0.0, arrival_s / steps)
    assert len(flight) == steps + 1
    assert (np.diff(flight.utc) > np.timedelta64(0, "ns")).all()


@pytest.mark.parametrize(
    ("start", "end", "speed_m_s", "every_s", "advice"),
    [
        ((0, 0), (0, 0), 100.0, 60.0, "two different places that are not opposite"),
        ((10, 20), (-10, -160), 100.0, 60.0, "no single great circle leads from start to end"),
        ((0, 0), (0, 1), 0.0, 60.0, "speed_m_s = 0.0 and every_s = 60.0: expected numbers above 0"),
        ((0, 0), (0, 1), 100.0, np.nan, "expected numbers above 0"),
        ((0, 0), (0, 1), 1.0, 1e-3, "more than 1,000,000 fixes; take a longer step"),
    ],
)
def test_a_journey_that_cannot_be_made_is_refused(start, end, speed_m_s, every_s, advice):
    with pytest.raises(InputError, match=re.escape(advice)):
        great_circle_track(start, end, START, speed_m_s, 0.0, every_s)


def test_a_written_track_is_read_back(tmp_path):
    flight = great_circle_track((51.47, -0.45), (-33.9, 179.9), START, 250.0, 11_000.5, 300.0)
    write_track(flight, tmp_path / "flight.csv")
    again = read_track(tmp_path / "flight.csv")
    assert (again.utc == flight.utc).all()
    a_centimetre_deg = 1e-7
    assert again.lat_deg == pytest.approx(flight.lat_deg, abs=a_centimetre_deg)
    assert again.lon_deg == pytest.approx(flight.lon_deg, abs=a_centimetre_deg)
    assert (again.height_wgs84_m == flight.height_wgs84_m).all()


def test_the_table_has_fixed_rows_once_and_moving_rows_at_each_instant():
    moving = two_fixes((10.0, 20.0, 0.0), (11.0, 21.0, 1000.0))
    terminals = make_terminals(
        ["a", "car", "b"], [1.0, np.nan, 3.0], [2.0, np.nan, 4.0], tracks={1: moving}
    )
    utc = after([-15.0, 0.0, 30.0, 200.0])
    positions = terminal_itrf(terminals, utc)
    at = moving.at(utc)
    for k in range(4):
        site_itrf_m, up_itrf = positions.at(k)
        lat_deg, lon_deg, height_m = positions.geodetic_at(k)
        assert np.array_equal(lat_deg, [1.0, at.lat_deg[k], 3.0], equal_nan=True)
        expected_m, expected_up = geodetic_to_itrf(lat_deg, lon_deg, height_m)
        np.testing.assert_array_equal(site_itrf_m, expected_m)
        np.testing.assert_array_equal(up_itrf, expected_up)
        assert site_itrf_m.flags.c_contiguous
    assert np.isnan(positions.at(0)[0][1]).all()
    assert np.isfinite(positions.at(1)[0]).all()
    assert np.isnan(positions.at(3)[0][1]).all()
    assert (terminals.lat_deg[1], terminals.country[1]) == (10.0, "TD")


def test_without_moving_terminals_nothing_is_copied():
    positions = terminal_itrf(make_terminals(["a"], 1.0, 2.0), after([0.0, 15.0]))
    assert positions.at(0)[0] is positions.at(1)[0]
    with pytest.raises(ValueError, match="read-only"):
        positions.at(0)[0][0, 0] = 0.0


def test_tracks_follow_their_rows():
    moving = two_fixes((10.0, 20.0, 0.0), (11.0, 21.0, 0.0))
    some = make_terminals(["a", "car"], [1.0, np.nan], [2.0, np.nan], tracks={1: moving})
    both = concatenate([make_terminals(["x"], 0.0, 0.0), some])
    assert set(both.tracks) == {2}
    assert set(both.take(np.array([2, 0])).tracks) == {0}
    assert not both.take(np.array([0, 1])).tracks


GOOD = [
    f"{HEADER}\n{FIX}\n{LATER}\n",
    f"\ufeff{HEADER}\r\n{FIX}\r\n2026-06-14T14:30:00.125+02:00,-89.9,190,1e4\r\n",
    "time_utc,lat_deg,lon_deg\n2026-06-14 12:00:12Z,1,2\n2026-06-14 12:00:12.5Z,90,-180\n",
]
FRAGMENTS = [
    *(
        "",
        "\n",
        "\r",
        ",",
        '"',
        "-",
        "+",
        ".",
        "9",
        "0",
        "6",
        "\0",
        "é",
        "٤",
        "\ufeff",
        "Z",
        "T",
        ":",
    ),
    *("nan", "1e999", "-91", "400", "noon", "2026-02-30", ":60", "9999", "0001", "lat_deg", "\t"),
    *("-178", ",,,\n", f"\n{FIX}\n", f"\n{LATER}\n", "+99:99", "\udc80"),
]


def test_any_content_is_a_track_or_refused_in_one_line(full_counts, record_figure):
    count = 20_000 if full_counts else 2_000
    outcomes = {"read": 0, "refused": 0}

    @settings(max_examples=count, deadline=None, database=None)
    @given(content=spoiled(GOOD, FRAGMENTS))
    def check(content):
        fixes = read_or_refused(parse_track, content, "x.csv")
        outcomes["refused" if fixes is None else "read"] += 1
        if fixes is not None:
            assert_sound(fixes)

    check()
    assert min(outcomes.values()) > count // 20
    record_figure(
        "track files, random: clean or InputError",
        sum(outcomes.values()),
        "inputs",
        "no other outcome",
    )


def assert_sound(fixes):
    assert len(fixes) >= 2
    assert (np.diff(fixes.utc) > np.timedelta64(0, "ns")).all()
    assert (np.abs(fixes.lat_deg) <= 90.0).all()
    assert (np.abs(fixes.lon_deg) <= 180.0).all()
    between = fixes.utc[0] + (fixes.utc[-1] - fixes.utc[0]) // 2
    assert np.isfinite(fixes.at(np.array([between]))).all()
