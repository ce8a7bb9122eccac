"""`manifest.json`: what was computed, from what, with what, and what came out, on one page."""

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skyweave
from skyweave.policy.reasons import REASONS
from skyweave.time import format_utc, parse_utc
from skyweave.twin.results.chunk import RunLabels
from skyweave.twin.results.failure_events import FailureRecord
from skyweave.twin.results.fleet import cells_of
from skyweave.twin.results.folder import KIND, PARTS
from skyweave.twin.results.outages import attribution_rows
from skyweave.twin.results.policy import PolicyFacts
from skyweave.twin.results.statistics import RunStatistics

LIBRARIES = ("h3", "numba", "numpy", "pandas", "pyarrow", "scipy", "sgp4")
DIGITS = 9  # of seconds and shares: a nanosecond, and past what summing order can move


@dataclass(frozen=True)
class OperatorFacts:
    """One operator of a run: where its satellites come from and how large its network is."""

    name: str
    catalogue_source: str
    satellites_used: int
    satellites_left_out: Mapping[str, int]  # by satellite class
    gateways: int
    pops: int


@dataclass(frozen=True)
class RunFacts:
    """What a run knows about itself besides its results; nothing here depends on the machine."""

    title: str
    seed: int
    scenario: Mapping[str, Any]  # as checked; positions of terminals and sites are coarsened
    catalogue_source: str
    catalogue_digest: str
    element_age_days: NDArray[np.float64]  # of the satellites used, from epoch to the run's start
    satellites_used: int
    satellites_left_out: Mapping[str, int]  # by satellite class
    operators: tuple[OperatorFacts, ...]
    without: tuple[str, ...]  # what fails in the run, in a word each: "country:DE"
    obstructed: int  # terminals with something that stands in their dish's view
    cones: int  # terminals whose dish has a field of view
    landing_rules: tuple[str, ...]  # one plain sentence each, without a full stop
    failures: tuple[FailureRecord, ...] = ()  # the same as `without`, with all that is known
    rows_left_out: Mapping[str, int] = field(default_factory=dict)  # catalogue rows by cause
    orientation: str = "iers"  # "none": UT1 = UTC, no polar motion
    is_inside_orientation_table: bool = True
    warnings: tuple[str, ...] = ()
    policy: PolicyFacts | None = None  # None: every cell is on
    too_old: tuple[str, ...] = ()  # objects left out: "45677 STARLINK-1392: 20.3 days"


@dataclass(frozen=True)
class Execution:
    """How this one execution went: the only part of a run that may differ between machines."""

    wall_s: float
    workers: int
    host: str


def manifest_of(
    folder: Path,
    labels: RunLabels,
    facts: RunFacts,
    statistics: RunStatistics,
    execution: Execution,
    before: RunStatistics | None = None,
) -> dict[str, Any]:
    """Return the manifest of a run whose tables already stand in `folder`."""
    return {
        "kind": KIND,
        "format": 1,
        "title": facts.title,
        "time": {
            "start_utc": format_utc(labels.epoch_utc),
            "end_utc": format_utc(labels.utc(np.array([labels.slots]))[0]),
            "slot_s": labels.slot_s,
            "slots": labels.slots,
        },
        "without": list(facts.without),
        "failures": [failure.as_json() for failure in facts.failures],
        **({"policy": facts.policy.as_json()} if facts.policy else {}),
        "operators": [_operator(operator) for operator in facts.operators],
        "summary": summary_of(labels, facts, statistics, before),
        "outages": _outages(statistics),
        "mean_rtt_parts_s": _mean_parts(statistics),
        "warnings": [*facts.warnings, *_warnings(statistics)],
        "seed": facts.seed,
        "catalogue": {
            "source": facts.catalogue_source,
            "digest": facts.catalogue_digest,
            "element_age_days": _ages(facts.element_age_days),
            "rows_left_out": dict(facts.rows_left_out),
            "too_old": list(facts.too_old),
        },
        "earth": {
            "orientation": facts.orientation,
            "is_inside_table": facts.is_inside_orientation_table,
        },
        "gateways": int(labels.gateway_id.size),
        "pops": int(labels.pop_id.size),
        "landing_rules": list(facts.landing_rules),
        "sky": {"obstructed": facts.obstructed, "fields_of_view": facts.cones},
        "scenario_digest": scenario_digest(facts.scenario),
        "scenario": _without_positions(facts.scenario),
        "versions": _versions(),
        "files": {name: _file_digest(folder / name) for name in PARTS},
        "execution": {
            "wall_s": round(execution.wall_s, 3),
            "workers": execution.workers,
            "host": execution.host,
        },
    }


def write_manifest(path: Path, manifest: Mapping[str, Any]) -> None:
    """Write a manifest as indented JSON."""
    text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    path.write_text(text + "\n", encoding="utf-8")


