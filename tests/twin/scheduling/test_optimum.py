"""The optimum by HiGHS against trying everything, and assignments against the optimum."""

import itertools

import numpy as np
import pytest
from tests.support.beam_instances import random_slot, slot_of

from skyweave.errors import InputError
from skyweave.twin.scheduling import optimum as optimum_module
from skyweave.twin.scheduling.beams import assign
from skyweave.twin.scheduling.optimum import gap, lp_bound, optimum

SOLVER_ROUNDING = 1e-6


def best_of_all(slot):
    """Every choice of every terminal, kept where it obeys the limits: (served, score)."""
    start = slot.terminal_start
    own = [
        [-1, *(p for p in range(start[t], start[t + 1]) if slot.score[p] > -np.inf)]
        for t in range(start.size - 1)
    ]
    best = (0, 0.0)
    for choice in itertools.product(*own):
        beams = {(slot.cell[t], slot.sat[p]) for t, p in enumerate(choice) if p >= 0}
        used = np.bincount([n for _, n in beams], minlength=slot.limits.down.size)
        of_cell = np.bincount([c for c, _ in beams], minlength=1)
        if (used <= np.minimum(slot.limits.down, 3 * slot.limits.up)).all() and of_cell.max() <= 8:
            seats = [p for p in choice if p >= 0]
            best = max(best, (len(seats), float(slot.score[seats].sum())))
    return best


def tiny_slot(rng):
    terminals = int(rng.integers(2, 7))
    seen = [rng.choice(3, rng.integers(1, 4), replace=False) for _ in range(terminals)]
    scores = rng.normal(size=sum(map(len, seen)))
    scores[rng.random(scores.size) < 0.1] = -np.inf
    cells = rng.integers(3, size=terminals)
    return slot_of(seen, cells, rng.integers(0, 3, 3), rng.integers(0, 2, 3), scores)


@pytest.mark.parametrize("seed", range(25))
def test_the_optimum_of_a_tiny_slot_is_the_best_of_all_choices(seed):
    slot = tiny_slot(np.random.default_rng(seed))
    served, score = best_of_all(slot)
    found = optimum(*slot.unranked)
    assert found.served == pytest.approx(served, abs=SOLVER_ROUNDING)
    assert found.score == pytest.approx(score, abs=SOLVER_ROUNDING)
    assert lp_bound(*slot.unranked).served >= served - SOLVER_ROUNDING
    assert (assign(*slot).chosen >= 0).sum() <= served


def test_a_cell_has_at_most_eight_beams_in_the_optimum_too():
    slot = slot_of([[n] for n in range(10)], [0] * 10, [1] * 10)
    assert optimum(*slot.unranked).served == pytest.approx(8.0)
    assert (assign(*slot).chosen >= 0).sum() == 8


def test_assignments_stay_near_what_could_be_served_at_most(full_counts, record_figure):
    slots = 200 if full_counts else 40
    gaps = []
    for seed in range(slots):
        slot = random_slot(np.random.default_rng([6, seed]))
        gaps.append(gap(assign(*slot), *slot.unranked).served)
    assert min(gaps) >= -SOLVER_ROUNDING
    assert np.median(gaps) <= 0.10
    record_figure(f"gap to LP bound, {slots} slots, median", float(np.median(gaps)), "", "<= 0.10")
    record_figure(f"gap to LP bound, {slots} slots, worst", max(gaps), "", "reported")


def test_the_gap_of_a_slot_without_candidates_is_none():
    slot = slot_of([[], []], [0, 1], [4])
    assert gap(assign(*slot), *slot.unranked) == (0.0, 0.0)


def test_a_slot_too_large_for_the_optimum_is_refused(monkeypatch):
    monkeypatch.setattr(optimum_module, "MOST_PAIRS", 1)
    slot = slot_of([[0, 1]], [0], [4, 4])
    with pytest.raises(InputError, match="2 candidates are too many for the optimum; pass at most"):
        lp_bound(*slot.unranked)
