"""Strict text encodings: one byte string has one spelling, so nothing signed can be respelt."""

import base64
import binascii

from skyweave.errors import InputError

_SHOWN_CHARACTERS = 40


def to_base64(content: bytes) -> str:
    """Return RFC 4648 section 4 base64, padded."""
    return base64.b64encode(content).decode("ascii")


def from_base64(text: str, where: str, length: int | None = None) -> bytes:
    """Return the bytes of canonical base64, `length` of them where it is given.

    Python's decoder ignores set bits in the last character; two spellings of one signature would
    be two different notes, so only the spelling that `to_base64` writes is accepted.
    """
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        content = b""
    if to_base64(content) != text:
        raise InputError(f"{where}: found {shown(text)}, expected padded base64; copy it again")
    if length is not None and len(content) != length:
        raise InputError(
            f"{where}: found {len(content)} bytes, expected {length}; copy the whole text again"
        )
    return content


def shown(text: str) -> str:
    """Return text in quotes for an error, cut where it is long."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
    return f'"{cut}"'
