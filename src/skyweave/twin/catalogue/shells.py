"""Synthetic shells: Walker's patterns, Hypatia's, and as presets the filed and Hypatia's own.

Satellites are numbered plane by plane: row = plane * per_plane + slot.  All orbits are circular
and without drag.
"""

import csv
import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS84_A_M
from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.twin.catalogue.altitude import mean_motion_rev_day
from skyweave.twin.catalogue.elements import Catalogue, concatenate

IntArray = NDArray[np.int64]

HYPATIA_EPOCH_UTC = np.datetime64("2000-01-01T00:00:00", "ns")
HYPATIA_ECCENTRICITY = 1e-7  # the smallest its TLE writer can print
MAX_SATELLITES = 1_000_000
LOWEST_M, HIGHEST_M = 120e3, 100_000e3

# Phasing of Starlink's first shell, 53:1584/72/39, as estimated by Stock et al., "DisCoRoute".
PUBLISHED_PHASING = {"G1-1": 39}
PRESETS = {  # combined presets: the filed shells they are made of
    "starlink-gen1": ("G1-1", "G1-2", "G1-3", "G1-4a", "G1-4b"),
    "starlink-initial": ("S1-initial", "S2-initial", "S3-initial", "S4-initial", "S5-initial"),
    "starlink-gen2": tuple(f"G2-{n}" for n in range(1, 10)),
    "kuiper": ("K1", "K2", "K3"),
    "oneweb-phase1": ("OW1",),
    "oneweb-phase2": ("OW2-a", "OW2-b", "OW2-c"),
    "telesat-phase1": ("T1-polar", "T1-inclined"),
    "telesat-phase2": ("T2-polar", "T2-inclined"),
    "iridium": ("I1",),
}
# rev/day, inclination, planes, satellites each: satgenpy's inputs in snkas/hypatia at 0ac531c,
# paper/satellite_networks_state/main_*.py; Kuiper's second shell, for which there is no such file,
# from satviz/scripts/visualize_constellation.py.
HYPATIA_SHELLS = {
    "hypatia-starlink-550": (15.19, 53.0, 72, 22),
    "hypatia-kuiper-630": (14.80, 51.9, 34, 34),
    "hypatia-kuiper-610": (14.86, 42.0, 36, 36),
    "hypatia-telesat-1015": (13.66, 98.98, 27, 13),
}
_STAR_DEG = (85.0, 90.0)  # filed shells of these inclinations spread their nodes over 180 deg


@dataclass(frozen=True)
class FiledShell:
    """One shell as an operator filed it."""

    operator: str
    system: str
    shell: str
    altitude_m: float
    inclination_deg: float
    planes: int
    per_plane: int
    min_elevation_deg: float
    status: str
    source: str

    @property
    def satellites(self) -> int:
        return self.planes * self.per_plane

    @property
    def node_spread_deg(self) -> float:
        """Over how much of the equator the ascending nodes are spread: 180 in a Walker star."""
        return 180.0 if _STAR_DEG[0] <= self.inclination_deg <= _STAR_DEG[1] else 360.0

    @property
    def phasing(self) -> int:
        """The published Walker phasing, or else the one that keeps satellites furthest apart."""
        return PUBLISHED_PHASING.get(self.shell) or widest_phasing(
            self.altitude_m,
            self.inclination_deg,
            self.planes,
            self.per_plane,
            node_spread_deg=self.node_spread_deg,
        )


def walker_delta(
    altitude_m: float,
    inclination_deg: float,
    planes: int,
    per_plane: int,
    phasing: int,
    epoch_utc: np.datetime64,
    name: str = "WALKER",
    grid_shell: int = 0,
    raan_offset_deg: float = 0.0,
) -> Catalogue:
    """Return the Walker delta pattern i:T/P/F, T = planes * per_plane, F = phasing.

    Nodes are 360/P deg apart, satellites of a plane P * 360/T, and each plane is ahead of the one
    before by F * 360/T.  `altitude_m` is the mean semi-major axis less the equatorial radius.
    """
    pattern = _Pattern(altitude_m, inclination_deg, planes, per_plane, phasing, 360.0)
    return _walker(pattern, epoch_utc, name, grid_shell, raan_offset_deg)


