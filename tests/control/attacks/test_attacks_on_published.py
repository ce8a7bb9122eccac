"""Attacks on a whole folder, its clock and its objects; and on what reports give away."""

from contextlib import suppress

from tests.control.attacks.catalogue import Row, attack, limit_of, weakened, without
from tests.control.attacks.island import is_off, island
from tests.support.kept_log import Kept
from tests.support.made_charter import DAY_S, HOUR_S, NOON_S, MadeLog, made_charter
from tests.support.made_impact import (
    NOBODY,
    ON,
    fleet,
    proposed,
    region,
    snapshot,
    table_of,
)

from skyweave.api.log import log_verify
from skyweave.control.book import Book, examine
from skyweave.control.domain.entries import encode_entry, logged_entries
from skyweave.control.domain.geometry import geometry_of
from skyweave.control.domain.impact import impact_report
from skyweave.control.domain.impact_public import check_published, parse_published, published
from skyweave.errors import InputError
from skyweave.policy.regions import region_from_geojson

NONCE = b"sixteen bytes ok"


def kept(folder):
    """A log in a folder, with a region in it, seen by witnesses."""
    log = Kept(folder / "log")
    log.region()
    log.keep()
    log.see()
    return log


# Files


@attack(Row.EDITED_FILES, without("control.book._refuse_another_genesis"))
def test_a_whole_log_is_made_anew_with_other_founders(folder):
    """Everything in it would hold, and none of it be what the members had founded."""
    meant = kept(folder)
    theirs = Kept(folder / "theirs", made_charter(name="The other council"))
    theirs.see()
    genesis = Book.open(meant.folder).genesis
    return Book.open(theirs.folder, genesis=genesis).genesis != genesis


@attack(Row.SWAP, without("control.objects._refuse_changed"))
def test_a_published_object_is_changed_on_the_web_server(folder):
    """A reader would see other cells, or another report, than what was voted on."""
    log = kept(folder)
    (path,) = (log.folder / "objects").iterdir()
    path.write_bytes(path.read_bytes().replace(b"centre", b"inside"))
    return examine(log.folder).problems == () and bool(Book.open(log.folder).entries)


@attack(Row.GAG, without("control.book._refuse_withheld"))
def test_a_protected_region_s_cells_stay_away_after_their_day(folder):
    """People would be cut off in a place that nobody is ever told."""
    log = Kept(folder / "log")
    log.region(publish_by_s=log.now_s + 5 * DAY_S)
    digest = next(iter(log.objects))
    content = log.objects.pop(digest)
    log.keep(private={digest: content})
    log.see()
    return bool(Book.open(log.folder, now_s=log.now_s + 6 * DAY_S).withheld)


@attack(Row.GAG, without("control.book._refuse_missing"))
def test_a_region_s_cells_are_withheld_from_the_keeper_too(folder):
    """On the day of publication only its author would have them, and could have lost them."""
    log = Kept(folder / "log")
    log.region(publish_by_s=log.now_s + 5 * DAY_S)
    log.objects.clear()
    log.keep()
    return True


# Clocks


def contents(*times_s):
    """Entries logged at these times."""
    log = MadeLog()
    envelope = log.signed[0][1]
    return [encode_entry(each, envelope) for each in times_s]


@attack(Row.ROLLBACK, without("control.domain.entries._refuse_falling_clock"))
def test_the_keeper_s_clock_is_turned_back_between_two_entries(folder):
    """A deadline that was missed would be met after all."""
    return bool(logged_entries(contents(NOON_S, NOON_S - DAY_S), [], "log"))


@attack(Row.EDITED_FILES, without("control.domain.entries._refuse_antedated"))
def test_a_cut_is_logged_with_the_date_of_three_days_ago(folder):
    """Its notice would be over on the day on which people first hear of it."""
    seen = [(1, NOON_S + 4 * DAY_S)]
    return bool(logged_entries(contents(NOON_S, NOON_S + DAY_S), seen, "log"))


@attack(Row.EDITED_FILES, without("control.domain.entries._refuse_postdated"))
def test_an_entry_is_dated_ahead_so_that_timers_run_early(folder):
    """A guarantee would look as if it had ended, by nothing but a wrong clock."""
    seen = [(2, NOON_S + HOUR_S)]
    return bool(logged_entries(contents(NOON_S, NOON_S + 400 * DAY_S), seen, "log"))


