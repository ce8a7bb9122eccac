"""Against the sky: the satellites that a real dish named while it was driven along a road.

LEOViz sample of 2025-05-29 (see the reference data's README): 46 seconds with the satellite's name,
and the vehicle's position at each second.
"""

import csv

import numpy as np

from skyweave.frames import earth_orientation, geodetic_to_itrf
from skyweave.time import instants, parse_utc
from skyweave.twin.catalogue import read_catalogue
from skyweave.twin.geometry import Mask, look_angles, visible_pairs
from skyweave.twin.orbits import propagate

STAMP = "2025-05-29-23-20-13"
MIN_ELEVATION_DEG = 25.0


def test_every_satellite_the_dish_named_is_among_our_candidates(reference_data, record_figure):
    folder = reference_data / "measurements" / "leoviz_2025-05-29"
    named = _rows(folder / f"serving_satellite_data-{STAMP}.csv")
    fixes = {
        row["timestamp"]: row for row in _rows(folder / f"processed_obstruction-data-{STAMP}.csv")
    }
    catalogue = read_catalogue(folder / f"starlink-tle-{STAMP}.txt.gz")
    start_utc = parse_utc(named[0]["Timestamp"].replace(" ", "T"))
    found, highest = 0, 0
    for row in named:
        fix = fixes.get(row["Timestamp"]) or next(iter(fixes.values()))
        utc = parse_utc(row["Timestamp"].replace(" ", "T"))
        t_s = np.array([(utc - start_utc) / np.timedelta64(1, "s")])
        sat_m = propagate(catalogue, instants(start_utc, t_s), earth_orientation()).sat_itrf_m[0]
        site = geodetic_to_itrf(*(np.array([float(fix[key])]) for key in ("lat", "lon", "alt")))
        pairs = visible_pairs(*site, sat_m, Mask.elevation(MIN_ELEVATION_DEG, 1))
        look = look_angles(*site, sat_m[pairs.sat])
        names = catalogue.name[pairs.sat].tolist()
        found += row["Connected_Satellite"] in names
        highest += names[int(look.elevation_deg[0].argmax())] == row["Connected_Satellite"]
        # The published distance was computed from the same elements; it checks our whole chain.
        ours_m = look.range_m[0, names.index(row["Connected_Satellite"])]
        assert abs(ours_m - 1000.0 * float(row["Distance"])) < 20.0
    record_figure("LEOViz: named satellite among our candidates", found / len(named), "share", "1")
    assert found == len(named)
    assert highest < len(named)  # a real scheduler does not pick the highest


def _rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
