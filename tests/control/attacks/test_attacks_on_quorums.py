"""Attacks on the counting of votes: too few, the wrong ones, the same ones again."""

from dataclasses import replace

from tests.control.attacks.catalogue import Row, attack, weakened, without
from tests.control.attacks.island import (
    DAY_S,
    HOUR_S,
    NOTICE_S,
    PROPOSER,
    approved_by,
    is_off,
    island,
    licensed_island,
    one_rich_in_keys,
    settle,
    stands,
    took_effect,
)
from tests.support.made_charter import key_id, made_charter, made_impact

from skyweave.control.domain import documents
from skyweave.control.domain.machine import State
from skyweave.policy.threshold import Refusal

COUNCIL = ("tidewire-1", "amity-office-1", "harbour-hospitals-1")
FREE_OF_COUNT = without("policy.threshold._short", ())


def blind_to(refusal, **sight):
    """Take one reason for not counting a vote away: the vote is read as if it were in order."""

    def stand_in(original, vote, keys, question):
        found = original(vote, keys, question)
        if found is not refusal:
            return found
        changes = {name: getattr(question, of) for name, of in sight.items()}
        return original(replace(vote, **changes), keys, question)

    return weakened("policy.threshold._refusal", stand_in)


# One hand


@attack(Row.ONE_HAND, FREE_OF_COUNT)
def test_one_person_signs_the_suspension_of_a_region(folder):
    """A whole island would lose its only line because one executive had a bad morning."""
    log, region = island()
    approved_by(log, log.propose("suspend", region, "cut"), "tidewire-1")
    return is_off(log)


@attack(
    Row.ONE_HAND,
    weakened("policy.threshold._organisations", lambda _, keys: {key.person for key in keys}),
)
def test_three_of_one_company_sign_what_needs_two_organisations(folder):
    """The chief of one company would decide through people whom he can dismiss."""
    log, region = island(made_charter(people=4))
    proposal = log.propose("suspend", region, "cut", by="open-waters-1")
    approved_by(log, proposal, "tidewire-1", "tidewire-2", "tidewire-3")
    return is_off(log)


@attack(
    Row.ONE_HAND,
    weakened(
        "policy.threshold._refusal",
        lambda original, vote, keys, question: original(vote, keys, replace(question, proposer="")),
    ),
)
def test_who_proposes_a_cut_votes_for_it_too(folder):
    """One colleague fewer would have to be persuaded, and asked why."""
    log, region = island()
    proposal = log.propose("suspend", region, "cut", by=PROPOSER)
    approved_by(log, proposal, PROPOSER, "amity-office-1", "harbour-hospitals-1")
    return is_off(log)


@attack(Row.ONE_HAND, without("control.domain.rules._refuse_missing_statements"))
def test_two_officials_give_an_order_without_saying_by_what_law(folder):
    """A private wish of two officials would look like law, with nowhere to appeal."""
    log, region = licensed_island()
    proposal = log.propose(
        "suspend", region, "cut", route="order-of-authority", instrument="", appeal=""
    )
    approved_by(log, proposal, "amity-office-1", "amity-office-2")
    return is_off(log)


@attack(Row.ONE_HAND, without("control.domain.rules._refuse_order_beyond_licence"))
def test_officials_order_a_region_dark_that_is_not_theirs(folder):
    """Two officials of one country could switch off another's."""
    log, region = island()
    proposal = log.propose("suspend", region, "cut", route="order-of-authority")
    approved_by(log, proposal, "amity-office-1", "amity-office-2")
    return is_off(log)


@attack(Row.ONE_HAND, without("control.domain.rules._refuse_overlong"))
def test_a_suspension_is_signed_for_a_year(folder):
    """What was agreed to for a month would last until nobody remembers why."""
    log, region = island()
    until_s = log.now_s + 365 * DAY_S
    approved_by(log, log.propose("suspend", region, "cut", until_s=until_s), *COUNCIL)
    return is_off(log, at_s=log.now_s + 300 * DAY_S)


@attack(Row.FREEZE, without("control.domain.rules._refuse_no_end"))
def test_a_suspension_is_signed_without_an_end(folder):
    """If everybody who could end it were gone, the island would stay dark."""
    log, region = island()
    approved_by(log, log.propose("suspend", region, "cut", until_s=None), *COUNCIL)
    return took_effect(log, "cut")


@attack(
    Row.ONE_HAND,
    weakened(
        "control.domain.rules.route_of",
        lambda _, ledger, directive: next(
            r for r in ledger.charter.routes if r.route == directive.route
        ),
    ),
)
def test_a_suspension_takes_the_short_way_of_an_activation(folder):
    """Two signatures and no notice would do for what needs three and three days."""
    log, region = island()
    proposal = log.propose("suspend", region, "cut", route="activate")
    log.approve(proposal, *COUNCIL[:2])
    settle(log, HOUR_S)
    return is_off(log)


# Votes used again


