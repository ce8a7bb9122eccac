"""Invented runs for tests of the results: any size, any mixture of service and outages."""

from dataclasses import fields, replace
from unittest.mock import patch

import numpy as np

from skyweave.policy import Reason
from skyweave.twin.results import write
from skyweave.twin.results.chunk import ARRAYS, AccessChunk, RunLabels
from skyweave.twin.results.fleet import cells_of
from skyweave.twin.results.manifest import Execution, OperatorFacts, RunFacts
from skyweave.twin.results.tables import AccessWriter

PROCESSING_S = 0.010


def labels_of(terminals=12, slots=30, satellites=9, slot_s=15.0, lat_deg=None, lon_deg=None):
    """Labels with telling names; positions in the Philippines unless given."""
    rng = np.random.default_rng(1)
    lat_deg = rng.uniform(6, 18, terminals) if lat_deg is None else np.asarray(lat_deg, float)
    lon_deg = rng.uniform(120, 126, terminals) if lon_deg is None else np.asarray(lon_deg, float)

    def named(prefix, count):
        return np.array([f"{prefix}{i}" for i in range(count)], dtype=np.str_)

    return RunLabels(
        epoch_utc=np.datetime64("2026-06-14T12:00:12", "ns"),
        slot_s=slot_s,
        slots=slots,
        terminal_id=named("clinic-", terminals),
        terminal_name=named("Clinic ", terminals),
        terminal_class=np.full(terminals, "standard"),
        service_class=np.full(terminals, "lifeline"),
        account=np.full(terminals, "Health"),
        country=np.full(terminals, "PH"),
        sponsor=np.full(terminals, "Fund"),
        terminal_operator=np.full(terminals, "Starlink"),
        cell=cells_of(lat_deg, lon_deg),
        norad_id=np.arange(satellites, dtype=np.int64) + 44_000,
        gateway_id=np.array(["angeles", "akita", "sumba", "ship"]),
        gateway_name=np.array(["Angeles, Philippines", "Akita", "Sumba", "Ship"]),
        gateway_country=np.array(["PH", "JP", "ID", ""]),
        gateway_operator=np.full(4, "Starlink"),
        gateway_lat_deg=np.array([15.1, 39.7, -9.7, 0.0]),
        gateway_lon_deg=np.array([120.6, 140.1, 120.0, 150.0]),
        pop_id=np.array(["mnl", "tyo"]),
        pop_city=np.array(["Manila", "Tokyo"]),
        pop_country=np.array(["PH", "JP"]),
        pop_operator=np.full(2, "Starlink"),
        pop_lat_deg=np.array([14.6, 35.7]),
        pop_lon_deg=np.array([121.0, 139.7]),
    )


def two_operators(terminals=12, slots=30):
    """Labels and a run of two operators, every other terminal's, on the same lists of sites."""
    labels = labels_of(terminals, slots)
    twice = {
        f.name: np.concatenate([getattr(labels, f.name)] * 2)
        for f in fields(labels)
        if f.name.startswith(("gateway_", "pop_"))
    }
    is_second = np.arange(terminals) % 2 == 1
    labels = replace(
        labels,
        **twice
        | {
            "terminal_operator": np.where(is_second, "OneWeb", "Starlink"),
            "gateway_operator": np.repeat(["Starlink", "OneWeb"], 4),
            "pop_operator": np.repeat(["Starlink", "OneWeb"], 2),
        },
    )
    chunk = chunk_of(labels_of(terminals, slots))
    moved = {
        name: np.where(
            is_second & chunk.is_served, getattr(chunk, name) + size, getattr(chunk, name)
        )
        for name, size in (("gateway", 4), ("pop", 2))
    }
    return labels, replace(chunk, **{name: rows.astype(np.int32) for name, rows in moved.items()})


