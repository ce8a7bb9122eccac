"""The delay of real dishes by period: parameters fitted to dated measurements, with their errors.

What was fitted on which data stands in `data/delay_model.json`, which `make calibrate` writes.  No
parameter is timeless: the median over geometry fell from 33 to 15 ms between 2023 and 2026.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from skyweave.errors import InputError
from skyweave.twin.delay.quantiles import DelayLaw, FloatArray, extra_quantiles_s

LATEST = "2026-09"


@dataclass(frozen=True)
class DelayModel:
    """What the dishes of one period have beyond geometry."""

    period: str
    law: DelayLaw
    handover_gap_s: float  # during which packets are lost when the satellite changes
    pop_change_gap_s: float  # the same when the PoP changes
    pop_change_rise_s: float  # mean by which RTT then stays raised to the end of the slot
    facts: Mapping[str, Any]  # date, data, what was fitted, standard errors: the file's own words

    @property
    def floor_s(self) -> float:
        """What every packet has over geometry at least."""
        return self.law.floor_s

    @property
    def median_packet_s(self) -> float:
        """Median scatter of a packet within its slot."""
        return self.law.median_packet_s

    @property
    def median_extra_s(self) -> float:
        """Median over all packets of the round trip beyond geometry."""
        return float(self.extra_quantiles_s(0.5))

    def extra_quantiles_s(self, levels: float | FloatArray) -> FloatArray:
        """Return quantiles of the round trip beyond geometry, over all packets of all slots."""
        return extra_quantiles_s(self.law, np.asarray(levels))


def delay_periods() -> tuple[str, ...]:
    """Return the periods that have parameters, the earliest first."""
    return tuple(sorted(_document()["periods"]))


@cache
def delay_model(period: str = LATEST) -> DelayModel:
    """Return the model of a period."""
    periods = _document()["periods"]
    if period not in periods:
        known = ", ".join(f'"{name}"' for name in sorted(periods))
        raise InputError(f'delay period "{period}": not known; take one of {known}')
    return model_from(period, periods[period])


def model_from(period: str, facts: Mapping[str, Any]) -> DelayModel:
    """Return the model that a period's part of the document describes."""
    values = facts["parameters"]
    law = DelayLaw(*(float(values[name]) for name in DelayLaw._fields))
    return DelayModel(
        period=period,
        law=law,
        handover_gap_s=float(values["handover_gap_s"]),
        pop_change_gap_s=float(values["pop_change_gap_s"]),
        pop_change_rise_s=float(values["pop_change_rise_s"]),
        facts=facts,
    )


@cache
def _document() -> dict[str, Any]:
    text = files("skyweave.data").joinpath("delay_model.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document
