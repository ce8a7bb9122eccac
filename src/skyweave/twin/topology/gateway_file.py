"""Lists of gateways and PoPs as CSV: strict, so that a slip is found here and not in a result."""

import csv
import difflib
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from skyweave.errors import InputError
from skyweave.places import check_country_codes, is_slug, make_slug

REQUIRED_COLUMNS = ("name", "lat_deg", "lon_deg")
OPTIONAL_COLUMNS = (
    "id", "height_wgs84_m", "min_elevation_deg", "antennas", "pop_id", "country", "status",
)  # fmt: skip
POP_COLUMNS = ("pop_id", "lat_deg", "lon_deg")
OPTIONAL_POP_COLUMNS = ("city", "country", "country_name")  # the last is for the reader only

MAX_FILE_BYTES = 4 * 2**20  # some 50,000 gateways; the world has a few hundred
MAX_LINE_BYTES = 64 * 2**10
MAX_NAME = 100  # characters

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class GatewayRow(NamedTuple):
    """One gateway as listed; None and "" stand for what the list leaves open."""

    where: str  # "FILE: line 3: ", the beginning of an error text about it
    gateway_id: str
    name: str
    lat_deg: float
    lon_deg: float  # -180 to 180
    height_wgs84_m: float
    min_elevation_deg: float | None
    antennas: int | None
    pop_id: str
    country: str
    is_operational: bool


class PopRow(NamedTuple):
    """One PoP as listed; "" stands for what the list leaves open."""

    pop_id: str
    city: str
    country: str
    lat_deg: float
    lon_deg: float  # -180 to 180


def read_list_file(path: Path, key: str) -> str:
    """Return the text of a list that `key` of the scenario names; refuse what cannot be one."""
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # would block or never end
            raise InputError(
                f"{path}: not a regular file; copy what it holds into a file and give that"
            )
        with open(path, "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check {key}") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise InputError(f"{path}: the file cannot be read: {reason}") from None
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"{path}: larger than {MAX_FILE_BYTES:,} bytes; not a list of places")
    for number, line in enumerate(content.split(b"\n"), start=1):
        if len(line) > MAX_LINE_BYTES:
            raise InputError(
                f"{path}: line {number}: {len(line):,} bytes long, expected at most "
                f"{MAX_LINE_BYTES:,}; give one place per line"
            )
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        number = content.count(b"\n", 0, problem.start) + 1
        raise InputError(f"{path}: line {number}: not UTF-8 text; save the list as UTF-8") from None


def parse_gateways(text: str, source: str) -> list[GatewayRow]:
    """Return the gateways of a CSV text in its order, built and planned.

    The columns are `REQUIRED_COLUMNS` and any of `OPTIONAL_COLUMNS`, whose cells may be empty.  An
    id that is not given is made of the name; two gateways with one id are refused.
    """
    rows: list[GatewayRow] = []
    line_of: dict[str, int] = {}
    for line, cells in _table(text, source, REQUIRED_COLUMNS, OPTIONAL_COLUMNS):
        row = _gateway(cells, f"{source}: line {line}: ")
        if row.gateway_id in line_of:
            raise InputError(
                f'{row.where}gateway "{row.gateway_id}" is already on line '
                f"{line_of[row.gateway_id]}; leave one out, or tell them apart in a column id"
            )
        line_of[row.gateway_id] = line
        rows.append(row)
    return rows


def parse_pops(text: str, source: str) -> list[PopRow]:
    """Return the PoPs of a CSV text in its order; two with one id are refused.

    The columns are `POP_COLUMNS` and any of `OPTIONAL_POP_COLUMNS`, whose cells may be empty.
    """
    rows: list[PopRow] = []
    line_of: dict[str, int] = {}
    for line, cells in _table(text, source, POP_COLUMNS, OPTIONAL_POP_COLUMNS):
        row = _pop(cells, f"{source}: line {line}: ")
        if row.pop_id in line_of:
            raise InputError(
                f'{source}: line {line}: PoP "{row.pop_id}" is already on line '
                f"{line_of[row.pop_id]}; leave one out or give it another pop_id"
            )
        line_of[row.pop_id] = line
        rows.append(row)
    if not rows:
        raise InputError(f"{source}: no PoP; add one, or use a built-in list")
    return rows


