"""Whole slots computed a second time, by hand, against what a run and `explain` say.

Nothing of the twin's geometry, scheduling or routing is used here: satellites come from the `sgp4`
library and erfa's rotations, sites from astropy, masks from all pairs, the geostationary arc from
its points, feeder links from the words of DESIGN.md, and paths from scipy.  What is taken from the
run is what other tests judge: which satellites take part, and the laser links of each slot.
"""

import csv
import io
from dataclasses import dataclass, replace
from itertools import pairwise

import erfa
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from sgp4.api import Satrec, SatrecArray

from skyweave.constants import EARTH_MEAN_RADIUS_M, FIBRE_INDEX, GEO_RADIUS_M, SPEED_OF_LIGHT_M_S
from skyweave.data import read_data_text
from skyweave.policy.reasons import REASONS, SERVED, Reason
from skyweave.twin import pipeline
from skyweave.twin.explanation import explain_slot
from skyweave.twin.orbits import initialise
from skyweave.twin.scenario import build_scenario
from skyweave.twin.topology.isl import NO_EDGES
from skyweave.twin.world import build_system, terminal_row

ONE_MICROSECOND = 1e-6
A_THOUSANDTH_OF_A_DEGREE = 1e-3
FIVE_CM = 0.05
PARTS = ("access_s", "isl_s", "feeder_s", "fibre_s")

SLOTS = 3
LIMIT_DEG = 18.0  # from the geostationary arc
HORIZON = 60  # slots of 15 s that "in view longest" looks ahead
UNIX_EPOCH_JD = 2440587.5


# The sky: satellites, sites and the arc.


def satellites_itrf_m(norad_id, utc):
    """Return the satellites' positions (T, N, 3) from the library, erfa and the packaged EOP."""
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    found = {}
    for first, second in pairwise(lines):
        if first[:2] == "1 " and second[:2] == "2 ":
            satellite = Satrec.twoline2rv(first, second)
            found[satellite.satnum] = satellite
    days = utc.astype("datetime64[D]")
    jd, fraction = days.astype(float) + UNIX_EPOCH_JD, (utc - days) / np.timedelta64(1, "D")
    error, teme_km, _ = SatrecArray([found[k] for k in norad_id.tolist()]).sgp4(jd, fraction)
    teme_km[error != 0] = np.nan
    return np.einsum("tij,ntj->tni", _teme_to_itrf(jd, fraction), teme_km) * 1e3


def _teme_to_itrf(jd, fraction):
    rows = read_data_text("earth_orientation.csv.xz").splitlines()[1:]
    mjd, x_arcsec, y_arcsec, ut1_s = np.array([row.split(",") for row in rows], dtype=float).T
    now = jd - 2400000.5 + fraction
    x, y = (np.radians(np.interp(now, mjd, pole) / 3600.0) for pole in (x_arcsec, y_arcsec))
    gmst = erfa.gmst82(jd, fraction + np.interp(now, mjd, ut1_s) / 86400.0)
    return erfa.pom00(x, y, 0.0) @ erfa.rz(gmst, np.eye(3))  # (T, 3, 3)


@dataclass
class Site:
    """A place and its ellipsoid normal at one instant; NaN where unknown."""

    itrf_m: np.ndarray
    up: np.ndarray


def site(lat_deg, lon_deg, height_m=0.0):
    place = EarthLocation.from_geodetic(lon_deg, lat_deg, height_m)
    return Site(np.array([place.x.value, place.y.value, place.z.value]), upward(lat_deg, lon_deg))


def upward(lat_deg, lon_deg):
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return np.array([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)])


