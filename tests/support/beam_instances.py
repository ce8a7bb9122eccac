"""Random slots in which beams are short: clustered cells, unequal satellites, crowded cells."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.scheduling.beams import BeamLimits, service_rank


class Slot(NamedTuple):
    """The arguments of `assign`, in its order."""

    terminal_start: NDArray[np.int64]
    sat: NDArray[np.int32]
    score: NDArray[np.float64]
    cell: NDArray[np.int64]
    rank: NDArray[np.int64]
    limits: BeamLimits

    @property
    def unranked(self):
        """The arguments of `check`, `optimum` and `lp_bound`."""
        return (*self[:4], self.limits)


def random_slot(rng, cells=60, satellites=24, crowded=2) -> Slot:
    """Cells on a square, most of them in clusters, under satellites that see a part of it.

    Each cell has 1 to 4 terminals, the crowded ones 12 to 24 that see half of the sky each, so
    they want more than eight satellites.  Three generations have 1 : 2 : 4 beams, of which all
    together are 0.5 to 1.3 to a cell.  Scores are elevations, or noise on them.
    """
    sat_at = rng.uniform(0.0, 10.0, (satellites, 2))
    cell_at = rng.uniform(0.0, 10.0, (cells, 2))
    centre = rng.uniform(1.0, 9.0, (3, 2))
    clustered = rng.random(cells) < 0.7
    cell_at[clustered] = (centre[rng.integers(3, size=cells)] + rng.normal(0.0, 0.6, (cells, 2)))[
        clustered
    ]
    size = rng.choice([1, 1, 1, 2, 3, 4], cells)
    size[:crowded] = rng.integers(12, 25, crowded)
    cell = rng.permutation(np.repeat(np.arange(cells), size))
    away = np.linalg.norm(sat_at - cell_at[cell][:, None], axis=2)
    reach = rng.uniform(2.0, 3.5)
    hidden = np.where(cell < crowded, 0.5, 0.15)[:, None]
    terminal, sat = np.nonzero((away < reach) & (rng.random(away.shape) > hidden))
    score = 90.0 - 65.0 * away[terminal, sat] / reach
    if rng.random() < 0.5:
        score = score / 30.0 + rng.gumbel(size=score.size)
    score[rng.random(score.size) < 0.05] = -np.inf
    mean = rng.uniform(0.5, 1.3) * cells / satellites
    down = np.round(mean * np.array([0.5, 1.0, 2.0])[rng.integers(3, size=satellites)])
    up = np.maximum(0.0, np.ceil(down / 3.0) + rng.integers(-1, 2, satellites))
    ids = np.arange(cell.size, dtype=np.uint64)
    return Slot(
        terminal_start=np.searchsorted(terminal, np.arange(cell.size + 1)).astype(np.int64),
        sat=sat.astype(np.int32),
        score=score,
        cell=cell.astype(np.int64),
        rank=service_rank(["standard"] * cell.size, int(rng.integers(1000)), 0, ids, cell),
        limits=BeamLimits(down.astype(np.int32), up.astype(np.int32)),
    )


def slot_of(seen, cells, down, up=None, scores=None) -> Slot:
    """A slot by hand: `seen[t]` lists the satellites of terminal t, best first."""
    count = [len(rows) for rows in seen]
    sat = np.array([n for rows in seen for n in rows], np.int32)
    falling = [-float(i) for rows in seen for i in range(len(rows))]
    down = np.array(down, np.int32)
    return Slot(
        terminal_start=np.concatenate(([0], np.cumsum(count))).astype(np.int64),
        sat=sat,
        score=np.array(falling if scores is None else scores, float),
        cell=np.array(cells, np.int64),
        rank=np.arange(len(seen)),
        limits=BeamLimits(down, down if up is None else np.array(up, np.int32)),
    )
