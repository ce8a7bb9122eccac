"""`report.html`: a run on one page for people who do not program.

One file with everything inside: no script, no request to anywhere.  Every text that comes from a
scenario or fleet file is escaped.
"""

import base64
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from skyweave.policy.reasons import Reason
from skyweave.twin.results.folder import Run
from skyweave.twin.results.markup import figure, share_cell, table
from skyweave.twin.results.wording import (
    NOTHING,
    count,
    country,
    duration,
    milliseconds,
    moment,
    percent,
)

MOST_ROWS = 2_000  # a page with more sites than this shows only the worst
WORST_ROWS = 500
MOST_PLACES = 10  # gateway countries and PoPs that are named

_CAPTIONS = {
    "map.png": (
        "Where there was service",
        "Each dot is a site, drawn at the centre of an area of about 250 square kilometres; the "
        "darker, the longer the delay. A ring marks a site that lost service for part of the time, "
        "a cross one that never had any. Triangles are gateways, squares the points where the "
        "network meets the internet. Borders in dispute are dashed.",
    ),
    "rtt.png": (
        "Delay over time",
        "Above, the time a signal takes from a site to the internet exchange and back: the line is "
        "the middle site, the band holds nine in ten. Below, the share of sites without service.",
    ),
}
_NO_REQUESTS = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def write_report(run: Run, path: Path) -> None:
    """Write the report of a run folder, with the pictures that lie in it."""
    path.write_text(report_html(run), encoding="utf-8")


def report_html(run: Run) -> str:
    """Return the page."""
    title = escape(run.manifest["title"])
    css = files(__package__).joinpath("report.css").read_text(encoding="utf-8")
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_NO_REQUESTS}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}: satellite service report</title>
<style>
{css}</style>
</head>
<body>
<main>
{_heading(run, title)}
{_warnings(run)}
{_in_words(run)}
{_pictures(run)}
{_why(run)}
{_dependence(run)}
{_sites(run)}
{_making(run)}
</main>
{_execution(run)}
</body>
</html>
"""


def _heading(run: Run, title: str) -> str:
    when, summary = run.manifest["time"], run.manifest["summary"]
    start, end = when["start_utc"], when["end_utc"]
    sites, used = count(summary["terminals"], "site"), summary["satellites"]["used"]
    span = f"{start[:10]} {moment(start, start)} to {moment(end, start)} UTC"
    return f"""<h1>{title}</h1>
