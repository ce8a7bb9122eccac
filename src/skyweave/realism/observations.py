"""Recorded files about a dish: which satellite it used, and which stood in its sky.

Two files belong together, as the SatInView study publishes them: `first_SITE.csv`, one row per
second with the pixel of the dish's obstruction map that lit up and the satellite it was taken for,
and `fov_data_SITE.json`, the satellites in view at the start of each slot.  Both may be packed with
gzip.  Nothing here derives where the dish stands.
"""

import json
import math
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.realism.json_size import check_json_size
from skyweave.realism.packed import unpacked
from skyweave.time import TimeArray, format_utc, parse_utc
from skyweave.twin.terminals.rows import MAX_TEXT, CsvRows, Quantity, parse_rows, read_bytes, shown

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
NameArray = NDArray[np.str_]

SLOT_S = 15
SLOT_PHASE_S = 12  # slots begin at seconds 12, 27, 42 and 57 of UTC
MAP_PIXELS = 123  # rows and columns of a dish's obstruction map
MAX_UNPACKED_BYTES = 256 * 2**20
MAX_SLOTS = 200_000  # five weeks
MAX_RANGE_KM = 100_000.0
MAX_LISTED = 1000  # satellites of one slot; today some 90 stand above 20 deg

_CHOSEN_COLUMNS = ("timestamp", "y", "x", "connected_satellite")
_PIXEL = "obstruction-map pixel, 0 to 122"
_CHOSEN_FORM = "a CSV with columns Timestamp,Y,X,Connected_Satellite"
_LISTED_FORM = (
    'a JSON list of {"Timestamp":..., "Satellites":[{"Name","Azimuth","Elevation","Distance"}]}'
)


@dataclass(frozen=True)
class Track:
    """What a dish recorded, one row per second: every array has shape (M,)."""

    source: str
    t_utc: TimeArray
    y_px: FloatArray
    x_px: FloatArray
    name: NameArray  # the satellite that was published for it


@dataclass(frozen=True)
class SkyList:
    """The satellites in a dish's sky at the start of each of K slots, P in all.

    Those of slot k are rows `start[k]:start[k + 1]`, by name.
    """

    source: str
    slot_utc: TimeArray  # (K,) rising
    start: IntArray  # (K + 1,)
    name: NameArray  # (P,)
    elevation_deg: FloatArray  # (P,)
    azimuth_deg: FloatArray  # (P,) 0 = north, clockwise
    range_m: FloatArray  # (P,) NaN where the file does not tell

    def __len__(self) -> int:
        return int(self.slot_utc.size)

    @property
    def slot_of(self) -> IntArray:
        """The slot of each row, (P,)."""
        return np.repeat(np.arange(len(self)), np.diff(self.start))


def slot_start(t_utc: TimeArray) -> TimeArray:
    """Return the start of the 15-s slot in which each moment lies; any shape."""
    phase = np.timedelta64(SLOT_PHASE_S, "s")
    late = (t_utc - phase).astype("datetime64[ns]").astype(np.int64) % (SLOT_S * 10**9)
    return np.asarray(t_utc - late.astype("timedelta64[ns]"), dtype="datetime64[ns]")


def read_track(path: str | Path) -> Track:
    """Return what a `first_SITE.csv` says of each second, in order of time."""
    source = str(path)
    content = _unpacked(path, _CHOSEN_FORM)
    if content.lstrip()[:1] in (b"[", b"{"):
        raise InputError(
            f"{source}: line 1: found JSON, expected {_CHOSEN_FORM}; are --chosen and --candidates "
            "swapped?"
        )
    known = (*_CHOSEN_COLUMNS, "elevation", "azimuth", "distance")
    rows = parse_rows(content, source, _CHOSEN_COLUMNS, known)
    if not len(rows):
        raise InputError(f"{source}: no rows below the header; expected one for each second")
    t_utc = _times(rows)
    y_px, x_px = (rows.numbers(Quantity(axis, 0.0, MAP_PIXELS - 1.0, _PIXEL)) for axis in "yx")
    name = np.strings.upper(np.array(rows.texts("connected_satellite"), np.str_))
    order = np.argsort(t_utc, kind="stable")
    return Track(source, t_utc[order], y_px[order], x_px[order], name[order])


def _times(rows: CsvRows) -> TimeArray:
    texts = rows.cells["timestamp"]
    moments = [_moment(text, rows.at(row)) for row, text in enumerate(texts)]
    return np.array(moments, dtype="datetime64[ns]")


def _moment(text: str, where: str) -> np.datetime64:
    """Return a moment; where its zone is not said it is UTC, as those files are written."""
    has_zone = text.endswith(("Z", "z")) or "+" in text[10:] or "-" in text[10:]
    return parse_utc(text if has_zone else f"{text}Z", where)


