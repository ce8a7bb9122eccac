"""The run per terminal (`fleet.csv`), ground site (`ground.csv`) and slot (`slots.parquet`)."""

import csv
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import h3
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from skyweave.policy.reasons import reason_names
from skyweave.time import format_utc
from skyweave.twin.results.chunk import RunLabels
from skyweave.twin.results.policy import POLICY_NUMBERS, PolicyFacts
from skyweave.twin.results.statistics import Counts, RunStatistics

CELL_RESOLUTION = 5  # H3: about 250 km2; the finest that leaves an owner's file

SERVICE_NUMBERS = (
    "served_share",
    "outages",
    "longest_outage_s",
    "rtt_p50_s",
    "rtt_p95_s",
    "handovers_per_hour",
    "main_gateway_share",
    "main_pop_share",
    "isl_share",
)
COMPARED_NUMBERS = (
    "served_share_before",
    "lost_share",
    "longest_outage_before_s",
    "rtt_p50_before_s",
)
FLEET_NUMBERS = (*SERVICE_NUMBERS, *COMPARED_NUMBERS, *POLICY_NUMBERS)
COMPARED_TEXTS = ("main_gateway_before_id", "gateway_countries_before", "pop_countries_before")
GROUND_NUMBERS = ("lat_deg", "lon_deg", "served_share", "served_share_before")

_SLOT_SCHEMA = pa.schema(
    [
        pa.field("slot", pa.int32(), nullable=False),
        pa.field("time_utc", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("served_share", pa.float64()),
        pa.field("rtt_p5_s", pa.float64()),
        pa.field("rtt_p50_s", pa.float64()),
        pa.field("rtt_p95_s", pa.float64()),
        pa.field("handovers", pa.int32(), nullable=False),
    ]
)

_POSITION = re.compile(
    r"(lat|latitude|lon|lng|long|longitude|height|altitude)(_.*)?", re.IGNORECASE | re.DOTALL
)

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # with these a spreadsheet begins to compute
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)

Names = NDArray[np.str_]
Table = Mapping[str, Iterable[object]]


def cells_of(lat_deg: NDArray[np.float64], lon_deg: NDArray[np.float64]) -> NDArray[np.str_]:
    """Return the H3 resolution 5 cells of positions (S,), "" where a position is NaN."""
    places = zip(lat_deg.tolist(), lon_deg.tolist(), strict=True)
    known = np.isfinite(lat_deg) & np.isfinite(lon_deg)
    cells = [
        h3.latlng_to_cell(lat, lon, CELL_RESOLUTION) if is_known else ""
        for (lat, lon), is_known in zip(places, known.tolist(), strict=True)
    ]
    return np.array(cells, dtype=np.str_)


def write_fleet(
    path: Path,
    labels: RunLabels,
    statistics: RunStatistics,
    before: RunStatistics | None = None,
    policy: PolicyFacts | None = None,
) -> None:
    """Write one row per terminal, in the scenario's order.

    Shares of gateways, PoPs, countries and laser links are of the slots served; `main_` names the
    gateway or PoP that carried most of them; empty where the terminal was never served.  With
    `before`, what would have been with everything that the run leaves out, the columns of
    `COMPARED_NUMBERS` and `COMPARED_TEXTS` follow; `lost_share` is of all slots.  With a `policy`
    those of `POLICY_NUMBERS` and `POLICY_TEXTS` follow: what it decided, of all slots.  The
    owner's further columns come last, without any that is named like ours or like a position.
    """
    table = {
        "terminal_id": labels.terminal_id,
        "name": labels.terminal_name,
        "class": labels.terminal_class,
        "service_class": labels.service_class,
        "account": labels.account,
        "country": labels.country,
        "sponsor": labels.sponsor,
        "cell": labels.cell,
        "operator": labels.terminal_operator,
        **_service(labels, statistics),
        **_dependence(labels, statistics),
        **(_comparison(labels, statistics, before) if before else {}),
        **(policy.shares.columns() if policy else {}),
    }
    ours = {*table, *COMPARED_NUMBERS, *COMPARED_TEXTS}
    others = {
        name: cells
        for name, cells in labels.extra.items()
        if name.casefold() not in ours and not _is_position(name)
    }
    _write_csv(path, table | others)


