"""Attacks on what was promised: agreements, emergencies, licences, regions, requests."""

from tests.control.attacks.catalogue import Row, attack, limit_of, weakened, without
from tests.control.attacks.island import (
    DAY_S,
    HOUR_S,
    approved_by,
    guaranteed,
    is_off,
    island,
    licensed_island,
    settle,
    stands,
    took_effect,
)
from tests.support.made_charter import ADMINISTRATION, MadeLog, key_id, made_licence

from skyweave.control.domain import clockwork, documents
from skyweave.control.domain.geometry import parse_geometry
from skyweave.control.domain.machine import Event, State

COUNCIL = ("tidewire-1", "amity-office-1", "open-waters-1")  # without the hospitals
NO_CONSENT_NEEDED = without("control.domain.guarantees._own_quorum_agrees", True)


# Agreements


@attack(Row.GUARANTEE, NO_CONSENT_NEEDED)
def test_a_guaranteed_region_is_excluded_without_its_parties(folder):
    """The hospital would learn from the news that its contract had ended."""
    log, region = guaranteed()
    approved_by(log, log.propose("exclude", region, "cut"), *COUNCIL)
    return is_off(log)


@attack(Row.GUARANTEE, NO_CONSENT_NEEDED)
def test_a_guarantee_is_lifted_by_everybody_but_those_it_protects(folder):
    """Three who have nothing to lose would vote away what a hospital relies on."""
    log, region = guaranteed()
    approved_by(log, log.propose("lift_guarantee", region, "lift", agreement_id="a-17"), *COUNCIL)
    log.decide("suspend", region, "cut", voters=COUNCIL)
    settle(log)
    return is_off(log)


@attack(Row.GUARANTEE, without("control.domain.acts._refuse_known_agreement"))
def test_an_agreement_is_signed_anew_by_another_pair_of_parties(folder):
    """Two others would replace the hospital's agreement by one that ends tomorrow."""
    log, region = guaranteed()
    log.agreement(
        region, parties=("tidewire", "open-waters"), until_s=log.now_s + DAY_S,
        by=("tidewire-1", "open-waters-1"),
    )  # fmt: skip
    return "harbour-hospitals" not in log.authority().agreements["a-17"].record.parties


@attack(Row.GUARANTEE, without("control.domain.rules._refuse_other_agreements"))
def test_a_proposal_keeps_quiet_about_the_guarantee_that_it_meets(folder):
    """Signers would not read that a hospital is in the region they vote on."""
    log, region = guaranteed()
    log.propose("suspend", region, "cut", agreements=())
    return stands(log, "cut", State.PROPOSED)


@attack(Row.GUARANTEE, without("control.domain.rules._refuse_unlisted_exception"))
def test_an_exception_is_named_that_no_agreement_has(folder):
    """A made-up clause in an order would pass for what the parties had signed."""
    log, region = guaranteed(exceptions=("rescue at sea",))
    log.propose("suspend", region, "cut", exception="public order")
    return stands(log, "cut", State.PROPOSED)


@attack(Row.GUARANTEE, without("control.domain.clockwork._refuse_newer_guarantee"))
def test_an_exclusion_that_was_approved_before_strikes_a_newer_guarantee(folder):
    """A line would be guaranteed and cut in one week, and both be in order."""
    log, region = island()
    proposal = log.propose("exclude", region, "cut")
    log.approve(proposal, *COUNCIL)
    log.agreement(region)
    settle(log)
    return is_off(log)


@attack(Row.GUARANTEE, without("control.domain.acts._require"))
def test_one_party_signs_an_agreement_for_both(folder):
    """An operator would be bound, or a hospital reassured, by what it never signed."""
    log, region = island()
    log.agreement(region, by=("harbour-hospitals-1",))
    return "a-17" in log.authority().agreements


def hidden(log, name, columns):
    """A protected region whose cells only its author and the operator have yet."""
    record = log.region_record(name, columns, publish_by_s=log.now_s + 29 * DAY_S)
    log.private = {record.geometry: log.objects.pop(record.geometry)}
    log.append(record, "tidewire-1")
    return record


