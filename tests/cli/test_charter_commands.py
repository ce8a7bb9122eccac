"""Charters on the command line: walked through, drafted, shown, signed, and drafted again."""

import json
import os
import shutil
import stat
from contextlib import chdir
from pathlib import Path

import pytest
from tests.support.made_charter import FIVE, key, key_record, person
from typer.testing import CliRunner

from skyweave.cli.app import app
from skyweave.control.cards import sign_card
from skyweave.control.domain.charters import verify_genesis
from skyweave.control.domain.documents import Charter, digest_of, parse_document
from skyweave.control.domain.keyring import key_id_of
from skyweave.control.parcel import read_parcel
from skyweave.control.signing.keys import save_private_key
from skyweave.control.signing.notes import COSIGNATURE, LOG_SIGNATURE, VerifierKey
from skyweave.errors import InputError

NOON = "2026-11-22T12:00:00Z"
PEOPLE = [person(each, n) for each in FIVE for n in (1, 2)]
WITNESSES = ("amber", "birch", "cedar")


def verifier(name, kind):
    return VerifierKey(f"{name}.example", kind, key(name).public).text


LOG_KEY = verifier("log", LOG_SIGNATURE)
GIVEN = {
    "--template": ["consortium"],
    "--name": ["Port Amity"],
    "--card": [f"{name}.card" for name in PEOPLE],
    "--operator": ["tidewire"],
    "--authority": ["AMY=amity-office"],
    "--organisation": ["harbour-hospitals=Hospitals of the harbour"],
    "--log-key": [LOG_KEY],
    "--witness": [f"{name}={verifier(name, COSIGNATURE)}" for name in WITNESSES],
    "--now": [NOON],
}


@pytest.fixture(scope="module")
def seated(tmp_path_factory):
    """A folder with everybody's card and key file."""
    place = tmp_path_factory.mktemp("seated")
    with chdir(place):
        for name in PEOPLE:
            save_card(name)
            save_private_key(Path(f"{name}.key"), key(name))
    return place


