"""Which listed satellite a dish's pixels followed in each slot, and how surely.

The obstruction map is an azimuthal picture about the dish's boresight: an angle from the boresight
is a distance from the centre pixel.  Scale and rotation are found from the angles that the list of
candidates gives for the published labels; where the dish stands is neither asked nor derived.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from skyweave.errors import InputError
from skyweave.realism.observations import (
    MAP_PIXELS,
    SLOT_S,
    SkyList,
    Track,
    slot_start,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

CENTRE_PX = (MAP_PIXELS - 1) / 2.0
SCALE_DEG_PX = (0.8, 2.0)  # searched; two dishes have 1.30 and 1.32
ROUNDS = 4  # of fitting the map and leaving out labels that contradict it
CONTRADICTS_DEG = 5.0
LEAST_ROWS = 50
CLEAR_DEG = 3.0  # a clean slot's nearest candidate is within this of the track
MARGIN_DEG = 1.0  # and the second nearest at least so much worse
FOREIGN_DEG = 10.0  # a worse fit than this means that the files are of two dishes


class PixelMap(NamedTuple):
    """How the pixels of a dish's map lie in its sky."""

    turn_enu: FloatArray  # (3, 3) map axes (right, down, boresight) to east, north, up
    deg_per_px: float
    residual_deg: float  # median angle between pixels and labels

    @property
    def boresight_deg(self) -> tuple[float, float]:
        """Azimuth and elevation of the map's centre."""
        east, north, up = self.turn_enu[:, 2]
        azimuth_deg = np.degrees(np.arctan2(east, north)) % 360.0
        return float(azimuth_deg), float(np.degrees(np.arcsin(np.clip(up, -1.0, 1.0))))


class Labels(NamedTuple):
    """The satellite of each of K slots: rows of the sky list, -1 where it is not listed."""

    published: IntArray  # (K,)
    published_name: NDArray[np.str_]  # (K,) "" where the slot has no row
    nearest: IntArray  # (K,) the candidate nearest to the track; -1 where there is no track
    residual_deg: FloatArray  # (K,) of the nearest, averaged over the slot
    margin_deg: FloatArray  # (K,) by how much the second nearest is worse
    is_clean: BoolArray  # (K,)
    pixel_map: PixelMap


def directions_enu(azimuth_deg: FloatArray, elevation_deg: FloatArray) -> FloatArray:
    """Return unit vectors (P, 3) to east, north and up."""
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    level = np.cos(elevation)
    return np.stack([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)], axis=-1)


def label_slots(track: Track, sky: SkyList) -> Labels:
    """Return the published satellite of each slot of `sky` and the one nearest to its pixels."""
    rows = _Rows(track, sky)
    pixel_map = _fit_map(track, rows.published_enu())
    nearest, residual_deg, margin_deg = _nearest(rows, _seen_enu(track, pixel_map))
    return Labels(
        published=rows.published,
        published_name=rows.published_name,
        nearest=nearest,
        residual_deg=residual_deg,
        margin_deg=margin_deg,
        is_clean=(residual_deg < CLEAR_DEG) & (margin_deg >= MARGIN_DEG),
        pixel_map=pixel_map,
    )


