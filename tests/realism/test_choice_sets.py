"""Candidates and their terms from a list of satellites, against brute force and Skyfield."""

import numpy as np
import pytest
from skyfield.api import EarthSatellite, load, wgs84

from skyweave.errors import InputError
from skyweave.frames import geodetic_to_itrf
from skyweave.realism.choice_sets import (
    HORIZON_SLOTS,
    Place,
    build_choice_set,
    is_operational,
    read_elements,
    sky_from_elements,
    with_history,
)
from skyweave.realism.observations import SkyList
from skyweave.twin.catalogue import mean_altitude_m, read_catalogue
from skyweave.twin.geometry import gso_separation_deg
from skyweave.twin.scheduling.candidates import AGE_SLOTS

SITE = Place(48.2, 16.4)
START_UTC = np.datetime64("2026-06-13T20:00:12", "ns")
SLOT = np.timedelta64(15, "s")
HUNDREDTH_DEG = 0.01


def sky_of(names, elevation_deg, azimuth_deg, slots=1):
    """Return the same satellites in each of some slots."""
    count = len(names)
    return SkyList(
        source="sky",
        slot_utc=START_UTC + np.arange(slots) * SLOT,
        start=np.arange(slots + 1) * count,
        name=np.tile(np.array(names), slots),
        elevation_deg=np.tile(np.array(elevation_deg, float), slots),
        azimuth_deg=np.tile(np.array(azimuth_deg, float), slots),
        range_m=np.full(count * slots, 700e3),
    )


@pytest.fixture(scope="module")
def catalogue():
    return read_catalogue("builtin:2026-06-14")


@pytest.fixture(scope="module")
def full(catalogue):
    """All satellites above Vienna in eight slots, and their choice set."""
    sky = sky_from_elements(catalogue, START_UTC + np.arange(8) * SLOT, SITE, 2.0)
    elements, ages = read_elements("builtin:2026-06-14", sky, 2.0)
    return sky, build_choice_set(sky, elements, SITE, (10.0, 65.0)), ages


def skyfield_satellites(names):
    lines = _three_line_sets()
    scale = load.timescale(builtin=True)
    return {name: EarthSatellite(*lines[name], name, scale) for name in names}, scale


def _three_line_sets():
    from skyweave.data import read_data_text

    text = read_data_text("active_2026-06-14.tle.xz").splitlines()
    rows = zip(text[::3], text[1::3], text[2::3], strict=True)
    return {name.strip(): (one, two) for name, one, two in rows}


def test_angles_and_slots_in_view_are_skyfields(full):
    _, choices, ages = full
    rng = np.random.default_rng(2)
    rows = rng.choice(len(choices.name), 40, replace=False)
    satellites, scale = skyfield_satellites(set(choices.name[rows].tolist()))
    site = wgs84.latlon(SITE.lat_deg, SITE.lon_deg)
    steps = np.arange(-AGE_SLOTS, HORIZON_SLOTS + 1)
    for row in rows.tolist():
        start = choices.slot_utc[choices.slot_of[row]].astype("datetime64[s]").item()
        times = scale.utc(
            start.year, start.month, start.day, start.hour, start.minute,
            start.second + 15.0 * steps,
        )  # fmt: skip
        elevation, azimuth, _ = (satellites[choices.name[row]] - site).at(times).altaz()
        is_up = elevation.degrees >= 25.0
        if np.abs(elevation.degrees - 25.0).min() < HUNDREDTH_DEG:
            continue  # which side of the mask is a matter of rounding
        now = AGE_SLOTS
        assert elevation.degrees[now] == pytest.approx(
            choices.inputs.elevation_deg[row], abs=HUNDREDTH_DEG
        )
        assert azimuth.degrees[now] == pytest.approx(
            choices.inputs.azimuth_deg[row], abs=10 * HUNDREDTH_DEG
        )
        before = is_up[:now][::-1]
        after = is_up[now + 1 :]
        assert choices.inputs.age_slots[row] == (before.argmin() if not before.all() else AGE_SLOTS)
        left = after.argmin() if not after.all() else HORIZON_SLOTS
        assert choices.inputs.remaining_slots[row] == left
    assert ages.without == 0


def test_the_angle_to_the_arc_needs_only_the_latitude(full):
    _, choices, _ = full
    azimuth, elevation = (
        np.radians(choices.inputs.azimuth_deg),
        np.radians(choices.inputs.elevation_deg),
    )
    place, up = geodetic_to_itrf([SITE.lat_deg], [SITE.lon_deg], [0.0])
    east = np.array([-np.sin(np.radians(SITE.lon_deg)), np.cos(np.radians(SITE.lon_deg)), 0.0])
    north = np.cross(up[0], east)
    line = (
        np.outer(np.cos(elevation) * np.sin(azimuth), east)
        + np.outer(np.cos(elevation) * np.cos(azimuth), north)
        + np.outer(np.sin(elevation), up[0])
    )
    sat_m = place[0] + 1e6 * line
    rows = np.arange(len(sat_m))
    exact = gso_separation_deg(place, up, sat_m, np.zeros_like(rows), rows)
    far = exact > 5.0
    np.testing.assert_allclose(
        choices.inputs.gso_separation_deg[far], exact[far], atol=5 * HUNDREDTH_DEG
    )


