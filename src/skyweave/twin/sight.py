"""What the sky of each site lets through: the geostationary arc, the dish's cone, obstructions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from skyweave.policy.reasons import SERVED, Reason
from skyweave.twin.geometry import (
    VisiblePairs,
    gso_separation_deg,
    in_field_of_view,
    is_obstructed,
    keep,
    pair_angles,
    remaining_slots,
)
from skyweave.twin.sites import SiteSky
from skyweave.twin.world import World

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
Places = tuple[FloatArray, FloatArray]  # positions and ellipsoid normals, (S, 3) each
SkyTest = Callable[[VisiblePairs, Places, FloatArray], BoolArray]

SKY_REASONS = (Reason.GSO_ARC, Reason.FIELD_OF_VIEW, Reason.OBSTRUCTED)  # in the order tested


@dataclass(frozen=True)
class Sight:
    """The satellites above the mask at both ends of a slot."""

    seen: VisiblePairs
    refused: NDArray[np.int16]  # (P,) why the sky keeps one from serving, SERVED = it can
    left: RowArray  # (P,) whole slots it stays usable
    age: RowArray  # (P,) whole slots before this for which it has been above the mask


def sights(
    world: World, views: list[VisiblePairs], places: list[Places], sat_itrf_m: FloatArray,
    horizon: int, behind: int = 0,
) -> list[Sight]:  # fmt: skip
    """Return what the terminals see in the slot that begins at each boundary (none at the last).

    `views` are the satellites above the mask at each boundary, `places` the terminals there and
    `sat_itrf_m` (T, N, 3) the satellites.  What keeps a satellite from serving is the first test,
    in a fixed order, that it fails at either end of the slot.  `behind` is how far back its age is
    counted, among the boundaries given.
    """
    age = remaining_slots(views[::-1], behind)[::-1]
    in_view = left = remaining_slots(views, horizon)
    refused = [np.full(len(view), SERVED, dtype=np.int16) for view in views]
    passed = [np.ones(len(view), dtype=np.bool_) for view in views]
    for reason, test in sky_tests(world, world.sky):
        passed = [
            ok & test(view, place, sat_m)
            for ok, view, place, sat_m in zip(passed, views, places, sat_itrf_m, strict=True)
        ]
        counts = remaining_slots([keep(*pair) for pair in zip(views, passed, strict=True)], horizon)
        left = [_spread(ok, count) for ok, count in zip(passed, counts, strict=True)]
        for codes, slots in zip(refused, left, strict=True):
            codes[(codes == SERVED) & (slots < 1)] = reason.number
    return [
        Sight(keep(view, lasts), codes[lasts], usable[lasts], before[lasts])
        for view, lasts, codes, usable, before in zip(
            views, [slots >= 1 for slots in in_view], refused, left, age, strict=True
        )
    ]


def permitted(sight: Sight, off: NDArray[np.int16] | None) -> Sight:
    """Return what is left of a sight where the policy has terminals off: they ask for nothing.

    `off` (S,) is the number of a reason, SERVED where there is none; None: nobody is off.
    """
    if off is None:
        return sight
    asks = off[sight.seen.site_rows] == SERVED
    return Sight(keep(sight.seen, asks), sight.refused[asks], sight.left[asks], sight.age[asks])


def _spread(passed: BoolArray, counts: RowArray) -> RowArray:
    """Return the counts of those that passed at their places among all, 0 for the others."""
    spread = np.zeros(passed.size, dtype=np.int32)
    spread[passed] = counts
    return spread


def sky_tests(world: World, sky: SiteSky | None) -> list[tuple[Reason, SkyTest]]:
    """Return the tests in force, in the order in which a refusal is told.

    Each takes pairs of a site and a satellite, the sites (S, 3) and the satellites (N, 3) of one
    instant and returns which pairs pass, (P,).  Without `sky` only what holds for any site counts.
    """
    tests: list[tuple[Reason, SkyTest]] = []
    if world.scenario.visibility.gso_separation_deg > 0.0:
        tests.append((Reason.GSO_ARC, partial(_clear_of_gso, world)))
    if sky is not None and sky.has_cone.any():
        tests.append((Reason.FIELD_OF_VIEW, partial(_in_cone, sky)))
    if sky is not None and sky.has_obstruction.any():
        tests.append((Reason.OBSTRUCTED, partial(_unobstructed, sky)))
    return tests


def _in_cone(
    sky: SiteSky, views: VisiblePairs, places: Places, sat_itrf_m: FloatArray
) -> BoolArray:
    boresight = sky.boresight_azimuth_deg, sky.boresight_elevation_deg, sky.fov_deg
    return _tested(
        views, places, sat_itrf_m, sky.has_cone,
        lambda rows, azimuth, elevation: in_field_of_view(*boresight, rows, azimuth, elevation),
    )  # fmt: skip


def _unobstructed(
    sky: SiteSky, views: VisiblePairs, places: Places, sat_itrf_m: FloatArray
) -> BoolArray:
    return _tested(
        views, places, sat_itrf_m, sky.has_obstruction,
        lambda rows, azimuth, elevation: ~is_obstructed(sky.obstructions, rows, azimuth, elevation),
    )  # fmt: skip


def _tested(
    views: VisiblePairs, places: Places, sat_itrf_m: FloatArray, concerned: BoolArray,
    test: Callable[[RowArray, FloatArray, FloatArray], BoolArray],
) -> BoolArray:  # fmt: skip
    """Apply a test of directions to the pairs of the sites (S,) it concerns; the others pass."""
    passed = np.ones(len(views), dtype=np.bool_)
    pairs = np.flatnonzero(concerned[views.site_rows])
    rows = views.site_rows[pairs]
    look = pair_angles(*places, sat_itrf_m, rows, views.sat[pairs])
    passed[pairs] = test(rows, look.azimuth_deg, look.elevation_deg)
    return passed


def _clear_of_gso(
    world: World, views: VisiblePairs, places: Places, sat_itrf_m: FloatArray
) -> BoolArray:
    """Return which pairs of a site and a satellite are far enough from the geostationary arc."""
    separation_deg = gso_separation_deg(*places, sat_itrf_m, views.site_rows, views.sat)
    clear: BoolArray = separation_deg >= world.scenario.visibility.gso_separation_deg
    return clear
