"""The laser links of every slot, told again from the events of a whole run."""

from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from skyweave.twin.execution import run_slots
from skyweave.twin.orbits import initialise
from skyweave.twin.pipeline import network_pairs
from skyweave.twin.results.tables import AccessWriter
from skyweave.twin.run import run_labels
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system

STAR = {"pattern": "walker-star", "altitude_km": 780, "inclination_deg": 86.4, "planes": 6,
        "per_plane": 11, "phasing": 3}  # fmt: skip
DELTA = {"altitude_km": 1200, "inclination_deg": 53, "planes": 5, "per_plane": 8, "phasing": 1}
START = "2026-06-14T12:00:12Z"
FROM, TO = "2026-06-14T12:03:12Z", "2026-06-14T12:06:12Z"  # slots 12 to 23
REASONS = {"link_up": {"first_slot", "acquired"},
           "link_down": {"out_of_limits", "replanned", "failed"}}  # fmt: skip


def system_of(satellites, duration_s, **sections):
    return build_system(
        build_scenario(
            {
                "time": {"start_utc": START, "duration_s": duration_s},
                "terminals": [{"id": "berlin", "lat_deg": 52.5, "lon_deg": 13.4}],
                **satellites,
                **sections,
            },
            "test",
        )
    )


def events_of(system, folder):
    """The events of a run without its report."""
    with AccessWriter(folder, run_labels(system)) as writer:
        for chunk, _ in run_slots(system):
            writer.write(chunk)
        writer.finish()
    return pq.read_table(folder / "events.parquet").to_pandas()


def links_of(part, slots):
    """The links that carry in each slot, as NORAD ids, from the stage that chooses them."""
    catalogue = part.world.fleet.catalogue
    for pair in network_pairs(part, initialise(catalogue), slots):
        ids = np.sort(catalogue.norad_id[pair.now.edges], axis=1)
        yield {f"{low}-{high}" for low, high in ids.tolist()}


def assert_replayed(system, events):
    links = events[events.subject_kind == "link"]
    assert (links.before.isna() & links.after.isna()).all()
    of_slot = dict(list(links.groupby("slot")))
    held = set()
    for slot, expected in enumerate(links_of(system.parts[0], system.slots)):
        for event in of_slot.get(slot, links[:0]).itertuples():
            assert event.reason in REASONS[event.kind]
            assert (event.subject_id in held) == (event.kind == "link_down")
            held ^= {event.subject_id}
        assert held == expected
    return links


FAILURES = [
    {"kind": "satellite", "share": 0.1, "from_utc": FROM, "to_utc": TO},
    {"kind": "link", "share": 0.1, "from_utc": FROM, "to_utc": TO},
]


@pytest.mark.parametrize(
    "isl",
    [
        {"plan": "nearest-n", "nearest": 3},
        {"plan": "nearest-n", "acquisition_s": 20},
        {"plan": "motif", "motif": [[1, 0], [1, 2]], "max_range_m": 4e6, "acquisition_s": 15},
    ],
    ids=["nearest", "nearest-acquired", "motif"],
)
def test_the_links_of_every_slot_come_back_from_the_events(isl, tmp_path):
    system = system_of({"shells": [STAR, DELTA]}, 600, isl=isl, failures=FAILURES)
    links = assert_replayed(system, events_of(system, tmp_path))
    assert (links[links.slot == 0].reason == "first_slot").all()
    assert (links[links.slot > 0].reason != "first_slot").all()
    assert "failed" in set(links[links.slot == 12].reason)
    assert "failed" not in set(links[links.slot != 12].reason) or isl["plan"] == "nearest-n"
    assert {"out_of_limits", "replanned"} & set(links.reason)


def test_the_links_of_the_real_fleet_come_back_from_the_events(tmp_path):
    fleet = {"catalogue": {"source": "builtin:2026-06-14", "select": ["STARLINK"]}}
    failures = [{"kind": "satellite", "share": 0.02, "from_utc": "2026-06-14T12:00:27Z"}]
    system = system_of(fleet, 75, isl={"replan_s": 30}, failures=failures)
    links = assert_replayed(system, events_of(system, tmp_path))
    up, down = (links[(links.kind == kind) & (links.slot > 0)] for kind in REASONS)
    # Links fail with slot 1; others are planned instead with slot 2, and carry a slot later.
    assert set(down.slot[down.reason == "failed"]) == {1}
    assert set(up.slot) == {3}
    assert len(up) > 100


def test_events_come_by_slot_then_terminals_then_links_by_their_ids(tmp_path):
    system = system_of({"shells": [STAR]}, 600, isl={"plan": "nearest-n"})
    events = events_of(system, tmp_path)
    ids = events.subject_id.astype(str).str.extract(r"^(\d+)-(\d+)$").fillna("-1").astype(int)
    assert (ids[0] <= ids[1]).all()
    is_link, is_up = events.subject_kind == "link", events.kind == "link_up"
    order = np.lexsort((ids[1], ids[0], is_up, is_link, events.slot))
    links = is_link[order].to_numpy()
    np.testing.assert_array_equal(order[links], np.flatnonzero(is_link))
    assert set(events.subject_kind) == {"terminal", "link"}


def test_a_run_may_leave_its_links_out(tmp_path):
    isl = {"plan": "nearest-n"}
    tables = [
        events_of(system_of({"shells": [STAR]}, 600, isl=isl, results={"links": links}), tmp_path)
        for links in ("changes", "none")
    ]
    whole, without = (table.astype(str) for table in tables)
    assert set(whole.subject_kind) == {"terminal", "link"}
    of_terminals = whole[whole.subject_kind == "terminal"]
    assert without.to_numpy().tolist() == of_terminals.to_numpy().tolist()


def test_links_of_several_operators_bear_their_own_ids(tmp_path):
    gateways = {"gateways": {"source": "builtin:2026-03-20"}}
    operators = [
        {"name": "star", "shells": [STAR], **gateways, "isl": {"plan": "ring"}},
        {"name": "delta", "shells": [DELTA], **gateways},
    ]
    terminals = [
        {"id": name, "operator": name, "lat_deg": 52.5, "lon_deg": 13.4}
        for name in ("star", "delta")
    ]
    time = {"start_utc": START, "duration_s": 15}
    content = {"time": time, "operators": operators, "terminals": terminals}
    system = build_system(build_scenario(content, "test"))
    events = events_of(system, tmp_path)
    expected = Counter(name for part in system.parts for name in next(links_of(part, 1)))
    assert Counter(events[events.subject_kind == "link"].subject_id) == expected
    assert expected["0-1"] == 2  # rows of synthetic shells, told apart by nothing but the operator
