"""The `skyweave request` commands: what was asked, by whom, under which pressure."""

from pathlib import Path
from typing import Annotated

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
    utc_s,
)

request_app = typer.Typer(
    help="Requests from outside: recorded in public, without effect by themselves.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip


@request_app.command()
def record(
    log: LogFolder,
    request_id: Annotated[str, typer.Option("--id", help="What the request is called in the log.")],
    asked_by: Annotated[str, typer.Option(help="The office or organisation that asks.")],
    kind: Annotated[
        str, typer.Option(help="state, regulator, sponsor, party, private or unknown.")
    ],
    channel: Annotated[str, typer.Option(help="How it was asked: letter, telephone, meeting.")],
    text: Annotated[Path, typer.Option(help="What was asked, in full (UTF-8).")],
    key: KeyFile,
    out: OutParcel,
    pressure: Annotated[str, typer.Option(help="What was threatened or offered.")] = "",
    summary: Annotated[str, typer.Option(help="The request in a sentence.")] = "",
    received: Annotated[str | None, typer.Option(help="UTC of the ask. [now]")] = None,
    sealed_days: Annotated[
        float | None, typer.Option(help="Publish only its digest now, and the text so much later.")
    ] = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Record a request, sign it, and write the parcel."""
    from skyweave.api import requests
    from skyweave.api.authority import LogSource
    from skyweave.api.parcels import Signer

    draft = requests.RequestDraft(
        request_id, asked_by, kind, channel, text, pressure, summary,
        None if received is None else utc_s(received, "--received"), sealed_days,
    )  # fmt: skip
    signer = Signer(key, passphrase(key, passphrase_file))
    source = LogSource(log, genesis, not no_quorum)
    answer = requests.record_request(source, draft, signer, out, now_s=now_s(now))
    print_answer(answer, as_json, show_authority.request_recorded)


@request_app.command()
def reveal(
    log: LogFolder,
    request_id: Annotated[str, typer.Argument(metavar="ID", help="A request of the log.")],
    key: Annotated[Path, typer.Option("--key", help="The log's key file.")],
    text: Annotated[
        Path | None, typer.Option(help="The parcel it came in. [the log's private folder]")
    ] = None,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Publish the sealed text of a request, for the keeper of the log."""
    from skyweave.api import requests
    from skyweave.api.authority import LogSource
    from skyweave.api.parcels import Signer

    signer = Signer(key, passphrase(key, passphrase_file))
    answer = requests.reveal_request(LogSource(log), request_id, signer, text, now_s=now_s(now))
    print_answer(answer, as_json, show_authority.revealed)


@request_app.command()
def show(
    log: LogFolder,
    request_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One request; without it all.")
    ] = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Say who asked for what, under which pressure, and what came of it."""
    from skyweave.api import requests
    from skyweave.api.authority import LogSource

    source = LogSource(log, genesis, not no_quorum)
    answer = requests.show_requests(source, request_id, now_s=now_s(now))
    print_answer(answer, as_json, show_authority.requests)
