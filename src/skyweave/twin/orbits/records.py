"""SGP4 initialisation: mean elements to the coefficients that propagation needs, all rows at once.

The equations are those of Hoots and Roehrich, Spacetrack Report No. 3 (1980), as corrected by
Vallado, Crawford, Hujsak and Kelso, AIAA 2006-6753.  Only + - * / and square roots are used, with
our own sine, cosine and cube root, because every processor rounds those alike: elements give the
same bits on every machine.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import (
    WGS72_J2,
    WGS72_J3,
    WGS72_J4,
    WGS72_MU_KM3_S2,
    WGS72_RADIUS_KM,
)
from skyweave.twin.catalogue.elements import Catalogue

FloatArray = NDArray[np.float64]

# How a row is propagated.
NEAR_CIRCULAR = 0  # the vectorised kernel; pairs it cannot do are handed to the next
NEAR_EARTH = 1  # the general kernel, any eccentricity
DEEP_SPACE = 2  # the `sgp4` library: periods of 225 minutes and more feel Sun and Moon

NEAR_CIRCULAR_BELOW = 0.02  # eccentricity
DEEP_SPACE_PERIOD_MIN = 225.0

# SGP4's time unit makes the gravitational parameter 1: xke is in radii^1.5 per minute.
XKE = float(60.0 / np.sqrt(WGS72_RADIUS_KM**3 / WGS72_MU_KM3_S2))
_J3_OVER_J2 = WGS72_J3 / WGS72_J2

# sin(pi r) = r * P(r^2) and cos(pi r) = 1 + r^2 * Q(r^2) for |r| <= 1/2: interpolated at Chebyshev
# points, within 2e-16 (tools/golden/sgp4_polynomials.py prints them).
SIN_PI = (
    3.1415926535897927,
    -5.1677127800497855,
    2.5501640398618677,
    -0.599264528825224,
    0.08214587881631043,
    -0.0073703643265304155,
    0.0004659870158043378,
    -2.113362735205297e-05,
)
COS_PI = (
    -4.934802200544679,
    4.058712126416736,
    -1.3352627688518803,
    0.2353306302721577,
    -0.02580689002587539,
    0.001929562652479866,
    -0.00010458286368326585,
    4.166399462726949e-06,
)


@dataclass(frozen=True)
class Sgp4Records:
    """Initialised elements, one row per satellite: every array has shape (N,).

    Names are those of the published code; angles in radians, time in minutes, lengths in Earth
    radii (WGS 72).  Drag coefficients that the published code skips for perigees below 220 km
    (its flag `isimp`) are zero, so that propagation needs no flag.
    """

    epoch_utc: NDArray[np.datetime64]  # datetime64[ns]
    method: NDArray[np.uint8]  # NEAR_CIRCULAR, NEAR_EARTH or DEEP_SPACE
    no_kozai: FloatArray  # mean motion as published, rad/min
    ecco: FloatArray
    inclo: FloatArray
    nodeo: FloatArray
    argpo: FloatArray
    mo: FloatArray
    bstar: FloatArray
    no_unkozai: FloatArray  # Brouwer mean motion, rad/min
    ao: FloatArray  # semi-major axis
    sinio: FloatArray
    cosio: FloatArray
    mdot: FloatArray  # secular rates, rad/min
    argpdot: FloatArray
    nodedot: FloatArray
    nodecf: FloatArray
    cc1: FloatArray
    cc4: FloatArray
    cc5: FloatArray
    d2: FloatArray
    d3: FloatArray
    d4: FloatArray
    t2cof: FloatArray
    t3cof: FloatArray
    t4cof: FloatArray
    t5cof: FloatArray
    omgcof: FloatArray
    xmcof: FloatArray
    eta: FloatArray
    delmo: FloatArray
    sinmao: FloatArray
    aycof: FloatArray
    xlcof: FloatArray

    def __len__(self) -> int:
        return int(self.ao.size)

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Sgp4Records":
        """Return the rows of a mask or of row numbers."""
        return Sgp4Records(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


def initialise(catalogue: Catalogue) -> Sgp4Records:
    """Return the coefficients of every satellite; reuse them for many grids.

    Elements outside SGP4's domain do not raise: their coefficients are NaN and every instant gets
    SGP4's error code.
    """
    with np.errstate(all="ignore"):
        return _initialise(catalogue)


def _initialise(catalogue: Catalogue) -> Sgp4Records:
    ecco = np.asarray(catalogue.eccentricity, dtype=np.float64)
    bstar = np.asarray(catalogue.bstar_per_radius, dtype=np.float64)
    no_kozai = catalogue.mean_motion_rev_day / (1440.0 / (2.0 * np.pi))
    sinio, cosio = sin_cos_turns(catalogue.inclination_deg / 360.0)
    no_unkozai, ao = _brouwer_mean_motion(no_kozai, ecco, cosio)
    drag = _drag(no_unkozai, ao, ecco, sinio, cosio, bstar, catalogue)
    period_min = 2.0 * np.pi / no_unkozai
    return Sgp4Records(
        epoch_utc=np.asarray(catalogue.epoch_utc, dtype="datetime64[ns]"),
        method=np.select(
            [period_min >= DEEP_SPACE_PERIOD_MIN, ecco < NEAR_CIRCULAR_BELOW],
            [np.uint8(DEEP_SPACE), np.uint8(NEAR_CIRCULAR)],
            np.uint8(NEAR_EARTH),
        ),
        no_kozai=no_kozai,
        ecco=ecco,
        inclo=np.radians(catalogue.inclination_deg),
        nodeo=np.radians(catalogue.raan_deg),
        argpo=np.radians(catalogue.argp_deg),
        mo=np.radians(catalogue.mean_anomaly_deg),
        bstar=bstar,
        no_unkozai=no_unkozai,
        ao=ao,
        sinio=sinio,
        cosio=cosio,
        **_gravity(no_unkozai, ao, ecco, sinio, cosio, drag["cc1"]),
        **drag,
    )


def _brouwer_mean_motion(
    no_kozai: FloatArray, ecco: FloatArray, cosio: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Undo Kozai's convention: the published mean motion to Brouwer's, and the semi-major axis."""
    omeosq = 1.0 - ecco * ecco
    ak = _to_two_thirds(XKE / no_kozai)
    d1 = 0.75 * WGS72_J2 * (3.0 * cosio * cosio - 1.0) / (np.sqrt(omeosq) * omeosq)
    delta = d1 / (ak * ak)
    adel = ak * (1.0 - delta * delta - delta * (1.0 / 3.0 + 134.0 * delta * delta / 81.0))
    no_unkozai = no_kozai / (1.0 + d1 / (adel * adel))
    return no_unkozai, _to_two_thirds(XKE / no_unkozai)


