"""A user's own measured series laid over a run of a scenario: where they agree, and where not.

The run is computed from its first slot to the last one that was measured, with everything that
shares the operator's beams, so each slot is the one that `skyweave run` gives.  A slot's predicted
RTT is the run's; with `delay.model = "dish"` its slot offset is a draw, so distributions can be
compared but not the RTT of a given slot: two thirds of a real dish's RTT are not geometry.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaincinv

from skyweave.errors import InputError
from skyweave.realism.clock import FARTHEST_SHIFT_S, Clock, check_clock
from skyweave.realism.pings import slot_structure
from skyweave.realism.series import Series, read_series
from skyweave.time import format_utc
from skyweave.twin.delay import delay_model
from skyweave.twin.execution import run_slots
from skyweave.twin.results.outages import AS_USUAL, FIRST_DEGRADED, WHYS, Parts, parts_of, why_codes
from skyweave.twin.world import Part, System, World, terminal_row

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Texts = NDArray[np.str_]

PERCENTS = (5, 50, 95)
PERCENT_NAMES = tuple(f"p{percent}" for percent in PERCENTS)
LOST_SLOT_SHARE = 0.5  # of its packets, from which on a slot counts as measured out
LEVELS = (np.arange(100) + 0.5) / 100.0  # of the scatter of packets, which stand for all of them
MOST_NAMES = 5  # terminals named in a note
DIGITS = 9  # of seconds and shares in the document

SLOT_KINDS = (
    "first_slot",
    "after_outage",
    "pop_change",
    "handover",
    "gateway_change",
    "same_satellite",
)
"""What a slot served as usual is by the slot before it; the first that holds."""


@dataclass(frozen=True)
class Prediction:
    """What a run gives one terminal in T consecutive slots."""

    scenario: str
    terminal_id: str
    epoch_utc: np.datetime64  # start of the run's slot 0
    slot_s: float
    first_slot: int
    reason: Texts  # (T,) of `WHYS` where out or degraded, else of `SLOT_KINDS`
    is_out: BoolArray  # (T,)
    norad_id: IntArray  # (T,) -1 = none
    gateway_id: Texts  # (T,) "" = none
    pop_id: Texts  # (T,)
    rtt_s: FloatArray  # (T,) NaN = out
    scatter_s: FloatArray  # (L,) of packets about a slot's RTT, rising, each as likely

    @property
    def slots(self) -> int:
        """Number of slots, T."""
        return int(self.rtt_s.size)

    @property
    def start_utc(self) -> NDArray[np.datetime64]:
        """Starts of the slots and the end of the last, (T + 1,)."""
        slot = self.first_slot + np.arange(self.slots + 1)
        return self.epoch_utc + np.round(slot * self.slot_s * 1e9).astype("timedelta64[ns]")

    def row_at(self, utc: NDArray[np.datetime64]) -> IntArray:
        """Return the slot, counted from `first_slot`, that contains each instant; -1 = none."""
        slot_ns, start_ns = round(self.slot_s * 1e9), self.start_utc[0].astype(np.int64)
        row = (utc.astype("datetime64[ns]").astype(np.int64) - start_ns) // slot_ns
        return np.where((row >= 0) & (row < self.slots), row, -1)


class Measured(NamedTuple):
    """A series by the slots of a prediction."""

    packets: IntArray  # (T,)
    lost: IntArray  # (T,)
    rtt_s: FloatArray  # (T, 3) p5, p50, p95; NaN where nothing was answered


def compare(
    system: System,
    measured: str | Path,
    terminal: str | None = None,
    *,
    read_utc: np.datetime64 | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return a measured file laid over a run of a system, for one terminal, the first by default.

    `read_utc` is when a dish's history was read, for a file that does not tell.
    """
    series = read_series(measured, read_utc=read_utc)
    if len(system.terminals) == 0:
        raise InputError(
            f"{system.scenario.source}: a comparison needs a terminal; add [[terminals]]"
        )
    row = 0 if terminal is None else terminal_row(system, terminal)
    first, stop = measured_slots(system, series)
    found = lay_over(predict(system, row, first, stop, progress), series)
    return found | {"notes": [*_notes(system, row, terminal), *found["notes"], *series.issues]}


