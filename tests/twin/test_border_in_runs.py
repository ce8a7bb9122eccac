"""A moving terminal at the border of where it is served: warned, then less, then off, in runs."""

import math
import random
from dataclasses import replace
from itertools import pairwise

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest
from tests.support.made_policy import (
    START_S,
    agreement,
    directive,
    disk,
    licence,
    obeying,
    random_policy,
    region,
    snapshot,
    track,
)

from skyweave.frames import great_circle_m
from skyweave.policy.border import Border, BorderRules, BorderState, Level, step
from skyweave.policy.decision import LIFELINE_BPS, NO_LIMIT_BPS, Rule, Terminal, decide
from skyweave.policy.regions import cells_at
from skyweave.policy.snapshot import Kind
from skyweave.twin.explanation import explain_slot
from skyweave.twin.run import run_system

GRACE_BPS = BorderRules().grace_bps
SLOT_S = 15
HOUR_S = 3600
AREA = disk(52.5, 13.4, 5)
OPEN = directive(Kind.ACTIVATE, 1, "r")
OUT = [(0, 52.5, 13.4), (3 * HOUR_S, 52.5, 17.4)]  # 25 m/s to the east, out of the area


def leaving(folder, *records, fixes=OUT, hours=3.0, **changed):
    """Return the system of one terminal under a policy; the area is region r."""
    place = region("r", AREA, **changed)
    return moving(folder, snapshot(place, *records), fixes, hours)


def moving(folder, policy, fixes=OUT, hours=3.0, **terminal):
    convoy = {"id": "convoy", "track": track(folder, "way", fixes)} | terminal
    span = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": hours * HOUR_S}
    return obeying(folder, policy, terminals=[convoy], time=span)


def verdicts(system):
    found = system.policy.verdicts
    return [found.table[code] for code in found.codes(0, system.slots)[:, 0]]


def inside(system, area=AREA):
    """Return in which slots the terminal starts within an area."""
    place = system.terminals.tracks[0].at(system.grid.utc[:-1])
    return np.isin(cells_at(place.lat_deg, place.lon_deg), area)


def runs_of(values):
    """Return the values without repeats in a row, and how often each stands there."""
    found = []
    for value in values:
        if found and found[-1][0] == value:
            found[-1][1] += 1
        else:
            found.append([value, 1])
    return [(value, count) for value, count in found]


def test_who_leaves_is_warned_then_restricted_then_off_with_a_reason(tmp_path):
    system = leaving(tmp_path, OPEN)
    found, within = verdicts(system), inside(system)
    told = runs_of(
        (str(each.notice), None if each.state is None else str(each.state)) for each in found
    )
    assert [each for each, _ in told] == [
        ("", "on"), ("border_margin", "on"), ("border_grace", "restricted"), ("", "off"),
    ]  # fmt: skip
    assert told[1][1] >= 10  # slots of warning with full service
    beyond = [each for each, is_in in zip(found, within, strict=True) if not is_in]
    grace = [each for each in beyond if each.state == "restricted"]
    assert len(grace) - 1 in (1800 / SLOT_S, 1800 / SLOT_S - 1)  # the first may be inside yet
    assert {(each.max_down_bps, each.max_up_bps) for each in grace} == {(GRACE_BPS,) * 2}
    assert {str(each.reason) for each in found[-100:]} == {"roam_restricted"}
    assert grace[0].decided_by == "d-1"
    assert found[-1].decided_by == ""


def test_where_the_licence_allows_it_a_lifeline_follows_the_grace(tmp_path):
    allows = (licence(allows_lifeline_beyond=True),)
    found = verdicts(leaving(tmp_path, OPEN, needs_licence=True, licences=allows))
    assert found[-1].notice == "border_lifeline"
    assert (found[-1].max_down_bps, found[-1].max_up_bps) == (LIFELINE_BPS,) * 2
    never = (licence(allows_lifeline_beyond=False),)
    assert verdicts(leaving(tmp_path, OPEN, needs_licence=True, licences=never))[-1].state == "off"
    over = (licence(allows_lifeline_beyond=True, until_s=START_S + 2 * HOUR_S), licence())
    late = verdicts(leaving(tmp_path, OPEN, needs_licence=True, licences=over))
    assert late[-1].state == "off"


def test_nobody_is_served_beyond_who_was_not_served_within(tmp_path):
    system = leaving(tmp_path, OPEN, fixes=[(0, 52.5, 16.0), (3 * HOUR_S, 52.5, 17.0)])
    assert {(each.state, each.rule) for each in verdicts(system)} == {("off", "closed")}