<p class="soft">Satellite internet at {sites}, computed from the orbits of {used:,} satellites,
{span}, every {duration(when["slot_s"])}.</p>
<ul class="figures">
{_key_figures(run)}
</ul>"""


def _key_figures(run: Run) -> str:
    summary, fleet = run.manifest["summary"], run.fleet
    share, rtt_s = summary["served_share"], summary["rtt_s"]
    with_outage = int((fleet["outages"] > 0).sum())
    longest_s = float(fleet["longest_outage_s"].max()) if len(fleet) else 0.0
    cards = (
        (
            "",
            percent(float("nan") if share is None else share),
            "of the time there was service, over all sites",
        ),
        (
            "risk" if with_outage else "",
            f"{with_outage:,}",
            f"of {count(len(fleet), 'site')} had a break in service",
        ),
        (
            "risk" if longest_s else "",
            duration(longest_s) if longest_s else "none",
            "longest break",
        ),
        ("", milliseconds(rtt_s["p50"]), "typical delay, there and back"),
    )
    return "\n".join(
        f'<li class="{kind}"><strong>{figure}</strong><span>{text}</span></li>'
        for kind, figure, text in cards
    )


def _warnings(run: Run) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in run.manifest["warnings"])
    return f'<div class="warnings" role="note"><ul>{items}</ul></div>' if items else ""


def _in_words(run: Run) -> str:
    sentences = [_service_words(run), _delay_words(run), _worst_words(run), _ground_words(run)]
    return "<h2>In words</h2>\n" + "\n".join(f"<p>{text}</p>" for text in sentences if text)


def _service_words(run: Run) -> str:
    fleet = run.fleet
    if fleet.empty:
        return "The scenario has no sites."
    whole, never = int((fleet["outages"] == 0).sum()), int((fleet["served_share"] == 0).sum())
    some = len(fleet) - whole - never
    text = (
        f"Of {count(len(fleet), 'site')}, {whole:,} had service all the time, {some:,} lost it for "
        f"part of the time, and {never:,} had none at all."
    )
    reasons = run.manifest["outages"]
    if reasons:
        first = next(iter(reasons))
        text += f" The most common cause: {Reason(first).text}."
    return text


def _delay_words(run: Run) -> str:
    summary = run.manifest["summary"]
    rtt_s, changes = summary["rtt_s"], summary["handovers_per_hour"]
    if rtt_s["p50"] is None:
        return "Nobody was served, so there is no delay to report."
    text = (
        f"A signal took {milliseconds(rtt_s['p50'])} from a site to the internet exchange and back "
        f"in the middle case; nine times in ten it took between {milliseconds(rtt_s['p5'])} and "
        f"{milliseconds(rtt_s['p95'])}."
    )
    if changes:
        interval = duration(round(3600.0 / changes))
        text += f" A dish changed to another satellite every {interval} on average."
    return text


def _worst_words(run: Run) -> str:
    worst = by_risk(run.fleet).head(1)
    if worst.empty or worst["outages"].iloc[0] == 0:
        return ""
    site = worst.iloc[0]
    start = moment(site["longest_outage_start_utc"], run.manifest["time"]["start_utc"])
    return (
        f"The site most at risk is {_site_name(site)}: served {percent(site['served_share'])} of "
        f"the time, with a break of {duration(site['longest_outage_s'])} from {start} UTC because "
        f"{Reason(site['longest_outage_reason']).text}."
    )


def _ground_words(run: Run) -> str:
    fleet = run.fleet[run.fleet["served_share"] > 0]
    if fleet.empty:
        return ""
    one_country = int((~fleet["gateway_countries"].str.contains(";")).sum())
    one_gateway = int((fleet["main_gateway_share"] == 1).sum())
    return (
        f"Every connection comes down to the ground at a gateway. {count(one_country, 'site')} "
        f"reached the ground in one country only, {one_gateway:,} through one gateway only: what "
        "happens there decides about their service."
    )


def _pictures(run: Run) -> str:
    return "\n".join(
        _picture(run.folder / name, title, caption) for name, (title, caption) in _CAPTIONS.items()
    )


def _picture(path: Path, title: str, caption: str) -> str:
    if not path.is_file():
        return ""
    return figure(title, caption, base64.b64encode(path.read_bytes()).decode("ascii"))


def _why(run: Run) -> str:
    outages = run.manifest["outages"]
    if not outages:
        return "<h2>Why there was no service</h2>\n<p>Every site had service all the time.</p>"
    total = sum(found["terminal_slots"] for found in outages.values())
    rows = [
        (
            f"<td>{Reason(reason).text.capitalize()}<small>{reason}</small></td>",
            share_cell(found["terminal_slots"] / total),
            f'<td class="number">{found["terminals"]:,}</td>',
        )
        for reason, found in outages.items()
    ]
    heads = ("Reason", "Share of all time without service", "Sites affected")
    return "<h2>Why there was no service</h2>\n" + table("Causes, most time first", heads, rows)


def _dependence(run: Run) -> str:
    ground = run.ground
    gateways = ground[(ground["kind"] == "gateway") & (ground["served_share"] > 0)]
    pops = ground[(ground["kind"] == "pop") & (ground["served_share"] > 0)]
    if gateways.empty:
        return ""
    by_country = gateways.groupby("country")["served_share"].sum()
    countries = [(escape(country(str(code))), float(share)) for code, share in by_country.items()]
    points = [
        (escape(f"{city}, {country(code)}"), float(share))
        for city, code, share in zip(
            pops["name"], pops["country"], pops["served_share"], strict=True
        )
    ]
    served = run.fleet["served_share"]
    laser = float((run.fleet["isl_share"].fillna(0.0) * served).sum() / served.sum())
    return f"""<h2>What the service depends on</h2>
