"""The policy snapshot: everything that crosses from the control plane to the twin, frozen.

It is made from one verified state of the log and says which: origin, size, root.  Times are whole
seconds since 1970 UTC and spans are [from, until).  Terminals and accounts stand in it only as
salted hashes.  Its JSON is canonical, so that equal snapshots are equal bytes and digests.
"""

import dataclasses
import functools
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any

import h3.api.numpy_int as h3_cells
import numpy as np
import pydantic
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.policy.allow_list import MIN_SALT_DIGITS, AllowList, Listed, is_salt
from skyweave.policy.regions import CELL_RESOLUTION, MAX_CELLS
from skyweave.policy.salted import salted_hash

FORMAT = "skyweave.policy-snapshot.v1"
MAX_BYTES = 256 * 2**20
MAX_RECORDS = 100_000  # of each kind
MAX_CELLS_IN_ALL = 4 * MAX_CELLS
MAX_TEXT = 500  # characters of any id or reason
MAX_TIME_S = 2**40  # 35,000 years: what is larger is no time in seconds
MAX_BPS = 10**15

_HEXADECIMAL = re.compile("[0-9a-f]{15}")


def _cells(values: object) -> NDArray[np.uint64]:
    """Return cells as read from JSON; pydantic reports the ValueError with its place."""
    if not isinstance(values, list) or len(values) > MAX_CELLS:
        raise ValueError(f"expected a list of at most {MAX_CELLS:,} cells")
    if not all(isinstance(value, str) and _HEXADECIMAL.fullmatch(value) for value in values):
        raise ValueError("expected H3 cells of 15 hexadecimal digits")
    return np.array([int(value, 16) for value in values], dtype=np.uint64)


CellArray = Annotated[NDArray[np.uint64], pydantic.PlainValidator(_cells)]


class Kind(StrEnum):
    """The directives that change what a cell may do."""

    ACTIVATE = "activate"
    RESUME = "resume"
    EMERGENCY_ACTIVATE = "emergency_activate"
    SUSPEND = "suspend"
    EMERGENCY_SUSPEND = "emergency_suspend"
    RESTRICT = "restrict"
    EXCLUDE = "exclude"
    LIFT_GUARANTEE = "lift_guarantee"


# What must end by itself: every reduction of service, and what an emergency alone justifies.
MUST_EXPIRE = frozenset(Kind) - {Kind.ACTIVATE, Kind.RESUME}


class LicenceStatus(StrEnum):
    """What the public record says of a licence."""

    VALID = "valid"
    PENDING = "pending"
    SUSPENDED = "suspended"
    VOID = "void"


@dataclass(frozen=True)
class Licence:
    """An administration's licence for a region, as its public instrument has it."""

    administration: str
    instrument: str
    status: LicenceStatus
    from_s: int
    until_s: int | None = None
    allows_lifeline_beyond: bool = False  # text-class service beyond the border, after the grace

    def is_valid(self, at_s: int) -> bool:
        """Return whether the licence holds at a time, s since 1970 UTC."""
        return self.status is LicenceStatus.VALID and holds(self, at_s)


@dataclass(frozen=True)
class Claim:
    """That an administration claims a region: recorded; no decision reads it, none is chosen."""

    administration: str
    basis: str


@dataclass(frozen=True, eq=False)
class PolicyRegion:
    """A version of a region: cells (C,) ascending, and who licenses and claims it."""

    region_id: str
    version: int
    digest: str  # of the region as drawn, `Region.digest`
    cells: CellArray
    needs_licence: bool = True
    licences: tuple[Licence, ...] = ()
    claims: tuple[Claim, ...] = ()

    def is_licensed(self, at_s: int) -> bool:
        """Return whether any administration's licence is valid at a time, s since 1970 UTC."""
        return any(licence.is_valid(at_s) for licence in self.licences)

    def may_serve(self, at_s: int) -> bool:
        """Return whether the law allows service at a time: licensed, or no licence is needed."""
        return not self.needs_licence or self.is_licensed(at_s)

    def has_cell(self, cell: int) -> bool:
        """Return whether a cell belongs to the region; 0, no cell, does not."""
        wanted = np.uint64(cell)  # a plain integer would be compared as a float
        place = int(np.searchsorted(self.cells, wanted))
        return place < self.cells.size and bool(self.cells[place] == wanted)


