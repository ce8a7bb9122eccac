"""May this terminal be served in this cell now?  The first rule that matches wins.

    1  exclusion, or no valid licence        off
    2  an agreement covers it, not lifted    on, at least at its floor
    3  terminal or account disabled          off
    4  suspension                            off
    5  no activation                         off: closed by default
    6  allow list without it                 off after the grace
    7  restriction                           on, at most at its rate
    8  activation                            on

Where an activation holds, exclusions, suspensions and allow lists leave the lifeline class its
rate, unless an exclusion's instrument forbids it.  None of them starts service.

Of several records of one rule the earliest in the log decides, of restrictions the tightest (down
before up), of agreements the highest floor.  A resumption ends suspensions and restrictions of
earlier entries in its cells.  A cell is unlicensed only where every region that holds it needs a
licence and has none in force, of whichever administration: Skyweave does not choose between
claims, and a second region drawn over the first cannot switch it off by a licence that runs out.

`decide` is written to be read; `decide_all` gives the same answers for many terminals at once.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.policy.allow_list import AllowList, kit_hash
from skyweave.policy.reasons import SERVED, Reason
from skyweave.policy.snapshot import (
    Agreement,
    Directive,
    Disabled,
    Floor,
    Kind,
    Snapshot,
    Subject,
    holds,
    subject_hash,
)
from skyweave.policy.terminals import LIFELINE_CLASS
from skyweave.policy.terminals import Terminal as Terminal  # callers find them here too
from skyweave.policy.terminals import Terminals as Terminals

LIFELINE_BPS = 64_000  # text-class service
NO_LIMIT_BPS = np.iinfo(np.int64).max

_ACTIVATES = (Kind.ACTIVATE, Kind.RESUME, Kind.EMERGENCY_ACTIVATE)
_SUSPENDS = (Kind.SUSPEND, Kind.EMERGENCY_SUSPEND)

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


class Rule(IntEnum):
    """Which rule decided; the numbers are the order in which they are asked."""

    EXCLUDED = 0
    UNLICENSED = 1
    GUARANTEED = 2
    DISABLED = 3
    SUSPENDED = 4
    CLOSED = 5
    NOT_LISTED = 6
    RESTRICTED = 7
    ACTIVE = 8


class State(StrEnum):
    """What the terminal gets."""

    ON = "on"
    RESTRICTED = "restricted"
    OFF = "off"


# What a dish shows: the codes of its own disablement vocabulary.
_REASON = {
    Rule.EXCLUDED: Reason.BLOCKED_AREA,
    Rule.UNLICENSED: Reason.BLOCKED_COUNTRY,
    Rule.DISABLED: Reason.ACCOUNT_DISABLED,
    Rule.SUSPENDED: Reason.CELL_IS_DISABLED,
    Rule.NOT_LISTED: Reason.ROAM_RESTRICTED,
    Rule.CLOSED: Reason.CELL_IS_DISABLED,
}


@dataclass(frozen=True)
class Decision:
    """The answer for one terminal, and what decided it."""

    rule: Rule
    reason: Reason | None  # None where there is service
    max_down_bps: int = NO_LIMIT_BPS  # 0 where off
    max_up_bps: int = NO_LIMIT_BPS
    decided_by: str = ""  # id of the directive or agreement, "" where no record decided
    entry: int = -1  # its entry in the log
    breached: str = ""  # id of the agreement that an exclusion or lost licence breaks
    warned_until_s: int = 0  # not on the allow list: service ends then; 0 where it is

    @property
    def state(self) -> State:
        """On, restricted or off."""
        if self.reason is not None:
            return State.OFF
        is_limited = min(self.max_down_bps, self.max_up_bps) < NO_LIMIT_BPS
        return State.RESTRICTED if is_limited else State.ON


def decide(snapshot: Snapshot, terminal: Terminal, cell: int, at_s: int) -> Decision:
    """Return the decision for a terminal in a cell (0: not known) at a time, s since 1970 UTC."""
    here = _Here(snapshot, terminal, cell, at_s)
    guarantee = here.guarantee()
    activation = here.first(*_ACTIVATES)
    has_lifeline = activation is not None and terminal.service_class == LIFELINE_CLASS
    if excluded := here.first(Kind.EXCLUDE):
        if has_lifeline and excluded.spares_lifeline and not here.is_unlicensed():
            return _lifeline(Rule.EXCLUDED, excluded, guarantee)
        return _off(Rule.EXCLUDED, excluded, guarantee)
    if here.is_unlicensed():
        return _off(Rule.UNLICENSED, None, guarantee)
    restriction = here.restriction()
    if guarantee:
        return _guaranteed(guarantee, restriction)
    if disabled := here.disabled():
        return _off(Rule.DISABLED, disabled)
    if suspension := here.first(*_SUSPENDS):
        return (_lifeline if has_lifeline else _off)(Rule.SUSPENDED, suspension)
    if activation is None:
        return _off(Rule.CLOSED, None)
    listing, until_s = here.missing_listing()
    if listing and at_s >= until_s:
        return (_lifeline if has_lifeline else _off)(Rule.NOT_LISTED, listing)
    warned_until_s = until_s if listing else 0
    if restriction:
        return _on(Rule.RESTRICTED, restriction, *_rates(restriction), warned_until_s)
    return _on(Rule.ACTIVE, activation, NO_LIMIT_BPS, NO_LIMIT_BPS, warned_until_s)


Record = Directive | Agreement | Disabled | AllowList


def _off(rule: Rule, record: Record | None, breached: Agreement | None = None) -> Decision:
    by, entry = _name(record)
    broken = breached.agreement_id if breached else ""
    return Decision(rule, _REASON[rule], 0, 0, by, entry, broken)


def _on(rule: Rule, record: Record, down_bps: int, up_bps: int, warned_until_s: int) -> Decision:
    by, entry = _name(record)
    return Decision(rule, None, down_bps, up_bps, by, entry, "", warned_until_s)


def _lifeline(rule: Rule, record: Record | None, breached: Agreement | None = None) -> Decision:
    by, entry = _name(record)
    broken = breached.agreement_id if breached else ""
    return Decision(rule, None, LIFELINE_BPS, LIFELINE_BPS, by, entry, broken)


def _guaranteed(agreement: Agreement, restriction: Directive | None) -> Decision:
    down_bps, up_bps = _rates(restriction)
    floor = agreement.floor
    limits = max(down_bps, floor.down_bps), max(up_bps, floor.up_bps)
    return _on(Rule.GUARANTEED, agreement, *limits, 0)


def _name(record: Record | None) -> tuple[str, int]:
    if record is None:
        return "", -1
    name = record.agreement_id if isinstance(record, Agreement) else record.directive_id
    return name, record.entry


def _rates(restriction: Directive | None) -> tuple[int, int]:
    if restriction is None:
        return NO_LIMIT_BPS, NO_LIMIT_BPS
    down_bps, up_bps = restriction.max_down_bps, restriction.max_up_bps
    return (
        NO_LIMIT_BPS if down_bps is None else down_bps,
        NO_LIMIT_BPS if up_bps is None else up_bps,
    )


# In what order several records of one rule decide


def _in_log(record: Directive | Disabled | AllowList) -> tuple[int, str]:
    return record.entry, record.directive_id


def _tightest(restriction: Directive) -> tuple[int, int, int, str]:
    return *_rates(restriction), restriction.entry, restriction.directive_id


def _highest_floor(agreement: Agreement) -> tuple[int, int, int, str]:
    floor = agreement.floor
    return -floor.down_bps, -floor.up_bps, agreement.entry, agreement.agreement_id


class _Here:
    """What of a snapshot holds for one terminal in one cell at one time."""

    def __init__(self, snapshot: Snapshot, terminal: Terminal, cell: int, at_s: int) -> None:
        self.snapshot, self.terminal, self.at_s = snapshot, terminal, at_s
        self.regions = {r.region_id: r for r in snapshot.regions if r.has_cell(cell)}
        effective = [d for d in snapshot.directives if holds(d, at_s)]
        in_cell = [d for d in effective if d.region_id in self.regions]
        resumed = max((d.entry for d in in_cell if d.kind is Kind.RESUME), default=-1)
        self.directives = [d for d in in_cell if not _is_resumed(d, resumed)]

    def first(self, *kinds: Kind) -> Directive | None:
        found = [d for d in self.directives if d.kind in kinds]
        return min(found, key=_in_log, default=None)

    def restriction(self) -> Directive | None:
        found = [d for d in self.directives if d.kind is Kind.RESTRICT]
        return min(found, key=_tightest, default=None)

    def is_unlicensed(self) -> bool:
        return bool(self.regions) and not any(r.may_serve(self.at_s) for r in self.regions.values())

    def guarantee(self) -> Agreement | None:
        found = [a for a in self.snapshot.agreements if self._covers(a)]
        return min(found, key=_highest_floor, default=None)

    def _covers(self, agreement: Agreement) -> bool:
        if not holds(agreement, self.at_s) or self.regions.keys().isdisjoint(agreement.region_ids):
            return False
        is_named = (
            agreement.is_for_all
            or self._hash(Subject.TERMINAL) in agreement.terminal_hashes
            or self._hash(Subject.ACCOUNT) in agreement.account_hashes
        )
        return is_named and not any(_is_waived(agreement, d) for d in self.directives)

    def disabled(self) -> Disabled | None:
        found = [
            each
            for each in self.snapshot.disabled
            if holds(each, self.at_s) and each.subject_hash == self._hash(each.subject)
        ]
        return min(found, key=_in_log, default=None)

    def missing_listing(self) -> tuple[AllowList | None, int]:
        """Return the allow list that the terminal should stand in, and until when it is spared."""
        lists = [
            each
            for each in self.snapshot.allow_lists
            if each.region_id in self.regions and each.is_effective(self.at_s)
        ]
        hashed = [kit_hash(each.salt, self.terminal.kit_id) for each in lists]
        if any(each.has(kit, self.at_s) for each, kit in zip(lists, hashed, strict=True)):
            return None, 0
        until_s = [each.grace_until_s(kit) for each, kit in zip(lists, hashed, strict=True)]
        return min(lists, key=_in_log, default=None), max(until_s, default=0)

    def _hash(self, subject: Subject) -> str:
        is_terminal = subject is Subject.TERMINAL
        name = self.terminal.terminal_id if is_terminal else self.terminal.account_id
        return subject_hash(self.snapshot.salt, subject, name)


def _is_resumed(directive: Directive, resumed_at_entry: int) -> bool:
    """Return whether a later resumption ended a suspension or restriction."""
    can_resume = directive.kind in (*_SUSPENDS, Kind.RESTRICT)
    return can_resume and directive.entry < resumed_at_entry


def _is_waived(agreement: Agreement, directive: Directive) -> bool:
    """Return whether a directive lifts an agreement or invokes one of its exceptions."""
    if directive.kind is Kind.LIFT_GUARANTEE:
        return directive.agreement_id == agreement.agreement_id
    return directive.exception != "" and directive.exception in agreement.exceptions


# Many terminals at once


@dataclass(frozen=True, eq=False)
class Decisions:
    """The answers for N terminals: one array each, shape (N,), and the records they point to."""

    records: tuple[Record, ...]
    rule: NDArray[np.int8]
    reason: NDArray[np.int16]  # number of a `Reason`, SERVED where there is service
    max_down_bps: IntArray
    max_up_bps: IntArray
    decider: IntArray  # index in `records`, -1 where no record decided
    breached: IntArray  # index of an agreement in `records`, -1 where none is
    warned_until_s: IntArray

    def __getitem__(self, n: int) -> Decision:
        """Return the decision for terminal n."""
        by, entry = _name(self._record(self.decider[n]))
        return Decision(
            Rule(self.rule[n]),
            None if self.reason[n] == SERVED else list(Reason)[self.reason[n]],
            int(self.max_down_bps[n]),
            int(self.max_up_bps[n]),
            by,
            entry,
            _name(self._record(self.breached[n]))[0],
            int(self.warned_until_s[n]),
        )

    def _record(self, index: np.int64) -> Record | None:
        return self.records[index] if index >= 0 else None


_NO_ROWS: IntArray = np.empty(0, dtype=np.int64)


def decide_all(
    snapshot: Snapshot, terminals: Terminals, cells: NDArray[np.uint64], at_s: int
) -> Decisions:
    """Return the decisions for terminals in cells (N,), 0 where not known, at a time."""
    if cells.shape != (len(terminals),):
        raise InputError(f"cells has shape {cells.shape}; pass ({len(terminals)},), one a terminal")
    return _Everywhere(snapshot, terminals, cells, at_s).decisions()


class _Everywhere:
    """What of a snapshot holds in each of the U different cells, at one time.

    Records are laid over the cells from the last in order to the first, so that the first stays on
    top: the work is that of the cells they cover, not of all pairs.
    """

    def __init__(
        self, snapshot: Snapshot, terminals: Terminals, cells: NDArray[np.uint64], at_s: int
    ) -> None:
        self.snapshot, self.terminals, self.at_s = snapshot, terminals, at_s
        self.cells, self.cell_of = np.unique(cells, return_inverse=True)
        self.records: list[Record] = []
        self._places: dict[str, IntArray] = {}
        self.directives = [d for d in snapshot.directives if holds(d, at_s)]
        self.resumed_at = np.full(self.cells.size, -1)
        for each in self.directives:
            if each.kind is Kind.RESUME:
                places = self.places(each.region_id)
                self.resumed_at[places] = np.maximum(self.resumed_at[places], each.entry)

    def places(self, region_id: str) -> IntArray:
        """Return which of the cells lie in a region."""
        if region_id not in self._places:
            region = self.snapshot.region_by_id[region_id]
            self._places[region_id] = np.flatnonzero(_contains(region.cells, self.cells))
        return self._places[region_id]

    def covered(self, directive: Directive) -> IntArray:
        """Return the cells that a directive rules: those of its region not resumed since."""
        places = self.places(directive.region_id)
        can_resume = _is_resumed(directive, directive.entry + 1)
        return places[self.resumed_at[places] <= directive.entry] if can_resume else places

    def decisions(self) -> Decisions:
        """Return the answers, laid from the last rule to the first."""
        answers = _Answers(len(self.terminals))
        restriction = self.top([d for d in self.directives if d.kind is Kind.RESTRICT], _tightest)
        activation = self.first(*_ACTIVATES)
        is_active = activation >= 0
        has_lifeline = is_active & self.terminals.is_lifeline
        answers.lay(Rule.ACTIVE, activation, self.limits())
        answers.lay(Rule.RESTRICTED, np.where(is_active, restriction, -1), self.limits(restriction))
        self._lay_listing(answers, has_lifeline)
        answers.lay_sparing(Rule.SUSPENDED, self.first(*_SUSPENDS), has_lifeline)
        answers.lay(Rule.DISABLED, self.disabled())
        guarantee = self.guarantee()
        answers.lay(Rule.GUARANTEED, guarantee, self._raised(self.limits(restriction), guarantee))
        is_unlicensed = self.is_unlicensed()[self.cell_of]
        answers.lay_off(Rule.UNLICENSED, is_unlicensed, guarantee)
        exclusion = self.first(Kind.EXCLUDE)
        has_lifeline &= _at(self._spares(), exclusion, False) & ~is_unlicensed
        answers.lay_sparing(Rule.EXCLUDED, exclusion, has_lifeline)
        answers.breached[exclusion >= 0] = guarantee[exclusion >= 0]
        return answers.decisions(self.records)

    def first(self, *kinds: Kind) -> IntArray:
        """Return each terminal's earliest directive of some kinds, as an index of `records`."""
        return self.top([d for d in self.directives if d.kind in kinds], _in_log)

    def top(self, found: list[Directive], order: Callable[[Directive], Any]) -> IntArray:
        """Return the first of these directives, in an order, that rules each terminal's cell."""
        on_top = np.full(self.cells.size, -1)
        for directive in sorted(found, key=order, reverse=True):
            on_top[self.covered(directive)] = self.index(directive)
        return on_top[self.cell_of]

    def index(self, record: Record) -> int:
        """Return where in `records` a record now is."""
        self.records.append(record)
        return len(self.records) - 1

    def limits(self, restriction: IntArray | None = None) -> tuple[IntArray, IntArray]:
        """Return the rates (N,) down and up that a restriction leaves."""
        if restriction is None:
            restriction = np.full(len(self.terminals), -1)
        rates = [_rates(r if isinstance(r, Directive) else None) for r in self.records]
        down_bps, up_bps = np.array(rates, dtype=np.int64).reshape(-1, 2).T
        return (
            _at(down_bps, restriction, NO_LIMIT_BPS),
            _at(up_bps, restriction, NO_LIMIT_BPS),
        )

    def _spares(self) -> BoolArray:
        spares = [isinstance(r, Directive) and r.spares_lifeline for r in self.records]
        return np.array(spares, dtype=bool)

    def _raised(
        self, limits: tuple[IntArray, IntArray], guarantee: IntArray
    ) -> tuple[IntArray, IntArray]:
        floors = [r.floor if isinstance(r, Agreement) else Floor() for r in self.records]
        down_bps = np.array([floor.down_bps for floor in floors], dtype=np.int64)
        up_bps = np.array([floor.up_bps for floor in floors], dtype=np.int64)
        return (
            np.maximum(limits[0], _at(down_bps, guarantee, 0)),
            np.maximum(limits[1], _at(up_bps, guarantee, 0)),
        )

    def is_unlicensed(self) -> BoolArray:
        """Return which cells (U,) lie only in regions that need a licence and have none."""
        is_held, may_serve = np.zeros((2, self.cells.size), dtype=bool)
        for region in self.snapshot.regions:
            places = self.places(region.region_id)
            is_held[places] = True
            may_serve[places] |= region.may_serve(self.at_s)
        return is_held & ~may_serve

    def guarantee(self) -> IntArray:
        """Return each terminal's agreement of the highest floor, as an index of `records`."""
        lifted, waived = self._lifted(), self._waived()
        best = np.full(len(self.terminals), -1)
        everyone = np.full(self.cells.size, -1)
        effective = [a for a in self.snapshot.agreements if holds(a, self.at_s)]
        for agreement in sorted(effective, key=_highest_floor, reverse=True):
            off = [*lifted[agreement.agreement_id], *(waived[e] for e in agreement.exceptions)]
            places = self._places_of(agreement, off)
            index = self.index(agreement)
            if agreement.is_for_all:
                everyone[places] = index
            else:
                rows = self._named(agreement)
                best[rows[_contains(places, self.cell_of[rows])]] = index
        # Both hold the last index laid, which is the first in order.
        on_top: IntArray = np.maximum(best, everyone[self.cell_of])
        return on_top

    def _places_of(self, agreement: Agreement, off: Sequence[IntArray]) -> IntArray:
        """Return the cells of an agreement, ascending, without those where it is off."""
        places = [self.places(region_id) for region_id in agreement.region_ids]
        covered = places[0] if len(places) == 1 else np.unique(np.concatenate([_NO_ROWS, *places]))
        return np.setdiff1d(covered, np.concatenate(off)) if off else covered

    def _named(self, agreement: Agreement) -> IntArray:
        by_terminal = self._rows(Subject.TERMINAL, agreement.terminal_hashes)
        by_account = self._rows(Subject.ACCOUNT, agreement.account_hashes)
        return np.concatenate([by_terminal, by_account])

    def _rows(self, subject: Subject, hashes: Sequence[str]) -> IntArray:
        return self.terminals.rows(self.snapshot.salt, subject, hashes)

    def _lifted(self) -> defaultdict[str, list[IntArray]]:
        lifted: defaultdict[str, list[IntArray]] = defaultdict(list)
        for directive in self.directives:
            if directive.kind is Kind.LIFT_GUARANTEE:
                lifted[directive.agreement_id].append(self.covered(directive))
        return lifted

    def _waived(self) -> defaultdict[str, IntArray]:
        waived: defaultdict[str, IntArray] = defaultdict(lambda: _NO_ROWS)
        for directive in self.directives:
            if directive.exception and directive.kind is not Kind.LIFT_GUARANTEE:
                name = directive.exception
                waived[name] = np.union1d(waived[name], self.covered(directive))
        return waived

    def disabled(self) -> IntArray:
        """Return each terminal's earliest disablement, as an index of `records`."""
        first = np.full(len(self.terminals), -1)
        effective = [each for each in self.snapshot.disabled if holds(each, self.at_s)]
        for each in sorted(effective, key=_in_log, reverse=True):
            first[self._rows(each.subject, [each.subject_hash])] = self.index(each)
        return first

    def _lay_listing(self, answers: "_Answers", has_lifeline: BoolArray) -> None:
        """Warn the terminals that miss on every allow list of their cell; end their grace."""
        first = np.full(len(self.terminals), -1)
        until_s = np.zeros(len(self.terminals), dtype=np.int64)
        is_listed = np.zeros(len(self.terminals), dtype=bool)
        effective = [a for a in self.snapshot.allow_lists if a.is_effective(self.at_s)]
        for each in sorted(effective, key=_in_log, reverse=True):
            rows = self._rows_in(each.region_id)
            kits, kit_of = self.terminals.kits(rows)
            has, grace_s = each.standing(self.terminals.kit_hashes(each.salt, kits), self.at_s)
            first[rows] = self.index(each)
            is_listed[rows] |= has[kit_of]
            until_s[rows] = np.maximum(until_s[rows], grace_s[kit_of])
        is_missing = (first >= 0) & ~is_listed & answers.is_on()
        in_grace = is_missing & (self.at_s < until_s)
        answers.warned_until_s = np.where(in_grace, until_s, 0)
        is_cut = is_missing & ~in_grace
        answers.lay_sparing(Rule.NOT_LISTED, np.where(is_cut, first, -1), has_lifeline)

    def _rows_in(self, region_id: str) -> IntArray:
        inside = np.zeros(self.cells.size, dtype=bool)
        inside[self.places(region_id)] = True
        return np.flatnonzero(inside[self.cell_of])