@attack(Row.REPLAY, without("control.domain.rules._refuse_used_id"))
def test_a_lifted_suspension_is_logged_once_more_with_its_old_votes(folder):
    """People would be cut off again by votes that were cast for something that is over."""
    log, region = island()
    approved_by(log, log.propose("suspend", region, "cut"), *COUNCIL)
    old = [envelope for _, envelope in log.signed[-4:]]
    log.append(documents.Lift(directive_id="cut", reason="over"), "tidewire-1")
    for envelope in old:
        log.append_envelope(envelope)
    settle(log)
    return is_off(log)


@attack(Row.REPLAY, without("policy.threshold._refusal_at"))
def test_votes_are_kept_in_a_drawer_until_their_day_has_passed(folder):
    """A yes that was given for one week would be used in the next crisis."""
    log, region = island()
    proposal = log.propose("suspend", region, "cut")
    votes = [log.sign(log.ballot(proposal, expires_s=log.now_s + HOUR_S), n) for n in COUNCIL]
    log.wait(DAY_S)
    for envelope in votes:
        log.append_envelope(envelope)
    settle(log)
    return is_off(log)


@attack(Row.REPLAY, blind_to(Refusal.SIGNED_LATER, signed_at_s="at_s"))
def test_a_vote_is_dated_ahead_so_that_it_stays_the_newest(folder):
    """Whoever changed their mind could not take the vote back."""
    log, region = island()
    proposal = log.propose("suspend", region, "cut")
    log.vote(proposal, COUNCIL[0], signed_s=log.now_s + DAY_S)
    log.approve(proposal, *COUNCIL[1:])
    settle(log)
    return is_off(log)


@attack(
    Row.REPLAY,
    weakened(
        "policy.threshold._last_words",
        lambda _, valid, votes, keys: {keys[votes[n].key_id].person: n for n in valid},
    ),
)
def test_an_approval_that_was_taken_back_is_logged_again(folder):
    """A change of mind would not be heard."""
    log, region = island()
    proposal = log.propose("suspend", region, "cut")
    index = log.vote(proposal, COUNCIL[0])
    log.vote(proposal, COUNCIL[0], "reject")
    log.append_envelope(log.signed[index][1])
    log.approve(proposal, *COUNCIL[1:])
    settle(log)
    return is_off(log)


@attack(
    Row.REPLAY,
    without("control.domain.rules._refuse_endless_collecting"),
    without("control.domain.rules._refuse_far_start"),
)
def test_approvals_are_collected_for_years(folder):
    """A half-signed cut would lie in a drawer as a threat."""
    log, region = island()
    later_s = 700 * DAY_S
    proposal = log.propose(
        "suspend", region, "cut", approvals_until_s=log.now_s + 2 * later_s,
        from_s=log.now_s + later_s, until_s=log.now_s + later_s + 20 * DAY_S,
    )  # fmt: skip
    log.wait(later_s)
    approved_by(log, proposal, *COUNCIL)
    return is_off(log)


@attack(Row.REPLAY, without("control.domain.rules._refuse_far_start"))
def test_a_cut_is_approved_today_for_a_day_years_ahead(folder):
    """People would live under a cut that was decided when nobody thought of them."""
    log, region = island()
    ahead_s = 700 * DAY_S
    starts_s = log.now_s + ahead_s
    cut = {"from_s": starts_s, "until_s": starts_s + 20 * DAY_S}
    approved_by(log, log.propose("suspend", region, "cut", **cut), *COUNCIL)
    return is_off(log, at_s=starts_s + DAY_S)


# Another text than was voted on


@attack(Row.SWAP, blind_to(Refusal.WRONG_DIGEST, digest="digest"))
def test_votes_on_a_day_s_suspension_are_used_for_a_month_s(folder):
    """People would lose service for a month because three agreed to a day."""
    log, region = island()
    shown = log.proposal("suspend", region, "cut", until_s=log.now_s + 5 * DAY_S)
    log.propose("suspend", region, "cut")
    for name in COUNCIL:
        log.append(log.ballot(shown), name)
    settle(log, NOTICE_S + 5 * DAY_S)
    return is_off(log)


@attack(Row.SWAP, without("control.domain.rules._refuse_missing_impact"))
def test_a_cut_is_voted_on_without_a_report_of_whom_it_cuts(folder):
    """The hospital on the island would be nobody's concern, because nobody was told."""
    log, region = island()
    directive = log.directive("suspend", region, "cut")
    proposal = documents.Proposal(directive=directive, impact=None)
    log.append(proposal, PROPOSER)
    approved_by(log, proposal, *COUNCIL)
    return is_off(log)


@attack(Row.SWAP, without("control.domain.rules._refuse_impact_of_another"))
def test_a_cut_is_voted_on_with_the_report_of_a_smaller_one(folder):
    """Three people would sign for a pier what switches off the island."""
    log, region = island()
    smaller = made_impact(log.directive("suspend", region, "pier"))
    proposal = log.proposal("suspend", region, "cut", impact=log.put(smaller))
    log.append(proposal, PROPOSER)
    approved_by(log, proposal, *COUNCIL)
    return is_off(log)


