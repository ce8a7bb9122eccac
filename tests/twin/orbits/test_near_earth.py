"""The kernels against the plain NumPy SGP4 beside them, and what keeps them fast."""

import platform
import re
from dataclasses import replace

import numba
import numpy as np
import pytest

from skyweave.time import TimeGrid
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.orbits import initialise, near_earth, propagate_teme
from skyweave.twin.orbits.records import NEAR_CIRCULAR, NEAR_EARTH, sin_cos_turns
from skyweave.twin.orbits.reference import near_earth_teme

EPOCH_UTC = np.datetime64("2026-06-14T00:00:00", "ns")
ONE_MICROMETRE_M = 1e-6
TENTH_OF_A_MILLIMETRE_M = 1e-4
ONE_MICROMETRE_A_SECOND = 1e-6
ONE_NANOMETRE_A_SECOND = 1e-9
ROUNDING = 3e-15


def random_catalogue(
    rng: np.random.Generator, count: int, max_ecc: float, inc_deg: tuple[float, float] = (0, 179)
) -> Catalogue:
    """Return low orbits of all inclinations, some of them too low or with absurd drag."""
    perigee_km = rng.uniform(80.0, 1500.0, count)
    ecc = rng.uniform(0.0, max_ecc, count) * rng.choice([1e-3, 1.0], count)
    axis_km = (6378.135 + perigee_km) / (1.0 - ecc)
    return Catalogue(
        name=np.full(count, "random", dtype=np.str_),
        norad_id=np.arange(count),
        cospar_id=np.full(count, "", dtype=np.str_),
        epoch_utc=EPOCH_UTC + rng.integers(-(10**15), 10**15, count).astype("timedelta64[ns]"),
        mean_motion_rev_day=86400.0 / (2.0 * np.pi) * np.sqrt(398600.8 / axis_km**3),
        eccentricity=ecc,
        inclination_deg=rng.uniform(*inc_deg, count),
        raan_deg=rng.uniform(0.0, 360.0, count),
        argp_deg=rng.uniform(0.0, 360.0, count),
        mean_anomaly_deg=rng.uniform(0.0, 360.0, count),
        bstar_per_radius=rng.choice([-1.0, 1.0], count) * 10.0 ** rng.uniform(-7.0, -2.0, count),
        mean_motion_dot_rev_day2=np.zeros(count),
        grid_shell=np.full(count, -1),
        grid_plane=np.full(count, -1),
        grid_slot=np.full(count, -1),
    )


def grid_of_days(days: float, count: int) -> TimeGrid:
    return TimeGrid(EPOCH_UTC, np.linspace(-0.5, 0.5, count) * days * 86400.0)


@pytest.mark.parametrize(
    ("max_ecc", "days", "inc_deg"),
    [
        (0.02, 4.0, (0.0, 179.0)),
        (0.03, 4.0, (0.0, 179.0)),
        (0.3, 4.0, (0.0, 179.0)),
        (0.02, 60.0, (0.0, 179.0)),
        (0.02, 4.0, (179.0, 179.99)),  # where SGP4's long-period term grows without bound
    ],
)
def test_kernels_agree_with_the_plain_equations(max_ecc, days, inc_deg):
    catalogue = random_catalogue(np.random.default_rng(1), 1500, max_ecc, inc_deg)
    grid = grid_of_days(days, 25)
    records = initialise(catalogue)
    minutes = (grid.utc[:, None] - catalogue.epoch_utc).astype(np.int64) / 6e10
    expected_position, expected_speed, expected_error = near_earth_teme(records, minutes)
    position, speed, error = propagate_teme(catalogue, grid)
    np.testing.assert_array_equal(error, expected_error)
    assert {0, 6} <= set(error.ravel().tolist())
    good = error == 0
    # Decayed far below any real orbit the phase grows without bound, and its rounding with it.
    flying = good & (np.linalg.norm(expected_position, axis=-1) < 2e7)
    assert flying.mean() > 0.5
    apart_m = np.linalg.norm(position - expected_position, axis=-1)[flying]
    assert apart_m.max() < TENTH_OF_A_MILLIMETRE_M
    assert np.abs(speed - expected_speed)[flying].max() < ONE_MICROMETRE_A_SECOND
    assert np.isnan(position[~good]).all()


