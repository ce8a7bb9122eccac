"""What becomes of a row: its check is run and the verdict recorded."""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from skyweave.validation.table import Row


class Verdict(StrEnum):
    """What a check says of a published figure."""

    REPRODUCED = "reproduced"
    DIFFERS = "differs"
    NOT_APPLICABLE = "not_applicable"


class Finding(NamedTuple):
    """What a check computed, rounded for people, and whether it is within the tolerance."""

    actual: str
    is_reproduced: bool
    note: str = ""  # a sentence: how it was computed, what was interpreted, why it differs


class NotApplicable(Exception):  # noqa: N818 - no error: a check raises it to set its row aside
    """Nothing here can say whether the row holds; the message is the reason, a sentence."""


@dataclass(frozen=True)
class Outcome:
    """A row and what became of it."""

    row: Row
    actual: str
    verdict: Verdict
    note: str

    def as_dict(self) -> dict[str, str]:
        """Return the fields that `skyweave validate --json` prints."""
        row = self.row
        return {
            "id": row.id,
            "source": row.source,
            "where": row.table_or_figure,
            "workload": row.workload,
            "quantity": row.quantity,
            "expected": row.expected,
            "actual": self.actual,
            "unit": row.unit,
            "tolerance": row.tolerance,
            "verdict": str(self.verdict),
            "note": self.note,
        }
