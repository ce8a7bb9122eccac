"""Fleets: many terminals from a CSV file, or one in each of the largest cities."""

import re
from pathlib import Path

from skyweave.errors import InputError
from skyweave.places import is_slug, largest_cities, make_slug
from skyweave.places.names import MAX_SLUG
from skyweave.twin.terminals.rows import (
    HEIGHT,
    LATITUDE,
    LONGITUDE,
    CsvRows,
    parse_rows,
    read_bytes,
    shown,
)
from skyweave.twin.terminals.table import SERVICE_CLASSES, Terminals, make_terminals

REQUIRED = ("id", "lat_deg", "lon_deg")
COLUMNS = (
    "id",
    "name",
    "lat_deg",
    "lon_deg",
    "height_wgs84_m",
    "class",
    "service_class",
    "account",
    "country",
    "sponsor",
)
_ALPHA_2 = re.compile(r"[A-Za-z]{2}", re.ASCII)


def read_fleet(path: str | Path) -> Terminals:
    """Read a fleet: CSV with the columns `COLUMNS`, of which id, lat_deg and lon_deg are required.

    Longitudes are -180 to 360.  Other columns are kept as `extra`.  A row that cannot be read
    refuses the file: a fleet with a site missing would give a wrong answer about it.
    """
    return parse_fleet(read_bytes(path), str(path))


def parse_fleet(content: bytes, source: str) -> Terminals:
    """Read the content of a fleet file; `source` is what errors call it."""
    rows = parse_rows(content, source, REQUIRED, COLUMNS)
    if not len(rows):
        raise InputError(f"{source}: a header line and no terminal; add one line for each terminal")
    return make_terminals(
        _ids(rows),
        rows.numbers(LATITUDE),
        rows.numbers(LONGITUDE),
        name=rows.texts("name"),
        height_wgs84_m=rows.numbers(HEIGHT, default=0.0),
        class_=rows.texts("class", "standard"),
        service_class=_service_classes(rows),
        account=rows.texts("account"),
        country=_countries(rows),
        sponsor=rows.texts("sponsor"),
        extra={key: cells for key, cells in rows.cells.items() if key not in COLUMNS},
    )


def city_terminals(count: int) -> Terminals:
    """Return a terminal at height 0 in each of the `count` most populous cities: "city-tokyo"."""
    cities = largest_cities(count)
    ids: dict[str, None] = {}
    for name, country in zip(cities.name, cities.country, strict=True):
        slug = make_slug(f"city {name}")
        ids[make_slug(f"city {name} {country}", ids) if slug in ids else slug] = None
    return make_terminals(
        list(ids),
        cities.lat_deg,
        cities.lon_deg,
        name=cities.name.tolist(),
        country=cities.country.tolist(),
    )


def _ids(rows: CsvRows) -> list[str]:
    ids = rows.cells["id"]
    first_line: dict[str, int] = {}
    for row, terminal_id in enumerate(ids):
        if not is_slug(terminal_id):
            raise InputError(f"{rows.at(row)}: {_no_slug(terminal_id)}")
        if terminal_id in first_line:
            raise InputError(
                f'{rows.at(row)}: id "{terminal_id}" is already on line {first_line[terminal_id]}; '
                "give each terminal its own id"
            )
        first_line[terminal_id] = rows.line[row]
    return ids


def _no_slug(terminal_id: str) -> str:
    expected = f"expected letters a-z, digits and single hyphens, at most {MAX_SLUG}"
    if not terminal_id:
        return f"id is empty; {expected}"
    return f'id "{shown(terminal_id)}": {expected}, such as "{make_slug(shown(terminal_id))}"'


def _service_classes(rows: CsvRows) -> list[str]:
    found = [text.casefold() for text in rows.texts("service_class", "standard")]
    for row, service_class in enumerate(found):
        if service_class not in SERVICE_CLASSES:
            raise InputError(
                f'{rows.at(row)}: service_class "{shown(service_class)}": expected '
                f"{', '.join(SERVICE_CLASSES)}, or nothing for standard"
            )
    return found


def _countries(rows: CsvRows) -> list[str]:
    found = rows.texts("country")
    for row, country in enumerate(found):
        if country and _ALPHA_2.fullmatch(country) is None:
            raise InputError(
                f'{rows.at(row)}: country "{shown(country)}": expected two letters of ISO 3166-1 '
                'such as "MG", or nothing to take it from the position'
            )
    return [country.upper() for country in found]