def site_on_track(text, utc):
    """Return the place between the fixes before and after an instant, along their great circle."""
    rows = list(csv.DictReader(io.StringIO(text)))
    fixes = [np.datetime64(row["time_utc"].removesuffix("Z"), "ns") for row in rows]
    if not fixes[0] <= utc <= fixes[-1]:
        return Site(np.full(3, np.nan), np.full(3, np.nan))
    after = next(k for k, fix in enumerate(fixes) if k and fix >= utc)
    a, b = rows[after - 1], rows[after]
    share = (utc - fixes[after - 1]) / (fixes[after] - fixes[after - 1])
    here, there = (upward(float(r["lat_deg"]), float(r["lon_deg"])) for r in (a, b))
    angle = np.arccos(min(1.0, here @ there))
    x, y, z = (np.sin((1 - share) * angle) * here + np.sin(share * angle) * there) / np.sin(angle)
    height_m = (1 - share) * float(a["height_wgs84_m"]) + share * float(b["height_wgs84_m"])
    return site(np.degrees(np.arctan2(z, np.hypot(x, y))), np.degrees(np.arctan2(y, x)), height_m)


def elevation_azimuth_range(place, sats_m):
    line_m = sats_m - place.itrf_m
    range_m = np.sqrt((line_m**2).sum(axis=-1))
    east = np.cross([0.0, 0.0, 1.0], place.up)
    east /= np.linalg.norm(east)
    azimuth = np.arctan2(line_m @ east, line_m @ np.cross(place.up, east))
    return np.degrees(np.arcsin(line_m @ place.up / range_m)), np.degrees(azimuth) % 360.0, range_m


def in_view(place, sats_m, min_elevation_deg):
    """Return the rows of the satellites above a mask, among all."""
    if np.isnan(place.itrf_m).any():
        return np.empty(0, int)
    elevation_deg, _, _ = elevation_azimuth_range(place, sats_m)
    return np.flatnonzero(elevation_deg >= min_elevation_deg)


def arc_separation_deg(place, sats_m):
    """Return how far satellites stand from the visible arc, from points 0.2 deg apart on it.

    Near the limit the points around the nearest one lie 0.0005 deg apart instead.
    """
    line = sats_m - place.itrf_m
    line /= np.linalg.norm(line, axis=1, keepdims=True)
    meridian_deg = np.degrees(np.arctan2(place.itrf_m[1], place.itrf_m[0]))
    coarse_deg = meridian_deg + np.arange(-82.0, 82.0, 0.2)  # the rest is below every horizon
    separation_deg, nearest = _least_angle_deg(place, line, coarse_deg)
    for row in np.flatnonzero(np.abs(separation_deg - LIMIT_DEG) < 0.4):
        fine_deg = coarse_deg[nearest[row]] + np.arange(-0.3, 0.3, 0.0005)
        separation_deg[row] = _least_angle_deg(place, line[row : row + 1], fine_deg)[0].item()
    return separation_deg


def _least_angle_deg(place, line, lon_deg):
    lon = np.radians(lon_deg)
    arc = GEO_RADIUS_M * np.stack([np.cos(lon), np.sin(lon), np.zeros(lon.size)], axis=1)
    to_arc = arc - place.itrf_m
    to_arc /= np.linalg.norm(to_arc, axis=1, keepdims=True)
    cosine = np.where(to_arc @ place.up > 0.0, line @ to_arc.T, -2.0)
    best = cosine.max(axis=1, initial=-2.0)
    angle_deg = np.degrees(np.arccos(np.clip(best, -1.0, 1.0)))
    return np.where(best < -1.5, np.inf, angle_deg), cosine.argmax(axis=1)


def clear_of_arc(place, sats_m, rows):
    return rows[arc_separation_deg(place, sats_m[rows]) >= LIMIT_DEG] if rows.size else rows


# The network: gateways, feeder links and paths.


@dataclass
class Gateway:
    name: str
    lat_deg: float
    lon_deg: float
    min_elevation_deg: float
    place: Site
    pop: int
    fibre_s: np.ndarray  # one way to each PoP


def gateways_of(text, pops, min_elevation_deg=25.0, detour=1.5):
    built = [r for r in csv.DictReader(io.StringIO(text)) if r["status"] == "operational"]
    return [_gateway(row, pops, min_elevation_deg, detour) for row in built]


