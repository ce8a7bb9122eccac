"""The tables and sentences a person reads; machines take --json."""

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from skyweave.cli.options import plain
from skyweave.policy.reasons import Reason

# What a user named is shown as it is written: Text takes no markup.


def plain_table(title: str, *columns: str, texts: Collection[str] = ()) -> Table:
    """Return a table whose first column holds text, and those named in `texts`; others numbers."""
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, padding=(0, 2))
    for number, column in enumerate(columns):
        is_text = number == 0 or column in texts
        table.add_column(Text(column), justify="left" if is_text else "right")
    return table


def key_values(title: str, rows: dict[str, object]) -> None:
    """Print names and values in two columns."""
    table = Table(title=Text(title, "bold"), title_justify="left", box=None, padding=(0, 2))
    for name, value in rows.items():
        table.add_row(Text(name), Text(str(value)))
    Console().print(table)


def ms(seconds: float | None) -> str:
    """Return a round trip in words."""
    return "no path" if seconds is None else f"{seconds * 1000:.1f} ms"


def _or_unknown(value: float | None, form: str) -> str:
    return "unknown" if value is None else format(value, form)


def summary(found: dict[str, Any]) -> None:
    """Print the summary of a run."""
    rtt, satellites = found["rtt_s"], found["satellites"]
    key_values(
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
            "round-trip time p5 / p50 / p95": " / ".join(ms(rtt[p]) for p in ("p5", "p50", "p95")),
            "handovers per hour": _or_unknown(found["handovers_per_hour"], ".1f"),
        },
    )
    for state, title in (("out", "Without service"), ("degraded", "Slower than usual")):
        table = plain_table(
            title, "reason", "cause", "terminal-slots", "share", "confidence",
            texts=("cause", "confidence"),
        )  # fmt: skip
        rows = [row for row in found["attribution"] if row["state"] == state]
        for row in rows:
            count, share = f"{row['terminal_slots']:,}", f"{row['share']:.2%}"
            table.add_row(row["reason"], row["cause"], count, share, row["confidence"])
        if rows:
            Console().print(table)


def files(folder: Path) -> None:
    """Print what a run folder holds that a person would open."""
    for name in sorted(folder.glob("*.html")) + sorted(folder.glob("*.png")):
        print(name)


def explanation(found: dict[str, Any]) -> None:
    """Print who serves a terminal and how, or why nobody does."""
    rows: dict[str, object] = {"slot begins": found["slot_start_utc"], "state": found["state"]}
    satellite = found["satellite"]
    if "policy" in found:
        rows["policy"] = plain(found["policy"]["text"])  # a proposer's words are in it
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
        parts = ", ".join(f"{part} {ms(value)}" for part, value in found["rtt_parts_s"].items())
        rows["round-trip time"] = f"{ms(found['rtt_s'])} = {parts}"
        rows["age of the elements"] = f"{found['element_age_days']:.2f} days"
    key_values(found["terminal"], rows)
    of_model = any("probability" in sat for sat in found["candidates"])
    columns = ("NORAD id", "elevation", "azimuth", "score", *(("chance",) if of_model else ()))
    last = "terms, or refused" if of_model else "refused"
    table = plain_table("Satellites in view for the whole slot", *columns, last, texts=(last,))
    for sat in found["candidates"]:
        score = "" if sat["score"] is None else f"{sat['score']:.5g}"
        cells = [f"{sat['elevation_deg']:.1f}", f"{sat['azimuth_deg']:.0f}", score]
        if of_model:
            cells.append(f"{sat['probability']:.1%}")
        table.add_row(str(sat["norad_id"]), *cells, sat["refused"] or _terms(sat))
    Console().print(table)


def _terms(sat: dict[str, Any]) -> str:
    """Return what counts for or against a satellite, the strongest first."""
    terms = sorted(sat.get("terms", {}).items(), key=lambda term: -abs(term[1]))
    return ", ".join(f"{name} {value:+.2f}" for name, value in terms if abs(value) >= 0.005)


def edge(found: dict[str, Any]) -> None:
    """Print where service ends and returns on a track, a line for each gap and each crossing."""
    from_utc, to_utc = found["from_utc"], found["to_utc"]
    kind = "area without service" if found["excluded"] else "area of service"
    key_values(
        found["terminal"],
        {
            "from, to": f"{_utc(from_utc, '')} to {_utc(to_utc, from_utc)}",
            kind: f"{found['region']}, {found['cells']:,} cells",
            "served": f"{found['served_slots']} of {found['slots']} slots",
        },
    )
    for gap in found["edges"]:
        print(_gap(gap, from_utc, to_utc))
    if not found["edges"]:
        print("service all the way")
    for crossing in found["boundary_crossings"]:
        way = "into" if crossing["enters"] else "out of"
        print(
            f"border crossed {way} the cells with service at {_utc(crossing['utc'], from_utc)}, "
            f"{crossing['lat_deg']:.3f}, {crossing['lon_deg']:.3f}"
        )


