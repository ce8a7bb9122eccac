"""SGP4 for near-Earth satellites: a vectorised kernel for near-circular orbits, and a general one.

Both follow the equations of Vallado et al., AIAA 2006-6753, written out plainly in `reference.py`.

The vectorised kernel advances a block of satellites together to one instant.  It avoids what
vectors do slowly: angles are kept in turns, so reducing them is exact and cheap; series, not
divisions and square roots, serve where a small eccentricity makes them exact; no angle is ever
recovered from its sine.  A lane that leaves the range where that holds within micrometres is marked
HAND_OVER and done again by the general kernel, which also gives all error codes.

Every operation is an IEEE one in a stated order (fused multiply-adds are written out, `fastmath` is
off), so a pair of satellite and instant gives the same bits whatever the thread count, the vector
width, the other satellites or the other instants.
"""

import math
from collections.abc import Callable
from typing import Any, cast

import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from skyweave.constants import WGS72_J2, WGS72_RADIUS_KM
from skyweave.kernels import kernel, parallel_kernels
from skyweave.twin.orbits.records import COS_PI, DEEP_SPACE, NEAR_CIRCULAR, SIN_PI, XKE, Sgp4Records

FloatArray = NDArray[np.float64]

HAND_OVER = 255  # error code of a pair that the general kernel has yet to do

BLOCK = 64  # satellites advanced together: a block's 30 KB stay in the first-level cache

_RADIUS_M = WGS72_RADIUS_KM * 1e3
_SPEED_M_S = _RADIUS_M * XKE / 60.0  # SGP4's unit of speed
_TWO_PI = 2.0 * math.pi
_TURN = 1.0 / _TWO_PI
_NS_PER_MINUTE = 60_000_000_000

# The packed coefficients: one row each, at these offsets in a block's scratch (angles in turns).
(
    MINUTE, FRACTION,  # epoch: whole minutes, and the rest
    MA0, MA1,  # mean anomaly, and its secular rate
    AP0, AP1,  # argument of perigee
    RA0, RA1, RA2,  # right ascension of the ascending node
    ETA, SHIFT0, SHIFT1, SHIFT3,  # drag's shift between anomaly and perigee (rad)
    A1, A2, A3, A4,  # drag on the axis, powers of time
    E0, E1, E2,  # drag on the eccentricity
    L2, L3, L4, L5,  # drag on the mean longitude, powers of time
    AYCOF, XLCOF,  # long-period coefficients (rad)
    SINI, COSI,
    AXIS, INVERSE_AXIS, INVERSE_ROOT_AXIS,
    MAX_ECC,  # of the vectorised kernel: -1 where the row is not for it
    COEFFICIENTS_END,
) = range(0, 33 * BLOCK, BLOCK)  # fmt: skip
_COEFFICIENTS = COEFFICIENTS_END // BLOCK

# What the loops over a block hand to each other.
(
    TIME, SIN_MA, COS_MA, SIN_AP, COS_AP, SIN_U, COS_U, SIN_RA, COS_RA,
    AXN, AYN, ELSQ, LONG, AM, INVERSE_A, INVERSE_ROOT_A, ECOS, ESIN,
    X, Y, Z, VX, VY, VZ,
    BAD, ANY_BAD,
    SCRATCH_END,
) = range(COEFFICIENTS_END, COEFFICIENTS_END + 27 * BLOCK, BLOCK)  # fmt: skip

# Where the vectorised kernel's series hold to a micrometre, and beyond which it hands over.
_MAX_ECCENTRICITY = 0.025
_MAX_SHIFT_RAD = 0.1
_MAX_LONG_RAD = 1e-3
_MIN_AXIS_RATIO = 0.5  # root of the axis over that at epoch

# Adding and subtracting it rounds to the nearest integer.
_ROUNDER = 1.5 * 2.0**52


