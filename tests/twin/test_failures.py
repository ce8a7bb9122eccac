"""What is left when gateways, PoPs or operators fail, against runs that never had them."""

import csv

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from skyweave.errors import InputError
from skyweave.twin.execution import run_slots
from skyweave.twin.results.tables import AccessWriter
from skyweave.twin.run import run_labels, run_system
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system

SHELL = {"altitude_km": 550, "inclination_deg": 53, "planes": 72, "per_plane": 22, "phasing": 39}
GATEWAYS = {  # name: latitude, longitude, degrees, and country
    "aachen": (50.8, 6.1, "DE"), "usingen": (50.3, 8.5, "DE"), "turin": (45.1, 7.7, "IT"),
    "fano": (43.8, 13.0, "IT"), "wola": (51.9, 20.9, "PL"), "lepe": (37.4, -6.9, "ES"),
}  # fmt: skip
POPS = {"frankfurt": (50.1, 8.7, "DE"), "milan": (45.5, 9.2, "IT"), "madrid": (40.4, -3.7, "ES")}
PLACES = {
    "berlin": (52.5, 13.4), "rome": (41.9, 12.5), "lisbon": (38.7, -9.1), "oslo": (59.9, 10.7),
    "kyiv": (50.4, 30.5), "algiers": (36.8, 3.1), "keflavik": (64.0, -22.6), "suva": (-18.1, 178.4),
}  # fmt: skip
COLUMNS = ["state", "norad_id", "gateway_id", "pop_id", "isl_hops", "rtt_s"]


