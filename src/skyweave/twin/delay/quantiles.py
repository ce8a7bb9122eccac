"""The law of a dish's delay over geometry: floor, slot offset and packet scatter added up.

A slot offset is Gamma distributed; with probability `slow_share` the slot is *slow* and its offset
is exponential with mean `slow_mean_s` instead.  A packet's scatter is Gamma distributed.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammainc, gammaincinv

FloatArray = NDArray[np.float64]

NODES = 48  # of the offsets of usual slots; 200 move no quantile by more than 1 %
SLOW_NODES = 16  # of those of slow slots
_HALVINGS = 40  # of an interval below 2 s: to 2e-12 s
_ALMOST_ALL = 0.9999


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
    """Return quantiles of packets' delay over geometry."""
    offset_s, _ = _offset_nodes(law)
    scatter_s = law.packet_scale_s * gammaincinv(law.packet_shape, _ALMOST_ALL)
    most_s = law.floor_s + float(offset_s.max()) + scatter_s
    return _inverse(lambda extra_s: extra_cdf(law, extra_s), levels, law.floor_s, most_s)


def slot_median_quantiles_s(law: DelayLaw, levels: ArrayLike) -> FloatArray:
    """Return quantiles, over slots, of the median delay over geometry within a slot."""
    most_s = law.slot_scale_s * gammaincinv(law.slot_shape, _ALMOST_ALL)
    most_s = max(most_s, -law.slow_mean_s * np.log(1.0 - _ALMOST_ALL))
    offset_s = _inverse(lambda s: slot_offset_cdf(law, s), levels, 0.0, most_s)
    return np.asarray(law.floor_s + law.median_packet_s + offset_s)


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


def _inverse(
    cdf: Callable[[FloatArray], FloatArray], levels: ArrayLike, least: float, most: float
) -> FloatArray:
    """Return where a rising function reaches each level, by halving."""
    levels = np.asarray(levels, np.float64)
    low, high = np.full(levels.shape, least), np.full(levels.shape, most)
    for _ in range(_HALVINGS):
        middle = 0.5 * (low + high)
        is_below = cdf(middle) < levels
        low, high = np.where(is_below, middle, low), np.where(is_below, high, middle)
    return np.asarray(0.5 * (low + high))
