"""Traces with the delay of real dishes: slot offsets, packet scatter, gaps where they belong."""

import csv
import json

import numpy as np
import pytest
from tests.support.small_network import content

import skyweave
from skyweave.api.exports import export_trace
from skyweave.twin.delay import delay_model, slot_offset_s, utc_slots
from skyweave.twin.export._dish_trace import packet_steps
from skyweave.twin.scenario import build_scenario

START_UTC = np.datetime64("2026-06-14T12:00:12", "ns")
PROCESSING_S = 0.010
A_NANOSECOND_S = 1e-9
PER_SLOT = 150
DISH = {"model": "dish", "period": "2025-05"}


def scenario_in(folder, **changes):
    berlin = {"id": "berlin", "lat_deg": 52.5, "lon_deg": 13.4}
    sites = [
        {"name": "Praha", "lat_deg": 50.1, "lon_deg": 14.4},
        {"name": "Wien", "lat_deg": 48.2, "lon_deg": 16.4},
    ]
    made = content(folder, terminals=[berlin], sites=sites, **changes)
    return build_scenario(made, "dish.toml", folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("dish")


@pytest.fixture(scope="module")
def runs(folder):
    """The run with geometry alone, and the one with the delay of dishes."""
    of_dish = skyweave.run(scenario_in(folder, delay=DISH, seed=5), out=folder / "dish")
    return skyweave.run(scenario_in(folder, seed=5), out=folder / "geometry"), of_dish


@pytest.fixture(scope="module")
def traces(folder, runs):
    return [
        export_trace(run.folder, folder / f"{run.folder.name}-trace", terminal="berlin")
        for run in runs
    ]


def rows_of(trace):
    with open(f"{trace['out']}/trace.csv", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rtt_of(trace):
    return np.array([float(row["rtt_s"] or "nan") for row in rows_of(trace)])


def test_without_dishes_a_trace_is_the_runs_own_slots(folder, runs, traces):
    geometry, _ = traces
    assert (geometry["steps"], geometry["every_s"], "delay" in geometry) == (20, 15.0, False)
    np.testing.assert_array_equal(rtt_of(geometry), runs[0].access.rtt_s.to_numpy())
    readme = (folder / "geometry-trace" / "README.txt").read_text(encoding="utf-8")
    assert "The delay is that of propagation and of the scenario's processing time." in readme


def test_each_step_has_the_floor_and_its_slots_offset_over_geometry(runs, traces):
    _, dish = traces
    model, access = delay_model("2025-05"), runs[0].access
    assert dish["delay"] == {"model": "dish", "period": "2025-05", "comb": False, "seed": 5}
    assert (dish["steps"], dish["every_s"]) == (20 * PER_SLOT, 0.1)
    geometry_s = access.rtt_s.to_numpy() - PROCESSING_S
    slot_utc = START_UTC + np.arange(20) * np.timedelta64(15, "s")
    offset_s = slot_offset_s(model, 5, utc_slots(slot_utc), "berlin")[:, 0]
    scatter_s = (
        rtt_of(dish).reshape(20, PER_SLOT) - (geometry_s + model.floor_s + offset_s)[:, None]
    )
    changes = np.append(False, np.diff(access.pop_id.astype("category").cat.codes) != 0)
    usual = scatter_s[~changes]
    assert np.nanmin(usual) > -A_NANOSECOND_S
    law = model.law
    mean_s = law.packet_shape * law.packet_scale_s
    spread_s = np.sqrt(law.packet_shape) * law.packet_scale_s / np.sqrt(np.isfinite(usual).sum())
    assert abs(np.nanmean(usual) - mean_s) < 4.0 * spread_s


def test_a_runs_slot_is_the_median_of_what_its_trace_scatters(runs, traces):
    rtt_s = rtt_of(traces[1]).reshape(20, PER_SLOT)
    access_s = runs[1].access.rtt_s.to_numpy()
    pop = runs[1].access.pop_id.to_numpy()
    same_pop = np.append(True, pop[1:] == pop[:-1])
    above = np.nanmean((rtt_s > access_s[:, None])[same_pop])
    four_sigma = 4.0 * 0.5 / np.sqrt(same_pop.sum() * PER_SLOT)
    assert above == pytest.approx(0.5, abs=four_sigma + 0.01)  # and the steps that are lost


def test_steps_are_lost_after_a_change_of_satellite_or_pop_alone(runs, traces):
    access, model = runs[0].access, delay_model("2025-05")
    norad, pop = access.norad_id.to_numpy(), access.pop_id.to_numpy()
    rows = rows_of(traces[1])
    reasons = np.array([row["reason"] for row in rows]).reshape(20, PER_SLOT)
    for slot in range(20):
        new_pop = slot > 0 and pop[slot] != pop[slot - 1]
        new_sat = slot > 0 and norad[slot] != norad[slot - 1]
        expected = "pop_change_gap" if new_pop else "handover_gap"
        assert set(reasons[slot]) <= {"", expected} if new_pop or new_sat else {""}
        lasts_s = model.pop_change_gap_s if new_pop else model.handover_gap_s
        assert (reasons[slot][int(np.ceil(10 * lasts_s)) :] == "").all()
        if new_pop:
            assert (reasons[slot][: int(10 * lasts_s)] == expected).all()
    assert "handover_gap" in reasons
    for row in rows:
        assert (row["up"] == "0") == (row["rtt_s"] == "") == bool(row["reason"])


def test_a_trace_is_the_same_for_a_seed_and_another_for_another(folder, runs, traces):
    again = export_trace(runs[1].folder, folder / "again", terminal="berlin")
    for name in again["files"]:
        assert (folder / "again" / name).read_bytes() == (folder / "dish-trace" / name).read_bytes()
    other = skyweave.run(scenario_in(folder, delay=DISH, seed=6), out=folder / "other")
    another = export_trace(other.folder, folder / "another", terminal="berlin")
    assert not np.isclose(rtt_of(another), rtt_of(traces[1])).any()


def test_a_path_between_two_places_has_the_delay_of_both_dishes(folder):
    options = {"start": "Praha", "end": "Wien", "every_s": 0.5, "for_s": 30.0}
    bare = export_trace(scenario_in(folder), folder / "path-bare", **options)
    dish = export_trace(scenario_in(folder, delay=DISH), folder / "path-dish", **options)
    beyond_s = rtt_of(dish) - (rtt_of(bare) - PROCESSING_S)
    assert np.nanmin(beyond_s) >= 2.0 * delay_model("2025-05").floor_s
    assert [row["nodes"] for row in rows_of(dish)] == [row["nodes"] for row in rows_of(bare)]
    to_pop = {"start": "Praha", "end": "frankfurt", "every_s": 0.5, "for_s": 30.0}
    one = export_trace(scenario_in(folder, delay=DISH), folder / "pop-dish", **to_pop)
    none = export_trace(scenario_in(folder), folder / "pop-bare", **to_pop)
    beyond_one_s = rtt_of(one) - (rtt_of(none) - PROCESSING_S)
    assert np.nanmin(beyond_one_s) >= delay_model("2025-05").floor_s
    slots = utc_slots(START_UTC + np.arange(60) * np.timedelta64(500, "ms"))
    offset_s = slot_offset_s(delay_model("2025-05"), 0, slots, "Praha")[:, 0]
    least_s = np.nanmin(beyond_one_s - delay_model("2025-05").floor_s - offset_s)
    two_milliseconds_s = 2e-3  # the least scatter of 60 packets is some 0.1 ms
    assert -A_NANOSECOND_S < least_s < two_milliseconds_s
    assert np.nanmedian(beyond_one_s) < np.nanmedian(beyond_s)


def test_the_manifest_and_the_readme_say_what_was_drawn(folder, traces):
    manifest = json.loads((folder / "dish-trace" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["delay"]["period"] == "2025-05"
    readme = (folder / "dish-trace" / "README.txt").read_text(encoding="utf-8")
    assert "real dishes of 2025-05" in readme
    assert "drawn with seed 5" in readme


@pytest.mark.parametrize(("slot_ms", "steps"), [(15_000, 150), (60_000, 600), (250, 5), (50, 1)])
def test_a_slot_is_divided_into_steps_of_at_most_a_tenth_of_a_second(slot_ms, steps):
    assert packet_steps(slot_ms) == steps
    assert slot_ms % packet_steps(slot_ms) == 0
