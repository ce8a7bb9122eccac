"""SGP4 for near-Earth satellites as published, in plain NumPy: what the kernels are tested against.

Vallado, Crawford, Hujsak and Kelso, AIAA 2006-6753, appendix; the equation order is theirs.
"""

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS72_J2, WGS72_RADIUS_KM
from skyweave.twin.orbits.records import XKE, Sgp4Records

FloatArray = NDArray[np.float64]

_TWO_PI = 2.0 * np.pi


def near_earth_teme(
    records: Sgp4Records, minutes: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.uint8]]:
    """Return positions (T, N, 3) in m, velocities in m/s and SGP4's error codes (T, N), in TEME.

    `minutes` (T, N) are times since each satellite's epoch.  A failed pair is NaN.
    """
    with np.errstate(all="ignore"):
        return _near_earth_teme(records, minutes)


def _near_earth_teme(
    r: Sgp4Records, t: FloatArray
) -> tuple[FloatArray, FloatArray, NDArray[np.uint8]]:
    # Secular gravity and atmospheric drag.
    xmdf = r.mo + r.mdot * t
    delm = r.xmcof * ((1.0 + r.eta * np.cos(xmdf)) ** 3 - r.delmo)
    mm = xmdf + r.omgcof * t + delm
    argpm = r.argpo + r.argpdot * t - r.omgcof * t - delm
    nodem = r.nodeo + r.nodedot * t + r.nodecf * t**2
    tempa = 1.0 - r.cc1 * t - r.d2 * t**2 - r.d3 * t**3 - r.d4 * t**4
    tempe = r.bstar * r.cc4 * t + r.bstar * r.cc5 * (np.sin(mm) - r.sinmao)
    templ = r.t2cof * t**2 + r.t3cof * t**3 + r.t4cof * t**4 + r.t5cof * t**5
    am = r.ao * tempa**2
    nm = XKE / am**1.5
    mean_ecc = r.ecco - tempe
    em = np.maximum(mean_ecc, 1.0e-6)
    mm = mm + r.no_unkozai * templ

    # Long-period terms.
    axnl = em * np.cos(argpm)
    temp = 1.0 / (am * (1.0 - em**2))
    aynl = em * np.sin(argpm) + temp * r.aycof
    u = np.remainder(mm + argpm + temp * r.xlcof * axnl, _TWO_PI)
    eo1 = _solve_kepler(u, axnl, aynl)

    # Short-period terms.
    ecose = axnl * np.cos(eo1) + aynl * np.sin(eo1)
    esine = axnl * np.sin(eo1) - aynl * np.cos(eo1)
    el2 = axnl**2 + aynl**2
    pl = am * (1.0 - el2)
    rl = am * (1.0 - ecose)
    betal = np.sqrt(1.0 - el2)
    sinu = am / rl * (np.sin(eo1) - aynl - axnl * esine / (1.0 + betal))
    cosu = am / rl * (np.cos(eo1) - axnl + aynl * esine / (1.0 + betal))
    su = np.arctan2(sinu, cosu)
    sin2u, cos2u = 2.0 * cosu * sinu, 1.0 - 2.0 * sinu**2
    temp1 = 0.5 * WGS72_J2 / pl
    temp2 = temp1 / pl
    con41, x1mth2, x7thm1 = 3.0 * r.cosio**2 - 1.0, 1.0 - r.cosio**2, 7.0 * r.cosio**2 - 1.0
    mrt = rl * (1.0 - 1.5 * temp2 * betal * con41) + 0.5 * temp1 * x1mth2 * cos2u
    su = su - 0.25 * temp2 * x7thm1 * sin2u
    xnode = nodem + 1.5 * temp2 * r.cosio * sin2u
    xinc = r.inclo + 1.5 * temp2 * r.cosio * r.sinio * cos2u
    mvt = np.sqrt(am) * esine / rl - nm * temp1 * x1mth2 * sin2u / XKE
    rvdot = np.sqrt(pl) / rl + nm * temp1 * (x1mth2 * cos2u + 1.5 * con41) / XKE

    along, across = _orientation(su, xnode, xinc)
    code = np.select(
        [~((mean_ecc >= -0.001) & (mean_ecc < 1.0)), pl < 0.0, mrt < 1.0, ~np.isfinite(mrt)],
        [np.uint8(1), np.uint8(4), np.uint8(6), np.uint8(1)],
        np.uint8(0),
    )
    failed = (code != 0)[..., None]
    radius_m = WGS72_RADIUS_KM * 1e3
    position = mrt[..., None] * along * radius_m
    speed = (mvt[..., None] * along + rvdot[..., None] * across) * (radius_m * XKE / 60.0)
    return np.where(failed, np.nan, position), np.where(failed, np.nan, speed), code


def _solve_kepler(u: FloatArray, axnl: FloatArray, aynl: FloatArray) -> FloatArray:
    """Return E with u = E - axnl sin E + aynl cos E by at most ten limited Newton steps."""
    eo1, moving = u.copy(), np.ones(u.shape, dtype=bool)
    for _ in range(10):
        sine, cosine = np.sin(eo1), np.cos(eo1)
        step = (u - aynl * cosine + axnl * sine - eo1) / (1.0 - cosine * axnl - sine * aynl)
        step = np.where(moving, np.clip(step, -0.95, 0.95), 0.0)
        eo1 = eo1 + step
        moving = np.abs(step) >= 1.0e-12
    return eo1


def _orientation(
    su: FloatArray, xnode: FloatArray, xinc: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the unit vectors to the satellite and, a quarter turn on, along its way: (..., 3)."""
    sinsu, cossu, snod, cnod = np.sin(su), np.cos(su), np.sin(xnode), np.cos(xnode)
    sini, cosi = np.sin(xinc), np.cos(xinc)
    along = (cnod * cossu - snod * cosi * sinsu, snod * cossu + cnod * cosi * sinsu, sini * sinsu)
    across = (-snod * cosi * cossu - cnod * sinsu, cnod * cosi * cossu - snod * sinsu, sini * cossu)
    return np.stack(along, axis=-1), np.stack(across, axis=-1)
