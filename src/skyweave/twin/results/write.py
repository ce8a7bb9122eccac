"""The last step of a run: everything in its folder that is not streamed while it computes."""

from pathlib import Path
from typing import Any

from skyweave.twin.results.chunk import RunLabels
from skyweave.twin.results.fleet import write_fleet, write_ground, write_slots
from skyweave.twin.results.folder import load_run
from skyweave.twin.results.manifest import Execution, RunFacts, manifest_of, write_manifest
from skyweave.twin.results.plots import plot_run
from skyweave.twin.results.report import write_report
from skyweave.twin.results.statistics import RunStatistics

RUN_PICTURES = ("map", "rtt")  # drawn with every run


def write_results(
    folder: Path,
    labels: RunLabels,
    facts: RunFacts,
    statistics: RunStatistics,
    execution: Execution,
    before: RunStatistics | None = None,
) -> dict[str, Any]:
    """Complete a run folder that holds the streamed tables; return its manifest.

    `before` is what would have been, where the run leaves something out on purpose.
    """
    write_fleet(folder / "fleet.csv", labels, statistics, before, facts.policy)
    write_ground(folder / "ground.csv", labels, statistics, before)
    write_slots(folder / "slots.parquet", labels, statistics)
    manifest = manifest_of(folder, labels, facts, statistics, execution, before)
    write_manifest(folder / "manifest.json", manifest)
    run = load_run(folder)
    for what in RUN_PICTURES:
        plot_run(run, what, folder / f"{what}.png")
    write_report(run, folder / "report.html")
    return manifest
