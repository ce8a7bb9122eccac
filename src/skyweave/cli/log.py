"""The `skyweave log` commands: the public log of an authority, and checking one offline."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from skyweave.cli import show_log
from skyweave.cli.options import AsJson, plain, print_answer
from skyweave.cli.party import new_passphrase
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

log_app = typer.Typer(
    help="The public log: who decided what, and proof of it for anyone.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

CheckedFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="The log's folder, or a copy of it.")
]
State = Annotated[
    Path, typer.Option("--state", help="What the witness remembers; made at first, never lost.")
]
WitnessName = Annotated[str, typer.Option("--name", help="As in its verifier key.")]


@log_app.command()
def key(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The key file; made if absent.")],
    name: Annotated[str, typer.Option(help="Of the log or witness: example.org/log.")],
    witness: Annotated[
        bool, typer.Option("--witness", help="The key of a witness, not of a log.")
    ] = False,
    no_passphrase: Annotated[
        bool, typer.Option("--no-passphrase", help="Leave a new key open to who can read the file.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a log's or a witness's key, and print the verifier key that others name it by."""
    from skyweave.api import log

    is_open = no_passphrase or file.exists()
    chosen = None if is_open else new_passphrase(file, passphrase_file)
    print_answer(log.log_key(file, name, witness=witness, passphrase=chosen), as_json, show_log.key)


@log_app.command()
def init(
    folder: LogFolder,
    charter: Annotated[Path, typer.Option(help="The first charter, signed by its root.")],
    key: KeyFile,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Begin a log with a signed charter; its digest is what everybody should compare."""
    from skyweave.api import log

    answer = log.log_init(folder, charter, _signer(key, passphrase_file), now_s=now_s(now))
    print_answer(answer, as_json, show_log.begun)


@log_app.command()
def append(
    folder: LogFolder,
    parcels: Annotated[list[Path], typer.Argument(metavar="PARCEL", help="Signed parcels.")],
    key: KeyFile,
    witness: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL|KEYFILE:STATE",
            help="Have it see the log: at an address, or by its key here; repeatable.",
        ),
    ] = None,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Append what parcels hold; what would have no effect is refused, and nothing is written."""
    from skyweave.api import log

    asked = [
        log.AskedWitness(each, passphrase(Path(each.rpartition(":")[0]), passphrase_file))
        for each in witness or ()
    ]
    answer = log.log_append(
        folder, parcels, _signer(key, passphrase_file), witnesses=asked, now_s=now_s(now)
    )
    for missing in answer["not_cosigned"]:
        print(plain(f"warning: not cosigned: {missing['why']}"), file=sys.stderr)
    print_answer(answer, as_json, show_log.appended)


@log_app.command()
def cosign(
    folder: LogFolder,
    key: KeyFile,
    name: WitnessName,
    state: State,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """See a log on this machine as one of its witnesses, and say so in its folder."""
    from skyweave.api import log

    answer = log.log_cosign(folder, _signer(key, passphrase_file), name, state, now_s=now_s(now))
    print_answer(answer, as_json, show_log.cosigned)


@log_app.command()
def witness(
    key: KeyFile,
    name: WitnessName,
    state: State,
    log_keys: Annotated[
        list[str], typer.Option("--log", metavar="VKEY", help="A log to see; repeatable.")
    ],
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Port 0 takes a free one.")
    ] = "127.0.0.1:0",
    public: Annotated[
        bool, typer.Option("--public", help="Let other machines ask; it has no sign-in.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    as_json: AsJson = False,
) -> None:
    """Serve a witness over HTTP (C2SP tlog-witness) until it is interrupted."""
    from skyweave.api import log

    server = log.log_witness(
        _signer(key, passphrase_file), name, state, log_keys, listen=listen, public=public,
        tell=lambda text: print(plain(text), file=sys.stderr, flush=True),
    )  # fmt: skip
    answer = {"url": server.url, "verifier": server.witness.verifier.text, "logs": log_keys}
    print_answer(answer, as_json, show_log.witness)
    sys.stdout.flush()
    with server:
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return


@log_app.command()
def verify(
    folder: CheckedFolder,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    max_age: Annotated[
        float | None,
        typer.Option(metavar="HOURS", min=0.0, help="Refuse what witnesses last saw before then."),
    ] = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Verify all of a log offline: signatures, times, witnesses, objects, and what follows."""
    from skyweave.api import log

    answer = log.log_verify(
        folder, genesis=genesis, quorum=not no_quorum, now_s=now_s(now),
        max_age_s=None if max_age is None else max_age * 3600,
    )  # fmt: skip
    print_answer(answer, as_json, show_log.verified)


@log_app.command()
def fsck(folder: CheckedFolder, now: Now = None, as_json: AsJson = False) -> None:
    """Read every byte of a log's folder and list all that is wrong; exit 1 if anything is."""
    from skyweave.api import log

    _answer(log.log_fsck(folder, now_s=now_s(now)), as_json, show_log.checked)


@log_app.command()
def monitor(
    folder: CheckedFolder,
    since: Annotated[Path, typer.Option(help="A checkpoint that you kept, or were sent.")],
    genesis: Genesis = None,
    as_json: AsJson = False,
) -> None:
    """Say whether a log only grew since a checkpoint; exit status 1 if it forked or is behind."""
    from skyweave.api import log

    _answer(log.log_monitor(folder, since, genesis=genesis), as_json, show_log.monitored)


@log_app.command()
def prove(
    folder: Annotated[
        Path | None, typer.Argument(metavar="[DIR]", help="The log's folder, or a copy of it.")
    ] = None,
    index: Annotated[
        int | None, typer.Argument(metavar="[INDEX]", help="Which entry, from 0.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The receipt to write.")] = None,
    check: Annotated[
        Path | None, typer.Option(help="Instead: a receipt to check, without a log.")
    ] = None,
    entry: Annotated[
        Path | None, typer.Option(help="The entry's bytes: a file to write, or to check.")
    ] = None,
    trust: Annotated[
        Path | None, typer.Option(help="Log, witnesses, quorum: a file to write, or to check by.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the receipt of an entry, or check one by three small files and nothing else."""
    from skyweave.api import log

    if check is not None:
        if entry is None or trust is None or folder is not None or out is not None:
            raise typer.BadParameter("--check FILE takes --entry FILE and --trust FILE, no log")
        print_answer(log.log_check(check, entry, trust), as_json, show_log.receipt_holds)
        return
    if folder is None or index is None or out is None:
        raise typer.BadParameter("give DIR, INDEX and --out FILE; or --check FILE")
    answer = log.log_prove(folder, index, out, entry=entry, trust=trust)
    print_answer(answer, as_json, show_log.receipt_written)


def _signer(key: Path, passphrase_file: Path | None) -> Any:
    from skyweave.api.parcels import Signer

    return Signer(key, passphrase(key, passphrase_file))


def _answer(found: dict[str, Any], as_json: bool, table: Any) -> None:
    """Print what was found, and exit with 1 where it is not sound."""
    print_answer(found, as_json, table)
    if not found["sound"]:
        raise typer.Exit(1)
