"""The edge, predicted: where and when a moving terminal loses and regains service on its way.

A terminal has service in a slot that offers it a network path and at whose both ends it stands in
a cell where service is allowed: a choice must hold at both ends.

What is computed here says where somebody will be, so it is for the terminal's own account alone:
it leaves as a return value and in no other way.  No run folder, progress line or error holds any
of it, and no error tells whether a terminal of another account moves.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.policy.reasons import REASONS, SERVED, Reason
from skyweave.policy.regions import Region, region_from_geojson
from skyweave.time import format_utc
from skyweave.twin.execution import run_slots
from skyweave.twin.terminals import Track
from skyweave.twin.world import System, terminal_row

MAX_REGION_BYTES = 16 * 2**20

_BLOCK_S = 3600  # seconds of a track looked at together for crossings; no result depends on it

BoolArray = NDArray[np.bool_]
ReasonArray = NDArray[np.int16]
TimeArray = NDArray[np.datetime64]


@dataclass(frozen=True)
class _Area:
    """Where service is allowed: in a region, or everywhere but there."""

    region: Region
    outside: bool

    @property
    def refusal(self) -> Reason:
        """Why there is no service where it is not allowed."""
        return Reason.BLOCKED_AREA if self.outside else Reason.CELL_IS_DISABLED

    def allows(self, track: Track, utc: TimeArray) -> BoolArray:
        """Return where the terminal may have service, at instants (T,) of its track."""
        place = track.at(utc)
        return self.region.contains(place.lat_deg, place.lon_deg) ^ self.outside


def predict_edges(
    system: System,
    row: int,
    region: Region,
    outside: bool = False,
    progress: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Return where terminal `row` loses service on its track and finds it again, as plain values.

    Service is allowed in the cells of `region`, or with `outside` in all others.  The answer
    covers the slots of the run at whose both ends the position is known.  Each of `edges` is a gap
    of one slot or more: `reason` is that of its first slot, `reasons` counts its slots by reason.
    A gap that is there from the first slot on `begins_before` and has no `ends_utc`; one that is
    there in the last slot `lasts_beyond` and has no `resumes_utc`; then `gap_s` is what is known
    of it, a lower bound.  `along_track_m` follows the track, `straight_m` the great circle.
    `boundary_crossings` are the first seconds on the other side of the cells' border, whatever
    the network offers there.
    """
    track = system.terminals.tracks.get(row)
    terminal_id = str(system.terminals.terminal_id[row])
    if track is None:
        _refuse_fixed(system, terminal_id)
    utc, area = system.grid.utc, _Area(region, outside)
    first, stop = _slots_on(track, utc, system, terminal_id)
    network = _network_reasons(system.only_terminal(row), stop, progress)[first:]
    allowed = area.allows(track, utc[first : stop + 1])
    reason = np.where(allowed[:-1] & allowed[1:], network, area.refusal.number)
    way = _Way(track, utc[first : stop + 1], first)
    return {
        "terminal": terminal_id,
        "region": region.region_id,
        "region_digest": region.digest,
        "rule": region.rule,
        "cells": len(region),
        "excluded": outside,
        "from_utc": format_utc(utc[first]),
        "to_utc": format_utc(utc[stop]),
        "slots": stop - first,
        "served_slots": int(np.sum(reason == SERVED)),
        "edges": [_edge(way, reason, *gap) for gap in _gaps(reason)],
        "boundary_crossings": list(_crossings(track, area, utc[first], utc[stop])),
    }


def own_moving_row(system: System, terminal_id: str, account: str | None) -> int:
    """Return the row of a moving terminal that belongs to the account asking; refuse any other.

    In a file of several accounts, a terminal of another one is refused in the same words as one
    that does not exist or has no account, before anything else about it is looked at.
    """
    terminals, source = system.terminals, system.scenario.source
    accounts = set(terminals.account.tolist()) - {""}
    if account is None and len(accounts) > 1:
        raise InputError(
            f"{source}: its terminals belong to {len(accounts)} accounts and a prediction goes "
            "only to the terminal's own; give --account NAME, as the scenario has it for the "
            "terminal (a terminal without account needs one there)"
        )
    if account is None:
        row = terminal_row(system, terminal_id)
    else:
        is_own = (terminals.account == account) & (terminals.account != "")
        own = np.flatnonzero(is_own & (terminals.terminal_id == terminal_id))
        if not own.size:
            raise InputError(
                f'{source}: no terminal "{terminal_id[:60]}" of account "{account[:60]}"; a '
                "prediction goes only to the terminal's own account: give both as the scenario "
                "has them"
            )
        row = int(own[0])
    if row not in terminals.tracks:
        _refuse_fixed(system, terminal_id)
    return row


def read_region(path: Path, rule: str = "centre") -> Region:
    """Return the region of a GeoJSON file, named like the file."""
    return region_from_geojson(_read_json(path), path.stem, rule, source=str(path))


def _refuse_fixed(system: System, terminal_id: str) -> NoReturn:
    raise InputError(
        f'{system.scenario.source}: terminal "{terminal_id}" has no track, so it crosses no edge; '
        "see what it has with skyweave explain, or give it a track"
    )


