"""Each check reproduces its row, and fails where the row says anything else."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial import cKDTree

from skyweave.constants import WGS84_A_M
from skyweave.places.cities import all_cities
from skyweave.validation import formula_rows, orbits_rows, validate
from skyweave.validation.formulas import (
    DVB_S2X,
    bits_per_symbol,
    dish_gain_dbi,
    dvb_efficiency,
    free_space_loss_db,
    globalsat_fading_db,
    hops_by_the_fewest_planes,
    shannon_es_n0_db,
    spiral_delta_v_m_s,
)
from skyweave.validation.judge import Verdict
from skyweave.validation.registry import all_checks, judge
from skyweave.validation.table import NUMBER, published_rows

# A minimum over 60 moments, published; ours is over all time.  See the last test.
DIFFERING = {"REG-23": "49.8;71.5;0.0"}  # what would be reproduced
NEEDS_WEATHER = {"PHY-04", "PHY-06", "PHY-08"}

OWN_MODULES = (formula_rows.__name__, orbits_rows.__name__)
ROWS = {row.id: row for row in published_rows()}
CHECKED = [name for name, check in all_checks().items() if check.__module__ in OWN_MODULES]
CASES = [(name, place) for name in CHECKED for place in range(len(ROWS[name].numbers))]


def skip_without_weather(row_id):
    if row_id in NEEDS_WEATHER:
        pytest.importorskip("itur", reason="the extra `weather` is not installed")


@pytest.mark.parametrize("row_id", CHECKED)
def test_a_row_is_reproduced_unless_it_is_known_to_differ(row_id):
    skip_without_weather(row_id)
    outcome = judge(ROWS[row_id])
    assert outcome.actual
    assert outcome.verdict is (Verdict.DIFFERS if row_id in DIFFERING else Verdict.REPRODUCED)
    if row_id in DIFFERING:
        assert outcome.note
        agreed = judge(replace(ROWS[row_id], expected=DIFFERING[row_id]))
        assert agreed.verdict is Verdict.REPRODUCED


@pytest.mark.parametrize(("row_id", "place"), CASES)
def test_no_number_of_a_row_can_be_another_without_the_check_noticing(row_id, place):
    skip_without_weather(row_id)
    places = iter(range(100))

    def other(number):
        return f"{3.0 * float(number[0]) + 7.0:.6f}" if next(places) == place else number[0]

    row = replace(ROWS[row_id], expected=DIFFERING.get(row_id, ROWS[row_id].expected))
    changed = replace(row, expected=re.sub(NUMBER, other, row.expected))
    assert len(changed.numbers) == len(row.numbers)
    assert judge(changed).verdict is Verdict.DIFFERS


def test_without_the_extra_the_rows_on_weather_say_what_to_install(monkeypatch):
    for number in (618, 676, 840):
        monkeypatch.setitem(sys.modules, f"itur.models.itu{number}", None)
    for row_id in NEEDS_WEATHER:
        outcome = judge(ROWS[row_id])
        assert outcome.verdict is Verdict.NOT_APPLICABLE
        assert "pip install 'skyweave[weather]'" in outcome.note


def test_the_weather_library_is_left_at_the_version_it_had():
    itu840 = pytest.importorskip("itur.models.itu840")
    before = itu840.get_version()
    judge(ROWS["PHY-08"])
    assert itu840.get_version() == before != 8


def test_spreading_and_antenna_gain_are_those_of_textbooks():
    hundredth_db = 0.005
    light_m_s = 299_792_458.0
    # 92.45 dB at 1 km and 1 GHz (ITU-R P.525); 168.62 and 174.82 dB computed elsewhere
    for range_m, frequency_hz, loss_db in (
        (1e3, 1e9, 92.45),
        (550e3, 11.7e9, 168.62),
        (1123e3, 11.7e9, 174.82),
    ):
        ours_db = free_space_loss_db(range_m, frequency_hz, light_m_s)
        assert ours_db == pytest.approx(loss_db, abs=hundredth_db)
    one_wavelength_m = 0.02
    gain_dbi = dish_gain_dbi(one_wavelength_m, light_m_s / one_wavelength_m, 1.0, light_m_s)
    assert gain_dbi == pytest.approx(20.0 * np.log10(np.pi))


def test_the_modes_rise_stay_below_shannon_s_limit_and_match_their_frames():
    thresholds_db, efficiencies = np.array(DVB_S2X).T
    assert (np.diff(thresholds_db) > 0).all()
    assert (np.diff(efficiencies) > 0).all()
    above_db = thresholds_db - [shannon_es_n0_db(efficiency) for efficiency in efficiencies]
    assert above_db.min() > 0.5
    assert above_db.max() < 2.5
    rounding = 0.0005
    assert dvb_efficiency(16_008, 2) == pytest.approx(dict(DVB_S2X)[-2.35], abs=rounding)
    assert dvb_efficiency(48_408, 8) == pytest.approx(dict(DVB_S2X)[19.57], abs=rounding)


def test_a_mode_serves_from_its_threshold_on_and_the_first_one_below():
    es_n0_db = np.array([-30.0, -2.85, -2.351, -2.35, 19.57, 40.0])
    assert bits_per_symbol(es_n0_db).tolist() == [0.435, 0.435, 0.435, 0.490, 5.901, 5.901]


def test_the_random_loss_has_the_mean_and_median_of_its_distribution():
    variance = np.log10(1.0 + (10.0 / 2.0) ** 2)
    centre = np.log10(2.0) - variance / 2.0
    fading_db = globalsat_fading_db()
    assert np.median(fading_db) == pytest.approx(np.exp(centre), rel=1e-6)
    half_a_percent = 5e-3  # quantiles cut the far tail
    assert fading_db.mean() == pytest.approx(np.exp(centre + variance / 2), rel=half_a_percent)


def test_hops_by_the_fewest_planes_are_those_of_a_small_torus_walked_by_hand():
    # 4 planes of 5, phasing 2: from the last plane on to the first, slots shift by two.
    assert hops_by_the_fewest_planes(4, 5, 2, 0, 0) == 0
    assert hops_by_the_fewest_planes(4, 5, 2, 1, 3) == 1 + 2
    assert hops_by_the_fewest_planes(4, 5, 2, 2, 4) == 2 + 1
    assert hops_by_the_fewest_planes(4, 5, 2, 3, 3) == 1 + 0


def test_raising_from_350_km_takes_as_much_as_literature_says():
    tenth_m_s = 0.1  # 111.9 m/s, computed elsewhere
    delta_v_m_s = spiral_delta_v_m_s(WGS84_A_M + 350e3, WGS84_A_M + 550e3)
    assert delta_v_m_s == pytest.approx(111.9, abs=tenth_m_s)


def test_the_densest_latitudes_hold_half_of_the_people_and_no_narrower_band_does():
    south_deg, north_deg = orbits_rows.densest_latitudes_deg()
    cities = all_cities()

    def share(low_deg, high_deg):
        inside = (cities.lat_deg >= low_deg) & (cities.lat_deg <= high_deg)
        return cities.population[inside].sum() / cities.population.sum()

    a_large_city = 0.01
    assert 0.5 <= share(south_deg, north_deg) <= 0.5 + a_large_city
    narrower_deg = north_deg - south_deg - 0.1
    assert max(share(low, low + narrower_deg) for low in np.arange(-60.0, 60.0, 0.1)) < 0.5


def test_sixty_moments_show_the_separation_of_the_row_that_differs():
    """REG-23 says 50.9 km at phasing 39, where the least over all time is 49.8 km."""
    planes, per_plane, phasing = 72, 22, 39
    plane, slot = np.divmod(np.arange(planes * per_plane), per_plane)
    node = 2.0 * np.pi * plane / planes
    start = 2.0 * np.pi * (slot / per_plane + plane * phasing / (planes * per_plane))
    nearest_km = min(
        separation_km(node, start + 2.0 * np.pi * moment / 60, np.radians(53.0))
        for moment in range(60)
    )
    assert nearest_km == pytest.approx(ROWS["REG-23"].numbers[0], abs=0.05)
    (result,) = validate(["REG-23"])
    assert result["actual"] == "49.8;71.5;0.0"


def separation_km(node, along, tilt):
    x, y = np.cos(along), np.sin(along) * np.cos(tilt)
    unit = np.column_stack(
        [
            np.cos(node) * x - np.sin(node) * y,
            np.sin(node) * x + np.cos(node) * y,
            np.sin(along) * np.sin(tilt),
        ]
    )
    at_km = (WGS84_A_M + 550e3) / 1e3 * unit
    return cKDTree(at_km).query(at_km, k=2)[0][:, 1].min()
