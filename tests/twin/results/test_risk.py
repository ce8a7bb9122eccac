"""Single points and the order of risk, on fleets small enough to judge by eye."""

import pandas as pd
import pytest

from skyweave.policy import Reason
from skyweave.twin.results.risk import by_risk, risk_order, single_points, sites_on_one


def fleet_of(**columns):
    """A fleet of sites a, b, c that hang on several gateways unless told otherwise."""
    count = len(next(iter(columns.values())))
    usual = {
        "terminal_id": list("abcdef"[:count]),
        "served_share": [1.0] * count,
        "longest_outage_s": [0.0] * count,
        "longest_outage_reason": [""] * count,
        "main_gateway_share": [0.5] * count,
        "main_pop_share": [0.5] * count,
        "gateway_countries": ["DE 0.5000; FR 0.5000"] * count,
        "pop_countries": ["DE 0.5000; FR 0.5000"] * count,
    }
    return pd.DataFrame(usual | columns)


def order(fleet):
    return "".join(by_risk(fleet)["terminal_id"])


def test_least_service_comes_first_then_the_longer_break_then_the_name():
    fleet = fleet_of(
        terminal_id=list("dcba"),
        served_share=[0.9, 0.5, 0.9, 0.9],
        longest_outage_s=[15.0, 15.0, 60.0, 15.0],
    )
    assert order(fleet) == "cbad"


def test_of_sites_served_throughout_those_that_hang_on_one_thing_come_first():
    fleet = fleet_of(
        gateway_countries=["DE 0.5000; FR 0.5000", "DE 1.0000", "DE 1.0000"],
        main_gateway_share=[0.5, 0.6, 1.0],
    )
    assert order(fleet) == "cba"


def test_a_break_weighs_more_than_a_single_point():
    fleet = fleet_of(
        served_share=[1.0, 0.99], longest_outage_s=[0.0, 15.0], main_pop_share=[1.0, 0.5]
    )
    assert order(fleet) == "ba"


def test_what_is_lost_weighs_more_than_what_never_was():
    fleet = fleet_of(
        served_share=[0.0, 0.7, 0.4], longest_outage_s=[900.0, 15.0, 30.0], lost_share=[0, 0.3, 0.2]
    )
    assert order(fleet) == "bca"
    assert "those that lose most come first" in risk_order(fleet)


def test_gaps_in_known_positions_come_after_breaks_and_are_told():
    fleet = fleet_of(
        served_share=[0.2, 0.9, 1.0],
        longest_outage_s=[60.0, 15.0, 0.0],
        longest_outage_reason=[Reason.POSITION_UNKNOWN, Reason.GSO_ARC, ""],
    )
    assert order(fleet) == "bac"
    assert "in which the position was not known" in risk_order(fleet)
    assert "not known" not in risk_order(fleet.iloc[1:])


@pytest.mark.parametrize(
    ("countries", "is_single"),
    [("DE 1.0000", True), ("DE 0.9999; FR 0.0001", False), ("unknown 1.0000", False), ("", False)],
)
def test_one_country_is_single_when_it_is_known_and_alone(countries, is_single):
    fleet = fleet_of(gateway_countries=[countries], pop_countries=[countries])
    single = single_points(fleet)
    assert single["gateway_country"].tolist() == single["pop_country"].tolist() == [is_single]
    assert sites_on_one(fleet, "pop_countries") == ({"DE": 1} if is_single else {})


def test_one_gateway_or_pop_is_single_when_it_carried_all_of_some_service():
    fleet = fleet_of(main_gateway_share=[1.0, 0.999999, float("nan")], main_pop_share=[0.5, 1, 1])
    assert single_points(fleet)["gateway"].tolist() == [True, False, False]
    assert single_points(fleet)["pop"].tolist() == [False, True, True]


def test_a_fleet_without_sites_has_an_order_too():
    fleet = fleet_of(served_share=[1.0]).iloc[:0]
    assert by_risk(fleet).empty
    assert sites_on_one(fleet, "gateway_countries") == {}
