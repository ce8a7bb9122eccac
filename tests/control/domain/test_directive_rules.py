"""What a proposal must be before anybody votes on it: one rule each, named by what it prevents."""

import pytest
from tests.support.made_charter import (
    HOUR_S,
    NOON_S,
    MadeLog,
    made_charter,
    made_licence,
    made_routes,
)

from skyweave.control.domain.documents import DAY_S, DirectiveKind, Need, RegionRecord
from skyweave.control.domain.machine import State
from skyweave.errors import InputError

NO_OBJECT = "sha256:" + "0" * 64


@pytest.fixture(scope="module")
def log():
    """A log with a licensed region that is on, one without need of a licence, and an agreement."""
    log = MadeLog()
    log.amity = log.region(needs_licence=True)
    log.free = log.region("free", 1)
    log.decide("activate", log.amity, "on", licence=made_licence())
    log.agreement(log.amity, exceptions=("storm",), terminal_hashes=("0" * 64,))
    return log


def refused(log, does, region=None, directive_id="new", *, by="tidewire-2", **changes):
    """Why a writer refuses a proposal now, "" where it does not; nothing is logged."""
    return refusal(log, log.proposal(does, region, directive_id, **changes), by)


def refusal(log, document, by):
    """Why a writer refuses a document, in one line, "" where it does not."""
    why = ""
    try:
        log.check(document, by)
    except InputError as error:
        why = str(error)
    assert "\n" not in why
    return why


@pytest.mark.parametrize("does", list(DirectiveKind))
def test_a_directive_that_keeps_the_rules_is_accepted_in_every_kind(log, does):
    region = log.free if does in made_kinds_with_region() else None
    more = {}
    if does is DirectiveKind.LIFT_GUARANTEE:
        region, more = log.amity, {"agreement_id": "a-17"}
    elif does is DirectiveKind.AMEND_LICENCE:
        region = log.amity
        more = {"licence": made_licence(status="suspended"), "administration": "AMY"}
    elif does is DirectiveKind.AMEND_REGION:
        more = {"replaces_by": log.put(log.region_record("free", 1, version=2).encode())}
    elif does is DirectiveKind.AMEND_AGREEMENT:
        new = log.agreement_record(log.amity, version=2)
        more = {"replaces_by": log.put(new.encode()), "agreement_id": "a-17",
                "agreements": ("a-17",)}  # fmt: skip
    elif does is DirectiveKind.AMEND_CHARTER:
        new = log.charter.model_copy(update={"version": 2, "expires_s": NOON_S + 900 * DAY_S})
        more = {"replaces_by": log.put(new.encode())}
    assert refused(log, does, region, **more) == ""


def made_kinds_with_region():
    amendments = {"amend_charter", "amend_agreement", "decided_not_to"}
    return [kind for kind in DirectiveKind if kind.value not in amendments]


