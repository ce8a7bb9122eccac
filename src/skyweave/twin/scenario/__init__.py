"""Scenarios: the TOML file that says what to compute."""

from skyweave.twin.scenario.models import (
    KIT_ADVICE,
    LandingRule,
    Operator,
    PolicySection,
    Scenario,
    Section,
    Shell,
    Site,
    Terminal,
    TerminalClass,
    is_kit,
)
from skyweave.twin.scenario.read import build_scenario, parse_scenario, read_scenario

__all__ = [
    "KIT_ADVICE",
    "LandingRule",
    "Operator",
    "PolicySection",
    "Scenario",
    "Section",
    "Shell",
    "Site",
    "Terminal",
    "TerminalClass",
    "build_scenario",
    "is_kit",
    "parse_scenario",
    "read_scenario",
]
