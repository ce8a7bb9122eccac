"""A measured series laid over a run: against the run's own tables, and against pandas."""

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gamma
from tests.support.small_network import access_of, system_in

from skyweave.errors import InputError
from skyweave.realism import compare as stage
from skyweave.realism.compare import (
    LEVELS,
    PERCENTS,
    SLOT_KINDS,
    Prediction,
    by_slot,
    compare,
    lay_over,
    predict,
    slot_kinds,
)
from skyweave.realism.compare_plot import plot_compare
from skyweave.realism.series import read_series
from skyweave.twin.delay import delay_model
from skyweave.twin.results.outages import WHYS

ROUNDING_S = 1.1e-9  # documents hold whole nanoseconds
START = pd.Timestamp("2026-06-14T12:00:12Z")
SLOTS = 20
FAILURE = {
    "kind": "country",
    "ids": ["DE"],
    "from_utc": "2026-06-14T12:01:30Z",
    "to_utc": "2026-06-14T12:02:30Z",
}


@pytest.fixture(scope="module")
def system(tmp_path_factory):
    """A small European network whose German gateways fail for five slots."""
    return system_in(tmp_path_factory.mktemp("system"), failures=[FAILURE])


@pytest.fixture(scope="module")
def tables(system, tmp_path_factory):
    """The access table of the whole run."""
    return access_of(system, tmp_path_factory.mktemp("tables"))[0]


@pytest.fixture(scope="module")
def berlin(system):
    """What the whole run gives one terminal."""
    return predict(system, 0, 0, SLOTS)


def own_rows(tables, terminal):
    return tables[tables["terminal_id"] == terminal].reset_index(drop=True)


def packets(from_s=3.0, to_s=290.0, every_s=0.7, seed=0):
    """Invented packets: times from the run's start, RTTs that scatter, one in ten lost."""
    rng = np.random.default_rng(seed)
    t_s = np.arange(from_s, to_s, every_s)
    rtt_s = 0.03 + rng.gamma(1.2, 0.01, t_s.size)
    return t_s, np.where(rng.random(t_s.size) < 0.1, np.nan, rtt_s)


def csv_file(path, t_s, rtt_s, start=START):
    """The packets as a CSV of times and milliseconds, a lost one with an empty RTT."""
    frame = pd.DataFrame({"time_utc": start + pd.to_timedelta(t_s, "s"), "rtt_ms": 1e3 * rtt_s})
    frame["time_utc"] = frame["time_utc"].dt.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    frame.to_csv(path, index=False)
    return path


@pytest.fixture
def measured(tmp_path):
    return csv_file(tmp_path / "mine.csv", *packets())


def frame_of(series):
    """The packets with the number of the slot each lies in."""
    t_s = (series.t_utc - START.tz_localize(None).to_datetime64()) / np.timedelta64(1, "s")
    return pd.DataFrame({"slot": np.floor(t_s / 15).astype(int), "rtt": series.rtt_s})


@pytest.mark.parametrize("terminal", ["berlin", "lisbon", "suva"])
def test_a_prediction_is_what_the_run_has_for_the_terminal(system, tables, terminal):
    row = system.terminals.terminal_id.tolist().index(terminal)
    found, expected = predict(system, row, 0, SLOTS), own_rows(tables, terminal)
    np.testing.assert_array_equal(found.is_out, expected["state"] == "out")
    np.testing.assert_array_equal(found.norad_id, expected["norad_id"].fillna(-1))
    np.testing.assert_array_equal(found.rtt_s, expected["rtt_s"])
    np.testing.assert_array_equal(
        found.gateway_id, expected["gateway_id"].astype(object).fillna("")
    )
    np.testing.assert_array_equal(found.pop_id, expected["pop_id"].astype(object).fillna(""))
    out = expected["state"] == "out"
    np.testing.assert_array_equal(found.reason[out], expected["reason"][out].astype(str))


