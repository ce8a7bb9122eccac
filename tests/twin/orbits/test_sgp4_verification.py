"""The published verification set of SGP4 (tests/golden/sgp4)."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from sgp4.api import Satrec
from tests.support.from_sgp4 import catalogue_of

from skyweave.time import TimeGrid
from skyweave.twin.orbits import propagate_teme

GOLDEN = Path(__file__).parents[2] / "golden" / "sgp4"
ONE_MILLIMETRE_IN_KM = 1e-6
ONE_MILLIMETRE_A_SECOND_IN_KM_S = 1e-6
NO_POSITION = 33334  # error 3 at once; its printed row is a copy of the case before


class Case(NamedTuple):
    satellite: Satrec
    minutes: np.ndarray  # (T,) start to stop, since epoch


def verification_cases() -> list[Case]:
    lines = (GOLDEN / "SGP4-VER.TLE").read_text().splitlines()
    cases = []
    for first, second in pairwise(lines):
        if first.startswith("1 "):
            start, stop, step = (float(field) for field in second[69:].split())
            minutes = start + step * np.arange(int((stop - start) / step) + 1)
            cases.append(Case(Satrec.twoline2rv(first[:69], second[:69]), minutes))
    return cases


def golden_blocks() -> list[tuple[int, np.ndarray]]:
    """Return (catalogue number, rows (T, 7)): minutes, position in km, velocity in km/s."""
    blocks: list[tuple[int, list[list[float]]]] = []
    for line in (GOLDEN / "tcppver_subset.out").read_text().splitlines():
        fields = line.split()
        if fields[1] == "xx":
            blocks.append((int(fields[0]), []))
        else:
            blocks[-1][1].append([float(field) for field in fields[:7]])
    return [(norad_id, np.array(rows)) for norad_id, rows in blocks]


def ours(satellite: Satrec, minutes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return our positions in km (T, 3), velocities in km/s and error codes (T,)."""
    catalogue = catalogue_of([satellite])
    grid = TimeGrid(catalogue.epoch_utc[0], minutes * 60.0)
    position_m, speed_m_s, error = propagate_teme(catalogue, grid)
    return position_m[:, 0] / 1e3, speed_m_s[:, 0] / 1e3, error[:, 0]


def test_the_printed_rows_are_met_within_a_millimetre(record_figure):
    kept = [case for place, case in enumerate(verification_cases()) if place % 3 != 2]
    worst_km = []
    for case, (norad_id, rows) in zip(kept, golden_blocks(), strict=True):
        assert case.satellite.satnum == norad_id
        if norad_id == NO_POSITION:
            continue
        position_km, speed_km_s, error = ours(case.satellite, rows[:, 0])
        assert not error.any()
        worst_km.extend(np.linalg.norm(position_km - rows[:, 1:4], axis=1))
        worst_speed_km_s = np.linalg.norm(speed_km_s - rows[:, 4:7], axis=1).max()
        assert worst_speed_km_s < ONE_MILLIMETRE_A_SECOND_IN_KM_S
    for percentile in (50, 99, 100):
        name = f"SGP4 verification set, {len(worst_km)} rows, p{percentile}"
        record_figure(name, float(np.percentile(worst_km, percentile)), "km", "1e-6")
    assert max(worst_km) < ONE_MILLIMETRE_IN_KM


def test_the_satellite_without_a_position_is_nan_beside_error_3():
    (case,) = (c for c in verification_cases() if c.satellite.satnum == NO_POSITION)
    position_km, speed_km_s, error = ours(case.satellite, np.array([0.0]))
    assert error.tolist() == [3]
    assert np.isnan(position_km).all()
    assert np.isnan(speed_km_s).all()


@pytest.mark.parametrize("place", range(33))
def test_each_case_agrees_with_the_library_from_start_to_stop(place):
    case = verification_cases()[place]
    states = [case.satellite.sgp4_tsince(minute) for minute in case.minutes]
    expected_error, expected_km, expected_km_s = (
        np.array(part) for part in zip(*states, strict=True)
    )
    position_km, speed_km_s, error = ours(case.satellite, case.minutes)
    np.testing.assert_array_equal(error, expected_error)
    good = error == 0
    assert np.isnan(position_km[~good]).all()
    within = {"rtol": 0.0, "atol": ONE_MILLIMETRE_IN_KM}
    np.testing.assert_allclose(position_km[good], expected_km[good], **within)
    np.testing.assert_allclose(speed_km_s[good], expected_km_s[good], **within)
