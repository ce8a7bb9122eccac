"""The scheduler inside a run: draws, memory, beams, and rules that choose by themselves."""

import filecmp

import numpy as np
import pytest
from scipy import stats
from tests.support.small_network import PLACES, access_of, system_in

from skyweave.errors import InputError
from skyweave.time import format_utc
from skyweave.twin.explanation import explain_slot
from skyweave.twin.orbits import initialise
from skyweave.twin.pipeline import networks, services
from skyweave.twin.run import run_system
from skyweave.twin.scheduling import probabilities

RULES = ["preference", "preference-best", "preference-warm", "random", "longest-visible"]
CROWD = [  # one town with more to serve than its sky has beams, and a second dish in one cell
    {"id": f"town-{k}", "lat_deg": 50.0 + 0.2 * k, "lon_deg": 8.0,
     "service_class": "lifeline" if k == 9 else "standard"}
    for k in range(30)
]  # fmt: skip
TWINS = [{"id": f"twin-{k}", "lat_deg": 45.0 + 1e-4 * k, "lon_deg": 9.0} for k in range(3)]


def by(rule, **more):
    return {"assignment": {"rule": rule}, **more}


def crowded(folder, rule="shortest-path", **more):
    beams = {"down": 1, "up": 1}
    return system_in(folder, terminals=CROWD + TWINS, beams=beams, **by(rule), **more)


def one_world(system):
    (part,) = system.parts
    return part.world, initialise(part.world.fleet.catalogue)


@pytest.mark.parametrize("rule", RULES)
def test_explain_tells_of_every_rule_what_the_run_has(rule, tmp_path):
    system = crowded(tmp_path, rule)
    found, _ = access_of(system, tmp_path)
    for slot, row in ((0, 0), (7, 9), (13, 31), (19, 29)):
        told = explain_slot(system, row, slot)
        of_run = found[(found.slot == slot) & (found.terminal_id == told["terminal"])].iloc[0]
        assert told["state"] == of_run.state
        if told["state"] == "served":
            assert told["satellite"]["norad_id"] == of_run.norad_id
            assert sum(told["rtt_parts_s"].values()) == pytest.approx(of_run.rtt_s, rel=1e-12)
        else:
            assert told["reason"] == of_run.reason


@pytest.mark.parametrize("rule", ["preference", "preference-warm"])
def test_the_tables_are_the_same_for_any_workers_and_another_seed_draws_anew(rule, tmp_path):
    runs = [
        run_system(system_in(tmp_path, seed=seed, **by(rule)), tmp_path / name, workers)
        for name, seed, workers in (("one", 5, 1), ("two", 5, 2), ("other", 6, 1))
    ]
    tables = [tmp_path / name / "access.parquet" for name in ("one", "two", "other")]
    assert len(runs) == 3
    assert filecmp.cmp(tables[0], tables[1], shallow=False)
    assert not filecmp.cmp(tables[0], tables[2], shallow=False)


def test_what_a_terminal_draws_does_not_depend_on_who_else_there_is(tmp_path):
    everyone, _ = access_of(system_in(tmp_path, **by("preference")), tmp_path)
    lat_deg, lon_deg = PLACES["rome"]
    alone = [{"id": "rome", "lat_deg": lat_deg, "lon_deg": lon_deg}]
    rome, _ = access_of(system_in(tmp_path, terminals=alone, **by("preference")), tmp_path)
    np.testing.assert_array_equal(
        everyone.norad_id[everyone.terminal_id == "rome"].to_numpy(), rome.norad_id.to_numpy()
    )


def test_draws_follow_the_probabilities_that_explain_shows(tmp_path):
    # How often the likeliest candidate is drawn, the second, and so on, in cells of their own.
    places = np.random.default_rng(4).uniform((40.0, -5.0), (55.0, 20.0), (150, 2))
    dishes = [{"id": f"d{k}", "lat_deg": x, "lon_deg": y} for k, (x, y) in enumerate(places)]
    world, records = one_world(system_in(tmp_path, terminals=dishes, **by("preference")))
    drawn, expected = np.zeros(60), np.zeros(60)
    for _, service, _ in services(world, records, list(networks(world, records, 20))):
        found = service.candidates
        share = probabilities(service.score, found.terminal_start)
        for first, stop in zip(found.terminal_start, found.terminal_start[1:], strict=False):
            own = share[first:stop]
            if own.sum() > 0:
                order = np.argsort(-own, kind="stable")
                expected[: own.size] += own[order]
                drawn[np.argmax(service.drawn[first:stop][order])] += 1
    usual = expected >= 5
    observed = [*drawn[usual], drawn[~usual].sum() + 1e-9]
    against = [*expected[usual], expected[~usual].sum() + 1e-9]
    assert drawn.sum() > 2000
    assert stats.chisquare(observed, against).pvalue > 1e-3


def test_dishes_of_one_cell_draw_alike_and_a_cell_has_eight_satellites_at_most(tmp_path):
    dishes = [{"id": f"d{k}", "lat_deg": 50.0, "lon_deg": 8.0} for k in range(20)]
    world, records = one_world(system_in(tmp_path, terminals=dishes, **by("preference")))
    own = {"assignment": {"rule": "spread.py:spread"}}
    (tmp_path / "spread.py").write_text(
        "import numpy as np\ndef spread(c):\n    return (c.sat * 7 + c.terminal * 3) % 11.0\n"
    )
    spread, _ = one_world(system_in(tmp_path, terminals=dishes, **own))
    for each, most in ((world, 1), (spread, 8)):
        for _, service, _ in services(each, records, list(networks(each, records, 3))):
            serving = np.unique(service.candidates.sat[service.chosen[service.chosen >= 0]])
            assert 1 <= serving.size <= most


