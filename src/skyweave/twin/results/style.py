"""The house style of pictures: colours, fonts, headings, files."""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skyweave.errors import InputError
from skyweave.twin.results.folder import Run, reason_of
from skyweave.twin.results.left_out import left_out_names
from skyweave.twin.results.wording import count, moment

# Okabe and Ito's colours (2008), which people with any common colour vision can tell apart.
BLUE, SKY, GREEN, ORANGE, VERMILLION = "#0072B2", "#56B4E9", "#009E73", "#E69F00", "#D55E00"
INK, GREY, FAINT = "#1b2430", "#5b6573", "#d9dde3"
LONGEST_TITLE = 50  # characters of a scenario's title, or of what is left out, that fit
SUFFIXES = (".png", ".svg", ".pdf")

_STYLE = {
    "font.family": "DejaVu Sans",  # matplotlib brings it along
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.6,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "svg.hashsalt": "skyweave",  # the same run gives the same file
}


def check_picture(out: Path) -> None:
    """Refuse a picture's place before anything is drawn."""
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(f"--out {out}: use a name that ends in {', '.join(SUFFIXES)}")
    if not os.path.isdir(out.absolute().parent):  # False for a name too long to look up
        raise InputError(f"--out {out}: there is no folder {out.parent}; make it first")


@contextmanager
def style() -> Iterator[None]:
    """Draw in the house style: every picture of ours looks alike."""
    import matplotlib

    with matplotlib.rc_context(_STYLE):  # type: ignore[arg-type]
        yield


def save(figure: Any, out: Path) -> None:
    """Write a figure; the file depends on the figure alone."""
    is_png = out.suffix.lower() == ".png"
    dates = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    metadata = dates.get(out.suffix.lower(), {"Software": "Skyweave"})
    with warnings.catch_warnings():
        # A title in a script that the font lacks shows boxes; the picture is still worth having.
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        try:
            figure.savefig(out, dpi=160 if is_png else None, facecolor="white", metadata=metadata)
        except OSError as error:
            raise InputError(
                f"{out}: cannot be written: {reason_of(error)}; choose another --out"
            ) from error


def dates(axes: Any) -> None:
    """Write the times of a horizontal axis, each part of the date once."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    # matplotlib leaves both constructors without types.
    locator = AutoDateLocator()  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def titled(figure: Any, title: str, subtitle: str) -> None:
    """Put a heading at the top, and below it what it is about."""
    line = 0.3 / figure.get_figheight()
    # A scenario's title is text: a dollar sign in it starts no formula.
    plain = {"va": "top", "parse_math": False}
    figure.text(0.015, 1.0 - 0.35 * line, title, size=14, weight="bold", **plain)
    figure.text(0.015, 1.0 - 1.45 * line, subtitle, size=9.5, color=GREY, **plain)


def subject(run: Run) -> str:
    """The run in one line: title, what it leaves out, date, times, terminals, slot length."""
    when, title = run.manifest["time"], run.manifest["title"]
    terminals = run.manifest["summary"]["terminals"]
    start, end = when["start_utc"], when["end_utc"]
    parts = [title]
    if run.manifest["without"]:
        parts.append(f"without {left_out_names(run)}")
    short = [p if len(p) <= LONGEST_TITLE else p[: LONGEST_TITLE - 1] + "…" for p in parts]
    span = f"{start[:10]} {moment(start, start)} to {moment(end, start)} UTC"
    return "  ·  ".join([*short, span, count(terminals, "terminal"), f"every {when['slot_s']:g} s"])


def positions(run: Run) -> pd.DataFrame:
    """The fixed terminals of a run with the centres of their cells as `lat_deg` and `lon_deg`."""
    import h3

    fleet = run.fleet[run.fleet["cell"] != ""].copy()
    centres = np.array([h3.cell_to_latlng(cell) for cell in fleet["cell"]]).reshape(-1, 2)
    fleet["lat_deg"], fleet["lon_deg"] = centres.T
    return fleet
