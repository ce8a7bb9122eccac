"""Replay: what people and time bring to directives, from logged and witnessed times alone."""

import dataclasses
import time

import pytest
from tests.support.made_charter import (
    HOUR_S,
    NOON_S,
    MadeLog,
    key_id,
    made_charter,
    made_licence,
    made_routes,
)

from skyweave.control.domain import replay as replay_module
from skyweave.control.domain.documents import (
    DAY_S,
    Failure,
    Lift,
    Listing,
    Revocation,
    Withdrawal,
)
from skyweave.control.domain.machine import State
from skyweave.control.domain.replay import check_next, follow, replay
from skyweave.errors import InputError

THREE = ("tidewire-1", "amity-office-1", "harbour-hospitals-1")


@pytest.fixture
def log():
    return MadeLog()


@pytest.fixture
def amity(log):
    return log.region()


def state_of(log, proposal, now_s=None):
    return log.authority(now_s).directives[proposal.directive.directive_id]


def states(log, proposal, now_s=None):
    return [step.state.value for step in state_of(log, proposal, now_s).story]


def why_ignored(log):
    """Why the last entry has no effect, "" where it has one."""
    ignored = log.authority().ignored
    last = len(log.signed) - 1
    return ignored[-1].why if ignored and ignored[-1].entry == last else ""


# The way of a directive


def test_a_suspension_goes_its_way_only_with_votes_witnesses_and_notice(log, amity):
    proposal = log.propose("suspend", amity)
    assert states(log, proposal) == ["proposed"]
    log.approve(proposal, *THREE[:2])
    assert states(log, proposal) == ["proposed", "collecting", "collecting"]
    last = log.approve(proposal, THREE[2])
    approved_s = log.entries()[last].logged_s
    assert states(log, proposal)[-2:] == ["collecting", "approved"]
    log.wait(DAY_S)
    witnessed_s = log.now_s
    log.witness()
    assert states(log, proposal)[-1] == "scheduled"
    assert [step.why for step in state_of(log, proposal).story] == [
        'proposed by "tidewire-2"',
        "a vote to approve by tidewire-1",
        "a vote to approve by amity-office-1",
        "a vote to approve by harbour-hospitals-1",
        f"approved by {', '.join(sorted(THREE, key=key_id))}",
        "a quorum of witnesses has seen it",
    ]
    assert state_of(log, proposal).approved_s == approved_s
    start_s, end_s = witnessed_s + 3 * DAY_S, proposal.directive.until_s
    assert state_of(log, proposal, start_s - 1).state is State.SCHEDULED
    state = state_of(log, proposal, start_s)
    assert (state.state, state.approved_entry) == (State.EFFECTIVE, last)
    assert (state.from_s, state.until_s) == (start_s, end_s)
    assert state_of(log, proposal, end_s - 1).state is State.EFFECTIVE
    assert state_of(log, proposal, end_s).state is State.EXPIRED


def test_before_the_last_vote_nobody_sees_a_quorum_and_readers_see_what_is_missing(log, amity):
    proposal = log.propose("suspend", amity)
    assert state_of(log, proposal).quorums[0].missing == ("0 of 3 people", "0 of 2 organisations")
    log.approve(proposal, *THREE[:2])
    (quorum,) = state_of(log, proposal).quorums
    assert quorum.missing == ("2 of 3 people",)
    assert [key.person for key in quorum.approved] == sorted(
        THREE[:2], key=lambda name: key_id(name)
    )


def test_a_suspension_that_witnesses_saw_late_starts_late(log, amity):
    """A keeper who hides a suspension from witnesses does not have its notice run in the dark."""
    proposal = log.decide("suspend", amity, witness=False)
    log.wait(10 * DAY_S)
    assert state_of(log, proposal).state is State.APPROVED
    witnessed_s = log.now_s
    log.witness()
    assert state_of(log, proposal, witnessed_s).from_s == witnessed_s + 3 * DAY_S


def test_a_suspension_that_no_witness_sees_until_its_end_lapses(log, amity):
    proposal = log.decide("suspend", amity, witness=False)
    end_s = proposal.directive.until_s
    assert states(log, proposal, end_s - 1)[-1] == "approved"
    state = state_of(log, proposal, end_s)
    assert state.state is State.LAPSED
    assert state.story[-1].at_s == end_s
    assert state.from_s is None


