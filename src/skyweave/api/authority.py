"""A log as signing commands read it: verified, replayed, and asked before anything is signed."""

from collections import ChainMap
from collections.abc import Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from skyweave.api.parcels import read_limited
from skyweave.control.domain.documents import Charter, KeyRecord, digest_of
from skyweave.control.domain.keyring import records_of
from skyweave.control.domain.replay import follow
from skyweave.control.domain.state import Authority
from skyweave.control.parcel import Parcel
from skyweave.control.signing import PrivateKey
from skyweave.errors import InputError
from skyweave.policy.threshold import CLOCK_TOLERANCE_S

if TYPE_CHECKING:
    from skyweave.control.book import Book

MAX_SALT_BYTES = 4096


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

    def standing(self, now_s: int) -> "Standing":
        """Return what follows from the log now, for what is about to be signed."""
        book = self.open()
        return Standing(book, book.authority(_not_before(book, now_s)))


@dataclass(frozen=True)
class Standing:
    """A verified log and what follows from it at the time of a signature."""

    book: "Book"
    authority: Authority

    @property
    def now_s(self) -> int:
        """When that is, s since 1970 UTC."""
        return self.authority.now_s

    def after(self, parcels: Iterable[Parcel]) -> Authority:
        """Return what would follow if parcels were logged now; without effect, they are refused."""
        found = self.authority
        known = dict[str, bytes]()
        for parcel in parcels:
            known |= parcel.objects
            found = follow(found, [parcel.envelope], self.now_s, self.objects(known))
        return found

    def objects(self, beside: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Return the log's published objects, read when asked for, and some beside them."""
        return ChainMap(dict(beside), cast(MutableMapping[str, bytes], self.book.objects))

    def salt(self, given: Path | None) -> str:
        """Return the salt of hashed names, hexadecimal, from a file or what the keeper holds."""
        digest = self.authority.charter.salt_digest
        if given is None:
            held = self.book.private.get(digest)
            if held is None:
                raise InputError(
                    f"{self.book.folder}: names are hashed under a salt that is not in this copy; "
                    "ask the keeper of the log for it and give it as --salt FILE"
                )
            return held.hex()
        content = read_limited(given, MAX_SALT_BYTES, "name the file of the salt")
        for salt in (content, _from_hexadecimal(content)):
            if digest_of(salt) == digest:
                return salt.hex()
        raise InputError(
            f"{given}: not the salt that the charter names; ask the keeper of the log for it"
        )


def whose(charter: Charter, key: PrivateKey) -> KeyRecord:
    """Return in which office a key signs."""
    record = records_of(charter).get(key.public.key_id)
    if record is None:
        raise InputError(
            f"key {key.public.key_id[:16]}: not a key of charter version {charter.version}; sign "
            "with one that it lists, or amend the charter"
        )
    return record


def _not_before(book: "Book", now_s: int) -> int:
    """Return the time, or that of the log's last entry where the clock is only a little behind."""
    behind_s = book.entries[-1].logged_s - now_s
    if behind_s > CLOCK_TOLERANCE_S:
        raise InputError(
            f"{book.folder}: the clock stands {behind_s} s before the log's last entry; set the "
            "clock right, or give --now"
        )
    return now_s + max(behind_s, 0)


def _from_hexadecimal(content: bytes) -> bytes:
    try:
        return bytes.fromhex(content.decode("ascii").strip())
    except ValueError:
        return b""