@pytest.mark.parametrize(
    ("does", "changes", "why"),
    [
        # Who decides
        ("suspend", {"charter": NO_OBJECT}, "names another version of the charter"),
        ("suspend", {"route": "activate"}, 'route "activate" is none for suspend; name suspend'),
        ("suspend", {"owner": "nobody"}, 'owner "nobody" is no organisation of the charter'),
        ("suspend", {"directive_id": "on"}, "was proposed before; choose another id"),
        # What it must say
        ("exclude", {"instrument": ""}, "instrument is empty"),
        ("exclude", {"publication": "  "}, "publication is empty"),
        ("emergency_activate", {"emergency": ""}, "emergency is empty"),
        # Its end
        ("suspend", {"until_s": None}, "suspend without an end; give until"),
        ("lift_guarantee", {"until_s": None, "agreement_id": "a-17"}, "without an end"),
        ("emergency_activate", {"until_s": None}, "without an end"),
        ("decided_not_to", {"until_s": NOON_S + 9 * DAY_S}, "has no end; leave until out"),
        ("suspend", {"from_s": NOON_S + 30 * DAY_S}, "ends before it begins"),
        ("suspend", {"from_s": NOON_S - 20 * DAY_S}, "at most 30 by route suspend"),
        ("suspend", {"until_s": NOON_S + 3 * DAY_S}, "before its notice of 72 h is over"),
        ("emergency_suspend", {"from_s": NOON_S - HOUR_S}, "at most 1 by route"),
        ("suspend", {"from_s": NOON_S + 368 * DAY_S, "until_s": NOON_S + 380 * DAY_S},
         "starts more than 366 days from now"),
        # How long it collects
        ("suspend", {"approvals_until_s": NOON_S}, "approvals are to come within 180 days"),
        ("suspend", {"approvals_until_s": NOON_S + 181 * DAY_S}, "within 180 days"),
        # What belongs to its kind
        ("suspend", {"max_up_bps": 5}, "belong to a restriction"),
        ("restrict", {"max_down_bps": None}, "it needs one of them"),
        ("suspend", {"agreement_id": "a-17"}, "belongs to lift_guarantee"),
        ("lift_guarantee", {}, "belongs to lift_guarantee"),
        ("suspend", {"replaces_by": NO_OBJECT}, "belongs to an amendment"),
        ("amend_region", {}, "belongs to an amendment, and it needs one"),
        ("suspend", {"licence": made_licence()}, "brings no licence"),
        ("amend_licence", {"administration": "AMY"}, "without the licence as it is to be"),
        # What it names
        ("suspend", {"request_ids": ("r-9",)}, 'request "r-9", which is not logged'),
        ("suspend", {"supersedes": "d-0"}, 'directive "d-0" is not in the log'),
        ("suspend", {"supersedes": "on"}, 'supersedes "on", which does another thing'),
        ("suspend", {"exception": "storm"}, "invokes an exception that none"),
    ],
)  # fmt: skip
def test_a_directive_that_breaks_one_rule_is_refused_with_it(log, does, changes, why):
    assert why in refused(log, does, log.free, **changes)


def test_a_region_that_moved_since_the_draft_is_not_voted_on():
    """Signers must not approve another line on the map than the one they saw."""
    log = MadeLog()
    log.free = log.region("free")
    log.free_again = log.region_record("free", version=2)
    log.decide("amend_region", log.free, replaces_by=log.put(log.free_again.encode()))
    log.wait(3 * DAY_S)
    assert "version 2 now, and it names another" in refused(log, "suspend", log.free)
    unknown = log.region_record("nowhere", 5)
    assert 'region "nowhere" is not in the log' in refused(log, "suspend", unknown, agreements=())
    assert "names no region; name one" in refused(log, "suspend")
    assert "touches no region; leave region_id out" in refused(log, "amend_charter", log.free)


def test_a_name_with_line_breaks_stays_on_one_line(log):
    why = refused(log, "suspend", log.free, region_id="no\nwhere", agreements=())
    assert 'region "no\\nwhere" is not in the log' in why


def test_nobody_votes_on_a_cut_without_seeing_whom_it_cuts(log):
    proposal = log.proposal("suspend", log.free, "new")
    for impact, why in ((None, "without an impact report"), (NO_OBJECT, "is not published")):
        unseen = proposal.model_copy(update={"impact": impact})
        assert why in refusal(log, unseen, "tidewire-2")


def test_signers_read_in_the_directive_whose_guarantees_it_meets(log):
    assert "names agreements none, and its cells meet a-17" in refused(
        log, "suspend", log.amity, agreements=()
    )
    assert "names agreements a-17, and its cells meet none" in refused(
        log, "suspend", log.free, agreements=("a-17",)
    )
    assert "list exactly those" in refused(log, "suspend", log.amity, agreements=("a-17", "a-17"))
    overlapping = log.region("overlap", 0.5)
    assert "its cells meet a-17" in refused(log, "suspend", overlapping, agreements=())


def test_an_agreement_that_ends_before_it_is_not_met(log):
    far_s = NOON_S + 366 * DAY_S
    later = {"from_s": far_s, "until_s": far_s + 20 * DAY_S}
    assert refused(log, "suspend", log.amity, agreements=(), **later) == ""
    earlier = {"from_s": far_s - 1, "until_s": far_s + 20 * DAY_S}
    assert "its cells meet a-17" in refused(log, "suspend", log.amity, agreements=(), **earlier)


