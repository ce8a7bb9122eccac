"""What a name stands for: the scenario's own places first, then GeoNames."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.errors import InputError
from skyweave.places import is_slug, make_slug, resolve_place

SITES = Path(__file__).parents[1] / "golden" / "hypatia" / "ground_stations_top_100.basic.txt"
HYPATIA = [(line.split(",")[1], ()) for line in SITES.read_text(encoding="utf-8").split()]


def test_each_of_hypatias_cities_answers_to_its_own_name():
    for row, (name, _) in enumerate(HYPATIA):
        for written in (name, name.replace("-", " "), name.upper()):
            assert resolve_place(written, HYPATIA).own == row


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("New York", "New-York-Newark"),
        ("Newark", "New-York-Newark"),
        ("Saint Petersburg", "Sankt-Peterburg-(Saint-Petersburg)"),
        ("St. Petersburg", "Sankt-Peterburg-(Saint-Petersburg)"),
        ("Sankt Peterburg", "Sankt-Peterburg-(Saint-Petersburg)"),
        ("Mexico City", "Ciudad-de-México-(Mexico-City)"),
        ("ciudad de mexico", "Ciudad-de-México-(Mexico-City)"),
        ("Osaka", "Kinki-M.M.A.-(Osaka)"),
        ("Fukuoka", "Kitakyushu-Fukuoka-M.M.A."),
        ("Long Beach", "Los-Angeles-Long-Beach-Santa-Ana"),
        ("Fort Worth", "Dallas-Fort-Worth"),
        ("Washington", "Washington--D.C."),
        ("Washington DC", "Washington--D.C."),
        ("Ho Chi Minh City", "Thành-Pho-Ho-Chí-Minh-(Ho-Chi-Minh-City)"),
        ("Xian", "Xi'an--Shaanxi"),
        ("MONTREAL", "Montréal"),
        ("Peking", "Beijing"),
        ("Bombay", "Mumbai-(Bombay)"),
        ("Saigon", "Thành-Pho-Ho-Chí-Minh-(Ho-Chi-Minh-City)"),
        ("Rio", "Rio-de-Janeiro"),
        ("Dar", "Dar-es-Salaam"),
    ],
)
def test_a_site_answers_to_its_parts_and_transliterations(query, name):
    assert resolve_place(query, HYPATIA).name == name


def test_a_word_inside_a_towns_name_does_not_stand_for_the_town():
    place = resolve_place("York", HYPATIA)
    assert (place.own, place.country) == (-1, "GB")


def test_an_id_or_alias_of_the_scenario_wins_over_a_larger_city():
    own = [("Clinic Nine", ("paris", "clinic-9")), ("Paris Embassy", ())]
    assert resolve_place("Paris", own).own == 0
    assert resolve_place("clinic-9", own).own == 0
    assert resolve_place("Embassy", own).own == 1


def test_a_name_as_written_wins_over_one_that_only_folds_to_it():
    own = [("Alpha", ()), ("alpha", ())]
    assert resolve_place("alpha", own).own == 1
    with pytest.raises(InputError, match=r'"ALPHA" could be any of "Alpha", "alpha"'):
        resolve_place("ALPHA", own)


def test_an_ambiguous_name_is_refused_with_its_candidates():
    with pytest.raises(InputError) as refusal:
        resolve_place("Jiangsu", HYPATIA)
    assert str(refusal.value) == (
        '"Jiangsu" could be any of "Nanjing--Jiangsu", "Suzhou--Jiangsu"; '
        "write the full name or id of one"
    )


def test_many_candidates_are_counted():
    own = [(f"Hospital {n}", ()) for n in range(40)]
    with pytest.raises(InputError, match=r'"Hospital 4" and 35 more; write the full name'):
        resolve_place("hospital", own)


def test_without_sites_the_largest_city_of_the_name_answers():
    place = resolve_place("saint petersburg")
    assert (place.name, place.own, place.country) == ("Saint Petersburg", -1, "RU")
    assert (place.lat_deg, place.lon_deg) == pytest.approx((59.94, 30.31), abs=0.05)
    assert resolve_place("London").country == "GB"
    assert resolve_place("Zurich").name == "Zürich"


def test_an_unknown_name_is_refused_with_near_ones():
    with pytest.raises(InputError) as refusal:
        resolve_place("Hospitl Nine", [("Hospital Nine", ())])
    assert str(refusal.value) == (
        'no site and no city of 15,000 people is called "Hospitl Nine"; '
        'did you mean "Hospital Nine"?'
    )


def test_an_unknown_name_near_nothing_is_refused_with_advice():
    with pytest.raises(InputError, match=r'"qqqqqqqq"; add it to the scenario as \[\[sites\]\]'):
        resolve_place("qqqqqqqq")


@pytest.mark.parametrize("query", ["", "  ", "()", "--"])
def test_a_query_without_letters_is_refused(query):
    with pytest.raises(InputError, match="is no name of a place; give a site, an id or a city"):
        resolve_place(query)


@settings(max_examples=40, deadline=None)
@given(query=st.text(max_size=30), names=st.lists(st.text(max_size=20), max_size=4))
def test_any_query_ends_in_a_place_or_an_advice(query, names):
    try:
        place = resolve_place(query, [(name, (name[::-1],)) for name in names])
    except InputError:
        return
    assert place.own == -1 or place.name == names[place.own]


@settings(deadline=None)
@given(name=st.text(max_size=200), taken=st.sets(st.sampled_from(["place", "place-2", "a", "0"])))
def test_every_name_makes_a_new_slug(name, taken):
    slug = make_slug(name, taken)
    assert is_slug(slug)
    assert slug not in taken


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Aid post #17 (Örebro)", "aid-post-17-orebro"),
        ("東京", "place"),
        ("x" * 300, "x" * 90),
    ],
)
def test_a_slug_is_made_of_a_name(name, slug):
    assert make_slug(name) == slug


@pytest.mark.parametrize("text", ["", "A", "a b", "-a", "a-", "a--b", "é", "a" * 101, "a\n"])
def test_what_is_no_slug_is_told(text):
    assert not is_slug(text)
