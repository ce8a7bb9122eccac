"""A made-up dish: files of what it would record, drawn from element sets by formulas of our own.

Nothing of `skyweave.realism` is used, so that what it finds in the files can be held against what
was put in.
"""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from skyweave.frames import earth_orientation, geodetic_to_itrf
from skyweave.time import format_utc, instants
from skyweave.twin.catalogue import classify, read_catalogue, select_names
from skyweave.twin.geometry import look_angles
from skyweave.twin.orbits import initialise, propagate

ELEMENTS = "builtin:2026-06-14"
START_UTC = np.datetime64("2026-06-13T20:00:12", "ns")
SITE = (48.2, 16.4)
BORESIGHT_DEG = (10.0, 65.0)
DEG_PER_PX = 1.31
ROLL_DEG = 30.0
CENTRE_PX = 61.0
SECONDS = 14  # recorded of each slot


@dataclass(frozen=True)
class MadeDish:
    """The files, and the truth behind them."""

    chosen: Path
    candidates: Path
    names: list[str]  # of the satellite of each slot
    skies: list[list[tuple[str, float, float, float]]]  # name, azimuth, elevation, range_m


def make_dish(folder: Path, slots: int, choose) -> MadeDish:
    """Write both files; `choose(sky)` picks the row of a slot's sky, listed above 25 deg."""
    catalogue = select_names(read_catalogue(ELEMENTS), ["STARLINK"])
    catalogue = catalogue.take(np.isin(classify(catalogue), ["on_station"]))
    grid = instants(START_UTC, np.arange(slots * 15, dtype=float))
    site = geodetic_to_itrf([SITE[0]], [SITE[1]], [0.0])
    orientation = earth_orientation()
    starts_m = propagate(
        catalogue, instants(START_UTC, grid.t_s[::15]), orientation, records=initialise(catalogue)
    ).sat_itrf_m
    skies, names, rows = [], [], []
    for k in range(slots):
        look = look_angles(*site, starts_m[k])
        up = np.flatnonzero(look.elevation_deg[0] >= 25.0)
        sky = [
            (str(catalogue.name[n]), *(float(angle[0, n]) for angle in
             (look.azimuth_deg, look.elevation_deg, look.range_m)))
            for n in up
        ]  # fmt: skip
        chosen = choose(sky)
        one = catalogue.take(up[chosen : chosen + 1])
        seconds = grid.part(15 * k, 15 * k + SECONDS)
        for utc, sat_m in zip(
            seconds.utc, propagate(one, seconds, orientation).sat_itrf_m, strict=True
        ):
            at = look_angles(*site, sat_m)
            x, y = pixel(float(at.azimuth_deg[0, 0]), float(at.elevation_deg[0, 0]))
            rows.append(
                [format_utc(utc).replace("Z", "+00:00"), round(y), round(x), sky[chosen][0]]
            )
        skies.append(sky)
        names.append(sky[chosen][0])
    return MadeDish(
        write_chosen(folder / "first_made.csv", rows),
        write_candidates(folder / "fov_data_made.json", grid.utc[::15], skies),
        names,
        skies,
    )


def write_chosen(path: Path, rows) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["Timestamp", "Y", "X", "Connected_Satellite"])
        writer.writerows(rows)
    return path


def write_candidates(path: Path, starts, skies) -> Path:
    entries = [
        {
            "Timestamp": format_utc(start).replace("Z", "+00:00"),
            "Satellites": [
                {
                    "Name": name,
                    "Azimuth": azimuth,
                    "Elevation": elevation,
                    "Distance": range_m / 1e3,
                }
                for name, azimuth, elevation, range_m in sky
            ],
        }
        for start, sky in zip(starts, skies, strict=True)
    ]
    path.write_text(json.dumps(entries), encoding="utf-8")
    return path


def pixel(azimuth_deg: float, elevation_deg: float) -> tuple[float, float]:
    """Return x and y of a direction on the dish's map, by vectors."""
    line, boresight = _line(azimuth_deg, elevation_deg), _line(*BORESIGHT_DEG)
    right = np.cross(boresight, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    down = np.cross(boresight, right)
    off_deg = np.degrees(np.arccos(np.clip(line @ boresight, -1.0, 1.0)))
    around = np.arctan2(line @ down, line @ right) + np.radians(ROLL_DEG)
    radius = off_deg / DEG_PER_PX
    return CENTRE_PX + radius * np.cos(around), CENTRE_PX + radius * np.sin(around)


def _line(azimuth_deg: float, elevation_deg: float) -> np.ndarray:
    azimuth, elevation = np.radians([azimuth_deg, elevation_deg])
    level = np.cos(elevation)
    return np.array([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)])
