"""Moments are read strictly, slots stand where the scheduler's do, leap seconds are refused."""

from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.errors import InputError
from skyweave.time import (
    format_utc,
    instants,
    parse_utc,
    slot_grid,
    slots_of,
    tai_minus_utc_s,
)


def utc(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


NOON = utc("2026-06-14T12:00:12")
FIRST_NS, LAST_NS = (int(utc(day).astype(np.int64)) for day in ("1957-01-01", "2100-12-31"))
moments = st.integers(FIRST_NS, LAST_NS).map(lambda ns: np.datetime64(ns, "ns"))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-06-14T12:00:12Z", "2026-06-14T12:00:12"),
        (" 2026-06-14 12:00:12z ", "2026-06-14T12:00:12"),
        ("2026-06-14T14:30:12+02:30", "2026-06-14T12:00:12"),
        ("2026-06-13T23:00:12-1300", "2026-06-14T12:00:12"),
        ("2026-06-14T12:00:12.5Z", "2026-06-14T12:00:12.5"),
        ("2026-06-14T12:00:12.123456789Z", "2026-06-14T12:00:12.123456789"),
        ("1957-01-01T00:00:00Z", "1957-01-01"),
        ("2101-01-01T00:30:00+01:00", "2100-12-31T23:30:00"),
        ("2024-02-29T00:00:00Z", "2024-02-29"),
        (datetime(2026, 6, 14, 12, 0, 12, 250_000, UTC), "2026-06-14T12:00:12.25"),
        (
            datetime(2026, 6, 14, 7, 0, 12, tzinfo=timezone(timedelta(hours=-5))),
            "2026-06-14T12:00:12",
        ),
        (np.datetime64("2026-06-14T12:00:12", "s"), "2026-06-14T12:00:12"),
    ],
)
def test_a_moment_with_a_zone_is_read_to_the_nanosecond(written, expected):
    assert parse_utc(written) == utc(expected)
    assert parse_utc(written).dtype == "datetime64[ns]"


@pytest.mark.parametrize(
    ("written", "advice"),
    [
        ("2026-06-14T12:00:12", "without a zone; expected UTC: write 2026-06-14T12:00:12Z if"),
        (datetime(2026, 6, 14, 12), "without a zone; expected UTC: write 2026-06-14T12:00:00Z if"),
        ("2016-12-31T23:59:60Z", "a leap second, which a run cannot hold; take the next second"),
        ("2026-02-30T12:00:00Z", 'found "2026-02-30T12:00:00Z", which no calendar holds'),
        ("2026-06-14T12:60:00Z", "which no calendar holds"),
        ("2026-06-14T12:00:00+25:00", "which no calendar holds"),
        ("2026-06-14", 'found "2026-06-14", expected a time such as 2026-06-14T12:00:12Z'),
        ("14.06.2026\n12:00", "expected a time such as"),
        ("2026-06-14T12:00:12.1234567890Z", "expected a time such as"),
        ("２０26-06-14T12:00:12Z", "expected a time such as"),
        ("", 'found "", expected a time such as'),
        ("2" * 5000, "expected a time such as"),
        (20260614, "found 20260614, expected a time such as"),
        (date(2026, 6, 14), "expected a time such as"),
        (None, "found None, expected a time such as"),
        ("1956-12-31T23:59:59Z", "the year 1956; expected 1957 to 2100"),
        ("2101-01-01T00:00:00Z", "the year 2101; expected 1957 to 2100"),
        ("0001-01-01T00:00:00+10:00", "the year 1; expected 1957 to 2100"),
        ("9999-12-31T23:59:59-10:00", "the year 9999; expected 1957 to 2100"),
        (np.datetime64("2500-01-01"), "the year 2500; expected 1957 to 2100"),
        (np.datetime64("NaT"), "found no time (NaT)"),
    ],
)
def test_a_doubtful_moment_is_refused_with_advice(written, advice):
    with pytest.raises(InputError) as refusal:
        parse_utc(written, where="night.toml: time.start_utc")
    message = str(refusal.value)
    assert message.startswith("night.toml: time.start_utc: ")
    assert advice in message
    assert "\n" not in message
    assert len(message) < 200


