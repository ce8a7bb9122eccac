"""What a real dish's round trip has beyond geometry: floor, slot offset, packet scatter, gaps."""

from skyweave.twin.delay.model import LATEST, DelayModel, delay_model, delay_periods, model_from
from skyweave.twin.delay.quantiles import (
    DelayLaw,
    extra_cdf,
    extra_quantiles_s,
    slot_median_quantiles_s,
)
from skyweave.twin.delay.samples import (
    Gaps,
    packet_rtt_s,
    slot_extra_s,
    slot_offset_s,
    switch_gaps,
    utc_slots,
)

__all__ = [
    "LATEST",
    "DelayLaw",
    "DelayModel",
    "Gaps",
    "delay_model",
    "delay_periods",
    "extra_cdf",
    "extra_quantiles_s",
    "model_from",
    "packet_rtt_s",
    "slot_extra_s",
    "slot_median_quantiles_s",
    "slot_offset_s",
    "switch_gaps",
    "utc_slots",
]
