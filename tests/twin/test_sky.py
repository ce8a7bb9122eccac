"""The arrays behind a picture of the sky, against other people's astronomy and by hand."""

from dataclasses import replace

import numpy as np
import pytest
from skyfield.api import EarthSatellite, load, wgs84
from tests.support.from_sgp4 import catalogue_of, element_lines, satellites_of

from skyweave.constants import GEO_RADIUS_M, WGS84_A_M, WGS84_F
from skyweave.data import read_data_text
from skyweave.time import parse_utc
from skyweave.twin.results.sky_picture import COULD_SERVE, NOT_IN_SLOT, SERVES
from skyweave.twin.satellites import Fleet
from skyweave.twin.scenario import parse_scenario
from skyweave.twin.sky import sky_picture
from skyweave.twin.world import build_system, terminal_row

START = parse_utc("2026-06-14T12:00:12Z")
LAT_DEG, LON_DEG = 46.95, 7.45
MASKED = """
[visibility]
gso_separation_deg = 18
[[terminal_classes]]
name = "standard"
tilt_deg = 25
tilt_azimuth_deg = 300
"""
TERMINAL = f"""
[[terminals]]
id = "office"
lat_deg = {LAT_DEG}
lon_deg = {LON_DEG}
height_wgs84_m = 600
"""
HOUSE = "polygon,azimuth_deg,elevation_deg\nh,80,0\nh,80,70\nh,200,70\nh,200,0\n"
NOTHING = {"satellite": None, "reason": "no_satellite_in_view", "rtt_s": None, "candidates": []}


def system_of(more="", terminals=TERMINAL, folder=None, slot_s=15):
    text = f"""
    [time]
    start_utc = 2026-06-14T12:00:12Z
    duration_s = 300
    slot_s = {slot_s}
    [[shells]]
    altitude_km = 550
    inclination_deg = 53
    planes = 72
    per_plane = 22
    phasing = 17
    {more}
    {terminals}
    """
    return build_system(parse_scenario(text, "sky.toml", *([folder] if folder else [])))


def picture_of(system, slot=0, explanation=NOTHING, terminal="office"):
    return sky_picture(system, terminal_row(system, terminal), slot, explanation)


def explained(norad_id, others=()):
    """What `explain_slot` says when one satellite serves, as far as pictures read it."""
    candidates = [{"norad_id": norad_id, "refused": None}, *others]
    satellite = {"norad_id": norad_id, "name": "THIS ONE"}
    return NOTHING | {"satellite": satellite, "rtt_s": 0.03, "candidates": candidates}


