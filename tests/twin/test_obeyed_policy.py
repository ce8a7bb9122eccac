"""A run obeys the policy: in every slot what `decide` says, and nobody else notices."""

import random

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from tests.support.made_policy import (
    SALT,
    START_S,
    agreement,
    directive,
    disk,
    everywhere,
    licence,
    obeying,
    random_policy,
    region,
    snapshot,
    track,
)
from tests.support.small_network import COLUMNS, PLACES, access_of, assert_same_service, content

from skyweave.errors import InputError
from skyweave.policy.allow_list import MIN_GRACE_S, AllowList, Listed, kit_hash
from skyweave.policy.decision import NO_LIMIT_BPS, Rule, State, Terminal, decide
from skyweave.policy.regions import cells_at
from skyweave.policy.snapshot import Disabled, Kind, Subject, subject_hash
from skyweave.twin.explanation import explain_slot
from skyweave.twin.run import run_system
from skyweave.twin.verdicts import BORDER

SLOTS, SLOT_S = 20, 15
MOVES = {"convoy": [(0, 52.5, 12.0), (300, 52.5, 13.4)], "late": [(100, 41.9, 12.2), (200, 42, 13)]}


def fleet(folder):
    """Return the eight places, some with account, kit and class, and two terminals that move."""
    terminals = [{"id": k, "lat_deg": x, "lon_deg": y} for k, (x, y) in PLACES.items()]
    for n, each in enumerate(terminals):
        each["account"] = ["", "aid", "post"][n % 3]
        each["kit"] = f"kit-{n % 4}"
        each["service_class"] = ["standard", "lifeline", "priority"][n % 3]
    moving = [
        {"id": name, "track": track(folder, name, fixes), "account": "aid", "kit": "kit-1"}
        for name, fixes in MOVES.items()
    ]
    return [*terminals, *moving]


def tables(folder):
    return {
        name: pq.read_table(folder / f"{name}.parquet").to_pandas() for name in ("access", "events")
    }


def expected(policy, terminals, row, at_s, cell):
    asked = Terminal(
        *(str(column[row]) for column in (
            terminals.terminal_id, terminals.account, terminals.service_class, terminals.kit
        ))
    )  # fmt: skip
    return decide(policy, asked, cell, at_s)


def cells_in(system, slot):
    """Return each terminal's cell at the start of a slot, 0 where it is not known."""
    terminals, utc = system.terminals, system.grid.utc[slot : slot + 1]
    cells = cells_at(terminals.lat_deg, terminals.lon_deg)
    for row, way in terminals.tracks.items():
        place = way.at(utc)
        cells[row] = cells_at(place.lat_deg, place.lon_deg)[0]
    return cells.tolist()


def test_every_slot_has_what_the_plain_decision_says(tmp_path, full_counts):
    rng, seen, served_and_off = random.Random(7), set(), set()
    for n in range(400 if full_counts else 25):
        policy = random_policy(rng, SLOTS * SLOT_S)
        system = obeying(tmp_path, policy, terminals=fleet(tmp_path))
        verdicts = system.policy.verdicts
        for slot in range(SLOTS):
            at_s = START_S + slot * SLOT_S
            codes = verdicts.codes(slot, slot + 1)[0]
            for row, cell in enumerate(cells_in(system, slot)):
                found = verdicts.table[codes[row]]
                one = expected(policy, system.terminals, row, at_s, cell)
                if found.rule == BORDER or cell == 0:
                    continue  # of these below and in test_border_in_runs
                assert found.rule == one.rule.name.lower(), (n, slot, row)
                assert (found.state, found.reason) == (one.state, one.reason)
                assert (found.decided_by, found.entry) == (one.decided_by, one.entry)
                assert (found.max_down_bps, found.max_up_bps) == (one.max_down_bps, one.max_up_bps)
                assert found.breached == one.breached
                is_told = found.notice == "allow_list"
                assert (found.noticed_until_s if is_told else 0) == one.warned_until_s or row > 7
                seen.add(one.rule)
                served_and_off.add((row, found.reason is None))
    assert seen == set(Rule)
    assert len(served_and_off) == 2 * 10