@attack(Row.GUARANTEE, without("control.domain.clockwork._refuse_unknown_guarantee"))
def test_an_exclusion_hides_its_cells_until_the_hospital_has_been_off_for_weeks(folder):
    """A protected region would be drawn around a guaranteed place, and named by nobody."""
    log, _ = guaranteed()
    log.decide("exclude", hidden(log, "secret", 0.5), "cut", voters=COUNCIL, agreements=())
    log.wait(4 * DAY_S)
    return took_effect(log, "cut")


# Emergencies


def two_sign(log, proposal):
    log.approve(proposal, "tidewire-1", "amity-office-1")
    settle(log, HOUR_S)


@attack(Row.EMERGENCY, without("control.domain.rules.refuse_cooldown"))
def test_an_emergency_follows_the_other(folder):
    """Two people would keep an island dark by calling every day an emergency."""
    log, region = island()
    two_sign(log, log.propose("emergency_suspend", region, "first"))
    log.wait(2 * DAY_S)
    two_sign(log, log.propose("emergency_suspend", region, "second"))
    return is_off(log)


@attack(
    Row.EMERGENCY,
    weakened(
        "control.domain.rules._may_meet",
        lambda _, one, other, at_s: one.record.region_id == other.record.region_id,
    ),
)
def test_emergencies_follow_each_other_under_ever_new_names(folder):
    """Each day another region would be drawn around the same town, its cells unseen."""
    log, _ = island()
    two_sign(log, log.propose("emergency_suspend", hidden(log, "one", 0.5), "first"))
    log.wait(2 * DAY_S)
    two_sign(log, log.propose("emergency_suspend", hidden(log, "two", 0.4), "second"))
    return took_effect(log, "second")


@attack(
    Row.EMERGENCY,
    weakened(
        "control.domain.guarantees._gives_way",
        lambda original, state, agreement, quorum: True,
    ),
)
def test_an_emergency_is_called_over_a_guaranteed_place(folder):
    """The hospital would be off in the very hour it is needed."""
    log, region = guaranteed()
    two_sign(log, log.propose("emergency_suspend", region, "cut"))
    return took_effect(log, "cut")


@attack(
    Row.EMERGENCY,
    limit_of("control.domain.rules.EMERGENCY_WITNESS_S", 10 * DAY_S),
)
def test_a_rescue_is_kept_from_the_witnesses(folder):
    """Service could be switched on in secret for those whom somebody favours."""
    log = MadeLog()
    region = log.region()
    log.witness()
    log.approve(log.propose("emergency_activate", region, "rescue"), "tidewire-1", "amity-office-1")
    log.wait(DAY_S)
    return not is_off(log)


@attack(
    Row.FREEZE,
    without("control.domain.rules.may_start_unwitnessed", True),
    limit_of("control.domain.rules.EMERGENCY_WITNESS_S", 10 * DAY_S),
)
def test_a_suspension_takes_effect_that_no_witness_has_seen(folder):
    """A cut would be carried out first and shown to the public when it is over."""
    log, region = island()
    log.approve(log.propose("suspend", region, "cut"), *COUNCIL)
    log.wait(4 * DAY_S)
    return took_effect(log, "cut")


# Licences


@attack(Row.LICENCE, without("control.domain.guarantees.takes_licence", False))
def test_the_licence_of_a_guaranteed_region_is_declared_void(folder):
    """What no exclusion could do to a hospital, a form about a licence would."""
    log, region = licensed_island()
    log.agreement(region)
    log.decide(
        "amend_licence", region, "void", voters=COUNCIL, administration=ADMINISTRATION,
        licence=made_licence(status="void"),
    )  # fmt: skip
    settle(log)
    return is_off(log)


@attack(Row.LICENCE, without("control.domain.rules._refuse_second_licence"))
def test_an_activation_brings_another_licence_with_an_earlier_end(folder):
    """Two and an official would change what takes three and three days' notice to change."""
    log, region = licensed_island()
    short = made_licence(until_s=log.now_s + DAY_S)
    log.decide("activate", region, "again", licence=short, administration=ADMINISTRATION)
    return took_effect(log, "again")


