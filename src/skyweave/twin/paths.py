"""Ground to ground over the network at free instants, without slots and without a scheduler.

A path enters by any satellite in view of one end and leaves by any in view of the other; between
them it uses the laser links of the scenario's plan.  No ground node lies inside a path.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.frames import geodetic_to_itrf
from skyweave.policy.reasons import Reason
from skyweave.time import TimeGrid
from skyweave.twin.ends import Endpoint, EndSky
from skyweave.twin.no_path import Diagnosis
from skyweave.twin.pipeline import fibre_s
from skyweave.twin.routing import Failover, GroundPath, failovers, ground_paths
from skyweave.twin.sight import Places
from skyweave.twin.snapshots import Snapshot, WorldAt, snapshots
from skyweave.twin.terminals import terminal_itrf
from skyweave.twin.world import (
    World,
    gateway_itrf,
    gateway_mask,
    site_mask,
    terminal_mask,
)

__all__ = [
    "Endpoint",
    "Sample",
    "gateway_endpoint",
    "paths_over_time",
    "place_endpoint",
    "pop_endpoint",
    "terminal_endpoint",
]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Protection:
    """What remains of an instant's best path after each single failure on it."""

    fails: str  # a satellite, or both ends of a link as "184-183", "Manila-184"
    rtt_s: float  # of the best path then, inf where the failure cuts the pair


@dataclass(frozen=True)
class Sample:
    """What one instant offers: paths, cheapest first, or the reason why there is none."""

    t_s: float
    paths: tuple[tuple[float, tuple[str, ...]], ...]  # round-trip time in seconds, nodes
    reason: Reason | None
    protection: tuple[Protection, ...] = ()  # in the order of the best path, where asked for
    cause: dict[str, Any] | None = None  # of there being no path, where asked for


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
    everyone, pops = np.arange(len(names)), world.pops
    end = _gateways(world, pops.pop_id[row], names, everyone, fibre_s(world, row))
    place_deg = (float(pops.lat_deg[row]), float(pops.lon_deg[row]))
    return replace(end, pop_deg=place_deg, pop=row)


def _gateways(
    world: World, name: str, names: tuple[str, ...], rows: NDArray[np.int64], behind_s: FloatArray
) -> Endpoint:
    gateways = world.gateways.take(rows)
    place, mask = gateway_itrf(gateways), gateway_mask(world, gateways)
    return Endpoint(
        str(name), names, lambda grid: [place] * len(grid), mask, behind_s, gateways=rows
    )


def paths_over_time(
    world: World,
    start: Endpoint,
    end: Endpoint,
    at_utc: np.datetime64,
    t_s: FloatArray,
    *,
    count: int = 1,
    disjoint: str = "satellite",
    protection: bool = False,
    causes: bool = False,
    world_at: WorldAt | None = None,
) -> Iterator[Sample]:
    """Yield the cheapest ways from start to end at `at_utc + t_s`, in order of time.

    With `protection` each sample says what remains of its best path after every single failure
    on it, with `causes` each one without a path says what cuts it and what would restore one.
    `world_at` tells what has failed, as for `snapshots`.
    """
    diagnosis = Diagnosis(world, at_utc) if causes else None
    beyond_s = world.beyond_propagation_s(dishes=(start.is_dish + end.is_dish))
    for grid, chunk in snapshots(world, at_utc, t_s, world_at):
        places = zip(start.places(grid), end.places(grid), strict=True)
        for now, (here, there) in zip(chunk, places, strict=True):
            near = EndSky(now.world, start, here, now.all_itrf_m)
            far = EndSky(now.world, end, there, now.all_itrf_m)
            found = ground_paths(
                now.neighbour, now.length_m, near.links, far.links, count=count, disjoint=disjoint
            )
            sample = _sample(beyond_s, world, now.t_s, found, near, far)
            if protection and found:
                sample = replace(sample, protection=_protection(beyond_s, now, found[0], near, far))
            if diagnosis is not None and not found:
                sample = replace(sample, cause=diagnosis.cause(now, near, far))
            yield sample


def _sample(
    beyond_s: float, world: World, t_s: float, found: list[GroundPath], near: EndSky, far: EndSky
) -> Sample:
    norad_id = world.fleet.catalogue.norad_id
    paths = tuple(
        (
            2.0 * path.cost_s + beyond_s,
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


def _protection(
    beyond_s: float, now: Snapshot, path: GroundPath, near: EndSky, far: EndSky
) -> tuple[Protection, ...]:
    norad_id = now.world.fleet.catalogue.norad_id

    def name(failover: Failover) -> str:
        sats = [str(norad_id[sat]) for sat in failover.sats]
        if failover.kind == "start":
            sats = [near.nodes(path.start_link)[-1], *sats]
        if failover.kind == "end":
            sats = [*sats, far.nodes(path.end_link)[-1]]
        return "-".join(sats)

    found = failovers(now.neighbour, now.length_m, near.links, far.links, path)
    return tuple(Protection(name(each), 2.0 * each.cost_s + beyond_s) for each in found)
