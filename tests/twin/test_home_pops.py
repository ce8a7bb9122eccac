"""The PoP that a terminal keeps, as real dishes do."""

from tests.support.small_network import PLACES, POPS, access_of, content

from skyweave.frames import great_circle_m
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system

LASERS = {"isl": {"plan": "plus-grid"}}
DISH = {"delay": {"model": "dish"}}


def homes_of(folder, without=(), home_pop=None, **changes):
    """The PoPs that each terminal uses in a run."""
    scenario = content(folder, **LASERS, **changes)
    if home_pop is not None:
        scenario["gateways"]["home_pop"] = home_pop
    system = build_system(build_scenario(scenario, "homes", folder), without)
    found, _ = access_of(system, folder)
    served = found[found.state == "served"]
    return {name: set(own) for name, own in served.groupby("terminal_id").pop_id}


def nearest(place, pops):
    return min(pops, key=lambda pop: float(great_circle_m(*place, *pops[pop][:2])))


def test_a_dish_keeps_the_pop_that_is_nearest(tmp_path):
    found = homes_of(tmp_path, **DISH)
    assert found == {name: {nearest(PLACES[name], POPS)} for name in found}
    assert len(found) > 5
    assert homes_of(tmp_path, home_pop="nearest") == found
    roaming = homes_of(tmp_path, home_pop="gateway", **DISH)
    assert any(len(own) > 1 for own in roaming.values())
    assert homes_of(tmp_path) == roaming


def test_the_pop_it_keeps_is_one_that_its_rules_allow(tmp_path):
    left = {name: place for name, place in POPS.items() if place[2] != "DE"}
    found = homes_of(tmp_path, landing_rules=[{"deny_pop_countries": ["DE"]}], **DISH)
    assert found == {name: {nearest(PLACES[name], left)} for name in found}
    assert len(found) > 5


def test_a_dish_whose_pop_fails_takes_the_next(tmp_path):
    left = {name: place for name, place in POPS.items() if name != "frankfurt"}
    found = homes_of(tmp_path, ["pop:frankfurt"], **DISH)
    assert found == {name: {nearest(PLACES[name], left)} for name in found}
    assert len(found) > 5
