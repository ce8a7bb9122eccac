"""Synthetic shells: Walker geometry, Hypatia's pattern against its own results, filed presets."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from sgp4.api import WGS72, Satrec, SatrecArray, jday

from skyweave.constants import SPEED_OF_LIGHT_M_S, WGS84_A_M
from skyweave.errors import InputError
from skyweave.twin.catalogue import (
    combine_shells,
    filed_shell,
    filed_shells,
    hypatia_shell,
    mean_altitude_m,
    mean_motion_rev_day,
    minimum_separation_m,
    walker_delta,
    walker_star,
    widest_phasing,
)

EPOCH = np.datetime64("2026-06-14T12:00:00", "ns")
ONE_MILLIMETRE = 1e-3
HALF_MICROSECOND_NS = 500.0
RAD_MIN = 2.0 * np.pi / 1440.0


def closest_of_many_instants_m(altitude_m, inclination_deg, planes, per_plane, phasing, instants):
    """Return the least distance from the first satellite to any other, over half a turn."""
    shell = walker_delta(altitude_m, inclination_deg, planes, per_plane, phasing, EPOCH)
    tilt, node = np.radians(inclination_deg), np.radians(shell.raan_deg)
    turn = np.linspace(0.0, np.pi, instants, endpoint=False)[:, None]
    u = np.radians(shell.mean_anomaly_deg) + turn
    along, across = np.cos(u), np.sin(u) * np.cos(tilt)
    x = np.cos(node) * along - np.sin(node) * across
    y = np.sin(node) * along + np.cos(node) * across
    xyz = np.stack([x, y, np.sin(u) * np.sin(tilt)], axis=-1)  # (instants, N, 3)
    apart = np.linalg.norm(xyz[:, 1:] - xyz[:, :1], axis=-1).min()
    return apart * (altitude_m + WGS84_A_M)


@pytest.mark.parametrize("inclination_deg", [30.0, 53.0, 97.6])
@pytest.mark.parametrize("phasing", [0, 1, 4, 6, 8])
def test_least_separation_is_that_of_many_instants(inclination_deg, phasing):
    shape = (550e3, inclination_deg, 9, 5, phasing)
    exact_m = minimum_separation_m(*shape)
    sampled_m = closest_of_many_instants_m(*shape, instants=20_000)
    between_instants_m = 1.2e3  # how far a satellite flies from one to the next
    assert exact_m - ONE_MILLIMETRE <= sampled_m <= exact_m + between_instants_m


def test_phasing_39_keeps_starlinks_first_shell_50_km_apart_and_36_lets_it_collide():
    # The study of 2026 sampled 50.9 km; between its instants they come a kilometre nearer.
    assert minimum_separation_m(550e3, 53.0, 72, 22, 39) == pytest.approx(49.81e3, abs=10.0)
    assert minimum_separation_m(550e3, 53.0, 72, 22, 36) < ONE_MILLIMETRE
    assert widest_phasing(550e3, 53.0, 72, 22) == 65
    assert minimum_separation_m(550e3, 53.0, 72, 22, 65) == pytest.approx(71.5e3, abs=50.0)


def test_handleys_first_phase_is_widest_at_27_of_32():
    """HAN-07: published as 5/32, which is -F."""
    assert widest_phasing(1150e3, 53.0, 32, 50) == 27
    assert minimum_separation_m(1150e3, 53.0, 32, 50, 27) == pytest.approx(42.8e3, abs=100.0)


def test_handleys_second_phase_is_widest_at_15_of_32():
    """HAN-08: published as 17/32, which is -F."""
    assert widest_phasing(1110e3, 53.8, 32, 50) == 15
    assert minimum_separation_m(1110e3, 53.8, 32, 50, 15) == pytest.approx(68.5e3, abs=100.0)


@pytest.mark.parametrize("phasing", range(0, 32, 2))
def test_handleys_first_phase_collides_at_every_even_phasing(phasing):
    """HAN-10."""
    assert minimum_separation_m(1150e3, 53.0, 32, 50, phasing) < ONE_MILLIMETRE


def test_a_single_satellite_collides_with_nobody():
    assert minimum_separation_m(550e3, 53.0, 1, 1, 0) == np.inf


def test_a_walker_delta_has_the_angles_of_its_definition():
    shell = walker_delta(550e3, 53.0, 3, 4, 2, EPOCH, name="W", grid_shell=5, raan_offset_deg=300.0)
    assert shell.raan_deg.tolist() == [300.0] * 4 + [60.0] * 4 + [180.0] * 4
    first_of_planes = shell.mean_anomaly_deg[::4]
    assert first_of_planes.tolist() == [0.0, 60.0, 120.0]  # F * 360 / T
    assert shell.mean_anomaly_deg[4:8].tolist() == [60.0, 150.0, 240.0, 330.0]
    assert shell.grid_shell.tolist() == [5] * 12
    assert shell.grid_plane.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert shell.grid_slot.tolist() == [0, 1, 2, 3] * 3
    assert shell.norad_id.tolist() == list(range(12))
    assert shell.name[6] == "W 1-2"
    assert set(shell.eccentricity) == set(shell.bstar_per_radius) == {0.0}
    assert (shell.epoch_utc == EPOCH).all()


def test_a_walker_star_spreads_its_nodes_over_half_the_equator():
    assert walker_star(780e3, 86.4, 6, 11, 3, EPOCH).raan_deg[::11].tolist() == [
        0.0, 30.0, 60.0, 90.0, 120.0, 150.0,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("altitude_m", "inclination_deg"), [(550e3, 53.0), (340e3, 97.6), (35786e3, 0.0)]
)
def test_a_shell_flies_at_the_mean_altitude_asked_for(altitude_m, inclination_deg):
    shell = walker_delta(altitude_m, inclination_deg, 1, 2, 0, EPOCH)
    np.testing.assert_allclose(mean_altitude_m(shell), altitude_m, rtol=0, atol=ONE_MILLIMETRE)


def test_a_true_550_km_means_15_06_revolutions_a_day():
    assert mean_motion_rev_day(550e3, 53.0) == pytest.approx(15.06, abs=0.005)
    hypatias = hypatia_shell(15.19, 53.0, 72, 22)
    assert mean_altitude_m(hypatias)[0] == pytest.approx(509e3, abs=1e3)


def teme_m(shell, t_s):
    """Return library positions (T, N, 3) at seconds from 2000-01-01."""
    days = (shell.epoch_utc - np.datetime64("1949-12-31")) / np.timedelta64(1, "D")
    satellites = [Satrec() for _ in days]
    for row, satellite in enumerate(satellites):
        satellite.sgp4init(
            WGS72, "i", 0, days[row], 0.0, 0.0, 0.0, shell.eccentricity[row],
            np.radians(shell.argp_deg[row]), np.radians(shell.inclination_deg[row]),
            np.radians(shell.mean_anomaly_deg[row]), shell.mean_motion_rev_day[row] * RAD_MIN,
            np.radians(shell.raan_deg[row]),
        )  # fmt: skip
    jd, fraction = jday(2000, 1, 1, 0, 0, 0)
    errors, position_km, _ = SatrecArray(satellites).sgp4(
        np.full(t_s.size, jd), fraction + t_s / 86_400.0
    )
    assert not errors.any()
    return position_km.transpose(1, 0, 2) * 1e3


def ground_teme_m(lat_deg, lon_deg, t_s):
    """Return a place on the WGS 72 ellipsoid, which Hypatia uses, turned by Greenwich time."""
    a_m, flattening = 6378135.0, 1.0 / 298.26
    e2 = flattening * (2.0 - flattening)
    lat, days = np.radians(lat_deg), t_s / 86_400.0 - 0.5  # from 2000-01-01T12:00
    century = days / 36_525.0
    gmst_s = 67310.54841 + (876600 * 3600 + 8640184.812866) * century + 0.093104 * century**2
    angle = np.radians(lon_deg) + gmst_s / 240.0 * np.pi / 180.0
    n_m = a_m / np.sqrt(1.0 - e2 * np.sin(lat) ** 2)
    xyz = (n_m * np.cos(lat) * np.cos(angle), n_m * np.cos(lat) * np.sin(angle),
           np.full(t_s.size, n_m * (1.0 - e2) * np.sin(lat)))  # fmt: skip
    return np.stack(xyz, axis=-1)


def test_hypatias_kuiper_shell_gives_hypatias_own_round_trip_times(record_figure):
    folder = Path(__file__).parents[2] / "golden" / "hypatia"
    text = gzip.decompress((folder / "networkx_rtt_1173_to_1241.txt.gz").read_bytes()).decode()
    t_ns, rtt_ns = np.array([line.split(",") for line in text.split()], dtype=np.float64).T
    changes = [
        line.split(",") for line in (folder / "networkx_path_1173_to_1241.txt").read_text().split()
    ]
    paths = {float(start): [int(n) for n in nodes.split("-")[1:-1]] for start, nodes in changes}
    used = sorted({row for path in paths.values() for row in path})
    satellites_m = teme_m(hypatia_shell(14.80, 51.9, 34, 34).take(np.array(used)), t_ns / 1e9)
    manila_m = ground_teme_m(14.6042, 120.9822, t_ns / 1e9)
    dalian_m = ground_teme_m(38.913811, 121.602322, t_ns / 1e9)
    ours_ns = np.empty(t_ns.size)
    for k, t in enumerate(t_ns):
        path = paths[max(start for start in paths if start <= t)]
        between_m = satellites_m[k, [used.index(row) for row in path]]
        stops_m = np.vstack([manila_m[k], between_m, dalian_m[k]])
        length_m = np.linalg.norm(np.diff(stops_m, axis=0), axis=1).sum()
        ours_ns[k] = 2e9 * length_m / SPEED_OF_LIGHT_M_S
    worst_ns = np.abs(ours_ns - rtt_ns).max()
    record_figure("Hypatia Manila-Dalian, plain SGP4, worst", worst_ns, "ns", "500")
    assert t_ns.size == 2_000
    assert worst_ns < HALF_MICROSECOND_NS


def test_hypatias_odd_planes_are_shifted_by_half_a_slot_and_angles_have_4_decimals():
    shell = hypatia_shell(14.80, 51.9, 34, 34)
    assert shell.raan_deg[34] == 10.5882
    assert shell.mean_anomaly_deg[[0, 1, 34, 35, 68]].tolist() == [
        0.0,
        10.5882,
        5.2941,
        15.8824,
        0.0,
    ]
    assert set(shell.eccentricity) == {1e-7}
    assert (shell.epoch_utc == np.datetime64("2000-01-01", "ns")).all()
    unshifted = hypatia_shell(14.80, 51.9, 34, 34, phase_shift=False)
    assert unshifted.mean_anomaly_deg[34] == 0.0


def test_every_filed_shell_has_its_planes_and_satellites():
    shells = filed_shells()
    assert len(shells) == len({shell.shell for shell in shells}) == 32
    for filed in shells:
        built = filed_shell(filed.shell, EPOCH)
        assert len(built) == filed.planes * filed.per_plane == filed.satellites
        assert len(np.unique(built.raan_deg)) == filed.planes
        assert np.bincount(built.grid_plane).tolist() == [filed.per_plane] * filed.planes
        np.testing.assert_allclose(mean_altitude_m(built), filed.altitude_m, atol=ONE_MILLIMETRE)
        assert set(built.inclination_deg) == {filed.inclination_deg}


@pytest.mark.parametrize(
    ("preset", "satellites"),
    [
        ("starlink-gen1", 4408),
        ("starlink-initial", 4409),
        ("starlink-gen2", 29988),
        ("kuiper", 3236),
        ("oneweb-phase1", 588),
        ("oneweb-phase2", 6372),
        ("telesat-phase1", 298),
        ("telesat-phase2", 1671),
        ("iridium", 66),
    ],
)
def test_combined_presets_hold_the_filed_totals(preset, satellites):
    whole = filed_shell(preset, EPOCH)
    assert len(whole) == satellites
    assert whole.norad_id.tolist() == list(range(satellites))
    assert np.unique(whole.grid_shell).tolist() == list(range(whole.grid_shell[-1] + 1))


def test_no_filed_shell_lets_its_satellites_collide():
    for filed in filed_shells():
        separation_m = minimum_separation_m(
            filed.altitude_m, filed.inclination_deg, filed.planes, filed.per_plane,
            filed.phasing, filed.node_spread_deg,
        )  # fmt: skip
        assert separation_m > 10e3, filed.shell


def test_starlinks_first_shell_has_its_published_phasing():
    built = filed_shell("g1-1", EPOCH)
    assert built.mean_anomaly_deg[22] == pytest.approx(39 * 360 / 1584, abs=1e-12)
    assert built.name[0] == "G1-1 0-0"


def test_two_shells_of_one_altitude_interleave_their_planes():
    gen1 = filed_shell("starlink-gen1", EPOCH)
    polar = gen1.inclination_deg == 97.6
    nodes = np.unique(gen1.raan_deg[polar])
    assert nodes.size == 10
    assert np.diff(nodes).min() == pytest.approx(15.0)


def test_polar_shells_spread_their_nodes_over_half_the_equator():
    assert filed_shell("iridium", EPOCH).raan_deg.max() == 150.0
    assert filed_shell("OW1", EPOCH).raan_deg.max() == 165.0
    assert filed_shell("G1-4a", EPOCH).raan_deg.max() == 300.0


def test_shells_combine_under_new_numbers():
    one = walker_delta(550e3, 53.0, 2, 2, 1, EPOCH, grid_shell=7)
    both = combine_shells([one, one])
    assert both.norad_id.tolist() == list(range(8))
    assert both.grid_shell.tolist() == [0] * 4 + [1] * 4


@pytest.mark.parametrize(
    ("preset", "near"),
    [("G1-6", "G1-"), ("starlink_gen1", "'starlink-gen1'"), ("kuyper", "'kuiper'"), ("", "'")],
)
def test_an_unknown_preset_is_refused_with_the_nearest_name(preset, near):
    with pytest.raises(InputError) as refusal:
        filed_shell(preset, EPOCH)
    assert f"shell preset {preset!r} is not known; did you mean " in str(refusal.value)
    assert near in str(refusal.value)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ((550.0, 53.0, 72, 22, 39), "altitude_m = 550 is outside 120000 to 1e+08; give metres"),
        ((float("nan"), 53.0, 72, 22, 39), "altitude_m = nan is outside"),
        ((550e3, 181.0, 72, 22, 39), "inclination_deg = 181 is outside 0 to 180"),
        (
            (550e3, 53.0, 0, 22, 0),
            "planes = 0 of per_plane = 22 satellites, expected at least 1 each",
        ),
        ((550e3, 53.0, 72, 0, 39), "planes = 72 of per_plane = 0 satellites"),
        ((550e3, 53.0, 2000, 2000, 39), "at most 1000000 satellites"),
        ((550e3, 53.0, 72, 22, 72), "phasing = 72 is outside 0 to planes - 1 = 71"),
        ((550e3, 53.0, 72, 22, -1), "phasing = -1 is outside 0 to planes - 1 = 71"),
    ],
)
def test_an_impossible_shell_is_refused(shape, reason):
    with pytest.raises(InputError) as refusal:
        walker_delta(*shape, EPOCH)
    assert reason in str(refusal.value)


@pytest.mark.parametrize("mean_motion", [0.0, -1.0, 18.0, float("nan")])
def test_an_impossible_mean_motion_is_refused(mean_motion):
    with pytest.raises(InputError, match="is outside 0 to 17 rev/day"):
        hypatia_shell(mean_motion, 53.0, 72, 22)


def test_the_shells_of_a_preset_stay_apart_beside_other_shells():
    gen1, one = filed_shell("starlink-gen1", EPOCH), walker_delta(550e3, 53.0, 2, 2, 1, EPOCH)
    whole = combine_shells([one, gen1, one])
    shells = int(gen1.grid_shell.max()) + 1
    assert np.unique(whole.grid_shell).tolist() == list(range(shells + 2))
    lattice = np.stack((whole.grid_shell, whole.grid_plane, whole.grid_slot))
    assert np.unique(lattice, axis=1).shape[1] == len(whole)