def test_terminals_of_one_cell_share_a_beam_and_others_wait_for_one(tmp_path):
    found, _ = access_of(crowded(tmp_path), tmp_path)
    served = found[found.state == "served"]
    cell_of = {each["id"]: each["id"] for each in CROWD} | dict.fromkeys(
        (each["id"] for each in TWINS), "twins"
    )
    cells = served.assign(cell=served.terminal_id.map(cell_of))
    of_satellite = cells.groupby(["slot", "norad_id"]).cell.nunique()
    assert of_satellite.max() == 1  # one beam down each
    assert cells[cells.cell == "twins"].groupby(["slot", "norad_id"]).size().max() == 3
    assert set(found.reason[found.state == "out"].dropna()) == {"no_beam_free"}
    lifeline = found[found.terminal_id == "town-9"]
    assert (lifeline.state == "served").all()  # served first, so never without


def test_beams_of_a_generation_of_its_own_are_its_own(tmp_path):
    none = [{"generation": "", "down": 0, "up": 0}]  # satellites of a shell are of no generation
    found, _ = access_of(system_in(tmp_path, beams={"generations": none}), tmp_path)
    in_view = found[found.reason != "no_satellite_in_view"]
    in_reach = in_view[in_view.reason != "no_gateway_path"]
    assert set(in_reach.reason) <= {"no_beam_free", "gateway_antennas_busy"}
    assert (in_reach.reason == "no_beam_free").any()


def test_what_is_remembered_is_what_the_run_has_used(tmp_path):
    system = system_in(tmp_path, **by("preference-warm"))
    found, _ = access_of(system, tmp_path)
    world, records = one_world(system)
    norad_id, names = world.fleet.catalogue.norad_id, world.terminals.terminal_id
    used = found.pivot(index="slot", columns="terminal_id", values="norad_id")
    remembered = 0
    for network, service, _ in services(world, records, list(networks(world, records, 20))):
        offered = service.candidates
        for pair in range(len(offered)):
            before = used[names[offered.terminal[pair]]].iloc[: network.slot].to_numpy()[::-1]
            ago = np.flatnonzero(before[:10] == norad_id[offered.sat[pair]])
            expected = ago[0] + 1 if ago.size else 0
            assert offered.slots_since_use[pair] == expected
            remembered += expected > 0
    assert remembered > 100


def test_memory_takes_the_way_of_the_failure_and_never_comes_back(tmp_path):
    begin = np.datetime64("2026-06-14T12:01:12", "ns")
    broken = {"kind": "satellite", "share": 0.5, "from_utc": format_utc(begin),
              "to_utc": format_utc(begin + np.timedelta64(60, "s"))}  # fmt: skip
    system = system_in(tmp_path, failures=[broken], **by("preference-warm"))
    now, before = access_of(system, tmp_path)
    whole, _ = access_of(system_in(tmp_path, **by("preference-warm")), tmp_path)
    np.testing.assert_array_equal(before.norad_id.to_numpy(), whole.norad_id.to_numpy())
    is_before = now.slot < 4
    np.testing.assert_array_equal(now.norad_id[is_before], whole.norad_id[is_before])
    for slot in (5, 12):  # while it holds, and when what it left is still remembered
        told = explain_slot(system, 1, slot)
        of_run = now[(now.slot == slot) & (now.terminal_id == told["terminal"])].iloc[0]
        norad_id = told["satellite"]["norad_id"] if told["satellite"] else None
        assert norad_id == (of_run.norad_id if of_run.state == "served" else None)


def test_runs_that_begin_at_other_slots_draw_the_same(tmp_path):
    fleet = {"shells": [], "catalogue": {"select": ["ONEWEB"]}}  # shells begin with the run
    free = fleet | {"antennas": 64} | by("preference")  # feeder links have no history
    whole, _ = access_of(system_in(tmp_path, **free), tmp_path)
    later = {"start_utc": "2026-06-14T12:01:12Z", "duration_s": 60}
    found, _ = access_of(system_in(tmp_path, time=later, **free), tmp_path)
    same = whole[whole.slot.between(4, 7)]
    np.testing.assert_array_equal(found.norad_id.to_numpy(), same.norad_id.to_numpy())


def own(tmp_path, body):
    (tmp_path / "own.py").write_text(f"import numpy as np\ndef mine(candidates, request):\n{body}")
    return system_in(tmp_path, terminals=CROWD, beams={"down": 1, "up": 1}, **by("own.py:mine"))


FIRST_FREE = """\
    chosen, used = np.full(request.terminal_start.size - 1, -1), set()
    for s in range(chosen.size):
        for p in range(request.terminal_start[s], request.terminal_start[s + 1]):
            if request.score[p] > -np.inf and candidates.sat[p] not in used:
                chosen[s] = p
                used.add(candidates.sat[p])
                break
    return chosen
"""


def test_a_rule_of_two_arguments_chooses_for_everyone(tmp_path):
    found, _ = access_of(own(tmp_path, FIRST_FREE), tmp_path)
    served = found[found.state == "served"]
    assert len(served) > 20
    assert served.groupby(["slot", "norad_id"]).size().max() == 1


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("    return request.terminal_start[:-1]\n", "beam"),
        ("    return np.full(3, -1)\n", "shape"),
        ("    return np.zeros(30)\n", "whole number"),
        ("    return np.full(30, 10**9)\n", "row 0 is served by a satellite it does not see"),
        ("    raise KeyError('boom')\n", "KeyError"),
    ],
)
def test_a_rule_that_breaks_a_limit_is_one_line_that_names_it(body, text, tmp_path):
    with pytest.raises(InputError, match=text) as refused:
        access_of(own(tmp_path, body), tmp_path)
    assert "own.py:mine" in str(refused.value)
    assert "\n" not in str(refused.value)
