"""Which PoPs the model gives the people of each country: a check against the PoPs of real dishes.

No PoP that a country really uses enters the ranking, so the agreement with real dishes is a test
of the assumed ground network alone.
"""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.realism.country_paths import (
    DOMESTIC_ONLY,
    Progress,
    Ways,
    assumed_ground,
    descend,
    draw_satellites,
    ways_to_pops,
)
from skyweave.realism.population_points import (
    PopulationPoints,
    country_median,
    population_points,
)
from skyweave.twin.topology import Pops

IntArray = NDArray[np.int64]


class CountryPops(NamedTuple):
    """The PoPs of one country's people."""

    ranked: tuple[str, ...]  # all, by the median round trip of its people
    of_towns: frozenset[str]  # those that are the nearest of some town


def foresee_pops(
    countries: Collection[str],
    progress: Progress = lambda _: None,
    *,
    domestic_only: tuple[str, ...] = DOMESTIC_ONLY,
    seed: int = 0,
) -> dict[str, CountryPops]:
    """Return the PoPs of each country, ISO 3166-1 alpha-2, that has towns in the lists.

    Of several PoPs in one house that listed first stands for all (`same_house`).
    """
    known = population_points()
    places = known.take(np.isin(known.country, sorted(countries)))
    drawn = draw_satellites(places, seed, progress)
    ground = assumed_ground(domestic_only)
    ways = ways_to_pops(places, drawn, descend(drawn, ground, progress), ground, progress)
    first = _first_in_house(ground.pops)
    found = {}
    for country in np.unique(places.country).tolist():
        of = np.flatnonzero(places.country == country)
        ids = ground.pops.pop_id[first[_order(of, places, ways, np.unique(first))]]
        of_towns = ground.pops.pop_id[first[ways.pop[of]]]
        found[country] = CountryPops(tuple(ids.tolist()), frozenset(of_towns.tolist()))
    return found


def same_house(pops: Pops) -> dict[str, str]:
    """Return for every PoP the id that stands for it: of several at one place that listed first."""
    first = _first_in_house(pops)
    return {str(own): str(pops.pop_id[p]) for own, p in zip(pops.pop_id, first, strict=True)}


def _order(of: IntArray, places: PopulationPoints, ways: Ways, pops: IntArray) -> IntArray:
    """Return rows of PoPs, by the median round trip from the towns `of` one country."""
    medians_s = [country_median(ways.rtt_s[of, p], places.points[of]) for p in pops]
    return pops[np.argsort(medians_s, kind="stable")]


def _first_in_house(pops: Pops) -> IntArray:
    is_same = (pops.lat_deg[:, None] == pops.lat_deg) & (pops.lon_deg[:, None] == pops.lon_deg)
    return np.asarray(np.argmax(is_same, axis=1))
