"""Country medians: published latencies of whole countries beside what geometry predicts.

A country's prediction is the median over its towns of the shortest way to a PoP (`country_paths`)
plus one constant, the same for all countries, that ships with its date and error.  It is never
fitted to the file that is judged, and nothing of a country enters but where its towns are.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.realism.country_paths import (
    DOMESTIC_ONLY,
    Ground,
    Progress,
    Ways,
    assumed_ground,
    descend,
    draw_satellites,
    ways_to_pops,
)
from skyweave.realism.population_points import (
    PopulationPoints,
    country_median,
    population_points,
)
from skyweave.twin.terminals.rows import CsvRows, Quantity, parse_rows, read_bytes, shown

FloatArray = NDArray[np.float64]

PERIOD = "2026-09"
REFERENCE = "measurements/starlink_published/metrics_residential-202609_country_extract.csv"
CONSTANT_FILE = "country_constant.json"
MAX_ROWS = 1000  # the world has 250 countries
MAX_MS = 10_000.0
WORST = 10

# What a bad prediction is put down to.  The limits are round numbers about the edges of the bulk.
WIDE_SPREAD_MS = 12.0  # between p20 and p80; five of six countries have less
HIGH_LAT_DEG = 58.0
MOSTLY, HARDLY = 0.5, 0.1  # shares of the draws

_P20, _P50, _P80 = (
    Quantity(f"latency_p{share}_ms", 0.1, MAX_MS, "milliseconds") for share in (20, 50, 80)
)
_COLUMNS = ("iso_a3", _P20.column, _P50.column, _P80.column)


class Metrics(NamedTuple):
    """Published latencies of K countries: arrays of shape (K,)."""

    iso_a3: NDArray[np.str_]
    observed_ms: FloatArray
    spread_ms: FloatArray  # between the percentiles 20 and 80 of latency; NaN if not given
    left_out: tuple[tuple[str, str], ...]  # of the file's other countries: code and why


class Prediction(NamedTuple):
    """What geometry says of K countries: arrays of shape (K,), NaN where there is no way."""

    geometry_ms: FloatArray
    direct_share: FloatArray  # part of the draws whose satellite saw a gateway
    inferred_share: FloatArray  # that came down at a gateway that no list names
    lat_deg: FloatArray  # of the country's median inhabitant
    pop: tuple[str, ...]  # city of the PoP that serves most


@dataclass(frozen=True)
class CountryConstant:
    """What real dishes have beyond geometry, the same for all countries."""

    constant_ms: float
    standard_error_ms: float
    period: str  # of the metrics it was fitted on
    fitted: str  # date
    fitted_on: str


@cache
def shipped_constant() -> CountryConstant:
    """Return the constant that ships with the package."""
    document = json.loads(read_data_text(CONSTANT_FILE))
    return CountryConstant(
        **{name: document[name] for name in CountryConstant.__dataclass_fields__}
    )


def predict_countries(
    metrics: str | Path,
    progress: Progress = lambda _: None,
    *,
    domestic_only: tuple[str, ...] = DOMESTIC_ONLY,
    seed: int = 0,
) -> dict[str, Any]:
    """Predict every country of a metrics CSV with the shipped constant, and say how good that is.

    The file has the columns `iso_a3` and `latency_p50_ms`, and for the causes `latency_p20_ms` and
    `latency_p80_ms`.  `domestic_only` are countries whose gateways are taken to serve only
    terminals at home, a hypothesis; the answer says what it is without.
    """
    table = read_metrics(metrics)
    constant = shipped_constant()
    with_rule, without = _predictions(table.iso_a3, domestic_only, seed, progress)
    predicted_ms = with_rule.geometry_ms + constant.constant_ms
    quality = _quality(table.observed_ms, predicted_ms)
    return {
        "countries": int(table.iso_a3.size),
        **quality,
        "rows": [
            {"country": str(code), "observed_ms": round(seen, 2), "predicted_ms": round(told, 2)}
            for code, seen, told in zip(
                table.iso_a3, table.observed_ms.tolist(), predicted_ms.tolist(), strict=True
            )
        ],
        "worst": _worst(table, with_rule, predicted_ms),
        "left_out": [{"country": code, "reason": why} for code, why in table.left_out],
        "constant": vars(constant),
        "domestic_only": list(domestic_only),
        "beside": {
            "constant_only_mae_ms": _constant_only_mae_ms(table.observed_ms),
            "without_domestic_only": _quality(
                table.observed_ms, without.geometry_ms + constant.constant_ms
            ),
        },
    }


def calibrate_countries(
    reference_folder: Path, fitted: str, progress: Progress = lambda _: None
) -> dict[str, Any]:
    """Fit the constant to the reference metrics; return what `country_constant.json` holds.

    `fitted` is the date of the fit.  The leave-one-out error predicts each country with the
    constant of all others; the standard error of the median is free of any distribution.
    """
    table = read_metrics(reference_folder / REFERENCE)
    with_rule, without = _predictions(table.iso_a3, DOMESTIC_ONLY, 0, progress)
    residual_ms = table.observed_ms - with_rule.geometry_ms
    constant_ms = round(float(np.median(residual_ms)), 2)
    without_ms = without.geometry_ms + np.median(table.observed_ms - without.geometry_ms)
    return {
        "what": "median over countries of published median latency less predicted geometry",
        "constant_ms": constant_ms,
        "standard_error_ms": round(_median_error(residual_ms), 2),
        "period": PERIOD,
        "fitted": fitted,
        "fitted_on": f"published medians of {residual_ms.size} countries, {PERIOD}",
        "in_sample": _quality(table.observed_ms, with_rule.geometry_ms + constant_ms),
        "leave_one_out_mae_ms": round(_leave_one_out_mae(residual_ms), 2),
        "domestic_only": list(DOMESTIC_ONLY),
        "in_sample_without_domestic_only": _quality(table.observed_ms, without_ms),
        "constant_only_mae_ms": _constant_only_mae_ms(table.observed_ms),
    }


def read_metrics(path: str | Path) -> Metrics:
    """Read published latencies; what cannot be predicted is left out and listed.

    A country is left out that is unknown, that has no town in the lists, or has no median.
    """
    rows = parse_rows(read_bytes(path), str(path), ("iso_a3", _P50.column), _COLUMNS)
    if len(rows) > MAX_ROWS:
        raise InputError(
            f"{path}: {len(rows):,} rows, expected at most {MAX_ROWS:,}; give one row per country"
        )
    codes = [code.upper() for code in rows.texts("iso_a3")]
    _refuse_repeated(rows, codes)
    known = set(population_points().iso_a3.tolist())
    columns = [rows.numbers(quantity, default=np.nan) for quantity in (_P20, _P50, _P80)]
    kept: list[int] = []
    left_out: list[tuple[str, str]] = []
    for row, code in enumerate(codes):
        if code not in known:
            left_out.append((shown(code), "no country of that ISO 3166-1 alpha-3 code is known"))
        elif np.isnan(columns[1][row]):
            left_out.append((code, f"{_P50.column} is empty"))
        else:
            kept.append(row)
    if not kept:
        raise InputError(
            f"{path}: found no country to predict in {len(rows)} rows, expected three-letter codes "
            'such as "DEU" in iso_a3 and a number in latency_p50_ms; see the first rows'
        )
    p20_ms, p50_ms, p80_ms = (column[kept] for column in columns)
    # Percentiles of quality, as the operator ranks them, or of latency: the spread is the same.
    return Metrics(
        np.array([codes[row] for row in kept]), p50_ms, np.abs(p20_ms - p80_ms), tuple(left_out)
    )


def _refuse_repeated(rows: CsvRows, codes: list[str]) -> None:
    first: dict[str, int] = {}
    for row, code in enumerate(codes):
        if code in first and code:
            raise InputError(
                f'{rows.at(row)}: country "{shown(code)}" is already on line '
                f"{rows.line[first[code]]}; keep one row per country"
            )
        first[code] = row


def _predictions(
    iso_a3: NDArray[np.str_], domestic_only: tuple[str, ...], seed: int, progress: Progress
) -> tuple[Prediction, Prediction]:
    """Return what geometry says of some countries, with and without the rule of domestic use."""
    known = population_points()
    places = known.take(np.isin(known.iso_a3, iso_a3))
    drawn = draw_satellites(places, seed, progress)
    ground = assumed_ground(domestic_only)
    descents = descend(drawn, ground, progress)
    found = []
    for rule in (domestic_only, ()):
        of_rule = ground._replace(domestic_only=tuple(rule))
        ways = ways_to_pops(places, drawn, descents, of_rule, progress)
        found.append(_by_country(iso_a3, places, ways, of_rule))
    return found[0], found[1]


def _by_country(
    iso_a3: NDArray[np.str_], places: PopulationPoints, ways: Ways, ground: Ground
) -> Prediction:
    rows = [np.flatnonzero(places.iso_a3 == code) for code in iso_a3]
    pops = [np.bincount(ways.pop[of], weights=places.points[of]).argmax() for of in rows]

    def medians(towns: FloatArray) -> FloatArray:
        return np.array([country_median(towns[of], places.points[of]) for of in rows])

    return Prediction(
        geometry_ms=1e3 * medians(ways.rtt_s.min(axis=1)),
        direct_share=medians(ways.direct_share),
        inferred_share=medians(ways.inferred_share),
        lat_deg=medians(places.lat_deg),
        pop=tuple(str(ground.pops.city[p]) for p in pops),
    )


def _quality(observed_ms: FloatArray, predicted_ms: FloatArray) -> dict[str, float | None]:
    """Return mean and median error, without sign, and Spearman's rank correlation."""
    error_ms = np.abs(predicted_ms - observed_ms)
    return {
        "mae_ms": round(float(error_ms.mean()), 2),
        "spearman": _spearman(observed_ms, predicted_ms),
        "median_error_ms": round(float(np.median(error_ms)), 2),
    }