def walker_star(
    altitude_m: float,
    inclination_deg: float,
    planes: int,
    per_plane: int,
    phasing: int,
    epoch_utc: np.datetime64,
    name: str = "WALKER",
    grid_shell: int = 0,
    raan_offset_deg: float = 0.0,
) -> Catalogue:
    """Return the Walker star pattern: as `walker_delta`, with the nodes 180/P deg apart."""
    pattern = _Pattern(altitude_m, inclination_deg, planes, per_plane, phasing, 180.0)
    return _walker(pattern, epoch_utc, name, grid_shell, raan_offset_deg)


@dataclass(frozen=True)
class _Pattern:
    altitude_m: float
    inclination_deg: float
    planes: int
    per_plane: int
    phasing: int
    node_spread_deg: float

    def __post_init__(self) -> None:
        if not LOWEST_M <= self.altitude_m <= HIGHEST_M:
            raise InputError(
                f"shell: altitude_m = {self.altitude_m:g} is outside {LOWEST_M:g} to "
                f"{HIGHEST_M:g}; give metres above the equatorial radius"
            )
        _check_grid(self.inclination_deg, self.planes, self.per_plane)
        if not 0 <= self.phasing < self.planes:
            raise InputError(
                f"shell: phasing = {self.phasing} is outside 0 to planes - 1 = {self.planes - 1}"
            )


def _check_grid(inclination_deg: float, planes: int, per_plane: int) -> None:
    if not 0.0 <= inclination_deg <= 180.0:
        raise InputError(f"shell: inclination_deg = {inclination_deg:g} is outside 0 to 180")
    if planes < 1 or per_plane < 1 or planes * per_plane > MAX_SATELLITES:
        raise InputError(
            f"shell: planes = {planes} of per_plane = {per_plane} satellites, expected at least 1 "
            f"each and at most {MAX_SATELLITES} satellites"
        )


def _walker(
    pattern: _Pattern, epoch_utc: np.datetime64, name: str, grid_shell: int, raan_offset_deg: float
) -> Catalogue:
    plane, slot = _grid(pattern.planes, pattern.per_plane)
    total = pattern.planes * pattern.per_plane
    # Whole numbers of 1/T turns first: the phase of any satellite is then rounded only once.
    turns = (slot * pattern.planes + plane * pattern.phasing) % total
    return _circular(
        mean_motion_rev_day(pattern.altitude_m, pattern.inclination_deg),
        pattern.inclination_deg,
        raan_deg=(raan_offset_deg + plane * (pattern.node_spread_deg / pattern.planes)) % 360.0,
        phase_deg=turns * (360.0 / total),
        grid=(np.full(total, grid_shell), plane, slot),
        epoch_utc=epoch_utc,
        name=name,
    )


def hypatia_shell(
    mean_motion_rev_day: float,
    inclination_deg: float,
    planes: int,
    per_plane: int,
    epoch_utc: np.datetime64 = HYPATIA_EPOCH_UTC,
    name: str = "HYPATIA",
    grid_shell: int = 0,
    phase_shift: bool = True,
) -> Catalogue:
    """Return a shell as Hypatia's satgenpy makes it, which is no Walker pattern.

    Nodes are 360/P deg apart and odd planes are shifted by half a slot (`phase_shift`).  The mean
    motion is given as such: its "Starlink 550 km" shell makes 15.19 rev/day and flies at 509 km.
    Angles have the 4 decimals of the TLE files that Hypatia propagates.
    """
    _check_grid(inclination_deg, planes, per_plane)
    if not 0.0 < mean_motion_rev_day <= 17.0:
        raise InputError(
            f"shell: mean_motion_rev_day = {mean_motion_rev_day:g} is outside 0 to 17 rev/day"
        )
    plane, slot = _grid(planes, per_plane)
    shift = np.where(phase_shift & (plane % 2 == 1), 0.5, 0.0)
    shell = _circular(
        mean_motion_rev_day,
        inclination_deg,
        raan_deg=np.round(plane * (360.0 / planes), 4),
        phase_deg=np.round((slot + shift) * (360.0 / per_plane), 4),
        grid=(np.full(plane.size, grid_shell), plane, slot),
        epoch_utc=epoch_utc,
        name=name,
    )
    return replace(shell, eccentricity=np.full(len(shell), HYPATIA_ECCENTRICITY))


