"""The cell decision: rule by rule, and random policies against a brute-force model."""

import random
from dataclasses import replace

import h3.api.numpy_int as h3_cells
import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.policy.allow_list import MIN_GRACE_S, AllowList, Listed, kit_hash
from skyweave.policy.decision import (
    LIFELINE_BPS,
    NO_LIMIT_BPS,
    Decision,
    Rule,
    State,
    decide,
    decide_all,
)
from skyweave.policy.reasons import Reason
from skyweave.policy.snapshot import (
    Agreement,
    Claim,
    Directive,
    Disabled,
    Floor,
    Kind,
    Licence,
    LicenceStatus,
    PolicyRegion,
    Snapshot,
    Subject,
    subject_hash,
)
from skyweave.policy.terminals import Terminal, Terminals

SALT = "5a" * 16
NOW_S = 1_000_000
CELLS = np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(47.0, 8.0, 5), 1)).astype(np.uint64)
HERE, ELSEWHERE = int(CELLS[0]), int(CELLS[-1])
HOSPITAL = Terminal("hospital", "aid", "standard", "kit-1")


def licence(**changed):
    return replace(Licence("A", "act 1", LicenceStatus.VALID, 0), **changed)


def region(cells=CELLS[:4], name="r", **changed):
    plain = PolicyRegion(name, 1, "sha256:r", cells.copy(), licences=(licence(),))
    return replace(plain, **changed)


def directive(kind, entry=1, **changed):
    plain = Directive(f"d{entry}", kind, "r", entry, NOW_S - 10, NOW_S + 10, "because")
    return replace(plain, **changed)


def snapshot(*directives, regions=None, **more):
    return Snapshot(1, "log", 1000, "root", 1, NOW_S, SALT, regions or (region(),), directives,
                    **more)  # fmt: skip


def agreement(entry=50, **changed):
    return replace(Agreement(f"a{entry}", entry, ("r",), NOW_S - 10, NOW_S + 10), **changed)


def asked(policy, terminal=HOSPITAL, cell=HERE, at_s=NOW_S):
    """Return the decision, after checking that the vectorised one is the same."""
    one = decide(policy, terminal, cell, at_s)
    cells = np.array([cell, cell], dtype=np.uint64)
    assert decide_all(policy, Terminals.of([terminal] * 2), cells, at_s)[1] == one
    return one


ACTIVE = directive(Kind.ACTIVATE, 1)


def test_what_nobody_switched_on_is_off():
    assert asked(snapshot()) == Decision(Rule.CLOSED, Reason.CELL_IS_DISABLED, 0, 0)
    assert asked(snapshot(ACTIVE), cell=ELSEWHERE).rule is Rule.CLOSED
    assert asked(snapshot(ACTIVE), cell=0).state is State.OFF


@pytest.mark.parametrize("kind", [Kind.ACTIVATE, Kind.RESUME, Kind.EMERGENCY_ACTIVATE])
def test_an_activation_switches_its_cells_on_and_is_named(kind):
    found = asked(snapshot(directive(kind, 7)))
    assert found == Decision(Rule.ACTIVE, None, decided_by="d7", entry=7)
    assert found.state is State.ON


@pytest.mark.parametrize(("after_s", "is_on"), [(-11, False), (-10, True), (9, True), (10, False)])
def test_a_directive_holds_from_its_first_second_up_to_its_end(after_s, is_on):
    found = asked(snapshot(ACTIVE), at_s=NOW_S + after_s)
    assert (found.state is State.ON) is is_on


@pytest.mark.parametrize("kind", [Kind.SUSPEND, Kind.EMERGENCY_SUSPEND])
def test_a_suspension_takes_precedence_over_an_activation(kind):
    found = asked(snapshot(ACTIVE, directive(kind, 2)))
    assert found == Decision(Rule.SUSPENDED, Reason.CELL_IS_DISABLED, 0, 0, "d2", 2)


