"""Pictures of a run: round-trip time, map, coverage, and why there was no service."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skyweave.errors import InputError
from skyweave.policy.reasons import Reason
from skyweave.twin.results.folder import Run, load_run, reading_run
from skyweave.twin.results.maps import draw_map
from skyweave.twin.results.style import (
    BLUE,
    GREY,
    SKY,
    VERMILLION,
    check_picture,
    dates,
    positions,
    save,
    style,
    subject,
    titled,
)
from skyweave.twin.results.wording import count

LATITUDE_STEP_DEG = 5.0


def plot_run(run: str | Path | Run, what: str, out: str | Path) -> Path:
    """Draw one picture of a run folder; `what` is one of `PLOTS`, `out` a .png, .svg or .pdf."""
    out = Path(out)
    draw = PLOTS.get(what)
    if draw is None:
        raise InputError(f"--what {what}: unknown picture of a run; use one of {', '.join(PLOTS)}")
    check_picture(out)
    if not isinstance(run, Run):
        run = load_run(run)
    with style():
        with reading_run(run.folder):
            figure = draw(run)
        save(figure, out)
    return out


def _rtt(run: Run) -> Any:
    """Fleet RTT over time, median and band, above the share of terminals without service."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6))
    titled(figure, "Round-trip time, from terminal to point of presence and back", subject(run))
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    figure.subplots_adjust(left=0.085, right=0.965, top=0.86, bottom=0.085, hspace=0.12)
    slots = run.slots
    utc = _starts_and_end(run)
    low, mid, high = (_to_the_end(1e3 * slots[f"rtt_{p}_s"]) for p in ("p5", "p50", "p95"))
    above.fill_between(
        utc, low, high, step="post", color=SKY, alpha=0.35, lw=0, label="5th to 95th percentile"
    )
    above.step(utc, mid, where="post", color=BLUE, lw=1.8, label="median")
    above.set_ylabel("round-trip time (ms)")
    above.set_ylim(0, _headroom(high))
    above.legend(loc="upper right", ncols=2)
    out = _to_the_end(100.0 * (1.0 - slots["served_share"]))
    below.fill_between(utc, 0, out, step="post", color=VERMILLION, alpha=0.85, lw=0)
    below.set_ylabel("out of\nservice (%)")
    below.set_ylim(0, max(1.0, _headroom(out)))
    _time_axis(below, utc)
    return figure


def _headroom(values: pd.Series) -> float:
    """An upper end for an axis from 0, with room for a legend."""
    return 1.2 * float(values.max()) if values.notna().any() and values.max() > 0 else 1.0


def _starts_and_end(run: Run) -> Any:
    """The starts of the slots, and the end of the last, (K + 1,); nothing of a run without any."""
    utc = run.slots["time_utc"].dt.tz_localize(None).to_numpy()
    end = np.datetime64(run.manifest["time"]["end_utc"].removesuffix("Z"))
    return np.append(utc, end.astype(utc.dtype)) if utc.size else utc


def _to_the_end(values: pd.Series) -> pd.Series:
    """Values of slots (K,) as steps are drawn: the last once more, where its slot ends."""
    return pd.concat([values, values.tail(1)], ignore_index=True)


def _time_axis(axes: Any, utc: Any) -> None:
    dates(axes)
    if utc.size:
        axes.set_xlim(utc[0], utc[-1])
    axes.set_xlabel("UTC")


