"""A run from its system to its folder."""

import hashlib
import platform
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.catalogue.elements import ARRAY_FIELDS, Catalogue
from skyweave.twin.execution import run_slots
from skyweave.twin.results.chunk import RunLabels
from skyweave.twin.results.failure_events import FailureRecord
from skyweave.twin.results.fleet import cells_of
from skyweave.twin.results.folder import Run, check_run_folder, draft_run_folder, load_run
from skyweave.twin.results.manifest import Execution, OperatorFacts, RunFacts
from skyweave.twin.results.tables import AccessWriter
from skyweave.twin.results.write import write_results
from skyweave.twin.scenario import Scenario
from skyweave.twin.targets import rule_sentence
from skyweave.twin.terminals import Terminals
from skyweave.twin.world import System, World


def run_system(
    system: System, out: Path, workers: int = 1, progress: Callable[[str], None] = lambda _: None
) -> Run:
    """Compute every slot of a system into the run folder `out`."""
    check_run_folder(out)
    started = time.monotonic()
    labels, facts, access = run_labels(system), run_facts(system), system.scenario.results.access
    with draft_run_folder(out) as folder:
        with AccessWriter(
            folder,
            labels,
            access,
            compares=bool(system.failures),
            failures=facts.failures,
            verdicts=system.policy.verdicts if system.policy else None,
        ) as writer:
            for chunk, before in run_slots(system, workers, progress):
                writer.write(chunk, before)
            statistics, before_statistics = writer.finish(), writer.finish_before()
        progress("writing the report")
        execution = Execution(time.monotonic() - started, workers, platform.node())
        write_results(folder, labels, facts, statistics, execution, before_statistics)
    return load_run(out)


def run_labels(system: System) -> RunLabels:
    """Return the names behind the row numbers of a run's arrays, through all operators."""
    terminals = system.terminals
    worlds = [part.world for part in system.parts]
    gateways, pops = [world.gateways for world in worlds], [world.pops for world in worlds]
    names = np.array([world.operator for world in worlds])
    return RunLabels(
        epoch_utc=system.grid.epoch_utc,
        slot_s=system.scenario.time.slot_s,
        slots=system.slots,
        terminal_operator=names[_operator_of(system)],
        gateway_operator=np.repeat(names, [len(each) for each in gateways]),
        pop_operator=np.repeat(names, [len(each) for each in pops]),
        terminal_id=terminals.terminal_id,
        terminal_name=terminals.name,
        terminal_class=terminals.class_,
        service_class=terminals.service_class,
        account=terminals.account,
        country=terminals.country,
        sponsor=terminals.sponsor,
        cell=_cells(terminals),
        extra=terminals.extra,
        norad_id=np.concatenate([world.fleet.catalogue.norad_id for world in worlds]),
        element_age_days=np.concatenate([_element_age_days(world) for world in worlds]),
        sat_operator=np.repeat(names, [len(world.fleet.catalogue) for world in worlds]),
        gateway_id=np.concatenate([each.gateway_id for each in gateways]),
        gateway_name=np.concatenate([each.name for each in gateways]),
        gateway_country=np.concatenate([each.country for each in gateways]),
        gateway_lat_deg=np.concatenate([each.lat_deg for each in gateways]),
        gateway_lon_deg=np.concatenate([each.lon_deg for each in gateways]),
        pop_id=np.concatenate([each.pop_id for each in pops]),
        pop_city=np.concatenate([each.city for each in pops]),
        pop_country=np.concatenate([each.country for each in pops]),
        pop_lat_deg=np.concatenate([each.lat_deg for each in pops]),
        pop_lon_deg=np.concatenate([each.lon_deg for each in pops]),
    )


def _element_age_days(world: World) -> NDArray[np.float64]:
    """Return the age of each satellite's elements, (N,); those of made shells have none."""
    age_days = world.fleet.age_days
    return age_days if world.scenario.catalogue else np.full_like(age_days, np.nan)


def _operator_of(system: System) -> NDArray[np.int64]:
    """Return the number of each terminal's operator, (S,)."""
    owner = np.empty(len(system.terminals), dtype=np.int64)
    for number, part in enumerate(system.parts):
        owner[part.rows] = number
    return owner


