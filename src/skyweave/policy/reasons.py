"""Why a terminal has no service: one closed enum, with a line of plain English for each reason.

The first block is physics and equipment, the second the terminal's own uncertainty, the third the
disablement codes that a dish reports for decisions about accounts, places and cells, in lower case
(two of the published codes, invalid country and unlicensed country, are retired and left out; so
are "unknown" and "okay", because a twin's outage always has a cause).
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


class Reason(StrEnum):
    """The cause of an outage; `.text` says it for people, `.number` stands for it in arrays."""

    NO_SATELLITE_IN_VIEW = "no_satellite_in_view"
    GSO_ARC = "gso_arc"
    OBSTRUCTED = "obstructed"
    FIELD_OF_VIEW = "field_of_view"
    NO_GATEWAY_PATH = "no_gateway_path"
    GATEWAY_ANTENNAS_BUSY = "gateway_antennas_busy"
    NO_BEAM_FREE = "no_beam_free"
    SATELLITE_FAILED = "satellite_failed"
    GATEWAY_FAILED = "gateway_failed"
    POP_FAILED = "pop_failed"
    CORE_FAILED = "core_failed"

    NO_VALID_EPHEMERIS = "no_valid_ephemeris"
    POSITION_UNKNOWN = "position_unknown"

    NO_ACTIVE_ACCOUNT = "no_active_account"
    TOO_FAR_FROM_SERVICE_ADDRESS = "too_far_from_service_address"
    IN_OCEAN = "in_ocean"
    BLOCKED_COUNTRY = "blocked_country"
    DATA_OVERAGE_SANDBOX_POLICY = "data_overage_sandbox_policy"
    CELL_IS_DISABLED = "cell_is_disabled"
    ROAM_RESTRICTED = "roam_restricted"
    UNKNOWN_LOCATION = "unknown_location"
    ACCOUNT_DISABLED = "account_disabled"
    UNSUPPORTED_VERSION = "unsupported_version"
    MOVING_TOO_FAST_FOR_POLICY = "moving_too_fast_for_policy"
    UNDER_AVIATION_FLYOVER_LIMITS = "under_aviation_flyover_limits"
    BLOCKED_AREA = "blocked_area"

    @property
    def text(self) -> str:
        """One line of plain English, without a full stop."""
        return _TEXT[self]

    @property
    def number(self) -> int:
        """The reason's number in int16 arrays: its place in `REASONS`."""
        return _NUMBER[self]


REASONS: tuple[Reason, ...] = tuple(Reason)
SERVED = -1  # what arrays of reason numbers hold where there is service

_NUMBER = {reason: number for number, reason in enumerate(REASONS)}

_TEXT = {
    Reason.NO_SATELLITE_IN_VIEW: "no usable satellite was high enough in the sky",
    Reason.GSO_ARC: "every satellite in view stood too close to the geostationary arc",
    Reason.OBSTRUCTED: "something near the dish hid the satellites it could otherwise have used",
    Reason.FIELD_OF_VIEW: "the satellites left in view stood outside the dish's field of view",
    Reason.NO_GATEWAY_PATH: "satellites were in view, but none could reach a gateway",
    Reason.GATEWAY_ANTENNAS_BUSY: "no gateway in reach had an antenna free for a satellite in view",
    Reason.NO_BEAM_FREE: "the satellites in view had no free beam",
    Reason.SATELLITE_FAILED: "the satellites that could have served had failed",
    Reason.GATEWAY_FAILED: "the gateways that could have served had failed",
    Reason.POP_FAILED: "the point of presence it connects through had failed",
    Reason.CORE_FAILED: "the operator's core systems had failed",
    Reason.NO_VALID_EPHEMERIS: "the orbits of the satellites could not be computed for this time",
    Reason.POSITION_UNKNOWN: "the terminal's position was not known at this time",
    Reason.NO_ACTIVE_ACCOUNT: "no active account stands behind the terminal",
    Reason.TOO_FAR_FROM_SERVICE_ADDRESS: "the terminal is too far from its service address",
    Reason.IN_OCEAN: "the terminal is at sea and its plan covers land only",
    Reason.BLOCKED_COUNTRY: "service is not licensed in this country",
    Reason.DATA_OVERAGE_SANDBOX_POLICY: "the account has used up its data allowance",
    Reason.CELL_IS_DISABLED: "service is switched off in this cell",
    Reason.ROAM_RESTRICTED: "the plan does not allow use away from home here",
    Reason.UNKNOWN_LOCATION: "the network could not confirm where the terminal is",
    Reason.ACCOUNT_DISABLED: "the account is suspended",
    Reason.UNSUPPORTED_VERSION: "the terminal's software is too old for the network",
    Reason.MOVING_TOO_FAST_FOR_POLICY: "the terminal moves faster than its plan allows",
    Reason.UNDER_AVIATION_FLYOVER_LIMITS: "the aircraft is below the height its plan allows here",
    Reason.BLOCKED_AREA: "the terminal is inside an excluded area",
}


def reason_names(number: NDArray[np.signedinteger]) -> NDArray[np.str_]:
    """Return the reasons' names for an array of reason numbers, "" where served (-1)."""
    names: NDArray[np.str_] = np.array([*REASONS, ""])  # -1 reads the last
    return np.take(names, number)
