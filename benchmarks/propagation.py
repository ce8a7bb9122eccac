"""Propagate 10,000 real near-Earth satellites to 240 epochs: our kernels against `sgp4`.

Position and velocity in TEME, freshly allocated by both, on two threads (the library uses one).
Run: python benchmarks/propagation.py (a file called sgp4.py would hide the library)
"""

import os
import sys

THREADS = 2
os.environ.setdefault("NUMBA_NUM_THREADS", str(THREADS))

import numpy as np  # noqa: E402
from common import interleaved, verdict  # noqa: E402
from sgp4.api import WGS72, Satrec, SatrecArray  # noqa: E402

from skyweave.time import TimeGrid  # noqa: E402
from skyweave.twin.catalogue import read_catalogue  # noqa: E402
from skyweave.twin.catalogue.elements import Catalogue  # noqa: E402
from skyweave.twin.orbits import initialise, propagate_teme  # noqa: E402
from skyweave.twin.orbits.records import DEEP_SPACE  # noqa: E402

SATELLITES, EPOCHS, STEP_S = 10_000, 240, 15.0
FLOOR, AIM = 15.0, 35.0
ROUNDS = 7
ONE_MILLIMETRE_M = 1e-3


def library_satellites(catalogue: Catalogue) -> SatrecArray:
    """Return the same satellites for the library."""
    satellites = []
    epoch_days = (catalogue.epoch_utc - np.datetime64("1949-12-31", "ns")) / np.timedelta64(1, "D")
    columns = (
        np.round(epoch_days, 8),  # as many decimals as a TLE has; the library then splits it well
        catalogue.bstar_per_radius,
        catalogue.eccentricity,
        np.radians(catalogue.argp_deg),
        np.radians(catalogue.inclination_deg),
        np.radians(catalogue.mean_anomaly_deg),
        catalogue.mean_motion_rev_day * (2.0 * np.pi / 1440.0),
        np.radians(catalogue.raan_deg),
    )
    for days, bstar, *elements in zip(*(c.tolist() for c in columns), strict=True):
        satellites.append(Satrec())
        satellites[-1].sgp4init(WGS72, "i", 0, days, bstar, 0.0, 0.0, *elements)
    return SatrecArray(satellites)


def main() -> int:
    catalogue = read_catalogue("builtin:2026-06-14")
    catalogue = catalogue.take(initialise(catalogue).method != DEEP_SPACE)
    catalogue = catalogue.take(np.arange(SATELLITES))
    records = initialise(catalogue)
    library = library_satellites(catalogue)
    start_utc = np.datetime64("2026-06-14T12:00:12", "ns")
    grid = TimeGrid(start_utc, np.arange(EPOCHS) * STEP_S)
    julian_day = np.full(EPOCHS, 2461205.5)
    fraction = (12 * 3600 + 12 + grid.t_s) / 86400.0

    expected = library.sgp4(julian_day, fraction)[1].transpose(1, 0, 2) * 1e3
    position, _, error = propagate_teme(catalogue, grid, records=records)
    apart_m = np.linalg.norm(position - expected, axis=-1)[error == 0].max()
    if not apart_m < ONE_MILLIMETRE_M:
        print(f"our positions are {apart_m:.3g} m from the library's: no use in timing them")
        return 1
    del expected, position

    seconds = interleaved(
        {
            "sgp4 SatrecArray": lambda: library.sgp4(julian_day, fraction),
            "skyweave": lambda: propagate_teme(catalogue, grid, records=records),
            "skyweave, elements too": lambda: propagate_teme(catalogue, grid),
        },
        ROUNDS,
    )
    print(f"{SATELLITES} satellites x {EPOCHS} epochs, position and velocity, {THREADS} threads")
    for name, time_s in seconds.items():
        print(f"  {name:24s}{time_s:8.3f} s  {SATELLITES * EPOCHS / time_s / 1e6:6.1f} M/s")
    print(f"  largest difference      {apart_m * 1e6:8.1f} um")
    return verdict("SGP4", seconds["sgp4 SatrecArray"] / seconds["skyweave"], FLOOR, AIM)


if __name__ == "__main__":
    sys.exit(main())
