"""The packaged cities."""

import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.places import largest_cities
from skyweave.places.cities import all_cities, cities_called, names_of
from skyweave.places.folding import fold, forms


def test_the_largest_cities_come_first():
    cities = largest_cities(1800)
    assert len(cities) == 1800
    assert (np.diff(cities.population) <= 0).all()
    assert cities.name[:3].tolist() == ["Shanghai", "Beijing", "Shenzhen"]
    assert np.abs(cities.lat_deg).max() < 90.0
    assert (np.char.str_len(cities.country) == 2).all()


@pytest.mark.parametrize("count", [0, -1, 34_007])
def test_a_count_of_cities_that_do_not_exist_is_refused(count):
    with pytest.raises(InputError, match=rf"count = {count} cities: expected 1 to 34006"):
        largest_cities(count)


def test_a_citys_own_name_wins_over_another_citys_alias():
    assert all_cities().country[cities_called("islamabad")[0]] == "PK"  # also a name of Chattogram
    assert all_cities().country[cities_called("porto")[0]] == "PT"  # also a name of Bordeaux


def test_cities_of_one_name_come_by_population():
    rows = cities_called("london")
    assert all_cities().country[list(rows[:2])].tolist() == ["GB", "CA"]


def test_nothing_is_called_by_an_empty_name():
    assert cities_called("") == ()


def test_the_other_names_are_folded_as_queries_are():
    for row in range(0, len(all_cities()), 500):
        assert all(fold(name) == name for name in names_of(row))


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("São-Paulo", "sao paulo"),
        ("Xi’an", "xian"),
        ("Tromsø", "tromso"),
        ("Łódź", "lodz"),
        ("WASHINGTON, D.C.", "washington dc"),
        ("St. Petersburg", "saint petersburg"),
        ("  Thành--Pho ", "thanh pho"),
        ("Straße", "strasse"),
        ("Москва", "москва"),
        ("--", ""),
    ],
)
def test_a_name_is_folded(written, folded):
    assert fold(written) == folded


def test_a_name_has_the_forms_of_its_parts():
    assert forms("Sankt-Peterburg-(Saint-Petersburg)") == ("sankt peterburg", "saint petersburg")
    assert forms("Washington--D.C.") == ("washington dc", "washington", "dc")
    assert forms("New York City") == ("new york city", "new york")
    assert forms("()") == ()
