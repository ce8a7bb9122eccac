"""The access table: what every terminal had in every slot, streamed to disk in slot order.

The pipeline hands over plain arrays for any number of slots at a time; the files do not depend on
how the slots were cut, because they are cut again into groups of one fixed size here.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.twin.results.chunk import AccessChunk, RunLabels, join
from skyweave.twin.results.events import (
    EVENT_SCHEMA,
    REASON_NAMES,
    Changes,
    EventNames,
    changes_between,
    coded,
    event_table,
)
from skyweave.twin.results.failure_events import FailureRecord, with_failures
from skyweave.twin.results.policy import POLICY_FIELDS, PolicyColumns, with_warnings
from skyweave.twin.results.statistics import RunStatistics, StatisticsBuilder
from skyweave.twin.verdicts import Verdicts

__all__ = ["ACCESS_MODES", "AccessChunk", "AccessMode", "AccessWriter", "RunLabels"]

AccessMode = Literal["all", "changes", "none"]
ACCESS_MODES: tuple[AccessMode, ...] = ("all", "changes", "none")

ROWS_PER_GROUP = 2**18  # of a Parquet row group: enough to compress well, little enough to hold
SLOTS_PER_GROUP = 240  # at most: the laser links of some plans change by thousands in every slot

_TEXT_SMALL = pa.dictionary(pa.int8(), pa.string())
_TEXT = pa.dictionary(pa.int32(), pa.string())
ACCESS_SCHEMA = pa.schema(
    [
        pa.field("slot", pa.int32(), nullable=False),
        pa.field("time_utc", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("terminal_id", _TEXT, nullable=False),
        pa.field("state", _TEXT_SMALL, nullable=False),
        pa.field("reason", _TEXT_SMALL),
        pa.field("norad_id", pa.int32()),
        pa.field("elevation_deg", pa.float32()),
        pa.field("azimuth_deg", pa.float32()),
        pa.field("range_m", pa.float64()),
        pa.field("gateway_id", _TEXT),
        pa.field("gateway_country", _TEXT),
        pa.field("pop_id", _TEXT),
        pa.field("isl_hops", pa.int16()),
        pa.field("rtt_s", pa.float64()),
        pa.field("down_bps", pa.float64()),
        pa.field("up_bps", pa.float64()),
    ]
)


class AccessWriter:
    """Streams chunks to `access.parquet` and `events.parquet`, and gathers the run's statistics.

    `access` says which rows of the access table are kept: `all`; `changes`, those of slot 0 and
    those whose state, reason, satellite, gateway or PoP differs from the slot before; or `none`,
    which leaves a table without rows.  Events and statistics always see every slot.

    With `changes` each row holds until the terminal's next one: the last row at or before a slot
    has that slot's `state`, `reason`, `norad_id`, `gateway_id`, `gateway_country` and `pop_id`;
    its other columns are of the moment of the change.  In pandas all rows come back by

        every = pandas.MultiIndex.from_product([range(slots), terminal_ids])
        every = every.to_frame(index=False, name=["slot", "terminal_id"])
        access = access.astype({"terminal_id": every["terminal_id"].dtype})
        pandas.merge_asof(every, access, on="slot", by="terminal_id")

    which unlike `ffill` keeps a null where the row that holds has one.

    A run in which something fails `compares`: each chunk comes with the same slots as they would
    have been, of which only statistics are kept.  `failures` are told among the events.  A run
    that obeys a policy has the columns of its `verdicts` as well, and its warnings as events.

        with AccessWriter(folder, labels) as writer:
            for chunk in chunks:
                writer.write(chunk)
            statistics = writer.finish()
    """

    def __init__(
        self,
        folder: Path,
        labels: RunLabels,
        access: AccessMode = "all",
        compares: bool = False,
        failures: Sequence[FailureRecord] = (),
        verdicts: Verdicts | None = None,
    ) -> None:
        if access not in ACCESS_MODES:
            raise InputError(f"[results] access = {access!r}: use one of {', '.join(ACCESS_MODES)}")
        self._labels = labels
        self._mode = access
        self._failures = failures
        self._names = _Names(labels)
        self._event_names = EventNames(labels)
        self._group_slots = min(SLOTS_PER_GROUP, max(1, ROWS_PER_GROUP // max(1, labels.terminals)))
        self._waiting: list[AccessChunk] = []
        self._last: AccessChunk | None = None  # the last slot written
        self._next_slot = 0
        self._statistics = StatisticsBuilder(labels, folder)
        self._before = _Before(labels, folder) if compares else None
        self._policy = None if verdicts is None else PolicyColumns(verdicts)
        self._schema = pa.schema([*ACCESS_SCHEMA, *POLICY_FIELDS]) if verdicts else ACCESS_SCHEMA
        self._access = _parquet(folder / "access.parquet", self._schema)
        self._events = _parquet(folder / "events.parquet", EVENT_SCHEMA)

    def __enter__(self) -> "AccessWriter":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._access.close()
        self._events.close()
        self._statistics.close()
        if self._before is not None:
            self._before.statistics.close()

    def write(self, chunk: AccessChunk, before: AccessChunk | None = None) -> None:
        """Take the next slots, in order; any number of them, with what would have been in each."""
        chunk.check(self._labels, self._next_slot)
        if (before is None) != (self._before is None):
            raise InputError(f"before is {before}: pass it exactly when the writer compares")
        if before is not None:
            before.check(self._labels, self._next_slot)
        start = 0
        while start < chunk.slots:
            stop = min(chunk.slots, start + self._room())
            self._waiting.append(chunk.part(start, stop))
            if self._before is not None and before is not None:
                self._before.waiting.append(before.part(start, stop))
            self._next_slot += stop - start
            start = stop
            if self._room() == self._group_slots:
                self._write_group()

    def finish(self) -> RunStatistics:
        """Write what is left, close the files and return the statistics of the whole run."""
        if self._next_slot != self._labels.slots:
            raise InputError(
                f"the run has {self._labels.slots} slots, but only {self._next_slot} were written"
            )
        if self._waiting:
            self._write_group()
        self._access.close()
        self._events.close()
        found = self._statistics.finish()
        return replace(found, lost_slots=self._before.lost_slots) if self._before else found

    def finish_before(self) -> RunStatistics | None:
        """Return the statistics of what would have been, after `finish`; None without such."""
        return self._before.statistics.finish() if self._before else None

    def _room(self) -> int:
        """Slots that still fit into the group being gathered; a full group counts as empty."""
        return self._group_slots - self._next_slot % self._group_slots

    def _write_group(self) -> None:
        group = join(self._waiting)
        self._waiting.clear()
        changes = changes_between(self._last, group)
        self._statistics.add(changes)
        if self._before is not None:
            self._before.add(group)
        self._write_rows(changes)
        events = event_table(changes, self._labels, self._event_names)
        slots = range(group.first_slot, group.first_slot + group.slots)
        if self._policy is not None:
            events = with_warnings(events, self._policy, self._labels, slots)
        events = with_failures(events, self._failures, self._labels, slots)
        if events.num_rows:
            self._events.write_table(events, row_group_size=events.num_rows)
        self._last = group.part(group.slots - 1, group.slots)

    def _write_rows(self, changes: Changes) -> None:
        rows = _kept_rows(changes, self._mode, is_first=self._last is None)
        chunk, policy = changes.chunk, self._policy
        if policy is not None and self._mode == "changes":
            rows |= policy.differs(chunk.first_slot, chunk.slots)
        if rows.any():
            more = [] if policy is None else policy.of(chunk.first_slot, rows)
            columns = [*_access_columns(chunk, rows, self._names), *more]
            table = pa.Table.from_arrays(columns, schema=self._schema)
            self._access.write_table(table, row_group_size=table.num_rows)


class _Before:
    """What would have been without the run's failures: statistics alone, no rows."""

    def __init__(self, labels: RunLabels, folder: Path) -> None:
        self.waiting: list[AccessChunk] = []
        self.statistics = StatisticsBuilder(labels, folder)
        self.lost_slots = np.zeros(labels.terminals, dtype=np.int64)
        self._last: AccessChunk | None = None

    def add(self, now: AccessChunk) -> None:
        """Count the waiting slots, and those of them that are lost in `now`, the same slots."""
        group = join(self.waiting)
        self.waiting.clear()
        self.statistics.add(changes_between(self._last, group))
        self.lost_slots += (group.is_served & ~now.is_served).sum(axis=0)
        self._last = group.part(group.slots - 1, group.slots)


