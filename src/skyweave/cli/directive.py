"""The `skyweave directive` commands: what is proposed, what it would do, what became of it."""

from pathlib import Path
from typing import Annotated, Any

import typer

from skyweave.cli import show_authority
from skyweave.cli.options import AsJson, print_answer
from skyweave.cli.signer import (
    Genesis,
    KeyFile,
    LogFolder,
    Now,
    OutParcel,
    PassphraseFile,
    WithoutQuorum,
    now_s,
    passphrase,
)

directive_app = typer.Typer(
    help="Directives: proposals that take effect once enough people have signed.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip

DirectiveId = Annotated[str, typer.Argument(metavar="ID", help="A directive of the log.")]
Reason = Annotated[str, typer.Option(help="Why; everybody can read it.")]
Terminals = Annotated[
    Path | None,
    typer.Option(help="The fleet that the impact report counts (CSV); it stays with you."),
]
Salt = Annotated[
    Path | None, typer.Option(help="Where names are hashed: the salt. [the log's private folder]")
]


@directive_app.command()
def propose(
    log: LogFolder,
    key: KeyFile,
    out: OutParcel,
    draft: Annotated[
        Path | None, typer.Argument(metavar="[DRAFT]", help="The directive (TOML), or as options.")
    ] = None,
    directive_id: Annotated[str | None, typer.Option("--id", help="What it is called.")] = None,
    kind: Annotated[
        str | None, typer.Option(help="activate, suspend, restrict, exclude, resume and others.")
    ] = None,
    region: Annotated[str | None, typer.Option(help="Where.")] = None,
    reason: Annotated[str | None, typer.Option(help="Why; everybody can read it.")] = None,
    route: Annotated[
        str | None, typer.Option(help="By which route of the charter. [the only one]")
    ] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="UTC of its start. [when the notice is over]")
    ] = None,
    until: Annotated[str | None, typer.Option(help="UTC of its end.")] = None,
    days: Annotated[float | None, typer.Option(help="Instead: how long it lasts.")] = None,
    approvals_until: Annotated[
        str | None, typer.Option(help="UTC until which it can be approved. [14 days]")
    ] = None,
    owner: Annotated[str | None, typer.Option(help="Who answers for it. [your own]")] = None,
    administration: Annotated[
        str | None, typer.Option(help="On whose licence or order it relies.")
    ] = None,
    legal_basis: Annotated[str | None, typer.Option(help="By what right.")] = None,
    instrument: Annotated[str | None, typer.Option(help="The order or law, by name.")] = None,
    forbids_lifeline: Annotated[
        bool | None,
        typer.Option("--forbids-lifeline", help="The law of an exclusion forbids even that."),
    ] = None,
    publication: Annotated[str | None, typer.Option(help="Where that is published.")] = None,
    appeal: Annotated[str | None, typer.Option(help="Where to object.")] = None,
    emergency: Annotated[str | None, typer.Option(help="The declared emergency.")] = None,
    request: Annotated[
        list[str] | None, typer.Option(help="A logged request that asked for it; repeatable.")
    ] = None,
    max_down_bps: Annotated[int | None, typer.Option(help="Of a restriction, bit/s.")] = None,
    max_up_bps: Annotated[int | None, typer.Option(help="Of a restriction, bit/s.")] = None,
    allow_list: Annotated[
        str | None,
        typer.Option(metavar="KITS.csv", help="Of a restriction: who keeps service. Private."),
    ] = None,
    agreement: Annotated[
        str | None, typer.Option(help="Whose guarantee is lifted or amended.")
    ] = None,
    exception: Annotated[
        str | None, typer.Option(help="An exception of an agreement that it invokes.")
    ] = None,
    supersedes: Annotated[str | None, typer.Option(help="A directive it replaces.")] = None,
    document: Annotated[
        str | None, typer.Option(help="Of an amendment: the file with the new document.")
    ] = None,
    terminals: Terminals = None,
    exact: Annotated[
        Path | None, typer.Option(help="A file of your own to write the exact report to.")
    ] = None,
    salt: Salt = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Propose a directive with the report of its impact, sign it, and write the parcel."""
    from skyweave.api import directives
    from skyweave.api.authority import LogSource
    from skyweave.api.parcels import Signer

    given: dict[str, Any] = {
        "id": directive_id, "kind": kind, "region": region, "reason": reason, "route": route,
        "from": start, "until": until, "days": days, "approvals_until": approvals_until,
        "owner": owner, "administration": administration, "legal_basis": legal_basis,
        "instrument": instrument, "forbids_lifeline": forbids_lifeline,
        "publication": publication, "appeal": appeal, "emergency": emergency,
        "requests": request, "max_down_bps": max_down_bps,
        "max_up_bps": max_up_bps, "allow_list": allow_list, "agreement": agreement,
        "exception": exception, "supersedes": supersedes, "document": document,
    }  # fmt: skip
    answer = directives.propose(
        LogSource(log, genesis, not no_quorum),
        directives.draft_of(draft, {name: x for name, x in given.items() if x is not None}),
        Signer(key, passphrase(key, passphrase_file)),
        out, now_s=now_s(now), terminals=terminals, salt=salt, exact=exact,
    )  # fmt: skip
    print_answer(answer, as_json, show_authority.proposed)


@directive_app.command()
def impact(
    log: LogFolder,
    what: Annotated[
        str, typer.Argument(metavar="ID|PARCEL", help="A directive, or a proposal's parcel.")
    ],
    terminals: Terminals = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="All counts, for who may see the table.")
    ] = False,
    salt: Salt = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Show the impact that was signed; with a table of terminals, that of your own."""
    from skyweave.api import directives
    from skyweave.api.authority import LogSource

    answer = directives.show_impact(
        LogSource(log, genesis, not no_quorum), what, now_s=now_s(now), terminals=terminals,
        exact=exact, salt=salt,
    )  # fmt: skip
    print_answer(answer, as_json, show_authority.impact)