def test_a_guarantee_is_lifted_only_where_it_holds(log):
    assert "guarantees nothing there" in refused(
        log, "lift_guarantee", log.free, agreement_id="a-17"
    )
    assert 'agreement "a-18" is not in the log' in refused(
        log, "lift_guarantee", log.amity, agreement_id="a-18"
    )


def test_an_activation_does_not_lay_a_guarantee_open_by_invoking_its_exception(log):
    assert refused(log, "suspend", log.amity, exception="storm") == ""
    assert "invokes an exception" in refused(log, "activate", log.amity, exception="storm",
                                             administration="AMY")  # fmt: skip
    assert "invokes an exception" in refused(log, "suspend", log.amity, exception="flood")


# Licences and orders


def test_nobody_is_switched_on_where_the_law_does_not_allow_it(log):
    bare = log.region("bare", 6, needs_licence=True)
    assert "needs a licence, and none is valid" in refused(log, "activate", bare)
    assert "needs a licence" in refused(log, "emergency_activate", bare)
    late = made_licence(from_s=NOON_S + 40 * DAY_S)
    assert "needs a licence" in refused(log, "activate", bare, licence=late)
    assert refused(log, "activate", bare, licence=late, from_s=NOON_S + 41 * DAY_S) == ""
    void = made_licence(status="void")
    assert "needs a licence" in refused(log, "activate", bare, licence=void)


def test_a_licence_is_changed_by_no_fewer_than_an_exclusion(log):
    """An activation that could replace a licence would be the back door to voiding it."""
    assert "a change takes amend_licence" in refused(
        log, "activate", log.amity, licence=made_licence(status="void")
    )
    assert "no such licence is in the log" in refused(
        log, "amend_licence", log.free, licence=made_licence(), administration="AMY"
    )


def test_a_licence_comes_only_with_the_word_of_its_own_administration(log):
    bare = log.region("bare-2", 7, needs_licence=True)
    other = made_licence(administration="OTH")
    assert "the licence is another administration's" in refused(
        log, "activate", bare, licence=other
    )
    assert 'administration "OTH" has no officials' in refused(
        log, "activate", bare, licence=other, administration="OTH"
    )
    assert "where no official of the administration signs" in refused(
        log, "activate", log.free, licence=made_licence(), administration="AMY"
    )
    assert "status is one of" in refused(
        log, "activate", bare, licence=made_licence(status="perhaps")
    )
    assert "licence: ends before it begins" in refused(
        log, "activate", bare, licence=made_licence(until_s=NOON_S - DAY_S)
    )


def test_an_administration_orders_only_where_it_licenses(log):
    """Two officials of any country must not switch off wherever somebody draws a region."""
    order = {"route": "order-of-authority"}
    assert refused(log, "suspend", log.amity, **order) == ""
    within = log.region("within", 0)
    assert refused(log, "suspend", within, **order) == ""
    for column in (0.5, 2):
        beyond = log.region(f"beyond-{column}", column)
        assert "has not licensed all of its cells" in refused(log, "suspend", beyond, **order)
    unlicensed = log.region("unlicensed", 8)
    log.decide("activate", unlicensed)
    assert "has not licensed all of its cells" in refused(log, "suspend", unlicensed, **order)


def test_an_administration_orders_nothing_in_what_was_drawn_after_its_licence():
    """Else it would have its region drawn larger, and order where it never licensed anything."""
    log = MadeLog()
    amity = log.region(needs_licence=True)
    log.decide("activate", amity, licence=made_licence())
    larger = log.region_record("port-amity", 0.5, version=2, needs_licence=True)
    log.decide("amend_region", amity, replaces_by=log.put(larger.encode()))
    log.wait(3 * DAY_S)
    order = {"route": "order-of-authority"}
    assert "has not licensed all of its cells" in refused(log, "suspend", larger, **order)
    log.decide("activate", larger, administration="AMY")
    assert refused(log, "suspend", larger, **order) == ""