class _Answers:
    """The columns of `Decisions` while rules are laid over each other, the first last."""

    def __init__(self, count: int) -> None:
        self.rule = np.full(count, Rule.CLOSED, dtype=np.int8)
        self.reason = np.full(count, _REASON[Rule.CLOSED].number, dtype=np.int16)
        self.max_down_bps, self.max_up_bps, self.warned_until_s = np.zeros((3, count), np.int64)
        self.decider, self.breached = np.full((2, count), -1, dtype=np.int64)

    def is_on(self) -> BoolArray:
        return np.asarray(self.reason == SERVED)

    def lay(
        self, rule: Rule, decider: IntArray, limits: tuple[IntArray, IntArray] | None = None
    ) -> None:
        """Answer by a rule where a record decides; without limits to the rates, off."""
        rows = np.flatnonzero(decider >= 0)
        self.rule[rows] = rule
        self.reason[rows] = _REASON[rule].number if limits is None else SERVED
        self.decider[rows] = decider[rows]
        self.max_down_bps[rows] = 0 if limits is None else limits[0][rows]
        self.max_up_bps[rows] = 0 if limits is None else limits[1][rows]
        if rule not in (Rule.RESTRICTED, Rule.ACTIVE):
            self.warned_until_s[rows] = 0

    def lay_sparing(self, rule: Rule, decider: IntArray, has_lifeline: BoolArray) -> None:
        """Answer "off" where a record decides, and leave the lifeline where there is one."""
        self.lay(rule, decider)
        lifeline_bps = np.full(decider.size, LIFELINE_BPS)
        self.lay(rule, np.where(has_lifeline, decider, -1), (lifeline_bps, lifeline_bps))

    def lay_off(self, rule: Rule, is_off: BoolArray, guarantee: IntArray) -> None:
        """Answer "off" where no record decides, and break the agreements there."""
        self.lay(rule, np.where(is_off, 0, -1))
        self.decider[is_off] = -1
        self.breached[is_off] = guarantee[is_off]

    def decisions(self, records: Iterable[Record]) -> Decisions:
        return Decisions(
            tuple(records), self.rule, self.reason, self.max_down_bps, self.max_up_bps,
            self.decider, self.breached, self.warned_until_s,
        )  # fmt: skip


def _contains(ascending: NDArray[Any], asked: NDArray[Any]) -> BoolArray:
    if not ascending.size:
        return np.zeros(asked.shape, dtype=bool)
    place = np.minimum(np.searchsorted(ascending, asked), ascending.size - 1)
    return np.asarray(ascending[place] == asked)


def _at(values: NDArray[Any], index: IntArray, otherwise: Any) -> NDArray[Any]:
    """Return values where the index points to one, another where it is -1."""
    return np.append(values, [otherwise]).astype(values.dtype)[index]