@attack(
    Row.EDITED_FILES,
    weakened("control.domain.clockwork._notice_from_s", lambda _, state: state.approved_s),
)
def test_a_whole_notice_is_written_at_once_into_a_log_that_was_kept_from_witnesses(folder):
    """Proposal, votes and three days of notice would appear in the minute in which it begins."""
    log, region = island()
    log.witness()
    seen_s = log.witnessed[-1][1]
    proposal = log.proposal("suspend", region, "cut")
    log.append(proposal, "tidewire-2", at_s=seen_s + 1)
    for name in ("tidewire-1", "amity-office-1", "open-waters-1"):
        log.append(log.ballot(proposal, signed_s=seen_s), name, at_s=seen_s + 2)
    log.wait(3 * DAY_S + HOUR_S)
    log.witness()
    dated = [encode_entry(*each) for each in log.signed]
    return bool(logged_entries(dated, log.witnessed, "log")) and is_off(log)


@attack(Row.FREEZE, without("control.book._refuse_early_witness"))
def test_a_witness_with_a_slow_clock_spoils_the_log(folder):
    """Nobody could verify the log any more, and so nothing in it would be believed."""
    log = kept(folder)
    log.wait(2 * DAY_S)
    log.request()
    log.keep()
    with suppress(InputError):
        log.see(now_s=log.now_s - DAY_S)
    return not examine(log.folder)


@attack(Row.FREEZE, without("api.log._refuse_stale"))
def test_a_copy_of_last_month_is_given_out_as_the_newest(folder):
    """Those who ask would not hear that the cut was lifted, or that one is coming."""
    log = kept(folder)
    found = log_verify(log.folder, max_age_s=7 * DAY_S, now_s=log.now_s + 30 * DAY_S)
    return found["size"] == 2


# What is published about people


def told(*fleets, nonce=NONCE, **changed):
    own = region()
    report = impact_report(
        proposed(**changed), own, table_of(*fleets), snapshot(own, ON), NOBODY
    )  # fmt: skip
    return parse_published(published(report, nonce))


@attack(
    Row.UNMASKING,
    weakened("control.domain.impact_public._down", lambda _, count, step: count),
)
def test_a_report_counts_three_terminals_in_a_valley(folder):
    """A group that hides would read in the paper that it was counted."""
    return told(fleet(23)).terminals["loses"] == 23


def rounded(_, total, tables, step):
    return total // step * step


@attack(
    Row.UNMASKING,
    weakened("control.domain.impact_public._told_total", rounded),
    without("control.domain.impact_public._tells", False),
)
def test_one_terminal_is_found_by_subtracting_what_is_told(folder):
    """39 of one class and a total of 40 would betray the fortieth, an ambulance."""
    found = told(fleet(39), fleet(1, service_class="priority", prefix="u"))
    return found.terminals["loses"] - 39 == 1


@attack(Row.UNMASKING, limit_of("control.domain.impact_public.MIN_NONCE_BYTES", 0))
def test_small_counts_are_tried_out_against_the_digest(folder):
    """ "Fewer than 20" has twenty answers, and each could be hashed in a moment."""
    return told(fleet(3), nonce=b"") == told(fleet(3), nonce=b"")


@attack(
    Row.UNMASKING,
    weakened(
        "control.domain.state.RegionVersion.public_cells", lambda _, self, at_s: self.cells
    ),
)  # fmt: skip
def test_the_cells_of_a_protected_region_are_guessed_by_proposals(folder):
    """Proposals of one cell each would find the convoy that the region protects."""
    log = MadeLog()
    protected = log.region("hidden", publish_by_s=log.now_s + 20 * DAY_S)
    log.agreement(protected)
    west, south, east, north = -28.6, 38.4, -28.0, 38.8
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    border = {"type": "Polygon", "coordinates": [ring]}
    within = geometry_of(region_from_geojson(border, "probe"), border)
    probe = log.region(
        "probe", digest_of_region=within.digest_of_region, geometry=log.put(within.encode()),
        cells=int(within.cells.size),
    )  # fmt: skip
    directive = log.directive("activate", probe, agreements=())
    return log.agreements_met(directive) == ("a-17",)


@attack(
    Row.SWAP,
    weakened("control.domain.impact_public.published", lambda _, report, nonce: b"anything"),
)
def test_a_report_of_another_table_is_put_before_the_signers(folder):
    """They would sign that nobody is hurt, from a table in which nobody lives."""
    own = region()
    before = snapshot(own, ON)
    true = impact_report(proposed(), own, table_of(fleet(400)), before, NOBODY)
    check_published(b"anything", true, NONCE)
    return True
