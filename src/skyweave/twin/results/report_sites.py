"""The table of sites in the report: one row each, those most at risk first."""

from collections.abc import Callable, Sequence
from html import escape
from typing import Any, NamedTuple

import pandas as pd

from skyweave.policy.reasons import Reason
from skyweave.twin.results.folder import Run
from skyweave.twin.results.markup import table
from skyweave.twin.results.report_policy import decided
from skyweave.twin.results.risk import by_risk, risk_order, single_points
from skyweave.twin.results.wording import (
    NOTHING,
    country,
    country_in_sentence,
    duration,
    milliseconds,
    moment,
    percent,
    place,
)

MOST_ROWS = 2_000  # a page with more sites than this shows only the worst
WORST_ROWS = 500

Site = dict[str, Any]
Places = dict[tuple[str, str, str], str]


class _Column(NamedTuple):
    head: str
    cell: Callable[[Site], str]  # what stands in it, ready for the page


def sites(run: Run) -> str:
    """One row per site, those most at risk first; only the worst of a large fleet."""
    fleet = by_risk(run.fleet)
    shown = fleet.head(WORST_ROWS) if len(fleet) > MOST_ROWS else fleet
    left_out = len(fleet) - len(shown)
    note = (
        f" Shown are the {len(shown):,} sites most at risk; the other {left_out:,} "
        "are in the file fleet.csv beside this page, which opens in any spreadsheet."
        if left_out
        else ""
    )
    columns = _columns(run)
    rows = [_row(site, columns) for site in _records(shown)]
    heads = ("Site", *(column.head for column in columns))
    listed = table("Sites, those most at risk first", heads, rows, is_wide=True)
    text = f'<p class="note">{risk_order(run.fleet)} {_ONLY}{note}</p>'
    return f'<h2 id="sites">Site by site</h2>\n{text}\n{listed}'


_ONLY = (
    "The word <strong>only</strong> marks a single point: all of the site's service went that way."
)


def _records(fleet: pd.DataFrame) -> list[Site]:
    """The rows as dicts, each with what its service hung on as `single`."""
    singles = single_points(fleet).to_dict("records")
    pairs = zip(fleet.to_dict("records"), singles, strict=True)
    return [{str(k): v for k, v in site.items()} | {"single": single} for site, single in pairs]


def _columns(run: Run) -> list[_Column]:
    places = _places(run.ground)
    who = [_Column("Country", _country), _Column("Class", _class)]
    if len(run.manifest["operators"]) > 1:
        who.append(_Column("Operator", lambda site: escape(site["operator"])))
    if run.manifest.get("policy"):
        who.append(_Column("Policy", decided))
    if run.manifest["without"]:
        return [
            *who,
            _Column("Service lost", _lost),
            _Column("Served before", lambda site: percent(site["served_share_before"])),
            _Column("Served now", lambda site: percent(site["served_share"])),
            _Column("Longest break now", lambda site: _break_and_before(run, site)),
            _Column("Delay before", lambda site: milliseconds(site["rtt_p50_before_s"])),
            _Column("Delay now", lambda site: milliseconds(site["rtt_p50_s"])),
            _Column("Depends on now", lambda site: _depends_and_before(site, places)),
        ]
    return [
        *who,
        _Column("Served", lambda site: percent(site["served_share"])),
        _Column("Longest break", lambda site: _longest_break(run, site)),
        _Column("Delay, middle / high", _delays),
        _Column("Satellite changes per hour", lambda site: _whole(site["handovers_per_hour"])),
        _Column("Depends on", lambda site: _depends_on(site, places)),
    ]


def _row(site: Site, columns: Sequence[_Column]) -> Sequence[str]:
    name = f'<th scope="row">{site_name(site)}<small>{escape(site["terminal_id"])}</small></th>'
    return name, *(f"<td>{column.cell(site)}</td>" for column in columns)


def site_name(site: Any) -> str:
    """A site's name ready for the page, its identity where it has none."""
    return escape(site["name"] or site["terminal_id"])


def _country(site: Site) -> str:
    return escape(country(site["country"]))


def _class(site: Site) -> str:
    return f"{escape(site['class'])}<small>{escape(site['service_class'])}</small>"


def _lost(site: Site) -> str:
    share = site["lost_share"]
    return f'<strong class="single">{percent(share)}</strong>' if share else "none"


def _break_and_before(run: Run, site: Site) -> str:
    before_s = site["longest_outage_before_s"]
    was = duration(before_s) if before_s else "none"
    return f"{_longest_break(run, site)}<small>before: {was}</small>"


def _longest_break(run: Run, site: Site) -> str:
    if not site["longest_outage_s"]:
        return "none"
    start = moment(site["longest_outage_start_utc"], run.manifest["time"]["start_utc"])
    why = Reason(site["longest_outage_reason"]).text
    return f"{duration(site['longest_outage_s'])} from {start}<small>{why}</small>"


def _delays(site: Site) -> str:
    if site["rtt_p50_s"] != site["rtt_p50_s"]:
        return NOTHING
    return f"{milliseconds(site['rtt_p50_s'])} / {milliseconds(site['rtt_p95_s'])}"


def _whole(value: float) -> str:
    return NOTHING if value != value else f"{value:.0f}"


def _depends_and_before(site: Site, places: Places) -> str:
    before = _share_list(site["gateway_countries_before"])
    return f"{_depends_on(site, places)}<small>came down before in: {before}</small>"


def _share_list(shares: str) -> str:
    """ "DE 0.9125; FR 0.0875" as "Germany 91.2 %, France 8.8 %", ready for the page."""
    found = [entry.rpartition(" ") for entry in shares.split("; ") if entry]
    named = [f"{escape(country(_code(code)))} {percent(float(share))}" for code, _, share in found]
    return ", ".join(named) or NOTHING


def _code(code: str) -> str:
    return "" if code == "unknown" else code


def _depends_on(site: Site, places: Places) -> str:
    """The gateway and PoP that carried most, and where they or their country carried all."""
    if not site["main_gateway_id"]:
        return NOTHING
    single, owner = site["single"], site["operator"]
    gateway = places["gateway", owner, site["main_gateway_id"]]
    pop = places["pop", owner, site["main_pop_id"]]
    down = _way(
        f"gateway {gateway}",
        site["main_gateway_share"],
        is_only=single["gateway"],
        only_country=site["main_gateway_country"] if single["gateway_country"] else "",
    )
    internet = _way(
        f"internet at {pop}",
        site["main_pop_share"],
        is_only=single["pop"],
        only_country=site["main_pop_country"] if single["pop_country"] else "",
    )
    return f"{down}<small>{internet}</small><small>laser links {percent(site['isl_share'])}</small>"


def _way(main: str, share: float, *, is_only: bool, only_country: str) -> str:
    """Such as "gateway Turin, Italy (62.5 %), only in Italy", or "only gateway Turin, Italy"."""
    only = '<strong class="single">only</strong>'
    if is_only:
        return f"{only} {main}"
    tail = f", {only} in {escape(country_in_sentence(only_country))}" if only_country else ""
    return f"{main} ({percent(share)}){tail}"


def _places(ground: pd.DataFrame) -> Places:
    """Gateways and PoPs by kind, operator and id, such as "Manila, Philippines", for the page."""
    columns = ("kind", "operator", "id", "name", "country")
    return {
        (kind, operator, key): escape(place(name, code))
        for kind, operator, key, name, code in zip(*(ground[c] for c in columns), strict=True)
    }
