"""Events against a second account of them: a walk over each terminal, slot by slot."""

import pytest
from synthetic_run import chunk_of, labels_of, out_throughout, served_throughout, stream

from skyweave.policy import REASONS
from skyweave.twin.results import tables
from skyweave.twin.results.folder import _read_parquet

ORDER = ["outage_end", "handover", "gateway_change", "pop_change", "outage_start"]


def told(labels, chunk):
    """Every event as (slot, terminal row, kind, reason, before, after), in the file's order."""
    found = []
    for s in range(labels.terminals):
        for k in range(labels.slots):
            now, was = _state(labels, chunk, k, s), _state(labels, chunk, k - 1, s)
            if now["out"] and (was is None or not was["out"]):
                found.append((k, s, "outage_start", now["out"], was and was["sat"], None))
            if was is None:
                continue
            if was["out"] and not now["out"]:
                found.append((k, s, "outage_end", was["out"], None, now["sat"]))
            if was["out"] or now["out"]:
                continue
            for kind, what in (
                ("handover", "sat"),
                ("gateway_change", "gateway"),
                ("pop_change", "pop"),
            ):
                if was[what] != now[what]:
                    found.append((k, s, kind, None, was[what], now[what]))
    return sorted(found, key=lambda event: (event[0], event[1], ORDER.index(event[2])))


def _state(labels, chunk, k, s):
    if k < 0:
        return None
    reason, sat, gateway, pop = (
        getattr(chunk, n)[k, s] for n in ("reason", "sat", "gateway", "pop")
    )
    if reason >= 0:
        return {"out": str(REASONS[reason]), "sat": None}
    return {
        "out": None,
        "sat": str(labels.norad_id[sat]),
        "gateway": str(labels.gateway_id[gateway]),
        "pop": str(labels.pop_id[pop]),
    }


def read(folder, labels):
    events = _read_parquet(folder / "events.parquet")
    row = {name: s for s, name in enumerate(labels.terminal_id.tolist())}
    events = events.astype(object).where(events.notna(), None)
    columns = ["slot", "subject_id", "kind", "reason", "before", "after"]
    return [
        (k, row[t], *rest) for k, t, *rest in events[columns].itertuples(index=False, name=None)
    ]


@pytest.mark.parametrize("seed", range(4))
def test_events_are_those_of_a_walk_over_each_terminal(tmp_path, monkeypatch, seed):
    monkeypatch.setattr(tables, "ROWS_PER_GROUP", 5 * 12)
    labels = labels_of()
    chunk = chunk_of(labels, seed)
    stream(tmp_path, labels, chunk)
    found = read(tmp_path, labels)
    assert found == told(labels, chunk)
    assert {event[2] for event in found} == set(ORDER)


def test_times_are_the_starts_of_the_slots(tmp_path):
    labels = labels_of()
    stream(tmp_path, labels, chunk_of(labels))
    events = _read_parquet(tmp_path / "events.parquet")
    seconds = (events["time_utc"] - events["time_utc"].iloc[0]).dt.total_seconds()
    assert (seconds == 15 * (events["slot"] - events["slot"].iloc[0])).all()
    assert str(events["time_utc"].dt.tz) == "UTC"
    assert set(events["subject_kind"]) == {"terminal"}


def test_an_outage_of_the_whole_run_starts_in_slot_0_and_never_ends(tmp_path):
    labels = labels_of()
    stream(tmp_path, labels, out_throughout(labels))
    events = read(tmp_path, labels)
    reason = "no_satellite_in_view"
    assert events == [(0, s, "outage_start", reason, None, None) for s in range(labels.terminals)]


def test_unbroken_service_has_no_outage_events(tmp_path):
    labels = labels_of()
    stream(tmp_path, labels, served_throughout(labels))
    kinds = set(_read_parquet(tmp_path / "events.parquet")["kind"])
    assert kinds == {"handover", "gateway_change", "pop_change"}