def test_a_part_of_the_run_is_the_same_as_that_part_of_the_whole(system, berlin):
    found = predict(system, 0, 7, 12)
    for name in ("is_out", "norad_id", "rtt_s"):
        np.testing.assert_array_equal(getattr(found, name), getattr(berlin, name)[7:12])
    assert found.start_utc[0] == berlin.start_utc[7]


def test_the_run_is_computed_no_further_than_was_measured(system, tmp_path, monkeypatch):
    asked = []
    run_slots = stage.run_slots
    monkeypatch.setattr(
        stage, "run_slots", lambda system, *a: asked.append(system.slots) or run_slots(system, *a)
    )
    found = compare(system, csv_file(tmp_path / "mine.csv", *packets(50.0, 100.0)))
    assert asked == [7]  # to 105 s
    assert [row["slot"] for row in found["rows"]] == [3, 4, 5, 6]


def test_each_slot_has_one_reason_of_a_closed_set(system):
    known = {*map(str, WHYS), *SLOT_KINDS}
    for row in (0, 4, 7):
        found = predict(system, row, 0, SLOTS)
        assert set(found.reason.tolist()) <= known
        assert (np.isin(found.reason, SLOT_KINDS) | found.is_out | (found.rtt_s > 0)).all()


def test_slots_are_named_by_what_changed_since_the_slot_before():
    had = {
        "reason": np.array([-1, -1, -1, -1, 3, -1, -1]),
        "sat": np.array([1, 1, 2, 3, -1, 3, 3]),
        "gateway": np.array([1, 1, 1, 2, -1, 2, 1]),
        "pop": np.array([1, 1, 1, 2, -1, 2, 2]),
    }
    assert slot_kinds(had).tolist() == [
        "first_slot",
        "same_satellite",
        "handover",
        "pop_change",
        "pop_change",  # an outage, which its reason names
        "after_outage",
        "gateway_change",
    ]


def test_slots_hold_the_percentiles_that_pandas_finds(measured, berlin):
    series = read_series(measured)
    found = by_slot(berlin.row_at(series.t_utc), series.rtt_s, SLOTS)
    groups = frame_of(series).groupby("slot")["rtt"]
    np.testing.assert_array_equal(found.packets, groups.size().reindex(range(SLOTS), fill_value=0))
    lost = groups.apply(lambda own: own.isna().sum()).reindex(range(SLOTS), fill_value=0)
    np.testing.assert_array_equal(found.lost, lost)
    expected = groups.quantile([p / 100 for p in PERCENTS]).unstack()
    np.testing.assert_allclose(found.rtt_s, expected, rtol=0, atol=1e-12)


def test_slots_without_packets_or_answers_have_no_round_trip():
    row = np.array([0, 0, 2, 2, 2, -1, 4])
    rtt_s = np.array([0.1, 0.3, np.nan, np.nan, np.nan, 9.0, 0.5])
    found = by_slot(row, rtt_s, 5)
    assert found.packets.tolist() == [2, 0, 3, 0, 1]
    assert found.lost.tolist() == [0, 0, 3, 0, 0]
    np.testing.assert_allclose(found.rtt_s[0], [0.11, 0.2, 0.29])
    np.testing.assert_allclose(found.rtt_s[4], 0.5)
    assert np.isnan(found.rtt_s[1:4]).all()


def test_residuals_by_reason_are_those_of_pandas(system, measured, berlin):
    found = compare(system, measured)
    series = read_series(measured)
    medians = frame_of(series).groupby("slot")["rtt"].median()
    table = pd.DataFrame({"reason": berlin.reason, "residual": medians - berlin.rtt_s})
    groups = table.groupby("reason")["residual"]
    assert {row["reason"] for row in found["residual_by_reason"]} == set(berlin.reason.tolist())
    for row in found["residual_by_reason"]:
        own = groups.get_group(row["reason"])
        assert row["slots"] == own.size
        if row["state"] != "out":
            expected = own.quantile([0.05, 0.5, 0.95]).tolist()
            got = [row["residual_s"][p] for p in ("p5", "p50", "p95")]
            assert got == pytest.approx(expected, abs=ROUNDING_S)
            assert row["residual_s"]["mean_size"] == pytest.approx(own.abs().mean(), abs=ROUNDING_S)
    for row, slot in zip(found["rows"], range(SLOTS), strict=True):
        assert row["measured_rtt_s"]["p50"] == pytest.approx(medians[slot], abs=ROUNDING_S)


