"""Tables of the report about the whole fleet: why there was no service, what it depends on."""

from collections.abc import Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from skyweave.twin.results.folder import Run
from skyweave.twin.results.markup import share_cell, table
from skyweave.twin.results.outages import DEGRADED_S, OLD_DAYS, why_named
from skyweave.twin.results.risk import sites_on_one
from skyweave.twin.results.wording import count, country, duration, milliseconds, percent

MOST_PLACES = 10  # countries that are named
MOST_NAMES = 3  # PoPs named beside their country


Row = dict[str, Any]  # of the attribution in the manifest


def why(run: Run) -> str:
    """Causes of outages by the time they took, then those of slots slower than usual."""
    rows: list[Row] = run.manifest["summary"]["attribution"]
    out = [row for row in rows if row["state"] == "out"]
    late = [row for row in rows if row["state"] == "degraded"]
    parts = ["<h2>Why there was no service</h2>"]
    if out:
        heads = ("Reason", "Share of all time without service", *_ATTRIBUTED)
        parts.append(_why_table("Causes, most time first", heads, out))
    else:
        parts.append("<p>Every site had service all the time.</p>")
    if late:
        heads = ("Reason", "Share of all time slower than usual", *_ATTRIBUTED)
        parts += [f"<h2>Why service was slower than usual</h2>\n<p>{_LATE}</p>"]
        parts.append(_why_table("What grew most, most time first", heads, late))
    if any(row["low_confidence_share"] for row in rows):
        parts.append(f'<p class="note">{_UNSURE}</p>')
    return "\n".join(parts)


_ATTRIBUTED = ("Cause", "Longest", "Sites affected", "Confidence")
_LATE = (
    f"Service counts as slower than usual while the delay is more than {milliseconds(DEGRADED_S)} "
    "over the site's own middle delay."
)
_UNSURE = (
    f"Confidence is low where the answer hangs on orbit data more than {OLD_DAYS:g} days from its "
    "own date: the satellites may stand elsewhere than computed."
)


def _why_table(caption: str, heads: Sequence[str], rows: Sequence[Row]) -> str:
    total = sum(row["terminal_slots"] for row in rows)
    return table(caption, heads, [_why_row(row, total) for row in rows], is_wide=True)


def _why_row(row: Row, total: int) -> Sequence[str]:
    name = row["reason"]
    unsure = row["low_confidence_share"]
    part = f"<small>low for {percent(unsure)} of it</small>" if 0 < unsure < 1 else ""
    return (
        f"<td>{why_named(name).text.capitalize()}<small>{name}</small></td>",
        share_cell(row["terminal_slots"] / total),
        f"<td>{row['cause'].replace('_', ' ')}</td>",
        f"<td>{duration(row['longest_s'])}</td>",
        f"<td>{row['terminals']:,}</td>",
        f"<td>{row['confidence']}{part}</td>",
    )


class Way(NamedTuple):
    """One way that service took: what it is called, ready for the page, and what hung on it."""

    name: str
    share: float  # of all served time
    only: int  # sites that used no other


def dependence(run: Run) -> str:
    """Operators, countries and PoPs by the share of all service that hung on them."""
    used = run.ground[run.ground["served_share"] > 0]
    if used.empty:
        return ""
    tables = [
        _way_table("Countries where it comes down to the ground", "Gateways in", _gateways(run)),
        _way_table("Countries where it meets the internet", "Points of presence in", _pops(run)),
    ]
    if len(run.manifest["operators"]) > 1:
        tables.append(_way_table("Whose satellites carry it", "Operator", _operators(run)))
    return f"""<h2>What the service depends on</h2>
<p>Shares of all served time, over all sites. {_laser_words(run.fleet)} The last column counts the
sites whose service went that way all the time: if it fails, all of their service has to find
another way, or ends.</p>
<div class="pair">
{"".join(tables)}
</div>"""


def _gateways(run: Run) -> list[Way]:
    only = sites_on_one(run.fleet, "gateway_countries")
    return [
        Way(
            f"{_country(code)}<small>{count(len(own), 'gateway')}</small>", share, only.get(code, 0)
        )
        for code, share, own in _by(run.ground, "gateway", "country")
    ]


