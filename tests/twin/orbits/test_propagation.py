"""The stage's promises: frames, company, and what it refuses."""

import os
import pickle
import platform
import subprocess
import sys
from dataclasses import fields

import numba
import numpy as np
import pytest
from tests.support.from_sgp4 import catalogue_of, element_lines, satellites_of

from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.frames import earth_orientation, earth_rotation_itrf, teme_to_itrf_matrix
from skyweave.time import TimeGrid
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.orbits import initialise, propagate, propagate_teme
from skyweave.twin.orbits.records import DEEP_SPACE, NEAR_CIRCULAR, NEAR_EARTH

IERS = earth_orientation("iers")
TEN_NANOMETRES_M = 1e-8


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """About 800 satellites: near-circular, eccentric and deep-space ones, mixed."""
    satellites = satellites_of(element_lines(read_data_text("active_2026-06-14.tle.xz")))
    eccentric = [s for s in satellites if s.method == "n" and s.ecco >= 0.02]
    mixed = [s for pair in zip(satellites[::400], eccentric, strict=False) for s in pair]
    return catalogue_of(mixed + satellites[::22])


@pytest.fixture(scope="module")
def grid() -> TimeGrid:
    return TimeGrid(np.datetime64("2026-06-14T12:00:12", "ns"), np.arange(30) * 15.0)


def test_all_three_ways_of_propagating_are_in_play(catalogue):
    methods = initialise(catalogue).method
    assert (np.bincount(methods)[[NEAR_CIRCULAR, NEAR_EARTH, DEEP_SPACE]] >= [500, 20, 20]).all()


@pytest.mark.parametrize("orientation", ["iers", "none"])
def test_earth_fixed_states_are_the_rotated_teme_states(catalogue, grid, orientation):
    earth = earth_orientation(orientation)
    position, speed, error = propagate_teme(catalogue, grid)
    ephemeris = propagate(catalogue, grid, earth, velocity=True)
    M, w = teme_to_itrf_matrix(grid.utc, earth), earth_rotation_itrf(grid.utc, earth)
    expected = np.einsum("tij,tnj->tni", M, position)
    expected_speed = np.einsum("tij,tnj->tni", M, speed) - np.cross(w[:, None], expected)
    np.testing.assert_array_equal(ephemeris.error, error)
    within = {"rtol": 1e-15, "atol": TEN_NANOMETRES_M}
    np.testing.assert_allclose(ephemeris.sat_itrf_m, expected, **within)
    np.testing.assert_allclose(ephemeris.sat_itrf_m_s, expected_speed, **within)


def test_velocity_is_how_the_position_moves(catalogue):
    step_s = 0.1
    around = TimeGrid(np.datetime64("2026-06-14T12:00:00", "ns"), np.array([-step_s, 0.0, step_s]))
    ephemeris = propagate(catalogue, around, IERS, velocity=True)
    before, _, after = ephemeris.sat_itrf_m
    good = initialise(catalogue).method == NEAR_CIRCULAR
    good &= (ephemeris.error == 0).all(axis=0)
    moved = (after - before) / (2.0 * step_s)
    # SGP4's velocity leaves out the rates of its short-period terms: up to 0.7 m/s.
    np.testing.assert_allclose(ephemeris.sat_itrf_m_s[1, good], moved[good], rtol=0.0, atol=1.0)


def test_leaving_out_the_velocity_changes_no_position(catalogue, grid):
    ephemeris = propagate(catalogue, grid, IERS)
    assert ephemeris.sat_itrf_m_s is None
    with_velocity = propagate(catalogue, grid, IERS, velocity=True)
    np.testing.assert_array_equal(ephemeris.sat_itrf_m, with_velocity.sat_itrf_m)


def test_splitting_the_grid_changes_no_bit(catalogue, grid):
    whole = propagate(catalogue, grid, IERS, velocity=True)
    parts = [
        propagate(catalogue, grid.part(start, stop), IERS, velocity=True)
        for start, stop in [(0, 1), (1, 8), (8, 29), (29, 30)]
    ]
    for name in ("sat_itrf_m", "sat_itrf_m_s", "error"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))


def test_other_epochs_of_the_grid_change_no_bit(catalogue, grid):
    later = TimeGrid(grid.utc[10], grid.t_s[10:] - grid.t_s[10])
    shifted, _, _ = propagate_teme(catalogue, later)
    whole, _, _ = propagate_teme(catalogue, grid)
    np.testing.assert_array_equal(shifted, whole[10:])


