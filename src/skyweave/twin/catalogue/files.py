"""Catalogue files: opened, unpacked and recognised by their content, never by their extension."""

import lzma
import re
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from skyweave.errors import InputError

CatalogueFormat = Literal["tle", "omm-json", "omm-csv", "omm-xml", "omm-kvn"]

MAX_FILE_BYTES = 256 * 2**20  # after decompression; the whole public catalogue is about 10 MB
MAX_MEMBERS = 100  # of one gzip or xz file; a catalogue has one
MAX_LINES = 5_000_000
MAX_LINE_BYTES = 64 * 2**10  # a longer TLE or CSV line is refused unread
MAX_FAULTS = 100_000  # bad rows after which a file is no catalogue at all
SHOWN_CHARACTERS = 200

_GZIP, _XZ, _BOM = b"\x1f\x8b", b"\xfd7zXZ\x00", b"\xef\xbb\xbf"
_ADVICE = "expected TLE, 3LE or OMM (JSON, CSV, XML, KVN), plain or packed with gzip or xz"
_OTHER_FORMATS = {
    b"PK\x03\x04": "a zip archive; unpack it first",
    b"BZh": "packed with bzip2; unpack it first",
    b"\x28\xb5\x2f\xfd": "packed with zstd; unpack it first",
    b"\xff\xfe": "UTF-16 text; save it as UTF-8",
    b"\xfe\xff": "UTF-16 text; save it as UTF-8",
}
_PAGE = re.compile(rb"<(!doctype\s+html|html|head|body|title)\b", re.IGNORECASE)
# The first keyword of a CCSDS message names its kind; comments should not stand before it but may.
_MESSAGE = re.compile(rb"(?:COMMENT[^\n]*\n\s*)*CCSDS_([A-Z]{1,9})_VERS\b")


def read_content(path: Path, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return what a file holds, unpacked, and refuse what is missing, empty or too large."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # would block or never end
            raise InputError(
                f"{path}: not a regular file; copy what it holds into a file and give that"
            )
        with open(path, "rb") as file:
            packed = file.read(limit + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the name") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise InputError(f"{path}: the file cannot be read: {reason}") from None
    return unpack(packed, str(path), limit)


def unpack(packed: bytes, source: str, limit: int = MAX_FILE_BYTES) -> bytes:
    """Return the plain content of a plain, gzip or xz file of at most `limit` bytes unpacked."""
    content = _unpacked(packed, source, limit)
    if len(content) > limit:
        raise InputError(
            f"{source}: holds more than {limit / 2**20:g} MiB unpacked, too much for a catalogue; "
            "give the file of one day or one group"
        )
    content = content.removeprefix(_BOM)
    if not content or content.isspace():
        raise InputError(f"{source}: the file is empty; {_ADVICE}")
    return content


def _unpacked(packed: bytes, source: str, limit: int) -> bytes:
    if packed.startswith(_GZIP):
        return _inflate(packed, source, limit)
    if packed.startswith(_XZ):
        return _unxz(packed, source, limit)
    return packed


def _inflate(packed: bytes, source: str, limit: int) -> bytes:
    def member(data: bytes, room: int) -> tuple[bytes, bool, bytes]:
        stream = zlib.decompressobj(wbits=31)
        return stream.decompress(data, room), stream.eof, stream.unused_data

    try:
        return _joined(member, packed, limit)
    except (zlib.error, EOFError) as problem:
        raise _damaged(source, "gzip", problem) from None


def _unxz(packed: bytes, source: str, limit: int) -> bytes:
    def member(data: bytes, room: int) -> tuple[bytes, bool, bytes]:
        stream = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=MAX_FILE_BYTES)
        return stream.decompress(data, room), stream.eof, stream.unused_data

    try:
        return _joined(member, packed, limit)
    except (lzma.LZMAError, EOFError) as problem:
        raise _damaged(source, "xz", problem) from None


def _joined(
    member: Callable[[bytes, int], tuple[bytes, bool, bytes]], packed: bytes, limit: int
) -> bytes:
    """Unpack the members of a gzip or xz file, which may be many, up to just over the limit."""
    parts: list[bytes] = []
    room = limit + 1
    for _ in range(MAX_MEMBERS):
        part, complete, packed = member(packed, room)
        parts.append(part)
        room -= len(part)
        if room <= 0 or (complete and not packed.strip(b"\0")):
            return b"".join(parts)
        if not complete:
            raise EOFError("it ends too early")
    raise EOFError(f"it has more than {MAX_MEMBERS} members")


def _damaged(source: str, packer: str, problem: object) -> InputError:
    return InputError(f"{source}: the {packer} data is damaged ({problem}); fetch the file again")


def catalogue_format(content: bytes, source: str) -> CatalogueFormat:
    """Return which of the known formats a file's content is in, or refuse the file."""
    start = content[:MAX_LINE_BYTES].lstrip()
    for mark, meaning in _OTHER_FORMATS.items():
        if start.startswith(mark):
            raise InputError(f"{source}: the file is {meaning}")
    if start[:1] in (b"[", b"{"):
        return "omm-json"
    if start[:1] == b"<":
        if _PAGE.match(start):
            raise InputError(
                f"{source}: the file is an HTML page, perhaps a site's error message; open it in a "
                "browser to see, and fetch the elements again"
            )
        return "omm-xml"
    message = _MESSAGE.match(start)
    if message:
        if message[1] != b"OMM":
            raise InputError(
                f"{source}: the file is a CCSDS {message[1].decode()}, expected an OMM (mean "
                "elements); fetch GP data"
            )
        return "omm-kvn"
    if b"NORAD_CAT_ID" in start.split(b"\n", 1)[0]:
        return "omm-csv"
    if _has_element_line(content):
        return "tle"
    found = shown(start.split(b"\n", 1)[0])[:40]
    raise InputError(f'{source}: found "{found}" and no orbital elements; {_ADVICE}')


def _has_element_line(content: bytes) -> bool:
    marks = (b"1 ", b"2 ")
    return content.startswith(marks) or any(
        line_end + mark in content for line_end in (b"\n", b"\r") for mark in marks
    )


def shown(text: bytes | str) -> str:
    """Return text as an error may quote it: one line, printable, cut to 200 characters."""
    if isinstance(text, bytes):
        text = text[: 4 * SHOWN_CHARACTERS].decode("ascii", errors="backslashreplace")
    printable = (c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:800])
    return "".join(printable).strip()[:SHOWN_CHARACTERS]
