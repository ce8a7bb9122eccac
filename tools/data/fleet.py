"""Invent the fleet of `scenarios/fleet.toml`, always the same one.

    python tools/data/fleet.py

No real site, person or journey is in it: points drawn inside countries' outlines, a straight
crossing of the Baltic Sea, a made-up line of trees and a made-up valley.
"""

import csv
from pathlib import Path

import numpy as np
from demo import points_inside

from skyweave.twin.terminals import great_circle_track, write_track

TARGET = Path(__file__).parents[2] / "scenarios" / "fleet"
COLUMNS = (
    "id", "name", "lat_deg", "lon_deg", "height_wgs84_m", "class", "service_class", "account",
    "sponsor", "operator", "obstruction", "horizon", "track", "track_start",
)  # fmt: skip
# Countries as Natural Earth names them, with how many sites each.
SITES = {"DEU": 20, "POL": 18, "CZE": 12, "AUT": 12, "CHE": 10, "ROU": 18, "FIN": 10, "ITA": 12}
REGISTRIES = 14  # sites that hold records, whose traffic may come down in one country only
SECOND_DISHES = 10  # sites with a dish of another operator beside the first
SHADED, IN_VALLEYS = 8, 8
SPONSORS = ("Alpine Health Fund", "Open Networks", "Rural Care Union")


def fleet() -> list[dict[str, object]]:
    rng = np.random.default_rng(20260614)
    places = [
        place for country, n in SITES.items() for place in points_inside(country, 0.1, n, rng)
    ]
    rows = [clinic(number, place, rng) for number, place in enumerate(places, start=1)]
    chosen = rng.permutation(len(rows))
    for row in chosen[:REGISTRIES]:
        rows[row] |= {"class": "registry"}
    for row in chosen[REGISTRIES : REGISTRIES + SHADED]:
        rows[row] |= {"obstruction": "tree-line.csv"}
    for row in chosen[-IN_VALLEYS:]:
        rows[row] |= {"horizon": "valley.csv"}
    second = [second_dish(rows[row]) for row in sorted(chosen[:SECOND_DISHES])]
    ship = {
        "id": "supply-ship", "name": "Supply ship", "class": "flat", "service_class": "priority",
        "account": "open-clinics", "sponsor": SPONSORS[1], "operator": "starlink",
        "track": "supply-ship.csv", "track_start": "scenario",
    }  # fmt: skip
    return [*rows, *second, ship]


def clinic(number: int, place: tuple[float, float], rng: np.random.Generator) -> dict[str, object]:
    service = "lifeline" if number % 9 == 0 else "priority" if number % 4 == 0 else "standard"
    return {
        "id": f"clinic-{number:03}", "name": f"Clinic {number}",
        "lat_deg": place[0], "lon_deg": place[1], "height_wgs84_m": int(rng.integers(50, 900)),
        "class": "standard", "service_class": service, "account": "open-clinics",
        "sponsor": SPONSORS[rng.integers(len(SPONSORS))], "operator": "starlink",
    }  # fmt: skip


def second_dish(first: dict[str, object]) -> dict[str, object]:
    own = {"id": f"{first['id']}-b", "name": f"{first['name']}, second dish"}
    return {**first, **own, "class": "oneweb-flat", "operator": "oneweb"}


def write_table(name: str, columns: tuple[str, ...], rows: list[dict[str, object]]) -> None:
    with (TARGET / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    TARGET.mkdir(exist_ok=True)
    write_table("fleet.csv", COLUMNS, fleet())
    crossing = great_circle_track(
        (54.40, 10.25), (56.20, 17.60), np.datetime64("2026-06-14T12:00:12"), 9.0, 15.0, 60.0
    )
    write_track(crossing, TARGET / "supply-ship.csv")
    trees = [(280, 25), (310, 55), (340, 68), (10, 72), (40, 66), (70, 50), (95, 25)]
    polygon = [{"polygon": "trees", "azimuth_deg": a, "elevation_deg": e} for a, e in trees]
    write_table("tree-line.csv", ("polygon", "azimuth_deg", "elevation_deg"), polygon)
    skyline = [(0, 20), (45, 45), (90, 52), (135, 45), (180, 25), (225, 45), (270, 52), (315, 45)]
    horizon = [{"azimuth_deg": a, "elevation_deg": e} for a, e in skyline]
    write_table("valley.csv", ("azimuth_deg", "elevation_deg"), horizon)


if __name__ == "__main__":
    main()