@dataclass(frozen=True)
class Directive:
    """A directive that is or will be in effect, with the log entry that made it so."""

    directive_id: str
    kind: Kind
    region_id: str
    entry: int  # index in the log
    from_s: int
    until_s: int | None
    reason: str
    agreement_id: str = ""  # which guarantee `lift_guarantee` lifts
    exception: str = ""  # the exception of an agreement that it invokes
    max_down_bps: int | None = None  # of a restriction; None: no limit
    max_up_bps: int | None = None
    spares_lifeline: bool = True  # of an exclusion: the lifeline class keeps its rate


@dataclass(frozen=True)
class Floor:
    """What an agreement guarantees at least."""

    down_bps: int = 0
    up_bps: int = 0
    latency_s: float | None = None
    availability: float | None = None  # share of time
    service_class: str = "standard"


@dataclass(frozen=True)
class Agreement:
    """A guarantee: these terminals and accounts, or all where none is named, in these regions."""

    agreement_id: str
    entry: int
    region_ids: tuple[str, ...]
    from_s: int
    until_s: int
    floor: Floor = Floor()
    terminal_hashes: tuple[str, ...] = ()
    account_hashes: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()  # names of what the parties let take precedence

    @property
    def is_for_all(self) -> bool:
        """Whether it guarantees service to every terminal in its regions."""
        return not self.terminal_hashes and not self.account_hashes


class Subject(StrEnum):
    """What can be disabled by due process."""

    TERMINAL = "terminal"
    ACCOUNT = "account"


@dataclass(frozen=True)
class Disabled:
    """A terminal or account that was disabled by due process, for a time."""

    subject: Subject
    subject_hash: str
    directive_id: str
    entry: int
    from_s: int
    until_s: int
    reason: str


def subject_hash(salt: str, subject: Subject, name: str) -> str:
    """Return what stands for a terminal or account: HMAC-SHA256 under the snapshot's salt."""
    return salted_hash(salt)(subject_text(subject, name))


def subject_text(subject: Subject, name: str) -> str:
    """Return what is hashed: no account's text is that of a terminal."""
    return f"{subject}\0{name}"


def holds(record: "Directive | Agreement | Disabled | Licence", at_s: int) -> bool:
    """Return whether a record is in force at a time, s since 1970 UTC."""
    return record.from_s <= at_s and (record.until_s is None or at_s < record.until_s)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The policy at one state of the log; two are equal where their digests are."""

    version: int  # rises with every snapshot of a log
    log_origin: str
    log_size: int
    log_root: str
    charter_version: int
    taken_at_s: int  # time of the checkpoint
    salt: str  # hexadecimal, of the hashes of terminals and accounts
    regions: tuple[PolicyRegion, ...] = ()
    directives: tuple[Directive, ...] = ()
    agreements: tuple[Agreement, ...] = ()
    allow_lists: tuple[AllowList, ...] = ()
    disabled: tuple[Disabled, ...] = ()
    format: str = FORMAT

    def __post_init__(self) -> None:
        _check(self)

    @functools.cached_property
    def region_by_id(self) -> dict[str, PolicyRegion]:
        """The regions by their ids."""
        return {region.region_id: region for region in self.regions}

    @functools.cached_property
    def agreement_by_id(self) -> dict[str, Agreement]:
        """The agreements by their ids."""
        return {agreement.agreement_id: agreement for agreement in self.agreements}

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON."""
        return "sha256:" + hashlib.sha256(snapshot_to_json(self)).hexdigest()


