"""When things begin and end: what a directive or an agreement says of its own times."""

import pytest
from tests.support.made_charter import HOUR_S, NOON_S, MadeLog

from skyweave.control.domain.documents import DAY_S
from skyweave.control.domain.machine import State


@pytest.fixture
def log():
    return MadeLog()


@pytest.fixture
def amity(log):
    return log.region()


def state_of(log, proposal, now_s=None):
    return log.authority(now_s).directives[proposal.directive.directive_id]


@pytest.mark.parametrize("days", [None, 5])
def test_an_activation_lasts_as_long_as_it_says_and_for_good_where_it_does_not(log, amity, days):
    until_s = None if days is None else log.now_s + days * DAY_S
    proposal = log.decide("activate", amity, until_s=until_s)
    found = state_of(log, proposal)
    assert (found.state, found.until_s) == (State.EFFECTIVE, until_s)
    later = state_of(log, proposal, log.now_s + 6 * DAY_S).state
    assert later is (State.EFFECTIVE if days is None else State.EXPIRED)


def test_a_story_says_whether_its_end_came_before_or_after_it_began(log, amity):
    begun = log.decide("emergency_suspend", amity)
    unseen = log.decide("suspend", amity, witness=False)
    after = log.authority(log.now_s + 40 * DAY_S).directives
    why = {d: after[d.directive.directive_id].story[-1].why for d in (begun, unseen)}
    assert why[begun] == "its end has come"
    assert why[unseen] == "its end came before it could begin"


def test_an_agreement_guarantees_from_its_own_day_and_not_before(log, amity):
    from_s = NOON_S + 10 * DAY_S
    log.agreement(amity, from_s=from_s)
    first = log.authority().agreements["a-17"]
    assert first.from_s == from_s
    assert not first.holds(from_s - 1)
    assert first.holds(from_s)


def test_an_emergency_that_witnesses_saw_in_time_runs_on_from_its_entry(log, amity):
    proposal = log.decide("emergency_activate", amity)
    found = state_of(log, proposal, log.now_s + 2 * HOUR_S)
    assert found.state is State.EFFECTIVE
    assert found.from_s == log.signed[-1][0]
