"""How the choice model was fitted: a procedure to run again on the same or on other recordings.

Candidates of the fit are all operational satellites at 25 deg or more at the slot's start, seen
from the city that a site is near; labels are those of clean slots.  The sites are pooled for the
model that ships.  What it is worth is said by models that never saw the site they are scored on.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.realism.choice_sets import (
    ChoiceSet,
    Place,
    build_choice_set,
    elements_of,
    sky_from_elements,
    with_history,
)
from skyweave.realism.labels import label_slots
from skyweave.realism.logit import Choices, Fit, fit, join
from skyweave.realism.observations import read_sky_list, read_track
from skyweave.realism.serving import (
    MAX_AGE_DAYS,
    Figures,
    Prediction,
    Targets,
    best_prediction,
    elevation_ks,
    figures,
    random_prediction,
    targets_of,
)
from skyweave.time import format_utc
from skyweave.twin.catalogue import read_catalogue
from skyweave.twin.scheduling.choice import probabilities
from skyweave.twin.scheduling.features import TERMS, values_of

FloatArray = NDArray[np.float64]

FOLDER = "measurements/satinview_2024-07-17"
ELEMENTS = "starlink_gp_2024-07-17.tle.gz"
SOURCE = "SatInView (LEO-NET 2024), github.com/clarkzjw/SatInView at 09b93fe"
# The cities that the two recording sites are near; the sites themselves are not asked for.
CITIES = {
    "bri": ("Brisbane", Place(-27.47, 153.03)),
    "ucl": ("Louvain-la-Neuve", Place(50.67, 4.61)),
}
RIDGE = 60.0  # on standardised terms: better than 3 on sites left out (mean log-likelihood)
DECIMALS = 4  # of a coefficient; far below its standard error
VERSION = 1

MODELS = ("cold", "warm")
VARIANTS = ("with_boresight", "without_boresight")
_NO_HISTORY, _NO_BORESIGHT = "recency", "off_boresight"


@dataclass(frozen=True)
class Sky:
    """The choices of one site among one set of candidates."""

    choices: ChoiceSet
    targets: Targets


@dataclass(frozen=True)
class Recording:
    """One site: the sky that its own file lists, and all that elements put above 25 deg."""

    site: str
    listed: Sky
    full: Sky


class Row(NamedTuple):
    """Figures of one rule: on each site left out of its fit, by site, and their mean."""

    rule: str
    candidates: str  # "listed" by the site's file, or "full"
    by_site: dict[str, tuple[Figures, float]]  # with the distance of elevation distributions

    @property
    def mean(self) -> Figures:
        """The mean over the sites."""
        each = [one for one, _ in self.by_site.values()]
        return Figures(*(float(np.mean([getattr(f, key) for f in each])) for key in _KEYS))

    @property
    def worst_ks(self) -> float:
        """The elevation distance of the worse site."""
        return max(ks for _, ks in self.by_site.values())


_KEYS = ("top1", "top3", "top5", "mrr")


def read_recordings(reference: Path) -> dict[str, Recording]:
    """Return the recordings of both sites from the folder of reference data."""
    return {site: _recording(reference / FOLDER, site) for site in CITIES}


def _recording(folder: Path, site: str) -> Recording:
    place = CITIES[site][1]
    track = read_track(folder / f"first_{site}.csv.gz")
    listed = read_sky_list(folder / f"fov_data_{site}.json.gz")
    elements = read_catalogue(folder / ELEMENTS)
    full = sky_from_elements(elements, listed.slot_utc, place, MAX_AGE_DAYS)
    skies = []
    for sky in (listed, full):
        catalogue, _ = elements_of(elements, ELEMENTS, sky, MAX_AGE_DAYS)
        labels = label_slots(track, sky)
        choices = build_choice_set(sky, catalogue, place, labels.pixel_map.boresight_deg)
        skies.append(Sky(choices, targets_of(choices, labels)))
    return Recording(site, *skies)


def fitted(recordings: list[Recording], model: str, variant: str) -> Fit:
    """Return the model fitted on the clean slots of some recordings, over all candidates."""
    return fit(join([_problem(r.full, model, variant) for r in recordings]), RIDGE)


def _problem(sky: Sky, model: str, variant: str) -> Choices:
    """Return the clean slots of a sky as choices to fit."""
    choices, targets = sky.choices, sky.targets
    value = _values(sky, model, variant)
    is_counted = targets.is_clean[choices.slot_of]
    counts = np.diff(choices.start)[targets.is_clean]
    row = np.cumsum(is_counted) - 1
    return Choices(
        value=value[is_counted],
        start=np.concatenate([[0], np.cumsum(counts)]),
        chosen=row[targets.clean[targets.is_clean]],
    )


def _values(sky: Sky, model: str, variant: str) -> FloatArray:
    """Return the terms of a sky's candidates, (P, F); those a variant leaves out are 0."""
    choices = sky.choices
    if model == "warm":
        choices = with_history(choices, sky.targets.clean_name)
    inputs = choices.inputs
    if variant == "without_boresight":
        inputs = inputs._replace(boresight_deg=np.full(inputs.boresight_deg.size, np.nan))
    return values_of(inputs)


def left_out_rows(recordings: dict[str, Recording]) -> Iterator[Row]:
    """Yield the figures of each model on each site, fitted on the others, and of plain rules."""
    for candidates in ("listed", "full"):
        for model in MODELS:
            for variant in VARIANTS:
                yield model_row(recordings, candidates, model, variant)
        for rule in ("highest-elevation", "longest-visible", "random"):
            yield plain_row(recordings, candidates, rule)