def _gateway(row, pops, min_elevation_deg, detour):
    lat_deg, lon_deg = float(row["lat_deg"]), float(row["lon_deg"])
    to_pop = [upward(float(p["lat_deg"]), float(p["lon_deg"])) for p in pops]
    here = upward(lat_deg, lon_deg)
    angle = np.array([np.arctan2(np.linalg.norm(np.cross(here, p)), here @ p) for p in to_pop])
    fibre_s = detour * EARTH_MEAN_RADIUS_M * angle * FIBRE_INDEX / SPEED_OF_LIGHT_M_S
    mask_deg = 5.0 if abs(lat_deg) > 62.0 else min_elevation_deg
    place = site(lat_deg, lon_deg)
    return Gateway(row["name"], lat_deg, lon_deg, mask_deg, place, int(np.argmin(angle)), fibre_s)


def feeder_views(gateways, sats_m, serves):
    """Return the pairs (gateway, satellite) that a feeder link could use, at each instant.

    After the last slot only pairs that have been in view ever since are looked at.
    """
    views: list[set[tuple[int, int]]] = [set() for _ in sats_m]
    for number, gateway in enumerate(gateways):
        among = np.flatnonzero(serves)
        for k, now_m in enumerate(sats_m):
            rows = among[in_view(gateway.place, now_m[among], gateway.min_elevation_deg)]
            clear = clear_of_arc(gateway.place, now_m, rows)
            views[k] |= {(number, sat) for sat in clear.tolist()}
            among = clear if k >= SLOTS else among
    return views


def slots_left(pair, views, k):
    left = 0
    while left < HORIZON and pair in views[k + 1 + left]:
        left += 1
    return left


def feeder_links(views, k, previous, antennas):
    """Return the links of a slot: keep what lasts, then one at a time, by the words of DESIGN."""
    left = {pair: n for pair in views[k] if (n := slots_left(pair, views, k)) >= 1}
    links = {pair for pair in previous if pair in left}
    while True:
        followed = [g for g, _ in links]
        fed = [sat for _, sat in links]
        free = {g for g, _ in left if followed.count(g) < antennas}
        counts = {sat: fed.count(sat) for _, sat in left}
        open_ = [p for p in left if p not in links and p[0] in free and counts[p[1]] < 2]
        if not open_:
            return links
        links.add(min(open_, key=lambda p: (counts[p[1]], -left[p], p[1], p[0])))


def ways_to_pop(sats_m, edges, links, gateways, pop):
    """Return each satellite's one-way delay to the PoP (-1: each gateway's own), and its link."""
    count = len(sats_m)
    best = {}
    for g, sat in sorted(links):
        end = gateways[g].pop if pop < 0 else pop
        feeder_s = np.linalg.norm(sats_m[sat] - gateways[g].place.itrf_m) / SPEED_OF_LIGHT_M_S
        cost_s = feeder_s + gateways[g].fibre_s[end]
        if sat not in best or cost_s < best[sat][0]:
            best[sat] = (cost_s, feeder_s, gateways[g].fibre_s[end], g, end)
    a, b = edges.T
    length_s = np.linalg.norm(sats_m[a] - sats_m[b], axis=1) / SPEED_OF_LIGHT_M_S
    feet = np.array(sorted(best), dtype=int)
    weight = np.concatenate([length_s, [best[s][0] for s in feet.tolist()]])
    ends = np.concatenate([a, feet]), np.concatenate([b, np.full(feet.size, count)])
    graph = coo_array((weight, ends), shape=(count + 1, count + 1)).tocsr()
    cost_s, before = dijkstra(graph, directed=False, indices=count, return_predecessors=True)

    def way(sat):
        hops = 0
        while before[sat] != count:
            sat, hops = int(before[sat]), hops + 1
        return hops, best[sat]

    return cost_s[:count], way


# One terminal in one slot.


