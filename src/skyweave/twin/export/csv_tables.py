"""Export to plain CSV: satellites, laser links, views and paths of the network over time.

Terminals are not in it: where they stand is for their owner alone.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import skyweave
from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.policy.reasons import SERVED, Reason, reason_names
from skyweave.time import format_utc
from skyweave.twin.export.csv_files import CsvFile
from skyweave.twin.export.drafts import check_free, draft_folder
from skyweave.twin.geometry import VisiblePairs, keep, pair_angles, visible_pairs
from skyweave.twin.pairs import PairSample, pairs_over_time
from skyweave.twin.sight import sky_tests
from skyweave.twin.snapshots import Snapshot, WorldAt, site_places, snapshots
from skyweave.twin.world import World, site_mask

MAX_ROWS = 50_000_000  # of all files together: some 3 GB
INSTANTS_PER_REPORT = 100
COLUMNS = {
    "satellites": ("t_s", "norad_id", "x_itrf_m", "y_itrf_m", "z_itrf_m", "on_station"),
    "links": ("t_s", "norad_id_a", "norad_id_b", "length_m", "delay_s"),
    "sites": ("site", "lat_deg", "lon_deg", "height_wgs84_m", "x_itrf_m", "y_itrf_m", "z_itrf_m"),
    "views": ("t_s", "site", "norad_id", "elevation_deg", "azimuth_deg", "range_m"),
    "paths": ("t_s", "from", "to", "up", "rtt_s", "reason", "hops", "satellites"),
}
MILLIMETRES, MICRODEGREES, PICOSECONDS = 3, 6, 12  # decimals that are written

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]
ReasonArray = NDArray[np.int16]


def _silent(_: str) -> None:
    """Report no progress."""


def export_csv(
    world: World,
    at_utc: np.datetime64,
    t_s: FloatArray,
    out: str | Path,
    progress: Callable[[str], None] = _silent,
    *,
    world_at: WorldAt | None = None,
) -> dict[str, Any]:
    """Write the network at the instants `at_utc + t_s` (rising) into folder `out`.

    Places on the ground are the scenario's sites, and paths are those between all pairs of them.
    `world_at` tells what has failed at an instant, as for `snapshots`.  Returns what was written.
    """
    out = Path(out)
    check_free(out)
    with draft_folder(out) as draft:
        with ExitStack() as stack:
            files = {
                name: stack.enter_context(CsvFile(draft / f"{name}.csv", columns))
                for name, columns in COLUMNS.items()
            }
            tables = _Tables(world, files, t_s)
            progress("export: orbits and links")
            _write_sites(world, files["sites"])
            for done, now in enumerate(_each(world, at_utc, t_s, world_at), start=1):
                tables.write(now)
                if done % INSTANTS_PER_REPORT == 0:
                    progress(f"export: {done:,} of {t_s.size:,} instants")
            progress("export: paths between the sites")
            for done, sample in enumerate(tables.pairs(at_utc, world_at), start=1):
                tables.write_paths(done - 1, sample)
                if done % INSTANTS_PER_REPORT == 0:
                    progress(f"export: paths of {done:,} of {t_s.size:,} instants")
        facts = {"start_utc": format_utc(at_utc), "instants": int(t_s.size)}
        rows = {f"{name}.csv": file.rows for name, file in files.items()}
        readme = _README.format(**facts, version=skyweave.__version__)
        (draft / "README.txt").write_text(readme, encoding="utf-8", newline="\n")
    return {"kind": "csv", "out": str(out), **facts, "rows": rows}


def _each(
    world: World, at_utc: np.datetime64, t_s: FloatArray, world_at: WorldAt | None
) -> Iterator[Snapshot]:
    for _, chunk in snapshots(world, at_utc, t_s, world_at):
        yield from chunk


def _write_sites(world: World, file: CsvFile) -> None:
    sites = world.scenario.sites
    itrf_m, _ = site_places(sites)
    file.write(
        [site.name for site in sites],
        [site.lat_deg for site in sites],
        [site.lon_deg for site in sites],
        [site.height_wgs84_m for site in sites],
        *itrf_m.T.round(MILLIMETRES),
    )


class _Tables:
    """The files as they grow from instant to instant."""

    def __init__(self, world: World, files: dict[str, CsvFile], t_s: FloatArray) -> None:
        self._world, self._files, self._t_s = world, files, t_s
        self._norad_id = world.fleet.catalogue.norad_id
        self._names = np.array([site.name for site in world.scenario.sites], dtype=np.str_)
        self._places = site_places(world.scenario.sites)
        self._from, self._to = np.triu_indices(self._names.size, 1)
        self._refuse_size(self._norad_id.size + self._from.size)
        # Why a site sees nothing at an instant, for the paths that are written after all else.
        self._blind: ReasonArray = np.full((t_s.size, self._names.size), SERVED, np.int16)
        self._done = 0

    def write(self, now: Snapshot) -> None:
        """Add one instant to the tables of satellites, links and views."""
        seen, self._blind[self._done] = _views(self._world, now.sat_itrf_m)
        sat, neighbour = _once(now.neighbour)
        if self._done == 0:
            self._refuse_size(len(now.sat_itrf_m) + len(seen) + len(sat) + self._from.size)
        self._write_satellites(now)
        self._write_links(now, sat, neighbour)
        self._write_views(now, seen)
        self._done += 1

    def _refuse_size(self, rows: int) -> None:
        if rows * self._t_s.size > MAX_ROWS:
            raise InputError(
                f"{self._world.scenario.source}: {self._t_s.size:,} instants of some {rows:,} rows "
                f"each; expected at most {MAX_ROWS:,} rows; take a larger --every or a shorter "
                "--for, or fewer sites"
            )

    def _write_satellites(self, now: Snapshot) -> None:
        self._files["satellites"].write(
            np.full(self._norad_id.size, _second(now.t_s)),
            self._norad_id,
            *now.sat_itrf_m.T.round(MILLIMETRES),
            self._world.fleet.serves.astype(np.int8),
        )

    def _write_links(self, now: Snapshot, sat: RowArray, slot: RowArray) -> None:
        length_m = now.length_m[sat, slot]
        self._files["links"].write(
            np.full(sat.size, _second(now.t_s)),
            self._norad_id[sat],
            self._norad_id[now.neighbour[sat, slot]],
            length_m.round(MILLIMETRES),
            (length_m / SPEED_OF_LIGHT_M_S).round(PICOSECONDS),
        )

    def _write_views(self, now: Snapshot, seen: VisiblePairs) -> None:
        look = pair_angles(*self._places, now.sat_itrf_m, seen.site_rows, seen.sat)
        line_m = now.sat_itrf_m[seen.sat] - self._places[0][seen.site_rows]
        self._files["views"].write(
            np.full(len(seen), _second(now.t_s)),
            self._names[seen.site_rows],
            self._norad_id[seen.sat],
            look.elevation_deg.round(MICRODEGREES),
            look.azimuth_deg.round(MICRODEGREES),
            np.linalg.norm(line_m, axis=1).round(MILLIMETRES),
        )

    def pairs(self, at_utc: np.datetime64, world_at: WorldAt | None) -> Iterator[PairSample]:
        """Yield all pairs' paths at each instant; nothing where there are no two sites."""
        if self._from.size == 0:
            return iter(())
        return pairs_over_time(
            self._world,
            self._world.scenario.sites,
            at_utc,
            self._t_s,
            paths=True,
            world_at=world_at,
        )

    def write_paths(self, instant: int, sample: PairSample) -> None:
        """Add one instant to the table of paths, each pair once."""
        assert sample.nodes is not None
        a, b, blind = self._from, self._to, self._blind[instant]
        hops = sample.hops[a, b]
        is_path = hops >= 0
        reason = np.where(blind[a] != SERVED, blind[a], blind[b])
        reason = np.where(reason != SERVED, reason, Reason.NO_GATEWAY_PATH.number)
        between = map(sample.nodes.between, a.tolist(), b.tolist())
        self._files["paths"].write(
            np.full(a.size, _second(sample.t_s)),
            self._names[a],
            self._names[b],
            is_path.astype(np.int8),
            np.where(is_path, sample.rtt_s[a, b], np.nan),
            [name or None for name in reason_names(np.where(is_path, SERVED, reason)).tolist()],
            np.ma.masked_array(hops, mask=~is_path),
            [" ".join(map(str, self._norad_id[rows].tolist())) or None for rows in between],
        )


