"""How well each rule predicts which satellite served a real dish, on anyone's recorded files.

Figures are on clean slots, whose satellite the dish's own pixels name beyond doubt, and on all
slots as they were published ("raw").  The shipped coefficients were fitted on two dishes; on their
files the figures show the fit, not its worth, and the answer says so.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.realism.choice_sets import (
    ChoiceSet,
    ElementAges,
    Place,
    build_choice_set,
    read_elements,
    with_history,
)
from skyweave.realism.labels import Labels, label_slots
from skyweave.realism.observations import SkyList, check_overlap, read_sky_list, read_track
from skyweave.seeds import named_seed
from skyweave.time import format_utc, parse_utc
from skyweave.twin.scheduling.choice import ChoiceModel, cold, log_weights_of, probabilities, warm

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Progress = Callable[[str], None]

BEST = 5  # names of a ranking
MAX_AGE_DAYS = 2.0


@dataclass(frozen=True)
class Targets:
    """Which candidate is the right one in each of K slots, -1 where it is no candidate."""

    clean: IntArray  # (K,) nearest to the dish's pixels
    clean_name: NDArray[np.str_]  # (K,) its name, or the published one where the slot is not clean
    is_clean: BoolArray  # (K,) scored as clean
    raw: IntArray  # (K,) as published
    raw_name: NDArray[np.str_]
    is_raw: BoolArray  # (K,) scored as published


@dataclass(frozen=True)
class Figures:
    """How well a ranking meets the choices of some slots."""

    top1: float
    top3: float
    top5: float
    mrr: float  # mean of 1 / rank; 0 for a choice that is no candidate


@dataclass(frozen=True)
class Prediction:
    """What a rule says of every candidate: its order, and how likely each is, both (P,)."""

    score: FloatArray  # the greatest is first, equal ones stay in order
    probability: FloatArray


def score_serving(
    chosen: str | Path,
    candidates: str | Path,
    elements: str | Path,
    *,
    site: tuple[float, float] | None = None,
    boresight: tuple[float, float] | None = None,
    max_age_days: float = MAX_AGE_DAYS,
    seed: int = 0,
    progress: Progress = lambda step: None,
) -> dict[str, Any]:
    """Return how every rule ranks the satellites that served a dish, as one JSON document.

    `chosen` and `candidates` are a `first_SITE.csv` and a `fov_data_SITE.json`, `elements` the
    operator's element sets of that time.  `site` is the dish's latitude and longitude at the level
    of its city, and `boresight` the azimuth and elevation it tells; terms that need one that is not
    given are left out, and `left_out` names them.
    """
    place, pointing = _checked(site, boresight, max_age_days)
    track, sky = read_track(chosen), read_sky_list(candidates)
    check_overlap(track, sky)
    catalogue, ages = read_elements(str(elements), sky, max_age_days)
    labels = label_slots(track, sky)
    progress(f"looking at the sky of {len(sky):,} slots")
    is_fresh = ages.median_days <= MAX_AGE_DAYS
    choices = build_choice_set(sky, catalogue, place, pointing, is_fresh)
    targets = targets_of(choices, labels)
    if not targets.is_clean.any():
        raise InputError(
            f"{track.source}: in none of its {len(sky)} slots do the pixels single out a "
            f"candidate of {sky.source}; give files of one site and time"
        )
    progress(f"scoring the rules on {int(targets.is_clean.sum()):,} clean slots")
    rules = {
        name: _rule_figures(choices, targets, *predictions)
        for name, predictions in _predictions(choices, targets, seed).items()
    }
    return {
        "slots": int(targets.is_raw.sum()),
        "slots_clean": int(targets.is_clean.sum()),
        "candidates_mean": choices.name.size / len(choices),
        "rules": rules,
        "labels": _label_figures(choices, labels, targets),
        "elements": _element_figures(ages),
        "left_out": _left_out(choices, place, pointing),
        "fitted_on": _fitted_on(cold(), sky),
        "elevation_ks": "of the expected distribution: each candidate counts by its probability",
    }


def targets_of(choices: ChoiceSet, labels: Labels) -> Targets:
    """Return the right candidate of each slot, clean and as published."""
    clean = choices.rows_of_listed(labels.nearest)
    raw = choices.rows_of_listed(labels.published)
    has_any = np.diff(choices.start) > 0
    is_clean = labels.is_clean & (clean >= 0)
    names = np.append(choices.name, "")
    return Targets(
        clean=clean,
        clean_name=np.where(is_clean, names[clean], labels.published_name),
        is_clean=is_clean,
        raw=raw,
        raw_name=labels.published_name,
        is_raw=(labels.published_name != "") & has_any,
    )


def model_prediction(model: ChoiceModel, choices: ChoiceSet) -> Prediction:
    """Return what a choice model says of every candidate."""
    score = log_weights_of(model, choices.inputs)
    return Prediction(score, probabilities(score, choices.start))


def best_prediction(choices: ChoiceSet, score: FloatArray) -> Prediction:
    """Return the prediction of a rule that always takes the greatest score, the first of equals."""
    return Prediction(score, (ranks(choices, score) == 1).astype(np.float64))


def random_prediction(choices: ChoiceSet, seed: int) -> Prediction:
    """Return a seeded order of equally likely candidates."""
    score = np.random.default_rng(named_seed(seed, "realism", "serving")).random(choices.name.size)
    return Prediction(score, probabilities(np.zeros(score.size), choices.start))


def _predictions(
    choices: ChoiceSet, targets: Targets, seed: int
) -> dict[str, tuple[Prediction, Prediction]]:
    """Return what each rule says, with the history of clean slots and of published ones."""
    remembering = [with_history(choices, names) for names in (targets.clean_name, targets.raw_name)]
    after_clean, after_raw = (model_prediction(warm(), known) for known in remembering)
    by_itself = {
        "cold": model_prediction(cold(), choices),
        "preference-best": best_prediction(choices, log_weights_of(cold(), choices.inputs)),
        "highest-elevation": best_prediction(choices, choices.inputs.elevation_deg),
        "random": random_prediction(choices, seed),
    }
    if choices.has_views:
        still = choices.inputs.remaining_slots.astype(np.float64)
        by_itself["longest-visible"] = best_prediction(choices, still)
    if not np.isnan(choices.range_m).any():  # of the access link only: a file tells no gateways
        by_itself["shortest-path"] = best_prediction(choices, -choices.range_m)
    both = {name: (prediction, prediction) for name, prediction in by_itself.items()}
    return {"cold": both.pop("cold"), "warm": (after_clean, after_raw), **both}


def ranks(choices: ChoiceSet, score: FloatArray) -> IntArray:
    """Return the place of every candidate in its slot, 1 for the greatest score, (P,)."""
    slot = choices.slot_of
    order = np.lexsort((-score, slot))  # stable: equal scores stay in the order of candidates
    place = np.empty(score.size, dtype=np.int64)
    place[order] = np.arange(score.size) - choices.start[slot] + 1
    return place


def figures(choices: ChoiceSet, score: FloatArray, right: IntArray, counted: BoolArray) -> Figures:
    """Return how a score ranks the right candidates (K,) of the slots that count, (K,)."""
    place = np.append(ranks(choices, score).astype(np.float64), math.inf)[right[counted]]
    top1, top3, top5 = (float((place <= most).mean()) for most in (1, 3, BEST))
    return Figures(top1, top3, top5, float((1.0 / place).mean()))


def elevation_ks(
    choices: ChoiceSet, probability: FloatArray, right: IntArray, counted: BoolArray
) -> float:
    """Return the greatest difference between predicted and observed distribution of elevation.

    The predicted one is exact: each candidate of a slot counts by its probability, each slot alike
    (two-sided Kolmogorov-Smirnov distance).
    """
    elevation_deg = choices.inputs.elevation_deg
    weight = np.where(counted[choices.slot_of], probability, 0.0)
    observed = np.sort(elevation_deg[right[counted]])
    order = np.argsort(elevation_deg, kind="stable")
    predicted = np.concatenate([[0.0], np.cumsum(weight[order]) / weight.sum()])
    at = np.unique(elevation_deg)
    below = predicted[np.searchsorted(elevation_deg[order], at, side="right")]
    seen = np.searchsorted(observed, at, side="right") / observed.size
    return float(np.abs(below - seen).max())


def _rule_figures(
    choices: ChoiceSet, targets: Targets, clean: Prediction, raw: Prediction
) -> dict[str, Any]:
    on_clean = figures(choices, clean.score, targets.clean, targets.is_clean)
    on_raw = figures(choices, raw.score, targets.raw, targets.is_raw)
    return {
        "top1": on_clean.top1,
        "top3": on_clean.top3,
        "top5": on_clean.top5,
        "mrr": on_clean.mrr,
        "elevation_ks": elevation_ks(
            choices, clean.probability, targets.clean, targets.is_clean
        ),
        "top1_raw": on_raw.top1,
        "top5_raw": on_raw.top5,
        "ranking": _ranking(choices, clean.score, targets.is_clean),
    }  # fmt: skip


def _ranking(choices: ChoiceSet, score: FloatArray, counted: BoolArray) -> list[list[Any]]:
    """Return the start and the best names of every slot that counts."""
    order = np.lexsort((-score, choices.slot_of))
    return [
        [
            format_utc(choices.slot_utc[k]),
            choices.name[order[choices.start[k] : choices.start[k + 1]][:BEST]].tolist(),
        ]
        for k in np.flatnonzero(counted).tolist()
    ]


def _label_figures(choices: ChoiceSet, labels: Labels, targets: Targets) -> dict[str, Any]:
    listed = (labels.published >= 0) & (labels.nearest >= 0)
    differs = labels.nearest[listed] != labels.published[listed]
    return {
        "published_is_no_candidate": int(((targets.raw < 0) & targets.is_raw).sum()),
        "published_is_not_nearest": float(differs.mean()) if differs.size else None,
        "deg_per_pixel": labels.pixel_map.deg_per_px,
        "pixel_residual_deg": labels.pixel_map.residual_deg,
    }


def _element_figures(ages: ElementAges) -> dict[str, Any]:
    return {
        "median_age_days": ages.median_days,
        "satellites": ages.used,
        "too_old": ages.too_old,
        "without": ages.without,
    }


def _left_out(
    choices: ChoiceSet, place: Place | None, pointing: tuple[float, float] | None
) -> list[str]:
    """Return what could not be computed, and what to give for it."""
    missing = []
    if place is None:
        missing += [
            f"{what}: give --site LAT,LON (city level suffices)"
            for what in (
                "the pole-ward direction",
                "the distance from the geostationary arc",
                "how long a satellite has been in view and still will be, and longest-visible",
            )
        ]
    elif not choices.has_views:
        missing.append(
            "how long a satellite has been in view and still will be, and longest-visible: the "
            "elements are too old to tell"
        )
    if pointing is None:
        missing.append("the dish's field of view: give --boresight AZ,EL where the dish tells it")
    if np.isnan(choices.range_m).any():
        missing.append("shortest-path: the candidates have no Distance")
    else:
        missing.append("gateways and PoPs: shortest-path is the shortest access link")
    return missing


def _fitted_on(model: ChoiceModel, sky: SkyList) -> dict[str, Any]:
    """Return what the coefficients were fitted on, and whether that includes these slots."""
    overlaps = any(
        ((sky.slot_utc >= parse_utc(part["from"])) & (sky.slot_utc <= parse_utc(part["to"]))).any()
        for part in model.data
    )
    note = (
        "slots of the time of the data that the coefficients were fitted on: if the dish is one of "
        "those, these figures are no validation; the published ones leave the scored site out"
        if overlaps
        else "no slot of this file was fitted on"
    )
    return {"fitted": model.fitted, "data": list(model.data), "overlaps": overlaps, "note": note}


def _checked(
    site: tuple[float, float] | None, boresight: tuple[float, float] | None, max_age_days: float
) -> tuple[Place | None, tuple[float, float] | None]:
    """Return place and boresight; an error does not repeat where the dish stands."""
    if site is not None and not (abs(site[0]) <= 90.0 and abs(site[1]) <= 360.0):
        raise InputError(
            "--site is outside -90..90 degrees north or -360..360 east; expected LAT,LON in "
            "decimal degrees: are they swapped?"
        )
    if boresight is not None and not (abs(boresight[0]) <= 360.0 and 0.0 <= boresight[1] <= 90.0):
        raise InputError(
            f"--boresight = {boresight[0]:g},{boresight[1]:g}; expected azimuth from north and "
            "elevation (0..90) in degrees: are they swapped?"
        )
    if not max_age_days > 0.0:
        raise InputError(f"--max-age-days = {max_age_days:g}; expected days above 0")
    return None if site is None else Place(*site), boresight
