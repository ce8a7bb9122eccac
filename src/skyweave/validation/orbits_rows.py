"""Checks of rows on orbits and shells: no path, at most who sees whom and how long links are."""

import tomllib
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS84_A_M
from skyweave.data import read_data_text
from skyweave.frames import earth_orientation, geodetic_to_itrf
from skyweave.places.cities import all_cities
from skyweave.time import TimeGrid
from skyweave.twin.catalogue import Catalogue, concatenate, hypatia_shell, walker_delta
from skyweave.twin.catalogue.altitude import mean_motion_rev_day
from skyweave.twin.catalogue.shells import (
    PRESETS,
    filed_shells,
    minimum_separation_m,
    widest_phasing,
)
from skyweave.twin.catalogue.tle import read_tle
from skyweave.twin.geometry import Mask, gso_separation_deg, keep, look_angles, visible_pairs
from skyweave.twin.orbits import propagate, propagate_teme
from skyweave.twin.routing import shortest_trees
from skyweave.twin.scenario.models import Visibility
from skyweave.twin.topology import (
    LinkLimits,
    are_feasible,
    edge_lengths_m,
    make_plan,
    padded_adjacency,
)
from skyweave.twin.topology.ground import POLAR_MIN_ELEVATION_DEG
from skyweave.validation.formulas import (
    cone_range_m,
    hops_by_the_fewest_planes,
    spiral_delta_v_m_s,
    two_body_period_s,
)
from skyweave.validation.judge import Finding
from skyweave.validation.registry import all_within, check, listed, within
from skyweave.validation.table import Row

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

EPOCH_UTC = np.datetime64("2026-06-14T00:00:00", "ns")
ONE_DAY_S = 86_400.0
STARLINK_1 = (550e3, 53.0, 72, 22)  # height m, inclination deg, planes, satellites each
HANDLEY_1, HANDLEY_2 = (1150e3, 53.0, 32, 50), (1110e3, 53.8, 32, 50)
STARLINK_2016 = (  # 4,425 satellites as filed in 2016
    HANDLEY_1,
    HANDLEY_2,
    (1130e3, 74.0, 8, 50),
    (1275e3, 81.0, 5, 75),
    (1325e3, 70.0, 6, 75),
)


@check("HYP-31")
def longest_ground_links(row: Row) -> Finding:
    """By the paper's formula, and the same in the shipped scenarios."""
    cones_m = (
        (550e3, 940_700.0),  # a radius from the filing; the other two follow from an elevation
        (630e3, 630e3 / np.tan(np.radians(30.0))),
        (1015e3, 1015e3 / np.tan(np.radians(10.0))),
    )
    ranges_km = [cone_range_m(*cone) / 1e3 for cone in cones_m]
    shipped_km = [
        tomllib.loads(read_data_text(f"hypatia/{name}.toml"))["visibility"]["max_range_m"] / 1e3
        for name in ("starlink-550", "kuiper-630", "telesat-1015")
    ]
    metre_km = 1e-3
    is_near = all_within(ranges_km, row.numbers, metre_km)
    is_near = is_near and all_within(shipped_km, row.numbers, metre_km)
    note = "The scenarios hypatia/*.toml have the same ranges."
    return Finding(listed(ranges_km, ".3f"), is_near, note if is_near else "")


@check("HYP-32")
def longest_laser_links(row: Row) -> Finding:
    lengths_km = [longest_feasible_link_m(1e3 * km) / 1e3 for km in (550.0, 630.0, 1015.0)]
    ten_metres_km = 1e-2
    note = "The longest link above 80 km over a sphere of 6,378.137 km; the paper's has 6,378.135."
    return Finding(
        listed(lengths_km, ".3f"), all_within(lengths_km, row.numbers, ten_metres_km), note
    )


@check("HYP-33")
def satellites_of_three_systems(row: Row) -> Finding:
    by_name = {shell.shell: shell.satellites for shell in filed_shells()}
    systems = ("starlink-initial", "kuiper", "telesat-phase2")
    totals = [sum(by_name[name] for name in PRESETS[system]) for system in systems]
    exact = 0.0
    return Finding(listed(totals, "d"), all_within(totals, row.numbers, exact))


@check("HAN-07", "HAN-08")
def widest_phase_offset(row: Row) -> Finding:
    shell = HANDLEY_1 if row.id == "HAN-07" else HANDLEY_2
    planes = shell[2]
    phasing = widest_phasing(*shell)
    offset, parts = row.numbers
    # Handley counts the offset against the order of planes in which Walker counts F.
    is_equal = parts == planes and phasing in (offset, planes - offset)
    apart_km = minimum_separation_m(*shell, phasing) / 1e3
    note = f"Walker phasing {phasing}: satellites stay at least {apart_km:.1f} km apart."
    return Finding(f"{planes - phasing}/{planes}", is_equal, note)


