"""Who sees whom, 100,000 sites and 10,000 real satellites, one thread: own index against scipy.

The peer is the fastest of three forms of scipy's cKDTree: satellites looked up from sites with the
widest radius, which finds a third too many; sites from satellites, each with its own radius; and
two trees against each other with the widest radius, cut down afterwards.
A tree knows only a spherical Earth, where both must give the same pairs; the time compared is ours
on the ellipsoid, building of tree and index included on either side.
"""

import sys
import time

import numba
import numpy as np
from common import interleaved, verdict
from scipy.spatial import cKDTree
from sgp4.api import Satrec, SatrecArray

from skyweave.constants import EARTH_MEAN_RADIUS_M
from skyweave.data import read_data_text
from skyweave.frames import geodetic_to_itrf
from skyweave.twin.geometry import Mask, visible_pairs

SITES, SATELLITES, MIN_ELEVATION_DEG, ROUNDS = 100_000, 10_000, 25.0, 7
FLOOR, AIM = 8.0, 40.0


def main() -> int:
    numba.set_num_threads(1)
    sat_m = starlink_m()
    lat_deg, lon_deg = sites_deg(np.random.default_rng(1))
    site_m, up = geodetic_to_itrf(lat_deg, lon_deg, np.zeros(SITES))
    mask = Mask.elevation(MIN_ELEVATION_DEG, SITES)
    sphere = directions(lat_deg, lon_deg)
    check_equal(sphere, sat_m, mask)
    wall_s = interleaved(
        {
            "scipy, tree of satellites": lambda: from_sites(sphere, sat_m),
            "scipy, tree of sites": lambda: from_satellites(sphere, sat_m),
            "scipy, both trees": lambda: from_both(sphere, sat_m),
            "skyweave": lambda: visible_pairs(site_m, up, sat_m, mask),
        },
        ROUNDS,
    )
    for name, seconds in wall_s.items():
        print(f"{name}: {seconds * 1e3:.1f} ms")
    ours = wall_s.pop("skyweave")
    for count in (1, 200, 2_000):
        print(f"skyweave, {count} sites: {small_ms(site_m, up, sat_m, count):.2f} ms")
    what = f"visible pairs, {SITES} sites, {SATELLITES} satellites, one thread"
    return verdict(what, min(wall_s.values()) / ours, FLOOR, AIM)


def starlink_m() -> np.ndarray:
    """The first 10,000 Starlink satellites below 720 km that the packaged elements can place."""
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    triples = zip(lines[::3], lines[1::3], lines[2::3], strict=True)
    records = [Satrec.twoline2rv(a, b) for name, a, b in triples if "STARLINK" in name]
    error, teme_km, _ = SatrecArray(records).sgp4(np.array([2461205.5]), np.array([0.5]))
    teme_m = 1e3 * teme_km[error[:, 0] == 0, 0]
    return np.ascontiguousarray(teme_m[np.linalg.norm(teme_m, axis=1) < 7.1e6][:SATELLITES])


def sites_deg(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Sites uniform between 57 S and 70 N, row by row as a list of cells would have them."""
    sines = np.sin(np.radians([-57.0, 70.0]))
    lat_deg = np.degrees(np.arcsin(rng.uniform(*sines, SITES)))
    lon_deg = rng.uniform(-180.0, 180.0, SITES)
    order = np.lexsort((lon_deg, np.floor(lat_deg / 2.0)))
    return lat_deg[order], lon_deg[order]


def directions(lat_deg: np.ndarray, lon_deg: np.ndarray) -> np.ndarray:
    lat, lon = np.radians(lat_deg), np.radians(lon_deg)
    return np.column_stack((np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)))


def chords(sat_m: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Directions of satellites and how far, on the unit sphere, sites see them."""
    radius_m, elevation = np.linalg.norm(sat_m, axis=1), np.radians(MIN_ELEVATION_DEG)
    angle = np.arccos(EARTH_MEAN_RADIUS_M * np.cos(elevation) / radius_m) - elevation
    return sat_m / radius_m[:, None], 2.0 * np.sin(angle / 2.0)


def from_sites(sphere: np.ndarray, sat_m: np.ndarray) -> np.ndarray:
    toward, chord = chords(sat_m)
    return cKDTree(toward).query_ball_point(sphere, chord.max(), workers=1, return_sorted=False)


def from_satellites(sphere: np.ndarray, sat_m: np.ndarray) -> np.ndarray:
    toward, chord = chords(sat_m)
    return cKDTree(sphere).query_ball_point(toward, chord, workers=1, return_sorted=False)


def from_both(sphere: np.ndarray, sat_m: np.ndarray) -> np.ndarray:
    toward, chord = chords(sat_m)
    near = cKDTree(sphere).sparse_distance_matrix(
        cKDTree(toward), chord.max(), output_type="ndarray"
    )
    return near[near["v"] <= chord[near["j"]]]


def check_equal(sphere: np.ndarray, sat_m: np.ndarray, mask: Mask) -> None:
    """On a spherical Earth the tree and we must find the same pairs."""
    found = visible_pairs(EARTH_MEAN_RADIUS_M * sphere, sphere, sat_m, mask)
    seen = from_satellites(sphere, sat_m)
    sat = np.repeat(np.arange(len(sat_m)), [len(rows) for rows in seen])
    site = np.concatenate([np.array(rows, dtype=np.int64) for rows in seen])
    order = np.lexsort((sat, site))
    if not np.array_equal(site[order], found.site_rows) or not np.array_equal(
        sat[order], found.sat
    ):
        raise SystemExit("visible_pairs and the tree disagree: the ratio means nothing")
    print(f"the same {len(found)} pairs on a sphere, {len(found) / SITES:.1f} per site")


def small_ms(site_m: np.ndarray, up: np.ndarray, sat_m: np.ndarray, count: int) -> float:
    every = len(site_m) // count
    few, mask = (site_m[::every], up[::every]), Mask.elevation(MIN_ELEVATION_DEG, len(up[::every]))
    best_s = np.inf
    for _ in range(30):
        start = time.perf_counter()
        visible_pairs(*few, sat_m, mask)
        best_s = min(best_s, time.perf_counter() - start)
    return 1e3 * best_s


if __name__ == "__main__":
    sys.exit(main())
