"""Downloads that go on where they broke off: one document over HTTP into a part file.

Of a server's answers three have a meaning here: 200 with the document, 206 with the rest of one
begun, and 304, nothing new.  Whatever else it says is refused with its own first words.
"""

import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from pathlib import Path
from typing import Any, NoReturn

from skyweave import __version__
from skyweave.errors import InputError
from skyweave.twin.catalogue.files import shown

USER_AGENT = f"Skyweave/{__version__} (satellite network twin; asks every two hours at most)"
MAX_BYTES = 64 * 2**20  # of one document; all active satellites are about 10 MB
TIMEOUT_S = 30.0  # without a sign of life
DEADLINE_S = 600.0  # of one document: one that trickles for longer is given up
MAX_CONTINUATIONS = 3  # of one document whose connection breaks
_BLOCK_BYTES = 64 * 2**10
_SAID_BYTES = 2000  # read of a refusal
_MAX_VALIDATOR = 300  # characters of an ETag or a date

_CONTENT_RANGE = re.compile(r"bytes (\d{1,15})-\d{1,15}/(?:\d{1,15}|\*)", re.ASCII)
_TAG = re.compile(r"<[^>]*>")

Progress = Callable[[str], None]


class DownloadError(InputError):
    """Why a document was not fetched; `status` is the server's answer, 0 where none came."""

    def __init__(self, reason: str, status: int = 0) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Version:
    """Which version of a document a server sent, in its own words; "" where it said nothing."""

    etag: str = ""
    last_modified: str = ""

    @property
    def for_the_rest(self) -> str:
        """What If-Range may carry: a strong ETag, else a date, else "" (RFC 9110, 13.1.5)."""
        return self.etag if self.etag.startswith('"') else self.last_modified


NO_VERSION = Version()


def download(
    url: str,
    part: Path,
    known: Version,
    begun: Version,
    note: Callable[[Version], None],
    progress: Progress,
) -> Version | None:
    """Fetch a document into the file `part`; None when the server has nothing newer than `known`.

    `part` may hold the beginning of version `begun`, of which only the rest is then asked for; a
    server that sends the whole instead begins it anew.  `note` is told the version before the
    first byte is written, so that an interruption at any moment can go on later.  A connection
    that breaks within the document is taken up again a few times, each time further on.
    """
    give_up_s = time.monotonic() + DEADLINE_S
    for left in reversed(range(MAX_CONTINUATIONS + 1)):
        had_bytes = _size(part) if begun.for_the_rest else 0
        with closing(_answer(_request(url, known, begun, had_bytes), part)) as response:
            if response.status == HTTPStatus.NOT_MODIFIED:
                return None
            first_byte = _first_byte(response, had_bytes, begun, part)
            begun = begun if first_byte else _version(response.headers)
            note(begun)
            broken = _save(response, part, first_byte, give_up_s)
        if not broken:
            return begun
        if not left or not begun.for_the_rest or _size(part) <= had_bytes:
            raise DownloadError(f"{broken} after {_size(part):,} bytes")
        progress(f"{broken} after {_size(part):,} bytes; going on from there")
    raise AssertionError("unreachable: the last round returns or raises")


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _request(url: str, known: Version, begun: Version, had_bytes: int) -> urllib.request.Request:
    headers = {
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "Accept-Encoding": "gzip",
    }
    if had_bytes:
        headers |= {"Range": f"bytes={had_bytes}-", "If-Range": begun.for_the_rest}
    else:
        if known.etag:
            headers["If-None-Match"] = known.etag
        if known.last_modified:
            headers["If-Modified-Since"] = known.last_modified
    return urllib.request.Request(url, headers=headers)


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follow a few redirects, to the web only and never from https back to http."""

    max_redirections = 5

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        scheme = newurl.split(":", 1)[0].lower()
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            fp.close()
            raise DownloadError(f"the server sends on to {shown(newurl)}, which is not safe", code)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _answer(request: urllib.request.Request, part: Path) -> Any:
    """Return the response of status 200, 206 or 304; refuse every other."""
    try:
        return urllib.request.build_opener(_SafeRedirects).open(request, timeout=TIMEOUT_S)
    except urllib.error.HTTPError as error:
        was_asked = request.has_header("If-none-match") or request.has_header("If-modified-since")
        if error.code == HTTPStatus.NOT_MODIFIED and was_asked:
            return error
        if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            part.unlink(missing_ok=True)  # or it would be asked for in vain for ever
        with closing(error):
            _refuse(error)
    except urllib.error.URLError as error:
        raise DownloadError(f"the server cannot be reached: {_reason(error.reason)}") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise DownloadError(f"the server gave no proper answer: {_reason(error)}") from None


def _refuse(error: urllib.error.HTTPError) -> NoReturn:
    try:
        said = error.read(_SAID_BYTES)
    except (OSError, http.client.HTTPException):
        said = b""
    raise DownloadError(first_words(said or str(error.reason).encode()), error.code)


def first_words(said: bytes) -> str:
    """Return what a page or a text says, in one line without tags, to quote in an error."""
    return shown(" ".join(_TAG.sub(" ", said.decode("utf-8", errors="replace")).split()))


def _reason(error: object) -> str:
    return shown(str(getattr(error, "strerror", None) or error) or type(error).__name__)


def _first_byte(response: Any, had_bytes: int, begun: Version, part: Path) -> int:
    """Return where in the document the body begins; refuse a piece that was not asked for."""
    packing = response.headers.get("Content-Encoding", "").strip().lower()
    if packing not in ("", "identity", "gzip", "x-gzip"):
        raise DownloadError(f"the server packs with {shown(packing)}, expected gzip or nothing")
    if response.status == HTTPStatus.OK:
        return 0
    found = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
    is_the_rest = (
        response.status == HTTPStatus.PARTIAL_CONTENT
        and had_bytes > 0
        and found is not None
        and int(found[1]) == had_bytes
        and response.headers.get("ETag", begun.etag).strip() == begun.etag
    )
    if not is_the_rest:
        part.unlink(missing_ok=True)  # what it holds cannot be continued with this server
        raise DownloadError("the server sent another part than the one asked for", response.status)
    return had_bytes


def _version(headers: Message) -> Version:
    return Version(_validator(headers, "ETag"), _validator(headers, "Last-Modified"))


def _validator(headers: Message, name: str) -> str:
    """Return a header as it may be sent back later, "" where it may not."""
    text = headers.get(name, "").strip()
    return text if text.isascii() and text.isprintable() and len(text) <= _MAX_VALIDATOR else ""


def _save(response: Any, part: Path, first_byte: int, give_up_s: float) -> str:
    """Write the body into the part file from `first_byte` on; return why it broke off, or ""."""
    try:
        length = int(response.headers.get("Content-Length", ""))
    except ValueError:
        length = -1
    with part.open("r+b" if first_byte else "wb") as file:
        file.seek(first_byte)
        file.truncate()
        came = 0
        while True:
            try:
                block = response.read1(_BLOCK_BYTES)
            except (OSError, http.client.HTTPException) as error:
                return f"the connection broke off ({_reason(error)})"
            if not block:
                break
            came += len(block)
            if first_byte + came > MAX_BYTES:
                _give_up(part, f"the document is larger than {MAX_BYTES / 2**20:g} MiB")
            if time.monotonic() > give_up_s:
                raise DownloadError(f"the document took longer than {DEADLINE_S / 60:g} minutes")
            file.write(block)
    return "the connection broke off" if came < length else ""


def _give_up(part: Path, reason: str) -> NoReturn:
    part.unlink(missing_ok=True)
    raise DownloadError(reason)
