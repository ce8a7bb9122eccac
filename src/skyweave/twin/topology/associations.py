"""Which PoP real dishes use, by country, and how much of it a model foresees."""

import csv
import io
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from skyweave.data import read_data_text


class ProbeCount(NamedTuple):
    """Probes of RIPE Atlas behind Starlink dishes of one country that use one PoP."""

    pop_id: str
    country: str  # ISO 3166-1 alpha-2
    probes: int


def probe_counts() -> list[ProbeCount]:
    """Return the counts of 2025: 112 probes."""
    rows = csv.DictReader(io.StringIO(read_data_text("probe_associations.csv")))
    return [ProbeCount(row["pop_id"], row["country"], int(row["probes"])) for row in rows]


def share_foreseen(counts: Sequence[ProbeCount], foreseen: Mapping[str, Collection[str]]) -> float:
    """Return what share of the probes use a PoP foreseen for their country, 0 to 1.

    A probe in a country for which nothing is foreseen counts against it.
    """
    hits = sum(c.probes for c in counts if c.pop_id in foreseen.get(c.country, ()))
    return hits / sum(c.probes for c in counts)
