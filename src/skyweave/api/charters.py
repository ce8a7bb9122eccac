"""Charters on files and in logs: drafted, shown and signed.

A draft is JSON that its founders may still edit.  With the first signature it becomes a parcel, in
place: from then on each signature is over the same bytes, and the digest of those bytes is what
founders compare before they sign and what everybody names who trusts the log.
"""

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from skyweave.api.parcels import Signer, made, read_limited, refuse_existing
from skyweave.api.parties import seconds_of_years
from skyweave.control.cards import MAX_CARD_BYTES, read_card
from skyweave.control.domain import charters
from skyweave.control.domain.documents import (
    Charter,
    KeyRecord,
    Organisation,
    digest_of,
)
from skyweave.control.domain.keyring import key_id_of, records_of
from skyweave.control.domain.templates import TEMPLATES, Founding, draft
from skyweave.control.files import PRIVATE_MODE, write_new
from skyweave.control.parcel import Parcel, parse_parcel, write_parcel
from skyweave.control.signing.dsse import Envelope
from skyweave.control.signing.notes import COSIGNATURE, LOG_SIGNATURE, parse_verifier_key
from skyweave.errors import InputError
from skyweave.policy.threshold import Quorum

DRAFT_FORMAT = "skyweave.charter-draft.v1"
MAX_FILE_BYTES = 2**20
SALT_BYTES = 32
_ADVICE = "name a charter's file, as skyweave charter init writes it, or a log's folder"


@dataclass(frozen=True)
class Answers:
    """What the founders answered; None or empty: the usual."""

    template: str
    name: str
    cards: Sequence[KeyRecord]
    operator: str
    log_key: str  # verifier key of the log
    witnesses: Sequence[tuple[str, str]]  # name and verifier key
    authorities: Sequence[tuple[str, str]] = ()  # administration and organisation
    organisations: Sequence[tuple[str, str]] = ()  # and their names, where not the same
    witness_quorum: int | None = None  # more than half
    years: float = 2.0


@dataclass(frozen=True)
class CharterFile:
    """A charter in a file: its signatures, and what the log's keeper needs in private."""

    charter: Charter
    parcel: Parcel

    @property
    def is_draft(self) -> bool:
        """Whether nobody has signed it yet."""
        return not self.parcel.envelope.signatures


def charter_templates() -> dict[str, Any]:
    """Return the charters to begin from, each with its trade-offs in words."""
    fields = ("name", "title", "suits", "protects", "trusts", "costs", "fails")
    return {"templates": [{f: getattr(each, f) for f in fields} for each in TEMPLATES.values()]}


def charter_init(file: Path, answers: Answers, *, now_s: int) -> dict[str, Any]:
    """Write the draft of a first charter."""
    refuse_existing(file)
    salt = secrets.token_bytes(SALT_BYTES)
    charter = draft(answers.template, _founding(answers, salt, now_s))
    write_draft(file, charter, salt)
    return {"written": str(file), **draft_state(charter, unsigned(charter, salt))}


