"""What each signed document does when it is logged: checked first, then applied whole.

Every act refuses in one line before it changes anything.  The log's writer shows that line and
appends nothing; a reader of the log lists it beside the entry, which then has no effect.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from skyweave.control.domain import clockwork, guarantees, quorums, rules
from skyweave.control.domain.documents import (
    DAY_S,
    DOCUMENTS,
    AgreementRecord,
    Approval,
    Charter,
    Directive,
    DirectiveKind,
    Failure,
    KeyRecord,
    Lift,
    Listing,
    Need,
    Proposal,
    RegionRecord,
    Request,
    Revocation,
    Withdrawal,
    parse_document,
)
from skyweave.control.domain.entries import LoggedEntry
from skyweave.control.domain.keyring import public_keys, records_of
from skyweave.control.domain.machine import COMING, UNDECIDED, Event, State, next_state
from skyweave.control.domain.objects import content_of, replacement
from skyweave.control.domain.quorums import Poll
from skyweave.control.domain.state import DirectiveState, Ledger, Notice, quoted
from skyweave.control.signing.dsse import Envelope, signers
from skyweave.control.signing.keys import PublicKey
from skyweave.errors import InputError
from skyweave.policy.threshold import CLOCK_TOLERANCE_S, Choice, Question, Quorum, Refusal, Vote

K = DirectiveKind

MAX_SEALED_S = 366 * DAY_S  # how long a request's text may stay sealed
FAILURE_NEED = Need(role="operator", people=2)


def apply(ledger: Ledger, entry: LoggedEntry) -> None:
    """Let a logged document have its effect, or refuse it; time has been advanced to it."""
    model = DOCUMENTS.get(entry.envelope.payload_type)
    if model is None:
        raise InputError(
            f'"{entry.envelope.payload_type[:80]}" is no document of an authority; sign it anew'
        )
    document = parse_document(entry.envelope.payload, model, model.kind)
    _ACTS[model](ledger, document, entry)


# Who signed


def signed_by(ledger: Ledger, entry: LoggedEntry) -> tuple[str, ...]:
    """Return the ids of the charter's keys that signed an entry and count at its time."""
    return _signed_by(ledger, entry, ledger.charter, ledger.keys)


def _signed_by(
    ledger: Ledger, entry: LoggedEntry, charter: Charter, keys: Mapping[str, PublicKey]
) -> tuple[str, ...]:
    envelope = entry.envelope
    found = signers(envelope, keys, envelope.payload_type)
    if not found:
        raise InputError("not signed by any key of the charter; sign it with a key that is in it")
    records = records_of(charter)
    refused = {each: _why_not(ledger, each, records[each], entry.logged_s) for each in found}
    counting = tuple(each for each in found if not refused[each])
    if not counting:
        raise InputError(next(iter(refused.values())))
    return counting


def _why_not(ledger: Ledger, key_id: str, record: KeyRecord, at_s: int) -> str:
    """Return why a key's signature counts for nothing, "" where it counts."""
    who = f'the key of "{record.person}"'
    if _is_revoked(ledger, key_id):
        return f"{who} was revoked by entry {ledger.revoked[key_id]}; sign with another key"
    if not _is_in_its_time(record, at_s):
        return f"{who} is not in its time; have the charter amended with a new key"
    return ""


def _is_revoked(ledger: Ledger, key_id: str) -> bool:
    return key_id in ledger.revoked


def _is_in_its_time(record: KeyRecord, at_s: int) -> bool:
    return record.not_before_s <= at_s < record.not_after_s


def _poll_of_signers(ledger: Ledger, entry: LoggedEntry) -> Poll:
    return Poll.of_signers(
        signed_by(ledger, entry), ledger.charter, entry.logged_s, entry.index, ledger.revoked
    )


def _require(quorum: Quorum, what: str) -> None:
    if not quorum:
        raise InputError(
            f"{what}: {quorum.role}: signed by {'; '.join(quorum.missing)}; have the others sign "
            "the same document"
        )


