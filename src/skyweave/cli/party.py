"""The `skyweave party` commands: your key, the card that says whose it is, and taking it back."""

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from skyweave.cli import show_charter
from skyweave.cli.options import AsJson, print_answer
from skyweave.cli.signer import (
    PASSPHRASE_VARIABLE,
    Now,
    OutParcel,
    PassphraseFile,
    now_s,
    passphrase,
)
from skyweave.cli.walk import at_terminal, refuse_unanswered

party_app = typer.Typer(
    help="Who signs: keys, and the cards that say whose they are.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

KeyArgument = Annotated[
    Path, typer.Argument(metavar="KEYFILE", help="Your key file; it never leaves here.")
]


@party_app.command()
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The key file to write.")],
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave it open to whoever can read the file.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a key pair; the private key is sealed under a passphrase and stays in this file."""
    from skyweave.api import parties

    chosen = None if no_passphrase else new_passphrase(file, passphrase_file)
    print_answer(parties.party_key(file, chosen), as_json, show_charter.key_made)


@party_app.command()
def card(
    key_file: KeyArgument,
    person: Annotated[str, typer.Option(help="Who holds the key: anna-meier.")],
    organisation: Annotated[str, typer.Option(help="Whom this person signs for: harbour-trust.")],
    office: Annotated[str, typer.Option(help="The person's office there.")],
    mandate: Annotated[str, typer.Option(help="By what the person may sign, as a resolution.")],
    out: Annotated[Path, typer.Option(help="The card to write; it is public.")],
    years: Annotated[float, typer.Option(help="How long the key counts.")] = 2.0,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Write your card: public key, person, office and mandate, signed by the key itself."""
    from skyweave.api import parties
    from skyweave.api.parcels import Signer

    owner = parties.Owner(person, organisation, office, mandate, years)
    signer = Signer(key_file, passphrase(key_file, passphrase_file))
    answer = parties.party_card(signer, owner, out, now_s=now_s(now))
    print_answer(answer, as_json, show_charter.card_made)


@party_app.command()
def show(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A card, or a key file.")],
    as_json: AsJson = False,
) -> None:
    """Say whose key it is; of a key file only the public part is shown."""
    from skyweave.api import parties

    print_answer(parties.party_show(file), as_json, show_charter.party)


@party_app.command()
def revoke(
    key_file: KeyArgument,
    reason: Annotated[str, typer.Option(help="Why: it is published.")],
    out: OutParcel,
    key_id: Annotated[
        str | None, typer.Option(help="Which key counts no more; the root's word. [your own]")
    ] = None,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign that a key counts no more, from the log entry of this on."""
    from skyweave.api import parties
    from skyweave.api.parcels import Signer

    signer = Signer(key_file, passphrase(key_file, passphrase_file))
    answer = parties.party_revoke(signer, key_id, reason, out)
    print_answer(answer, as_json, show_charter.revoked)


def new_passphrase(file: Path, passphrase_file: Path | None) -> str:
    """Return the passphrase of a new key, asked twice where a person is there."""
    given = passphrase(file, passphrase_file)
    if given is not None:
        return given
    if not at_terminal():
        refuse_unanswered(
            f"--passphrase-file: no passphrase for {file}; give one, or ${PASSPHRASE_VARIABLE}, "
            "or say --no-passphrase"
        )
    asked: Any = typer.prompt(
        f"New passphrase of {os.fspath(file)}", hide_input=True, confirmation_prompt=True, err=True
    )
    return str(asked)
