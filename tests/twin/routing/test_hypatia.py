"""Ground-to-ground paths over Kuiper-630, compared with what Hypatia computed with networkx."""

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from skyweave.frames import earth_orientation, geodetic_to_itrf
from skyweave.time import instants
from skyweave.twin.catalogue.shells import HYPATIA_EPOCH_UTC, hypatia_shell
from skyweave.twin.geometry import Mask, visible_pairs
from skyweave.twin.orbits import propagate
from skyweave.twin.routing import GroundPath, ground_links, ground_paths
from skyweave.twin.topology import padded_adjacency, padded_lengths_m
from skyweave.twin.topology.motifs import PLUS_GRID, motif_edges

GOLDEN = Path(__file__).parents[2] / "golden" / "hypatia"
SATELLITES = 34 * 34
MAX_RANGE_M = 630_000.0 / np.sin(np.radians(30.0))  # Hypatia's flat cone for 30 deg: 1,260 km
STEP_S = 0.1
UNREACHABLE = "Unreachable"

MICROSECOND_NS = 1000.0  # Hypatia's frames are pyephem's; ours differ by up to 75 m of path
ONE_SAMPLE = 1


class Golden(NamedTuple):
    rtt_ns: np.ndarray  # (2000,) 0 where unreachable
    nodes: list[str]  # (2000,) "1173-184-183-217-1241" or "Unreachable"


def golden(pair):
    with gzip.open(GOLDEN / f"networkx_rtt_{pair}.txt.gz", "rt") as file:
        t_ns, rtt_ns = np.loadtxt(file, delimiter=",").T
    np.testing.assert_array_equal(t_ns, np.arange(2000) * 1e8)
    changes = (GOLDEN / f"networkx_path_{pair}.txt").read_text().split()
    changed_ns, nodes = zip(*(line.split(",") for line in changes), strict=True)
    now = np.searchsorted(np.array(changed_ns, np.int64), t_ns, side="right") - 1
    return Golden(rtt_ns, [nodes[row] for row in now])


def city(number):
    for line in (GOLDEN / "ground_stations_top_100.basic.txt").read_text().splitlines():
        row, _, *place = line.split(",")
        if int(row) == number:
            lat_deg, lon_deg, height_m = map(float, place)
            return geodetic_to_itrf([lat_deg], [lon_deg], [height_m])
    raise LookupError(number)


@pytest.fixture(scope="module")
def samples(full_counts):
    """Which of the 2,000 samples are computed: all of them, or every tenth."""
    return np.arange(0, 2000, 1 if full_counts else 10)


@pytest.fixture(scope="module")
def shell():
    return hypatia_shell(14.80, 51.9, 34, 34)


@pytest.fixture(scope="module")
def sky(shell, samples):
    """Satellite positions at the samples, (T, N, 3)."""
    grid = instants(HYPATIA_EPOCH_UTC, samples * STEP_S)
    return propagate(shell, grid, earth_orientation("none")).sat_itrf_m


@pytest.fixture(scope="module")
def computed(shell, sky):
    """Return a function from two cities to the path at each sample, None where there is none."""
    neighbour = padded_adjacency(motif_edges(shell, PLUS_GRID), len(shell), 4)

    def links(place, sat_m):
        (site_m,), _ = place
        seen = visible_pairs(*place, sat_m, Mask.range(MAX_RANGE_M, 1)).sat
        return ground_links(seen, np.linalg.norm(sat_m[seen] - site_m, axis=1))

    def paths(start, end) -> list[GroundPath | None]:
        found = []
        for sat_m in sky:
            length_m = padded_lengths_m(neighbour, sat_m)
            ends = links(city(start), sat_m), links(city(end), sat_m)
            found.append(next(iter(ground_paths(neighbour, length_m, *ends)), None))
        return found

    return paths


def names(paths, start, end):
    """Hypatia's names of the paths."""
    ends = start + SATELLITES, end + SATELLITES
    return [
        "-".join(map(str, (ends[0], *path.sats, ends[1]))) if path else UNREACHABLE
        for path in paths
    ]


def rtt_ns(paths):
    return np.array([2e9 * path.cost_s if path else np.nan for path in paths])


def changes(nodes):
    """Each path, and the sample at which it begins."""
    begins = [k for k in range(len(nodes)) if k == 0 or nodes[k] != nodes[k - 1]]
    return [nodes[k] for k in begins], np.array(begins)


def test_manila_to_dalian_takes_hypatias_paths_and_times(computed, samples, record_figure):
    expected = golden("1173_to_1241")
    paths = computed(17, 85)
    nodes = names(paths, 17, 85)
    mismatches = sum(ours != expected.nodes[k] for ours, k in zip(nodes, samples, strict=True))
    error_ns = np.abs(rtt_ns(paths) - expected.rtt_ns[samples]).max()
    count = f"{samples.size} samples"
    record_figure(f"Hypatia Manila-Dalian, {count}: other paths", mismatches, "samples", "0")
    record_figure(f"Hypatia Manila-Dalian, {count}: RTT, max", error_ns / 1e3, "us", "<= 1")
    assert mismatches == 0
    assert error_ns <= MICROSECOND_NS


def test_dalian_to_manila_is_the_same_way_back(computed):
    there, back = computed(17, 85), computed(85, 17)
    assert [path.sats for path in back] == [path.sats[::-1] for path in there]
    np.testing.assert_allclose(rtt_ns(back), rtt_ns(there), rtol=1e-12)


def test_saint_petersburg_to_dalian_takes_hypatias_paths_and_is_cut_off_when_hypatia_is(
    computed, samples, record_figure
):
    """Petersburg sees only the rim of the shell: some 10 m of range decide when a path ends."""
    expected = golden("1229_to_1241")
    paths = computed(73, 85)
    ours, theirs = names(paths, 73, 85), [expected.nodes[k] for k in samples]
    (our_paths, our_begins), (their_paths, their_begins) = changes(ours), changes(theirs)
    assert our_paths == their_paths
    assert UNREACHABLE in our_paths
    moved = int(np.abs(our_begins - their_begins).max())
    same = np.array(ours) == np.array(theirs)
    error_ns = np.nanmax(np.abs(rtt_ns(paths) - expected.rtt_ns[samples])[same])
    count = f"{samples.size} samples"
    record_figure(f"Hypatia Petersburg-Dalian, {count}: changes moved", moved, "samples", "<= 1")
    record_figure(f"Hypatia Petersburg-Dalian, {count}: RTT, max", error_ns / 1e3, "us", "<= 1")
    assert moved <= ONE_SAMPLE
    assert error_ns <= MICROSECOND_NS