@pytest.fixture(scope="module")
def masked(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sky")
    (folder / "house.csv").write_text(HOUSE)
    return system_of(MASKED, TERMINAL + 'obstruction = "house.csv"\n', folder)


def test_passes_are_where_skyfield_sees_the_satellites():
    """Three satellites of a real catalogue; skyfield has its own Earth rotation, in GCRS."""
    pairs = element_lines(read_data_text("active_2026-06-14.tle.xz"))[:3000:20]
    system = _with_catalogue(system_of(), catalogue_of(satellites_of(pairs)))
    passes = picture_of(system).passes
    up = np.isfinite(passes.elevation_deg).all(axis=0)
    assert up.sum() >= 3
    timescale = load.timescale()
    utc = START + (passes.t_s * 1e9).astype("timedelta64[ns]")
    days = (utc - np.datetime64("2000-01-01T00:00:00", "ns")) / np.timedelta64(1, "D")
    times = timescale.utc(2000, 1, 1.0 + days)
    worst_deg = 0.0
    lines = {int(first[2:7]): (first, second) for first, second in pairs}
    for sat in np.flatnonzero(up)[:3]:
        satellite = EarthSatellite(*lines[int(passes.norad_id[sat])], ts=timescale)
        place = wgs84.latlon(LAT_DEG, LON_DEG, elevation_m=600.0)
        elevation, azimuth, _ = (satellite - place).at(times).altaz()
        east = (azimuth.degrees - passes.azimuth_deg[:, sat] + 180.0) % 360.0 - 180.0
        level = np.cos(elevation.radians)
        off_deg = np.hypot(elevation.degrees - passes.elevation_deg[:, sat], level * east)
        worst_deg = max(worst_deg, off_deg.max())
    assert worst_deg < 0.05


def _with_catalogue(system, catalogue):
    """The same system with other satellites."""
    (part,) = system.parts
    everyone = np.ones(len(catalogue), dtype=bool)
    fleet = Fleet(
        catalogue, everyone, {}, (), np.zeros(len(catalogue)), np.zeros(len(catalogue), np.int8)
    )
    return replace(system, parts=(replace(part, world=replace(part.world, fleet=fleet)),))


def lines_enu(azimuth_deg, elevation_deg):
    azimuth, elevation = np.radians(azimuth_deg), np.radians(elevation_deg)
    level = np.cos(elevation)
    return np.stack([level * np.sin(azimuth), level * np.cos(azimuth), np.sin(elevation)], -1)


def arc_by_hand(lat_deg, height_m, away_deg):
    """East, north, up of unit vectors to arc points `away_deg` east of the site's meridian."""
    lat, away = np.radians(lat_deg), np.radians(away_deg)
    e2 = WGS84_F * (2.0 - WGS84_F)
    normal_m = WGS84_A_M / np.sqrt(1.0 - e2 * np.sin(lat) ** 2)
    x = GEO_RADIUS_M * np.cos(away) - (normal_m + height_m) * np.cos(lat)
    z = -(normal_m * (1.0 - e2) + height_m) * np.sin(lat)
    east = GEO_RADIUS_M * np.sin(away)
    north, up = z * np.cos(lat) - x * np.sin(lat), z * np.sin(lat) + x * np.cos(lat)
    line = np.stack([east, north, up], axis=-1)
    return line / np.linalg.norm(line, axis=-1, keepdims=True)


def test_the_mask_says_of_500_directions_what_each_rule_says_alone(masked):
    mask = picture_of(masked).mask
    rng = np.random.default_rng(5)
    row, column = rng.integers(0, 360, 500), rng.integers(0, 91, 500)
    azimuth_deg, elevation_deg = mask.codes.azimuth_deg[row], mask.codes.elevation_deg[column]
    line = lines_enu(azimuth_deg, elevation_deg)
    arc = arc_by_hand(LAT_DEG, 600.0, np.linspace(-90, 90, 20_001))
    separation_deg = np.degrees(np.arccos((line @ arc[arc[:, 2] >= 0.0].T).max(axis=1)))
    off_deg = np.degrees(np.arccos(np.clip(line @ lines_enu(300.0, 65.0), -1.0, 1.0)))
    in_house = (azimuth_deg >= 80) & (azimuth_deg < 200) & (elevation_deg < 70)
    rules = [elevation_deg < 25.0, separation_deg < 18.0, off_deg > 55.0, in_house]
    expected = np.select(rules, [1, 2, 3, 4], 0)
    np.testing.assert_array_equal(mask.codes.code[row, column], expected)
    assert set(expected) == {0, 1, 2, 3, 4}
    np.testing.assert_array_equal(mask.is_blocked[row, column], in_house)


@pytest.mark.parametrize("lat_deg", [0.0, 35.0, -60.0, 78.0])
def test_the_arc_stands_where_the_triangle_puts_it(lat_deg):
    terminals = TERMINAL.replace(f"lat_deg = {LAT_DEG}", f"lat_deg = {lat_deg}")
    mask = picture_of(system_of(terminals=terminals)).mask
    assert mask.arc_elevation_deg.min() == pytest.approx(0.0, abs=1e-6)
    found = lines_enu(mask.arc_azimuth_deg, mask.arc_elevation_deg)
    whole = arc_by_hand(lat_deg, 600.0, np.linspace(-90.0, 90.0, 200_001))
    a_thousandth_deg = 1e-3
    away_deg = [np.degrees(np.arccos(np.clip((whole @ one).max(), -1, 1))) for one in found[::20]]
    assert max(away_deg) < a_thousandth_deg
    highest_deg = np.degrees(np.arcsin(whole[:, 2].max()))
    assert mask.arc_elevation_deg.max() == pytest.approx(highest_deg, abs=a_thousandth_deg)


def test_near_a_pole_there_is_no_arc():
    terminals = TERMINAL.replace(f"lat_deg = {LAT_DEG}", "lat_deg = 83.0")
    mask = picture_of(system_of(MASKED, terminals)).mask
    assert mask.arc_azimuth_deg.size == 0
    assert not (mask.codes.code == 2).any()


def test_passes_are_of_those_that_rise_above_the_limit_from_now_on():
    passes = picture_of(system_of(), slot=4).passes
    assert passes.t_s[passes.now] == 0.0
    assert (passes.t_s[0], passes.t_s[-1]) == (-180.0, 300.0)
    highest_deg = np.nanmax(passes.elevation_deg[passes.now :], axis=0)
    assert (highest_deg >= 25.0).all()
    assert (passes.elevation_deg[passes.now] < 24.0).any()  # it comes within the minutes shown
    assert np.nanmin(passes.elevation_deg) >= 0.0
    assert np.isnan(passes.elevation_deg).any()  # some rise or set meanwhile
    np.testing.assert_array_equal(np.isnan(passes.elevation_deg), np.isnan(passes.azimuth_deg))
    soon = picture_of(system_of(), slot=6).passes  # 30 s on, the same sky has moved
    both, ours, theirs = np.intersect1d(passes.norad_id, soon.norad_id, return_indices=True)
    assert both.size > 0.8 * passes.norad_id.size
    np.testing.assert_allclose(
        passes.elevation_deg[passes.now + 3, ours], soon.elevation_deg[soon.now, theirs], atol=1e-6
    )


def test_each_satellite_has_the_part_that_the_explanation_gives_it():
    system = system_of()
    numbers = picture_of(system).passes.norad_id.tolist()
    told = explained(
        numbers[0],
        [{"norad_id": numbers[1], "refused": None}, {"norad_id": numbers[2], "refused": "gso_arc"}],
    )
    picture = picture_of(system, explanation=told)
    assert picture.passes.role[:4] == (SERVES, COULD_SERVE, "gso_arc", NOT_IN_SLOT)
    assert picture.serving_name == "THIS ONE"
    assert picture.outcome == "served, round trip 30.0 ms"
    assert picture_of(system).outcome == "out: no usable satellite was high enough in the sky"


def test_the_handover_is_the_last_boundary_to_which_the_satellite_stays_usable(masked):
    """By the tracks and the mask on its grid of degrees: within a slot of the exact answer."""
    found = 0
    everyone = picture_of(masked)
    codes, passes = everyone.mask.codes, everyone.passes
    for sat, norad_id in enumerate(passes.norad_id.tolist()):
        track = passes.azimuth_deg[passes.now :, sat], passes.elevation_deg[passes.now :, sat]
        up = np.isfinite(track[0])
        usable = np.zeros(up.size, dtype=bool)
        row, column = (np.round(each[up]).astype(int) for each in track)
        usable[up] = codes.code[row % 360, column] == 0
        if not usable[:3].all():
            continue
        picture = picture_of(masked, explanation=explained(norad_id))
        if usable.all():
            assert np.isnan(picture.leaves_s)
            assert picture.leaves_utc == ""
            continue
        found += 1
        lost_s = 10.0 * usable.argmin()
        assert picture.leaves_s % 15.0 == 0.0
        a_slot_and_a_degree_s = 15.0 + 20.0
        assert abs(picture.leaves_s - lost_s) <= a_slot_and_a_degree_s
        assert parse_utc(picture.leaves_utc) == START + np.timedelta64(int(picture.leaves_s), "s")
    assert found > 3


def test_without_a_mask_the_handover_is_the_last_boundary_above_the_lowest_elevation():
    system = system_of()
    passes = picture_of(system).passes
    a_track_bends_deg = 0.05  # between points 10 s apart, near 25 deg
    high = np.flatnonzero(passes.elevation_deg[passes.now] > 26.0)
    found = [
        (sat, picture_of(system, explanation=explained(int(passes.norad_id[sat]))).leaves_s)
        for sat in high
    ]
    assert sum(np.isfinite(leaves_s) for _, leaves_s in found) > 3
    for sat, leaves_s in found:
        if np.isfinite(leaves_s):
            ends_s = [leaves_s, leaves_s + 15.0]
            last_deg, lost_deg = np.interp(ends_s, passes.t_s, passes.elevation_deg[:, sat])
            assert last_deg >= 25.0 - a_track_bends_deg
            assert not lost_deg > 25.0 + a_track_bends_deg  # NaN: below the horizon


def test_satellites_that_serve_nobody_do_not_pass():
    system = system_of()
    (part,) = system.parts
    everyone = picture_of(system).passes.norad_id
    serves = part.world.fleet.catalogue.norad_id % 2 == 0
    world = replace(part.world, fleet=replace(part.world.fleet, serves=serves))
    half = replace(system, parts=(replace(part, world=world),))
    np.testing.assert_array_equal(picture_of(half).passes.norad_id, everyone[everyone % 2 == 0])


def test_all_is_lit_at_noon_and_dark_at_midnight_in_winter():
    noon = picture_of(system_of()).passes.is_sunlit
    assert noon.all()
    far_south = TERMINAL.replace(f"lat_deg = {LAT_DEG}", "lat_deg = -45.0").replace(
        f"lon_deg = {LON_DEG}", "lon_deg = 180.0"
    )
    assert not picture_of(system_of(terminals=far_south)).passes.is_sunlit.any()


def test_a_moving_terminal_sees_the_sky_of_where_it_is(tmp_path):
    track = "time_utc,lat_deg,lon_deg,height_wgs84_m\n"
    track += "2026-06-14T11:50:00Z,10,20,0\n2026-06-14T12:10:00Z,30,20,0\n"
    (tmp_path / "track.csv").write_text(track)
    moving = system_of(terminals='[[terminals]]\nid = "office"\ntrack = "track.csv"\n',
                       folder=tmp_path)  # fmt: skip
    here = [10.0 + 20.0 * 612.0 / 1200.0, 20.0]  # 12:00:12 is 612 s of 1200 s on the way
    passes = picture_of(moving).passes
    place = TERMINAL.replace(f"{LAT_DEG}", f"{here[0]}").replace(f"{LON_DEG}", f"{here[1]}")
    fixed = picture_of(system_of(terminals=place.replace("600", "0"))).passes
    both, ours, theirs = np.intersect1d(passes.norad_id, fixed.norad_id, return_indices=True)
    assert both.size > 5
    now = (passes.elevation_deg[passes.now, ours], fixed.elevation_deg[fixed.now, theirs])
    along_the_meridian_deg = 0.05  # between sphere and ellipsoid
    np.testing.assert_allclose(*now, rtol=0, atol=along_the_meridian_deg)
    end = (passes.elevation_deg[-1, ours], fixed.elevation_deg[-1, theirs])
    assert np.nanmax(np.abs(end[0] - end[1])) > 5.0  # 5 minutes on it is elsewhere


def test_a_terminal_whose_position_is_unknown_has_an_empty_sky(tmp_path):
    track = "time_utc,lat_deg,lon_deg,height_wgs84_m\n"
    track += "2026-06-14T12:03:00Z,10,20,0\n2026-06-14T12:10:00Z,30,40,0\n"
    (tmp_path / "track.csv").write_text(track)
    late = system_of(MASKED, '[[terminals]]\nid = "office"\ntrack = "track.csv"\n', tmp_path)
    lost = NOTHING | {"reason": "position_unknown"}
    picture = picture_of(late, explanation=lost)
    assert picture.passes.norad_id.size == 0
    assert picture.mask.arc_azimuth_deg.size == 0
    assert picture.mask.gso_separation_deg == 0.0
    assert "position was not known" in picture.outcome
    assert picture_of(late, slot=15, explanation=lost).passes.norad_id.size > 0


def test_a_range_knows_no_lowest_elevation():
    far = '[visibility]\nmode = "range"\nmax_range_m = 1000000\n'
    picture = picture_of(system_of(far))
    assert not picture.mask.codes.code.any()
    assert picture.passes.norad_id.size > 0


def test_slots_longer_than_the_tracks_have_no_handover():
    system = system_of(slot_s=600)
    passes = picture_of(system).passes
    number = int(passes.norad_id[np.nanargmax(passes.elevation_deg[passes.now])])
    assert np.isnan(picture_of(system, explanation=explained(number)).leaves_s)
