"""The `skyweave region` commands: what a region is, and what decides it."""

from pathlib import Path
from typing import Annotated

import typer

from skyweave.cli import show_authority
from skyweave.cli.options import AsJson, At, print_answer
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

region_app = typer.Typer(
    help="Regions: sets of cells, versioned and signed.", no_args_is_help=True,
    rich_markup_mode=None,
)  # fmt: skip


@region_app.command()
def make(
    geojson: Annotated[Path, typer.Argument(metavar="GEOJSON", help="The border: polygons.")],
    region_id: Annotated[str, typer.Option("--id", help="What the region is called in the log.")],
    title: Annotated[str, typer.Option(help="What people call it.")],
    key: KeyFile,
    out: OutParcel,
    rule: Annotated[
        str, typer.Option(help="centre, inside or overlap: which cells the border holds.")
    ] = "centre",
    version: Annotated[
        int, typer.Option(min=1, help="1 is new; a later one takes effect by amend_region.")
    ] = 1,
    licence: Annotated[
        bool, typer.Option("--licence/--no-licence", help="Whether service needs a licence there.")
    ] = True,
    claim: Annotated[
        list[str] | None,
        typer.Option(metavar="CH:BASIS", help="Who claims it, and on what basis; repeatable."),
    ] = None,
    boundary_data: Annotated[
        str, typer.Option(help="Name and version of the data the border is from.")
    ] = "",
    publish_after: Annotated[
        float | None,
        typer.Option(metavar="DAYS", help="Withhold the border so long: 30 days at most."),
    ] = None,
    passphrase_file: PassphraseFile = None,
    now: Now = None,
    as_json: AsJson = False,
) -> None:
    """Make a region from a border, sign it, and write the parcel."""
    from skyweave.api import regions
    from skyweave.api.parcels import Signer

    draft = regions.RegionDraft(
        region_id, title, rule, version, licence, claim or (), publish_after, boundary_data
    )
    signer = Signer(key, passphrase(key, passphrase_file))
    answer = regions.make_region(geojson, draft, signer, out, now_s=now_s(now))
    print_answer(answer, as_json, show_authority.region_made)


@region_app.command()
def show(
    log: LogFolder,
    region_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One region; without it all.")
    ] = None,
    at: At = None,
    genesis: Genesis = None,
    no_quorum: WithoutQuorum = False,
    as_json: AsJson = False,
) -> None:
    """Say what a region is, whose claims it carries, and what decides it at a time."""
    from skyweave.api import regions
    from skyweave.api.authority import LogSource

    at_s = now_s(None) if at is None else utc_s(at, "--at")
    answer = regions.show_regions(LogSource(log, genesis, not no_quorum), region_id, at_s=at_s)
    print_answer(answer, as_json, show_authority.regions)
