"""Country medians: what the prediction is, what it is held against, and what is refused."""

import csv
import json
import math

import numpy as np
import pytest

from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.realism import countries
from skyweave.realism.countries import (
    REFERENCE,
    calibrate_countries,
    predict_countries,
    read_metrics,
    shipped_constant,
)
from skyweave.realism.country_paths import (
    assumed_ground,
    descend,
    draw_satellites,
    ways_to_pops,
)
from skyweave.realism.population_points import country_median, population_points

HEADER = "iso_a3,latency_p20_ms,latency_p50_ms,latency_p80_ms\n"
REDUCED_STEP = 6  # every sixth country of the reference
MAE_FLOOR_MS, MAE_AIM_MS, SPEARMAN_FLOOR, SPEARMAN_AIM = 5.0, 4.0, 0.78, 0.84  # the issue's
REDUCED_MAE_MS, REDUCED_SPEARMAN = 6.0, 0.7  # of 18 countries chance takes more
CONSTANT_ONLY_MS = (8.9, 9.5)
ROUNDED_MS = 0.011
STUDY_LISTED_ONLY_MS, SAME_MS = 7.98, 0.5  # a study with other towns and draws found the same
KEYS = {"countries", "mae_ms", "spearman", "median_error_ms", "rows", "worst"}


@pytest.fixture
def metrics(tmp_path):
    def write(text, name="metrics.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.fixture(scope="module")
def reference(reference_data, full_counts, tmp_path_factory):
    """The shared extract, or every sixth of its rows, as a file and as rows."""
    lines = (reference_data / REFERENCE).read_text(encoding="utf-8").splitlines()
    kept = lines if full_counts else [lines[0], *lines[1::REDUCED_STEP]]
    path = tmp_path_factory.mktemp("countries") / "metrics.csv"
    path.write_text("\n".join(kept), encoding="utf-8")
    return path, list(csv.DictReader(kept))


@pytest.fixture(scope="module")
def steps():
    return []


@pytest.fixture(scope="module")
def prediction(reference, steps):
    return predict_countries(reference[0], steps.append)


def test_every_country_of_the_extract_is_predicted_in_the_order_of_the_file(reference, prediction):
    rows = reference[1]
    assert prediction["countries"] == len(rows)
    assert [row["country"] for row in prediction["rows"]] == [row["iso_a3"] for row in rows]
    for row, given in zip(prediction["rows"], rows, strict=True):
        assert row["observed_ms"] == float(given["latency_p50_ms"])
        assert 10.0 < row["predicted_ms"] < 100.0


def test_errors_are_those_of_the_rows(prediction):
    """By plain words: mean, middle, and the correlation of ranks, from the printed rows."""
    pairs = [(row["observed_ms"], row["predicted_ms"]) for row in prediction["rows"]]
    errors = sorted(abs(told - seen) for seen, told in pairs)
    middle = len(errors) // 2
    median = errors[middle] if len(errors) % 2 else (errors[middle - 1] + errors[middle]) / 2
    assert prediction["mae_ms"] == pytest.approx(sum(errors) / len(errors), abs=ROUNDED_MS)
    assert prediction["median_error_ms"] == pytest.approx(median, abs=ROUNDED_MS)
    seen, told = zip(*pairs, strict=True)
    assert prediction["spearman"] == pytest.approx(rank_correlation(seen, told), abs=1e-3)


def rank_correlation(one, other):
    def ranks(values):  # equal values share their mean rank
        return [
            sum(v < value for v in values) + (sum(v == value for v in values) + 1) / 2
            for value in values
        ]

    a, b = ranks(one), ranks(other)
    mean = (len(a) + 1) / 2
    both = sum((x - mean) * (y - mean) for x, y in zip(a, b, strict=True))
    return both / math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))


def test_one_global_constant_predicts_country_medians(prediction, full_counts, record_figure):
    record_figure("country medians 2026-09, MAE", prediction["mae_ms"], "ms", "<= 5.0, aim 4.0")
    record_figure("country medians 2026-09, Spearman", prediction["spearman"], "",
                  ">= 0.78, aim 0.84")  # fmt: skip
    beside = prediction["beside"]
    plain = beside["without_domestic_only"]
    record_figure("the same, constant only, MAE", beside["constant_only_mae_ms"], "ms", "9.2")
    record_figure("the same, without the domestic-only hypothesis, MAE", plain["mae_ms"], "ms", "")
    record_figure("the same, without it, Spearman", plain["spearman"], "", "")
    if not full_counts:
        assert prediction["mae_ms"] <= REDUCED_MAE_MS
        assert prediction["spearman"] >= REDUCED_SPEARMAN
        return
    assert prediction["countries"] == 106
    assert prediction["mae_ms"] <= MAE_AIM_MS
    assert prediction["spearman"] >= SPEARMAN_AIM
    assert CONSTANT_ONLY_MS[0] <= beside["constant_only_mae_ms"] <= CONSTANT_ONLY_MS[1]
    # The hypothesis came from these residuals, so what must hold holds without it.
    assert plain["mae_ms"] <= MAE_FLOOR_MS
    assert plain["spearman"] >= SPEARMAN_FLOOR


