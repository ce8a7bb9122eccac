"""What mean elements may be, in whatever format they come."""

import re
from dataclasses import dataclass
from typing import Any

MAX_NORAD_ID = 999_999_999  # nine digits, as CCSDS 502.0-B-3 foresees
MAX_NAME_CHARACTERS = 100
FIRST_YEAR, LAST_YEAR = 1957, 2099  # from Sputnik 1 on; a TLE cannot say more than 2056
SGP4_XP = 4  # ephemeris type whose elements another theory wrote, in the same columns

_COSPAR_ID = re.compile(r"\d{4}-\d{3}[A-Z]{1,3}")
_COSPAR_ID_IN_TLE = re.compile(r"(\d\d)(\d{3}[A-Z]{1,3}) *")


@dataclass(frozen=True)
class Limit:
    """The values an element may have; the ends belong to them unless `open_` says otherwise."""

    what: str
    low: float
    high: float
    expected: str
    open_low: bool = False
    open_high: bool = False

    def outside(self, values: Any) -> Any:
        """Return which values, of an array or a float, are not allowed; NaN never is."""
        below = values <= self.low if self.open_low else values < self.low
        above = values >= self.high if self.open_high else values > self.high
        return below | above | (values != values)

    def reason(self, value: float) -> str:
        """Return the sentence that refuses a value."""
        return f"the {self.what} is {value:.10g}, expected {self.expected}"


# 20 rev/day: an orbit that grazes the ground makes 17, so a larger number is in another unit.
LIMITS = {
    "inclination_deg": Limit("inclination", 0.0, 180.0, "0 to 180 deg"),
    "raan_deg": Limit("right ascension of the ascending node", 0.0, 360.0, "0 to 360 deg"),
    "eccentricity": Limit("eccentricity", 0.0, 1.0, "0 or more and less than 1", open_high=True),
    "argp_deg": Limit("argument of perigee", 0.0, 360.0, "0 to 360 deg"),
    "mean_anomaly_deg": Limit("mean anomaly", 0.0, 360.0, "0 to 360 deg"),
    "mean_motion_rev_day": Limit(
        "mean motion", 0.0, 20.0, "more than 0 and at most 20 rev/day", open_low=True
    ),
}


def cospar_id(text: str) -> str:
    """Return an international designator such as "1998-067A", or "" where it is no such thing."""
    text = text.strip()
    return text if _COSPAR_ID.fullmatch(text) else ""


def cospar_id_from_tle(text: str) -> str:
    """Return the designator of columns 10 to 17 of a line 1: "98067A  " is "1998-067A"."""
    found = _COSPAR_ID_IN_TLE.fullmatch(text)
    return f"{19 if found[1] >= '57' else 20}{found[1]}-{found[2]}" if found else ""


def name_fault(name: str) -> str:
    """Return why an object cannot have this name, or "" where it can."""
    if len(name) > MAX_NAME_CHARACTERS:
        return f"the name has {len(name)} characters, over the {MAX_NAME_CHARACTERS} accepted"
    if not (name.isascii() and name.isprintable()):
        return "the name has characters other than printable ASCII; rename the object"
    return ""
