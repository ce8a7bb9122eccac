"""A run from its world to its folder."""

import hashlib
import platform
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skyweave.twin.catalogue.elements import ARRAY_FIELDS, Catalogue
from skyweave.twin.pipeline import run_slots
from skyweave.twin.results.chunk import RunLabels
from skyweave.twin.results.fleet import cells_of
from skyweave.twin.results.folder import Run, check_run_folder, draft_run_folder, load_run
from skyweave.twin.results.manifest import Execution, RunFacts
from skyweave.twin.results.tables import AccessWriter
from skyweave.twin.results.write import write_results
from skyweave.twin.world import World


def run_world(
    world: World, out: Path, workers: int = 1, progress: Callable[[str], None] = lambda _: None
) -> Run:
    """Compute every slot of a world into the run folder `out`."""
    check_run_folder(out)
    started = time.monotonic()
    labels, access = run_labels(world), world.scenario.results.access
    with draft_run_folder(out) as folder:
        with AccessWriter(folder, labels, access) as writer:
            for chunk in run_slots(world, workers, progress):
                writer.write(chunk)
            statistics = writer.finish()
        progress("writing the report")
        execution = Execution(time.monotonic() - started, workers, platform.node())
        write_results(folder, labels, run_facts(world), statistics, execution)
    return load_run(out)


def run_labels(world: World) -> RunLabels:
    """Return the names behind the row numbers of a world's arrays."""
    terminals, gateways, pops = world.terminals, world.gateways, world.pops
    return RunLabels(
        epoch_utc=world.grid.epoch_utc,
        slot_s=world.scenario.time.slot_s,
        slots=world.slots,
        terminal_id=terminals.terminal_id,
        terminal_name=terminals.name,
        terminal_class=terminals.class_,
        service_class=terminals.service_class,
        account=terminals.account,
        country=terminals.country,
        sponsor=terminals.sponsor,
        cell=_cells(world),
        extra=terminals.extra,
        norad_id=world.fleet.catalogue.norad_id,
        gateway_id=gateways.gateway_id,
        gateway_name=gateways.name,
        gateway_country=gateways.country,
        gateway_lat_deg=gateways.lat_deg,
        gateway_lon_deg=gateways.lon_deg,
        pop_id=pops.pop_id,
        pop_city=pops.city,
        pop_country=pops.country,
        pop_lat_deg=pops.lat_deg,
        pop_lon_deg=pops.lon_deg,
    )


def run_facts(world: World) -> RunFacts:
    """Return what the manifest says about a world besides its results."""
    scenario, fleet = world.scenario, world.fleet
    rows = Counter(issue.reason.split(":")[0] for issue in fleet.catalogue.issues)
    inside = world.orientation.at(world.grid.utc[[0, -1]]).inside
    return RunFacts(
        title=scenario.title or Path(scenario.source).stem,
        seed=scenario.seed,
        scenario=scenario.model_dump(mode="json", by_alias=True),
        catalogue_source=scenario.catalogue.source if scenario.catalogue else "shells",
        catalogue_digest=catalogue_digest(fleet.catalogue),
        element_age_days=fleet.age_days,
        satellites_used=int(fleet.serves.sum()),
        satellites_left_out=fleet.left_out,
        too_old=tuple(f"{issue.text}: {issue.reason}" for issue in fleet.too_old),
        rows_left_out=dict(rows) | {"duplicate": fleet.catalogue.duplicates},
        orientation=scenario.earth.orientation,
        is_inside_orientation_table=bool(inside.all()),
        processing_s=scenario.delay.processing_s,
        warnings=world.warnings,
    )


def catalogue_digest(catalogue: Catalogue) -> str:
    """Return SHA-256 over all elements of the satellites used."""
    digest = hashlib.sha256()
    for name in ARRAY_FIELDS:
        digest.update(name.encode() + np.ascontiguousarray(getattr(catalogue, name)).tobytes())
    return "sha256:" + digest.hexdigest()


def _cells(world: World) -> NDArray[np.str_]:
    """Return the H3 cells of fixed terminals; a moving one has none."""
    lat_deg = world.terminals.lat_deg.copy()
    lat_deg[list(world.terminals.tracks)] = np.nan
    return cells_of(lat_deg, world.terminals.lon_deg)