def snapshot_to_json(snapshot: Snapshot) -> bytes:
    """Return the canonical JSON: sorted keys, no spaces, cells as H3 writes them."""
    text = json.dumps(_plain(snapshot), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def snapshot_from_json(content: bytes, source: str = "policy snapshot") -> Snapshot:
    """Return the snapshot of canonical JSON; anything that is not exactly that is refused."""
    if len(content) > MAX_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes; a snapshot has at most {MAX_BYTES:,}: "
            "draw its regions coarser"
        )
    try:
        snapshot = _reader().validate_json(content)
    except pydantic.ValidationError as error:
        raise InputError(f"{source}: {_first(error)}; make the snapshot again") from None
    except InputError as error:
        raise InputError(f"{source}: {error}") from None
    if snapshot_to_json(snapshot) != content:
        raise InputError(
            f"{source}: not in canonical form, so its digest would differ; make the snapshot again"
        )
    return snapshot


def _plain(record: Any) -> dict[str, Any]:
    """Return a record's fields as JSON has them."""
    return {f.name: _plain_value(getattr(record, f.name)) for f in dataclasses.fields(record)}


def _plain_value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [f"{cell:x}" for cell in value.tolist()]
    if isinstance(value, tuple):
        return [_plain_value(each) for each in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # 1 and 1.0 are one number, so they are written alike
    return _plain(value) if dataclasses.is_dataclass(value) else value


def _first(error: pydantic.ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where[:100]}: {first['msg'][:200]}"


# Checks that hold for a snapshot however it was made


def _check(snapshot: Snapshot) -> None:
    if snapshot.format != FORMAT:
        raise InputError(f'format "{snapshot.format[:40]}": expected "{FORMAT}"')
    for name in ("regions", "directives", "agreements", "allow_lists", "disabled"):
        if len(getattr(snapshot, name)) > MAX_RECORDS:
            raise InputError(f"{name}: more than {MAX_RECORDS:,}; leave out what has ended")
    if not is_salt(snapshot.salt):
        raise InputError(f"salt: not {MIN_SALT_DIGITS} hexadecimal digits or more")
    if sum(region.cells.size for region in snapshot.regions) > MAX_CELLS_IN_ALL:
        raise InputError(f"regions: more than {MAX_CELLS_IN_ALL:,} cells in all; merge regions")
    _refuse_long_texts(snapshot)
    _refuse_repeats("regions", (region.region_id for region in snapshot.regions))
    _refuse_repeats("agreements", (each.agreement_id for each in snapshot.agreements))
    _refuse_repeats("directives", (each.directive_id for each in snapshot.directives))
    for region in snapshot.regions:
        _check_cells(region)
    for directive in snapshot.directives:
        _check_directive(directive, snapshot)
    for agreement in snapshot.agreements:
        for region_id in agreement.region_ids:
            _check_region(f"agreement {agreement.agreement_id}", region_id, snapshot)
    for listing in snapshot.allow_lists:
        _check_region("allow list", listing.region_id, snapshot)
    for directive in snapshot.directives:
        _check_span(directive, snapshot)
    for agreement in snapshot.agreements:
        _check_span(agreement, snapshot)
        _check_floor(agreement)
    ending: tuple[AllowList | Disabled, ...] = (*snapshot.allow_lists, *snapshot.disabled)
    for each in ending:
        _check_span(each, snapshot)


def _refuse_long_texts(snapshot: Snapshot) -> None:
    records: list[Any] = [snapshot, *snapshot.regions, *snapshot.directives, *snapshot.agreements]
    records += [*snapshot.allow_lists, *snapshot.disabled]
    for region in snapshot.regions:
        records += [*region.licences, *region.claims]
    for record in records:
        for field in dataclasses.fields(record):
            value = getattr(record, field.name)
            if isinstance(value, str) and len(value) > MAX_TEXT:
                raise InputError(
                    f"{field.name}: {len(value):,} characters; at most {MAX_TEXT} are kept: shorten"
                )


def _refuse_repeats(what: str, names: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise InputError(f'{what}: "{repeated[0][:40]}" occurs twice; an id is given once')


def _check_cells(region: PolicyRegion) -> None:
    cells = region.cells
    if not cells.size or not (cells[:-1] < cells[1:]).all():
        raise InputError(f"region {region.region_id}: cells are not ascending, each once")
    if not all(_is_cell(cell) for cell in cells.tolist()):
        raise InputError(
            f"region {region.region_id}: not all are H3 cells of resolution {CELL_RESOLUTION}; "
            "make the region with skyweave region"
        )
    cells.flags.writeable = False


def _is_cell(cell: int) -> bool:
    return bool(h3_cells.is_valid_cell(cell)) and h3_cells.get_resolution(cell) == CELL_RESOLUTION


def _check_directive(directive: Directive, snapshot: Snapshot) -> None:
    where = f"directive {directive.directive_id}"
    _check_region(where, directive.region_id, snapshot)
    if directive.kind in MUST_EXPIRE and directive.until_s is None:
        raise InputError(f"{where}: {directive.kind} without an end; every reduction expires")
    for rate_bps in (directive.max_down_bps, directive.max_up_bps):
        if rate_bps is not None and not 0 <= rate_bps <= MAX_BPS:
            raise InputError(f"{where}: a rate out of range; give 0 to {MAX_BPS:,} bit/s")
    lifts_known = directive.agreement_id in snapshot.agreement_by_id
    if directive.kind is Kind.LIFT_GUARANTEE and not lifts_known:
        raise InputError(f"{where}: lifts an agreement that is not in the snapshot; name it")


def _check_region(where: str, region_id: str, snapshot: Snapshot) -> None:
    if region_id not in snapshot.region_by_id:
        raise InputError(f'{where}: region "{region_id[:40]}" is not in the snapshot; add it')


def _check_floor(agreement: Agreement) -> None:
    floor = agreement.floor
    latency_s = 0.0 if floor.latency_s is None else floor.latency_s
    availability = 1.0 if floor.availability is None else floor.availability
    rates_bps = floor.down_bps, floor.up_bps
    in_range = all(0 <= r <= MAX_BPS for r in rates_bps) and 0.0 <= availability <= 1.0
    if not in_range or not 0.0 <= latency_s < math.inf:
        raise InputError(
            f"agreement {agreement.agreement_id}: a floor out of range; rates and latency_s are "
            "0 or more, availability is a share from 0 to 1"
        )


def _check_span(record: Directive | Agreement | AllowList | Disabled, snapshot: Snapshot) -> None:
    until_s = record.from_s + 1 if record.until_s is None else record.until_s
    if not -MAX_TIME_S < record.from_s < MAX_TIME_S or until_s > MAX_TIME_S:
        raise InputError(f"log entry {record.entry}: no time; give whole seconds since 1970 UTC")
    if until_s <= record.from_s:
        raise InputError(f"log entry {record.entry}: ends before it begins; give a later end")
    if not 0 <= record.entry < snapshot.log_size:
        raise InputError(
            f"log entry {record.entry}: the log has {snapshot.log_size} entries; "
            "nothing is in effect that is not in the log"
        )


# Reading

_STRICT = pydantic.ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
_RECORDS = (Licence, Claim, PolicyRegion, Directive, Floor, Agreement, Disabled, Snapshot)


@functools.cache  # built on first use: most programs read no snapshot
def _reader() -> pydantic.TypeAdapter[Snapshot]:
    for record in (*_RECORDS, AllowList, Listed):
        # Set here and not in the classes, so that they stay plain and their fields theirs.
        setattr(record, "__pydantic_config__", _STRICT)  # noqa: B010
    return pydantic.TypeAdapter(Snapshot)