class _Texts:
    """A text column's dictionary, each text once, and which of them each row number means."""

    def __init__(self, texts: NDArray[np.str_]) -> None:
        place = {text: i for i, text in enumerate(dict.fromkeys(texts.tolist())) if text}
        self.names = pa.array(list(place), pa.string())
        self._index = np.array([*(place.get(t, -1) for t in texts.tolist()), -1], dtype=np.int32)

    def column(self, rows: NDArray[np.signedinteger]) -> pa.DictionaryArray:
        """The texts of row numbers; null where the number is -1 or its text is empty."""
        return coded(self._index[rows], self.names)  # -1 reads the last


class _Names:
    """The dictionaries of the access table's text columns, the same in every row group."""

    def __init__(self, labels: RunLabels) -> None:
        self.labels = labels
        self.norad_id = np.append(labels.norad_id, -1).astype(np.int32)
        self.terminal = pa.array(labels.terminal_id, pa.string())
        self.state = pa.array(["served", "out"], pa.string())
        self.gateway = _Texts(labels.gateway_id)
        self.country = _Texts(labels.gateway_country)
        self.pop = _Texts(labels.pop_id)


def _kept_rows(changes: Changes, mode: AccessMode, *, is_first: bool) -> NDArray[np.bool_]:
    """Which (slot, terminal) rows of a group the access table keeps, (K, S)."""
    if mode != "changes":
        return np.full(changes.chunk.reason.shape, mode == "all")
    differs = [
        getattr(changes.chunk, name) != getattr(changes.before, name)
        for name in ("reason", "sat", "gateway", "pop")
    ]
    kept: NDArray[np.bool_] = np.logical_or.reduce(differs)
    if is_first:
        kept[0] = True
    return kept


