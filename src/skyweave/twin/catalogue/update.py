"""Fetch today's element sets into the user's cache, politely; nothing else ever needs a network.

CelesTrak gives general-perturbations data as OMM in JSON, which unlike TLE holds NORAD ids of more
than five digits.  It asks not to fetch a group more often than the data changes, every two hours,
and shuts out those who do; here no server is asked for a group more often than that, whatever came
of it the last time.
"""

import json
import re
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np

from skyweave.errors import InputError
from skyweave.time import format_utc
from skyweave.twin.catalogue.cache import (
    BUILT_IN,
    cache_folder,
    fetched_files,
    fetched_utc,
    file_name,
)
from skyweave.twin.catalogue.check import check_catalogue
from skyweave.twin.catalogue.download import (
    MAX_BYTES,
    NO_VERSION,
    DownloadError,
    Version,
    download,
    first_words,
)
from skyweave.twin.catalogue.files import read_content, shown

if sys.platform != "win32":
    import fcntl

CELESTRAK = "https://celestrak.org/NORAD/elements/gp.php?GROUP={group}&FORMAT=json"
PAUSE = np.timedelta64(2, "h")  # between two requests for one group to one server
MAX_URL = 2000  # characters
_MAX_STATE_BYTES = 64 * 2**10
_NOT_UPDATED = re.compile(r"has not (been )?updated since your last", re.IGNORECASE)
_ADVICE = {
    HTTPStatus.FORBIDDEN: "it shuts out who asks too often: wait, and fetch from one machine only",
    HTTPStatus.NOT_FOUND: "check the name of the group or the address",
}

Progress = Callable[[str], None]


@dataclass(frozen=True)
class _State:
    """What is known of one server about one group."""

    url: str = ""
    asked_utc: str = ""  # as NumPy writes it
    file: str = ""  # that holds the version `have`
    have: Version = NO_VERSION
    part: Version = NO_VERSION  # of the part file

    def next_allowed_utc(self, now_utc: np.datetime64) -> np.datetime64:
        """Return when to ask again at the earliest; a time in the future was a wrong clock's."""
        asked_utc = np.datetime64(self.asked_utc or "NaT", "s")
        return asked_utc + PAUSE if asked_utc <= now_utc else now_utc


@dataclass(frozen=True)
class _Request:
    """One group of one server, and where what it sends is kept.

    The files that are not element sets are hidden, so that reading the folder passes them over.
    """

    group: str
    url: str
    folder: Path
    now_utc: np.datetime64

    @property
    def host(self) -> str:
        return urllib.parse.urlsplit(self.url).netloc.lower()

    def own_file(self, ending: str) -> Path:
        return self.folder / f".{re.sub(r'[^a-z0-9.-]', '_', self.host)}.{ending}"

    def state(self) -> _State:
        """Return what is known; a file that is missing or damaged says nothing."""
        try:
            with self.own_file("state").open("rb") as file:
                known = json.loads(file.read(_MAX_STATE_BYTES))
            versions = {key: known.pop(key) for key in ("have", "part")}
            texts = [*known.values(), *versions["have"].values(), *versions["part"].values()]
            if not all(isinstance(text, str) for text in texts):
                return _State()
            have, part = Version(**versions["have"]), Version(**versions["part"])
            state = _State(**known, have=have, part=part)
            state.next_allowed_utc(self.now_utc)  # raises where the instant is none
            return state
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return _State()

    def remember(self, state: _State) -> None:
        new = self.own_file("state.new")
        new.write_text(json.dumps(asdict(state)), encoding="utf-8")
        new.replace(self.own_file("state"))


def update_catalogue(
    group: str, now_utc: np.datetime64, progress: Progress, url: str | None = None
) -> dict[str, Any]:
    """Fetch a group of satellites from CelesTrak, or from a mirror at `url`, into the cache.

    A server is asked at most every two hours, and then only for what is newer than what it sent
    before.  The answer says what the newest file of the group holds and whether it is new; a
    failure leaves the files that are there as they are.
    """
    folder = cache_folder(group)
    now_utc = now_utc.astype("datetime64[s]")
    request = _Request(group, _address(CELESTRAK if url is None else url, group), folder, now_utc)
    try:
        with _alone(folder):
            return _update(request, progress)
    except OSError as problem:
        raise InputError(
            f"{problem.filename or folder}: cannot be written: {problem.strerror or problem}; "
            "check its rights and the room on the disk, or set XDG_CACHE_HOME to another folder"
        ) from None