@directive_app.command()
def show(
    log: LogFolder,
    directive_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One directive; without it all.")
    ] = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Say where a directive stands, what is missing, and what happened to it, entry by entry."""
    from skyweave.api import directives
    from skyweave.api.authority import LogSource

    source = LogSource(log, genesis, not no_quorum)
    answer = directives.show_directives(source, directive_id, now_s=now_s(now))
    print_answer(answer, as_json, show_authority.directives)


@directive_app.command("list")
def change_list(
    log: LogFolder,
    directive_id: DirectiveId,
    key: KeyFile,
    out: OutParcel,
    add: Annotated[
        Path | None, typer.Option(metavar="KITS.csv", help="Kits that work from now on.")
    ] = None,
    remove: Annotated[str | None, typer.Option(metavar="KIT", help="A kit to take off.")] = None,
    reason: Annotated[str, typer.Option(help="Why it is taken off.")] = "",
    appeal: Annotated[str, typer.Option(help="Where its owner may object.")] = "",
    days: Annotated[float, typer.Option(help="Notice of a removal: 14 at least.")] = 14.0,
    newest: Annotated[
        Path | None,
        typer.Option("--list", help="The parcel with the newest list. [the log's private folder]"),
    ] = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Change who is on the allow list of a restriction, for the organisation that owns it."""
    from skyweave.api import allow_lists
    from skyweave.api.authority import LogSource
    from skyweave.api.parcels import Signer

    removal = None if remove is None else allow_lists.Removal(remove, reason, appeal, days)
    answer = allow_lists.change_list(
        LogSource(log, genesis, not no_quorum), directive_id,
        Signer(key, passphrase(key, passphrase_file)), out, add=add, remove=removal,
        newest=newest, now_s=now_s(now),
    )  # fmt: skip
    print_answer(answer, as_json, show_authority.listed)


def _ending(how: str, text: str) -> None:
    def act(
        log: LogFolder,
        directive_id: DirectiveId,
        reason: Reason,
        key: KeyFile,
        out: OutParcel,
        genesis: Genesis = None,
        no_quorum: WithoutQuorum = False,
        passphrase_file: PassphraseFile = None,
        now: Now = None,
        as_json: AsJson = False,
    ) -> None:
        from skyweave.api import directives
        from skyweave.api.authority import LogSource
        from skyweave.api.parcels import Signer

        answer = directives.end(
            LogSource(log, genesis, not no_quorum), how, directive_id, reason,
            Signer(key, passphrase(key, passphrase_file)), out, now_s=now_s(now),
        )  # fmt: skip
        print_answer(answer, as_json, show_authority.ended)

    directive_app.command(how, help=text)(act)


_ending("withdraw", "Take your own proposal back before it is approved.")
_ending("lift", "End a reduction early, for the organisation that answers for it.")
_ending("fail", "Say in public that the operator could not carry a directive out.")
