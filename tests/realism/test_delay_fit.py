"""The fit of the delay model: it finds what was drawn, and one half foretells the other."""

import json
from importlib.resources import files

import numpy as np
import pytest
import scipy.stats

from skyweave.errors import InputError
from skyweave.realism.delay_fit import (
    GEOMETRY_RTT_S,
    LEVELS,
    SlotPackets,
    calibrate_delay,
    fit_law,
    half_errors,
    halves,
    handover_gap_s,
    slot_packets,
    slot_start_utc,
)
from skyweave.realism.series import Series, read_series
from skyweave.twin.delay import DelayLaw, delay_model, extra_quantiles_s, utc_slots

MMSYS24 = "measurements/mmsys24_2023-09/no-isl-ping-gw-seattle-230911-170535-0.1s-60min.txt.gz"
LEOVIZ = "measurements/leoviz_2025-05-29/ping-10ms-2025-05-29-23-20-13.txt.gz"
START_UTC = np.datetime64("2026-06-14T12:00:12", "ns")
FIVE_DIGITS = 1e-4  # to which the document is rounded
P50_FLOOR, P95_FLOOR = 0.20, 0.35  # aims: 0.10 and 0.20


def packets_of(law, slots=900, per_slot=60, seed=0):
    rng = np.random.default_rng(seed)
    offset_s = rng.gamma(law.slot_shape, law.slot_scale_s, slots)
    slow = rng.random(slots) < law.slow_share
    offset_s[slow] = rng.exponential(law.slow_mean_s, slow.sum())
    scatter_s = rng.gamma(law.packet_shape, law.packet_scale_s, (slots, per_slot))
    rtt_s = GEOMETRY_RTT_S + law.floor_s + offset_s[:, None] + scatter_s
    start = np.arange(slots + 1) * per_slot
    return SlotPackets(np.arange(slots), start, rtt_s.ravel())


def series_of(t_utc, rtt_s):
    lost = np.isnan(rtt_s)
    return Series("drawn", "csv", "", t_utc, rtt_s, lost, 0, 0, 0.0, 0, ())


def test_the_fit_finds_the_quantiles_of_scipys_gamma():
    """Two Gammas of one scale are a Gamma of scipy's, whose quantiles the fitted law must have."""
    law = DelayLaw(0.010, 0.9, 0.014, 1.2, 0.014)
    fitted = fit_law(packets_of(law))
    oracle = scipy.stats.gamma(2.1, loc=0.010, scale=0.014)
    four_percent = 0.04  # 900 slots leave so much
    np.testing.assert_allclose(
        GEOMETRY_RTT_S + extra_quantiles_s(fitted, LEVELS),
        GEOMETRY_RTT_S + oracle.ppf(LEVELS),
        rtol=four_percent,
    )
    assert fitted.slot_shape * fitted.slot_scale_s == pytest.approx(0.9 * 0.014, rel=0.25)
    assert fitted.packet_shape * fitted.packet_scale_s == pytest.approx(1.2 * 0.014, rel=0.25)


def test_the_fit_finds_slow_slots():
    law = DelayLaw(0.009, 1.6, 0.004, 1.0, 0.012, slow_share=0.15, slow_mean_s=0.06)
    packets = packets_of(law, slots=600)
    with_slow, without = fit_law(packets, slow_slots=True), fit_law(packets)
    assert with_slow.slow_share == pytest.approx(0.15, abs=0.06)
    measured_s = packets.quantiles_s(LEVELS)
    errors = [
        np.abs(np.log((extra_quantiles_s(each, LEVELS) + GEOMETRY_RTT_S) / measured_s)).max()
        for each in (with_slow, without)
    ]
    assert 2.0 * errors[0] < errors[1]


def test_a_fit_that_starts_at_the_answer_stays_there():
    packets = packets_of(DelayLaw(0.010, 0.9, 0.015, 1.2, 0.012), slots=300)
    law = fit_law(packets)
    again = fit_law(packets, near=law)
    np.testing.assert_allclose(
        extra_quantiles_s(again, LEVELS), extra_quantiles_s(law, LEVELS), rtol=0.02
    )


