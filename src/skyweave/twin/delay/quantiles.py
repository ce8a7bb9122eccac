"""The law of a dish's delay over geometry: floor, slot offset and packet scatter added up.

A slot offset is Gamma distributed; with probability `slow_share` the slot is *slow* and its offset
is exponential with mean `slow_mean_s` instead.  A packet's scatter is Gamma distributed.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaincinv

FloatArray = NDArray[np.float64]

NODES = 128  # of offsets of usual slots, and of scatters, that stand for equal shares of them
SLOW_NODES = 32  # of offsets of slow slots
_MOST_OFFSET_S = 4.0
_HALVINGS = 32  # of an interval of that length: to 1e-9 s


class DelayLaw(NamedTuple):
    """What a packet's round trip is over its geometry, in seconds where the name says so."""

    floor_s: float
    slot_shape: float
    slot_scale_s: float
    packet_shape: float
    packet_scale_s: float
    slow_share: float = 0.0  # of slots, 0 to 1
    slow_mean_s: float = 0.0

    def scaled(self, factor: float) -> "DelayLaw":
        """Return the law of the same shape with every time multiplied."""
        times = {name: factor * getattr(self, name) for name in self._fields if name[-2:] == "_s"}
        return self._replace(**times)

    @property
    def median_packet_s(self) -> float:
        """Median scatter of a packet."""
        return float(self.packet_scale_s * gammaincinv(self.packet_shape, 0.5))


def slot_offset_cdf(law: DelayLaw, offset_s: ArrayLike) -> FloatArray:
    """Return the share of slots with at most the given offset."""
    offset_s = np.asarray(offset_s, np.float64)
    usual = gammainc(law.slot_shape, np.maximum(offset_s, 0.0) / law.slot_scale_s)
    if not law.slow_share:
        return np.asarray(usual)
    slow = -np.expm1(-np.maximum(offset_s, 0.0) / law.slow_mean_s)
    return np.asarray((1.0 - law.slow_share) * usual + law.slow_share * slow)


def extra_cdf(law: DelayLaw, extra_s: ArrayLike) -> FloatArray:
    """Return the share of packets with at most the given delay over geometry."""
    offset_s, weight = _offset_nodes(law)
    scatter_s = np.asarray(extra_s, np.float64)[..., None] - law.floor_s - offset_s
    share = gammainc(law.packet_shape, np.maximum(scatter_s, 0.0) / law.packet_scale_s)
    return np.asarray(share @ weight)


def extra_quantiles_s(law: DelayLaw, levels: ArrayLike) -> FloatArray:
    """Return quantiles of packets' delay over geometry.

    They are those of the sums of all pairs of an offset and a scatter that stand for equal shares,
    within 0.5 % from 5 to 95 %.
    """
    offset_s, weight = _offset_nodes(law)
    scatter_s = law.packet_scale_s * gammaincinv(law.packet_shape, _centres(NODES))
    sum_s = (offset_s[:, None] + scatter_s).ravel()
    order = np.argsort(sum_s)
    share = np.repeat(weight / NODES, NODES)[order]
    at = np.cumsum(share) - 0.5 * share
    return np.asarray(law.floor_s + np.interp(np.asarray(levels), at, sum_s[order]))


def slot_median_quantiles_s(law: DelayLaw, levels: ArrayLike) -> FloatArray:
    """Return quantiles, over slots, of the median delay over geometry within a slot."""
    levels = np.asarray(levels, np.float64)
    low, high = np.zeros(levels.shape), np.full(levels.shape, _MOST_OFFSET_S)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        is_below = slot_offset_cdf(law, middle) < levels
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray(law.floor_s + law.median_packet_s + 0.5 * (low + high))


def _offset_nodes(law: DelayLaw) -> tuple[FloatArray, FloatArray]:
    """Return offsets that stand for equal shares of usual and of slow slots, and their weights."""
    usual_s = law.slot_scale_s * gammaincinv(law.slot_shape, _centres(NODES))
    usual = np.full(NODES, (1.0 - law.slow_share) / NODES)
    if not law.slow_share:
        return usual_s, usual
    slow_s = -law.slow_mean_s * np.log1p(-_centres(SLOW_NODES))
    slow = np.full(SLOW_NODES, law.slow_share / SLOW_NODES)
    return np.concatenate((usual_s, slow_s)), np.concatenate((usual, slow))


def _centres(count: int) -> FloatArray:
    return np.asarray((np.arange(count) + 0.5) / count)
