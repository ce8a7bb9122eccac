"""Frames: TEME to ITRF with Earth orientation, and geodetic places to ITRF and back.

ITRF and WGS 84 are taken as one: they differ by centimetres.
"""

from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.constants import EARTH_MEAN_RADIUS_M, EARTH_ROTATION_RAD_S, WGS84_A_M, WGS84_F
from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.time import TimeArray, tai_minus_utc_s

FloatArray = NDArray[np.float64]

_WGS84_B_M = WGS84_A_M * (1.0 - WGS84_F)
_WGS84_E2 = WGS84_F * (2.0 - WGS84_F)  # first eccentricity squared
_WGS84_EP2 = _WGS84_E2 / (1.0 - _WGS84_E2)  # second eccentricity squared

_ONE_DAY_NS = 86_400_000_000_000
_J2000_NS = int(np.datetime64("2000-01-01T12:00:00", "ns").astype(np.int64))
_ARCSEC_RAD = np.pi / 648_000.0


class Orientation(NamedTuple):
    """How the Earth stands at T instants: every array has shape (T,)."""

    ut1_minus_utc_s: FloatArray
    pole_x_rad: FloatArray
    pole_y_rad: FloatArray
    inside: NDArray[np.bool_]  # False where the table ends and UT1 = UTC was assumed instead


@dataclass(frozen=True, eq=False)
class EarthOrientation:
    """Daily values of UT1 and of the pole, each of shape (D,); no days mean UT1 = UTC always.

    UT1-TAI is kept instead of the published UT1-UTC because it has no jump at a leap second.
    """

    name: str  # "iers" or "none", as in the scenario
    day_utc: TimeArray  # midnights, ascending
    ut1_minus_tai_s: FloatArray
    pole_x_rad: FloatArray
    pole_y_rad: FloatArray

    def at(self, utc: TimeArray) -> Orientation:
        """Return the orientation at each instant, linear between days, as IERS tables are read.

        Outside the table UT1 = UTC, no polar motion, and `inside` is False.  The rule looks at
        each instant alone, so that a run split over workers gives the same answer.
        """
        utc = np.asarray(utc, dtype="datetime64[ns]")
        nothing = np.zeros(utc.shape)
        if self.name == "none":
            return Orientation(nothing, nothing, nothing, np.ones(utc.shape, dtype=bool))
        inside = (utc >= self.day_utc[0]) & (utc <= self.day_utc[-1])
        # Seconds from the first day stay exact to 0.3 us over the 55 years of the table.
        day_s, at_s = (_seconds(x - self.day_utc[0]) for x in (self.day_utc, utc))
        ut1_s, pole_x_rad, pole_y_rad = (
            np.interp(at_s, day_s, daily)
            for daily in (self.ut1_minus_tai_s, self.pole_x_rad, self.pole_y_rad)
        )
        return Orientation(
            np.where(inside, ut1_s + tai_minus_utc_s(utc), 0.0),
            np.where(inside, pole_x_rad, 0.0),
            np.where(inside, pole_y_rad, 0.0),
            inside,
        )


def earth_orientation(name: str = "iers") -> EarthOrientation:
    """Return the packaged IERS table, or "none": UT1 = UTC and no polar motion, for Hypatia."""
    if name == "iers":
        return _iers_table()
    if name == "none":
        nothing = np.zeros(0)
        return EarthOrientation(
            "none", np.zeros(0, dtype="datetime64[ns]"), nothing, nothing, nothing
        )
    raise InputError(f'earth.orientation = "{name}" is unknown; expected "iers" or "none"')


