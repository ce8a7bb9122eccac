"""Whatever a file holds, reading it ends in a clean catalogue or an InputError, nothing else.

10,000 inputs by default and 100,000 in full, most of them real texts with a few places changed, so
that they pass the first checks.
"""

import gzip
import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sgp4.api import Satrec
from sgp4.io import compute_checksum
from tests.support.omm_notations import kvn_text, xml_text

from skyweave.errors import InputError
from skyweave.twin.catalogue import SATELLITE_CLASSES, Catalogue, classify, read_catalogue
from skyweave.twin.catalogue.limits import LIMITS

TLE = (
    b"STARLINK-1008\n"
    b"1 44714U 19074B   26164.23141094  .00006133  00000+0  19317-3 0  9993\n"
    b"2 44714  53.0512 107.6084 0001932 101.0971 258.9842 15.06416369787962\n"
    b"0 TDRS 3\r\n"
    b"1 19548U 88091B   26147.92669137 -.00000302  00000+0  00000+0 0  9990\r\n"
    b"2 19548  12.6172 341.1403 0039097 358.1868 190.5478  1.00263739125183\r\n"
    b"1 T0006U          26147.92669137 -.00000302  12345-6 -98765-4 0   10\n"
    b"2 T0006   2.6172   1.1403 7039097   8.1868   0.5478  2.00263739 25183    0.0 9\n"
)
RECORD = {
    "OBJECT_NAME": "STARLINK-1008",
    "OBJECT_ID": "2019-074B",
    "EPOCH": "2025-05-24T18:20:22.669728",
    "MEAN_MOTION": 15.06416369,
    "ECCENTRICITY": 0.0001348,
    "INCLINATION": "53.0568",
    "RA_OF_ASC_NODE": 43.6519,
    "ARG_OF_PERICENTER": 91.4802,
    "MEAN_ANOMALY": 268.6341,
    "EPHEMERIS_TYPE": 0,
    "NORAD_CAT_ID": 44714,
    "BSTAR": 0.00020262,
    "MEAN_MOTION_DOT": 2.739e-05,
}
RECORDS = [RECORD, RECORD | {"NORAD_CAT_ID": 999_999_999}, RECORD | {"EPHEMERIS_TYPE": "0"}]
JSON = json.dumps(RECORDS, indent=1).encode()
CSV = "\n".join([",".join(RECORD), *(",".join(map(str, r.values())) for r in RECORDS)]).encode()
XML, KVN = xml_text(RECORDS, units=True), kvn_text(RECORDS, units=True)
SHARES = {
    "tle": 0.25,
    "elements": 0.1,
    "json": 0.15,
    "csv": 0.15,
    "xml": 0.15,
    "kvn": 0.1,
    "bytes": 0.1,
}

PIECES = [
    *(b"\n", b"\r", b" ", b"0", b"9", b"-", b".", b"1 ", b"2 ", b"#", b"A", b"I", b"\0", b"\xff"),
    *(b",", b'"', b"{", b"}", b"[", b"]", b"null", b"NaN", b"1e999", b"-1", b"\xc3\xa4"),
    *(b"<", b">", b"/", b"&", b"&amp;", b"&x;", b"<!DOCTYPE a>", b"<![CDATA[", b"<!--", b"<omm>"),
    *(b"</omm>", b"=", b"\nCOMMENT ", b"\nCCSDS_OMM_VERS = 2.0\n", b" [km]", b' units="rad"'),
]
# Up to five changes of six bytes each, drawn at once: drawing them one by one takes longer than
# reading the file they make.
CHANGES = st.binary(max_size=30)


def changed(text: bytes, changes: bytes) -> bytes:
    """Replace, insert, delete, copy, cut off and swap parts of a text."""
    for start in range(0, len(changes) - 5, 6):
        what, high, low, size, piece_number, byte = changes[start : start + 6]
        piece = PIECES[piece_number] if piece_number < len(PIECES) else bytes([byte])
        at = (256 * high + low) % (len(text) + 1)
        lines = text.split(b"\n")
        one, two = low % len(lines), size % len(lines)
        match what % 8:
            case 0 | 1:
                text = text[:at] + piece + text[at + len(piece) :]
            case 2 | 3:
                text = text[:at] + piece + text[at:]
            case 4:
                text = text[:at] + text[at + size :]
            case 5:
                text = text[:at] + text[at : at + size] + text[at:]
            case 6:
                lines[one], lines[two] = lines[two], lines[one]
                text = b"\n".join(lines)
            case _:
                text = text[:at]
    return text


def mended(text: bytes) -> bytes:
    """Give every element line that is long enough its right checksum."""
    lines = text.split(b"\n")
    for n, line in enumerate(lines):
        if line[:2] in (b"1 ", b"2 ") and len(line) >= 69:
            total = compute_checksum(line[:68].decode("ascii", errors="replace"))
            lines[n] = line[:68] + str(total).encode() + line[69:]
    return b"\n".join(lines)