def _is_position(column: str) -> bool:
    """True for a column that may tell where a terminal stands, which stays with the owner."""
    return _POSITION.fullmatch(column.strip()) is not None


def write_ground(
    path: Path,
    labels: RunLabels,
    statistics: RunStatistics,
    before: RunStatistics | None = None,
) -> None:
    """Write one row per gateway, then per PoP; `served_share` is of all served terminal-slots.

    `served_share_before` is the same of what would have been, where there is something to compare.
    """
    gateways, pops = labels.gateway_id.size, labels.pop_id.size
    table: Table = {
        "kind": ["gateway"] * gateways + ["pop"] * pops,
        "id": np.append(labels.gateway_id, labels.pop_id),
        "name": np.append(labels.gateway_name, labels.pop_city),
        "country": np.append(labels.gateway_country, labels.pop_country),
        "operator": np.append(labels.gateway_operator, labels.pop_operator),
        "lat_deg": np.append(labels.gateway_lat_deg, labels.pop_lat_deg),
        "lon_deg": np.append(labels.gateway_lon_deg, labels.pop_lon_deg),
        "served_share": _numbers(_carried(statistics), 9),
    }
    compared = {"served_share_before": _numbers(_carried(before), 9)} if before else {}
    _write_csv(path, {**table, **compared})


def _carried(statistics: RunStatistics) -> NDArray[np.float64]:
    """The share of all served terminal-slots that each gateway, then each PoP carried, (G + P,)."""
    counts = (statistics.gateway_slots, statistics.pop_slots)
    slots = np.concatenate([found.sum(axis=0, dtype=np.int64) for found in counts])
    return _ratio(slots, statistics.served_slots.sum())


def write_slots(path: Path, labels: RunLabels, statistics: RunStatistics) -> None:
    """Write one row per slot: share of terminals served, RTT percentiles over them, handovers."""
    slot = np.arange(labels.slots)
    served_share = _ratio(statistics.slot_served, labels.terminals)
    columns = [
        slot.astype(np.int32),
        pa.array(labels.utc(slot)).cast(pa.timestamp("us", tz="UTC")),
        *(
            pa.array(values, from_pandas=True)
            for values in (served_share, *statistics.slot_rtt_s.T)
        ),
        statistics.slot_handovers.astype(np.int32),
    ]
    pq.write_table(pa.Table.from_arrays(columns, schema=_SLOT_SCHEMA), path, compression="zstd")


def _service(labels: RunLabels, statistics: RunStatistics) -> Table:
    """The columns that say how good the service was."""
    served_h = statistics.served_slots * (statistics.slot_s / 3600.0)
    was_out = statistics.longest_outage_slots > 0
    start_utc = labels.utc(statistics.longest_outage_start)
    longest_s = statistics.longest_outage_slots.astype(np.float64) * statistics.slot_s
    return {
        "served_share": _numbers(_ratio(statistics.served_slots, labels.slots), 6),
        "outages": statistics.outages,
        "longest_outage_s": _numbers(longest_s, 3),
        "longest_outage_start_utc": [
            format_utc(utc) if out else "" for utc, out in zip(start_utc, was_out, strict=True)
        ],
        "longest_outage_reason": reason_names(statistics.longest_outage_reason),
        "rtt_p50_s": _numbers(statistics.rtt_p50_s, 9),
        "rtt_p95_s": _numbers(statistics.rtt_p95_s, 9),
        "handovers_per_hour": _numbers(_ratio(statistics.handovers, served_h), 3),
    }


def _dependence(labels: RunLabels, statistics: RunStatistics) -> Table:
    """The columns that say what the service hung on."""
    served = statistics.served_slots
    gateway, gateway_share = _main(statistics.gateway_slots, served)
    pop, pop_share = _main(statistics.pop_slots, served)
    return {
        "main_gateway_id": _named(labels.gateway_id, gateway),
        "main_gateway_country": _named(labels.gateway_country, gateway),
        "main_gateway_share": _numbers(gateway_share, 6),
        "main_pop_id": _named(labels.pop_id, pop),
        "main_pop_country": _named(labels.pop_country, pop),
        "main_pop_share": _numbers(pop_share, 6),
        "gateway_countries": _gateway_countries(labels, statistics),
        "pop_countries": _pop_countries(labels, statistics),
        "isl_share": _numbers(_ratio(statistics.isl_slots, served), 6),
    }


