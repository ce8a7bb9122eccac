"""Nearest epoch, names and age."""

from dataclasses import replace

import numpy as np
import pytest

from skyweave.errors import InputError
from skyweave.twin.catalogue import (
    age_days,
    age_warning,
    concatenate,
    earlier_sets,
    leave_out_old,
    median_age_days,
    nearest_epoch,
    read_catalogue,
    rows_of,
    select_names,
)

START = np.datetime64("2024-10-21T07:30:00", "ns")


@pytest.fixture(scope="module")
def all_years(reference_data):
    return read_catalogue(reference_data / "tle")


@pytest.fixture(scope="module")
def builtin():
    return read_catalogue("builtin:2026-06-14")


def dated(catalogue, *days):
    """Return one copy of a catalogue for each number of days, its epochs moved by them."""
    shift = [np.timedelta64(round(day * 86_400e9), "ns") for day in days]
    return concatenate([replace(catalogue, epoch_utc=catalogue.epoch_utc + s) for s in shift])


def test_a_run_in_2024_over_a_folder_of_2022_to_2026_uses_the_elements_of_2024(
    all_years, reference_data
):
    nearest = nearest_epoch(select_names(all_years, ["STARLINK"]), START)
    kept, left_out = leave_out_old(nearest, START, 14.0)
    of_2024 = read_catalogue(reference_data / "tle" / "2024-10-21T0730Z" / "starlink.tle.gz")
    order = np.argsort(of_2024.norad_id)
    np.testing.assert_array_equal(kept.norad_id, of_2024.norad_id[order])
    np.testing.assert_array_equal(kept.epoch_utc, of_2024.epoch_utc[order])
    np.testing.assert_array_equal(kept.mean_anomaly_deg, of_2024.mean_anomaly_deg[order])
    assert len(kept) == 6_469
    assert len(left_out) == len(nearest) - 6_469
    assert "days newer than the start, beyond max_age_days = 14" in left_out[0].reason
    assert age_warning(kept, START) == ""


def test_the_folder_serves_2024_also_when_nothing_is_selected(all_years):
    kept, _ = leave_out_old(nearest_epoch(all_years, START), START, 14.0)
    assert len(kept) == 6_469


@pytest.mark.parametrize("start", ["2023-06-01", "2025-06-01", "2027-01-01"])
def test_a_date_the_folder_does_not_hold_is_refused(all_years, start):
    start_utc = np.datetime64(start, "ns")
    starlink = select_names(all_years, ["STARLINK"])
    with pytest.raises(
        InputError,
        match=r"days \(median\) from the start .*, beyond max_age_days = "
        r"14; give a catalogue of that date, start near 202\d-\d\d-\d\d, or raise",
    ):
        leave_out_old(nearest_epoch(starlink, start_utc), start_utc, 14.0)


def test_one_old_object_among_fresh_ones_does_not_make_the_date_right(builtin):
    start = np.datetime64("2026-05-17", "ns")  # the built-in set has a few objects of that day
    assert (np.abs(age_days(builtin, start)) < 3.0).any()
    with pytest.raises(InputError, match="beyond max_age_days = 14"):
        leave_out_old(builtin, start, 14.0)


@pytest.mark.parametrize(("days", "kept"), [(-2.0, -2.0), (1.9, 1.9), (0.0, 0.0)])
def test_the_nearest_set_stays_whether_older_or_newer(builtin, days, kept):
    some = builtin.take(np.arange(5))
    start = some.epoch_utc[0]
    sets = dated(replace(some, epoch_utc=np.full(5, start)), -3.0, days, 2.5, 900.0)
    nearest = nearest_epoch(sets, start)
    assert age_days(nearest, start).tolist() == [-kept] * 5
    assert nearest.duplicates == 15
    assert nearest.norad_id.tolist() == sorted(some.norad_id.tolist())


def test_of_two_sets_equally_near_the_first_stays(builtin):
    one = builtin.take(np.arange(1))
    sets = dated(replace(one, name=np.array(["FIRST"])), 1.0)
    other = dated(replace(one, name=np.array(["SECOND"])), -1.0)
    assert nearest_epoch(concatenate([sets, other]), one.epoch_utc[0]).name.tolist() == ["FIRST"]