def serving(rule, candidates, cost_s, ranges_m, elevations_deg, left):
    """Return the satellite that a rule chooses among those with a path, None without one."""
    score = {
        "shortest-path": lambda k: -(ranges_m[k] / SPEED_OF_LIGHT_M_S + cost_s[candidates[k]]),
        "highest-elevation": lambda k: elevations_deg[k],
        "longest-visible": lambda k: left[k],
    }[rule]
    able = [k for k, sat in enumerate(candidates) if np.isfinite(cost_s[sat])]
    return max(able, key=lambda k: (score(k), -candidates[k])) if able else None


class Sky:
    """Satellites, gateways and what they see of each other at the slots' boundaries."""

    def __init__(self, world, gateway_text):
        ahead = SLOTS + HORIZON + 1
        self.utc = world.grid.epoch_utc + np.arange(ahead) * np.timedelta64(15, "s")
        self.sats_m = satellites_itrf_m(world.fleet.catalogue.norad_id, self.utc)
        self.pops = list(csv.DictReader(io.StringIO(read_data_text("pops_2026-04-16.csv"))))
        self.gateways = gateways_of(gateway_text, self.pops)
        self.views = feeder_views(self.gateways, self.sats_m, world.fleet.serves)


class ByHand:
    """The slots of a world again, from its scenario's words."""

    def __init__(self, world, sky, tracks, antennas, rule, networks):
        self.world, self.tracks, self.rule = world, tracks, rule
        self.serves = world.fleet.serves
        self.utc, self.sats_m, self.pops = sky.utc, sky.sats_m, sky.pops
        self.gateways, self.views = sky.gateways, sky.views
        self.edges = [network.edges for network in networks]
        self.links, links = [], set()
        for k in range(SLOTS):
            links = feeder_links(self.views, k, links, antennas)
            self.links.append(links)
        self._ways, self._skies = {}, {}

    def way(self, k, pop):
        if (k, pop) not in self._ways:
            self._ways[k, pop] = ways_to_pop(
                self.sats_m[k], self.edges[k], self.links[k], self.gateways, pop
            )
        return self._ways[k, pop]

    def place(self, row, k):
        terminals = self.world.terminals
        name = str(terminals.terminal_id[row])
        if name in self.tracks:
            return site_on_track(self.tracks[name], self.utc[k])
        return site(terminals.lat_deg[row], terminals.lon_deg[row], terminals.height_wgs84_m[row])

    def sky(self, row, k):
        """Return the usable satellites above the mask at boundary k, and those clear of the arc."""
        if (row, k) not in self._skies:
            place = self.place(row, k)
            usable_m = np.where(self.serves[:, None], self.sats_m[k], np.nan)
            seen = in_view(place, usable_m, 25.0)
            clear = clear_of_arc(place, usable_m, seen)
            self._skies[row, k] = set(seen.tolist()), set(clear.tolist())
        return self._skies[row, k]

    def slot(self, row, k):
        """Return what a terminal has in a slot, with its candidates."""
        (seen, clear), (seen_then, clear_then) = self.sky(row, k), self.sky(row, k + 1)
        seen, clear = sorted(seen & seen_then), sorted(clear & clear_then)
        fixed = str(self.world.terminals.pop_id[row])
        pop = [p["pop_id"] for p in self.pops].index(fixed) if fixed else -1
        cost_s, way = self.way(k, pop)
        here = self.place(row, k)
        elevation_deg, azimuth_deg, range_m = (
            elevation_azimuth_range(here, self.sats_m[k][clear]) if clear else ([], [], [])
        )
        left = [self._left(row, sat, k) for sat in clear] if self.rule == "longest-visible" else []
        best = serving(self.rule, clear, cost_s, range_m, elevation_deg, left)
        reason = self._reason(row, k, seen, clear)
        found = {"seen": seen, "clear": clear, "sat": -1, "reason": reason}
        if best is None:
            return found
        hops, (cost_end_s, feeder_s, fibre_s, gateway, end) = way(clear[best])
        parts = {
            "access_s": 2.0 * range_m[best] / SPEED_OF_LIGHT_M_S,
            "isl_s": 2.0 * (cost_s[clear[best]] - cost_end_s),
            "feeder_s": 2.0 * feeder_s,
            "fibre_s": 2.0 * fibre_s,
        }
        return found | parts | {
            "sat": clear[best], "reason": None, "gateway": gateway, "pop": end, "isl_hops": hops,
            "elevation_deg": elevation_deg[best], "azimuth_deg": azimuth_deg[best],
            "range_m": range_m[best], "rtt_s": sum(parts.values()) + 0.010,
        }  # fmt: skip

    def _left(self, row, sat, k):
        left = 0
        while left < HORIZON and sat in self.sky(row, k + 1 + left)[1]:
            left += 1
        return left

    def _reason(self, row, k, seen, clear):
        if np.isnan([self.place(row, k).itrf_m, self.place(row, k + 1).itrf_m]).any():
            return Reason.POSITION_UNKNOWN
        if not seen:
            return Reason.NO_SATELLITE_IN_VIEW
        if not clear:
            return Reason.GSO_ARC
        near = {sat for _, sat in self.views[k] & self.views[k + 1]}
        return Reason.GATEWAY_ANTENNAS_BUSY if near & set(clear) else Reason.NO_GATEWAY_PATH


