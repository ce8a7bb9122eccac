"""Validation: published results beside what this package computes for the same workload.

`skyweave validate` lists every row of data/published_results.csv with its verdict.  How to add a
check: registry.py.
"""

from collections.abc import Callable, Sequence

from skyweave.validation.page import as_markdown
from skyweave.validation.registry import judge
from skyweave.validation.table import select_rows

__all__ = ["as_markdown", "validate"]


def validate(
    ids: Sequence[str] = (), progress: Callable[[str], None] = lambda _: None
) -> list[dict[str, str]]:
    """Return what becomes of each row of `ids` (ids or families, in any case; all for none).

    Every dictionary has the keys of `judge.Outcome.as_dict`.  `progress` is called with each step's
    name.
    """
    outcomes = []
    for row in select_rows(ids):
        progress(f"{row.id}: {row.quantity}")
        outcomes.append(judge(row).as_dict())
    return outcomes
