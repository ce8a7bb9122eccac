"""The page on real dishes says what the committed evidence says, and the evidence is not stale."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from skyweave.data import read_data_text
from skyweave.validation import validate

ROOT = Path(__file__).parents[1]
HALF_OF_LAST_DIGIT = 0.0006  # of shares that are rounded to three or four decimals


def tool(name):
    specification = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def maker():
    return tool("realism_page")


@pytest.fixture(scope="module")
def evidence(maker):
    return json.loads(maker.EVIDENCE.read_text(encoding="utf-8"))


def test_the_committed_page_is_what_the_committed_evidence_makes(maker, evidence):
    made = maker.page(evidence)
    assert maker.PAGE.read_text(encoding="utf-8") == made, "run tools/realism_page.py"
    assert "$" not in made


def test_every_picture_is_drawn_committed_and_on_the_page(maker, evidence, tmp_path):
    import matplotlib.image

    shown = re.findall(r"\(\.\./images/(realism-[\w-]+\.png)\)", maker.page(evidence))
    assert sorted(shown) == sorted(maker.DRAWINGS)
    for name, draw in maker.DRAWINGS.items():
        draw(evidence, tmp_path / name)
        committed, drawn = (
            matplotlib.image.imread(folder / name) for folder in (maker.PICTURES, tmp_path)
        )
        assert committed.shape == drawn.shape
        few = 0.02  # of the pixels: another version of the library smooths letters otherwise
        assert np.mean(np.abs(committed - drawn).max(axis=-1) > 0.2) < few


def test_a_verdict_needs_every_number_within_its_limit(maker):
    def verdict(values, at_most):
        row = maker.Demand("w", "a", ".1f", ("x", "y"), (2.0, 2.0), (3.0, 3.0), lambda _: values)
        if at_most:
            row = row._replace(floors=(3.0, 3.0), aims=(2.0, 2.0), at_most=True)
        return row.verdict({"made": {}})

    assert verdict([3.0, 3.0], False) == "aim reached"
    assert verdict([3.0, 2.9], False) == "floor held"
    assert verdict([1.9, 9.0], False) == "**missed**"
    assert verdict([2.0, 2.0], True) == "aim reached"
    assert verdict([2.0, 2.1], True) == "floor held"
    assert verdict([3.1, 0.0], True) == "**missed**"


def test_what_was_not_measured_has_no_verdict(maker):
    timed = next(demand for demand in maker.DEMANDS if demand.part == "speed")
    assert timed.verdict({}) == "not measured"
    assert timed.cells({})[2] == "-"
    assert timed.verdict({"speed": {"cells_ms": 150.0}}) == "floor held"


def test_means_over_sites_and_worst_errors_are_those_of_a_plain_count(maker, evidence):
    demands = {
        demand.what: demand.measured(evidence)
        for demand in maker.DEMANDS
        if demand.part in evidence
    }
    sites = evidence["serving"]["left_out"]
    for rule, what in (
        ("cold", "COLD, mean over the two left-out sites"),
        ("warm", "WARM, the same"),
    ):
        plain = (sites["bri"][rule]["top1"] + sites["ucl"][rule]["top1"]) / 2.0
        assert demands[what][0] == pytest.approx(plain)
    halves = [half for each in evidence["series"].values() for half in each["halves"]]
    errors = [abs(half["p50_ms"] / half["observed_p50_ms"] - 1.0) for half in halves]
    (worst,) = (values[0] for what, values in demands.items() if what.startswith("RTT"))
    assert worst == pytest.approx(max(errors), abs=2.0 * HALF_OF_LAST_DIGIT)
    rows = evidence["countries"]["rows"]
    mean_ms = np.mean([abs(row["predicted_ms"] - row["observed_ms"]) for row in rows])
    assert evidence["countries"]["mae_ms"] == pytest.approx(mean_ms, abs=0.01)


def test_the_evidence_is_of_the_models_that_ship(evidence):
    shipped = json.loads(read_data_text("choice_model.json"))
    names = {"cold, without boresight": "cold", "warm, without boresight": "warm"}
    for row in shipped["left_one_site_out"]:
        if row["rule"] not in names:
            continue
        for site, figures in row["by_site"].items():
            known = evidence["serving"]["left_out"][site][names[row["rule"]]]
            known = known["full"] if row["candidates"] == "full" else known
            for score, value in figures.items():
                assert known[score] == pytest.approx(value, abs=HALF_OF_LAST_DIGIT), (site, score)
    fit = json.loads(read_data_text("country_constant.json"))
    assert evidence["countries"]["fit"] == fit
    periods = json.loads(read_data_text("delay_model.json"))["periods"]
    for each in evidence["series"].values():
        told = periods[each["period"]]["half_to_half"]
        for half in each["halves"]:
            other = told[f"{half['from']}_to_{half['to']}"]
            for name in ("p50", "p95"):
                assert half[f"error_{name}"] == pytest.approx(other[name], abs=0.002)


def test_published_statistics_in_the_evidence_are_what_validate_says(evidence):
    known = {each["id"]: each for each in evidence["statistics"]["rows"]}
    for id_ in ("SCH-01", "MEA-08"):
        (fresh,) = validate([id_])
        assert {key: fresh[key] for key in known[id_]} == known[id_]


def test_without_the_reference_data_the_collector_says_so_in_one_line(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("SKYWEAVE_REFERENCE_DATA", str(tmp_path))
    collector = tool("realism_evidence")
    before = collector.EVIDENCE.read_bytes()
    assert collector.main([]) == 1
    told = capsys.readouterr().err
    assert told.startswith("reference data absent: set SKYWEAVE_REFERENCE_DATA")
    assert told.count("\n") == 1
    assert collector.EVIDENCE.read_bytes() == before


def test_an_unknown_part_is_refused_with_the_known_ones(capsys):
    with pytest.raises(SystemExit):
        tool("realism_evidence").main(["servings"])
    assert "servings is no part; expected serving, series" in capsys.readouterr().err


def test_evidence_is_compact_and_the_same_after_reading():
    collector = tool("realism_evidence")
    document = {"rows": [{"a": 1, "b": [1.0, 2.5]}, {"a": None}], "text": "x"}
    text = collector.compact(document)
    assert json.loads(text) == document
    assert text.splitlines()[1:4] == [' "rows": [', "  {", '   "a": 1,']
    assert '   "b": [ 1.0, 2.5 ]' in text.splitlines()
