"""The next version of a charter, drafted from the one that a log has in force."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skyweave.api.charters import draft_state, unsigned, write_draft
from skyweave.api.parcels import made, refuse_existing
from skyweave.api.parties import seconds_of_years
from skyweave.control.book import Book
from skyweave.control.domain import charters
from skyweave.control.domain.documents import Charter, KeyRecord, Organisation, RoleRecord
from skyweave.control.domain.keyring import key_id_of, records_of
from skyweave.errors import InputError

MIN_PREFIX = 12  # characters of a key id that name it


@dataclass(frozen=True)
class Changes:
    """What the next version has otherwise; whatever else is edited in the draft."""

    cards: Sequence[KeyRecord] = ()
    without: Sequence[str] = ()  # ids of keys, or their beginnings
    organisations: Mapping[str, str] = field(default_factory=dict)  # names of new ones
    years: float = 2.0


def charter_amend(
    folder: Path, file: Path, changes: Changes, *, now_s: int, genesis: str | None = None
) -> dict[str, Any]:
    """Write the draft of a charter's next version, without the keys that were revoked.

    A new key has the roles of its organisation; one of a new organisation is of the root alone.
    """
    refuse_existing(file)
    authority = Book.open(folder, genesis=genesis).authority()
    new = _next(authority.charter, changes, authority.revoked, now_s)
    charters.check_amendment(authority.charter, new, revoked=authority.revoked)
    write_draft(file, new, b"")
    return {"written": str(file), **draft_state(new, unsigned(new, b""))}


def _next(old: Charter, changes: Changes, revoked: Collection[str], now_s: int) -> Charter:
    gone = {_key_id(old, each) for each in changes.without}.union(revoked)
    kept = [record for record in old.keys if key_id_of(record) not in gone]
    changed = {
        "version": old.version + 1,
        "created_s": now_s,
        "expires_s": now_s + seconds_of_years(changes.years),
        "organisations": _organisations(old, changes),
        "keys": (*kept, *changes.cards),
        "roles": tuple(_role(old, each, gone, changes.cards) for each in old.roles),
    }
    return made(Charter, "charter", **(vars(old) | changed))


def _key_id(charter: Charter, beginning: str) -> str:
    found = [key_id for key_id in records_of(charter) if key_id.startswith(beginning)]
    if len(beginning) < MIN_PREFIX or len(found) != 1:
        raise InputError(
            f'--without "{beginning[:64]}": expected at least {MIN_PREFIX} characters of the id of '
            "one of the charter's keys; skyweave charter show lists them"
        )
    return found[0]


def _organisations(old: Charter, changes: Changes) -> tuple[Organisation, ...]:
    """Return the organisations with the new ones that cards name; nobody falls out unasked."""
    known = {each.organisation for each in old.organisations}
    new = dict.fromkeys(c.organisation for c in changes.cards if c.organisation not in known)
    names = changes.organisations
    added = (
        made(Organisation, "organisation", organisation=each, name=names.get(each, each))
        for each in new
    )
    return (*old.organisations, *added)


def _role(
    old: Charter, role: RoleRecord, gone: Collection[str], cards: Sequence[KeyRecord]
) -> RoleRecord:
    """Return a role with the new keys of organisations that are in it; new ones enter the root."""
    records = records_of(old)
    inside = {records[key_id].organisation for key_id in role.key_ids}
    if role.role == old.root.role:
        inside |= {card.organisation for card in cards} - {r.organisation for r in old.keys}
    added = (key_id_of(card) for card in cards if card.organisation in inside)
    kept = (key_id for key_id in role.key_ids if key_id not in gone)
    return made(RoleRecord, f'role "{role.role}"', role=role.role, key_ids=(*kept, *added))
