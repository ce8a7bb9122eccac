"""The `skyweave` command."""

import io
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

import skyweave
from skyweave.cli import show, show_realism
from skyweave.cli.agreement import agreement_app
from skyweave.cli.approve import approve
from skyweave.cli.charter import charter_app
from skyweave.cli.directive import directive_app
from skyweave.cli.log import log_app
from skyweave.cli.options import (
    AsJson,
    At,
    Every,
    From,
    NewFolder,
    OperatorName,
    OutFolder,
    Read,
    ScenarioFile,
    Seed,
    Span,
    To,
    Workers,
    plain,
    print_answer,
)
from skyweave.cli.party import party_app
from skyweave.cli.progress import Progress
from skyweave.cli.realism import realism_app
from skyweave.cli.region import region_app
from skyweave.cli.request import request_app
from skyweave.errors import SkyweaveError

app = typer.Typer(
    name="skyweave",
    help="An open LEO satellite-broadband system: who is served by which satellite, and why not.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
catalogue_app = typer.Typer(help="Element sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(catalogue_app, name="catalogue")
export_app = typer.Typer(
    help="Write the network for other programs.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(export_app, name="export")
app.add_typer(realism_app, name="realism")
app.add_typer(party_app, name="party")
app.add_typer(charter_app, name="charter")
app.add_typer(region_app, name="region")
app.add_typer(agreement_app, name="agreement")
app.add_typer(request_app, name="request")
app.add_typer(directive_app, name="directive")
app.command()(approve)
app.add_typer(log_app, name="log")

MAX_REFUSAL = 1000  # characters of a refusal
_verbose = False


def main() -> None:
    """Run the command line; a refusal is one line on stderr and exit status 1."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # names that the terminal's alphabet lacks
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        app()
    except SkyweaveError as error:
        if _verbose:
            raise
        _refuse(str(error))
    except BrokenPipeError:  # the reader of our output went away, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(1) from None
    except OSError as error:
        if _verbose:
            raise
        place, reason = error.filename or "skyweave", error.strerror or error
        _refuse(f"{place}: {reason}; check the name, its rights and the room on the disk")


def _refuse(message: str) -> NoReturn:
    """Print one line, without what could steer a terminal, and exit with 1."""
    line = plain(message)
    print(line if len(line) <= MAX_REFUSAL else f"{line[:MAX_REFUSAL]}...", file=sys.stderr)
    raise SystemExit(1) from None


def _version(wanted: bool) -> None:
    if wanted:
        print(f"skyweave {skyweave.__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option(help="Show where a refusal comes from.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    global _verbose
    _verbose = verbose


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="The run folder to write.")] = Path("demo"),
    workers: Workers = 1,
    as_json: AsJson = False,
) -> None:
    """Compute an hour of the real Starlink fleet for 2,002 terminals, and show it."""
    from skyweave import api

    with Progress() as progress:
        run = api.demo(out, workers=workers, progress=progress)
    _print_run(run, as_json)


@app.command()
def init(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The scenario file to write.")],
    as_json: AsJson = False,
) -> None:
    """Write a commented scenario to start from."""
    from skyweave import api

    api.init(file)
    print_answer(
        {"written": str(file)}, as_json, lambda _: print(f"{file}: try skyweave run {file}")
    )


@app.command()
def run(
    scenario: ScenarioFile,
    out: OutFolder = None,
    workers: Workers = 1,
    seed: Seed = None,
    without: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND:ID",
            help="What has failed, as in country:DE; repeatable. Kinds: satellite, link, plane, "
            "gateway, pop, country, operator, core.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compute a scenario, slot by slot, into a run folder."""
    from skyweave import api

    folder = out or Path("runs") / scenario.stem
    with Progress() as progress:
        result = api.run(
            scenario, folder, workers=workers, seed=seed, without=without or (), progress=progress
        )
    _print_run(result, as_json)


@app.command()
def explain(
    scenario: Annotated[
        Path | None,
        typer.Argument(metavar="[SCENARIO]", help="Without it: the built-in fleet and gateways."),
    ] = None,
    terminal: Annotated[str | None, typer.Option(help="A terminal of the scenario.")] = None,
    lat: Annotated[float | None, typer.Option(help="Latitude in degrees, north positive.")] = None,
    lon: Annotated[float | None, typer.Option(help="Longitude in degrees, east positive.")] = None,
    at: At = None,
    operator: OperatorName = None,
    as_json: AsJson = False,
) -> None:
    """Say who serves a terminal in a slot, over which path; or why nobody does."""
    from skyweave import api

    if at is None:
        raise typer.BadParameter("give the instant, for example --at 2026-06-14T12:00:12Z")
    with Progress() as progress:
        answer = api.explain(
            scenario, terminal=terminal, lat_deg=lat, lon_deg=lon, at=at, operator=operator,
            progress=progress,
        )  # fmt: skip
    print_answer(answer, as_json, show.explanation)


@app.command()
def edge(
    scenario: ScenarioFile,
    terminal: Annotated[str, typer.Option(help="A moving terminal of the scenario: your own.")],
    region: Annotated[Path, typer.Option(help="The area with service: GeoJSON polygons.")],
    exclude: Annotated[bool, typer.Option("--exclude", help="It is an area without.")] = False,
    rule: Annotated[
        str, typer.Option(help="centre, inside or overlap: which cells the area holds.")
    ] = "centre",
    account: Annotated[
        str | None, typer.Option(help="The terminal's account, if the scenario has several.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict where a moving terminal loses service on its track, and where it finds it again."""
    from skyweave import api

    with Progress() as progress:
        answer = api.edge(
            scenario, terminal, region, account=account, exclude=exclude, rule=rule,
            progress=progress,
        )  # fmt: skip
    print_answer(answer, as_json, show.edge)


@app.command()
def path(
    scenario: ScenarioFile,
    start: Annotated[str, typer.Argument(metavar="FROM", help="A site, terminal, city, gateway.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="Likewise, or a PoP.")],
    at: At = None,
    every: Every = None,
    span: Span = None,
    k: Annotated[int, typer.Option("--k", min=1, max=100, help="How many disjoint paths.")] = 1,
    disjoint: Annotated[str, typer.Option(help="satellite or edge: what paths may not share.")] = (
        "satellite"
    ),
    analyse: Annotated[
        bool,
        typer.Option("--analyse", help="Changes, stretch, single failures, and why no path."),
    ] = False,
    operator: OperatorName = None,
    as_json: AsJson = False,
) -> None:
    """Find the cheapest path between two places on the ground over the network."""
    from skyweave import api

    with Progress() as progress:
        answer = api.path(
            scenario, start, end, at=at, every_s=every, for_s=span, k=k, disjoint=disjoint,
            analyse=analyse, operator=operator, progress=progress,
        )  # fmt: skip
    print_answer(answer, as_json, lambda found: show.path(found, k))


@app.command()
def pairs(
    scenario: ScenarioFile,
    at: At = None,
    every: Every = None,
    span: Span = None,
    relays: Annotated[
        str | None, typer.Option(help="sites or gateways: who may relay on the ground.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A table to write, a row per pair: .csv or .parquet.")
    ] = None,
    operator: OperatorName = None,
    as_json: AsJson = False,
) -> None:
    """Study the paths between all sites of a scenario: delay, stretch, changes, busiest links."""
    from skyweave import api

    with Progress() as progress:
        answer = api.pairs(
            scenario, at=at, every_s=every, for_s=span, relays=relays, out=out, operator=operator,
            progress=progress,
        )  # fmt: skip
    print_answer(answer, as_json, show.pairs)


@export_app.command("hypatia")
def export_hypatia(
    scenario: ScenarioFile,
    out: NewFolder,
    at: At = None,
    every: Every = None,
    span: Span = None,
    operator: OperatorName = None,
    as_json: AsJson = False,
) -> None:
    """Write forwarding state between the sites as satgenpy does, for Hypatia's tools."""
    from skyweave import api

    with Progress() as progress:
        answer = api.export_hypatia(
            scenario, out, at=at, every_s=every, for_s=span, operator=operator, progress=progress
        )
    print_answer(answer, as_json, show.export)


@export_app.command("csv")
def export_csv(
    scenario: ScenarioFile,
    out: NewFolder,
    at: At = None,
    every: Every = None,
    span: Span = None,
    operator: OperatorName = None,
    as_json: AsJson = False,
) -> None:
    """Write satellites, laser links, and what the sites see and reach, as plain CSV."""
    from skyweave import api

    with Progress() as progress:
        answer = api.export_csv(
            scenario, out, at=at, every_s=every, for_s=span, operator=operator, progress=progress
        )
    print_answer(answer, as_json, show.export)


@export_app.command("trace")
def export_trace(
    source: Annotated[
        Path, typer.Argument(metavar="SCENARIO", help="A scenario, or with --terminal a run.")
    ],
    out: NewFolder,
    start: From = None,
    end: To = None,
    terminal: Annotated[
        str | None, typer.Option(help="Instead of a path, the slots of this terminal.")
    ] = None,
    at: At = None,
    every: Every = None,
    span: Span = None,
    rate_bps: Annotated[
        float | None, typer.Option(help="Bit/s, your figure: for mahimahi and netem.")
    ] = None,
    operator: OperatorName = None,
    as_json: AsJson = False,
) -> None:
    """Write delay and outages over time, to replay with mahimahi or netem, or as CSV."""
    from skyweave import api

    with Progress() as progress:
        answer = api.export_trace(
            source, out, start=start, end=end, terminal=terminal, at=at, every_s=every, for_s=span,
            rate_bps=rate_bps, operator=operator, progress=progress,
        )  # fmt: skip
    print_answer(answer, as_json, show.export)


@app.command()
def compare(
    scenario: ScenarioFile,
    measured: Annotated[
        Path, typer.Option(help="Round trips: ping, irtt, CSV, or a dish's history.")
    ],
    terminal: Annotated[str | None, typer.Option(help="Which of the scenario's. [first]")] = None,
    read: Read = None,
    out: Annotated[Path | None, typer.Option(help="A picture to draw: .png, .svg or .pdf.")] = None,
    as_json: AsJson = False,
) -> None:
    """Lay your own measured round trips over a run: where they agree, and where not."""
    from skyweave import api

    with Progress() as progress:
        answer = api.compare(
            scenario, measured, terminal=terminal, read=read, out=out, progress=progress
        )
    print_answer(answer, as_json, show_realism.comparison)
    if out is not None and not as_json:
        print(out)


@app.command()
def validate(
    ids: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ID ...]", help="Rows or families: HYP-10, CEL. [all]"),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="A page to write as well, in Markdown.")] = None,
    as_json: AsJson = False,
) -> None:
    """Compute published results anew: expected, actual, verdict."""
    from skyweave import api

    with Progress() as progress:
        found = api.validate(ids or (), out=out, progress=progress)
    if as_json:
        print(json.dumps(found, ensure_ascii=False, allow_nan=False))
    else:
        show.validation(found)
        if out is not None:
            print(out)


@app.command()
def plot(
    source: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or a scenario.")],
    what: Annotated[
        str,
        typer.Option(
            help="Of a run rtt, map, coverage or reasons; of a scenario sky, rtt-over-time or "
            "path-ecdf."
        ),
    ],
    out: Annotated[Path, typer.Option(help="The picture to write: .png, .svg or .pdf.")],
    terminal: Annotated[str | None, typer.Option(help="Whose sky.")] = None,
    at: At = None,
    start: From = None,
    end: To = None,
    every: Every = None,
    span: Span = None,
    beside: Annotated[
        list[Path] | None, typer.Option(help="A scenario to draw beside it; may be repeated.")
    ] = None,
    operator: OperatorName = None,
    as_json: AsJson = False,
) -> None:
    """Draw a run; or of a scenario a terminal's sky, a path over time, or all pairs of sites."""
    from skyweave import api

    with Progress() as progress:
        api.plot(
            source, what, out, terminal=terminal, at=at, start=start, end=end, every_s=every,
            for_s=span, beside=beside or (), operator=operator, progress=progress,
        )  # fmt: skip
    print_answer({"written": str(out)}, as_json, lambda _: print(out))


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Report what this machine offers: cores, threading, kernel cache, catalogue age, extras."""
    from skyweave import api

    print_answer(api.doctor(), as_json, show.doctor)


@catalogue_app.command("check")
def catalogue_check(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A file, folder or builtin:NAME.")],
    as_json: AsJson = False,
) -> None:
    """Read element sets and report what is in them and what was refused."""
    from skyweave import api

    print_answer(api.catalogue_check(file), as_json, show.catalogue)


@catalogue_app.command("update")
def catalogue_update(
    group: Annotated[
        list[str] | None, typer.Option(help="A CelesTrak group; may be repeated. [active]")
    ] = None,
    url: Annotated[
        str | None, typer.Option("--from", help="A mirror's address; {group} in it is the group.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch today's element sets into the cache: use them as source = "cache:active"."""
    from skyweave import api

    with Progress() as progress:
        fetched = api.catalogue_update(group or ["active"], url=url, progress=progress)
    answer = fetched[0] if len(fetched) == 1 else {"groups": fetched}
    print_answer(answer, as_json, lambda _: show.catalogue_update(fetched))


def _warn(warnings: Iterable[str]) -> None:
    for text in warnings:
        print(f"warning: {text}", file=sys.stderr)


def _print_run(result: Any, as_json: bool) -> None:
    _warn(result.manifest["warnings"])
    print_answer(result.summary, as_json, show.summary)
    if not as_json:
        show.files(result.folder)
