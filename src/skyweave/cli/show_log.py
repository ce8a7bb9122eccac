"""What a person reads of a public log; machines take --json."""

from typing import Any

from skyweave.cli.options import say


def key(found: dict[str, Any]) -> None:
    """Print a verifier key and who needs it."""
    if found["is_new"]:
        say(f"{found['file']}: a new key; keep it here, and a copy where only you can reach it")
    say(f"verifier key of the {found['role']} {found['name']}:")
    say(found["verifier"])


def begun(found: dict[str, Any]) -> None:
    """Print how a new log is called and what to tell others."""
    say(f"{found['log']}: the log {found['origin']} begins")
    say(f"genesis {found['genesis']}")
    say("read this digest to the others by telephone: it is how they know the log")
    say(f"witnesses: {', '.join(found['witnesses']) or 'none'} (quorum: {found['quorum']})")


def appended(found: dict[str, Any]) -> None:
    """Print which entries were appended, what was published, and who has seen it."""
    for row in found["entries"]:
        if row["is_new"]:
            say(f"entry {row['entry']}: {row['kind']} from {row['file']}")
        else:
            revealed = len(row["revealed"])
            what = f"{revealed} published now" if revealed else "nothing new in it"
            say(f"entry {row['entry']}: {row['kind']} was there already, {what}")
    if found["published"]:
        say(f"published, their day having come: {len(found['published'])}")
    say(f"{found['log']}: {found['size']} entries")
    _print_witnessed(found)


def cosigned(found: dict[str, Any]) -> None:
    """Print what a witness has seen."""
    say(f"{found['witness']} has seen {found['size']} entries")
    _print_witnessed(found)


def witness(found: dict[str, Any]) -> None:
    """Print where a witness answers."""
    say(f"{found['verifier']}")
    say(f"answers at {found['url']}; stop it with Ctrl-C")


def verified(found: dict[str, Any]) -> None:
    """Print that a log holds, from which beginning, and what has no effect in it."""
    say(f"{found['log']}: all {found['size']} entries hold, charter version "
          f"{found['charter_version']}, last word {found['last_utc']}")  # fmt: skip
    say(f"genesis {found['genesis']}")
    if not found["pinned"]:
        say("compare it with one that came another way, or name it: --genesis sha256:...")
    _print_witnessed(found)
    withheld = len(found["withheld"])
    say(f"objects: {found['objects']} published, {withheld} withheld until their day")
    for each in found["ignored"]:
        say(f"without effect: entry {each['entry']}: {each['why']}")
    for each in found["notices"]:
        say(f"note: entry {each['entry']}, {each['at_utc']}: {each['text']}")


def checked(found: dict[str, Any]) -> None:
    """Print each problem, or that there is none."""
    for problem in found["problems"]:
        say(problem)
    for path in found["stray"]:
        say(f"note: {path} is covered by nothing: an append under way, or foreign")
    if found["sound"]:
        say(f"sound: {found['entries']} entries, {found['witnessed']} of them witnessed")


def monitored(found: dict[str, Any]) -> None:
    """Print how a log stands to what it said earlier."""
    say(found["text"])


def receipt_written(found: dict[str, Any]) -> None:
    """Print what was written, and whether it is enough for others."""
    say(f"entry {found['entry']} of {found['size']}: {', '.join(found['written'])}")
    if not found["has_quorum"]:
        say("note: no quorum of witnesses has seen the entry; others will refuse the receipt")


def receipt_holds(found: dict[str, Any]) -> None:
    """Print that an entry stands in a log, by whose word."""
    when = f" by {found['at_utc']}" if found["at_utc"] else ""
    say(f"the entry stands in {found['log']} at {found['entry']}")
    say(f"seen by {', '.join(found['by']) or 'nobody'}{when}, with {found['size']} entries")


def _print_witnessed(found: dict[str, Any]) -> None:
    seen = found["witnessed"]
    if seen is None:
        say("witnessed: nothing yet; a reduction of service has no effect before its quorum")
        return
    say(
        f"witnessed: {seen['size']} entries by {', '.join(seen['by'])} "
        f"({len(seen['by'])} of {seen['of']}), {seen['at_utc']}"
    )
