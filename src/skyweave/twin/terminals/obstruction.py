"""What blocks the sky of a site: polygons, a horizon profile, and the map a dish made of its own.

Azimuth counts from north over east, elevation from the plane of the horizon.

The dish's own map is the answer to `dish_get_obstruction_map`.  That its values are row-major, -1
where the dish never had a satellite, 0 where the signal is blocked and 1 where it is clear, is
what starlink-grpc-tools documents; that the middle is the zenith and row 0 is north, with east to
the right, is in its issue 85 and in the README of SatInView (FRAME_EARTH: "top center pixel
oriented toward the true north").  That the distance from the middle is proportional to the zenith
angle follows Tanveer et al. 2023 ("Making Sense of Constellations"), who give 45 pixels for 65 deg.
Here the edge of the map, 61.5 pixels from its middle, is taken as `max_theta_deg`: 80 deg make
1.301 deg per pixel, between the 80/62 of LEOViz and the 1.30 to 1.32 that fit its tracks.

Assumed, not published: that a map without a frame, from firmware before August 2024, is in
FRAME_EARTH with 80 deg; that below 0.5 the link is lost; and that 0 never stands for a direction
the dish has not tried.  One observer (satmatch) reports such zeros in maps read just after a reset,
so let a map fill for some hours.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.twin.terminals.rows import CsvRows, Quantity, parse_rows, read_bytes, shown

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MAX_OBSTRUCTION_BYTES = 4 * 2**20
MAX_POINTS = 10_000  # vertices of all polygons, or points of a horizon profile
MAX_MAP_ROWS = 500

AZIMUTH = Quantity("azimuth_deg", -180.0, 360.0, "degrees from north over east")
ELEVATION = Quantity("elevation_deg", -90.0, 90.0, "degrees above the horizon")

_DISH_ROWS = 123
_DISH_MAX_THETA_DEG = 80.0
_BLOCKED_BELOW = 0.5
_WRAPPERS = ("dishGetObstructionMap", "dish_get_obstruction_map")
_EARTH_FRAMES = (0, 1, "FRAME_UNKNOWN", "FRAME_EARTH")
_DISH_FRAMES = (2, "FRAME_UT")
_KINDS = (
    "a CSV with azimuth_deg,elevation_deg (horizon) or polygon,azimuth_deg,elevation_deg, "
    "or the dish's map as JSON or 123 x 123 numbers"
)


@dataclass(frozen=True, eq=False)
class DishMap:
    """What a dish found blocked, about the zenith, at distances that grow with the zenith angle."""

    blocked: BoolArray  # (R, R), row 0 north of the zenith, columns from west to east
    max_theta_deg: float  # zenith angle half the map's width from its middle
    limit_theta_deg: float  # zenith angle beyond which the map tells nothing
    unknown_share: float  # of the pixels within the limit, those without data, counted as clear

    @property
    def deg_per_pixel(self) -> float:
        """The zenith angle that one pixel spans."""
        return self.max_theta_deg / (len(self.blocked) / 2.0)


@dataclass(frozen=True, eq=False)
class Obstruction:
    """A blocked part of the sky: the union of K outlines and of a dish's map, if there is one.

    An outline is a closed line in azimuth and elevation, cut into E edges that lead eastward and
    do not cross north; upright edges are left out, as they decide nothing.  A direction lies inside
    where the number of edges straight above it is odd, or even where the zenith lies inside.  So
    the lower and the western border belong to the inside, the upper and the eastern one do not.
    """

    edge_azimuth_deg: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))  # (E, 2)
    edge_elevation_deg: FloatArray = field(default_factory=lambda: np.zeros((0, 2)))  # (E, 2)
    outline_start: IntArray = field(default_factory=lambda: np.zeros(1, np.int64))  # (K + 1,)
    zenith_inside: BoolArray = field(default_factory=lambda: np.zeros(0, np.bool_))  # (K,)
    dish_map: DishMap | None = None

    @property
    def unknown_share(self) -> float:
        """The share of a dish's map without data; 0 where there is no map."""
        return self.dish_map.unknown_share if self.dish_map is not None else 0.0


