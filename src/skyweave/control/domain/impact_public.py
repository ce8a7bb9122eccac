"""The public form of an impact report: what signers see and sign, with no small count in it.

Counts of terminals under 20 are "fewer than 20", the others are rounded down to multiples of 20.
Rounding alone is not enough: a total and its parts can together say what a hidden part is.  So a
total is rounded down further, or a breakdown left out, where a hidden part would be narrowed to
less than "0 to 19".  The exact report is bound to the public form by an HMAC under a nonce that
goes only to those who may see the table; without it nobody can try out small counts.

People and cells are exact: they follow from the log and from GeoNames alone.  A protected region's
report has neither them nor sponsors, for each of these would tell where it lies.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Annotated, ClassVar, Literal

import pydantic

from skyweave.control.domain.documents import (
    Digest,
    DirectiveKind,
    Document,
    KeyId,
    Part,
    Slug,
    Time,
)
from skyweave.control.domain.impact import AgreementImpact, ImpactReport, Outcome
from skyweave.control.domain.impact_table import SERVICE_CLASSES
from skyweave.errors import InputError
from skyweave.policy.reasons import REASONS

FORMAT = "skyweave.impact.v1"
MAX_PUBLISHED_BYTES = 2**20
STEP = 20  # counts of terminals below this are not told, the others to multiples of it
MIN_NONCE_BYTES = 16
MAX_SPONSORS = 10  # named for each outcome, the largest
FEW: Literal["fewer than 20"] = "fewer than 20"
WITHHELD: Literal["withheld"] = "withheld"  # it would tell a count of fewer

Count = Annotated[int, pydantic.Field(ge=0)]
Figure = Count | Literal["fewer than 20", "withheld"]
Parts = dict[str, Count]  # of the groups that are told, by name


class PublicAgreement(Part):
    """What a directive means for an agreement."""

    agreement_id: str
    blocks: bool
    protects: Figure
    breaks: Figure
    from_s: Time
    until_s: Time


class PublicBorder(Part):
    """What a reduction does to those beside its border."""

    cells_beyond: Count
    people_beyond: Count
    losing_beyond: Figure
    cells_spill: Count
    people_spill: Count


class PublicImpact(Document):
    """A report as it is published, or with `step` 1 as those read it who may see all of it."""

    kind: ClassVar[str] = "impact"

    format: str = FORMAT
    step: Annotated[int, pydantic.Field(ge=1)] = STEP
    directive: Digest
    does: DirectiveKind
    region_id: str
    is_protected: bool
    at_s: Time
    until_s: Time | None
    log_size: Count
    log_root: str
    terminals: dict[str, Figure]  # by outcome
    by_service_class: dict[str, Parts | None]  # by outcome; None where it would tell
    by_sponsor: dict[str, Parts | None] | None
    by_reason: Parts | None  # of those that lose service
    unguaranteed: Figure
    accounts_cut_off: Figure
    moving: Figure
    unplaced: Figure
    cells: Parts | None  # by what becomes of an ordinary terminal there
    people: Parts | None
    border: PublicBorder | None
    agreements: tuple[PublicAgreement, ...]
    request_ids: tuple[Slug, ...]
    exact: KeyId | None  # HMAC-SHA256 of the exact report under the nonce, hexadecimal


def published(report: ImpactReport, nonce: bytes) -> bytes:
    """Return the public form: the object that a proposal names and its signers sign."""
    if len(nonce) < MIN_NONCE_BYTES:
        raise InputError(
            f"nonce of {len(nonce)} bytes; small counts could be tried out: give "
            f"{MIN_NONCE_BYTES} random bytes or more"
        )
    return _form(report, STEP, hmac.digest(nonce, report.encode(), hashlib.sha256).hex()).encode()


def exact_form(report: ImpactReport) -> PublicImpact:
    """Return all of a report in the public form's shape, for those who may see the table."""
    return _form(report, 1, None)


