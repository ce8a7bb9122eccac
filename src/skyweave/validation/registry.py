"""Which function checks which row.

A check takes its row of the table, computes the figure with the package's own code and returns a
Finding.  It compares with `row.numbers`, the numbers of the column `expected`, and writes out the
column `tolerance` as a named number, because that column is prose:

    @check("CEL-02")
    def area_of_a_cell(row: Row) -> Finding:
        area_km2 = hexagon_area_m2(circle_m=24_130.0) / 1e6
        one_km2 = 1.0
        return Finding(f"{area_km2:.1f}", within(area_km2, row.numbers[0], one_km2))

Several ids share a function where they share what is computed; what takes long and serves several
rows is a function of its own under `functools.cache`.  A row that nothing here can judge is listed
with its reason in `set_aside.py`; a check that finds this out only when it runs (an extra is not
installed) raises `NotApplicable`.  Every row is in exactly one of these places.

A new module of checks joins ROW_MODULES.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import import_module
from types import MappingProxyType

from skyweave.validation.judge import Finding, NotApplicable, Outcome, Verdict
from skyweave.validation.set_aside import SET_ASIDE
from skyweave.validation.table import Row

Check = Callable[[Row], Finding]

ROW_MODULES = (
    "formula_rows", "orbits_rows", "path_rows", "city_rows", "scheduler_rows", "delay_rows",
)  # fmt: skip

_checks: dict[str, Check] = {}


def check(*ids: str) -> Callable[[Check], Check]:
    """Return a decorator that makes a function the check of some rows."""

    def register(function: Check) -> Check:
        for row_id in ids:
            if row_id in _checks:
                raise ValueError(f"{row_id} has two checks: {_checks[row_id]} and {function}")
            _checks[row_id] = function
        return function

    return register


@cache
def all_checks() -> Mapping[str, Check]:
    """Return the check of each row that has one; the modules of checks are loaded first."""
    for name in ROW_MODULES:
        import_module(f"skyweave.validation.{name}")
    return MappingProxyType(_checks)


def judge(row: Row) -> Outcome:
    """Return what becomes of a row."""
    if row.id in SET_ASIDE:
        return Outcome(row, "", Verdict.NOT_APPLICABLE, SET_ASIDE[row.id])
    try:
        finding = all_checks()[row.id](row)
    except NotApplicable as reason:
        return Outcome(row, "", Verdict.NOT_APPLICABLE, str(reason))
    except Exception as error:  # a network without what a row asks for must not end all the rest
        finding = Finding("", False, f"The check failed: {type(error).__name__}: {error}.")
    verdict = Verdict.REPRODUCED if finding.is_reproduced else Verdict.DIFFERS
    return Outcome(row, finding.actual, verdict, finding.note)


def within(actual: float, expected: float, tolerance: float) -> bool:
    """Return whether two numbers are no further apart than the tolerance; never for NaN."""
    return abs(actual - expected) <= tolerance


def all_within(
    actual: Sequence[float], expected: Sequence[float], tolerance: float | Sequence[float]
) -> bool:
    """Return whether two sequences are of one length and all `within` one or each its tolerance."""
    each = [tolerance] * len(actual) if isinstance(tolerance, float) else tolerance
    return len(actual) == len(expected) and all(map(within, actual, expected, each))


def listed(values: Sequence[float], form: str) -> str:
    """Return numbers as the table lists them: formatted alike, between semicolons."""
    return ";".join(format(value, form) for value in values)
