"""Replay: from the entries of a log, in order, to everything that follows from them at a time.

Nothing else is state.  Before an entry is looked at, everything that time alone brings until its
logged second has happened; an entry that breaks a rule is listed with its reason and changes
nothing.  Whoever has the same entries and objects comes to the same.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from skyweave.control.domain import acts, clockwork, guarantees
from skyweave.control.domain.charters import verify_genesis
from skyweave.control.domain.documents import Charter, Directive, DirectiveKind
from skyweave.control.domain.entries import LoggedEntry
from skyweave.control.domain.keyring import public_keys
from skyweave.control.domain.machine import COMING
from skyweave.control.domain.objects import replacement
from skyweave.control.domain.state import Authority, CharterVersion, Ignored, Ledger
from skyweave.control.signing.dsse import Envelope
from skyweave.errors import InputError


def replay(
    entries: Iterable[LoggedEntry], objects: Mapping[str, bytes], *, now_s: int
) -> Authority:
    """Return what follows from a log at a time, s since 1970 UTC; later entries do not count."""
    ledger: Ledger | None = None
    for entry in entries:
        if ledger is None:
            ledger = _genesis(entry, objects)
        elif entry.logged_s > now_s:
            break
        else:
            _take(ledger, entry)
    if ledger is None:
        raise InputError("the log is empty; its first entry is a charter")
    return _authority(ledger, now_s)


def check_next(
    authority: Authority, envelope: Envelope, logged_s: int, objects: Mapping[str, bytes]
) -> None:
    """Refuse, as a reader of the log would, a document that would have no effect if logged now."""
    follow(authority, [envelope], logged_s, objects)


def follow(
    authority: Authority, envelopes: Iterable[Envelope], logged_s: int,
    objects: Mapping[str, bytes],
) -> Authority:  # fmt: skip
    """Return what follows once documents are logged, not witnessed yet; refuse where one may not.

    `objects` are all that are there then.
    """
    ledger = authority.ledger.copy()
    ledger.objects = objects
    if logged_s < ledger.logged_s:
        raise InputError(
            f"the log's last entry is {ledger.logged_s - logged_s} s later than this one; set the "
            "clock right"
        )
    for envelope in envelopes:
        entry = LoggedEntry(ledger.size, logged_s, envelope)
        clockwork.advance(ledger, logged_s)
        acts.apply(ledger, entry)
        ledger.size, ledger.logged_s = entry.index + 1, logged_s
    return _authority(ledger, logged_s)


def agreements_met(authority: Authority, directive: Directive) -> tuple[str, ...]:
    """Return the agreements that a directive must list, ascending.

    Where cells are withheld, those that are not known to meet it are left out.
    """
    ledger = authority.ledger
    surely, _ = guarantees.met(ledger, directive, authority.now_s, ledger.size)
    return tuple(sorted(surely))


def _genesis(entry: LoggedEntry, objects: Mapping[str, bytes]) -> Ledger:
    charter = verify_genesis(entry.envelope, "entry 0")
    version = CharterVersion(charter, charter.digest, 0, entry.logged_s)
    return Ledger(objects, [version], public_keys(charter), logged_s=entry.logged_s)


def _take(ledger: Ledger, entry: LoggedEntry) -> None:
    clockwork.advance(ledger, entry.logged_s)
    try:
        acts.apply(ledger, entry)
    except InputError as error:
        ledger.ignored.append(Ignored(entry.index, str(error)))
    ledger.size, ledger.logged_s = entry.index + 1, entry.logged_s


def _authority(after_entries: Ledger, now_s: int) -> Authority:
    ledger = after_entries.copy()
    clockwork.advance(ledger, now_s)
    acts.recount(ledger, now_s)
    return Authority(
        now_s=now_s,
        size=ledger.size,
        charter=ledger.charter,
        charter_entry=ledger.charters[-1].entry,
        charters=tuple(ledger.charters),
        pending_charter=_pending_charter(ledger),
        revoked=MappingProxyType(ledger.revoked),
        regions=MappingProxyType(ledger.regions),
        licences=MappingProxyType(ledger.licences),
        agreements=MappingProxyType({i: each[-1] for i, each in ledger.agreements.items()}),
        agreement_history=tuple(e for each in ledger.agreements.values() for e in each),
        requests=MappingProxyType(ledger.requests),
        directives=MappingProxyType(ledger.directives),
        ignored=tuple(ledger.ignored),
        notices=tuple(ledger.notices),
        ledger=after_entries,
    )


def _pending_charter(ledger: Ledger) -> Charter | None:
    for state in ledger.directives.values():
        if state.does is DirectiveKind.AMEND_CHARTER and state.state in COMING:
            return replacement(ledger.objects, state.proposal, Charter)
    return None