<p>Shares of all served time, over all sites. In {percent(laser)} of it the signal travelled over at
least one laser link between satellites before it came down.</p>
<div class="pair">
{_share_table("Countries where it comes down to the ground", "Country of the gateway", countries)}
{_share_table("Where it meets the internet", "Point of presence", points)}
</div>"""


def _share_table(caption: str, head: str, shares: list[tuple[str, float]]) -> str:
    shares = sorted(shares, key=lambda row: (-row[1], row[0]))
    named, rest = shares[:MOST_PLACES], shares[MOST_PLACES:]
    if rest:
        named = [*named, (count(len(rest), "other"), sum(share for _, share in rest))]
    rows = [(f"<td>{name}</td>", share_cell(share)) for name, share in named]
    return table(caption, (head, "Share"), rows)


def by_risk(fleet: pd.DataFrame) -> pd.DataFrame:
    """The fleet, most at risk first: least service, then longest outage, then identity."""
    return fleet.sort_values(
        ["served_share", "longest_outage_s", "terminal_id"],
        ascending=[True, False, True],
        kind="stable",
    )


def _sites(run: Run) -> str:
    fleet = by_risk(run.fleet)
    shown = fleet.head(WORST_ROWS) if len(fleet) > MOST_ROWS else fleet
    left_out = len(fleet) - len(shown)
    note = (
        f'<p class="note">Shown are the {len(shown):,} sites most at risk; the other {left_out:,} '
        "are in the file fleet.csv beside this page, which opens in any spreadsheet.</p>"
        if left_out
        else ""
    )
    heads = (
        "Site",
        "Country",
        "Class",
        "Served",
        "Longest break",
        "Delay, middle / high",
        "Satellite changes per hour",
        "Depends on",
    )
    rows = [_site_row(run, site) for _, site in shown.iterrows()]
    sites = table("Sites, those most at risk first", heads, rows, is_wide=True)
    return f"<h2>Site by site</h2>\n{note}\n{sites}"


def _site_row(run: Run, site: Any) -> Sequence[str]:
    return (
        f'<th scope="row">{_site_name(site)}<small>{escape(site["terminal_id"])}</small></th>',
        f"<td>{escape(country(site['country']))}</td>",
        f"<td>{escape(site['class'])}<small>{escape(site['service_class'])}</small></td>",
        f'<td class="number">{percent(site["served_share"])}</td>',
        f"<td>{_longest_break(run, site)}</td>",
        f'<td class="number">{_delays(site)}</td>',
        f'<td class="number">{_plain_number(site["handovers_per_hour"])}</td>',
        f"<td>{_depends_on(site)}</td>",
    )


def _site_name(site: Any) -> str:
    return escape(site["name"] or site["terminal_id"])


def _longest_break(run: Run, site: Any) -> str:
    if not site["longest_outage_s"]:
        return "none"
    start = moment(site["longest_outage_start_utc"], run.manifest["time"]["start_utc"])
    why = Reason(site["longest_outage_reason"]).text
    return f"{duration(site['longest_outage_s'])} from {start}<small>{why}</small>"


def _delays(site: Any) -> str:
    if site["rtt_p50_s"] != site["rtt_p50_s"]:
        return NOTHING
    return f"{milliseconds(site['rtt_p50_s'])} / {milliseconds(site['rtt_p95_s'])}"


def _plain_number(value: float) -> str:
    return NOTHING if value != value else f"{value:.0f}"


def _depends_on(site: Any) -> str:
    if not site["main_gateway_id"]:
        return NOTHING
    where = escape(country(site["main_gateway_country"]))
    return (
        f"gateway {escape(site['main_gateway_id'])}, {where} "
        f"({percent(site['main_gateway_share'])})"
        f"<small>internet at {escape(site['main_pop_id'])} ({percent(site['main_pop_share'])}), "
        f"laser links {percent(site['isl_share'])}</small>"
    )


def _making(run: Run) -> str:
    manifest = run.manifest
    catalogue, ages = manifest["catalogue"], manifest["catalogue"]["element_age_days"]
    left_out = manifest["summary"]["satellites"]["left_out"]
    age = (
        "no satellites" if ages["p50"] is None else f"{ages['p50']:g} days (oldest {ages['max']:g})"
    )
    facts = (
        ("Satellite catalogue", f"{catalogue['source']}, {catalogue['digest']}"),
        ("Age of the orbit data", f"{age}, in the middle"),
        ("Satellites used", f"{manifest['summary']['satellites']['used']:,}"),
        (
            "Not used for service",
            ", ".join(f"{kind.replace('_', ' ')}: {n:,}" for kind, n in left_out.items()) or "none",
        ),
        (
            "Gateways and points of presence",
            f"{manifest['gateways']:,} and {manifest['pops']:,}, from public lists",
        ),
        ("Scenario and seed", f"{manifest['scenario_digest']}, seed {manifest['seed']}"),
        (
            "Made with",
            ", ".join(f"{name} {number}" for name, number in manifest["versions"].items()),
        ),
    )
    terms = "\n".join(f"<dt>{term}</dt><dd>{escape(str(text))}</dd>" for term, text in facts)
    return f"""<h2>How this was made, and what it leaves out</h2>
<p>This is a computation, not a measurement. Orbits, distances and signal times follow published
elements and physics; which satellite the operator really chooses, and over which gateway, is not
public and is modelled. Not in this run: data rates, weather, trees or buildings near a dish, and
how many others share a satellite.</p>
<dl>
{terms}
</dl>
<p class="note">Beside this page: fleet.csv (one line per site), access.parquet (every site in
every step), events.parquet (each change), ground.csv, slots.parquet and manifest.json (all
settings).</p>"""


def _execution(run: Run) -> str:
    execution = run.manifest["execution"]
    return (
        f'<footer id="execution">Computed in {duration(execution["wall_s"])} with '
        f"{count(execution['workers'], 'worker')} on {escape(execution['host'])}.</footer>"
    )
