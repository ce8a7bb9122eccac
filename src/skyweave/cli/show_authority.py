"""What the commands of the control plane print for people; machines take --json.

Signers must see what they sign, so texts stand in plain lines that no narrow terminal cuts.
"""

from collections.abc import Iterable
from typing import Any

from skyweave.cli.options import say
from skyweave.control.times import span, utc


def parcel(found: dict[str, Any]) -> None:
    """Print where a parcel was written and who has signed it."""
    count = len(found["signatures"])
    say(f"{found['written']}: {found['kind']}, {count} signature{'' if count == 1 else 's'}")
    say(f"digest {found['digest']}")


def ended(found: dict[str, Any]) -> None:
    """Print a signed ending, and who else must sign it."""
    parcel(found)
    for text in found["missing"]:
        say(f"{text}; the others sign it by this command with --out {found['written']}")


def region_made(found: dict[str, Any]) -> None:
    """Print a region as it was made."""
    say(
        f"{found['written']}: region {found['region']}, version {found['version']}, "
        f"{found['cells']:,} cells"
    )
    say(f"digest {found['digest']}")
    if found["publish_by_s"] is not None:
        say(f"its border is withheld until {utc(found['publish_by_s'])}")


def regions(found: dict[str, Any]) -> None:
    """Print regions with what decides them."""
    for each in found["regions"]:
        say(
            f"{each['region']}: {each['title']}, version {each['version']}, {each['cells']:,} "
            f"cells, log entry {each['entry']}"
        )
        if each["withheld_until_s"] is not None:
            _indented([f"its border is withheld until {utc(each['withheld_until_s'])}"])
        else:
            _indented([f"cells follow from the border by the rule: {each['redrawn']}"])
        for claim in each["claims"]:
            _indented([f"claimed by {claim['administration']}: {claim['basis']}"])
        _indented(_licences(each))
        _indented(f"{_brief(one)}" for one in each["directives"])
        if each["agreements"]:
            _indented([f"agreements in force: {', '.join(each['agreements'])}"])
    if not found["regions"]:
        say("no region is in the log")


def _licences(found: dict[str, Any]) -> Iterable[str]:
    if not found["needs_licence"]:
        yield "needs no licence"
    elif not found["licences"]:
        yield "needs a licence and has none"
    for each in found["licences"]:
        holds = "valid" if each["is_valid"] else f"not valid now ({each['status']})"
        yield (
            f"licence of {each['administration']}: {each['instrument']}, {holds}, "
            f"{span(each['from_s'], each['until_s'])}"
        )


def _brief(found: dict[str, Any]) -> str:
    during = ""
    if found["from_s"] is not None:
        during = f", {span(found['from_s'], found['until_s'])}"
    return (
        f"{found['directive']} ({found['does']}): {found['state']}{during}, log entry "
        f"{found['entry']}"
    )


def request_recorded(found: dict[str, Any]) -> None:
    """Print a request as it was recorded."""
    parcel(found)
    if found["sealed_until_s"] is not None:
        say(f"its text is sealed until {utc(found['sealed_until_s'])}")
    say("a request changes nothing by itself")


def requests(found: dict[str, Any]) -> None:
    """Print requests, the pressure, and what came of each."""
    for each in found["requests"]:
        say(
            f"{each['request_id']}: {each['asked_by']} ({each['asked_by_kind']}), by "
            f"{each['channel']}, {utc(each['received_s'])}, log entry {each['entry']}"
        )
        if each["summary"]:
            _indented([f"asks: {each['summary']}"])
        if each["pressure"]:
            _indented([f"pressure: {each['pressure']}"])
        if each["text"] is None:
            _indented([f"its text is sealed until {utc(each['publish_by_s'])}"])
        else:
            _indented(f"| {line}" for line in each["text"].splitlines())
        named = ", ".join(each["directives"])
        _indented([f"named by {named}" if named else "no directive names it: nothing changed"])
    if not found["requests"]:
        say("no request is in the log")


def revealed(found: dict[str, Any]) -> None:
    """Print whether a text is published now."""
    say(f"{found['request']}: " + ("published" if found["revealed"] else "was public already"))


def agreement_text(lines: list[str]) -> None:
    """Print an agreement for the one who is about to sign it."""
    for line in lines:
        say(line)


def agreements(found: dict[str, Any]) -> None:
    """Print agreements and whether they are in force."""
    for each in found["agreements"]:
        first, *rest = each["words"]
        say(f"{each['agreement']}: {first}")
        force = "in force" if each["in_force"] else "not in force"
        _indented([*rest, f"{force}, log entry {each['entry']}"])
    if not found["agreements"]:
        say("no agreement is in the log")


def proposed(found: dict[str, Any]) -> None:
    """Print a proposal as it was written."""
    _question(found)
    parcel(found)


def listed(found: dict[str, Any]) -> None:
    """Print a change of an allow list as it was signed."""
    parcel(found)
    say(f"{found['kits']:,} kits on the list of {found['directive']}")


def impact(found: dict[str, Any]) -> None:
    """Print the impact that was signed, and that of one's own table beside it."""
    for line in found["signed"] or ["it changes no cell, so it has no impact report"]:
        say(line)
    if "own" in found:
        say("by your own table" + (", exactly:" if found["exact"] else ":"))
        for line in found["own"]:
            say(line)


def ballot(found: dict[str, Any]) -> None:
    """Print what a vote is about, before it is signed."""
    _question(found)
    _standing(found)


def voted(found: dict[str, Any]) -> None:
    """Print a vote as it was signed, and what is missing after it."""
    say(
        f"{found['written']}: {found['signer']} ({found['office']}, {found['organisation']}) "
        f"votes to {found['decision']} {found['directive']}, until {utc(found['expires_s'])}"
    )
    say("once it is in the log:")
    _standing(found)


def directives(found: dict[str, Any]) -> None:
    """Print directives with what is missing and their story; of several, a line each."""
    if len(found["directives"]) == 1:
        each = found["directives"][0]
        _question(each)
        _standing(each)
        for step in each["story"]:
            by = "by time" if step["entry"] is None else f"log entry {step['entry']}"
            say(f"{utc(step['at_s'])} {step['state']}, {by}: {step['why']}")
        if each["from_s"] is not None:
            say(f"in effect {span(each['from_s'], each['until_s'])}")
        return
    for each in found["directives"]:
        say(_brief(each))
    if not found["directives"]:
        say("no directive is in the log")


def _question(found: dict[str, Any]) -> None:
    say(f"directive {found['directive']}")
    _indented(found["words"])
    for line in found["impact"]:
        say(line)
    say(f"what is signed: {found['question']}")


def _standing(found: dict[str, Any]) -> None:
    say(f"state: {found['state']}")
    for text in found["missing"]:
        say(text)
    if found["blocked_by"]:
        say(f"blocked by: {', '.join(found['blocked_by'])}")


def _indented(lines: Iterable[str]) -> None:
    for line in lines:
        say(f"  {line}")