def test_all_round_trips_together_are_those_of_answered_slots(system, measured, berlin):
    found = compare(system, measured)["rtt_s"]
    real_s = np.nanpercentile(read_series(measured).rtt_s, PERCENTS)
    predicted_s = np.percentile(berlin.rtt_s, PERCENTS)
    for name, values in (
        ("measured", real_s),
        ("predicted", predicted_s),
        ("relative_error", (predicted_s - real_s) / real_s),
    ):
        assert list(found[name].values()) == pytest.approx(values.tolist(), abs=ROUNDING_S)


def with_outages(system):
    """A prediction with outages in the middle."""
    found = predict(system, 0, 0, SLOTS)
    is_out = np.isin(np.arange(SLOTS), [5, 6, 7])
    return replace(
        found,
        is_out=is_out,
        rtt_s=np.where(is_out, np.nan, found.rtt_s),
        reason=np.where(is_out, "obstructed", found.reason),
    )


def test_losses_in_predicted_outages_and_outside_are_told_apart(system, tmp_path):
    prediction = with_outages(system)
    t_s, rtt_s = packets()
    slot = np.floor(t_s / 15).astype(int)
    rtt_s = np.where(np.isin(slot, [5, 6, 12]), np.nan, rtt_s)  # slot 7 answers, 12 does not
    series = read_series(csv_file(tmp_path / "mine.csv", t_s, rtt_s))
    loss = lay_over(prediction, series)["loss"]
    is_out, is_lost = np.isin(slot, [5, 6, 7]), np.isnan(rtt_s)
    for name, own in (("predicted_out", is_out), ("predicted_served", ~is_out)):
        assert loss[name]["packets"] == own.sum()
        assert loss[name]["lost"] == (own & is_lost).sum()
        assert loss[name]["loss_share"] == pytest.approx(is_lost[own].mean(), abs=1e-9)
    assert (loss["predicted_out"]["slots_lost"], loss["predicted_out"]["slots_answered"]) == (2, 1)
    assert loss["predicted_served"]["slots_lost"] == 1


def test_an_outage_is_never_a_round_trip_of_zero(system, measured):
    found = lay_over(with_outages(system), read_series(measured))
    out = [row for row in found["rows"] if row["state"] == "out"]
    assert len(out) == 3
    for row in out:
        assert set(row["predicted_rtt_s"].values()) == {None}
        assert row["residual_s"] is row["norad_id"] is row["gateway"] is row["pop"] is None
    (reason,) = [row for row in found["residual_by_reason"] if row["state"] == "out"]
    assert reason["reason"] == "obstructed"
    assert reason["residual_s"]["p50"] is None
    assert found["rtt_s"]["slots"] == SLOTS - 3


def test_slots_without_packets_and_packets_outside_the_run_are_counted(system, tmp_path):
    t_s = np.concatenate([np.arange(-40.0, 31.0, 1.0), np.arange(60.0, 400.0, 1.0)])
    found = compare(system, csv_file(tmp_path / "mine.csv", t_s, np.full(t_s.size, 0.04)))
    assert found["slots"] == SLOTS
    assert found["slots_not_covered"] == 1  # from 45 s to 60 s
    assert found["measured"]["outside_run"] == 40 + 100
    assert sum(row["packets"] for row in found["rows"]) == t_s.size - 140
    assert found["slot_marks_s"] == [12.0, 27.0, 42.0, 57.0]


