"""How far a town is from each PoP over the network, for the study of country medians.

A dish takes one of the satellites that the choice model prefers; from there the signal comes down
at the gateway that makes the way to the PoP shortest.  A satellite that a gateway sees reaches it
straight; to all others lasers lead, over a detour of the great circle.  No load and no failure
enters, and nothing of the country whose median is predicted.
"""

from collections.abc import Callable, Collection
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import EARTH_MEAN_RADIUS_M, SPEED_OF_LIGHT_M_S
from skyweave.frames import (
    earth_orientation,
    geodetic_to_itrf,
    great_circle_m,
    itrf_to_geodetic,
)
from skyweave.realism.population_points import PopulationPoints
from skyweave.seeds import hashed_uniform, named_key
from skyweave.time import TimeGrid, parse_utc
from skyweave.twin.geometry import (
    Mask,
    VisiblePairs,
    gso_separation_deg,
    pair_angles,
    visible_pairs,
)
from skyweave.twin.orbits import propagate
from skyweave.twin.satellites import build_fleet
from skyweave.twin.scenario import build_scenario
from skyweave.twin.scheduling.choice import cold
from skyweave.twin.scheduling.features import ChoiceInputs, off_pole_deg, weights_of
from skyweave.twin.topology import (
    Gateways,
    Pops,
    fibre_delay_s,
    load_gateways,
    load_pops,
    unserved_countries,
)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
Progress = Callable[[str], None]

FLEET, GATEWAYS, POPS = "builtin:2026-06-14", "builtin:2026-03-20", "builtin:2026-04-16"
FIRST_UTC = "2026-06-14T12:00:12Z"
EPOCHS, EPOCH_STEP_S = 14, 6180.0  # spread over a day, at no multiple of an orbit's period
MID_SLOT_S = 7.5
DRAWS = 3  # satellites drawn at each epoch
DISH_MIN_ELEVATION_DEG = 25.0

# How far lasers lead, from the study of variants on 106 countries: lower gateways, longer detours
# and no fixed part were each worse by 0.1 to 0.3 ms, which is little more than noise.
GATEWAY_MIN_ELEVATION_DEG = 15.0
ISL_HEIGHT_M = 540e3  # of the great circle that lasers follow
ISL_DETOUR = 1.3
ISL_FIXED_M = 650e3  # on to the gateway's own satellite and down
FIBRE_DETOUR = 1.1  # between gateway and PoP

# Gateways of these countries are taken to serve only terminals at home: a hypothesis, which came
# from what predictions without it got wrong in their neighbours.
DOMESTIC_ONLY = ("BD", "ID", "TR")

# Terms of the choice model that say where in the sky a satellite stands; how long it has been in
# view and its kind are left out.
CONE = ("off_pole_30", "off_pole_45", "near_gso", "east")


class Ground(NamedTuple):
    """The ground network that the prediction assumes."""

    pops: Pops
    gateways: Gateways
    domestic_only: tuple[str, ...]  # whose gateways serve only terminals at home

    def permits(self, country: NDArray[np.str_]) -> BoolArray:
        """Return which gateways places in those countries (S,) may use, (S, G)."""
        is_home = self.gateways.country == country[:, None]
        return np.asarray(is_home | ~np.isin(self.gateways.country, self.domestic_only))


class Drawn(NamedTuple):
    """Satellites that dishes were given: K draws, S places."""

    sat_itrf_m: FloatArray  # (K, S, 3), NaN where none stood high enough
    range_m: FloatArray  # (K, S) from the dish


class Descents(NamedTuple):
    """From the drawn satellites down to the G gateways."""

    down_s: FloatArray  # (K, S, G) one-way delay, inf where there is no satellite
    sees: BoolArray  # (K, S, G) the gateway sees the satellite


class Ways(NamedTuple):
    """The ways of S places into the Internet."""

    rtt_s: FloatArray  # (S, P) to each PoP, the median of the draws; geometry alone
    pop: IntArray  # (S,) that of the shortest
    direct_share: FloatArray  # (S,) part of the draws whose satellite saw a gateway it may use
    inferred_share: FloatArray  # (S,) and that came down at a gateway that no list names


