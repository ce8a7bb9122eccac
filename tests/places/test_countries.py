"""Which country a place lies in, against the names its owners gave it."""

import csv
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.places import claims_at, coastlines, country_at, country_outlines, disputed_lines
from skyweave.places.boundaries import boundaries
from skyweave.places.cities import all_cities
from skyweave.places.countries import NEAR_LAND_M

NAMED = {
    "Argentina": "AR",
    "Australia": "AU",
    "Bangladesh": "BD",
    "Barbados": "BB",
    "Brazil": "BR",
    "Bulgaria": "BG",
    "Canada": "CA",
    "Chile": "CL",
    "Colombia": "CO",
    "Curaçao": "CW",
    "DR": "DO",
    "Fiji": "FJ",
    "France": "FR",
    "GU": "GU",
    "Germany": "DE",
    "Guam": "GU",
    "Guatemala": "GT",
    "India": "IN",
    "Indonesia": "ID",
    "Ireland": "IE",
    "Italy": "IT",
    "Japan": "JP",
    "Kazakhstan": "KZ",
    "Kenya": "KE",
    "Lithuania": "LT",
    "Malaysia": "MY",
    "Mexico": "MX",
    "NZ": "NZ",
    "New Zealand": "NZ",
    "Nigeria": "NG",
    "Norway": "NO",
    "Oman": "OM",
    "PR": "PR",
    "Peru": "PE",
    "Philippines": "PH",
    "Poland": "PL",
    "Portugal": "PT",
    "Qatar": "QA",
    "Singapore": "SG",
    "South Africa": "ZA",
    "Spain": "ES",
    "Turkey": "TR",
    "UK": "GB",
    "USA": "US",
}
PROVINCES = ("NS", "NU", "ON", "QC")
SPECIAL = {
    "St. John's, NL": "CA",  # Newfoundland and Labrador
    "Hoofddorf, NL": "NL",
    "Isle of Man, UK": "IM",
    "Westbury NY": "US",
}


def packaged(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_data_text(name))))


def expected_country(gateway: str) -> str:
    if gateway in SPECIAL:
        return SPECIAL[gateway]
    suffix = gateway.rpartition(", ")[2]
    if suffix in PROVINCES:
        return "CA"
    return NAMED.get(suffix, "US" if len(suffix) == 2 and suffix.isupper() else "unknown")


def columns(rows: list[dict[str, str]]) -> tuple[list[float], list[float]]:
    return [float(r["lat_deg"]) for r in rows], [float(r["lon_deg"]) for r in rows]


def test_every_gateway_lies_in_the_country_that_its_name_says():
    gateways = packaged("gateways_2026-03-20.csv")
    assert sum(g["status"] == "operational" for g in gateways) == 214
    found = country_at(*columns(gateways))
    wrong = {
        g["name"]: country
        for g, country in zip(gateways, found, strict=True)
        if country != expected_country(g["name"])
    }
    assert wrong == {}


def test_every_point_of_presence_lies_in_the_country_of_its_list():
    pops = packaged("pops_2026-04-16.csv")
    found = country_at(*columns(pops))
    wrong = {
        p["pop_id"]: country
        for p, country in zip(pops, found, strict=True)
        if country != NAMED[p["country_name"]]
    }
    assert wrong == {}


def test_cities_lie_in_the_country_that_geonames_gives():
    cities = all_cities()
    found = np.array(country_at(cities.lat_deg, cities.lon_deg))
    least_share = 0.994
    assert (found == cities.country).mean() >= least_share