def test_the_tables_of_a_run_are_the_decisions(tmp_path):
    rng = random.Random(11)
    for _ in range(3):
        policy = random_policy(rng, SLOTS * SLOT_S)
        system = obeying(tmp_path, policy, terminals=fleet(tmp_path))
        run = run_system(system, tmp_path / "run")
        cells = {slot: cells_in(system, slot) for slot in range(SLOTS)}
        for n, had in enumerate(run.access.itertuples()):
            row = n % 10
            assert had.terminal_id == system.terminals.terminal_id[row]
            one = expected(policy, system.terminals, row, START_S + had.slot * SLOT_S,
                           cells[had.slot][row])  # fmt: skip
            if row > 7:
                continue
            assert had.policy_state == str(one.state)
            assert one.decided_by == (had.decided_by if isinstance(had.decided_by, str) else "")
            assert one.entry == (-1 if had.log_entry is pd.NA else had.log_entry)
            for limit, kept in zip((one.max_down_bps, one.max_up_bps),
                                   (had.max_down_bps, had.max_up_bps), strict=True):  # fmt: skip
                assert limit == (NO_LIMIT_BPS if kept is pd.NA else kept)
            if one.state is State.OFF:
                assert (had.state, had.reason) == ("out", str(one.reason))
            else:
                assert had.reason not in ("cell_is_disabled", "blocked_area", "account_disabled")
    off = run.access[run.access.policy_state == "off"]
    assert len(off)
    assert off.norad_id.isna().all()
    assert off.rtt_s.isna().all()


@pytest.mark.parametrize(
    "changes",
    [
        {"assignment": {"rule": "preference-warm"}},
        {"assignment": {"rule": "preference"}, "beams": {"down": 1, "up": 1}},
        {"isl": {"plan": "plus-grid"}, "beams": {"down": 1, "up": 1}},
    ],
    ids=["remembers", "draws", "few-beams"],
)
def test_whom_the_policy_has_off_takes_nothing_from_the_others(changes, tmp_path):
    near = [
        {"id": f"berlin-{k}", "lat_deg": 52.5 + k / 40, "lon_deg": 13.4 + j / 40}
        for k in range(6) for j in (0, 1) if not k % 2 or not j
    ]  # fmt: skip
    near = [each | {"id": f"{each['id']}-{n}"} for n, each in enumerate(near)]
    changes = {**changes, "terminals": near}
    gone = [each["id"] for each in near[::2]]
    policy = snapshot(
        region("r", disk(52.5, 13.4, 3)), directive(Kind.ACTIVATE, 1, "r"),
        *(Disabled(Subject.TERMINAL, subject_hash(SALT, Subject.TERMINAL, each), f"x-{n}", 10 + n,
                   START_S, START_S + 10**6, "due") for n, each in enumerate(gone)),
    )  # fmt: skip
    obeyed, _ = access_of(obeying(tmp_path, policy, **changes), tmp_path)
    changes["terminals"] = [each for each in near if each["id"] not in gone]
    never, _ = access_of(obeying(tmp_path, None, **changes), tmp_path)
    others = obeyed[~obeyed.terminal_id.isin(gone)].reset_index(drop=True)
    assert_same_service(others, never)
    every, _ = access_of(obeying(tmp_path, None, **(changes | {"terminals": near})), tmp_path)
    kept = every[~every.terminal_id.isin(gone)].reset_index(drop=True)
    if "beams" in changes:  # with all of them there, the others had less
        assert not kept[COLUMNS].astype(object).equals(others[COLUMNS].astype(object))


def test_a_policy_that_has_everything_on_changes_nothing_but_what_it_adds(tmp_path):
    obeyed = run_system(obeying(tmp_path, everywhere()), tmp_path / "obeyed")
    free = run_system(obeying(tmp_path, None), tmp_path / "free")
    own = ["decided_by", "log_entry", "policy_state", "max_down_bps", "max_up_bps"]
    pd.testing.assert_frame_equal(obeyed.access.drop(columns=own), free.access)
    assert list(obeyed.access.columns) == [*free.access.columns, *own]
    assert set(obeyed.access.decided_by) == {"d-1"}
    assert set(obeyed.access.log_entry) == {1}
    for name in ("events.parquet", "slots.parquet", "ground.csv"):
        assert (obeyed.folder / name).read_bytes() == (free.folder / name).read_bytes()
    added = [each for each in obeyed.fleet.columns if each.startswith("policy_")]
    pd.testing.assert_frame_equal(obeyed.fleet.drop(columns=added), free.fleet)
    for run in (obeyed, free):
        run.manifest.pop("execution")
        run.manifest["files"] = None
    policy = obeyed.manifest.pop("policy")
    assert obeyed.manifest == free.manifest
    assert policy["log_origin"] == "made.example/log"
    assert policy["decisions"][0]["terminal_slots"] == 8 * SLOTS


