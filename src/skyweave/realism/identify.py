"""Which satellite served a dish, slot by slot, told from its obstruction maps.

What came new in the map from one second to the next is the track of the serving satellite.  Each
slot's track is laid over the candidates of that slot, computed from elements for a place that the
user states (a city suffices) or read from a list of directions; the candidate that was where the
track was, and moved as it moved, is the one.  How the map lies in the sky is fitted from the tracks
themselves.  The method is that of SatInView (LEO-NET 2024), with the calibration added.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import earth_orientation, geodetic_to_itrf
from skyweave.realism.attitude import Attitude, read_attitude
from skyweave.realism.maps import DISH, EARTH, PixelRecord, read_maps
from skyweave.realism.observations import SLOT_S, SkyList, read_sky_list
from skyweave.realism.pixels import (
    FREE_TRACKS,
    MIN_STEPS,
    NEAR_DEG,
    Calibration,
    SlotTrack,
    boresight_turn,
    calibrate,
    line_enu,
    separation_deg,
    slot_tracks,
    track_lines,
    track_separation_deg,
    track_spread_deg,
)
from skyweave.time import TimeGrid, format_utc, instants
from skyweave.twin.catalogue.altitude import mean_altitude_m
from skyweave.twin.catalogue.classes import classify, constellations
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.catalogue.read import read_catalogue
from skyweave.twin.catalogue.select import age_days, nearest_epoch
from skyweave.twin.geometry.look import look_angles
from skyweave.twin.orbits.propagation import propagate
from skyweave.twin.orbits.records import initialise

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

MIN_ELEVATION_DEG = 20.0  # a tilted dish sees below the 25 deg at which service begins
OPERATOR = "STARLINK"  # its dishes draw such maps; where elements name none, all may serve
MIN_ALTITUDE_M = 430e3  # lower ones are on their way up or down and serve nobody
LEAST_CONFIDENCE = 0.5
# Of recorded tracks 95 % and more are explained, of a dozen laid over a wrong sky up to 67 %.
LEAST_EXPLAINED = 0.75
BORESIGHT_ERROR_DEG = 20.0  # a boresight given that differs more from the fitted one is reported

TOO_FEW, NO_CANDIDATES = "too few new pixels", "no candidates for the slot"
NO_ATTITUDE, NONE_NEAR = "no attitude of the dish", "no satellite near the track"
ALIKE = "two satellites fit alike"

_LEAST_ERROR_DEG = 0.5
_SLOTS_AT_ONCE = 16  # whose satellites are held in memory
_EARLY_S = 3.0  # within which a satellite listed once has not moved far from where it was listed
_NO_SERVICE = ("direct_to_cell", "decayed", "error")


class Sky(NamedTuple):
    """The K candidates of one slot at the M moments of its track."""

    name: NDArray[np.str_]  # (K,)
    norad_id: IntArray  # (K,) -1 where unknown
    line: FloatArray  # (K, M, 3) unit vectors; NaN where the direction is unknown


@dataclass(frozen=True)
class Match:
    """The satellite that suits a slot's track best, and how well."""

    nearest: int  # row of the sky
    second: int  # row of the sky, -1 where there is one candidate only
    residual_deg: float
    margin_deg: float  # by how much the second is further off; inf without a second
    confidence: float  # probability of the nearest, 0 to 1
    stray: float  # probability that it is none of the candidates


def identify(
    maps: str | Path,
    elements: str | Path | None,
    *,
    site: tuple[float, float] | None = None,
    start_utc: np.datetime64 | None = None,
    boresight: tuple[float, float] | None = None,
    attitude: str | Path | None = None,
    max_age_days: float = 2.0,
    candidates: str | Path | None = None,
) -> dict[str, Any]:
    """Return which satellite served in each slot that the maps tell of.

    `site` is latitude and longitude in degrees, good to a city; `boresight` azimuth and elevation
    of a dish that stands still; `attitude` the status file of one that moves.  `candidates` is a
    list of directions by slot in the form of `fov_data_SITE.json`; with it neither elements nor
    site is needed.  Elements more than `max_age_days` from the maps are left out.
    """
    record = read_maps(maps, start_utc)
    tracks = slot_tracks(record)
    if not any(track.utc.size >= MIN_STEPS for track in tracks):
        raise InputError(
            f"{maps}: no slot has {MIN_STEPS} new pixels one after the other; save a map each "
            "second, and let the dish clear its map now and then"
        )
    poses = _poses(attitude, record, tracks)
    skies, warnings = _skies(elements, site, candidates, tracks, max_age_days)
    skies = [sky if pose is None else _on_dish(sky, pose)
             for sky, pose in zip(skies, poses, strict=True)]  # fmt: skip
    reasons = [_missing(*parts) for parts in zip(tracks, skies, strict=True)]
    calibration = _calibration(record, tracks, skies, reasons, boresight, attitude is not None)
    warnings += _calibration_warnings(record, calibration, boresight, attitude is not None)
    return _document(record, tracks, skies, reasons, calibration, warnings)


