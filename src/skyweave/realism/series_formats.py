"""The forms in which measured round trips are kept, each read into rows of time and RTT."""

import csv
import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.realism.json_size import check_json_size
from skyweave.twin.terminals.rows import shown

FORMS = (
    "`ping -D` text, rows of unix time, number and RTT in ms, a CSV with a column of time and one "
    "of RTT, irtt's JSON, or a dish's history as JSON"
)
MAX_ROWS = 5_000_000
MAX_LINE_CHARACTERS = 64 * 2**10
MAX_PING_CHARACTERS = 500  # ping's own lines have some 100, and trying longer ones takes time
HISTORY_SPACING_NS = 1_000_000_000  # a dish keeps one sample per second

_LOST = frozenset(("", "-1", "-1.0", "nan", "null", "none", "*", "-", "lost", "timeout"))
_TIME_COLUMNS = (
    *("time_utc", "t_utc", "utc", "timestamp", "time", "datetime", "date"),
    *("unix_time", "unixtime", "epoch", "t", "t_s", "t_ms", "t_ns", "time_s", "time_ms"),
)
_RTT_COLUMNS = (
    *("rtt_ms", "rtt_s", "rtt_us", "rtt_ns", "rtt", "latency_ms", "latency_s", "latency"),
    *("poppinglatencyms", "pop_ping_latency_ms", "delay_ms", "delay_s", "ping_ms", "ping"),
)
_UNITS_S = {"ms": 1e-3, "s": 1.0, "us": 1e-6, "ns": 1e-9}
# Unix time by its size: seconds, milliseconds, microseconds or nanoseconds, 1973 to 2128.
_EPOCHS_NS = ((1e8, 5e9, 1e9), (1e11, 5e12, 1e6), (1e14, 5e15, 1e3), (1e17, 5e18, 1.0))

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_PING = re.compile(
    r"\[(?P<t>\d{9,10}(?:\.\d*)?)\] (?:"
    r"\d+ bytes from .*?icmp_seq=(?P<seq>\d{1,9}) .*?time[=<](?P<rtt>\d+(?:\.\d*)?) ms"
    r"(?P<dup> \(DUP!\))?"
    r"|no answer yet for icmp_seq=(?P<late>\d{1,9})\b"
    r"|From .*?icmp_seq=(?P<refused>\d{1,9}) )"
)
_PING_SEQUENCE = 2**16  # ping counts its packets in 16 bits
_OVERTAKEN = 1000  # packets by which an answer may come late, 10 s at 100 a second
_UNDATED_PING = re.compile(r"\d+ bytes from .*time[=<][\d.]+ ms")
_PING_CHATTER = ("PING ", "ping: ", "---", "rtt ", "round-trip", "WARNING", "Warning")
_PING_TOTALS = re.compile(r"\d+ packets transmitted")

IntArray = NDArray[np.int64]


@dataclass
class Rows:
    """What was read: rows in the file's order, and what could not be."""

    times_ns: list[int] = field(default_factory=list)
    rtts_s: list[float] = field(default_factory=list)  # NaN where lost
    bad: int = 0
    first_bad: tuple[int, str] = (0, "")  # 1-based line, and what stands there
    notes: list[str] = field(default_factory=list)

    @property
    def t_ns(self) -> IntArray:
        """Nanoseconds of UTC since 1970, (M,)."""
        return np.array(self.times_ns, dtype=np.int64)

    @property
    def rtt_s(self) -> NDArray[np.float64]:
        """Round trips, NaN where lost, (M,)."""
        return np.array(self.rtts_s, dtype=np.float64)

    def add(self, t_ns: int, rtt_s: float) -> None:
        """Add a row; a round trip that is not above 0 is a loss."""
        self.times_ns.append(t_ns)
        self.rtts_s.append(rtt_s if rtt_s > 0.0 else math.nan)

    def leave_out(self, line: int, text: str) -> None:
        """Count a row that cannot be read."""
        self.bad += 1
        if self.bad == 1:
            self.first_bad = (line, text)


