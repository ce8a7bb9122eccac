"""What time brings to directives, and what they do when they start or end.

Timers follow from logged and witnessed times alone.  Of several at one second the ends come first
([from, until)), then what withheld geometry shows, then starts in the order of the log.
"""

import heapq
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from skyweave.control.domain import guarantees, rules
from skyweave.control.domain.documents import (
    AgreementRecord,
    Charter,
    Directive,
    DirectiveKind,
    LicenceRecord,
    RegionRecord,
)
from skyweave.control.domain.machine import (
    COMING,
    UNDECIDED,
    Event,
    State,
    Step,
    can,
    next_state,
)
from skyweave.control.domain.objects import geometry_in, replacement
from skyweave.control.domain.state import (
    AgreementState,
    CharterVersion,
    DirectiveState,
    Ledger,
    Notice,
    RegionVersion,
)
from skyweave.errors import InputError
from skyweave.policy.snapshot import Licence

K = DirectiveKind

_ORDER = {
    Event.WITNESSED: 0,
    Event.EXPIRE: 1,
    Event.APPROVALS_OVER: 1,
    Event.CHANGED: 2,
    Event.START: 3,
    Event.UNWITNESSED: 4,
}


def set_timer(ledger: Ledger, state: DirectiveState, event: Event, at_s: int) -> None:
    """Let an event come to a directive at a time, if it then still can."""
    directive_id = state.proposal.directive.directive_id
    heapq.heappush(ledger.timers, (at_s, _ORDER[event], state.entry, directive_id, event.value))


def advance(ledger: Ledger, to_s: int) -> None:
    """Let everything happen that time brings until a second, that second included."""
    while ledger.timers and ledger.timers[0][0] <= to_s:
        at_s, _, _, directive_id, event = heapq.heappop(ledger.timers)
        state = ledger.directives[directive_id]
        if can(state.state, Event(event)):
            _ACTIONS[Event(event)](ledger, state, at_s)


def step(
    ledger: Ledger, state: DirectiveState, event: Event, at_s: int, entry: int | None, why: str,
    **changes: Any,
) -> DirectiveState:  # fmt: skip
    """Take a directive one step on; `changes` are fields of its state."""
    directive_id = state.proposal.directive.directive_id
    taken = Step(next_state(directive_id, state.story, event), at_s, entry, why)
    after = replace(state, story=(*state.story, taken), **changes)
    ledger.directives[directive_id] = after
    return after


def end(
    ledger: Ledger, state: DirectiveState, event: Event, at_s: int, entry: int | None, why: str
) -> None:
    """End a directive: where it was in effect it was so until now, elsewhere never."""
    if state.state is State.EFFECTIVE:
        step(ledger, state, event, at_s, entry, why, until_s=at_s)
    else:
        step(ledger, state, event, at_s, entry, why, from_s=None, until_s=None)


# From the approval to the start


def approve(ledger: Ledger, state: DirectiveState, entry: int, at_s: int, why: str,
            witnessed_s: int | None) -> None:  # fmt: skip
    """Latch an approval: from here on only time, witnesses and other directives change it."""
    seen_s = None if witnessed_s is None else max(witnessed_s, at_s)
    after = step(
        ledger, state, Event.QUORUM, at_s, entry, why,
        approved_entry=entry, approved_s=at_s, witnessed_s=seen_s, blocked_by=(),
    )  # fmt: skip
    directive = state.proposal.directive
    if directive.until_s is not None:
        set_timer(ledger, after, Event.EXPIRE, directive.until_s)
    if seen_s is not None:
        set_timer(ledger, after, Event.WITNESSED, seen_s)
    if rules.may_start_unwitnessed(state.does):
        _schedule(ledger, after, _earliest_s(ledger, after))
        deadline_s = at_s + rules.EMERGENCY_WITNESS_S
        if seen_s is None or seen_s > deadline_s:
            set_timer(ledger, after, Event.UNWITNESSED, deadline_s)


def _earliest_s(ledger: Ledger, state: DirectiveState) -> int:
    """Return the start as approval, notice and witnesses have it."""
    directive = state.proposal.directive
    return max(directive.from_s, _notice_from_s(state) + _notice_s(ledger, directive))


def _notice_from_s(state: DirectiveState) -> int:
    """Return when a notice begins: not before witnesses, and so the public, could see it.

    Else a log could be written at once, dated to the last checkpoint, its notice already over.
    """
    assert state.approved_s is not None
    if state.witnessed_s is None or rules.may_start_unwitnessed(state.does):
        return state.approved_s
    return max(state.approved_s, state.witnessed_s)


def _notice_s(ledger: Ledger, directive: Directive) -> int:
    return rules.route_of(ledger, directive).notice_s


