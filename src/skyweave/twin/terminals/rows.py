"""Rows of a CSV file a user wrote: read strictly, with errors that say where and what to do.

An error names file, line, column and the value found.  It never holds a whole row, so that no
message shows where a terminal stands.
"""

import csv
import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError

FloatArray = NDArray[np.float64]

MAX_FILE_BYTES = 64 * 2**20
MAX_LINE_BYTES = 64 * 2**10
MAX_ROWS = 1_000_000
MAX_TEXT = 100  # characters of a name, class, account or sponsor

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+", re.ASCII)
_SEXAGESIMAL = re.compile(r"[°º'\"′″NSEWnsew]")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class Quantity:
    """A numeric column: its range, and what a value outside it may have been meant as."""

    column: str
    low: float
    high: float
    meaning: str
    hint: Callable[[float], str] = lambda value: ""

    @property
    def expected(self) -> str:
        """What an error says of the range."""
        return f"expected {self.low:g} to {self.high:g} ({self.meaning})"

    @property
    def empty(self) -> str:
        """What an error says of an empty cell."""
        return f"{self.column} is empty; {self.expected}"


def _latitude_hint(value: float) -> str:
    if 90.0 < abs(value) <= 180.0:
        return "; are latitude and longitude swapped?"
    return _angle_hint(value)


def _angle_hint(value: float) -> str:
    if abs(value) > 1e9 * 1.8:
        return ""
    if abs(value) > 1e6 * 180.0:
        return "; are they units of 1e-7 degrees? divide by 10,000,000"
    if abs(value) >= 1e5:
        return "; are they micro-degrees? divide by 1,000,000"
    if 1000.0 <= abs(value) < 18_060.0 and abs(value) % 100.0 < 60.0:
        return "; is it degrees and minutes (ddmm.mm)? write decimal degrees"
    return "; write decimal degrees"


def _height_hint(value: float) -> str:
    return "; is it in millimetres? write metres" if value > 0.0 else "; write metres"


LATITUDE = Quantity("lat_deg", -90.0, 90.0, "degrees north", _latitude_hint)
LONGITUDE = Quantity("lon_deg", -180.0, 360.0, "degrees east", _angle_hint)
HEIGHT = Quantity(
    "height_wgs84_m", -1000.0, 100_000.0, "metres above the WGS 84 ellipsoid", _height_hint
)
BORESIGHT_AZIMUTH = Quantity(
    "boresight_azimuth_deg", -360.0, 360.0, "0 = north, 90 = east", _angle_hint
)
BORESIGHT_ELEVATION = Quantity(
    "boresight_elevation_deg", 0.0, 90.0, "degrees above the horizon", _angle_hint
)


@dataclass(frozen=True)
class CsvRows:
    """The cells of a CSV file, by column; every column has one cell per row."""

    source: str  # the file, as errors call it
    line: list[int]  # 1-based line of each row
    cells: dict[str, list[str]]  # column -> stripped cells, in the file's order of columns

    def __len__(self) -> int:
        return len(self.line)

    def at(self, row: int) -> str:
        """Return where a row stands: "fleet.csv: line 3"."""
        return f"{self.source}: line {self.line[row]}"

    def texts(self, column: str, default: str = "") -> list[str]:
        """Return a column of short texts, `default` where a cell is empty or the column absent."""
        for row, text in enumerate(self.cells.get(column, ())):
            if len(text) > MAX_TEXT:
                raise InputError(
                    f"{self.at(row)}: {column} has {len(text):,} characters; "
                    f"at most {MAX_TEXT} fit: shorten it"
                )
        return [text or default for text in self.cells.get(column, [""] * len(self))]

    def numbers(self, quantity: Quantity, default: float | None = None) -> FloatArray:
        """Return a numeric column; an empty cell or absent column is `default`, if there is one."""
        cells = self.cells.get(quantity.column, [""] * len(self))
        return np.array(
            [
                default if not text and default is not None else self._number(row, text, quantity)
                for row, text in enumerate(cells)
            ],
            dtype=np.float64,
        )

    def _number(self, row: int, text: str, quantity: Quantity) -> float:
        expected = quantity.expected
        where = f"{self.at(row)}: {quantity.column}"
        if not text:
            raise InputError(f"{self.at(row)}: {quantity.empty}")
        if _NUMBER.fullmatch(text) is None:
            raise InputError(f'{where}: found "{shown(text)}", {expected}{_notation_hint(text)}')
        value = float(text)
        if not quantity.low <= value <= quantity.high:
            raise InputError(f"{where} = {shown(text)}: {expected}{quantity.hint(value)}")
        return value


def read_bytes(path: str | Path) -> bytes:
    """Return a file's content, refusing unread what is too large for a table."""
    path = Path(path)
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # would block or never end
            raise InputError(
                f"{path}: not a regular file; copy what it holds into a file and give that"
            )
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise InputError(
                f"{path}: {size:,} bytes; at most {MAX_FILE_BYTES:,} are read: split the file"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name and the folder") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder; expected a CSV file in it") from None
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}); check the name and its rights"
        ) from None


