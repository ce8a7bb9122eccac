"""Scenarios: begin one, read one."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path

from skyweave.errors import InputError
from skyweave.twin.scenario import Scenario, read_scenario
from skyweave.twin.world import System

Progress = Callable[[str], None]
ScenarioSource = str | Path | Scenario


def silent(_: str) -> None:
    """Report no progress."""


def load_scenario(source: ScenarioSource) -> Scenario:
    """Read and check a scenario file; a scenario is returned as it is."""
    return source if isinstance(source, Scenario) else read_scenario(source)


def init(file: str | Path) -> None:
    """Write a commented scenario to start from; an existing file is not touched."""
    file = Path(file)
    text = (files("skyweave.data") / "starter.toml").read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise InputError(f"{file} exists; choose another name or remove it first") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None


def warned(system: System, progress: Progress) -> Progress:
    """Return a progress whose first step tells the warnings before: refusals come alone."""
    is_told = False

    def tell(step: str) -> None:
        nonlocal is_told
        if not is_told:
            is_told = True
            for warning in system.warnings:
                progress(f"warning: {warning}")
        progress(step)

    return tell
