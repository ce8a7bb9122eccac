"""Allow lists: in some regions only listed terminals work, and nobody learns it from silence.

A list holds salted hashes of kits with hardware class and sponsor, and no person.  Adding a kit
works at once; removing one takes notice, a reason and an address for the appeal.  A terminal that
is not listed is warned and keeps service through a grace period, first.
"""

import bisect
import functools
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.policy.salted import salted_hash

MAX_ENTRIES = 1_000_000
MIN_REMOVAL_NOTICE_S = 14 * 86_400
MIN_GRACE_S = 72 * 3600
MAX_GRACE_S = 366 * 86_400
_FAR_S = 10**10
NEVER_S = 2**62
MIN_SALT_DIGITS = 32  # 128 bits


@dataclass(frozen=True)
class Listed:
    """One kit of a list; times in s since 1970 UTC, [from, until)."""

    kit_hash: str  # of `kit_hash`
    terminal_class: str
    sponsor: str
    from_s: int
    until_s: int | None = None  # once its removal is announced
    removal_reason: str = ""
    appeal: str = ""  # where its owner may object


@dataclass(frozen=True)
class AllowList:
    """The list of a region; it is a reduction, so it has a directive and an end."""

    region_id: str
    directive_id: str
    entry: int  # index in the log
    salt: str  # hexadecimal; who has it can test kits they know, so it goes to those who must
    from_s: int
    until_s: int
    kits: tuple[Listed, ...] = ()  # ascending by hash
    grace_s: int = MIN_GRACE_S

    def __post_init__(self) -> None:
        _check(self)

    def find(self, hashed: str) -> Listed | None:
        """Return the kit's line in the list, whether in force or not."""
        place = self._place_of.get(hashed)
        return None if place is None else self.kits[place]

    @functools.cached_property
    def _place_of(self) -> dict[str, int]:
        return {kit.kit_hash: place for place, kit in enumerate(self.kits)}

    @functools.cached_property
    def _spans_s(self) -> NDArray[np.int64]:
        """From and until when each kit is listed (2, K), and after them one that never is."""
        spans = [(k.from_s, NEVER_S if k.until_s is None else k.until_s) for k in self.kits]
        return np.array([*spans, (NEVER_S, NEVER_S)], dtype=np.int64).T

    def is_effective(self, at_s: int) -> bool:
        """Return whether the region is in allow-list mode at a time, s since 1970 UTC."""
        return self.from_s <= at_s < self.until_s

    def has(self, hashed: str, at_s: int) -> bool:
        """Return whether a kit is listed at a time, s since 1970 UTC."""
        kit = self.find(hashed)
        return kit is not None and _is_listed(kit, at_s)

    def grace_until_s(self, hashed: str) -> int:
        """Return until when a kit off the list keeps service, counted from its removal."""
        kit = self.find(hashed)
        left_s = kit.until_s if kit is not None and kit.until_s is not None else self.from_s
        return max(self.from_s, left_s) + self.grace_s

    def standing(
        self, hashes: Sequence[str], at_s: int
    ) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
        """Return for many kits (K,) what `has` and `grace_until_s` return for one."""
        place = np.array([self._place_of.get(each, -1) for each in hashes], dtype=np.int64)
        from_s, until_s = self._spans_s[:, place]
        left_s = np.where(until_s < NEVER_S, until_s, self.from_s)
        is_listed = (from_s <= at_s) & (at_s < until_s)
        return is_listed, np.maximum(self.from_s, left_s) + self.grace_s


def kit_hash(salt: str, kit_id: str) -> str:
    """Return what stands for a kit: HMAC-SHA256 of its id under the list's salt, hexadecimal."""
    return salted_hash(salt)(kit_id)


def with_kit(
    known: AllowList, kit_id: str, terminal_class: str, sponsor: str, at_s: int
) -> AllowList:
    """Return the list with a kit, in force from `at_s`; an announced removal of it is undone."""
    hashed = kit_hash(known.salt, kit_id)
    kit = known.find(hashed)
    from_s = kit.from_s if kit is not None and _is_listed(kit, at_s) else at_s
    return _with(known, Listed(hashed, terminal_class, sponsor, min(from_s, at_s)))


def without_kit(
    known: AllowList, kit_id: str, at_s: int, until_s: int, reason: str, appeal: str
) -> AllowList:
    """Return the list with a kit's removal announced at `at_s` for `until_s`, s since 1970 UTC."""
    kit = known.find(kit_hash(known.salt, kit_id))
    if kit is None or not _is_listed(kit, at_s):
        raise InputError(f"allow list of {known.region_id}: the kit is not listed; check its id")
    if until_s - at_s < MIN_REMOVAL_NOTICE_S:
        raise InputError(
            f"allow list of {known.region_id}: {(until_s - at_s) / 86_400:.1f} days of notice; "
            f"a removal takes {MIN_REMOVAL_NOTICE_S // 86_400} days: choose a later day"
        )
    if not reason.strip() or not appeal.strip():
        raise InputError(
            f"allow list of {known.region_id}: a removal says why and where its owner may object; "
            "give a reason and an appeal"
        )
    if kit.until_s is not None:
        raise InputError(
            f"allow list of {known.region_id}: the kit's removal is announced already; "
            "list it again first to change it"
        )
    return _with(known, replace(kit, until_s=until_s, removal_reason=reason, appeal=appeal))


def _is_listed(kit: Listed, at_s: int) -> bool:
    return kit.from_s <= at_s and (kit.until_s is None or at_s < kit.until_s)


def _with(known: AllowList, kit: Listed) -> AllowList:
    others = [each for each in known.kits if each.kit_hash != kit.kit_hash]
    bisect.insort(others, kit, key=lambda each: each.kit_hash)
    return replace(known, kits=tuple(others))


def _check(known: AllowList) -> None:
    where = f"allow list of {known.region_id}"
    if len(known.kits) > MAX_ENTRIES:
        raise InputError(f"{where}: {len(known.kits):,} kits; at most {MAX_ENTRIES:,} are read")
    if known.until_s <= known.from_s:
        raise InputError(f"{where}: ends before it begins; give a later end")
    if not MIN_GRACE_S <= known.grace_s <= MAX_GRACE_S:
        raise InputError(
            f"{where}: grace of {known.grace_s} s; give {MIN_GRACE_S:,} (72 h) to {MAX_GRACE_S:,}"
        )
    if not is_salt(known.salt):
        raise InputError(f"{where}: the salt is not {MIN_SALT_DIGITS} hexadecimal digits or more")
    if any(kit.until_s is not None and kit.until_s > known.until_s + _FAR_S for kit in known.kits):
        raise InputError(f"{where}: a kit's removal is centuries away; give whole seconds")
    hashes = [kit.kit_hash for kit in known.kits]
    if any(a >= b for a, b in itertools.pairwise(hashes)):
        raise InputError(f"{where}: kits not in ascending order of their hashes, each once")


def is_salt(salt: str) -> bool:
    """Return whether a text is a salt: hexadecimal digits of whole bytes, enough of them."""
    digits = set("0123456789abcdef")
    return len(salt) >= MIN_SALT_DIGITS and len(salt) % 2 == 0 and set(salt) <= digits
