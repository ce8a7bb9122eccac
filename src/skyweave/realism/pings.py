"""Scores a measured series of round trips: its quantiles, its slots, and a period's delay model.

Geometry is a number: which satellite served when is not in a series of pings.  So distributions
are compared, never the RTT of a given slot.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.realism.delay_fit import GEOMETRY_RTT_S, MIN_SLOT_PACKETS, SlotPackets, slot_packets
from skyweave.realism.series import Series, read_series
from skyweave.time import TimeArray, format_utc
from skyweave.twin.delay import (
    DelayModel,
    delay_model,
    delay_periods,
    extra_cdf,
    packet_rtt_s,
    utc_slots,
)
from skyweave.twin.delay.quantiles import FloatArray
from skyweave.twin.delay.samples import SLOT_NS

WINDOW_S = 3.75  # of the medians whose difference is a step
WINDOW_SHARE = 0.5  # of a window's packets must be there, and
WINDOW_PACKETS = 3  # this many, as a dish's history with one sample per second has
PHASES_S = np.arange(0.0, 15.0, 0.5)  # after a slot's start
MIDDLE_S = 7.5
LAW_POINTS = 1001  # at which a law's shares are computed; between them they are interpolated
SENT_SHARE = 0.5  # of a slot's packets must be answered for it to count
GEOMETRY_LIMITS_S = (0.0, 1.0)
_ASSUMED = "assumed: the median of the paths for which the model was fitted"


def score_pings(
    series_file: str | Path,
    *,
    period: str | None = None,
    geometry_rtt_s: float | None = None,
    seed: int = 0,
    read_utc: np.datetime64 | None = None,
) -> dict[str, Any]:
    """Return how a measured series looks and how close a period's model comes to it.

    Without `period` the one nearest to the series is taken.  `geometry_rtt_s` is propagation there
    and back: the median over a scenario's slots where one is at hand, else that of the paths for
    which the model was fitted.
    """
    geometry = "given"
    if geometry_rtt_s is None:
        geometry, geometry_rtt_s = _ASSUMED, GEOMETRY_RTT_S
    least_s, most_s = GEOMETRY_LIMITS_S
    if not least_s <= geometry_rtt_s <= most_s:
        raise InputError(
            f"geometry_rtt_s = {geometry_rtt_s:g}: expected {least_s:g} to {most_s:g} seconds; "
            "give the propagation there and back in seconds"
        )
    series = read_series(series_file, read_utc=read_utc)
    model = delay_model(period or nearest_period(series))
    packets = slot_packets(series, least=_enough(series))
    return {
        **described(series),
        "slots": slot_structure(series),
        "model": {
            "period": model.period,
            "fitted_on": model.facts["data"],
            "is_fitted_on_this_file": series.sha256 == model.facts.get("sha256"),
            "geometry_rtt_s": geometry_rtt_s,
            "geometry_from": geometry,
            **_scored(packets, model, geometry_rtt_s),
            "sampled": _sampled(series, model, geometry_rtt_s, seed),
        },
    }


def _enough(series: Series) -> int:
    """Return how many answers a slot needs to count: of packets seldom sent, half of them.

    One a second, as `ping` sends by default and a dish's history has, makes 15 a slot.
    """
    spacing_s = float(np.median(np.diff(series.t_utc)) / np.timedelta64(1, "s"))
    sent = SLOT_NS / 1e9 / spacing_s if spacing_s else np.inf
    return int(np.clip(SENT_SHARE * sent, WINDOW_PACKETS, MIN_SLOT_PACKETS))


def nearest_period(series: Series) -> str:
    """Return the period whose month is nearest to a series."""
    middle = series.t_utc[0] + (series.t_utc[-1] - series.t_utc[0]) / 2
    return min(delay_periods(), key=lambda name: abs(np.datetime64(f"{name}-15", "ns") - middle))


def described(series: Series) -> dict[str, Any]:
    """Return what a series holds: every answered packet counts the same."""
    p5, p50, p95 = np.quantile(series.rtt_s[series.answered], (0.05, 0.5, 0.95)).tolist()
    return {
        "file": series.source,
        "form": series.form,
        "packets": len(series),
        "lost": int(series.lost.sum()),
        "loss_share": float(series.lost.mean()),
        "from_utc": format_utc(series.t_utc[0]),
        "to_utc": format_utc(series.t_utc[-1]),
        "duration_s": series.duration_s,
        "bad_rows": series.bad_rows,
        "gaps": series.gaps,
        "gap_s": series.gap_s,
        "clock_jumps": series.clock_jumps,
        "issues": list(series.issues),
        "rtt_s": {"p5": p5, "p50": p50, "p95": p95},
    }


def slot_structure(series: Series) -> dict[str, Any]:
    """Return how the RTT keeps to slots of 15 s that begin at seconds 12, 27, 42 and 57.

    A step is the difference of the medians of 3.75 s after and before an instant.  Null where the
    series is too thin or too short to say.
    """
    answered = series.answered
    t_utc, rtt_s = series.t_utc[answered], series.rtt_s[answered]
    steps = [steps_s(t_utc, rtt_s, float(phase_s)) for phase_s in PHASES_S]
    means = np.array([each.mean() if each.size else np.nan for each in steps])
    at_start = _median(steps[0])
    in_middle = _median(steps[int(np.argmin(np.abs(PHASES_S - MIDDLE_S)))])
    slots, start = np.unique(utc_slots(t_utc), return_index=True)
    medians = np.array([np.median(each) for each in np.split(rtt_s, start[1:])])
    return {
        "count": int(slots.size),
        "boundary_step_s": at_start,
        "mid_slot_step_s": in_middle,
        "step_ratio": at_start / in_middle if at_start is not None and in_middle else None,
        "peak_phase_s": None if np.isnan(means).all() else float(PHASES_S[np.nanargmax(means)]),
        "between_share": _between_share(rtt_s, start),
        "lag1": _lag1(slots, medians),
    }


def steps_s(t_utc: TimeArray, rtt_s: FloatArray, phase_s: float) -> FloatArray:
    """Return the size of each step of the RTT at a phase of the slots, (B,).

    `rtt_s` (M,) are answered packets at rising times.
    """
    # Only slots with packets, and those that follow one: a wrong date may lie decades away.
    slots = np.unique(utc_slots(t_utc))
    at_ns = np.union1d(slots, slots + 1) * SLOT_NS + round((12.0 + phase_s) * 1e9)
    window_ns = round(WINDOW_S * 1e9)
    edges_ns = at_ns[:, None] + np.array([-window_ns, 0, window_ns])
    edges = np.searchsorted(t_utc.astype("datetime64[ns]").astype(np.int64), edges_ns)
    spacing_s = float(np.median(np.diff(t_utc)) / np.timedelta64(1, "s"))
    least = max(WINDOW_PACKETS, WINDOW_SHARE * WINDOW_S / spacing_s) if spacing_s else np.inf
    return np.array(
        [
            abs(_middle(rtt_s[at:after]) - _middle(rtt_s[before:at]))
            for before, at, after in edges.tolist()
            if min(at - before, after - at) >= least
        ]
    )


def _middle(values: FloatArray) -> float:
    """Return the median of a few values, which NumPy takes some ten times longer to start on."""
    ordered = np.sort(values)
    return float(0.5 * (ordered[(ordered.size - 1) // 2] + ordered[ordered.size // 2]))


def _median(values: FloatArray) -> float | None:
    return float(np.median(values)) if values.size else None


def _between_share(rtt_s: FloatArray, start: NDArray[np.int64]) -> float:
    """Return the share of the variance that lies between slots."""
    total = float(((rtt_s - rtt_s.mean()) ** 2).sum())
    count = np.diff(np.append(start, rtt_s.size))
    means_s = np.add.reduceat(rtt_s, start) / count
    between = float((count * (means_s - rtt_s.mean()) ** 2).sum())
    return between / total if total else 0.0


def _lag1(slots: NDArray[np.int64], medians_s: FloatArray) -> float | None:
    """Return the correlation of the medians of neighbouring slots."""
    is_next = np.diff(slots) == 1
    before, after = medians_s[:-1][is_next], medians_s[1:][is_next]
    if before.size < 3 or not before.std() or not after.std():
        return None
    return float(np.corrcoef(before, after)[0, 1])


def _scored(packets: SlotPackets, model: DelayModel, geometry_rtt_s: float) -> dict[str, Any]:
    """Return a period's model beside the packets, each slot counting the same."""
    levels = np.array([0.05, 0.5, 0.95])
    measured_s = packets.quantiles_s(levels)
    predicted_s = geometry_rtt_s + model.extra_quantiles_s(levels)
    median_s = float(predicted_s[1])
    at_s = np.unique(np.quantile(packets.rtt_s, np.linspace(0.0, 1.0, LAW_POINTS)))
    share = extra_cdf(model.law, at_s - geometry_rtt_s)
    return {
        "measured_rtt_s": _named(measured_s),
        "predicted_rtt_s": _named(predicted_s),
        "relative_error": _named(predicted_s / measured_s - 1.0),
        "ks": ks_distance(packets, lambda rtt_s: np.interp(rtt_s, at_s, share)),
        "constant": {  # the baseline: every packet has the predicted median
            "rtt_s": median_s,
            "relative_error": _named(median_s / measured_s - 1.0),
            "ks": ks_distance(packets, lambda rtt_s: (rtt_s >= median_s).astype(np.float64)),
        },
    }


