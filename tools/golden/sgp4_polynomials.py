"""Print the polynomials behind the sine and cosine of skyweave.twin.orbits.records.

sin(pi r) = r P(r^2) and cos(pi r) = 1 + r^2 Q(r^2) for |r| <= 1/2, interpolated at Chebyshev points
in z = r^2 over [0, 1/4] with 50 digits, then rounded.  Run: python tools/golden/sgp4_polynomials.py
"""

import math
from decimal import Decimal, getcontext

getcontext().prec = 50
PI = Decimal("3.14159265358979323846264338327950288419716939937511")
COEFFICIENTS = 8


def series(z: Decimal, first: int) -> Decimal:
    """Return the sum over k of (-1)^k pi^n z^k / n! with n = first + 2 k, to 50 digits."""
    term = PI**first / math.factorial(first)
    total, n = Decimal(0), first
    while abs(term) > Decimal(10) ** -50:
        total += term
        term *= -PI * PI * z / ((n + 1) * (n + 2))
        n += 2
    return total


def interpolated(first: int) -> list[float]:
    """Return the coefficients, lowest first, of the interpolating polynomial in z."""
    angles = [math.pi * (2 * k + 1) / (2 * COEFFICIENTS) for k in range(COEFFICIENTS)]
    nodes = [Decimal((1.0 + math.cos(angle)) / 8.0) for angle in angles]
    newton = [series(z, first) for z in nodes]
    for order in range(1, COEFFICIENTS):
        for k in range(COEFFICIENTS - 1, order - 1, -1):
            newton[k] = (newton[k] - newton[k - 1]) / (nodes[k] - nodes[k - order])
    coefficients = [newton[-1]]
    for k in range(COEFFICIENTS - 2, -1, -1):  # multiply by (z - node), add the next difference
        shifted = [Decimal(0), *coefficients]
        for j, value in enumerate(coefficients):
            shifted[j] -= nodes[k] * value
        shifted[0] += newton[k]
        coefficients = shifted
    return [float(value) for value in coefficients]


if __name__ == "__main__":
    print("SIN_PI =", interpolated(1))
    # cos(pi r) - 1 = -z (pi^2 / 2! - pi^4 z / 4! + ...)
    print("COS_PI =", [-value for value in interpolated(2)])
