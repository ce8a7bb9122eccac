"""`realism serving`: figures by hand and against SciPy, its document, and what it refuses."""

import json
import math

import numpy as np
import pytest
from scipy.stats import ks_2samp
from tests.support import made_dish

from skyweave.errors import InputError
from skyweave.realism.choice_sets import ChoiceSet
from skyweave.realism.serving import (
    best_prediction,
    elevation_ks,
    figures,
    ranks,
    score_serving,
)
from skyweave.twin.scheduling.features import ChoiceInputs, separation_deg

ROUNDING = 1e-12
SLOTS = 30
RULES = ["cold", "warm", "preference-best", "highest-elevation", "random", "longest-visible",
         "shortest-path"]  # fmt: skip
KEYS = ["top1", "top3", "top5", "mrr", "elevation_ks", "top1_raw", "top5_raw", "ranking"]


def choices_of(counts, elevation_deg):
    """Return a choice set whose slots have so many candidates."""
    count = int(sum(counts))
    nothing = np.full(count, np.nan)
    steady = np.full(count, 3, np.int32)
    inputs = ChoiceInputs(
        np.asarray(elevation_deg, float), np.zeros(count), nothing, nothing, nothing,
        steady, steady, np.zeros(count, np.bool_), np.zeros(count, np.int32),
    )  # fmt: skip
    return ChoiceSet(
        slot_utc=np.datetime64("2026-01-01T00:00:12", "ns") + np.arange(len(counts)),
        start=np.concatenate([[0], np.cumsum(counts)]),
        name=np.array([f"S-{n}" for n in range(count)]),
        range_m=nothing,
        has_views=False,
        inputs=inputs,
        listed=np.arange(count),
    )


def test_ranks_count_from_the_greatest_and_equals_stay_in_order():
    choices = choices_of([3, 0, 4], np.zeros(7))
    score = np.array([1.0, 5.0, 3.0, 2.0, 2.0, -np.inf, 7.0])
    assert ranks(choices, score).tolist() == [3, 1, 2, 2, 3, 4, 1]


def test_figures_are_those_counted_by_hand():
    choices = choices_of([6, 2, 4, 1], np.zeros(13))
    score = np.array([6.0, 5, 4, 3, 2, 1, 1, 2, 4, 3, 2, 1, 0])
    right = np.array([5, 7, 10, -1])  # ranks 6, 1, 3, and no candidate
    found = figures(choices, score, right, np.array([True, True, True, True]))
    assert (found.top1, found.top3, found.top5) == (0.25, 0.5, 0.5)
    assert found.mrr == pytest.approx((1 / 6 + 1 + 1 / 3 + 0) / 4, abs=ROUNDING)
    some = figures(choices, score, right, np.array([False, True, False, False]))
    assert (some.top1, some.mrr) == (1.0, 1.0)


def test_the_elevation_distance_of_a_certain_rule_is_scipys():
    rng = np.random.default_rng(3)
    choices = choices_of([5] * 40, rng.uniform(25.0, 90.0, 200))
    certain = best_prediction(choices, choices.inputs.elevation_deg)
    right = np.arange(0, 200, 5) + rng.integers(0, 5, 40)
    counted = np.ones(40, np.bool_)
    counted[7] = False
    taken = choices.inputs.elevation_deg[certain.probability == 1.0][counted]
    expected = ks_2samp(taken, choices.inputs.elevation_deg[right[counted]]).statistic
    found = elevation_ks(choices, certain.probability, right, counted)
    assert found == pytest.approx(expected, abs=ROUNDING)


def test_the_expected_elevation_distance_is_that_of_very_many_draws():
    rng = np.random.default_rng(4)
    elevation_deg = rng.uniform(25.0, 90.0, 60)
    choices = choices_of([6] * 10, elevation_deg)
    probability = rng.dirichlet(np.ones(6), 10)
    right = np.arange(0, 60, 6) + rng.integers(0, 6, 10)
    draws = np.concatenate([
        elevation_deg[6 * k + rng.choice(6, 40_000, p=probability[k])] for k in range(10)
    ])  # fmt: skip
    found = elevation_ks(choices, probability.ravel(), right, np.ones(10, np.bool_))
    assert found == pytest.approx(ks_2samp(draws, elevation_deg[right]).statistic, abs=0.005)


