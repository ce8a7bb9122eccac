"""What the policy says of each terminal in each slot, worked out before the first slot is computed.

A decision depends on the terminal, its cell and which spans of the snapshot hold, so it is taken
once for each terminal and cell in each *epoch*, a run of slots in which no span begins or ends.
Slots only look it up, in whichever process they are computed.  A decision is that of the slot's
start.  How a moving terminal leaves an area follows in `border_walk`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

import h3.api.numpy_int as h3_cells
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skyweave.frames import great_circle_m
from skyweave.policy.allow_list import AllowList, kit_hash
from skyweave.policy.border import MAX_RADIUS_M
from skyweave.policy.decision import (
    NO_LIMIT_BPS,
    Decision,
    Decisions,
    Rule,
    State,
    decide_all,
)
from skyweave.policy.decision import Terminals as Asked
from skyweave.policy.reasons import SERVED, Reason
from skyweave.policy.regions import cells_at
from skyweave.policy.snapshot import Agreement, Directive, Disabled, Licence, Snapshot
from skyweave.twin.terminals import Terminals, Track

IntArray = NDArray[np.int64]
CodeArray = NDArray[np.int32]
CellArray = NDArray[np.uint64]
FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]

_DEEPEST_RINGS = 5  # as deep as `policy.border` looks into an area
_RING_M = 7_000.0  # a disc of so much more reaches at most one ring of cells more

NO_PLACE = "no_place"  # the rule of a terminal whose position is not known: nothing is decided
BORDER = "border"  # the rule of a terminal that left, or may have left, the area it is served in


class Notice(StrEnum):
    """What a terminal is told while it still has service."""

    NONE = ""
    ALLOW_LIST = "allow_list"  # it is not listed, and its grace runs
    MARGIN = "border_margin"  # it is near the border, with full service
    GRACE = "border_grace"  # it is or may be beyond: less service, for a time
    LIFELINE = "border_lifeline"  # beyond: text-class service, for a time


@dataclass(frozen=True)
class Verdict:
    """What the policy says, and by which record; times in s since 1970 UTC."""

    state: State | None  # None: nothing is decided, as the terminal's place is not known
    rule: str  # of `policy.decision.Rule` in lower case, BORDER or NO_PLACE
    reason: Reason | None  # None where the policy lets it be served
    max_down_bps: int = NO_LIMIT_BPS
    max_up_bps: int = NO_LIMIT_BPS
    decided_by: str = ""  # id of the directive or agreement, "" where no record decided
    entry: int = -1  # its entry in the log, -1 where no record decided
    until_s: int | None = None  # when that record ends by itself
    why: str = ""  # the reason that the directive states
    breached: str = ""  # id of the agreement that this breaks
    notice: Notice = Notice.NONE
    noticed_until_s: int | None = (
        None  # until when the grace or lifeline lasts, where that is known
    )

    @property
    def is_open(self) -> bool:
        """Whether a cell rule serves the terminal here: an activation, restriction or agreement."""
        return self.rule in _OPEN_RULES and self.reason is None


_OPEN_RULES = frozenset(
    rule.name.lower() for rule in (Rule.GUARANTEED, Rule.RESTRICTED, Rule.ACTIVE)
)
CLOSED = Rule.CLOSED.name.lower()
GUARANTEED = Rule.GUARANTEED.name.lower()
_NO_PLACE = Verdict(None, NO_PLACE, None)


@dataclass(frozen=True, eq=False)
class Verdicts:
    """The verdicts of S terminals in T slots, as places in a table of those that differ.

    E epochs; M terminals move, and have a place of their own in each slot.
    """

    table: tuple[Verdict, ...]
    epoch: CodeArray  # (T,) row of `code`
    code: CodeArray  # (E, S)
    moving: IntArray  # (M,) ascending rows of terminals; their columns of `code` mean nothing
    moving_code: CodeArray  # (T, M)

    @cached_property
    def reason_of(self) -> NDArray[np.int16]:
        """The number of each verdict's reason, SERVED where the policy lets it be served."""
        reasons = [SERVED if each.reason is None else each.reason.number for each in self.table]
        return np.array(reasons, dtype=np.int16)

    def codes(self, first: int, stop: int) -> CodeArray:
        """Return the places in the table in slots first to stop - 1, (K, S)."""
        codes = self.code[self.epoch[first:stop]]  # a copy
        codes[:, self.moving] = self.moving_code[first:stop]
        return codes

    def reasons(self, slot: int) -> NDArray[np.int16]:
        """Return why each terminal is off in a slot, SERVED where it is not, (S,)."""
        found: NDArray[np.int16] = self.reason_of[self.codes(slot, slot + 1)[0]]
        return found

    def at(self, slot: int, row: int) -> Verdict:
        """Return the verdict of one terminal in a slot."""
        return self.table[int(self.codes(slot, slot + 1)[0, row])]

    def take(self, rows: IntArray) -> "Verdicts":
        """Return the verdicts of some terminals, in that order."""
        place = {row: n for n, row in enumerate(self.moving.tolist())}
        found = [(new, place[old]) for new, old in enumerate(rows.tolist()) if old in place]
        new, old = np.array(found, dtype=np.int64).reshape(-1, 2).T
        return replace(
            self, code=self.code[:, rows], moving=new, moving_code=self.moving_code[:, old]
        )

    def slots_of(self) -> Iterator[tuple[IntArray, CodeArray, int]]:
        """Yield terminals and their codes (same shape) with how many slots they hold in."""
        fixed = np.setdiff1d(np.arange(self.code.shape[1]), self.moving)
        lengths = np.bincount(self.epoch, minlength=len(self.code))
        for codes, slots in zip(self.code, lengths.tolist(), strict=True):
            yield fixed, codes[fixed], slots
        for codes in self.moving_code:
            yield self.moving, codes, 1