def test_a_city_in_another_country_than_geonames_gives_stands_beside_it_or_is_disputed():
    cities = all_cities()
    found = np.array(country_at(cities.lat_deg, cities.lon_deg))
    claims = np.array(claims_at(cities.lat_deg, cities.lon_deg))
    overseas = np.isin(cities.country, ["GF", "GP", "MQ", "RE", "YT", "SJ", "CC", "CX", "BQ"])
    wrong = np.flatnonzero((found != cities.country) & (claims == "") & ~overseas)
    eleven_km_deg = 0.1
    turn = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    lat_deg = cities.lat_deg[wrong, None] + eleven_km_deg * np.sin(turn)
    lon_deg = cities.lon_deg[wrong, None] + eleven_km_deg * np.cos(turn)
    around = np.array(country_at(lat_deg.ravel(), lon_deg.ravel())).reshape(lat_deg.shape)
    beside = (around == cities.country[wrong, None]).any(axis=1)
    too_small_for_the_map = {"Gibraltar", "Vatican City"}
    islands_without_land = {"San Andrés", "Phú Quý", "Funafuti", "Adamstown", "Mapun", "Sitangkai"}
    islands_without_land.add("Cockburn Town")
    left = {str(name) for name in cities.name[wrong[~beside]]}
    assert left == too_small_for_the_map | islands_without_land | {"Kafia Kingi"}


@pytest.mark.parametrize(
    ("name", "lat_deg", "lon_deg", "country"),
    [
        ("the date line in Fiji from the west", -16.8, 180.0, "FJ"),
        ("the date line in Fiji from the east", -16.8, -180.0, "FJ"),
        ("one turn on", -16.8, 540.0, "FJ"),
        ("Chukotka beyond the date line", 66.5, -179.0, "RU"),
        ("Chukotka written as 181 east", 66.5, 181.0, "RU"),
        ("the South Pole", -90.0, 0.0, "AQ"),
        ("the South Pole on any meridian", -90.0, 123.0, "AQ"),
        ("the North Pole", 90.0, 0.0, ""),
        ("the middle of the Atlantic", 30.0, -45.0, ""),
        ("France, which the layer leaves without a code", 48.85, 2.35, "FR"),
        ("Norway, too", 59.91, 10.75, "NO"),
        ("Svalbard counts to Norway", 78.22, 15.65, "NO"),
        ("San Marino is a hole in Italy", 43.94, 12.46, "SM"),
        ("Lesotho is a hole in South Africa", -29.5, 28.2, "LS"),
        ("Kosovo has a user-assigned code", 42.66, 21.16, "XK"),
        ("Hargeisa, which ISO 3166-2 lists under Somalia", 9.56, 44.06, "SO"),
        ("no position", np.nan, np.nan, ""),
        ("half a position", 48.85, np.nan, ""),
    ],
)
def test_a_place_has_the_country_of_the_map(name, lat_deg, lon_deg, country):
    assert country_at([lat_deg], [lon_deg]) == [country], name


def test_places_off_a_shore_belong_to_it_up_to_fifty_kilometres():
    barbados_east = -59.43
    degree_m = great_circle_m(13.17, 0.0, 13.17, 1.0)
    for distance_m, country in ((5_000.0, "BB"), (40_000.0, "BB"), (60_000.0, "")):
        assert country_at([13.17], [barbados_east + distance_m / degree_m]) == [country]


def test_the_distance_to_land_agrees_with_every_vertex_of_the_map():
    rng = np.random.default_rng(5)
    lat_deg = np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, 300)))
    lon_deg = rng.uniform(-180.0, 180.0, 300)
    found = np.array(country_at(lat_deg, lon_deg))
    points = np.concatenate(boundaries().rings)
    nearest_m = np.array(
        [
            great_circle_m(lat, lon, points[:, 1], points[:, 0]).min()
            for lat, lon in zip(lat_deg, lon_deg, strict=True)
        ]
    )
    assert (found[nearest_m < NEAR_LAND_M] != "").all()
    assert (found == "").mean() == pytest.approx(0.66, abs=0.1)  # the share of open sea


