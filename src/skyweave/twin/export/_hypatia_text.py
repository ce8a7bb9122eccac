"""Hypatia's files as text: elements, ground stations, and the changes of a forwarding state.

Nodes are numbered as Hypatia does: satellites by row, 0 to N - 1, then ground stations, N + site.
A node's interfaces are its laser links in the order of `isls.txt`, from 0 on, then its one
antenna to the ground.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.constants import WGS72_RADIUS_KM
from skyweave.errors import InputError
from skyweave.kernels import kernel
from skyweave.twin.catalogue import Catalogue
from skyweave.twin.scenario import Site

FloatArray = NDArray[np.float64]
RowArray = NDArray[np.int32]
IntArray = NDArray[np.int64]
ByteArray = NDArray[np.uint8]

UNREACHABLE = -1
UNWRITTEN = -2  # in a table: nothing has been said of this node yet, so whatever comes is new

WGS72_F = 1.0 / 298.26  # flattening of the ellipsoid of Hypatia's ground stations
# satgenpy cannot compute an exactly circular orbit, so the format's smallest number stands for it.
LOWEST_ECCENTRICITY = 1e-7
LAST_NUMBER = 99_999  # that the five digits of an element set's number hold
FIRST_YEAR, LAST_YEAR = 2000, 2056  # satgenpy reads all two-digit years as 20xx, others 57 as 1957
EPOCH_DIGIT_NS = 864_000  # 1e-8 day

ROWS_AT_ONCE = 1 << 20
LONGEST_ROW = 3 * 8 + 2 * 4  # bytes: three nodes of up to 7 digits, two interfaces of up to 3


class Links(NamedTuple):
    """The laser links of every satellite, at most K, and their interfaces."""

    neighbour: RowArray  # (N, K) satellite rows, -1 after the last; column = own interface
    far_interface: RowArray  # (N, K) the neighbour's interface of the same link
    ground_interface: RowArray  # (N,) the number of its laser links, because it is the last one


class Changes(NamedTuple):
    """Which entries of a forwarding table changed: node by node, destinations ascending."""

    start: IntArray  # (N + S + 1,) where the changes of each node begin
    to_site: RowArray  # (C,) the destination


def links_of(neighbour: RowArray) -> Links:
    """Return the interfaces of links whose pairs a < b are listed in lexicographic order.

    `neighbour` (N, K) is `topology.padded_adjacency`: in that order each satellite meets its
    neighbours in ascending order, so interface k leads to column k.
    """
    near = np.arange(len(neighbour), dtype=np.int32)[:, None, None]
    far_interface = np.argmax(neighbour[neighbour] == near, axis=2).astype(np.int32)
    return Links(neighbour, far_interface, (neighbour >= 0).sum(axis=1, dtype=np.int32))


def isl_pairs(neighbour: RowArray) -> list[tuple[int, int]]:
    """Return the pairs a < b of linked satellites, in lexicographic order."""
    near, column = np.nonzero(neighbour > np.arange(len(neighbour))[:, None])
    return list(zip(near.tolist(), neighbour[near, column].tolist(), strict=True))


def element_sets(catalogue: Catalogue) -> Iterator[str]:
    """Yield line 1 and line 2 of every satellite in turn, numbered from 1 in order of rows.

    Numbers are rounded to the digits that the format has: 1e-4 deg, 1e-7 of eccentricity and
    1e-8 rev/day.  The derivatives of the mean motion are left out; SGP4 does not use them.
    """
    year, day = _epochs(catalogue)
    eccentricity = np.maximum(catalogue.eccentricity, LOWEST_ECCENTRICITY)
    columns = (
        *(_degrees(column) for column in (catalogue.inclination_deg, catalogue.raan_deg)),
        [f"{round(value * 1e7):07d}" for value in eccentricity.tolist()],
        *(_degrees(column) for column in (catalogue.argp_deg, catalogue.mean_anomaly_deg)),
        [f"{value:11.8f}" for value in catalogue.mean_motion_rev_day.tolist()],
    )
    drag = [_drag(value) for value in catalogue.bstar_per_radius.tolist()]
    for row, elements in enumerate(zip(*columns, strict=True)):
        number = f"{row + 1:05d}"
        epoch = f"{year[row] % 100:02d}{day[row]}"
        yield _summed(f"1 {number}U 00000ABC {epoch}  .00000000  00000-0 {drag[row]} 0    0")
        yield _summed(f"2 {number} {' '.join(elements)}    0")


def _epochs(catalogue: Catalogue) -> tuple[list[int], list[str]]:
    """Return the year and the day of the year, "165.50013889", of each epoch."""
    new_year = catalogue.epoch_utc.astype("datetime64[Y]")
    year = new_year.astype(np.int64) + 1970
    if len(catalogue) > LAST_NUMBER or year.min() < FIRST_YEAR or year.max() > LAST_YEAR:
        raise InputError(
            f"Hypatia's tles.txt holds up to {LAST_NUMBER:,} satellites with epochs from "
            f"{FIRST_YEAR} to {LAST_YEAR}; found {len(catalogue):,} of {year.min()} to {year.max()}"
        )
    since_ns = (catalogue.epoch_utc - new_year).astype("timedelta64[ns]").astype(np.int64)
    digits = (since_ns + EPOCH_DIGIT_NS // 2) // EPOCH_DIGIT_NS + 10**8  # 1 January is day 1
    return year.tolist(), [f"{d // 10**8:03d}.{d % 10**8:08d}" for d in digits.tolist()]


def _degrees(values: FloatArray) -> list[str]:
    return [f"{round(value, 4) % 360.0:8.4f}" for value in values.tolist()]


def _drag(value: float) -> str:
    """Return such as "-12345-6" for -0.12345e-6."""
    mantissa, _, power = f"{abs(value):.4e}".partition("e")
    exponent = int(power) + 1
    if value == 0.0 or exponent < -9:
        return " 00000+0"
    if exponent > 9:
        raise InputError(f"a drag term of {value:g} does not fit in Hypatia's tles.txt; check it")
    return f"{'-' if value < 0.0 else ' '}{mantissa.replace('.', '')}{exponent:+d}"


def _summed(line: str) -> str:
    """Return a line of 68 characters with its checksum: digits, and 1 for each minus."""
    return line + str((sum(map(int, filter(str.isdigit, line))) + line.count("-")) % 10)


def ground_stations(sites: Sequence[Site]) -> Iterator[str]:
    """Yield the line of each site, with its position on Hypatia's ellipsoid, that of WGS 72."""
    for row, site in enumerate(sites):
        x_m, y_m, z_m = _wgs72_m(site.lat_deg, site.lon_deg, site.height_wgs84_m)
        name = " ".join(site.name.replace(",", " ").split())  # a comma would end the name
        place = f"{site.lat_deg:f},{site.lon_deg:f},{site.height_wgs84_m:f}"
        yield f"{row},{name},{place},{x_m:f},{y_m:f},{z_m:f}"


