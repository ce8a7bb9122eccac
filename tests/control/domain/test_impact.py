"""The impact report against brute force, and what it says case by case."""

import random
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from tests.support.made_impact import (
    CELLS,
    NOBODY,
    ON,
    SALT,
    START_S,
    agreement,
    fleet,
    for_account,
    in_force,
    licence,
    proposed,
    random_case,
    region,
    snapshot,
    table,
    table_of,
)

from skyweave.control.domain.documents import Directive, DirectiveKind, LicenceRecord
from skyweave.control.domain.impact import (
    ImpactReport,
    Outcome,
    agreements_touched,
    blocking_agreements,
    impact_report,
)
from skyweave.control.domain.impact_after import snapshot_with
from skyweave.control.domain.impact_border import People
from skyweave.errors import InputError
from skyweave.policy import snapshot as policy
from skyweave.policy.decision import Rule, decide
from skyweave.policy.terminals import Terminal

HERE, THERE = int(CELLS[0]), int(CELLS[-1])
SPONSORS = ("", "fund", "guild")


def report(directive, terminals, *records, own=None, **more):
    own = own or region()
    return impact_report(directive, own, terminals, snapshot(own, *records), NOBODY, **more)


def blocking(directive, own, before):
    """Return the ids of the agreements that block a directive."""
    touched = agreements_touched(directive, own, before)
    return [a.agreement_id for a in blocking_agreements(directive, own, before, touched)]


def counts(found: ImpactReport):
    """Return the outcomes that occur, with how many terminals have them."""
    return {o.word: n for o, n in zip(Outcome, found.terminals, strict=True) if n}


# Against brute force


def plain_after(before, directive: Directive, own, brought):
    """Return the policy with a directive, put together field by field."""
    directives = [
        replace(d, until_s=min(d.until_s, START_S)) if d.directive_id == directive.supersedes else d
        for d in before.directives
        if d.directive_id != directive.supersedes or d.from_s < START_S
    ]
    if directive.does != "amend_licence":
        directives.append(
            policy.Directive(
                "proposed", policy.Kind(directive.does.value), own.region_id, 1000,
                directive.from_s, directive.until_s, directive.reason, directive.agreement_id,
                directive.exception, directive.max_down_bps, directive.max_up_bps,
            )
        )  # fmt: skip
    lawful = {d.region_id for d in directives if "activate" in d.kind or d.kind == "resume"}
    for each in before.agreements:
        lawful |= set(each.region_ids)
    regions = [own if each.region_id == own.region_id else each for each in before.regions]
    if own.region_id not in [each.region_id for each in regions]:
        if own.region_id in lawful:
            regions.append(own)
        elif directive.does != "amend_licence":
            regions.append(replace(own, needs_licence=True, licences=()))
    if directive.licence is not None:
        new = policy.Licence(
            directive.licence.administration,
            "act 2",
            policy.LicenceStatus(directive.licence.status),
            directive.licence.from_s,
        )
        for n, each in enumerate(regions):
            if each.region_id.split("@")[0] == directive.region_id and each.region_id in lawful:
                old = list(each.licences)
                if directive.does == "amend_licence":
                    old = [x for x in old if x.administration != new.administration]
                regions[n] = replace(each, licences=(*old, new))
    return replace(
        before, log_size=1001, regions=tuple(regions), directives=tuple(directives),
        allow_lists=(*before.allow_lists, brought) if brought else before.allow_lists,
    )  # fmt: skip


def plain_outcome(was, then):
    """Return what becomes of a terminal, said as plainly as can be."""
    if was.reason is not None:
        return "gains" if then.reason is None else "without"
    if then.reason is not None:
        return "loses"
    if then.warned_until_s and not was.warned_until_s:
        return "warned"
    if then.max_down_bps < was.max_down_bps or then.max_up_bps < was.max_up_bps:
        return "lifeline" if then.rule is Rule.SUSPENDED else "restricted"
    if then.max_down_bps > was.max_down_bps or then.max_up_bps > was.max_up_bps:
        return "raised"
    return "guaranteed" if then.rule is Rule.GUARANTEED else "keeps"


