"""A scenario names a log: it is verified, obeyed and named, or refused in one line."""

import json
import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from tests.support.log_folder import keep
from tests.support.made_charter import DAY_S, NOON_S, SALT, MadeLog
from tests.support.small_network import content

from skyweave import api
from skyweave.api.policy import policy_snapshot
from skyweave.cli import main
from skyweave.errors import InputError
from skyweave.policy.snapshot import Snapshot, Subject, subject_hash
from skyweave.time import format_utc
from skyweave.twin.scenario import build_scenario, parse_scenario

pytest.importorskip("cryptography", reason="the extra control is not installed")

HERE = {"clinic": (38.6, -28.3), "school": (38.62, -28.35), "far": (40.4, -3.7)}
SLOT_S = 15


class Told(NamedTuple):
    """A log in a folder, what it says, and in which entry each of its directives was approved."""

    made: MadeLog
    folder: Path
    snapshot: Snapshot
    approved: dict[str, int]

    @property
    def pause(self):
        """The suspension as the snapshot has it."""
        return next(d for d in self.snapshot.directives if d.directive_id == "pause")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Port Amity is on; an agreement for its clinic; then a suspension, after its notice."""
    made, folder = MadeLog(), tmp_path_factory.mktemp("authority")
    region = made.region()
    made.decide("activate", region, "on")
    clinic = subject_hash(SALT, Subject.TERMINAL, "clinic")
    made.agreement(region, terminal_hashes=(clinic,))
    made.decide("suspend", region, "pause")
    log = keep(made, folder / "log")
    approved = {k: d.approved_entry for k, d in made.authority().directives.items()}
    return Told(made, log, policy_snapshot(scenario(folder, log, NOON_S)), approved)


def scenario(folder, log_folder, at_s, slots=8, **changes):
    """A scenario of the three terminals that obeys a log, from `at_s` on."""
    terminals = [{"id": k, "lat_deg": x, "lon_deg": y} for k, (x, y) in HERE.items()]
    start = format_utc(np.datetime64(at_s, "s"))
    plain = content(
        folder, terminals=terminals, isl={"plan": "plus-grid"},
        time={"start_utc": start, "duration_s": slots * SLOT_S},
        policy={"log": str(log_folder)},
    )  # fmt: skip
    return build_scenario(plain | changes, "amity", folder)


def test_the_log_is_obeyed_and_named_in_every_slot(told, tmp_path):
    from_s = told.pause.from_s
    run = api.run(scenario(tmp_path, told.folder, from_s - 4 * SLOT_S), tmp_path / "run")
    first_s = int(np.datetime64(run.manifest["time"]["start_utc"][:-1], "s").astype(np.int64))
    begins = -(-(from_s - first_s) // SLOT_S)
    by_id = dict(list(run.access.groupby("terminal_id", observed=True)))
    clinic, school, far = (by_id[name] for name in ("clinic", "school", "far"))
    assert set(clinic.policy_state) == {"on"}
    assert set(clinic.decided_by) == {"a-17"}
    assert school.policy_state.tolist() == ["on"] * begins + ["off"] * (8 - begins)
    assert school.decided_by.tolist() == ["on"] * begins + ["pause"] * (8 - begins)
    assert set(school.reason[school.policy_state == "off"]) == {"cell_is_disabled"}
    entries = {"on": told.approved["on"], "pause": told.approved["pause"]}
    assert set(zip(school.decided_by, school.log_entry, strict=True)) == set(entries.items())
    assert set(far.policy_state) == {"off"}
    assert far.decided_by.isna().all()
    policy = run.manifest["policy"]
    assert policy["log_origin"] == "made.example/log"
    assert policy["size"] == len(told.made.signed)
    assert policy["genesis"] == told.made.charter.digest
    assert policy["charter_version"] == 1


def test_what_is_scheduled_happens_in_runs_beyond_the_log_s_own_time(told, tmp_path):
    until_s = told.pause.until_s
    assert until_s > told.made.now_s + DAY_S
    after = api.run(scenario(tmp_path, told.folder, until_s + 60, slots=2), tmp_path / "after")
    school = after.access[after.access.terminal_id == "school"]
    assert set(school.policy_state) == {"on"}
    assert set(school.decided_by) == {"on"}


def test_explain_names_the_directive_and_its_log_entry(told, tmp_path):
    at_s = told.pause.from_s + 60
    found = scenario(tmp_path, told.folder, at_s)
    answer = api.explain(found, terminal="school", at=format_utc(np.datetime64(at_s, "s")))
    policy = answer["policy"]
    assert (policy["state"], policy["rule"], policy["reason"]) == (
        "off", "suspended", "cell_is_disabled",
    )  # fmt: skip
    assert (policy["decided_by"], policy["log_entry"]) == ("pause", told.approved["pause"])
    assert policy["until_utc"] == format_utc(np.datetime64(told.pause.until_s, "s"))
    assert f"pause (log entry {policy['log_entry']}) suspends service here" in policy["text"]
    assert answer["reason"] == "cell_is_disabled"


def test_a_place_is_asked_of_the_log_too(told, tmp_path):
    at_s = told.pause.from_s + 60
    found = scenario(tmp_path, told.folder, at_s)
    place = {"lat_deg": 38.6, "lon_deg": -28.3, "at": format_utc(np.datetime64(at_s, "s"))}
    assert api.explain(found, **place)["policy"]["decided_by"] == "pause"
    assert api.explain(found, **(place | {"lat_deg": 45.0}))["policy"]["rule"] == "closed"


def toml(folder, log_folder, at_s, more=""):
    """Write a small scenario file beside a log; return its path."""
    path = folder / "amity.toml"
    start = format_utc(np.datetime64(at_s, "s"))
    path.write_text(
        f"""