# Candidates


def _skies(
    elements: str | Path | None,
    site: tuple[float, float] | None,
    candidates: str | Path | None,
    tracks: Sequence[SlotTrack],
    max_age_days: float,
) -> tuple[list[Sky], list[str]]:
    if candidates is not None:
        listed = read_sky_list(candidates)
        ids = _norad_ids(read_catalogue(elements)) if elements is not None else {}
        if not np.isin([track.slot_utc for track in tracks], listed.slot_utc).any():
            raise InputError(
                f"{candidates}: lists slots from {format_utc(listed.slot_utc[0])} to "
                f"{format_utc(listed.slot_utc[-1])}, none of the maps' (from "
                f"{format_utc(tracks[0].slot_utc)}); give the list of that recording"
            )
        return [listed_sky(listed, track, ids) for track in tracks], []
    if elements is None or site is None:
        raise InputError(
            "identify needs elements and a site, or a list of candidates; give --elements FILE and "
            "--site LAT,LON (a city suffices)"
        )
    catalogue, warnings = _usable(elements, tracks, max_age_days)
    return computed_skies(catalogue, site, tracks), warnings


def _norad_ids(catalogue: Catalogue) -> dict[str, int]:
    names = (name.strip().upper() for name in catalogue.name.tolist())
    return dict(zip(names, catalogue.norad_id.tolist(), strict=True))


def listed_sky(listed: SkyList, track: SlotTrack, norad_ids: dict[str, int]) -> Sky:
    """Return the listed candidates of a track's slot, moved from one listing to the next.

    A list says where each satellite is when a slot begins.  In between it moves on the straight
    line to where the next list has it, or goes on as it came; one that stands in this list alone is
    known for the first seconds only.
    """
    here = _rows_of(listed, track.slot_utc)
    step = np.timedelta64(SLOT_S, "s")
    before, after = _rows_of(listed, track.slot_utc - step), _rows_of(listed, track.slot_utc + step)
    share = ((track.utc - track.slot_utc) / step).astype(np.float64)
    names = sorted(here)
    line = np.full((len(names), share.size, 3), np.nan)
    for k, name in enumerate(names):
        start = here[name]
        if name in after:
            motion = after[name] - start
        elif name in before:
            motion = start - before[name]
        else:
            line[k, share * SLOT_S < _EARLY_S] = start
            continue
        line[k] = start + share[:, None] * motion
    line /= np.linalg.norm(line, axis=-1, keepdims=True)
    ids = np.array([norad_ids.get(name, -1) for name in names], dtype=np.int64)
    return Sky(np.array(names, dtype=np.str_), ids, line)


def _rows_of(listed: SkyList, slot_utc: np.datetime64) -> dict[str, FloatArray]:
    """Return where the listed satellites of a slot are, by name; east, north, up.

    With ranges these are places, between which motion is straight and even; else unit vectors,
    which puts a satellite 0.1 deg off half-way through its slot at worst.
    """
    slot = int(np.searchsorted(listed.slot_utc, slot_utc))
    if slot == len(listed) or listed.slot_utc[slot] != slot_utc:
        return {}
    rows = slice(listed.start[slot], listed.start[slot + 1])
    places = line_enu(listed.azimuth_deg[rows], listed.elevation_deg[rows])
    if np.isfinite(listed.range_m).all():
        places = places * listed.range_m[rows, None]
    return dict(zip(listed.name[rows].tolist(), places, strict=True))