def brute_force(directive, own, who, where, sponsors, before, brought):
    """Return a report's counts, one scalar decision after the other over all terminals."""
    after = plain_after(before, directive, own, brought)
    names = "all", "class", "account", "sponsor", "region", "reason", "protects", "breaks"
    found = {name: Counter() for name in names}
    on_before, on_after = Counter(), Counter()
    unguaranteed = 0
    for terminal, cell, sponsor in zip(who, where, sponsors, strict=True):
        was = decide(before, terminal, cell, directive.from_s)
        then = decide(after, terminal, cell, directive.from_s)
        outcome = plain_outcome(was, then)
        on_before[terminal.account_id] += was.reason is None
        on_after[terminal.account_id] += then.reason is None
        if cell not in concerned(directive, own, before):
            assert was == then
            continue
        found["all"][outcome] += 1
        found["class"][terminal.service_class, outcome] += 1
        found["account"][terminal.account_id, outcome] += 1
        found["sponsor"][sponsor, outcome] += 1
        found["reason"][str(then.reason or "served"), outcome] += 1
        for each in after.regions:
            if cell in each.cells.tolist():
                found["region"][each.region_id, outcome] += 1
        if then.rule is Rule.GUARANTEED:
            found["protects"][then.decided_by] += 1
        if outcome == "loses" and then.breached:
            found["breaks"][then.breached] += 1
        unguaranteed += was.rule is Rule.GUARANTEED and then.rule is not Rule.GUARANTEED
    cut_off = sum(on_before[a] > 0 and not on_after[a] for a in on_before if a)
    return found, unguaranteed, cut_off


def concerned(directive, own, before):
    """Return the cells that the report is about."""
    cells = set(own.cells.tolist())
    for each in before.directives:
        if each.directive_id == directive.supersedes:
            cells |= set(before.region_by_id[each.region_id].cells.tolist())
    for each in before.regions:
        if directive.licence and each.region_id.split("@")[0] == directive.region_id:
            cells |= set(each.cells.tolist())
    return cells


def flat(breakdown):
    return {(name, o.word): n for o in Outcome for name, n in breakdown.of(o).items()}


def test_random_reports_equal_brute_force(full_counts, record_figure):
    rng = random.Random(6)
    cases = 1_000 if full_counts else 60
    wrong, outcomes, kinds = 0, Counter(), Counter()
    for _ in range(cases):
        directive, own, who, where, before, brought = random_case(rng)
        sponsors = [rng.choice(SPONSORS) for _ in who]
        found = impact_report(
            directive, own, table(who, where, sponsors), before, NOBODY, allow_list=brought
        )
        expected, unguaranteed, cut_off = brute_force(
            directive, own, who, where, sponsors, before, brought
        )
        told = {
            "all": counts(found), "class": flat(found.by_service_class),
            "account": flat(found.by_account), "sponsor": flat(found.by_sponsor),
            "region": flat(found.by_region), "reason": flat(found.by_reason),
            "protects": {a.agreement_id: a.protects for a in found.agreements if a.protects},
            "breaks": {a.agreement_id: a.breaks for a in found.agreements if a.breaks},
        }  # fmt: skip
        # Agreements are listed that meet the region; a superseded directive may lie elsewhere.
        listed = {a.agreement_id for a in found.agreements}
        for name in ("protects", "breaks"):
            expected[name] = {a: n for a, n in expected[name].items() if a in listed}
        is_right = told == expected and found.unguaranteed == unguaranteed
        is_right &= found.accounts_cut_off == cut_off and found.unplaced == where.count(0)
        wrong += not is_right
        outcomes.update(counts(found))
        kinds[directive.does] += 1
    record_figure("impact reports that differ from brute force", wrong, f"of {cases:,}", "0")
    assert not wrong
    assert set(kinds) == {kind for kind in DirectiveKind if kind.changes_service}
    if full_counts:
        assert all(outcomes[each.word] >= 50 for each in Outcome), outcomes


# What becomes of whom


def test_a_suspension_takes_service_and_leaves_the_lifeline():
    lifeline = fleet(2, service_class="lifeline", prefix="l")
    terminals = table_of(fleet(3), lifeline)
    assert counts(report(proposed(), terminals, ON)) == {"loses": 3, "lifeline": 2}


