"""Outages and slow slots: one reason for each, what lies behind it, and how sure it is.

A terminal-slot is as usual, out or degraded.  Out has its `Reason`.  Degraded is served with an RTT
of more than `DEGRADED_S` over the terminal's own median of the run, so a place that is always far
from its gateway is not; its `Degradation` is the part of the RTT that grew most over the
terminal's own median of that part.  Every reason belongs to one coarse `Cause`.

Confidence is low where the answer hangs on orbital elements that are more than `OLD_DAYS` from
their epoch: then a satellite may be tens of kilometres from where it is computed, and one at the
edge of what a dish sees may serve or not.  A served slot hangs on the elements of the satellite
that serves, one without service on those of its operator's fleet in the middle case.
"""

from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.kernels import kernel
from skyweave.policy.reasons import REASONS, SERVED, Reason
from skyweave.twin.results.chunk import AccessChunk, RunLabels
from skyweave.twin.results.slot_file import SlotFile

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Codes = NDArray[np.int8]

DEGRADED_S = 0.020  # over a terminal's median RTT: one frame of a voice codec arrives too late
OLD_DAYS = 2.0  # elements 4 days apart differ by 47 km in the middle case, by 266 km in one of ten
AS_USUAL = SERVED  # the code of a terminal-slot that is neither out nor degraded
BLOCK_SAMPLES = 2**20  # terminal-slots attributed at a time
STEP_S = 1e-5  # in which parts of an RTT wait; more than 0.65 s counts as that


class Cause(StrEnum):
    """What lies behind a reason, coarsely."""

    ORBIT = "orbit"  # where satellites are, and whether they work
    OBSTRUCTION = "obstruction"
    GATEWAY = "gateway"  # gateways, PoPs and the ways to them
    CAPACITY = "capacity"
    POLICY = "policy"
    OPERATOR_CORE = "operator_core"
    UNKNOWN = "unknown"


class Degradation(StrEnum):
    """Why a served slot was slower than usual for its terminal; `.text` says it for people."""

    OTHER_POP = "other_pop"
    LASER_DETOUR = "laser_detour"
    FAR_GATEWAY = "far_gateway"
    FAR_SATELLITE = "far_satellite"
    SLOW_SLOT = "slow_slot"

    @property
    def text(self) -> str:
        """One line of plain English, without a full stop."""
        return _TEXT[self]


_TEXT = {
    Degradation.OTHER_POP: "the signal met the internet at another place than it mostly does",
    Degradation.LASER_DETOUR: "the signal took a longer way over laser links between satellites",
    Degradation.FAR_GATEWAY: "the gateway lay farther from where the signal meets the internet",
    Degradation.FAR_SATELLITE: "the way up to the satellite and down to the gateway was longer",
    Degradation.SLOW_SLOT: "the network answered late in this slot, though the way was no longer",
}

DEGRADATIONS: tuple[Degradation, ...] = tuple(Degradation)
WHYS: tuple[Reason | Degradation, ...] = (*REASONS, *DEGRADATIONS)  # code = place in here
FIRST_DEGRADED = len(REASONS)

_CAUSE: dict[Reason | Degradation, Cause] = {
    Reason.NO_SATELLITE_IN_VIEW: Cause.ORBIT,
    Reason.GSO_ARC: Cause.ORBIT,
    Reason.FIELD_OF_VIEW: Cause.ORBIT,
    Reason.SATELLITE_FAILED: Cause.ORBIT,
    Reason.OBSTRUCTED: Cause.OBSTRUCTION,
    Reason.NO_GATEWAY_PATH: Cause.GATEWAY,
    Reason.GATEWAY_FAILED: Cause.GATEWAY,
    Reason.POP_FAILED: Cause.GATEWAY,
    Reason.GATEWAY_ANTENNAS_BUSY: Cause.CAPACITY,
    Reason.NO_BEAM_FREE: Cause.CAPACITY,
    Reason.CORE_FAILED: Cause.OPERATOR_CORE,
    Reason.NO_VALID_EPHEMERIS: Cause.UNKNOWN,
    Reason.POSITION_UNKNOWN: Cause.UNKNOWN,
    Reason.NO_ACTIVE_ACCOUNT: Cause.POLICY,
    Reason.TOO_FAR_FROM_SERVICE_ADDRESS: Cause.POLICY,
    Reason.IN_OCEAN: Cause.POLICY,
    Reason.BLOCKED_COUNTRY: Cause.POLICY,
    Reason.DATA_OVERAGE_SANDBOX_POLICY: Cause.POLICY,
    Reason.CELL_IS_DISABLED: Cause.POLICY,
    Reason.ROAM_RESTRICTED: Cause.POLICY,
    Reason.UNKNOWN_LOCATION: Cause.POLICY,
    Reason.ACCOUNT_DISABLED: Cause.POLICY,
    Reason.UNSUPPORTED_VERSION: Cause.POLICY,
    Reason.MOVING_TOO_FAST_FOR_POLICY: Cause.POLICY,
    Reason.UNDER_AVIATION_FLYOVER_LIMITS: Cause.POLICY,
    Reason.BLOCKED_AREA: Cause.POLICY,
    Degradation.OTHER_POP: Cause.GATEWAY,
    Degradation.LASER_DETOUR: Cause.GATEWAY,
    Degradation.FAR_GATEWAY: Cause.GATEWAY,
    Degradation.FAR_SATELLITE: Cause.ORBIT,
    Degradation.SLOW_SLOT: Cause.UNKNOWN,
}

