"""The public functions: what the command line offers, from Python.

import skyweave

run = skyweave.run("scenarios/demo.toml", out="demo")
run.access.groupby("terminal_id").rtt_s.median()
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from skyweave.doctor import examine
from skyweave.errors import InputError
from skyweave.policy.regions import region_from_geojson
from skyweave.time import format_utc, parse_utc
from skyweave.twin.catalogue import check_catalogue
from skyweave.twin.catalogue.cache import cache_folder
from skyweave.twin.catalogue.update import update_catalogue
from skyweave.twin.edge import own_moving_row, predict_edges, read_region
from skyweave.twin.endpoints import endpoint, operator_of
from skyweave.twin.explanation import explain_slot
from skyweave.twin.paths import Sample, paths_over_time
from skyweave.twin.results.folder import Run, load_run
from skyweave.twin.results.plots import PLOTS, plot_run
from skyweave.twin.results.sky import plot_sky
from skyweave.twin.results.style import check_picture
from skyweave.twin.run import run_system
from skyweave.twin.scenario import Scenario, build_scenario, read_scenario
from skyweave.twin.sky import sky_picture
from skyweave.twin.world import System, build_system, terminal_row

Progress = Callable[[str], None]
ScenarioSource = str | Path | Scenario
BUILT_IN_SCENARIO = {
    "catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]},
    "isl": {"plan": "fleet"},
}
MAX_SAMPLES = 10_000_000  # of one call of `path`


def _silent(_: str) -> None:
    """Report no progress."""


def load_scenario(source: ScenarioSource) -> Scenario:
    """Read and check a scenario file; a scenario is returned as it is."""
    return source if isinstance(source, Scenario) else read_scenario(source)


def run(
    scenario: ScenarioSource,
    out: str | Path | None = None,
    *,
    workers: int = 1,
    seed: int | None = None,
    without: Sequence[str] = (),
    progress: Progress = _silent,
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
    system = build_system(scenario, without)
    if len(system.terminals) == 0:
        raise InputError(
            f"{scenario.source}: a run needs terminals; add [[terminals]] or [[terminal_sets]]"
        )
    folder = Path(tempfile.mkdtemp(prefix="skyweave-")) / "run" if out is None else Path(out)
    return run_system(system, folder, workers, progress)


def demo(out: str | Path = "demo", *, workers: int = 1, progress: Progress = _silent) -> Run:
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
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Say who serves a terminal, or a place, in the slot that contains `at`, or why nobody does.

    A place is asked of the scenario's first operator, or of the one named.
    """
    at_utc = parse_utc(at, "--at")
    system, row = _explained(scenario, terminal, lat_deg, lon_deg, operator, at_utc)
    slot = system.slot_at(at_utc)
    for warning in system.warnings:
        progress(f"warning: {warning}")
    answer = explain_slot(system, row, slot, progress)
    return {"terminal": answer.pop("terminal"), "at": format_utc(at_utc), **answer}


