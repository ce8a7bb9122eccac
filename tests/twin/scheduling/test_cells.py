"""The scheduler over service cells: against its plain reference, and against brute force."""

import h3.api.numpy_int as h3
import numba
import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf
from skyweave.policy.reasons import SERVED, reason_names
from skyweave.twin.geometry import gso_separation_deg, look_angles
from skyweave.twin.scheduling.beams import BeamLimits
from skyweave.twin.scheduling.cells import (
    RULES,
    CellAssignment,
    CellRule,
    Cells,
    CellSky,
    CellState,
    cell_capacity,
    make_cells,
    schedule_cells,
    schedule_cells_plainly,
)

SLOT_S, AHEAD = 15.0, 6
GRAVITY_M3_S2, EARTH_TURN_RAD_S = 3.986e14, 7.292e-5


def shell(count: int, boundaries: int, rng: np.random.Generator) -> np.ndarray:
    """Satellites (K, N, 3) on circular orbits 350 to 1,200 km high, seen from the turning Earth."""
    radius_m = 6.371e6 + rng.uniform(350e3, 1_200e3, count)
    rate = np.sqrt(GRAVITY_M3_S2 / radius_m**3)
    tilt, node = np.radians(rng.choice([43.0, 53.0, 97.6], count)), rng.uniform(0, 2 * np.pi, count)
    t_s = SLOT_S * np.arange(boundaries)[:, None]
    along, turn = rng.uniform(0, 2 * np.pi, count) + rate * t_s, node - EARTH_TURN_RAD_S * t_s
    x, y = np.cos(along), np.sin(along)
    sat = [
        np.cos(turn) * x - np.sin(turn) * np.cos(tilt) * y,
        np.sin(turn) * x + np.cos(turn) * np.cos(tilt) * y,
        np.sin(tilt) * y,
    ]
    sat_m = radius_m[:, None] * np.stack(sat, axis=-1)
    sat_m[:, rng.random(count) < 0.03] = np.nan
    return sat_m


