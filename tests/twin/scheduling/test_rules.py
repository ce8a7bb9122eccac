"""Assignment rules: scores, ties, plug-ins and their faults."""

import pickle

import numpy as np
import pytest

from skyweave.constants import SPEED_OF_LIGHT_M_S
from skyweave.errors import InputError
from skyweave.twin.scheduling import (
    BUILT_IN,
    BeamLimits,
    Candidates,
    assign,
    find_rule,
    score_candidates,
)


def candidates_of(elevation_deg, path_s, terminal_start=(0, 3, 3, 5)):
    count = len(elevation_deg)
    start = np.array(terminal_start, dtype=np.int64)
    return Candidates(
        terminal_start=start,
        terminal=np.repeat(np.arange(start.size - 1, dtype=np.int32), np.diff(start)),
        sat=np.arange(count, dtype=np.int32),
        elevation_deg=np.array(elevation_deg, dtype=float),
        azimuth_deg=np.linspace(0.0, 300.0, count),
        range_m=np.linspace(600e3, 1000e3, count),
        path_s=np.array(path_s, dtype=float),
        remaining_slots=np.array([3, 9, 9, 1, 2], dtype=np.int32)[:count],
        age_slots=np.zeros(count, dtype=np.int32),
        is_sunlit=np.ones(count, dtype=np.bool_),
        gso_separation_deg=np.full(count, 60.0),
        boresight_deg=np.full(count, np.nan),
        generation=np.zeros(count, dtype=np.int8),
        slots_since_use=np.zeros(count, dtype=np.int32),
        load=np.zeros(count),
        lat_deg=np.zeros(start.size - 1),
    )


def choose(candidates, score):
    """Serve every terminal in a cell of its own, with beams for all."""
    rows = np.arange(candidates.terminal_start.size - 1)
    beams = np.full(len(candidates), 9, np.int32)
    limits = BeamLimits(beams, beams)
    start, sat = candidates.terminal_start, candidates.sat
    return assign(start, sat, score, rows, rows, limits).chosen


FOUND = candidates_of([40.0, 70.0, 30.0, 50.0, 50.0], [0.010, np.inf, 0.009, 0.030, 0.030])


def test_the_highest_satellite_with_a_path_serves():
    score = score_candidates(BUILT_IN["highest-elevation"], FOUND)
    assert choose(FOUND, score).tolist() == [0, -1, 3]  # pair 1 is higher but has no path


def test_the_longest_visible_satellite_with_a_path_serves():
    score = score_candidates(BUILT_IN["longest-visible"], FOUND)
    assert choose(FOUND, score).tolist() == [2, -1, 4]


def test_the_shortest_path_counts_access_and_network():
    score = score_candidates(BUILT_IN["shortest-path"], FOUND)
    np.testing.assert_allclose(
        -score[[0, 2]], FOUND.path_s[[0, 2]] + FOUND.range_m[[0, 2]] / SPEED_OF_LIGHT_M_S
    )
    assert choose(FOUND, score).tolist() == [2, -1, 3]


def test_equal_scores_go_to_the_lower_norad_id():
    equal = candidates_of([50.0] * 5, [0.01] * 5)
    score = score_candidates(BUILT_IN["highest-elevation"], equal)
    assert choose(equal, score).tolist() == [0, -1, 3]


def test_nobody_is_served_when_no_satellite_has_a_path():
    cut_off = candidates_of([50.0] * 5, [np.inf] * 5)
    score = score_candidates(BUILT_IN["highest-elevation"], cut_off)
    assert choose(cut_off, score).tolist() == [-1, -1, -1]


def test_a_slot_without_terminals_or_satellites_is_no_special_case():
    empty = candidates_of([], [], terminal_start=(0,))
    assert choose(empty, score_candidates(BUILT_IN["shortest-path"], empty)).size == 0


@pytest.fixture
def own_rule(tmp_path):
    def write(body):
        (tmp_path / "mine.py").write_text(
            f"import numpy as np\ndef east(candidates):\n    {body}\n"
        )
        return find_rule("mine.py:east", tmp_path)

    return write


def test_a_rule_of_one_s_own_is_a_function_in_a_file(own_rule):
    rule = own_rule("return np.sin(np.radians(candidates.azimuth_deg))")
    assert choose(FOUND, score_candidates(rule, FOUND)).tolist() == [2, -1, 3]


def test_a_rule_of_one_s_own_can_be_sent_to_a_worker(own_rule):
    rule = pickle.loads(pickle.dumps(own_rule("return candidates.azimuth_deg")))
    np.testing.assert_array_equal(rule.score(FOUND), FOUND.azimuth_deg)


@pytest.mark.parametrize(
    "body",
    [
        "return 1.0",
        "return candidates.elevation_deg * 1j",
        "return candidates.elevation_deg * np.nan",
        "return np.where(candidates.elevation_deg > 50, 1.0, -np.inf)",
    ],
)
def test_a_rule_that_does_not_score_every_candidate_is_refused(own_rule, body):
    with pytest.raises(InputError, match="return one finite number for each"):
        score_candidates(own_rule(body), FOUND)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("raise KeyError('boom')", "failed: KeyError: 'boom'"),
        ("candidates.range_m[:] = 0; return candidates.range_m", "failed: ValueError: assignment"),
        ("raise SystemExit(0)", "failed: SystemExit: 0"),
        (r"raise ValueError('two\nlines')", "failed: ValueError: two lines"),
    ],
)
def test_a_rule_that_fails_or_writes_to_its_input_is_one_line(own_rule, body, text):
    with pytest.raises(InputError, match=text):
        score_candidates(own_rule(body), FOUND)


def test_what_a_rule_prints_does_not_reach_stdout(own_rule, capsys):
    score_candidates(own_rule("print('hello'); return candidates.azimuth_deg"), FOUND)
    assert capsys.readouterr().out == ""


def test_an_unknown_rule_suggests_the_near_one():
    with pytest.raises(InputError, match='did you mean "shortest-path"'):
        find_rule("shortst-path")


def test_a_missing_file_or_function_is_named(tmp_path):
    with pytest.raises(InputError, match=r"no file .*none\.py; write FILE\.py:FUNCTION"):
        find_rule("none.py:f", tmp_path)
    (tmp_path / "empty.py").write_text("")
    with pytest.raises(InputError, match='has no function "f"'):
        find_rule("empty.py:f", tmp_path)
    (tmp_path / "broken.py").write_text("import nothing_of_that_name")
    with pytest.raises(InputError, match="cannot be loaded: ModuleNotFoundError"):
        find_rule("broken.py:f", tmp_path)
