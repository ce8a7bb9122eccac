"""Pictures of paths: one pair's round-trip time over time, and how all pairs fare, as ECDFs.

The four ECDFs are Figures 6 to 8 of Kassing et al., Exploring the "Internet from space" with
Hypatia (IMC 2020): stretch, spread and ratio of the round-trip time, and changes of path.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.policy.reasons import Reason
from skyweave.time import format_utc
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
from skyweave.twin.results.wording import count, duration, percent

MOST_STUDIES = 5  # in one picture, as many as there are colours
TAIL = 99.5  # percent: the axes of distributions end there
LONGEST_NAME = 24  # characters of a label
LONGEST_ENDS = 54  # characters of both places in a title
SHADES = ("#f3c9ad", "#d3d9e0", "#fbe2b0", "#e3cfe0", "#c8e2d2", "#c5dcf2")  # of outages
_UNITS = ((7_200.0, 3_600.0, "h"), (600.0, 60.0, "min"), (0.0, 1.0, "s"))  # from, unit, name

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class PathSample(Protocol):
    """What `twin.paths` says of one instant."""

    @property
    def t_s(self) -> float:
        """Seconds from the start."""

    @property
    def paths(self) -> tuple[tuple[float, tuple[str, ...]], ...]:
        """Round-trip time in seconds and nodes, best first."""

    @property
    def reason(self) -> Reason | None:
        """Why there is none."""


class Study(Protocol):
    """What `twin.pairs` found of all pairs of S sites: arrays of shape (S, S)."""

    @property
    def t_s(self) -> FloatArray:
        """The instants, (T,)."""

    @property
    def geodesic_m(self) -> FloatArray:
        """Great circle on the mean sphere."""

    @property
    def min_rtt_s(self) -> FloatArray:
        """NaN where there never was a path."""

    @property
    def max_rtt_s(self) -> FloatArray:
        """NaN where there never was a path."""

    @property
    def changes(self) -> NDArray[np.int32]:
        """How often the path changed."""

    @property
    def stretch(self) -> FloatArray:
        """The longest RTT over that of light along the great circle."""

    def pairs(self) -> NDArray[np.bool_]:
        """Which entries are pairs far enough apart, each once."""


@dataclass(frozen=True, eq=False)
class RttOverTime:
    """One pair's best path at T instants."""

    start: str
    end: str
    at_utc: np.datetime64
    t_s: FloatArray  # (T,) seconds from there
    rtt_s: FloatArray  # (T,) NaN in an outage
    reason: tuple[str, ...]  # (T,) "" where there is a path
    is_change: NDArray[np.bool_]  # (T,) other nodes than just before, found and lost included
    geodesic_m: FloatArray  # (T,)

    @property
    def light_rtt_s(self) -> FloatArray:
        """There and back along the great circle at the speed of light, (T,)."""
        return 2.0 * self.geodesic_m / SPEED_OF_LIGHT_M_S


def rtt_over_time(
    start: str,
    end: str,
    at_utc: np.datetime64,
    samples: Iterable[PathSample],
    start_deg: FloatArray,
    end_deg: FloatArray,
) -> RttOverTime:
    """Return the best paths of samples; where the ends are comes as (T, 2), latitude, longitude."""
    samples = list(samples)
    nodes = [sample.paths[0][1] if sample.paths else () for sample in samples]
    is_change = [False, *(now != last for last, now in pairwise(nodes))]
    return RttOverTime(
        start=start,
        end=end,
        at_utc=at_utc,
        t_s=np.array([sample.t_s for sample in samples]),
        rtt_s=np.array([sample.paths[0][0] if sample.paths else np.nan for sample in samples]),
        reason=tuple(str(sample.reason or "") for sample in samples),
        is_change=np.array(is_change[: len(nodes)], dtype=np.bool_),
        geodesic_m=great_circle_m(*start_deg.T, *end_deg.T),
    )


def check_instants(what: str, t_s: FloatArray) -> None:
    """Refuse a single instant, of which there is nothing to draw over time."""
    if t_s.size < 2:
        raise InputError(f"--what {what}: draws at least 2 instants; give --every and --for")


def check_studies(studies: int) -> None:
    """Refuse more scenarios than there are colours."""
    if not 1 <= studies <= MOST_STUDIES:
        raise InputError(
            f"--what path-ecdf: draws 1 to {MOST_STUDIES} scenarios, found {studies}; leave some "
            "out"
        )


def plot_rtt_over_time(found: RttOverTime, out: str | Path) -> Path:
    """Draw one pair's round-trip time, its outages with their reasons and its changes of path."""
    out = Path(out)
    check_picture(out)
    check_instants("rtt-over-time", found.t_s)
    with style():
        save(draw_rtt_over_time(found), out)
    return out