def _gap(gap: dict[str, Any], from_utc: str, to_utc: str) -> str:
    why = _why(gap["reasons"])
    if gap["begins_before"]:
        begin = f"no service at the start (slot {gap['slot']}): {why}"
    else:
        begin = (
            f"service ends {_utc(gap['ends_utc'], from_utc)} at {gap['lat_deg']:.3f}, "
            f"{gap['lon_deg']:.3f} (slot {gap['slot']}): {why}"
        )
    if gap["lasts_beyond"]:
        return f"{begin}; no service again up to the end, {_utc(to_utc, from_utc)}"
    following = f"{begin}; next service {_utc(gap['resumes_utc'], from_utc)}"
    if gap["begins_before"]:
        return f"{following} at {gap['next_lat_deg']:.3f}, {gap['next_lon_deg']:.3f}"
    further_km = gap["along_track_m"] / 1000
    return f"{following}, {further_km:.1f} km further on ({_span(gap['gap_s'])} without)"


def _why(reasons: dict[str, int]) -> str:
    """Return the reasons of a gap in the order in which they came."""
    where = {
        Reason.CELL_IS_DISABLED: "outside the area of service",
        Reason.BLOCKED_AREA: "inside the area without service",
    }
    texts = [where.get(Reason(name), Reason(name).text) for name in reasons]
    if len(texts) == 1:
        return texts[0]
    counted = zip(texts, reasons.values(), strict=True)
    return ", ".join(f"{text} ({count} slots)" for text, count in counted)


def _utc(utc: str, day: str) -> str:
    """Return an instant for reading, its date left out where it is that of `day`."""
    date, clock = utc.removesuffix("Z").split("T")
    return f"{clock} UTC" if day.startswith(date) else f"{date} {clock} UTC"


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def path(found: dict[str, Any], k: int = 1) -> None:
    """Print the path after each change of it; with k > 1 all disjoint paths of those instants."""
    rank = ("rank",) if k > 1 else ()
    columns = ("t / s", *rank, "round-trip time", "path")
    table = plain_table(f"{found['from']} to {found['to']}", *columns, texts=("path",))
    last = None
    for sample in found["samples"]:
        if sample["nodes"] != last:
            at = f"{sample['t_s']:g}"
            for number, each in enumerate(sample.get("paths") or [sample], start=1):
                nodes = " > ".join(each["nodes"]) or sample.get("reason", "")
                place = (str(number) if each["nodes"] else "",) if rank else ()
                table.add_row(at, *place, ms(each["rtt_s"]), Text(nodes))
                at = ""
            last = sample["nodes"]
    Console().print(table)
    print(f"{_counted(len(found['samples']), 'sample')}; a row for each change of path")
    if k > 1:
        counts = [len(sample["paths"]) for sample in found["samples"]]
        least, most = min(counts), max(counts)
        several = f"{least}" if least == most else f"{least} to {most}"
        print(f"disjoint paths found: {several} of {k}")
    if "analysis" in found:
        _analysis(found)


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _analysis(found: dict[str, Any]) -> None:
    """Print what a path's analysis says of all samples together."""
    analysis = found["analysis"]
    rows: dict[str, object] = {"changes of path": analysis["changes"]}
    for bound, stretch in analysis["stretch"].items():
        if stretch is not None:
            rows[f"stretch over {bound}, {' / '.join(stretch)}"] = " / ".join(
                f"{v:.3f}" for v in stretch.values()
            )
    protected = analysis["protection"]
    if analysis["unreachable_share"]:
        rows["without a path"] = f"{analysis['unreachable_share']:.2%}"
    cut_by = sorted({name for sample in protected for name in sample["cut_by"]})
    worst_s = [sample["worst_rtt_s"] for sample in protected if not sample["cut_by"]]
    if protected:
        rows["worst after one failure"] = ms(max(worst_s, default=None))
        rows["cut by one failure of"] = ", ".join(cut_by) or "nothing"
    key_values("Analysis", rows)
    for text in dict.fromkeys(s["cause"]["text"] for s in found["samples"] if "cause" in s):
        print(text)