@attack(
    Row.SWAP,
    weakened("control.domain.objects.content_of", lambda _, objects, digest, what: objects[digest]),
    weakened("control.domain.rules.content_of", lambda _, objects, digest, what: objects[digest]),
)
def test_the_report_is_replaced_after_it_was_signed(folder):
    """Readers would see a harmless report beside a cut that three people regretted."""
    log, region = island()
    directive = log.directive("suspend", region, "cut")
    report = made_impact(directive, terminals={"loses service": 1_200})
    proposal = documents.Proposal(directive=directive, impact=log.put(report))
    log.objects[proposal.impact] = made_impact(directive, terminals={})
    log.append(proposal, PROPOSER)
    approved_by(log, proposal, *COUNCIL)
    return is_off(log)


@attack(
    Row.SWAP,
    weakened(
        "control.signing.dsse.pre_authentication_encoding",
        lambda original, kind, payload: original("document", payload),
    ),
    weakened(
        "control.domain.acts.parse_document",
        lambda original, content, model, source: original(
            content.replace(b"withdrawal.v1", b"lift.v1"), model, source
        ),
    ),
)
def test_what_was_signed_as_one_thing_is_logged_as_another(folder):
    """A suspension would end by a paper that somebody signed to take back a mere proposal."""
    log, region = island()
    approved_by(log, log.propose("suspend", region, "cut"), *COUNCIL)
    signed = log.sign(documents.Withdrawal(directive_id="cut", reason="no"), "tidewire-1")
    lift = documents.Lift.payload_type()
    log.append_envelope(replace(signed, payload_type=lift))
    return stands(log, "cut", State.LIFTED)


# One voter as several


def every_key_a_person(original, *role):
    """A role whose keys are each taken for a person of their own."""
    found = original(*role)
    return replace(found, keys=tuple(replace(key, person=key.key_id) for key in found.keys))


@attack(Row.MANY_KEYS, weakened("control.domain.quorums.role_of", every_key_a_person))
def test_one_person_votes_with_three_keys(folder):
    """A laptop, a telephone and a card in one pocket would be a quorum."""
    log, region = island(one_rich_in_keys())
    proposal = log.propose("suspend", region, "cut", by="open-waters-1")
    approved_by(log, proposal, "tidewire-1", "tidewire-1b", "amity-office-1")
    return is_off(log)


@attack(
    Row.MANY_KEYS,
    without("policy.threshold._is_revoked", False),
    without("control.domain.acts._is_revoked", False),
)
def test_a_revoked_key_goes_on_voting(folder):
    """A thief's vote would count although its owner had cried out in public."""
    log, region = island()
    log.append(
        documents.Revocation(key_id=key_id("harbour-hospitals-1"), reason="stolen"),
        "harbour-hospitals-1",
    )
    approved_by(log, log.propose("suspend", region, "cut"), *COUNCIL)
    return is_off(log)


@attack(Row.MANY_KEYS, without("control.signing.keys.PublicKey.verifies", True))
def test_the_keeper_writes_votes_in_other_people_s_names(folder):
    """Whoever has the log's machine would be the council."""
    log, region = island()
    proposal = log.propose("suspend", region, "cut")
    for name in COUNCIL:
        forged = log.sign(log.ballot(proposal), "stranger")
        lines = tuple(replace(s, key_id=key_id(name)) for s in forged.signatures)
        log.append_envelope(replace(forged, signatures=lines))
    settle(log)
    return is_off(log)


# Stolen keys, lost keys


@attack(Row.STOLEN_KEYS, FREE_OF_COUNT)
def test_a_thief_has_all_keys_but_one_that_a_suspension_takes(folder):
    """Two burglaries would be enough where the charter says three people."""
    log, region = island()
    approved_by(log, log.propose("suspend", region, "cut"), *COUNCIL[:2])
    return is_off(log)


@attack(Row.LOST_KEYS, without("control.domain.rules.refuse_expired_charter"))
def test_a_cut_is_decided_under_a_charter_that_has_run_out(folder):
    """People long out of office would still hold the switch."""
    log, region = island()
    log.wait(log.charter.expires_s - log.now_s + DAY_S)
    approved_by(log, log.propose("suspend", region, "cut"), *COUNCIL)
    return is_off(log)


@attack(
    Row.LOST_KEYS,
    without("control.domain.acts._is_in_its_time", True),
    weakened(
        "control.domain.quorums.role_of",
        lambda original, charter, need, revoked, at_s, administration="": original(
            charter, need, revoked, charter.created_s, administration
        ),
    ),
)
def test_somebody_votes_whose_mandate_has_ended(folder):
    """A key that its owner has no office for any more would count for the office."""
    plain = made_charter()
    ended = tuple(
        k.model_copy(update={"not_after_s": plain.created_s + 2 * DAY_S})
        if k.person == COUNCIL[2]
        else k
        for k in plain.keys
    )
    log, region = island(plain.model_copy(update={"keys": ended}))
    log.wait(3 * DAY_S)
    approved_by(log, log.propose("suspend", region, "cut"), *COUNCIL)
    return is_off(log)
