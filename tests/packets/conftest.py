"""The exported folders that the packet tests read."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

KUIPER = Path(__file__).parents[2] / "scenarios" / "hypatia" / "kuiper-630.toml"
SKYWEAVE = Path(sys.executable).parent / "skyweave"


@pytest.fixture
def export(tmp_path) -> Callable[..., Path]:
    """Write Kuiper-630 in Hypatia's format, with all its cities or only some."""

    def write(name: str, for_s: int, only: Sequence[str] = (), every_s: float = 0.1) -> Path:
        scenario, out = tmp_path / f"{name}.toml", tmp_path / name
        scenario.write_text(_with_cities(KUIPER.read_text(encoding="utf-8"), only))
        span = ["--every", str(every_s), "--for", str(for_s)]
        subprocess.run([SKYWEAVE, "export", "hypatia", scenario, "--out", out, *span], check=True)
        return out

    return write


def _with_cities(text: str, only: Sequence[str]) -> str:
    """Return the scenario with these of its cities, or as it is."""
    return "".join(
        line
        for line in text.splitlines(keepends=True)
        if not (only and line.startswith("    { name")) or line.split('"')[1] in only
    )