def _comparison(labels: RunLabels, now: RunStatistics, before: RunStatistics) -> Table:
    """The columns that say what would have been, and how much of it is lost."""
    lost = np.zeros(labels.terminals) if now.lost_slots is None else now.lost_slots
    longest_s = before.longest_outage_slots.astype(np.float64) * before.slot_s
    gateway, _ = _main(before.gateway_slots, before.served_slots)
    return {
        "served_share_before": _numbers(_ratio(before.served_slots, labels.slots), 6),
        "lost_share": _numbers(_ratio(lost, labels.slots), 6),
        "longest_outage_before_s": _numbers(longest_s, 3),
        "rtt_p50_before_s": _numbers(before.rtt_p50_s, 9),
        "main_gateway_before_id": _named(labels.gateway_id, gateway),
        "gateway_countries_before": _gateway_countries(labels, before),
        "pop_countries_before": _pop_countries(labels, before),
    }


def _main(
    slots: Counts, served: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The fullest column of (S, G) counts and its share; the first at a tie, -1 where all are 0."""
    if slots.shape[1] == 0:
        return np.full(served.size, -1), np.full(served.size, np.nan)
    most = slots.max(axis=1)
    return np.where(most > 0, slots.argmax(axis=1), -1), _ratio(most, served)


def _gateway_countries(labels: RunLabels, found: RunStatistics) -> list[str]:
    return _country_shares(labels.gateway_country, found.gateway_slots, found.served_slots)


def _pop_countries(labels: RunLabels, found: RunStatistics) -> list[str]:
    return _country_shares(labels.pop_country, found.pop_slots, found.served_slots)


def _country_shares(country: Names, slots: Counts, served: NDArray[np.int64]) -> list[str]:
    """Of each terminal "PH 0.9125; JP 0.0875": served slots by country, largest first.

    `country` (G,) belongs to the columns of `slots` (S, G); `served` (S,) is their sum.
    """
    countries, column = np.unique(country, return_inverse=True)
    totals = (
        np.stack(
            [slots[:, column == j].sum(axis=1, dtype=np.int64) for j in range(countries.size)],
            axis=1,
        )
        if countries.size
        else np.zeros((served.size, 0), dtype=np.int64)
    )
    shares = _ratio(totals, served[:, None])
    order = np.argsort(-shares, axis=1, kind="stable")
    names = [name or "unknown" for name in countries.tolist()]
    return [
        "; ".join(f"{names[j]} {row[j]:.4f}" for j in best if row[j] > 0.0)
        for row, best in zip(shares, order, strict=True)
    ]


def _named(names: Names, rows: NDArray[np.int64]) -> Names:
    return np.append(names, "")[rows]  # -1 reads the last


def _ratio(part: NDArray[np.number], whole: NDArray[np.number] | float) -> NDArray[np.float64]:
    """Divide, NaN where there is nothing to divide by."""
    whole = np.broadcast_to(np.asarray(whole, dtype=np.float64), part.shape)
    ratio = np.full(part.shape, np.nan)
    np.divide(part, whole, out=ratio, where=whole > 0)
    return ratio


def _numbers(values: NDArray[np.float64], digits: int) -> list[str]:
    """Decimal texts without trailing zeros, "" for NaN."""
    return ["" if value != value else f"{round(value, digits):.15g}" for value in values.tolist()]


def _write_csv(path: Path, table: Table) -> None:
    columns = [map(_harmless, column) for column in table.values()]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(map(_harmless, table))
        writer.writerows(zip(*columns, strict=True))


def _harmless(cell: object) -> object:
    """Return a cell that no spreadsheet takes for a formula: one that begins like one gets a '."""
    if isinstance(cell, str) and cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell
