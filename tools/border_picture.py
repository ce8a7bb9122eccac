"""Draw docs/images/border.png: a convoy leaves a licensed area and comes back.

    python tools/border_picture.py

The levels are those of skyweave.policy.border for fixes with an error of 200 m (1 sigma).
"""

import itertools
import sys
from pathlib import Path
from typing import Any, NamedTuple

import h3.api.numpy_int as h3_cells
import numpy as np
from numpy.typing import NDArray

from skyweave.constants import EARTH_MEAN_RADIUS_M
from skyweave.policy.border import Border, BorderRules, BorderState, Level, step
from skyweave.policy.regions import margin_rings
from skyweave.twin.results.style import (
    BLUE,
    FAINT,
    GREEN,
    GREY,
    INK,
    ORANGE,
    VERMILLION,
    save,
    style,
    titled,
)

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "border.png"
LAT_DEG, LON_DEG = 47.0, 8.0
AREA = np.unique(h3_cells.grid_disk(h3_cells.latlng_to_cell(LAT_DEG, LON_DEG, 5), 4))
AREA = AREA.astype(np.uint64)
RULES = BorderRules(lifeline_s=1_800.0)
SIGMA_M, SPEED_M_S, EVERY_S = 200.0, 15.0, 15.0
M_A_DEG = np.pi * EARTH_MEAN_RADIUS_M / 180.0
COLOUR = {
    Level.INSIDE: GREEN, Level.WARNED: BLUE, Level.GRACE: ORANGE, Level.LIFELINE: VERMILLION,
    Level.OFF: INK,
}  # fmt: skip
SERVICE = {
    Level.INSIDE: "inside: full rate",
    Level.WARNED: "margin: full rate, warned",
    Level.GRACE: "grace: 1 Mbit/s",
    Level.LIFELINE: "lifeline: 64 kbit/s",
    Level.OFF: "off, with a reason code",
}


class Trip(NamedTuple):
    """A way and what became of it: one value a fix, shape (T,)."""

    t_s: NDArray[np.float64]
    east_m: NDArray[np.float64]
    north_m: NDArray[np.float64]
    level: list[Level]
    is_beyond: NDArray[np.bool_]


def trip() -> Trip:
    """Return the convoy's way: out to the north, an hour's rest, and back to the east of it."""
    north_m = np.array([35e3, 95e3, 95e3, 95e3, 25e3])
    east_m = np.array([-8e3, -8e3, -8e3, 10e3, 10e3])
    legs_s = np.hypot(np.diff(north_m), np.diff(east_m)) / SPEED_M_S
    legs_s[1] = 3_600.0
    corners_s = np.concatenate([[0.0], np.cumsum(legs_s)])
    t_s = np.arange(0.0, corners_s[-1], EVERY_S)
    east, north = np.interp(t_s, corners_s, east_m), np.interp(t_s, corners_s, north_m)
    rng = np.random.default_rng(0)
    wrong_m = rng.normal(0.0, SIGMA_M, (2, t_s.size))
    fixes = np.stack(degrees(east + wrong_m[0], north + wrong_m[1]), axis=-1)
    border, state, levels = Border(AREA, RULES), BorderState(), []
    for at_s, (lat_deg, lon_deg) in zip(t_s.tolist(), fixes.tolist(), strict=True):
        radius_m = 3.0 * SIGMA_M + SPEED_M_S * EVERY_S
        state = step(state, border.read(at_s, lat_deg, lon_deg, radius_m), RULES)
        levels.append(state.level)
    places = zip(*(each.tolist() for each in degrees(east, north)), strict=True)
    beyond = [h3_cells.latlng_to_cell(lat, lon, 5) not in AREA for lat, lon in places]
    return Trip(t_s, east, north, levels, np.array(beyond))


def degrees(east_m: Any, north_m: Any) -> tuple[Any, Any]:
    """Return latitude and longitude of places in the plane around the middle."""
    across_m = M_A_DEG * np.cos(np.radians(LAT_DEG))
    return LAT_DEG + north_m / M_A_DEG, LON_DEG + east_m / across_m