@check("HAN-10")
def collisions_at_even_offsets(row: Row) -> Finding:
    farthest_km = max(minimum_separation_m(*HANDLEY_1, F) / 1e3 for F in range(0, 32, 2))
    millimetre_km = 1e-6
    note = "The largest of the 16 even multiples."
    return Finding(f"{farthest_km:.1f}", within(farthest_km, row.numbers[0], millimetre_km), note)


@check("TOP-03")
def longest_link_at_550_km(row: Row) -> Finding:
    length_km = longest_feasible_link_m(550e3) / 1e3
    five_km = 5.0
    return Finding(f"{length_km:.1f}", within(length_km, row.numbers[0], five_km))


@check("TOP-04")
def link_lengths_of_kuiper(row: Row) -> Finding:
    found_km = [
        longest_feasible_link_m(630e3) / 1e3,
        longest_grid_link_m(630e3, 51.9, 34, 34) / 1e3,
    ]
    five_km = 5.0
    note = "+Grid as in Hypatia, odd planes half a slot ahead, over one revolution."
    return Finding(listed(found_km, ".1f"), all_within(found_km, row.numbers, five_km), note)


@check("TOP-05")
def link_length_of_24_by_66(row: Row) -> Finding:
    length_km = longest_grid_link_m(550e3, 53.0, 24, 66) / 1e3
    twenty_km = 20.0
    note = "+Grid as in Hypatia, odd planes half a slot ahead, over one revolution."
    return Finding(f"{length_km:.1f}", within(length_km, row.numbers[0], twenty_km), note)


@check("TOP-07")
def hops_counted_too_many(row: Row) -> Finding:
    """The older formula against breadth-first trees; every satellite's view is the same."""
    planes, per_plane, phasing = 72, 22, 39
    shell = walker_delta(*STARLINK_1, phasing, EPOCH_UTC)
    neighbour = padded_adjacency(plus_grid_edges(shell), len(shell), degree=4)
    one_hop = np.where(neighbour >= 0, 1.0, np.inf)
    hops = shortest_trees(neighbour, one_hop, np.zeros(1, np.int32), with_hops=False).cost[0]
    formula = [
        hops_by_the_fewest_planes(planes, per_plane, phasing, *divmod(satellite, per_plane))
        for satellite in range(len(shell))
    ]
    over = 100.0 * float(np.mean(np.array(formula) > hops))
    tenths = 0.3
    note = "Against our own trees over +Grid, from one satellite: the pattern looks alike from all."
    return Finding(f"{over:.2f}", within(over, row.numbers[0], tenths), note)


@check("DPO-11")
def satellites_over_the_most_populated_latitudes(row: Row) -> Finding:
    lat_deg, mean = views_of_starlink_2016()
    note = (
        f"Mean over a day at each degree of latitude from {lat_deg[0]:.0f} to {lat_deg[-1]:.0f} "
        "north, the narrowest band that holds half of the people in cities of 15,000 and more: "
        f"{mean.min():.1f} to {mean.max():.1f}."
    )
    return Finding(f"{mean.mean():.1f}", bool(mean.mean() > row.numbers[0]), note)


@check("ORB-01")
def sgp4_verification_case(row: Row) -> Finding:
    """Satellite 00005 of the verification set, at its epoch."""
    lines = (
        "1 00005U 58002B   00179.78495062  .00000023  00000-0  28098-4 0  4753\n"
        "2 00005  34.2682 348.7242 1859667 331.7664  19.3264 10.82419157413667\n"
    )
    satellite = read_tle(lines.encode(), "SGP4-VER")
    grid = TimeGrid(satellite.epoch_utc[0], np.zeros(1))
    position_km = propagate_teme(satellite, grid)[0][0, 0] / 1e3
    millimetre_km = 1e-6
    is_equal = all_within(position_km.tolist(), row.numbers, millimetre_km)
    return Finding(listed(position_km.tolist(), ".8f"), is_equal)


@check("ORB-03")
def footprint_at_25_degrees(row: Row) -> Finding:
    """Along the equator, where the ellipsoid is a circle; found by bisection over look angles."""
    apart_deg = last_where(lambda deg: over_the_equator(550e3, deg)[0] >= 25.0, 0.0, 20.0)
    radius_km = WGS84_A_M * np.radians(apart_deg) / 1e3
    found_km = [float(radius_km), over_the_equator(550e3, apart_deg)[1] / 1e3]
    one_km = 1.0
    return Finding(listed(found_km, ".1f"), all_within(found_km, row.numbers, one_km))


