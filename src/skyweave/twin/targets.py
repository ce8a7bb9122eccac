"""Where the terminals' traffic may come down: their PoPs, and the gateways they may use."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.frames import great_circle_m
from skyweave.twin.scenario import LandingRule
from skyweave.twin.terminals import Terminals
from skyweave.twin.topology import Gateways, Pops

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]

KINDS: tuple[Literal["gateway", "pop"], ...] = ("gateway", "pop")


@dataclass(frozen=True)
class Targets:
    """The K different ends that paths may have, and which of them each terminal uses."""

    pops: IntArray  # (K,) a fixed PoP's row, -1 stands for the gateway's own
    gateway_allowed: BoolArray  # (K, G) by landing rules, and by what has failed
    of_terminal: IntArray  # (S,)

    def only(self, target: int) -> "Targets":
        """Return one of the ends, used by one terminal."""
        one = slice(target, target + 1)
        return Targets(self.pops[one], self.gateway_allowed[one], np.zeros(1, dtype=np.int64))


def find_targets(
    terminals: Terminals,
    gateways: Gateways,
    pops: Pops,
    rules: Sequence[LandingRule],
    source: str,
    *,
    at_home: bool = False,
    domestic_only: Collection[str] = (),
    gateway_failed: BoolArray | None = None,
    pop_failed: BoolArray | None = None,
) -> Targets:
    """Return the ends of the terminals' paths; refuse an unknown PoP and rules that conflict.

    With `at_home` a terminal that fixes no PoP uses the nearest that its rules allow, else that of
    its gateway.  Gateways in the countries `domestic_only` serve terminals of the same country and
    no others.
    `gateway_failed` (G,) and `pop_failed` (P,) are out of use.
    """
    _refuse_conflicts(terminals, rules, source)
    home = np.where(np.isin(terminals.country, list(domestic_only)), terminals.country, "")
    pop_id = terminals.pop_id
    if at_home:
        pop_id = np.where(pop_id == "", _homes(terminals, pops, rules, pop_failed), pop_id)
    columns = (pop_id, terminals.class_, home)
    keys = list(zip(*(column.tolist() for column in columns), strict=True))
    fixed = sorted({pop_id for pop_id, _, _ in keys if pop_id})
    domestic = np.isin(gateways.country, list(domestic_only))
    row = {"": -1} | {pop_id: pops.row(pop_id, f"{source}: terminals: ") for pop_id in fixed}
    is_up = np.ones(len(gateways), np.bool_) if gateway_failed is None else ~gateway_failed
    found: dict[tuple[int, bytes], int] = {}
    number, of_key, allowed = [], {}, []
    for pop_id, class_, country in sorted(set(keys)):
        applying = [rule for rule in rules if rule.class_ in (None, class_)]
        if pop_id:
            _refuse_fixed(pop_id, str(pops.country[row[pop_id]]), applying, source)
        at_home = ~domestic | (gateways.country == country)
        mask = is_up & at_home & _allowed(applying, gateways, pops, row[pop_id], pop_failed)
        key = (row[pop_id], mask.tobytes())
        if key not in found:
            found[key] = len(found)
            number.append(row[pop_id])
            allowed.append(mask)
        of_key[pop_id, class_, country] = found[key]
    return Targets(
        np.array(number or [-1], dtype=np.int64),
        np.array(allowed or [is_up]),
        np.array([of_key[key] for key in keys], dtype=np.int64),
    )


def _homes(
    terminals: Terminals, pops: Pops, rules: Sequence[LandingRule], pop_failed: BoolArray | None
) -> NDArray[np.str_]:
    """Return the id of the nearest PoP in order that each terminal's rules allow, "" = none, (S,).

    One that moves is at home where its track begins.
    """
    is_up = np.ones(len(pops), np.bool_) if pop_failed is None else ~pop_failed
    home = np.full(len(terminals), "", dtype=pops.pop_id.dtype)
    for class_ in np.unique(terminals.class_).tolist():
        allowed = is_up.copy()
        for rule in rules:
            if rule.class_ in (None, class_):
                allowed &= _in_lists(pops.country, *rule.lists("pop"))
        rows, near = np.flatnonzero(terminals.class_ == class_), np.flatnonzero(allowed)
        if near.size:
            place = (terminals.lat_deg[rows, None], terminals.lon_deg[rows, None])
            away_m = great_circle_m(*place, pops.lat_deg[near], pops.lon_deg[near])
            home[rows] = pops.pop_id[near[np.argmin(away_m, axis=1)]]
    return home


def _allowed(
    rules: Sequence[LandingRule],
    gateways: Gateways,
    pops: Pops,
    fixed_pop: int,
    pop_failed: BoolArray | None,
) -> BoolArray:
    """Return which gateways the traffic of one end may use, (G,)."""
    pop = gateways.pop if fixed_pop < 0 else np.full(len(gateways), fixed_pop, dtype=np.int32)
    pop_country = np.append(pops.country, "")[pop]  # no PoP is left at row -1
    mask = pop >= 0
    if pop_failed is not None:
        mask &= ~np.append(pop_failed, True)[pop]
    for rule in rules:
        mask &= _in_lists(gateways.country, *rule.lists("gateway"))
        mask &= _in_lists(pop_country, *rule.lists("pop"))
    return mask


def _in_lists(country: NDArray[np.str_], allow: frozenset[str], deny: frozenset[str]) -> BoolArray:
    is_allowed = np.isin(country, sorted(allow)) if allow else np.ones(country.size, np.bool_)
    return np.asarray(is_allowed & ~np.isin(country, sorted(deny)))


def _refuse_conflicts(terminals: Terminals, rules: Sequence[LandingRule], source: str) -> None:
    """Refuse rules of which a terminal cannot obey all."""
    classes = sorted({*terminals.class_.tolist(), *(rule.class_ or "" for rule in rules)})
    for class_ in classes:
        applying = [rule for rule in rules if rule.class_ in (None, class_)]
        for kind in KINDS:
            lists = [rule.lists(kind) for rule in applying]
            allows = [allow for allow, _ in lists if allow]
            denied = frozenset().union(*(deny for _, deny in lists))
            both = frozenset().union(*allows) & denied
            if both:
                raise InputError(
                    f"{source}: landing_rules{_for(class_)}: {_codes(both)} is both in "
                    f"allow_{kind}_countries and deny_{kind}_countries; keep it in one of them"
                )
            if allows and not frozenset.intersection(*allows):
                raise InputError(
                    f"{source}: landing_rules{_for(class_)}: no country is in all of the lists "
                    f"allow_{kind}_countries that apply; merge them into one rule"
                )


def _refuse_fixed(pop_id: str, country: str, rules: Sequence[LandingRule], source: str) -> None:
    """Refuse a fixed PoP at which the terminal's rules do not let its traffic meet the Internet."""
    for rule in rules:
        if not _in_lists(np.array([country]), *rule.lists("pop")).all():
            raise InputError(
                f'{source}: terminals with pop_id "{pop_id}": it is in {country}, which '
                f"landing_rules{_for(rule.class_ or '')} do not allow; change one of them"
            )


def _for(class_: str) -> str:
    return f' of class "{class_}"' if class_ else ""


def _codes(countries: frozenset[str]) -> str:
    return ", ".join(sorted(countries))


def rule_sentence(rule: LandingRule) -> str:
    """Return a rule in plain words."""
    subject = f"terminals of class {rule.class_}" if rule.class_ else "all terminals"
    texts = []
    for kind, place in zip(KINDS, ("come down", "meet the Internet"), strict=True):
        allow, deny = rule.lists(kind)
        if allow:
            texts.append(f"{place} only in {_codes(allow)}")
        if deny:
            texts.append(f"not {place} in {_codes(deny)}")
    return f"traffic of {subject} may {' and may '.join(texts)}"