@cache
def _iers_table() -> EarthOrientation:
    """Return IERS finals2000A, Bulletin A with its predictions, as shipped with the package."""
    rows = read_data_text("earth_orientation.csv.xz").splitlines()[1:]
    table = np.array([[float(value) for value in row.split(",")] for row in rows])
    mjd, pole_x_arcsec, pole_y_arcsec, ut1_minus_utc_s = np.ascontiguousarray(table.T)
    day_utc = (mjd - 40587.0).astype("datetime64[D]").astype("datetime64[ns]")  # 1970-01-01
    return EarthOrientation(
        name="iers",
        day_utc=day_utc,
        ut1_minus_tai_s=ut1_minus_utc_s - tai_minus_utc_s(day_utc),
        pole_x_rad=pole_x_arcsec * _ARCSEC_RAD,
        pole_y_rad=pole_y_arcsec * _ARCSEC_RAD,
    )


def gmst82_rad(utc: TimeArray, ut1_minus_utc_s: FloatArray) -> FloatArray:
    """Return Greenwich mean sidereal time of 1982, 0 to 2 pi, shape (T,): TEME's Earth rotation.

    Aoki et al. 1982, as in Vallado 2013 eq. 3-47.  TEME's equinox is the uniform one, so the
    equation of the equinoxes does not enter (Vallado et al. AIAA 2006-6753, appendix C).
    """
    ns = np.asarray(utc, dtype="datetime64[ns]").astype(np.int64) - _J2000_NS
    # Whole days turn the Earth by whole turns plus what the secular term holds, so they are split
    # off exactly; in one float64 sum the angle would be rough by 6e-5 m at a satellite.
    days, rest_ns = np.divmod(ns, _ONE_DAY_NS)
    day_s = rest_ns * 1e-9 + ut1_minus_utc_s
    century = (days + day_s / 86400.0) / 36525.0
    gmst_s = (
        67310.54841 + day_s + (8640184.812866 + (0.093104 - 6.2e-6 * century) * century) * century
    )
    return np.mod(gmst_s, 86400.0) * (2.0 * np.pi / 86400.0)


def teme_to_itrf_matrix(utc: TimeArray, orientation: EarthOrientation) -> FloatArray:
    """Return the rotations M of shape (T, 3, 3): r_itrf = M @ r_teme.

    M = W(pole) R3(GMST82), W = R1(-y) R2(-x) (IERS Conventions 2010 eq. 5.3 without s', which
    is below 1 mm at a satellite).
    """
    ut1_minus_utc_s, pole_x_rad, pole_y_rad, _ = orientation.at(utc)
    gmst = gmst82_rad(utc, ut1_minus_utc_s)
    spin = np.zeros((*gmst.shape, 3, 3))
    spin[..., 0, 0] = spin[..., 1, 1] = np.cos(gmst)
    spin[..., 0, 1] = np.sin(gmst)
    spin[..., 1, 0] = -spin[..., 0, 1]
    spin[..., 2, 2] = 1.0
    return _polar_motion(pole_x_rad, pole_y_rad) @ spin


def earth_rotation_itrf(utc: TimeArray, orientation: EarthOrientation) -> FloatArray:
    """Return the Earth's rotation vector w in ITRF, rad/s, shape (T, 3).

    A velocity turns by v_itrf = M @ v_teme - w x r_itrf.
    """
    _, pole_x_rad, pole_y_rad, _ = orientation.at(utc)
    return (
        np.ascontiguousarray(_polar_motion(pole_x_rad, pole_y_rad)[..., 2]) * EARTH_ROTATION_RAD_S
    )


def geodetic_to_itrf(
    lat_deg: ArrayLike, lon_deg: ArrayLike, height_wgs84_m: ArrayLike
) -> tuple[FloatArray, FloatArray]:
    """Return positions `site_itrf_m` and ellipsoid normals `up_itrf`, each (S, 3) for inputs (S,).

    EPSG method 9602 (IOGP 373-7-2, 4.1.1).
    """
    lat, lon, height_m = np.broadcast_arrays(
        np.radians(lat_deg), np.radians(lon_deg), np.asarray(height_wgs84_m, dtype=np.float64)
    )
    up_itrf = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    prime_vertical_m = WGS84_A_M / np.sqrt(1.0 - _WGS84_E2 * np.sin(lat) ** 2)
    site_itrf_m = (prime_vertical_m + height_m)[..., None] * up_itrf
    site_itrf_m[..., 2] -= _WGS84_E2 * prime_vertical_m * up_itrf[..., 2]
    return site_itrf_m, up_itrf


