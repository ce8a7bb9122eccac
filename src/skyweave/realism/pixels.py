"""From pixels of a dish's obstruction map to directions in the sky.

The middle of the map is where the dish's axis points (or the zenith, in a map turned to the
Earth), and the distance from it grows with the angle from there; 1.30 deg per pixel fit the records
at hand.  So a map is placed by a rotation and a scale.  Both are fitted to the directions of the
satellites that stood in the sky, again and again: each track is given to the satellite nearest to
it, then the map is turned to suit.  Nothing is learnt about where the dish stands.

That a map in the dish's own frame shows the sky as seen from below, with x to the first column, y
to row 0 and z out of the dish, was found here: with the attitude that the dish reports (body axes
to north, east, down) the fitted rotation of a recording on a turning vehicle (LEOViz, 2025-05-29)
is the identity within 0.2 deg.  In FRAME_EARTH the last column is east (README of SatInView).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.realism.maps import MAP_ROWS, PixelRecord
from skyweave.realism.observations import slot_start
from skyweave.time import TimeArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

MIN_STEPS = 4  # of a track: fewer tell a place but no motion
FREE_TRACKS = 8  # from which on the map's place in the sky is fitted without a clue
DEG_PER_PIXEL = 1.30
NEAR_DEG = 3.0  # a track this near to a satellite counts as explained

_MIDDLE = (MAP_ROWS - 1) / 2.0
_SCALES_DEG = (1.0, 1.6)
_SEARCH_TRACKS, _FIT_TRACKS = 48, 500
_SEARCH_CAP_DEG = 8.0  # about what chance gives: a track further off says nothing
_SEARCH_ELEVATIONS_DEG = (80.0, 70.0, 60.0, 50.0)
_CIRCLE_DEG = tuple(float(angle_deg) for angle_deg in range(0, 360, 10))
_UPRIGHT_ROLLS_DEG = (-10.0, 0.0, 10.0)  # of a dish mounted as meant
_SURE = 0.8  # share of tracks explained with which the search ends
_REFINED = 4  # of the best placings in the search
_ROUNDS = 12
_LEAST_ERROR_DEG = 0.5  # half a pixel: below it errors weigh alike


@dataclass(frozen=True, eq=False)
class SlotTrack:
    """What a dish painted in one slot: M steps."""

    slot_utc: np.datetime64
    utc: TimeArray  # (M,)
    row: FloatArray  # (M,)
    col: FloatArray  # (M,)
    pixels: int


@dataclass(frozen=True, eq=False)
class Calibration:
    """How a map lies in the sky (or, for a moving dish, on the dish)."""

    turn: FloatArray  # (3, 3) from map axes (as `map_lines`) to east, north, up or the dish's axes
    deg_per_pixel: float
    from_below: bool  # the map shows the sky as one sees it, with east left of north
    residual_deg: float = np.nan  # median over tracks, to the nearest satellite
    explained: float = 0.0  # share of tracks within NEAR_DEG of a satellite that moves as they do

    @property
    def centre_azimuth_deg(self) -> float:
        """Azimuth of the map's middle, any value where that is the zenith."""
        return float(np.degrees(np.arctan2(self.turn[0, 2], self.turn[1, 2])) % 360.0)

    @property
    def centre_elevation_deg(self) -> float:
        """Elevation of the map's middle."""
        return float(np.degrees(np.arcsin(np.clip(self.turn[2, 2], -1.0, 1.0))))

    @property
    def rotation_deg(self) -> float:
        """Azimuth of the map's top once the map is tilted level by the shortest way, -180 to 180.

        0 for a map turned to the Earth.
        """
        x, y, z = self.turn[:, 2]
        across = np.array([[0.0, 0.0, x], [0.0, 0.0, y], [-x, -y, 0.0]])
        tilt = np.eye(3) + across + across @ across / max(1.0 + z, 1e-9)  # zenith to middle
        top = (tilt.T @ self.turn)[:, 1]
        return float(np.degrees(np.arctan2(top[0], top[1])))


