"""Slots computed for all operators of a system, in one process or in several.

Each operator's world is computed with everything in order, and beside it as the failures of the run
leave it.  The networks go through the slots in order, in this process; pieces of consecutive slots
are then served from them anywhere, and the results do not depend on where.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import groupby, islice
from multiprocessing import get_context
from typing import NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from skyweave.policy.reasons import Reason
from skyweave.twin.orbits import Sgp4Records, initialise
from skyweave.twin.pipeline import (
    CHUNK_SLOTS,
    SlotPair,
    absent,
    network_pairs,
    serve,
)
from skyweave.twin.results.chunk import ARRAYS, AccessChunk, join
from skyweave.twin.scheduling import Memory
from skyweave.twin.topology import LinkChanges
from skyweave.twin.world import Part, System, World

MOST_TOGETHER = 250_000  # terminals times slots served together: some 0.5 GB with their pairs
LEAST_AHEAD = 15  # slots, where each piece also looks as far ahead as HORIZON_S


class Memories(NamedTuple):
    """What the scheduler remembers with failures and without; one object until they differ."""

    now: Memory
    whole: Memory


def no_memories(world: World) -> Memories:
    """Return what is remembered before the first slot."""
    nothing = Memory.nothing(len(world.terminals), len(world.fleet.catalogue))
    return Memories(nothing, nothing)


Share = list[tuple[AccessChunk, AccessChunk]]  # of each part: what is, what would be
Piece = list[list[SlotPair]]  # of each part: the networks


def run_slots(
    system: System, workers: int = 1, progress: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[AccessChunk, AccessChunk | None]]:
    """Yield what every terminal has, chunk by chunk in slot order.

    Beside each chunk stands what it would have been without the system's failures, where it has
    any; otherwise None.
    """
    crew = _Crew.of(system)
    pieces = _pieces(crew, system.slots, progress)
    if workers == 1 or crew.remembers:
        shares = _in_order(crew, pieces)
    else:
        shares = _shared_out(crew, pieces, workers)
    for share in shares:
        is_now, before = _merged(system, share)
        yield is_now, before if system.failures else None
        progress(f"terminals: slot {is_now.first_slot + is_now.slots} of {system.slots}")


@dataclass(frozen=True)
class _Crew:
    """The parts that have terminals, each with its SGP4 records."""

    parts: tuple[Part, ...]
    records: tuple[Sgp4Records, ...]

    @staticmethod
    def of(system: System) -> "_Crew":
        parts = tuple(part for part in system.parts if part.rows.size)
        return _Crew(parts, tuple(initialise(part.world.fleet.catalogue) for part in parts))

    @property
    def remembers(self) -> bool:
        """Whether a slot's service depends on the slots before."""
        return any(part.world.rule.remembers for part in self.parts)

    def no_memories(self) -> list[Memories]:
        """Return what is remembered of each part before the first slot."""
        return [no_memories(part.world) for part in self.parts]


def _pieces(crew: _Crew, slots: int, progress: Callable[[str], None]) -> Iterator[Piece]:
    """Yield the networks of consecutive slots, of every world."""
    lines = [
        network_pairs(part, records, slots, _of_operator(part, crew, progress))
        for part, records in zip(crew.parts, crew.records, strict=True)
    ]
    step = _piece_slots(crew)
    for first in range(0, slots, step):
        count = min(step, slots - first)
        yield [list(islice(line, count)) for line in lines]


def _of_operator(part: Part, crew: _Crew, progress: Callable[[str], None]) -> Callable[[str], None]:
    """Return a progress that names the operator where there are several."""
    name = f"{part.world.operator}: " if len(crew.parts) > 1 else ""
    return lambda step: progress(name + step)


