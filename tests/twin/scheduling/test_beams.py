"""Beams: who is served when they are short, the order of service, and choices of one's own."""

from dataclasses import replace

import numpy as np
import pytest
from tests.support.beam_instances import Slot, random_slot, slot_of

from skyweave.errors import InputError
from skyweave.seeds import text_keys
from skyweave.twin.scheduling.beams import (
    BeamLimits,
    assign,
    assign_reference,
    beam_limits,
    check,
    checked_choice,
    service_rank,
)
from skyweave.twin.topology import GENERATIONS


def satellites(slot: Slot, assignment) -> list[int]:
    """The satellite of each terminal, -1 where none."""
    return [int(slot.sat[p]) if p >= 0 else -1 for p in assignment.chosen.tolist()]


def served(slot: Slot) -> list[int]:
    return satellites(slot, assign(*slot))


def test_the_compiled_and_the_plain_scheduler_agree_bit_for_bit(full_counts):
    for seed in range(2000 if full_counts else 100):
        rng = np.random.default_rng([7, seed])
        size = {"cells": int(rng.integers(2, 60)), "satellites": int(rng.integers(2, 40))}
        slot = random_slot(rng, crowded=int(rng.integers(0, 3)), **size)
        fast, plain = assign(*slot), assign_reference(*slot)
        for name, values in vars(fast).items():
            np.testing.assert_array_equal(values, getattr(plain, name), err_msg=f"{seed} {name}")
            assert values.dtype == getattr(plain, name).dtype


def test_everyone_has_their_best_satellite_where_no_limit_binds():
    slot = random_slot(np.random.default_rng(8), crowded=0)
    slot = slot._replace(limits=BeamLimits(*np.full((2, slot.limits.down.size), 1000, np.int32)))
    ends = zip(slot.terminal_start[:-1], slot.terminal_start[1:], strict=True)
    best = [
        a + np.argmax(slot.score[a:b]) if (slot.score[a:b] > -np.inf).any() else -1 for a, b in ends
    ]
    assert assign(*slot).chosen.tolist() == best


def test_of_equal_scores_the_first_pair_serves():
    assert served(slot_of([[3, 1, 2]], [0], [1] * 4, scores=[5.0, 5.0, 5.0])) == [3]


def test_terminals_of_one_cell_share_a_beam_and_its_channel():
    slot = slot_of([[0], [0], [0], [0]], [4, 4, 4, 9], [1])
    answer = assign(*slot)
    assert satellites(slot, answer) == [0, 0, 0, -1]
    assert answer.channel.tolist() == [0, 0, 0, -1]
    assert answer.reason_no_beam.tolist() == [False, False, False, True]
    assert answer.beams_used.tolist() == [1]


def test_beams_of_a_cell_are_on_channels_of_their_own():
    slot = slot_of([[n] for n in range(9)], [0] * 9, [1] * 9)
    answer = assign(*slot)
    assert answer.channel.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, -1]


@pytest.mark.parametrize(("down", "up", "cells"), [(4, 9, 4), (9, 1, 3), (9, 2, 6), (0, 9, 0)])
def test_a_satellite_serves_no_more_cells_than_either_kind_of_beam_allows(down, up, cells):
    slot = slot_of([[0]] * 8, range(8), [down], [up])
    assert served(slot) == [0] * cells + [-1] * (8 - cells)


def test_the_first_in_rank_is_served_first():
    slot = slot_of([[0], [0], [0]], [0, 1, 2], [1])._replace(rank=np.array([2, 0, 1]))
    assert served(slot) == [-1, 0, -1]


def test_a_beam_is_moved_to_make_room():
    assert served(slot_of([[0, 1], [0]], [0, 1], [1, 1])) == [1, 0]


def test_a_beam_is_moved_through_a_chain_of_satellites():
    assert served(slot_of([[0, 1], [1, 2], [2, 3], [0]], range(4), [1] * 4)) == [1, 2, 3, 0]


def test_a_beam_is_given_up_when_its_riders_fit_another_of_their_cell():
    assert served(slot_of([[0], [1, 0], [1]], [5, 5, 6], [1, 1])) == [0, 0, 1]


def test_a_beam_stays_when_one_of_its_riders_sees_nothing_else():
    slot = slot_of([[0, 1], [0], [0]], [5, 5, 6], [1, 1])
    assert served(slot) == [0, 0, -1]


def test_a_full_cell_gives_up_a_channel_for_a_satellite_that_serves_more():
    seen = [[n] for n in range(7)] + [[7, 8], [8]]
    slot = slot_of(seen, [0] * 9, [1] * 9)
    answer = assign(*slot)
    assert satellites(slot, answer) == [0, 1, 2, 3, 4, 5, 6, 8, 8]
    assert answer.channel.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 7]


