"""A log as signing commands read it: verified, replayed, and asked before anything is signed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from skyweave.control.domain.documents import Charter, KeyRecord, digest_of
from skyweave.control.domain.keyring import records_of
from skyweave.control.domain.replay import check_next
from skyweave.control.domain.state import Authority
from skyweave.control.parcel import Parcel
from skyweave.control.signing import PrivateKey
from skyweave.errors import InputError

if TYPE_CHECKING:
    from skyweave.control.book import Book


@dataclass(frozen=True)
class LogSource:
    """A log's folder, and how much of it the reader insists on."""

    folder: Path
    genesis: str | None = None  # the digest that the reader was told
    quorum: bool = True

    def open(self) -> "Book":
        """Return the log, every byte of it verified."""
        from skyweave.control.book import Book

        return Book.open(self.folder, genesis=self.genesis, quorum=self.quorum)


def refuse_without_effect(
    authority: Authority, parcel: Parcel, known: Mapping[str, bytes], now_s: int
) -> None:
    """Refuse what the log would list without effect, before anybody relies on it."""
    check_next(authority, parcel.envelope, now_s, {**known, **parcel.objects})


def whose(charter: Charter, key: PrivateKey) -> KeyRecord:
    """Return in which office a key signs."""
    record = records_of(charter).get(key.public.key_id)
    if record is None:
        raise InputError(
            f"key {key.public.key_id[:16]}: not a key of charter version {charter.version}; sign "
            "with one that it lists, or amend the charter"
        )
    return record


def salt_of(charter: Charter, folder: Path, given: Path | None) -> str:
    """Return the salt of hashed names, hexadecimal, from a file or the log's private folder."""
    path = given or folder / "private" / charter.salt_digest.removeprefix("sha256:")
    try:
        content = path.read_bytes()[:4096]
    except OSError as error:
        raise InputError(
            f"{path}: {error.strerror}; names are hashed under the salt: ask the keeper of the "
            "log for it and give it as --salt FILE"
        ) from None
    for salt in (content, _from_hexadecimal(content)):
        if salt and digest_of(salt) == charter.salt_digest:
            return salt.hex()
    raise InputError(f"{path}: not the salt that the charter names; ask the log's keeper for it")


def _from_hexadecimal(content: bytes) -> bytes:
    try:
        return bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        return b""
