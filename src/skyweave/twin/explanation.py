"""Why one terminal has what it has in one slot: the satellite, the path, and what was refused."""

from collections.abc import Callable
from typing import Any

import numpy as np

from skyweave.policy.reasons import REASONS, SERVED, Reason
from skyweave.time import format_utc
from skyweave.twin.orbits import initialise
from skyweave.twin.pipeline import SlotNetwork, SlotService, networks, serve, services
from skyweave.twin.results.chunk import AccessChunk
from skyweave.twin.routing import walk
from skyweave.twin.world import System, World

RTT_PARTS = ("access", "isl", "feeder", "fibre")


def explain_slot(
    system: System, row: int, slot: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Return what terminal `row` has in a slot, with every candidate, as plain values.

    The network is computed from the run's first slot on, so the answer is the run's own.
    """
    world = system.only_terminal(row).parts[0].world
    records = initialise(world.fleet.catalogue)
    for network in networks(world, records, slot + 1, progress):
        last = network
    ((_, service, _),) = services(world, records, [last])
    access = serve(world, records, [last])
    found = _path(world, last, service, access) if access.reason[0, 0] == SERVED else _nothing()
    reason = None if access.reason[0, 0] == SERVED else str(REASONS[access.reason[0, 0]])
    return {
        "terminal": str(world.terminals.terminal_id[0]),
        "slot": slot,
        "slot_start_utc": format_utc(world.grid.utc[slot]),
        "state": "served" if reason is None else "out",
        "reason": reason,
        **found,
        "candidates": _candidates(world, last, service),
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
        {
            "norad_id": int(world.fleet.catalogue.norad_id[found.sat[p]]),
            "elevation_deg": float(found.elevation_deg[p]),
            "azimuth_deg": float(found.azimuth_deg[p]),
            "sunlit": bool(found.is_sunlit[p]),
            "score": float(service.score[p]) if np.isfinite(service.score[p]) else None,
            "refused": _refusal(network, service, int(p)),
        }
        for p in order
    ]


def _refusal(network: SlotNetwork, service: SlotService, pair: int) -> str | None:
    if service.refused[pair] != SERVED:
        return str(REASONS[service.refused[pair]])
    if np.isfinite(service.candidates.path_s[pair]):
        return None
    near = network.in_gateway_view[0, service.candidates.sat[pair]]  # of its one target
    return str(Reason.GATEWAY_ANTENNAS_BUSY if near else Reason.NO_GATEWAY_PATH)