def _address(url: str, group: str) -> str:
    """Return the address of a group; {group} in it stands for the name."""
    address = url.replace("{group}", group)
    try:
        parts = urllib.parse.urlsplit(address)
        is_good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_good = urllib.parse.urlsplit(""), False
    if not is_good or len(url) > MAX_URL or re.search(r"[^!-~]", address):
        raise InputError(
            f'--from "{shown(url)[:100]}": expected an address such as '
            "https://example.org/gp/{group}.json, over http or https"
        )
    if parts.username is not None:
        raise InputError(
            f'--from: the address of "{parts.hostname}" has a user name or password in it, which '
            "would be kept in the cache; leave it out"
        )
    return address


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep a second update of the same group out, which would ask the server once more.

    Windows has no such lock; there two at once are not kept apart.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            if sys.platform != "win32":
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{folder}: another update of this group is under way; wait until it is done"
            ) from None
        yield


def _update(request: _Request, progress: Progress) -> dict[str, Any]:
    state = request.state()
    files = fetched_files(request.folder)
    allowed_utc = state.next_allowed_utc(request.now_utc)
    if request.now_utc < allowed_utc:
        if not files:
            raise InputError(_too_early(request, state, allowed_utc))
        return _report(request, files[-1], False, allowed_utc)
    if state.url != request.url:
        state = _State(request.url)
    if not (request.folder / state.file).is_file():
        state = replace(state, file="", have=NO_VERSION)
    state = replace(state, asked_utc=str(request.now_utc))
    request.remember(state)  # before asking, so that a crash counts too
    progress(f"catalogue {request.group}: asking {request.host}")
    try:
        file = _fetch(request, state, progress)
    except DownloadError as refusal:
        if not (files and _NOT_UPDATED.search(str(refusal))):
            raise InputError(_advice(request, refusal, files)) from None
        file = None
    newest = file or fetched_files(request.folder)[-1]
    return _report(request, newest, file is not None, request.now_utc + PAUSE)


def _fetch(request: _Request, state: _State, progress: Progress) -> Path | None:
    """Return the new file in the cache, or None when the server has nothing newer."""
    part = request.own_file("part")
    version = download(
        request.url,
        part,
        state.have,
        state.part,
        note=lambda version: request.remember(replace(state, part=version)),
        progress=progress,
    )
    if version is None:
        return None
    progress(f"catalogue {request.group}: reading {part.stat().st_size:,} bytes")
    new = request.own_file("new")
    file = request.folder / file_name(request.now_utc)
    try:
        new.write_bytes(_whole_list(part))
        check_catalogue(new)
        new.replace(file)
    except InputError as fault:
        reason = str(fault).removeprefix(f"{part}: ").removeprefix(f"{new}: ")
        raise DownloadError(reason) from None
    finally:
        part.unlink(missing_ok=True)
        new.unlink(missing_ok=True)
    request.remember(replace(state, file=file.name, have=version, part=NO_VERSION))
    return file


def _whole_list(part: Path) -> bytes:
    """Return the unpacked content of a part file; refuse what is no whole JSON list."""
    content = read_content(part, MAX_BYTES)
    if not content.lstrip().startswith(b"["):
        page = "a page" if content.lstrip().startswith(b"<") else "a text"
        raise DownloadError(f'it sent {page} where OMM JSON was expected: "{first_words(content)}"')
    try:
        json.loads(content, parse_int=float)  # Python refuses to read integers of 4301 digits
    except (ValueError, RecursionError):
        raise DownloadError("what it sent is truncated or damaged: no whole JSON list") from None
    return content


def _report(
    request: _Request, file: Path, is_new: bool, allowed_utc: np.datetime64
) -> dict[str, Any]:
    found = check_catalogue(file)
    return {
        "group": request.group,
        "file": str(file),
        "objects": found["objects"],
        "refused": found["refused"],
        "epoch_first": found["epoch_first"],
        "epoch_last": found["epoch_last"],
        "fetched": is_new,
        "next_allowed_utc": format_utc(allowed_utc),
    }


def _too_early(request: _Request, state: _State, allowed_utc: np.datetime64) -> str:
    asked = format_utc(np.datetime64(state.asked_utc, "s"))
    return (
        f'{request.host} was asked for "{request.group}" at {asked} and gave no usable answer; it '
        f'may be asked again at {format_utc(allowed_utc)}; use "{BUILT_IN}" until then'
    )


def _advice(request: _Request, refusal: DownloadError, files: list[Path]) -> str:
    status = f" ({refusal.status})" if refusal.status else ""
    advice = [_ADVICE[HTTPStatus(refusal.status)]] if refusal.status in _ADVICE else []
    again = format_utc(request.now_utc + PAUSE)
    if files:
        kept = f"the set fetched at {format_utc(fetched_utc(files[-1]))} stays"
    else:
        kept = f'use "{BUILT_IN}" until then'
    what = f'{request.host}, asked for "{request.group}"{status}: {refusal}'
    return "; ".join([what, *advice, f"it may be asked again at {again}", kept])
