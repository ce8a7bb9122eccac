"""Assignment rules: which of its candidates serves a terminal in a slot.

A rule turns the candidates of one slot into a score for each; the highest score serves, and equal
scores go to the lower NORAD id.  A rule of your own is a function of ten lines in a file:

    def prefer_east(candidates):
        return np.sin(np.radians(candidates.azimuth_deg))

named in the scenario as `rule = "my_rules.py:prefer_east"`.
"""

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.kernels import kernel
from skyweave.plugins import load_function, running_own
from skyweave.twin.scheduling.candidates import Candidates, FloatArray

Score = Callable[[Candidates], FloatArray]


@dataclass(frozen=True)
class Rule:
    """A named score; `looks_ahead` asks the pipeline for `remaining_slots` beyond one slot."""

    name: str
    score: Score
    looks_ahead: bool = True
    folder: Path = Path()  # where the file of a rule of one's own is

    def __reduce__(self) -> tuple[Callable[[str, Path], "Rule"], tuple[str, Path]]:
        # A function loaded from a file cannot be sent to a worker, but its name can.
        return find_rule, (self.name, self.folder)


def _highest_elevation(candidates: Candidates) -> FloatArray:
    return candidates.elevation_deg


def _longest_visible(candidates: Candidates) -> FloatArray:
    return candidates.remaining_slots.astype(np.float64)


def _shortest_path(candidates: Candidates) -> FloatArray:
    return -(candidates.range_m / SPEED_OF_LIGHT_M_S + candidates.path_s)


BUILT_IN = {
    "shortest-path": Rule("shortest-path", _shortest_path, looks_ahead=False),
    "highest-elevation": Rule("highest-elevation", _highest_elevation, looks_ahead=False),
    "longest-visible": Rule("longest-visible", _longest_visible),
}


def find_rule(name: str, folder: Path = Path()) -> Rule:
    """Return a built-in rule, or the function of a `FILE.py:FUNCTION` relative to `folder`."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ":" not in name:
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"known rules: {', '.join(BUILT_IN)}"
        raise InputError(f'assignment.rule = "{name}" is unknown; {hint} (or FILE.py:FUNCTION)')
    return Rule(name, load_function(name, folder, "assignment.rule"), folder=folder)


def score_candidates(rule: Rule, candidates: Candidates) -> FloatArray:
    """Return the score of every candidate, (P,); one without a path scores -inf."""
    with running_own(f'assignment.rule "{rule.name}" failed'):
        score = np.asarray(rule.score(candidates), dtype=np.float64)
    has_path = np.isfinite(candidates.path_s)
    if score.shape != has_path.shape or not np.isfinite(score[has_path]).all():
        raise InputError(
            f'assignment.rule "{rule.name}" returned shape {score.shape}, or NaN or infinity, for '
            f"{len(candidates)} candidates; return one finite number for each"
        )
    return np.where(has_path, score, -np.inf)


def choose(candidates: Candidates, score: FloatArray) -> NDArray[np.int64]:
    """Return for each terminal the pair with the highest finite score, -1 where none, (S,)."""
    return _choose(candidates.terminal_start, score)


@kernel()
def _choose(start: NDArray[np.int64], score: FloatArray) -> NDArray[np.int64]:
    chosen = np.full(start.size - 1, -1, np.int64)
    for s in range(start.size - 1):
        best = -np.inf
        for p in range(start[s], start[s + 1]):
            if score[p] > best:  # pairs are in order of NORAD id: the first of equals stays
                best = score[p]
                chosen[s] = p
    return chosen
