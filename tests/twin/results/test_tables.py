"""The access table against the arrays it was made from, and its bytes against each other."""

import hashlib
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic_run import (
    chunk_of,
    labels_of,
    out_throughout,
    served_throughout,
    stream,
    stream_both,
    two_operators,
)

from skyweave.errors import InputError
from skyweave.policy import REASONS
from skyweave.twin.results import tables
from skyweave.twin.results.folder import _read_parquet
from skyweave.twin.results.tables import AccessWriter

COLUMNS = [
    "slot",
    "time_utc",
    "terminal_id",
    "state",
    "reason",
    "norad_id",
    "elevation_deg",
    "azimuth_deg",
    "range_m",
    "gateway_id",
    "gateway_country",
    "pop_id",
    "isl_hops",
    "rtt_s",
    "down_bps",
    "up_bps",
]


@pytest.fixture(autouse=True)
def small_row_groups(monkeypatch):
    """Seven slots of twelve terminals, so that a run has several groups and a short last one."""
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 7 * 12)


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_columns_and_their_order_are_the_documented_ones(tmp_path):
    labels = labels_of()
    stream(tmp_path, labels, chunk_of(labels))
    assert pq.read_schema(tmp_path / "access.parquet").names == COLUMNS


def test_every_value_comes_back_in_its_slot_and_terminal(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    stream(tmp_path, labels, chunk)
    access = _read_parquet(tmp_path / "access.parquet")
    served = chunk.is_served.ravel()

    assert access["slot"].tolist() == np.repeat(np.arange(30), 12).tolist()
    expected = pd.Timestamp("2026-06-14T12:00:12Z") + pd.to_timedelta(15 * access["slot"], "s")
    assert (access["time_utc"] == expected).all()
    assert access["terminal_id"].tolist() == labels.terminal_id.tolist() * 30
    assert access["state"].tolist() == np.where(served, "served", "out").tolist()

    def column(name, texts=None):
        values = getattr(chunk, name).ravel()
        if texts is None:
            return [None if v == -1 or v != v else v for v in values.tolist()]
        return [None if v == -1 else texts[v] for v in values.tolist()]

    def found(name):
        return [None if pd.isna(v) else v for v in access[name].tolist()]

    assert found("reason") == column("reason", REASONS)
    assert found("norad_id") == column("sat", labels.norad_id.tolist())
    assert found("gateway_id") == column("gateway", labels.gateway_id.tolist())
    countries = [country or None for country in labels.gateway_country.tolist()]
    assert found("gateway_country") == column("gateway", countries)
    assert found("pop_id") == column("pop", labels.pop_id.tolist())
    assert found("isl_hops") == column("isl_hops")
    assert found("range_m") == column("range_m")
    assert found("rtt_s") == column("rtt_s")
    single = np.float32
    assert found("elevation_deg") == [v and single(v) for v in column("elevation_deg")]
    assert found("azimuth_deg") == [v and single(v) for v in column("azimuth_deg")]


def test_what_is_unknown_is_null_and_never_zero(tmp_path):
    labels = labels_of()
    stream(tmp_path, labels, out_throughout(labels))
    access = pq.read_table(tmp_path / "access.parquet")
    unknown = set(COLUMNS) - {"slot", "time_utc", "terminal_id", "state", "reason"}
    assert all(access[name].null_count == len(access) for name in unknown)


def test_rates_are_null_until_the_radio_stage(tmp_path):
    labels = labels_of()
    stream(tmp_path, labels, chunk_of(labels))
    access = pq.read_table(tmp_path / "access.parquet")
    assert access["down_bps"].null_count == access["up_bps"].null_count == len(access)


@pytest.mark.parametrize("access", ["all", "changes", "none"])
def test_bytes_do_not_depend_on_how_the_slots_were_cut(tmp_path, access):
    labels = labels_of()
    chunk = chunk_of(labels)
    found = []
    for cut in (1, 4, 7, 11, 30):
        folder = tmp_path / f"cut{cut}"
        folder.mkdir()
        stream(folder, labels, chunk, cut, access)
        found.append(digests(folder))
    assert all(digest == found[0] for digest in found)


def test_another_value_gives_other_bytes(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    rtt_s = chunk.rtt_s.copy()
    rtt_s[20, np.flatnonzero(chunk.is_served[20])[0]] += 1e-12
    for name, run in (("a", chunk), ("b", replace(chunk, rtt_s=rtt_s))):
        (tmp_path / name).mkdir()
        stream(tmp_path / name, labels, run)
    a, b = digests(tmp_path / "a"), digests(tmp_path / "b")
    assert a["access.parquet"] != b["access.parquet"]
    assert a["events.parquet"] == b["events.parquet"]


def test_only_the_tables_are_left_behind(tmp_path):
    labels = labels_of()
    stream(tmp_path, labels, chunk_of(labels))
    assert sorted(digests(tmp_path)) == ["access.parquet", "events.parquet"]


HOLDS = ["state", "reason", "norad_id", "gateway_id", "gateway_country", "pop_id"]


def every_slot(labels, access):
    """The rows that hold in every slot, as the docstring of `AccessWriter` tells to find them."""
    every = pd.MultiIndex.from_product([range(labels.slots), labels.terminal_id.tolist()])
    every = every.to_frame(index=False, name=["slot", "terminal_id"])
    access = access.astype({"terminal_id": every["terminal_id"].dtype})
    return pd.merge_asof(every, access, on="slot", by="terminal_id")


def plain(access):
    return access[HOLDS].astype(object).where(access[HOLDS].notna(), "nothing").to_numpy()


@given(
    terminals=st.integers(1, 5),
    slots=st.integers(1, 24),
    group_slots=st.integers(1, 9),
    cut=st.integers(1, 24),
    seed=st.integers(0, 2**16),
    out_share=st.sampled_from([0.0, 0.3, 1.0]),
)
@settings(max_examples=15, deadline=None)
def test_changes_restore_every_slot_wherever_groups_and_chunks_end(
    terminals, slots, group_slots, cut, seed, out_share
):
    labels = labels_of(terminals=terminals, slots=slots, satellites=3)
    chunk = chunk_of(labels, seed, out_share)
    found = {}
    with patch.object(tables, "ROWS_PER_GROUP", group_slots * terminals):
        for mode in ("all", "changes"):
            with TemporaryDirectory() as folder:
                stream(Path(folder), labels, chunk, cut, access=mode)
                found[mode] = _read_parquet(Path(folder) / "access.parquet")
    whole, kept = found["all"], found["changes"]
    assert (plain(every_slot(labels, kept)) == plain(whole)).all()
    held = plain(whole).reshape(slots, terminals, len(HOLDS))
    changed = (held[1:] != held[:-1]).any(axis=2).sum()
    assert len(kept) == terminals + changed  # and not a row more than needed


def test_none_leaves_a_table_without_rows(tmp_path):
    labels = labels_of()
    statistics = stream(tmp_path, labels, chunk_of(labels), access="none")
    assert pq.read_table(tmp_path / "access.parquet").num_rows == 0
    assert pq.read_table(tmp_path / "events.parquet").num_rows > 0
    assert 0 < statistics.served_share < 1


def test_what_would_have_been_changes_no_table(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    (tmp_path / "alone").mkdir()
    (tmp_path / "compared").mkdir()
    stream(tmp_path / "alone", labels, chunk, 4)
    stream_both(tmp_path / "compared", labels, chunk, chunk_of(labels, seed=5), 4)
    assert digests(tmp_path / "alone") == digests(tmp_path / "compared")


def test_a_chunk_to_compare_with_comes_with_every_chunk_or_with_none(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    with (
        AccessWriter(tmp_path, labels, compares=True) as writer,
        pytest.raises(InputError, match="pass it exactly when the writer compares"),
    ):
        writer.write(chunk)
    with (
        AccessWriter(tmp_path, labels) as writer,
        pytest.raises(InputError, match="pass it exactly when the writer compares"),
    ):
        writer.write(chunk, chunk)


def test_the_chunk_to_compare_with_is_checked_like_the_other(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    with (
        AccessWriter(tmp_path, labels, compares=True) as writer,
        pytest.raises(InputError, match="chunk starts at slot 2; pass slot 0 next"),
    ):
        writer.write(chunk.part(0, 2), chunk.part(2, 4))


def test_two_operators_may_use_gateways_of_the_same_name(tmp_path):
    labels, chunk = two_operators()
    stream(tmp_path, labels, chunk, 4)
    access = _read_parquet(tmp_path / "access.parquet")
    served = chunk.is_served.ravel()
    names = access["gateway_id"].astype(object).to_numpy()
    assert (names[served] == labels.gateway_id[chunk.gateway.ravel()[served]]).all()
    assert access["gateway_id"].cat.categories.tolist() == ["angeles", "akita", "sumba", "ship"]


@pytest.mark.parametrize(("name", "rows"), [("sat", 9), ("gateway", 4), ("pop", 2)])
def test_row_numbers_that_no_label_has_are_refused(tmp_path, name, rows):
    labels = labels_of()
    chunk = served_throughout(labels)
    bad = replace(chunk, **{name: np.full_like(getattr(chunk, name), rows)})
    with (
        AccessWriter(tmp_path, labels) as writer,
        pytest.raises(
            InputError, match=rf"chunk.{name} holds rows {rows}..{rows}; pass -1..{rows - 1}"
        ),
    ):
        writer.write(bad)


@pytest.mark.parametrize("name", ["range_m", "reason", "isl_s"])
def test_arrays_of_another_shape_are_refused(tmp_path, name):
    labels = labels_of()
    chunk = chunk_of(labels)
    bad = replace(chunk, **{name: getattr(chunk, name)[:, :5]})
    with (
        AccessWriter(tmp_path, labels) as writer,
        pytest.raises(InputError, match=rf"chunk.{name} has shape \(30, 5\); pass .* \(30, 12\)"),
    ):
        writer.write(bad)


def test_slots_out_of_order_are_refused(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    with AccessWriter(tmp_path, labels) as writer:
        writer.write(chunk.part(0, 3))
        with pytest.raises(InputError, match="starts at slot 5; pass slot 3 next"):
            writer.write(chunk.part(5, 6))


def test_more_slots_than_the_run_has_are_refused(tmp_path):
    labels = labels_of(slots=30)
    with (
        AccessWriter(tmp_path, replace(labels, slots=20)) as writer,
        pytest.raises(InputError, match="reaches slot 29, but the run has 20 slots"),
    ):
        writer.write(chunk_of(labels))


def test_a_run_that_stops_early_is_refused(tmp_path):
    labels = labels_of()
    with AccessWriter(tmp_path, labels) as writer:
        writer.write(chunk_of(labels).part(0, 3))
        with pytest.raises(InputError, match="has 30 slots, but only 3 were written"):
            writer.finish()


def test_an_outage_with_a_round_trip_time_of_zero_is_refused(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    zero = replace(chunk, rtt_s=np.nan_to_num(chunk.rtt_s))
    with (
        AccessWriter(tmp_path, labels) as writer,
        pytest.raises(InputError, match="is out has an RTT; pass NaN"),
    ):
        writer.write(zero)


@pytest.mark.parametrize("name", ["sat", "gateway", "pop"])
def test_service_from_nowhere_is_refused(tmp_path, name):
    labels = labels_of()
    chunk = chunk_of(labels)
    nowhere = replace(chunk, **{name: np.full_like(getattr(chunk, name), -1)})
    with (
        AccessWriter(tmp_path, labels) as writer,
        pytest.raises(InputError, match="lacks a satellite, gateway, PoP or RTT"),
    ):
        writer.write(nowhere)


def test_a_reason_outside_the_enum_is_refused(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    with (
        AccessWriter(tmp_path, labels) as writer,
        pytest.raises(InputError, match=r"chunk.reason leaves -1..25"),
    ):
        writer.write(replace(chunk, reason=np.full_like(chunk.reason, 26)))


def test_an_unknown_access_mode_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(InputError, match="use one of all, changes, none"):
        AccessWriter(tmp_path, labels_of(), "some")


def test_a_run_without_terminals_writes_empty_tables(tmp_path):
    labels = labels_of(terminals=0)
    statistics = stream(tmp_path, labels, chunk_of(labels))
    assert pq.read_table(tmp_path / "access.parquet").num_rows == 0
    assert np.isnan(statistics.served_share)