def test_one_date_decades_away_does_not_spread_the_series(system, tmp_path):
    t_s, rtt_s = packets()
    decades_s = -20 * 365 * 86_400.0
    path = csv_file(tmp_path / "mine.csv", np.append(decades_s, t_s), np.append(0.03, rtt_s))
    found = compare(system, path)
    assert found["measured"]["outside_run"] == 1
    assert found["slots"] == SLOTS
    assert found["steps"]["count"] == SLOTS


def test_packets_on_both_sides_of_the_run_alone_compare_with_nothing(system, tmp_path):
    t_s = np.concatenate([np.arange(-900.0, -100.0, 5.0), np.arange(500.0, 900.0, 5.0)])
    found = compare(system, csv_file(tmp_path / "mine.csv", t_s, np.full(t_s.size, 0.04)))
    assert found["slots_not_covered"] == SLOTS
    assert found["steps"] is found["clock"]["hint"] is found["residual_s"]["p50"] is None
    assert plot_compare(found, tmp_path / "nothing.png").stat().st_size > 0


def test_the_document_is_plain_json_without_positions(system, measured):
    text = json.dumps(compare(system, measured), allow_nan=False)
    assert json.loads(text)["terminal"] == "berlin"
    assert not re.search(r'"(lat|lon|latitude|longitude|cell|height)', text)


def test_measurements_of_another_day_are_refused_with_what_to_set(system, tmp_path):
    t_s, rtt_s = packets()
    late = csv_file(tmp_path / "late.csv", t_s, rtt_s, START + pd.Timedelta(2, "D"))
    with pytest.raises(InputError) as refusal:
        compare(system, late)
    assert str(refusal.value) == (
        f"{late}: was measured from 2026-06-16T12:00:15Z to 2026-06-16T12:05:01Z, but failures "
        "runs from 2026-06-14T12:00:12Z to 2026-06-14T12:05:12Z; set "
        "start_utc = 2026-06-16T12:00:15Z and duration_s = 287 in [time], with a catalogue of "
        "that date"
    )


def test_following_that_advice_leads_to_a_comparison(tmp_path):
    t_s, rtt_s = packets()
    late = csv_file(tmp_path / "late.csv", t_s, rtt_s, START + pd.Timedelta(2, "D"))
    time = {"start_utc": "2026-06-16T12:00:15Z", "duration_s": 287}
    found = compare(system_in(tmp_path, time=time), late)
    assert found["measured"]["outside_run"] == 0
    assert found["slots_not_covered"] == 0


def test_an_unknown_terminal_is_refused_with_the_near_one(system, measured):
    with pytest.raises(InputError, match=r'no terminal "berln"; did you mean berlin'):
        compare(system, measured, "berln")


def test_the_terminal_asked_for_is_compared_and_a_silent_choice_is_told(system, measured):
    named, first = compare(system, measured, "rome"), compare(system, measured)
    assert (named["terminal"], first["terminal"]) == ("rome", "berlin")
    assert not any("no terminal was named" in note for note in named["notes"])
    assert (
        "the first one is compared; others are rome, lisbon, oslo, kyiv, algiers"
        in (first["notes"][0])
    )


def test_a_scenario_without_terminals_is_refused(tmp_path, measured):
    empty = system_in(tmp_path, terminals=[])
    with pytest.raises(InputError, match=r"needs a terminal; add \[\[terminals\]\]"):
        compare(empty, measured)


def test_geometry_alone_is_said_to_be_too_low(system, measured):
    assert "expect the prediction to be too low" in " ".join(compare(system, measured)["notes"])


def test_packets_of_a_dish_scatter_as_its_model_says(tmp_path, measured):
    dish = system_in(tmp_path, delay={"model": "dish", "period": "2023-09"})
    found = predict(dish, 0, 0, 2)
    law = delay_model("2023-09").law
    expected = gamma.ppf(LEVELS, law.packet_shape, scale=law.packet_scale_s)
    middle = gamma.ppf(0.5, law.packet_shape, scale=law.packet_scale_s)
    np.testing.assert_allclose(found.scatter_s, expected - middle, rtol=0, atol=1e-9)
    document = compare(dish, measured)
    assert "compare distributions" in " ".join(document["notes"])
    for row in document["rows"]:
        low, mid, high = row["predicted_rtt_s"].values()
        assert low < mid < high