class _Rows:
    """A track's rows by slot, and where each listed satellite stands at any second of its slot."""

    def __init__(self, track: Track, sky: SkyList) -> None:
        self.sky = sky
        starts = slot_start(track.t_utc)
        self.slot = _found(sky.slot_utc, starts)  # (M,) -1 where the list lacks the slot
        self.offset_s: FloatArray = (track.t_utc - starts).astype(np.float64) * 1e-9
        self.here, self.motion = _motion(sky)
        first = np.searchsorted(starts, sky.slot_utc, side="left").tolist()
        after = np.searchsorted(starts, sky.slot_utc, side="right").tolist()
        self.by_slot = [np.arange(a, b) for a, b in zip(first, after, strict=True)]
        names = [_commonest(track.name[rows]) for rows in self.by_slot]
        self.published_name = np.array(names, np.str_)
        self.published = np.array([_row_of(sky, k, n) for k, n in enumerate(names)], np.int64)
        self.own = np.where(self.slot >= 0, self.published[self.slot], -1)  # (M,)

    def published_enu(self) -> FloatArray:
        """Return the direction to the published satellite at each row's second, NaN without."""
        enu = self.at(self.own, self.offset_s)
        return np.where((self.own >= 0)[:, None], enu, np.nan)

    def at(self, listed: IntArray, offset_s: FloatArray) -> FloatArray:
        """Return unit vectors to listed satellites some seconds after their slot's start."""
        line = self.here[listed] + self.motion[listed] * offset_s[..., None]
        return np.asarray(line / np.linalg.norm(line, axis=-1, keepdims=True))


def _found(slot_utc: NDArray[np.datetime64], wanted: NDArray[np.datetime64]) -> IntArray:
    place = np.searchsorted(slot_utc, wanted).clip(max=slot_utc.size - 1)
    return np.where(slot_utc[place] == wanted, place, -1)


def _commonest(names: NDArray[np.str_]) -> str:
    """Return the name most rows of a slot carry, the first by name of several; "" of none."""
    if not names.size:
        return ""
    values, counts = np.unique(names, return_counts=True)
    return str(values[np.argmax(counts)])


def _row_of(sky: SkyList, slot: int, name: str) -> int:
    first, last = sky.start[slot], sky.start[slot + 1]
    found = np.flatnonzero(sky.name[first:last] == name)
    return int(first + found[0]) if found.size else -1


def _motion(sky: SkyList) -> tuple[FloatArray, FloatArray]:
    """Return each listed satellite's line of sight (P, 3) and its change per second.

    The line is direction times distance, which in 15 s is straight to 0.02 deg.  Its change comes
    from the list of the slot after, or of the slot before; 0 where neither holds the satellite.
    """
    range_m = np.where(np.isnan(sky.range_m), 1.0, sky.range_m)
    here = range_m[:, None] * directions_enu(sky.azimuth_deg, sky.elevation_deg)
    motion = np.zeros_like(here)
    is_next = np.diff(sky.slot_utc) == np.timedelta64(SLOT_S, "s")
    for k in np.flatnonzero(is_next)[::-1].tolist():
        middle = sky.start[k + 1]
        _, now, then = np.intersect1d(
            sky.name[sky.start[k] : middle], sky.name[middle : sky.start[k + 2]],
            return_indices=True,
        )  # fmt: skip
        now, then = now + sky.start[k], then + middle
        motion[now] = (here[then] - here[now]) / SLOT_S
        is_last = ~motion[then].any(axis=1)
        motion[then[is_last]] = motion[now[is_last]]
    return here, motion


def _map_axes(track: Track, deg_per_px: float) -> FloatArray:
    """Return each row's pixel as a unit vector (M, 3) to right, down and boresight of the map."""
    right, down = track.x_px - CENTRE_PX, track.y_px - CENTRE_PX
    off_px = np.hypot(right, down)
    off = np.radians(deg_per_px * off_px)
    scale = np.divide(np.sin(off), off_px, out=np.zeros_like(off), where=off_px > 0.0)
    return np.stack([scale * right, scale * down, np.cos(off)], axis=-1)


def _seen_enu(track: Track, pixel_map: PixelMap) -> FloatArray:
    return _map_axes(track, pixel_map.deg_per_px) @ pixel_map.turn_enu.T