def test_where_nothing_was_on_nothing_is_lost():
    assert counts(report(proposed(), table_of(fleet(3)))) == {"without": 3}


def test_an_activation_gives_service():
    assert counts(report(proposed("activate"), table_of(fleet(3)))) == {"gains": 3}


def test_terminals_outside_the_region_are_not_counted():
    own = region(cells=CELLS[:3])
    terminals = table_of(fleet(3, CELLS[0]), fleet(4, CELLS[5], prefix="u"))
    assert counts(report(proposed(), terminals, ON, own=own)) == {"loses": 3}


def test_whom_an_agreement_names_keeps_service_and_the_agreement_is_named():
    terminals = table_of(fleet(3), fleet(2, account="aid", prefix="clinic"))
    found = report(proposed(), terminals, ON, agreement(**for_account("aid")))
    assert counts(found) == {"loses": 3, "guaranteed": 2}
    (each,) = found.agreements
    assert (each.agreement_id, each.protects, each.breaks, each.blocks) == ("a-17", 2, 0, False)


def test_an_exclusion_over_an_agreement_breaks_it_and_says_so():
    terminals = table_of(fleet(3), fleet(2, account="aid", prefix="clinic"))
    found = report(proposed("exclude"), terminals, ON, agreement(**for_account("aid")))
    assert counts(found) == {"loses": 5}
    (each,) = found.agreements
    assert (each.protects, each.breaks, each.blocks) == (0, 2, True)
    assert found.unguaranteed == 2


def test_lifting_a_guarantee_shows_who_no_longer_has_it():
    lift = proposed("lift_guarantee", agreement_id="a-17")
    held = agreement(**for_account("aid"))
    suspended = in_force("suspend", 2)
    found = report(lift, table_of(fleet(2, account="aid")), ON, suspended, held)
    assert (counts(found), found.unguaranteed) == ({"loses": 2}, 2)
    found = report(lift, table_of(fleet(2, account="aid")), ON, held)
    assert (counts(found), found.unguaranteed) == ({"keeps": 2}, 2)


def test_a_resumption_gives_service_back():
    assert counts(report(proposed("resume"), table_of(fleet(3)), ON, in_force("suspend", 2))) == {
        "gains": 3
    }


def test_a_restriction_slows_down_to_an_agreements_floor():
    slow = proposed("restrict", max_down_bps=1_000)
    terminals = table_of(fleet(3), fleet(2, account="aid", prefix="clinic"))
    found = report(slow, terminals, ON, agreement(**for_account("aid"), floor=policy.Floor(5_000)))
    assert counts(found) == {"restricted": 5}
    assert found.agreements[0].protects == 2


def test_a_directive_that_takes_anothers_place_ends_it():
    old = in_force("restrict", 2, max_down_bps=1_000)
    faster = proposed("restrict", max_down_bps=9_000, supersedes="d-2")
    assert counts(report(faster, table_of(fleet(3)), ON, old)) == {"raised": 3}
    ended = in_force("suspend", 3, until_s=START_S - 500)
    after = snapshot_with(snapshot(region(), ON, ended), proposed(supersedes="d-3"), region())
    assert [d.until_s for d in after.directives if d.directive_id == "d-3"] == [START_S - 500]
    assert (after.version, after.log_size) == (2, 1001)


def test_declaring_a_licence_void_shows_whom_it_cuts_off():
    """Else a void licence would be a suspension without a report."""
    licensed = region(needs_licence=True, licences=(licence(),))
    void = LicenceRecord(administration="AQ", instrument="act 2", status="void", from_s=START_S)
    amends = proposed("amend_licence", licence=void)
    found = report(amends, table_of(fleet(3)), ON, own=licensed)
    assert counts(found) == {"loses": 3}
    assert found.by_reason.of(Outcome.LOSES) == {"blocked_country": 3}
    other = void.model_copy(update={"administration": "XZ"})
    found = report(amends.model_copy(update={"licence": other}), table_of(fleet(3)), ON,
                   own=licensed)  # fmt: skip
    assert counts(found) == {"keeps": 3}


