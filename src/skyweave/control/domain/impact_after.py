"""The policy as a directive would leave it: the snapshot with and without it are compared."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TypeVar

import numpy as np

from skyweave.control.domain.documents import Directive, DirectiveKind, LicenceRecord
from skyweave.errors import InputError
from skyweave.policy import snapshot as policy
from skyweave.policy.allow_list import AllowList

Ending = TypeVar("Ending", policy.Licence, policy.Directive)

# What changes service and therefore has an impact report.
CHANGES_SERVICE = frozenset(
    {*(DirectiveKind(kind) for kind in policy.Kind), DirectiveKind.AMEND_LICENCE}
)


def snapshot_with(
    snapshot: policy.Snapshot,
    directive: Directive,
    region: policy.PolicyRegion,
    allow_list: AllowList | None = None,
) -> policy.Snapshot:
    """Return the snapshot with a directive in force from its start, as the log's next entry.

    `region` is the version that the directive names, "ID@VERSION" as snapshots call it; it is
    added where the snapshot lacks it.  `allow_list` is the one that a restriction brings.
    """
    _refuse_without_effect(directive)
    return replace(
        snapshot,
        version=snapshot.version + 1,
        log_size=snapshot.log_size + 1,
        regions=tuple(_regions(snapshot, directive, region)),
        directives=tuple(_directives(snapshot, directive, region)),
        allow_lists=snapshot.allow_lists + ((allow_list,) if allow_list else ()),
    )


def _refuse_without_effect(directive: Directive) -> None:
    if directive.does not in CHANGES_SERVICE:
        raise InputError(
            f"directive {directive.directive_id}: {directive.does} changes no cell, so it has no "
            "impact; propose it without a report"
        )


def _regions(
    snapshot: policy.Snapshot, directive: Directive, region: policy.PolicyRegion
) -> Iterator[policy.PolicyRegion]:
    known = snapshot.regions
    for each in known if region.region_id in snapshot.region_by_id else (*known, region):
        yield _licensed(each, directive) if same_region(each, region) else each


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
        yield _in_policy(directive, region.region_id, snapshot.log_size)


def _in_policy(directive: Directive, region_id: str, entry: int) -> policy.Directive:
    return policy.Directive(
        directive_id=directive.directive_id,
        kind=policy.Kind(directive.does),
        region_id=region_id,
        entry=entry,
        from_s=directive.from_s,
        until_s=directive.until_s,
        reason=directive.reason,
        agreement_id=directive.agreement_id,
        exception=directive.exception,
        max_down_bps=directive.max_down_bps,
        max_up_bps=directive.max_up_bps,
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
