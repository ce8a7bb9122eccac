"""Quorums: do these votes make M of N people, from enough organisations, and if not, why not.

One person has one vote, however many keys; of several the newest word counts, so a change of mind
is heard and an old approval that somebody sends again is not.  Who proposed does not count.
Whether a key was revoked is decided by the order of entries in the log, never by a clock.
Signatures are checked before: a vote here is one whose signature by `key_id` held.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from skyweave.errors import InputError

MAX_KEYS = 1_000
MAX_VOTES = 10_000
CLOCK_TOLERANCE_S = 300  # between a signer's clock and that of the checkpoint


class Choice(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"


class Refusal(StrEnum):
    """Why a vote does not count; `.text` says it for people."""

    WRONG_KEY = "wrong_key"
    WRONG_DIGEST = "wrong_digest"
    OLD_CHARTER = "old_charter"
    PROPOSER = "proposer"
    REVOKED = "revoked"
    SIGNED_LATER = "signed_later"
    EXPIRED = "expired"
    DUPLICATE_KEY = "duplicate_key"
    SAME_PERSON = "same_person"

    @property
    def text(self) -> str:
        """One line of plain English, without a full stop."""
        return _TEXT[self]


_TEXT = {
    Refusal.WRONG_KEY: "the key does not belong to this role",
    Refusal.WRONG_DIGEST: "the vote is on another text",
    Refusal.OLD_CHARTER: "the vote names another version of the charter",
    Refusal.PROPOSER: "who proposed a directive does not vote on it",
    Refusal.REVOKED: "the key was revoked earlier in the log",
    Refusal.SIGNED_LATER: "the vote is dated later than the log",
    Refusal.EXPIRED: "the vote has expired",
    Refusal.DUPLICATE_KEY: "a newer vote by the same key takes its place",
    Refusal.SAME_PERSON: "a newer vote by the same person, with another key, takes its place",
}


@dataclass(frozen=True)
class Key:
    """A key of a role: whose it is, and where in the log it was revoked."""

    key_id: str
    person: str
    organisation: str
    revoked_at_entry: int | None = None  # index of the entry that revokes it


@dataclass(frozen=True)
class Group:
    """Keys of a role of which some must be among those that approve: "one region authority"."""

    name: str
    key_ids: frozenset[str]
    threshold: int


@dataclass(frozen=True)
class Role:
    """Who may decide: `threshold` of its people, and whatever else must hold of them."""

    name: str
    keys: tuple[Key, ...]
    threshold: int
    min_distinct_people: int = 1
    min_distinct_orgs: int = 1
    groups: tuple[Group, ...] = ()

    def __post_init__(self) -> None:
        _check_role(self)

    @property
    def people_needed(self) -> int:
        """How many people must approve: one person has one vote, so both limits count people."""
        return max(self.threshold, self.min_distinct_people)


@dataclass(frozen=True)
class Vote:
    """What one key signed: a choice on one text under one charter; times in s since 1970 UTC."""

    key_id: str
    digest: str
    charter_version: int
    decision: Choice
    signed_at_s: int
    expires_s: int


@dataclass(frozen=True)
class Question:
    """What is voted on, and where the log stands: `at_entry` entries precede this moment."""

    digest: str
    charter_version: int
    at_s: int  # time of the checkpoint, s since 1970 UTC
    at_entry: int
    proposer: str = ""  # a person; "" where nobody proposed


@dataclass(frozen=True)
class Quorum:
    """The reasoned answer: truthy where the quorum is met."""

    role: str
    people_needed: int
    approved: tuple[Key, ...]  # who counted for, one key a person
    rejected: tuple[Key, ...]  # who counted against
    refused: tuple[tuple[Vote, Refusal], ...]  # every other vote, in the order given
    missing: tuple[str, ...]  # what is still needed, in words; empty where met
    can_be_met: bool  # False once those left who did not reject are too few

    def __bool__(self) -> bool:
        return not self.missing


def evaluate(role: Role, votes: Sequence[Vote], question: Question) -> Quorum:
    """Return whether votes decide a question for a role, who counted, and why the others did not.

    The answer does not depend on the order of the votes.
    """
    if len(votes) > MAX_VOTES:
        raise InputError(
            f"{role.name}: {len(votes):,} votes; at most {MAX_VOTES:,} are read: leave out repeats"
        )
    keys = {key.key_id: key for key in role.keys}
    refusals = {n: _refusal(vote, keys, question) for n, vote in enumerate(votes)}
    valid = [n for n, refusal in refusals.items() if refusal is None]
    last = _last_words(valid, votes, keys)
    for n in valid:
        newest = last[keys[votes[n].key_id].person]
        refusals[n] = (
            _refusal_at(question, votes[n])
            if n == newest
            else _refusal_beside(votes[n], votes[newest])
        )
    counted = [n for n in sorted(last.values()) if refusals[n] is None]
    approved = _voters(counted, votes, keys, Choice.APPROVE)
    rejected = _voters(counted, votes, keys, Choice.REJECT)
    refused = tuple((votes[n], why) for n, why in refusals.items() if why is not None)
    return Quorum(
        role.name,
        role.people_needed,
        approved,
        rejected,
        refused,
        tuple(_missing(role, approved)),
        not any(_missing(role, _open_keys(role, rejected, question))),
    )


def require(role: Role, votes: Sequence[Vote], question: Question) -> Quorum:
    """Return the quorum where it is met; refuse, saying what is missing, where it is not."""
    quorum = evaluate(role, votes, question)
    if not quorum:
        reasons = dict.fromkeys(why.text for _, why in quorum.refused)
        unheard = f"; not counted: {'; '.join(reasons)}" if reasons else ""
        raise InputError(f"{role.name}: no quorum: so far {', '.join(quorum.missing)}{unheard}")
    return quorum


def _refusal(vote: Vote, keys: dict[str, Key], question: Question) -> Refusal | None:
    """Return why a vote does not count whatever else was voted, the first reason that holds."""
    key = keys.get(vote.key_id)
    if key is None:
        return Refusal.WRONG_KEY
    if vote.digest != question.digest:
        return Refusal.WRONG_DIGEST
    if vote.charter_version != question.charter_version:
        return Refusal.OLD_CHARTER
    if key.person == question.proposer:
        return Refusal.PROPOSER
    if _is_revoked(key, question):
        return Refusal.REVOKED
    if vote.signed_at_s > question.at_s + CLOCK_TOLERANCE_S:
        return Refusal.SIGNED_LATER
    return None


def _is_revoked(key: Key, question: Question) -> bool:
    return key.revoked_at_entry is not None and key.revoked_at_entry < question.at_entry


def _last_words(
    valid: Iterable[int], votes: Sequence[Vote], keys: dict[str, Key]
) -> dict[str, int]:
    """Return each person's newest vote; of two of the same second the rejection, then a fixed one.

    Expired votes take part: an approval does not come back because a later rejection has expired.
    """

    def recency(n: int) -> tuple[int, bool, int, str]:
        vote = votes[n]
        return vote.signed_at_s, vote.decision is Choice.REJECT, vote.expires_s, vote.key_id

    last: dict[str, int] = {}
    for n in valid:
        person = keys[votes[n].key_id].person
        if person not in last or recency(n) > recency(last[person]):
            last[person] = n
    return last


def _refusal_at(question: Question, vote: Vote) -> Refusal | None:
    return Refusal.EXPIRED if vote.expires_s <= question.at_s else None


def _refusal_beside(vote: Vote, newest: Vote) -> Refusal:
    """Return why a vote does not count beside the newest of its person."""
    return Refusal.DUPLICATE_KEY if vote.key_id == newest.key_id else Refusal.SAME_PERSON


def _voters(
    counted: Iterable[int], votes: Sequence[Vote], keys: dict[str, Key], choice: Choice
) -> tuple[Key, ...]:
    found = [keys[votes[n].key_id] for n in counted if votes[n].decision is choice]
    return tuple(sorted(found, key=lambda key: key.key_id))


def _open_keys(role: Role, rejected: Iterable[Key], question: Question) -> tuple[Key, ...]:
    """Return the keys whose owners may still approve."""
    closed = {key.person for key in rejected} | {question.proposer}
    return tuple(k for k in role.keys if k.person not in closed and not _is_revoked(k, question))


def _missing(role: Role, approved: Collection[Key]) -> Iterator[str]:
    """Yield what is still needed beside these approvals."""
    yield from _short(_people(approved), role.people_needed, "people")
    yield from _short(_organisations(approved), role.min_distinct_orgs, "organisations")
    for group in role.groups:
        inside = _people(key for key in approved if key.key_id in group.key_ids)
        yield from _short(inside, group.threshold, f"people of {group.name}")


def _short(found: set[str], needed: int, of_what: str) -> Iterator[str]:
    if len(found) < needed:
        yield f"{len(found)} of {needed} {of_what}"


def _people(keys: Iterable[Key]) -> set[str]:
    return {key.person for key in keys}


def _organisations(keys: Iterable[Key]) -> set[str]:
    return {key.organisation for key in keys}


def _check_role(role: Role) -> None:
    """Refuse a role that says nothing, or that nobody could ever meet."""
    if len(role.keys) > MAX_KEYS:
        raise InputError(f"{role.name}: {len(role.keys):,} keys; a role has at most {MAX_KEYS:,}")
    key_ids = {key.key_id for key in role.keys}
    if len(key_ids) < len(role.keys):
        raise InputError(f"{role.name}: a key is listed twice; list each key once")
    lowest = min(
        role.threshold, role.min_distinct_people, role.min_distinct_orgs,
        *(group.threshold for group in role.groups), 1,
    )  # fmt: skip
    if lowest < 1:
        raise InputError(f"{role.name}: a threshold of {lowest}; nothing is decided by nobody")
    for group in role.groups:
        if not group.key_ids <= key_ids:
            raise InputError(f"{role.name}: {group.name} has keys that the role lacks; add them")
    if missing := list(_missing(role, role.keys)):
        raise InputError(
            f"{role.name}: can never be met, its keys make {'; '.join(missing)}; "
            "lower the threshold or add people"
        )
