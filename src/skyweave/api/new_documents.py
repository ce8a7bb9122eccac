"""What an amendment changes, in words: signers of a digest must see what stands behind it."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from skyweave.control.domain.documents import (
    AgreementRecord,
    Charter,
    Directive,
    DirectiveKind,
    RegionRecord,
    parse_document,
)
from skyweave.control.domain.keyring import records_of
from skyweave.control.domain.objects import content_of, geometry_in
from skyweave.control.domain.state import Authority
from skyweave.control.times import utc
from skyweave.errors import InputError

MAX_SHOWN = 200  # characters of a value that is changed


def amendment_words(
    directive: Directive, authority: Authority, objects: Mapping[str, bytes]
) -> list[str]:
    """Return what a directive's new document changes, none where it brings none."""
    if directive.replaces_by is None:
        return []
    try:
        return list(_lines(directive, authority, objects))
    except InputError as error:
        return [f"what it changes cannot be shown: {error}"]


def refuse_unseen_amendment(directive: Directive, objects: Mapping[str, bytes]) -> None:
    """Refuse to approve a new document that is not here, or cannot be read."""
    if directive.replaces_by is not None:
        _document(directive, objects)


_MODELS: Mapping[DirectiveKind, type[Charter] | type[RegionRecord] | type[AgreementRecord]] = {
    DirectiveKind.AMEND_CHARTER: Charter,
    DirectiveKind.AMEND_REGION: RegionRecord,
    DirectiveKind.AMEND_AGREEMENT: AgreementRecord,
}


def _document(
    directive: Directive, objects: Mapping[str, bytes]
) -> Charter | RegionRecord | AgreementRecord:
    what = f"directive {directive.directive_id}: the new document"
    model = _MODELS.get(directive.does)
    if model is None or directive.replaces_by is None:
        raise InputError(f"{what}: does not belong to {directive.does}; leave it out")
    return parse_document(content_of(objects, directive.replaces_by, what), model, what)


def _lines(
    directive: Directive, authority: Authority, objects: Mapping[str, bytes]
) -> Iterator[str]:
    new = _document(directive, objects)
    if isinstance(new, Charter):
        yield f"to charter version {new.version}, which ends {utc(new.expires_s)}"
        yield from _charter(authority.charter, new)
    elif isinstance(new, RegionRecord):
        yield from _region(new, authority, objects)
    else:
        known = authority.agreements.get(new.agreement_id)
        yield f"to version {new.version} of agreement {new.agreement_id}"
        yield from _changes(known.record.model_dump() if known else {}, new.model_dump())


def _charter(old: Charter, new: Charter) -> Iterator[str]:
    before, after = records_of(old), records_of(new)
    for key_id in before.keys() - after.keys():
        yield f"no longer signs: {before[key_id].person} of {before[key_id].organisation}"
    for key_id in after.keys() - before.keys():
        record = after[key_id]
        yield f"signs from then on: {record.person} of {record.organisation} ({record.office})"
    names = {key_id: record.person for key_id, record in (before | after).items()}
    was, now = _by_name(old, names), _by_name(new, names)
    yield from _changes(was, now)


def _by_name(charter: Charter, names: Mapping[str, str]) -> dict[str, Any]:
    """Return a charter's rules with each role and route under its name, keys as people."""
    content = charter.model_dump(mode="json", exclude={"keys", "roles", "routes", "version"})
    for role in charter.roles:
        people = sorted({names.get(key_id, key_id) for key_id in role.key_ids})
        content[f"role {role.role}"] = ", ".join(people)
    for route in charter.routes:
        for field, value in route.model_dump(mode="json", exclude={"route"}).items():
            content[f"route {route.route}: {field}"] = value
    return content


def _changes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[str]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield f"{name}: {_shown(old.get(name))} becomes {_shown(new.get(name))}"


def _shown(value: object) -> str:
    text = "nothing" if value is None or value in ("", (), []) else str(value)
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}..."


def _region(new: RegionRecord, authority: Authority, objects: Mapping[str, bytes]) -> Iterator[str]:
    yield f'to version {new.version}, "{new.title}", {new.cells:,} cells'
    versions = authority.regions.get(new.region_id, ())
    geometry, old = geometry_in(objects, new), versions[-1].cells if versions else None
    if geometry is None or old is None:
        yield "which cells that adds and takes away is withheld"
        return
    added = np.setdiff1d(geometry.cells, old, assume_unique=True).size
    taken = np.setdiff1d(old, geometry.cells, assume_unique=True).size
    yield f"adds {added:,} cells and takes {taken:,} away"
