"""Measured series of round trips, from the files that common tools write.

`ping -D`, tables of time and RTT, irtt's JSON and a dish's history are recognised by what they
hold.  A packet without an answer is a loss and has no RTT; it is never one of 0.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.realism.packed import unpacked
from skyweave.realism.series_formats import FORMS, Rows, parse_series
from skyweave.time import TimeArray
from skyweave.twin.terminals.rows import read_bytes, shown

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

MAX_UNPACKED_BYTES = 256 * 2**20
MAX_BAD_SHARE = 0.5  # of rows, after which the file is no series
MIN_PACKETS = 2
MEDIAN_RTT_S = (1e-3, 10.0)  # outside, the unit is wrong: light alone takes 2 ms to 300 km and back
GAP_SPACINGS = 5.0  # a gap is this many times the median spacing, and
GAP_LEAST_S = 2.0  # at least this long
LONGEST_RTT_S = 1000.0  # no tool waits longer for an answer
CLOCK_JUMP_NS = 1_000_000_000  # back in time; less is replies that overtook each other


@dataclass(frozen=True, eq=False)
class Series:
    """One measured series, in the order of time: every array has shape (M,)."""

    source: str
    form: str  # which of the known forms the file has
    sha256: str  # of the unpacked content
    t_utc: TimeArray  # as the file tells it: of sending, or of the answer
    rtt_s: FloatArray  # NaN where lost
    lost: BoolArray
    bad_rows: int  # left out, as they could not be read
    gaps: int
    gap_s: float  # all gaps together
    clock_jumps: int  # back in time; the rows were put in order
    issues: tuple[str, ...]  # what a reader should know, one sentence each

    def __len__(self) -> int:
        return int(self.t_utc.size)

    @property
    def answered(self) -> BoolArray:
        """Which packets have an RTT, (M,)."""
        return ~self.lost

    @property
    def duration_s(self) -> float:
        """From the first packet to the last."""
        return float((self.t_utc[-1] - self.t_utc[0]) / np.timedelta64(1, "s"))


def read_series(path: str | Path, *, read_utc: np.datetime64 | None = None) -> Series:
    """Read a measured series, plain or packed with gzip.

    `read_utc` is when a dish's history was read, for a file that does not tell.  Rows that cannot
    be read are left out and counted; a file of which too little is left is refused.
    """
    source = str(path)
    content = _content(path)
    form, rows = parse_series(content, source, read_utc)
    _check_rows(rows, source)
    _check_unit(rows.rtt_s, source)
    is_endless = rows.rtt_s > LONGEST_RTT_S
    t_ns, rtt_s = rows.t_ns[~is_endless], rows.rtt_s[~is_endless]
    jumps = int((np.diff(t_ns) < -CLOCK_JUMP_NS).sum())
    order = np.argsort(t_ns, kind="stable")
    t_ns, rtt_s = t_ns[order], rtt_s[order]
    gap_s = _gaps_s(t_ns)
    return Series(
        source=source,
        form=form,
        sha256=hashlib.sha256(content).hexdigest(),
        t_utc=t_ns.astype("datetime64[ns]"),
        rtt_s=rtt_s,
        lost=np.isnan(rtt_s),
        bad_rows=rows.bad + int(is_endless.sum()),
        gaps=gap_s.size,
        gap_s=float(gap_s.sum()),
        clock_jumps=jumps,
        issues=_issues(rows, int(is_endless.sum()), gap_s, jumps),
    )


def _content(path: str | Path) -> bytes:
    source = str(path)
    content = unpacked(read_bytes(path), source, MAX_UNPACKED_BYTES).removeprefix(b"\xef\xbb\xbf")
    if not content.strip():
        raise InputError(f"{source}: the file is empty; expected {FORMS}")
    return content


def _check_rows(rows: Rows, source: str) -> None:
    read = rows.t_ns.size
    if rows.bad > MAX_BAD_SHARE * (read + rows.bad) or (read == 0 and rows.bad):
        line, text = rows.first_bad
        raise InputError(
            f'{source}: line {line}: found "{shown(text)}", and {rows.bad:,} of '
            f"{read + rows.bad:,} rows cannot be read; expected {FORMS}"
        )
    if np.isfinite(rows.rtt_s).sum() < MIN_PACKETS:
        raise InputError(
            f"{source}: {read:,} rows and fewer than {MIN_PACKETS} answers in them; "
            "give a series with answered packets"
        )


def _check_unit(rtt_s: FloatArray, source: str) -> None:
    median_s = float(np.median(rtt_s[np.isfinite(rtt_s)]))
    least_s, most_s = MEDIAN_RTT_S
    if not least_s <= median_s <= most_s:
        too = "little" if median_s < least_s else "much"
        advice = "is it in seconds? name its column rtt_s"
        if too == "much":
            advice = "is it in other units? name its column rtt_ms, rtt_us or rtt_ns"
        raise InputError(
            f"{source}: the median RTT is {median_s * 1e3:g} ms, too {too} for a satellite; "
            f"{advice}"
        )


def _gaps_s(t_ns: NDArray[np.int64]) -> FloatArray:
    """Return how long nothing was sent, for each gap, (G,)."""
    spacing_s = np.diff(t_ns) / 1e9
    least_s = max(GAP_LEAST_S, GAP_SPACINGS * float(np.median(spacing_s)))
    return np.asarray(spacing_s[spacing_s > least_s], np.float64)


def _issues(rows: Rows, endless: int, gap_s: FloatArray, jumps: int) -> tuple[str, ...]:
    issues = list(rows.notes)
    if rows.bad:
        line, text = rows.first_bad
        issues.append(f'{rows.bad:,} rows left out, the first in line {line}: "{shown(text)}"')
    if endless:
        issues.append(f"{endless:,} round trips of more than {LONGEST_RTT_S:,.0f} s left out")
    if gap_s.size:
        issues.append(
            f"{gap_s.size:,} gaps in which nothing was sent, {gap_s.sum():,.0f} s together, the "
            f"longest {gap_s.max():,.0f} s"
        )
    if jumps:
        issues.append(f"the clock goes back {jumps:,} times; the rows were put in order")
    return tuple(issues)
