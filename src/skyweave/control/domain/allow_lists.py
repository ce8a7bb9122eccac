"""The object behind a restriction to listed terminals: salted hashes of kits, never their owners.

It is kept from the public, salt and all; the directive and each `Listing` name it by its digest.
"""

from typing import Annotated

import pydantic

from skyweave.control.domain.documents import Part, canonical
from skyweave.errors import InputError
from skyweave.policy.allow_list import (
    MAX_ENTRIES,
    MIN_GRACE_S,
    MIN_REMOVAL_NOTICE_S,
    AllowList,
    Listed,
)

MAX_LIST_BYTES = 32 * 2**20
FORMAT = "skyweave.allow-list.v1"


class _Kit(Part):
    kit_hash: Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]
    terminal_class: Annotated[str, pydantic.Field(max_length=100)]
    sponsor: Annotated[str, pydantic.Field(max_length=100)]
    from_s: int
    until_s: int | None = None
    removal_reason: Annotated[str, pydantic.Field(max_length=500)] = ""
    appeal: Annotated[str, pydantic.Field(max_length=500)] = ""


class _List(Part):
    format: str = FORMAT
    salt: Annotated[str, pydantic.Field(pattern=r"^([0-9a-f]{2}){16,64}$")]
    grace_s: int = MIN_GRACE_S
    kits: Annotated[tuple[_Kit, ...], pydantic.Field(max_length=MAX_ENTRIES)]


def encode_allow_list(listing: AllowList) -> bytes:
    """Return the object of a list: its kits, salt and grace, whatever directive brings it."""
    kits = tuple(_Kit(**vars(kit)) for kit in listing.kits)
    return _encoded(_List(salt=listing.salt, grace_s=listing.grace_s, kits=kits))


def parse_allow_list(
    content: bytes, source: str, *, region_id: str, directive_id: str, entry: int, from_s: int,
    until_s: int,
) -> AllowList:  # fmt: skip
    """Return the list of an object as a directive brings it, for a span of time."""
    if len(content) > MAX_LIST_BYTES:
        raise InputError(f"{source}: at most {MAX_LIST_BYTES:,} bytes are read; shorten the list")
    try:
        read = _List.model_validate_json(content)
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])[:100]
        raise InputError(f"{source}: {where}: {first['msg'][:200]}; make the list again") from None
    if read.format != FORMAT or _encoded(read) != content:
        raise InputError(f"{source}: not in canonical form of {FORMAT}; make the list again")
    kits = tuple(Listed(**kit.model_dump()) for kit in read.kits)
    return AllowList(region_id, directive_id, entry, read.salt, from_s, until_s, kits, read.grace_s)


def _encoded(listing: _List) -> bytes:
    return canonical(listing.model_dump(mode="json"))


def is_fair_change(before: AllowList, after: AllowList, at_s: int) -> bool:
    """Return whether a list logged at `at_s` takes nobody off without notice, reason and appeal."""
    if (before.salt, before.grace_s) != (after.salt, after.grace_s):
        return False  # under another salt every kit would be off it
    listed = [kit for kit in before.kits if kit.until_s is None or kit.until_s > at_s]
    return all(_stays_or_is_warned(kit, after.find(kit.kit_hash), at_s) for kit in listed)


def _stays_or_is_warned(kit: Listed, now: Listed | None, at_s: int) -> bool:
    if now is None or now.from_s > kit.from_s:
        return False
    if now.until_s is None or now.until_s == kit.until_s:
        return True
    is_reasoned = bool(now.removal_reason.strip() and now.appeal.strip())
    return now.until_s >= at_s + MIN_REMOVAL_NOTICE_S and is_reasoned