@attack(Row.LICENCE, without("control.domain.rules._refuse_other_administration"))
def test_officials_bring_a_licence_in_another_country_s_name(folder):
    """A neighbour's regulator would be made to have licensed what it never saw."""
    log = MadeLog()
    region = log.region(needs_licence=True)
    foreign = made_licence(administration="XYZ")
    log.decide("activate", region, "on", licence=foreign, administration=ADMINISTRATION)
    return took_effect(log, "on")


@attack(Row.LICENCE, without("control.domain.rules.refuse_unlicensed"))
def test_a_region_is_switched_on_without_the_licence_that_it_needs(folder):
    """The people who serve it would break the law by the system's own word."""
    log = MadeLog()
    region = log.region(needs_licence=True)
    log.decide("activate", region, "on", administration=ADMINISTRATION)
    return took_effect(log, "on")


# Regions


@attack(Row.MOVED_LINE, without("control.domain.rules.check_new_region"))
def test_a_region_s_next_version_is_logged_by_one_person(folder):
    """The line on the map would be wherever the last hand drew it."""
    log, _ = island()
    log.append(log.region_record(column=1, version=2), "tidewire-1")
    return len(log.authority().regions["port-amity"]) == 2


def redraw(log, region):
    """The region's next version, over other cells, decided and in force."""
    new = log.region_record(column=1, version=2)
    replaces = log.put(new.encode())
    log.decide("amend_region", region, "redraw", voters=COUNCIL, replaces_by=replaces)
    log.wait(3 * DAY_S + HOUR_S)


@attack(Row.MOVED_LINE, without("control.domain.rules._refuse_another_region"))
def test_a_cut_is_proposed_for_cells_that_are_the_region_s_no_more(folder):
    """Signers would read a name, and those would be cut who lived there before."""
    log, region = island()
    redraw(log, region)
    log.decide("suspend", region, "cut", voters=COUNCIL)
    settle(log)
    return is_off(log)


@attack(Row.MOVED_LINE, without("control.domain.clockwork._void"))
def test_a_cut_outlives_the_redrawing_of_its_region(folder):
    """What was approved for one shape of land would strike when the land has another."""
    log, region = island()
    replaces = log.put(log.region_record(column=1, version=2).encode())
    log.decide("amend_region", region, "redraw", voters=COUNCIL, replaces_by=replaces)
    log.decide("suspend", region, "cut", voters=COUNCIL)
    settle(log)
    return is_off(log)


class AnyDigest(str):
    """A digest that equals every other."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return True

    def __ne__(self, other):
        return False


@attack(
    Row.MOVED_LINE,
    weakened("control.domain.geometry.digest_of", lambda original, x: AnyDigest(original(x))),
)
def test_the_cells_behind_a_region_s_name_are_exchanged(folder):
    """A cut that was voted for an empty sea would fall on a town."""
    log = MadeLog()
    sea, town = log.region_record("sea", 0), log.region_record("town", 1)
    drawn = {"digest_of_region": town.digest_of_region, "cells": town.cells}
    record = sea.model_copy(update=drawn)
    return parse_geometry(log.objects[town.geometry], record).cells.size > 0


# Favours


@attack(Row.FAVOUR, without("control.domain.rules._refuse_unlogged_requests"))
def test_a_cut_relies_on_a_request_that_nobody_wrote_down(folder):
    """A minister's call would decide, and nobody could ever read what he said."""
    log, region = island()
    approved_by(log, log.propose("suspend", region, "cut", request_ids=("call-9",)), *COUNCIL)
    return is_off(log)


@attack(Row.FAVOUR, without("control.domain.acts._refuse_lift_of_service"))
def test_the_owner_of_an_activation_lifts_it_for_a_friend(folder):
    """A region would go dark by the signature of whoever had proposed to light it."""
    log, _ = island()
    log.append(documents.Lift(directive_id="on", reason="a friend asked"), "tidewire-1")
    log.witness()
    return is_off(log)


