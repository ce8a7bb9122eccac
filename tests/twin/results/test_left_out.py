"""What is left out, in the words of a reader who has never seen an identifier."""

import pandas as pd
import pytest

from skyweave.twin.results.folder import Run
from skyweave.twin.results.left_out import is_for_a_time, left_out_effects, left_out_names

GROUND = pd.DataFrame(
    [
        ("gateway", "angeles", "Angeles, Philippines", "PH"),
        ("gateway", "turin", "Turin", "IT"),
        ("pop", "fra", "Frankfurt", "DE"),
        ("pop", "turin", "Torino", "IT"),
    ],
    columns=["kind", "id", "name", "country"],
)


def run_without(tmp_path, *without):
    run = Run(tmp_path, {"without": list(without)})
    run.__dict__["ground"] = GROUND  # where the cached property keeps it
    return run


@pytest.mark.parametrize(
    ("without", "name", "effect"),
    [
        (
            "country:DE",
            "Germany",
            "every gateway and every point of presence in Germany",
        ),
        (
            "country:PH",
            "the Philippines",
            "every gateway and every point of presence in the Philippines",
        ),
        ("gateway:turin", "the gateway Turin, Italy", "the gateway Turin, Italy"),
        ("gateway:angeles", "the gateway Angeles, Philippines", "the gateway Angeles, Philippines"),
        (
            "gateway:US",
            "the gateways in the United States of America",
            "every gateway in the United",
        ),
        ("pop:fra", "the point of presence Frankfurt, Germany", "the point of presence Frankfurt"),
        ("pop:DE", "the points of presence in Germany", "every point of presence in Germany"),
        ("operator:One:Web", "One:Web", "the whole network of One:Web"),
    ],
)
def test_each_kind_has_its_words(tmp_path, without, name, effect):
    run = run_without(tmp_path, without)
    assert left_out_names(run) == name
    assert left_out_effects(run).startswith(effect)


def test_several_are_listed_as_in_a_sentence(tmp_path):
    run = run_without(tmp_path, "country:DE", "pop:turin", "operator:OneWeb")
    expected = "Germany, the point of presence Torino, Italy and OneWeb"
    assert left_out_names(run) == expected


def test_nothing_left_out_has_no_words(tmp_path):
    assert left_out_names(run_without(tmp_path)) == ""


def failed(kind, target, *ids, count=0, **more):
    """A failure as the manifest has it, of one operator."""
    operators = [{"name": "net", "count": count or len(ids), "ids": list(ids)}]
    return {"kind": kind, "target": target, "operators": operators, **more}


def run_failing(tmp_path, *failures):
    run = run_without(tmp_path, *(f"{each['kind']}:{each['target']}" for each in failures))
    run.manifest["failures"] = list(failures)
    run.manifest["time"] = {"start_utc": "2026-06-14T12:00:12Z"}
    return run


@pytest.mark.parametrize(
    ("failure", "name", "effect"),
    [
        (failed("satellite", "44713", "44713"), "the satellite 44713", "the satellite 44713"),
        (failed("link", "1-2", "1-2"), "the laser link 1-2", "the laser link 1-2"),
        (failed("plane", "0-3", "0-3"), "the orbital plane 0-3", "the orbital plane 0-3"),
        (failed("core", "net", "net"), "the core software of net", "the core software of net"),
        (
            failed("gateway", "turin,angeles", "angeles", "turin"),
            "the gateways Angeles, Philippines and Turin, Italy",
            "the gateways Angeles, Philippines and Turin, Italy",
        ),
        (
            failed("satellite", "1,2,3,... (8)", *"12345678"),
            "8 satellites",
            "8 satellites",
        ),
        (
            failed("country", "DE,IT", "DE", "IT"),
            "Germany and Italy",
            "every gateway and every point of presence in Germany and Italy",
        ),
        (failed("operator", "a,b", "a", "b"), "a and b", "the whole networks of a and b"),
        (failed("core", "a,b", "a", "b"), "the core software of a and b", "the core software"),
        (
            failed("gateway", "10%", count=21, share=0.1),
            "21\N{NO-BREAK SPACE}gateways drawn at random",
            "21\N{NO-BREAK SPACE}gateways drawn at random",
        ),
        (
            failed("plane", "1%", "0-3", share=0.01),
            "1\N{NO-BREAK SPACE}orbital plane drawn at random",
            "1\N{NO-BREAK SPACE}orbital plane drawn at random",
        ),
        (
            {**failed("link", "25%", share=0.25), "operators": [{"name": "net", "count": None}]},
            "25.0\N{NO-BREAK SPACE}% of the laser links, drawn at random",
            "25.0\N{NO-BREAK SPACE}% of the laser links",
        ),
    ],
)
def test_each_kind_of_failure_has_its_words(tmp_path, failure, name, effect):
    run = run_failing(tmp_path, failure)
    assert left_out_names(run) == name
    assert left_out_effects(run).startswith(effect)
    assert not is_for_a_time(run)


@pytest.mark.parametrize(
    ("window", "words"),
    [
        ({"from_utc": "2026-06-14T12:10:00Z"}, "(from 12:10:00 UTC on)"),
        ({"to_utc": "2026-06-15T00:10:00Z"}, "(until 2026-06-15 00:10:00 UTC)"),
        (
            {"from_utc": "2026-06-14T12:10:00Z", "to_utc": "2026-06-14T12:20:00Z"},
            "(from 12:10:00 to 12:20:00 UTC)",
        ),
    ],
)
def test_the_time_of_a_failure_is_told_with_what_it_means(tmp_path, window, words):
    run = run_failing(tmp_path, failed("country", "DE", "DE", **window))
    assert left_out_names(run) == "Germany"
    expected = f"every gateway and every point of presence in Germany {words}"
    assert left_out_effects(run) == expected
    assert is_for_a_time(run)


def test_of_many_failures_a_few_are_named(tmp_path):
    run = run_failing(tmp_path, *(failed("plane", f"0-{k}", f"0-{k}") for k in range(9)))
    assert left_out_names(run).endswith(
        "the orbital plane 0-4 and 4\N{NO-BREAK SPACE}more failures"
    )