LIFELINE = replace(HOSPITAL, service_class="lifeline")


@pytest.mark.parametrize(
    ("kind", "rule"), [(Kind.SUSPEND, Rule.SUSPENDED), (Kind.EXCLUDE, Rule.EXCLUDED)]
)
def test_a_cut_leaves_the_lifeline(kind, rule):
    found = asked(snapshot(ACTIVE, directive(kind, 2)), LIFELINE)
    assert found == Decision(rule, None, LIFELINE_BPS, LIFELINE_BPS, "d2", 2)
    assert found.state is State.RESTRICTED


def test_an_exclusion_takes_the_lifeline_only_where_its_instrument_says_so():
    exclusion = directive(Kind.EXCLUDE, 2, spares_lifeline=False)
    found = asked(snapshot(ACTIVE, exclusion), LIFELINE)
    assert found == Decision(Rule.EXCLUDED, Reason.BLOCKED_AREA, 0, 0, "d2", 2)


def test_a_lifeline_does_not_outlast_the_licence():
    policy = snapshot(ACTIVE, directive(Kind.EXCLUDE, 2), regions=(region(licences=()),))
    assert asked(policy, LIFELINE).state is State.OFF


@pytest.mark.parametrize("kind", [Kind.SUSPEND, Kind.EXCLUDE, Kind.RESTRICT])
def test_what_takes_service_never_starts_it(kind):
    """The quorum of a restriction would else be a second, smaller way to switch a region on."""
    for terminal in (HOSPITAL, LIFELINE):
        assert asked(snapshot(directive(kind, 2)), terminal).state is State.OFF


def test_an_allow_list_leaves_the_lifeline_to_who_is_not_listed():
    listing = AllowList("r", "d2", 2, SALT, NOW_S - MIN_GRACE_S, NOW_S + 10)
    found = asked(snapshot(ACTIVE, allow_lists=(listing,)), LIFELINE)
    assert found == Decision(Rule.NOT_LISTED, None, LIFELINE_BPS, LIFELINE_BPS, "d2", 2)


@pytest.mark.parametrize(("entry", "is_on"), [(1, False), (3, True)])
def test_a_resumption_ends_suspensions_before_it_in_the_log(entry, is_on):
    found = asked(snapshot(directive(Kind.SUSPEND, 2), directive(Kind.RESUME, entry)))
    assert (found.state is State.ON) is is_on


def test_a_resumption_ends_no_exclusion():
    found = asked(snapshot(directive(Kind.EXCLUDE, 2), directive(Kind.RESUME, 3)))
    assert found.rule is Rule.EXCLUDED


def test_an_agreement_keeps_a_suspended_cell_on():
    """One person, and even the quorum for suspensions, does not reach what an agreement covers."""
    policy = snapshot(directive(Kind.SUSPEND, 2), agreements=(agreement(),))
    assert asked(policy) == Decision(Rule.GUARANTEED, None, decided_by="a50", entry=50)


def test_a_lifted_agreement_guarantees_nothing():
    lift = directive(Kind.LIFT_GUARANTEE, 3, agreement_id="a50")
    policy = snapshot(directive(Kind.SUSPEND, 2), lift, agreements=(agreement(),))
    assert asked(policy).rule is Rule.SUSPENDED
    other = agreement(51)
    policy = snapshot(directive(Kind.SUSPEND, 2), lift, agreements=(agreement(), other))
    assert asked(policy).decided_by == "a51"


@pytest.mark.parametrize(("exceptions", "is_on"), [((), True), (("safety",), False)])
def test_only_an_exception_that_the_parties_made_suspends_a_guaranteed_cell(exceptions, is_on):
    suspension = directive(Kind.EMERGENCY_SUSPEND, 2, exception="safety")
    policy = snapshot(suspension, agreements=(agreement(exceptions=exceptions),))
    assert (asked(policy).state is State.ON) is is_on


