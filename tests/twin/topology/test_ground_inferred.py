"""Gateways that no list names, and sites in countries without service."""

import math

import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.twin.scenario import build_scenario
from skyweave.twin.topology import (
    builtin_pops,
    load_gateways,
    load_pops,
    unserved_countries,
)
from skyweave.twin.topology.ground import LACKING_M

BUILTIN = "builtin:2026-03-20"
STARLINK_POPS = "builtin:2026-04-16"

# The fifteen PoPs without a gateway near, as a study of the same lists found them in 2026-11.
LACKING = {
    "Almaty", "Bogotá", "Brasília", "Buenos Aires", "Calgary", "Darwin", "Dhaka", "Doha",
    "Johannesburg", "Lima", "Mumbai", "Nairobi", "Singapore", "Sofia", "Surabaya",
}  # fmt: skip
EARTH_M = 6_371_008.8
METRE = 1.0


def chord_distance_m(lat1, lon1, lat2, lon2):
    """Great circle by the angle between unit vectors: not the formula of the package."""
    vectors = [
        (math.cos(a) * math.cos(b), math.cos(a) * math.sin(b), math.sin(a))
        for a, b in ((math.radians(lat1), math.radians(lon1)),
                     (math.radians(lat2), math.radians(lon2)))
    ]  # fmt: skip
    return 2.0 * EARTH_M * math.asin(min(1.0, math.dist(*vectors) / 2.0))


@pytest.fixture(scope="module")
def pops():
    return builtin_pops()


@pytest.fixture(scope="module")
def gateways(pops):
    return load_gateways(BUILTIN, pops, at_every_pop=True)