def test_a_directive_whose_start_would_be_its_end_lapses(log, amity):
    proposal = log.propose("suspend", amity, until_s=log.now_s + 4 * DAY_S)
    log.wait(2 * DAY_S)
    log.approve(proposal, *THREE)
    log.witness()
    assert states(log, proposal, proposal.directive.until_s)[-2:] == ["scheduled", "lapsed"]


def test_an_emergency_activation_announced_for_tomorrow_waits_for_it(log, amity):
    until_s = log.now_s + 3 * DAY_S
    proposal = log.propose("emergency_activate", amity, until_s=until_s, from_s=until_s - DAY_S)
    log.approve(proposal, *THREE[:2])
    log.witness()
    state = state_of(log, proposal)
    assert (state.state, state.from_s, state.until_s) == (
        State.SCHEDULED, until_s - DAY_S, until_s,
    )  # fmt: skip
    assert state_of(log, proposal, until_s - DAY_S).state is State.EFFECTIVE


def test_a_witness_in_the_last_second_of_a_suspension_comes_too_late(log, amity):
    proposal = log.decide("suspend", amity, witness=False)
    log.witness(proposal.directive.until_s)
    assert states(log, proposal, proposal.directive.until_s)[-2:] == ["scheduled", "lapsed"]


def test_an_end_comes_before_a_start_of_the_same_second(log, amity):
    """Two emergencies back to back must not lift each other, nor both hold at once."""
    first = log.decide("emergency_activate", amity)
    second = log.decide("emergency_activate", amity, from_s=first.directive.until_s,
                        until_s=first.directive.until_s + DAY_S)  # fmt: skip
    at_s = first.directive.until_s
    assert state_of(log, first, at_s).state is State.EXPIRED
    assert state_of(log, second, at_s).state is State.EFFECTIVE


def test_an_emergency_activation_is_on_when_it_is_logged(log, amity):
    """People in a disaster do not wait for witnesses."""
    proposal = log.propose("emergency_activate", amity)
    last = log.approve(proposal, *THREE[:2])
    logged_s = log.entries()[last].logged_s
    state = state_of(log, proposal, logged_s)
    assert (state.state, state.from_s) == (State.EFFECTIVE, logged_s)
    log.witness(logged_s + HOUR_S)
    state = state_of(log, proposal, logged_s + HOUR_S)
    assert state.state is State.EFFECTIVE
    assert state.until_s == min(proposal.directive.until_s, logged_s + 3 * DAY_S)


@pytest.mark.parametrize("late_s", [1, None])
def test_an_emergency_activation_lapses_where_nobody_witnesses_it_within_the_hour(
    log, amity, late_s
):
    proposal = log.propose("emergency_activate", amity)
    last = log.approve(proposal, *THREE[:2])
    logged_s = log.entries()[last].logged_s
    if late_s is not None:
        log.witness(logged_s + HOUR_S + late_s)
    assert state_of(log, proposal, logged_s + HOUR_S - 1).state is State.EFFECTIVE
    state = state_of(log, proposal, logged_s + 2 * HOUR_S)
    assert (state.state, state.until_s) == (State.LAPSED, logged_s + HOUR_S)


def test_approvals_that_come_after_their_day_find_the_proposal_lapsed(log, amity):
    proposal = log.propose("suspend", amity)
    over_s = proposal.directive.approvals_until_s
    log.approve(proposal, *THREE[:2])
    log.append(log.ballot(proposal), THREE[2], at_s=over_s)
    assert states(log, proposal)[-1] == "lapsed"
    assert "vote is no step from lapsed" in why_ignored(log)


def test_votes_against_end_a_proposal_that_can_no_longer_be_approved(log, amity):
    proposal = log.propose("suspend", amity)
    people = [key.person for key in log.charter.keys if key.person != "tidewire-2"]
    for name in people[:6]:
        log.vote(proposal, name, "reject")
        assert states(log, proposal)[-1] == "collecting"
    log.vote(proposal, people[6], "reject")
    assert states(log, proposal)[-1] == "rejected"


def test_who_changes_their_mind_is_heard(log, amity):
    proposal = log.propose("suspend", amity)
    log.approve(proposal, *THREE[:2])
    log.vote(proposal, THREE[0], "reject")
    log.approve(proposal, THREE[2])
    assert states(log, proposal)[-1] == "collecting"
    log.approve(proposal, "island-relief-1")
    assert states(log, proposal)[-1] == "approved"