def _named(values: FloatArray) -> dict[str, float]:
    return dict(zip(("p5", "p50", "p95"), values.tolist(), strict=True))


def ks_distance(packets: SlotPackets, cdf: Callable[[FloatArray], FloatArray]) -> float:
    """Return the largest distance of a law's shares from the measured ones (Kolmogorov-Smirnov)."""
    order = np.argsort(packets.rtt_s, kind="stable")
    rtt_s, share = packets.rtt_s[order], np.cumsum(packets.weight[order])
    share /= share[-1]
    is_last = np.append(rtt_s[1:] != rtt_s[:-1], True)  # measured RTTs are rounded: many are equal
    above, law = share[is_last], cdf(rtt_s[is_last])
    below, law_below = np.append(0.0, above[:-1]), cdf(np.nextafter(rtt_s[is_last], 0.0))
    return float(max(np.abs(above - law).max(), np.abs(law_below - below).max()))


def _sampled(series: Series, model: DelayModel, geometry_rtt_s: float, seed: int) -> dict[str, Any]:
    """Return the slots of a series drawn from the model at the times of the measured one."""
    rtt_s = packet_rtt_s(model, geometry_rtt_s, series.t_utc, seed=seed, terminal_id="measured")
    drawn = replace(series, rtt_s=np.where(series.lost, np.nan, rtt_s))
    return slot_structure(drawn) | {"seed": seed}
