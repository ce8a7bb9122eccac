"""Numbers, times and countries in the words of a reader who does not program."""

import json
from collections.abc import Sequence
from functools import cache

from skyweave.data import read_data_text

NOTHING = "–"
_SPACE = "\N{NO-BREAK SPACE}"  # between a figure and its unit


def percent(share: float | None) -> str:
    """A share of 0 to 1; only the whole reads 100 % and only nothing 0 %."""
    if share is None or share != share:
        return NOTHING
    if share in (0.0, 1.0):
        return f"{100.0 * share:.0f}{_SPACE}%"
    if share < 0.0005:
        return f"under 0.1{_SPACE}%"
    if share >= 0.9995:
        return f"{100.0 * min(share, 0.9999):.2f}{_SPACE}%"
    return f"{100.0 * share:.1f}{_SPACE}%"


def milliseconds(time_s: float | None) -> str:
    """A delay in seconds as whole milliseconds."""
    if time_s is None or time_s != time_s:
        return NOTHING
    return f"{1e3 * time_s:.0f}{_SPACE}ms"


def duration(time_s: float) -> str:
    """A length of time with its two largest units: 45 s, 7 min 15 s, 1 h 3 min, 2 d 4 h."""
    if time_s < 60.0:
        return f"{time_s:.3g}{_SPACE}s"
    left = round(time_s)
    parts: list[tuple[int, str]] = []
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, unit_s)
        if count or parts:
            parts.append((count, unit))
    return _SPACE.join(f"{count}{_SPACE}{unit}" for count, unit in parts[:2] if count)


def moment(time_utc: str, day_utc: str) -> str:
    """A time such as 2026-06-14T12:00:12Z, without its date when it lies on `day_utc`'s."""
    date, _, clock = time_utc.removesuffix("Z").partition("T")
    return clock if date == day_utc[:10] else f"{date} {clock}"


def count(number: int, singular: str, plural: str = "") -> str:
    """A number with its noun: 1 site, 2,002 sites."""
    return f"{number:,}{_SPACE}{singular if number == 1 else plural or singular + 's'}"


def joined(texts: Sequence[str]) -> str:
    """A list in a sentence: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(texts[:-1]), texts[-1]] if len(texts) > 1 else texts)


def place(name: str, code: str) -> str:
    """A town or site with its country, unless the name has it already or it is not known."""
    has_country = country(code) in name or name.endswith(f", {_SHORT.get(code, code)}")
    return name if not code or has_country else f"{name}, {country(code)}"


_SHORT = {"GB": "UK", "US": "USA"}  # as lists of gateways write them
_WITH_ARTICLE = (
    *("AE", "BS", "CD", "CF", "CG", "CK", "DO", "FK", "FO", "GB", "GM", "IO", "KM", "KY", "MH"),
    *("MP", "MV", "NL", "PH", "SB", "SC", "TC", "TF", "UM", "US", "VA", "VG", "VI"),
)


def country_in_sentence(code: str) -> str:
    """The name of a country as it follows "in" or "without": Germany, the Philippines."""
    return f"the {country(code)}" if code in _WITH_ARTICLE else country(code)


def country(code: str) -> str:
    """The name of a country by its ISO 3166 alpha-2 code; the code where no name is known."""
    return _country_names().get(code, code) if code else "unknown"


@cache
def _country_names() -> dict[str, str]:
    """Natural Earth's short names; its 1:50m layer has no code for France and Norway."""
    features = json.loads(read_data_text("ne_50m_admin_0_countries.geojson.xz"))["features"]
    known = [feature["properties"] for feature in features]
    return {"FR": "France", "NO": "Norway", **{k["ISO_A2"]: k["NAME"] for k in known}}