def _grid(planes: int, per_plane: int) -> tuple[IntArray, IntArray]:
    plane, slot = np.divmod(np.arange(planes * per_plane, dtype=np.int64), per_plane)
    return plane, slot


def _circular(
    mean_motion_rev_day: float,
    inclination_deg: float,
    raan_deg: NDArray[np.floating[Any]],
    phase_deg: NDArray[np.floating[Any]],
    grid: tuple[IntArray, IntArray, IntArray],
    epoch_utc: np.datetime64,
    name: str,
) -> Catalogue:
    count = raan_deg.size
    shell, plane, slot = grid
    names = [f"{name} {p}-{s}" for p, s in zip(plane.tolist(), slot.tolist(), strict=True)]
    return Catalogue(
        name=np.array(names, dtype=np.str_),
        norad_id=np.arange(count, dtype=np.int64),
        cospar_id=np.zeros(count, dtype="U1"),
        epoch_utc=np.full(count, epoch_utc, dtype="datetime64[ns]"),
        mean_motion_rev_day=np.full(count, mean_motion_rev_day),
        eccentricity=np.zeros(count),
        inclination_deg=np.full(count, float(inclination_deg)),
        raan_deg=raan_deg.astype(np.float64),
        argp_deg=np.zeros(count),
        mean_anomaly_deg=phase_deg.astype(np.float64),
        bstar_per_radius=np.zeros(count),
        mean_motion_dot_rev_day2=np.zeros(count),
        grid_shell=shell.astype(np.int64),
        grid_plane=plane,
        grid_slot=slot,
    )


def combine_shells(shells: Sequence[Catalogue]) -> Catalogue:
    """Return synthetic shells as one catalogue, numbered anew: shells 0, 1, … and rows in order.

    A preset may itself hold several shells, which stay apart.
    """
    numbered, shells_before = [], 0
    for part in shells:
        old, number = np.unique(part.grid_shell, return_inverse=True)
        numbered.append(replace(part, grid_shell=number + shells_before))
        shells_before += old.size
    whole = concatenate(numbered)
    return replace(whole, norad_id=np.arange(len(whole), dtype=np.int64))


def filed_shell(preset: str, epoch_utc: np.datetime64) -> Catalogue:
    """Return a filed shell such as "G1-1", several as one such as "starlink-gen1", or Hypatia's.

    Hypatia's own ("hypatia-kuiper-630", for short "kuiper-630") are no Walker patterns and keep
    its epoch, the first moment of 2000, whatever `epoch_utc` is.

    Filings fix no phasing here, and a careless one makes satellites collide (for 72 x 22 at half a
    slot they meet at 0 km): the published value is taken where there is one, else the one that
    keeps satellites furthest apart.  Shells of one altitude and inclination are turned against
    each other so that their planes interleave.
    """
    names = _shell_names(preset)
    if names[0] in HYPATIA_SHELLS:
        return hypatia_shell(*HYPATIA_SHELLS[names[0]], name=names[0].upper())
    shells = [_filed(name) for name in names]
    return combine_shells(
        [_built(shell, _turn_deg(shell, shells[:n]), epoch_utc) for n, shell in enumerate(shells)]
    )


def _built(filed: FiledShell, raan_offset_deg: float, epoch_utc: np.datetime64) -> Catalogue:
    pattern = _Pattern(
        filed.altitude_m,
        filed.inclination_deg,
        filed.planes,
        filed.per_plane,
        filed.phasing,
        filed.node_spread_deg,
    )
    return _walker(pattern, epoch_utc, filed.shell, 0, raan_offset_deg)


