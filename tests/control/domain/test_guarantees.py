"""Which agreements stop which directives, and what lets them give way."""

import pytest
from tests.support.made_charter import MadeLog, made_licence

from skyweave.control.domain import guarantees
from skyweave.control.domain.documents import DAY_S
from skyweave.control.domain.machine import State

OUTSIDERS = ("tidewire-1", "amity-office-1", "island-relief-1")  # no word of the hospitals
NAMED = {"terminal_hashes": ("0" * 64,)}


@pytest.fixture
def log():
    log = MadeLog()
    log.amity = log.region()
    return log


def decided(log, does, region, **changes):
    """What becomes of a directive that all but the hospitals approve."""
    proposal = log.propose(does, region, **changes)
    log.approve(proposal, *OUTSIDERS[: 2 if does == "emergency_suspend" else 3])
    log.witness()
    return log.authority().directives[proposal.directive.directive_id], proposal


def test_no_exclusion_takes_what_was_guaranteed_to_a_single_terminal(log):
    log.agreement(log.amity, **NAMED)
    state, proposal = decided(log, "exclude", log.amity)
    assert (state.state, state.blocked_by) == (State.BLOCKED, ("a-17",))
    assert "agreement a-17 forbids it" in state.story[-1].why
    assert [quorum.role for quorum in state.quorums] == ["council", "agreement a-17"]
    log.approve(proposal, "harbour-hospitals-1")
    state = log.authority().directives[proposal.directive.directive_id]
    assert state.state is State.APPROVED


def test_an_exclusion_goes_where_the_parties_wrote_that_it_may(log):
    log.agreement(log.amity, exceptions=("order of the administration",))
    blocked, _ = decided(log, "exclude", log.amity)
    excepted, _ = decided(log, "exclude", log.amity, exception="order of the administration")
    assert (blocked.state, excepted.state) == (State.BLOCKED, State.SCHEDULED)


@pytest.mark.parametrize("does", ["suspend", "restrict"])
def test_a_suspension_passes_an_agreement_that_the_decision_protects(log, does):
    """It switches off the others; whom the agreement names stays on by the cell decision."""
    log.agreement(log.amity, **NAMED)
    assert decided(log, does, log.amity)[0].state is State.SCHEDULED


@pytest.mark.parametrize("does", ["suspend", "restrict"])
def test_a_suspension_of_nothing_but_guaranteed_cells_is_stopped(log, does):
    log.agreement(log.amity)
    larger = log.region("larger", 0.2)
    assert decided(log, does, log.amity)[0].blocked_by == ("a-17",)
    assert decided(log, does, larger)[0].state is State.SCHEDULED
    rest = log.region("rest", 1)
    log.agreement(rest, "a-18")
    assert decided(log, does, larger)[0].blocked_by == ("a-17", "a-18")


def test_no_emergency_touches_a_guaranteed_cell_even_with_its_quorum(log):
    """In a hurry nobody finds out whether the parties meant it; they may write an exception."""
    log.agreement(log.amity, exceptions=("interference",))
    larger = log.region("larger", 0.2)
    state, proposal = decided(log, "emergency_suspend", larger)
    assert state.state is State.BLOCKED
    log.approve(proposal, "harbour-hospitals-1")
    assert log.authority().directives[proposal.directive.directive_id].state is State.BLOCKED
    excepted, _ = decided(log, "emergency_suspend", larger, exception="interference")
    assert excepted.state is State.EFFECTIVE


@pytest.mark.parametrize("does", ["activate", "resume", "emergency_activate"])
def test_no_agreement_stops_service(log, does):
    log.agreement(log.amity)
    proposal = log.decide(does, log.amity)
    assert log.authority().directives[proposal.directive.directive_id].state is State.EFFECTIVE


def test_a_guarantee_is_lifted_by_its_own_quorum_alone(log):
    log.agreement(log.amity, exceptions=("storm",))
    state, proposal = decided(log, "lift_guarantee", log.amity, agreement_id="a-17")
    assert state.blocked_by == ("a-17",)
    log.approve(proposal, "harbour-hospitals-1")
    log.witness()
    assert log.authority().directives[proposal.directive.directive_id].state is State.EFFECTIVE


def test_a_licence_declared_void_is_stopped_like_an_exclusion():
    """Else the licence would be the back door to what the guarantee forbids."""
    log = MadeLog()
    region = log.region(needs_licence=True)
    log.decide("activate", region, licence=made_licence())
    log.agreement(region, **NAMED)
    administration = {"administration": "AMY"}
    void = {"licence": made_licence(status="void"), **administration}
    shorter = {"licence": made_licence(until_s=log.now_s + 9 * DAY_S), **administration}
    longer = {"licence": made_licence(until_s=None), **administration}
    assert decided(log, "amend_licence", region, **void)[0].blocked_by == ("a-17",)
    assert decided(log, "amend_licence", region, **shorter)[0].blocked_by == ("a-17",)
    assert decided(log, "amend_licence", region, **longer)[0].state is State.SCHEDULED


