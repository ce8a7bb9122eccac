"""Fits the delay model to measured series, and says how well one half foretells the other.

The fit matches quantiles of all packets and of slot medians by least squares in their logarithms;
median and 95 % of all packets, which users read, weigh most.  Each slot weighs the same, however
many packets were sent in it: the 2023-09 series pauses 5 s in every 10 after its first 20 minutes.
Geometry is one number, as the dish's path is not known slot by slot.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from skyweave.errors import InputError
from skyweave.realism.series import Series, read_series
from skyweave.time import format_utc
from skyweave.twin.delay.quantiles import (
    DelayLaw,
    FloatArray,
    extra_quantiles_s,
    slot_median_quantiles_s,
)
from skyweave.twin.delay.samples import utc_slots

GEOMETRY_RTT_S = 0.0102  # median of propagation there and back, of sampled paths of both series
MIN_SLOT_PACKETS = 20  # a median of fewer says little
MIN_SLOTS = 10
LEVELS = np.array([0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95])
_MEDIAN, _HIGH = 3, 6  # of the levels
_WEIGHT = np.array([1.0, 1.0, 1.0, 4.0, 1.0, 1.0, 4.0])
_SHAPES = (0.5, 1.2, 2.0)  # of the slot offset, from which the search starts
_LOW = np.array([0.0, np.log(0.2), np.log(5e-4), np.log(0.3), np.log(5e-4)])  # seconds
_TOP = np.array([0.06, np.log(10.0), np.log(0.2), np.log(10.0), np.log(0.2)])
_LOW_SLOW, _TOP_SLOW = np.array([-5.0, np.log(0.01)]), np.array([0.0, np.log(0.3)])
_STEP = 2e-2  # for slopes: quantiles are those of many nodes, too coarse for smaller steps
RESAMPLES = 60  # of slots, for standard errors
POP_CHANGE_GAP_S = 1.0  # assumed: the literature tells a handover's, which is shorter
COUNTRY_CONSTANT_S = 0.0153  # median p50 of 41 countries served by bent pipe, over geometry

# Where the series that `calibrate_delay` fits lie in the reference folder.
_SERIES = "measurements/{}"
_MMSYS24 = _SERIES.format("mmsys24_2023-09/no-isl-ping-gw-seattle-230911-170535-0.1s-60min.txt.gz")
_LEOVIZ = _SERIES.format("leoviz_2025-05-29/ping-10ms-2025-05-29-23-20-13.txt.gz")

BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SlotPackets:
    """The answered packets of the slots that have enough: M packets of K slots, in slot order."""

    slot: NDArray[np.int64]  # (K,) numbers as `utc_slots` gives them
    start: NDArray[np.int64]  # (K + 1,) packets of slot k are rows start[k]:start[k + 1]
    rtt_s: FloatArray  # (M,)

    @property
    def median_s(self) -> FloatArray:
        """Median RTT of each slot, (K,)."""
        return np.array([np.median(packets_s) for packets_s in self.by_slot()])

    @property
    def weight(self) -> FloatArray:
        """What each packet counts, so that all slots count the same, (M,)."""
        counts = np.diff(self.start)
        return np.repeat(1.0 / counts, counts)

    def by_slot(self) -> list[FloatArray]:
        """Return the packets of each slot."""
        return np.split(self.rtt_s, self.start[1:-1])

    def quantiles_s(self, levels: FloatArray) -> FloatArray:
        """Return quantiles of all packets, each slot counting the same."""
        order = np.argsort(self.rtt_s)
        share = np.cumsum(self.weight[order])
        return np.asarray(self.rtt_s[order][np.searchsorted(share, levels * share[-1])])

    def taken(self, rows: NDArray[np.int64]) -> "SlotPackets":
        """Return the slots of the given rows, which may repeat."""
        packets = self.by_slot()
        chosen = [packets[row] for row in rows.tolist()]
        start = np.concatenate(([0], np.cumsum([len(each) for each in chosen])))
        return SlotPackets(self.slot[rows], start, np.concatenate(chosen))


def slot_packets(
    series: Series, where: BoolArray | None = None, *, least: int = MIN_SLOT_PACKETS
) -> SlotPackets:
    """Return a series' answered packets by slot, of those rows alone that `where` (M,) names.

    Slots with fewer than `least` are left out.
    """
    keep = series.answered if where is None else series.answered & where
    slot, rtt_s = utc_slots(series.t_utc[keep]), series.rtt_s[keep]
    _, of_packet, count = np.unique(slot, return_inverse=True, return_counts=True)
    enough = count[of_packet] >= least
    numbers, counts = np.unique(slot[enough], return_counts=True)
    if numbers.size < MIN_SLOTS:
        raise InputError(
            f"{series.source}: {numbers.size} slots of 15 s have {least} answered packets, at "
            f"least {MIN_SLOTS} are needed; measure longer, or ping more often"
        )
    start = np.concatenate(([0], np.cumsum(counts)))
    return SlotPackets(numbers, start, rtt_s[enough])


def fit_law(
    packets: SlotPackets,
    *,
    geometry_rtt_s: float = GEOMETRY_RTT_S,
    slow_slots: bool = False,
    near: DelayLaw | None = None,
) -> DelayLaw:
    """Return the law that comes closest to the packets of some slots.

    With `slow_slots` a share of slots has an exponential offset: a dish that moves or stands behind
    trees has them.  `near` starts the search at a law instead of at several shapes.
    """
    packets_s, medians_s = packets.quantiles_s(LEVELS), np.quantile(packets.median_s, LEVELS)

    def misfit(point: FloatArray) -> FloatArray:
        law = _law(point)
        of_packets = (extra_quantiles_s(law, LEVELS) + geometry_rtt_s) / packets_s
        of_medians = (slot_median_quantiles_s(law, LEVELS) + geometry_rtt_s) / medians_s
        return np.concatenate((_WEIGHT * np.log(of_packets), np.log(of_medians)))

    starts = _starts(packets_s - geometry_rtt_s, slow_slots) if near is None else [_point(near)]
    low = np.concatenate((_LOW, _LOW_SLOW)) if slow_slots else _LOW
    top = np.concatenate((_TOP, _TOP_SLOW)) if slow_slots else _TOP
    scale = np.where(np.arange(low.size) == 0, 0.005, 1.0)
    found = [
        least_squares(
            misfit, np.clip(start, low + 1e-6, top - 1e-6), bounds=(low, top), x_scale=scale,
            jac=lambda point: _slopes(misfit, point, _STEP * scale), ftol=1e-6, xtol=1e-5,
        )
        for start in starts
    ]  # fmt: skip
    return _law(min(found, key=lambda each: float(each.cost)).x)


def _starts(extra_s: FloatArray, slow_slots: bool) -> list[FloatArray]:
    median_s = float(max(extra_s[_MEDIAN], 2e-3))
    floor_s = float(max(extra_s[0] - 0.003, 1e-3))
    tail = [-2.2, np.log(0.06)] if slow_slots else []
    return [
        np.array([floor_s, *np.log([shape, median_s / 3.0 / shape, 1.1, median_s / 2.0]), *tail])
        for shape in _SHAPES
    ]


def _slopes(
    misfit: Callable[[FloatArray], FloatArray], point: FloatArray, step: FloatArray
) -> FloatArray:
    """Return the slopes of the misfit along each coordinate, (residuals, coordinates)."""
    here = misfit(point)
    moved = point + np.diag(step)
    return np.stack([(misfit(at) - here) / h for at, h in zip(moved, step, strict=True)], axis=1)


def _law(point: FloatArray) -> DelayLaw:
    """Return the law at a point of the search: logarithms, and the logit of a share."""
    law = DelayLaw(float(point[0]), *np.exp(point[1:5]).tolist())
    if point.size == 5:
        return law
    share = 1.0 / (1.0 + np.exp(-point[5]))
    return law._replace(slow_share=float(share), slow_mean_s=float(np.exp(point[6])))


def _point(law: DelayLaw) -> FloatArray:
    point = [law.floor_s, *np.log(law[1:5])]
    if law.slow_share:
        point += [np.log(law.slow_share / (1.0 - law.slow_share)), np.log(law.slow_mean_s)]
    return np.array(point)


def halves(series: Series) -> tuple[SlotPackets, SlotPackets]:
    """Return the packets of the first and of the second half of a series' time."""
    middle = series.t_utc[0] + (series.t_utc[-1] - series.t_utc[0]) / 2
    first = utc_slots(series.t_utc) < utc_slots(np.array([middle]))[0]
    return slot_packets(series, first), slot_packets(series, ~first)


