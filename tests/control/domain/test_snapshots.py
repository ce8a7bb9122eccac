"""What crosses to the twin: every directive with the span in which it really is."""

import numpy as np
import pytest
from tests.support.made_charter import NOON_S, ORIGIN, SALT, MadeLog, made_licence, made_region

from skyweave.control.domain import snapshots
from skyweave.control.domain.allow_lists import encode_allow_list, is_fair_change, parse_allow_list
from skyweave.control.domain.documents import DAY_S, Lift, Listing, digest_of
from skyweave.control.domain.snapshots import snapshot_of, unseen
from skyweave.errors import InputError
from skyweave.policy.allow_list import AllowList, Listed
from skyweave.policy.decision import Rule, Terminal, decide
from skyweave.policy.snapshot import snapshot_from_json, snapshot_to_json

TERMINAL = Terminal("t-1", "account-1", "standard")
CELL = int(made_region("made", 0, 0).cells[0])


@pytest.fixture
def log():
    log = MadeLog()
    log.amity = log.region()
    return log


def taken(log, now_s=None, private=None):
    return snapshot_of(
        log.authority(now_s), log_origin=ORIGIN, log_root="ab" * 32, salt=SALT,
        private=private or {},
    )  # fmt: skip


def rule(snapshot, at_s, cell=CELL):
    return decide(snapshot, TERMINAL, cell, at_s).rule


def test_a_snapshot_says_which_state_of_which_log_it_is(log):
    log.decide("activate", log.amity)
    snapshot = taken(log)
    assert (snapshot.log_origin, snapshot.log_root) == (ORIGIN, "ab" * 32)
    assert snapshot.log_size == snapshot.version == len(log.signed)
    assert (snapshot.charter_version, snapshot.taken_at_s) == (1, log.now_s)
    (region,) = snapshot.regions
    geometry = made_region("made", 0, 0)
    assert (region.region_id, region.digest) == ("port-amity@1", geometry.digest_of_region)
    np.testing.assert_array_equal(region.cells, geometry.cells)
    again = snapshot_from_json(snapshot_to_json(snapshot))
    assert again.digest == snapshot.digest


def test_the_past_and_the_scheduled_can_be_asked_of_one_snapshot(log):
    on = log.decide("activate", log.amity)
    off = log.decide("suspend", log.amity)
    state = log.authority().directives
    on_s = state[on.directive.directive_id].from_s
    off_s = state[off.directive.directive_id].from_s
    end_s = off.directive.until_s
    snapshot = taken(log)
    times_s = [on_s - 1, on_s, off_s - 1, off_s, end_s - 1, end_s]
    expected = [Rule.CLOSED, Rule.ACTIVE, Rule.ACTIVE, Rule.SUSPENDED, Rule.SUSPENDED, Rule.ACTIVE]
    assert [rule(snapshot, at_s) for at_s in times_s] == expected
    assert taken(log, end_s).directives == snapshot.directives


def test_a_decision_names_the_entry_that_approved_it(log):
    proposal = log.propose("activate", log.amity)
    last = log.approve(proposal, *log.voters("activate"))
    log.witness()
    answer = decide(taken(log), TERMINAL, CELL, log.now_s)
    assert (answer.decided_by, answer.entry) == (proposal.directive.directive_id, last)


def test_what_nobody_witnessed_or_approved_is_in_no_snapshot(log):
    log.propose("activate", log.amity)
    log.decide("decided_not_to")
    log.decide("suspend", log.amity, witness=False)
    assert taken(log).directives == ()
    assert taken(log).regions == ()


def test_a_suspension_lifted_early_ends_then_and_one_lifted_before_it_began_never_was(log):
    began = log.decide("suspend", log.amity, "began")
    log.wait(4 * DAY_S)
    never = log.decide("suspend", log.amity, "never")
    lifted_s = log.now_s
    for proposal in (began, never):
        name = proposal.directive.directive_id
        log.append(Lift(directive_id=name, reason="over"), "tidewire-1")
    (directive,) = taken(log).directives
    assert (directive.directive_id, directive.until_s) == ("began", lifted_s)


