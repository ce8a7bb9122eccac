"""What the results say of a policy: the report, the fleet table, the manifest, and sentences."""

import re
from dataclasses import replace

import pytest
from tests.support.made_policy import (
    START_S,
    agreement,
    directive,
    disk,
    everywhere,
    obeying,
    region,
    snapshot,
)
from tests.support.small_network import PLACES

from skyweave.policy.decision import NO_LIMIT_BPS, Rule, State
from skyweave.policy.reasons import Reason
from skyweave.policy.snapshot import Kind
from skyweave.twin.results.policy import verdict_document, verdict_text
from skyweave.twin.results.report_policy import decided
from skyweave.twin.run import run_system
from skyweave.twin.verdicts import BORDER, NO_PLACE, Notice, Verdict

END_S = START_S + 150
ON = Verdict(State.ON, "active", None, decided_by="d-1", entry=7, why="the quorum says so")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run in which Berlin is suspended for half the time, and Rome was never switched on."""
    folder = tmp_path_factory.mktemp("policy")
    policy = everywhere()
    here = [
        region(name, disk(*place, 1))
        for name, place in PLACES.items()
        if name in ("berlin", "oslo")
    ]
    rome = region("rome", disk(*PLACES["rome"], 3))
    records = [
        *policy.regions, *policy.directives, *here, rome,
        directive(Kind.SUSPEND, 2, "berlin", START_S, END_S),
        directive(Kind.RESTRICT, 3, "oslo", max_down_bps=2_000_000),
        directive(Kind.EXCLUDE, 4, "rome"), agreement(5, "rome"),
    ]  # fmt: skip
    return run_system(obeying(folder, snapshot(*records)), folder / "run")


def test_each_site_has_its_shares_and_what_decided_them(run):
    fleet = run.fleet.set_index("terminal_id")
    berlin, oslo, rome = (fleet.loc[name] for name in ("berlin", "oslo", "rome"))
    assert (berlin.policy_on_share, berlin.policy_off_share) == (0.5, 0.5)
    assert berlin.policy_decisions == "off cell_is_disabled d-2 #2 0.5000; on d-1 #1 0.5000"
    assert (oslo.policy_restricted_share, oslo.policy_on_share) == (1.0, 0.0)
    assert oslo.policy_decisions == "restricted d-3 #3 1.0000"
    assert rome.policy_decisions == "off blocked_area d-4 #4 1.0000"
    assert fleet.loc["suva"].policy_decisions == "on d-1 #1 1.0000"


def test_the_manifest_names_the_log_and_what_it_decided(run):
    policy = run.manifest["policy"]
    assert policy["log_origin"] == "made.example/log"
    assert policy["taken_at_utc"] == "2026-06-14T12:00:12Z"
    assert re.fullmatch("sha256:[0-9a-f]{64}", policy["snapshot"])
    by_id = {each["decided_by"]: each for each in policy["decisions"]}
    assert sum(each["terminal_slots"] for each in policy["decisions"]) == 8 * 20
    assert by_id["d-2"]["terminal_slots"] == 10
    assert by_id["d-4"]["breached"] == "a-5"
    assert [each["terminal_slots"] for each in policy["decisions"]] == [110, 20, 20, 10]
    assert run.summary["outages_by_reason"]["blocked_area"] == 20


def test_the_report_tells_it_for_all_and_for_each_site(run):
    page = (run.folder / "report.html").read_text(encoding="utf-8").replace("\u00a0", " ")
    assert "What the policy decided" in page
    assert "made.example/log" in page
    assert "Off: suspended" in page
    assert "breaks agreement a-5" in page
    assert "off: service is switched off in this cell (d-2, log entry 2) 50.0 %" in page
    assert "restricted (d-3, log entry 3) 100 %" in page


def test_a_name_in_the_log_cannot_break_the_page():
    site = {"policy_decisions": 'on <script>alert("x")</script> #3 1.0000; odd-one 0.5'}
    assert "<script>" not in decided(site)
    assert "log entry 3" in decided(site)


@pytest.mark.parametrize(
    ("verdict", "text"),
    [
        (ON, "directive d-1 (log entry 7) has service on here, because: the quorum says so"),
        (replace(ON, until_s=END_S, why=""),
         "directive d-1 (log entry 7) has service on here until 2026-06-14T12:02:42Z"),
        (replace(ON, rule="suspended", state=State.OFF, reason=Reason.CELL_IS_DISABLED,
                 max_down_bps=0, max_up_bps=0),
         "directive d-1 (log entry 7) suspends service here, because: the quorum says so"),
        (replace(ON, rule="suspended", state=State.RESTRICTED, max_down_bps=64_000,
                 max_up_bps=64_000, why=""),
         "directive d-1 (log entry 7) suspends service here, but for the lifeline class, at most "
         "64 kbit/s down and 64 kbit/s up"),
        (Verdict(State.OFF, "unlicensed", Reason.BLOCKED_COUNTRY, 0, 0, breached="a-5"),
         "no licence is in force for any region here, so that service is off; this breaks "
         "agreement a-5"),
        (replace(ON, notice=Notice.ALLOW_LIST, noticed_until_s=END_S, why=""),
         "directive d-1 (log entry 7) has service on here; it is not on the allow list, and keeps "
         "service until 2026-06-14T12:02:42Z"),
        (Verdict(State.OFF, BORDER, Reason.ROAM_RESTRICTED, 0, 0),
         "the terminal left the area in which service is on, and its grace is over"),
        (replace(ON, rule=BORDER, state=State.RESTRICTED, max_down_bps=1_000_000,
                 notice=Notice.GRACE),
         "the terminal is, or may be, beyond the border of where d-1 (log entry 7) has service on, "
         "at most 1,000 kbit/s down; it is warned, and its grace lasts while that is not sure"),
        (Verdict(None, NO_PLACE, None),
         "its position is not known, so that nothing in the log applies to it"),
    ],
)  # fmt: skip
def test_a_verdict_is_one_plain_sentence(verdict, text):
    assert verdict_text(verdict) == text
    found = verdict_document(verdict)
    assert found["text"] == text
    assert found["max_down_bps"] == (
        None if verdict.max_down_bps == NO_LIMIT_BPS else verdict.max_down_bps
    )


@pytest.mark.parametrize("rule", [*(each.name.lower() for each in Rule), BORDER, NO_PLACE])
@pytest.mark.parametrize("state", list(State))
def test_every_rule_has_its_sentence(rule, state):
    text = verdict_text(replace(ON, rule=rule, state=state))
    assert text[0].islower()
    assert "{" not in text


def test_a_time_beyond_the_calendars_is_told_all_the_same():
    assert "until 36812-02-20T00:36:16Z" in verdict_text(replace(ON, until_s=2**40))
