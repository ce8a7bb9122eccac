"""What a proposal must be before anybody votes on it: one small rule each, refusing in one line.

Every rule is called by its name in this module, so that a test can take one away and show which
attack it stops.
"""

from collections.abc import Iterator, Sequence

from skyweave.control.domain import charters, guarantees, quorums
from skyweave.control.domain.documents import (
    DAY_S,
    AgreementRecord,
    Charter,
    Directive,
    DirectiveKind,
    FloorRecord,
    LicenceRecord,
    Need,
    Proposal,
    RegionRecord,
    Route,
)
from skyweave.control.domain.impact_public import parse_published
from skyweave.control.domain.machine import State
from skyweave.control.domain.objects import content_of, geometry_in, replacement
from skyweave.control.domain.state import DirectiveState, Ledger, RegionVersion, quoted
from skyweave.errors import InputError
from skyweave.policy.snapshot import Kind, Licence, LicenceStatus
from skyweave.policy.threshold import Question

K = DirectiveKind

MAX_COLLECTING_S = 180 * DAY_S  # how long a proposal may wait for approvals
MAX_AHEAD_S = 366 * DAY_S  # from the proposal to the start
MAX_EMBARGO_S = 30 * DAY_S  # of a protected region's geometry
EMERGENCY_WITNESS_S = 3600  # an emergency activation lapses unless it is witnessed by then

CHANGES_CELLS = frozenset(K(kind.value) for kind in Kind)
ACTIVATIONS = (K.ACTIVATE, K.RESUME, K.EMERGENCY_ACTIVATE)
AMENDMENTS = (K.AMEND_CHARTER, K.AMEND_REGION, K.AMEND_LICENCE, K.AMEND_AGREEMENT)
NEEDS_REGION = CHANGES_CELLS | {K.AMEND_REGION, K.AMEND_LICENCE}
MAY_HAVE_REGION = NEEDS_REGION | {K.DECIDED_NOT_TO}
WITHOUT_END = frozenset({K.DECIDED_NOT_TO, *AMENDMENTS})

_MAY_INVOKE = (K.SUSPEND, K.EMERGENCY_SUSPEND, K.RESTRICT, K.EXCLUDE, K.AMEND_LICENCE)
_STATEMENTS = {
    "needs_instrument": ("instrument", "the legal instrument it relies on"),
    "needs_publication": ("publication", "where the public finds it"),
    "needs_appeal": ("appeal", "where those affected may object"),
    "needs_emergency": ("emergency", "the declared emergency"),
}


def may_start_unwitnessed(does: DirectiveKind) -> bool:
    """Return whether a kind takes effect before witnesses have seen it: rescue alone."""
    return does is K.EMERGENCY_ACTIVATE


def check_proposal(ledger: Ledger, proposal: Proposal, proposer: str, at_s: int) -> None:
    """Refuse a proposal that could not be decided, or not as it says, at a time."""
    directive = proposal.directive
    _refuse_expired_charter(ledger, directive, at_s)
    _refuse_used_id(ledger, directive)
    _refuse_another_charter(ledger, directive)
    route = route_of(ledger, directive)
    _refuse_unknown_owner(ledger, directive)
    _refuse_missing_statements(directive, route)
    _check_region(ledger, directive)
    _refuse_unnamed_authority(ledger, directive, route)
    _refuse_order_beyond_licence(ledger, directive, route, at_s)
    _refuse_no_end(directive)
    _refuse_overlong(directive, route)
    _refuse_passed(directive, route, at_s)
    _refuse_far_start(directive, at_s)
    _refuse_endless_collecting(directive, at_s)
    _refuse_stray_fields(directive)
    _refuse_missing_impact(ledger, proposal)
    _refuse_unlogged_requests(ledger, directive)
    _refuse_other_agreements(ledger, directive, at_s, ledger.size)
    _refuse_ended_agreement(ledger, directive, at_s)
    _refuse_unlisted_exception(ledger, directive)
    _check_licence(ledger, directive, route)
    refuse_unlicensed(ledger, directive, max(directive.from_s, at_s + route.notice_s))
    _refuse_supersession(ledger, directive, at_s)
    _check_amendment(ledger, proposal, at_s)
    refuse_cooldown(ledger, directive, at_s)
    _refuse_undecidable(ledger, proposal, proposer, at_s)


# The charter and its routes