@dataclass(frozen=True)
class _Outline:
    edges: FloatArray  # (E, 4): azimuth from and to, elevation from and to
    zenith_inside: bool


def read_obstruction(path: str | Path) -> Obstruction:
    """Read what blocks a site's sky from a file, whose content tells which of the kinds it is.

    - `azimuth_deg,elevation_deg`: a horizon profile.  The sky below the line is blocked.  The
      line is straight between neighbours in azimuth and closed round the compass; points may come
      in any order; a single one holds for all azimuths.
    - `polygon,azimuth_deg,elevation_deg`: polygons of three vertices or more, a name each.  Edges
      are straight in azimuth and elevation and go the short way round.  What lies inside is
      counted even-odd.  A polygon that goes once round the compass blocks what is above its line,
      the zenith with it: for what is below, give a horizon profile.
    - JSON: the dish's own map, as grpcurl prints the answer to `dish_get_obstruction_map`.
    - 123 lines of 123 numbers: the same map as a plain matrix.
    """
    return parse_obstruction(read_bytes(path), str(path))


def parse_obstruction(content: bytes, source: str) -> Obstruction:
    """Read the content of an obstruction file; `source` is what errors call it."""
    if len(content) > MAX_OBSTRUCTION_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes; at most {MAX_OBSTRUCTION_BYTES:,} are read: "
            "give one site's obstruction per file"
        )
    text = content.removeprefix(b"\xef\xbb\xbf").lstrip()
    if not text:
        raise InputError(f"{source}: empty; expected {_KINDS}")
    if text[:1] in (b"{", b"["):
        return Obstruction(dish_map=_map_of_message(_message(content, source), source))
    header = re.split(r"[,;\s]+", text.split(b"\n", 1)[0].decode("latin-1"))
    names = [name.strip('"').casefold() for name in header]
    if _is_number(names[0]):
        return Obstruction(dish_map=_map_of_matrix(content, source))
    kind = ("polygon",) if "polygon" in names else ()
    columns = (*kind, AZIMUTH.column, ELEVATION.column)
    rows = parse_rows(content, source, columns, columns)
    if len(rows) > MAX_POINTS:
        raise InputError(
            f"{source}: {len(rows):,} points; at most {MAX_POINTS:,} are read: thin them out"
        )
    return _obstruction(_polygons(rows) if kind else [_horizon(rows)])


def combine(obstructions: Iterable[Obstruction], where: str = "obstruction") -> Obstruction:
    """Return what is blocked by any of the obstructions, of which one at most has a dish's map.

    `where` is the beginning of an error text: the terminal that has them.
    """
    parts = list(obstructions)
    maps = [part.dish_map for part in parts if part.dish_map is not None]
    if len(maps) > 1:
        raise InputError(
            f"{where}: {len(maps)} dish maps for one sky; give one, and what else blocks it as "
            "polygons"
        )
    nothing = Obstruction()
    counts = [np.diff(part.outline_start) for part in parts]
    return Obstruction(
        np.concatenate([nothing.edge_azimuth_deg, *(p.edge_azimuth_deg for p in parts)]),
        np.concatenate([nothing.edge_elevation_deg, *(p.edge_elevation_deg for p in parts)]),
        np.cumsum(np.concatenate([nothing.outline_start, *counts])),
        np.concatenate([nothing.zenith_inside, *(p.zenith_inside for p in parts)]),
        maps[0] if maps else None,
    )


def _obstruction(outlines: Sequence[_Outline]) -> Obstruction:
    edges = np.concatenate([outline.edges for outline in outlines])
    return Obstruction(
        np.ascontiguousarray(edges[:, :2]),
        np.ascontiguousarray(edges[:, 2:]),
        np.cumsum([0, *(len(outline.edges) for outline in outlines)], dtype=np.int64),
        np.array([outline.zenith_inside for outline in outlines], dtype=np.bool_),
    )


