"""Attacks on the last step: the snapshot, the cell's decision, the border."""

import dataclasses
import json
from dataclasses import replace

import h3.api.numpy_int as h3_cells
import numpy as np
from tests.control.attacks.catalogue import Row, attack, weakened, without

from skyweave.policy.allow_list import MIN_REMOVAL_NOTICE_S, AllowList, with_kit, without_kit
from skyweave.policy.border import Border, BorderRules, BorderState, Level, Reading, Zone, step
from skyweave.policy.decision import LIFELINE_BPS, Rule, State, Terminal, decide
from skyweave.policy.snapshot import (
    Agreement,
    Directive,
    Kind,
    Licence,
    LicenceStatus,
    PolicyRegion,
    Snapshot,
    Subject,
    snapshot_from_json,
    snapshot_to_json,
    subject_hash,
)

SALT = "5a" * 16
NOW_S = 1_800_000_000
HOUR_S, DAY_S = 3600, 86_400
# Invented: somewhere in the middle of an ocean.
CENTRE = h3_cells.latlng_to_cell(31.0, -41.0, 5)
CELLS = np.unique(h3_cells.grid_disk(CENTRE, 1)).astype(np.uint64)
HERE = int(CENTRE)
CLINIC = Terminal("clinic", "aid", "standard", "kit-7")
LIFELINE = replace(CLINIC, terminal_id="beacon", service_class="lifeline")

VALID = Licence("A", "act 1", LicenceStatus.VALID, 0)
PORT = PolicyRegion("port-amity@1", 1, "sha256:r", CELLS, licences=(VALID,))
ON = Directive("on", Kind.ACTIVATE, PORT.region_id, 1, NOW_S - DAY_S, None, "agreed")
CUT = Directive("cut", Kind.SUSPEND, PORT.region_id, 3, NOW_S - 60, NOW_S + DAY_S, "asked")
GUARANTEE = Agreement("a-17", 2, (PORT.region_id,), NOW_S - DAY_S, NOW_S + 30 * DAY_S)
POLICY = Snapshot(
    1, "example.org/log", 4, "root", 1, NOW_S, SALT, (PORT,), (ON,)
)  # fmt: skip


def policy(*directives, **changed):
    return replace(POLICY, directives=(ON, *directives), **changed)


def is_off(snapshot, terminal=CLINIC, at_s=NOW_S):
    return decide(snapshot, terminal, HERE, at_s).state is State.OFF


def edited(snapshot, **fields):
    """A snapshot's file with other words in it, as an editor would write them."""
    content = json.loads(snapshot_to_json(snapshot))
    content |= fields
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def plain(directive):
    return dataclasses.asdict(directive)


@attack(Row.EDITED_FILES, without("policy.snapshot._check_span"))
def test_a_cut_is_written_into_the_snapshot_that_stands_in_no_log(folder):
    """A file on the operator's own machine would be enough to switch a clinic off."""
    unlogged = replace(CUT, entry=POLICY.log_size)
    snapshot = snapshot_from_json(edited(policy(), directives=[plain(ON), plain(unlogged)]))
    return is_off(snapshot)


@attack(Row.FREEZE, without("policy.snapshot._check_directive"))
def test_a_cut_without_an_end_is_written_into_the_snapshot(folder):
    """A place would stay dark for good because nobody is left to switch it on again."""
    endless = replace(CUT, until_s=None)
    snapshot = snapshot_from_json(edited(policy(), directives=[plain(ON), plain(endless)]))
    return is_off(snapshot, at_s=NOW_S + 3650 * DAY_S)


@attack(Row.FREEZE, weakened("policy.decision.holds", lambda _, each, at_s: each.from_s <= at_s))
def test_updates_are_withheld_so_that_a_suspension_outlives_its_day(folder):
    """Cutting the line to the control plane would turn two days without service into months."""
    return is_off(policy(CUT), at_s=CUT.until_s + 60 * DAY_S)


@attack(Row.FREEZE, without("policy.decision._Here.guarantee"))
def test_updates_are_withheld_so_that_a_guarantee_dies(folder):
    """A hospital would lose its agreed service because a computer elsewhere stood still."""
    return is_off(policy(CUT, agreements=(GUARANTEE,)), at_s=NOW_S + HOUR_S)