def _table(
    text: str, source: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the line number and the cells by column of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    first_line = 1
    try:
        for record in reader:
            cells = [cell.strip() for cell in record]
            if not any(cells):
                pass
            elif not header:
                header = _header(cells, f"{source}: line {first_line}: ", required, optional)
            elif len(cells) != len(header):
                raise InputError(
                    f"{source}: line {first_line}: {len(cells)} cells, expected {len(header)} as "
                    "in the header; put text that holds a comma in double quotes"
                )
            else:
                yield first_line, dict(zip(header, cells, strict=True))
            first_line = reader.line_num + 1
    except csv.Error as problem:
        raise InputError(
            f"{source}: line {first_line}: not CSV: {problem}; check its quotes"
        ) from None
    if not header:
        raise InputError(f"{source}: empty; expected a CSV with the columns {', '.join(required)}")


def _header(
    names: list[str], where: str, required: tuple[str, ...], optional: tuple[str, ...]
) -> list[str]:
    known = (*required, *optional)
    for separator, called in ((";", "semicolons"), ("\t", "tabs")):
        if len(names) == 1 and separator in names[0]:
            raise InputError(f"{where}columns are separated by {called}; save it with commas")
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f'did you mean "{near[0]}"?' if near else f"known columns: {', '.join(known)}"
            raise InputError(f"{where}unknown column {name[:60]!r}; {hint}")
        if names.count(name) > 1:
            raise InputError(f'{where}column "{name}" is there {names.count(name)} times; keep one')
    for name in required:
        if name not in names:
            raise InputError(f'{where}column "{name}" is missing; expected {", ".join(known)}')
    return names


def _gateway(cells: dict[str, str], where: str) -> GatewayRow:
    name = _name(cells, "name", where)
    height_m = _optional_number(cells, "height_wgs84_m", where, -500.0, 9000.0)
    return GatewayRow(
        where=where,
        gateway_id=_id(cells.get("id", ""), name, where),
        name=name,
        lat_deg=_number(cells, "lat_deg", where, -90.0, 90.0),
        lon_deg=_longitude_deg(cells, where),
        height_wgs84_m=0.0 if height_m is None else height_m,
        min_elevation_deg=_optional_number(cells, "min_elevation_deg", where, 0.0, 90.0),
        antennas=_antennas(cells, where),
        pop_id=cells.get("pop_id", ""),
        country=_country(cells.get("country", ""), where),
        is_operational=_is_operational(cells.get("status", ""), where),
    )


def _pop(cells: dict[str, str], where: str) -> PopRow:
    pop_id = cells["pop_id"]
    if not is_slug(pop_id):
        raise InputError(
            f"{where}pop_id = {pop_id[:60]!r}: expected a-z, 0-9 and single hyphens between them; "
            f'write it like "{make_slug(pop_id)}"'
        )
    return PopRow(
        pop_id=pop_id,
        city=_name(cells, "city", where) if cells.get("city") else "",
        country=_country(cells.get("country", ""), where),
        lat_deg=_number(cells, "lat_deg", where, -90.0, 90.0),
        lon_deg=_longitude_deg(cells, where),
    )


def _name(cells: dict[str, str], column: str, where: str) -> str:
    name = cells[column]
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise InputError(
            f"{where}{column} = {name[:60]!r}: expected 1 to {MAX_NAME} printable characters"
        )
    return name


def _longitude_deg(cells: dict[str, str], where: str) -> float:
    lon_deg = _number(cells, "lon_deg", where, -180.0, 360.0)
    return lon_deg - 360.0 if lon_deg > 180.0 else lon_deg


def _id(given: str, name: str, where: str) -> str:
    if given and not is_slug(given):
        raise InputError(
            f"{where}id = {given[:60]!r}: expected a-z, 0-9 and single hyphens between them; "
            f'write it like "{make_slug(given)}"'
        )
    return given or make_slug(name)


def _number(cells: dict[str, str], column: str, where: str, low: float, high: float) -> float:
    text = cells[column]
    value = float(text) if _NUMBER.fullmatch(text) else float("nan")
    if not low <= value <= high:
        raise InputError(f"{where}{column} = {text[:60]!r}: expected {low:g} to {high:g}")
    return value


def _optional_number(
    cells: dict[str, str], column: str, where: str, low: float, high: float
) -> float | None:
    return _number(cells, column, where, low, high) if cells.get(column) else None


def _antennas(cells: dict[str, str], where: str) -> int | None:
    count = _optional_number(cells, "antennas", where, 1, 1000)
    if count is not None and count != int(count):
        raise InputError(f"{where}antennas = {cells['antennas']!r}: expected a whole number")
    return None if count is None else int(count)


def _country(code: str, where: str) -> str:
    try:
        check_country_codes([code] if code else [])
    except InputError as refusal:
        raise InputError(f"{where}{refusal}; leave it empty to have it looked up") from None
    return code


def _is_operational(status: str, where: str) -> bool:
    if status not in ("", "operational", "planned"):
        raise InputError(f"{where}status = {status[:60]!r}: expected operational or planned")
    return status != "planned"