def test_an_agreement_signed_while_the_notice_runs_is_as_good(log):
    proposal = log.decide("exclude", log.amity)
    log.agreement(log.amity, **NAMED)
    log.wait(3 * DAY_S)
    state = log.authority().directives[proposal.directive.directive_id]
    assert state.state is State.VOID
    assert 'agreement "a-17" was signed while its notice ran' in state.story[-1].why


def test_an_agreement_to_come_stops_what_would_still_hold_then(log):
    """An exclusion of today must not outlast the day on which the guarantee begins."""
    log.agreement(log.amity, **NAMED, from_s=log.now_s + 50 * DAY_S)
    assert decided(log, "exclude", log.amity)[0].state is State.BLOCKED
    ends_s = log.now_s + 40 * DAY_S
    assert decided(log, "exclude", log.amity, until_s=ends_s)[0].state is State.SCHEDULED


def test_a_region_drawn_smaller_takes_nothing_from_an_agreement_on_the_old_one(log):
    log.agreement(log.amity, **NAMED)
    smaller = log.region_record("port-amity", 5, version=2)
    log.decide("amend_region", log.amity, replaces_by=log.put(smaller.encode()))
    log.wait(3 * DAY_S)
    assert [each.record.version for each in log.authority().regions["port-amity"]] == [1, 2]
    same_cells = log.region("same-cells")
    assert decided(log, "exclude", same_cells)[0].blocked_by == ("a-17",)


def test_nobody_gives_a_party_new_keys_over_its_head(log):
    """Whoever names the hospitals' signers could lift the hospitals' guarantee."""
    log.agreement(log.amity)
    keys = tuple(
        each.model_copy(update={"office": "Another"}) if each.person == "harbour-hospitals-2"
        else each
        for each in log.charter.keys
    )  # fmt: skip
    new = log.charter.model_copy(update={"version": 2, "keys": keys})
    state, proposal = decided(log, "amend_charter", None, replaces_by=log.put(new.encode()))
    assert (state.state, state.blocked_by) == (State.BLOCKED, ("a-17",))
    log.approve(proposal, "harbour-hospitals-1")
    assert log.authority().directives[proposal.directive.directive_id].state is State.APPROVED


def test_where_cells_are_withheld_the_stated_agreements_count(log):
    hidden = log.region("hidden", 0.5, publish_by_s=log.now_s + 25 * DAY_S)
    log.agreement(log.amity, **NAMED)
    named, _ = decided(log, "exclude", hidden, agreements=("a-17",))
    assert named.blocked_by == ("a-17",)
    unnamed, _ = decided(log, "exclude", hidden, agreements=())
    assert unnamed.state is State.SCHEDULED
    log.wait(4 * DAY_S)
    unnamed = log.authority().directives[unnamed.proposal.directive.directive_id]
    assert unnamed.state is State.VOID
    assert "is not public when it begins" in unnamed.story[-1].why


def test_an_activation_with_a_false_list_stays_on_and_is_noticed(log):
    hidden = log.region("hidden", 0.5, publish_by_s=log.now_s + 25 * DAY_S)
    log.agreement(log.amity, **NAMED)
    proposal = log.decide("activate", hidden, agreements=())
    log.wait(26 * DAY_S)
    authority = log.authority()
    assert authority.directives[proposal.directive.directive_id].state is State.EFFECTIVE
    assert "its cells meet a-17" in authority.notices[0].text


def test_regions_meet_where_they_share_a_cell_and_nobody_knows_of_withheld_ones(log):
    log.region("near", 0.5)
    log.region("far", 3)
    log.region("hidden", 3, publish_by_s=log.now_s + 20 * DAY_S)
    log.region("veiled", publish_by_s=log.now_s + 20 * DAY_S)
    versions = {name: each[-1] for name, each in log.authority().regions.items()}
    amity, at_s = versions["port-amity"], log.now_s
    assert guarantees.meets(amity, versions["near"], at_s) is True
    assert guarantees.meets(amity, versions["far"], at_s) is False
    near = versions["near"]
    assert guarantees.meets(near, versions["hidden"], at_s) is None
    assert guarantees.meets(near, versions["hidden"], at_s + 21 * DAY_S) is False
    assert guarantees.meets(amity, versions["veiled"], at_s) is True  # of the same digest


@pytest.mark.parametrize("is_hidden", ["what is excluded", "what is guaranteed"])
def test_no_exclusion_begins_while_nobody_can_know_whom_it_cuts(is_hidden):
    """Behind withheld cells a hospital would be off until the day of their publication."""
    log = MadeLog()
    withheld = {"publish_by_s": log.now_s + 25 * DAY_S}
    mine, theirs = (withheld, {}) if is_hidden == "what is excluded" else ({}, withheld)
    region = log.region("mine", 0.5, **mine)
    log.agreement(log.region("theirs", **theirs))
    cut = log.decide("exclude", region, agreements=())
    log.wait(4 * DAY_S)
    state = log.authority().directives[cut.directive.directive_id]
    assert state.state is State.VOID
    assert "is not public when it begins" in state.story[-1].why
