"""Scenarios: what is accepted, and the one advising line of every refusal."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave.data import read_data_text
from skyweave.errors import InputError
from skyweave.twin.scenario import build_scenario, parse_scenario, read_scenario

TIME = "[time]\nstart_utc = 2026-06-14T12:00:12Z\nduration_s = 60\n"
MINIMAL = TIME + "[catalogue]\n"
TERMINAL = '[[terminals]]\nid = "a"\nlat_deg = 1\nlon_deg = 2\n'
SHELL = "[[shells]]\naltitude_km = 550\ninclination_deg = 53\nplanes = 4\nper_plane = 4\n"

REFUSALS = {
    "an empty file": ("", "the scenario is empty; it needs [time] with start_utc and duration_s"),
    "broken TOML": ("[time", "not valid TOML"),
    "no time": ("[catalogue]\n", '"time" is missing (it is required); add it'),
    "no satellites": (TIME, "[catalogue] or [[shells]]; found neither"),
    "two sources": (MINIMAL + SHELL, "[catalogue] or [[shells]]; found both"),
    "an unknown table": (MINIMAL + "[visibilty]\n", 'did you mean "visibility"?'),
    "an unknown key": (
        MINIMAL + "[visibility]\nmin_elevaton_deg = 30\n",
        'unknown key "min_elevaton_deg" in [visibility]; did you mean "min_elevation_deg"?',
    ),
    "an unknown key far from any": (
        MINIMAL + "[delay]\nzzz = 1\n",
        "known keys: model, period, comb, processing_s, fibre_detour, include_fibre",
    ),
    "a key of our own": (MINIMAL.replace("[time]", 'folder = "x"\n[time]'), 'unknown key "folder"'),
    "latitude 95": (
        MINIMAL + TERMINAL.replace("lat_deg = 1", "lat_deg = 95"),
        'lat_deg = 95 in terminals[0] "a": input should be less than or equal to 90',
    ),
    "longitude 400": (
        MINIMAL + TERMINAL.replace("lon_deg = 2", "lon_deg = 400"),
        "decimal degrees",
    ),
    "a latitude of NaN": (MINIMAL + TERMINAL.replace("lat_deg = 1", "lat_deg = nan"), "finite"),
    "elevation 95": (MINIMAL + "[visibility]\nmin_elevation_deg = 95\n", "less than 90"),
    "zero duration": (MINIMAL.replace("= 60", "= 0"), "duration_s = 0 in [time]: input should be"),
    "negative duration": (MINIMAL.replace("= 60", "= -1"), "greater than 0"),
    "an endless duration": (MINIMAL.replace("= 60", "= inf"), "finite"),
    "zero slot": (MINIMAL.replace("= 60", "= 60\nslot_s = 0"), "slot_s = 0 in [time]"),
    "a start without a zone": (MINIMAL.replace("12Z", "12"), "a time without a zone"),
    "a start that is text": (
        MINIMAL.replace("2026-06-14T12:00:12Z", '"soon"'),
        'time.start_utc: found "soon"',
    ),
    "a missing start": (MINIMAL.replace("start_utc", "#"), '"start_utc" is missing in [time]'),
    "metres for kilometres": (
        TIME + SHELL.replace("550", "550000"),
        "altitude_km = 550000 in shells[0]: input should be less than or equal to 36000 "
        "(is it in metres? the key takes kilometres)",
    ),
    "half a shell": (TIME + "[[shells]]\nplanes = 4\n", "a walker-delta shell needs altitude_km"),
    "an unknown pattern": (
        TIME + SHELL + 'pattern = "torus"\n',
        "'walker-delta', 'walker-star' or 'hypatia'",
    ),
    "range without a range": (MINIMAL + '[visibility]\nmode = "range"\n', "needs max_range_m"),
    "an id that is no slug": (
        MINIMAL + TERMINAL.replace('"a"', '"Kit 7"'),
        "terminals[0].id: found 'Kit 7', expected letters a-z, digits and single hyphens, for "
        'example "kit-7"',
    ),
    "a terminal nowhere": (MINIMAL + '[[terminals]]\nid = "a"\n', "either lat_deg and lon_deg, or"),
    "a terminal twice somewhere": (MINIMAL + TERMINAL + 'track = "x.csv"\n', "or a track"),
    "a set without a source": (MINIMAL + "[[terminal_sets]]\ncount = 3\n", "needs either file"),
    "an unknown service class": (MINIMAL + TERMINAL + 'service_class = "gold"\n', "'lifeline'"),
    "an unknown laser plan": (
        MINIMAL + '[isl]\nplan = "mesh"\n',
        "isl.plan: found 'mesh', expected one of none, plus-grid",
    ),
    "a direct-to-cell class": (
        MINIMAL + 'use = ["direct_to_cell"]\n',
        "catalogue.use[0] = 'direct_to_cell': input should be 'on_station'",
    ),
    "a start that is a number": (MINIMAL.replace("2026-06-14T12:00:12Z", "5"), "found 5, expected"),
    "a start without a time of day": (
        MINIMAL.replace("T12:00:12Z", ""),
        "found 2026-06-14, expected a time: 2026-06-14T12:00:12Z",
    ),
    "a start without a date": (
        MINIMAL.replace("2026-06-14T12:00:12Z", "12:00:12"),
        "found 12:00:12, expected a time",
    ),
    "a site twice": (
        MINIMAL + '[[sites]]\nname = "Aville"\nlat_deg = 1\nlon_deg = 2\n' * 2,
        'sites: "Aville" is described twice; keep one',
    ),
    "a table where a number belongs": (
        MINIMAL + "[delay]\nprocessing_s = {}\n",
        "processing_s = a table",
    ),
    "text where a table belongs": ('time = "now"\n[catalogue]\n', "time = 'now'"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_fault_is_one_line_that_names_the_file_and_the_key(case):
    text, expected = REFUSALS[case]
    with pytest.raises(InputError) as refusal:
        parse_scenario(text, source="alps.toml")
    message = str(refusal.value)
    assert message.startswith("alps.toml: ")
    assert expected in message
    assert "\n" not in message


def test_a_missing_file_says_how_to_make_one(tmp_path):
    with pytest.raises(InputError, match="no such file; `skyweave init"):
        read_scenario(tmp_path / "none.toml")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not UTF-8 text"):
        read_scenario(tmp_path / "x.toml")


def test_a_huge_file_is_refused_unread(tmp_path):
    with (tmp_path / "x.toml").open("wb") as file:
        file.truncate(2**33)
    with pytest.raises(InputError, match="larger than 4,194,304 bytes"):
        read_scenario(tmp_path / "x.toml")


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a regular file"):
        read_scenario(tmp_path)


def test_the_smallest_scenario_has_the_documented_defaults():
    scenario = parse_scenario(MINIMAL)
    assert scenario.catalogue is not None
    assert scenario.catalogue.use == ("on_station",)
    assert scenario.time.slot_s == 15.0
    assert scenario.visibility.min_elevation_deg == 25.0
    assert scenario.delay.processing_s == 0.010
    assert scenario.isl_plan == "fleet"
    assert parse_scenario(TIME + SHELL).isl_plan == "plus-grid"


def test_the_starter_stands_at_the_defaults_it_claims():
    starter = parse_scenario(read_data_text("starter.toml"))
    default = parse_scenario(MINIMAL)
    for table in ("earth", "visibility", "gateways", "assignment", "delay", "results"):
        assert getattr(starter, table) == getattr(default, table)
    assert starter.isl_plan == default.isl_plan


def test_file_names_start_at_the_scenario_s_own_folder(tmp_path):
    (tmp_path / "x.toml").write_text(MINIMAL)
    assert read_scenario(tmp_path / "x.toml").file("fleet.csv") == tmp_path / "fleet.csv"
    assert read_scenario(tmp_path / "x.toml").file("/abs.csv") == Path("/abs.csv")


@given(text=st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_scenario_or_a_refusal(text):
    assert "\n" not in _refusal_of(parse_scenario, text)


_values = st.one_of(
    st.none(), st.booleans(), st.integers(-10, 10**9), st.floats(), st.text(max_size=5),
    st.lists(st.integers(0, 3), max_size=3), st.dictionaries(st.text(max_size=3), st.integers()),
)  # fmt: skip
_keys = st.sampled_from(
    ["time", "catalogue", "shells", "sites", "terminals", "visibility", "start_utc", "duration_s"]
)


@given(content=st.dictionaries(_keys, st.one_of(_values, st.dictionaries(_keys, _values))))
@settings(max_examples=300, deadline=None)
def test_any_tables_are_a_scenario_or_a_refusal(content):
    assert "\n" not in _refusal_of(build_scenario, content, "x")


def _refusal_of(build, *arguments):
    """Return the refusal's text, "" where a scenario was built; any other error fails the test."""
    try:
        build(*arguments)
    except InputError as refusal:
        return str(refusal)
    return ""