def _wgs72_m(lat_deg: float, lon_deg: float, height_m: float) -> tuple[float, float, float]:
    lat_rad, lon_rad = np.radians(lat_deg), np.radians(lon_deg)
    e2 = WGS72_F * (2.0 - WGS72_F)
    normal_m = 1e3 * WGS72_RADIUS_KM / np.sqrt(1.0 - e2 * np.sin(lat_rad) ** 2)
    across_m = (normal_m + height_m) * np.cos(lat_rad)
    up_m = (normal_m * (1.0 - e2) + height_m) * np.sin(lat_rad)
    return across_m * np.cos(lon_rad), across_m * np.sin(lon_rad), up_m


def no_table(satellites: int, sites: int) -> RowArray:
    """Return a forwarding table (S, N + S) of which nothing has been written."""
    return np.full((sites, satellites + sites), UNWRITTEN, np.int32)


def forwarding_table(next_hop: RowArray, cost: FloatArray, ingress: RowArray) -> RowArray:
    """Return the node after each node on the way to each site, (S, N + S), -1 where no way is.

    `next_hop` and `cost` (S, N) are the trees that lead to the sites, `ingress[s, d]` the satellite
    that site s sends to for site d.  A site's entry for itself is never written.
    """
    return _forwarding_table(next_hop, cost, ingress)


