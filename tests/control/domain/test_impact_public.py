"""What the public form of a report tells, and above all what it does not."""

import json
import random

import numpy as np
import pytest
from tests.support.made_impact import (
    CELLS,
    NOBODY,
    ON,
    START_S,
    agreement,
    fleet,
    for_account,
    proposed,
    region,
    snapshot,
    table_of,
)

from skyweave.control.domain import impact_public
from skyweave.control.domain.documents import canonical, digest_of
from skyweave.control.domain.impact import Outcome, impact_report
from skyweave.control.domain.impact_border import People, border_of
from skyweave.control.domain.impact_lines import report_lines
from skyweave.control.domain.impact_public import (
    FEW,
    MAX_SPONSORS,
    STEP,
    WITHHELD,
    check_published,
    exact_form,
    parse_published,
    published,
)
from skyweave.errors import InputError

NONCE = b"sixteen bytes ok"
CLASSES = ("standard", "priority", "lifeline")
SQUARE = {"type": "Polygon", "coordinates": [[[-40.3, 37.8], [-39.7, 37.8], [-39.7, 38.2],
                                              [-40.3, 38.2], [-40.3, 37.8]]]}  # fmt: skip
TOWN = People(CELLS[:1], np.array([38.0]), np.array([-40.0]), np.array([20_123]))


def exact(*fleets, directive=None, records=(ON,), own=None, **more):
    own = own or region()
    before = snapshot(own, *records)
    terminals = table_of(*fleets)
    return impact_report(directive or proposed(), own, terminals, before, TOWN, **more)


def told(*fleets, **more):
    return parse_published(published(exact(*fleets, **more), NONCE))


# Small counts


@pytest.mark.parametrize(
    ("count", "figure"), [(0, FEW), (1, FEW), (19, FEW), (20, 20), (39, 20), (40, 40)]
)
def test_counts_under_20_are_all_told_alike_and_others_rounded_down(count, figure):
    found = told(fleet(count))
    assert found.terminals["loses"] == figure
    assert found.by_service_class["loses"] == ({} if figure == FEW else {"standard": figure})


def test_nobody_is_counted_by_a_hidden_class():
    """39 terminals are standard and 1 is not: a total of 40 would betray it."""
    found = told(fleet(39), fleet(1, service_class="priority", prefix="u"))
    assert found.by_service_class["loses"] == {"standard": 20}
    assert found.terminals["loses"] == 20