def test_series_of_the_vectorised_kernel_lose_less_than_a_micrometre(record_figure):
    catalogue = random_catalogue(np.random.default_rng(2), 3000, 0.02)
    # Near their epoch, where the rounding of phases that have grown hides nothing, and with so
    # little drag that no pair is handed over.
    catalogue = replace(
        catalogue,
        epoch_utc=np.full(len(catalogue), EPOCH_UTC),
        bstar_per_radius=catalogue.bstar_per_radius * 1e-2,
    )
    grid = grid_of_days(0.1, 20)
    records = initialise(catalogue)
    assert (records.method == NEAR_CIRCULAR).all()
    minutes = (grid.utc[:, None] - catalogue.epoch_utc).astype(np.int64) / 6e10
    expected_position, expected_speed, expected_error = near_earth_teme(records, minutes)
    position, speed, error = propagate_teme(catalogue, grid, records=records)
    np.testing.assert_array_equal(error, expected_error)
    good = error == 0
    apart_m = np.linalg.norm(position - expected_position, axis=-1)[good]
    for percentile in (50, 99, 100):
        name = f"SGP4 vectorised kernel to the plain equations near the epoch, p{percentile}"
        record_figure(name, float(np.percentile(apart_m, percentile)), "m", "1e-6")
    assert apart_m.max() < ONE_MICROMETRE_M
    assert np.abs(speed - expected_speed)[good].max() < ONE_NANOMETRE_A_SECOND


def test_the_general_kernel_serves_near_circular_orbits_as_well():
    catalogue = random_catalogue(np.random.default_rng(2), 3000, 0.02)
    grid = grid_of_days(4.0, 20)
    records = initialise(catalogue)
    general = replace(records, method=np.full_like(records.method, NEAR_EARTH))
    fast_position, fast_speed, fast_error = propagate_teme(catalogue, grid, records=records)
    position, speed, error = propagate_teme(catalogue, grid, records=general)
    np.testing.assert_array_equal(fast_error, error)
    good = error == 0
    # The published iteration stops at 1e-12 rad, 7 um, which the general kernel keeps.
    apart_m = np.linalg.norm(fast_position - position, axis=-1)[good]
    assert apart_m.max() < TENTH_OF_A_MILLIMETRE_M
    assert np.abs(fast_speed - speed)[good].max() < ONE_MICROMETRE_A_SECOND


def test_sine_and_cosine_are_right_to_rounding():
    turns = np.random.default_rng(3).uniform(-1.0, 1.0, 20_000)
    turns = np.concatenate([turns, [0.0, 0.25, 0.5, 0.75, -0.5, 1.0, 1000.125]])
    angle = 2.0 * np.pi * (turns - np.rint(turns))
    compiled = np.array([near_earth._sincos(turn) for turn in turns]).T
    for sine, cosine in (sin_cos_turns(turns), compiled):
        np.testing.assert_allclose(sine, np.sin(angle), rtol=0.0, atol=ROUNDING)
        np.testing.assert_allclose(cosine, np.cos(angle), rtol=0.0, atol=ROUNDING)


@pytest.mark.skipif(platform.machine() != "x86_64", reason="reads x86 instructions")
@pytest.mark.parametrize("stage", ["_secular", "_mean_elements", "_kepler", "_short_period"])
def test_llvm_vectorises_every_stage(stage):
    scratch = np.zeros(near_earth.SCRATCH_END)
    compiled = numba.njit(getattr(near_earth, stage).py_func)
    compiled(scratch, 0.0, 0.0) if stage == "_secular" else compiled(scratch)
    (code,) = compiled.inspect_asm().values()
    if "vfmadd" not in code:
        pytest.skip("this processor has no fused multiply-add")
    packed = len(re.findall(r"vfn?m(?:add|sub)\w*pd", code))
    single = len(re.findall(r"vfn?m(?:add|sub)\w*sd", code))
    assert packed > 10 * single