def test_an_approval_stays_though_a_signer_loses_the_key_afterwards(log, amity):
    proposal = log.decide("suspend", amity)
    log.append(Revocation(key_id=key_id(THREE[0]), reason="lost"), THREE[0])
    assert why_ignored(log) == ""
    assert state_of(log, proposal).state is State.SCHEDULED


def test_a_key_revoked_before_the_last_vote_does_not_count(log, amity):
    """A thief's approval is taken back by its owner in time."""
    proposal = log.propose("suspend", amity)
    log.approve(proposal, *THREE[:2])
    log.append(Revocation(key_id=key_id(THREE[0]), reason="stolen"), THREE[0])
    log.approve(proposal, THREE[2])
    assert state_of(log, proposal).state is State.COLLECTING
    log.vote(proposal, THREE[0])
    assert "was revoked by entry 5" in why_ignored(log)


# What people do afterwards


def test_its_proposer_alone_withdraws_a_proposal_and_only_before_it_is_approved(log, amity):
    proposal = log.propose("suspend", amity)
    withdrawal = Withdrawal(directive_id=proposal.directive.directive_id, reason="a mistake")
    log.append(withdrawal, "tidewire-1")
    assert 'proposed by "tidewire-2", who alone may withdraw it' in why_ignored(log)
    log.append(withdrawal, "tidewire-2")
    assert state_of(log, proposal).state is State.WITHDRAWN
    approved = log.decide("suspend", amity)
    log.append(Withdrawal(directive_id=approved.directive.directive_id, reason="-"), "tidewire-2")
    assert "withdraw is no step from scheduled" in why_ignored(log)


def test_the_owner_ends_a_reduction_early_and_nobody_else(log, amity):
    proposal = log.decide("suspend", amity)
    lift = Lift(directive_id=proposal.directive.directive_id, reason="the storm is over")
    log.append(lift, "open-waters-1")
    assert 'its owner "tidewire" may lift it' in why_ignored(log)
    log.wait(4 * DAY_S)
    at_s = log.now_s
    log.append(lift, "tidewire-1")
    state = state_of(log, proposal)
    assert (state.state, state.until_s) == (State.LIFTED, at_s)


def test_one_signature_does_not_end_an_activation(log, amity):
    """Else its owner could switch a region off by lifting what switched it on."""
    proposal = log.decide("activate", amity)
    log.append(Lift(directive_id=proposal.directive.directive_id, reason="-"), "tidewire-1")
    assert "is not lifted by one signature" in why_ignored(log)
    assert state_of(log, proposal).state is State.EFFECTIVE


def test_a_reduction_that_the_operator_does_not_carry_out_has_failed_in_public(log, amity):
    proposal = log.decide("suspend", amity)
    log.wait(4 * DAY_S)
    failure = Failure(directive_id=proposal.directive.directive_id, reason="no such command")
    log.append(failure, ["tidewire-1"])
    assert "1 of 2 people" in why_ignored(log)
    at_s = log.now_s
    log.append(failure, ["tidewire-1", "tidewire-2"])
    state = state_of(log, proposal)
    assert (state.state, state.until_s) == (State.FAILED, at_s)


def test_an_operator_who_refuses_an_activation_is_in_breach_and_it_stays_on(log, amity):
    """Two people of the operator must not have a switch called failure."""
    proposal = log.decide("activate", amity)
    failure = Failure(directive_id=proposal.directive.directive_id, reason="unwilling")
    log.append(failure, ["tidewire-1", "tidewire-2"])
    authority = log.authority()
    assert state_of(log, proposal).state is State.EFFECTIVE
    assert "breach" in authority.notices[0].text
    assert "unwilling" in authority.notices[0].text


def test_a_resumption_lifts_the_suspensions_that_lie_in_it_altogether(log, amity):
    beside = log.region("beside", 1)
    inside, outside = log.decide("suspend", amity), log.decide("suspend", beside)
    log.wait(4 * DAY_S)
    log.decide("resume", amity)
    later = log.decide("suspend", amity)
    assert state_of(log, inside).state is State.LIFTED
    assert state_of(log, outside).state is State.EFFECTIVE
    assert state_of(log, later).state is State.SCHEDULED


