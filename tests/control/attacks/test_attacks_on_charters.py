"""Attacks on the rules themselves: who writes the charter, and what no charter may say."""

from tests.control.attacks.catalogue import Row, attack, limit_of, without
from tests.support.made_charter import (
    HOUR_S,
    MadeLog,
    key,
    key_id,
    key_record,
    made_charter,
    made_routes,
    trust_text,
)

from skyweave.control.domain.charters import (
    check_amendment,
    check_charter,
    verify_genesis,
)
from skyweave.control.domain.documents import Charter, Need, RoleRecord, digest_of
from skyweave.control.signing.dsse import sign_envelope

FIRST = made_charter()


def changed(charter=FIRST, **fields):
    return Charter(**(vars(charter) | fields))


def amended(**fields):
    return changed(**({"version": 2} | fields))


def accepted(check, *arguments):
    """Whether a check lets it pass; a refusal is an InputError, which the catalogue counts."""
    check(*arguments)
    return True


def with_route(kind, **fields):
    """The charter's routes with one of them changed."""
    return tuple(r.model_copy(update=fields) if r.route == kind else r for r in made_routes())


ONE = (Need(role="council", people=1),)
THREE_OF_ONE = (Need(role="operator", people=2),)


# What no charter may say


@attack(
    Row.ONE_HAND,
    without("control.domain.floors._refuse_too_few_people"),
    without("control.domain.floors._refuse_one_organisation"),
    without("control.domain.floors._refuse_amendment_below_root"),
)
def test_a_charter_gives_one_person_the_switch(folder):
    """The founders would sign a long text in which one line makes one of them king."""
    return accepted(check_charter, changed(routes=with_route("emergency_suspend", needs=ONE)))


@attack(Row.ONE_HAND, without("control.domain.floors._refuse_one_organisation"))
def test_a_charter_gives_one_company_the_switch(folder):
    """The operator's own staff would do, and its chief can order each of them."""
    return accepted(check_charter, changed(routes=with_route("suspend", needs=THREE_OF_ONE)))


@attack(Row.ONE_HAND, without("control.domain.floors._refuse_short_notice"))
def test_a_charter_lets_service_be_taken_without_notice(folder):
    """People would have no hour to find another way to call for help."""
    return accepted(check_charter, changed(routes=with_route("suspend", notice_s=HOUR_S)))


@attack(Row.FREEZE, without("control.domain.floors._refuse_no_end"))
def test_a_charter_lets_a_suspension_last_for_ever(folder):
    """A cut that nobody renews would never have to be justified again."""
    return accepted(check_charter, changed(routes=with_route("suspend", max_duration_s=None)))


@attack(Row.EMERGENCY, without("control.domain.floors._refuse_short_cooldown"))
def test_a_charter_lets_emergencies_follow_each_other(folder):
    """A day without service, declared anew each morning, is a year without service."""
    routes = with_route("emergency_suspend", cooldown_s=HOUR_S)
    return accepted(check_charter, changed(routes=routes))


@attack(Row.EMERGENCY, without("control.domain.floors._refuse_missing_statements"))
def test_a_charter_lets_an_emergency_have_no_name(folder):
    """Nobody could later ask whether there ever was one."""
    routes = with_route("emergency_activate", needs_emergency=False)
    return accepted(check_charter, changed(routes=routes))


@attack(Row.TWO_HISTORIES, without("control.domain.floors._refuse_unwitnessed_reductions"))
def test_a_charter_asks_no_witness(folder):
    """The log's keeper could show a cut to the network and hide it from the public."""
    text = trust_text().replace("quorum seen", "quorum none")
    return accepted(check_charter, changed(trust=text))


@attack(Row.LICENCE, without("control.domain.floors._refuse_licence_change_below_exclusion"))
def test_a_charter_lets_few_people_declare_a_licence_void(folder):
    """What takes three to exclude, two could do by calling it a matter of licences."""
    routes = with_route("amend_licence", needs=(Need(role="council", people=2, organisations=2),))
    return accepted(check_charter, changed(routes=routes))


@attack(Row.CAPTURE, without("control.domain.floors._refuse_weak_root"))
def test_a_charter_s_root_is_one_person(folder):
    """Whoever may rewrite the charter alone decides everything in it alone."""
    return accepted(check_charter, changed(root=Need(role="root", people=1)))


@attack(
    Row.CAPTURE,
    without("control.domain.floors._refuse_short_notice"),
)
def test_the_charter_may_be_changed_overnight(folder):
    """Members would read of their new quorum after it was used."""
    return accepted(check_charter, changed(routes=with_route("amend_charter", notice_s=HOUR_S)))


# One voter as several


@attack(Row.MANY_KEYS, without("control.domain.charters._refuse_a_person_of_two_organisations"))
def test_one_person_is_entered_for_two_organisations(folder):
    """ "Two organisations agree" would mean that somebody agrees with herself."""
    twin = key_record("twin", "island-relief", person="tidewire-1")
    return accepted(check_charter, changed(keys=(*FIRST.keys, twin)))


