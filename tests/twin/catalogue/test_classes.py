"""Classes of satellites: counts of the real fleet, and the rule on made-up ones."""

from collections import Counter
from dataclasses import replace
from time import perf_counter

import numpy as np
import pytest
from sgp4.api import Satrec

from skyweave.constants import WGS72_RADIUS_KM
from skyweave.data import read_data_text
from skyweave.twin.catalogue import (
    SATELLITE_CLASSES,
    classify,
    concatenate,
    constellations,
    earlier_sets,
    is_direct_to_cell,
    mean_motion_rev_day,
    mean_semi_major_axis_m,
    nearest_epoch,
    read_catalogue,
    select_names,
    walker_delta,
)

EPOCH = np.datetime64("2026-06-14", "ns")
ONE_PERCENT = 0.01


@pytest.fixture(scope="module")
def builtin():
    return read_catalogue("builtin:2026-06-14")


@pytest.fixture(scope="module")
def classes(builtin):
    return classify(builtin)


def fleet(count, altitude_m=550e3, inclination_deg=53.0, name="STARLINK"):
    """Return real-looking objects at one mean altitude, which lie on no grid."""
    shell = walker_delta(altitude_m, inclination_deg, 1, count, 0, EPOCH, name=name)
    return replace(shell, grid_shell=np.full(count, -1))


def at(catalogue, altitude_m):
    motion = mean_motion_rev_day(altitude_m, float(catalogue.inclination_deg[0]))
    return replace(catalogue, mean_motion_rev_day=np.full(len(catalogue), motion))


def test_mean_semi_major_axes_equal_the_librarys(builtin):
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    pairs = zip(lines[1::3], lines[2::3], strict=True)
    theirs_m = np.array([Satrec.twoline2rv(*pair).a for pair in pairs]) * WGS72_RADIUS_KM * 1e3
    few_roundings = 1e-14
    np.testing.assert_allclose(mean_semi_major_axis_m(builtin), theirs_m, rtol=few_roundings)


def test_starlinks_of_2026_are_on_station_in_the_numbers_known(builtin, classes):
    starlink = Counter(classes[constellations(builtin) == "STARLINK"].tolist())
    assert starlink.total() == 10_546
    assert starlink["on_station"] == pytest.approx(9_270, rel=ONE_PERCENT)
    assert starlink["direct_to_cell"] == 642
    assert starlink["error"] == starlink["decayed"] == 0
    assert starlink["raising"] == starlink["lowering"] == 0  # not known from one date


@pytest.mark.parametrize(
    ("constellation", "least", "most"),
    [("ONEWEB", 640, 651), ("KUIPER", 180, 220), ("IRIDIUM", 66, 72), ("HULIANWANG", 160, 173)],
)
def test_other_constellations_are_on_station_too(builtin, classes, constellation, least, most):
    mine = classes[constellations(builtin) == constellation].tolist()
    assert least <= mine.count("on_station") <= most


def test_choosing_a_constellation_first_or_last_gives_the_same_classes(builtin, classes):
    for name in ("STARLINK", "ONEWEB", "KUIPER"):
        rows = np.char.startswith(builtin.name, name)
        np.testing.assert_array_equal(classify(select_names(builtin, [name])), classes[rows])


def test_every_class_is_one_of_those_known(classes):
    assert set(classes.tolist()) <= set(SATELLITE_CLASSES)


@pytest.mark.parametrize(
    "name",
    [
        "measurements/satinview_2024-07-17/starlink_gp_2024-07-17.tle.gz",
        "tle/2024-10-21T0730Z/starlink.tle.gz",
        "omm/starlink_2025-05-24_gp.json.xz",
        "tle/2026-06-14/starlink.tle.gz",
    ],
)
def test_direct_to_cell_satellites_are_told_by_their_number_as_by_their_tag(reference_data, name):
    catalogue = read_catalogue(reference_data / name)
    untagged = replace(catalogue, name=np.strings.replace(catalogue.name, " [DTC]", ""))
    tagged = np.strings.find(catalogue.name, "[DTC]") >= 0
    assert tagged.sum() > 100
    np.testing.assert_array_equal(is_direct_to_cell(catalogue), tagged)
    np.testing.assert_array_equal(is_direct_to_cell(untagged), tagged)


