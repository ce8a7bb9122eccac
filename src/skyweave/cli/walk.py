"""Questions to a person at a terminal, each with its reason; scripts answer by options."""

import sys
from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

import typer

from skyweave.cli.options import plain
from skyweave.errors import InputError

Answer = TypeVar("Answer")


def at_terminal() -> bool:
    """Return whether a person is there to be asked."""
    return sys.stdin.isatty()


def refuse_unanswered(message: str) -> NoReturn:
    """Say in one line which option was not given, and exit with 2."""
    typer.echo(message, err=True)
    raise typer.Exit(2)


def one(
    option: str, why: str, given: str | None, check: Callable[[str], Answer], default: str = ""
) -> Answer:
    """Return the answer to one question: as given, or asked until it passes its check."""
    if given is not None:
        return check(given)
    if not at_terminal():
        refuse_unanswered(f"{option}: not given, and there is no terminal to ask at. {why}")
    _explain(why)
    return _asked(option.removeprefix("--"), check, default)


def several(
    option: str, why: str, given: Sequence[str] | None, check: Callable[[str], Answer], least: int
) -> list[Answer]:
    """Return the answers to a question with several, an empty line after the last."""
    if given:
        return [check(each) for each in given]
    if not at_terminal():
        refuse_unanswered(f"{option}: not given, and there is no terminal to ask at. {why}")
    _explain(f"{why} One a line; an empty line ends.")
    found: list[Answer] = []
    while True:
        word = f"{option.removeprefix('--')} {len(found) + 1}"
        answer = _asked(word, lambda text: check(text) if text else None, "")
        if answer is not None:
            found.append(answer)
        elif len(found) >= least:
            return found
        else:
            typer.echo(f"at least {least}, please", err=True)


def _explain(why: str) -> None:
    typer.echo(f"\n{why}", err=True)


def _asked(word: str, check: Callable[[str], Answer], default: str) -> Answer:
    while True:
        text = typer.prompt(word, default=default, show_default=bool(default), err=True)
        try:
            return check(str(text).strip())
        except InputError as error:
            typer.echo(plain(error), err=True)
