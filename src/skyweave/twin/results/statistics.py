"""Statistics of a run, gathered chunk by chunk without keeping its rows.

Memory grows with terminals times gateways, not with slots: two bytes per terminal and gateway or
PoP in runs of up to 65,535 slots.  Round-trip times and what they are made of wait in temporary
files of 8 and 10 bytes per terminal-slot, read back a block at a time, so all percentiles are exact
at any size.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyweave.kernels import kernel
from skyweave.policy.reasons import REASONS
from skyweave.twin.results.chunk import AccessChunk, RunLabels
from skyweave.twin.results.events import Changes
from skyweave.twin.results.outages import Attribution, AttributionStore
from skyweave.twin.results.slot_file import SlotFile

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Counts = NDArray[np.unsignedinteger]  # no wider than the run's number of slots asks for

BLOCK_SAMPLES = 2**22  # RTTs read from the temporary file at a time
BIN_S = 1e-5  # of the counts that find where in a fleet's RTTs a percentile lies
LAST_BIN_S = 4.0  # later RTTs count into the last bin
PARTS = ("access_s", "isl_s", "feeder_s", "fibre_s")


@dataclass(frozen=True)
class RunStatistics:
    """What a whole run amounts to.  S terminals, T slots, R reasons, G gateways, P PoPs.

    Percentiles interpolate linearly between ranks and see served slots only; NaN where nothing was
    served.  The longest outage is the first of the longest; its reason is the one that holds in
    most of its slots (at a tie the first in `REASONS`).
    """

    slots: int
    slot_s: float
    served_slots: IntArray  # (S,)
    reason_slots: IntArray  # (S, R) slots out, by reason
    outages: IntArray  # (S,) unbroken runs of slots without service
    longest_outage_slots: IntArray  # (S,)
    longest_outage_start: IntArray  # (S,) slot, -1 = never out
    longest_outage_reason: IntArray  # (S,) number in REASONS, -1 = never out
    handovers: IntArray  # (S,)
    isl_slots: IntArray  # (S,) served over at least one laser link
    gateway_slots: Counts  # (S, G) slots served through each gateway
    pop_slots: Counts  # (S, P)
    rtt_p50_s: FloatArray  # (S,)
    rtt_p95_s: FloatArray  # (S,)
    slot_served: IntArray  # (T,) terminals served
    slot_handovers: IntArray  # (T,)
    slot_rtt_s: FloatArray  # (T, 3) p5, p50, p95 over the terminals served
    rtt_s: FloatArray  # (3,) p5, p50, p95 over all served terminal-slots
    mean_parts_s: dict[str, float]  # means over all served terminal-slots; the rest is processing
    attribution: Attribution  # why terminal-slots were out or degraded
    lost_slots: IntArray | None = (
        None  # (S,) slots out that had service in what it is compared with
    )

    @property
    def served_share(self) -> float:
        """Served terminal-slots as a share of all, NaN without terminals."""
        return _ratio(int(self.served_slots.sum()), self.served_slots.size * self.slots)

    @property
    def handovers_per_hour(self) -> float:
        """Handovers per hour of service, over all terminals; NaN when nobody was served."""
        return _ratio(int(self.handovers.sum()), self.served_slots.sum() * self.slot_s / 3600.0)


class StatisticsBuilder:
    """Takes the changes of consecutive groups of slots and adds them up."""

    def __init__(self, labels: RunLabels, folder: Path) -> None:
        terminals, slots = labels.terminals, labels.slots
        self._labels = labels
        self._rtts = _RttStore(folder, slots, terminals)
        self._whys = AttributionStore(labels, folder)
        self._outages = _OutageLengths(terminals)
        count = np.uint16 if slots < 2**16 else np.uint32
        self._reason_slots = np.zeros((terminals, len(REASONS)), dtype=count)
        self._started = np.zeros(terminals, dtype=np.int64)
        self._handovers = np.zeros(terminals, dtype=np.int64)
        self._isl_slots = np.zeros(terminals, dtype=np.int64)
        self._gateway_slots = np.zeros((terminals, labels.gateway_id.size), dtype=count)
        self._pop_slots = np.zeros((terminals, labels.pop_id.size), dtype=count)
        self._slot_served = np.zeros(slots, dtype=np.int64)
        self._slot_handovers = np.zeros(slots, dtype=np.int64)
        self._slot_rtt_s = np.full((slots, 3), np.nan)
        self._part_sums_s = dict.fromkeys((*PARTS, "processing_s"), 0.0)

    def add(self, changes: Changes) -> None:
        """Count the next slots."""
        chunk = changes.chunk
        served = chunk.is_served
        rows = slice(chunk.first_slot, chunk.first_slot + chunk.slots)
        _count(
            *(chunk.reason, chunk.gateway, chunk.pop),
            *(self._reason_slots, self._gateway_slots, self._pop_slots),
        )
        self._isl_slots += (served & (chunk.isl_hops > 0)).sum(axis=0)
        self._started += changes.outage_start.sum(axis=0)
        self._handovers += changes.handover.sum(axis=0)
        self._outages.add(chunk)
        self._slot_served[rows] = served.sum(axis=1)
        self._slot_handovers[rows] = changes.handover.sum(axis=1)
        self._slot_rtt_s[rows] = percentiles(chunk.rtt_s.T, (5, 50, 95)).T
        self._rtts.add(chunk.rtt_s)
        self._whys.add(chunk)
        rest_s = chunk.rtt_s[served]
        for name in PARTS:
            part_s = getattr(chunk, name)[served]
            self._part_sums_s[name] += float(np.sum(part_s))
            rest_s = rest_s - part_s
        self._part_sums_s["processing_s"] += float(np.sum(rest_s))

    def finish(self) -> RunStatistics:
        """Return the statistics of everything added."""
        served_slots = self._labels.slots - self._reason_slots.sum(axis=1, dtype=np.int64)
        p50_s, p95_s = self._rtts.terminal_percentiles((50, 95))
        samples = int(served_slots.sum())
        return RunStatistics(
            slots=self._labels.slots,
            slot_s=self._labels.slot_s,
            served_slots=served_slots,
            reason_slots=self._reason_slots,
            outages=self._started,
            longest_outage_slots=self._outages.longest,
            longest_outage_start=self._outages.longest_start,
            longest_outage_reason=self._outages.longest_reason,
            handovers=self._handovers,
            isl_slots=self._isl_slots,
            gateway_slots=self._gateway_slots,
            pop_slots=self._pop_slots,
            rtt_p50_s=p50_s,
            rtt_p95_s=p95_s,
            slot_served=self._slot_served,
            slot_handovers=self._slot_handovers,
            slot_rtt_s=self._slot_rtt_s,
            rtt_s=self._rtts.fleet_percentiles((5, 50, 95), samples),
            mean_parts_s={k: _ratio(v, samples) for k, v in self._part_sums_s.items()},
            attribution=self._whys.finish(self._rtts, _fullest(self._pop_slots)),
        )

    def close(self) -> None:
        """Drop the temporary files."""
        self._rtts.close()
        self._whys.close()


class _OutageLengths:
    """Each terminal's current outage and its longest so far."""

    def __init__(self, terminals: int) -> None:
        self._slots = np.zeros(terminals, dtype=np.int64)  # of the outage under way
        self._reasons = np.zeros((terminals, len(REASONS)), dtype=np.int32)  # its slots by reason
        self.longest = np.zeros(terminals, dtype=np.int64)
        self.longest_start = np.full(terminals, -1, dtype=np.int64)
        self.longest_reason = np.full(terminals, -1, dtype=np.int64)

    def add(self, chunk: AccessChunk) -> None:
        under_way = (self._slots, self._reasons)
        longest = (self.longest, self.longest_start, self.longest_reason)
        _measure_outages(chunk.reason, chunk.first_slot, *under_way, *longest)