@pytest.fixture(scope="module")
def dish(tmp_path_factory):
    """A dish that takes the highest satellite in three slots of four, else any within its view."""
    rng = np.random.default_rng(8)

    def choose(sky):
        if rng.random() < 0.75:
            return max(range(len(sky)), key=lambda n: sky[n][2])
        inside = [
            n for n, (_, azimuth, elevation, _) in enumerate(sky)
            if separation_deg(azimuth, elevation, *made_dish.BORESIGHT_DEG) < 50.0
        ]  # fmt: skip
        return int(rng.choice(inside))

    return made_dish.make_dish(tmp_path_factory.mktemp("serving"), SLOTS, choose)


@pytest.fixture(scope="module")
def answer(dish):
    return score_serving(
        dish.chosen, dish.candidates, made_dish.ELEMENTS, site=made_dish.SITE,
        boresight=made_dish.BORESIGHT_DEG,
    )  # fmt: skip


def test_the_document_has_every_rule_and_figure(answer):
    assert json.loads(json.dumps(answer)) == answer
    assert list(answer["rules"]) == RULES
    for rule in answer["rules"].values():
        assert list(rule) == KEYS
        assert all(0.0 <= rule[key] <= 1.0 for key in KEYS[:-1])
    assert answer["slots"] == SLOTS
    assert 0.8 * SLOTS <= answer["slots_clean"] <= SLOTS
    assert answer["fitted_on"]["overlaps"] is False
    assert answer["labels"]["published_is_no_candidate"] == 0


def test_a_dish_that_takes_the_highest_is_told_by_that_rule(dish, answer):
    highest = answer["rules"]["highest-elevation"]
    of_highest = np.mean([
        name == max(sky, key=lambda row: row[2])[0]
        for name, sky in zip(dish.names, dish.skies, strict=True)
    ])  # fmt: skip
    assert highest["top1_raw"] == pytest.approx(of_highest, abs=ROUNDING)
    assert highest["top1"] > answer["rules"]["random"]["top1"]
    assert highest["elevation_ks"] < answer["rules"]["longest-visible"]["elevation_ks"]


def test_a_dish_that_returns_to_its_satellites_is_told_better_with_memory(answer):
    a_tenth = 0.1
    assert answer["rules"]["warm"]["mrr"] > answer["rules"]["cold"]["mrr"] + a_tenth


def test_raw_figures_are_of_the_published_names_and_clean_ones_of_the_pixels(dish, answer):
    lowest = {
        start: min(sky, key=lambda row: row[2])[0]
        for start, sky in zip(starts(), dish.skies, strict=True)
    }
    renamed = set(starts()[:8])  # published for the lowest satellite, which the pixels deny
    header, *rows = dish.chosen.read_text().splitlines()
    spoiled = [header]
    for row in rows:
        second, y_px, x_px, name = row.split(",")
        start = slot_text(second)
        spoiled.append(f"{second},{y_px},{x_px},{lowest[start] if start in renamed else name}")
    path = dish.chosen.with_name("first_spoiled.csv")
    path.write_text("\n".join(spoiled))
    found = score_serving(
        path, dish.candidates, made_dish.ELEMENTS, site=made_dish.SITE,
        boresight=made_dish.BORESIGHT_DEG,
    )  # fmt: skip
    highest = found["rules"]["highest-elevation"]
    still = [
        name == max(sky, key=lambda row: row[2])[0]
        for name, sky in list(zip(dish.names, dish.skies, strict=True))[8:]
    ]
    assert highest["top1_raw"] == pytest.approx(sum(still) / SLOTS, abs=ROUNDING)
    assert highest["top1"] == pytest.approx(answer["rules"]["highest-elevation"]["top1"], abs=0.05)
    assert found["labels"]["published_is_not_nearest"] >= 0.2


def slot_text(second):
    moment = np.datetime64(second.removesuffix("+00:00"), "s")
    late = (moment - made_dish.START_UTC).astype("timedelta64[s]").astype(int) % 15
    return f"{moment - np.timedelta64(int(late), 's')}Z"