def test_the_tables_are_the_same_bytes_for_any_number_of_workers(tmp_path):
    policy = random_policy(random.Random(4), SLOTS * SLOT_S)
    runs = [
        run_system(obeying(tmp_path, policy, terminals=fleet(tmp_path)), tmp_path / f"w{workers}",
                   workers)
        for workers in (1, 2)
    ]  # fmt: skip
    for name in ("access.parquet", "events.parquet", "fleet.csv", "slots.parquet", "ground.csv"):
        one, two = ((run.folder / name).read_bytes() for run in runs)
        assert one == two, name


def test_explain_says_in_every_slot_what_the_run_has(tmp_path):
    policy = random_policy(random.Random(19), SLOTS * SLOT_S)
    system = obeying(tmp_path, policy, terminals=fleet(tmp_path))
    run = run_system(system, tmp_path / "run")
    rows = list(run.access.itertuples())
    states = set()
    for slot in (0, 7, 13, 19):
        for row in range(10):
            had, told = rows[slot * 10 + row], explain_slot(system, row, slot)
            assert told["state"] == had.state
            assert told["reason"] == (had.reason if had.state == "out" else None)
            says = told["policy"]
            assert (says["state"] or "none") == (had.policy_state if
                    isinstance(had.policy_state, str) else "none")  # fmt: skip
            assert (says["decided_by"] or "") == (had.decided_by if
                    isinstance(had.decided_by, str) else "")  # fmt: skip
            assert says["log_entry"] == (None if had.log_entry is pd.NA else had.log_entry)
            if says["decided_by"]:
                assert f"{says['decided_by']} (log entry {says['log_entry']})" in says["text"]
            if says["state"] == "off":
                assert {each["refused"] for each in told["candidates"]} <= {says["reason"]}
            states.add((says["state"], had.state))
    assert {("off", "out"), ("on", "served")} <= states


def test_a_suspension_begins_and_ends_with_its_slot(tmp_path):
    begin, end = START_S + 3 * SLOT_S + 1, START_S + 7 * SLOT_S  # a second late: one slot later
    policy = everywhere()
    records = (*policy.regions, *policy.directives)
    suspended = directive(Kind.SUSPEND, 2, "all", begin, end)
    run = run_system(obeying(tmp_path, snapshot(*records, suspended)), tmp_path / "run")
    free = run_system(obeying(tmp_path, None), tmp_path / "free")
    off = run.access.reason == "cell_is_disabled"
    assert set(run.access.slot[off]) == {4, 5, 6}
    assert off.sum() == 3 * len(PLACES)
    columns = ["state", "norad_id", "rtt_s"]
    pd.testing.assert_frame_equal(run.access[columns][~off], free.access[columns][~off])
    starts = run.events[run.events.reason == "cell_is_disabled"]
    assert set(starts.kind) == {"outage_start", "outage_end"}
    assert set(starts[starts.kind == "outage_start"].slot) == {4}
    assert run.manifest["summary"]["outages_by_reason"]["cell_is_disabled"] == 3 * len(PLACES)


def test_a_failure_does_not_hide_that_the_policy_had_it_off(tmp_path):
    policy = snapshot(region("r", disk(52.5, 13.4, 1)), directive(Kind.ACTIVATE, 1, "r"))
    system = obeying(tmp_path, policy, without=["core:network"])
    run = run_system(system, tmp_path / "run")
    by_id = run.access.groupby("terminal_id", observed=True).reason.unique()
    assert by_id.pop("berlin").tolist() == ["core_failed"]
    assert {reason for found in by_id for reason in found} == {"cell_is_disabled"}
    assert run.fleet.set_index("terminal_id").lost_share["rome"] == 0


def test_a_lost_licence_that_breaks_an_agreement_is_told(tmp_path):
    place = region("r", disk(52.5, 13.4, 1), needs_licence=True,
                   licences=(licence(until_s=START_S + 60),))  # fmt: skip
    policy = snapshot(place, agreement(1, "r"))
    system = obeying(tmp_path, policy)
    run = run_system(system, tmp_path / "run")
    berlin = run.access[run.access.terminal_id == "berlin"]
    assert berlin.policy_state.tolist() == ["on"] * 4 + ["off"] * 16
    broken = [each for each in run.manifest["policy"]["decisions"] if each["breached"]]
    assert broken == [
        {"state": "off", "rule": "unlicensed", "reason": "blocked_country", "decided_by": None,
         "log_entry": None, "breached": "a-1", "terminal_slots": 16, "terminals": 1}
    ]  # fmt: skip
    assert "breaks agreement a-1" in explain_slot(system, 0, 9)["policy"]["text"]