def near_earth(
    records: Sgp4Records,
    utc: NDArray[np.datetime64],
    turn: tuple[FloatArray, FloatArray] | None,
    velocity: bool,
) -> tuple[FloatArray, FloatArray | None, NDArray[np.uint8]]:
    """Propagate the near-Earth rows; deep-space rows come back as HAND_OVER, to be filled.

    With `turn`, matrices M (T, 3, 3) and rotation vectors w (T, 3) in rad/s, the answer is
    Earth-fixed, r = M r_teme and v = M v_teme - w x r; without, TEME.  Returns positions (T, N, 3)
    in m, velocities in m/s when asked for, and error codes (T, N); a failed pair is NaN.
    """
    N, T = len(records), utc.size
    with np.errstate(all="ignore"):  # elements outside SGP4's domain get a code, not a warning
        rows = _packed(records)
    minute, fraction = _minutes(utc)
    position = _empty(T * N * 3)
    speed = _empty(T * N * 3 if velocity else 0)
    error = np.empty(T * N, dtype=np.uint8)
    handed_over = np.empty(N, dtype=np.bool_)
    turning = turn is not None
    M, w = (np.zeros((0, 3, 3)), np.zeros((0, 3))) if turn is None else turn
    M, w = np.ascontiguousarray(M), np.ascontiguousarray(w)
    with parallel_kernels:
        _near_circular(
            rows, minute, fraction, turning, M, w, velocity, position, speed, error, handed_over
        )
        left = np.flatnonzero(handed_over & (records.method != DEEP_SPACE))
        if left.size:
            _general(left, rows, minute, fraction, turning, M, w, velocity, position, speed, error)
    shape = (T, N, 3)
    return (
        position.reshape(shape),
        speed.reshape(shape) if velocity else None,
        error.reshape(shape[:2]),
    )


def _empty(size: int) -> FloatArray:
    """Return an array that starts on a cache line, so that vector stores do not straddle two."""
    array = np.empty(size + 8)
    start = -array.ctypes.data % 64 // 8
    return array[start : start + size]


def _minutes(instant: NDArray[np.datetime64]) -> tuple[FloatArray, FloatArray]:
    """Split instants into whole minutes since 1970 and the rest, so that differences are exact."""
    ns = np.asarray(instant, dtype="datetime64[ns]").astype(np.int64)
    whole, rest_ns = np.divmod(ns, _NS_PER_MINUTE)
    return whole.astype(np.float64), rest_ns / float(_NS_PER_MINUTE)


def _packed(records: Sgp4Records) -> FloatArray:
    """Return the kernels' coefficients, shape (rows, N)."""
    r = records
    rows = np.empty((_COEFFICIENTS, len(r)))
    minute, fraction = _minutes(r.epoch_utc)
    bc5 = r.bstar * r.cc5
    for offset, values in {
        MINUTE: minute,
        FRACTION: fraction,
        MA0: r.mo * _TURN,
        MA1: r.mdot * _TURN,
        AP0: r.argpo * _TURN,
        AP1: r.argpdot * _TURN,
        RA0: r.nodeo * _TURN,
        RA1: r.nodedot * _TURN,
        RA2: r.nodecf * _TURN,
        ETA: r.eta,
        SHIFT0: -r.xmcof * r.delmo,
        SHIFT1: r.omgcof,
        SHIFT3: r.xmcof,
        A1: -r.cc1,
        A2: -r.d2,
        A3: -r.d3,
        A4: -r.d4,
        E0: r.ecco + bc5 * r.sinmao,
        E1: -r.bstar * r.cc4,
        E2: -bc5,
        L2: r.no_unkozai * r.t2cof * _TURN,
        L3: r.no_unkozai * r.t3cof * _TURN,
        L4: r.no_unkozai * r.t4cof * _TURN,
        L5: r.no_unkozai * r.t5cof * _TURN,
        AYCOF: r.aycof,
        XLCOF: r.xlcof,
        SINI: r.sinio,
        COSI: r.cosio,
        AXIS: r.ao,
        INVERSE_AXIS: 1.0 / r.ao,
        INVERSE_ROOT_AXIS: 1.0 / np.sqrt(r.ao),
        MAX_ECC: np.where(r.method == NEAR_CIRCULAR, _MAX_ECCENTRICITY, -1.0),
    }.items():
        rows[offset // BLOCK] = values
    return rows


def _as_intrinsic(function: Callable[..., Any]) -> Callable[..., Any]:
    """Declare a function that writes LLVM code itself; kernels call it without its context."""
    return cast(Callable[..., Any], intrinsic(function))


@_as_intrinsic
def _fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), code


@_as_intrinsic
def _quotient(typing_context: Any, a: Any, b: Any) -> Any:
    """Return a / b without Python's check for zero, which would keep loops from vectorising."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.fdiv(*args)

    return types.float64(types.float64, types.float64), code


@_as_intrinsic
def _use_widest_vectors(typing_context: Any) -> Any:
    """Let LLVM use 512-bit vectors in this function: by default it stops at 256 on most Intels.

    `llvmlite` knows no such attribute by name, so it is added past its list of known ones.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        attributes = builder.function.attributes
        set.add(attributes, '"prefer-vector-width"="512"')
        attributes.add("noinline")  # inlined, the function would lose the wish
        return context.get_dummy_value()

    return types.none(), code


