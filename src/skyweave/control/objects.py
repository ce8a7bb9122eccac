"""Objects beside an authority's log: files that are called by the SHA-256 of their bytes.

What is published stands in `objects/`.  What only the log's keeper may hold, the salt, the texts
and the geometry that are published later, stands in `private/`, which nobody else can read.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from skyweave.control.domain.documents import (
    DOCUMENTS,
    AgreementRecord,
    Charter,
    DirectiveKind,
    Document,
    Proposal,
    RegionRecord,
    Request,
    digest_of,
    parse_document,
)
from skyweave.control.log.durable import publish, read_limited
from skyweave.control.signing.dsse import Envelope
from skyweave.control.signing.encoding import shown
from skyweave.errors import InputError

OBJECTS = "objects"
PRIVATE = "private"
MAX_OBJECT_BYTES = 32 * 2**20

_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_NAME = re.compile(r"[0-9a-f]{64}")


class Objects(Mapping[str, bytes]):
    """The objects of a folder by digest; each read and checked when it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __getitem__(self, digest: str) -> bytes:
        name = _DIGEST.fullmatch(digest)
        if name is None or not self._is_there(name[1]):
            raise KeyError(digest)
        path = self.folder / name[1]
        content = read_limited(path, MAX_OBJECT_BYTES, "an object of the log")
        _refuse_changed(path, content, digest)
        return content

    def __iter__(self) -> Iterator[str]:
        return (f"sha256:{name}" for name in self._files() if _NAME.fullmatch(name))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, digest: object) -> bool:
        name = _DIGEST.fullmatch(digest) if isinstance(digest, str) else None
        return name is not None and self._is_there(name[1])

    def problems(self) -> Iterator[str]:
        """Read every object and yield a line for each that is not what it is called."""
        for name in self._files():
            if not _NAME.fullmatch(name):
                yield f"{self.folder / name}: not called by a SHA-256; remove it"
                continue
            try:
                self[f"sha256:{name}"]
            except InputError as error:
                yield str(error)
            except KeyError:
                yield f"{self.folder / name}: not a plain file; remove it"

    def _files(self) -> list[str]:
        try:
            return sorted(path.name for path in self.folder.iterdir())
        except OSError:  # absent, or another user's private folder
            return []

    def _is_there(self, name: str) -> bool:
        try:
            return (self.folder / name).is_file()
        except OSError:
            return False


class Named(NamedTuple):
    """An object that a logged document names."""

    digest: str
    what: str
    publish_by_s: int | None  # withheld until then at the latest (s since 1970), None: not at all


def store(folder: Path, part: str, objects: Mapping[str, bytes], staging: Path) -> None:
    """Put objects into `part` of a log's folder; when it returns they are durable."""
    for digest, content in objects.items():
        _refuse_bad_object(digest, content)
    if part == PRIVATE:
        (folder / PRIVATE).mkdir(mode=0o700, exist_ok=True)
    known = Objects(folder / part)
    new = {f"{part}/{_name(each)}": objects[each] for each in objects if each not in known}
    if new:
        publish(folder, new, staging)


def document_of(envelope: Envelope, source: str) -> Document:
    """Return the document in an envelope, whoever signed it."""
    model = DOCUMENTS.get(envelope.payload_type)
    if model is None:
        raise InputError(
            f"{source}: {shown(envelope.payload_type)} is no document of this version; "
            "read it with the version that wrote it"
        )
    return parse_document(envelope.payload, model, source)


def named_objects(document: Document, objects: Mapping[str, bytes]) -> tuple[Named, ...]:
    """Return what must be published beside a document; allow lists and the salt never are.

    A new version of a region is an object itself and names its geometry: `objects` holds it where
    it is known.
    """
    if isinstance(document, RegionRecord):
        name = f"the geometry of region {document.region_id} version {document.version}"
        return (Named(document.geometry, name, document.publish_by_s),)
    if isinstance(document, Request):
        name = f"the text of request {document.request_id}"
        return (Named(document.text, name, document.publish_by_s),)
    if isinstance(document, Proposal):
        return tuple(_named_by_proposal(document, objects))
    return ()


def _named_by_proposal(proposal: Proposal, objects: Mapping[str, bytes]) -> Iterator[Named]:
    directive = proposal.directive
    if proposal.impact is not None:
        yield Named(proposal.impact, f"the impact report of {directive.directive_id}", None)
    if directive.replaces_by is None:
        return
    yield Named(directive.replaces_by, f"the new document of {directive.directive_id}", None)
    model = _NEW_DOCUMENTS.get(directive.does)
    if model is not None and directive.replaces_by in objects:
        source = f"directive {directive.directive_id}: the new document"
        new = parse_document(objects[directive.replaces_by], model, source)
        yield from named_objects(new, objects)


_NEW_DOCUMENTS: Mapping[DirectiveKind, type[Document]] = {
    DirectiveKind.AMEND_REGION: RegionRecord,
    DirectiveKind.AMEND_AGREEMENT: AgreementRecord,
    DirectiveKind.AMEND_CHARTER: Charter,
}


def _name(digest: str) -> str:
    return digest.removeprefix("sha256:")


def _refuse_bad_object(digest: str, content: bytes) -> None:
    if len(content) > MAX_OBJECT_BYTES:
        raise InputError(
            f"object {digest[:23]}...: {len(content):,} bytes, at most {MAX_OBJECT_BYTES:,} are "
            "kept; make it smaller"
        )
    _refuse_changed("object", content, digest)


def _refuse_changed(where: object, content: bytes, digest: str) -> None:
    """An object that could be exchanged would change what its signers agreed to."""
    if digest_of(content) != digest:
        raise InputError(
            f"{where}: its bytes are not those of {digest[:23]}...; restore it from another copy"
        )