def plot_path_ecdf(studies: Sequence[tuple[str, Study]], out: str | Path) -> Path:
    """Draw how all pairs of one or several labelled studies fare, in four panels."""
    out = Path(out)
    check_picture(out)
    check_studies(len(studies))
    for label, study in studies:
        check_instants("path-ecdf", study.t_s)
        if not _known(study).any():
            raise InputError(
                f"{label}: no pair of sites as far apart as a picture compares ever had a path; "
                "add [[sites]] or take another time"
            )
    with style():
        save(draw_path_ecdf(studies), out)
    return out


def draw_rtt_over_time(found: RttOverTime) -> Any:
    """Return the figure, in matplotlib's present style."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.0))
    ends = found.start, found.end
    if len("".join(ends)) > LONGEST_ENDS:
        ends = _short(found.start, LONGEST_ENDS // 2), _short(found.end, LONGEST_ENDS // 2)
    titled(figure, "Round-trip time, {} to {}".format(*ends), _subtitle(found))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.075, right=0.855, top=0.79, bottom=0.115)
    unit_s, unit = _time_unit(float(found.t_s[-1] - found.t_s[0]))
    edges = _edges(found.t_s) / unit_s
    shades = _draw_outages(axes, found, edges)
    rtt_ms = 1e3 * found.rtt_s
    axes.stairs(rtt_ms, edges, baseline=None, color=BLUE, lw=1.7, zorder=3)
    changes = _draw_changes(axes, found, edges)
    _draw_bounds(axes, found, edges)
    axes.set(xlim=(edges[0], edges[-1]), ylim=_rtt_limits(found))
    axes.set_xlabel(f"time ({unit}) from {format_utc(found.at_utc)}")
    axes.set_ylabel("round-trip time (ms)")
    handles = [*changes, *shades]
    if handles:
        figure.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(0.068, 0.885), ncols=3,
            handlelength=1.4, columnspacing=1.6,
        )  # fmt: skip
    return figure


def _subtitle(found: RttOverTime) -> str:
    parts = [
        f"{duration(_step_s(found.t_s) * found.t_s.size)} in steps of {_step_s(found.t_s):g} s",
        count(int(found.is_change.sum()), "change of path", "changes of path"),
    ]
    out = np.isnan(found.rtt_s)
    if out.any():
        parts.append(f"no path {percent(float(out.mean()))} of the time")
    if not out.all():
        least, most = np.nanmin(found.rtt_s), np.nanmax(found.rtt_s)
        parts.append(f"{1e3 * least:.1f} to {1e3 * most:.1f} ms")
    return "  ·  ".join(parts)


def _step_s(t_s: FloatArray) -> float:
    return round(float(np.median(np.diff(t_s))), 9)


def _edges(t_s: FloatArray) -> FloatArray:
    """Return where steps begin, and where the last one ends, (T + 1,)."""
    return np.append(t_s, t_s[-1] + _step_s(t_s))


def _time_unit(span_s: float) -> tuple[float, str]:
    return next((unit_s, unit) for from_s, unit_s, unit in _UNITS if span_s >= from_s)


def _draw_outages(axes: Any, found: RttOverTime, edges: FloatArray) -> list[Any]:
    """Shade the times without a path; return the legend, a shade for each reason."""
    from matplotlib.patches import Patch

    reasons = sorted(set(found.reason) - {""})
    shade = {reason: SHADES[k % len(SHADES)] for k, reason in enumerate(reasons)}
    first = 0
    for reason, steps in groupby(found.reason):
        last = first + len(list(steps))
        if reason:
            axes.axvspan(edges[first], edges[last], color=shade[reason], lw=0, zorder=1)
        first = last
    return [Patch(color=shade[reason], label=f"no path: {_words(reason)}") for reason in reasons]


def _words(reason: str) -> str:
    return reason.replace("_", " ")


def _draw_changes(axes: Any, found: RttOverTime, edges: FloatArray) -> list[Any]:
    """Mark on the time axis where the path changed; return the legend."""
    from matplotlib.lines import Line2D

    at = edges[:-1][found.is_change]
    if not at.size:
        return []
    axes.vlines(at, 0.0, 0.035, transform=axes.get_xaxis_transform(), color=INK, lw=0.9, zorder=4)
    look: dict[str, Any] = {"ls": "", "marker": "|", "ms": 9, "mew": 1.2}
    return [Line2D([], [], color=INK, label="path changes", **look)]


def _draw_bounds(axes: Any, found: RttOverTime, edges: FloatArray) -> None:
    """Draw what light would take along the great circle, in space and in fibre, as thin lines."""
    words = (
        (1.0, "light, along the\ngreat circle"),
        (FIBRE_INDEX, "fibre, along the\ngreat circle"),
    )
    for index, text in words:
        bound_ms = 1e3 * index * found.light_rtt_s
        ends = np.append(bound_ms, bound_ms[-1])
        axes.plot(edges, ends, color=GREY, lw=0.9, ls=(0, (5, 3)), zorder=2)
        axes.annotate(
            text, (1.0, bound_ms[-1]), xycoords=("axes fraction", "data"), xytext=(5, 0),
            textcoords="offset points", va="center", size=8.5, color=GREY, annotation_clip=False,
        )  # fmt: skip


def _rtt_limits(found: RttOverTime) -> tuple[float, float]:
    """Return an axis that holds the times and both bounds, with room below for the marks."""
    light_ms = 1e3 * found.light_rtt_s
    known_ms = 1e3 * found.rtt_s[np.isfinite(found.rtt_s)]
    high = max(float(FIBRE_INDEX * light_ms.max()), float(known_ms.max(initial=0.0)), 1e-3)
    low = min(float(light_ms.min()), float(known_ms.min(initial=np.inf)))
    room = 0.12 * (high - low) + 1e-3
    return max(0.0, low - room), high + 0.6 * room


def draw_path_ecdf(studies: Sequence[tuple[str, Study]]) -> Any:
    """Return the figure, in matplotlib's present style."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(10, 7.0))
    titled(figure, "Paths between all pairs of sites", _ecdf_subtitle(studies))
    panels = figure.subplots(2, 2).ravel()
    figure.subplots_adjust(
        left=0.075,
        right=0.975,
        top=0.845 if len(studies) <= 3 else 0.815,
        bottom=0.075,
        wspace=0.2,
        hspace=0.3,
    )
    lines = []
    for (label, study), (colour, dashes) in zip(studies, _LOOKS, strict=False):
        rows = _known(study)
        least_s, most_s = study.min_rtt_s[rows], study.max_rtt_s[rows]
        values: tuple[NDArray[Any], ...] = (
            study.stretch[rows],
            1e3 * (most_s - least_s),
            most_s / least_s,
            study.changes[rows],
        )
        for axes, each in zip(panels, values, strict=True):
            (line,) = axes.plot(
                *_ecdf(each), color=colour, ls=dashes, lw=1.8, drawstyle="steps-post"
            )
        line.set_label(f"{_short(label)}, {count(int(rows.sum()), 'pair')}".replace("$", r"\$"))
        lines.append(line)
    for axes, (text, least) in zip(panels, _PANELS, strict=True):
        axes.set(xlabel=text, ylim=(0.0, 1.02), xlim=(least, _right_end(axes.lines, least)))
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels[::2]:
        axes.set_ylabel("share of pairs")
    figure.legend(
        handles=lines, loc="upper left", bbox_to_anchor=(0.068, 0.915), ncols=3,
        handlelength=2.6,
    )  # fmt: skip
    return figure


