"""What owners of constellations, fleets and sites get wrong, each refused in one line that advises.

Every case calls a public function; a few at the end go through the command line.
"""

import gzip
import json
import shlex
import sys
from pathlib import Path

import pytest

from skyweave import api
from skyweave.cli import main
from skyweave.errors import InputError
from skyweave.twin.scenario import parse_scenario
from skyweave.twin.world import build_system

AT = "2026-06-14T12:00:12Z"
TIME = "[time]\nstart_utc = 2026-06-14T12:00:12Z\nduration_s = 30\n"
SHELL = "altitude_km = 550\ninclination_deg = 53\nplanes = 4\nper_plane = 4\n"
BASE = f"{TIME}[[shells]]\n{SHELL}"
HERE = '[[terminals]]\nid = "a"\nlat_deg = 47.51234\nlon_deg = 8.51234\n'
MOVES = '[[terminals]]\nid = "m"\naccount = "aid"\ntrack = "t.csv"\n'
TRACK = (
    "time_utc,lat_deg,lon_deg\n"
    "2026-06-14T12:00:00Z,47.51234,8.51234\n2026-06-14T13:00:00Z,47.71234,8.71234\n"
)
POSITION = ("47.51234", "8.51234", "47.71234", "8.71234")  # what no refusal may show


def operator(name, more="", gateways="[operators.gateways]\n"):
    return f'[[operators]]\nname = "{name}"\n[[operators.shells]]\n{SHELL}{more}\n{gateways}'


def scenario(text, **files):
    """Read all that a scenario names, as `run` does before it computes."""
    return {"s.toml": text, **_named(files)}, lambda: build_system(api.load_scenario("s.toml"))


def listed(keys, **files):
    return scenario(f"{BASE}{HERE}{keys}\n", **files)


def fleet(rows, header="id,lat_deg,lon_deg", **files):
    content = rows if isinstance(rows, bytes) else f"{header}\n{rows}\n"
    return scenario(f'{BASE}[[terminal_sets]]\nfile = "f.csv"\n', f_csv=content, **files)


def sky(content):
    return listed('obstruction = "o"', o=content)


def track(content):
    return scenario(f"{BASE}{MOVES}", t_csv=content)


def gpx(*points):
    return track(f"<gpx><trk><trkseg>{''.join(points)}</trkseg></trk></gpx>")


def point(clock="12:00:00Z", lat=47.5):
    time = f"<time>2026-06-14T{clock}</time>" if clock else ""
    return f'<trkpt lat="{lat}" lon="8.5">{time}</trkpt>'


def ground(rows, header="name,lat_deg,lon_deg"):
    return listed('[gateways]\nsource = "g.csv"', g_csv=f"{header}\n{rows}\n")


def pops(rows, header="pop_id,lat_deg,lon_deg"):
    return listed('[gateways]\npops = "p.csv"', p_csv=f"{header}\n{rows}\n")


def without(*failures):
    return {}, lambda: build_system(parse_scenario(BASE + HERE), failures)


def catalogue(content):
    return {"c": content}, lambda: api.catalogue_check("c")


def omm(line="", old="INCLINATION = 53"):
    return catalogue(OMM.replace(old, line))


OMM = """CCSDS_OMM_VERS = 2.0
OBJECT_NAME = A
OBJECT_ID = 2020-001A
CENTER_NAME = EARTH
REF_FRAME = TEME
TIME_SYSTEM = UTC
MEAN_ELEMENT_THEORY = SGP4
EPOCH = 2026-06-14T00:00:00
MEAN_MOTION = 15.05
ECCENTRICITY = 0.0001
INCLINATION = 53
RA_OF_ASC_NODE = 10
ARG_OF_PERICENTER = 20
MEAN_ANOMALY = 30
NORAD_CAT_ID = 100001
BSTAR = 0.0001
MEAN_MOTION_DOT = 0
MEAN_MOTION_DDOT = 0
"""


def ring(*corners):
    return {"type": "Polygon", "coordinates": [[list(corner) for corner in corners]]}


SQUARE = ring((8, 47), (9, 47), (9, 48), (8, 48), (8, 47))


def edge(region, terminal="m", account="aid", **options):
    content = region if isinstance(region, str | bytes) else json.dumps(region)
    files = {"s.toml": f"{BASE}{MOVES}{HERE}", "t.csv": TRACK, "r.json": content}
    return files, lambda: api.edge("s.toml", terminal, "r.json", account=account, **options)


def picture(what="sky", out="x.png", terminal="a", at=AT, source="s.toml"):
    files = {"s.toml": BASE + HERE}
    return files, lambda: api.plot(source, what, out, terminal=terminal, at=at)


