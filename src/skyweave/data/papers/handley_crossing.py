"""The laser plan of Handley (HotNets 2018): +Grid, and a fifth laser to a crossing satellite.

Satellites that fly north and those that fly south form two meshes, which +Grid joins only near the
highest latitudes.  The fifth laser points at the nearest satellite of the other mesh, chosen anew
each slot, shortest first; the paper leaves the choice open.
"""

import numpy as np
from scipy.spatial import cKDTree

from skyweave.twin.topology import LinkLimits, as_edges, make_plan

MAX_RANGE_M = 1_500_000.0
NEAREST = 24


class Crossing:
    """+Grid and the crossing links of the moment."""

    degree = 5
    limits = LinkLimits()

    def __init__(self, catalogue, epoch_utc, slot_s, relays):
        grid = make_plan("plus-grid", catalogue, epoch_utc, slot_s, relays=relays)
        self.grid = grid.links(None, 0, np.empty((0, 3)))
        self.turn_deg = 360.0 * catalogue.mean_motion_rev_day * slot_s / 86400.0
        days = (epoch_utc - catalogue.epoch_utc) / np.timedelta64(1, "D")
        self.along_deg = catalogue.argp_deg + catalogue.mean_anomaly_deg
        self.along_deg = self.along_deg + 360.0 * catalogue.mean_motion_rev_day * days

    def links(self, previous, slot, sat_itrf_m):
        """Return the planned edges of a slot."""
        flies_north = np.cos(np.radians(self.along_deg + slot * self.turn_deg)) > 0.0
        north, south = np.flatnonzero(flies_north), np.flatnonzero(~flies_north)
        range_m, nearest = cKDTree(sat_itrf_m[south]).query(sat_itrf_m[north], k=NEAREST)
        pairs = np.column_stack((np.repeat(north, NEAREST), south[nearest.ravel()]))
        order = np.argsort(range_m.ravel(), kind="stable")
        order = order[range_m.ravel()[order] <= MAX_RANGE_M]
        return as_edges(*np.concatenate([self.grid, *shortest_first(pairs[order])]).T)


def shortest_first(pairs):
    """Yield pairs, given shortest first, so that no satellite is in two of them."""
    while len(pairs):
        # The first of both its satellites comes before whatever could take one of them away.
        first = np.intersect1d(*(np.unique(end, return_index=True)[1] for end in pairs.T))
        yield pairs[first]
        pairs = pairs[~np.isin(pairs, pairs[first]).any(axis=1)]
