"""At the border of a licensed area: a warning first, then less, and a reason for all of it.

    state      where the fix is                      service
    inside     within the area, off its margin       full
    warned     in the margin ring                    full, with a warning
    grace      perhaps or surely beyond the border   restricted, for 30 min
    lifeline   beyond, where the licence allows it   text-class, for a time
    off        beyond, with a reason code            none

A fix is a disc that surely holds the terminal until the next fix, so "perhaps beyond" already
restricts and only "surely beyond", three fixes or a minute long, lets the grace run.  Service gets
better only after as many consistent fixes and 10 minutes after it got worse, so nothing flaps.
Decisions look at cells, never at raw points.

Pure: `step` takes a state and a reading and returns the next state.  Who has an agreement, or a
service address that the network confirmed, does not depend on this: the cell decision comes first.
"""

import functools
import math
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import NamedTuple

import h3.api.numpy_int as h3_cells
import numpy as np
from numpy.typing import NDArray

from skyweave.constants import EARTH_MEAN_RADIUS_M
from skyweave.errors import InputError
from skyweave.policy.decision import LIFELINE_BPS, NO_LIMIT_BPS
from skyweave.policy.reasons import Reason
from skyweave.policy.regions import CELL_RESOLUTION, margin_rings

FloatArray = NDArray[np.float64]

MAX_RADIUS_M = 100_000.0  # a worse fix is no fix

# Points on circles 7 km apart or less meet every cell in a disc: a cell is 14 km across or more,
# and its corners, of 104 deg or more, come between 24 points by at most 14 % of the radius.
_CIRCLE_STEP_M = 7_000.0
_POINTS = 24
_CORNER_SHARE = 1.14
_CELL_EDGE_M = 7_000.0  # a disc of so much less reaches one ring of cells less


class Zone(IntEnum):
    """Where the disc of a fix lies."""

    INSIDE = 0
    MARGIN = 1
    EDGE = 2  # across the border, or no fix
    BEYOND = 3


class Level(IntEnum):
    """The service at the border; larger is worse."""

    INSIDE = 0
    WARNED = 1
    GRACE = 2
    LIFELINE = 3
    OFF = 4

    @property
    def is_warning(self) -> bool:
        """Whether the terminal is told that service will end: the dish's alert `roaming`."""
        return self is not Level.INSIDE

    @property
    def reason(self) -> Reason | None:
        """The code that the dish shows; None while there is service."""
        return Reason.ROAM_RESTRICTED if self is Level.OFF else None


@dataclass(frozen=True)
class BorderRules:
    """The times and rates of the border; each is public and part of what a charter fixes."""

    margin_rings: int = 1
    grace_s: float = 1_800.0
    grace_bps: int = 1_000_000
    lifeline_s: float = 86_400.0  # 0 where the licence allows none
    consistent_fixes: int = 3
    consistent_s: float = 60.0
    calm_s: float = 600.0  # from worse to better service
    retry_s: float = 1_800.0  # when off: before it is asked again, unless it moved
    retry_rings: int = 1

    def __post_init__(self) -> None:
        times_s = (self.grace_s, self.lifeline_s, self.consistent_s, self.calm_s, self.retry_s)
        counts = (self.margin_rings, self.consistent_fixes, self.grace_bps)
        if not all(0.0 <= t < math.inf for t in times_s) or min(counts) < 1 or self.retry_rings < 0:
            raise InputError("border rules: times are 0 s or more, counts and rates 1 or more")
        if self.grace_s < self.consistent_s:
            raise InputError(
                f"border rules: grace_s = {self.grace_s:g} is shorter than consistent_s = "
                f"{self.consistent_s:g}; give a longer grace"
            )

    def limit_bps(self, level: Level) -> int:
        """Return the highest rate at a level."""
        rates = (NO_LIMIT_BPS, NO_LIMIT_BPS, self.grace_bps, LIFELINE_BPS, 0)
        return rates[level]


@dataclass(frozen=True)
class Reading:
    """A fix as decisions see it: time, zone, and the cell of its centre (0: no fix)."""

    at_s: float
    zone: Zone
    cell: int


