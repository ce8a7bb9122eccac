"""Cross links between planes: which pairs stay good for an orbit, and which of them are taken."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS84_A_M
from skyweave.kernels import kernel
from skyweave.twin.topology.isl import BoolArray, EdgeArray, FloatArray, LinkLimits

RowArray = NDArray[np.int64]
IndexArray = NDArray[np.int32]

EAST, WEST, OTHER_FAMILY = 0, 1, 2  # where a cross link leads, seen from one of its ends
WAYS = 3


@dataclass(frozen=True)
class CrossRules:
    """How cross links are chosen; the alternatives were measured on the fleet of 2026-06-14."""

    lasers: int = 1  # for cross links, on each satellite; of two, one looks east and one west
    orbit_range_m: float = 4_000_000.0  # a new link stays shorter over an orbit
    new_slew_deg_s: float = 1.0  # and never turns faster
    keep_slew_deg_s: float = 2.0  # an old link is given up above this
    raan_target_deg: float = 20.0  # the nearest plane gives short links but slow paths
    raan_min_deg: float = 1.5  # twin planes could pair off with each other alone
    raan_cost_m_per_deg: float = 150_000.0
    other_shell_cost_m: float = 2_000_000.0
    reserve: float = 0.15  # of each plane's cross links, kept for another inclination

    def with_keep_slew(self, deg_s: float) -> "CrossRules":
        """Return the same rules with another limit for old links, which holds for new ones, too."""
        return replace(self, keep_slew_deg_s=deg_s, new_slew_deg_s=min(deg_s, self.new_slew_deg_s))


# The names of `[isl] policy`.
POLICIES = {
    "static": CrossRules(),
    "rings": CrossRules(lasers=0),
    "four": CrossRules(lasers=2, raan_target_deg=16.0),
}


class States(NamedTuple):
    """Inertial (TEME) states of satellites at M instants: both arrays are (M, L, 3)."""

    sat_m: FloatArray
    sat_m_s: FloatArray


@dataclass(frozen=True)
class Places:
    """Where satellites fly, one row each (L)."""

    plane: IndexArray
    shell: IndexArray
    family: IndexArray  # of inclination
    raan_deg: FloatArray

    def take(self, rows: RowArray) -> "Places":
        """Return some of the rows."""
        return Places(self.plane[rows], self.shell[rows], self.family[rows], self.raan_deg[rows])


def node_and_latitude_argument_deg(sat_m: FloatArray, sat_m_s: FloatArray) -> FloatArray:
    """Return the RAAN and the argument of latitude of inertial states (L, 3), as (2, L)."""
    normal = np.cross(sat_m, sat_m_s)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    raan = np.arctan2(normal[:, 0], -normal[:, 1])
    node = np.column_stack((np.cos(raan), np.sin(raan), np.zeros(raan.size)))
    along = np.einsum("lk,lk->l", sat_m, np.cross(normal, node))
    latitude_argument = np.arctan2(along, np.einsum("lk,lk->l", sat_m, node))
    return np.asarray(np.degrees(np.stack((raan, latitude_argument))) % 360.0)


def slew_deg_s(pairs: EdgeArray, sat_m: FloatArray, sat_m_s: FloatArray) -> FloatArray:
    """Return how fast the line between two satellites turns in inertial space, shape (E,)."""
    line_m = sat_m[pairs[:, 1]] - sat_m[pairs[:, 0]]
    line_m_s = sat_m_s[pairs[:, 1]] - sat_m_s[pairs[:, 0]]
    turn = np.linalg.norm(np.cross(line_m, line_m_s), axis=1)
    return np.asarray(np.degrees(turn / np.einsum("ek,ek->e", line_m, line_m)))


def lasting_pairs(
    orbit: States, sample_s: float, places: Places, rules: CrossRules, limits: LinkLimits
) -> tuple[EdgeArray, FloatArray]:
    """Return the pairs of satellites that keep within the limits at all samples of an orbit.

    Also returns each pair's longest range.  Samples are `sample_s` apart in time but may come in
    any order.  Between samples the slew is followed on straight lines, which finds a near miss that
    falls between two of them.  Planes of one family nearer than `raan_min_deg` are left out.
    """
    return _lasting_pairs(
        np.ascontiguousarray(orbit.sat_m[:2].transpose(0, 2, 1)),
        np.ascontiguousarray(np.concatenate(orbit, axis=-1).transpose(1, 0, 2)),
        places.plane,
        places.family,
        places.raan_deg,
        0.5 * sample_s,
        rules.raan_min_deg,
        min(rules.orbit_range_m, limits.max_range_m),
        WGS84_A_M + limits.min_grazing_m,
        np.radians(rules.new_slew_deg_s),
    )


def choose_pairs(
    pairs: EdgeArray, range_m: FloatArray, places: Places, held: EdgeArray, rules: CrossRules
) -> EdgeArray:
    """Return pairs so that each laser has at most one, cheapest first.

    Each plane sends half of its links east and half west, and reserves some for planes of another
    inclination; `held` are links that count against this already.  What is left over may go
    anywhere.  All row numbers refer to `places`.
    """
    east_deg = (places.raan_deg[pairs[:, 1]] - places.raan_deg[pairs[:, 0]] + 180) % 360 - 180
    same_family = places.family[pairs[:, 0]] == places.family[pairs[:, 1]]
    same_shell = places.shell[pairs[:, 0]] == places.shell[pairs[:, 1]]
    detour_m = rules.raan_cost_m_per_deg * np.abs(np.abs(east_deg) - rules.raan_target_deg)
    detour_m += np.where(same_shell, 0.0, rules.other_shell_cost_m)
    order = np.argsort(range_m + np.where(same_family, detour_m, 0.0), kind="stable")
    ways = _ways(pairs, places)
    ends = _lasers(pairs, places, rules)
    free = np.ones(places.plane.size * rules.lasers, np.int64)
    free[_lasers(held, places, rules)] = 0
    left = _quotas(places, held, rules)
    chosen = np.zeros(len(pairs), np.bool_)
    for some in (order[same_family[order]], order[~same_family[order]]):
        _take(some, ends, ways, left, free, chosen)
    free = free.reshape(-1, rules.lasers).sum(axis=1)
    _take(order[~chosen[order]], pairs, ways, np.full_like(left, len(pairs)), free, chosen)
    return pairs[chosen]


def _sides(pairs: EdgeArray, places: Places) -> EdgeArray:
    """Return EAST or WEST, where the other end of each pair is seen from each end, shape (E, 2)."""
    a, b = pairs.T
    east = (places.raan_deg[b] - places.raan_deg[a]) % 360.0 < 180.0
    return np.where(np.column_stack((east, ~east)), EAST, WEST).astype(np.int32)


def _lasers(pairs: EdgeArray, places: Places, rules: CrossRules) -> EdgeArray:
    """Return the number of the laser that each end of each pair uses, shape (E, 2)."""
    return pairs if rules.lasers == 1 else pairs * rules.lasers + _sides(pairs, places)


def _ways(pairs: EdgeArray, places: Places) -> EdgeArray:
    """Return for each end of each pair the row of its plane's quota, shape (E, 2)."""
    way = _sides(pairs, places)
    way[places.family[pairs[:, 0]] != places.family[pairs[:, 1]]] = OTHER_FAMILY
    return (places.plane[pairs] * WAYS + way).astype(np.int32)


