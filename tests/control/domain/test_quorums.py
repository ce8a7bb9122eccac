"""Needs and parties, counted; `policy.threshold` itself has tests of its own."""

import pytest
from tests.support.made_charter import (
    DAY_S,
    NOON_S,
    MadeLog,
    key_id,
    key_record,
    made_charter,
    made_routes,
    people_of,
)

from skyweave.control.domain.documents import DirectiveKind, Need
from skyweave.control.domain.quorums import (
    Poll,
    agreement_quorum,
    approvers,
    names_authority,
    need_quorum,
    needs_of,
    refusal_of,
)
from skyweave.policy.threshold import Choice, Question, Refusal, Vote

QUESTION = Question("text", 1, NOON_S, 10, "tidewire-2")


def vote(name, choice=Choice.APPROVE, **changes):
    fields = {
        "key_id": key_id(name), "digest": "text", "charter_version": 1, "decision": choice,
        "signed_at_s": NOON_S, "expires_s": NOON_S + DAY_S,
    }  # fmt: skip
    return Vote(**(fields | changes))


def poll(*names, revoked=None, question=QUESTION):
    return Poll(question, tuple(map(vote, names)), revoked or {})


@pytest.fixture(scope="module")
def agreement():
    log = MadeLog()
    return log.agreement_record(log.region_record())


def test_an_activation_asks_officials_only_where_a_licence_is_needed():
    route = next(r for r in made_routes() if r.kind is DirectiveKind.ACTIVATE)
    assert [need.role for need in needs_of(route, is_licensed=False)] == ["council"]
    assert [need.role for need in needs_of(route, is_licensed=True)] == ["council", "authority"]
    assert names_authority(needs_of(route, is_licensed=True))
    assert not names_authority(needs_of(route, is_licensed=False))


def test_officials_of_another_administration_do_not_count():
    need = Need(role="authority", people=1)
    charter = made_charter()
    assert need_quorum(charter, need, poll("amity-office-1"), "AMY")
    nowhere = need_quorum(charter, need, poll("amity-office-1"), "OTH")
    assert not nowhere
    assert not nowhere.can_be_met
    assert 'no role "authority:OTH"' in nowhere.missing[0]


def test_a_need_that_the_living_keys_cannot_meet_is_answered_not_raised():
    names = people_of(("tidewire",), 2)
    ended = {"not_after_s": NOON_S}
    keys = tuple(
        key_record(each.person, each.organisation, **(ended if each.person in names else {}))
        for each in made_charter().keys
    )
    need = Need(role="operator", people=1)
    quorum = need_quorum(made_charter(keys=keys), need, poll("tidewire-1"))
    assert (bool(quorum), quorum.can_be_met, quorum.approved) == (False, False, ())
    assert quorum.role == "operator"


def test_an_agreement_counts_its_parties_and_nobody_else(agreement):
    charter = made_charter()
    both = ("harbour-hospitals-1", "tidewire-1")
    assert agreement_quorum(charter, agreement, poll(*both))
    assert agreement_quorum(charter, agreement, poll("tidewire-1", "island-relief-1")).missing == (
        "1 of 2 people", "1 of 2 organisations",
    )  # fmt: skip
    alone = agreement.model_copy(update={"people": 1, "organisations": 1})
    assert agreement_quorum(charter, alone, poll("tidewire-1"))
    every = agreement_quorum(charter, alone, poll("tidewire-1"), every_party=True)
    assert every.missing == ("0 of 1 people of harbour-hospitals",)


def test_a_party_without_keys_makes_an_agreement_that_nobody_can_lift(agreement):
    stranger = agreement.model_copy(update={"parties": ("tidewire", "nobody")})
    quorum = agreement_quorum(made_charter(), stranger, poll("tidewire-1"))
    assert not quorum
    assert not quorum.can_be_met


def test_keys_of_a_party_out_of_their_time_do_not_count(agreement):
    late = Question("text", 1, NOON_S + 5 * 366 * DAY_S, 10)
    quorum = agreement_quorum(made_charter(), agreement, poll("tidewire-1", question=late))
    assert not quorum.can_be_met


def test_a_revoked_key_of_a_party_does_not_count(agreement):
    both = ("harbour-hospitals-1", "tidewire-1")
    revoked = {key_id("tidewire-1"): 9}
    assert not agreement_quorum(made_charter(), agreement, poll(*both, revoked=revoked))


def test_those_who_sign_one_document_together_are_counted_as_votes():
    charter = made_charter()
    key_ids = [key_id("tidewire-1"), key_id("tidewire-1"), key_id("amity-office-1")]
    together = Poll.of_signers(key_ids, charter, NOON_S, 5, {})
    quorum = need_quorum(charter, charter.root, together)
    assert quorum.missing == ("2 of 3 people", "2 of 3 organisations")


def test_a_vote_counts_nowhere_where_every_need_refuses_it_and_the_telling_reason_is_given():
    charter = made_charter()
    council, operator = Need(role="council", people=2), Need(role="operator", people=1)
    of_relief, own = vote("island-relief-1"), vote("tidewire-2")
    stale = vote("island-relief-1", expires_s=NOON_S)
    votes = Poll(QUESTION, (of_relief, own), {})
    quorums = [need_quorum(charter, need, votes) for need in (operator, council)]
    assert refusal_of(of_relief, quorums) is None
    assert refusal_of(own, quorums) is Refusal.PROPOSER
    quorums = [need_quorum(charter, n, Poll(QUESTION, (stale,), {})) for n in (council, operator)]
    assert refusal_of(stale, quorums) is Refusal.EXPIRED
    assert refusal_of(stale, quorums[1:]) is Refusal.WRONG_KEY


def test_who_counted_for_several_needs_is_named_once():
    charter = made_charter()
    council, operator = Need(role="council", people=2), Need(role="operator", people=1)
    votes = poll("tidewire-1", "island-relief-1")
    quorums = [need_quorum(charter, need, votes) for need in (council, operator)]
    assert sorted(key.person for key in approvers(quorums)) == ["island-relief-1", "tidewire-1"]
