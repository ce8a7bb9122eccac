"""The table of terminals: the sites and vehicles whose service a run computes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.errors import InputError
from skyweave.places import country_at
from skyweave.places.boundaries import wrap_deg
from skyweave.twin.terminals.obstruction import Obstruction
from skyweave.twin.terminals.tracks import Track

Thing = TypeVar("Thing")
FloatArray = NDArray[np.float64]
StrArray = NDArray[np.str_]

SERVICE_CLASSES = ("standard", "priority", "lifeline")


@dataclass(frozen=True, eq=False)
class Terminals:
    """One row per terminal: every array has shape (S,).

    The position of a moving terminal is that of its first fix; `positions.TerminalPositions` has
    it at every instant.
    """

    terminal_id: StrArray  # unique slug
    name: StrArray
    lat_deg: FloatArray
    lon_deg: FloatArray  # -180 to 180
    height_wgs84_m: FloatArray
    class_: StrArray  # hardware
    service_class: StrArray  # one of SERVICE_CLASSES
    account: StrArray
    country: StrArray  # ISO 3166-1 alpha-2, "" at sea
    sponsor: StrArray
    pop_id: StrArray  # the point of presence it is bound to, "" for that of its gateway
    operator: StrArray  # whose network it belongs to, "" for the scenario's first
    kit: StrArray  # the dish's own id, by which allow lists know it, "" where it is not told
    boresight_azimuth_deg: FloatArray  # where the dish points, NaN for its class's tilt
    boresight_elevation_deg: FloatArray
    tracks: Mapping[int, Track] = field(default_factory=dict)  # row -> fixes, moving ones only
    obstructions: Mapping[int, Obstruction] = field(default_factory=dict)  # row -> what blocks it
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)  # other columns of the fleet

    def __len__(self) -> int:
        return int(self.terminal_id.size)

    def take(self, rows: ArrayLike) -> "Terminals":
        """Return the rows of a mask or of row numbers, in that order."""
        numbers = np.arange(len(self))[np.asarray(rows)]
        return replace(
            self,
            **{name: getattr(self, name)[numbers] for name in ARRAY_FIELDS},
            tracks=_taken(self.tracks, numbers),
            obstructions=_taken(self.obstructions, numbers),
            extra={key: [column[old] for old in numbers] for key, column in self.extra.items()},
        )


_MAPPINGS = ("tracks", "obstructions", "extra")
ARRAY_FIELDS = tuple(f.name for f in fields(Terminals) if f.name not in _MAPPINGS)


def make_terminals(
    terminal_id: Sequence[str],
    lat_deg: ArrayLike,
    lon_deg: ArrayLike,
    *,
    name: Sequence[str] | None = None,
    height_wgs84_m: ArrayLike = 0.0,
    class_: Sequence[str] | str = "standard",
    service_class: Sequence[str] | str = "standard",
    account: Sequence[str] | str = "",
    country: Sequence[str] | str = "",
    sponsor: Sequence[str] | str = "",
    pop_id: Sequence[str] | str = "",
    operator: Sequence[str] | str = "",
    kit: Sequence[str] | str = "",
    boresight_azimuth_deg: ArrayLike = np.nan,
    boresight_elevation_deg: ArrayLike = np.nan,
    tracks: Mapping[int, Track] | None = None,
    obstructions: Mapping[int, Obstruction] | None = None,
    extra: Mapping[str, Sequence[str]] | None = None,
) -> Terminals:
    """Return a table of S terminals; single values count for all of them.

    An empty name is the id, an empty country that of the boundaries.  `lat_deg`, `lon_deg` and
    height of a row with a track are taken from its first fix and may be NaN here.
    """
    ids = np.array(terminal_id, dtype=np.str_)
    lat, lon, height_m = (_numbers(x, ids) for x in (lat_deg, lon_deg, height_wgs84_m))
    tracks = dict(tracks or {})
    for row, track in tracks.items():
        lat[row], lon[row], height_m[row] = (
            track.lat_deg[0],
            track.lon_deg[0],
            track.height_wgs84_m[0],
        )
    names = _texts(name if name is not None else ids, ids)
    countries = _texts(country, ids)
    return Terminals(
        terminal_id=ids,
        name=np.where(names == "", ids, names),
        lat_deg=lat,
        lon_deg=wrap_deg(lon),
        height_wgs84_m=height_m,
        class_=_texts(class_, ids),
        service_class=_texts(service_class, ids),
        account=_texts(account, ids),
        country=_with_countries(countries, lat, lon),
        sponsor=_texts(sponsor, ids),
        pop_id=_texts(pop_id, ids),
        operator=_texts(operator, ids),
        kit=_texts(kit, ids),
        boresight_azimuth_deg=_numbers(boresight_azimuth_deg, ids),
        boresight_elevation_deg=_numbers(boresight_elevation_deg, ids),
        tracks=tracks,
        obstructions=dict(obstructions or {}),
        extra=dict(extra or {}),
    )


def concatenate(parts: Sequence[Terminals], names: Sequence[str] = ()) -> Terminals:
    """Return the terminals of all parts, in order, refusing an id that occurs twice.

    `names` say in the error what the parts are.  A column that a part lacks is empty there.
    """
    _refuse_repeated_ids(parts, names)
    starts = np.cumsum([0, *(len(part) for part in parts)])
    columns = dict.fromkeys(key for part in parts for key in part.extra)
    return Terminals(
        **{name: np.concatenate([getattr(p, name) for p in parts]) for name in ARRAY_FIELDS},
        tracks=_moved([part.tracks for part in parts], starts),
        obstructions=_moved([part.obstructions for part in parts], starts),
        extra={
            key: [cell for part in parts for cell in part.extra.get(key, [""] * len(part))]
            for key in columns
        },
    )


def _taken(found: Mapping[int, Thing], rows: NDArray[np.int64]) -> dict[int, Thing]:
    return {new: found[old] for new, old in enumerate(rows.tolist()) if old in found}


def _moved(parts: Sequence[Mapping[int, Thing]], starts: NDArray[np.int64]) -> dict[int, Thing]:
    return {
        int(start) + row: thing
        for start, part in zip(starts, parts, strict=False)
        for row, thing in part.items()
    }


def _numbers(values: ArrayLike, like: StrArray) -> FloatArray:
    return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), like.shape))


def _texts(values: Sequence[str] | StrArray | str, like: StrArray) -> StrArray:
    return np.array(np.broadcast_to(np.array(values, dtype=np.str_), like.shape))


def _with_countries(country: StrArray, lat_deg: FloatArray, lon_deg: FloatArray) -> StrArray:
    unknown = np.flatnonzero(country == "")
    if not unknown.size:
        return country
    filled = country.astype(object)
    filled[unknown] = country_at(lat_deg[unknown], lon_deg[unknown])
    return filled.astype(np.str_)


def _refuse_repeated_ids(parts: Sequence[Terminals], names: Sequence[str]) -> None:
    seen: dict[str, int] = {}
    for number, part in enumerate(parts):
        for terminal_id in part.terminal_id.tolist():
            if terminal_id in seen:
                sets = [names[n] if names else f"set {n + 1}" for n in (seen[terminal_id], number)]
                where = (
                    f"in {sets[0]} and in {sets[1]}"
                    if sets[0] != sets[1]
                    else f"twice in {sets[0]}"
                )
                raise InputError(
                    f'terminal id "{terminal_id}" is {where}; give each terminal its own id'
                )
            seen[terminal_id] = number
