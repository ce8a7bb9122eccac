"""Drafts: what a person writes in TOML before it becomes a document that can be signed.

A draft has human words and dates.  What the log knows (digests, versions, the agreements touched)
is filled in from the log, so that nobody copies digests by hand.
"""

import difflib
import tomllib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar

import pydantic
from pydantic_core import ErrorDetails

from skyweave.control.domain.documents import (
    DAY_S,
    MAX_TIME_S,
    Count,
    DirectiveKind,
    FloorRecord,
    MaybeText,
    RateBps,
    Slug,
    Text,
)
from skyweave.control.log.durable import read_limited
from skyweave.errors import InputError
from skyweave.time import parse_utc

MAX_DRAFT_BYTES = 256 * 1024
MAX_NAMES = 1_000


def _seconds(value: object) -> object:
    """Return whole seconds since 1970 UTC of a time as TOML or an option has it."""
    if not isinstance(value, str | datetime):
        return value
    try:
        return int(parse_utc(value).astype("datetime64[s]").astype(int))
    except InputError as error:
        raise ValueError(str(error)) from None  # pydantic adds which key it is


Utc = Annotated[int, pydantic.Field(ge=0, le=MAX_TIME_S), pydantic.BeforeValidator(_seconds)]
Days = Annotated[float, pydantic.Field(gt=0.0, le=36_600.0)]
Names = Annotated[tuple[Slug, ...], pydantic.Field(max_length=MAX_NAMES)]
Ids = Annotated[
    tuple[Annotated[str, pydantic.Field(min_length=1, max_length=200)], ...],
    pydantic.Field(max_length=MAX_NAMES),
]


class _Draft(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class LicenceDraft(_Draft):
    """A licence that an activation brings, or that an amendment sets."""

    administration: Annotated[str, pydantic.Field(pattern=r"^[A-Z]{2,3}$")]
    instrument: Text
    status: Annotated[str, pydantic.Field(pattern="^(valid|pending|suspended|void)$")] = "valid"
    from_s: Utc = pydantic.Field(alias="from")
    until_s: Utc | None = pydantic.Field(default=None, alias="until")
    allows_lifeline_beyond: bool = False


class DirectiveDraft(_Draft):
    """A directive as a person writes it; what is left out follows from the log and the key."""

    id: Slug
    kind: DirectiveKind
    reason: Text
    route: str = ""  # the charter's only route for the kind
    region: str = ""
    administration: str = ""
    owner: str = ""  # the proposer's organisation
    legal_basis: MaybeText = ""
    instrument: MaybeText = ""
    forbids_lifeline: bool = False
    publication: MaybeText = ""
    appeal: MaybeText = ""
    emergency: MaybeText = ""
    requests: Names = ()
    from_s: Utc | None = pydantic.Field(default=None, alias="from")  # as soon as it may
    until_s: Utc | None = pydantic.Field(default=None, alias="until")
    days: Days | None = None  # instead of `until`, counted from `from`
    approvals_until_s: Utc | None = pydantic.Field(default=None, alias="approvals_until")
    max_down_bps: RateBps | None = None
    max_up_bps: RateBps | None = None
    allow_list: str = ""  # file
    agreement: str = ""
    exception: MaybeText = ""
    licence: LicenceDraft | None = None
    supersedes: str = ""
    document: str = ""  # of an amendment: the file with the new document

    @pydantic.model_validator(mode="after")
    def _one_end(self) -> "DirectiveDraft":
        if self.until_s is not None and self.days is not None:
            raise ValueError("until and days say the same twice; give one of them")
        return self


class AgreementDraft(_Draft):
    """An agreement as its parties write it; terminals and accounts are hashed before they sign."""

    id: Slug
    title: Text
    parties: Names
    people: Count
    organisations: Count
    regions: Names
    from_s: Utc = pydantic.Field(alias="from")
    until_s: Utc = pydantic.Field(alias="until")
    notice_days: Annotated[float, pydantic.Field(ge=0.0, le=36_600.0)]
    version: Count = 1
    floor: FloorRecord = FloorRecord()
    terminals: Ids = ()
    accounts: Ids = ()
    exceptions: Annotated[tuple[Text, ...], pydantic.Field(max_length=100)] = ()
    remedy: MaybeText = ""


AnyDraft = TypeVar("AnyDraft", bound=_Draft)


def read_draft(path: Path, model: type[AnyDraft], given: Mapping[str, Any]) -> AnyDraft:
    """Return the draft in a TOML file, with what was `given` on the command line in its place."""
    return make_draft(read_toml(path) | dict(given), model, str(path))


def make_draft(content: Mapping[str, Any], model: type[AnyDraft], source: str) -> AnyDraft:
    """Return a draft of plain values; a fault is one line that says what to write."""
    try:
        return model.model_validate(content)
    except pydantic.ValidationError as error:
        # A key that is missing is often one that is misspelt, so that comes first.
        faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
        raise InputError(f"{source}: {_advice(faults[0], model)}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Return the tables of a TOML file."""
    content = read_limited(path, MAX_DRAFT_BYTES, "a draft (TOML)")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save the draft as UTF-8") from None
    except ValueError as error:
        raise InputError(f"{path}: not valid TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{path}: nested too deeply for a draft") from None


def days_s(days: float) -> int:
    """Return days as whole seconds."""
    return round(days * DAY_S)


def _advice(error: ErrorDetails, model: type[pydantic.BaseModel]) -> str:
    """Say in one line where a value is, what was found and what is expected."""
    where = ".".join(map(str, error["loc"]))
    match error["type"]:
        case "extra_forbidden":
            known = _keys(model, error["loc"][:-1])
            near = difflib.get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
            hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
            return f'unknown key "{where[:60]}"; {hint}'
        case "missing":
            return f'"{where}" is missing; add it'
        case "value_error":
            message = error["msg"].removeprefix("Value error, ")
            return f"{where}: {message}" if where else message
        case "enum":
            return f"{where} = {_shown(error['input'])}: expected {error['ctx']['expected']}"
        case _:
            message = error["msg"][:1].lower() + error["msg"][1:]
            return f"{where} = {_shown(error['input'])}: {message[:200]}"


def _keys(model: type[pydantic.BaseModel], parents: tuple[int | str, ...]) -> list[str]:
    parts: dict[str, type[pydantic.BaseModel]] = {"licence": LicenceDraft, "floor": FloorRecord}
    inner = parts.get(str(parents[0]), model) if parents else model
    return [field.alias or name for name, field in inner.model_fields.items()]


def _shown(value: object) -> str:
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else f"a list of {len(value)}"
    text = repr(value) if not isinstance(value, str) else f'"{value}"'
    return text if len(text) <= 60 else f"{text[:57]}..."
