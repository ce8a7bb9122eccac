"""Export to Hypatia: the files that its satgenpy writes and its packet simulation reads.

The forwarding state is that of satgenpy's `algorithm_free_one_only_over_isls`: every node has one
antenna between sky and ground, a path enters and leaves by any satellite in view, and no ground
station lies inside a path.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS84_A_M
from skyweave.errors import InputError
from skyweave.time import TimeGrid, format_utc
from skyweave.twin.catalogue import Catalogue
from skyweave.twin.catalogue.tle import read_tle
from skyweave.twin.export._hypatia_text import (
    Links,
    change_text,
    changed,
    element_sets,
    forwarding_table,
    ground_stations,
    isl_pairs,
    links_of,
    no_table,
)
from skyweave.twin.export.drafts import check_free, draft_folder
from skyweave.twin.orbits import propagate
from skyweave.twin.routing import Roots, TreeGrower
from skyweave.twin.routing.ground_pairs import pair_costs
from skyweave.twin.snapshots import Snapshot, WorldAt, site_places, site_views, snapshots
from skyweave.twin.world import World, isl_plan

# satgenpy finds lengths that differ from ours by up to 70 m, and its analysis stops at a hop that
# it finds longer than description.txt allows: the limits written there leave this much room.
READER_ROOM_M = 100.0
MAX_ROWS = 20_000_000  # of a forwarding state: 0.4 GB as text
MAX_STEPS = 1_000_000
STEPS_PER_REPORT = 100
SAME_INSTANT_NS = 1_000_000  # the last digit of an epoch in a TLE is 0.86 ms
ELEMENTS = (
    "epoch_utc", "mean_motion_rev_day", "eccentricity", "inclination_deg", "raan_deg", "argp_deg",
    "mean_anomaly_deg", "bstar_per_radius",
)  # fmt: skip

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]


def _silent(_: str) -> None:
    """Report no progress."""


def export_hypatia(
    world: World,
    at_utc: np.datetime64,
    every_s: float,
    for_s: float,
    out: str | Path,
    progress: Callable[[str], None] = _silent,
    *,
    world_at: WorldAt | None = None,
) -> dict[str, Any]:
    """Write the network folder `out` from `at_utc` on, a step every `every_s` for `for_s` seconds.

    Ground stations are the scenario's sites; gateways, PoPs and terminals have no place in it.  All
    is computed from the elements as `tles.txt` holds them, so that a reader's satellites are ours.
    `world_at` tells what has failed at an instant, as for `snapshots`.
    Returns what was written.
    """
    out, source = Path(out), world.scenario.source
    every_ms, t_s = _steps(every_s, for_s)
    _refuse_size(world)
    check_free(out)
    lines = list(element_sets(world.fleet.catalogue))
    written = _as_written(world, lines)
    at_utc = _epoch(written.fleet.catalogue, at_utc, source)
    export = _Export(written, at_utc, world_at)
    with draft_folder(out) as draft:
        progress("export: elements, sites and laser links")
        _write_lines(draft / "tles.txt", _tles(world.fleet.catalogue, lines))
        _write_lines(draft / "ground_stations.txt", ground_stations(world.scenario.sites))
        _write_lines(draft / "gsl_interfaces_info.txt", (f"{n},1,1.000000" for n in export.nodes))
        state = draft / f"dynamic_state_{every_ms}ms_for_{round(for_s)}s"
        state.mkdir()
        for done, now in enumerate(export.snapshots(t_s), start=1):
            export.write_step(now, state, round(now.t_s * 1e3) * 1_000_000)
            if done % STEPS_PER_REPORT == 0:
                progress(f"export: {done:,} of {t_s.size:,} steps")
        _write_lines(draft / "isls.txt", (f"{a} {b}" for a, b in export.isls))
        limits = export.limits
        _write_lines(draft / "description.txt", (f"{k}={v:.10f}" for k, v in limits.items()))
    return {
        "kind": "hypatia",
        "out": str(out),
        "epoch_utc": format_utc(at_utc),
        "satellites": export.satellites,
        "ground_stations": export.sites,
        "isls": len(export.isls),
        "steps": int(t_s.size),
        "rows": export.rows,
        "files": 5 + 2 * int(t_s.size),
        "dynamic_state": state.name,
        **limits,
        "elements_moved_m": _moved_m(world, written, at_utc),
    }


def _steps(every_s: float, for_s: float) -> tuple[int, FloatArray]:
    """Return the step in ms and the instants 0, every_s, 2 every_s, ... below for_s."""
    every_ms = _whole(every_s * 1e3, "--every", every_s, "milliseconds")
    for_ms = 1000 * _whole(for_s, "--for", for_s, "seconds")
    steps = -(-for_ms // every_ms)
    if steps > MAX_STEPS:
        raise InputError(
            f"--every {every_s:g} --for {for_s:g} makes {steps:,} steps of two files each; "
            f"expected at most {MAX_STEPS:,} steps"
        )
    return every_ms, np.arange(steps) * every_ms / 1e3


def _whole(value: float, option: str, given_s: float, unit: str) -> int:
    if not 1.0 <= value <= 1e12 or abs(value - round(value)) > 1e-6:
        raise InputError(
            f"{option} {given_s:g}: Hypatia's folder names hold whole {unit}, at least 1; "
            "change the number of seconds"
        )
    return round(value)


def _refuse_size(world: World) -> None:
    sites, satellites = len(world.scenario.sites), len(world.fleet.catalogue)
    if not sites:
        raise InputError(
            f"{world.scenario.source}: no [[sites]], which are Hypatia's ground stations; add some"
        )
    rows = sites * (satellites + sites - 1)
    if rows > MAX_ROWS:
        raise InputError(
            f"{world.scenario.source}: {satellites:,} satellites and {sites:,} sites make a "
            f"forwarding state of {rows:,} rows, expected at most {MAX_ROWS:,}; take fewer sites"
        )


def _as_written(world: World, lines: list[str]) -> World:
    """Return the world with the elements that a reader of these lines gets."""
    catalogue = world.fleet.catalogue
    read = read_tle("\n".join(lines).encode(), f"{world.scenario.source}: tles.txt")
    if read.issues:
        row = (read.issues[0].line - 1) // 2
        raise InputError(
            f'{world.scenario.source}: "{catalogue.name[row]}" does not fit in tles.txt: '
            f"{read.issues[0].reason}; leave it out"
        )
    rounded = replace(catalogue, **{name: getattr(read, name) for name in ELEMENTS})
    return replace(world, fleet=replace(world.fleet, catalogue=rounded))


def _epoch(catalogue: Catalogue, at_utc: np.datetime64, source: str) -> np.datetime64:
    """Return the one epoch of all elements, from which Hypatia counts time."""
    epochs = np.unique(catalogue.epoch_utc)
    if epochs.size > 1:
        raise InputError(
            f"{source}: the elements have {epochs.size:,} different epochs, and Hypatia's tles.txt "
            "allows one; export a scenario of [[shells]], or skyweave export csv"
        )
    epoch_utc: np.datetime64 = epochs[0]
    if abs(epoch_utc - at_utc) > np.timedelta64(SAME_INSTANT_NS, "ns"):
        raise InputError(
            f"{source}: the export would start at {format_utc(at_utc)}, but Hypatia counts time "
            f"from the elements' epoch, {format_utc(epoch_utc)}; start it then"
        )
    return epoch_utc


def _tles(catalogue: Catalogue, lines: list[str]) -> Iterator[str]:
    """Yield the lines of tles.txt: orbits and satellites in each, then three for each satellite."""
    yield "{} {}".format(*_orbits(catalogue))
    for row, name in enumerate(catalogue.name.tolist()):
        yield f"{(name.split() or ['SATELLITE'])[0]} {row}"  # the number is the second word
        yield from lines[2 * row : 2 * row + 2]


def _orbits(catalogue: Catalogue) -> tuple[int, int]:
    """Return how many orbits there are, and the satellites in each.

    Readers take the product for the number of satellites.  Where planes hold unequal numbers, or
    satellites lie on no grid, each satellite counts as an orbit of its own.
    """
    planes = np.column_stack((catalogue.grid_shell, catalogue.grid_plane))
    _, count = np.unique(planes, axis=0, return_counts=True)
    if catalogue.grid_plane.min() < 0 or count.min() != count.max():
        return len(catalogue), 1
    return count.size, int(count[0])


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def _moved_m(world: World, written: World, at_utc: np.datetime64) -> float:
    """Return how far the rounding of the elements moves a satellite at the start, at most."""
    grid = TimeGrid(at_utc, np.zeros(1))
    ours, theirs = (
        propagate(each.fleet.catalogue, grid, each.orientation).sat_itrf_m[0]
        for each in (world, written)
    )
    return float(np.nanmax(np.linalg.norm(ours - theirs, axis=1)))


class _Export:
    """The forwarding state as it moves from step to step, and what the steps have in common."""

    def __init__(self, world: World, at_utc: np.datetime64, world_at: WorldAt | None) -> None:
        self._world, self._at_utc, self._world_at = world, at_utc, world_at
        self.satellites, self.sites = len(world.fleet.catalogue), len(world.scenario.sites)
        self.nodes = range(self.satellites + self.sites)
        self._places = site_places(world.scenario.sites)
        self._limits = isl_plan(world, at_utc).limits
        self._table = no_table(self.satellites, self.sites)
        self._grower = TreeGrower(with_hops=False)
        self._links: Links | None = None  # those of the first step, in force for all
        self._farthest_view_m = self._highest_m = 0.0
        self.rows = 0

    def snapshots(self, t_s: FloatArray) -> Iterator[Snapshot]:
        for _, chunk in snapshots(self._world, self._at_utc, t_s, self._in_force):
            yield from chunk

    def _in_force(self, utc: np.datetime64) -> World:
        """Return the world with what has failed at an instant, and the elements as written."""
        now = self._world if self._world_at is None else self._world_at(utc)
        return replace(now, fleet=self._world.fleet)

    def write_step(self, now: Snapshot, folder: Path, t_ns: int) -> None:
        """Write both files of one step."""
        links = self._same_links(now)
        seen, range_m = site_views(self._world, self._places, now.sat_itrf_m)
        offset_m = range_m if now.world.core_is_up else np.full_like(range_m, np.inf)
        roots = Roots(seen.site_start, seen.sat, offset_m)
        trees = self._grower.trees(now.neighbour, now.length_m, roots)
        ways = pair_costs(seen.site_start, seen.sat, offset_m, trees.cost)
        table = forwarding_table(trees.next_hop, trees.cost, ways.ingress)
        changes = changed(self._table, table)
        self._table = table
        with (folder / f"fstate_{t_ns}.txt").open("wb") as file:
            for text in change_text(changes, table, links):
                file.write(text)
        # Only the first step's file holds rates: they never change.
        _write_lines(folder / f"gsl_if_bandwidth_{t_ns}.txt", () if t_ns else self._rates(links))
        self.rows += changes.to_site.size
        self._farthest_view_m = max(self._farthest_view_m, range_m.max(initial=0.0))
        height_m = np.sqrt(np.einsum("nk,nk->n", now.sat_itrf_m, now.sat_itrf_m))
        self._highest_m = max(self._highest_m, float(np.nanmax(height_m)))

    @property
    def isls(self) -> list[tuple[int, int]]:
        """The pairs of satellites with a laser link."""
        return [] if self._links is None else isl_pairs(self._links.neighbour)

    @property
    def limits(self) -> dict[str, float]:
        """What description.txt says: no link is longer.

        To the ground that is the scenario's range, or where an elevation decides the longest that
        occurred; between satellites the plan's range, or the longest line above the air between
        two of the highest.
        """
        visibility = self._world.scenario.visibility
        gsl_m = visibility.max_range_m if visibility.mode == "range" else self._farthest_view_m
        assert gsl_m is not None
        lowest_m = WGS84_A_M + self._limits.min_grazing_m
        sight_m = 2.0 * np.sqrt(max(self._highest_m**2 - lowest_m**2, 0.0))
        isl_m = min(self._limits.max_range_m, float(sight_m))
        return {
            "max_gsl_length_m": gsl_m + READER_ROOM_M,
            "max_isl_length_m": isl_m + READER_ROOM_M,
        }

    def _same_links(self, now: Snapshot) -> Links:
        if self._links is None:
            self._links = links_of(now.neighbour)
        elif not np.array_equal(self._links.neighbour, now.neighbour):
            raise InputError(
                f"{self._world.scenario.source}: laser links change, or fail, {now.t_s:g} s after "
                "the start, and isls.txt holds for the whole run; take a plan whose links "
                "stay, such as plus-grid, or a shorter --for"
            )
        return self._links

    def _rates(self, links: Links) -> Iterator[str]:
        interface = [*links.ground_interface.tolist(), *(0 for _ in range(self.sites))]
        return (f"{node},{own},1.000000" for node, own in enumerate(interface))