def run_facts(system: System) -> RunFacts:
    """Return what the manifest says about a run besides its results."""
    scenario = system.scenario
    worlds = [part.world for part in system.parts]
    fleets = [world.fleet for world in worlds]
    issues = [issue for fleet in fleets for issue in fleet.catalogue.issues]
    duplicates = sum(fleet.catalogue.duplicates for fleet in fleets)
    inside = worlds[0].orientation.at(system.grid.utc[[0, -1]]).inside
    return RunFacts(
        title=scenario.title or Path(scenario.source).stem,
        seed=scenario.seed,
        scenario=_as_checked(scenario),
        catalogue_source=", ".join(dict.fromkeys(_source(world) for world in worlds)),
        catalogue_digest=catalogue_digest([fleet.catalogue for fleet in fleets]),
        element_age_days=np.concatenate([fleet.age_days for fleet in fleets]),
        satellites_used=sum(int(fleet.serves.sum()) for fleet in fleets),
        satellites_left_out=dict(sum((Counter(fleet.left_out) for fleet in fleets), Counter())),
        too_old=tuple(
            f"{issue.text}: {issue.reason}" for fleet in fleets for issue in fleet.too_old
        ),
        rows_left_out=dict(Counter(issue.reason.split(":")[0] for issue in issues))
        | {"duplicate": duplicates},
        orientation=scenario.earth.orientation,
        is_inside_orientation_table=bool(inside.all()),
        warnings=system.warnings,
        operators=tuple(_operator_facts(world) for world in worlds),
        without=tuple(str(failure) for failure in system.failures),
        failures=failure_records(system),
        obstructed=len(system.terminals.obstructions),
        cones=sum(int(world.sky.has_cone.sum()) for world in worlds),
        landing_rules=tuple(rule_sentence(rule) for rule in scenario.landing_rules),
        policy=system.policy,
    )


def _as_checked(scenario: Scenario) -> dict[str, Any]:
    """Return a scenario's every key with its value; those of a policy only where they are used."""
    found = scenario.model_dump(mode="json", by_alias=True)
    if found["policy"] is None:
        del found["policy"]
    for terminal in found["terminals"]:
        if not terminal["kit"]:
            del terminal["kit"]
    return found


def failure_records(system: System) -> tuple[FailureRecord, ...]:
    """Return what the results say of the system's failures."""
    slots, slot_s = system.slots, system.scenario.time.slot_s
    records = []
    for number, failure in enumerate(system.failures):
        broken = [(part.world.operator, part.breakages[number]) for part in system.parts]
        first, stop = np.clip(broken[0][1].slots(slot_s), 0, slots)
        records.append(
            FailureRecord(
                kind=failure.kind,
                target=failure.target,
                share=failure.share,
                from_utc=failure.from_utc,
                to_utc=failure.to_utc,
                first_slot=int(first),
                stop_slot=int(stop),
                names={
                    operator: None if each.effect.links.draws else each.effect.names
                    for operator, each in broken
                    if not each.effect.is_nothing
                },
            )
        )
    return tuple(records)


def _operator_facts(world: World) -> OperatorFacts:
    return OperatorFacts(
        name=world.operator,
        catalogue_source=_source(world),
        satellites_used=int(world.fleet.serves.sum()),
        satellites_left_out=world.fleet.left_out,
        gateways=len(world.gateways),
        pops=len(world.pops),
    )


def _source(world: World) -> str:
    return world.scenario.catalogue.source if world.scenario.catalogue else "shells"


def catalogue_digest(catalogues: Sequence[Catalogue]) -> str:
    """Return SHA-256 over all elements of the satellites used, operator by operator."""
    digest = hashlib.sha256()
    for catalogue in catalogues:
        for name in ARRAY_FIELDS:
            values = np.ascontiguousarray(getattr(catalogue, name))
            digest.update(name.encode() + values.tobytes())
    return "sha256:" + digest.hexdigest()


def _cells(terminals: Terminals) -> NDArray[np.str_]:
    """Return the H3 cells of fixed terminals; a moving one has none."""
    lat_deg = terminals.lat_deg.copy()
    lat_deg[list(terminals.tracks)] = np.nan
    return cells_of(lat_deg, terminals.lon_deg)
