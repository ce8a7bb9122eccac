"""Traces of a scenario whose delay is that of real dishes: what packets have, step by step.

Each step of a trace stands for one packet, sent at an instant drawn within it.  It has its slot's
offset and a scatter of its own, and is lost in the gap after a change of satellite or PoP; a gap
shorter than a step thus takes as many steps as it would take packets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import gcd
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.seeds import hashed_uniform, named_key, text_keys
from skyweave.twin.delay import (
    DelayModel,
    Gaps,
    delay_model,
    packet_rtt_s,
    slot_extra_s,
    switch_gaps,
    utc_slots,
)

PACKET_MS = 100  # between the packets of a run's trace, as in the series the model was fitted to

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]


@dataclass(frozen=True)
class DishDelay:
    """The delay of real dishes as a scenario asks for it."""

    model: DelayModel
    comb: bool
    seed: int

    def as_json(self) -> dict[str, Any]:
        """Return what a trace's manifest says of it."""
        period = self.model.period
        return {"model": "dish", "period": period, "comb": self.comb, "seed": self.seed}

    def beyond_geometry_s(self, utc: TimeArray, terminal_id: str) -> FloatArray:
        """Return the median round trip beyond geometry of a run's slots that begin at `utc`."""
        return slot_extra_s(self.model, self.seed, utc_slots(utc), terminal_id)[:, 0]


def dish_delay(section: Mapping[str, Any], seed: int) -> DishDelay | None:
    """Return what a scenario's section `[delay]` asks for, None where geometry is all there is."""
    if section.get("model", "geometry") != "dish":
        return None
    return DishDelay(delay_model(section["period"]), bool(section["comb"]), seed)


def packet_steps(slot_ms: int) -> int:
    """Return into how many steps a slot of a run is divided."""
    return slot_ms // gcd(slot_ms, PACKET_MS)


def step_packets(
    dish: DishDelay, terminal_id: str, step_utc: TimeArray, every_ms: int, gaps: Gaps
) -> tuple[FloatArray, NDArray[np.str_]]:
    """Return what each step's packet has beyond geometry, NaN where lost, and why, (T,) each."""
    key = named_key(dish.seed, "delay", dish.model.period, "step")
    start_ns = step_utc.astype("datetime64[ns]").astype(np.int64)
    within = hashed_uniform(key, text_keys(terminal_id), start_ns)
    sent_ns = start_ns + (within * every_ms * 1e6).astype(np.int64)
    sent_utc = sent_ns.astype("datetime64[ns]")
    extra_s = packet_rtt_s(
        dish.model, 0.0, sent_utc,
        seed=dish.seed, terminal_id=terminal_id, gaps=gaps, comb=dish.comb,
    )  # fmt: skip
    return extra_s, np.append(gaps.cause, "")[gaps.index(sent_utc)]


def gaps_of(
    dish: DishDelay, utc: TimeArray, satellite: Sequence[object], pop: Sequence[object]
) -> Gaps:
    """Return the gaps where satellite or PoP changes at `utc`; None is none."""
    return switch_gaps(dish.model, utc, _numbered(satellite), _numbered(pop))


def _numbered(values: Sequence[object]) -> NDArray[np.int64]:
    """Return a number for each value, -1 for None."""
    number: dict[object, int] = {None: -1}
    return np.array([number.setdefault(value, len(number)) for value in values], dtype=np.int64)
