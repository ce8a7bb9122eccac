"""The PoPs that real dishes use, and what share of them a model foresees."""

import pytest

from skyweave.twin.topology import builtin_pops
from skyweave.twin.topology.associations import ProbeCount, probe_counts, share_foreseen

COUNTS = [ProbeCount("a", "DE", 6), ProbeCount("b", "DE", 2), ProbeCount("c", "FR", 2)]


def test_the_counts_are_those_of_112_probes_at_listed_pops():
    counts = probe_counts()
    assert (len(counts), sum(count.probes for count in counts)) == (54, 112)
    assert {count.pop_id for count in counts} <= set(builtin_pops().pop_id)
    assert ProbeCount("frntdeu1", "DE", 11) in counts


@pytest.mark.parametrize(
    ("foreseen", "share"),
    [
        ({"DE": ["a"], "FR": ["c"]}, 0.8),
        ({"DE": ["a", "b"], "FR": ["c"]}, 1.0),
        ({"DE": ["b"], "FR": ["a"]}, 0.2),
        ({"DE": ["a"]}, 0.6),  # nothing is foreseen for France
        ({}, 0.0),
    ],
)
def test_a_probe_counts_once_for_the_pop_that_it_uses(foreseen, share):
    assert share_foreseen(COUNTS, foreseen) == share
