"""Fleets: many terminals from a CSV file, or one in each of the largest cities."""

import re
from collections.abc import Container, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.places import check_country_codes, is_slug, largest_cities, make_slug
from skyweave.places.names import MAX_SLUG
from skyweave.twin.scenario import KIT_ADVICE, is_kit
from skyweave.twin.terminals.obstruction import Obstruction, combine, read_obstruction
from skyweave.twin.terminals.rows import (
    BORESIGHT_AZIMUTH,
    BORESIGHT_ELEVATION,
    HEIGHT,
    LATITUDE,
    LONGITUDE,
    CsvRows,
    Quantity,
    parse_rows,
    read_bytes,
    shown,
)
from skyweave.twin.terminals.table import SERVICE_CLASSES, Terminals, make_terminals
from skyweave.twin.terminals.tracks import Track, read_track

REQUIRED = ("id", "lat_deg", "lon_deg")
SPARES = {"track": ("lat_deg", "lon_deg")}  # a fleet that only moves needs no places
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
    "pop_id",
    "operator",
    "kit",
    "obstruction",
    "horizon",
    "boresight_azimuth_deg",
    "boresight_elevation_deg",
    "track",
    "track_start",
)
TRACK_STARTS = ("file", "scenario")
_ALPHA_2 = re.compile(r"[A-Za-z]{2}", re.ASCII)


def read_fleet(path: str | Path, start_utc: np.datetime64 | None = None) -> Terminals:
    """Read a fleet: CSV with the columns `COLUMNS`, of which `id` is required, and a place.

    The place is lat_deg (-90 to 90) and lon_deg (-180 to 360), or the file of a track.  Files are
    relative to the fleet's folder; `start_utc` is where tracks with track_start "scenario" begin.
    Other columns are kept as `extra`.  A row that cannot be read refuses the file: a fleet with a
    site missing would give a wrong answer about it.
    """
    return parse_fleet(read_bytes(path), str(path), Path(path).parent, start_utc)


def parse_fleet(
    content: bytes,
    source: str,
    folder: Path = Path(),
    start_utc: np.datetime64 | None = None,
) -> Terminals:
    """Read the content of a fleet file; `source` is what errors call it."""
    rows = parse_rows(content, source, REQUIRED, COLUMNS, SPARES)
    if not len(rows):
        raise InputError(f"{source}: a header line and no terminal; add one line for each terminal")
    tracks = _tracks(rows, folder, start_utc)
    lat_deg, lon_deg = _place(rows, LATITUDE, tracks), _place(rows, LONGITUDE, tracks)
    azimuth_deg, elevation_deg = _boresights(rows)
    return make_terminals(
        _ids(rows),
        lat_deg,
        lon_deg,
        name=rows.texts("name"),
        height_wgs84_m=rows.numbers(HEIGHT, default=0.0),
        class_=rows.texts("class", "standard"),
        service_class=_one_of(rows, "service_class", SERVICE_CLASSES),
        account=rows.texts("account"),
        country=_countries(rows),
        sponsor=rows.texts("sponsor"),
        pop_id=rows.texts("pop_id"),
        operator=rows.texts("operator"),
        kit=_kits(rows),
        boresight_azimuth_deg=azimuth_deg,
        boresight_elevation_deg=elevation_deg,
        tracks=tracks,
        obstructions=_obstructions(rows, folder),
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


def _one_of(rows: CsvRows, column: str, known: Sequence[str]) -> list[str]:
    """Return a column of words, the first of `known` where it is empty or absent."""
    found = [text.casefold() for text in rows.texts(column, known[0])]
    for row, word in enumerate(found):
        if word not in known:
            raise InputError(
                f'{rows.at(row)}: {column} "{shown(word)}": expected '
                f"{', '.join(known)}, or nothing for {known[0]}"
            )
    return found


def _kits(rows: CsvRows) -> list[str]:
    found = rows.texts("kit")
    for row, kit in enumerate(found):
        if not is_kit(kit):
            raise InputError(f"{rows.at(row)}: kit: {KIT_ADVICE}")  # unseen: it names a dish
    return found


def _tracks(rows: CsvRows, folder: Path, start_utc: np.datetime64 | None) -> dict[int, Track]:
    starts = _one_of(rows, "track_start", TRACK_STARTS)
    tracks = {}
    for row, name in enumerate(rows.cells.get("track", ())):
        if name:
            track = read_track(folder / name)
            if starts[row] == "scenario" and start_utc is not None:
                track = track.starting_at(start_utc)
            tracks[row] = track
    return tracks


def _place(rows: CsvRows, quantity: Quantity, tracks: Container[int]) -> NDArray[np.float64]:
    """Return latitudes or longitudes, NaN for the terminals that move."""
    values = rows.numbers(quantity, default=np.nan)
    for row, is_empty in enumerate(np.isnan(values).tolist()):
        if is_empty and row not in tracks:
            raise InputError(f"{rows.at(row)}: {quantity.empty}")
        if not is_empty and row in tracks:
            raise InputError(
                f"{rows.at(row)}: {quantity.column} and a track; a terminal stands or moves: "
                "leave one of them empty"
            )
    return values


def _boresights(rows: CsvRows) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    azimuth_deg = rows.numbers(BORESIGHT_AZIMUTH, default=np.nan)
    elevation_deg = rows.numbers(BORESIGHT_ELEVATION, default=np.nan)
    alone = np.flatnonzero(np.isnan(azimuth_deg) != np.isnan(elevation_deg))
    if alone.size:
        raise InputError(
            f"{rows.at(int(alone[0]))}: boresight_azimuth_deg and boresight_elevation_deg go "
            "together; give both or none"
        )
    return azimuth_deg, elevation_deg


def _obstructions(rows: CsvRows, folder: Path) -> dict[int, Obstruction]:
    """Return what blocks each terminal's view; a file that many rows name is read once."""
    read = cache(read_obstruction)
    columns = [rows.cells.get(key, [""] * len(rows)) for key in ("obstruction", "horizon")]
    found = {}
    for row, names in enumerate(zip(*columns, strict=True)):
        parts = [read(folder / name) for name in names if name]
        if parts:
            found[row] = combine(parts, rows.at(row))
    return found


def _countries(rows: CsvRows) -> list[str]:
    found = rows.texts("country")
    for row, country in enumerate(found):
        if country and _ALPHA_2.fullmatch(country) is None:
            raise InputError(
                f'{rows.at(row)}: country "{shown(country)}": expected two letters of ISO 3166-1 '
                'such as "MG", or nothing to take it from the position'
            )
    codes = [country.upper() for country in found]
    for row, code in enumerate(codes):
        if code:
            check_country_codes([code], f"{rows.at(row)}: ")
    return codes
