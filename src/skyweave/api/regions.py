"""Regions of a log: made from GeoJSON and signed, and shown with what decides them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyweave.api.authority import LogSource
from skyweave.api.parcels import Signer, made, read_limited, refuse_existing, sealed, written
from skyweave.control.domain.documents import DAY_S, MAX_TEXT, ClaimRecord, RegionRecord
from skyweave.control.domain.geometry import MAX_GEOMETRY_BYTES, Geometry, geometry_of
from skyweave.control.domain.state import Authority
from skyweave.errors import InputError
from skyweave.policy.regions import region_from_geojson

MAX_GEOJSON_BYTES = 16 * 2**20
MAX_WITHHELD_DAYS = 30  # the protection of those who live there, and no longer


@dataclass(frozen=True)
class RegionDraft:
    """What a person says of a region beside its border."""

    region_id: str
    title: str
    rule: str = "centre"
    version: int = 1
    needs_licence: bool = True
    claims: Sequence[str] = ()  # "CH:basis"
    publish_after_days: float | None = None
    boundary_data: str = ""


def make_region(
    geojson: Path, draft: RegionDraft, signer: Signer, out: Path, *, now_s: int
) -> dict[str, Any]:
    """Sign a version of a region whose border is GeoJSON, and write it as a parcel.

    Without `publish_after_days` its geometry is published with it.
    """
    refuse_existing(out)
    _refuse_odd_source(draft.boundary_data)
    withheld_until_s = _withheld_until_s(draft.publish_after_days, now_s)
    claims = tuple(_claim(each) for each in draft.claims)
    geometry = _geometry(geojson, draft)
    record = _record(draft, claims, geometry, withheld_until_s)
    content = {geometry.digest: geometry.encode()}
    public, private = (content, {}) if withheld_until_s is None else ({}, content)
    parcel = sealed(record, signer.load(), public, private)
    return {
        **written(parcel, record, out),
        "region": record.region_id,
        "version": record.version,
        "cells": record.cells,
        "digest_of_region": record.digest_of_region,
        "publish_by_s": record.publish_by_s,
    }


def show_regions(log: LogSource, region_id: str | None, *, at_s: int) -> dict[str, Any]:
    """Return one region of a log, or all of them, with what decides each at a time."""
    authority = log.open().authority(at_s)
    if region_id is not None and region_id not in authority.regions:
        known = ", ".join(authority.regions) or "none"
        raise InputError(f'region "{region_id[:64]}" is not in the log; it has: {known[:200]}')
    ids = [*authority.regions] if region_id is None else [region_id]
    regions = [_told(authority, each, at_s) for each in ids]
    return {"log": str(log.folder), "at_s": at_s, "regions": regions}


def _told(authority: Authority, region_id: str, at_s: int) -> dict[str, Any]:
    newest = authority.regions[region_id][-1]
    record = newest.record
    return {
        "region": region_id,
        "title": record.title,
        "version": record.version,
        "entry": newest.entry,
        "cells": record.cells,
        "digest_of_region": record.digest_of_region,
        "withheld_until_s": None if newest.geometry is not None else record.publish_by_s,
        "redrawn": _redrawn(newest.geometry, record),
        "needs_licence": record.needs_licence,
        "claims": [each.model_dump() for each in record.claims],
        "licences": [
            {**vars(each), "status": str(each.status), "is_valid": each.is_valid(at_s)}
            for each in authority.licences.get(region_id, ())
        ],
        "directives": [
            {"directive": name, "does": str(each.does), "state": str(each.state),
             "from_s": each.from_s, "until_s": each.until_s, "entry": each.entry}
            for name, each in authority.directives.items()
            if each.proposal.directive.region_id == region_id
        ],
        "agreements": [
            name for name, each in authority.agreements.items()
            if region_id in each.record.region_ids and each.from_s <= at_s < each.until_s
        ],
    }  # fmt: skip


def _redrawn(geometry: Geometry | None, record: RegionRecord) -> str:
    """Return whether the cells follow from the border by the rule, as drawn again here."""
    if geometry is None:
        return "withheld"
    drawn = geometry.drawn_again()
    if drawn.h3_version != geometry.h3_version:
        return f"not compared: made by h3 {geometry.h3_version}, {drawn.h3_version} is here"
    return "yes" if drawn.digest == record.digest_of_region else "no"


def _geometry(geojson: Path, draft: RegionDraft) -> Geometry:
    content = _read_geojson(geojson)
    region = region_from_geojson(
        content, draft.region_id, draft.rule, boundary_data=draft.boundary_data,
        source=str(geojson),
    )  # fmt: skip
    geometry = geometry_of(region, content)
    if len(geometry.encode()) > MAX_GEOMETRY_BYTES:
        raise InputError(f"{geojson}: too detailed; simplify the outline to steps of a kilometre")
    return geometry


def _read_geojson(path: Path) -> Any:
    content = read_limited(path, MAX_GEOJSON_BYTES, "name a GeoJSON file, simplified if need be")
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not JSON; export the border as GeoJSON (RFC 7946)") from None


def _record(
    draft: RegionDraft,
    claims: tuple[ClaimRecord, ...],
    geometry: Geometry,
    publish_by_s: int | None,
) -> RegionRecord:
    return made(
        RegionRecord,
        f'region "{draft.region_id[:64]}"',
        region_id=draft.region_id,
        version=draft.version,
        title=draft.title,
        digest_of_region=geometry.digest_of_region,
        geometry=geometry.digest,
        cells=geometry.cells.size,
        needs_licence=draft.needs_licence,
        claims=claims,
        publish_by_s=publish_by_s,
    )


def _refuse_odd_source(boundary_data: str) -> None:
    if len(boundary_data) > MAX_TEXT or not boundary_data.isprintable():
        raise InputError(
            f"--boundary-data: expected a name and version on one line of at most {MAX_TEXT} "
            "characters; shorten it"
        )


def _claim(text: str) -> ClaimRecord:
    administration, colon, basis = text.partition(":")
    if not colon:
        raise InputError(
            f'--claim "{text[:60]}": expected ADMINISTRATION:BASIS, as in CH:constitution'
        )
    return made(ClaimRecord, "--claim", administration=administration, basis=basis)


def _withheld_until_s(days: float | None, now_s: int) -> int | None:
    if days is None:
        return None
    if not 0 < days <= MAX_WITHHELD_DAYS:
        raise InputError(
            f"--publish-after {days:g}: a border may be withheld for more than 0 and up to "
            f"{MAX_WITHHELD_DAYS} days; give such a number"
        )
    return now_s + round(days * DAY_S)
