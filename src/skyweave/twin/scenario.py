"""Scenarios: the TOML file that says what to compute, checked before anything starts.

Every key has a unit in its name and a range in its model; an unknown key is an error that suggests
the near one, and every refusal names the file, the key, what was found and what is expected.
"""

import difflib
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from skyweave.errors import InputError
from skyweave.places import is_slug, make_slug
from skyweave.time import parse_utc

MAX_SCENARIO_BYTES = 4 * 2**20

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=360, allow_inf_nan=False)]
Height = Annotated[float, Field(ge=-1000, le=100_000, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
FileName = Annotated[str, Field(min_length=1, max_length=4096)]
ServiceClass = Literal["standard", "priority", "lifeline"]
UsableClass = Literal["on_station", "raising", "lowering", "other"]


class Section(BaseModel):
    """A table of the scenario: frozen, and closed to unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Time(Section):
    """When: the span and the length of a slot."""

    start_utc: datetime
    duration_s: Positive
    slot_s: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 15.0

    @field_validator("start_utc", mode="before")
    @classmethod
    def _is_a_utc_moment(cls, value: object) -> object:
        if not isinstance(value, str | datetime):
            raise ValueError(f"found {_short(value)}, expected a time: 2026-06-14T12:00:12Z")
        try:
            parse_utc(value)
        except InputError as refusal:
            raise ValueError(str(refusal)) from None
        return value


class CatalogueSection(Section):
    """Which satellites: a built-in name, a file or a folder of element sets."""

    source: FileName = "builtin:2026-06-14"
    select: tuple[str, ...] = ()  # name prefixes; empty takes every object
    use: tuple[UsableClass, ...] = ("on_station",)  # classes that may serve terminals
    max_age_days: Positive = 14.0


class Shell(Section):
    """A synthetic shell: a filed preset, or a pattern with its numbers."""

    preset: str | None = None
    pattern: Literal["walker-delta", "walker-star", "hypatia"] = "walker-delta"
    altitude_km: Annotated[float, Field(ge=160, le=36_000, allow_inf_nan=False)] | None = None
    mean_motion_rev_day: Annotated[float, Field(gt=0.5, lt=17, allow_inf_nan=False)] | None = None
    inclination_deg: Annotated[float, Field(ge=0, le=180, allow_inf_nan=False)] | None = None
    planes: Annotated[int, Field(ge=1, le=1000)] | None = None
    per_plane: Annotated[int, Field(ge=1, le=1000)] | None = None
    phasing: Annotated[int, Field(ge=0, le=999)] = 0

    @model_validator(mode="after")
    def _is_complete(self) -> "Shell":
        if self.preset is not None:
            beside = sorted(self.model_fields_set - {"preset"})
            if beside:
                raise ValueError(f"a preset knows its own numbers; remove {', '.join(beside)}")
            return self
        height = "mean_motion_rev_day" if self.pattern == "hypatia" else "altitude_km"
        needed = (height, "inclination_deg", "planes", "per_plane")
        missing = [key for key in needed if getattr(self, key) is None]
        if missing:
            raise ValueError(f"a {self.pattern} shell needs {', '.join(missing)} (or a preset)")
        return self


class Earth(Section):
    """How the Earth turns: IERS values, or UT1 = UTC without polar motion."""

    orientation: Literal["iers", "none"] = "iers"


class Visibility(Section):
    """Who sees whom, for terminals and gateways."""

    mode: Literal["elevation", "range"] = "elevation"
    min_elevation_deg: Annotated[float, Field(ge=0, lt=90)] = 25.0
    max_range_m: Positive | None = None
    gso_separation_deg: Annotated[float, Field(ge=0, le=90)] = 0.0

    @model_validator(mode="after")
    def _has_its_range(self) -> "Visibility":
        if self.mode == "range" and self.max_range_m is None:
            raise ValueError('mode = "range" needs max_range_m')
        return self


class Isl(Section):
    """Laser links between satellites; the default is `fleet` for real ones, else `plus-grid`."""

    plan: Literal["none", "plus-grid", "ring", "nearest-n", "fleet"] | None = None
    nearest: Annotated[int, Field(ge=1, le=8)] = 4  # links per satellite of the plan `nearest-n`


class GatewaySection(Section):
    """Where satellites reach the ground network."""

    source: FileName = "builtin:2026-03-20"
    antennas: Annotated[int, Field(ge=1, le=64)] = 8


class Assignment(Section):
    """Which satellite serves a terminal: a built-in rule, or `FILE.py:FUNCTION` of your own."""

    rule: FileName = "shortest-path"


class Delay(Section):
    """What is added to propagation."""

    processing_s: Annotated[float, Field(ge=0, le=1)] = 0.010
    fibre_detour: Annotated[float, Field(ge=1, le=5)] = 1.5
    include_fibre: bool = True


class Results(Section):
    """Which rows of the access table are written."""

    access: Literal["all", "changes", "none"] = "all"


class Site(Section):
    """A named place that `path` can start or end at."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    lat_deg: Latitude
    lon_deg: Longitude
    height_wgs84_m: Height = 0.0
    aliases: tuple[str, ...] = ()


class Terminal(Section):
    """One terminal, fixed (latitude and longitude) or moving (a track file)."""

    id: Annotated[str, Field(min_length=1, max_length=100)]
    name: str = ""
    lat_deg: Latitude | None = None
    lon_deg: Longitude | None = None
    height_wgs84_m: Height = 0.0
    class_: str = Field(default="standard", alias="class")
    service_class: ServiceClass = "standard"
    account: str = ""
    country: Annotated[str, Field(pattern=r"^([A-Z]{2})?$")] = ""
    sponsor: str = ""
    pop_id: str = ""
    track: FileName | None = None
    track_start: Literal["file", "scenario"] = "file"

    @field_validator("id")
    @classmethod
    def _is_an_id(cls, value: str) -> str:
        if not is_slug(value):
            raise ValueError(
                f"found {_short(value)}, expected letters a-z, digits and single hyphens, "
                f'for example "{make_slug(value)}"'
            )
        return value

    @model_validator(mode="after")
    def _is_somewhere(self) -> "Terminal":
        fixed = self.lat_deg is not None and self.lon_deg is not None
        if fixed == (self.track is not None):
            raise ValueError("a terminal needs either lat_deg and lon_deg, or a track")
        return self


class TerminalSet(Section):
    """Many terminals: a fleet CSV, or the largest cities."""

    file: FileName | None = None
    builtin: Literal["cities"] | None = None
    count: Annotated[int, Field(ge=1, le=34_000)] = 1000

    @model_validator(mode="after")
    def _has_one_source(self) -> "TerminalSet":
        if (self.file is None) == (self.builtin is None):
            raise ValueError('a terminal set needs either file = "fleet.csv" or builtin = "cities"')
        return self


class Scenario(Section):
    """A whole scenario; `folder` is where its relative file names start."""

    title: str = ""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    time: Time
    catalogue: CatalogueSection | None = None
    shells: tuple[Shell, ...] = ()
    earth: Earth = Earth()
    visibility: Visibility = Visibility()
    isl: Isl = Isl()
    gateways: GatewaySection = GatewaySection()
    assignment: Assignment = Assignment()
    delay: Delay = Delay()
    results: Results = Results()
    sites: tuple[Site, ...] = ()
    terminals: tuple[Terminal, ...] = ()
    terminal_sets: tuple[TerminalSet, ...] = ()
    source: str = Field(default="scenario", exclude=True)  # what error messages call it
    folder: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _has_satellites(self) -> "Scenario":
        if (self.catalogue is None) == (not self.shells):
            found = "neither" if self.catalogue is None else "both"
            raise ValueError(
                "a scenario needs one source of satellites, [catalogue] or [[shells]]; "
                f"found {found}"
            )
        return self

    @property
    def isl_plan(self) -> str:
        """The laser plan in force."""
        return self.isl.plan or ("fleet" if self.catalogue else "plus-grid")

    def file(self, name: str) -> Path:
        """Resolve a file name of the scenario, relative to the scenario's own folder."""
        return self.folder / name


def read_scenario(path: str | Path) -> Scenario:
    """Read and check a scenario file; any fault is one `InputError`."""
    path = Path(path)
    text = _read_text(path)
    return parse_scenario(text, source=str(path), folder=path.resolve().parent)


def parse_scenario(text: str, source: str = "scenario", folder: Path = Path()) -> Scenario:
    """Check the text of a scenario; `folder` is where its relative file names start."""
    if not text.strip():
        raise InputError(
            f"{source}: the scenario is empty; it needs [time] with start_utc and duration_s, and "
            "one source of satellites, [catalogue] or [[shells]] (see `skyweave init`)"
        )
    try:
        content = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError is one; so is a number of too many digits
        raise InputError(f"{source}: not valid TOML: {error}") from None
    except RecursionError:
        raise InputError(f"{source}: nested too deeply for a scenario") from None
    return build_scenario(content, source, folder)


def build_scenario(content: dict[str, Any], source: str, folder: Path = Path()) -> Scenario:
    """Check a scenario given as nested tables."""
    for own in ("source", "folder"):
        if own in content:
            raise InputError(f'{source}: unknown key "{own}"; remove it')
    try:
        return Scenario.model_validate({**content, "source": source, "folder": folder})
    except ValidationError as error:
        raise InputError(f"{source}: {_advice(error.errors()[0], content)}") from None
    except RecursionError:
        raise InputError(f"{source}: nested too deeply for a scenario") from None


def _read_text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path}: not a regular file; give a scenario (TOML)")
        if path.stat().st_size > MAX_SCENARIO_BYTES:
            raise InputError(f"{path}: larger than {MAX_SCENARIO_BYTES:,} bytes; not a scenario")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; `skyweave init {path}` writes one") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save the scenario as UTF-8") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from None