@attack(
    Row.GUARANTEE,
    weakened("policy.decision._is_waived", lambda original, a, d: d.kind is Kind.SUSPEND),
)
def test_a_suspension_is_laid_over_a_guaranteed_place(folder):
    """He could wake up one morning and decide to stop; the agreement would be paper."""
    return is_off(policy(CUT, agreements=(GUARANTEE,)))


@attack(
    Row.GUARANTEE,
    weakened("policy.decision._is_waived", lambda original, a, d: d.exception != ""),
)
def test_an_exception_is_invoked_that_the_parties_never_granted(folder):
    """Any word, written into an order, would undo what the parties signed."""
    order = replace(CUT, exception="safety of flight")
    return is_off(policy(order, agreements=(GUARANTEE,)))


@attack(
    Row.GUARANTEE,
    weakened(
        "policy.decision._is_waived", lambda original, a, d: d.kind is Kind.LIFT_GUARANTEE
    ),
)  # fmt: skip
def test_the_lifting_of_one_agreement_is_used_against_another(folder):
    """One sponsor that lets go would take the other's hospital with it."""
    other = replace(GUARANTEE, agreement_id="b-2")
    lift = replace(CUT, directive_id="lift", kind=Kind.LIFT_GUARANTEE, agreement_id="b-2", entry=2)
    snapshot = policy(lift, CUT, agreements=(GUARANTEE, other))
    return is_off(snapshot)


@attack(
    Row.GUARANTEE,
    weakened(
        "policy.decision._guaranteed",
        lambda original, agreement, restriction: original(
            replace(agreement, floor=type(agreement.floor)()), restriction
        ),
    ),
)
def test_a_guarantee_is_kept_in_name_and_throttled_to_nothing(folder):
    """The line would count as on, and be too slow to send an X-ray."""
    floor = replace(GUARANTEE.floor, down_bps=50_000_000)
    trickle = replace(CUT, kind=Kind.RESTRICT, max_down_bps=1)
    found = policy(trickle, agreements=(replace(GUARANTEE, floor=floor),))
    return decide(found, CLINIC, HERE, NOW_S).max_down_bps < floor.down_bps


@attack(
    Row.ONE_HAND,
    weakened("policy.decision._lifeline", lambda _, *cut: decide(policy(), CLINIC, 0, NOW_S)),
)
def test_a_suspension_takes_the_lifeline_too(folder):
    """A ship in distress could not send a line of text."""
    found = decide(policy(CUT), LIFELINE, HERE, NOW_S)
    return found.max_up_bps < LIFELINE_BPS


def licensed_only(kind):
    """The rule as it would be read by whoever wants the place off: any region without one."""
    return weakened(
        f"policy.decision.{kind}",
        lambda _, self: not all(r.may_serve(self.at_s) for r in self.regions.values()),
    )


@attack(Row.LICENCE, licensed_only("_Here.is_unlicensed"))
def test_a_second_region_with_a_short_licence_is_drawn_over_the_first(folder):
    """A licence that runs out by itself would switch off a place that has another one."""
    short = replace(VALID, until_s=NOW_S - 60)
    over = PolicyRegion("over@1", 1, "sha256:o", CELLS, licences=(short,))
    return is_off(policy(regions=(PORT, over)))


@attack(
    Row.LICENCE,
    weakened("policy.snapshot.PolicyRegion.is_licensed",
             lambda _, self, at_s: all(each.is_valid(at_s) for each in self.licences)),
)  # fmt: skip
def test_another_administration_records_its_own_void_licence_for_the_region(folder):
    """Where a border is disputed, the neighbour could switch the region off by a form."""
    void = replace(VALID, administration="B", status=LicenceStatus.VOID)
    disputed = replace(PORT, licences=(VALID, void))
    return is_off(policy(regions=(disputed,)))


@attack(
    Row.MOVED_LINE,
    weakened("policy.snapshot.PolicyRegion.has_cell", lambda _, self, cell: cell != 0),
)
def test_a_cut_next_door_reaches_over_the_line(folder):
    """Those who live beside a suspended region would be cut off with it."""
    beyond = np.setdiff1d(h3_cells.grid_disk(CENTRE, 3).astype(np.uint64), CELLS)
    next_door = PolicyRegion("next@1", 1, "sha256:n", beyond, needs_licence=False)
    cut = replace(CUT, region_id="next@1")
    return is_off(policy(cut, regions=(PORT, next_door)))


