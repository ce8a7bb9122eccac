"""The public functions: what the command line offers, from Python.

import skyweave

run = skyweave.run("scenarios/demo.toml", out="demo")
run.access.groupby("terminal_id").rtt_s.median()
"""

from typing import Any

import numpy as np

from skyweave.api.catalogues import catalogue_check, catalogue_update
from skyweave.api.exports import export_csv, export_hypatia, export_trace
from skyweave.api.network import pairs, path
from skyweave.api.pictures import plot
from skyweave.api.realism import (
    compare,
    realism_countries,
    realism_identify,
    realism_pings,
    realism_serving,
)
from skyweave.api.runs import demo, edge, explain, run
from skyweave.api.scenarios import init, load_scenario
from skyweave.api.validation import validate
from skyweave.doctor import examine

__all__ = [
    "catalogue_check",
    "catalogue_update",
    "compare",
    "demo",
    "doctor",
    "edge",
    "explain",
    "export_csv",
    "export_hypatia",
    "export_trace",
    "init",
    "load_scenario",
    "pairs",
    "path",
    "plot",
    "realism_countries",
    "realism_identify",
    "realism_pings",
    "realism_serving",
    "run",
    "validate",
]


def doctor() -> dict[str, Any]:
    """Report what the machine and the installation offer."""
    return examine(np.datetime64("now"))