def some_cells(count: int, rng: np.random.Generator) -> Cells:
    """Cells in clusters: at the poles, at longitude 180, on the equator and elsewhere."""
    centres = [(90.0, 0.0), (-90.0, 0.0), (0.0, 180.0), (0.0, 0.0), (51.0, 10.0), (-33.0, 151.0)]
    chosen = rng.choice(len(centres), 3, replace=False)
    found = []
    for lat_deg, lon_deg in [centres[k] for k in chosen]:
        near = h3.grid_disk(h3.latlng_to_cell(lat_deg, lon_deg, 5), 40)
        found.append(rng.choice(near, count // 3, replace=False))
    return make_cells(np.concatenate(found))


def sky_at(sat_m: np.ndarray, slot: int, rng: np.random.Generator, capacity: np.ndarray) -> CellSky:
    path_s = rng.uniform(0.002, 0.03, sat_m.shape[1])
    path_s[rng.random(path_s.size) < 0.2] = np.inf
    return CellSky(sat_m[slot : slot + AHEAD + 1], path_s, capacity)


def assert_same(found: CellAssignment, expected: CellAssignment) -> None:
    for name, value in vars(expected).items():
        np.testing.assert_array_equal(getattr(found, name), value, name)
        assert getattr(found, name).dtype == value.dtype, name


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("separation_deg", [0.0, 18.0])
def test_slots_in_a_row_give_what_the_plain_reference_gives(
    name, separation_deg, full_counts, record_figure
):
    slots, served, kept, causes = 20, 0, 0, set()
    cases = 10 if full_counts else 1
    for case in range(cases):
        rng = np.random.default_rng([case, RULES[name]])
        cells, sat_m = some_cells(60, rng), shell(500, slots + AHEAD + 1, rng)
        rule, state = CellRule(name, 30.0, separation_deg), None
        is_on = rng.random(len(cells)) < 0.9
        for slot in range(slots):
            sky = sky_at(sat_m, slot, rng, rng.integers(0, 8, 500).astype(np.int32))
            found, after = schedule_cells(cells, state, sky, rule, is_on)
            expected, state = schedule_cells_plainly(cells, state, sky, rule, is_on)
            assert_same(found, expected)
            np.testing.assert_array_equal(after.sat, state.sat)
            served += int((found.sat >= 0).sum())
            kept += int(((found.sat >= 0) & ~found.is_new).sum())
            causes |= set(reason_names(found.reason).tolist())
    assert served > 15 * slots * cases
    assert kept > 8 * slots * cases
    assert causes >= {"", "no_satellite_in_view", "no_gateway_path", "no_beam_free"}
    assert ("gso_arc" in causes) == (separation_deg > 0.0)
    what = f"cells equal to the reference, {name}, {separation_deg:g} deg from the arc"
    record_figure(what, cases * slots, "slots", "all")


@pytest.mark.parametrize("separation_deg", [0.0, 18.0])
def test_every_assignment_holds_by_look_angles_and_by_counting(separation_deg):
    rng = np.random.default_rng(7)
    cells, sat_m, state = some_cells(90, rng), shell(500, 12 + AHEAD, rng), None
    rule = CellRule("highest-elevation", 25.0, separation_deg)
    a_hair_deg, served = 1e-9, 0
    for slot in range(10):
        sky = sky_at(sat_m, slot, rng, rng.integers(0, 4, 500).astype(np.int32))
        found, state = schedule_cells(cells, state, sky, rule)
        rows = np.flatnonzero(found.sat >= 0)
        served += rows.size
        for at_m in sky.sat_itrf_m[:2]:
            all_pairs_deg = look_angles(cells.site_itrf_m, cells.up_itrf, at_m).elevation_deg
            assert (all_pairs_deg[rows, found.sat[rows]] >= 25.0 - a_hair_deg).all()
            apart_deg = gso_separation_deg(
                cells.site_itrf_m, cells.up_itrf, at_m, rows.astype(np.int32), found.sat[rows]
            )
            assert (apart_deg >= separation_deg - a_hair_deg).all()
        assert np.isfinite(sky.path_s[found.sat[rows]]).all()
        load = np.bincount(found.sat[rows], minlength=500)
        assert (load <= sky.capacity).all()
        np.testing.assert_array_equal(load, found.load)
        np.testing.assert_array_equal(found.reason == SERVED, found.sat >= 0)
    assert served > 100


def test_one_thread_and_two_give_the_same():
    rng = np.random.default_rng(3)
    cells, sat_m = some_cells(600, rng), shell(500, 8 + AHEAD, rng)
    threads, answers = numba.get_num_threads(), []
    for count in (1, min(2, numba.config.NUMBA_NUM_THREADS)):
        numba.set_num_threads(count)
        try:
            state, slots, own = None, [], np.random.default_rng(4)
            for slot in range(6):
                sky = sky_at(sat_m, slot, own, own.integers(0, 30, 500).astype(np.int32))
                found, state = schedule_cells(cells, state, sky, CellRule())
                slots.append(found)
        finally:
            numba.set_num_threads(threads)
        answers.append(slots)
    for one, two in zip(*answers, strict=True):
        assert_same(one, two)


def overhead(lat_deg: float, lon_deg: float, height_m: float = 550e3) -> np.ndarray:
    """A satellite that stands still over a place, at three boundaries: (3, 3)."""
    site_m, up = geodetic_to_itrf([lat_deg], [lon_deg], [0.0])
    return np.repeat(site_m + height_m * up, 3, axis=0)


def sky_of(sats: list[np.ndarray], capacity: list[int], path_s: list[float]) -> CellSky:
    return CellSky(np.stack(sats, axis=1), np.array(path_s), np.array(capacity, np.int32))


ZURICH = make_cells(np.array([h3.latlng_to_cell(47.37, 8.54, 5)]))


def test_a_cell_keeps_its_satellite_although_a_higher_one_comes():
    east, above = overhead(47.37, 11.0), overhead(47.37, 8.54)
    rule = CellRule("highest-elevation")
    lost = np.full((3, 3), np.nan)
    first, state = schedule_cells(ZURICH, None, sky_of([east, lost], [1, 1], [0.01, 0.01]), rule)
    then, state = schedule_cells(ZURICH, state, sky_of([east, above], [1, 1], [0.01, 0.01]), rule)
    assert first.sat.tolist() == then.sat.tolist() == [0]
    assert first.is_new.tolist() == [True]
    assert then.is_new.tolist() == [False]
    cut, _ = schedule_cells(ZURICH, state, sky_of([east, above], [1, 1], [np.inf, 0.01]), rule)
    assert cut.sat.tolist() == [1]


@pytest.mark.parametrize(
    ("capacity", "path_s", "separation_deg", "height_m", "reason"),
    [
        (1, 0.01, 0.0, 550e3, ""),
        (0, 0.01, 0.0, 550e3, "no_beam_free"),
        (1, np.inf, 0.0, 550e3, "no_gateway_path"),
        (1, 0.01, 60.0, 550e3, "gso_arc"),
        (1, 0.01, 0.0, -550e3, "no_satellite_in_view"),
    ],
)
def test_a_cell_without_service_is_told_the_nearest_cause(
    capacity, path_s, separation_deg, height_m, reason
):
    sky = sky_of([overhead(47.37, 8.54, height_m)], [capacity], [path_s])
    found, _ = schedule_cells(ZURICH, None, sky, CellRule("shortest-path", 25.0, separation_deg))
    assert reason_names(found.reason).tolist() == [reason]


def test_a_cell_that_is_off_loses_its_satellite_and_gives_the_beam_to_another():
    disk = make_cells(h3.grid_disk(int(ZURICH.cell[0]), 1))
    sky = sky_of([overhead(47.37, 8.54)], [1], [0.01])
    first, state = schedule_cells(disk, None, sky, CellRule())
    assert np.flatnonzero(first.sat == 0).tolist() == [0]
    is_on = np.arange(len(disk)) != 0
    then, _ = schedule_cells(disk, state, sky, CellRule(), is_on)
    assert np.flatnonzero(then.sat == 0).tolist() == [1]
    assert reason_names(then.reason).tolist() == ["cell_is_disabled", "", *["no_beam_free"] * 5]


def test_cells_of_one_satellite_beyond_its_beams_are_let_go_from_the_last_on():
    disk = make_cells(h3.grid_disk(int(ZURICH.cell[0]), 1))
    sat = overhead(47.37, 8.54)
    _, state = schedule_cells(disk, None, sky_of([sat], [5], [0.01]), CellRule())
    then, _ = schedule_cells(disk, state, sky_of([sat], [2], [0.01]), CellRule())
    assert np.flatnonzero(then.sat == 0).tolist() == [0, 1]


def test_a_satellite_carries_as_many_cells_as_its_scarcer_beams():
    limits = BeamLimits(np.array([48, 48, 0], np.int32), np.array([16, 10, 16], np.int32))
    assert cell_capacity(limits).tolist() == [48, 30, 0]
    assert cell_capacity(limits, 4).tolist() == [192, 120, 0]


def test_no_cells_get_no_assignment():
    found, state = schedule_cells(
        make_cells(np.empty(0, np.uint64)),
        None,
        sky_of([overhead(0.0, 0.0)], [1], [0.01]),
        CellRule(),
    )
    assert found.sat.size == state.sat.size == 0


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: make_cells(np.array([h3.latlng_to_cell(0.0, 0.0, 4)])),
            "is no H3 cell of resolution 5",
        ),
        (lambda: CellRule("hightest"), 'rule = "hightest" is unknown for cells; use highest-elev'),
        (lambda: CellRule(min_elevation_deg=95.0), r"min_elevation_deg = 95.0 is outside 0..90"),
        (lambda: cell_capacity(one_satellite(48, 16), 0), "0 cells a beam; pass one count of 0 or"),
        (lambda: cell_capacity(one_satellite(48, -1)), "beams from -1 on"),
        (
            lambda: schedule_cells(
                ZURICH, CellState(np.array([4], np.int32)), SMALL_SKY, CellRule()
            ),
            "rows below 1; pass the state of the same cells and satellites",
        ),
        (
            lambda: schedule_cells(
                ZURICH, None, CellSky(SMALL_SKY.sat_itrf_m[:1], *vars_of(SMALL_SKY)), CellRule()
            ),
            "with both ends of the slot",
        ),
        (
            lambda: schedule_cells(ZURICH, None, SMALL_SKY, CellRule(), np.ones(3, np.bool_)),
            "pass one for each of 1 cells",
        ),
    ],
)
def test_bad_input_is_refused_with_what_to_pass(call, text):
    with pytest.raises(InputError, match=text):
        call()


def one_satellite(down: int, up: int) -> BeamLimits:
    return BeamLimits(np.array([down], np.int32), np.array([up], np.int32))


SMALL_SKY = sky_of([overhead(47.37, 8.54)], [1], [0.01])


def vars_of(sky: CellSky) -> tuple[np.ndarray, np.ndarray]:
    return sky.path_s, sky.capacity