def test_the_worst_ten_come_worst_first_with_a_cause_each(prediction):
    error_ms = {
        row["country"]: row["predicted_ms"] - row["observed_ms"] for row in prediction["rows"]
    }
    ordered = sorted(error_ms, key=lambda country: -abs(error_ms[country]))
    worst = [each["country"] for each in prediction["worst"]]
    assert worst == ordered[:10]
    for each in prediction["worst"]:
        side = "low" if error_ms[each["country"]] < 0.0 else "high"
        assert f"ms too {side}; " in each["cause"]
        assert each["cause"].endswith("nothing points to why") or "; perhaps " in each["cause"]


def test_the_document_is_json_with_the_keys_of_the_issue(prediction):
    assert set(prediction) >= KEYS
    assert json.loads(json.dumps(prediction, allow_nan=False)) == prediction


def test_each_step_is_told(prediction, steps):
    assert steps[0] == "placing satellites"
    assert len(steps) >= 5


def test_the_constant_is_not_fitted_to_the_file(metrics):
    texts = (HEADER + "DEU,30,26,23\nFJI,70,60,50\n", HEADER + "DEU,130,126,123\nFJI,170,160,150\n")
    first, other = (predict_countries(metrics(text)) for text in texts)
    told = [[row["predicted_ms"] for row in each["rows"]] for each in (first, other)]
    assert told[0] == told[1]
    assert other["mae_ms"] > 80.0


def test_a_country_s_prediction_does_not_depend_on_the_others(metrics):
    alone = predict_countries(metrics("iso_a3,latency_p50_ms\nFJI,60\n"))
    both = predict_countries(metrics("iso_a3,latency_p50_ms\nBEL,26\nFJI,60\n"))
    assert alone["rows"] == both["rows"][1:]
    assert alone["spearman"] is None
    assert len(alone["worst"]) == 1


def test_the_shipped_constant_names_its_date_data_and_errors():
    constant = shipped_constant()
    document = json.loads(read_data_text("country_constant.json"))
    assert 15.0 <= constant.constant_ms <= 16.5  # 15.3 to 15.4 in the study, with other draws
    assert 0.0 < constant.standard_error_ms < 1.5
    assert (constant.period, constant.fitted) == ("2026-09", "2026-11-22")
    assert "106 countries" in constant.fitted_on
    assert document["leave_one_out_mae_ms"] >= document["in_sample"]["mae_ms"]


def test_the_constant_is_what_calibration_finds(reference_data, full_counts, record_figure):
    if not full_counts:
        pytest.skip("all 106 countries, under make prove")
    document = calibrate_countries(reference_data, "2026-11-22")
    assert document == json.loads(read_data_text("country_constant.json"))
    left_out_ms = document["leave_one_out_mae_ms"]
    record_figure("country medians, constant of the other 105, MAE", left_out_ms, "ms", "")


def test_gateways_that_no_list_names_halve_the_error(reference_data, full_counts, record_figure):
    if not full_counts:
        pytest.skip("all 106 countries, under make prove")
    table, known = read_metrics(reference_data / REFERENCE), population_points()
    towns = known.take(np.isin(known.iso_a3, table.iso_a3))
    drawn, ground = draw_satellites(towns), assumed_ground((), at_every_pop=False)
    ways = ways_to_pops(towns, drawn, descend(drawn, ground), ground)
    geometry_ms = np.array(
        [
            1e3 * country_median(ways.rtt_s.min(axis=1)[of], towns.points[of])
            for of in (np.flatnonzero(towns.iso_a3 == code) for code in table.iso_a3)
        ]
    )
    residual_ms = table.observed_ms - geometry_ms
    mae_ms = float(np.abs(residual_ms - np.median(residual_ms)).mean())
    record_figure("country medians, listed gateways only, MAE", round(mae_ms, 2), "ms", "")
    assert abs(mae_ms - STUDY_LISTED_ONLY_MS) <= SAME_MS


def test_a_medians_error_and_the_error_left_out_are_by_their_definitions():
    values = np.array([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])
    # Of eight values a median's rank is 4 +- sqrt(8) / 2; cut to whole rows that is 2 and 5.
    assert countries._median_error(values) == (32.0 - 4.0) / 2.0
    by_hand = [abs(float(np.median([*values[:k], *values[k + 1 :]])) - values[k]) for k in range(8)]
    assert countries._leave_one_out_mae(values) == pytest.approx(sum(by_hand) / 8)


def test_ranks_that_say_nothing_have_no_correlation():
    one = np.array([1.0, 2.0, 3.0])
    assert countries._spearman(one[:2], one[:2]) is None
    assert countries._spearman(one, np.ones(3)) is None
    assert countries._spearman(one, -one) == -1.0


