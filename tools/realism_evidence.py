"""Measure how close the twin is to real dishes, and keep it as docs/evidence/realism.json.

    python tools/realism_evidence.py [PART ...]

Every part needs the reference data, whose folder SKYWEAVE_REFERENCE_DATA names; the others stay as
they were measured before.  tools/realism_page.py makes the page of it.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skyweave
from skyweave.data import read_data_text
from skyweave.errors import SkyweaveError
from skyweave.realism import choice_fit, countries
from skyweave.realism.choice_sets import with_history
from skyweave.realism.delay_fit import GEOMETRY_RTT_S, SlotPackets, fit_law, halves
from skyweave.realism.identify import identify
from skyweave.realism.pings import PHASES_S, nearest_period, score_pings, slot_structure, steps_s
from skyweave.realism.pop_ranking import foresee_pops, same_house
from skyweave.realism.series import Series, read_series
from skyweave.realism.serving import (
    Prediction,
    best_prediction,
    elevation_ks,
    figures,
    random_prediction,
)
from skyweave.twin.delay import (
    DelayLaw,
    DelayModel,
    delay_model,
    extra_quantiles_s,
    packet_rtt_s,
)
from skyweave.twin.scheduling.choice import probabilities
from skyweave.twin.scheduling.features import values_of
from skyweave.twin.topology import builtin_pops
from skyweave.twin.topology.associations import probe_counts, share_foreseen
from skyweave.validation import validate

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "docs" / "evidence" / "realism.json"

SERIES = {  # file, and whether its dish has slow slots of its own: one that moves has
    "mmsys24": (
        "measurements/mmsys24_2023-09/no-isl-ping-gw-seattle-230911-170535-0.1s-60min.txt.gz",
        False,
    ),
    "leoviz": ("measurements/leoviz_2025-05-29/ping-10ms-2025-05-29-23-20-13.txt.gz", True),
}
LEOVIZ, LEOVIZ_CITY = "measurements/leoviz_2025-05-29", (48.5, -124.3)
SEEDS = 10  # of drawn series
TESTS = [f"tests/twin/scheduling/test_{name}.py" for name in ("feasibility", "optimum")]
TESTED = {  # figures that these record, with the number of instances in their names
    "violations": r"beam limits broken in (\d+) random slots",
    "gap_median": r"gap to LP bound, (\d+) slots, median",
    "gap_worst": r"gap to LP bound, (\d+) slots, worst",
}
TIMED = {  # what to read from the output of benchmarks/scheduler.py
    "cells_ms": r"600,000 cells, steady state: ([\d.]+) ms",
    "times_real_time": r"the whole slot loop from its start, over real time: ([\d.]+) x",
    "memory_gb": r"peak memory: ([\d.]+) GB",
}
CASE = (
    r"^(\S+), (\d+) cells a satellite: .*median ([\d.]+) ms, least ([\d.]+) ms "
    r"\(both cores together busy ([\d.]+) ms\); ([\d,]+) new a slot; .*'served': ([\d.]+)"
)
CASE_KEYS = (
    "rule", "cells_a_satellite", "median_ms", "least_ms", "busy_ms", "new_cells", "served_share",
)  # fmt: skip
SHARES = np.round(np.linspace(0.02, 0.98, 49), 2)
ELEVATIONS_DEG = np.arange(25.0, 91.0)

FloatArray = NDArray[np.float64]
Document = dict[str, Any]


# Which satellite serves


def serving(reference: Path) -> Document:
    """Return how each rule ranks the serving satellite of a site that it was not fitted on.

    The candidates are those that the site's own file lists, and beside it, under "full", all
    that elements put above 25 deg.
    """
    recordings = choice_fit.read_recordings(reference)
    document: Document = {"sites": {}, "left_out": {}, "elevation": {}}
    for site, recording in recordings.items():
        others = [other for name, other in recordings.items() if name != site]
        listed, full = (
            dict(predictions(sky, others)) for sky in (recording.listed, recording.full)
        )
        document["left_out"][site] = {
            rule: scores(recording.listed, *both) | {"full": scores(recording.full, *full[rule])}
            for rule, both in listed.items()
        }
        document["elevation"][site] = elevations(recording.full, full)
        document["sites"][site] = described(recording)
    return document


def described(recording: choice_fit.Recording) -> Document:
    """Return how many slots and candidates a site has."""
    targets = recording.listed.targets
    per_slot = {
        name: round(sky.choices.name.size / len(sky.choices), 2)
        for name, sky in (("listed", recording.listed), ("full", recording.full))
    }
    return {
        "slots": int(targets.is_raw.sum()),
        "slots_clean": int(targets.is_clean.sum()),
        "candidates_mean": per_slot,
    }


def predictions(
    sky: choice_fit.Sky, others: list[choice_fit.Recording]
) -> Iterator[tuple[str, tuple[Prediction, Prediction]]]:
    """Yield each rule with what it says after the history of clean slots, and of published ones."""
    choices, targets = sky.choices, sky.targets
    for model in choice_fit.MODELS:
        for variant in choice_fit.VARIANTS:
            coefficient = choice_fit.fitted(others, model, variant).coefficient
            name = model if variant == "without_boresight" else f"{model}-boresight"
            yield (
                name,
                tuple(
                    _predicted(sky, model, variant, names, coefficient)
                    for names in (targets.clean_name, targets.raw_name)
                ),
            )
    plain = {
        "highest-elevation": best_prediction(choices, choices.inputs.elevation_deg),
        "longest-visible": best_prediction(
            choices, choices.inputs.remaining_slots.astype(np.float64)
        ),
        "random": random_prediction(choices, seed=0),
    }
    yield from ((name, (found, found)) for name, found in plain.items())


def _predicted(
    sky: choice_fit.Sky, model: str, variant: str, names: NDArray[np.str_], coefficient: FloatArray
) -> Prediction:
    choices = with_history(sky.choices, names) if model == "warm" else sky.choices
    inputs = choices.inputs
    if variant == "without_boresight":
        inputs = inputs._replace(boresight_deg=np.full(inputs.boresight_deg.size, np.nan))
    score = values_of(inputs) @ coefficient
    return Prediction(score, probabilities(score, choices.start))


def scores(sky: choice_fit.Sky, clean: Prediction, raw: Prediction) -> Document:
    """Return a rule's figures on clean slots and on the labels as published."""
    choices, targets = sky.choices, sky.targets
    on_clean = figures(choices, clean.score, targets.clean, targets.is_clean)
    on_raw = figures(choices, raw.score, targets.raw, targets.is_raw)
    ks = elevation_ks(choices, clean.probability, targets.clean, targets.is_clean)
    numbers = {
        **vars(on_clean),
        "elevation_ks": ks,
        "top1_raw": on_raw.top1,
        "top5_raw": on_raw.top5,
    }
    return {name: round(value, 4) for name, value in numbers.items()}


