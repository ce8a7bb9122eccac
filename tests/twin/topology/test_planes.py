"""Planes of the real fleet: against the research's table, other dates, and known lattices."""

import numpy as np
import pytest
from sgp4.api import WGS72, Satrec

from skyweave.constants import WGS72_RADIUS_KM, WGS84_A_M
from skyweave.twin.catalogue.elements import ARRAY_FIELDS, Catalogue, concatenate
from skyweave.twin.catalogue.read import read_catalogue
from skyweave.twin.catalogue.select import nearest_epoch, select_names
from skyweave.twin.topology.planes import find_planes, mean_orbits

NOON = np.datetime64("2026-06-14T12:00:12", "ns")

# Family inclination, altitude in km, planes and members (stragglers included) on 2026-06-14.
RESEARCH_TABLE = [
    (43.00, 358.3, 26, 327),
    (43.00, 485.0, 97, 3246),
    (53.16, 360.0, 26, 311),
    (53.16, 463.0, 54, 1112),
    (53.16, 471.0, 45, 632),
    (53.16, 475.5, 43, 998),
    (53.16, 540.0, 72, 1245),
    (70.00, 570.0, 34, 690),
    (97.28, 462.5, 23, 509),
    (97.36, 546.5, 23, 473),
]
ROUNDING_OF_THE_TABLE_KM = 0.1
FEW_MEMBERS = 3  # the research's element sets are from a list fetched at another hour


@pytest.fixture(scope="module")
def fleet():
    return starlink_of("builtin:2026-06-14", NOON)


@pytest.fixture(scope="module")
def planes(fleet):
    return find_planes(fleet, NOON)


def starlink_of(source, at_utc):
    return nearest_epoch(select_names(read_catalogue(source), ["STARLINK"]), at_utc)


def shell_of(raan_deg, *, per_plane=8, altitude_m=550e3, inclination_deg=53.0, first_id=0):
    """Planes at the given RAANs, with evenly spaced satellites."""
    count = len(raan_deg) * per_plane
    axis_m = WGS84_A_M + altitude_m
    zero = np.zeros(count)
    columns = dict.fromkeys(ARRAY_FIELDS, zero)
    columns |= {
        "name": np.full(count, "TEST"),
        "norad_id": first_id + np.arange(count),
        "cospar_id": np.full(count, ""),
        "epoch_utc": np.full(count, NOON),
        "mean_motion_rev_day": zero + 86400 / (2 * np.pi) * np.sqrt(3.986008e14 / axis_m**3),
        "inclination_deg": zero + inclination_deg,
        "raan_deg": np.repeat(np.asarray(raan_deg) % 360.0, per_plane),
        "mean_anomaly_deg": np.tile(np.arange(per_plane) * 360.0 / per_plane, len(raan_deg)),
    }
    return Catalogue(**columns)


def agreement(first, second):
    """The adjusted Rand index of two labellings (Hubert and Arabie 1985)."""

    def pairs(count):
        return (count * (count - 1) / 2).sum()

    _, first = np.unique(first, return_inverse=True)
    _, second = np.unique(second, return_inverse=True)
    _, both = np.unique(first * (second.max() + 1) + second, return_counts=True)
    in_first, in_second = pairs(np.bincount(first)), pairs(np.bincount(second))
    expected = in_first * in_second / pairs(np.array([first.size]))
    return (pairs(both) - expected) / ((in_first + in_second) / 2 - expected)


def test_the_shells_of_2026_06_14_are_those_of_the_research(planes, record_figure):
    count = np.bincount(planes.plane_shell)
    members = np.bincount(planes.shell[planes.shell >= 0])
    assert len(count) == len(RESEARCH_TABLE)
    for shell, (inclination_deg, altitude_km, planes_there, members_there) in enumerate(
        RESEARCH_TABLE
    ):
        assert planes.shell_inclination_deg[shell] == pytest.approx(inclination_deg, abs=0.01)
        assert planes.shell_altitude_m[shell] / 1e3 == pytest.approx(
            altitude_km, abs=ROUNDING_OF_THE_TABLE_KM
        )
        assert count[shell] == planes_there
        assert abs(members[shell] - members_there) <= FEW_MEMBERS
        record_figure(
            f"planes of the {altitude_km} km shell", int(count[shell]), "", str(planes_there)
        )


