"""What the policy decided, in a run's results: columns of access, events, shares, and in words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from skyweave.policy.decision import NO_LIMIT_BPS, State
from skyweave.policy.reasons import Reason
from skyweave.policy.snapshot import Snapshot
from skyweave.twin.results.chunk import RunLabels
from skyweave.twin.results.events import EVENT_SCHEMA, coded
from skyweave.twin.verdicts import BORDER, NO_PLACE, Notice, Verdict, Verdicts

STATES = pa.array([str(state) for state in State], pa.string())
WARNING = "policy_warning"

POLICY_FIELDS = (
    pa.field("decided_by", pa.dictionary(pa.int32(), pa.string())),
    pa.field("log_entry", pa.int64()),
    pa.field("policy_state", pa.dictionary(pa.int8(), pa.string())),
    pa.field("max_down_bps", pa.int64()),
    pa.field("max_up_bps", pa.int64()),
)
POLICY_NUMBERS = ("policy_on_share", "policy_restricted_share", "policy_off_share")
POLICY_TEXTS = ("policy_decisions",)


@dataclass(frozen=True)
class PolicyFacts:
    """The policy of a run: where it comes from, and its verdicts."""

    snapshot: Snapshot
    genesis: str
    verdicts: Verdicts

    def as_json(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        snapshot = self.snapshot
        return {
            "log_origin": snapshot.log_origin,
            "size": snapshot.log_size,
            "root": snapshot.log_root,
            "charter_version": snapshot.charter_version,
            "genesis": self.genesis,
            "snapshot": snapshot.digest,
            "taken_at_utc": utc_of(snapshot.taken_at_s),
            "decisions": self.shares.as_json(),
        }

    @cached_property
    def shares(self) -> "PolicyShares":
        """How long each decision held for whom."""
        return PolicyShares(self.verdicts)


class PolicyColumns:
    """The verdicts as columns of the access table, and as warnings among the events."""

    def __init__(self, verdicts: Verdicts) -> None:
        table = verdicts.table
        ids = list(dict.fromkeys(each.decided_by for each in table if each.decided_by))
        place = {name: n for n, name in enumerate(ids)}
        self.verdicts = verdicts
        self._ids = pa.array(ids, pa.string())
        self._id = np.array([place.get(each.decided_by, -1) for each in table], np.int32)
        self._entry = np.array([each.entry for each in table], np.int64)
        self._state = np.array([_state_number(each) for each in table], np.int8)
        self._down_bps = np.array([each.max_down_bps for each in table], np.int64)
        self._up_bps = np.array([each.max_up_bps for each in table], np.int64)
        self._notice = np.array([list(Notice).index(each.notice) for each in table], np.int8)
        seen = [(e.decided_by, e.entry, e.state, e.max_down_bps, e.max_up_bps) for e in table]
        self._seen = np.array(pd.factorize(pd.Series(seen, dtype=object))[0], np.int32)

    def of(self, first: int, rows: NDArray[np.bool_]) -> list[pa.Array]:
        """Return the columns `POLICY_FIELDS` of the rows kept (K, S) of slots from `first` on."""
        code = self.verdicts.codes(first, first + len(rows))[rows]
        entry, down_bps, up_bps = self._entry[code], self._down_bps[code], self._up_bps[code]
        return [
            coded(self._id[code], self._ids),
            pa.array(entry, mask=entry < 0),
            coded(self._state[code], STATES),
            pa.array(down_bps, mask=down_bps == NO_LIMIT_BPS),
            pa.array(up_bps, mask=up_bps == NO_LIMIT_BPS),
        ]

    def differs(self, first: int, slots: int) -> NDArray[np.bool_]:
        """Return where the columns differ from those of the slot before, (K, S)."""
        seen = self._seen[self.verdicts.codes(max(0, first - 1), first + slots)]
        changed = seen[1:] != seen[:-1]
        return changed if first else np.vstack([np.zeros_like(seen[:1], dtype=bool), changed])

    def warnings(self, first: int, slots: int) -> tuple[NDArray[np.int64], ...]:
        """Return slots of the run, terminals and notices (numbers) of the warnings that begin."""
        notice = self._notice[self.verdicts.codes(max(0, first - 1), first + slots)]
        before = notice[:-1] if first else np.vstack([np.zeros_like(notice[:1]), notice[:-1]])
        now = notice[1:] if first else notice
        slot, terminal = np.nonzero((now != before) & (now > 0))
        return slot + first, terminal, now[slot, terminal].astype(np.int64)


def _state_number(verdict: Verdict) -> int:
    return -1 if verdict.state is None else list(State).index(verdict.state)


def with_warnings(
    events: pa.Table, columns: PolicyColumns, labels: RunLabels, slots: range
) -> pa.Table:
    """Return the events of some slots with those of the policy's warnings at the head of each slot.

    `reason` is that with which service ends if nothing changes, `after` what the terminal is told.
    """
    slot, terminal, notice = columns.warnings(slots.start, len(slots))
    if not slot.size:
        return events
    nothing = [None] * slot.size
    own = pa.table(
        [
            pa.array(labels.utc(slot)),
            pa.array(slot),
            pa.array([WARNING] * slot.size),
            pa.array(["terminal"] * slot.size),
            pa.array(labels.terminal_id[terminal]),
            pa.array([str(Reason.ROAM_RESTRICTED)] * slot.size),
            pa.array(nothing, pa.string()),
            pa.array([str(list(Notice)[n]) for n in notice.tolist()]),
        ],
        names=EVENT_SCHEMA.names,
    )
    both = pa.concat_tables([own.cast(EVENT_SCHEMA), events]).unify_dictionaries()
    order = np.argsort(both["slot"].to_numpy(), kind="stable")
    return both.take(pa.array(order)).combine_chunks()


# How long each decision held


class PolicyShares:
    """Slots of each terminal by decision; verdicts that differ only in their notice are one."""

    def __init__(self, verdicts: Verdicts) -> None:
        self.terminals, self.slots = verdicts.code.shape[1], int(verdicts.epoch.size)
        keys = [
            (each.state, each.rule, each.reason, each.decided_by, each.entry, each.breached)
            for each in verdicts.table
        ]
        group, first = _numbered(keys)
        self.decisions = [verdicts.table[n] for n in first]
        self.counts = _counts(verdicts, group)  # columns row, decision, slots; by row, most first

    def as_json(self) -> list[dict[str, Any]]:
        """Return each decision with the terminal-slots and terminals that it held for."""
        totals = self.counts.groupby("decision")["slots"].agg(["sum", "count"])
        order = totals.sort_values("sum", ascending=False, kind="stable")
        return [
            {
                **decision_of(self.decisions[n]),
                "terminal_slots": int(slots),
                "terminals": int(terminals),
            }
            for n, slots, terminals in order.itertuples()
        ]

    def columns(self) -> dict[str, list[str]]:
        """Return the columns `POLICY_NUMBERS` and `POLICY_TEXTS` of the fleet table."""
        states = [each.state for each in self.decisions]
        shares = {state: np.zeros(self.terminals) for state in State}
        texts: list[list[str]] = [[] for _ in range(self.terminals)]
        for row, n, slots in self.counts.itertuples(index=False):
            share = slots / self.slots
            texts[row].append(f"{_label(self.decisions[n])} {share:.4f}")
            if (state := states[n]) is not None:
                shares[state][row] += share
        numbers = {
            f"policy_{state}_share": [f"{share:.6g}" for share in shares[state].tolist()]
            for state in (State.ON, State.RESTRICTED, State.OFF)
        }
        return {**numbers, "policy_decisions": ["; ".join(each) for each in texts]}


def _numbered(keys: Sequence[tuple[Any, ...]]) -> tuple[NDArray[np.int64], list[int]]:
    """Return the number of each key among those that differ, and where each first stands."""
    number: dict[tuple[Any, ...], int] = {}
    first = []
    for n, key in enumerate(keys):
        if key not in number:
            number[key] = len(number)
            first.append(n)
    return np.array([number[key] for key in keys], dtype=np.int64), first


def _counts(verdicts: Verdicts, group: NDArray[np.int64]) -> pd.DataFrame:
    frames = [
        pd.DataFrame({"row": rows, "decision": group[codes], "slots": slots})
        for rows, codes, slots in verdicts.slots_of()
    ]
    summed = pd.concat(frames).groupby(["row", "decision"])["slots"].sum().reset_index()
    keys = ["row", "slots", "decision"]
    return summed.sort_values(keys, ascending=[True, False, True], kind="stable")


def _label(verdict: Verdict) -> str:
    """Return a decision as the fleet table has it: "off cell_is_disabled d-9 #31"."""
    words = [verdict.state or NO_PLACE, verdict.reason or ""]
    words += [verdict.decided_by, f"#{verdict.entry}"] if verdict.decided_by else []
    return " ".join(str(word) for word in words if word)


def decision_of(verdict: Verdict) -> dict[str, Any]:
    """Return a decision as JSON has it, null where nothing is."""
    return {
        "state": None if verdict.state is None else str(verdict.state),
        "rule": verdict.rule,
        "reason": None if verdict.reason is None else str(verdict.reason),
        "decided_by": verdict.decided_by or None,
        "log_entry": verdict.entry if verdict.entry >= 0 else None,
        "breached": verdict.breached or None,
    }


# In words


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return what `explain` says of the policy."""
    return {
        **decision_of(verdict),
        "max_down_bps": _rate(verdict.max_down_bps),
        "max_up_bps": _rate(verdict.max_up_bps),
        "until_utc": _utc_or_none(verdict.until_s),
        "warning": str(verdict.notice) or None,
        "warning_until_utc": _utc_or_none(verdict.noticed_until_s),
        "text": verdict_text(verdict),
    }


