"""All pairs of ground sites over the network at free instants: RTT, ways and what they change to.

The cheapest way of a pair is the least over every satellite in view of either end.  No ground node
lies inside a way unless relays are asked for: then sites or gateways may hand on what they receive.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.twin.geometry import VisiblePairs, keep, visible_pairs
from skyweave.twin.routing import (
    PairCosts,
    PairWays,
    Roots,
    TreeGrower,
    Trees,
    Uses,
    list_nodes,
    mark_ways,
    no_ways,
    pair_costs,
    relayed_costs,
)
from skyweave.twin.scenario import Site
from skyweave.twin.sight import sky_tests
from skyweave.twin.snapshots import Snapshot, WorldAt, site_places, site_views, snapshots
from skyweave.twin.world import World, gateway_itrf, gateway_mask

MAX_SITES = 5_000  # a table of all pairs then has 25 million rows
MAX_PLACES_WITH_RELAYS = 2_000  # every relay let in costs as many steps as there are pairs
ROOTS_AT_ONCE = 256
MIN_GEODESIC_M = 500_000.0  # nearer pairs are left out of ratios, as Kassing et al. (2020) do
BUSIEST = 10  # satellites and links listed in a summary

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]
DigestArray = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]
Progress = Callable[[str], None]


class PairSample(NamedTuple):
    """All pairs of S sites at one instant: symmetric arrays of shape (S, S)."""

    t_s: float
    rtt_s: FloatArray  # round trip with the scenario's processing; inf where none, NaN to oneself
    hops: RowArray  # links on the way, both ground links included; -1 where none and to oneself
    digest: DigestArray  # differs where the nodes on the way differ; 0 where none and to oneself
    nodes: "PairNodes | None"  # where asked for


@dataclass(frozen=True, eq=False)
class PairNodes:
    """What lies on the ways of one instant."""

    ways: PairWays  # with the places that relay behind the sites
    node: RowArray
    satellites: int

    def of_sites(self, sites: int) -> PairWays:
        """Return the ways between sites alone, without those of the gateways that relay."""
        hops, digest, start = self.ways
        own = (slice(sites), slice(sites))
        return PairWays(hops[own], digest[own], start[own])

    def between(self, start: int, end: int) -> list[int]:
        """Return what lies between two sites, in order: satellites by row, [] where no way is.

        A site that relays is the number of satellites plus its row; a gateway follows the sites.
        """
        low, high = min(start, end), max(start, end)
        first = int(self.ways.start[low, high])
        held = max(0, int(self.ways.hops[low, high]) - 1)
        nodes: list[int] = self.node[first : first + held].tolist()
        return nodes if start < end else nodes[::-1]


def pairs_over_time(
    world: World,
    sites: Sequence[Site],
    at_utc: np.datetime64,
    t_s: FloatArray,
    *,
    relays: str | None = None,
    paths: bool = False,
    world_at: WorldAt | None = None,
) -> Iterator[PairSample]:
    """Yield the cheapest ways between all pairs of sites at `at_utc + t_s`, in order of time.

    `relays` is None, "sites" or "gateways": who may relay on the ground.  `paths` asks for the
    nodes of all ways too, `world_at` tells what has failed, as for `snapshots`.  Memory is that of
    one instant: without relays 256 trees at a time.
    """
    for _, sample in _samples(world, sites, at_utc, t_s, relays, paths, world_at):
        yield sample


def _samples(
    world: World,
    sites: Sequence[Site],
    at_utc: np.datetime64,
    t_s: FloatArray,
    relays: str | None,
    paths: bool,
    world_at: WorldAt | None,
) -> Iterator[tuple[Snapshot, PairSample]]:
    ground = _Ground(world, sites, relays)
    solve = _direct if relays is None else _relayed
    for _, chunk in snapshots(world, at_utc, t_s, world_at):
        for now in chunk:
            yield now, _sample(world, now, len(sites), *solve(ground, now, paths))


def check_pairs(world: World, sites: Sequence[Site], relays: str | None = None) -> None:
    """Refuse, before any computing, who may not relay and too few or too many places."""
    if relays not in (None, "sites", "gateways"):
        raise InputError(f'--relays "{str(relays)[:60]}": expected sites or gateways')
    if len(sites) < 2:
        raise InputError(f"{world.scenario.source}: pairs need at least 2 sites; add [[sites]]")
    places = len(sites) + (len(world.gateways) if relays == "gateways" else 0)
    limit = MAX_SITES if relays is None else MAX_PLACES_WITH_RELAYS
    if places > limit:
        raise InputError(
            f"{world.scenario.source}: pairs of {places:,} places; expected at most {limit:,}; "
            "take fewer sites"
        )


class _Ground:
    """The sites, and behind them the gateways that may relay."""

    def __init__(self, world: World, sites: Sequence[Site], relays: str | None) -> None:
        check_pairs(world, sites, relays)
        self._world, self._sites = world, site_places(sites)
        self.grower = TreeGrower(with_hops=False)
        count = len(world.gateways) if relays == "gateways" else 0
        self._gateways = world.gateways.take(np.arange(count))
        self.count = len(sites) + count
        first = len(sites) if relays == "gateways" else 0
        self.relays = np.arange(first, self.count, dtype=np.int32)

    def roots(self, now: Snapshot) -> Roots:
        """Return the satellites that each place may use and how far they are, in metres."""
        seen, range_m = site_views(self._world, self._sites, now.sat_itrf_m)
        if not now.world.core_is_up:
            range_m = np.full_like(range_m, np.inf)
        if not len(self._gateways):
            return Roots(seen.site_start, seen.sat, range_m)
        more, more_m = self._gateway_views(now)
        start = np.concatenate([seen.site_start, seen.site_start[-1] + more.site_start[1:]])
        return Roots(start, np.concatenate([seen.sat, more.sat]), np.concatenate([range_m, more_m]))

    def _gateway_views(self, now: Snapshot) -> tuple[VisiblePairs, FloatArray]:
        world, (place_m, up) = self._world, gateway_itrf(self._gateways)
        places = np.where(now.world.gateway_is_up[:, None], place_m, np.nan), up
        usable_m = np.where(world.fleet.serves[:, None], now.sat_itrf_m, np.nan)
        seen = visible_pairs(*places, usable_m, gateway_mask(world, self._gateways))
        for _, test in sky_tests(world, None):
            seen = keep(seen, test(seen, places, usable_m))
        line_m = usable_m[seen.sat] - places[0][seen.site_rows]
        return seen, np.asarray(np.linalg.norm(line_m, axis=1))


class _Solved(NamedTuple):
    cost_m: FloatArray  # (S, S) above the diagonal
    ways: PairWays
    node: RowArray | None


def _direct(ground: _Ground, now: Snapshot, paths: bool) -> _Solved:
    """Return the ways that touch no ground in between, some roots at a time."""
    roots = ground.roots(now)
    cost_m, ways = np.full((ground.count, ground.count), np.inf), no_ways(ground.count)
    nodes, first_node = [np.empty(0, np.int32)], 0
    blocks = ground.grower.blocks(now.neighbour, now.length_m, roots, ROOTS_AT_ONCE)
    for first, trees in blocks:
        found = _costs(roots, trees)
        cost_m[:, first : first + found.cost.shape[1]] = found.cost
        mark_ways(found.ingress, trees.next_hop, ways, first_root=first)
        if paths:
            nodes.append(
                list_nodes(
                    found.ingress, trees.next_hop, ways,
                    first_root=first, first_node=first_node,
                )
            )  # fmt: skip
            first_node += nodes[-1].size
    return _Solved(cost_m, ways, np.concatenate(nodes) if paths else None)


def _relayed(ground: _Ground, now: Snapshot, paths: bool) -> _Solved:
    """Return the ways that may touch the ground at relays."""
    roots = ground.roots(now)
    trees = ground.grower.trees(now.neighbour, now.length_m, roots)
    found, ways = _costs(roots, trees), no_ways(ground.count)
    cost_m, via = relayed_costs(found.cost, ground.relays)
    mark_ways(found.ingress, trees.next_hop, ways, via=via)
    node = list_nodes(found.ingress, trees.next_hop, ways, via=via) if paths else None
    return _Solved(cost_m, ways, node)


def _costs(roots: Roots, trees: Trees) -> PairCosts:
    return pair_costs(roots.start, roots.sat, roots.offset, trees.cost)


def _sample(
    world: World, now: Snapshot, sites: int, cost_m: FloatArray, ways: PairWays,
    node: RowArray | None,
) -> PairSample:  # fmt: skip
    rtt_s = 2.0 * cost_m[:sites, :sites] / SPEED_OF_LIGHT_M_S + world.beyond_propagation_s(dishes=2)
    np.fill_diagonal(rtt_s, np.nan)
    nodes = None if node is None else PairNodes(ways, node, len(now.sat_itrf_m))
    hops, digest = (_mirrored(table[:sites, :sites]) for table in (ways.hops, ways.digest))
    return PairSample(now.t_s, _mirrored(rtt_s), hops, digest, nodes)


def _mirrored(table: NDArray[Any]) -> NDArray[Any]:
    """Return a table with what stands above the diagonal below it, too."""
    above = np.triu(table, 1)
    whole: NDArray[Any] = above + above.T
    np.fill_diagonal(whole, np.diagonal(table))
    return whole


@dataclass(frozen=True, eq=False)
class PairStudy:
    """What all pairs of S sites had over T instants: symmetric arrays of shape (S, S)."""

    names: tuple[str, ...]
    t_s: FloatArray  # (T,)
    geodesic_m: FloatArray  # great circle on the mean sphere
    min_rtt_s: FloatArray  # NaN where there never was a way, and to oneself
    max_rtt_s: FloatArray
    min_hops: RowArray  # both ground links included; -1 where there never was a way
    max_hops: RowArray
    changes: RowArray  # instants whose way is another than just before, found and lost included
    reachable: RowArray  # instants with a way
    norad_id: IntArray  # (N,)
    satellite_share: FloatArray  # (N,) of all ways, the part that leads over each satellite
    link: RowArray  # (E, 2) rows of satellites a < b: the laser links used
    link_share: FloatArray  # (E,)

    @property
    def geodesic_rtt_s(self) -> FloatArray:
        """There and back along the great circle at the speed of light."""
        return 2.0 * self.geodesic_m / SPEED_OF_LIGHT_M_S

    @property
    def fibre_rtt_s(self) -> FloatArray:
        """There and back in fibre along the great circle: no cable is shorter."""
        return FIBRE_INDEX * self.geodesic_rtt_s

    @property
    def stretch(self) -> FloatArray:
        """The longest RTT over that along the great circle; NaN where there never was a way."""
        return self._over(self.geodesic_rtt_s)

    @property
    def fibre_stretch(self) -> FloatArray:
        """The longest RTT over that in fibre along the great circle."""
        return self._over(self.fibre_rtt_s)

    def _over(self, bound_s: FloatArray) -> FloatArray:
        return np.divide(
            self.max_rtt_s, bound_s, out=np.full_like(bound_s, np.nan), where=bound_s > 0.0
        )

    def pairs(self, min_geodesic_m: float = MIN_GEODESIC_M) -> BoolArray:
        """Return which entries are pairs at least so far apart, each pair once, shape (S, S)."""
        return np.triu(self.geodesic_m >= min_geodesic_m, 1)


def study_pairs(
    world: World,
    sites: Sequence[Site],
    at_utc: np.datetime64,
    t_s: FloatArray,
    progress: Progress = lambda text: None,
    *,
    relays: str | None = None,
    world_at: WorldAt | None = None,
) -> PairStudy:
    """Return what all pairs of sites had at the instants `at_utc + t_s`, and what carried them."""
    seen = _Seen(len(sites))
    uses = Uses(len(world.fleet.catalogue))
    for now, sample in _samples(world, sites, at_utc, t_s, relays, True, world_at):
        assert sample.nodes is not None
        seen.add(sample)
        uses.add(sample.nodes.of_sites(len(sites)), sample.nodes.node, now.neighbour)
        if seen.instants % 100 == 0:
            progress(f"pairs: {seen.instants} of {t_s.size}")
    ways = max(1, int(np.triu(seen.reachable, 1).sum()))
    link, used = uses.of_link
    return PairStudy(
        names=tuple(site.name for site in sites),
        t_s=t_s,
        geodesic_m=_geodesics_m(sites),
        min_rtt_s=np.where(seen.reachable > 0, seen.min_rtt_s, np.nan),
        max_rtt_s=np.where(seen.reachable > 0, seen.max_rtt_s, np.nan),
        min_hops=np.where(seen.reachable > 0, seen.min_hops, -1),
        max_hops=seen.max_hops,
        changes=seen.changes,
        reachable=seen.reachable,
        norad_id=world.fleet.catalogue.norad_id,
        satellite_share=uses.of_satellite / ways,
        link=link,
        link_share=used / ways,
    )


class _Seen:
    """What has been seen of all pairs so far."""

    def __init__(self, sites: int) -> None:
        shape = (sites, sites)
        self.instants = 0
        self.min_rtt_s, self.max_rtt_s = np.full(shape, np.inf), np.full(shape, -np.inf)
        self.min_hops = np.full(shape, np.iinfo(np.int32).max, np.int32)
        self.max_hops = np.full(shape, -1, np.int32)
        self.changes, self.reachable = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
        self._digest: DigestArray | None = None

    def add(self, sample: PairSample) -> None:
        is_way = sample.hops >= 0
        np.fmin(self.min_rtt_s, sample.rtt_s, out=self.min_rtt_s)
        np.fmax(self.max_rtt_s, sample.rtt_s, out=self.max_rtt_s, where=is_way)
        np.minimum(self.min_hops, sample.hops, out=self.min_hops, where=is_way)
        np.maximum(self.max_hops, sample.hops, out=self.max_hops)
        self.reachable += is_way
        if self._digest is not None:
            self.changes += sample.digest != self._digest
        self._digest = sample.digest
        self.instants += 1


def _geodesics_m(sites: Sequence[Site]) -> FloatArray:
    lat_deg, lon_deg = np.array([(site.lat_deg, site.lon_deg) for site in sites]).T
    return great_circle_m(lat_deg[:, None], lon_deg[:, None], lat_deg, lon_deg)


def pairs_summary(study: PairStudy) -> dict[str, Any]:
    """Return the study's figures as `pairs --json` prints them.

    RTTs are over all pairs that ever had a way; stretch leaves out pairs nearer than 500 km.
    """
    every, apart = study.pairs(0.0), study.pairs()
    pairs, lost = int(every.sum()), (study.t_s.size - study.reachable)[every]
    links = study.norad_id[study.link]
    return {
        "sites": len(study.names),
        "pairs": pairs,
        "instants": int(study.t_s.size),
        "unreachable_pairs": int((study.reachable[every] == 0).sum()),
        "interrupted_pairs": int(((lost > 0) & (lost < study.t_s.size)).sum()),
        "unreachable_share": float(lost.sum() / max(1, pairs * study.t_s.size)),
        "rtt_s": {
            "min": _percentiles(study.min_rtt_s[every]),
            "max": _percentiles(study.max_rtt_s[every]),
            "spread": _percentiles((study.max_rtt_s - study.min_rtt_s)[every]),
        },
        "stretch": {
            "geodesic": _percentiles(study.stretch[apart]),
            "fibre": _percentiles(study.fibre_stretch[apart]),
        },
        "path_changes": _percentiles(study.changes[every]),
        "hops": {
            "min": _percentiles(study.min_hops[every & (study.reachable > 0)]),
            "max": _percentiles(study.max_hops[every & (study.reachable > 0)]),
        },
        "busiest_satellites": [
            {"norad_id": int(study.norad_id[row]), "share": float(study.satellite_share[row])}
            for row in _busiest(study.satellite_share)
        ],
        "busiest_links": [
            {"norad_ids": links[row].tolist(), "share": float(study.link_share[row])}
            for row in _busiest(study.link_share)
        ],
    }


def _percentiles(values: NDArray[Any]) -> dict[str, float | None]:
    known = values[np.isfinite(values)]
    shown = {"p5": 5, "p50": 50, "p95": 95, "max": 100}
    return {
        name: float(np.percentile(known, share)) if known.size else None
        for name, share in shown.items()
    }


def _busiest(share: FloatArray) -> list[int]:
    order = np.argsort(-share, kind="stable")[:BUSIEST]
    rows: list[int] = order[share[order] > 0.0].tolist()
    return rows


def pairs_table(study: PairStudy) -> pa.Table:
    """Return one row per pair of sites, null where there never was a way."""
    a, b = np.nonzero(study.pairs(0.0))
    names = np.array(study.names)
    columns: dict[str, NDArray[Any]] = {
        "from": names[a],
        "to": names[b],
        "geodesic_m": study.geodesic_m[a, b],
        "min_rtt_s": study.min_rtt_s[a, b],
        "max_rtt_s": study.max_rtt_s[a, b],
        "stretch": study.stretch[a, b],
        "fibre_stretch": study.fibre_stretch[a, b],
        "path_changes": study.changes[a, b],
        "min_hops": study.min_hops[a, b],
        "max_hops": study.max_hops[a, b],
        "reachable_share": study.reachable[a, b] / study.t_s.size,
    }
    nowhere = study.reachable[a, b] == 0
    is_null = {name: nowhere for name in columns if name.startswith(("min", "max"))}
    is_null |= {name: ~np.isfinite(columns[name]) for name in ("stretch", "fibre_stretch")}
    return pa.table({k: pa.array(v, mask=is_null.get(k)) for k, v in columns.items()})