def _coverage(run: Run) -> Any:
    """Share of time with service by latitude, beside the share of terminals served over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 5.6))
    titled(figure, "Share of terminals and of time with service", subject(run))
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.25])
    figure.subplots_adjust(left=0.075, right=0.965, top=0.83, bottom=0.1, wspace=0.28)
    _coverage_by_latitude(left, _latitude_bands(run))
    utc = _starts_and_end(run)
    share = _to_the_end(100.0 * run.slots["served_share"])
    right.step(utc, share, where="post", color=BLUE, lw=1.6)
    right.set(ylabel="terminals served (%)", ylim=_share_limits(share))
    right.set_title("over time", loc="left", size=10)
    _time_axis(right, utc)
    return figure


def _coverage_by_latitude(axes: Any, bands: pd.DataFrame) -> None:
    """A dot per band, with a stem that shows what is missing to the whole, and its size."""
    share = 100.0 * bands["served_share"]
    low, high = _share_limits(share)
    axes.hlines(bands["lat_deg"], share, 100.0, color=VERMILLION, lw=3)
    axes.scatter(share, bands["lat_deg"], s=34, color=BLUE, zorder=3)
    for lat_deg, number in zip(bands["lat_deg"], bands["terminals"], strict=True):
        axes.text(high, lat_deg, f" {number:,}", va="center", size=7.5, color=GREY)
    axes.text(high, 1.01, " n", transform=axes.get_xaxis_transform(), size=7.5, color=GREY)
    axes.set(xlim=(low, high), xlabel="mean share of slots served (%)", ylabel="latitude (deg)")
    south = 15.0 * np.floor((bands["lat_deg"].min() - 2.5) / 15.0) if len(bands) else -90.0
    north = 15.0 * np.ceil((bands["lat_deg"].max() + 2.5) / 15.0) if len(bands) else 90.0
    axes.set_ylim(south, north)  # whole steps, so that even a single band stands beside numbers
    axes.yaxis.set_major_locator(_steps_of(5 if north - south <= 30.0 else 15))
    axes.set_title(f"by latitude, bands of {LATITUDE_STEP_DEG:g} deg", loc="left", size=10)


def _steps_of(step: float) -> Any:
    from matplotlib.ticker import MultipleLocator

    return MultipleLocator(step)


def _share_limits(share: pd.Series) -> tuple[float, float]:
    """An axis of percent: from 0, or from where it gets interesting when little is missing."""
    low = float(share.min()) if share.notna().any() else 0.0
    floor = 0.0 if low < 50.0 else 2.0 * np.floor((low - 1.0) / 2.0)
    return floor, 100.0 + 0.02 * (100.0 - floor)


def _latitude_bands(run: Run) -> pd.DataFrame:
    """Mean served share and number of terminals by band of latitude, at the bands' middles."""
    fleet = positions(run)
    band = np.floor(fleet["lat_deg"] / LATITUDE_STEP_DEG)
    groups = fleet.groupby((band + 0.5) * LATITUDE_STEP_DEG)["served_share"]
    bands = groups.agg(["mean", "size"]).reset_index()
    bands.columns = pd.Index(["lat_deg", "served_share", "terminals"])
    return bands


def _reasons(run: Run) -> Any:
    """Time without service by reason, in words."""
    from matplotlib.figure import Figure

    outages = run.manifest["outages"]
    figure = Figure(figsize=(10, max(3.0, 1.9 + 0.62 * len(outages))))
    height_in = figure.get_figheight()
    titled(figure, "Why there was no service", subject(run))
    axes = figure.subplots()
    figure.subplots_adjust(left=0.03, right=0.96, top=1 - 1.0 / height_in, bottom=0.55 / height_in)
    if not outages:
        axes.text(0.5, 0.5, "Every terminal had service in every slot.", ha="center", size=12)
        axes.set_axis_off()
        return figure
    total = sum(found["terminal_slots"] for found in outages.values())
    shares = [100.0 * found["terminal_slots"] / total for found in outages.values()]
    places = np.arange(len(shares))
    axes.barh(places, shares, height=0.42, color=VERMILLION)
    for place, share, (reason, found) in zip(places, shares, outages.items(), strict=True):
        text = f"{Reason(reason).text}  ·  {share:.1f} %, {count(found['terminals'], 'terminal')}"
        axes.text(0.3, place - 0.32, text, va="bottom", size=9.5)
    axes.set(
        xlim=(0, 100),
        ylim=(len(shares) - 0.6, -0.85),
        xlabel="share of all time without service (%)",
    )
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", visible=False)
    return figure


PLOTS: dict[str, Callable[[Run], Any]] = {
    "rtt": _rtt,
    "map": draw_map,
    "coverage": _coverage,
    "reasons": _reasons,
}