def test_a_directive_takes_the_place_of_the_one_that_it_names(log, amity):
    first = log.decide("suspend", amity)
    log.wait(4 * DAY_S)
    second = log.decide("suspend", amity, supersedes=first.directive.directive_id)
    assert state_of(log, first).state is State.EFFECTIVE
    log.wait(4 * DAY_S)
    assert state_of(log, first).state is State.SUPERSEDED
    assert state_of(log, first).until_s == state_of(log, second).from_s


# What changes under a directive


def test_a_new_version_of_its_region_voids_what_has_not_begun(log, amity):
    """Nobody's line on the map moves after they voted on it."""
    begun = log.decide("activate", amity)
    new = log.region_record(version=2, title="Drawn again")
    log.decide("amend_region", amity, replaces_by=log.put(new.encode()))
    voted = log.propose("suspend", amity)
    log.approve(voted, *THREE)
    log.wait(3 * DAY_S)
    state = state_of(log, voted)
    assert state.state is State.VOID
    assert 'region "port-amity" has version 2 now' in state.story[-1].why
    versions = log.authority().regions["port-amity"]
    assert [each.record.version for each in versions] == [1, 2]
    assert state_of(log, begun).state is State.EFFECTIVE
    log.propose("suspend", amity)
    assert "is version 2 now, and it names another" in why_ignored(log)


def test_the_mere_growth_of_the_log_voids_nothing(log, amity):
    proposal = log.propose("suspend", amity)
    for n in range(5):
        log.request(f"r-{n}")
        log.region(f"other-{n}", n + 1)
    log.approve(proposal, *THREE)
    assert state_of(log, proposal).state is State.APPROVED


def amended(log, **changes):
    fields = {"version": 2, "created_s": log.now_s, "expires_s": NOON_S + 4 * 366 * DAY_S}
    return log.charter.model_copy(update=fields | changes)


def test_a_charter_is_amended_by_both_roots_after_two_weeks(log, amity):
    new = amended(log)
    open_one = log.propose("suspend", amity, approvals_until_s=log.now_s + 60 * DAY_S,
                           until_s=log.now_s + 25 * DAY_S)  # fmt: skip
    proposal = log.propose("amend_charter", replaces_by=log.put(new.encode()))
    last = log.approve(proposal, *THREE)
    start_s = log.now_s + 14 * DAY_S  # from when witnesses saw it
    log.witness()
    authority = log.authority()
    assert authority.charter == log.charter
    assert authority.pending_charter == new
    assert log.authority(start_s - 1).charter == log.charter
    authority = log.authority(start_s)
    assert authority.charter == new
    assert (authority.charter_entry, authority.pending_charter) == (last, None)
    assert [each.from_s for each in authority.charters] == [NOON_S, start_s]
    assert authority.directives[open_one.directive.directive_id].state is State.VOID


def test_a_new_charter_whose_own_root_has_not_signed_does_not_come(log):
    """Nobody puts others' names under a charter that they never saw."""
    names = [f"new-waters-{n}" for n in (1, 2, 3)]
    stranger = made_charter((*[o.organisation for o in log.charter.organisations], "new-waters"))
    root = log.charter.roles[0].model_copy(
        update={"key_ids": (*map(key_id, ("new-waters-1", "new-waters-2")),
                            key_id("island-relief-1"), key_id("open-waters-1"))}
    )  # fmt: skip
    new = amended(
        log,
        organisations=stranger.organisations,
        keys=stranger.keys,
        roles=(root, *log.charter.roles[1:]),
    )
    proposal = log.propose("amend_charter", replaces_by=log.put(new.encode()))
    assert why_ignored(log) == ""
    log.approve(proposal, *THREE)
    assert state_of(log, proposal).state is State.COLLECTING
    log.approve(proposal, names[0], "island-relief-1")
    assert state_of(log, proposal).state is State.COLLECTING
    log.approve(proposal, "open-waters-1")
    assert state_of(log, proposal).state is State.APPROVED


def test_a_first_licence_comes_with_an_activation_and_is_amended_like_an_exclusion(log):
    region = log.region(needs_licence=True)
    log.decide("activate", region, licence=made_licence())
    (first,) = log.authority().licences["port-amity"]
    assert (first.administration, first.status) == ("AMY", "valid")
    voted = log.propose("suspend", region)
    void = made_licence(status="void")
    log.decide("amend_licence", region, licence=void, administration="AMY")
    log.wait(3 * DAY_S)
    old, new = log.authority().licences["port-amity"]
    assert old.until_s == new.from_s
    assert new.status == "void"
    assert state_of(log, voted).state is State.VOID


