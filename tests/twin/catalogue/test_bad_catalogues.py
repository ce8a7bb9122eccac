"""Bad rows are reported and left out, bad files refused: each with one advising sentence."""

import contextlib
import gzip
import lzma
import os

import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.twin.catalogue import files, read_catalogue
from skyweave.twin.catalogue.files import MAX_LINE_BYTES, read_content, unpack

ONE, TWO = (
    "1 25544U 98067A   26164.83523427  .00008738  00000+0  16534-3 0  9990",
    "2 25544  51.6333 316.6832 0004955 182.4672 177.6293 15.49214103571238",
)


def changed(line, column, text):
    """Return a line with other text from a column on, the checksum as it was."""
    return line[: column - 1] + text + line[column - 1 + len(text) :]


# name: the lines of the bad set, which of them is at fault (from 1), and what is said of it
BAD_SETS = {
    "wrong checksum of line 1": (
        ["ISS", changed(ONE, 69, "4"), TWO],
        2,
        "the checksum in column 69 is '4' but the line adds up to 0; a character was changed",
    ),
    "wrong checksum of line 2": (
        ["ISS", ONE, changed(TWO, 12, ".7")],
        3,
        "the checksum in column 69 is '8' but the line adds up to 9",
    ),
    "no checksum": (
        ["ISS", ONE, TWO[:68]],
        3,
        "has 68 characters, expected 69; its end is missing",
    ),
    "line 2 cut short": (["ISS", ONE, TWO[:40]], 3, "has 40 characters, expected 69"),
    "line 1 cut short": (["ISS", ONE[:32], TWO], 2, "has 32 characters, expected 69"),
    "no line 2": (["ISS", ONE], 2, "line 1 of object 25544 is not followed by its line 2"),
    "no line 1": (["ISS", TWO], 2, "line 2 of object 25544 has no line 1 before it"),
    "swapped lines": (
        ["ISS", TWO, ONE],
        2,
        "line 2 of object 25544 stands before its line 1; swap them",
    ),
    "swapped lines without name": (
        [TWO, ONE],
        1,
        "line 2 of object 25544 stands before its line 1",
    ),
    "lines of two objects": (
        ["ISS", ONE, changed(TWO, 3, "25545")],
        3,
        "line 2 is of object 25545 but line 1 before it of object 25544; both lines of a set name "
        "the same object",
    ),
    "line number 3": (
        ["ISS", changed(ONE, 1, "3"), TWO],
        3,
        "line 2 of object 25544 has no line 1 before it",
    ),
    "columns shifted": (
        ["ISS", ONE[:20] + " " + ONE[20:68], TWO],
        2,
        "column 24 holds '4', expected '.'; the columns are shifted or damaged",
    ),
    "a character behind the checksum": (
        ["ISS", ONE + "7", TWO],
        2,
        "column 70 holds '7', expected a",
    ),
    "letters for an eccentricity": (
        ["ISS", ONE, changed(TWO, 27, "    NaN")],
        3,
        "columns 27 to 33 hold '    NaN', expected the eccentricity as NNNNNNN",
    ),
    "NaN for an inclination": (
        ["ISS", ONE, changed(TWO, 9, "NaN.    ")],
        3,
        "columns 9 to 16 hold 'NaN.    ', expected the inclination as NNN.NNNN",
    ),
    "a blank in a mean motion": (
        ["ISS", ONE, changed(TWO, 57, " ")],
        3,
        "columns 53 to 63 hold '15.4 214103', expected the mean motion as NN.NNNNNNNN",
    ),
    "an empty argument of perigee": (
        ["ISS", ONE, changed(TWO, 35, "   .    ")],
        3,
        "columns 35 to 42 hold '   .    ', expected the argument of perigee as NNN.NNNN",
    ),
    "letters for a drag term": (
        ["ISS", changed(ONE, 54, " 1x534-3"), TWO],
        2,
        "columns 54 to 61 hold ' 1x534-3', expected a number such as -12345-6, which stands for",
    ),
    "no sign of an exponent": (
        ["ISS", changed(ONE, 45, " 00000x0"), TWO],
        2,
        "columns 45 to 52 hold ' 00000x0', expected a number such as",
    ),
    "no sign of a derivative": (
        ["ISS", changed(ONE, 34, "x"), TWO],
        2,
        "column 34 holds 'x', expected the sign of the first derivative",
    ),
    "letters for a year": (
        ["ISS", changed(ONE, 19, "2b"), TWO],
        2,
        "columns 19 to 20 hold '2b', expected the epoch year as NN",
    ),
    "the letter I in a number": (
        ["ISS", changed(ONE, 3, "I5544"), changed(TWO, 3, "I5544")],
        2,
        "columns 3 to 7 hold 'I5544', expected the object's number: five digits, of which the "
        "first may be a letter other than I and O (Alpha-5)",
    ),
    "object number 0": (
        ["ISS", changed(ONE, 3, "00000"), changed(TWO, 3, "00000")],
        2,
        "columns 3 to 7 hold '00000', expected the object's number",
    ),
    "letters for an element set number": (
        ["ISS", changed(ONE, 65, " 9x9"), TWO],
        2,
        "columns 65 to 68 hold ' 9x9', expected the element set number as NNNN",
    ),
    "bytes of another alphabet": (
        ["ISS", changed(ONE, 10, "\xe4"), TWO],
        2,
        "the line has characters other than printable ASCII",
    ),
    "a name of another alphabet": (
        ["Sputnik \xb5", ONE, TWO],
        1,
        "the name has characters other than printable ASCII; rename the object",
    ),
    "a name of 101 characters": (
        ["S" * 101, ONE, TWO],
        1,
        "the name has 101 characters, over the 100 accepted",
    ),
    "an overlong line": (
        ["x" * (MAX_LINE_BYTES + 1)],
        1,
        "the line is 65537 bytes long, over the 65536 accepted, and was not read",
    ),
    "text that belongs to nothing": (
        ["Elements of the week", "see also", "ISS", ONE[:60], TWO],
        4,
        "has 60 characters",
    ),
    "records of another format": (
        ["{", '  "OBJECT_NAME": "ISS (ZARYA)",', "}"],
        1,
        "found OMM text among element lines; keep one format in a file",
    ),
}
# the same with a good checksum: elements that no orbit has
BAD_ELEMENTS = {
    "inclination 180.0001": (
        2,
        9,
        "180.0001",
        "the inclination is 180.0001, expected 0 to 180 deg",
    ),
    "node 360.0001": (
        2,
        18,
        "360.0001",
        "the right ascension of the ascending node is 360.0001, expected 0 to 360 deg",
    ),
    "perigee 999": (2, 35, "999.0000", "the argument of perigee is 999, expected 0 to 360 deg"),
    "mean anomaly 400": (2, 44, "400.0000", "the mean anomaly is 400, expected 0 to 360 deg"),
    "mean motion 0": (
        2,
        53,
        " 0.00000000",
        "the mean motion is 0, expected more than 0 and at most",
    ),
    "mean motion 66": (2, 53, "66.00000000", "the mean motion is 66, expected more than 0 and at"),
    "day 0": (
        1,
        21,
        "000.50000000",
        "the epoch's day of the year is 000.50000000, expected 1 to 366",
    ),
    "day 367": (
        1,
        21,
        "367.00000000",
        "the epoch's day of the year is 367.00000000, expected 1 to",
    ),
    "SGP4-XP": (
        1,
        63,
        "4",
        "the ephemeris type is 4 (SGP4-XP), which SGP4 cannot propagate; fetch",
    ),
}

