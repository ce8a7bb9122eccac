"""The sky above a terminal: where it may look, who passes there, which one serves, and why not
others.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.policy.reasons import Reason
from skyweave.twin.geometry import SkyCode
from skyweave.twin.results.sky_picture import (
    COULD_SERVE,
    NOT_IN_SLOT,
    SERVES,
    FloatArray,
    SkyMask,
    SkyPasses,
    SkyPicture,
)
from skyweave.twin.results.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    check_picture,
    save,
    style,
    titled,
)
from skyweave.twin.results.wording import count

HORIZON_DEG = 90.0  # radius of the dome: the zenith angle of the horizon
_MASK_PIXELS = 720  # across the dome, 0.25 deg each
_LONGEST_ID = 32  # characters of a terminal in the heading
_LONGEST_NAME = 20  # characters beside the dome
_LONGEST_NAME_ON_LINE = 16  # behind other words
_TAIL_S = 60.0  # how far back the path of a satellite is drawn

# Each cause has its own grey value, so that prints without colour tell them apart too.
_AREAS = {
    SkyCode.BELOW_MIN_ELEVATION: "#eef0f3",
    SkyCode.GSO_ARC: "#fbe2b0",
    SkyCode.OUT_OF_FIELD_OF_VIEW: "#d3d9e0",
    SkyCode.OBSTRUCTED: "#b5aba0",
}
_BY_PLACE = (Reason.GSO_ARC, Reason.FIELD_OF_VIEW, Reason.OBSTRUCTED)  # the areas show why
_BY_NETWORK = {
    Reason.NO_GATEWAY_PATH: ("X", VERMILLION, "reaches no gateway"),
    Reason.GATEWAY_ANTENNAS_BUSY: ("D", GREEN, "finds every gateway\nantenna busy"),
}


def plot_sky(picture: SkyPicture, out: str | Path) -> Path:
    """Draw one terminal's sky: north is up, east right, the zenith amid."""
    out = Path(out)
    check_picture(out)
    with style():
        save(draw_sky(picture), out)
    return out