def refuse_expired_charter(charter: Charter, at_s: int) -> None:
    """What nobody renewed decides nothing: not even on and off."""
    if at_s >= charter.expires_s:
        raise InputError(
            f"charter: version {charter.version} has expired; nothing is decided under it until "
            "it is amended: propose amend_charter"
        )


def _refuse_expired_charter(ledger: Ledger, directive: Directive, at_s: int) -> None:
    if directive.does is not K.AMEND_CHARTER:
        refuse_expired_charter(ledger.charter, at_s)


def _refuse_used_id(ledger: Ledger, directive: Directive) -> None:
    """Votes name an id; two directives of one id would share them."""
    if directive.directive_id in ledger.directives:
        raise _refused(directive, "was proposed before; choose another id")


def _refuse_another_charter(ledger: Ledger, directive: Directive) -> None:
    if directive.charter != ledger.charters[-1].digest:
        raise _refused(
            directive,
            f"names another version of the charter than {ledger.charter.version}, which is in "
            "force; propose it anew",
        )


def route_of(ledger: Ledger, directive: Directive) -> Route:
    """Return the route that a directive names; it must be one for what the directive does."""
    for route in ledger.charter.routes:
        if route.route == directive.route and route.kind is directive.does:
            return route
    known = ", ".join(r.route for r in ledger.charter.routes if r.kind is directive.does)
    raise _refused(
        directive,
        f'route "{directive.route}" is none for {directive.does}; name '
        + (known or "another kind: the charter has no route for this one"),
    )


def _refuse_unknown_owner(ledger: Ledger, directive: Directive) -> None:
    """Somebody answers for every directive, and can end a reduction early."""
    if directive.owner not in {each.organisation for each in ledger.charter.organisations}:
        raise _refused(
            directive, f'owner "{directive.owner}" is no organisation of the charter; name one'
        )


def _refuse_missing_statements(directive: Directive, route: Route) -> None:
    """An order without instrument, publication and appeal would be a switch, not law."""
    for needs, (field, meaning) in _STATEMENTS.items():
        if getattr(route, needs) and not getattr(directive, field).strip():
            raise _refused(directive, f"{field} is empty; say {meaning}")


def needs_authority(ledger: Ledger, directive: Directive, route: Route) -> bool:
    """Return whether officials of an administration are among those who must sign."""
    return quorums.names_authority(needs_of(ledger, directive, route))


def needs_of(ledger: Ledger, directive: Directive, route: Route) -> Sequence[Need]:
    """Return who must sign a directive."""
    is_licensed = bool(directive.region_id) and (
        ledger.region(directive.region_id, directive.region).record.needs_licence
    )
    return quorums.needs_of(route, is_licensed=is_licensed)


def _refuse_unnamed_authority(ledger: Ledger, directive: Directive, route: Route) -> None:
    if not needs_authority(ledger, directive, route):
        return
    role = f"{charters.AUTHORITY}:{directive.administration}"
    if role not in {record.role for record in ledger.charter.roles}:
        raise _refused(
            directive,
            f"administration {quoted(directive.administration)} has no officials in the charter; "
            "name one that has, or amend the charter",
        )


def _refuse_order_beyond_licence(
    ledger: Ledger, directive: Directive, route: Route, at_s: int
) -> None:
    """An administration orders where it licenses, not wherever somebody draws a region."""
    is_order = quorums.names_authority(route.needs) and directive.does not in ACTIVATIONS
    if not is_order or not directive.region_id:
        return
    region = ledger.region(directive.region_id, directive.region)
    if not _licenses_all(ledger, region, directive.administration, at_s):
        raise _refused(
            directive,
            f"{directive.administration} has not licensed all of its cells; draw the region "
            "within the licence, or take the council's route",
        )


def _licenses_all(ledger: Ledger, region: RegionVersion, administration: str, at_s: int) -> bool:
    """Return whether all cells were switched on under an administration's licences.

    A version of a region that nobody activated does not count: it may be drawn as large as any.
    """
    activated = [
        ledger.region(directive.region_id, directive.region)
        for directive in _activated(ledger)
        if _licences_of(ledger, directive.region_id, administration)
    ]
    if any(each.record.geometry == region.record.geometry for each in activated):
        return True
    cells = region.public_cells(at_s)
    return cells is not None and not guarantees.left(cells, activated, at_s).size


def _activated(ledger: Ledger) -> Iterator[Directive]:
    for state in ledger.directives.values():
        if state.does in ACTIVATIONS and _was_in_effect(state):
            yield state.proposal.directive