def _turn_deg(filed: FiledShell, before: Sequence[FiledShell]) -> float:
    for other in before:
        if (other.altitude_m, other.inclination_deg) == (filed.altitude_m, filed.inclination_deg):
            return filed.node_spread_deg / math.lcm(other.planes, filed.planes) / 2.0
    return 0.0


def _shell_names(preset: str) -> Sequence[str]:
    wanted = preset.strip().casefold()
    known = PRESETS | {shell.shell: (shell.shell,) for shell in filed_shells()}
    known |= {name: (name,) for name in HYPATIA_SHELLS}
    known |= {name.removeprefix("hypatia-"): (name,) for name in HYPATIA_SHELLS}
    by_folded_name = {name.casefold(): name for name in known}
    if wanted not in by_folded_name:
        near = difflib.get_close_matches(wanted, by_folded_name, n=1, cutoff=0.0)
        raise InputError(
            f"shell preset {preset!r} is not known; did you mean {by_folded_name[near[0]]!r}? "
            f"There are {', '.join([*PRESETS, *HYPATIA_SHELLS])} and each filed shell"
        )
    return known[by_folded_name[wanted]]


@cache
def filed_shells() -> tuple[FiledShell, ...]:
    """Return the shells operators filed, in the order of the packaged table."""
    rows = csv.DictReader(read_data_text("filed_shells.csv").splitlines())
    return tuple(
        FiledShell(
            operator=row["operator"],
            system=row["system"],
            shell=row["shell"],
            altitude_m=float(row["altitude_km"]) * 1e3,
            inclination_deg=float(row["inclination_deg"]),
            planes=int(row["planes"]),
            per_plane=int(row["sats_per_plane"]),
            min_elevation_deg=float(row["min_elevation_user_deg"]),
            status=row["status"],
            source=row["source"],
        )
        for row in rows
    )


def _filed(name: str) -> FiledShell:
    return next(shell for shell in filed_shells() if shell.shell == name)


def minimum_separation_m(
    altitude_m: float,
    inclination_deg: float,
    planes: int,
    per_plane: int,
    phasing: int,
    node_spread_deg: float = 360.0,
) -> float:
    """Return the least distance between any two satellites of a Walker pattern, over all time.

    Two satellites on circular orbits of one size, whose planes are tilted by b to each other and
    which pass the planes' common line with a phase difference d, come as near as the angle r with
    sin(r/2) = sin(d/2) cos(b/2).
    """
    slot_rad = 2.0 * np.pi / per_plane
    plane = np.arange(1, planes)
    half_node_rad = np.radians(plane * (node_spread_deg / planes)) / 2.0
    inclination_rad = np.radians(inclination_deg)
    sine, cosine = np.sin(half_node_rad), np.cos(half_node_rad)
    at_common_line_rad = 2.0 * np.arctan2(sine * np.cos(inclination_rad), cosine)
    phase_rad = (plane * phasing % planes) * (slot_rad / planes) + at_common_line_rad
    phase_rad -= slot_rad * np.round(phase_rad / slot_rad)  # against the nearest slot
    cos_half_tilt = np.sqrt(1.0 - (np.sin(inclination_rad) * sine) ** 2)
    chords = 2.0 * np.abs(np.sin(phase_rad / 2.0)) * cos_half_tilt
    in_plane = 2.0 * np.sin(slot_rad / 2.0) if per_plane > 1 else np.inf
    return float(np.min(chords, initial=in_plane) * (altitude_m + WGS84_A_M))


def widest_phasing(
    altitude_m: float,
    inclination_deg: float,
    planes: int,
    per_plane: int,
    node_spread_deg: float = 360.0,
) -> int:
    """Return the phasing, the lowest of several, whose satellites stay furthest apart."""
    separations_mm = [
        round(
            1e3
            * minimum_separation_m(
                altitude_m, inclination_deg, planes, per_plane, phasing, node_spread_deg
            )
        )
        for phasing in range(planes)
    ]
    return separations_mm.index(max(separations_mm))