[time]
start_utc = {start}
duration_s = 30
[[shells]]
preset = "G1-1"
[gateways]
source = "builtin:2026-03-20"
[[terminals]]
id = "school"
lat_deg = 38.62
lon_deg = -28.35
[policy]
log = "{log_folder}"
{more}
""",
        encoding="utf-8",
    )
    return path


def ran(words, monkeypatch, capsys):
    """Run a command; return its exit code, stdout and stderr."""
    monkeypatch.setattr("sys.argv", ["skyweave", *map(str, words)])
    code = 0
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    return (code, *capsys.readouterr())


def test_the_command_line_says_it_in_one_plain_sentence(told, tmp_path, monkeypatch, capsys):
    at_s = told.pause.from_s + 60
    path = toml(tmp_path, told.folder, at_s)
    words = ["explain", path, "--terminal", "school", "--at", format_utc(np.datetime64(at_s, "s"))]
    code, out, _ = ran(words, monkeypatch, capsys)
    assert code == 0
    assert f"directive pause (log entry {told.approved['pause']}) suspends service here until" in (
        " ".join(out.split())
    )
    code, out, _ = ran(["run", path, "--out", tmp_path / "run", "--json"], monkeypatch, capsys)
    assert code == 0
    assert json.loads(out)["outages_by_reason"] == {"cell_is_disabled": 2}


def spoil(folder, name):
    """Flip one bit of a file."""
    path = folder / name
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.chmod(0o644)
    path.write_bytes(bytes(damaged))


@pytest.mark.parametrize("what", ["checkpoint", "tile", "object", "absent", "genesis", "file"])
def test_a_log_that_does_not_hold_is_refused_in_one_line_before_anything(
    what, told, tmp_path, monkeypatch, capsys
):
    copy, more = shutil.copytree(told.folder, tmp_path / "log"), ""
    if what == "checkpoint":
        spoil(copy, "checkpoint")
    elif what == "tile":
        spoil(copy, next((copy / "tile" / "entries").rglob("*.p/*")).relative_to(copy))
    elif what == "object":
        spoil(copy, next((copy / "objects").iterdir()).relative_to(copy))
    elif what == "absent":
        shutil.rmtree(copy)
    elif what == "file":
        shutil.rmtree(copy)
        copy.write_text("no log", encoding="utf-8")
    else:
        more = f'genesis = "sha256:{"ab" * 32}"'
    path = toml(tmp_path, "log", NOON_S, more)
    out = tmp_path / "run"
    code, printed, told_on_stderr = ran(["run", path, "--out", out], monkeypatch, capsys)
    assert code == 1
    assert printed == ""
    assert told_on_stderr.count("\n") == 1
    assert "amity.toml: [policy]: " in told_on_stderr
    assert not out.exists()


def test_who_lacks_the_salt_of_names_cannot_pretend_to_know_them(told, tmp_path):
    """Or else a copy would show a clinic cut off that an agreement keeps on."""
    public = shutil.copytree(
        told.folder, tmp_path / "log", ignore=shutil.ignore_patterns("private")
    )
    with pytest.raises(InputError, match=r"agreement a-17 names terminals, and the salt"):
        api.run(scenario(tmp_path, public, NOON_S), tmp_path / "run")


def test_a_copy_is_enough_where_no_name_is_hashed(tmp_path):
    made = MadeLog()
    region = made.region()
    made.decide("activate", region, "on")
    made.agreement(region)
    made.witness()
    folder = keep(made, tmp_path / "log")
    shutil.rmtree(folder / "private")
    found = policy_snapshot(scenario(tmp_path, folder, NOON_S))
    assert [each.directive_id for each in found.directives] == ["on"]
    assert found.agreements[0].is_for_all


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('log = "x"\nlgo = 1', r'unknown key "lgo" in \[policy\]; did you mean "log"'),
        ('genesis = "sha256:1"', r'"log" is missing in \[policy\]'),
        ('log = "x"\ngenesis = "sha256:1"', r"genesis = .* in \[policy\]"),
        ('log = ""', r"log = "),
    ],
)
def test_a_wrong_table_is_refused_with_advice(table, words):
    text = f"""
[time]
start_utc = 2026-11-22T12:00:00Z
duration_s = 30
[[shells]]
preset = "G1-1"
[policy]
{table}
"""
    with pytest.raises(InputError, match=words):
        parse_scenario(text)


def test_without_a_policy_no_log_is_asked(tmp_path):
    plain = scenario(tmp_path, "absent", NOON_S)
    assert policy_snapshot(plain.model_copy(update={"policy": None})) is None
