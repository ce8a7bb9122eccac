"""Quorums: every small case, and random ones against a model that was written another way."""

import itertools
import random
from dataclasses import FrozenInstanceError, fields, replace

import pytest

from skyweave.errors import InputError
from skyweave.policy.threshold import (
    CLOCK_TOLERANCE_S,
    MAX_KEYS,
    MAX_VOTES,
    Choice,
    Group,
    Key,
    Question,
    Refusal,
    Role,
    Vote,
    evaluate,
    require,
)

NOW_S = 1_790_000_000
QUESTION = Question("sha256:this", 3, NOW_S, at_entry=100, proposer="paula")


def vote(key_id, decision=Choice.APPROVE, **changed):
    cast = Vote(key_id, QUESTION.digest, 3, decision, NOW_S - 60, NOW_S + 3600)
    return replace(cast, **changed)


def people(count, revoked=()):
    """Return keys of people 0..count-1, two each, of as many organisations."""
    return tuple(
        Key(f"{hand}{n}", f"person{n}", f"org{n}", 50 if n in revoked else None)
        for n in range(count)
        for hand in "ab"
    )


def role_of(count, threshold, **more):
    return Role("test", people(count), threshold, **more)


CAST = {
    "ok": lambda n: [vote(f"a{n}")],
    "wrong key": lambda n: [vote(f"stranger{n}")],
    "duplicate key": lambda n: [vote(f"a{n}"), vote(f"a{n}", signed_at_s=NOW_S - 30)],
    "same person": lambda n: [vote(f"a{n}"), vote(f"b{n}")],
    "revoked": lambda n: [vote(f"a{n}"), vote(f"b{n}")],
    "expired": lambda n: [vote(f"a{n}", expires_s=NOW_S)],
    "wrong digest": lambda n: [vote(f"a{n}", digest="sha256:that")],
    "old charter": lambda n: [vote(f"a{n}", charter_version=2)],
}
COUNTS_ONCE = {"ok", "duplicate key", "same person"}
FAULTS = [state for state in CAST if state != "ok"]
WHY = {
    "wrong key": Refusal.WRONG_KEY,
    "duplicate key": Refusal.DUPLICATE_KEY,
    "same person": Refusal.SAME_PERSON,
    "revoked": Refusal.REVOKED,
    "expired": Refusal.EXPIRED,
    "wrong digest": Refusal.WRONG_DIGEST,
    "old charter": Refusal.OLD_CHARTER,
}


def is_wrong(count, threshold, states):
    """Return whether `evaluate` errs for members in these states ("" did not vote)."""
    revoked = [n for n, state in enumerate(states) if state == "revoked"]
    votes = [cast for n, state in enumerate(states) if state for cast in CAST[state](n)]
    found = evaluate(Role("test", people(count, revoked), threshold), votes, QUESTION)
    heard = {f"person{n}" for n, state in enumerate(states) if state in COUNTS_ONCE}
    expected_whys = sorted(
        WHY[state] for state in states if state in WHY for _ in range(1 + (state == "revoked"))
    )
    return (
        bool(found) != (len(heard) >= threshold)
        or sorted(key.person for key in found.approved) != sorted(heard)
        or sorted(why for _, why in found.refused) != expected_whys
        or found.rejected != ()
        or found.can_be_met != (count - len(revoked) >= threshold)
    )


def test_every_subset_with_every_fault_is_counted_right(full_counts, record_figure):
    """Any members approve and any of the others err in one way; then all mixtures of ways."""
    largest = 7 if full_counts else 4
    wrong = cases = 0
    for count in range(1, largest + 1):
        per_fault = {
            tuple({"": "", "ok": "ok", "bad": fault}[s] for s in states)
            for states in itertools.product(("", "ok", "bad"), repeat=count)
            for fault in FAULTS
        }
        mixed = set(itertools.combinations_with_replacement(("", *CAST), count))
        for states in per_fault | mixed:
            for threshold in range(1, count + 1):
                wrong += is_wrong(count, threshold, states)
                cases += 1
    record_figure(
        f"quorums: wrong of {cases} cases, all with up to {largest} people", wrong, "", "0"
    )
    assert wrong == 0


