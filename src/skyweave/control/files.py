"""Files that people name: written whole or not at all, whatever happens meanwhile."""

import os
import secrets
from pathlib import Path

from skyweave.errors import InputError

PRIVATE_MODE = 0o600  # for the owner alone
PUBLIC_MODE = 0o644


def write_new(path: Path, content: bytes, *, mode: int = PUBLIC_MODE, what: str = "files") -> None:
    """Write a new file; where one is, even a link to nowhere, it is refused and left as it is.

    The name is given once the content is on the disk, so a process that is killed, or a full disk,
    leaves no half of it under that name.
    """
    try:
        aside = _aside(path, content, mode)
        try:
            _name(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except FileExistsError:
        raise InputError(
            f"{path}: a file is there already; name another, {what} are not overwritten"
        ) from None
    except OSError as error:
        raise _refused(path, error) from None


def write_over(path: Path, content: bytes, *, mode: int = PUBLIC_MODE) -> None:
    """Write a file in the place of an earlier state of it: readers find the one or the other."""
    try:
        aside = _aside(path, content, mode)
        try:
            aside.replace(path)
        except OSError:
            aside.unlink()
            raise
    except OSError as error:
        raise _refused(path, error) from None


def _name(aside: Path, path: Path) -> None:
    """Give a file its name, unless another has it."""
    try:
        os.link(aside, path)  # unlike a rename, it never takes another file's place
    except FileExistsError:
        raise
    except OSError:  # a disk that knows no links, as most sticks are
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        aside.replace(path)


def _aside(path: Path, content: bytes, mode: int) -> Path:
    """Write content to a new file beside `path`, wait until it is on the disk, and return it."""
    aside = path.parent / f".{path.name[:50]}.{secrets.token_hex(8)}.new"
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
    except BaseException:
        aside.unlink()
        raise
    return aside


def _refused(path: Path, error: OSError) -> InputError:
    return InputError(
        f"{path}: {error.strerror}; check the name, its rights and the room on the disk"
    )
