"""Paths and pairs at instants at which something has failed."""

from itertools import pairwise

import pytest
from tests.support.small_network import content

import skyweave
from skyweave import api
from skyweave.twin.scenario import build_scenario

SITES = [
    {"name": "Berlin", "lat_deg": 52.5, "lon_deg": 13.4},
    {"name": "Rome", "lat_deg": 41.9, "lon_deg": 12.5},
    {"name": "Madrid", "lat_deg": 40.4, "lon_deg": -3.7},
    {"name": "Nairobi", "lat_deg": -1.3, "lon_deg": 36.8},
]
WINDOW = {"from_utc": "2026-06-14T12:01:12Z", "to_utc": "2026-06-14T12:02:12Z"}
EVERY_S, FOR_S = 10, 180
FAILED_S = range(60, 120, EVERY_S)


def scenario(folder, *failures, **changes):
    whole = content(folder, isl={"plan": "plus-grid"}, sites=SITES, **changes)
    return build_scenario({**whole, "failures": list(failures)}, "small", folder)


def samples(folder, start, end, *failures):
    found = skyweave.path(scenario(folder, *failures), start, end, every_s=EVERY_S, for_s=FOR_S)
    return {sample["t_s"]: sample for sample in found["samples"]}


def whole_run(failure):
    return {key: value for key, value in failure.items() if key not in WINDOW}


@pytest.mark.parametrize("kind", ["satellite", "link"])
def test_a_path_leads_round_what_has_failed_while_it_has(kind, tmp_path):
    before = samples(tmp_path, "Berlin", "Nairobi")
    nodes = before[90]["nodes"][1:-1]
    assert len(nodes) > 1
    gone = nodes[0] if kind == "satellite" else "-".join(nodes[:2])
    failure = {"kind": kind, "ids": [gone], **WINDOW}
    found = samples(tmp_path, "Berlin", "Nairobi", failure)
    always = samples(tmp_path, "Berlin", "Nairobi", whole_run(failure))
    for t_s in before:
        assert found[t_s] == (always if t_s in FAILED_S else before)[t_s]
    assert found[90]["rtt_s"] > before[90]["rtt_s"]
    detour = found[90]["nodes"]
    assert all(gone not in (node, f"{node}-{after}") for node, after in pairwise(detour))


@pytest.mark.parametrize(
    ("end", "failure", "reason"),
    [
        ("aachen", {"kind": "gateway", "ids": ["aachen"]}, "gateway_failed"),
        ("frankfurt", {"kind": "pop", "ids": ["frankfurt"]}, "pop_failed"),
        ("frankfurt", {"kind": "gateway", "share": 1.0}, "gateway_failed"),
        ("Madrid", {"kind": "core", "ids": ["network"]}, "core_failed"),
    ],
)
def test_an_end_that_has_failed_has_no_path_and_says_so(end, failure, reason, tmp_path):
    found = samples(tmp_path, "Rome", end, {**failure, **WINDOW})
    for t_s, sample in found.items():
        assert (sample["rtt_s"] is None) == (t_s in FAILED_S)
        assert sample.get("reason") == (reason if t_s in FAILED_S else None)


def test_a_pop_is_reached_through_the_gateways_left(tmp_path):
    before = samples(tmp_path, "Rome", "frankfurt")
    used = before[90]["nodes"][-2]
    found = samples(tmp_path, "Rome", "frankfurt", {"kind": "gateway", "ids": [used], **WINDOW})
    assert found[90]["nodes"][-2] != used
    assert found[90]["rtt_s"] > before[90]["rtt_s"]
    assert found[30] == before[30]


def test_pairs_see_the_same_failures_as_paths(tmp_path):
    failure = {"kind": "satellite", "share": 0.3, **WINDOW}
    out = tmp_path / "pairs.csv"
    summary = skyweave.pairs(scenario(tmp_path, failure), every_s=EVERY_S, for_s=FOR_S, out=out)
    found = samples(tmp_path, "Berlin", "Madrid", failure)
    rtts_s = [sample["rtt_s"] for sample in found.values() if sample["rtt_s"] is not None]
    row = next(line for line in out.read_text().splitlines() if '"Berlin","Madrid"' in line)
    shortest_s, longest_s = (float(value) for value in row.split(",")[3:5])
    rounding_s = 1e-12
    assert shortest_s == pytest.approx(min(rtts_s), abs=rounding_s)
    assert longest_s == pytest.approx(max(rtts_s), abs=rounding_s)
    assert summary["instants"] == FOR_S // EVERY_S


def test_no_pair_has_a_path_while_the_core_has_failed(tmp_path):
    failure = {"kind": "core", "ids": ["network"], **WINDOW}
    summary = skyweave.pairs(scenario(tmp_path, failure), every_s=EVERY_S, for_s=FOR_S)
    assert summary["unreachable_share"] == pytest.approx(len(FAILED_S) * EVERY_S / FOR_S)


def test_gateways_that_relay_count_in_no_share(tmp_path):
    summary = skyweave.pairs(scenario(tmp_path), relays="gateways")
    shares = [each["share"] for each in summary["busiest_satellites"] + summary["busiest_links"]]
    assert shares
    assert max(shares) <= 1.0


def test_a_link_that_has_failed_is_acquired_anew(tmp_path):
    """60 s out of order, and as long again until it is acquired: as in a run."""
    plan = {"isl": {"plan": "plus-grid", "acquisition_s": 60}}
    failure = {"kind": "link", "share": 1.0, **WINDOW}
    whole = {**content(tmp_path, sites=SITES), **plan, "failures": [failure]}
    slow = build_scenario(whole, "small", tmp_path)
    found = skyweave.path(slow, "Berlin", "Nairobi", every_s=15, for_s=300)["samples"]
    at_once = skyweave.path(
        build_scenario({**whole, "failures": []}, "small", tmp_path),
        "Berlin", "Nairobi", every_s=15, for_s=300,
    )["samples"]  # fmt: skip
    differs = [now["t_s"] for now, then in zip(found, at_once, strict=True) if now != then]
    assert differs
    assert 60.0 <= min(differs) <= max(differs) < 180.0
    assert max(differs) > 120.0


def test_the_exported_state_leads_round_what_has_failed(tmp_path):
    shell = {"pattern": "hypatia", "mean_motion_rev_day": 15.19, "inclination_deg": 53.0}
    shell |= {"planes": 24, "per_plane": 22}
    whole = {
        **content(tmp_path, sites=SITES),
        "time": {"start_utc": "2000-01-01T00:00:00Z", "duration_s": 15},
        "shells": [shell],
        "isl": {"plan": "plus-grid"},
    }
    failures = [{"kind": "satellite", "share": 0.2}]
    rows = {}
    for name, failed in (("whole", []), ("left", failures)):
        scenario_ = build_scenario({**whole, "failures": failed}, "small", tmp_path)
        api.export_hypatia(scenario_, tmp_path / name, every_s=1, for_s=1)
        (state,) = (tmp_path / name).glob("dynamic_state_*/fstate_0.txt")
        rows[name] = {tuple(line.split(",")[:2]): line for line in state.read_text().split()}
    assert rows["whole"].keys() == rows["left"].keys()
    unreachable = [line for line in rows["left"].values() if line.endswith("-1,-1,-1")]
    assert len(unreachable) >= 0.2 * 24 * 22 * len(SITES) * 0.9
    assert len(unreachable) > sum(line.endswith("-1,-1,-1") for line in rows["whole"].values())
