"""Directives: proposed with the report of their impact, shown in plain words, taken back, ended."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyweave.api.authority import LogSource, Standing, whose
from skyweave.api.impacts import impact_lines, impact_of, write_exact
from skyweave.api.kits import new_list, read_kits
from skyweave.api.parcels import Signer, made, refuse_existing, sealed, signed_by_others, written
from skyweave.api.words import directive_words
from skyweave.control.domain.acts import FAILURE_NEED
from skyweave.control.domain.documents import (
    DAY_S,
    Directive,
    DirectiveKind,
    Document,
    Failure,
    LicenceRecord,
    Lift,
    Proposal,
    Route,
    Withdrawal,
    digest_of,
    parse_document,
)
from skyweave.control.domain.impact_lines import report_lines
from skyweave.control.domain.impact_public import parse_published, published
from skyweave.control.domain.keyring import public_keys
from skyweave.control.domain.machine import UNDECIDED, Event, next_state
from skyweave.control.domain.quorums import Poll, need_quorum
from skyweave.control.domain.replay import agreements_met
from skyweave.control.domain.state import Authority, DirectiveState
from skyweave.control.drafts import DirectiveDraft, LicenceDraft, days_s, make_draft, read_toml
from skyweave.control.parcel import Parcel, read_parcel
from skyweave.control.signing import PrivateKey
from skyweave.control.signing.dsse import signers
from skyweave.errors import InputError
from skyweave.policy.threshold import Quorum

APPROVALS_DAYS = 14  # a proposal waits so long where its draft does not say

_NONCE_BYTES = 32
_ENDINGS: Mapping[str, type[Document]] = {"withdraw": Withdrawal, "lift": Lift, "fail": Failure}


@dataclass(frozen=True)
class Attached:
    """What a draft brings beside its words: a new document, an allow list, and their objects."""

    document: str | None = None  # digest, and likewise
    allow_list: str | None = None
    objects: Mapping[str, bytes] = field(default_factory=dict)
    private: Mapping[str, bytes] = field(default_factory=dict)


def propose(
    log: LogSource,
    draft: DirectiveDraft,
    signer: Signer,
    out: Path,
    *,
    now_s: int,
    terminals: Path | None = None,
    salt: Path | None = None,
    exact: Path | None = None,
) -> dict[str, Any]:
    """Sign a proposal and write it as a parcel: the directive and the report of its impact.

    `terminals` is the table that the report counts, a fleet's CSV.  The exact report, which stays
    with the proposer, is written to `exact`.  What the log would list without effect is refused.
    """
    for path in (out, *([exact] if exact else [])):
        refuse_existing(path)
    standing = log.standing(now_s)
    authority = standing.authority
    key = signer.load()
    owner = draft.owner or whose(authority.charter, key).organisation
    attached = _attached(draft, standing.now_s)
    directive = complete(draft, authority, owner, attached)
    objects, digest = dict(attached.objects), None
    if directive.does.changes_service:
        nonce = os.urandom(_NONCE_BYTES)
        report = impact_of(standing, directive, terminals, salt, attached.private)
        public = published(report, nonce)
        digest = digest_of(public)
        objects[digest] = public
        if exact is not None:
            write_exact(exact, report, nonce)
    proposal = Proposal(directive=directive, impact=digest)
    parcel = sealed(proposal, key, objects, attached.private)
    standing.after([parcel])
    return {
        **written(parcel, proposal, out),
        "directive": directive.directive_id,
        "question": proposal.question,
        "words": directive_words(directive, authority, objects),
        "impact": impact_lines(proposal, objects),
    }


def draft_of(path: Path | None, given: Mapping[str, Any]) -> DirectiveDraft:
    """Return the draft of a TOML file with the options that were given, or of these alone."""
    if path is None:
        return make_draft(given, DirectiveDraft, "directive")
    return make_draft(read_toml(path) | dict(given), DirectiveDraft, str(path))


def end(
    log: LogSource, how: str, directive_id: str, reason: str, signer: Signer, out: Path, *,
    now_s: int,
) -> dict[str, Any]:  # fmt: skip
    """Sign that a directive is withdrawn, lifted or failed, and write the parcel.

    A failure takes several people of the operator: each further one signs the same parcel.
    """
    document = made(_ENDINGS[how], f"directive {how}", directive_id=directive_id, reason=reason)
    signed = signed_by_others(out, document, "--reason") if how == "fail" else None
    if signed is None:
        refuse_existing(out)
    standing = log.standing(now_s)
    found, key = state_of(standing.authority, directive_id), signer.load()
    parcel = sealed(document, key) if signed is None else signed.signed_by(key)
    lacks = _lacks(standing, found, key, parcel) if how == "fail" else []
    if not lacks:
        standing.after([parcel])
    answer = written(parcel, document, out, over=signed is not None)
    return {**answer, "directive": directive_id, "missing": lacks}


def _lacks(standing: Standing, found: DirectiveState, key: PrivateKey, parcel: Parcel) -> list[str]:
    """Return how far the operator's people are who say that they could not carry it out."""
    directive_id, charter = found.proposal.directive.directive_id, standing.authority.charter
    next_state(directive_id, found.story, Event.FAIL)  # no signature would make it one
    known = public_keys(charter)
    counted = signers(parcel.envelope, known, parcel.envelope.payload_type)
    revoked = standing.authority.revoked
    poll = Poll.of_signers(counted, charter, standing.now_s, standing.authority.size, revoked)
    quorum = need_quorum(charter, FAILURE_NEED, poll)
    if key.public.key_id not in {each.key_id for each in quorum.approved}:
        raise InputError(
            f"directive {directive_id}: people of the operator say that it failed, each once; key "
            f"{key.public.key_id[:16]} adds nothing to that"
        )
    return [_so_far(quorum)] if quorum.missing else []