# Regions, agreements, requests, keys


def _region(ledger: Ledger, record: RegionRecord, entry: LoggedEntry) -> None:
    signed_by(ledger, entry)
    rules.check_new_region(ledger, record, entry.logged_s)
    clockwork.put_region(ledger, record, entry.index, entry.logged_s)


def _agreement(ledger: Ledger, record: AgreementRecord, entry: LoggedEntry) -> None:
    what = f'agreement "{record.agreement_id}"'
    rules.refuse_expired_charter(ledger.charter, entry.logged_s)
    _refuse_known_agreement(ledger, record, what)
    rules.check_agreement(ledger, record, entry.logged_s)
    poll = _poll_of_signers(ledger, entry)
    _require(quorums.agreement_quorum(ledger.charter, record, poll, every_party=True), what)
    for need in ledger.charter.agreement_needs:
        _require(quorums.need_quorum(ledger.charter, need, poll), what)
    clockwork.put_agreement(ledger, record, entry.index, entry.logged_s)


def _refuse_known_agreement(ledger: Ledger, record: AgreementRecord, what: str) -> None:
    """An agreement signed over another of its id would amend it without its own quorum."""
    if record.agreement_id in ledger.agreements:
        raise InputError(f"{what} is in the log; a new version takes amend_agreement")
    if record.version != 1:
        raise InputError(f"{what}: version {record.version}; the first has number 1")


def _request(ledger: Ledger, request: Request, entry: LoggedEntry) -> None:
    """Record what was asked; it changes nothing else, whoever asked."""
    what = f'request "{request.request_id}"'
    signed_by(ledger, entry)
    if request.request_id in ledger.requests:
        raise InputError(f"{what} is in the log; choose another id")
    if request.received_s > entry.logged_s + CLOCK_TOLERANCE_S:
        raise InputError(f"{what}: received later than it is logged; correct its time")
    if request.publish_by_s is None:
        content_of(ledger.objects, request.text, f"{what}: text")
    elif not entry.logged_s < request.publish_by_s <= entry.logged_s + MAX_SEALED_S:
        raise InputError(
            f"{what}: its text is to be public within {MAX_SEALED_S // DAY_S} days of the log; "
            "change publish_by_s"
        )
    ledger.requests[request.request_id] = request, entry.index


def _revocation(ledger: Ledger, revocation: Revocation, entry: LoggedEntry) -> None:
    key_id = revocation.key_id
    if key_id not in ledger.keys:
        raise InputError(f"key {key_id[:12]}... is none of the charter; check its id")
    if key_id in ledger.revoked:
        raise InputError(f"key {key_id[:12]}... was revoked by entry {ledger.revoked[key_id]}")
    _refuse_unauthorised_revocation(ledger, key_id, entry)
    ledger.revoked[key_id] = entry.index


def _refuse_unauthorised_revocation(ledger: Ledger, key_id: str, entry: LoggedEntry) -> None:
    """Whoever could revoke others' keys alone could thin out a quorum until theirs is enough."""
    if key_id in signed_by(ledger, entry):
        return
    root = quorums.need_quorum(ledger.charter, ledger.charter.root, _poll_of_signers(ledger, entry))
    _require(root, f"revocation of key {key_id[:12]}...: not by the key itself")


def _charter(ledger: Ledger, charter: Charter, entry: LoggedEntry) -> None:
    """No charter comes in by itself: the roots of both versions vote on it, with notice."""
    raise InputError("a charter stands in the first entry; propose amend_charter to change it")


# Proposals and votes


def _proposal(ledger: Ledger, proposal: Proposal, entry: LoggedEntry) -> None:
    key_ids = signed_by(ledger, entry)
    _refuse_second_proposer(entry.envelope)
    directive = proposal.directive
    proposer = ledger.person_of(key_ids[0])
    rules.check_proposal(ledger, proposal, proposer, entry.logged_s)
    lists = () if directive.allow_list is None else ((directive.allow_list, entry.logged_s),)
    state = DirectiveState(
        proposal, proposal.question, entry.index, proposer, (), allow_lists=lists
    )
    after = clockwork.step(
        ledger, state, Event.PROPOSE, entry.logged_s, entry.index, f'proposed by "{proposer}"'
    )
    clockwork.set_timer(ledger, after, Event.APPROVALS_OVER, directive.approvals_until_s)
    _check_again_when_public(ledger, after, entry.logged_s)


