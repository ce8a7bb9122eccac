"""The network as files for other programs."""

import tempfile
from pathlib import Path
from typing import Any

from skyweave.api.network import check_network, instant, path_ends, sample_times
from skyweave.api.policy import system_of
from skyweave.api.scenarios import Progress, ScenarioSource, load_scenario, silent, warned
from skyweave.errors import InputError
from skyweave.twin.export.csv_tables import export_csv as write_tables
from skyweave.twin.export.hypatia import export_hypatia as write_hypatia
from skyweave.twin.export.traces import export_run_trace
from skyweave.twin.export.traces import export_trace as write_trace
from skyweave.twin.results.folder import Run, load_run
from skyweave.twin.run import run_system
from skyweave.twin.scenario import Scenario
from skyweave.twin.world import build_system, terminal_row


def export_hypatia(
    scenario: ScenarioSource,
    out: str | Path,
    *,
    at: str | None = None,
    every_s: float | None = None,
    for_s: float | None = None,
    operator: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write the forwarding state between a scenario's sites as satgenpy does, for its readers.

    Without `every_s` and `for_s` there is a step for each slot of the scenario.
    """
    scenario = load_scenario(scenario)
    every_s, for_s = _span(scenario, every_s, for_s)
    system = build_system(scenario)
    part, at_utc = system.operator_part(operator), instant(scenario, at)
    check_network(part.world, at_utc, sample_times(every_s, for_s))
    return write_hypatia(
        part.world, at_utc, every_s, for_s, out, warned(system, progress), world_at=part.at_utc
    )


def export_csv(
    scenario: ScenarioSource,
    out: str | Path,
    *,
    at: str | None = None,
    every_s: float | None = None,
    for_s: float | None = None,
    operator: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write satellites, laser links, and what the sites see and reach, as plain CSV.

    Without `every_s` and `for_s` there is an instant for each slot of the scenario.
    """
    scenario = load_scenario(scenario)
    t_s = sample_times(*_span(scenario, every_s, for_s))
    system = build_system(scenario)
    part, at_utc = system.operator_part(operator), instant(scenario, at)
    check_network(part.world, at_utc, t_s)
    return write_tables(
        part.world, at_utc, t_s, out, warned(system, progress), world_at=part.at_utc
    )


def export_trace(
    source: ScenarioSource,
    out: str | Path,
    *,
    start: str | None = None,
    end: str | None = None,
    terminal: str | None = None,
    at: str | None = None,
    every_s: float | None = None,
    for_s: float | None = None,
    rate_bps: float | None = None,
    operator: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Write delay and outages over time, of a path or of a terminal's slots, to replay elsewhere.

    The path leads from `start` to `end`; `terminal` has the slots of a scenario, or of a run folder
    given as `source`.  `rate_bps` is your own figure, as link rates are not modelled: with it there
    are files for mahimahi and netem.
    """
    if terminal is not None:
        if (start, end, at, every_s, for_s) != (None,) * 5:
            raise InputError(
                "--terminal writes the slots of a run; leave out --from, --to, --at, --every, --for"
            )
        with tempfile.TemporaryDirectory(prefix="skyweave-") as folder:
            run = _run_of(source, terminal, Path(folder), progress)
            return export_run_trace(run, terminal, out, rate_bps=rate_bps)
    if start is None or end is None:
        raise InputError("a trace needs --from and --to, or --terminal")
    scenario = load_scenario(source)
    every_s, for_s = _span(scenario, every_s, for_s)
    system = build_system(scenario)
    part, near, far = path_ends(system, start, end, operator)
    at_utc = instant(scenario, at)
    check_network(part.world, at_utc, sample_times(every_s, for_s))
    return write_trace(
        part.world, near, far, at_utc, every_s, for_s, out,
        rate_bps=rate_bps, world_at=part.at_utc, progress=warned(system, progress),
    )  # fmt: skip


def _run_of(source: ScenarioSource, terminal: str, folder: Path, progress: Progress) -> Run:
    """Return a run folder as it is, or the run of a scenario, which must have that terminal."""
    if not isinstance(source, Scenario) and Path(source).is_dir():
        return load_run(source)
    scenario = load_scenario(source)
    every_slot = scenario.results.model_copy(update={"access": "all"})
    system = system_of(scenario.model_copy(update={"results": every_slot}))
    terminal_row(system, terminal)
    return run_system(system, folder / "run", 1, warned(system, progress))


def _span(scenario: Scenario, every_s: float | None, for_s: float | None) -> tuple[float, float]:
    """Return the step and the span asked for, or the scenario's own slots."""
    if every_s is None and for_s is None:
        return scenario.time.slot_s, scenario.time.duration_s
    sample_times(every_s, for_s)
    assert every_s is not None
    assert for_s is not None
    return every_s, for_s
