"""Orbital planes of a real fleet, found from its elements alone.

A fleet is several lattices with holes: satellites of one plane share altitude, inclination and
RAAN, and RAANs drift at a common rate.  Moved to one instant, the RAANs of a shell show gaps
between planes, and those gaps are cut.  Labels stay the same over weeks for satellites that do not
change altitude (tests/twin/topology/test_planes.py measures it).
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS72_J2, WGS72_MU_KM3_S2, WGS72_RADIUS_KM
from skyweave.twin.catalogue.altitude import mean_altitude_m, mean_semi_major_axis_m
from skyweave.twin.catalogue.elements import Catalogue

FloatArray = NDArray[np.float64]
IndexArray = NDArray[np.int32]
RowArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class PlaneRules:
    """Where shells and planes begin and end, as measured on the fleet of May and June 2026."""

    family_gap_deg: float = 0.25  # inclinations further apart belong to different families
    shell_half_width_m: float = 500.0  # round the median of the densest kilometre
    shell_mask_m: float = 1500.0  # altitudes this near a found shell start no other shell
    shell_members: int = 60  # fewer satellites in a kilometre are no shell
    shell_planes: int = 10  # fewer planes are a staging orbit, whose satellites soon move on
    plane_gap_deg: float = 0.4  # planes are up to 1.2 deg wide: cut at gaps, never by width
    plane_members: int = 4
    max_eccentricity: float = 0.002  # of a plane's core members
    straggler_altitude_m: float = 3000.0  # satellites this near a plane belong to it, too
    straggler_inclination_deg: float = 0.06
    straggler_raan_deg: float = 0.8


class MeanOrbits(NamedTuple):
    """Mean orbits moved to one common instant with first-order J2 rates; every array is (N,)."""

    altitude_m: FloatArray  # mean semi-major axis less the WGS 84 equatorial radius
    inclination_deg: FloatArray
    eccentricity: FloatArray
    raan_deg: FloatArray  # 0..360
    latitude_argument_deg: FloatArray  # argument of perigee plus mean anomaly, 0..360


@dataclass(frozen=True)
class Planes:
    """The plane of each satellite and the list of planes, ordered by shell and then by RAAN.

    Shells are ordered by the inclination of their family and then by altitude.
    """

    plane: IndexArray  # (N,) row of the plane, -1 outside all planes
    is_straggler: BoolArray  # (N,) joined to a plane of whose core it is no part
    place: IndexArray  # (N,) rank by argument of latitude inside the plane, -1 outside
    plane_shell: IndexArray  # (Q,) row of the shell
    plane_raan_deg: FloatArray  # (Q,) middle of the core members
    shell_family: IndexArray  # (H,) shells of one family share their inclination
    shell_altitude_m: FloatArray  # (H,)
    shell_inclination_deg: FloatArray  # (H,)

    @property
    def shell(self) -> IndexArray:
        """The shell of each satellite, shape (N,), -1 outside."""
        return _through(self.plane, self.plane_shell)

    @property
    def family(self) -> IndexArray:
        """The inclination family of each satellite, shape (N,), -1 outside."""
        return _through(self.shell, self.shell_family)


def mean_orbits(catalogue: Catalogue, at_utc: np.datetime64) -> MeanOrbits:
    """Return mean orbits at `at_utc`, moved there by the secular J2 rates (Brouwer 1959).

    What SGP4 adds to these rates turns a LEO RAAN by less than 0.01 deg/day.
    """
    axis_km = mean_semi_major_axis_m(catalogue) / 1e3
    cos_i = np.cos(np.radians(catalogue.inclination_deg))
    beta2 = 1.0 - catalogue.eccentricity**2
    motion_rad_s = np.sqrt(WGS72_MU_KM3_S2 / axis_km**3)
    j2_rad_s = 1.5 * WGS72_J2 * (WGS72_RADIUS_KM / (axis_km * beta2)) ** 2 * motion_rad_s
    raan_rad_s = -j2_rad_s * cos_i
    anomaly_rad_s = motion_rad_s + 0.5 * j2_rad_s * np.sqrt(beta2) * (3 * cos_i**2 - 1)
    perigee_rad_s = 0.5 * j2_rad_s * (5 * cos_i**2 - 1)
    age_s = (at_utc - catalogue.epoch_utc) / np.timedelta64(1, "s")
    turned_deg = np.degrees((anomaly_rad_s + perigee_rad_s) * age_s)
    return MeanOrbits(
        altitude_m=mean_altitude_m(catalogue),
        inclination_deg=catalogue.inclination_deg,
        eccentricity=catalogue.eccentricity,
        raan_deg=(catalogue.raan_deg + np.degrees(raan_rad_s * age_s)) % 360.0,
        latitude_argument_deg=(catalogue.argp_deg + catalogue.mean_anomaly_deg + turned_deg) % 360,
    )


def find_planes(
    catalogue: Catalogue,
    at_utc: np.datetime64,
    among: BoolArray | None = None,
    rules: PlaneRules | None = None,
) -> Planes:
    """Return the planes that the satellites form at `at_utc`, of the rows marked in `among`.

    The answer does not depend on the order of the rows: equal places go to the lower NORAD id.
    """
    rules = rules or PlaneRules()
    orbits = mean_orbits(catalogue, at_utc)
    usable = np.isfinite(orbits.altitude_m) & np.isfinite(orbits.inclination_deg)
    rows = np.flatnonzero(usable if among is None else usable & among)

    plane = np.full(len(catalogue), -1, np.int32)
    shells: list[tuple[int, float, float]] = []  # family, altitude, inclination
    planes: list[tuple[int, float]] = []  # shell, RAAN
    for family, members in enumerate(_families(rows, orbits, rules)):
        for shell in _shells(members, orbits, rules):
            groups = _raan_groups(shell, orbits, rules)
            if len(groups) < rules.shell_planes:
                continue
            core = np.concatenate(groups)
            for group in groups:
                plane[group] = len(planes)
                planes.append((len(shells), _middle_deg(orbits.raan_deg[group])))
            shells.append(
                (
                    family,
                    float(np.median(orbits.altitude_m[core])),
                    float(np.median(orbits.inclination_deg[core])),
                )
            )
    plane_shell = np.array([shell for shell, _ in planes], np.int32)
    plane_raan_deg = np.array([raan for _, raan in planes], float)
    shell_altitude_m = np.array([altitude for _, altitude, _ in shells], float)
    shell_inclination_deg = np.array([inclination for *_, inclination in shells], float)

    loose = rows[plane[rows] < 0]
    plane[loose] = _nearest_plane(
        loose,
        orbits,
        plane_raan_deg,
        shell_altitude_m[plane_shell],
        shell_inclination_deg[plane_shell],
        rules,
    )
    is_straggler = np.zeros(len(catalogue), bool)
    is_straggler[loose] = plane[loose] >= 0
    return Planes(
        plane=plane,
        is_straggler=is_straggler,
        place=places_in_planes(plane, orbits.latitude_argument_deg, catalogue.norad_id),
        plane_shell=plane_shell,
        plane_raan_deg=plane_raan_deg,
        shell_family=np.array([family for family, *_ in shells], np.int32),
        shell_altitude_m=shell_altitude_m,
        shell_inclination_deg=shell_inclination_deg,
    )


def places_in_planes(
    plane: IndexArray, latitude_argument_deg: FloatArray, norad_id: RowArray
) -> IndexArray:
    """Return each satellite's rank by argument of latitude inside its plane, (N,), -1 outside."""
    place = np.full(plane.size, -1, np.int32)
    rows = np.lexsort((norad_id, latitude_argument_deg, plane))
    rows = rows[plane[rows] >= 0]
    first = np.searchsorted(plane[rows], plane[rows], side="left")
    place[rows] = np.arange(rows.size) - first
    return place


