"""Invent the demo's fleet, convoy and flight, always the same ones.

    python tools/data/demo.py

No real site, person or journey is in them: 200 points drawn inside one country's outline, a
straight drive, whose tracker falls silent at 12:48, and a piece of a great-circle flight.
"""

import csv
import json
from pathlib import Path

import numpy as np
import shapely

from skyweave.data import read_data_text
from skyweave.time import format_utc
from skyweave.twin.terminals import great_circle_track

TARGET = Path(__file__).parents[2] / "src" / "skyweave" / "data" / "demo"
COUNTRY = "MG"
COUNTRY_A3 = "MDG"  # as Natural Earth names it
START = np.datetime64("2026-06-14T11:59:00")
EVERY_S = 30
SITES = (("hospital", 40, "priority"), ("school", 110, "standard"), ("aid-post", 50, "lifeline"))
SPONSORS = ("Health Partnership", "School Fund", "Island Aid", "Open Networks")


def points_inside(
    country_a3: str, margin_deg: float, count: int, rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Return places (latitude, longitude) drawn inside a country as Natural Earth outlines it."""
    layer = json.loads(read_data_text("ne_50m_admin_0_countries.geojson.xz"))
    found = next(f for f in layer["features"] if f["properties"]["ADM0_A3"] == country_a3)
    area = shapely.geometry.shape(found["geometry"]).buffer(-margin_deg)
    west, south, east, north = area.bounds
    points: list[tuple[float, float]] = []
    while len(points) < count:
        lon, lat = rng.uniform(west, east), rng.uniform(south, north)
        if area.contains(shapely.Point(lon, lat)):
            points.append((round(lat, 4), round(lon, 4)))
    return points


def fleet() -> list[list[object]]:
    rng = np.random.default_rng(20260614)
    points = iter(points_inside(COUNTRY_A3, 0.05, sum(n for _, n, _ in SITES), rng))
    rows: list[list[object]] = []
    for kind, count, service in SITES:
        for number in range(1, count + 1):
            lat, lon = next(points)
            name = f"{kind.replace('-', ' ').capitalize()} {number}"
            sponsor = SPONSORS[rng.integers(len(SPONSORS))]
            row = [f"{kind}-{number:03}", name, lat, lon, 0, "standard", service]
            rows.append([*row, f"{kind}s", COUNTRY, sponsor])
    return rows


def track(
    start: tuple[float, float],
    end: tuple[float, float],
    speed_m_s: float,
    begin_m: float,
    height_m: float,
    span_s: int,
) -> list[list[object]]:
    """Fixes along the great circle from start to end, beginning `begin_m` after the start."""
    begin = START - np.timedelta64(round(1e9 * begin_m / speed_m_s), "ns")
    journey = great_circle_track(start, end, begin, speed_m_s, height_m, EVERY_S)
    utc = START + np.arange(0, span_s + 1, EVERY_S) * np.timedelta64(1, "s")
    lat_deg, lon_deg, _ = journey.at(utc)
    places = zip(utc, lat_deg.round(5).tolist(), lon_deg.round(5).tolist(), strict=True)
    return [[format_utc(at), lat, lon, height_m] for at, lat, lon in places]


def write(name: str, header: str, rows: list[list[object]]) -> None:
    with (TARGET / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([header.split(","), *rows])


def main() -> None:
    columns = "id,name,lat_deg,lon_deg,height_wgs84_m,class,service_class,account,country,sponsor"
    write("fleet.csv", columns, fleet())
    fixes = "time_utc,lat_deg,lon_deg,height_wgs84_m"
    drive = track((-18.90, 47.55), (-18.15, 49.35), 15.0, 0.0, 1200, span_s=49 * 60)
    write("convoy.csv", fixes, drive)
    flight = track((51.47, -0.45), (40.64, -73.78), 240.0, 1_900_000.0, 11_000, span_s=62 * 60)
    write("flight.csv", fixes, flight)


if __name__ == "__main__":
    main()
