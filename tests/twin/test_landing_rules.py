"""Where the traffic of a class of terminals may come down."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.policy.reasons import SERVED
from skyweave.twin import pipeline
from skyweave.twin.orbits import initialise
from skyweave.twin.scenario import build_scenario
from skyweave.twin.targets import rule_sentence
from skyweave.twin.world import build_system

SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 72, "per_plane": 22, "phasing": 39}
PLACES = {"berlin": (52.5, 13.4), "rome": (41.9, 12.5), "ankara": (39.9, 32.9), "fez": (34.0, -5.0)}
RULES = [
    {"class": "home", "allow_gateway_countries": ["DE", "FR", "PL"], "deny_pop_countries": ["DE"]},
    {"deny_gateway_countries": ["TR"]},
]
A_NANOSECOND = 1e-9


def system_with(rules, classes=("home", "open"), **more):
    terminals = [
        {"id": f"{name}-{class_}", "lat_deg": lat, "lon_deg": lon, "class": class_, **more}
        for name, (lat, lon) in PLACES.items()
        for class_ in classes
    ]
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 60},
        "shells": [SHELL],
        "landing_rules": rules,
        "assignment": {"rule": "shortest-path"},
        "terminals": terminals,
    }
    return build_system(build_scenario(content, "rules"))


def test_each_class_takes_the_cheapest_way_its_rules_leave():
    world = system_with(RULES).parts[0].world
    records = initialise(world.fleet.catalogue)
    (network,) = pipeline.networks(world, records, 1)
    ((_, service, sat_m),) = pipeline.services(world, records, [network])
    access, _ = pipeline.serve(world, records, [network])
    cost_s = scipy_costs_s(network, sat_m)
    gateways, pops = world.gateways, world.pops
    pop_country = pops.country[gateways.pop]
    for row, class_ in enumerate(world.terminals.class_):
        allowed = gateways.country != "TR"
        if class_ == "home":
            allowed &= np.isin(gateways.country, ["DE", "FR", "PL"]) & (pop_country != "DE")
        links = np.flatnonzero(allowed[network.feeders.gateway])
        gateway = network.feeders.gateway[links]
        behind_s = service.feeder_s[links] + gateways.fibre_s[gateway]
        pairs = np.flatnonzero(service.candidates.terminal == row)
        up_s = service.candidates.range_m[pairs] / SPEED_OF_LIGHT_M_S
        way_s = cost_s[service.candidates.sat[pairs]][:, network.feeders.sat[links]] + behind_s
        best_s = (up_s[:, None] + way_s).min()
        assert access.reason[0, row] == SERVED
        assert allowed[access.gateway[0, row]]
        found_s = (access.rtt_s[0, row] - world.scenario.delay.processing_s) / 2.0
        assert found_s == pytest.approx(best_s, abs=A_NANOSECOND)


def scipy_costs_s(network, sat_m):
    near, far = network.edges.T
    length_s = np.linalg.norm(sat_m[near] - sat_m[far], axis=1) / SPEED_OF_LIGHT_M_S
    graph = coo_array((length_s, (near, far)), shape=(len(sat_m), len(sat_m))).tocsr()
    return dijkstra(graph, directed=False)


def test_terminals_that_no_gateway_may_serve_are_out_and_told_of():
    system = system_with([{"class": "home", "allow_gateway_countries": ["AQ"]}])
    assert "terminals that landing rules leave no gateway: 4" in system.warnings
    world = system.parts[0].world
    records = initialise(world.fleet.catalogue)
    networks = list(pipeline.networks(world, records, 1))
    access, _ = pipeline.serve(world, records, networks)
    is_home = world.terminals.class_ == "home"
    assert (access.reason[0, is_home] != SERVED).all()
    assert (access.reason[0, ~is_home] == SERVED).all()


@pytest.mark.parametrize(
    ("rules", "text"),
    [
        ([{"class": "home"}], "has no list of countries; give one, or remove the rule"),
        ([{"deny_gateway_countries": ["Germany"]}], 'country "Germany" is unknown: expected two'),
        ([{"deny_gateway_countries": ["UK"]}], 'country "UK" is unknown'),
        ([{"allow_pop_countries": ["de"]}], 'country "de" is unknown: .*did you mean "DE"'),
        ([{"allow_gateway_countries": "DE"}], "allow_gateway_countries = 'DE'"),
        ([{"allow_gateway_contries": ["DE"]}], 'did you mean "allow_gateway_countries"'),
        ([{"allow_gateway_countries": ["DE"], "deny_gateway_countries": ["DE"]}],
         "DE is both in allow_gateway_countries and deny_gateway_countries; keep it in one"),
        ([{"class": "home", "allow_pop_countries": ["DE"]}, {"deny_pop_countries": ["DE"]}],
         'landing_rules of class "home": DE is both in allow_pop_countries and deny_pop_countries'),
        ([{"class": "home", "allow_pop_countries": ["DE"]}, {"allow_pop_countries": ["FR"]}],
         "no country is in all of the lists allow_pop_countries that apply; merge them"),
    ],
)  # fmt: skip
def test_rules_that_cannot_be_obeyed_are_refused_in_one_line(rules, text):
    with pytest.raises(InputError, match=text) as refusal:
        system_with(rules)
    assert "\n" not in str(refusal.value)


def test_a_fixed_pop_where_the_rules_do_not_let_traffic_go_is_refused():
    with pytest.raises(InputError, match='pop_id "frntdeu1": it is in DE, which landing_rules do'):
        system_with([{"deny_pop_countries": ["DE"]}], pop_id="frntdeu1")


def test_a_rule_for_nobody_is_a_warning():
    warnings = system_with([{"class": "ship", "deny_pop_countries": ["DE"]}]).warnings
    assert 'no terminal is of the class "ship"' in warnings


def test_rules_read_as_sentences():
    first, second = build_scenario_rules(RULES)
    assert rule_sentence(first) == (
        "traffic of terminals of class home may come down only in DE, FR, PL and may not meet "
        "the Internet in DE"
    )
    assert rule_sentence(second) == "traffic of all terminals may not come down in TR"


def build_scenario_rules(rules):
    return system_with(rules).scenario.landing_rules