def test_a_restriction_stops_at_the_floor_of_an_agreement():
    restriction = directive(Kind.RESTRICT, 2, max_down_bps=1_000, max_up_bps=9_000)
    policy = snapshot(restriction, agreements=(agreement(floor=Floor(5_000, 5_000)),))
    found = asked(policy)
    assert (found.max_down_bps, found.max_up_bps) == (5_000, 9_000)
    assert found.state is State.RESTRICTED


def test_of_agreements_the_highest_floor_counts():
    low, high = agreement(50, floor=Floor(10)), agreement(51, floor=Floor(20))
    assert asked(snapshot(agreements=(low, high))).decided_by == "a51"
    named = agreement(52, floor=Floor(30), terminal_hashes=(hashed("hospital"),))
    assert asked(snapshot(agreements=(low, named, high))).decided_by == "a52"


def hashed(name, subject=Subject.TERMINAL):
    return subject_hash(SALT, subject, name)


def test_an_agreement_covers_whom_it_names():
    by_terminal = agreement(terminal_hashes=(hashed("hospital"),))
    by_account = agreement(account_hashes=(hashed("aid", Subject.ACCOUNT),))
    for each in (by_terminal, by_account):
        assert asked(snapshot(agreements=(each,))).rule is Rule.GUARANTEED
        assert asked(snapshot(agreements=(each,)), Terminal("x", "y")).rule is Rule.CLOSED


@pytest.mark.parametrize("subject", Subject)
def test_who_is_disabled_is_off_and_told_so(subject):
    name = HOSPITAL.terminal_id if subject is Subject.TERMINAL else HOSPITAL.account_id
    each = Disabled(subject, hashed(name, subject), "d9", 9, NOW_S, NOW_S + 1, "fraud")
    policy = snapshot(ACTIVE, directive(Kind.SUSPEND, 2), disabled=(each,))
    assert asked(policy) == Decision(Rule.DISABLED, Reason.ACCOUNT_DISABLED, 0, 0, "d9", 9)
    assert asked(policy, Terminal("hospital2", "aid2")).rule is Rule.SUSPENDED
    assert asked(policy, at_s=NOW_S + 1).rule is Rule.SUSPENDED


def test_an_exclusion_ends_a_guarantee_and_the_breach_is_named():
    policy = snapshot(directive(Kind.EXCLUDE, 2), agreements=(agreement(),))
    assert asked(policy) == Decision(Rule.EXCLUDED, Reason.BLOCKED_AREA, 0, 0, "d2", 2, "a50")


@pytest.mark.parametrize(
    "changed",
    [
        {"status": LicenceStatus.VOID},
        {"status": LicenceStatus.PENDING},
        {"status": LicenceStatus.SUSPENDED},
        {"until_s": NOW_S},
        {"from_s": NOW_S + 1},
    ],
)
def test_no_licence_in_force_is_no_service(changed):
    unlicensed = region(licences=(licence(**changed),))
    policy = snapshot(ACTIVE, regions=(unlicensed,), agreements=(agreement(),))
    expected = Decision(Rule.UNLICENSED, Reason.BLOCKED_COUNTRY, 0, 0, breached="a50")
    assert asked(policy) == expected
    free = replace(unlicensed, needs_licence=False)
    assert asked(snapshot(ACTIVE, regions=(free,))).rule is Rule.ACTIVE


def test_no_claim_is_chosen():
    """Any administration's valid licence serves; claims change nothing."""
    claims = (Claim("A", "treaty"), Claim("B", "older treaty"))
    void = licence(administration="B", status=LicenceStatus.VOID)
    disputed = region(licences=(void, licence()), claims=claims)
    assert asked(snapshot(ACTIVE, regions=(disputed,))).rule is Rule.ACTIVE
    overlapping = region(name="of B", licences=(void,))
    assert asked(snapshot(ACTIVE, regions=(region(), overlapping))).rule is Rule.ACTIVE


