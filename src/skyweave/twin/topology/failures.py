"""Failures: what they name or draw, and what of one operator's network they put out of order."""

import difflib
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.places import check_country_codes
from skyweave.seeds import named_seed
from skyweave.time import format_utc
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.topology.failed_links import (
    NO_FAILED_LINKS,
    FailedLinks,
    link_keys,
    parse_link,
)
from skyweave.twin.topology.ground import Gateways, Pops, fibre_delay_s, nearest_pop
from skyweave.twin.topology.plane_names import plane_names

BoolArray = NDArray[np.bool_]
Names = NDArray[np.str_]

KINDS = ("satellite", "link", "plane", "gateway", "pop", "country", "operator", "core")
WHOLE = ("operator", "core")  # kinds that are one of each operator
_GROUND = ("gateway", "pop")  # an id may be a country's code, for all in it
_DECIMAL = re.compile(r"[0-9]{1,3}(\.[0-9]+)?")
MAX_TARGET = 200  # characters; no id is as long
_FORMS = (
    "gateway:ID, country:XX, operator:NAME, pop:ID, satellite:NORAD, link:NORAD-NORAD, plane:NAME "
    "or core:OPERATOR"
)


@dataclass(frozen=True)
class Failure:
    """Something that fails; `str` says it in one word, as `--without` does."""

    kind: str  # one of KINDS
    ids: tuple[str, ...] = ()  # what fails; () where `share` says how much
    share: float | None = None  # of all there is of the kind
    operator: str = ""  # whose; "" = everybody's
    from_utc: np.datetime64 | None = None  # None = from the beginning
    to_utc: np.datetime64 | None = None  # None = to the end
    place: str = field(default="", compare=False)  # where it is asked for, as errors say it
    number: int = 0  # of the scenario's failures; a draw's name

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}{self._window}"

    @property
    def target(self) -> str:
        """The id, or what stands for several."""
        if self.share is not None:
            return f"{100.0 * self.share:g}%"
        more = f",... ({len(self.ids)})" if len(self.ids) > 3 else ""
        return ",".join(self.ids[:3]) + more

    @property
    def _window(self) -> str:
        texts = [f" {word} {format_utc(utc)}" for word, utc in self.window.items()]
        return "".join(texts)

    @property
    def window(self) -> dict[str, np.datetime64]:
        """The ends of its window that are given."""
        ends = {"from": self.from_utc, "to": self.to_utc}
        return {word: utc for word, utc in ends.items() if utc is not None}


@dataclass(frozen=True, eq=False)
class Network:
    """What one operator has that can fail."""

    operator: str
    catalogue: Catalogue
    epoch_utc: np.datetime64
    gateways: Gateways
    pops: Pops
    _known: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False)

    @cached_property
    def norad_id(self) -> Names:
        """Each satellite's id as text, (N,)."""
        return self.catalogue.norad_id.astype(np.str_)

    @cached_property
    def plane(self) -> Names:
        """The name of each satellite's plane, (N,), "" where it is in none."""
        return plane_names(self.catalogue, self.epoch_utc)

    def names(self, kind: str) -> list[str]:
        """Return what there is of a kind, each once, in an order that no file's order changes."""
        return sorted(self.known(kind))

    def known(self, kind: str) -> frozenset[str]:
        """Return what there is of a kind."""
        if kind not in self._known:
            self._known[kind] = frozenset(self._all(kind)) - {""}
        return self._known[kind]

    def _all(self, kind: str) -> list[str]:
        match kind:
            case "satellite":
                found = self.norad_id
            case "plane":
                found = self.plane
            case "gateway":
                found = self.gateways.gateway_id
            case "pop":
                found = self.pops.pop_id
            case "country":
                found = np.concatenate([self.gateways.country, self.pops.country])
            case _:
                return [self.operator]
        return [str(name) for name in found]


@dataclass(frozen=True, eq=False)
class Effect:
    """What a failure puts out of order in one operator's network."""

    names: tuple[str, ...]  # what fails, of the failure's kind, ascending; () for a draw of links
    sat: BoolArray  # (N,)
    gateway: BoolArray  # (G,)
    pop: BoolArray  # (P,)
    links: FailedLinks
    is_core: bool  # the software that runs the network

    @property
    def is_nothing(self) -> bool:
        """Whether nothing of the network fails."""
        return not (self.names or self.links)


