"""Published results, computed anew."""

import os
from collections.abc import Sequence
from pathlib import Path

from skyweave import validation
from skyweave.api.scenarios import Progress, silent
from skyweave.errors import InputError
from skyweave.twin.export.drafts import draft_file


def validate(
    ids: Sequence[str] = (), *, out: str | Path | None = None, progress: Progress = silent
) -> list[dict[str, str]]:
    """Say what becomes of published results: of some rows or families, of all without `ids`.

    `out` is a page to write, in Markdown; an earlier page is replaced, any other file refused.
    """
    if out is None:
        return validation.validate(ids, progress)
    page = Path(out)
    _refuse_page(page)
    with draft_file(page) as draft:
        found = validation.validate(ids, progress)
        draft.write_text(validation.as_markdown(found), encoding="utf-8")
    return found


def _refuse_page(page: Path) -> None:
    if not os.path.isdir(page.absolute().parent):  # False for a name too long to look up
        raise InputError(f"--out {page}: there is no folder {page.parent}; make it first")
    if os.path.lexists(page) and not _is_ours(page):
        raise InputError(f"--out {page} exists and is no such page; choose another name")


def _is_ours(page: Path) -> bool:
    """Return whether a file begins as the pages written here do."""
    title = validation.as_markdown([]).partition("\n")[0].encode() + b"\n"
    if not page.is_file():
        return False
    with page.open("rb") as file:
        return file.read(len(title)) == title
