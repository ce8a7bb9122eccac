"""What the tables on the command line say, of answers made by hand."""

import pytest

from skyweave.cli import show


@pytest.fixture(autouse=True)
def _eighty_columns(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def shown(capsys):
    """Return the printed lines, their words one space apart."""
    return [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]


def sample(t_s, *ways):
    paths = [{"rtt_s": rtt_s, "nodes": ["A", node, "B"]} for rtt_s, node in ways]
    best = paths[0] if paths else {"rtt_s": None, "nodes": [], "reason": "no_satellite_in_view"}
    return {"t_s": t_s, **best, "paths": paths}


def test_disjoint_paths_are_listed_by_rank_where_the_best_one_changes(capsys):
    samples = [
        sample(0.0, (0.01, "1"), (0.02, "2")),
        sample(1.0, (0.01, "1"), (0.03, "3"), (0.04, "4")),
        sample(2.0),
    ]
    show.path({"from": "A", "to": "B", "samples": samples}, 3)
    assert shown(capsys)[1:] == [
        "t / s rank round-trip time path",
        "0 1 10.0 ms A > 1 > B",
        "2 20.0 ms A > 2 > B",
        "2 no path no_satellite_in_view",
        "3 samples; a row for each change of path",
        "disjoint paths found: 0 to 3 of 3",
    ]


def test_an_export_s_facts_are_a_line_each(capsys):
    facts = {"out": "x", "rows": {"links.csv": 12}, "delay_s": {"min": 0.1}, "rate_bps": None,
             "files": ["a", "b"]}  # fmt: skip
    show.export(facts)
    lines = [line for line in shown(capsys) if line]
    assert lines == [
        "x", "links.csv 12 rows", "delay_s: min 0.1", "rate_bps none given", "files a, b",
    ]  # fmt: skip


def result(row_id, verdict, note="", actual="1"):
    return {"id": row_id, "quantity": "what " * 20, "expected": "9" * 40, "unit": "ns",
            "actual": actual, "verdict": verdict, "note": note}  # fmt: skip


def test_published_results_are_cut_nowhere_and_reasons_stand_once(capsys):
    show.validation(
        [
            result("XXX-01", "reproduced"),
            result("XXX-02", "not_applicable", "Needs packets."),
            result("XXX-03", "differs", "Another epoch."),
            result("XXX-04", "not_applicable", "Needs packets."),
        ]
    )
    out = capsys.readouterr().out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= 80
    assert out.count("9") == 4 * 40
    assert out.endswith(
        "XXX-03 differs: Another epoch.\nXXX-02, XXX-04 not_applicable: Needs packets.\n"
        "1 reproduced, 2 not_applicable, 1 differs\n"
    )


def test_pairs_name_the_busiest_links(capsys):
    spread = {"p5": 1.0, "p50": 1.0, "p95": 1.0, "max": None}
    show.pairs(
        {
            "sites": 2, "pairs": 1, "instants": 1, "unreachable_pairs": 0, "interrupted_pairs": 0,
            "rtt_s": {"min": spread, "max": spread, "spread": spread}, "path_changes": spread,
            "stretch": {"geodesic": spread, "fibre": spread},
            "busiest_satellites": [{"norad_id": 7, "share": 0.5}],
            "busiest_links": [{"norad_ids": [7, 8], "share": 0.25}],
        }
    )  # fmt: skip
    assert "7 - 8 25.00%" in shown(capsys)


def test_the_words_of_a_directive_do_not_steer_the_terminal_of_whom_it_switches_off(capsys):
    """A reason that ends its line could forge the rows after it, or hide those before."""
    policy = {"text": "directive d suspends service, because: \x1b[2Jno\nstate served \u202e"}
    found = {
        "terminal": "home", "slot_start_utc": "2026-06-14T12:00:12Z", "state": "out",
        "reason": "cell_is_disabled", "policy": policy, "satellite": None, "candidates": [],
    }  # fmt: skip
    show.explanation(found)
    text = capsys.readouterr().out
    assert "\\x1b[2Jno\\nstate" in " ".join(text.split())
    assert not {"\x1b", "\u202e"} & set(text)
