"""The network between places: paths, all pairs, and files for other programs."""

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet

from skyweave.api.scenarios import Progress, ScenarioSource, load_scenario, silent, warned
from skyweave.errors import InputError
from skyweave.time import instants, parse_utc
from skyweave.twin.analysis import analyse as analysis
from skyweave.twin.ends_by_name import endpoint, operator_of
from skyweave.twin.export.drafts import draft_file
from skyweave.twin.pairs import check_pairs, pairs_summary, pairs_table, study_pairs
from skyweave.twin.paths import Endpoint, Sample, paths_over_time
from skyweave.twin.scenario import Scenario
from skyweave.twin.world import Part, System, World, build_system, isl_plan

MAX_SAMPLES = 10_000_000  # of one call


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
    analyse: bool = False,
    operator: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Find the cheapest paths between two places at `at`, or every `every_s` for `for_s` seconds.

    The places are sites, terminals, cities, gateway or PoP ids.  With `k` > 1 each sample also
    lists up to k disjoint paths.  `analyse` adds what changes and how long the path is, what every
    single failure on it would leave, and where there is no path what cuts it and what would
    restore one.  Of several operators the first one's network is used, or the one named.
    """
    scenario = load_scenario(scenario)
    t_s = sample_times(every_s, for_s)
    if disjoint not in ("satellite", "edge"):
        raise InputError(f'--disjoint = "{disjoint}": expected satellite or edge')
    system = build_system(scenario)
    part, near, far = path_ends(system, start, end, operator)
    at_utc = instant(scenario, at)
    check_network(part.world, at_utc, t_s)
    warned(system, progress)("paths: orbits and links")
    found = []
    for sample in paths_over_time(
        part.world, near, far, at_utc, t_s,
        count=k, disjoint=disjoint, protection=analyse, causes=analyse, world_at=part.at_utc,
    ):  # fmt: skip
        found.append(sample)
        if len(found) % 100 == 0:
            progress(f"paths: {len(found)} of {t_s.size}")
    answer = {"from": near.name, "to": far.name, "samples": [_sample(each, k) for each in found]}
    return answer | ({"analysis": analysis(near, far, at_utc, found)} if analyse else {})


def pairs(
    scenario: ScenarioSource,
    *,
    at: str | None = None,
    every_s: float | None = None,
    for_s: float | None = None,
    relays: str | None = None,
    out: str | Path | None = None,
    operator: str | None = None,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Study the cheapest paths between all sites of a scenario, at `at` or over `for_s` seconds.

    `relays` is "sites" or "gateways" where these may hand on, on the ground, what they receive.
    `out` is a table to write, one row per pair: .csv or .parquet.
    """
    scenario = load_scenario(scenario)
    t_s = sample_times(every_s, for_s)
    if out is not None:
        _refuse_table(Path(out))
    system = build_system(scenario)
    part = system.operator_part(operator)
    sites, at_utc = part.world.scenario.sites, instant(scenario, at)
    check_pairs(part.world, sites, relays)
    check_network(part.world, at_utc, t_s)
    with nullcontext() if out is None else draft_file(Path(out)) as draft:
        tell = warned(system, progress)
        tell("pairs: orbits and links")
        study = study_pairs(
            part.world, sites, at_utc, t_s, tell, relays=relays, world_at=part.at_utc
        )
        if draft is not None:
            is_csv = str(out).endswith(".csv")
            write = pyarrow.csv.write_csv if is_csv else pyarrow.parquet.write_table
            write(pairs_table(study), draft)
    return pairs_summary(study)


def _refuse_table(out: Path) -> None:
    if out.suffix not in (".csv", ".parquet"):
        raise InputError(f"--out {out}: expected a table, NAME.csv or NAME.parquet")
    if out.exists():
        raise InputError(f"--out {out} exists; choose another name or remove it first")
    if not out.parent.is_dir():
        raise InputError(f"--out {out}: there is no folder {out.parent}; make it first")


def instant(scenario: Scenario, at: str | None) -> np.datetime64:
    """Return `at`, or when the scenario starts, as written."""
    return parse_utc(at if at is not None else scenario.time.start_utc, "--at")


def check_network(world: World, at_utc: np.datetime64, t_s: np.ndarray[Any, Any]) -> None:
    """Refuse, before any computing, instants without a date and lasers that cannot be planned."""
    instants(at_utc, t_s[[0, -1]], world.scenario.source)
    is_real = (world.fleet.catalogue.grid_shell < 0).any()
    if not (world.scenario.isl_plan == "fleet" and is_real):  # which takes seconds to plan
        isl_plan(world, at_utc)


def path_ends(
    system: System, start: str, end: str, operator: str | None
) -> tuple[Part, Endpoint, Endpoint]:
    """Return whose network joins two places, and the places."""
    part = system.operator_part(operator or operator_of(system, start, end))
    near, far = endpoint(part.world, start), endpoint(part.world, end)
    if near.name == far.name:
        raise InputError(f'FROM and TO are both "{near.name}"; give two different places')
    return part, near, far


def sample_times(every_s: float | None, for_s: float | None) -> np.ndarray[Any, Any]:
    """Return 0, every_s, 2 every_s, ... below for_s."""
    if every_s is None and for_s is None:
        return np.zeros(1)
    if every_s is None or for_s is None or not (0 < every_s < np.inf and 0 < for_s < np.inf):
        raise InputError("--every and --for go together, both in seconds above 0")
    count = max(1.0, float(np.ceil(round(for_s / every_s, 9))))
    if count > MAX_SAMPLES:
        raise InputError(
            f"--every {every_s:g} --for {for_s:g} makes {count:,.0f} samples, expected at most "
            f"{MAX_SAMPLES:,}; take a larger --every"
        )
    return np.arange(int(count)) * every_s


def _sample(sample: Sample, k: int) -> dict[str, Any]:
    best_s, nodes = sample.paths[0] if sample.paths else (None, ())
    found: dict[str, Any] = {"t_s": round(sample.t_s, 9), "rtt_s": best_s, "nodes": list(nodes)}
    if sample.reason is not None:
        found["reason"] = str(sample.reason)
    if sample.cause is not None:
        found["cause"] = sample.cause
    if k > 1:
        found["paths"] = [{"rtt_s": rtt_s, "nodes": list(n)} for rtt_s, n in sample.paths]
    return found
