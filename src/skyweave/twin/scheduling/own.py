"""Rules of one's own that choose for all terminals of a slot at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.plugins import running_own
from skyweave.twin.scheduling.beams import Assignment, BeamLimits, checked_choice
from skyweave.twin.scheduling.candidates import Candidates, FloatArray, IntArray
from skyweave.twin.scheduling.rules import Rule


class Request(NamedTuple):
    """What such a rule is given beside the candidates: S terminals, P pairs."""

    terminal_start: NDArray[np.int64]  # (S + 1,) pairs of terminal s are start[s] .. start[s + 1]
    sat: IntArray  # (P,)
    score: FloatArray  # (P,) 0, or -inf where the satellite may not serve
    cell: NDArray[np.int64]  # (S,) where each terminal is
    rank: NDArray[np.int64]  # (S,) who is to be served first: 0, then 1, ...
    limits: BeamLimits


def own_assignment(rule: Rule, candidates: Candidates, request: Request) -> Assignment:
    """Return what a rule chooses; refuse it with the first limit that it breaks."""
    assert rule.choose is not None
    for array in (request.score, request.cell, request.rank, *request.limits):
        array.flags.writeable = False
    with running_own(f'assignment.rule "{rule.name}" failed'):
        chosen = np.asarray(rule.choose(candidates, request))
    start, sat, score, cell, _, limits = request
    try:
        return checked_choice(chosen, start, sat, score, cell, limits)
    except InputError as error:
        raise InputError(f'assignment.rule "{rule.name}": {error}') from None