def _spearman(one: FloatArray, other: FloatArray) -> float | None:
    """Return the rank correlation, None where there is none: fewer than 3 rows, or all equal."""
    ranks = rankdata(one), rankdata(other)
    if one.size < 3 or any(np.ptp(each) == 0.0 for each in ranks):
        return None
    return round(float(np.corrcoef(*ranks)[0, 1]), 4)


def _constant_only_mae_ms(observed_ms: FloatArray) -> float:
    """Return the error of the best constant, as if all countries were alike."""
    return round(float(np.abs(observed_ms - np.median(observed_ms)).mean()), 2)


def _median_error(values: FloatArray) -> float:
    """Return the standard error of a median: half the way between the ranks one sigma about it."""
    ordered, half = np.sort(values), values.size / 2.0
    low, high = (int(np.clip(half + side * np.sqrt(half / 2.0), 0, values.size - 1)) for side in
                 (-1.0, 1.0))  # fmt: skip
    return float(ordered[high] - ordered[low]) / 2.0


def _leave_one_out_mae(residual_ms: FloatArray) -> float:
    errors = [
        abs(float(np.median(np.delete(residual_ms, row))) - residual_ms[row])
        for row in range(residual_ms.size)
    ]
    return float(np.mean(errors))


def _worst(
    table: Metrics, prediction: Prediction, predicted_ms: FloatArray
) -> list[dict[str, str]]:
    error_ms = predicted_ms - table.observed_ms
    rows = np.argsort(-np.abs(error_ms), kind="stable")[:WORST].tolist()
    return [
        {"country": str(table.iso_a3[row]), "cause": _cause(table, prediction, error_ms[row], row)}
        for row in rows
    ]