# Whatever the satellites' places, these hold.
_SURE = frozenset({Cause.POLICY, Cause.OPERATOR_CORE, Cause.UNKNOWN})


def cause_of(why: Reason | Degradation) -> Cause:
    """Return the coarse cause behind a reason."""
    return _CAUSE[why]


def why_named(name: str) -> Reason | Degradation:
    """Return the reason or degradation of a name, as tables and documents write it."""
    return Reason(name) if name in set(Reason) else Degradation(name)


class Attribution(NamedTuple):
    """Terminal-slots that were out or degraded by why: one row per entry of `WHYS`, (W,)."""

    slots: IntArray
    terminals: IntArray  # that had any
    longest_slots: IntArray  # the longest unbroken run of such slots of a terminal
    unsure_slots: IntArray  # those of low confidence


class Parts(NamedTuple):
    """What RTTs of served slots were made of: (T, S) each, seconds of both directions."""

    isl_s: FloatArray
    fibre_s: FloatArray
    radio_s: FloatArray  # up to the satellite and down to the gateway


def why_codes(
    reason: NDArray[np.signedinteger], rtt_s: FloatArray, parts: Parts, is_other_pop: BoolArray
) -> Codes:
    """Return the place in `WHYS` of each terminal-slot's reason, (T, S); `AS_USUAL` where none.

    `reason` (T, S) is as in `AccessChunk`; `is_other_pop` (T, S) marks slots that went through
    another PoP than most of the terminal's.  `rtt_s` is NaN where out, and the arrays must hold
    the whole run: the usual is the median over its slots.
    """
    codes = reason.astype(np.int8)
    is_late = rtt_s - _usual_s(rtt_s) > DEGRADED_S  # False where NaN
    late = np.flatnonzero(is_late.any(axis=0))
    if late.size:
        own = is_late[:, late]
        found = _degradations(rtt_s[:, late], _columns(parts, late), is_other_pop[:, late])
        codes[:, late] = np.where(own, FIRST_DEGRADED + found, codes[:, late])
    return codes