def test_rows_of_changes_have_every_change_of_the_policy(tmp_path):
    policy = random_policy(random.Random(23), SLOTS * SLOT_S)
    changes = {"terminals": fleet(tmp_path)}
    whole = run_system(obeying(tmp_path, policy, **changes), tmp_path / "all")
    short = run_system(
        obeying(tmp_path, policy, **changes, results={"access": "changes"}), tmp_path / "changes"
    )
    keys = ["slot", "terminal_id"]
    held = ["decided_by", "log_entry", "policy_state", "max_down_bps", "max_up_bps", "state"]
    every = whole.access[keys].astype({"terminal_id": str})
    kept = short.access.astype({"terminal_id": str})
    assert len(kept) < len(every)
    filled = pd.merge_asof(every, kept, on="slot", by="terminal_id")
    pd.testing.assert_frame_equal(
        filled[held].astype(object), whole.access[held].astype(object), check_exact=True
    )


def test_what_no_terminal_may_see_costs_no_more_than_its_own_columns(tmp_path):
    """Two systems of one policy, of which one has another operator's terminals between."""
    policy = random_policy(random.Random(5), SLOTS * SLOT_S)
    system = obeying(tmp_path, policy, terminals=fleet(tmp_path))
    rows = np.array([9, 2, 8, 0])
    taken = system.policy.verdicts.take(rows)
    np.testing.assert_array_equal(
        taken.codes(0, SLOTS), system.policy.verdicts.codes(0, SLOTS)[:, rows]
    )


def test_a_scenario_without_a_policy_says_nothing_of_one(tmp_path):
    run = run_system(obeying(tmp_path, None), tmp_path / "run")
    assert "policy" not in run.manifest
    assert "policy" not in run.manifest["scenario"]
    assert all("kit" not in each for each in run.manifest["scenario"]["terminals"])
    assert not [name for name in run.fleet.columns if "policy" in name]
    assert "decided_by" not in run.access
    assert "policy" not in explain_slot(obeying(tmp_path, None), 0, 0)
    assert content(tmp_path)  # the same scenario otherwise


def test_kits_are_warned_when_they_leave_a_list_and_off_only_after_the_grace(tmp_path):
    at_s = [START_S + slot * SLOT_S for slot in range(SLOTS)]
    began_s = START_S - 10 * MIN_GRACE_S
    spans = {
        "new": (at_s[8], None), "leaves": (began_s, at_s[6]), "listed": (began_s, None),
        "gone": (began_s, at_s[10] - MIN_GRACE_S),
    }  # fmt: skip
    kits = [
        Listed(kit_hash(SALT, name), "standard", "fund", begin, end)
        for name, (begin, end) in spans.items()
    ]
    listing = AllowList(
        "r", "l-2", 2, SALT, at_s[8] - MIN_GRACE_S, START_S + 10**6,
        tuple(sorted(kits, key=lambda kit: kit.kit_hash)),
    )  # fmt: skip
    policy = snapshot(region("r", disk(52.5, 13.4, 2)), directive(Kind.ACTIVATE, 1, "r"), listing)
    terminals = [
        {"id": name, "kit": name, "lat_deg": 52.5, "lon_deg": 13.4} for name in (*spans, "never")
    ]
    run = run_system(obeying(tmp_path, policy, terminals=terminals), tmp_path / "run")
    off = run.access[run.access.policy_state == "off"]
    assert set(off.reason) == {"roam_restricted"}
    assert set(off.decided_by) == {"l-2"}
    slots_off = {
        name: found.slot.tolist() for name, found in off.groupby("terminal_id", observed=True)
    }
    assert slots_off == {"gone": list(range(10, SLOTS)), "never": list(range(8, SLOTS))}
    warned = run.events[run.events.kind == "policy_warning"]
    assert set(warned.after) == {"allow_list"}
    assert dict(zip(warned.subject_id, warned.slot, strict=True)) == {
        "new": 0, "gone": 0, "never": 0, "leaves": 6,
    }  # fmt: skip


def test_no_file_of_a_run_holds_a_kit(tmp_path):
    terminals = [{"id": "berlin", "kit": "KIT-SECRET-7", "lat_deg": 52.5, "lon_deg": 13.4}]
    run = run_system(obeying(tmp_path, everywhere(), terminals=terminals), tmp_path / "run")
    for path in run.folder.iterdir():
        assert b"KIT-SECRET-7" not in path.read_bytes(), path.name
    with pytest.raises(InputError, match=r"terminals\[0\].kit: expected") as refused:
        obeying(tmp_path, None, terminals=[terminals[0] | {"kit": "KIT SECRET"}])
    assert "SECRET" not in str(refused.value)