BAD_RECORDS = {
    "no mean motion": ({"MEAN_MOTION": None}, "MEAN_MOTION is missing"),
    "NaN": ({"ECCENTRICITY": float("nan")}, "ECCENTRICITY is nan, expected a finite number"),
    "infinity": ({"BSTAR": float("inf")}, "BSTAR is inf, expected a finite number"),
    "text": ({"INCLINATION": "steep"}, "INCLINATION is 'steep', expected a finite number"),
    "an underscore": ({"INCLINATION": "5_1.6"}, "INCLINATION is '5_1.6', expected a finite number"),
    "a list": ({"BSTAR": [1]}, "BSTAR is a list, expected a finite number"),
    "true": ({"BSTAR": True}, "BSTAR is true or false, expected a finite number"),
    "eccentricity 1": (
        {"ECCENTRICITY": 1.0},
        "ECCENTRICITY: the eccentricity is 1, expected 0 or more and less than 1",
    ),
    "eccentricity without its point": (
        {"ECCENTRICITY": 4955},
        "ECCENTRICITY: the eccentricity is 4955, expected 0 or more and less than 1",
    ),
    "negative inclination": (
        {"INCLINATION": -1},
        "INCLINATION: the inclination is -1, expected 0 to",
    ),
    "mean motion in rad/day": (
        {"MEAN_MOTION": 97.3},
        "MEAN_MOTION: the mean motion is 97.3, expected",
    ),
    "object 0": (
        {"NORAD_CAT_ID": 0},
        "NORAD_CAT_ID is 0, expected a whole number from 1 to 999999999",
    ),
    "object 1.5": ({"NORAD_CAT_ID": 1.5}, "NORAD_CAT_ID is 1.5, expected a whole number from 1 to"),
    "ten digits": ({"NORAD_CAT_ID": 10**9}, "NORAD_CAT_ID is 1000000000, expected a whole number"),
    "300 digits": ({"NORAD_CAT_ID": int("9" * 300)}, "NORAD_CAT_ID is 1e+300, expected a whole"),
    "February 30": (
        {"EPOCH": "2026-02-30T00:00:00"},
        "EPOCH is 2026-02-30T00:00:00, which is no date",
    ),
    "a local time": (
        {"EPOCH": "2026-06-13T20:02:44+02:00"},
        "EPOCH is '2026-06-13T20:02:44+02:00', expected UTC such as 2026-06-14T12:00:12.5",
    ),
    "year 1956": (
        {"EPOCH": "1956-06-13T20:02:44"},
        "EPOCH is 1956-06-13T20:02:44, expected a year from",
    ),
    "another theory": (
        {"MEAN_ELEMENT_THEORY": "SGP4-XP"},
        "MEAN_ELEMENT_THEORY is 'SGP4-XP', expected",
    ),
    "SGP4-XP": (
        {"EPHEMERIS_TYPE": 4},
        "EPHEMERIS_TYPE is 4 (SGP4-XP), which SGP4 cannot propagate",
    ),
    "another time": ({"TIME_SYSTEM": "TAI"}, "TIME_SYSTEM is 'TAI', expected UTC"),
    "another centre": ({"CENTER_NAME": "MARS"}, "CENTER_NAME is 'MARS', expected EARTH"),
    "a strange name": (
        {"OBJECT_NAME": "A\x1b[2J"},
        "OBJECT_NAME: the name has characters other than",
    ),
}