def elevations(sky: choice_fit.Sky, found: dict[str, tuple[Prediction, Prediction]]) -> Document:
    """Return the distributions of serving elevation on clean slots, observed and by rule.

    The candidates are all above 25 deg, as a run has them.
    """
    choices, targets = sky.choices, sky.targets
    elevation_deg, counted = choices.inputs.elevation_deg, targets.is_clean[choices.slot_of]
    chosen = np.zeros(elevation_deg.size)
    chosen[targets.clean[targets.is_clean]] = 1.0
    in_view = 1.0 / np.diff(choices.start)[choices.slot_of]
    weights = {
        "observed": chosen,
        "in_view": in_view,
        "cold": found["cold"][0].probability,
        "highest-elevation": found["highest-elevation"][0].probability,
    }
    return {"elevation_deg": ELEVATIONS_DEG.tolist()} | {
        name: _cumulative(elevation_deg[counted], weight[counted])
        for name, weight in weights.items()
    }


def _cumulative(elevation_deg: FloatArray, weight: FloatArray) -> list[float]:
    share, _ = np.histogram(elevation_deg, [-90.0, *(ELEVATIONS_DEG + 1e-9)], weights=weight)
    return np.round(np.cumsum(share) / weight.sum(), 4).tolist()


# How long a packet takes


def series(reference: Path) -> Document:
    """Return each series' halves, predicted from each other, and its steps in time."""
    return {name: _series(reference / path, slow) for name, (path, slow) in SERIES.items()}


def _series(path: Path, slow_slots: bool) -> Document:
    measured = read_series(path)
    first, second = halves(measured)
    laws = [fit_law(each, slow_slots=slow_slots) for each in (first, second)]
    model, score = delay_model(nearest_period(measured)), score_pings(path)
    drawn = [_drawn(measured, model, seed) for seed in range(SEEDS)]
    return {
        "period": model.period,
        "packets": len(measured),
        "loss_share": round(float(measured.lost.mean()), 4),
        "halves": [
            {"from": "first", "to": "second", **_half(laws[0], first, second)},
            {"from": "second", "to": "first", **_half(laws[1], second, first)},
        ],
        "shipped": {key: score["model"][key] for key in ("relative_error", "ks", "constant")},
        "step_ratio": {
            "measured": score["slots"]["step_ratio"],
            "sampled": float(np.median([slot_structure(each)["step_ratio"] for each in drawn])),
            "seeds": SEEDS,
        },
        "slots": {key: score["slots"][key] for key in ("count", "between_share", "lag1")},
        "phase_s": PHASES_S.tolist(),
        "phase_step_ms": {
            "measured": _phase_steps_ms([measured]),
            "sampled": _phase_steps_ms(drawn),
        },
        "share": SHARES.tolist(),
        "second_half_ms": _milliseconds(second.quantiles_s(SHARES)),
        "by_first_half_ms": _milliseconds(extra_quantiles_s(laws[0], SHARES) + GEOMETRY_RTT_S),
    }