def _pops(run: Run) -> list[Way]:
    only = sites_on_one(run.fleet, "pop_countries")
    return [
        Way(f"{_country(code)}<small>{_cities(own)}</small>", share, only.get(code, 0))
        for code, share, own in _by(run.ground, "pop", "country")
    ]


def _operators(run: Run) -> list[Way]:
    fleet = run.fleet
    sites = fleet[fleet["served_share"] > 0]["operator"].value_counts()
    return [
        Way(escape(name), share, int(sites[name]))
        for name, share, _ in _by(run.ground, "gateway", "operator")
    ]


def _by(ground: pd.DataFrame, kind: str, column: str) -> list[tuple[str, float, pd.DataFrame]]:
    """The gateways or PoPs in use by a column: its value, their share of all served time, they."""
    used = ground[(ground["kind"] == kind) & (ground["served_share"] > 0)]
    return [
        (str(value), float(own["served_share"].sum()), own) for value, own in used.groupby(column)
    ]


def _country(code: str) -> str:
    return escape(country(code))


def _cities(pops: pd.DataFrame) -> str:
    """Such as "Manila 51 %, Cebu 3 %": the PoPs that carried most."""
    by_name = pops.groupby("name")["served_share"].sum().sort_values(ascending=False, kind="stable")
    named = [f"{escape(str(name))} {percent(share)}" for name, share in by_name.items()]
    more = [f"{len(named) - MOST_NAMES} more"] if len(named) > MOST_NAMES else []
    return ", ".join(named[:MOST_NAMES] + more)


def _laser_words(fleet: pd.DataFrame) -> str:
    served = fleet["served_share"]
    share = float((fleet["isl_share"].fillna(0.0) * served).sum() / served.sum())
    if share == 0.0:
        return "None of it used a laser link between satellites."
    return (
        f"In {percent(share)} of it the signal travelled over at least one laser link between "
        "satellites before it came down."
    )


def _way_table(caption: str, head: str, ways: Sequence[Way]) -> str:
    ways = sorted(ways, key=lambda way: (-way.share, way.name))
    named, rest = ways[:MOST_PLACES], ways[MOST_PLACES:]
    if rest:
        others = (sum(way.share for way in rest), sum(way.only for way in rest))
        named = [*named, Way(count(len(rest), "other"), *others)]
    rows = [
        (f"<td>{way.name}</td>", share_cell(way.share), f"<td>{way.only:,}</td>") for way in named
    ]
    return table(caption, (head, "Share of served time", "Sites that used no other"), rows)


def carriers(run: Run) -> str:
    """Gateway and PoP countries, and operators, by the share of all time they carry: was and is."""
    tables = [
        _carrier_table(run, "Gateways in", "gateway", "country"),
        _carrier_table(run, "Points of presence in", "pop", "country"),
    ]
    if len(run.manifest["operators"]) > 1:
        tables.append(_carrier_table(run, "Operator", "gateway", "operator"))
    return f'<div class="pair">\n{"".join(tables)}\n</div>'


def _carrier_table(run: Run, head: str, kind: str, column: str) -> str:
    summary = run.manifest["summary"]
    now, before = summary["served_share"] or 0.0, summary["before"]["served_share"] or 0.0
    ground = run.ground[run.ground["kind"] == kind].fillna(0.0)
    sums = ground.groupby(column)[["served_share_before", "served_share"]].sum() * [before, now]
    largest = sums.max(axis=1)  # what was lost must not hide among the small ones of now
    sums = sums.loc[largest[largest > 0].sort_values(ascending=False, kind="stable").index]
    named, rest = sums.head(MOST_PLACES), sums.iloc[MOST_PLACES:]
    text = escape if column == "operator" else _country
    rows = [(text(str(name)), *shares) for name, *shares in named.itertuples()]
    if len(rest):
        rows.append((count(len(rest), "other"), *rest.sum()))
    rows.append(("No service", 1.0 - before, 1.0 - now))
    cells = [(f"<td>{name}</td>", share_cell(was), share_cell(is_)) for name, was, is_ in rows]
    caption = "What carries the service, as a share of all time"
    return table(caption, (head, "Before", "Now"), cells)
