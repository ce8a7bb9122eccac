"""The sky above a terminal: which satellites stood there, which one served, and why not others."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from skyweave.policy.reasons import Reason
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

_REFUSED = (("X", ORANGE), ("s", VERMILLION), ("D", GREEN), ("v", INK), ("P", GREY))


def plot_sky(explanation: Mapping[str, Any], out: str | Path) -> Path:
    """Draw what `explain` says of one terminal and slot: north is up, east right, zenith amid."""
    out = Path(out)
    check_picture(out)
    with style():
        save(_sky(explanation), out)
    return out


def _sky(explanation: Mapping[str, Any]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.4, 6.2))
    candidates = explanation["candidates"]
    in_view = f"{len(candidates):,} satellites in view, {_outcome(explanation)}"
    when = f"{explanation['at']}  ·  {in_view}"
    titled(figure, f"The sky above {explanation['terminal']}", when)
    axes = figure.add_axes((0.06, 0.05, 0.62, 0.78), projection="polar")
    _draw_dome(axes)
    usable = [c for c in candidates if c["refused"] is None]
    _draw(axes, usable, f"could serve ({len(usable):,})", marker="o", s=34, c=SKY, ec=INK, lw=0.4)
    reasons = sorted({c["refused"] for c in candidates} - {None})
    for number, reason in enumerate(reasons):
        refused = [c for c in candidates if c["refused"] == reason]
        marker, colour = _REFUSED[number % len(_REFUSED)]
        label = f"{reason.replace('_', ' ')} ({len(refused):,})"
        _draw(axes, refused, label, marker=marker, s=30, c=colour)
    serving = explanation["satellite"]
    if serving:
        _draw(
            axes,
            [serving],
            f"serves: {serving['name']}",
            marker="o",
            s=150,
            c="none",
            ec=BLUE,
            lw=2.4,
        )
    if candidates or serving:
        figure.legend(loc="upper left", bbox_to_anchor=(0.70, 0.86), labelspacing=0.9)
    return figure


def _outcome(explanation: Mapping[str, Any]) -> str:
    if explanation["satellite"]:
        return f"round trip {1e3 * explanation['rtt_s']:.1f} ms"
    return f"out: {Reason(explanation['reason']).text}"


def _draw_dome(axes: Any) -> None:
    """Rings of elevation around the zenith, a compass around the horizon."""
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)
    axes.set_rlim(0.0, 90.0)
    axes.set_rgrids([30.0, 60.0, 90.0], ["60°", "30°", "0°"], angle=22.5, color=GREY, size=8)
    axes.set_thetagrids(range(0, 360, 45), ["N", "NE", "E", "SE", "S", "SW", "W", "NW"])


def _draw(axes: Any, satellites: Sequence[Mapping[str, Any]], label: str, **look: Any) -> None:
    if not satellites:
        return
    azimuth_rad = np.radians([satellite["azimuth_deg"] for satellite in satellites])
    zenith_deg = 90.0 - np.array([satellite["elevation_deg"] for satellite in satellites])
    label = label.replace("$", r"\$")  # a name starts no formula
    axes.scatter(azimuth_rad, zenith_deg, label=label, zorder=3, **look)
