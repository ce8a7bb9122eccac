"""The `skyweave realism` commands: how close the twin is to real dishes, on anyone's files."""

from pathlib import Path
from typing import Annotated

import typer

from skyweave.cli import show_realism
from skyweave.cli.options import AsJson, Read, print_answer
from skyweave.cli.progress import Progress

realism_app = typer.Typer(
    help="How close to a real dish? Scores on your own files.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Pair = tuple[float, float]


def _pair(text: str | None, form: str) -> Pair | None:
    """Return the two numbers of LAT,LON or AZ,EL."""
    if text is None:
        return None
    try:
        first, second = (float(part) for part in text.split(","))
    except ValueError:
        # What was given is not repeated: it may be a place.
        raise typer.BadParameter(
            f"expected {form}, two numbers with a comma between and a decimal point, as 46.9,7.4"
        ) from None
    return first, second


def _codes(text: str | None) -> tuple[str, ...] | None:
    """Return the countries of XX,YY, none of them for "none"."""
    if text is None:
        return None
    return () if text == "none" else tuple(code.strip().upper() for code in text.split(","))


SITE, BORESIGHT = "LAT,LON", "AZ,EL"
Site = Annotated[
    str | None,
    typer.Option(
        metavar=SITE,
        help="Of the dish's city, in degrees; never more exact than you would publish.",
    ),
]
Boresight = Annotated[
    str | None, typer.Option(metavar=BORESIGHT, help="Where the dish says that it points.")
]
DrawSeed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help="Of what is drawn.")]
MaxAge = Annotated[float | None, typer.Option(min=0.0, help="Days that elements may be away. [2]")]


@realism_app.command()
def serving(
    chosen: Annotated[Path, typer.Option(help="Who served when: CSV, as first_SITE.csv.")],
    candidates: Annotated[Path, typer.Option(help="Who was in view: JSON, as fov_data_SITE.json.")],
    elements: Annotated[Path, typer.Option(help="Element sets of that time.")],
    site: Site = None,
    boresight: Boresight = None,
    max_age_days: MaxAge = None,
    seed: DrawSeed = 0,
    as_json: AsJson = False,
) -> None:
    """Score every built-in rule on the satellites that a dish is known to have used."""
    from skyweave import api

    with Progress() as progress:
        answer = api.realism_serving(
            chosen, candidates, elements, site=_pair(site, SITE),
            boresight=_pair(boresight, BORESIGHT),
            max_age_days=max_age_days, seed=seed, progress=progress,
        )  # fmt: skip
    print_answer(answer, as_json, show_realism.serving)


@realism_app.command()
def countries(
    metrics: Annotated[Path, typer.Option(help="CSV with iso_a3 and latency_p50_ms.")],
    domestic_only: Annotated[
        str | None,
        typer.Option(
            metavar="XX,YY",
            help="Countries whose gateways serve nobody abroad, a hypothesis; none for no country. "
            "[BD,ID,TR]",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Predict each country's median latency with one constant for all, never fitted on the file."""
    from skyweave import api

    with Progress() as progress:
        answer = api.realism_countries(
            metrics, domestic_only=_codes(domestic_only), progress=progress
        )
    print_answer(answer, as_json, show_realism.countries)


@realism_app.command()
def pings(
    series: Annotated[Path, typer.Argument(metavar="FILE", help="ping, irtt, CSV, dish history.")],
    period: Annotated[
        str | None, typer.Option(help="Of the delay model: 2023-09, 2025-05 or 2026-09. [nearest]")
    ] = None,
    geometry_ms: Annotated[
        float | None,
        typer.Option(min=0.0, help="Propagation there and back; [that of the model's own paths]"),
    ] = None,
    read: Read = None,
    seed: DrawSeed = 0,
    as_json: AsJson = False,
) -> None:
    """Say how a measured series of round trips looks, and how close the delay model comes to it."""
    from skyweave import api

    answer = api.realism_pings(series, period=period, geometry_ms=geometry_ms, read=read, seed=seed)
    print_answer(answer, as_json, show_realism.pings)


@realism_app.command()
def identify(
    maps: Annotated[Path, typer.Option(help="Obstruction maps: Parquet, or JSON of the dish.")],
    elements: Annotated[Path | None, typer.Option(help="Element sets of that time.")] = None,
    candidates: Annotated[Path | None, typer.Option(help="Instead: as fov_data_SITE.json.")] = None,
    site: Site = None,
    boresight: Boresight = None,
    attitude: Annotated[Path | None, typer.Option(help="Status file of a dish that moves.")] = None,
    start: Annotated[str | None, typer.Option(help="UTC of the first map, if it has none.")] = None,
    max_age_days: MaxAge = None,
    as_json: AsJson = False,
) -> None:
    """Say which satellite served in each slot, from the tracks in your dish's obstruction maps."""
    from skyweave import api

    answer = api.realism_identify(
        maps, elements=elements, candidates=candidates, site=_pair(site, SITE),
        boresight=_pair(boresight, BORESIGHT),
        attitude=attitude, start=start, max_age_days=max_age_days,
    )  # fmt: skip
    print_answer(answer, as_json, show_realism.identified)
