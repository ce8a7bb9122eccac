"""A region's cells and border: the object that a `RegionRecord` names by its digest.

It stands beside the log, because a region may have a million cells and an entry of the log holds
64 KiB, and because a protected region's geometry is published later than its record.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.control.domain.documents import RegionRecord, canonical, digest_of
from skyweave.errors import InputError
from skyweave.policy.regions import CELL_RESOLUTION, MAX_CELLS, Region, region_from_geojson

FORMAT = "skyweave.geometry.v1"
MAX_GEOMETRY_BYTES = 32 * 2**20

CellArray = NDArray[np.uint64]

_TEXTS = ("rule", "boundary_data", "polygon_digest", "h3_version")
_FIELDS = {"format", "polygons", "cells", *_TEXTS}
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_CELL = re.compile("[0-9a-f]{15}")
_RESOLUTION_BIT, _MODE_BIT, _CELL_MODE = 52, 59, 1  # of an H3 index, as its specification has them


@dataclass(frozen=True, eq=False)
class Geometry:
    """The cells of a region and the polygons that they follow from by a rule."""

    rule: str  # one of policy.regions.RULES
    boundary_data: str
    polygon_digest: str
    h3_version: str
    polygons: tuple[Any, ...]  # as the coordinates of a GeoJSON MultiPolygon, degrees
    cells: CellArray  # (C,) ascending, read-only

    @property
    def digest_of_region(self) -> str:
        """What `policy.Region.digest` is for these cells, without drawing them again."""
        heading = ["skyweave.region.v1", self.rule, self.boundary_data, self.polygon_digest]
        content = json.dumps([*heading, self.h3_version]).encode() + b"\n"
        hashed = hashlib.sha256(content + self.cells.astype("<u8").tobytes())
        return f"sha256:{hashed.hexdigest()}"

    @property
    def border(self) -> dict[str, Any]:
        """The polygons as GeoJSON."""
        return {"type": "MultiPolygon", "coordinates": [list(p) for p in self.polygons]}

    def encode(self) -> bytes:
        """Return the canonical JSON."""
        return canonical(
            {
                "format": FORMAT,
                "rule": self.rule,
                "boundary_data": self.boundary_data,
                "polygon_digest": self.polygon_digest,
                "h3_version": self.h3_version,
                "polygons": self.polygons,
                "cells": [f"{cell:x}" for cell in self.cells.tolist()],
            }
        )

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON: what `RegionRecord.geometry` holds."""
        return digest_of(self.encode())

    def drawn_again(self) -> Region:
        """Return the region that the rule makes of the border, by the h3 installed here."""
        return region_from_geojson(
            self.border, "region", self.rule, boundary_data=self.boundary_data, source="border"
        )


def geometry_of(region: Region, border: Mapping[str, Any]) -> Geometry:
    """Return the geometry of a region that was made from the GeoJSON `border`."""
    polygons = tuple(_plain(polygon) for polygon in _polygons(border))
    return Geometry(
        region.rule, region.boundary_data, region.polygon_digest, region.h3_version, polygons,
        region.cells,
    )  # fmt: skip


def parse_geometry(content: bytes, record: RegionRecord, source: str = "geometry") -> Geometry:
    """Return the geometry that a record names; anything else than exactly that is refused."""
    if len(content) > MAX_GEOMETRY_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes, at most {MAX_GEOMETRY_BYTES:,} are read; "
            "draw the region coarser"
        )
    if digest_of(content) != record.geometry:
        raise InputError(
            f"{source}: not the geometry that region {record.region_id} version {record.version} "
            "names; copy it again from where the region was made"
        )
    geometry = _geometry(_fields(content, source), source)
    if geometry.encode() != content:
        raise InputError(f"{source}: not in canonical form; make the region again with skyweave")
    if (geometry.digest_of_region, geometry.cells.size) != (record.digest_of_region, record.cells):
        raise InputError(
            f"{source}: its cells are not those of region {record.region_id} version "
            f"{record.version}; make the region again"
        )
    return geometry


def _fields(content: bytes, source: str) -> dict[str, Any]:
    try:
        fields = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError):
        raise InputError(f"{source}: not JSON of a geometry; make the region again") from None
    if not isinstance(fields, dict) or set(fields) != _FIELDS or fields["format"] != FORMAT:
        raise InputError(
            f"{source}: expected the keys {', '.join(sorted(_FIELDS))} of {FORMAT}; make the "
            "region again"
        )
    return fields


def _geometry(fields: Mapping[str, Any], source: str) -> Geometry:
    rule, data, digest, version = (fields[name] for name in _TEXTS)
    if not all(
        isinstance(text, str) and len(text) <= 500 for text in (rule, data, digest, version)
    ):
        raise InputError(f"{source}: a name is no short text; make the region again")
    if not _DIGEST.fullmatch(digest):
        raise InputError(f"{source}: polygon_digest is no SHA-256; make the region again")
    polygons = fields["polygons"]
    if not isinstance(polygons, list) or not _are_numbers(polygons, 4):
        raise InputError(f"{source}: polygons are no lists of positions; make the region again")
    cells = _cells(fields["cells"], source)
    return Geometry(rule, data, digest, version, tuple(polygons), cells)


def _are_numbers(value: object, depth: int) -> bool:
    """Return whether lists in each other, `depth` deep, hold finite numbers and nothing else."""
    if depth:
        return isinstance(value, list) and all(_are_numbers(each, depth - 1) for each in value)
    return type(value) is float and math.isfinite(value)


def _cells(values: object, source: str) -> CellArray:
    if not isinstance(values, list) or not 0 < len(values) <= MAX_CELLS:
        raise InputError(f"{source}: expected 1 to {MAX_CELLS:,} cells; make the region again")
    if not all(isinstance(value, str) and _CELL.fullmatch(value) for value in values):
        raise InputError(f"{source}: a cell is not 15 hexadecimal digits; make the region again")
    cells = np.array([int(value, 16) for value in values], dtype=np.uint64)
    resolution = (cells >> np.uint64(_RESOLUTION_BIT)) & np.uint64(15)
    mode = (cells >> np.uint64(_MODE_BIT)) & np.uint64(15)
    is_cell = (resolution == CELL_RESOLUTION) & (mode == _CELL_MODE)
    if not is_cell.all() or not (cells[:-1] < cells[1:]).all():
        raise InputError(
            f"{source}: not ascending H3 cells of resolution {CELL_RESOLUTION}; make the region "
            "again"
        )
    cells.flags.writeable = False
    return cells


def _polygons(content: Mapping[str, Any]) -> list[Any]:
    """Return the polygons of GeoJSON that `region_from_geojson` has accepted, in its order."""
    kind = content["type"]
    if kind == "Polygon":
        return [content["coordinates"]]
    if kind == "MultiPolygon":
        return list(content["coordinates"])
    if kind == "Feature":
        return _polygons(content["geometry"])
    members = content["features" if kind == "FeatureCollection" else "geometries"]
    return [polygon for member in members for polygon in _polygons(member)]


def _plain(polygon: Sequence[Any]) -> list[Any]:
    """Return a polygon's rings of longitude and latitude as floats, without heights and -0.0."""
    return [[[float(x) + 0.0 for x in position[:2]] for position in ring] for ring in polygon]