def test_a_full_cell_can_have_a_beam_moved_in_another():
    seen = [[8, 9], *([n] for n in range(7)), [7, 8], [8]]
    slot = slot_of(seen, [1] + [0] * 9, [1] * 10)
    assert served(slot) == [9, 0, 1, 2, 3, 4, 5, 6, 8, 8]


def test_whoever_was_moved_takes_the_best_that_is_free_in_the_end():
    # Terminal 0 makes room on 0 for 2, joins nobody, and finds the better of 1 and 3.
    slot = slot_of([[0, 1, 3], [0]], [0, 1], [1, 1, 0, 1], scores=[9.0, 2.0, 5.0, 1.0])
    assert served(slot) == [3, 0]


def test_no_terminal_loses_its_service_to_one_after_it():
    for seed in range(20):
        slot = random_slot(np.random.default_rng([9, seed]))
        first = slot.rank < 30
        alone = slot._replace(score=np.where(np.repeat(first, np.diff(slot[0])), slot[2], -np.inf))
        assert set(np.flatnonzero(assign(*alone).chosen >= 0)) <= set(
            np.flatnonzero(assign(*slot).chosen >= 0)
        )


def test_the_numbers_of_cells_mean_nothing():
    slot = random_slot(np.random.default_rng(10))
    renamed = slot._replace(cell=0x0851D0003FFFFFFF + slot.cell * 1_000_003)
    assert assign(*renamed).chosen.tolist() == assign(*slot).chosen.tolist()


def test_the_order_of_the_terminals_rows_means_nothing(full_counts):
    for seed in range(300 if full_counts else 30):
        rng = np.random.default_rng([9, seed])
        # So many cells that a search for room ends before it has seen them all.
        slot = random_slot(rng, cells=400, satellites=int(rng.integers(40, 120)), crowded=0)
        row = rng.permutation(slot.cell.size)
        ends = [(slot.terminal_start[t], slot.terminal_start[t + 1]) for t in row]
        pair = np.concatenate([np.arange(*each) for each in ends])
        turned = slot._replace(
            terminal_start=np.append(0, np.cumsum(np.diff(slot.terminal_start)[row])),
            sat=slot.sat[pair],
            score=slot.score[pair],
            cell=slot.cell[row],
            rank=slot.rank[row],
        )
        had = served(slot)
        assert served(turned) == [had[t] for t in row.tolist()], seed


def test_a_slot_without_terminals_is_no_special_case():
    empty = slot_of([], [], [3])
    assert assign(*empty).chosen.size == 0
    assert assign(*empty).beams_used.tolist() == [0]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"score": np.array([1.0, np.nan])}, "a score is NaN or infinite; pass -inf"),
        ({"score": np.array([1.0, np.inf])}, "a score is NaN or infinite"),
        ({"score": np.array([1.0])}, r"score \(1,\); pass one each of 2 candidates"),
        ({"cell": np.array([1])}, r"cell has shape \(1,\) .* of 2 terminals"),
        ({"cell": np.array([-1, 0])}, "a cell is -1; pass a number from 0 up"),
        ({"sat": np.array([0, 7], np.int32)}, "satellite row 7; there are limits of 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(change, text):
    with pytest.raises(InputError, match=text):
        assign(*slot_of([[0], [1]], [0, 1], [1, 1])._replace(**change))


def test_every_generation_has_48_beams_down_and_16_up_unless_a_table_says_otherwise():
    generation = np.arange(len(GENERATIONS), dtype=np.int8)
    limits = beam_limits(generation)
    assert set(limits.down.tolist()) == {48}
    assert set(limits.up.tolist()) == {16}
    row = GENERATIONS.index("v2-mini")
    limits = beam_limits(generation, {"v2-mini": (96, 30)})
    assert (limits.down[row], limits.up[row], limits.links[row]) == (96, 30, 90)
    assert set(np.delete(limits.links, row).tolist()) == {48}


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ({"v2 mini": (1, 1)}, 'generation "v2 mini": there is none; expected one of "", "unknown"'),
        ({"v1.5": (-1, 4)}, "found -1 down and 4 up, expected 0 to 10000"),
        ({"v1.5": (4, 10_001)}, "found 4 down and 10001 up, expected 0 to 10000"),
    ],
)
def test_a_table_of_beams_that_cannot_be_is_refused(table, text):
    with pytest.raises(InputError, match=text):
        beam_limits(np.zeros(1, np.int8), table)


IDS = [f"dish-{number}" for number in range(400)]
MIXED = np.resize(["standard", "priority", "lifeline", "standard"], 400)


def test_lifelines_come_first_then_priority_then_standard():
    rank = service_rank(MIXED, 1, 5, IDS)
    assert sorted(rank.tolist()) == list(range(400))
    assert rank[MIXED == "lifeline"].max() < rank[MIXED == "priority"].min()
    assert rank[MIXED == "priority"].max() < rank[MIXED == "standard"].min()