def _half(law: DelayLaw, fitted: SlotPackets, scored: SlotPackets) -> Document:
    """Return median and 95 % of one half, what the law of the other says, and the other's own."""
    levels = np.array([0.5, 0.95])
    measured_ms, other_ms = (_milliseconds(half.quantiles_s(levels)) for half in (scored, fitted))
    told_ms = _milliseconds(extra_quantiles_s(law, levels) + GEOMETRY_RTT_S)
    found: Document = {}
    for name, seen, told, other in zip(("p50", "p95"), measured_ms, told_ms, other_ms, strict=True):
        found |= {f"observed_{name}_ms": seen, f"{name}_ms": told}
        found[f"error_{name}"] = round(told / seen - 1.0, 4)
        found[f"drift_{name}"] = round(other / seen - 1.0, 4)
    return found


def _drawn(measured: Series, model: DelayModel, seed: int) -> Series:
    """Return a series drawn from the model at the times of the measured one's packets."""
    rtt_s = packet_rtt_s(model, GEOMETRY_RTT_S, measured.t_utc, seed=seed, terminal_id="evidence")
    return replace(measured, rtt_s=np.where(measured.lost, np.nan, rtt_s))


def _phase_steps_ms(each: list[Series]) -> list[float]:
    """Return the mean step of the median RTT at each phase of a slot, over series."""
    answered = [(s.t_utc[s.answered], s.rtt_s[s.answered]) for s in each]
    means_s = [[steps_s(*one, phase).mean() for phase in PHASES_S.tolist()] for one in answered]
    return _milliseconds(np.mean(means_s, axis=0))


def _milliseconds(values_s: FloatArray) -> list[float]:
    return np.round(1e3 * values_s, 2).tolist()


# Other parts


def statistics(_: Path) -> Document:
    """Return what becomes of published rows about choices and delays; needs no reference data."""
    kept = ("id", "quantity", "workload", "expected", "actual", "unit", "verdict", "note")
    found = [each for each in validate(["SCH", "MEA"]) if each["verdict"] != "not_applicable"]
    return {"rows": [{key: each[key] for key in kept} for each in found]}


def country_medians(reference: Path) -> Document:
    """Return the prediction of every country, and what the constant is worth."""
    found = countries.predict_countries(reference / countries.REFERENCE)
    fit = json.loads(read_data_text(countries.CONSTANT_FILE))
    return found | {"fit": fit}


def probes(_: Path) -> Document:
    """Return how many of the probes behind dishes use a PoP that the model gives their country."""
    house = same_house(builtin_pops())
    counts = [count._replace(pop_id=house[count.pop_id]) for count in probe_counts()]
    foreseen = foresee_pops({count.country for count in counts})
    best = {
        most: {country: pops.ranked[:most] for country, pops in foreseen.items()} for most in (1, 2)
    }
    of_towns = {country: pops.of_towns for country, pops in foreseen.items()}
    return {
        "probes": sum(count.probes for count in counts),
        "first": round(share_foreseen(counts, best[1]), 4),
        "first_two": round(share_foreseen(counts, best[2]), 4),
        "of_some_town": round(share_foreseen(counts, of_towns), 4),
    }


def identification(reference: Path) -> Document:
    """Return how often the satellite read from a site's pixels is the published one."""
    folder = reference / choice_fit.FOLDER
    return {
        site: _identified(folder, site, recording.listed)
        for site, recording in choice_fit.read_recordings(reference).items()
    } | {"leoviz": _identified_on_a_vehicle(reference / LEOVIZ)}


def _identified_on_a_vehicle(folder: Path) -> Document:
    """Return what the maps of a dish on a vehicle give with the attitude that it reports."""
    maps, elements, status = (
        next(folder.glob(name)) for name in ("obstruction_map-*", "starlink-tle-*", "GRPC_STATUS-*")
    )
    found = identify(maps, elements, site=LEOVIZ_CITY, attitude=status)
    return {key: found[key] for key in ("slots", "identified", "calibration", "not_identified")}