def complete(
    draft: DirectiveDraft, authority: Authority, owner: str, attached: Attached
) -> Directive:
    """Return the directive of a draft: digests, the route and the agreements from the log."""
    route, now_s = _route(draft, authority), authority.now_s
    region = _region(draft, authority)
    from_s = now_s + route.notice_s if draft.from_s is None else draft.from_s
    until_s = draft.until_s if draft.days is None else from_s + days_s(draft.days)
    _refuse_without_end(draft.kind, route, until_s)
    approvals_until_s = draft.approvals_until_s or min(
        now_s + APPROVALS_DAYS * DAY_S, until_s or now_s + APPROVALS_DAYS * DAY_S
    )
    directive = made(
        Directive,
        f"directive {draft.id}",
        directive_id=draft.id,
        does=draft.kind,
        route=route.route,
        charter=authority.charter.digest,
        region_id=draft.region,
        region=region,
        administration=draft.administration or _licensed_by(draft),
        owner=owner,
        reason=draft.reason,
        legal_basis=draft.legal_basis,
        instrument=draft.instrument,
        forbids_lifeline=draft.forbids_lifeline,
        publication=draft.publication,
        appeal=draft.appeal,
        emergency=draft.emergency,
        request_ids=draft.requests,
        from_s=from_s,
        until_s=until_s,
        approvals_until_s=approvals_until_s,
        max_down_bps=draft.max_down_bps,
        max_up_bps=draft.max_up_bps,
        agreement_id=draft.agreement,
        exception=draft.exception,
        licence=_licence(draft.licence),
        supersedes=draft.supersedes,
        replaces_by=attached.document,
        allow_list=attached.allow_list,
    )
    return directive.model_copy(update={"agreements": agreements_met(authority, directive)})


def state_of(authority: Authority, directive_id: str) -> DirectiveState:
    """Return a directive and what became of it."""
    if directive_id not in authority.directives:
        known = ", ".join(authority.directives) or "none"
        raise InputError(
            f'directive "{directive_id[:64]}" is not in the log; it has: {known[:200]}'
        )
    return authority.directives[directive_id]


def show_directives(log: LogSource, directive_id: str | None, *, now_s: int) -> dict[str, Any]:
    """Return one directive of a log, or all of them, with what became of each."""
    book = log.open()
    authority = book.authority(now_s)
    ids = [*authority.directives] if directive_id is None else [directive_id]
    return {
        "log": str(log.folder),
        "at_s": now_s,
        "directives": [_told(book.objects, authority, state_of(authority, each)) for each in ids],
    }


def show_impact(
    log: LogSource,
    what: str,
    *,
    now_s: int,
    terminals: Path | None = None,
    exact: bool = False,
    salt: Path | None = None,
) -> dict[str, Any]:
    """Return the impact that was signed; with a table, what that table gives, rounded or exact."""
    standing = log.standing(now_s)
    question = question_of(standing.authority, what)
    proposal = question.proposal
    answer: dict[str, Any] = {
        "directive": proposal.directive.directive_id,
        "question": proposal.question,
        "signed": impact_lines(proposal, standing.objects(question.objects)),
    }
    if exact and terminals is None:
        raise InputError("--exact counts a table of terminals; give it, as --terminals FLEET.csv")
    if terminals is None:
        return answer
    report = impact_of(standing, proposal.directive, terminals, salt)
    shown = report if exact else parse_published(published(report, bytes(_NONCE_BYTES)))
    return {**answer, "own": report_lines(shown), "exact": exact}