def _schedule(ledger: Ledger, state: DirectiveState, from_s: int) -> None:
    """Set the start; the end stays as proposed, for no start comes before the proposed one."""
    directive = state.proposal.directive
    if directive.until_s is not None and directive.until_s <= from_s:
        return  # it lapses at its end, before it could begin
    scheduled = replace(state, from_s=from_s, until_s=directive.until_s)
    ledger.directives[directive.directive_id] = scheduled
    set_timer(ledger, state, Event.START, from_s)


def _witnessed(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    after = step(ledger, state, Event.WITNESSED, at_s, None, "a quorum of witnesses has seen it")
    if after.state is State.SCHEDULED and not rules.may_start_unwitnessed(state.does):
        _schedule(ledger, after, _earliest_s(ledger, after))


def _start(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    try:
        _check_start(ledger, state, at_s)
    except InputError as error:
        end(ledger, state, Event.CHANGED, at_s, None, str(error))
        return
    after = step(ledger, state, Event.START, at_s, None, "its time has come")
    if after.until_s is not None:
        set_timer(ledger, after, Event.EXPIRE, after.until_s)
    _supersede(ledger, after, at_s)
    effect = _EFFECTS.get(state.does)
    if effect is not None:
        effect(ledger, after, at_s)


def _check_start(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """Refuse what has come to contradict the rules between approval and start."""
    directive = state.proposal.directive
    rules.refuse_unlicensed(ledger, directive, at_s)
    rules.refuse_cooldown(ledger, directive, at_s)
    _refuse_newer_guarantee(ledger, state, at_s)
    _refuse_unknown_guarantee(ledger, state, at_s)
    if state.does is K.AMEND_CHARTER:
        rules.check_new_charter(ledger, state.proposal, at_s)


def _refuse_newer_guarantee(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """An agreement signed while a notice ran is as good as one signed before."""
    newer = guarantees.signed_since_approval(ledger, state, at_s)
    if newer:
        raise InputError(
            f'directive "{state.proposal.directive.directive_id}": agreement '
            f'"{newer[0]}" was signed while its notice ran; propose it anew'
        )


def _refuse_unknown_guarantee(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """Behind withheld cells an exclusion could strike a guaranteed place until they are public."""
    directive = state.proposal.directive
    unknown = guarantees.unknown(ledger, directive, at_s)
    if unknown:
        raise InputError(
            f'directive "{directive.directive_id}": whether its cells meet agreement '
            f'"{unknown[0]}" is not public when it begins; propose it to begin later'
        )


# Ends


def _expire(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    is_coming = state.state in COMING
    why = "its end came before it could begin" if is_coming else "its end has come"
    end(ledger, state, Event.EXPIRE, at_s, None, why)


def _approvals_over(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    end(ledger, state, Event.APPROVALS_OVER, at_s, None, "it was not approved in time")


def _unwitnessed(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    end(
        ledger, state, Event.UNWITNESSED, at_s, None,
        "no quorum of witnesses saw it within an hour",
    )  # fmt: skip


def _published(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """Now that withheld cells are public, hold a directive to the agreements that it named."""
    try:
        rules.refuse_false_list(ledger, state, at_s)
    except InputError as error:
        if state.state is State.EFFECTIVE and not state.does.is_reduction:
            ledger.notices.append(Notice(state.entry, at_s, str(error)))
        else:
            end(ledger, state, Event.CHANGED, at_s, None, str(error))


_ACTIONS: dict[Event, Callable[[Ledger, DirectiveState, int], None]] = {
    Event.WITNESSED: _witnessed,
    Event.EXPIRE: _expire,
    Event.APPROVALS_OVER: _approvals_over,
    Event.CHANGED: _published,
    Event.START: _start,
    Event.UNWITNESSED: _unwitnessed,
}


# What a start does to others


def _supersede(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    other_id = state.proposal.directive.supersedes
    if other_id and can(ledger.directives[other_id].state, Event.SUPERSEDE):
        why = f'"{state.proposal.directive.directive_id}" takes its place'
        end(ledger, ledger.directives[other_id], Event.SUPERSEDE, at_s, state.approved_entry, why)


_RESUMABLE = (K.SUSPEND, K.EMERGENCY_SUSPEND, K.RESTRICT)


def _resume(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """Lift the earlier suspensions and restrictions that lie in a resumption altogether.

    Where one lies there in part, the cell decision ends it in the cells of the resumption.
    """
    directive = state.proposal.directive
    resumed = ledger.region(directive.region_id, directive.region)
    why = f'"{directive.directive_id}" resumes service'
    for other in list(ledger.directives.values()):
        ended = other.proposal.directive
        if (
            other.does in _RESUMABLE
            and can(other.state, Event.LIFT)
            and _was_approved_before(other, state)
            and rules.holds_all(resumed, ledger.region(ended.region_id, ended.region), at_s)
        ):
            end(ledger, other, Event.LIFT, at_s, state.approved_entry, why)


def _was_approved_before(one: DirectiveState, other: DirectiveState) -> bool:
    mine, theirs = one.approved_entry, other.approved_entry
    return mine is not None and theirs is not None and mine < theirs


def _bring_licence(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    directive = state.proposal.directive
    if directive.licence is not None:
        known = ledger.licences.get(directive.region_id, ())
        ledger.licences[directive.region_id] = (*known, rules.licence_of(directive.licence))


def _amend_licence(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """Let a licence be another from now on; what it was stays so for the past."""
    directive = state.proposal.directive
    assert directive.licence is not None
    known = [
        _cut(each, at_s) if each.administration == directive.administration else each
        for each in ledger.licences.get(directive.region_id, ())
    ]
    ledger.licences[directive.region_id] = (*known, _from(directive.licence, at_s))
    _void(
        ledger, state, at_s, f'the licence of region "{directive.region_id}" was amended',
        lambda other: other.region_id == directive.region_id,
    )  # fmt: skip


def _cut(licence: Licence, at_s: int) -> Licence:
    until_s = at_s if licence.until_s is None else min(licence.until_s, at_s)
    return replace(licence, until_s=until_s)


def _from(record: LicenceRecord, at_s: int) -> Licence:
    licence = rules.licence_of(record)
    return replace(licence, from_s=max(licence.from_s, at_s))


def _amend_region(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    record = replacement(ledger.objects, state.proposal, RegionRecord)
    assert state.approved_entry is not None
    put_region(ledger, record, state.approved_entry, at_s)
    _void(
        ledger, state, at_s, f'region "{record.region_id}" has version {record.version} now',
        lambda other: other.region_id == record.region_id,
    )  # fmt: skip


def put_region(ledger: Ledger, record: RegionRecord, entry: int, at_s: int) -> None:
    """Let a version of a region be the newest."""
    try:
        geometry = geometry_in(ledger.objects, record)
    except InputError as error:  # withheld when it was logged, and now not what was hashed
        ledger.notices.append(Notice(entry, at_s, str(error)))
        geometry = None
    known = ledger.regions.get(record.region_id, ())
    ledger.regions[record.region_id] = (
        *known,
        RegionVersion(record, record.digest, entry, at_s, geometry),
    )


def _amend_charter(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    new = replacement(ledger.objects, state.proposal, Charter)
    assert state.approved_entry is not None
    ledger.put_charter(CharterVersion(new, new.digest, state.approved_entry, at_s))
    _void(ledger, state, at_s, f"the charter has version {new.version} now", lambda other: True)


def _amend_agreement(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    record = replacement(ledger.objects, state.proposal, AgreementRecord)
    assert state.approved_entry is not None
    put_agreement(ledger, record, state.approved_entry, at_s)
    _void(
        ledger, state, at_s, f'agreement "{record.agreement_id}" has version {record.version} now',
        lambda other: record.agreement_id in (*other.agreements, other.agreement_id),
    )  # fmt: skip


def put_agreement(ledger: Ledger, record: AgreementRecord, entry: int, at_s: int) -> None:
    """Let a version of an agreement be the newest, over its regions as they are now."""
    regions = tuple(ledger.region(region_id) for region_id in record.region_ids)
    before = ledger.agreements.get(record.agreement_id, ())
    is_running = any(each.holds(at_s) for each in before)
    from_s = at_s if is_running else max(record.from_s, at_s)  # a new version leaves no gap
    known = [replace(each, until_s=min(each.until_s, from_s)) for each in before]
    new = AgreementState(record, entry, regions, from_s, record.until_s)
    ledger.agreements[record.agreement_id] = (*known, new)


_EFFECTS: dict[DirectiveKind, Callable[[Ledger, DirectiveState, int], None]] = {
    K.ACTIVATE: _bring_licence,
    K.RESUME: _resume,
    K.AMEND_LICENCE: _amend_licence,
    K.AMEND_REGION: _amend_region,
    K.AMEND_CHARTER: _amend_charter,
    K.AMEND_AGREEMENT: _amend_agreement,
}


def _void(
    ledger: Ledger,
    because: DirectiveState,
    at_s: int,
    why: str,
    touches: Callable[[Directive], bool],
) -> None:
    """Void every directive that has not begun and that touches what has changed."""
    for other in list(ledger.directives.values()):
        is_open = other.state in (*UNDECIDED, *COMING)
        if other.entry != because.entry and is_open and touches(other.proposal.directive):
            end(ledger, other, Event.CHANGED, at_s, because.approved_entry, why)