def write_draft(file: Path, charter: Charter, salt: bytes) -> None:
    """Write a draft that its owner alone can read; a later version has no salt of its own."""
    content = {
        "format": DRAFT_FORMAT,
        "charter": charter.model_dump(mode="json"),
        "salt": salt.hex(),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_new(file, text.encode(), mode=PRIVATE_MODE, what="charters")


def charter_sign(file: Path, signer: Signer, *, digest: str | None = None) -> dict[str, Any]:
    """Add a signature to a charter's file, in place; `digest` is what the signer expects it is."""
    found = read_charter_file(file)
    charters.check_charter(found.charter)
    if digest is not None and digest != found.charter.digest:
        raise InputError(
            f"{file}: digest {found.charter.digest}, expected {digest}; ask the other founders "
            "which charter they signed"
        )
    key = signer.load()
    _refuse_stranger(found.charter, key.public.key_id, file)
    signed = CharterFile(found.charter, found.parcel.signed_by(key))
    write_parcel(file, signed.parcel, over=True)
    return {"written": str(file), **_state(signed)}


def charter_show(path: Path, *, genesis: str | None = None, quorum: bool = True) -> dict[str, Any]:
    """Return what a charter says, from its file or as it holds in a log."""
    if path.is_dir():
        return _charter_of_log(path, genesis, quorum)
    found = read_charter_file(path)
    charters.check_charter(found.charter)
    state = "draft" if found.is_draft else "file"
    return {"source": str(path), "state": state, **_state(found), **_told(found.charter)}


def read_cards(paths: Sequence[Path]) -> list[KeyRecord]:
    """Return the records of card files."""
    return [
        read_card(read_limited(path, MAX_CARD_BYTES, "name a card"), str(path)) for path in paths
    ]


def read_charter_file(path: Path) -> CharterFile:
    """Return the charter of a draft or a parcel; its signatures and rules are not checked yet."""
    content = read_limited(path, MAX_FILE_BYTES, _ADVICE)
    fields = _draft_fields(content, path)
    if fields is None:
        parcel = parse_parcel(content, str(path))
        return CharterFile(charters.charter_of(parcel.envelope, str(path)), parcel)
    charter = _edited(fields["charter"], path)
    return CharterFile(charter, unsigned(charter, _salt(fields["salt"], charter, path)))


def unsigned(charter: Charter, salt: bytes) -> Parcel:
    """Return a charter that nobody has signed, with the salt that its log's keeper needs."""
    envelope = Envelope(Charter.payload_type(), charter.encode(), ())
    return Parcel(envelope, {}, {digest_of(salt): salt} if salt else {})


def draft_state(charter: Charter, parcel: Parcel) -> dict[str, Any]:
    """Return a draft's digest and who must sign it."""
    return _state(CharterFile(charter, parcel))


def _founding(answers: Answers, salt: bytes, now_s: int) -> Founding:
    names = dict(answers.organisations)
    slugs = dict.fromkeys(card.organisation for card in answers.cards)
    if unknown := set(names) - set(slugs):
        raise InputError(
            f'--organisation "{min(unknown)}": no card names it; expected one of {", ".join(slugs)}'
        )
    return Founding(
        name=answers.name,
        organisations=tuple(
            made(Organisation, "organisation", organisation=each, name=names.get(each, each))
            for each in slugs
        ),
        cards=tuple(answers.cards),
        operator=answers.operator,
        authorities=dict(answers.authorities),
        trust=_trust_text(answers),
        salt_digest=digest_of(salt),
        created_s=now_s,
        expires_s=now_s + seconds_of_years(answers.years),
    )


def _trust_text(answers: Answers) -> str:
    """Return the log, the witnesses and how many of them it takes (c2sp.org/tlog-policy)."""
    usual = len(answers.witnesses) // 2 + 1
    quorum = usual if answers.witness_quorum is None else answers.witness_quorum
    if not 1 <= quorum <= len(answers.witnesses):
        raise InputError(
            f"--witness-quorum {quorum}: expected 1 to {len(answers.witnesses)}, as many as there "
            "are witnesses"
        )
    names = " ".join(name for name, _ in answers.witnesses)
    lines = [f"log {answers.log_key}"]
    lines += [f"witness {name} {key}" for name, key in answers.witnesses]
    return "\n".join([*lines, f"group seen {quorum} {names}", "quorum seen", ""])


def log_key(text: str) -> str:
    """Return a log's verifier key as it was given, refused where it is none."""
    return _verifier(text, "--log-key", LOG_SIGNATURE, "log")


def witness(text: str) -> tuple[str, str]:
    """Return name and verifier key of NAME=KEY."""
    name, key = pair(text, "--witness", "NAME=KEY, the verifier key of a witness")
    if not name.isprintable() or any(c.isspace() for c in name) or name in ("none", "seen"):
        raise InputError(f'--witness "{name[:60]}": expected a name without spaces; choose another')
    return name, _verifier(key, f'--witness "{name}"', COSIGNATURE, "witness")


def pair(text: str, option: str, form: str) -> tuple[str, str]:
    """Return the two sides of A=B."""
    name, equals, value = text.partition("=")
    if not name or not equals or not value:
        raise InputError(f'{option} "{text[:60]}": expected {form}; put "=" between the two')
    return name, value


def _verifier(text: str, where: str, kind: int, role: str) -> str:
    key = parse_verifier_key(text, where)
    if key.kind != kind:
        raise InputError(f"{where}: not the verifier key of a {role}; copy that of the {role}")
    return text


def _draft_fields(content: bytes, path: Path) -> dict[str, Any] | None:
    """Return the fields of a draft, None where the file is something else."""
    try:
        fields = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{path}: not JSON; {_ADVICE}") from None
    if not isinstance(fields, dict) or fields.get("format") != DRAFT_FORMAT:
        return None
    if set(fields) != {"format", "charter", "salt"}:
        raise InputError(f"{path}: expected the keys charter, format, salt; draft it anew")
    return fields


def _edited(content: object, path: Path) -> Charter:
    """Return the charter of a draft, which somebody may have edited."""
    try:
        charter = Charter.model_validate_json(json.dumps(content))
    except pydantic.ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))[:100]
        raise InputError(f"{path}: charter.{where}: {first['msg'][:200]}; correct it") from None
    return charter


