"""Scenarios: the TOML file that says what to compute."""

from skyweave.twin.scenario.models import (
    LandingRule,
    Operator,
    Scenario,
    Section,
    Shell,
    Site,
    Terminal,
    TerminalClass,
)
from skyweave.twin.scenario.read import build_scenario, parse_scenario, read_scenario

__all__ = [
    "LandingRule",
    "Operator",
    "Scenario",
    "Section",
    "Shell",
    "Site",
    "Terminal",
    "TerminalClass",
    "build_scenario",
    "parse_scenario",
    "read_scenario",
]
