"""Delays drawn from a model: each is a hash of what it belongs to, never of what came before.

A slot's offset depends on seed, period, terminal and slot alone, a packet's scatter on these and
the packet's send time: slots and packets may be computed in any pieces and any order.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from skyweave.errors import InputError
from skyweave.seeds import hashed_uniform, named_key, text_keys
from skyweave.twin.delay.model import DelayModel
from skyweave.twin.delay.quantiles import FloatArray

SLOT_NS = 15_000_000_000
FIRST_SLOT_NS = 12_000_000_000  # slots begin at seconds 12, 27, 42 and 57 of UTC
# Frames of the shared channel: 750 in a second (Humphreys et al. 2023); send times of 15-ms pings
# repeat with 55 of them, and RTTs of 2023-09 cluster on multiples of four.
FRAME_S = 1.0 / 750.0
HANDOVER_GAP, POP_CHANGE_GAP = "handover_gap", "pop_change_gap"

TimeArray = NDArray[np.datetime64]
SlotArray = NDArray[np.int64]


def utc_slots(utc: TimeArray) -> SlotArray:
    """Return the number of the 15-s slot that contains each instant, counted from 1970."""
    return (_nanoseconds(utc) - FIRST_SLOT_NS) // SLOT_NS


def slot_offset_s(
    model: DelayModel, seed: int, slots: ArrayLike, terminal_id: ArrayLike
) -> FloatArray:
    """Return what each slot adds to every packet of each terminal, (K, S).

    `slots` (K,) are numbers as `utc_slots` gives them, `terminal_id` (S,) the terminals' names or,
    to spare hashing them again, the `seeds.text_keys` of these.
    Slots are drawn independently: measured medians of neighbouring slots correlate by 0.1 to 0.2.
    """
    key = _key(model, seed, "slot")
    slot, terminal = np.atleast_1d(slots)[:, None], np.atleast_1d(_terminal_keys(terminal_id))
    uniform = hashed_uniform(key, terminal, slot)
    law = model.law
    is_slow = uniform < law.slow_share
    usual = np.where(is_slow, 0.5, (uniform - law.slow_share) / (1.0 - law.slow_share))
    offset_s = law.slot_scale_s * _gamma(law.slot_shape, usual)
    if law.slow_share:
        slow_s = -law.slow_mean_s * np.log(uniform[is_slow] / law.slow_share)
        offset_s[is_slow] = slow_s
    return offset_s


def slot_extra_s(
    model: DelayModel, seed: int, slots: ArrayLike, terminal_id: ArrayLike
) -> FloatArray:
    """Return the median round trip beyond geometry of each slot and terminal, (K, S)."""
    offset_s = slot_offset_s(model, seed, slots, terminal_id)
    return np.asarray(model.floor_s + model.median_packet_s + offset_s)


@dataclass(frozen=True, eq=False)
class Gaps:
    """Stretches of time in which every packet is lost, each with its cause."""

    start_utc: TimeArray  # (G,) rising
    length_s: FloatArray  # (G,)
    cause: NDArray[np.str_]  # (G,) HANDOVER_GAP or POP_CHANGE_GAP

    def index(self, utc: TimeArray) -> SlotArray:
        """Return which gap each instant lies in, -1 for none, (M,)."""
        if not self.start_utc.size:
            return np.full(utc.shape, -1)
        last = np.searchsorted(self.start_utc, utc, side="right") - 1
        since_ns = _nanoseconds(utc) - _nanoseconds(self.start_utc)[last]
        is_inside = (last >= 0) & (since_ns < np.rint(1e9 * self.length_s[last]))
        return np.where(is_inside, last, -1)


def switch_gaps(
    model: DelayModel, start_utc: TimeArray, satellite: ArrayLike, pop: ArrayLike
) -> Gaps:
    """Return the gaps at the start of slots that another satellite or another PoP serves.

    `start_utc` (K,), `satellite` and `pop` (K,) belong to consecutive slots; -1 is none, and where
    service begins or ends there is an outage of its own and no gap beside it.  A change of PoP
    hides that of the satellite.
    """
    sat_changes, pop_changes = _changes(satellite), _changes(pop)
    at = np.flatnonzero(sat_changes | pop_changes)
    is_pop = pop_changes[at]
    return Gaps(
        start_utc=np.asarray(start_utc)[at],
        length_s=np.where(is_pop, model.pop_change_gap_s, model.handover_gap_s),
        cause=np.where(is_pop, POP_CHANGE_GAP, HANDOVER_GAP),
    )


def packet_rtt_s(
    model: DelayModel,
    geometry_rtt_s: ArrayLike,
    sent_utc: TimeArray,
    *,
    seed: int,
    terminal_id: str,
    gaps: Gaps | None = None,
    comb: bool = False,
) -> FloatArray:
    """Return the round trip of each packet that a terminal sends, NaN where it is lost, (M,).

    `geometry_rtt_s` (M,), or one for all, is propagation there and back at the send times
    `sent_utc` (M,), NaN where there is no path.  With `comb` what a packet has beyond geometry
    lies on a grid of `FRAME_S` whose phase is drawn anew in each slot.  After a change of PoP the
    RTT stays raised to the end of the slot.  Losses other than in `gaps` are not modelled.
    """
    sent_utc = np.asarray(sent_utc)
    slots = utc_slots(sent_utc)
    numbers, of_packet = np.unique(slots, return_inverse=True)
    name = text_keys(terminal_id)
    uniform = hashed_uniform(_key(model, seed, "packet"), name, _nanoseconds(sent_utc))
    extra_s = model.floor_s + model.law.packet_scale_s * _gamma(model.law.packet_shape, uniform)
    extra_s += slot_offset_s(model, seed, numbers, terminal_id)[of_packet, 0]
    if gaps is not None:
        changed = utc_slots(gaps.start_utc[gaps.cause == POP_CHANGE_GAP])
        raised = hashed_uniform(_key(model, seed, "pop change"), name, slots)
        extra_s -= model.pop_change_rise_s * np.log(raised) * np.isin(slots, changed)
    if comb:
        phase_s = FRAME_S * hashed_uniform(_key(model, seed, "comb"), name, slots)
        extra_s = phase_s + FRAME_S * np.rint((extra_s - phase_s) / FRAME_S)
    rtt_s = np.broadcast_to(np.asarray(geometry_rtt_s, np.float64), sent_utc.shape) + extra_s
    return rtt_s if gaps is None else np.where(gaps.index(sent_utc) >= 0, np.nan, rtt_s)


def _key(model: DelayModel, seed: int, use: str) -> np.uint64:
    return named_key(seed, "delay", model.period, use)


def _terminal_keys(terminal_id: ArrayLike) -> NDArray[np.uint64]:
    ids = np.asarray(terminal_id)
    return ids if ids.dtype == np.uint64 else text_keys(ids)


def _changes(number: ArrayLike) -> NDArray[np.bool_]:
    """Return where a row number differs from the one before, both known, (K,)."""
    number = np.asarray(number)
    now, before = number[1:], number[:-1]
    return np.append(False, (now != before) & (now >= 0) & (before >= 0))[: number.size]


def _nanoseconds(utc: TimeArray) -> SlotArray:
    if np.isnat(utc).any():
        raise InputError("an instant is missing (NaT); give every slot and packet its UTC")
    return utc.astype("datetime64[ns]").astype(np.int64)


def _gamma(shape: float, uniform: FloatArray) -> FloatArray:
    """Return the Gamma quantiles, of scale 1, at probabilities in (0, 1).

    Read off a table, which is some 20 times faster than solving for each and differs by less than
    1e-4 of the scale (a microsecond or two).
    """
    levels, quantiles = _gamma_table(shape)
    return np.interp(uniform, levels, quantiles)


@cache
def _gamma_table(shape: float) -> tuple[FloatArray, FloatArray]:
    tail = np.geomspace(2.0**-54, 0.02, 2000)
    levels = np.concatenate((tail[:-1], np.linspace(0.02, 0.98, 8001), 1.0 - tail[-2::-1]))
    levels = np.unique(levels[levels < 1.0])
    return levels, gammaincinv(shape, levels)
