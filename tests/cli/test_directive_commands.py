"""`skyweave directive`: proposals with their impact, refused early where they could not count."""

import json

import pytest

pytest.importorskip("cryptography", reason="the extra control is not installed")

from tests.support.made_charter import DAY_S, HOUR_S
from tests.support.signers_shell import Shell, copied

from skyweave.control.domain.documents import Directive, Proposal, parse_document
from skyweave.control.domain.impact_public import parse_published
from skyweave.control.parcel import read_parcel
from skyweave.control.times import utc

PROPOSE = ("directive", "propose", "LOG", "--terminals", "fleet.csv")
ACTIVATE = (*PROPOSE, "--id", "on", "--kind", "activate", "--region", "port-amity",
            "--reason", "The network opens")  # fmt: skip
SUSPEND = (*PROPOSE, "--id", "off", "--kind", "suspend", "--region", "port-amity", "--route",
           "suspend", "--reason", "Interference")  # fmt: skip


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """A log in which the region is on, beside its signers' keys."""
    shell = Shell(tmp_path_factory.mktemp("shell"))
    shell.log.decide("activate", shell.region, "first")
    shell.keep()
    return shell


@pytest.fixture
def shell(master, tmp_path, monkeypatch):
    return copied(master, tmp_path, monkeypatch)


def directive_in(parcel):
    return parse_document(parcel.envelope.payload, Proposal, "proposal").directive


def test_a_proposal_names_the_exact_version_of_all_that_it_touches(shell):
    shell.log.agreement(shell.region)
    shell.keep()
    found = directive_in(shell.signed(*SUSPEND, "--days", "7", by="tidewire-1"))
    now_s = shell.log.now_s
    assert found == Directive(
        directive_id="off", does=found.does, route="suspend", charter=shell.log.charter.digest,
        region_id="port-amity", region=shell.region.digest, agreements=("a-17",), owner="tidewire",
        reason="Interference", from_s=now_s + 72 * HOUR_S, until_s=now_s + 72 * HOUR_S + 7 * DAY_S,
        approvals_until_s=now_s + 72 * HOUR_S + 7 * DAY_S,
    )  # fmt: skip


def test_the_impact_that_is_signed_is_that_of_the_table(shell):
    parcel = shell.signed(*SUSPEND, "--days", "7", by="tidewire-1")
    proposal = parse_document(parcel.envelope.payload, Proposal, "proposal")
    report = parse_published(parcel.objects[proposal.impact])
    assert report.terminals["loses"] == 20  # 31, told in steps of 20
    assert report.directive == proposal.directive.digest
    assert not parcel.private


def test_nobody_reads_small_counts_or_terminals_from_a_parcel(shell):
    shell.signed(*SUSPEND, "--days", "7", by="tidewire-1")
    content = (shell.place / "out.parcel").read_text()
    objects = b"".join(read_parcel(shell.place / "out.parcel").objects.values()).decode()
    for name in ("clinic", "home-3", "KIT-3", "38.6", "relief"):
        assert name not in content
        assert name not in objects


def test_the_proposer_keeps_the_exact_report_for_themselves_alone(shell):
    shell.signed(*SUSPEND, "--days", "7", "--exact", "exact.json", by="tidewire-1")
    path = shell.place / "exact.json"
    assert path.stat().st_mode & 0o077 == 0
    assert json.loads(path.read_text())["report"]["terminals"][0] == 31


def test_a_draft_and_options_say_the_same(shell):
    (shell.place / "draft.toml").write_text(
        'id = "off"\nkind = "suspend"\nroute = "suspend"\nregion = "port-amity"\n'
        'reason = "Interference"\ndays = 7\n'
    )
    words = ("directive", "propose", "LOG", "draft.toml", "--terminals", "fleet.csv")
    by_draft = directive_in(shell.signed(*words, by="tidewire-1"))
    by_options = directive_in(
        shell.signed(*SUSPEND, "--days", "7", by="tidewire-1", out="b.parcel")
    )
    assert by_draft == by_options
    longer = directive_in(shell.signed(*words, "--days", "8", by="tidewire-1", out="c.parcel"))
    assert longer.until_s - by_draft.until_s == DAY_S


def test_a_proposal_is_shown_in_words_before_it_leaves(shell):
    words = (*SUSPEND, "--days", "7", "--key", "tidewire-1.key", "--out", "o", "--now", shell.now)
    text = shell.says(*words)
    for part in ("suspend: switch off Port-Amity (region port-amity, version 1,",
                 "because: Interference", "20 terminals", "what is signed: sha256:",
                 "o: proposal, 1 signature"):  # fmt: skip
        assert part in text