@kernel()
def _count(
    reason: NDArray[np.int16],
    gateway: NDArray[np.int32],
    pop: NDArray[np.int32],
    reason_slots: Counts,
    gateway_slots: Counts,
    pop_slots: Counts,
) -> None:
    """Add each terminal-slot (K, S) to its reason, or to its gateway and PoP where served."""
    for k in range(reason.shape[0]):
        for s in range(reason.shape[1]):
            if reason[k, s] >= 0:
                reason_slots[s, reason[k, s]] += 1
            else:
                gateway_slots[s, gateway[k, s]] += 1
                pop_slots[s, pop[k, s]] += 1


@kernel()
def _measure_outages(
    reason: NDArray[np.int16],
    first_slot: int,
    slots: IntArray,
    reasons: NDArray[np.int32],
    longest: IntArray,
    longest_start: IntArray,
    longest_reason: IntArray,
) -> None:
    """Carry each terminal's outage through slots (K, S), and note it where it is the longest."""
    for k in range(reason.shape[0]):
        for s in range(reason.shape[1]):
            if reason[k, s] < 0:
                if slots[s] > 0:
                    slots[s] = 0
                    reasons[s] = 0
                continue
            slots[s] += 1
            reasons[s, reason[k, s]] += 1
            if slots[s] > longest[s]:
                longest[s] = slots[s]
                longest_start[s] = first_slot + k + 1 - slots[s]
                longest_reason[s] = reasons[s].argmax()


