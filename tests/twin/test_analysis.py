"""Path analysis over time: Hypatia's path file, and sums by hand."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import skyweave
from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.frames import great_circle_m
from skyweave.time import parse_utc
from skyweave.twin.analysis import analyse
from skyweave.twin.ends_by_name import endpoint
from skyweave.twin.paths import Protection, Sample, paths_over_time
from skyweave.twin.world import build_world

ROOT = Path(__file__).parents[2]
KUIPER = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
SMALL = ROOT / "scenarios" / "small.toml"


@cache
def world_of(source):
    return build_world(skyweave.load_scenario(source))


def sampled(source, start, end, t_s, **options):
    world = world_of(source)
    at_utc = parse_utc(world.scenario.time.start_utc)
    ends = endpoint(world, start), endpoint(world, end)
    return (*ends, at_utc, list(paths_over_time(world, *ends, at_utc, t_s, **options)))


def test_changes_fall_where_hypatia_s_path_file_has_them(full_counts):
    every_s = 0.1 if full_counts else 0.5
    t_s = np.arange(round(200 / every_s)) * every_s
    found = analyse(*sampled(KUIPER, "Manila", "Dalian", t_s))
    # Hypatia: 18.0, 27.6, 74.3, 125.9 and 128.7 s; each is seen at the first sample from then on.
    changes_s = np.array([18.0, 27.6, 74.3, 125.9, 128.7])
    seen_s = np.ceil(np.round(changes_s / every_s, 6)) * every_s
    assert found["changes"] == 5
    assert found["change_times_s"] == pytest.approx(seen_s.tolist())
    assert found["changes_per_minute"] == pytest.approx(5 / ((200 - every_s) / 60))
    assert found["unreachable_share"] == 0.0


def test_stretch_is_the_rtt_over_the_great_circle():
    near, far, at_utc, samples = sampled(KUIPER, "Manila", "Dalian", np.arange(0.0, 60.0, 10.0))
    found = analyse(near, far, at_utc, samples)["stretch"]
    light_s = 2 * great_circle_m(14.6042, 120.9822, 38.913811, 121.602322) / SPEED_OF_LIGHT_M_S
    stretch = [sample.paths[0][0] / light_s for sample in samples]
    expected = {"min": min(stretch), "median": np.median(stretch), "max": max(stretch)}
    assert found["geodesic"] == pytest.approx(expected, rel=1e-9)
    assert found["fibre"]["max"] == pytest.approx(max(stretch) / FIBRE_INDEX, rel=1e-9)
    assert found["geodesic"]["min"] > 1.0


def test_a_pop_is_as_far_as_it_stands_and_not_as_its_gateways():
    near, far, at_utc, samples = sampled(SMALL, "Tokyo", "frntdeu1", np.zeros(1))
    found = analyse(near, far, at_utc, samples)
    light_s = 2 * great_circle_m(35.68, 139.69, 50.11, 8.68) / SPEED_OF_LIGHT_M_S
    half_a_percent = 0.005  # the PoP's and the site's places
    expected = samples[0].paths[0][0] / light_s
    assert found["stretch"]["geodesic"]["max"] == pytest.approx(expected, rel=half_a_percent)
    assert found["changes_per_minute"] is None


def test_a_lost_path_is_a_change_and_no_stretch():
    near, far, at_utc, _ = sampled(KUIPER, "Manila", "Dalian", np.zeros(1))
    way = ((0.03, ("Manila", "184", "Dalian")),)
    other = ((0.04, ("Manila", "185", "Dalian")),)
    samples = [Sample(float(t), paths, None) for t, paths in enumerate([way, (), (), other, other])]
    found = analyse(near, far, at_utc, samples)
    assert found["change_times_s"] == [1.0, 3.0]
    assert found["unreachable_share"] == 0.4
    assert analyse(near, far, at_utc, [samples[1]])["stretch"]["geodesic"] is None


def test_protection_tells_the_worst_failure_and_those_that_cut():
    near, far, at_utc, samples = sampled(KUIPER, "Manila", "Dalian", np.zeros(1), protection=True)
    found = analyse(near, far, at_utc, samples)["protection"]
    json.dumps(found, allow_nan=False)
    after = found[0]["after"]
    assert list(after) == [
        "Manila-184", "184", "184-183", "183", "183-217", "217", "217-Dalian",
    ]  # fmt: skip
    assert found[0]["worst_rtt_s"] == max(after.values()) > found[0]["rtt_s"]
    assert found[0]["cut_by"] == []
    cut = (Protection("a", np.inf), Protection("b", 0.05))
    sample = Sample(0.0, ((0.03, ("Manila", "184", "Dalian")),), None, cut)
    (told,) = analyse(near, far, at_utc, [sample])["protection"]
    assert (told["worst_rtt_s"], told["cut_by"]) == (None, ["a"])
    assert told["after"] == {"a": None, "b": 0.05}


def test_a_disjoint_path_survives_every_single_failure():
    options = {"protection": True, "count": 2}
    _, _, _, samples = sampled(SMALL, "Tokyo", "Los Angeles", np.zeros(1), **options)
    (sample,) = samples
    (best_s, _), (disjoint_s, _) = sample.paths
    left_s = [each.rtt_s for each in sample.protection]
    assert min(left_s) >= best_s
    assert max(left_s) <= disjoint_s + 1e-12