def test_satellites_for_phones_or_too_low_or_below_25_deg_are_no_candidates(catalogue):
    names = ["STARLINK-1017", "STARLINK-11072", "STARLINK-99999", "STARLINK-1039", "STARLINK-1047"]
    sky = sky_of(names, [50.0, 50.0, 50.0, 24.9, 25.0], [0.0] * 5)
    kept = build_choice_set(sky, catalogue, None, None)
    assert kept.name.tolist() == ["STARLINK-1017", "STARLINK-99999", "STARLINK-1047"]
    assert kept.listed.tolist() == [0, 2, 4]
    assert kept.rows_of_listed(np.array([0, 1, 2, -1])).tolist() == [0, -1, 1, -1]


def test_a_satellite_below_430_km_is_no_candidate(catalogue):
    sky = sky_of(["STARLINK-1012", "STARLINK-1017"], [50.0, 50.0], [0.0, 0.0])
    elements, _ = read_elements("builtin:2026-06-14", sky, 2.0)
    altitude_m = dict(zip(elements.name.tolist(), mean_altitude_m(elements), strict=True))
    assert altitude_m["STARLINK-1012"] < 430e3 < altitude_m["STARLINK-1017"]
    assert is_operational(sky, elements).tolist() == [False, True]


def test_v2_minis_are_told_by_their_number(catalogue):
    names = ["STARLINK-29999", "STARLINK-30000", "STARLINK-31533", "STARLINK-6000"]
    sky = sky_of([*names, "ONEWEB-40000"], [50.0] * 5, [0.0] * 5)
    choices = build_choice_set(sky, catalogue, None, None)
    told = dict(zip(choices.name.tolist(), choices.inputs.is_v2_mini.tolist(), strict=True))
    assert told == {"STARLINK-30000": True, "STARLINK-31533": True, "STARLINK-6000": False,
                    "ONEWEB-40000": False}  # fmt: skip


def test_without_site_and_boresight_nothing_that_needs_them_is_known(catalogue):
    sky = sky_of(["STARLINK-1017", "STARLINK-1039"], [50.0, 30.0], [0.0, 90.0])
    choices = build_choice_set(sky, catalogue, None, None)
    assert np.isnan(choices.inputs.off_pole_deg).all()
    assert np.isnan(choices.inputs.gso_separation_deg).all()
    assert np.isnan(choices.inputs.boresight_deg).all()
    assert (choices.inputs.age_slots == AGE_SLOTS).all()
    assert (choices.inputs.remaining_slots == HORIZON_SLOTS).all()
    assert not choices.has_views


def test_history_counts_slots_since_the_latest_use(catalogue):
    sky = sky_of(["STARLINK-1017", "STARLINK-1039"], [50.0, 50.0], [0.0, 90.0], slots=14)
    gap = SkyList(**{**vars(sky), "slot_utc": sky.slot_utc + (np.arange(14) >= 3) * 2 * SLOT})
    served = np.full(14, "")
    served = served.astype("U20")
    served[[0, 1, 2]] = ["STARLINK-1017", "STARLINK-1039", "STARLINK-1017"]
    known = with_history(build_choice_set(gap, catalogue, None, None), served)
    since = known.inputs.slots_since_use.reshape(14, 2)
    assert since[:3].tolist() == [[0, 0], [1, 0], [2, 1]]
    assert since[3].tolist() == [3, 4]  # two slots are missing before it
    assert since[10].tolist() == [10, 0]  # eleven slots after its last use the other is forgotten
    assert since[11].tolist() == [0, 0]


def test_elements_of_another_day_are_refused_unless_widened(full):
    sky = full[0]
    later = SkyList(**{**vars(sky), "slot_utc": sky.slot_utc + np.timedelta64(5, "D")})
    with pytest.raises(InputError, match=r"are 5\.\d days \(median\) .* --max-age-days"):
        read_elements("builtin:2026-06-14", later, 2.0)
    _, ages = read_elements("builtin:2026-06-14", later, 9.0)
    assert 4.0 < ages.median_days < 6.5


def test_elements_of_others_satellites_are_refused(full):
    strangers = sky_of(["NOBODY-1"], [50.0], [0.0])
    with pytest.raises(InputError, match=r"names none of the 1 satellites .*NOBODY-1"):
        read_elements("builtin:2026-06-14", strangers, 2.0)


@pytest.mark.parametrize("wrong", [Place(-48.2, 16.4), Place(16.4, 48.2), Place(48.2, -16.4)])
def test_a_site_elsewhere_is_refused_without_saying_how_far(full, catalogue, wrong):
    with pytest.raises(InputError, match="do not stand where the file lists them") as refusal:
        build_choice_set(full[0], catalogue, wrong, None)
    message = str(refusal.value).removeprefix("elements: ").replace("at most 5 deg", "")
    assert not any(character.isdigit() for character in message)


def test_old_elements_are_not_asked_how_long_satellites_stay(full, catalogue):
    moved = build_choice_set(full[0], catalogue, Place(-48.2, 16.4), None, is_fresh=False)
    assert not moved.has_views
    assert (moved.inputs.age_slots == AGE_SLOTS).all()
