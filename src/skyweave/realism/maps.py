"""A dish's obstruction maps, one after the other: which pixels came new, and when.

A dish paints the track of the satellite that serves it into a map of 123 x 123 pixels, so what
differs between two maps in a row is where that satellite was in between.  Three forms are read,
told apart by their content:

- Parquet as LEOViz records it: `timestamp` (unix s), `obstruction_map` (15,129 values, row-major),
  and `frame_type` if the dish told it;
- JSON: answers to `dish_get_obstruction_map` each with a `timestamp`, as a list or one a line;
- CSV of pixels already told apart: time, row (Y), column (X), as SatInView publishes them.

A cell is -1 where the dish had no satellite; maps without any -1 say 0 for it.
"""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.realism.json_size import check_json_size
from skyweave.realism.observations import slot_start
from skyweave.realism.packed import unpacked
from skyweave.time import TimeArray, parse_utc
from skyweave.twin.terminals.rows import read_bytes, shown

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MAP_ROWS = 123
MAX_MAPS = 200_000  # a day of two maps a second
MAX_TEXT_BYTES = 64 * 2**20  # of JSON some 1,000 maps
MAX_PIXEL_ROWS = 1_000_000
MAX_SPACING_S = 5.0  # a track crosses 6 pixels in that time: what came new is no longer one place
MOST_NEW = 64  # more new pixels in one step are no track: the map was refilled
RESET_SHARE = 0.5  # of the painted pixels gone at once

EARTH, DISH, UNKNOWN = "earth", "dish", ""
_FRAMES = {
    0: UNKNOWN, 1: EARTH, 2: DISH,
    "FRAME_UNKNOWN": UNKNOWN, "FRAME_EARTH": EARTH, "FRAME_UT": DISH,
}  # fmt: skip
_CELLS = MAP_ROWS * MAP_ROWS
_WRAPPERS = ("dishGetObstructionMap", "dish_get_obstruction_map")
_TIMES = ("timestamp", "time", "time_utc")
_ROWS, _COLUMNS = ("y", "row"), ("x", "col", "column")
_FIRST_UNIX_S = 1e8  # 1973; smaller numbers count from the recording's beginning
_FORMS = (
    "Parquet with timestamp and obstruction_map, JSON answers to dish_get_obstruction_map with a "
    "timestamp each, or a CSV of time,row,column"
)


@dataclass(frozen=True, eq=False)
class PixelRecord:
    """Where a dish's map was painted: one row per step, with the mean of the pixels new in it."""

    source: str
    utc: TimeArray  # (M,) datetime64[ns], rising; half-way between the two maps compared
    row: FloatArray  # (M,) 0 to 122, 0 at the top
    col: FloatArray  # (M,) 0 to 122
    pixels: IntArray  # (M,) new pixels of the step
    frame: str  # EARTH, DISH or UNKNOWN: what the map is turned to
    slot_utc: TimeArray  # starts of the slots recorded, with those in which nothing came new
    maps: int = 0  # read; 0 of a CSV of pixels
    resets: int = 0  # the map was emptied
    jumps: int = 0  # steps left out: too many new pixels at once, or too long since the last map