class Stances(NamedTuple):
    """Each terminal in each cell that it is in: R of them, those of fixed terminals first."""

    terminal: IntArray  # (R,) rows
    cell: CellArray  # (R,) 0 = not known
    moving: IntArray  # (M,) rows of the terminals that move
    of_moving: IntArray  # (T, M) which stance each has in each slot


class Judged(NamedTuple):
    """Decisions of all stances in all epochs, before any border."""

    stances: Stances
    at_s: IntArray  # (T,) starts of the slots, s since 1970 UTC
    first: IntArray  # (E,) the first slot of each epoch
    epoch: CodeArray  # (T,)
    code: CodeArray  # (E, R)
    near: CellArray  # ascending: no other cell can matter to any terminal

    @property
    def moving_code(self) -> CodeArray:
        """The decision on each moving terminal in each slot, (T, M)."""
        found: CodeArray = self.code[self.epoch[:, None], self.stances.of_moving]
        return found


class Table:
    """The verdicts that differ, each with its place."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._place: dict[Verdict, int] = {}
        records: list[Directive | Disabled | AllowList] = [
            *snapshot.directives, *snapshot.disabled, *snapshot.allow_lists
        ]  # fmt: skip
        self._record: dict[tuple[int, str], Directive | Disabled | AllowList | Agreement] = {
            **{(each.entry, each.directive_id): each for each in records},
            **{(each.entry, each.agreement_id): each for each in snapshot.agreements},
        }

    def __getitem__(self, place: int) -> Verdict:
        return self.verdicts[place]

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """All verdicts by their places."""
        return tuple(self._place)

    def place(self, verdict: Verdict) -> int:
        """Return the place of a verdict, a new one where it is new."""
        return self._place.setdefault(verdict, len(self._place))

    def places(self, decisions: Decisions, cells: CellArray) -> CodeArray:
        """Return the places of decisions on stances in cells (R,)."""
        group, first = _groups(
            decisions.rule, decisions.decider, decisions.breached, decisions.max_down_bps,
            decisions.max_up_bps, decisions.warned_until_s, cells == 0,
        )  # fmt: skip
        places = [self.place(self._verdict(decisions[n], int(cells[n]))) for n in first.tolist()]
        return np.array([*places, -1], dtype=np.int32)[group]

    def _verdict(self, decision: Decision, cell: int) -> Verdict:
        if not cell and decision.rule is Rule.CLOSED:
            return _NO_PLACE  # that no cell is known is no decision on a cell
        by = (decision.entry, decision.decided_by)
        record = self._record.get(by)
        is_warned = decision.warned_until_s > 0
        return Verdict(
            decision.state, decision.rule.name.lower(), decision.reason,
            decision.max_down_bps, decision.max_up_bps, *by[::-1],
            until_s=record.until_s if record else None,
            why=getattr(record, "reason", ""),
            breached=decision.breached,
            notice=Notice.ALLOW_LIST if is_warned else Notice.NONE,
            noticed_until_s=decision.warned_until_s if is_warned else None,
        )  # fmt: skip


def _groups(*columns: NDArray[np.generic]) -> tuple[IntArray, IntArray]:
    """Return which group each row is in, equal rows in one, and the first row of each group."""
    group = np.zeros(columns[0].size, dtype=np.int64)
    for column in columns:
        own = pd.factorize(column)[0]
        group = pd.factorize(group * (own.max(initial=0) + 1) + own)[0]
    return group, np.flatnonzero(~pd.Series(group).duplicated().to_numpy())


def judged(snapshot: Snapshot, terminals: Terminals, utc: TimeArray, table: Table) -> Judged:
    """Return the decisions on all terminals in the slots between boundaries `utc` (T + 1,)."""
    stances = _stances(terminals, utc[:-1])
    near = _near(terminals, stances, utc)
    at_s = utc[:-1].astype("datetime64[ns]").astype(np.int64) // 10**9
    asked = _asked(terminals, stances.terminal)
    first = _epoch_starts(_changes_s(snapshot, near, set(terminals.kit.tolist())), at_s)
    code = [
        table.places(decide_all(snapshot, asked, stances.cell, int(s)), stances.cell)
        for s in at_s[first]
    ]
    epoch = np.searchsorted(first, np.arange(at_s.size), side="right") - 1
    return Judged(stances, at_s, first, epoch.astype(np.int32), np.stack(code), near)


def _asked(terminals: Terminals, rows: IntArray) -> Asked:
    columns = (terminals.terminal_id, terminals.account, terminals.service_class, terminals.kit)
    return Asked(*(column[rows].tolist() for column in columns))


def _stances(terminals: Terminals, utc: TimeArray) -> Stances:
    """Return where terminals stand: each fixed one once, each moving one in each of its cells."""
    moving = np.array(sorted(terminals.tracks), dtype=np.int64)
    cell = cells_at(terminals.lat_deg, terminals.lon_deg)
    rows, cells = [np.arange(len(terminals))], [cell]
    of_moving = np.empty((utc.size, moving.size), dtype=np.int64)
    count = len(terminals)
    for m, row in enumerate(moving.tolist()):
        place = terminals.tracks[row].at(utc)
        own, which = np.unique(cells_at(place.lat_deg, place.lon_deg), return_inverse=True)
        of_moving[:, m] = count + which
        rows.append(np.full(own.size, row))
        cells.append(own)
        count += own.size
    return Stances(np.concatenate(rows), np.concatenate(cells), moving, of_moving)


def _near(terminals: Terminals, stances: Stances, utc: TimeArray) -> CellArray:
    """Return the cells of all stances, and those that a border may make matter to moving ones."""
    farthest_m = max(
        (radius_m(terminals.tracks[row], utc).max() for row in stances.moving.tolist()),
        default=0.0,
    )
    rings = _DEEPEST_RINGS + math.ceil(1.14 * min(farthest_m, MAX_RADIUS_M) / _RING_M) + 3
    moving = np.unique(stances.cell[np.unique(stances.of_moving)])
    discs = [h3_cells.grid_disk(cell, rings) for cell in moving[moving > 0].tolist()]
    return np.unique(np.concatenate([stances.cell, *discs]))


def radius_m(track: Track, utc: TimeArray) -> FloatArray:
    """Return how far a terminal gets along its track between boundaries (T + 1,), shape (T,)."""
    lat_deg, lon_deg = track.lat_deg, track.lon_deg
    legs_m = great_circle_m(lat_deg[:-1], lon_deg[:-1], lat_deg[1:], lon_deg[1:])
    at_s, fix_s = (times.astype("datetime64[ns]").astype(np.float64) for times in (utc, track.utc))
    return np.diff(np.interp(at_s, fix_s, np.concatenate([[0.0], np.cumsum(legs_m)])))


def _changes_s(snapshot: Snapshot, near: CellArray, kits: set[str]) -> IntArray:
    """Return the times at which any decision may change, s since 1970 UTC, on these kits too.

    What holds only in regions without a cell of `near` changes nothing.
    """
    regions = [each for each in snapshot.regions if np.isin(near, each.cells).any()]
    ids = {each.region_id for each in regions}
    lists = [each for each in snapshot.allow_lists if each.region_id in ids]
    records: list[Directive | Agreement | Disabled | Licence | AllowList] = [
        *(each for each in snapshot.directives if each.region_id in ids),
        *(each for each in snapshot.agreements if not ids.isdisjoint(each.region_ids)),
        *(licence for region in regions for licence in region.licences),
        *lists,
        *snapshot.disabled,
    ]
    times = {each.from_s for each in records}
    times |= {each.until_s for each in records if each.until_s is not None}
    for listing in lists:
        for kit_id in kits:
            hashed = kit_hash(listing.salt, kit_id)
            times.add(listing.grace_until_s(hashed))
            if kit := listing.find(hashed):
                times |= {kit.from_s, kit.from_s if kit.until_s is None else kit.until_s}
    return np.array(sorted(times), dtype=np.int64)


def _epoch_starts(changes_s: IntArray, at_s: IntArray) -> IntArray:
    """Return the slots in which epochs begin: the first one, and those that a change precedes."""
    first = np.unique(np.searchsorted(at_s, changes_s))
    return np.concatenate([[0], first[(first > 0) & (first < at_s.size)]])
