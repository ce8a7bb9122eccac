"""Runs: compute a scenario, explain a slot of it, predict the edges of a track."""

import tempfile
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from skyweave.api.policy import system_of
from skyweave.api.scenarios import Progress, ScenarioSource, load_scenario, silent, warned
from skyweave.errors import InputError
from skyweave.policy.regions import region_from_geojson
from skyweave.time import format_utc, parse_utc
from skyweave.twin.edge import own_moving_row, predict_edges, read_region
from skyweave.twin.explanation import explain_slot
from skyweave.twin.results.folder import Run
from skyweave.twin.run import run_system
from skyweave.twin.scenario import Scenario, build_scenario, read_scenario
from skyweave.twin.world import System, terminal_row

BUILT_IN_SCENARIO = {
    "catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]},
    "isl": {"plan": "fleet"},
}


def run(
    scenario: ScenarioSource,
    out: str | Path | None = None,
    *,
    workers: int = 1,
    seed: int | None = None,
    without: Sequence[str] = (),
    progress: Progress = silent,
) -> Run:
    """Compute a scenario into the run folder `out` (a temporary one by default).

    The tables are the same for any number of workers.  `without` lists what has failed for the
    whole run, such as "country:DE": the run then also says what there would be otherwise.
    `progress` is called with each step's name.
    """
    scenario = load_scenario(scenario)
    if seed is not None:
        scenario = build_scenario(
            scenario.model_dump(by_alias=True, exclude_unset=True) | {"seed": seed},
            scenario.source,
            scenario.folder,
        )
    system = system_of(scenario, without)
    if len(system.terminals) == 0:
        raise InputError(
            f"{scenario.source}: a run needs terminals; add [[terminals]] or [[terminal_sets]]"
        )
    folder = Path(tempfile.mkdtemp(prefix="skyweave-")) / "run" if out is None else Path(out)
    return run_system(system, folder, workers, progress)


def demo(out: str | Path = "demo", *, workers: int = 1, progress: Progress = silent) -> Run:
    """Compute the demo scenario: an hour of the real fleet for 2,002 terminals."""
    scenario = read_scenario(str(files("skyweave.data") / "demo" / "demo.toml"))
    return run(scenario, out, workers=workers, progress=progress)


def explain(
    scenario: ScenarioSource | None = None,
    *,
    terminal: str | None = None,
    lat_deg: float | None = None,
    lon_deg: float | None = None,
    at: str,
    operator: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Say who serves a terminal, or a place, in the slot that contains `at`, or why nobody does.

    A place is asked of the scenario's first operator, or of the one named.
    """
    at_utc = parse_utc(at, "--at")
    system, row = explained(scenario, terminal, lat_deg, lon_deg, operator, at_utc)
    slot = system.slot_at(at_utc)
    answer = explain_slot(system, row, slot, warned(system, progress))
    return {"terminal": answer.pop("terminal"), "at": format_utc(at_utc), **answer}


def edge(
    scenario: ScenarioSource,
    terminal: str,
    region: str | Path | Mapping[str, Any],
    *,
    account: str | None = None,
    exclude: bool = False,
    rule: str = "centre",
    progress: Progress = silent,
) -> dict[str, Any]:
    """Predict where a moving terminal loses service on its track, and where it finds it again.

    `region` is GeoJSON, a file or parsed: the area of service, or with `exclude` the area without.
    It counts by H3 cells of resolution 5; `rule` is "centre", "inside" or "overlap".

    The answer is for the terminal's own account: where a scenario's terminals belong to several,
    `account` must be that of the terminal, and every other is refused.  Nothing of the answer is
    written or told anywhere else.
    """
    scenario = load_scenario(scenario)
    if isinstance(region, Mapping):
        area = region_from_geojson(region, "region", rule)
    else:
        area = read_region(Path(region), rule)
    system = system_of(scenario)
    row = own_moving_row(system, terminal, account)
    return predict_edges(system, row, area, exclude, warned(system, progress))


def explained(
    source: ScenarioSource | None, terminal: str | None, lat_deg: float | None,
    lon_deg: float | None, operator: str | None, at_utc: np.datetime64,
) -> tuple[System, int]:  # fmt: skip
    """Return the system and the row of the terminal to explain."""
    place = (lat_deg, lon_deg)
    if terminal is not None:
        if place != (None, None):
            raise InputError("--terminal and --lat/--lon exclude each other; give one of them")
        if source is None:
            raise InputError("--terminal names a terminal of a scenario; give the scenario too")
        if operator is not None:
            raise InputError("--terminal knows its operator; give --operator only with a place")
        system = system_of(load_scenario(source))
        return system, terminal_row(system, terminal)
    if None in place:
        raise InputError("give --terminal ID with a scenario, or --lat and --lon of a place")
    return system_of(_scenario_here(source, lat_deg, lon_deg, operator, at_utc)), 0


def _scenario_here(
    source: ScenarioSource | None, lat_deg: float | None, lon_deg: float | None,
    operator: str | None, at_utc: np.datetime64,
) -> Scenario:  # fmt: skip
    """Return the scenario, or the built-in one, with a terminal at one place instead of its own."""
    content = {
        **BUILT_IN_SCENARIO,
        "time": {"start_utc": format_utc(at_utc), "duration_s": 15.0},
        "terminals": [
            {"id": "here", "lat_deg": lat_deg, "lon_deg": lon_deg, "operator": operator or ""}
        ],
    }
    here = build_scenario(content, "--lat, --lon")
    if source is None:
        return here
    scenario, own = load_scenario(source), here.terminals[0].class_
    only_here = {
        "terminals": here.terminals,
        "terminal_sets": (),
        "terminal_classes": tuple(c for c in scenario.terminal_classes if c.name == own),
        "landing_rules": tuple(r for r in scenario.landing_rules if r.class_ in (None, own)),
    }
    return scenario.model_copy(update=only_here)
