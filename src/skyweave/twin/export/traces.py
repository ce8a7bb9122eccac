"""One path over time for tools that replay it on real packets: CSV, mahimahi, tc with netem.

The path leads between two places at free instants, or from a terminal of a run through its slots.
Each step holds until the next; a step without a path is an outage.  Where the scenario's delay is
that of real dishes, each step has what a packet sent in it would have.
"""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

import skyweave
from skyweave.errors import InputError
from skyweave.time import format_utc
from skyweave.twin.ends import Endpoint
from skyweave.twin.export._dish_trace import (
    DishDelay,
    dish_delay,
    gaps_of,
    packet_steps,
    step_packets,
)
from skyweave.twin.export._trace_text import (
    PACKET_BITS,
    netem_changes,
    netem_limit,
    netem_script,
    opportunities_ms,
)
from skyweave.twin.export.csv_files import CsvFile
from skyweave.twin.export.drafts import check_free, draft_folder
from skyweave.twin.paths import paths_over_time
from skyweave.twin.results.folder import Run, reading_run
from skyweave.twin.snapshots import WorldAt
from skyweave.twin.topology.failures import near_names
from skyweave.twin.world import World

KIND = "skyweave-trace"  # what manifest.json of such a folder says it is
MAX_STEPS = 1_000_000
MAX_OPPORTUNITIES = 20_000_000  # of mahimahi's, some 0.15 GB in each of two files
RATES_BPS = (1_000, 1_000_000_000_000)
STEPS_PER_REPORT = 100

FloatArray = NDArray[np.float64]


def _silent(_: str) -> None:
    """Report no progress."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What there was between two ends in each of T steps."""

    of: dict[str, str]  # the ends, for the manifest
    start_utc: np.datetime64
    every_ms: int
    rtt_s: FloatArray  # (T,) NaN in an outage
    reason: list[str | None]  # (T,) None where there is a path
    over: dict[str, list[Any]]  # further columns (T,) of trace.csv: what the path leads over
    dish: DishDelay | None = None  # of real dishes, where the scenario asks for it

    @property
    def utc(self) -> NDArray[np.datetime64]:
        """When each step begins, (T,)."""
        return self.start_utc + np.arange(self.rtt_s.size) * np.timedelta64(self.every_ms, "ms")

    @property
    def up(self) -> NDArray[np.bool_]:
        """Which steps have a path, (T,)."""
        return np.isfinite(self.rtt_s)

    @property
    def one_way_s(self) -> FloatArray:
        """Half of the RTT, (T,)."""
        return self.rtt_s / 2.0

    @property
    def duration_ms(self) -> int:
        """To the end of the last step."""
        return self.rtt_s.size * self.every_ms


