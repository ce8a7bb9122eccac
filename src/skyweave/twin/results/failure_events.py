"""What the results say of a run's failures: their place in the manifest, and their events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from skyweave.time import format_utc
from skyweave.twin.results.chunk import RunLabels
from skyweave.twin.results.events import EVENT_SCHEMA

MOST_IDS = 1000  # of one failure and operator that the manifest lists
BEGINS, ENDS = "failure_begins", "failure_ends"


@dataclass(frozen=True)
class FailureRecord:
    """One failure as it was in a run."""

    kind: str
    target: str  # its id, or what stands for several: "a,b,c,... (17)" or "10%"
    share: float | None  # None where ids were listed
    from_utc: np.datetime64 | None
    to_utc: np.datetime64 | None
    first_slot: int
    stop_slot: int  # the first after it; no more than `first_slot` where it holds in none
    names: Mapping[str, tuple[str, ...] | None]  # what failed of each operator; None = not known

    def as_json(self) -> dict[str, Any]:
        """Return what the manifest says of it."""
        return {
            "kind": self.kind,
            "target": self.target,
            "share": self.share,
            "from_utc": None if self.from_utc is None else format_utc(self.from_utc),
            "to_utc": None if self.to_utc is None else format_utc(self.to_utc),
            "slots": [self.first_slot, max(self.first_slot, self.stop_slot)],
            "operators": [
                {
                    "name": operator,
                    "count": None if names is None else len(names),
                    "ids": list(names or ())[:MOST_IDS],
                }
                for operator, names in self.names.items()
            ],
        }


def with_failures(
    events: pa.Table, failures: Sequence[FailureRecord], labels: RunLabels, slots: range
) -> pa.Table:
    """Return the events of some slots with those of the failures at the head of each slot.

    Of one slot's, those that end come first; both stand in the order of the manifest.
    """
    found = []
    for failure in failures:
        if failure.stop_slot > failure.first_slot:
            found.append((failure.stop_slot, ENDS, failure))
            found.append((failure.first_slot, BEGINS, failure))
    inside = sorted(
        (each for each in found if each[0] in slots), key=lambda each: (each[0], each[1] == BEGINS)
    )
    if not inside:
        return events
    slot = np.array([slot for slot, _, _ in inside])
    nothing = [None] * slot.size
    columns = [
        labels.utc(slot),
        slot,
        [kind for _, kind, _ in inside],
        [failure.kind for _, _, failure in inside],
        [failure.target for _, _, failure in inside],
        *(nothing, nothing, nothing),
    ]
    own = pa.table([pa.array(values) for values in columns], names=EVENT_SCHEMA.names)
    both = pa.concat_tables([own.cast(EVENT_SCHEMA), events]).unify_dictionaries()
    order = np.argsort(both["slot"].to_numpy(), kind="stable")
    return both.take(pa.array(order)).combine_chunks()
