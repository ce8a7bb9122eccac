"""Signing a document into a parcel: what every signing command ends with."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pydantic

from skyweave.control.domain.documents import Document, Part
from skyweave.control.parcel import Parcel, read_parcel, write_parcel
from skyweave.control.signing import PrivateKey, load_private_key, sign_envelope
from skyweave.errors import InputError

AnyPart = TypeVar("AnyPart", bound=Part)


@dataclass(frozen=True)
class Signer:
    """A key file and, where it is sealed, its passphrase."""

    key: Path
    passphrase: str | None = None

    def load(self) -> PrivateKey:
        """Return the key."""
        return load_private_key(self.key, self.passphrase)


def made(model: type[AnyPart], source: str, **fields: Any) -> AnyPart:
    """Return a document of its fields; a fault is one line that names the field."""
    try:
        return model(**fields)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InputError(f"{source}: {where}: {first['msg'][:200]}; correct it") from None


def sealed(
    document: Document,
    key: PrivateKey,
    objects: Mapping[str, bytes] | None = None,
    private: Mapping[str, bytes] | None = None,
) -> Parcel:
    """Return a document under one signature with what it names."""
    envelope = sign_envelope(document.payload_type(), document.encode(), [key])
    return Parcel(envelope, objects or {}, private or {})


def written(parcel: Parcel, document: Document, out: Path, *, over: bool = False) -> dict[str, Any]:
    """Write a parcel and return what was written, as the commands print it."""
    write_parcel(out, parcel, over=over)
    return {
        "written": str(out),
        "kind": document.kind,
        "digest": document.digest,
        "signatures": [each.key_id for each in parcel.envelope.signatures],
        "objects": len(parcel.objects),
        "private": len(parcel.private),
    }


def signed_by_others(out: Path, document: Document, same: str) -> Parcel | None:
    """Return the parcel that others signed, None where there is none yet.

    It must say the same, word by word; `same` names the options that must be given alike.
    """
    if not out.exists():
        return None
    parcel = read_parcel(out)
    said = (parcel.envelope.payload_type, parcel.envelope.payload)
    if said != (document.payload_type(), document.encode()):
        raise InputError(
            f"{out}: not the same {document.kind}; give the same {same} to add a signature, or "
            "name another file"
        )
    return parcel


def refuse_existing(out: Path) -> None:
    """Refuse before any work to write where a file is."""
    if out.exists() or out.is_symlink():
        raise InputError(
            f"{out}: a file is there already; name another, parcels are not overwritten"
        )


def read_limited(path: Path, limit: int, advice: str) -> bytes:
    """Return the bytes of a regular file of at most `limit` bytes."""
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a regular file; {advice}")
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; {advice}") from None
    except ValueError:  # a NUL in it, as TOML can hold
        raise InputError(f"{path}: no file can be called so; {advice}") from None
    if len(content) > limit:
        raise InputError(f"{path}: more than {limit:,} bytes; {advice}")
    return content
