"""The terminals that an impact report counts: who they are and in which cell, no position.

The table is read from a fleet's CSV, the file that the twin runs on too.  Coordinates are turned
into cells as they are read and then dropped; the file stays with its owner.
"""

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import h3.api.numpy_int as h3_cells
import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.places import is_slug
from skyweave.policy.regions import CELL_RESOLUTION, cells_at
from skyweave.policy.terminals import Terminals

MAX_TABLE_BYTES = 256 * 2**20
MAX_TERMINALS = 1_000_000
MAX_LINE = 64 * 2**10  # characters
MAX_NAME = 100  # characters of a name, as a fleet has them
SERVICE_CLASSES = ("standard", "priority", "lifeline")

_COLUMNS = (
    "id", "lat_deg", "lon_deg", "cell", "track", "service_class", "class", "account", "sponsor",
    "kit",
)  # fmt: skip
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_CELL = re.compile(r"[0-9a-f]{15}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

IntArray = NDArray[np.int64]
CellArray = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Names:
    """A column of N names as numbers: `name[code[n]]` is that of terminal n."""

    name: NDArray[np.object_]  # (G,) each different name once, ascending
    code: IntArray  # (N,)

    @classmethod
    def of(cls, names: Sequence[str]) -> "Names":
        """Return the column of some names."""
        distinct = sorted(set(names))
        number = {name: n for n, name in enumerate(distinct)}
        code = [number[name] for name in names]
        return cls(np.array(distinct, dtype=object), np.array(code, dtype=np.int64))


class ImpactTable:
    """N terminals as columns; what a report asks of them again and again is made once."""

    def __init__(
        self,
        terminal_ids: Sequence[str],
        cells: CellArray,
        *,
        service_classes: Sequence[str],
        accounts: Sequence[str],
        sponsors: Sequence[str],
        kits: Sequence[str],
        is_moving: Sequence[bool],
    ) -> None:
        """Take one value a terminal; `cells` (N,) are where they are, 0 where that is not known.

        A moving terminal is in the cell it was last known in: nothing is predicted.
        """
        columns = (terminal_ids, cells, service_classes, accounts, sponsors, kits, is_moving)
        if len({len(column) for column in columns}) != 1:
            raise InputError("columns of terminals differ in length; give one value a terminal")
        # The last is an ordinary terminal: in no agreement by name, on no list.
        self._asked = Terminals(
            [*terminal_ids, ""],
            [*accounts, ""],
            [*service_classes, SERVICE_CLASSES[0]],
            [*kits, ""],
        )
        self.cells = np.array(cells, dtype=np.uint64)
        self.service_class = Names.of(service_classes)
        self.account = Names.of(accounts)
        self.sponsor = Names.of(sponsors)
        self.is_moving = np.array(is_moving, dtype=bool)
        self.cell, self.cell_code = np.unique(self.cells, return_inverse=True)  # as in `Names`

    def __len__(self) -> int:
        return int(self.cells.size)

    @property
    def unplaced(self) -> int:
        """How many terminals are in no known cell; no report counts them elsewhere."""
        return int(np.count_nonzero(self.cells == 0))

    def take(self, rows: IntArray, ordinary: int = 0) -> Terminals:
        """Return the terminals at some rows, and after them so many ordinary ones."""
        return self._asked.take(np.append(rows, np.full(ordinary, len(self))))

    def rows_in(self, cells: CellArray) -> IntArray:
        """Return the rows, ascending, of the terminals in some cells (C,)."""
        is_asked = np.isin(self.cell, cells)
        return np.flatnonzero(is_asked[self.cell_code])


def parse_impact_table(content: bytes, source: str) -> ImpactTable:
    """Return the table of a fleet's CSV (UTF-8, header line); `source` is what errors call it.

    Required are id (or terminal_id) and a place: lat_deg and lon_deg, or cell, an H3 cell of
    resolution 5.  Columns service_class, account, sponsor, kit and track may be there; a terminal
    with a track moves, and without a cell its place is not known.  Other columns are passed over.
    A row that cannot be read refuses the file: a report that left it out would count too few.
    """
    rows = list(_rows(content, source))
    if not rows:
        raise InputError(f"{source}: no terminal in it; add one line for each under the header")
    _refuse_repeats(rows, source)
    texts = {name: [row[name] for _, row in rows] for name in _COLUMNS}
    return ImpactTable(
        texts["id"],
        _cells_of(rows, source),
        service_classes=texts["service_class"],
        accounts=texts["account"],
        sponsors=texts["sponsor"],
        kits=texts["kit"],
        is_moving=[bool(track) for track in texts["track"]],
    )


_Row = tuple[int, dict[str, str]]  # line, and the cells of the known columns


def _rows(content: bytes, source: str) -> Iterator[_Row]:
    """Yield each terminal's line and its cells."""
    lines = ((n, cells) for n, cells in _lines(content, source) if any(cells))
    header_line, header = next(lines, (1, []))
    columns = _columns(header, f"{source}: line {header_line}")
    for count, (n, cells) in enumerate(lines, 1):
        where = f"{source}: line {n}"
        if count > MAX_TERMINALS:
            raise InputError(f"{where}: more than {MAX_TERMINALS:,} terminals; split the fleet")
        if len(cells) != len(header):
            raise InputError(
                f"{where}: {len(cells)} cells for {len(header)} columns; keep the comma of an "
                "empty cell and quote a text that holds one"
            )
        row = {name: cells[place] if place >= 0 else "" for name, place in columns.items()}
        _check(row, where)
        yield n, row


def _lines(content: bytes, source: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each line's number and cells."""
    if len(content) > MAX_TABLE_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes, at most {MAX_TABLE_BYTES:,} are read; split it"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8 text; save the table as CSV UTF-8") from None
    for n, line in enumerate(io.StringIO(text, newline=None), 1):
        if len(line) > MAX_LINE:
            raise InputError(f"{source}: line {n}: more than {MAX_LINE:,} characters; split it")
        if not line.strip(" \t,\n"):
            continue
        try:
            (cells,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError):
            raise InputError(
                f"{source}: line {n}: quotes do not match; quote whole cells on one line"
            ) from None
        yield n, [cell.strip() for cell in cells]


def _columns(header: Sequence[str], where: str) -> dict[str, int]:
    """Return where each known column stands, -1 where it is absent."""
    names = ["id" if name.casefold() == "terminal_id" else name.casefold() for name in header]
    for name in _COLUMNS:
        if names.count(name) > 1:
            raise InputError(f'{where}: column "{name}" is there twice; remove one')
    if "id" not in names:
        raise InputError(f'{where}: column "id" is missing; add it to the header line')
    if "cell" not in names and not {"lat_deg", "lon_deg"} <= set(names):
        raise InputError(
            f'{where}: no place of the terminals; add columns "lat_deg" and "lon_deg", or "cell"'
        )
    return {name: names.index(name) if name in names else -1 for name in _COLUMNS}


def _check(row: dict[str, str], where: str) -> None:
    """Refuse a row that cannot be read; the class of service is filled in where it is empty."""
    if not is_slug(row["id"]):
        raise InputError(
            f'{where}: id "{_shown(row["id"])}": expected letters a-z, digits and single hyphens'
        )
    for name in ("account", "sponsor", "kit", "class"):
        if len(row[name]) > MAX_NAME or _CONTROL.search(row[name]):
            raise InputError(
                f"{where}: {name} is no text of at most {MAX_NAME} characters; shorten it"
            )
    row["service_class"] = row["service_class"].casefold() or SERVICE_CLASSES[0]
    if row["service_class"] not in SERVICE_CLASSES:
        raise InputError(
            f'{where}: service_class "{_shown(row["service_class"])}": expected '
            f"{', '.join(SERVICE_CLASSES)}, or nothing for {SERVICE_CLASSES[0]}"
        )


def _shown(text: str) -> str:
    return _CONTROL.sub("?", text[:40])


def _refuse_repeats(rows: Sequence[_Row], source: str) -> None:
    first: dict[str, int] = {}
    for n, row in rows:
        if row["id"] in first:
            raise InputError(
                f'{source}: line {n}: id "{row["id"]}" is already on line {first[row["id"]]}; '
                "give each terminal its own id"
            )
        first[row["id"]] = n


def _cells_of(rows: Sequence[_Row], source: str) -> CellArray:
    """Return the cell (N,) of each terminal: as given, or that of its place."""
    given = [_given_cell(row, f"{source}: line {n}") for n, row in rows]
    cells = np.array(given, dtype=np.uint64)
    places = [_place(row, f"{source}: line {n}") for n, row in rows]
    lat_deg, lon_deg = np.array(places, dtype=np.float64).T
    return np.where(cells > 0, cells, cells_at(lat_deg, lon_deg))


def _given_cell(row: dict[str, str], where: str) -> int:
    text = row["cell"].casefold()
    if not text:
        return 0
    if row["lat_deg"] or row["lon_deg"]:
        raise InputError(f"{where}: a cell and coordinates; leave one of them empty")
    cell = int(text, 16) if _CELL.fullmatch(text) else 0
    if not h3_cells.is_valid_cell(cell) or h3_cells.get_resolution(cell) != CELL_RESOLUTION:
        raise InputError(
            f"{where}: cell is not an H3 cell of resolution {CELL_RESOLUTION}; write its 15 "
            "hexadecimal digits"
        )
    return cell


def _place(row: dict[str, str], where: str) -> tuple[float, float]:
    """Return latitude and longitude in deg; NaN for a terminal that moves or has a cell."""
    texts = row["lat_deg"], row["lon_deg"]
    if not any(texts) and (row["cell"] or row["track"]):
        return np.nan, np.nan
    limits_deg = (("lat_deg", -90.0, 90.0), ("lon_deg", -180.0, 360.0))
    lat_deg, lon_deg = (
        _angle_deg(text, *limits, where) for text, limits in zip(texts, limits_deg, strict=True)
    )
    return lat_deg, lon_deg


def _angle_deg(text: str, name: str, low_deg: float, high_deg: float, where: str) -> float:
    """Return an angle; an error does not repeat what was found, which may be a position."""
    value = float(text) if _NUMBER.fullmatch(text) else np.nan
    if not low_deg <= value <= high_deg:
        raise InputError(
            f"{where}: {name} is {'no such number' if text else 'empty'}; expected decimal "
            f"degrees from {low_deg:g} to {high_deg:g}"
        )
    return value
