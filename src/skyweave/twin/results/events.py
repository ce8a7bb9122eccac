"""Events: the moments at which what a terminal has changes, one row each.

handover        served by one satellite in the slot before, by another in this slot;
                before and after are NORAD ids
gateway_change  served in both slots, through another gateway; before and after are gateway ids
pop_change      served in both slots, through another PoP; before and after are PoP ids
outage_start    out in this slot and served in the slot before, or out in the run's first slot;
                reason is this slot's, before the NORAD id that served last (null in slot 0)
outage_end      served in this slot and out in the slot before; reason is that of the outage's
                last slot, after the NORAD id that serves now

link_down       a laser link carried in the slot before and does not in this one; reason is
                `out_of_limits`, `replanned` (the plan has it no longer) or `failed`
link_up         a laser link carries in this slot and did not in the slot before; reason is
                `first_slot` for those of the run's first slot, else `acquired`

failure_begins  in this slot a failure of the scenario begins to hold, or it held before the run;
                subject_id is its id, what stands for several, or its share, such as "10%"
failure_ends    in this slot it holds no longer

policy_warning  in this slot a terminal that the policy still serves is told that this may end, or
                it is told something else than before; after is `allow_list` (it is not on it),
                `border_margin`, `border_grace` or `border_lifeline`, reason is that with which
                service then ends

An outage that lasts to the end of the run has no end event.  Coming back on another satellite or
gateway is no handover or change.  A reason that changes within an outage makes no event; the
access table has it.  The links up in a slot are those of all link events up to it.

Order: time; then failures, those that end first; then warnings by row; then terminals by row, each
in the order above with outage_end first; then links, those that go down first, by the NORAD ids of
their lower and their higher end.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from skyweave.policy.reasons import REASONS, SERVED
from skyweave.twin.results.chunk import AccessChunk, RunLabels
from skyweave.twin.topology.changes import LINK_REASONS, NO_CHANGES

Mask = NDArray[np.bool_]
Rows = NDArray[np.int64]
Codes = NDArray[np.signedinteger]

KINDS = ("outage_end", "handover", "gateway_change", "pop_change", "outage_start")

LINK_KINDS = ("link_down", "link_up")
SUBJECT_KINDS = ("terminal", "link")

REASON_NAMES = pa.array([str(reason) for reason in REASONS], pa.string())
_ALL_KINDS = pa.array([*KINDS, *LINK_KINDS], pa.string())
_ALL_REASONS = pa.array([*(str(reason) for reason in REASONS), *LINK_REASONS], pa.string())

EVENT_SCHEMA = pa.schema(
    [
        pa.field("time_utc", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("slot", pa.int32(), nullable=False),
        pa.field("kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("subject_kind", pa.dictionary(pa.int8(), pa.string()), nullable=False),
        pa.field("subject_id", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("reason", pa.dictionary(pa.int8(), pa.string())),
        pa.field("before", pa.string()),
        pa.field("after", pa.string()),
    ]
)


class Held(NamedTuple):
    """What each terminal had in some slots, as far as events ask: arrays (K, S) as of a chunk."""

    reason: NDArray[np.int16]
    sat: NDArray[np.int32]
    gateway: NDArray[np.int32]
    pop: NDArray[np.int32]

    @property
    def is_served(self) -> Mask:
        """True where a terminal has service, (K, S)."""
        return np.equal(self.reason, SERVED)


@dataclass(frozen=True)
class Changes:
    """Where each kind of event happens in a chunk: masks (K, S), and the slot before each."""

    chunk: AccessChunk
    before: Held  # in the same slots, one earlier; slot -1 is a copy of slot 0
    outage_end: Mask
    handover: Mask
    gateway_change: Mask
    pop_change: Mask
    outage_start: Mask


class EventNames:
    """The names of satellites, gateways and PoPs that `before` and `after` of events hold."""

    def __init__(self, labels: RunLabels) -> None:
        names = (labels.norad_id.astype(str), labels.gateway_id, labels.pop_id)
        self.terminals = pa.array(labels.terminal_id, pa.string())
        self.texts = pa.array(np.concatenate(names), pa.string())
        self.first_gateway = labels.norad_id.size
        self.first_pop = labels.norad_id.size + labels.gateway_id.size


def changes_between(previous: AccessChunk | None, chunk: AccessChunk) -> Changes:
    """Find the events of a chunk; `previous` is the one slot before it, None at the run's start."""
    first = previous or chunk.part(0, 1)
    before = Held(
        *(np.concatenate([getattr(first, f), getattr(chunk, f)[:-1]]) for f in Held._fields)
    )
    served, was_served = chunk.is_served, before.is_served
    both = served & was_served
    outage_start = ~served & was_served
    if previous is None:
        outage_start[0] = ~served[0]
    return Changes(
        chunk,
        before,
        outage_end=served & ~was_served,
        handover=both & (chunk.sat != before.sat),
        gateway_change=both & (chunk.gateway != before.gateway),
        pop_change=both & (chunk.pop != before.pop),
        outage_start=outage_start,
    )


