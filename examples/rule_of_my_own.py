"""Swap the assignment rule in ten lines: prefer satellites in the eastern sky."""

from pathlib import Path
from tempfile import TemporaryDirectory

import skyweave

RULE = """
import numpy as np

def prefer_east(candidates):
    return np.sin(np.radians(candidates.azimuth_deg))
"""

with TemporaryDirectory() as folder:
    Path(folder, "my_rules.py").write_text(RULE)
    scenario = Path("scenarios/small.toml").read_text()
    mine = Path(folder, "mine.toml")
    mine.write_text(scenario + '\n[assignment]\nrule = "my_rules.py:prefer_east"\n')

    usual = skyweave.run("scenarios/small.toml").access
    eastern = skyweave.run(mine).access

east_share = {
    name: access.azimuth_deg.between(0, 180).mean()
    for name, access in (("usual", usual), ("eastern", eastern))
}
print(f"served from the east: {east_share['usual']:.0%} and {east_share['eastern']:.0%}")
print(f"median round trip: {usual.rtt_s.median():.4f} s and {eastern.rtt_s.median():.4f} s")
assert east_share["eastern"] > 0.9 > east_share["usual"]