def test_a_dish_history_is_laid_over_too(system, tmp_path):
    ring = {
        "current": 60,
        "popPingLatencyMs": [30.0 + k % 7 for k in range(60)],
        "popPingDropRate": [0.0] * 59 + [1.0],
    }
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"dishGetHistory": ring}))
    found = compare(system, path, read_utc=np.datetime64("2026-06-14T12:02:00", "ns"))
    assert found["measured"]["packets"] == 60
    assert found["measured"]["lost"] == 1
    assert 0.030 <= found["rtt_s"]["measured"]["p50"] <= 0.036


def test_a_comparison_becomes_a_picture(system, measured, tmp_path):
    found = lay_over(with_outages(system), read_series(measured))
    png = plot_compare(found, tmp_path / "mine.png")
    assert png.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match=r"use a name that ends in \.png"):
        plot_compare(found, tmp_path / "mine.jpg")


def test_a_picture_stands_where_hardly_anything_was_answered(system, tmp_path):
    t_s, rtt_s = packets()
    rtt_s = np.where(np.arange(t_s.size) < 2, 0.03, np.nan)
    found = compare(system, csv_file(tmp_path / "mine.csv", t_s, rtt_s))
    assert found["rtt_s"]["slots"] == 1
    assert [row["residual_s"] for row in found["rows"][1:]] == [None] * (SLOTS - 1)
    assert plot_compare(found, tmp_path / "lost.png").stat().st_size > 0


SHARED = {
    "mmsys24_2023-09/no-isl-ping-gw-seattle-230911-170535-0.1s-60min.txt.gz": (
        "2023-09-12T00:05:27",
        36_000,
        (24.7, 42.8, 86.6),
    ),
    "leoviz_2025-05-29/ping-10ms-2025-05-29-23-20-13.txt.gz": (
        "2025-05-29T23:20:12",
        8_882,
        (22.1, 33.7, 110.0),
    ),
}


def flat(start_utc, slots, rtt_s=0.02):
    """A prediction in which nothing ever changes."""
    return Prediction(
        scenario="flat",
        terminal_id="here",
        epoch_utc=np.datetime64(start_utc, "ns"),
        slot_s=15.0,
        first_slot=0,
        reason=np.full(slots, "same_satellite"),
        is_out=np.zeros(slots, dtype=bool),
        norad_id=np.full(slots, 44_000),
        gateway_id=np.full(slots, "angeles"),
        pop_id=np.full(slots, "mnl"),
        rtt_s=np.full(slots, rtt_s),
        scatter_s=np.zeros(1),
    )


@pytest.mark.parametrize("name", SHARED)
def test_shared_series_keep_their_published_percentiles_and_their_clock(name, reference_data):
    start_utc, count, percentiles_ms = SHARED[name]
    series = read_series(reference_data / "measurements" / name)
    found = lay_over(flat(start_utc, int(series.duration_s // 15) + 3), series)
    assert found["measured"]["packets"] == count
    assert found["measured"]["outside_run"] == 0
    tenth_of_a_ms = 1e-4
    expected_s = [1e-3 * value for value in percentiles_ms]
    assert list(found["rtt_s"]["measured"].values()) == pytest.approx(expected_s, abs=tenth_of_a_ms)
    clock = found["clock"]
    assert clock["hint"] is None
    assert clock["largest_step_after_mark_s"] == 0
    assert found["steps"]["step_ratio"] > 2
    shifted = replace(series, t_utc=series.t_utc + np.timedelta64(5, "s"))
    hint = lay_over(flat(start_utc, int(series.duration_s // 15) + 3), shifted)["clock"]["hint"]
    assert hint.endswith("may be 5 s ahead")