@pytest.mark.parametrize("kind", [Kind.SUSPEND, Kind.EXCLUDE])
def test_a_suspension_or_exclusion_is_not_softened_by_the_border(kind, tmp_path):
    centre = int(h3_cells.latlng_to_cell(52.5, 13.4, 5))
    strip = np.array(
        [c for c in AREA.tolist() if h3_cells.grid_distance(c, centre) >= 4], np.uint64
    )
    policy = snapshot(region("r", AREA), region("strip", strip), OPEN, directive(kind, 2, "strip"))
    system = moving(tmp_path, policy)
    found, in_strip, within = verdicts(system), inside(system, strip), inside(system)
    rule = {Kind.SUSPEND: "suspended", Kind.EXCLUDE: "excluded"}[kind]
    assert {each.rule for each, here in zip(found, in_strip, strict=True) if here} == {rule}
    assert {each.state for each, here in zip(found, in_strip, strict=True) if here} == {"off"}
    # Nor does it get service back by going on into what nobody switched on.
    assert {each.rule for each, is_in in zip(found, within, strict=True) if not is_in} == {"closed"}


def test_the_end_of_an_activation_ends_service_beyond_its_border_too(tmp_path):
    end_slot = 280  # 19 minutes into the grace
    end_s = START_S + end_slot * SLOT_S
    system = leaving(tmp_path, directive(Kind.ACTIVATE, 1, "r", until_s=end_s))
    found = verdicts(system)
    last = [n for n, each in enumerate(found) if each.state != "off"][-1]
    assert found[last].notice == "border_grace"
    assert last == end_slot - 1
    assert found[last + 1].rule == "closed"


def test_an_agreement_holds_up_to_the_last_of_its_cells(tmp_path):
    policy = snapshot(region("r", AREA), OPEN, agreement(2, "r", terminals=["convoy"]))
    system = moving(tmp_path, policy)
    found, within = verdicts(system), inside(system)
    covered = [each for each, is_in in zip(found, within, strict=True) if is_in]
    assert {each.rule for each in covered} == {"guaranteed"}
    assert {each.max_down_bps for each in covered} == {NO_LIMIT_BPS}
    assert {str(each.notice) for each in covered} == {"", "border_margin"}
    grace = [each for each in found if each.notice == "border_grace"]
    assert {each.decided_by for each in grace} == {"a-2"}


def test_who_is_restricted_within_gets_no_more_beyond(tmp_path):
    slow = directive(Kind.RESTRICT, 2, "r", max_down_bps=200_000, max_up_bps=None)
    found = verdicts(leaving(tmp_path, OPEN, slow))
    assert (found[0].rule, found[0].notice) == ("restricted", "")
    grace = {
        (each.max_down_bps, each.max_up_bps) for each in found if each.notice == "border_grace"
    }
    assert grace == {(200_000, GRACE_BPS)}


def test_who_comes_back_is_served_again_after_a_calm_while(tmp_path):
    there_and_back = [(0, 52.5, 13.4), (HOUR_S, 52.5, 14.8), (2 * HOUR_S, 52.5, 13.4)]
    system = leaving(tmp_path, OPEN, fixes=there_and_back, hours=2.0)
    found = verdicts(system)
    assert [state for state, _ in runs_of(str(each.state) for each in found)] == [
        "on", "restricted", "on",
    ]  # fmt: skip
    assert found[-1].notice == ""


def test_it_is_told_in_the_events_and_the_report_of_its_run(tmp_path):
    run = run_system(leaving(tmp_path, OPEN, hours=1.5), tmp_path / "run")
    warned = run.events[run.events.kind == "policy_warning"]
    assert warned.after.tolist() == ["border_margin", "border_grace"]
    assert set(warned.subject_id) == {"convoy"}
    assert set(warned.reason) == {"roam_restricted"}
    cut = run.events[(run.events.kind == "outage_start") & (run.events.reason == "roam_restricted")]
    assert len(cut) == 1
    assert warned.time_utc.iloc[0] < warned.time_utc.iloc[1] < cut.time_utc.iloc[0]
    assert (cut.time_utc.iloc[0] - warned.time_utc.iloc[1]).total_seconds() >= 1800
    site = run.fleet.iloc[0]
    assert 0 < site.policy_off_share < site.policy_restricted_share < site.policy_on_share < 1
    assert site.policy_on_share + site.policy_restricted_share + site.policy_off_share == (
        pytest.approx(1.0, abs=1e-5)
    )


def test_explain_has_the_state_of_the_border_that_the_run_has(tmp_path):
    system = leaving(tmp_path, OPEN, hours=1.5)
    for slot, notice in ((0, None), (200, "border_margin"), (300, "border_grace")):
        told = explain_slot(system, 0, slot)["policy"]
        assert told["warning"] == notice, slot
    assert "d-1 (log entry 1)" in told["text"]
    assert told["warning_until_utc"] in told["text"]
    last = explain_slot(system, 0, system.slots - 1)["policy"]
    assert (last["state"], last["reason"], last["rule"]) == ("off", "roam_restricted", "border")


