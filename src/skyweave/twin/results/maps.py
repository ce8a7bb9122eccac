"""The map of a run: where there was service, how fast, and where it came down.

A terminal is drawn at the centre of its H3 resolution 5 cell, never where it stands; a moving one
is not drawn.  Boundaries are Natural Earth's, those in dispute dashed.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skyweave.places.boundaries import boundaries, country_outlines, disputed_lines
from skyweave.twin.results.folder import Run
from skyweave.twin.results.style import (
    BLUE,
    GREY,
    INK,
    VERMILLION,
    positions,
    subject,
    titled,
)

FloatArray = NDArray[np.float64]

SEA, LAND, COAST, GRID = "#eaf1f6", "#dcdfe4", "#9aa5b1", "#d3dde5"
CREDITS = (
    "Terminals at the centres of cells of about 250 km² (H3 resolution 5).  "
    "Boundaries: Natural Earth, those in dispute dashed."
)
REGION_LON_DEG, REGION_LAT_DEG = 70.0, 45.0  # a fleet within these spans gets a map of its region
REGION_MARGIN_DEG = 3.0
REGION_GRID_DEG = 5
MOST_NAMES, LONGEST_NAME, NAME_PT = 15, 28, 8.0  # of sites on a region's map
SMALLEST_SPAN_MS = 10.0  # of the colours: less is no difference that matters
HEAD_IN, FOOT_IN = 0.72, 0.85  # above the map for its heading, below for its legend
WORLD_SIZE_IN, REGION_WIDTH_IN = (11.0, 6.8), 10.4


@dataclass(frozen=True)
class _Sheet:
    """A map projection with its edge: longitude and latitude in degrees to the plane."""

    project: Callable[[FloatArray, FloatArray], FloatArray]  # (K,), (K,) -> (K, 2)
    middle_deg: float  # longitude in the middle
    edge: FloatArray  # (K, 2) in the plane, closed
    grid_deg: int  # between the lines of the graticule
    copies_deg: tuple[float, ...]  # turns at which lines are drawn, for a window across 180 deg
    size_in: tuple[float, float]

    @property
    def is_region(self) -> bool:
        """Is it a window on one region, not the world?"""
        return self.grid_deg == REGION_GRID_DEG

    def inside(self, places: pd.DataFrame) -> pd.DataFrame:
        """The places within the edge's box, with their `x` and `y` in the plane."""
        lon_deg = places["lon_deg"].to_numpy() - self.middle_deg
        east_deg = (lon_deg + 180.0) % 360.0 - 180.0 + self.middle_deg
        x, y = self.project(east_deg, places["lat_deg"].to_numpy()).T
        (left, low), (right, high) = self.edge.min(axis=0), self.edge.max(axis=0)
        is_inside = (left <= x) & (x <= right) & (low <= y) & (y <= high)
        found: pd.DataFrame = places.assign(x=x, y=y)[is_inside]
        return found

    def lines(self, lines: Iterable[FloatArray]) -> list[FloatArray]:
        """Polylines of longitude and latitude in the plane, without those beyond the edge."""
        (left, low), (right, high) = self.edge.min(axis=0), self.edge.max(axis=0)
        turned = [
            self.project(line[:, 0] + turn_deg, line[:, 1])
            for line in lines
            for turn_deg in self.copies_deg
        ]
        return [
            line
            for line in turned
            if (line.max(axis=0) >= (left, low)).all() and (line.min(axis=0) <= (right, high)).all()
        ]


