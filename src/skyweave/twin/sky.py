"""The sky above one terminal in one slot: its mask, the geostationary arc, and who passes."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.policy.reasons import Reason
from skyweave.time import TimeGrid, format_utc
from skyweave.twin.geometry import (
    SkyCode,
    gso_arc,
    is_sunlit,
    look_angles,
    sky_codes,
    sun_itrf_m,
    visible_pairs,
)
from skyweave.twin.orbits import propagate
from skyweave.twin.results.sky_picture import (
    COULD_SERVE,
    NOT_IN_SLOT,
    SERVES,
    SkyMask,
    SkyPasses,
    SkyPicture,
)
from skyweave.twin.sight import sky_tests
from skyweave.twin.terminals import terminal_itrf
from skyweave.twin.world import System, World, terminal_mask

BEFORE_S, AFTER_S, STEP_S = 180.0, 300.0, 10.0  # of the tracks, around the slot's start

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Places = tuple[FloatArray, FloatArray]  # positions and ellipsoid normals, (1, 3) each


def sky_picture(system: System, row: int, slot: int, explanation: Mapping[str, Any]) -> SkyPicture:
    """Return what a picture of terminal `row`'s sky shows in a slot.

    `explanation` is what `explain_slot` says of the terminal and the slot.
    """
    part, own = system.part_of(row)
    world = part.at_slot(slot).only_terminal(own)
    leaves_s = _leaves_s(world, slot, explanation)
    start_utc = world.grid.utc[slot]
    leaves_utc = "" if np.isnan(leaves_s) else format_utc(_later(start_utc, leaves_s))
    return SkyPicture(
        terminal_id=str(world.terminals.terminal_id[0]),
        slot_start_utc=format_utc(start_utc),
        outcome=_outcome(explanation),
        serving_name=explanation["satellite"]["name"] if explanation["satellite"] else "",
        leaves_s=leaves_s,
        leaves_utc=leaves_utc,
        mask=_mask(world, start_utc),
        passes=_passes(world, start_utc, explanation),
    )


def _later(utc: np.datetime64, t_s: float) -> np.datetime64:
    moment: np.datetime64 = TimeGrid(utc, np.array([t_s])).utc[0]
    return moment


def _outcome(explanation: Mapping[str, Any]) -> str:
    if explanation["satellite"]:
        return f"served, round trip {1e3 * explanation['rtt_s']:.1f} ms"
    return f"out: {Reason(explanation['reason']).text}"


def _mask(world: World, start_utc: np.datetime64) -> SkyMask:
    """Return the mask at the slot's start; without the arc where the position is unknown."""
    sky, visibility = world.sky, world.scenario.visibility
    where = terminal_itrf(world.terminals, [start_utc]).geodetic_at(0)
    lat_deg, lon_deg, height_m = (float(value[0]) for value in where)
    is_located = bool(np.isfinite(lat_deg))
    separation_deg = visibility.gso_separation_deg if is_located else 0.0
    lowest_deg = float(sky.min_elevation_deg[0]) if visibility.mode == "elevation" else 0.0
    azimuth_deg = float(sky.boresight_azimuth_deg[0])
    elevation_deg = float(sky.boresight_elevation_deg[0])
    fov_deg = float(sky.fov_deg[0])
    blocked = world.terminals.obstructions.get(0)
    codes = sky_codes(
        lowest_deg, separation_deg, lat_deg, azimuth_deg, elevation_deg, fov_deg, blocked,
        height_wgs84_m=height_m,
    )  # fmt: skip
    arc = gso_arc(lat_deg, lon_deg, height_m) if is_located else (np.zeros(0), np.zeros(0))
    return SkyMask(
        codes=codes,
        is_blocked=sky_codes(0.0, 0.0, lat_deg, 0.0, 90.0, np.nan, blocked).code != SkyCode.CLEAR,
        min_elevation_deg=lowest_deg,
        gso_separation_deg=separation_deg,
        fov_deg=fov_deg,
        boresight_azimuth_deg=azimuth_deg,
        boresight_elevation_deg=elevation_deg,
        arc_azimuth_deg=arc[0],
        arc_elevation_deg=arc[1],
    )