def _access_columns(chunk: AccessChunk, rows: NDArray[np.bool_], names: _Names) -> list[pa.Array]:
    """The kept rows of a group as columns of `ACCESS_SCHEMA`, by slot, then terminal."""
    slot, terminal = np.nonzero(rows)
    gateway, reason = chunk.gateway[rows], chunk.reason[rows]
    run_slot = slot + chunk.first_slot
    nothing = pa.nulls(run_slot.size, pa.float64())
    return [
        pa.array(run_slot.astype(np.int32)),
        pa.array(names.labels.utc(run_slot)).cast(pa.timestamp("us", tz="UTC")),
        coded(terminal.astype(np.int32), names.terminal),
        coded((reason >= 0).astype(np.int8), names.state),
        coded(reason.astype(np.int8), REASON_NAMES),
        _known(names.norad_id[chunk.sat[rows]]),
        _finite(chunk.elevation_deg[rows].astype(np.float32)),
        _finite(chunk.azimuth_deg[rows].astype(np.float32)),
        _finite(chunk.range_m[rows]),
        names.gateway.column(gateway),
        names.country.column(gateway),
        names.pop.column(chunk.pop[rows]),
        _known(chunk.isl_hops[rows]),
        _finite(chunk.rtt_s[rows]),
        nothing,
        nothing,
    ]


def _known(values: NDArray[np.signedinteger]) -> pa.Array:
    return pa.array(values, mask=values < 0)


def _finite(values: NDArray[np.floating]) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _parquet(path: Path, schema: pa.Schema) -> Any:
    """Open a Parquet file whose bytes depend on its rows and the row groups alone."""
    texts = [f.name for f in schema if pa.types.is_dictionary(f.type)]
    return pq.ParquetWriter(
        path, schema, version="2.6", compression="zstd", use_dictionary=["slot", "time_utc", *texts]
    )
