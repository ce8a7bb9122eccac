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
_SEARCH_TRACKS = 48
_SEARCH_CAP_DEG = 8.0  # about what chance gives: a track further off says nothing
_SEARCH_ELEVATIONS_DEG = (90.0, 80.0, 70.0, 60.0, 50.0)
_SEARCH_STEP_DEG = 10.0
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
    explained: float = 0.0  # share of tracks within NEAR_DEG of a satellite

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
    """Return the record's steps by slot of 15 s, in order of time."""
    slot_utc = slot_start(record.utc)
    starts = np.flatnonzero(np.diff(slot_utc.astype(np.int64), prepend=np.iinfo(np.int64).min))
    return [
        SlotTrack(
            slot_utc[rows[0]],
            record.utc[rows],
            record.row[rows],
            record.col[rows],
            int(record.pixels[rows].sum()),
        )
        for rows in np.split(np.arange(slot_utc.size), starts[1:])
        if rows.size
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

    `line` (M, 3) is the track, `sky` (K, M, 3) where the satellites were at its moments, NaN where
    that is unknown.  The median heeds no step that still shows the satellite before, or a pixel
    lit by chance.
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


def calibrate(
    tracks: Sequence[SlotTrack],
    skies: Sequence[FloatArray],
    known_turns: Sequence[FloatArray],
) -> Calibration:
    """Return how the map lies in the sky of the satellites, best of all placings tried.

    `skies` holds for each track where the K satellites of its slot were, (K, M, 3).  `known_turns`
    are rotations to begin with, from what is known of the dish; where none of them explains the
    tracks and there are FREE_TRACKS of them, all directions of the dish are tried.
    """
    best = Calibration(np.eye(3), DEG_PER_PIXEL, from_below=True)
    placings = [
        Calibration(turn, DEG_PER_PIXEL, below) for turn in known_turns for below in (True, False)
    ]
    for placing in placings:
        best = _better(best, _refined(placing, tracks, skies))
    if len(tracks) >= FREE_TRACKS and best.explained < 0.8:
        few = np.linspace(0, len(tracks) - 1, min(_SEARCH_TRACKS, len(tracks))).astype(int)
        some, some_skies = [tracks[n] for n in few], [skies[n] for n in few]
        found = best
        for placing in _searched(some, some_skies):
            found = _better(found, _refined(placing, some, some_skies))
        best = _better(best, _refined(found, tracks, skies))
    return best


def _better(one: Calibration, other: Calibration) -> Calibration:
    return other if _merit(other) > _merit(one) else one


def _merit(calibration: Calibration) -> tuple[float, float]:
    residual_deg = calibration.residual_deg
    return round(calibration.explained, 2), -residual_deg if np.isfinite(residual_deg) else -np.inf


def _searched(tracks: Sequence[SlotTrack], skies: Sequence[FloatArray]) -> list[Calibration]:
    """Return the placings under which the tracks' middles lie nearest to satellites."""
    turns = np.array([_turn(*angles) for angles in _search_angles()])
    found = []
    for below in (True, False):
        total_deg = sum(_nearest_deg(track, sky, turns, below)
                        for track, sky in zip(tracks, skies, strict=True))  # fmt: skip
        best = np.argsort(total_deg, kind="stable")[:_REFINED]
        found += [Calibration(turns[n], DEG_PER_PIXEL, below) for n in best]
    return found


def _nearest_deg(
    track: SlotTrack, sky: FloatArray, turns: FloatArray, from_below: bool
) -> FloatArray:
    """Return how far a track's middle is from the nearest satellite under each turn, capped."""
    middle = track.utc.size // 2
    line = map_lines(track.row, track.col, DEG_PER_PIXEL, from_below)[middle]
    there = sky[np.isfinite(sky[:, middle]).all(axis=1), middle]
    if not len(there):
        return np.zeros(len(turns))
    cosine = (there @ (turns @ line).T).max(axis=0)
    return np.asarray(np.minimum(np.degrees(np.arccos(np.clip(cosine, -1, 1))), _SEARCH_CAP_DEG))


def _search_angles() -> list[tuple[float, float, float]]:
    circle = np.arange(0.0, 360.0, _SEARCH_STEP_DEG).tolist()
    tilted = [angles for angles in _SEARCH_ELEVATIONS_DEG if angles < 90.0]
    return [
        *product([0.0], [90.0], circle),
        *product(circle, tilted, circle),
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


def _refined(
    placing: Calibration, tracks: Sequence[SlotTrack], skies: Sequence[FloatArray]
) -> Calibration:
    """Return a placing fitted, round after round, to the satellites nearest to the tracks."""
    for turn in range(_ROUNDS):
        within_deg = max(NEAR_DEG, 4.0 * NEAR_DEG / (turn + 1))
        pairs = _matched(placing, tracks, skies, within_deg)
        if len(pairs) < 3:
            break
        rows, cols, lines = (np.concatenate(part) for part in zip(*pairs, strict=True))
        placing = _fitted(placing, rows, cols, lines)
    return _graded(placing, tracks, skies)


def _matched(
    placing: Calibration,
    tracks: Sequence[SlotTrack],
    skies: Sequence[FloatArray],
    within_deg: float,
) -> list[tuple[FloatArray, FloatArray, FloatArray]]:
    """Return rows, columns and satellite lines of the tracks that have a satellite near."""
    pairs = []
    for track, sky in zip(tracks, skies, strict=True):
        apart_deg = track_separation_deg(track_lines(placing, track), sky)
        nearest = int(np.argmin(apart_deg))
        if apart_deg[nearest] < within_deg:
            known = np.isfinite(sky[nearest]).all(axis=1)
            pairs.append((track.row[known], track.col[known], sky[nearest][known]))
    return pairs


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


def _graded(
    placing: Calibration, tracks: Sequence[SlotTrack], skies: Sequence[FloatArray]
) -> Calibration:
    nearest_deg = np.array(
        [
            track_separation_deg(track_lines(placing, track), sky).min(initial=np.inf)
            for track, sky in zip(tracks, skies, strict=True)
        ]
    )
    return replace(
        placing,
        residual_deg=float(np.median(nearest_deg)),
        explained=float(np.mean(nearest_deg < NEAR_DEG)),
    )
