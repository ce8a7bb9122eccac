"""The policy that a scenario obeys: its log verified, all of it, and what follows from it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from skyweave.errors import InputError
from skyweave.policy.snapshot import Snapshot
from skyweave.time import parse_utc
from skyweave.twin.scenario import Scenario
from skyweave.twin.world import System, VerifiedPolicy, build_system

if TYPE_CHECKING:
    from skyweave.control.book import Book
    from skyweave.control.domain.state import Authority


def policy_snapshot(scenario: Scenario) -> Snapshot | None:
    """Return what the log of a scenario's `[policy]` says, None where it has none.

    A folder that does not verify is refused with the first fault.
    """
    verified = verified_policy(scenario)
    return verified.snapshot if verified else None


def system_of(scenario: Scenario, without: Sequence[str] = ()) -> System:
    """Return the system of a scenario, which obeys its policy; `without` is what has failed."""
    return build_system(scenario, without, verified_policy(scenario))


def verified_policy(scenario: Scenario) -> VerifiedPolicy | None:
    """Return what a scenario's log says, with the digest of the charter that it begins with."""
    if scenario.policy is None:
        return None
    from skyweave.control.book import Book  # late: a scenario without a policy needs none of it

    try:
        book = Book.open(scenario.file(scenario.policy.log), genesis=scenario.policy.genesis)
        return _policy_of(book, _end_s(scenario))
    except InputError as error:
        raise InputError(f"{scenario.source}: [policy]: {error}") from None


def _policy_of(book: "Book", end_s: int) -> VerifiedPolicy:
    """Return what a log says up to the end of a run, if nothing more is logged until then."""
    from skyweave.control.domain.snapshots import snapshot_of, unseen
    from skyweave.control.signing.encoding import to_base64

    authority, checkpoint = book.authority(max(book.last_s, end_s)), book.verified.checkpoint
    snapshot = snapshot_of(
        authority,
        log_origin=checkpoint.origin,
        log_root=to_base64(checkpoint.root),
        salt=_salt(book, authority),
        private=book.private,
    )
    hidden = unseen(authority, book.private)
    warning = f"the log withholds where {', '.join(hidden)} lie; what it decides there is left out"
    taken = replace(snapshot, taken_at_s=book.last_s)
    return VerifiedPolicy(taken, book.genesis, (warning,) if hidden else ())


def _salt(book: "Book", authority: "Authority") -> str:
    """Return the salt of hashed names, or where none is hashed what nobody's name fits."""
    digest = authority.charter.salt_digest
    salt = book.private.get(digest)
    if salt is not None:
        return salt.hex()
    for state in authority.agreement_history:
        if state.record.terminal_hashes or state.record.account_hashes:
            raise InputError(
                f"{book.folder}: agreement {state.record.agreement_id} names terminals, and the "
                "salt of their hashes is not in this copy; run it where the log is kept"
            )
    return digest.removeprefix("sha256:")


def _end_s(scenario: Scenario) -> int:
    """Return when the last slot of a run is over at the latest, s since 1970 UTC."""
    start_utc = parse_utc(scenario.time.start_utc, f"{scenario.source}: time.start_utc")
    length_s = scenario.time.duration_s + scenario.time.slot_s
    return int(start_utc.astype(np.int64) // 10**9 + np.ceil(length_s))