# Outlines


def _horizon(rows: CsvRows) -> _Outline:
    """Return the outline of what is below a line: above it there is no edge, below it one."""
    if not len(rows):
        raise InputError(f"{rows.source}: no points; add a line with azimuth and elevation")
    azimuth_deg = _compass(rows.numbers(AZIMUTH))
    elevation_deg = rows.numbers(ELEVATION)
    order = np.argsort(azimuth_deg, kind="stable")
    azimuth_deg, elevation_deg = azimuth_deg[order], elevation_deg[order]
    again = np.flatnonzero(np.diff(azimuth_deg) == 0.0)
    unequal = again[elevation_deg[again] != elevation_deg[again + 1]]
    if unequal.size:
        first, second = order[unequal[0]], order[unequal[0] + 1]
        raise InputError(
            f"{rows.at(int(second))}: azimuth {azimuth_deg[unequal[0]]:g} deg has another "
            f"elevation in line {rows.line[int(first)]}; keep one of them"
        )
    azimuth_deg, elevation_deg = np.delete(azimuth_deg, again), np.delete(elevation_deg, again)
    if azimuth_deg.size == 1:
        azimuth_deg, elevation_deg = np.array([0.0, 180.0]), np.repeat(elevation_deg, 2)
    after = np.roll(azimuth_deg, -1), np.roll(elevation_deg, -1)
    return _Outline(_edges(azimuth_deg, elevation_deg, *after), zenith_inside=False)


def _polygons(rows: CsvRows) -> list[_Outline]:
    if not len(rows):
        raise InputError(f"{rows.source}: no polygons; add three vertices or more of one")
    names = rows.texts("polygon")
    starts = [row for row in range(len(rows)) if row == 0 or names[row] != names[row - 1]]
    seen: dict[str, int] = {}
    for row in starts:
        if names[row] in seen:
            raise InputError(
                f'{rows.at(row)}: polygon "{shown(names[row])}" goes on from line '
                f"{seen[names[row]]}; keep its vertices together, or give another name"
            )
        seen[names[row]] = rows.line[row]
    azimuth_deg, elevation_deg = _compass(rows.numbers(AZIMUTH)), rows.numbers(ELEVATION)
    return [
        _polygon(rows, names[start], np.arange(start, end), azimuth_deg, elevation_deg)
        for start, end in zip(starts, [*starts[1:], len(rows)], strict=True)
    ]


def _polygon(
    rows: CsvRows, name: str, own: IntArray, azimuth_deg: FloatArray, elevation_deg: FloatArray
) -> _Outline:
    """Return one polygon, whose vertices are the rows `own` of the file."""
    first, last = own[0], own[-1]
    closed = azimuth_deg[first] == azimuth_deg[last] and elevation_deg[first] == elevation_deg[last]
    if closed and own.size > 1:  # the first vertex again
        own = own[:-1]
    if own.size < 3:
        raise InputError(
            f'{rows.at(int(first))}: polygon "{shown(name)}" has {own.size} different vertices; '
            "expected 3 or more: add the missing ones"
        )
    after = np.roll(own, -1)
    step_deg = azimuth_deg[after] - azimuth_deg[own]  # its sign is exact
    step_deg += np.where(step_deg > 180.0, -360.0, np.where(step_deg < -180.0, 360.0, 0.0))
    unclear = np.flatnonzero(np.abs(step_deg) == 180.0)
    if unclear.size:
        raise InputError(
            f"{rows.at(int(after[unclear[0]]))}: azimuth is 180 deg from that of line "
            f"{rows.line[int(own[unclear[0]])]}, so the way round is unclear; add a vertex between"
        )
    turns = round(float(step_deg.sum()) / 360.0)
    if abs(turns) > 1:
        raise InputError(
            f'{rows.at(int(first))}: polygon "{shown(name)}" goes {abs(turns)} times round the '
            "compass; expected once at most: split it"
        )
    sloped = step_deg != 0.0
    own, after, step_deg = own[sloped], after[sloped], step_deg[sloped]
    west, east = np.where(step_deg > 0.0, own, after), np.where(step_deg > 0.0, after, own)
    edges = _edges(azimuth_deg[west], elevation_deg[west], azimuth_deg[east], elevation_deg[east])
    return _Outline(edges, zenith_inside=turns != 0)