def parse_published(content: bytes, source: str = "impact report") -> PublicImpact:
    """Return the public form of its bytes; anything that is not exactly that is refused."""
    if len(content) > MAX_PUBLISHED_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes; a published report has at most "
            f"{MAX_PUBLISHED_BYTES:,}: ask the proposer for it again"
        )
    try:
        form = PublicImpact.model_validate_json(content)
        is_ours = form.encode() == content
    except (pydantic.ValidationError, UnicodeEncodeError):
        is_ours = False
    if not is_ours or (form.format, form.step) != (FORMAT, STEP):
        raise InputError(
            f"{source}: not a published impact report of this version; make it again with "
            "skyweave directive propose"
        )
    return form


def check_published(content: bytes, report: ImpactReport, nonce: bytes) -> None:
    """Refuse a public form that is not that of an exact report, which its signer computed."""
    if content != published(report, nonce):
        raise InputError(
            "impact report: not what the directive, the log and this table of terminals give; "
            "do not sign it: ask the proposer which table was used"
        )


# Counts that tell nothing small


@dataclass(frozen=True)
class _Table:
    """Parts of a total: those that are told, rounded down, and how many others there can be."""

    told: Parts
    hidden: int
    are_few: bool  # the hidden parts together are fewer than a step
    step: int
    is_wider: bool = False  # the parts may count more than what is in the total

    @classmethod
    def of(
        cls, parts: Mapping[str, int], known: int, step: int, is_wider: bool = False
    ) -> "_Table":
        """Return the table of exact parts; `known` is how many groups everybody knows of."""
        told = {name: _down(n, step) for name, n in parts.items() if n >= step}
        untold = sum(n for n in parts.values() if n < step)
        return cls(told, max(known - len(told), 0), untold < step, step, is_wider)

    @property
    def low(self) -> int:
        """What the total is at least."""
        return sum(self.told.values())

    @property
    def high(self) -> int:
        """What the parts that are told are at most."""
        return self.low + len(self.told) * (self.step - 1)

    @property
    def slack(self) -> int:
        """What the others may be told to be at least, together: what all but one can make up.

        Nothing, where they are few together.
        """
        return 0 if self.are_few else (self.hidden - 1) * (self.step - 1)


def _down(count: int, step: int) -> int:
    return count - count % step


def _told_total(total: int, tables: Sequence[_Table], step: int) -> int:
    """Return a total rounded down as far as no hidden part is shown to be more than none."""
    if total < step:
        return 0
    limits = [table.high + table.slack for table in tables if table.hidden]
    return max(_down(min([total, *limits]), step), step)


def _tells(total: int, tables: Sequence[_Table], step: int) -> bool:
    """Return whether a told total and tables narrow a hidden part below 0 to step - 1."""
    most = step - 1
    low = max([total, *(table.low for table in tables if not table.is_wider)])
    high = min([total + most, *(table.high + table.hidden * most for table in tables)])
    return any(
        low - table.high > table.slack or (high - table.low < most and not table.is_wider)
        for table in tables
        if table.hidden
    )


def _told(total: int, tables: Sequence[_Table], step: int) -> tuple[int, list[bool]]:
    """Return the total as it is told, and which tables may be told beside it, the first first."""
    kept: list[_Table] = []
    is_kept = []
    for table in tables:
        trial = [*kept, table]
        is_kept.append(not _tells(_told_total(total, trial, step), trial, step))
        kept += [table] if is_kept[-1] else []
    return _told_total(total, kept, step), is_kept


def _figure(count: int, step: int) -> Figure:
    return FEW if count < step and step > 1 else _down(count, step)


# The form


def _form(report: ImpactReport, step: int, exact: str | None) -> PublicImpact:
    columns = {outcome: _Column(report, outcome, step) for outcome in Outcome}
    is_open = step == 1 or not report.is_protected
    return PublicImpact(
        step=step,
        directive=report.directive,
        does=report.does,
        region_id=report.region_id,
        is_protected=report.is_protected,
        at_s=report.at_s,
        until_s=report.until_s,
        log_size=report.log_size,
        log_root=report.log_root,
        terminals={outcome.word: column.total for outcome, column in columns.items()},
        by_service_class={o.word: column.parts("class") for o, column in columns.items()},
        by_sponsor=(
            {outcome.word: column.sponsors() for outcome, column in columns.items()}
            if is_open
            else None
        ),
        by_reason=columns[Outcome.LOSES].parts("reason"),
        unguaranteed=_figure(report.unguaranteed, step),
        accounts_cut_off=_figure(report.accounts_cut_off, step),
        moving=_figure(report.moving, step),
        unplaced=_figure(report.unplaced, step),
        cells=_by_outcome(report.cells) if is_open else None,
        people=_by_outcome(report.people) if is_open else None,
        border=_border(report, columns[Outcome.LOSES], step) if is_open else None,
        agreements=tuple(_agreement(each, columns, step) for each in report.agreements),
        request_ids=report.request_ids,
        exact=exact,
    )