@given(moments)
@settings(deadline=None)
def test_a_written_moment_reads_back_the_same(moment):
    assert parse_utc(format_utc(moment)) == moment


@given(st.one_of(st.text(max_size=40), st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")))
@settings(deadline=None)
def test_any_text_is_a_moment_or_an_input_error(text):
    try:
        moment = parse_utc(text)
    except InputError:
        return
    assert 1957 <= moment.astype("datetime64[Y]").astype(int) + 1970 <= 2100


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        ("2026-06-14T12:00:12", "2026-06-14T12:00:12Z"),
        ("2026-06-14T12:00:12.500", "2026-06-14T12:00:12.5Z"),
        ("2026-06-14T12:00:10", "2026-06-14T12:00:10Z"),
        ("2026-06-14T12:00:12.000000001", "2026-06-14T12:00:12.000000001Z"),
    ],
)
def test_a_fraction_is_written_only_where_there_is_one(moment, written):
    assert format_utc(utc(moment)) == written
    assert format_utc(np.datetime64("2026-06-14", "D")) == "2026-06-14T00:00:00Z"


@given(moments.filter(lambda m: FIRST_NS + 60e9 < int(m.astype(np.int64)) < LAST_NS - 60e9))
@settings(deadline=None)
def test_slots_of_fifteen_seconds_stand_where_the_real_scheduler_s_stand(start):
    try:
        grid = slot_grid(start, duration_s=1.0, slot_s=15.0)
    except InputError:  # the few starts just before a leap second
        return
    moved_back_s = (start - grid.epoch_utc) / np.timedelta64(1, "s")
    second_of_minute = int(grid.epoch_utc.astype(np.int64)) % 60_000_000_000 / 1e9
    assert 0.0 <= moved_back_s < 15.0
    assert second_of_minute in (12.0, 27.0, 42.0, 57.0)


@pytest.mark.parametrize(
    ("start", "epoch"),
    [
        ("12:00:12", "12:00:12"),
        ("12:00:11.999999999", "11:59:57"),
        ("12:00:26.999999999", "12:00:12"),
        ("12:00:27", "12:00:27"),
        ("12:00:00", "11:59:57"),
        ("00:00:03", "23:59:57"),
    ],
)
def test_the_start_moves_back_to_the_last_aligned_second(start, epoch):
    grid = slot_grid(utc(f"2026-06-14T{start}"), 30.0, 15.0)
    assert str(grid.epoch_utc).partition("T")[2].startswith(epoch)
    assert len(grid) == 3


@pytest.mark.parametrize("slot_s", [1.0, 10.0, 14.999, 30.0, 0.1])
def test_slots_of_another_length_start_as_written(slot_s):
    start = utc("2026-06-14T12:00:03.25")
    grid = slot_grid(start, 10 * slot_s, slot_s)
    assert grid.epoch_utc == start
    np.testing.assert_array_equal(grid.t_s, np.arange(11) * slot_s)


@pytest.mark.parametrize(
    ("duration_s", "slot_s", "slots"),
    [
        (3600.0, 15.0, 240),
        (3601.0, 15.0, 241),
        (0.001, 15.0, 1),
        (200.0, 0.1, 2000),
        (2.1, 0.7, 3),
        (2.1, 0.3, 7),
        (1e-12, 15.0, 1),
        (0.3, 0.1, 3),
        (60, 15, 4),
    ],
)
def test_the_last_slot_covers_the_end_of_the_run(duration_s, slot_s, slots):
    assert slots_of(duration_s, slot_s) == slots
    assert len(slot_grid(NOON, duration_s, slot_s)) == slots + 1


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, -np.inf])
def test_a_length_of_time_that_is_none_is_refused(wrong):
    with pytest.raises(InputError, match=r"x\.toml: duration_s = .* give seconds above 0"):
        slot_grid(NOON, wrong, 15.0, where="x.toml")
    with pytest.raises(InputError, match=r"^slot_s = .* give seconds above 0"):
        slot_grid(NOON, 3600.0, wrong)


