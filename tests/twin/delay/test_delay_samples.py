"""Drawn delays: the law's own shares, equal in any pieces, and gaps where they belong."""

import numpy as np
import pytest
import scipy.stats

from skyweave.errors import InputError
from skyweave.seeds import text_keys
from skyweave.twin.delay import (
    delay_model,
    packet_rtt_s,
    slot_extra_s,
    slot_offset_s,
    switch_gaps,
    utc_slots,
)
from skyweave.twin.delay.quantiles import slot_offset_cdf
from skyweave.twin.delay.samples import FRAME_S, HANDOVER_GAP, POP_CHANGE_GAP, _gamma

START_UTC = np.datetime64("2026-06-14T12:00:12", "ns")
TERMINALS = np.array([f"site-{k}" for k in range(50)])
FOUR_SIGMA = 4.0
A_TENTH_OF_A_PERCENT_OF_THE_SCALE = 1e-3


def packets(model, count=6000, every_ms=50, terminal="site-1", **options):
    sent_utc = START_UTC + np.arange(count) * np.timedelta64(every_ms, "ms")
    return sent_utc, packet_rtt_s(
        model, 0.010, sent_utc, seed=options.pop("seed", 3), terminal_id=terminal, **options
    )


@pytest.mark.parametrize("shape", [0.3, 0.57, 1.0, 1.6, 8.0])
def test_the_table_of_quantiles_is_scipys_gamma(shape):
    levels = np.concatenate((np.geomspace(1e-15, 0.5, 500), 1.0 - np.geomspace(1e-15, 0.5, 500)))
    np.testing.assert_allclose(
        _gamma(shape, levels),
        scipy.stats.gamma.ppf(levels, shape),
        atol=A_TENTH_OF_A_PERCENT_OF_THE_SCALE,
    )


def test_slots_are_numbered_from_second_12():
    assert utc_slots(np.array(["1970-01-01T00:00:12"], "datetime64[ns]")).tolist() == [0]
    at_utc = START_UTC + np.array([-1, 0, 14_999_999_999, 15_000_000_000]).astype("m8[ns]")
    slots = utc_slots(at_utc)
    assert (slots - slots[1]).tolist() == [-1, 0, 0, 1]


def test_offsets_follow_the_law_of_their_period():
    for period in ("2023-09", "2025-05"):
        law = delay_model(period).law
        drawn_s = slot_offset_s(delay_model(period), 5, np.arange(200), TERMINALS).ravel()
        usual = scipy.stats.gamma(law.slot_shape, scale=law.slot_scale_s)
        mean_s = (1.0 - law.slow_share) * usual.mean() + law.slow_share * law.slow_mean_s
        expected_s = (1.0 - law.slow_share) * usual.moment(2) + law.slow_share * 2.0 * (
            law.slow_mean_s**2
        )
        spread_s = np.sqrt((expected_s - mean_s**2) / drawn_s.size)
        assert abs(drawn_s.mean() - mean_s) < FOUR_SIGMA * spread_s


def test_packets_over_many_slots_have_the_laws_quantiles():
    model = delay_model("2023-09")
    _, rtt_s = packets(model, count=120_000, every_ms=1_000)
    levels = np.array([0.05, 0.5, 0.95])
    three_percent = 0.03  # 8,000 slots
    np.testing.assert_allclose(
        np.quantile(rtt_s, levels), 0.010 + model.extra_quantiles_s(levels), rtol=three_percent
    )


def test_any_pieces_in_any_order_give_the_same_numbers():
    model = delay_model("2025-05")
    slots = np.arange(1_000, 1_040)
    whole = slot_offset_s(model, 7, slots, TERMINALS)
    order = np.random.default_rng(0).permutation(40)
    np.testing.assert_array_equal(slot_offset_s(model, 7, slots[order], TERMINALS), whole[order])
    np.testing.assert_array_equal(slot_offset_s(model, 7, slots[3], TERMINALS[9]), whole[3:4, 9:10])
    np.testing.assert_array_equal(slot_offset_s(model, 7, slots, text_keys(TERMINALS)), whole)
    sent_utc, rtt_s = packets(model)
    pieces = [
        packet_rtt_s(model, 0.010, piece, seed=3, terminal_id="site-1")
        for piece in np.array_split(sent_utc, 7)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), rtt_s)


def test_seed_period_and_terminal_each_change_the_numbers():
    slots, model = np.arange(20), delay_model("2025-05")
    here = slot_offset_s(model, 0, slots, "a")
    assert not np.isclose(here, slot_offset_s(model, 1, slots, "a")).any()
    assert not np.isclose(here, slot_offset_s(model, 0, slots, "b")).any()
    assert not np.isclose(here, slot_offset_s(delay_model("2023-09"), 0, slots, "a")).any()
    _, rtt_s = packets(model)
    assert np.unique(rtt_s).size > 0.99 * rtt_s.size


