"""Which agreements a directive touches, and which of them stop it.

An exclusion is asked before agreements in a cell's decision, so any agreement in its cells stops
it.  Suspensions and restrictions are asked after them: what an agreement covers stays on by itself,
and only a directive that would leave nothing outside agreements for everyone is stopped, since it
could mean nothing else.  An agreement gives way where its own quorum voted for the same question,
or where the directive invokes an exception that its parties wrote into it.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from skyweave.control.domain.charters import agreements_touched
from skyweave.control.domain.documents import Charter, Directive, DirectiveKind, LicenceRecord
from skyweave.control.domain.objects import replacement
from skyweave.control.domain.quorums import Poll, agreement_quorum
from skyweave.control.domain.state import (
    AgreementState,
    CellArray,
    DirectiveState,
    Ledger,
    RegionVersion,
)
from skyweave.policy.snapshot import LicenceStatus
from skyweave.policy.threshold import Quorum

K = DirectiveKind


def span_of(directive: Directive) -> tuple[int, int | None]:
    """Return from when until when a directive would be in effect, at most."""
    return directive.from_s, directive.until_s


def meets(one: RegionVersion, other: RegionVersion, at_s: int) -> bool | None:
    """Return whether two regions share a cell, None where that is not public at a time."""
    if one.record.geometry == other.record.geometry:
        return True
    mine, theirs = one.public_cells(at_s), other.public_cells(at_s)
    if mine is None or theirs is None:
        return None
    return bool(np.isin(mine, theirs, assume_unique=True).any())


def in_force(ledger: Ledger, directive: Directive, before_entry: int) -> list[AgreementState]:
    """Return the agreements, as logged before an entry, that hold at any time of a directive."""
    found = []
    for versions in ledger.agreements.values():
        known = [each for each in versions if each.entry < before_entry]
        if known and known[-1].may_hold(*span_of(directive)):
            found.append(known[-1])
    return found


def met(
    ledger: Ledger, directive: Directive, at_s: int, before_entry: int
) -> tuple[frozenset[str], frozenset[str]]:
    """Return the ids of agreements that a directive surely meets, and those not known to."""
    if not directive.region_id:
        own = {directive.agreement_id} - {""}
        return frozenset(own), frozenset()
    region = ledger.region(directive.region_id, directive.region)
    surely, perhaps = set(), set()
    for agreement in in_force(ledger, directive, before_entry):
        answers = [meets(region, each, at_s) for each in agreement.regions]
        if any(answers):
            surely.add(agreement.record.agreement_id)
        elif None in answers:
            perhaps.add(agreement.record.agreement_id)
    return frozenset(surely), frozenset(perhaps)


def touched(ledger: Ledger, directive: Directive, at_s: int) -> list[AgreementState]:
    """Return the agreements that a directive meets now; where cells are withheld, as it says."""
    surely, perhaps = met(ledger, directive, at_s, ledger.size)
    named = surely | (perhaps & set(directive.agreements))
    return [ledger.agreement(each) for each in sorted(named)]


def counted(
    ledger: Ledger, state: DirectiveState, poll: Poll
) -> tuple[tuple[str, ...], tuple[Quorum, ...]]:
    """Return the agreements that stop a directive, and how the votes of each were counted."""
    guarding = guards(ledger, state, poll.question.at_s)
    quorums = {
        each.record.agreement_id: agreement_quorum(ledger.charter, each.record, poll)
        for each in guarding
    }
    standing = [
        each for each in guarding if not _gives_way(state, each, quorums[each.record.agreement_id])
    ]
    if state.does in _PROTECTED_BY_DECISION:
        standing = _covering(ledger, state.proposal.directive, standing, poll.question.at_s)
    return tuple(each.record.agreement_id for each in standing), tuple(quorums.values())


def guards(ledger: Ledger, state: DirectiveState, at_s: int) -> list[AgreementState]:
    """Return the agreements whose word a directive may need."""
    directive = state.proposal.directive
    if state.does in (K.LIFT_GUARANTEE, K.AMEND_AGREEMENT):
        return [ledger.agreement(directive.agreement_id)]
    if state.does is K.AMEND_CHARTER:
        return _keys_changed(ledger, state, at_s)
    if state.does is K.EXCLUDE or takes_licence(ledger, directive):
        return touched(ledger, directive, at_s)
    if state.does in (*_PROTECTED_BY_DECISION, K.EMERGENCY_SUSPEND):
        return [each for each in touched(ledger, directive, at_s) if _is_for_all(each)]
    return []


def takes_licence(ledger: Ledger, directive: Directive) -> bool:
    """Return whether an amendment leaves less of a licence than there is."""
    if directive.does is not K.AMEND_LICENCE or directive.licence is None:
        return False
    now = [
        each
        for each in ledger.licences.get(directive.region_id, ())
        if each.administration == directive.licence.administration
    ]
    return not now or not _is_as_good(directive.licence, now[-1].from_s, now[-1].until_s)


def _is_as_good(new: LicenceRecord, from_s: int, until_s: int | None) -> bool:
    lasts = new.until_s is None or (until_s is not None and new.until_s >= until_s)
    return new.status == LicenceStatus.VALID and new.from_s <= from_s and lasts


_PROTECTED_BY_DECISION = (K.SUSPEND, K.RESTRICT)


def _gives_way(state: DirectiveState, agreement: AgreementState, quorum: Quorum) -> bool:
    directive = state.proposal.directive
    if _is_excepted(directive, agreement):
        return True
    # In an emergency there is no time to ask whether all the parties meant it.
    return _own_quorum_agrees(quorum) and directive.does is not K.EMERGENCY_SUSPEND


def _is_excepted(directive: Directive, agreement: AgreementState) -> bool:
    """Return whether the parties themselves let this take precedence."""
    can_invoke = directive.does not in (K.LIFT_GUARANTEE, K.AMEND_AGREEMENT, K.AMEND_CHARTER)
    return can_invoke and directive.exception != "" and (
        directive.exception in agreement.record.exceptions
    )  # fmt: skip


def _own_quorum_agrees(quorum: Quorum) -> bool:
    return bool(quorum)


def _covering(
    ledger: Ledger, directive: Directive, agreements: Sequence[AgreementState], at_s: int
) -> list[AgreementState]:
    """Return the agreements where together they leave none of the directive's cells, else none."""
    region = ledger.region(directive.region_id, directive.region)
    regions = [each for agreement in agreements for each in agreement.regions]
    if any(each.record.geometry == region.record.geometry for each in regions):
        return list(agreements)
    cells = region.public_cells(at_s)
    if cells is None:
        return []
    return list(agreements) if not left(cells, regions, at_s).size else []


