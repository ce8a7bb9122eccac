"""Which sites are at risk: what all of their service hung on, and in which order they come."""

import numpy as np
import pandas as pd

from skyweave.policy.reasons import Reason


def single_points(fleet: pd.DataFrame) -> pd.DataFrame:
    """Where all service of a site went one way, as booleans beside the rows of `fleet`.

    `gateway` and `pop` are true where one gateway or PoP carried it all, `gateway_country` and
    `pop_country` where all of those used lay in one country, which a country that is not known
    never is.  A site that was never served hangs on nothing.
    """
    return pd.DataFrame(
        {
            "gateway": fleet["main_gateway_share"] == 1,
            "gateway_country": _only_country(fleet["gateway_countries"]) != "",
            "pop": fleet["main_pop_share"] == 1,
            "pop_country": _only_country(fleet["pop_countries"]) != "",
        },
        index=fleet.index,
    )


def sites_on_one(fleet: pd.DataFrame, countries: str) -> dict[str, int]:
    """Of each country, how many sites used no other; `countries` names a column of shares."""
    only = _only_country(fleet[countries])
    return {str(code): int(sites) for code, sites in only[only != ""].value_counts().items()}


def _only_country(shares: pd.Series) -> pd.Series:
    """The country of "DE 1.0000", "" where there are several, none, or one that is not known."""
    country = shares.str.split(" ").str[0]
    return country.where(~shares.str.contains(";", regex=False) & (country != "unknown"), "")


def by_risk(fleet: pd.DataFrame) -> pd.DataFrame:
    """The fleet, most at risk first; `risk_order` says the order in words.

    Where the longest outage is one of an unknown position, the site comes after all others that
    had outages: what is not known is no risk found.
    """
    is_unknown = fleet["longest_outage_reason"] == Reason.POSITION_UNKNOWN
    keys = fleet.assign(
        lost=fleet.get("lost_share", 0.0),
        rank=np.where(fleet["served_share"] == 1, 2, is_unknown),
        singles=single_points(fleet).sum(axis=1),
    )
    order = ["lost", "rank", "served_share", "longest_outage_s", "singles", "terminal_id"]
    ascending = [False, True, True, False, False, True]
    return fleet.loc[keys.sort_values(order, ascending=ascending, kind="stable").index]


def risk_order(fleet: pd.DataFrame) -> str:
    """One sentence, or two, on how `by_risk` sorts."""
    first = "those that lose most come first, then those" if "lost_share" in fleet else "those"
    text = (
        f"Sorted by risk: {first} with the least service, then with the longest break; where all "
        "that is equal, sites whose service all went one way (one gateway, one country or one "
        "place where it meets the internet) come before sites that used several."
    )
    if (fleet["longest_outage_reason"] == Reason.POSITION_UNKNOWN).any():
        text += (
            " Where the longest break is one in which the position was not known, the site comes "
            "after the others that had breaks."
        )
    return text
