"""Statistics against the same numbers worked out by pandas from the access table on disk."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic_run import (
    PROCESSING_S,
    chunk_of,
    labels_of,
    out_throughout,
    stream,
    stream_both,
)

from skyweave.policy import REASONS
from skyweave.twin.results import statistics as stage
from skyweave.twin.results import tables
from skyweave.twin.results.chunk import ARRAYS, AccessChunk
from skyweave.twin.results.folder import _read_parquet
from skyweave.twin.results.statistics import percentiles

ROUNDING = 1e-12


@pytest.fixture(scope="module", params=range(3))
def run(request, tmp_path_factory):
    """Labels, chunk, statistics and the access table of a run in several row groups."""
    folder = tmp_path_factory.mktemp("run")
    labels = labels_of()
    chunk = chunk_of(labels, seed=request.param)
    rows, tables.ROWS_PER_GROUP = tables.ROWS_PER_GROUP, 7 * 12
    try:
        statistics = stream(folder, labels, chunk, cut=4)
    finally:
        tables.ROWS_PER_GROUP = rows
    access = _read_parquet(folder / "access.parquet")
    access["row"] = (
        access["terminal_id"]
        .astype(str)
        .map({name: s for s, name in enumerate(labels.terminal_id.tolist())})
    )
    return labels, chunk, statistics, access


def per_terminal(labels, series):
    return series.reindex(range(labels.terminals), fill_value=0).to_numpy()


def test_served_slots_and_share(run):
    labels, _, statistics, access = run
    served = access[access["state"] == "served"]
    assert (statistics.served_slots == per_terminal(labels, served.groupby("row").size())).all()
    assert statistics.served_share == pytest.approx(
        (access["state"] == "served").mean(), abs=ROUNDING
    )


def test_slots_out_by_reason(run):
    labels, _, statistics, access = run
    for number, reason in enumerate(REASONS):
        slots = access[access["reason"] == reason].groupby("row").size()
        assert (statistics.reason_slots[:, number] == per_terminal(labels, slots)).all()


def outages(access):
    """Every outage of every terminal: row, start, length and its reasons slot by slot."""
    for row, own in access.sort_values("slot").groupby("row"):
        is_out = own["state"] == "out"
        for _, spell in own[is_out].groupby((~is_out).cumsum()[is_out]):
            yield row, int(spell["slot"].iloc[0]), len(spell), spell["reason"].astype(str).tolist()


def test_outages_their_number_and_the_longest_with_its_reason(run):
    labels, _, statistics, access = run
    found = pd.DataFrame(outages(access), columns=["row", "start", "slots", "reasons"])
    assert (statistics.outages == per_terminal(labels, found.groupby("row").size())).all()
    for row, own in found.groupby("row"):
        longest = own.sort_values(["slots", "start"], ascending=[False, True]).iloc[0]
        most = max(REASONS, key=longest["reasons"].count)  # max keeps the first at a tie
        assert statistics.longest_outage_slots[row] == longest["slots"]
        assert statistics.longest_outage_start[row] == longest["start"]
        assert REASONS[statistics.longest_outage_reason[row]] == most
    never = sorted(set(range(labels.terminals)) - set(found["row"]))
    assert (statistics.longest_outage_start[never] == -1).all()
    assert (statistics.longest_outage_reason[never] == -1).all()


def test_round_trip_time_percentiles(run):
    _, _, statistics, access = run
    by_row = access.groupby("row")["rtt_s"]
    by_slot = access.groupby("slot")["rtt_s"]
    close = {"rtol": 0, "atol": ROUNDING}
    np.testing.assert_allclose(statistics.rtt_p50_s, by_row.quantile(0.5), **close)
    np.testing.assert_allclose(statistics.rtt_p95_s, by_row.quantile(0.95), **close)
    for column, share in enumerate((0.05, 0.5, 0.95)):
        expected = by_slot.quantile(share)
        np.testing.assert_allclose(statistics.slot_rtt_s[:, column], expected, **close)
    expected = access["rtt_s"].quantile([0.05, 0.5, 0.95])
    np.testing.assert_allclose(statistics.rtt_s, expected, **close)


def test_handovers_and_their_rate(run):
    labels, _, statistics, access = run
    ordered = access.sort_values(["row", "slot"])
    before = ordered.groupby("row")["norad_id"].shift()
    is_handover = (ordered["norad_id"] != before).fillna(False)  # null on either side is none
    by_row = ordered[is_handover].groupby("row").size()
    by_slot = ordered[is_handover].groupby("slot").size().reindex(range(30), fill_value=0)
    assert (statistics.handovers == per_terminal(labels, by_row)).all()
    assert (statistics.slot_handovers == by_slot).all()
    served_h = (access["state"] == "served").sum() * 15 / 3600
    assert statistics.handovers_per_hour == pytest.approx(is_handover.sum() / served_h)


@pytest.mark.parametrize(
    ("counts", "column", "names"),
    [("gateway_slots", "gateway_id", "gateway_id"), ("pop_slots", "pop_id", "pop_id")],
)
def test_slots_by_gateway_and_pop(run, counts, column, names):
    labels, _, statistics, access = run
    expected = pd.crosstab(access["row"], access[column].astype(object))
    expected = expected.reindex(columns=getattr(labels, names).tolist(), fill_value=0)
    assert (getattr(statistics, counts) == expected.to_numpy()).all()


def test_slots_served_over_lasers_and_terminals_served_by_slot(run):
    labels, _, statistics, access = run
    over_lasers = access[(access["isl_hops"] > 0).fillna(False)]
    assert (statistics.isl_slots == per_terminal(labels, over_lasers.groupby("row").size())).all()
    served = access[access["state"] == "served"].groupby("slot").size()
    assert (statistics.slot_served == served.reindex(range(30), fill_value=0)).all()


def test_mean_parts_and_processing_sum_to_the_mean_round_trip_time(run):
    _, chunk, statistics, access = run
    means_s = dict(statistics.mean_parts_s)
    assert means_s.pop("processing_s") == pytest.approx(PROCESSING_S, abs=ROUNDING)
    for name, mean_s in means_s.items():
        assert mean_s == pytest.approx(np.nanmean(getattr(chunk, name)), abs=ROUNDING)
    total_s = sum(statistics.mean_parts_s.values())
    assert total_s == pytest.approx(access["rtt_s"].mean(), abs=ROUNDING)


def test_an_outage_across_row_groups_is_one_outage(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 12)  # one slot per group
    labels = labels_of()
    statistics = stream(tmp_path, labels, out_throughout(labels))
    assert (statistics.outages == 1).all()
    assert (statistics.longest_outage_slots == 30).all()
    assert (statistics.longest_outage_start == 0).all()


def test_nobody_served_has_no_round_trip_time_and_no_handover_rate(tmp_path):
    labels = labels_of()
    statistics = stream(tmp_path, labels, out_throughout(labels))
    assert statistics.served_share == 0.0
    assert np.isnan(statistics.rtt_s).all()
    assert np.isnan(statistics.rtt_p95_s).all()
    assert np.isnan(statistics.handovers_per_hour)
    assert all(np.isnan(mean_s) for mean_s in statistics.mean_parts_s.values())


def test_fleet_percentiles_are_exact_however_many_blocks_they_take(tmp_path, monkeypatch):
    labels = labels_of(terminals=40, slots=60)
    chunk = chunk_of(labels)
    monkeypatch.setattr(stage, "BLOCK_SAMPLES", 7 * 40)
    statistics = stream(tmp_path, labels, chunk)
    rtt_s = chunk.rtt_s[chunk.is_served]
    expected = np.percentile(rtt_s, (5, 50, 95))
    np.testing.assert_allclose(statistics.rtt_s, expected, rtol=0, atol=ROUNDING)


def test_percentiles_per_terminal_do_not_depend_on_the_block_size(tmp_path, monkeypatch):
    labels = labels_of()
    chunk = chunk_of(labels)
    monkeypatch.setattr(stage, "BLOCK_SAMPLES", 5 * 30)
    statistics = stream(tmp_path, labels, chunk)
    np.testing.assert_array_equal(statistics.rtt_p50_s, percentiles(chunk.rtt_s, (50,))[0])


def test_percentiles_of_columns_agree_with_numpy_past_nans():
    rng = np.random.default_rng(0)
    values = np.where(rng.random((50, 6)) < 0.3, np.nan, rng.random((50, 6)))
    values[:, 2], values[1:, 3] = np.nan, np.nan  # nothing, one value
    values[0, 3] = 0.25
    found = percentiles(values, (0, 5, 50, 95, 100))
    rest = [0, 1, 3, 4, 5]
    expected = np.nanpercentile(values[:, rest], (0, 5, 50, 95, 100), axis=0)
    np.testing.assert_allclose(found[:, rest], expected, rtol=0, atol=ROUNDING)
    assert np.isnan(found[:, 2]).all()


def count_by_hand(chunk, reason_slots, gateway_slots, pop_slots):
    """The plain reference of the kernel that counts."""
    for (k, s), reason in np.ndenumerate(chunk.reason):
        if reason >= 0:
            reason_slots[s, reason] += 1
        else:
            gateway_slots[s, chunk.gateway[k, s]] += 1
            pop_slots[s, chunk.pop[k, s]] += 1


def longest_by_hand(reason):
    """The plain reference of the kernel that measures outages: length, start and reason."""
    longest = []
    for own in reason.T:
        best, start = (0, -1, -1), 0
        for k in range(own.size + 1):
            if k == own.size or own[k] < 0:
                if k - start > best[0]:
                    best = (k - start, start, np.bincount(own[start:k]).argmax())
                start = k + 1
        longest.append(best)
    return np.array(longest).T


@pytest.mark.parametrize(("terminals", "slots"), [(1, 40), (7, 1), (5, 60)])
@pytest.mark.parametrize("out_share", [0.1, 0.7])
def test_kernels_agree_with_plain_loops(terminals, slots, out_share):
    labels = labels_of(terminals, slots)
    chunk = chunk_of(labels, seed=slots, out_share=out_share)
    sizes = (len(REASONS), labels.gateway_id.size, labels.pop_id.size)
    found, expected = ([np.zeros((terminals, n), np.uint16) for n in sizes] for _ in range(2))
    stage._count(chunk.reason, chunk.gateway, chunk.pop, *found)
    count_by_hand(chunk, *expected)
    for counts, by_hand in zip(found, expected, strict=True):
        np.testing.assert_array_equal(counts, by_hand)

    outages = stage._OutageLengths(terminals)
    for start in range(0, slots, 7):
        outages.add(chunk.part(start, min(start + 7, slots)))
    measured = (outages.longest, outages.longest_start, outages.longest_reason)
    np.testing.assert_array_equal(measured, longest_by_hand(chunk.reason))


def test_counts_do_not_overflow_in_a_run_of_weeks(tmp_path):
    day = out_throughout(labels_of(terminals=1, slots=30))
    weeks = {name: np.tile(getattr(day, name), (2200, 1)) for name in ARRAYS}
    labels = labels_of(terminals=1, slots=66_000)  # more than 16 bits count
    chunk = AccessChunk(first_slot=0, **weeks)
    statistics = stream(tmp_path, labels, chunk, access="none")
    assert statistics.reason_slots.sum() == statistics.longest_outage_slots[0] == 66_000


def test_lost_slots_are_those_served_before_and_out_now(tmp_path):
    labels = labels_of()
    now, before = chunk_of(labels, seed=1, out_share=0.5), chunk_of(labels, seed=2)
    found, was = stream_both(tmp_path, labels, now, before, cut=4)
    assert (found.lost_slots == (before.is_served & ~now.is_served).sum(axis=0)).all()
    assert (was.served_slots == before.is_served.sum(axis=0)).all()
    assert was.lost_slots is None


def test_what_would_have_been_has_the_statistics_of_a_run_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 7 * 12)
    labels = labels_of()
    before = chunk_of(labels, seed=2)
    _, compared = stream_both(tmp_path, labels, chunk_of(labels, seed=1), before, cut=4)
    alone = stream(tmp_path, labels, before, cut=11)
    for name, value in vars(alone).items():
        np.testing.assert_equal(getattr(compared, name), value, err_msg=name)


def test_a_run_that_compares_with_nothing_lost_nothing_known(tmp_path):
    labels = labels_of()
    found, before = stream_both(tmp_path, labels, chunk_of(labels), None)
    assert before is None
    assert found.lost_slots is None


def test_round_trip_times_beyond_the_last_bin_are_ranked_too(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    slow = replace(chunk, rtt_s=chunk.rtt_s * 200.0)  # to 20 s, the last bin ends at 4 s
    statistics = stream(tmp_path, labels, slow)
    expected = np.percentile(slow.rtt_s[chunk.is_served], (5, 50, 95))
    np.testing.assert_allclose(statistics.rtt_s, expected, rtol=ROUNDING)
