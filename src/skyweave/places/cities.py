"""Cities: the world's towns of 15,000 people or more, from GeoNames, largest first."""

import csv
import io
from dataclasses import dataclass, fields, replace
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.places.folding import forms

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cities:
    """One row per city, by falling population: every array has shape (C,).

    Source: GeoNames cities15000, CC BY 4.0.
    """

    geonameid: NDArray[np.int64]
    name: NDArray[np.str_]
    country: NDArray[np.str_]  # ISO 3166-1 alpha-2, as GeoNames has it
    lat_deg: FloatArray
    lon_deg: FloatArray
    population: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.geonameid.size)

    def take(self, rows: slice | NDArray[np.int64] | NDArray[np.bool_]) -> "Cities":
        """Return some of the rows."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def largest_cities(count: int) -> Cities:
    """Return the `count` most populous cities."""
    known = all_cities()
    if not 1 <= count <= len(known):
        raise InputError(f"count = {count} cities: expected 1 to {len(known)}")
    return known.take(slice(0, count))


@cache
def all_cities() -> Cities:
    """Return every packaged city."""
    columns = _columns()
    return Cities(
        geonameid=np.array(columns["geonameid"], dtype=np.int64),
        name=np.array(columns["name"], dtype=np.str_),
        country=np.array(columns["country"], dtype=np.str_),
        lat_deg=np.array(columns["lat_deg"], dtype=np.float64),
        lon_deg=np.array(columns["lon_deg"], dtype=np.float64),
        population=np.array(columns["population"], dtype=np.int64),
    )


@lru_cache(maxsize=4096)
def cities_called(folded: str) -> tuple[int, ...]:
    """Return the rows of the cities with a (folded) name, most populous first.

    Cities whose own name it is come before those that have it among their other names: GeoNames
    lists "islamabad" for Chattogram and "porto" for Bordeaux.
    """
    if not folded:
        return ()
    mentioned = f"|{folded}|"
    others = (row for row, text in enumerate(_other_names()) if mentioned in text)
    return tuple(dict.fromkeys((*_rows_by_name().get(folded, ()), *others)))


@lru_cache(maxsize=256)
def names_of(row: int) -> frozenset[str]:
    """Return every folded name of a city."""
    aliases = _columns()["aliases"][row].split("|")
    return frozenset((*forms(_columns()["name"][row]), *aliases)) - {""}


def is_city_name(folded: str) -> bool:
    """True when a folded name is some city's own name."""
    return folded in _rows_by_name()


@cache
def _columns() -> dict[str, tuple[str, ...]]:
    header, *rows = csv.reader(io.StringIO(read_data_text("cities15000.csv.xz")))
    return dict(zip(header, zip(*rows, strict=True), strict=True))


@cache
def _other_names() -> tuple[str, ...]:
    """Return each city's other names, folded: "|peking|pekin|"."""
    return tuple(f"|{aliases}|" for aliases in _columns()["aliases"])


@cache
def _rows_by_name() -> dict[str, list[int]]:
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(_columns()["name"]):
        for form in forms(name):
            rows.setdefault(form, []).append(row)
    return rows