def random_case(rng):
    count = rng.randint(1, 8)
    keys = tuple(
        Key(f"k{n}", f"p{rng.randrange(6)}", f"o{rng.randrange(4)}",
            rng.choice([None, None, 9, 10, 11]))
        for n in range(count)
    )  # fmt: skip
    ids = [key.key_id for key in keys]
    group = Group("some", frozenset(rng.sample(ids, rng.randint(1, count))), 1)
    people_in = len({key.person for key in keys})
    orgs_in = len({key.organisation for key in keys})
    role = Role(
        "random", keys, rng.randint(1, people_in), rng.randint(1, people_in),
        rng.randint(1, orgs_in), (group,) if rng.random() < 0.4 else (),
    )  # fmt: skip
    votes = [
        Vote(
            rng.choice([*ids, "stranger"]),
            rng.choice(["this"] * 15 + ["that"]),
            rng.choice([3] * 15 + [2, 4]),
            rng.choice([Choice.APPROVE, Choice.APPROVE, Choice.REJECT]),
            1000 + rng.choice([-2, -1, 0, 300, 301]),
            1000 + rng.choice([-1, 0, 1, 50]),
        )
        for _ in range(rng.randrange(20))
    ]
    return role, votes, Question("this", 3, 1000, 10, rng.choice(["", "p0", "p1"]))


def model(role, votes, question):
    """Return (met, who approved, who rejected), told person by person."""
    verdict = {}
    for person in {key.person for key in role.keys} - {question.proposer}:
        held = {
            key.key_id: key
            for key in role.keys
            if key.person == person
            and not (key.revoked_at_entry is not None and key.revoked_at_entry <= 9)
        }
        said = [
            (v.signed_at_s, v.decision == "reject", v.expires_s, v.key_id)
            for v in votes
            if v.key_id in held and (v.digest, v.charter_version) == ("this", 3)
            and v.signed_at_s <= 1300
        ]  # fmt: skip
        if said and max(said)[2] > 1000:
            verdict[person] = (max(said)[1], held[max(said)[3]])
    yes = [key for is_against, key in verdict.values() if not is_against]
    met = (
        len(yes) >= role.threshold
        and len(yes) >= role.min_distinct_people
        and len({key.organisation for key in yes}) >= role.min_distinct_orgs
        and all(sum(k.key_id in g.key_ids for k in yes) >= g.threshold for g in role.groups)
    )
    return met, {k.key_id for k in yes}, {k.key_id for no, k in verdict.values() if no}


def test_random_cases_agree_with_an_independent_model(full_counts, record_figure):
    rng = random.Random(6)
    count = 100_000 if full_counts else 2_000
    wrong = met = 0
    for _ in range(count):
        role, votes, question = random_case(rng)
        found = evaluate(role, votes, question)
        approved, rejected = ({k.key_id for k in side} for side in (found.approved, found.rejected))
        wrong += (bool(found), approved, rejected) != model(role, votes, question)
        wrong += len(found.refused) + len(approved) + len(rejected) != len(votes)
        met += bool(found)
    record_figure(f"quorums: {count} random cases unlike the reference model", wrong, "", "0")
    assert wrong == 0
    assert met > count / 40


def test_the_order_of_votes_changes_nothing():
    rng = random.Random(7)
    for _ in range(300):
        role, votes, question = random_case(rng)
        first = evaluate(role, votes, question)
        rng.shuffle(votes)
        again = evaluate(role, votes, question)
        assert (first.approved, first.rejected) == (again.approved, again.rejected)
        assert first.missing == again.missing


def test_the_same_vote_sent_twice_counts_once_and_is_accounted_for():
    found = evaluate(role_of(2, 2), [vote("a0")] * 2, QUESTION)
    assert [why for _, why in found.refused] == [Refusal.DUPLICATE_KEY]
    assert found.missing == ("1 of 2 people",)


