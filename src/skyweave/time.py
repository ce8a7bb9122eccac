"""Time: UTC instants as datetime64[ns], grids of slots, and the leap-second table.

A moment is `epoch_utc` (datetime64[ns], UTC) plus float64 seconds `t_s` from it.
"""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skyweave.data import read_data_text
from skyweave.errors import InputError

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]  # datetime64[ns], UTC

FIRST_YEAR, LAST_YEAR = 1957, 2100  # Sputnik 1; beyond 2100 no element set or orientation reaches
MOST_SLOTS = 10_000_000

# Starlink's controller maps satellites to terminals anew at :12 :27 :42 :57 of every UTC minute
# (Tanveer et al., CoNEXT 2023), so slots of 15 s begin there and nowhere else.
ALIGNED_SLOT_S = 15.0
_ALIGNED_SLOT_NS = 15_000_000_000
_FIRST_SLOT_OF_MINUTE_NS = 12_000_000_000

_ISO_UTC = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[Tt ](?P<minute>\d{2}:\d{2}):(?P<second>\d{2})"
    r"(?P<fraction>\.\d{1,9})?(?P<zone>[Zz]|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)


@dataclass(frozen=True)
class TimeGrid:
    """Instants at which the twin computes: `epoch_utc + t_s`.

    For a run of `slots` slots the grid holds the slots + 1 boundaries; slot k covers
    [epoch_utc + k * slot_s, epoch_utc + (k + 1) * slot_s).
    """

    epoch_utc: np.datetime64  # datetime64[ns]
    t_s: FloatArray  # (T,)

    def __len__(self) -> int:
        return int(self.t_s.size)

    @property
    def utc(self) -> TimeArray:
        """The instants as datetime64[ns], shape (T,)."""
        return self.epoch_utc + np.round(self.t_s * 1e9).astype("timedelta64[ns]")

    def part(self, start: int, stop: int) -> "TimeGrid":
        """Return instants start to stop - 1, on the same epoch (so results do not change)."""
        return TimeGrid(self.epoch_utc, self.t_s[start:stop])


def slot_grid(
    start_utc: np.datetime64, duration_s: float, slot_s: float, where: str = ""
) -> TimeGrid:
    """Return the boundaries of the slots that a run of `duration_s` needs.

    Slots of 15 s are aligned: the epoch moves back to the last of seconds 12, 27, 42 and 57 of
    UTC, and differs from `start_utc` when it did.  Other slots start as written.  `where` names
    the file and table in an error.
    """
    slots = slots_of(duration_s, slot_s, where)
    epoch_utc = _aligned(start_utc) if slot_s == ALIGNED_SLOT_S else start_utc
    return instants(epoch_utc, np.arange(slots + 1, dtype=np.float64) * slot_s, where)


def slots_of(duration_s: float, slot_s: float, where: str = "") -> int:
    """Return how many slots cover a duration: the last may reach beyond its end."""
    for name, value_s in (("duration_s", duration_s), ("slot_s", slot_s)):
        if not (math.isfinite(value_s) and value_s > 0.0):
            raise _refusal(where, f"{name} = {value_s} is no length of time; give seconds above 0")
    # A billionth of a slot is forgiven, so that 2.1 s / 0.7 s is 3 slots and not 4.
    slots = max(1.0, np.ceil(duration_s / slot_s - 1e-9))
    if not slots <= MOST_SLOTS:
        raise _refusal(
            where,
            f"duration_s = {duration_s} with slot_s = {slot_s} makes {slots:.3g} slots; "
            f"at most {MOST_SLOTS} fit in a run: shorten it or lengthen the slot",
        )
    return int(slots)


def instants(epoch_utc: np.datetime64, t_s: FloatArray, where: str = "") -> TimeGrid:
    """Return the grid of moments `epoch_utc + t_s`, t_s of shape (T,); refuse a leap second inside.

    Seconds are counted without leap seconds, so a grid that contained one would be wrong by a
    second, 7.5 km of satellite motion, from there on.
    """
    t_s = np.ascontiguousarray(t_s, dtype=np.float64)
    epoch_utc = _to_ns(epoch_utc)
    if t_s.ndim != 1 or not np.isfinite(t_s).all():
        raise _refusal(where, f"times of shape {t_s.shape}: pass finite seconds, shape (T,)")
    if t_s.size:
        first_utc, last_utc = (_shifted(epoch_utc, float(t), where) for t in (t_s.min(), t_s.max()))
        _refuse_leap_second(min(epoch_utc, first_utc), max(epoch_utc, last_utc), where)
    return TimeGrid(epoch_utc, t_s)


def parse_utc(moment: str | datetime | np.datetime64, where: str = "") -> np.datetime64:
    """Return a moment as datetime64[ns], UTC.

    Accepts ISO 8601 text with Z or an offset, to the nanosecond, and aware datetimes, as TOML
    makes of `2026-06-14T12:00:12Z`.  A moment without a zone is refused: nobody knows when it is.
    `where` names file, line or key in an error.
    """
    if isinstance(moment, np.datetime64):
        utc = moment
    elif isinstance(moment, datetime):
        utc = _from_datetime(moment, where)
    elif isinstance(moment, str):
        utc = _from_text(moment, where)
    else:
        raise _refusal(where, f"found {moment!r}, expected a time such as 2026-06-14T12:00:12Z")
    _refuse_far_year(utc, where)  # nanoseconds hold only the years 1678 to 2261
    return _to_ns(utc)


