"""What a machine and an installation offer: the answer of `skyweave doctor`."""

import os
import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numba
import numpy as np

from skyweave import __version__, kernels
from skyweave.twin.catalogue import read_catalogue
from skyweave.twin.catalogue.cache import cache_root, fetched_groups

BUILT_IN_CATALOGUE = "builtin:2026-06-14"
LIBRARIES = ("numpy", "numba", "scipy", "sgp4", "pyarrow", "pandas")
EXTRAS = {"bench": "networkx", "docs": "mkdocs", "dev": "pytest"}
THREADING_LAYERS = {"tbb": "tbbpool", "omp": "omppool", "workqueue": "workqueue"}


def examine(now_utc: np.datetime64) -> dict[str, Any]:
    """Return cores, threading, caches, catalogue ages and extras; ages are at `now_utc`."""
    epoch_utc = np.sort(read_catalogue(BUILT_IN_CATALOGUE).epoch_utc)
    middle_utc = epoch_utc[epoch_utc.size // 2]
    return {
        "skyweave": __version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "numba_threads": numba.get_num_threads(),
        "threading_layer": _threading_layer(),
        "kernel_cache": _kernel_cache(),
        "catalogue": BUILT_IN_CATALOGUE,
        "catalogue_age_days": _days(now_utc - middle_utc),
        "catalogue_cache": str(cache_root()),
        "cached_catalogue_age_days": {
            group: _days(now_utc - fetched_utc) for group, fetched_utc in fetched_groups().items()
        },
        "libraries": {name: version(name) for name in LIBRARIES},
        "extras": {extra: _is_installed(package) for extra, package in EXTRAS.items()},
    }


def _days(span: np.timedelta64) -> float:
    return round(float(span / np.timedelta64(1, "D")), 1)


def _threading_layer() -> str:
    """Return the first of Numba's layers that loads, in the order in which Numba tries them."""
    for name, module in THREADING_LAYERS.items():
        try:
            import_module(f"numba.np.ufunc.{module}")
        except ImportError:
            continue
        return name
    return "none"


def _kernel_cache() -> str:
    """Return where compiled kernels are kept between runs."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return chosen
    beside = Path(kernels.__file__).parent
    return "beside the source" if os.access(beside, os.W_OK) else "the user's cache folder"


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
