"""The documents that people sign: what each says, its one spelling in bytes, and its digest.

Every document is canonical JSON (sorted keys, no spaces, UTF-8), so that equal documents are equal
bytes.  Times are whole seconds since 1970 UTC and spans are [from, until).  Large or withheld parts
(cells, texts, reports) stand in objects of their own and are named here by digest.
"""

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import pydantic

from skyweave.errors import InputError

MAX_DOCUMENT_BYTES = 48 * 1024  # a log entry holds 65,535 bytes, a third more in base64
MAX_TEXT = 500  # characters, as a policy snapshot keeps them
MAX_TIME_S = 2**40
DAY_S = 86_400

Slug = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Digest = Annotated[str, pydantic.Field(pattern=r"^sha256:[0-9a-f]{64}$")]
KeyId = Annotated[str, pydantic.Field(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, pydantic.Field(min_length=1, max_length=MAX_TEXT)]
MaybeText = Annotated[str, pydantic.Field(max_length=MAX_TEXT)]
Time = Annotated[int, pydantic.Field(ge=0, le=MAX_TIME_S)]
Duration = Annotated[int, pydantic.Field(ge=0, le=100 * 366 * DAY_S)]
Count = Annotated[int, pydantic.Field(ge=1, le=1_000)]
Asker = Literal["state", "regulator", "sponsor", "party", "private", "unknown"]
RateBps = Annotated[int, pydantic.Field(ge=0, le=10**15)]


class Part(pydantic.BaseModel):
    """A part of a document: frozen, and nothing in it that is not described."""

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False
    )


