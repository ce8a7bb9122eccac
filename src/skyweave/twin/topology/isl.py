"""Inter-satellite links: which pairs are joined in a slot, as edge arrays.

Edges are an (E, 2) int32 array of row pairs a < b in lexicographic order, each pair once.

A plan says which pairs *want* to be linked; `step` says, slot by slot, which of them carry: those
that are feasible at both ends of the slot, once they are acquired.  The others stay in the plan and
return when feasible again.  A plan of one's own needs three members, for example a chain in
catalogue order:

    class Chain:
        degree = 2
        limits = LinkLimits()

        def links(self, previous, slot, sat_itrf_m):
            rows = np.arange(len(sat_itrf_m) - 1)
            return as_edges(rows, rows + 1)
"""

from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS84_A_M
from skyweave.errors import InputError
from skyweave.kernels import kernel

FloatArray = NDArray[np.float64]
EdgeArray = NDArray[np.int32]
BoolArray = NDArray[np.bool_]
RowArray = NDArray[np.int64]

NO_EDGES: EdgeArray = np.empty((0, 2), np.int32)


@dataclass(frozen=True)
class LinkLimits:
    """What a laser can bridge, and how long it takes to find its partner."""

    max_range_m: float = np.inf
    min_grazing_m: float = 80_000.0  # the beam stays out of the air below (Bhattacherjee 2019)
    acquisition_slots: int = 0  # a link that is new or was not feasible carries only after these


class IslPlan(Protocol):
    """Which satellites are to be linked.  Plans are frozen: the caller keeps their state."""

    @property
    def degree(self) -> int:
        """The most links that one satellite has."""

    @property
    def limits(self) -> LinkLimits:
        """Beyond these a planned link is absent."""

    def links(self, previous: EdgeArray | None, slot: int, sat_itrf_m: FloatArray) -> EdgeArray:
        """Return the planned edges, feasible or not, in force during a slot.

        `previous` is what this method returned for the slot before (None at the start), the plan's
        whole state; `sat_itrf_m` (N, 3) are the positions at the slot's start.
        """


@dataclass(frozen=True, eq=False)
class LinkState:
    """The laser links of one slot: what carries, and all that the next slot depends on."""

    slot: int
    planned: EdgeArray  # (E, 2)
    ready_slot: RowArray  # (E,) the first slot in which each is acquired, this or an earlier one
    is_feasible: BoolArray  # (E,) within the limits at both ends of the slot
    is_failed: BoolArray  # (E,) out of order for the slot

    @property
    def ready(self) -> EdgeArray:
        """The planned edges acquired by this slot, feasible all through it or not."""
        return self.planned[(self.ready_slot <= self.slot) & ~self.is_failed]

    @property
    def carries(self) -> BoolArray:
        """Whether each planned edge carries for the whole slot, shape (E,)."""
        return self.is_feasible & (self.ready_slot <= self.slot) & ~self.is_failed

    @property
    def up(self) -> EdgeArray:
        """The edges that carry for the whole slot."""
        return self.planned[self.carries]

    def without(self, failed: BoolArray) -> "LinkState":
        """Return the same slot with some planned edges (E,) out of order."""
        return replace(self, is_failed=self.is_failed | failed)


def step(
    plan: IslPlan,
    before: LinkState | None,
    slot: int,
    start_itrf_m: FloatArray,
    end_itrf_m: FloatArray,
) -> LinkState:
    """Return the links of a slot from those of the slot before, None where the run begins.

    `start_itrf_m` and `end_itrf_m` (N, 3) are the positions at both ends of the slot.  Call it in
    slot order, from any slot on.  A run begins with all its links acquired.
    """
    planned = plan.links(None if before is None else before.planned, slot, start_itrf_m)
    feasible = are_feasible(planned, start_itrf_m, plan.limits)
    feasible &= are_feasible(planned, end_itrf_m, plan.limits)
    ready_slot = _ready_slot(planned, before, slot, plan.limits)
    return LinkState(slot, planned, ready_slot, feasible, np.zeros(len(planned), np.bool_))


def _ready_slot(
    planned: EdgeArray, before: LinkState | None, slot: int, limits: LinkLimits
) -> RowArray:
    if before is None:
        return np.full(len(planned), slot)
    row = edge_rows(planned, before.planned)
    is_tracked = (row >= 0) & np.append(before.is_feasible & ~before.is_failed, False)[row]
    found = np.append(before.ready_slot, 0)[row]
    return np.where(is_tracked, found, slot + limits.acquisition_slots)


