"""What the choice model is worth on a site it never saw, and that its file can be made again."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from skyweave.data import read_data_text
from skyweave.realism import choice_fit
from skyweave.realism.choice_fit import (
    choice_document,
    fitted,
    model_row,
    plain_row,
    read_recordings,
    redated,
    table_lines,
    to_text,
)
from skyweave.twin.scheduling.choice import cold, read_models, warm
from skyweave.twin.scheduling.features import TERMS

ROOT = Path(__file__).parents[2]
# The floor and the aim of each mean over both directions; the elevation distance may not exceed it.
COLD = {"top1": (0.15, 0.19), "top5": (0.44, 0.48), "mrr": (0.31, 0.35)}
WARM = {"top1": (0.20, 0.23), "top5": (0.50, 0.56)}
WORST_KS = (0.20, 0.12)
LISTED = "the file's candidates"


@pytest.fixture(scope="module")
def recordings(reference_data):
    return read_recordings(reference_data)


@pytest.mark.parametrize("candidates", ["listed", "full"])
@pytest.mark.parametrize("variant", ["with_boresight", "without_boresight"])
@pytest.mark.parametrize(("model", "floors"), [("cold", COLD), ("warm", WARM)])
def test_a_site_left_out_of_the_fit_is_predicted_above_the_floor(
    recordings, record_figure, candidates, variant, model, floors
):
    row = model_row(recordings, candidates, model, variant)
    called = f"{model.upper()} {variant.replace('_', ' ')}, site left out, {candidates} candidates"
    for key, (floor, aim) in floors.items():
        value = getattr(row.mean, key)
        record_figure(f"{called}: {key}", round(value, 3), "share", f">= {floor}; {aim}")
        assert value >= floor, key
    floor, aim = WORST_KS
    record_figure(
        f"{called}: elevation KS", round(row.worst_ks, 3), "worse site", f"<= {floor}; {aim}"
    )
    assert row.worst_ks <= floor


def test_the_highest_satellite_is_rarely_the_one(recordings, record_figure):
    found = plain_row(recordings, "listed", "highest-elevation").mean
    for key, study in {"top1": 0.10, "top5": 0.38, "mrr": 0.25}.items():
        value = getattr(found, key)
        record_figure(f"highest elevation, {key}", round(value, 3), "share", f"about {study}")
        assert value == pytest.approx(study, abs=0.04)


def test_no_plain_rule_comes_near_the_model(recordings):
    model = model_row(recordings, "full", "cold", "without_boresight").mean
    for rule in ("highest-elevation", "longest-visible", "random"):
        plain = plain_row(recordings, "full", rule).mean
        assert plain.top5 < model.top5
        assert plain.mrr < model.mrr


def test_the_recordings_have_as_many_candidates_as_an_independent_study_found(recordings):
    for site, study in {"bri": 32.4, "ucl": 41.9}.items():
        choices = recordings[site].full.choices
        assert choices.name.size / len(choices) == pytest.approx(study, rel=0.05)


def test_the_shipped_coefficients_are_those_of_both_sites(recordings, full_counts):
    for model in (cold(), warm()) if full_counts else (cold(),):
        for variant in ("with_boresight", "without_boresight"):
            again = fitted(list(recordings.values()), model.name, variant).coefficient
            shipped = getattr(model, variant).coefficient
            last_decimal = 1e-4
            np.testing.assert_allclose(
                again, [shipped[term.name] for term in TERMS], atol=last_decimal
            )


def test_calibrating_again_changes_no_byte(reference_data, full_counts, tmp_path, monkeypatch):
    if not full_counts:
        pytest.skip("full counts only: it takes half a minute")
    monkeypatch.setenv("SKYWEAVE_REFERENCE_DATA", str(reference_data))
    shipped = ROOT / "src/skyweave/data/choice_model.json"
    again = tmp_path / "choice_model.json"
    again.write_bytes(shipped.read_bytes())
    assert calibrate_tool().main(["choice", "--out", str(tmp_path)]) == 0
    assert again.read_bytes() == shipped.read_bytes()


def calibrate_tool():
    specification = importlib.util.spec_from_file_location("calibrate", ROOT / "tools/calibrate.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_without_the_data_calibrating_says_so_in_one_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SKYWEAVE_REFERENCE_DATA", str(tmp_path / "nowhere"))
    assert calibrate_tool().main(["--out", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert "set SKYWEAVE_REFERENCE_DATA to its folder" in said.err
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_calibration_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit):
        calibrate_tool().main(["choises"])
    assert "choises is no calibration; expected choice, delay, countries" in capsys.readouterr().err


def test_the_date_of_a_fit_stays_until_something_else_changes():
    before = read_data_text("choice_model.json")
    document = json.loads(before)
    later = {**document, "fitted": "2031-01-01"}
    assert redated(later, before) == document
    assert redated(later, None) == later
    assert redated({**later, "ridge": 3.0}, before)["fitted"] == "2031-01-01"


def test_the_shipped_file_is_written_as_the_tool_writes():
    text = read_data_text("choice_model.json")
    assert to_text(json.loads(text)) == text


def test_the_document_and_the_table_hold_what_was_scored(recordings):
    rows = [plain_row(recordings, "listed", rule) for rule in ("highest-elevation", "random")]
    document = choice_document(recordings, rows, "2026-11-22")
    shipped = json.loads(read_data_text("choice_model.json"))
    assert document["data"] == shipped["data"]
    assert read_models(to_text(document))["cold"].data[1]["near"] == "Louvain-la-Neuve"
    (highest, _) = document["left_one_site_out"]
    assert highest["mean"]["top1"] == round(rows[0].mean.top1, 3)
    lines = table_lines(rows)
    assert len(lines) == 3
    assert f"{rows[0].mean.top1:.3f}" in lines[1]
    assert shipped["version"] == choice_fit.VERSION
