"""Scheduling: from the candidates of a slot to the satellite that serves each terminal."""

from skyweave.twin.scheduling.candidates import Candidates
from skyweave.twin.scheduling.rules import BUILT_IN, Rule, choose, find_rule, score_candidates

__all__ = ["BUILT_IN", "Candidates", "Rule", "choose", "find_rule", "score_candidates"]