@pytest.mark.parametrize(("lines", "fault", "reason"), BAD_SETS.values(), ids=BAD_SETS.keys())
def test_a_bad_set_is_reported_and_the_others_stay(texts, saved, lines, fault, reason):
    path = saved(texts.tle("HST", *texts.hst, *lines, "HST AGAIN", *texts.hst))
    catalogue = read_catalogue(path)
    assert catalogue.name.tolist() == ["HST", "HST AGAIN"]
    issue = catalogue.issues[-1]
    assert issue.source == str(path)
    assert issue.line == 3 + fault
    assert reason in issue.reason
    assert (
        issue.text == lines[fault - 1].encode("latin-1").decode("ascii", "backslashreplace")[:200]
    )


@pytest.mark.parametrize(
    ("line", "column", "text", "reason"), BAD_ELEMENTS.values(), ids=BAD_ELEMENTS.keys()
)
def test_elements_no_orbit_has_are_reported(texts, saved, line, column, text, reason):
    lines = list(texts.iss)
    lines[line - 1] = texts.changed(lines[line - 1], column, text)
    catalogue = read_catalogue(saved(texts.tle("HST", *texts.hst, "ISS", *lines)))
    assert catalogue.name.tolist() == ["HST"]
    (issue,) = catalogue.issues
    assert issue.line == 4 + line
    assert issue.reason.startswith(reason)


@pytest.mark.parametrize(("change", "reason"), BAD_RECORDS.values(), ids=BAD_RECORDS.keys())
def test_a_bad_record_is_reported_and_the_others_stay(texts, saved, change, reason):
    good = texts.omm | {"NORAD_CAT_ID": 20580}
    catalogue = read_catalogue(saved(texts.json(good, texts.omm | change, good)))
    assert catalogue.norad_id.tolist() == [20580, 20580]
    (issue,) = catalogue.issues
    assert issue.line == 21
    assert issue.reason.startswith(reason)
    assert issue.text.startswith('{ "OBJECT_NAME": "')


def test_every_loose_line_is_accounted_for(texts, saved):
    one, two = texts.iss
    content = texts.tle("A", one, two, "B", "C", two, one, one, "D", one, two, two, "E")
    catalogue = read_catalogue(saved(content))
    assert catalogue.name.tolist() == ["A", "D"]
    assert [(issue.line, issue.reason.split(" of object")[0]) for issue in catalogue.issues] == [
        (4, "found text that is neither an element line nor the name right before one"),
        (6, "line 2"),
        (8, "line 1"),
        (12, "line 2"),
        (13, "found text that is neither an element line nor the name right before one"),
    ]