def _gravity(
    no_unkozai: FloatArray,
    ao: FloatArray,
    ecco: FloatArray,
    sinio: FloatArray,
    cosio: FloatArray,
    cc1: FloatArray,
) -> dict[str, FloatArray]:
    """Return the secular rates and the long-period coefficients of the zonal harmonics."""
    omeosq = 1.0 - ecco * ecco
    rteosq = np.sqrt(omeosq)
    pinvsq = 1.0 / (ao * omeosq * (ao * omeosq))
    cosio2 = cosio * cosio
    cosio4 = cosio2 * cosio2
    temp1 = 1.5 * WGS72_J2 * pinvsq * no_unkozai
    temp2 = 0.5 * temp1 * WGS72_J2 * pinvsq
    temp3 = -0.46875 * WGS72_J4 * pinvsq * pinvsq * no_unkozai
    xhdot1 = -temp1 * cosio
    # An inclination of 180 degrees would divide by zero; the published code stops just short of it.
    one_plus_cosio = np.where(np.abs(cosio + 1.0) > 1.5e-12, 1.0 + cosio, 1.5e-12)
    return {
        "mdot": no_unkozai
        + 0.5 * temp1 * rteosq * (3.0 * cosio2 - 1.0)
        + 0.0625 * temp2 * rteosq * (13.0 - 78.0 * cosio2 + 137.0 * cosio4),
        "argpdot": -0.5 * temp1 * (1.0 - 5.0 * cosio2)
        + 0.0625 * temp2 * (7.0 - 114.0 * cosio2 + 395.0 * cosio4)
        + temp3 * (3.0 - 36.0 * cosio2 + 49.0 * cosio4),
        "nodedot": xhdot1
        + (0.5 * temp2 * (4.0 - 19.0 * cosio2) + 2.0 * temp3 * (3.0 - 7.0 * cosio2)) * cosio,
        "nodecf": 3.5 * omeosq * xhdot1 * cc1,
        "aycof": -0.5 * _J3_OVER_J2 * sinio,
        "xlcof": -0.25 * _J3_OVER_J2 * sinio * (3.0 + 5.0 * cosio) / one_plus_cosio,
    }


