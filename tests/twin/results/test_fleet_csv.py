"""fleet.csv, ground.csv and slots.parquet, recounted from the access table."""

import csv
from dataclasses import replace

import h3
import numpy as np
import pandas as pd
import pytest
from synthetic_run import (
    chunk_of,
    facts_of,
    labels_of,
    out_throughout,
    two_operators,
    write_run,
)

from skyweave.twin.results.fleet import cells_of
from skyweave.twin.results.folder import load_run

SIX_DIGITS = 5.1e-7
COLUMNS = [
    "terminal_id",
    "name",
    "class",
    "service_class",
    "account",
    "country",
    "sponsor",
    "cell",
    "operator",
    "served_share",
    "outages",
    "longest_outage_s",
    "longest_outage_start_utc",
    "longest_outage_reason",
    "rtt_p50_s",
    "rtt_p95_s",
    "handovers_per_hour",
    "main_gateway_id",
    "main_gateway_country",
    "main_gateway_share",
    "main_pop_id",
    "main_pop_country",
    "main_pop_share",
    "gateway_countries",
    "pop_countries",
    "isl_share",
]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    labels = labels_of()
    return load_run(write_run(tmp_path_factory.mktemp("run") / "r", labels, chunk_of(labels)))


def served(run):
    access = run.access[run.access["state"] == "served"].copy()
    for name in ("gateway_id", "gateway_country", "pop_id", "terminal_id"):
        access[name] = access[name].astype(object)
    return access


def test_columns_and_their_order(run):
    assert run.fleet.columns.tolist() == COLUMNS


def test_one_row_per_terminal_in_the_scenarios_order_with_its_own_words(run):
    fleet, labels = run.fleet, labels_of()
    assert fleet["terminal_id"].tolist() == labels.terminal_id.tolist()
    assert fleet["name"].tolist() == labels.terminal_name.tolist()
    assert fleet["cell"].tolist() == labels.cell.tolist()
    for column, value in (
        ("class", "standard"),
        ("service_class", "lifeline"),
        ("account", "Health"),
        ("country", "PH"),
        ("sponsor", "Fund"),
    ):
        assert set(fleet[column]) == {value}


def test_service_columns_agree_with_the_access_table(run):
    access = served(run).groupby("terminal_id")
    fleet = run.fleet.set_index("terminal_id")
    expected = pd.DataFrame(
        {
            "served_share": access.size() / 30,
            "rtt_p50_s": access["rtt_s"].median(),
            "rtt_p95_s": access["rtt_s"].quantile(0.95),
            "isl_share": access["isl_hops"].agg(lambda hops: (hops > 0).mean()),
        }
    ).loc[fleet.index]
    for name, values in expected.items():
        np.testing.assert_allclose(fleet[name], values.astype(float), rtol=0, atol=SIX_DIGITS)


def test_outage_and_handover_columns_agree_with_the_events(run):
    events = run.events.astype({"subject_id": object, "kind": object})
    fleet = run.fleet.set_index("terminal_id")
    starts = events[events["kind"] == "outage_start"].groupby("subject_id")
    assert (fleet["outages"] == starts.size().reindex(fleet.index, fill_value=0)).all()
    handovers = events[events["kind"] == "handover"].groupby("subject_id").size()
    served_h = fleet["served_share"] * 30 * 15 / 3600
    expected = handovers.reindex(fleet.index, fill_value=0) / served_h
    np.testing.assert_allclose(fleet["handovers_per_hour"], expected, rtol=0, atol=1e-3)
    for terminal_id, site in fleet[fleet["outages"] > 0].iterrows():
        start_utc = pd.Timestamp(site["longest_outage_start_utc"])
        assert start_utc in set(starts.get_group(terminal_id)["time_utc"])
        assert site["longest_outage_s"] % 15 == 0


def test_dependence_columns_agree_with_the_access_table(run):
    fleet = run.fleet.set_index("terminal_id")
    for terminal_id, own in served(run).groupby("terminal_id"):
        site, count = fleet.loc[terminal_id], len(own)
        gateways = own["gateway_id"].value_counts()
        assert gateways[site["main_gateway_id"]] == gateways.max()
        assert site["main_gateway_share"] == pytest.approx(gateways.max() / count, abs=SIX_DIGITS)
        pops = own["pop_id"].value_counts()
        assert pops[site["main_pop_id"]] == pops.max()
        assert site["main_pop_share"] == pytest.approx(pops.max() / count, abs=SIX_DIGITS)
        countries = own["gateway_country"].fillna("unknown").value_counts() / count
        listed = dict(entry.split(" ") for entry in site["gateway_countries"].split("; "))
        assert {c: f"{share:.4f}" for c, share in countries.items()} == listed
        shares = [float(share) for share in listed.values()]
        assert shares == sorted(shares, reverse=True)