def draw_map(run: Run) -> Any:
    """Terminals by median RTT, those with outages marked, above the gateways and PoPs in use."""
    from matplotlib.figure import Figure

    fleet = positions(run)
    sheet = _sheet(fleet["lon_deg"].to_numpy(), fleet["lat_deg"].to_numpy())
    figure = Figure(figsize=sheet.size_in)
    moving = len(run.fleet) - len(fleet)
    unseen = f"  ·  {moving} moving not drawn" if moving else ""
    titled(figure, "Where there was service, and how fast", subject(run) + unseen)
    width_in, height_in = sheet.size_in
    tall = (height_in - HEAD_IN - FOOT_IN) / height_in
    axes = figure.add_axes((0.01, FOOT_IN / height_in, 0.98, tall))
    _draw_earth(axes, sheet)
    _draw_ground(axes, sheet, run.ground)
    dots = _draw_terminals(axes, sheet, fleet)
    if sheet.is_region and len(fleet) <= MOST_NAMES:
        _draw_names(axes, sheet, fleet)
    figure.text(0.015, 0.06 / height_in, CREDITS, size=7.5, color=GREY)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(0.0, -0.06 / height_in),
        ncols=3,
        handletextpad=0.3,
        columnspacing=1.4,
    )
    if dots is not None:
        bar = figure.add_axes(
            (1.0 - 3.0 / width_in, 0.55 / height_in, 2.7 / width_in, 0.14 / height_in)
        )
        figure.colorbar(dots, cax=bar, orientation="horizontal", extend="both")
        bar.set_xlabel("median round-trip time of a terminal (ms)", size=9)
        bar.grid(visible=False)
    return figure


def _draw_earth(axes: Any, sheet: _Sheet) -> None:
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.patches import Polygon

    earth = Polygon(sheet.edge, closed=True, facecolor=SEA, edgecolor=COAST, lw=0.8)
    axes.add_patch(earth)
    parts = (
        PolyCollection(sheet.lines(_shells()), facecolor=LAND, edgecolor="none"),
        LineCollection(sheet.lines(_graticule(sheet.grid_deg)), colors=GRID, lw=0.5),
        LineCollection(sheet.lines(_outlines()), colors=COAST, lw=0.5),
        LineCollection(sheet.lines(disputed_lines()), colors=GREY, lw=0.6, linestyles=(0, (3, 2))),
    )
    for part in parts:
        axes.add_collection(part)
        part.set_clip_path(earth)
    (left, low), (right, high) = sheet.edge.min(axis=0), sheet.edge.max(axis=0)
    axes.set(xlim=(left, right), ylim=(low, high), aspect="equal")
    axes.set_axis_off()


def _draw_ground(axes: Any, sheet: _Sheet, ground: pd.DataFrame) -> None:
    is_gateway, is_used = ground["kind"] == "gateway", ground["served_share"] > 0
    for rows, label, marker, size, face, edge in (
        (is_gateway & ~is_used, "gateway, idle", "^", 18, "white", GREY),
        (is_gateway & is_used, "gateway", "^", 32, INK, "white"),
        (~is_gateway & is_used, "point of presence", "s", 30, "white", BLUE),
    ):
        _marks(axes, sheet, ground[rows], label, marker=marker, s=size, c=face, ec=edge, zorder=3)


def _draw_terminals(axes: Any, sheet: _Sheet, fleet: pd.DataFrame) -> Any:
    """Dots for those served, rings where there were outages, crosses where there was nothing."""
    size = float(np.clip(6000 / max(1, len(fleet)), 9, 46))
    is_served = fleet["served_share"] > 0
    was_out = is_served & (fleet["served_share"] < 1)
    rtt_ms = 1e3 * fleet.loc[is_served, "rtt_p50_s"].to_numpy()
    dots = None
    if rtt_ms.size:
        low, high = _colour_limits(rtt_ms)
        scale = {"cmap": "viridis_r", "vmin": low, "vmax": high}
        dots = _marks(
            axes,
            sheet,
            fleet[is_served],
            "terminal, served",
            c=rtt_ms,
            s=size,
            ec=INK,
            lw=0.25,
            zorder=4,
            **scale,
        )
    ring = {"s": 2.2 * size, "c": "none", "ec": VERMILLION, "lw": 0.8, "zorder": 5}
    _marks(axes, sheet, fleet[was_out], "terminal, out part of the time", **ring)
    cross = {"marker": "x", "s": 1.6 * size, "c": VERMILLION, "lw": 1.4, "zorder": 5}
    _marks(axes, sheet, fleet[~is_served], "terminal, never served", **cross)
    return dots