def _salt(text: object, charter: Charter, path: Path) -> bytes:
    try:
        salt = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        salt = b""
    if digest_of(salt) != charter.salt_digest and (salt or charter.version == 1):
        raise InputError(f"{path}: salt and salt_digest do not belong together; draft it anew")
    return salt


def _refuse_stranger(charter: Charter, key_id: str, path: Path) -> None:
    """A signature that counts for nothing would look as if it counted."""
    root = next(each for each in charter.roles if each.role == charter.root.role)
    if key_id not in root.key_ids:
        raise InputError(
            f'{path}: key {key_id[:16]} is not of the role "{charter.root.role}", which signs the '
            "charter; sign with another key, or draft it anew with its card"
        )


def _state(found: CharterFile) -> dict[str, Any]:
    charter = found.charter
    key_ids = charters.root_signers(charter, found.parcel.envelope)
    quorum = charters.root_quorum(charter, key_ids, charter.created_s)
    return {
        "digest": charter.digest,
        "name": charter.name,
        "version": charter.version,
        "template": charter.template,
        "root": charter.root.model_dump(mode="json"),
        **_signed(quorum),
    }


def _signed(quorum: Quorum) -> dict[str, Any]:
    return {
        "signed": [
            {"person": key.person, "organisation": key.organisation, "key_id": key.key_id}
            for key in quorum.approved
        ],
        "missing": list(quorum.missing),
        "complete": bool(quorum),
    }


def _told(charter: Charter) -> dict[str, Any]:
    """Return the charter with each key's id, which is what people compare."""
    content = charter.model_dump(mode="json")
    for key, record in zip(content["keys"], charter.keys, strict=True):
        key["key_id"] = key_id_of(record)
    trust = charters.trust_of(charter)
    content["log"] = trust.logs[0].name
    content["witnesses"] = list(trust.witnesses)
    return {"charter": content}


def _charter_of_log(folder: Path, genesis: str | None, quorum: bool) -> dict[str, Any]:
    from skyweave.control.book import Book

    book = Book.open(folder, genesis=genesis, quorum=quorum)
    authority = book.authority()
    charter = authority.charter
    known = records_of(charter)
    pending = authority.pending_charter
    return {
        "source": str(folder),
        "state": "log",
        "genesis": book.genesis,
        "digest": charter.digest,
        "name": charter.name,
        "version": charter.version,
        "template": charter.template,
        "entry": authority.charter_entry,
        "revoked": {k: v for k, v in authority.revoked.items() if k in known},
        "expired": authority.now_s >= charter.expires_s,
        "pending": None if pending is None else pending.model_dump(mode="json"),
        **_told(charter),
    }