def export_trace(
    world: World,
    start: Endpoint,
    end: Endpoint,
    at_utc: np.datetime64,
    every_s: float,
    for_s: float,
    out: str | Path,
    *,
    rate_bps: float | None = None,
    world_at: WorldAt | None = None,
    progress: Callable[[str], None] = _silent,
) -> dict[str, Any]:
    """Write the best path from start to end every `every_s` for `for_s` seconds into folder `out`.

    `rate_bps` is the user's own figure: link rates are not modelled.  Without it there are no
    files for mahimahi and netem, which need one.  `world_at` tells what has failed at an instant,
    as for `snapshots`.  Returns what was written.
    """
    out, every_ms = Path(out), _whole_ms("--every", every_s)
    steps = -(-_whole_ms("--for", for_s) // every_ms)
    rate = _checked_rate(rate_bps, steps, every_ms)
    check_free(out)
    progress("export: orbits and links")
    rtt_s = np.full(steps, np.nan)
    reasons: list[str | None] = [None] * steps
    nodes: list[str | None] = [None] * steps
    t_s = np.arange(steps) * every_ms / 1e3
    samples = paths_over_time(world, start, end, at_utc, t_s, world_at=world_at)
    for step, sample in enumerate(samples):
        if sample.paths:
            rtt_s[step], names = sample.paths[0]
            nodes[step] = " > ".join(names)
        else:
            reasons[step] = str(sample.reason)
        if (step + 1) % STEPS_PER_REPORT == 0:
            progress(f"export: {step + 1:,} of {steps:,} steps")
    ends = {"from": start.name, "to": end.name}
    trace = Trace(ends, at_utc, every_ms, rtt_s, reasons, {"nodes": nodes})
    delay = world.scenario.delay
    dish = dish_delay(delay.model_dump(), world.scenario.seed)
    if dish is not None:
        beyond_s = world.beyond_propagation_s(dishes=start.is_dish + end.is_dish)
        geometry = replace(trace, rtt_s=rtt_s - beyond_s, dish=dish)
        trace = _between_dishes(geometry, start, end)
    return _write(trace, rate, out)


def _between_dishes(trace: Trace, start: Endpoint, end: Endpoint) -> Trace:
    """Return a trace of bare geometry with the delay of the dish at either end."""
    for name, place, next_to in ((start.name, start, 1), (end.name, end, -2)):
        if place.is_dish:  # its satellite is next to it
            nodes = trace.over["nodes"]
            satellite = [None if path is None else path.split(" > ")[next_to] for path in nodes]
            trace = _with_packets(trace, name, satellite, [None] * len(nodes), trace.utc)
    return trace


def _with_packets(
    trace: Trace,
    terminal_id: str,
    satellite: list[Any],
    pop: list[Any],
    switch_utc: NDArray[np.datetime64],
) -> Trace:
    """Return a trace with what the packets of one dish have beyond geometry, and its gaps.

    `satellite` and `pop` are those from `switch_utc` on, None in an outage.
    """
    assert trace.dish is not None
    gaps = gaps_of(trace.dish, switch_utc, satellite, pop)
    extra_s, cause = step_packets(trace.dish, terminal_id, trace.utc, trace.every_ms, gaps)
    reason = [had or lost or None for had, lost in zip(trace.reason, cause.tolist(), strict=True)]
    return replace(trace, rtt_s=trace.rtt_s + extra_s, reason=reason)


def export_run_trace(
    run: Run, terminal: str, out: str | Path, *, rate_bps: float | None = None
) -> dict[str, Any]:
    """Write what a terminal of a run had in each of its slots into folder `out`.

    The round trip is that of the access table, from the terminal to its PoP and back.
    """
    out = Path(out)
    with reading_run(run.folder):
        time = run.manifest["time"]
        steps, slot_s = int(time["slots"]), float(time["slot_s"])
        start_utc = np.datetime64(time["start_utc"].removesuffix("Z"), "ns")
    slot_ms = _whole_ms("slot_s", slot_s)
    dish = _dish_of(run, terminal)
    per_slot = packet_steps(slot_ms) if dish else 1
    rate = _checked_rate(rate_bps, steps * per_slot, slot_ms // per_slot)
    check_free(out)
    rows = _rows_of(run, terminal)
    if rows.num_rows != steps:
        raise InputError(
            f'{run.folder}: holds {rows.num_rows:,} of {steps:,} slots of "{terminal}"; run the '
            'scenario with access = "all" in [results]'
        )
    column = {name: rows[name] for name in rows.column_names}
    trace = Trace(
        of={"terminal": terminal},
        start_utc=start_utc,
        every_ms=slot_ms,
        rtt_s=column["rtt_s"].to_numpy(),
        reason=column["reason"].to_pylist(),
        over={name: column[name].to_pylist() for name in ("norad_id", "gateway_id", "pop_id")},
        dish=dish,
    )
    return _write(trace if dish is None else _in_packets(trace, terminal, per_slot), rate, out)


def _dish_of(run: Run, terminal: str) -> DishDelay | None:
    """Return the delay of dishes that a run asked for, of the terminal's own operator."""
    with reading_run(run.folder):
        scenario, fleet = run.manifest["scenario"], run.fleet
        section = scenario["delay"]
        for operator in scenario.get("operators") or ():
            is_own = fleet["operator"][fleet["terminal_id"] == terminal] == operator["name"]
            if operator.get("delay") and is_own.any():
                section = operator["delay"]
        return dish_delay(section, int(run.manifest["seed"]))


def _in_packets(trace: Trace, terminal: str, per_slot: int) -> Trace:
    """Return a run's trace with its slots divided into steps of one packet each."""
    assert trace.dish is not None
    slot_utc = trace.utc
    geometry_s = trace.rtt_s - trace.dish.beyond_geometry_s(slot_utc, terminal)
    fine = replace(
        trace,
        every_ms=trace.every_ms // per_slot,
        rtt_s=np.repeat(geometry_s, per_slot),
        reason=[reason for reason in trace.reason for _ in range(per_slot)],
        over={
            name: [value for value in values for _ in range(per_slot)]
            for name, values in trace.over.items()
        },
    )
    satellite, pop = trace.over["norad_id"], trace.over["pop_id"]
    return _with_packets(fine, terminal, satellite, pop, slot_utc)


def _rows_of(run: Run, terminal: str) -> pa.Table:
    """Return the access table's rows of one terminal, by slot."""
    with reading_run(run.folder):
        known = run.fleet["terminal_id"].tolist()
    if terminal not in known:
        raise InputError(f'{run.folder}: no terminal "{terminal}"; {near_names(terminal, known)}')
    names = ["slot", "rtt_s", "reason", "norad_id", "gateway_id", "pop_id"]
    wanted = [("terminal_id", "=", terminal)]
    with reading_run(run.folder):
        rows = pq.read_table(run.folder / "access.parquet", columns=names, filters=wanted)
        return rows.sort_by("slot")


def _whole_ms(option: str, given_s: float) -> int:
    value = given_s * 1e3
    if not 1.0 <= value <= 1e12 or abs(value - round(value)) > 1e-6:
        raise InputError(
            f"{option} {given_s:g}: traces are replayed in whole milliseconds, at least 1; change "
            "the number of seconds"
        )
    return round(value)


def _checked_rate(rate_bps: float | None, steps: int, every_ms: int) -> int | None:
    """Return the rate as a whole number; refuse what no tool can replay."""
    if steps > MAX_STEPS:
        raise InputError(
            f"the trace would have {steps:,} steps, expected at most {MAX_STEPS:,}; take longer "
            "steps or a shorter time"
        )
    if rate_bps is None:
        return None
    least, most = RATES_BPS
    if not least <= rate_bps <= most or rate_bps != round(rate_bps):
        raise InputError(
            f"--rate-bps {rate_bps:g}: expected whole bits per second, {least:,} to {most:,}"
        )
    rate = round(rate_bps)
    packets = steps * every_ms * rate // (1000 * PACKET_BITS)
    if packets > MAX_OPPORTUNITIES:
        raise InputError(
            f"--rate-bps {rate}: mahimahi's files would have {packets:,} lines, expected at most "
            f"{MAX_OPPORTUNITIES:,}; take a lower rate or a shorter time"
        )
    return rate


def _write(trace: Trace, rate_bps: int | None, out: Path) -> dict[str, Any]:
    if not trace.up.any():
        reasons = ", ".join(sorted({str(reason) for reason in trace.reason}))
        raise InputError(
            f"{' to '.join(trace.of.values())}: no path at any of {trace.rtt_s.size:,} steps "
            f"({reasons}); there is nothing to replay, take another time"
        )
    manifest = _manifest(trace, rate_bps)
    with draft_folder(out) as draft:
        _write_csv(draft / "trace.csv", trace, rate_bps)
        if rate_bps is not None:
            manifest["mahimahi"] = _write_mahimahi(draft, trace, rate_bps)
            manifest["netem"] = _write_netem(draft, trace, rate_bps)
        (draft / "README.txt").write_text(_readme(manifest), encoding="utf-8", newline="\n")
        manifest["files"] = sorted([*(path.name for path in draft.iterdir()), "manifest.json"])
        text = json.dumps(manifest, indent=1, ensure_ascii=False, allow_nan=False)
        (draft / "manifest.json").write_text(text + "\n", encoding="utf-8", newline="\n")
    return {"out": str(out), **manifest}


def _manifest(trace: Trace, rate_bps: int | None) -> dict[str, Any]:
    one_way_s = trace.one_way_s[trace.up]
    paths = list(zip(*trace.over.values(), strict=True))
    changes = sum(now != before for before, now in pairwise(paths))
    return {
        "kind": KIND,
        "format": 1,
        "skyweave": skyweave.__version__,
        **trace.of,
        "start_utc": format_utc(trace.start_utc),
        "every_s": trace.every_ms / 1e3,
        "duration_s": trace.duration_ms / 1e3,
        "steps": int(trace.rtt_s.size),
        "up_share": float(trace.up.mean()),
        "one_way_delay_s": {
            "min": float(one_way_s.min()),
            "median": float(np.median(one_way_s)),
            "max": float(one_way_s.max()),
        },
        "path_changes": changes,
        "rate_bps": rate_bps,
        "rate_from": None if rate_bps is None else "the user (--rate-bps)",
        **({} if trace.dish is None else {"delay": trace.dish.as_json()}),
    }


def _write_csv(path: Path, trace: Trace, rate_bps: int | None) -> None:
    columns = ["t_s", "up", "rtt_s", "one_way_delay_s", "rate_bps", "reason", *trace.over]
    steps = trace.rtt_s.size
    rate = pa.array(np.where(trace.up, rate_bps or 0, 0), mask=np.full(steps, rate_bps is None))
    with CsvFile(path, columns) as file:
        file.write(
            np.arange(steps) * trace.every_ms / 1e3,
            trace.up.astype(np.int8),
            trace.rtt_s,
            trace.one_way_s,
            rate,
            trace.reason,
            *trace.over.values(),
        )


def _write_mahimahi(folder: Path, trace: Trace, rate_bps: int) -> dict[str, Any]:
    """Write both directions, which are alike; return what to know of them."""
    at_ms = opportunities_ms(trace.up, trace.every_ms, rate_bps)
    one_way_s = trace.one_way_s[trace.up]
    delay_ms = round(1e3 * float(np.median(one_way_s)))
    up_link, down_link = folder / "mahimahi-up.trace", folder / "mahimahi-down.trace"
    with up_link.open("wb") as file:
        table = pa.table({"ms": at_ms})
        pc.write_csv(table, file, pc.WriteOptions(include_header=False))
    shutil.copyfile(up_link, down_link)
    return {
        "opportunities": int(at_ms.size),
        "loops_after_s": int(at_ms[-1]) / 1e3,
        "mm_delay_ms": delay_ms,
        "delay_off_by_at_most_s": float(np.abs(one_way_s - delay_ms / 1e3).max()),
    }


def _write_netem(folder: Path, trace: Trace, rate_bps: int) -> dict[str, Any]:
    limit = netem_limit(rate_bps, float(np.nanmax(trace.rtt_s)))
    changes = list(netem_changes(trace.one_way_s, trace.every_ms))
    lines = netem_script(iter(changes), trace.duration_ms, limit, rate_bps)
    (folder / "netem.sh").write_text(
        "".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n"
    )
    return {"changes": len(changes) - 1, "limit_packets": limit}


def _readme(manifest: dict[str, Any]) -> str:
    """Return what the folder's files mean and what they leave out."""
    ends = manifest.get("terminal") or f"{manifest['from']} to {manifest['to']}"
    delay = {name: f"{1e3 * value:.3f}" for name, value in manifest["one_way_delay_s"].items()}
    over = _OVER_RUN if "terminal" in manifest else _OVER_PATH
    text = _README.format(**{**manifest, "delay": delay}, ends=ends, over=over, law=_law(manifest))
    if manifest["rate_bps"] is None:
        return text + _NO_RATE
    return (
        text
        + _MAHIMAHI.format(**manifest["mahimahi"], **_closing(manifest))
        + _NETEM.format(**manifest["netem"], rate_bps=manifest["rate_bps"])
    )


def _law(manifest: dict[str, Any]) -> str:
    return _OF_DISHES.format(**manifest["delay"]) if "delay" in manifest else _OF_GEOMETRY


def _closing(manifest: dict[str, Any]) -> dict[str, str]:
    lost_s = manifest["duration_s"] - manifest["mahimahi"]["loops_after_s"]
    if lost_s == 0.0:
        return {"closing": "That is the whole trace."}
    return {
        "closing": f"The trace begins and ends with an outage: its last {lost_s:g} s are lost when "
        "it starts again."
    }


_OVER_PATH = "nodes: the ends and between them the satellites (NORAD ids), in order"
_OVER_RUN = "norad_id, gateway_id, pop_id: what served; the path ends at the PoP"
_OF_GEOMETRY = """\
The delay is that of propagation and of the scenario's processing time. Queues, rates and losses of
a real link are not modelled: a rate in these files is the one given by --rate-bps."""
_OF_DISHES = """\
The delay is that of propagation and of real dishes of {period}: a floor, an offset of each 15-s
slot, and in each step what one packet sent in it has, drawn with seed {seed}. A change of satellite
or PoP is a gap in which packets are lost, so some steps are outages (handover_gap, pop_change_gap).
Other losses, queues and rates are not modelled: a rate in these files is the one given by
--rate-bps."""
_README = """A network path over time, computed by Skyweave {skyweave}

{ends}
from {start_utc}, {duration_s:g} s in {steps} steps of {every_s:g} s
a path in {up_share:.2%} of them
one-way delay: least {delay[min]} ms, median {delay[median]} ms, most {delay[max]} ms

{law}

trace.csv      one line per step, which holds until the next
  t_s              seconds from the start
  up               1 with a path, 0 in an outage
  rtt_s            there and back, seconds; empty in an outage
  one_way_delay_s  half of it
  rate_bps         as given by --rate-bps, 0 in an outage; empty where none was given
  reason           of an outage
  {over}
manifest.json  the same facts for programs
"""
_NO_RATE = """
Files for mahimahi and netem need a rate: export again with --rate-bps.
"""
_MAHIMAHI = """
mahimahi-up.trace, mahimahi-down.trace    {opportunities} opportunities of 1500 bytes, times in ms
  mm-delay {mm_delay_ms} mm-link mahimahi-up.trace mahimahi-down.trace -- COMMAND
  Outages are in the files, as times without opportunities. Delay is not: mahimahi has one fixed
  delay, here the median, which is up to {delay_off_by_at_most_s:.6f} s from the path's.
  mahimahi starts the files again after {loops_after_s:g} s. {closing}
"""
_NETEM = """
netem.sh    {changes} changes of delay and loss; one direction
  sh netem.sh -n DEVICE     prints the commands, changes nothing
  sh netem.sh DEVICE        as root, on Linux: delays what DEVICE sends by one-way_delay_s
  Start it on the device of either end at the same time for the whole round trip. It adds one netem
  discipline to DEVICE, refuses a device that has one of its own, and removes its own at the end.
  Steps are kept to about 10 ms of the clock and do not add up; whole microseconds of delay.
  Outages lose every packet sent during them. It holds {limit_packets} packets: twice what is under
  way at {rate_bps} bit/s over the longest round trip, at least netem's own 1000.
"""
