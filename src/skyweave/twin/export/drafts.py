"""Folders and files that are written beside their place under another name, then
moved there whole.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from skyweave.errors import InputError
from skyweave.twin.results.folder import reason_of


def check_free(out: Path) -> None:
    """Refuse a place that is taken: an export writes into a new or an empty folder."""
    if out.is_dir():
        held = min((entry.name for entry in out.iterdir()), default=None)
        if held is not None:
            raise InputError(
                f"{out}: the folder is not empty (it holds {held[:60]}); pass another --out, "
                "nothing was changed"
            )
    elif os.path.lexists(out):
        raise InputError(f"{out}: is no folder; pass another --out")


@contextmanager
def draft_folder(out: Path) -> Iterator[Path]:
    """Yield an empty folder beside `out`; on success it becomes `out`.

    Whatever goes wrong, an interrupt included, the draft is removed and `out` is as it was.
    """
    place, draft = _made_beside(out)
    try:
        yield draft
        check_free(place)  # it may have changed meanwhile
        draft.rename(place)
    except ConnectionError:  # a closed pipe of the caller's, not the folder
        raise
    except OSError as error:  # such as a full disk
        raise _refusal(out, error) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


@contextmanager
def draft_file(out: Path) -> Iterator[Path]:
    """Yield an empty file beside `out`; on success it becomes `out`, as `draft_folder` has it."""
    draft = out.with_name(f".{out.name}.{secrets.token_hex(4)}.draft")
    try:
        draft.touch()
        yield draft
        draft.replace(out)
    except ConnectionError:  # a closed pipe of the caller's, not the file
        raise
    except (OSError, UnicodeEncodeError) as error:
        raise _refusal(out, error) from error
    finally:
        with suppress(OSError, UnicodeEncodeError):
            draft.unlink()


def _made_beside(out: Path) -> tuple[Path, Path]:
    try:
        check_free(out)
        place = out.resolve()
        draft = place.with_name(f".{place.name}.{secrets.token_hex(4)}.draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir()
    # A loop of links is a RuntimeError to `Path.resolve`, a NUL in a name a ValueError.
    except (OSError, RuntimeError, ValueError) as error:
        raise _refusal(out, error) from error
    return place, draft


def _refusal(out: Path, error: Exception) -> InputError:
    return InputError(f"{out}: cannot be written: {reason_of(error)}; pass another --out")