def test_slots_start_at_second_12_of_utc():
    slot = utc_slots(np.array([START_UTC]))
    assert slot_start_utc(slot)[0] == START_UTC


def test_losses_around_a_slots_start_are_the_gap():
    sent_utc = START_UTC + np.arange(90_000) * np.timedelta64(20, "ms")
    rtt_s = np.full(sent_utc.size, 0.04)
    rtt_s[np.arange(sent_utc.size) % 750 < 6] = np.nan  # 120 ms at the start of every slot
    found_s, error_s = handover_gap_s(series_of(sent_utc, rtt_s))
    assert found_s == pytest.approx(0.120, abs=1e-6)
    assert error_s < 1e-6
    rtt_s = np.where(np.random.default_rng(0).random(sent_utc.size) < 0.05, np.nan, 0.04)
    found_s, error_s = handover_gap_s(series_of(sent_utc, rtt_s))
    assert abs(found_s) < 4.0 * error_s  # losses all over a slot are no gap


def test_halves_are_halves_of_time_and_share_no_slot():
    sent_utc = START_UTC + np.arange(6_000) * np.timedelta64(100, "ms")
    first, second = halves(series_of(sent_utc, np.full(6_000, 0.04)))
    assert first.slot.size + second.slot.size == 40
    assert second.slot.size - first.slot.size == 2  # the slot of the middle is the second's
    assert first.slot[-1] < second.slot[0]


def test_a_thin_series_is_refused():
    sent_utc = START_UTC + np.arange(600) * np.timedelta64(1, "s")
    with pytest.raises(InputError, match="0 slots of 15 s have 20 answered packets"):
        slot_packets(series_of(sent_utc, np.full(600, 0.04)))


@pytest.mark.parametrize(
    ("name", "file", "slow_slots"), [("mmsys24", MMSYS24, False), ("LEOViz", LEOVIZ, True)]
)
def test_one_half_foretells_median_and_95_percent_of_the_other(
    reference_data, record_figure, name, file, slow_slots
):
    found = half_errors(read_series(reference_data / file), slow_slots=slow_slots)
    for direction, errors in found.items():
        text = f"{name}, {direction.replace('_', ' ')}"
        record_figure(f"RTT p50, {text}", errors["p50"], "relative", "<= 0.20 (aim 0.10)")
        record_figure(f"RTT p95, {text}", errors["p95"], "relative", "<= 0.35 (aim 0.20)")
        record_figure(f"RTT p50 drift, {text}", errors["drift_p50"], "relative", "-")
        assert abs(errors["p50"]) <= P50_FLOOR
        assert abs(errors["p95"]) <= P95_FLOOR
        three_percent = 0.03  # what the law's form adds to the drift of the trace itself
        assert abs(errors["p50"] - errors["drift_p50"]) < three_percent
        assert abs(errors["p95"] - errors["drift_p95"]) < three_percent


def test_the_shipped_parameters_are_what_the_fit_gives(reference_data):
    series = read_series(reference_data / MMSYS24)
    law, model = fit_law(slot_packets(series)), delay_model("2023-09")
    np.testing.assert_allclose(law, model.law, rtol=FIVE_DIGITS)
    assert series.sha256 == model.facts["sha256"]


def test_the_shipped_document_is_what_the_calibration_gives(reference_data, full_counts):
    if not full_counts:
        pytest.skip("a minute: under make prove")
    shipped = files("skyweave.data").joinpath("delay_model.json").read_text(encoding="utf-8")
    assert calibrate_delay(reference_data) == json.loads(shipped)


def test_a_slot_counts_the_same_with_few_packets_as_with_many():
    rtt_s = np.append(np.full(300, 0.03), np.full(20, 0.05))
    packets = SlotPackets(np.arange(2), np.array([0, 300, 320]), rtt_s)
    levels = np.array([0.45, 0.55])
    np.testing.assert_array_equal(packets.quantiles_s(levels), [0.03, 0.05])