class _Column:
    """An outcome's total and the breakdowns of it, as far as they can be told together."""

    def __init__(self, report: ImpactReport, outcome: Outcome, step: int) -> None:
        self.step = step
        tables = _tables(report, outcome, step)
        total, is_kept = _told(report.terminals[outcome], [*tables.values()], step)
        self.total = _figure(total, step)
        self._kept = {
            name: table for (name, table), kept in zip(tables.items(), is_kept, strict=True) if kept
        }

    def parts(self, name: str) -> Parts | None:
        """Return a breakdown's parts, None where they would tell."""
        return self._kept[name].told if name in self._kept else None

    def sponsors(self) -> Parts | None:
        """Return the largest sponsors, None where the breakdown would tell."""
        parts = self.parts("sponsor")
        if parts is None or self.step == 1:
            return parts
        largest = sorted(parts.items(), key=lambda item: (-item[1], item[0]))
        return dict(largest[:MAX_SPONSORS])

    def part(self, name: str, count: int) -> Figure:
        """Return one part of a breakdown."""
        return _figure(count, self.step) if name in self._kept else WITHHELD


def _tables(report: ImpactReport, outcome: Outcome, step: int) -> dict[str, _Table]:
    """Return the breakdowns of an outcome, those first that are needed most."""
    classes, sponsors = report.by_service_class, report.by_sponsor
    tables = {"class": _Table.of(classes.of(outcome), len(SERVICE_CLASSES), step)}
    total = report.terminals[outcome]
    if outcome is Outcome.GUARANTEED:  # agreements also keep some on whose rate changes
        protects = {each.agreement_id: each.protects for each in report.agreements}
        tables["agreement"] = _Table.of(protects, len(protects), step, is_wider=True)
    if outcome is Outcome.LOSES:
        breaks = {each.agreement_id: each.breaks for each in report.agreements}
        tables["agreement"] = _table_with_rest(breaks, total, step)
    tables["sponsor"] = _Table.of(sponsors.of(outcome), len(sponsors.name), step)
    if outcome is Outcome.LOSES:
        tables["reason"] = _Table.of(report.by_reason.of(outcome), len(REASONS), step)
        if report.border is not None:
            beyond = {"beyond": report.border.losing_beyond}
            tables["border"] = _table_with_rest(beyond, total, step)
    return tables


def _table_with_rest(parts: Mapping[str, int], total: int, step: int) -> _Table:
    """Return the table of parts and of what is in none of them."""
    rest = total - sum(parts.values())
    return _Table.of({**parts, "": rest}, len(parts) + 1, step)


def _by_outcome(counts: Sequence[int]) -> Parts:
    return {outcome.word: n for outcome, n in zip(Outcome, counts, strict=True) if n}


def _border(report: ImpactReport, losing: _Column, step: int) -> PublicBorder | None:
    if report.border is None:
        return None
    told = losing.part("border", report.border.losing_beyond)
    return PublicBorder(**{**asdict(report.border), "losing_beyond": told})


def _agreement(
    found: AgreementImpact, columns: Mapping[Outcome, _Column], step: int
) -> PublicAgreement:
    return PublicAgreement(
        agreement_id=found.agreement_id,
        blocks=found.blocks,
        protects=columns[Outcome.GUARANTEED].part("agreement", found.protects),
        breaks=columns[Outcome.LOSES].part("agreement", found.breaks),
        from_s=found.from_s,
        until_s=found.until_s,
    )
