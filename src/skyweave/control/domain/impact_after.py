"""The policy as a directive would leave it: the snapshot with and without it are compared."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from skyweave.control.domain.documents import Directive, DirectiveKind, LicenceRecord
from skyweave.errors import InputError
from skyweave.policy import snapshot as policy
from skyweave.policy.allow_list import AllowList

_ACTIVATES = (policy.Kind.ACTIVATE, policy.Kind.RESUME, policy.Kind.EMERGENCY_ACTIVATE)

Ending = TypeVar("Ending", policy.Licence, policy.Directive)


def snapshot_with(
    snapshot: policy.Snapshot,
    directive: Directive,
    region: policy.PolicyRegion,
    allow_list: AllowList | None = None,
) -> policy.Snapshot:
    """Return the snapshot with a directive in force from its start, as the log's next entry.

    `region` is the version that the directive names, "ID@VERSION" as snapshots call it, with the
    licences that the log has for it.  `allow_list` is the one that a restriction brings.
    """
    _refuse_without_effect(directive)
    directives = tuple(_directives(snapshot, directive, region))
    return replace(
        snapshot,
        version=snapshot.version + 1,
        log_size=snapshot.log_size + 1,
        regions=tuple(_regions(snapshot, directive, region, _giving(snapshot, directives))),
        directives=directives,
        allow_lists=snapshot.allow_lists + ((allow_list,) if allow_list else ()),
    )


def _refuse_without_effect(directive: Directive) -> None:
    if not directive.does.changes_service:
        raise InputError(
            f"directive {directive.directive_id}: {directive.does} changes no cell, so it has no "
            "impact; propose it without a report"
        )


def _giving(snapshot: policy.Snapshot, directives: tuple[policy.Directive, ...]) -> frozenset[str]:
    """Return the regions that an activation or agreement rests on.

    These alone make service lawful: a region that was drawn only to be suspended does not.
    """
    activated = {each.region_id for each in directives if each.kind in _ACTIVATES}
    return frozenset(activated.union(*(each.region_ids for each in snapshot.agreements)))


def _regions(
    snapshot: policy.Snapshot,
    directive: Directive,
    region: policy.PolicyRegion,
    giving: frozenset[str],
) -> Iterator[policy.PolicyRegion]:
    known = dict(snapshot.region_by_id)
    if region.region_id in giving:
        known[region.region_id] = region
    elif directive.does is not DirectiveKind.AMEND_LICENCE:
        without = replace(region, needs_licence=True, licences=())
        known.setdefault(region.region_id, without)
    for each in known.values():
        is_licensed = each.region_id in giving and same_region(each, region)
        yield _licensed(each, directive) if is_licensed else each


def same_region(one: policy.PolicyRegion, other: policy.PolicyRegion) -> bool:
    """Return whether two are versions of one region, "ID@1" and "ID@2"."""
    return one.region_id.rpartition("@")[0] == other.region_id.rpartition("@")[0]


def _licensed(region: policy.PolicyRegion, directive: Directive) -> policy.PolicyRegion:
    """Return a region with the licence that an activation brings or an amendment sets."""
    if directive.licence is None:
        return region
    new = _licence(directive.licence, directive.directive_id)
    is_amended = directive.does is DirectiveKind.AMEND_LICENCE
    kept = (
        _ended(each, directive.from_s)
        if is_amended and each.administration == new.administration
        else each
        for each in region.licences
        if not is_amended or each.administration != new.administration
        or each.from_s < directive.from_s
    )  # fmt: skip
    return replace(region, licences=(*kept, new))


def _licence(record: LicenceRecord, directive_id: str) -> policy.Licence:
    try:
        status = policy.LicenceStatus(record.status)
    except ValueError:
        raise InputError(
            f'directive {directive_id}: licence status "{record.status[:20]}": expected '
            f"{', '.join(policy.LicenceStatus)}"
        ) from None
    return policy.Licence(
        record.administration, record.instrument, status, record.from_s, record.until_s,
        record.allows_lifeline_beyond,
    )  # fmt: skip


def _ended(record: Ending, at_s: int) -> Ending:
    return replace(record, until_s=at_s if record.until_s is None else min(record.until_s, at_s))


def _directives(
    snapshot: policy.Snapshot, directive: Directive, region: policy.PolicyRegion
) -> Iterator[policy.Directive]:
    for each in snapshot.directives:
        if each.directive_id != directive.supersedes:
            yield each
        elif each.from_s < directive.from_s:
            yield _ended(each, directive.from_s)
    if directive.does is not DirectiveKind.AMEND_LICENCE:
        yield _in_policy(directive, region.region_id, snapshot)


def lifted_agreement(directive: Directive, snapshot: policy.Snapshot) -> str:
    """Return the version of the agreement that a directive lifts, as the snapshot calls it.

    It is the one in force at the directive's start, the last one where none is.
    """
    versions = [
        each
        for each in snapshot.agreements
        if each.agreement_id.partition("@")[0] == directive.agreement_id
    ]
    running = [each for each in versions if policy.holds(each, directive.from_s)]
    return (running or versions)[-1].agreement_id if versions else directive.agreement_id


def _in_policy(directive: Directive, region_id: str, snapshot: policy.Snapshot) -> policy.Directive:
    lifts = directive.does is DirectiveKind.LIFT_GUARANTEE
    return policy.Directive(
        directive_id=directive.directive_id,
        kind=policy.Kind(directive.does),
        region_id=region_id,
        entry=snapshot.log_size,
        from_s=directive.from_s,
        until_s=directive.until_s,
        reason=directive.reason,
        agreement_id=lifted_agreement(directive, snapshot) if lifts else "",
        exception=directive.exception,
        max_down_bps=directive.max_down_bps,
        max_up_bps=directive.max_up_bps,
        spares_lifeline=not directive.forbids_lifeline,
    )


def cells_that_may_change(
    snapshot: policy.Snapshot, directive: Directive, region: policy.PolicyRegion
) -> policy.CellArray:
    """Return the cells (C,), ascending, outside which a directive changes nothing."""
    superseded = [
        d.region_id for d in snapshot.directives if d.directive_id == directive.supersedes
    ]
    found = [region.cells, *(snapshot.region_by_id[name].cells for name in superseded)]
    if directive.licence is not None:  # a licence is the region's, in all its versions
        found += [each.cells for each in snapshot.regions if same_region(each, region)]
    return np.unique(np.concatenate(found)) if len(found) > 1 else region.cells