def plain_walk(system, policy):
    """Return levels and cell decisions, slot by slot: the whole area, no epochs, nothing kept."""
    way, utc, rules = system.terminals.tracks[0], system.grid.utc, BorderRules()
    who = Terminal("convoy", "aid", "standard", "kit-1")
    place, state, home, found = way.at(utc), None, 0, []
    serves = (Kind.ACTIVATE, Kind.RESUME, Kind.EMERGENCY_ACTIVATE)
    for slot in range(system.slots):
        at_s = START_S + slot * SLOT_S
        here = float(place.lat_deg[slot]), float(place.lon_deg[slot])
        cell = int(cells_at(*([x] for x in here))[0])
        one = decide(policy, who, cell, at_s)
        opens = (Rule.ACTIVE, Rule.RESTRICTED, Rule.GUARANTEED)
        if one.rule in opens:
            state, home = state or BorderState(), cell
        elif one.rule is not Rule.CLOSED or decide(policy, who, home, at_s).rule not in opens:
            state = None
        if state is not None:
            regions = {
                d.region_id
                for d in policy.directives
                if d.kind in serves and d.from_s <= at_s < (d.until_s or math.inf)
            }
            for a in policy.agreements:
                own = replace(a, region_ids=("everything",), exceptions=())
                alone = snapshot(region("everything", AREA), own)
                if decide(alone, who, int(AREA[0]), at_s).rule is Rule.GUARANTEED:
                    regions |= set(a.region_ids)
            cells = [policy.region_by_id[each].cells for each in regions]
            end = float(place.lat_deg[slot + 1]), float(place.lon_deg[slot + 1])
            left = [r for r in policy.regions if r.has_cell(home)]
            lifeline = any(each.allows_lifeline_beyond and each.is_valid(at_s)
                           for r in left for each in r.licences)  # fmt: skip
            mine = rules if lifeline else replace(rules, lifeline_s=0.0)
            border = Border(np.unique(np.concatenate(cells)), rules)
            reading = border.read(at_s, *here, float(great_circle_m(*here, *end)))
            state = step(state, reading, mine)
        found.append((one, None if state is None else state.level))
    return found


def test_the_borders_of_a_run_are_those_of_the_plain_walk(tmp_path, full_counts):
    rng, levels = random.Random(3), set()
    for n in range(150 if full_counts else 8):
        policy = random_policy(rng, 1500)
        if n % 2:  # else there is seldom anything to leave
            policy = replace(
                policy,
                regions=(*policy.regions, region("area", AREA)),
                directives=(
                    *policy.directives,
                    replace(OPEN, region_id="area", directive_id="area"),
                ),
            )
        near = [(0, 52.5, 13.0), (900, 52.5 + rng.uniform(-0.3, 0.3), 13.4 + rng.uniform(0, 1)),
                (1500, 52.5, 13.0)]  # fmt: skip
        system = moving(tmp_path, policy, near, hours=1500 / HOUR_S, account="aid", kit="kit-1")
        found = verdicts(system)
        for slot, (one, level) in enumerate(plain_walk(system, policy)):
            had = found[slot]
            levels.add(level)
            if level in (None, Level.INSIDE) or one.rule is Rule.GUARANTEED:
                assert (had.rule, had.state) == (one.rule.name.lower(), one.state), (n, slot)
            elif level is Level.WARNED:
                assert (had.rule, had.notice) == (one.rule.name.lower(), "border_margin"), (n, slot)
            else:
                assert had.rule == "border", (n, slot)
                limit = BorderRules().limit_bps(level)
                assert max(had.max_down_bps, had.max_up_bps) <= limit
                assert (had.state == "off") == (level is Level.OFF)
    assert levels >= {None, Level.INSIDE, Level.WARNED, Level.GRACE}


def test_no_one_is_cut_at_a_border_unwarned_nor_at_full_rate_beyond(tmp_path, full_counts):
    rng = random.Random(9)
    for n in range(300 if full_counts else 12):
        turns = sorted(rng.sample(range(60, 4 * HOUR_S), 6))
        fixes = [(0, 52.5, 13.4)] + [
            (t_s, 52.5 + rng.uniform(-0.9, 0.9), 13.4 + rng.uniform(-1.5, 1.5)) for t_s in turns
        ]
        system = leaving(tmp_path, OPEN, fixes=fixes, hours=4.0)
        found, within = verdicts(system), inside(system)
        place = system.terminals.tracks[0].at(system.grid.utc[:-1])
        for slot, each in enumerate(found):
            if math.isnan(place.lat_deg[slot]):
                assert each.rule == "no_place"
            elif not within[slot] and each.state != "off":
                assert max(each.max_down_bps, each.max_up_bps) <= GRACE_BPS, (n, slot)
        off = [each.reason == "roam_restricted" for each in found]
        cuts = [k for k in range(1, len(found)) if off[k] and found[k - 1].state != "off"]
        for k in cuts:
            assert {each.notice for each in found[k - 1800 // SLOT_S : k]} == {"border_grace"}, n
        assert all(b - a >= 600 / SLOT_S for a, b in pairwise(cuts))