def half_errors(series: Series, *, slow_slots: bool = False) -> dict[str, dict[str, float]]:
    """Return the relative errors of p50 and p95 in each half, by a law fitted to the other.

    Beside them what the other half's own quantiles would err by: the trace drifts, and no model of
    one half can foretell that.
    """
    first, second = halves(series)
    pairs = {"first_to_second": (first, second), "second_to_first": (second, first)}
    return {
        name: _errors(fit_law(fitted, slow_slots=slow_slots), fitted, scored)
        for name, (fitted, scored) in pairs.items()
    }


def _errors(law: DelayLaw, fitted: SlotPackets, scored: SlotPackets) -> dict[str, float]:
    levels = LEVELS[[_MEDIAN, _HIGH]]
    measured_s = scored.quantiles_s(levels)
    by_law = (extra_quantiles_s(law, levels) + GEOMETRY_RTT_S) / measured_s - 1.0
    by_drift = fitted.quantiles_s(levels) / measured_s - 1.0
    return {
        "p50": float(by_law[0]),
        "p95": float(by_law[1]),
        "drift_p50": float(by_drift[0]),
        "drift_p95": float(by_drift[1]),
    }


def handover_gap_s(series: Series) -> tuple[float, float]:
    """Return the mean time of loss that a slot's start adds, and its standard error over slots.

    Losses within a second of a slot's start count beyond those of the slot's middle, in which
    nothing is switched.
    """
    slot = utc_slots(series.t_utc)
    phase_s = (series.t_utc - slot_start_utc(slot)) / np.timedelta64(1, "s")
    lost_s = series.lost * float(np.median(np.diff(series.t_utc)) / np.timedelta64(1, "s"))
    is_start, is_middle = (phase_s < 1.0) | (phase_s >= 14.0), (phase_s >= 2.0) & (phase_s < 13.0)
    _, of_packet = np.unique(slot, return_inverse=True)
    excess_s = np.bincount(of_packet, lost_s * is_start) - 2.0 / 11.0 * np.bincount(
        of_packet, lost_s * is_middle
    )
    return float(excess_s.mean()), float(excess_s.std(ddof=1) / np.sqrt(excess_s.size))