@pytest.mark.parametrize("earlier", ["2026-05-28T0635Z", "2026-05-24T0538Z"])
def test_satellites_that_stay_at_their_altitude_stay_in_their_plane(
    fleet, planes, earlier, reference_data, record_figure
):
    at_utc = np.datetime64(f"{earlier[:13]}:35", "ns")
    past = starlink_of(reference_data / "tle" / earlier / "starlink.tle.gz", at_utc)
    past_planes = find_planes(past, at_utc)
    _, now, then = np.intersect1d(fleet.norad_id, past.norad_id, return_indices=True)
    moved_m = mean_orbits(fleet, NOON).altitude_m[now] - mean_orbits(past, at_utc).altitude_m[then]
    core = (planes.plane[now] >= 0) & (past_planes.plane[then] >= 0) & (np.abs(moved_m) < 1000.0)
    core &= ~planes.is_straggler[now] & ~past_planes.is_straggler[then]
    assert core.sum() > 8000
    ari = agreement(planes.plane[now[core]], past_planes.plane[then[core]])
    record_figure(f"ARI of planes, unmoved, {earlier[:10]} to 2026-06-14", ari, "", ">= 0.99")
    assert ari >= 0.99


def test_mean_orbits_agree_with_the_sgp4_library(fleet):
    some = fleet.take(np.arange(0, len(fleet), 50))
    orbits = mean_orbits(some, some.epoch_utc[0] + np.timedelta64(86400, "s"))
    for row in range(len(some)):
        record = Satrec()
        epoch_days = (some.epoch_utc[row] - np.datetime64("1949-12-31")) / np.timedelta64(1, "D")
        record.sgp4init(
            WGS72,
            "i",
            1,
            epoch_days,
            some.bstar_per_radius[row],
            0.0,
            0.0,
            some.eccentricity[row],
            np.radians(some.argp_deg[row]),
            np.radians(some.inclination_deg[row]),
            np.radians(some.mean_anomaly_deg[row]),
            some.mean_motion_rev_day[row] * 2 * np.pi / 1440,
            np.radians(some.raan_deg[row]),
        )
        one_millimetre = 1e-3
        altitude_m = record.a * WGS72_RADIUS_KM * 1e3 - WGS84_A_M
        assert orbits.altitude_m[row] == pytest.approx(altitude_m, abs=one_millimetre)
        minutes = (some.epoch_utc[0] - some.epoch_utc[row]) / np.timedelta64(60, "s") + 1440
        raan_deg = some.raan_deg[row] + np.degrees(record.nodedot) * minutes
        turned = some.argp_deg[row] + some.mean_anomaly_deg[row]
        turned += np.degrees(record.mdot + record.argpdot) * minutes
        hundredth_of_a_degree_per_day = 0.01 * max(1.0, abs(minutes) / 1440)
        for ours, theirs in [
            (orbits.raan_deg[row], raan_deg),
            (orbits.latitude_argument_deg[row], turned),
        ]:
            difference = (ours - theirs + 180.0) % 360.0 - 180.0
            assert abs(difference) < 2 * hundredth_of_a_degree_per_day


def test_the_order_of_the_rows_does_not_matter(fleet, planes):
    rows = np.random.default_rng(2).permutation(len(fleet))
    shuffled = find_planes(fleet.take(rows), NOON)
    np.testing.assert_array_equal(shuffled.plane, planes.plane[rows])
    np.testing.assert_array_equal(shuffled.place, planes.place[rows])
    np.testing.assert_array_equal(shuffled.plane_raan_deg, planes.plane_raan_deg)


