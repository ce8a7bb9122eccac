"""One reason for each terminal-slot out or degraded, against pandas over the whole run."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from synthetic_run import (
    chunk_of,
    labels_of,
    out_throughout,
    served_throughout,
    stream,
    two_operators,
    write_run,
)

from skyweave.policy import REASONS, SERVED, Reason
from skyweave.twin.results import outages as stage
from skyweave.twin.results.folder import load_run
from skyweave.twin.results.outages import (
    AS_USUAL,
    DEGRADATIONS,
    DEGRADED_S,
    FIRST_DEGRADED,
    OLD_DAYS,
    WHYS,
    Attribution,
    Cause,
    Degradation,
    Parts,
    attribution_rows,
    cause_of,
    count_whys,
    has_old_elements,
    parts_of,
    why_codes,
    why_named,
)

STEP_S = 1.01e-5  # parts of an RTT wait in steps of 10 us
PARTS = ("isl", "fibre", "radio", "rest")
NAMES = dict(zip(PARTS, DEGRADATIONS[1:], strict=True))


def frame_of(labels, chunk):
    """One row per terminal-slot with the parts of its RTT, sorted by terminal, then by slot."""
    slot, row = np.indices(chunk.reason.shape)
    parts = dict(zip(PARTS, parts_of(chunk), strict=False))
    frame = pd.DataFrame(
        {"row": row.ravel(), "slot": slot.ravel(), "reason": chunk.reason.ravel()}
        | {"pop": chunk.pop.ravel(), "rtt": chunk.rtt_s.ravel()}
        | {name: part_s.ravel() for name, part_s in parts.items()}
    )
    frame["rest"] = frame["rtt"] - frame[["isl", "fibre", "radio"]].sum(axis=1)
    return frame.sort_values(["row", "slot"], ignore_index=True)


def whys_by_pandas(frame):
    """The name of each row's reason, "" where service was as usual."""
    served = frame[frame["reason"] == SERVED]
    by_row = served.groupby("row")
    excess = served[[*PARTS, "rtt"]] - by_row[[*PARTS, "rtt"]].transform("median")
    main_pop = by_row["pop"].agg(lambda own: own.value_counts().sort_index().idxmax())
    is_other = served["pop"] != served["row"].map(main_pop)
    by_place = excess["isl"] + excess["fibre"] > excess[["radio", "rest"]].max(axis=1)
    grew = excess[list(PARTS)].idxmax(axis=1).map(lambda part: str(NAMES[part]))
    late = grew.mask(is_other & by_place, "other_pop").where(excess["rtt"] > DEGRADED_S, "")
    names = pd.Series([str(REASONS[r]) if r >= 0 else "" for r in frame["reason"]])
    names[late.index] = late
    return names


def expected_rows(labels, chunk):
    """The attribution by pandas: the figures that do not depend on the elements' age."""
    frame = frame_of(labels, chunk)
    frame["why"] = whys_by_pandas(frame)
    spell = (
        (frame["why"] != frame["why"].shift()) | (frame["row"] != frame["row"].shift())
    ).cumsum()
    frame["spell"] = frame.groupby(spell)["slot"].transform("size")
    found = frame[frame["why"] != ""].groupby("why")
    table = found.agg(
        slots=("slot", "size"), terminals=("row", "nunique"), longest=("spell", "max")
    )
    return {str(name): tuple(row) for name, *row in table.itertuples()}


@pytest.mark.parametrize("seed", range(4))
def test_every_slot_out_or_degraded_has_the_reason_that_pandas_finds(tmp_path, seed):
    labels = labels_of()
    chunk = chunk_of(labels, seed)
    found = stream(tmp_path, labels, chunk, cut=7).attribution
    rows = attribution_rows(found, labels.slots, labels.terminals, labels.slot_s)
    got = {
        row["reason"]: (row["terminal_slots"], row["terminals"], round(row["longest_s"] / 15.0))
        for row in rows
    }
    assert got == expected_rows(labels, chunk)
    assert {"other_pop", "laser_detour"} <= got.keys()  # the invented run is rich enough


def test_attribution_does_not_depend_on_how_the_run_was_cut(tmp_path, monkeypatch):
    labels, chunk = labels_of(), chunk_of(labels_of(), seed=5)
    whole = stream(tmp_path, labels, chunk).attribution
    monkeypatch.setattr(stage, "BLOCK_SAMPLES", 3 * 30)
    np.testing.assert_equal(stream(tmp_path, labels, chunk, cut=4).attribution, whole)


def test_out_slots_agree_with_those_counted_by_reason(tmp_path):
    statistics = stream(tmp_path, labels_of(), chunk_of(labels_of()))
    np.testing.assert_array_equal(
        statistics.attribution.slots[:FIRST_DEGRADED], statistics.reason_slots.sum(axis=0)
    )


