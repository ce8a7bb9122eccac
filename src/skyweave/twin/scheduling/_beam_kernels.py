"""Compiled half of `beams`, and the plain one that it is compared with.

A beam joins one cell to one satellite on one of the cell's channels and is named by a number,
cell * CHANNELS + channel.  Terminals that ride on it share it.  Both halves take the same steps in
the same order, so their answers are equal bit for bit.
"""

from typing import NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from skyweave.kernels import kernel

CHANNELS = 8  # of one cell, each on at most one beam

# How far beams are moved to make room for one more: without limits, a city that wants more than
# its sky has would look at that whole sky again for every terminal.  8, 16 and 32 satellites serve
# the same 96.0 % of 200,000 terminals for half as many beams as they want.
SEARCHED_SATELLITES = 8
MOVED_RIDERS = 64

# Numba compiles a function for each type, and for each plain number, that it is called with.  All
# of one type, the kernels compile in 15 s of processor time instead of 20 s.
FREE = NONE = cast(int, np.int64(-1))
ZERO = cast(int, np.int64(0))

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]
IntArray = NDArray[np.int64]


class Offers(NamedTuple):
    """What is given: pairs in the order of their terminals, and the terminals of each cell."""

    start: IntArray  # (S + 1,) pairs of terminal s are start[s] .. start[s + 1]
    sat: IntArray  # (P,)
    score: FloatArray  # (P,) -inf where the satellite may not serve
    cell: IntArray  # (S,) rows 0 to C - 1
    order: IntArray  # (S,) terminals, the first to be served first
    member_start: IntArray  # (C + 1,)
    member: IntArray  # (S,) terminals in the order of their cells, and of rank within each


class Plan(NamedTuple):
    """What is decided so far; all of it is written to."""

    seat: IntArray  # (S,) pair of each terminal, -1 without one
    open_sat: IntArray  # (C, CHANNELS) satellite of each beam, FREE where the channel is
    riders: RowArray  # (C, CHANNELS) terminals that share the beam
    place: IntArray  # (C, CHANNELS) where the satellite's list names the beam
    used: RowArray  # (N,) beams of each satellite
    beam_start: IntArray  # (N + 1,) the list of satellite n is start[n] .. start[n] + used[n]
    beam: IntArray  # beams of each satellite, in no order that means anything


class Search(NamedTuple):
    """Room for looking which beam could be moved: a queue of satellites without a free beam."""

    sat: IntArray  # (SEARCHED_SATELLITES,)
    before: IntArray  # (SEARCHED_SATELLITES,) entry whose satellite ...
    moved: IntArray  # ... gives this beam to this one; FREE or a beam of the terminal's own cell
    seen: IntArray  # (N,) the turn in which the satellite was last seen, NO_WAY_OUT for good


NO_WAY_OUT = np.iinfo(np.int64).max


@kernel()
def seat_until_short(offers: Offers, plan: Plan) -> int:
    """Seat each terminal in turn on its best pair; returns how many had one with a free beam.

    Where no limit binds that is all there is to do, and all that is compiled.
    """
    for turn in range(offers.order.size):
        u = offers.order[turn]
        if not _take_best(offers, plan, u) and _wants(offers, u):
            return turn
    return offers.order.size


@kernel()
def seat_by_moving(offers: Offers, plan: Plan, search: Search, seated: int) -> None:
    """Seat the terminals from turn `seated` on, for whom beams may have to be moved.

    Whoever has a seat keeps one, so a terminal is never served at the cost of one before it.
    """
    turn = ZERO
    for u in offers.order[seated:]:
        if not _take_best(offers, plan, u) and _wants(offers, u):
            turn += 1
            _make_room(offers, plan, search, u, turn)
    for u in offers.order:  # who was moved may now find something better
        if plan.seat[u] >= 0:
            _leave(offers, plan, u)
            _take_best(offers, plan, u)
    search.seen[:] = 0
    for u in offers.order:
        if plan.seat[u] < 0 and not _take_best(offers, plan, u) and _wants(offers, u):
            turn += 1
            _make_room(offers, plan, search, u, turn)
    for u in offers.order:  # a beam moved for another may pass over this terminal's cell
        if plan.seat[u] < 0:
            _take_best(offers, plan, u)