@attack(
    Row.EMERGENCY,
    weakened("policy.decision.holds", lambda _, each, at_s: each.from_s <= at_s),
)
def test_an_emergency_activation_is_kept_running_as_if_it_were_agreed(folder):
    """A rescue's three days would become a service that nobody ever approved."""
    rescue = replace(ON, kind=Kind.EMERGENCY_ACTIVATE, until_s=NOW_S)
    snapshot = replace(POLICY, directives=(rescue,))
    return not is_off(snapshot, at_s=NOW_S + DAY_S)


# The border

RULES = BorderRules(lifeline_s=0.0)
AREA = Border(np.unique(h3_cells.grid_disk(CENTRE, 4)).astype(np.uint64), RULES)
INSIDE_DEG = h3_cells.cell_to_latlng(CENTRE)
FAR_DEG = 33.5, INSIDE_DEG[1]


def was_cut(readings):
    state = BorderState()
    for reading in readings:
        state = step(state, reading, RULES)
        if state.level is Level.OFF:
            return True
    return False


@attack(Row.SPOOFED_PLACE, without("policy.border.Streak.is_consistent", True))
def test_one_forged_fix_now_and_then_says_the_ship_is_far_beyond(folder):
    """A transmitter on a hill could cut off every ship in sight of it."""
    vague, forged = (*INSIDE_DEG, 90_000.0), (*FAR_DEG, 100.0)
    fixes = (vague if n % 3 else forged for n in range(400))
    return was_cut(AREA.read(15.0 * n, *fix) for n, fix in enumerate(fixes))


def read_wrongly(original, self, depths):
    return Zone.BEYOND if 0 in depths else original(self, depths)


@attack(Row.SPOOFED_PLACE, weakened("policy.border.Border._zone", read_wrongly))
def test_fixes_are_made_so_bad_that_they_reach_over_the_border(folder):
    """Who stands inside would be cut off for a position that nobody knows."""
    vague = (AREA.read(15.0 * n, *INSIDE_DEG, 90_000.0) for n in range(400))
    return was_cut(vague)


@attack(
    Row.SPOOFED_PLACE,
    weakened(
        "policy.border.Border.read",
        lambda original, self, at_s, lat, lon, radius: (
            Reading(at_s, Zone.BEYOND, 0) if lat != lat else original(self, at_s, lat, lon, radius)
        ),
    ),
)
def test_navigation_is_jammed_until_there_is_no_position_at_all(folder):
    """A jammer would switch off the very people it is aimed at."""
    return was_cut(AREA.read(15.0 * n, float("nan"), float("nan"), 100.0) for n in range(400))


# Who can be found by what is published


def guessed(record, names, salt):
    """What an outsider can do: hash every name there could be."""
    return any(subject_hash(salt, Subject.TERMINAL, name) in record for name in names)


@attack(
    Row.UNMASKING,
    weakened("policy.snapshot.salted_hash", lambda original, salt: original("00")),
)
def test_every_terminal_number_there_is_is_tried_against_an_agreement(folder):
    """A unit that is named in a guarantee could be told by its serial number."""
    hashed = subject_hash(SALT, Subject.TERMINAL, "ut-0007")
    guaranteed = replace(GUARANTEE, terminal_hashes=(hashed,))
    return guessed(guaranteed.terminal_hashes, [f"ut-{n:04d}" for n in range(100)], "ab" * 16)


@attack(
    Row.UNMASKING,
    weakened("policy.snapshot.subject_text", lambda original, subject, name: name),
)
def test_an_account_is_told_by_a_terminal_of_the_same_name(folder):
    """Being the customer and owning the dish are two things; one would give the other away."""
    one = subject_hash(SALT, Subject.TERMINAL, "relief-9")
    return one == subject_hash(SALT, Subject.ACCOUNT, "relief-9")


@attack(Row.ONE_HAND, without("policy.allow_list.AllowList.grace_until_s", 0))
def test_a_kit_is_struck_from_the_list_and_goes_dark_at_once(folder):
    """Somebody would learn from silence that a clerk took their dish off a list."""
    listed = AllowList(PORT.region_id, "list", 2, "7c" * 16, NOW_S - 90 * DAY_S, NOW_S + 90 * DAY_S)
    listed = with_kit(listed, "kit-7", "standard", "aid", NOW_S - 80 * DAY_S)
    told_s = NOW_S - MIN_REMOVAL_NOTICE_S
    struck = without_kit(listed, "kit-7", told_s, NOW_S, "unpaid", "ombudsman")
    return decide(policy(allow_lists=(struck,)), CLINIC, HERE, NOW_S + 60).rule is Rule.NOT_LISTED