def _colour_limits(rtt_ms: FloatArray) -> tuple[float, float]:
    """The 2nd and 98th percentile, or a span about them that makes no noise look like a pattern."""
    low, high = (float(limit) for limit in np.percentile(rtt_ms, (2, 98)))
    if high - low >= SMALLEST_SPAN_MS:
        return low, high
    low = max(0.0, (low + high - SMALLEST_SPAN_MS) / 2.0)
    return low, low + SMALLEST_SPAN_MS


def _draw_names(axes: Any, sheet: _Sheet, fleet: pd.DataFrame) -> None:
    """Name each site beside its dot: right, left, above or below it, where there is room."""
    (left, low), (right, high) = sheet.edge.min(axis=0), sheet.edge.max(axis=0)
    point = (right - left) / (0.98 * sheet.size_in[0] * 72.0)  # of type, in the plane
    places = sheet.inside(fleet)
    gap, tall = 7.0 * point, 1.2 * NAME_PT * point
    dots = places[["x", "y"]].to_numpy()
    taken = [(x - gap / 2, y - gap / 2, x + gap / 2, y + gap / 2) for x, y in dots]
    for (x, y), name, key in zip(dots, places["name"], places["terminal_id"], strict=True):
        text = name or key
        text = text if len(text) <= LONGEST_NAME else f"{text[: LONGEST_NAME - 1]}…"
        wide = 0.6 * NAME_PT * point * len(text)
        boxes = [
            (x0, y0, x0 + wide, y0 + tall)
            for x0, y0 in (
                (x + gap, y - tall / 2),
                (x - gap - wide, y - tall / 2),
                (x - wide / 2, y + gap),
                (x - wide / 2, y - gap - tall),
            )
        ]
        free = [b for b in boxes if left <= b[0] and b[2] <= right and low <= b[1] and b[3] <= high]
        clear = [b for b in free if not any(_overlap(b, other) for other in taken)]
        box = (clear or free or boxes)[0]
        taken.append(box)
        side = "left" if box[0] > x else "right" if box[2] < x else "center"
        anchor = {"left": box[0], "right": box[2], "center": x}[side]
        look = {"size": NAME_PT, "color": INK, "parse_math": False, "zorder": 6}
        axes.text(anchor, (box[1] + box[3]) / 2, text, ha=side, va="center", **look)


def _overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def shown_on_map(run: Run) -> dict[str, bool]:
    """Which kinds of marks a run's map has, for those who explain it."""
    fleet = positions(run)
    sheet = _sheet(fleet["lon_deg"].to_numpy(), fleet["lat_deg"].to_numpy())
    ground = sheet.inside(run.ground)
    is_gateway = ground["kind"] == "gateway"
    return {
        "served": bool((fleet["served_share"] > 0).any()),
        "broken": bool(fleet["served_share"].between(0, 1, inclusive="neither").any()),
        "never": bool((fleet["served_share"] == 0).any()),
        "gateways": bool(is_gateway.any()),
        "pops": bool((~is_gateway & (ground["served_share"] > 0)).any()),
        "disputed": bool(sheet.lines(disputed_lines())),
    }


def _marks(axes: Any, sheet: _Sheet, table: pd.DataFrame, label: str, **look: Any) -> Any:
    """Draw one kind of place and count it in the legend; nothing when there are none."""
    table = sheet.inside(table)
    if table.empty:
        return None
    return axes.scatter(table["x"], table["y"], label=f"{label} ({len(table):,})", **look)


@cache
def _outlines() -> list[FloatArray]:
    return country_outlines()


def _shells() -> list[FloatArray]:
    """The outer rings of all countries' polygons."""
    known = boundaries()
    is_shell = np.diff(known.ring_polygon, prepend=-1) > 0
    return [ring for ring, outer in zip(known.rings, is_shell, strict=True) if outer]


