"""The ground side: gateways, where satellites come down, and PoPs, where the Internet begins."""

import csv
import difflib
import io
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.places import country_at
from skyweave.twin.topology.gateway_file import (
    GatewayRow,
    parse_gateways,
    parse_pops,
    read_list_file,
)

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]

BUILTIN_GATEWAYS = {  # Starlink's; OneWeb's, of which some are only planned
    "builtin:2026-03-20": "gateways_2026-03-20.csv",
    "builtin:oneweb-2025-06": "gateways_oneweb_2025-06.csv",
}
BUILTIN_POPS = {
    "builtin:2026-04-16": "pops_2026-04-16.csv",
    "builtin:oneweb-2025-06": "pops_oneweb_2025-06.csv",
}
NOTHING = "none"  # for operators whose gateways nobody publishes

POLAR_LAT_DEG = 62.0  # poleward of it gateways look down to 5 deg: FCC 21-48, footnote 3
POLAR_MIN_ELEVATION_DEG = 5.0

INFERRED = "inferred-"  # how the id of a gateway begins that no list names
LACKING_M = 300e3  # a PoP with no gateway this near lacks one in the list, not in the network


@dataclass(frozen=True, eq=False)
class Pops:
    """Points of presence, where traffic leaves the operator's network: arrays of shape (P,)."""

    pop_id: NDArray[np.str_]
    city: NDArray[np.str_]
    country: NDArray[np.str_]  # ISO 3166-1 alpha-2
    lat_deg: FloatArray
    lon_deg: FloatArray

    def __len__(self) -> int:
        return int(self.pop_id.size)

    def row(self, pop_id: str, where: str = "") -> int:
        """Return the row of a PoP; `where` begins the error text about an unknown one."""
        return _row(self.pop_id, pop_id, f"{where}PoP {pop_id[:60]!r}")

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> "Pops":
        """Return the rows of a mask or of row numbers."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, eq=False)
class Gateways:
    """Operational gateways: arrays of shape (G,)."""

    gateway_id: NDArray[np.str_]  # the listed id, or the name as a slug
    name: NDArray[np.str_]
    lat_deg: FloatArray
    lon_deg: FloatArray  # -180 to 180
    height_wgs84_m: FloatArray
    country: NDArray[np.str_]  # ISO 3166-1 alpha-2, "" on the high seas
    min_elevation_deg: FloatArray
    antennas: RowArray  # satellites it can follow at a time
    pop: RowArray  # row of its PoP
    fibre_s: FloatArray  # one-way delay to that PoP
    planned: int = 0  # gateways listed that are not built yet, so not among the rows

    def __len__(self) -> int:
        return int(self.gateway_id.size)

    @property
    def is_inferred(self) -> NDArray[np.bool_]:
        """Which no list names: they stand at a PoP that has none near, (G,)."""
        return np.strings.startswith(self.gateway_id, INFERRED)

    def row(self, gateway_id: str, where: str = "") -> int:
        """Return the row of a gateway; `where` begins the error text about an unknown one."""
        return _row(self.gateway_id, gateway_id, f"{where}gateway {gateway_id[:60]!r}")

    def take(self, rows: NDArray[np.bool_] | NDArray[np.integer]) -> "Gateways":
        """Return the rows of a mask or of row numbers."""
        names = [field.name for field in fields(self) if field.name != "planned"]
        return replace(self, **{name: getattr(self, name)[rows] for name in names})


def default_pops(gateway_source: str) -> str:
    """Return the PoPs that go with a list of gateways: Starlink's unless it is OneWeb's or none."""
    same = ("builtin:oneweb-2025-06", NOTHING)
    return gateway_source if gateway_source in same else "builtin:2026-04-16"


def builtin_pops() -> Pops:
    """Return Starlink's operational PoPs of 2026-04-16, in the order of their ids."""
    return load_pops("builtin:2026-04-16")


@cache
def unserved_countries() -> frozenset[str]:
    """Return the countries without Starlink's service in 2026-09, ISO 3166-1 alpha-2.

    The operator publishes no latency for them, neither for the whole country nor by state.
    """
    text = read_data_text("unserved_countries_2026-09.csv")
    return frozenset(row["country"] for row in csv.DictReader(io.StringIO(text)))


