"""Beams: which terminals a satellite can serve at once, and on which channel of their cell.

What holds in every answer:

- a terminal is served by one satellite, one of its candidates;
- the terminals of one cell that one satellite serves share one beam, on one channel;
- a cell has at most eight beams, each on another channel: no two of the same frequency meet there
  (Nco = 1; which of the neighbouring cells a beam spills into is not modelled);
- a satellite has at most `down` beams down and `up` beams up.  Up beams are shared in time by up to
  `UP_SHARING` cells, an assumption that makes the 16 up and 48 down of the first generations
  (4 arrays of 8 beams in 2 polarisations, 3 of them down) bind together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from skyweave.errors import InputError
from skyweave.seeds import hashed_uniform, named_key, text_keys
from skyweave.twin.scheduling._beam_kernels import (
    CHANNELS,
    FREE,
    SEARCHED_SATELLITES,
    Offers,
    PlainPlan,
    Plan,
    Search,
    seat_by_moving,
    seat_until_short,
)
from skyweave.twin.topology import GENERATIONS

UP_SHARING = 3  # cells that share an up beam in time
DOWN_BEAMS, UP_BEAMS = 48, 16  # of a satellite, as filed for the first generations
MOST_BEAMS = 10_000  # a table that gives a satellite more is a slip of the pen

FIRST_SERVED = ("lifeline", "priority", "standard")

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
RowArray = NDArray[np.int32]


class BeamLimits(NamedTuple):
    """Beams of each satellite."""

    down: RowArray  # (N,)
    up: RowArray  # (N,)

    @property
    def links(self) -> IntArray:
        """Cells that each satellite can serve at once, (N,)."""
        return np.minimum(self.down.astype(np.int64), self.up.astype(np.int64) * UP_SHARING)


@dataclass(frozen=True)
class Assignment:
    """Who serves whom in one slot: S terminals, N satellites."""

    chosen: IntArray  # (S,) pair of each terminal, -1 where none
    channel: NDArray[np.int8]  # (S,) channel of the beam that it rides on, -1 where none
    reason_no_beam: NDArray[np.bool_]  # (S,) it has candidates, but none had a beam to spare
    beams_used: RowArray  # (N,) down beams


def beam_limits(
    generation: NDArray[np.int8], table: Mapping[str, tuple[int, int]] | None = None
) -> BeamLimits:
    """Return the beams of satellites whose place in GENERATIONS is given, shape (N,).

    `table` has (down, up) by the name of a generation and goes before the default of 48 and 16,
    which is that of every generation: no later one has been published.
    """
    down = np.full(len(GENERATIONS), DOWN_BEAMS, np.int32)
    up = np.full(len(GENERATIONS), UP_BEAMS, np.int32)
    for name, beams in (table or {}).items():
        if name not in GENERATIONS:
            known = ", ".join(f'"{each}"' for each in GENERATIONS)
            raise InputError(
                f'beams of generation "{name}": there is none; expected one of {known}'
            )
        if not all(0 <= count <= MOST_BEAMS for count in beams):
            raise InputError(
                f'beams of generation "{name}": found {beams[0]} down and {beams[1]} up, '
                f"expected 0 to {MOST_BEAMS}"
            )
        down[GENERATIONS.index(name)], up[GENERATIONS.index(name)] = beams
    return BeamLimits(down[generation], up[generation])


def service_rank(
    service_class: ArrayLike,
    seed: int,
    slot: int,
    terminal_id: ArrayLike,
    cell: IntArray | None = None,
) -> IntArray:
    """Return each terminal's place in the order of service, (S,): 0 is first.

    Lifelines go first, then priority, then standard.  Within a class the order is drawn anew for
    every slot, from nothing but seed, slot and id, so no terminal is always last and a run may be
    computed in any pieces.  Where `cell` (S,) is given, a terminal's chance to be drawn next grows
    with the number of terminals in its cell, which all gain when the cell gets a beam: a lone
    terminal has its turn too, but more are served in all.
    `terminal_id` is text or, to spare hashing it for every slot, the `seeds.text_keys` of it.
    """
    ids = np.asarray(terminal_id)
    keys = ids if ids.dtype == np.uint64 else text_keys(ids)
    # Waits with rates w: the first to end is that of i in w_i of sum(w) cases (Efraimidis and
    # Spirakis 2006).
    wait = -np.log(hashed_uniform(named_key(seed, "service order"), keys, slot))
    if cell is not None:
        _, row, count = np.unique(cell, return_inverse=True, return_counts=True)
        wait /= count[row]
    order = np.lexsort((wait, _class_place(np.asarray(service_class))))
    rank = np.empty(order.size, np.int64)
    rank[order] = np.arange(order.size)
    return rank


def _class_place(service_class: NDArray[np.str_]) -> NDArray[np.int8]:
    place = np.full(service_class.shape, -1, np.int8)
    for index, name in enumerate(FIRST_SERVED):
        place[service_class == name] = index
    if (place < 0).any():
        raise InputError(
            f'service_class "{service_class[place < 0][0]}" is unknown; '
            f"expected {', '.join(FIRST_SERVED)}"
        )
    return place


def assign(
    terminal_start: IntArray,
    sat: RowArray,
    score: FloatArray,
    cell: IntArray,
    rank: IntArray,
    limits: BeamLimits,
) -> Assignment:
    """Return which pair serves each terminal when satellites have so many beams and no more.

    `terminal_start` (S + 1,) and `sat` (P,) are those of `Candidates`; `score` (P,) is -inf where a
    satellite may not serve; `cell` (S,) is any number from 0 up, an H3 index or a row; `rank` (S,)
    is that of `service_rank`.

    The first in rank takes its best pair, and so on.  Who finds no free beam has others moved: a
    beam goes to another satellite that its riders see, which may first have to give one away
    (an augmenting path of matching theory, Berge 1957).  That unseats nobody, so it never costs
    anyone of higher rank the service, but it may cost them their best satellite; at the end each
    moves to the best that has become free.  Where no limit binds everyone has their best pair, the
    first of equals.
    """
    offers = _offers(terminal_start, sat, score, cell, rank)
    plan = _empty_plan(offers, limits)
    seated = seat_until_short(offers, plan)
    if seated < offers.order.size:
        seat_by_moving(offers, plan, _empty_search(limits.down.size), seated)
    return _assignment(offers, plan.seat, _channels(offers, plan), plan.used)


def assign_reference(
    terminal_start: IntArray,
    sat: RowArray,
    score: FloatArray,
    cell: IntArray,
    rank: IntArray,
    limits: BeamLimits,
) -> Assignment:
    """Return what `assign` does, in plain Python."""
    offers = _offers(terminal_start, sat, score, cell, rank)
    plan = PlainPlan(offers, limits.links)
    plan.assign()
    chosen = np.full(cell.size, -1, np.int64)
    channel = np.full(cell.size, -1, np.int8)
    for terminal, (pair, _) in plan.seat.items():
        chosen[terminal], channel[terminal] = pair, plan.channel(terminal)
    used = [len(plan.beams.get(n, [])) for n in range(limits.down.size)]
    return _assignment(offers, chosen, channel, np.array(used, np.int32))


def _assignment(
    offers: Offers, chosen: IntArray, channel: NDArray[np.int8], used: RowArray
) -> Assignment:
    before = np.concatenate(([0], np.cumsum(offers.score > -np.inf)))
    has_candidate = before[offers.start[1:]] > before[offers.start[:-1]]
    return Assignment(chosen, channel, (chosen < 0) & has_candidate, used)


def _offers(
    start: IntArray, sat: RowArray, score: FloatArray, cell: IntArray, rank: IntArray
) -> Offers:
    terminals = start.size - 1
    if not sat.shape == score.shape == (start[-1],):
        raise InputError(
            f"sat has shape {sat.shape} and score {score.shape}; pass one each of "
            f"{start[-1]} candidates"
        )
    if not (score < np.inf).all():
        raise InputError("a score is NaN or infinite; pass -inf where a satellite may not serve")
    if not cell.shape == rank.shape == (terminals,):
        raise InputError(
            f"cell has shape {cell.shape} and rank {rank.shape}; pass one each of "
            f"{terminals} terminals"
        )
    rows, cells = _cell_rows(cell)
    order = np.argsort(rank, kind="stable")
    member_start = np.zeros(cells + 1, np.int64)
    np.cumsum(np.bincount(rows, minlength=cells), out=member_start[1:])
    return Offers(
        start=start,
        sat=sat.astype(np.int64),
        score=score,
        cell=rows,
        order=order,
        member_start=member_start,
        # By rank within a cell: an answer must not hang on the order of rows.
        member=order[np.argsort(rows[order], kind="stable")],
    )


def _cell_rows(cell: IntArray) -> tuple[IntArray, int]:
    """Return cells numbered from 0, and how many; numbers that are small already stay."""
    if not cell.size:
        return cell.astype(np.int64), 0
    if cell.min() < 0:
        raise InputError(f"a cell is {cell.min()}; pass a number from 0 up for every terminal")
    if cell.max() < cell.size:
        return cell.astype(np.int64), int(cell.max()) + 1
    known, rows = np.unique(cell, return_inverse=True)
    return rows.astype(np.int64), known.size


def _empty_plan(offers: Offers, limits: BeamLimits) -> Plan:
    cells = offers.member_start.size - 1
    satellites = limits.down.size
    if offers.sat.size and not 0 <= offers.sat.min() <= offers.sat.max() < satellites:
        raise InputError(
            f"a candidate is satellite row {offers.sat.max()}; there are limits of {satellites}"
        )
    # No list need be longer than the satellite has candidates, whatever its limit.
    wanted = np.bincount(offers.sat, minlength=satellites)
    beam_start = np.zeros(satellites + 1, np.int64)
    np.cumsum(np.minimum(limits.links, wanted), out=beam_start[1:])
    return Plan(
        seat=np.full(offers.cell.size, -1, np.int64),
        open_sat=np.full((cells, CHANNELS), FREE, np.int64),
        riders=np.zeros((cells, CHANNELS), np.int32),
        place=np.zeros((cells, CHANNELS), np.int64),
        used=np.zeros(satellites, np.int32),
        beam_start=beam_start,
        beam=np.zeros(beam_start[-1], np.int64),
    )


def _empty_search(satellites: int) -> Search:
    return Search(
        sat=np.empty(SEARCHED_SATELLITES, np.int64),
        before=np.empty(SEARCHED_SATELLITES, np.int64),
        moved=np.empty(SEARCHED_SATELLITES, np.int64),
        seen=np.zeros(satellites, np.int64),
    )


def _channels(offers: Offers, plan: Plan) -> NDArray[np.int8]:
    is_served = plan.seat >= 0
    channel = np.full(plan.seat.size, -1, np.int8)
    beams = plan.open_sat[offers.cell[is_served]]
    channel[is_served] = np.argmax(beams == offers.sat[plan.seat[is_served], None], axis=1)
    return channel


def checked_choice(
    chosen: ArrayLike,
    terminal_start: IntArray,
    sat: RowArray,
    score: FloatArray,
    cell: IntArray,
    limits: BeamLimits,
) -> Assignment:
    """Return the assignment that a scheduler of one's own means by the pairs it chose, (S,).

    Refused with the first constraint it violates; the channels are given out here, each cell's
    from 0 up in the order of satellites.
    """
    pairs = np.asarray(chosen)
    terminals = terminal_start.size - 1
    if pairs.shape != (terminals,) or not np.issubdtype(pairs.dtype, np.integer):
        raise InputError(
            f"the choice has shape {pairs.shape} and type {pairs.dtype}; return one whole number "
            f"for each of {terminals} terminals: the row of its pair, or -1"
        )
    pairs = pairs.astype(np.int64)
    channel = np.full(terminals, -1, np.int8)
    faults = _seat_faults(pairs, terminal_start, sat, score)
    if not faults:
        channel = _channels_from(pairs, sat, cell)
        faults = _beam_faults(pairs, channel, sat, cell, limits)
    if faults:
        raise InputError(f"{faults[0]}; choose within the limits or -1 for no service")
    offers = _offers(terminal_start, sat, score, cell, np.arange(terminals))
    served = np.flatnonzero(pairs >= 0)
    beams = np.unique(np.column_stack((cell[served], sat[pairs[served]])), axis=0)
    used = np.bincount(beams[:, 1], minlength=limits.down.size).astype(np.int32)
    return _assignment(offers, pairs, channel, used)


def check(
    assignment: Assignment,
    terminal_start: IntArray,
    sat: RowArray,
    score: FloatArray,
    cell: IntArray,
    limits: BeamLimits,
) -> list[str]:
    """Return one line for each kind of constraint that an assignment violates, with its first case.

    Cells are named by a terminal row in them: their own names are places.
    """
    faults = _seat_faults(assignment.chosen, terminal_start, sat, score)
    if faults:
        return faults  # without seats there are no beams to count
    return _beam_faults(assignment.chosen, assignment.channel, sat, cell, limits)


def _seat_faults(
    chosen: IntArray, terminal_start: IntArray, sat: RowArray, score: FloatArray
) -> list[str]:
    is_served = chosen != -1
    is_own = (chosen >= terminal_start[:-1]) & (chosen < terminal_start[1:])
    faults = []
    if (is_served & ~is_own).any():
        row = int(np.argmax(is_served & ~is_own))
        faults.append(f"terminal row {row} is served by a satellite it does not see")
    may = np.zeros(chosen.size, np.bool_)
    may[is_own] = score[chosen[is_own]] > -np.inf
    if (is_own & ~may).any():
        row = int(np.argmax(is_own & ~may))
        faults.append(
            f"terminal row {row} is served by satellite row {sat[chosen[row]]}, which may not serve"
        )
    return faults


def _beam_faults(
    chosen: IntArray,
    channel: NDArray[np.int8],
    sat: RowArray,
    cell: IntArray,
    limits: BeamLimits,
) -> list[str]:
    served = np.flatnonzero(chosen >= 0)
    by = sat[chosen[served]].astype(np.int64)
    rides = np.column_stack((cell[served], by, channel[served]))
    beams, first = np.unique(rides, axis=0, return_index=True)
    faults = []
    for n, count in enumerate(np.bincount(beams[:, 1], minlength=limits.down.size).tolist()):
        down, up = int(limits.down[n]), int(limits.up[n])
        needed = -(-count // UP_SHARING)
        if count > down:
            faults.append(f"satellite row {n} uses {count} of {down} down beams")
        if needed > up:
            faults.append(f"satellite row {n} uses {needed} of {up} up beams")
        if faults:
            break
    off = (beams[:, 2] < 0) | (beams[:, 2] >= CHANNELS)
    if off.any():
        at = int(np.argmax(off))
        faults.append(
            f"terminal row {served[first[at]]} is on channel {beams[at, 2]}; "
            f"there are 0 to {CHANNELS - 1}"
        )
    faults += _repeated(beams[:, [0, 2]], served[first], "has two beams on channel {}")
    faults += _repeated(beams[:, [0, 1]], served[first], "has two beams of satellite row {}")
    return faults


def _repeated(keys: IntArray, terminal: IntArray, fault: str) -> list[str]:
    """Return a line for the first of two beams with the same key (cell, other), if there are."""
    _, which, count = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
    is_twice = count[which.ravel()] > 1
    if not is_twice.any():
        return []
    at = int(np.argmax(is_twice))
    return [f"the cell of terminal row {terminal[at]} {fault.format(keys[at, 1])}"]


def _channels_from(chosen: IntArray, sat: RowArray, cell: IntArray) -> NDArray[np.int8]:
    """Return channels for seats without one, (S,): beyond the last where a cell has too many."""
    served = np.flatnonzero(chosen >= 0)
    rides = np.column_stack((cell[served], sat[chosen[served]]))
    beams, which = np.unique(rides, axis=0, return_inverse=True)
    _, start, row = np.unique(beams[:, 0], return_index=True, return_inverse=True)
    channel = np.full(chosen.size, -1, np.int8)
    place = np.arange(len(beams)) - start[row.ravel()]
    channel[served] = np.minimum(place, CHANNELS)[which.ravel()]
    return channel
