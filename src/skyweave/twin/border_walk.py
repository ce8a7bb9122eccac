"""Moving terminals at the border of the area they are served in: told first, then less, then off.

Each slot's start is a fix, whose disc reaches as far as the terminal gets until the next one.  The
area is that of the regions in which an activation, or an agreement that covers the terminal, holds;
the rules are those of `policy.border`.  They soften only the leaving of an area that is still open:

- where a cell is closed because nothing was decided for it, the service of the cell that the
  terminal left goes on for a time, at the border's rate;
- a suspension, an exclusion or any other decision on a cell holds as it is, and so does the end of
  the activation that the terminal was served under;
- an agreement that covers the cell holds as it is, too;
- a terminal that was not yet served in an area since the run began has none to leave.
"""

import math
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from itertools import pairwise

import h3.api.numpy_int as h3_cells
import numpy as np
from numpy.typing import NDArray

from skyweave.frames import great_circle_m
from skyweave.policy.border import MAX_RADIUS_M, Border, BorderRules, BorderState, Level, step
from skyweave.policy.decision import State
from skyweave.policy.reasons import Reason
from skyweave.policy.snapshot import Kind, Snapshot, Subject, holds, subject_hash
from skyweave.twin.terminals import Terminals, Track
from skyweave.twin.verdicts import (
    BORDER,
    CLOSED,
    GUARANTEED,
    Judged,
    Notice,
    Table,
    TimeArray,
    Verdict,
    Verdicts,
    judged,
)

CodeArray = NDArray[np.int32]
CellArray = NDArray[np.uint64]
FloatArray = NDArray[np.float64]

_SERVES = (Kind.ACTIVATE, Kind.RESUME, Kind.EMERGENCY_ACTIVATE, Kind.RESTRICT)
_DEEPEST_RINGS = 5  # as deep as `Border` looks into an area
_RING_M = 7_000.0  # a disc of so much more reaches at most one ring of cells more

_NOTICES = {
    Level.WARNED: Notice.MARGIN,
    Level.GRACE: Notice.GRACE,
    Level.LIFELINE: Notice.LIFELINE,
}


def verdicts_of(snapshot: Snapshot, terminals: Terminals, utc: TimeArray) -> Verdicts:
    """Return what the policy says in the slots between boundaries `utc` (T + 1,)."""
    table = Table(snapshot)
    found = judged(snapshot, terminals, utc[:-1], table)
    moving_code = found.moving_code
    areas = _Areas(snapshot, terminals, found, utc)
    for m, row in enumerate(found.stances.moving.tolist()):
        walk = _Walk(areas, table, m, terminals.tracks[row])
        moving_code[:, m] = walk.codes(moving_code[:, m])
    return Verdicts(
        table.verdicts, found.epoch, found.code[:, : len(terminals)], found.stances.moving,
        moving_code,
    )  # fmt: skip


class _Areas:
    """Where each moving terminal is served by default, and where that ends."""

    def __init__(
        self, snapshot: Snapshot, terminals: Terminals, found: Judged, utc: TimeArray
    ) -> None:
        self.snapshot, self.terminals, self.found, self.utc = snapshot, terminals, found, utc
        self.rules = BorderRules()
        self._regions: dict[tuple[int, int], frozenset[str]] = {}
        self._borders: dict[frozenset[str], Border] = {}

    def border(self, m: int, epoch: int) -> Border:
        """Return the border of a moving terminal's area in an epoch."""
        regions = self._open_regions(m, epoch)
        if regions not in self._borders:
            cells = [self.snapshot.region_by_id[each].cells for each in sorted(regions)]
            area = np.unique(np.concatenate(cells))
            self._borders[regions] = Border(np.intersect1d(area, self._near), self.rules)
        return self._borders[regions]

    def rules_beyond(self, cell: int, at_s: int) -> BorderRules:
        """Return the rules beyond an area that was left from a cell: whether it has a lifeline."""
        licences = [
            licence
            for region in self.snapshot.regions
            if region.has_cell(cell)
            for licence in region.licences
        ]
        allows = any(each.allows_lifeline_beyond and each.is_valid(at_s) for each in licences)
        return self.rules if allows else replace(self.rules, lifeline_s=0.0)

    def _open_regions(self, m: int, epoch: int) -> frozenset[str]:
        if (m, epoch) not in self._regions:
            at_s = int(self.found.at_s[self.found.first[epoch]])
            self._regions[m, epoch] = frozenset(self._found_open(m, at_s))
        return self._regions[m, epoch]

    def _found_open(self, m: int, at_s: int) -> Iterator[str]:
        """Yield the regions in which a directive or the terminal's agreement has it served."""
        row = self.found.stances.moving[m]
        names = {
            Subject.TERMINAL: str(self.terminals.terminal_id[row]),
            Subject.ACCOUNT: str(self.terminals.account[row]),
        }
        own = {subject_hash(self.snapshot.salt, each, name) for each, name in names.items()}
        for directive in self.snapshot.directives:
            if directive.kind in _SERVES and holds(directive, at_s):
                yield directive.region_id
        for agreement in self.snapshot.agreements:
            named = (*agreement.terminal_hashes, *agreement.account_hashes)
            if holds(agreement, at_s) and (agreement.is_for_all or not own.isdisjoint(named)):
                yield from agreement.region_ids

    @cached_property
    def _near(self) -> CellArray:
        """The cells so near to a moving terminal's own that any fix may depend on them.

        The rest of an area is left out, for its size: no depth that counts changes.
        """
        stances = self.found.stances
        cells = np.unique(stances.cell[np.unique(stances.of_moving)])
        farthest_m = max(
            (radius_m(self.terminals.tracks[row], self.utc).max() for row in stances.moving),
            default=0.0,
        )
        rings = _DEEPEST_RINGS + math.ceil(1.14 * min(farthest_m, MAX_RADIUS_M) / _RING_M) + 3
        discs = [h3_cells.grid_disk(cell, rings) for cell in cells[cells > 0].tolist()]
        return np.unique(np.concatenate([np.empty(0, np.uint64), *discs]))


