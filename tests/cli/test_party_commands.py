"""Keys and cards on the command line: what is written, what is shown, what never leaves."""

import json
import os
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from skyweave.cli.app import app
from skyweave.control.cards import read_card, sign_card
from skyweave.control.domain.documents import KeyRecord, Revocation, parse_document
from skyweave.control.parcel import read_parcel
from skyweave.control.signing import keys
from skyweave.control.signing.dsse import parse_envelope, signers
from skyweave.control.signing.keys import load_private_key, private_key_from_seed
from skyweave.errors import InputError

NOON = "2026-11-22T12:00:00Z"
NOON_S = 1_795_348_800
ANNA = (
    "--person", "anna-meier", "--organisation", "harbour-trust", "--office", "Duty officer",
    "--mandate", "Resolution 4",
)  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """An empty folder, no passphrase in the environment, and a short key derivation."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SKYWEAVE_PASSPHRASE", raising=False)
    monkeypatch.setattr(keys, "_SCRYPT", {"n": 16, "r": 8, "p": 1})
    return tmp_path


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)


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


def make_card(name="anna", *options):
    answer("party", "key", f"{name}.key", "--no-passphrase")
    return answer(
        "party", "card", f"{name}.key", *ANNA, "--out", f"{name}.card", "--now", NOON, *options
    )


# Keys


def test_a_key_is_sealed_under_the_passphrase_and_its_file_is_its_owner_s_alone(monkeypatch):
    monkeypatch.setenv("SKYWEAVE_PASSPHRASE", "four words of mine")
    made = answer("party", "key", "anna.key")
    assert made["sealed"] is True
    assert stat.S_IMODE(os.stat("anna.key").st_mode) == 0o600
    key = load_private_key(Path("anna.key"), "four words of mine")
    assert (key.public.key_id, key.public.text) == (made["key_id"], made["public"])
    assert key.seed().hex() not in Path("anna.key").read_text()
    with pytest.raises(InputError, match="does not open the key"):
        load_private_key(Path("anna.key"), "four words of yours")


def test_a_passphrase_may_come_from_the_first_line_of_a_file():
    Path("words").write_text("four words of mine\nnot this\n")
    answer("party", "key", "anna.key", "--passphrase-file", "words")
    load_private_key(Path("anna.key"), "four words of mine")


def test_no_answer_and_no_key_contains_the_secret():
    made = answer("party", "key", "anna.key", "--no-passphrase")
    secret = json.loads(Path("anna.key").read_text())["private"]
    shown = invoke("party", "show", "anna.key").stdout + json.dumps(made)
    assert secret not in shown + json.dumps(answer("party", "show", "anna.key"))
    assert secret not in json.dumps(make_card("other")) + Path("other.card").read_text()


def test_a_short_passphrase_is_refused(monkeypatch):
    monkeypatch.setenv("SKYWEAVE_PASSPHRASE", "seven77")
    assert "7 characters, expected at least 8; take four words" in refusal("party", "key", "k")
    assert not Path("k").exists()


def test_a_key_is_never_written_over():
    answer("party", "key", "anna.key", "--no-passphrase")
    before = Path("anna.key").read_bytes()
    told = refusal("party", "key", "anna.key", "--no-passphrase")
    assert told.startswith("anna.key: a file is there already; name another")
    assert Path("anna.key").read_bytes() == before


def test_a_script_without_a_passphrase_is_told_the_option_in_one_line():
    done = invoke("party", "key", "k")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "--passphrase-file: no passphrase for k; give one, or $SKYWEAVE_PASSPHRASE, or say "
        "--no-passphrase\n"
    )
    assert not Path("k").exists()


def test_a_person_is_asked_twice_and_the_two_must_agree(monkeypatch):
    monkeypatch.setattr("skyweave.cli.party.at_terminal", lambda: True)
    typed = "four words of mine\nfour words of yours\nfive words of mine\nfive words of mine\n"
    result = CliRunner().invoke(app, ["party", "key", "k"], input=typed, catch_exceptions=False)
    assert result.exit_code == 0
    load_private_key(Path("k"), "five words of mine")
    assert "five words" not in result.output


def test_a_key_that_others_can_read_signs_nothing():
    make_card()
    os.chmod("anna.key", 0o644)
    told = refusal("party", "card", "anna.key", *ANNA, "--out", "again.card")
    assert 'run "chmod 600 anna.key"' in told
    assert not Path("again.card").exists()
    assert 'run "chmod 600 anna.key"' in invoke("party", "show", "anna.key").stdout


def test_a_sealed_key_without_its_passphrase_signs_nothing(monkeypatch):
    monkeypatch.setenv("SKYWEAVE_PASSPHRASE", "four words of mine")
    answer("party", "key", "anna.key")
    monkeypatch.delenv("SKYWEAVE_PASSPHRASE")
    told = refusal("party", "card", "anna.key", *ANNA, "--out", "a.card")
    assert told == "anna.key: the key is sealed; give its passphrase"


# Cards


def test_a_card_says_whose_key_it_is_and_is_signed_by_that_key():
    made = make_card()
    record = read_card(Path("anna.card").read_bytes())
    assert (record.person, record.organisation) == ("anna-meier", "harbour-trust")
    assert (record.not_before_s, record.not_after_s) == (NOON_S, NOON_S + 2 * 365 * 86_400)
    public = load_private_key(Path("anna.key")).public
    assert made["key_id"] == public.key_id
    envelope = parse_envelope(Path("anna.card").read_bytes())
    known = {public.key_id: public}
    assert signers(envelope, known, "application/vnd.skyweave.card.v1+json") == (public.key_id,)


def test_a_card_is_shown_whole():
    made = make_card()
    shown = answer("party", "show", "anna.card")
    assert shown == {"file": "anna.card", "kind": "card"} | {
        k: v for k, v in made.items() if k != "written"
    }
    text = invoke("party", "show", "anna.card").stdout
    for word in (made["key_id"], "anna-meier", "harbour-trust", "Duty officer", "Resolution 4"):
        assert word in text
    assert "2026-11-22T12:00:00Z until 2028-11-21T12:00:00Z" in text


def test_a_name_in_a_card_steers_no_terminal():
    """A card comes from somebody else; shown, it must not clear the screen and write another."""
    answer("party", "key", "k", "--no-passphrase")
    words = list(ANNA)
    words[5] = "\x1b[2J\x1b[1;1Hkey 0000"
    answer("party", "card", "k", *words, "--out", "c")
    assert "\x1b" not in invoke("party", "show", "c").stdout


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--person", "Anna Meier", "person: String should match pattern"),
        ("--organisation", "", "organisation: String should match pattern"),
        ("--office", "", "office: String should have at least 1 character"),
        ("--mandate", "x" * 501, "mandate: String should have at most 500 characters"),
        ("--years", "0", "--years 0: expected more than 0 and at most 10"),
        ("--years", "11", "--years 11: expected"),
        ("--years", "nan", "--years nan: expected"),
    ],
)
def test_a_card_that_says_nothing_is_refused(option, value, words):
    answer("party", "key", "k", "--no-passphrase")
    given = dict(zip(ANNA[::2], ANNA[1::2], strict=True)) | {option: value}
    told = refusal("party", "card", "k", *(x for pair in given.items() for x in pair),
                   "--out", "c")  # fmt: skip
    assert words in told
    assert not Path("c").exists()


def record_of(key, **fields):
    usual = {
        "public": key.public.text, "person": "anna", "organisation": "harbour", "office": "Chair",
        "mandate": "Resolution 4", "not_before_s": NOON_S, "not_after_s": NOON_S + 1,
    }  # fmt: skip
    return KeyRecord(**(usual | fields))


ONE, OTHER = (private_key_from_seed(bytes([n]) * 32) for n in (1, 2))


def test_nobody_makes_a_card_for_a_key_that_they_do_not_hold():
    """An empty seat that looks taken would weaken the quorum, or block it for ever."""
    with pytest.raises(InputError, match="names another key; make it with its own key"):
        sign_card(ONE, record_of(OTHER))
    content = sign_card(ONE, record_of(ONE)).encode()
    foreign = parse_envelope(sign_card(OTHER, record_of(OTHER)).encode())
    forged = parse_envelope(content).__class__(
        foreign.payload_type, foreign.payload, parse_envelope(content).signatures
    )
    with pytest.raises(InputError, match="not signed by the key that it names"):
        read_card(forged.encode())


def test_a_card_changed_by_one_byte_of_its_record_is_refused():
    envelope = sign_card(ONE, record_of(ONE))
    for n in range(0, len(envelope.payload), 7):
        changed = bytearray(envelope.payload)
        changed[n] ^= 1
        other = envelope.__class__(envelope.payload_type, bytes(changed), envelope.signatures)
        with pytest.raises(InputError):
            read_card(other.encode())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON of a DSSE envelope"),
        (b"[" * 10_000, "not JSON"),
        (b"{}", "expected the keys payload"),
        (b'{"public": 7}', "expected the keys payload"),
        (b"x" * 20_000, "more than 16,384 bytes"),
    ],
)
def test_what_is_no_card_is_refused_with_its_name(content, words):
    Path("c").write_bytes(content)
    told = refusal("party", "show", "c")
    assert told.startswith("c: ")
    assert words in told


def test_a_file_that_is_not_there_is_refused():
    assert refusal("party", "show", "none").startswith("none: No such file")


# Taking a key back


def revocation_of(path):
    parcel = read_parcel(Path(path))
    return parse_document(parcel.envelope.payload, Revocation, path), parcel


def test_an_owner_takes_their_own_key_back_alone():
    made = make_card()
    told = answer("party", "revoke", "anna.key", "--reason", "The laptop is lost", "--out", "r")
    document, parcel = revocation_of("r")
    assert (document.key_id, document.reason) == (made["key_id"], "The laptop is lost")
    assert [s.key_id for s in parcel.envelope.signatures] == [made["key_id"]]
    assert told["own"] is True


def test_the_root_takes_somebody_s_key_back_by_signing_the_same_parcel():
    stolen = make_card("anna")["key_id"]
    signed = [make_card(name)["key_id"] for name in ("ben", "cleo")]
    words = ("--key-id", stolen, "--reason", "Stolen", "--out", "r")
    first = invoke("party", "revoke", "ben.key", *words).stdout
    assert "the charter's root must sign, each by this command with --out r" in first
    told = answer("party", "revoke", "cleo.key", *words)
    assert told["signatures"] == signed
    assert told["own"] is False
    assert [s.key_id for s in revocation_of("r")[1].envelope.signatures] == signed


def test_a_signature_is_added_to_the_same_words_only():
    make_card("anna")
    make_card("ben")
    invoke("party", "revoke", "anna.key", "--reason", "Lost", "--out", "r")
    told = refusal("party", "revoke", "ben.key", "--reason", "Lost", "--out", "r")
    assert told.startswith("r: not the same revocation; give the same --key-id and --reason")
    again = refusal("party", "revoke", "anna.key", "--reason", "Lost", "--out", "r")
    assert "has signed this already" in again


def test_a_revocation_of_no_key_is_refused():
    make_card()
    told = refusal("party", "revoke", "anna.key", "--key-id", "12", "--reason", "x", "--out", "r")
    assert told.startswith("revocation: key_id: ")
    assert not Path("r").exists()
