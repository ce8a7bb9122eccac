"""Hints at a shifted clock: told where a shift is put in, never where there is none."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from skyweave.realism.clock import (
    FARTHEST_SHIFT_S,
    _medians,
    _misfit,
    _Seconds,
    check_clock,
    step_by_second,
)

START = np.datetime64("2026-06-14T12:00:12", "ns")
SLOTS = 60


def slots(rng, out_share=0.05):
    """Predicted RTTs of slots, some of them out."""
    rtt_s = 0.02 + rng.gamma(1.0, 0.01, SLOTS)
    return np.where(rng.random(SLOTS) < out_share, np.nan, rtt_s)


def series_of(slot_rtt_s, rng, shift_s=0.0, scatter_s=0.003):
    """Packets every 0.2 s whose slots have these RTTs, stamped by a clock `shift_s` behind."""
    t_s = np.arange(0.05, SLOTS * 15.0, 0.2)
    rtt_s = slot_rtt_s[(t_s // 15).astype(int)] + 0.01 + rng.gamma(1.0, scatter_s, t_s.size)
    return as_series(t_s - shift_s, rtt_s)


def as_series(t_s, rtt_s):
    t_utc = START + np.round(np.asarray(t_s) * 1e9).astype("timedelta64[ns]")
    return SimpleNamespace(t_utc=t_utc, rtt_s=np.asarray(rtt_s))


def boundaries():
    return START + np.arange(SLOTS + 1) * np.timedelta64(15, "s")


@pytest.mark.parametrize("shift_s", [-45, -7, 3, 22])
def test_a_shifted_clock_is_found_to_the_second(shift_s):
    rng = np.random.default_rng(abs(shift_s))
    predicted_s = slots(rng)
    clock = check_clock(series_of(predicted_s, rng, shift_s), boundaries(), predicted_s)
    assert clock.shift_s == shift_s
    assert f"if {shift_s:+d} s are added to its times" in clock.hint


@pytest.mark.parametrize("seed", range(5))
def test_a_right_clock_gets_no_hint(seed):
    rng = np.random.default_rng(seed)
    predicted_s = slots(rng)
    clock = check_clock(series_of(predicted_s, rng), boundaries(), predicted_s)
    assert (clock.shift_s, clock.improvement, clock.hint) == (0, 0.0, None)
    assert clock.largest_step_after_mark_s == 0


@pytest.mark.parametrize("seed", range(12))
def test_a_prediction_that_explains_nothing_shifts_nothing(seed):
    rng = np.random.default_rng(seed)
    series = series_of(slots(rng, out_share=0.0), rng)
    assert check_clock(series, boundaries(), slots(rng, out_share=0.0)).shift_s == 0


def test_steps_at_another_second_are_told_where_the_prediction_is_flat():
    rng = np.random.default_rng(1)
    series = series_of(slots(rng, out_share=0.0), rng, shift_s=-4)
    clock = check_clock(series, boundaries(), np.full(SLOTS, 0.03))
    assert clock.largest_step_after_mark_s == 4
    assert clock.hint.endswith("the clock that measured may be 4 s ahead")
    behind = check_clock(series_of(slots(rng, 0.0), rng, 4), boundaries(), np.full(SLOTS, 0.03))
    assert behind.hint.endswith("the clock that measured may be 4 s behind")


def test_a_series_of_seconds_says_nothing_about_the_clock():
    series = as_series([1.0, 2.0, 3.5, 9.0], [0.03, 0.05, np.nan, 0.04])
    clock = check_clock(series, boundaries(), np.full(SLOTS, 0.03))
    assert (clock.shift_s, clock.hint) == (0, None)


def test_a_series_far_from_the_slots_says_nothing():
    series = as_series(np.arange(1e5, 1e5 + 400), np.full(400, 0.04))
    clock = check_clock(series, boundaries(), np.full(SLOTS, 0.03))
    assert (clock.shift_s, clock.hint) == (0, None)
    assert FARTHEST_SHIFT_S < 1e5


def test_an_outage_that_one_side_alone_sees_is_the_worst_misfit():
    half = np.timedelta64(500, "ms")
    t_s = np.arange(60.0)
    rtt_s = np.where(t_s < 30, 0.04, np.nan)
    rtt_s[50:] = 0.05  # while 0.03 are predicted, as where 0.04 are: 10 ms from the middle
    series = as_series(t_s + half / np.timedelta64(1, "s"), rtt_s)
    predicted_s = np.array([0.03, np.nan, np.nan, 0.03])
    misfit = _misfit(_Seconds(series), boundaries()[:5], predicted_s, 0)
    expected = np.concatenate(
        [np.zeros(15), np.ones(15), np.zeros(15), np.ones(5), np.full(10, 0.2)]
    )
    np.testing.assert_allclose(misfit, expected, atol=1e-9)
    later = _misfit(_Seconds(series), boundaries()[:5], predicted_s, 15)
    assert np.isnan(later[45:]).all()  # past the end of what is predicted


def test_steps_by_second_are_those_of_pandas():
    rng = np.random.default_rng(4)
    series = series_of(slots(rng), rng)
    second = pd.Series(series.rtt_s).groupby(series.t_utc.astype("datetime64[s]")).median()
    step = second.diff().abs()
    phase = (step.index.second - 12) % 15
    expected = step.groupby(phase).mean().to_numpy()
    np.testing.assert_allclose(step_by_second(_Seconds(series)), expected, atol=1e-12, rtol=0)


def test_medians_of_rows_are_those_of_pandas():
    rng = np.random.default_rng(2)
    row = np.sort(rng.integers(0, 40, 300))
    values = np.where(rng.random(300) < 0.3, np.nan, rng.random(300))
    values[row == 7] = np.nan
    expected = pd.Series(values).groupby(row).median().reindex(range(45))
    np.testing.assert_allclose(_medians(row, values, 45), expected, atol=1e-15, rtol=0)