def verdict_text(verdict: Verdict) -> str:
    """Return what the policy says in one plain sentence, without a full stop."""
    by = f"{verdict.decided_by} (log entry {verdict.entry})"
    until = f" until {utc_of(verdict.until_s)}" if verdict.until_s is not None else ""
    said = _sentence(verdict).format(by=by, until=until)
    why = f", because: {verdict.why}" if verdict.why and verdict.rule != BORDER else ""
    broken = f"; this breaks agreement {verdict.breached}" if verdict.breached else ""
    return f"{said}{_rates_text(verdict)}{why}{broken}{_notice_text(verdict)}"


_SAID = {
    "excluded": "directive {by} excludes this area from service{until}",
    "unlicensed": "no licence is in force for any region here, so that service is off",
    "guaranteed": "agreement {by} guarantees service here{until}",
    "disabled": "directive {by} disables the terminal or its account{until}",
    "suspended": "directive {by} suspends service here{until}",
    "not_listed": "the allow list of directive {by} lacks this terminal{until}",
    "restricted": "directive {by} restricts service here{until}",
    "active": "directive {by} has service on here{until}",
    "closed": "nothing in the log has service on here now, and what is not on is off",
    NO_PLACE: "its position is not known, so that nothing in the log applies to it",
    BORDER: "the terminal is, or may be, beyond the border of where {by} has service on",
}
_SPARE = ("excluded", "suspended", "not_listed")  # and leave the lifeline class its rate
_CUT_AT_BORDER = "the terminal left the area in which service is on, and its grace is over"


