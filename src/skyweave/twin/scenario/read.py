"""Scenario files: TOML read and checked before anything starts.

An unknown key is an error that suggests the near one, and every refusal names the file, the key,
what was found and what is expected.
"""

import difflib
import tomllib
from pathlib import Path
from typing import Any, cast, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from skyweave.errors import InputError
from skyweave.twin.scenario.models import Scenario, shortened

MAX_SCENARIO_BYTES = 4 * 2**20


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
            found = f"{last} = {_found(error['input'])}"
            return f"{found}{within}: {_expected(error)}{_unit_hint(str(last), error['input'])}"


def _found(value: object) -> str:
    """Return a value as an error shows it; a table or list, which may be a position, unseen."""
    if isinstance(value, dict):
        return "a table"
    return f"a list of {len(value)}" if isinstance(value, list) else shortened(value)


def _expected(error: ErrorDetails) -> str:
    match error["type"]:
        case "tuple_type" if isinstance(error["input"], dict):
            return f"write the heading in double brackets: [[{error['loc'][-1]}]]"
        case "tuple_type":
            return 'expected a list in brackets, such as ["DE"]'
        case "too_long":
            return f"expected at most {error['ctx']['max_length']} items"
        case "model_type" | "model_attributes_type":
            return "expected a table of keys"
    message = error["msg"]
    return message[:1].lower() + message[1:]


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
