"""The public functions: what the command line offers, from Python.

import skyweave

run = skyweave.run("scenarios/demo.toml", out="demo")
run.access.groupby("terminal_id").rtt_s.median()
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

# Loaded on use: the control plane's commands need none of the twin, which takes seconds.
_MODULES = {
    "catalogue_check": "skyweave.api.catalogues",
    "catalogue_update": "skyweave.api.catalogues",
    "compare": "skyweave.api.realism",
    "demo": "skyweave.api.runs",
    "edge": "skyweave.api.runs",
    "explain": "skyweave.api.runs",
    "export_csv": "skyweave.api.exports",
    "export_hypatia": "skyweave.api.exports",
    "export_trace": "skyweave.api.exports",
    "init": "skyweave.api.scenarios",
    "load_scenario": "skyweave.api.scenarios",
    "pairs": "skyweave.api.network",
    "path": "skyweave.api.network",
    "plot": "skyweave.api.pictures",
    "realism_countries": "skyweave.api.realism",
    "realism_identify": "skyweave.api.realism",
    "realism_pings": "skyweave.api.realism",
    "realism_serving": "skyweave.api.realism",
    "run": "skyweave.api.runs",
    "validate": "skyweave.api.validation",
}

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
    import numpy as np

    from skyweave.doctor import examine

    return examine(np.datetime64("now"))


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'skyweave.api' has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
