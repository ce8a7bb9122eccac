"""Does the clock of a measured series agree with the network's?

Two signs are looked at, neither of which is taken as proof: a hint is all that follows.  Real RTTs
step where slots begin, so steps that are largest at another second betray a shifted clock, up to
whole slots.  And if outages and slow slots of a run match the series much better a few seconds
earlier or later, the clock, or the scenario's, is shifted by as much.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.realism.series import Series
from skyweave.twin.delay.samples import FIRST_SLOT_NS, SLOT_NS

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SLOT_S, MARK_S = SLOT_NS // 10**9, FIRST_SLOT_NS // 10**9
FARTHEST_SHIFT_S = 60
CLEARLY_BETTER = 0.1  # share of the misfit that a shift must remove to be told
CLEARLY_SURE = 4.0  # standard errors, over slots, by which it must be better
CLEARLY_LARGER = 1.5  # times the step at the marks, for another second's to be told
FEWEST_SLOTS = 8  # from which on anything is told
WORST_RESIDUAL_S = (
    0.050  # residuals count up to this, and an outage seen by one side alone counts 1
)


@dataclass(frozen=True)
class Clock:
    """What a series and a prediction say about the clock of the series."""

    shift_s: int  # to add to the times of the series for the best agreement, 0 = as it is
    improvement: float  # share of the misfit that the shift removes
    largest_step_after_mark_s: int  # seconds after slots begin at which the RTT steps most
    hint: str | None  # one sentence


class _Seconds:
    """A series second by second: median RTT (NaN: none answered), and whether all were lost."""

    def __init__(self, series: Series) -> None:
        second = series.t_utc.astype("datetime64[s]").astype(np.int64)
        self.first = int(second[0])
        row = second - self.first
        self.count = int(row[-1]) + 1
        self.packets = np.bincount(row, minlength=self.count)
        self.rtt_s = _medians(row, series.rtt_s, self.count)

    @property
    def is_lost(self) -> NDArray[np.bool_]:
        """Where packets were sent and none was answered, (C,)."""
        return (self.packets > 0) & np.isnan(self.rtt_s)


def check_clock(
    series: Series, start_utc: NDArray[np.datetime64], predicted_s: FloatArray
) -> Clock:
    """Return what the clock of a series looks like.

    `start_utc` (T + 1,) are the starts of the predicted slots and the end of the last,
    `predicted_s` (T,) their RTTs, NaN = out.
    """
    if not np.isfinite(series.rtt_s).any():
        return Clock(shift_s=0, improvement=0.0, largest_step_after_mark_s=0, hint=None)
    seconds = _Seconds(series)
    steps_s = step_by_second(seconds)
    largest = int(np.nanargmax(steps_s)) if np.isfinite(steps_s).any() else 0
    shift_s, improvement = _best_shift(seconds, start_utc, predicted_s)
    return Clock(
        shift_s=shift_s,
        improvement=improvement,
        largest_step_after_mark_s=largest,
        hint=_hint(shift_s, improvement, steps_s, largest),
    )


def step_by_second(seconds: _Seconds) -> FloatArray:
    """Return the mean step of the RTT into each second after a mark, (15,); NaN where unknown.

    Marks are where slots of real dishes begin; a step is between medians of neighbouring seconds.
    """
    step_s = np.abs(np.diff(seconds.rtt_s))
    is_known = np.isfinite(step_s)
    phase = (seconds.first + 1 + np.arange(step_s.size) - MARK_S) % SLOT_S
    count = np.bincount(phase[is_known], minlength=SLOT_S)
    total_s = np.bincount(phase[is_known], weights=step_s[is_known], minlength=SLOT_S)
    return np.where(count >= FEWEST_SLOTS, total_s / np.maximum(count, 1), np.nan)


def _best_shift(
    seconds: _Seconds, start_utc: NDArray[np.datetime64], predicted_s: FloatArray
) -> tuple[int, float]:
    """Return the shift of the series that fits a prediction clearly best, and by how much."""
    shifts = range(-FARTHEST_SHIFT_S, FARTHEST_SHIFT_S + 1)
    misfit = {shift: _misfit(seconds, start_utc, predicted_s, shift) for shift in shifts}
    here = misfit[0]
    common = {shift: np.isfinite(own) & np.isfinite(here) for shift, own in misfit.items()}
    enough = 0.8 * np.isfinite(here).sum()
    means = {
        shift: float((misfit[shift] - here)[own].mean())
        for shift, own in common.items()
        if own.sum() > max(enough, 0)
    }
    if not means:
        return 0, 0.0
    # Of equally good ones the smallest shift.
    best = min(means, key=lambda shift: (round(means[shift], 12), abs(shift)))
    gain = (here - misfit[best])[common[best]]
    improvement = float(gain.sum() / here[common[best]].sum()) if gain.sum() > 0 else 0.0
    row = np.flatnonzero(common[best]) // SLOT_S  # seconds of one slot are no independent witnesses
    if improvement < CLEARLY_BETTER or not _is_sure(gain, row):
        return 0, 0.0
    return best, improvement


def _is_sure(gain: FloatArray, group: IntArray) -> bool:
    """Return whether the mean gain is many standard errors from 0, its groups independent."""
    of_group = np.bincount(group, weights=gain)[np.unique(group)]
    if of_group.size < FEWEST_SLOTS:
        return False
    error = of_group.std(ddof=1) / np.sqrt(of_group.size)
    return bool(of_group.mean() > CLEARLY_SURE * error)


def _misfit(
    seconds: _Seconds, start_utc: NDArray[np.datetime64], predicted_s: FloatArray, shift_s: int
) -> FloatArray:
    """Return how badly each second fits a prediction, 0 to 1, (C,); NaN where one lacks it."""
    second_ns = (seconds.first + shift_s + np.arange(seconds.count)) * 10**9
    starts_ns = start_utc.astype("datetime64[ns]").astype(np.int64)
    row = np.searchsorted(starts_ns, second_ns, side="right") - 1
    is_inside = (row >= 0) & (row < predicted_s.size) & (seconds.packets > 0)
    expected_s = np.append(predicted_s, np.nan)[np.where(is_inside, row, predicted_s.size)]
    residual_s = seconds.rtt_s - expected_s
    is_both = np.isfinite(residual_s)
    middle_s = np.median(residual_s[is_both]) if is_both.any() else 0.0
    apart = np.minimum(np.abs(residual_s - middle_s) / WORST_RESIDUAL_S, 1.0)
    is_alone = is_inside & (np.isnan(expected_s) != seconds.is_lost)
    is_agreed_out = is_inside & np.isnan(expected_s) & seconds.is_lost
    return np.select([~is_inside, is_alone, is_agreed_out], [np.nan, 1.0, 0.0], apart)


def _hint(shift_s: int, improvement: float, steps_s: FloatArray, largest: int) -> str | None:
    if shift_s:
        return (
            f"the series fits the run better by {100.0 * improvement:.0f} % if {shift_s:+d} s are "
            "added to its times; check the clock of the machine that measured"
        )
    if largest and steps_s[largest] > CLEARLY_LARGER * steps_s[0]:
        late = largest if largest <= steps_s.size // 2 else largest - steps_s.size
        return (
            f"the round trip steps most {largest} s after slots begin, not where they begin; the "
            f"clock that measured may be {abs(late)} s {'ahead' if late > 0 else 'behind'}"
        )
    return None


def _medians(row: IntArray, values: FloatArray, count: int) -> FloatArray:
    """Return the median of the values of each row past NaNs, (count,); NaN of none."""
    is_known = np.isfinite(values)
    row, values = row[is_known], values[is_known]
    order = np.lexsort((values, row))
    size = np.bincount(row, minlength=count)
    start = np.cumsum(size) - size
    ordered = np.append(values[order], np.nan)
    low = np.where(size > 0, start + (size - 1) // 2, ordered.size - 1)
    high = np.where(size > 0, start + size // 2, ordered.size - 1)
    medians: FloatArray = 0.5 * (ordered[low] + ordered[high])
    return medians