@check("ORB-04")
def period_and_drift(row: Row) -> Finding:
    period_min = two_body_period_s(WGS84_A_M + 550e3) / 60.0
    found = [period_min, node_drift_deg_per_day(550e3, 53.0)]
    hundredth = 0.01
    note = "The drift is that of SGP4 over ten days, whose higher terms add 0.03 % to J2's."
    return Finding(
        f"{found[0]:.2f};{found[1]:.3f}", all_within(found, row.numbers, hundredth), note
    )


@check("ORB-05")
def drift_of_a_parking_orbit(row: Row) -> Finding:
    relative = node_drift_deg_per_day(350e3, 53.0) - node_drift_deg_per_day(550e3, 53.0)
    found = [relative, 20.0 / abs(relative)]
    percent = [0.01 * abs(number) for number in row.numbers]
    note = "Drifts are those of SGP4 over ten days."
    return Finding(f"{found[0]:.4f};{found[1]:.1f}", all_within(found, row.numbers, percent), note)


@check("ORB-07")
def raising_a_satellite(row: Row) -> Finding:
    delta_v_m_s = spiral_delta_v_m_s(WGS84_A_M + 445e3, WGS84_A_M + 550e3)
    half_m_s = 0.5
    return Finding(f"{delta_v_m_s:.1f}", within(delta_v_m_s, row.numbers[0], half_m_s))


@check("ORB-09")
def filed_elevations(row: Row) -> Finding:
    found = [Visibility().min_elevation_deg, POLAR_MIN_ELEVATION_DEG]
    exact_deg = 0.0
    note = "The limits that a scenario has unless it says otherwise."
    return Finding(listed(found, ".0f"), all_within(found, row.numbers, exact_deg), note)


@check("REG-20")
def satellites_in_view_by_latitude(row: Row) -> Finding:
    above, _ = views_of_starlink_1()
    mean = above.mean(axis=0).tolist()
    percent = [0.02 * number for number in row.numbers]
    return Finding(listed(mean, ".2f"), all_within(mean, row.numbers, percent))


@check("REG-21")
def satellites_clear_of_the_arc_by_latitude(row: Row) -> Finding:
    _, clear = views_of_starlink_1()
    mean, least = clear.mean(axis=0).tolist(), clear.min(axis=0).tolist()
    percent, one = [0.03 * number for number in row.numbers[:4]], 1.0
    is_near = all_within(mean, row.numbers[:4], percent)
    is_near = is_near and all_within(least, row.numbers[4:], one)
    return Finding(f"{listed(mean, '.2f')} (min {listed(least, 'd')})", is_near)


@check("REG-23")
def separations_of_starlink_1(row: Row) -> Finding:
    phasings = (39, widest_phasing(*STARLINK_1), 36)
    found_km = [minimum_separation_m(*STARLINK_1, phasing) / 1e3 for phasing in phasings]
    one_km = 1.0
    note = (
        f"The widest phasing is {phasings[1]}, as in the row. The closed form gives the least "
        "distance over all time on circular orbits. The row's 50.9 km at phasing 39 is what 60 "
        "moments of a revolution show of the same orbits; they come as near as 49.8 km in between."
    )
    return Finding(listed(found_km, ".1f"), all_within(found_km, row.numbers, one_km), note)


@cache
def longest_feasible_link_m(altitude_m: float) -> float:
    """Return the longest link of two satellites at one altitude that `are_feasible` admits."""
    radius_m = WGS84_A_M + altitude_m
    pair = np.array([[0, 1]], dtype=np.int32)

    def is_up(length_m: float) -> bool:
        half_m = length_m / 2.0
        height_m = np.sqrt(radius_m**2 - half_m**2)
        ends_m = np.array([[height_m, -half_m, 0.0], [height_m, half_m, 0.0]])
        return bool(are_feasible(pair, ends_m, LinkLimits())[0])

    return last_where(is_up, 0.0, 2.0 * radius_m)


def last_where(is_true: Callable[[float], bool], low: float, high: float) -> float:
    """Return by bisection, to rounding, where a claim that holds at `low` ceases to hold."""
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if is_true(middle) else (low, middle)
    return low


def longest_grid_link_m(
    altitude_m: float, inclination_deg: float, planes: int, per_plane: int
) -> float:
    """Return the longest +Grid link within a revolution, odd planes shifted by half a slot."""
    mean_motion = mean_motion_rev_day(altitude_m, inclination_deg)
    shell = hypatia_shell(mean_motion, inclination_deg, planes, per_plane)
    edges = plus_grid_edges(shell)
    minutes_s = np.arange(0.0, ONE_DAY_S / mean_motion, 60.0)
    sat_teme_m = propagate_teme(shell, TimeGrid(shell.epoch_utc[0], minutes_s), velocity=False)[0]
    return max(float(edge_lengths_m(edges, at_m).max()) for at_m in sat_teme_m)


