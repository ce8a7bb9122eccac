"""Scheduling: from the candidates of a slot to the satellite that serves each terminal."""

from skyweave.twin.scheduling.beams import (
    Assignment,
    BeamLimits,
    assign,
    beam_limits,
    service_rank,
)
from skyweave.twin.scheduling.candidates import Candidates
from skyweave.twin.scheduling.choice import explain_terms, probabilities
from skyweave.twin.scheduling.features import separation_deg
from skyweave.twin.scheduling.memory import Memory
from skyweave.twin.scheduling.own import Request, own_assignment
from skyweave.twin.scheduling.rules import BUILT_IN, Rule, find_rule, score_candidates

__all__ = [
    "BUILT_IN",
    "Assignment",
    "BeamLimits",
    "Candidates",
    "Memory",
    "Request",
    "Rule",
    "assign",
    "beam_limits",
    "explain_terms",
    "find_rule",
    "own_assignment",
    "probabilities",
    "score_candidates",
    "separation_deg",
    "service_rank",
]