@kernel()
def _wants(offers: Offers, u: int) -> bool:
    return bool((offers.score[offers.start[u] : offers.start[u + 1]] > -np.inf).any())


@kernel()
def _channel_of(open_sat: IntArray, c: int, s: int) -> int:
    """Return the channel on which the cell has a beam of the satellite (or FREE), -1 for none."""
    for k in range(CHANNELS):
        if open_sat[c, k] == s:
            return k
    return NONE


@kernel()
def _has_spare(plan: Plan, s: int) -> bool:
    return bool(plan.used[s] < plan.beam_start[s + 1] - plan.beam_start[s])


@kernel()
def _open(plan: Plan, c: int, k: int, s: int) -> None:
    plan.open_sat[c, k] = s
    plan.riders[c, k] = 0
    plan.place[c, k] = plan.beam_start[s] + plan.used[s]
    plan.beam[plan.place[c, k]] = c * CHANNELS + k
    plan.used[s] += 1


@kernel()
def _close(plan: Plan, c: int, k: int) -> None:
    s = plan.open_sat[c, k]
    plan.used[s] -= 1
    last = plan.beam[plan.beam_start[s] + plan.used[s]]
    plan.beam[plan.place[c, k]] = last
    plan.place[last // CHANNELS, last % CHANNELS] = plan.place[c, k]
    plan.open_sat[c, k] = FREE
    plan.riders[c, k] = 0


@kernel()
def _take_best(offers: Offers, plan: Plan, u: int) -> bool:
    """Seat a terminal on its best pair whose beam is open for its cell or can be opened."""
    c = offers.cell[u]
    has_channel = _channel_of(plan.open_sat, c, FREE) >= 0
    best, best_pair = -np.inf, NONE
    for p in range(offers.start[u], offers.start[u + 1]):
        if offers.score[p] > best:
            s = offers.sat[p]
            if (has_channel and _has_spare(plan, s)) or _channel_of(plan.open_sat, c, s) >= 0:
                best, best_pair = offers.score[p], p
    if best_pair < 0:
        return False
    _sit(offers, plan, u, best_pair)
    return True


@kernel()
def _sit(offers: Offers, plan: Plan, u: int, p: int) -> None:
    c, s = offers.cell[u], offers.sat[p]
    k = _channel_of(plan.open_sat, c, s)
    if k < 0:
        k = _channel_of(plan.open_sat, c, FREE)
        _open(plan, c, k, s)
    plan.riders[c, k] += 1
    plan.seat[u] = p


@kernel()
def _leave(offers: Offers, plan: Plan, u: int) -> None:
    c = offers.cell[u]
    k = _channel_of(plan.open_sat, c, offers.sat[plan.seat[u]])
    plan.riders[c, k] -= 1
    if plan.riders[c, k] == 0:
        _close(plan, c, k)
    plan.seat[u] = -1


@kernel()
def _make_room(offers: Offers, plan: Plan, search: Search, u: int, turn: int) -> bool:
    """Free a beam for a terminal by moving others, breadth first over satellites, and seat it.

    A satellite without a free beam gets one when one of its beams goes to another satellite that
    all its riders see, or when they all join other beams of their cell.
    """
    queued = _queue_own(offers, plan, search, u, turn)
    if queued < 0:
        return True
    entry = ZERO
    while entry < queued:
        s = search.sat[entry]
        for place in range(plan.beam_start[s], plan.beam_start[s] + plan.used[s]):
            queued = _look_at(offers, plan, search, u, turn, entry, plan.beam[place], queued)
            if queued < 0:
                return True
        entry += 1
    # Behind these nobody had a beam to spare, nor will others find one; of a search that was cut
    # short that is said only of where it began, or ever more terminals would repeat it.
    is_whole = queued < SEARCHED_SATELLITES
    for entry in range(queued):
        if is_whole or search.before[entry] == NONE:
            search.seen[search.sat[entry]] = NO_WAY_OUT
    return False


@kernel()
def _queue_own(offers: Offers, plan: Plan, search: Search, u: int, turn: int) -> int:
    """Queue the satellites that the terminal sees; -1 when it got a seat without more ado.

    A cell that has all its channels in use must give one up: one whose riders fit elsewhere.
    """
    c = offers.cell[u]
    has_channel = _channel_of(plan.open_sat, c, FREE) >= 0
    queued = ZERO
    for p in range(offers.start[u], offers.start[u + 1]):
        s = offers.sat[p]
        if offers.score[p] == -np.inf or search.seen[s] >= turn:
            continue
        given_up = FREE
        if not has_channel:
            given_up = _beam_to_give_up(offers, plan, c, s)
            if given_up == FREE:
                continue
            if _has_spare(plan, s):
                _move(offers, plan, given_up, s)
                return _seated(offers, plan, u)
        queued = _queue(search, turn, s, NONE, given_up, queued)
    return queued


@kernel()
def _seated(offers: Offers, plan: Plan, u: int) -> int:
    _take_best(offers, plan, u)
    return NONE


@kernel()
def _beam_to_give_up(offers: Offers, plan: Plan, c: int, s: int) -> int:
    for k in range(CHANNELS):
        if plan.riders[c, k] <= MOVED_RIDERS and _all_fit(offers, plan, c, k, s):
            return c * CHANNELS + k
    return FREE


@kernel()
def _queue(search: Search, turn: int, s: int, before: int, moved: int, queued: int) -> int:
    if queued == SEARCHED_SATELLITES:
        return queued
    search.sat[queued], search.before[queued], search.moved[queued] = s, before, moved
    search.seen[s] = turn
    return queued + 1


@kernel()
def _look_at(
    offers: Offers, plan: Plan, search: Search, u: int, turn: int, entry: int, b: int, queued: int
) -> int:
    """Move a beam of the entry's satellite if it can be, else queue where it could go.

    Returns the length of the queue, -1 when room was made and the terminal seated.
    """
    c, k = b // CHANNELS, b % CHANNELS
    if plan.riders[c, k] > MOVED_RIDERS or _is_on_the_way(offers, search, u, entry, c):
        return queued
    stuck = _first_stuck(offers, plan, c, k)
    if stuck < 0:
        _move_all(offers, plan, search, entry, b, FREE)
        return _seated(offers, plan, u)
    best, best_sat = -np.inf, NONE
    for p in range(offers.start[stuck], offers.start[stuck + 1]):
        s = offers.sat[p]
        if offers.score[p] == -np.inf or search.seen[s] >= turn or s == plan.open_sat[c, k]:
            continue
        has_spare = _has_spare(plan, s)
        if not has_spare and queued == SEARCHED_SATELLITES:
            continue
        if has_spare and offers.score[p] <= best:
            continue
        if not _all_fit(offers, plan, c, k, s):
            continue
        if has_spare:
            best, best_sat = offers.score[p], s
        else:
            queued = _queue(search, turn, s, entry, b, queued)
    if best_sat < 0:
        return queued
    _move_all(offers, plan, search, entry, b, best_sat)
    return _seated(offers, plan, u)


@kernel()
def _is_on_the_way(offers: Offers, search: Search, u: int, entry: int, c: int) -> bool:
    """Tell whether a beam of the cell is moved already: its riders cannot be counted on twice."""
    while entry >= 0:
        if search.moved[entry] != FREE and search.moved[entry] // CHANNELS == c:
            return True
        entry = search.before[entry]
    return bool(offers.cell[u] == c)


@kernel()
def _rides(offers: Offers, plan: Plan, t: int, s: int) -> bool:
    return bool(plan.seat[t] >= 0 and offers.sat[plan.seat[t]] == s)


@kernel()
def _first_stuck(offers: Offers, plan: Plan, c: int, k: int) -> int:
    """Return the first rider of a beam who could not join another of its cell, -1 for none."""
    s = plan.open_sat[c, k]
    for m in range(offers.member_start[c], offers.member_start[c + 1]):
        t: int = offers.member[m]
        if _rides(offers, plan, t, s) and not _fits(offers, plan, t, c, k, FREE):
            return t
    return NONE


@kernel()
def _all_fit(offers: Offers, plan: Plan, c: int, k: int, to: int) -> bool:
    """Tell whether every rider of a beam could go to satellite `to` or another of its cell's."""
    s = plan.open_sat[c, k]
    for m in range(offers.member_start[c], offers.member_start[c + 1]):
        t = offers.member[m]
        if _rides(offers, plan, t, s) and not _fits(offers, plan, t, c, k, to):
            return False
    return True


@kernel()
def _fits(offers: Offers, plan: Plan, t: int, c: int, k: int, to: int) -> bool:
    for p in range(offers.start[t], offers.start[t + 1]):
        if offers.score[p] > -np.inf:
            if offers.sat[p] == to:
                return True
            other = _channel_of(plan.open_sat, c, offers.sat[p])
            if other >= 0 and other != k:
                return True
    return False


@kernel()
def _move_all(offers: Offers, plan: Plan, search: Search, entry: int, b: int, to: int) -> None:
    """Move a beam, then to where it was the beam of the entry before, and so on to the first."""
    while True:
        _move(offers, plan, b, to)
        if entry < 0:
            return
        to, b, entry = search.sat[entry], search.moved[entry], search.before[entry]
        if b == FREE:
            return


@kernel()
def _move(offers: Offers, plan: Plan, b: int, to: int) -> None:
    """Give a beam to satellite `to`, or to none if FREE; each rider takes the best that is left."""
    c, k = b // CHANNELS, b % CHANNELS
    s = plan.open_sat[c, k]
    _close(plan, c, k)
    if to != FREE:
        _open(plan, c, k, to)
    for m in range(offers.member_start[c], offers.member_start[c + 1]):
        t = offers.member[m]
        if _rides(offers, plan, t, s):
            _join_best(offers, plan, t, c)


@kernel()
def _join_best(offers: Offers, plan: Plan, t: int, c: int) -> None:
    best, best_pair, best_channel = -np.inf, NONE, NONE
    for p in range(offers.start[t], offers.start[t + 1]):
        if offers.score[p] > best:
            k = _channel_of(plan.open_sat, c, offers.sat[p])
            if k >= 0:
                best, best_pair, best_channel = offers.score[p], p, k
    plan.riders[c, best_channel] += 1
    plan.seat[t] = best_pair


Entry = tuple[int, int | None, tuple[int, int] | None]  # as in `Search`: sat, before, moved


class PlainPlan:
    """The plain half: `Plan` as dictionaries and lists, with the same steps in the same order."""

    def __init__(self, offers: Offers, capacity: IntArray) -> None:
        pairs = zip(offers.start[:-1].tolist(), offers.start[1:].tolist(), strict=True)
        score, sat = offers.score.tolist(), offers.sat.tolist()
        self.pairs = [
            [(p, sat[p], score[p]) for p in range(*ends) if score[p] > -np.inf] for ends in pairs
        ]
        self.cell: list[int] = offers.cell.tolist()
        self.members: dict[int, list[int]] = {}
        self.order: list[int] = offers.order.tolist()
        for u in self.order:
            self.members.setdefault(self.cell[u], []).append(u)
        self.capacity: list[int] = capacity.tolist()
        self.seat: dict[int, tuple[int, int]] = {}  # terminal -> pair, satellite
        self.channels: dict[int, dict[int, int]] = {c: {} for c in self.members}  # -> satellite
        self.beams: dict[int, list[tuple[int, int]]] = {}  # satellite -> cells and channels
        self.no_way_out: set[int] = set()

    def assign(self) -> None:
        """Do what `seat_until_short` and `seat_by_moving` do."""
        for u in self.order:
            if not self._take_best(u):
                self._make_room(u)
        for u in self.order:
            if u in self.seat:
                self._leave(u)
                self._take_best(u)
        self.no_way_out.clear()
        waiting = [u for u in self.order if u not in self.seat]
        for u in waiting:
            if u not in self.seat and not self._take_best(u):
                self._make_room(u)
        for u in waiting:
            if u not in self.seat:
                self._take_best(u)

    def channel(self, u: int) -> int:
        """Return the channel that a seated terminal rides on."""
        c, (_, s) = self.cell[u], self.seat[u]
        return next(k for k, lit in self.channels[c].items() if lit == s)

    def _spare(self, s: int) -> bool:
        return len(self.beams.get(s, [])) < self.capacity[s]

    def _riders(self, c: int, k: int) -> list[int]:
        s = self.channels[c][k]
        return [u for u in self.members[c] if u in self.seat and self.seat[u][1] == s]

    def _open(self, c: int, k: int, s: int) -> None:
        self.channels[c][k] = s
        self.beams.setdefault(s, []).append((c, k))

    def _close(self, c: int, k: int) -> None:
        beams = self.beams[self.channels[c].pop(k)]
        beams[beams.index((c, k))] = beams[-1]
        beams.pop()

    def _take_best(self, u: int) -> bool:
        c = self.cell[u]
        lit = self.channels[c].values()
        free = [k for k in range(CHANNELS) if k not in self.channels[c]]
        can = [pair for pair in self.pairs[u] if pair[1] in lit or (free and self._spare(pair[1]))]
        if not can:
            return False
        p, s, _ = max(can, key=lambda pair: pair[2])  # the first of equals
        if s not in lit:
            self._open(c, free[0], s)
        self.seat[u] = p, s
        return True

    def _leave(self, u: int) -> None:
        c, k = self.cell[u], self.channel(u)
        del self.seat[u]
        if not self._riders(c, k):
            self._close(c, k)

    def _fits(self, u: int, k: int, to: int | None) -> bool:
        others = {s for other, s in self.channels[self.cell[u]].items() if other != k}
        return any(s == to or s in others for _, s, _ in self.pairs[u])

    def _all_fit(self, c: int, k: int, to: int) -> bool:
        return all(self._fits(u, k, to) for u in self._riders(c, k))

    def _make_room(self, u: int) -> bool:
        c = self.cell[u]
        queue: list[Entry] = []
        for _, s, _ in self.pairs[u]:
            given_up = None
            if s in self.no_way_out:
                continue
            if len(self.channels[c]) == CHANNELS:
                given_up = next((k for k in range(CHANNELS) if self._may_give(c, k, s)), None)
                if given_up is None:
                    continue
                if self._spare(s):
                    self._move(c, given_up, s)
                    return self._take_best(u)
            if len(queue) < SEARCHED_SATELLITES:
                queue.append((s, None, None if given_up is None else (c, given_up)))
        for entry, (s, _, _) in enumerate(queue):  # it grows meanwhile
            for beam in list(self.beams.get(s, [])):
                if self._look_at(u, queue, entry, beam):
                    return self._take_best(u)
        is_whole = len(queue) < SEARCHED_SATELLITES
        self.no_way_out.update(s for s, before, _ in queue if is_whole or before is None)
        return False

    def _may_give(self, c: int, k: int, s: int) -> bool:
        return len(self._riders(c, k)) <= MOVED_RIDERS and self._all_fit(c, k, s)

    def _look_at(self, u: int, queue: list[Entry], entry: int, beam: tuple[int, int]) -> bool:
        c, k = beam
        way: list[int] = []
        at: int | None = entry
        while at is not None:
            way.append(at)
            at = queue[at][1]
        on_the_way = {moved[0] for _, _, moved in (queue[i] for i in way) if moved}
        riders = self._riders(c, k)
        if len(riders) > MOVED_RIDERS or c == self.cell[u] or c in on_the_way:
            return False
        stuck = next((t for t in riders if not self._fits(t, k, None)), None)
        to: int | None = None
        if stuck is not None:
            known = {s for s, _, _ in queue} | self.no_way_out | {self.channels[c][k]}
            able = [
                (s, score)
                for _, s, score in self.pairs[stuck]
                if s not in known and self._all_fit(c, k, s)
            ]
            for s, _ in able:
                if not self._spare(s) and len(queue) < SEARCHED_SATELLITES:
                    queue.append((s, entry, beam))
            spare = [pair for pair in able if self._spare(pair[0])]
            if not spare:
                return False
            to, _ = max(spare, key=lambda pair: pair[1])
        self._move(c, k, to)
        for i in way:
            s, _, moved = queue[i]
            if moved:
                self._move(*moved, s)
        return True

    def _move(self, c: int, k: int, to: int | None) -> None:
        riders = self._riders(c, k)
        self._close(c, k)
        if to is not None:
            self._open(c, k, to)
        lit = self.channels[c].values()
        for u in riders:
            can = [pair for pair in self.pairs[u] if pair[1] in lit]
            p, s, _ = max(can, key=lambda pair: pair[2])
            self.seat[u] = p, s