def draw_sky(picture: SkyPicture) -> Any:
    """Return the figure, in matplotlib's present style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 6.7))
    titled(figure, f"The sky above {_short(picture.terminal_id, _LONGEST_ID)}", _subtitle(picture))
    axes = figure.add_axes((0.02, 0.02, 0.655, 0.86))
    legend = [
        *_draw_satellites(axes, picture),
        *_draw_passes(axes, picture),
        *_draw_arc(axes, picture.mask),
        *_draw_mask(axes, picture.mask),
    ]
    _draw_dome(axes)
    if legend:
        figure.legend(
            handles=legend, loc="upper left", bbox_to_anchor=(0.685, 0.86), labelspacing=0.95
        )
    return figure


def _subtitle(picture: SkyPicture) -> str:
    day, _, clock = picture.slot_start_utc.removesuffix("Z").partition("T")
    in_view = sum(role != NOT_IN_SLOT for role in picture.passes.role)
    return f"{day} {clock} UTC  ·  {count(in_view, 'satellite')} in view  ·  {picture.outcome}"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _on_dome(azimuth_deg: Any, elevation_deg: Any) -> tuple[FloatArray, FloatArray]:
    """Return how far east and north of the zenith a direction is drawn, in degrees of arc."""
    zenith_deg, azimuth_rad = HORIZON_DEG - np.asarray(elevation_deg), np.radians(azimuth_deg)
    return zenith_deg * np.sin(azimuth_rad), zenith_deg * np.cos(azimuth_rad)


# The mask


def _draw_mask(axes: Any, mask: SkyMask) -> list[Any]:
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    code = _sampled(mask)
    picture = np.ones((*code.shape, 4))
    for number, colour in _AREAS.items():
        picture[code == number] = to_rgba(colour)
    picture[code < 0, 3] = 0.0
    extent = (-HORIZON_DEG, HORIZON_DEG, -HORIZON_DEG, HORIZON_DEG)
    axes.imshow(picture, origin="lower", extent=extent, interpolation="nearest", zorder=0)
    if (code == SkyCode.GSO_ARC).any():
        _hatch(axes, code == SkyCode.GSO_ARC)
    _draw_outlines(axes, mask)
    words = {
        SkyCode.BELOW_MIN_ELEVATION: f"too low, under {mask.min_elevation_deg:g}°",
        SkyCode.GSO_ARC: f"within {mask.gso_separation_deg:g}° of the\ngeostationary arc",
        SkyCode.OUT_OF_FIELD_OF_VIEW: f"outside the dish's\n{mask.fov_deg:g}° field of view",
        SkyCode.OBSTRUCTED: "obstructed",
    }
    hatched: dict[str, Any] = {"hatch": "////", "edgecolor": ORANGE}
    return [
        Patch(facecolor=_AREAS[number], label=text, lw=0.5)
        if number != SkyCode.GSO_ARC
        else Patch(facecolor=_AREAS[number], label=text, lw=0.5, **hatched)
        for number, text in words.items()
        if (code == number).any()
    ]


def _sampled(mask: SkyMask) -> NDArray[np.int64]:
    """Return the cause at each pixel of the dome, row 0 in the south; -1 beyond the horizon.

    What stands in the way is shown whole, also where the sky is too low or too near the arc.
    """
    middle_deg = _pixel_middles_deg()
    east_deg, north_deg = np.meshgrid(middle_deg, middle_deg)
    elevation_deg = HORIZON_DEG - np.hypot(east_deg, north_deg)
    azimuth_deg = np.degrees(np.arctan2(east_deg, north_deg)) % 360.0
    grid = mask.codes
    row = _nearest(np.append(grid.azimuth_deg, 360.0), azimuth_deg) % grid.azimuth_deg.size
    column = _nearest(grid.elevation_deg, elevation_deg)
    code = np.where(mask.is_blocked, np.int64(SkyCode.OBSTRUCTED), grid.code)[row, column]
    return np.where(elevation_deg < 0.0, -1, code)


def _pixel_middles_deg() -> FloatArray:
    return HORIZON_DEG * ((np.arange(_MASK_PIXELS) + 0.5) * 2.0 / _MASK_PIXELS - 1.0)


def _nearest(grid: FloatArray, values: FloatArray) -> NDArray[np.intp]:
    """Return the place of the nearest of ascending grid values."""
    return np.searchsorted((grid[:-1] + grid[1:]) / 2.0, values, side="right")


def _hatch(axes: Any, area: NDArray[np.bool_]) -> None:
    """Lay fine lines over an area: in a print without colour they stand for it."""
    import matplotlib as mpl

    middle_deg = _pixel_middles_deg()
    with mpl.rc_context({"hatch.linewidth": 0.4, "hatch.color": ORANGE}):
        axes.contourf(
            middle_deg, middle_deg, area, levels=[0.5, 1.5], colors="none", hatches=["////"],
            zorder=1,
        )  # fmt: skip


def _draw_outlines(axes: Any, mask: SkyMask) -> None:
    """Draw the limits that are circles: the lowest elevation and the edge of the cone."""
    turn_deg = np.linspace(0.0, 360.0, 361)
    if mask.min_elevation_deg > 0.0:
        axes.plot(*_on_dome(turn_deg, mask.min_elevation_deg), color=GREY, lw=0.9, zorder=2)
    if not np.isfinite(mask.fov_deg):
        return
    axes.plot(*_on_dome(*_cone(mask, turn_deg)), color=INK, lw=1.1, ls=(0, (5, 3)), zorder=2)
    axes.plot(
        *_on_dome(mask.boresight_azimuth_deg, mask.boresight_elevation_deg),
        marker="+", ms=9, mew=1.2, color=INK, zorder=2,
    )  # fmt: skip


def _cone(mask: SkyMask, turn_deg: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return azimuth and elevation of the cone's edge; NaN below the horizon."""
    half, turn = np.radians(mask.fov_deg / 2.0), np.radians(turn_deg)
    azimuth = np.radians(mask.boresight_azimuth_deg)
    elevation = np.radians(mask.boresight_elevation_deg)
    across, along = np.sin(half) * np.sin(turn), np.sin(half) * np.cos(turn)
    up = np.cos(half) * np.sin(elevation) + along * np.cos(elevation)
    forward = np.cos(half) * np.cos(elevation) - along * np.sin(elevation)
    edge_deg = np.degrees(np.arctan2(up, np.hypot(forward, across)))
    azimuth_deg = np.degrees(azimuth + np.arctan2(across, forward))
    return azimuth_deg, np.where(edge_deg < 0.0, np.nan, edge_deg)