class Document(Part):
    """A document that is signed by itself; `kind` names it in its envelope."""

    kind: ClassVar[str]

    @classmethod
    def payload_type(cls) -> str:
        """Return the type under which its envelope is signed."""
        return f"application/vnd.skyweave.{cls.kind}.v1+json"

    def encode(self) -> bytes:
        """Return the canonical JSON."""
        return canonical(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical JSON."""
        return digest_of(self.encode())


class DirectiveKind(StrEnum):
    """What a directive does; the first eight change what cells may do."""

    ACTIVATE = "activate"
    RESUME = "resume"
    EMERGENCY_ACTIVATE = "emergency_activate"
    SUSPEND = "suspend"
    EMERGENCY_SUSPEND = "emergency_suspend"
    RESTRICT = "restrict"
    EXCLUDE = "exclude"
    LIFT_GUARANTEE = "lift_guarantee"
    DECIDED_NOT_TO = "decided_not_to"
    AMEND_CHARTER = "amend_charter"
    AMEND_REGION = "amend_region"
    AMEND_LICENCE = "amend_licence"
    AMEND_AGREEMENT = "amend_agreement"

    @property
    def is_reduction(self) -> bool:
        """Whether it takes service, or a guarantee of it, from somebody."""
        return self in _REDUCTIONS

    @property
    def changes_service(self) -> bool:
        """Whether its impact is computed before anybody votes on it."""
        return self not in _WITHOUT_IMPACT


_REDUCTIONS = frozenset(
    {
        DirectiveKind.SUSPEND, DirectiveKind.EMERGENCY_SUSPEND, DirectiveKind.RESTRICT,
        DirectiveKind.EXCLUDE, DirectiveKind.LIFT_GUARANTEE,
    }
)  # fmt: skip
_WITHOUT_IMPACT = frozenset(
    {
        DirectiveKind.DECIDED_NOT_TO, DirectiveKind.AMEND_CHARTER, DirectiveKind.AMEND_REGION,
        DirectiveKind.AMEND_AGREEMENT,
    }
)  # fmt: skip


# Who there is


class Organisation(Part):
    """A party to the charter."""

    organisation: Slug
    name: Text


class KeyRecord(Part):
    """A key and whose it is: a person in an office of an organisation, with a mandate."""

    public: str  # base64 of the 32 bytes
    person: Slug
    organisation: Slug
    office: Text
    mandate: Text  # by what the person may sign for the organisation
    not_before_s: Time
    not_after_s: Time


class RoleRecord(Part):
    """A named set of keys."""

    role: Annotated[str, pydantic.Field(pattern=r"^[a-z][a-z0-9_]{0,31}(:[A-Z]{2,3})?$")]
    key_ids: Annotated[tuple[KeyId, ...], pydantic.Field(min_length=1, max_length=1_000)]


class Need(Part):
    """So many people of a role, from so many organisations.

    The role "authority" stands for that of the administration a directive names:
    "authority:CH".
    """

    role: str
    people: Count
    organisations: Count = 1


class Route(Part):
    """One way in which directives of a kind are decided: every need must be met."""

    route: Slug
    kind: DirectiveKind
    needs: Annotated[tuple[Need, ...], pydantic.Field(min_length=1, max_length=8)]
    authority_needs: tuple[Need, ...] = ()  # only where the region needs a licence
    notice_s: Duration = 0  # from the approval to the effect
    max_duration_s: Duration | None = None
    cooldown_s: Duration = 0  # before the same cell may be struck again by this kind
    needs_instrument: bool = False  # a named legal instrument
    needs_publication: bool = False  # where the public finds it
    needs_appeal: bool = False  # where those affected may object
    needs_emergency: bool = False  # a declared emergency, by name


class Charter(Document):
    """Who may decide what, how many of them it takes, and which log and witnesses say so."""

    kind: ClassVar[str] = "charter"

    format: Literal["skyweave.charter.v1"] = "skyweave.charter.v1"
    version: Annotated[int, pydantic.Field(ge=1, le=10**6)]
    name: Text
    template: Slug
    created_s: Time
    expires_s: Time
    trust: Annotated[str, pydantic.Field(max_length=16_384)]  # log, witnesses, quorum (tlog-policy)
    salt_digest: Digest  # of the salt under which terminals and accounts are hashed
    organisations: Annotated[tuple[Organisation, ...], pydantic.Field(min_length=1, max_length=200)]
    keys: Annotated[tuple[KeyRecord, ...], pydantic.Field(min_length=1, max_length=1_000)]
    roles: Annotated[tuple[RoleRecord, ...], pydantic.Field(min_length=1, max_length=200)]
    routes: Annotated[tuple[Route, ...], pydantic.Field(min_length=1, max_length=100)]
    root: Need  # who signs this version and, with its own, the next one
    agreement_needs: tuple[Need, ...] = ()  # beside the parties' own signatures


# What there is


class LicenceRecord(Part):
    """A licence as its public instrument has it."""

    administration: Annotated[str, pydantic.Field(pattern=r"^[A-Z]{2,3}$")]
    instrument: Text
    status: str  # valid, pending, suspended or void
    from_s: Time
    until_s: Time | None = None
    allows_lifeline_beyond: bool = False


class ClaimRecord(Part):
    """That an administration claims a region; none is chosen."""

    administration: Annotated[str, pydantic.Field(pattern=r"^[A-Z]{2,3}$")]
    basis: Text


class RegionRecord(Document):
    """A version of a region; its cells and border stand in the object `geometry`."""

    kind: ClassVar[str] = "region"

    format: Literal["skyweave.region.v1"] = "skyweave.region.v1"
    region_id: Slug
    version: Annotated[int, pydantic.Field(ge=1, le=10**6)]
    title: Text
    digest_of_region: Digest  # `policy.Region.digest`: rule, border, library and cells
    geometry: Digest  # of the object that `Geometry.encode` makes
    cells: Annotated[int, pydantic.Field(ge=1, le=1_000_000)]  # how many
    needs_licence: bool
    claims: tuple[ClaimRecord, ...] = ()
    publish_by_s: Time | None = None  # a protected region's geometry stays away until then


class FloorRecord(Part):
    """What an agreement guarantees at least."""

    down_bps: RateBps = 0
    up_bps: RateBps = 0
    latency_s: float | None = None
    availability: float | None = None
    service_class: str = "standard"


class AgreementRecord(Document):
    """A guarantee that its parties signed; immutable, amended only by its own quorum."""

    kind: ClassVar[str] = "agreement"

    format: Literal["skyweave.agreement.v1"] = "skyweave.agreement.v1"
    agreement_id: Slug
    version: Annotated[int, pydantic.Field(ge=1, le=10**6)] = 1
    title: Text
    parties: Annotated[tuple[Slug, ...], pydantic.Field(min_length=2, max_length=50)]
    people: Count  # of the parties: the quorum that may lift or amend it
    organisations: Count
    region_ids: Annotated[tuple[Slug, ...], pydantic.Field(min_length=1, max_length=100)]
    floor: FloorRecord = FloorRecord()
    terminal_hashes: tuple[KeyId, ...] = ()  # none named, here and below: for everyone there
    account_hashes: tuple[KeyId, ...] = ()
    exceptions: tuple[Text, ...] = ()  # what the parties let take precedence, by name
    from_s: Time
    until_s: Time
    notice_s: Duration
    remedy: MaybeText = ""


# What happens


class Request(Document):
    """An ask from outside.  It is recorded and has no effect by itself."""

    kind: ClassVar[str] = "request"

    format: Literal["skyweave.request.v1"] = "skyweave.request.v1"
    request_id: Slug
    received_s: Time
    asked_by: Text  # an office or organisation, not a private person's name
    asked_by_kind: Asker
    channel: Text
    pressure: MaybeText = ""  # what was threatened or offered, "" where nothing was
    summary: MaybeText  # may be empty while sealed
    text: Digest  # of the object that holds the text
    publish_by_s: Time | None = None  # sealed until then


class Directive(Document):
    """What is proposed; it names the exact version of everything that it touches."""

    kind: ClassVar[str] = "directive"

    format: Literal["skyweave.directive.v1"] = "skyweave.directive.v1"
    directive_id: Slug
    does: DirectiveKind
    route: Slug
    charter: Digest
    region_id: str = ""  # "" for what touches no region
    region: Digest | None = None  # digest of the RegionRecord
    administration: str = ""  # on whose licence or order it relies
    agreements: tuple[Slug, ...] = ()  # in force in the region: all that it touches
    owner: Slug  # the organisation that answers for it, and may end a reduction early
    reason: Text
    legal_basis: MaybeText = ""
    instrument: MaybeText = ""
    forbids_lifeline: bool = False  # the instrument of an exclusion does; else it is left on
    publication: MaybeText = ""
    appeal: MaybeText = ""
    emergency: MaybeText = ""
    request_ids: tuple[Slug, ...] = ()
    from_s: Time
    until_s: Time | None = None
    approvals_until_s: Time  # what is not approved by then lapses
    max_down_bps: RateBps | None = None  # of a restriction
    max_up_bps: RateBps | None = None
    allow_list: Digest | None = None  # of a restriction to listed terminals
    agreement_id: str = ""  # which guarantee is lifted or amended
    exception: MaybeText = ""  # of an agreement, that it invokes
    licence: LicenceRecord | None = None  # that an activation brings, or an amendment sets
    supersedes: str = ""  # a directive that this one takes the place of
    replaces_by: Digest | None = None  # an amendment: the object with the new document


class Proposal(Document):
    """A directive with the report of its impact: what is voted on."""

    kind: ClassVar[str] = "proposal"

    format: Literal["skyweave.proposal.v1"] = "skyweave.proposal.v1"
    directive: Directive
    impact: Digest | None = None  # of the published report; None where no cell changes

    @property
    def question(self) -> str:
        """The digest that votes name: of the directive and the impact report together."""
        return digest_of(canonical([self.directive.digest, self.impact]))


class Approval(Document):
    """One key's vote."""

    kind: ClassVar[str] = "approval"

    format: Literal["skyweave.approval.v1"] = "skyweave.approval.v1"
    directive_id: Slug
    question: Digest  # `Proposal.question`
    charter_version: int
    decision: str  # approve or reject
    signed_s: Time
    expires_s: Time


class Withdrawal(Document):
    """The proposer takes a proposal back, before it is approved."""

    kind: ClassVar[str] = "withdrawal"

    format: Literal["skyweave.withdrawal.v1"] = "skyweave.withdrawal.v1"
    directive_id: Slug
    reason: Text


class Lift(Document):
    """The owner of a reduction ends it early."""

    kind: ClassVar[str] = "lift"

    format: Literal["skyweave.lift.v1"] = "skyweave.lift.v1"
    directive_id: Slug
    reason: Text


class Failure(Document):
    """The operator could not, or would not, carry a directive out: said in public."""

    kind: ClassVar[str] = "failure"

    format: Literal["skyweave.failure.v1"] = "skyweave.failure.v1"
    directive_id: Slug
    reason: Text


class Revocation(Document):
    """A key that counts no more from this entry on."""

    kind: ClassVar[str] = "revocation"

    format: Literal["skyweave.revocation.v1"] = "skyweave.revocation.v1"
    key_id: KeyId
    reason: Text


class Listing(Document):
    """A new state of an allow list: kits added at once, or removed with notice."""

    kind: ClassVar[str] = "listing"

    format: Literal["skyweave.listing.v1"] = "skyweave.listing.v1"
    directive_id: Slug
    before: Digest
    after: Digest


DOCUMENTS: dict[str, type[Document]] = {
    each.payload_type(): each
    for each in (
        Charter, RegionRecord, AgreementRecord, Request, Proposal, Approval, Withdrawal, Lift,
        Failure, Revocation, Listing,
    )
}  # fmt: skip

AnyDocument = TypeVar("AnyDocument", bound=Document)


def canonical(content: Any) -> bytes:
    """Return the one spelling of plain values as JSON."""
    text = json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return text.encode()


def digest_of(content: bytes) -> str:
    """Return SHA-256 as documents write it."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def parse_document(content: bytes, model: type[AnyDocument], source: str) -> AnyDocument:
    """Return a document of its canonical bytes; every other spelling is refused."""
    if len(content) > MAX_DOCUMENT_BYTES:
        raise InputError(
            f"{source}: {len(content):,} bytes; a {model.kind} has at most "
            f"{MAX_DOCUMENT_BYTES:,}: put long texts into the object it names"
        )
    try:
        document = model.model_validate_json(content)
        spelling = document.encode()
    except (pydantic.ValidationError, UnicodeEncodeError) as error:
        raise InputError(f"{source}: {_first(error)}; make the {model.kind} again") from None
    if spelling != content:
        raise InputError(
            f"{source}: not in canonical form, so its digest would differ; make the {model.kind} "
            "again with skyweave"
        )
    return document


def _first(error: Exception) -> str:
    if not isinstance(error, pydantic.ValidationError):
        return "not UTF-8"
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return f"{where[:100]}: {first['msg'][:200]}"