def test_a_licence_must_hold_when_the_notice_is_over_not_when_it_is_proposed():
    """Else an activation would be voted on that the law stops on its day."""
    log = MadeLog(made_charter(routes=tuple(
        route.model_copy(update={"notice_s": 2 * DAY_S}) if route.route == "activate" else route
        for route in made_routes()
    )))  # fmt: skip
    bare = log.region(needs_licence=True)
    coming = made_licence(from_s=log.now_s + DAY_S)
    assert refused(log, "activate", bare, licence=coming) == ""
    ending = made_licence(until_s=log.now_s + DAY_S)
    assert "none is valid when it starts" in refused(log, "activate", bare, licence=ending)


# One taking the place of another


def test_no_activation_ends_by_a_smaller_or_shorter_one_taking_its_place(log):
    """That would be a cut with the signatures of an activation."""
    at = {"administration": "AMY", "supersedes": "on"}
    assert refused(log, "activate", log.amity, **at) == ""
    assert "with fewer cells or an earlier end" in refused(
        log, "activate", log.amity, **at, until_s=NOON_S + 900 * DAY_S
    )
    part = log.region("part", 0.5)
    assert "with fewer cells" in refused(log, "activate", part, supersedes="on")
    assert "which does another thing" in refused(
        log, "emergency_activate", log.amity, supersedes="on"
    )
    log.decide("resume", log.free, "resumed")
    assert "which does another thing" in refused(log, "activate", log.free, supersedes="resumed")
    assert refused(log, "resume", log.free, supersedes="resumed") == ""


# Amendments


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 3}, "version 3 after 1; expected 2"),
        ({"version": 2, "salt_digest": NO_OBJECT}, "salt_digest differs"),
        ({"version": 2, "agreement_needs": ()}, "agreement_needs: fewer signatures"),
        ({"version": 2, "root": Need(role="root", people=2, organisations=2)}, "root"),
        ({"version": 2, "expires_s": NOON_S + 1}, "has expired already"),
        ({"version": 2, "keys": ()}, "keys"),
    ],
)
def test_a_charter_that_may_not_follow_is_not_voted_on(log, changes, why):
    new = log.charter.model_copy(update=changes)
    found = refused(log, "amend_charter", replaces_by=log.put(new.encode()))
    assert why in found


def test_an_amendment_names_the_next_version_of_the_same_thing(log):
    def amended(does, document, **more):
        return refused(log, does, more.pop("region", None), replaces_by=log.put(document.encode()),
                       **more)  # fmt: skip

    free = {"region": log.free}
    assert 'expected "free" version 2' in amended("amend_region", log.region_record("free"), **free)
    other = log.region_record("other", version=2)
    assert 'expected "free" version 2' in amended("amend_region", other, **free)
    assert "new region: " in amended("amend_region", log.charter, **free)
    agreement = {"agreement_id": "a-17", "agreements": ("a-17",)}
    third = log.agreement_record(log.amity, version=3)
    assert 'expected "a-17" version 2' in amended("amend_agreement", third, **agreement)
    stranger = log.agreement_record(log.amity, version=2, parties=("tidewire", "nobody"))
    assert 'party "nobody" is no organisation' in amended("amend_agreement", stranger, **agreement)
    assert "is not published" in refused(log, "amend_region", log.free,
                                         replaces_by=NO_OBJECT)  # fmt: skip


def test_a_directive_that_too_few_are_left_to_approve_is_not_proposed():
    """Nobody collects approvals that can never be enough."""
    order = [r for r in made_routes() if r.route == "order-of-authority"]
    log = MadeLog(made_charter(routes=(*made_routes(),)))
    amity = log.region(needs_licence=True)
    log.decide("activate", amity, licence=made_licence())
    assert order[0].needs[0].people == 2
    assert "can never be approved" in refused(
        log, "suspend", amity, route="order-of-authority", by="amity-office-2"
    )


# Regions and emergencies


def logged_region(**changes):
    log = MadeLog()
    log.region(**changes)
    return [each.why for each in log.authority().ignored]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"version": 2}, "version 2; the first has number 1"),
        ({"geometry": NO_OBJECT}, "is not published; add it"),
        ({"cells": 3}, "its cells are not those of region"),
        ({"digest_of_region": NO_OBJECT}, "its cells are not those of region"),
        ({"publish_by_s": NOON_S + 40 * DAY_S}, "public within 30 days"),
        ({"publish_by_s": NOON_S}, "public within 30 days"),
    ],
)
def test_a_region_that_nobody_can_look_at_in_time_is_not_one(changes, why):
    (found,) = logged_region(**changes)
    assert why in found