def test_going_back_in_time_changes_no_bit(catalogue):
    days = TimeGrid(np.datetime64("2026-06-10T00:00:00", "ns"), np.arange(9) * 86400.0)
    backwards = TimeGrid(days.epoch_utc, days.t_s[::-1])
    forward, _, _ = propagate_teme(catalogue, days)
    np.testing.assert_array_equal(propagate_teme(catalogue, backwards)[0], forward[::-1])


def test_the_company_of_other_satellites_changes_no_bit(catalogue, grid):
    whole = propagate(catalogue, grid, IERS, velocity=True)
    for rows in (np.arange(len(catalogue))[5:140], np.arange(len(catalogue))[::-3], np.array([7])):
        some = propagate(catalogue.take(rows), grid, IERS, velocity=True)
        np.testing.assert_array_equal(some.sat_itrf_m, whole.sat_itrf_m[:, rows])
        np.testing.assert_array_equal(some.sat_itrf_m_s, whole.sat_itrf_m_s[:, rows])
        np.testing.assert_array_equal(some.error, whole.error[:, rows])


def test_one_thread_or_all_give_the_same_bits(catalogue, grid):
    most = numba.get_num_threads()
    if most == 1:
        pytest.skip("Numba was started with one thread")
    together = propagate(catalogue, grid, IERS, velocity=True)
    numba.set_num_threads(1)
    try:
        alone = propagate(catalogue, grid, IERS, velocity=True)
    finally:
        numba.set_num_threads(most)
    np.testing.assert_array_equal(alone.sat_itrf_m, together.sat_itrf_m)
    np.testing.assert_array_equal(alone.sat_itrf_m_s, together.sat_itrf_m_s)


DIGEST = """
import hashlib, pickle, sys
from skyweave.twin.orbits import propagate_teme
position, speed, error = propagate_teme(*pickle.load(sys.stdin.buffer))
print(hashlib.sha256(position.tobytes() + speed.tobytes() + error.tobytes()).hexdigest())
"""


@pytest.mark.parametrize("processor", ["haswell", "nehalem"])
def test_older_processors_give_the_same_bits(catalogue, grid, processor, full_counts, tmp_path):
    if not full_counts or platform.machine() != "x86_64":
        pytest.skip("compiles for another x86 processor, half a minute: run by make prove")
    # Neither AVX-512 nor, on the older one, AVX2 and fused multiply-add.
    other = {"NUMBA_CPU_NAME": processor, "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": tmp_path}
    near = catalogue.take(initialise(catalogue).method != DEEP_SPACE)
    digests = [
        subprocess.run(
            [sys.executable, "-c", DIGEST],
            input=pickle.dumps((near, grid)),
            env=os.environ | {name: str(value) for name, value in changed.items()},
            capture_output=True,
            check=True,
        ).stdout
        for changed in ({}, other)
    ]
    assert digests[0] == digests[1]


def test_records_survive_pickling_and_serve_many_grids(catalogue, grid):
    records = initialise(catalogue)
    copy = pickle.loads(pickle.dumps(records))
    for field in fields(records):
        np.testing.assert_array_equal(getattr(copy, field.name), getattr(records, field.name))
    for part in (grid.part(0, 3), grid.part(3, 5)):
        position, speed, error = propagate_teme(catalogue, part, records=copy)
        again, speed_again, error_again = propagate_teme(catalogue, part)
        np.testing.assert_array_equal(position, again)
        np.testing.assert_array_equal(speed, speed_again)
        np.testing.assert_array_equal(error, error_again)


def test_records_of_another_catalogue_are_refused(catalogue, grid):
    records = initialise(catalogue.take(np.arange(3)))
    message = r"records hold 3 satellites, the catalogue \d+; pass the records that initialise"
    with pytest.raises(InputError, match=message):
        propagate(catalogue, grid, IERS, records=records)


def test_no_satellites_and_no_instants_give_empty_arrays(catalogue, grid):
    none = propagate(catalogue.take(np.zeros(0, dtype=np.int64)), grid, IERS, velocity=True)
    assert none.sat_itrf_m.shape == none.sat_itrf_m_s.shape == (30, 0, 3)
    assert none.error.shape == (30, 0)
    never = propagate(catalogue, grid.part(0, 0), IERS)
    assert never.sat_itrf_m.shape == (0, len(catalogue), 3)
    assert never.error.shape == (0, len(catalogue))