_LOOKS = (
    (BLUE, "-"),
    (VERMILLION, (0, (6, 1.5))),
    (GREEN, (0, (3, 1.2, 1, 1.2))),
    (ORANGE, (0, (1.5, 1))),
    (SKY, (0, (8, 2, 2, 2))),
)
_PANELS = (
    ("longest RTT over that of light along the great circle", 1.0),
    ("longest minus shortest RTT (ms)", 0.0),
    ("longest over shortest RTT", 1.0),
    ("changes of path", 0.0),
)


def _known(study: Study) -> NDArray[np.bool_]:
    """Return the pairs that are far enough apart and had a path at some time, (S, S)."""
    known: NDArray[np.bool_] = study.pairs() & np.isfinite(study.max_rtt_s)
    return known


def _ecdf(values: NDArray[Any]) -> tuple[FloatArray, FloatArray]:
    """Return the corners of a distribution's steps: value, and the share that is not above it."""
    ordered = np.sort(values.astype(np.float64))
    share = np.arange(1, ordered.size + 1) / ordered.size
    return np.concatenate([ordered[:1], ordered]), np.concatenate([[0.0], share])


def _right_end(lines: Sequence[Any], least: float) -> float:
    """Return an end of the axis without the tail of few pairs, and draw every line up to it."""
    end = 1.02 * max(least + 0.1, *(np.percentile(line.get_xdata(), TAIL) for line in lines))
    for line in lines:
        x, y = line.get_data()
        line.set_data(np.append(x, max(end, x[-1])), np.append(y, 1.0))
    return float(end)


def _ecdf_subtitle(studies: Sequence[tuple[str, Study]]) -> str:
    spans = {(study.t_s.size, float(study.t_s[-1] - study.t_s[0])) for _, study in studies}
    parts = ["pairs at least 500 km apart"]
    if len(spans) == 1:
        ((instants, span_s),) = spans
        parts.append(f"{count(instants, 'instant')} over {duration(span_s)}")
    return "  ·  ".join([*parts, f"axes end at {TAIL:g} % of the pairs"])


def _short(text: str, longest: int = LONGEST_NAME) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
