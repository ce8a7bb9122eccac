"""A refusal that could be known beforehand is the only line: no warning, no step before it."""

from pathlib import Path

import pytest

from skyweave import api
from skyweave.errors import InputError

SHELL = "altitude_km = 550\ninclination_deg = 53\nplanes = 4\nper_plane = 4\n"
# A failure after the run's end makes a warning.
LATE = '[[failures]]\nkind = "satellite"\nshare = 0.5\nfrom_utc = 2027-01-01T00:00:00Z\n'
BASE = (
    "[time]\nstart_utc = 2026-06-14T12:00:12Z\nduration_s = 30\n"
    f'[[shells]]\n{SHELL}{LATE}'
)  # fmt: skip
REAL = BASE.replace(f"[[shells]]\n{SHELL}", "[catalogue]\n")
TWO = "".join(f'[[sites]]\nname = "{n}ville"\nlat_deg = {n}\nlon_deg = 0\n' for n in (1, 9))
MANY = "".join(f'[[sites]]\nname = "{n}"\nlat_deg = 1\nlon_deg = 2\n' for n in range(2_001))
EMPTY_MOTIF = "[isl]\nplan = 'motif'\nmotif = [[4, 0]]\n"
FLEET = "[isl]\nplan = 'fleet'\n"
SPAN = {"every_s": 1, "for_s": 2}
FAR = {"every_s": 1e9, "for_s": 1e11}


def pairs(text=BASE + TWO, **options):
    return text, lambda say: api.pairs("s.toml", progress=say, **options)


def path(text, **options):
    return text, lambda say: api.path("s.toml", "1ville", "9ville", progress=say, **options)


def export(kind, text=BASE + TWO, **options):
    act = getattr(api, f"export_{kind}")
    return text, lambda say: act("s.toml", "x", progress=say, **options)


def picture(what, text=BASE + TWO, **options):
    return text, lambda say: api.plot("s.toml", what, "x.png", progress=say, **options)


def ends(**options):
    return {"start": "1ville", "end": "9ville", **options}


CASES = {
    "ships as relays": (pairs(relays="ships"), "expected sites or gateways"),
    "pairs of nothing": (pairs(BASE), "at least 2 sites"),
    "pairs of one site": (pairs(BASE + TWO[: TWO.rindex("[[")]), "at least 2 sites"),
    "pairs of too many": (pairs(BASE + MANY, relays="sites"), "take fewer sites"),
    "pairs into a place that holds no files": (pairs(out="/proc/o.csv"), "cannot be written"),
    "pairs of samples without number": (pairs(every_s=1e-320, for_s=1), "a larger --every"),
    "pairs in thousands of years": (pairs(**FAR), "s.toml"),
    "pairs over no motif": (pairs(BASE + TWO + EMPTY_MOTIF), "joins no two satellites"),
    "paths over no motif": (path(BASE + TWO + EMPTY_MOTIF), "joins no two satellites"),
    "paths of a fleet's plan on shells": (path(BASE + TWO + FLEET), "with synthetic shells only"),
    "a path in thousands of years": (path(BASE + TWO, **FAR), "s.toml"),
    "tables of a fleet's plan on shells": (export("csv", BASE + TWO + FLEET), "synthetic shells"),
    "the real fleet for Hypatia": (export("hypatia", REAL + TWO), "different epochs"),
    "a trace of parts of milliseconds": (
        export("trace", **ends(every_s=0.0001, for_s=1)), "whole milliseconds",
    ),
    "distributions of nothing": (picture("path-ecdf", BASE, **SPAN), "at least 2 sites"),
    "distributions of one instant": (picture("path-ecdf"), "at least 2 instants"),
    "distributions of too many": (
        picture("path-ecdf", beside=["s.toml"] * 5, **SPAN), "leave some out",
    ),
    "one instant over time": (picture("rtt-over-time", **ends()), "at least 2 instants"),
    "a terminal's path over time": (
        picture("rtt-over-time", **ends(terminal="a", **SPAN)), "takes no --terminal",
    ),
    "a sky beside a sky": (
        picture("sky", terminal="a", at="2026-06-14T12:00:12Z", beside=["s.toml"]),
        "takes no --beside",
    ),
    "a run's map at an instant": (picture("map", at="x", every_s=1), "no --at and no --every"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_comes_before_any_step_and_warning(case, tmp_path, monkeypatch):
    (text, act), telling = CASES[case]
    monkeypatch.chdir(tmp_path)
    Path("s.toml").write_text(text)
    said = []
    with pytest.raises(InputError) as refusal:
        act(said.append)
    assert telling in str(refusal.value)
    assert said == []
    assert [path.name for path in tmp_path.iterdir()] == ["s.toml"]


def test_exports_say_what_they_do_from_the_start_after_the_warnings(tmp_path):
    (tmp_path / "s.toml").write_text(BASE + TWO)
    for act in (api.export_csv, api.export_hypatia):
        said = []
        act(tmp_path / "s.toml", tmp_path / act.__name__, progress=said.append, **SPAN)
        assert said[0].startswith("warning: ")
        assert said[1].startswith("export: ")


@pytest.mark.parametrize("content", ["years of work\n", "# Published results of mine\n", ""])
def test_a_page_replaces_no_file_that_is_none_of_ours(content, tmp_path):
    page = tmp_path / "page.md"
    page.write_text(content)
    with pytest.raises(InputError, match="choose another name"):
        api.validate(["CEL"], out=page, progress=pytest.fail)
    assert page.read_text() == content


def test_a_page_that_cannot_be_written_is_refused_before_any_check():
    with pytest.raises(InputError, match="cannot be written"):
        api.validate(["CEL"], out="/proc/page.md", progress=pytest.fail)


def test_a_page_is_replaced_by_a_new_one(tmp_path):
    page = tmp_path / "page.md"
    for ids in (["CEL"], ["CEL-01"]):
        api.validate(ids, out=page)
    assert "CEL-01" in page.read_text()
    assert "CEL-02" not in page.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["page.md"]