def write(path, header, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def content(folder, gateways=GATEWAYS, pops=POPS, **sections):
    write(folder / "gateways.csv", ["name", "lat_deg", "lon_deg", "country"],
          [[name, *place] for name, place in gateways.items()])  # fmt: skip
    write(folder / "pops.csv", ["pop_id", "city", "country", "lat_deg", "lon_deg"],
          [[k, k, country, lat, lon] for k, (lat, lon, country) in pops.items()])  # fmt: skip
    return {
        "time": {"start_utc": "2026-06-14T12:00:12Z", "duration_s": 300},
        "shells": [SHELL],
        "isl": {"plan": "none"},
        "gateways": {"source": "gateways.csv", "pops": "pops.csv", "antennas": 4},
        "terminals": [{"id": k, "lat_deg": x, "lon_deg": y} for k, (x, y) in PLACES.items()],
        **sections,
    }  # fmt: skip


def system_in(folder, without=(), **changes):
    return build_system(build_scenario(content(folder, **changes), "failures", folder), without)


def access_of(system, folder):
    """Return what is, and what would be without the failures, as tables of accesses."""
    tables = []
    for which in (0, 1):
        with AccessWriter(folder, run_labels(system)) as writer:
            for chunks in run_slots(system):
                writer.write(chunks[which] or chunks[0])
            writer.finish()
        tables.append(pq.read_table(folder / "access.parquet").to_pandas())
    return tables


def lacking(names, *gone):
    return {name: place for name, place in names.items() if name not in gone}


def assert_same_service(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(
        found[COLUMNS].astype(object), expected[COLUMNS].astype(object), check_exact=True
    )


@pytest.mark.parametrize(
    ("failure", "gateways", "pops"),
    [
        ("gateway:turin", ["turin"], []),
        ("gateway:IT", ["turin", "fano"], []),
        ("pop:frankfurt", [], ["frankfurt"]),
        ("pop:DE", [], ["frankfurt"]),
        ("country:DE", ["aachen", "usingen"], ["frankfurt"]),
    ],
)
def test_what_remains_is_what_a_network_without_it_gives(failure, gateways, pops, tmp_path):
    (tmp_path / "other").mkdir()
    found, before = access_of(system_in(tmp_path, [failure]), tmp_path)
    left = {"gateways": lacking(GATEWAYS, *gateways), "pops": lacking(POPS, *pops)}
    never, _ = access_of(system_in(tmp_path / "other", **left), tmp_path)
    assert_same_service(found, never)
    whole, _ = access_of(system_in(tmp_path), tmp_path)
    assert_same_service(before, whole)
    assert not found.rtt_s.equals(whole.rtt_s)  # the failure does change something


def test_a_lost_slot_names_the_failure_and_others_keep_their_reason(tmp_path):
    gone = [f"gateway:{name}" for name in ("turin", "fano", "lepe")]
    found, whole = access_of(system_in(tmp_path, gone), tmp_path)
    was, is_now = whole.state == "served", found.state == "served"
    lost, never = was & ~is_now, ~was
    assert lost.sum() > 10
    assert never.sum() > 10
    assert set(found.reason[lost]) == {"gateway_failed"}
    # A slot without service before has it still less with fewer gateways, for the same cause but
    # that a busy antenna may have become no path at all.
    assert not is_now[never].any()
    same = found.reason[never].eq(whole.reason[never])
    assert set(whole.reason[never][~same]) <= {"gateway_antennas_busy"}


def test_a_terminal_bound_to_a_failed_pop_is_out_for_it(tmp_path):
    bound = [{"id": "bound", "lat_deg": 45.0, "lon_deg": 9.0, "pop_id": "frankfurt"},
             {"id": "free", "lat_deg": 45.0, "lon_deg": 9.0}]  # fmt: skip
    access, _ = access_of(system_in(tmp_path, ["pop:frankfurt"], terminals=bound), tmp_path)
    access = access.set_index("terminal_id")
    assert set(access.loc["bound"].reason) == {"pop_failed"}
    assert set(access.loc["free"].state) == {"served"}
    assert set(access.loc["free"].pop_id) <= {"milan", "madrid"}


def two_operators(folder):
    """Return a scenario of two operators, and the tables that are each one's own."""
    base = content(folder)
    own = {key: base.pop(key) for key in ("shells", "gateways")}
    ground = own["gateways"] | {"antennas": 2}
    for key in ("source", "pops"):  # the same places in another order: rows count through both
        header, *rows = (folder / ground[key]).read_text().splitlines()
        ground[key] = f"west-{ground[key]}"
        (folder / ground[key]).write_text("\n".join([header, *reversed(rows)]))
    other = {
        "shells": [SHELL | {"planes": 80, "phasing": 17}],
        "gateways": ground,
        "visibility": {"min_elevation_deg": 35},
        "delay": {"processing_s": 0.02},
    }
    terminals = [
        each | {"id": f"{each['id']}-{name}", "operator": name}
        for each in base["terminals"]
        for name in ("east", "west")
    ]
    operators = [{"name": "east", **own}, {"name": "west", **other}]
    return {**base, "operators": operators, "terminals": terminals}, own, other


def test_operators_side_by_side_give_what_each_gives_alone(tmp_path):
    both, *owned = two_operators(tmp_path)
    found, _ = access_of(build_system(build_scenario(both, "two", tmp_path)), tmp_path)
    for name, own in zip(("east", "west"), owned, strict=True):
        alone = build_system(build_scenario(content(tmp_path) | own, "one", tmp_path))
        rows = found[found.terminal_id.str.endswith(name)].reset_index(drop=True)
        assert_same_service(rows, access_of(alone, tmp_path)[0])


def test_an_operator_that_fails_takes_its_own_terminals_only(tmp_path):
    both, *_ = two_operators(tmp_path)
    system = build_system(build_scenario(both, "two", tmp_path), ["operator:east"])
    found, whole = access_of(system, tmp_path)
    east = whole.terminal_id.str.endswith("east")
    assert_same_service(found[~east], whole[~east])
    assert (found.state[east] == "out").all()
    expected = whole.reason[east].astype(object).where(whole.state[east] == "out", "core_failed")
    assert found.reason[east].tolist() == expected.tolist()
    assert found.rtt_s[east].isna().all()


def test_several_workers_change_no_byte(tmp_path):
    both, *_ = two_operators(tmp_path)
    system = build_system(build_scenario(both, "two", tmp_path), ["country:DE", "operator:west"])
    one = run_system(system, tmp_path / "one", workers=1).folder
    two = run_system(system, tmp_path / "two", workers=2).folder
    for name in ("access.parquet", "events.parquet", "slots.parquet", "fleet.csv", "ground.csv"):
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        ("germany", '--without "germany": expected gateway:ID, country:XX, operator:NAME'),
        ("cable:x", '--without "cable:x": expected gateway:ID'),
        ("country:", '--without "country:": expected gateway:ID'),
        ("country:XX", '--without country:XX: country "XX" is unknown: expected two capital'),
        ("country:Germany", 'country "Germany" is unknown'),
        ("country:de", 'country "de" is unknown: expected two capital letters .*mean "DE"'),
        ("gateway:turim", '--without gateway:turim: no gateway "turim"; did you mean turin'),
        ("pop:osaka", '--without pop:osaka: no pop "osaka"; there are frankfurt'),
        ("operator:starlink", '--without operator:starlink: no operator "starlink"; there are net'),
    ],
)  # fmt: skip
def test_what_cannot_fail_is_refused_in_one_line(failure, text, tmp_path):
    scenario = build_scenario(content(tmp_path), "failures", tmp_path)
    with pytest.raises(InputError, match=text) as refusal:
        build_system(scenario, [failure])
    assert "\n" not in str(refusal.value)


def test_what_two_operators_share_is_suggested_once(tmp_path):
    both, *_ = two_operators(tmp_path)
    with pytest.raises(InputError, match=r"did you mean turin\?$"):
        build_system(build_scenario(both, "two", tmp_path), ["gateway:turim"])


def test_a_country_without_ground_stations_is_a_warning(tmp_path):
    system = build_system(build_scenario(content(tmp_path), "none", tmp_path), ["country:JP"])
    assert "--without country:JP changes nothing: no gateway and no PoP is there" in system.warnings
    assert all(part.at_slot(0) is part.world for part in system.parts)
