"""Ground to ground over the network at free instants, without slots and without a scheduler.

A path enters by any satellite in view of one end and leaves by any in view of the other; between
them it uses the laser links of the scenario's plan.  No ground node lies inside a path.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.frames import geodetic_to_itrf
from skyweave.policy.reasons import Reason
from skyweave.time import TimeGrid
from skyweave.twin.geometry import Mask, VisiblePairs, keep, visible_pairs
from skyweave.twin.pipeline import fibre_s
from skyweave.twin.routing import GroundLinks, GroundPath, ground_paths
from skyweave.twin.sight import Places, sky_tests
from skyweave.twin.sites import SiteSky
from skyweave.twin.snapshots import snapshots
from skyweave.twin.terminals import terminal_itrf
from skyweave.twin.world import (
    World,
    gateway_itrf,
    gateway_mask,
    site_mask,
    terminal_mask,
)

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Endpoint:
    """One end of a path: a place with its own antenna, or a PoP behind the antennas of gateways."""

    name: str
    antennas: tuple[str, ...]  # gateway ids of a PoP; () where the place is itself the antenna
    places: Callable[[TimeGrid], list[Places]]  # of the A antennas at each instant
    mask: Mask  # (A,)
    behind_s: FloatArray  # (A,) one-way delay behind each antenna
    sky: SiteSky | None = None  # of a terminal's dish


@dataclass(frozen=True)
class Sample:
    """What one instant offers: paths, cheapest first, or the reason why there is none."""

    t_s: float
    paths: tuple[tuple[float, tuple[str, ...]], ...]  # round-trip time in seconds, nodes
    reason: Reason | None


def place_endpoint(
    world: World, name: str, lat_deg: float, lon_deg: float, height_wgs84_m: float = 0.0
) -> Endpoint:
    """Return a fixed place on the ground, which sees the sky as terminals do."""
    place = geodetic_to_itrf(*(np.array([v]) for v in (lat_deg, lon_deg, height_wgs84_m)))
    mask = site_mask(world, 1)
    return Endpoint(name, (), lambda grid: [place] * len(grid), mask, np.zeros(1))


def terminal_endpoint(world: World, row: int) -> Endpoint:
    """Return a terminal of the scenario, which may move."""
    own = world.only_terminal(row)
    terminal = own.terminals
    name = str(terminal.terminal_id[0])

    def places(grid: TimeGrid) -> list[Places]:
        positions = terminal_itrf(terminal, grid.utc)
        return [positions.at(k) for k in range(len(grid))]

    return Endpoint(name, (), places, terminal_mask(own), np.zeros(1), own.sky)


def gateway_endpoint(world: World, row: int) -> Endpoint:
    """Return a gateway."""
    return _gateways(world, world.gateways.gateway_id[row], (), np.array([row]), np.zeros(1))


def pop_endpoint(world: World, row: int) -> Endpoint:
    """Return a PoP: it is reached through any gateway, and the fibre from there."""
    names = tuple(world.gateways.gateway_id.tolist())
    everyone = np.arange(len(names))
    return _gateways(world, world.pops.pop_id[row], names, everyone, fibre_s(world, row))


def _gateways(
    world: World, name: str, names: tuple[str, ...], rows: NDArray[np.int64], behind_s: FloatArray
) -> Endpoint:
    gateways = world.gateways.take(rows)
    place, mask = gateway_itrf(gateways), gateway_mask(world, gateways)
    return Endpoint(str(name), names, lambda grid: [place] * len(grid), mask, behind_s)


def paths_over_time(
    world: World,
    start: Endpoint,
    end: Endpoint,
    at_utc: np.datetime64,
    t_s: FloatArray,
    *,
    count: int = 1,
    disjoint: str = "satellite",
) -> Iterator[Sample]:
    """Yield the cheapest ways from start to end at `at_utc + t_s`, in order of time."""
    for grid, chunk in snapshots(world, at_utc, t_s):
        places = zip(start.places(grid), end.places(grid), strict=True)
        for now, (here, there) in zip(chunk, places, strict=True):
            near = _Sky(world, start, here, now.sat_itrf_m)
            far = _Sky(world, end, there, now.sat_itrf_m)
            found = ground_paths(
                now.neighbour, now.length_m, near.links, far.links, count=count, disjoint=disjoint
            )
            yield _sample(world, now.t_s, found, near, far)


class _Sky:
    """The satellites that an endpoint's antennas see at one instant, as links with their cost."""

    def __init__(
        self, world: World, endpoint: Endpoint, places: Places, sat_itrf_m: FloatArray
    ) -> None:
        usable_m = np.where(world.fleet.serves[:, None], sat_itrf_m, np.nan)
        in_view = seen = visible_pairs(*places, usable_m, endpoint.mask)
        lost_to = None
        for reason, test in sky_tests(world, endpoint.sky):
            seen = keep(seen, test(seen, places, usable_m))
            lost_to = lost_to or (reason if len(seen) == 0 else None)
        range_m = np.linalg.norm(usable_m[seen.sat] - places[0][seen.site_rows], axis=1)
        cost_s = range_m / SPEED_OF_LIGHT_M_S + endpoint.behind_s[seen.site_rows]
        self.links = GroundLinks(seen.sat, cost_s)
        self.reason = self._why_empty(places, in_view, lost_to)
        self._endpoint = endpoint
        self._antenna = seen.site_rows

    @staticmethod
    def _why_empty(places: Places, in_view: VisiblePairs, lost_to: Reason | None) -> Reason | None:
        if np.isnan(places[0]).all():
            return Reason.POSITION_UNKNOWN
        if len(in_view) == 0:
            return Reason.NO_SATELLITE_IN_VIEW
        return lost_to

    def nodes(self, link: int) -> list[str]:
        """Return the ground nodes from the end of the path to the antenna of a link."""
        names = self._endpoint.antennas
        return [self._endpoint.name] + ([names[self._antenna[link]]] if names else [])


def _sample(world: World, t_s: float, found: list[GroundPath], near: _Sky, far: _Sky) -> Sample:
    processing_s = world.scenario.delay.processing_s
    norad_id = world.fleet.catalogue.norad_id
    paths = tuple(
        (
            2.0 * path.cost_s + processing_s,
            (
                *near.nodes(path.start_link),
                *(str(norad_id[sat]) for sat in path.sats),
                *reversed(far.nodes(path.end_link)),
            ),
        )
        for path in found
    )
    reason = near.reason or far.reason or Reason.NO_GATEWAY_PATH
    return Sample(t_s, paths, None if paths else reason)
