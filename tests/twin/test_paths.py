"""`skyweave path`, through the public function, against Hypatia's golden file and closed forms."""

import gzip
from pathlib import Path

import numpy as np
import pytest

import skyweave
from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.twin.scenario import build_scenario

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "hypatia"
KUIPER = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
ONE_MICROSECOND = 1e-6


def test_manila_to_dalian_is_hypatia_s_golden_file(full_counts, record_figure):
    every_s = 0.1 if full_counts else 1.0
    found = skyweave.path(KUIPER, "Manila", "Dalian", every_s=every_s, for_s=200.0)["samples"]
    ours_s = np.array([sample["rtt_s"] for sample in found])
    golden = gzip.decompress(next(GOLDEN.glob("*rtt_1173_to_1241*")).read_bytes()).decode()
    rows = [line.split(",") for line in golden.split()]
    golden_s = {int(ns) // 10**8: float(rtt_ns) * 1e-9 for ns, rtt_ns in rows}
    theirs_s = np.array([golden_s[round(sample["t_s"] * 10)] for sample in found])
    worst_s = np.abs(ours_s - theirs_s).max()
    record_figure("Hypatia Manila-Dalian through `path`: RTT", worst_s * 1e6, "us", "1 us")
    assert worst_s <= ONE_MICROSECOND


def test_the_way_back_is_the_way_there():
    there = skyweave.path(KUIPER, "Manila", "Dalian")["samples"][0]
    back = skyweave.path(KUIPER, "Dalian", "Manila")["samples"][0]
    assert back["nodes"] == there["nodes"][::-1]
    assert back["rtt_s"] == pytest.approx(there["rtt_s"], abs=1e-15)


def test_a_path_over_the_real_fleet_is_near_the_great_circle():
    scenario = ROOT / "scenarios" / "small.toml"
    (sample,) = skyweave.path(scenario, "Tokyo", "Los Angeles")["samples"]
    least_s = 2 * great_circle_m(35.69, 139.69, 34.05, -118.24) / SPEED_OF_LIGHT_M_S
    assert least_s < sample["rtt_s"] - 0.010 < 1.5 * least_s


def test_a_pop_is_reached_through_one_of_its_gateways():
    scenario = ROOT / "scenarios" / "small.toml"
    (sample,) = skyweave.path(scenario, "Bern", "frntdeu1")["samples"]
    *_, gateway, pop = sample["nodes"]
    assert pop == "frntdeu1"
    assert gateway.islower()
    assert not gateway.isdigit()


def test_a_city_that_no_scenario_names_is_found_in_the_gazetteer():
    answer = skyweave.path(ROOT / "scenarios" / "small.toml", "office", "Reykjavik")
    assert answer["to"] == "Reykjavík"


def test_no_satellite_in_view_is_a_reason_and_never_a_round_trip_of_zero():
    (sample,) = skyweave.path(KUIPER, "Manila", "Tromsø")["samples"]
    assert sample["rtt_s"] is None
    assert sample["nodes"] == []
    assert sample["reason"] == "no_satellite_in_view"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"every_s": 1.0}, "go together"),
        ({"every_s": -1.0, "for_s": 1.0}, "seconds above 0"),
        ({"every_s": 1e-9, "for_s": 1e3}, "expected at most 10,000,000"),
        ({"disjoint": "planet"}, "expected satellite or edge"),
    ],
)
def test_wrong_sampling_is_refused(arguments, text):
    with pytest.raises(InputError, match=text):
        skyweave.path(KUIPER, "Manila", "Dalian", **arguments)


SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 72, "per_plane": 22, "phasing": 39}


@pytest.fixture(scope="module")
def two_networks(tmp_path_factory):
    """Return a scenario of two operators with the same satellites and a ground of their own."""
    folder = tmp_path_factory.mktemp("networks")
    operators = []
    for name, lat_deg, lon_deg in (("alpha", 50, 9), ("beta", 42, 13)):
        (folder / f"{name}.csv").write_text(
            f"name,lat_deg,lon_deg\ngw-{name},{lat_deg},{lon_deg}\n"
        )
        pops = f"pop_id,city,country,lat_deg,lon_deg\npop-{name},Town,DE,{lat_deg},{lon_deg}\n"
        (folder / f"{name}-pops.csv").write_text(pops)
        ground = {"source": f"{name}.csv", "pops": f"{name}-pops.csv"}
        operators.append({"name": name, "shells": [SHELL], "gateways": ground})
    terminals = [
        {"id": "a", "lat_deg": 48, "lon_deg": 8},
        {"id": "b", "lat_deg": 46, "lon_deg": 10, "operator": "beta", "name": "Lisbon"},
        {"id": "c", "lat_deg": 44, "lon_deg": 12, "operator": "beta", "name": "Clinic"},
    ]  # fmt: skip
    time = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15}
    content = {"time": time, "operators": operators, "terminals": terminals}
    return build_scenario(content, "two networks", folder)


@pytest.mark.parametrize(
    ("start", "end", "ends"),
    [
        ("b", "Madrid", ("b", "Madrid")),
        ("Lisbon", "Madrid", ("b", "Madrid")),  # the scenario's own, not the city
        ("Clinic", "Lisbon", ("c", "b")),
        ("pop-beta", "Madrid", ("pop-beta", "Madrid")),
        ("Madrid", "gw-beta", ("Madrid", "gw-beta")),
        ("a", "pop-alpha", ("a", "pop-alpha")),
    ],
)
def test_the_ends_of_a_path_say_whose_network_it_takes(start, end, ends, two_networks):
    answer = skyweave.path(two_networks, start, end)
    assert (answer["from"], answer["to"]) == ends
    assert answer["samples"][0]["nodes"]


@pytest.mark.parametrize("ends", [("a", "b"), ("Clinic", "pop-alpha"), ("gw-beta", "a")])
def test_ends_of_two_networks_are_refused(ends, two_networks):
    with pytest.raises(InputError, match="no path leads through both networks; name one with"):
        skyweave.path(two_networks, *ends)


def test_a_path_takes_the_network_of_the_operator_named(two_networks):
    with pytest.raises(InputError, match='operator "gamma" is unknown; there are alpha, beta'):
        skyweave.path(two_networks, "Madrid", "Rome", operator="gamma")
    with pytest.raises(InputError, match='is called "pop-alpha"'):
        skyweave.path(two_networks, "Madrid", "pop-alpha", operator="beta")


def test_a_path_leaves_a_terminal_only_where_its_dish_sees(two_networks, tmp_path):
    (tmp_path / "walls.csv").write_text("azimuth_deg,elevation_deg\n0,89.9\n180,89.9\n")
    free = two_networks.terminals[0]
    walls = {"id": "walled", "horizon": str(tmp_path / "walls.csv")}
    scenario = two_networks.model_copy(update={"terminals": (free, free.model_copy(update=walls))})
    (sample,) = skyweave.path(scenario, "walled", "Madrid")["samples"]
    assert (sample["rtt_s"], sample["reason"]) == (None, "obstructed")
    assert skyweave.path(scenario, "a", "Madrid")["samples"][0]["rtt_s"] > 0
