"""GPX tracks: the same track as the CSV of the same fixes, or one line of advice."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from spoiled import read_or_refused, spoiled

from skyweave import markup
from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.time import format_utc
from skyweave.twin.terminals import Track, parse_track, read_track
from skyweave.twin.terminals import gpx as gpx_module

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<gpx version="1.1" creator="test" xmlns="http://www.topografix.com/GPX/1/1">\n'
)
NOON = "2026-06-14T12:00:12Z"
LATER = "2026-06-14T12:01:12Z"


def point(lat, lon, time: str | None = NOON, ele: object = None) -> str:
    """Return one track point on a line of its own."""
    inner = "" if ele is None else f"<ele>{ele}</ele>"
    inner += "" if time is None else f"<time>{time}</time>"
    return f'<trkpt lat="{lat}" lon="{lon}">{inner}</trkpt>\n'


def gpx(*segments: str, head: str = HEAD) -> str:
    """Return a file of one track; its first point stands in line 4."""
    inner = "</trkseg>\n<trkseg>\n".join(segments)
    return f"{head}<trk><name>tour</name><trkseg>\n{inner}</trkseg></trk>\n</gpx>\n"


def track(text: str | bytes) -> Track:
    return parse_track(text.encode() if isinstance(text, str) else text, "x.gpx")


FIXES = st.lists(
    st.tuples(
        st.integers(1, 10_000_000),  # ms since the fix before
        st.floats(-60, 60),
        st.floats(-80, 80) | st.just(-180.0) | st.just(200.0),
        st.floats(-900, 90_000) | st.none(),
    ),
    min_size=2,
    max_size=12,
)


@settings(deadline=None, max_examples=150)
@given(fixes=FIXES, cut=st.integers(0, 12))
def test_a_gpx_and_a_csv_of_the_same_fixes_are_one_track(fixes, cut):
    utc = np.datetime64("2026-06-14", "ns") + np.cumsum(
        [np.timedelta64(step, "ms") for step, *_ in fixes]
    )
    times = [format_utc(each) for each in utc]
    points = [
        point(lat, lon, time, ele) for (_, lat, lon, ele), time in zip(fixes, times, strict=True)
    ]
    rows = [
        f"{time},{lat},{lon},{'' if ele is None else ele}"
        for (_, lat, lon, ele), time in zip(fixes, times, strict=True)
    ]
    from_gpx = outcome("".join(gpx("".join(points[:cut]), "".join(points[cut:]))))
    from_csv = outcome("\n".join(["time_utc,lat_deg,lon_deg,height_wgs84_m", *rows]))
    if isinstance(from_csv, Track):
        for column in ("utc", "lat_deg", "lon_deg", "height_wgs84_m"):
            np.testing.assert_array_equal(getattr(from_gpx, column), getattr(from_csv, column))
    else:
        digits = re.compile(r"\d+")  # the line numbers differ
        assert digits.sub("n", from_gpx) == digits.sub("n", from_csv)


def outcome(text: str) -> Track | str:
    try:
        return track(text)
    except InputError as error:
        return str(error)


def test_every_track_and_segment_counts_in_the_order_of_the_file(tmp_path):
    minutes = [f"2026-06-14T12:0{k}:00Z" for k in range(6)]
    two = "</trkseg></trk><trk><trkseg>"
    content = gpx(
        point(1, 1, minutes[0]) + point(2, 2, minutes[1]),
        point(3, 3, minutes[2]) + two + point(4, 4, minutes[3]),
        "",
        point(5, 5, minutes[4]) + point(6, 6, minutes[5]),
    )
    path = tmp_path / "journey.dat"
    path.write_text(content, encoding="utf-8")
    fixes = read_track(path)
    assert fixes.lat_deg.tolist() == [1, 2, 3, 4, 5, 6]
    assert [format_utc(utc) for utc in fixes.utc] == minutes
    # What the standard library's parser finds, which knows nothing of tracks.
    everywhere = "{http://www.topografix.com/GPX/1/1}trkpt"
    expected = [float(p.attrib["lat"]) for p in ET.fromstring(content).iter(everywhere)]
    assert fixes.lat_deg.tolist() == expected


RECORDED = {
    "GPX 1.0": gpx(point(1, 2), point(1, 3, LATER)).replace("1/1", "1/0").replace("1.1", "1.0"),
    "no namespace": gpx(point(1, 2), point(1, 3, LATER), head="<gpx>\n"),
    "a prefix": re.sub(
        r"<(/?)(\w)", r"<\1g:\2", gpx(point(1, 2), point(1, 3, LATER), head="<gpx>\n")
    ),
    "a byte-order mark": "\ufeff" + gpx(point(1, 2), point(1, 3, LATER)),
    "blank lines first": "\n\n" + gpx(point(1, 2), point(1, 3, LATER)),
    "waypoints and a route beside": gpx(point(1, 2), point(1, 3, LATER)).replace(
        "<trk>",
        '<metadata><time>1999-01-01T00:00:00Z</time></metadata><wpt lat="9" lon="9"><ele>1</ele>'
        '</wpt><rte><rtept lat="8" lon="8"/></rte><trk>',
    ),
    "extensions": gpx(point(1, 2), point(1, 3, LATER)).replace(
        "</time>",
        "</time><extensions><x:TrackPointExtension><x:hr>93</x:hr><time>no</time>"
        "<x:ele>5</x:ele></x:TrackPointExtension></extensions>",
    ),
    "spaces and an offset": gpx(
        point(" 1", "2 ", " 2026-06-14T14:00:12+02:00\n"), point(1, 3, LATER, " \n")
    ),
}


@pytest.mark.parametrize("name", RECORDED)
def test_what_programs_write_around_the_fixes_changes_nothing(name):
    fixes = track(RECORDED[name])
    assert fixes.lat_deg.tolist() == [1.0, 1.0]
    assert fixes.lon_deg.tolist() == [2.0, 3.0]
    assert [format_utc(utc) for utc in fixes.utc] == [NOON, LATER]
    assert fixes.height_wgs84_m.tolist() == [0.0, 0.0]


def test_elevations_are_heights_and_may_be_absent():
    fixes = track(gpx(point(1, 2, NOON, -12.5), point(1, 3, LATER)))
    assert fixes.height_wgs84_m.tolist() == [-12.5, 0.0]


def test_the_geoid_is_worth_less_round_trip_time_than_the_docstring_says():
    deepest_m = 106.99  # EGM2008, south of India
    round_trip_s = 2.0 * deepest_m / SPEED_OF_LIGHT_M_S
    assert round_trip_s < 0.8e-6
    assert "under 0.8 microseconds" in (gpx_module.gpx_rows.__doc__ or "")


ONCE = "export the track as it was recorded, each point with one time"
DECLARATION = "found a DOCTYPE or entity declaration, which can make a small file expand without"
BAD = {
    "no time": (
        gpx(point(1, 2), point(1, 3, None)),
        f"line 7: the track point has no <time>; {ONCE}",
    ),
    "an empty time": (
        gpx(point(1, 2, "")),
        f"line 4: the track point has no <time>; {ONCE}",
    ),
    "two times": (
        gpx(point(1, 2, f"{NOON}</time><time>{LATER}")),
        f"line 4: the track point has two <time>; {ONCE}",
    ),
    "a time without zone": (
        gpx(point(1, 2, "2026-06-14T12:00:12") + point(1, 3, LATER)),
        "line 4: time_utc: found",
    ),
    "a day that never was": (
        gpx(point(1, 2, "2026-02-30T00:00:00Z") + point(1, 3, LATER)),
        "line 4: time_utc: found",
    ),
    "one point": (gpx(point(1, 2)), "1 fixes; a track needs at least 2: add when it ends"),
    "no track": (
        f"{HEAD}</gpx>",
        "found no track point (trk/trkseg/trkpt); export the track as it was recorded",
    ),
    "an empty track": (gpx(""), "found no track point (trk/trkseg/trkpt); export the track as"),
    "only a route": (
        f'{HEAD}<rte><rtept lat="1" lon="2"/></rte></gpx>',
        "found routes but no track; they say where, not when: export the recorded track, or write "
        "a CSV with a time for each place",
    ),
    "waypoints and a route": (
        f'{HEAD}<wpt lat="1" lon="2"/><rte><rtept lat="1" lon="2"/></rte></gpx>',
        "found routes and waypoints but no track; they say where, not when: export the recorded",
    ),
    "times going back": (
        gpx(point(1, 2, LATER) + point(1, 3, NOON)),
        f"line 5: time_utc {NOON} is not after {LATER} of line 4; put tracks and segments in "
        "order of time, and recordings that overlap into two files",
    ),
    "segments that overlap": (
        gpx(point(1, 2) + point(1, 3, LATER), point(1, 2, "2026-06-14T12:00:30Z")),
        f"line 8: time_utc 2026-06-14T12:00:30Z is not after {LATER} of line 5; put tracks and",
    ),
    "latitude 95": (
        gpx(point(95, 2) + point(1, 3, LATER)),
        "line 4: lat_deg = 95: expected -90 to 90 (degrees north); are latitude and longitude "
        "swapped?",
    ),
    "a latitude that is no number": (
        gpx(point("NaN", 2) + point(1, 3, LATER)),
        'line 4: lat_deg: found "NaN", expected -90 to 90 (degrees north)',
    ),
    "no longitude": (
        gpx(point(1, 2) + point(1, 3, LATER)).replace('lon="2"', 'long="2"'),
        "line 4: lon_deg is empty; expected -180 to 360 (degrees east)",
    ),
    "an elevation in millimetres": (
        gpx(point(1, 2, NOON, 450_000) + point(1, 3, LATER)),
        "line 4: height_wgs84_m = 450000: expected -1000 to 100000 (metres above the WGS 84 "
        "ellipsoid); is it in millimetres? write metres",
    ),
    "the other side of the Earth": (
        gpx(point(40, 10) + point(-40, -170, LATER)),
        "line 5: opposite the fix of line 4 on the Earth, so the way between them is unknown",
    ),
    "a KML": (
        "<?xml version='1.0'?><kml><Placemark/></kml>",
        "the XML is <kml>, expected <gpx>; export the track as GPX or CSV",
    ),
    "a page": ("<html><body>no</body></html>", "the XML is <html>, expected <gpx>; export the"),
    "an XML bomb": (
        '<!DOCTYPE gpx [<!ENTITY a "1"><!ENTITY b "&a;&a;&a;&a;">]><gpx>&b;</gpx>',
        f"line 1: {DECLARATION}",
    ),
    "an external entity": (
        '<!DOCTYPE gpx [<!ENTITY f SYSTEM "file:///etc/hostname">]><gpx>&f;</gpx>',
        f"line 1: {DECLARATION}",
    ),
    "10,000 elements deep": (
        HEAD + "<trk>" * 10_000,
        "line 3: elements are nested more than 50 deep; give the file as its program wrote it",
    ),
    "a huge comment text": (
        gpx(point(1, 2)).replace("tour", "x" * 70_000),
        "line 3: an element holds more than 65,536 characters of text; give the file as its",
    ),
    "a file cut off": (
        gpx(point(1, 2) + point(1, 3, LATER))[:-20],
        "line 6: the XML text breaks: it ends too early; save or fetch the file again",
    ),
    "a tag not closed": (
        gpx(point(1, 2).replace("</trkpt>", "") + point(1, 3, LATER)),
        "line 6: the XML text breaks: mismatched tag; save or fetch the file again",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_gpx_is_refused_with_one_advising_line(name):
    text, advice = BAD[name]
    with pytest.raises(InputError) as refusal:
        track(text)
    assert str(refusal.value).startswith(f"x.gpx: {advice}")
    assert str(refusal.value).isprintable()


def test_a_gpx_in_utf_16_is_refused_with_advice():
    content = gpx(point(1, 2) + point(1, 3, LATER)).encode("utf-16")
    with pytest.raises(InputError, match=r"^x\.gpx: UTF-16 text; save the file as UTF-8$"):
        track(content)


def test_more_points_than_a_track_may_have_are_refused(monkeypatch):
    monkeypatch.setattr(gpx_module, "MAX_ROWS", 3)
    points = [point(1, k, f"2026-06-14T12:00:{k:02}Z") for k in range(4)]
    assert len(track(gpx(*points[:3]))) == 3
    with pytest.raises(InputError, match="more than 3 track points; at most that many are read"):
        track(gpx(*points))


GOOD = [
    gpx(point(1, 2, NOON, 5) + point(1, 3, LATER)),
    gpx(point(-89.9, 190), point(1, 3, LATER, "1e4")).replace("\n", "\r\n"),
    RECORDED["extensions"],
    RECORDED["waypoints and a route beside"],
]
FRAGMENTS = [
    *("", "<", ">", "/", '"', "'", "=", "&", "&amp;", "&x;", "&#0;", "\0", "é", "\udc80", "\ufeff"),
    *("<!--", "-->", "<![CDATA[", "]]>", "<!DOCTYPE a>", "<?x ?>", "</trkpt>", "<trkpt>", "-"),
    *("nan", "1e999", "-91", "400", "2026-02-30", "Z", "+99:99", "<time>", "</time>", "<ele>"),
    *(point(1, 4, "2026-06-14T12:02:12Z"), point(1, 2), "</trkseg><trkseg>", ' lat="1"', " \n"),
]


def test_any_content_is_a_track_or_refused_in_one_line(full_counts, record_figure):
    count = 20_000 if full_counts else 1_500
    outcomes = {"read": 0, "refused": 0}

    @settings(max_examples=count, deadline=None, database=None)
    @given(content=spoiled(GOOD, FRAGMENTS))
    def check(content):
        fixes = read_or_refused(parse_track, content, "x.gpx")
        outcomes["refused" if fixes is None else "read"] += 1
        if fixes is not None:
            assert len(fixes) >= 2
            assert (np.diff(fixes.utc) > np.timedelta64(0, "ns")).all()
            assert (np.abs(fixes.lat_deg) <= 90.0).all()
            assert (np.abs(fixes.lon_deg) <= 180.0).all()
            assert np.isfinite(fixes.height_wgs84_m).all()

    check()
    assert min(outcomes.values()) > count // 20
    record_figure(
        "GPX files, random: clean or InputError",
        sum(outcomes.values()),
        "inputs",
        "no other outcome",
    )


def test_a_long_track_is_read_in_pieces(monkeypatch):
    monkeypatch.setattr(markup, "_CHUNK_BYTES", 100)
    times = np.datetime64("2026-06-14", "s") + np.arange(500)
    points = "".join(point(k / 10, k / 5, f"{utc}Z") for k, utc in enumerate(times))
    fixes = track(gpx(points))
    assert fixes.lat_deg == pytest.approx(np.arange(500) / 10, abs=0.0)