@_as_intrinsic
def _store_eight(typing_context: Any, scratch: Any, at: Any, out: Any, to: Any) -> Any:
    """Write out[to : to + 24] as eight (x, y, z) from three rows of eight, by shuffles.

    LLVM itself would scatter them one by one, which takes as long as the propagation.
    """

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        eight, index = ir.VectorType(ir.DoubleType(), 8), ir.IntType(64)
        source, target = (
            context.make_array(kind)(context, builder, array).data
            for kind, array in ((signature.args[0], args[0]), (signature.args[2], args[2]))
        )

        def address(base: Any, start: Any, offset: int) -> Any:
            place = builder.gep(base, [builder.add(start, ir.Constant(index, offset))])
            return builder.bitcast(place, eight.as_pointer())

        def shuffled(a: Any, b: Any, lanes: list[int]) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), 8), lanes)
            return builder.shuffle_vector(a, b, mask)

        x, y, z = (builder.load(address(source, args[1], k * BLOCK), align=8) for k in range(3))
        for part in range(3):
            places = [divmod(8 * part + lane, 3) for lane in range(8)]  # (satellite, component)
            xy = shuffled(x, y, [sat + 8 * (c == 1) for sat, c in places])
            picks = [8 + sat if c == 2 else lane for lane, (sat, c) in enumerate(places)]
            builder.store(shuffled(xy, z, picks), address(target, args[3], 8 * part), align=8)
        return context.get_dummy_value()

    return types.none(scratch, types.intp, out, types.intp), code


@_as_intrinsic
def _prefetch(typing_context: Any, out: Any, at: Any) -> Any:
    """Fetch the cache line of out[at] for writing."""

    def code(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        base = context.make_array(signature.args[0])(context, builder, args[0]).data
        flag, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, flag, flag, flag])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [pointer], kind)
        place = builder.bitcast(builder.gep(base, [args[1]]), pointer)
        builder.call(prefetch, [place, *(ir.Constant(flag, value) for value in (1, 3, 1))])
        return context.get_dummy_value()

    return types.none(out, types.intp), code


@kernel()
def _sincos(turns: float) -> tuple[float, float]:
    """Return sine and cosine of an angle in turns, within 3e-15."""
    half = turns - ((turns + _ROUNDER) - _ROUNDER)
    square = half * half
    sine = _fma(square, SIN_PI[7], SIN_PI[6])
    sine = _fma(square, sine, SIN_PI[5])
    sine = _fma(square, sine, SIN_PI[4])
    sine = _fma(square, sine, SIN_PI[3])
    sine = _fma(square, sine, SIN_PI[2])
    sine = _fma(square, sine, SIN_PI[1])
    sine = half * _fma(square, sine, SIN_PI[0])
    cosine = _fma(square, COS_PI[7], COS_PI[6])
    cosine = _fma(square, cosine, COS_PI[5])
    cosine = _fma(square, cosine, COS_PI[4])
    cosine = _fma(square, cosine, COS_PI[3])
    cosine = _fma(square, cosine, COS_PI[2])
    cosine = _fma(square, cosine, COS_PI[1])
    cosine = _fma(square, cosine, COS_PI[0])
    cosine = _fma(square, cosine, 1.0)
    double = sine + sine
    return double * cosine, _fma(-double, sine, 1.0)


@kernel()
def _sincos_small(angle_rad: float) -> tuple[float, float]:
    """Return sine and cosine of |angle| < 0.1 rad, within 3e-13 (3e-17 below 0.03)."""
    square = angle_rad * angle_rad
    sine = _fma(square, -1.0 / 5040.0, 1.0 / 120.0)
    sine = _fma(square, sine, -1.0 / 6.0)
    cosine = _fma(square, -1.0 / 720.0, 1.0 / 24.0)
    cosine = _fma(square, cosine, -0.5)
    return _fma(square * angle_rad, sine, angle_rad), _fma(square, cosine, 1.0)


