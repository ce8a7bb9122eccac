"""Why one terminal has what it has in one slot: the satellite, the path, and what was refused."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skyweave.policy.reasons import REASONS, SERVED, Reason
from skyweave.time import format_utc
from skyweave.twin.execution import serve_pairs
from skyweave.twin.orbits import Sgp4Records, initialise
from skyweave.twin.pipeline import SlotNetwork, SlotService, network_pairs, services
from skyweave.twin.results.chunk import AccessChunk
from skyweave.twin.routing import walk
from skyweave.twin.world import Part, System, World

RTT_PARTS = ("access", "isl", "feeder", "fibre")


def explain_slot(
    system: System, row: int, slot: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Return what terminal `row` has in a slot, with every candidate, as plain values.

    The network is computed from the run's first slot on, so the answer is the run's own, with the
    failures that hold in the slot.
    """
    part = system.only_terminal(row).parts[0]
    world, records = part.at_slot(slot), initialise(part.world.fleet.catalogue)
    for pair in network_pairs(part, records, slot + 1, progress):
        last = pair
    access, _ = serve_pairs(part, records, [last])
    ((_, service, _),) = services(world, records, [last.now])
    reason = REASONS[access.reason[0, 0]] if access.reason[0, 0] != SERVED else None
    return {
        "terminal": str(world.terminals.terminal_id[0]),
        "slot": slot,
        "slot_start_utc": format_utc(world.grid.utc[slot]),
        "state": "served" if reason is None else "out",
        "reason": None if reason is None else str(reason),
        **(_path(world, last.now, service, access) if reason is None else _nothing()),
        "candidates": [
            *_candidates(world, last.now, service),
            *_failed_candidates(part, world, records, last.whole),
        ],
    }


def _nothing() -> dict[str, Any]:
    absent = ("satellite", "gateway", "pop", "rtt_s", "rtt_parts_s", "element_age_days")
    return dict.fromkeys(absent) | {"nodes": []}


def _path(
    world: World, network: SlotNetwork, service: SlotService, access: AccessChunk
) -> dict[str, Any]:
    sat, gateway, pop = (int(a[0, 0]) for a in (access.sat, access.gateway, access.pop))
    catalogue = world.fleet.catalogue
    costs = service.costs[0]  # one terminal has one target: its fixed PoP, or the gateway's own
    gateway_id, pop_id = str(world.gateways.gateway_id[gateway]), str(world.pops.pop_id[pop])
    relays = [str(catalogue.norad_id[s]) for s in walk(costs.next_sat, sat)]
    parts = {part: float(getattr(access, f"{part}_s")[0, 0]) for part in RTT_PARTS}
    start_utc = world.grid.utc[network.slot]
    age_days = (start_utc - catalogue.epoch_utc[sat]) / np.timedelta64(1, "D")
    return {
        "satellite": {
            "norad_id": int(catalogue.norad_id[sat]),
            "name": str(catalogue.name[sat]),
            "elevation_deg": float(access.elevation_deg[0, 0]),
            "azimuth_deg": float(access.azimuth_deg[0, 0]),
            "range_m": float(access.range_m[0, 0]),
        },
        "gateway": gateway_id,
        "pop": pop_id,
        "nodes": [str(world.terminals.terminal_id[0]), *relays, gateway_id, pop_id],
        "rtt_s": float(access.rtt_s[0, 0]),
        "rtt_parts_s": parts | {"processing": world.scenario.delay.processing_s},
        "element_age_days": float(age_days),
    }


def _candidates(world: World, network: SlotNetwork, service: SlotService) -> list[dict[str, Any]]:
    """Return the satellites in view for the whole slot, the best first, the refused last."""
    found = service.candidates
    order = np.lexsort((found.sat, -found.elevation_deg, -service.score))
    return [
        _candidate(world, service, int(p)) | {"refused": _refusal(world, network, service, int(p))}
        for p in order
    ]


def _candidate(world: World, service: SlotService, pair: int) -> dict[str, Any]:
    found, score = service.candidates, service.score[pair]
    return {
        "norad_id": int(world.fleet.catalogue.norad_id[found.sat[pair]]),
        "elevation_deg": float(found.elevation_deg[pair]),
        "azimuth_deg": float(found.azimuth_deg[pair]),
        "sunlit": bool(found.is_sunlit[pair]),
        "score": float(score) if np.isfinite(score) else None,
    }


def _failed_candidates(
    part: Part, world: World, records: Sgp4Records, whole: SlotNetwork
) -> list[dict[str, Any]]:
    """Return the satellites that would be in view if they had not failed, the highest first."""
    if world.sat_is_up.all():
        return []
    ((_, service, _),) = services(part.world, records, [whole])
    found = service.candidates
    gone = np.flatnonzero(~world.sat_is_up[found.sat])
    order = gone[np.lexsort((found.sat[gone], -found.elevation_deg[gone]))]
    return [
        _candidate(world, service, int(p))
        | {"score": None, "refused": str(Reason.SATELLITE_FAILED)}
        for p in order
    ]


def _refusal(world: World, network: SlotNetwork, service: SlotService, pair: int) -> str | None:
    if service.refused[pair] != SERVED:
        return str(REASONS[service.refused[pair]])
    if not world.core_is_up:
        return str(Reason.CORE_FAILED)
    if np.isfinite(service.candidates.path_s[pair]):
        return None
    near = network.in_gateway_view[0, service.candidates.sat[pair]]  # of its one target
    return str(Reason.GATEWAY_ANTENNAS_BUSY if near else Reason.NO_GATEWAY_PATH)
