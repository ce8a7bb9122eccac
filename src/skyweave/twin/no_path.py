"""Why two places have no path at an instant, and the smallest change that would give them one.

An end that a failure has cut off is told first, with nothing to offer.  Else what cuts a path is
told in this order, and the first change of each list that works is offered:

0. What an end is reached through has failed.  Nothing is offered.
1. An end can use no satellite, or only such as have failed.  Offered: to relax what keeps it from
   the satellites that have a way to the other end; first the limit that left it none, then the mask
   (lowest elevation or longest range), the separation from the geostationary arc, the field of
   view, and the obstruction.
2. Neither end can use one.  Offered: one common mask for both.
3. Both can, but their satellites are not joined by laser links.  Offered: a longer reach of the
   planned links; a lower grazing altitude of theirs; the mask of that end which needs less; the
   fewest of the scenario's sites that would join them as ground relays; one more laser link.

A number that is offered is rounded to the safe side, to a millionth of a degree or a millimetre:
with it there is a path, and with less there is none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from skyweave.constants import WGS84_A_M
from skyweave.policy.reasons import Reason
from skyweave.twin.ends import EndSky
from skyweave.twin.geometry import (
    Mask,
    VisiblePairs,
    gso_separation_deg,
    keep,
    pair_angles,
    visible_pairs,
)
from skyweave.twin.snapshots import Snapshot, site_places, site_views
from skyweave.twin.topology import (
    FixedPlan,
    IslPlan,
    LinkLimits,
    are_feasible,
    edge_lengths_m,
    plane_names,
)
from skyweave.twin.topology.lasers import laser_terminals
from skyweave.twin.world import World, isl_plan

FAILURES = (Reason.CORE_FAILED, Reason.POP_FAILED, Reason.GATEWAY_FAILED)
FARTHEST_M = 10_000_000.0  # no relaxed range looks farther
WIDEST_CONE_DEG = 180.0  # that scenarios know
PLANES_NAMED = 5
FIRST_REACH_M, REACH_GROWTH = 100_000.0, 1.5  # of the search for one more link

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
RowArray = NDArray[np.int32]


@dataclass(frozen=True)
class Relaxation:
    """A change that would give a path: of one number, or of what stands in `detail`."""

    what: str
    at: str  # the end or gateway whose limit it is, or "network"
    before: float | None
    after: float | None
    text: str  # "a lowest elevation of 21.3 deg instead of 25 deg at Bern"
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def change(self) -> float:
        """By how much the number changes."""
        assert self.before is not None
        assert self.after is not None
        return abs(self.after - self.before)

    def as_json(self) -> dict[str, Any]:
        """Return the relaxation as `path --json` prints it."""
        found = {"what": self.what, "at": self.at, "from": self.before, "to": self.after}
        return {**found, **self.detail, "text": self.text}


Offer = Callable[[], Relaxation | None]


class Diagnosis:
    """Finds what cuts paths over one world; what the instants have in common is made once."""

    def __init__(self, world: World, at_utc: np.datetime64) -> None:
        self.world, self.at_utc = world, at_utc
        self.sites = world.scenario.sites

    @cached_property
    def planes(self) -> NDArray[np.str_]:
        """The name of each satellite's plane, shape (N,)."""
        return plane_names(self.world.fleet.catalogue, self.at_utc)

    @cached_property
    def plan(self) -> IslPlan:
        """The plan of the laser links."""
        return isl_plan(self.world, self.at_utc)

    @cached_property
    def planned(self) -> RowArray:
        """The laser links wanted whatever their limits, (E, 2); none where limits decide that."""
        if not isinstance(self.plan, FixedPlan):
            return np.empty((0, 2), np.int32)
        return self.plan.links(None, 0, np.full((len(self.world.fleet.catalogue), 3), np.nan))

    @cached_property
    def has_laser(self) -> BoolArray:
        """Which satellites can take one more laser link, as far as anybody knows, shape (N,)."""
        catalogue = self.world.fleet.catalogue
        if self.world.scenario.isl_plan == "fleet":
            return np.asarray(laser_terminals(catalogue) > 0)
        return np.ones(len(catalogue), dtype=np.bool_)

    def cause(self, now: Snapshot, near: EndSky, far: EndSky) -> dict[str, Any]:
        """Return what cuts all paths between two ends at an instant, as `path --json` has it."""
        ends = _End(near, now), _End(far, now)
        failed = [end for end in ends if end.reason in FAILURES]
        if failed:  # no limit would help
            constraint, at, text = _told_of_ends(failed)
            return {"constraint": constraint, "at": at, "relaxation": None, "text": text}
        part = _parts(now)
        empty = [end for end in ends if not end.sats.size]
        planes: dict[str, list[str]] = {}
        if empty:
            constraint, at, text = _told_of_ends(empty)
            offers = _both_offers(*ends, part) if len(empty) == 2 else _offers(*ends, part)
        else:
            constraint, at = "partition", "network"
            planes = {end.name: self._planes_of(end.sats) for end in ends}
            text = _told_of_partition(planes)
            offers = _Partition(self, now, *ends, part).offers()
        found = next((each for offer in offers if (each := offer()) is not None), None)
        way_out = f"{found.text} would give a path" if found else "no single change gives a path"
        return {
            "constraint": constraint,
            "at": at,
            **({"planes": planes} if planes else {}),
            "relaxation": found.as_json() if found else None,
            "text": f"{text}; {way_out}",
        }

    def _planes_of(self, sats: RowArray) -> list[str]:
        return sorted(set(self.planes[sats].tolist()) - {""})


