"""Laser links that have failed: some by name, others by a draw that needs no list of all links."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError

KeyArray = NDArray[np.uint64]
BoolArray = NDArray[np.bool_]

_LINK = re.compile(r"(\d{1,9})-(\d{1,9})")


@dataclass(frozen=True, eq=False)
class FailedLinks:
    """Which links between two satellites are gone, told by their NORAD ids alone.

    A draw (salt, share) takes a link where a hash of the salt and of both ids lies below the share:
    it depends neither on the time nor on which links a plan has.
    """

    keys: KeyArray  # (F,) ascending: the lower id in the upper 32 bits, the higher id below
    draws: tuple[tuple[int, float], ...] = ()

    def __bool__(self) -> bool:
        return self.keys.size > 0 or len(self.draws) > 0

    def holds(self, norad_ids: NDArray[np.integer]) -> BoolArray:
        """Return which links (E, 2), either end first, are gone, shape (E,)."""
        keys = link_keys(norad_ids)
        gone = np.isin(keys, self.keys)
        for salt, share in self.draws:
            gone |= unit_hash(salt, keys) < share
        return gone


NO_FAILED_LINKS = FailedLinks(np.empty(0, np.uint64))


def joined_links(parts: Iterable[FailedLinks]) -> FailedLinks:
    """Return the links that are in any of the parts."""
    parts = list(parts)
    keys = np.unique(np.concatenate([NO_FAILED_LINKS.keys, *(part.keys for part in parts)]))
    return FailedLinks(keys, tuple(draw for part in parts for draw in part.draws))


def link_keys(norad_ids: NDArray[np.integer]) -> KeyArray:
    """Return one number for each pair of ids (E, 2), whichever end comes first, shape (E,)."""
    ids = np.sort(np.asarray(norad_ids), axis=1).astype(np.uint64)
    return np.asarray(ids[:, 0] << np.uint64(32) | ids[:, 1])


def unit_hash(salt: int, keys: KeyArray) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each key, by the finaliser of SplitMix64 (Steele et al. 2014).

    It is applied twice with the salt between, so that two salts share no order of the keys.
    """
    mixed = _mixed(_mixed(keys) ^ np.uint64(salt))
    return np.asarray((mixed >> np.uint64(11)) * 2.0**-53)


def _mixed(values: KeyArray) -> KeyArray:
    values = values + np.uint64(0x9E3779B97F4A7C15)  # modulo 2**64, as unsigned arrays are
    values = (values ^ values >> np.uint64(30)) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ values >> np.uint64(27)) * np.uint64(0x94D049BB133111EB)
    return np.asarray(values ^ values >> np.uint64(31))


def parse_link(text: str, where: str) -> tuple[int, int]:
    """Read A-B, the NORAD ids of a link's ends; `where` begins the error text."""
    found = _LINK.fullmatch(text)
    if found is None or int(found[1]) == int(found[2]):
        raise InputError(
            f'{where}: found the link "{text[:40]}", expected the NORAD ids of two satellites: '
            "44713-44714"
        )
    return int(found[1]), int(found[2])
