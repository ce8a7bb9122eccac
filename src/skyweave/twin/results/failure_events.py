"""What the results say of a run's failures: their place in the manifest, and their events.

failure_begins  in the first slot that the failure holds in, at the earliest the run's first
failure_ends    in the first slot after it, if that is in the run; subject_kind is the kind of the
                failure, subject_id its id, or its share such as "10%"
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from skyweave.time import format_utc

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


def failure_events(
    records: Sequence[FailureRecord], first_slot: int, stop_slot: int
) -> list[tuple[int, str, str, str]]:
    """Return slot, kind, subject kind and subject of the events in some slots, in order of time.

    In one slot those that end come first, then both in the order of the records.
    """
    found = []
    for record in records:
        if record.stop_slot > record.first_slot:
            found.append((record.stop_slot, ENDS, record.kind, record.target))
            found.append((record.first_slot, BEGINS, record.kind, record.target))
    inside = [event for event in found if first_slot <= event[0] < stop_slot]
    return sorted(inside, key=lambda event: (event[0], event[1] == BEGINS))