def parse_failure(text: str) -> Failure:
    """Read KIND:ID as `--without` takes it; refuse a kind or a country that is not known."""
    kind, colon, target = text.strip().partition(":")
    if not colon or not target or kind not in KINDS or len(target) > MAX_TARGET:
        raise InputError(f'--without "{text[:60]}": expected {_FORMS}')
    return checked_failure(Failure(kind, (target,), place=f"--without {text.strip()[:60]}"))


def checked_failure(failure: Failure) -> Failure:
    """Return a failure with its ids as networks write them; refuse what is no country or link."""
    if failure.kind == "country":
        check_country_codes(failure.ids, f"{failure.place}: ")
    if failure.kind == "satellite":
        return replace(failure, ids=tuple(_number(text) for text in failure.ids))
    if failure.kind == "link":
        ends = [sorted(parse_link(text, failure.place)) for text in failure.ids]
        return replace(failure, ids=tuple(f"{low}-{high}" for low, high in ends))
    return failure


def _number(text: str) -> str:
    """Return a NORAD id without leading zeros."""
    return text.lstrip("0") or "0" if text.isdecimal() else text


def refuse_unknown(failure: Failure, networks: Sequence[Network]) -> None:
    """Refuse the failure of something that no network has; a country may have nothing."""
    operators = [network.operator for network in networks]
    if failure.operator and failure.operator not in operators:
        hint = near_names(failure.operator, operators)
        raise InputError(f'{failure.place}: no operator "{failure.operator[:60]}"; {hint}')
    if failure.kind == "country":
        return
    concerned = [each for each in networks if failure.operator in ("", each.operator)]
    if failure.kind == "link":
        _refuse_unknown_links(failure, concerned)
        return
    known = [each.known(failure.kind) for each in concerned]
    countries = {code for each in concerned for code in _countries(failure.kind, each)} - {""}
    for wanted in failure.ids:
        if wanted not in countries and not any(wanted in names for names in known):
            raise InputError(_unknown(failure, wanted, sorted(frozenset().union(*known))))


def _unknown(failure: Failure, wanted: str, names: list[str]) -> str:
    """Return the refusal of something that none of the networks has."""
    kind = "operator" if failure.kind in WHOLE else failure.kind
    if not names:
        return f"{failure.place}: the scenario has no {kind}s; remove this failure"
    hint = (_near_planes(wanted, names) if kind == "plane" else "") or near_names(wanted, names)
    return f'{failure.place}: no {kind} "{wanted[:60]}"; {hint}'


def _near_planes(wanted: str, names: list[str]) -> str:
    """Return a hint at the planes of the wanted one's shell that are nearest on the circle."""
    shell, _, position = wanted.rpartition("-")
    own = [name for name in names if name.rpartition("-")[0] == shell]
    if not own or not _DECIMAL.fullmatch(position):
        return ""

    def distance(name: str) -> float:
        return abs(math.remainder(float(name.rpartition("-")[2]) - float(position), 360.0))

    return f"did you mean {' or '.join(sorted(own, key=distance)[:3])}?"


def _countries(kind: str, network: Network) -> list[str]:
    """Return the countries that may stand for the gateways or PoPs in them."""
    return _ground(kind, network)[1].tolist() if kind in _GROUND else []


def _refuse_unknown_links(failure: Failure, networks: Sequence[Network]) -> None:
    owned = [network.known("satellite") for network in networks]
    known: frozenset[str] = frozenset().union(*owned)
    for link in failure.ids:
        ends = set(link.split("-"))
        for end in sorted(ends - known):
            hint = near_names(end, sorted(known))
            raise InputError(f'{failure.place}: no satellite "{end}"; {hint}')
        if not any(ends <= own for own in owned):
            raise InputError(
                f"{failure.place}: no link {link}: its satellites belong to different operators"
            )