def event_table(changes: Changes, labels: RunLabels, names: EventNames) -> pa.Table:
    """Return the events of a chunk as rows of `EVENT_SCHEMA`."""
    found = [_terminal_events(changes, names), _link_events(changes.chunk, labels)]
    slot = np.concatenate([events.slot for events in found])
    kind, reason, before, after = (
        np.concatenate([getattr(events, column) for events in found])
        for column in ("kind", "reason", "before", "after")
    )
    subject_kind = np.repeat(np.arange(len(found)), [events.slot.size for events in found])
    columns = [
        pa.array(labels.utc(slot)).cast(pa.timestamp("us", tz="UTC")),
        pa.array(slot.astype(np.int32)),
        coded(kind.astype(np.int8), _ALL_KINDS),
        coded(subject_kind.astype(np.int8), pa.array(SUBJECT_KINDS)),
        pa.concat_arrays([events.subject for events in found]).dictionary_encode(),
        coded(reason.astype(np.int8), _ALL_REASONS),
        *(names.texts.take(pa.array(row, mask=row < 0)) for row in (before, after)),
    ]
    # Each part is in order already; a stable sort keeps the order of the parts within a slot.
    order = pa.array(np.argsort(slot, kind="stable"))
    return pa.Table.from_arrays(columns, schema=EVENT_SCHEMA).take(order)


class _Events(NamedTuple):
    """Events of one kind of subject in the order of the file, one row each; -1 = null."""

    slot: Rows  # of the run
    kind: Rows  # row of _ALL_KINDS
    reason: Rows  # row of _ALL_REASONS
    before: Rows  # row of the names
    after: Rows
    subject: pa.StringArray


def _terminal_events(changes: Changes, names: EventNames) -> _Events:
    kind, slot, terminal = _where(changes)
    before, after, reason = np.full((3, kind.size), -1)
    for number, name in enumerate(KINDS):
        rows = np.flatnonzero(kind == number)
        at = (slot[rows], terminal[rows])
        before[rows], after[rows], reason[rows] = _detail(name, changes, names, at)
    subject = names.terminals.take(pa.array(terminal))
    return _Events(slot + changes.chunk.first_slot, kind, reason, before, after, subject)


def _link_events(chunk: AccessChunk, labels: RunLabels) -> _Events:
    links = (NO_CHANGES, *chunk.links)
    edges = np.concatenate([each.edges for each in links])
    code = np.concatenate([each.reason for each in links])
    is_up = np.concatenate([each.is_up for each in links])
    slot = np.repeat([each.slot for each in links], [len(each.edges) for each in links])
    norad_id = np.sort(labels.norad_id[edges], axis=1)
    order = np.lexsort((norad_id[:, 1], norad_id[:, 0], is_up, slot))
    low, high = (pa.array(ids).cast(pa.string()) for ids in norad_id[order].T)
    nothing = np.full(order.size, -1)
    return _Events(
        slot=slot[order],
        kind=len(KINDS) + is_up[order].astype(np.int64),
        reason=len(REASONS) + code[order].astype(np.int64),
        before=nothing,
        after=nothing,
        subject=pc.binary_join_element_wise(low, high, "-"),
    )


def coded(index: NDArray[np.signedinteger], names: pa.Array) -> pa.DictionaryArray:
    """Return a dictionary array whose entry -1 is null."""
    return pa.DictionaryArray.from_arrays(pa.array(index, mask=index < 0), names)


def _where(changes: Changes) -> tuple[Rows, Rows, Rows]:
    """Kind number, slot within the chunk and terminal of each event, in the order of the file."""
    found = [np.nonzero(getattr(changes, name)) for name in KINDS]
    kind = np.repeat(np.arange(len(KINDS)), [slot.size for slot, _ in found])
    slot = np.concatenate([slot for slot, _ in found])
    terminal = np.concatenate([terminal for _, terminal in found])
    order = np.lexsort((kind, terminal, slot))
    return kind[order], slot[order], terminal[order]


def _detail(
    name: str, changes: Changes, names: EventNames, at: tuple[Rows, Rows]
) -> tuple[Codes | int, Codes | int, Codes | int]:
    """Of the events of one kind: the rows of before and after in the names, and the reason."""
    chunk, before = changes.chunk, changes.before
    if name == "gateway_change":
        first = names.first_gateway
        return before.gateway[at] + first, chunk.gateway[at] + first, -1
    if name == "pop_change":
        return before.pop[at] + names.first_pop, chunk.pop[at] + names.first_pop, -1
    if name == "outage_start":
        was_served = before.is_served[at]
        return np.where(was_served, before.sat[at], -1), -1, chunk.reason[at]
    if name == "outage_end":
        return -1, chunk.sat[at], before.reason[at]
    return before.sat[at], chunk.sat[at], -1
