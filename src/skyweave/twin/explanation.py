"""Why one terminal has what it has in one slot: the satellite, the path, and what was refused."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.policy.reasons import REASONS, SERVED, Reason
from skyweave.time import format_utc
from skyweave.twin.delay import delay_model, slot_offset_s, utc_slots
from skyweave.twin.execution import Memories, no_memories, serve_pairs
from skyweave.twin.orbits import Sgp4Records, initialise
from skyweave.twin.pipeline import (
    CHUNK_SLOTS,
    SlotNetwork,
    SlotPair,
    SlotService,
    network_pairs,
    services,
)
from skyweave.twin.results.chunk import AccessChunk
from skyweave.twin.results.policy import verdict_document
from skyweave.twin.routing import walk
from skyweave.twin.scheduling import Memory, explain_terms, probabilities
from skyweave.twin.verdicts import Verdict
from skyweave.twin.world import Part, System, World

RTT_PARTS = ("access", "isl", "feeder", "fibre")


def explain_slot(
    system: System, row: int, slot: int, progress: Callable[[str], None] = lambda _: None
) -> dict[str, Any]:
    """Return what terminal `row` has in a slot, with every candidate, as plain values.

    The network is computed from the run's first slot on, and the other terminals are served too,
    so the answer is the run's own, with the failures that hold in the slot.
    """
    part, own = system.part_of(row)
    world, records = part.at_slot(slot), initialise(part.world.fleet.catalogue)
    last, memories = _before(part, records, slot, progress)
    access, _, _ = serve_pairs(part, records, [last], memories)
    verdict = system.policy.verdicts.at(slot, row) if system.policy else None
    if verdict is not None and verdict.reason is not None:  # what it would see if it were on
        world = replace(world, verdicts=None)
    ((_, service, _),) = services(world, records, [last.now], memories.now)
    seen = _Seen(world, last.now, service, own, verdict)
    reason = REASONS[access.reason[0, own]] if access.reason[0, own] != SERVED else None
    return {
        "terminal": str(world.terminals.terminal_id[own]),
        "slot": slot,
        "slot_start_utc": format_utc(world.grid.utc[slot]),
        "state": "served" if reason is None else "out",
        "reason": None if reason is None else str(reason),
        **({"policy": verdict_document(verdict)} if verdict else {}),
        **(_path(seen, access) if reason is None else _nothing()),
        "rule": world.rule.name,
        "candidates": [
            *_candidates(seen),
            *_failed_candidates(part, seen, records, last.whole, memories.whole),
        ],
    }


class _Seen(NamedTuple):
    """One terminal in a slot of its world."""

    world: World
    network: SlotNetwork
    service: SlotService
    row: int
    verdict: Verdict | None  # what the policy says, None: there is none

    @property
    def pairs(self) -> NDArray[np.int64]:
        """The terminal's pairs among the candidates."""
        start = self.service.candidates.terminal_start
        return np.arange(start[self.row], start[self.row + 1])

    @property
    def target(self) -> int:
        """Which of the world's ends its paths have."""
        return int(self.world.targets.of_terminal[self.row])


def _before(
    part: Part, records: Sgp4Records, slot: int, progress: Callable[[str], None]
) -> tuple[SlotPair, Memories]:
    """Return the networks of a slot, and what is remembered of the slots before it."""
    memories = no_memories(part.world)
    pairs = network_pairs(part, records, slot + 1, progress)
    if part.world.rule.remembers:
        for first in range(0, slot, CHUNK_SLOTS):
            piece = list(islice(pairs, min(CHUNK_SLOTS, slot - first)))
            _, _, memories = serve_pairs(part, records, piece, memories)
    return deque(pairs, maxlen=1)[0], memories


def _nothing() -> dict[str, Any]:
    absent = ("satellite", "gateway", "pop", "rtt_s", "rtt_parts_s", "element_age_days")
    return dict.fromkeys(absent) | {"nodes": []}


def _path(seen: _Seen, access: AccessChunk) -> dict[str, Any]:
    world, row = seen.world, seen.row
    sat, gateway, pop = (int(a[0, row]) for a in (access.sat, access.gateway, access.pop))
    catalogue = world.fleet.catalogue
    costs = seen.service.costs[seen.target]
    gateway_id, pop_id = str(world.gateways.gateway_id[gateway]), str(world.pops.pop_id[pop])
    relays = [str(catalogue.norad_id[s]) for s in walk(costs.next_sat, sat)]
    parts = {part: float(getattr(access, f"{part}_s")[0, row]) for part in RTT_PARTS}
    rtt_s = float(access.rtt_s[0, row])
    start_utc = world.grid.utc[seen.network.slot]
    age_days = (start_utc - catalogue.epoch_utc[sat]) / np.timedelta64(1, "D")
    return {
        "satellite": {
            "norad_id": int(catalogue.norad_id[sat]),
            "name": str(catalogue.name[sat]),
            "elevation_deg": float(access.elevation_deg[0, row]),
            "azimuth_deg": float(access.azimuth_deg[0, row]),
            "range_m": float(access.range_m[0, row]),
        },
        "gateway": gateway_id,
        "pop": pop_id,
        "nodes": [str(world.terminals.terminal_id[row]), *relays, gateway_id, pop_id],
        "rtt_s": rtt_s,
        "rtt_parts_s": parts | {"processing": rtt_s - sum(parts.values())},
        **_beyond_geometry(world, seen.network.slot, row),
        "element_age_days": float(age_days),
    }