def as_edges(a: NDArray[np.integer], b: NDArray[np.integer]) -> EdgeArray:
    """Return the pairs of rows as edges: sorted, once each, none from a satellite to itself."""
    low, high = np.minimum(a, b).astype(np.int64), np.maximum(a, b).astype(np.int64)
    keys = np.unique((low << 32 | high)[low != high])
    return np.column_stack((keys >> 32, keys & 0xFFFFFFFF)).astype(np.int32)


def edge_rows(edges: EdgeArray, among: EdgeArray) -> RowArray:
    """Return the row of each edge in another edge array, shape (E,), -1 where it is not there."""
    if edges is among:
        return np.arange(len(edges))
    keys, known = (pairs[:, 0].astype(np.int64) << 32 | pairs[:, 1] for pairs in (edges, among))
    row = np.searchsorted(known, keys)
    return np.where(np.append(known, -1)[row] == keys, row, -1)


def are_feasible(edges: EdgeArray, sat_itrf_m: FloatArray, limits: LinkLimits) -> BoolArray:
    """Return whether each edge is within the limits, shape (E,); False at a satellite at NaN.

    The grazing altitude is that of the beam's lowest point over a sphere of the equatorial radius,
    which errs on the safe side by up to 21 km towards the poles.
    """
    lowest_m = WGS84_A_M + limits.min_grazing_m
    return _feasible(edges, sat_itrf_m, limits.max_range_m, lowest_m)


def edge_lengths_m(edges: EdgeArray, sat_itrf_m: FloatArray) -> FloatArray:
    """Return the straight-line length of each edge, shape (E,)."""
    line_m = sat_itrf_m[edges[:, 0]] - sat_itrf_m[edges[:, 1]]
    return np.asarray(np.linalg.norm(line_m, axis=1))


def padded_adjacency(edges: EdgeArray, satellites: int, degree: int) -> NDArray[np.int32]:
    """Return each satellite's neighbours, ascending, -1 after the last: shape (N, K = degree)."""
    busiest = int(np.bincount(edges.ravel(), minlength=1).max(initial=0))
    if busiest > degree:
        raise InputError(
            f"a satellite has {busiest} laser links, expected at most {degree}; "
            "give the link plan a larger degree"
        )
    return _adjacency(edges, satellites, degree)


def padded_lengths_m(neighbour: NDArray[np.int32], sat_itrf_m: FloatArray) -> FloatArray:
    """Return the length of the link to each neighbour, shape (N, K), inf where there is none."""
    return _padded_lengths(neighbour, sat_itrf_m)


@kernel()
def _feasible(
    edges: EdgeArray, sat_m: FloatArray, max_range_m: float, lowest_m: float
) -> BoolArray:
    up = np.empty(edges.shape[0], np.bool_)
    for e in range(edges.shape[0]):
        range2 = near2 = far2 = 0.0
        for k in range(3):
            a = sat_m[edges[e, 0], k]
            b = sat_m[edges[e, 1], k]
            range2 += (b - a) ** 2
            near2 += a * a
            far2 += b * b
        # The foot of the perpendicular from the Earth's centre lies between the satellites when
        # the squared radii differ by less than the squared range; else the lower one is lowest.
        difference = far2 - near2
        low2 = min(near2, far2)
        if abs(difference) < range2:
            low2 = 0.5 * (near2 + far2) - 0.25 * (range2 + difference * difference / range2)
        # Comparisons with NaN are false, so a satellite without a position has no links.
        up[e] = range2 <= max_range_m * max_range_m and low2 >= lowest_m * lowest_m
    return up


@kernel()
def _adjacency(edges: EdgeArray, satellites: int, degree: int) -> NDArray[np.int32]:
    neighbour = np.full((satellites, degree), -1, np.int32)
    used = np.zeros(satellites, np.int32)
    # In lexicographic order each satellite meets its lower neighbours first, then its higher ones.
    for e in range(edges.shape[0]):
        a, b = edges[e, 0], edges[e, 1]
        neighbour[a, used[a]] = b
        neighbour[b, used[b]] = a
        used[a] += 1
        used[b] += 1
    return neighbour


@kernel()
def _padded_lengths(neighbour: NDArray[np.int32], sat_m: FloatArray) -> FloatArray:
    length_m = np.full(neighbour.shape, np.inf)
    for a in range(neighbour.shape[0]):
        for k in range(neighbour.shape[1]):
            b = neighbour[a, k]
            if b >= 0:
                x, y, z = (
                    sat_m[b, 0] - sat_m[a, 0],
                    sat_m[b, 1] - sat_m[a, 1],
                    sat_m[b, 2] - sat_m[a, 2],
                )
                length_m[a, k] = np.sqrt(x * x + y * y + z * z)
    return length_m