def radius_m(track: Track, utc: TimeArray) -> FloatArray:
    """Return how far a terminal gets along its track between boundaries (T + 1,), shape (T,)."""
    fixes = pairwise(zip(track.lat_deg, track.lon_deg, strict=True))
    legs_m = [float(great_circle_m(*here, *there)) for here, there in fixes]
    at_s, fix_s = (times.astype("datetime64[ns]").astype(np.float64) for times in (utc, track.utc))
    return np.diff(np.interp(at_s, fix_s, np.cumsum([0.0, *legs_m])))


class _Walk:
    """One terminal's way through the slots."""

    def __init__(self, areas: _Areas, table: Table, m: int, track: Track) -> None:
        self.areas, self.table, self.m, self.track = areas, table, m, track
        self.state: BorderState | None = None  # None: it has no area to leave
        self.home: int | None = None  # the stance in which a cell rule last served it

    def codes(self, decided: CodeArray) -> CodeArray:
        """Return the codes after the border, of codes as the cells have them, (T,) each."""
        if not any(self.table[code].is_open for code in np.unique(decided).tolist()):
            return decided
        found = self.areas.found
        place = self.track.at(self.areas.utc[:-1])
        fixes = zip(
            found.at_s.tolist(), found.epoch.tolist(), found.stances.of_moving[:, self.m].tolist(),
            place.lat_deg.tolist(), place.lon_deg.tolist(),
            radius_m(self.track, self.areas.utc).tolist(), strict=True,
        )  # fmt: skip
        return np.array(
            [self._next(code, *fix) for code, fix in zip(decided.tolist(), fixes, strict=True)],
            dtype=np.int32,
        )

    def _next(
        self, code: int, at_s: int, epoch: int, stance: int, lat_deg: float, lon_deg: float,
        radius: float,
    ) -> int:  # fmt: skip
        verdict = self.table[code]
        if verdict.is_open:
            self.state, self.home = self.state or BorderState(), stance
        home = None if self.home is None else self._verdict(epoch, self.home)
        if not verdict.is_open and not _leaves(verdict, home):
            self.state = None
        if self.state is None or self.home is None or home is None:
            return code
        cell = int(self.areas.found.stances.cell[self.home])
        border, rules = self.areas.border(self.m, epoch), self.areas.rules_beyond(cell, at_s)
        self.state = step(self.state, border.read(at_s, lat_deg, lon_deg, radius), rules)
        return self.table.place(at_border(verdict, home, self.state, rules))

    def _verdict(self, epoch: int, stance: int) -> Verdict:
        return self.table[int(self.areas.found.code[epoch, stance])]


def _leaves(verdict: Verdict, home: Verdict | None) -> bool:
    """Return whether a cell is closed by default, and the one that was left is still open."""
    return verdict.rule == CLOSED and home is not None and home.is_open


def at_border(verdict: Verdict, home: Verdict, state: BorderState, rules: BorderRules) -> Verdict:
    """Return a cell's verdict as the border leaves it; `home` is that of the cell left last."""
    level = state.level
    if level is Level.INSIDE:
        return verdict
    if level is Level.WARNED or verdict.rule == GUARANTEED:
        return replace(verdict, notice=Notice.MARGIN, noticed_until_s=None)
    if level is Level.OFF:
        return Verdict(State.OFF, BORDER, Reason.ROAM_RESTRICTED, 0, 0)
    served = verdict if verdict.is_open else home
    return replace(
        served,
        state=State.RESTRICTED,
        rule=BORDER,
        max_down_bps=min(served.max_down_bps, rules.limit_bps(level)),
        max_up_bps=min(served.max_up_bps, rules.limit_bps(level)),
        notice=_NOTICES[level],
        noticed_until_s=_until_s(state, rules),
    )


def _until_s(state: BorderState, rules: BorderRules) -> int | None:
    """Return until when a grace or lifeline lasts, None while no time runs."""
    lifeline = state.level is Level.LIFELINE
    until_s = state.lifeline_s + rules.lifeline_s if lifeline else state.beyond_s + rules.grace_s
    return int(until_s) if math.isfinite(until_s) else None