def test_an_activation_superseded_in_its_first_second_was_never_on(log):
    first = log.propose("activate", log.amity, "first", from_s=NOON_S + DAY_S)
    log.approve(first, *log.voters("activate"))
    second = log.propose("activate", log.amity, "second", from_s=NOON_S + DAY_S,
                         supersedes="first")  # fmt: skip
    log.approve(second, *log.voters("activate"))
    log.witness()
    names = [each.directive_id for each in taken(log, NOON_S + 2 * DAY_S).directives]
    assert names == ["second"]


def test_every_field_that_a_cell_decision_reads_crosses(log):
    log.agreement(log.amity, exceptions=("storm",), terminal_hashes=("0" * 64,),
                  account_hashes=("1" * 64,))  # fmt: skip
    log.decide("restrict", log.amity, exception="storm", max_down_bps=7, max_up_bps=5)
    log.decide("lift_guarantee", log.amity, agreement_id="a-17", voters=[
        "tidewire-1", "harbour-hospitals-1", "open-waters-1"])  # fmt: skip
    snapshot = taken(log)
    restriction, lift = snapshot.directives
    assert (restriction.max_down_bps, restriction.max_up_bps) == (7, 5)
    assert (restriction.exception, restriction.reason) == ("storm", "Decided by the council")
    assert lift.agreement_id == "a-17"
    (agreement,) = snapshot.agreements
    assert (agreement.terminal_hashes, agreement.account_hashes) == (("0" * 64,), ("1" * 64,))
    assert (agreement.exceptions, agreement.region_ids) == (("storm",), ("port-amity@1",))
    assert (agreement.floor.down_bps, agreement.floor.up_bps) == (5_000_000, 1_000_000)


def test_an_amended_agreement_guarantees_each_version_in_its_own_time(log):
    log.agreement(log.amity)
    before_s = log.now_s
    new = log.agreement_record(log.amity, version=2, floor={"down_bps": 9})
    log.decide("amend_agreement", agreement_id="a-17", agreements=("a-17",),
               replaces_by=log.put(new.encode()),
               voters=["tidewire-1", "harbour-hospitals-1"])  # fmt: skip
    one, two = taken(log).agreements
    assert (one.agreement_id, two.agreement_id) == ("a-17", "a-17@2")
    assert before_s < one.until_s == two.from_s
    assert two.floor.down_bps == 9
    log.decide("lift_guarantee", log.amity, agreement_id="a-17", voters=[
        "tidewire-1", "harbour-hospitals-1", "open-waters-1"])  # fmt: skip
    assert taken(log).directives[0].agreement_id == "a-17@2"


def test_a_new_version_of_a_region_leaves_what_is_in_effect_on_the_old_cells(log):
    """A line drawn again must not switch off who was on."""
    log.decide("activate", log.amity)
    moved = log.region_record("port-amity", 5, version=2)
    log.decide("amend_region", log.amity, replaces_by=log.put(moved.encode()))
    log.wait(4 * DAY_S)
    assert rule(taken(log), log.now_s) is Rule.ACTIVE
    log.decide("activate", moved)
    assert [each.region_id for each in taken(log).regions] == ["port-amity@1", "port-amity@2"]


def test_a_region_that_one_person_drew_makes_no_service_lawful():
    """Over cells whose licence has ended, a second region without need of one would be a trick."""
    log = MadeLog()
    region = log.region(needs_licence=True)
    ends_s = log.now_s + 5 * DAY_S
    log.decide("activate", region, licence=made_licence(until_s=ends_s))
    log.decide("restrict", log.region("trick"))
    snapshot = taken(log)
    assert [each.needs_licence for each in snapshot.regions] == [True, True]
    assert rule(snapshot, ends_s - 1) is Rule.RESTRICTED
    assert rule(snapshot, ends_s) is Rule.UNLICENSED
    log.decide("activate", log.region("lawful"))
    assert rule(taken(log), ends_s) is Rule.RESTRICTED


def test_withheld_cells_cross_only_to_who_holds_them():
    log = MadeLog()
    day_s = log.now_s + 20 * DAY_S
    hidden = log.region("hidden", publish_by_s=day_s)
    log.decide("activate", hidden)
    log.agreement(hidden)
    private = {hidden.geometry: log.objects.pop(hidden.geometry)}
    assert unseen(log.authority()) == ("hidden@1",)
    outside = taken(log)
    assert (outside.regions, outside.directives, outside.agreements) == ((), (), ())
    assert unseen(log.authority(), private) == ()
    inside = taken(log, private=private)
    assert (len(inside.directives), len(inside.agreements)) == (1, 1)
    assert rule(inside, log.now_s) is Rule.GUARANTEED
    log.objects |= private
    assert taken(log, day_s).directives == inside.directives


