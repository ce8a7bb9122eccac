"""Entries of an authority's log: when it was logged, and a signed document; one spelling.

The time is the log keeper's claim.  Witnesses box it in: they state when they saw a checkpoint,
and an entry stands between the last checkpoint without it and the first one with it.
"""

import bisect
import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from skyweave.control.domain.documents import MAX_TIME_S
from skyweave.control.signing.dsse import Envelope, parse_envelope
from skyweave.errors import InputError
from skyweave.policy.threshold import CLOCK_TOLERANCE_S

_HEADING = re.compile(rb"skyweave\.entry\.v1 (0|[1-9][0-9]{0,12})\n")


@dataclass(frozen=True)
class LoggedEntry:
    """An entry of a verified log; times in s since 1970 UTC."""

    index: int
    logged_s: int
    envelope: Envelope
    witnessed_s: int | None = None  # when a quorum of witnesses had seen it, None: not yet


def encode_entry(logged_s: int, envelope: Envelope) -> bytes:
    """Return the bytes that the log holds."""
    return b"skyweave.entry.v1 %d\n" % logged_s + envelope.encode()


def parse_entry(content: bytes, source: str) -> tuple[int, Envelope]:
    """Return an entry's time and envelope; every other spelling of the same is refused."""
    heading = _HEADING.match(content)
    if heading is None or int(heading[1]) > MAX_TIME_S:
        raise InputError(
            f'{source}: expected "skyweave.entry.v1 TIME" in its first line; the log is of '
            "another kind, or of a newer version"
        )
    envelope = parse_envelope(content[heading.end() :], source)
    logged_s = int(heading[1])
    if encode_entry(logged_s, envelope) != content:
        raise InputError(f"{source}: not in canonical form; copy the log again from its publisher")
    return logged_s, envelope


def logged_entries(
    contents: Sequence[bytes], witnessed: Iterable[tuple[int, int]], source: str
) -> tuple[LoggedEntry, ...]:
    """Return the entries of a log whose times its witnesses bear out.

    `witnessed` holds the size of each checkpoint with a quorum and when that was complete.
    """
    clock = WitnessClock(witnessed)
    entries = []
    for index, content in enumerate(contents):
        logged_s, envelope = parse_entry(content, f"{source}: entry {index}")
        entries.append(LoggedEntry(index, logged_s, envelope, clock.seen_s(index)))
    for before, after in itertools.pairwise(entries):
        _refuse_falling_clock(before, after, source)
    for entry in entries:
        _refuse_antedated(entry, clock.before_s(entry.index), source)
        _refuse_postdated(entry, source)
    return tuple(entries)


class WitnessClock:
    """Between which times of witnesses an entry came into the log."""

    def __init__(self, witnessed: Iterable[tuple[int, int]]) -> None:
        pairs = sorted(witnessed)
        self._sizes = [size for size, _ in pairs]
        times = [time_s for _, time_s in pairs]
        self._latest_s = list(itertools.accumulate(times, max))
        # Whoever saw a larger checkpoint saw all entries of the smaller ones.
        self._earliest_s = list(itertools.accumulate(reversed(times), min))[::-1]

    def seen_s(self, index: int) -> int | None:
        """Return when a quorum had first seen an entry, None where none has."""
        place = bisect.bisect_right(self._sizes, index)
        return self._earliest_s[place] if place < len(self._sizes) else None

    def before_s(self, index: int) -> int | None:
        """Return when a quorum last saw the log without an entry, None where it never did."""
        place = bisect.bisect_right(self._sizes, index)
        return self._latest_s[place - 1] if place else None


def _refuse_falling_clock(before: LoggedEntry, after: LoggedEntry, source: str) -> None:
    """An entry dated before its predecessor could slip under a notice that has begun."""
    if after.logged_s < before.logged_s:
        raise InputError(
            f"{source}: entry {after.index}: logged {before.logged_s - after.logged_s} s before "
            "the entry before it; the keeper's clock was turned back: ask them for a log that holds"
        )


def _refuse_antedated(entry: LoggedEntry, before_s: int | None, source: str) -> None:
    """An entry dated long ago would have its notice behind it on the day it appears."""
    if before_s is not None and entry.logged_s < before_s - CLOCK_TOLERANCE_S:
        raise InputError(
            f"{source}: entry {entry.index}: logged {before_s - entry.logged_s} s before witnesses "
            f"saw the log without it, at most {CLOCK_TOLERANCE_S} are allowed; do not trust the log"
        )


def _refuse_postdated(entry: LoggedEntry, source: str) -> None:
    """An entry dated ahead would run timers that nobody's clock has reached."""
    if entry.witnessed_s is not None and entry.logged_s > entry.witnessed_s + CLOCK_TOLERANCE_S:
        raise InputError(
            f"{source}: entry {entry.index}: logged {entry.logged_s - entry.witnessed_s} s after "
            f"witnesses saw it, at most {CLOCK_TOLERANCE_S} are allowed; do not trust the log"
        )