def test_a_file_of_swapped_lines_names_each_set(texts, saved):
    with pytest.raises(
        InputError,
        match=r"line 1: line 2 of object 25544 stands before its line 1; "
        r"swap them \(nor is any of the 1 other rows usable\)",
    ):
        read_catalogue(saved(texts.tle(*texts.iss[::-1], *texts.hst[::-1])))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"1,2\n", "the line has 2 fields, expected 17 as in the line of keywords"),
        (
            b"x" * (MAX_LINE_BYTES + 1),
            "the line is 65537 bytes long, over the 65536 accepted; it was",
        ),
        (b"ISS\xff" + b"," * 16, "NORAD_CAT_ID is missing"),
    ],
)
def test_a_bad_csv_line_is_reported_and_the_others_stay(texts, saved, content, reason):
    good = texts.csv(texts.omm)
    catalogue = read_catalogue(saved(good + content))
    assert catalogue.norad_id.tolist() == [25544]
    (issue,) = catalogue.issues
    assert issue.line == 3
    assert issue.reason.startswith(reason)


@pytest.mark.parametrize(
    ("content", "reason", "line"),
    [
        (b'[1, "x"]', "found a number where a record in braces was expected", 1),
        (b"[[]]", "found a list where a record in braces was expected", 1),
        (b"[" + b"[" * 50_000, "the JSON text breaks: it is nested too deep; fetch it again", 1),
        (b'[\n{"a": }]', "the JSON text breaks: Expecting value in line 2, column 7", 2),
        (b"[", "the JSON list is not closed: its end is missing; fetch it again", 1),
    ],
)
def test_json_that_is_no_list_of_records_is_refused(saved, content, reason, line):
    path = saved(content)
    with pytest.raises(InputError) as refusal:
        read_catalogue(path)
    assert str(refusal.value).startswith(f"{path}: line {line}: {reason}")


def test_text_behind_a_json_list_is_reported(texts, saved):
    content = texts.json(texts.omm) + b"\n" + texts.tle(*texts.iss)
    (issue,) = read_catalogue(saved(content)).issues
    assert issue.reason == "found more text behind the end of the JSON list"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty; expected TLE, 3LE or OMM (JSON, CSV, XML, KVN), plain or"),
        (b" \r\n\n", "the file is empty; expected"),
        (
            b"hello\nworld\n",
            'found "hello" and no orbital elements; expected TLE, 3LE or OMM (JSON, CSV',
        ),
        (b"No GP data found", 'found "No GP data found" and no orbital elements'),
        (
            b"<!DOCTYPE html>",
            "the file is an HTML page, perhaps a site's error message; open it in a browser to see",
        ),
        (b"PK\x03\x04\x00", "the file is a zip archive; unpack it first"),
        (b"BZh91AY", "the file is packed with bzip2; unpack it first"),
        (b"\xff\xfe1\x00 \x00", "the file is UTF-16 text; save it as UTF-8"),
        (b"CCSDS_OMM_VERS = 2.0", "line 1: NORAD_CAT_ID is missing"),
        (gzip.compress(b"", mtime=0), "the file is empty"),
        (
            gzip.compress(b"x" * 99, mtime=0)[:-9],
            "the gzip data is damaged (it ends too early); fetch the file",
        ),
        (
            lzma.compress(b"x" * 99)[:-9],
            "the xz data is damaged (it ends too early); fetch the file",
        ),
        (lzma.compress(b"x" * 99)[:20] + b"?" * 60, "the xz data is damaged ("),
        (gzip.compress(b"x" * 99, mtime=0) + b"more", "the gzip data is damaged ("),
        (b"[]", "no element set found; fetch the file again"),
        (b"NORAD_CAT_ID;EPOCH", "line 1: found 'NORAD_CAT_ID;EPOCH', expected keywords divided by"),
        (b"NORAD_CAT_ID,EPOCH", "line 1: the column MEAN_MOTION is missing"),
        (b"NORAD_CAT_ID,NORAD_CAT_ID", "line 1: the column EPOCH is missing"),
    ],
)
def test_a_bad_file_is_refused_with_one_advising_line(saved, content, reason):
    path = saved(content)
    with pytest.raises(InputError) as refusal:
        read_catalogue(path)
    assert str(refusal.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(refusal.value)


def test_a_misspelt_column_is_named_with_the_near_one(texts, saved):
    content = texts.csv(texts.omm).replace(b"MEAN_ANOMALY", b"MEAN_ANOMOLY")
    with pytest.raises(InputError, match=r"MEAN_ANOMALY is missing \(there is MEAN_ANOMOLY\)"):
        read_catalogue(saved(content))


def test_a_column_that_stands_twice_is_refused(texts, saved):
    content = texts.csv(texts.omm).replace(b"CLASSIFICATION_TYPE", b"BSTAR")
    with pytest.raises(InputError, match="the column BSTAR stands there twice; keep one"):
        read_catalogue(saved(content))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("no/such/file.tle", "no/such/file.tle: there is no such file; check the name"),
        ("", 'the catalogue source is empty; give a file, a folder or "builtin:DATE"'),
        ("nul\0byte", "the file cannot be read: embedded null byte"),
        (
            "builtin:1999-01-01",
            "builtin:1999-01-01: there is no such built-in catalogue; expected "
            "builtin:2026-06-14, or the name of a file or folder",
        ),
        ("x" * 5000, "the file cannot be read: File name too long"),
    ],
)
def test_a_source_that_cannot_be_opened_is_refused(source, reason):
    with pytest.raises(InputError) as refusal:
        read_catalogue(source)
    assert reason in str(refusal.value)


