"""Slots computed for all operators of a system, in one process or in several.

Each operator's world is computed by itself, and beside it the same world with the failures of the
run.  The networks go through the slots in order, in this process; pieces of consecutive slots are
then served from them anywhere, and the results do not depend on where.
"""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from multiprocessing import get_context

import numba
import numpy as np
from numpy.typing import NDArray

from skyweave.policy.reasons import Reason
from skyweave.twin.orbits import Sgp4Records, initialise
from skyweave.twin.pipeline import CHUNK_SLOTS, SlotNetwork, absent, networks, serve
from skyweave.twin.results.chunk import ARRAYS, AccessChunk
from skyweave.twin.world import Part, System

MOST_TOGETHER = 250_000  # terminals times slots served together: some 0.5 GB with their pairs
LEAST_AHEAD = 15  # slots, where each piece also looks as far ahead as HORIZON_S

Share = list[tuple[AccessChunk, AccessChunk | None]]  # of each part: what is, what would be
Piece = list[tuple[list[SlotNetwork], list[SlotNetwork] | None]]  # likewise the networks


def run_slots(
    system: System, workers: int = 1, progress: Callable[[str], None] = lambda _: None
) -> Iterator[tuple[AccessChunk, AccessChunk | None]]:
    """Yield what every terminal has, chunk by chunk in slot order.

    Beside each chunk stands what it would have been without the system's failures, where it has
    any; otherwise None.
    """
    crew = _Crew.of(system)
    pieces = _pieces(crew, system.slots, progress)
    shares: Iterator[Share]
    if workers == 1:
        shares = (_serve_all(crew, piece) for piece in pieces)
    else:
        shares = _shared_out(crew, pieces, workers)
    for share in shares:
        is_now, before = _merged(system, share)
        yield is_now, before if system.without else None
        progress(f"terminals: slot {is_now.first_slot + is_now.slots} of {system.slots}")


@dataclass(frozen=True)
class _Crew:
    """The worlds that have terminals, each with its SGP4 records and with its failures."""

    parts: tuple[Part, ...]
    records: tuple[Sgp4Records, ...]

    @staticmethod
    def of(system: System) -> "_Crew":
        parts = tuple(part for part in system.parts if part.rows.size)
        return _Crew(parts, tuple(initialise(part.world.fleet.catalogue) for part in parts))


def _pieces(crew: _Crew, slots: int, progress: Callable[[str], None]) -> Iterator[Piece]:
    """Yield the networks of consecutive slots, of every world."""
    lines = [
        (
            networks(part.world, records, slots, _of_operator(part, crew, progress)),
            _failed_networks(part, records, slots),
        )
        for part, records in zip(crew.parts, crew.records, strict=True)
    ]
    step = _piece_slots(crew)
    for first in range(0, slots, step):
        count = min(step, slots - first)
        yield [
            (list(islice(line, count)), None if failed is None else list(islice(failed, count)))
            for line, failed in lines
        ]


def _of_operator(part: Part, crew: _Crew, progress: Callable[[str], None]) -> Callable[[str], None]:
    """Return a progress that names the operator where there are several."""
    name = f"{part.world.operator}: " if len(crew.parts) > 1 else ""
    return lambda step: progress(name + step)


def _piece_slots(crew: _Crew) -> int:
    """Return how many slots are served together, the fewer the more terminals there are."""
    terminals = sum(part.rows.size for part in crew.parts)
    looks_ahead = any(part.world.rule.looks_ahead for part in crew.parts)
    return min(CHUNK_SLOTS, max(LEAST_AHEAD if looks_ahead else 1, MOST_TOGETHER // terminals))


def _failed_networks(part: Part, records: Sgp4Records, slots: int) -> Iterator[SlotNetwork] | None:
    return None if part.failed is None else networks(part.failed, records, slots)


def _serve_all(crew: _Crew, piece: Piece) -> Share:
    return [
        (
            serve(part.world, records, line),
            None if part.failed is None or failed is None else serve(part.failed, records, failed),
        )
        for part, records, (line, failed) in zip(crew.parts, crew.records, piece, strict=True)
    ]


def _merged(system: System, share: Share) -> tuple[AccessChunk, AccessChunk]:
    """Return what is and what would be without failures, of all terminals of a system."""
    parts = [part for part in system.parts if part.rows.size]
    pairs = [(_after(part, *chunks), chunks[0]) for part, chunks in zip(parts, share, strict=True)]
    return _joined(system, [now for now, _ in pairs]), _joined(system, [was for _, was in pairs])


def _after(part: Part, before: AccessChunk, failed: AccessChunk | None) -> AccessChunk:
    """Return what is left of a part's service, with the failure as the reason of what is lost."""
    if part.is_gone:
        gone = np.where(before.is_served, Reason.CORE_FAILED.number, before.reason)
        return _emptied(before, gone.astype(np.int16))
    if failed is None:
        return before
    assert part.failed is not None
    is_up, pop_is_up = part.failed.gateway_is_up, part.failed.pop_is_up
    cause = np.select(
        [~np.append(is_up, True)[before.gateway], ~np.append(pop_is_up, True)[before.pop]],
        [Reason.GATEWAY_FAILED.number, Reason.POP_FAILED.number],
        # Its gateway and PoP are up, so antennas now follow other satellites: for a gateway's sake.
        Reason.GATEWAY_FAILED.number,
    )
    lost = before.is_served & ~failed.is_served
    return replace(failed, reason=np.where(lost, cause, failed.reason).astype(np.int16))


def _emptied(chunk: AccessChunk, reason: NDArray[np.int16]) -> AccessChunk:
    """Return a chunk in which nobody has anything, for the reasons given (K, S)."""
    empty = {name: np.full_like(getattr(chunk, name), absent(name)) for name in ARRAYS}
    return AccessChunk(chunk.first_slot, **{**empty, "reason": reason})


def _joined(system: System, chunks: list[AccessChunk]) -> AccessChunk:
    """Return the chunks of all worlds as one, their rows counted through all operators."""
    if len(system.parts) == 1:
        return chunks[0]
    shape = (chunks[0].slots, len(system.terminals))
    whole = {name: np.empty(shape, getattr(chunks[0], name).dtype) for name in ARRAYS}
    before = {"sat": 0, "gateway": 0, "pop": 0}
    waiting = iter(chunks)
    for part in system.parts:
        if part.rows.size:
            chunk = next(waiting)
            for name, values in whole.items():
                found = getattr(chunk, name)
                shift = before.get(name, 0)
                values[:, part.rows] = (
                    np.where(found >= 0, found + shift, found) if shift else found
                )
        before["sat"] += len(part.world.fleet.catalogue)
        before["gateway"] += len(part.world.gateways)
        before["pop"] += len(part.world.pops)
    return AccessChunk(chunks[0].first_slot, **whole)


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
    return _serve_all(_crew, piece)