def _refuse_undecidable(ledger: Ledger, proposal: Proposal, proposer: str, at_s: int) -> None:
    """Nobody should collect approvals that can never be enough."""
    directive = proposal.directive
    route = route_of(ledger, directive)
    question = Question("", ledger.charter.version, at_s, ledger.size, proposer)
    poll = quorums.Poll(question, (), ledger.revoked)
    for need in needs_of(ledger, directive, route):
        quorum = quorums.need_quorum(ledger.charter, need, poll, directive.administration)
        if not quorum.can_be_met:
            raise _refused(
                directive,
                f'can never be approved: role "{quorum.role}" has too few left who may vote; let '
                "another person propose it, or amend the charter",
            )


# Regions


def _check_region(ledger: Ledger, directive: Directive) -> None:
    if not directive.region_id:
        if directive.does in NEEDS_REGION or directive.region is not None:
            raise _refused(directive, f"{directive.does} names no region; name one")
        return
    if directive.does not in MAY_HAVE_REGION:
        raise _refused(directive, f"{directive.does} touches no region; leave region_id out")
    _refuse_another_region(ledger, directive)


def _refuse_another_region(ledger: Ledger, directive: Directive) -> None:
    """A line on a map that moves after the vote would move what was voted on."""
    newest = ledger.region(directive.region_id)
    if directive.region != newest.digest:
        raise _refused(
            directive,
            f'region "{directive.region_id}" is version {newest.record.version} now, and it names '
            "another; propose it anew",
        )


def check_new_region(ledger: Ledger, record: RegionRecord, at_s: int) -> None:
    """Refuse a first version that is none, or that nobody can look at in time."""
    if record.region_id in ledger.regions:
        raise InputError(
            f'region "{record.region_id}" is in the log; a new version takes amend_region'
        )
    if record.version != 1:
        raise InputError(
            f'region "{record.region_id}": version {record.version}; the first has number 1'
        )
    check_geometry(ledger, record, at_s)


def check_geometry(ledger: Ledger, record: RegionRecord, at_s: int) -> None:
    """Refuse a region whose cells are neither public nor to be so within the embargo."""
    if record.publish_by_s is None:
        content_of(ledger.objects, record.geometry, f'region "{record.region_id}": geometry')
        geometry_in(ledger.objects, record)
    elif not at_s < record.publish_by_s <= at_s + MAX_EMBARGO_S:
        raise InputError(
            f'region "{record.region_id}": its geometry is to be public within '
            f"{MAX_EMBARGO_S // DAY_S} days of the log; change publish_by_s"
        )


# Times


def _refuse_no_end(directive: Directive) -> None:
    """A reduction that ends by itself needs nobody's mercy."""
    must_end = directive.does.is_reduction or directive.does is K.EMERGENCY_ACTIVATE
    if must_end and directive.until_s is None:
        raise _refused(directive, f"{directive.does} without an end; give until")
    if directive.does in WITHOUT_END and directive.until_s is not None:
        raise _refused(directive, f"{directive.does} has no end; leave until out")
    if directive.until_s is not None and directive.until_s <= directive.from_s:
        raise _refused(directive, "ends before it begins; give a later end")


def _refuse_overlong(directive: Directive, route: Route) -> None:
    if directive.until_s is None or route.max_duration_s is None:
        return
    if directive.until_s - directive.from_s > route.max_duration_s:
        raise _refused(
            directive,
            f"lasts {(directive.until_s - directive.from_s) / DAY_S:.1f} days, at most "
            f"{route.max_duration_s / DAY_S:g} by route {route.route}; choose an earlier end",
        )


def _refuse_passed(directive: Directive, route: Route, at_s: int) -> None:
    if directive.until_s is not None and directive.until_s <= at_s + route.notice_s:
        raise _refused(
            directive,
            f"would end before its notice of {route.notice_s / 3600:g} h is over; choose a later "
            "end",
        )


def _refuse_far_start(directive: Directive, at_s: int) -> None:
    """A cut that is approved today for some year to come would be a threat in a drawer."""
    if directive.from_s > at_s + MAX_AHEAD_S:
        raise _refused(
            directive,
            f"starts more than {MAX_AHEAD_S // DAY_S} days from now; propose it nearer to its day",
        )


def _refuse_endless_collecting(directive: Directive, at_s: int) -> None:
    """Nobody knows any more what they approved years ago."""
    if not at_s < directive.approvals_until_s <= at_s + MAX_COLLECTING_S:
        raise _refused(
            directive,
            f"approvals are to come within {MAX_COLLECTING_S // DAY_S} days of the log; change "
            "approvals_until",
        )


# What a kind may say


def _refuse_stray_fields(directive: Directive) -> None:
    does = directive.does
    limits = (directive.max_down_bps, directive.max_up_bps, directive.allow_list)
    if (does is K.RESTRICT) != any(each is not None for each in limits):
        raise _refused(
            directive, "rates and allow list belong to a restriction, and it needs one of them"
        )
    if (does in (K.LIFT_GUARANTEE, K.AMEND_AGREEMENT)) != bool(directive.agreement_id):
        raise _refused(directive, "agreement_id belongs to lift_guarantee and amend_agreement")
    is_amended = does in (K.AMEND_CHARTER, K.AMEND_REGION, K.AMEND_AGREEMENT)
    if is_amended != (directive.replaces_by is not None):
        raise _refused(directive, "a new version belongs to an amendment, and it needs one")
    if directive.forbids_lifeline and does is not K.EXCLUDE:
        raise _refused(directive, f"{does} leaves the lifeline on; leave forbids_lifeline out")
    if directive.licence is not None and does not in (K.ACTIVATE, K.AMEND_LICENCE):
        raise _refused(directive, f"{does} brings no licence; leave it out")
    if does is K.AMEND_LICENCE and directive.licence is None:
        raise _refused(directive, "amend_licence without the licence as it is to be; give it")


def _refuse_missing_impact(ledger: Ledger, proposal: Proposal) -> None:
    """Nobody votes on a cut without seeing whom it cuts."""
    directive = proposal.directive
    if not directive.does.changes_service:
        return
    if proposal.impact is None:
        raise _refused(directive, "changes service without an impact report; make one")
    what = f'directive "{directive.directive_id}": impact report'
    _refuse_impact_of_another(directive, content_of(ledger.objects, proposal.impact, what))


def _refuse_impact_of_another(directive: Directive, report: bytes) -> None:
    """A report of a smaller cut would be signed with a larger one."""
    if parse_published(report).directive != directive.digest:
        raise _refused(directive, "its impact report is another directive's; make it again")


def _refuse_unlogged_requests(ledger: Ledger, directive: Directive) -> None:
    for request_id in directive.request_ids:
        if request_id not in ledger.requests:
            raise _refused(
                directive, f'names request "{request_id}", which is not logged; record it first'
            )


def _refuse_other_agreements(
    ledger: Ledger, directive: Directive, at_s: int, before_entry: int
) -> None:
    """Signers read in the directive itself whose guarantees it meets."""
    surely, perhaps = guarantees.met(ledger, directive, at_s, before_entry)
    named = set(directive.agreements)
    if len(named) < len(directive.agreements) or not surely <= named <= surely | perhaps:
        expected = ", ".join(sorted(surely)) or "none"
        raise _refused(
            directive,
            f"names agreements {', '.join(sorted(named)) or 'none'}, and its cells meet "
            f"{expected}; list exactly those",
        )


def refuse_false_list(ledger: Ledger, state: DirectiveState, at_s: int) -> None:
    """Refuse what a geometry that has come out shows to have been false when it was proposed."""
    _refuse_other_agreements(ledger, state.proposal.directive, at_s, state.entry)


def _refuse_ended_agreement(ledger: Ledger, directive: Directive, at_s: int) -> None:
    """Only what guarantees something there can be lifted or amended."""
    if not directive.agreement_id:
        return
    agreement = ledger.agreement(directive.agreement_id)
    if directive.agreement_id not in directive.agreements or at_s >= agreement.until_s:
        raise _refused(
            directive,
            f'agreement "{directive.agreement_id}" guarantees nothing there; name one that does',
        )


def _refuse_unlisted_exception(ledger: Ledger, directive: Directive) -> None:
    """Only what the parties wrote into an agreement takes precedence, and only to reduce.

    An exception that an activation invokes would lay the guarantee open to every suspension.
    """
    if not directive.exception:
        return
    known = {e for each in directive.agreements for e in ledger.agreement(each).record.exceptions}
    if directive.exception not in known or directive.does not in _MAY_INVOKE:
        raise _refused(
            directive,
            "invokes an exception that none of its agreements has for it; leave it out or copy it "
            "exactly",
        )


# Licences


