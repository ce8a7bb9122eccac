"""Assignment rules: which of its candidates serves a terminal in a slot.

A rule turns the candidates of one slot into a score for each; the highest score that finds a free
beam serves, and equal scores go to the lower NORAD id.  A sampled rule scores how likely each is:
the logarithm of its weight, and the choice is drawn.  A rule of your own is a function of ten lines
in a file:

    def prefer_east(candidates):
        return np.sin(np.radians(candidates.azimuth_deg))

named in the scenario as `rule = "my_rules.py:prefer_east"`.  It may carry the attributes
`is_sampled = True` and `remembers = True` (it then finds `slots_since_use` and `load` filled in).
A function of two arguments, `(candidates, request)`, chooses for all terminals at once and returns
the pair of each, -1 where none; what it chooses is checked against the limits that `request` holds,
and whom it leaves out is out with `no_beam_free`.
"""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.plugins import load_function, running_own
from skyweave.twin.scheduling.candidates import AGE_SLOTS, Candidates, FloatArray
from skyweave.twin.scheduling.choice import ChoiceModel, cold, log_weights, warm

Score = Callable[[Candidates], FloatArray]


@dataclass(frozen=True)
class Rule:
    """A named rule, and what it asks of the pipeline beyond the geometry of the slot."""

    name: str
    score: Score | None  # None where the rule chooses by itself
    choose: Callable[..., Any] | None = None  # of (candidates, request), one of your own
    ahead_slots: int | None = None  # how far `remaining_slots` counts, None = as far as known
    behind_slots: int = AGE_SLOTS  # how far `age_slots` counts
    sees_gso: bool = True  # reads `gso_separation_deg`
    remembers: bool = False  # reads `slots_since_use` and `load`: slots are served in order
    is_sampled: bool = False  # the score is the logarithm of a weight
    model: Callable[[], ChoiceModel] | None = None  # whose terms the score is made of
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


def _at_random(candidates: Candidates) -> FloatArray:
    return np.zeros(len(candidates))


def _cold(candidates: Candidates) -> FloatArray:
    return log_weights(cold(), candidates)


def _warm(candidates: Candidates) -> FloatArray:
    return log_weights(warm(), candidates)


def _of_slot(name: str, score: Score, *, is_sampled: bool = False) -> Rule:
    """Return a rule that looks at nothing but the slot itself."""
    return Rule(
        name, score, ahead_slots=1, behind_slots=0, sees_gso=False, is_sampled=is_sampled
    )  # fmt: skip


def _preference(
    name: str, score: Score, model: Callable[[], ChoiceModel], *, is_sampled: bool, remembers: bool
) -> Rule:
    """Return a rule of the choice model, which asks who has just risen or is about to set."""
    return Rule(
        name, score, ahead_slots=2, model=model, is_sampled=is_sampled, remembers=remembers
    )  # fmt: skip


_RULES = [
    _preference("preference", _cold, cold, is_sampled=True, remembers=False),
    _preference("preference-best", _cold, cold, is_sampled=False, remembers=False),
    _preference("preference-warm", _warm, warm, is_sampled=True, remembers=True),
    _preference("preference-warm-best", _warm, warm, is_sampled=False, remembers=True),
    _of_slot("shortest-path", _shortest_path),
    _of_slot("highest-elevation", _highest_elevation),
    Rule("longest-visible", _longest_visible, behind_slots=0, sees_gso=False),
    _of_slot("random", _at_random, is_sampled=True),
]
BUILT_IN = {rule.name: rule for rule in _RULES}


def find_rule(name: str, folder: Path = Path()) -> Rule:
    """Return a built-in rule, or the function of a `FILE.py:FUNCTION` relative to `folder`."""
    if name in BUILT_IN:
        return BUILT_IN[name]
    if ":" not in name:
        near = difflib.get_close_matches(name, BUILT_IN, n=1)
        hint = f'did you mean "{near[0]}"?' if near else f"known rules: {', '.join(BUILT_IN)}"
        raise InputError(f'assignment.rule = "{name}" is unknown; {hint} (or FILE.py:FUNCTION)')
    function = load_function(name, folder, "assignment.rule")
    chooses = _arguments(function) == 2
    return Rule(
        name,
        score=None if chooses else function,
        choose=function if chooses else None,
        remembers=bool(getattr(function, "remembers", False)),
        is_sampled=bool(getattr(function, "is_sampled", False)),
        folder=folder,
    )


def _arguments(function: Callable[..., Any]) -> int:
    """Return how many arguments a function needs."""
    needed = (p for p in inspect.signature(function).parameters.values() if p.default is p.empty)
    return sum(1 for _ in needed)


def score_candidates(rule: Rule, candidates: Candidates) -> FloatArray:
    """Return the score of every candidate, (P,); one without a path scores -inf.

    Those of a rule that chooses by itself are all 0.
    """
    has_path = np.isfinite(candidates.path_s)
    if rule.score is None:
        return np.where(has_path, 0.0, -np.inf)
    with running_own(f'assignment.rule "{rule.name}" failed'):
        found = np.asarray(rule.score(candidates))
        score = found.real.astype(np.float64)
    is_right = score.shape == has_path.shape and not np.iscomplexobj(found)
    if not is_right or not np.isfinite(score[has_path]).all():
        raise InputError(
            f'assignment.rule "{rule.name}" returned shape {found.shape} of {found.dtype}, for '
            f"{len(candidates)} candidates; return one finite number for each"
        )
    return np.where(has_path, score, -np.inf)
