"""Read a folder in Hypatia's format: satellites, ground stations, links and forwarding state.

Nothing of Skyweave is needed here, so that a simulator in an environment of its own can use it.
Positions come from the folder's own element sets: SGP4 with WGS 72, turned from TEME by Greenwich
mean sidereal time, as Hypatia has it: neither UT1 nor polar motion.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sgp4.api import Satrec, SatrecArray
from sgp4.propagation import gstime

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

DAY_S = 86_400.0
NO_NEXT_HOP = -1
DYNAMIC_STATE = re.compile(r"dynamic_state_(\d+)ms_for_(\d+)s")
LARGEST_FILE_BYTES = 1 << 30


class FolderError(Exception):
    """A folder that cannot be used, told in one line that says what to do."""


class ExportedState(NamedTuple):
    """What never changes.  Nodes 0 to N - 1 are satellites, N to N + G - 1 ground stations."""

    folder: Path
    satellites: list[Satrec]  # N
    station_names: list[str]  # G
    station_itrf_m: FloatArray  # (G, 3) as the folder gives it, on the ellipsoid of WGS 72
    gsl_rate_factor: FloatArray  # (N + G,) of each node's radio interface, no unit
    states: Path  # the folder of fstate files
    step_ns: int
    steps: int

    def t_s(self) -> FloatArray:
        """Return the time of each step (K,), in seconds from the element sets' epoch."""
        return np.arange(self.steps) * self.step_ns * 1e-9


def read_state(folder: Path) -> ExportedState:
    """Read all but the forwarding state, and check that the parts belong together."""
    satellites = _satellites(folder / "tles.txt")
    names, station_itrf_m = _stations(folder / "ground_stations.txt")
    found = [p for p in folder.glob("dynamic_state_*") if DYNAMIC_STATE.fullmatch(p.name)]
    if len(found) != 1:
        raise FolderError(
            f"{folder}: found {len(found)} folders dynamic_state_<STEP>ms_for_<DURATION>s, "
            "expected one; export into an empty folder"
        )
    step_ms, duration_s = map(int, DYNAMIC_STATE.fullmatch(found[0].name).groups())
    if step_ms == 0 or duration_s * 1000 < step_ms:
        raise FolderError(f"{found[0]}: its name holds no step of time; export again")
    steps = -(-duration_s * 1000 // step_ms)
    nodes = len(satellites) + len(names)
    factor = _rate_factors(found[0], nodes)
    return ExportedState(
        folder, satellites, names, station_itrf_m, factor, found[0], step_ms * 1_000_000, steps
    )


def next_hops(state: ExportedState, towards: Sequence[int]) -> IntArray:
    """Return (K, D, N + G): where each node sends packets for each of these D ground stations.

    `towards` holds node numbers.  -1 is no next hop.  The files after the first list changes only.
    """
    nodes = len(state.satellites) + len(state.station_names)
    column = np.full(nodes, -1)
    column[list(towards)] = np.arange(len(towards))
    hops = np.full((state.steps, len(towards), nodes), NO_NEXT_HOP)
    for step in range(state.steps):
        if step:
            hops[step] = hops[step - 1]
        path = state.states / f"fstate_{step * state.step_ns}.txt"
        changes = _table(path, 5)
        node, destination, following = changes[:, :3].T
        if changes.size and (changes[:, :3].max() >= nodes or changes[:, :2].min() < 0):
            raise FolderError(f"{path}: a node is outside 0..{nodes - 1}; export again")
        wanted = column[destination] >= 0
        hops[step, column[destination[wanted]], node[wanted]] = following[wanted]
    return hops


def positions_itrf_m(state: ExportedState, nodes: IntArray) -> FloatArray:
    """Return (K, M, 3): where these nodes are at each step."""
    is_satellite = nodes < len(state.satellites)
    satellites = [state.satellites[row] for row in nodes[is_satellite]]
    place_m = np.empty((state.steps, nodes.size, 3))
    place_m[:, is_satellite] = _satellites_itrf_m(satellites, state.t_s())
    place_m[:, ~is_satellite] = state.station_itrf_m[nodes[~is_satellite] - len(state.satellites)]
    return place_m


def _satellites_itrf_m(satellites: Sequence[Satrec], t_s: FloatArray) -> FloatArray:
    epoch = satellites[0]
    day = np.full(t_s.size, epoch.jdsatepoch)
    fraction = epoch.jdsatepochF + t_s / DAY_S
    error, teme_km, _ = SatrecArray(satellites).sgp4(day, fraction)
    if error.any():
        raise FolderError("tles.txt: SGP4 fails for a satellite that the forwarding state uses")
    x, y, z = np.moveaxis(teme_km, 2, 0) * 1e3  # each (M, K)
    angle_rad = np.array([gstime(d + f) for d, f in zip(day, fraction, strict=True)])
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.stack((cos * x + sin * y, cos * y - sin * x, z), axis=2).swapaxes(0, 1)


def _satellites(path: Path) -> list[Satrec]:
    with _parsing(path):
        heading, *lines = _text(path).splitlines()
        planes, per_plane = map(int, heading.split())
        pairs = zip(lines[1::3], lines[2::3], strict=True)
        satellites = [Satrec.twoline2rv(*pair) for pair in pairs]
    if len(satellites) != planes * per_plane or not satellites:
        raise FolderError(f"{path}: line 1 does not count the satellites that follow; export again")
    if len({(s.jdsatepoch, s.jdsatepochF) for s in satellites}) > 1:
        raise FolderError(f"{path}: the epochs differ, but the format has one; export again")
    return satellites


def _stations(path: Path) -> tuple[list[str], FloatArray]:
    rows = [line.split(",") for line in _text(path).splitlines()]
    if not rows or any(len(row) != 8 for row in rows):
        raise FolderError(f"{path}: expected eight columns in each line; export again")
    with _parsing(path):
        return [row[1] for row in rows], np.array([row[5:] for row in rows], float)


def _rate_factors(states: Path, nodes: int) -> FloatArray:
    """Read the factor of each node's radio interface, which must hold for the whole time."""
    first = states / "gsl_if_bandwidth_0.txt"
    rows = [line.split(",") for line in _text(first).splitlines()]
    if [row[0] for row in rows] != [str(node) for node in range(nodes)]:
        raise FolderError(f"{first}: expected one line for each of {nodes} nodes; export again")
    if any(p.stat().st_size for p in states.glob("gsl_if_bandwidth_*.txt") if p != first):
        raise FolderError(f"{states}: bandwidths change with time; this runner needs steady ones")
    with _parsing(first):
        return np.array([row[2] for row in rows], float)


def _table(path: Path, columns: int) -> IntArray:
    with _parsing(path):
        values = np.array(_text(path).replace(",", " ").split(), np.int64)
    if values.size % columns:
        raise FolderError(f"{path}: expected {columns} columns in each line; export again")
    return values.reshape(-1, columns)


@contextmanager
def _parsing(path: Path) -> Iterator[None]:
    try:
        yield
    except (ValueError, IndexError) as problem:
        raise FolderError(f"{path}: {problem}; export again") from problem


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise FolderError(f"{path}: larger than 1 GiB; give a folder that satgenpy could read")
        return path.read_text(encoding="utf-8")
    except OSError as problem:
        raise FolderError(f"{path}: {problem.strerror}; give the folder of an export") from problem
