"""What `[gateways]` adds to and takes from the ground network of a run."""

import pytest

from skyweave.errors import InputError
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system

PLACES = {"dhaka": (23.81, 90.41), "thimphu": (27.47, 89.64), "ankara": (39.93, 32.86)}


def part_with(gateways, terminals=PLACES, **tables):
    content = {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 30},
        "shells": [{"preset": "G1-1"}],
        "gateways": gateways,
        "terminals": [
            {"id": name, "lat_deg": lat, "lon_deg": lon, **more}
            for name, (lat, lon, *rest) in terminals.items()
            for more in [rest[0] if rest else {}]
        ],
        **tables,
    }
    return build_system(build_scenario(content, "ground")).parts[0]


def world_with(**gateways):
    return part_with(gateways).world


def countries_closed_to(world, terminal):
    row = world.terminals.terminal_id.tolist().index(terminal)
    allowed = world.targets.gateway_allowed[world.targets.of_terminal[row]]
    open_, closed = world.gateways.country[allowed], world.gateways.country[~allowed]
    assert not set(open_) & set(closed)
    return set(closed.tolist())


def test_a_domestic_gateway_serves_terminals_of_its_country_alone():
    world = world_with(at_every_pop=True, domestic_only=["BD", "ID", "TR"])
    assert countries_closed_to(world, "dhaka") == {"ID", "TR"}
    assert countries_closed_to(world, "ankara") == {"BD", "ID"}
    assert countries_closed_to(world, "thimphu") == {"BD", "ID", "TR"}


def test_by_default_every_gateway_serves_everybody():
    world = world_with()
    assert world.targets.gateway_allowed.all()
    assert len(world.targets.pops) == 1
    assert not world.gateways.is_inferred.any()


def test_landing_rules_hold_beside_domestic_gateways():
    rules = [{"deny_gateway_countries": ["SG"]}]
    part = part_with({"at_every_pop": True, "domestic_only": ["BD"]}, landing_rules=rules)
    assert countries_closed_to(part.world, "thimphu") == {"BD", "SG"}


def test_a_domestic_rule_holds_when_the_ground_network_has_failures():
    failures = [{"kind": "gateway", "ids": ["inferred-sngesgp1"]}]
    part = part_with({"at_every_pop": True, "domestic_only": ["BD"]}, failures=failures)
    world = part.at_slot(0)
    assert not world.gateway_is_up.all()
    assert countries_closed_to(world, "thimphu") == {"BD", "SG"}
    assert countries_closed_to(world, "dhaka") == {"SG"}


def test_sites_in_unserved_countries_are_left_out():
    world = world_with(unserved="drop", at_every_pop=True)
    assert "mmbiind1" not in world.pops.pop_id
    assert "inferred-mmbiind1" not in world.gateways.gateway_id
    assert "IN" not in world.gateways.country


def test_a_terminal_fixed_to_a_pop_that_is_left_out_is_refused():
    terminals = {"one": (20.0, 80.0, {"pop_id": "mmbiind1"})}
    with pytest.raises(InputError, match="PoP 'mmbiind1' is unknown"):
        part_with({"unserved": "drop"}, terminals)