def _sentence(verdict: Verdict) -> str:
    if verdict.rule == BORDER and verdict.state is State.OFF:
        return _CUT_AT_BORDER
    is_spared = verdict.rule in _SPARE and verdict.state is not State.OFF
    return _SAID[verdict.rule] + (", but for the lifeline class" if is_spared else "")


def _notice_text(verdict: Verdict) -> str:
    until_s = verdict.noticed_until_s
    until = f" until {utc_of(until_s)}" if until_s is not None else ""
    return {
        Notice.NONE: "",
        Notice.ALLOW_LIST: f"; it is not on the allow list, and keeps service{until}",
        Notice.MARGIN: "; it is warned that the border of service is near",
        Notice.GRACE: f"; it is warned, and its grace lasts{until or ' while that is not sure'}",
        Notice.LIFELINE: f"; it is warned, and its lifeline lasts{until}",
    }[verdict.notice]


def _rates_text(verdict: Verdict) -> str:
    if verdict.state is State.OFF:
        return ""
    told = [
        f"{rate_bps / 1000:,g} kbit/s {way}"
        for rate_bps, way in ((verdict.max_down_bps, "down"), (verdict.max_up_bps, "up"))
        if rate_bps != NO_LIMIT_BPS
    ]
    return f", at most {' and '.join(told)}" if told else ""


def _rate(rate_bps: int) -> int | None:
    return None if rate_bps == NO_LIMIT_BPS else rate_bps


def _utc_or_none(at_s: int | None) -> str | None:
    return None if at_s is None else utc_of(at_s)


def utc_of(at_s: int) -> str:
    """Return a time in s since 1970 UTC as text."""
    return f"{np.datetime64(at_s, 's')}Z"  # in seconds: nanoseconds end in 2262
