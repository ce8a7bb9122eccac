"""From pixels to the sky: geometry, robust distances, and the fit of a map's place."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from skyweave.errors import InputError
from skyweave.realism.attitude import read_attitude
from skyweave.realism.maps import UNKNOWN, PixelRecord
from skyweave.realism.pixels import (
    FREE_TRACKS,
    Calibration,
    SlotTrack,
    _median,
    _rotation,
    boresight_turn,
    calibrate,
    line_enu,
    map_lines,
    separation_deg,
    slot_tracks,
    track_separation_deg,
    track_spread_deg,
)

EXACT = 1e-12
SLOT_UTC = np.datetime64("2026-05-28T20:26:42", "ns")


def track_of(row: np.ndarray, col: np.ndarray, slot: int = 0) -> SlotTrack:
    """Return a track with one step a second."""
    slot_utc = SLOT_UTC + slot * np.timedelta64(15, "s")
    utc = slot_utc + np.arange(row.size) * np.timedelta64(1, "s")
    return SlotTrack(slot_utc, utc, row, col, row.size)


@pytest.mark.parametrize(
    ("row", "col", "azimuth_deg"), [(41.0, 61.0, 0.0), (61.0, 81.0, 90.0), (81.0, 61.0, 180.0)]
)
def test_a_map_from_above_has_north_at_the_top_and_east_at_the_right(row, col, azimuth_deg):
    line = map_lines(np.array([row]), np.array([col]), 1.3, from_below=False)
    expected = line_enu(np.array([azimuth_deg]), np.array([90.0 - 20 * 1.3]))
    np.testing.assert_allclose(line, expected, atol=EXACT)


def test_a_map_from_below_swaps_left_and_right_alone():
    row, col = np.array([30.0, 80.0]), np.array([40.0, 100.0])
    above, below = (map_lines(row, col, 1.3, from_below=below) for below in (False, True))
    np.testing.assert_allclose(below, above * [-1.0, 1.0, 1.0], atol=EXACT)


def test_the_middle_pixel_is_the_axis_itself():
    middle = np.array([61.0])
    np.testing.assert_array_equal(map_lines(middle, middle, 1.3, True), [[0.0, 0.0, 1.0]])


def test_an_upright_dish_has_a_level_x_axis_and_looks_along_its_boresight():
    turn = boresight_turn(159.0, 62.0)
    np.testing.assert_allclose(turn.T @ turn, np.eye(3), atol=EXACT)
    assert np.linalg.det(turn) == pytest.approx(1.0, abs=EXACT)
    np.testing.assert_allclose(turn[:, 2], line_enu(159.0, 62.0), atol=EXACT)
    assert turn[2, 0] == 0.0
    assert turn[2, 1] > 0.0


def test_angles_name_where_the_map_lies():
    plain = Calibration(np.eye(3), 1.3, True)
    assert (plain.rotation_deg, plain.centre_elevation_deg) == (0.0, 90.0)
    turned = Calibration(Rotation.from_euler("z", -35.0, degrees=True).as_matrix(), 1.3, True)
    assert turned.rotation_deg == pytest.approx(35.0)
    tilted = Calibration(boresight_turn(159.0, 62.0), 1.3, True)
    assert tilted.centre_azimuth_deg == pytest.approx(159.0)
    assert tilted.centre_elevation_deg == pytest.approx(62.0)
    # Its top points back over the dish: level, that is north by 21 deg west.
    assert tilted.rotation_deg == pytest.approx(159.0 - 180.0)


def test_a_record_is_cut_at_the_seconds_where_slots_begin():
    utc = SLOT_UTC + np.array([0, 14, 15, 29, 31]) * np.timedelta64(1, "s")
    place = np.arange(5.0)
    slots = SLOT_UTC + np.arange(4) * np.timedelta64(15, "s")
    record = PixelRecord("x", utc, place, place, np.ones(5, np.int64), UNKNOWN, slots)
    tracks = slot_tracks(record)
    assert [track.row.tolist() for track in tracks] == [[0.0, 1.0], [2.0, 3.0], [4.0], []]
    assert [track.slot_utc for track in tracks] == [
        SLOT_UTC + np.timedelta64(15 * k, "s") for k in range(4)
    ]
    nothing = PixelRecord(
        "x", utc[:0], place[:0], place[:0], np.ones(0, np.int64), UNKNOWN, slots[:0]
    )
    assert slot_tracks(nothing) == []


def test_medians_leave_out_what_is_unknown_as_numpy_does():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(200, 9))
    values[rng.random(values.shape) < 0.4] = np.nan
    some = np.isfinite(values).any(axis=1)
    np.testing.assert_allclose(_median(values)[some], np.nanmedian(values[some], axis=1))
    assert (_median(np.full((2, 3), np.nan)) == np.inf).all()
    assert _median(np.zeros((2, 0))).tolist() == [np.inf, np.inf]


def test_a_few_stray_steps_move_neither_distance_nor_spread():
    path = line_enu(np.linspace(10.0, 20.0, 14), np.linspace(50.0, 55.0, 14))
    stray = path.copy()
    stray[:4] = line_enu(200.0, 40.0)
    reversed_path = path[::-1]
    sky = np.stack([path, reversed_path])
    distance_deg, spread_deg = track_separation_deg(stray, sky), track_spread_deg(stray, sky)
    np.testing.assert_allclose([distance_deg[0], spread_deg[0]], 0.0, atol=1e-6)
    assert spread_deg[1] > 1.0


def test_the_weighted_rotation_is_that_of_scipy():
    rng = np.random.default_rng(2)
    true = Rotation.random(random_state=3)
    seen = rng.normal(size=(40, 3))
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    line = true.apply(seen) + rng.normal(scale=0.05, size=seen.shape)
    weight = rng.uniform(0.1, 3.0, size=40)
    expected, _ = Rotation.align_vectors(line, seen, weights=weight)
    np.testing.assert_allclose(_rotation(seen, line, weight), expected.as_matrix(), atol=1e-9)


def made_sky(rng: np.random.Generator, satellites: int) -> np.ndarray:
    """Return satellites that cross the upper sky on great circles for 14 s, (K, 14, 3)."""
    start = line_enu(rng.uniform(0, 360, satellites), rng.uniform(25, 88, satellites))
    axis = np.cross(start, rng.normal(size=start.shape))
    axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    rate = np.radians(rng.uniform(0.3, 0.8, satellites))
    angles = np.arange(14)[:, None, None] * (axis * rate[:, None])[None]
    turned = [Rotation.from_rotvec(angles[t]).apply(start) for t in range(14)]
    return np.stack(turned, axis=1)


@pytest.mark.parametrize("from_below", [True, False])
@pytest.mark.parametrize("boresight", [(159.0, 62.0, 4.0), (310.0, 75.0, -8.0)])
def test_the_place_of_a_map_is_found_without_a_clue(from_below, boresight):
    rng = np.random.default_rng(4)
    azimuth_deg, elevation_deg, roll_deg = boresight
    roll = Rotation.from_euler("z", roll_deg, degrees=True).as_matrix()
    true = Calibration(boresight_turn(azimuth_deg, elevation_deg) @ roll, 1.34, from_below)
    tracks, skies = [], []
    for slot in range(3 * FREE_TRACKS):
        sky = made_sky(rng, 30)
        at = int(np.argmax(sky[:, 7] @ true.turn[:, 2] > np.cos(np.radians(45.0))))
        x, y, z = (sky[at] @ true.turn).T
        distance = np.degrees(np.arccos(z)) / true.deg_per_pixel / np.hypot(x, y)
        col = 61.0 + (-x if from_below else x) * distance
        tracks.append(track_of(np.round(61.0 - y * distance), np.round(col), slot))
        skies.append(sky)
    found = calibrate(tracks, skies, [])
    assert found.from_below is from_below
    assert found.explained == 1.0
    half_a_pixel_deg = 0.65
    assert found.residual_deg < half_a_pixel_deg
    assert found.deg_per_pixel == pytest.approx(1.34, abs=0.01)
    error_deg = np.degrees(Rotation.from_matrix(found.turn.T @ true.turn).magnitude())
    assert error_deg < 0.3


def test_attitude_is_the_quaternion_from_body_to_north_east_down(tmp_path):
    rng = np.random.default_rng(5)
    turns = Rotation.random(3, random_state=6)
    quaternion = turns.as_quat()[:, [3, 0, 1, 2]]
    quaternion[1] *= -1.0  # the same attitude, written the other way
    names = "timestamp," + ",".join(f"quaternion_q{part}" for part in ("Scalar", "X", "Y", "Z"))
    rows = [
        ",".join(map(repr, [1.78e9 + n, *quaternion[n].tolist()]))
        for n in rng.permutation(3).tolist()
    ]
    (tmp_path / "status.csv").write_text("\n".join([names, *rows]))
    attitude = read_attitude(tmp_path / "status.csv")
    utc = np.datetime64(1_780_000_000, "s") + np.array([0, 1, 2, 60]) * np.timedelta64(1, "s")
    matrix = attitude.body_to_enu(utc)
    north, east, down = np.moveaxis(turns.as_matrix(), 1, 0)
    np.testing.assert_allclose(matrix[:3], np.stack([east, north, -down], axis=1), atol=1e-9)
    assert np.isnan(matrix[3]).all()


def test_an_attitude_between_two_reports_lies_between_them(tmp_path):
    names = "timestamp,quaternion_qScalar,quaternion_qX,quaternion_qY,quaternion_qZ"
    quaternion = [Rotation.from_euler("z", a, degrees=True).as_quat() for a in (0.0, 10.0)]
    rows = [f"{1.78e9 + n},{q[3]},{q[0]},{q[1]},{q[2]}" for n, q in enumerate(quaternion)]
    (tmp_path / "status.csv").write_text("\n".join([names, *rows]))
    half = np.array([np.datetime64(1_780_000_000_500, "ms")])
    matrix = read_attitude(tmp_path / "status.csv").body_to_enu(half)[0]
    axis_ned = Rotation.from_euler("z", 5.0, degrees=True).as_matrix()[:, 0]
    np.testing.assert_allclose(matrix[:, 0], axis_ned[[1, 0, 2]] * [1, 1, -1], atol=1e-9)


@pytest.mark.parametrize(
    ("row", "advice"),
    [
        ("1780000000,2,0,0,0", r"line 2: quaternion_qscalar = 2: expected -1.01 to 1.01"),
        ("1780000000,0.5,0,0,0", r"line 2: a quaternion of length 0.500; expected 1"),
        ("1,1,0,0,0", "expected 1e\\+08 to 4e\\+09"),
        ("", "0 reports; expected two or more"),
    ],
)
def test_an_unfit_attitude_is_refused(tmp_path, row, advice):
    names = "timestamp,quaternion_qScalar,quaternion_qX,quaternion_qY,quaternion_qZ"
    rows = [names, row, row] if row else [names]
    (tmp_path / "status.csv").write_text("\n".join(rows))
    with pytest.raises(InputError, match=advice):
        read_attitude(tmp_path / "status.csv")


def test_separation_keeps_its_digits_near_zero():
    one, other = line_enu(0.0, 45.0), line_enu(0.0, 45.0 + 1e-7)
    assert separation_deg(one, other) == pytest.approx(1e-7, rel=1e-6)