def _families(rows: RowArray, orbits: MeanOrbits, rules: PlaneRules) -> list[RowArray]:
    """Return rows of like inclination, lowest inclination first."""
    rows = rows[np.argsort(orbits.inclination_deg[rows], kind="stable")]
    cuts = np.flatnonzero(np.diff(orbits.inclination_deg[rows]) > rules.family_gap_deg) + 1
    return [family for family in np.split(rows, cuts) if family.size >= rules.shell_members]


def _shells(rows: RowArray, orbits: MeanOrbits, rules: PlaneRules) -> list[RowArray]:
    """Return the members of each dense altitude of one family, lowest altitude first."""
    shells: list[tuple[float, RowArray]] = []
    rows = rows[np.argsort(orbits.altitude_m[rows], kind="stable")]
    left = rows
    while left.size >= rules.shell_members:
        altitude_m = orbits.altitude_m[left]
        end = np.searchsorted(altitude_m, altitude_m + 2 * rules.shell_half_width_m, side="right")
        members = end - np.arange(left.size)
        densest = int(np.argmax(members))
        if members[densest] < rules.shell_members:
            break
        middle_m = float(np.median(altitude_m[densest : end[densest]]))
        within = np.abs(orbits.altitude_m[rows] - middle_m) <= rules.shell_half_width_m
        shells.append((middle_m, rows[within]))
        left = left[np.abs(altitude_m - middle_m) > rules.shell_mask_m]
    return [members for _, members in sorted(shells, key=lambda shell: shell[0])]