@pytest.fixture
def read(tmp_path):
    """Return a function that reads content from a file and checks what comes back."""
    path = tmp_path / "elements"

    def read_back(content: bytes) -> Catalogue | None:
        path.write_bytes(content)
        try:
            catalogue = read_catalogue(path)
        except InputError as error:
            refusal = str(error)
        else:
            assert_clean(catalogue)
            return catalogue
        assert refusal.startswith(f"{path}: ")
        assert refusal.isprintable()
        return None

    return read_back


def assert_clean(catalogue: Catalogue) -> None:
    assert len(catalogue) > 0
    for column, limit in LIMITS.items():
        assert not limit.outside(getattr(catalogue, column)).any()
    assert np.isfinite(catalogue.bstar_per_radius).all()
    assert np.isfinite(catalogue.mean_motion_dot_rev_day2).all()
    assert (catalogue.norad_id > 0).all()
    assert not np.isnat(catalogue.epoch_utc).any()
    assert all(
        name.isascii() and (name.isprintable() or not name) for name in catalogue.name.tolist()
    )
    for issue in catalogue.issues:
        assert issue.line >= 1
        assert issue.reason
        assert f"{issue.reason}{issue.text}".isprintable()
        assert len(issue.text) <= 200


@pytest.fixture
def run(full_counts, record_figure):
    """Return a function that runs a check on the share of all inputs that one parser gets."""

    def run_share(check, share: str, **strategies) -> None:
        count = round(SHARES[share] * (100_000 if full_counts else 10_000))
        run_examples(check, count, strategies)
        record_figure(
            f"changed catalogues read cleanly or refused: {share}", count, "inputs", "all"
        )

    return run_share


def run_examples(check, count: int, strategies) -> None:
    quietly = settings(
        max_examples=count,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    quietly(given(**strategies)(check))()


def test_changed_element_lines_give_a_clean_catalogue_or_an_input_error(read, run):
    def check(changes, mend, pack):
        text = changed(TLE, changes)
        text = mended(text) if mend else text
        read(gzip.compress(text, 1) if pack else text)

    run(check, "tle", changes=CHANGES, mend=st.booleans(), pack=st.booleans())


def test_what_is_read_from_changed_columns_is_what_the_library_reads(read, run):
    lines = TLE.decode().splitlines()[1:3]

    def check(changes):
        broken = [list(text) for text in lines]
        for line, column, character in zip(
            changes[0::3], changes[1::3], changes[2::3], strict=False
        ):
            broken[line % 2][8 + column % 60] = " 0123456789+-"[character % 13]
        one, two = mended("\n".join("".join(text) for text in broken).encode()).decode().split("\n")
        catalogue = read(f"{one}\n{two}\n".encode())
        if catalogue is None:
            return
        theirs = Satrec.twoline2rv(one, two)
        degree = np.pi / 180.0
        assert catalogue.norad_id[0] == theirs.satnum
        assert catalogue.inclination_deg[0] * degree == theirs.inclo
        assert catalogue.raan_deg[0] * degree == theirs.nodeo
        assert catalogue.eccentricity[0] == theirs.ecco
        assert catalogue.argp_deg[0] * degree == theirs.argpo
        assert catalogue.mean_anomaly_deg[0] * degree == theirs.mo
        assert catalogue.mean_motion_rev_day[0] / (720.0 / np.pi) == theirs.no_kozai
        assert catalogue.bstar_per_radius[0] == pytest.approx(theirs.bstar, rel=1e-15)
        since = np.datetime64("1949-12-31T00:00:00", "ns")
        days = (theirs.jdsatepoch - 2433281.5) + theirs.jdsatepochF
        two_microseconds_in_days = 2e-6 / 86_400
        ours = (catalogue.epoch_utc[0] - since) / np.timedelta64(1, "D")
        assert ours == pytest.approx(days, abs=two_microseconds_in_days)
        assert classify(catalogue)[0] in SATELLITE_CLASSES

    run(check, "elements", changes=st.binary(min_size=3, max_size=9))


def test_changed_json_gives_a_clean_catalogue_or_an_input_error(read, run):
    def check(changes):
        read(changed(JSON, changes))

    run(check, "json", changes=CHANGES)


def test_changed_csv_gives_a_clean_catalogue_or_an_input_error(read, run):
    def check(changes):
        read(changed(CSV, changes))

    run(check, "csv", changes=CHANGES)


def test_changed_xml_gives_a_clean_catalogue_or_an_input_error(read, run):
    def check(changes):
        read(changed(XML, changes))

    run(check, "xml", changes=CHANGES)


def test_changed_kvn_gives_a_clean_catalogue_or_an_input_error(read, run):
    def check(changes):
        read(changed(KVN, changes))

    run(check, "kvn", changes=CHANGES)


def test_any_bytes_give_a_clean_catalogue_or_an_input_error(read, run):
    starts = st.sampled_from(
        [
            *(b"", b"1 ", b"[", b"{", b"NORAD_CAT_ID,", b"\x1f\x8b\x08", b"\xfd7zXZ\x00"),
            *(b"<", b"<ndm><omm>", b"<?xml ", b"CCSDS_OMM_VERS = 2.0\n", b"CCSDS_OEM_VERS"),
        ]
    )

    def check(start, content):
        read(start + content)

    run(check, "bytes", start=starts, content=st.binary(max_size=300))
