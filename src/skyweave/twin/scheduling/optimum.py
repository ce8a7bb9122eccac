"""The best assignment there is, on small instances, by HiGHS: what `assign` is measured against."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import bmat, csr_matrix, identity

from skyweave.errors import InputError
from skyweave.twin.scheduling._beam_kernels import CHANNELS
from skyweave.twin.scheduling.beams import Assignment, BeamLimits

MOST_PAIRS = 200_000  # HiGHS takes minutes beyond

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]


class Optimum(NamedTuple):
    """As many terminals as can be served, and of all such assignments the highest score."""

    served: float  # terminals; of a bound, not always whole
    score: float  # sum over the served


class Gap(NamedTuple):
    """How far an assignment is below a bound, as shares of the bound."""

    served: float  # of the terminals that could be served
    served_bound: float


class _Programme(NamedTuple):
    """P pairs, then L beams that could be, as variables; rows are upper bounds."""

    rows: csr_matrix
    most: FloatArray
    beams: int


def optimum(
    terminal_start: IntArray, sat: RowArray, score: FloatArray, cell: IntArray, limits: BeamLimits
) -> Optimum:
    """Return the exact optimum: served terminals first, then score."""
    return _solve(terminal_start, sat, score, cell, limits, is_whole=True)


def lp_bound(
    terminal_start: IntArray, sat: RowArray, score: FloatArray, cell: IntArray, limits: BeamLimits
) -> Optimum:
    """Return the same with beams and seats that may be fractions: no assignment serves more."""
    return _solve(terminal_start, sat, score, cell, limits, is_whole=False)


def gap(
    assignment: Assignment,
    terminal_start: IntArray,
    sat: RowArray,
    score: FloatArray,
    cell: IntArray,
    limits: BeamLimits,
) -> Gap:
    """Return how many terminals a slot's assignment serves less than its bound by HiGHS."""
    bound = lp_bound(terminal_start, sat, score, cell, limits).served
    served = int((assignment.chosen >= 0).sum())
    return Gap(0.0 if bound == 0.0 else 1.0 - served / bound, bound)


def _solve(
    start: IntArray,
    sat: RowArray,
    score: FloatArray,
    cell: IntArray,
    limits: BeamLimits,
    is_whole: bool,
) -> Optimum:
    if sat.size > MOST_PAIRS:
        raise InputError(
            f"{sat.size} candidates are too many for the optimum; pass at most {MOST_PAIRS}"
        )
    may = score > -np.inf
    if not may.any():
        return Optimum(0.0, 0.0)
    terminal = np.repeat(np.arange(start.size - 1), np.diff(start))[may]
    programme = _programme(terminal, sat[may], cell[terminal], limits)
    ones = np.concatenate((np.ones(terminal.size), np.zeros(programme.beams)))
    scores = np.concatenate((score[may], np.zeros(programme.beams)))
    served = _maximise(ones, programme, [], is_whole)
    # A little less than all: rounding must not make the second programme infeasible.
    enough = LinearConstraint(ones[None], served - 1e-7, np.inf)
    return Optimum(served, _maximise(scores, programme, [enough], is_whole))


def _programme(terminal: IntArray, sat: RowArray, cell: IntArray, limits: BeamLimits) -> _Programme:
    """State the rules: a seat each, on an open beam; beams of a cell; beams of a satellite.

    Channels need no variables: any eight beams of a cell can be given eight.
    """
    beams, beam = np.unique(np.column_stack((cell, sat)), axis=0, return_inverse=True)
    _, cell_row = np.unique(beams[:, 0], return_inverse=True)
    _, seat_row = np.unique(terminal, return_inverse=True)
    pairs = identity(terminal.size)
    rows = bmat(
        [
            [_sums(seat_row), None],
            [pairs, -_sums(beam).T],
            [None, _sums(cell_row)],
            [None, _sums(beams[:, 1], limits.down.size)],
        ],
        format="csr",
    )
    seats, cells = int(seat_row.max()) + 1, int(cell_row.max()) + 1
    most = [np.ones(seats), np.zeros(terminal.size), np.full(cells, CHANNELS), limits.links]
    return _Programme(rows, np.concatenate(most), len(beams))


def _sums(row: IntArray, rows: int | None = None) -> csr_matrix:
    row = row.ravel()
    shape = (rows or int(row.max()) + 1, row.size)
    return csr_matrix((np.ones(row.size), (row, np.arange(row.size))), shape=shape)


def _maximise(
    value: FloatArray, programme: _Programme, more: list[LinearConstraint], is_whole: bool
) -> float:
    answer = milp(
        -value,
        constraints=[LinearConstraint(programme.rows, -np.inf, programme.most), *more],
        bounds=Bounds(0, 1),
        integrality=np.full(value.size, int(is_whole)),
    )
    if answer.x is None:
        raise InputError(f"HiGHS found no optimum: {answer.message}")
    return float(value @ answer.x)
