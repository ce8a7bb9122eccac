"""What a directive would do, counted terminal by terminal before anybody signs it.

A pure function of the directive, the policy before it and a table of terminals: each terminal in
the cells concerned is decided twice at the directive's start, with the directive and without, by
the decision that the network itself follows.  The exact report goes to those who may see the
table; what is signed and published is made of it by `impact_public`.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.control.domain.documents import Directive, DirectiveKind, canonical, digest_of
from skyweave.control.domain.impact_after import (
    cells_that_may_change,
    lifted_agreement,
    snapshot_with,
)
from skyweave.control.domain.impact_border import Border, BorderImpact, People, border_impact
from skyweave.control.domain.impact_table import ImpactTable, Names
from skyweave.policy.allow_list import AllowList
from skyweave.policy.decision import Decisions, Rule, decide_all
from skyweave.policy.reasons import REASONS, SERVED
from skyweave.policy.snapshot import Agreement, LicenceStatus, PolicyRegion, Snapshot
from skyweave.policy.terminals import Terminals

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
CellArray = NDArray[np.uint64]

_YIELD = (DirectiveKind.SUSPEND, DirectiveKind.RESTRICT)  # to agreements, cell by cell
_ACROSS_BORDERS = (*_YIELD, DirectiveKind.EMERGENCY_SUSPEND, DirectiveKind.EXCLUDE)


class Outcome(IntEnum):
    """What becomes of a terminal, each in one of these; the first that holds, in this order."""

    LOSES = 0  # service
    WARNED = 1  # keeps service until the grace of an allow list ends
    LIFELINE = 2  # keeps the lifeline rate alone
    RESTRICTED = 3  # keeps service at a lower rate, up or down
    GAINS = 4  # service
    RAISED = 5  # has service, at a higher rate
    GUARANTEED = 6  # keeps service as it is, by an agreement
    KEEPS = 7  # service as it is
    WITHOUT = 8  # service before and after

    @property
    def word(self) -> str:
        """What documents call it."""
        return self.name.lower()


class Breakdown:
    """Terminals by group and outcome; groups without a terminal concerned are left out."""

    def __init__(self, name: NDArray[np.object_], count: IntArray) -> None:
        """Take the names (G,) and counts (G, 9), one column an `Outcome`."""
        is_there = count.any(axis=1)
        self.name: tuple[str, ...] = tuple(name[is_there].tolist())
        self.count = count[is_there]

    def of(self, outcome: Outcome) -> dict[str, int]:
        """Return how many of each group have an outcome, where there are any."""
        found = self.count[:, outcome].tolist()
        return {name: n for name, n in zip(self.name, found, strict=True) if n}

    @property
    def digest(self) -> str:
        """SHA-256 over names and counts; there may be a million accounts."""
        names = "\0".join(self.name).encode()
        return digest_of(names + b"\0\0" + self.count.astype("<i8").tobytes())


@dataclass(frozen=True)
class AgreementImpact:
    """What a directive means for an agreement that is in force in its cells while it lasts."""

    agreement_id: str
    blocks: bool  # the directive does not get past it without its own quorum
    protects: int  # terminals that keep service by it when the directive starts
    breaks: int  # terminals that lose service although it covers them
    from_s: int
    until_s: int


@dataclass(frozen=True, eq=False)
class ImpactReport:
    """The exact report; it names no terminal, but accounts and sponsors, and small counts."""

    directive: str  # its digest
    does: DirectiveKind
    region_id: str  # "ID@VERSION"
    is_protected: bool  # its geometry is withheld, so no published figure may tell where it is
    at_s: int  # start of the directive, when everything here is decided
    until_s: int | None
    log_size: int  # of the state of the log that was there before
    log_root: str
    terminals: tuple[int, ...]  # by outcome, and likewise below
    by_service_class: Breakdown
    by_account: Breakdown
    by_sponsor: Breakdown
    by_region: Breakdown  # a terminal counts in every region that has its cell
    by_reason: Breakdown  # why there is no service afterwards; "served" where there is
    unguaranteed: int  # terminals that an agreement no longer keeps on
    accounts_cut_off: int  # have service somewhere before and nowhere afterwards
    moving: int  # moving terminals last known in the cells; where they go is not predicted
    unplaced: int  # terminals of the table in no known cell, so in none of these counts
    cells: tuple[int, ...]  # by what becomes of an ordinary terminal there
    people: tuple[int, ...]  # in towns in those cells
    border: BorderImpact | None  # of reductions, where the border is known
    agreements: tuple[AgreementImpact, ...]
    request_ids: tuple[str, ...]  # asked for it

    def encode(self) -> bytes:
        """Return the canonical JSON: what its public form is bound to."""
        return canonical({name: _plain(value) for name, value in vars(self).items()})


def _plain(value: Any) -> Any:
    if isinstance(value, Breakdown):
        return value.digest
    if isinstance(value, BorderImpact | AgreementImpact):
        return asdict(value)
    return [_plain(each) for each in value] if isinstance(value, tuple) else value


def impact_report(
    directive: Directive,
    region: PolicyRegion,
    table: ImpactTable,
    before: Snapshot,
    people: People,
    *,
    border: Border | None = None,
    allow_list: AllowList | None = None,
    is_protected: bool = False,
) -> ImpactReport:
    """Return what a directive would do to the terminals of a table.

    `region` is the version that the directive names, "ID@VERSION" as snapshots call it, with the
    licences that the log has for it; `before` the policy without the directive; `allow_list` the
    one that a restriction brings.
    """
    after = snapshot_with(before, directive, region, allow_list)
    area = cells_that_may_change(before, directive, region)
    rows = table.rows_in(area)
    cells = table.cells[rows]
    # The table's terminals, and in each cell an ordinary one, are decided in one go.
    terminals, places = table.take(rows, area.size), np.append(cells, area)
    both = Change.of(before, after, terminals, places, directive.from_s)
    change, here = both.part(slice(rows.size)), both.part(slice(rows.size, None))
    losing = change.outcome == Outcome.LOSES
    return ImpactReport(
        directive=directive.digest,
        does=directive.does,
        region_id=region.region_id,
        is_protected=is_protected,
        at_s=directive.from_s,
        until_s=directive.until_s,
        log_size=before.log_size,
        log_root=before.log_root,
        terminals=_by_outcome(change.outcome),
        by_service_class=_breakdown(table.service_class, rows, change.outcome),
        by_account=_breakdown(table.account, rows, change.outcome),
        by_sponsor=_breakdown(table.sponsor, rows, change.outcome),
        by_region=_by_region(after.regions, table, rows, change.outcome),
        by_reason=_breakdown(_reasons(change.after), np.arange(rows.size), change.outcome),
        unguaranteed=int(np.count_nonzero(change.is_unguaranteed())),
        accounts_cut_off=_accounts_cut_off(table, rows, change, before, directive.from_s),
        moving=int(np.count_nonzero(table.is_moving[rows])),
        unplaced=table.unplaced,
        cells=_by_outcome(here.outcome),
        people=_people(people, area, here.outcome),
        border=(
            border_impact(border, region.cells, cells[losing], people)
            if border is not None and directive.does in _ACROSS_BORDERS
            else None
        ),
        agreements=_agreements(directive, region, before, change),
        request_ids=directive.request_ids,
    )


# Terminals, decided twice


@dataclass(frozen=True, eq=False)
class Change:
    """The decisions for N terminals without and with a directive, and what that does to each."""

    before: Decisions
    after: Decisions
    outcome: NDArray[np.int8]  # (N,) of `Outcome`

    @classmethod
    def of(
        cls, before: Snapshot, after: Snapshot, terminals: Terminals, cells: CellArray, at_s: int
    ) -> "Change":
        """Return the change from one policy to another at a time, s since 1970 UTC."""
        was = decide_all(before, terminals, cells, at_s)
        then = decide_all(after, terminals, cells, at_s)
        return cls(was, then, _outcomes(was, then))

    def part(self, rows: slice) -> "Change":
        """Return some of the terminals."""
        return Change(_part(self.before, rows), _part(self.after, rows), self.outcome[rows])

    def is_unguaranteed(self) -> BoolArray:
        """Return which terminals (N,) an agreement kept on, and keeps on no longer."""
        was, is_now = (each.rule == Rule.GUARANTEED for each in (self.before, self.after))
        return np.asarray(was & ~is_now)


def _part(decisions: Decisions, rows: slice) -> Decisions:
    columns = (each.name for each in fields(decisions) if each.name != "records")
    return replace(decisions, **{name: getattr(decisions, name)[rows] for name in columns})


def _outcomes(before: Decisions, after: Decisions) -> NDArray[np.int8]:
    was_on, is_on = before.reason == SERVED, after.reason == SERVED
    fell = (after.max_down_bps < before.max_down_bps) | (after.max_up_bps < before.max_up_bps)
    rose = (after.max_down_bps > before.max_down_bps) | (after.max_up_bps > before.max_up_bps)
    holds_that = {
        Outcome.LOSES: was_on & ~is_on,
        Outcome.WARNED: was_on & (after.warned_until_s > 0) & (before.warned_until_s == 0),
        Outcome.LIFELINE: was_on & fell & (after.rule == Rule.SUSPENDED),
        Outcome.RESTRICTED: was_on & fell,
        Outcome.GAINS: ~was_on & is_on,
        Outcome.RAISED: was_on & rose,
        Outcome.GUARANTEED: was_on & (after.rule == Rule.GUARANTEED),
        Outcome.KEEPS: was_on,
    }
    return np.select([*holds_that.values()], [*holds_that], Outcome.WITHOUT).astype(np.int8)


def _by_outcome(outcome: NDArray[np.int8]) -> tuple[int, ...]:
    return tuple(np.bincount(outcome, minlength=len(Outcome)).tolist())


def _breakdown(names: Names, rows: IntArray, outcome: NDArray[np.int8]) -> Breakdown:
    """Return the outcomes (R,) of some rows of a column of names by name."""
    return Breakdown(names.name, _counts(names.code[rows], names.name.size, outcome))


def _counts(group: IntArray, groups: int, outcome: NDArray[np.int8]) -> IntArray:
    """Return how many terminals (R,) are of each group and outcome, (G, 9)."""
    count = np.bincount(group * len(Outcome) + outcome, minlength=groups * len(Outcome))
    return count.reshape(-1, len(Outcome))


def _reasons(decisions: Decisions) -> Names:
    """Return why terminals (N,) have no service, as names."""
    number = np.where(decisions.reason == SERVED, len(REASONS), decisions.reason)
    return Names(np.array([*REASONS, "served"], dtype=object), number.astype(np.int64))


def _by_region(
    regions: Sequence[PolicyRegion], table: ImpactTable, rows: IntArray, outcome: NDArray[np.int8]
) -> Breakdown:
    """Return the outcomes (R,) of some rows by region; a cell may be in several."""
    by_cell = _counts(table.cell_code[rows], table.cell.size, outcome)
    names = np.array([region.region_id for region in regions], dtype=object)
    count = [by_cell[np.isin(table.cell, region.cells)].sum(axis=0) for region in regions]
    return Breakdown(names, np.array(count).reshape(-1, len(Outcome)))


def _accounts_cut_off(
    table: ImpactTable, rows: IntArray, change: Change, before: Snapshot, at_s: int
) -> int:
    """Return how many accounts have service before the directive and none, anywhere, after."""
    code, is_on = table.account.code, change.after.reason == SERVED
    is_cut = np.zeros(table.account.name.size, dtype=bool)
    is_cut[code[rows[change.outcome == Outcome.LOSES]]] = True
    is_cut[table.account.name == ""] = False  # no account
    is_cut[code[rows[is_on]]] = False
    is_outside = is_cut[code]
    is_outside[rows] = False
    others = np.flatnonzero(is_outside)
    if others.size:
        elsewhere = decide_all(before, table.take(others), table.cells[others], at_s)
        is_cut[code[others[elsewhere.reason == SERVED]]] = False
    return int(np.count_nonzero(is_cut))


def _people(people: People, area: CellArray, outcome: NDArray[np.int8]) -> tuple[int, ...]:
    """Return the people in cells (C,), ascending, by what becomes of an ordinary terminal."""
    here = people.take(np.isin(people.cell, area))
    count = np.zeros(len(Outcome), dtype=np.int64)
    np.add.at(count, outcome[np.searchsorted(area, here.cell)], here.population)
    return tuple(count.tolist())


# Agreements


def _agreements(
    directive: Directive, region: PolicyRegion, before: Snapshot, change: Change
) -> tuple[AgreementImpact, ...]:
    """Return what becomes of the agreements that a directive touches."""
    touched = agreements_touched(directive, region, before)
    blocking = {a.agreement_id for a in blocking_agreements(directive, region, before, touched)}
    is_guaranteed = change.after.rule == Rule.GUARANTEED
    is_cut = change.outcome == Outcome.LOSES
    protects = _count_by_agreement(change.after, change.after.decider[is_guaranteed])
    breaks = _count_by_agreement(change.after, change.after.breached[is_cut])
    return tuple(
        AgreementImpact(
            agreement_id=each.agreement_id,
            blocks=each.agreement_id in blocking,
            protects=protects.get(each.agreement_id, 0),
            breaks=breaks.get(each.agreement_id, 0),
            from_s=each.from_s,
            until_s=each.until_s,
        )
        for each in touched
    )


def _count_by_agreement(decisions: Decisions, index: IntArray) -> dict[str, int]:
    count: dict[str, int] = {}
    numbers, found = np.unique(index[index >= 0], return_counts=True)
    for number, n in zip(numbers.tolist(), found.tolist(), strict=True):
        record = decisions.records[number]
        if isinstance(record, Agreement):
            count[record.agreement_id] = count.get(record.agreement_id, 0) + n
    return count


def agreements_touched(
    directive: Directive, region: PolicyRegion, snapshot: Snapshot
) -> tuple[Agreement, ...]:
    """Return the agreements in force at any time of a directive whose cells meet its region's."""
    meeting = {
        each.region_id for each in snapshot.regions if np.isin(each.cells, region.cells).any()
    }
    return tuple(
        each
        for each in snapshot.agreements
        if directive.from_s < each.until_s
        and (directive.until_s is None or each.from_s < directive.until_s)
        and not meeting.isdisjoint(each.region_ids)
    )


