"""What replays the log is broken on purpose, by tools/mutate.py; its tests must notice."""

import pytest
from tests.support.mutants import assert_killed

QUORUMS = "tests/control/domain/test_quorums.py"
MACHINE = "tests/control/domain/test_machine.py"
ENTRIES = "tests/control/domain/test_entries.py"
REPLAY = "tests/control/domain/test_replay.py"
ROTATION = "tests/control/domain/test_rotation.py"
RULES = "tests/control/domain/test_directive_rules.py"
GUARANTEES = "tests/control/domain/test_guarantees.py"
SNAPSHOTS = "tests/control/domain/test_snapshots.py"
CLOCKWORK = "tests/control/domain/test_clockwork.py"
DOMAIN = {
    "control.domain.quorums": [QUORUMS, REPLAY],
    "control.domain.machine": [MACHINE, REPLAY],
    "control.domain.replay": [ENTRIES, REPLAY],
    "control.domain.clockwork": [CLOCKWORK, REPLAY, ROTATION, RULES, GUARANTEES, SNAPSHOTS],
}


def test_a_broken_replay_is_noticed(full_counts, record_figure):
    if not full_counts:
        pytest.skip("takes minutes: it runs in make prove")
    assert_killed(DOMAIN, 3, "replay and its quorums", record_figure)