def _read_json(path: Path) -> object:
    try:
        if path.exists() and not (path.is_file() or path.is_dir()):  # would block or never end
            raise InputError(f"{path}: not a regular file; copy what it holds into a file")
        size = path.stat().st_size
        if size > MAX_REGION_BYTES:
            raise InputError(
                f"{path}: {size:,} bytes; at most {MAX_REGION_BYTES:,} are read: simplify the "
                "outline, cells are 17 km across"
            )
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; check the name and the folder") from None
    except IsADirectoryError:
        raise InputError(f"{path}: a folder; expected a GeoJSON file in it") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); check name and rights") from None
    try:
        return json.loads(content)
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: line {error.lineno}: not JSON ({error.msg}); expected GeoJSON, for example "
            "exported as RFC 7946"
        ) from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply; expected GeoJSON") from None
    except ValueError:
        raise InputError(
            f"{path}: not JSON in UTF-8, or a number too long; expected GeoJSON"
        ) from None


@dataclass(frozen=True)
class _Way:
    """The part of a track that lies in the run: K slots between K + 1 boundaries."""

    track: Track
    utc: TimeArray  # (K + 1,) the boundaries
    first: int  # slot of the run that begins at the first of them

    def place(self, k: int) -> tuple[float, float]:
        """Return latitude and longitude in deg at boundary k, to 0.1 m."""
        lat_deg, lon_deg, _ = self.track.at(self.utc[k : k + 1])
        return round(lat_deg.item(), 6), round(lon_deg.item(), 6)

    def along_m(self, k: int, last: int) -> float:
        """Return the distance covered between two boundaries."""
        fixes = self.track.utc
        between = fixes[(fixes > self.utc[k]) & (fixes < self.utc[last])]
        utc = np.concatenate([self.utc[k : k + 1], between, self.utc[last : last + 1]])
        lat_deg, lon_deg, _ = self.track.at(utc)
        steps_m = great_circle_m(lat_deg[:-1], lon_deg[:-1], lat_deg[1:], lon_deg[1:])
        return round(float(steps_m.sum()), 1)


def _slots_on(track: Track, utc: TimeArray, system: System, terminal_id: str) -> tuple[int, int]:
    """Return the first slot at whose both ends a track is known, and the one after the last."""
    known = np.flatnonzero((utc >= track.utc[0]) & (utc <= track.utc[-1]))
    if known.size < 2:
        raise InputError(
            f'{system.scenario.source}: the track of "{terminal_id}" covers no slot of the run; '
            'change [time], or begin the track with the run: track_start = "scenario"'
        )
    return int(known[0]), int(known[-1])


def _network_reasons(one: System, stop: int, progress: Callable[[str], None]) -> ReasonArray:
    """Return what the network offers the one terminal in slots 0 to stop - 1."""
    parts: list[ReasonArray] = []
    for chunk, _ in run_slots(one, progress=progress):
        parts.append(chunk.reason[:, 0])
        if chunk.first_slot + chunk.slots >= stop:
            break
    return np.concatenate(parts)[:stop]


def _gaps(reason: ReasonArray) -> list[tuple[int, int]]:
    """Return the runs of slots without service as (first, one after the last)."""
    is_out = np.concatenate([[False], reason != SERVED, [False]])
    return [(int(a), int(b)) for a, b in np.flatnonzero(np.diff(is_out)).reshape(-1, 2)]


def _edge(way: _Way, reason: ReasonArray, start: int, stop: int) -> dict[str, Any]:
    """Return one gap, of slots start to stop - 1 of a way."""
    begins_before, lasts_beyond = start == 0, stop == reason.size
    ends, resumes = way.place(start), way.place(stop)
    is_whole = not (begins_before or lasts_beyond)
    counts = Counter(str(REASONS[number]) for number in reason[start:stop].tolist())
    return {
        "ends_utc": None if begins_before else format_utc(way.utc[start]),
        "slot": way.first + start,
        "lat_deg": None if begins_before else ends[0],
        "lon_deg": None if begins_before else ends[1],
        "reason": str(REASONS[reason[start]]),
        "reasons": dict(counts),
        "gap_s": float((way.utc[stop] - way.utc[start]) / np.timedelta64(1, "s")),
        "begins_before": begins_before,
        "lasts_beyond": lasts_beyond,
        "resumes_utc": None if lasts_beyond else format_utc(way.utc[stop]),
        "resumes_slot": None if lasts_beyond else way.first + stop,
        "next_lat_deg": None if lasts_beyond else resumes[0],
        "next_lon_deg": None if lasts_beyond else resumes[1],
        "along_track_m": way.along_m(start, stop) if is_whole else None,
        "straight_m": round(float(great_circle_m(*ends, *resumes)), 1) if is_whole else None,
    }


def _crossings(
    track: Track, area: _Area, start_utc: np.datetime64, end_utc: np.datetime64
) -> Iterator[dict[str, Any]]:
    """Yield the first second on each new side of the border, second by second from the start.

    A cell is never crossed so fast that a look each second would miss it.
    """
    second = np.timedelta64(1, "s")
    seconds = int((end_utc - start_utc) // second)
    for first in range(0, seconds, _BLOCK_S):
        t_s = np.arange(first, min(first + _BLOCK_S, seconds) + 1)  # the next begins with the last
        utc = start_utc + t_s * second
        allowed = area.allows(track, utc)
        change = np.flatnonzero(allowed[1:] != allowed[:-1]) + 1
        lat_deg, lon_deg, _ = track.at(utc[change])
        for n, k in enumerate(change.tolist()):
            yield {
                "utc": format_utc(utc[k]),
                "enters": bool(allowed[k]),
                "lat_deg": round(float(lat_deg[n]), 6),
                "lon_deg": round(float(lon_deg[n]), 6),
            }