def _usual_s(values_s: FloatArray) -> FloatArray:
    """The median of each column past its NaNs, (S,); NaN of a column that has nothing else."""
    ordered = np.sort(values_s, axis=0)  # NaN last
    served = (~np.isnan(ordered)).sum(axis=0)
    column, last = np.arange(ordered.shape[1]), np.maximum(served - 1, 0)
    middle: FloatArray = 0.5 * (ordered[last // 2, column] + ordered[(last + 1) // 2, column])
    return middle


def _columns(parts: Parts, columns: IntArray) -> Parts:
    return Parts(*(part_s[:, columns] for part_s in parts))


def _degradations(rtt_s: FloatArray, parts: Parts, is_other_pop: BoolArray) -> Codes:
    """Which degradation each slot would be if it is late: the place in `DEGRADATIONS`, (T, S)."""
    is_served = np.isfinite(rtt_s)
    rest_s = rtt_s - sum(parts)
    excess_s = []
    for part_s in (*parts, rest_s):
        known_s = np.where(is_served, part_s, np.nan)
        excess_s.append(np.nan_to_num(known_s - _usual_s(known_s)))
    # An other PoP lengthens fibre and lasers together, so it is judged by both.
    isl_s, fibre_s, radio_s, rest_s = excess_s
    is_pop = is_other_pop & (isl_s + fibre_s > np.maximum(radio_s, rest_s))
    grew = np.argmax(np.stack(excess_s), axis=0) + DEGRADATIONS.index(Degradation.LASER_DETOUR)
    codes: Codes = np.where(is_pop, DEGRADATIONS.index(Degradation.OTHER_POP), grew).astype(np.int8)
    return codes


def has_old_elements(labels: RunLabels, chunk: AccessChunk) -> BoolArray:
    """Return which terminal-slots hang on elements more than `OLD_DAYS` from their epoch, (K, S).

    Satellites whose elements have no age, such as made shells, are never old.
    """
    is_old = np.zeros(chunk.reason.shape, dtype=np.bool_)
    if labels.element_age_days.size == 0:
        return is_old
    slot = np.arange(chunk.first_slot, chunk.first_slot + chunk.slots, dtype=np.float64)
    slot_days: FloatArray = slot * (labels.slot_s / 86_400.0)
    age_days = np.append(labels.element_age_days, np.nan)[chunk.sat] + slot_days[:, None]
    of_fleet = _fleet_age_days(labels, slot_days)
    hangs_on_fleet = ~chunk.is_served & ~_SURE_REASONS[chunk.reason]
    age_days = np.where(hangs_on_fleet, of_fleet, age_days)
    return np.asarray(np.abs(age_days) > OLD_DAYS)


_SURE_REASONS = np.array([_CAUSE[reason] in _SURE for reason in REASONS])


def _fleet_age_days(labels: RunLabels, slot_days: FloatArray) -> FloatArray:
    """The median distance from epoch of the satellites of each terminal's operator, (K, S)."""
    age_days = np.full((slot_days.size, labels.terminals), np.nan)
    for name in np.unique(labels.terminal_operator):
        is_own = labels.sat_operator == name if labels.sat_operator.size else np.bool_(True)
        own_days = labels.element_age_days[is_own & np.isfinite(labels.element_age_days)]
        if own_days.size:
            middle = [np.median(np.abs(own_days + past)) for past in slot_days]
            age_days[:, labels.terminal_operator == name] = np.array(middle)[:, None]
    return age_days


_KEPT = np.dtype(
    [
        ("reason", np.int8),
        ("is_old", np.bool_),
        ("pop", np.int16),
        *((name, np.uint16) for name in Parts._fields),
    ]
)


class AttributionStore:
    """Keeps, in a temporary file, what the attribution of a run asks of every terminal-slot."""

    def __init__(self, labels: RunLabels, folder: Path) -> None:
        self._labels = labels
        self._file = SlotFile(folder, labels.slots, labels.terminals, _KEPT)

    def add(self, chunk: AccessChunk) -> None:
        """Keep the next slots."""
        kept = np.empty(chunk.reason.shape, _KEPT)
        kept["reason"], kept["pop"] = chunk.reason, chunk.pop
        kept["is_old"] = has_old_elements(self._labels, chunk)
        for name, part_s in parts_of(chunk)._asdict().items():
            steps = np.round(np.nan_to_num(part_s) / STEP_S)
            kept[name] = np.clip(steps, 0, np.iinfo(np.uint16).max)
        self._file.add(kept)

    def close(self) -> None:
        """Drop the temporary file."""
        self._file.close()

    def finish(self, rtts: SlotFile, main_pop: IntArray) -> Attribution:
        """Return the attribution of the whole run.

        `rtts` holds every RTT, (slots, terminals); `main_pop` (S,) is the PoP that each terminal
        used most.
        """
        tally = Attribution(*np.zeros((4, len(WHYS)), dtype=np.int64))
        for block, rtt_s, kept in self._blocks(rtts):
            parts = Parts(*(kept[name] * STEP_S for name in Parts._fields))
            is_other_pop = kept["pop"] != main_pop[block]
            codes = why_codes(kept["reason"], rtt_s, parts, is_other_pop)
            count_whys(codes, np.ascontiguousarray(kept["is_old"]), *tally)
        return tally

    def _blocks(self, rtts: SlotFile) -> Iterator[tuple[slice, FloatArray, NDArray[Any]]]:
        pairs = zip(rtts.columns(BLOCK_SAMPLES), self._file.columns(BLOCK_SAMPLES), strict=True)
        for (block, rtt_s), (_, kept) in pairs:
            yield block, rtt_s, kept


def parts_of(chunk: AccessChunk) -> Parts:
    """Return the parts of a chunk's RTTs, (K, S) each; NaN where out."""
    return Parts(chunk.isl_s, chunk.fibre_s, chunk.access_s + chunk.feeder_s)


@kernel()
def count_whys(
    codes: Codes,
    is_old: BoolArray,
    slots: IntArray,
    terminals: IntArray,
    longest_slots: IntArray,
    unsure_slots: IntArray,
) -> None:
    """Add the codes of some terminals in all slots (T, S) to the counts of each code, (W,)."""
    for s in range(codes.shape[1]):
        seen = np.zeros(slots.size, np.bool_)
        length = 0  # of the spell under way
        for k in range(codes.shape[0]):
            code = codes[k, s]
            length = length + 1 if k and code == codes[k - 1, s] else 1
            if code < 0:
                continue
            slots[code] += 1
            unsure_slots[code] += is_old[k, s]
            longest_slots[code] = max(longest_slots[code], length)
            if not seen[code]:
                seen[code] = True
                terminals[code] += 1


def attribution_rows(
    found: Attribution, slots: int, terminals: int, slot_s: float
) -> list[dict[str, Any]]:
    """Return the attribution of a run of T `slots` as rows: out first, then by time, most first."""
    is_degraded = np.arange(len(WHYS)) >= FIRST_DEGRADED
    rows = []
    for code in np.lexsort((-found.slots, is_degraded)):
        if found.slots[code] == 0:
            continue
        unsure = found.unsure_slots[code] / found.slots[code]
        rows.append(
            {
                "state": "degraded" if is_degraded[code] else "out",
                "reason": str(WHYS[code]),
                "cause": str(_CAUSE[WHYS[code]]),
                "terminal_slots": int(found.slots[code]),
                "share": round(float(found.slots[code]) / (slots * terminals), 9),
                "longest_s": float(found.longest_slots[code]) * slot_s,
                "terminals": int(found.terminals[code]),
                "confidence": "low" if unsure > 0.5 else "high",
                "low_confidence_share": round(float(unsure), 9),
            }
        )
    return rows
