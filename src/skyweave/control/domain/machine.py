"""The life of a directive as one table: which event leads from which state to which.

What is not in the table is refused, with the story that led to where the directive stands.  Events
that people cause are entries of the log; those that time causes follow from logged and witnessed
times alone, so they happen for every reader alike, whoever runs what server.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from skyweave.errors import InputError


class State(StrEnum):
    """Where a directive stands."""

    DRAFT = "draft"  # not in the log
    PROPOSED = "proposed"
    COLLECTING = "collecting"  # somebody has voted
    BLOCKED = "blocked"  # enough have, but an agreement forbids it
    APPROVED = "approved"
    SCHEDULED = "scheduled"  # and witnessed
    EFFECTIVE = "effective"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    LIFTED = "lifted"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    LAPSED = "lapsed"  # not approved, witnessed or begun in time
    VOID = "void"  # what it was voted on is no longer so
    FAILED = "failed"  # the operator did not carry it out


class Event(StrEnum):
    """What can happen to a directive."""

    PROPOSE = "propose"
    VOTE = "vote"
    QUORUM = "quorum"
    BLOCK = "block"
    REJECT = "reject"
    WITHDRAW = "withdraw"
    CHANGED = "changed"  # something that it names is no longer as it was
    APPROVALS_OVER = "approvals_over"
    WITNESSED = "witnessed"
    START = "start"
    UNWITNESSED = "unwitnessed"  # an emergency activation, an hour after it was logged
    EXPIRE = "expire"
    SUPERSEDE = "supersede"
    LIFT = "lift"
    FAIL = "fail"


S, E = State, Event

UNDECIDED = (S.PROPOSED, S.COLLECTING, S.BLOCKED)
COMING = (S.APPROVED, S.SCHEDULED)
ENDED = (
    S.EXPIRED, S.SUPERSEDED, S.LIFTED, S.REJECTED, S.WITHDRAWN, S.LAPSED, S.VOID, S.FAILED,
)  # fmt: skip

TABLE: dict[tuple[State, Event], State] = {
    (S.DRAFT, E.PROPOSE): S.PROPOSED,
    **{(state, E.VOTE): S.COLLECTING for state in UNDECIDED},
    (S.COLLECTING, E.QUORUM): S.APPROVED,
    (S.COLLECTING, E.BLOCK): S.BLOCKED,
    (S.COLLECTING, E.REJECT): S.REJECTED,
    **{(state, E.WITHDRAW): S.WITHDRAWN for state in UNDECIDED},
    **{(state, E.APPROVALS_OVER): S.LAPSED for state in UNDECIDED},
    **{(state, E.CHANGED): S.VOID for state in (*UNDECIDED, *COMING)},
    (S.EFFECTIVE, E.CHANGED): S.VOID,  # only what a withheld geometry shows to be false
    (S.APPROVED, E.WITNESSED): S.SCHEDULED,
    (S.EFFECTIVE, E.WITNESSED): S.EFFECTIVE,  # an emergency activation, within its hour
    (S.SCHEDULED, E.START): S.EFFECTIVE,
    (S.APPROVED, E.START): S.EFFECTIVE,  # an emergency activation waits for no witness
    (S.APPROVED, E.UNWITNESSED): S.LAPSED,
    (S.EFFECTIVE, E.UNWITNESSED): S.LAPSED,
    **{(state, E.EXPIRE): S.LAPSED for state in COMING},
    (S.EFFECTIVE, E.EXPIRE): S.EXPIRED,
    **{(state, E.SUPERSEDE): S.SUPERSEDED for state in (*COMING, S.EFFECTIVE)},
    **{(state, E.LIFT): S.LIFTED for state in (*COMING, S.EFFECTIVE)},
    **{(state, E.FAIL): S.FAILED for state in (*COMING, S.EFFECTIVE)},
}


@dataclass(frozen=True)
class Step:
    """One step of a directive's story; time in s since 1970 UTC."""

    state: State
    at_s: int
    entry: int | None  # of the log; None where time alone brought it
    why: str


def can(state: State, event: Event) -> bool:
    """Return whether an event changes anything in a state."""
    return (state, event) in TABLE


def next_state(directive_id: str, story: Sequence[Step], event: Event) -> State:
    """Return the state after an event, for a directive with this story."""
    state = story[-1].state if story else State.DRAFT
    if not can(state, event):
        raise InputError(
            f'directive "{directive_id}": {event} is no step from {state} ({_told(story)}); '
            f"{_advice(state)}"
        )
    return TABLE[state, event]


def _told(story: Sequence[Step]) -> str:
    steps = [
        f"{step.state} by {'time' if step.entry is None else f'entry {step.entry}'}"
        for step in story
    ]
    return ", then ".join(steps) or "nothing is logged of it"


def _advice(state: State) -> str:
    if state is State.DRAFT:
        return "propose it first"
    if state in ENDED:
        return "propose a new directive"
    if state in UNDECIDED:
        return "it is not decided yet"
    return "it is decided; propose another directive to change that"
