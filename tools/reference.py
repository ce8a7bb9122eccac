"""Write the reference page of scenarios from the models that read them.

    python tools/reference.py

The text of a section is the docstring of its model, the meaning of a key the text under it; types,
ranges and defaults are the model's own.  What no model says stands in reference_scenario.md.in.
"""

import inspect
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from skyweave.twin.scenario import Scenario

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "reference" / "scenario.md"
FRAME = ROOT / "tools" / "reference_scenario.md.in"

_ASIDE = re.compile(r"^<!-- after (\w+) -->\n", re.MULTILINE)
_TYPES = {"number": "number", "integer": "whole number", "string": "text", "boolean": "true, false"}


def page() -> str:
    """Return the whole page."""
    intro, *asides = _ASIDE.split(FRAME.read_text(encoding="utf-8"))
    after = dict(zip(asides[::2], asides[1::2], strict=True))
    keys = {key: field for key, field in keys_of(Scenario) if model_of(field) is None}
    parts = [intro, _paragraphs(Scenario)[-1], "## Top level", _table(Scenario, keys)]
    for key, field in keys_of(Scenario):
        model = model_of(field)
        if model is None:
            continue
        parts += [_heading(key, field), *_paragraphs(model), _table(model, dict(keys_of(model)))]
        if key in after:
            parts.append(after.pop(key))
    if after:
        raise KeyError(f"{FRAME.name}: a scenario has no section {', '.join(after)}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def keys_of(model: type[BaseModel]) -> Iterator[tuple[str, FieldInfo]]:
    """Yield the keys that may stand in a model's table, as they are written, with their fields."""
    for name, field in model.model_fields.items():
        if not field.exclude:
            yield field.alias or name, field


def model_of(field: FieldInfo) -> type[BaseModel] | None:
    """Return the model of a key that is a table or a list of tables."""
    return next(_models(field.annotation), None)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from _models(inner)


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _heading(key: str, field: FieldInfo) -> str:
    return f"## `[[{key}]]`" if _is_list(field) else f"## `[{key}]`"


def _paragraphs(model: type[BaseModel]) -> list[str]:
    text = re.sub(r"\.  +", ". ", inspect.cleandoc(model.__doc__ or ""))
    return text.split("\n\n")


def _table(model: type[BaseModel], keys: dict[str, FieldInfo]) -> str:
    properties = model.model_json_schema(by_alias=True)["properties"]
    rows = [
        (f"`{key}`", _type(key, field, properties[key]), _default(field), _meaning(field))
        for key, field in keys.items()
    ]
    head = "| key | type and range | default | meaning |\n|---|---|---|---|"
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    return "\n".join([head, *lines])


def _meaning(field: FieldInfo) -> str:
    return " ".join((field.description or "").split()).replace("|", "\\|")


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.get_default(call_default_factory=True)
    if value is None or model_of(field) is not None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    return f"`{json.dumps(value)}`" if isinstance(value, str | tuple) else json.dumps(value)


def _type(key: str, field: FieldInfo, schema: dict[str, Any]) -> str:
    """Return what may be written for a key; a table leads to the section that describes it."""
    if model_of(field) is not None:
        return f"[{'tables' if _is_list(field) else 'table'}](#{key})"
    for choice in schema.get("anyOf", ()):  # a value or nothing: nothing is a key left out
        if choice.get("type") != "null":
            schema = choice
    if schema.get("type") == "array":
        return f"list: {_values(schema['items'])}"
    return _values(schema)


def _values(schema: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return ", ".join(f"`{json.dumps(value)}`" for value in values)
    if schema.get("format") == "date-time":
        return "time"
    if "prefixItems" in schema:
        items = schema["prefixItems"]
        return f"lists of {len(items)}: {_values(items[0])}"
    limits = _range(schema)
    return f"{_TYPES[schema['type']]}, {limits}" if limits else _TYPES[schema["type"]]


def _range(schema: dict[str, Any]) -> str:
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if below is not None and below > 2**53:  # what TOML can hold is no limit to tell
        below = None
    if low is not None and high is not None:
        return f"{low:.10g} to {high:.10g}"
    limits = {"from": low, "above": above, "to": high, "below": below}
    return ", ".join(f"{word} {value:g}" for word, value in limits.items() if value is not None)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