def asked(**question):
    text = TIME + operator("alpha") + operator("beta") + HERE
    return {"s.toml": text}, lambda: api.explain("s.toml", at=AT, **question)


def _named(files):
    return {name.replace("_csv", ".csv"): content for name, content in files.items()}


def dish_map(**changes):
    return json.dumps({"num_rows": 2, "num_cols": 2, "snr": [1, 1, 1, 1]} | changes)


CASES = {
    # Constellations
    "an eccentricity of 1.5": (omm("ECCENTRICITY = 1.5", "ECCENTRICITY = 0.0001"), "less than 1"),
    "an OMM of the Moon": (omm("CENTER_NAME = MOON", "CENTER_NAME = EARTH"), "expected EARTH"),
    "an OMM in radians": (omm("INCLINATION = 0.9 [rad]"), "expected deg"),
    "an OMM with a line twice": (omm("INCLINATION = 53\nINCLINATION = 54"), "keep one"),
    "an OMM without equals sign": (omm("INCLINATION 53"), "KEYWORD = value"),
    "an ephemeris in place of an OMM": (catalogue("CCSDS_OEM_VERS = 2.0\n"), "fetch GP data"),
    "an XML bomb": (
        catalogue('<!DOCTYPE l [<!ENTITY a "x"><!ENTITY b "&a;&a;">]><ndm>&b;</ndm>'), "DOCTYPE",
    ),
    "XML that fetches a file": (
        catalogue('<!DOCTYPE l SYSTEM "file:///etc/passwd"><ndm/>'), "remove it",
    ),
    "XML nested without end": (catalogue("<ndm>" + "<a>" * 100_000), "more than 50 deep"),
    "XML that breaks off": (catalogue("<ndm><omm><body>"), "ends too early"),
    "XML of something else": (catalogue("<oem/>"), "expected <ndm> or <omm>"),
    "the page of a rate limit": (catalogue("<html>slow down</html>"), "HTML page"),
    "a group outside the cache": (({}, lambda: api.catalogue_update(["../x"])), "name of a group"),
    "an update from a file": (
        ({}, lambda: api.catalogue_update(["active"], url="file:///etc/passwd")), "http or https",
    ),
    "an update from an empty address": (
        ({}, lambda: api.catalogue_update(["active"], url="")), "expected an address",
    ),
    "two operators of one name": (scenario(TIME + operator("a") * 2 + HERE), "described twice"),
    "an operator without gateways": (
        scenario(TIME + operator("a", gateways="") + HERE), '"gateways" is missing',
    ),
    "an operator's shells at the top": (scenario(BASE + operator("a") + HERE), "move into them"),
    "one operator in single brackets": (
        scenario(f'{TIME}[operators]\nname = "a"\n'), "[[operators]]",
    ),
    "a terminal of an unknown operator": (
        scenario(TIME + operator("alpha") + HERE + 'operator = "alhpa"'), 'did you mean "alpha"',
    ),
    "an explanation by an unknown operator": (
        asked(lat_deg=1, lon_deg=2, operator="gamma"), "there are alpha, beta",
    ),
    "a terminal and an operator": (asked(terminal="a", operator="alpha"), "only with a place"),
    "an operator that steers the terminal": (
        asked(lat_deg=1, lon_deg=2, operator="\x1b[31m\n"), "there are alpha, beta",
    ),
    # Fleets
    "terminals in single brackets": (
        scenario(BASE + HERE.replace("[[terminals]]", "[terminals]")), "[[terminals]]",
    ),
    "terminals as bare positions": (
        scenario("terminals = [[47.51234, 8.51234]]\n" + BASE), "expected a table of keys",
    ),
    "an empty fleet": (fleet(b""), "expected a header line"),
    "a fleet of no terminal": (fleet(""), "add one line for each terminal"),
    "a fleet with semicolons": (fleet("a;1;2", "id;lat_deg;lon_deg"), "save the file with commas"),
    "a spreadsheet": (fleet(b"PK\x03\x04 sheet"), "save the table as CSV UTF-8"),
    "a packed fleet": (fleet(gzip.compress(b"id\n")), "save the table as CSV UTF-8"),
    "a fleet in UTF-16": (fleet("id".encode("utf-16")), "UTF-16"),
    "a fleet in Latin-1": (fleet("id\nZürich\n".encode("latin-1")), "is not UTF-8"),
    "a fleet that is a picture": (fleet(b"\x89PNG\r\n\x1a\n"), "is not UTF-8"),
    "a fleet of a million lines of nothing": (fleet(b"\n" * 2_000_001), "2,000,000 lines"),
    "a column twice": (fleet("a,1,2,3", "id,lat_deg,LAT_DEG,lon_deg"), "twice; remove one"),
    "an id in another script": (fleet("мадрид,1,2"), "letters a-z"),
    "an id twice": (fleet("a,47.51234,8.51234\na,47.51234,8.51234"), "already on line 2"),
    "an empty latitude": (fleet("a,,2"), "lat_deg is empty"),
    "a decimal comma": (fleet('a,"1,5",2'), "use a decimal point"),
    "a quote that never ends": (fleet('"a,1,2'), "quotes do not match"),
    "a place and a track": (
        fleet("a,47.51234,8.51234,t.csv", "id,lat_deg,lon_deg,track", t_csv=TRACK),
        "leave one of them empty",
    ),
    "a track that starts now": (
        fleet("a,t.csv,now", "id,track,track_start", t_csv=TRACK), "expected file, scenario",
    ),
    "a track that never ends": (fleet("a,/dev/zero", "id,track"), "not a regular file"),
    "half a boresight": (fleet("a,1,2,90", "id,lat_deg,lon_deg,boresight_azimuth_deg"), "both or"),
    "a PoP that is none": (fleet("a,1,2,x", "id,lat_deg,lon_deg,pop_id"), "PoP 'x' is unknown"),
    "a GPX point without time": (gpx(point(), point(clock="")), "has no <time>"),
    "a GPX time without zone": (gpx(point(), point("13:00:00")), "without a zone"),
    "a GPX file of one point": (gpx(point()), "at least 2"),
    "GPX segments out of order": (gpx(point("13:00:00Z"), point()), "in order of time"),
    "GPX with entities": (track('<!DOCTYPE g [<!ENTITY a "x">]><gpx>&a;</gpx>'), "DOCTYPE"),
    "GPX of waypoints": (track('<gpx><wpt lat="1" lon="2"/></gpx>'), "where, not when"),
    "KML": (track("<kml/>"), "expected <gpx>"),
    # Skies
    "a class without its cone": (listed('[[terminal_classes]]\nname = "x"'), "fov_deg is missing"),
    "a cone of nothing": (listed('[[terminal_classes]]\nname = "x"\nfov_deg = 0'), "greater than"),
    "a class twice": (listed('[[terminal_classes]]\nname = "mini"\n' * 2), "described twice"),
    "a dish's map of another size": (sky(dish_map(num_rows=123, num_cols=123)), "123 x 123 pixels"),
    "a dish's map of infinite rows": (sky(dish_map(num_rows=10**30)), "expected 1 to 500"),
    "a dish's map of text": (sky(dish_map(snr=["1"] * 4)), "expected -1 (no data)"),
    "a dish's map in its own frame": (sky(dish_map(map_reference_frame="FRAME_UT")), "FRAME_EARTH"),
    "a dish's map nested without end": (sky("[" * 100_000), "not JSON"),
    "a matrix of 122 numbers": (sky(" ".join(["1"] * 122)), "has 123 in each row"),
    "two maps of one sky": (
        listed('obstruction = "o"\nhorizon = "o"', o=dish_map()), "terminals[0]: 2 dish maps",
    ),
    "a horizon with two heights": (
        sky("azimuth_deg,elevation_deg\n0,1\n360,2\n"), "has another elevation in line 2",
    ),
    "a polygon of two corners": (
        sky("polygon,azimuth_deg,elevation_deg\nx,1,2\nx,3,4\n"), "expected 3 or more",
    ),
    "a sky in binary": (sky(bytes(range(128, 256))), "is not UTF-8"),
    "a sky that is a folder": (listed('obstruction = "."'), "a folder"),
    "a picture of no name": (picture(out="x"), "ends in .png"),
    "a picture in no folder": (picture(out="none/x.png"), "make it first"),
    "a picture of the Sky": (picture(what="Sky"), "path-ecdf for a scenario"),
    "a sky after the run": (picture(at="2027-01-01T00:00:00Z"), "is outside the run"),
    "a sky of nobody": (picture(terminal="\x1b[31m\n"), "no terminal"),
    # The ground, and what fails there
    "a gateway twice": (ground("A,1,2\na,1,2"), "already on line 2"),
    "gateways with semicolons": (ground("A;1;2", "name;lat_deg;lon_deg"), "with commas"),
    "a gateway in the UK": (ground("A,1,2,UK", "name,lat_deg,lon_deg,country"), 'mean "GB"'),
    "gateways all planned": (ground("A,1,2,planned", "name,lat_deg,lon_deg,status"), "operational"),
    "half an antenna": (ground("A,1,2,0.5", "name,lat_deg,lon_deg,antennas"), "expected 1 to 1000"),
    "a PoP twice": (pops("a,1,2\na,1,2"), "give it another pop_id"),
    "a PoP of capital letters": (pops("A B,1,2"), 'write it like "a-b"'),
    "a PoP in no country": (pops("a,1,2,ZZ", "pop_id,lat_deg,lon_deg,country"), "ZZ"),
    "a rule that says nothing": (listed("[[landing_rules]]"), "no list of countries"),
    "a rule for Germany in full": (
        listed('[[landing_rules]]\nallow_pop_countries = ["Germany"]'), 'such as "DE"',
    ),
    "a rule that is no list": (
        listed('[[landing_rules]]\nallow_pop_countries = "DE"'), "expected a list in brackets",
    ),
    "rules that contradict": (
        listed('[[landing_rules]]\nallow_pop_countries = ["DE"]\n'
               '[[landing_rules]]\nclass = "standard"\ndeny_pop_countries = ["DE"]'),
        "keep it in one of them",
    ),
    "rules with nothing in common": (
        listed('[[landing_rules]]\nallow_gateway_countries = ["DE"]\n'
               '[[landing_rules]]\nallow_gateway_countries = ["FR"]'),
        "merge them into one rule",
    ),
    "a fixed PoP against the rule": (
        scenario(f'{BASE}{HERE}pop_id = "frntdeu1"\n[[landing_rules]]\n'
                 'allow_pop_countries = ["FR"]'),
        "change one of them",
    ),
    "without nothing": (without(""), "expected gateway:ID"),
    "without something nameless": (without("country:"), "expected gateway:ID"),
    "without the United Kingdom": (without("country:UK"), 'did you mean "GB"'),
    "without a country in Cyrillic": (without("country:УК"), "two capital letters"),
    "without an unknown gateway": (without("country:DE", "gateway:x\n"), 'no gateway "x'),
    "without an unknown operator": (without("operator:x"), "there are network"),
    "without a name of any length": (without("gateway:" + "x" * 100_000), "expected gateway:ID"),
    # The edge
    "an area that crosses itself": (
        edge(ring((8, 47), (9, 48), (9, 47), (8, 48), (8, 47))), "not a simple polygon",
    ),
    "an open area": (edge(ring((8, 47), (9, 47), (9, 48), (8, 48))), "not closed"),
    "an area by latitude first": (
        edge(ring((47, 108), (47, 109), (48, 109), (48, 108), (47, 108))), "are they swapped",
    ),
    "an area across 180": (
        edge(ring((179, 1), (-179, 1), (-179, 2), (179, 2), (179, 1))), "go on counting",
    ),
    "an area of nothing": (edge({"type": "FeatureCollection", "features": []}), "no polygon"),
    "an area nested without end": (edge('{"a":' * 10_000 + "1" + "}" * 10_000), "too deeply"),
    "an area that is a point": (edge({"type": "Point", "coordinates": [8, 47]}), "has no area"),
    "an area by an unknown rule": (edge(SQUARE, rule="center\n"), "expected centre, inside"),
    "the edge of a terminal that stands": (edge(SQUARE, "a", None), "has no track"),
    "the edge of another's terminal": (edge(SQUARE, account="me"), "only to the terminal's own"),
    "the edge of nobody": (edge(SQUARE, "\x1b[31m\n"), "give both as the scenario has them"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_bad_input_is_refused_in_one_line_that_advises(case, tmp_path, monkeypatch):
    (files, act), telling = CASES[case]
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for name, content in files.items():
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as refusal:
        act()
    line = str(refusal.value)
    assert telling in line
    assert line.isprintable()
    assert len(line) < 400
    assert not [number for number in POSITION if number in line]
    assert {path.name for path in tmp_path.iterdir()} == files.keys()


@pytest.mark.parametrize(
    ("status", "telling", "command"),
    [
        (1, 'without ""', "run s.toml --out run --without country:DE --without ''"),
        (1, "ends in .png", f"plot s.toml --what sky --terminal a --at {AT} --out x --json"),
        (1, "\\n", f"explain s.toml --lat 1 --lon 2 --at {AT} --operator '\n' --json"),
        (1, "has no track", "edge s.toml --terminal a --region r.json --json"),
        (2, "--region", "edge s.toml --terminal a"),
    ],
)
def test_the_command_line_says_it_on_stderr_alone(
    status, telling, command, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["skyweave", *shlex.split(command)])
    Path("s.toml").write_text(BASE + HERE)
    Path("r.json").write_text(json.dumps(SQUARE))
    with pytest.raises(SystemExit) as ending:
        main()
    stdout, stderr = capfd.readouterr()
    assert ending.value.code == status
    assert stdout == ""
    assert telling in stderr
    assert status == 2 or stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"r.json", "s.toml"}