def parse_series(content: bytes, source: str, read_utc: np.datetime64 | None) -> tuple[str, Rows]:
    """Return a content's form and rows, whatever the file is called."""
    text = _decoded(content, source)
    start = text.lstrip()[:200]
    if start.startswith("{") or re.match(r"\[\s*[{\[\"]", start):
        return _json_rows(text, source, read_utc)
    lines = text.splitlines()
    if len(lines) > MAX_ROWS:
        raise InputError(
            f"{source}: {len(lines):,} lines; at most {MAX_ROWS:,} are read: split the file"
        )
    head = [line for line in lines[:50] if line.strip()]
    if any(_PING.match(line[:MAX_PING_CHARACTERS]) for line in head):
        return "ping", _ping_rows(lines, source)
    if any(_UNDATED_PING.search(line[:MAX_PING_CHARACTERS]) for line in head):
        raise InputError(f"{source}: the lines of ping have no times; measure again with `ping -D`")
    if re.search(r"[A-Za-z]", head[0]) and not _is_number(re.split(r"[,;\s]", head[0])[0]):
        return "csv", _csv_rows(lines, source)
    return "columns", _column_rows(lines)


def _decoded(content: bytes, source: str) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{source}: UTF-16 text; save the file as UTF-8")
    if b"\0" in content[:1000]:
        raise InputError(f"{source}: not a text file; expected {FORMS}")
    return content.decode("utf-8", errors="replace")


def _ping_rows(lines: Iterable[str], source: str) -> Rows:
    """Read the lines of `ping -D`; a number that never came back is a loss."""
    rows = Rows()
    seen: dict[int, tuple[float, float]] = {}  # packet -> time, RTT
    base, last, repeated = 0, None, 0
    for number, line in enumerate(lines, 1):
        found = _PING.match(line[:MAX_PING_CHARACTERS])
        sequence = int(found["seq"] or found["late"] or found["refused"]) if found else 0
        if found is None or (last is not None and base + sequence - last > _PING_SEQUENCE // 2):
            if line.strip() and not (line.startswith(_PING_CHATTER) or _PING_TOTALS.match(line)):
                rows.leave_out(number, line)
            continue
        if last is not None:
            base = _ping_base(base, sequence, last)
        packet = base + sequence
        last = packet if last is None else max(last, packet)
        rtt_s = float(found["rtt"]) / 1e3 if found["rtt"] else math.nan
        is_answered = packet in seen and not math.isnan(seen[packet][1])
        repeated += bool(found["dup"]) or (is_answered and not math.isnan(rtt_s))
        if not is_answered and not found["dup"]:
            seen[packet] = (float(found["t"]), rtt_s)
    _add_sequence(rows, source, seen)
    if repeated:
        rows.notes.append(f"{repeated:,} answers came twice; the first of each counts")
    return rows


def _ping_base(base: int, sequence: int, last: int) -> int:
    """Return what to add to a sequence number so that packets are counted on from the last one."""
    if base + sequence >= last - _OVERTAKEN:
        return base
    if base + sequence + _PING_SEQUENCE - last < _PING_SEQUENCE // 2:
        return base + _PING_SEQUENCE
    return last + 1 - sequence  # another run of ping in the same file


def _add_sequence(rows: Rows, source: str, seen: dict[int, tuple[float, float]]) -> None:
    """Add what was seen, and a loss for each number between that was not, at the time between."""
    if not seen:
        return
    known = np.array(sorted(seen))
    first, last = int(known[0]), int(known[-1])
    if last - first >= MAX_ROWS:
        raise InputError(
            f"{source}: more than {MAX_ROWS:,} packets by their numbers; split the file"
        )
    numbers = np.arange(first, last + 1)
    t_s = np.interp(numbers, known, [seen[n][0] for n in known.tolist()])
    for n, at_s in zip(numbers.tolist(), t_s.tolist(), strict=True):
        rows.add(round(at_s * 1e9), seen[n][1] if n in seen else math.nan)
    missing = numbers.size - known.size
    if missing:
        rows.notes.append(f"{missing:,} numbers of the sequence are missing: counted as lost")


def _column_rows(lines: Iterable[str]) -> Rows:
    """Read rows of unix time, number and RTT in ms, or of unix time and RTT in ms."""
    rows = Rows()
    for number, line in enumerate(lines, 1):
        cells = re.split(r"[,;\s]+", line.strip()[:MAX_LINE_CHARACTERS])
        if cells == [""] or line.startswith("#"):
            continue
        t_ns = _unix_ns(cells[0])
        rtt_s = _rtt_s(cells[-1], 1e-3) if len(cells) in (2, 3) else None
        if t_ns is None or rtt_s is None:
            rows.leave_out(number, line.strip())
        else:
            rows.add(t_ns, rtt_s)
    return rows


def _csv_rows(lines: Sequence[str], source: str) -> Rows:
    first = next(k for k, line in enumerate(lines) if line.strip())
    delimiter = max(",;\t", key=lines[first].count)
    header = [name.strip().strip('"').casefold() for name in lines[first].split(delimiter)]
    time_at, rtt_at = _column(header, _TIME_COLUMNS), _column(header, _RTT_COLUMNS)
    if time_at is None or rtt_at is None:
        lacking = "of time, such as timestamp" if time_at is None else "of RTT, such as rtt_ms"
        found = ", ".join(shown(name) for name in header[:8])
        raise InputError(
            f"{source}: line {first + 1}: found columns {found}; expected one {lacking}"
        )
    lost_at = _column(header, ("lost", "loss", "is_lost"))
    unit_s = _UNITS_S[_unit(header[rtt_at])]
    rows, without_zone = Rows(), 0
    for number, line in enumerate(lines[first + 1 :], first + 2):
        if not line.strip():
            continue
        cells = _cells(line[:MAX_LINE_CHARACTERS], delimiter)
        if len(cells) <= max(time_at, rtt_at, lost_at or 0):
            rows.leave_out(number, f"{len(cells)} cells")
            continue
        t_ns, has_zone = _time_ns(cells[time_at])
        is_lost = lost_at is not None and cells[lost_at].casefold() in ("1", "true", "yes")
        rtt_s = math.nan if is_lost else _rtt_s(cells[rtt_at], unit_s)
        if t_ns is None or rtt_s is None:
            rows.leave_out(number, cells[time_at] if t_ns is None else cells[rtt_at])
            continue
        without_zone += not has_zone
        rows.add(t_ns, rtt_s)
    if without_zone:
        rows.notes.append(f"{without_zone:,} times have no zone: read as UTC")
    return rows


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], delimiter=delimiter)
    except csv.Error:
        return []
    return [cell.strip() for cell in cells]


