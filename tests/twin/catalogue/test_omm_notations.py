"""One satellite, five notations: TLE and OMM as XML, KVN, JSON and CSV say the same, bit for bit.

Texts come from CelesTrak (as the sgp4 library quotes it, and its JSON of a day), from the library's
own exporters, and its parsers read them beside ours.
"""

import io
import json
import lzma

import numpy as np
import pytest
from sgp4 import exporter, omm
from sgp4 import tests as sgp4_tests
from sgp4.api import Satrec
from tests.support.from_sgp4 import assert_equals_library
from tests.support.omm_notations import csv_text, json_text, kvn_text, xml_text

from skyweave.time import TimeGrid
from skyweave.twin.catalogue import Catalogue, read_catalogue
from skyweave.twin.catalogue.elements import ARRAY_FIELDS
from skyweave.twin.orbits import propagate_teme

STARLINK = "omm/starlink_2025-05-24_gp.json.xz"
WRITERS = {"XML": xml_text, "KVN": kvn_text, "JSON": json_text, "CSV": csv_text}
NUMBERS = [name for name in ARRAY_FIELDS if name not in ("name", "cospar_id")]


def differing(one: Catalogue, other: Catalogue, columns=ARRAY_FIELDS) -> dict[str, int]:
    """Return how many values differ in any bit, by column."""
    assert len(one) == len(other)
    counts = {name: int((getattr(one, name) != getattr(other, name)).sum()) for name in columns}
    return {name: count for name, count in counts.items() if count}


def positions_teme_m(catalogue: Catalogue) -> np.ndarray:
    """Return positions (3, N, 3) at the latest epoch, six hours and a day later."""
    grid = TimeGrid(catalogue.epoch_utc.max(), np.array([0.0, 21_600.0, 86_400.0]))
    return propagate_teme(catalogue, grid)[0]


def values_apart(one: Catalogue, other: Catalogue) -> int:
    """Return how many elements and coordinates of positions differ in any bit."""
    ours, theirs = positions_teme_m(one), positions_teme_m(other)
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    return sum(differing(one, other).values()) + int((~same).sum())


@pytest.fixture(scope="module")
def day(reference_data, full_counts) -> list[dict]:
    """CelesTrak's JSON records of a day: all in full, else each tenth."""
    records = json.loads(lzma.decompress((reference_data / STARLINK).read_bytes()))
    return records if full_counts else records[::10]


def library(records) -> list[Satrec]:
    satellites = [Satrec() for _ in records]
    for satellite, record in zip(satellites, records, strict=True):
        omm.initialize(satellite, record)
    return satellites


def test_celestraks_xml_csv_and_tle_of_one_satellite_are_one(saved):
    texts = [sgp4_tests.MARIO_XML, sgp4_tests.MARIO_CSV, sgp4_tests.MARIO_TLE]
    from_xml, from_csv, from_tle = (read_catalogue(saved(text.encode())) for text in texts)
    assert differing(from_xml, from_csv) == {}
    assert differing(from_xml, from_tle) == {}
    (fields,) = omm.parse_xml(io.StringIO(sgp4_tests.MARIO_XML))
    assert_equals_library(from_xml, library([fields]))
    assert from_xml.name.tolist() == ["MARIO"]
    assert from_xml.cospar_id.tolist() == ["1998-067UQ"]


@pytest.mark.parametrize("notation", WRITERS)
def test_a_days_records_are_the_same_in_every_notation(
    day, reference_data, saved, notation, record_figure
):
    catalogue = read_catalogue(saved(WRITERS[notation](day)))
    original = read_catalogue(reference_data / STARLINK)
    original = original.take(np.isin(original.norad_id, [r["NORAD_CAT_ID"] for r in day]))
    assert catalogue.issues == ()
    assert_equals_library(catalogue, library(day))
    apart = values_apart(catalogue, original)
    assert apart == 0
    record_figure(
        f"OMM {notation} against JSON as published: elements and positions that differ",
        apart,
        f"of {len(day)} satellites",
        "0",
    )


def test_the_librarys_parsers_read_our_xml_and_csv_alike(day, saved):
    from_xml = list(omm.parse_xml(io.BytesIO(xml_text(day))))
    assert_equals_library(read_catalogue(saved(xml_text(day))), library(from_xml))
    from_csv = list(omm.parse_csv(io.StringIO(csv_text(day).decode(), newline="")))
    assert_equals_library(read_catalogue(saved(csv_text(day))), library(from_csv))


def test_the_tle_that_the_library_exports_has_the_same_elements(day, saved, record_figure):
    lines = [
        line
        for record, satellite in zip(day, library(day), strict=True)
        for line in (record["OBJECT_NAME"], *exporter.export_tle(satellite))
    ]
    from_tle = read_catalogue(saved("\n".join(lines).encode()))
    from_xml = read_catalogue(saved(xml_text(day)))
    assert from_tle.issues == ()
    apart = values_apart(from_tle, from_xml)
    assert apart == 0
    record_figure(
        "TLE exported by sgp4 against OMM: elements and positions that differ",
        apart,
        f"of {len(day)} satellites",
        "0",
    )