def _advice(error: ErrorDetails, content: dict[str, Any]) -> str:
    """Say in one line where a value is, what was found and what is expected."""
    *parents, last = error["loc"] or ("",)
    place = _place(tuple(parents), content)
    within = f" in {place}" if place else ""
    match error["type"]:
        case "extra_forbidden":
            known = _known_keys(tuple(parents))
            near = difflib.get_close_matches(str(last), known, n=1, cutoff=0.5)
            hint = f'did you mean "{near[0]}"?' if near else f"known keys: {', '.join(known)}"
            return f'unknown key "{last}"{within}; {hint}'
        case "missing":
            return f'"{last}" is missing{within or " (it is required)"}; add it'
        case "value_error":
            message = error["msg"].removeprefix("Value error, ")
            whole = _place(error["loc"], content)
            return f"{whole}: {message}" if whole else message
        case _:
            if isinstance(last, int):
                last, within = _place(error["loc"], content), ""
            found = f"{last} = {_short(error['input'])}"
            return f"{found}{within}: {_expected(error)}{_unit_hint(str(last), error['input'])}"


def _expected(error: ErrorDetails) -> str:
    message = error["msg"]
    return message[:1].lower() + message[1:]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _unit_hint(key: str, value: object) -> str:
    if not isinstance(value, int | float):
        return ""
    if key.endswith("_km") and value >= 100_000:
        return " (is it in metres? the key takes kilometres)"
    if key.endswith("_deg") and abs(value) > 360:
        return " (the key takes decimal degrees)"
    return ""


def _place(loc: tuple[int | str, ...], content: dict[str, Any]) -> str:
    """Name a table as the user wrote it: [visibility], or terminals[2] "hospital-017"."""
    where, value = "", cast(Any, content)
    for part in loc:
        value = value[part] if _has(value, part) else None
        where += f"[{part}]" if isinstance(part, int) else f".{part}" if where else str(part)
    if len(loc) == 1 and isinstance(value, dict):
        return f"[{where}]"
    label = value.get("id") or value.get("name") if isinstance(value, dict) else None
    return f'{where} "{label}"' if label else where


def _has(value: object, part: int | str) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _known_keys(parents: tuple[int | str, ...]) -> list[str]:
    model: type[BaseModel] = Scenario
    for part in parents:
        if isinstance(part, int):
            continue
        field = next(f for k, f in model.model_fields.items() if part in (k, f.alias))
        model = next(m for m in _models(field.annotation))
    hidden = {"source", "folder"} if model is Scenario else set()
    return [f.alias or key for key, f in model.model_fields.items() if key not in hidden]


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for inner in get_args(annotation) for model in _models(inner)]
