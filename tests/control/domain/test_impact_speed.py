"""How long signers wait for the impact on a million terminals."""

import numpy as np
import pytest
from benchmarks.impact import LIMIT_S, times


@pytest.mark.parametrize(("share", "told"), [(0.1, "a tenth"), (1.0, "all")])
def test_a_report_on_a_million_terminals_takes_less_than_two_seconds(
    share, told, full_counts, record_figure
):
    count, runs = (1_000_000, 20) if full_counts else (20_000, 3)
    p95_s = float(np.percentile(times(count, share, runs), 95))
    name = f"impact report: {count:,} terminals, {told} in the region, p95"
    record_figure(name, round(p95_s, 3), "s", f"<= {LIMIT_S:g}")
    assert p95_s <= LIMIT_S