@contextlib.contextmanager
def as_nobody():
    """Act as a user without rights where the tests run as root, who may read every file."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_a_file_without_permission_is_refused(texts, saved):
    path = saved(texts.tle(*texts.iss))
    path.chmod(0)
    with (
        as_nobody(),
        pytest.raises(InputError, match="the file cannot be read: Permission denied"),
    ):
        read_catalogue(path)


def test_a_folder_without_catalogues_is_refused(tmp_path):
    with pytest.raises(InputError, match="none of the 0 files in the folder is a catalogue"):
        read_catalogue(tmp_path)
    (tmp_path / "notes.txt").write_text("hello")
    with pytest.raises(InputError, match=r"none of the 1 files in the folder .* found \"hello\""):
        read_catalogue(tmp_path)


def test_a_file_of_nothing_but_bad_rows_tells_the_first(texts, saved):
    with pytest.raises(InputError, match="line 1: line 1 of object 25544 is not followed by its"):
        read_catalogue(saved(texts.tle(texts.iss[0])))


def test_a_file_of_endless_bad_rows_is_refused(texts, saved, monkeypatch):
    monkeypatch.setattr("skyweave.twin.catalogue.tle.MAX_FAULTS", 10)
    with pytest.raises(
        InputError, match="more than 10 rows are bad, the first in line 1: line 1 of"
    ):
        read_catalogue(saved(texts.tle(*[texts.iss[0]] * 11, *texts.hst)))
    monkeypatch.setattr("skyweave.twin.catalogue.omm.MAX_FAULTS", 10)
    with pytest.raises(
        InputError, match="more than 10 rows are bad, the first in line 2: NORAD_CAT"
    ):
        read_catalogue(saved(texts.json(*[{}] * 11, texts.omm)))


def test_a_file_of_endless_lines_is_refused(texts, saved, monkeypatch):
    for module in ("lines", "omm"):
        monkeypatch.setattr(f"skyweave.twin.catalogue.{module}.MAX_LINES", 3)
    for content in (texts.tle(*texts.iss, *texts.hst), texts.csv(*[texts.omm] * 4)):
        with pytest.raises(InputError, match="has more than 3 lines; give the file of one day"):
            read_catalogue(saved(content))


@pytest.mark.parametrize("pack", [gzip.compress, lzma.compress, bytes])
def test_a_file_too_large_unpacked_is_refused_without_unpacking_it_all(saved, pack):
    path = saved(pack(bytes(3 * 2**20)))
    with pytest.raises(
        InputError, match="holds more than 2 MiB unpacked, too much for a catalogue"
    ):
        read_content(path, limit=2 * 2**20)


def test_a_file_of_endless_gzip_members_is_refused():
    packed = gzip.compress(b"") * (files.MAX_MEMBERS + 1)
    with pytest.raises(InputError, match="it has more than 100 members"):
        unpack(packed, "x")


def test_no_refused_row_is_lost_when_many_sets_are_broken(texts, saved):
    rng = np.random.default_rng(1)
    lines, broken = [], rng.random(500) < 0.3
    for number, is_broken in enumerate(broken, start=10_000):
        one, two = (texts.changed(line, 3, f"{number:05d}") for line in texts.iss)
        lines += [f"SAT {number}", one, two[:68] + "x" if is_broken else two]
    catalogue = read_catalogue(saved(texts.tle(*lines)))
    assert catalogue.norad_id.tolist() == (10_000 + np.flatnonzero(~broken)).tolist()
    assert [issue.line for issue in catalogue.issues] == (3 * np.flatnonzero(broken) + 3).tolist()
