"""Changes of the laser links from slot to slot, and why."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.topology.isl import NO_EDGES, EdgeArray, LinkState, edge_rows

CodeArray = NDArray[np.int8]

# Why a link carries from this slot on, then why one no longer does.
UP_REASONS = ("first_slot", "acquired")
DOWN_REASONS = ("out_of_limits", "replanned", "failed")
LINK_REASONS = (*UP_REASONS, *DOWN_REASONS)
FIRST_SLOT, ACQUIRED, OUT_OF_LIMITS, REPLANNED, FAILED = range(len(LINK_REASONS))


class LinkChanges(NamedTuple):
    """The links that begin and cease to carry with a slot, those that cease first."""

    slot: int
    edges: EdgeArray  # (C, 2), lexicographic among those that cease and those that begin
    reason: CodeArray  # (C,) row of LINK_REASONS

    @property
    def is_up(self) -> NDArray[np.bool_]:
        """Whether each begins to carry, shape (C,)."""
        return np.less(self.reason, len(UP_REASONS))

    def shifted(self, rows: int) -> "LinkChanges":
        """Return the same with all satellite rows counted from further on."""
        return self._replace(edges=self.edges + np.int32(rows))


NO_CHANGES = LinkChanges(0, NO_EDGES, np.empty(0, np.int8))


def link_changes(
    before: LinkState | None, after: LinkState, sat_is_up: NDArray[np.bool_]
) -> LinkChanges:
    """Return what changes between two slots; where the run begins all its links begin to carry.

    `sat_is_up` (N,) are the satellites that work in the slot after.
    """
    if before is None:
        up = after.up
        return LinkChanges(after.slot, up, np.full(len(up), FIRST_SLOT, np.int8))
    row = edge_rows(after.planned, before.planned)
    carried = np.append(before.carries, False)[row] & (row >= 0)
    is_dropped = before.carries.copy()
    is_dropped[row[row >= 0]] = False
    is_lost = carried & ~after.carries
    down = np.concatenate((before.planned[is_dropped], after.planned[is_lost]))
    is_failed = np.logical_not(sat_is_up[down].all(axis=1))
    dropped = len(down) - np.count_nonzero(is_lost)
    is_failed[dropped:] |= after.is_failed[is_lost]
    why = np.where(np.arange(len(down)) < dropped, REPLANNED, OUT_OF_LIMITS)
    why[is_failed] = FAILED
    order = np.lexsort(down.T[::-1])
    up = after.planned[after.carries & ~carried]
    reason = np.concatenate((why[order], np.full(len(up), ACQUIRED)))
    return LinkChanges(after.slot, np.concatenate((down[order], up)), reason.astype(np.int8))
