"""Whatever is drawn as a region: cells, or one line that says what to do."""

import copy
import json
import math
import random
import resource

from skyweave.errors import InputError
from skyweave.policy import Region, region_from_geojson

MEMORY_GROWTH_KIB = 200 * 1024


def square(west, south, side_deg=0.3):
    east, north = west + side_deg, south + side_deg
    return [[west, south], [east, south], [east, north], [west, north], [west, south]]


def polygon(*rings):
    return {"type": "Polygon", "coordinates": list(rings)}


GOOD = [
    polygon(square(8.0, 47.0), square(8.1, 47.1, 0.1)),
    polygon(square(179.9, -17.0)),
    {"type": "MultiPolygon", "coordinates": [[square(8.0, 47.0)], [square(9.0, 47.0)]]},
    {
        "type": "FeatureCollection",
        "features": [
            {"type": "Feature", "properties": {}, "geometry": polygon(square(0.0, 0.0))},
            {
                "type": "Feature",
                "properties": None,
                "geometry": {"type": "GeometryCollection", "geometries": [polygon(square(1, 1))]},
            },
        ],
    },
    {
        **polygon(square(-70.0, -30.0)),
        "crs": {"type": "name", "properties": {"name": "urn:ogc:def:crs:OGC:1.3:CRS84"}},
    },
]
PIECES = [
    None, True, False, "", "Polygon", "Feature", "é\ud800", 0, -1, 1e308, -1e308, math.nan,
    math.inf,
    10**400, 1e-320, 180.0, -180.0, 360.0, 90.0, -90.0, 8.1, 47.1, [], {}, [[]], [0, 0],
    [[8, 47], [9, 47]], {"type": "Point", "coordinates": [8, 47]},
    polygon(square(8.05, 47.05, 0.2)),
    [[8.0, 47.0]] * 4, "x" * 5_000, [1, 2, 3, 4, 5], {"type": []}, {"coordinates": {}},
]  # fmt: skip
TOKENS = ["[", "]", "{", "}", ",", ":", '"', "-", "1e9", "null", "[[[[", "0", "9", "\\u0000"]


def places(value, at=()):
    """Yield the path to every value inside a value."""
    yield at
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(each, (*at, key))


def spoilt(good, rng):
    """Return GeoJSON values after a few random changes of values, or of characters."""
    content = copy.deepcopy(good)
    if rng.random() < 0.2:
        return _spoilt_text(json.dumps(content), rng)
    for _ in range(rng.randint(1, 3)):
        at = rng.choice([path for path in places(content) if path] or [()])
        if not at:
            return rng.choice(PIECES)
        holder = content
        for key in at[:-1]:
            holder = holder[key]
        _change(holder, at[-1], rng)
    return content


def _change(holder, key, rng):
    kind = rng.randrange(5)
    if kind == 0:
        holder[key] = copy.deepcopy(rng.choice(PIECES))
    elif kind == 1:
        del holder[key]
    elif kind == 2 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[rng.randrange(len(holder))]))
    elif kind == 3 and isinstance(holder, list):
        rng.shuffle(holder)
    elif isinstance(holder[key], (int, float)) and abs(holder[key]) < 1e300:
        is_near = rng.random() < 0.9  # what is far makes areas of many cells, which take long
        holder[key] = holder[key] + rng.gauss(0.0, 0.2) if is_near else rng.uniform(-400.0, 400.0)


def _spoilt_text(text, rng):
    """Return what is left of a text after changes, where it still is JSON; else the text."""
    for _ in range(rng.randint(1, 3)):
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(TOKENS) + text[place + rng.randrange(3) :]
    try:
        return json.loads(text)
    except ValueError:
        return text


def test_no_drawing_crashes_the_reader(full_counts, record_figure):
    rng = random.Random(7)
    count = 200_000 if full_counts else 2_000
    read = 0
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for n in range(count):
        try:
            found = region_from_geojson(spoilt(GOOD[n % len(GOOD)], rng), "x", source="area.json")
        except InputError as error:
            said = str(error)
            assert said.startswith("area.json")
            assert "\n" not in said
            assert 20 < len(said) < 400
        else:
            assert isinstance(found, Region)
            read += 1
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    record_figure("regions: spoilt GeoJSON read without a crash", count, "", "200k")
    record_figure("regions: memory that reading them took", grown_kib / 1024, "MB", "200 MB")
    assert grown_kib < MEMORY_GROWTH_KIB
    assert 0.02 * count < read < 0.9 * count


def test_the_drawings_that_are_spoilt_are_good():
    for good in GOOD:
        assert len(region_from_geojson(good, "x")) > 0