@pytest.mark.parametrize(("duration_s", "slot_s"), [(1e9, 1.0), (1e300, 1e-300), (3600.0, 1e-5)])
def test_more_slots_than_memory_are_refused(duration_s, slot_s):
    with pytest.raises(InputError, match="slots; at most 10000000 fit in a run"):
        slot_grid(NOON, duration_s, slot_s)


def test_a_run_out_of_the_years_we_know_is_refused():
    with pytest.raises(InputError, match="the year 2126; expected 1957 to 2100"):
        slot_grid(NOON, 100 * 365.25 * 86400.0, 86400.0)
    with pytest.raises(InputError, match="out of reach"):
        instants(NOON, np.array([1e30]))


@pytest.mark.parametrize(
    ("start", "duration_s"),
    [
        ("2016-12-31T23:59:57", 15.0),
        ("2016-12-31T12:00:00", 86400.0),
        ("2015-06-30T23:59:00", 60.0),  # the last boundary would stand a second too early
        ("1990-01-01T00:00:00", 20 * 365.0 * 86400.0),
    ],
)
def test_a_run_across_a_leap_second_is_refused(start, duration_s):
    with pytest.raises(
        InputError, match=r"contains the leap second before \d{4}-0[17]-01T00:00:00Z"
    ):
        slot_grid(utc(start), duration_s, duration_s)


@pytest.mark.parametrize(
    ("start", "duration_s"),
    [
        ("2016-12-31T23:59:00", 59.0),
        ("2017-01-01T00:00:00", 3600.0),
        ("2017-12-31T23:59:00", 120.0),  # a new year without one
        ("1971-12-31T23:59:00", 120.0),  # the table begins here; no second was inserted
    ],
)
def test_a_run_beside_a_leap_second_is_accepted(start, duration_s):
    assert len(slot_grid(utc(start), duration_s, 1.0)) == duration_s + 1


def test_instants_before_the_epoch_are_searched_for_leap_seconds_too():
    with pytest.raises(InputError, match="leap second before 2017-01-01"):
        instants(utc("2017-01-01T00:00:10"), np.array([-20.0]))


def test_an_epoch_before_the_first_instant_is_searched_from():
    with pytest.raises(InputError, match="leap second before 2017-01-01"):
        instants(utc("2016-12-31T23:59:50"), np.array([20.0, 30.0]))


@pytest.mark.parametrize("t_s", [[np.nan], [0.0, np.inf], [[0.0]]])
def test_instants_that_are_no_list_of_seconds_are_refused(t_s):
    with pytest.raises(InputError, match=r"pass finite seconds, shape \(T,\)"):
        instants(NOON, np.array(t_s))


def test_a_grid_may_be_empty():
    grid = instants(NOON, np.zeros(0))
    assert len(grid) == 0
    assert grid.utc.shape == (0,)


def test_a_part_of_a_grid_holds_the_same_moments():
    grid = slot_grid(NOON, 3600.0, 0.1)
    np.testing.assert_array_equal(grid.part(7, 19).utc, grid.utc[7:19])
    assert grid.utc[1] - grid.utc[0] == np.timedelta64(100, "ms")


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("1972-01-01", 10.0),
        ("1972-06-30T23:59:59.999999999", 10.0),
        ("1972-07-01", 11.0),
        ("2016-12-31T23:59:59.999999999", 36.0),
        ("2017-01-01", 37.0),
        ("2026-06-14", 37.0),
    ],
)
def test_tai_minus_utc_changes_with_the_leap_second(moment, seconds):
    assert tai_minus_utc_s(np.array([utc(moment)])).tolist() == [seconds]


def test_tai_minus_utc_is_unknown_before_1972_and_for_no_time():
    assert np.isnan(tai_minus_utc_s(np.array(["1971-12-31", "NaT"], dtype="datetime64[ns]"))).all()
    assert tai_minus_utc_s(np.zeros(0, dtype="datetime64[ns]")).shape == (0,)