def read_sky_list(path: str | Path) -> SkyList:
    """Return the satellites that a `fov_data_SITE.json` lists, the first listing of each slot."""
    source = str(path)
    entries = _json_list(_unpacked(path, _LISTED_FORM), source)
    if len(entries) > MAX_SLOTS:
        raise InputError(
            f"{source}: {len(entries):,} entries; at most {MAX_SLOTS:,} are read: split the file"
        )
    listed: dict[np.datetime64, list[tuple[str, float, float, float]]] = {}
    for number, entry in enumerate(entries, 1):
        where = f"{source}: entry {number}"
        if not isinstance(entry, dict) or not {"Timestamp", "Satellites"} <= entry.keys():
            raise InputError(
                f"{where}: Timestamp or Satellites is missing; expected {_LISTED_FORM}"
            )
        moment = _moment(str(entry["Timestamp"]), where)
        slot_utc = slot_start(np.array([moment]))[0]
        if slot_utc not in listed:
            listed[slot_utc] = _satellites(entry["Satellites"], where)
    return _sky_list(source, listed)


def _sky_list(
    source: str, listed: dict[np.datetime64, list[tuple[str, float, float, float]]]
) -> SkyList:
    slots = sorted(listed)
    rows = [row for slot in slots for row in sorted(listed[slot])]
    if not rows:
        raise InputError(f"{source}: no satellite is listed; expected {_LISTED_FORM}")
    names, elevation_deg, azimuth_deg, range_m = zip(*rows, strict=True)
    return SkyList(
        source=source,
        slot_utc=np.array(slots, dtype="datetime64[ns]"),
        start=np.cumsum([0, *(len(listed[slot]) for slot in slots)], dtype=np.int64),
        name=np.array(names, np.str_),
        elevation_deg=np.array(elevation_deg),
        azimuth_deg=np.array(azimuth_deg),
        range_m=np.array(range_m),
    )


def _json_list(content: bytes, source: str) -> list[Any]:
    content = content.removeprefix(b"\xef\xbb\xbf")
    if content.lstrip()[:1] != b"[":
        raise InputError(f"{source}: line 1: no JSON list, expected {_LISTED_FORM}")
    check_json_size(content, source)
    try:
        entries: list[Any] = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: {error}; the JSON is damaged: fetch the file again") from None
    return entries


def _satellites(rows: Any, where: str) -> list[tuple[str, float, float, float]]:
    if not isinstance(rows, list) or len(rows) > MAX_LISTED:
        raise InputError(f"{where}: Satellites is no list of at most {MAX_LISTED}; check the file")
    found = [_satellite(row, f"{where}, satellite {number}") for number, row in enumerate(rows, 1)]
    names = Counter(name for name, *_ in found)
    if len(names) < len(found):
        name, times = names.most_common(1)[0]
        raise InputError(
            f'{where}: "{shown(name)}" is listed {times} times, expected once in each slot; leave '
            "out the doubles"
        )
    return found


def _satellite(row: Any, where: str) -> tuple[str, float, float, float]:
    if not isinstance(row, dict) or not isinstance(row.get("Name"), str):
        raise InputError(f"{where}: found no Name, expected {_LISTED_FORM}")
    if len(row["Name"]) > MAX_TEXT:
        raise InputError(
            f"{where}: Name has {len(row['Name']):,} characters; at most {MAX_TEXT} fit: shorten it"
        )
    elevation_deg = _angle(row, "Elevation", -90.0, 90.0, where)
    azimuth_deg = _angle(row, "Azimuth", -360.0, 360.0, where) % 360.0
    range_km = row.get("Distance", math.nan)
    is_number = isinstance(range_km, (int, float)) and not isinstance(range_km, bool)
    if not is_number or range_km <= 0.0 or range_km > MAX_RANGE_KM:
        raise InputError(
            f"{where}: Distance = {shown(str(range_km))}; expected kilometres above 0 and up to "
            f"{MAX_RANGE_KM:,.0f}, or no Distance at all: is it in metres?"
        )
    return row["Name"].strip().upper(), elevation_deg, azimuth_deg, 1000.0 * range_km


def _angle(row: dict[str, Any], key: str, low: float, high: float, where: str) -> float:
    value = row.get(key)
    if isinstance(value, (int, float)) and not isinstance(value, bool) and low <= value <= high:
        return float(value)
    raise InputError(
        f"{where}: {key} = {shown(str(value))}; expected degrees from {low:g} to {high:g}"
    )


def _unpacked(path: str | Path, form: str) -> bytes:
    """Return a plain or gzip file's content."""
    content = unpacked(read_bytes(path), str(path), MAX_UNPACKED_BYTES)
    if not content.strip():
        raise InputError(f"{path}: the file is empty; expected {form}")
    return content


def check_overlap(track: Track, sky: SkyList) -> None:
    """Refuse two files that share no slot."""
    if np.isin(slot_start(track.t_utc), sky.slot_utc).any():
        return
    raise InputError(
        f"{track.source}: its rows from {format_utc(track.t_utc[0])} to "
        f"{format_utc(track.t_utc[-1])} share no slot with {sky.source}, which begins "
        f"{format_utc(sky.slot_utc[0])}; give files of one site and time"
    )
