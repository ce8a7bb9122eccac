"""Write the packaged scenarios hypatia/*.toml: published workloads with the 100 cities.

SKYWEAVE_REFERENCE_DATA=FOLDER python tools/data/hypatia_scenarios.py
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path

ORACLES = "oracles/hypatia_kuiper_630"
SITES = f"{ORACLES}/ground_stations_top_100.basic.txt"
RTTS = "networkx_rtt_1173_to_1241.txt.gz"
TARGET = Path(__file__).parents[2] / "src" / "skyweave" / "data"

# name, km of the range formula, its elevation, rev/day, inclination, planes, satellites each
SHELLS = (
    ("kuiper-630", 630, 30.0, 14.80, 51.9, 34, 34),
    ("kuiper-610", 610, 30.0, 14.86, 42.0, 36, 36),
    ("starlink-550", 550, 25.0, 15.19, 53.0, 72, 22),
    ("telesat-1015", 1015, 10.0, 13.66, 98.98, 27, 13),
)

WORKLOAD = "Hypatia's workload {name} (Kassing et al., IMC 2020), for reproducing its figures."
ORIGINS = {
    "kuiper-610": """\
Kuiper's second shell as Hypatia draws it (satviz, snkas/hypatia at 0ac531c); its paper runs only
# the first.  Beware: Hypatia's own texts call that first shell, at 630 km, "Kuiper-610" too.""",
}
NOTES = {
    "telesat-1015": """\
# So long a range reaches satellites far below the horizon (a true 10 degrees end at 2,792 km): the
# published Telesat figures need it, and none of them is physics.
""",
}

TEXT = """\
# {origin}
# Its visibility is a range, not an elevation: {range_m:.3f} m is the paper's cone formula for
# {altitude} km and {elevation:g} degrees.  Its Earth has neither UT1 nor polar motion, its shell is
# no Walker pattern, and its {mean_motion} revolutions a day put the satellites near {flown} km.
{note}title = "Hypatia {name}"

# The 100 most populous cities, at the exact coordinates of the paper's site file (MIT licence,
# copyright (c) 2020 ETH Zurich; the notice is in CREDITS.md of the data).
sites = [
{sites}
]

[time]
start_utc = 2000-01-01T00:00:00Z
duration_s = 200
slot_s = 1

[earth]
orientation = "none"

[visibility]
mode = "range"
max_range_m = {range_m:.6f}

[isl]
plan = "plus-grid"

[delay]
processing_s = 0.0
include_fibre = false

[[shells]]
pattern = "hypatia"
mean_motion_rev_day = {mean_motion}
inclination_deg = {inclination}
planes = {planes}
per_plane = {slots}
"""


def sites(reference: Path) -> str:
    lines = (reference / SITES).read_text(encoding="utf-8").split()
    rows = []
    for line in lines:
        _, name, lat, lon, height = line.split(",")
        place = f"lat_deg = {float(lat)}, lon_deg = {float(lon)}, height_wgs84_m = {float(height)}"
        rows.append(f'    {{ name = "{name}", {place} }},')
    return "\n".join(rows)


def max_range_m(name: str, altitude_km: int, elevation_deg: float) -> float:
    """Hypatia's flat cone; its Starlink file computes the cone's radius for 25 degrees first."""
    cone_km = altitude_km / math.tan(math.radians(elevation_deg))
    if name.startswith("starlink"):
        cone_km = 940.7  # the constant of its main_starlink_550.py
    return 1000.0 * math.hypot(cone_km, altitude_km)


def built_files(reference: Path) -> Iterator[tuple[str, bytes]]:
    """Yield each file's name, as in the folder of data, and its content."""
    yield f"hypatia/{RTTS}", (reference / ORACLES / RTTS).read_bytes()
    cities = sites(reference)
    for name, altitude, elevation, mean_motion, inclination, planes, slots in SHELLS:
        seconds = 86400.0 / mean_motion
        flown = (398600.8 * (seconds / (2 * math.pi)) ** 2) ** (1 / 3) - 6378.135
        text = TEXT.format(
            name=name,
            origin=ORIGINS.get(name, WORKLOAD.format(name=name)),
            note=NOTES.get(name, ""),
            altitude=altitude,
            elevation=elevation,
            mean_motion=mean_motion,
            inclination=inclination,
            planes=planes,
            slots=slots,
            flown=round(flown),
            range_m=max_range_m(name, altitude, elevation),
            sites=cities,
        )
        yield f"hypatia/{name}.toml", text.encode()


def main() -> None:
    for name, content in built_files(Path(os.environ["SKYWEAVE_REFERENCE_DATA"])):
        (TARGET / name).write_bytes(content)


if __name__ == "__main__":
    main()