def left(cells: CellArray, regions: Iterable[RegionVersion], at_s: int) -> CellArray:
    """Return the cells that none of the regions has."""
    for region in regions:
        theirs = region.public_cells(at_s)
        if theirs is not None:
            cells = np.setdiff1d(cells, theirs, assume_unique=True)
    return cells


def _is_for_all(agreement: AgreementState) -> bool:
    record = agreement.record
    return not record.terminal_hashes and not record.account_hashes


def _keys_changed(ledger: Ledger, state: DirectiveState, at_s: int) -> list[AgreementState]:
    """Return the agreements of whose parties a new charter changes keys."""
    new = replacement(ledger.objects, state.proposal, Charter)
    newest = [each[-1] for each in ledger.agreements.values()]
    living = {each.record.agreement_id: each for each in newest if at_s < each.until_s}
    ids = agreements_touched(ledger.charter, new, [each.record for each in living.values()])
    return [living[each] for each in ids]


_STOPPED_LATER = (K.EXCLUDE, K.AMEND_LICENCE, K.EMERGENCY_SUSPEND, K.AMEND_CHARTER)


def signed_since_approval(ledger: Ledger, state: DirectiveState, at_s: int) -> list[str]:
    """Return the agreements, signed after a directive was approved, that would have stopped it."""
    if state.does not in _STOPPED_LATER or state.approved_entry is None:
        return []
    return [
        each.record.agreement_id
        for each in guards(ledger, state, at_s)
        if each.entry > state.approved_entry and not _is_excepted(state.proposal.directive, each)
    ]


def unknown(ledger: Ledger, directive: Directive, at_s: int) -> tuple[str, ...]:
    """Return the agreements that what is asked before agreements may meet, for all that is public.

    Those that the directive names are not unknown: their own quorums were asked.
    """
    if directive.does is not K.EXCLUDE and not takes_licence(ledger, directive):
        return ()
    perhaps = met(ledger, directive, at_s, ledger.size)[1]
    return tuple(sorted(perhaps - set(directive.agreements)))