def _beyond_geometry(world: World, slot: int, row: int) -> dict[str, Any]:
    """Return what the processing part is made of, where a model of measured dishes gives it."""
    delay = world.scenario.delay
    if delay.model == "geometry":
        return {}
    model = delay_model(delay.period)
    slots, key = utc_slots(world.grid.utc[[slot]]), world.terminal_key[[row]]
    offset_s = slot_offset_s(model, world.scenario.seed, slots, key)[0, 0]
    return {
        "delay": {
            "model": delay.model,
            "period": delay.period,
            "floor_s": model.floor_s,
            "slot_offset_s": float(offset_s),
            "median_packet_s": model.median_packet_s,
        }
    }


def _candidates(seen: _Seen) -> list[dict[str, Any]]:
    """Return the satellites in view for the whole slot, the best first, the refused last."""
    found, pairs = seen.service.candidates, seen.pairs
    keys = (found.sat[pairs], -found.elevation_deg[pairs], -seen.service.score[pairs])
    order = pairs[np.lexsort(keys)]
    return [_candidate(seen, p) | {"refused": _refusal(seen, p)} for p in order.tolist()]


def _candidate(seen: _Seen, pair: int) -> dict[str, Any]:
    found, score = seen.service.candidates, seen.service.score[pair]
    return {
        "norad_id": int(seen.world.fleet.catalogue.norad_id[found.sat[pair]]),
        "elevation_deg": float(found.elevation_deg[pair]),
        "azimuth_deg": float(found.azimuth_deg[pair]),
        "sunlit": bool(found.is_sunlit[pair]),
        "score": float(score) if np.isfinite(score) else None,
        **_likelihood(seen, pair),
    }


def _likelihood(seen: _Seen, pair: int) -> dict[str, Any]:
    """Return how likely a rule that draws is to take a satellite, and what speaks for it."""
    rule = seen.world.rule
    if not rule.is_sampled and rule.model is None:
        return {}
    start, score = np.array([0, seen.pairs.size]), seen.service.score[seen.pairs]
    share = probabilities(score, start)[pair - seen.pairs[0]]
    found: dict[str, Any] = {"probability": float(share)}
    if rule.model is not None:
        found["terms"] = explain_terms(rule.model(), seen.service.candidates, pair)
    return found


def _failed_candidates(
    part: Part, seen: _Seen, records: Sgp4Records, whole: SlotNetwork, memory: Memory
) -> list[dict[str, Any]]:
    """Return the satellites that would be in view if they had not failed, the highest first."""
    is_up = seen.world.sat_is_up
    if is_up.all():
        return []
    world = replace(part.world, verdicts=seen.world.verdicts)
    ((_, service, _),) = services(world, records, [whole], memory)
    would_be = _Seen(world, whole, service, seen.row, seen.verdict)
    found, pairs = service.candidates, would_be.pairs
    gone = pairs[~is_up[found.sat[pairs]]]
    order = gone[np.lexsort((found.sat[gone], -found.elevation_deg[gone]))]
    return [
        _candidate(would_be, p) | {"score": None, "refused": str(Reason.SATELLITE_FAILED)}
        for p in order.tolist()
    ]


def _refusal(seen: _Seen, pair: int) -> str | None:
    service = seen.service
    if seen.verdict is not None and seen.verdict.reason is not None:
        return str(seen.verdict.reason)
    if service.refused[pair] != SERVED:
        return str(REASONS[service.refused[pair]])
    if not seen.world.core_is_up:
        return str(Reason.CORE_FAILED)
    if np.isfinite(service.candidates.path_s[pair]):
        return str(Reason.NO_BEAM_FREE) if _found_no_beam(seen, pair) else None
    near = seen.network.in_gateway_view[seen.target, service.candidates.sat[pair]]
    return str(Reason.GATEWAY_ANTENNAS_BUSY if near else Reason.NO_GATEWAY_PATH)


def _found_no_beam(seen: _Seen, pair: int) -> bool:
    """Say whether a satellite came before the one that serves, or before none, for lack of a beam.

    A rule of one's own that chooses by itself has no order to tell it by; whom it leaves out counts
    as without a beam.
    """
    service, chosen = seen.service, int(seen.service.chosen[seen.row])
    if chosen < 0 or seen.world.rule.choose is not None:
        return chosen < 0
    return bool(service.drawn[pair] > service.drawn[chosen])
