"""Failures of every kind, for whole runs and for a time, and what the results say of them."""

import json
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.small_network import (
    COLUMNS,
    GATEWAYS,
    PLACES,
    access_of,
    assert_same_service,
    content,
    system_in,
    two_operators,
)

from skyweave.errors import InputError
from skyweave.time import format_utc
from skyweave.twin.explanation import explain_slot
from skyweave.twin.geometry import visible_pairs
from skyweave.twin.orbits import initialise, propagate
from skyweave.twin.pipeline import network_pairs, networks, serve
from skyweave.twin.run import run_system
from skyweave.twin.scenario import build_scenario
from skyweave.twin.topology import FeederLinks
from skyweave.twin.world import Breakage, Part, build_system, gateway_itrf, gateway_mask

GRID = {"isl": {"plan": "plus-grid"}}
SLOT_S, SLOTS = 15, 20


def at(slot, seconds=0.0):
    """A moment, counted from the start of a slot of the run."""
    utc = np.datetime64("2026-06-14T12:00:12", "ns") + np.timedelta64(
        round((slot * SLOT_S + seconds) * 1e9), "ns"
    )
    return format_utc(utc)


def failing(folder, *failures, **changes):
    return system_in(folder, failures=list(failures), **changes)


def pairs_of(system):
    (part,) = system.parts
    return list(network_pairs(part, initialise(part.world.fleet.catalogue), system.slots))


def lacking_satellites(system, norad_ids):
    """The same system, whose catalogue never had some satellites."""
    (part,) = system.parts
    fleet = part.world.fleet
    left = ~np.isin(fleet.catalogue.norad_id, norad_ids)
    smaller = replace(
        fleet, catalogue=fleet.catalogue.take(left), serves=fleet.serves[left],
        age_days=fleet.age_days[left], generation=fleet.generation[left],
    )  # fmt: skip
    world = replace(part.world, fleet=smaller, sat_is_up=np.ones(left.sum(), bool))
    return replace(system, parts=(Part(world, part.rows),))


@pytest.mark.parametrize(
    "isl", [{"plan": "none"}, {"plan": "plus-grid"}, {"plan": "nearest-n"}], ids=lambda i: i["plan"]
)
def test_failed_satellites_are_as_if_they_had_never_flown(isl, tmp_path):
    gone = np.random.default_rng(8).choice(1584, 400, replace=False)
    system = failing(tmp_path, {"kind": "satellite", "ids": gone.tolist()}, isl=isl)
    found, whole = access_of(system, tmp_path)
    never = lacking_satellites(system_in(tmp_path, isl=isl), gone)
    expected, _ = access_of(never, tmp_path)
    assert_same_service(found, expected)
    assert not set(found.norad_id.dropna()) & set(gone.tolist())
    lost = (whole.state == "served") & (found.state == "out")
    assert lost.any() or isl["plan"] != "none"
    assert set(found.reason[lost]) <= {"satellite_failed"}


def test_a_failed_plane_is_the_list_of_its_satellites(tmp_path):
    by_name = failing(tmp_path, {"kind": "plane", "ids": ["0-3", "0-40"]}, **GRID)
    rows = [str(plane * 22 + k) for plane in (3, 40) for k in range(22)]
    by_list = failing(tmp_path, {"kind": "satellite", "ids": rows}, **GRID)
    np.testing.assert_array_equal(
        by_name.parts[0].at_slot(0).sat_is_up, by_list.parts[0].at_slot(0).sat_is_up
    )
    found, expected = (access_of(each, tmp_path)[0] for each in (by_name, by_list))
    assert_same_service(found, expected)


def test_failed_links_are_absent_and_all_others_stay(tmp_path):
    links = ["0-1", "1-2", "23-1", "700-722"]
    system = failing(tmp_path, {"kind": "link", "ids": links}, **GRID)
    gone = {tuple(sorted(map(int, link.split("-")))) for link in links}
    for pair in pairs_of(system):
        whole, now = ({tuple(edge) for edge in n.edges.tolist()} for n in (pair.whole, pair.now))
        assert now == whole - gone
        assert gone < whole
        np.testing.assert_array_equal(pair.now.feeders.sat, pair.whole.feeders.sat)


def test_lost_links_cost_paths_for_the_natural_reason(tmp_path):
    only = {"gateways": {"lepe": GATEWAYS["lepe"]}, "antennas": 64}
    system = failing(tmp_path, {"kind": "link", "share": 1.0}, **GRID, **only)
    found, whole = access_of(system, tmp_path)
    none, _ = access_of(system_in(tmp_path, isl={"plan": "none"}, **only), tmp_path)
    assert_same_service(found, none)
    lost = (whole.state == "served") & (found.state == "out")
    assert lost.sum() > 10
    assert set(found.reason[lost]) == {"no_gateway_path"}


