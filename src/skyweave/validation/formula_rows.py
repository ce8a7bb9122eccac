"""Checks of rows that are closed formulas: radio, capacity, cells."""

import h3

from skyweave.validation.formulas import hexagon_area_m2
from skyweave.validation.judge import Finding
from skyweave.validation.registry import all_within, check, within
from skyweave.validation.table import Row

MILE_M = 1609.344


@check("CEL-02")
def area_of_a_cell(row: Row) -> Finding:
    area_km2 = hexagon_area_m2(15.0 * MILE_M) / 1e6
    one_km2 = 1.0
    return Finding(f"{area_km2:.1f}", within(area_km2, row.numbers[0], one_km2))


@check("CEL-03")
def areas_of_h3_cells(row: Row) -> Finding:
    """The library's own averages, for the resolutions that the row names."""
    areas_km2 = [h3.average_hexagon_area(resolution, unit="km^2") for resolution in (4, 5, 6)]
    table_digits_km2 = 1e-3
    text = ";".join(f"{area:.3f}" for area in areas_km2)
    return Finding(text, all_within(areas_km2, row.numbers, table_digits_km2))