@kernel()
def _turned(sine: float, cosine: float, angle_rad: float) -> tuple[float, float]:
    """Return sine and cosine of an angle increased by |angle_rad| < 1e-3, within 5e-14."""
    square = angle_rad * angle_rad
    ds = _fma(square * angle_rad, -1.0 / 6.0, angle_rad)
    dc = _fma(square, -0.5, 1.0)
    return _fma(sine, dc, cosine * ds), _fma(cosine, dc, -(sine * ds))


@kernel()
def _secular(q: FloatArray, minute: float, fraction: float) -> None:
    """Stage 1: time since epoch, and sine and cosine of the four angles that grow with it."""
    _use_widest_vectors()
    for i in range(BLOCK):
        t = (minute - q[MINUTE + i]) + (fraction - q[FRACTION + i])
        anomaly = _fma(q[MA1 + i], t, q[MA0 + i])
        argp = _fma(q[AP1 + i], t, q[AP0 + i])
        node = _fma(t, _fma(q[RA2 + i], t, q[RA1 + i]), q[RA0 + i])
        drag = _fma(t, _fma(t, _fma(t, q[L5 + i], q[L4 + i]), q[L3 + i]), q[L2 + i]) * (t * t)
        q[TIME + i] = t
        q[SIN_MA + i], q[COS_MA + i] = _sincos(anomaly)
        q[SIN_AP + i], q[COS_AP + i] = _sincos(argp)
        q[SIN_U + i], q[COS_U + i] = _sincos((anomaly + argp) + drag)
        q[SIN_RA + i], q[COS_RA + i] = _sincos(node)


@kernel()
def _mean_elements(q: FloatArray) -> None:
    """Stage 2: drag on axis, eccentricity and perigee; the long-period terms.

    `shift` moves the anomaly forward and the perigee back, so their sum does not feel it.
    """
    _use_widest_vectors()
    for i in range(BLOCK):
        t = q[TIME + i]
        ratio = _fma(t, _fma(t, _fma(t, q[A4 + i], q[A3 + i]), q[A2 + i]), q[A1 + i])
        ratio = _fma(t, ratio, 1.0)
        inverse = _quotient(1.0, ratio)
        inverse_a = q[INVERSE_AXIS + i] * (inverse * inverse)

        delm = _fma(q[ETA + i], q[COS_MA + i], 1.0)
        shift = _fma(q[SHIFT3 + i], delm * delm * delm, _fma(q[SHIFT1 + i], t, q[SHIFT0 + i]))
        ds, dc = _sincos_small(shift)
        sin_ma = _fma(q[SIN_MA + i], dc, q[COS_MA + i] * ds)
        sin_ap = _fma(q[SIN_AP + i], dc, -(q[COS_AP + i] * ds))
        cos_ap = _fma(q[COS_AP + i], dc, q[SIN_AP + i] * ds)

        drawn = _fma(q[E2 + i], sin_ma, _fma(q[E1 + i], t, q[E0 + i]))
        ecc = max(drawn, 1.0e-6)
        square = ecc * ecc
        inverse_p = inverse_a * _fma(square, _fma(square, 1.0 + square, 1.0), 1.0)
        axn = ecc * cos_ap
        ayn = _fma(ecc, sin_ap, inverse_p * q[AYCOF + i])
        long = inverse_p * q[XLCOF + i] * axn
        elsq = _fma(axn, axn, ayn * ayn)

        q[AM + i] = q[AXIS + i] * (ratio * ratio)
        q[INVERSE_A + i] = inverse_a
        q[INVERSE_ROOT_A + i] = q[INVERSE_ROOT_AXIS + i] * inverse
        q[AXN + i] = axn
        q[AYN + i] = ayn
        q[LONG + i] = long
        q[ELSQ + i] = elsq
        # A NaN fails every comparison, so it is handed over too.
        good = (
            (drawn >= -0.001)
            & (drawn < q[MAX_ECC + i])
            & (abs(shift) < _MAX_SHIFT_RAD)
            & (abs(long) < _MAX_LONG_RAD)
            & (ratio > _MIN_AXIS_RATIO)
        )
        q[BAD + i] = 0.0 if good else float(HAND_OVER)


