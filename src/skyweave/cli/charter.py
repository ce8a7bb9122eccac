"""The `skyweave charter` commands: who may decide what, from the first question to the last key."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from skyweave.cli import show_charter, walk
from skyweave.cli.options import AsJson, print_answer
from skyweave.cli.signer import (
    Genesis,
    KeyFile,
    LogFolder,
    Now,
    PassphraseFile,
    WithoutQuorum,
    now_s,
    passphrase,
)
from skyweave.errors import InputError

if TYPE_CHECKING:
    from skyweave.api.charters import Answers
    from skyweave.control.domain.documents import KeyRecord

charter_app = typer.Typer(
    help="Charters: who may decide what, and how many it takes.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

DEFAULT_YEARS = 2.0

# Each question says why it is asked; a script reads it where an option is missing.
_NAME = "What is the network called? The name stands in the charter, for everybody to read."
_CARD = (
    "Who signs? Each person makes a key and a card (skyweave party key, party card) and sends you "
    "the card; compare its key id with them by telephone, or a stranger gets a vote."
)
_ORGANISATION = "What are the organisations ({}) called in full? As SLUG=NAME."
_OPERATOR = (
    "Which organisation ({}) runs the network? Its people switch service on, and say in public "
    "what they could not carry out."
)
_AUTHORITY = (
    "Which administrations license the network, and who signs for them? As CH=SLUG. Without one no "
    "region that needs a licence can be switched on."
)
_LOG_KEY = (
    "Which log? Every decision stands in one public log; its keeper makes the key "
    "(skyweave log key) and gives you the verifier key, one word."
)
_WITNESS = (
    "Who watches the log? A witness sees that the log shows everybody the same; choose people whom "
    "none of the organisations commands. As NAME=KEY."
)
_WITNESS_QUORUM = "How many witnesses must have seen a decision before it takes service?"
_YEARS = "For how many years? A charter that has ended decides nothing until it is amended."

CharterFile = Annotated[Path, typer.Argument(metavar="FILE", help="The charter's file.")]


@charter_app.command()
def templates(as_json: AsJson = False) -> None:
    """Show three charters to begin from: what each protects, trusts, costs, and where it fails."""
    from skyweave.api import charters

    print_answer(charters.charter_templates(), as_json, show_charter.templates)


@charter_app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The charter's file to write.")],
    template: Annotated[
        str | None, typer.Option(help="consortium, licensed-operator or humanitarian.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What the network's people call it.")] = None,
    card: Annotated[
        list[Path] | None, typer.Option(help="The card of a person who signs; repeatable.")
    ] = None,
    organisation: Annotated[
        list[str] | None,
        typer.Option(metavar="SLUG=NAME", help="An organisation's full name; repeatable."),
    ] = None,
    operator: Annotated[
        str | None, typer.Option(help="Which organisation runs the network.")
    ] = None,
    authority: Annotated[
        list[str] | None,
        typer.Option(metavar="CH=SLUG", help="Who licenses for an administration; repeatable."),
    ] = None,
    log_key: Annotated[str | None, typer.Option(help="The verifier key of the log.")] = None,
    witness: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=KEY", help="A witness's verifier key; repeatable."),
    ] = None,
    witness_quorum: Annotated[
        int | None, typer.Option(help="How many witnesses must have seen. [more than half]")
    ] = None,
    years: Annotated[float | None, typer.Option(help="How long the charter holds. [2]")] = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Draft a first charter: asks what is not given as an option, and says why."""
    from skyweave.api import charters

    if file.exists():
        raise InputError(f"{file}: a file is there already; name another")
    given = _Given(
        template, name, card, organisation, operator, authority, log_key, witness, witness_quorum,
        years,
    )  # fmt: skip
    answer = charters.charter_init(file, _answers(given), now_s=now_s(now))
    print_answer(answer, as_json, show_charter.drafted)


@charter_app.command()
def show(
    source: Annotated[
        Path, typer.Argument(metavar="LOG|FILE", help="A charter's file, or a log's folder.")
    ],
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    as_json: AsJson = False,
) -> None:
    """Say who may decide what, in words; of a log, as it holds now."""
    from skyweave.api import charters

    answer = charters.charter_show(source, genesis=genesis, quorum=not no_quorum)
    print_answer(answer, as_json, show_charter.charter)


