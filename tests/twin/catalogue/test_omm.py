"""OMM JSON and CSV: against the sgp4 library, and against TLEs of the same objects."""

import csv
import gzip
import io
import json
import lzma

import numpy as np
import pytest
from sgp4 import omm
from sgp4.api import Satrec
from tests.support.from_sgp4 import assert_equals_library

from skyweave.twin.catalogue import read_catalogue
from skyweave.twin.catalogue.elements import ARRAY_FIELDS

STARLINK = "omm/starlink_2025-05-24_gp.json.xz"


def same(one, other) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ARRAY_FIELDS)


@pytest.mark.parametrize(
    ("name", "objects"),
    [
        (STARLINK, 7_483),
        ("omm/goes_2025-05-24_gp.json", None),
        ("omm/noaa_2025-05-24_gp.json", None),
        ("omm/weather_2025-05-24_gp.json", None),
    ],
)
def test_every_element_equals_the_librarys(reference_data, name, objects):
    packed = (reference_data / name).read_bytes()
    records = json.loads(lzma.decompress(packed) if name.endswith("xz") else packed)
    catalogue = read_catalogue(reference_data / name)
    assert len(catalogue) == len(records) == (objects or len(records))
    assert catalogue.issues == ()
    library = [Satrec() for _ in records]
    for satellite, record in zip(library, records, strict=True):
        omm.initialize(satellite, record)
    assert_equals_library(catalogue, library)
    expected = np.array([record["EPOCH"] for record in records], dtype="datetime64[ns]")
    np.testing.assert_array_equal(catalogue.epoch_utc, expected)
    assert catalogue.name.tolist() == [record["OBJECT_NAME"] for record in records]
    assert catalogue.cospar_id.tolist() == [record["OBJECT_ID"] for record in records]


def test_csv_and_text_numbers_give_the_same_catalogue_as_json(reference_data, saved):
    records = json.loads(lzma.decompress((reference_data / STARLINK).read_bytes()))
    table = io.StringIO()
    writer = csv.DictWriter(table, records[0], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records)
    from_json = read_catalogue(reference_data / STARLINK)
    assert same(read_catalogue(saved(table.getvalue().encode())), from_json)
    as_text = [{key: str(value) for key, value in record.items()} for record in records]
    assert same(read_catalogue(saved(json.dumps(as_text).encode())), from_json)


def test_a_tle_and_an_omm_of_the_same_object_agree(reference_data, saved):
    folder = reference_data / "omm" / "geojson_gp_2025-12-27"
    contents = [
        gzip.decompress(p.read_bytes()) if p.suffix == ".gz" else p.read_bytes()
        for p in sorted(folder.iterdir())
    ]
    both = [f["properties"] for content in contents for f in json.loads(content)["features"]]
    both = [properties for properties in both if properties.get("tle")]
    lines = [properties["tle"][key] for properties in both for key in ("line1", "line2")]
    tle = read_catalogue(saved("\n".join(lines).encode(), "tle"), verify_checksums=False)
    from_omm = read_catalogue(saved(json.dumps([p["meta"] for p in both]).encode(), "omm"))
    assert len(tle) == len(from_omm) == len(both) > 500
    np.testing.assert_array_equal(tle.norad_id, from_omm.norad_id)
    np.testing.assert_array_equal(tle.cospar_id, from_omm.cospar_id)
    last_digit_of_a_tle_day = np.timedelta64(864_000, "ns")
    assert (np.abs(tle.epoch_utc - from_omm.epoch_utc) <= last_digit_of_a_tle_day).all()
    for column, last_digit in [  # the tool that wrote these TLEs cut digits off
        ("inclination_deg", 1e-4),
        ("raan_deg", 1e-4),
        ("argp_deg", 1e-4),
        ("mean_anomaly_deg", 1e-4),
        ("eccentricity", 1e-7),
        ("mean_motion_rev_day", 1e-8),
        ("mean_motion_dot_rev_day2", 1e-8),
    ]:
        ours, theirs = getattr(tle, column), getattr(from_omm, column)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1.01 * last_digit, err_msg=column)
    np.testing.assert_allclose(tle.bstar_per_radius, from_omm.bstar_per_radius, rtol=1e-4)


def test_nine_digit_and_alpha_5_numbers_are_read(texts, saved):
    numbers = [999_999_999, "100000000", "T0042", "25544", 25544]
    content = texts.json(*(texts.omm | {"NORAD_CAT_ID": number} for number in numbers))
    expected = [999_999_999, 100_000_000, 270_042, 25_544, 25_544]
    assert read_catalogue(saved(content)).norad_id.tolist() == expected


def test_a_single_record_a_zone_letter_and_missing_names_are_read(texts, saved):
    record = {key: value for key, value in texts.omm.items() if key != "OBJECT_NAME"}
    catalogue = read_catalogue(
        saved(json.dumps(record | {"EPOCH": "2026-06-13T20:02:44Z"}).encode())
    )
    assert catalogue.name.tolist() == [""]
    assert catalogue.epoch_utc[0] == np.datetime64("2026-06-13T20:02:44", "ns")


def test_nanoseconds_of_an_epoch_are_kept(texts, saved):
    record = texts.omm | {"EPOCH": "2026-06-13T20:02:44.240928123"}
    epoch = read_catalogue(saved(texts.json(record))).epoch_utc[0]
    assert epoch == np.datetime64("2026-06-13T20:02:44.240928123", "ns")


def test_quoted_csv_fields_may_hold_commas(texts, saved):
    content = texts.csv(texts.omm).replace(b"ISS (ZARYA)", b'"ISS, (ZARYA)"')
    assert read_catalogue(saved(content)).name.tolist() == ["ISS, (ZARYA)"]


def test_records_before_the_end_of_a_truncated_file_are_kept(texts, saved):
    content = texts.json(texts.omm, texts.omm | {"NORAD_CAT_ID": 20580}, texts.omm)
    catalogue = read_catalogue(saved(content[:-200]))
    assert catalogue.norad_id.tolist() == [25544, 20580]
    (issue,) = catalogue.issues
    assert issue.line == 40
    assert issue.reason.startswith("the JSON text breaks: ")
