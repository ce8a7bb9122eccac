"""The command line as a user meets it: separate processes, standard output, exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from skyweave.cli import main

ROOT = Path(__file__).parents[2]
SKYWEAVE = Path(sys.executable).parent / "skyweave"
AT = "2026-06-14T12:00:12Z"
SHELL = """
[time]
start_utc = 2026-06-14T12:00:12Z
duration_s = 60
[[shells]]
altitude_km = 550
inclination_deg = 53
planes = 72
per_plane = 22
phasing = 39
[[terminal_sets]]
builtin = "cities"
count = 20
"""


def skyweave(*arguments, cwd=None):
    return subprocess.run(
        [SKYWEAVE, *map(str, arguments)], cwd=cwd, capture_output=True, text=True,
        env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli")
    (folder / "shell.toml").write_text(SHELL)
    return folder


@pytest.fixture(scope="module")
def shell_run(folder):
    done = skyweave("run", "shell.toml", "--out", "run", "--json", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


def test_run_prints_one_json_document_with_the_public_keys(shell_run):
    summary = json.loads(shell_run.stdout)
    assert summary.keys() >= {
        "run", "scenario", "slots", "terminals", "satellites", "served_share", "rtt_s",
        "handovers_per_hour", "outages_by_reason", "wall_s",
    }  # fmt: skip
    assert (summary["slots"], summary["terminals"]) == (4, 20)
    assert summary["satellites"] == {"used": 1584, "left_out": {}}
    assert summary["rtt_s"].keys() == {"p5", "p50", "p95"}


def test_served_and_unserved_slots_sum_to_all(shell_run):
    summary = json.loads(shell_run.stdout)
    out = sum(summary["outages_by_reason"].values())
    assert out == round((1 - summary["served_share"]) * 80)


def test_progress_goes_to_stderr_with_the_elapsed_time(shell_run):
    lines = shell_run.stderr.splitlines()
    assert lines
    assert all(line.startswith("[") and " s] " in line for line in lines)


def test_the_run_folder_is_complete(shell_run, folder):
    names = {path.name for path in (folder / "run").iterdir()}
    assert names >= {"manifest.json", "access.parquet", "events.parquet", "fleet.csv",
                     "report.html", "map.png", "rtt.png"}  # fmt: skip


def test_a_second_run_replaces_the_first_and_nothing_else(shell_run, folder):
    assert skyweave("run", "shell.toml", "--out", "run", cwd=folder).returncode == 0
    (folder / "mine").mkdir()
    (folder / "mine" / "thesis.txt").write_text("years of work")
    refused = skyweave("run", "shell.toml", "--out", "mine", cwd=folder)
    assert refused.returncode == 1
    assert "nothing was changed" in refused.stderr
    assert (folder / "mine" / "thesis.txt").read_text() == "years of work"


def test_plot_draws_a_picture(shell_run, folder):
    for what in ("rtt", "map", "coverage", "reasons"):
        assert skyweave("plot", "run", "--what", what, "--out", "x.png", cwd=folder).returncode == 0
        assert (folder / "x.png").read_bytes().startswith(b"\x89PNG")


def test_plot_draws_the_sky_above_a_terminal(folder):
    done = skyweave("plot", "shell.toml", "--what", "sky", "--terminal", "city-shanghai",
                    "--at", AT, "--out", "sky.png", cwd=folder)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "sky.png").read_bytes().startswith(b"\x89PNG")


def test_explain_agrees_with_the_run(shell_run, folder):
    import pandas as pd

    access = pd.read_parquet(folder / "run" / "access.parquet")
    row = access[(access.state == "served") & (access.slot == 2)].iloc[0]
    done = skyweave("explain", "shell.toml", "--terminal", row.terminal_id,
                    "--at", "2026-06-14T12:00:50Z", "--json", cwd=folder)  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["slot"] == 2
    assert answer["satellite"]["norad_id"] == row.norad_id
    assert answer["gateway"] == row.gateway_id
    assert answer["rtt_s"] == pytest.approx(row.rtt_s, abs=1e-12)
    assert sum(answer["rtt_parts_s"].values()) == pytest.approx(answer["rtt_s"], abs=1e-12)
    assert len(answer["nodes"]) == row.isl_hops + 4
    assert answer["candidates"][0]["norad_id"] == row.norad_id
    assert answer["candidates"][0]["refused"] is None


def test_explain_a_place_under_the_real_fleet():
    done = skyweave("explain", "--lat", 46.95, "--lon", 7.45, "--at", AT, "--json")
    answer = json.loads(done.stdout)
    assert answer.keys() >= {
        "terminal", "at", "slot", "state", "reason", "satellite", "gateway", "pop", "nodes",
        "rtt_s", "rtt_parts_s", "element_age_days", "candidates",
    }  # fmt: skip
    assert answer["state"] == "served"
    assert 25.0 <= answer["satellite"]["elevation_deg"] <= 90.0
    assert len(answer["candidates"]) > 20
    assert "skyweave" not in done.stdout


def test_explain_a_place_of_one_s_own_in_a_scenario(folder):
    done = skyweave("explain", "shell.toml", "--lat", -33, "--lon", 151, "--at", AT, "--json",
                    cwd=folder)  # fmt: skip
    answer = json.loads(done.stdout)
    assert answer["terminal"] == "here"
    assert answer["gateway"].endswith("australia")


def test_a_run_that_serves_nobody_is_a_result_with_one_warning(folder):
    text = SHELL.split("[[terminal_sets]]")[0]
    text += '[[terminals]]\nid = "pole"\nname = "[/x] base"\nlat_deg = 89\nlon_deg = 0\n'
    (folder / "pole.toml").write_text('title = "Camp [/a]"\n' + text)
    done = skyweave("run", "pole.toml", "--out", "pole", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "Camp [/a]" in done.stdout
    assert "unknown" in done.stdout
    assert [line for line in done.stderr.splitlines() if line.startswith("warning: ")]


def test_explain_prints_a_table_a_person_reads(folder):
    done = skyweave("explain", "shell.toml", "--lat", 46.95, "--lon", 7.45, "--at", AT, cwd=folder)
    assert done.returncode == 0
    assert "round-trip time" in done.stdout


def test_path_samples_are_those_that_were_asked_for():
    scenario = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
    done = skyweave("path", scenario, "Manila", "Dalian", "--every", 0.1, "--for", 1, "--json")
    answer = json.loads(done.stdout)
    assert (answer["from"], answer["to"]) == ("Manila", "Dalian")
    assert [sample["t_s"] for sample in answer["samples"]] == [k / 10 for k in range(10)]
    assert answer["samples"][0]["nodes"] == ["Manila", "184", "183", "217", "Dalian"]


def test_k_paths_share_no_satellite():
    scenario = ROOT / "scenarios" / "hypatia" / "kuiper-630.toml"
    done = skyweave("path", scenario, "Manila", "New York", "--k", 3, "--json")
    paths = json.loads(done.stdout)["samples"][0]["paths"]
    relays = [sat for path in paths for sat in path["nodes"][1:-1]]
    assert len(paths) == 3
    assert len(relays) == len(set(relays))
    assert [path["rtt_s"] for path in paths] == sorted(path["rtt_s"] for path in paths)


def test_a_path_may_end_at_a_gateway_or_a_pop(folder):
    for end in ("frntdeu1", "usingen-germany", "Frankfurt"):
        done = skyweave("path", "shell.toml", "Madrid", end, "--json", cwd=folder)
        (sample,) = json.loads(done.stdout)["samples"]
        assert sample["rtt_s"] is None or 0.01 < sample["rtt_s"] < 0.2


def test_init_writes_a_scenario_that_runs_and_touches_no_file(folder):
    first = skyweave("init", "new.toml", "--json", cwd=folder)
    assert json.loads(first.stdout) == {"written": "new.toml"}
    again = skyweave("init", "new.toml", cwd=folder)
    assert again.returncode == 1
    assert "exists; choose another name" in again.stderr


def test_catalogue_check_counts_classes():
    done = skyweave("catalogue", "check", "builtin:2026-06-14", "--json")
    answer = json.loads(done.stdout)
    assert answer["objects"] == 15_699
    assert answer["refused"] == []
    assert sum(answer["classes"].values()) == answer["objects"]


def test_doctor_reports_the_machine():
    answer = json.loads(skyweave("doctor", "--json").stdout)
    assert answer["cores"] >= 1
    assert answer["catalogue"] == "builtin:2026-06-14"


def test_help_and_version_need_no_scenario():
    assert skyweave("--help").returncode == 0
    assert skyweave("--version").stdout.startswith("skyweave 0.")


@pytest.mark.parametrize(
    "arguments",
    [("run",), ("explain", "--lat", "1"), ("run", "x", "--workers", "0"), ("no-such-command",)],
)
def test_wrong_usage_exits_with_2(arguments):
    assert skyweave(*arguments).returncode == 2


def fleet(text):
    return "id,lat_deg,lon_deg\n" + text


REFUSALS = {
    "a missing scenario": ({}, ("run", "none.toml"), "none.toml: no such file"),
    "a missing fleet": (
        {"a.toml": SHELL + '[[terminal_sets]]\nfile = "none.csv"\n'}, ("run", "a.toml"), "none.csv",
    ),
    "a latitude of 95 in a fleet": (
        {"a.toml": SHELL + '[[terminal_sets]]\nfile = "f.csv"\n', "f.csv": fleet("a,95,1\n")},
        ("run", "a.toml"), "line 2",
    ),
    "the same id twice in a fleet": (
        {"a.toml": SHELL + '[[terminal_sets]]\nfile = "f.csv"\n', "f.csv": fleet("a,5,1\na,6,1\n")},
        ("run", "a.toml"), '"a"',
    ),
    "the same id in two places": (
        {"a.toml": SHELL + '[[terminals]]\nid = "city-shanghai"\nlat_deg = 1\nlon_deg = 1\n'},
        ("run", "a.toml"), 'terminal id "city-shanghai" is in',
    ),
    "an unreadable track": (
        {"a.toml": SHELL + '[[terminals]]\nid = "x"\ntrack = "t.csv"\n', "t.csv": "no,track\n"},
        ("run", "a.toml"), "t.csv",
    ),
    "no terminals": (
        {"a.toml": SHELL.split("[[terminal_sets]]")[0]}, ("run", "a.toml"), "a run needs terminals",
    ),
    "elements too old": (
        {"a.toml": SHELL.split("[[shells]]")[0].replace("2026", "2023") + "[catalogue]\n"
                   '[[terminal_sets]]\nbuiltin = "cities"\n'},
        ("run", "a.toml"), "max_age_days = 14",
    ),
    "an unknown name prefix": (
        {"a.toml": SHELL.split("[[shells]]")[0] + '[catalogue]\nselect = ["STARLONK"]\n'},
        ("run", "a.toml"), "STARLINK",
    ),
    "an unknown preset": (
        {"a.toml": SHELL.split("[[shells]]")[0] + '[[shells]]\npreset = "G1-9"\n'},
        ("run", "a.toml"), "did you mean",
    ),
    "an empty catalogue file": (
        {"a.toml": SHELL.split("[[shells]]")[0] + '[catalogue]\nsource = "e.tle"\n', "e.tle": ""},
        ("run", "a.toml"), "e.tle",
    ),
    "a catalogue that is none": (
        {"x.tle": "hello\nworld\n"}, ("catalogue", "check", "x.tle"), "x.tle",
    ),
    "an unknown built-in catalogue": (
        {}, ("catalogue", "check", "builtin:1999-01-01"), "builtin:2026-06-14",
    ),
    "an unknown rule": (
        {"a.toml": SHELL + '[assignment]\nrule = "nearest"\n'}, ("run", "a.toml"), "known rules",
    ),
    "a gateway file without gateways": (
        {"a.toml": SHELL + '[gateways]\nsource = "g.csv"\n', "g.csv": "name,lat_deg,lon_deg\n"},
        ("run", "a.toml"), "g.csv",
    ),
    "an unknown terminal": (
        {"a.toml": SHELL}, ("explain", "a.toml", "--terminal", "city-shangai", "--at", AT),
        "did you mean city-shanghai",
    ),
    "an instant outside the run": (
        {"a.toml": SHELL},
        ("explain", "a.toml", "--terminal", "city-shanghai", "--at", "2026-06-14T13:00:00Z"),
        "is outside the run",
    ),
    "an instant without a zone": (
        {"a.toml": SHELL},
        ("explain", "a.toml", "--terminal", "city-shanghai", "--at", "2026-06-14T12:00:12"),
        "a time without a zone",
    ),
    "a terminal without its scenario": ({}, ("explain", "--terminal", "a", "--at", AT), "scenario"),
    "a terminal and a place": (
        {"a.toml": SHELL},
        ("explain", "a.toml", "--terminal", "city-delhi", "--lat", "1", "--lon", "1", "--at", AT),
        "exclude each other",
    ),
    "a place of NaN in a scenario": (
        {"a.toml": SHELL}, ("explain", "a.toml", "--lat", "nan", "--lon", "1", "--at", AT),
        "lat_deg",
    ),
    "the same place twice": (
        {"a.toml": SHELL}, ("path", "a.toml", "city-shanghai", "Shanghai"), "two different places",
    ),
    "a name that steers the terminal": (
        {"a.toml": SHELL}, ("explain", "a.toml", "--terminal", "b\nc\x1b[31m", "--at", AT), "b\\nc",
    ),
    "a preset with numbers": (
        {"a.toml": SHELL.replace("altitude_km", 'preset = "G1-1"\naltitude_km')},
        ("run", "a.toml"), "a preset knows its own numbers",
    ),
    "a latitude of 95": (
        {}, ("explain", "--lat", "95", "--lon", "1", "--at", AT), "lat_deg = 95",
    ),
    "a place that nobody knows": (
        {"a.toml": SHELL}, ("path", "a.toml", "Tokyo", "Xyzzyville"), "Xyzzyville",
    ),
    "samples without a span": (
        {"a.toml": SHELL}, ("path", "a.toml", "Tokyo", "Delhi", "--every", "1"), "go together",
    ),
    "a plot of nothing": ({}, ("plot", "none", "--what", "rtt", "--out", "x.png"), "none"),
    "an unknown plot": (
        {}, ("plot", "run", "--what", "colour", "--out", "x.png"), "rtt",
    ),
    "a sky without a terminal": (
        {"a.toml": SHELL}, ("plot", "a.toml", "--what", "sky", "--out", "x.png"), "--terminal",
    ),
    "an output that is a file": (
        {"a.toml": SHELL, "out": "x"}, ("run", "a.toml", "--out", "out"), "is a file",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS)
def test_a_refusal_is_one_line_on_stderr_and_exit_status_1(
    case, folder, shell_run, monkeypatch, capfd
):
    files, arguments, expected = REFUSALS[case]
    for name, text in files.items():
        (folder / name).write_text(text)
    before = sorted(path.name for path in folder.iterdir())
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", ["skyweave", *arguments])
    with pytest.raises(SystemExit) as ending:
        main()
    stdout, stderr = capfd.readouterr()
    assert ending.value.code == 1
    assert stdout == ""
    assert len(stderr.splitlines()) == 1
    assert expected in stderr
    assert sorted(path.name for path in folder.iterdir()) == before


def test_verbose_shows_where_a_refusal_comes_from():
    done = skyweave("--verbose", "run", "none.toml")
    assert done.returncode == 1
    assert "Traceback" in done.stderr
