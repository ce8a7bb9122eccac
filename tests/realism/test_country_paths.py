"""Ways of towns into the Internet: against hand-made geometry, plain loops and closed forms."""

import json
import math

import numpy as np
import pytest

from skyweave.constants import FIBRE_INDEX, SPEED_OF_LIGHT_M_S, WGS84_A_M
from skyweave.data import read_data_text
from skyweave.frames import geodetic_to_itrf
from skyweave.realism import country_paths
from skyweave.realism.country_paths import (
    CONE,
    DRAWS,
    EPOCHS,
    Drawn,
    Ground,
    assumed_ground,
    cone_log_weights,
    descend,
    draw_satellites,
    ways_to_pops,
)
from skyweave.realism.population_points import PopulationPoints, population_points
from skyweave.twin.geometry import gso_separation_deg, look_angles
from skyweave.twin.scheduling.features import TERMS
from skyweave.twin.topology import load_gateways, load_pops

HEIGHT_M = 550e3
EARTH_MEAN_M = 6_371_008.8
A_NANOSECOND = 1e-9
A_MICRO = 1e-6
ROUNDING = 1e-12  # relative
SAMPLING = 5.0  # standard deviations that a frequency may be off


def towns_at(lat_deg, lon_deg, country="DE", rows=None):
    count = len(lat_deg)
    return PopulationPoints(
        row=np.arange(count) if rows is None else rows,
        country=np.array([country] * count),
        iso_a3=np.array([country] * count),
        lat_deg=np.array(lat_deg, dtype=np.float64),
        lon_deg=np.array(lon_deg, dtype=np.float64),
        points=np.ones(count, dtype=np.int64),
    )