def changed(before: RowArray, now: RowArray) -> Changes:
    """Return where two forwarding tables differ."""
    return Changes(*_changed(before, now))


def change_text(changes: Changes, table: RowArray, links: Links) -> Iterator[memoryview]:
    """Yield the lines "node,destination,next node,own interface,its interface" of all changes."""
    nodes = changes.start.size - 1
    first = 0
    while first < nodes:
        limit = changes.start[first] + ROWS_AT_ONCE
        stop = max(first + 1, int(np.searchsorted(changes.start, limit, side="right")) - 1)
        rows = int(changes.start[stop] - changes.start[first])
        text = np.empty(rows * LONGEST_ROW, np.uint8)
        yield text[: _write_rows(*changes, first, stop, table, *links, text)].data
        first = stop


@kernel()
def _forwarding_table(next_hop: RowArray, cost: FloatArray, ingress: RowArray) -> RowArray:
    sites, satellites = next_hop.shape
    table = np.empty((sites, satellites + sites), np.int32)
    for d in range(sites):
        for n in range(satellites):
            last = satellites + d if cost[d, n] < np.inf else UNREACHABLE
            to = next_hop[d, n]
            table[d, n] = to if to >= 0 else last
        for s in range(sites):
            table[d, satellites + s] = ingress[s, d]
        table[d, satellites + d] = UNWRITTEN
    return table


@kernel()
def _changed(before: RowArray, now: RowArray) -> tuple[IntArray, RowArray]:
    sites, nodes = now.shape
    count = np.zeros(nodes, np.int64)
    # Tables lie destination by destination, the file node by node: so count first, then place.
    for d in range(sites):
        for c in range(nodes):
            count[c] += now[d, c] != before[d, c]
    start = np.zeros(nodes + 1, np.int64)
    start[1:] = np.cumsum(count)
    place = start[:-1].copy()
    to_site = np.empty(start[nodes], np.int32)
    for d in range(sites):
        for c in range(nodes):
            if now[d, c] != before[d, c]:
                to_site[place[c]] = d
                place[c] += 1
    return start, to_site


@kernel()
def _write_rows(
    start: IntArray, to_site: RowArray, first: int, stop: int, table: RowArray,
    neighbour: RowArray, far_interface: RowArray, ground_interface: RowArray, text: ByteArray,
) -> int:  # fmt: skip
    satellites = ground_interface.size
    size = 0
    for c in range(first, stop):
        for row in range(start[c], start[c + 1]):
            d = to_site[row]
            to = table[d, c]
            size = _write_number(text, _write_number(text, size, c), satellites + d)
            if to < 0:
                for _ in range(3):
                    text[size], text[size + 1], text[size + 2] = 45, 49, 44  # "-1,"
                    size += 3
            else:
                own, far = 0, 0
                if c >= satellites:
                    far = ground_interface[to]
                elif to >= satellites:
                    own = ground_interface[c]
                else:
                    while neighbour[c, own] != to:
                        own += 1
                    far = far_interface[c, own]
                size = _write_number(text, size, to)
                size = _write_number(text, _write_number(text, size, own), far)
            text[size - 1] = 10  # the line ends where the last comma stood
    return size


@kernel()
def _write_number(text: ByteArray, size: int, number: int) -> int:
    """Write a number of 0 or more and a comma; return where the text now ends."""
    end = size + 1
    above = number // 10
    while above > 0:
        above //= 10
        end += 1
    text[end] = 44
    for place in range(end - 1, size - 1, -1):
        text[place] = 48 + number % 10
        number //= 10
    return end + 1
