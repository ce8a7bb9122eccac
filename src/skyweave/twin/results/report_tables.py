"""The tables of the report: why there was no service, what it depends on, and site by site."""

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from skyweave.policy.reasons import Reason
from skyweave.twin.results.folder import Run
from skyweave.twin.results.markup import share_cell, table
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

Places = dict[tuple[str, str], str]


def why(run: Run) -> str:
    """Causes of outages by the time they took."""
    outages = run.manifest["outages"]
    if not outages:
        return "<h2>Why there was no service</h2>\n<p>Every site had service all the time.</p>"
    total = sum(found["terminal_slots"] for found in outages.values())
    rows = [
        (
            f"<td>{Reason(reason).text.capitalize()}<small>{reason}</small></td>",
            share_cell(found["terminal_slots"] / total),
            f"<td>{found['terminals']:,}</td>",
        )
        for reason, found in outages.items()
    ]
    heads = ("Reason", "Share of all time without service", "Sites affected")
    return "<h2>Why there was no service</h2>\n" + table("Causes, most time first", heads, rows)


def dependence(run: Run) -> str:
    """Countries and points of presence by the share of all service that hung on them."""
    ground = run.ground
    gateways = ground[(ground["kind"] == "gateway") & (ground["served_share"] > 0)]
    pops = ground[(ground["kind"] == "pop") & (ground["served_share"] > 0)]
    if gateways.empty:
        return ""
    by_country = gateways.groupby("country")["served_share"].sum()
    countries = [(escape(country(str(code))), float(share)) for code, share in by_country.items()]
    points = [
        (escape(_place(city, code)), float(share))
        for city, code, share in zip(
            pops["name"], pops["country"], pops["served_share"], strict=True
        )
    ]
    return f"""<h2>What the service depends on</h2>
<p>Shares of all served time, over all sites. {_laser_words(run.fleet)}</p>
<div class="pair">
{_share_table("Countries where it comes down to the ground", "Country of the gateway", countries)}
{_share_table("Where it meets the internet", "Point of presence", points)}
</div>"""


def _laser_words(fleet: pd.DataFrame) -> str:
    served = fleet["served_share"]
    share = float((fleet["isl_share"].fillna(0.0) * served).sum() / served.sum())
    if share == 0.0:
        return "None of it used a laser link between satellites."
    return (
        f"In {percent(share)} of it the signal travelled over at least one laser link between "
        "satellites before it came down."
    )


def _share_table(caption: str, head: str, shares: list[tuple[str, float]]) -> str:
    shares = sorted(shares, key=lambda row: (-row[1], row[0]))
    named, rest = shares[:MOST_PLACES], shares[MOST_PLACES:]
    if rest:
        named = [*named, (count(len(rest), "other"), sum(share for _, share in rest))]
    rows = [(f"<td>{name}</td>", share_cell(share)) for name, share in named]
    return table(caption, (head, "Share"), rows)


def by_risk(fleet: pd.DataFrame) -> pd.DataFrame:
    """The fleet, most at risk first: least service, then longest outage, then identity.

    Where the longest outage is one of an unknown position, the site comes after all others that
    had outages: what is not known is no risk found.
    """
    is_unknown = fleet["longest_outage_reason"] == Reason.POSITION_UNKNOWN
    rank = np.where(fleet["served_share"] == 1, 2, is_unknown)
    ordered = fleet.assign(rank=rank).sort_values(
        ["rank", "served_share", "longest_outage_s", "terminal_id"],
        ascending=[True, True, False, True],
        kind="stable",
    )
    return ordered.drop(columns="rank")


def sites(run: Run) -> str:
    """One row per site, those most at risk first; only the worst of a large fleet."""
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
    place = _places(run.ground)
    rows = [_site_row(run, site, place) for site in shown.to_dict("records")]
    listed = table("Sites, those most at risk first", heads, rows, is_wide=True)
    return f'<h2 id="sites">Site by site</h2>\n{note}\n{listed}'


def _site_row(run: Run, site: Any, place: Places) -> Sequence[str]:
    return (
        f'<th scope="row">{site_name(site)}<small>{escape(site["terminal_id"])}</small></th>',
        f"<td>{escape(country(site['country']))}</td>",
        f"<td>{escape(site['class'])}<small>{escape(site['service_class'])}</small></td>",
        f"<td>{percent(site['served_share'])}</td>",
        f"<td>{_longest_break(run, site)}</td>",
        f"<td>{_delays(site)}</td>",
        f"<td>{_plain_number(site['handovers_per_hour'])}</td>",
        f"<td>{_depends_on(site, place)}</td>",
    )


def site_name(site: Any) -> str:
    """A site's name ready for the page, its identity where it has none."""
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


def _depends_on(site: Any, place: Places) -> str:
    if not site["main_gateway_id"]:
        return NOTHING
    gateway = place["gateway", site["main_gateway_id"]]
    pop = place["pop", site["main_pop_id"]]
    return (
        f"gateway {gateway} ({percent(site['main_gateway_share'])})"
        f"<small>internet at {pop} ({percent(site['main_pop_share'])}), "
        f"laser links {percent(site['isl_share'])}</small>"
    )


def _places(ground: pd.DataFrame) -> Places:
    """Gateways and PoPs by kind and id, such as "Manila, Philippines", ready for the page."""
    columns = (ground["kind"], ground["id"], ground["name"], ground["country"])
    return {
        (kind, key): escape(_place(name, code))
        for kind, key, name, code in zip(*columns, strict=True)
    }


def _place(name: str, code: str) -> str:
    return name if country(code) in name or not code else f"{name}, {country(code)}"
