"""The table of published results: what others measured or computed, and how near we must come."""

import csv
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

from skyweave.data import read_data_text
from skyweave.errors import InputError

MAX_SHOWN = 40  # characters of an unknown id that an error repeats
# A minus sign stands at the start of a number only: "155-165" and "->0.49" have none.
NUMBER = re.compile(r"(?<![\w.)>-])-?\d+(?:\.\d+)?(?:e-?\d+)?|(?<=[->])\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Row:
    """One published figure, every field as printed in data/published_results.csv."""

    id: str  # "HYP-10": the family, which is the source or the subject, and a number
    source: str
    table_or_figure: str
    workload: str
    quantity: str
    expected: str
    unit: str
    tolerance: str
    confidence: str  # "found" in a source, or "computed" independently for this table

    @property
    def family(self) -> str:
        return self.id.partition("-")[0]

    @property
    def numbers(self) -> tuple[float, ...]:
        """The numbers in `expected`, in order: (42.196, 46.171) for "42.196;46.171"."""
        return tuple(float(number) for number in NUMBER.findall(self.expected))


@cache
def published_rows() -> tuple[Row, ...]:
    """Return every row, in the table's order."""
    records = csv.DictReader(read_data_text("published_results.csv").splitlines())
    names = [field.name for field in fields(Row)]
    return tuple(Row(**{name: record[name] for name in names}) for record in records)


def select_rows(ids: Sequence[str]) -> tuple[Row, ...]:
    """Return the rows of some ids ("HYP-10") and families ("HYP"), in any case; all for none.

    They come once each, in the table's order.
    """
    rows = published_rows()
    wanted = {text.strip().casefold() for text in ids}
    names = {row.id.casefold() for row in rows} | {row.family.casefold() for row in rows}
    for text in ids:
        if text.strip().casefold() not in names:
            raise _unknown(text)
    if not wanted:
        return rows
    return tuple(row for row in rows if wanted & {row.id.casefold(), row.family.casefold()})


def _unknown(text: str) -> InputError:
    shown = (
        text.strip() if len(text.strip()) <= MAX_SHOWN else text.strip()[: MAX_SHOWN - 3] + "..."
    )
    families = list(dict.fromkeys(row.family for row in published_rows()))
    known = [row.id for row in published_rows()]
    near = difflib.get_close_matches(shown.upper(), [*known, *families], n=3, cutoff=0.5)
    hint = f"did you mean {', '.join(near)}? There are" if near else "give the id of a row, or"
    return InputError(
        f'no published result is called "{shown}"; {hint} the families {", ".join(families)}'
    )
