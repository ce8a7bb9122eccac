"""The laser plan of the real fleet: rings inside the planes and planned cross links between them.

No published source says how Starlink points its lasers; this is a model, and every path over it is
"modelled".  Each satellite with lasers holds the next ones ahead and behind in its plane, and, by
the policy, none, one or two satellites of other planes, chosen so that the pair stays good for a
whole orbit.  Every 15 minutes links that are no longer good are given up and free lasers find new
partners.

Satellites outside the planes (raising, lowering, staging) and without lasers have no links.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.time import TimeGrid
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.orbits import propagate_teme
from skyweave.twin.topology.crosslinks import (
    CrossRules,
    Places,
    States,
    choose_pairs,
    lasting_pairs,
    node_and_latitude_argument_deg,
    slew_deg_s,
)
from skyweave.twin.topology.isl import (
    NO_EDGES,
    BoolArray,
    EdgeArray,
    FloatArray,
    LinkLimits,
    are_feasible,
    as_edges,
    edge_rows,
)
from skyweave.twin.topology.lasers import laser_terminals, satellite_generations
from skyweave.twin.topology.planes import find_planes

RowArray = NDArray[np.int64]
IndexArray = NDArray[np.int32]

IN_PLANE = 2  # lasers that look ahead and behind
FLEET_MAX_RANGE_M = 5_400_000.0  # the longest link reported (operator's talk, press of 2024-01)
# The fastest in the same talk; up to a minute is heard of, but any time within a slot costs a slot.
FLEET_ACQUISITION_S = 12.0
ORBIT_SAMPLES = 32
SAMPLE_STRIDE = 7  # successive samples lie a quarter orbit apart: pairs that part are met early


@dataclass(frozen=True, eq=False)
class FleetPlan:
    """Rings and cross links, re-planned every `replan_s`, keeping what still works.

    The arrays have one row per satellite with lasers (L), in the order of NORAD ids, so that the
    plan does not depend on the order of the catalogue.
    """

    lasers: Catalogue  # the satellites with lasers
    rows: RowArray  # (L,) their rows in the whole catalogue
    satellites: int  # N, length of the whole catalogue
    plane: IndexArray  # (L,)
    shell: IndexArray  # (L,)
    family: IndexArray  # (L,)
    epoch_utc: np.datetime64  # start of slot 0
    slot_s: float
    replan_s: float
    rules: CrossRules
    limits: LinkLimits

    @property
    def degree(self) -> int:
        """The most links that one satellite has."""
        return IN_PLANE + self.rules.lasers

    def links(self, previous: EdgeArray | None, slot: int, sat_itrf_m: FloatArray) -> EdgeArray:
        """Return the planned links; see `isl.IslPlan`.  A satellite at NaN is passed over."""
        if previous is not None and slot % max(1, round(self.replan_s / self.slot_s)):
            return previous
        if self.rows.size == 0:
            return NO_EDGES
        now = self._states(np.arange(self.rows.size), slot, np.zeros(1))
        alive = np.isfinite(sat_itrf_m[self.rows]).all(axis=1) & np.isfinite(now.sat_m[0, :, 0])
        raan_deg, latitude_argument_deg = node_and_latitude_argument_deg(
            now.sat_m[0], now.sat_m_s[0]
        )
        places = Places(self.plane, self.shell, self.family, raan_deg)
        rings = self._rings(latitude_argument_deg, now, alive)
        kept = self._still_good(previous, now, alive)
        new = self._new_links(slot, places, kept, alive)
        a, b = self.rows[np.concatenate((rings, kept, new))].T
        return as_edges(a, b)

    def _states(self, members: RowArray, slot: int, after_s: FloatArray) -> States:
        """Return where some satellites are at times after the start of a slot."""
        grid = TimeGrid(self.epoch_utc, slot * self.slot_s + after_s)
        sat_m, sat_m_s, _ = propagate_teme(self.lasers.take(members), grid, velocity=True)
        assert sat_m_s is not None
        return States(sat_m, sat_m_s)

    def _rings(self, latitude_argument_deg: FloatArray, now: States, alive: BoolArray) -> EdgeArray:
        """Return the feasible links from each satellite to the next one ahead in its plane."""
        behind = np.lexsort((latitude_argument_deg, self.plane))
        behind = behind[alive[behind]]
        _, first, members = np.unique(self.plane[behind], return_index=True, return_counts=True)
        ahead = np.roll(behind, -1)
        ahead[first + members - 1] = behind[first]
        pairs = as_edges(behind, ahead)
        up = are_feasible(pairs, now.sat_m[0], self.limits)
        return pairs[up]

    def _still_good(self, previous: EdgeArray | None, now: States, alive: BoolArray) -> EdgeArray:
        """Return the old cross links that are feasible and turn slowly enough to be kept."""
        if previous is None:
            return NO_EDGES
        member = np.full(self.satellites, -1, np.int32)
        member[self.rows] = np.arange(self.rows.size)
        pairs: EdgeArray = np.sort(member[previous], axis=1)
        across = self.plane[pairs[:, 0]] != self.plane[pairs[:, 1]]
        pairs = pairs[across & alive[pairs].all(axis=1)]
        good = are_feasible(pairs, now.sat_m[0], self.limits)
        good &= slew_deg_s(pairs, now.sat_m[0], now.sat_m_s[0]) <= self.rules.keep_slew_deg_s
        return as_edges(*pairs[good].T)

    def _new_links(self, slot: int, places: Places, kept: EdgeArray, alive: BoolArray) -> EdgeArray:
        """Return cross links between satellites that have a laser for them free."""
        held = np.bincount(kept.ravel(), minlength=alive.size)
        members = np.flatnonzero(alive & (held < self.rules.lasers))
        if members.size < 2:
            return NO_EDGES
        orbit_s = 86400.0 / float(self.lasers.mean_motion_rev_day[members].min())
        sample_s = orbit_s / ORBIT_SAMPLES
        order = np.arange(ORBIT_SAMPLES) * SAMPLE_STRIDE % ORBIT_SAMPLES
        orbit = self._states(members, slot, order.astype(np.float64) * sample_s)
        pairs, range_m = lasting_pairs(
            orbit, sample_s, places.take(members), self.rules, self.limits
        )
        pairs = members[pairs].astype(np.int32)
        is_new = edge_rows(pairs, kept) < 0
        return choose_pairs(pairs[is_new], range_m[is_new], places, kept, self.rules)


def fleet_plan(
    catalogue: Catalogue,
    epoch_utc: np.datetime64,
    slot_s: float,
    relays: BoolArray | None = None,
    *,
    replan_s: float = 900.0,
    rules: CrossRules | None = None,
    limits: LinkLimits | None = None,
) -> FleetPlan:
    """Return the laser plan for the satellites marked in `relays` (default: all), from slot 0 on.

    Only Starlink satellites in the planes of operational shells get links; planes are those of
    `epoch_utc`.  Direct-to-cell satellites relay, too.
    """
    if len(catalogue) and (catalogue.grid_shell >= 0).all():
        raise InputError(
            'isl.plan: found "fleet" with synthetic shells only, which have no launch designators '
            'to tell lasers from; use plan = "plus-grid"'
        )
    among = satellite_generations(catalogue) != ""
    if relays is not None:
        among &= relays
    planes = find_planes(catalogue, epoch_utc, among)
    has_links = (planes.plane >= 0) & (laser_terminals(catalogue) > 0)
    rows = np.flatnonzero(has_links)
    rows = rows[np.argsort(catalogue.norad_id[rows], kind="stable")]
    return FleetPlan(
        lasers=catalogue.take(rows),
        rows=rows,
        satellites=len(catalogue),
        plane=planes.plane[rows],
        shell=planes.shell[rows],
        family=planes.family[rows],
        epoch_utc=epoch_utc,
        slot_s=slot_s,
        replan_s=replan_s,
        rules=rules or CrossRules(),
        limits=limits or LinkLimits(FLEET_MAX_RANGE_M),
    )