def blocking_agreements(
    directive: Directive,
    region: PolicyRegion,
    snapshot: Snapshot,
    touched: Sequence[Agreement],
) -> tuple[Agreement, ...]:
    """Return those of the touched agreements that a directive needs the own quorum of.

    An exclusion meets a guarantee head on, so every agreement that it touches blocks it, and so
    does the loss of a licence.  Other reductions leave guaranteed service on; agreements for
    everyone block a suspension or restriction to which they leave no cell, and an emergency
    suspension, which nobody's quorum then helps, wherever they meet it.  An agreement does not
    block what invokes one of its exceptions.
    """
    if directive.does is DirectiveKind.LIFT_GUARANTEE:
        named = snapshot.agreement_by_id.get(lifted_agreement(directive, snapshot))
        return (named,) if named else ()
    found = [
        each
        for each in touched
        if not directive.exception or directive.exception not in each.exceptions
    ]
    if directive.does is DirectiveKind.EXCLUDE or _takes_licence(directive, region):
        return tuple(found)
    for_all = [each for each in found if each.is_for_all]
    if directive.does is DirectiveKind.EMERGENCY_SUSPEND:
        return tuple(for_all)
    leaves_nothing = directive.does in _YIELD and _cover(for_all, region, snapshot)
    return tuple(for_all) if leaves_nothing else ()


def _takes_licence(directive: Directive, region: PolicyRegion) -> bool:
    """Return whether an amendment leaves less of an administration's licence than there is."""
    new = directive.licence
    if directive.does is not DirectiveKind.AMEND_LICENCE or new is None:
        return False
    known = [each for each in region.licences if each.administration == new.administration]
    if not known or new.status != LicenceStatus.VALID or new.from_s > known[-1].from_s:
        return True
    ends_s = known[-1].until_s
    return new.until_s is not None and (ends_s is None or new.until_s < ends_s)


def _cover(agreements: Sequence[Agreement], region: PolicyRegion, snapshot: Snapshot) -> bool:
    """Return whether agreements together have every cell of a region."""
    names = {name for each in agreements for name in each.region_ids}
    covered = [np.isin(region.cells, snapshot.region_by_id[name].cells) for name in names]
    return bool(np.any(covered, axis=0).all()) if covered else False
