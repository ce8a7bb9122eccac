"""What the policy decided, in the report: for all sites together, and for each."""

import re
from html import escape
from typing import Any

from skyweave.policy.reasons import Reason
from skyweave.twin.results.folder import Run
from skyweave.twin.results.markup import share_cell, table
from skyweave.twin.results.wording import NOTHING, count, percent

_DECISION = re.compile(
    r"(?P<state>[a-z_]+)(?: (?P<reason>[a-z_]+))?(?: (?P<by>.+) #(?P<entry>\d+))?"
)
_STATES = {"on": "on", "restricted": "restricted", "off": "off", "no_place": "place not known"}
_RULES = {
    "excluded": "Off: an excluded area",
    "unlicensed": "Off: no licence in force",
    "guaranteed": "On: guaranteed by an agreement",
    "disabled": "Off: terminal or account disabled",
    "suspended": "Off: suspended",
    "not_listed": "Off: not on the allow list",
    "restricted": "Restricted",
    "active": "On",
    "closed": "Off: nothing has it on",
    "border": "Restricted: beyond the border, for a time",
    "no_place": "None: the position was not known",
}
_OTHERWISE = {
    ("border", "off"): "Off: left the area of service",
    ("excluded", "restricted"): "Excluded, but for the lifeline class",
    ("suspended", "restricted"): "Suspended, but for the lifeline class",
    ("not_listed", "restricted"): "Not on the allow list, but of the lifeline class",
}


def policy(run: Run) -> str:
    """The log that the run obeyed and its decisions, most time first; "" without a policy."""
    found = run.manifest.get("policy")
    if not found:
        return ""
    total = sum(each["terminal_slots"] for each in found["decisions"])
    rows = [_row(each, total) for each in found["decisions"]]
    heads = ("Decision", "By", "Share of all time", "Sites")
    return f"""<h2>What the policy decided</h2>
<p>Where service is on is written in a public log, which was verified before this run: log
{escape(found["log_origin"])}, {count(found["size"], "entry", "entries")}, as of
{escape(found["taken_at_utc"])}, charter version {found["charter_version"]}. What nobody switched on
is off.</p>
{table("Decisions, most time first", heads, rows)}
<p class="note">Whoever has the log can check this: its first charter is
{escape(found["genesis"])}, its root {escape(found["root"])}.</p>
"""


def _row(decision: dict[str, Any], total: int) -> tuple[str, ...]:
    rule, state = decision["rule"], decision["state"]
    by, broken = decision["decided_by"], decision["breached"]
    entry = f"<small>log entry {decision['log_entry']}</small>" if by else ""
    breach = f"<small>breaks agreement {escape(broken)}</small>" if broken else ""
    return (
        f"<td>{_OTHERWISE.get((rule, state)) or _RULES[rule]}{breach}</td>",
        f"<td>{escape(by) if by else NOTHING}{entry}</td>",
        share_cell(decision["terminal_slots"] / total),
        f"<td>{decision['terminals']:,}</td>",
    )


def decided(site: dict[str, Any]) -> str:
    """What the policy decided for one site, most time first, ready for the page."""
    parts = [entry.rpartition(" ") for entry in site["policy_decisions"].split("; ") if entry]
    told = [f"{_words(label)} {percent(float(share))}" for label, _, share in parts]
    return "".join(f"<small>{text}</small>" if n else text for n, text in enumerate(told))


def _words(label: str) -> str:
    """Such as "off: service is switched off in this cell (d-9, log entry 31)"."""
    found = _DECISION.fullmatch(label)
    if found is None:
        return escape(label)
    why = f": {Reason(found['reason']).text}" if found["reason"] in set(Reason) else ""
    by = f" ({escape(found['by'])}, log entry {found['entry']})" if found["by"] else ""
    return f"{_STATES.get(found['state'], found['state'])}{why}{by}"