def _cause(table: Metrics, prediction: Prediction, error_ms: float, row: int) -> str:
    """Return how wrong a prediction is and what in the model points to why; none is proved."""
    hints = [text for holds, text in _hints(table, prediction, error_ms, row) if holds]
    why = f"perhaps {', or '.join(hints)}" if hints else "nothing points to why"
    return f"{abs(error_ms):.1f} ms too {'low' if error_ms < 0.0 else 'high'}; {why}"


def _hints(
    table: Metrics, prediction: Prediction, error_ms: float, row: int
) -> list[tuple[bool, str]]:
    """Return what may be behind a wrong prediction, each with whether it holds."""
    is_low = error_ms < 0.0
    spread_ms, lat_deg = float(table.spread_ms[row]), abs(float(prediction.lat_deg[row]))
    direct, pop = float(prediction.direct_share[row]), prediction.pop[row]
    is_inferred = float(prediction.inferred_share[row]) >= MOSTLY
    return [
        (is_low and spread_ms >= WIDE_SPREAD_MS,
         f"congestion (p20 and p80 are {spread_ms:.0f} ms apart)"),
        (is_low and direct < HARDLY,
         f"another exit than the nearest, {pop}, for lasers alone reach it"),
        (is_low and lat_deg >= HIGH_LAT_DEG,
         f"another PoP than {pop} (few satellites at {lat_deg:.0f} deg of latitude)"),
        (HARDLY <= direct < MOSTLY,
         f"another share of lasers ({direct:.0%} of its satellites see a gateway)"),
        (not is_low and direct < HARDLY,
         f"a gateway or PoP that no list names, for lasers alone lead to {pop}"),
        (not is_low and direct >= MOSTLY,
         f"a gateway or PoP that no list names, nearer than {pop}"),
        (is_inferred, f"another place of the gateway that is inferred from the PoP in {pop}"),
    ]  # fmt: skip