def parse_rows(
    content: bytes,
    source: str,
    required: Sequence[str],
    known: Sequence[str],
    spares: Mapping[str, Sequence[str]] | None = None,
) -> CsvRows:
    """Return the cells of a CSV file with a header line, UTF-8 with or without byte-order mark.

    `known` columns are recognised in any case, `required` ones must be there, others are kept
    as they are.  A column named in `spares` makes those it stands for needless.
    """
    lines = _lines(content, source)
    numbered = [(number, line) for number, line in enumerate(lines, 1) if line.strip(" \t,")]
    if not numbered:
        raise InputError(f"{source}: empty; expected a header line with {', '.join(known)}")
    (header_line, header), *body = numbered
    if len(body) > MAX_ROWS:
        raise InputError(f"{source}: {len(body):,} rows; at most {MAX_ROWS:,} are read: split it")
    where = f"{source}: line {header_line}"
    columns = _columns(header, where, known)
    spared = {
        name for column, names in (spares or {}).items() if column in columns for name in names
    }
    for name in required:
        if name not in columns and name not in spared:
            raise InputError(f"{where}: {_missing(name, header, columns, known)}")
    rows = [_cells(line, f"{source}: line {number}", columns) for number, line in body]
    cells = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in columns]
    return CsvRows(source, [n for n, _ in body], dict(zip(columns, cells, strict=True)))


def shown(text: str) -> str:
    """Return a text as an error may show it: short and on one line."""
    clean = _CONTROL.sub("?", text)
    return clean if len(clean) <= 40 else f"{clean[:37]}..."


def _lines(content: bytes, source: str) -> list[str]:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"{source}: UTF-16 text; save the file as CSV UTF-8")
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0", b"\x1f\x8b")):
        raise InputError(f"{source}: a spreadsheet or archive; save the table as CSV UTF-8")
    if content.count(b"\n") > 2 * MAX_ROWS:  # blank lines too: each costs time
        raise InputError(f"{source}: more than {2 * MAX_ROWS:,} lines; split the file")
    raw = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return [_line(line.removesuffix(b"\r"), f"{source}: line {n}") for n, line in enumerate(raw, 1)]


def _line(raw: bytes, where: str) -> str:
    if len(raw) > MAX_LINE_BYTES:
        raise InputError(
            f"{where}: {len(raw):,} bytes long; at most {MAX_LINE_BYTES:,} are read: "
            "does the file have line ends?"
        )
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: byte {error.start + 1} is not UTF-8; save the file as CSV UTF-8"
        ) from None
    control = _CONTROL.search(text)
    if control is not None:
        name = f"U+{ord(control[0]):04X}"
        advice = "end lines with LF or CRLF" if control[0] == "\r" else "remove it"
        raise InputError(f"{where}: control character {name} at {control.start() + 1}; {advice}")
    return text


def _columns(header: str, where: str, known: Sequence[str]) -> list[str]:
    found = _split(header, where)
    columns = [name.casefold() if name.casefold() in known else name for name in found]
    for number, name in enumerate(columns, 1):
        if not name:
            raise InputError(f"{where}: column {number} has no name; name it or remove it")
        if name in columns[: number - 1]:
            raise InputError(f'{where}: column "{shown(name)}" is there twice; remove one')
    return columns


def _missing(name: str, header: str, columns: list[str], known: Sequence[str]) -> str:
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(columns) == 1 and separator in header:
            return f"columns are separated by {called}; save the file with commas"
    others = [column for column in columns if column and column not in known]
    near = difflib.get_close_matches(name, others, n=1, cutoff=0.5)
    stem = name.partition("_")[0]
    meant = near or [column for column in others if column.casefold().startswith(stem)][:1]
    advice = f'rename "{shown(meant[0])}"' if meant else "add it to the header line"
    return f'column "{name}" is missing; {advice}'


def _cells(line: str, where: str, columns: list[str]) -> list[str]:
    cells = _split(line, where)
    if len(cells) != len(columns):
        much = "quote a text that holds a comma"
        little = "keep the comma of an empty cell"
        raise InputError(
            f"{where}: {len(cells)} cells for {len(columns)} columns; "
            f"{much if len(cells) > len(columns) else little}"
        )
    return cells


def _split(line: str, where: str) -> list[str]:
    """Split one line: a quoted cell may hold commas, but not a line end."""
    try:
        (cells,) = csv.reader([line], strict=True)
    except csv.Error as error:
        raise InputError(
            f"{where}: quotes do not match ({error}); quote whole cells and double quotes inside"
        ) from None
    return [cell.strip() for cell in cells]


def _notation_hint(text: str) -> str:
    if _DECIMAL_COMMA.fullmatch(text):
        return "; use a decimal point"
    if _SEXAGESIMAL.search(text) and any(c.isdigit() for c in text):
        return "; write decimal degrees, south and west negative"
    return ""