def itrf_to_geodetic(itrf_m: ArrayLike) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return latitude and longitude (-180 to 180) in degrees and WGS 84 height of points (..., 3).

    Bowring 1976, iterated three times: exact to rounding from 1,000 km deep to geostationary
    height.
    """
    x_m, y_m, z_m = np.moveaxis(np.asarray(itrf_m, dtype=np.float64), -1, 0)
    axis_m = np.hypot(x_m, y_m)
    reduced = np.arctan2(z_m * WGS84_A_M, axis_m * _WGS84_B_M)
    for _ in range(3):
        lat = np.arctan2(
            z_m + _WGS84_EP2 * _WGS84_B_M * np.sin(reduced) ** 3,
            axis_m - _WGS84_E2 * WGS84_A_M * np.cos(reduced) ** 3,
        )
        reduced = np.arctan2((1.0 - WGS84_F) * np.sin(lat), np.cos(lat))
    # This form of the height needs no division by a cosine, so it holds at the poles too.
    height_m = (
        axis_m * np.cos(lat)
        + z_m * np.sin(lat)
        - WGS84_A_M * np.sqrt(1.0 - _WGS84_E2 * np.sin(lat) ** 2)
    )
    return np.degrees(lat), np.degrees(np.arctan2(y_m, x_m)), height_m


def itrf_to_enu_matrix(lat_deg: ArrayLike, lon_deg: ArrayLike) -> FloatArray:
    """Return the rotations (S, 3, 3) whose rows are the east, north and up directions in ITRF."""
    lat, lon = np.broadcast_arrays(np.radians(lat_deg), np.radians(lon_deg))
    nothing = np.zeros(lat.shape)
    east = np.stack([-np.sin(lon), np.cos(lon), nothing], axis=-1)
    north = np.stack([-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)], axis=-1)
    up = np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], axis=-1)
    return np.stack([east, north, up], axis=-2)


def great_circle_m(
    lat1_deg: ArrayLike, lon1_deg: ArrayLike, lat2_deg: ArrayLike, lon2_deg: ArrayLike
) -> FloatArray:
    """Return distances along the mean sphere; shapes broadcast (haversine, Sinnott 1984)."""
    lat1, lon1, lat2, lon2 = (
        np.radians(np.asarray(angle_deg, dtype=np.float64))
        for angle_deg in (lat1_deg, lon1_deg, lat2_deg, lon2_deg)
    )
    chord2 = (
        np.sin((lat2 - lat1) / 2.0) ** 2
        + np.cos(lat1) * np.cos(lat2) * np.sin((lon2 - lon1) / 2.0) ** 2
    )
    half_angle: FloatArray = np.arcsin(np.sqrt(np.minimum(chord2, 1.0)))
    return 2.0 * EARTH_MEAN_RADIUS_M * half_angle


def _seconds(span: NDArray[np.timedelta64]) -> FloatArray:
    return span.astype(np.int64).astype(np.float64) * 1e-9


def _polar_motion(pole_x_rad: FloatArray, pole_y_rad: FloatArray) -> FloatArray:
    """Return W = R1(-y) R2(-x), shape (T, 3, 3)."""
    cos_x, sin_x = np.cos(pole_x_rad), np.sin(pole_x_rad)
    cos_y, sin_y = np.cos(pole_y_rad), np.sin(pole_y_rad)
    rows = [
        [cos_x, np.zeros(cos_x.shape), sin_x],
        [sin_x * sin_y, cos_y, -cos_x * sin_y],
        [-sin_x * cos_y, sin_y, cos_x * cos_y],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)
