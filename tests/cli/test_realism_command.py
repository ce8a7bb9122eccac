"""The commands of realism and comparison: what they print, for people and for machines."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from skyweave import api
from skyweave.cli import show_realism
from skyweave.cli.app import app
from skyweave.errors import InputError

SATINVIEW = "measurements/satinview_2024-07-17"
METRICS = "measurements/starlink_published/metrics_residential-202609_country_extract.csv"
PINGS = "measurements/leoviz_2025-05-29/ping-10ms-2025-05-29-23-20-13.txt.gz"

SCENARIO = """
[time]
start_utc = 2026-06-14T12:00:12Z
duration_s = 60
[[shells]]
altitude_km = 550
inclination_deg = 53
planes = 72
per_plane = 22
phasing = 39
[assignment]
rule = "highest-elevation"
[delay]
model = "dish"
[[terminals]]
id = "bern"
lat_deg = 46.95
lon_deg = 7.45
"""


def invoke(*words):
    """Run a command; its refusal is raised, as the tests want its text."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return result.exit_code, result.stdout


def document(*words):
    code, text = invoke(*words, "--json")
    assert code == 0
    return json.loads(text)


def test_serving_scores_every_rule_and_says_on_what_it_was_fitted(reference_data):
    folder = reference_data / SATINVIEW
    words = (
        "realism", "serving", "--chosen", folder / "first_ucl.csv.gz",
        "--candidates", folder / "fov_data_ucl.json.gz",
        "--elements", folder / "starlink_gp_2024-07-17.tle.gz", "--site", "50.7,4.6",
    )  # fmt: skip
    found = document(*words)
    assert {"cold", "warm", "highest-elevation", "random"} <= set(found["rules"])
    cold = found["rules"]["cold"]
    keys = {"top1", "top3", "top5", "mrr", "elevation_ks", "top1_raw", "top5_raw", "ranking"}
    assert set(cold) == keys
    assert len(cold["ranking"]) == found["slots_clean"] <= found["slots"] == 500
    assert all(len(names) == 5 for _, names in cold["ranking"])
    assert found["fitted_on"]["overlaps"]
    code, text = invoke(*words)
    assert code == 0
    assert "highest-elevation" in text
    assert "no validation" in text


def test_countries_are_predicted_and_the_hypothesis_can_be_left_out(reference_data):
    found = document("realism", "countries", "--metrics", reference_data / METRICS)
    assert found["countries"] == len(found["rows"]) == 106
    observed, predicted = (
        np.array([row[key] for row in found["rows"]]) for key in ("observed_ms", "predicted_ms")
    )
    assert found["mae_ms"] == pytest.approx(np.abs(predicted - observed).mean(), abs=0.01)
    assert len(found["worst"]) == 10
    code, text = invoke(
        "realism", "countries", "--metrics", reference_data / METRICS, "--domestic-only", "none"
    )
    assert code == 0
    assert "hypothesis" not in text


def test_pings_are_held_against_a_period(reference_data):
    found = document("realism", "pings", reference_data / PINGS, "--period", "2023-09")
    assert found["model"]["period"] == "2023-09"
    assert not found["model"]["is_fitted_on_this_file"]
    code, text = invoke("realism", "pings", reference_data / PINGS)
    assert code == 0
    assert "no validation" in text


def series_file(folder):
    """Packets of a minute, ten a second, 30 ms each and every twentieth lost."""
    start_s = np.datetime64("2026-06-14T12:00:12").astype(int)
    rows = [f"{start_s + k / 10:.1f},{'' if k % 20 == 0 else 30.0 + k % 3}" for k in range(600)]
    (folder / "pings.csv").write_text("\n".join(["time_s,rtt_ms", *rows]) + "\n")
    return folder / "pings.csv"


def test_a_comparison_lays_a_series_over_a_run_and_draws_it(tmp_path):
    (tmp_path / "s.toml").write_text(SCENARIO)
    picture = tmp_path / "compare.png"
    words = ("compare", tmp_path / "s.toml", "--measured", series_file(tmp_path))
    found = document(*words, "--out", picture)
    assert found["terminal"] == "bern"
    assert found["slots"] == 4
    assert found["measured"]["lost"] == 30
    assert found["rtt_s"]["measured"]["p50"] == pytest.approx(0.031)
    assert picture.read_bytes().startswith(b"\x89PNG")
    code, text = invoke(*words)
    assert code == 0
    assert "Measured less predicted" in text


@pytest.mark.parametrize("words", [("--out", "nowhere/c.png"), ("--terminal", "nobody")])
def test_a_comparison_that_is_refused_writes_nothing(tmp_path, words):
    (tmp_path / "s.toml").write_text(SCENARIO)
    measured = series_file(tmp_path)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(InputError):
        invoke("compare", tmp_path / "s.toml", "--measured", measured, *words)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("site", ["50.7", "a,b", "50.7,4.6,1"])
def test_a_site_that_is_no_pair_is_a_matter_of_usage(site):
    result = CliRunner().invoke(
        app, ["realism", "identify", "--maps", "m", "--elements", "e", "--site", site]
    )
    assert result.exit_code == 2
    assert "expected LAT,LON" in result.stderr


@pytest.mark.parametrize(
    "place", ["46.9481", "46.9481;7.4474", "46.9481 N,7.4474 E", "46,9481,7,4474"]
)
def test_a_place_that_cannot_be_read_is_not_repeated(tmp_path, place):
    words = ("realism", "identify", "--maps", tmp_path / "x", "--site", place)
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 2
    assert "expected LAT,LON, two numbers" in result.output
    assert "9481" not in result.output
    assert "4474" not in result.output


def test_one_country_alone_has_no_rank_correlation_and_is_printed(capsys):
    quality = {"mae_ms": 1.5, "median_error_ms": 1.5, "spearman": None}
    show_realism.countries(
        {
            "countries": 1,
            **quality,
            "rows": [{"country": "DEU", "observed_ms": 26.0, "predicted_ms": 24.5}],
            "worst": [{"country": "DEU", "cause": "1.5 ms too low; nothing points to why"}],
            "domestic_only": ["ID"],
            "beside": {"constant_only_mae_ms": 0.0, "without_domestic_only": quality},
        }
    )
    assert "Spearman -" in capsys.readouterr().out


def test_the_table_of_identified_slots_holds_whole_times_and_names(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    row = {
        "slot_start_utc": "2024-07-17T17:38:27Z", "satellite": "STARLINK-11234", "reason": "",
        "confidence": 0.99, "residual_deg": 0.7, "second": "STARLINK-5476", "margin_deg": 12.3,
    }  # fmt: skip
    missing = {**row, "satellite": None, "reason": "no satellite near the track"}
    show_realism.identified({"identified": 1, "slots": 2, "rows": [row, missing], "warnings": []})
    printed = capsys.readouterr().out
    assert printed.count("2024-07-17T17:38:27Z") == 2
    assert "STARLINK-11234" in printed


def test_files_that_do_not_fit_together_are_refused_before_any_step(reference_data):
    folder = reference_data / SATINVIEW
    steps = []
    with pytest.raises(InputError, match="--max-age-days"):
        api.realism_serving(
            folder / "first_bri.csv.gz", folder / "fov_data_bri.json.gz",
            reference_data / "tle/2026-06-14/starlink.tle.gz", progress=steps.append,
        )  # fmt: skip
    assert steps == []