def test_a_region_is_drawn_once_under_a_name():
    log = MadeLog()
    log.region()
    log.region(title="Another")
    assert "a new version takes amend_region" in log.authority().ignored[0].why
    assert isinstance(log.authority().regions["port-amity"][0].record, RegionRecord)


def test_the_same_cells_are_not_struck_by_emergencies_day_after_day():
    """Thirty emergencies of a day would be a month's suspension without its notice."""
    log = MadeLog()
    amity, beside = log.region(), log.region("beside", 2)
    first = log.decide("emergency_suspend", amity)
    overlapping = log.region("overlapping", 0.5)
    log.wait(29 * DAY_S)
    for region in (amity, overlapping):
        assert "struck the same cells within 30 days" in refused(log, "emergency_suspend", region)
    assert refused(log, "emergency_suspend", beside) == ""
    log.wait(DAY_S)
    assert log.authority().directives[first.directive.directive_id].state is State.EXPIRED
    assert refused(log, "emergency_suspend", amity) == ""


def test_two_emergencies_approved_side_by_side_strike_once():
    log = MadeLog()
    amity = log.region()
    proposals = [log.propose("emergency_suspend", amity, name) for name in ("one", "two")]
    for proposal in proposals:
        log.approve(proposal, *log.voters("emergency_suspend"))
    log.witness()
    states = [each.state for each in log.authority().directives.values()]
    assert states == [State.EFFECTIVE, State.VOID]


def test_an_emergency_that_never_began_does_not_forbid_the_next():
    log = MadeLog()
    amity = log.region()
    log.decide("emergency_suspend", amity, witness=False)
    log.wait(2 * DAY_S)
    log.witness()
    assert refused(log, "emergency_suspend", amity) == ""


def test_withheld_cells_rest_between_emergencies_under_any_name():
    """Day after day, each on a freshly drawn region that nobody may see, is a month without."""
    log = MadeLog()
    hidden = log.region(publish_by_s=NOON_S + 30 * DAY_S)
    other = log.region("other", 0.5, publish_by_s=NOON_S + 20 * DAY_S)
    log.decide("emergency_suspend", hidden)
    log.wait(2 * DAY_S)
    assert "struck the same cells" in refused(log, "emergency_suspend", hidden)
    assert "struck the same cells" in refused(log, "emergency_suspend", other)


# Proposers


def test_who_proposes_signs_alone_and_does_not_vote():
    """Two names under a proposal would leave open whose vote is barred."""
    log = MadeLog()
    amity = log.region()
    log.propose("suspend", amity, by=["tidewire-1", "tidewire-2"])
    assert "a proposal has one signature" in log.authority().ignored[0].why
    proposal = log.propose("suspend", amity)
    log.vote(proposal, "tidewire-2")
    assert "who proposed a directive does not vote" in log.authority().ignored[1].why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"question": NO_OBJECT}, "the vote is on another text"),
        ({"charter_version": 2}, "names another version of the charter"),
        ({"expires_s": NOON_S}, "the vote has expired"),
        ({"signed_s": NOON_S + DAY_S}, "dated later than the log"),
        ({"directive_id": "other"}, 'directive "other" is not in the log'),
        ({"decision": "per\nhaps"}, 'decision "per\\nhaps"; expected approve or reject'),
    ],
)
def test_a_vote_that_does_not_fit_is_refused(changes, why):
    log = MadeLog()
    proposal = log.propose("suspend", log.region())
    assert why in refusal(log, log.ballot(proposal, **changes), "tidewire-1")


def test_an_old_vote_sent_again_does_not_undo_a_change_of_mind():
    log = MadeLog()
    proposal = log.propose("suspend", log.region())
    first = log.sign(log.ballot(proposal), "tidewire-1")
    log.append_envelope(first)
    log.vote(proposal, "tidewire-1", "reject")
    log.append_envelope(first)
    assert "a newer vote by the same key" in log.authority().ignored[0].why