def _second(t_s: float) -> float:
    """Return a time in seconds without what sums of steps leave behind the nanoseconds."""
    return round(t_s, 9)


def _once(neighbour: RowArray) -> tuple[RowArray, RowArray]:
    """Return satellite and place in its row of neighbours, (E,) each, of each link once."""
    sat, slot = np.nonzero(neighbour > np.arange(len(neighbour))[:, None])
    return sat.astype(np.int32), slot.astype(np.int32)


def _views(world: World, sat_itrf_m: FloatArray) -> tuple[VisiblePairs, ReasonArray]:
    """Return the satellites that sites may use, and why a site has none, as numbers, (S,)."""
    places = site_places(world.scenario.sites)
    usable_m = np.where(world.fleet.serves[:, None], sat_itrf_m, np.nan)
    seen = visible_pairs(*places, usable_m, site_mask(world, len(places[0])))
    reason = _blind_for(seen, np.full(seen.sites, SERVED, np.int16), Reason.NO_SATELLITE_IN_VIEW)
    for why, test in sky_tests(world, None):
        seen = keep(seen, test(seen, places, usable_m))
        reason = _blind_for(seen, reason, why)
    return seen, reason


def _blind_for(seen: VisiblePairs, reason: ReasonArray, why: Reason) -> ReasonArray:
    """Give a reason to the sites that have no satellite left and had none yet."""
    is_new = (np.diff(seen.site_start) == 0) & (reason == SERVED)
    return np.where(is_new, why.number, reason).astype(np.int16)


_README = """A satellite network over time, computed by Skyweave {version}

{instants} instants from {start_utc}; t_s counts seconds from there. Comma separated, texts quoted,
an empty field is one without a value. Positions are in ITRF, the frame that turns with the Earth
(x to longitude 0, y to 90 east, z to the north pole), in metres to the millimetre.

satellites.csv  one line per instant and satellite
  norad_id                      its catalogue number
  x_itrf_m y_itrf_m z_itrf_m    empty where it has failed, or no valid position
  on_station                    1 serves the ground, 0 only relays
links.csv       one line per instant and laser link that is up
  norad_id_a norad_id_b         its satellites, each link once
  length_m delay_s              straight through space, one way
sites.csv       one line per [[sites]] of the scenario, which do not move
  site, lat_deg lon_deg height_wgs84_m, x_itrf_m y_itrf_m z_itrf_m
views.csv       one line per instant, site and satellite that the site may use
  elevation_deg azimuth_deg     above the horizon plane of the ellipsoid; from north over east
  range_m                       straight-line distance
paths.csv       one line per instant and pair of sites: the path of least delay
  from to                       each pair once; the way back is the same
  up                            1 with a path, 0 without
  rtt_s                         there and back, with the scenario's processing time; empty without
  reason                        why there is none
  hops                          links on it, both ground links included
  satellites                    NORAD ids in order, separated by spaces

Terminals, gateways and PoPs are not in these files.
"""
