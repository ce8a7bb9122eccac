"""The impact of a directive on a table of terminals, by the state of a verified log."""

import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from skyweave.api.authority import Standing
from skyweave.api.kits import list_of
from skyweave.api.parcels import read_limited
from skyweave.control.domain.documents import Directive, Proposal, canonical
from skyweave.control.domain.geometry import Geometry
from skyweave.control.domain.impact import ImpactReport, impact_report
from skyweave.control.domain.impact_border import Border, border_of, people_of
from skyweave.control.domain.impact_lines import report_lines
from skyweave.control.domain.impact_public import parse_published
from skyweave.control.domain.impact_table import (
    MAX_TABLE_BYTES,
    ImpactTable,
    parse_impact_table,
)
from skyweave.control.domain.objects import geometry_in
from skyweave.control.domain.snapshots import snapshot_of
from skyweave.control.domain.state import Authority, RegionVersion
from skyweave.control.files import PRIVATE_MODE, write_new
from skyweave.errors import InputError
from skyweave.places.cities import all_cities
from skyweave.policy.allow_list import AllowList
from skyweave.policy.snapshot import Claim, PolicyRegion, Snapshot

_NOTHING: Mapping[str, bytes] = MappingProxyType({})
_NO_SALT = "00" * 16  # of a log whose agreements name nobody, so that nothing is hashed under it


def impact_of(
    standing: Standing,
    directive: Directive,
    terminals: Path | None,
    salt: Path | None = None,
    private: Mapping[str, bytes] = _NOTHING,
) -> ImpactReport:
    """Return what a directive would do to the terminals of a fleet's CSV.

    `private` holds the allow list of a directive that is not in the log yet.
    """
    authority = standing.authority
    version = _version(authority, directive)
    geometry = _geometry(standing, version)
    publish_by_s = version.record.publish_by_s
    return impact_report(
        directive,
        _policy_region(authority, version, geometry),
        _table(terminals),
        snapshot_before(standing, salt),
        people_of(all_cities()),
        border=_border(geometry),
        allow_list=_allow_list(standing, directive, version, private),
        is_protected=publish_by_s is not None and authority.now_s < publish_by_s,
    )


def snapshot_before(standing: Standing, salt: Path | None) -> Snapshot:
    """Return the policy of a log's state; its salt is needed where agreements name somebody."""
    book, authority = standing.book, standing.authority
    named = any(
        each.record.terminal_hashes or each.record.account_hashes
        for each in authority.agreement_history
    )
    digits = standing.salt(salt) if named or salt else _NO_SALT
    checkpoint = book.verified.checkpoint
    return snapshot_of(
        authority, log_origin=checkpoint.origin, log_root=checkpoint.root.hex(), salt=digits,
        private=book.private,
    )  # fmt: skip


def write_exact(path: Path, report: ImpactReport, nonce: bytes) -> None:
    """Write the exact report and what binds it to the public one, for its owner's eyes."""
    content = {"nonce": nonce.hex(), "report": json.loads(report.encode())}
    write_new(path, canonical(content) + b"\n", mode=PRIVATE_MODE, what="reports")


def impact_lines(proposal: Proposal, objects: Mapping[str, bytes]) -> list[str]:
    """Return the published report of a proposal in plain words, none where no cell changes."""
    try:
        return signed_impact(proposal, objects)
    except InputError as error:
        return [f"no impact can be shown: {error}"]


def signed_impact(proposal: Proposal, objects: Mapping[str, bytes]) -> list[str]:
    """Return the same, refused where it is not here, is not whole, or is another directive's.

    Else signers would read a harmless figure beside a harmful directive.
    """
    if proposal.impact is None:
        return []
    what = f"impact report {proposal.impact[:23]}..."
    content = objects.get(proposal.impact)
    if content is None:
        raise InputError(f"{what} is not here; ask the proposer for the parcel")
    report = parse_published(content)
    if report.directive != proposal.directive.digest:
        raise InputError(f"{what} is that of another directive; do not sign it")
    try:
        return report_lines(report)
    except KeyError as absent:
        raise InputError(f"{what} says nothing of {absent}; do not sign it") from None


def _version(authority: Authority, directive: Directive) -> RegionVersion:
    for version in authority.regions.get(directive.region_id, ()):
        if version.record.digest == directive.region:
            return version
    raise InputError(
        f"directive {directive.directive_id}: names no region that the log has; name one, as "
        "--region ID"
    )


def _geometry(standing: Standing, version: RegionVersion) -> Geometry:
    """Return a region's geometry, published or from the log's private folder."""
    geometry = version.geometry or geometry_in(standing.book.private, version.record)
    if geometry is None:
        raise InputError(
            f"region {version.record.region_id}: its border is withheld and not here; ask the "
            "log's keeper to make the report"
        )
    return geometry


def _policy_region(
    authority: Authority, version: RegionVersion, geometry: Geometry
) -> PolicyRegion:
    record = version.record
    return PolicyRegion(
        region_id=version.snapshot_id,
        version=record.version,
        digest=record.digest_of_region,
        cells=geometry.cells,
        needs_licence=record.needs_licence,
        licences=tuple(authority.licences.get(record.region_id, ())),
        claims=tuple(Claim(each.administration, each.basis) for each in record.claims),
    )


def _allow_list(
    standing: Standing, directive: Directive, version: RegionVersion, private: Mapping[str, bytes]
) -> AllowList | None:
    """Return the list that a restriction brings, from its parcel or from the log's keeper."""
    digest = directive.allow_list
    if digest is None:
        return None
    content = private.get(digest) or standing.book.private.get(digest)
    if content is None:
        raise InputError(
            f"directive {directive.directive_id}: its allow list is not here, and without it "
            "nobody knows who is listed; ask the log's keeper to make the report"
        )
    return list_of(directive, content, version.snapshot_id, standing.authority.size)


def _border(geometry: Geometry) -> Border:
    return border_of(geometry.border)


def _table(terminals: Path | None) -> ImpactTable:
    if terminals is None:
        raise InputError(
            "no table of terminals; give the fleet that the report counts, as --terminals FLEET.csv"
        )
    content = read_limited(terminals, MAX_TABLE_BYTES, "name a fleet's CSV")
    return parse_impact_table(content, str(terminals))
