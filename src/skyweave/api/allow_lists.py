"""Allow lists: which kits keep service where only listed terminals work.

A list is private: it travels in the private part of a parcel, and documents name it by its digest.
Kits stand in it as salted hashes, with hardware class and sponsor, and no person.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyweave.api.authority import LogSource
from skyweave.api.directives import state_of
from skyweave.api.kits import Kit, list_of, read_kits
from skyweave.api.parcels import Signer, refuse_existing, sealed, written
from skyweave.control.domain.allow_lists import encode_allow_list
from skyweave.control.domain.documents import DAY_S, Listing, digest_of
from skyweave.control.parcel import read_parcel
from skyweave.errors import InputError
from skyweave.policy.allow_list import AllowList, with_kit, without_kit

MAX_ADDED = 1_000  # kits in one change; each is put into its place


@dataclass(frozen=True)
class Removal:
    """A kit that is taken off a list, with what its owner must be told."""

    kit: str
    reason: str
    appeal: str
    days: float  # of notice


def change_list(
    log: LogSource,
    directive_id: str,
    signer: Signer,
    out: Path,
    *,
    add: Path | None,
    remove: Removal | None,
    newest: Path | None,
    now_s: int,
) -> dict[str, Any]:
    """Sign a new state of a directive's allow list and write it as a parcel.

    Kits are added at once; one is removed with notice, reason and an address for its owner's
    appeal.  The list is in the log's private folder, or in the parcel `newest`.
    """
    refuse_existing(out)
    if add is None and remove is None:
        raise InputError("nothing to change; give --add KITS.csv, or --remove KIT")
    standing = log.standing(now_s)
    found = state_of(standing.authority, directive_id)
    if not found.allow_lists:
        raise InputError(f'directive "{directive_id}": has no allow list; name one that has')
    digest = found.allow_lists[-1][0]
    directive = found.proposal.directive
    known = list_of(directive, _held(standing.book.private, newest, digest), "", found.entry)
    changed = _changed(known, read_kits(add) if add else (), remove, standing.now_s)
    content = encode_allow_list(changed)
    listing = Listing(directive_id=directive_id, before=digest, after=digest_of(content))
    parcel = sealed(listing, signer.load(), {}, {listing.after: content})
    standing.after([parcel])
    return {
        **written(parcel, listing, out),
        "directive": directive_id,
        "kits": len(changed.kits),
    }


def _held(private: Mapping[str, bytes], newest: Path | None, digest: str) -> bytes:
    held = private if newest is None else read_parcel(newest).private
    if digest not in held:
        raise InputError(
            f"{newest or 'the log'}: the list {digest[:23]}... is not here; give the parcel it "
            "came in, as --list PARCEL"
        )
    return held[digest]


def _changed(
    known: AllowList, added: Sequence[Kit], remove: Removal | None, now_s: int
) -> AllowList:
    if len(added) > MAX_ADDED:
        raise InputError(f"--add: {len(added):,} kits; add at most {MAX_ADDED:,} at a time")

    def put(listing: AllowList, kit: Kit) -> AllowList:
        return with_kit(listing, *kit, now_s)

    found = functools.reduce(put, added, known)
    if remove is None:
        return found
    until_s = now_s + round(remove.days * DAY_S)
    return without_kit(found, remove.kit, now_s, until_s, remove.reason, remove.appeal)
