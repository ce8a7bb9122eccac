"""Keys and their owners: made, shown, and taken back.  Private keys never leave their files."""

import json
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyweave.api.parcels import (
    Signer,
    made,
    read_limited,
    refuse_existing,
    sealed,
    signed_by_others,
    written,
)
from skyweave.control.cards import MAX_CARD_BYTES, read_card, sign_card
from skyweave.control.domain.documents import DAY_S, KeyRecord, Revocation
from skyweave.control.domain.keyring import key_id_of
from skyweave.control.files import write_new
from skyweave.control.signing.keys import (
    generate_key,
    public_key_from_text,
    save_private_key,
)
from skyweave.errors import InputError

MIN_PASSPHRASE = 8  # characters; scrypt makes each guess take some 0.4 s, a short one still falls
MAX_YEARS = 10
YEAR_S = 365 * DAY_S


@dataclass(frozen=True)
class Owner:
    """Whose key it is, as the owner says."""

    person: str
    organisation: str
    office: str
    mandate: str
    years: float = 2.0


def party_key(file: Path, passphrase: str | None) -> dict[str, Any]:
    """Make a key pair and write its file, sealed unless `passphrase` is None."""
    refuse_short_passphrase(file, passphrase)
    key = generate_key()
    save_private_key(file, key, passphrase)
    return {
        "written": str(file),
        "key_id": key.public.key_id,
        "public": key.public.text,
        "sealed": passphrase is not None,
    }


def refuse_short_passphrase(file: Path, passphrase: str | None) -> None:
    """Refuse what guessing opens; None is no passphrase at all, which its owner asked for."""
    if passphrase is not None and len(passphrase) < MIN_PASSPHRASE:
        raise InputError(
            f"{file}: a passphrase of {len(passphrase)} characters, expected at least "
            f"{MIN_PASSPHRASE}; take four words"
        )


def party_card(signer: Signer, owner: Owner, out: Path, *, now_s: int) -> dict[str, Any]:
    """Write the card of a key: public, signed by the key itself."""
    refuse_existing(out)
    until_s = now_s + seconds_of_years(owner.years)
    key = signer.load()
    record = made(
        KeyRecord,
        f'card of "{owner.person[:64]}"',
        public=key.public.text,
        person=owner.person,
        organisation=owner.organisation,
        office=owner.office,
        mandate=owner.mandate,
        not_before_s=now_s,
        not_after_s=until_s,
    )
    write_new(out, sign_card(key, record).encode(), what="cards")
    return {"written": str(out), **_told(record)}


def party_show(file: Path) -> dict[str, Any]:
    """Return what a card or a key file says; of a key file only what is public."""
    content = read_limited(file, MAX_CARD_BYTES, "name a key file or a card")
    key = _key_file(content)
    if key is None:
        return {"file": str(file), "kind": "card", **_told(read_card(content, str(file)))}
    public = public_key_from_text(key["public"], f"{file}: public")
    mode = stat.S_IMODE(os.stat(file).st_mode)
    return {
        "file": str(file),
        "kind": "key",
        "key_id": public.key_id,
        "public": public.text,
        "sealed": "sealed" in key,
        "others_can_read": bool(mode & (stat.S_IRWXG | stat.S_IRWXO)),
    }


def party_revoke(signer: Signer, key_id: str | None, reason: str, out: Path) -> dict[str, Any]:
    """Sign that a key, the signer's own where none is named, counts no more from its log entry.

    Somebody else's key is revoked by the charter's root: each of them signs the same parcel.
    """
    key = signer.load()
    revocation = made(Revocation, "revocation", key_id=key_id or key.public.key_id, reason=reason)
    signed = signed_by_others(out, revocation, "--key-id and --reason")
    parcel = sealed(revocation, key) if signed is None else signed.signed_by(key)
    answer = written(parcel, revocation, out, over=signed is not None)
    own = revocation.key_id in answer["signatures"]
    return {**answer, "key_id": revocation.key_id, "own": own}


def seconds_of_years(years: float) -> int:
    """Return a span of years of 365 days in s, refused where it is none or beyond ten years."""
    if not 0 < years <= MAX_YEARS:
        raise InputError(f"--years {years:g}: expected more than 0 and at most {MAX_YEARS}")
    return max(1, round(years * YEAR_S))


def _told(record: KeyRecord) -> dict[str, Any]:
    return {"key_id": key_id_of(record), **record.model_dump(mode="json")}


def _key_file(content: bytes) -> dict[str, str] | None:
    """Return the fields of a key file, None where it is another file."""
    try:
        fields = json.loads(content)
    except (ValueError, RecursionError):
        return None
    if not isinstance(fields, dict) or not isinstance(fields.get("public"), str):
        return None
    return fields