def assumed_ground(
    domestic_only: Collection[str] = DOMESTIC_ONLY, *, at_every_pop: bool = True
) -> Ground:
    """Return the built-in ground network without sites in unserved countries."""
    away = unserved_countries()
    pops = load_pops(POPS, leave_out=away)
    gateways = load_gateways(
        GATEWAYS,
        pops,
        min_elevation_deg=GATEWAY_MIN_ELEVATION_DEG,
        fibre_detour=FIBRE_DETOUR,
        leave_out=away,
        at_every_pop=at_every_pop,
    )
    return Ground(pops, gateways, tuple(domestic_only))


def draw_satellites(
    places: PopulationPoints, seed: int = 0, progress: Progress = lambda _: None
) -> Drawn:
    """Return the satellites that dishes at some towns are given at 14 times of a day, thrice each.

    What a town is given depends on nothing but the town and the seed.
    """
    progress("placing satellites")
    sat_itrf_m = _fleet_itrf_m()
    site_itrf_m, up_itrf = geodetic_to_itrf(places.lat_deg, places.lon_deg, 0.0)
    mask = Mask.elevation(DISH_MIN_ELEVATION_DEG, len(places))
    key = named_key(seed, "realism", "countries")
    drawn_m = np.full((EPOCHS, DRAWS, len(places), 3), np.nan)
    range_m = np.full((EPOCHS, DRAWS, len(places)), np.nan)
    for epoch in range(EPOCHS):
        progress(f"choosing satellites: {epoch + 1} of {EPOCHS} times of the day")
        pairs = visible_pairs(site_itrf_m, up_itrf, sat_itrf_m[epoch], mask)
        has_any = np.diff(pairs.site_start) > 0
        rows = (site_itrf_m, up_itrf, sat_itrf_m[epoch], pairs.site_rows, pairs.sat)
        angles, gso_deg = pair_angles(*rows), gso_separation_deg(*rows)
        weight = cone_log_weights(
            angles.elevation_deg,
            angles.azimuth_deg,
            places.lat_deg[pairs.site_rows],
            gso_deg,
        )
        for draw in range(DRAWS):
            town = places.row[pairs.site_rows]
            uniform = hashed_uniform(key, town, pairs.sat, np.array(epoch), np.array(draw))
            chosen = _largest(weight - np.log(-np.log(uniform)), pairs)
            drawn_m[epoch, draw, has_any] = sat_itrf_m[epoch, pairs.sat[chosen]]
            range_m[epoch, draw, has_any] = angles.range_m[chosen]
    return Drawn(drawn_m.reshape(-1, len(places), 3), range_m.reshape(-1, len(places)))


def cone_log_weights(
    elevation_deg: FloatArray, azimuth_deg: FloatArray, lat_deg: FloatArray, gso_deg: FloatArray
) -> FloatArray:
    """Return the log-weight of each pair (P,), by the terms `CONE` of the shipped choice model.

    It is the model without history (COLD) for dishes that do not tell where they point.
    """
    long = np.full(elevation_deg.size, np.iinfo(np.int32).max, dtype=np.int32)
    inputs = ChoiceInputs(
        elevation_deg=elevation_deg,
        azimuth_deg=azimuth_deg,
        off_pole_deg=off_pole_deg(azimuth_deg, elevation_deg, lat_deg),
        gso_separation_deg=gso_deg,
        boresight_deg=np.full(elevation_deg.size, np.nan),
        age_slots=long,
        remaining_slots=long,
        is_v2_mini=np.zeros(elevation_deg.size, np.bool_),
        slots_since_use=np.zeros(elevation_deg.size, np.int32),
    )
    fitted = cold().without_boresight.coefficient
    return weights_of(inputs, {name: fitted[name] if name in CONE else 0.0 for name in fitted})