# The comparison.

GATEWAYS = """name,lat_deg,lon_deg,status
Alps,46.5,8.0,operational
Alps too,46.4,8.3,operational
Iberia,40.5,-3.7,operational
Carolina,35.9,-78.9,operational
Prairie,41.2,-96.0,operational
Andes,-33.4,-70.7,operational
Cape,-33.9,18.6,operational
Honshu,36.4,140.1,operational
Lapland,66.8,23.7,operational
Later,50.0,10.0,planned
"""
TRACK = """time_utc,lat_deg,lon_deg,height_wgs84_m
2026-06-14T12:00:00Z,52.1,-20.0,11000
2026-06-14T12:00:37Z,52.0,-20.2,11000
2026-06-14T12:00:56Z,51.9,-20.3,10500
"""
PLACES = {  # latitude and longitude, degrees
    "bern": (46.95, 7.45), "turin": (45.07, 7.69), "lisbon": (38.72, -9.14),
    "quito": (-0.18, -78.47), "nairobi": (-1.29, 36.82), "singapore": (1.35, 103.82),
    "tokyo": (35.68, 139.69), "wellington": (-41.29, 174.78), "suva": (-18.14, 180.0),
    "tromso": (69.65, 18.96), "alert": (82.5, -62.35), "pole": (-90.0, 0.0),
    "omaha": (41.26, 264.06), "raleigh": (35.78, -78.64), "santiago": (-33.45, -70.67),
    "cape-town": (-33.92, 18.42), "ocean": (-40.0, 80.0), "equator": (0.0, 0.0),
}  # fmt: skip
ANTENNAS = 3


def system_by(rule, folder):
    (folder / "gateways.csv").write_text(GATEWAYS)
    (folder / "flight.csv").write_text(TRACK)
    terminals = [{"id": k, "lat_deg": lat, "lon_deg": lon} for k, (lat, lon) in PLACES.items()]
    terminals += [
        {"id": "far-pop", "lat_deg": 46.95, "lon_deg": 7.45, "pop_id": "nwyynyx1"},
        {"id": "flight", "track": "flight.csv"},
    ]
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 15 * SLOTS},
        "catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]},
        "visibility": {"gso_separation_deg": LIMIT_DEG},
        "gateways": {"source": "gateways.csv", "antennas": ANTENNAS},
        "assignment": {"rule": rule},
        "terminals": terminals,
    }
    return build_system(build_scenario(content, "by hand", folder))