def _identified(folder: Path, site: str, sky: choice_fit.Sky) -> Document:
    pixels = folder / f"white_pixel_coordinates_xor_{site}.csv.gz"
    found = identify(pixels, None, candidates=folder / f"fov_data_{site}.json.gz")
    named = {np.datetime64(row["slot_start_utc"][:-1], "ns"): row for row in found["rows"]}
    agrees, is_clean = [], []
    for slot_utc, name, clean in zip(
        sky.choices.slot_utc, sky.targets.raw_name, sky.targets.is_clean, strict=True
    ):
        row = named.get(slot_utc)
        if name and row is not None:
            agrees.append(row["satellite"] is not None and row["satellite"].upper() == name.upper())
            is_clean.append(bool(clean))
    clean_agrees = np.array(agrees)[np.array(is_clean)]
    return {
        "slots": int(clean_agrees.size),
        "share": round(float(clean_agrees.mean()), 4),
        "slots_all": len(agrees),
        "share_all": round(float(np.mean(agrees)), 4),
        "identified": found["identified"],
        "calibration": found["calibration"],
        "not_identified": found["not_identified"],
    }


def scheduler(_: Path) -> Document:
    """Return what the scheduler's tests find at their full counts; needs no reference data."""
    found: Document = {}
    for name, pattern in TESTED.items():
        for figure in _test_figures():
            counted = re.match(pattern, figure["figure"])
            if counted:
                found[name] = {"instances": int(counted[1]), "value": figure["value"]}
    if found.keys() != TESTED.keys():
        raise SkyweaveError(f"the scheduler's tests record no {set(TESTED) - found.keys()}")
    return found


@cache
def _test_figures() -> list[Document]:
    """Return the figures that the scheduler's tests record, which must pass."""
    with tempfile.TemporaryDirectory() as folder:
        figures = Path(folder) / "figures"
        wanted = {"SKYWEAVE_FULL": "1", "SKYWEAVE_FIGURES": str(figures)}
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ | wanted, capture_output=True, text=True
        )
        if done.returncode:
            raise SkyweaveError(f"the scheduler's tests fail:\n{done.stdout}")
        return [json.loads(line) for line in figures.read_text(encoding="utf-8").splitlines()]


def speed(_: Path) -> Document:
    """Return what the benchmark of the scheduler prints; leave the machine alone meanwhile."""
    command = [sys.executable, str(ROOT / "benchmarks" / "scheduler.py")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout
    found: Document = {"told": told.splitlines(), "load": round(os.getloadavg()[2], 1)}
    cases = re.findall(CASE, told, re.MULTILINE)
    if not cases:
        raise SkyweaveError(f"benchmarks/scheduler.py prints no case:\n{told}")
    found["cases"] = [dict(zip(CASE_KEYS, case, strict=True)) for case in cases]
    for name, pattern in TIMED.items():
        number = re.search(pattern, told)
        if number is None:
            raise SkyweaveError(f"benchmarks/scheduler.py prints no {name}:\n{told}")
        found[name] = float(number[1])
    return found


PARTS: dict[str, Callable[[Path], Document]] = {
    "serving": serving,
    "series": series,
    "statistics": statistics,
    "countries": country_medians,
    "probes": probes,
    "identification": identification,
    "scheduler": scheduler,
    "speed": speed,
}


def reference_folder() -> Path | None:
    """Return the folder of reference data, or None where it is not."""
    folder = Path(os.environ.get("SKYWEAVE_REFERENCE_DATA", ROOT.parent / "shared" / "data"))
    return folder if (folder / "README.md").is_file() else None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Measure how close the twin is to real dishes.")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)}; all of none")
    options = parser.parse_args(arguments)
    unknown = [name for name in options.parts if name not in PARTS]
    if unknown:
        parser.error(f"{unknown[0]} is no part; expected {', '.join(PARTS)}")
    reference = reference_folder()
    if reference is None:
        print(
            "reference data absent: set SKYWEAVE_REFERENCE_DATA to its folder; "
            "the committed evidence stays as it is",
            file=sys.stderr,
        )
        return 1
    try:
        measure(options.parts or list(PARTS), reference)
    except (SkyweaveError, OSError) as refusal:
        print(refusal, file=sys.stderr)
        return 1
    return 0


def measure(parts: list[str], reference: Path) -> None:
    """Measure parts anew and write each into the evidence as soon as it is there."""
    started = time.monotonic()
    for name in parts:
        print(f"[{time.monotonic() - started:6.1f} s] {name}", file=sys.stderr, flush=True)
        found = PARTS[name](reference)
        known = json.loads(EVIDENCE.read_text(encoding="utf-8")) if EVIDENCE.is_file() else {}
        known["made"] = {"date": f"{datetime.now(UTC):%Y-%m-%d}", "version": skyweave.__version__}
        known[name] = found
        EVIDENCE.write_text(compact(dict(sorted(known.items()))), encoding="utf-8")


def compact(document: Document) -> str:
    """Return JSON in which lists and objects of nothing but plain values take one line each."""
    text = json.dumps(document, indent=1, ensure_ascii=False)
    plain = re.compile(r"[\[{][^\[\]{}]*[\]}]")
    return plain.sub(lambda part: re.sub(r"\n\s*", " ", part[0]), text) + "\n"


if __name__ == "__main__":
    sys.exit(main())
