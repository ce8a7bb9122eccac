"""The towns that stand for a country's people."""

import numpy as np
import pytest

from skyweave.places import country_at, resolve_place
from skyweave.realism.population_points import country_median, population_points

POINTS = 14
SAME_COUNTRY = 0.95  # of the towns, by boundaries that count Reunion to France
NEAR_DEG = 0.2


@pytest.fixture(scope="module")
def towns():
    return population_points()


def test_fourteen_points_stand_for_every_country(towns):
    for code in np.unique(towns.iso_a3):
        assert towns.points[towns.iso_a3 == code].sum() == POINTS
    assert np.unique(towns.iso_a3).size == np.unique(towns.country).size > 240


def test_towns_lie_in_the_country_they_stand_for(towns):
    found = np.array(country_at(towns.lat_deg, towns.lon_deg))
    assert (found == towns.country)[found != ""].mean() >= SAME_COUNTRY


@pytest.mark.parametrize(
    ("city", "iso_a3"), [("Santiago", "CHL"), ("Ulaanbaatar", "MNG"), ("Lima", "PER")]
)
def test_a_city_of_a_third_of_the_people_has_a_third_of_the_points(towns, city, iso_a3):
    place = resolve_place(city)
    is_near = (np.abs(towns.lat_deg - place.lat_deg) < NEAR_DEG) & (
        np.abs(towns.lon_deg - place.lon_deg) < NEAR_DEG
    )
    assert 4 <= towns.points[is_near & (towns.iso_a3 == iso_a3)].sum() < POINTS


def test_a_country_s_median_is_that_of_its_people_and_not_of_its_towns():
    assert country_median(np.array([1.0, 2.0, 9.0]), np.array([12, 1, 1])) == 1.0
    assert country_median(np.array([1.0, 9.0]), np.array([7, 7])) == 5.0
    assert np.isnan(country_median(np.empty(0), np.empty(0, dtype=np.int64)))


def test_a_taken_town_keeps_the_row_that_tells_it_apart(towns):
    peru = towns.take(towns.iso_a3 == "PER")
    assert set(peru.country) == {"PE"}
    np.testing.assert_array_equal(towns.lat_deg[peru.row], peru.lat_deg)
