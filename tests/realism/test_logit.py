"""The conditional logit against a closed form, another optimiser and finite differences."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize

from skyweave.errors import SkyweaveError
from skyweave.realism.logit import Choices, fit, hessian, join, log_likelihood

SAME_OPTIMUM = 1e-5
DERIVATIVE = 1e-5


def drawn(slots=400, seed=3, truth=(1.0, -0.5, 0.3)):
    """Return choices drawn from known coefficients, slots of 3 to 12 candidates."""
    rng = np.random.default_rng(seed)
    count = rng.integers(3, 13, slots)
    start = np.concatenate([[0], np.cumsum(count)])
    value = rng.normal(size=(start[-1], len(truth))) * [1.0, 3.0, 0.2]
    noisy = value @ np.array(truth) + rng.gumbel(size=start[-1])
    chosen = [a + int(noisy[a:b].argmax()) for a, b in pairwise(start)]
    return Choices(value, start, np.array(chosen))


def plain_log_likelihood(coefficient, choices):
    """Return the log-probability of all choices, slot by slot as the formula stands."""
    total = 0.0
    for first, after, chosen in zip(
        choices.start[:-1], choices.start[1:], choices.chosen, strict=True
    ):
        score = [float(choices.value[p] @ coefficient) for p in range(first, after)]
        total += score[chosen - first] - np.log(np.sum(np.exp(score)))
    return total


def test_two_candidates_and_one_mark_are_the_odds_of_the_textbook():
    # The marked one is taken 30 times of 40: the coefficient is log(30 / 10), and its variance the
    # sum of both reciprocals.
    value = np.tile([[1.0], [0.0]], (40, 1))
    chosen = 2 * np.arange(40) + (np.arange(40) >= 30)
    found = fit(Choices(value, 2 * np.arange(41), chosen), ridge=0.0)
    assert found.coefficient[0] == pytest.approx(np.log(3.0), abs=SAME_OPTIMUM)
    assert found.standard_error[0] == pytest.approx(np.sqrt(1 / 30 + 1 / 10), rel=SAME_OPTIMUM)


@pytest.mark.parametrize("ridge", [0.0, 60.0])
def test_another_optimiser_ends_at_the_same_place(ridge):
    choices = drawn(slots=60)
    spread = choices.value.std(axis=0)

    def loss(b):
        return -plain_log_likelihood(b / spread, choices) + 0.5 * ridge * b @ b

    other = minimize(loss, np.zeros(3), method="Nelder-Mead",
                     options={"xatol": 1e-8, "fatol": 1e-10, "maxfev": 4000})  # fmt: skip
    found = fit(choices, ridge)
    np.testing.assert_allclose(found.coefficient, other.x / spread, atol=1e-4)
    assert found.log_likelihood == pytest.approx(plain_log_likelihood(found.coefficient, choices))


def test_the_truth_lies_within_three_standard_errors():
    truth = (1.0, -0.5, 0.3)
    for seed in range(5):
        found = fit(drawn(seed=seed, truth=truth), ridge=0.0)
        assert (np.abs(found.coefficient - truth) < 3.0 * found.standard_error).all()


def test_the_hessian_is_that_of_finite_differences():
    choices, at, step = drawn(slots=60), np.array([0.4, -0.2, 0.9]), 1e-4

    def gradient(b):
        return np.array([
            (plain_log_likelihood(b + e, choices) - plain_log_likelihood(b - e, choices)) / (2e-4)
            for e in step * np.eye(3)
        ])  # fmt: skip

    wanted = -np.array([(gradient(at + e) - gradient(at - e)) / 2e-4 for e in step * np.eye(3)])
    np.testing.assert_allclose(hessian(at, choices, 0.0), wanted, rtol=1e-4, atol=1e-3)
    ridged = hessian(at, choices, 60.0) - hessian(at, choices, 0.0)
    np.testing.assert_allclose(ridged, 60.0 * np.eye(3), atol=DERIVATIVE)


def test_a_ridge_shrinks_and_the_scale_of_a_term_does_not_matter():
    choices = drawn()
    free, shrunk = fit(choices, 0.0), fit(choices, 60.0)
    assert (np.abs(shrunk.coefficient) < np.abs(free.coefficient)).all()
    scaled = fit(choices._replace(value=choices.value * [1.0, 100.0, 1.0]), 60.0)
    assert scaled.coefficient[1] * 100.0 == pytest.approx(shrunk.coefficient[1], abs=SAME_OPTIMUM)


def test_a_term_that_is_always_the_same_gets_nothing():
    choices = drawn()
    with_constant = choices._replace(
        value=np.column_stack([choices.value, np.ones(len(choices.value))])
    )
    found = fit(with_constant, 60.0)
    assert found.coefficient[3] == 0.0
    assert np.isinf(found.standard_error[3])
    np.testing.assert_allclose(found.coefficient[:3], fit(choices, 60.0).coefficient, atol=1e-6)


def test_nothing_known_has_the_perplexity_of_the_number_of_candidates():
    # One of five candidates is marked and is taken in one slot of five: the mark says nothing.
    value, start = np.tile([[1.0], [0.0], [0.0], [0.0], [0.0]], (5, 1)), np.arange(0, 26, 5)
    taken = np.array([0, 2, 2, 3, 4])
    found = fit(Choices(value, start, start[:-1] + taken), 0.0)
    assert found.coefficient[0] == pytest.approx(0.0, abs=SAME_OPTIMUM)
    assert found.perplexity == pytest.approx(5.0)
    assert (found.slots, found.candidates) == (5, 25)


def test_joined_parts_have_the_likelihood_of_both():
    one, other, at = drawn(slots=20, seed=1), drawn(slots=30, seed=2), np.array([0.1, 0.2, 0.3])
    both = join([one, other])
    assert both.chosen.size == 50
    assert log_likelihood(at, both) == pytest.approx(
        log_likelihood(at, one) + log_likelihood(at, other)
    )


def test_terms_of_infinities_are_refused():
    choices = drawn(slots=10)
    choices.value[3, 0] = np.inf
    with pytest.raises(SkyweaveError, match="not finite numbers; leave those"):
        fit(choices, 60.0)
