"""The commands of the public log: what they print, what they refuse, and with which exit status."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.support.kept_log import SALTS, Kept
from tests.support.made_charter import (
    DAY_S,
    NOON_S,
    ORIGIN,
    MadeLog,
    key,
    log_verifier,
    made_charter,
)
from typer.testing import CliRunner

from skyweave.cli.app import app
from skyweave.control.domain.documents import Request, digest_of
from skyweave.control.parcel import Parcel, write_parcel
from skyweave.control.signing.keys import save_private_key
from skyweave.errors import InputError

TEXT = b"Switch it off, or the licence fee doubles."
NOON = "2026-11-22T12:00:00Z"
NOBODY = 65_534


def invoke(*words):
    """Run a command; its refusal is raised, as the tests want its text."""
    result = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
    return result.exit_code, result.stdout


def document(*words, code=0):
    found, text = invoke(*words, "--json")
    assert found == code, text
    return json.loads(text)


def utc(time_s):
    hours, rest = divmod(time_s - NOON_S + 12 * 3600, 3600)
    return f"2026-11-{22 + hours // 24:02d}T{hours % 24:02d}:{rest // 60:02d}:{rest % 60:02d}Z"


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    """A folder with key files, a signed charter, and a log of a region that two witnesses saw."""
    place = tmp_path_factory.mktemp("made")
    for name in ("log", "witness.example/0", "witness.example/1", "tidewire-1"):
        save_private_key(place / f"{name[-1] if '/' in name else name}.key", key(name))
    log = Kept(place / "LOG")
    charter = Parcel(log.signed[0][1], {}, SALTS)
    write_parcel(place / "charter", charter)
    log.region()
    log.keep()
    log.see()
    return log


@pytest.fixture
def place(master, tmp_path, monkeypatch):
    shutil.copytree(master.folder.parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def parcel_of(place, name="r-1", **changes):
    """A signed request in a parcel."""
    fields = {
        "request_id": name, "received_s": NOON_S, "asked_by": "A minister's office",
        "asked_by_kind": "state", "channel": "telephone", "summary": "", "text": digest_of(TEXT),
    }  # fmt: skip
    request = Request(**(fields | changes))
    envelope = MadeLog().sign(request, "tidewire-1")
    texts = {request.text: TEXT}
    sealed = request.publish_by_s is not None
    parcel = Parcel(envelope, {} if sealed else texts, texts if sealed else {})
    write_parcel(place / f"{name}.parcel", parcel)
    return f"{name}.parcel"


def test_a_key_is_made_once_and_its_verifier_key_printed_again(place):
    first = document("log", "key", "new.key", "--name", "example.org/log", "--no-passphrase")
    assert first["is_new"]
    assert re.fullmatch(r"example\.org/log\+[0-9a-f]{8}\+[A-Za-z0-9+/]{44}", first["verifier"])
    assert stat.S_IMODE(os.stat("new.key").st_mode) == 0o600
    again = document("log", "key", "new.key", "--name", "example.org/log")
    assert not again["is_new"]
    assert again["verifier"] == first["verifier"]
    witness = document("log", "key", "new.key", "--name", "example.org/log", "--witness")
    assert witness["verifier"] != first["verifier"]
    code, text = invoke("log", "key", "log.key", "--name", ORIGIN)
    assert code == 0
    assert text.splitlines()[-1] == log_verifier().text


def test_a_sealed_key_s_verifier_needs_no_passphrase(place, monkeypatch):
    monkeypatch.setenv("SKYWEAVE_PASSPHRASE", "four words in a row")
    assert document("log", "key", "sealed.key", "--name", "example.org/log")["is_new"]
    monkeypatch.delenv("SKYWEAVE_PASSPHRASE")
    assert not document("log", "key", "sealed.key", "--name", "example.org/log")["is_new"]


@pytest.mark.parametrize("name", ["", "two words", "a+b", "a\tb", "x" * 300])
def test_a_name_that_no_note_could_carry_is_refused(name, place):
    with pytest.raises(InputError, match="expected a name without spaces and plus signs"):
        invoke("log", "key", "new.key", "--name", name, "--no-passphrase")
    assert not os.path.exists("new.key")


def test_a_log_begins_grows_is_seen_and_verified(place):
    made = document("log", "init", "NEW", "--charter", "charter", "--key", "log.key", "--now", NOON)
    assert (made["origin"], made["size"]) == (ORIGIN, 1)
    genesis = made["genesis"]
    grown = document(
        "log", "append", "NEW", parcel_of(place), "--key", "log.key",
        "--witness", "0.key:w0.json", "--witness", "1.key:w1.json", "--now", utc(NOON_S + 60),
    )  # fmt: skip
    row = {"file": "r-1.parcel", "entry": 1, "kind": "request", "is_new": True}
    assert grown["entries"] == [row]
    assert grown["cosigned"] == ["w0", "w1"]
    assert grown["witnessed"] == {
        "size": 2, "at_utc": utc(NOON_S + 60), "by": ["w0", "w1"], "of": 3,
    }  # fmt: skip
    found = document("log", "verify", "NEW", "--genesis", genesis, "--now", utc(NOON_S + 60))
    assert (found["size"], found["genesis"], found["pinned"]) == (2, genesis, True)
    assert (found["objects"], found["withheld"], found["ignored"]) == (1, [], [])
    assert found["notices"] == []
    assert found["witnessed"]["by"] == ["w0", "w1"]
    code, text = invoke("log", "verify", "NEW", "--now", utc(NOON_S + 60))
    assert code == 0
    assert f"{ORIGIN}: all 2 entries hold" in text
    assert "compare it with one that came another way" in text
    with pytest.raises(InputError, match="this is another authority's log"):
        invoke("log", "verify", "NEW", "--genesis", "sha256:" + "0" * 64)


def test_a_parcel_that_is_there_already_is_not_appended_twice(place):
    """A keeper who is unsure whether an append went through may repeat it."""
    words = ("log", "append", "LOG", parcel_of(place), "--key", "log.key", "--now",
             utc(NOON_S + 600))  # fmt: skip
    first = document(*words)
    again = document(*words)
    assert again["size"] == first["size"] == 3
    assert again["entries"] == [{**first["entries"][0], "is_new": False, "revealed": []}]
    assert "was there already, nothing new in it" in invoke(*words)[1]


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_one_bad_parcel_keeps_all_that_came_with_it_out(place, bad):
    """A keeper who reads of a refusal must not have to find out what was appended before it."""
    parcels = [parcel_of(place, name) for name in ("r-1", "r-2")]
    parcels.insert(bad, parcel_of(place, "never", received_s=2**39))
    words = ("log", "append", "LOG", *parcels, "--key", "log.key", "--now", utc(NOON_S + 600))
    with pytest.raises(InputError, match=r"^never\.parcel: .*; nothing was appended$"):
        invoke(*words)
    assert document("log", "verify", "LOG", "--now", utc(NOON_S + 600))["size"] == 2


def test_a_witness_who_cannot_remember_undoes_nothing(place):
    words = ("log", "append", "LOG", parcel_of(place), "--key", "log.key", "--now",
             utc(NOON_S + 600), "--witness", "0.key:no/such/folder/w0.json")  # fmt: skip
    found = document(*words)
    assert (found["size"], found["cosigned"]) == (3, [])
    assert "No such file or directory" in found["not_cosigned"][0]["why"]


def test_a_folder_s_names_do_not_steer_the_terminal_of_who_checks_it(place):
    (place / "LOG" / "tile" / "\x1b[2Jsound").write_bytes(b"")
    text = invoke("log", "fsck", "LOG", "--now", utc(NOON_S + 600))[1]
    assert "\\x1b[2Jsound" in text
    assert "\x1b" not in text


def test_a_sealed_text_is_published_by_the_first_append_on_its_day(place):
    sealed = parcel_of(place, publish_by_s=NOON_S + DAY_S)
    append = ("log", "append", "LOG", "--key", "log.key", "--now")
    assert document(*append, utc(NOON_S + 600), sealed)["published"] == []
    found = document("log", "verify", "LOG", "--no-quorum", "--now", utc(NOON_S + 600))
    assert found["withheld"] == [digest_of(TEXT)]
    with pytest.raises(InputError, match="withheld beyond its day"):
        invoke("log", "verify", "LOG", "--no-quorum", "--now", utc(NOON_S + DAY_S + 60))
    done = document(*append, utc(NOON_S + DAY_S), sealed)
    assert done["published"] == [digest_of(TEXT)]
    found = document("log", "verify", "LOG", "--no-quorum", "--now", utc(NOON_S + DAY_S + 60))
    assert found["withheld"] == []


def test_what_would_have_no_effect_is_refused_with_the_reason(place):
    with pytest.raises(InputError, match="r-1") as refusal:
        invoke(
            "log", "append", "LOG", parcel_of(place),
            parcel_of(place, "again", request_id="r-1", summary="Another"),
            "--key", "log.key", "--now", utc(NOON_S + 600),
        )  # fmt: skip
    assert "\n" not in str(refusal.value)


def test_a_witness_that_is_absent_is_told_and_the_entry_stays(place):
    result = CliRunner().invoke(
        app,
        ["log", "append", "LOG", parcel_of(place), "--key", "log.key", "--witness",
         "http://127.0.0.1:1", "--now", utc(NOON_S + 600), "--json"],
    )  # fmt: skip
    assert result.exit_code == 0
    answer = json.loads(result.stdout)
    assert answer["size"] == 3
    assert answer["cosigned"] == []
    assert "no answer" in answer["not_cosigned"][0]["why"]
    assert "warning: not cosigned" in result.stderr
    assert answer["witnessed"]["size"] == 2


@pytest.mark.parametrize(
    ("witness", "text"),
    [
        ("0.key", "expected http://HOST:PORT, or KEYFILE:STATE"),
        ("tidewire-1.key:x.json", "not the key of a witness in the log's charter"),
        ("absent.key:x.json", "No such file"),
        ("http://127.0.0.1:99999", "port is not 0 to 65535"),
    ],
)
def test_a_witness_that_is_none_is_refused_before_anything_is_appended(witness, text, place):
    with pytest.raises(InputError, match=text):
        invoke(
            "log", "append", "LOG", parcel_of(place), "--key", "log.key", "--witness", witness,
            "--now", utc(NOON_S + 600),
        )  # fmt: skip
    assert document("log", "verify", "LOG")["size"] == 2


def test_a_witness_sees_a_log_on_its_own_machine(place):
    invoke("log", "append", "LOG", parcel_of(place), "--key", "log.key", "--now",
           utc(NOON_S + 600))  # fmt: skip
    for number in (0, 1):
        words = ("log", "cosign", "LOG", "--key", f"{number}.key", "--name",
                 f"witness.example/{number}", "--state", f"LOG-w{number}.json", "--now",
                 utc(NOON_S + 700))  # fmt: skip
        found = document(*words)
    assert found["witness"] == "w1"
    assert found["witnessed"]["size"] == 3
    with pytest.raises(InputError, match="not the key of a witness"):
        invoke("log", "cosign", "LOG", "--key", "log.key", "--name", "witness.example/0",
               "--state", "x.json")  # fmt: skip


def test_a_served_witness_is_asked_by_append(place):
    command = [
        sys.executable, "-W", "error", "-c", "from skyweave.cli import main; main()", "log",
        "witness", "--key", "0.key", "--name", "witness.example/0", "--state", "served.json",
        "--log", log_verifier().text, "--json",
    ]  # fmt: skip
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as ran:
        try:
            served = json.loads(ran.stdout.readline())
            assert served["url"].startswith("http://127.0.0.1:")
            answer = document(
                "log", "append", "LOG", parcel_of(place), "--key", "log.key",
                "--witness", served["url"],
            )  # fmt: skip
        finally:
            ran.send_signal(signal.SIGINT)
            _, said = ran.communicate(timeout=10)
    assert answer["cosigned"] == ["w0"]
    assert answer["not_cosigned"] == []
    assert said == ""
    assert ran.returncode == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--listen", "0.0.0.0:0"), "other machines could reach it"),
        (("--listen", "8081"), "expected HOST:PORT"),
        (("--listen", "127.0.0.1:70000"), "expected HOST:PORT"),
        (("--log", "nonsense"), r"expected name\+id\+key"),
    ],
)
def test_a_witness_that_could_not_be_served_is_refused(words, text, place):
    with pytest.raises(InputError, match=text):
        invoke("log", "witness", "--key", "0.key", "--name", "witness.example/0", "--state",
               "served.json", "--log", log_verifier().text, *words)  # fmt: skip


def test_a_sound_folder_and_a_flipped_byte(place):
    found = document("log", "fsck", "LOG")
    assert (found["sound"], found["entries"], found["witnessed"]) == (True, 2, 2)
    assert found["problems"] == found["stray"] == []
    path = place / "LOG/tile/entries/000.p/2"
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)
    found = document("log", "fsck", "LOG", code=1)
    assert not found["sound"]
    code, text = invoke("log", "fsck", "LOG")
    assert code == 1
    assert text.splitlines() == found["problems"]
    with pytest.raises(InputError):
        invoke("log", "verify", "LOG")


@contextmanager
def another_user():
    """Be nobody where the tests are root: only then do permissions stand in anybody's way."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def shared_folder():
    """A folder that other users can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def test_anyone_verifies_a_folder_that_they_may_only_read(place, shared_folder):
    """The keeper's own folder, of which parts are closed to others, and a copy on a read-only disk.

    Nothing is written beside either.
    """
    shutil.copytree("LOG", shared_folder / "LOG")
    hidden = shutil.ignore_patterns(".writer", "private")
    copy = shutil.copytree("LOG", shared_folder / "copy", ignore=hidden)
    for at, folders, names in os.walk(copy):
        for name in (*folders, *names):
            os.chmod(os.path.join(at, name), 0o555 if name in folders else 0o444)
    os.chmod(copy, 0o555)
    before = sorted(shared_folder.rglob("*"))
    for folder in (copy, shared_folder / "LOG"):
        with another_user():
            found = document("log", "verify", folder)
            sound = document("log", "fsck", folder)
        assert found["size"] == sound["entries"] == 2
        assert sound["stray"] == []
    assert sorted(shared_folder.rglob("*")) == before


def test_a_log_that_went_silent_is_refused_where_that_matters(place, master):
    """Or what was decided since could be withheld for as long as somebody likes."""
    fresh = ("log", "verify", "LOG", "--max-age", "1", "--now")
    found = document(*fresh, utc(master.now_s + 3600))
    assert found["seen_utc"] == utc(master.now_s)
    with pytest.raises(InputError, match=r"witnesses saw it last 1\.1 h ago, at most 1 h"):
        invoke(*fresh, utc(master.now_s + 4000))
    invoke("log", "init", "NEW", "--charter", "charter", "--key", "log.key", "--now", NOON)
    with pytest.raises(InputError, match="a quorum of witnesses saw it never"):
        invoke("log", "verify", "NEW", "--no-quorum", "--max-age", "1", "--now", NOON)


def test_a_monitor_tells_growth_from_what_it_kept(place):
    shutil.copy("LOG/checkpoint", "kept")
    assert document("log", "monitor", "LOG", "--since", "kept")["outcome"] == "same"
    invoke("log", "append", "LOG", parcel_of(place), "--key", "log.key", "--now",
           utc(NOON_S + 600))  # fmt: skip
    found = document("log", "monitor", "LOG", "--since", "kept")
    assert (found["outcome"], found["sound"]) == ("grown", True)
    assert (found["then"]["size"], found["now"]["size"]) == (2, 3)


def test_a_withheld_or_forked_log_ends_with_status_1(place):
    shutil.copytree("LOG", "before")
    other = parcel_of(place, "r-2")
    invoke("log", "append", "LOG", parcel_of(place), "--key", "log.key", "--now",
           utc(NOON_S + 600))  # fmt: skip
    shutil.copy("LOG/checkpoint", "kept")
    found = document("log", "monitor", "before", "--since", "kept", code=1)
    assert found["outcome"] == "behind"
    invoke("log", "append", "before", other, "--key", "log.key", "--now", utc(NOON_S + 600))
    found = document("log", "monitor", "before", "--since", "kept", code=1)
    assert found["outcome"] == "forked"
    code, text = invoke("log", "monitor", "before", "--since", "kept")
    assert (code, text.startswith("FORKED: 3 entries then, 3 now")) == (1, True)
    with pytest.raises(InputError, match="name a checkpoint that you kept"):
        invoke("log", "monitor", "LOG", "--since", "absent")


def test_a_receipt_is_checked_by_three_small_files_alone(place, tmp_path_factory):
    found = document("log", "prove", "LOG", 1, "--out", "r", "--entry", "e", "--trust", "t")
    assert found["has_quorum"]
    alone = tmp_path_factory.mktemp("alone")
    for name in "ret":
        shutil.move(name, alone / name)
    check = ("log", "prove", "--check", alone / "r", "--entry", alone / "e", "--trust", alone / "t")
    answer = document(*check)
    assert (answer["holds"], answer["entry"], answer["log"]) == (True, 1, ORIGIN)
    assert answer["by"] == ["w0", "w1"]
    assert f"the entry stands in {ORIGIN} at 1" in invoke(*check)[1]
    spoilt = bytearray((alone / "e").read_bytes())
    spoilt[40] ^= 1
    (alone / "e").write_bytes(spoilt)
    with pytest.raises(InputError, match="the entry does not stand in the log at 1"):
        invoke(*check)


def test_a_receipt_without_a_quorum_is_said_to_be_of_little_use(place):
    invoke("log", "append", "LOG", parcel_of(place), "--key", "log.key", "--now",
           utc(NOON_S + 600))  # fmt: skip
    found = document("log", "prove", "LOG", 2, "--out", "r", "--entry", "e", "--trust", "t")
    assert not found["has_quorum"]
    with pytest.raises(InputError, match="0 of 3 witnesses cosigned, short of the quorum"):
        invoke("log", "prove", "--check", "r", "--entry", "e", "--trust", "t")


@pytest.mark.parametrize("index", [2, 10**9])
def test_an_entry_that_is_not_there_has_no_receipt(index, place):
    with pytest.raises(InputError, match=f"entry {index} is not in the log"):
        invoke("log", "prove", "LOG", index, "--out", "r")
    assert not os.path.exists("r")


def test_nothing_is_overwritten(place):
    (place / "r").write_text("mine")
    with pytest.raises(InputError, match="a file is there already"):
        invoke("log", "prove", "LOG", 1, "--out", "r")
    assert (place / "r").read_text() == "mine"


USAGE = (
    ("log", "prove", "LOG", "1"),
    ("log", "prove", "LOG"),
    ("log", "prove", "--check", "r"),
    ("log", "prove", "LOG", "1", "--check", "r", "--entry", "e", "--trust", "t"),
    ("log", "append", "LOG", "--key", "log.key"),
    ("log", "init", "LOG"),
    ("log", "witness", "--key", "0.key"),
    ("log", "monitor", "LOG"),
)


@pytest.mark.parametrize("words", USAGE, ids=" ".join)
def test_what_is_missing_is_a_matter_of_usage(words, place):
    assert CliRunner().invoke(app, list(words)).exit_code == 2


def test_a_charter_of_another_log_begins_none_here(place):
    charter = made_charter(name="Unsigned")
    unsigned = MadeLog().sign(charter, ["tidewire-1"])
    write_parcel(place / "unsigned", Parcel(unsigned, {}, SALTS))
    with pytest.raises(InputError, match="root has not signed"):
        invoke("log", "init", "NEW", "--charter", "unsigned", "--key", "log.key")
    with pytest.raises(InputError, match="the charter trusts the log of another key"):
        invoke("log", "init", "NEW", "--charter", "charter", "--key", "0.key")
    with pytest.raises(InputError, match="a log is there already"):
        invoke("log", "init", "LOG", "--charter", "charter", "--key", "log.key")
    assert not os.path.exists("NEW")
