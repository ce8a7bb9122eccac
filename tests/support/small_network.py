"""A small European network with eight terminals, and what it gives with and without failures."""

import csv

import pandas as pd
import pyarrow.parquet as pq

from skyweave.twin.execution import run_slots
from skyweave.twin.results.tables import AccessWriter
from skyweave.twin.run import run_labels
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system

SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 72, "per_plane": 22, "phasing": 39}
GATEWAYS = {  # name: latitude, longitude, degrees, and country
    "aachen": (50.8, 6.1, "DE"), "usingen": (50.3, 8.5, "DE"), "turin": (45.1, 7.7, "IT"),
    "fano": (43.8, 13.0, "IT"), "wola": (51.9, 20.9, "PL"), "lepe": (37.4, -6.9, "ES"),
}  # fmt: skip
POPS = {"frankfurt": (50.1, 8.7, "DE"), "milan": (45.5, 9.2, "IT"), "madrid": (40.4, -3.7, "ES")}
PLACES = {
    "berlin": (52.5, 13.4), "rome": (41.9, 12.5), "lisbon": (38.7, -9.1), "oslo": (59.9, 10.7),
    "kyiv": (50.4, 30.5), "algiers": (36.8, 3.1), "keflavik": (64.0, -22.6), "suva": (-18.1, 178.4),
}  # fmt: skip
COLUMNS = ["state", "norad_id", "gateway_id", "pop_id", "isl_hops", "rtt_s"]


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def content(folder, gateways=GATEWAYS, pops=POPS, antennas=4, **sections):
    write(folder / "gateways.csv", ["name", "lat_deg", "lon_deg", "country"],
          [[name, *place] for name, place in gateways.items()])  # fmt: skip
    write(folder / "pops.csv", ["pop_id", "city", "country", "lat_deg", "lon_deg"],
          [[k, k, country, lat, lon] for k, (lat, lon, country) in pops.items()])  # fmt: skip
    return {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 300},
        "shells": [SHELL],
        "isl": {"plan": "none"},
        "assignment": {"rule": "shortest-path"},
        "gateways": {"source": "gateways.csv", "pops": "pops.csv", "antennas": antennas},
        "terminals": [{"id": k, "lat_deg": x, "lon_deg": y} for k, (x, y) in PLACES.items()],
        **sections,
    }  # fmt: skip


def system_in(folder, without=(), **changes):
    return build_system(build_scenario(content(folder, **changes), "failures", folder), without)


def access_of(system, folder):
    """Return what is, and what would be without the failures, as tables of accesses."""
    computed, tables = list(run_slots(system)), []
    for which in (0, 1):
        with AccessWriter(folder, run_labels(system)) as writer:
            for chunks in computed:
                writer.write(chunks[which] or chunks[0])
            writer.finish()
        tables.append(pq.read_table(folder / "access.parquet").to_pandas())
    return tables


def lacking(names, *gone):
    return {name: place for name, place in names.items() if name not in gone}


def assert_same_service(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        found[COLUMNS].astype(object), expected[COLUMNS].astype(object), check_exact=True
    )


def two_operators(folder):
    """Return a scenario of two operators, and the tables that are each one's own."""
    base = content(folder)
    own = {key: base.pop(key) for key in ("shells", "gateways")}
    ground = own["gateways"] | {"antennas": 2}
    for key in ("source", "pops"):  # the same places in another order: rows count through both
        header, *rows = (folder / ground[key]).read_text().splitlines()
        ground[key] = f"west-{ground[key]}"
        (folder / ground[key]).write_text("\n".join([header, *reversed(rows)]))
    other = {
        "shells": [SHELL | {"planes": 80, "phasing": 17}],
        "gateways": ground,
        "visibility": {"min_elevation_deg": 35},
        "delay": {"processing_s": 0.02},
    }
    terminals = [
        each | {"id": f"{each['id']}-{name}", "operator": name}
        for each in base["terminals"]
        for name in ("east", "west")
    ]
    operators = [{"name": "east", **own}, {"name": "west", **other}]
    return {**base, "operators": operators, "terminals": terminals}, own, other
