"""Where the people of a country live: up to 14 towns that stand for it."""

import csv
import io
from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skyweave.data import read_data_text

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class PopulationPoints:
    """One row per town, by country: every array has shape (S,).

    Source: GeoNames, towns of 5,000 people or more and capitals, CC BY 4.0.
    """

    row: IntArray  # of all points; tells a town apart whatever other points are asked for
    country: NDArray[np.str_]  # ISO 3166-1 alpha-2
    iso_a3: NDArray[np.str_]  # alpha-3
    lat_deg: FloatArray
    lon_deg: FloatArray
    points: IntArray  # how many fourteenths of the country's people it stands for

    def __len__(self) -> int:
        return int(self.row.size)

    def take(self, rows: IntArray | BoolArray) -> "PopulationPoints":
        """Return the rows of a mask or of row numbers."""
        return replace(self, **{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@cache
def population_points() -> PopulationPoints:
    """Return the points of every country that has any."""
    rows = list(csv.DictReader(io.StringIO(read_data_text("population_points.csv"))))
    return PopulationPoints(
        row=np.arange(len(rows)),
        country=np.array([row["country"] for row in rows]),
        iso_a3=np.array([row["iso_a3"] for row in rows]),
        lat_deg=np.array([float(row["lat_deg"]) for row in rows]),
        lon_deg=np.array([float(row["lon_deg"]) for row in rows]),
        points=np.array([int(row["points"]) for row in rows]),
    )


def country_median(values: FloatArray, points: IntArray) -> float:
    """Return the median of a country's people, for the values (S,) of its towns; NaN for none."""
    if not values.size:
        return float("nan")
    return float(np.median(np.repeat(values, points)))