REFUSED = {
    "no end": (SUSPEND, "suspend without an end; give --days N or --until UTC, at most 30 days"),
    "too long": ((*SUSPEND, "--days", "40"), "at most 30 by route suspend"),
    "two ends": ((*SUSPEND, "--days", "4", "--until", "2026-12-20T00:00:00Z"), "the same twice"),
    "an end that is no time": ((*SUSPEND, "--until", "soon"), 'until: found "soon", expected'),
    "no fleet": ((*SUSPEND[:3], *SUSPEND[5:], "--days", "7"), "--terminals FLEET.csv"),
    "no such region": ((*SUSPEND, "--region", "atlantis", "--days", "7"), "it has: port-amity"),
    "no such kind": ((*SUSPEND, "--kind", "supend", "--days", "7"), "'suspend'"),
    "two routes": (
        (*SUSPEND, "--route", "", "--days", "7"), "suspend or order-of-authority: name one",
    ),
    "no such route": ((*SUSPEND, "--route", "fiat", "--days", "7"), 'route "fiat"'),
    "no reason": ((*PROPOSE, "--id", "off", "--kind", "suspend"), '"reason" is missing'),
    "a used id": ((*ACTIVATE, "--id", "first"), "first"),
    "an unlogged request": ((*SUSPEND, "--days", "7", "--request", "r-9"), "r-9"),
    "an owner from outside": ((*SUSPEND, "--days", "7", "--owner", "nobody"), "nobody"),
    "another log": ((*SUSPEND, "--days", "7", "--genesis", f"sha256:{'0' * 64}"), "another"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_log_would_ignore_is_refused_before_it_is_signed(case, master, monkeypatch):
    words, why = REFUSED[case]
    monkeypatch.chdir(master.place)
    told = master.refusal(*words, "--key", "tidewire-1.key", "--out", "never", "--now", master.now)
    assert why in told
    assert not (master.place / "never").exists()


def test_an_unknown_key_of_a_draft_suggests_the_near_one(shell):
    (shell.place / "draft.toml").write_text('id = "off"\nkind = "suspend"\nreasn = "x"\n')
    told = shell.refusal("directive", "propose", "LOG", "draft.toml", "--key", "tidewire-1.key",
                         "--out", "o", "--now", shell.now)  # fmt: skip
    assert told == 'draft.toml: unknown key "reasn"; did you mean "reason"?'


def test_a_clock_behind_the_log_signs_nothing(shell):
    told = shell.refusal(*SUSPEND, "--days", "7", "--key", "tidewire-1.key", "--out", "o",
                         "--now", utc(shell.log.now_s - 400))  # fmt: skip
    assert "before the log's last entry; set the clock right" in told


def test_show_says_what_is_missing_and_what_happened(shell):
    shell.signed(*SUSPEND, "--days", "7", by="tidewire-2")
    shell.append("out.parcel")
    text = shell.says("directive", "show", "LOG", "off", "--now", shell.now)
    assert "council: so far 0 of 3 people, 0 of 2 organisations" in text
    assert 'proposed, log entry 5: proposed by "tidewire-2"' in text
    found = shell.answer("directive", "show", "LOG", "--now", shell.now)
    assert [(each["directive"], each["state"]) for each in found["directives"]] == [
        ("first", "effective"), ("off", "proposed"),
    ]  # fmt: skip


def test_the_impact_can_be_counted_again_by_anyone_with_a_table(shell):
    shell.signed(*SUSPEND, "--days", "7", by="tidewire-2")
    words = ("directive", "impact", "LOG", "out.parcel", "--now", shell.now)
    signed = shell.answer(*words)["signed"]
    own = shell.answer(*words, "--terminals", "fleet.csv")["own"]
    assert own == signed
    exact = shell.answer(*words, "--terminals", "fleet.csv", "--exact")["own"]
    assert any("31 terminals" in line for line in exact)
    assert "give it, as --terminals" in shell.refusal(*words, "--exact")


def test_a_proposer_takes_a_proposal_back(shell):
    shell.signed(*SUSPEND, "--days", "7", by="tidewire-2")
    shell.append("out.parcel")
    words = ("directive", "withdraw", "LOG", "off", "--reason", "Repaired")
    shell.signed(*words, by="tidewire-2", out="w.parcel")
    shell.append("w.parcel")
    found = shell.answer("directive", "show", "LOG", "off", "--now", shell.now)
    assert found["directives"][0]["state"] == "withdrawn"


def test_only_the_owner_ends_a_reduction_early(shell):
    shell.log.decide("suspend", shell.region, "off", owner="tidewire")
    shell.keep()
    shell.log.wait(73 * HOUR_S)
    words = ("directive", "lift", "LOG", "off", "--reason", "Repaired", "--now", shell.now)
    told = shell.refusal(*words, "--key", "open-waters-1.key", "--out", "never")
    assert "tidewire" in told
    shell.signed(*words[:6], by="tidewire-1", out="lift.parcel")
    shell.append("lift.parcel")
    found = shell.answer("directive", "show", "LOG", "off", "--now", shell.now)
    assert found["directives"][0]["state"] == "lifted"


def test_what_is_not_in_the_log_cannot_be_ended_or_shown(shell):
    withdraw = ("withdraw", "LOG", "x", "--reason", "r", "--key", "tidewire-1.key", "--out", "o")
    for words in (withdraw, ("show", "LOG", "x")):
        told = shell.refusal("directive", *words, "--now", shell.now)
        assert told == 'directive "x" is not in the log; it has: first'


KITS = "kit,class,sponsor\nKIT-C,standard,relief\nKIT-1,standard,\n"
LISTED = (*PROPOSE, "--id", "listed", "--kind", "restrict", "--region", "port-amity", "--days",
          "20", "--reason", "Stolen kits", "--allow-list", "kits.csv")  # fmt: skip


def test_an_allow_list_travels_in_private_and_keeps_its_kits_on(shell):
    (shell.place / "kits.csv").write_text(KITS)
    parcel = shell.signed(*LISTED, by="tidewire-1")
    directive = directive_in(parcel)
    assert set(parcel.private) == {directive.allow_list}
    assert b"KIT-C" not in parcel.private[directive.allow_list]
    assert (shell.place / "out.parcel").stat().st_mode & 0o077 == 0
    told = shell.says("directive", "impact", "LOG", "out.parcel", "--now", shell.now)
    assert "are warned" in told or "warned" in told


def test_a_kit_is_added_at_once_and_removed_with_notice(shell):
    (shell.place / "kits.csv").write_text(KITS)
    (shell.place / "more.csv").write_text("kit,class,sponsor\nKIT-2,standard,\n")
    shell.signed(*LISTED, by="tidewire-2")
    shell.append("out.parcel")
    names = ("tidewire-1", "amity-office-1", "harbour-hospitals-1")
    for name in names:
        shell.signed("approve", "LOG", "listed", "--yes", by=name, out=f"{name}.parcel")
    shell.append(*(f"{name}.parcel" for name in names))
    words = ("directive", "list", "LOG", "listed")
    early = ("--remove", "KIT-1", "--reason", "Stolen", "--appeal", "Court", "--days", "3",
             "--key", "tidewire-1.key", "--out", "never", "--now", shell.now)  # fmt: skip
    assert "a removal takes 14 days" in shell.refusal(*words, *early)
    assert "nothing to change" in shell.refusal(*words, *early[8:])
    change = ("--add", "more.csv", "--remove", "KIT-1", "--reason", "Stolen", "--appeal", "Court")
    parcel = shell.signed(*words, *change, by="tidewire-1", out="change.parcel")
    assert len(parcel.private) == 1
    shell.append("change.parcel")
    again = ("--add", "more.csv", "--key", "open-waters-1.key", "--out", "no", "--now", shell.now)
    assert '"tidewire" keeps its list' in shell.refusal(*words, *again)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("kit,sponsor\n", "expected the header kit,class,sponsor"),
        ("kit,class,sponsor\n,a,b\n", "line 2"),
        ("kit,class,sponsor\na,b\n", "line 2"),
        ('kit,class,sponsor\n"a,b\n', "no CSV"),
    ],
)
def test_kits_that_cannot_be_read_are_refused_by_line(shell, content, why):
    (shell.place / "kits.csv").write_text(content)
    told = shell.refusal(*LISTED, "--key", "tidewire-1.key", "--out", "o", "--now", shell.now)
    assert told.startswith("kits.csv: ")
    assert why in told