def near_names(wanted: str, names: list[str]) -> str:
    """Return a hint at the names that are meant, or at what there is."""
    near = difflib.get_close_matches(wanted, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"there are {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}"


def effect_of(failure: Failure, network: Network, seed: int) -> Effect:
    """Return what a failure breaks in a network: what it names there, or a share drawn by seed."""
    kind, gateways, pops = failure.kind, network.gateways, network.pops
    nothing = Effect(
        names=(),
        sat=np.zeros(len(network.catalogue), np.bool_),
        gateway=np.zeros(len(gateways), np.bool_),
        pop=np.zeros(len(pops), np.bool_),
        links=NO_FAILED_LINKS,
        is_core=False,
    )
    if failure.operator not in ("", network.operator):
        return nothing
    if kind == "link":
        return _failing_links(failure, network, seed, nothing)
    wanted = {*failure.ids, *_in_countries(failure, network)}
    if failure.share is not None:
        wanted = _draw(failure, network, seed)
    names = sorted(network.known(kind) & wanted)
    effect = replace(nothing, names=tuple(names))
    if not names:
        return effect
    match kind:
        case "satellite":
            return replace(effect, sat=np.isin(network.norad_id, names))
        case "plane":
            return replace(effect, sat=np.isin(network.plane, names))
        case "gateway":
            return replace(effect, gateway=np.isin(gateways.gateway_id, names))
        case "pop":
            return replace(effect, pop=np.isin(pops.pop_id, names))
        case "country":
            lost, away = np.isin(gateways.country, names), np.isin(pops.country, names)
            return replace(effect, gateway=lost, pop=away)
        case "core":
            return replace(effect, is_core=True)
    return replace(
        effect, sat=~nothing.sat, gateway=~nothing.gateway, pop=~nothing.pop, is_core=True
    )


def _in_countries(failure: Failure, network: Network) -> list[str]:
    """Return the gateways or PoPs in the countries among a failure's ids."""
    if failure.kind not in _GROUND:
        return []
    ids, country = _ground(failure.kind, network)
    return [str(name) for name in ids[np.isin(country, failure.ids)]]


def _ground(kind: str, network: Network) -> tuple[Names, Names]:
    if kind == "gateway":
        return network.gateways.gateway_id, network.gateways.country
    return network.pops.pop_id, network.pops.country


def _draw(failure: Failure, network: Network, seed: int) -> set[str]:
    """Return a share of what there is; a larger share of the same draw holds the smaller one."""
    assert failure.share is not None
    names = np.array(network.names(failure.kind), dtype=np.str_)
    draw = np.random.default_rng(_seed_of(failure, network, seed)).random(names.size)
    first = np.argsort(draw, kind="stable")[: round(failure.share * names.size)]
    return set(names[first].tolist())


def _failing_links(failure: Failure, network: Network, seed: int, nothing: Effect) -> Effect:
    if failure.share is not None:
        salt = int(_seed_of(failure, network, seed).generate_state(1, np.uint64)[0])
        return replace(nothing, links=FailedLinks(NO_FAILED_LINKS.keys, ((salt, failure.share),)))
    known = network.known("satellite")
    own = sorted({link for link in failure.ids if known.issuperset(link.split("-"))})
    ends = np.array([link.split("-") for link in own], dtype=np.int64).reshape(-1, 2)
    return replace(nothing, names=tuple(own), links=FailedLinks(np.unique(link_keys(ends))))


def _seed_of(failure: Failure, network: Network, seed: int) -> np.random.SeedSequence:
    return named_seed(seed, "failures", failure.kind, network.operator, str(failure.number))


def rehomed(gateways: Gateways, pops: Pops, pop_failed: BoolArray, fibre_detour: float) -> Gateways:
    """Return the gateways with those of a failed PoP at the nearest one left; at none row -1."""
    nearest = nearest_pop(gateways.lat_deg, gateways.lon_deg, pops, ~pop_failed)
    pop = np.where(pop_failed[gateways.pop], nearest, gateways.pop).astype(np.int32)
    return replace(gateways, pop=pop, fibre_s=fibre_delay_s(gateways, pops, pop, fibre_detour))