def _piece_slots(crew: _Crew) -> int:
    """Return how many slots are served together, the fewer the more terminals there are."""
    terminals = sum(part.rows.size for part in crew.parts)
    looks_ahead = any(part.world.rule.ahead_slots is None for part in crew.parts)
    return min(CHUNK_SLOTS, max(LEAST_AHEAD if looks_ahead else 1, MOST_TOGETHER // terminals))


def _in_order(crew: _Crew, pieces: Iterator[Piece]) -> Iterator[Share]:
    """Serve pieces in slot order, each with what is remembered of those before."""
    memories = crew.no_memories()
    for piece in pieces:
        share, memories = _serve_all(crew, piece, memories)
        yield share


def _serve_all(
    crew: _Crew, piece: Piece, memories: Sequence[Memories]
) -> tuple[Share, list[Memories]]:
    served = [
        serve_pairs(part, records, pairs, memory)
        for part, records, pairs, memory in zip(
            crew.parts, crew.records, piece, memories, strict=True
        )
    ]
    return [(now, before) for now, before, _ in served], [memory for _, _, memory in served]


def serve_pairs(
    part: Part, records: Sgp4Records, pairs: Sequence[SlotPair], memories: Memories
) -> tuple[AccessChunk, AccessChunk, Memories]:
    """Return what every terminal of a part has in consecutive slots, and what it would have."""
    now, before = [], []
    for world, group in groupby(pairs, key=lambda pair: part.at_slot(pair.whole.slot)):
        own = list(group)
        left, would_be, memories = _serve_group(part, world, records, own, memories)
        now.append(left)
        before.append(would_be)
    is_kept = part.world.scenario.results.links == "changes"
    links = tuple(pair.now.changes for pair in pairs) if is_kept else ()
    return replace(joined(now), links=links), joined(before), memories


def joined(chunks: Sequence[AccessChunk]) -> AccessChunk:
    """Return consecutive chunks as one."""
    return chunks[0] if len(chunks) == 1 else join(list(chunks))


def _serve_group(
    part: Part, world: World, records: Sgp4Records, pairs: Sequence[SlotPair], memories: Memories
) -> tuple[AccessChunk, AccessChunk, Memories]:
    """Serve slots that share their failures, as `world` has them."""
    before, whole = serve(part.world, records, [pair.whole for pair in pairs], memories.whole)
    is_whole = world is part.world and all(pair.now is pair.whole for pair in pairs)
    if is_whole and memories.now is memories.whole:
        return before, before, Memories(whole, whole)
    if world.core_is_up:
        now, memory = serve(world, records, [pair.now for pair in pairs], memories.now)
        return _for_its_cause(world, before, now), before, Memories(memory, whole)
    gone = np.where(before.is_served, Reason.CORE_FAILED.number, before.reason)
    idle = memories.now.idle(len(pairs)) if world.rule.remembers else memories.now
    return _emptied(before, gone.astype(np.int16)), before, Memories(idle, whole)


def _for_its_cause(world: World, before: AccessChunk, now: AccessChunk) -> AccessChunk:
    """Return what is left of the service, who lost it being out for the failure."""
    lost = before.is_served & ~now.is_served
    cause = np.where(lost, _causes(world, before, now), now.reason)
    return replace(now, reason=cause.astype(np.int16))


def _causes(world: World, before: AccessChunk, now: AccessChunk) -> NDArray[np.integer]:
    """Return why the service of `before` has ended, shape (K, S), where it has.

    First what it went through; but others that failed may have taken its place at antennas and on
    the way to a gateway.  What neither explains, or failed laser links might, keeps its own reason.
    """
    sat, gateway, pop = Reason.SATELLITE_FAILED, Reason.GATEWAY_FAILED, Reason.POP_FAILED
    otherwise = now.reason
    if not world.sat_is_up.all():
        otherwise = np.full_like(now.reason, sat.number)
    if not world.gateway_is_up.all():
        otherwise = np.full_like(now.reason, gateway.number)
    if world.failed_links:
        otherwise = now.reason
    failed = [
        ~np.append(is_up, True)[rows]
        for is_up, rows in (
            (world.sat_is_up, before.sat),
            (world.gateway_is_up, before.gateway),
            (world.pop_is_up, before.pop),
        )
    ]
    return np.select(failed, [sat.number, gateway.number, pop.number], otherwise)


def _merged(system: System, share: Share) -> tuple[AccessChunk, AccessChunk]:
    """Return what is and what would be without failures, of all terminals of a system."""
    now, before = zip(*share, strict=True)
    return _joined(system, now), _joined(system, before)


def _emptied(chunk: AccessChunk, reason: NDArray[np.int16]) -> AccessChunk:
    """Return a chunk in which nobody has anything, for the reasons given (K, S)."""
    empty = {name: np.full_like(getattr(chunk, name), absent(name)) for name in ARRAYS}
    return replace(chunk, **{**empty, "reason": reason})


def _joined(system: System, chunks: Sequence[AccessChunk]) -> AccessChunk:
    """Return the chunks of all worlds as one, their rows counted through all operators."""
    if len(system.parts) == 1:
        return chunks[0]
    shape = (chunks[0].slots, len(system.terminals))
    whole = {name: np.empty(shape, getattr(chunks[0], name).dtype) for name in ARRAYS}
    links: list[LinkChanges] = []
    before = {"sat": 0, "gateway": 0, "pop": 0}
    waiting = iter(chunks)
    for part in system.parts:
        if part.rows.size:
            chunk = next(waiting)
            links += [each.shifted(before["sat"]) for each in chunk.links]
            for name, values in whole.items():
                found = getattr(chunk, name)
                shift = before.get(name, 0)
                values[:, part.rows] = (
                    np.where(found >= 0, found + shift, found) if shift else found
                )
        before["sat"] += len(part.world.fleet.catalogue)
        before["gateway"] += len(part.world.gateways)
        before["pop"] += len(part.world.pops)
    return AccessChunk(chunks[0].first_slot, **whole, links=tuple(links))


def _shared_out(crew: _Crew, pieces: Iterator[Piece], workers: int) -> Iterator[Share]:
    """Serve pieces in spawned processes, in order, with at most two waiting per process."""
    threads = max(1, numba.get_num_threads() // workers)
    waiting: deque[Future[Share]] = deque()
    with ProcessPoolExecutor(
        workers, get_context("spawn"), initializer=_start_worker, initargs=(crew, threads)
    ) as pool:
        for piece in pieces:
            waiting.append(pool.submit(_serve_in_worker, piece))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


_crew: _Crew


def _start_worker(crew: _Crew, threads: int) -> None:
    global _crew
    numba.set_num_threads(threads)
    _crew = crew


def _serve_in_worker(piece: Piece) -> Share:
    share, _ = _serve_all(_crew, piece, _crew.no_memories())  # such rules remember nothing
    return share