def test_without_the_core_all_are_out_and_the_network_is_whole(tmp_path):
    system = failing(tmp_path, {"kind": "core"}, **GRID)
    assert all(pair.now is pair.whole for pair in pairs_of(system))
    found, whole = access_of(system, tmp_path)
    assert (found.state == "out").all()
    was_served = whole.state == "served"
    assert set(found.reason[was_served]) == {"core_failed"}
    assert found.reason[~was_served].equals(whole.reason[~was_served])
    assert found[["norad_id", "rtt_s"]].isna().all(axis=None)


def test_without_any_satellite_nobody_blames_the_elements(tmp_path):
    found, whole = access_of(failing(tmp_path, {"kind": "satellite", "share": 1.0}), tmp_path)
    was_served = whole.state == "served"
    assert set(found.reason[was_served]) == {"satellite_failed"}
    assert set(found.reason[~was_served]) == {"no_satellite_in_view"}


# Two gateways with antennas for all: then nothing depends on the slot before.
FEW = {"gateways": {name: GATEWAYS[name] for name in ("aachen", "turin")}, "antennas": 64}


@pytest.mark.parametrize(
    ("window", "slots"),
    [
        ({}, range(SLOTS)),
        ({"from_utc": at(6)}, range(6, SLOTS)),
        ({"from_utc": at(6, 0.1), "to_utc": at(6, 0.2)}, range(6, 7)),
        ({"from_utc": at(6), "to_utc": at(9)}, range(6, 9)),
        ({"from_utc": at(5, 14.9), "to_utc": at(9, 0.1)}, range(5, 10)),
        ({"to_utc": at(4)}, range(4)),
        ({"from_utc": "2020-01-01T00:00:00Z", "to_utc": "2030-01-01T00:00:00Z"}, range(SLOTS)),
    ],
)
def test_a_failure_holds_in_every_slot_that_its_time_touches(window, slots, tmp_path):
    found, whole = access_of(
        failing(tmp_path, {"kind": "gateway", "ids": ["turin"], **window}, **FEW), tmp_path
    )
    always, _ = access_of(failing(tmp_path, {"kind": "gateway", "ids": ["turin"]}, **FEW), tmp_path)
    for slot in range(SLOTS):
        here = found.slot == slot
        assert_same_service(found[here], (always if slot in slots else whole)[here])
        expected = (always if slot in slots else whole).reason[here]
        assert found.reason[here].astype(object).equals(expected.astype(object))
    assert not always[COLUMNS].equals(whole[COLUMNS])


def test_nobody_knows_of_a_failure_before_it_begins(tmp_path):
    rule = {"assignment": {"rule": "longest-visible"}, **GRID}
    plain, _ = access_of(system_in(tmp_path, **rule), tmp_path)
    begins = {"from_utc": at(8), "to_utc": at(14)}
    found, whole = access_of(
        failing(
            tmp_path,
            {"kind": "satellite", "share": 0.3, **begins},
            {"kind": "gateway", "share": 0.5, **begins},
            {"kind": "link", "share": 0.2, "from_utc": at(10)},
            **rule,
        ),
        tmp_path,
    )
    assert_same_service(whole, plain)
    early = found.slot < 8
    assert_same_service(found[early], plain[early])
    assert not found[~early][COLUMNS].equals(plain[~early][COLUMNS])


def links_of(network):
    return set(zip(network.feeders.gateway.tolist(), network.feeders.sat.tolist(), strict=True))


def lasting_views(world, slot):
    """Pairs of a gateway and a satellite above the mask at both ends of a slot."""
    grid = world.boundaries(slot, slot + 2)
    sat_m = propagate(world.fleet.catalogue, grid, world.orientation).sat_itrf_m
    seen = [
        visible_pairs(*gateway_itrf(world.gateways), now_m, gateway_mask(world, world.gateways))
        for now_m in world.in_order(sat_m)
    ]
    ends = [set(zip(v.site_rows.tolist(), v.sat.tolist(), strict=True)) for v in seen]
    return {(g, s) for g, s in ends[0] & ends[1] if world.gateway_is_up[g]}