def test_nearest_epochs_do_not_depend_on_the_order_of_sets(builtin):
    sets = dated(builtin.take(np.arange(300)), -2.0, 0.0, 1.0)
    shuffled = sets.take(np.random.default_rng(0).permutation(len(sets)))
    start = np.datetime64("2026-06-14", "ns")
    one, other = nearest_epoch(sets, start), nearest_epoch(shuffled, start)
    np.testing.assert_array_equal(one.norad_id, other.norad_id)
    np.testing.assert_array_equal(one.epoch_utc, other.epoch_utc)


def test_names_are_selected_by_prefix_in_any_case(builtin):
    assert len(select_names(builtin, ["STARLINK"])) == 10_546
    both = select_names(builtin, ["starlink-", "OneWeb"])
    assert len(both) == 10_546 + 651
    assert select_names(builtin, []) is builtin


@pytest.mark.parametrize(
    ("prefix", "advice"),
    [
        ("STARLNK", "no object's name begins with 'STARLNK'; did you mean 'STARLINK'?"),
        ("@@", "the largest groups are 'STARLINK' (10546), 'ONEWEB' (651), 'KUIPER' (328), "),
        (" ", "no object's name begins with ' '; the largest groups are"),
    ],
)
def test_a_name_that_selects_nothing_is_refused_with_advice(builtin, prefix, advice):
    with pytest.raises(InputError) as refusal:
        select_names(builtin, ["ONEWEB", prefix])
    assert advice in str(refusal.value)


def test_age_is_positive_for_elements_older_than_the_start(builtin):
    one = builtin.take(np.arange(1))
    assert age_days(dated(one, -1.5), one.epoch_utc[0]).tolist() == [1.5]
    assert age_days(dated(one, 0.25), one.epoch_utc[0]).tolist() == [-0.25]


def test_elements_further_than_three_days_are_warned_of_with_the_median_age(builtin):
    some = builtin.take(np.arange(4))
    some = replace(some, epoch_utc=np.full(4, START))
    assert age_warning(dated(some, 3.0, -3.0), START) == ""
    warning = age_warning(dated(some, -4.0, 0.0, 6.0), START)
    assert warning.startswith(
        "8 of 12 objects have elements more than 3 days from the start (median 4.0 days)"
    )


def test_an_object_too_old_is_left_out_and_listed(builtin):
    some = builtin.take(np.arange(3))
    some = replace(some, epoch_utc=START - np.array([0, 14, 15]) * np.timedelta64(1, "D"))
    kept, (left_out,) = leave_out_old(some, START, 14.0)
    assert kept.norad_id.tolist() == some.norad_id[:2].tolist()
    assert left_out.reason == (
        "its elements are 15.0 days older than the start, beyond max_age_days = 14"
    )
    assert left_out.text == f"{some.norad_id[2]} {some.name[2]}, epoch 2024-10-06T07:30:00Z"


def test_nothing_at_all_stays_nothing(builtin):
    nothing = builtin.take(np.zeros(len(builtin), dtype=bool))
    assert len(nearest_epoch(nothing, START)) == 0
    kept, left_out = leave_out_old(nothing, START, 14.0)
    assert len(kept) == 0
    assert left_out == []
    assert np.isnan(median_age_days(nothing, START))
    assert len(earlier_sets(builtin, nothing)) == 0
    assert rows_of(nothing, builtin.norad_id[:2]).tolist() == [-1, -1]


def test_rows_are_found_by_number_whatever_the_order(builtin):
    some = builtin.take(np.array([7, 3, 5]))
    assert rows_of(some, builtin.norad_id[:8]).tolist() == [-1, -1, -1, 1, -1, 2, -1, 0]


def test_a_set_of_another_season_tells_nothing_of_motion(builtin):
    some = builtin.take(np.arange(4))
    sets = dated(some, -61.0, 0.0)
    assert len(earlier_sets(sets, nearest_epoch(sets, sets.epoch_utc.max()))) == 0


def test_an_earlier_set_is_the_newest_that_is_three_days_older(builtin):
    some = builtin.take(np.arange(4))
    sets = dated(some, -30.0, -3.5, -2.0, 0.0)
    previous = earlier_sets(sets, nearest_epoch(sets, sets.epoch_utc.max()))
    order = np.argsort(some.norad_id)
    np.testing.assert_array_equal(previous.norad_id, some.norad_id[order])
    half_a_week = np.timedelta64(302_400, "s")
    np.testing.assert_array_equal(previous.epoch_utc, some.epoch_utc[order] - half_a_week)