class _End:
    """One end, the satellites that it can use, and what limits them."""

    def __init__(self, sky: EndSky, now: Snapshot) -> None:
        self.sky, self.endpoint, self.name = sky, sky.endpoint, sky.endpoint.name
        self.sats = sky.links.sat[np.isfinite(sky.links.cost_s)]
        self._sat_itrf_m = now.sat_itrf_m

    @property
    def reason(self) -> Reason:
        """Why it can use no satellite."""
        return self.sky.reason or Reason.NO_GATEWAY_PATH

    def antenna_name(self, row: int) -> str:
        return self.endpoint.antennas[row] if self.endpoint.antennas else self.name

    def in_view(self, useful: BoolArray, but: Reason) -> VisiblePairs:
        """Return pairs within the mask that pass all tests but one, of useful satellites."""
        return self.sky.passing(self._of_use(self.sky.in_view, useful), but)

    def above_horizon(self, useful: BoolArray) -> VisiblePairs:
        """Return pairs that pass all tests but the mask, of useful satellites."""
        antennas = len(self.sky.places[0])
        widest = Mask.range(FARTHEST_M, antennas) if self.by_range else Mask.elevation(0, antennas)
        seen = visible_pairs(*self.sky.places, self.sky.usable_m, widest)
        pairs = self.sky.passing(self._of_use(seen, useful))
        return keep(pairs, self.angles(pairs)[0] >= 0.0)  # a range alone also looks below it

    def _of_use(self, pairs: VisiblePairs, useful: BoolArray) -> VisiblePairs:
        carries = np.isfinite(self.endpoint.behind_s)
        return keep(pairs, useful[pairs.sat] & carries[pairs.site_rows])

    @property
    def by_range(self) -> bool:
        """Whether the mask is a longest range, not a lowest elevation."""
        return self.endpoint.mask.max_range_m is not None

    @property
    def limit(self) -> FloatArray:
        """The mask of each antenna, in degrees or metres."""
        limit = self.endpoint.mask.limit
        return limit if self.by_range else np.asarray(np.round(np.degrees(np.arcsin(limit)), 9))

    def angles(self, pairs: VisiblePairs) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return elevation, azimuth and range of pairs, (P,) each."""
        return pair_angles(*self.sky.places, self._sat_itrf_m, pairs.site_rows, pairs.sat)


def _told_of_ends(empty: list[_End]) -> tuple[str, str, str]:
    constraint = str(empty[0].reason)
    at = " and ".join(end.name for end in empty)
    said = {
        Reason.NO_SATELLITE_IN_VIEW: "sees no satellite within its limits",
        Reason.GSO_ARC: "sees satellites only near the geostationary arc",
        Reason.FIELD_OF_VIEW: "sees satellites only outside its field of view",
        Reason.OBSTRUCTED: "has something before every satellite in view",
        Reason.POSITION_UNKNOWN: "has no known position",
        Reason.NO_GATEWAY_PATH: "has no gateway in service",
        Reason.SATELLITE_FAILED: "has lost its satellites to a failure",
        Reason.GATEWAY_FAILED: "has lost its gateways to a failure",
        Reason.POP_FAILED: "has failed",
        Reason.CORE_FAILED: "has no service while the operator's core systems are down",
    }
    text = " and ".join(f"{end.name} {said[end.reason]}" for end in empty)
    return constraint, at, text


def _told_of_partition(planes: dict[str, list[str]]) -> str:
    here, there = (f"{name} ({_named(names)})" for name, names in planes.items())
    return f"no laser links join the satellites of {here} and those of {there}"


def _named(planes: list[str]) -> str:
    more = f" and {len(planes) - PLANES_NAMED} more" if len(planes) > PLANES_NAMED else ""
    return f"planes {', '.join(planes[:PLANES_NAMED])}{more}" if planes else "in no plane"


def _offers(near: _End, far: _End, part: RowArray) -> Iterator[Offer]:
    """Yield the relaxations for the one end that can use no satellite."""
    end, other = (near, far) if not near.sats.size else (far, near)
    useful = np.isin(part, part[other.sats])
    makers: dict[Reason, Offer] = {
        Reason.NO_SATELLITE_IN_VIEW: lambda: _wider_mask(end, useful),
        Reason.GSO_ARC: lambda: _nearer_to_gso(end, useful),
        Reason.FIELD_OF_VIEW: lambda: _wider_cone(end, useful),
        Reason.OBSTRUCTED: lambda: _cleared_sight(end, useful),
    }
    # A test that is not in force refuses nothing, so that it has nothing to offer.
    for reason in sorted(makers, key=lambda each: each is not end.reason):
        yield makers[reason]


def _wider_mask(end: _End, useful: BoolArray) -> Relaxation | None:
    pairs = end.above_horizon(useful)
    elevation_deg, _, range_m = end.angles(pairs)
    limit = end.limit[pairs.site_rows]
    beyond = range_m - limit if end.by_range else limit - elevation_deg
    if not beyond.size:
        return None
    best = int(np.argmin(beyond))
    at = end.antenna_name(int(pairs.site_rows[best]))
    value = range_m[best] if end.by_range else elevation_deg[best]
    return _mask_change(at, end.by_range, float(limit[best]), float(value))


def _mask_change(at: str, by_range: bool, before: float, value: float) -> Relaxation:
    if by_range:
        after = _up(value, 3)
        text = f"a longest range of {after / 1e3:,.3f} km instead of {before / 1e3:,.3f} km at {at}"
        return Relaxation("max_range_m", at, before, after, text)
    after = _down(value, 6)
    text = f"a lowest elevation of {after:.3f} deg instead of {before:g} deg at {at}"
    return Relaxation("min_elevation_deg", at, before, after, text)


def _nearer_to_gso(end: _End, useful: BoolArray) -> Relaxation | None:
    pairs = end.in_view(useful, Reason.GSO_ARC)
    if not len(pairs):
        return None
    separation_deg = gso_separation_deg(
        *end.sky.places, end.sky.usable_m, pairs.site_rows, pairs.sat
    )
    best = int(np.argmax(separation_deg))
    before, after = end.sky.gso_separation_deg, _down(float(separation_deg[best]), 6)
    at = end.antenna_name(int(pairs.site_rows[best]))
    text = (
        f"a separation of {after:.3f} deg from the geostationary arc, not {before:g} deg, at {at}"
    )
    return Relaxation("gso_separation_deg", at, before, after, text)


def _wider_cone(end: _End, useful: BoolArray) -> Relaxation | None:
    sky, pairs = end.endpoint.sky, end.in_view(useful, Reason.FIELD_OF_VIEW)
    if sky is None or not len(pairs):
        return None
    elevation_deg, azimuth_deg, _ = end.angles(pairs)
    axis = _direction(sky.boresight_azimuth_deg[:1], sky.boresight_elevation_deg[:1])
    chord = np.linalg.norm(_direction(azimuth_deg, elevation_deg) - axis, axis=1)
    off_deg = np.degrees(2.0 * np.arcsin(np.minimum(chord / 2.0, 1.0)))
    before, after = float(sky.fov_deg[0]), _up(2.0 * float(off_deg.min()), 6)
    if after > WIDEST_CONE_DEG:
        return None
    text = f"a field of view of {after:.3f} deg instead of {before:g} deg at {end.name}"
    return Relaxation("fov_deg", end.name, before, after, text)


def _direction(azimuth_deg: FloatArray, elevation_deg: FloatArray) -> FloatArray:
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    across = np.cos(elevation)
    return np.column_stack((across * np.sin(azimuth), across * np.cos(azimuth), np.sin(elevation)))


def _cleared_sight(end: _End, useful: BoolArray) -> Relaxation | None:
    pairs = end.in_view(useful, Reason.OBSTRUCTED)
    if not len(pairs):
        return None
    elevation_deg, azimuth_deg, _ = end.angles(pairs)
    best = int(np.argmax(elevation_deg))
    sight = {
        "azimuth_deg": round(float(azimuth_deg[best]), 1),
        "elevation_deg": round(float(elevation_deg[best]), 1),
    }
    text = (
        f"a clear sight towards azimuth {sight['azimuth_deg']} deg, elevation "
        f"{sight['elevation_deg']} deg at {end.name}"
    )
    return Relaxation("obstruction", end.name, None, None, text, sight)


def _both_offers(near: _End, far: _End, part: RowArray) -> Iterator[Offer]:
    """Yield the relaxation for two ends that can both use no satellite: one mask for both."""
    if near.by_range == far.by_range:
        yield lambda: _common_mask(near, far, part)


def _common_mask(near: _End, far: _End, part: RowArray) -> Relaxation | None:
    best = np.minimum(_best_of_parts(near, part), _best_of_parts(far, part))
    value = abs(float(best.max(initial=-np.inf)))
    if not np.isfinite(value):
        return None
    limits = np.concatenate([near.limit, far.limit])
    before = float(limits.min() if near.by_range else limits.max())
    return _mask_change(f"{near.name} and {far.name}", near.by_range, before, value)


def _best_of_parts(end: _End, part: RowArray) -> FloatArray:
    """Return the highest elevation (or the range nearest to 0, below it) of each part."""
    pairs = end.above_horizon(np.ones(part.size, dtype=np.bool_))
    elevation_deg, _, range_m = end.angles(pairs)
    best = np.full(int(part.max(initial=-1)) + 1, -np.inf)
    np.maximum.at(best, part[pairs.sat], -range_m if end.by_range else elevation_deg)
    return best


@dataclass(frozen=True)
class _Partition:
    """Two ends with satellites that no laser links join."""

    diagnosis: Diagnosis
    now: Snapshot
    near: _End
    far: _End
    part: RowArray
    here: BoolArray = field(init=False)  # (N,) satellites that the near end reaches
    there: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        for name, end in (("here", self.near), ("there", self.far)):
            object.__setattr__(self, name, np.isin(self.part, self.part[end.sats]))

    def offers(self) -> Iterator[Offer]:
        """Yield the relaxations in their order."""
        yield self._longer_links
        yield self._lower_links
        yield self._mask
        yield self._relays
        yield self._one_link

    @property
    def _planned(self) -> RowArray:
        """The laser links wanted that have not failed, (E, 2)."""
        edges = self.diagnosis.planned
        return edges[~self.now.world.has_failed(edges)]

    def _longer_links(self) -> Relaxation | None:
        limits, edges = self.diagnosis.plan.limits, self._planned
        lines = are_feasible(edges, self.now.sat_itrf_m, LinkLimits(np.inf, limits.min_grazing_m))
        edges = edges[lines]
        length_m = edge_lengths_m(edges, self.now.sat_itrf_m)
        edges, length_m = (
            edges[length_m > limits.max_range_m],
            length_m[length_m > limits.max_range_m],
        )
        order = np.argsort(length_m, kind="stable")
        fewest = self._fewest(edges[order])
        if fewest is None:
            return None
        before, after = limits.max_range_m, _up(float(length_m[order[fewest - 1]]), 3)
        text = f"laser links of up to {after / 1e3:,.3f} km instead of {before / 1e3:,.3f} km"
        return Relaxation("isl.max_range_m", "network", before, after, text)

    def _lower_links(self) -> Relaxation | None:
        limits, edges = self.diagnosis.plan.limits, self._planned
        within = are_feasible(
            edges, self.now.sat_itrf_m, LinkLimits(limits.max_range_m, -WGS84_A_M)
        )
        edges = edges[within]
        lowest_m = _grazing_m(edges, self.now.sat_itrf_m)
        cut = (lowest_m < limits.min_grazing_m) & (lowest_m >= 0.0)
        edges, lowest_m = edges[cut], lowest_m[cut]
        order = np.argsort(-lowest_m, kind="stable")
        fewest = self._fewest(edges[order])
        if fewest is None:
            return None
        before, after = limits.min_grazing_m, _down(float(lowest_m[order[fewest - 1]]), 3)
        text = (
            f"laser links that pass {after / 1e3:,.3f} km above the ground instead of "
            f"{before / 1e3:,.3f} km"
        )
        return Relaxation("isl.min_grazing_m", "network", before, after, text)

    def _fewest(self, edges: RowArray) -> int | None:
        """Return how many of the edges, from the first on, it takes to join the ends."""
        if not self._joined_by(edges):
            return None
        least, enough = 0, len(edges)
        while enough - least > 1:
            middle = (least + enough) // 2
            least, enough = (least, middle) if self._joined_by(edges[:middle]) else (middle, enough)
        return enough

    def _joined_by(self, edges: RowArray) -> bool:
        parts = int(self.part.max(initial=-1)) + 1
        joins = csr_matrix((np.ones(len(edges)), self.part[edges].T), shape=(parts, parts))
        label = connected_components(joins, directed=False)[1][self.part]
        return bool(np.isin(label[self.near.sats], label[self.far.sats]).any())

    def _mask(self) -> Relaxation | None:
        found = [_wider_mask(self.near, self.there), _wider_mask(self.far, self.here)]
        return min((each for each in found if each), key=lambda each: each.change, default=None)

    def _relays(self) -> Relaxation | None:
        world, sites = self.diagnosis.world, self.diagnosis.sites
        if not sites:
            return None
        seen, _ = site_views(world, site_places(sites), self.now.sat_itrf_m)
        views = [
            set(self.part[seen.sat[first:stop]].tolist())
            for first, stop in zip(seen.site_start[:-1], seen.site_start[1:], strict=True)
        ]
        chain = _shortest_chain(
            views, set(self.part[self.near.sats].tolist()), set(self.part[self.far.sats].tolist())
        )
        if chain is None:
            return None
        names = [sites[row].name for row in chain]
        text = f"a ground relay at {', then '.join(names)}"
        return Relaxation("ground_relay", "network", None, None, text, {"sites": names})

    def _one_link(self) -> Relaxation | None:
        takes = self.diagnosis.has_laser
        min_grazing_m = self.diagnosis.plan.limits.min_grazing_m
        rows = _shortest_link(self.now, self.here & takes, self.there & takes, min_grazing_m)
        if rows is None:
            return None
        length_m = float(edge_lengths_m(rows[None], self.now.sat_itrf_m)[0])
        norad_ids = self.diagnosis.world.fleet.catalogue.norad_id[rows].tolist()
        planes = self.diagnosis.planes[rows].tolist()
        text = (
            f"one laser link of {length_m / 1e3:,.0f} km between planes "
            f"{planes[0] or '?'} and {planes[1] or '?'} ({norad_ids[0]}-{norad_ids[1]})"
        )
        detail = {"norad_ids": norad_ids, "planes": planes, "length_m": length_m}
        return Relaxation("laser_link", "network", None, None, text, detail)


def _shortest_link(
    now: Snapshot, here: BoolArray, there: BoolArray, min_grazing_m: float
) -> RowArray | None:
    """Return the rows (2,) of the closest satellites of two sets (N,) that a link can join."""
    sat_m, limits = now.sat_itrf_m, LinkLimits(np.inf, min_grazing_m)
    # How far each sees to the lowest point that a link may have; NaN where it is itself below.
    lowest_m = max(WGS84_A_M + min_grazing_m, 0.0)
    with np.errstate(invalid="ignore"):
        horizon_m = np.sqrt(np.linalg.norm(sat_m, axis=1) ** 2 - lowest_m**2)
    starts, stops = (np.flatnonzero(each & np.isfinite(horizon_m)) for each in (here, there))
    if not starts.size or not stops.size:
        return None
    near, far = cKDTree(sat_m[starts]), cKDTree(sat_m[stops])
    longest_m, reach_m = horizon_m[starts].max() + horizon_m[stops].max(), FIRST_REACH_M
    while True:  # all pairs within reach are tried, and the reach grows until a link is among them
        pairs = near.sparse_distance_matrix(far, reach_m, output_type="ndarray")
        edges = np.column_stack((starts[pairs["i"]], stops[pairs["j"]])).astype(np.int32)
        can_be = are_feasible(edges, sat_m, limits) & ~now.world.has_failed(edges)
        if can_be.any():
            return np.asarray(edges[np.argmin(np.where(can_be, pairs["v"], np.inf))])
        if reach_m > longest_m:
            return None
        reach_m *= REACH_GROWTH


def _shortest_chain(views: list[set[int]], start: set[int], end: set[int]) -> list[int] | None:
    """Return the fewest sites that lead from one set of parts to another, each seeing two parts."""
    reached = dict.fromkeys(start, -1)  # part: the site that reached it
    came: dict[int, int] = {}  # site: the site before it
    while True:
        near = [row for row, seen in enumerate(views) if row not in came and seen & reached.keys()]
        found: dict[int, int] = {}
        for row in near:
            came[row] = next(reached[part] for part in sorted(views[row]) if part in reached)
            found.update(dict.fromkeys(sorted(views[row] - reached.keys() - found.keys()), row))
        last = next((found[part] for part in sorted(found) if part in end), None)
        if last is not None:
            chain = [last]
            while came[chain[-1]] >= 0:
                chain.append(came[chain[-1]])
            return chain[::-1]
        if not found:
            return None
        reached.update(found)


def _parts(now: Snapshot) -> RowArray:
    """Return which connected part of the laser network each satellite belongs to, shape (N,)."""
    row, link = np.nonzero((now.neighbour >= 0) & np.isfinite(now.length_m))
    satellites = len(now.neighbour)
    ends = (row, now.neighbour[row, link])
    network = csr_matrix((np.ones(row.size), ends), shape=(satellites, satellites))
    return np.asarray(connected_components(network, directed=False)[1], dtype=np.int32)


def _grazing_m(edges: RowArray, sat_itrf_m: FloatArray) -> FloatArray:
    """Return the altitude of each edge's lowest point as `are_feasible` takes it, shape (E,)."""
    start, line = sat_itrf_m[edges[:, 0]], sat_itrf_m[edges[:, 1]] - sat_itrf_m[edges[:, 0]]
    along = -(start * line).sum(axis=1) / (line * line).sum(axis=1)
    lowest = start + np.clip(along, 0.0, 1.0)[:, None] * line
    return np.asarray(np.linalg.norm(lowest, axis=1) - WGS84_A_M)


def _up(value: float, digits: int) -> float:
    return float(np.ceil(value * 10**digits) / 10**digits)


def _down(value: float, digits: int) -> float:
    return float(np.floor(value * 10**digits) / 10**digits)
