"""The study of a whole operator: its terminals, path by path, and its counts."""

from pathlib import Path

import h3.api.numpy_int as h3
import numpy as np
import pytest
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

from skyweave import load_scenario
from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf, great_circle_m, itrf_to_geodetic
from skyweave.twin.cell_study import (
    BIN_S,
    BINS,
    MOST_TERMINALS,
    SPREAD_M,
    CellSlot,
    CellTerminals,
    land_cells,
    satellite_path_s,
    serve_terminals,
    spread_terminals,
    study_cells,
)
from skyweave.twin.geometry import look_angles
from skyweave.twin.orbits import initialise, propagate
from skyweave.twin.pipeline import networks
from skyweave.twin.scheduling.beams import BeamLimits
from skyweave.twin.scheduling.cells import (
    CellRule,
    CellSky,
    cell_capacity,
    make_cells,
    schedule_cells,
)
from skyweave.twin.world import World, build_world

SHELL = """
title = "A shell over Europe"
[time]
start_utc = 2026-06-14T12:00:12Z
duration_s = 120
[isl]
plan = "plus-grid"
[[shells]]
pattern = "walker-delta"
altitude_km = 550
inclination_deg = 53.0
planes = 72
per_plane = 22
phasing = 39
[assignment]
rule = "shortest-path"
[[terminals]]
id = "here"
lat_deg = 47.37
lon_deg = 8.54
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    path = Path(tmp_path_factory.mktemp("cells")) / "shell.toml"
    path.write_text(SHELL, encoding="utf-8")
    return build_world(load_scenario(path))


@pytest.fixture(scope="module")
def cells():
    return make_cells(h3.grid_disk(h3.latlng_to_cell(47.37, 8.54, 5), 12))


def capacity_of(world: World, beams: int) -> np.ndarray:
    each = np.full(len(world.fleet.catalogue), beams, np.int32)
    return cell_capacity(BeamLimits(each, each))


def test_terminals_lie_in_their_cells_and_near_their_centres(cells):
    terminals = spread_terminals(cells, 1_000, np.random.default_rng(0))
    lat_deg, lon_deg, height_m = itrf_to_geodetic(terminals.place[:, :3])
    own = cells.cell[terminals.cell_row]
    found = [h3.latlng_to_cell(*at, 5) for at in zip(lat_deg, lon_deg, strict=True)]
    np.testing.assert_array_equal(found, own)
    away_m = great_circle_m(
        lat_deg, lon_deg, cells.lat_deg[terminals.cell_row], cells.lon_deg[terminals.cell_row]
    )
    a_sphere_is_not_the_ellipsoid = 1.005
    assert away_m.max() < SPREAD_M * a_sphere_is_not_the_ellipsoid
    assert np.abs(height_m).max() < 1e-6
    counts = np.bincount(terminals.cell_row, minlength=len(cells))
    assert set(counts.tolist()) <= {1_000 // len(cells), 1_000 // len(cells) + 1}


def test_a_satellite_pays_for_the_shortest_way_that_scipy_finds(world):
    records = initialise(world.fleet.catalogue)
    network = next(networks(world, records, 1))
    sat_m = propagate(
        world.fleet.catalogue, world.boundaries(0, 1), world.orientation, records=records
    ).sat_itrf_m[0]
    ground, gateways = len(sat_m), world.gateways
    site_m, _ = geodetic_to_itrf(gateways.lat_deg, gateways.lon_deg, gateways.height_wgs84_m)
    feeder_s = np.full(ground, np.inf)
    for gateway, sat in zip(*network.feeders, strict=True):
        line_s = np.linalg.norm(sat_m[sat] - site_m[gateway]) / SPEED_OF_LIGHT_M_S
        feeder_s[sat] = min(feeder_s[sat], line_s + gateways.fibre_s[gateway])
    fed = np.flatnonzero(np.isfinite(feeder_s))
    one, other = network.edges.T
    laser_s = np.linalg.norm(sat_m[one] - sat_m[other], axis=1) / SPEED_OF_LIGHT_M_S
    rows, columns = np.r_[one, np.full(fed.size, ground)], np.r_[other, fed]
    graph = csr_array((np.r_[laser_s, feeder_s[fed]], (rows, columns)), (ground + 1, ground + 1))
    expected_s = dijkstra(graph, directed=False, indices=ground)[:ground]
    path_s = satellite_path_s(world, network, sat_m)
    np.testing.assert_allclose(path_s, expected_s, rtol=1e-12)
    assert np.isfinite(path_s).all()


def test_each_terminal_has_what_its_cell_has_where_its_own_sky_allows(world, cells):
    records = initialise(world.fleet.catalogue)
    network = next(networks(world, records, 1))
    sat_m = propagate(
        world.fleet.catalogue, world.boundaries(0, 2), world.orientation, records=records
    ).sat_itrf_m
    path_s = satellite_path_s(world, network, sat_m[0])
    sky = CellSky(sat_m, path_s, capacity_of(world, 16))
    rule = CellRule("highest-elevation", 40.0)
    assignment, _ = schedule_cells(cells, None, sky, rule)
    terminals = spread_terminals(cells, 1_500, np.random.default_rng(1))
    histogram, below = serve_terminals(assignment, terminals, sky, rule, 0.010)
    sat = assignment.sat[terminals.cell_row]
    rows = np.flatnonzero(sat >= 0)
    place = terminals.place[rows, :3], terminals.place[rows, 3:]
    start, end = (look_angles(*place, at_m) for at_m in sat_m)
    pairs = np.arange(rows.size), sat[rows]
    is_high = (start.elevation_deg[pairs] >= 40.0) & (end.elevation_deg[pairs] >= 40.0)
    rtt_s = 2.0 * (start.range_m[pairs] / SPEED_OF_LIGHT_M_S + path_s[sat[rows]]) + 0.010
    expected = np.histogram(rtt_s[is_high], BINS, (0.0, BINS * BIN_S))[0]
    an_edge_rounded_away = 2
    assert np.abs(histogram - expected).sum() <= an_edge_rounded_away
    assert below == int((~is_high).sum()) > 0
    assert histogram.sum() == int(is_high.sum()) > 100


def test_the_counts_of_a_slot_add_up_and_do_not_depend_on_the_slots_before_being_watched(
    world, cells
):
    terminals = spread_terminals(cells, 2_000, np.random.default_rng(2))
    arguments = world, cells, terminals, CellRule(), capacity_of(world, 16)
    slots = list(study_cells(*arguments))
    assert [each.slot for each in slots] == list(range(world.slots))
    assert slots[:3] == list(study_cells(*arguments, slots=3))
    for each in slots:
        assert each.cells_served + sum(each.cells_by_reason.values()) == len(cells)
        assert each.most_cells_on_one <= 16
        assert each.satellites_serving * 16 >= each.cells_served
        assert 0.01 < each.rtt_s["p5"] <= each.rtt_s["p50"] <= each.rtt_s["p95"] < 0.2
        assert each.terminals_served + each.terminals_below_mask <= 2_000
    assert set(slots[-1].cells_by_reason) <= {"no_beam_free", "no_satellite_in_view"}
    assert sum(each.cells_new for each in slots[1:]) < sum(each.cells_served for each in slots[1:])


def test_switched_off_everywhere_nobody_is_served_and_no_time_is_told(world, cells):
    terminals = spread_terminals(cells, 10, np.random.default_rng(2))
    off = np.zeros(len(cells), np.bool_)
    arguments = world, cells, terminals, CellRule(), capacity_of(world, 16)
    (only,) = study_cells(*arguments, slots=1, is_on=off)
    assert isinstance(only, CellSlot)
    assert only.cells_by_reason == {"cell_is_disabled": len(cells)}
    assert np.isnan(list(only.rtt_s.values())).all()


def test_bad_questions_are_refused(world, cells):
    nobody = CellTerminals(np.empty(0, np.int32), np.empty((0, 6)))
    with pytest.raises(InputError, match=r"shape \(3,\); pass one for each of 1584"):
        next(study_cells(world, cells, nobody, CellRule(), np.ones(3, np.int32)))
    with pytest.raises(InputError, match=f"pass 0 to {MOST_TERMINALS}"):
        spread_terminals(cells, -1, np.random.default_rng(0))


def test_the_cells_nearest_the_equator_are_taken_first(full_counts):
    if not full_counts:
        pytest.skip("takes half a minute; make prove runs it")
    cells = land_cells(600_000)
    assert len(cells) == 600_000
    assert np.abs(cells.lat_deg).max() == pytest.approx(70.52, abs=0.01)
