"""What a person reads of a public log; machines take --json."""

from typing import Any


def key(found: dict[str, Any]) -> None:
    """Print a verifier key and who needs it."""
    if found["is_new"]:
        print(f"{found['file']}: a new key; keep it here, and a copy where only you can reach it")
    print(f"verifier key of the {found['role']} {found['name']}:")
    print(found["verifier"])


def begun(found: dict[str, Any]) -> None:
    """Print how a new log is called and what to tell others."""
    print(f"{found['log']}: the log {found['origin']} begins")
    print(f"genesis {found['genesis']}")
    print("read this digest to the others by telephone: it is how they know the log")
    print(f"witnesses: {', '.join(found['witnesses']) or 'none'} (quorum: {found['quorum']})")


def appended(found: dict[str, Any]) -> None:
    """Print which entries were appended, what was published, and who has seen it."""
    for row in found["entries"]:
        if row["is_new"]:
            print(f"entry {row['entry']}: {row['kind']} from {row['file']}")
        else:
            revealed = len(row["revealed"])
            what = f"{revealed} published now" if revealed else "nothing new in it"
            print(f"entry {row['entry']}: {row['kind']} was there already, {what}")
    if found["published"]:
        print(f"published, their day having come: {len(found['published'])}")
    print(f"{found['log']}: {found['size']} entries")
    _print_witnessed(found)


def cosigned(found: dict[str, Any]) -> None:
    """Print what a witness has seen."""
    print(f"{found['witness']} has seen {found['size']} entries")
    _print_witnessed(found)


def witness(found: dict[str, Any]) -> None:
    """Print where a witness answers."""
    print(f"{found['verifier']}")
    print(f"answers at {found['url']}; stop it with Ctrl-C")


def verified(found: dict[str, Any]) -> None:
    """Print that a log holds, from which beginning, and what has no effect in it."""
    print(f"{found['log']}: all {found['size']} entries hold, charter version "
          f"{found['charter_version']}, last word {found['last_utc']}")  # fmt: skip
    print(f"genesis {found['genesis']}")
    if not found["pinned"]:
        print("compare it with one that came another way, or name it: --genesis sha256:...")
    _print_witnessed(found)
    withheld = len(found["withheld"])
    print(f"objects: {found['objects']} published, {withheld} withheld until their day")
    for each in found["ignored"]:
        print(f"without effect: entry {each['entry']}: {each['why']}")
    for each in found["notices"]:
        print(f"note: entry {each['entry']}, {each['at_utc']}: {each['text']}")


def checked(found: dict[str, Any]) -> None:
    """Print each problem, or that there is none."""
    for problem in found["problems"]:
        print(problem)
    for path in found["stray"]:
        print(f"note: {path} is covered by nothing: an append under way, or foreign")
    if found["sound"]:
        print(f"sound: {found['entries']} entries, {found['witnessed']} of them witnessed")


def monitored(found: dict[str, Any]) -> None:
    """Print how a log stands to what it said earlier."""
    print(found["text"])


def receipt_written(found: dict[str, Any]) -> None:
    """Print what was written, and whether it is enough for others."""
    print(f"entry {found['entry']} of {found['size']}: {', '.join(found['written'])}")
    if not found["has_quorum"]:
        print("note: no quorum of witnesses has seen the entry; others will refuse the receipt")


def receipt_holds(found: dict[str, Any]) -> None:
    """Print that an entry stands in a log, by whose word."""
    when = f" by {found['at_utc']}" if found["at_utc"] else ""
    print(f"the entry stands in {found['log']} at {found['entry']}")
    print(f"seen by {', '.join(found['by']) or 'nobody'}{when}, with {found['size']} entries")


def _print_witnessed(found: dict[str, Any]) -> None:
    seen = found["witnessed"]
    if seen is None:
        print("witnessed: nothing yet; a reduction of service has no effect before its quorum")
        return
    print(
        f"witnessed: {seen['size']} entries by {', '.join(seen['by'])} "
        f"({len(seen['by'])} of {seen['of']}), {seen['at_utc']}"
    )