@kernel()
def _kepler(q: FloatArray) -> None:
    """Stage 3: Kepler's equation in the equinoctial form of SGP4.

    With E = u + d, C = axn cos u + ayn sin u and S = axn sin u - ayn cos u it reads
    d = long + S cos d + C sin d, solved as a power series in d (|d| < 0.03): two fixed-point steps,
    then one of Newton, leave an error of 1e-15.
    """
    _use_widest_vectors()
    for i in range(BLOCK):
        sin_u, cos_u = q[SIN_U + i], q[COS_U + i]
        axn, ayn, long = q[AXN + i], q[AYN + i], q[LONG + i]
        S = _fma(axn, sin_u, -(ayn * cos_u))
        C = _fma(axn, cos_u, ayn * sin_u)
        square = C * C
        inverse = 1.0 + C  # of 1 - C, by a product that doubles its digits
        inverse = _fma(inverse, square, inverse)
        inverse = _fma(inverse, square * square, inverse)
        second, third = -0.5 * S, (-1.0 / 6.0) * C
        linear = inverse * (S + long)
        d = _fma(inverse * (linear * linear), _fma(linear, third, second), linear)
        series = _fma(d, _fma((1.0 / 120.0) * C, d, (1.0 / 24.0) * S), third)
        series = _fma(d, series, second)
        residual = _fma(inverse * (d * d), series, linear) - d
        slope = inverse * d * _fma(-0.5 * C, d, -S)
        d = _fma(residual, _fma(slope, slope, 1.0 + slope), d)
        ds, dc = _sincos_small(d)
        q[SIN_U + i] = _fma(sin_u, dc, cos_u * ds)
        q[COS_U + i] = _fma(cos_u, dc, -(sin_u * ds))
        q[ECOS + i] = _fma(C, dc, -(S * ds))
        q[ESIN + i] = d - long


@kernel()
def _short_period(q: FloatArray) -> None:
    """Stage 4: short-period terms, then position and velocity in TEME, m and m/s."""
    _use_widest_vectors()
    for i in range(BLOCK):
        axn, ayn, elsq = q[AXN + i], q[AYN + i], q[ELSQ + i]
        ecos, esin = q[ECOS + i], q[ESIN + i]
        inverse_a, inverse_root_a = q[INVERSE_A + i], q[INVERSE_ROOT_A + i]
        sini, cosi = q[SINI + i], q[COSI + i]

        square = ecos * ecos
        a_over_r = 1.0 + ecos
        a_over_r = _fma(a_over_r, square, a_over_r)
        a_over_r = _fma(a_over_r, square * square, a_over_r)
        # 1 / (1 + sqrt(1 - x)), and with it the root, by their series in x.
        half = _fma(elsq, _fma(elsq, 1.0 / 16.0, 1.0 / 8.0), 0.5)
        beta = _fma(-elsq, half, 1.0)
        lean = esin * half
        sin_u = a_over_r * (q[SIN_U + i] - _fma(axn, lean, ayn))
        cos_u = a_over_r * (q[COS_U + i] - _fma(-ayn, lean, axn))
        double = sin_u + sin_u
        sin_2u = double * cos_u
        cos_2u = _fma(-double, sin_u, 1.0)

        inverse_p = 1.0 + elsq
        inverse_p = inverse_a * _fma(inverse_p, elsq * elsq, inverse_p)
        temp1 = (0.5 * WGS72_J2) * inverse_p
        temp2 = temp1 * inverse_p
        cosisq = cosi * cosi
        x1mth2 = 1.0 - cosisq
        con41 = _fma(4.5, cosisq, -1.5)  # times 3/2
        radius = _fma(
            q[AM + i] * (1.0 - ecos),
            _fma(-(temp2 * beta), con41, 1.0),
            (0.5 * temp1) * (x1mth2 * cos_2u),
        )
        sin_u, cos_u = _turned(sin_u, cos_u, (-0.25 * temp2) * (_fma(7.0, cosisq, -1.0) * sin_2u))
        tilt = (1.5 * temp2) * cosi
        sin_ra, cos_ra = _turned(q[SIN_RA + i], q[COS_RA + i], tilt * sin_2u)
        sin_inc, cos_inc = _turned(sini, cosi, tilt * (sini * cos_2u))
        rate = inverse_a * inverse_root_a * temp1
        scale = a_over_r * inverse_root_a
        along_r = _fma(-rate, x1mth2 * sin_2u, esin * scale) * _SPEED_M_S
        across_r = _fma(rate, _fma(x1mth2, cos_2u, con41), beta * scale) * _SPEED_M_S

        xmx = -(sin_ra * cos_inc)
        xmy = cos_ra * cos_inc
        ux = _fma(xmx, sin_u, cos_ra * cos_u)
        uy = _fma(xmy, sin_u, sin_ra * cos_u)
        uz = sin_inc * sin_u
        radius_m = radius * _RADIUS_M
        q[X + i] = radius_m * ux
        q[Y + i] = radius_m * uy
        q[Z + i] = radius_m * uz
        q[VX + i] = _fma(along_r, ux, across_r * _fma(xmx, cos_u, -(cos_ra * sin_u)))
        q[VY + i] = _fma(along_r, uy, across_r * _fma(xmy, cos_u, -(sin_ra * sin_u)))
        q[VZ + i] = _fma(along_r, uz, across_r * (sin_inc * cos_u))
        bad = q[BAD + i] if radius >= 1.0 else float(HAND_OVER)
        q[BAD + i] = bad
        q[ANY_BAD + i] = max(q[ANY_BAD + i], bad)