def load_pops(source: str | Path, *, leave_out: Collection[str] = ()) -> Pops:
    """Return the PoPs of a built-in list or of a CSV file, in its order.

    `gateway_file.parse_pops` says what a file holds; a country it leaves open is looked up.  Those
    in the countries `leave_out` are no part.
    """
    if source == NOTHING:
        nobody = np.array([], dtype=np.str_)
        return Pops(nobody, nobody, nobody, np.empty(0), np.empty(0))
    rows = parse_pops(_text(str(source), "gateways.pops", BUILTIN_POPS), str(source))
    lat_deg, lon_deg = np.array([r.lat_deg for r in rows]), np.array([r.lon_deg for r in rows])
    pops = Pops(
        pop_id=np.array([row.pop_id for row in rows]),
        city=np.array([row.city for row in rows]),
        country=_countries([row.country for row in rows], lat_deg, lon_deg),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
    )
    kept = pops.take(~np.isin(pops.country, sorted(leave_out)))
    if not len(kept):
        raise InputError(f"{source}: every PoP lies in {_left_out(pops.country)}")
    return kept


def load_gateways(
    source: str | Path,
    pops: Pops,
    *,
    min_elevation_deg: float = 25.0,
    antennas: int = 8,
    fibre_detour: float = 1.5,
    leave_out: Collection[str] = (),
    at_every_pop: bool = False,
) -> Gateways:
    """Return the operational gateways of a built-in list or of a CSV file, in its order.

    `gateway_file.parse_gateways` says what a file holds; "none" holds no gateway.  The three
    numbers hold where a file says nothing, except that gateways poleward of 62 deg look down to
    5 deg.  A gateway without a PoP of its own uses the nearest by great circle, over
    `fibre_detour` times that length of fibre.

    Gateways in the countries `leave_out` are no part.  With `at_every_pop` one is added behind
    the others at each PoP that has none within 300 km (`is_inferred`).
    """
    if source == NOTHING:
        return _no_gateways()
    if not len(pops):
        raise InputError(f"{source}: gateways need PoPs to lead to; give gateways.pops a list")
    listed = parse_gateways(_text(str(source), "gateways.source", BUILTIN_GATEWAYS), str(source))
    built = [row for row in listed if row.is_operational]
    if not built:
        raise InputError(f"{source}: no operational gateway; add one, or use a built-in list")
    country = _countries(
        [row.country for row in built],
        np.array([row.lat_deg for row in built]),
        np.array([row.lon_deg for row in built]),
    )
    is_kept = ~np.isin(country, sorted(leave_out))
    if not is_kept.any():
        raise InputError(f"{source}: every operational gateway lies in {_left_out(country)}")
    rows = [
        row._replace(country=str(where))
        for row, where, kept in zip(built, country, is_kept, strict=True)
        if kept
    ]
    if at_every_pop:
        rows += _inferred_rows(rows, pops, str(source))
    gateways = _gateways(rows, pops, min_elevation_deg, antennas, fibre_detour)
    return replace(gateways, planned=len(listed) - len(built))


def _gateways(
    rows: list[GatewayRow],
    pops: Pops,
    min_elevation_deg: float,
    antennas: int,
    fibre_detour: float,
) -> Gateways:
    lat_deg, lon_deg = np.array([r.lat_deg for r in rows]), np.array([r.lon_deg for r in rows])
    elevation_deg = np.where(
        np.abs(lat_deg) > POLAR_LAT_DEG, POLAR_MIN_ELEVATION_DEG, min_elevation_deg
    )
    given_deg = np.array([row.min_elevation_deg for row in rows], dtype=np.float64)
    given_antennas = [antennas if row.antennas is None else row.antennas for row in rows]
    pop = _own_pops(rows, pops, nearest_pop(lat_deg, lon_deg, pops))
    return Gateways(
        gateway_id=np.array([row.gateway_id for row in rows]),
        name=np.array([row.name for row in rows]),
        lat_deg=lat_deg,
        lon_deg=lon_deg,
        height_wgs84_m=np.array([row.height_wgs84_m for row in rows]),
        country=np.array([row.country for row in rows]),
        min_elevation_deg=np.where(np.isnan(given_deg), elevation_deg, given_deg),
        antennas=np.array(given_antennas, dtype=np.int32),
        pop=pop,
        fibre_s=_fibre_delay_s(lat_deg, lon_deg, pops, pop, fibre_detour),
    )


def _inferred_rows(rows: list[GatewayRow], pops: Pops, source: str) -> list[GatewayRow]:
    """Return a gateway at each PoP that has none within LACKING_M, in the order of the PoPs.

    Of two PoPs close to each other the first gets one, which then is near the second.
    """
    lat_deg, lon_deg = np.array([r.lat_deg for r in rows]), np.array([r.lon_deg for r in rows])
    away_m = great_circle_m(pops.lat_deg[:, None], pops.lon_deg[:, None], lat_deg, lon_deg)
    lacking: list[int] = []
    for p in np.flatnonzero(away_m.min(axis=1) > LACKING_M).tolist():
        here = pops.lat_deg[p], pops.lon_deg[p]
        added_m = great_circle_m(*here, pops.lat_deg[lacking], pops.lon_deg[lacking])
        if not (added_m <= LACKING_M).any():
            lacking.append(p)
    inferred = [_inferred_row(pops, p, source) for p in lacking]
    taken = {row.gateway_id for row in rows} & {row.gateway_id for row in inferred}
    if taken:
        raise InputError(
            f'{source}: gateway "{min(taken)}" has the id that gateways.at_every_pop gives to one '
            "of its own; give it another"
        )
    return inferred


