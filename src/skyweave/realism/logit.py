"""Conditional logit (McFadden 1974): how likely each satellite of a slot's sky is to be chosen.

A slot offers candidates; candidate p with terms x_p is chosen with probability
exp(b.x_p) / sum over its slot of exp(b.x_q).  The coefficients b maximise the likelihood less a
ridge on the standardised terms, which keeps what only one site shows from growing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from skyweave.errors import SkyweaveError

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

GRADIENT_LEFT = 1e-6  # of the penalised log-likelihood, at the optimum
MOST_ROUNDS = 2000


class Choices(NamedTuple):
    """K slots with P candidates in all; those of slot k are rows start[k]:start[k + 1]."""

    value: FloatArray  # (P, F) the terms
    start: IntArray  # (K + 1,)
    chosen: IntArray  # (K,) the row that was chosen


class Fit(NamedTuple):
    """Coefficients of F terms and how sure they are."""

    coefficient: FloatArray  # (F,)
    standard_error: FloatArray  # (F,) from the inverse Hessian of the penalised likelihood
    log_likelihood: float  # without the ridge
    slots: int
    candidates: int

    @property
    def perplexity(self) -> float:
        """How many equally likely candidates would be as hard to guess."""
        return float(np.exp(-self.log_likelihood / self.slots))


def join(parts: list[Choices]) -> Choices:
    """Return the slots of several parts as one."""
    offset = np.cumsum([0, *(len(part.value) for part in parts)])
    starts = [part.start[:-1] + first for part, first in zip(parts, offset, strict=False)]
    chosen = [part.chosen + first for part, first in zip(parts, offset, strict=False)]
    return Choices(
        np.concatenate([part.value for part in parts]),
        np.concatenate([*starts, offset[-1:]]),
        np.concatenate(chosen),
    )


def fit(choices: Choices, ridge: float) -> Fit:
    """Return the coefficients at which likelihood less ridge is greatest, by L-BFGS.

    The penalty is ridge / 2 times the sum of squared coefficients of the standardised terms.  A
    term that is the same for all candidates gets 0 with an infinite standard error.
    """
    if not np.isfinite(choices.value).all():
        raise SkyweaveError(
            "the terms of some candidates are not finite numbers; leave those candidates out"
        )
    spread = choices.value.std(axis=0)
    varies = spread > 0.0
    scaled = Choices(choices.value[:, varies] / spread[varies], choices.start, choices.chosen)
    found = minimize(
        lambda b: _loss(b, scaled, ridge), np.zeros(int(varies.sum())), jac=True,
        method="L-BFGS-B", options={"maxiter": MOST_ROUNDS, "gtol": GRADIENT_LEFT, "ftol": 0.0},
    )  # fmt: skip
    if np.abs(found.jac).max(initial=0.0) > 1e3 * GRADIENT_LEFT:
        raise SkyweaveError(
            f"the fit of {varies.sum()} terms to {scaled.chosen.size} slots did not converge "
            f"({found.message}); leave out terms that say the same"
        )
    coefficient = np.zeros(spread.size)
    coefficient[varies] = found.x / spread[varies]
    standard_error = np.full(spread.size, np.inf)
    variance = np.diag(np.linalg.inv(hessian(found.x, scaled, ridge)))
    standard_error[varies] = np.sqrt(variance) / spread[varies]
    return Fit(
        coefficient=coefficient,
        standard_error=standard_error,
        log_likelihood=log_likelihood(coefficient, choices),
        slots=int(choices.chosen.size),
        candidates=len(choices.value),
    )


def log_likelihood(coefficient: FloatArray, choices: Choices) -> float:
    """Return the log-probability of all choices."""
    log_probability, _ = _log_probability(coefficient, choices)
    return float(log_probability[choices.chosen].sum())


def _log_probability(coefficient: FloatArray, choices: Choices) -> tuple[FloatArray, IntArray]:
    """Return each candidate's log-probability and the slot it belongs to, both (P,)."""
    score = choices.value @ coefficient
    slot = np.repeat(np.arange(choices.start.size - 1), np.diff(choices.start))
    most = np.maximum.reduceat(score, choices.start[:-1])
    total = np.add.reduceat(np.exp(score - most[slot]), choices.start[:-1])
    return score - (most + np.log(total))[slot], slot


def _loss(coefficient: FloatArray, choices: Choices, ridge: float) -> tuple[float, FloatArray]:
    """Return the penalised negative log-likelihood and its gradient (F,)."""
    log_probability, _ = _log_probability(coefficient, choices)
    chosen = choices.value[choices.chosen].sum(axis=0)
    expected = np.exp(log_probability) @ choices.value
    loss = -log_probability[choices.chosen].sum() + 0.5 * ridge * coefficient @ coefficient
    return float(loss), expected - chosen + ridge * coefficient


def hessian(coefficient: FloatArray, choices: Choices, ridge: float) -> FloatArray:
    """Return the second derivatives (F, F) of the penalised negative log-likelihood."""
    log_probability, slot = _log_probability(coefficient, choices)
    weighted = np.exp(log_probability)[:, None] * choices.value
    mean = np.add.reduceat(weighted, choices.start[:-1], axis=0)[slot]
    second = weighted.T @ (choices.value - mean)
    return np.asarray(second + ridge * np.eye(coefficient.size))
