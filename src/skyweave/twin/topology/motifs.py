"""Link plans without memory: offset motifs such as ring and +Grid for synthetic shells, nearest n.

An offset motif (Bhattacherjee and Singla, CoNEXT 2019) links every satellite of a shell to those so
many planes and slots away: the whole shell repeats what one satellite does.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from skyweave.errors import InputError
from skyweave.kernels import kernel
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.topology.isl import (
    NO_EDGES,
    BoolArray,
    EdgeArray,
    FloatArray,
    LinkLimits,
    are_feasible,
    as_edges,
    edge_lengths_m,
)

RowArray = NDArray[np.int64]

# The seam of a Walker star, whose planes ascend over half the equator only, is this much wider
# than its other gaps, and satellites on its two sides fly against each other: no links across.
SEAM_GAPS = 1.5

RING = ((0, 1),)
PLUS_GRID = ((0, 1), (1, 0))

NEAREST_MAX_RANGE_M = 5_400_000.0  # the longest link reported for Starlink (press, 2024)
CANDIDATES_PER_LINK = 4  # nearest-n looks at the 4 n nearest of each satellite


@dataclass(frozen=True, eq=False)
class FixedPlan:
    """The same planned edges in every slot."""

    edges: EdgeArray
    limits: LinkLimits = field(default_factory=LinkLimits)

    @property
    def degree(self) -> int:
        """The most links that one satellite has."""
        return int(np.bincount(self.edges.ravel(), minlength=1).max())

    def links(self, previous: EdgeArray | None, slot: int, sat_itrf_m: FloatArray) -> EdgeArray:
        """Return the planned edges; see `isl.IslPlan`."""
        return self.edges


@dataclass(frozen=True, eq=False)
class NearestPlan:
    """Feasible links, shortest first, until each satellite has `degree` of them; new each slot.

    A link is considered where one end is among the other's `CANDIDATES_PER_LINK * degree` nearest.
    """

    norad_id: RowArray  # (N,) decides between links of equal length
    relays: BoolArray  # (N,) satellites that carry links
    degree: int = 4
    limits: LinkLimits = field(default_factory=lambda: LinkLimits(NEAREST_MAX_RANGE_M))

    def links(self, previous: EdgeArray | None, slot: int, sat_itrf_m: FloatArray) -> EdgeArray:
        """Return the links that suit the positions at the slot's start; see `isl.IslPlan`."""
        rows = np.argsort(self.norad_id, kind="stable")
        rows = rows[self.relays[rows] & np.isfinite(sat_itrf_m[rows]).all(axis=1)]
        if rows.size < 2:
            return NO_EDGES
        at_m = sat_itrf_m[rows]
        nearest = min(CANDIDATES_PER_LINK * self.degree + 1, rows.size)
        _, other = cKDTree(at_m).query(at_m, k=nearest)
        pairs = as_edges(np.repeat(np.arange(rows.size), nearest), other.ravel())
        pairs = pairs[are_feasible(pairs, at_m, self.limits)]
        pairs = pairs[np.argsort(edge_lengths_m(pairs, at_m), kind="stable")]
        chosen = rows[pairs[_greedy(pairs, rows.size, self.degree)]]
        return as_edges(chosen[:, 0], chosen[:, 1])


