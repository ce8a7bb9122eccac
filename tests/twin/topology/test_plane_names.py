"""Names of planes: one each, no two alike, and readable."""

from dataclasses import replace

import numpy as np
import pytest

from skyweave.twin.catalogue import combine_shells, read_catalogue, walker_delta, walker_star
from skyweave.twin.catalogue.altitude import mean_altitude_m
from skyweave.twin.catalogue.elements import concatenate
from skyweave.twin.catalogue.select import nearest_epoch, select_names
from skyweave.twin.topology.plane_names import found_plane_names, plane_names
from skyweave.twin.topology.planes import find_planes

NOON = np.datetime64("2026-06-14T12:00:12", "ns")


@pytest.fixture(scope="module")
def fleet():
    return nearest_epoch(select_names(read_catalogue("builtin:2026-06-14"), ["STARLINK"]), NOON)


@pytest.fixture(scope="module")
def planes(fleet):
    return find_planes(fleet, NOON)


@pytest.fixture(scope="module")
def names(fleet):
    return plane_names(fleet, NOON)


def two_shells():
    delta = walker_delta(550e3, 53.0, 6, 5, 1, NOON)
    return combine_shells([delta, walker_star(780e3, 86.4, 3, 4, 1, NOON)])


def test_planes_of_synthetic_shells_are_called_by_shell_and_plane():
    names = plane_names(two_shells(), NOON)
    assert names[0] == "0-0"
    assert names[5 * 5] == "0-5"
    assert names[-1] == "1-2"
    assert sorted(np.unique(names, return_counts=True)[1]) == [4] * 3 + [5] * 6


def test_each_plane_of_the_real_fleet_has_its_own_name(planes, names):
    assert np.unique(found_plane_names(planes)).size == planes.plane_shell.size > 400
    for name, plane in {*zip(names.tolist(), planes.plane.tolist(), strict=True)}:
        np.testing.assert_array_equal(names == name, planes.plane == plane)
    assert (names[planes.plane < 0] == "").all()
    assert (names[planes.plane >= 0] != "").all()


def test_a_name_says_inclination_altitude_and_raan(fleet, planes, names):
    mode = (names != "") & ~planes.is_straggler
    parts = np.array([name.split("-") for name in names[mode].tolist()], float)
    half_a_tenth_and_a_shell_deg, half_a_kilometre_and_a_shell_km = 0.05 + 0.13, 0.5 + 1.0
    tilt_deg = np.abs(parts[:, 0] - fleet.inclination_deg[mode])
    assert tilt_deg.max() < half_a_tenth_and_a_shell_deg
    height_km = np.abs(parts[:, 1] - mean_altitude_m(fleet)[mode] / 1e3)
    assert height_km.max() < half_a_kilometre_and_a_shell_km
    raan_deg = planes.plane_raan_deg[planes.plane[mode]]
    turn_deg = np.abs((parts[:, 2] - raan_deg + 180.0) % 360.0 - 180.0)
    assert turn_deg.max() < 0.051
    assert (parts[:, 2] < 360.0).all()


def test_shells_within_one_kilometre_get_a_decimal_more(planes):
    near = replace(planes, shell_altitude_m=np.linspace(540e3, 541e3, planes.shell_family.size))
    same = replace(near, shell_inclination_deg=np.full(planes.shell_family.size, 53.0))
    names = found_plane_names(same)
    assert np.unique(names).size == names.size
    assert names[0].startswith("53.0-540.0-")


def test_rows_outside_the_choice_and_synthetic_ones_beside_real_ones_keep_to_themselves(fleet):
    both = concatenate([fleet, two_shells()])
    shell_43 = np.abs(both.inclination_deg - 43.0) < 0.1
    names = plane_names(both, NOON, among=shell_43)
    assert (names[len(fleet) :] == plane_names(two_shells(), NOON)).all()
    named = np.flatnonzero(names[: len(fleet)] != "")
    assert named.size > 3000
    assert shell_43[named].all()


def test_nobody_has_no_names():
    assert plane_names(two_shells().take(np.arange(0)), NOON).shape == (0,)
    lonely = replace(two_shells(), grid_shell=np.full(42, -1))
    assert plane_names(lonely, NOON).tolist() == [""] * 42