@dataclass
class _Steps:
    """Compares each map with the one before it."""

    source: str
    utc: list[np.datetime64] = field(default_factory=list)
    place: list[tuple[float, float, int]] = field(default_factory=list)
    maps: int = 0
    resets: int = 0
    jumps: int = 0
    spacing_s: list[float] = field(default_factory=list)
    frames: set[str] = field(default_factory=set)
    slots: set[np.datetime64] = field(default_factory=set)
    _last_utc: np.datetime64 | None = None
    _last: BoolArray | None = None

    def add(self, utc: np.datetime64, painted: BoolArray, frame: str) -> None:
        """Take the next map, `painted` (15129,)."""
        self.maps += 1
        self.frames.add(frame)
        self.slots.add(_slot_of(utc))
        if self._last is not None and self._last_utc is not None:
            self._compare(self._last_utc, self._last, utc, painted)
        self._last_utc, self._last = utc, painted

    def _compare(
        self, last_utc: np.datetime64, last: BoolArray, utc: np.datetime64, painted: BoolArray
    ) -> None:
        between = utc - last_utc
        spacing_s = float(between / np.timedelta64(1, "s"))
        if spacing_s <= 0.0:
            raise InputError(
                f"{self.source}: map {self.maps} is not later than the one before it; "
                "sort the maps by time and leave out doubles"
            )
        self.spacing_s.append(spacing_s)
        gone = int((last & ~painted).sum())
        is_reset = gone > 0 and gone >= RESET_SHARE * int(last.sum())
        self.resets += is_reset
        new = np.flatnonzero(painted if is_reset else painted & ~last)
        if not new.size:
            return
        if new.size > MOST_NEW or spacing_s > MAX_SPACING_S:
            self.jumps += 1
            return
        if not is_reset and _slot_of(last_utc) != _slot_of(utc):
            return  # painted before or after the satellite changed: nobody knows
        row, col = np.divmod(new, MAP_ROWS)
        self.utc.append(utc if is_reset else last_utc + between // 2)
        self.place.append((float(row.mean()), float(col.mean()), int(new.size)))

    def record(self) -> PixelRecord:
        """Return the steps in which pixels came new."""
        if self.maps < 2:
            raise InputError(
                f"{self.source}: {self.maps} {'map' if self.maps == 1 else 'maps'}; two in a row "
                "or more tell a track: save one each second"
            )
        spacing_s = float(np.median(self.spacing_s))
        if spacing_s > MAX_SPACING_S:
            raise InputError(
                f"{self.source}: the maps are {spacing_s:.0f} s apart (median); expected "
                f"{MAX_SPACING_S:g} s or less: save one each second"
            )
        if len(self.frames) > 1:
            raise InputError(
                f"{self.source}: maps of different reference frames; give those of one alone"
            )
        place = np.array(self.place, dtype=np.float64).reshape(-1, 3)
        return PixelRecord(
            self.source,
            np.array(self.utc, dtype="datetime64[ns]"),
            place[:, 0],
            place[:, 1],
            place[:, 2].astype(np.int64),
            frame=next(iter(self.frames)),
            slot_utc=np.array(sorted(self.slots), dtype="datetime64[ns]"),
            maps=self.maps,
            resets=self.resets,
            jumps=self.jumps,
        )


def _slot_of(utc: np.datetime64) -> np.datetime64:
    start_utc: np.datetime64 = slot_start(np.array([utc]))[0]
    return start_utc


def read_maps(path: str | Path, start_utc: np.datetime64 | None = None) -> PixelRecord:
    """Read what a dish painted from a file of maps or of pixels.

    `start_utc` is when times that count seconds from the recording's beginning began; others, unix
    seconds or ISO 8601, need none.
    """
    source = str(path)
    content = plain_content(path, _FORMS)
    if content[:4] == b"PAR1":
        return _from_parquet(content, source, start_utc)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source}: no text and no Parquet; expected {_FORMS}") from None
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(text, source, start_utc)
    return _from_csv(text, source, start_utc)


def plain_content(path: str | Path, form: str) -> bytes:
    """Return what a plain or gzip file of MAX_TEXT_BYTES holds; `form` is what was expected."""
    content = unpacked(read_bytes(path), str(path), MAX_TEXT_BYTES)
    if not content.strip():
        raise InputError(f"{path}: the file is empty; expected {form}")
    return content


# Parquet


def _from_parquet(content: bytes, source: str, start_utc: np.datetime64 | None) -> PixelRecord:
    steps = _Steps(source)
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        columns = _parquet_columns(file, source)
        for batch in file.iter_batches(batch_size=64, columns=columns):
            _add_batch(steps, batch, start_utc)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as problem:
        raise InputError(
            f"{source}: the Parquet data is damaged ({problem}); fetch the file again"
        ) from None
    return steps.record()


def _parquet_columns(file: Any, source: str) -> list[str]:
    """Return the columns to read, after checking that they hold square maps of the right size."""
    names = file.schema_arrow.names
    for name in ("timestamp", "obstruction_map"):
        if name not in names:
            raise InputError(
                f'{source}: column "{name}" is missing; found '
                f"{shown(', '.join(names))}; expected timestamp and obstruction_map"
            )
    if file.metadata.num_rows > MAX_MAPS:
        raise InputError(
            f"{source}: {file.metadata.num_rows:,} maps; at most {MAX_MAPS:,} are read: split it"
        )
    kind = file.schema_arrow.field("obstruction_map").type
    if not (pa.types.is_list(kind) or pa.types.is_large_list(kind)):
        raise InputError(
            f"{source}: obstruction_map holds {shown(str(kind))}; expected lists of {_CELLS:,}"
        )
    _check_cells(file.metadata, source)
    return ["timestamp", "obstruction_map", *(["frame_type"] if "frame_type" in names else [])]


def _check_cells(metadata: Any, source: str) -> None:
    """Refuse maps of another size before anything is unpacked."""
    for group in (metadata.row_group(number) for number in range(metadata.num_row_groups)):
        for column in (group.column(number) for number in range(group.num_columns)):
            if not column.path_in_schema.startswith("obstruction_map."):
                continue
            if column.num_values != group.num_rows * _CELLS:
                raise _wrong_size(source, column.num_values / max(1, group.num_rows))


def _wrong_size(where: str, cells: float) -> InputError:
    side = math.sqrt(max(cells, 0.0))
    shape = f"{side:.0f} x {side:.0f}" if side.is_integer() else f"{cells:,.5g} cells"
    return InputError(
        f"{where}: a map of {shape}; expected {MAP_ROWS} x {MAP_ROWS}, as a dish makes them: save "
        "the whole answer"
    )


