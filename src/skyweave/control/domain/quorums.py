"""Who must sign what: a charter's needs and an agreement's parties, counted by `policy.threshold`.

Votes here are those whose signatures held.  An answer says who counted and what is missing; a role
that has too few keys left in their time is answered alike, never by an exception.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from skyweave.control.domain.charters import AUTHORITY, role_name, role_of
from skyweave.control.domain.documents import AgreementRecord, Charter, Need, Route
from skyweave.control.domain.keyring import records_of
from skyweave.errors import InputError
from skyweave.policy import threshold
from skyweave.policy.threshold import Choice, Group, Key, Question, Quorum, Role, Vote


@dataclass(frozen=True)
class Poll:
    """A question, the votes on it, and what the log has revoked: all that counting needs."""

    question: Question
    votes: Sequence[Vote]
    revoked: Mapping[str, int]  # entry by key id

    @classmethod
    def of_signers(
        cls, key_ids: Iterable[str], charter: Charter, at_s: int, at_entry: int,
        revoked: Mapping[str, int],
    ) -> "Poll":  # fmt: skip
        """Return the poll of those who signed one document together: each said yes to it."""
        votes = [
            Vote(key_id, "document", charter.version, Choice.APPROVE, at_s, at_s + 1)
            for key_id in key_ids
        ]
        return cls(Question("document", charter.version, at_s, at_entry), votes, revoked)


def needs_of(route: Route, *, is_licensed: bool) -> tuple[Need, ...]:
    """Return all needs of a route; `is_licensed`: the region needs a licence."""
    return (*route.needs, *(route.authority_needs if is_licensed else ()))


def names_authority(needs: Iterable[Need]) -> bool:
    """Return whether a directive under these needs must name an administration."""
    return any(need.role == AUTHORITY for need in needs)


def need_quorum(charter: Charter, need: Need, poll: Poll, administration: str = "") -> Quorum:
    """Return whether votes meet a need of the charter."""
    try:
        role = role_of(charter, need, poll.revoked, poll.question.at_s, administration)
    except InputError as error:
        return _unmeetable(role_name(need, administration), need.people, error)
    return threshold.evaluate(role, poll.votes, poll.question)


def agreement_quorum(
    charter: Charter, record: AgreementRecord, poll: Poll, *, every_party: bool = False
) -> Quorum:
    """Return whether an agreement's own quorum voted for; `every_party`: each of its parties."""
    name = f"agreement {record.agreement_id}"
    keys = tuple(_party_keys(charter, record.parties, poll))
    parties = record.parties if every_party else ()
    groups = tuple(Group(each, _ids_of(keys, each), 1) for each in parties)
    try:
        role = Role(name, keys, record.people, record.people, record.organisations, groups)
    except InputError as error:
        return _unmeetable(name, record.people, error)
    return threshold.evaluate(role, poll.votes, poll.question)


def approvers(quorums: Iterable[Quorum]) -> tuple[Key, ...]:
    """Return everyone who counted for, each key once, ascending."""
    found = {key.key_id: key for quorum in quorums for key in quorum.approved}
    return tuple(found[key_id] for key_id in sorted(found))


def refusal_of(vote: Vote, quorums: Iterable[Quorum]) -> threshold.Refusal | None:
    """Return why a vote counts nowhere, None where it counts for some need."""
    why = threshold.Refusal.WRONG_KEY
    for quorum in quorums:
        found = next((refusal for each, refusal in quorum.refused if each is vote), None)
        if found is None:
            return None
        # That the key is of another role says least: some role says so of every vote.
        why = why if found is threshold.Refusal.WRONG_KEY else found
    return why


def _party_keys(charter: Charter, parties: Collection[str], poll: Poll) -> Iterable[Key]:
    for key_id, record in records_of(charter).items():
        in_time = record.not_before_s <= poll.question.at_s < record.not_after_s
        if in_time and record.organisation in parties:
            yield Key(key_id, record.person, record.organisation, poll.revoked.get(key_id))


def _ids_of(keys: Iterable[Key], organisation: str) -> frozenset[str]:
    return frozenset(key.key_id for key in keys if key.organisation == organisation)


def _unmeetable(name: str, people: int, error: InputError) -> Quorum:
    return Quorum(name, people, (), (), (), (str(error),), can_be_met=False)