def _fit_map(track: Track, label_enu: FloatArray) -> PixelMap:
    """Return the map that lays the pixels on the directions of the labels (M, 3) best."""
    known: BoolArray = np.asarray(np.isfinite(label_enu).all(axis=1))
    if known.sum() < LEAST_ROWS:
        raise InputError(
            f"{track.source}: only {int(known.sum())} of {known.size} rows name a satellite that "
            f"the candidates of their slot list; at least {LEAST_ROWS} are needed: are the files "
            "of one site?"
        )
    plain = _best_map(track, label_enu, known, mirrored=False)
    mirrored = _best_map(track, label_enu, known, mirrored=True)
    if mirrored.residual_deg < 0.5 * plain.residual_deg:
        raise InputError(
            f"{track.source}: the pixels fit the sky only when mirrored (median "
            f"{mirrored.residual_deg:.1f} deg off, else {plain.residual_deg:.1f} deg); are X and Y "
            "swapped, or one of them counted from the other side?"
        )
    if plain.residual_deg > FOREIGN_DEG:
        raise InputError(
            f"{track.source}: the pixels lie {plain.residual_deg:.1f} deg (median) from the "
            f"satellites they are taken for, expected some 1 deg; the files do not seem to be of "
            "one site and time"
        )
    return plain


def _best_map(track: Track, label_enu: FloatArray, known: BoolArray, mirrored: bool) -> PixelMap:
    kept = known
    for _ in range(ROUNDS):
        rows = np.flatnonzero(kept)

        def misfit(deg_per_px: float, rows: IntArray = rows) -> float:
            seen = _map_axes(track, deg_per_px)[rows]
            return _turn(seen, label_enu[rows], mirrored)[1]

        scale = float(minimize_scalar(misfit, bounds=SCALE_DEG_PX, method="bounded").x)
        axes = _map_axes(track, scale)
        turn_enu, _ = _turn(axes[rows], label_enu[rows], mirrored)
        off_deg = _angle_deg(axes @ turn_enu.T, label_enu)
        near = max(CONTRADICTS_DEG, float(np.median(off_deg[known])))
        kept = known & (np.nan_to_num(off_deg, nan=np.inf) < near)
    return PixelMap(turn_enu, scale, float(np.median(off_deg[known])))


def _turn(seen: FloatArray, wanted: FloatArray, mirrored: bool) -> tuple[FloatArray, float]:
    """Return the rotation that lays `seen` (M, 3) on `wanted` best, and the mean squared miss.

    Wahba's problem by singular values (Markley 1988); `mirrored` asks for a reflection instead.
    The map shows the sky from below: right, down and boresight are right-handed, as east, north
    and up are.
    """
    left, strength, right = np.linalg.svd(wanted.T @ seen)
    handed = np.sign(np.linalg.det(left) * np.linalg.det(right))
    sign = np.array([1.0, 1.0, -handed if mirrored else handed])
    miss = 2.0 - 2.0 * float(np.sum(strength * sign)) / len(seen)
    return np.asarray((left * sign) @ right), miss


def _angle_deg(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the angle between unit vectors (..., 3), from their chord."""
    chord = np.linalg.norm(one - other, axis=-1)
    return np.asarray(np.degrees(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0))))


def _nearest(rows: _Rows, seen_enu: FloatArray) -> tuple[IntArray, FloatArray, FloatArray]:
    """Return for each slot the listed satellite nearest to the track, how near, and the margin."""
    sky = rows.sky
    nearest = np.full(len(sky), -1, np.int64)
    residual_deg, margin_deg = np.full((2, len(sky)), np.nan)
    for k, seconds in enumerate(rows.by_slot):
        listed = np.arange(sky.start[k], sky.start[k + 1])
        if not seconds.size or not listed.size:
            continue
        there = rows.at(listed[:, None], rows.offset_s[None, seconds])  # (listed, seconds, 3)
        off_deg = _angle_deg(there, seen_enu[None, seconds]).mean(axis=1)
        order = np.argsort(off_deg, kind="stable")
        nearest[k], residual_deg[k] = listed[order[0]], off_deg[order[0]]
        margin_deg[k] = off_deg[order[1]] - off_deg[order[0]] if listed.size > 1 else np.inf
    return nearest, residual_deg, margin_deg
