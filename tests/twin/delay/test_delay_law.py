"""The law of delays: against scipy's Gamma, which two Gammas of one scale add up to."""

import numpy as np
import pytest
import scipy.stats

from skyweave.errors import InputError
from skyweave.twin.delay import (
    DelayLaw,
    delay_model,
    delay_periods,
    extra_cdf,
    extra_quantiles_s,
    slot_median_quantiles_s,
)
from skyweave.twin.delay.quantiles import slot_offset_cdf

LEVELS = np.array([0.05, 0.25, 0.5, 0.75, 0.9, 0.95])
HALF_A_PERCENT = 5e-3
SHARE_OF_THE_NODES = 5e-4
A_NANOSECOND_S = 2e-9


@pytest.mark.parametrize(("slot_shape", "packet_shape"), [(0.87, 1.16), (1.6, 0.57), (2.0, 3.0)])
def test_two_gammas_of_one_scale_are_one_gamma(slot_shape, packet_shape):
    scale_s, floor_s = 0.013, 0.009
    law = DelayLaw(floor_s, slot_shape, scale_s, packet_shape, scale_s)
    oracle = scipy.stats.gamma(slot_shape + packet_shape, loc=floor_s, scale=scale_s)
    np.testing.assert_allclose(
        extra_quantiles_s(law, LEVELS), oracle.ppf(LEVELS), rtol=HALF_A_PERCENT
    )
    np.testing.assert_allclose(extra_cdf(law, oracle.ppf(LEVELS)), LEVELS, atol=SHARE_OF_THE_NODES)


def test_slot_medians_are_the_offsets_of_scipy_beyond_floor_and_median_scatter():
    law = DelayLaw(0.009, 0.9, 0.016, 1.2, 0.012)
    beyond_s = 0.009 + scipy.stats.gamma.median(1.2, scale=0.012)
    expected_s = beyond_s + scipy.stats.gamma.ppf(LEVELS, 0.9, scale=0.016)
    np.testing.assert_allclose(
        slot_median_quantiles_s(law, LEVELS), expected_s, atol=A_NANOSECOND_S
    )


def test_slow_slots_are_exponential():
    law = DelayLaw(0.0, 0.9, 0.016, 1.2, 0.012, slow_share=1.0, slow_mean_s=0.05)
    at_s = np.array([0.001, 0.03, 0.2])
    np.testing.assert_allclose(
        slot_offset_cdf(law, at_s), scipy.stats.expon.cdf(at_s, scale=0.05), rtol=1e-12
    )
    mixed = law._replace(slow_share=0.25)
    usual = scipy.stats.gamma.cdf(at_s, 0.9, scale=0.016)
    expected = 0.25 * scipy.stats.expon.cdf(at_s, scale=0.05) + 0.75 * usual
    np.testing.assert_allclose(slot_offset_cdf(mixed, at_s), expected, rtol=1e-12)


def test_quantiles_with_slow_slots_are_those_of_drawn_packets():
    law = DelayLaw(0.009, 1.6, 0.0033, 0.57, 0.021, slow_share=0.16, slow_mean_s=0.058)
    rng, draws = np.random.default_rng(1), 400_000
    slow = rng.random(draws) < law.slow_share
    offset_s = np.where(slow, rng.exponential(0.058, draws), rng.gamma(1.6, 0.0033, draws))
    drawn_s = 0.009 + offset_s + rng.gamma(0.57, 0.021, draws)
    two_percent = 0.02  # of the draws' own spread at 95 %, and of the nodes
    np.testing.assert_allclose(
        extra_quantiles_s(law, LEVELS), np.quantile(drawn_s, LEVELS), rtol=two_percent
    )


def test_every_period_says_what_was_fitted_on_which_data():
    assert delay_periods() == ("2023-09", "2025-05", "2026-09")
    for period in delay_periods():
        model = delay_model(period)
        assert model.facts["data"]
        assert model.facts["fitted"]
        assert 0.0 < model.floor_s < model.median_extra_s
        assert 0.0 <= model.handover_gap_s < 1.0 <= model.pop_change_gap_s
    for period in ("2023-09", "2025-05"):
        errors = delay_model(period).facts["standard_error"]
        assert set(DelayLaw._fields) <= set(errors)


def test_medians_over_geometry_are_those_of_the_measurements():
    """p50 of every packet of the two series less 10 ms of geometry, and 41 countries' median."""
    a_millisecond_s = 1.2e-3
    for period, median_s in (("2023-09", 0.0328), ("2025-05", 0.0233), ("2026-09", 0.0153)):
        assert delay_model(period).median_extra_s == pytest.approx(median_s, abs=a_millisecond_s)
    one_part_in_a_thousand = 1e-3
    assert delay_model("2026-09").median_extra_s == pytest.approx(
        0.0153, rel=one_part_in_a_thousand
    )


def test_an_unknown_period_is_refused_with_the_known_ones():
    with pytest.raises(InputError, match=r'"2020-01": not known; take one of "2023-09", "2025'):
        delay_model("2020-01")