@kernel()
def _to_itrf(q: FloatArray, matrix: FloatArray, spin: FloatArray, k: int) -> None:
    """Stage 5: r = M r and v = M v - w x r of one block, matrix (T, 3, 3) and spin (T, 3)."""
    _use_widest_vectors()
    M, w = matrix[k], spin[k]
    for i in range(BLOCK):
        x, y, z = q[X + i], q[Y + i], q[Z + i]
        vx, vy, vz = q[VX + i], q[VY + i], q[VZ + i]
        px = _fma(M[0, 0], x, _fma(M[0, 1], y, M[0, 2] * z))
        py = _fma(M[1, 0], x, _fma(M[1, 1], y, M[1, 2] * z))
        pz = _fma(M[2, 0], x, _fma(M[2, 1], y, M[2, 2] * z))
        vx, vy, vz = (
            _fma(M[0, 0], vx, _fma(M[0, 1], vy, M[0, 2] * vz)),
            _fma(M[1, 0], vx, _fma(M[1, 1], vy, M[1, 2] * vz)),
            _fma(M[2, 0], vx, _fma(M[2, 1], vy, M[2, 2] * vz)),
        )
        q[X + i], q[Y + i], q[Z + i] = px, py, pz
        q[VX + i] = vx - _fma(w[1], pz, -(w[2] * py))
        q[VY + i] = vy - _fma(w[2], px, -(w[0] * pz))
        q[VZ + i] = vz - _fma(w[0], py, -(w[1] * px))


@kernel()
def _store(q: FloatArray, row: int, count: int, out: FloatArray, start: int) -> None:
    """Write `count` (x, y, z) from three rows of the scratch to out[start:], flat."""
    _use_widest_vectors()
    eights = count // 8
    for k in range(eights):
        _store_eight(q, row + 8 * k, out, start + 24 * k)
    for i in range(8 * eights, count):
        for c in range(3):
            out[start + 3 * i + c] = q[row + c * BLOCK + i]


@kernel()
def _advance_block(
    first: int,
    rows: FloatArray,
    minute: FloatArray,
    fraction: FloatArray,
    turning: bool,
    M: FloatArray,
    w: FloatArray,
    velocity: bool,
    position: FloatArray,
    speed: FloatArray,
    error: NDArray[np.uint8],
    handed_over: NDArray[np.bool_],
) -> None:
    """Propagate the block that begins at satellite `first` to all instants."""
    N = rows.shape[1]
    count = min(BLOCK, N - first)
    q = np.zeros(SCRATCH_END)
    for r in range(_COEFFICIENTS):
        for i in range(BLOCK):  # spare lanes repeat the last satellite
            q[r * BLOCK + i] = rows[r, first + min(i, count - 1)]
    for k in range(minute.size):
        # The lines to be written arrive while the block is computed.
        start = k * N + first
        for i in range(0, 3 * count, 8):
            _prefetch(position, 3 * start + i)
            if velocity:
                _prefetch(speed, 3 * start + i)
        _secular(q, minute[k], fraction[k])
        _mean_elements(q)
        _kepler(q)
        _short_period(q)
        if turning:
            _to_itrf(q, M, w, k)
        _store(q, X, count, position, 3 * start)
        if velocity:
            _store(q, VX, count, speed, 3 * start)
        for i in range(count):
            error[start + i] = np.uint8(q[BAD + i])
    for i in range(count):
        handed_over[first + i] = q[ANY_BAD + i] > 0.0


