"""The satellites and their laser links at free instants, without slots and without a scheduler."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.frames import geodetic_to_itrf
from skyweave.time import TimeGrid, instants
from skyweave.twin.geometry import VisiblePairs, keep, visible_pairs
from skyweave.twin.orbits import Sgp4Records, initialise, propagate
from skyweave.twin.scenario import Site
from skyweave.twin.sight import Places, sky_tests
from skyweave.twin.topology import (
    FixedPlan,
    LinkState,
    are_feasible,
    padded_adjacency,
    padded_lengths_m,
    step,
)
from skyweave.twin.world import World, isl_plan, site_mask

CHUNK_INSTANTS = 256  # propagated together

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]


WorldAt = Callable[[np.datetime64], World]


class Snapshot(NamedTuple):
    """One instant: N satellites, each with at most K laser links; what has failed is left out."""

    world: World  # with the failures in force
    t_s: float
    sat_itrf_m: FloatArray  # (N, 3), NaN where there is no valid position
    neighbour: RowArray  # (N, K) satellite rows, -1 after the last
    length_m: FloatArray  # (N, K), inf where there is no link
    all_itrf_m: FloatArray  # (N, 3), those that have failed among them


def snapshots(
    world: World, at_utc: np.datetime64, t_s: FloatArray, world_at: WorldAt | None = None
) -> Iterator[tuple[TimeGrid, Iterator[Snapshot]]]:
    """Yield the instants `at_utc + t_s` (rising), chunk by chunk, each with its own snapshots.

    `world_at` (`Part.at_utc`) tells what has failed at an instant; without it nothing has.  Read a
    chunk to its end before asking for the next one: laser plans go through time in order.
    """
    records = initialise(world.fleet.catalogue)
    world_at = world_at or (lambda _: world)
    lasers = _Lasers(world, at_utc, records, world_at)
    for first in range(0, t_s.size, CHUNK_INSTANTS):
        grid = instants(at_utc, t_s[first : first + CHUNK_INSTANTS], world.scenario.source)
        yield grid, _chunk(world, grid, records, lasers, world_at)


def site_places(sites: Sequence[Site]) -> Places:
    """Return the positions and ellipsoid normals of fixed sites, (S, 3) each."""
    columns = [(site.lat_deg, site.lon_deg, site.height_wgs84_m) for site in sites]
    return geodetic_to_itrf(*np.array(columns, dtype=np.float64).reshape(-1, 3).T)


def site_views(
    world: World, places: Places, sat_itrf_m: FloatArray
) -> tuple[VisiblePairs, FloatArray]:
    """Return the satellites that sites may use at one instant, and how far they are, (P,)."""
    usable_m = np.where(world.fleet.serves[:, None], sat_itrf_m, np.nan)
    seen = visible_pairs(*places, usable_m, site_mask(world, len(places[0])))
    for _, test in sky_tests(world, None):
        seen = keep(seen, test(seen, places, usable_m))
    line_m = usable_m[seen.sat] - places[0][seen.site_rows]
    return seen, np.asarray(np.linalg.norm(line_m, axis=1))


def _chunk(
    world: World, grid: TimeGrid, records: Sgp4Records, lasers: "_Lasers", world_at: WorldAt
) -> Iterator[Snapshot]:
    catalogue, orientation = world.fleet.catalogue, world.orientation
    sat_itrf_m = propagate(catalogue, grid, orientation, records=records).sat_itrf_m
    for utc, t_s, all_m in zip(grid.utc, grid.t_s.tolist(), sat_itrf_m, strict=True):
        now = world_at(utc)
        now_m = now.in_order(all_m)
        yield Snapshot(now, t_s, now_m, *lasers.at(now, t_s, now_m), all_m)


class _Lasers:
    """The laser links at instants that only move forward; plans are stepped slot by slot."""

    def __init__(
        self, world: World, at_utc: np.datetime64, records: Sgp4Records, world_at: WorldAt
    ) -> None:
        self._world, self._at_utc = world, at_utc
        self._records, self._world_at = records, world_at
        self._plan = isl_plan(world, at_utc)
        # The same links in every slot, none to be acquired: no slot need be stepped through.
        self._is_fixed = (
            isinstance(self._plan, FixedPlan) and not self._plan.limits.acquisition_slots
        )
        self._end_m = self._boundary(0)  # of the last slot, where the next one starts
        self._state = self._next(None)

    def at(self, now: World, t_s: float, sat_itrf_m: FloatArray) -> tuple[RowArray, FloatArray]:
        """Return neighbours and link lengths, (N, K) each, at an instant."""
        slot = int(t_s // self._world.scenario.time.slot_s)
        while self._state.slot < slot and not self._is_fixed:
            self._state = self._next(self._state)
        ready = self._state.ready
        up = ready[are_feasible(ready, sat_itrf_m, self._plan.limits) & ~now.has_failed(ready)]
        neighbour = padded_adjacency(up, len(sat_itrf_m), self._plan.degree)
        return neighbour, padded_lengths_m(neighbour, sat_itrf_m)

    def _next(self, before: LinkState | None) -> LinkState:
        slot = 0 if before is None else before.slot + 1
        start_m, self._end_m = self._end_m, self._boundary(slot + 1)
        state = step(self._plan, before, slot, start_m, self._end_m)
        if not self._plan.limits.acquisition_slots:
            return state  # a link is back as soon as it is in order
        now = self._world_at(self._start(slot).utc[0])
        return state.without(now.has_failed(state.planned))

    def _boundary(self, slot: int) -> FloatArray:
        """Return the satellites at the start of a slot, (N, 3)."""
        grid, catalogue = self._start(slot), self._world.fleet.catalogue
        positions = propagate(catalogue, grid, self._world.orientation, records=self._records)
        return self._world_at(grid.utc[0]).in_order(positions.sat_itrf_m[0])

    def _start(self, slot: int) -> TimeGrid:
        return TimeGrid(self._at_utc, np.array([slot * self._world.scenario.time.slot_s]))