def test_a_region_drawn_to_be_suspended_makes_nothing_lawful():
    """Else whoever draws a region that needs no licence would give service where none is lawful."""
    licensed = region("old@1", needs_licence=True)
    drawn = region("amity@1", needs_licence=False, licences=(licence(),))
    on = in_force("activate", 1, "old@1")
    found = impact_report(proposed("restrict", max_down_bps=1), drawn, table_of(fleet(3)),
                          snapshot(licensed, on), NOBODY)  # fmt: skip
    assert counts(found) == {"without": 3}


def test_a_lifted_guarantee_is_the_version_that_is_in_force():
    old = agreement(until_s=START_S, **for_account("aid"))
    new = agreement("a-17@2", 51, from_s=START_S, **for_account("aid"))
    lift = proposed("lift_guarantee", agreement_id="a-17")
    found = report(lift, table_of(fleet(2, account="aid")), ON, old, new)
    assert found.unguaranteed == 2
    assert blocking(lift, region(), snapshot(region(), old, new)) == ["a-17@2"]


def test_an_activation_brings_the_licence_that_it_needs():
    own = region(needs_licence=True)
    new = LicenceRecord(administration="AQ", instrument="act 2", status="valid", from_s=0)
    terminals = table_of(fleet(3))
    assert counts(report(proposed("activate", licence=new), terminals, own=own)) == {"gains": 3}
    assert counts(report(proposed("activate"), terminals, own=own)) == {"without": 3}


def test_an_account_is_cut_off_only_where_nothing_of_it_keeps_service():
    own, all_on = region(cells=CELLS[:3]), region("sea@1")
    on = in_force("activate", 1, "sea@1")
    near, far = CELLS[0], CELLS[-1]
    terminals = table_of(
        fleet(2, near, account="aid", prefix="a"),
        fleet(1, near, account="harbour", prefix="b"), fleet(1, far, account="harbour", prefix="c"),
        fleet(1, near, account="mast", prefix="d"), fleet(1, 0, account="mast", prefix="e"),
        fleet(1, near, prefix="nobody"),
    )  # fmt: skip
    assert report(proposed(), terminals, on, all_on, own=own).accounts_cut_off == 2


def test_moving_terminals_are_counted_where_they_were_last_known():
    who = [Terminal("ferry"), Terminal("mast"), Terminal("lost")]
    terminals = table(who, [HERE, HERE, 0], is_moving=[True, False, True])
    found = report(proposed(), terminals, ON)
    assert (found.moving, found.unplaced, counts(found)) == (1, 1, {"loses": 2})


def test_people_are_those_of_the_towns_in_cells_that_change():
    towns = People(
        np.array([HERE, HERE, THERE, 1], dtype=np.uint64), np.zeros(4), np.zeros(4),
        np.array([20_000, 30_000, 40_000, 99_000]),
    )  # fmt: skip
    own = region(cells=CELLS[:3])
    found = impact_report(proposed(), own, table_of(fleet(1)), snapshot(own, ON), towns)
    assert found.people[Outcome.LOSES] == 50_000
    assert (found.cells[Outcome.LOSES], sum(found.cells)) == (3, 3)


def test_requests_behind_a_directive_are_named():
    found = report(proposed(request_ids=("favour-1",)), table_of(fleet(1)), ON)
    assert found.request_ids == ("favour-1",)


# Agreements that block


@pytest.mark.parametrize(
    ("does", "named", "exception", "blocks"),
    [
        ("exclude", {}, "", True),
        ("exclude", for_account("aid"), "", True),
        ("exclude", {}, "safety", False),
        ("suspend", {}, "", True),
        ("restrict", {}, "", True),
        ("emergency_suspend", {}, "", True),
        ("emergency_suspend", {}, "safety", False),
        ("emergency_suspend", for_account("aid"), "", False),
        ("suspend", for_account("aid"), "", False),
        ("activate", {}, "", False),
        ("resume", {}, "", False),
    ],
)
def test_who_must_be_asked_besides_the_route(does, named, exception, blocks):
    held = agreement(exceptions=("safety",), **named)
    asks = proposed(does, exception=exception)
    found = blocking(asks, region(), snapshot(region(), ON, held))
    assert found == (["a-17"] if blocks else [])