def _edges(
    west_deg: FloatArray, west_elevation_deg: FloatArray,
    east_deg: FloatArray, east_elevation_deg: FloatArray,
) -> FloatArray:  # fmt: skip
    """Return edges (E, 4) that lead eastward, those across north cut there in two."""
    across = east_deg < west_deg
    share = (360.0 - west_deg) / np.where(across, east_deg + 360.0 - west_deg, 360.0)
    north_deg = west_elevation_deg + share * (east_elevation_deg - west_elevation_deg)
    to_deg = np.where(across, 360.0, east_deg)
    to_elevation_deg = np.where(across, north_deg, east_elevation_deg)
    first = np.stack([west_deg, to_deg, west_elevation_deg, to_elevation_deg], axis=1)
    rest = np.stack([np.zeros(across.size), east_deg, north_deg, east_elevation_deg], axis=1)
    return np.concatenate([first, rest[across & (east_deg > 0.0)]])


def _compass(azimuth_deg: FloatArray) -> FloatArray:
    """Return azimuths from 0 to below 360."""
    turned = np.mod(azimuth_deg, 360.0)
    return np.where(turned == 360.0, 0.0, turned)  # of a tiny negative number


# The map of a dish


def _message(content: bytes, source: str) -> Mapping[str, Any]:
    """Return the fields of `dish_get_obstruction_map`, taken out of what they are wrapped in."""
    try:
        document = json.loads(content.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{source}: not JSON ({error}); save again what grpcurl prints, nothing else"
        ) from None
    if isinstance(document, list):  # rows alone, as starlink-grpc-tools returns them
        columns = len(document[0]) if document and isinstance(document[0], list) else 0
        return {"num_rows": len(document), "num_cols": columns, "snr": document}
    for name in _WRAPPERS:
        document = document[name] if isinstance(document.get(name), dict) else document
    if "snr" not in document:
        raise InputError(
            f'{source}: "snr" is missing; expected the answer to dish_get_obstruction_map'
        )
    return dict(document)


def _map_of_message(message: Mapping[str, Any], source: str) -> DishMap:
    _refuse_frame(_value(message, "map_reference_frame", 0), source)
    rows, columns = (_count(message, name, source) for name in ("num_rows", "num_cols"))
    if rows != columns:
        raise InputError(f"{source}: a map of {rows} x {columns}; expected a square one")
    snr = message["snr"]
    if not isinstance(snr, list):
        raise InputError(f'{source}: "snr" is not a list; expected {rows * columns:,} numbers')
    if snr and all(isinstance(row, list) for row in snr):
        snr = [value for row in snr for value in row]
    if len(snr) != rows * columns:
        raise InputError(
            f"{source}: snr has {len(snr):,} values for {rows} x {columns} pixels; "
            "save the whole answer again"
        )
    max_theta_deg = _angle(message, "max_theta_deg", _DISH_MAX_THETA_DEG, (1.0, 90.0), source)
    limit_deg = 90.0 - _angle(message, "min_elevation_deg", 0.0, (0.0, 89.0), source)
    return _dish_map(snr, rows, max_theta_deg, min(max_theta_deg, limit_deg), source)


def _value(message: Mapping[str, Any], name: str, default: Any) -> Any:
    """Return a field by its name in protobuf or in its JSON; absent there means its zero."""
    first, *others = name.split("_")
    camel = first + "".join(word.capitalize() for word in others)
    return message.get(name, message.get(camel)) or default


