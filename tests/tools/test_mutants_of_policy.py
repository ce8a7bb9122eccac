"""Quorums and decisions are broken on purpose, by tools/mutate.py; their tests must notice."""

import pytest
from tests.support.mutants import assert_killed

QUORUM = {"policy.threshold": ["tests/policy/test_threshold.py"]}
_DECISION_TESTS = ["tests/policy/test_decision.py", "tests/policy/test_terminals.py"]
DECISION = {
    "policy.decision": _DECISION_TESTS,
    "policy.terminals": _DECISION_TESTS[::-1],
    "policy.salted": _DECISION_TESTS[::-1],
}


@pytest.mark.parametrize(
    ("group", "pairs", "every"), [("quorum", QUORUM, 2), ("decision", DECISION, 3)]
)
def test_what_is_broken_is_noticed(group, pairs, every, full_counts, record_figure):
    if not full_counts:
        pytest.skip("takes minutes: it runs in make prove")
    assert_killed(pairs, every, group, record_figure)