@pytest.fixture
def own_list(tmp_path):
    def write(text, name="own.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_the_pops_that_lack_a_gateway_are_those_that_the_study_named(gateways, pops):
    cities = {str(pops.city[p]) for p in gateways.pop[gateways.is_inferred]}
    assert cities == LACKING


def test_listed_gateways_stay_as_they_are_before_the_inferred_ones(gateways, pops):
    listed = load_gateways(BUILTIN, pops)
    assert not listed.is_inferred.any()
    np.testing.assert_array_equal(gateways.is_inferred[: len(listed)], False)
    for name in ("gateway_id", "pop", "fibre_s", "country", "min_elevation_deg"):
        np.testing.assert_array_equal(getattr(gateways, name)[: len(listed)], getattr(listed, name))
    assert gateways.planned == listed.planned


def test_an_inferred_gateway_stands_at_its_pop_and_says_so(gateways, pops):
    row = gateways.row("inferred-sfiabgr1")
    assert gateways.name[row] == "Sofia (inferred)"
    assert (gateways.country[row], pops.pop_id[gateways.pop[row]]) == ("BG", "sfiabgr1")
    assert gateways.fibre_s[row] == 0.0
    assert gateways.antennas[row] == 8


def test_after_that_no_pop_is_far_from_a_gateway_and_no_inferred_one_is_needless(gateways, pops):
    for p in range(len(pops)):
        here = pops.lat_deg[p], pops.lon_deg[p]
        away_m = [
            chord_distance_m(*here, *there)
            for there in zip(gateways.lat_deg, gateways.lon_deg, strict=True)
        ]
        assert min(away_m) <= LACKING_M
    for g in np.flatnonzero(gateways.is_inferred):
        others = [
            chord_distance_m(gateways.lat_deg[g], gateways.lon_deg[g], *there)
            for row, there in enumerate(zip(gateways.lat_deg, gateways.lon_deg, strict=True))
            if row != g
        ]
        assert min(others) > LACKING_M - METRE


def test_two_pops_close_to_each_other_share_one_inferred_gateway(own_list):
    pops = load_pops(own_list("pop_id,lat_deg,lon_deg\na,0,0\nb,0,1\nc,0,9\n", "pops.csv"))
    sites = own_list("name,lat_deg,lon_deg\nFar,50,50\n")
    gateways = load_gateways(sites, pops, at_every_pop=True)
    assert gateways.gateway_id.tolist() == ["far", "inferred-a", "inferred-c"]
    assert gateways.name[1] == "a (inferred)"  # the list names no city


def test_an_inferred_gateway_looks_as_low_as_a_listed_one_at_its_latitude(own_list):
    pops = load_pops(own_list("pop_id,lat_deg,lon_deg\nnorth,70,25\nmiddle,40,9\n", "pops.csv"))
    sites = own_list("name,lat_deg,lon_deg\nFar,-50,50\n")
    gateways = load_gateways(sites, pops, at_every_pop=True, min_elevation_deg=15.0, antennas=4)
    assert gateways.min_elevation_deg.tolist() == [15.0, 5.0, 15.0]
    assert gateways.antennas.tolist() == [4, 4, 4]


def test_an_id_that_an_inferred_gateway_would_have_is_refused(own_list, pops):
    sites = own_list("name,lat_deg,lon_deg\nInferred sfiabgr1,50,50\n")
    with pytest.raises(InputError, match=r'"inferred-sfiabgr1" has the id that .* give it another'):
        load_gateways(sites, pops, at_every_pop=True)


def test_no_gateways_stay_none(pops):
    assert len(load_gateways("none", pops, at_every_pop=True)) == 0


def test_sites_in_countries_without_service_are_left_out():
    away = unserved_countries()
    assert away == {"AF", "BY", "CN", "CU", "IN", "IR", "KP", "RU", "SY"}
    pops = load_pops(STARLINK_POPS, leave_out=away)
    assert set(builtin_pops().pop_id) - set(pops.pop_id) == {"mmbiind1"}
    gateways = load_gateways(BUILTIN, pops, leave_out=away, at_every_pop=True)
    assert not set(gateways.country) & away
    assert int(gateways.is_inferred.sum()) == len(LACKING) - 1


def test_countries_without_service_are_none_of_those_with_published_latency(reference_data):
    name = "availability/countries_with_published_residential_metrics_202609.txt"
    published = (reference_data / name).read_text().split()
    codes = {"AFG", "BLR", "CHN", "CUB", "IND", "IRN", "PRK", "RUS", "SYR"}
    assert len(published) > 100
    assert not codes & set(published)


def test_leaving_out_a_gateway_moves_no_other(pops):
    listed = load_gateways(BUILTIN, pops)
    without = load_gateways(BUILTIN, pops, leave_out={"US"})
    kept = listed.take(listed.country != "US")
    np.testing.assert_array_equal(without.gateway_id, kept.gateway_id)
    np.testing.assert_array_equal(without.fibre_s, kept.fibre_s)


def test_lists_of_which_nothing_is_left_are_refused(own_list, pops):
    sites = own_list("name,lat_deg,lon_deg\nMumbai,19.1,72.9\nDelhi,28.6,77.2\n")
    advice = r'every operational gateway lies in IN, without service; use gateways.unserved = "kee'
    with pytest.raises(InputError, match=advice):
        load_gateways(sites, pops, leave_out=unserved_countries())
    places = own_list("pop_id,lat_deg,lon_deg\nmumbai,19.1,72.9\n", "pops.csv")
    with pytest.raises(InputError, match="every PoP lies in IN, without service"):
        load_pops(places, leave_out=unserved_countries())


def scenario_with(**tables):
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 60},
        "shells": [{"preset": "G1-1"}],
    }
    return build_scenario(content | tables, "ground")


def test_the_switches_are_off_unless_a_scenario_sets_them():
    scenario = scenario_with()
    assert scenario.gateways.at_every_pop is False
    assert scenario.gateways.unserved == "keep"
    assert scenario.gateways.domestic_only == ()
    assert (scenario.delay.model, scenario.delay.comb) == ("geometry", False)


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ({"gateways": {"domestic_only": ["Turkey"]}}, 'country "Turkey" is unknown'),
        ({"gateways": {"unserved": "remove"}}, "unserved = 'remove'"),
        ({"gateways": {"at_each_pop": True}}, 'did you mean "at_every_pop"'),
        ({"delay": {"model": "real"}}, "model = 'real'"),
        ({"delay": {"period": "2024-01"}}, "period = '2024-01'"),
        ({"delay": {"comb": True}}, 'comb is for model = "dish", found model = "geometry"'),
        ({"delay": {"model": "dish", "processing_s": 0.0}},
         'processing_s is for model = "geometry", found model = "dish"; remove one of the two'),
    ],
)  # fmt: skip
def test_a_switch_that_cannot_be_is_refused_with_advice(tables, text):
    with pytest.raises(InputError, match=text):
        scenario_with(**tables)