@settings(deadline=None)
@given(
    lat_deg=st.floats(-90, 90),
    lon_deg=st.floats(-180, 180),
    turns=st.sampled_from([-360, 360, 720]),
)
def test_a_whole_turn_of_longitude_changes_nothing(lat_deg, lon_deg, turns):
    lon_deg = np.round(lon_deg, 6)
    assert country_at([lat_deg], [lon_deg + turns]) == country_at([lat_deg], [lon_deg])


def test_no_places_have_no_countries():
    assert country_at([], []) == []


def test_a_latitude_beyond_the_pole_is_refused():
    with pytest.raises(InputError, match=r"a latitude of 95.0 deg; expected -90 to 90"):
        country_at([95.0], [0.0])


def test_places_of_two_shapes_are_refused():
    with pytest.raises(InputError, match=r"pass both as \(S,\)"):
        country_at([1.0, 2.0], [3.0])


def test_a_disputed_place_is_told_with_its_claims():
    abyei, crimea, paris = (9.6, 28.4), (44.95, 34.1), (48.85, 2.35)
    assert claims_at(*zip(abyei, crimea, paris, strict=True)) == [
        "Abyei: Admin. by Sudan; Claimed by South Sudan",
        "Crimea: Admin. by Russia; Claimed by Ukraine",
        "",
    ]


def lines_near(lines, lat_deg, lon_deg):
    points = np.concatenate(lines)
    return great_circle_m(lat_deg, lon_deg, points[:, 1], points[:, 0]).min() < 15_000.0


@pytest.mark.parametrize(
    ("border", "lat_deg", "lon_deg"),
    [
        ("Crimea's isthmus", 46.15, 33.7),
        ("Western Sahara's berm", 25.9, -12.0),
        ("Northern Cyprus", 35.15, 33.4),
        ("Transnistria", 47.2, 29.2),
        ("South Ossetia", 42.6, 44.2),
        ("the West Bank", 32.2, 35.0),
        ("Kosovo and Serbia", 43.2, 20.9),
        ("the line of control in Kashmir", 34.6, 74.0),
        ("Arunachal Pradesh and China", 28.8, 93.9),
        ("Somaliland and Somalia", 9.5, 48.95),
    ],
)
def test_a_disputed_border_is_only_among_the_disputed_lines(border, lat_deg, lon_deg):
    assert lines_near(disputed_lines(), lat_deg, lon_deg), border
    is_coast = lines_near(coastlines(), lat_deg, lon_deg)
    assert is_coast or not lines_near(country_outlines(), lat_deg, lon_deg), border


def test_a_border_nobody_disputes_is_only_in_the_outlines():
    where_us_meets_canada = (49.0, -110.0)
    assert lines_near(country_outlines(), *where_us_meets_canada)
    assert not lines_near(disputed_lines(), *where_us_meets_canada)
    assert not lines_near(coastlines(), *where_us_meets_canada)


def test_lines_are_drawn_once_and_not_along_the_cuts_of_the_map():
    lines = country_outlines()
    assert all(line.ndim == 2 and line.shape[0] >= 2 and line.shape[1] == 2 for line in lines)
    starts = np.concatenate([line[:-1] for line in lines])
    ends = np.concatenate([line[1:] for line in lines])
    assert not ((np.abs(starts[:, 0]) == 180.0) & (np.abs(ends[:, 0]) == 180.0)).any()
    edges = np.sort(np.stack([starts @ [1, 1j], ends @ [1, 1j]]), axis=0)
    assert np.unique(edges, axis=1).shape[1] == edges.shape[1]


def test_coasts_and_borders_together_are_the_whole_map():
    known = boundaries()
    drawn = sum(len(line) - 1 for line in country_outlines())
    marked = sum(
        int(c.sum() + b.sum()) for c, b in zip(known.is_coast, known.is_border, strict=True)
    )
    disputed = marked - drawn
    assert 0 < disputed < 0.05 * marked
    edges = sum(len(ring) - 1 for ring in known.rings)
    shared = sum(int(b.sum()) for b in known.is_border)
    cuts = edges - marked - shared
    assert 0 < cuts < 100
