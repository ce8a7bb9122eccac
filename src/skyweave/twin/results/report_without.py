"""The first section of a report of a run that leaves something out: what is lost, what remains."""

from html import escape

import pandas as pd

from skyweave.twin.results.folder import Run
from skyweave.twin.results.left_out import is_for_a_time, left_out_effects, left_out_names
from skyweave.twin.results.markup import card, cards, change_card
from skyweave.twin.results.report_sites import site_name
from skyweave.twin.results.report_tables import carriers
from skyweave.twin.results.risk import by_risk
from skyweave.twin.results.wording import count, joined, milliseconds, percent

MOST_NAMES = 5  # sites that are named in a sentence


def without(run: Run) -> str:
    """Before and now side by side; "" where nothing is left out."""
    if not run.manifest["without"]:
        return ""
    name, effects = escape(left_out_names(run)), escape(left_out_effects(run))
    how_long = "" if is_for_a_time(run) else " from beginning to end"
    return f"""<h2>Without {name}</h2>
<p>The same time computed twice: with everything in place (before), and with {effects} out of
order{how_long} (now). A gateway is where the signal comes down to the ground, a point
of presence is where it meets the internet.</p>
{_cards(run)}
<p>{_loss_words(run)}</p>
{carriers(run)}
<p>Everything below is without {name}, unless it says “before”.</p>"""


def _cards(run: Run) -> str:
    now, before, fleet = run.manifest["summary"], run.manifest["summary"]["before"], run.fleet
    whole, part, nothing, _ = (len(sites) for sites in _by_loss(fleet))
    of = f"of {count(len(fleet), 'site')}"
    share_was, share = percent(before["served_share"]), percent(now["served_share"])
    delay_was, delay = (milliseconds(found["rtt_s"]["p50"]) for found in (before, now))
    return cards(
        [
            change_card(share_was, share, "of the time there is service, over all sites", True),
            change_card(delay_was, delay, "typical delay, there and back"),
            card(f"{whole:,}", f"{of} lose all service", whole > 0),
            card(f"{part:,}", f"{of} lose part of it", part > 0),
            card(f"{nothing:,}", f"{of} lose nothing"),
        ]
    )


def _by_loss(fleet: pd.DataFrame) -> tuple[pd.DataFrame, ...]:
    """The sites that lose all service, part of it, nothing, and those that had none before."""
    had = fleet["served_share_before"] > 0
    loses, is_served = fleet["lost_share"] > 0, fleet["served_share"] > 0
    groups = (had & ~is_served, loses & is_served, had & is_served & ~loses, ~had)
    return tuple(fleet[group] for group in groups)


def _loss_words(run: Run) -> str:
    whole, part, nothing, never = _by_loss(run.fleet)
    told = joined(
        [
            *_told(whole, "loses all of its service", "lose all of their service"),
            *_told(part, "loses part of it", "lose part of it"),
            *_told(nothing, "loses nothing", "lose nothing"),
        ]
    )
    text = f"Of {count(len(run.fleet), 'site')}, {told}." if told else ""
    if len(never):
        text += f" {count(len(never), 'site')} had no service before either."
    if len(whole):
        text += f" Nothing is left at {_names(whole)}."
    return text


def _told(sites: pd.DataFrame, one: str, several: str) -> list[str]:
    return [f"{len(sites):,} {one if len(sites) == 1 else several}"] if len(sites) else []


def _names(fleet: pd.DataFrame) -> str:
    names = [site_name(site) for site in by_risk(fleet).head(MOST_NAMES).to_dict("records")]
    more = len(fleet) - len(names)
    return joined([*names, f"{more:,} more"] if more else names)
