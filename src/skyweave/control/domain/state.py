"""What follows from a log at one moment: `Authority` for readers, `Ledger` while it is replayed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from skyweave.control.domain.documents import (
    AgreementRecord,
    Charter,
    DirectiveKind,
    Proposal,
    RegionRecord,
    Request,
)
from skyweave.control.domain.geometry import Geometry
from skyweave.control.domain.keyring import public_keys, records_of
from skyweave.control.domain.machine import State, Step
from skyweave.control.signing.keys import PublicKey
from skyweave.errors import InputError
from skyweave.policy.snapshot import Licence
from skyweave.policy.threshold import Quorum, Vote

CellArray = NDArray[np.uint64]


def quoted(text: str) -> str:
    """Return somebody's text in quotes for an error: short, and on one line whatever is in it."""
    return json.dumps(text[:64])


@dataclass(frozen=True)
class Ignored:
    """An entry that stands in the log without effect."""

    entry: int
    why: str


@dataclass(frozen=True)
class Notice:
    """Something that readers should know and that changes nothing by itself."""

    entry: int
    at_s: int
    text: str


@dataclass(frozen=True)
class CharterVersion:
    """A version of the charter; time in s since 1970 UTC."""

    charter: Charter
    digest: str
    entry: int  # that approved it, 0 of the first
    from_s: int


@dataclass(frozen=True, eq=False)
class RegionVersion:
    """A version of a region; its cells (C,) are None while nobody here has its geometry."""

    record: RegionRecord
    digest: str  # of the record
    entry: int
    from_s: int
    geometry: Geometry | None

    @property
    def cells(self) -> CellArray | None:
        """The cells (C,) ascending, whoever may know them by now."""
        return None if self.geometry is None else self.geometry.cells

    @property
    def snapshot_id(self) -> str:
        """What a policy snapshot calls this version."""
        return f"{self.record.region_id}@{self.record.version}"

    def public_cells(self, at_s: int) -> CellArray | None:
        """Return the cells as everybody knows them at a time: None while they are withheld.

        Rules ask this, so that readers with and without the geometry come to the same.
        """
        publish_by_s = self.record.publish_by_s
        return None if publish_by_s is not None and at_s < publish_by_s else self.cells


@dataclass(frozen=True, eq=False)
class AgreementState:
    """A version of an agreement with the regions as they were when it was signed."""

    record: AgreementRecord
    entry: int
    regions: tuple[RegionVersion, ...]
    from_s: int
    until_s: int  # earlier than the record's where an amendment took its place

    @property
    def snapshot_id(self) -> str:
        """What a policy snapshot calls this version: its id, from the second on with its number."""
        record = self.record
        return record.agreement_id + (f"@{record.version}" if record.version > 1 else "")

    def holds(self, at_s: int) -> bool:
        """Return whether this version is in force at a time."""
        return self.from_s <= at_s < self.until_s

    def may_hold(self, from_s: int, until_s: int | None) -> bool:
        """Return whether it is in force at any time of [from, until), if nothing amends it."""
        begins = until_s is None or self.from_s < until_s
        return begins and from_s < self.record.until_s


@dataclass(frozen=True, eq=False)
class DirectiveState:
    """A directive and what became of it; times in s since 1970 UTC.

    `from_s` and `until_s` are when it is in effect, as it really was or will be if nothing else
    comes; None while it is not approved and witnessed, or never came to it.
    """

    proposal: Proposal
    question: str  # digest that votes on it name
    entry: int
    proposer: str  # a person
    story: tuple[Step, ...]
    votes: tuple[Vote, ...] = ()
    quorums: tuple[Quorum, ...] = ()  # as last counted: its route's, then those of agreements
    approved_entry: int | None = None
    approved_s: int | None = None
    witnessed_s: int | None = None  # of the entry that approved it
    from_s: int | None = None
    until_s: int | None = None
    blocked_by: tuple[str, ...] = ()
    allow_lists: tuple[tuple[str, int], ...] = ()  # digests of its lists, and since when

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.story[-1].state

    @property
    def does(self) -> DirectiveKind:
        """What it does."""
        return self.proposal.directive.does