def format_utc(utc: np.datetime64) -> str:
    """Return a moment as `2026-06-14T12:00:12Z`, with a fraction only where there is one."""
    seconds, _, fraction = str(_to_ns(utc)).partition(".")
    fraction = fraction.rstrip("0")
    return f"{seconds}.{fraction}Z" if fraction else f"{seconds}Z"


def tai_minus_utc_s(utc: TimeArray) -> FloatArray:
    """Return TAI-UTC at each moment, shape (T,); NaN before 1972, when UTC had no whole seconds.

    Source: IERS Leap_Second.dat, as shipped with the package.
    """
    dates, tai_s = _leap_seconds()
    utc = np.asarray(utc, dtype="datetime64[ns]")
    row = np.searchsorted(dates, utc, side="right") - 1
    return np.where((row < 0) | np.isnat(utc), np.nan, tai_s[np.maximum(row, 0)])


@cache
def _leap_seconds() -> tuple[TimeArray, FloatArray]:
    """Return the first moment of each TAI-UTC value, and the value in seconds."""
    lines = read_data_text("leap_seconds.dat").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("#")]
    days = np.array([float(mjd) - 40587.0 for mjd, *_ in rows])  # MJD 40587 is 1970-01-01
    dates = days.astype("datetime64[D]").astype("datetime64[ns]")
    return dates, np.array([float(row[-1]) for row in rows])


def _refusal(where: str, text: str) -> InputError:
    return InputError(f"{where}: {text}" if where else text)


def _to_ns(utc: np.datetime64) -> np.datetime64:
    moment: np.datetime64 = utc.astype("datetime64[ns]")
    return moment


def _aligned(start_utc: np.datetime64) -> np.datetime64:
    start_utc = _to_ns(start_utc)
    late_ns = (int(start_utc.astype(np.int64)) - _FIRST_SLOT_OF_MINUTE_NS) % _ALIGNED_SLOT_NS
    return np.datetime64(start_utc - np.timedelta64(late_ns, "ns"))


def _shifted(utc: np.datetime64, t_s: float, where: str) -> np.datetime64:
    """Return a moment t_s later, refusing what a year from FIRST_YEAR to LAST_YEAR cannot hold."""
    two_centuries_s = 200 * 366 * 86400.0
    if abs(t_s) > two_centuries_s:
        raise _refusal(where, f"{t_s:g} s from {format_utc(utc)} is out of reach; shorten the run")
    shifted = np.datetime64(utc + np.timedelta64(round(t_s * 1e9), "ns"))
    _refuse_far_year(shifted, where)
    return shifted


def _refuse_far_year(utc: np.datetime64, where: str) -> None:
    if np.isnat(utc):
        raise _refusal(where, "found no time (NaT), expected one such as 2026-06-14T12:00:12Z")
    year = int(utc.astype("datetime64[Y]").astype(np.int64)) + 1970
    if not FIRST_YEAR <= year <= LAST_YEAR:
        raise _year_refusal(year, where)


def _year_refusal(year: int, where: str) -> InputError:
    return _refusal(where, f"found a time in the year {year}; expected {FIRST_YEAR} to {LAST_YEAR}")


def _refuse_leap_second(first_utc: np.datetime64, last_utc: np.datetime64, where: str) -> None:
    dates, tai_s = _leap_seconds()
    # The first value of the table, 1972-01-01, introduces whole seconds and is no leap second.
    inside = (dates[1:] > first_utc) & (dates[1:] <= last_utc) & (np.diff(tai_s) != 0.0)
    if inside.any():
        after = format_utc(dates[1:][inside][0])
        raise _refusal(
            where,
            f"the run from {format_utc(first_utc)} to {format_utc(last_utc)} contains the leap "
            f"second before {after}; end it earlier or start it at {after}",
        )


def _from_datetime(moment: datetime, where: str) -> np.datetime64:
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise _no_zone(moment.isoformat(), where)
    if not FIRST_YEAR - 1 <= moment.year <= LAST_YEAR + 1:  # astimezone overflows at the extremes
        raise _year_refusal(moment.year, where)
    return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "ns")


def _no_zone(found: str, where: str) -> InputError:
    return _refusal(
        where, f'found "{found}", a time without a zone; expected UTC: write {found}Z if it is'
    )


def _from_text(text: str, where: str) -> np.datetime64:
    shown = json.dumps(text if len(text) <= 40 else text[:37] + "...")  # quoted, on one line
    parts = _ISO_UTC.fullmatch(text.strip())
    if parts is None:
        raise _refusal(where, f"found {shown}, expected a time such as 2026-06-14T12:00:12Z")
    if parts["zone"] is None:
        raise _no_zone(text.strip(), where)
    if parts["second"] == "60":
        raise _refusal(
            where, f"found {shown}, a leap second, which a run cannot hold; take the next second"
        )
    try:
        zone = "+00:00" if parts["zone"] in "Zz" else parts["zone"]
        moment = datetime.fromisoformat(f"{parts['day']}T{parts['minute']}:{parts['second']}{zone}")
    except ValueError:
        raise _refusal(
            where, f"found {shown}, which no calendar holds; check month, day, hour and offset"
        ) from None
    fraction_ns = int((parts["fraction"] or ".").removeprefix(".").ljust(9, "0"))
    return _from_datetime(moment, where) + np.timedelta64(fraction_ns, "ns")