def test_the_order_within_a_class_is_drawn_anew_for_each_slot_and_seed():
    draws = [service_rank(["standard"] * 400, *at, IDS) for at in ((1, 5), (1, 6), (2, 5))]
    for a, b in ((0, 1), (0, 2), (1, 2)):
        assert abs(np.corrcoef(draws[a], draws[b])[0, 1]) < 0.2  # 4 sigma of 400 at random
    places = np.array([service_rank(["standard"] * 10, 0, k, IDS[:10]) for k in range(300)])
    assert (np.sort(places, axis=0)[[0, -1]].T == [0, 9]).all()  # everyone is first and last once


def test_the_order_of_two_terminals_does_not_depend_on_who_else_is_there():
    whole = service_rank(MIXED, 1, 5, IDS)
    half = service_rank(MIXED[::2], 1, 5, IDS[::2])
    assert np.argsort(whole[::2]).tolist() == np.argsort(half).tolist()
    assert service_rank(MIXED, 1, 5, text_keys(IDS)).tolist() == whole.tolist()


def test_a_cell_of_four_has_its_first_turn_before_a_lone_terminal_in_16_of_17_slots():
    # Four waits of rate 4 against one of rate 1.
    cell = np.array([0, 0, 0, 0, 1])
    first = [service_rank(["standard"] * 5, 0, k, IDS[:5], cell)[4] > 0 for k in range(1000)]
    four_sigma = 4.0 * np.sqrt(16 / 17 / 17 / 1000)
    assert np.mean(first) == pytest.approx(16 / 17, abs=four_sigma)


def test_a_service_class_that_is_none_is_refused():
    with pytest.raises(
        InputError, match='"gold" is unknown; expected lifeline, priority, standard'
    ):
        service_rank(["gold"], 0, 0, ["a"])


TWO_SEE_THREE = slot_of([[0, 1, 2], [0, 1, 2]], [3, 4], [1, 1, 1], [1, 1, 0])


def test_a_choice_of_one_s_own_within_the_limits_gets_its_channels():
    slot = slot_of([[0, 1], [0, 1], [0], [1]], [3, 3, 4, 4], [2, 2])
    answer = checked_choice([1, 2, 4, -1], *slot.unranked)
    assert answer.chosen.tolist() == [1, 2, 4, -1]
    assert answer.channel.tolist() == [1, 0, 0, -1]
    assert answer.beams_used.tolist() == [2, 1]
    assert answer.reason_no_beam.tolist() == [False, False, False, True]
    assert check(answer, *slot.unranked) == []


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ([0, 0], "terminal row 1 is served by a satellite it does not see; choose within"),
        ([3, -1], "terminal row 0 is served by a satellite it does not see"),
        ([-2, -1], "terminal row 0 is served by a satellite it does not see"),
        ([0, 3], "satellite row 0 uses 2 of 1 down beams"),
        ([-1, 5], "satellite row 2 uses 1 of 0 up beams"),
        ([0], r"shape \(1,\) .*; return one whole number for each of 2 terminals"),
        ([0.0, 4.0], "type float64; return one whole number"),
    ],
)
def test_a_choice_of_one_s_own_beyond_a_limit_is_refused_by_its_name(chosen, text):
    with pytest.raises(InputError, match=text):
        checked_choice(chosen, *TWO_SEE_THREE.unranked)


def test_a_choice_of_a_satellite_that_may_not_serve_is_refused():
    slot = slot_of([[0, 1]], [0], [1, 1], scores=[-np.inf, 0.0])
    with pytest.raises(InputError, match="row 0 is served by satellite row 0, which may not serve"):
        checked_choice([0], *slot.unranked)


def test_a_choice_of_nine_beams_in_a_cell_is_refused_and_names_a_terminal_not_the_cell():
    slot = slot_of([[n] for n in range(9)], [77] * 9, [1] * 9)
    with pytest.raises(InputError, match="terminal row 8 is on channel 8; there are 0 to 7") as why:
        checked_choice(range(9), *slot.unranked)
    assert "77" not in str(why.value)


@pytest.mark.parametrize(
    ("channel", "text"),
    [
        ([1, 1, 0], "the cell of terminal row 0 has two beams on channel 1"),
        ([2, 8, 0], "terminal row 1 is on channel 8; there are 0 to 7"),
        ([-1, 0, 0], "terminal row 0 is on channel -1; there are 0 to 7"),
    ],
)
def test_a_channel_that_is_wrong_is_told(channel, text):
    slot = slot_of([[0], [1], [0]], [3, 3, 4], [2, 1])
    answer = replace(assign(*slot), channel=np.array(channel, np.int8))
    assert check(answer, *slot.unranked) == [text]


def test_a_beam_in_two_channels_at_once_is_told():
    slot = slot_of([[0], [0]], [3, 3], [2])
    answer = replace(assign(*slot), channel=np.array([0, 1], np.int8))
    assert check(answer, *slot.unranked) == [
        "the cell of terminal row 0 has two beams of satellite row 0"
    ]