class _RttStore(SlotFile):
    """Every RTT of the run, (slots, terminals) float64 in a temporary file, in slot order."""

    def __init__(self, folder: Path, slots: int, terminals: int) -> None:
        super().__init__(folder, slots, terminals, np.float64)

    def terminal_percentiles(self, percents: tuple[float, ...]) -> FloatArray:
        """Percentiles of each terminal's RTTs, (len(percents), S)."""
        result = np.full((len(percents), self.shape[1]), np.nan)
        for block, rtt_s in self.columns(BLOCK_SAMPLES):
            result[:, block] = percentiles(rtt_s, percents)
        return result

    def fleet_percentiles(self, percents: tuple[float, ...], samples: int) -> FloatArray:
        """Percentiles over all RTTs, (len(percents),); `samples` is how many are not NaN."""
        if samples == 0:
            return np.full(len(percents), np.nan)
        rank = np.array(percents) / 100.0 * (samples - 1)
        low = np.floor(rank).astype(np.int64)
        floor, above = self._at_ranks(np.stack([low, np.minimum(low + 1, samples - 1)]))
        result: FloatArray = floor + (above - floor) * (rank - low)
        return result

    def _at_ranks(self, ranks: IntArray) -> FloatArray:
        """The RTTs at these places in ascending order, found without sorting them all."""
        counts = np.zeros(round(LAST_BIN_S / BIN_S), dtype=np.int64)
        for rtt_s in self._blocks():
            counts += np.bincount(_bins(rtt_s), minlength=counts.size)
        ends = np.cumsum(counts)
        wanted = np.searchsorted(ends, ranks, side="right")
        bins = np.unique(wanted)
        is_wanted = np.zeros(counts.size, dtype=bool)
        is_wanted[bins] = True
        near_s = np.sort(np.concatenate([b[is_wanted[_bins(b)]] for b in self._blocks()]))
        # `near_s` lacks all RTTs of the bins in between: count how many lie below each bin in it.
        first = (ends - counts)[wanted]
        kept_below = (np.cumsum(counts[bins]) - counts[bins])[np.searchsorted(bins, wanted)]
        found: FloatArray = near_s[ranks - first + kept_below]
        return found

    def _blocks(self) -> Iterator[FloatArray]:
        """All RTTs that are not NaN, some slots at a time."""
        for rtt_s in self.rows(BLOCK_SAMPLES):
            yield rtt_s[~np.isnan(rtt_s)]


def _bins(rtt_s: FloatArray) -> IntArray:
    return np.minimum((rtt_s / BIN_S).astype(np.int64), round(LAST_BIN_S / BIN_S) - 1)


def percentiles(values: FloatArray, percents: tuple[float, ...]) -> FloatArray:
    """Percentiles of each column of (T, S) past its NaNs, (len(percents), S); NaN where all are."""
    if values.shape[0] == 0:
        return np.full((len(percents), values.shape[1]), np.nan)
    ordered = np.sort(values, axis=0)  # NaN last
    last = np.maximum((~np.isnan(ordered)).sum(axis=0) - 1, 0)
    rank = np.array(percents)[:, None] / 100.0 * last
    low = np.floor(rank).astype(np.int64)
    column = np.arange(values.shape[1])
    floor = ordered[low, column]
    step = ordered[np.minimum(low + 1, last), column] - floor
    result: FloatArray = floor + step * (rank - low)
    return result


def _fullest(counts: Counts) -> IntArray:
    """The fullest column of each row of (S, P), the first at a tie; -1 where there is none."""
    if counts.shape[1] == 0:
        return np.full(counts.shape[0], -1, dtype=np.int64)
    return np.asarray(counts.argmax(axis=1), dtype=np.int64)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
