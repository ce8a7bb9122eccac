"""Changes of laser links: told from what carries in each slot, and enough to tell it again."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.twin.topology import LINK_REASONS, LinkState, as_edges, link_changes

ALL_UP = np.ones(5, bool)
LINKS = [(a, b) for a in range(5) for b in range(a + 1, 5)]


def state_of(slot, told):
    """A state from link -> (acquired, feasible, failed)."""
    links = sorted(told)
    acquired, feasible, failed = np.array([told[link] for link in links], bool).reshape(-1, 3).T
    return LinkState(
        slot=slot,
        planned=as_edges(*np.array(links, int).reshape(-1, 2).T),
        ready_slot=np.where(acquired, slot, slot + 1),
        is_feasible=feasible,
        is_failed=failed,
    )


def carrying(told):
    return {link for link, state in told.items() if state == (True, True, False)}


states = st.dictionaries(st.sampled_from(LINKS), st.tuples(*[st.booleans()] * 3))


@settings(deadline=None)
@given(st.lists(st.tuples(states, st.sets(st.integers(0, 4), max_size=2)), max_size=6))
def test_changes_from_the_first_slot_on_tell_what_carries_in_every_slot(script):
    held, before = set(), None
    for slot, (told, gone) in enumerate(script):
        after = state_of(slot, told)
        found = link_changes(before, after, ~np.isin(np.arange(5), list(gone)))
        links = list(map(tuple, found.edges.tolist()))
        down = [link for link, is_up in zip(links, found.is_up, strict=True) if not is_up]
        up = [link for link, is_up in zip(links, found.is_up, strict=True) if is_up]
        assert links == down + up
        assert (down, up) == (sorted(down), sorted(up))
        assert set(down) <= held
        assert not set(up) & held
        held = held - set(down) | set(up)
        assert held == carrying(told) == set(map(tuple, after.up.tolist()))
        for link, number in zip(down, found.reason.tolist(), strict=False):
            assert LINK_REASONS[number] == why_down(link, told, gone)
        begins = "first_slot" if before is None else "acquired"
        assert {LINK_REASONS[number] for number in found.reason[len(down) :]} <= {begins}
        before = after


def why_down(link, told, gone):
    if set(link) & gone or (link in told and told[link][2]):
        return "failed"
    return "out_of_limits" if link in told else "replanned"


def test_a_plan_that_stays_the_same_object_is_told_like_one_that_is_equal():
    good, lost = (True, True, False), (True, False, False)
    first = state_of(0, {(0, 1): good, (1, 2): lost, (2, 3): good})
    second = state_of(1, {(0, 1): lost, (1, 2): good, (2, 3): good})
    same = LinkState(1, first.planned, second.ready_slot, second.is_feasible, second.is_failed)
    for after in (second, same):
        found = link_changes(first, after, ALL_UP)
        assert found.edges.tolist() == [[0, 1], [1, 2]]
        assert [LINK_REASONS[code] for code in found.reason] == ["out_of_limits", "acquired"]


def test_rows_can_be_counted_from_further_on():
    found = link_changes(None, state_of(3, {(0, 1): (True, True, False)}), ALL_UP).shifted(100)
    assert found.edges.tolist() == [[100, 101]]
    assert found.edges.dtype == np.int32
    assert found.slot == 3


@pytest.mark.parametrize("before", [None, {}])
def test_no_links_change_nothing(before):
    before = before if before is None else state_of(0, before)
    found = link_changes(before, state_of(1, {}), ALL_UP)
    assert found.edges.shape == (0, 2)
    assert found.reason.shape == (0,)
