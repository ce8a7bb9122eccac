"""Laser generations from launch designators: the rule, and the real fleet's launch dates."""

import json
import lzma
from dataclasses import replace

import numpy as np
import pytest

from skyweave.twin.catalogue.elements import ARRAY_FIELDS, Catalogue
from skyweave.twin.catalogue.read import read_catalogue
from skyweave.twin.catalogue.select import nearest_epoch, select_names
from skyweave.twin.topology.lasers import laser_terminals, satellite_generations

NOON = np.datetime64("2026-06-14T12:00:12", "ns")


@pytest.fixture(scope="module")
def fleet():
    everything = read_catalogue("builtin:2026-06-14")
    return nearest_epoch(select_names(everything, ["STARLINK"]), NOON)


def launched(*satellites, names="STARLINK-1"):
    """A catalogue of (COSPAR id, inclination) rows."""
    cospar_id, inclination_deg = zip(*satellites, strict=True)
    count = len(satellites)
    columns = {name: np.zeros(count) for name in ARRAY_FIELDS}
    columns["name"] = np.broadcast_to(np.array(names), count)
    columns["cospar_id"] = np.array(cospar_id)
    columns["inclination_deg"] = np.array(inclination_deg)
    return Catalogue(**columns)


@pytest.mark.parametrize(
    ("cospar_id", "inclination_deg", "generation", "terminals"),
    [
        ("2019-074A", 53.0, "v1.0", 0),
        ("2021-044B", 53.0, "v1.0", 0),
        ("2021-005C", 53.2, "v1.0", 0),
        ("2021-005C", 97.5, "v1.0-laser", 3),
        ("2021-006AB", 97.5, "v1.0-laser", 3),
        ("2021-059D", 97.6, "v1.0-laser", 3),
        ("2021-082A", 70.0, "v1.5", 3),
        ("2023-020A", 53.2, "v1.5", 3),
        ("2023-025ZZ", 43.0, "v1.5", 3),
        ("2023-026A", 43.0, "v2-mini", 3),
        ("2023-028A", 70.0, "v1.5", 3),
        ("2023-112F", 43.0, "v2-mini", 3),
        ("2023-113A", 97.5, "v2-mini", 3),
        ("2026-100A", 43.0, "v2-mini", 3),
        ("", 43.0, "unknown", 0),
    ],
)
def test_a_launch_designator_tells_the_generation(
    cospar_id, inclination_deg, generation, terminals
):
    one = launched((cospar_id, inclination_deg))
    assert satellite_generations(one).tolist() == [generation]
    assert laser_terminals(one).tolist() == [terminals]


@pytest.mark.parametrize(("survivors", "generation"), [(30, "v1.5"), (29, "v2-mini")])
def test_in_2023_launches_with_many_survivors_are_v1_5(survivors, generation):
    launch = launched(*[(f"2023-042{k}", 43.0) for k in range(survivors)])
    assert set(satellite_generations(launch).tolist()) == {generation}


def test_satellites_of_others_have_no_lasers_and_count_for_no_launch():
    names = ["STARLINK-1", *["ONEWEB-1"] * 40]
    mixed = launched(*[("2023-042A", 43.0)] * 41, names=names)
    assert satellite_generations(mixed).tolist() == ["v2-mini", *[""] * 40]
    assert laser_terminals(mixed).tolist() == [3, *[0] * 40]


def test_no_satellites_have_no_lasers():
    nobody = launched(("2023-042A", 43.0)).take(np.zeros(1, bool))
    assert laser_terminals(nobody).shape == satellite_generations(nobody).shape == (0,)


def test_the_order_of_the_rows_does_not_matter(fleet):
    rows = np.random.default_rng(3).permutation(len(fleet))
    expected = satellite_generations(fleet)[rows]
    np.testing.assert_array_equal(satellite_generations(fleet.take(rows)), expected)


def test_generations_agree_with_launch_dates(fleet, reference_data, record_figure):
    with lzma.open(reference_data / "satmeta" / "satcat_metadata_2026-04.json.xz") as file:
        catalogued = json.load(file)
    date = np.array(
        [catalogued.get(str(n), {}).get("launch") or "" for n in fleet.norad_id.tolist()]
    )
    known, generation = date != "", satellite_generations(fleet)
    assert known.sum() > 9000
    for label, first, last in [
        ("v1.0", "2019-11-11", "2021-05-26"),
        ("v1.0-laser", "2021-01-24", "2021-06-30"),
        ("v1.5", "2021-09-14", "2023-07-16"),
        ("v2-mini", "2023-02-27", "2026-06-14"),
    ]:
        dates = np.sort(date[known & (generation == label)])
        assert first <= dates[0] <= dates[-1] <= last
    lasers = laser_terminals(fleet) > 0
    np.testing.assert_array_equal(lasers, ~np.isin(generation, ["v1.0", "unknown"]))
    record_figure("Starlink objects of 2026-06-14 with lasers", int(lasers.sum()), "", "")


def test_without_launch_designators_nobody_is_given_lasers(fleet):
    blank = replace(fleet, cospar_id=np.full(len(fleet), ""))
    assert not laser_terminals(blank).any()
