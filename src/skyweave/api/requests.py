"""Requests: what somebody asks for, recorded with the pressure, without effect by itself."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from skyweave.api.authority import LogSource
from skyweave.api.parcels import Signer, made, read_limited, refuse_existing, sealed, written
from skyweave.control.domain.documents import DAY_S, Asker, Request, canonical, digest_of
from skyweave.control.domain.state import Authority
from skyweave.control.parcel import read_parcel
from skyweave.errors import InputError

MAX_TEXT_BYTES = 4 * 2**20
MAX_SEALED_DAYS = 366
KINDS: tuple[str, ...] = get_args(Asker)

_NONCE_BYTES = 16  # so that nobody finds a sealed text by hashing guesses


@dataclass(frozen=True)
class RequestDraft:
    """What was asked, by whom, over which channel."""

    request_id: str
    asked_by: str
    kind: str
    channel: str
    text: Path
    pressure: str = ""
    summary: str = ""
    received_s: int | None = None
    sealed_days: float | None = None


def record_request(
    log: LogSource, draft: RequestDraft, signer: Signer, out: Path, *, now_s: int
) -> dict[str, Any]:
    """Sign a request and write it as a parcel; a sealed text stays in its private part."""
    refuse_existing(out)
    _check_kind(draft.kind)
    standing = log.standing(now_s)
    now_s = standing.now_s
    publish_by_s = _publish_by_s(draft.sealed_days, now_s)
    text = encode_text(
        read_limited(draft.text, MAX_TEXT_BYTES, "name a shorter text"), publish_by_s
    )
    document = made(
        Request,
        f'request "{draft.request_id[:64]}"',
        request_id=draft.request_id,
        received_s=now_s if draft.received_s is None else draft.received_s,
        asked_by=draft.asked_by,
        asked_by_kind=draft.kind,
        channel=draft.channel,
        pressure=draft.pressure,
        summary=draft.summary,
        text=digest_of(text),
        publish_by_s=publish_by_s,
    )
    content = {document.text: text}
    public, private = (content, {}) if publish_by_s is None else ({}, content)
    parcel = sealed(document, signer.load(), public, private)
    standing.after([parcel])
    return {
        **written(parcel, document, out),
        "request": document.request_id,
        "sealed_until_s": publish_by_s,
    }


def show_requests(log: LogSource, request_id: str | None, *, now_s: int) -> dict[str, Any]:
    """Return one request of a log, or all of them, with the text where it is published."""
    book = log.open()
    authority = book.authority(now_s)
    ids = [*authority.requests] if request_id is None else [request_id]
    return {
        "log": str(log.folder),
        "at_s": now_s,
        "requests": [_told(book.objects, authority, *_request(authority, each)) for each in ids],
    }


def reveal_request(
    log: LogSource, request_id: str, signer: Signer, text: Path | None, *, now_s: int
) -> dict[str, Any]:
    """Publish the sealed text of a request, from its parcel or the log's private folder.

    It is for the keeper of the log, whose key `signer` is.
    """
    from skyweave.control.book import BookWriter

    with BookWriter(log.folder, signer.load()) as writer:
        request, _ = _request(writer.book.authority(now_s), request_id)
        held = _held(text) if text is not None else writer.book.private
        if request.text not in held and request.text not in writer.book.objects:
            raise InputError(
                f"{text or log.folder}: holds no text of request {request_id}; give the parcel "
                "that it came in, as --text PARCEL"
            )
        new = writer.publish({request.text: held[request.text]} if request.text in held else {})
    return {"request": request_id, "text": request.text, "revealed": bool(new)}


def _held(path: Path) -> Mapping[str, bytes]:
    """Return the objects in a parcel, public and private."""
    parcel = read_parcel(path)
    return {**parcel.objects, **parcel.private}


def _request(authority: Authority, request_id: str) -> tuple[Request, int]:
    if request_id not in authority.requests:
        known = ", ".join(authority.requests) or "none"
        raise InputError(f'request "{request_id[:64]}" is not in the log; it has: {known[:200]}')
    return authority.requests[request_id]


def _told(
    objects: Mapping[str, bytes], authority: Authority, request: Request, entry: int
) -> dict[str, Any]:
    named_by = [
        name for name, each in authority.directives.items()
        if request.request_id in each.proposal.directive.request_ids
    ]  # fmt: skip
    return {
        **request.model_dump(mode="json", exclude={"format"}),
        "entry": entry,
        "text": _text(objects.get(request.text)),
        "directives": named_by,
    }


def _text(content: bytes | None) -> str | None:
    """Return the text in an object, None while it is sealed."""
    if content is None:
        return None
    try:
        return str(json.loads(content)["text"])
    except (ValueError, KeyError, TypeError):  # of another maker: shown as it is
        return content.decode("utf-8", errors="replace")


def encode_text(content: bytes, publish_by_s: int | None) -> bytes:
    """Return the object that holds a request's text; a sealed one is hashed with a nonce."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError("the request's text is not UTF-8; save it as UTF-8 text") from None
    nonce = "" if publish_by_s is None else os.urandom(_NONCE_BYTES).hex()
    return canonical({"format": "skyweave.text.v1", "nonce": nonce, "text": text})


def _check_kind(kind: str) -> None:
    if kind not in KINDS:
        raise InputError(f'--kind "{kind[:40]}": expected {", ".join(KINDS)}')


def _publish_by_s(days: float | None, now_s: int) -> int | None:
    if days is None:
        return None
    if not 0 < days <= MAX_SEALED_DAYS:
        raise InputError(
            f"--sealed-days {days:g}: a text may be sealed for more than 0 and up to "
            f"{MAX_SEALED_DAYS} days; give such a number"
        )
    return now_s + round(days * DAY_S)