class Streak(NamedTuple):
    """Readings in a row that agree: where they lie, since when, how many."""

    of: Zone | None = None
    since_s: float = -math.inf
    fixes: int = 0

    def then(self, zone: Zone, at_s: float) -> "Streak":
        """Return the streak after one more reading, a new one where it does not agree."""
        return (
            Streak(zone, self.since_s, self.fixes + 1) if zone is self.of else Streak(zone, at_s, 1)
        )

    def is_consistent(self, at_s: float, rules: BorderRules) -> bool:
        """Return whether it is long enough to believe."""
        return self.fixes >= rules.consistent_fixes or at_s - self.since_s >= rules.consistent_s


_NO_READINGS = Streak()


@dataclass(frozen=True)
class BorderState:
    """What is remembered of a terminal at the border; it holds a cell, never a position."""

    level: Level = Level.INSIDE
    at_s: float = -math.inf  # of the last reading
    zones: Streak = _NO_READINGS  # of readings in one zone
    sides: Streak = _NO_READINGS  # of readings on one side: the margin counts as inside
    worse_s: float = -math.inf  # when the level last got worse
    beyond_s: float = math.inf  # when it surely was beyond: the grace runs from here
    lifeline_s: float = math.inf  # when the lifeline began
    cut_cell: int = 0  # where it was cut


class Border:
    """The licensed cells and their margin, for reading fixes."""

    def __init__(self, cells: NDArray[np.uint64], rules: BorderRules) -> None:
        self.rules = rules
        deepest = rules.margin_rings + 4
        depth = margin_rings(cells, deepest).tolist()
        self._depth = dict(zip(cells.tolist(), (n or deepest + 1 for n in depth), strict=True))

    def read(self, at_s: float, lat_deg: float, lon_deg: float, radius_m: float) -> Reading:
        """Return the reading of a fix whose disc surely holds the terminal until the next fix.

        `radius_m` is the fix's error bound, such as 3 sigma, and the way to the next fix.  A fix at
        NaN, or without a usable radius, is none: the terminal may be anywhere.
        """
        is_fix = math.isfinite(lat_deg) and math.isfinite(lon_deg)
        if not is_fix or not 0.0 <= radius_m <= MAX_RADIUS_M:
            return Reading(at_s, Zone.EDGE, 0)
        cell = h3_cells.latlng_to_cell(lat_deg, lon_deg, CELL_RESOLUTION)
        depth = self._depth.get(cell, 0)
        # So deep inside that no cell of the margin is in reach.
        if depth > self.rules.margin_rings + 1 + radius_m / _CELL_EDGE_M:
            return Reading(at_s, Zone.INSIDE, cell)
        reached = {self._depth.get(c, 0) for c in _cells_of_disc(lat_deg, lon_deg, radius_m)}
        return Reading(at_s, self._zone(reached | {depth}), cell)

    def _zone(self, depths: set[int]) -> Zone:
        if 0 in depths:
            return Zone.EDGE if len(depths) > 1 else Zone.BEYOND
        return Zone.MARGIN if min(depths) <= self.rules.margin_rings else Zone.INSIDE


def _cells_of_disc(lat_deg: float, lon_deg: float, radius_m: float) -> set[int]:
    """Return the cells of points so dense in a disc that they meet each cell it touches."""
    circles = math.ceil(radius_m / _CIRCLE_STEP_M)
    turns = tuple(math.ceil(n * radius_m / circles / 14_000.0) for n in range(1, circles + 1))
    share, cos_turn, sin_turn = _points(turns)
    arc = _CORNER_SHARE * radius_m / EARTH_MEAN_RADIUS_M * share
    sin_lat, cos_lat = math.sin(math.radians(lat_deg)), math.cos(math.radians(lat_deg))
    # The direct problem on the sphere.
    to_sin = np.clip(sin_lat * np.cos(arc) + cos_lat * np.sin(arc) * cos_turn, -1.0, 1.0)
    east = np.arctan2(sin_turn * np.sin(arc) * cos_lat, np.cos(arc) - sin_lat * to_sin)
    to_lat, to_lon = np.degrees(np.arcsin(to_sin)), lon_deg + np.degrees(east)
    places = zip(to_lat.tolist(), to_lon.tolist(), strict=True)
    return {h3_cells.latlng_to_cell(*place, CELL_RESOLUTION) for place in places}