def test_an_activation_whose_licence_is_gone_when_it_would_start_is_void(log):
    region = log.region(needs_licence=True)
    log.decide("activate", region, licence=made_licence())
    ends_s = log.now_s + 10 * DAY_S
    log.decide("amend_licence", region, administration="AMY",
               licence=made_licence(until_s=ends_s))  # fmt: skip
    log.wait(4 * DAY_S)
    late = log.decide("resume", region, from_s=ends_s - 10)
    assert state_of(log, late).state is State.SCHEDULED
    log.decide("amend_licence", region, administration="AMY",
               licence=made_licence(until_s=ends_s - 20))  # fmt: skip
    assert state_of(log, late, ends_s).state is State.VOID


# Agreements


def test_an_agreement_needs_each_party_and_the_charter_says_who_else(log, amity):
    record = log.agreement_record(amity)
    log.append(record, ["tidewire-1", "tidewire-2"])
    assert "0 of 1 people of harbour-hospitals" in why_ignored(log)
    log.append(record, ["harbour-hospitals-1"])
    assert "people of tidewire" in why_ignored(log)
    index = log.append(record, ["harbour-hospitals-1", "tidewire-1"])
    agreement = log.authority().agreements["a-17"]
    assert agreement.holds(agreement.from_s)
    assert not agreement.holds(agreement.from_s - 1)
    assert not agreement.holds(agreement.until_s)
    assert (agreement.entry, agreement.from_s) == (index, log.entries()[index].logged_s)
    log.append(record, ["harbour-hospitals-1", "tidewire-1"])
    assert "a new version takes amend_agreement" in why_ignored(log)


def test_an_agreement_is_amended_by_its_own_quorum_and_keeps_its_past(log, amity):
    log.agreement(amity)
    new = log.agreement_record(amity, version=2, title="With less", people=2)
    proposal = log.propose("amend_agreement", agreement_id="a-17", agreements=("a-17",),
                           replaces_by=log.put(new.encode()))  # fmt: skip
    log.approve(proposal, "tidewire-1", "amity-office-1", "island-relief-1")
    assert state_of(log, proposal).state is State.COLLECTING
    log.approve(proposal, "harbour-hospitals-1")
    log.witness()
    authority = log.authority()
    assert [each.record.version for each in authority.agreement_history] == [1, 2]
    old, now = authority.agreement_history
    assert old.until_s == now.from_s
    assert authority.agreements["a-17"].record == new


def test_a_withheld_geometry_that_shows_a_false_list_ends_the_exclusion(log):
    """Nobody hides behind an embargo whom an exclusion cuts off."""
    geometry_day_s = log.now_s + 20 * DAY_S
    open_region = log.region()
    log.agreement(open_region, parties=("harbour-hospitals", "tidewire"))
    hidden = log.region("hidden", publish_by_s=geometry_day_s, title="Protected")
    honest = log.propose("suspend", hidden, "honest", agreements=("a-17",))
    other = log.region_record("far", 3, publish_by_s=log.now_s + 20 * DAY_S)
    log.append(other, "tidewire-1")
    false = log.decide("suspend", other, "false", agreements=("a-17",))
    log.wait(5 * DAY_S)
    assert state_of(log, honest).state is State.PROPOSED
    assert state_of(log, false).state is State.EFFECTIVE
    after_s = other.publish_by_s
    assert state_of(log, false, after_s - 1).state is State.EFFECTIVE
    state = state_of(log, false, after_s)
    assert state.state is State.VOID
    assert "its cells meet none" in state.story[-1].why


def test_an_allow_list_is_kept_by_its_owner_and_on_the_newest_state(log, amity):
    first, second = ("sha256:" + digit * 64 for digit in "12")
    proposal = log.decide("restrict", amity, max_down_bps=None, allow_list=first)
    name = proposal.directive.directive_id
    log.append(Listing(directive_id=name, before=first, after=second), "open-waters-1")
    assert 'its owner "tidewire" keeps its list' in why_ignored(log)
    log.append(Listing(directive_id=name, before=second, after=first), "tidewire-1")
    assert "make the change again on the newest" in why_ignored(log)
    log.append(Listing(directive_id=name, before=first, after=second), "tidewire-1")
    assert [digest for digest, _ in state_of(log, proposal).allow_lists] == [first, second]
    suspension = log.decide("suspend", amity)
    log.append(Listing(directive_id=suspension.directive.directive_id, before=first, after=second),
               "tidewire-1")  # fmt: skip
    assert "has no allow list in force" in why_ignored(log)