@pytest.mark.parametrize("first", [{}, {"needs_licence": False, "licences": ()}])
def test_nobody_is_cut_by_a_second_region_whose_licence_runs_out(first):
    """Else whoever draws a region over another could let its licence lapse and cut the first."""
    lapsed = region(name="drawn over it", licences=(licence(until_s=NOW_S),))
    policy = snapshot(ACTIVE, regions=(region(**first), lapsed))
    assert asked(policy).rule is Rule.ACTIVE
    assert asked(snapshot(ACTIVE, regions=(lapsed, region(**first)))).rule is Rule.ACTIVE


def test_two_regions_without_a_licence_in_force_make_none():
    lapsed = tuple(region(name=name, licences=(licence(until_s=NOW_S),)) for name in ("r", "s"))
    assert asked(snapshot(ACTIVE, regions=lapsed)).rule is Rule.UNLICENSED


def test_the_tightest_restriction_counts_and_names_itself():
    loose = directive(Kind.RESTRICT, 2, max_down_bps=9_000)
    tight = directive(Kind.RESTRICT, 3, max_down_bps=1_000, max_up_bps=500)
    found = asked(snapshot(ACTIVE, loose, tight))
    assert found == Decision(Rule.RESTRICTED, None, 1_000, 500, "d3", 3)
    assert asked(snapshot(ACTIVE, loose)).max_up_bps == NO_LIMIT_BPS


def listing(*kits, entry=20, **changed):
    plain = AllowList("r", f"d{entry}", entry, SALT, NOW_S, NOW_S + 10**9, kits)
    return replace(plain, **changed)


def test_off_the_allow_list_a_terminal_is_warned_and_then_off():
    kit = Listed(kit_hash(SALT, "kit-1"), "standard", "aid", NOW_S)
    forever = replace(ACTIVE, until_s=None)
    policy = snapshot(forever, allow_lists=(listing(kit),))
    assert asked(policy).warned_until_s == 0
    stranger = replace(HOSPITAL, kit_id="kit-2")
    end_s = NOW_S + MIN_GRACE_S
    warned = asked(policy, stranger)
    assert warned == Decision(Rule.ACTIVE, None, decided_by="d1", entry=1, warned_until_s=end_s)
    assert asked(policy, stranger, at_s=end_s - 1).state is State.ON
    cut = asked(policy, stranger, at_s=end_s)
    assert cut == Decision(Rule.NOT_LISTED, Reason.ROAM_RESTRICTED, 0, 0, "d20", 20)


def test_a_shape_that_does_not_fit_is_refused():
    with pytest.raises(InputError, match=r"shape \(2,\); pass \(1,\), one a terminal"):
        decide_all(snapshot(), Terminals.of([HOSPITAL]), CELLS[:2], NOW_S)


def test_no_terminals_are_no_decisions():
    found = decide_all(snapshot(ACTIVE), Terminals.of([]), CELLS[:0], NOW_S)
    assert found.rule.shape == (0,)


# Against brute force

NAMES = ["t0", "t1", "t2"]
ACCOUNTS = ["", "x", "y"]


