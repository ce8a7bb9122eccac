"""The manifest and the summary: complete, plain JSON, and the same wherever the run was made."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import h3
import numpy as np
import pytest
from synthetic_run import (
    PROCESSING_S,
    chunk_of,
    facts_of,
    labels_of,
    operator_of,
    out_throughout,
    served_throughout,
    write_run,
)

from skyweave.twin.results.folder import load_run
from skyweave.twin.results.manifest import Execution, scenario_digest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    labels = labels_of()
    return load_run(write_run(tmp_path_factory.mktemp("run") / "r", labels, chunk_of(labels)))


def test_the_summary_is_the_documented_document(run):
    summary = run.summary
    assert list(summary) == [
        "run",
        "scenario",
        "slots",
        "terminals",
        "satellites",
        "served_share",
        "rtt_s",
        "handovers_per_hour",
        "outages_by_reason",
        "attribution",
        "wall_s",
    ]
    assert summary["run"] == str(run.folder)
    assert (summary["slots"], summary["terminals"], summary["wall_s"]) == (30, 12, 1.5)
    assert summary["satellites"] == {"used": 9, "left_out": {"direct_to_cell": 2, "other": 1}}
    assert list(summary["rtt_s"]) == ["p5", "p50", "p95"]
    json.dumps(summary, allow_nan=False)


def test_the_summary_agrees_with_the_tables(run):
    access, summary = run.access, run.summary
    nanosecond = 1.1e-9
    assert summary["served_share"] == pytest.approx(
        (access["state"] == "served").mean(), abs=nanosecond
    )
    expected = access["rtt_s"].quantile([0.05, 0.5, 0.95]).tolist()
    assert list(summary["rtt_s"].values()) == pytest.approx(expected, abs=nanosecond)
    counts = access["reason"].value_counts()
    assert summary["outages_by_reason"] == {r: n for r, n in counts.items() if n}
    assert list(summary["outages_by_reason"].values()) == sorted(counts[counts > 0], reverse=True)


def test_served_and_lost_terminal_slots_sum_to_all(run):
    summary = run.summary
    served = summary["served_share"] * 30 * 12
    assert served + sum(summary["outages_by_reason"].values()) == pytest.approx(30 * 12)


def test_outages_count_slots_and_terminals_by_reason(run):
    access = run.access
    for reason, found in run.manifest["outages"].items():
        own = access[access["reason"] == reason]
        assert found == {"terminal_slots": len(own), "terminals": own["terminal_id"].nunique()}


def test_mean_parts_sum_to_the_mean_round_trip_time(run):
    parts = run.manifest["mean_rtt_parts_s"]
    assert list(parts) == ["access", "isl", "feeder", "fibre", "processing"]
    assert parts["processing"] == pytest.approx(PROCESSING_S, abs=1e-9)
    assert sum(parts.values()) == pytest.approx(run.access["rtt_s"].mean(), abs=1e-8)


def test_the_run_is_placed_in_time(run):
    assert run.manifest["time"] == {
        "start_utc": "2026-06-14T12:00:12Z",
        "end_utc": "2026-06-14T12:07:42Z",
        "slot_s": 15.0,
        "slots": 30,
    }


def test_element_ages_are_distances_from_the_start(run):
    ages = run.manifest["catalogue"]["element_age_days"]
    assert ages == {"p5": 0.11, "p50": 0.2, "p95": 0.29, "max": 0.3}


def test_every_table_is_listed_with_its_digest(run):
    files = run.manifest["files"]
    assert list(files) == [
        "access.parquet",
        "events.parquet",
        "slots.parquet",
        "fleet.csv",
        "ground.csv",
    ]
    for name, digest in files.items():
        content = (run.folder / name).read_bytes()
        assert digest == "sha256:" + hashlib.sha256(content).hexdigest()


def test_versions_seed_and_warnings_are_kept(tmp_path):
    labels = labels_of()
    facts = facts_of(warnings=("Élan: 2 rows left out",), rows_left_out={"checksum": 2})
    manifest = load_run(write_run(tmp_path / "r", labels, chunk_of(labels), facts)).manifest
    assert {"skyweave", "python", "numpy", "pyarrow", "sgp4"} <= set(manifest["versions"])
    assert manifest["seed"] == 7
    assert manifest["warnings"] == ["Élan: 2 rows left out"]
    assert manifest["catalogue"]["rows_left_out"] == {"checksum": 2}
    assert manifest["earth"] == {"orientation": "iers", "is_inside_table": True}


def test_exact_positions_of_terminals_and_sites_become_cells(tmp_path):
    labels = labels_of()
    place = {"lat_deg": 14.6042, "lon_deg": 120.9822, "height_wgs84_m": 12.0}
    scenario = {
        "terminals": [{"id": "a", **place}, {"id": "b", "track": "x.csv", "lat_deg": None}],
        "sites": [{"name": "Manila", **place}],
        "gateways": {"antennas": 8},
    }
    facts = facts_of(scenario=scenario)
    manifest = load_run(write_run(tmp_path / "r", labels, chunk_of(labels), facts)).manifest
    cell = h3.latlng_to_cell(14.6042, 120.9822, 5)
    assert manifest["scenario"] == {
        "terminals": [{"id": "a", "cell": cell}, {"id": "b", "track": "x.csv"}],
        "sites": [{"name": "Manila", "cell": cell}],
        "gateways": {"antennas": 8},
    }
    assert manifest["scenario_digest"] == scenario_digest(scenario)
    assert scenario["sites"][0]["lat_deg"] == 14.6042  # the caller's own is untouched


def test_the_scenario_digest_sees_values_and_not_their_order():
    a = {"x": 1, "start_utc": datetime(2026, 6, 14, tzinfo=UTC), "file": Path("a.csv")}
    assert scenario_digest(a) == scenario_digest(dict(reversed(a.items())))
    assert scenario_digest(a) != scenario_digest(a | {"x": 2})
    assert scenario_digest(a) == scenario_digest(a | {"x": np.int64(1)})


def test_what_json_cannot_hold_is_a_programming_error():
    with pytest.raises(TypeError, match="object has no place in a manifest"):
        scenario_digest({"x": object()})


def test_nobody_served_is_null_and_never_zero_or_nan(tmp_path):
    labels = labels_of()
    run = load_run(write_run(tmp_path / "r", labels, out_throughout(labels)))
    assert run.summary["served_share"] == 0.0
    assert run.summary["rtt_s"] == {"p5": None, "p50": None, "p95": None}
    assert run.summary["handovers_per_hour"] is None
    assert run.summary["outages_by_reason"] == {"no_satellite_in_view": 360}
    assert set(run.manifest["mean_rtt_parts_s"].values()) == {None}


def test_unbroken_service_has_no_outages(tmp_path):
    labels = labels_of()
    run = load_run(write_run(tmp_path / "r", labels, served_throughout(labels)))
    assert run.summary["served_share"] == 1.0
    assert run.summary["outages_by_reason"] == {}


def test_a_run_without_terminals_or_satellites_has_a_manifest(tmp_path):
    labels = labels_of(terminals=0)
    facts = facts_of(element_age_days=np.array([]))
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels), facts))
    assert run.summary["served_share"] is None
    assert run.manifest["catalogue"]["element_age_days"]["p50"] is None


def test_two_executions_differ_in_the_execution_block_alone(tmp_path):
    labels = labels_of()
    chunk = chunk_of(labels)
    executions = (Execution(1.0, 1, "here"), Execution(99.5, 8, "there"))
    pictures = ("map", "rtt")
    a, b = (
        write_run(tmp_path / e.host, labels, chunk, execution=e, pictures=pictures)
        for e in executions
    )
    manifests = [json.loads((f / "manifest.json").read_text("utf-8")) for f in (a, b)]
    assert manifests[0].pop("execution") == {"wall_s": 1.0, "workers": 1, "host": "here"}
    assert manifests[1].pop("execution") == {"wall_s": 99.5, "workers": 8, "host": "there"}
    assert manifests[0] == manifests[1]

    reports = [(f / "report.html").read_text("utf-8") for f in (a, b)]
    parts = [report.partition('<footer id="execution">') for report in reports]
    assert parts[0][0] == parts[1][0]
    assert parts[0][2] != parts[1][2]

    rest = {path.name for path in a.iterdir()} - {"manifest.json", "report.html"}
    assert rest == {path.name for path in b.iterdir()} - {"manifest.json", "report.html"}
    assert {"map.png", "rtt.png"} < rest
    for name in rest:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


def test_a_run_that_served_nobody_warns(tmp_path):
    labels = labels_of()
    facts = facts_of(warnings=("Elements are 5 days old.",))
    run = load_run(write_run(tmp_path / "r", labels, out_throughout(labels), facts))
    assert run.manifest["warnings"] == ["Elements are 5 days old.", "nobody was served"]


def test_objects_left_out_as_too_old_are_listed(tmp_path):
    labels = labels_of()
    facts = facts_of(too_old=("45677 STARLINK-1392: 20.3 days",))
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels), facts))
    assert run.manifest["catalogue"]["too_old"] == ["45677 STARLINK-1392: 20.3 days"]
    assert run.manifest["warnings"] == []


def test_what_is_left_out_stands_beside_what_would_have_been(tmp_path):
    labels = labels_of()
    now, before = chunk_of(labels, seed=1, out_share=0.4), chunk_of(labels, seed=2)
    facts = facts_of(without=("country:DE", "pop:mnl"))
    run = load_run(write_run(tmp_path / "now", labels, now, facts, before=before))
    alone = load_run(write_run(tmp_path / "before", labels, before)).summary
    assert run.manifest["without"] == run.summary["without"] == ["country:DE", "pop:mnl"]
    last = ["outages_by_reason", "attribution", "without", "before", "wall_s"]
    assert list(run.summary)[-5:] == last
    assert run.summary["before"] == {
        name: alone[name] for name in ("served_share", "rtt_s", "outages_by_reason")
    }
    assert run.summary["served_share"] < run.summary["before"]["served_share"]


def test_operators_landing_rules_and_skies_are_kept(tmp_path):
    labels = labels_of()
    facts = facts_of(
        operators=(operator_of(), operator_of("OneWeb", 651, 40, 20)),
        landing_rules=("all terminals may not come down in Germany",),
        obstructed=3,
        cones=5,
    )
    manifest = load_run(write_run(tmp_path / "r", labels, chunk_of(labels), facts)).manifest
    assert manifest["operators"][1] == {
        "name": "OneWeb",
        "catalogue": "builtin:2026-06-14",
        "satellites": {"used": 651, "left_out": {"direct_to_cell": 2, "other": 1}},
        "gateways": 40,
        "pops": 20,
    }
    assert [operator["name"] for operator in manifest["operators"]] == ["Starlink", "OneWeb"]
    assert manifest["landing_rules"] == ["all terminals may not come down in Germany"]
    assert manifest["sky"] == {"obstructed": 3, "fields_of_view": 5}
    assert manifest["without"] == []
