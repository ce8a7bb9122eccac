"""Published results, computed anew."""

from collections.abc import Sequence
from pathlib import Path

from skyweave import validation
from skyweave.api.scenarios import Progress, silent
from skyweave.errors import InputError


def validate(
    ids: Sequence[str] = (), *, out: str | Path | None = None, progress: Progress = silent
) -> list[dict[str, str]]:
    """Say what becomes of published results: of some rows or families, of all without `ids`.

    `out` is a page to write, in Markdown; an earlier one is replaced.
    """
    page = None if out is None else Path(out)
    if page is not None and not page.parent.is_dir():
        raise InputError(f"--out {page}: there is no folder {page.parent}; make it first")
    found = validation.validate(ids, progress)
    if page is not None:
        page.write_text(validation.as_markdown(found), encoding="utf-8")
    return found