def random_policy(rng):
    regions = tuple(
        region(
            CELLS[sorted(rng.sample(range(len(CELLS)), rng.randint(1, 6)))], f"r{n}",
            needs_licence=rng.random() < 0.5,
            licences=tuple(
                licence(status=rng.choice([LicenceStatus.VALID] * 4 + [LicenceStatus.VOID]),
                        until_s=rng.choice([None, NOW_S, NOW_S + 1]))
                for _ in range(rng.randrange(3))
            ),
        )
        for n in range(3)
    )  # fmt: skip
    names = [each.region_id for each in regions]
    span = lambda: (NOW_S - rng.randrange(2), NOW_S + rng.randrange(1, 3))  # noqa: E731
    agreements = tuple(
        Agreement(
            f"a{n}", 100 + n, tuple(rng.sample(names, rng.randint(1, 2))), *span(),
            Floor(rng.randrange(3), rng.randrange(3)),
            tuple(hashed(t) for t in rng.sample(NAMES, rng.randrange(2))),
            tuple(hashed(a, Subject.ACCOUNT) for a in rng.sample(ACCOUNTS, rng.randrange(2))),
            rng.choice([(), (), ("safety",), ("order", "safety")]),
        )
        for n in range(rng.randrange(3))
    )  # fmt: skip
    kinds = [k for k in Kind if k is not Kind.EXCLUDE] + [Kind.LIFT_GUARANTEE] * bool(agreements)
    directives = []
    for n in range(rng.randrange(7)):
        kind = Kind.EXCLUDE if rng.random() < 0.05 else rng.choice(kinds)
        if kind is Kind.LIFT_GUARANTEE and not agreements:
            continue
        directives.append(
            Directive(
                f"d{n}", kind, rng.choice(names), rng.randrange(20), *span(), "x",
                f"a{rng.randrange(len(agreements))}" if kind is Kind.LIFT_GUARANTEE else "",
                rng.choice(["", "", "safety", "order"]),
                rng.choice([None, 1, 2]), rng.choice([None, 1, 2]), rng.random() < 0.5,
            )
        )  # fmt: skip
    lists = tuple(
        AllowList(
            rng.choice(names), f"l{n}", 30 + n, SALT, NOW_S - rng.choice([0, MIN_GRACE_S]),
            NOW_S + rng.randint(1, 9),
            tuple(
                sorted(
                    (Listed(kit_hash(SALT, f"k{k}"), "c", "s", NOW_S - 5,
                            rng.choice([None, NOW_S, NOW_S + 1]))
                     for k in rng.sample(range(3), rng.randrange(3))),
                    key=lambda kit: kit.kit_hash,
                )
            ),
        )
        for n in range(rng.choice([0, 0, 1, 2]))
    )  # fmt: skip
    disabled = tuple(
        Disabled(s, hashed(rng.choice(NAMES if s is Subject.TERMINAL else ACCOUNTS), s), f"x{n}",
                 40 + n, *span(), "z")
        for n, s in enumerate(rng.choices(list(Subject), k=rng.choice([0, 0, 1])))
    )  # fmt: skip
    return snapshot(*directives, regions=regions, agreements=agreements, allow_lists=lists,
                    disabled=disabled)  # fmt: skip