def _inferred_row(pops: Pops, pop: int, source: str) -> GatewayRow:
    pop_id = str(pops.pop_id[pop])
    return GatewayRow(
        where=f"{source}: ",
        gateway_id=f"{INFERRED}{pop_id}",
        name=f"{pops.city[pop] or pop_id} (inferred)",
        lat_deg=float(pops.lat_deg[pop]),
        lon_deg=float(pops.lon_deg[pop]),
        height_wgs84_m=0.0,
        min_elevation_deg=None,
        antennas=None,
        pop_id=pop_id,
        country=str(pops.country[pop]),
        is_operational=True,
    )


def _left_out(country: NDArray[np.str_]) -> str:
    codes = ", ".join(np.unique(country).tolist())
    return f'{codes}, without service; use gateways.unserved = "keep"'


def nearest_pop(
    lat_deg: ArrayLike, lon_deg: ArrayLike, pops: Pops, usable: NDArray[np.bool_] | None = None
) -> RowArray:
    """Return the row of the nearest PoP by great circle to each place (S,), the lower of equals.

    With `usable` (P,) only those count, for example the ones that have not failed; -1 where none.
    """
    lat_deg, lon_deg = np.asarray(lat_deg)[:, None], np.asarray(lon_deg)[:, None]
    away_m = great_circle_m(lat_deg, lon_deg, pops.lat_deg, pops.lon_deg)  # (S, P)
    if usable is not None:
        away_m = np.where(usable, away_m, np.inf)
    nearest: RowArray = np.argmin(away_m, axis=1).astype(np.int32)
    return np.where(np.isfinite(away_m.min(axis=1)), nearest, np.int32(-1))


def fibre_delay_s(
    gateways: Gateways, pops: Pops, pop_rows: NDArray[np.integer], fibre_detour: float
) -> FloatArray:
    """Return the one-way delay from each gateway to the PoP in `pop_rows` (G,); inf at row -1.

    Light in glass, over `fibre_detour` times the great circle, for fibre follows roads and coasts.
    """
    return _fibre_delay_s(gateways.lat_deg, gateways.lon_deg, pops, pop_rows, fibre_detour)


def _fibre_delay_s(
    lat_deg: FloatArray,
    lon_deg: FloatArray,
    pops: Pops,
    pop_rows: NDArray[np.integer],
    fibre_detour: float,
) -> FloatArray:
    length_m = fibre_detour * great_circle_m(
        lat_deg, lon_deg, pops.lat_deg[pop_rows], pops.lon_deg[pop_rows]
    )
    return np.where(pop_rows >= 0, length_m * FIBRE_INDEX / SPEED_OF_LIGHT_M_S, np.inf)


def _text(source: str, key: str, builtin: Mapping[str, str]) -> str:
    if source in builtin:
        return read_data_text(builtin[source])
    if source.startswith("builtin:"):
        known = " or ".join(f'"{name}"' for name in builtin)
        raise InputError(f'{key} = "{source}" is unknown; use {known}, or the path of a CSV file')
    return read_list_file(Path(source), key)


def _no_gateways() -> Gateways:
    text, number, row = np.array([], np.str_), np.array([], np.float64), np.array([], np.int32)
    return Gateways(
        gateway_id=text,
        name=text,
        lat_deg=number,
        lon_deg=number,
        height_wgs84_m=number,
        country=text,
        min_elevation_deg=number,
        antennas=row,
        pop=row,
        fibre_s=number,
    )


def _own_pops(rows: list[GatewayRow], pops: Pops, nearest: RowArray) -> RowArray:
    return np.array(
        [
            pops.row(row.pop_id, row.where) if row.pop_id else otherwise
            for row, otherwise in zip(rows, nearest, strict=True)
        ],
        dtype=np.int32,
    )


def _countries(given: list[str], lat_deg: FloatArray, lon_deg: FloatArray) -> NDArray[np.str_]:
    if all(given):
        return np.array(given)
    found = country_at(lat_deg, lon_deg)
    return np.array([own or here for own, here in zip(given, found, strict=True)])


def _row(ids: NDArray[np.str_], wanted: str, subject: str) -> int:
    rows = np.flatnonzero(ids == wanted)
    if rows.size:
        return int(rows[0])
    near = difflib.get_close_matches(wanted, ids.tolist(), n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join(ids[:5])}, ..."
    raise InputError(f"{subject} is unknown; {hint}")
