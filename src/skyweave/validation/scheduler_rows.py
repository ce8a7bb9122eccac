"""Checks of rows about which of the satellites in view serves a dish."""

from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.geometry import pair_angles, visible_pairs
from skyweave.twin.orbits import initialise
from skyweave.twin.pipeline import networks, services
from skyweave.twin.scenario.models import CatalogueSection
from skyweave.twin.scheduling import Candidates
from skyweave.twin.scheduling.choice import cold, log_weights, probabilities
from skyweave.twin.terminals import terminal_itrf
from skyweave.twin.world import World, build_world, terminal_mask
from skyweave.validation.judge import Finding
from skyweave.validation.registry import all_within, check, listed, within
from skyweave.validation.table import Row
from skyweave.validation.workloads import workload

FloatArray = NDArray[np.float64]

STUDY = "papers/tanveer-2023"
OBSTRUCTED = "ithaca"  # the paper leaves one of its four sites out of its count of directions
HIGH_DEG = 45.0

_FLEET = (
    "The shells of Starlink's first generation as filed stand in for the fleet of June 2023, whose "
    "elements are not shipped, and four towns between 40 and 48 N for the paper's sites"
)
_PICKS = (
    "Fleet and sites as in SCH-02; chances of the shipped choice model, which was fitted on two "
    "other dishes of July 2024 and on nothing of this paper"
)


class Directions(NamedTuple):
    """Satellites over all sites in one slot, sorted by site."""

    terminal: NDArray[np.int32]  # (P,) rows of the sites
    elevation_deg: FloatArray  # (P,)
    azimuth_deg: FloatArray  # (P,) 0 = north, clockwise
    chance: FloatArray  # (P,) of being picked

    def of(self, row: int) -> "Directions":
        """Return what stands over one site."""
        ours = slice(*np.searchsorted(self.terminal, [row, row + 1]).tolist())
        return Directions(
            self.terminal[ours], self.elevation_deg[ours], self.azimuth_deg[ours], self.chance[ours]
        )


class Sky(NamedTuple):
    """What one site sees above 25 deg in all slots, and which of it the model would pick."""

    in_view: FloatArray  # (T,) satellites at the start of each slot
    seen_elevation_deg: FloatArray  # (A,) of all that is in view, slot after slot
    seen_azimuth_deg: FloatArray  # (A,) 0 = north, clockwise
    elevation_deg: FloatArray  # (P,) of the candidates, which stay in view for the whole slot
    azimuth_deg: FloatArray  # (P,)
    chance: FloatArray  # (P,) of being picked; the candidates of a slot share 1


@check("SCH-02")
def satellites_in_view(row: Row) -> Finding:
    means = [float(sky.in_view.mean()) for sky in _skies("then").values()]
    found, five = [min(means), max(means)], 5.0
    now = [float(sky.in_view.mean()) for sky in _skies("now").values()]
    note = (
        f"{_FLEET}; least (Madrid) and most (Seattle) of the four. The real fleet already had "
        "its first satellites at 43 deg, which pass over 40 N and which the stand-in lacks. "
        f"Today's fleet shows them {min(now):.0f} to {max(now):.0f}."
    )
    return Finding(listed(found, ".1f"), all_within(found, row.numbers, five), note)


@check("SCH-03")
def elevation_gained(row: Row) -> Finding:
    gain_deg = _gain_deg("then")
    three_deg = 3.0
    note = (
        f"{_PICKS}. Under today's fleet it is {_gain_deg('now'):.1f} deg. Dishes differ by as "
        "much: those two were served 12 and 20 deg above the median of what they saw."
    )
    return Finding(f"{gain_deg:.1f}", within(gain_deg, row.numbers[0], three_deg), note)


@check("SCH-04")
def picks_from_high_up(row: Row) -> Finding:
    found, five_points = _high_percent("then"), 5.0
    note = (
        f"{_PICKS}. With today's fleet they are {listed(_high_percent('now'), '.0f')}. What is "
        "available agrees; picks are less high for the reason of SCH-03."
    )
    return Finding(listed(found, ".1f"), all_within(found, row.numbers, five_points), note)


@check("SCH-05")
def picks_to_the_north(row: Row) -> Finding:
    found, five_points = _north_percent("then"), 5.0
    note = (
        f"{_PICKS}; the paper's obstructed site is left out. With today's fleet they are "
        f"{listed(_north_percent('now'), '.0f')}: its shell at 43 deg stands south of such sites."
    )
    return Finding(listed(found, ".1f"), all_within(found, row.numbers, five_points), note)