def motif_edges(catalogue: Catalogue, offsets: Sequence[tuple[int, int]]) -> EdgeArray:
    """Return the links of all synthetic shells that offsets (planes, slots) describe.

    Satellite (p, s) of each shell joins (p + planes, s + slots), and so is joined by the one as far
    on the other side: +Grid is (0, 1) fore and aft and (1, 0) east and west.

    From the last plane on the count goes round to the first, at the same index where the shell is
    built like that (Hypatia's are).  A Walker shell with phasing F comes round F slots ahead, so
    there each turn adds what makes the last gap look like the others (F).  Across the seam of a
    Walker star there are no links.
    """
    shells = np.unique(catalogue.grid_shell[catalogue.grid_shell >= 0])
    if shells.size == 0:
        raise InputError(
            "isl.plan: plus-grid, ring and motif join the slots of synthetic shells, found none; "
            'use plan = "fleet" or "nearest-n" for a real catalogue, or add [[shells]]'
        )
    lattices = [_lattice(catalogue, np.flatnonzero(catalogue.grid_shell == k)) for k in shells]
    pairs = [NO_EDGES]
    for table in lattices:
        shift = _wrap_shift(catalogue, table)
        pairs += [_offset_pairs(table, shift, *offset) for offset in offsets]
    a, b = np.concatenate(pairs).T
    return as_edges(a, b)


def _offset_pairs(table: RowArray, shift: int | None, planes: int, slots: int) -> EdgeArray:
    """Return each satellite with the one that lies an offset further, where both fly."""
    plane, slot = np.indices(table.shape)
    turns, to_plane = np.divmod(plane + planes, table.shape[0])
    to_slot = (slot + slots + turns * (shift or 0)) % table.shape[1]
    other = np.where((turns == 0) | (shift is not None), table[to_plane, to_slot], -1)
    both = (table >= 0) & (other >= 0)
    return np.column_stack((table[both], other[both])).astype(np.int32)


def _lattice(catalogue: Catalogue, rows: RowArray) -> RowArray:
    """Return the rows of one shell as a (planes, slots) table, -1 where no satellite flies."""
    plane, slot = catalogue.grid_plane[rows], catalogue.grid_slot[rows]
    table = np.full((plane.max() + 1, slot.max() + 1), -1, np.int64)
    table[plane, slot] = rows
    if np.count_nonzero(table >= 0) != rows.size:
        raise InputError(
            f"shell {catalogue.grid_shell[rows[0]]}: two satellites share one plane and slot, "
            "expected one each; give every [[shells]] entry its own number"
        )
    return table


def _wrap_shift(catalogue: Catalogue, table: RowArray) -> int | None:
    """Return by how many slots links from the last plane to the first are shifted.

    None where the shell does not close: one plane only, or a seam.
    """
    planes, slots = table.shape
    if planes < 2 or (table < 0).all(axis=1).any():
        return None
    first = np.argmax(table >= 0, axis=1)  # a slot that is filled, in each plane
    rows = table[np.arange(planes), first]
    raan_deg = catalogue.raan_deg[rows]
    gap_deg = np.roll(raan_deg, -1) - raan_deg
    gap_deg = gap_deg % 360.0
    if gap_deg[-1] > SEAM_GAPS * np.median(gap_deg[:-1]):
        return None
    phase_deg = catalogue.argp_deg[rows] + catalogue.mean_anomaly_deg[rows]
    phase = phase_deg * slots / 360.0 - first  # of slot 0, in slots
    ahead = (np.diff(phase) + slots / 2) % slots - slots / 2
    shifts = np.arange(slots)
    wrap = (phase[0] + shifts - phase[-1] + slots / 2) % slots - slots / 2
    # As far ahead as in one of the other gaps; Hypatia's are half a slot ahead and behind in turn,
    # so that two shifts fit and the same index wins; to a thousandth, as angles may be rounded.
    unlike = np.round(np.abs(wrap[:, None] - ahead).min(axis=1), 3)
    return int(np.lexsort((shifts != 0, unlike))[0])


@kernel()
def _greedy(pairs: EdgeArray, satellites: int, degree: int) -> BoolArray:
    """Take pairs in order while both ends have fewer than `degree` links."""
    used = np.zeros(satellites, np.int32)
    chosen = np.zeros(pairs.shape[0], np.bool_)
    for e in range(pairs.shape[0]):
        a, b = pairs[e, 0], pairs[e, 1]
        if used[a] < degree and used[b] < degree:
            used[a] += 1
            used[b] += 1
            chosen[e] = True
    return chosen