def measured_slots(system: System, series: Series) -> tuple[int, int]:
    """Return the first slot of a run that a series reaches and the one after the last.

    Refuses a series that lies outside the run.
    """
    first_utc, last_utc = series.t_utc[0], series.t_utc[-1]
    slot_ns, epoch_ns = round(system.scenario.time.slot_s * 1e9), system.grid.epoch_utc
    spans_ns = (np.array([first_utc, last_utc]) - epoch_ns).astype("timedelta64[ns]")
    first, last = (spans_ns.astype(np.int64) // slot_ns).tolist()
    if last < 0 or first >= system.slots:
        begins, ends = (format_utc(utc) for utc in system.grid.utc[[0, -1]])
        start_utc = first_utc.astype("datetime64[s]")
        length_s = int((last_utc - start_utc) / np.timedelta64(1, "s")) + 1
        raise InputError(
            f"{series.source}: was measured from {_second(first_utc)} to {_second(last_utc)}, but "
            f"{system.scenario.source} runs from {begins} to {ends}; set "
            f"start_utc = {format_utc(start_utc)} and duration_s = {length_s} in [time], with a "
            "catalogue of that date"
        )
    return max(first, 0), min(last + 1, system.slots)


def _second(utc: np.datetime64) -> str:
    return format_utc(utc.astype("datetime64[s]"))


def _notes(system: System, row: int, asked: str | None) -> list[str]:
    """Return what a reader of the comparison should know of the scenario."""
    notes, known = [], system.terminals.terminal_id.tolist()
    if asked is None and len(known) > 1:
        others = ", ".join(known[1 : MOST_NAMES + 1])
        notes.append(f"no terminal was named: the first one is compared; others are {others}")
    part, _ = system.part_of(row)
    if part.world.scenario.delay.model == "geometry":
        notes.append(
            "the scenario has delay.model = geometry, which leaves out what a real dish adds: "
            'expect the prediction to be too low, or set model = "dish" in [delay]'
        )
    else:
        notes.append(
            "slot offsets are drawn, not predicted: compare distributions, not single slots"
        )
    return notes


def predict(
    system: System,
    row: int,
    first: int,
    stop: int,
    progress: Callable[[str], None] = lambda _: None,
) -> Prediction:
    """Return what a run gives terminal `row` of a system in slots first to stop - 1."""
    part, own = system.part_of(row)
    chunks = run_slots(_only_part(system, part, stop), 1, progress)
    columns: dict[str, list[NDArray[Any]]] = {}
    for chunk, _ in chunks:
        found = {name: getattr(chunk, name) for name in ("reason", "sat", "gateway", "pop")}
        found |= {"rtt_s": chunk.rtt_s, **parts_of(chunk)._asdict()}
        for name, values in found.items():
            columns.setdefault(name, []).append(values[:, own].copy())
    had = {name: np.concatenate(pieces) for name, pieces in columns.items()}
    world = part.world
    return Prediction(
        scenario=system.scenario.title or Path(system.scenario.source).stem,
        terminal_id=str(system.terminals.terminal_id[row]),
        epoch_utc=system.grid.epoch_utc,
        slot_s=system.scenario.time.slot_s,
        first_slot=first,
        reason=_reasons(had)[first:],
        is_out=had["reason"][first:] >= 0,
        norad_id=np.append(world.fleet.catalogue.norad_id, -1)[had["sat"][first:]],
        gateway_id=np.append(world.gateways.gateway_id, "")[had["gateway"][first:]],
        pop_id=np.append(world.pops.pop_id, "")[had["pop"][first:]],
        rtt_s=had["rtt_s"][first:],
        scatter_s=_scatter_s(world),
    )


def _only_part(system: System, part: Part, slots: int) -> System:
    """Return a system of one operator and no more than some slots."""
    everyone = np.arange(part.rows.size, dtype=np.int64)
    return replace(
        system,
        grid=system.grid.part(0, slots + 1),
        terminals=system.terminals.take(part.rows),
        parts=(Part(part.world, everyone, part.breakages),),
    )


def _scatter_s(world: World) -> FloatArray:
    """Return how packets of a slot scatter about its median, at `LEVELS`; 0 without a model."""
    delay = world.scenario.delay
    if delay.model == "geometry":
        return np.zeros(1)
    law = delay_model(delay.period).law
    scatter_s: FloatArray = law.packet_scale_s * gammaincinv(law.packet_shape, LEVELS)
    return scatter_s - law.median_packet_s


def _reasons(had: dict[str, NDArray[Any]]) -> Texts:
    """Return the reason or kind of each slot of one terminal, (T,)."""
    parts = Parts(*(had[name][:, None] for name in Parts._fields))
    is_served = had["reason"] < 0
    pops, uses = np.unique(had["pop"][is_served], return_counts=True)
    is_other_pop = had["pop"] != (pops[uses.argmax()] if pops.size else -1)
    codes = why_codes(had["reason"][:, None], had["rtt_s"][:, None], parts, is_other_pop[:, None])
    whys = np.append(np.array([str(why) for why in WHYS]), "")
    return np.where(codes[:, 0] == AS_USUAL, slot_kinds(had), whys[codes[:, 0]])


def slot_kinds(had: dict[str, NDArray[Any]]) -> Texts:
    """Return what each slot is by the slot before, of `SLOT_KINDS`, as if all were served, (T,).

    `had` holds `reason`, `sat`, `gateway` and `pop` of one terminal, (T,) each.
    """
    before = {name: np.append(values[:1], values[:-1]) for name, values in had.items()}
    differs = {name: had[name] != before[name] for name in ("pop", "sat", "gateway")}
    is_first = np.arange(had["reason"].size) == 0
    conditions = [is_first, before["reason"] >= 0, *differs.values()]
    return np.select(conditions, SLOT_KINDS[:-1], SLOT_KINDS[-1])


def lay_over(prediction: Prediction, series: Series) -> dict[str, Any]:
    """Return how a measured series compares with a prediction, as a plain document.

    Percentiles interpolate linearly between ranks.  A residual is a slot's measured median less its
    predicted RTT.  In the document's predicted RTTs over all slots every answered slot counts the
    same.
    """
    row = prediction.row_at(series.t_utc)
    measured = by_slot(row, series.rtt_s, prediction.slots)
    near = _near(series, prediction)
    clock = check_clock(near, prediction.start_utc, prediction.rtt_s)
    residual_s = measured.rtt_s[:, 1] - prediction.rtt_s
    notes = [clock.hint] if clock.hint else []
    return {
        "scenario": prediction.scenario,
        "terminal": prediction.terminal_id,
        "measured": {
            "file": series.source,
            "form": series.form,
            "sha256": series.sha256,
            "from_utc": _second(series.t_utc[0]),
            "to_utc": _second(series.t_utc[-1]),
            "packets": len(series),
            "lost": int(series.lost.sum()),
            "outside_run": int((row < 0).sum()),
            "bad_rows": series.bad_rows,
            "gaps": series.gaps,
            "clock_jumps": series.clock_jumps,
        },
        "slot_s": prediction.slot_s,
        "slot_marks_s": _marks_s(prediction),
        "slots": prediction.slots,
        "slots_not_covered": int((measured.packets == 0).sum()),
        "rtt_s": _all_rtts(prediction, series, row, measured),
        "residual_s": _spread(residual_s),
        "residual_by_reason": _by_reason(prediction, measured, residual_s),
        "loss": _losses(prediction, measured),
        "steps": slot_structure(near) if near.answered.any() else None,
        "clock": _clock(clock),
        "rows": _rows(prediction, measured, residual_s),
        "notes": notes,
    }


def _near(series: Series, prediction: Prediction) -> Series:
    """Return the packets that a shifted clock may have sent in the prediction's slots.

    A single wrong date, decades away, would otherwise spread the series over all the seconds there.
    """
    margin = np.timedelta64(FARTHEST_SHIFT_S, "s")
    begin, end = prediction.start_utc[[0, -1]]
    kept = (series.t_utc >= begin - margin) & (series.t_utc <= end + margin)
    arrays = {name: getattr(series, name)[kept] for name in ("t_utc", "rtt_s", "lost")}
    return replace(series, **arrays)


def by_slot(row: IntArray, rtt_s: FloatArray, slots: int) -> Measured:
    """Return packets (M,) by the slot each lies in, -1 = none; a lost one has an RTT of NaN."""
    inside = row >= 0
    row, rtt_s = row[inside], rtt_s[inside]
    packets = np.bincount(row, minlength=slots)
    order = np.lexsort((rtt_s, row))  # by slot, then by RTT, the lost ones last
    start = np.cumsum(packets) - packets
    answered = np.bincount(row[np.isfinite(rtt_s)], minlength=slots)
    last = np.maximum(answered - 1, 0)[:, None]
    rank = np.array(PERCENTS) / 100.0 * last
    low = np.floor(rank).astype(np.int64)
    ordered_s = np.append(rtt_s[order], np.nan)
    # Slots without any packet look up past the end, at the NaN.
    at = np.where(answered[:, None] > 0, start[:, None] + low, ordered_s.size - 1)
    above = np.where(low < last, at + 1, at)
    percentiles_s = ordered_s[at] + (ordered_s[above] - ordered_s[at]) * (rank - low)
    return Measured(packets, packets - answered, percentiles_s)


def _marks_s(prediction: Prediction) -> list[float]:
    """Return the seconds of the minute at which slots begin: 12, 27, 42 and 57 for real dishes."""
    minute_ns = 60 * 10**9
    starts_ns = prediction.start_utc[:-1].astype(np.int64) % minute_ns
    marks: list[float] = (np.unique(starts_ns) / 1e9).tolist()
    return marks


def _all_rtts(
    prediction: Prediction, series: Series, row: IntArray, measured: Measured
) -> dict[str, Any]:
    """Return percentiles over the slots that are served and were answered."""
    both = np.isfinite(prediction.rtt_s) & np.isfinite(measured.rtt_s[:, 1])
    is_in = np.append(both, False)[row] & np.isfinite(series.rtt_s)
    real_s = _percentiles(series.rtt_s[is_in])
    packets_s = (prediction.rtt_s[both, None] + prediction.scatter_s).ravel()
    predicted_s = _percentiles(packets_s)
    return {
        "slots": int(both.sum()),
        "measured": _named(real_s),
        "predicted": _named(predicted_s),
        "relative_error": _named(predicted_s / real_s - 1.0),
    }


def _by_reason(
    prediction: Prediction, measured: Measured, residual_s: FloatArray
) -> list[dict[str, Any]]:
    """Return the residuals by the prediction's reason, those with most slots first."""
    rows = []
    for reason in np.unique(prediction.reason):
        own = (prediction.reason == reason) & (measured.packets > 0)
        packets = int(measured.packets[own].sum())
        rows.append(
            {
                "reason": str(reason),
                "state": _state(str(reason)),
                "slots": int(own.sum()),
                "packets": packets,
                "loss_share": _rounded(measured.lost[own].sum() / packets if packets else np.nan),
                "residual_s": _spread(residual_s[own]),
            }
        )
    return sorted(rows, key=lambda found: (-found["slots"], found["reason"]))


_WHY_NAMES = [str(why) for why in WHYS]


def _state(reason: str) -> str:
    if reason in SLOT_KINDS:
        return "served"
    return "degraded" if _WHY_NAMES.index(reason) >= FIRST_DEGRADED else "out"


def _losses(prediction: Prediction, measured: Measured) -> dict[str, Any]:
    """Return packets and slots lost in predicted outages and outside."""
    is_covered = measured.packets > 0
    is_lost = is_covered & (measured.lost >= LOST_SLOT_SHARE * measured.packets)
    found = {}
    for name, own in (
        ("predicted_out", prediction.is_out),
        ("predicted_served", ~prediction.is_out),
    ):
        packets, lost = (int(counts[own].sum()) for counts in (measured.packets, measured.lost))
        found[name] = {
            "packets": packets,
            "lost": lost,
            "loss_share": _rounded(lost / packets if packets else np.nan),
            "slots_lost": int((own & is_lost).sum()),
            "slots_answered": int((own & is_covered & ~is_lost).sum()),
        }
    return found


def _clock(clock: Clock) -> dict[str, Any]:
    return {
        "shift_s": clock.shift_s,
        "improvement": _rounded(clock.improvement),
        "largest_step_after_mark_s": clock.largest_step_after_mark_s,
        "hint": clock.hint,
    }


def _rows(
    prediction: Prediction, measured: Measured, residual_s: FloatArray
) -> list[dict[str, Any]]:
    """Return one row per slot, null where there is nothing."""
    rows = []
    for k, start_utc in enumerate(prediction.start_utc[:-1]):
        is_out, reason = bool(prediction.is_out[k]), str(prediction.reason[k])
        packets_s = prediction.rtt_s[k] + prediction.scatter_s
        rows.append(
            {
                "slot": prediction.first_slot + k,
                "slot_start_utc": format_utc(start_utc),
                "state": "out" if is_out else "served",
                "reason": reason,
                "norad_id": None if is_out else int(prediction.norad_id[k]),
                "gateway": None if is_out else str(prediction.gateway_id[k]),
                "pop": None if is_out else str(prediction.pop_id[k]),
                "predicted_rtt_s": _named(_percentiles(packets_s)),
                "measured_rtt_s": _named(measured.rtt_s[k]),
                "residual_s": _rounded(residual_s[k]),
                "packets": int(measured.packets[k]),
                "lost": int(measured.lost[k]),
            }
        )
    return rows


def _spread(values_s: FloatArray) -> dict[str, float | None]:
    """Return percentiles and the mean size of values, past NaNs."""
    known_s = values_s[np.isfinite(values_s)]
    size_s = np.abs(known_s).mean() if known_s.size else np.nan
    return {**_named(_percentiles(known_s)), "mean_size": _rounded(size_s)}


def _percentiles(values_s: FloatArray) -> FloatArray:
    """Return p5, p50, p95, (3,); NaN of nothing."""
    is_known = values_s.size > 0 and bool(np.isfinite(values_s).all())
    return np.percentile(values_s, PERCENTS) if is_known else np.full(len(PERCENTS), np.nan)


def _named(values: FloatArray) -> dict[str, float | None]:
    return dict(zip(PERCENT_NAMES, map(_rounded, values.tolist()), strict=True))


def _rounded(value: float) -> float | None:
    return round(float(value), DIGITS) if np.isfinite(value) else None
