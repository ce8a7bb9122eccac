"""Entries: one spelling each, and a keeper's clock that witnesses box in."""

import pytest
from tests.support.made_charter import NOON_S, MadeLog

from skyweave.control.domain.entries import (
    CLOCK_TOLERANCE_S,
    WitnessClock,
    encode_entry,
    logged_entries,
    parse_entry,
)
from skyweave.errors import InputError


@pytest.fixture(scope="module")
def envelope():
    return MadeLog().signed[0][1]


def entries_at(envelope, times_s, witnessed=()):
    contents = [encode_entry(time_s, envelope) for time_s in times_s]
    return logged_entries(contents, witnessed, "log")


def test_what_was_logged_is_read_back(envelope):
    content = encode_entry(NOON_S, envelope)
    assert content.startswith(b"skyweave.entry.v1 %d\n{" % NOON_S)
    assert parse_entry(content, "entry 0") == (NOON_S, envelope)


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        (lambda c: c.replace(b".v1 ", b".v2 ", 1), "first line"),
        (lambda c: c.replace(b".v1 ", b".v1 0", 1), "first line"),
        (lambda c: c.replace(b".v1 ", b".v1 -", 1), "first line"),
        (lambda c: c.replace(b".v1 1", b".v1 9999999999991", 1), "first line"),
        (lambda c: b" " + c, "first line"),
        (lambda c: c + b"\n", "canonical form"),
        (lambda c: c.replace(b"\n{", b"\n {", 1), "canonical form"),
        (lambda c: c.replace(b', "payloadType"', b',"payloadType"', 1), "canonical form"),
        (lambda c: c[:-2], "not JSON"),
        (lambda c: b"", "first line"),
    ],
)
def test_every_other_spelling_of_an_entry_is_refused(envelope, change, refusal):
    with pytest.raises(InputError, match=rf"entry 7: .*{refusal}") as refused:
        parse_entry(change(encode_entry(NOON_S, envelope)), "entry 7")
    assert "\n" not in str(refused.value)


def test_an_entry_is_witnessed_by_the_first_quorum_that_saw_it(envelope):
    entries = entries_at(envelope, [100, 200, 300, 400], [(2, 250), (3, 350)])
    assert [each.witnessed_s for each in entries] == [250, 250, 350, None]
    assert [each.index for each in entries] == [0, 1, 2, 3]


def test_who_saw_a_larger_log_saw_the_smaller_one():
    clock = WitnessClock([(2, 900), (5, 500)])
    assert clock.seen_s(0) == 500
    assert clock.seen_s(4) == 500
    assert clock.seen_s(5) is None
    assert clock.before_s(1) is None
    assert clock.before_s(2) == 900
    assert clock.before_s(9) == 900


def test_a_keeper_who_turns_the_clock_back_is_found(envelope):
    entries_at(envelope, [100, 100, 101])
    with pytest.raises(InputError, match="entry 2: logged 1 s before the entry before it"):
        entries_at(envelope, [100, 101, 100])


def test_a_keeper_cannot_date_an_entry_before_the_notice_that_it_cuts_short(envelope):
    """Witnesses saw the log without it, so it was not there on the day it claims."""
    seen_without_s = 10_000
    earliest_s = seen_without_s - CLOCK_TOLERANCE_S
    entries_at(envelope, [100, earliest_s], [(1, seen_without_s)])
    with pytest.raises(InputError, match="entry 1: logged 301 s before witnesses saw the log"):
        entries_at(envelope, [100, earliest_s - 1], [(1, seen_without_s)])


def test_a_keeper_cannot_date_an_entry_ahead_to_hurry_what_follows(envelope):
    seen_s = 10_000
    latest_s = seen_s + CLOCK_TOLERANCE_S
    entries_at(envelope, [100, latest_s], [(2, seen_s)])
    with pytest.raises(InputError, match="entry 1: logged 301 s after witnesses saw it"):
        entries_at(envelope, [100, latest_s + 1], [(2, seen_s)])
