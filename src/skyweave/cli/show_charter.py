"""What a person reads of keys, cards and charters."""

from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.text import Text

from skyweave.cli.options import plain, say
from skyweave.cli.show import plain_table
from skyweave.control.times import utc

_HOUR_S, _DAY_S = 3600, 86_400
_FORMS = {
    "needs_instrument": "an instrument",
    "needs_publication": "its publication",
    "needs_appeal": "the way to appeal",
    "needs_emergency": "a declared emergency",
}


def key_made(found: dict[str, Any]) -> None:
    """Print what to do with a new key."""
    say(f"{found['written']}: key {found['key_id']}")
    say(
        "sealed under your passphrase; nobody can restore it"
        if found["sealed"]
        else "not sealed: whoever can read the file can sign in your name"
    )
    say(f"next: skyweave party card {found['written']} --person ... --out CARD")


def card_made(found: dict[str, Any]) -> None:
    """Print what to do with a new card."""
    say(f"{found['written']}: card of {found['person']} of {found['organisation']}")
    say(f"key {found['key_id']}")
    say(f"counts from {utc(found['not_before_s'])} until {utc(found['not_after_s'])}")
    say("next: send the card to whoever drafts the charter, and read them the key by telephone")


def party(found: dict[str, Any]) -> None:
    """Print a card or the public part of a key file."""
    if found["kind"] == "key":
        rows = {"key": found["key_id"], "sealed": "yes" if found["sealed"] else "no"}
        if found["others_can_read"]:
            rows["warning"] = f'others can read the file: run "chmod 600 {found["file"]}"'
    else:
        rows = {
            "key": found["key_id"],
            "person": found["person"],
            "organisation": found["organisation"],
            "office": found["office"],
            "mandate": found["mandate"],
            "counts": f"{utc(found['not_before_s'])} until {utc(found['not_after_s'])}",
            "signed": "by the key itself",
        }
    say(found["file"])
    for name, value in rows.items():
        say(f"  {name:<14}{value}")


def revoked(found: dict[str, Any]) -> None:
    """Print what a revocation does, and when."""
    say(f"{found['written']}: key {found['key_id']} counts no more once this stands in the log")
    if not found["own"]:
        say(
            "it is not your own key: the charter's root must sign, each by this command "
            f"with --out {found['written']}"
        )


def templates(found: dict[str, Any]) -> None:
    """Print the trade-offs of each template."""
    console = Console()
    for each in found["templates"]:
        console.print(Text(f"{each['name']}: {each['title']}", "bold"))
        for name in ("suits", "protects", "trusts", "costs", "fails"):
            table = plain_table("", "", "", texts=("",))
            table.show_header = False
            table.title = None
            table.columns[0].width = 8
            table.add_row(Text(name), Text(each[name]))
            console.print(table)
        console.print()


def drafted(found: dict[str, Any]) -> None:
    """Print what the founders do with a draft."""
    file = found["written"]
    say(f'{file}: draft of the charter "{found["name"]}", template {found["template"]}')
    say(f"digest {found['digest']}")
    say(f"signatures needed: {_need(found['root'])}")
    say("next:")
    say(f"  1. every founder reads it: skyweave charter show {file}")
    say("  2. compare the digest by another channel, by telephone or face to face")
    say(f"  3. sign, one after the other: skyweave charter sign {file} --key KEYFILE")
    say(f"  4. the keeper of the log begins it: skyweave log init LOG --charter {file} --key KEY")


def amended(found: dict[str, Any]) -> None:
    """Print how a next version comes into force."""
    file = found["written"]
    say(f'{file}: draft of version {found["version"]} of the charter "{found["name"]}"')
    say(f"digest {found['digest']}")
    say("next:")
    say(f"  1. edit what else changes, then seal it: skyweave charter sign {file} --key KEYFILE")
    say(f"  2. propose it: a directive of the kind amend_charter with document = {file}")
    say("  3. the roots of both versions approve; after its notice it is in force")


def signed(found: dict[str, Any]) -> None:
    """Print who has signed a charter and who has not."""
    say(f"{found['written']}: digest {found['digest']}")
    _print_signed(found)


def _print_signed(found: dict[str, Any]) -> None:
    for each in found["signed"]:
        say(f"signed by {each['person']} of {each['organisation']}")
    if found["version"] > 1:
        say("sealed: it takes effect by a directive of the kind amend_charter")
    elif found["complete"]:
        say("the root has signed: a log can begin with it, skyweave log init")
    else:
        say(_so_far(found))