def edge(
    scenario: ScenarioSource,
    terminal: str,
    region: str | Path | Mapping[str, Any],
    *,
    account: str | None = None,
    exclude: bool = False,
    rule: str = "centre",
    progress: Progress = _silent,
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
    system = build_system(scenario)
    row = own_moving_row(system, terminal, account)
    for warning in system.warnings:
        progress(f"warning: {warning}")
    return predict_edges(system, row, area, exclude, progress)


def path(
    scenario: ScenarioSource,
    start: str,
    end: str,
    *,
    at: str | None = None,
    every_s: float | None = None,
    for_s: float | None = None,
    k: int = 1,
    disjoint: str = "satellite",
    operator: str | None = None,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Find the cheapest paths between two places at `at`, or every `every_s` for `for_s` seconds.

    The places are sites, terminals, cities, gateway or PoP ids.  With `k` > 1 each sample also
    lists up to k disjoint paths.  Of several operators the first one's network is used, or the
    one named.
    """
    scenario = load_scenario(scenario)
    t_s = _sample_times(every_s, for_s)
    if disjoint not in ("satellite", "edge"):
        raise InputError(f'--disjoint = "{disjoint}": expected satellite or edge')
    system = build_system(scenario)
    world = system.operator(operator or operator_of(system, start, end))
    near, far = endpoint(world, start), endpoint(world, end)
    if near.name == far.name:
        raise InputError(f'FROM and TO are both "{near.name}"; give two different places')
    at_utc = parse_utc(at if at is not None else scenario.time.start_utc, "--at")
    for warning in system.warnings:
        progress(f"warning: {warning}")
    progress("paths: orbits and links")
    samples = []
    for sample in paths_over_time(world, near, far, at_utc, t_s, count=k, disjoint=disjoint):
        samples.append(_sample(sample, k))
        if len(samples) % 100 == 0:
            progress(f"paths: {len(samples)} of {t_s.size}")
    return {"from": near.name, "to": far.name, "samples": samples}


def plot(
    source: str | Path,
    what: str,
    out: str | Path,
    *,
    terminal: str | None = None,
    at: str | None = None,
    progress: Progress = _silent,
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
    system, row = _explained(source, terminal, None, None, None, at_utc)
    slot = system.slot_at(at_utc)
    for warning in system.warnings:
        progress(f"warning: {warning}")
    plot_sky(sky_picture(system, row, slot, explain_slot(system, row, slot, progress)), out)


def catalogue_check(source: str) -> dict[str, Any]:
    """Read element sets and report what is in them and what was refused."""
    return check_catalogue(source)


def catalogue_update(
    groups: Sequence[str] = ("active",),
    *,
    url: str | None = None,
    progress: Progress = _silent,
) -> list[dict[str, Any]]:
    """Fetch groups of satellites from CelesTrak into the user's cache; say what each then holds.

    No server is asked for a group more often than every two hours.  `url` is a mirror's address,
    in which {group} stands for the name of the group.
    """
    if url is not None and len(set(groups)) > 1 and "{group}" not in url:
        raise InputError("--from names one address for several groups; write {group} in it")
    for group in groups:
        cache_folder(group)  # refuses a wrong name before any server is asked
    now_utc = np.datetime64("now")
    return [update_catalogue(group, now_utc, progress, url) for group in dict.fromkeys(groups)]


def init(file: str | Path) -> None:
    """Write a commented scenario to start from; an existing file is not touched."""
    file = Path(file)
    text = (files("skyweave.data") / "starter.toml").read_text(encoding="utf-8")
    try:
        with file.open("x", encoding="utf-8") as target:
            target.write(text)
    except FileExistsError:
        raise InputError(f"{file} exists; choose another name or remove it first") from None
    except OSError as error:
        raise InputError(f"{file} cannot be written: {error.strerror}") from None


def doctor() -> dict[str, Any]:
    """Report what the machine and the installation offer."""
    return examine(np.datetime64("now"))


def _explained(
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
        system = build_system(load_scenario(source))
        return system, terminal_row(system, terminal)
    if None in place:
        raise InputError("give --terminal ID with a scenario, or --lat and --lon of a place")
    return build_system(_scenario_here(source, lat_deg, lon_deg, operator, at_utc)), 0


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


def _sample_times(every_s: float | None, for_s: float | None) -> np.ndarray[Any, Any]:
    """Return 0, every_s, 2 every_s, ... below for_s."""
    if every_s is None and for_s is None:
        return np.zeros(1)
    if every_s is None or for_s is None or not (0 < every_s < np.inf and 0 < for_s < np.inf):
        raise InputError("--every and --for go together, both in seconds above 0")
    count = int(np.ceil(round(for_s / every_s, 9)))
    if count > MAX_SAMPLES:
        raise InputError(
            f"--every {every_s:g} --for {for_s:g} makes {count:,} samples; "
            f"expected at most {MAX_SAMPLES:,}"
        )
    return np.arange(count) * every_s


def _sample(sample: Sample, k: int) -> dict[str, Any]:
    best_s, nodes = sample.paths[0] if sample.paths else (None, ())
    found: dict[str, Any] = {"t_s": round(sample.t_s, 9), "rtt_s": best_s, "nodes": list(nodes)}
    if sample.reason is not None:
        found["reason"] = str(sample.reason)
    if k > 1:
        found["paths"] = [{"rtt_s": rtt_s, "nodes": list(n)} for rtt_s, n in sample.paths]
    return found
