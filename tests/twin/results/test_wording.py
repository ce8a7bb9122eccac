"""Figures in words."""

import pytest

from skyweave.twin.results import wording


def plain(text):
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (0.99999, "99.99 %"),
        (0.9996, "99.96 %"),
        (0.999898, "99.99 %"),
        (0.9994, "99.9 %"),
        (0.5, "50.0 %"),
        (0.0005, "0.1 %"),
        (0.0001, "under 0.1 %"),
        (0.0, "0 %"),
        (None, "–"),
        (float("nan"), "–"),
    ],
)
def test_only_the_whole_is_100_percent_and_only_nothing_0(share, text):
    assert plain(wording.percent(share)) == text


@pytest.mark.parametrize(
    ("time_s", "text"),
    [
        (0.25, "0.25 s"),
        (45, "45 s"),
        (60, "1 min"),
        (435, "7 min 15 s"),
        (3600, "1 h"),
        (3605, "1 h"),
        (7380, "2 h 3 min"),
        (187_200, "2 d 4 h"),
    ],
)
def test_durations_name_their_two_largest_units(time_s, text):
    assert plain(wording.duration(time_s)) == text


def test_delays_are_whole_milliseconds_and_unknown_is_no_number():
    assert plain(wording.milliseconds(0.0424)) == "42 ms"
    assert wording.milliseconds(None) == wording.milliseconds(float("nan")) == "–"


def test_a_moment_shows_its_date_only_on_another_day():
    assert wording.moment("2026-06-14T12:00:12Z", "2026-06-14T00:00:12Z") == "12:00:12"
    assert wording.moment("2026-06-15T00:00:12Z", "2026-06-14T12:00:12Z") == "2026-06-15 00:00:12"


def test_a_count_agrees_with_its_noun():
    assert plain(wording.count(1, "site")) == "1 site"
    assert plain(wording.count(2002, "site")) == "2,002 sites"
    assert plain(wording.count(2, "country", "countries")) == "2 countries"


@pytest.mark.parametrize(
    ("code", "name"),
    [("PH", "Philippines"), ("FR", "France"), ("NO", "Norway"), ("ZZ", "ZZ"), ("", "unknown")],
)
def test_countries_have_names_where_one_is_known(code, name):
    assert wording.country(code) == name


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        ([], ""),
        (["Italy"], "Italy"),
        (["Italy", "Spain"], "Italy and Spain"),
        (["Italy", "Spain", "France"], "Italy, Spain and France"),
    ],
)
def test_a_list_in_a_sentence_ends_in_and(texts, sentence):
    assert wording.joined(texts) == sentence


@pytest.mark.parametrize(
    ("name", "code", "text"),
    [
        ("Turin", "IT", "Turin, Italy"),
        ("Angeles, Philippines", "PH", "Angeles, Philippines"),
        ("Chalfont Grove, UK", "GB", "Chalfont Grove, UK"),
        ("Ship", "", "Ship"),
    ],
)
def test_a_place_names_its_country_once(name, code, text):
    assert wording.place(name, code) == text


def test_countries_that_have_an_article_take_it_in_a_sentence():
    names = [wording.country_in_sentence(code) for code in ("DE", "US", "PH", "XX", "")]
    known = ["Germany", "the United States of America", "the Philippines", "XX", "unknown"]
    assert names == known