def test_a_lift_of_an_agreement_that_nobody_here_can_see_refuses_no_snapshot():
    """One protected region would else stop every run of every reader."""
    log = MadeLog()
    open_sea, hidden = log.region(), log.region("hidden", 3, publish_by_s=log.now_s + 20 * DAY_S)
    log.agreement(hidden)
    log.decide("lift_guarantee", open_sea, agreement_id="a-17", agreements=("a-17",), voters=[
        "tidewire-1", "harbour-hospitals-1", "open-waters-1"])  # fmt: skip
    private = {hidden.geometry: log.objects.pop(hidden.geometry)}
    assert (taken(log).directives, taken(log).agreements) == ((), ())
    assert [each.agreement_id for each in taken(log, private=private).directives] == ["a-17"]


# Lists


def kit(letter, **changes):
    return Listed(letter * 64, "standard", "sponsor", NOON_S, **changes)


def listing(*kits, salt=SALT):
    return AllowList("r", "d", 1, salt, NOON_S, NOON_S + 90 * DAY_S, kits)


def test_a_list_is_read_back_as_it_was_and_in_one_spelling():
    content = encode_allow_list(listing(kit("a"), kit("b")))
    span = {"from_s": NOON_S, "until_s": NOON_S + 90 * DAY_S}
    names = {"region_id": "r", "directive_id": "d", "entry": 1}
    assert parse_allow_list(content, "list", **names, **span) == listing(kit("a"), kit("b"))
    for other in (content + b" ", b"[]", content.replace(b".v1", b".v2"), b"x" * 40):
        with pytest.raises(InputError, match=r"list: .*make the list again"):
            parse_allow_list(other, "list", **names, **span)


FORTNIGHT_S = NOON_S + 14 * DAY_S
REASON = {"removal_reason": "sold", "appeal": "appeals@tidewire.example"}


@pytest.mark.parametrize(
    ("after", "is_fair"),
    [
        (listing(kit("a")), True),
        (listing(kit("a"), kit("b")), True),
        (listing(kit("b")), False),
        (listing(kit("a"), salt="00" * 16), False),
        (listing(kit("a", until_s=FORTNIGHT_S, **REASON)), True),
        (listing(kit("a", until_s=FORTNIGHT_S - 1, **REASON)), False),
        (listing(kit("a", until_s=FORTNIGHT_S)), False),
        (listing(Listed("a" * 64, "standard", "sponsor", NOON_S + 9)), False),
    ],
)
def test_nobody_falls_off_a_list_from_one_day_to_the_next(after, is_fair):
    assert is_fair_change(listing(kit("a")), after, NOON_S) is is_fair


def test_a_removal_announced_before_may_come_and_be_dropped_later():
    going = listing(kit("a", until_s=FORTNIGHT_S, **REASON))
    assert is_fair_change(going, going, FORTNIGHT_S - 5)
    assert not is_fair_change(going, listing(), FORTNIGHT_S - 5)
    assert is_fair_change(going, listing(), FORTNIGHT_S)


def test_a_list_that_cuts_somebody_off_at_once_has_no_effect(log):
    contents = [encode_allow_list(each) for each in (
        listing(kit("a")), listing(kit("b")), listing(kit("a"), kit("c")),
    )]  # fmt: skip
    digests = [digest_of(content) for content in contents]
    private = dict(zip(digests, contents, strict=True))
    proposal = log.decide("restrict", log.amity, max_down_bps=None, allow_list=digests[0])
    name = proposal.directive.directive_id
    for before, after in ((0, 1), (1, 2)):
        log.append(
            Listing(directive_id=name, before=digests[before], after=digests[after]), "tidewire-1"
        )
    (found,) = taken(log, private=private).allow_lists
    assert [each.kit_hash[0] for each in found.kits] == ["a", "c"]
    assert (found.region_id, found.directive_id) == ("port-amity@1", name)
    with pytest.raises(InputError, match="not in this copy of the log"):
        taken(log)


def test_what_is_in_effect_is_asked_of_states_too(log):
    log.decide("activate", log.amity, "on")
    log.propose("suspend", log.amity)
    names = [s.proposal.directive.directive_id for s in snapshots.in_effect(log.authority())]
    assert names == ["on"]
