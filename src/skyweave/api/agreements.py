"""Agreements: drafted by their parties, signed by one key after another, and shown."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyweave.api.authority import LogSource, Standing
from skyweave.api.parcels import Signer, made, sealed, written
from skyweave.api.words import agreement_words
from skyweave.control.domain.documents import AgreementRecord, parse_document
from skyweave.control.domain.state import AgreementState
from skyweave.control.drafts import AgreementDraft, days_s, make_draft, read_toml
from skyweave.control.parcel import Parcel, read_parcel
from skyweave.errors import InputError
from skyweave.policy.snapshot import Subject, subject_hash


@dataclass(frozen=True)
class AgreementToSign:
    """An agreement that a person is about to sign, and the parcel with the signatures so far."""

    record: AgreementRecord
    parcel: Parcel | None
    out: Path

    def sign(self, signer: Signer) -> dict[str, Any]:
        """Add a signature and write the parcel."""
        key = signer.load()
        parcel = sealed(self.record, key) if self.parcel is None else self.parcel.signed_by(key)
        answer = written(parcel, self.record, self.out, over=self.parcel is not None)
        return {**answer, "agreement": self.record.agreement_id}


def agreement_to_sign(
    source: Path, out: Path, *, log: LogSource | None = None, salt: Path | None = None
) -> AgreementToSign:
    """Return the agreement of a draft, or of the parcel `out` that others have signed.

    Terminals and accounts of a draft are hashed under the log's salt, so a draft that names some
    needs the log.
    """
    parcel = read_parcel(out) if out.exists() else None
    if parcel is not None and source == out:
        return AgreementToSign(_record_in(parcel, out), parcel, out)
    record = _record_of(source, log, salt)
    if parcel is not None and _record_in(parcel, out) != record:
        raise InputError(
            f"{out}: what is signed there differs from {source}: "
            f"{', '.join(_differing(_record_in(parcel, out), record))}; agree on one text first"
        )
    return AgreementToSign(record, parcel, out)


def show_agreements(log: LogSource, agreement_id: str | None, *, now_s: int) -> dict[str, Any]:
    """Return one agreement of a log, or all of them, and whether each is in force."""
    authority = log.open().authority(now_s)
    if agreement_id is not None and agreement_id not in authority.agreements:
        known = ", ".join(authority.agreements) or "none"
        raise InputError(
            f'agreement "{agreement_id[:64]}" is not in the log; it has: {known[:200]}'
        )
    ids = [*authority.agreements] if agreement_id is None else [agreement_id]
    return {
        "log": str(log.folder),
        "at_s": now_s,
        "agreements": [_told(authority.agreements[each], now_s) for each in ids],
    }


def _told(found: AgreementState, now_s: int) -> dict[str, Any]:
    return {
        "agreement": found.record.agreement_id,
        "version": found.record.version,
        "digest": found.record.digest,
        "entry": found.entry,
        "from_s": found.from_s,
        "until_s": found.until_s,
        "in_force": found.from_s <= now_s < found.until_s,
        "words": agreement_words(found.record),
    }


def _record_in(parcel: Parcel, path: Path) -> AgreementRecord:
    if parcel.envelope.payload_type != AgreementRecord.payload_type():
        raise InputError(f"{path}: holds no agreement; name the parcel of one")
    return parse_document(parcel.envelope.payload, AgreementRecord, str(path))


def _differing(one: AgreementRecord, other: AgreementRecord) -> list[str]:
    fields = type(one).model_fields
    return [name for name in fields if getattr(one, name) != getattr(other, name)]


def _record_of(source: Path, log: LogSource | None, salt: Path | None) -> AgreementRecord:
    draft = make_draft(read_toml(source), AgreementDraft, str(source))
    return made(
        AgreementRecord,
        str(source),
        agreement_id=draft.id,
        version=draft.version,
        title=draft.title,
        parties=draft.parties,
        people=draft.people,
        organisations=draft.organisations,
        region_ids=draft.regions,
        floor=draft.floor,
        exceptions=draft.exceptions,
        from_s=draft.from_s,
        until_s=draft.until_s,
        notice_s=days_s(draft.notice_days),
        remedy=draft.remedy,
        **_hashes(source, draft, log, salt),
    )


def _hashes(
    source: Path, draft: AgreementDraft, log: LogSource | None, salt: Path | None
) -> dict[str, tuple[str, ...]]:
    """Return what stands for the terminals and accounts of a draft."""
    if not draft.terminals and not draft.accounts:
        return {}
    if log is None:
        raise InputError(
            f"{source}: names terminals or accounts, which are hashed under the log's salt; give "
            "the log too, as --log LOG"
        )
    book = log.open()
    digits = Standing(book, book.authority()).salt(salt)
    subjects = {"terminal": draft.terminals, "account": draft.accounts}
    return {
        f"{kind}_hashes": tuple(sorted({subject_hash(digits, Subject(kind), n) for n in names}))
        for kind, names in subjects.items()
    }