def slot_tracks(record: PixelRecord) -> list[SlotTrack]:
    """Return the record's steps by slot of 15 s, in order of time, with those that have none."""
    slot_utc = slot_start(record.utc)
    every_utc = np.union1d(record.slot_utc, slot_utc)
    bounds = [*np.searchsorted(slot_utc, every_utc), slot_utc.size]
    parts = zip(every_utc, bounds[:-1], bounds[1:], strict=True)
    return [
        SlotTrack(
            start_utc,
            record.utc[first:stop],
            record.row[first:stop],
            record.col[first:stop],
            int(record.pixels[first:stop].sum()),
        )
        for start_utc, first, stop in parts
    ]


def map_lines(
    row: FloatArray, col: FloatArray, deg_per_pixel: float, from_below: bool
) -> FloatArray:
    """Return unit vectors (M, 3) of pixels in the map's axes: y to row 0, z out of the middle.

    x completes them right-handed: to the last column of a map seen from above, to the first one of
    a map seen from below.
    """
    x = (_MIDDLE - col) if from_below else (col - _MIDDLE)
    y = _MIDDLE - row
    distance = np.hypot(x, y)
    theta = np.radians(distance * deg_per_pixel)
    across = np.sin(theta) / np.where(distance > 0.0, distance, 1.0)
    return np.stack([across * x, across * y, np.cos(theta)], axis=-1)


def track_lines(calibration: Calibration, track: SlotTrack) -> FloatArray:
    """Return where the calibration puts a track: unit vectors (M, 3)."""
    seen = map_lines(track.row, track.col, calibration.deg_per_pixel, calibration.from_below)
    return seen @ calibration.turn.T