def _quotas(places: Places, held: EdgeArray, rules: CrossRules) -> RowArray:
    """Return how many more links each plane may send each way, flat (planes * WAYS,)."""
    lasers = np.bincount(places.plane) * rules.lasers
    reserve = np.round(rules.reserve * lasers).astype(np.int64)
    family = lasers - reserve
    quotas = np.column_stack(((family + 1) // 2, family // 2, reserve)).ravel()
    return quotas - np.bincount(_ways(held, places).ravel(), minlength=quotas.size)


@kernel()
def _take(
    order: RowArray,
    ends: EdgeArray,
    ways: EdgeArray,
    left: RowArray,
    free: RowArray,
    chosen: BoolArray,
) -> None:
    """Take pairs in order while both lasers are free and have quota left; updates the last three.

    `ends` are the lasers that each pair uses.
    """
    for e in order:
        a, b = ends[e, 0], ends[e, 1]
        if free[a] > 0 and free[b] > 0 and left[ways[e, 0]] > 0 and left[ways[e, 1]] > 0:
            free[a] -= 1
            free[b] -= 1
            left[ways[e, 0]] -= 1
            left[ways[e, 1]] -= 1
            chosen[e] = True


@kernel()
def _lasting_pairs(
    first_m: FloatArray,
    state: FloatArray,
    plane: IndexArray,
    family: IndexArray,
    raan_deg: FloatArray,
    half_sample_s: float,
    raan_min_deg: float,
    max_range_m: float,
    lowest_m: float,
    max_slew_rad_s: float,
) -> tuple[EdgeArray, FloatArray]:
    """`first_m` (2, 3, L) are the first two samples, `state` (L, M, 6) all, with velocities."""
    satellites = plane.size
    pairs = np.empty((4096, 2), np.int32)
    longest_m = np.empty(4096)
    found = 0
    for a in range(satellites):
        # Nine in ten pairs part within the first two samples: a loop that the compiler vectorises.
        range2 = np.zeros(satellites)
        for k in range(2):
            x, y, z = first_m[k, 0, a], first_m[k, 1, a], first_m[k, 2, a]
            for b in range(a + 1, satellites):
                dx, dy, dz = first_m[k, 0, b] - x, first_m[k, 1, b] - y, first_m[k, 2, b] - z
                range2[b] = max(range2[b], dx * dx + dy * dy + dz * dz)
        for b in range(a + 1, satellites):
            if not range2[b] <= max_range_m * max_range_m or plane[a] == plane[b]:
                continue
            if family[a] == family[b]:
                apart_deg = abs(raan_deg[a] - raan_deg[b])
                if min(apart_deg, 360.0 - apart_deg) < raan_min_deg:
                    continue
            length_m = _longest_m(
                state[a], state[b], half_sample_s, max_range_m, lowest_m, max_slew_rad_s
            )
            if length_m < 0.0:
                continue
            if found == longest_m.size:
                pairs = np.concatenate((pairs, np.empty_like(pairs)))
                longest_m = np.concatenate((longest_m, np.empty_like(longest_m)))
            pairs[found, 0], pairs[found, 1] = a, b
            longest_m[found] = length_m
            found += 1
    return pairs[:found].copy(), longest_m[:found].copy()


@kernel()
def _longest_m(
    a: FloatArray,
    b: FloatArray,
    half_sample_s: float,
    max_range_m: float,
    lowest_m: float,
    max_slew_rad_s: float,
) -> float:
    """Return the longest range over all samples (M, 6) of two satellites, -1 if a limit breaks."""
    longest2 = 0.0
    for k in range(a.shape[0]):
        x, y, z = b[k, 0] - a[k, 0], b[k, 1] - a[k, 1], b[k, 2] - a[k, 2]
        range2 = x * x + y * y + z * z
        if not range2 <= max_range_m * max_range_m:  # also a satellite at NaN
            return -1.0
        near2 = a[k, 0] * a[k, 0] + a[k, 1] * a[k, 1] + a[k, 2] * a[k, 2]
        far2 = b[k, 0] * b[k, 0] + b[k, 1] * b[k, 1] + b[k, 2] * b[k, 2]
        difference = far2 - near2
        low2 = min(near2, far2)
        if abs(difference) < range2:  # the lowest point lies between the two, as in isl._feasible
            low2 = 0.5 * (near2 + far2) - 0.25 * (range2 + difference * difference / range2)
        u, v, w = b[k, 3] - a[k, 3], b[k, 4] - a[k, 4], b[k, 5] - a[k, 5]
        speed2 = u * u + v * v + w * w
        closing = x * u + y * v + z * w
        turn2 = range2 * speed2 - closing * closing  # |r x v|^2
        at_s = -closing / speed2 if speed2 > 0.0 else 0.0
        at_s = min(max(at_s, -half_sample_s), half_sample_s)
        least2 = range2 + 2.0 * closing * at_s + speed2 * at_s * at_s
        if low2 < lowest_m * lowest_m or turn2 > (max_slew_rad_s * least2) ** 2:
            return -1.0
        longest2 = max(longest2, range2)
    return float(np.sqrt(longest2))
