"""OMM XML and KVN that cannot be used: one advising line for a file, one issue for a message."""

import pytest
from tests.support.omm_notations import OMM, kvn_text, xml_text

from skyweave.errors import InputError
from skyweave.twin.catalogue import read_catalogue
from skyweave.twin.catalogue.files import MAX_LINE_BYTES

SECOND = OMM | {"NORAD_CAT_ID": 20580, "OBJECT_NAME": "HST"}


def without(keyword: str) -> dict[str, object]:
    return {key: value for key, value in OMM.items() if key != keyword}


def xml(record=OMM, old: str = "", new: str = "") -> bytes:
    return xml_text([record]).replace(old.encode(), new.encode()) if old else xml_text([record])


def kvn(record=OMM, old: str = "", new: str = "") -> bytes:
    content = kvn_text([record]).replace(b"\r\n", b"\n")
    assert old.encode() in content
    return content.replace(old.encode(), new.encode(), 1) if old else content


BOMB = b'<!DOCTYPE ndm [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;&a;">]><ndm>&b;</ndm>'
DECLARATION = "found a DOCTYPE or entity declaration, which can make a small file expand without"
REFUSED = {
    "an XML bomb": (BOMB, f"line 1: {DECLARATION}"),
    "an external entity": (
        b'<?xml version="1.0"?>\n<!DOCTYPE ndm [<!ENTITY f SYSTEM "file:///etc/hostname">]>\n'
        + xml()[40:],
        f"line 2: {DECLARATION}",
    ),
    "an external document type": (
        b'<!DOCTYPE ndm SYSTEM "http://localhost/ndm.dtd">' + xml()[40:],
        f"line 1: {DECLARATION}",
    ),
    "a page": (
        b"\n<html><body>Too many requests</body></html>",
        "the file is an HTML page, perhaps a site's error message; open it in a browser to see, "
        "and fetch the elements again",
    ),
    "another page": (b"<!doctype HTML>\n<title>403", "the file is an HTML page, perhaps a site's"),
    "a map": (
        b"<?xml version='1.0'?><kml><Document/></kml>",
        "the XML is <kml>, expected <ndm> or <omm>; fetch the elements as OMM XML, JSON or CSV",
    ),
    "10,000 elements deep": (
        b"<ndm>" * 10_000,
        "line 1: elements are nested more than 50 deep; give the file as its program wrote it",
    ),
    "a huge text": (
        xml(OMM | {"OBJECT_NAME": "x" * 70_000}),
        "line 3: an element holds more than 65,536 characters of text; give the file as its",
    ),
    "UTF-16": (xml().decode().encode("utf-16"), "the file is UTF-16 text; save it as UTF-8"),
    "another encoding": (
        xml(old="UTF-8", new="Shift_JIS"),
        'line 1: encoded as "Shift_JIS", expected UTF-8; save the file as UTF-8',
    ),
    "no message": (b"<ndm/>", "no element set found; fetch the file again"),
    "a message without elements": (b"<omm/>", "line 1: NORAD_CAT_ID is missing"),
    "cut off in its only message": (
        xml()[:600],
        "line 3: the XML text breaks: it ends too early; save or fetch the file again",
    ),
    "text that is no XML": (b"<<<>>>", "line 1: the XML text breaks: not well-formed (invalid"),
    "an ephemeris as KVN": (
        b"CCSDS_OEM_VERS = 2.0\nORIGINATOR = x\n",
        "the file is a CCSDS OEM, expected an OMM (mean elements); fetch GP data",
    ),
    "an ephemeris as XML": (
        b"<oem><header/></oem>",
        "the XML is <oem>, expected <ndm> or <omm>; fetch the elements as OMM XML, JSON or CSV",
    ),
}
XML_ISSUES = {
    "no epoch": (xml(without("EPOCH")), 3, "EPOCH is missing"),
    "an empty epoch": (xml(OMM | {"EPOCH": ""}), 3, "EPOCH is missing"),
    "a misspelt keyword": (
        xml(old="MEAN_ANOMALY", new="MEAN_ANOMOLY"),
        3,
        "MEAN_ANOMALY is missing (there is MEAN_ANOMOLY)",
    ),
    "another frame": (xml(old="TEME", new="EME2000"), 3, "REF_FRAME is 'EME2000', expected TEME"),
    "another centre": (xml(old="EARTH", new="MOON"), 3, "CENTER_NAME is 'MOON', expected EARTH"),
    "another time": (xml(old=">UTC<", new=">TAI<"), 3, "TIME_SYSTEM is 'TAI', expected UTC"),
    "another theory": (
        xml(without("MEAN_MOTION"), ">SGP4<", ">DSST<"),
        3,
        "MEAN_ELEMENT_THEORY is 'DSST', expected SGP4",
    ),
    "SGP4-XP": (
        xml(without("BSTAR") | {"EPHEMERIS_TYPE": 4}),
        3,
        "EPHEMERIS_TYPE is 4 (SGP4-XP), which SGP4 cannot propagate",
    ),
    "NaN": (xml(OMM | {"BSTAR": "NaN"}), 3, "BSTAR is 'NaN', expected a finite number"),
    "infinity": (
        xml(OMM | {"MEAN_MOTION": "INF"}),
        3,
        "MEAN_MOTION is 'INF', expected a finite number",
    ),
    "a number too large": (
        xml(OMM | {"MEAN_MOTION_DOT": "1e999"}),
        3,
        "MEAN_MOTION_DOT is inf, expected a finite number",
    ),
    "a keyword twice": (
        xml(old="<INCLINATION>", new="<INCLINATION>1</INCLINATION><INCLINATION>"),
        3,
        "INCLINATION stands there twice in one message; keep one",
    ),
    "radians": (
        xml(old="<INCLINATION>", new='<INCLINATION units="rad">'),
        3,
        "INCLINATION is in 'rad', expected deg",
    ),
    "a unit of none": (
        xml(old="<ECCENTRICITY>", new='<ECCENTRICITY units="deg">'),
        3,
        "ECCENTRICITY is in 'deg', expected no unit",
    ),
    "another message": (
        xml(old="</ndm>", new="\n<oem><header/></oem></ndm>"),
        5,
        "found a message <oem> where <omm> was expected",
    ),
    "a name not in ASCII": (
        xml(OMM | {"OBJECT_NAME": "Zürich"}),
        3,
        "OBJECT_NAME: the name has characters other than printable ASCII; rename the object",
    ),
    "a date that never was": (
        xml(OMM | {"EPOCH": "2026-02-30T00:00:00"}),
        3,
        "EPOCH is 2026-02-30T00:00:00, which is no date of the calendar",
    ),
}
KVN_ISSUES = {
    "no epoch": (kvn(without("EPOCH")), 1, "EPOCH is missing"),
    "no equals sign": (
        kvn(old="INCLINATION    = 51.6333", new="INCLINATION 51.6333"),
        15,
        "found 'INCLINATION 51.6333', expected KEYWORD = value",
    ),
    "no keyword": (
        kvn(old="INCLINATION    = 51.6333", new="= 51.6333"),
        15,
        "found '= 51.6333', expected KEYWORD = value",
    ),
    "another unit": (
        kvn(old="51.6333", new="0.9012 [rad]"),
        15,
        "INCLINATION is in 'rad', expected deg",
    ),
    "an axis in place of the motion": (
        kvn(old="MEAN_MOTION    = 15.49214103", new="SEMI_MAJOR_AXIS = 6797 [km]"),
        1,
        "MEAN_MOTION is missing",
    ),
    "half a unit": (
        kvn(old="51.6333", new="51.6333 [deg"),
        1,
        "INCLINATION is '51.6333 [deg', expected a finite number",
    ),
    "a decimal comma": (
        kvn(old="51.6333", new="51,6333"),
        1,
        "INCLINATION is '51,6333', expected a finite number",
    ),
    "a keyword twice": (
        kvn(old="RA_OF_ASC_NODE", new="INCLINATION = 51.6333\nRA_OF_ASC_NODE"),
        16,
        "INCLINATION stands there twice in one message; keep one",
    ),
    "two faults, of which the first counts": (
        kvn(old="51.6333", new="0.9012 [rad]").replace(b"ARG_OF", b"no equals sign\nARG_OF"),
        15,
        "INCLINATION is in 'rad', expected deg",
    ),
    "another frame": (kvn(old="TEME", new="GCRF"), 1, "REF_FRAME is 'GCRF', expected TEME"),
    "SGP4-XP": (
        kvn(OMM | {"EPHEMERIS_TYPE": 4}),
        1,
        "EPHEMERIS_TYPE is 4 (SGP4-XP), which SGP4 cannot propagate",
    ),
    "NaN": (kvn(OMM | {"BSTAR": "NaN"}), 1, "BSTAR is 'NaN', expected a finite number"),
    "a lower-case keyword": (
        kvn(old="INCLINATION", new="inclination"),
        1,
        "INCLINATION is missing",
    ),
    "an ephemeris between": (
        b"CCSDS_OEM_VERS = 2.0\n2026-06-13T20:02:44 1 2 3 4 5 6\n",
        1,
        "found a message of kind OEM, expected CCSDS_OMM_VERS",
    ),
    "an overlong line": (
        kvn(old="ORIGINATOR     = ", new="ORIGINATOR = " + "x" * MAX_LINE_BYTES),
        3,
        "the line is 65549 bytes long, over the 65536 accepted; it was not read",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_file_is_refused_with_one_advising_line(saved, name):
    content, reason = REFUSED[name]
    path = saved(content)
    with pytest.raises(InputError) as refusal:
        read_catalogue(path)
    text = str(refusal.value)
    assert text.startswith(f"{path}: {reason}")
    assert text.isprintable()


@pytest.mark.parametrize("name", XML_ISSUES)
def test_an_xml_message_is_reported_and_the_others_stay(saved, name):
    content, line, reason = XML_ISSUES[name]
    second = xml_text([SECOND]).split(b"\n")[2]
    catalogue = read_catalogue(saved(content.replace(b"</ndm>", second + b"</ndm>")))
    assert 20580 in catalogue.norad_id
    (issue,) = catalogue.issues
    assert (issue.line, issue.reason) == (line, reason)
    assert issue.text.startswith(("<omm", "<oem"))
    assert len(issue.text) <= 200


@pytest.mark.parametrize("name", KVN_ISSUES)
def test_a_kvn_message_is_reported_and_the_others_stay(saved, name):
    content, line, reason = KVN_ISSUES[name]
    second = kvn_text([SECOND])
    before = second if content.startswith(b"CCSDS_OEM") else b""
    catalogue = read_catalogue(saved(before + content + second))
    assert set(catalogue.norad_id.tolist()) == {20580}
    (issue,) = catalogue.issues
    assert (issue.line, issue.reason) == (before.count(b"\n") + line, reason)
    assert len(issue.text) <= 200


def test_lines_before_the_first_message_are_reported(saved):
    content = b"COMMENT x\nORIGINATOR = me\nOBJECT_NAME = A\n" + kvn()
    with pytest.raises(InputError, match='found "COMMENT x" and no orbital elements; expected TLE'):
        read_catalogue(saved(content))


@pytest.mark.parametrize("keep", [0.5, 0.9])
def test_messages_before_the_end_of_a_truncated_xml_file_are_kept(saved, keep):
    content = xml_text([OMM, SECOND])
    start = content.index(b"<omm", content.index(b"<omm") + 1)
    catalogue = read_catalogue(saved(content[: start + round(keep * (len(content) - start - 10))]))
    assert catalogue.norad_id.tolist() == [25544]
    (issue,) = catalogue.issues
    assert issue.line == 4
    expected = "the XML text breaks: it ends too early; save or fetch the file again"
    assert issue.reason == expected


def test_messages_after_a_break_are_lost_and_the_break_is_listed(saved):
    content = xml_text([OMM, SECOND]).replace(b"</omm>", b"</omn>")
    with pytest.raises(InputError, match="line 3: the XML text breaks: mismatched tag"):
        read_catalogue(saved(content))


@pytest.mark.parametrize("keyword", ["EPOCH", "MEAN_MOTION", "BSTAR", "MEAN_MOTION_DOT"])
def test_a_kvn_file_cut_off_within_a_number_does_not_give_half_of_it(saved, keyword):
    content = kvn_text([OMM, SECOND])
    at = content.rindex(keyword.encode() + b" ")
    for end in (at + 3, at + len(keyword) + 2, at + 17, at + 20):
        catalogue = read_catalogue(saved(content[:end]))
        assert catalogue.norad_id.tolist() == [25544]
        (issue,) = catalogue.issues
        assert issue.line > content.count(b"\n") // 2 - 2
        assert "is missing" in issue.reason or issue.reason.startswith(
            (f"the file breaks off behind {keyword}; fetch it again", "found '")
        )


def test_no_name_is_read_from_a_field_outside_its_section(saved):
    content = xml(old="<header>", new="<header><OBJECT_NAME>x</OBJECT_NAME>")
    assert read_catalogue(saved(content)).name.tolist() == ["ISS (ZARYA)"]