def _graticule(step_deg: int) -> list[FloatArray]:
    """Meridians and parallels, as polylines of longitude and latitude."""
    fine_lat, fine_lon = np.linspace(-90, 90, 91), np.linspace(-180, 180, 181)
    meridians = [
        np.column_stack([np.full(91, lon), fine_lat]) for lon in range(-180, 180, step_deg)
    ]
    parallels = [np.column_stack([fine_lon, np.full(181, lat)]) for lat in range(-90, 90, step_deg)]
    return meridians + parallels


def _sheet(lon_deg: FloatArray, lat_deg: FloatArray) -> _Sheet:
    """The region's map for a fleet in one region, else the world's."""
    if lon_deg.size == 0:
        return _world()
    turns = np.exp(1j * np.radians(lon_deg)).mean()
    middle_deg = float(np.degrees(np.angle(turns)))
    east_deg = (lon_deg - middle_deg + 180.0) % 360.0 - 180.0
    if np.ptp(east_deg) > REGION_LON_DEG or np.ptp(lat_deg) > REGION_LAT_DEG:
        return _world()
    middle_deg += (east_deg.min() + east_deg.max()) / 2.0
    return _region(middle_deg, np.ptp(east_deg), float(lat_deg.min()), float(lat_deg.max()))


def _region(middle_deg: float, span_deg: float, south_deg: float, north_deg: float) -> _Sheet:
    """An equirectangular window, true to scale along its middle parallel."""
    south_deg = max(-90.0, south_deg - REGION_MARGIN_DEG)
    north_deg = min(90.0, north_deg + REGION_MARGIN_DEG)
    squeeze = max(0.1, np.cos(np.radians((south_deg + north_deg) / 2.0)))
    half_deg = span_deg / 2.0 + REGION_MARGIN_DEG / squeeze
    height = north_deg - south_deg
    half_deg = max(half_deg, 0.6 * height / squeeze)  # no tall strips

    def project(lon_deg: FloatArray, lat_deg: FloatArray) -> FloatArray:
        return np.column_stack([(lon_deg - middle_deg) * squeeze, lat_deg])

    half = half_deg * squeeze
    edge = np.array([[-half, south_deg], [half, south_deg], [half, north_deg], [-half, north_deg]])
    size_in = (REGION_WIDTH_IN, HEAD_IN + FOOT_IN + REGION_WIDTH_IN * 0.98 * height / (2.0 * half))
    return _Sheet(project, middle_deg, edge, REGION_GRID_DEG, (-360.0, 0.0, 360.0), size_in)


def _world() -> _Sheet:
    """The Equal Earth projection (Savric, Patterson and Jenny 2018), an equal-area world."""
    side_lat = np.linspace(-90.0, 90.0, 181)
    east, west = np.full(181, 180.0), np.full(181, -180.0)
    edge = np.vstack([_equal_earth(east, side_lat), _equal_earth(west, side_lat[::-1])])
    return _Sheet(_equal_earth, 0.0, edge, 30, (0.0,), WORLD_SIZE_IN)


def _equal_earth(lon_deg: FloatArray, lat_deg: FloatArray) -> FloatArray:
    """Equations 9 and 10 of the paper, on the unit sphere."""
    a1, a2, a3, a4 = 1.340264, -0.081106, 0.000893, 0.003796
    t = np.arcsin(np.sqrt(3.0) / 2.0 * np.sin(np.radians(lat_deg)))
    slope = a1 + 3.0 * a2 * t**2 + t**6 * (7.0 * a3 + 9.0 * a4 * t**2)
    x = 2.0 * np.sqrt(3.0) * np.radians(lon_deg) * np.cos(t) / (3.0 * slope)
    y = t * (a1 + a2 * t**2 + t**6 * (a3 + a4 * t**2))
    return np.column_stack([x, y])