def test_with_an_earlier_date_satellites_rise_and_sink(reference_data):
    sets = concatenate(
        [
            read_catalogue(reference_data / "tle" / folder / "starlink.tle.gz")
            for folder in ("2026-05-28T0635Z", "2026-06-14")
        ]
    )
    now = nearest_epoch(sets, EPOCH)
    alone, dated = classify(now), classify(now, earlier_sets(sets, now))
    np.testing.assert_array_equal(alone == "on_station", dated == "on_station")
    counts = Counter(dated.tolist())
    assert 50 < counts["raising"] < 300  # the study of these dates counted 101 and 159 new ones
    assert 300 < counts["lowering"] < 600  # and 547, with those still near a station
    assert counts["other"] < (alone == "other").sum() / 2


@pytest.mark.parametrize(("count", "expected"), [(39, "other"), (40, "on_station")])
def test_a_small_constellation_needs_40_satellites_at_a_peak(count, expected):
    assert set(classify(fleet(count)).tolist()) == {expected}


@pytest.mark.parametrize(("count", "expected"), [(59, "other"), (60, "on_station")])
def test_a_large_constellation_needs_60_satellites_at_a_peak(count, expected):
    rest = [fleet(20, 300e3 + 4e3 * step) for step in range(50)]  # 1,000 satellites, no peak
    classes = classify(concatenate([fleet(count, 600e3), *rest]))
    assert set(classes[:count].tolist()) == {expected}
    assert set(classes[count:][-20:].tolist()) == {"other"}


@pytest.mark.parametrize(
    ("altitude_m", "expected"),
    [(550e3, "on_station"), (564.9e3, "on_station"), (535.1e3, "on_station"), (565.1e3, "other"),
     (534.9e3, "other")],
)  # fmt: skip
def test_a_station_reaches_15_km_up_and_down(altitude_m, expected):
    classes = classify(concatenate([fleet(100), fleet(1, altitude_m)]))
    assert classes[-1] == expected


def test_satellites_within_2_km_of_each_other_make_one_peak(builtin):
    spread = concatenate([fleet(10, 549e3 + 400.0 * step) for step in range(6)])  # 549 to 551 km
    assert set(classify(spread).tolist()) == {"on_station"}
    too_wide = concatenate([fleet(10, 549e3 + 700.0 * step) for step in range(6)])  # 30 in 2 km
    assert set(classify(too_wide).tolist()) == {"other"}


def test_another_inclination_is_another_shell():
    classes = classify(concatenate([fleet(60), fleet(10, inclination_deg=53.3)]))
    assert set(classes[:60].tolist()) == {"on_station"}
    assert set(classes[60:].tolist()) == {"other"}


def test_another_constellation_makes_no_peak_for_a_stranger():
    classes = classify(concatenate([fleet(60), fleet(10, name="WEATHER")]))
    assert set(classes[60:].tolist()) == {"other"}


def test_direct_to_cell_satellites_are_neither_on_station_nor_a_peak():
    shell = fleet(60)
    tagged = replace(shell, name=np.char.add(shell.name, " [DTC]"))
    assert set(classify(tagged).tolist()) == {"direct_to_cell"}
    assert set(classify(concatenate([tagged, fleet(10)]))[60:].tolist()) == {"other"}
    assert set(classify(concatenate([tagged, fleet(60)]))[60:].tolist()) == {"on_station"}


@pytest.mark.parametrize(
    ("before_m", "expected"),
    [(398.9e3, "raising"), (401.1e3, "lowering"), (400.5e3, "other"), (None, "other")],
)
def test_motion_is_known_from_a_second_date_only(before_m, expected):
    now = fleet(1, 400e3)
    previous = None if before_m is None else at(now, before_m)
    assert classify(now, previous).tolist() == [expected]


def test_an_object_the_earlier_date_does_not_hold_is_other():
    now = fleet(1, 400e3)
    previous = replace(at(now, 300e3), norad_id=np.array([77_777]))
    assert classify(now, previous).tolist() == ["other"]


def test_orbits_below_the_ground_are_decayed_and_impossible_ones_errors():
    shell = fleet(4)
    broken = replace(
        shell,
        mean_motion_rev_day=np.array([15.0, 17.2, 15.0, 0.00001]),
        eccentricity=np.array([0.0, 0.0, 0.2, 0.56]),
    )
    assert classify(broken).tolist() == ["other", "decayed", "decayed", "error"]


def test_synthetic_satellites_are_on_station_however_few():
    assert set(classify(walker_delta(550e3, 53.0, 2, 3, 1, EPOCH)).tolist()) == {"on_station"}


def test_no_satellites_have_no_classes(builtin):
    assert classify(builtin.take(np.zeros(len(builtin), dtype=bool))).shape == (0,)


def test_the_whole_catalogue_is_classified_quickly(builtin, record_figure):
    started_s = perf_counter()
    classify(builtin)
    record_figure("classify 15,699 objects", perf_counter() - started_s, "s", "1")