def slot_start_utc(slot: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Return when slots begin whose numbers `utc_slots` gave."""
    return (slot * 15 + 12).astype("datetime64[s]").astype("datetime64[ns]")


def calibrate_delay(
    reference_folder: Path,
    *,
    resamples: int = RESAMPLES,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the document `data/delay_model.json`, fitted to the reference data anew."""
    progress("delay: 2023-09")
    mmsys24 = read_series(reference_folder / _MMSYS24)
    of_2023 = _fitted(mmsys24, _DATA_2023, False, resamples)
    progress("delay: 2025-05")
    leoviz = read_series(reference_folder / _LEOVIZ)
    of_2025 = _fitted(leoviz, _DATA_2025, True, resamples)
    rise_s = of_2025["parameters"]["slow_mean_s"]
    for fitted in (of_2023, of_2025):
        fitted["parameters"] |= {"pop_change_gap_s": POP_CHANGE_GAP_S, "pop_change_rise_s": rise_s}
    return {
        "format": 1,
        "made_by": "skyweave.realism.delay_fit.calibrate_delay (make calibrate)",
        "law": "RTT = geometry + floor + slot offset (Gamma; exponential in slow slots) + packet "
        "scatter (Gamma)",
        "gaps": "handover_gap_s: measured excess of losses around slot starts, below a second as "
        "the literature has it; pop_change_gap_s and pop_change_rise_s: assumed, not fitted. After "
        "a change of PoP the literature has raised RTTs for multiples of 15 s (here one slot) "
        "and gives no size: that of the slow slots of 2025-05 is taken",
        "periods": {
            "2023-09": of_2023,
            "2025-05": of_2025,
            "2026-09": _scaled_to_countries(of_2025),
        },
    }


_DATA_2023 = (
    "10-Hz pings of a fixed dish to its gateway near Seattle, 2023-09-11, no laser links "
    "(mmsys24-starlink-livestreaming-data)"
)
_DATA_2025 = "10-Hz pings of a dish on a moving vehicle, 2025-05-29, 15 % lost (LEOViz)"


def _fitted(series: Series, data: str, slow_slots: bool, resamples: int) -> dict[str, Any]:
    packets = slot_packets(series)
    law = fit_law(packets, slow_slots=slow_slots)
    gap_s, gap_error_s = handover_gap_s(series)
    gap_s = max(gap_s, 0.0)
    law_error = _standard_errors(packets, law, slow_slots, resamples)
    return {
        "data": data,
        "from_utc": format_utc(series.t_utc[0].astype("datetime64[s]")),
        "to_utc": format_utc(series.t_utc[-1].astype("datetime64[s]")),
        "slots": int(packets.slot.size),
        "packets": int(packets.rtt_s.size),
        "sha256": series.sha256,
        "fitted": "every parameter but those of a change of PoP, on all slots of this one series",
        "geometry_rtt_s": GEOMETRY_RTT_S,
        "parameters": _rounded({**law._asdict(), "handover_gap_s": gap_s}),
        "standard_error": _rounded({**law_error, "handover_gap_s": gap_error_s}),
        "half_to_half": {
            name: _rounded(errors)
            for name, errors in half_errors(series, slow_slots=slow_slots).items()
        },
    }


def _standard_errors(
    packets: SlotPackets, law: DelayLaw, slow_slots: bool, resamples: int
) -> dict[str, float]:
    """Return the spread of each parameter over series of slots drawn again with replacement."""
    rng, slots = np.random.default_rng(0), packets.slot.size
    drawn = [
        fit_law(packets.taken(rng.integers(0, slots, slots)), slow_slots=slow_slots, near=law)
        for _ in range(resamples)
    ]
    errors = np.std(np.array(drawn), axis=0, ddof=1)
    return dict(zip(DelayLaw._fields, errors.tolist(), strict=True))


def _scaled_to_countries(of_2025: dict[str, Any]) -> dict[str, Any]:
    """Return 2026-09: the shape of 2025-05, without its slow slots, at the countries' median."""
    values = of_2025["parameters"]
    law = DelayLaw(*(values[name] for name in DelayLaw._fields))._replace(
        slow_share=0.0, slow_mean_s=0.0
    )
    factor = COUNTRY_CONSTANT_S / float(extra_quantiles_s(law, 0.5))
    scaled = law.scaled(factor)
    return {
        "data": "country medians of the operator's metrics page, residential, 2026-09: 41 "
        "countries served by bent pipe",
        "fitted": "one number, the median of p50 less geometry; the shape is that of 2025-05 "
        f"times {factor:.3f}, without the slow slots of its moving dish, and is fitted on no data "
        "of 2026",
        "median_extra_s": COUNTRY_CONSTANT_S,
        "parameters": _rounded(
            {
                **scaled._asdict(),
                "handover_gap_s": values["handover_gap_s"],
                "pop_change_gap_s": POP_CHANGE_GAP_S,
                "pop_change_rise_s": factor * values["pop_change_rise_s"],
            }
        ),
        "standard_error": None,
        "spread": "p20 and p80 of a country lie 3.9 ms above and 2.8 ms below its p50 in the "
        "median country",
    }


def _rounded(values: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.5g}") for name, value in values.items()}