def _refuse_second_proposer(envelope: Envelope) -> None:
    """Who proposes does not vote, so it must be plain who that is."""
    if len(envelope.signatures) != 1:
        raise InputError("a proposal has one signature, its proposer's; the others approve it")


def _check_again_when_public(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """Set the day on which the agreements that a directive named can be held against its cells."""
    directive = state.proposal.directive
    if not guarantees.met(ledger, directive, at_s, state.entry)[1]:
        return
    met = guarantees.in_force(ledger, directive, state.entry)
    regions = [ledger.region(directive.region_id), *(r for each in met for r in each.regions)]
    days = {region.record.publish_by_s for region in regions}
    for day_s in sorted(day_s for day_s in days if day_s is not None and day_s > at_s):
        clockwork.set_timer(ledger, state, Event.CHANGED, day_s)


def _vote(ledger: Ledger, approval: Approval, entry: LoggedEntry) -> None:
    state = ledger.directive(approval.directive_id)
    next_state(approval.directive_id, state.story, Event.VOTE)
    _refuse_vote_under_expired_charter(ledger, state, entry)
    _refuse_unknown_choice(approval)
    votes = tuple(_vote_of(approval, each) for each in _voters(ledger, state, entry))
    count = Count(ledger, state, (*state.votes, *votes), entry.logged_s, entry.index)
    _refuse_uncounted(votes, count.all_quorums)
    after = clockwork.step(
        ledger,
        state,
        Event.VOTE,
        entry.logged_s,
        entry.index,
        _told(approval, votes, count.all_quorums),
        votes=count.votes,
        quorums=count.all_quorums,
        blocked_by=(),
    )
    _conclude(ledger, after, count, entry)


class Count:
    """Votes on a directive counted for all who must sign, at a time and a place of the log."""

    def __init__(
        self,
        ledger: Ledger,
        state: DirectiveState,
        votes: tuple[Vote, ...],
        at_s: int,
        at_entry: int,
    ) -> None:
        version = ledger.charter.version
        question = Question(state.question, version, at_s, at_entry, state.proposer)
        poll = Poll(question, votes, ledger.revoked)
        self.quorums = route_quorums(ledger, state, poll)
        self.stopped_by, of_agreements = guarantees.counted(ledger, state, poll)
        self.all_quorums = (*self.quorums, *of_agreements)
        # Of one key the newest word counts; the older ones need not be kept.
        self.votes = tuple(
            each
            for each in votes
            if quorums.refusal_of(each, self.all_quorums) is not Refusal.DUPLICATE_KEY
        )


def recount(ledger: Ledger, at_s: int) -> None:
    """Count again what is not decided yet, for readers: keys expire and are revoked meanwhile."""
    for directive_id, state in ledger.directives.items():
        if state.state in UNDECIDED:
            count = Count(ledger, state, state.votes, at_s, ledger.size)
            ledger.directives[directive_id] = replace(state, quorums=count.all_quorums)


def _told(approval: Approval, votes: tuple[Vote, ...], counted: tuple[Quorum, ...]) -> str:
    """Return who voted how, in words."""
    key_ids = {vote.key_id for vote in votes}
    heard = [key for quorum in counted for key in (*quorum.approved, *quorum.rejected)]
    people = sorted({key.person for key in heard if key.key_id in key_ids})
    return f"a vote to {approval.decision} by {', '.join(people)}"


def route_quorums(ledger: Ledger, state: DirectiveState, poll: Poll) -> tuple[Quorum, ...]:
    """Return how the votes stand on every need that a directive must meet, agreements aside."""
    directive = state.proposal.directive
    needs = rules.needs_of(ledger, directive, rules.route_of(ledger, directive))
    found = [
        quorums.need_quorum(ledger.charter, need, poll, directive.administration) for need in needs
    ]
    return (*found, *_quorums_of_successor(ledger, state, poll))


def _quorums_of_successor(ledger: Ledger, state: DirectiveState, poll: Poll) -> tuple[Quorum, ...]:
    """Return the quorums that a new version itself asks for, beside those of the old one."""
    if state.does is K.AMEND_CHARTER:
        new = replacement(ledger.objects, state.proposal, Charter)
        return (quorums.need_quorum(new, new.root, poll),)
    if state.does is K.AMEND_AGREEMENT:
        record = replacement(ledger.objects, state.proposal, AgreementRecord)
        needs = ledger.charter.agreement_needs
        return (
            quorums.agreement_quorum(ledger.charter, record, poll, every_party=True),
            *(quorums.need_quorum(ledger.charter, need, poll) for need in needs),
        )
    return ()


def _conclude(ledger: Ledger, state: DirectiveState, count: Count, entry: LoggedEntry) -> None:
    """Approve, block or reject a directive where the votes by now say so."""
    at_s = entry.logged_s
    never = [quorum.role for quorum in count.quorums if not quorum.can_be_met]
    if never:
        why = f'"{never[0]}" can no longer be met'
        clockwork.end(ledger, state, Event.REJECT, at_s, entry.index, why)
    elif all(count.quorums) and count.stopped_by:
        names = ", ".join(count.stopped_by)
        clockwork.step(
            ledger, state, Event.BLOCK, at_s, entry.index, f"agreement {names} forbids it",
            blocked_by=count.stopped_by,
        )  # fmt: skip
    elif all(count.quorums):
        names = ", ".join(dict.fromkeys(k.person for k in quorums.approvers(count.all_quorums)))
        clockwork.approve(
            ledger, state, entry.index, at_s, f"approved by {names}", entry.witnessed_s
        )


def _voters(ledger: Ledger, state: DirectiveState, entry: LoggedEntry) -> tuple[str, ...]:
    """Return whose votes an entry holds; on a new charter its own keys are heard too."""
    if state.does is not K.AMEND_CHARTER:
        return signed_by(ledger, entry)
    new = replacement(ledger.objects, state.proposal, Charter)
    keys = public_keys(new) | ledger.keys
    both = ledger.charter.model_copy(update={"keys": (*new.keys, *ledger.charter.keys)})
    return _signed_by(ledger, entry, both, keys)


def _vote_of(approval: Approval, key_id: str) -> Vote:
    return Vote(
        key_id,
        approval.question,
        approval.charter_version,
        Choice(approval.decision),
        approval.signed_s,
        approval.expires_s,
    )


def _refuse_unknown_choice(approval: Approval) -> None:
    if approval.decision not in set(Choice):
        raise InputError(
            f"vote on {quoted(approval.directive_id)}: decision {quoted(approval.decision)}; "
            f"expected {' or '.join(Choice)}"
        )


def _refuse_vote_under_expired_charter(
    ledger: Ledger, state: DirectiveState, entry: LoggedEntry
) -> None:
    if state.does is not K.AMEND_CHARTER:
        rules.refuse_expired_charter(ledger.charter, entry.logged_s)


def _refuse_uncounted(votes: tuple[Vote, ...], counted: tuple[Quorum, ...]) -> None:
    """Refuse votes that count nowhere, with the reason that says most."""
    reasons = [quorums.refusal_of(vote, counted) for vote in votes]
    if first := next(iter(reasons)) if None not in reasons else None:
        raise InputError(f"the vote does not count: {first.text}; sign anew what is voted on now")


# What people do to a directive afterwards


def _withdrawal(ledger: Ledger, withdrawal: Withdrawal, entry: LoggedEntry) -> None:
    state = ledger.directive(withdrawal.directive_id)
    who = {ledger.person_of(key_id) for key_id in signed_by(ledger, entry)}
    _refuse_withdrawal_by_others(state, who)
    clockwork.end(
        ledger, state, Event.WITHDRAW, entry.logged_s, entry.index,
        f"withdrawn by its proposer: {withdrawal.reason}",
    )  # fmt: skip


def _refuse_withdrawal_by_others(state: DirectiveState, who: set[str]) -> None:
    """Else anybody could keep any decision from ever being taken."""
    if state.proposer not in who:
        raise InputError(
            f'directive "{state.proposal.directive.directive_id}" was proposed by '
            f'"{state.proposer}", who alone may withdraw it; vote against it instead'
        )


def _lift(ledger: Ledger, lift: Lift, entry: LoggedEntry) -> None:
    state = ledger.directive(lift.directive_id)
    directive = state.proposal.directive
    organisations = {ledger.organisation_of(key_id) for key_id in signed_by(ledger, entry)}
    _refuse_lift_of_service(directive)
    if directive.owner not in organisations:
        raise InputError(
            f'directive "{directive.directive_id}": its owner "{directive.owner}" may lift it '
            "early; ask them, or propose resume"
        )
    clockwork.end(
        ledger, state, Event.LIFT, entry.logged_s, entry.index,
        f"lifted by its owner: {lift.reason}",
    )  # fmt: skip


def _refuse_lift_of_service(directive: Directive) -> None:
    """One signature ends a reduction; ending an activation so would be a switch in one hand."""
    if not directive.does.is_reduction:
        raise InputError(
            f'directive "{directive.directive_id}" gives service and is not lifted by one '
            "signature; propose suspend"
        )


def _failure(ledger: Ledger, failure: Failure, entry: LoggedEntry) -> None:
    state = ledger.directive(failure.directive_id)
    poll = _poll_of_signers(ledger, entry)
    _require(quorums.need_quorum(ledger.charter, FAILURE_NEED, poll), "failure")
    why = f"not carried out by the operator: {failure.reason}"
    if state.does.is_reduction:
        clockwork.end(ledger, state, Event.FAIL, entry.logged_s, entry.index, why)
    else:
        _record_breach(ledger, state, entry, why)


def _record_breach(ledger: Ledger, state: DirectiveState, entry: LoggedEntry, why: str) -> None:
    """An activation goes on in the record though its operator refuses: that is the breach."""
    next_state(state.proposal.directive.directive_id, state.story, Event.FAIL)
    text = f'breach of "{state.proposal.directive.directive_id}": {why}'
    ledger.notices.append(Notice(entry.index, entry.logged_s, text))


def _listing(ledger: Ledger, listing: Listing, entry: LoggedEntry) -> None:
    state = ledger.directive(listing.directive_id)
    directive = state.proposal.directive
    organisations = {ledger.organisation_of(key_id) for key_id in signed_by(ledger, entry)}
    if state.state not in (*COMING, State.EFFECTIVE) or not state.allow_lists:
        raise InputError(
            f'directive "{directive.directive_id}" has no allow list in force; propose restrict '
            "with one"
        )
    if directive.owner not in organisations:
        raise InputError(
            f'directive "{directive.directive_id}": its owner "{directive.owner}" keeps its list; '
            "ask them"
        )
    if listing.before != state.allow_lists[-1][0]:
        raise InputError(
            f'directive "{directive.directive_id}": the list was changed meanwhile; make the '
            "change again on the newest"
        )
    lists = (*state.allow_lists, (listing.after, entry.logged_s))
    ledger.directives[directive.directive_id] = replace(state, allow_lists=lists)


_ACTS: dict[Any, Callable[[Ledger, Any, LoggedEntry], None]] = {
    Charter: _charter,
    RegionRecord: _region,
    AgreementRecord: _agreement,
    Request: _request,
    Proposal: _proposal,
    Approval: _vote,
    Withdrawal: _withdrawal,
    Lift: _lift,
    Failure: _failure,
    Revocation: _revocation,
    Listing: _listing,
}