def separation_deg(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the angle between unit vectors (..., 3), NaN where either is."""
    # Half the chord keeps its digits where the angle is small, as the cosine does not.
    half = np.linalg.norm(one - other, axis=-1) / 2.0
    return np.asarray(np.degrees(2.0 * np.arcsin(np.minimum(half, 1.0))))


def track_separation_deg(line: FloatArray, sky: FloatArray) -> FloatArray:
    """Return the distance of a track from each satellite, (K,): the median over its steps.

    `line` (M, 3) is the track, or (K, M, 3) one for each, `sky` (K, M, 3) where the satellites were
    at its moments, NaN where that is unknown.  The median heeds no step that still shows the
    satellite before, or a pixel lit by chance.  inf where nothing is known.
    """
    return _median(separation_deg(line, sky))


def track_spread_deg(line: FloatArray, sky: FloatArray) -> FloatArray:
    """Return how unevenly each satellite keeps its distance from a track, (K,).

    It is the median over the steps of what remains of the offset between track and satellite once
    the median offset is taken away: small where the satellite moves as the track does, whatever
    the calibration's error, and a quarter of the path where it flies the other way.
    """
    offset = line - sky
    with_last = np.moveaxis(offset, 1, 2)  # (K, 3, M)
    common = _median(with_last)[..., None]
    even = np.where(np.isfinite(common), with_last - common, np.nan)
    return np.degrees(_median(np.linalg.norm(even, axis=1)))


def _median(values: FloatArray) -> FloatArray:
    """Return the median (...) along the last axis of what is finite; inf where nothing is."""
    count = np.isfinite(values).sum(axis=-1)
    if not values.shape[-1]:
        return np.full(values.shape[:-1], np.inf)
    rising = np.sort(values, axis=-1)  # NaN last
    low, high = np.maximum(count - 1, 0) // 2, np.minimum(count // 2, values.shape[-1] - 1)
    pick = np.stack([low, high], axis=-1)
    middle = np.take_along_axis(rising, pick, axis=-1).mean(axis=-1)
    return np.where(count > 0, middle, np.inf)


class _Stack(NamedTuple):
    """T tracks of up to M steps and the P candidates of all, padded with NaN: no loop in a fit."""

    row: FloatArray  # (T, M)
    col: FloatArray  # (T, M)
    start: IntArray  # (T,) first candidate of each track
    owner: IntArray  # (P,) track of each candidate
    sky: FloatArray  # (P, M, 3)


def _stacked(tracks: Sequence[SlotTrack], skies: Sequence[FloatArray]) -> _Stack:
    most = max(track.row.size for track in tracks)
    place = np.full((2, len(tracks), most), np.nan)
    counts = np.array([len(sky) for sky in skies])
    start = np.cumsum(counts) - counts
    stack = np.full((int(counts.sum()), most, 3), np.nan)
    for n, (track, sky) in enumerate(zip(tracks, skies, strict=True)):
        place[:, n, : track.row.size] = track.row, track.col
        stack[start[n] : start[n] + len(sky), : track.row.size] = sky
    return _Stack(place[0], place[1], start, np.repeat(np.arange(len(tracks)), counts), stack)


def calibrate(
    tracks: Sequence[SlotTrack],
    skies: Sequence[FloatArray],
    known_turns: Sequence[FloatArray],
) -> Calibration:
    """Return how the map lies in the sky of the satellites, best of all placings tried.

    `skies` holds for each track where the K satellites of its slot were, (K, M, 3), K above 0.
    `known_turns` are rotations to begin with, from what is known of the dish; where none of them
    explains the tracks and there are FREE_TRACKS of them, all directions of the dish are tried.
    """
    most, few = (_stacked([tracks[n] for n in rows], [skies[n] for n in rows])
                 for rows in (_spread(len(tracks), _FIT_TRACKS),
                              _spread(len(tracks), _SEARCH_TRACKS)))  # fmt: skip
    best = Calibration(np.eye(3), DEG_PER_PIXEL, from_below=True)
    for turn, below in product(known_turns, (True, False)):
        best = _better(best, _refined(Calibration(turn, DEG_PER_PIXEL, below), most))
    for rolls_deg in (_UPRIGHT_ROLLS_DEG, _CIRCLE_DEG):
        if best.explained >= _SURE or len(tracks) < FREE_TRACKS:
            break
        found = best
        for placing in _searched(few, rolls_deg):
            found = _better(found, _refined(placing, few))
        best = _better(best, _refined(found, most))
    return best


def _spread(count: int, most: int) -> list[int]:
    """Return at most `most` rows of `count`, evenly spread."""
    return [int(row) for row in np.linspace(0, count - 1, min(most, count))]


def _better(one: Calibration, other: Calibration) -> Calibration:
    return other if _merit(other) > _merit(one) else one


def _merit(calibration: Calibration) -> tuple[float, float]:
    residual_deg = calibration.residual_deg
    return round(calibration.explained, 2), -residual_deg if np.isfinite(residual_deg) else -np.inf


def _searched(stack: _Stack, rolls_deg: Sequence[float]) -> list[Calibration]:
    """Return the placings under which the tracks' middles lie nearest to satellites."""
    turns = np.array([_turn(*angles) for angles in _search_angles(rolls_deg)])
    found = []
    for below in (True, False):
        lines = map_lines(stack.row, stack.col, DEG_PER_PIXEL, below)
        total_deg = np.zeros(len(turns))
        for track, line in enumerate(lines):
            total_deg += _nearest_deg(line, stack.sky[stack.owner == track], turns)
        best = np.argsort(total_deg, kind="stable")[:_REFINED]
        found += [Calibration(turns[n], DEG_PER_PIXEL, below) for n in best]
    return found


def _nearest_deg(line: FloatArray, sky: FloatArray, turns: FloatArray) -> FloatArray:
    """Return how far a track's middle is from the nearest satellite under each turn, capped."""
    middle = int(np.isfinite(line[:, 0]).sum()) // 2
    there = sky[np.isfinite(sky[:, middle]).all(axis=1), middle]
    if not len(there):
        return np.zeros(len(turns))
    cosine = (there @ (turns @ line[middle]).T).max(axis=0)
    return np.asarray(np.minimum(np.degrees(np.arccos(np.clip(cosine, -1, 1))), _SEARCH_CAP_DEG))


def _search_angles(rolls_deg: Sequence[float]) -> list[tuple[float, float, float]]:
    """Return azimuths, elevations and rolls to try; at the zenith a roll is all there is."""
    return [
        *product([0.0], [90.0], _CIRCLE_DEG),
        *product(_CIRCLE_DEG, _SEARCH_ELEVATIONS_DEG, rolls_deg),
    ]


def _turn(azimuth_deg: float, elevation_deg: float, roll_deg: float) -> FloatArray:
    """Return the turn whose middle is a direction, with y upward there but for a roll."""
    level = boresight_turn(azimuth_deg, elevation_deg)
    cos, sin = np.cos(np.radians(roll_deg)), np.sin(np.radians(roll_deg))
    return np.asarray(level @ np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]]))