def charter(found: dict[str, Any], *, err: bool = False) -> None:
    """Print who may decide what."""
    content, console = found["charter"], Console(stderr=err)
    rows = {
        "digest": found["digest"],
        "template": found["template"],
        "holds": f"{utc(content['created_s'])} until {utc(content['expires_s'])}",
        "log": content["log"],
        "witnesses": ", ".join(content["witnesses"]),
        "changed by": _need(content["root"]),
    }
    rows |= _rows_of_log(found) if found["state"] == "log" else {"state": _state(found)}
    console.print(
        Text(plain(f"{found['name']}, version {found['version']}"), "bold"), soft_wrap=True
    )
    for name, value in rows.items():  # a digest must stay whole, however narrow the terminal
        console.print(Text(f"  {name:<12}{plain(value)}"), soft_wrap=True)
    for title, lines in (("Who signs", _people(found)), ("What it takes", _routes(content))):
        console.print(Text(f"\n{title}", "bold"))
        for line in lines:
            console.print(Text(plain(line)), soft_wrap=True)
    if found["state"] != "log":
        for line in (_signers(found), _so_far(found)):
            console.print(Text(f"\n{line}"), soft_wrap=True)


def _rows_of_log(found: dict[str, Any]) -> dict[str, str]:
    rows = {"genesis": found["genesis"], "log entry": str(found["entry"])}
    if found["expired"]:
        rows["state"] = "expired: it decides nothing until it is amended"
    if found["pending"]:
        rows["pending"] = f"version {found['pending']['version']}: approved, its notice running"
    return rows


def _state(found: dict[str, Any]) -> str:
    if found["state"] == "draft":
        return "draft, nobody has signed"
    return "signed by its root" if found["complete"] else "not signed by all of its root yet"


def _signers(found: dict[str, Any]) -> str:
    names = [f"{each['person']} of {each['organisation']}" for each in found["signed"]]
    return f"signed by {', '.join(names) or 'nobody'}"


def _so_far(found: dict[str, Any]) -> str:
    """Say how much of the root has signed; "missing: 1 of 3" would leave open which one."""
    if found["complete"]:
        return "its root has signed"
    return f"so far {', '.join(found['missing'])}"


def _people(found: dict[str, Any]) -> Iterator[str]:
    """Yield the organisations, and under each its people with their keys, roles and offices."""
    content = found["charter"]
    width = max(len(key["person"]) for key in content["keys"])
    for organisation in content["organisations"]:
        yield f"  {organisation['name']} ({organisation['organisation']})"
        for key in content["keys"]:
            if key["organisation"] == organisation["organisation"]:
                roles = [r["role"] for r in content["roles"] if key["key_id"] in r["key_ids"]]
                until = f"until {utc(key['not_after_s'])[:10]}"
                time = "revoked" if key["key_id"] in found.get("revoked", {}) else until
                yield (
                    f"    {key['person']:<{width}}  {key['key_id'][:16]}  {time:<16}  "
                    f"{', '.join(roles)}  {key['office']}"
                )


def _routes(content: dict[str, Any]) -> Iterator[str]:
    """Yield what each kind of directive takes."""
    width = max(len(_route_name(route)) for route in content["routes"])
    for route in content["routes"]:
        words = [" and ".join(_who(route))]
        if route["notice_s"]:
            words.append(f"{_span(route['notice_s'])} of notice")
        if route["max_duration_s"]:
            words.append(f"for {_span(route['max_duration_s'])} at most")
        if route["cooldown_s"]:
            words.append(f"once in {_span(route['cooldown_s'])}")
        if named := [word for field, word in _FORMS.items() if route[field]]:
            words.append(f"naming {' and '.join(named)}")
        yield f"  {_route_name(route):<{width}}  {', '.join(words)}"


def _route_name(route: dict[str, Any]) -> str:
    name, kind = str(route["route"]), route["kind"]
    return name if name == kind else f"{name} ({kind})"


def _who(route: dict[str, Any]) -> Iterator[str]:
    yield from (_need(need) for need in route["needs"])
    for need in route["authority_needs"]:
        yield f"{_need(need)} where a licence is needed"


def _need(need: dict[str, Any]) -> str:
    apart = f" from {need['organisations']} organisations" if need["organisations"] > 1 else ""
    return f"{need['people']} of {need['role']}{apart}"


def _span(seconds: int) -> str:
    return f"{seconds / _HOUR_S:g} h" if seconds <= 3 * _DAY_S else f"{seconds / _DAY_S:g} days"
