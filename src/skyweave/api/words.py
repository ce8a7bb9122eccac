"""Documents in plain words: what a person reads before signing, and what the public reads."""

from collections.abc import Iterator, Mapping

from skyweave.api.new_documents import amendment_words
from skyweave.control.domain.documents import (
    AgreementRecord,
    Directive,
    DirectiveKind,
    canonical,
    digest_of,
)
from skyweave.control.domain.state import Authority, RegionVersion
from skyweave.control.times import span
from skyweave.control.times import utc as utc

_VERBS = {
    DirectiveKind.ACTIVATE: "switch on",
    DirectiveKind.RESUME: "end suspensions in",
    DirectiveKind.EMERGENCY_ACTIVATE: "switch on, for an emergency,",
    DirectiveKind.SUSPEND: "switch off",
    DirectiveKind.EMERGENCY_SUSPEND: "switch off, for an emergency,",
    DirectiveKind.RESTRICT: "restrict",
    DirectiveKind.EXCLUDE: "switch off by law",
    DirectiveKind.LIFT_GUARANTEE: "lift an agreement's guarantee in",
    DirectiveKind.DECIDED_NOT_TO: "leave as it is",
    DirectiveKind.AMEND_CHARTER: "amend the charter",
    DirectiveKind.AMEND_REGION: "redraw",
    DirectiveKind.AMEND_LICENCE: "change the licence of",
    DirectiveKind.AMEND_AGREEMENT: "amend an agreement in",
}


def directive_words(
    directive: Directive, authority: Authority, objects: Mapping[str, bytes]
) -> list[str]:
    """Return what a directive says, a line each: what, when, why, by what right, for whom.

    `objects` hold the new document of an amendment.
    """
    amended = amendment_words(directive, authority, objects)
    return [*_directive_lines(directive, authority), *amended]


def _directive_lines(directive: Directive, authority: Authority) -> Iterator[str]:
    what = " ".join(filter(None, [_VERBS[directive.does], _region_words(directive, authority)]))
    yield f"{directive.does}: {what}"
    yield span(directive.from_s, directive.until_s)
    yield f"because: {directive.reason}"
    version = _version(directive, authority)
    yield f'decided by route "{directive.route}" of charter version {version}'
    yield f"{directive.owner} answers for it; approvals until {utc(directive.approvals_until_s)}"
    if directive.administration:
        yield f"on the licence or order of {directive.administration}"
    for name in ("legal_basis", "instrument", "publication", "appeal", "emergency", "exception"):
        if text := getattr(directive, name):
            yield f"{name.replace('_', ' ')}: {text}"
    if directive.forbids_lifeline:
        yield "the lifeline class loses service, too: its instrument forbids it"
    if directive.max_down_bps is not None or directive.max_up_bps is not None:
        yield f"at most {_rate(directive.max_down_bps)} down, {_rate(directive.max_up_bps)} up"
    if directive.allow_list is not None:
        yield f"for listed terminals alone: list {directive.allow_list[:23]}..."
    if directive.licence is not None:
        licence = directive.licence
        yield (
            f"licence of {licence.administration}, {licence.status}: {licence.instrument}, "
            f"{span(licence.from_s, licence.until_s)}"
        )
    if directive.agreement_id:
        yield f"agreement concerned: {directive.agreement_id}"
    if directive.agreements:
        yield f"agreements in force there: {', '.join(directive.agreements)}"
    if directive.request_ids:
        asked = (_request(each, authority) for each in directive.request_ids)
        yield f"asked for by {', '.join(asked)}"
    if directive.supersedes:
        yield f"takes the place of {directive.supersedes}"
    if directive.replaces_by:
        yield f"new document: {directive.replaces_by}"


def _version(directive: Directive, authority: Authority) -> str:
    for each in authority.charters:
        if each.charter.digest == directive.charter:
            return str(each.charter.version)
    return "unknown to the log"


def _region_words(directive: Directive, authority: Authority) -> str:
    if not directive.region_id:
        return ""
    for version in authority.regions.get(directive.region_id, ()):
        if version.record.digest == directive.region:
            return region_words(version)
    return f"region {directive.region_id}, a version unknown to the log"


def region_words(version: RegionVersion) -> str:
    """Return a region's name, version and size."""
    record = version.record
    return (
        f"{record.title} (region {record.region_id}, version {record.version}, {record.cells:,} "
        "cells)"
    )


def _request(request_id: str, authority: Authority) -> str:
    if request_id not in authority.requests:
        return request_id
    request, entry = authority.requests[request_id]
    return f"{request.asked_by} (request {request_id}, entry {entry})"


def _rate(bps: int | None) -> str:
    return "no limit" if bps is None else f"{bps / 1e6:g} Mbit/s"


def agreement_words(record: AgreementRecord) -> list[str]:
    """Return what an agreement says, a line each."""
    return list(_agreement_lines(record))


def _agreement_lines(record: AgreementRecord) -> Iterator[str]:
    yield f"{record.title} (agreement {record.agreement_id}, version {record.version})"
    yield f"between {', '.join(record.parties)}"
    yield f"for {_for_whom(record)} in {', '.join(record.region_ids)}"
    yield f"at least {_floor(record)}"
    notice = f"{record.notice_s / 86_400:g} days"
    yield f"{span(record.from_s, record.until_s)}, notice {notice}"
    yield (
        f"lifted or amended only by {record.people} people of {record.organisations} of its parties"
    )
    for each in record.exceptions:
        yield f"gives way to: {each}"
    if record.remedy:
        yield f"where it is broken: {record.remedy}"


def _for_whom(record: AgreementRecord) -> str:
    kinds = {"terminal": record.terminal_hashes, "account": record.account_hashes}
    parts = [_named(what, hashes) for what, hashes in kinds.items() if hashes]
    return " and ".join(parts) or "everyone"


def _named(what: str, hashes: tuple[str, ...]) -> str:
    """Return how many are named, and a digest over their hashes, which differs where one does."""
    several = "" if len(hashes) == 1 else "s"
    return f"{len(hashes)} named {what}{several} ({digest_of(canonical(hashes))[7:19]})"


def _floor(record: AgreementRecord) -> str:
    floor = record.floor
    parts = [f"{_rate(floor.down_bps)} down, {_rate(floor.up_bps)} up"]
    if floor.latency_s is not None:
        parts.append(f"{floor.latency_s * 1000:g} ms")
    if floor.availability is not None:
        parts.append(f"available {floor.availability:.2%}")
    return ", ".join([*parts, f"class {floor.service_class}"])