def ended_by_failure(original, ledger, state, entry, why):
    clockwork.end(ledger, state, Event.FAIL, entry.logged_s, entry.index, why)


@attack(Row.FAVOUR, weakened("control.domain.acts._record_breach", ended_by_failure))
def test_the_operator_reports_that_it_could_not_and_the_duty_is_gone(folder):
    """Refusing to switch on would be recorded as an accident and not as a breach."""
    log, _ = island()
    failure = documents.Failure(directive_id="on", reason="we could not")
    log.append(failure, ["tidewire-1", "tidewire-2"])
    return is_off(log)


@attack(Row.FAVOUR, without("control.domain.rules._refuse_supersession"))
def test_an_activation_is_replaced_by_one_of_nothing(folder):
    """Two would end by a friendlier word what takes three to suspend."""
    log, region = island()
    until_s = log.now_s + 2 * HOUR_S
    log.decide("activate", region, "less", supersedes="on", until_s=until_s)
    log.wait(DAY_S)
    return is_off(log)


# Publication put off


@attack(Row.GAG, limit_of("control.domain.rules.MAX_EMBARGO_S", 10_000 * DAY_S))
def test_a_region_s_cells_are_to_be_published_in_ten_years(folder):
    """People would be cut off in a place that nobody may name."""
    log = MadeLog()
    record = log.region_record(publish_by_s=log.now_s + 3650 * DAY_S)
    log.append(record, "tidewire-1")
    return "port-amity" in log.authority().regions


@attack(Row.GAG, limit_of("control.domain.acts.MAX_SEALED_S", 10_000 * DAY_S))
def test_a_request_is_sealed_for_ten_years(folder):
    """Who asked for the cut would be known when nobody can be asked any more."""
    log = MadeLog()
    log.request("call-9", publish_by_s=log.now_s + 3650 * DAY_S)
    return "call-9" in log.authority().requests


# Keys


@attack(Row.STOLEN_KEYS, without("control.domain.acts._refuse_unauthorised_revocation"))
def test_a_thief_revokes_the_keys_of_those_who_would_vote_no(folder):
    """With one stolen key the council could be thinned out until the thief is enough."""
    log, _ = island()
    log.append(
        documents.Revocation(key_id=key_id("harbour-hospitals-1"), reason="lost"), "tidewire-1"
    )
    return key_id("harbour-hospitals-1") in log.authority().revoked


@attack(Row.STOLEN_KEYS, without("control.domain.acts._refuse_withdrawal_by_others"))
def test_a_thief_takes_back_what_others_proposed(folder):
    """One key would be enough to keep every rescue from being decided."""
    log, region = island()
    log.propose("activate", region, "more")
    log.append(documents.Withdrawal(directive_id="more", reason="no"), "open-waters-1")
    return stands(log, "more", State.WITHDRAWN)


@attack(
    Row.FLOOD,
    weakened(
        "control.domain.acts._signed_by",
        lambda original, ledger, entry, charter, keys: (next(iter(keys)),),
    ),
)
def test_a_stranger_logs_regions_by_the_thousand(folder):
    """The public log would be full of what nobody with a name has signed."""
    log, _ = island()
    log.append(log.region_record("mine", 1), "stranger")
    return "mine" in log.authority().regions


@attack(Row.LOST_KEYS, without("control.domain.rules._refuse_undecidable"))
def test_a_decision_is_left_open_for_which_too_few_keys_are_left(folder):
    """A region would wait for votes that can never come, and look as if it were decided soon."""
    log, region = island()
    for name in ("tidewire-1", "tidewire-2"):
        log.append(documents.Revocation(key_id=key_id(name), reason="lost"), name)
    for each in ("amity-office", "harbour-hospitals", "island-relief"):
        for n in (1, 2):
            name = f"{each}-{n}"
            log.append(documents.Revocation(key_id=key_id(name), reason="lost"), name)
    log.propose("activate", region, "more", by="open-waters-1")
    return stands(log, "more", State.PROPOSED)