def test_places_count_upwards_with_the_argument_of_latitude(fleet, planes):
    u_deg = mean_orbits(fleet, NOON).latitude_argument_deg
    for plane in range(0, planes.plane_shell.size, 20):
        rows = np.flatnonzero(planes.plane == plane)
        rows = rows[np.argsort(planes.place[rows])]
        assert planes.place[rows].tolist() == list(range(rows.size))
        assert (np.diff(u_deg[rows]) >= 0).all()
    assert (planes.place[planes.plane < 0] == -1).all()


def test_a_plane_across_raan_zero_is_one_plane():
    raan_deg = np.arange(12) * 30.0
    shell = shell_of(raan_deg)
    wobble = np.tile([-0.15, 0.15], len(shell) // 2)
    shell.raan_deg[:] = (shell.raan_deg + wobble) % 360.0
    planes = find_planes(shell, NOON)
    np.testing.assert_array_equal(planes.plane, np.repeat([0, *range(1, 12)], 8))
    turned = (planes.plane_raan_deg - raan_deg + 180.0) % 360.0 - 180.0
    np.testing.assert_allclose(turned, 0.0, atol=1e-9)


def test_twin_planes_a_degree_apart_stay_two_planes():
    planes = find_planes(shell_of(np.sort(np.r_[0:360:30, 1:361:30])), NOON)
    assert planes.plane_shell.size == 24


def test_a_staging_orbit_of_few_planes_and_passers_by_are_in_no_plane():
    staging = find_planes(shell_of(np.arange(5) * 72.0, per_plane=20), NOON)
    assert (staging.plane == -1).all()
    assert staging.plane_shell.size == staging.shell_altitude_m.size == 0
    shell = shell_of(np.arange(12) * 30.0)
    shell.raan_deg[0] += 15.0  # between two planes
    shell.mean_motion_rev_day[10] *= 1.01  # 46 km below
    shell.inclination_deg[20] += 0.5
    assert np.flatnonzero(find_planes(shell, NOON).plane < 0).tolist() == [0, 10, 20]


def test_a_satellite_a_little_off_is_a_straggler_of_the_nearest_plane():
    shell = shell_of(np.arange(12) * 30.0)
    shell.mean_motion_rev_day[9] *= 1 + 1.5 * 2e3 / 6.928e6  # 2 km below
    shell.raan_deg[9] += 0.5
    planes = find_planes(shell, NOON)
    assert planes.plane[9] == 1
    assert np.flatnonzero(planes.is_straggler).tolist() == [9]


@pytest.mark.parametrize(("raan_deg", "first_shell"), [(0.15, True), (0.3, False)])
def test_a_straggler_between_shells_weighs_a_kilometre_like_a_fifth_of_a_degree(
    raan_deg, first_shell
):
    lower = shell_of(np.arange(12) * 30.0)
    upper = shell_of(np.arange(12) * 30.0 + 0.9, altitude_m=552e3, first_id=1000)
    straggler = shell_of([raan_deg], altitude_m=552e3, first_id=2000).take(np.arange(1))
    planes = find_planes(concatenate([lower, upper, straggler]), NOON)
    assert planes.is_straggler[-1]
    assert planes.plane[-1] == planes.plane[0 if first_shell else len(lower)]


def test_only_the_marked_rows_form_planes():
    shell = shell_of(np.arange(20) * 18.0)
    among = shell.raan_deg < 200.0
    planes = find_planes(shell, NOON, among)
    assert (planes.plane[~among] == -1).all()
    assert planes.plane_shell.size == 12


def test_an_unusable_row_and_an_empty_catalogue_are_in_no_plane():
    shell = shell_of(np.arange(12) * 30.0)
    shell.mean_motion_rev_day[3] = np.nan
    assert np.flatnonzero(find_planes(shell, NOON).plane < 0).tolist() == [3]
    assert find_planes(shell.take(np.zeros(len(shell), bool)), NOON).plane.shape == (0,)
