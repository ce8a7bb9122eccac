"""The choice model: its terms against other libraries and by hand, its weights and explanations."""

import json

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import angular_separation
from hypothesis import given
from hypothesis import strategies as st

from skyweave.data import read_data_text
from skyweave.twin.scheduling import Candidates
from skyweave.twin.scheduling import choice as choice_model
from skyweave.twin.scheduling.choice import (
    cold,
    explain_terms,
    log_weights,
    probabilities,
    read_models,
    term_values,
    warm,
)
from skyweave.twin.scheduling.features import TERMS, separation_deg
from skyweave.twin.topology import GENERATIONS

ROUNDING = 1e-12
TEN_NANODEGREES = 1e-8
COLUMN = {term.name: f for f, term in enumerate(TERMS)}


def candidates_of(pairs, lat_deg=(50.0,), terminal_start=None):
    """Return candidates from dicts of what differs from a plain high satellite in the north."""
    plain = {
        "elevation_deg": 78.0, "azimuth_deg": 0.0, "age_slots": 3, "remaining_slots": 9,
        "gso_separation_deg": 60.0, "boresight_deg": np.nan, "generation": 0,
        "slots_since_use": 0,
    }  # fmt: skip
    start = np.array(terminal_start or [0, len(pairs)], dtype=np.int64)
    kinds = {"age_slots": np.int32, "remaining_slots": np.int32, "generation": np.int8,
             "slots_since_use": np.int32}  # fmt: skip
    columns = {
        key: np.array([{**plain, **pair}[key] for pair in pairs], dtype=kinds.get(key, float))
        for key in plain
    }
    return Candidates(
        terminal_start=start,
        terminal=np.repeat(np.arange(start.size - 1, dtype=np.int32), np.diff(start)),
        sat=np.arange(len(pairs), dtype=np.int32),
        range_m=np.full(len(pairs), 600e3),
        path_s=np.full(len(pairs), 0.01),
        is_sunlit=np.ones(len(pairs), dtype=np.bool_),
        load=np.zeros(len(pairs)),
        lat_deg=np.array(lat_deg, dtype=float),
        **columns,
    )


def value(name, pair, lat_deg=50.0):
    return term_values(candidates_of([pair], [lat_deg]))[0, COLUMN[name]]


angles = st.floats(-360.0, 360.0)
heights = st.floats(-90.0, 90.0)


@given(angles, heights, angles, heights)
def test_the_angle_between_two_directions_is_astropys(azimuth, elevation, other, height):
    ours = separation_deg(azimuth, elevation, other, height)
    theirs = angular_separation(
        *(np.radians(a) * u.rad for a in (azimuth, elevation, other, height))
    )
    near_opposite_deg = 1e-5  # there an arcsine of nearly 1 loses half its digits
    limit = near_opposite_deg if ours > 179.9 else TEN_NANODEGREES
    assert ours == pytest.approx(theirs.to_value(u.deg), abs=limit)


@pytest.mark.parametrize(
    ("name", "pair", "expected"),
    [
        ("off_pole_30", {}, 0.0),
        ("off_pole_30", {"elevation_deg": 38.0}, 1.0),  # 40 deg below the pole-ward direction
        ("off_pole_45", {"elevation_deg": 38.0}, 0.0),
        ("off_pole_45", {"elevation_deg": 28.0}, 0.5),
        ("off_boresight", {"boresight_deg": 55.0}, 0.0),
        ("off_boresight", {"boresight_deg": 55.1}, 1.0),
        ("off_boresight", {"boresight_deg": np.nan}, 0.0),
        ("near_gso", {"gso_separation_deg": 17.9}, 1.0),
        ("near_gso", {"gso_separation_deg": 18.0}, 0.0),
        ("near_gso", {"gso_separation_deg": np.inf}, 0.0),  # near the poles there is no arc
        ("east", {"elevation_deg": 60.0, "azimuth_deg": 90.0}, 0.5),
        ("east", {"elevation_deg": 60.0, "azimuth_deg": 270.0}, -0.5),
        ("just_risen", {"age_slots": 0}, 1.0),
        ("just_risen", {"age_slots": 1}, 1.0),
        ("just_risen", {"age_slots": 2}, 0.0),
        ("about_to_set", {"remaining_slots": 1}, 1.0),
        ("about_to_set", {"remaining_slots": 2}, 0.0),
        ("v2_mini", {"generation": GENERATIONS.index("v2-mini")}, 1.0),
        ("v2_mini", {"generation": GENERATIONS.index("v1.5")}, 0.0),
        ("recency", {"slots_since_use": 0}, 0.0),
        ("recency", {"slots_since_use": 1}, 1.0),
        ("recency", {"slots_since_use": 3}, np.exp(-1.0)),
        ("recency", {"slots_since_use": 11}, 0.0),
    ],
)
def test_a_term_has_the_value_of_its_definition(name, pair, expected):
    assert value(name, pair) == pytest.approx(expected, abs=TEN_NANODEGREES)


def test_poleward_is_south_in_the_southern_hemisphere():
    south = {"azimuth_deg": 180.0, "elevation_deg": 60.0}
    assert value("off_pole_30", south, lat_deg=-30.0) == 0.0
    assert value("off_pole_30", south, lat_deg=30.0) == pytest.approx(1.2)