def test_a_hidden_class_is_told_by_subtraction_when_totals_are_only_rounded(monkeypatch):
    """The same with the check away: a total of 40 or more, 39 standard at most."""
    monkeypatch.setattr(impact_public, "_told_total", lambda total, tables, step: total // 20 * 20)
    monkeypatch.setattr(impact_public, "_tells", lambda total, tables, step: False)
    found = told(fleet(39), fleet(1, service_class="priority", prefix="u"))
    assert found.terminals["loses"] - (found.by_service_class["loses"]["standard"] + 19) == 1


def range_of(parts, hidden, known):
    """Return all that a table's total may be: told parts lie in 20s, hidden ones under 20."""
    sums = {sum(known.values())}
    for name in {*parts, *hidden} - set(known):
        low = parts.get(name, 0)
        sums = {total + n for total in sums for n in (low, low + STEP - 1)}
    # Every whole number between the extremes can be reached, one terminal at a time.
    return set(range(min(sums), max(sums) + 1))


def narrowed(total, tables):
    """Return the groups that what is told shows to be more than 0 or less than 19."""
    told_total = total if isinstance(total, int) else 0
    totals = set(range(told_total, told_total + STEP))
    found = []
    for title, (parts, groups) in tables.items():
        others = [range_of(p, set(g) - set(p), {}) for t, (p, g) in tables.items() if t != title]
        allowed = totals.intersection(*others) if others else totals
        for name in set(groups) - set(parts):
            for count in (0, STEP - 1):
                if not range_of(parts, set(groups) - set(parts), {name: count}) & allowed:
                    found.append((title, name, count))
    return found


def random_fleets(rng):
    """Return fleets whose parts lie close to multiples of 20, where subtraction tells most."""
    sizes = [0, 1, 2, 10, 18, 19, 19, 20, 21, 38, 39, 39, 40]
    sponsors = ["fund", "guild", "bank", "mill", "farm"][: rng.randint(1, 5)]
    return [
        fleet(rng.choice(sizes), sponsor=rng.choice(sponsors), service_class=rng.choice(CLASSES),
              prefix=f"f{n}")
        for n in range(rng.randint(1, 6))
    ], sponsors  # fmt: skip


@pytest.mark.parametrize("is_checked", [True, False])
def test_no_hidden_group_is_narrowed_by_all_that_is_told(is_checked, full_counts, monkeypatch):
    """Signers and the public combine every total and breakdown; without the check it pays."""
    if not is_checked:
        monkeypatch.setattr(impact_public, "_tells", lambda total, tables, step: False)
    rng = random.Random(20)
    found = []
    for _ in range(1_000 if full_counts else 50):
        fleets, sponsors = random_fleets(rng)
        form = told(*fleets)
        for outcome in Outcome:
            tables = {
                "class": (form.by_service_class[outcome.word], CLASSES),
                "sponsor": (form.by_sponsor[outcome.word], sponsors),
            }
            if outcome is Outcome.LOSES:
                tables["reason"] = form.by_reason, [*(form.by_reason or ()), "another"]
            shown = {title: each for title, each in tables.items() if each[0] is not None}
            found += narrowed(form.terminals[outcome.word], shown)
    assert bool(found) is not is_checked


def test_a_total_of_20_or_more_is_never_told_as_fewer():
    rng = random.Random(3)
    for _ in range(40):
        report = exact(*random_fleets(rng)[0])
        form = parse_published(published(report, NONCE))
        for outcome in Outcome:
            count, figure = report.terminals[outcome], form.terminals[outcome.word]
            assert (figure == FEW) == (count < STEP)
            assert count < STEP or (figure % STEP == 0 and 0 < figure <= count)


def figures(form):
    """Return every count of terminals of a public form, in order; few are 0."""
    fields = form.model_dump(mode="json")
    flat = []

    def walk(value):
        if isinstance(value, dict):
            for name in sorted(value):
                walk(value[name])
        elif isinstance(value, list):
            for each in value:
                walk(each)
        elif value is not None:
            flat.append(value if isinstance(value, int) else 0)

    for name in ("terminals", "unguaranteed", "accounts_cut_off", "moving", "unplaced"):
        walk(fields[name])
    for each in fields["agreements"]:
        walk([each["protects"], each["breaks"]])
    return flat


def test_regions_that_differ_by_one_cell_give_counts_that_differ_by_20s():
    """Whoever proposes again over one cell less learns at most that a multiple was passed."""
    rng = random.Random(4)
    fleets = [fleet(rng.randrange(50), cell, account=rng.choice(["", "aid"]), prefix=f"c{n}")
              for n, cell in enumerate(CELLS)]  # fmt: skip
    held = agreement(**for_account("aid"))
    forms = [
        told(*fleets, own=region(cells=cells), records=(ON, held))
        for cells in (CELLS, CELLS[1:], CELLS[:-1], CELLS[2:])
    ]
    assert all(count % STEP == 0 for form in forms for count in figures(form))
    assert len({tuple(figures(form)) for form in forms}) > 1


# Names


def test_accounts_are_never_named_and_sponsors_only_from_20_terminals_on():
    report = exact(
        fleet(30, account="aid-17", sponsor="fund"), fleet(9, sponsor="hidden-guild", prefix="u")
    )
    content = published(report, NONCE)
    assert b"aid-17" not in content
    assert b"hidden-guild" not in content
    assert parse_published(content).by_sponsor["loses"] == {"fund": 20}


def test_only_the_largest_sponsors_are_named():
    fleets = [fleet(20 * n, sponsor=f"s{n:02}", prefix=f"f{n}") for n in range(1, 14)]
    found = told(*fleets).by_sponsor["loses"]
    assert sorted(found) == [f"s{n:02}" for n in range(4, 14)]
    assert len(found) == MAX_SPONSORS


def test_accounts_left_without_service_are_counted_by_20s():
    fleets = [fleet(1, account=f"a{n}", prefix=f"f{n}") for n in range(41)]
    assert told(*fleets).accounts_cut_off == 40
    assert told(*fleets[:19]).accounts_cut_off == FEW


def test_an_agreements_few_terminals_are_not_told():
    held = agreement(**for_account("aid")), agreement("a-18", 51, **for_account("harbour"))
    found = told(
        fleet(30, account="aid"), fleet(5, account="harbour", prefix="u"), records=(ON, *held)
    )
    assert [(a.agreement_id, a.protects) for a in found.agreements] == [("a-17", 20), ("a-18", FEW)]


# Protected regions


def test_a_protected_region_s_report_says_nothing_of_where_it_lies():
    """Its cells, its people, its neighbours and who pays there would each give the place away."""
    form = told(fleet(40, sponsor="fund"), border=border_of(SQUARE), is_protected=True)
    assert (form.cells, form.people, form.border, form.by_sponsor) == (None,) * 4
    assert form.terminals["loses"] == 40
    assert "people and cells are withheld" in "\n".join(report_lines(form))
    assert b"20123" not in form.encode()


def test_those_who_may_see_the_table_see_a_protected_region_too():
    form = exact_form(exact(fleet(40, sponsor="fund"), is_protected=True))
    assert form.people == {"loses": 20_123}
    assert form.by_sponsor["loses"] == {"fund": 40}


# What binds the two forms


def test_a_public_form_is_that_of_one_table_alone():
    report = exact(fleet(40))
    content = published(report, NONCE)
    check_published(content, report, NONCE)
    other = exact(fleet(39), fleet(1, account="aid", prefix="u"))
    forms = [json.loads(published(each, NONCE)) for each in (report, other)]
    assert forms[0].pop("exact") != forms[1].pop("exact")
    assert forms[0] == forms[1]
    for wrong, nonce in ((other, NONCE), (report, NONCE[::-1])):
        with pytest.raises(InputError, match="do not sign it: ask the proposer which table"):
            check_published(content, wrong, nonce)


def test_a_nonce_that_can_be_guessed_is_refused():
    with pytest.raises(InputError, match="nonce of 15 bytes; small counts could be tried out"):
        published(exact(fleet(1)), NONCE[1:])


def changed(content, **fields):
    return canonical(json.loads(content) | fields)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content + b"\n",
        lambda content: changed(content, format="skyweave.impact.v2"),
        lambda content: changed(content, step=1),
        lambda content: changed(content, unknown=1),
        lambda content: changed(content, moving=-20),
        lambda content: changed(content, moving="few"),
        lambda content: changed(content, exact="00"),
        lambda content: content.replace(b'"log_root":"r', b'"log_root":"\\ud800r'),
    ],
)  # fmt: skip
def test_what_is_not_exactly_a_public_form_is_refused(spoil):
    content = published(exact(fleet(1)), NONCE)
    assert parse_published(content).encode() == content
    with pytest.raises(InputError, match="FILE: not a published impact report of this version"):
        parse_published(spoil(content), "FILE")


