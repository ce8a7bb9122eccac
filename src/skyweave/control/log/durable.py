"""Files that survive a lost process and lost power: written aside, flushed, renamed, flushed."""

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from skyweave.errors import InputError

_FLUSHES_AT_ONCE = 16


def publish(folder: Path, files: Mapping[str, bytes], staging: Path) -> None:
    """Put files, by their paths under `folder`, in place; when it returns they are durable.

    A name is only given once the content is on the disk, and the folders are flushed last, because
    a name lives in its folder.
    """
    staged = {path: staging / f"{Path(path).name}.{n}.tmp" for n, path in enumerate(files)}
    for path, content in files.items():
        write_flushed(staged[path], content)
    for each in _name(folder, staged):
        _flush(each)


def place(folder: Path, files: Mapping[str, bytes], staging: Path) -> set[Path]:
    """Put files in place without waiting for the disk; return what is still to be flushed.

    Readers see each file whole or not at all, as long as the machine has power.
    """
    staged = {path: staging / f"{Path(path).name}.{n}.tmp" for n, path in enumerate(files)}
    for path, content in files.items():
        staged[path].write_bytes(content)
    return _name(folder, staged) | {folder / path for path in files}


def flush(paths: Iterable[Path]) -> None:
    """Wait until files and folders are on the disk.

    Several at a time: a journalling file system commits together what waits together.
    """
    with ThreadPoolExecutor(_FLUSHES_AT_ONCE) as pool:
        list(pool.map(_flush, paths))


def write_flushed(path: Path, content: bytes) -> None:
    """Write a file's content and wait until it is on the disk."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


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
    """Return a file's content, refused with advice where it is absent, too long or no plain file.

    A folder from a stranger may hold a named pipe, which would never answer.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError(f"{path}: not a plain file; expected {what}")
            content = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}; expected {what}") from None
    except ValueError:  # a NUL in it, as TOML can hold
        raise InputError(f"{path}: no file can be called so; expected {what}") from None
    if len(content) > limit:
        raise InputError(f"{path}: more than {limit:,} bytes; expected {what}")
    return content


def _name(folder: Path, staged: Mapping[str, Path]) -> set[Path]:
    """Give staged files their names; return the folders that changed."""
    touched: set[Path] = set()
    for path, aside in staged.items():
        target = folder / path
        touched |= _make_folders(target.parent) | {target.parent}
        os.replace(aside, target)
    return touched


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folders(folder: Path) -> set[Path]:
    """Create a folder and those above it; return those that got a new name in them."""
    if folder.is_dir():
        return set()
    touched = _make_folders(folder.parent) | {folder.parent}
    folder.mkdir(exist_ok=True)
    return touched
