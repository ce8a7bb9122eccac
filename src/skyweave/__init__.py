"""Skyweave: an open LEO satellite-broadband system.

The names below load on first use, so `import skyweave` stays light and compiles nothing.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_PUBLIC = {
    "InputError": "skyweave.errors",
    "SkyweaveError": "skyweave.errors",
    "compare": "skyweave.api",
    "edge": "skyweave.api",
    "explain": "skyweave.api",
    "load_scenario": "skyweave.api",
    "pairs": "skyweave.api",
    "path": "skyweave.api",
    "run": "skyweave.api",
    "validate": "skyweave.api",
}
__all__ = [
    "InputError",
    "SkyweaveError",
    "__version__",
    "compare",
    "edge",
    "explain",
    "load_scenario",
    "pairs",
    "path",
    "run",
    "validate",
]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'skyweave' has no attribute {name!r}")
    return getattr(import_module(_PUBLIC[name]), name)