def _gain_deg(when: str) -> float:
    """Return the median elevation of picks above that of what is in view, over all sites."""
    skies = _skies(when).values()
    picked_deg = weighted_median(
        np.concatenate([sky.elevation_deg for sky in skies]),
        np.concatenate([sky.chance for sky in skies]),
    )
    return picked_deg - float(np.median(np.concatenate([sky.seen_elevation_deg for sky in skies])))


def _high_percent(when: str) -> list[float]:
    """Return how many picks, and how many of those in view, are above 45 deg."""
    skies = _skies(when).values()
    picked = [np.average(sky.elevation_deg >= HIGH_DEG, weights=sky.chance) for sky in skies]
    seen = [np.mean(sky.seen_elevation_deg >= HIGH_DEG) for sky in skies]
    return [100.0 * float(np.mean(picked)), 100.0 * float(np.mean(seen))]


def _north_percent(when: str) -> list[float]:
    """Return how many picks, and how many of those in view, stand in the northern sky."""
    skies = [sky for site, sky in _skies(when).items() if site != OBSTRUCTED]
    picked = [np.average(_is_north(sky.azimuth_deg), weights=sky.chance) for sky in skies]
    seen = [np.mean(_is_north(sky.seen_azimuth_deg)) for sky in skies]
    return [100.0 * float(np.mean(picked)), 100.0 * float(np.mean(seen))]


def _is_north(azimuth_deg: FloatArray) -> NDArray[np.bool_]:
    return np.cos(np.radians(azimuth_deg)) > 0.0


def weighted_median(values: FloatArray, weights: FloatArray) -> float:
    """Return the least value at or below which half of the weight lies."""
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(below, below[-1] / 2.0)])


@cache
def _skies(when: str) -> dict[str, Sky]:
    """Return the sky of each site: "then" with the study's fleet, "now" with today's."""
    world = workload(STUDY) if when == "then" else _today(workload(STUDY))
    records = initialise(world.fleet.catalogue)
    slots = list(networks(world, records, world.slots))
    seen, offered = [], []
    for _, service, sat_itrf_m in services(world, records, slots):
        seen.append(_in_view(world, sat_itrf_m))
        offered.append(_offered(service.candidates))
    names = world.terminals.terminal_id.tolist()
    return {name: _sky(row, seen, offered) for row, name in enumerate(names)}


def _sky(row: int, seen: list[Directions], offered: list[Directions]) -> Sky:
    """Return one site's sky from what all sites see in each slot."""
    ours = [slot.of(row) for slot in seen]
    picks = [slot.of(row) for slot in offered]
    return Sky(
        in_view=np.array([float(slot.terminal.size) for slot in ours]),
        seen_elevation_deg=np.concatenate([slot.elevation_deg for slot in ours]),
        seen_azimuth_deg=np.concatenate([slot.azimuth_deg for slot in ours]),
        elevation_deg=np.concatenate([slot.elevation_deg for slot in picks]),
        azimuth_deg=np.concatenate([slot.azimuth_deg for slot in picks]),
        chance=np.concatenate([slot.chance for slot in picks]),
    )


def _in_view(world: World, sat_itrf_m: FloatArray) -> Directions:
    """Return where all satellites that may serve stand above the mask at a slot's start."""
    places = terminal_itrf(world.terminals, world.grid.utc[:1]).at(0)
    usable_m = np.where(world.fleet.serves[:, None], sat_itrf_m, np.nan)
    pairs = visible_pairs(*places, usable_m, terminal_mask(world))
    look = pair_angles(*places, usable_m, pairs.site_rows, pairs.sat)
    nobody = np.zeros(pairs.sat.size)
    return Directions(pairs.site_rows, look.elevation_deg, look.azimuth_deg, nobody)


def _offered(candidates: Candidates) -> Directions:
    """Return a slot's candidates with the model's chances."""
    chance = probabilities(log_weights(cold(), candidates), candidates.terminal_start)
    return Directions(candidates.terminal, candidates.elevation_deg, candidates.azimuth_deg, chance)


def _today(world: World) -> World:
    """Return the same sites under the fleet that ships with the package."""
    scenario = world.scenario
    start_utc = datetime(2026, 6, 14, 0, 0, 12, tzinfo=UTC)
    change = {
        "catalogue": CatalogueSection(source="builtin:2026-06-14", select=("STARLINK",)),
        "shells": (),
        "time": scenario.time.model_copy(update={"start_utc": start_utc}),
    }
    return build_world(scenario.model_copy(update=change))
