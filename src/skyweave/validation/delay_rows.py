"""Checks of rows about round-trip times of idle dishes, by the delay model of their period."""

import csv
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.data import read_data_text
from skyweave.places.cities import Cities, all_cities
from skyweave.twin.delay import (
    delay_model,
    packet_rtt_s,
    slot_median_quantiles_s,
    utc_slots,
)
from skyweave.twin.execution import run_slots
from skyweave.twin.scenario import Terminal
from skyweave.twin.world import build_system
from skyweave.validation.judge import Finding
from skyweave.validation.registry import check, within
from skyweave.validation.table import Row
from skyweave.validation.workloads import packaged_scenario

FloatArray = NDArray[np.float64]

STUDY = "papers/mohan-2024"
US_CITIES = 30

# MEA-08: one packet every 20 ms for ten minutes, over a path that never changes.
PACKET_S, SPAN_S = 0.02, 600.0
SLOT_PACKETS = 750  # packets of a slot
WINDOW = 50  # packets on either side of an instant whose medians are compared


class Paths(NamedTuple):
    """What each of S cities had in all slots."""

    country: NDArray[np.str_]  # (S,)
    geometry_s: FloatArray  # (S,) median round trip in vacuum and fibre
    is_bent_pipe: NDArray[np.bool_]  # (S,) without lasers in most slots


@check("MEA-01")
def bent_pipe_round_trips(row: Row) -> Finding:
    probes = _probes_by_country()
    paths, period = _paths(), delay_model("2023-09")
    rows = np.flatnonzero(paths.is_bent_pipe & np.isin(paths.country, list(probes)))
    rows = rows[np.unique(paths.country[rows], return_index=True)[1]]  # each one's largest city
    rtt_ms = 1e3 * (paths.geometry_s[rows] + period.median_extra_s)
    weights = [probes[name] for name in paths.country[rows]]
    found = [float(rtt_ms.min()), float(rtt_ms.max()), float(np.median(np.repeat(rtt_ms, weights)))]
    five_ms = 5.0
    note = (
        f"Medians of {rows.size} countries with probes today that need no lasers, least and most, "
        "and over their probes, which alone is judged. Geometry is that of satellites and gateways "
        "of 2026; the delay above it is that of 2023-09, fitted on one dish of another study."
    )
    text = f"{found[0]:.0f}-{found[1]:.0f};{found[2]:.1f}"
    return Finding(text, within(found[2], row.numbers[2], five_ms), note)


@check("MEA-08")
def steps_without_handover(row: Row) -> Finding:
    inside_ms, at_start_ms = _steps_ms()
    twice = at_start_ms > 2.0 * inside_ms
    note = (
        "Packets of the model of 2023-09 over one path that never changes: the median RTT steps by "
        f"{at_start_ms:.1f} ms where slots begin and by {inside_ms:.1f} ms in their middle. The "
        "model draws a slot's offset whoever serves, because of this observation."
    )
    return Finding("yes" if twice else "no", ("yes" if twice else "no") == row.expected, note)


@check("MEA-24")
def latency_in_the_united_states(row: Row) -> Finding:
    paths, period = _paths(), delay_model("2026-09")
    geometry_s = paths.geometry_s[paths.country == "US"]
    levels = np.linspace(0.0005, 0.9995, 1000)
    packets_ms = 1e3 * (geometry_s[:, None] + period.extra_quantiles_s(levels))
    slots_ms = 1e3 * (geometry_s[:, None] + slot_median_quantiles_s(period.law, levels))
    median_ms, limit_ms = float(np.median(packets_ms)), 55.0
    above, slots_above = (
        100.0 * float((each > limit_ms).mean()) for each in (packets_ms, slots_ms)
    )
    two_ms = 2.0
    is_near = within(median_ms, row.numbers[0], two_ms) and above < row.numbers[1]
    note = (
        f"Packets of {geometry_s.size} cities with the delay of 2026-09, whose constant is fitted "
        "on medians of countries, the United States among them, while its spread is that of one "
        "dish in 2025. The text does not say of what it counts the share; of medians of slots "
        f"{slots_above:.1f} % are above."
    )
    return Finding(f"{median_ms:.1f};{above:.0f}", is_near, note)


def _probes_by_country() -> dict[str, int]:
    counts: dict[str, int] = {}
    for row in csv.DictReader(read_data_text("probe_associations.csv").splitlines()):
        counts[row["country"]] = counts.get(row["country"], 0) + int(row["probes"])
    return counts


@cache
def _paths() -> Paths:
    """Return the geometry over the study's slots, of both rows' cities at once."""
    cities = _cities()
    terminals = tuple(
        Terminal(id=f"city-{number}", lat_deg=lat_deg, lon_deg=lon_deg)
        for number, lat_deg, lon_deg in zip(
            cities.geonameid.tolist(), cities.lat_deg.tolist(), cities.lon_deg.tolist(), strict=True
        )
    )
    system = build_system(packaged_scenario(STUDY).model_copy(update={"terminals": terminals}))
    chunks = [chunk for chunk, _ in run_slots(system)]
    rtt_s = np.concatenate([chunk.rtt_s for chunk in chunks])
    hops = np.concatenate([chunk.isl_hops for chunk in chunks])
    return Paths(cities.country, np.nanmedian(rtt_s, axis=0), np.median(hops, axis=0) == 0.0)


def _cities() -> Cities:
    """Return the largest city of each country with probes, and the largest of the United States."""
    cities = all_cities()
    _, first = np.unique(cities.country, return_index=True)  # cities come by falling population
    probed = first[np.isin(cities.country[first], list(_probes_by_country()))]
    united = np.flatnonzero(cities.country == "US")[:US_CITIES]
    return cities.take(np.unique(np.concatenate([probed, united])))


def _steps_ms() -> tuple[float, float]:
    """Return the median step of the RTT in the middle of slots and where slots begin."""
    start_utc = np.datetime64("2023-09-11T17:00:12", "ns")
    count = round(SPAN_S / PACKET_S)
    sent_utc = start_utc + (np.arange(count) * round(1e9 * PACKET_S)).astype("timedelta64[ns]")
    rtt_s = packet_rtt_s(delay_model("2023-09"), 0.010, sent_utc, seed=0, terminal_id="one")
    starts = np.flatnonzero(np.diff(utc_slots(sent_utc))) + 1
    inside = starts - SLOT_PACKETS // 2
    return _step_ms(rtt_s, inside), _step_ms(rtt_s, starts)


def _step_ms(rtt_s: FloatArray, at: NDArray[np.int64]) -> float:
    before, after = (
        np.median(rtt_s[at[:, None] + np.arange(first, first + WINDOW)], axis=1)
        for first in (-WINDOW, 0)
    )
    return 1e3 * float(np.median(np.abs(after - before)))