@dataclass(frozen=True)
class Question:
    """What people are asked: a proposal in the log, or one on its way there in a parcel."""

    proposal: Proposal
    parcel: Parcel | None = None  # in which it is, where it is not logged yet

    @property
    def objects(self) -> Mapping[str, bytes]:
        """What is there beside the log's own objects."""
        return {} if self.parcel is None else self.parcel.objects


def question_of(authority: Authority, what: str) -> Question:
    """Return the proposal of a directive's id, or of a parcel's file."""
    if what in authority.directives:
        return Question(authority.directives[what].proposal)
    path = Path(what)
    if not path.is_file():
        state_of(authority, what)
    parcel = read_parcel(path)
    if parcel.envelope.payload_type != Proposal.payload_type():
        raise InputError(f"{path}: holds no proposal; name the parcel of one, or a directive's id")
    proposal = parse_document(parcel.envelope.payload, Proposal, str(path))
    return Question(proposal, parcel)


def _told(
    objects: Mapping[str, bytes], authority: Authority, found: DirectiveState
) -> dict[str, Any]:
    directive = found.proposal.directive
    return {
        "directive": directive.directive_id,
        "does": str(directive.does),
        "region": directive.region_id,
        "entry": found.entry,
        "proposer": found.proposer,
        "state": str(found.state),
        "from_s": found.from_s,
        "until_s": found.until_s,
        "question": found.proposal.question,
        "words": directive_words(directive, authority, objects),
        "impact": impact_lines(found.proposal, objects),
        "missing": missing(found),
        "blocked_by": list(found.blocked_by),
        "story": [
            {"state": str(s.state), "at_s": s.at_s, "entry": s.entry, "why": s.why}
            for s in found.story
        ],
    }


def missing(found: DirectiveState) -> list[str]:
    """Return how far each quorum is that an undecided directive still needs, a line each."""
    if found.state not in UNDECIDED:
        return []
    texts = (_so_far(quorum) for quorum in found.quorums if quorum.missing)
    return [*dict.fromkeys(texts)]  # the roots of two charters may lack the same


def _so_far(quorum: Quorum) -> str:
    """Return how far a quorum is: "missing: 1 of 3 people" would leave open which one."""
    has_counts = quorum.missing[0][0].isdigit()  # else it says why nobody can meet it
    return f"{quorum.role}: {'so far ' if has_counts else ''}{', '.join(quorum.missing)}"


# What a draft leaves to the log


def _route(draft: DirectiveDraft, authority: Authority) -> Route:
    """Return the charter's route of the draft: the one named, or the only one of its kind."""
    of_kind = {r.route: r for r in authority.charter.routes if r.kind is draft.kind}
    if draft.route in of_kind:
        return of_kind[draft.route]
    if draft.route or len(of_kind) != 1:
        found = f'route "{draft.route[:40]}"' if draft.route else "no route named"
        raise InputError(
            f"directive {draft.id}: {found}; the charter decides {draft.kind} by "
            f"{' or '.join(of_kind) or 'no route at all'}: name one, as --route NAME"
        )
    return next(iter(of_kind.values()))


def _region(draft: DirectiveDraft, authority: Authority) -> str | None:
    if not draft.region:
        return None
    versions = authority.regions.get(draft.region)
    if not versions:
        raise InputError(
            f'directive {draft.id}: region "{draft.region[:64]}" is not in the log; it has: '
            f"{', '.join(authority.regions) or 'none'}"
        )
    return versions[-1].record.digest


def _refuse_without_end(kind: DirectiveKind, route: Route, until_s: int | None) -> None:
    if until_s is None and (kind.is_reduction or route.max_duration_s is not None):
        longest = "" if route.max_duration_s is None else (
            f", at most {route.max_duration_s / DAY_S:g} days"
        )  # fmt: skip
        raise InputError(f"{kind} without an end; give --days N or --until UTC{longest}")


def _licensed_by(draft: DirectiveDraft) -> str:
    return draft.licence.administration if draft.licence else ""


def _licence(draft: LicenceDraft | None) -> LicenceRecord | None:
    return None if draft is None else LicenceRecord(**draft.model_dump())


def _attached(draft: DirectiveDraft, now_s: int) -> Attached:
    """Return the new document or the allow list that a draft names by its file."""
    if draft.allow_list:
        content = new_list(read_kits(Path(draft.allow_list)), now_s)
        return Attached(allow_list=digest_of(content), private={digest_of(content): content})
    if draft.document:
        parcel = read_parcel(Path(draft.document))
        content = parcel.envelope.payload
        objects = {digest_of(content): content, **parcel.objects}
        return Attached(digest_of(content), None, objects, parcel.private)
    return Attached()
