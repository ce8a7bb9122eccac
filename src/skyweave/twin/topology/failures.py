"""Failures of the ground network: which gateways and PoPs are gone, and what is left."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.places import check_country_codes
from skyweave.twin.topology.ground import Gateways, Pops, fibre_delay_s, nearest_pop

BoolArray = NDArray[np.bool_]

KINDS = ("gateway", "country", "operator", "pop")
MAX_TARGET = 200  # characters; no id is as long
_FORMS = "gateway:ID, country:XX, operator:NAME or pop:ID"


@dataclass(frozen=True)
class Failure:
    """Something that is gone for the whole run; `str` gives it as `--without` takes it."""

    kind: str  # one of KINDS
    target: str  # an id or a name, or the two letters of a country

    def __str__(self) -> str:
        return f"{self.kind}:{self.target}"


def parse_failure(text: str) -> Failure:
    """Read KIND:ID as `--without` takes it; refuse a kind or a country that is not known."""
    kind, colon, target = text.strip().partition(":")
    if not colon or not target or kind not in KINDS or len(target) > MAX_TARGET:
        raise InputError(f'--without "{text[:60]}": expected {_FORMS}')
    if kind == "country":
        check_country_codes([target], f"--without {text[:60]}: ")
    return Failure(kind, target)


def gateways_failed(failures: Iterable[Failure], gateways: Gateways) -> BoolArray:
    """Return which gateways are gone, (G,): those named, or those in a country named."""
    return _failed(failures, ("gateway", "country"), gateways.gateway_id, gateways.country)


def pops_failed(failures: Iterable[Failure], pops: Pops) -> BoolArray:
    """Return which PoPs are gone, (P,): those named, or those in a country named."""
    return _failed(failures, ("pop", "country"), pops.pop_id, pops.country)


def _failed(
    failures: Iterable[Failure],
    kinds: Sequence[str],
    ids: NDArray[np.str_],
    country: NDArray[np.str_],
) -> BoolArray:
    gone = np.zeros(ids.size, dtype=np.bool_)
    for failure in failures:
        if failure.kind in kinds:
            gone |= (ids == failure.target) | (country == failure.target)
    return gone


def rehomed(gateways: Gateways, pops: Pops, pop_failed: BoolArray, fibre_detour: float) -> Gateways:
    """Return the gateways with those of a failed PoP at the nearest one left; at none row -1."""
    nearest = nearest_pop(gateways.lat_deg, gateways.lon_deg, pops, ~pop_failed)
    pop = np.where(pop_failed[gateways.pop], nearest, gateways.pop).astype(np.int32)
    return replace(gateways, pop=pop, fibre_s=fibre_delay_s(gateways, pops, pop, fibre_detour))