def pairs(found: dict[str, Any]) -> None:
    """Print what the paths between all sites were like."""
    rows: dict[str, object] = {
        "sites, pairs, instants": f"{found['sites']}, {found['pairs']:,}, {found['instants']:,}",
        "pairs never with a path": found["unreachable_pairs"],
        "pairs with one at times": found["interrupted_pairs"],
    }
    key_values("All pairs", rows)
    of_pairs = {
        "shortest RTT": (found["rtt_s"]["min"], 1e3, " ms"),
        "longest RTT": (found["rtt_s"]["max"], 1e3, " ms"),
        "longest less shortest": (found["rtt_s"]["spread"], 1e3, " ms"),
        "longest over light": (found["stretch"]["geodesic"], 1.0, ""),
        "longest over straight fibre": (found["stretch"]["fibre"], 1.0, ""),
        "changes of path": (found["path_changes"], 1.0, ""),
    }
    shares = plain_table("Of all pairs", "", "5 %", "50 %", "95 %", "largest")
    for name, (values, scale, unit) in of_pairs.items():
        cells = (_or_unknown(v and v * scale, ".4g") for v in values.values())
        shares.add_row(name, *(f"{cell}{unit}" for cell in cells))
    Console().print(shares)
    _busiest("satellite", {str(e["norad_id"]): e["share"] for e in found["busiest_satellites"]})
    links = {" - ".join(map(str, e["norad_ids"])): e["share"] for e in found["busiest_links"]}
    _busiest("laser link", links)


def _busiest(what: str, shares: dict[str, float]) -> None:
    table = plain_table("Busiest", what, "share of paths")
    for name, share in shares.items():
        table.add_row(name, f"{share:.2%}")
    Console().print(table)


def export(found: dict[str, Any]) -> None:
    """Print what was written for another program; names end in their unit."""
    key_values(found["out"], dict(_facts(found)))


def _facts(found: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name and value of each fact, one for each file or figure of those that hold several."""
    for name, value in found.items():
        if isinstance(value, dict):
            unit = " rows" if name == "rows" else ""
            place = "" if name == "rows" else f"{name}: "
            yield from ((f"{place}{key}", f"{_fact(each)}{unit}") for key, each in value.items())
        elif name != "out":
            yield name, _fact(value)


def _fact(value: object) -> str:
    if value is None:
        return "none given"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(round(value, 6)) if isinstance(value, float) else str(value)


def validation(found: list[dict[str, str]]) -> None:
    """Print what became of published results, a row each, and why where one is not reproduced."""
    table = Table(
        title=Text("Published results", "bold"), title_justify="left", box=None, padding=(0, 1)
    )
    for name in ("id", "what", "expected", "actual", "verdict"):
        is_whole = name in ("id", "verdict")
        table.add_column(Text(name), overflow="fold", no_wrap=is_whole)
    for row in found:
        expected = f"{row['expected']} {row['unit']}"
        cells = (row["id"], row["quantity"], expected, row["actual"], row["verdict"])
        table.add_row(*map(Text, cells))
    Console().print(table)
    for verdict in ("differs", "not_applicable"):
        _reasons(verdict, [row for row in found if row["verdict"] == verdict])
    counts = Counter(row["verdict"] for row in found)
    print(", ".join(f"{count} {verdict}" for verdict, count in counts.items()))


def _reasons(verdict: str, rows: list[dict[str, str]]) -> None:
    """Print each reason once, after the ids that it belongs to."""
    for note in dict.fromkeys(row["note"] for row in rows):
        ids = ", ".join(row["id"] for row in rows if row["note"] == note)
        print(f"{ids} {verdict}: {note}")


def catalogue(found: dict[str, Any]) -> None:
    """Print what a catalogue holds."""
    rows: dict[str, object] = {
        "objects": found["objects"],
        "duplicates": found["duplicates"],
        "refused rows": len(found["refused"]),
        "epochs": f"{found['epoch_first']} to {found['epoch_last']}",
    }
    key_values("Catalogue", rows | {f"  {k}": v for k, v in found["classes"].items() if v})
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
        key_values(f"Catalogue {found['group']}", rows)


def doctor(found: dict[str, Any]) -> None:
    """Print the state of the installation."""
    flat = {
        name: ", ".join(f"{key} {item}" for key, item in value.items())
        if isinstance(value, dict)
        else value
        for name, value in found.items()
    }
    key_values("Skyweave on this machine", flat)