def chunk_of(labels, seed=0, out_share=0.2):
    """A whole run in one chunk: service and outages that last a few slots, three reasons."""
    rng = np.random.default_rng(seed)
    shape = (labels.slots, labels.terminals)
    is_out = _lasting(rng.random(shape) < out_share, rng, 0.6)
    reasons = [r.number for r in (Reason.NO_SATELLITE_IN_VIEW, Reason.GSO_ARC, Reason.BLOCKED_AREA)]
    sat = _lasting(rng.integers(0, labels.norad_id.size, shape), rng, 0.7)
    gateway = _lasting(rng.integers(0, labels.gateway_id.size, shape), rng, 0.7)
    pop = _lasting(rng.integers(0, labels.pop_id.size, shape), rng, 0.7)
    parts = {name: rng.uniform(0.002, 0.02, shape) for name in ("access_s", "feeder_s", "fibre_s")}
    hops = rng.integers(0, 3, shape)
    parts["isl_s"] = np.where(hops > 0, rng.uniform(0.005, 0.05, shape), 0.0)
    known = {
        "elevation_deg": rng.uniform(25, 90, shape),
        "azimuth_deg": rng.uniform(0, 360, shape),
        "range_m": rng.uniform(5e5, 1e6, shape),
        "rtt_s": sum(parts.values()) + PROCESSING_S,
        **parts,
    }
    return AccessChunk(
        first_slot=0,
        reason=np.where(is_out, rng.choice(reasons, shape), -1).astype(np.int16),
        sat=np.where(is_out, -1, sat).astype(np.int32),
        gateway=np.where(is_out, -1, gateway).astype(np.int32),
        pop=np.where(is_out, -1, pop).astype(np.int32),
        isl_hops=np.where(is_out, -1, hops).astype(np.int16),
        **{name: np.where(is_out, np.nan, values) for name, values in known.items()},
    )


def served_throughout(labels, seed=0):
    """A run without any outage."""
    return chunk_of(labels, seed, out_share=0.0)


def out_throughout(labels, reason=Reason.NO_SATELLITE_IN_VIEW):
    """A run in which nobody is served."""
    chunk = chunk_of(labels)
    nothing = {
        name: np.full_like(getattr(chunk, name), np.nan if name[-2:] in ("_s", "_m", "eg") else -1)
        for name in ARRAYS
    }
    return replace(chunk, **nothing | {"reason": np.full_like(chunk.reason, reason.number)})


def stream(folder, labels, chunk, cut=None, access="all", before=None):
    """Write a run's tables in pieces of `cut` slots and return its statistics."""
    return stream_both(folder, labels, chunk, before, cut, access)[0]


def stream_both(folder, labels, chunk, before, cut=None, access="all"):
    """The same with the statistics of what would have been, None without `before`."""
    cut = cut or labels.slots
    with AccessWriter(folder, labels, access, compares=before is not None) as writer:
        for start in range(0, labels.slots, cut):
            stop = min(start + cut, labels.slots)
            writer.write(chunk.part(start, stop), before and before.part(start, stop))
        return writer.finish(), writer.finish_before()


def operator_of(name="Starlink", satellites=9, gateways=4, pops=2):
    """Facts about one invented operator."""
    left_out = {"direct_to_cell": 2, "other": 1}
    return OperatorFacts(name, "builtin:2026-06-14", satellites, left_out, gateways, pops)


def facts_of(**changes):
    """Facts about an invented run."""
    facts = RunFacts(
        title="Clinics",
        seed=7,
        scenario={"title": "Clinics", "terminals": []},
        catalogue_source="builtin:2026-06-14",
        catalogue_digest="sha256:00",
        element_age_days=np.array([0.1, -0.3, 0.2]),
        satellites_used=9,
        satellites_left_out={"direct_to_cell": 2, "other": 1},
        operators=(operator_of(),),
        without=(),
        obstructed=0,
        cones=0,
        landing_rules=(),
    )
    return replace(facts, **changes)


def write_run(
    folder, labels, chunk, facts=None, execution=None, access="all", pictures=(), before=None
):
    """Write a whole run folder, except for the renaming, with the pictures asked for."""
    folder.mkdir(exist_ok=True, parents=True)
    now, was = stream_both(folder, labels, chunk, before, access=access)
    execution = execution or Execution(wall_s=1.5, workers=2, host="here")
    with patch.object(write, "RUN_PICTURES", pictures):
        write.write_results(folder, labels, facts or facts_of(), now, execution, was)
    return folder


def _lasting(values, rng, stay):
    """Let each slot keep the value before it with a probability, so that states last."""
    values = values.copy()
    for k in range(1, len(values)):
        stays = rng.random(values.shape[1]) < stay
        values[k, stays] = values[k - 1, stays]
    return values