def _raan_groups(rows: RowArray, orbits: MeanOrbits, rules: PlaneRules) -> list[RowArray]:
    """Return the core members of each plane of one shell, in order of RAAN."""
    rows = rows[orbits.eccentricity[rows] < rules.max_eccentricity]
    if rows.size == 0:
        return []
    rows = rows[np.argsort(orbits.raan_deg[rows], kind="stable")]
    gap_deg = np.diff(orbits.raan_deg[rows], prepend=orbits.raan_deg[rows[-1]] - 360.0)
    cuts = np.flatnonzero(gap_deg > rules.plane_gap_deg)
    start = int(cuts[0]) if cuts.size else 0
    groups = np.split(np.roll(rows, -start), cuts[1:] - start)
    groups = [group for group in groups if group.size >= rules.plane_members]
    return sorted(groups, key=lambda group: _middle_deg(orbits.raan_deg[group]))


def _nearest_plane(
    rows: RowArray,
    orbits: MeanOrbits,
    plane_raan_deg: FloatArray,
    plane_altitude_m: FloatArray,
    plane_inclination_deg: FloatArray,
    rules: PlaneRules,
) -> IndexArray:
    """Return the plane that each row nearly lies in, -1 where there is none."""
    if plane_raan_deg.size == 0:
        return np.full(rows.size, -1, np.int32)
    raan_deg = np.abs(_turn_deg(orbits.raan_deg[rows, None] - plane_raan_deg))
    altitude_m = np.abs(orbits.altitude_m[rows, None] - plane_altitude_m)
    inclination_deg = np.abs(orbits.inclination_deg[rows, None] - plane_inclination_deg)
    near = (
        (raan_deg <= rules.straggler_raan_deg)
        & (altitude_m <= rules.straggler_altitude_m)
        & (inclination_deg < rules.straggler_inclination_deg)
    )
    cost = np.where(near, raan_deg + 0.2e-3 * altitude_m, np.inf)
    return np.where(near.any(axis=1), np.argmin(cost, axis=1), -1).astype(np.int32)


def _middle_deg(raan_deg: FloatArray) -> float:
    """Return the median of angles that lie close together, 0..360."""
    return float((raan_deg[0] + np.median(_turn_deg(raan_deg - raan_deg[0]))) % 360.0)


def _turn_deg(angle_deg: FloatArray) -> FloatArray:
    """Return angles as -180..180."""
    return (angle_deg + 180.0) % 360.0 - 180.0


def _through(index: IndexArray, table: IndexArray) -> IndexArray:
    """Return table[index] with -1 where index is -1."""
    if table.size == 0:
        return np.full(index.shape, -1, np.int32)
    return np.where(index >= 0, table[index], -1).astype(np.int32)