def test_nobody_changes_a_vote_or_its_count_afterwards():
    group = Group("some", frozenset({"a0"}), 1)
    role, cast = role_of(1, 1, groups=(group,)), vote("a0")
    for record in (role.keys[0], group, role, cast, QUESTION, evaluate(role, [cast], QUESTION)):
        with pytest.raises(FrozenInstanceError):
            setattr(record, fields(record)[0].name, "another")


def test_one_signature_of_three_says_what_is_missing():
    found = evaluate(role_of(5, 3, min_distinct_orgs=2), [vote("a1")], QUESTION)
    assert not found
    assert found.missing == ("1 of 3 people", "1 of 2 organisations")
    assert found.people_needed == 3
    assert found.role == "test"


def test_people_of_one_organisation_are_not_enough():
    """An executive and all who depend on him are one organisation."""
    keys = tuple(Key(f"k{n}", f"p{n}", "operator" if n < 4 else "other") for n in range(5))
    role = Role("suspend", keys, 3, min_distinct_orgs=2)
    votes = [vote(f"k{n}") for n in range(4)]
    assert evaluate(role, votes, QUESTION).missing == ("1 of 2 organisations",)
    assert evaluate(role, [*votes, vote("k4")], QUESTION)


def test_a_group_must_be_among_those_that_approve():
    group = Group("the region's authority", frozenset({"a4", "b4"}), 1)
    role = role_of(5, 2, groups=(group,))
    without = evaluate(role, [vote("a0"), vote("a1")], QUESTION)
    assert without.missing == ("0 of 1 people of the region's authority",)
    assert evaluate(role, [vote("a0"), vote("b4")], QUESTION)


def test_the_people_of_a_group_are_counted_once_each():
    role = role_of(3, 1, groups=(Group("two", frozenset({"a0", "b0", "a1"}), 2),))
    assert evaluate(role, [vote("a0"), vote("b0"), vote("a2")], QUESTION).missing
    assert evaluate(role, [vote("a0"), vote("a1")], QUESTION)


def test_more_distinct_people_than_the_threshold_may_be_asked():
    role = role_of(4, 2, min_distinct_people=3)
    assert evaluate(role, [vote("a0"), vote("a1")], QUESTION).missing == ("2 of 3 people",)


def test_who_proposed_does_not_count_with_any_key():
    keys = (*people(2), Key("pa", "paula", "org0"), Key("pb", "paula", "org1"))
    found = evaluate(Role("test", keys, 3), [vote("pa"), vote("pb"), vote("a0")], QUESTION)
    assert [why for _, why in found.refused] == [Refusal.PROPOSER] * 2
    assert found.missing == ("1 of 3 people",)
    assert not found.can_be_met


@pytest.mark.parametrize(("revoked", "counts"), [(99, False), (100, True), (None, True)])
def test_revocation_goes_by_the_order_of_the_log(revoked, counts):
    role = Role("test", (Key("k", "p", "o", revoked),), 1)
    early = vote("k", signed_at_s=NOW_S - 100_000)  # a date that a thief wrote helps nothing
    assert bool(evaluate(role, [early], QUESTION)) is counts


@pytest.mark.parametrize(("left_s", "counts"), [(0, False), (1, True)])
def test_a_vote_counts_until_the_second_it_expires(left_s, counts):
    cast = vote("a0", expires_s=NOW_S + left_s)
    assert bool(evaluate(role_of(1, 1), [cast], QUESTION)) is counts


@pytest.mark.parametrize(("ahead_s", "counts"), [(0, True), (1, False)])
def test_a_clock_may_be_five_minutes_ahead(ahead_s, counts):
    cast = vote("a0", signed_at_s=NOW_S + CLOCK_TOLERANCE_S + ahead_s)
    found = evaluate(role_of(1, 1), [cast], QUESTION)
    assert bool(found) is counts
    assert [why for _, why in found.refused] == [] if counts else [Refusal.SIGNED_LATER]


def test_a_later_rejection_takes_an_approval_back():
    rejection = vote("b0", Choice.REJECT, signed_at_s=NOW_S)
    found = evaluate(role_of(1, 1), [rejection, vote("a0")], QUESTION)
    assert [key.key_id for key in found.rejected] == ["b0"]
    assert [why for _, why in found.refused] == [Refusal.SAME_PERSON]
    assert not found.can_be_met


