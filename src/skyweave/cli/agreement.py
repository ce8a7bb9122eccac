"""The `skyweave agreement` commands: guarantees that no single party can withdraw."""

from pathlib import Path
from typing import Annotated

import typer

from skyweave.cli import show_authority
from skyweave.cli.approve import confirm
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

agreement_app = typer.Typer(
    help="Agreements: what is guaranteed, to whom, and who alone may lift it.",
    no_args_is_help=True, rich_markup_mode=None,
)  # fmt: skip


@agreement_app.command()
def sign(
    draft: Annotated[
        Path, typer.Argument(metavar="DRAFT", help="The agreement (TOML), or the parcel so far.")
    ],
    key: KeyFile,
    out: OutParcel,
    log: Annotated[
        Path | None, typer.Option(help="The log; where terminals are named, for its salt.")
    ] = None,
    salt: Annotated[
        Path | None, typer.Option(help="The salt. [in the log's private folder]")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="You have read it; do not ask.")] = False,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Show an agreement and add your signature to its parcel, which is made where it is new."""
    from skyweave.api import agreements
    from skyweave.api.authority import LogSource
    from skyweave.api.parcels import Signer
    from skyweave.api.words import agreement_words

    source = None if log is None else LogSource(log, genesis, not no_quorum)
    found = agreements.agreement_to_sign(draft, out, log=source, salt=salt)
    lines = agreement_words(found.record)
    if not as_json:
        show_authority.agreement_text(lines)
    if not yes:
        confirm("Sign exactly this?", as_json)
    answer = found.sign(Signer(key, passphrase(key, passphrase_file)))
    print_answer({**answer, "words": lines}, as_json, show_authority.parcel)


@agreement_app.command()
def show(
    log: LogFolder,
    agreement_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One agreement; without it all.")
    ] = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Say what is guaranteed, to whom, until when, and who alone may lift it."""
    from skyweave.api import agreements
    from skyweave.api.authority import LogSource

    source = LogSource(log, genesis, not no_quorum)
    answer = agreements.show_agreements(source, agreement_id, now_s=now_s(now))
    print_answer(answer, as_json, show_authority.agreements)