def _add_batch(steps: _Steps, batch: Any, start_utc: np.datetime64 | None) -> None:
    maps = batch.column("obstruction_map")
    times = _times(batch.column("timestamp"))
    frames = batch.column("frame_type").to_pylist() if "frame_type" in batch.schema.names else []
    values = np.asarray(maps.flatten().to_numpy(zero_copy_only=False))
    lengths = [len(cells) if cells.is_valid else 0 for cells in maps]
    for number, length in enumerate(lengths, steps.maps + 1):
        if length != _CELLS:
            raise _wrong_size(f"{steps.source}: map {number}", length)
    for number, (time, cells) in enumerate(zip(times, values.reshape(-1, _CELLS), strict=True)):
        where = f"{steps.source}: map {steps.maps + 1}"
        frame = _frame(frames[number] if frames else 0, where)
        steps.add(_moment(time, where, start_utc), _painted(cells, where, only_signs=True), frame)


def _times(column: Any) -> list[Any]:
    """Return a column's times; those of Arrow, which are UTC whatever their zone, as datetime64."""
    if not pa.types.is_timestamp(column.type):
        times: list[Any] = column.to_pylist()
        return times
    utc = column.cast(pa.timestamp("ns")).to_numpy(zero_copy_only=False)
    return [None if np.isnat(moment) else moment for moment in utc]