def boresight_turn(azimuth_deg: float, elevation_deg: float) -> FloatArray:
    """Return the axes (3, 3) of a dish that stands upright: x level, y upward, z its boresight."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    z = line_enu(azimuth_deg, elevation_deg)
    x = np.array([-np.cos(azimuth), np.sin(azimuth), 0.0])
    y = np.array([-np.sin(elevation) * np.sin(azimuth), -np.sin(elevation) * np.cos(azimuth),
                  np.cos(elevation)])  # fmt: skip
    return np.stack([x, y, z], axis=1)


def line_enu(azimuth_deg: FloatArray | float, elevation_deg: FloatArray | float) -> FloatArray:
    """Return unit vectors (..., 3), east, north, up, of directions."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    return np.stack(
        [np.cos(elevation) * np.sin(azimuth), np.cos(elevation) * np.cos(azimuth),
         np.sin(elevation)],
        axis=-1,
    )  # fmt: skip


def _refined(placing: Calibration, stack: _Stack) -> Calibration:
    """Return a placing fitted, round after round, to the satellites nearest to the tracks."""
    for turn in range(_ROUNDS):
        within_deg = max(NEAR_DEG, 4.0 * NEAR_DEG / (turn + 1))
        nearest, apart_deg, _ = _nearest(placing, stack)
        tracks = np.flatnonzero(apart_deg < within_deg)
        if tracks.size < 3:
            break
        line, row, col = stack.sky[nearest[tracks]], stack.row[tracks], stack.col[tracks]
        known = np.isfinite(line).all(axis=-1)
        before, placing = placing, _fitted(placing, row[known], col[known], line[known])
        if within_deg == NEAR_DEG and np.allclose(before.turn, placing.turn, rtol=0.0, atol=1e-5):
            break
    _, apart_deg, spread_deg = _nearest(placing, stack)
    explained = np.hypot(apart_deg, 2.0 * spread_deg) < NEAR_DEG
    return replace(
        placing, residual_deg=float(np.median(apart_deg)), explained=float(np.mean(explained))
    )


def _nearest(placing: Calibration, stack: _Stack) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return each track's nearest candidate, its distance, and how unevenly it keeps it, (T,)."""
    seen = map_lines(stack.row, stack.col, placing.deg_per_pixel, placing.from_below)
    line = seen @ placing.turn.T
    apart_deg = track_separation_deg(line[stack.owner], stack.sky)
    nearest = np.lexsort((apart_deg, stack.owner))[stack.start]
    return nearest, apart_deg[nearest], track_spread_deg(line, stack.sky[nearest])


def _fitted(
    placing: Calibration, row: FloatArray, col: FloatArray, line: FloatArray
) -> Calibration:
    """Return the rotation and scale that bring pixels nearest to lines, large errors weighing less.

    The rotation is that of Kabsch (1976), the scale the weighted regression of angles from the
    middle on distances from it; errors count by their size, not its square.
    """
    turn, deg_per_pixel = placing.turn, placing.deg_per_pixel
    distance = np.hypot(row - _MIDDLE, col - _MIDDLE)
    for _ in range(3):
        seen = map_lines(row, col, deg_per_pixel, placing.from_below)
        weight = 1.0 / np.maximum(separation_deg(seen @ turn.T, line), _LEAST_ERROR_DEG)
        turn = _rotation(seen, line, weight)
        angle_deg = separation_deg(np.broadcast_to(turn[:, 2], line.shape), line)
        pull = weight * distance
        if np.sum(pull * distance) > 0.0:
            slope = np.sum(pull * angle_deg) / np.sum(pull * distance)
            deg_per_pixel = float(np.clip(slope, *_SCALES_DEG))
    return replace(placing, turn=turn, deg_per_pixel=deg_per_pixel)


def _rotation(seen: FloatArray, line: FloatArray, weight: FloatArray) -> FloatArray:
    """Return the rotation (3, 3) that turns `seen` (P, 3) nearest to `line` (P, 3)."""
    left, _, right = np.linalg.svd((line * weight[:, None]).T @ seen)
    proper = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    return np.asarray(left @ proper @ right)