@kernel(parallel=True)
def _near_circular(
    rows: FloatArray,
    minute: FloatArray,
    fraction: FloatArray,
    turning: bool,
    M: FloatArray,
    w: FloatArray,
    velocity: bool,
    position: FloatArray,
    speed: FloatArray,
    error: NDArray[np.uint8],
    handed_over: NDArray[np.bool_],
) -> None:
    """Propagate every row, block by block; what cannot be done here is marked HAND_OVER.

    `position`, `speed` and `error` are flat in the order (T, N, 3) and (T, N); `handed_over` (N,)
    tells which satellites have a mark.
    """
    for block in prange((rows.shape[1] + BLOCK - 1) // BLOCK):
        _advance_block(
            block * BLOCK, rows, minute, fraction, turning, M, w, velocity, position, speed, error,
            handed_over,
        )  # fmt: skip


@kernel()
def _solve_kepler(u_rad: float, axn: float, ayn: float) -> tuple[float, float]:
    """Return sine and cosine of E, iterated as the published code does, limits included."""
    E = u_rad
    sin_e, cos_e = 0.0, 1.0
    step, tries = 1.0, 0
    while abs(step) >= 1.0e-12 and tries < 10:
        sin_e, cos_e = _sincos(E * _TURN)
        slope = 1.0 - cos_e * axn - sin_e * ayn
        step = _quotient(u_rad - ayn * cos_e + axn * sin_e - E, slope)
        step = min(0.95, max(-0.95, step))
        E = E + step
        tries += 1
    return sin_e, cos_e


@kernel()
def _advance_one(c: FloatArray, t: float, state: FloatArray) -> int:
    """Propagate one satellite, coefficients `c`, to `t` minutes after epoch; return SGP4's code.

    `state` (6,) becomes position and velocity in TEME, m and m/s, where the code is 0.
    """
    anomaly = c[MA0 // BLOCK] + c[MA1 // BLOCK] * t
    argp = c[AP0 // BLOCK] + c[AP1 // BLOCK] * t
    node = c[RA0 // BLOCK] + t * (c[RA1 // BLOCK] + c[RA2 // BLOCK] * t)
    drag = t * (c[L3 // BLOCK] + t * (c[L4 // BLOCK] + t * c[L5 // BLOCK]))
    drag = (t * t) * (c[L2 // BLOCK] + drag)
    ratio = t * (c[A2 // BLOCK] + t * (c[A3 // BLOCK] + t * c[A4 // BLOCK]))
    ratio = 1.0 + t * (c[A1 // BLOCK] + ratio)
    delm = 1.0 + c[ETA // BLOCK] * _sincos(anomaly)[1]
    shift = c[SHIFT3 // BLOCK] * (delm * delm * delm)
    shift = _TURN * (c[SHIFT0 // BLOCK] + c[SHIFT1 // BLOCK] * t + shift)
    am = c[AXIS // BLOCK] * (ratio * ratio)
    ecc = c[E0 // BLOCK] + c[E1 // BLOCK] * t + c[E2 // BLOCK] * _sincos(anomaly + shift)[0]
    if not (-0.001 <= ecc < 1.0):
        return 1
    ecc = max(ecc, 1.0e-6)

    sine, cosine = _sincos(argp - shift)
    temp = _quotient(1.0, am * (1.0 - ecc * ecc))
    axn = ecc * cosine
    ayn = ecc * sine + temp * c[AYCOF // BLOCK]
    u = (anomaly + argp) + drag + _TURN * (temp * c[XLCOF // BLOCK] * axn)
    sine, cosine = _solve_kepler(_TWO_PI * (u - ((u + _ROUNDER) - _ROUNDER)), axn, ayn)

    ecose = axn * cosine + ayn * sine
    esine = axn * sine - ayn * cosine
    elsq = axn * axn + ayn * ayn
    pl = am * (1.0 - elsq)
    if pl < 0.0:
        return 4
    rl = am * (1.0 - ecose)
    betal = math.sqrt(1.0 - elsq)
    temp = _quotient(esine, 1.0 + betal)
    sin_u = _quotient(am, rl) * (sine - ayn - axn * temp)
    cos_u = _quotient(am, rl) * (cosine - axn + ayn * temp)
    sin_2u = (cos_u + cos_u) * sin_u
    cos_2u = 1.0 - 2.0 * sin_u * sin_u

    temp1 = _quotient(0.5 * WGS72_J2, pl)
    temp2 = _quotient(temp1, pl)
    sini, cosi = c[SINI // BLOCK], c[COSI // BLOCK]
    con41, x1mth2, x7thm1 = 3.0 * cosi * cosi - 1.0, 1.0 - cosi * cosi, 7.0 * cosi * cosi - 1.0
    radius = rl * (1.0 - 1.5 * temp2 * betal * con41) + 0.5 * temp1 * x1mth2 * cos_2u
    if radius < 1.0:
        return 6
    if not (radius < math.inf):
        return 1  # elements that are not numbers

    sine, cosine = _sincos(_TURN * (-0.25 * temp2 * x7thm1 * sin_2u))
    sin_u, cos_u = sin_u * cosine + cos_u * sine, cos_u * cosine - sin_u * sine
    sin_ra, cos_ra = _sincos(node + _TURN * (1.5 * temp2 * cosi * sin_2u))
    sine, cosine = _sincos(_TURN * (1.5 * temp2 * cosi * sini * cos_2u))
    sin_inc, cos_inc = sini * cosine + cosi * sine, cosi * cosine - sini * sine
    root = math.sqrt(am)
    temp = _quotient(temp1, am * root)
    along_r = _SPEED_M_S * (_quotient(root * esine, rl) - temp * x1mth2 * sin_2u)
    across_r = _quotient(math.sqrt(pl), rl) + temp * (x1mth2 * cos_2u + 1.5 * con41)
    across_r = _SPEED_M_S * across_r

    xmx, xmy = -sin_ra * cos_inc, cos_ra * cos_inc
    ux, uy, uz = xmx * sin_u + cos_ra * cos_u, xmy * sin_u + sin_ra * cos_u, sin_inc * sin_u
    radius_m = _RADIUS_M * radius
    state[0], state[1], state[2] = radius_m * ux, radius_m * uy, radius_m * uz
    state[3] = along_r * ux + across_r * (xmx * cos_u - cos_ra * sin_u)
    state[4] = along_r * uy + across_r * (xmy * cos_u - sin_ra * sin_u)
    state[5] = along_r * uz + across_r * (sin_inc * cos_u)
    return 0


@kernel()
def _turn_one(state: FloatArray, matrix: FloatArray, spin: FloatArray, k: int) -> None:
    """Turn one TEME state (6,) into ITRF, at instant `k`."""
    x, y, z, vx, vy, vz = state[0], state[1], state[2], state[3], state[4], state[5]
    for c in range(3):
        state[c] = matrix[k, c, 0] * x + matrix[k, c, 1] * y + matrix[k, c, 2] * z
        state[3 + c] = matrix[k, c, 0] * vx + matrix[k, c, 1] * vy + matrix[k, c, 2] * vz
    state[3] -= spin[k, 1] * state[2] - spin[k, 2] * state[1]
    state[4] -= spin[k, 2] * state[0] - spin[k, 0] * state[2]
    state[5] -= spin[k, 0] * state[1] - spin[k, 1] * state[0]


@kernel()
def _advance_satellite(
    sat: int,
    rows: FloatArray,
    minute: FloatArray,
    fraction: FloatArray,
    turning: bool,
    M: FloatArray,
    w: FloatArray,
    velocity: bool,
    position: FloatArray,
    speed: FloatArray,
    error: NDArray[np.uint8],
) -> None:
    """Do the pairs of one satellite that are marked HAND_OVER."""
    c, state = np.empty(_COEFFICIENTS), np.empty(6)
    for r in range(_COEFFICIENTS):
        c[r] = rows[r, sat]
    for k in range(minute.size):
        pair = k * rows.shape[1] + sat
        if error[pair] != HAND_OVER:
            continue
        t = (minute[k] - c[MINUTE // BLOCK]) + (fraction[k] - c[FRACTION // BLOCK])
        code = _advance_one(c, t, state)
        error[pair] = code
        if code != 0:
            for i in range(6):
                state[i] = math.nan
        elif turning:
            _turn_one(state, M, w, k)
        for i in range(3):
            position[3 * pair + i] = state[i]
            if velocity:
                speed[3 * pair + i] = state[3 + i]


@kernel(parallel=True)
def _general(
    left: NDArray[np.int64],
    rows: FloatArray,
    minute: FloatArray,
    fraction: FloatArray,
    turning: bool,
    M: FloatArray,
    w: FloatArray,
    velocity: bool,
    position: FloatArray,
    speed: FloatArray,
    error: NDArray[np.uint8],
) -> None:
    """Do the pairs that are marked HAND_OVER, of the satellites `left`; arrays as above."""
    for j in prange(left.size):
        _advance_satellite(
            left[j], rows, minute, fraction, turning, M, w, velocity, position, speed, error
        )
