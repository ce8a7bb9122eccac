"""`report.html`: a run on one page for people who do not program.

One file with everything inside: no script, no request to anywhere.  Every text that comes from a
scenario or fleet file is escaped.
"""

import base64
import re
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from skyweave.policy.reasons import Reason
from skyweave.twin.results.folder import Run
from skyweave.twin.results.maps import shown_on_map
from skyweave.twin.results.markup import card, cards, figure
from skyweave.twin.results.report_policy import policy
from skyweave.twin.results.report_sites import site_name, sites
from skyweave.twin.results.report_tables import dependence, why
from skyweave.twin.results.report_without import without
from skyweave.twin.results.risk import by_risk, single_points
from skyweave.twin.results.wording import (
    count,
    country_in_sentence,
    duration,
    joined,
    milliseconds,
    moment,
    percent,
)

_RTT_CAPTION = (
    "Above, the time a signal takes from a site to where the network meets the internet and "
    "back: the line is the middle site, the band holds nine in ten. Below, the share of sites "
    "without service."
)
_MAP_MARKS = {
    "served": "Each dot is a site with service; the darker, the longer the delay.",
    "broken": "A ring marks a site that lost service for part of the time.",
    "never": "A cross marks a site that never had any service.",
    "gateways": "Triangles are gateways.",
    "pops": "Squares are points where the network meets the internet.",
    "disputed": "Borders in dispute are dashed.",
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
{without(run)}
{_in_words(run)}
{_pictures(run)}
{policy(run)}{why(run)}
{dependence(run)}
{sites(run)}
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
    operators = [operator["name"] for operator in run.manifest["operators"]]
    whose = f" of {escape(joined(operators))}" if len(operators) > 1 else ""
    return f"""<h1>{title}</h1>
<p class="soft">Satellite internet at {sites}, computed from the orbits of {used:,}
satellites{whose}, {span}, every {duration(when["slot_s"])}.</p>
{"" if run.manifest["without"] else _key_figures(run)}"""


def _key_figures(run: Run) -> str:
    summary, fleet = run.manifest["summary"], run.fleet
    share, rtt_s = summary["served_share"], summary["rtt_s"]
    broken = int((fleet["outages"] > 0).sum())
    longest_s = float(fleet["longest_outage_s"].max()) if len(fleet) else 0.0
    return cards(
        (
            card(percent(share), "of the time there was service, over all sites"),
            card(f"{broken:,}", f"of {count(len(fleet), 'site')} had a break", is_risk=broken > 0),
            card(duration(longest_s) if longest_s else "none", "longest break", bool(longest_s)),
            card(milliseconds(rtt_s["p50"]), "typical delay, there and back"),
        )
    )


def _warnings(run: Run) -> str:
    notes = "".join(f"<p>{escape(text)}</p>" for text in run.manifest["warnings"])
    return f'<div class="warnings" role="note">{notes}</div>' if notes else ""


def _in_words(run: Run) -> str:
    sentences = [_service_words(run), _delay_words(run), _worst_words(run), _ground_words(run)]
    return "<h2>In words</h2>\n" + "\n".join(f"<p>{text}</p>" for text in sentences if text)


def _service_words(run: Run) -> str:
    fleet = run.fleet
    if fleet.empty:
        return "The scenario has no sites."
    whole, never = int((fleet["outages"] == 0).sum()), int((fleet["served_share"] == 0).sum())
    some = len(fleet) - whole - never
    groups = (
        (whole, "had service all the time"),
        (some, "lost it for part of the time"),
        (never, "had none at all"),
    )
    told = [f"{number:,} {what}" for number, what in groups if number]
    text = f"Of {count(len(fleet), 'site')}, {' and '.join(', '.join(told).rsplit(', ', 1))}."
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
    low, middle, high = (milliseconds(rtt_s[name]) for name in ("p5", "p50", "p95"))
    text = (
        f"A signal took {middle} from a site to where the network meets the internet and back in "
        f"the middle case; nine times in ten it took between {low} and {high}."
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
    if site["longest_outage_reason"] == Reason.POSITION_UNKNOWN:
        return (
            f"The longest break at {site_name(site)}, {duration(site['longest_outage_s'])} from "
            f"{start} UTC, is one in which its position was not known."
        )
    return (
        f"The site most at risk is {site_name(site)}: served {percent(site['served_share'])} of "
        f"the time, with a break of {duration(site['longest_outage_s'])} from {start} UTC because "
        f"{Reason(site['longest_outage_reason']).text}."
    )


def _ground_words(run: Run) -> str:
    single = single_points(run.fleet)
    if run.fleet["served_share"].sum() == 0:
        return ""
    one_country, one_gateway = int(single["gateway_country"].sum()), int(single["gateway"].sum())
    text = "Every connection comes down to the ground at a gateway."
    if one_country:
        text += f" For {count(one_country, 'site')} every gateway used lay in one country"
        text += f", for {one_gateway:,} it was one single gateway" if one_gateway else ""
        text += ": what happens there decides about their service."
    if meeting := int(single["pop_country"].sum()):
        text += f" For {count(meeting, 'site')} it met the internet in one country only."
    return text


def _pictures(run: Run) -> str:
    pictures = (
        ("map.png", "Where there was service", _map_caption(run)),
        ("rtt.png", "Delay over time", _RTT_CAPTION),
    )
    return "\n".join(_picture(run.folder / name, title, text) for name, title, text in pictures)


def _map_caption(run: Run) -> str:
    """What the marks mean, of those only that are drawn."""
    area = "Sites are drawn at the centres of areas of about 250 square kilometres."
    is_shown = shown_on_map(run)
    return " ".join([area, *(text for mark, text in _MAP_MARKS.items() if is_shown[mark])])


def _picture(path: Path, title: str, caption: str) -> str:
    if not path.is_file():
        return ""
    return figure(title, caption, base64.b64encode(path.read_bytes()).decode("ascii"))


def _making(run: Run) -> str:
    terms = "\n".join(f"<dt>{term}</dt><dd>{escape(text)}</dd>" for term, text in _facts(run))
    return f"""<h2>How this was made, and what it leaves out</h2>
<p>This is a computation, not a measurement. Orbits, distances and signal times follow published
elements and physics; which satellite the operator really chooses, and over which gateway, is not
public and is modelled. Not in this run: {joined(_not_modelled(run))}.</p>
<dl>
{terms}
</dl>
<p class="note">Beside this page: fleet.csv (one line per site), access.parquet ({_rows_kept(run)}),
events.parquet (each change), ground.csv, slots.parquet and manifest.json (all settings).</p>"""


def _not_modelled(run: Run) -> list[str]:
    obstructed, sites = run.manifest["sky"]["obstructed"], run.manifest["summary"]["terminals"]
    near = "trees or buildings near a dish"
    if 0 < obstructed < sites:
        near += f" at the {count(sites - obstructed, 'site')} that did not say what stands there"
    known = [] if sites and obstructed == sites else [near]
    return ["data rates", "weather", "how many others share a satellite", *known]


def _rows_kept(run: Run) -> str:
    mode = (run.manifest["scenario"].get("results") or {}).get("access", "all")
    kept = {"changes": "every site whenever something changes for it", "none": "left empty"}
    return kept.get(mode, "every site in every step")


def _facts(run: Run) -> list[tuple[str, str]]:
    """What the run was made from and with, as terms and plain texts."""
    manifest = run.manifest
    catalogue, ages = manifest["catalogue"], manifest["catalogue"]["element_age_days"]
    left_out = manifest["summary"]["satellites"]["left_out"]
    age = (
        "no satellites"
        if ages["p50"] is None
        else f"{ages['p50']:g} days in the middle case, {ages['max']:g} at most"
    )
    unused = ", ".join(f"{kind.replace('_', ' ')}: {n:,}" for kind, n in left_out.items())
    return [
        ("Satellite catalogue", f"{catalogue['source']}, {catalogue['digest']}"),
        ("Age of the orbit data", age),
        ("Satellites used", f"{manifest['summary']['satellites']['used']:,}"),
        ("Not used for service", unused or "none"),
        (
            "Gateways and points of presence",
            f"{manifest['gateways']:,} and {manifest['pops']:,}, from public lists",
        ),
        *(("Operator", _operator_words(operator)) for operator in _several(manifest["operators"])),
        ("View of the sky", _sky_words(run)),
        ("Landing rules", _landing_words(manifest["landing_rules"])),
        ("Scenario and seed", f"{manifest['scenario_digest']}, seed {manifest['seed']}"),
        ("Made with", ", ".join(f"{name} {n}" for name, n in manifest["versions"].items())),
    ]


def _several(operators: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return operators if len(operators) > 1 else []


def _operator_words(operator: dict[str, Any]) -> str:
    return (
        f"{operator['name']}: {operator['satellites']['used']:,} satellites used, from "
        f"{operator['catalogue']}; {count(operator['gateways'], 'gateway')}, "
        f"{count(operator['pops'], 'point of presence', 'points of presence')}"
    )


def _sky_words(run: Run) -> str:
    sky, sites = run.manifest["sky"], run.manifest["summary"]["terminals"]
    of = f"of {count(sites, 'dish', 'dishes')}"
    cones = (
        "only the part of the sky that the dish is turned to counted for "
        f"{sky['fields_of_view']:,} {of}"
    )
    near = f"what stands around the dish was counted in for {sky['obstructed']:,} {of}"
    parts = [cones] if sky["fields_of_view"] else []
    parts += [near] if sky["obstructed"] else []
    return "; ".join(parts) or "every dish sees all of the sky above its lowest angle"


def _landing_words(rules: list[str]) -> str:
    """The rules as sentences of their own, their lists of country codes as names."""
    named = [_COUNTRY_CODES.sub(_names_of_codes, rule.removesuffix(".")) for rule in rules]
    told = " ".join(f"{rule[:1].upper()}{rule[1:]}." for rule in named)
    return told or "none: service may come down to the ground in any country"


_COUNTRY_CODES = re.compile(r"(?<= in )[A-Z]{2}(?:, [A-Z]{2})*\b")


def _names_of_codes(codes: re.Match[str]) -> str:
    return joined([country_in_sentence(code) for code in codes[0].split(", ")])


def _execution(run: Run) -> str:
    execution = run.manifest["execution"]
    return (
        f'<footer id="execution">Computed in {duration(execution["wall_s"])} with '
        f"{count(execution['workers'], 'worker')} on {escape(execution['host'])}.</footer>"
    )
