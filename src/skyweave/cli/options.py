"""Options that several commands share, and how each prints its answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

ScenarioFile = Annotated[
    Path, typer.Argument(metavar="SCENARIO", help="A scenario file (TOML).", readable=False)
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, nothing else.")]
OutFolder = Annotated[
    Path | None, typer.Option("--out", help="The run folder to write. [runs/NAME]")
]
Workers = Annotated[int, typer.Option(min=1, max=256, help="Processes to share the slots among.")]
Seed = Annotated[
    int | None, typer.Option(min=0, max=2**63 - 1, help="Instead of the scenario's own seed.")
]
OperatorName = Annotated[
    str | None, typer.Option("--operator", help="Whose network; the first of the scenario's.")
]
NewFolder = Annotated[Path, typer.Option("--out", help="The folder to write; new, or empty.")]
Every = Annotated[float | None, typer.Option(help="Seconds between samples.")]
Span = Annotated[float | None, typer.Option("--for", help="Seconds the samples cover.")]
From = Annotated[str | None, typer.Option("--from", help="A place, as path takes it.")]
To = Annotated[str | None, typer.Option("--to", help="The other end of the path.")]
Read = Annotated[
    str | None, typer.Option(help="UTC at which a dish's history was read, if it has none.")
]
At = Annotated[str | None, typer.Option("--at", help="A UTC instant: 2026-06-14T12:00:12Z.")]


def plain(text: object) -> str:
    """Return text without what could end its line or steer a terminal, which is spelled out.

    Documents, logs and the names of files in a folder are other people's words.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))


def say(text: object) -> None:
    """Print one line."""
    print(plain(text))


def print_answer(
    answer: dict[str, Any], as_json: bool, table: Callable[[dict[str, Any]], None]
) -> None:
    """Print an answer as one JSON document, or as the table for people."""
    if as_json:
        text = json.dumps(answer, ensure_ascii=False, allow_nan=False)
        # As `plain` does it, in JSON's own way.
        print("".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text))
    else:
        table(answer)
