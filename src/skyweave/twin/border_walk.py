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
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skyweave.policy.border import Border, BorderRules, BorderState, Level, step
from skyweave.policy.decision import State
from skyweave.policy.reasons import Reason
from skyweave.policy.snapshot import (
    Agreement,
    Kind,
    Licence,
    Snapshot,
    Subject,
    holds,
    subject_hash,
)
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
    radius_m,
)

CodeArray = NDArray[np.int32]

_SERVES = (Kind.ACTIVATE, Kind.RESUME, Kind.EMERGENCY_ACTIVATE)

_NOTICES = {
    Level.WARNED: Notice.MARGIN,
    Level.GRACE: Notice.GRACE,
    Level.LIFELINE: Notice.LIFELINE,
}


def verdicts_of(snapshot: Snapshot, terminals: Terminals, utc: TimeArray) -> Verdicts:
    """Return what the policy says in the slots between boundaries `utc` (T + 1,)."""
    table = Table(snapshot)
    found = judged(snapshot, terminals, utc, table)
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
        self._for_all: dict[int, frozenset[str]] = {}
        self._own: dict[int, tuple[Agreement, ...]] = {}
        self._border: dict[tuple[int, int], Border] = {}
        self._borders: dict[frozenset[str], Border] = {}
        self._lifelines: dict[int, tuple[Licence, ...]] = {}

    def border(self, m: int, epoch: int) -> Border:
        """Return the border of a moving terminal's area in an epoch."""
        if (m, epoch) not in self._border:
            at_s = int(self.found.at_s[self.found.first[epoch]])
            own = [each.region_ids for each in self._own_agreements(m) if holds(each, at_s)]
            regions = self._regions_for_all(epoch, at_s).union(*own)
            self._border[m, epoch] = self._border_of(regions)
        return self._border[m, epoch]

    def _border_of(self, regions: frozenset[str]) -> Border:
        if regions not in self._borders:
            cells = [self.snapshot.region_by_id[each].cells for each in sorted(regions)]
            # The rest of an area is left out, for its size: no depth that counts changes.
            near = np.intersect1d(np.concatenate(cells), self.found.near)
            self._borders[regions] = Border(near, self.rules)
        return self._borders[regions]

    def rules_beyond(self, stance: int, at_s: int) -> BorderRules:
        """Return the rules beyond an area that was left from a stance: whether with a lifeline."""
        if stance not in self._lifelines:
            cell = int(self.found.stances.cell[stance])
            self._lifelines[stance] = tuple(
                licence
                for region in self.snapshot.regions
                for licence in region.licences
                if licence.allows_lifeline_beyond and region.has_cell(cell)
            )
        is_allowed = any(each.is_valid(at_s) for each in self._lifelines[stance])
        return self.rules if is_allowed else self._without_lifeline

    @cached_property
    def _without_lifeline(self) -> BorderRules:
        return replace(self.rules, lifeline_s=0.0)

    def _regions_for_all(self, epoch: int, at_s: int) -> frozenset[str]:
        """Return the regions that a directive, or an agreement for everyone, has served."""
        if epoch not in self._for_all:
            directives = [d for d in self.snapshot.directives if d.kind in _SERVES]
            agreements = [a.region_ids for a in self.snapshot.agreements if a.is_for_all
                          and holds(a, at_s)]  # fmt: skip
            by_directive = frozenset(d.region_id for d in directives if holds(d, at_s))
            self._for_all[epoch] = by_directive.union(*agreements)
        return self._for_all[epoch]

    def _own_agreements(self, m: int) -> tuple[Agreement, ...]:
        """Return the agreements that name a moving terminal or its account."""
        if m not in self._own:
            row = self.found.stances.moving[m]
            names = {
                Subject.TERMINAL: str(self.terminals.terminal_id[row]),
                Subject.ACCOUNT: str(self.terminals.account[row]),
            }
            salt = self.snapshot.salt
            hashes = {subject_hash(salt, subject, name) for subject, name in names.items()}
            self._own[m] = tuple(
                each
                for each in self.snapshot.agreements
                if not hashes.isdisjoint((*each.terminal_hashes, *each.account_hashes))
            )
        return self._own[m]


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
        border, rules = self.areas.border(self.m, epoch), self.areas.rules_beyond(self.home, at_s)
        self.state = step(self.state, border.read(at_s, lat_deg, lon_deg, radius), rules)
        if self.state.level is Level.INSIDE:
            return code
        return self.table.place(at_border(verdict, home, self.state, rules))

    def _verdict(self, epoch: int, stance: int) -> Verdict:
        return self.table[int(self.areas.found.code[epoch, stance])]


def _leaves(verdict: Verdict, home: Verdict | None) -> bool:
    """Return whether a cell is closed by default, and the one that was left is still open."""
    return verdict.rule == CLOSED and home is not None and home.is_open


def at_border(verdict: Verdict, home: Verdict, state: BorderState, rules: BorderRules) -> Verdict:
    """Return a cell's verdict as a border that is near leaves it.

    `home` is that of the cell in which the terminal was last served by a cell rule.
    """
    level = state.level
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