def _check_licence(ledger: Ledger, directive: Directive, route: Route) -> None:
    if directive.licence is None:
        return
    licence = directive.licence
    _refuse_other_administration(directive, licence)
    if licence.status not in set(LicenceStatus):
        raise _refused(directive, f"licence: status is one of {', '.join(LicenceStatus)}")
    if licence.until_s is not None and licence.until_s <= licence.from_s:
        raise _refused(directive, "licence: ends before it begins; give a later end")
    known = _licences_of(ledger, directive.region_id, licence.administration)
    if directive.does is K.AMEND_LICENCE and not known:
        raise _refused(directive, "no such licence is in the log; an activation brings the first")
    if directive.does is K.ACTIVATE:
        _refuse_second_licence(directive, known)
        _refuse_licence_without_authority(ledger, directive, route)


def _refuse_other_administration(directive: Directive, licence: LicenceRecord) -> None:
    """Officials sign for their own licences."""
    if licence.administration != directive.administration:
        raise _refused(directive, "the licence is another administration's; name its own")


def _refuse_second_licence(directive: Directive, known: Sequence[Licence]) -> None:
    """A licence that an activation could replace would be changed by fewer than an exclusion."""
    if known:
        raise _refused(
            directive, f"{directive.administration} has licensed it; a change takes amend_licence"
        )


def _refuse_licence_without_authority(ledger: Ledger, directive: Directive, route: Route) -> None:
    if not needs_authority(ledger, directive, route):
        raise _refused(
            directive,
            "brings a licence where no official of the administration signs; leave it out",
        )


def _licences_of(ledger: Ledger, region_id: str, administration: str) -> list[Licence]:
    licences = ledger.licences.get(region_id, ())
    return [each for each in licences if each.administration == administration]


def refuse_unlicensed(ledger: Ledger, directive: Directive, at_s: int) -> None:
    """Refuse to switch on at a time where the law does not allow it."""
    if directive.does not in ACTIVATIONS:
        return
    region = ledger.region(directive.region_id, directive.region)
    licences = [*ledger.licences.get(directive.region_id, ())]
    if directive.licence is not None:
        licences.append(licence_of(directive.licence))
    if region.record.needs_licence and not any(each.is_valid(at_s) for each in licences):
        raise _refused(
            directive,
            f'region "{directive.region_id}" needs a licence, and none is valid when it starts; '
            "bring one or start later",
        )


def licence_of(record: LicenceRecord) -> Licence:
    """Return a licence as policy snapshots have it."""
    return Licence(
        record.administration,
        record.instrument,
        LicenceStatus(record.status),
        record.from_s,
        record.until_s,
        record.allows_lifeline_beyond,
    )


# Taking the place of another directive


def _refuse_supersession(ledger: Ledger, directive: Directive, at_s: int) -> None:
    """An activation must not end by a smaller one taking its place: that would be a cut."""
    if not directive.supersedes:
        return
    ended = ledger.directive(directive.supersedes).proposal.directive
    if directive.does not in _SUCCESSORS.get(ended.does, (ended.does,)):
        raise _refused(
            directive, f'supersedes "{ended.directive_id}", which does another thing; leave it out'
        )
    if ended.does in ACTIVATIONS and not _gives_as_much(ledger, directive, ended, at_s):
        raise _refused(
            directive,
            f'supersedes "{ended.directive_id}" with fewer cells or an earlier end; to take '
            "service away, suspend",
        )


# What may take the place of a kind; elsewhere the same kind may.  An emergency activation may not:
# it can lapse within the hour.  Without a resumption the suspensions that it ended would be back.
_SUCCESSORS: dict[DirectiveKind, tuple[DirectiveKind, ...]] = {
    K.ACTIVATE: (K.ACTIVATE, K.RESUME),
    K.EMERGENCY_ACTIVATE: (K.ACTIVATE, K.RESUME),
    **dict.fromkeys(WITHOUT_END, ()),
}


def _gives_as_much(ledger: Ledger, new: Directive, old: Directive, at_s: int) -> bool:
    lasts = new.until_s is None or (old.until_s is not None and new.until_s >= old.until_s)
    inner = ledger.region(old.region_id, old.region)
    return lasts and holds_all(ledger.region(new.region_id, new.region), inner, at_s)


def holds_all(outer: RegionVersion, inner: RegionVersion, at_s: int) -> bool:
    """Return whether all cells of a region surely are another's."""
    if outer.record.geometry == inner.record.geometry:
        return True
    cells = inner.public_cells(at_s)
    return cells is not None and not guarantees.left(cells, [outer], at_s).size


# Amendments


