"""What is left when gateways, PoPs or operators fail, against runs that never had them."""

import pytest
from tests.support.small_network import (
    GATEWAYS,
    POPS,
    access_of,
    assert_same_service,
    content,
    lacking,
    system_in,
    two_operators,
)

from skyweave.errors import InputError
from skyweave.twin.scenario import build_scenario
from skyweave.twin.world import build_system


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