def _column(header: list[str], names: Sequence[str]) -> int | None:
    return next((header.index(name) for name in names if name in header), None)


def _unit(name: str) -> str:
    """Return the unit that a column's name ends with, milliseconds where it tells none."""
    ending = name.rpartition("_")[2]
    return ending if ending in _UNITS_S else "ms"


def _json_rows(text: str, source: str, read_utc: np.datetime64 | None) -> tuple[str, Rows]:
    check_json_size(text, source)
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as problem:
        where = f"line {problem.lineno}: " if isinstance(problem, json.JSONDecodeError) else ""
        raise InputError(
            f"{source}: {where}the JSON text breaks ({shown(str(problem))}); save the file again"
        ) from None
    if isinstance(document, dict):
        if isinstance(document.get("round_trips"), list):
            return "irtt", _irtt_rows(document["round_trips"])
        for holder in (document, *(value for value in document.values() if _is_dict(value))):
            latency = _first(holder, "popPingLatencyMs", "pop_ping_latency_ms")
            if isinstance(latency, list):
                return "dish history", _history_rows(document, holder, latency, source, read_utc)
    raise InputError(
        f"{source}: JSON without round_trips (irtt) or popPingLatencyMs (a dish's history); "
        f"expected {FORMS}"
    )


def _irtt_rows(round_trips: list[Any]) -> Rows:
    """Read irtt's round trips: nanoseconds, losses marked; the time is that of sending."""
    rows = Rows()
    for number, trip in enumerate(round_trips[:MAX_ROWS], 1):
        wall_ns = _nested(trip, "timestamps", "client", "send", "wall")
        rtt_ns = _nested(trip, "delay", "rtt")
        is_lost = _is_dict(trip) and str(trip.get("lost", "false")).casefold() != "false"
        has_time = _is_real(wall_ns) and _is_known(wall_ns)
        if not has_time or not (is_lost or _is_real(rtt_ns)):
            rows.leave_out(number, f"round trip {number}")
        else:
            rows.add(int(wall_ns), math.nan if is_lost else rtt_ns / 1e9)
    return rows


