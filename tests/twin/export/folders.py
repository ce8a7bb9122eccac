"""A reader of Hypatia's folders, written from the format's description, and networks to export."""

from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np

from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_world

ROOT = Path(__file__).parents[3]
KUIPER = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
CITIES = [
    ("Manila", 14.6042, 120.9822),
    ("Dalian", 38.913811, 121.602322),
    ("Quito", -0.22985, -78.52495),
    ("Nairobi", -1.28333, 36.81667),
    ("Sydney, Australia", -33.86785, 151.20732),
    ("South Pole", -90.0, 0.0),  # sees nothing of an inclined shell
]


class Network(NamedTuple):
    """What the static files say."""

    satellites: int
    sites: int
    isls: list[tuple[int, int]]
    interface: dict[tuple[int, int], int]  # of the first node, on its laser link to the second
    to_ground: list[int]  # each satellite's interface to the ground
    description: dict[str, float]


def small_world(**changed):
    """A sparse shell of 12 x 10 satellites at 1,200 km over six sites."""
    content = {
        "time": {"start_utc": "2000-01-01T00:00:00Z", "duration_s": 600, "slot_s": 10},
        "earth": {"orientation": "none"},
        "visibility": {"mode": "range", "max_range_m": 2_500_000.0},
        "isl": {"plan": "plus-grid"},
        "shells": [
            {"pattern": "hypatia", "mean_motion_rev_day": 13.16, "inclination_deg": 60.0,
             "planes": 12, "per_plane": 10}
        ],
        "sites": [{"name": n, "lat_deg": lat, "lon_deg": lon} for n, lat, lon in CITIES],
    }  # fmt: skip
    return build_world(build_scenario(content | changed, "small.toml"))


def read_network(folder):
    stations = (folder / "ground_stations.txt").read_text(encoding="utf-8").splitlines()
    names = (folder / "tles.txt").read_text().splitlines()[1::3]
    isls = [tuple(map(int, row.split())) for row in (folder / "isls.txt").read_text().splitlines()]
    used, interface = [0] * len(names), {}
    for a, b in isls:
        for here, there in ((a, b), (b, a)):
            interface[here, there] = used[here]
            used[here] += 1
    description = dict(line.split("=") for line in (folder / "description.txt").read_text().split())
    lengths = {key: float(value) for key, value in description.items()}
    return Network(len(names), len(stations), isls, interface, used, lengths)


def read_states(folder):
    """Yield the time in ns and the state {(node, destination): (next node, own, its interface)}.

    Each step is read on top of the one before; a row that repeats what was known is an error.
    """
    state = {}
    files = (next(folder.glob("dynamic_state_*"))).glob("fstate_*.txt")
    for t_ns, path in sorted((int(path.stem.split("_")[1]), path) for path in files):
        rows = [tuple(map(int, line.split(","))) for line in path.read_text().splitlines()]
        assert [row[:2] for row in rows] == sorted({row[:2] for row in rows})
        for node, to, *hop in rows:
            assert state.get((node, to)) != tuple(hop)
            state[node, to] = tuple(hop)
        yield t_ns, dict(state)


def way(state, start, end):
    """Return the nodes from start to end, () where there is no way."""
    nodes = [start]
    while nodes[-1] != end:
        then = state[nodes[-1], end][0]
        if then < 0:
            return ()
        assert then not in nodes, "the way runs in a circle"
        nodes.append(then)
    return tuple(nodes)


def lengths_m(now, seen, range_m):
    """Return the length of every link of one instant in both directions, {(node, node): metres}."""
    satellites = len(now.neighbour)
    near, column = np.nonzero(now.neighbour >= 0)
    ends = zip(near.tolist(), now.neighbour[near, column].tolist(), strict=True)
    found = dict(zip(ends, now.length_m[near, column].tolist(), strict=True))
    site = (satellites + seen.site_rows).tolist()
    for a, b, metres in zip(site, seen.sat.tolist(), range_m.tolist(), strict=True):
        found[a, b] = found[b, a] = metres
    return found


def way_m(nodes, length_m):
    return sum(length_m[pair] for pair in pairwise(nodes))
