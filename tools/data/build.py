"""Rebuild the data files shipped in src/skyweave/data from the reference data folder.

    SKYWEAVE_REFERENCE_DATA=FOLDER python tools/data/build.py

Only sources whose licence lets the package carry them are read; src/skyweave/data/CREDITS.md
names each.  The output is deterministic: running it twice changes nothing.  The invented files of
src/skyweave/data/demo are made by demo.py.
"""

import csv
import gzip
import io
import json
import lzma
import os
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from skyweave.frames import great_circle_m
from skyweave.places import country_at, make_slug
from skyweave.places.cities import all_cities
from skyweave.places.folding import fold

TARGET = Path(__file__).parents[2] / "src" / "skyweave" / "data"
LEASES_AND_ZONES = ("Admin-0 lease", "Admin-0 overlay")  # nobody disputes these
OTHER_SCRIPT = re.compile("[\u0370-\u1dff\u2c00-\U0010ffff]")  # spares folding what is left out
DECIMALS = 4  # of a disputed area's outline: 11 m
POINTS = 14  # places that stand for a country
NEARBY_M = 100e3  # a gateway further from every town is called by its position


def built_files(source: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every shipped file made from the reference data: its name and plain content."""
    catalogue = read(source / "tle/2026-06-14/active.tle.xz").replace(b"\r\n", b"\n")
    yield "active_2026-06-14.tle.xz", catalogue
    yield "filed_shells.csv", read(source / "constellations/fcc_filing_shells.csv")
    yield "gateways_2026-03-20.csv", gateways(source)
    yield "pops_2026-04-16.csv", pops(source)
    yield "gateways_oneweb_2025-06.csv", oneweb_gateways(source)
    yield "pops_oneweb_2025-06.csv", oneweb_pops(source)
    yield "probe_associations.csv", probe_associations(source)
    yield "population_points.csv", population_points(source)
    for layer in ("ne_50m_admin_0_countries", "ne_50m_admin_0_boundary_lines_disputed_areas"):
        yield f"{layer}.geojson.xz", boundaries(source, layer)
    yield "ne_10m_admin_0_disputed_areas.geojson.xz", disputed_areas(source)
    yield "cities15000.csv.xz", cities(source)
    yield "earth_orientation.csv.xz", earth_orientation(source)
    yield "leap_seconds.dat", read(source / "eop/Leap_Second.dat")


def read(path: Path) -> bytes:
    content = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(content)
    return gzip.decompress(content) if path.suffix == ".gz" else content


def to_csv(header: list[str], rows: list[list[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return text.getvalue().encode()


def gateways(source: Path) -> bytes:
    listed = json.loads(read(source / "gateways/starlink/ground-stations_2026-03-20.json"))
    rows = [
        [s["name"], s["lat"], s["lon"], s["status"]]
        for s in listed["stations"]
        if s["type"] == "gateway"
    ]
    return to_csv(["name", "lat_deg", "lon_deg", "status"], rows)


def pops(source: Path) -> bytes:
    """Real points of presence: those in an interconnection facility, with a DNS code."""
    listed = json.loads(read(source / "gateways/starlink/pop_geoip_2026-04.json"))
    rows = [
        [p["code"], p["city"], p["country"], round(p["lat"], 4), round(p["lon"], 4)]
        for p in listed
        if p["code"] and p.get("type") == "netfac"
    ]
    return to_csv(["pop_id", "city", "country_name", "lat_deg", "lon_deg"], sorted(rows))


def oneweb_gateways(source: Path) -> bytes:
    """Nameless positions, lon,lat, called here by the nearest town."""
    rows = []
    for line in read(source / "gateways/oneweb/oneweb-snp.csv").decode().split():
        lon_deg, lat_deg = (round(float(number), 4) for number in line.split(","))
        rows.append([f"OneWeb SNP {place_name(lat_deg, lon_deg)}", lat_deg, lon_deg])
    return to_csv(["name", "lat_deg", "lon_deg"], sorted(rows))


def place_name(lat_deg: float, lon_deg: float) -> str:
    towns = all_cities()
    away_m = great_circle_m(lat_deg, lon_deg, towns.lat_deg, towns.lon_deg)
    if away_m.min() <= NEARBY_M:
        return str(towns.name[away_m.argmin()])
    north, east = "NS"[lat_deg < 0], "EW"[lon_deg < 0]
    country = country_at([lat_deg], [lon_deg])[0]
    return f"{country} {abs(lat_deg):.0f}{north} {abs(lon_deg):.0f}{east}"


def oneweb_pops(source: Path) -> bytes:
    rows = []
    for pop in json.loads(read(source / "gateways/oneweb/oneweb-pop.json")):
        position = [round(pop["lat"], 4), round(pop["lon"], 4)]
        rows.append([make_slug(f"oneweb-{pop['city']}"), pop["city"], pop["country"], *position])
    return to_csv(["pop_id", "city", "country", "lat_deg", "lon_deg"], sorted(rows))


def boundaries(source: Path, name: str) -> bytes:
    kept = ("NAME", "ISO_A2", "ADM0_A3", "FEATURECLA")
    layer = json.loads(read(source / f"boundaries/natural-earth/{name}.geojson.xz"))
    for feature in layer["features"]:
        feature["properties"] = properties(feature, kept)
    return json.dumps(layer, separators=(",", ":")).encode()


def disputed_areas(source: Path) -> bytes:
    name = "ne_10m_admin_0_disputed_areas"
    layer = json.loads(read(source / f"boundaries/natural-earth/{name}.geojson.xz"))
    features = []
    for feature in layer["features"]:
        feature["properties"] = properties(feature, ("BRK_NAME", "NOTE_BRK", "FEATURECLA"))
        feature["geometry"]["coordinates"] = rounded(feature["geometry"]["coordinates"])
        if feature["properties"]["FEATURECLA"] not in LEASES_AND_ZONES:
            features.append(feature)
    layer["features"] = features
    return json.dumps(layer, separators=(",", ":")).encode()


def properties(feature: dict, kept: tuple[str, ...]) -> dict:
    upper = {key.upper(): value for key, value in feature["properties"].items()}
    return {key: upper[key] for key in kept if key in upper}


def rounded(coordinates: list | float) -> list | float:
    if isinstance(coordinates, list):
        return [rounded(inner) for inner in coordinates]
    return round(coordinates, DECIMALS)


def cities(source: Path) -> bytes:
    """Towns of 15,000 people, largest first, with their other names in the Latin alphabet."""
    listed = json.loads(read(source / "cities/geonames_cities15000.json.xz")).values()
    rows = []
    for city in sorted(listed, key=lambda c: (-c["population"], c["geonameid"])):
        written = (name for name in city["alternatenames"] if not OTHER_SCRIPT.search(name))
        others = {fold(name) for name in written} - {fold(city["name"])}
        latin = sorted(name for name in others if name.isascii() and len(name) > 2)
        row = [city[k] for k in ("geonameid", "name", "countrycode", "latitude", "longitude")]
        rows.append([*row, city["population"], "|".join(latin)])
    header = ["geonameid", "name", "country", "lat_deg", "lon_deg", "population", "aliases"]
    return to_csv(header, rows)


def probe_associations(source: Path) -> bytes:
    """Probes by PoP and by the country they stand in."""
    name = "gateways/starlink/ripe_atlas_probe_pop_country_counts.csv"
    rows = csv.DictReader(io.StringIO(read(source / name).decode()))
    listed = [[r["pop_code"], r["country_iso2"], r["connected_probes"]] for r in rows]
    return to_csv(["pop_id", "country", "probes"], sorted(listed))


def population_points(source: Path) -> bytes:
    """Of each country's towns those that hold the middle of each fourteenth of their people."""
    towns = json.loads(read(source / "cities/geonames_cities5000.json.xz")).values()
    by_country: dict[str, list[dict]] = {}
    for town in sorted(towns, key=lambda t: (-t["population"], t["geonameid"])):
        by_country.setdefault(town["countrycode"], []).append(town)
    countries = json.loads(read(source / "cities/geonames_countries.json.gz"))
    rows = []
    for code in sorted(by_country):
        of_it = by_country[code]
        people = np.cumsum([max(town["population"], 1) for town in of_it])  # 0 is unknown
        middles = (np.arange(POINTS) + 0.5) / POINTS * people[-1]
        chosen, points = np.unique(np.searchsorted(people, middles), return_counts=True)
        for town, count in zip(chosen.tolist(), points.tolist(), strict=True):
            position = [round(of_it[town][key], DECIMALS) for key in ("latitude", "longitude")]
            rows.append([code, countries[code]["iso3"], *position, count])
    return to_csv(["country", "iso_a3", "lat_deg", "lon_deg", "points"], rows)


def earth_orientation(source: Path) -> bytes:
    """Modified Julian date, UT1-UTC and the pole; trailing days without a value are left out."""
    rows = []
    for line in read(source / "eop/finals2000A.all.xz").decode().splitlines():
        mjd, pole_x, pole_y, ut1 = line[7:15], line[18:27], line[37:46], line[58:68]
        if pole_x.strip() and pole_y.strip() and ut1.strip():
            rows.append([int(float(mjd)), pole_x.strip(), pole_y.strip(), ut1.strip()])
    return to_csv(["mjd_utc", "pole_x_arcsec", "pole_y_arcsec", "ut1_minus_utc_s"], rows)


def main() -> None:
    for name, content in built_files(Path(os.environ["SKYWEAVE_REFERENCE_DATA"])):
        packed = lzma.compress(content, preset=9) if name.endswith(".xz") else content
        (TARGET / name).write_bytes(packed)
        print(f"{name}: {len(packed):,} bytes")


if __name__ == "__main__":
    main()
