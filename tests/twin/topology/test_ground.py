"""Gateways and PoPs: the shipped lists, a user's own list, and every slip it can hold."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.api import load_scenario
from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.places import country_at, is_slug
from skyweave.twin.catalogue import read_catalogue, select_names
from skyweave.twin.topology.gateway_file import MAX_FILE_BYTES, parse_gateways
from skyweave.twin.topology.ground import (
    BUILTIN_GATEWAYS,
    BUILTIN_POPS,
    builtin_pops,
    default_pops,
    fibre_delay_s,
    load_gateways,
    load_pops,
    nearest_pop,
)

BUILTIN = "builtin:2026-03-20"
ROUNDING = 1e-12  # relative


@pytest.fixture(scope="module")
def pops():
    return builtin_pops()


@pytest.fixture(scope="module")
def gateways(pops):
    return load_gateways(BUILTIN, pops)


@pytest.fixture
def load(tmp_path, pops):
    """Write a list and load it."""

    def load_text(text, **options):
        path = tmp_path / "own.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return load_gateways(path, pops, **options)

    return load_text


def test_the_shipped_list_holds_214_gateways_and_counts_93_planned(gateways):
    assert (len(gateways), gateways.planned) == (214, 93)
    assert len(set(gateways.gateway_id)) == 214
    assert all(is_slug(one) for one in gateways.gateway_id)
    assert "tromso-norway" in gateways.gateway_id
    assert set(gateways.antennas) == {8}


def test_every_shipped_gateway_and_pop_lies_in_a_country(gateways, pops):
    assert all(gateways.country)
    where = dict(zip(gateways.gateway_id, gateways.country, strict=True))
    assert (where["tromso-norway"], where["suva-fiji"], where["tumon-gu"]) == ("NO", "FJ", "GU")
    assert all(pops.country)
    assert pops.country[pops.row("sngesgp1")] == "SG"


def test_polar_gateways_look_down_to_five_degrees(pops):
    gateways = load_gateways(BUILTIN, pops, min_elevation_deg=30.0)
    is_polar = np.abs(gateways.lat_deg) > 62.0
    assert is_polar.sum() == 4
    np.testing.assert_array_equal(gateways.min_elevation_deg, np.where(is_polar, 5.0, 30.0))


@pytest.mark.parametrize(
    ("gateway_id", "pop_id"),
    [
        ("usingen-germany", "frntdeu1"),
        ("hitachinaka-japan", "tkyojpn1"),
        ("tromso-norway", "wrswpol1"),
        ("molokai-hi", "snjecax1"),
    ],
)
def test_a_gateway_uses_the_nearest_pop(gateways, pops, gateway_id, pop_id):
    assert pops.pop_id[gateways.pop[gateways.row(gateway_id)]] == pop_id


def test_nobody_has_a_nearer_pop(gateways, pops):
    for g in range(len(gateways)):
        here = gateways.lat_deg[g], gateways.lon_deg[g]
        away_m = [
            great_circle_m(*here, *there) for there in zip(pops.lat_deg, pops.lon_deg, strict=True)
        ]
        assert gateways.pop[g] == np.argmin(away_m)


def test_a_failed_pop_is_passed_over_and_without_any_there_is_none(pops):
    zurich = np.array([47.37]), np.array([8.54])
    usable = np.ones(len(pops), bool)
    (nearest,) = nearest_pop(*zurich, pops)
    assert pops.pop_id[nearest] == "mlnnita1"
    usable[nearest] = False
    (second,) = nearest_pop(*zurich, pops, usable)
    assert pops.pop_id[second] == "frntdeu1"
    np.testing.assert_array_equal(nearest_pop(*zurich, pops, np.zeros(len(pops), bool)), [-1])


def test_the_fibre_to_the_pop_is_the_great_circle_times_the_detour(gateways, pops):
    tokyo, london = pops.row("tkyojpn1"), pops.row("lndngbr1")
    at_tokyo = replace(
        gateways.take(np.array([0])), lat_deg=pops.lat_deg[[tokyo]], lon_deg=pops.lon_deg[[tokyo]]
    )
    between_m = great_circle_m(
        pops.lat_deg[tokyo], pops.lon_deg[tokyo], pops.lat_deg[london], pops.lon_deg[london]
    )
    (delay_s,) = fibre_delay_s(at_tokyo, pops, np.array([london]), 2.0)
    assert delay_s == pytest.approx(2.0 * between_m * FIBRE_INDEX / SPEED_OF_LIGHT_M_S)
    assert 0.09 < delay_s < 0.10  # 9,560 km over twice their length of glass
    np.testing.assert_array_equal(fibre_delay_s(at_tokyo, pops, np.array([-1]), 2.0), [np.inf])


def test_the_table_holds_the_delay_to_its_own_pop(gateways, pops):
    again_s = fibre_delay_s(gateways, pops, gateways.pop, 1.5)
    np.testing.assert_array_equal(gateways.fibre_s, again_s)
    twice = load_gateways(BUILTIN, pops, fibre_detour=3.0)
    np.testing.assert_allclose(twice.fibre_s, 2.0 * gateways.fibre_s, rtol=ROUNDING)


def test_taking_rows_takes_every_column(gateways):
    part = gateways.take(np.array([5, 2]))
    assert part.gateway_id.tolist() == gateways.gateway_id[[5, 2]].tolist()
    assert part.fibre_s.tolist() == gateways.fibre_s[[5, 2]].tolist()
    assert (len(part), part.planned) == (2, 93)


OWN = """\
id,name,lat_deg,lon_deg,height_wgs84_m,min_elevation_deg,antennas,pop_id,country,status
berg,"Berghof, Alp",46.8,8.2,1850.5,10,4,frntdeu1,LI,
,Fjord Øst,68,375e-1,,,,,,operational
,Fiji Two,-18.1,181.5,,,,,FJ,
,Later,10,10,,,,,,planned
"""


@pytest.mark.parametrize(
    "text", [OWN, "\ufeff" + OWN, OWN.replace("\n", "\r\n"), "\n" + OWN + "\n"]
)
def test_a_list_of_ones_own_says_what_it_likes_and_leaves_the_rest_open(load, pops, text):
    own = load(text, min_elevation_deg=20.0, antennas=6)
    assert own.gateway_id.tolist() == ["berg", "fjord-ost", "fiji-two"]
    assert own.name.tolist() == ["Berghof, Alp", "Fjord Øst", "Fiji Two"]
    assert own.lat_deg.tolist() == [46.8, 68.0, -18.1]
    assert own.lon_deg.tolist() == [8.2, 37.5, -178.5]
    assert own.height_wgs84_m.tolist() == [1850.5, 0.0, 0.0]
    assert own.min_elevation_deg.tolist() == [10.0, 5.0, 20.0]
    assert own.antennas.tolist() == [4, 6, 6]
    assert own.country.tolist() == ["LI", "RU", "FJ"]
    assert pops.pop_id[own.pop].tolist() == ["frntdeu1", "wrswpol1", "acklnzl1"]
    assert own.planned == 1


def test_a_list_of_three_columns_is_enough(load):
    own = load("lon_deg,lat_deg,name\n8.2,46.8,Alp\n")
    assert (own.gateway_id.tolist(), own.country.tolist()) == (["alp"], ["CH"])


HEADER = "name,lat_deg,lon_deg"
REFUSED = {
    "": "empty; expected a CSV with the columns name, lat_deg, lon_deg",
    "\n\n": "empty; expected a CSV with the columns",
    HEADER: "no operational gateway; add one, or use a built-in list",
    f"{HEADER},status\nA,1,2,planned": "no operational gateway",
    "name,lat,lon_deg\nA,1,2": "line 1: unknown column 'lat'; did you mean \"lat_deg\"?",
    "name;lat_deg;lon_deg\nA;1;2": "line 1: columns are separated by semicolons; save it",
    "name,lat_deg,lon_deg,xyz\nA,1,2,3": "known columns: name, lat_deg, lon_deg, id,",
    "name,lat_deg\nA,1": 'line 1: column "lon_deg" is missing; expected name,',
    f"{HEADER},name\nA,1,2,A": 'line 1: column "name" is there 2 times; keep one',
    f"{HEADER}\nA,1": "line 2: 2 cells, expected 3 as in the header",
    f"{HEADER}\n\nA, Town,1,2": "line 3: 4 cells, expected 3 as in the header; put text that holds",
    f"{HEADER}\nA,95,2": "line 2: lat_deg = '95': expected -90 to 90",
    f"{HEADER}\nA,nan,2": "line 2: lat_deg = 'nan': expected -90 to 90",
    f"{HEADER}\nA,1_0,2": "line 2: lat_deg = '1_0': expected -90 to 90",
    f"{HEADER}\nA,,2": "line 2: lat_deg = '': expected -90 to 90",
    f"{HEADER}\nA,1,361": "line 2: lon_deg = '361': expected -180 to 360",
    f"{HEADER}\nA,1,-1e99": "line 2: lon_deg = '-1e99': expected -180 to 360",
    f"{HEADER}\nA,1,2\nB,N 46,2": "line 3: lat_deg = 'N 46': expected -90 to 90",
    f"{HEADER}\n,1,2": "line 2: name = '': expected 1 to 100 printable characters",
    f"{HEADER}\nA\x07,1,2": "line 2: name = 'A\\x07': expected 1 to 100 printable characters",
    f"{HEADER}\n{'A' * 101},1,2": "expected 1 to 100 printable characters",
    f"{HEADER}\n東京,1,2\n大阪,1,3": 'line 3: gateway "place" is already on line 2; leave one out',
    f"{HEADER}\nA,1,2\nB,1,2\na,5,6": 'line 4: gateway "a" is already on line 2; leave one out, or',
    f"id,{HEADER}\nx,A,1,2\nx,B,1,2": 'line 3: gateway "x" is already on line 2',
    f"id,{HEADER}\nMy Id,A,1,2": "line 2: id = 'My Id': expected a-z, 0-9 and single hyphens",
    f"{HEADER},antennas\nA,1,2,2.5": "line 2: antennas = '2.5': expected a whole number",
    f"{HEADER},antennas\nA,1,2,0": "line 2: antennas = '0': expected 1 to 1000",
    f"{HEADER},height_wgs84_m\nA,1,2,9e5": "line 2: height_wgs84_m = '9e5': expected -500 to 9000",
    f"{HEADER},min_elevation_deg\nA,1,2,-5": "min_elevation_deg = '-5': expected 0 to 90",
    f"{HEADER},country\nA,1,2,Chile": 'line 2: country "Chile" is unknown: expected two',
    f"{HEADER},status\nA,1,2,built": "line 2: status = 'built': expected operational or planned",
    f"{HEADER},pop_id\nA,1,2,frntdeu": "line 2: PoP 'frntdeu' is unknown; did you mean frntdeu1",
    f'{HEADER}\n"A,1,2\nB,1,2\n': "line 2: not CSV: unexpected end of data; check its quotes",
    f'{HEADER}\n"A"x,1,2\n': "line 2: not CSV:",
    f"{HEADER}\n".encode() + b"K\xf6ln,1,2\n": "line 2: not UTF-8 text; save the list as UTF-8",
    f"{HEADER}\n{'A' * 70_000},1,2": "line 2: 70,004 bytes long, expected at most 65,536",
    b" " * (MAX_FILE_BYTES + 1): "larger than 4,194,304 bytes; not a list of places",
}


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_a_slip_is_refused_in_one_advising_line(load, number):
    text, expected = list(REFUSED.items())[number]
    with pytest.raises(InputError) as refusal:
        load(text)
    message = str(refusal.value)
    assert "own.csv: " in message
    assert expected in message
    assert "\n" not in message


def test_a_source_that_is_not_there_is_refused(tmp_path, pops):
    with pytest.raises(
        InputError, match=r"none\.csv: there is no such file; check gateways.source"
    ):
        load_gateways(tmp_path / "none.csv", pops)
    with pytest.raises(InputError, match="the file cannot be read: Is a directory"):
        load_gateways(tmp_path, pops)
    with pytest.raises(
        InputError, match='"builtin:2020-01-01" is unknown; use "builtin:2026-03-20"'
    ):
        load_gateways("builtin:2020-01-01", pops)


def test_an_unknown_name_suggests_the_near_ones(gateways, pops):
    with pytest.raises(InputError, match="gateway 'tromso' is unknown; did you mean tromso-norway"):
        gateways.row("tromso")
    with pytest.raises(InputError, match="here: PoP 'x' is unknown; there are acklnzl1, almykaz1"):
        pops.row("x", "here: ")


cells = st.text(max_size=12) | st.sampled_from(
    [
        "1.5",
        "46",
        "-200",
        "nan",
        "planned",
        "frntdeu1",
        "CH",
        "Alp",
        '"',
        "1e400",
        "name",
        "lat_deg",
    ]
)


@settings(max_examples=300, deadline=None)
@given(
    rows=st.lists(st.lists(cells, max_size=5), max_size=5),
    header=st.sampled_from([HEADER, f"{HEADER},id", f"{HEADER},antennas,country", '"a\nb",name']),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_any_text_is_a_clean_list_or_an_advising_line(rows, header, newline):
    text = newline.join([header, *(",".join(row) for row in rows)])
    problem = ""
    try:
        listed = parse_gateways(text, "own.csv")
    except InputError as refusal:
        listed, problem = [], str(refusal)
    assert not problem or problem.startswith("own.csv: ")
    assert "\n" not in problem
    for row in listed:
        assert is_slug(row.gateway_id)
        assert abs(row.lat_deg) <= 90.0
        assert abs(row.lon_deg) <= 180.0


@pytest.mark.parametrize("name", ["pipe", "/dev/zero"])
def test_pipes_and_devices_are_refused_unopened(tmp_path, pops, name):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="not a regular file; copy what it holds into a file"):
        load_gateways(tmp_path / name, pops)


ONEWEB = "builtin:oneweb-2025-06"


def test_onewebs_40_gateways_use_onewebs_29_pops():
    pops = load_pops(ONEWEB)
    gateways = load_gateways(ONEWEB, pops)
    assert (len(gateways), gateways.planned, len(pops)) == (40, 0, 29)
    for ids in (gateways.gateway_id, pops.pop_id):
        assert len(set(ids)) == len(ids)
        assert all(is_slug(one) and one.startswith("oneweb-") for one in ids)
    assert all(gateways.country)
    pop_of = dict(zip(gateways.gateway_id, pops.pop_id[gateways.pop], strict=True))
    assert pop_of["oneweb-snp-southbury"] == "oneweb-ashburn"
    assert pop_of["oneweb-snp-longyearbyen"] == "oneweb-amsterdam"


def test_onewebs_pops_stand_in_the_countries_its_list_gives_them():
    pops = load_pops(ONEWEB)
    assert pops.country.tolist() == list(country_at(pops.lat_deg, pops.lon_deg))


def test_onewebs_gateways_are_those_of_the_reference_data(reference_data):
    lines = (reference_data / "gateways/oneweb/oneweb-snp.csv").read_text().split()
    listed = sorted(tuple(round(float(x), 4) for x in line.split(",")[::-1]) for line in lines)
    gateways = load_gateways(ONEWEB, load_pops(ONEWEB))
    ours = sorted(zip(gateways.lat_deg.tolist(), gateways.lon_deg.tolist(), strict=True))
    assert ours == listed


def test_the_builtin_pops_are_starlinks(pops):
    again = load_pops("builtin:2026-04-16")
    assert again.pop_id.tolist() == pops.pop_id.tolist()
    assert len(pops) == 54


@pytest.mark.parametrize(
    ("gateways", "pops"),
    [
        (BUILTIN, "builtin:2026-04-16"),
        ("own.csv", "builtin:2026-04-16"),
        ("none", "none"),
        (ONEWEB, ONEWEB),
    ],
)
def test_pops_go_with_their_gateways(gateways, pops):
    assert default_pops(gateways) == pops
    assert (len(load_pops(pops)) > 0) == (pops in BUILTIN_POPS)


def test_every_builtin_list_loads_with_its_pops():
    for source in BUILTIN_GATEWAYS:
        assert len(load_gateways(source, load_pops(default_pops(source)))) >= 40


def test_an_operator_may_have_no_gateway_that_is_known(pops):
    nothing = load_gateways("none", load_pops("none"))
    assert (len(nothing), nothing.planned) == (0, 0)
    same_types = load_gateways(BUILTIN, pops)
    for name in ("gateway_id", "lat_deg", "antennas", "pop", "fibre_s"):
        assert getattr(nothing, name).shape == (0,)
        assert getattr(nothing, name).dtype.kind == getattr(same_types, name).dtype.kind
    assert fibre_delay_s(nothing, pops, nothing.pop, 1.5).shape == (0,)
    with pytest.raises(InputError, match="gateway 'x' is unknown"):
        nothing.row("x")


def test_gateways_that_lead_nowhere_are_refused():
    with pytest.raises(InputError, match=r"gateways need PoPs to lead to; give gateways\.pops a"):
        load_gateways(BUILTIN, load_pops("none"))


def test_the_scenario_of_three_constellations_names_what_there_is():
    root = Path(__file__).parents[3]
    networks = load_scenario(root / "scenarios" / "constellations.toml").networks()
    assert [network.operator for network in networks] == ["starlink", "oneweb", "amazon-leo"]
    satellites, gateways = [], []
    for network in networks:
        everything = read_catalogue(network.catalogue.source)
        satellites.append(len(select_names(everything, network.catalogue.select)))
        source = network.gateways.source
        gateways.append(len(load_gateways(source, load_pops(default_pops(source)))))
    assert satellites == [10_546, 651, 328]
    assert gateways == [214, 40, 0]


@pytest.fixture
def own_pops(tmp_path):
    def load_text(text):
        path = tmp_path / "pops.csv"
        path.write_text(text, encoding="utf-8")
        return load_pops(path)

    return load_text


def test_pops_of_ones_own_are_read_and_their_country_looked_up(own_pops):
    pops = own_pops("lon_deg,lat_deg,pop_id,city,country\n8.5,47.4,zrh,Zürich,\n188,-18,fj,,FJ\n")
    assert pops.pop_id.tolist() == ["zrh", "fj"]
    assert pops.city.tolist() == ["Zürich", ""]
    assert pops.country.tolist() == ["CH", "FJ"]
    assert pops.lon_deg.tolist() == [8.5, -172.0]
    assert own_pops("pop_id,lat_deg,lon_deg\nx,1,2\n").country.tolist() == [""]


POP_HEADER = "pop_id,lat_deg,lon_deg"
REFUSED_POPS = {
    "": "empty; expected a CSV with the columns pop_id, lat_deg, lon_deg",
    POP_HEADER: "no PoP; add one, or use a built-in list",
    "pop,lat_deg,lon_deg\na,1,2": "line 1: unknown column 'pop'; did you mean \"pop_id\"?",
    "pop_id,lat_deg\na,1": 'line 1: column "lon_deg" is missing; expected pop_id, lat_deg,',
    f"{POP_HEADER}\na,1": "line 2: 2 cells, expected 3",
    f"{POP_HEADER}\na,95,2": "line 2: lat_deg = '95': expected -90 to 90",
    f"{POP_HEADER}\na,1,400": "line 2: lon_deg = '400': expected -180 to 360",
    f"{POP_HEADER}\n,1,2": "line 2: pop_id = '': expected a-z, 0-9 and single hyphens",
    f"{POP_HEADER}\nMy PoP,1,2": "pop_id = 'My PoP': expected a-z, 0-9 and single hyphens between "
    'them; write it like "my-pop"',
    f"{POP_HEADER}\na,1,2\na,3,4": 'line 3: PoP "a" is already on line 2; leave one out or',
    f"{POP_HEADER},country\na,1,2,Chile": 'line 2: country "Chile" is unknown: expected two',
    f"{POP_HEADER},city\na,1,2,A\x07": "line 2: city = 'A\\x07': expected 1 to 100 printable",
}


@pytest.mark.parametrize("number", range(len(REFUSED_POPS)))
def test_a_slip_in_a_list_of_pops_is_refused_in_one_advising_line(own_pops, number):
    text, expected = list(REFUSED_POPS.items())[number]
    with pytest.raises(InputError) as refusal:
        own_pops(text)
    assert "pops.csv: " in str(refusal.value)
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_pops_that_are_not_there_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"no\.csv: there is no such file; check gateways.pops"):
        load_pops(tmp_path / "no.csv")
    with pytest.raises(
        InputError,
        match=r'gateways\.pops = "builtin:x" is unknown; use "builtin:2026-04-16" or "builtin:onew',
    ):
        load_pops("builtin:x")
