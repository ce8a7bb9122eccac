"""The object with a region's cells and border: exactly what its record names, or refused."""

import dataclasses
import json

import numpy as np
import pytest

from skyweave.control.domain.documents import RegionRecord, canonical, digest_of
from skyweave.control.domain.geometry import geometry_of, parse_geometry
from skyweave.errors import InputError
from skyweave.policy.regions import region_from_geojson

BOX = [[-28.0, 30.0, 12.5], [-27.0, 30.0], [-27.0, 31.0], [-28.0, 31.0], [-28.0, 30.0, 12.5]]
HOLE = [[-27.6, 30.4], [-27.6, 30.6], [-27.4, 30.6], [-27.4, 30.4], [-27.6, 30.4]]
FAR = [[[170, 10], [180, 10], [180, 11], [170, 11], [170, 10]]]
SHAPES = {
    "a polygon": {"type": "Polygon", "coordinates": [BOX, HOLE]},
    "several": {"type": "MultiPolygon", "coordinates": [[BOX], FAR]},
    "a feature": {"type": "Feature", "properties": {"name": "x"},
                  "geometry": {"type": "Polygon", "coordinates": [BOX]}},
    "a collection in a collection": {
        "type": "FeatureCollection",
        "features": [{"type": "GeometryCollection",
                      "geometries": [{"type": "Polygon", "coordinates": FAR}]}],
    },
}  # fmt: skip


def made(shape="a polygon", rule="centre"):
    """A geometry and the record that names it."""
    region = region_from_geojson(SHAPES[shape], "bay", rule, boundary_data="chart 7")
    return region, geometry_of(region, SHAPES[shape])


def record_of(content, digest_of_region, cells):
    return RegionRecord(
        region_id="bay", version=1, title="Bay", digest_of_region=digest_of_region,
        geometry=digest_of(content), cells=cells, needs_licence=True,
    )  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rule", ["centre", "overlap"])
def test_the_object_gives_back_cells_border_and_digest_of_the_region(shape, rule):
    region, geometry = made(shape, rule)
    content = geometry.encode()
    found = parse_geometry(content, record_of(content, region.digest, len(region)))
    np.testing.assert_array_equal(found.cells, region.cells)
    assert found.digest_of_region == region.digest  # as `policy.regions` computes it
    assert found.drawn_again().digest == region.digest
    assert not found.cells.flags.writeable


def test_heights_and_names_of_a_border_are_not_kept():
    _, geometry = made("a feature")
    assert b"12.5" not in geometry.encode()
    assert b"name" not in geometry.encode()


def rewritten(change):
    """The bytes of a geometry after a change, and the record of the honest one but for its digest.

    Only who makes both record and object can do this: whoever else is stopped by the digest.
    """
    region, geometry = made()
    fields = json.loads(geometry.encode())
    change(fields)
    content = canonical(fields)
    return content, record_of(content, region.digest, len(region))


def put(name, value):
    return lambda fields: fields.update({name: value})


def reverse(fields):
    fields["cells"].reverse()


FAULTS = {
    "a cell less": (lambda f: f["cells"].pop(), "its cells are not those"),
    "a neighbour's cell": (
        lambda f: f["cells"].__setitem__(-1, "85ffffffffffff"[:14] + "b"), "cells",
    ),
    "another rule": (put("rule", "overlap"), "its cells are not those"),
    "cells in another order": (reverse, "not ascending H3 cells"),
    "a cell of another resolution": (put("cells", ["843f1a3ffffffff"]), "resolution 5"),
    "a cell that is no hexadecimal": (put("cells", ["85391b1bfffffzz"]), "hexadecimal"),
    "no cells": (put("cells", []), "1 to 1,000,000 cells"),
    "cells that are numbers": (put("cells", [5]), "hexadecimal"),
    "polygons of texts": (put("polygons", [[[["a", "b"]]]]), "no lists of positions"),
    "polygons of whole numbers": (put("polygons", [[[[1, 2]]]]), "no lists of positions"),
    "a digest that is none": (put("polygon_digest", "md5:00"), "no SHA-256"),
    "a library without end": (put("h3_version", "4" * 501), "no short text"),
    "another format": (put("format", "skyweave.geometry.v2"), "expected the keys"),
    "one more key": (put("note", ""), "expected the keys"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_geometry_that_is_not_its_region_s_is_refused(fault):
    change, why = FAULTS[fault]
    content, record = rewritten(change)
    with pytest.raises(InputError) as refused:
        parse_geometry(content, record, "g")
    assert str(refused.value).startswith("g: ")
    assert why in str(refused.value)


def test_the_line_on_the_map_cannot_be_moved_after_it_was_signed():
    """Another border under the same record would switch other people's service."""
    region, geometry = made()
    record = record_of(geometry.encode(), region.digest, len(region))
    moved = dataclasses.replace(geometry, cells=geometry.cells[:-1]).encode()
    with pytest.raises(InputError, match="not the geometry that region bay version 1 names"):
        parse_geometry(moved, record)


def test_other_spellings_and_no_json_are_refused():
    region, geometry = made()
    for content in (
        json.dumps(json.loads(geometry.encode())).encode(),
        b"{",
        b"\xff",
        b"[" * 10**5,
    ):
        with pytest.raises(InputError, match="make the region again"):
            parse_geometry(content, record_of(content, region.digest, len(region)))


def test_a_geometry_too_large_is_not_read(monkeypatch):
    region, geometry = made()
    content = geometry.encode()
    monkeypatch.setattr("skyweave.control.domain.geometry.MAX_GEOMETRY_BYTES", len(content) - 1)
    with pytest.raises(InputError, match="draw the region coarser"):
        parse_geometry(content, record_of(content, region.digest, len(region)))
