"""TLE and 3LE: against the sgp4 library's own reading, and the liberties files take."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from time import perf_counter

import numpy as np
import pytest
from sgp4.alpha5 import to_alpha5
from sgp4.api import Satrec

from skyweave.data import read_data_text
from skyweave.twin.catalogue import Catalogue, read_catalogue
from skyweave.twin.catalogue.elements import ARRAY_FIELDS

DEG = np.pi / 180.0
THREE_ROUNDINGS = 4e-16  # of the library: B*, its mantissa and its power of ten
ONE_MICROSECOND = np.timedelta64(1, "us")


@pytest.fixture(scope="module")
def builtin() -> Catalogue:
    return read_catalogue("builtin:2026-06-14")


@pytest.fixture(scope="module")
def library() -> list[Satrec]:
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    return [Satrec.twoline2rv(*pair) for pair in zip(lines[1::3], lines[2::3], strict=True)]


def same(one: Catalogue, other: Catalogue) -> bool:
    return all(np.array_equal(getattr(one, n), getattr(other, n)) for n in ARRAY_FIELDS)


def test_every_element_of_the_built_in_catalogue_equals_the_librarys(builtin, library):
    def theirs(name):
        return np.array([getattr(satellite, name) for satellite in library])

    assert len(builtin) == len(library) == 15_699
    assert builtin.issues == ()
    np.testing.assert_array_equal(builtin.norad_id, theirs("satnum"))
    np.testing.assert_array_equal(builtin.eccentricity, theirs("ecco"))
    for ours, name in [
        (builtin.inclination_deg, "inclo"),
        (builtin.raan_deg, "nodeo"),
        (builtin.argp_deg, "argpo"),
        (builtin.mean_anomaly_deg, "mo"),
    ]:
        np.testing.assert_array_equal(ours * DEG, theirs(name))
    rev_day = 1440.0 / (2.0 * np.pi)
    np.testing.assert_array_equal(builtin.mean_motion_rev_day / rev_day, theirs("no_kozai"))
    np.testing.assert_array_equal(
        builtin.mean_motion_dot_rev_day2 / (rev_day * 1440.0), theirs("ndot")
    )
    np.testing.assert_allclose(
        builtin.bstar_per_radius, theirs("bstar"), rtol=THREE_ROUNDINGS, atol=0
    )


def test_names_and_designators_are_those_printed(builtin):
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    assert builtin.name.tolist() == [line.strip() for line in lines[0::3]]
    iss = int(np.flatnonzero(builtin.norad_id == 25544)[0])
    assert builtin.name[iss] == "ISS (ZARYA)"
    assert builtin.cospar_id[iss] == "1998-067A"
    assert (builtin.cospar_id != "").all()
    assert (builtin.grid_shell == -1).all()
    assert (builtin.grid_plane == -1).all()
    assert (builtin.grid_slot == -1).all()


def test_epochs_are_exact_to_the_nanosecond(builtin):
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()[1::3]
    new_year_ns = int(np.datetime64("2026-01-01", "ns").astype(np.int64))
    days = [Decimal(line[20:32]) - 1 for line in lines]
    expected_ns = [new_year_ns + int(day * 86_400 * 10**9) for day in days]
    assert builtin.epoch_utc.astype(np.int64).tolist() == expected_ns


def test_the_built_in_catalogue_is_read_quickly(builtin, record_figure):
    started_s = perf_counter()
    read_catalogue("builtin:2026-06-14")
    record_figure("read 15,699 element sets", perf_counter() - started_s, "s", "1.5")


@pytest.mark.parametrize(
    ("name", "objects"),
    [
        ("2026-06-14/active.tle.xz", 15_699),
        ("2026-06-14/starlink.tle.gz", 10_544),
        ("2026-06-14/oneweb.tle.gz", 651),
        ("2026-06-14/gps-ops.tle", 32),
        ("2026-06-14/stations.tle", 25),
        ("2026-06-14/weather.tle", 74),
        ("2026-06-14/science.tle", 49),
        ("2026-05-28T0635Z/starlink.tle.gz", 10_398),
        ("2026-05-28T0635Z/oneweb.tle", 651),
        ("2026-05-28T0635Z/geo.tle", 574),
        ("2026-05-28T0635Z/resource.tle", 167),
        ("2026-05-24T0538Z/starlink.tle.gz", 10_356),
        ("2026-05-24T0538Z/geo.tle", 568),
        ("2024-10-21T0730Z/starlink.tle.gz", 6_469),
        ("2022-09-14_starrynet/Iridium.tle", 31),
        ("2022-09-14_starrynet/Telesat.tle", 21),
    ],
)
def test_shared_sets_hold_the_published_number_of_objects(reference_data, name, objects):
    catalogue = read_catalogue(reference_data / "tle" / name)
    assert len(catalogue) == len(np.unique(catalogue.norad_id)) == objects
    assert catalogue.issues == ()


def test_vallados_verification_set_is_read_but_for_its_three_broken_checksums(reference_data):
    path = reference_data / "sgp4" / "SGP4-VER.TLE"
    catalogue = read_catalogue(path)
    assert [(issue.line, issue.text[2:7]) for issue in catalogue.issues] == [
        (100, "33333"),
        (103, "33334"),
        (106, "33335"),
    ]
    assert len(catalogue) == 30  # object 20413 stands there twice


def test_vallados_verification_set_is_whole_without_checksums(reference_data):
    path = reference_data / "sgp4" / "SGP4-VER.TLE"
    catalogue = read_catalogue(path, verify_checksums=False)
    lines = [line for line in path.read_text().splitlines() if line[:1] in "12"]
    library = [Satrec.twoline2rv(*pair) for pair in zip(lines[0::2], lines[1::2], strict=True)]
    assert catalogue.issues == ()
    assert catalogue.norad_id.tolist() == [satellite.satnum for satellite in library]
    assert catalogue.eccentricity.tolist() == [satellite.ecco for satellite in library]
    half_a_degree_digit = 1e-15
    np.testing.assert_allclose(
        catalogue.inclination_deg * DEG,
        [satellite.inclo for satellite in library],
        atol=half_a_degree_digit,
    )
    np.testing.assert_allclose(
        catalogue.bstar_per_radius, [satellite.bstar for satellite in library], rtol=THREE_ROUNDINGS
    )
    epochs = [
        datetime(s.epochyr + (1900 if s.epochyr >= 57 else 2000), 1, 1, tzinfo=UTC)
        + timedelta(days=s.epochdays - 1)
        for s in library
    ]
    expected = np.array([e.replace(tzinfo=None) for e in epochs], dtype="datetime64[ns]")
    assert (np.abs(catalogue.epoch_utc - expected) <= ONE_MICROSECOND).all()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("prefix", ["", "0 "])
def test_names_may_be_numbered_and_lines_may_end_as_they_like(texts, saved, end, prefix):
    plain = read_catalogue(saved(texts.tle("ISS (ZARYA)", *texts.iss)))
    content = texts.tle(f"{prefix}ISS (ZARYA)          ", *texts.iss, end=end)
    assert same(read_catalogue(saved(content)), plain)


def test_sets_without_names_have_empty_names(texts, saved):
    catalogue = read_catalogue(saved(texts.tle(*texts.iss, "HST", *texts.hst)))
    assert catalogue.name.tolist() == ["", "HST"]
    assert catalogue.norad_id.tolist() == [25544, 20580]


def test_blank_lines_comments_and_text_after_the_checksum_are_passed_over(texts, saved):
    one, two = texts.iss
    content = texts.tle("# from a mail", "", "ISS", one, "   ", f"{two}    0.0   1440.0", "")
    catalogue = read_catalogue(saved(content))
    assert catalogue.name.tolist() == ["ISS"]
    assert catalogue.issues == ()


@pytest.mark.parametrize("number", [100_000, 170_001, 189_999, 230_000, 270_042, 339_999])
def test_alpha_5_numbers_are_those_of_the_library(texts, saved, number):
    one, two = (texts.changed(line, 3, to_alpha5(number)) for line in texts.iss)
    assert read_catalogue(saved(texts.tle(one, two))).norad_id.tolist() == [number]


@pytest.mark.parametrize(
    ("digits", "year"), [("57", 1957), ("99", 1999), ("00", 2000), ("56", 2056)]
)
def test_two_digit_years_reach_from_1957_to_2056(texts, saved, digits, year):
    one, two = texts.changed(texts.iss[0], 19, digits), texts.iss[1]
    epoch = read_catalogue(saved(texts.tle(one, two))).epoch_utc[0]
    assert epoch.astype("datetime64[Y]").astype(int) + 1970 == year


def test_a_number_with_blanks_before_it_reads_as_with_zeros(texts, saved):
    one, two = texts.iss
    padded = texts.changed(two, 9, "  1.6333"), texts.changed(two, 9, "001.6333")
    read = [read_catalogue(saved(texts.tle(one, line))) for line in padded]
    assert same(*read)
    assert read[0].inclination_deg.tolist() == [1.6333]


@pytest.mark.parametrize(
    ("printed", "bstar"),
    [
        (" 12345-3", 0.12345e-3),
        ("-12345-3", -0.12345e-3),
        ("+12345+1", 1.2345),
        (" 00000+0", 0.0),
        (" 99999+9", 0.99999e9),
        (" 14311 1", 1.4311),
    ],
)
def test_drag_terms_have_an_implied_point_and_a_power_of_ten(texts, saved, printed, bstar):
    one, two = texts.changed(texts.iss[0], 54, printed), texts.iss[1]
    assert read_catalogue(saved(texts.tle(one, two))).bstar_per_radius.tolist() == [bstar]


@pytest.mark.parametrize(
    ("column", "printed", "field", "value"),
    [
        (9, "180.0000", "inclination_deg", 180.0),
        (9, "000.0000", "inclination_deg", 0.0),
        (18, "360.0000", "raan_deg", 360.0),
        (27, "0000000", "eccentricity", 0.0),
        (27, "9999999", "eccentricity", 0.9999999),
        (53, "20.00000000", "mean_motion_rev_day", 20.0),
    ],
)
def test_the_ends_of_each_range_are_accepted(texts, saved, column, printed, field, value):
    one, two = texts.iss[0], texts.changed(texts.iss[1], column, printed)
    assert getattr(read_catalogue(saved(texts.tle(one, two))), field).tolist() == [value]


@pytest.mark.parametrize(
    ("printed", "designator"),
    [("57001A  ", "1957-001A"), ("56123ABC", "2056-123ABC"), ("98067   ", ""), ("9806ABC ", "")],
)
def test_designators_have_the_four_digit_year(texts, saved, printed, designator):
    one, two = texts.changed(texts.iss[0], 10, printed), texts.iss[1]
    assert read_catalogue(saved(texts.tle(one, two))).cospar_id.tolist() == [designator]


def test_an_unknown_designator_is_empty(texts, saved):
    one, two = texts.changed(texts.iss[0], 10, "        "), texts.iss[1]
    assert read_catalogue(saved(texts.tle(one, two))).cospar_id.tolist() == [""]


def test_every_column_has_one_row_per_satellite(builtin):
    for field in fields(Catalogue):
        if field.name in ARRAY_FIELDS:
            column = getattr(builtin, field.name)
            assert column.shape == (15_699,), field.name
            assert column.flags.c_contiguous, field.name