def test_two_people_of_the_operator_say_together_that_it_failed(shell):
    fail = ("directive", "fail", "LOG", "first", "--reason", "The gateway is down", "--now",
            shell.now, "--out", "fail.parcel")  # fmt: skip
    told = shell.refusal(*fail, "--key", "amity-office-1.key")
    assert "people of the operator say that it failed" in told
    text = shell.says(*fail, "--key", "tidewire-1.key")
    assert "operator: so far 1 of 2 people; the others sign it by this command with" in text
    assert "has signed this already" in shell.refusal(*fail, "--key", "tidewire-1.key")
    other = [word.replace("down", "well") for word in fail]
    assert "not the same failure" in shell.refusal(*other, "--key", "tidewire-2.key")
    assert shell.answer(*fail, "--key", "tidewire-2.key")["missing"] == []
    shell.append("fail.parcel")


def test_a_redrawn_region_takes_effect_by_amendment(shell):
    make = ("region", "make", "border.geojson", "--id", "port-amity", "--title", "Wider",
            "--version", "2", "--no-licence")  # fmt: skip
    shell.signed(*make, by="tidewire-1", out="region.parcel")
    words = ("directive", "propose", "LOG", "--id", "redraw", "--kind", "amend_region", "--region",
             "port-amity", "--reason", "It grew", "--document", "region.parcel")  # fmt: skip
    parcel = shell.signed(*words, by="tidewire-1", out="redraw.parcel")
    directive = directive_in(parcel)
    assert directive.replaces_by in parcel.objects
    assert len(parcel.objects) == 2  # the new record and its geometry
    shell.append("redraw.parcel")


