"""The catalogue: mean orbital elements of many satellites, one array per quantity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class RowIssue:
    """A row that was left out of a catalogue, and why."""

    source: str  # file or built-in name
    line: int  # 1-based line at fault, or where the row begins; 0 where the whole file is meant
    reason: str  # one clear sentence
    text: str  # that line as found, cut to 200 characters


@dataclass(frozen=True)
class Catalogue:
    """SGP4 mean elements (TEME, WGS 72), one row per satellite: every array has shape (N,).

    The fields are those of a TLE or OMM; `grid_shell`, `grid_plane` and `grid_slot` place the
    satellites of synthetic shells on their lattice and are -1 for real objects.
    """

    name: NDArray[np.str_]
    norad_id: IntArray  # for synthetic shells the row number
    cospar_id: NDArray[np.str_]  # "1998-067A", or "" where unknown
    epoch_utc: NDArray[np.datetime64]  # datetime64[ns]
    mean_motion_rev_day: FloatArray  # Kozai mean motion, as published
    eccentricity: FloatArray
    inclination_deg: FloatArray
    raan_deg: FloatArray
    argp_deg: FloatArray
    mean_anomaly_deg: FloatArray
    bstar_per_radius: FloatArray  # drag term, 1 / Earth radii
    mean_motion_dot_rev_day2: FloatArray  # as published (already halved); SGP4 does not use it
    grid_shell: IntArray
    grid_plane: IntArray
    grid_slot: IntArray
    issues: tuple[RowIssue, ...] = field(default=())
    duplicates: int = 0  # sets left out because another set of the same object was nearer in epoch

    def __len__(self) -> int:
        return int(self.norad_id.size)

    def take(self, rows: NDArray[np.bool_] | IntArray) -> "Catalogue":
        """Return the rows of a mask or of row numbers, with the same issues."""
        return replace(self, **{name: getattr(self, name)[rows] for name in ARRAY_FIELDS})


GRID_FIELDS = ("grid_shell", "grid_plane", "grid_slot")
ARRAY_FIELDS = tuple(f.name for f in fields(Catalogue) if f.name not in ("issues", "duplicates"))


def concatenate(parts: Sequence[Catalogue]) -> Catalogue:
    """Return the rows of all parts, in order, with all their issues."""
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in ARRAY_FIELDS}
    return Catalogue(
        **columns,
        issues=tuple(issue for part in parts for issue in part.issues),
        duplicates=sum(part.duplicates for part in parts),
    )


def real_objects(columns: Mapping[str, Any], issues: Sequence[RowIssue] = ()) -> Catalogue:
    """Return the catalogue of real objects from its other columns: they lie on no grid."""
    count = len(columns["norad_id"])
    grid: dict[str, Any] = {name: np.full(count, -1, dtype=np.int64) for name in GRID_FIELDS}
    return Catalogue(**columns, **grid, issues=tuple(issues))


def rows_of(catalogue: Catalogue, norad_id: IntArray) -> IntArray:
    """Return the row of each object in a catalogue that holds it at most once, -1 where absent."""
    order = np.argsort(catalogue.norad_id, kind="stable")
    place = np.searchsorted(catalogue.norad_id, norad_id, sorter=order)
    row = np.append(order, -1)[place]
    found = np.append(catalogue.norad_id, 0)[row] == norad_id
    return np.where(found & (row >= 0), row, -1)