def test_the_main_gateways_country_is_that_gateways(run):
    country = {"angeles": "PH", "akita": "JP", "sumba": "ID", "ship": ""}
    for site in run.fleet.itertuples():
        assert site.main_gateway_country == country[site.main_gateway_id]


def test_ground_shares_are_of_all_service_and_sum_to_one(run):
    ground, access = run.ground, served(run)
    gateways = access["gateway_id"].value_counts(normalize=True)
    assert ground["kind"].tolist() == ["gateway"] * 4 + ["pop"] * 2
    for site in ground[ground["kind"] == "gateway"].itertuples():
        assert site.served_share == pytest.approx(gateways.get(site.id, 0.0), abs=1e-9)
    for _, rows in ground.groupby("kind"):
        assert rows["served_share"].sum() == pytest.approx(1.0, abs=1e-8)
    labels = labels_of()
    assert ground["name"].tolist() == labels.gateway_name.tolist() + labels.pop_city.tolist()
    assert ground["country"].tolist() == ["PH", "JP", "ID", "", "PH", "JP"]
    assert ground["lat_deg"].tolist() == [*labels.gateway_lat_deg, *labels.pop_lat_deg]
    assert ground["lon_deg"].tolist() == [*labels.gateway_lon_deg, *labels.pop_lon_deg]


def test_slots_agree_with_the_access_table(run):
    slots, access = run.slots, run.access
    assert slots["slot"].tolist() == list(range(30))
    assert (slots["time_utc"].to_numpy() == access["time_utc"].to_numpy()[::12]).all()
    share = (access["state"] == "served").groupby(access["slot"]).mean()
    np.testing.assert_allclose(slots["served_share"], share)
    for name, q in (("rtt_p5_s", 0.05), ("rtt_p50_s", 0.5), ("rtt_p95_s", 0.95)):
        np.testing.assert_allclose(slots[name], access.groupby("slot")["rtt_s"].quantile(q))
    handovers = run.events[run.events["kind"] == "handover"].groupby("slot").size()
    assert (slots["handovers"] == handovers.reindex(range(30), fill_value=0)).all()


def test_a_terminal_that_was_never_served_has_empty_cells_and_no_zeros(tmp_path):
    labels = labels_of(terminals=2)
    run = load_run(write_run(tmp_path / "r", labels, out_throughout(labels)))
    with (run.folder / "fleet.csv").open(encoding="utf-8") as file:
        site = next(csv.DictReader(file))
    assert site["served_share"] == "0"
    assert site["longest_outage_s"] == "450"
    assert site["longest_outage_reason"] == "no_satellite_in_view"
    unknown = ["rtt_p50_s", "rtt_p95_s", "handovers_per_hour", "main_gateway_id", "isl_share"]
    unknown += ["main_gateway_share", "main_gateway_country", "main_pop_id", "gateway_countries"]
    assert [site[name] for name in unknown] == [""] * len(unknown)
    assert np.isnan(run.fleet["rtt_p50_s"]).all()


def test_texts_stay_texts_namibia_and_numbers_included(tmp_path):
    labels = replace(
        labels_of(terminals=3),
        terminal_id=np.array(["007", "1e3", "null"]),
        terminal_name=np.array(['Old "Mill", Ward', "two\nlines", "Zürich 学校"]),
        country=np.array(["NA", "", "PH"]),
    )
    fleet = load_run(write_run(tmp_path / "r", labels, chunk_of(labels))).fleet
    assert fleet["terminal_id"].tolist() == ["007", "1e3", "null"]
    assert fleet["name"].tolist() == labels.terminal_name.tolist()
    assert fleet["country"].tolist() == ["NA", "", "PH"]


COMPARED = [
    "served_share_before",
    "lost_share",
    "longest_outage_before_s",
    "rtt_p50_before_s",
    "main_gateway_before_id",
    "gateway_countries_before",
    "pop_countries_before",
]


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """A run beside what would have been, and the run that this is."""
    labels, folder = labels_of(), tmp_path_factory.mktemp("compared")
    now, before = chunk_of(labels, seed=1, out_share=0.4), chunk_of(labels, seed=2)
    facts = facts_of(without=("country:DE",))
    run = load_run(write_run(folder / "now", labels, now, facts, before=before))
    return run, load_run(write_run(folder / "before", labels, before))


def test_a_compared_run_says_what_would_have_been(compared):
    run, before = compared
    assert run.fleet.columns.tolist() == [*COLUMNS, *COMPARED]
    for name, own in (
        ("served_share_before", "served_share"),
        ("longest_outage_before_s", "longest_outage_s"),
        ("rtt_p50_before_s", "rtt_p50_s"),
        ("main_gateway_before_id", "main_gateway_id"),
        ("gateway_countries_before", "gateway_countries"),
        ("pop_countries_before", "pop_countries"),
    ):
        assert run.fleet[name].tolist() == before.fleet[own].tolist()
    shares = run.ground["served_share_before"]
    assert shares.tolist() == before.ground["served_share"].tolist()