def test_the_librarys_positions_are_ours_within_its_epoch(day, saved, record_figure):
    """`sgp4.omm` keeps an epoch as days since 1950 in one float, which resolves 0.3 microseconds;
    what satellites fly in that time is all that may part the positions."""
    catalogue = read_catalogue(saved(kvn_text(day)))
    ours_m = positions_teme_m(catalogue)[1]
    at = catalogue.epoch_utc.max() + np.timedelta64(21_600, "s")
    day_start = at.astype("datetime64[D]")
    jd = 2440587.5 + day_start.astype(np.int64)
    fraction = (at - day_start) / np.timedelta64(1, "D")
    theirs_m = np.array([s.sgp4(float(jd), float(fraction))[1] for s in library(day)]) * 1e3
    apart_m = np.linalg.norm(ours_m - theirs_m, axis=-1)
    five_millimetres = 5e-3
    assert np.nanmax(apart_m) <= five_millimetres
    record_figure("positions from OMM against sgp4.omm", np.nanmax(apart_m), "m", "0.005")


@pytest.mark.parametrize("notation", WRITERS)
def test_records_exported_from_tles_are_read_as_the_library_wrote_them(
    reference_data, full_counts, saved, notation, record_figure
):
    path = reference_data / "tle" / "2026-06-14" / "active.tle.xz"
    lines = lzma.decompress(path.read_bytes()).decode().splitlines()
    step = 1 if full_counts else 30
    chosen = range(0, len(lines), 3 * step)
    satellites = [Satrec.twoline2rv(lines[at + 1], lines[at + 2]) for at in chosen]
    names = [lines[at].strip() for at in chosen]
    records = [exporter.export_omm(s, n) for s, n in zip(satellites, names, strict=True)]
    catalogue = read_catalogue(saved(WRITERS[notation](records)))
    assert catalogue.issues == ()
    assert_equals_library(catalogue, library(records))
    assert differing(catalogue, read_catalogue(saved(json_text(records)))) == {}
    # The exporter turns radians back into degrees and cuts microseconds off, so its records are
    # the TLE's only to the last bits, and again all of it when rounded to the TLE's digits.
    from_tle = read_catalogue(path)
    from_tle = from_tle.take(np.arange(0, len(from_tle), step))
    early = (from_tle.epoch_utc - catalogue.epoch_utc) / np.timedelta64(1, "us")
    assert set(early.tolist()) <= {0.0, 1.0}
    for column in NUMBERS:
        if column != "epoch_utc":
            ours, theirs = getattr(catalogue, column), getattr(from_tle, column)
            np.testing.assert_array_max_ulp(ours.astype(float), theirs.astype(float), maxulp=2)
    as_printed = read_catalogue(saved(WRITERS[notation]([*map(in_tle_digits, records)])))
    apart = values_apart(as_printed, from_tle)
    assert apart == 0
    record_figure(
        f"OMM {notation} with a TLE's digits against that TLE: elements and positions that differ",
        apart,
        f"of {len(records)} satellites",
        "0",
    )


def in_tle_digits(record: dict) -> dict:
    """Return an exported record as its TLE prints it: the epoch is a multiple of 864 us."""
    places = dict.fromkeys(("INCLINATION", "RA_OF_ASC_NODE", "ARG_OF_PERICENTER"), ".4f")
    places |= {"MEAN_ANOMALY": ".4f", "ECCENTRICITY": ".7f", "MEAN_MOTION": ".8f"}
    places |= {"BSTAR": ".4e", "MEAN_MOTION_DOT": ".8f"}
    step = np.timedelta64(864, "us")
    day = np.datetime64(record["EPOCH"][:10], "us")
    since = np.round((np.datetime64(record["EPOCH"], "us") - day) / step)
    epoch = day + int(since) * step
    rounded = {key: float(format(record[key], form)) for key, form in places.items()}
    return record | rounded | {"EPOCH": str(epoch)}


def test_units_comments_prefixes_and_a_single_root_change_nothing(texts, saved):
    plain = read_catalogue(saved(xml_text([texts.omm])))
    spaced = kvn_text([texts.omm], units=True).replace(b"\r\n\r\n", b"\r\nCOMMENT x = y\r\n\r\n")
    message = xml_text([texts.omm], units=True).split(b"\n")[2]
    for content in (
        xml_text([texts.omm], units=True),
        message,
        b'\xef\xbb\xbf\n\n<?xml version="1.0"?>' + message,
        xml_text([texts.omm])
        .replace(b"<", b"<n:")
        .replace(b"<n:/", b"</n:")
        .replace(b"<n:?", b"<?"),
        xml_text([texts.omm]).replace(b"\n", b""),
        kvn_text([texts.omm]),
        kvn_text([texts.omm], theory="SGP4").replace(b"\r\n", b"\n"),
        b"\xef\xbb\xbfCOMMENT by hand\r\n" + spaced,
        kvn_text([texts.omm]).replace(b"OBJECT_NAME ", b"META_START\r\nOBJECT_NAME "),
    ):
        catalogue = read_catalogue(saved(content))
        assert catalogue.issues == ()
        assert differing(catalogue, plain) == {}


def test_a_name_in_brackets_is_no_unit(texts, saved):
    record = texts.omm | {"OBJECT_NAME": "STARLINK-11072 [DTC]"}
    for text in (kvn_text([record]), xml_text([record])):
        assert read_catalogue(saved(text)).name.tolist() == ["STARLINK-11072 [DTC]"]