def cause_of(error_ms, **given):
    """The cause that is named for one made-up country."""
    facts = {"spread_ms": 5.0, "lat_deg": 40.0, "direct": 1.0, "inferred": 0.0} | given
    table = countries.Metrics(
        np.array(["AAA"]), np.array([50.0]), np.array([facts["spread_ms"]]), ()
    )
    prediction = countries.Prediction(
        geometry_ms=np.array([30.0]),
        direct_share=np.array([facts["direct"]]),
        inferred_share=np.array([facts["inferred"]]),
        lat_deg=np.array([facts["lat_deg"]]),
        pop=("Lagos",),
    )
    return countries._cause(table, prediction, error_ms, 0)


@pytest.mark.parametrize(
    ("error_ms", "given", "text"),
    [
        (-9.0, {}, "9.0 ms too low; nothing points to why"),
        (-9.0, {"spread_ms": 20.0}, "too low; perhaps congestion (p20 and p80 are 20 ms apart)"),
        (-9.0, {"spread_ms": math.nan}, "nothing points to why"),
        (-9.0, {"direct": 0.0}, "another exit than the nearest, Lagos, for lasers alone reach it"),
        (-9.0, {"lat_deg": -61.0}, "another PoP than Lagos (few satellites at 61 deg of latitude)"),
        (-9.0, {"direct": 0.3}, "another share of lasers (30% of its satellites see a gateway)"),
        (-9.0, {"inferred": 0.8}, "the gateway that is inferred from the PoP in Lagos"),
        (9.0, {"spread_ms": 20.0}, "too high; perhaps a gateway or PoP that no list names, nearer"),
        (9.0, {"direct": 0.0}, "no list names, for lasers alone lead to Lagos"),
    ],
)
def test_a_cause_is_named_where_the_model_points_to_one(error_ms, given, text):
    assert text in cause_of(error_ms, **given)


def test_rows_that_cannot_be_predicted_are_left_out_and_listed(metrics):
    table = read_metrics(
        metrics("iso_a3,latency_p50_ms,note\ndeu,26.1,x\nXYZ,30,\nFRA,,\nPER,31.5,\n")
    )
    assert table.iso_a3.tolist() == ["DEU", "PER"]
    assert table.observed_ms.tolist() == [26.1, 31.5]
    assert np.isnan(table.spread_ms).all()
    assert table.left_out == (
        ("XYZ", "no country of that ISO 3166-1 alpha-3 code is known"),
        ("FRA", "latency_p50_ms is empty"),
    )


def test_either_order_of_percentiles_gives_the_same_spread(metrics):
    table = read_metrics(metrics(HEADER + "DEU,30,26,23\nFRA,23,26,30\n"))
    assert table.spread_ms.tolist() == [7.0, 7.0]


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "empty; expected a header line with iso_a3"),
        ("country,latency_p50_ms\nDEU,26\n", 'column "iso_a3" is missing'),
        ("iso_a3,median_ms\nDEU,26\n", 'column "latency_p50_ms" is missing'),
        ("iso_a3;latency_p50_ms\nDEU;26\n", "separated by semicolons; save the file with commas"),
        (HEADER + "DEU,30,n/a,23\n", 'line 2: latency_p50_ms: found "n/a", expected 0.1 to 10000'),
        (HEADER + "DEU,30,26 ms,23\n", 'found "26 ms"'),
        (HEADER + "DEU,30,-1,23\n", "latency_p50_ms = -1: expected 0.1 to 10000"),
        (HEADER + "DEU,30,nan,23\n", 'found "nan"'),
        (HEADER + "DEU,30,26\n", "line 2: 3 cells for 4 columns"),
        (HEADER + "DEU,30,26,23\nFRA,30,26,23\nDEU,1,2,3\n",
         'line 4: country "DEU" is already on line 2; keep one row per country'),
        (HEADER + "XXX,30,26,23\n", "no country to predict in 1 rows, expected three-letter codes"),
        (HEADER, "no country to predict in 0 rows"),
        (HEADER + "".join(f"X{k},1,2,3\n" for k in range(1001)), "expected at most 1,000"),
        (b"\x1f\x8b\x08\x00", "a spreadsheet or archive; save the table as CSV UTF-8"),
        ("iso_a3,latency_p50_ms\nDE\xa0U,26\n".encode("latin-1"), "is not UTF-8"),
    ],
)  # fmt: skip
def test_a_file_of_another_form_is_refused_in_one_advising_line(metrics, text, advice):
    steps = []
    path = metrics(text)
    with pytest.raises(InputError) as refusal:
        predict_countries(path, steps.append)
    assert advice in str(refusal.value)
    assert str(refusal.value).startswith(str(path))
    assert "\n" not in str(refusal.value)
    assert steps == []  # refused before any computing


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="no such file; check the name and the folder"):
        predict_countries(tmp_path / "none.csv")