def test_a_slots_packets_have_its_extra_as_their_median():
    model = delay_model("2025-05")
    sent_utc, rtt_s = packets(model, count=15_000, every_ms=1)
    expected_s = 0.010 + slot_extra_s(model, 3, utc_slots(sent_utc[:1]), "site-1")[0, 0]
    density = model.law.packet_scale_s  # around the median, so this bounds the median's error
    assert abs(np.median(rtt_s) - expected_s) < FOUR_SIGMA * density / np.sqrt(15_000)


def test_nothing_is_faster_than_geometry_and_floor():
    for period in ("2023-09", "2025-05", "2026-09"):
        _, rtt_s = packets(delay_model(period))
        assert rtt_s.min() >= 0.010 + delay_model(period).floor_s


def test_packets_are_lost_after_a_switch_and_nowhere_else():
    model = delay_model("2026-09")
    slot_utc = START_UTC + np.arange(6) * np.timedelta64(15, "s")
    satellite, pop = [4, 5, 5, -1, 8, 8], [1, 1, 1, -1, 2, 3]
    gaps = switch_gaps(model, slot_utc, satellite, pop)
    assert gaps.start_utc.tolist() == slot_utc[[1, 5]].tolist()
    assert gaps.cause.tolist() == [HANDOVER_GAP, POP_CHANGE_GAP]
    assert gaps.length_s.tolist() == [model.handover_gap_s, model.pop_change_gap_s]
    sent_utc, rtt_s = packets(model, count=90_000, every_ms=1, gaps=gaps)
    since_s = (sent_utc - START_UTC) / np.timedelta64(1, "s")
    in_handover = (since_s >= 15.0) & (since_s < 15.0 + model.handover_gap_s)
    in_pop_change = (since_s >= 75.0) & (since_s < 75.0 + model.pop_change_gap_s)
    np.testing.assert_array_equal(np.isnan(rtt_s), in_handover | in_pop_change)
    assert in_handover.any()


def test_a_change_of_pop_raises_the_rtt_to_the_end_of_its_slot():
    model = delay_model("2026-09")
    slot_utc = START_UTC + np.arange(4) * np.timedelta64(15, "s")
    gaps = switch_gaps(model, slot_utc, [4, 4, 4, 4], [1, 1, 2, 2])
    _, plain_s = packets(model, count=600, every_ms=100)
    _, rtt_s = packets(model, count=600, every_ms=100, gaps=gaps)
    rise_s = (rtt_s - plain_s).reshape(4, 150)
    assert (rise_s[[0, 1, 3]] == 0.0).all()
    known_s = rise_s[2][np.isfinite(rise_s[2])]
    assert np.ptp(known_s) < 1e-12
    assert known_s[0] > 0.0


def test_the_comb_has_its_teeth_four_thirds_of_a_millisecond_apart():
    model = delay_model("2023-09")
    _, plain_s = packets(model)
    _, rtt_s = packets(model, comb=True)
    assert pytest.approx(4e-3 / 3, rel=1e-12) == FRAME_S
    assert np.abs(rtt_s - plain_s).max() <= 0.5 * FRAME_S + 1e-12
    slots = rtt_s.reshape(-1, 300)
    turns = (slots - slots[:, :1]) / FRAME_S
    assert np.abs(turns - np.rint(turns)).max() < 1e-6
    phases = np.mod(slots[:, 0], FRAME_S)
    assert np.ptp(phases) > 0.3 * FRAME_S


def test_a_missing_path_stays_missing():
    sent_utc = START_UTC + np.arange(3) * np.timedelta64(1, "s")
    rtt_s = packet_rtt_s(
        delay_model(), [0.01, np.nan, 0.02], sent_utc, seed=0, terminal_id="site-1"
    )
    assert np.isnan(rtt_s).tolist() == [False, True, False]


def test_no_packets_and_no_slots_are_no_numbers():
    model, nothing = delay_model(), np.array([], "datetime64[ns]")
    assert packet_rtt_s(model, 0.01, nothing, seed=0, terminal_id="a").size == 0
    assert slot_offset_s(model, 0, [], TERMINALS).shape == (0, 50)
    assert switch_gaps(model, nothing, [], []).start_utc.size == 0


def test_an_instant_that_is_missing_is_refused():
    with pytest.raises(InputError, match="an instant is missing"):
        utc_slots(np.array(["NaT"], "datetime64[ns]"))


def test_offsets_with_slow_slots_are_the_laws_own():
    model = delay_model("2025-05")
    drawn_s = slot_offset_s(model, 5, np.arange(100), TERMINALS).ravel()
    one_in_ten_thousand = 1e-4
    found = scipy.stats.kstest(drawn_s, lambda at_s: slot_offset_cdf(model.law, at_s))
    assert found.pvalue > one_in_ten_thousand


def test_two_terminals_scatter_each_for_itself():
    _, here_s = packets(delay_model(), count=150, every_ms=100)
    _, there_s = packets(delay_model(), count=150, every_ms=100, terminal="site-2")
    scatters = here_s - here_s.min(), there_s - there_s.min()  # all of one slot
    assert abs(np.corrcoef(*scatters)[0, 1]) < 4.0 / np.sqrt(150)