@charter_app.command()
def amend(
    folder: LogFolder,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The draft to write.")],
    card: Annotated[
        list[Path] | None, typer.Option(help="The card of a person who joins; repeatable.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="KEYID", help="A key that leaves; repeatable.")
    ] = None,
    organisation: Annotated[
        list[str] | None,
        typer.Option(metavar="SLUG=NAME", help="A new organisation's full name; repeatable."),
    ] = None,
    years: Annotated[float, typer.Option(help="How long the new version holds.")] = DEFAULT_YEARS,
    genesis: Genesis = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Draft a charter's next version: other keys, and what you edit in the file."""
    from skyweave.api import amendments, charters

    names = dict(charters.pair(each, "--organisation", "SLUG=NAME") for each in organisation or ())
    changes = amendments.Changes(charters.read_cards(card or ()), without or (), names, years)
    answer = amendments.charter_amend(folder, file, changes, now_s=now_s(now), genesis=genesis)
    print_answer(answer, as_json, show_charter.amended)


@charter_app.command()
def sign(
    file: CharterFile,
    key: KeyFile,
    digest: Annotated[
        str | None, typer.Option(help="The digest that you expect: another is refused.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before signing.")] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Sign a charter in its file; at a terminal it shows what is signed, and asks."""
    from skyweave.api import charters
    from skyweave.api.parcels import Signer

    if walk.at_terminal() and not yes:
        seen = charters.charter_show(file)
        show_charter.charter(seen, err=True)
        typer.confirm("Did the other founders read you this digest, and do you sign?", abort=True)
        digest = digest or seen["digest"]
    signer = Signer(key, passphrase(key, passphrase_file))
    answer = charters.charter_sign(file, signer, digest=digest)
    print_answer(answer, as_json, show_charter.signed)


@dataclass(frozen=True)
class _Given:
    """What stands on the command line."""

    template: str | None
    name: str | None
    cards: list[Path] | None
    organisations: list[str] | None
    operator: str | None
    authorities: list[str] | None
    log_key: str | None
    witnesses: list[str] | None
    witness_quorum: int | None
    years: float | None

    @property
    def is_enough(self) -> bool:
        """Whether a charter follows without a question."""
        needed = (self.template, self.name, self.cards, self.operator, self.log_key, self.witnesses)
        return all(needed)


def _answers(given: _Given) -> "Answers":
    """Return the answers, asking for those that are missing.

    What has a usual answer is asked only of a person who is being asked anyway.
    """
    from skyweave.api import charters

    asks = walk.at_terminal() and not given.is_enough
    name = walk.one("--name", _NAME, given.name, str)
    template = walk.one("--template", _template_question(), given.template, _template)
    paths = [str(path) for path in given.cards or ()]
    cards = walk.several("--card", _CARD, paths, _card, least=1)
    slugs = ", ".join(dict.fromkeys(card.organisation for card in cards))
    named = given.organisations or []
    if asks and not named:
        named = walk.several("--organisation", _ORGANISATION.format(slugs), None, str, least=0)
    operator = walk.one("--operator", _OPERATOR.format(slugs), given.operator, str)
    licensing = given.authorities or []
    if asks and not licensing:
        licensing = walk.several("--authority", _AUTHORITY, None, str, least=0)
    log_key = walk.one("--log-key", _LOG_KEY, given.log_key, charters.log_key)
    witnesses = walk.several("--witness", _WITNESS, given.witnesses, charters.witness, least=1)
    quorum, years = given.witness_quorum, given.years
    if asks and quorum is None:
        usual = str(len(witnesses) // 2 + 1)
        quorum = walk.one("--witness-quorum", _WITNESS_QUORUM, None, _whole_number, usual)
    if asks and years is None:
        years = walk.one("--years", _YEARS, None, _number, f"{DEFAULT_YEARS:g}")
    return charters.Answers(
        template=template,
        name=name,
        cards=cards,
        operator=operator,
        log_key=log_key,
        witnesses=witnesses,
        authorities=[charters.pair(each, "--authority", "CH=SLUG") for each in licensing],
        organisations=[charters.pair(each, "--organisation", "SLUG=NAME") for each in named],
        witness_quorum=quorum,
        years=DEFAULT_YEARS if years is None else years,
    )


def _template_question() -> str:
    from skyweave.api import charters

    lines = [
        f"  {each['name']}: {each['suits']}" for each in charters.charter_templates()["templates"]
    ]
    return "\n".join(
        ["How is power shared? (skyweave charter templates says what each costs.)", *lines]
    )


def _template(text: str) -> str:
    from skyweave.api import charters

    names = [each["name"] for each in charters.charter_templates()["templates"]]
    if text not in names:
        raise InputError(f'--template "{text[:60]}": expected {", ".join(names)}; choose one')
    return text


def _card(text: str) -> "KeyRecord":
    from skyweave.api import charters

    return charters.read_cards([Path(text)])[0]


def _whole_number(text: str) -> int:
    if not text.isdecimal():
        raise InputError(f'"{text[:60]}": expected a whole number; type digits')
    return int(text)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise InputError(f'"{text[:60]}": expected a number; as in 2 or 0.5') from None
