"""Paths over the real fleet against the Internet as measured: far away, lasers are the shorter way.

The measurements are WonderNetwork's pings between 245 servers on 2020-07-19, facts that are not
shipped.  A ping faster than light in fibre along the great circle says that a server does not
stand where the list has it, and is left out.  Ours is dish to dish, with 10 ms of
processing and without queues or a last mile.
"""

import csv
import lzma
from typing import NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.frames import great_circle_m
from skyweave.twin.routing import Roots, shortest_trees
from skyweave.twin.routing.ground_pairs import pair_costs
from skyweave.twin.scenario import build_scenario
from skyweave.twin.snapshots import site_places, site_views, snapshots
from skyweave.twin.world import build_world

PINGS = "wondernetwork_pings-2020-07-19-2020-07-20-grouped.csv.xz"
FAR_M = 3_000_000.0
IN_FIBRE_M_S = SPEED_OF_LIGHT_M_S / 1.468
EVERY_S, FOR_S = 600.0, 3600.0
MOST = 0.9  # of the far pairs; the test is one of plausibility

FloatArray = NDArray[np.float64]


class Measured(NamedTuple):
    lat_deg: FloatArray  # (S,)
    lon_deg: FloatArray
    rtt_s: FloatArray  # (S, S) least of the day between two servers, NaN where none was measured

    @property
    def away_m(self) -> FloatArray:
        """Great-circle distances, (S, S)."""
        lat_deg, lon_deg = self.lat_deg, self.lon_deg
        return np.array([
            great_circle_m(a, b, lat_deg, lon_deg) for a, b in zip(lat_deg, lon_deg, strict=True)
        ])  # fmt: skip


@pytest.fixture(scope="module")
def measured(reference_data) -> Measured:
    folder = reference_data / "fibre"
    with open(folder / "wondernetwork_servers-2020-07-19.csv", encoding="utf-8") as file:
        servers = {int(row["id"]): row for row in csv.DictReader(file)}
    row_of = {server: row for row, server in enumerate(servers)}
    rtt_s = np.full((len(servers), len(servers)), np.nan)
    with lzma.open(folder / PINGS, "rt") as file:
        for ping in csv.DictReader(file):
            ends = row_of.get(int(ping["source"])), row_of.get(int(ping["destination"]))
            if None not in ends:
                rtt_s[ends] = float(ping["min"]) * 1e-3
    places = [(float(row["latitude"]), float(row["longitude"])) for row in servers.values()]
    return Measured(*np.array(places).T, np.fmin(rtt_s, rtt_s.T))


@pytest.fixture(scope="module")
def fleet_rtt_s(measured, full_counts) -> FloatArray:
    """Round trips over the fleet of 2026-06-14, processing included, (T, S, S)."""
    places = zip(measured.lat_deg.tolist(), measured.lon_deg.tolist(), strict=True)
    sites = [{"name": f"server {k}", "lat_deg": a, "lon_deg": b} for k, (a, b) in enumerate(places)]
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": FOR_S},
        "catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]},
        "isl": {"plan": "fleet"},
        "sites": sites,
    }
    world = build_world(build_scenario(content, "servers"))
    t_s = np.arange(0.0, FOR_S, EVERY_S) if full_counts else np.zeros(1)
    at = site_places(world.scenario.sites)
    found = []
    for _, chunk in snapshots(world, world.grid.epoch_utc, t_s):
        for now in chunk:
            seen, range_m = site_views(world, at, now.sat_itrf_m)
            roots = Roots(seen.site_start, seen.sat, range_m)
            trees = shortest_trees(now.neighbour, now.length_m, roots, with_hops=False)
            one_way_m = pair_costs(*roots, trees.cost).cost
            found.append(2.0 * one_way_m / SPEED_OF_LIGHT_M_S + world.scenario.delay.processing_s)
    return np.array(found)


def test_far_away_the_fleet_beats_most_measured_internet_paths(
    measured, fleet_rtt_s, record_figure
):
    away_m = measured.away_m
    least_s = 2.0 * away_m / IN_FIBRE_M_S
    is_far = np.triu(away_m > FAR_M) & np.isfinite(measured.rtt_s)
    is_believable = is_far & (measured.rtt_s >= least_s)
    assert is_believable.sum() > 0.97 * is_far.sum() > 10_000
    ours_s = np.median(fleet_rtt_s, axis=0)[is_believable]
    theirs_s = measured.rtt_s[is_believable]
    has_path = np.isfinite(ours_s)
    ratio = ours_s[has_path] / theirs_s[has_path]
    stretch = ours_s[has_path] * SPEED_OF_LIGHT_M_S / (2.0 * away_m[is_believable][has_path])
    told = f"{has_path.sum()} server pairs over 3,000 km, {len(fleet_rtt_s)} instants: "
    record_figure(told + "the fleet is faster than the Internet measured",
                  100 * np.mean(ratio < 1), "%", f">= {100 * MOST:g}")  # fmt: skip
    record_figure(told + "RTT, fleet to Internet, median", float(np.median(ratio)), "", "< 1")
    record_figure(told + "RTT, fleet to light along the geodesic, median",
                  float(np.median(stretch)), "", "reported")  # fmt: skip
    record_figure(told + "pairs without a path", int((~has_path).sum()), "pairs", "reported")
    assert (stretch >= 1.0).all()
    assert np.mean(ratio < 1) >= MOST
    assert has_path.mean() > 0.98
