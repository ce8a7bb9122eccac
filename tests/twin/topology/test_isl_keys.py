"""The keys of `[isl]`: each belongs to its plans, and what is wrong is told in one line."""

import pytest

from skyweave.errors import InputError
from skyweave.twin.scenario.models import Isl
from skyweave.twin.scenario.read import build_scenario

SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 6, "per_plane": 5}


def scenario_of(**sections):
    time = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 60}
    return build_scenario({"time": time, "shells": [SHELL], **sections}, "x.toml")


BAD = {
    "the satellite itself": ({"plan": "motif", "motif": [[0, 1], [0, 0]]}, "[0, 0] is the satell"),
    "an offset twice": ({"plan": "motif", "motif": [[1, 2], [1, 2]]}, "[1, 2] is there twice"),
    "its other way": ({"plan": "motif", "motif": [[1, 2], [-1, -2]]}, "[-1, -2] is there twice"),
    "nine offsets": ({"plan": "motif", "motif": [[1, k] for k in range(9)]}, "at most 8 items"),
    "a huge offset": ({"plan": "motif", "motif": [[1, 1000]]}, "less than or equal to 999"),
    "half an offset": ({"plan": "motif", "motif": [[1]]}, "isl.motif: found [1], expected ["),
    "three numbers": ({"plan": "motif", "motif": [[1, 2, 3]]}, "found [1, 2, 3], expected [planes"),
    "a flat list": ({"plan": "motif", "motif": [0, 1]}, "found 0, expected [planes, slots]: [[0, "),
    "part of a plane": ({"plan": "motif", "motif": [[0.5, 1]]}, "integer"),
    "no motif": ({"plan": "motif"}, 'plan = "motif" needs motif, for example [[0, 1], [1, 0]]'),
    "an unknown policy": ({"plan": "fleet", "policy": "five"}, "'static', 'rings' or 'four'"),
    "a range of nothing": ({"max_range_m": 0}, "greater than 0"),
    "below the ground": ({"min_grazing_m": -1}, "greater than or equal to 0"),
    "an hour and more": ({"acquisition_s": 3601}, "less than or equal to 3600"),
    "NaN": ({"replan_s": float("nan")}, "less than or equal to 86400"),
    "a motif of the default plan": (
        {"motif": [[0, 1]]},
        '[isl] motif is for plan = "motif", found plan = "plus-grid"; remove one of the two',
    ),
    "a policy of a grid": (
        {"plan": "plus-grid", "policy": "four"},
        '[isl] policy is for plan = "fleet", found plan = "plus-grid"; remove one of the two',
    ),
    "a re-plan of a ring": ({"plan": "ring", "replan_s": 60}, 'replan_s is for plan = "fleet"'),
    "neighbours of a ring": ({"plan": "ring", "nearest": 3}, 'nearest is for plan = "nearest-n"'),
    "a range of no links": (
        {"plan": "none", "max_range_m": 1e6},
        'plans with links, found plan = "none"; remove one of the two',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_told_in_one_line(case):
    isl, text = BAD[case]
    with pytest.raises(InputError) as refusal:
        scenario_of(isl=isl)
    assert text in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).startswith("x.toml: ")


@pytest.mark.parametrize(
    "isl",
    [
        {"plan": "motif", "motif": [[1, 1], [1, -1]], "acquisition_s": 30, "max_range_m": 3e6},
        {"plan": "plus-grid", "policy": "static"},  # what holds anyway may be written
        {"plan": "nearest-n", "nearest": 3, "min_grazing_m": 0},
        {"plan": "fleet", "policy": "four", "replan_s": 60, "keep_slew_deg_s": 1.5},
    ],
)
def test_keys_of_the_plan_are_taken(isl):
    found = scenario_of(isl=isl).isl
    assert found.model_dump(exclude_unset=True, mode="json") == isl


def test_each_operator_is_held_to_its_own_plan():
    gateways = {"gateways": {"source": "builtin:2026-03-20"}}
    own = {"name": "one", "shells": [SHELL], **gateways, "isl": {"policy": "four"}}
    other = {"name": "two", "shells": [SHELL], **gateways}
    time = {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 60}
    with pytest.raises(InputError, match='policy is for plan = "fleet", found plan = "plus-grid"'):
        build_scenario({"time": time, "operators": [own, other]}, "x.toml")


def test_a_scenario_written_out_whole_is_taken_again():
    again = Isl.model_validate(Isl(plan="ring").model_dump())
    assert again.foreign_key("ring") is None
