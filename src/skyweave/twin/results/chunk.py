"""What the pipeline hands to the results: labels once, then chunks of slots in order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.policy.reasons import REASONS, SERVED
from skyweave.twin.topology.changes import LinkChanges

FloatArray = NDArray[np.float64]
Names = NDArray[np.str_]


@dataclass(frozen=True)
class RunLabels:
    """The names behind the row numbers of a run's arrays; "" where a text is not known.

    S terminals, N satellites, G gateways, P points of presence, each of all operators in order: two
    operators that share a list of gateways have rows of their own, told apart by the operator.  No
    field holds an exact position of a terminal: `cell` is its H3 resolution 5 cell (`cells_of`),
    "" for one that moves.
    """

    epoch_utc: np.datetime64  # start of slot 0
    slot_s: float
    slots: int  # of the whole run
    terminal_id: Names  # (S,)
    terminal_name: Names  # (S,)
    terminal_class: Names  # (S,) hardware
    service_class: Names  # (S,)
    account: Names  # (S,)
    country: Names  # (S,) ISO 3166 alpha-2
    sponsor: Names  # (S,)
    terminal_operator: Names  # (S,) whose network serves it
    cell: Names  # (S,)
    norad_id: NDArray[np.int64]  # (N,)
    gateway_id: Names  # (G,)
    gateway_name: Names  # (G,)
    gateway_country: Names  # (G,) ISO 3166 alpha-2
    gateway_operator: Names  # (G,)
    gateway_lat_deg: FloatArray  # (G,)
    gateway_lon_deg: FloatArray  # (G,)
    pop_id: Names  # (P,)
    pop_city: Names  # (P,)
    pop_country: Names  # (P,) ISO 3166 alpha-2
    pop_operator: Names  # (P,)
    pop_lat_deg: FloatArray  # (P,)
    pop_lon_deg: FloatArray  # (P,)
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)  # more of the fleet's columns
    # (N,) slot 0 minus the epoch of each satellite's elements, NaN where they have no age, as of
    # made shells; () where nobody asks how sure the run is
    element_age_days: FloatArray = field(default_factory=lambda: np.empty(0))
    sat_operator: Names = field(default_factory=lambda: np.empty(0, np.str_))  # (N,); () = one's

    @property
    def terminals(self) -> int:
        """Number of terminals, S."""
        return int(self.terminal_id.size)

    def utc(self, slot: NDArray[np.int64]) -> NDArray[np.datetime64]:
        """Return the starts of slots as datetime64[us]."""
        t_us = np.round(slot * (self.slot_s * 1e6)).astype("timedelta64[us]")
        utc: NDArray[np.datetime64] = self.epoch_utc.astype("datetime64[us]") + t_us
        return utc


@dataclass(frozen=True)
class AccessChunk:
    """K consecutive slots of all S terminals: every array has shape (K, S).

    `links` are the changes of the laser links in these slots, where the run keeps them.

    Served is `reason == -1`; then satellite, gateway, PoP and RTT are known.  Out is the number of
    a reason in `REASONS`; then `rtt_s` and its parts are NaN (an outage is never an RTT of 0).
    Geometry is that of the slot's start.  The four RTT parts count both directions; with the run's
    processing of the slot they sum to `rtt_s`.
    """

    first_slot: int
    reason: NDArray[np.int16]  # -1 = served
    sat: NDArray[np.int32]  # row of the serving satellite, -1 = none
    elevation_deg: FloatArray  # NaN = none
    azimuth_deg: FloatArray  # 0 = north, 90 = east
    range_m: FloatArray
    gateway: NDArray[np.int32]  # row, -1 = none
    pop: NDArray[np.int32]  # row, -1 = none
    isl_hops: NDArray[np.int16]  # laser links on the path, 0 = bent pipe, -1 = no path
    rtt_s: FloatArray
    access_s: FloatArray
    isl_s: FloatArray
    feeder_s: FloatArray
    fibre_s: FloatArray
    links: tuple[LinkChanges, ...] = ()

    @property
    def slots(self) -> int:
        """Number of slots in this chunk, K."""
        return int(self.reason.shape[0])

    @property
    def is_served(self) -> NDArray[np.bool_]:
        """True where a terminal has service, (K, S)."""
        return np.equal(self.reason, SERVED)

    def part(self, start: int, stop: int) -> "AccessChunk":
        """Return slots start to stop - 1 of this chunk, counted from its first."""
        cut = {name: getattr(self, name)[start:stop] for name in ARRAYS}
        first, end = self.first_slot + start, self.first_slot + stop
        links = tuple(each for each in self.links if first <= each.slot < end)
        return AccessChunk(first_slot=first, links=links, **cut)

    def check(self, labels: RunLabels, next_slot: int) -> None:
        """Refuse a chunk that is out of order, of another shape, or that contradicts itself."""
        if self.first_slot != next_slot:
            raise InputError(f"chunk starts at slot {self.first_slot}; pass slot {next_slot} next")
        if self.first_slot + self.slots > labels.slots:
            last = self.first_slot + self.slots - 1
            raise InputError(f"chunk reaches slot {last}, but the run has {labels.slots} slots")
        expected = (self.slots, labels.terminals)
        for name in ARRAYS:
            if getattr(self, name).shape != expected:
                found = getattr(self, name).shape
                raise InputError(f"chunk.{name} has shape {found}; pass (K, S) = {expected}")
        self._check_values()
        self._check_rows(labels)

    def _check_rows(self, labels: RunLabels) -> None:
        sizes = {"sat": labels.norad_id, "gateway": labels.gateway_id, "pop": labels.pop_id}
        for name, of in sizes.items():
            rows = getattr(self, name)
            if rows.size and not -1 <= rows.min() <= rows.max() < of.size:
                found = f"{rows.min()}..{rows.max()}"
                raise InputError(f"chunk.{name} holds rows {found}; pass -1..{of.size - 1}")

    def _check_values(self) -> None:
        if self.reason.size and not -1 <= self.reason.min() <= self.reason.max() < len(REASONS):
            raise InputError(f"chunk.reason leaves -1..{len(REASONS) - 1}; use Reason.number")
        served = self.is_served
        known = (self.rtt_s > 0.0) & (self.sat >= 0) & (self.gateway >= 0) & (self.pop >= 0)
        if not known[served].all():
            raise InputError("chunk: a served terminal lacks a satellite, gateway, PoP or RTT")
        if not np.isnan(self.rtt_s[~served]).all():
            raise InputError("chunk: a terminal that is out has an RTT; pass NaN there")


ARRAYS = tuple(f.name for f in fields(AccessChunk) if f.name not in ("first_slot", "links"))


def join(chunks: Sequence[AccessChunk]) -> AccessChunk:
    """Return consecutive chunks as one, its arrays C-contiguous."""
    arrays = {name: np.concatenate([getattr(c, name) for c in chunks]) for name in ARRAYS}
    links = tuple(chain.from_iterable(chunk.links for chunk in chunks))
    return AccessChunk(first_slot=chunks[0].first_slot, links=links, **arrays)
