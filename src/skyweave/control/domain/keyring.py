"""A charter's keys by their ids: SHA-256 of the public key's bytes, never a name somebody gave."""

import functools

from skyweave.control.domain.documents import Charter, KeyRecord
from skyweave.control.signing.keys import PublicKey, public_key_from_text


@functools.lru_cache(maxsize=4096)
def public_key(text: str) -> PublicKey:
    """Return the key of a record's `public`."""
    return public_key_from_text(text, "charter: public key")


def key_id_of(record: KeyRecord) -> str:
    """Return what a key is called."""
    return _key_id(record.public)


@functools.lru_cache(maxsize=4096)
def _key_id(text: str) -> str:
    return public_key(text).key_id


def records_of(charter: Charter) -> dict[str, KeyRecord]:
    """Return the charter's keys by their ids."""
    return {key_id_of(record): record for record in charter.keys}


def public_keys(charter: Charter) -> dict[str, PublicKey]:
    """Return what verifies signatures of the charter's keys, by key id."""
    return {key_id: public_key(record.public) for key_id, record in records_of(charter).items()}
