"""The tables and sentences a person reads; machines take --json."""

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skyweave.policy.reasons import Reason

# What a user named is shown as it is written: Text takes no markup.


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, padding=(0, 2))
    for number, column in enumerate(columns):
        table.add_column(Text(column), justify="left" if number == 0 else "right")
    return table


def _pairs(title: str, rows: dict[str, object]) -> None:
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name), Text(str(value)))
    Console().print(table)


def _ms(seconds: float | None) -> str:
    return "no path" if seconds is None else f"{seconds * 1000:.1f} ms"


def _or_unknown(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def summary(found: dict[str, Any]) -> None:
    """Print the summary of a run."""
    rtt, satellites = found["rtt_s"], found["satellites"]
    _pairs(
        found["scenario"],
        {
            "slots": found["slots"],
            "terminals": found["terminals"],
            "satellites used": satellites["used"],
            "satellites left out": ", ".join(
                f"{count} {name}" for name, count in satellites["left_out"].items()
            )
            or "none",
            "served": _or_unknown(found["served_share"], ".2%"),
            "round-trip time p5 / p50 / p95": " / ".join(_ms(rtt[p]) for p in ("p5", "p50", "p95")),
            "handovers per hour": _or_unknown(found["handovers_per_hour"], ".1f"),
        },
    )
    outages = found["outages_by_reason"]
    table = _table("Without service", "reason", "terminal-slots")
    for reason, count in sorted(outages.items(), key=lambda item: -item[1]):
        table.add_row(reason, f"{count:,}")
    if outages:
        Console().print(table)


def files(folder: Path) -> None:
    """Print what a run folder holds that a person would open."""
    for name in sorted(folder.glob("*.html")) + sorted(folder.glob("*.png")):
        print(name)


def explanation(found: dict[str, Any]) -> None:
    """Print who serves a terminal and how, or why nobody does."""
    rows: dict[str, object] = {"slot begins": found["slot_start_utc"], "state": found["state"]}
    satellite = found["satellite"]
    if satellite is None:
        rows["reason"] = f"{found['reason']}: {Reason(found['reason']).text}"
    else:
        rows["satellite"] = (
            f"{satellite['name']} ({satellite['norad_id']}), "
            f"{satellite['elevation_deg']:.1f} deg up in azimuth "
            f"{satellite['azimuth_deg']:.0f} deg, {satellite['range_m'] / 1000:.0f} km away"
        )
        rows["gateway, PoP"] = f"{found['gateway']}, {found['pop']}"
        rows["path"] = " > ".join(found["nodes"])
        parts = ", ".join(f"{part} {_ms(value)}" for part, value in found["rtt_parts_s"].items())
        rows["round-trip time"] = f"{_ms(found['rtt_s'])} = {parts}"
        rows["age of the elements"] = f"{found['element_age_days']:.2f} days"
    _pairs(found["terminal"], rows)
    columns = ("NORAD id", "elevation", "azimuth", "score", "refused")
    table = _table("Satellites in view for the whole slot", *columns)
    for sat in found["candidates"]:
        score = "" if sat["score"] is None else f"{sat['score']:.5g}"
        angles = (f"{sat['elevation_deg']:.1f}", f"{sat['azimuth_deg']:.0f}")
        table.add_row(str(sat["norad_id"]), *angles, score, sat["refused"] or "")
    Console().print(table)


def path(found: dict[str, Any]) -> None:
    """Print one row per change of the path."""
    table = _table(f"{found['from']} to {found['to']}", "t / s", "round-trip time", "path")
    last = None
    for sample in found["samples"]:
        if sample["nodes"] != last:
            nodes = " > ".join(sample["nodes"]) or sample.get("reason", "")
            table.add_row(f"{sample['t_s']:g}", _ms(sample["rtt_s"]), Text(nodes))
            last = sample["nodes"]
    Console().print(table)
    print(f"{len(found['samples'])} samples; a row for each change of path")


def catalogue(found: dict[str, Any]) -> None:
    """Print what a catalogue holds."""
    rows: dict[str, object] = {
        "objects": found["objects"],
        "duplicates": found["duplicates"],
        "refused rows": len(found["refused"]),
        "epochs": f"{found['epoch_first']} to {found['epoch_last']}",
    }
    _pairs("Catalogue", rows | {f"  {k}": v for k, v in found["classes"].items() if v})
    for row in found["refused"][:20]:
        print(f"line {row['line']}: {row['reason']}")
    if len(found["refused"]) > 20:
        print(f"and {len(found['refused']) - 20} more; --json lists them all")


def catalogue_update(fetched: list[dict[str, Any]]) -> None:
    """Print what the cache holds of each group, and from when on to ask again."""
    for found in fetched:
        rows: dict[str, object] = {
            "file": f"{found['file']} ({'new' if found['fetched'] else 'nothing newer fetched'})",
            "objects": found["objects"],
            "refused rows": len(found["refused"]),
            "epochs": f"{found['epoch_first']} to {found['epoch_last']}",
            "ask again from": found["next_allowed_utc"],
            "use it as": f'source = "cache:{found["group"]}"',
        }
        _pairs(f"Catalogue {found['group']}", rows)


def doctor(found: dict[str, Any]) -> None:
    """Print the state of the installation."""
    flat = {
        name: ", ".join(f"{key} {item}" for key, item in value.items())
        if isinstance(value, dict)
        else value
        for name, value in found.items()
    }
    _pairs("Skyweave on this machine", flat)