def test_antennas_keep_what_they_follow_into_a_failure_and_out_of_it(tmp_path):
    window = {"from_utc": at(7), "to_utc": at(12)}
    system = failing(
        tmp_path,
        {"kind": "gateway", "ids": ["turin", "wola"], **window},
        {"kind": "satellite", "share": 0.2, **window},
    )
    (part,), pairs = system.parts, pairs_of(system)
    for slot in range(1, SLOTS):
        here = part.at_slot(slot)
        kept = links_of(pairs[slot - 1].now) & lasting_views(here, slot)
        assert kept <= links_of(pairs[slot].now)
        assert links_of(pairs[slot].now) <= lasting_views(here, slot)
    alone = networks(part.world, initialise(part.world.fleet.catalogue), SLOTS)
    assert [links_of(pair.whole) for pair in pairs] == [links_of(each) for each in alone]
    assert all(pair.now is pair.whole for pair in pairs[:7])
    assert links_of(pairs[12].now) != links_of(pairs[12].whole)  # what was lost takes time


@pytest.fixture(scope="module")
def small_world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    (part,) = system_in(folder, **GRID).parts
    records = initialise(part.world.fleet.catalogue)
    return part.world, records, next(networks(part.world, records, 1))


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), share=st.floats(0.0, 0.9))
def test_on_what_is_left_of_a_network_no_path_is_shorter(small_world, seed, share):
    world, records, network = small_world
    rng = np.random.default_rng(seed)
    is_up = rng.random(len(world.fleet.catalogue)) >= share
    broken = replace(world, sat_is_up=is_up)
    edges = network.edges[is_up[network.edges].all(axis=1) & (rng.random(len(network.edges)) > 0.1)]
    stays = is_up[network.feeders.sat]
    feeders = FeederLinks(network.feeders.gateway[stays], network.feeders.sat[stays])
    left = replace(network, edges=edges, feeders=feeders)
    before, _ = serve(world, records, [network])
    now, _ = serve(broken, records, [left])
    assert not (now.is_served & ~before.is_served).any()
    both = now.is_served & before.is_served
    rounding_s = 1e-12
    assert (now.rtt_s[both] >= before.rtt_s[both] - rounding_s).all()
    assert is_up[now.sat[now.is_served]].all()


