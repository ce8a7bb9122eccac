"""The table of a directive's life: every state and every event has one answer."""

import itertools

import pytest

from skyweave.control.domain.machine import (
    COMING,
    ENDED,
    TABLE,
    UNDECIDED,
    Event,
    State,
    Step,
    can,
    next_state,
)
from skyweave.errors import InputError

# Written out by hand from the text of the state machine, one line a state, so that a slip in the
# table (which is built by loops) shows: event -> state.
BY_HAND = {
    "draft": "propose:proposed",
    "proposed": "vote:collecting withdraw:withdrawn approvals_over:lapsed changed:void",
    "collecting": "vote:collecting quorum:approved block:blocked reject:rejected "
    "withdraw:withdrawn approvals_over:lapsed changed:void",
    "blocked": "vote:collecting withdraw:withdrawn approvals_over:lapsed changed:void",
    "approved": "witnessed:scheduled start:effective unwitnessed:lapsed expire:lapsed "
    "changed:void supersede:superseded lift:lifted fail:failed",
    "scheduled": "start:effective expire:lapsed changed:void supersede:superseded lift:lifted "
    "fail:failed",
    "effective": "witnessed:effective unwitnessed:lapsed expire:expired changed:void "
    "supersede:superseded lift:lifted fail:failed",
}


def by_hand(state, event):
    pairs = dict(each.split(":") for each in BY_HAND.get(state.value, "").split())
    return pairs.get(event.value)


def story_of(state):
    return () if state is State.DRAFT else (Step(state, 0, 4, "because"),)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_state_answers_every_event(state, event):
    expected = by_hand(state, event)
    assert can(state, event) == (expected is not None)
    if expected is not None:
        assert next_state("d-1", story_of(state), event) is State(expected)
        return
    with pytest.raises(InputError, match=rf'directive "d-1": {event} is no step from {state} \('):
        next_state("d-1", story_of(state), event)


def test_each_state_is_of_one_sort():
    sorts = [State.DRAFT, State.EFFECTIVE, *UNDECIDED, *COMING, *ENDED]
    assert sorted(sorts) == sorted(State)


def test_what_has_ended_stays_so():
    assert not [state for state, _ in TABLE if state in ENDED]


def test_nothing_begins_to_be_in_effect_but_from_an_approval():
    sources = {state for (state, _), after in TABLE.items() if after is State.EFFECTIVE}
    assert sources == {*COMING, State.EFFECTIVE}
    approvals = {pair for pair, after in TABLE.items() if after is State.APPROVED}
    assert approvals == {(State.COLLECTING, Event.QUORUM)}


def test_a_refusal_tells_the_story_that_led_there():
    story = (
        Step(State.PROPOSED, 0, 3, ""),
        Step(State.COLLECTING, 9, 4, ""),
        Step(State.LAPSED, 99, None, ""),
    )
    with pytest.raises(InputError) as refused:
        next_state("d-1", story, Event.VOTE)
    assert str(refused.value) == (
        'directive "d-1": vote is no step from lapsed (proposed by entry 3, then collecting by '
        "entry 4, then lapsed by time); propose a new directive"
    )


@pytest.mark.parametrize(
    ("state", "event", "advice"),
    [
        (State.DRAFT, Event.VOTE, "nothing is logged of it); propose it first"),
        (State.PROPOSED, Event.LIFT, "not decided yet"),
        (State.SCHEDULED, Event.VOTE, "it is decided; propose another directive"),
        (State.VOID, Event.START, "propose a new directive"),
    ],
)
def test_a_refusal_says_what_to_do_instead(state, event, advice):
    with pytest.raises(InputError) as refused:
        next_state("d-1", story_of(state), event)
    assert advice in str(refused.value)
