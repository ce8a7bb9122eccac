"""What documents name by digest: new versions of documents, geometry, reports."""

from collections.abc import Mapping

from skyweave.control.domain.documents import (
    AnyDocument,
    Proposal,
    RegionRecord,
    digest_of,
    parse_document,
)
from skyweave.control.domain.geometry import Geometry, parse_geometry
from skyweave.errors import InputError


def content_of(objects: Mapping[str, bytes], digest: str, what: str) -> bytes:
    """Return the bytes of a digest, refused where they are absent or others."""
    content = objects.get(digest)
    if content is None:
        raise InputError(f"{what}: object {digest[:19]}... is not published; add it to the parcel")
    if digest_of(content) != digest:
        raise InputError(f"{what}: object {digest[:19]}... was changed; copy it again")
    return content


def replacement(
    objects: Mapping[str, bytes], proposal: Proposal, model: type[AnyDocument]
) -> AnyDocument:
    """Return the new version of a document that an amendment sets."""
    directive = proposal.directive
    what = f'directive "{directive.directive_id}"'
    if directive.replaces_by is None:
        raise InputError(f"{what}: no new {model.kind} is named; give its file")
    content = content_of(objects, directive.replaces_by, f"{what}: new {model.kind}")
    return parse_document(content, model, f"{what}: new {model.kind}")


def geometry_in(objects: Mapping[str, bytes], record: RegionRecord) -> Geometry | None:
    """Return a region's geometry where it is here and is what its record says."""
    content = objects.get(record.geometry)
    if content is None:
        return None
    return parse_geometry(content, record, f'region "{record.region_id}"')