def _passes(world: World, start_utc: np.datetime64, explanation: Mapping[str, Any]) -> SkyPasses:
    """Return the tracks of the satellites above the terminal's limit in the slot or soon after."""
    t_s = np.arange(-BEFORE_S, AFTER_S + STEP_S / 2.0, STEP_S)
    grid = TimeGrid(start_utc, t_s)
    positions = terminal_itrf(world.terminals, grid.utc)
    places = [positions.at(k) for k in range(t_s.size)]
    sat_itrf_m = propagate(world.fleet.catalogue, grid, world.orientation).sat_itrf_m
    if not world.sat_is_up.all():  # of those that have failed, who would be in view now is shown
        known = [candidate["norad_id"] for candidate in explanation["candidates"]]
        shown = world.sat_is_up | np.isin(world.fleet.catalogue.norad_id, known)
        sat_itrf_m = np.where(shown[:, None], sat_itrf_m, np.nan)
    now = int(np.searchsorted(t_s, 0.0))
    sats = _seen(world, places[now:], sat_itrf_m[now:])
    looks = [look_angles(*places[k], sat_itrf_m[k, sats]) for k in range(t_s.size)]
    elevation_deg = np.stack([look.elevation_deg[0] for look in looks])
    azimuth_deg = np.stack([look.azimuth_deg[0] for look in looks])
    is_up = elevation_deg >= 0.0
    sun_m = sun_itrf_m(grid.utc[[now]], world.orientation)[0]
    norad_id = world.fleet.catalogue.norad_id[sats].astype(np.int64)
    return SkyPasses(
        t_s=t_s,
        azimuth_deg=np.where(is_up, azimuth_deg, np.nan),
        elevation_deg=np.where(is_up, elevation_deg, np.nan),
        norad_id=norad_id,
        is_sunlit=is_sunlit(sat_itrf_m[now, sats], sun_m),
        role=_roles(norad_id, explanation),
    )


def _seen(world: World, places: list[Places], sat_itrf_m: FloatArray) -> NDArray[np.intp]:
    """Return the satellites that may serve and are in view at any of T instants.

    None where the terminal's position at the first is unknown: then there is no sky to draw.
    """
    if np.isnan(places[0][0]).any():
        return np.zeros(0, dtype=np.intp)
    usable_m = np.where(world.fleet.serves[None, :, None], sat_itrf_m, np.nan)
    mask = terminal_mask(world)
    seen = [
        visible_pairs(*place, now_m, mask).sat
        for place, now_m in zip(places, usable_m, strict=True)
    ]
    return np.unique(np.concatenate(seen)).astype(np.intp)


def _roles(norad_id: NDArray[np.int64], explanation: Mapping[str, Any]) -> tuple[str, ...]:
    roles = {each["norad_id"]: each["refused"] or COULD_SERVE for each in explanation["candidates"]}
    if explanation["satellite"]:
        roles[explanation["satellite"]["norad_id"]] = SERVES
    return tuple(roles.get(number, NOT_IN_SLOT) for number in norad_id.tolist())


def _leaves_s(world: World, slot: int, explanation: Mapping[str, Any]) -> float:
    """Return the last slot boundary, in seconds from the slot's start, to which one can serve.

    NaN where nobody serves, or where the one who does stays usable as long as tracks are drawn.
    """
    if not explanation["satellite"]:
        return np.nan
    slot_s = world.scenario.time.slot_s
    grid = world.boundaries(slot, slot + 1 + int(AFTER_S // slot_s))
    serving = world.fleet.catalogue.norad_id == explanation["satellite"]["norad_id"]
    sat_itrf_m = propagate(world.fleet.catalogue.take(serving), grid, world.orientation).sat_itrf_m
    positions = terminal_itrf(world.terminals, grid.utc)
    usable = [_is_usable(world, positions.at(k), sat_itrf_m[k]) for k in range(len(grid))]
    return np.nan if all(usable) else (usable.index(False) - 1) * slot_s


def _is_usable(world: World, place: Places, sat_itrf_m: FloatArray) -> bool:
    """Return whether one satellite (1, 3) stands where the terminal can use it."""
    view = visible_pairs(*place, sat_itrf_m, terminal_mask(world))
    tests = sky_tests(world, world.sky)
    return bool(len(view)) and all(test(view, place, sat_itrf_m)[0] for _, test in tests)
