"""What replays the log is broken on purpose, by tools/mutate.py; its tests must notice."""

import pytest
from tests.support.mutants import assert_killed

MACHINE = "tests/control/domain/test_machine.py"
REPLAY = "tests/control/domain/test_replay.py"
ENTRIES = "tests/control/domain/test_entries.py"
CHARTERS = "tests/control/domain/test_charters.py"
ROTATION = "tests/control/domain/test_rotation.py"
DOMAIN = {
    "control.domain.quorums": [REPLAY, CHARTERS],
    "control.domain.machine": [MACHINE, REPLAY],
    "control.domain.replay": [ENTRIES, REPLAY],
    "control.domain.clockwork": [REPLAY, ROTATION],
}


def test_a_broken_replay_is_noticed(full_counts, record_figure):
    if not full_counts:
        pytest.skip("takes minutes: it runs in make prove")
    assert_killed(DOMAIN, 3, "replay and its quorums", record_figure)
