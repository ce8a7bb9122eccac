"""Options of commands that sign, or that ask what holds at a time."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from skyweave.errors import InputError
from skyweave.time import parse_utc

PASSPHRASE_VARIABLE = "SKYWEAVE_PASSPHRASE"
MAX_PASSPHRASE_BYTES = 4096

LogFolder = Annotated[Path, typer.Argument(metavar="LOG", help="The log's folder, or a copy.")]
KeyFile = Annotated[Path, typer.Option("--key", help="Your key file; it never leaves here.")]
PassphraseFile = Annotated[
    Path | None,
    typer.Option(help=f"A file with the key's passphrase. [${PASSPHRASE_VARIABLE}, or asked]"),
]
OutParcel = Annotated[
    Path, typer.Option("--out", help="The parcel to write, for the keeper of the log.")
]
Now = Annotated[
    str | None, typer.Option("--now", help="UTC instead of the clock: for replays and tests.")
]
Genesis = Annotated[
    str | None, typer.Option(help="The genesis digest that you were told: another log is refused.")
]
WithoutQuorum = Annotated[
    bool, typer.Option("--no-quorum", help="Read also what no quorum of witnesses has seen.")
]


def now_s(given: str | None) -> int:
    """Return the time that was given, or the clock's: whole seconds since 1970 UTC."""
    return int(time.time()) if given is None else utc_s(given, "--now")


def utc_s(given: str, where: str) -> int:
    """Return whole seconds since 1970 UTC of a time as the user wrote it."""
    return int(parse_utc(given, where).astype("datetime64[s]").astype(int))


def passphrase(key: Path, file: Path | None) -> str | None:
    """Return the passphrase of a sealed key from where it was given, asking a person last."""
    if file is not None:
        return _first_line(file)
    given = os.environ.get(PASSPHRASE_VARIABLE)
    if given is not None:
        return _text(os.fsencode(given), f"${PASSPHRASE_VARIABLE}")
    if sys.stdin.isatty() and _is_sealed(key):
        return str(typer.prompt(f"Passphrase of {key}", hide_input=True, err=True))
    return None


def _first_line(file: Path) -> str:
    # Late: the help of all commands is shown without it.
    from skyweave.control.log.durable import read_limited

    content = read_limited(file, MAX_PASSPHRASE_BYTES, "the file of a passphrase")
    line = _text(content, str(file)).split("\n")[0].rstrip("\r")
    if not line:
        raise InputError(f"{file}: its first line is empty; write the passphrase there")
    return line


def _text(content: bytes, where: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{where}: not UTF-8 text; write the passphrase as UTF-8") from None


def _is_sealed(key: Path) -> bool:
    from skyweave.control.log.durable import read_limited

    try:
        return b'"sealed"' in read_limited(key, MAX_PASSPHRASE_BYTES, "a key file")
    except InputError:
        return False  # reading the key says what is wrong
