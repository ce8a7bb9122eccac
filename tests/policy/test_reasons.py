"""The closed enum of reasons."""

import numpy as np
import pytest

from skyweave.policy import REASONS, SERVED, Reason, reason_names

OF_THE_NETWORK = [
    "no_satellite_in_view",
    "gso_arc",
    "obstructed",
    "field_of_view",
    "no_gateway_path",
    "gateway_antennas_busy",
    "no_beam_free",
    "satellite_failed",
    "gateway_failed",
    "pop_failed",
    "core_failed",
    "no_valid_ephemeris",
    "position_unknown",
]

# What a dish reports as its disablement code, without OKAY, UNKNOWN and the two retired codes.
OF_THE_DISH = """NO_ACTIVE_ACCOUNT TOO_FAR_FROM_SERVICE_ADDRESS IN_OCEAN BLOCKED_COUNTRY
    DATA_OVERAGE_SANDBOX_POLICY CELL_IS_DISABLED ROAM_RESTRICTED UNKNOWN_LOCATION ACCOUNT_DISABLED
    UNSUPPORTED_VERSION MOVING_TOO_FAST_FOR_POLICY UNDER_AVIATION_FLYOVER_LIMITS
    BLOCKED_AREA""".lower().split()


def test_the_enum_is_closed():
    assert [str(reason) for reason in REASONS] == OF_THE_NETWORK + OF_THE_DISH


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_says_itself_in_one_line_of_plain_words(reason):
    assert 15 <= len(reason.text) <= 80
    assert reason.text[0].islower()
    assert reason.text[-1].isalpha()
    assert "_" not in reason.text


def test_no_two_reasons_read_alike():
    assert len({reason.text for reason in REASONS}) == len(REASONS)


def test_a_reason_is_its_number_and_back():
    assert [REASONS[reason.number] for reason in Reason] == list(Reason)
    assert SERVED not in [reason.number for reason in Reason]


def test_arrays_of_numbers_become_names_and_served_is_empty():
    number = np.array([[SERVED, Reason.GSO_ARC.number]], dtype=np.int16)
    assert reason_names(number).tolist() == [["", "gso_arc"]]