def _draw_arc(axes: Any, mask: SkyMask) -> list[Any]:
    if not mask.arc_azimuth_deg.size:
        return []
    east_deg, north_deg = _on_dome(mask.arc_azimuth_deg, mask.arc_elevation_deg)
    return list(
        axes.plot(east_deg, north_deg, color=ORANGE, lw=2.2, zorder=3, label="geostationary arc")
    )


# The satellites


def _draw_passes(axes: Any, picture: SkyPicture) -> list[Any]:
    """Draw thinly where the satellites in view come from, fading, and where all go."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba
    from matplotlib.lines import Line2D

    passes = picture.passes
    if not passes.norad_id.size:
        return []
    points = np.stack(_on_dome(passes.azimuth_deg, passes.elevation_deg), axis=-1)  # (T, M, 2)
    later = passes.rows(NOT_IN_SLOT)
    here = np.setdiff1d(np.arange(passes.norad_id.size), later)
    tail_s = np.minimum(passes.t_s[1:], 0.0)[: passes.now]
    colours = np.tile(to_rgba(GREY), (tail_s.size, 1))
    colours[:, 3] = 0.8 * np.clip(1.0 + tail_s / _TAIL_S, 0.0, 1.0)
    for sat in here:
        track = points[: passes.now + 1, sat]
        pieces = np.stack([track[:-1], track[1:]], axis=1)
        axes.add_collection(LineCollection(list(pieces), colors=colours, lw=1.1, zorder=4))
    for sats, alpha in ((here, 0.30), (later, 0.16)):
        ahead = points[passes.now :, sats].swapaxes(0, 1)
        axes.add_collection(LineCollection(list(ahead), colors=GREY, alpha=alpha, lw=0.5, zorder=4))
    words = f"path of the next {passes.t_s[-1] / 60.0:.0f} minutes"
    return [
        Line2D([], [], color=GREY, lw=1.1, label=f"path of the last {_TAIL_S:.0f} seconds"),
        Line2D([], [], color=GREY, lw=0.6, alpha=0.5, label=words),
    ]


def _draw_satellites(axes: Any, picture: SkyPicture) -> list[Any]:
    """Draw where the satellites in view stand at the slot's start: hollow in the Earth's shadow."""
    passes = picture.passes
    legend = []
    usable = passes.rows(COULD_SERVE)
    legend += _scatter(axes, passes, usable, f"could serve too ({usable.size:,})", "o", SKY, 36)
    masked = passes.rows(*_BY_PLACE)
    words = f"cannot serve the whole slot ({masked.size:,})"
    legend += _scatter(axes, passes, masked, words, "o", INK, 10)
    for reason in sorted(set(passes.role) - {SERVES, COULD_SERVE, NOT_IN_SLOT, *_BY_PLACE}):
        refused = passes.rows(reason)
        other = ("P", GREY, reason.replace("_", " "))
        marker, colour, words = _BY_NETWORK.get(Reason(reason), other)
        legend += _scatter(axes, passes, refused, f"{words} ({refused.size:,})", marker, colour, 40)
    return [*_draw_serving(axes, picture), *legend, *_sunlight(passes)]


def _scatter(
    axes: Any, passes: SkyPasses, sats: NDArray[np.intp], label: str, marker: str, colour: str,
    size: float,
) -> list[Any]:  # fmt: skip
    from matplotlib.lines import Line2D

    if not sats.size:
        return []
    places = _on_dome(passes.azimuth_deg[passes.now, sats], passes.elevation_deg[passes.now, sats])
    faces = [colour if lit else "white" for lit in passes.is_sunlit[sats]]
    axes.scatter(*places, s=size, marker=marker, c=faces, ec=colour, lw=1.1, zorder=5)
    face = colour if passes.is_sunlit[sats].any() else "white"
    look: dict[str, Any] = {"mfc": face, "mec": colour, "mew": 1.1, "ms": np.sqrt(size)}
    return [Line2D([], [], ls="", marker=marker, label=label, **look)]


def _draw_serving(axes: Any, picture: SkyPicture) -> list[Any]:
    """Draw the whole pass of the satellite that serves, and where it can serve no longer."""
    from matplotlib.lines import Line2D

    passes = picture.passes
    if not passes.rows(SERVES).size:
        return []
    sat = int(passes.rows(SERVES)[0])
    east_deg, north_deg = _on_dome(passes.azimuth_deg[:, sat], passes.elevation_deg[:, sat])
    axes.plot(east_deg, north_deg, color=BLUE, lw=1.8, zorder=6)
    up = np.flatnonzero(np.isfinite(east_deg))
    if up.size > 1:
        _draw_arrow(axes, east_deg[up[-2:]], north_deg[up[-2:]])
    here: dict[str, Any] = {
        "mfc": BLUE if passes.is_sunlit[sat] else "white",
        "mec": BLUE,
        "mew": 2.2,
        "ms": 11,
    }
    axes.plot(east_deg[passes.now], north_deg[passes.now], "o", zorder=7, **here)
    legend = [Line2D([], [], marker="o", color=BLUE, lw=1.8, label=_serving(picture), **here)]
    if np.isfinite(picture.leaves_s):
        end = [np.interp(picture.leaves_s, passes.t_s, along) for along in (east_deg, north_deg)]
        bar: dict[str, Any] = {
            "marker": "s",
            "ms": 6.5,
            "mfc": "white",
            "mec": BLUE,
            "mew": 1.8,
            "ls": "",
        }
        axes.plot(*end, zorder=7, **bar)
        clock = picture.leaves_utc.removesuffix("Z").partition("T")[2]
        label = f"hands over by {clock}"
        axes.annotate(
            clock, end, xytext=(7, -3), textcoords="offset points", size=8, color=BLUE,
            weight="bold", zorder=8, bbox={"fc": "white", "ec": "none", "alpha": 0.8, "pad": 0.8},
        )  # fmt: skip
        legend.append(Line2D([], [], label=label, **bar))
    return legend


def _serving(picture: SkyPicture) -> str:
    name = _short(picture.serving_name, _LONGEST_NAME)
    gap = " " if len(name) <= _LONGEST_NAME_ON_LINE else "\n"
    return f"serves:{gap}{name}".replace("$", r"\$")  # a dollar sign starts no formula


def _draw_arrow(axes: Any, east_deg: FloatArray, north_deg: FloatArray) -> None:
    """Put an arrow's head where a track ends, along its last piece."""
    axes.annotate(
        "", (east_deg[1], north_deg[1]), (east_deg[0], north_deg[0]),
        arrowprops={"arrowstyle": "-|>", "color": BLUE, "lw": 1.8, "mutation_scale": 14,
                    "shrinkA": 0.0, "shrinkB": 0.0}, zorder=6,
    )  # fmt: skip


