"""The reference pages say what the code says: each key of a scenario, each option of a command."""

import importlib.util
import re
from pathlib import Path

import pytest
import typer
from pydantic import BaseModel, Field

from skyweave.cli.app import app
from skyweave.twin.scenario import Scenario

ROOT = Path(__file__).parents[1]
COMMANDS = (ROOT / "docs" / "reference" / "commands.md").read_text(encoding="utf-8")


def _load_tool():
    spec = importlib.util.spec_from_file_location("reference", ROOT / "tools" / "reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


reference = _load_tool()


def all_models(model=Scenario):
    yield model
    for _, field in reference.keys_of(model):
        inner = reference.model_of(field)
        if inner is not None:
            yield from all_models(inner)


def test_the_page_of_scenarios_is_what_the_tool_writes():
    assert reference.PAGE.read_text(encoding="utf-8") == reference.page(), "run make docs"


@pytest.mark.parametrize("model", sorted(set(all_models()), key=lambda m: m.__name__))
def test_every_table_and_every_key_has_a_meaning(model):
    assert model.__doc__
    assert model.__doc__ != BaseModel.__doc__
    for key, field in reference.keys_of(model):
        is_section = model is Scenario and reference.model_of(field) is not None
        assert is_section or field.description, f"{model.__name__}.{key} has no text under it"


def test_every_key_stands_in_the_section_of_its_table():
    sections = dict(re.findall(r"^## `?\[*([\w ]+?)\]*`?\n(.*?)(?=^## |\Z)",
                               reference.page(), re.MULTILINE | re.DOTALL))  # fmt: skip
    for key, field in reference.keys_of(Scenario):
        model = reference.model_of(field)
        if model is None:
            assert f"| `{key}` |" in sections["Top level"]
            continue
        told = re.findall(r"^\| `(\w+)` \|", sections[key], re.MULTILINE)
        assert told == [name for name, _ in reference.keys_of(model)]


class Sample(BaseModel):
    """A table."""

    model_config = {"use_attribute_docstrings": True}

    needed: float
    """one
    | two"""
    share: float = Field(default=0.5, gt=0, le=1)
    """three"""
    count: int | None = Field(default=None, ge=1, alias="number")
    """four"""
    names: tuple[str, ...] = ("a",)
    """five"""
    hidden: str = Field(default="", exclude=True)


def test_a_table_tells_type_range_default_and_meaning():
    assert reference._table(Sample, dict(reference.keys_of(Sample))).splitlines()[2:] == [
        "| `needed` | number | **required** | one \\| two |",
        "| `share` | number, above 0, to 1 | 0.5 | three |",
        "| `number` | whole number, from 1 | | four |",
        '| `names` | list: text | `["a"]` | five |',
    ]


def commands(command, name="skyweave"):
    """Yield the full name and the command line of each command that does something."""
    inner = getattr(command, "commands", {})
    for word, each in inner.items():
        yield from commands(each, f"{name} {word}")
    if not inner:
        yield name, command


@pytest.mark.parametrize(
    ("name", "command"), [pytest.param(*c, id=c[0]) for c in commands(typer.main.get_command(app))]
)
def test_the_page_of_commands_names_every_option(name, command):
    options = [each for each in command.params if each.param_type_name == "option"]
    words = [each.opts[-1] for each in options if each.name not in ("help", "as_json")]
    place = COMMANDS.find(f"`{name}")
    assert place >= 0, f"{name} is missing"
    sections = re.split(r"^(?=## )", COMMANDS, flags=re.MULTILINE)
    told = "".join(part for part in sections if f"`{name}" in part)
    missing = [word for word in words if word not in told]
    assert not missing, f"{name} takes {', '.join(missing)}, which docs/reference/commands.md lacks"