def test_every_term_of_the_file_is_one_of_the_code_and_has_its_error():
    document = json.loads(read_data_text("choice_model.json"))
    assert list(document["terms"]) == [term.name for term in TERMS]
    for model in document["models"].values():
        for variant in model.values():
            assert variant["coefficient"].keys() == variant["standard_error"].keys()
            assert all(0.0 < error < 0.5 for error in variant["standard_error"].values())


def test_the_shipped_models_say_on_what_they_were_fitted():
    for model in (cold(), warm()):
        assert model.fitted >= "2026-11-22"
        assert [part["site"] for part in model.data] == ["bri", "ucl"]
        assert all(part["slots_clean"] > 400 for part in model.data)
    assert cold().terms == tuple(term.name for term in TERMS)


def test_cold_forgets_and_an_unknown_boresight_does_not_count():
    assert cold().with_boresight.coefficient["recency"] == 0.0
    assert warm().with_boresight.coefficient["recency"] > 1.0
    assert cold().without_boresight.coefficient["off_boresight"] == 0.0


# What an independent fit of the same recordings found (candidates at mid-slot instead of its
# start, and another position of the sites), for the terms that hardly depend on either.
STUDY_COLD = {"off_pole_30": -0.48, "off_pole_45": -0.53, "near_gso": -0.89, "v2_mini": 1.02}
STUDY_WARM = {"off_pole_30": -0.43, "off_pole_45": -0.51, "v2_mini": 0.82, "recency": 1.25}


@pytest.mark.parametrize(("model", "study"), [(cold, STUDY_COLD), (warm, STUDY_WARM)])
def test_the_coefficients_agree_with_an_independent_study(model, study):
    ours = model().with_boresight
    for name, theirs in study.items():
        assert abs(ours.coefficient[name] - theirs) < 1.5 * ours.standard_error[name], name


MIXED = candidates_of(
    [
        {"elevation_deg": 40.0, "azimuth_deg": 100.0, "boresight_deg": 60.0},
        {"elevation_deg": 30.0, "azimuth_deg": 200.0, "boresight_deg": 20.0, "age_slots": 0},
        {"elevation_deg": 65.0, "azimuth_deg": 300.0, "generation": GENERATIONS.index("v2-mini")},
        {"elevation_deg": 26.0, "azimuth_deg": 90.0, "remaining_slots": 1, "slots_since_use": 2},
    ],
    lat_deg=(50.0, -20.0),
    terminal_start=[0, 2, 4],
)


@pytest.mark.parametrize("model", [cold(), warm()])
def test_weights_are_the_terms_times_their_coefficients(model):
    values = term_values(MIXED)
    for pair in range(4):
        variant = model.with_boresight if pair < 2 else model.without_boresight
        coefficients = [variant.coefficient[term.name] for term in TERMS]
        assert log_weights(model, MIXED)[pair] == pytest.approx(
            values[pair] @ coefficients, abs=ROUNDING
        )


@pytest.mark.parametrize("model", [cold(), warm()])
@pytest.mark.parametrize("pair", range(4))
def test_the_explained_terms_sum_to_the_weight(model, pair):
    terms = explain_terms(model, MIXED, pair)
    assert sum(terms.values()) == pytest.approx(log_weights(model, MIXED)[pair], abs=ROUNDING)
    assert ("off_boresight" in terms) == (pair < 2)


def test_a_candidate_weighs_the_same_in_any_company():
    alone = [candidates_of([{"elevation_deg": e, "azimuth_deg": 7.0 * e}]) for e in range(25, 90)]
    together = candidates_of([{"elevation_deg": e, "azimuth_deg": 7.0 * e} for e in range(25, 90)])
    each = np.concatenate([log_weights(warm(), one) for one in alone])
    assert log_weights(warm(), together).tobytes() == each.tobytes()


def test_probabilities_are_a_softmax_for_each_terminal():
    start = np.array([0, 2, 2, 5, 6])
    weight = np.array([0.0, np.log(3.0), 800.0, 800.0, -np.inf, -np.inf])
    found = probabilities(weight, start)
    np.testing.assert_allclose(found, [0.25, 0.75, 0.5, 0.5, 0.0, 0.0], atol=ROUNDING)
    assert probabilities(np.zeros(0), np.array([0, 0])).size == 0


def test_drawing_with_gumbel_noise_meets_the_probabilities(full_counts):
    draws = 1_000_000 if full_counts else 100_000
    candidates = candidates_of([{"elevation_deg": e} for e in (80.0, 50.0, 35.0, 26.0)])
    weight = log_weights(cold(), candidates)
    noise = np.random.default_rng(5).gumbel(size=(draws, 4))
    share = np.bincount((weight + noise).argmax(axis=1), minlength=4) / draws
    four_sigma = 4.0 * np.sqrt(0.25 / draws)
    np.testing.assert_allclose(share, probabilities(weight, np.array([0, 4])), atol=four_sigma)


def test_models_are_read_once_and_from_any_text():
    assert cold() is choice_model.cold()
    again = read_models(read_data_text("choice_model.json"))
    assert again["warm"] == warm()
