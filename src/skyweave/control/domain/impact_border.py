"""What a region's cells do beside its border: people in them, and cells that reach across it.

Cells are 17 km across, so a border is never met exactly.  Cells of the region reach beyond it and
take service from people outside; cells that are not in the region reach inside and leave some.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.places import Cities
from skyweave.policy.regions import cells_at, region_from_geojson

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
CellArray = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class People:
    """Towns and the people in them, (P,): a lower bound, for who lives elsewhere is not in it."""

    cell: CellArray
    lat_deg: FloatArray
    lon_deg: FloatArray
    population: NDArray[np.int64]

    def take(self, rows: BoolArray) -> "People":
        """Return the towns where a mask (P,) is true."""
        return People(
            self.cell[rows], self.lat_deg[rows], self.lon_deg[rows], self.population[rows]
        )

    @property
    def count(self) -> int:
        """How many people they are."""
        return int(self.population.sum())


@cache  # there is one gazetteer
def people_of(cities: Cities) -> People:
    """Return the people of GeoNames' cities, each at the cell of its point."""
    return People(
        cells_at(cities.lat_deg, cities.lon_deg), cities.lat_deg, cities.lon_deg, cities.population
    )


@dataclass(frozen=True, eq=False)
class Border:
    """A border as drawn, and the cells that lie in it altogether or that it touches."""

    area: Any  # shapely; longitude and latitude in deg, read in the plane as RFC 7946 does
    inside: CellArray  # ascending
    touched: CellArray  # ascending, with those inside

    def has(self, people: People) -> BoolArray:
        """Return which towns (P,) the border encloses."""
        turns_deg = (-360.0, 0.0, 360.0)  # a border may count on beyond 180 deg
        found = [
            shapely.intersects_xy(self.area, people.lon_deg + turn, people.lat_deg)
            for turn in turns_deg
        ]
        return np.asarray(np.any(found, axis=0))


def border_of(content: Mapping[str, Any], source: str = "border") -> Border:
    """Return the border of a region's GeoJSON, as `Geometry.border` has it."""
    touched = region_from_geojson(content, "border", "overlap", source=source).cells
    try:
        inside = region_from_geojson(content, "border", "inside", source=source).cells
    except InputError:  # read without an error just now, so what it says is: no cell fits inside
        inside = touched[:0]
    area = shapely.union_all([shapely.from_geojson(json.dumps(content))])
    shapely.prepare(area)
    return Border(area, inside, touched)


@dataclass(frozen=True)
class BorderImpact:
    """What the cells of a reduction do to those beside its border."""

    cells_beyond: int  # of the region, that reach beyond its border
    people_beyond: int  # in towns outside the border, whose cell is in the region
    losing_beyond: int  # terminals that lose service in cells that reach beyond
    cells_spill: int  # not of the region, that reach inside its border
    people_spill: int  # in towns inside the border, whose cell is not in the region


def border_impact(
    border: Border, region_cells: CellArray, losing_cells: CellArray, people: People
) -> BorderImpact:
    """Return it for a region's cells (C,) ascending; `losing_cells` has one a losing terminal."""
    beyond = np.setdiff1d(region_cells, border.inside, assume_unique=True)
    spill = np.setdiff1d(border.touched, region_cells, assume_unique=True)
    across = people.take(np.isin(people.cell, beyond))
    left = people.take(np.isin(people.cell, spill))
    return BorderImpact(
        cells_beyond=beyond.size,
        people_beyond=across.take(~border.has(across)).count,
        losing_beyond=int(np.count_nonzero(np.isin(losing_cells, beyond))),
        cells_spill=spill.size,
        people_spill=left.take(border.has(left)).count,
    )
