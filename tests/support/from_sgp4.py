"""A catalogue read by the `sgp4` library, so that orbit tests do not lean on our own readers."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from sgp4.api import Satrec

from skyweave.twin.catalogue.elements import Catalogue

_DAY_NS = 86_400_000_000_000
DEG = np.pi / 180.0


def element_lines(text: str) -> list[tuple[str, str]]:
    """Return the (line 1, line 2) pairs of a TLE or 3LE text, cut to their 69 columns."""
    lines = [line.rstrip() for line in text.splitlines()]
    return [
        (first[:69], second[:69])
        for first, second in pairwise(lines)
        if first.startswith("1 ") and second.startswith("2 ")
    ]


def satellites_of(pairs: Sequence[tuple[str, str]]) -> list[Satrec]:
    """Return the library's own satellites."""
    return [Satrec.twoline2rv(first, second) for first, second in pairs]


def catalogue_of(satellites: Sequence[Satrec]) -> Catalogue:
    """Return the same satellites as a catalogue, one row each."""

    def column(name: str) -> np.ndarray:
        return np.array([getattr(s, name) for s in satellites], dtype=np.float64)

    count = len(satellites)
    nowhere = np.full(count, -1, dtype=np.int64)
    return Catalogue(
        name=np.array([s.satnum_str for s in satellites], dtype=np.str_),
        norad_id=np.array([s.satnum for s in satellites], dtype=np.int64),
        cospar_id=np.full(count, "", dtype=np.str_),
        epoch_utc=_epochs(column("jdsatepoch"), column("jdsatepochF")),
        mean_motion_rev_day=column("no_kozai") * (1440.0 / (2.0 * np.pi)),
        eccentricity=column("ecco"),
        inclination_deg=np.degrees(column("inclo")),
        raan_deg=np.degrees(column("nodeo")),
        argp_deg=np.degrees(column("argpo")),
        mean_anomaly_deg=np.degrees(column("mo")),
        bstar_per_radius=column("bstar"),
        mean_motion_dot_rev_day2=column("ndot") * (1440.0**2 / (2.0 * np.pi)),
        grid_shell=nowhere,
        grid_plane=nowhere,
        grid_slot=nowhere,
    )


def _epochs(jd: np.ndarray, fraction: np.ndarray) -> np.ndarray:
    """Return datetime64[ns]; a TLE's epoch has eight decimals of a day, a whole number of ns."""
    days = np.round(jd - 2440587.5).astype(np.int64)
    ns = np.round(fraction * 1e8).astype(np.int64) * (_DAY_NS // 10**8)
    return (days * _DAY_NS + ns).astype("datetime64[ns]")


def assert_equals_library(catalogue: Catalogue, satellites: Sequence[Satrec]) -> None:
    """Compare every element with what the library holds, bit for bit."""

    def theirs(attribute: str) -> np.ndarray:
        return np.array([getattr(satellite, attribute) for satellite in satellites])

    np.testing.assert_array_equal(catalogue.norad_id, theirs("satnum"))
    np.testing.assert_array_equal(catalogue.eccentricity, theirs("ecco"))
    np.testing.assert_array_equal(catalogue.bstar_per_radius, theirs("bstar"))
    np.testing.assert_array_equal(catalogue.inclination_deg * DEG, theirs("inclo"))
    np.testing.assert_array_equal(catalogue.raan_deg * DEG, theirs("nodeo"))
    np.testing.assert_array_equal(catalogue.argp_deg * DEG, theirs("argpo"))
    np.testing.assert_array_equal(catalogue.mean_anomaly_deg * DEG, theirs("mo"))
    np.testing.assert_array_equal(catalogue.mean_motion_rev_day / 720.0 * np.pi, theirs("no_kozai"))
    ndot = catalogue.mean_motion_dot_rev_day2 / (1036800.0 / np.pi)
    np.testing.assert_array_equal(ndot, theirs("ndot"))