def ground_of(tmp_path, gateways, pops, domestic_only=()):
    """Write lists of (name, lat, lon, country) and load them."""
    for name, column, rows in (("g", "name", gateways), ("p", "pop_id", pops)):
        lines = [f"{column},lat_deg,lon_deg,country", *(",".join(map(str, row)) for row in rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    listed = load_pops(tmp_path / "p.csv")
    gates = load_gateways(
        tmp_path / "g.csv", listed, min_elevation_deg=15.0, fibre_detour=1.1, at_every_pop=True
    )
    return Ground(listed, gates, tuple(domestic_only))


def above(lat_deg, lon_deg):
    return geodetic_to_itrf(lat_deg, lon_deg, HEIGHT_M)[0]


def overhead(lat_deg, lon_deg, draws=3):
    """Satellites straight above the towns."""
    sat_m = np.broadcast_to(above(lat_deg, lon_deg), (draws, len(lat_deg), 3))
    return Drawn(sat_m.copy(), np.full((draws, len(lat_deg)), HEIGHT_M))


def test_a_satellite_above_town_gateway_and_pop_is_twice_there_and_back(tmp_path):
    ground = ground_of(tmp_path, [("Here", 10, 20, "DE")], [("pop", 10, 20, "DE")])
    towns, drawn = towns_at([10.0], [20.0]), overhead([10.0], [20.0])
    ways = ways_to_pops(towns, drawn, descend(drawn, ground), ground)
    assert ways.rtt_s[0, 0] == pytest.approx(4.0 * HEIGHT_M / SPEED_OF_LIGHT_M_S, abs=A_NANOSECOND)
    assert (ways.direct_share[0], ways.inferred_share[0]) == (1.0, 0.0)


def test_a_satellite_that_no_gateway_sees_comes_down_over_lasers(tmp_path):
    ground = ground_of(tmp_path, [("Far", 0, 60, "DE")], [("pop", 0, 60, "DE")])
    towns, drawn = towns_at([0.0], [0.0]), overhead([0.0], [0.0])
    ways = ways_to_pops(towns, drawn, descend(drawn, ground), ground)
    lasers_m = 1.3 * math.radians(60.0) * (EARTH_MEAN_M + 540e3) + 650e3
    assert ways.rtt_s[0, 0] == pytest.approx(
        2.0 * (HEIGHT_M + lasers_m) / SPEED_OF_LIGHT_M_S, abs=A_NANOSECOND
    )
    assert ways.direct_share[0] == 0.0


def test_fibre_leads_on_from_a_gateway_to_a_pop(tmp_path):
    ground = ground_of(tmp_path, [("Here", 0, 0, "DE")], [("pop", 0, 2, "DE")])
    towns, drawn = towns_at([0.0], [0.0]), overhead([0.0], [0.0])
    ways = ways_to_pops(towns, drawn, descend(drawn, ground), ground)
    fibre_s = 1.1 * math.radians(2.0) * EARTH_MEAN_M * FIBRE_INDEX / SPEED_OF_LIGHT_M_S
    assert ways.rtt_s[0, 0] == pytest.approx(
        4.0 * HEIGHT_M / SPEED_OF_LIGHT_M_S + 2.0 * fibre_s, abs=A_NANOSECOND
    )


def test_a_domestic_gateway_serves_no_neighbour(tmp_path):
    gateways = [("Home", 0, 0, "BD"), ("Abroad", 0, 5, "DE")]
    ground = ground_of(tmp_path, gateways, [("pop", 0, 0, "BD")], domestic_only=["BD"])
    drawn = overhead([0.0], [0.0])
    at_home, abroad = (
        ways_to_pops(towns_at([0.0], [0.0], code), drawn, descend(drawn, ground), ground)
        for code in ("BD", "BT")
    )
    assert at_home.rtt_s[0, 0] == pytest.approx(
        4.0 * HEIGHT_M / SPEED_OF_LIGHT_M_S, abs=A_NANOSECOND
    )
    assert abroad.rtt_s[0, 0] > 1.5 * at_home.rtt_s[0, 0]


def test_the_use_of_an_inferred_gateway_is_told(tmp_path):
    ground = ground_of(tmp_path, [("Far", 0, 60, "DE")], [("pop", 0, 0, "DE")])
    drawn = overhead([0.0], [0.0])
    ways = ways_to_pops(towns_at([0.0], [0.0]), drawn, descend(drawn, ground), ground)
    assert (ways.inferred_share[0], ways.direct_share[0]) == (1.0, 1.0)


def test_a_town_without_a_satellite_in_half_of_the_draws_has_no_way(tmp_path):
    ground = ground_of(tmp_path, [("Here", 0, 0, "DE")], [("pop", 0, 0, "DE")])
    drawn = overhead([0.0], [0.0], draws=4)
    drawn.sat_itrf_m[:3], drawn.range_m[:3] = np.nan, np.nan
    ways = ways_to_pops(towns_at([0.0], [0.0]), drawn, descend(drawn, ground), ground)
    assert ways.rtt_s[0, 0] == np.inf


def rtt_by_loops(sat_m, range_m, country, ground, pop):
    """One draw of one town, by the words of the method, with scalars alone."""
    best_s = math.inf
    for g in range(len(ground.gateways)):
        gates = ground.gateways
        if gates.country[g] in ground.domestic_only and gates.country[g] != country:
            continue
        here = gates.lat_deg[[g]], gates.lon_deg[[g]], gates.height_wgs84_m[[g]]
        site_m, up = geodetic_to_itrf(*here)
        angles = look_angles(site_m, up, sat_m[None])
        if angles.elevation_deg[0, 0] >= gates.min_elevation_deg[g]:
            down_m = angles.range_m[0, 0]
        else:
            axis_m = math.hypot(sat_m[0], sat_m[1])
            # Geodetic latitude by fixed-point iteration, not by the package's closed form.
            lat = math.atan2(sat_m[2], axis_m)
            for _ in range(20):
                normal_m = WGS84_A_M / math.sqrt(1.0 - 0.00669437999014 * math.sin(lat) ** 2)
                lat = math.atan2(sat_m[2] + 0.00669437999014 * normal_m * math.sin(lat), axis_m)
            angle = angle_between(
                lat, math.atan2(sat_m[1], sat_m[0]), *map(math.radians, (here[0][0], here[1][0]))
            )
            down_m = 1.3 * angle * (EARTH_MEAN_M + 540e3) + 650e3
        fibre_m = (
            1.1
            * EARTH_MEAN_M
            * angle_between(
                *map(math.radians, (here[0][0], here[1][0])),
                *map(math.radians, (ground.pops.lat_deg[pop], ground.pops.lon_deg[pop])),
            )
        )
        best_s = min(best_s, down_m / SPEED_OF_LIGHT_M_S + fibre_m * 1.468 / SPEED_OF_LIGHT_M_S)
    return 2.0 * (range_m / SPEED_OF_LIGHT_M_S + best_s)


def angle_between(lat1, lon1, lat2, lon2):
    one, other = (
        (math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a))
        for a, b in ((lat1, lon1), (lat2, lon2))
    )
    return 2.0 * math.asin(math.dist(one, other) / 2.0)


@pytest.fixture(scope="module")
def small_places():
    known = population_points()
    return known.take(np.isin(known.iso_a3, ["BTN", "FJI"]))


@pytest.fixture(scope="module")
def drawn(small_places):
    return draw_satellites(small_places)


def test_the_way_to_a_pop_is_what_plain_loops_find(small_places, drawn):
    ground = assumed_ground()
    one_draw = Drawn(drawn.sat_itrf_m[5:6], drawn.range_m[5:6])
    ways = ways_to_pops(small_places, one_draw, descend(one_draw, ground), ground)
    for town in (0, len(small_places) - 1):
        for pop in (int(ways.pop[town]), 0):
            expected_s = rtt_by_loops(
                one_draw.sat_itrf_m[0, town],
                one_draw.range_m[0, town],
                small_places.country[town],
                ground,
                pop,
            )
            assert ways.rtt_s[town, pop] == pytest.approx(expected_s, abs=A_NANOSECOND)
        assert ways.rtt_s[town, ways.pop[town]] == ways.rtt_s[town].min()


def test_every_satellite_that_is_drawn_stands_above_25_degrees(small_places, drawn):
    assert drawn.range_m.shape == (EPOCHS * DRAWS, len(small_places))
    site_m, up = geodetic_to_itrf(small_places.lat_deg, small_places.lon_deg, 0.0)
    for k in range(EPOCHS * DRAWS):
        angles = look_angles(site_m, up, drawn.sat_itrf_m[k])
        assert np.diag(angles.elevation_deg).min() >= 25.0
        np.testing.assert_allclose(np.diag(angles.range_m), drawn.range_m[k], rtol=ROUNDING)


def test_what_a_town_is_given_does_not_depend_on_the_other_towns(small_places, drawn):
    alone = small_places.take(np.array([3]))
    np.testing.assert_array_equal(draw_satellites(alone).sat_itrf_m[:, 0], drawn.sat_itrf_m[:, 3])


def test_another_seed_draws_other_satellites(small_places, drawn):
    other = draw_satellites(small_places, seed=1)
    assert (other.range_m != drawn.range_m).mean() > 0.5


def test_satellites_are_drawn_as_often_as_the_cone_says():
    towns = towns_at([45.0] * 600, [9.0] * 600)
    epoch_m = draw_satellites(towns).sat_itrf_m[:DRAWS].reshape(-1, 3)  # the first time of the day
    site_m, up = geodetic_to_itrf(towns.lat_deg[:1], towns.lon_deg[:1], 0.0)
    fleet_m = country_paths._fleet_itrf_m()[0]
    angles = look_angles(site_m, up, fleet_m)
    seen = np.flatnonzero(angles.elevation_deg[0] >= 25.0)
    gso_deg = gso_separation_deg(site_m, up, fleet_m, np.zeros(seen.size, np.int32), seen)
    weight = np.exp(
        cone_log_weights(
            angles.elevation_deg[0, seen],
            angles.azimuth_deg[0, seen],
            np.full(seen.size, 45.0),
            gso_deg,
        )
    )
    share = weight / weight.sum()
    count = (epoch_m[:, None, :] == fleet_m[seen]).all(axis=-1).sum(axis=0)
    assert count.sum() == len(epoch_m)
    sigma = np.sqrt(len(epoch_m) * share * (1.0 - share))
    assert (np.abs(count - len(epoch_m) * share) <= SAMPLING * sigma).all()
    assert share.max() > 3.0 / seen.size  # far from all alike


@pytest.fixture(scope="module")
def fitted():
    """The shipped coefficients, read without the package's reader."""
    models = json.loads(read_data_text("choice_model.json"))["models"]
    return models["cold"]["without_boresight"]["coefficient"]


@pytest.mark.parametrize(
    ("elevation_deg", "azimuth_deg", "lat_deg", "gso_deg", "values"),
    [
        (78.0, 0.0, 50.0, 40.0, {}),  # in the middle of the northern cone
        (78.0, 180.0, -50.0, 40.0, {}),  # and of the southern
        (38.0, 0.0, 50.0, 40.0, {"off_pole_30": 1.0}),  # 40 deg off
        (28.0, 0.0, 50.0, 40.0, {"off_pole_30": 2.0, "off_pole_45": 0.5}),  # 50 deg off
        (78.0, 0.0, 50.0, 17.9, {"near_gso": 1.0}),
        (78.0, 0.0, 50.0, 18.1, {}),
        # In the east, by spherical trigonometry: cos(off) = sin(78 deg) sin(60 deg).
        (60.0, 90.0, 50.0, 40.0, {"east": 0.5, "off_pole_30": 0.2102291}),
    ],
)
def test_the_cone_weighs_by_the_terms_of_the_choice_model(
    fitted, elevation_deg, azimuth_deg, lat_deg, gso_deg, values
):
    arrays = [np.array([value]) for value in (elevation_deg, azimuth_deg, lat_deg, gso_deg)]
    weight = sum(fitted[name] * value for name, value in values.items())
    assert cone_log_weights(*arrays)[0] == pytest.approx(weight, abs=A_MICRO)


def test_every_term_of_the_cone_is_one_of_the_choice_model():
    assert set(CONE) <= {term.name for term in TERMS}


def test_a_gateway_away_from_home_is_closed_and_no_other():
    ground = assumed_ground()
    permits = ground.permits(np.array(["BD", "BT"]))
    closed = [set(ground.gateways.country[~row].tolist()) for row in permits]
    assert closed == [{"ID", "TR"}, {"BD", "ID", "TR"}]
    assert ground._replace(domestic_only=()).permits(np.array(["BT"])).all()