def _usable(
    elements: str | Path, tracks: Sequence[SlotTrack], max_age_days: float
) -> tuple[Catalogue, list[str]]:
    """Return the satellites that may serve and whose elements are of the maps' time."""
    if not max_age_days > 0.0:
        raise InputError(f"max_age_days = {max_age_days}; expected days above 0")
    middle_utc = tracks[len(tracks) // 2].slot_utc
    catalogue, others = operators_own(nearest_epoch(read_catalogue(elements), middle_utc))
    age = np.abs(age_days(catalogue, middle_utc))
    if not np.median(age) <= max_age_days:
        raise InputError(
            f"{elements}: the elements are {np.median(age):.1f} days (median) from the maps of "
            f"{format_utc(middle_utc)}, beyond {max_age_days:g}: satellites would be degrees off; "
            "give elements of that day, or raise max_age_days"
        )
    serves = ~np.isin(classify(catalogue), _NO_SERVICE)
    serves &= mean_altitude_m(catalogue) >= MIN_ALTITUDE_M
    fresh = age <= max_age_days
    old = int((serves & ~fresh).sum())
    warnings = [f"{others} satellites of other operators left out"] if others else []
    if old:
        warnings.append(
            f"{old} satellites left out: their elements are more than {max_age_days:g} days from "
            "the maps"
        )
    return catalogue.take(serves & fresh), warnings


def operators_own(catalogue: Catalogue) -> tuple[Catalogue, int]:
    """Return the satellites of the operator whose dishes draw such maps, and how many others."""
    own = constellations(catalogue) == OPERATOR
    return (catalogue.take(own), int((~own).sum())) if own.any() else (catalogue, 0)


def computed_skies(
    catalogue: Catalogue, site: tuple[float, float], tracks: Sequence[SlotTrack]
) -> list[Sky]:
    """Return for each track the satellites above MIN_ELEVATION_DEG when it begins or ends.

    Of a track too short to match there are none.
    """
    lat_deg, lon_deg = site
    if not (abs(lat_deg) <= 90.0 and abs(lon_deg) <= 360.0):
        raise InputError(
            "site: expected latitude from -90 to 90 and longitude from -180 to 180, in this order"
        )
    place = geodetic_to_itrf([lat_deg], [lon_deg], [0.0])
    records, orientation = initialise(catalogue), earth_orientation()
    nobody = np.zeros(0, dtype=np.int64)
    skies = [Sky(catalogue.name[nobody], nobody, np.zeros((0, track.utc.size, 3)))
             for track in tracks]  # fmt: skip
    usable = [n for n, track in enumerate(tracks) if track.utc.size >= MIN_STEPS]
    for first in range(0, len(usable), _SLOTS_AT_ONCE):
        some = usable[first : first + _SLOTS_AT_ONCE]
        grid = _three_moments_of([tracks[n] for n in some])
        sat_itrf_m = propagate(catalogue, grid, orientation, records=records).sat_itrf_m
        for n, three_m in zip(some, sat_itrf_m.reshape(len(some), 3, -1, 3), strict=True):
            skies[n] = _computed_sky(catalogue, *place, tracks[n], three_m)
    return skies


def _three_moments_of(tracks: Sequence[SlotTrack]) -> TimeGrid:
    """Return the moments at which each track begins, is half over and ends, one after the other."""
    first = np.array([track.utc[0] for track in tracks])
    last = np.array([track.utc[-1] for track in tracks])
    utc = np.stack([first, first + (last - first) // 2, last], axis=1).ravel()
    return instants(utc[0], (utc - utc[0]) / np.timedelta64(1, "s"))


def _computed_sky(
    catalogue: Catalogue,
    site_itrf_m: FloatArray,
    up_itrf: FloatArray,
    track: SlotTrack,
    sat_itrf_m: FloatArray,
) -> Sky:
    """Return the candidates of a track; `sat_itrf_m` (3, N, 3) is where all are at three moments.

    These are as in `_three_moments_of`; in between, satellites lie on the parabola through the
    three places within a metre.
    """
    up = np.flatnonzero(_is_up(sat_itrf_m[[0, -1]], site_itrf_m, up_itrf))
    s = (track.utc - track.utc[0]) / max(track.utc[-1] - track.utc[0], np.timedelta64(1, "ns"))
    weight = np.stack([(2 * s - 1) * (s - 1), 4 * s * (1 - s), s * (2 * s - 1)], axis=1)
    between_m = np.einsum("mt,tkc->kmc", weight, sat_itrf_m[:, up])
    look = look_angles(site_itrf_m, up_itrf, between_m.reshape(-1, 3))
    line = line_enu(look.azimuth_deg[0], look.elevation_deg[0])
    return Sky(catalogue.name[up], catalogue.norad_id[up], line.reshape(between_m.shape))


def _is_up(sat_itrf_m: FloatArray, site_itrf_m: FloatArray, up_itrf: FloatArray) -> BoolArray:
    """Return which satellites, (2, N, 3), stand high enough when the track begins or ends, (N,)."""
    line_m = sat_itrf_m - site_itrf_m[0]
    sine = line_m @ up_itrf[0] / np.linalg.norm(line_m, axis=-1)
    return np.asarray((sine >= np.sin(np.radians(MIN_ELEVATION_DEG))).any(axis=0))


# The dish


def _poses(
    attitude: str | Path | None, record: PixelRecord, tracks: Sequence[SlotTrack]
) -> list[FloatArray] | list[None]:
    """Return the dish's axes at the moments of each track, or nothing where none are reported."""
    if attitude is None:
        return [None] * len(tracks)
    if record.frame == EARTH:
        raise InputError(
            f"{record.source}: the maps are turned to the Earth (FRAME_EARTH), so the dish's "
            "attitude does not matter; leave it out"
        )
    reports: Attitude = read_attitude(attitude)
    return [reports.body_to_enu(track.utc) for track in tracks]


def _on_dish(sky: Sky, pose: FloatArray) -> Sky:
    """Return the candidates in the axes of a dish whose pose (M, 3, 3) leads to east, north, up."""
    return sky._replace(line=np.einsum("mij,kmi->kmj", pose, sky.line))


def _missing(track: SlotTrack, sky: Sky) -> str:
    """Return why a track cannot be matched at all, else ""."""
    if track.utc.size < MIN_STEPS:
        return TOO_FEW
    if not len(sky.name):
        return NO_CANDIDATES
    if not np.isfinite(sky.line).any():
        return NO_ATTITUDE
    return ""


def _calibration(
    record: PixelRecord,
    tracks: Sequence[SlotTrack],
    skies: Sequence[Sky],
    reasons: Sequence[str],
    boresight: tuple[float, float] | None,
    has_attitude: bool,
) -> Calibration:
    usable = [n for n, reason in enumerate(reasons) if not reason]
    known = _known_turns(record, boresight, has_attitude)
    if not usable:
        raise InputError(
            f"{record.source}: no slot has both a track and candidates "
            f"({Counter(reasons).most_common(1)[0][0]}); check that the files are of one time"
        )
    if not known and len(usable) < FREE_TRACKS:
        raise InputError(
            f"{record.source}: {len(usable)} slots with a track; {FREE_TRACKS} are needed to find "
            "how the map lies in the sky: record longer, or give --boresight AZ,EL"
        )
    found = calibrate([tracks[n] for n in usable], [skies[n].line for n in usable], known)
    if found.explained < LEAST_EXPLAINED:
        raise InputError(
            f"{record.source}: the best placing of the map explains {found.explained:.0%} of "
            f"{len(usable)} tracks; these files do not seem to belong together: check site and "
            "times, and for a dish that moves give its attitude"
        )
    return found


def _known_turns(
    record: PixelRecord, boresight: tuple[float, float] | None, has_attitude: bool
) -> list[FloatArray]:
    if boresight is not None and not has_attitude:
        azimuth_deg, elevation_deg = boresight
        if not (abs(azimuth_deg) <= 360.0 and 0.0 <= elevation_deg <= 90.0):
            raise InputError(
                f"boresight = {azimuth_deg:g},{elevation_deg:g}; expected azimuth from -180 to 360 "
                "and elevation from 0 to 90 degrees"
            )
        if record.frame != EARTH:
            return [boresight_turn(azimuth_deg, elevation_deg)]
    return [np.eye(3)] if has_attitude or record.frame == EARTH else []


def _calibration_warnings(
    record: PixelRecord,
    calibration: Calibration,
    boresight: tuple[float, float] | None,
    has_attitude: bool,
) -> list[str]:
    warnings = []
    if is_mirrored(record, calibration):
        warnings.append(
            f"{record.source}: the maps fit the sky only when mirrored; the recorder has swapped "
            "left and right, or rows"
        )
    if boresight is not None and not has_attitude and record.frame != EARTH:
        off_deg = float(separation_deg(line_enu(*boresight), calibration.turn[:, 2]))
        if off_deg > BORESIGHT_ERROR_DEG:
            warnings.append(
                f"the tracks say that the dish points {off_deg:.0f} deg away from the boresight "
                f"given: at azimuth {calibration.centre_azimuth_deg:.0f}, elevation "
                f"{calibration.centre_elevation_deg:.0f}"
            )
    return warnings


def is_mirrored(record: PixelRecord, calibration: Calibration) -> bool:
    """Return whether the maps show the sky the other way round than dishes do in that frame."""
    return calibration.from_below == (record.frame == EARTH)


# The match


def match(calibration: Calibration, track: SlotTrack, sky: Sky) -> Match:
    """Return the candidate that a track belongs to.

    Distance and motion count: each candidate's log-likelihood is that of its median distance from
    the track and of how unevenly it keeps that distance, which tells direction and speed and which
    no error of the calibration touches.  That the track is of no candidate is as likely as that it
    is of one NEAR_DEG away.
    """
    line = track_lines(calibration, track)
    apart_deg = track_separation_deg(line, sky.line)
    error_deg = max(_LEAST_ERROR_DEG, calibration.residual_deg)
    log_likelihood = -0.5 * (apart_deg / error_deg) ** 2
    log_likelihood -= 0.5 * (track_spread_deg(line, sky.line) / error_deg) ** 2
    order = np.argsort(-log_likelihood, kind="stable")
    nearest, second = int(order[0]), int(order[1]) if order.size > 1 else -1
    likelihood = np.exp(log_likelihood)
    stray = float(np.exp(-0.5 * (NEAR_DEG / error_deg) ** 2))
    total = float(likelihood.sum()) + stray
    return Match(
        nearest,
        second,
        float(apart_deg[nearest]),
        float(apart_deg[second] - apart_deg[nearest]) if second >= 0 else np.inf,
        float(likelihood[nearest] / total),
        stray / total,
    )


def _refusal(found: Match) -> str:
    if found.confidence >= LEAST_CONFIDENCE:
        return ""
    return ALIKE if found.confidence > found.stray else NONE_NEAR


# The answer


def _document(
    record: PixelRecord,
    tracks: Sequence[SlotTrack],
    skies: Sequence[Sky],
    reasons: Sequence[str],
    calibration: Calibration,
    warnings: list[str],
) -> dict[str, Any]:
    rows = [_row(*parts, calibration) for parts in zip(tracks, skies, reasons, strict=True)]
    left_out = Counter(row["reason"] for row in rows if row["reason"])
    return {
        "slots": len(rows),
        "identified": sum(row["satellite"] is not None for row in rows),
        "rows": rows,
        "calibration": {
            "rotation_deg": round(calibration.rotation_deg, 3),
            "deg_per_pixel": round(calibration.deg_per_pixel, 4),
            "residual_deg": round(calibration.residual_deg, 3),
            "centre_azimuth_deg": round(calibration.centre_azimuth_deg, 3),
            "centre_elevation_deg": round(calibration.centre_elevation_deg, 3),
            "mirrored": is_mirrored(record, calibration),
            "frame": {EARTH: "FRAME_EARTH", DISH: "FRAME_UT"}.get(record.frame, "unknown"),
        },
        "not_identified": dict(sorted(left_out.items())),
        "maps": record.maps,
        "resets": int(record.resets),
        "jumps": record.jumps,
        "warnings": warnings,
    }


def _row(track: SlotTrack, sky: Sky, reason: str, calibration: Calibration) -> dict[str, Any]:
    """Return a slot's row; where no satellite is named, `reason` says why."""
    row: dict[str, Any] = {
        "slot_start_utc": format_utc(track.slot_utc),
        "satellite": None,
        "norad_id": None,
        "confidence": 0.0,
        "residual_deg": None,
        "second": None,
        "margin_deg": None,
        "pixels": track.pixels,
        "reason": reason,
    }
    if reason:
        return row
    found = match(calibration, track, sky)
    row["reason"] = _refusal(found)
    row["confidence"] = round(found.confidence, 4)
    if np.isfinite(found.residual_deg):
        row["residual_deg"] = round(found.residual_deg, 3)
    if found.second >= 0 and np.isfinite(found.margin_deg):
        row["second"] = str(sky.name[found.second])
        row["margin_deg"] = round(found.margin_deg, 3)
    if not row["reason"]:
        number = int(sky.norad_id[found.nearest])
        row["satellite"] = str(sky.name[found.nearest])
        row["norad_id"] = number if number >= 0 else None
    return row
