"""Draw service over time from a log: docs/images/five-organisations.png is that of the tutorial.

    python tools/authority_picture.py LOG FLEET.csv OUT.png

Every hour each terminal of the fleet is decided by the log's policy; nothing is drawn by hand.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.control.book import Book
from skyweave.control.domain.documents import DAY_S
from skyweave.control.domain.impact_table import ImpactTable, parse_impact_table
from skyweave.control.domain.snapshots import snapshot_of
from skyweave.control.objects import document_of
from skyweave.policy.decision import decide_all
from skyweave.policy.reasons import SERVED
from skyweave.policy.snapshot import Snapshot
from skyweave.time import parse_utc
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

FIRST_UTC, DAYS, HOUR_S = "2026-12-01T00:00:00Z", 14, 3_600
ROWS = ("log", "homes", "hospital")
KIND = {
    "charter": ("charter, region, agreement", INK), "region": ("charter, region, agreement", INK),
    "agreement": ("charter, region, agreement", INK), "request": ("request", ORANGE),
    "proposal": ("proposal", BLUE), "approval": ("approval", GREEN),
}  # fmt: skip


def served(snapshot: Snapshot, table: ImpactTable, times_s: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which terminals have service, (T, N)."""
    terminals = table.take(np.arange(len(table)))
    found = [
        decide_all(snapshot, terminals, table.cells, at_s).reason == SERVED
        for at_s in times_s.tolist()
    ]
    return np.array(found)


def draw_service(axes: Any, level: int, days: NDArray[np.float64], is_on: Any, text: str) -> None:
    """Draw the share of some terminals with service as a band."""
    share = is_on.mean(axis=1)
    axes.fill_between(days, level - 0.3, level - 0.3 + 0.6 * share, step="post", color=GREEN, lw=0)
    axes.fill_between(days, level - 0.3 + 0.6 * share, level + 0.3, step="post", color=FAINT, lw=0)
    axes.annotate(text, (0.02, level + 0.36), color=GREY, size=9)


def draw_entries(axes: Any, book: Book, first_s: int, level: int) -> None:
    """Draw the log's entries, those of one day above each other."""
    height: dict[int, int] = {}
    for entry in book.entries:
        kind = document_of(entry.envelope, "entry").kind
        day = (entry.logged_s - first_s) // DAY_S
        above = height[day] = height.get(day, -1) + 1
        label, colour = KIND[kind]
        axes.plot((entry.logged_s - first_s) / DAY_S, level - 0.2 + 0.13 * above, "o", ms=7,
                  color=colour, label=label)  # fmt: skip


def draw_notice(axes: Any, book: Book, first_s: int) -> None:
    """Shade the notice: decided and seen by witnesses, and not in effect yet."""
    for state in book.authority().directives.values():
        if state.approved_s is not None and state.from_s is not None and state.does.is_reduction:
            span = [(at_s - first_s) / DAY_S for at_s in (state.approved_s, state.from_s)]
            axes.axvspan(*span, color=VERMILLION, alpha=0.12, lw=0)
            axes.annotate("notice: decided, seen by\nwitnesses, not in effect",
                          (sum(span) / 2, 2.2), ha="center", color=VERMILLION, size=9)  # fmt: skip


def main() -> int:
    from matplotlib.figure import Figure

    folder, fleet, out = map(Path, sys.argv[1:])
    book = Book.open(folder)
    authority = book.authority()
    salt = book.private[authority.charter.salt_digest].hex()
    snapshot = snapshot_of(authority, log_origin="", log_root="", salt=salt, private=book.private)
    table = parse_impact_table(fleet.read_bytes(), str(fleet))
    first_s = int(parse_utc(FIRST_UTC).astype("datetime64[s]").astype(int))
    times_s = first_s + np.arange(0, DAYS * DAY_S, HOUR_S)
    is_on = served(snapshot, table, times_s)
    is_home = table.account.name[table.account.code] == "homes"
    days = (times_s - first_s) / DAY_S
    with style():
        figure = Figure(figsize=(11, 4.2))
        titled(figure, "Port Amity in December",
               "service as the log decides it, hour by hour  ·  green: on, grey: off")  # fmt: skip
        axes = figure.subplots()
        figure.subplots_adjust(left=0.09, right=0.98, top=0.83, bottom=0.12)
        draw_notice(axes, book, first_s)
        draw_entries(axes, book, first_s, 2)
        draw_service(axes, 1, days, is_on[:, is_home], f"{is_home.sum()} homes")
        draw_service(axes, 0, days, is_on[:, ~is_home], "the hospital, by agreement a-17")
        axes.set_yticks([2, 1, 0], ROWS)
        axes.set_xticks(range(DAYS + 1), [str(n + 1) for n in range(DAYS + 1)])
        axes.set(xlim=(0, DAYS), ylim=(-0.45, 2.9), xlabel="December 2026, days begin at 00 UTC")
        axes.grid(False, axis="y")
        handles, labels = axes.get_legend_handles_labels()
        known = dict(zip(labels, handles, strict=True))
        axes.legend(known.values(), known.keys(), loc="upper right", ncols=4)
        save(figure, out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