def test_shares_are_of_all_terminal_slots_and_rows_run_from_out_to_degraded(tmp_path):
    labels = labels_of()
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    rows = run.summary["attribution"]
    states = [row["state"] for row in rows]
    assert states == sorted(states, reverse=True)
    assert set(states) == {"out", "degraded"}
    out = sum(row["share"] for row in rows if row["state"] == "out")
    assert out == pytest.approx(1 - run.summary["served_share"], abs=1e-8)
    for state in ("out", "degraded"):
        slots = [row["terminal_slots"] for row in rows if row["state"] == state]
        assert slots == sorted(slots, reverse=True)


def one_late(part, late_s, slots=9, pop=0):
    """Nine slots of one terminal, alike but for the middle one: reasons, RTTs, parts, other PoP."""
    parts = {name: np.full((slots, 1), 0.010) for name in PARTS}
    parts[part][slots // 2] += late_s
    rtt_s = sum(parts.values())
    is_other = np.zeros((slots, 1), dtype=bool)
    is_other[slots // 2] = bool(pop)
    known = Parts(parts["isl"], parts["fibre"], parts["radio"])
    return np.full((slots, 1), SERVED), rtt_s, known, is_other


@pytest.mark.parametrize("part", PARTS)
def test_the_part_that_grew_most_names_the_degradation(part):
    codes = why_codes(*one_late(part, 1.01 * DEGRADED_S))
    assert WHYS[codes[4, 0]] is NAMES[part]
    assert (np.delete(codes, 4) == AS_USUAL).all()


@pytest.mark.parametrize("part", PARTS)
def test_a_slot_within_the_limit_is_as_usual(part):
    assert (why_codes(*one_late(part, 0.99 * DEGRADED_S)) == AS_USUAL).all()


@pytest.mark.parametrize(("part", "is_pop"), [("isl", 1), ("fibre", 1), ("radio", 0), ("rest", 0)])
def test_another_pop_counts_where_the_way_to_it_is_what_grew(part, is_pop):
    codes = why_codes(*one_late(part, 0.05, pop=1))
    assert WHYS[codes[4, 0]] is (Degradation.OTHER_POP if is_pop else NAMES[part])


def test_a_place_that_is_always_far_is_never_degraded(tmp_path):
    labels = labels_of()
    chunk = served_throughout(labels)
    far = {name: np.full_like(chunk.rtt_s, 0.2) for name in ("isl_s", "fibre_s")}
    constant = {name: np.full_like(chunk.rtt_s, 0.005) for name in ("access_s", "feeder_s")}
    chunk = replace(chunk, rtt_s=np.full_like(chunk.rtt_s, 0.42), **far, **constant)
    assert stream(tmp_path, labels, chunk).attribution.slots.sum() == 0


def test_nobody_served_is_out_for_one_reason_in_one_spell(tmp_path):
    labels = labels_of()
    run = load_run(write_run(tmp_path / "r", labels, out_throughout(labels)))
    assert run.summary["attribution"] == [
        {
            "state": "out",
            "reason": "no_satellite_in_view",
            "cause": "orbit",
            "terminal_slots": 360,
            "share": 1.0,
            "longest_s": 450.0,
            "terminals": 12,
            "confidence": "high",
            "low_confidence_share": 0.0,
        }
    ]


def test_a_run_without_terminals_has_nothing_to_attribute(tmp_path):
    labels = labels_of(terminals=0)
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    assert run.summary["attribution"] == []


def count_by_hand(codes, is_old):
    """The plain reference of the kernel that counts."""
    counts = np.zeros((4, len(WHYS)), dtype=np.int64)
    for own, old in zip(codes.T, is_old.T, strict=True):
        for code in np.unique(own[own >= 0]):
            mine = own == code
            spells = "".join("x" if here else " " for here in mine).split()
            counts[0, code] += mine.sum()
            counts[1, code] += 1
            counts[2, code] = max(counts[2, code], *map(len, spells))
            counts[3, code] += (mine & old).sum()
    return counts


@pytest.mark.parametrize(("slots", "terminals"), [(1, 1), (40, 1), (1, 7), (60, 9)])
def test_the_counting_kernel_agrees_with_plain_loops(slots, terminals):
    rng = np.random.default_rng(slots)
    codes = rng.choice(np.array([-1, -1, 0, 3, len(WHYS) - 1], np.int8), (slots, terminals))
    is_old = rng.random((slots, terminals)) < 0.4
    found = Attribution(*np.zeros((4, len(WHYS)), dtype=np.int64))
    count_whys(codes, is_old, *found)
    np.testing.assert_array_equal(found, count_by_hand(codes, is_old))


def with_ages(labels, age_days):
    return replace(labels, element_age_days=np.asarray(age_days, dtype=np.float64))


def test_a_served_slot_is_unsure_by_the_age_of_its_own_satellite():
    labels = labels_of(terminals=3, slots=8, slot_s=3600.0)
    age_days = np.array([0.0, OLD_DAYS - 0.1, OLD_DAYS + 0.1, -0.5, -OLD_DAYS - 0.2, *[np.nan] * 4])
    chunk = served_throughout(labels)
    expected = np.zeros(chunk.sat.shape, dtype=bool)
    for (k, s), sat in np.ndenumerate(chunk.sat):
        expected[k, s] = abs(age_days[sat] + k / 24.0) > OLD_DAYS
    np.testing.assert_array_equal(has_old_elements(with_ages(labels, age_days), chunk), expected)
    part = chunk.part(5, 8)  # a chunk knows where in the run it is
    np.testing.assert_array_equal(has_old_elements(with_ages(labels, age_days), part), expected[5:])


def test_an_outage_is_unsure_by_the_middle_age_of_its_operators_fleet():
    labels, _ = two_operators()
    is_west = np.arange(9) >= 5
    labels = replace(
        with_ages(labels, np.where(is_west, 3.0, 0.5)),
        sat_operator=np.where(is_west, "OneWeb", "Starlink"),
    )
    is_old = has_old_elements(labels, out_throughout(labels))
    np.testing.assert_array_equal(is_old.all(axis=0), labels.terminal_operator == "OneWeb")
    assert not is_old[:, labels.terminal_operator == "Starlink"].any()


def test_the_age_of_a_fleet_is_a_distance_that_changes_with_time():
    labels = labels_of(terminals=2, slots=6, slot_s=86_400.0)
    nobody = out_throughout(labels)
    growing = has_old_elements(with_ages(labels, [1.5] * 5 + [9.0] * 4), nobody)
    assert growing.all(axis=1).tolist() == [False, True, True, True, True, True]
    from_the_future = has_old_elements(with_ages(labels, [-4.5] * 9), nobody)
    assert from_the_future.all(axis=1).tolist() == [True, True, True, False, False, False]
    assert (growing.all(axis=1) == growing.any(axis=1)).all()


@pytest.mark.parametrize(
    "reason", [Reason.CORE_FAILED, Reason.CELL_IS_DISABLED, Reason.POSITION_UNKNOWN]
)
def test_what_no_satellite_decides_is_sure_at_any_age(reason):
    labels = with_ages(labels_of(), np.full(9, 10.0))
    assert not has_old_elements(labels, out_throughout(labels, reason)).any()
    assert has_old_elements(labels, out_throughout(labels, Reason.OBSTRUCTED)).all()


def test_made_satellites_and_unasked_ages_are_sure():
    labels = labels_of()
    chunk = chunk_of(labels)
    assert not has_old_elements(labels, chunk).any()
    assert not has_old_elements(with_ages(labels, np.full(9, np.nan)), chunk).any()


def test_the_table_says_low_where_more_than_half_is_unsure(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels, seed=3)
    ages = with_ages(labels, np.where(np.arange(9) < 6, 2.5, 0.1))
    frame = frame_of(labels, chunk)
    frame["why"] = whys_by_pandas(frame)
    old = has_old_elements(ages, chunk)
    frame["old"] = old[frame["slot"], frame["row"]]
    shares = frame[frame["why"] != ""].groupby("why")["old"].mean()
    run = load_run(write_run(tmp_path / "r", ages, chunk))
    found = {row["reason"]: row for row in run.summary["attribution"]}
    for name, share in shares.items():
        assert found[name]["low_confidence_share"] == pytest.approx(share, abs=1e-9)
        assert found[name]["confidence"] == ("low" if share > 0.5 else "high")
    report = (run.folder / "report.html").read_text("utf-8")
    assert "Confidence is low where the answer hangs on orbit data more than 2 days" in report


def test_the_report_has_a_row_for_each_reason_with_share_longest_and_sites(tmp_path):
    labels = labels_of()
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    report = (run.folder / "report.html").read_text("utf-8").replace("\u00a0", " ")
    assert "Why service was slower than usual" in report
    assert "Confidence is low" not in report
    for row in run.summary["attribution"]:
        text = why_named(row["reason"]).text.capitalize()
        tail = report.partition(f"{text}<small>{row['reason']}</small>")[2].partition("</tr>")[0]
        assert f">{row['cause'].replace('_', ' ')}</td>" in tail
        assert f">{row['terminals']}</td>" in tail
        assert ">high</td>" in tail


def test_every_reason_has_one_cause_and_every_cause_a_reason():
    assert {cause_of(why) for why in WHYS} == set(Cause)
    assert len(set(map(str, WHYS))) == len(WHYS) == len(REASONS) + len(DEGRADATIONS)
    for why in WHYS:
        assert why_named(str(why)) is why
        assert "\n" not in why.text
        assert not why.text.endswith(".")


def test_parts_wait_in_steps_that_no_reason_depends_on():
    labels = labels_of()
    chunk = chunk_of(labels)
    codes = why_codes(chunk.reason, chunk.rtt_s, parts_of(chunk), chunk.pop != 0)
    stepped = Parts(*(np.round(part / stage.STEP_S) * stage.STEP_S for part in parts_of(chunk)))
    assert (
        max(np.nanmax(abs(a - b)) for a, b in zip(stepped, parts_of(chunk), strict=True)) < STEP_S
    )
    np.testing.assert_array_equal(
        why_codes(chunk.reason, chunk.rtt_s, stepped, chunk.pop != 0), codes
    )