def summary_of(
    labels: RunLabels,
    facts: RunFacts,
    statistics: RunStatistics,
    before: RunStatistics | None = None,
) -> dict[str, Any]:
    """The part of `run --json` that does not depend on where and how fast the run was made.

    `outages_by_reason` counts terminal-slots without service, so that with the served ones they
    sum to slots times terminals; `attribution` adds to them the served ones that were slower than
    usual.  `before` is what would have been with what is `without`.
    """
    return {
        "scenario": facts.title,
        "slots": labels.slots,
        "terminals": labels.terminals,
        "satellites": {
            "used": facts.satellites_used,
            "left_out": dict(facts.satellites_left_out),
        },
        "served_share": _rounded(statistics.served_share),
        "rtt_s": _rtts(statistics),
        "handovers_per_hour": _rounded(statistics.handovers_per_hour),
        "outages_by_reason": _slots_by_reason(statistics),
        "attribution": attribution_rows(
            statistics.attribution, labels.slots, labels.terminals, labels.slot_s
        ),
        **({"without": list(facts.without)} if facts.without else {}),
        **({"before": _summary_before(before)} if before else {}),
    }


def _summary_before(before: RunStatistics) -> dict[str, Any]:
    return {
        "served_share": _rounded(before.served_share),
        "rtt_s": _rtts(before),
        "outages_by_reason": _slots_by_reason(before),
    }


def _rtts(statistics: RunStatistics) -> dict[str, float | None]:
    values = zip(("p5", "p50", "p95"), statistics.rtt_s, strict=True)
    return {name: _rounded(value) for name, value in values}


def _slots_by_reason(statistics: RunStatistics) -> dict[str, int]:
    return {reason: found["terminal_slots"] for reason, found in _outages(statistics).items()}


def _operator(operator: OperatorFacts) -> dict[str, Any]:
    return {
        "name": operator.name,
        "catalogue": operator.catalogue_source,
        "satellites": {
            "used": operator.satellites_used,
            "left_out": dict(operator.satellites_left_out),
        },
        "gateways": operator.gateways,
        "pops": operator.pops,
    }


def scenario_digest(scenario: Mapping[str, Any]) -> str:
    """SHA-256 over the scenario as sorted, compact JSON, exact positions included."""
    text = json.dumps(scenario, sort_keys=True, separators=(",", ":"), default=_plain)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def _warnings(statistics: RunStatistics) -> tuple[str, ...]:
    """What the results themselves warn of."""
    return ("nobody was served",) if statistics.served_share == 0 else ()


def _outages(statistics: RunStatistics) -> dict[str, dict[str, int]]:
    """By reason, most first: slots without service and the terminals that had any."""
    slots = statistics.reason_slots.sum(axis=0)
    terminals = (statistics.reason_slots > 0).sum(axis=0)
    return {
        str(REASONS[r]): {"terminal_slots": int(slots[r]), "terminals": int(terminals[r])}
        for r in np.argsort(-slots, kind="stable")
        if slots[r]
    }


def _mean_parts(statistics: RunStatistics) -> dict[str, float | None]:
    parts = statistics.mean_parts_s.items()
    return {name.removesuffix("_s"): _rounded(value) for name, value in parts}


def _ages(age_days: NDArray[np.float64]) -> dict[str, float | None]:
    """Percentiles of the elements' distance from the start, before or after, in days."""
    if age_days.size == 0:
        return dict.fromkeys(("p5", "p50", "p95", "max"))
    ages = [*np.percentile(np.abs(age_days), (5, 50, 95)), np.abs(age_days).max()]
    return {
        name: round(float(age), 3)
        for name, age in zip(("p5", "p50", "p95", "max"), ages, strict=True)
    }


def _without_positions(scenario: Mapping[str, Any]) -> dict[str, Any]:
    """The scenario with cells for exact positions and without kits: those stay with the owner."""
    coarse = json.loads(json.dumps(scenario, default=_plain))
    for section in ("terminals", "sites"):
        for row in coarse.get(section) or ():
            lat_deg, lon_deg = row.pop("lat_deg", None), row.pop("lon_deg", None)
            row.pop("height_wgs84_m", None)
            row.pop("kit", None)
            if lat_deg is not None and lon_deg is not None:
                row["cell"] = str(cells_of(np.array([lat_deg]), np.array([lon_deg]))[0])
    return dict(coarse)


def _versions() -> dict[str, str]:
    return {
        "skyweave": skyweave.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in LIBRARIES},
    }


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return "sha256:" + hashlib.file_digest(file, "sha256").hexdigest()


def _rounded(value: float) -> float | None:
    """A number for JSON: null where there is none."""
    return None if np.isnan(value) else round(float(value), DIGITS)


def _plain(value: object) -> Any:
    """What JSON cannot write by itself."""
    if isinstance(value, datetime | np.datetime64):
        return format_utc(parse_utc(value))
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in a manifest")
