"""The files shipped with the package: named, credited and reproducible."""

import csv
import importlib.util
import io
import re
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import ModuleType

import pytest

from skyweave.data import read_data, read_data_text

ROOT = Path(__file__).parents[1]
NOT_DATA = {"__init__.py", "__pycache__", "CREDITS.md"}


def packaged(folder: Traversable, prefix: str = "") -> Iterator[str]:
    for entry in folder.iterdir():
        if entry.name in NOT_DATA:
            continue
        if entry.is_dir():
            yield from packaged(entry, f"{prefix}{entry.name}/")
        else:
            yield f"{prefix}{entry.name}"


def test_every_packaged_file_is_credited_and_every_credited_file_is_packaged():
    credited = re.findall(r"\*\*`([^`]+)`\*\*", read_data_text("CREDITS.md"))
    assert len(credited) == len(set(credited))
    assert set(credited) == set(packaged(files("skyweave.data")))


def test_every_credit_names_origin_date_and_terms():
    entries = read_data_text("CREDITS.md").split("\n**`")[1:]
    described = [entry for entry in entries if "- origin:" in entry]
    assert len(described) >= 8
    for entry in described:
        assert "- date:" in entry, entry[:60]
        assert "- terms:" in entry, entry[:60]


def test_the_licence_is_the_whole_apache_licence():
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "Version 2.0, January 2004" in text
    assert [f"   {n}. " in text for n in range(1, 10)] == [True] * 9
    assert "END OF TERMS AND CONDITIONS" in text


def tool(name: str) -> ModuleType:
    """Return a program of tools/data as a module."""
    specification = importlib.util.spec_from_file_location(name, ROOT / f"tools/data/{name}.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def test_the_tools_reproduce_every_file(reference_data):
    built = dict(tool("build").built_files(reference_data))
    built |= dict(tool("hypatia_scenarios").built_files(reference_data))
    # .xz files are compared decompressed: the packing depends on the version of liblzma.
    different = [name for name, content in built.items() if read_data(name) != content]
    assert different == []
    invented = read_data_text("CREDITS.md").partition("## Invented")[2]
    others = set(packaged(files("skyweave.data"))) - set(built)
    assert [name for name in others if f"`{name}`" not in invented] == []


def test_the_demos_files_are_reproduced(tmp_path):
    demo = tool("demo")
    demo.TARGET = tmp_path
    demo.main()
    for name in ("fleet.csv", "convoy.csv", "flight.csv"):
        assert (tmp_path / name).read_bytes() == read_data(f"demo/{name}")


def test_the_catalogue_holds_every_active_satellite():
    lines = read_data_text("active_2026-06-14.tle.xz").splitlines()
    assert len(lines) == 3 * 15_699
    assert "\r" not in "".join(lines)


def test_points_of_presence_are_real_ones():
    rows = list(csv.DictReader(io.StringIO(read_data_text("pops_2026-04-16.csv"))))
    cities = {row["city"] for row in rows}
    assert {"Frankfurt", "New York", "Chicago"} <= cities
    assert not {"Staging", "Unknown", "Brucejack", "Kuujjuaq"} & cities
    assert len({row["pop_id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("name", ["gateways_2026-03-20.csv", "pops_2026-04-16.csv"])
def test_positions_on_the_ground_are_on_the_globe(name):
    for row in csv.DictReader(io.StringIO(read_data_text(name))):
        assert -90.0 < float(row["lat_deg"]) < 90.0
        assert -180.0 <= float(row["lon_deg"]) <= 180.0


def test_earth_orientation_has_no_blank_day():
    rows = list(csv.DictReader(io.StringIO(read_data_text("earth_orientation.csv.xz"))))
    days = [int(row["mjd_utc"]) for row in rows]
    assert days == list(range(days[0], days[-1] + 1))
    assert all(float(value) == float(value) for row in rows for value in row.values())