def _painted(cells: Any, where: str, *, only_signs: bool) -> BoolArray:
    """Return which cells the dish has painted, (15129,).

    The dish gives -1 or a share of clear signal from 0 to 1; recorders that keep only whether a
    cell is painted (`only_signs`) give 0 or 1.
    """
    try:
        values = np.asarray(cells, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{where}: a cell is no number; expected -1, or 0 to 1") from None
    known = np.isin(values, (-1.0, 0.0, 1.0))
    if not only_signs:
        known |= (values > 0.0) & (values < 1.0)
    if not known.all():
        place = int(np.flatnonzero(~known)[0])
        expected = "-1, 0 or 1" if only_signs else "-1 (no data) or 0 to 1"
        raise InputError(
            f"{where}: row {place // MAP_ROWS + 1}, column {place % MAP_ROWS + 1} is "
            f"{values[place]:g}; expected {expected}: save the dish's own values"
        )
    return np.asarray(values >= 0.0 if (values == -1.0).any() else values > 0.0)


def _frame(value: Any, where: str) -> str:
    known = _FRAMES.get(value) if isinstance(value, int | str) else _FRAMES[0]
    if known is None or isinstance(value, bool):
        raise InputError(
            f'{where}: reference frame "{shown(str(value))}"; expected FRAME_EARTH or FRAME_UT'
        )
    return known


# JSON


def _from_json(text: str, source: str, start_utc: np.datetime64 | None) -> PixelRecord:
    steps = _Steps(source)
    for entry in _entries(text, source):
        where = f"{source}: map {steps.maps + 1}"
        if not isinstance(entry, dict):
            raise InputError(f"{where}: no JSON object; expected {_FORMS}")
        if steps.maps >= MAX_MAPS:
            raise InputError(f"{source}: more than {MAX_MAPS:,} maps; split the file")
        message = _message(entry, where)
        time = next((entry[key] for key in _TIMES if entry.get(key) is not None), None)
        steps.add(_moment(time, where, start_utc), *_map_of(message, where))
    return steps.record()


def _entries(text: str, source: str) -> Iterator[Any]:
    """Yield the maps of a JSON list, or of objects written one after the other."""
    check_json_size(text, source)
    decoder, at = json.JSONDecoder(), 0
    while True:
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1
        if at >= len(text):
            return
        try:
            entry, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as problem:
            raise InputError(
                f"{source}: not JSON ({problem}); save again what the dish answered"
            ) from None
        yield from entry if isinstance(entry, list) else (entry,)


def _message(entry: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    for name in _WRAPPERS:
        if isinstance(entry.get(name), dict):
            entry = entry[name]
    if not isinstance(entry.get("snr"), list):
        raise InputError(
            f'{where}: "snr" is missing; expected an answer to dish_get_obstruction_map'
        )
    return entry


def _map_of(message: Mapping[str, Any], where: str) -> tuple[BoolArray, str]:
    snr = message["snr"]
    if snr and all(isinstance(row, list) for row in snr):
        snr = [value for row in snr for value in row]
    rows = [message.get(camel, message.get(snake)) for camel, snake in
            (("numRows", "num_rows"), ("numCols", "num_cols"))]  # fmt: skip
    if any(count not in (None, MAP_ROWS) for count in rows):
        raise InputError(
            f"{where}: numRows and numCols are {shown(str(rows[0]))} and {shown(str(rows[1]))}; "
            f"expected {MAP_ROWS}: save the whole answer"
        )
    if len(snr) != _CELLS:
        raise _wrong_size(where, len(snr))
    frame = message.get("mapReferenceFrame", message.get("map_reference_frame", 0))
    return _painted(snr, where, only_signs=False), _frame(frame, where)


# Pixels already told apart


def _from_csv(text: str, source: str, start_utc: np.datetime64 | None) -> PixelRecord:
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    if len(lines) > MAX_PIXEL_ROWS:
        raise InputError(f"{source}: more than {MAX_PIXEL_ROWS:,} rows; split the file")
    header = [cell.strip().strip('"').casefold() for cell in lines[0][1].split(",")]
    places = (0, 1, 2)
    if not _is_time(header[0]):
        places = _places(header, f"{source}: line {lines[0][0]}")
        lines = lines[1:]
    rows = [_pixel_row(line, places, f"{source}: line {n}", start_utc) for n, line in lines]
    if not rows:
        raise InputError(f"{source}: no pixels; expected rows of time,row,column")
    utc = np.array([row[0] for row in rows], dtype="datetime64[ns]")
    place = np.array([row[1:] for row in rows], dtype=np.float64)
    order = np.argsort(utc, kind="stable")
    ones = np.ones(len(rows), dtype=np.int64)
    row, col = place[order].T
    return PixelRecord(source, utc[order], row, col, ones, UNKNOWN, np.unique(slot_start(utc)))


def _is_time(text: str) -> bool:
    return text[:1].isdigit() or text[:1] in "+-."


def _places(header: list[str], where: str) -> tuple[int, int, int]:
    """Return which columns hold time, row and column."""
    return (
        _place(header, _TIMES, where), _place(header, _ROWS, where), _place(header, _COLUMNS, where)
    )  # fmt: skip


def _place(header: list[str], names: Iterable[str], where: str) -> int:
    names = tuple(names)
    found = next((header.index(name) for name in names if name in header), None)
    if found is None:
        raise InputError(
            f"{where}: found {shown(','.join(header))}, expected a column {' or '.join(names)}; "
            f"give {_FORMS}"
        )
    return found


def _pixel_row(
    line: str, places: tuple[int, int, int], where: str, start_utc: np.datetime64 | None
) -> tuple[np.datetime64, float, float]:
    cells = [cell.strip().strip('"') for cell in line.split(",")]
    if len(cells) <= max(places):
        raise InputError(f"{where}: {len(cells)} cells; expected time,row,column")
    row, col = (_pixel(cells[place], where) for place in places[1:])
    return _moment(cells[places[0]], where, start_utc), row, col


def _pixel(text: str, where: str) -> float:
    if not text.isascii() or not text.isdigit() or not int(text[:9]) < MAP_ROWS:
        raise InputError(
            f'{where}: found "{shown(text)}", expected a pixel from 0 to {MAP_ROWS - 1}; '
            "rows count from the top, columns from the left"
        )
    return float(text)


# Times


def _moment(value: Any, where: str, start_utc: np.datetime64 | None) -> np.datetime64:
    """Return a moment given as unix seconds, seconds from `start_utc`, or ISO 8601 (UTC)."""
    if value is None or value == "":
        raise InputError(
            f"{where}: no timestamp; a track needs one for each map: add unix seconds or "
            "2026-06-14T12:00:12Z"
        )
    if isinstance(value, str) and not _is_number(value):
        has_zone = value[-1:] in "Zz" or "+" in value[10:] or "-" in value[10:]
        return parse_utc(value if has_zone else f"{value}Z", where)
    if isinstance(value, np.datetime64):
        return value
    return _from_seconds(value, where, start_utc)


def _from_seconds(value: Any, where: str, start_utc: np.datetime64 | None) -> np.datetime64:
    is_known = isinstance(value, int | float | str) and _is_number(value)
    seconds = float(value) if is_known else math.nan
    if isinstance(value, bool) or not math.isfinite(seconds) or not -1.0 < seconds < 4e9:
        raise InputError(
            f"{where}: timestamp {shown(str(value))}; expected unix seconds: "
            "divide milliseconds by 1000"
        )
    since = np.timedelta64(round(seconds * 1e9), "ns")
    if seconds >= _FIRST_UNIX_S:
        return np.datetime64(0, "ns") + since
    if start_utc is None:
        raise InputError(
            f"{where}: timestamp {shown(str(value))} counts from the recording's beginning; "
            "give --start, or unix seconds"
        )
    began_utc: np.datetime64 = start_utc.astype("datetime64[ns]")
    return began_utc + since


def _is_number(value: str | float) -> bool:
    try:
        float(value)
    except (ValueError, OverflowError):
        return False
    return True