def _count(message: Mapping[str, Any], name: str, source: str) -> int:
    count = _value(message, name, 0)
    if isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= MAX_MAP_ROWS:
        raise InputError(
            f"{source}: {name} = {shown(str(count))}; expected 1 to {MAX_MAP_ROWS}: "
            "save the whole answer again"
        )
    return count


def _angle(
    message: Mapping[str, Any], name: str, default: float, limits: tuple[float, float], source: str
) -> float:
    angle = _value(message, name, default)
    if not _is_real(angle) or not limits[0] <= angle <= limits[1]:
        raise InputError(
            f"{source}: {name} = {shown(str(angle))}; expected {limits[0]:g} to {limits[1]:g} "
            "degrees: save the whole answer again"
        )
    return float(angle)


def _refuse_frame(frame: Any, source: str) -> None:
    """Refuse a map that turns with the dish: how its pixels lie in the sky is not settled.

    LEOViz and SatInView shift the zenith by the dish's tilt and turn the map by the boresight
    azimuth; another observer finds that wrong by 6 to 10 deg away from the boresight, and needs
    the dish's attitude quaternion, which the map does not carry.
    """
    if frame in _DISH_FRAMES:
        raise InputError(
            f"{source}: the map is in the dish's own frame (FRAME_UT), whose place in the sky is "
            "not published; give one in FRAME_EARTH, a horizon profile or polygons"
        )
    if isinstance(frame, bool) or frame not in _EARTH_FRAMES:
        raise InputError(
            f'{source}: map_reference_frame = "{shown(str(frame))}"; expected FRAME_EARTH'
        )


def _map_of_matrix(content: bytes, source: str) -> DishMap:
    lines = [line.strip(b" \t\r,;") for line in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")]
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line]
    values: list[float] = []
    for number, line in numbered:
        cells = [cell.decode("latin-1") for cell in re.split(rb"[,;\s]+", line)]
        if len(cells) != _DISH_ROWS:
            raise InputError(
                f"{source}: line {number}: {len(cells)} numbers without a header line; a dish's "
                f"map has {_DISH_ROWS} in each row, a horizon profile begins with "
                f"{AZIMUTH.column},{ELEVATION.column}"
            )
        wrong = next((cell for cell in cells if not _is_number(cell)), None)
        if wrong is not None:
            raise InputError(f'{source}: line {number}: found "{shown(wrong)}", expected a number')
        values.extend(float(cell) for cell in cells)
    if len(numbered) != _DISH_ROWS:
        raise InputError(
            f"{source}: {len(numbered)} rows of {_DISH_ROWS} numbers; a dish's map has "
            f"{_DISH_ROWS} of them: save all"
        )
    return _dish_map(values, _DISH_ROWS, _DISH_MAX_THETA_DEG, _DISH_MAX_THETA_DEG, source)


def _dish_map(
    snr: Sequence[Any], rows: int, max_theta_deg: float, limit_theta_deg: float, source: str
) -> DishMap:
    for place, value in enumerate(snr):
        if not _is_real(value) or not (value == -1.0 or 0.0 <= value <= 1.0):
            raise InputError(
                f"{source}: snr in row {place // rows + 1}, column {place % rows + 1} is "
                f"{shown(str(value))}; expected -1 (no data) or 0 (blocked) to 1 (clear)"
            )
    values = np.array(snr, dtype=np.float64).reshape(rows, rows)
    from_middle = np.arange(rows) - (rows - 1) / 2.0
    theta_deg = np.hypot(*np.meshgrid(from_middle, from_middle)) * max_theta_deg / (rows / 2.0)
    inside = theta_deg <= limit_theta_deg
    unknown_share = float(np.mean(values[inside] == -1.0)) if inside.any() else 0.0
    blocked = (values >= 0.0) & (values < _BLOCKED_BELOW)
    return DishMap(blocked, max_theta_deg, limit_theta_deg, unknown_share)


def _is_real(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