@dataclass(frozen=True, eq=False)
class Authority:
    """Everything that follows from the log at `now_s`; whoever has the log computes the same."""

    now_s: int
    size: int  # of the log, as far as it counts at `now_s`
    charter: Charter
    charter_entry: int
    charters: tuple[CharterVersion, ...]
    pending_charter: Charter | None  # approved, its notice running
    revoked: Mapping[str, int]  # entry by key id
    regions: Mapping[str, tuple[RegionVersion, ...]]  # by id, oldest first
    licences: Mapping[str, tuple[Licence, ...]]  # by region id
    agreements: Mapping[str, AgreementState]  # the newest version, by id
    agreement_history: tuple[AgreementState, ...]  # all versions
    requests: Mapping[str, tuple[Request, int]]  # with their entries
    directives: Mapping[str, DirectiveState]
    ignored: tuple[Ignored, ...]
    notices: tuple[Notice, ...]
    ledger: "Ledger" = field(repr=False)  # as it stood after the last entry; never changed


@dataclass
class Ledger:
    """The same while it is replayed; its values are frozen, its containers are not."""

    objects: Mapping[str, bytes]  # by digest
    charters: list[CharterVersion]
    keys: dict[str, PublicKey]  # of the charter in force, by id
    size: int = 1
    logged_s: int = 0  # of the last entry
    revoked: dict[str, int] = field(default_factory=dict)
    regions: dict[str, tuple[RegionVersion, ...]] = field(default_factory=dict)
    licences: dict[str, tuple[Licence, ...]] = field(default_factory=dict)
    agreements: dict[str, tuple[AgreementState, ...]] = field(default_factory=dict)
    requests: dict[str, tuple[Request, int]] = field(default_factory=dict)
    directives: dict[str, DirectiveState] = field(default_factory=dict)
    ignored: list[Ignored] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    timers: list[tuple[int, int, int, str, str]] = field(default_factory=list)  # of `replay`

    @property
    def charter(self) -> Charter:
        """The version in force."""
        return self.charters[-1].charter

    def copy(self) -> "Ledger":
        """Return a ledger that can go on by itself."""
        copied = {f.name: getattr(self, f.name) for f in fields(self)}
        for name, value in copied.items():
            if isinstance(value, (dict, list)) and name not in ("objects", "keys"):
                copied[name] = value.copy()
        return Ledger(**copied)

    def put_charter(self, version: CharterVersion) -> None:
        """Let a version of the charter be in force."""
        self.charters.append(version)
        self.keys = public_keys(version.charter)

    def region(self, region_id: str, at: str | None = None) -> RegionVersion:
        """Return a region's version of a record digest, the newest where none is given."""
        versions = self.regions.get(region_id, ())
        found = [each for each in versions if at is None or each.digest == at]
        if not found:
            which = "" if at is None or not versions else " of that version"
            raise InputError(
                f"region {quoted(region_id)}{which} is not in the log; make it with "
                "skyweave region make"
            )
        return found[-1]

    def directive(self, directive_id: str) -> DirectiveState:
        """Return a directive, refused where none of that name was proposed."""
        if directive_id not in self.directives:
            raise InputError(
                f"directive {quoted(directive_id)} is not in the log; propose it first"
            )
        return self.directives[directive_id]

    def agreement(self, agreement_id: str) -> AgreementState:
        """Return the newest version of an agreement, refused where there is none."""
        if agreement_id not in self.agreements:
            raise InputError(
                f"agreement {quoted(agreement_id)} is not in the log; have its parties sign it "
                "first"
            )
        return self.agreements[agreement_id][-1]

    def organisation_of(self, key_id: str) -> str:
        """Return whose key it is."""
        return records_of(self.charter)[key_id].organisation

    def person_of(self, key_id: str) -> str:
        """Return who has the key."""
        return records_of(self.charter)[key_id].person