def _check_amendment(ledger: Ledger, proposal: Proposal, at_s: int) -> None:
    does = proposal.directive.does
    if does is K.AMEND_CHARTER:
        check_new_charter(ledger, proposal, at_s)
    elif does is K.AMEND_REGION:
        _check_next_region(ledger, proposal, at_s)
    elif does is K.AMEND_AGREEMENT:
        _check_next_agreement(ledger, proposal, at_s)


def check_new_charter(ledger: Ledger, proposal: Proposal, at_s: int) -> Charter:
    """Return the charter that an amendment sets, refused where it may not follow this one."""
    new = replacement(ledger.objects, proposal, Charter)
    newest = [each[-1] for each in ledger.agreements.values()]
    living = [each.record for each in newest if at_s < each.until_s]
    charters.check_amendment(ledger.charter, new, living, ledger.revoked)
    if new.expires_s <= at_s:
        raise _refused(proposal.directive, "the new charter has expired already; date it later")
    return new


def _check_next_region(ledger: Ledger, proposal: Proposal, at_s: int) -> None:
    directive = proposal.directive
    record = replacement(ledger.objects, proposal, RegionRecord)
    newest = ledger.region(directive.region_id).record
    if (record.region_id, record.version) != (newest.region_id, newest.version + 1):
        raise _refused(
            directive,
            f'the new region is "{record.region_id}" version {record.version}; expected '
            f'"{newest.region_id}" version {newest.version + 1}',
        )
    check_geometry(ledger, record, at_s)


def _check_next_agreement(ledger: Ledger, proposal: Proposal, at_s: int) -> None:
    directive = proposal.directive
    record = replacement(ledger.objects, proposal, AgreementRecord)
    newest = ledger.agreement(directive.agreement_id).record
    if (record.agreement_id, record.version) != (newest.agreement_id, newest.version + 1):
        raise _refused(
            directive,
            f'the new agreement is "{record.agreement_id}" version {record.version}; expected '
            f'"{newest.agreement_id}" version {newest.version + 1}',
        )
    check_agreement(ledger, record, at_s)


def check_agreement(ledger: Ledger, record: AgreementRecord, at_s: int) -> None:
    """Refuse an agreement that names what there is not, or that is over."""
    what = f'agreement "{record.agreement_id}"'
    known = {each.organisation for each in ledger.charter.organisations}
    for party in record.parties:
        if party not in known:
            raise InputError(f'{what}: party "{party}" is no organisation of the charter; name one')
    if len(set(record.parties)) < len(record.parties):
        raise InputError(f"{what}: a party is named twice; name each once")
    for region_id in record.region_ids:
        ledger.region(region_id)
    if record.until_s <= max(record.from_s, at_s):
        raise InputError(f"{what}: ends before it begins; give a later end")
    _refuse_impossible_floor(record.floor, what)


def _refuse_impossible_floor(floor: FloorRecord, what: str) -> None:
    """A floor that no snapshot takes would leave everybody without a policy."""
    if not 0.0 <= (floor.availability or 0.0) <= 1.0 or (floor.latency_s or 0.0) < 0.0:
        raise InputError(
            f"{what}: floor: availability is a share from 0 to 1, latency_s is 0 or more; "
            "correct it"
        )


# Rest between emergencies


def refuse_cooldown(ledger: Ledger, directive: Directive, at_s: int) -> None:
    """Refuse to strike the same cells again so soon: day after day would be a suspension."""
    rest_s = route_of(ledger, directive).cooldown_s
    if not rest_s:
        return
    region = ledger.region(directive.region_id, directive.region)
    starts_s = max(at_s, directive.from_s)
    for other in ledger.directives.values():
        before = other.proposal.directive
        if (
            before.does is directive.does
            and before.directive_id != directive.directive_id
            and _was_in_effect(other)
            and other.from_s is not None
            and starts_s < other.from_s + rest_s
            and _may_meet(ledger.region(before.region_id, before.region), region, at_s)
        ):
            raise _refused(
                directive,
                f'"{before.directive_id}" struck the same cells within {rest_s / DAY_S:g} days; '
                "take the ordinary route with its notice",
            )


def _was_in_effect(state: DirectiveState) -> bool:
    return any(step.state is State.EFFECTIVE for step in state.story)


def _may_meet(one: RegionVersion, other: RegionVersion, at_s: int) -> bool:
    """Return whether two regions may share a cell: they may where that is withheld.

    Else emergencies could follow each other over one place, each under another name.
    """
    return guarantees.meets(one, other, at_s) is not False


def _refused(directive: Directive, why: str) -> InputError:
    return InputError(f'directive "{directive.directive_id}": {why}')
