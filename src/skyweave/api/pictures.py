"""Pictures of a run, of a sky and of paths."""

from pathlib import Path

from skyweave.api.runs import explained
from skyweave.api.scenarios import Progress, silent
from skyweave.errors import InputError
from skyweave.time import parse_utc
from skyweave.twin.explanation import explain_slot
from skyweave.twin.results.folder import load_run
from skyweave.twin.results.plots import PLOTS, plot_run
from skyweave.twin.results.sky import plot_sky
from skyweave.twin.results.style import check_picture
from skyweave.twin.sky import sky_picture


def plot(
    source: str | Path,
    what: str,
    out: str | Path,
    *,
    terminal: str | None = None,
    at: str | None = None,
    progress: Progress = silent,
) -> None:
    """Draw a run folder, or with `what` = "sky" the sky above a terminal of a scenario at `at`."""
    if what not in (*PLOTS, "sky"):
        raise InputError(
            f"--what {what[:60]}: unknown picture; use one of {', '.join(PLOTS)} for a run, or sky "
            "for a scenario"
        )
    if what != "sky":
        plot_run(load_run(source), what, Path(out))
    elif terminal is None or at is None:
        raise InputError("--what sky: draws one terminal in one slot; give --terminal and --at")
    else:
        _plot_sky(source, terminal, at, Path(out), progress)


def _plot_sky(source: str | Path, terminal: str, at: str, out: Path, progress: Progress) -> None:
    check_picture(out)
    at_utc = parse_utc(at, "--at")
    system, row = explained(source, terminal, None, None, None, at_utc)
    slot = system.slot_at(at_utc)
    for warning in system.warnings:
        progress(f"warning: {warning}")
    plot_sky(sky_picture(system, row, slot, explain_slot(system, row, slot, progress)), out)