def _density(ao: FloatArray, ecco: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return s (radii) and (q0 - s)^4 of the density law; both bend for perigees below 156 km."""
    perigee_km = (ao * (1.0 - ecco) - 1.0) * WGS72_RADIUS_KM
    s_km = np.where(perigee_km < 156.0, np.where(perigee_km < 98.0, 20.0, perigee_km - 78.0), 78.0)
    q = (120.0 - s_km) / WGS72_RADIUS_KM
    return s_km / WGS72_RADIUS_KM + 1.0, q * q * (q * q)


def _drag(
    no_unkozai: FloatArray,
    ao: FloatArray,
    ecco: FloatArray,
    sinio: FloatArray,
    cosio: FloatArray,
    bstar: FloatArray,
    catalogue: Catalogue,
) -> dict[str, FloatArray]:
    """Return the coefficients of atmospheric drag."""
    sin_argp, cos_argp = sin_cos_turns(catalogue.argp_deg / 360.0)
    sinmao, cosmao = sin_cos_turns(catalogue.mean_anomaly_deg / 360.0)
    omeosq = 1.0 - ecco * ecco
    cosio2 = cosio * cosio
    con41 = 3.0 * cosio2 - 1.0
    s, qzms24 = _density(ao, ecco)

    tsi = 1.0 / (ao - s)
    eta = ao * ecco * tsi
    etasq = eta * eta
    eeta = ecco * eta
    psisq = np.abs(1.0 - etasq)
    coef = qzms24 * (tsi * tsi * (tsi * tsi))
    coef1 = coef / (psisq * psisq * psisq * np.sqrt(psisq))
    cc2 = (
        coef1
        * no_unkozai
        * (
            ao * (1.0 + 1.5 * etasq + eeta * (4.0 + etasq))
            + 0.375 * WGS72_J2 * tsi / psisq * con41 * (8.0 + 3.0 * etasq * (8.0 + etasq))
        )
    )
    cc1 = bstar * cc2
    has_perigee = ecco > 1.0e-4  # below, the direction of perigee is noise and its terms are left
    cc3 = np.where(has_perigee, -2.0 * coef * tsi * _J3_OVER_J2 * no_unkozai * sinio / ecco, 0.0)
    cos_2argp = 1.0 - 2.0 * sin_argp * sin_argp
    cc4 = (
        2.0
        * no_unkozai
        * coef1
        * ao
        * omeosq
        * (
            eta * (2.0 + 0.5 * etasq)
            + ecco * (0.5 + 2.0 * etasq)
            - WGS72_J2
            * tsi
            / (ao * psisq)
            * (
                -3.0 * con41 * (1.0 - 2.0 * eeta + etasq * (1.5 - 0.5 * eeta))
                + 0.75 * (1.0 - cosio2) * (2.0 * etasq - eeta * (1.0 + etasq)) * cos_2argp
            )
        )
    )
    cc5 = 2.0 * coef1 * ao * omeosq * (1.0 + 2.75 * (etasq + eeta) + eeta * etasq)
    delm = 1.0 + eta * cosmao
    # The higher terms diverge low in the atmosphere: the published flag `isimp`.
    high = ao * (1.0 - ecco) >= 220.0 / WGS72_RADIUS_KM + 1.0
    higher = {
        "cc5": cc5,
        "omgcof": bstar * cc3 * cos_argp,
        "xmcof": np.where(has_perigee, -2.0 / 3.0 * coef * bstar / eeta, 0.0),
        **_drag_powers(ao, s, tsi, cc1),
    }
    return {
        "cc1": cc1,
        "cc4": cc4,
        "t2cof": 1.5 * cc1,
        "eta": eta,
        "delmo": delm * delm * delm,
        "sinmao": sinmao,
        **{name: np.where(high, value, 0.0) for name, value in higher.items()},
    }


def _drag_powers(
    ao: FloatArray, s: FloatArray, tsi: FloatArray, cc1: FloatArray
) -> dict[str, FloatArray]:
    """Return the coefficients of the higher powers of time in a decaying orbit."""
    cc1sq = cc1 * cc1
    d2 = 4.0 * ao * tsi * cc1sq
    temp = d2 * tsi * cc1 / 3.0
    d3 = (17.0 * ao + s) * temp
    d4 = 0.5 * temp * ao * tsi * (221.0 * ao + 31.0 * s) * cc1
    return {
        "d2": d2,
        "d3": d3,
        "d4": d4,
        "t3cof": d2 + 2.0 * cc1sq,
        "t4cof": 0.25 * (3.0 * d3 + cc1 * (12.0 * d2 + 10.0 * cc1sq)),
        "t5cof": 0.2
        * (3.0 * d4 + 12.0 * cc1 * d3 + 6.0 * d2 * d2 + 15.0 * cc1sq * (2.0 * d2 + cc1sq)),
    }


def sin_cos_turns(turns: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return sine and cosine of angles given in turns (1.0 is 360 degrees), within 3e-15."""
    half = turns - np.rint(turns)  # exact; as an angle of pi * half, half of the one asked for
    square = half * half
    sine, cosine = np.full_like(square, SIN_PI[-1]), np.full_like(square, COS_PI[-1])
    for coefficient in SIN_PI[-2::-1]:
        sine = square * sine + coefficient
    for coefficient in (*COS_PI[-2::-1], 1.0):
        cosine = square * cosine + coefficient
    sine = half * sine
    return 2.0 * sine * cosine, 1.0 - 2.0 * sine * sine


def _to_two_thirds(x: FloatArray) -> FloatArray:
    """Return x^(2/3) for x >= 0, else NaN: a cube root by Newton's method, squared."""
    mantissa, exponent = np.frexp(x)
    thirds, rest = np.divmod(exponent, 3)
    scaled = np.ldexp(mantissa, rest)  # 0.5 to 4
    root = 0.65 + 0.25 * scaled  # within 15 %, so five steps square the error below rounding
    for _ in range(5):
        root = (2.0 * root + scaled / (root * root)) / 3.0
    root = np.ldexp(root, thirds)
    # Zero and infinity have no mantissa to start from.
    return np.select([x > 0.0, x == 0.0], [np.where(np.isinf(x), x, root * root), 0.0], np.nan)