LICENSED = """
id = "on-2"
kind = "activate"
region = "bay"
reason = "The licence is here"

[licence]
administration = "AMY"
instrument = "Port Amity Gazette 15"
from = 2026-11-22T00:00:00Z
until = 2028-11-22T00:00:00Z
"""


def test_an_activation_brings_the_licence_that_it_relies_on(shell):
    shell.log.region("bay", 1, 0, needs_licence=True)
    shell.keep()
    (shell.place / "on.toml").write_text(LICENSED)
    words = ("directive", "propose", "LOG", "on.toml", "--terminals", "fleet.csv")
    directive = directive_in(shell.signed(*words, by="tidewire-2"))
    assert directive.administration == "AMY"
    assert directive.licence.instrument == "Port Amity Gazette 15"
    assert directive.licence.status == "valid"
    shell.append("out.parcel")
    (found,) = shell.answer("directive", "show", "LOG", "on-2", "--now", shell.now)["directives"]
    assert "authority:AMY: so far 0 of 1 people, 0 of 1 organisations" in found["missing"]
    line = "licence of AMY, valid: Port Amity Gazette 15, from 2026-11-22T00:00:00Z until 2028-11"
    assert any(each.startswith(line) for each in found["words"])
    without = LICENSED.partition("[licence]")[0]
    (shell.place / "on.toml").write_text(without.replace("on-2", "on-3"))
    told = shell.refusal(*words, "--key", "tidewire-2.key", "--out", "no", "--now", shell.now)
    assert "licence" in told or "administration" in told


EXCLUDE = (*PROPOSE, "--id", "out", "--kind", "exclude", "--region", "port-amity", "--days", "90",
           "--reason", "By law")  # fmt: skip


def test_an_exclusion_names_its_law_and_where_it_stands(shell):
    told = shell.refusal(*EXCLUDE, "--key", "tidewire-1.key", "--out", "no", "--now", shell.now)
    assert "instrument" in told
    words = (*EXCLUDE, "--instrument", "Gazette 16", "--publication", "https://gazette.example/16")
    directive = directive_in(shell.signed(*words, by="tidewire-1"))
    assert (directive.instrument, directive.publication) == (
        "Gazette 16", "https://gazette.example/16",
    )  # fmt: skip


def test_an_agreement_in_the_way_is_named_to_those_who_sign(shell):
    shell.log.agreement(shell.region)
    shell.keep()
    words = ("--instrument", "Gazette 16", "--publication", "https://gazette.example/16")
    shell.signed(*EXCLUDE, *words, by="tidewire-2")
    shell.append("out.parcel")
    names = ("tidewire-1", "amity-office-1", "open-waters-1")
    for name in names:
        shell.signed("approve", "LOG", "out", "--yes", by=name, out=f"{name}.vote")
    shell.append(*(f"{name}.vote" for name in names))
    (found,) = shell.answer("directive", "show", "LOG", "out", "--now", shell.now)["directives"]
    assert found["state"] == "blocked"
    assert found["blocked_by"] == ["a-17"]
    assert "blocked by: a-17" in shell.says("directive", "show", "LOG", "out", "--now", shell.now)
