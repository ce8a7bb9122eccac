"""The public log's modules are broken on purpose, by tools/mutate.py; their tests must notice."""

import pytest
from tests.support.mutants import assert_killed

LINES = "tests/control/test_log_lines.py"
FSCK = "tests/control/test_log_fsck.py"
MERKLE = "tests/control/test_merkle.py"
TAMPER = "tests/control/test_log_tamper.py"
STORE = "tests/control/test_log_store.py"
WITNESS = "tests/control/test_log_witness.py"
FUZZ = "tests/control/test_signed_input_fuzz.py"
LOG = {
    "control.log.merkle": [MERKLE, TAMPER],
    "control.log.tiles": [FSCK, TAMPER, WITNESS, FUZZ],
    "control.log.proofs": [LINES, TAMPER, WITNESS],
    "control.log.checkpoint": [LINES, WITNESS, TAMPER],
    "control.log.trust": [LINES, WITNESS, TAMPER],
    "control.log.verify": [LINES, WITNESS, TAMPER],
    "control.log.fsck": [FSCK, TAMPER, WITNESS],
    "control.log.witness": [WITNESS],
    "control.log.store": [STORE, FSCK, WITNESS],
}


def test_a_broken_log_is_noticed(full_counts, record_figure):
    if not full_counts:
        pytest.skip("takes minutes: it runs in make prove")
    assert_killed(LOG, 6, "log", record_figure)
