"""The `skyweave approve` command: read what you sign, then sign it or reject it."""

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
)
from skyweave.cli.walk import at_terminal, refuse_unanswered
from skyweave.errors import SkyweaveError


def approve(
    log: LogFolder,
    what: Annotated[
        str, typer.Argument(metavar="ID|PARCEL", help="A directive, or a proposal's parcel.")
    ],
    key: KeyFile,
    out: OutParcel,
    reject: Annotated[bool, typer.Option("--reject", help="Vote against it.")] = False,
    days: Annotated[
        float, typer.Option(min=0.01, max=366.0, help="How long your vote counts.")
    ] = 30.0,
    yes: Annotated[bool, typer.Option("--yes", help="You have read it; do not ask.")] = False,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Show what would be signed and what is missing; sign your vote and write the parcel."""
    from skyweave.api import approvals
    from skyweave.api.authority import LogSource
    from skyweave.api.parcels import Signer

    found = approvals.ballot(LogSource(log, genesis, not no_quorum), what, out, now_s=now_s(now))
    shown = found.shown()
    if not as_json:
        show_authority.ballot(shown)
    decision = "reject" if reject else "approve"
    if not yes:
        confirm(f"Sign to {decision} exactly this?", as_json)
    signer = Signer(key, passphrase(key, passphrase_file))
    answer = {**shown, **found.sign(signer, decision, days, out)}
    print_answer(answer, as_json, show_authority.voted)


def confirm(question: str, as_json: bool) -> None:
    """Ask a person; nobody signs what nobody was there to read."""
    if as_json or not at_terminal():
        refuse_unanswered("--yes: not given, and nobody is here to be asked; read it first")
    if not typer.confirm(question, err=True):
        raise SkyweaveError("nothing was signed; sign later, or vote against it with --reject")