def model_row(recordings: dict[str, Recording], candidates: str, model: str, variant: str) -> Row:
    by_site = {}
    for site, recording in recordings.items():
        others = [other for name, other in recordings.items() if name != site]
        coefficient = fitted(others, model, variant).coefficient
        sky: Sky = getattr(recording, candidates)
        score = _values(sky, model, variant) @ coefficient
        prediction = Prediction(score, probabilities(score, sky.choices.start))
        by_site[site] = _scored(sky, prediction)
    return Row(f"{model}, {variant.replace('_', ' ')}", candidates, by_site)


def plain_row(recordings: dict[str, Recording], candidates: str, rule: str) -> Row:
    by_site = {}
    for site, recording in recordings.items():
        sky: Sky = getattr(recording, candidates)
        by_site[site] = _scored(sky, _plain_prediction(sky.choices, rule))
    return Row(rule, candidates, by_site)


def _plain_prediction(choices: ChoiceSet, rule: str) -> Prediction:
    if rule == "random":
        return random_prediction(choices, seed=0)
    by_rule = {
        "highest-elevation": choices.inputs.elevation_deg,
        "longest-visible": choices.inputs.remaining_slots.astype(np.float64),
    }
    return best_prediction(choices, by_rule[rule])


def _scored(sky: Sky, prediction: Prediction) -> tuple[Figures, float]:
    counted = sky.choices, sky.targets.clean, sky.targets.is_clean
    return figures(counted[0], prediction.score, *counted[1:]), elevation_ks(
        counted[0], prediction.probability, *counted[1:]
    )


def choice_document(recordings: dict[str, Recording], rows: list[Row], date: str) -> dict[str, Any]:
    """Return what ships as `data/choice_model.json`."""
    parts = list(recordings.values())
    return {
        "version": VERSION,
        "fitted": date,
        "procedure": "make calibrate; conditional logit, L-BFGS, clean slots of all sites pooled; "
        f"ridge {RIDGE:g} on standardised terms; candidates at 25 deg or more at the slot's start",
        "ridge": RIDGE,
        "source": SOURCE,
        "data": [_described(recording) for recording in parts],
        "terms": {term.name: term.meaning for term in TERMS},
        "models": {
            model: {v: _fit_document(fitted(parts, model, v), model, v) for v in VARIANTS}
            for model in MODELS
        },
        "left_one_site_out": [_row_document(row) for row in rows],
    }


def _described(recording: Recording) -> dict[str, Any]:
    choices, targets = recording.full.choices, recording.full.targets
    return {
        "site": recording.site,
        "near": CITIES[recording.site][0],
        "files": [f"first_{recording.site}.csv", f"fov_data_{recording.site}.json", ELEMENTS],
        "from": format_utc(choices.slot_utc[0]),
        "to": format_utc(choices.slot_utc[-1]),
        "slots": len(choices),
        "slots_clean": int(targets.is_clean.sum()),
        "candidates": int(targets.is_clean[choices.slot_of].sum()),
    }


def _fit_document(found: Fit, model: str, variant: str) -> dict[str, Any]:
    left_out = [_NO_HISTORY] if model == "cold" else []
    left_out += [_NO_BORESIGHT] if variant == "without_boresight" else []
    names = [(f, term.name) for f, term in enumerate(TERMS) if term.name not in left_out]
    return {
        "coefficient": {name: round(float(found.coefficient[f]), DECIMALS) for f, name in names},
        "standard_error": {
            name: round(float(found.standard_error[f]), DECIMALS) for f, name in names
        },
        "log_likelihood": round(found.log_likelihood, 2),
        "perplexity": round(found.perplexity, 2),
    }


def _row_document(row: Row) -> dict[str, Any]:
    def shown(one: Figures, ks: float) -> dict[str, float]:
        return {key: round(getattr(one, key), 3) for key in _KEYS} | {"elevation_ks": round(ks, 3)}

    return {
        "rule": row.rule,
        "candidates": row.candidates,
        "by_site": {site: shown(*scored) for site, scored in row.by_site.items()},
        "mean": shown(row.mean, row.worst_ks),  # the distance is that of the worse site
    }


def to_text(document: dict[str, Any]) -> str:
    """Return a document as its file holds it."""
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def redated(document: dict[str, Any], before: str | None) -> dict[str, Any]:
    """Return a document with the date of the file before it, where nothing else has changed."""
    if before is None:
        return document
    earlier = json.loads(before)
    same = {**earlier, "fitted": document["fitted"]} == document
    return earlier if same else document


def table_lines(rows: list[Row]) -> list[str]:
    """Return the table of sites left out, one line per rule and kind of candidates."""
    sites = list(rows[0].by_site)
    head = "".join(f"  {f'top-1/3/5/MRR on {site}':>24}" for site in sites)
    lines = [f"{'rule':30} {'candidates':10}{head}  {'mean':>24}  KS worse"]
    for row in rows:
        each = [*(one for one, _ in row.by_site.values()), row.mean]
        cells = "".join(f"  {f.top1:5.3f} {f.top3:5.3f} {f.top5:5.3f} {f.mrr:5.3f} " for f in each)
        lines.append(f"{row.rule:30} {row.candidates:10}{cells}  {row.worst_ks:8.3f}")
    return lines


def calibrate(reference: Path, before: str | None, date: str) -> tuple[str, list[str]]:
    """Return the text of `data/choice_model.json` and the lines to print beside it.

    `before` is the file as it is: its date stays where nothing else changes.
    """
    recordings = read_recordings(reference)
    rows = list(left_out_rows(recordings))
    document = redated(choice_document(recordings, rows, date), before)
    return to_text(document), table_lines(rows)
