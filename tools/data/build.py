"""Rebuild the data files shipped in src/skyweave/data from the reference data folder.

    SKYWEAVE_REFERENCE_DATA=FOLDER python tools/data/build.py

Only sources whose licence lets the package carry them are read; src/skyweave/data/CREDITS.md
names each. The output is deterministic: running it twice changes nothing.
"""

import csv
import gzip
import io
import json
import lzma
import os
import unicodedata
from pathlib import Path

SOURCE = Path(os.environ["SKYWEAVE_REFERENCE_DATA"])
TARGET = Path(__file__).parents[2] / "src" / "skyweave" / "data"


def read(name: str) -> bytes:
    data = (SOURCE / name).read_bytes()
    if name.endswith(".xz"):
        return lzma.decompress(data)
    return gzip.decompress(data) if name.endswith(".gz") else data


def write(name: str, data: bytes) -> None:
    packed = lzma.compress(data, preset=9) if name.endswith(".xz") else data
    (TARGET / name).write_bytes(packed)
    print(f"{name}: {len(packed):,} bytes")


def to_csv(header: list[str], rows: list[list[object]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([header, *rows])
    return text.getvalue().encode()


def gateways() -> None:
    stations = json.loads(read("gateways/starlink/ground-stations_2026-03-20.json"))["stations"]
    rows = [
        [s["name"], s["lat"], s["lon"], s["status"]] for s in stations if s["type"] == "gateway"
    ]
    write("gateways_2026-03-20.csv", to_csv(["name", "lat_deg", "lon_deg", "status"], rows))


def pops() -> None:
    """Real points of presence: those in an interconnection facility, with a DNS code."""
    listed = json.loads(read("gateways/starlink/pop_geoip_2026-04.json"))
    rows = [
        [p["code"], p["city"], p["country"], round(p["lat"], 4), round(p["lon"], 4)]
        for p in listed
        if p["code"] and p.get("type") == "netfac"
    ]
    header = ["pop_id", "city", "country_name", "lat_deg", "lon_deg"]
    write("pops_2026-04-16.csv", to_csv(header, sorted(rows)))


def boundaries() -> None:
    for name in ("ne_50m_admin_0_countries", "ne_50m_admin_0_boundary_lines_disputed_areas"):
        layer = json.loads(read(f"boundaries/natural-earth/{name}.geojson.xz"))
        for feature in layer["features"]:
            kept = ("NAME", "ISO_A2", "ISO_A2_EH", "ADM0_A3", "FEATURECLA")
            properties = {k.upper(): v for k, v in feature["properties"].items()}
            feature["properties"] = {k: properties[k] for k in kept if k in properties}
        write(f"{name}.geojson.xz", json.dumps(layer, separators=(",", ":")).encode())


def folded(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    return plain.casefold().strip()


def cities() -> None:
    listed = json.loads(read("cities/geonames_cities15000.json.xz")).values()
    rows = []
    for city in sorted(listed, key=lambda c: (-c["population"], c["geonameid"])):
        others = {folded(a) for a in city["alternatenames"] if a.isascii() or len(folded(a)) > 2}
        others -= {folded(city["name"]), ""}
        row = [city[k] for k in ("geonameid", "name", "countrycode", "latitude", "longitude")]
        rows.append([*row, city["population"], "|".join(sorted(others))])
    header = ["geonameid", "name", "country", "lat_deg", "lon_deg", "population", "aliases"]
    write("cities15000.csv.xz", to_csv(header, rows))


def earth_orientation() -> None:
    """Modified Julian date, UT1-UTC and the pole; trailing days without a value are left out."""
    rows = []
    for line in read("eop/finals2000A.all.xz").decode().splitlines():
        mjd, pole_x, pole_y, ut1 = line[7:15], line[18:27], line[37:46], line[58:68]
        if pole_x.strip() and pole_y.strip() and ut1.strip():
            rows.append([int(float(mjd)), pole_x.strip(), pole_y.strip(), ut1.strip()])
    header = ["mjd_utc", "pole_x_arcsec", "pole_y_arcsec", "ut1_minus_utc_s"]
    write("earth_orientation.csv.xz", to_csv(header, rows))
    write("leap_seconds.dat", read("eop/Leap_Second.dat"))


def main() -> None:
    catalogue = read("tle/2026-06-14/active.tle.xz").replace(b"\r\n", b"\n")
    write("active_2026-06-14.tle.xz", catalogue)
    write("filed_shells.csv", read("constellations/fcc_filing_shells.csv"))
    write(
        "hypatia_cities.csv", read("oracles/hypatia_kuiper_630/ground_stations_top_100.basic.txt")
    )
    gateways()
    pops()
    boundaries()
    cities()
    earth_orientation()


if __name__ == "__main__":
    main()