def test_the_figures_follow_from_the_ranking(dish, answer):
    truth = dict(zip(starts(), dish.names, strict=True))
    for rule in answer["rules"].values():
        assert len(rule["ranking"]) == answer["slots_clean"]
        places = [
            names.index(truth[start]) + 1 if truth[start] in names else math.inf
            for start, names in rule["ranking"]
        ]
        assert np.mean([place <= 1 for place in places]) == pytest.approx(rule["top1"])
        assert np.mean([place <= 5 for place in places]) == pytest.approx(rule["top5"])
        assert all(len(names) == 5 for _, names in rule["ranking"])


def starts():
    seconds = made_dish.START_UTC + np.arange(SLOTS) * np.timedelta64(15, "s")
    return [f"{second.astype('datetime64[s]')}Z" for second in seconds]


def test_scoring_again_says_the_same_and_another_seed_moves_only_random(dish, answer):
    again = score_serving(
        dish.chosen, dish.candidates, made_dish.ELEMENTS, site=made_dish.SITE,
        boresight=made_dish.BORESIGHT_DEG, seed=1,
    )  # fmt: skip
    assert again["rules"].pop("random") != answer["rules"]["random"]
    assert again["rules"] == {k: v for k, v in answer["rules"].items() if k != "random"}


def test_without_site_and_boresight_their_terms_are_named_as_left_out(dish):
    bare = score_serving(dish.chosen, dish.candidates, made_dish.ELEMENTS)
    text = " ".join(bare["left_out"])
    for term in ("pole-ward", "geostationary arc", "in view", "--site", "--boresight"):
        assert term in text
    assert "longest-visible" not in bare["rules"]
    assert bare["rules"]["highest-elevation"]["top1"] > 0.5


def test_the_site_is_nowhere_in_the_answer(answer):
    text = json.dumps(answer)
    assert "48.2" not in text
    assert "16.4" not in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"site": (95.0, 16.4)}, "--site is outside -90..90 .* are they swapped"),
        ({"site": (math.nan, 16.4)}, "--site is outside"),
        ({"site": (16.4, 48.2)}, "do not stand where the file lists them, .* LAT,LON"),
        ({"boresight": (65.0, 95.0)}, "--boresight = 65,95; expected azimuth .* swapped"),
        ({"max_age_days": 0.0}, "--max-age-days = 0; expected days above 0"),
        ({"max_age_days": 0.01}, "the elements are .* days .*--max-age-days"),
        ({"elements": "builtin:1999"}, "no such built-in catalogue"),
    ],
)
def test_bad_options_are_refused_in_one_advising_line(dish, changes, message):
    arguments = {"chosen": dish.chosen, "candidates": dish.candidates,
                 "elements": made_dish.ELEMENTS, **changes}  # fmt: skip
    with pytest.raises(InputError, match=message) as refusal:
        score_serving(**arguments)
    assert "\n" not in str(refusal.value)
    assert "16.4" not in str(refusal.value)


def test_swapped_files_are_refused(dish):
    with pytest.raises(InputError, match="are --chosen and --candidates swapped"):
        score_serving(dish.candidates, dish.chosen, made_dish.ELEMENTS)


def test_files_of_two_sites_are_refused(reference_data):
    folder = reference_data / "measurements" / "satinview_2024-07-17"
    elements = folder / "starlink_gp_2024-07-17.tle.gz"
    with pytest.raises(InputError, match=r"only 0 of 7000 rows .* of one site"):
        score_serving(folder / "first_ucl.csv.gz", folder / "fov_data_bri.json.gz", elements)


def test_a_file_that_was_fitted_on_is_said_to_be(reference_data):
    folder = reference_data / "measurements" / "satinview_2024-07-17"
    found = score_serving(
        folder / "first_bri.csv.gz", folder / "fov_data_bri.json.gz",
        folder / "starlink_gp_2024-07-17.tle.gz", site=(-27.47, 153.03),
    )  # fmt: skip
    assert found["fitted_on"]["overlaps"] is True
    assert "no validation" in found["fitted_on"]["note"]
    assert (found["slots"], found["slots_clean"]) == (497, 474)
    # Of an independent study: the highest satellite is the one in about 10 % of clean slots.
    assert found["rules"]["highest-elevation"]["top1"] == pytest.approx(0.10, abs=0.04)
    assert abs(found["rules"]["cold"]["top1"] - found["rules"]["cold"]["top1_raw"]) < 0.02