def assert_equal_to(hand, found, services, rows):
    """Compare each value of a run's chunk with the slots by hand; return how many are served."""
    served = 0
    for k, service in enumerate(services):
        links = hand.links[k]
        network = service[0].feeders
        assert links == set(zip(network.gateway.tolist(), network.sat.tolist(), strict=True)), k
        start, sat = service[1].candidates.terminal_start, service[1].candidates.sat
        for row in rows:
            expected = hand.slot(row, k)
            pairs = slice(start[row], start[row + 1])
            assert sat[pairs].tolist() == expected["seen"], (row, k)
            clear = sat[pairs][service[1].refused[pairs] == SERVED]
            assert clear.tolist() == expected["clear"], (row, k)
            number = found.reason[k, row]
            assert (None if number == SERVED else REASONS[number]) == expected["reason"], (row, k)
            assert found.sat[k, row] == expected["sat"], (row, k)
            if number != SERVED:
                assert np.isnan(found.rtt_s[k, row])
                continue
            served += 1
            for name in ("gateway", "pop", "isl_hops"):
                assert getattr(found, name)[k, row] == expected[name], (name, row, k)
            for name in (*PARTS, "rtt_s"):
                value = getattr(found, name)[k, row]
                assert value == pytest.approx(expected[name], abs=ONE_MICROSECOND), (name, row, k)
            assert found.range_m[k, row] == pytest.approx(expected["range_m"], abs=FIVE_CM)
            for name in ("elevation_deg", "azimuth_deg"):
                value = getattr(found, name)[k, row]
                assert value == pytest.approx(expected[name], abs=A_THOUSANDTH_OF_A_DEGREE)
    return served


def computed(world, has_lasers=True):
    """Return the networks, the services and the access of the first slots of a world."""
    records = initialise(world.fleet.catalogue)
    networks = list(pipeline.networks(world, records, SLOTS))
    if not has_lasers:
        networks = [replace(network, edges=NO_EDGES) for network in networks]
    services = list(pipeline.services(world, records, networks))
    return networks, services, pipeline.serve(world, records, networks)[0]


@pytest.fixture(scope="module")
def sky(tmp_path_factory):
    """The sky over the gateways, the same for any rule."""
    system = system_by("shortest-path", tmp_path_factory.mktemp("sky"))
    return Sky(system.parts[0].world, GATEWAYS)


@pytest.mark.parametrize(
    ("rule", "has_lasers"),
    [("shortest-path", True), ("highest-elevation", False), ("longest-visible", True)],
)
def test_every_value_of_a_slot_is_what_a_hand_finds(rule, has_lasers, sky, tmp_path):
    world = system_by(rule, tmp_path).parts[0].world
    networks, services, found = computed(world, has_lasers)
    hand = ByHand(world, sky, {"flight": TRACK}, ANTENNAS, rule, networks)
    served = assert_equal_to(hand, found, services, range(len(world.terminals)))
    reasons = {str(REASONS[n]) for n in found.reason[found.reason != SERVED]}
    assert served > 20  # the comparison is not about outages alone
    assert "position_unknown" in reasons
    if not has_lasers:
        assert {"gateway_antennas_busy", "no_gateway_path"} <= reasons


def test_an_explanation_is_the_slot_by_hand(sky, tmp_path):
    system = system_by("shortest-path", tmp_path)
    world = system.parts[0].world
    networks, _, _ = computed(world)
    hand = ByHand(world, sky, {"flight": TRACK}, ANTENNAS, "shortest-path", networks)
    norad_id = world.fleet.catalogue.norad_id
    for name, slot in (("far-pop", 1), ("flight", 0)):
        row = terminal_row(system, name)
        expected, answer = hand.slot(row, slot), explain_slot(system, row, slot)
        seen = [one["norad_id"] for one in answer["candidates"]]
        clear = [one["norad_id"] for one in answer["candidates"] if one["refused"] != "gso_arc"]
        assert sorted(seen) == norad_id[expected["seen"]].tolist()
        assert sorted(clear) == norad_id[expected["clear"]].tolist()
        assert answer["satellite"]["norad_id"] == norad_id[expected["sat"]] == seen[0]
        assert answer["rtt_s"] == pytest.approx(expected["rtt_s"], abs=ONE_MICROSECOND)
        assert sum(answer["rtt_parts_s"].values()) == pytest.approx(answer["rtt_s"], abs=1e-15)
        assert len(answer["nodes"]) == expected["isl_hops"] + 4