def spans(made: Trip) -> list[tuple[Level, int, int]]:
    """Return each level in turn with its first fix and the first one after it."""
    changes = [n for n in range(1, len(made.level)) if made.level[n] is not made.level[n - 1]]
    edges = [0, *changes, len(made.level)]
    return [(made.level[a], a, b) for a, b in itertools.pairwise(edges)]


def draw_map(axes: Any, made: Trip) -> None:
    """Draw cells, margin and way, in km from the middle."""
    deep = margin_rings(AREA, RULES.margin_rings)
    around = h3_cells.grid_disk(h3_cells.latlng_to_cell(LAT_DEG, LON_DEG, 5), 9)
    depth = dict(zip(AREA.tolist(), deep.tolist(), strict=True))
    for cell in around.tolist():
        lat, lon = np.array(h3_cells.cell_to_boundary(cell)).T
        east_km = (lon - LON_DEG) * M_A_DEG * np.cos(np.radians(LAT_DEG)) / 1e3
        north_km = (lat - LAT_DEG) * M_A_DEG / 1e3
        fill = {None: "white", 0: "#d8efe6", 1: "#cfe3f3"}[depth.get(cell)]
        axes.fill(east_km, north_km, facecolor=fill, edgecolor=FAINT, lw=0.7)
    for level, a, b in spans(made):
        axes.plot(made.east_m[a : b + 1] / 1e3, made.north_m[a : b + 1] / 1e3, lw=3.2,
                  color=COLOUR[level], solid_capstyle="butt")  # fmt: skip
    axes.annotate("out", (made.east_m[0] / 1e3 - 2.0, 40.0), ha="right", color=INK)
    axes.annotate("back", (made.east_m[-1] / 1e3 + 2.0, 30.0), color=INK)
    axes.annotate("licensed", (-30.0, 22.0), color=GREEN, ha="center", va="center")
    axes.annotate("margin", (-30.0, 52.0), color=BLUE, ha="center", va="center")
    axes.annotate("not licensed", (-30.0, 84.0), color=GREY, ha="center", va="center")
    axes.set(xlim=(-45, 30), ylim=(12, 105), xlabel="km east", ylabel="km north", aspect="equal")
    axes.grid(False)


def draw_times(axes: Any, made: Trip) -> None:
    """Draw the level over time, and when the convoy truly was beyond the border."""
    minutes = np.append(made.t_s, made.t_s[-1] + EVERY_S) / 60.0
    axes.fill_between(minutes[:-1], -0.5, 4.5, where=made.is_beyond, color=FAINT, alpha=0.6, lw=0,
                      step="post")  # fmt: skip
    for level, a, b in spans(made):
        axes.plot(minutes[[a, b]], [4 - level] * 2, lw=7,
                  color=COLOUR[level], solid_capstyle="butt")  # fmt: skip
        minute = f"{minutes[b] - minutes[a]:.0f} min"
        is_first = a == 0  # so that it stays clear of the axis
        axes.annotate(minute, (1.0 if is_first else minutes[[a, b]].mean(), 4.17 - level),
                      ha="left" if is_first else "center", size=8, color=GREY)  # fmt: skip
    axes.set_yticks([4 - level for level in Level], [SERVICE[level] for level in Level])
    axes.set(ylim=(-0.5, 4.5), xlim=(0, minutes[-1]), xlabel="minutes on the way")
    axes.annotate("grey: truly beyond the border", (0.99, 0.02), xycoords="axes fraction",
                  ha="right", color=GREY, size=9)  # fmt: skip


def main() -> int:
    from matplotlib.figure import Figure

    made = trip()
    with style():
        figure = Figure(figsize=(11, 5.4))
        titled(figure, "A convoy leaves a licensed area and comes back",
               "15 m/s  ·  a fix every 15 s, error 200 m (1 sigma)  ·  lifeline shortened to "
               "30 min to fit the picture")  # fmt: skip
        left, right = figure.subplots(1, 2, width_ratios=[1.0, 1.75])
        figure.subplots_adjust(left=0.06, right=0.98, top=0.86, bottom=0.1, wspace=0.55)
        draw_map(left, made)
        draw_times(right, made)
        save(figure, PICTURE)
    for level, a, b in spans(made):
        print(f"{made.t_s[a] / 60.0:6.1f} to {made.t_s[b - 1] / 60.0:6.1f} min: {SERVICE[level]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
