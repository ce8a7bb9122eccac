"""Which element sets a run uses: by date, by name, by age."""

import difflib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.time import format_utc
from skyweave.twin.catalogue.classes import constellations
from skyweave.twin.catalogue.elements import Catalogue, RowIssue, rows_of

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

FRESH_DAYS = 3.0  # elements further from the start than this are worth a warning
MOTION_DAYS = 60.0  # what an older set says of a satellite's motion is out of date
KNOWN_SHARE = 0.25  # of the objects must have been seen by the start, or shortly after it
_DAY_NS = 86_400 * 10**9


def nearest_epoch(catalogue: Catalogue, start_utc: np.datetime64) -> Catalogue:
    """Return one set per object, that whose epoch is nearest to `start_utc`, by rising NORAD id.

    Of two sets equally near the one read first stays.  The others are counted as duplicates.
    """
    rows = _cheapest_of_each(catalogue.norad_id, np.abs(_age_ns(catalogue, start_utc)))
    left_out = len(catalogue) - rows.size
    return replace(catalogue.take(rows), duplicates=catalogue.duplicates + left_out)


def earlier_sets(
    catalogue: Catalogue,
    current: Catalogue,
    least_days: float = FRESH_DAYS,
    most_days: float = MOTION_DAYS,
) -> Catalogue:
    """Return for each object of `current` its newest set 3 to 60 days older, where there is one.

    It is the second dated set from which `classify` tells which satellites rise and which sink.
    """
    row = rows_of(current, catalogue.norad_id)
    known = np.flatnonzero(row >= 0)
    gap_ns = (current.epoch_utc[row[known]] - catalogue.epoch_utc[known]).astype(np.int64)
    is_older = (gap_ns >= least_days * _DAY_NS) & (gap_ns <= most_days * _DAY_NS)
    older, gap_ns = known[is_older], gap_ns[is_older]
    rows = older[_cheapest_of_each(catalogue.norad_id[older], gap_ns)]
    return replace(catalogue.take(rows), issues=(), duplicates=0)


def _cheapest_of_each(norad_id: IntArray, cost: IntArray) -> IntArray:
    """Return each object's row of lowest cost, the first of several, by rising id."""
    order = np.lexsort((cost, norad_id))  # stable: equal rows stay in their order
    is_first = np.ones(order.size, dtype=np.bool_)
    is_first[1:] = np.diff(norad_id[order]) != 0
    return order[is_first]


def select_names(catalogue: Catalogue, prefixes: Sequence[str]) -> Catalogue:
    """Return the objects whose name begins with one of the prefixes, in any case.

    No prefixes at all select everything; a prefix that selects nothing is refused.
    """
    if not prefixes:
        return catalogue
    names = np.strings.upper(catalogue.name)
    chosen = np.zeros(len(catalogue), dtype=np.bool_)
    for prefix in prefixes:
        hits = np.strings.startswith(names, prefix.strip().upper())
        if not prefix.strip() or not hits.any():
            raise InputError(_no_such_name(catalogue, prefix))
        chosen |= hits
    return catalogue.take(chosen)


def _no_such_name(catalogue: Catalogue, prefix: str) -> str:
    present = Counter(constellations(catalogue).tolist())
    near = difflib.get_close_matches(prefix.upper(), present, n=1)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else "the largest groups are "
        + ", ".join(f"{name!r} ({count})" for name, count in present.most_common(4))
    )
    return f"no object's name begins with {prefix!r}; {hint}"


def age_days(catalogue: Catalogue, start_utc: np.datetime64) -> FloatArray:
    """Return how old each object's elements are at `start_utc`, shape (N,); newer is negative."""
    return _age_ns(catalogue, start_utc) / _DAY_NS


def _age_ns(catalogue: Catalogue, start_utc: np.datetime64) -> IntArray:
    start_ns = start_utc.astype("datetime64[ns]").astype(np.int64)
    return np.asarray(start_ns - catalogue.epoch_utc.astype(np.int64))


def median_age_days(catalogue: Catalogue, start_utc: np.datetime64) -> float:
    """Return the median distance in days between epochs and start; NaN of no elements."""
    return float(np.median(np.abs(age_days(catalogue, start_utc)))) if len(catalogue) else np.nan


def age_warning(catalogue: Catalogue, start_utc: np.datetime64) -> str:
    """Return a warning where elements are further than 3 days from the start, else ""."""
    far = int((np.abs(age_days(catalogue, start_utc)) > FRESH_DAYS).sum())
    if not far:
        return ""
    return (
        f"{far} of {len(catalogue)} objects have elements more than {FRESH_DAYS:g} days from the "
        f"start (median {median_age_days(catalogue, start_utc):.1f} days): positions are uncertain "
        "by tens to hundreds of kilometres along the orbit"
    )


def leave_out_old(
    catalogue: Catalogue, start_utc: np.datetime64, max_age_days: float
) -> tuple[Catalogue, list[RowIssue]]:
    """Return the objects whose elements are at most `max_age_days` from the start, and the others.

    A catalogue whose median is further away is refused: it is the wrong one.  Objects first seen
    later than that may not have been launched at the start, so they do not count in the median, as
    long as they are not almost all: a folder of many years serves each of them.
    """
    age = age_days(catalogue, start_utc)
    known = np.abs(age[age >= -max_age_days])
    if len(catalogue) and (
        known.size < KNOWN_SHARE * len(catalogue) or np.median(known) > max_age_days
    ):
        raise InputError(_wrong_date(catalogue, start_utc, max_age_days))
    is_old = np.abs(age) > max_age_days
    left_out = [
        _too_old(catalogue, int(row), float(age[row]), max_age_days)
        for row in np.flatnonzero(is_old)
    ]
    return catalogue.take(~is_old), left_out


def _wrong_date(catalogue: Catalogue, start_utc: np.datetime64, max_age_days: float) -> str:
    middle = np.sort(catalogue.epoch_utc)[len(catalogue) // 2]
    return (
        f"the elements are {median_age_days(catalogue, start_utc):.1f} days (median) from the "
        f"start {format_utc(start_utc)}, beyond max_age_days = {max_age_days:g}; give a catalogue "
        f"of that date, start near {format_utc(middle)[:10]}, or raise max_age_days"
    )


def _too_old(catalogue: Catalogue, row: int, age: float, max_age_days: float) -> RowIssue:
    side = "older" if age > 0 else "newer"
    return RowIssue(
        source="",
        line=0,
        reason=f"its elements are {abs(age):.1f} days {side} than the start, beyond max_age_days = "
        f"{max_age_days:g}",
        text=f"{catalogue.norad_id[row]} {catalogue.name[row]}, epoch "
        f"{format_utc(catalogue.epoch_utc[row])}",
    )
