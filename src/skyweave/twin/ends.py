"""The two ends of a path: where they stand, and which satellites their antennas can use."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.frames import itrf_to_geodetic
from skyweave.policy.reasons import Reason
from skyweave.time import TimeGrid
from skyweave.twin.geometry import Mask, VisiblePairs, keep, visible_pairs
from skyweave.twin.routing import GroundLinks
from skyweave.twin.sight import Places, sky_tests
from skyweave.twin.sites import SiteSky
from skyweave.twin.world import World

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int64]


@dataclass(frozen=True)
class Endpoint:
    """One end of a path: a place with its own antenna, or a PoP behind the antennas of gateways."""

    name: str
    antennas: tuple[str, ...]  # gateway ids of a PoP; () where the place is itself the antenna
    places: Callable[[TimeGrid], list[Places]]  # of the A antennas at each instant
    mask: Mask  # (A,)
    behind_s: FloatArray  # (A,) one-way delay behind each antenna
    sky: SiteSky | None = None  # of a terminal's dish
    pop_deg: tuple[float, float] | None = None  # latitude and longitude of a PoP
    gateways: RowArray | None = None  # (A,) rows, where the antennas are gateways'
    pop: int | None = None  # row of a PoP

    @property
    def is_dish(self) -> bool:
        """Whether the place is itself the antenna, and no gateway."""
        return self.gateways is None

    def at_deg(self, grid: TimeGrid) -> FloatArray:
        """Return latitude and longitude at each instant, shape (T, 2), in degrees."""
        if self.pop_deg is not None:
            return np.tile(self.pop_deg, (len(grid), 1))
        itrf_m = np.array([places[0][0] for places in self.places(grid)])
        lat_deg, lon_deg, _ = itrf_to_geodetic(itrf_m)
        return np.column_stack((lat_deg, lon_deg))


class EndSky:
    """The satellites that an endpoint's antennas can use at one instant, and what they cost."""

    def __init__(
        self, world: World, endpoint: Endpoint, places: Places, sat_itrf_m: FloatArray
    ) -> None:
        """Take the satellites (N, 3), those that have failed among them."""
        failed = _failed(world, endpoint)
        places = _in_order(world, endpoint, places, failed)
        self.endpoint, self.places = endpoint, places
        whole_m = np.where(world.fleet.serves[:, None], sat_itrf_m, np.nan)
        self.usable_m = world.in_order(whole_m)
        self.gso_separation_deg = world.scenario.visibility.gso_separation_deg
        self.tests = sky_tests(world, endpoint.sky)
        self.in_view = seen = visible_pairs(*places, self.usable_m, endpoint.mask)
        lost_to = None
        for reason, test in self.tests:
            seen = keep(seen, test(seen, places, self.usable_m))
            lost_to = lost_to or (reason if len(seen) == 0 else None)
        range_m = np.linalg.norm(self.usable_m[seen.sat] - places[0][seen.site_rows], axis=1)
        cost_s = range_m / SPEED_OF_LIGHT_M_S + endpoint.behind_s[seen.site_rows]
        self.links = GroundLinks(seen.sat, cost_s)
        self.reason = failed or self._why_empty(lost_to, whole_m)
        self._antenna = seen.site_rows

    def _why_empty(self, lost_to: Reason | None, whole_m: FloatArray) -> Reason | None:
        if not len(self.places[0]):  # a PoP without gateways
            return Reason.NO_GATEWAY_PATH
        if np.isnan(self.places[0]).all():
            return Reason.POSITION_UNKNOWN
        if len(self.in_view) == 0:
            lost_to = Reason.NO_SATELLITE_IN_VIEW
        return Reason.SATELLITE_FAILED if lost_to and self._could_use(whole_m) else lost_to

    def _could_use(self, whole_m: FloatArray) -> bool:
        """Return whether an antenna could use any satellite if none had failed."""
        seen = visible_pairs(*self.places, whole_m, self.endpoint.mask)
        for _, test in self.tests:
            seen = keep(seen, test(seen, self.places, whole_m))
        return len(seen) > 0

    def nodes(self, link: int) -> list[str]:
        """Return the ground nodes from the end of the path to the antenna of a link."""
        names = self.endpoint.antennas
        return [self.endpoint.name] + ([names[self._antenna[link]]] if names else [])

    def passing(self, pairs: VisiblePairs, but: Reason | None = None) -> VisiblePairs:
        """Return the pairs of an antenna and a satellite that pass all tests of the sky but one."""
        for reason, test in self.tests:
            if reason is not but:
                pairs = keep(pairs, test(pairs, self.places, self.usable_m))
        return pairs


def _failed(world: World, endpoint: Endpoint) -> Reason | None:
    """Return which failure leaves an end without any antenna."""
    if not world.core_is_up:
        return Reason.CORE_FAILED
    if endpoint.pop is not None and not world.pop_is_up[endpoint.pop]:
        return Reason.POP_FAILED
    gateways = endpoint.gateways
    if gateways is not None and gateways.size and not world.gateway_is_up[gateways].any():
        return Reason.GATEWAY_FAILED
    return None


def _in_order(world: World, endpoint: Endpoint, places: Places, failed: Reason | None) -> Places:
    """Return the antennas' places with NaN for those that a failure takes away."""
    if failed is not None:
        return np.full_like(places[0], np.nan), places[1]
    if endpoint.gateways is None or world.gateway_is_up[endpoint.gateways].all():
        return places
    is_up = world.gateway_is_up[endpoint.gateways][:, None]
    return np.where(is_up, places[0], np.nan), places[1]