# Requests and keys


def test_a_request_under_pressure_is_recorded_and_changes_nothing(log, amity):
    """The favour by telephone leaves a trace and no effect."""
    before = log.authority()
    request = log.request(pressure="the fee would double")
    after = log.authority()
    assert after.requests["r-1"] == (request, len(log.signed) - 1)
    assert after.directives == before.directives
    log.request()
    assert "choose another id" in why_ignored(log)
    log.request("r-2", received_s=log.now_s + 301)
    assert "received later than it is logged" in why_ignored(log)
    log.request("r-3", publish_by_s=log.now_s + 367 * DAY_S)
    assert "within 366 days" in why_ignored(log)
    log.request("r-4", text="sha256:" + "0" * 64)
    assert "is not published" in why_ignored(log)


def test_nobody_revokes_the_keys_of_others_alone(log):
    """Whoever could would thin out a quorum until their own people are enough."""
    revocation = Revocation(key_id=key_id("open-waters-1"), reason="in the way")
    log.append(revocation, ["tidewire-1", "amity-office-1"])
    assert "2 of 3 people" in why_ignored(log)
    index = log.append(revocation, list(THREE))
    assert log.authority().revoked == {key_id("open-waters-1"): index}
    log.append(revocation, list(THREE))
    assert "was revoked by entry" in why_ignored(log)
    log.append(Revocation(key_id="0" * 64, reason="-"), list(THREE))
    assert "is none of the charter" in why_ignored(log)


# Signatures and the log


def test_strangers_and_keys_out_of_their_time_sign_for_nothing(log, amity):
    proposal = log.propose("suspend", amity)
    log.vote(proposal, "nobody-1")
    assert "not signed by any key of the charter" in why_ignored(log)
    log.wait(5 * 366 * DAY_S)
    log.request()
    assert "is not in its time" in why_ignored(log)


@pytest.mark.parametrize(("at_s", "counts"), [(-1, False), (0, True), (99, True), (100, False)])
def test_a_key_counts_from_its_first_second_to_its_last(at_s, counts):
    span = {"not_before_s": NOON_S + DAY_S, "not_after_s": NOON_S + DAY_S + 100}
    charter = made_charter()
    keys = (*charter.keys[:-1], charter.keys[-1].model_copy(update=span))
    log = MadeLog(charter.model_copy(update={"keys": keys}))
    log.now_s = NOON_S + DAY_S + at_s
    log.request(by=keys[-1].person)
    assert (why_ignored(log) == "") is counts


def test_a_signature_over_another_text_is_none(log, amity):
    envelope = log.sign(log.region_record("another"), "tidewire-1")
    moved = dataclasses.replace(envelope, payload=log.region_record("moved").encode())
    log.append_envelope(moved)
    assert "not signed by any key" in why_ignored(log)


def test_a_second_charter_in_the_log_is_not_believed(log):
    log.append(amended(log), [each.person for each in log.charter.keys])
    assert "propose amend_charter" in why_ignored(log)
    assert log.authority().charter == log.charter


def test_documents_of_unknown_kinds_and_spellings_are_listed(log):
    good = log.sign(log.region_record(), "tidewire-1")
    log.append_envelope(dataclasses.replace(good, payload_type="text/plain"))
    assert '"text/plain" is no document of an authority' in why_ignored(log)
    log.append_envelope(dataclasses.replace(good, payload=b" " + good.payload))
    assert "not in canonical form" in why_ignored(log)


def test_a_log_begins_with_its_charter_and_is_not_empty(log):
    with pytest.raises(InputError, match="the log is empty"):
        replay((), {}, now_s=NOON_S)
    log.region()
    with pytest.raises(InputError, match="expected a charter"):
        replay(log.entries()[1:], log.objects, now_s=NOON_S)