def descend(drawn: Drawn, ground: Ground, progress: Progress = lambda _: None) -> Descents:
    """Return the one-way delays from every drawn satellite to every gateway."""
    gateways = ground.gateways
    gateway_itrf_m, up_itrf = geodetic_to_itrf(
        gateways.lat_deg, gateways.lon_deg, gateways.height_wgs84_m
    )
    sin_limit = np.sin(np.radians(gateways.min_elevation_deg))
    aloft = ISL_DETOUR * (EARTH_MEAN_RADIUS_M + ISL_HEIGHT_M) / EARTH_MEAN_RADIUS_M
    down_s = np.empty((*drawn.range_m.shape, len(gateways)))
    sees = np.empty(down_s.shape, np.bool_)
    progress("measuring the ways down to the gateways")
    for k, sat_m in enumerate(drawn.sat_itrf_m):
        line_m = sat_m[:, None, :] - gateway_itrf_m
        range_m = np.sqrt((line_m**2).sum(axis=-1))
        sees[k] = (line_m * up_itrf).sum(axis=-1) >= sin_limit * range_m
        lat_deg, lon_deg, _ = itrf_to_geodetic(sat_m)
        around_m = great_circle_m(
            lat_deg[:, None], lon_deg[:, None], gateways.lat_deg, gateways.lon_deg
        )
        way_m = np.where(sees[k], range_m, aloft * around_m + ISL_FIXED_M)
        down_s[k] = np.where(np.isfinite(way_m), way_m / SPEED_OF_LIGHT_M_S, np.inf)
    return Descents(down_s, sees)


def ways_to_pops(
    places: PopulationPoints,
    drawn: Drawn,
    descents: Descents,
    ground: Ground,
    progress: Progress = lambda _: None,
) -> Ways:
    """Return how far each town is from each PoP, and what kind of way leads to the nearest."""
    progress(f"finding the PoPs of {len(places)} towns")
    fibre_s = _fibre_s(ground)
    may_use = ground.permits(places.country)
    down_s = np.where(may_use, descents.down_s, np.inf)
    up_s = np.nan_to_num(drawn.range_m, nan=np.inf) / SPEED_OF_LIGHT_M_S
    rtt_s = np.empty((*up_s.shape, len(ground.pops)))
    for k in range(len(rtt_s)):
        for p in range(len(ground.pops)):
            rtt_s[k, :, p] = (down_s[k] + fibre_s[:, p]).min(axis=1)
        rtt_s[k] += up_s[k][:, None]
    rtt_s = 2.0 * _median_of_draws(rtt_s)
    pop = np.argmin(rtt_s, axis=1)
    used = np.argmin(down_s + fibre_s[:, pop].T, axis=2)  # (K, S)
    return Ways(
        rtt_s=rtt_s,
        pop=pop,
        direct_share=(may_use & descents.sees).any(axis=2).mean(axis=0),
        inferred_share=ground.gateways.is_inferred[used].mean(axis=0),
    )


def _fibre_s(ground: Ground) -> FloatArray:
    """Return the one-way delay from every gateway to every PoP, (G, P)."""
    gateways, pops = ground.gateways, ground.pops
    columns = [
        fibre_delay_s(gateways, pops, np.full(len(gateways), p), FIBRE_DETOUR)
        for p in range(len(pops))
    ]
    return np.stack(columns, axis=1)


def _median_of_draws(rtt_s: FloatArray) -> FloatArray:
    """Return the medians over the first axis; inf, no satellite, counts as the longest.

    The lower of the two middle ones, for a mean of a time and of no way at all means nothing.
    """
    return np.asarray(np.sort(rtt_s, axis=0)[(len(rtt_s) - 1) // 2])


@cache
def _fleet_itrf_m() -> FloatArray:
    """Return where the satellites on station are in the middle of each epoch's slot, (T, N, 3)."""
    content = {
        "time": {"start_utc": FIRST_UTC, "duration_s": 15},
        "catalogue": {"source": FLEET, "select": ["STARLINK"]},
        "isl": {"plan": "none"},
    }
    first_utc = parse_utc(FIRST_UTC)
    fleet, _ = build_fleet(build_scenario(content, "the study of countries"), first_utc)
    grid = TimeGrid(first_utc, np.arange(EPOCHS, dtype=np.float64) * EPOCH_STEP_S + MID_SLOT_S)
    return propagate(fleet.catalogue.take(fleet.serves), grid, earth_orientation()).sat_itrf_m


def _largest(value: FloatArray, pairs: VisiblePairs) -> IntArray:
    """Return the pair of largest value of each site that has any, in the order of the sites."""
    order = np.lexsort((-value, pairs.site_rows))
    is_first = np.diff(pairs.site_rows[order], prepend=-1) != 0
    return np.asarray(order[is_first])
