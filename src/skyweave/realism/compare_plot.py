"""A picture of a measured series laid over a run: RTT and loss over time, residuals by reason."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.time import parse_utc
from skyweave.twin.results.style import (
    BLUE,
    FAINT,
    GREY,
    LONGEST_TITLE,
    ORANGE,
    SKY,
    VERMILLION,
    check_picture,
    dates,
    save,
    style,
    titled,
)
from skyweave.twin.results.wording import count, moment

MOST_MARKS = 80  # slot marks that are drawn; more would grey the picture
LONGEST_FILE = 40  # characters of the measured file's name that fit

FloatArray = NDArray[np.float64]
Row = dict[str, Any]  # of the document


def plot_compare(found: dict[str, Any], out: str | Path) -> Path:
    """Draw the document of `compare`; `out` is a .png, .svg or .pdf."""
    out = Path(out)
    check_picture(out)
    with style():
        save(_figure(found), out)
    return out


def _figure(found: dict[str, Any]) -> Any:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 6.4))
    title = f"Measured and predicted: {_short(found['terminal'], LONGEST_TITLE)}"
    titled(figure, title, _subject(found))
    grid = figure.add_gridspec(
        2, 2, height_ratios=[3, 1], width_ratios=[2.4, 1], left=0.07, right=0.975, top=0.86,
        bottom=0.09, hspace=0.14, wspace=0.42,
    )  # fmt: skip
    above = figure.add_subplot(grid[0, 0])
    below = figure.add_subplot(grid[1, 0], sharex=above)
    beside = figure.add_subplot(grid[:, 1])
    utc = _boundaries(found)
    _rtt(above, found["rows"], utc)
    _loss(below, found["rows"], utc)
    _residuals(beside, found["residual_by_reason"])
    above.tick_params(labelbottom=False)
    return figure


def _subject(found: dict[str, Any]) -> str:
    """The comparison in one line: scenario, file, time, packets, median RTTs."""
    measured, rtt_s = found["measured"], found["rtt_s"]
    start, end = measured["from_utc"], measured["to_utc"]
    middle = [rtt_s[name]["p50"] for name in ("measured", "predicted")]
    told = (
        ""
        if None in middle
        else "median {:.1f} ms measured, {:.1f} ms predicted".format(
            *(1e3 * value for value in middle)
        )
    )
    parts = (
        _short(found["scenario"], LONGEST_TITLE),
        _short(Path(measured["file"]).name, LONGEST_FILE),
        f"{start[:10]} {moment(start, start)} to {moment(end, start)} UTC",
        count(measured["packets"], "packet"),
    )
    lines = "  ·  ".join(parts)
    return f"{lines}\n{told}" if told else lines


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"


def _boundaries(found: dict[str, Any]) -> NDArray[np.datetime64]:
    """The starts of the slots and the end of the last, (T + 1,)."""
    starts = np.array([parse_utc(row["slot_start_utc"]) for row in found["rows"]])
    return np.append(starts, starts[-1:] + np.timedelta64(round(found["slot_s"] * 1e9), "ns"))


def _column(rows: list[Row], name: str, part: str) -> FloatArray:
    """One percentile of the slots in ms, NaN where there is none, the last once more, (T + 1,)."""
    values = [row[name][part] for row in rows]
    known = np.array([np.nan if value is None else 1e3 * value for value in values])
    return np.append(known, known[-1:])


def _rtt(axes: Any, rows: list[Row], utc: NDArray[np.datetime64]) -> None:
    low, middle, high = (_column(rows, "measured_rtt_s", part) for part in ("p5", "p50", "p95"))
    least, predicted, most = (
        _column(rows, "predicted_rtt_s", part) for part in ("p5", "p50", "p95")
    )
    axes.fill_between(
        utc, low, high, step="post", color=SKY, alpha=0.35, lw=0, label="measured, 5th to 95th"
    )
    axes.fill_between(utc, least, most, step="post", color=ORANGE, alpha=0.2, lw=0)
    axes.step(utc, middle, where="post", color=BLUE, lw=1.5, label="measured, median of a slot")
    axes.step(utc, predicted, where="post", color=ORANGE, lw=1.5, label="predicted")
    _shade_outages(axes, rows, utc)
    _mark_slots(axes, utc)
    axes.set_ylim(0, 1.25 * np.nanmax(np.concatenate([high, most, [1.0]])))
    axes.set_ylabel("round-trip time (ms)")
    axes.legend(loc="upper right", ncols=3, columnspacing=1.2, handlelength=1.4)


def _loss(axes: Any, rows: list[Row], utc: NDArray[np.datetime64]) -> None:
    share = np.array(
        [100.0 * row["lost"] / row["packets"] if row["packets"] else 0 for row in rows]
    )
    axes.fill_between(
        utc, 0, np.append(share, share[-1:]), step="post", color=VERMILLION, alpha=0.85, lw=0
    )
    _shade_outages(axes, rows, utc)
    _mark_slots(axes, utc)
    axes.set(ylabel="lost (%)", ylim=(0, max(1.0, 1.1 * share.max(initial=0.0))))
    dates(axes)
    axes.set_xlim(utc[0], utc[-1])
    has_outages = any(row["state"] == "out" for row in rows)
    axes.set_xlabel("UTC; grey bands are predicted outages" if has_outages else "UTC")


def _shade_outages(axes: Any, rows: list[Row], utc: NDArray[np.datetime64]) -> None:
    is_out = np.array([row["state"] == "out" for row in rows])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_out, [False]])))
    for first, stop in edges.reshape(-1, 2):
        axes.axvspan(utc[first], utc[stop], color=GREY, alpha=0.25, lw=0)


def _mark_slots(axes: Any, utc: NDArray[np.datetime64]) -> None:
    """A faint line where each slot begins, as long as there are few."""
    axes.grid(axis="x", visible=False)
    if utc.size <= MOST_MARKS:
        for mark in utc:
            axes.axvline(mark, color=FAINT, lw=0.6, zorder=0)


def _residuals(axes: Any, found: list[Row]) -> None:
    """A dot and a bar per reason: median and 5th to 95th of measured less predicted."""
    known = [row for row in found if row["residual_s"]["p50"] is not None]
    places = np.arange(len(known))
    low, middle, high = (
        np.array([1e3 * row["residual_s"][part] for row in known]) for part in ("p5", "p50", "p95")
    )
    axes.hlines(places, low, high, color=SKY, lw=5, alpha=0.6)
    axes.scatter(middle, places, s=40, color=BLUE, zorder=3)
    axes.axvline(0.0, color=GREY, lw=1.0)
    axes.set_yticks(places, [_reason_label(row) for row in known])
    axes.set_ylim(max(len(known) - 0.4, 0.6), -0.6)
    axes.set_xlabel("measured less predicted (ms)")
    axes.set_title("by the prediction's reason", loc="left", size=10)
    axes.grid(axis="y", visible=False)


def _reason_label(row: Row) -> str:
    return f"{row['reason'].replace('_', ' ')}\n{count(row['slots'], 'slot')}"