def test_several_workers_and_pieces_change_no_byte(tmp_path):
    both, *_ = two_operators(tmp_path)
    failures = [
        {"kind": "satellite", "share": 0.2, "operator": "east", "from_utc": at(3)},
        {"kind": "gateway", "ids": ["turin"], "from_utc": at(5), "to_utc": at(9)},
        {"kind": "core", "ids": ["west"], "from_utc": at(8), "to_utc": at(11)},
        {"kind": "link", "share": 0.1},
    ]
    scenario = build_scenario({**both, "failures": failures}, "two", tmp_path)
    system = build_system(scenario, ["pop:madrid"])
    one, two = (run_system(system, tmp_path / str(n), workers=n).folder for n in (1, 2))
    for name in ("access.parquet", "events.parquet", "slots.parquet", "fleet.csv", "ground.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name
    access = pq.read_table(one / "access.parquet").to_pandas()
    is_west, is_out = access.terminal_id.str.endswith("-west"), access.reason == "core_failed"
    assert set(access.slot[is_out]) == {8, 9, 10}
    assert (is_west | ~is_out).all()


def test_the_seed_moves_what_is_drawn_and_nothing_else(tmp_path):
    failure = {"kind": "gateway", "share": 0.5}
    drawn = [
        failing(tmp_path, failure, seed=seed).parts[0].breakages[0].effect.names
        for seed in (1, 1, 2, 3)
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1
    assert {len(names) for names in drawn} == {3}


def test_the_manifest_and_the_events_name_the_failures(tmp_path):
    system = failing(
        tmp_path,
        {"kind": "satellite", "share": 0.9, "from_utc": at(2), "to_utc": at(5, 1.0)},
        {"kind": "gateway", "ids": ["IT"], "from_utc": at(3)},
        {"kind": "link", "share": 0.25},
        {"kind": "plane", "ids": ["0-1"], "to_utc": at(0)},
    )
    run = run_system(system, tmp_path / "run")
    found = json.loads((run.folder / "manifest.json").read_text())
    assert found["without"] == [
        "satellite:90% from 2026-06-14T12:00:42Z to 2026-06-14T12:01:28Z",
        "gateway:IT from 2026-06-14T12:00:57Z",
        "link:25%",
        "plane:0-1 to 2026-06-14T12:00:12Z",
    ]
    satellites, gateways, links, planes = found["failures"]
    (drawn,) = satellites.pop("operators")
    assert satellites == {
        "kind": "satellite", "target": "90%", "share": 0.9, "slots": [2, 6],
        "from_utc": "2026-06-14T12:00:42Z", "to_utc": "2026-06-14T12:01:28Z",
    }  # fmt: skip
    assert drawn["count"] == round(0.9 * 1584)
    assert len(drawn["ids"]) == 1000
    assert gateways["operators"] == [{"name": "network", "count": 2, "ids": ["fano", "turin"]}]
    assert links["operators"] == [{"name": "network", "count": None, "ids": []}]
    assert planes["slots"] == [0, 0]
    assert [text.partition(": ")[2] for text in found["warnings"]] == [
        "failures[2] changes nothing: the plan has no such link",
        "failures[3] changes nothing: its time lies outside the run, which begins "
        "2026-06-14T12:00:12Z, ends 2026-06-14T12:05:12Z",
    ]
    events = run.events[run.events.kind.str.startswith("failure")]
    columns = ["slot", "kind", "subject_kind", "subject_id"]
    assert events[columns].astype(object).to_numpy().tolist() == [
        [0, "failure_begins", "link", "25%"],
        [2, "failure_begins", "satellite", "90%"],
        [3, "failure_begins", "gateway", "IT"],
        [6, "failure_ends", "satellite", "90%"],
    ]
    assert run.events.slot.is_monotonic_increasing


@pytest.mark.parametrize("slot", [4, 6, 9])
def test_explain_gives_the_reason_of_the_run(slot, tmp_path):
    system = failing(
        tmp_path,
        {"kind": "satellite", "share": 0.97, "from_utc": at(6), "to_utc": at(8)},
        {"kind": "core", "from_utc": at(8)},
    )
    access, _ = access_of(system, tmp_path)
    here = access[access.slot == slot].set_index("terminal_id")
    refused = set()
    for row, name in enumerate(PLACES):
        answer = explain_slot(system, row, slot)
        expected = here.loc[name]
        assert answer["state"] == expected.state
        assert answer["reason"] == (None if expected.state == "served" else expected.reason)
        if answer["satellite"]:
            assert answer["satellite"]["norad_id"] == expected.norad_id
            assert answer["rtt_s"] == expected.rtt_s
        refused |= {each["refused"] for each in answer["candidates"]}
    telling = {4: set(), 6: {"satellite_failed"}, 9: {"core_failed"}}[slot]
    assert telling <= refused
    assert refused & {"satellite_failed", "core_failed"} == telling


BAD = [
    ({"kind": "gateway"}, "found neither ids nor share"),
    ({"kind": "gateway", "ids": []}, "found neither ids nor share"),
    ({"kind": "gateway", "ids": ["turin"], "share": 0.1}, "found ids and share; give one"),
    ({"kind": "gateways", "ids": ["turin"]}, "kind = 'gateways' in failures.*: input should be"),
    ({"kind": "gateway", "share": 0}, "share = 0 in failures.*greater than 0"),
    ({"kind": "gateway", "share": 1.1}, "share = 1.1 in failures.*less than or equal to 1"),
    ({"kind": "gateway", "share": float("nan")}, "share = nan in failures"),
    ({"kind": "gateway", "share": True}, "share = true in failures.*should be a valid number"),
    ({"kind": "gateway", "ids": "turin"}, "expected a list in brackets"),
    ({"kind": "gateway", "ids": [""]}, "failures"),
    ({"kind": "gateway", "ids": ["x" * 201]}, "failures"),
    ({"kind": "gateway", "ids": ["turim"]}, r'failures.0.: no gateway "turim"; did you mean tur'),
    ({"kind": "satellite", "ids": [99999]}, 'no satellite "99999"'),
    ({"kind": "link", "ids": ["7"]}, 'found the link "7", expected the NORAD ids'),
    ({"kind": "country", "ids": ["de"]}, 'country "de" is unknown.*mean "DE"'),
    ({"kind": "core", "share": 0.5}, 'kind = "core" takes the names of operators as ids'),
    ({"kind": "core", "operator": "network"}, 'kind = "core" takes the names of operators'),
    ({"kind": "core", "ids": ["other"]}, 'no operator "other"; there are network'),
    ({"kind": "pop", "share": 0.5, "operator": "x"}, 'no operator "x"; there are network'),
    ({"kind": "pop", "share": 0.5, "to": 3}, 'unknown key "to" in failures.*did you mean "to_utc"'),
    ({"kind": "pop", "share": 0.5, "to_utc": 3}, "found 3, expected a time"),
    ({"kind": "pop", "share": 0.5, "to_utc": "2026-06-14T12:00:12"}, "a time without a zone"),
    (
        {"kind": "pop", "share": 0.5, "from_utc": at(2), "to_utc": at(2)},
        "to_utc must be after from_utc",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("failure", "text"), BAD)
def test_a_wrong_failure_is_refused_in_one_line(failure, text, tmp_path):
    with pytest.raises(InputError, match=text) as refusal:
        failing(tmp_path, failure)
    assert "\n" not in str(refusal.value)


def test_a_whole_operator_needs_its_name_where_there_are_several(tmp_path):
    both, *_ = two_operators(tmp_path)
    scenario = build_scenario({**both, "failures": [{"kind": "core"}]}, "two", tmp_path)
    with pytest.raises(
        InputError, match=r'failures\[0\]: kind = "core" with several operators; say'
    ):
        build_system(scenario)


def test_too_many_failures_are_refused(tmp_path):
    many = [{"kind": "gateway", "ids": ["turin"]}] * 1001
    with pytest.raises(InputError, match=r"a list of 1001: expected at most 1000 items$"):
        build_scenario(content(tmp_path) | {"failures": many}, "many", tmp_path)


def test_what_changes_nothing_is_a_warning(tmp_path):
    system = failing(
        tmp_path,
        {"kind": "gateway", "ids": ["turin"], "from_utc": at(SLOTS)},
        {"kind": "gateway", "share": 0.01},
        {"kind": "country", "ids": ["JP"]},
    )
    assert [text.partition("changes nothing: ")[2] for text in system.warnings] == [
        "its time lies outside the run, which begins 2026-06-14T12:00:12Z, ends "
        "2026-06-14T12:05:12Z",
        "share = 0.01 of what there is draws no gateway",
        "no gateway and no PoP is there",
    ]
    assert all(system.parts[0].at_slot(slot) is system.parts[0].world for slot in range(SLOTS))


@pytest.mark.parametrize(
    ("plan", "told"),
    [("none", [0, 1, 2]), ("ring", [1, 2]), ("plus-grid", [2]), ("nearest-n", [])],
)
def test_a_link_that_no_plan_has_is_a_warning(plan, told, tmp_path):
    system = failing(
        tmp_path,
        *({"kind": "link", "ids": [link]} for link in ("0-1", "0-22", "0-2")),
        isl={"plan": plan},
    )
    found = [text for text in system.warnings if "changes nothing: the plan has no such" in text]
    assert [int(text.partition("failures[")[2][0]) for text in found] == told


def test_an_instant_knows_the_failures_of_the_instant(tmp_path):
    (part,) = failing(
        tmp_path,
        {"kind": "gateway", "ids": ["turin"], "from_utc": at(2, 5.0), "to_utc": at(2, 6.0)},
    ).parts
    turin = part.world.gateways.row("turin")
    moments = [np.datetime64(at(2, s).rstrip("Z"), "ns") for s in (4.9, 5.0, 5.9, 6.0)]
    assert [bool(part.at_utc(utc).gateway_is_up[turin]) for utc in moments] == [
        True, False, False, True,
    ]  # fmt: skip
    assert part.at_utc(moments[0]) is part.world
    assert part.at_utc(moments[1]) is part.at_slot(2)


@pytest.mark.parametrize("slot_s", [1.1, 2.7, 15.0])
def test_a_window_from_boundary_to_boundary_touches_no_slot_beside(slot_s):
    """3.3 s are no three times 1.1 s in floating point."""
    for first in range(1, 26):
        begin_s, end_s = float(f"{first * slot_s:.1f}"), float(f"{(first + 2) * slot_s:.1f}")
        assert Breakage(None, begin_s, end_s).slots(slot_s) == (first, first + 2)
    assert Breakage(None, -np.inf, np.inf).slots(slot_s) == (-np.inf, np.inf)


def test_no_gateway_is_blamed_where_none_has_failed(tmp_path):
    """All links fail, and a PoP that nobody uses."""
    ring = {**FEW, "isl": {"plan": "ring"}}
    links = {"kind": "link", "share": 1.0}
    unused = {"kind": "pop", "ids": ["madrid"]}
    alone, _ = access_of(failing(tmp_path, links, **ring), tmp_path)
    both, whole = access_of(failing(tmp_path, links, unused, **ring), tmp_path)
    lost = (whole.state == "served") & (both.state == "out") & (whole.pop_id != "madrid")
    assert both.reason[lost].astype(object).equals(alone.reason[lost].astype(object))
