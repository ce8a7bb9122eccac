"""Files that survive a lost process and lost power: written aside, flushed, renamed, flushed."""

import fcntl
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from skyweave.errors import InputError


def publish(folder: Path, files: Mapping[str, bytes], staging: Path) -> None:
    """Put files, by their paths under `folder`, in place; when it returns they are durable.

    Readers see each file whole or not at all.  A name is only given once the content is on the
    disk, and the folders are flushed last, because a name lives in its folder.
    """
    staged = {path: staging / f"{Path(path).name}.{n}.tmp" for n, path in enumerate(files)}
    for path, content in files.items():
        write_flushed(staged[path], content)
    touched: set[Path] = set()
    for path, aside in staged.items():
        target = folder / path
        touched |= _make_folders(target.parent) | {target.parent}
        os.replace(aside, target)
    for each in touched:
        flush_folder(each)


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file's content and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def flush_folder(folder: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def locked(path: Path, what: str) -> Iterator[None]:
    """Hold a lock file; the system lets go of it when the process ends, however it ends."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                f"{path}: another process is writing {what}; wait until it has finished"
            ) from None
        yield
    finally:
        os.close(descriptor)


def read_limited(path: Path, limit: int, what: str) -> bytes:
    """Return a file's content, refused with advice where it is absent or too long."""
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected {what}") from None
    if len(content) > limit:
        raise InputError(f"{path}: more than {limit:,} bytes; expected {what}")
    return content


def _make_folders(folder: Path) -> set[Path]:
    """Create a folder and those above it; return those that got a new name in them."""
    if folder.is_dir():
        return set()
    touched = _make_folders(folder.parent) | {folder.parent}
    folder.mkdir(exist_ok=True)
    return touched