@attack(Row.MANY_KEYS, without("control.domain.charters._refuse_a_key_twice"))
def test_one_key_is_entered_under_two_names(folder):
    """One signature would count as two people's."""
    twin = key_record("tidewire-1", "tidewire", person="somebody-else")
    return accepted(check_charter, changed(keys=(*FIRST.keys, twin)))


@attack(Row.MANY_KEYS, without("control.domain.charters._check_trust"))
def test_a_voter_s_key_is_the_log_s_key_too(folder):
    """The keeper of the log would vote on what the log is to hold."""
    keeper = key_record("log", "tidewire")
    return accepted(check_charter, changed(keys=(*FIRST.keys, keeper)))


# Genesis and the versions after it


@attack(Row.CAPTURE, without("control.domain.charters._refuse_unsigned_genesis"))
def test_a_charter_is_founded_by_one_of_its_founders(folder):
    """Four organisations would find themselves bound by what a fifth wrote."""
    envelope = sign_envelope(Charter.payload_type(), FIRST.encode(), [key("tidewire-1")])
    return verify_genesis(envelope).version == 1


@attack(Row.ROLLBACK, without("control.domain.charters._refuse_another_version"))
def test_an_old_version_of_the_charter_is_put_back(folder):
    """People who were voted out would have their votes again."""
    second = amended()
    return accepted(check_amendment, second, changed())


@attack(Row.ROLLBACK, without("control.domain.charters._refuse_another_version"))
def test_versions_of_the_charter_are_skipped(folder):
    """Members could not tell which rules came between, nor who had agreed to them."""
    return accepted(check_amendment, FIRST, amended(version=9))


@attack(Row.ROLLBACK, without("control.domain.charters._refuse_earlier_date"))
def test_a_new_version_is_dated_before_the_old_one(folder):
    """It would pass for the older one, and be the one that counts."""
    return accepted(check_amendment, FIRST, amended(created_s=FIRST.created_s - HOUR_S))


@attack(Row.CAPTURE, without("control.domain.charters._refuse_other_trust"))
def test_the_witnesses_are_replaced_by_one_s_own(folder):
    """The public log would go on being witnessed, by nobody independent."""
    return accepted(check_amendment, FIRST, amended(trust=trust_text(2, 1)))


@attack(Row.UNMASKING, without("control.domain.charters._refuse_other_trust"))
def test_the_salt_is_replaced_by_one_that_is_known(folder):
    """Every terminal that an agreement names could be found by trying."""
    return accepted(check_amendment, FIRST, amended(salt_digest=digest_of(b"known")))


@attack(Row.CAPTURE, without("control.domain.charters._refuse_relabelled_keys"))
def test_a_voter_s_key_is_given_to_another_name(folder):
    """A vote would move from the hospitals to the operator without anybody losing one."""
    keys = tuple(
        key_record("harbour-hospitals-1", "tidewire") if k.person == "harbour-hospitals-1" else k
        for k in FIRST.keys
    )
    return accepted(check_amendment, FIRST, amended(keys=keys))


@attack(Row.CAPTURE, without("control.domain.charters._refuse_lowered_guards"))
def test_the_guard_of_an_agreement_is_lowered_by_an_amendment(folder):
    """What took three people to lift would take two, after the hospital had relied on it."""
    log = MadeLog()
    agreement = log.agreement_record(log.region_record())
    routes = with_route("lift_guarantee", needs=(Need(role="council", people=2, organisations=2),))
    return accepted(check_amendment, FIRST, amended(routes=routes), [agreement])


@attack(Row.STOLEN_KEYS, without("control.domain.charters._refuse_revoked_keys"))
def test_a_revoked_key_comes_back_with_the_next_charter(folder):
    """A thief would vote again because an amendment was prepared before the theft."""
    return accepted(check_amendment, FIRST, amended(), (), {key_id("tidewire-1"): 5})


@attack(Row.LOST_KEYS, limit_of("control.domain.charters.MAX_LIFE_S", 10**12))
def test_a_charter_is_made_to_last_for_ever(folder):
    """Those who are long gone would still hold the switch, and whoever finds their keys."""
    return accepted(check_charter, changed(expires_s=FIRST.created_s + 10**10))


@attack(Row.LOST_KEYS, without("control.domain.charters._check_times"))
def test_a_key_is_entered_that_never_counts(folder):
    """A seat would look filled that nobody can vote from, and the council be deadlocked."""
    dead = key_record("ghost", "open-waters", not_after_s=0)
    keys = tuple(k for k in FIRST.keys if k.organisation != "open-waters")
    ids = tuple(key_id(k.person) for k in keys)
    roles = (
        *(RoleRecord(role=role, key_ids=(*ids, key_id("ghost"))) for role in ("root", "council")),
        *FIRST.roles[2:],
    )
    return accepted(check_charter, changed(keys=(*keys, dead), roles=roles))