def test_an_agreement_over_part_of_a_region_protects_it_and_blocks_nothing():
    part, rest = region("part@1", CELLS[:3]), region("rest@1", CELLS[3:])
    held = [agreement("a-1", region_ids=("part@1",)), agreement("a-2", region_ids=("rest@1",))]
    policy_before = snapshot(region(), part, rest, ON, held[0])
    assert blocking(proposed(), region(), policy_before) == []
    in_haste = proposed("emergency_suspend")
    assert blocking(in_haste, region(), policy_before) == ["a-1"]
    both = snapshot(region(), part, rest, ON, *held)
    assert blocking(proposed(), region(), both) == ["a-1", "a-2"]


def test_lifting_a_guarantee_waits_for_its_own_parties_and_no_others():
    asks = proposed("lift_guarantee", agreement_id="a-18")
    before = snapshot(region(), agreement(), agreement("a-18", 51))
    assert blocking(asks, region(), before) == ["a-18"]


@pytest.mark.parametrize(
    ("changed", "blocks"),
    [
        ({}, False),
        ({"until_s": START_S + 10**9}, False),
        ({"status": "void"}, True),
        ({"from_s": 1}, True),
        ({"until_s": START_S + 9}, True),
        ({"administration": "XZ"}, True),
    ],
)
def test_an_agreement_blocks_a_licence_that_becomes_less(changed, blocks):
    """Else a licence declared void would reach whom no suspension reaches."""
    plain = {"administration": "AQ", "instrument": "act 2", "status": "valid", "from_s": 0}
    amends = proposed("amend_licence", licence=LicenceRecord(**(plain | changed)))
    own = region(needs_licence=True, licences=(licence(until_s=START_S + 10**9),))
    assert bool(blocking(amends, own, snapshot(own, ON, agreement()))) is blocks


def test_an_endless_licence_becomes_less_by_an_end():
    ending = LicenceRecord(administration="AQ", instrument="act 2", status="valid", from_s=0,
                           until_s=START_S + 10**9)  # fmt: skip
    own = region(needs_licence=True, licences=(licence(),))
    amends = proposed("amend_licence", licence=ending)
    assert blocking(amends, own, snapshot(own, ON, agreement()))


def test_agreements_elsewhere_or_at_other_times_are_not_named():
    own = region(cells=CELLS[:3])
    elsewhere = region("far@1", CELLS[5:])
    held = [agreement("far", region_ids=("far@1",)), agreement("over", until_s=START_S),
            agreement("later", from_s=START_S + 1000)]  # fmt: skip
    found = report(proposed(), table_of(fleet(1)), elsewhere, ON, *held, own=own)
    assert found.agreements == ()


def test_an_agreement_that_begins_while_a_directive_lasts_is_named():
    later = agreement("later", from_s=START_S + 999)
    found = report(proposed(), table_of(fleet(1)), ON, later)
    assert [(a.agreement_id, a.protects) for a in found.agreements] == [("later", 0)]


# What is refused


@pytest.mark.parametrize("does", [kind for kind in DirectiveKind if not kind.changes_service])
def test_what_changes_no_cell_has_no_report(does):
    with pytest.raises(
        InputError, match="changes no cell, so it has no impact; propose it without"
    ):
        report(proposed(does), table_of(fleet(1)))


def test_a_licence_of_no_known_status_is_refused():
    odd = LicenceRecord(administration="AQ", instrument="x", status="perhaps", from_s=0)
    with pytest.raises(InputError, match='licence status "perhaps": expected valid, pending'):
        report(proposed("activate", licence=odd), table_of(fleet(1)))


def test_a_report_is_the_same_whatever_the_order_of_the_terminals():
    rows = [*fleet(5, sponsor="fund", account="aid"), *fleet(4, sponsor="guild", prefix="u")]
    one = report(proposed(), table_of(rows), ON).encode()
    assert report(proposed(), table_of(rows[::-1]), ON).encode() == one
    assert SALT.encode() not in one