def _sunlight(passes: SkyPasses) -> list[Any]:
    """Say what full and hollow marks mean, as far as there are such."""
    from matplotlib.lines import Line2D

    shown = passes.is_sunlit[[role != NOT_IN_SLOT for role in passes.role]]
    words = ((True, GREY, "full: in sunlight"), (False, "white", "hollow: in the Earth's shadow"))
    return [
        Line2D([], [], ls="", marker="o", mfc=face, mec=GREY, mew=1.1, ms=6, label=text)
        for is_lit, face, text in words
        if (shown == is_lit).any()
    ]


def _draw_dome(axes: Any) -> None:
    """Rings of elevation around the zenith, a compass around the horizon."""
    turn_deg = np.linspace(0.0, 360.0, 361)
    for elevation_deg in (0.0, 30.0, 60.0):
        is_horizon = elevation_deg == 0.0
        axes.plot(
            *_on_dome(turn_deg, elevation_deg),
            color=GREY,
            lw=1.0 if is_horizon else 0.5,
            alpha=1.0 if is_horizon else 0.45,
            zorder=2,
        )
    for elevation_deg in (30.0, 60.0):
        axes.text(
            *_on_dome(157.5, elevation_deg), f"{elevation_deg:.0f}°", size=7.5, color=GREY,
            ha="center", va="center", zorder=4.5,
            bbox={"fc": "white", "ec": "none", "alpha": 0.7, "pad": 0.6},
        )  # fmt: skip
    for azimuth_deg in range(0, 360, 45):
        ends = _on_dome(azimuth_deg, np.array([0.0, 90.0]))
        axes.plot(*ends, color=GREY, lw=0.4, alpha=0.35, zorder=2)
    for number, name in enumerate(("N", "NE", "E", "SE", "S", "SW", "W", "NW")):
        east_deg, north_deg = _on_dome(45.0 * number, -5.0)
        bold = "bold" if len(name) == 1 else "normal"
        axes.text(east_deg, north_deg, name, ha="center", va="center", weight=bold, color=GREY)
    axes.set(xlim=(-99, 99), ylim=(-99, 99), aspect="equal")
    axes.set_axis_off()