def test_the_lost_share_counts_slots_served_before_and_out_now(compared):
    run, _ = compared
    states = [each.access["state"].astype(str).to_numpy().reshape(30, 12) for each in compared]
    lost = ((states[0] == "out") & (states[1] == "served")).mean(axis=0)
    np.testing.assert_allclose(run.fleet["lost_share"], lost, rtol=0, atol=SIX_DIGITS)
    assert 0 < lost.max() < 1


def test_pop_countries_agree_with_the_access_table(run):
    country = {"mnl": "PH", "tyo": "JP"}
    fleet = run.fleet.set_index("terminal_id")
    for terminal_id, own in served(run).groupby("terminal_id"):
        site = fleet.loc[terminal_id]
        assert site["main_pop_country"] == country[site["main_pop_id"]]
        shares = own["pop_id"].map(country).value_counts(normalize=True)
        listed = dict(entry.split(" ") for entry in site["pop_countries"].split("; "))
        assert {c: f"{share:.4f}" for c, share in shares.items()} == listed


def test_every_terminal_gateway_and_pop_says_whose_it_is(tmp_path):
    labels, chunk = two_operators()
    run = load_run(write_run(tmp_path / "r", labels, chunk))
    assert run.fleet["operator"].tolist() == ["Starlink", "OneWeb"] * 6
    assert run.ground["operator"].tolist() == (
        ["Starlink"] * 4 + ["OneWeb"] * 4 + ["Starlink"] * 2 + ["OneWeb"] * 2
    )
    sums = run.ground.groupby(["kind", "operator"])["served_share"].sum()
    of_starlink = chunk.is_served[:, ::2].sum() / chunk.is_served.sum()
    assert sums["gateway", "Starlink"] == pytest.approx(of_starlink, abs=1e-8)
    assert sums["pop", "Starlink"] == pytest.approx(of_starlink, abs=1e-8)


def test_a_fleets_own_column_never_passes_for_one_of_a_comparison(tmp_path):
    labels = replace(labels_of(), extra={"Lost_Share": ["much"] * 12, "operator": ["x"] * 12})
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    assert run.fleet.columns.tolist() == COLUMNS
    assert set(run.fleet["operator"]) == {"Starlink"}


def test_cells_are_h3_resolution_5_and_empty_without_a_position():
    cells = cells_of(np.array([14.6, np.nan]), np.array([121.0, 121.0])).tolist()
    assert cells == [h3.latlng_to_cell(14.6, 121.0, 5), ""]
    assert h3.get_resolution(cells[0]) == 5


def test_no_file_of_a_run_holds_an_exact_position(tmp_path):
    lat_deg, lon_deg = 14.602817364, 120.982736451
    labels = labels_of(terminals=1, lat_deg=[lat_deg], lon_deg=[lon_deg])
    scenario = {"terminals": [{"id": "a", "lat_deg": lat_deg, "lon_deg": lon_deg}]}
    facts, chunk = facts_of(scenario=scenario), chunk_of(labels)
    folder = write_run(tmp_path / "r", labels, chunk, facts)
    needles = [str(lat_deg).encode()[:8], str(lon_deg).encode()[:8]]
    needles += [np.float64(x).tobytes() for x in (lat_deg, lon_deg)]
    for path in folder.iterdir():
        assert not any(needle in path.read_bytes() for needle in needles), path.name


def test_further_columns_of_the_owner_come_last_and_tell_no_position(tmp_path):
    given = (
        "Ward",
        "contact",
        "served_share",
        "Country",
        "lat_deg",
        "LON_DEG",
        "height",
        "Latitude",
    )
    extra = {name: [f"{name} {i}" for i in range(12)] for name in given}
    labels = replace(labels_of(), extra=extra)
    run = load_run(write_run(tmp_path / "r", labels, chunk_of(labels)))
    assert list(run.fleet.columns) == [*COLUMNS, "Ward", "contact"]
    assert run.fleet["Ward"].tolist() == extra["Ward"]
    assert (run.fleet["country"] == "PH").all()


def test_no_cell_begins_like_a_formula(tmp_path):
    labels = replace(
        labels_of(),
        sponsor=np.array(["=1+1"] * 12),
        extra={"note": ["@SUM(A1)", "-5", "+4e2", "-x", *("" for _ in range(8))], "=x": ["a"] * 12},
    )
    folder = write_run(tmp_path / "r", labels, chunk_of(labels))
    with (folder / "fleet.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["sponsor"] for row in rows} == {"'=1+1"}
    assert [row["note"] for row in rows[:4]] == ["'@SUM(A1)", "-5", "+4e2", "'-x"]
    assert "'=x" in rows[0]