def model(policy, who, cell, at_s):
    """Return (rule, who decided, down, up, breached, warned until), as plainly as can be said."""
    inside = [r.region_id for r in policy.regions if cell in r.cells.tolist()]
    now = [d for d in policy.directives
           if d.region_id in inside and d.from_s <= at_s < d.until_s]  # fmt: skip
    for resume in [d for d in now if d.kind == "resume"]:
        now = [d for d in now if d.kind not in ("suspend", "emergency_suspend", "restrict")
               or d.entry >= resume.entry]  # fmt: skip
    first = sorted(now, key=lambda d: (d.entry, d.directive_id))
    of = {kind: [d for d in first if d.kind == kind] for kind in Kind}
    no_limit = 2**63 - 1
    covering = []
    for a in policy.agreements:
        named = not (a.terminal_hashes or a.account_hashes)
        named |= hashed(who.terminal_id) in a.terminal_hashes
        named |= hashed(who.account_id, Subject.ACCOUNT) in a.account_hashes
        lifted = a.agreement_id in [d.agreement_id for d in of[Kind.LIFT_GUARANTEE]]
        waived = any(d.exception in a.exceptions for d in now if d.kind != "lift_guarantee")
        if named and set(inside) & set(a.region_ids) and a.from_s <= at_s < a.until_s:
            covering += [] if lifted or waived else [a]
    covering.sort(key=lambda a: (-a.floor.down_bps, -a.floor.up_bps, a.entry))
    broken = covering[0].agreement_id if covering else ""
    mine = [r for r in policy.regions if r.region_id in inside]
    valid = [x for r in mine for x in r.licences
             if x.status == "valid" and (x.until_s or at_s + 1) > at_s]  # fmt: skip
    unlicensed = bool(mine) and all(r.needs_licence for r in mine) and not valid
    on = [d for d in first if d.kind in ("activate", "resume", "emergency_activate")]
    lifeline = 64_000 if on and who.service_class == "lifeline" else 0
    if of[Kind.EXCLUDE]:
        d = of[Kind.EXCLUDE][0]
        rate = lifeline if d.spares_lifeline and not unlicensed else 0
        return 0, d.directive_id, rate, rate, broken, 0
    if unlicensed:
        return 1, "", 0, 0, broken, 0
    caps = sorted(
        (no_limit if d.max_down_bps is None else d.max_down_bps,
         no_limit if d.max_up_bps is None else d.max_up_bps, d.entry, d.directive_id)
        for d in of[Kind.RESTRICT]
    )  # fmt: skip
    down, up = caps[0][:2] if caps else (no_limit, no_limit)
    if covering:
        floor = covering[0].floor
        return 2, broken, max(down, floor.down_bps), max(up, floor.up_bps), "", 0
    for each in policy.disabled:
        name = who.terminal_id if each.subject == "terminal" else who.account_id
        if each.subject_hash == hashed(name, each.subject) and each.from_s <= at_s < each.until_s:
            return 3, each.directive_id, 0, 0, "", 0
    for d in first:
        if d.kind in ("suspend", "emergency_suspend"):
            return 4, d.directive_id, lifeline, lifeline, "", 0
    if not on:
        return 5, "", 0, 0, "", 0
    lists = [x for x in policy.allow_lists
             if x.region_id in inside and x.from_s <= at_s < x.until_s]  # fmt: skip
    graces, listed = [], False
    for x in lists:
        kits = [k for k in x.kits if k.kit_hash == kit_hash(SALT, who.kit_id)]
        listed |= any((k.until_s or at_s + 1) > at_s for k in kits)
        since = [k.until_s for k in kits if k.until_s] or [x.from_s]
        graces.append(max(*since, x.from_s) + MIN_GRACE_S)
    until = max(graces, default=0)
    if lists and not listed and at_s >= until:
        return 6, lists[0].directive_id, lifeline, lifeline, "", 0
    warned = until if lists and not listed else 0
    if caps:
        return 7, caps[0][3], down, up, "", warned
    return 8, on[0].directive_id, no_limit, no_limit, "", warned


def told(found):
    return (int(found.rule), found.decided_by, found.max_down_bps, found.max_up_bps,
            found.breached, found.warned_until_s)  # fmt: skip


def test_random_policies_agree_with_brute_force(full_counts, record_figure):
    rng = random.Random(8)
    count = 10_000 if full_counts else 300
    wrong = apart = 0
    seen = dict.fromkeys(Rule, 0)
    for _ in range(count):
        policy = random_policy(rng)
        who = [
            Terminal(rng.choice(NAMES), rng.choice(ACCOUNTS), rng.choice(["standard", "lifeline"]),
                     f"k{rng.randrange(3)}")
            for _ in CELLS
        ]  # fmt: skip
        cells = np.array(rng.choices([0, *CELLS.tolist()], k=len(who)), dtype=np.uint64)
        together = decide_all(policy, Terminals.of(who), cells, NOW_S)
        for n, (each, cell) in enumerate(zip(who, cells.tolist(), strict=True)):
            found = decide(policy, each, cell, NOW_S)
            wrong += told(found) != model(policy, each, cell, NOW_S)
            apart += found != together[n]
            seen[found.rule] += 1
    record_figure(f"decisions: {count} random policies, cells unlike brute force", wrong, "", "0")
    record_figure(f"decisions: {count} random policies, arrays unlike scalars", apart, "", "0")
    assert (wrong, apart) == (0, 0)
    assert min(seen.values()) > count / 50