@pytest.fixture(autouse=True)
def folder(seated, tmp_path, monkeypatch):
    """A copy of it, and no passphrase in the environment."""
    shutil.copytree(seated, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SKYWEAVE_PASSPHRASE", raising=False)
    return tmp_path


def save_card(name, organisation=None):
    record = key_record(name, organisation or name.rsplit("-", 1)[0])
    Path(f"{name}.card").write_bytes(sign_card(key(name), record).encode())
    return record


def invoke(*words, **options):
    return CliRunner().invoke(app, [str(w) for w in words], catch_exceptions=False, **options)


def answer(*words):
    result = invoke(*words, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(*words):
    with pytest.raises(InputError) as refused:
        invoke(*words)
    message = str(refused.value)
    assert "\n" not in message
    return message


def options(**changed):
    given = GIVEN | {f"--{name.replace('_', '-')}": values for name, values in changed.items()}
    return [word for option, values in given.items() for value in values
            for word in (option, value)]  # fmt: skip


def init(**changed):
    return answer("charter", "init", "c", *options(**changed))


def sign(name, *words):
    return answer("charter", "sign", "c", "--key", f"{name}.key", *words)


ROOT = [person(each, 1) for each in FIVE[:3]]


# Templates


def test_three_templates_say_what_each_protects_costs_and_where_it_fails():
    found = {each["name"]: each for each in answer("charter", "templates")["templates"]}
    assert set(found) == {"consortium", "licensed-operator", "humanitarian"}
    text = " ".join(invoke("charter", "templates", env={"COLUMNS": "100"}).stdout.split())
    for each in found.values():
        for name in ("title", "suits", "protects", "trusts", "costs", "fails"):
            assert each[name] in text


# A draft


def test_a_draft_is_a_charter_of_the_answers_and_says_what_to_do_next():
    told = invoke("charter", "init", "c", *options()).stdout
    shown = answer("charter", "show", "c")
    assert f"digest {shown['digest']}" in told
    assert "skyweave charter sign c --key KEYFILE" in told
    assert "compare the digest by another channel" in told
    charter = shown["charter"]
    assert (shown["state"], charter["name"], charter["version"]) == ("draft", "Port Amity", 1)
    assert charter["expires_s"] - charter["created_s"] == 2 * 365 * 86_400
    assert [each["name"] for each in charter["organisations"]] == [
        "tidewire", "amity-office", "Hospitals of the harbour", "island-relief", "open-waters",
    ]  # fmt: skip
    assert [each["key_id"] for each in charter["keys"]] == [
        key(name).public.key_id for name in PEOPLE
    ]
    assert charter["witnesses"] == list(WITNESSES)
    assert "group seen 2 amber birch cedar\nquorum seen\n" in charter["trust"]
    assert (shown["signed"], shown["complete"]) == ([], False)


def test_a_draft_and_its_salt_are_for_its_owner_alone():
    init()
    assert stat.S_IMODE(os.stat("c").st_mode) == 0o600
    content = json.loads(Path("c").read_text())
    assert digest_of(bytes.fromhex(content["salt"])) == content["charter"]["salt_digest"]
    assert len(content["salt"]) == 64


def test_two_drafts_of_the_same_answers_have_two_salts():
    first = init()["digest"]
    Path("c").unlink()
    assert init()["digest"] != first


def test_years_and_witnesses_are_as_many_as_were_asked_for():
    init(years=["0.5"], witness_quorum=["3"])
    charter = answer("charter", "show", "c")["charter"]
    assert charter["expires_s"] - charter["created_s"] == 365 * 43_200
    assert "group seen 3 amber birch cedar" in charter["trust"]


REFUSED = {
    "an unknown template": ({"template": ["monarchy"]}, 'template "monarchy": expected consortium'),
    "a card that is not there": ({"card": ["none.card"]}, "none.card: No such file"),
    "a card that is none": ({"card": ["tidewire-1.key"]}, "tidewire-1.key: expected the keys"),
    "the same card twice": ({"card": [*GIVEN["--card"], "tidewire-1.card"]}, "one key has one"),
    "too few people": ({"card": [f"{p}.card" for p in PEOPLE[::2]]}, "1 of 2 people"),
    "an operator nobody is of": ({"operator": ["x"]}, 'the operator is "x"'),
    "an authority without a name": ({"authority": ["AMY"]}, "expected CH=SLUG"),
    "an authority nobody is of": ({"authority": ["AMY=x"]}, 'the authority AMY is "x"'),
    "an administration of no form": ({"authority": ["amy=amity-office"]}, "role: String should"),
    "an organisation nobody is of": ({"organisation": ["x=X"]}, '"x": no card names it'),
    "the key of a witness for the log": (
        {"log_key": [verifier("amber", COSIGNATURE)]}, "not the verifier key of a log",
    ),
    "no key for the log": ({"log_key": ["x"]}, "--log-key: found"),
    "a witness without a name": ({"witness": ["x"]}, "expected NAME=KEY"),
    "a witness with a name that breaks a line": (
        {"witness": [f"a\nb={verifier('amber', COSIGNATURE)}"]}, "a name without spaces",
    ),
    "the log's key for a witness": ({"witness": [f"amber={LOG_KEY}"]}, "not the verifier key of a"),
    "a witness twice": ({"witness": [GIVEN["--witness"][0]] * 2}, "earlier witness line"),
    "more witnesses needed than there are": ({"witness_quorum": ["4"]}, "expected 1 to 3"),
    "no witness needed": ({"witness_quorum": ["0"]}, "--witness-quorum 0: expected 1 to 3"),
    "no time": ({"years": ["0"]}, "--years 0"),
    "no name": ({"name": [""]}, "name: String should have at least 1 character"),
}  # fmt: skip


@pytest.mark.parametrize("why", REFUSED)
def test_a_draft_is_refused_in_one_line_for(why):
    changed, words = REFUSED[why]
    assert words in refusal("charter", "init", "c", *options(**changed))
    assert not Path("c").exists()


def test_a_draft_is_not_written_over_a_file():
    init()
    assert refusal("charter", "init", "c", *options()).startswith("c: a file is there already")


@pytest.mark.parametrize("option", ["name", "template", "card", "operator", "log-key", "witness"])
def test_a_script_without_an_answer_is_told_the_option_and_why(option):
    done = invoke("charter", "init", "c", *options(**{option: []}))
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"--{option}: not given, and there is no terminal to ask at. ")
    assert "?" in done.stderr
    assert not Path("c").exists()


# The walk


def test_a_person_is_walked_through_with_the_reason_of_each_question(monkeypatch):
    monkeypatch.setattr("skyweave.cli.walk.at_terminal", lambda: True)
    typed = [
        "Port Amity",
        "monarchy", "humanitarian",  # one that there is not is asked again
        "none.card", *GIVEN["--card"], "",
        "open-waters=Open Waters", "",
        "tidewire",
        "AMY=amity-office", "",
        "no key", LOG_KEY,
        "", *GIVEN["--witness"], "",  # at least one
        "many", "3",
        "",  # two years
    ]  # fmt: skip
    done = invoke("charter", "init", "c", "--now", NOON, input="\n".join(typed) + "\n")
    assert done.exit_code == 0, done.output
    for words in (
        "What is the network called? The name stands in the charter",
        "humanitarian: Aid agencies that bring",
        'template "monarchy": expected consortium',
        "none.card: No such file",
        "or a stranger gets a vote",
        "Which organisation (tidewire, amity-office, harbour-hospitals, island-relief, open-waters",
        "whom none of the organisations commands",
        "at least 1, please",
        "expected a whole number",
    ):
        assert words in done.stderr
    shown = answer("charter", "show", "c")
    assert (shown["template"], shown["name"]) == ("humanitarian", "Port Amity")
    assert "group seen 3 amber birch cedar" in shown["charter"]["trust"]
    assert shown["charter"]["organisations"][-1]["name"] == "Open Waters"
    assert shown["charter"]["expires_s"] - shown["charter"]["created_s"] == 2 * 365 * 86_400


def test_a_person_who_gave_all_that_is_needed_is_asked_nothing(monkeypatch):
    monkeypatch.setattr("skyweave.cli.walk.at_terminal", lambda: True)
    done = invoke("charter", "init", "c", *options(), input="")
    assert done.exit_code == 0
    assert "?" not in done.stderr


# Showing


def test_who_may_decide_what_is_said_in_words():
    init()
    text = " ".join(invoke("charter", "show", "c").stdout.split())
    for words in (
        "Port Amity, version 1",
        "changed by 3 of members from 3 organisations",
        "witnesses amber, birch, cedar",
        "state draft, nobody has signed",
        "Hospitals of the harbour (harbour-hospitals)",
        f"tidewire-1 {key('tidewire-1').public.key_id[:16]} until 2030-11-25 members, operator",
        "activate 2 of operator and 1 of authority where a licence is needed",
        "suspend 3 of members from 2 organisations, 72 h of notice, for 30 days at most",
        "emergency_suspend 2 of members from 2 organisations, for 24 h at most, once in 30 days",
        "for 180 days at most, naming an instrument and its publication",
        "signed by nobody",
        "so far 0 of 3 people, 0 of 3 organisations",
    ):
        assert words in text


def test_a_digest_stays_whole_in_a_narrow_terminal():
    digest = init()["digest"]
    assert f"digest      {digest}\n" in invoke("charter", "show", "c", env={"COLUMNS": "40"}).stdout


def edit(change):
    content = json.loads(Path("c").read_text())
    change(content)
    Path("c").write_text(json.dumps(content))


def test_a_draft_may_be_edited_and_its_digest_follows():
    digest = init()["digest"]
    edit(lambda content: content["charter"].update(name="Port Amity and the islands"))
    shown = answer("charter", "show", "c")
    assert shown["name"] == "Port Amity and the islands"
    assert shown["digest"] != digest


EDITS = {
    "below a floor": (
        lambda c: c["charter"]["routes"][3].update(notice_s=0), "notice of 0 h; expected at least",
    ),
    "into a word for a number": (
        lambda c: c["charter"].update(version="one"), "c: charter.version: Input should be",
    ),
    "with something unknown": (
        lambda c: c["charter"].update(king="me"), "c: charter.king: Extra inputs",
    ),
    "with another salt": (lambda c: c.update(salt="00"), "salt and salt_digest do not belong"),
    "without its salt": (lambda c: c.update(salt=""), "salt and salt_digest do not belong"),
    "without a field": (lambda c: c.pop("salt"), "expected the keys charter, format, salt"),
}  # fmt: skip


@pytest.mark.parametrize("how", EDITS)
def test_a_draft_is_neither_shown_nor_signed_when_it_was_edited(how):
    init()
    change, words = EDITS[how]
    edit(change)
    assert words in refusal("charter", "show", "c")
    assert words in refusal("charter", "sign", "c", "--key", "tidewire-1.key")


def test_what_is_no_charter_is_refused():
    Path("c").write_text("x")
    assert "name a charter's file" in refusal("charter", "show", "c")
    Path("c").write_text("[" * 100_000)
    assert refusal("charter", "show", "c").startswith("c: not JSON")
    assert refusal("charter", "show", "none").startswith("none: No such file")


# Signing


def test_the_founders_sign_one_after_the_other_and_a_log_can_begin():
    digest = init()["digest"]
    for count, name in enumerate(ROOT, 1):
        told = sign(name, "--digest", digest)
        assert [each["person"] for each in told["signed"]].count(name) == 1
        assert len(told["signed"]) == count
        assert told["complete"] is (count == 3)
    parcel = read_parcel(Path("c"))
    assert verify_genesis(parcel.envelope).digest == digest == told["digest"]
    salt = parcel.private[parse_document(parcel.envelope.payload, Charter, "c").salt_digest]
    assert len(salt) == 32
    assert stat.S_IMODE(os.stat("c").st_mode) == 0o600
    shown = answer("charter", "show", "c")
    assert (shown["state"], shown["complete"]) == ("file", True)
    assert "the root has signed: a log can begin" in invoke(
        "charter", "sign", "c", "--key", "tidewire-2.key"
    ).stdout  # fmt: skip


def test_a_founder_does_not_sign_another_text_than_was_read_to_them():
    init()
    told = refusal("charter", "sign", "c", "--key", "tidewire-1.key", "--digest", digest_of(b"x"))
    assert f"expected {digest_of(b'x')}; ask the other founders" in told
    assert answer("charter", "show", "c")["signed"] == []


def test_a_founder_does_not_sign_twice_nor_a_stranger_once():
    init()
    sign(ROOT[0])
    assert "signed this already" in refusal("charter", "sign", "c", "--key", f"{ROOT[0]}.key")
    save_private_key(Path("stranger.key"), key("stranger"))
    told = refusal("charter", "sign", "c", "--key", "stranger.key")
    assert 'is not of the role "members", which signs the charter' in told


def test_at_a_terminal_a_founder_sees_the_charter_and_may_say_no(monkeypatch):
    init()
    monkeypatch.setattr("skyweave.cli.walk.at_terminal", lambda: True)
    words = ("charter", "sign", "c", "--key", "tidewire-1.key")
    no = CliRunner().invoke(app, words, input="n\n")
    assert no.exit_code == 1
    for seen in ("sha256:", "Who signs", "What it takes", "did the other founders read you"):
        assert seen in no.output.replace("Did", "did")
    assert answer("charter", "show", "c")["signed"] == []
    assert CliRunner().invoke(app, words, input="y\n").exit_code == 0
    assert len(answer("charter", "show", "c")["signed"]) == 1
    assert CliRunner().invoke(
        app, ["charter", "sign", "c", "--key", f"{ROOT[1]}.key", "--yes"], input=""
    ).exit_code == 0  # fmt: skip


def test_a_parcel_of_something_else_is_no_charter():
    invoke("party", "revoke", "tidewire-1.key", "--reason", "lost", "--out", "r")
    assert "expected a charter" in refusal("charter", "show", "r")


# In a log, and the next version


@pytest.fixture(scope="module")
def begun(seated, tmp_path_factory):
    """The same with a signed charter, and a log that begins with it and that two witnesses saw."""
    place = tmp_path_factory.mktemp("begun")
    shutil.copytree(seated, place, dirs_exist_ok=True)
    with chdir(place):
        init()
        for name in ROOT:
            sign(name)
        save_private_key(Path("log.key"), key("log"))
        answer("log", "init", "LOG", "--charter", "c", "--key", "log.key", "--now", NOON)
        for name in WITNESSES[:2]:
            save_private_key(Path(f"{name}.key"), key(name))
            answer("log", "cosign", "LOG", "--key", f"{name}.key", "--name", f"{name}.example",
                   "--state", f"{name}.state", "--now", NOON)  # fmt: skip
    return place


@pytest.fixture
def log(begun, folder):
    """That log, and the charter's file, in the test's own folder."""
    shutil.copytree(begun, folder, dirs_exist_ok=True)
    return Path("LOG")


def test_the_charter_of_a_log_is_shown_as_it_holds(log):
    shown = answer("charter", "show", log)
    assert (shown["state"], shown["entry"], shown["pending"]) == ("log", 0, None)
    assert shown["genesis"] == shown["digest"] == answer("charter", "show", "c")["digest"]
    assert f"genesis     {shown['genesis']}" in invoke("charter", "show", log).stdout
    assert "sha256" in refusal("charter", "show", log, "--genesis", digest_of(b"another log"))


def test_a_charter_that_no_quorum_has_seen_is_shown_on_demand_only(log):
    init_of = ("log", "init", "NEW", "--charter", "c", "--key", "log.key", "--now", NOON)
    answer(*init_of)
    assert "witnesses" in refusal("charter", "show", "NEW")
    assert answer("charter", "show", "NEW", "--no-quorum")["entry"] == 0


def test_a_revoked_key_is_shown_as_revoked_and_left_out_of_the_next_version(log):
    invoke("party", "revoke", "open-waters-2.key", "--reason", "lost", "--out", "r")
    answer("log", "append", log, "r", "--key", "log.key", "--now", NOON)
    text = " ".join(invoke("charter", "show", log).stdout.split())
    gone = key("open-waters-2").public.key_id
    assert f"open-waters-2 {gone[:16]} revoked" in text
    told = answer("charter", "amend", log, "v2", "--now", NOON)
    assert (told["version"], told["signed"]) == (2, [])
    assert gone not in Path("v2").read_text()


def test_the_next_version_has_new_people_in_the_roles_of_their_organisation(log):
    nora, zoe = save_card("nora", "tidewire"), save_card("zoe", "far-shore")
    leaving = key("tidewire-2").public.key_id
    answer(
        "charter", "amend", log, "v2", "--card", "nora.card", "--card", "zoe.card", "--now", NOON,
        "--without", leaving[:12], "--organisation", "far-shore=The far shore", "--years", "1",
    )  # fmt: skip
    shown = answer("charter", "show", "v2")
    new = shown["charter"]
    roles = {each["role"]: each["key_ids"] for each in new["roles"]}
    assert roles["operator"] == [key("tidewire-1").public.key_id, key_id_of(nora)]
    assert {key_id_of(nora), key_id_of(zoe)} < set(roles["members"])
    assert leaving not in roles["members"]
    assert key_id_of(zoe) not in roles["authority:AMY"]
    assert new["organisations"][-1]["name"] == "The far shore"
    assert new["expires_s"] - new["created_s"] == 365 * 86_400
    told = answer("charter", "sign", "v2", "--key", "tidewire-1.key")
    assert (told["version"], read_parcel(Path("v2")).private) == (2, {})


def test_the_next_version_names_the_key_that_leaves_so_that_no_other_does(log):
    for beginning in ("0", key("tidewire-2").public.key_id[:11], "0" * 12):
        told = refusal("charter", "amend", log, "v2", "--without", beginning)
        assert "expected at least 12 characters of the id of one of the charter's keys" in told
    assert not Path("v2").exists()


def test_the_next_version_does_not_leave_the_operator_with_one(log):
    told = refusal("charter", "amend", log, "v2", "--without", key("tidewire-2").public.key_id)
    assert 'route "activate": operator: can never be met' in told