def test_a_public_form_has_a_limit():
    with pytest.raises(InputError, match="1,048,577 bytes; a published report has at most"):
        parse_published(b" " * (2**20 + 1))


def test_the_exact_form_is_no_public_one():
    with pytest.raises(InputError, match="not a published impact report"):
        parse_published(exact_form(exact(fleet(1))).encode())


def test_the_proposal_signs_the_digest_of_the_public_form():
    content = published(exact(fleet(1)), NONCE)
    assert parse_published(content).digest == digest_of(content)


# In plain English


def test_signers_read_what_they_sign():
    held = agreement(until_s=START_S + 500, **for_account("aid"))
    form = told(
        fleet(130, sponsor="fund"),
        fleet(45, account="aid", prefix="clinic"),
        fleet(25, service_class="lifeline", prefix="l"),
        fleet(21, 0, prefix="lost"),
        directive=proposed(request_ids=("favour-1",)),
        records=(ON, held),
        border=border_of(SQUARE),
    )
    assert report_lines(form) == [
        "Impact of suspend on amity@1 from 2027-01-15 08:00 UTC until 2027-01-15 08:16 UTC:",
        "  lose service: 120 terminals (standard 120; largest sponsors: fund 120)",
        "  keep only the lifeline: 20 terminals (lifeline 20; largest sponsors: none 20)",
        "  keep service as it is, by an agreement: 40 terminals (standard 40; largest sponsors: "
        "none 40)",
        "  why, as their dishes will show it: cell_is_disabled 120",
        "  left without any service: fewer than 20 accounts",
        "  in no known cell, so not counted: 20 terminals of the fleet",
        "  in 19 cells an ordinary terminal would lose service; at least 20,123 people live there",
        f"  {form.border.cells_beyond} of its cells reach beyond the border: no town's people "
        f"outside live in them; lose service in them: {form.border.losing_beyond} terminals",
        "  agreement a-17 keeps 40 terminals on; ends before the directive, on 2027-01-15 08:08 "
        "UTC",
        "  asked for by: favour-1",
    ]


def test_an_exact_report_reads_in_full():
    found = "\n".join(report_lines(exact(fleet(1))))
    assert "  lose service: 1 terminal (standard 1; sponsors: none 1)" in found
    assert "left without any service: 0 accounts" in found
    assert "asked for by: no request that is on record" in found


@pytest.mark.parametrize(
    ("does", "ending"),
    [("exclude", "until the agreement's own quorum approves"), ("emergency_suspend", "BLOCKS it")],
)
def test_a_blocking_agreement_is_said_in_capitals(does, ending):
    (line,) = [
        line
        for line in report_lines(
            exact(fleet(1), directive=proposed(does), records=(ON, agreement()))
        )
        if "BLOCKS" in line
    ]
    assert line.endswith(ending)


def test_a_figure_that_would_tell_is_called_withheld():
    form = told(fleet(40)).model_copy(update={"moving": WITHHELD})
    assert "not predicted: a withheld number of terminals" in "\n".join(report_lines(form))


def test_times_beyond_the_calendar_of_datetime_are_written_too():
    form = told(fleet(1)).model_copy(update={"at_s": 2**40})
    assert "from 36812-02-20 00:36 UTC" in report_lines(form)[0]


def test_people_of_no_town_are_said_to_be_of_no_town():
    own = region()
    found = impact_report(proposed(), own, table_of(fleet(1)), snapshot(own, ON), NOBODY)
    assert "; no town's people live there" in "\n".join(report_lines(found))