def _history_rows(
    document: dict[str, Any], history: dict[str, Any], latency: list[Any], source: str,
    read_utc: np.datetime64 | None,
) -> Rows:  # fmt: skip
    """Read a dish's ring of one sample per second; the newest is number `current` - 1.

    A ring holds no times: they follow from when it was read, which a key beside it tells.
    """
    end_ns = _read_ns(document, history, source, read_utc)
    drop = _first(history, "popPingDropRate", "pop_ping_drop_rate")
    drop = drop if isinstance(drop, list) else []
    try:
        current = int(_first(history, "current") or len(latency))
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{source}: current is no number; save the history again") from None
    rows, valid = Rows(), min(len(latency), max(current, 0))
    for age in range(valid, 0, -1):  # from the oldest to the newest sample
        at = (current - age) % len(latency)
        rtt_s = _rtt_s(str(latency[at]), 1e-3)
        if rtt_s is None:
            rows.leave_out(1, f"sample {at}: {latency[at]}")
            continue
        is_lost = at < len(drop) and _is_real(drop[at]) and drop[at] >= 1.0
        rows.add(end_ns - (age - 1) * HISTORY_SPACING_NS, math.nan if is_lost else rtt_s)
    return rows


def _read_ns(
    document: dict[str, Any], history: dict[str, Any], source: str, read_utc: np.datetime64 | None
) -> int:
    if read_utc is not None:
        return int(read_utc.astype("datetime64[ns]").astype(np.int64))
    names = ("read_utc", "time_utc", "timestamp", "time", "utc")
    given = _first(document, *names) or _first(history, *names)
    t_ns, _ = _time_ns(str(given)) if given is not None else (None, True)
    if t_ns is None:
        raise InputError(
            f"{source}: a dish's history holds no times, and the file does not tell when it was "
            'read; add "read_utc": "2026-06-14T12:00:00Z" beside it'
        )
    return t_ns


def _time_ns(text: str) -> tuple[int | None, bool]:
    """Return nanoseconds since 1970, None where there is no instant, and whether it has a zone."""
    t_ns = _unix_ns(text)
    if t_ns is not None or _is_number(text):
        return t_ns, True
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None, True
    has_zone = moment.tzinfo is not None
    moment = moment if has_zone else moment.replace(tzinfo=UTC)
    t_ns = (moment - _EPOCH) // timedelta(microseconds=1) * 1000
    return (t_ns if _is_known(t_ns) else None), has_zone


def _is_known(t_ns: float) -> bool:
    """Return whether nanoseconds since 1970 are of the years in which anybody measures."""
    least, most, _ = _EPOCHS_NS[-1]
    return least <= t_ns < most


def _unix_ns(text: str) -> int | None:
    if not _is_number(text):
        return None
    value = float(text)
    for least, most, factor in _EPOCHS_NS:
        if least <= value < most:
            return int(text) if factor == 1.0 and text.isdigit() else round(value * factor)
    return None


def _rtt_s(text: str, unit_s: float) -> float | None:
    """Return a round trip in seconds, NaN for a loss, None for what is neither."""
    text = text.strip().casefold()
    if text in _LOST:
        return math.nan
    return float(text) * unit_s if _is_number(text) else None


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _is_real(value: object) -> bool:
    """Return whether a value of JSON is a number that a float can hold."""
    return not isinstance(value, bool) and isinstance(value, int | float) and _is_number(str(value))


def _is_dict(value: object) -> bool:
    return isinstance(value, dict)


def _first(holder: dict[str, Any], *names: str) -> Any:
    return next((holder[name] for name in names if name in holder), None)


def _nested(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value
