"""Tracks: where a moving terminal is, from fixes a user recorded or planned."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.constants import EARTH_MEAN_RADIUS_M
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.markup import is_markup
from skyweave.places.boundaries import wrap_deg
from skyweave.time import format_utc, parse_utc
from skyweave.twin.terminals.gpx import gpx_rows
from skyweave.twin.terminals.rows import (
    HEIGHT,
    LATITUDE,
    LONGITUDE,
    MAX_ROWS,
    CsvRows,
    parse_rows,
    read_bytes,
)

FloatArray = NDArray[np.float64]
TimeArray = NDArray[np.datetime64]

COLUMNS = ("time_utc", "lat_deg", "lon_deg", "height_wgs84_m")

_IN_ORDER_CSV = "sort the fixes by time, each at its own"
_IN_ORDER_GPX = (
    "put tracks and segments in order of time, and recordings that overlap into two files"
)

# Between fixes this far apart many great circles are as short as each other.
_OPPOSITE_DEG = 179.0


class Position(NamedTuple):
    """Where a terminal is at T instants: arrays (T,), NaN where unknown."""

    lat_deg: FloatArray
    lon_deg: FloatArray  # -180 to 180
    height_wgs84_m: FloatArray


@dataclass(frozen=True, eq=False)
class Track:
    """Fixes of one moving terminal: F >= 2 of them, every array has shape (F,)."""

    utc: TimeArray  # datetime64[ns], strictly increasing
    lat_deg: FloatArray
    lon_deg: FloatArray  # -180 to 180
    height_wgs84_m: FloatArray

    def __len__(self) -> int:
        return int(self.utc.size)

    def at(self, utc: ArrayLike) -> Position:
        """Return the positions at instants (T,), NaN before the first and after the last fix.

        Between two fixes the ellipsoid's normal at the terminal turns at constant rate along
        their great circle, and the height changes linearly.
        """
        instant_ns = np.asarray(utc, dtype="datetime64[ns]").astype(np.int64)
        fix_ns = self.utc.astype(np.int64)
        first = np.clip(np.searchsorted(fix_ns, instant_ns, side="right") - 1, 0, len(self) - 2)
        last = first + 1
        share = (instant_ns - fix_ns[first]) / (fix_ns[last] - fix_ns[first])
        share = np.where((share >= 0.0) & (share <= 1.0), share, np.nan)
        unit = unit_vectors(self.lat_deg, self.lon_deg)
        height_m = (1.0 - share) * self.height_wgs84_m[first] + share * self.height_wgs84_m[last]
        return Position(*_lat_lon_deg(_turned(unit[first], unit[last], share)), height_m)

    def starting_at(self, start_utc: np.datetime64) -> "Track":
        """Return the same journey with its first fix at `start_utc`."""
        return replace(self, utc=self.utc + (start_utc.astype("datetime64[ns]") - self.utc[0]))


def read_track(path: str | Path) -> Track:
    """Read a track: CSV with `time_utc,lat_deg,lon_deg`, optionally `height_wgs84_m` (else 0).

    A file that begins as XML is read as GPX 1.0 or 1.1: the points of all its tracks and segments,
    in the order of the file, with `<ele>` as height (see `gpx_rows` for the size of that error).
    Times are UTC with Z or an offset and increase from fix to fix; there are two fixes or more.
    """
    return parse_track(read_bytes(path), str(path))


def parse_track(content: bytes, source: str) -> Track:
    """Read the content of a track file; `source` is what errors call it."""
    if is_markup(content):
        rows, in_order = gpx_rows(content, source), _IN_ORDER_GPX
    else:
        rows, in_order = parse_rows(content, source, COLUMNS[:3], COLUMNS), _IN_ORDER_CSV
    if len(rows) < 2:
        raise InputError(f"{source}: {len(rows)} fixes; a track needs at least 2: add when it ends")
    track = Track(
        utc=_times(rows, in_order),
        lat_deg=rows.numbers(LATITUDE),
        lon_deg=wrap_deg(rows.numbers(LONGITUDE)),
        height_wgs84_m=rows.numbers(HEIGHT, default=0.0),
    )
    _refuse_opposite(track, rows)
    return track


def write_track(track: Track, path: str | Path) -> None:
    """Write a track as CSV for `read_track`: positions to 1e-7 deg (1 cm), heights to 1 mm."""
    columns = (track.utc, track.lat_deg, track.lon_deg, track.height_wgs84_m)
    lines = [
        f"{format_utc(utc)},{_number(lat, 7)},{_number(lon, 7)},{_number(height_m, 3)}"
        for utc, lat, lon, height_m in zip(*columns, strict=True)
    ]
    Path(path).write_text(
        "\n".join((",".join(COLUMNS), *lines, "")), encoding="utf-8", newline="\n"
    )


def great_circle_track(
    start: tuple[float, float],
    end: tuple[float, float],
    start_utc: np.datetime64,
    speed_m_s: float,
    height_wgs84_m: float,
    every_s: float,
) -> Track:
    """Return a journey along the great circle at constant speed and height.

    `start` and `end` are (lat_deg, lon_deg).  There is a fix every `every_s` from `start_utc` and
    one at the arrival, on the mean sphere.
    """
    if not (speed_m_s > 0.0 and every_s > 0.0 and math.isfinite(speed_m_s * every_s)):
        raise InputError(
            f"speed_m_s = {speed_m_s} and every_s = {every_s}: expected numbers above 0"
        )
    length_m = float(great_circle_m(*start, *end))
    if not 0.0 < length_m < math.radians(_OPPOSITE_DEG) * EARTH_MEAN_RADIUS_M:
        raise InputError(
            "no single great circle leads from start to end; give two different places that are "
            "not opposite each other"
        )
    arrival_s = length_m / speed_m_s
    if arrival_s / every_s > MAX_ROWS:
        raise InputError(f"every_s = {every_s}: more than {MAX_ROWS:,} fixes; take a longer step")
    # A fix within a microsecond of the arrival is the arrival.
    t_s = np.append(np.arange(0.0, arrival_s - 1e-6, every_s), arrival_s)
    ends = unit_vectors(*np.array([start, end], dtype=np.float64).T)
    lat_deg, lon_deg = _lat_lon_deg(_turned(ends[:1], ends[1:], t_s / arrival_s))
    utc = start_utc.astype("datetime64[ns]") + np.round(t_s * 1e9).astype("timedelta64[ns]")
    return Track(utc, lat_deg, lon_deg, np.full(t_s.size, height_wgs84_m, dtype=np.float64))


def unit_vectors(lat_deg: FloatArray, lon_deg: FloatArray) -> FloatArray:
    """Return the unit vectors (S, 3) that point up at places (S,)."""
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)


def _lat_lon_deg(unit: FloatArray) -> tuple[FloatArray, FloatArray]:
    x, y, z = unit.T
    # arctan2 keeps its digits at the poles, where arcsin(z) would lose half of them.
    return np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x))


def _turned(first: FloatArray, last: FloatArray, share: FloatArray) -> FloatArray:
    """Return vectors (T, 3) turned from first to last (unit, (T, 3)) by a share of their angle."""
    across = np.linalg.norm(np.cross(first, last), axis=-1)
    angle = np.arctan2(across, np.einsum("tk,tk->t", first, last))
    whole = np.where(angle > 0.0, np.sin(angle), 1.0)
    # Where the terminal stands still the two weights are those of a straight line.
    before = np.where(angle > 0.0, np.sin((1.0 - share) * angle) / whole, 1.0 - share)
    after = np.where(angle > 0.0, np.sin(share * angle) / whole, share)
    return before[:, None] * first + after[:, None] * last


def _times(rows: CsvRows, in_order: str) -> TimeArray:
    cells = rows.cells["time_utc"]
    utc = np.array(
        [parse_utc(text, f"{rows.at(row)}: time_utc") for row, text in enumerate(cells)],
        dtype="datetime64[ns]",
    )
    late = np.flatnonzero(np.diff(utc) <= np.timedelta64(0, "ns"))
    if late.size:
        row = int(late[0]) + 1
        raise InputError(
            f"{rows.at(row)}: time_utc {format_utc(utc[row])} is not after "
            f"{format_utc(utc[row - 1])} of line {rows.line[row - 1]}; {in_order}"
        )
    return utc


def _refuse_opposite(track: Track, rows: CsvRows) -> None:
    lat_deg, lon_deg = track.lat_deg, track.lon_deg
    apart_m = great_circle_m(lat_deg[:-1], lon_deg[:-1], lat_deg[1:], lon_deg[1:])
    opposite = np.flatnonzero(apart_m > math.radians(_OPPOSITE_DEG) * EARTH_MEAN_RADIUS_M)
    if opposite.size:
        row = int(opposite[0]) + 1
        raise InputError(
            f"{rows.at(row)}: opposite the fix of line {rows.line[row - 1]} on the Earth, so the "
            "way between them is unknown; add fixes on the way"
        )


def _number(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
