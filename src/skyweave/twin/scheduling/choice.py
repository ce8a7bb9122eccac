"""The choice model: which of its candidates a real scheduler is likely to give a terminal.

A conditional logit, fitted by `make calibrate` on the choices that two dishes recorded; the
coefficients ship in `data/choice_model.json` with data, date and standard errors.  COLD looks at
the slot alone, WARM also at what the terminal used within the last ten slots.  Each has two
variants: one for a dish that tells where it points, one for a dish that does not.
"""

import json
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.data import read_data_text
from skyweave.twin.scheduling.candidates import Candidates
from skyweave.twin.scheduling.features import (
    TERMS,
    ChoiceInputs,
    off_pole_deg,
    values_of,
    weights_of,
)
from skyweave.twin.topology import GENERATIONS

FloatArray = NDArray[np.float64]

MODEL_FILE = "choice_model.json"
_V2_MINI = GENERATIONS.index("v2-mini")


@dataclass(frozen=True)
class Variant:
    """Coefficients by term, and how sure each is; a term that is left out has 0."""

    coefficient: dict[str, float]
    standard_error: dict[str, float]


@dataclass(frozen=True)
class ChoiceModel:
    """A fitted model: what its score is made of, and on what it was fitted."""

    name: str  # "cold" or "warm"
    with_boresight: Variant
    without_boresight: Variant
    fitted: str  # date of the fit
    data: tuple[dict[str, Any], ...]  # what it was fitted on: site, slots, candidates, files

    @property
    def terms(self) -> tuple[str, ...]:
        """The names of the terms, in the order of `term_values`."""
        return tuple(term.name for term in TERMS)


def cold() -> ChoiceModel:
    """Return the shipped model that looks at the slot alone."""
    return _shipped()["cold"]


def warm() -> ChoiceModel:
    """Return the shipped model that also looks at what the terminal used before."""
    return _shipped()["warm"]


@cache
def _shipped() -> dict[str, ChoiceModel]:
    return read_models(read_data_text(MODEL_FILE))


def read_models(text: str) -> dict[str, ChoiceModel]:
    """Return the models that a text of `data/choice_model.json`'s form holds, by name."""
    document = json.loads(text)
    return {
        name: ChoiceModel(
            name=name,
            with_boresight=_variant(variants["with_boresight"]),
            without_boresight=_variant(variants["without_boresight"]),
            fitted=document["fitted"],
            data=tuple(document["data"]),
        )
        for name, variants in document["models"].items()
    }


def _variant(fields: dict[str, Any]) -> Variant:
    terms = [term.name for term in TERMS]
    return Variant(
        {name: float(fields["coefficient"].get(name, 0.0)) for name in terms},
        {name: float(fields["standard_error"].get(name, np.inf)) for name in terms},
    )


def choice_inputs(candidates: Candidates) -> ChoiceInputs:
    """Return what the terms are computed from for a slot's candidates."""
    return ChoiceInputs(
        elevation_deg=candidates.elevation_deg,
        azimuth_deg=candidates.azimuth_deg,
        off_pole_deg=off_pole_deg(
            candidates.azimuth_deg,
            candidates.elevation_deg,
            candidates.lat_deg[candidates.terminal],
        ),
        gso_separation_deg=candidates.gso_separation_deg,
        boresight_deg=candidates.boresight_deg,
        age_slots=candidates.age_slots,
        remaining_slots=candidates.remaining_slots,
        is_v2_mini=candidates.generation == _V2_MINI,
        slots_since_use=candidates.slots_since_use,
    )


def term_values(candidates: Candidates) -> FloatArray:
    """Return the value of every term for every candidate, (P, F), in the order of `TERMS`."""
    return values_of(choice_inputs(candidates))


def log_weights(model: ChoiceModel, candidates: Candidates) -> FloatArray:
    """Return the logarithm of each candidate's weight, (P,).

    Whether a dish tells its boresight decides the variant, for each terminal by itself.
    """
    return log_weights_of(model, choice_inputs(candidates))


def log_weights_of(model: ChoiceModel, inputs: ChoiceInputs) -> FloatArray:
    """Return what `log_weights` returns, of terms' inputs instead of a slot's candidates."""
    is_known = ~np.isnan(inputs.boresight_deg)
    if not is_known.any():
        return weights_of(inputs, model.without_boresight.coefficient)
    with_it = weights_of(inputs, model.with_boresight.coefficient)
    if is_known.all():
        return with_it
    return np.where(is_known, with_it, weights_of(inputs, model.without_boresight.coefficient))


def probabilities(log_weight: FloatArray, terminal_start: NDArray[np.int64]) -> FloatArray:
    """Return the probability of each candidate among those of its terminal, (P,).

    Those of one terminal sum to 1; a log-weight of -inf gets 0, as do all where every one is.
    `terminal_start` (S + 1,) says where each terminal's candidates begin; it may have none.
    """
    count = np.diff(terminal_start)
    which = np.repeat(np.arange(count.size), count)
    most = np.full(count.size, -np.inf)
    np.maximum.at(most, which, log_weight)
    shift = np.where(np.isfinite(most), most, 0.0)[which]
    weight = np.exp(log_weight - shift)
    total = np.bincount(which, weights=weight, minlength=count.size)[which]
    return np.divide(weight, total, out=np.zeros_like(weight), where=total > 0.0)


def explain_terms(model: ChoiceModel, candidates: Candidates, pair: int) -> dict[str, float]:
    """Return what each term contributes to one candidate's log-weight; they sum to it."""
    whole = choice_inputs(candidates)._asdict()
    inputs = ChoiceInputs(**{name: column[pair : pair + 1] for name, column in whole.items()})
    has_boresight = not np.isnan(inputs.boresight_deg[0])
    variant = model.with_boresight if has_boresight else model.without_boresight
    return {
        term.name: variant.coefficient[term.name] * float(term.value(inputs)[0])
        for term in TERMS
        if variant.coefficient[term.name] != 0.0
    }