@functools.lru_cache(maxsize=64)
def _points(turns: tuple[int, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return points (P,) on circles: share of the radius, cosine and sine of the bearing.

    The n-th circle has `turns[n]` times as many points as a cell's corners ask for.
    """
    counts = _POINTS * np.array(turns, dtype=np.int64)
    share = np.repeat(np.arange(1, len(turns) + 1) / max(1, len(turns)), counts)
    bearings = [np.arange(count) * (2.0 * np.pi / count) for count in counts.tolist()]
    turn = np.concatenate([np.empty(0), *bearings])
    return share, np.cos(turn), np.sin(turn)


def step(state: BorderState, reading: Reading, rules: BorderRules) -> BorderState:
    """Return the state after a reading; one that is not later than the last changes nothing."""
    if not state.at_s < reading.at_s < math.inf:
        return state
    if state.level is Level.OFF and not _may_retry(state, reading, rules):
        return replace(state, at_s=reading.at_s, zones=_NO_READINGS, sides=_NO_READINGS)
    seen = _counted(state, reading, rules)
    wanted = _wanted(seen, reading.zone, rules)
    if wanted > seen.level:
        return _worse(seen, wanted, reading)
    if wanted < seen.level and seen.at_s - seen.worse_s >= rules.calm_s:
        return replace(seen, level=wanted, beyond_s=math.inf, lifeline_s=math.inf, cut_cell=0)
    return seen


def _counted(state: BorderState, reading: Reading, rules: BorderRules) -> BorderState:
    """Return the state with a reading counted among those that agree with it."""
    zone, at_s = reading.zone, reading.at_s
    sides = state.sides.then(Zone.INSIDE if zone is Zone.MARGIN else zone, at_s)
    is_beyond = zone is Zone.BEYOND and sides.is_consistent(at_s, rules)
    beyond_s = min(state.beyond_s, sides.since_s) if is_beyond else state.beyond_s
    zones = state.zones.then(zone, at_s)
    return replace(state, at_s=at_s, zones=zones, sides=sides, beyond_s=beyond_s)


def _may_retry(state: BorderState, reading: Reading, rules: BorderRules) -> bool:
    """Return whether a terminal that is off is looked at again: it moved, or time has passed."""
    if reading.at_s - state.worse_s >= rules.retry_s:
        return True
    near = h3_cells.grid_disk(state.cut_cell, rules.retry_rings).tolist()
    return reading.cell != 0 and reading.cell not in near


def _wanted(state: BorderState, zone: Zone, rules: BorderRules) -> Level:
    """Return the level that the readings ask for; a better one only where they are consistent."""
    if zone in (Zone.INSIDE, Zone.MARGIN):
        return _wanted_within(state, zone, rules)
    is_sure = zone is Zone.BEYOND and state.sides.is_consistent(state.at_s, rules)
    if is_sure and state.at_s - state.beyond_s >= rules.grace_s:
        return _after_grace(state, rules)
    return max(state.level, Level.GRACE)  # no cut while it may be inside


def _wanted_within(state: BorderState, zone: Zone, rules: BorderRules) -> Level:
    if zone is Zone.INSIDE and state.zones.is_consistent(state.at_s, rules):
        return Level.INSIDE
    if state.level > Level.WARNED and state.sides.is_consistent(state.at_s, rules):
        return Level.WARNED
    return max(state.level, Level.WARNED if zone is Zone.MARGIN else Level.INSIDE)


def _after_grace(state: BorderState, rules: BorderRules) -> Level:
    if state.level <= Level.GRACE and rules.lifeline_s > 0.0:
        return Level.LIFELINE
    is_lifeline = state.level is Level.LIFELINE
    if is_lifeline and state.at_s - state.lifeline_s < rules.lifeline_s:
        return Level.LIFELINE
    return Level.OFF


def _worse(state: BorderState, level: Level, reading: Reading) -> BorderState:
    return replace(
        state,
        level=level,
        worse_s=reading.at_s,
        lifeline_s=reading.at_s if level is Level.LIFELINE else state.lifeline_s,
        cut_cell=reading.cell if level is Level.OFF else 0,
    )
