"""Fixtures of all tests: reference data, full counts, and the figures `make prove` prints."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def reference_data() -> Path:
    """The folder of measured and published data that may not be shipped with the package."""
    folder = Path(os.environ.get("SKYWEAVE_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "README.md").is_file():
        pytest.skip("reference data absent: set SKYWEAVE_REFERENCE_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def full_counts() -> bool:
    """True under `make prove`: run the issue's full counts instead of the reduced ones."""
    return os.environ.get("SKYWEAVE_FULL") == "1"


@pytest.fixture
def record_figure() -> Callable[[str, float | str, str, str], None]:
    """Append one measured figure to the evidence table of `make prove`."""

    def record(name: str, value: float | str, unit: str, limit: str) -> None:
        table = os.environ.get("SKYWEAVE_FIGURES")
        if table:
            line = {"figure": name, "value": value, "unit": unit, "limit": limit}
            with open(table, "a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    return record