def test_an_old_approval_sent_again_does_not_undo_a_rejection():
    rejection = vote("a0", Choice.REJECT, signed_at_s=NOW_S)
    for votes in ([vote("a0"), rejection, vote("a0")], [rejection, vote("a0")]):
        assert not evaluate(role_of(1, 1), votes, QUESTION)


def test_an_approval_does_not_come_back_when_the_rejection_expires():
    rejection = vote("a0", Choice.REJECT, signed_at_s=NOW_S - 1, expires_s=NOW_S - 1)
    assert not evaluate(role_of(1, 1), [vote("a0"), rejection], QUESTION)


def test_in_the_same_second_the_rejection_is_heard():
    for votes in itertools.permutations([vote("a0", Choice.REJECT), vote("b0")]):
        assert evaluate(role_of(1, 1), votes, QUESTION).rejected


def test_too_many_rejections_end_the_question():
    votes = [vote(f"a{n}", Choice.REJECT) for n in range(3)]
    assert evaluate(role_of(5, 3), votes[:2], QUESTION).can_be_met
    assert not evaluate(role_of(5, 3), votes, QUESTION).can_be_met


def test_a_missing_quorum_is_refused_in_one_line_that_says_why():
    votes = [vote("a0"), vote("a1", expires_s=NOW_S), vote("a2", expires_s=NOW_S)]
    with pytest.raises(InputError) as refusal:
        require(role_of(3, 2), votes, QUESTION)
    assert str(refusal.value) == (
        "test: no quorum: so far 1 of 2 people; not counted: the vote has expired"
    )
    with pytest.raises(InputError, match=r"so far 0 of 2 people, 0 of 1 organisations$"):
        require(role_of(3, 2), [], QUESTION)
    assert require(role_of(3, 2), [vote("a0"), vote("b2")], QUESTION)


@pytest.mark.parametrize("why", Refusal)
def test_every_refusal_says_itself_in_plain_words(why):
    assert 15 <= len(why.text) <= 80
    assert "_" not in why.text


ROLES_REFUSED = {
    "too high": (lambda: role_of(2, 3), r"can never be met, its keys make 2 of 3 people; lower"),
    "too many organisations": (lambda: role_of(2, 1, min_distinct_orgs=3), "2 of 3 organisations"),
    "zero": (lambda: role_of(2, 0), "a threshold of 0; nothing is decided by nobody"),
    "no organisation": (lambda: role_of(2, 1, min_distinct_orgs=0), "a threshold of 0"),
    "no person": (lambda: role_of(2, 1, min_distinct_people=-1), "a threshold of -1"),
    "an idle group": (
        lambda: role_of(2, 1, groups=(Group("g", frozenset({"a0"}), 0),)), "a threshold of 0",
    ),
    "a foreign group": (
        lambda: role_of(2, 1, groups=(Group("g", frozenset({"x"}), 1),)), "g has keys that the",
    ),
    "a small group": (
        lambda: role_of(2, 1, groups=(Group("g", frozenset({"a0"}), 2),)), "1 of 2 people of g",
    ),
    "twice": (lambda: Role("test", people(1) * 2, 1), "a key is listed twice"),
    "many": (lambda: Role("test", people(MAX_KEYS), 1), "2,000 keys; a role has at most 1,000"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "text"), ROLES_REFUSED.values(), ids=ROLES_REFUSED.keys())
def test_a_role_that_cannot_work_is_refused_with_advice(make, text):
    with pytest.raises(InputError, match=text):
        make()


def test_the_size_limits_themselves_are_allowed():
    role = Role("test", people(MAX_KEYS // 2), 1)
    assert evaluate(role, [vote("a0")] * MAX_VOTES, QUESTION)
    with pytest.raises(InputError, match="10,001 votes; at most 10,000 are read"):
        evaluate(role, [vote("a0")] * (MAX_VOTES + 1), QUESTION)
