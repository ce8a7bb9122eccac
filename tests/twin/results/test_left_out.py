"""What is left out, in the words of a reader who has never seen an identifier."""

import pandas as pd
import pytest

from skyweave.twin.results.folder import Run
from skyweave.twin.results.left_out import left_out_effects, left_out_names

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
