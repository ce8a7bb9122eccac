"""Formulas that published results rest on and no other module needs, each with its source."""

import math


def hexagon_area_m2(circle_m: float) -> float:
    """Return the area of a regular hexagon whose corners lie on a circle of diameter `circle_m`."""
    return 1.5 * math.sqrt(3.0) * (circle_m / 2.0) ** 2