def over_the_equator(altitude_m: float, apart_deg: float) -> tuple[float, float]:
    """Return elevation (deg) and range (m) of a satellite so far from a site on the equator."""
    site_m, up = geodetic_to_itrf([0.0], [0.0], [0.0])
    sat_m, _ = geodetic_to_itrf([0.0], [apart_deg], [altitude_m])
    look = look_angles(site_m, up, sat_m)
    return float(look.elevation_deg[0, 0]), float(look.range_m[0, 0])


@cache
def node_drift_deg_per_day(altitude_m: float, inclination_deg: float) -> float:
    """Return how fast SGP4 turns the plane of a circular orbit: the slope over ten days."""
    satellite = walker_delta(altitude_m, inclination_deg, 1, 1, 0, EPOCH_UTC)
    grid = TimeGrid(EPOCH_UTC, np.arange(0.0, 10.0 * ONE_DAY_S, 60.0))
    position_m, speed_m_s, _ = propagate_teme(satellite, grid)
    assert speed_m_s is not None
    normal = np.cross(position_m[:, 0], speed_m_s[:, 0])
    node_deg = np.degrees(np.unwrap(np.arctan2(normal[:, 0], -normal[:, 1])))
    return float(np.polyfit(grid.t_s / ONE_DAY_S, node_deg, 1)[0])


def densest_latitudes_deg(share: float = 0.5) -> tuple[float, float]:
    """Return the ends of the narrowest band of latitude that holds a share of city dwellers."""
    cities = all_cities()
    order = np.argsort(cities.lat_deg, kind="stable")
    lat_deg, below = cities.lat_deg[order], np.cumsum(cities.population[order])
    last = np.searchsorted(below, below - cities.population[order] + share * below[-1])
    south = np.flatnonzero(last < len(order))
    width_deg = lat_deg[last[south]] - lat_deg[south]
    first = south[np.argmin(width_deg)]
    return float(lat_deg[first]), float(lat_deg[last[first]])


@cache
def views_of_starlink_1() -> tuple[IntArray, IntArray]:
    """Return the counts of REG-20 and REG-21, each (T, latitudes): one computation for both."""
    shell = hypatia_shell(15.06, *STARLINK_1[1:])
    return counts_in_view(
        shell, np.array([0.0, 30.0, 50.0, 55.0]), min_elevation_deg=25.0, arc_separation_deg=18.0
    )


@cache
def views_of_starlink_2016() -> tuple[FloatArray, FloatArray]:
    """Return whole degrees of the densest latitudes and the mean number above 40 deg at each."""
    south_deg, north_deg = densest_latitudes_deg()
    lat_deg = np.arange(np.ceil(south_deg), north_deg)
    shells = [walker_delta(*shell, widest_phasing(*shell), EPOCH_UTC) for shell in STARLINK_2016]
    above, _ = counts_in_view(concatenate(shells), lat_deg, min_elevation_deg=40.0)
    return lat_deg, above.mean(axis=0)


def counts_in_view(
    catalogue: Catalogue,
    lat_deg: FloatArray,
    min_elevation_deg: float,
    arc_separation_deg: float = 0.0,
) -> tuple[IntArray, IntArray]:
    """Return how many satellites sites at longitude 0 see in the day after the epoch, 144 times.

    Both arrays have shape (T, latitudes): above the mask, and of those clear of the
    geostationary arc by `arc_separation_deg` or more.
    """
    nothing = np.zeros(lat_deg.size)
    site_m, up = geodetic_to_itrf(lat_deg, nothing, nothing)
    mask = Mask.elevation(min_elevation_deg, lat_deg.size)
    grid = TimeGrid(catalogue.epoch_utc[0], np.arange(0.0, ONE_DAY_S, 600.0))
    above, clear = [], []
    for sat_m in propagate(catalogue, grid, earth_orientation("none")).sat_itrf_m:
        seen = visible_pairs(site_m, up, sat_m, mask)
        away_deg = gso_separation_deg(site_m, up, sat_m, seen.site_rows, seen.sat)
        above.append(np.diff(seen.site_start))
        clear.append(np.diff(keep(seen, away_deg >= arc_separation_deg).site_start))
    return np.array(above), np.array(clear)


def plus_grid_edges(shell: Catalogue) -> NDArray[np.int32]:
    """Return the links of the +Grid plan, which are the same wherever the satellites stand."""
    plan = make_plan("plus-grid", shell, EPOCH_UTC, slot_s=15.0)
    return plan.links(None, 0, np.full((len(shell), 3), np.nan))