def test_under_an_expired_charter_nothing_is_decided_but_its_amendment(log, amity):
    """An authority that nobody renewed cannot be picked up from the street."""
    on = log.decide("activate", amity)
    waiting = log.propose("suspend", amity, approvals_until_s=log.now_s + 100 * DAY_S)
    short = MadeLog(made_charter(expires_s=NOON_S + 20 * DAY_S))
    region = short.region()
    on = short.decide("activate", region)
    waiting = short.propose("suspend", region, approvals_until_s=NOON_S + 100 * DAY_S,
                            from_s=NOON_S + 20 * DAY_S, until_s=NOON_S + 40 * DAY_S)  # fmt: skip
    new = short.charter.model_copy(
        update={"version": 2, "created_s": NOON_S, "expires_s": NOON_S + 400 * DAY_S}
    )
    short.wait(20 * DAY_S)
    short.vote(waiting, "tidewire-1")
    assert "version 1 has expired" in why_ignored(short)
    short.propose("suspend", region)
    assert "version 1 has expired" in why_ignored(short)
    short.agreement(region)
    assert "version 1 has expired" in why_ignored(short)
    short.decide("amend_charter", replaces_by=short.put(new.encode()))
    assert why_ignored(short) == ""
    assert state_of(short, on).state is State.EFFECTIVE
    short.wait(14 * DAY_S)
    assert short.authority().charter == new


def test_the_writer_refuses_with_the_sentence_that_a_reader_lists(log, amity):
    proposal = log.propose("suspend", amity)
    envelope = log.sign(log.ballot(proposal, charter_version=9), "tidewire-1")
    with pytest.raises(InputError) as refused:
        check_next(log.authority(), envelope, log.now_s, log.objects)
    log.append_envelope(envelope)
    assert why_ignored(log) == str(refused.value)
    assert "another version of the charter" in str(refused.value)


def test_following_step_by_step_is_replaying_at_once(log, amity):
    proposal = log.propose("emergency_activate", amity)
    authority = log.authority()
    for name in THREE[:2]:
        envelope = log.sign(log.ballot(proposal), name)
        authority = follow(authority, [envelope], log.now_s, log.objects)
        log.append_envelope(envelope)
    at_once = log.authority(authority.now_s)
    name = proposal.directive.directive_id
    assert authority.directives[name].story == at_once.directives[name].story
    assert authority.size == at_once.size
    assert follow(authority, [], authority.now_s, log.objects).size == authority.size
    with pytest.raises(InputError, match="set the clock right"):
        follow(authority, [], authority.now_s - 1, log.objects)


def test_what_a_shorter_log_told_a_longer_one_tells_too(log, amity):
    """Nobody rewrites the past by adding to a log."""
    log.decide("activate", amity)
    log.agreement(amity, terminal_hashes=("0" * 64,))
    log.decide("suspend", amity)
    log.wait(4 * DAY_S)
    log.decide("resume", amity)
    log.witness()
    whole = log.authority()
    entries = log.entries()
    for n in range(1, len(entries)):
        prefix = replay(entries[:n], log.objects, now_s=entries[n - 1].logged_s)
        for name, state in prefix.directives.items():
            assert whole.directives[name].story[: len(state.story)] == state.story


def test_an_earlier_time_is_asked_of_the_same_log(log, amity):
    log.decide("activate", amity)
    then_s = log.now_s
    log.wait(DAY_S)
    log.decide("suspend", amity)
    then = log.authority(then_s)
    assert (then.size, len(then.directives)) == (5, 1)


def test_a_witness_clock_behind_the_log_moves_nothing_before_its_entry(log, amity):
    proposal = log.propose("activate", amity)
    last = log.approve(proposal, *THREE[:2])
    logged_s = log.entries()[last].logged_s
    log.witness(logged_s - 200)
    assert state_of(log, proposal).from_s == logged_s


def test_ten_thousand_entries_are_replayed_in_seconds(full_counts, record_figure):
    log = MadeLog(made_charter(routes=made_routes()))
    region = log.region()
    count = 10_000 if full_counts else 400
    while len(log.signed) < count:
        proposal = log.propose("suspend", region, agreements=())
        log.approve(proposal, *THREE)
        log.witness()
    entries = log.entries()
    started_s = time.process_time()
    authority = replay_module.replay(entries, log.objects, now_s=log.now_s)
    spent_s = time.process_time() - started_s
    assert not authority.ignored
    most_s_each = 2e-3  # 0.5 ms on an idle core, of which a signature takes 0.15
    assert spent_s < most_s_each * len(entries)
    if full_counts:
        record_figure("replay of 10,000 entries", round(spent_s, 2), "s of one core", "<= 20")
