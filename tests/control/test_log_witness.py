"""Witnesses cosign one history; policies count them; a fork meets one honest witness of five."""

import json
import os
import random
import shutil
from dataclasses import replace

import pytest
from tests.support import rfc6962
from tests.support.made_log import (
    LOG_KEY,
    LOG_VERIFIER,
    NOON_S,
    ORIGIN,
    append,
    cosign,
    make_log,
    policy_text,
    witness,
)

from skyweave.control.log import (
    LogFolder,
    LogWriter,
    ask_witness,
    compare,
    create_log,
    forked,
    fsck,
    parse_policy,
    parse_receipt,
    prove,
    verify_folder,
    verify_receipt,
)
from skyweave.control.log.checkpoint import Checkpoint, parse_checkpoint
from skyweave.control.log.merkle import EMPTY_ROOT
from skyweave.control.log.store import add_cosignatures
from skyweave.control.log.trust import verify_checkpoint
from skyweave.control.log.verify import quorum_time_s
from skyweave.control.log.witness import WitnessReply, ask_any_witness, request_body
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.control.signing.notes import COSIGNATURE, Note, VerifierKey, sign_note
from skyweave.errors import InputError, SkyweaveError

OTHER_KEY = private_key_from_seed(bytes(32))


def note_of(entries, size=None, root=None, key=LOG_KEY, origin=ORIGIN):
    size = len(entries) if size is None else size
    head = Checkpoint(origin, size, rfc6962.mth(entries) if root is None else root)
    return Note(head.text, (sign_note(head.text, origin, key),)).encode()


def entries_of(count, mark=b""):
    return [mark + b"entry %d" % n for n in range(count)]


@pytest.fixture
def seen(tmp_path):
    """A witness that has seen five entries."""
    made = witness(tmp_path, 1)
    assert made.add_checkpoint(request_body(0, [], note_of(entries_of(5))), NOON_S).status == 200
    return made


def test_growth_is_cosigned_and_remembered(seen):
    proof = rfc6962.proof(5, entries_of(9))
    reply = seen.add_checkpoint(request_body(5, proof, note_of(entries_of(9))), NOON_S + 1)
    assert reply.status == 200
    state = json.loads(seen.state.read_text())
    kept = note_of(entries_of(9)) + reply.body
    assert state[ORIGIN] == {"note": kept.decode(), "time_s": NOON_S + 1}
    assert seen.newest(ORIGIN) == kept
    assert seen.newest("x.org") is None
    again = seen.add_checkpoint(request_body(9, [], note_of(entries_of(9))), NOON_S + 2)
    assert again.status == 200


def flipped(proof):
    return [bytes([proof[0][0] ^ 1]) + proof[0][1:], *proof[1:]]


PROOF = rfc6962.proof(5, entries_of(9))
SIGNED_BADLY = note_of(entries_of(9)).replace(b"\n9\n", b"\n8\n")
REFUSED = {
    "nonsense": (b"nonsense", 400),
    "a size with a zero before it": (request_body(5, PROOF, note_of(entries_of(9))).replace(
        b"old 5", b"old 05"), 400),
    "64 hashes": (request_body(5, [bytes(32)] * 64, note_of(entries_of(9))), 400),
    "an unknown log": (request_body(0, [], note_of(entries_of(1), origin="x.org")), 404),
    "a stranger's signature": (request_body(5, PROOF, note_of(entries_of(9), key=OTHER_KEY)), 403),
    "a changed checkpoint": (request_body(5, PROOF, SIGNED_BADLY), 403),
    "an old size beyond the new one": (request_body(10, [], note_of(entries_of(9))), 400),
    "nothing known": (request_body(0, [], note_of(entries_of(9))), 409),
    "an older size": (request_body(4, rfc6962.proof(4, entries_of(9)), note_of(entries_of(9))),
                      409),
    "no proof": (request_body(5, [], note_of(entries_of(9))), 422),
    "a flipped proof": (request_body(5, flipped(PROOF), note_of(entries_of(9))), 422),
    "another history": (request_body(5, rfc6962.proof(5, entries_of(9, b"b")),
                                     note_of(entries_of(9, b"b"))), 422),
    "another history of the same size": (request_body(5, [], note_of(entries_of(5, b"b"))), 422),
}  # fmt: skip


@pytest.mark.parametrize(("request_", "status"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_growth_is_refused_with_its_status(seen, request_, status):
    kept = seen.state.read_bytes()
    reply = seen.add_checkpoint(request_, NOON_S + 1)
    assert reply.status == status
    assert "—".encode() not in reply.body
    assert seen.state.read_bytes() == kept
    if status == 409:
        assert reply.body == b"5\n"


def test_a_first_checkpoint_takes_no_proof_and_an_empty_log_only_its_root(tmp_path):
    fresh = witness(tmp_path, 2)
    with_proof = request_body(0, [bytes(32)], note_of(entries_of(5)))
    assert fresh.add_checkpoint(with_proof, NOON_S).status == 422
    wrong = request_body(0, [], note_of([], root=bytes(32)))
    assert fresh.add_checkpoint(wrong, NOON_S).status == 422
    right = request_body(0, [], note_of([], root=EMPTY_ROOT))
    assert fresh.add_checkpoint(right, NOON_S).status == 200


def test_a_clock_that_went_back_stops_the_witness(seen):
    """Its times are what expiries are judged by."""
    growth = request_body(5, PROOF, note_of(entries_of(9)))
    with pytest.raises(SkyweaveError, match="a witness's times only rise"):
        seen.add_checkpoint(growth, NOON_S - 1)


def test_a_spoiled_state_is_not_taken_for_a_new_one(seen):
    """A witness that forgets could be led to cosign a fork."""
    other = b'{"x.org": {"note": "a", "time_s": 1}}'
    for content in (b"", b"{", b"[]", b'{"a": 1}', b'{"a": {}}', other):
        seen.state.write_bytes(content)
        with pytest.raises(InputError) as refusal:
            seen.add_checkpoint(request_body(5, PROOF, note_of(entries_of(9))), NOON_S + 1)
        assert "\n" not in str(refusal.value)


def test_forks_are_caught_by_one_honest_witness_of_five(tmp_path, full_counts, record_figure):
    """Four witnesses sign whatever they are given; the honest one never signs both histories."""
    rng = random.Random(5)
    forks = 1000 if full_counts else 40
    caught = 0
    for number in range(forks):
        honest = witness(tmp_path, 1)
        honest.state.unlink(missing_ok=True)
        shared, own, other = rng.randint(0, 20), rng.randint(1, 20), rng.randint(1, 20)
        base = entries_of(shared)
        ours = base + entries_of(own, b"ours %d " % number)
        theirs = base + entries_of(other, b"theirs ")
        first, second = (ours, theirs) if rng.random() < 0.5 else (theirs, ours)
        assert honest.add_checkpoint(request_body(0, [], note_of(first)), NOON_S).status == 200
        replies = [
            honest.add_checkpoint(request_body(old, proof, note_of(second)), NOON_S + 1)
            for old, proof in _best_tries(first, second)
        ]
        caught += all(reply.status in (400, 409, 422) for reply in replies)
    assert caught == forks
    record_figure("log: forks caught by one honest witness of five", caught, "", "1,000")


def _best_tries(first, second):
    """What a dishonest log would send: the true size, a shorter one, and proofs of either tree."""
    yield 0, []
    yield len(first), []
    if len(first) < len(second):
        yield len(first), rfc6962.proof(len(first), second)
        forged = second[: len(second) - len(first)]
        yield len(first), rfc6962.proof(len(first), first + forged)


def test_two_checkpoints_of_one_size_prove_a_fork(tmp_path):
    policy = make_log(tmp_path / "log", entries_of(3))
    assert forked(note_of(entries_of(3)), note_of(entries_of(3, b"b")), policy)
    assert not forked(note_of(entries_of(3)), note_of(entries_of(3)), policy)
    assert not forked(note_of(entries_of(3)), note_of(entries_of(4, b"b")), policy)


def test_a_monitor_tells_growth_from_a_fork(tmp_path):
    policy = make_log(tmp_path / "log", entries_of(300))
    early = LogFolder(tmp_path / "log").checkpoint()
    assert compare(tmp_path / "log", early, policy).outcome == "same"
    append(tmp_path / "log", entries_of(300, b"more "))
    grown = compare(tmp_path / "log", early, policy)
    assert grown
    assert grown.text == "only appended: 300 entries then, 600 now"
    for earlier, outcome in (
        (note_of(entries_of(300, b"b")), "forked"),
        (note_of(entries_of(601)), "behind"),
        (note_of([]), "grown"),
    ):
        compared = compare(tmp_path / "log", earlier, policy)
        assert compared.outcome == outcome
        assert bool(compared) == (outcome == "grown")


def test_two_logs_of_one_policy_are_not_taken_for_each_other(tmp_path):
    """A trusted log's key must not speak under another's name, nor look like its fork."""
    make_log(tmp_path / "log", entries_of(3))
    other = VerifierKey("other.org", LOG_VERIFIER.kind, OTHER_KEY.public)
    policy = parse_policy(f"log {LOG_VERIFIER.text}\nlog {other.text}\nquorum none".encode())
    theirs = note_of(entries_of(2), key=OTHER_KEY, origin="other.org")
    with pytest.raises(InputError, match="compare a log with its own"):
        compare(tmp_path / "log", theirs, policy)
    head = Checkpoint(ORIGIN, 2, rfc6962.mth(entries_of(2)))
    borrowed = Note(head.text, (sign_note(head.text, "other.org", OTHER_KEY),)).encode()
    with pytest.raises(InputError, match="no signature of the log"):
        verify_checkpoint(borrowed, policy)


def test_a_fork_among_the_cosigned_checkpoints_is_named(tmp_path):
    policy = make_log(tmp_path / "log", entries_of(6))
    (tmp_path / "log/witnessed").mkdir()
    (tmp_path / "log/witnessed/4").write_bytes(note_of(entries_of(4, b"b")))
    (problem,) = fsck(tmp_path / "log", policy).problems
    assert "witnessed/4: a FORK: the log signed another history" in problem


def test_cosignatures_outlive_a_writer_that_did_not_close(tmp_path):
    witnesses = [witness(tmp_path, 1)]
    make_log(tmp_path / "log", entries_of(2))
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        log.append([b"last"])
        shutil.copytree(tmp_path / "log", tmp_path / "killed")
    cosign(tmp_path / "killed", witnesses)
    kept = (tmp_path / "killed/checkpoint").read_bytes()
    shutil.copy(tmp_path / "log/checkpoint", tmp_path / "killed/checkpoint")
    with LogWriter(tmp_path / "killed", LOG_KEY):
        assert (tmp_path / "killed/checkpoint").read_bytes() == kept


def test_the_verified_folder_says_what_the_quorum_has_seen(tmp_path):
    witnesses = [witness(tmp_path, n) for n in range(5)]
    make_log(tmp_path / "log", entries_of(4), witnesses[:2], threshold=2)
    log = parse_policy(policy_text(witnesses, 3).encode())
    with pytest.raises(InputError, match="no checkpoint is cosigned by the policy's quorum"):
        verify_folder(tmp_path / "log", log)
    assert verify_folder(tmp_path / "log", log, quorum=False).witnessed_size == 0
    cosign(tmp_path / "log", witnesses, NOON_S + 60)
    append(tmp_path / "log", entries_of(2, b"later "))
    verified = verify_folder(tmp_path / "log", log)
    assert (verified.checkpoint.size, verified.witnessed_size) == (6, 4)
    (seen,) = verified.witnessed
    assert seen.witnessed_s == {f"w{n}": NOON_S + (60 if n > 1 else 0) for n in range(5)}


def test_the_quorum_is_complete_when_enough_have_seen_it(tmp_path):
    witnesses = [witness(tmp_path, n) for n in range(5)]
    make_log(tmp_path / "log", entries_of(4), ())
    for delay_s, each in zip((500, 10, 20, 400, 30), witnesses, strict=True):
        cosign(tmp_path / "log", [each], NOON_S + delay_s)
    policy = parse_policy(policy_text(witnesses, 3).encode())
    (seen,) = verify_folder(tmp_path / "log", policy).witnessed
    assert quorum_time_s(seen, policy) == NOON_S + 30
    everyone = parse_policy(policy_text(witnesses, 5).encode())
    assert quorum_time_s(seen, everyone) == NOON_S + 500
    without_one = {name: t for name, t in seen.witnessed_s.items() if name != "w3"}
    assert quorum_time_s(replace(seen, witnessed_s=without_one), everyone) is None


def test_a_receipt_holds_for_its_entry_alone(tmp_path):
    witnesses = [witness(tmp_path, n) for n in range(3)]
    policy = make_log(tmp_path / "log", entries_of(300), witnesses)
    receipt = parse_receipt(prove(LogFolder(tmp_path / "log"), 255).encode())
    verified = verify_receipt(receipt, b"entry 255", policy)
    assert verified.checkpoint.size == 300
    with pytest.raises(InputError, match="the entry does not stand in the log at 255"):
        verify_receipt(receipt, b"entry 254", policy)
    strangers = parse_policy(policy_text([witness(tmp_path, 9)], 1).encode())
    with pytest.raises(InputError, match="0 of 1 witnesses cosigned"):
        verify_receipt(receipt, b"entry 255", strangers)
    with pytest.raises(InputError, match="entry 300 is not in the log"):
        prove(LogFolder(tmp_path / "log"), 300)


def test_a_log_that_was_set_back_is_told_by_its_witness(tmp_path, seen):
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    with pytest.raises(InputError, match="the witness has seen 5 entries, the log has 0"):
        ask_witness(
            LogFolder(tmp_path / "log"), seen.verifier, lambda r: seen.add_checkpoint(r, NOON_S)
        )


def test_a_reply_without_the_witness_s_signature_counts_for_nothing(tmp_path, seen):
    create_log(tmp_path / "log", ORIGIN, LOG_KEY)
    other = witness(tmp_path, 6)
    with pytest.raises(InputError, match="holds no cosignature by its key"):
        ask_witness(
            LogFolder(tmp_path / "log"), seen.verifier, lambda r: other.add_checkpoint(r, NOON_S)
        )
    with pytest.raises(InputError, match='refused with 500: "oops"'):
        ask_witness(
            LogFolder(tmp_path / "log"), seen.verifier, lambda _: WitnessReply(500, b"oops\n")
        )


def test_a_strangers_checkpoint_is_not_published(tmp_path):
    make_log(tmp_path / "log", entries_of(3))
    _, foreign = parse_checkpoint(note_of(entries_of(3), key=OTHER_KEY))
    _, beyond = parse_checkpoint(note_of(entries_of(4)))
    with LogWriter(tmp_path / "log", LOG_KEY) as log:
        for note in (foreign, beyond):
            with pytest.raises(InputError, match="is not of this log"):
                log.add_cosignatures(note, [])
    with pytest.raises(InputError, match="signed by another key"):
        LogWriter(tmp_path / "log", OTHER_KEY).__enter__()


def test_a_policy_counts_groups_in_groups():
    """The shape of the example in c2sp.org/tlog-policy: two of three X and one of two Y."""
    names = ["X1", "X2", "X3", "Y1", "Y2"]
    keys = [witness_key(n) for n in range(5)]
    lines = ["# who sees the log", f"\tlog {LOG_VERIFIER.text} https://example.org/", ""]
    lines += [f"witness {name} {key}" for name, key in zip(names, keys, strict=True)]
    lines += ["group X 2 X1 X2 X3", "group Y any Y1 Y2", "group both all X Y", "quorum both"]
    policy = parse_policy("\n".join(lines).encode())
    for chosen in range(32):
        cosigned = frozenset(name for n, name in enumerate(names) if chosen >> n & 1)
        expected = len(cosigned & {"X1", "X2", "X3"}) >= 2 and bool(cosigned & {"Y1", "Y2"})
        assert policy.has_quorum(cosigned) == expected


def witness_key(number):
    key = private_key_from_seed(bytes([number]) * 32)
    return VerifierKey(f"w.org/{number}", COSIGNATURE, key.public).text


W = [f"witness w{n} {witness_key(n)}" for n in range(3)]
BAD_POLICIES = {
    "no quorum": (W[0], "no quorum line"),
    "two quorums": (f"{W[0]}\nquorum w0\nquorum w0", "line 3: a second quorum line"),
    "an undefined quorum": ("quorum w0", "is not defined above"),
    "one key under two names": (f"{W[0]}\n{W[0].replace('w0', 'w9')}", "one key is one witness"),
    "a witness in two groups": (f"{W[0]}\ngroup a any w0\ngroup b any w0", "in a group already"),
    "a witness twice in a group": (f"{W[0]}\ngroup a 2 w0 w0", "in a group already"),
    "a later witness": (f"group a any w0\n{W[0]}", "not defined above"),
    "too high a threshold": (f"{W[0]}\ngroup a 2 w0", "expected all, any or 1 to 1"),
    "a threshold of none": (f"{W[0]}\ngroup a 0 w0", "expected all, any or 1 to 1"),
    "a name twice": (f"{W[0]}\n{W[1].replace('w1', 'w0', 1)}", '"w0" is taken'),
    "the name none": (W[0].replace("w0", "none", 1), '"none" is taken'),
    "a log's key for a witness": (f"witness w {LOG_VERIFIER.text}", "a witness has type 4"),
    "a witness's key for a log": (f"log {witness_key(0)}", "a log has type 1"),
    "one log twice": (f"log {LOG_VERIFIER.text}\nlog {LOG_VERIFIER.text}", "remove one"),
    "another word": ("trust w0", 'expected "log KEY"'),
    "too many": ("\n".join(f"witness n{n} {witness_key(n)}" for n in range(65)), "more than 64"),
}


@pytest.mark.parametrize(("content", "text"), BAD_POLICIES.values(), ids=BAD_POLICIES.keys())
def test_a_policy_that_could_count_one_witness_twice_is_refused(content, text):
    with pytest.raises(InputError, match=text):
        parse_policy(content.encode())


def test_a_checkpoint_of_a_log_that_the_policy_does_not_name_is_refused():
    policy = parse_policy(f"log {LOG_VERIFIER.text}\nquorum none\n".encode())
    for content in (note_of([], key=OTHER_KEY), note_of([], origin="x.org")):
        with pytest.raises(InputError, match="no signature of the log"):
            verify_checkpoint(content, policy)


def test_a_cosignature_of_a_fork_is_not_published_beside_the_first(tmp_path):
    """Both are kept as they are: together they prove what the log did."""
    witnesses = [witness(tmp_path, 1)]
    make_log(tmp_path / "log", entries_of(3), witnesses, threshold=1)
    _, forged = parse_checkpoint(note_of(entries_of(3, b"b")))
    kept = (tmp_path / "log/witnessed/3").read_bytes()
    with pytest.raises(InputError, match="a FORK: the log signed another history; keep both"):
        add_cosignatures(tmp_path / "log", forged, [], [LOG_VERIFIER])
    assert (tmp_path / "log/witnessed/3").read_bytes() == kept


def test_a_line_can_be_published_without_the_log_s_key_but_not_for_another_log(tmp_path):
    made = witness(tmp_path, 1)
    make_log(tmp_path / "log", entries_of(3))
    log = LogFolder(tmp_path / "log")
    note, line = ask_witness(log, made.verifier, lambda r: made.add_checkpoint(r, NOON_S))
    add_cosignatures(tmp_path / "log", note, [line], [LOG_VERIFIER])
    policy = parse_policy(policy_text([made], 1).encode())
    assert verify_folder(tmp_path / "log", policy).witnessed_size == 3
    assert log.checkpoint() == log.witnessed(3) == note.with_line(line).encode()
    for content in (note_of(entries_of(3), key=OTHER_KEY), note_of(entries_of(4)),
                    note_of(entries_of(3), origin="x.org")):  # fmt: skip
        _, other = parse_checkpoint(content)
        with pytest.raises(InputError, match="is not of this log"):
            add_cosignatures(tmp_path / "log", other, [line], [LOG_VERIFIER])
    with pytest.raises(InputError, match="no log, or a copy of one"):
        add_cosignatures(tmp_path, note, [line], [LOG_VERIFIER])


def test_the_first_look_counts_and_the_last_is_shown(tmp_path):
    """Whatever is judged by when witnesses saw it must not move because they look again."""
    first, second = witness(tmp_path, 1), witness(tmp_path, 2)
    make_log(tmp_path / "log", entries_of(3), [first], threshold=1)
    cosign(tmp_path / "log", [first, second], NOON_S + 60)
    policy = parse_policy(policy_text([first, second], 2).encode())
    for _ in range(2):
        (seen,) = verify_folder(tmp_path / "log", policy).witnessed
        assert seen.witnessed_s == {"w0": NOON_S, "w1": NOON_S + 60}
        shown = verify_checkpoint(LogFolder(tmp_path / "log").checkpoint(), policy)
        assert shown.witnessed_s == {"w0": NOON_S + 60, "w1": NOON_S + 60}
        with LogWriter(tmp_path / "log", LOG_KEY):
            pass


def test_of_several_lines_in_a_reply_the_known_witness_s_counts(tmp_path, seen):
    """The protocol lets a witness answer with lines of keys that nobody here knows."""
    make_log(tmp_path / "log", entries_of(5))
    stranger = witness(tmp_path, 7)

    def carry(request):
        ours, theirs = (each.add_checkpoint(request, NOON_S + 1) for each in (seen, stranger))
        return ours if ours.status != 200 else WitnessReply(200, theirs.body + ours.body)

    known = [witness(tmp_path, 8).verifier, seen.verifier]
    _, line, key = ask_any_witness(LogFolder(tmp_path / "log"), known, carry, "w")
    assert (line.name, key) == (seen.name, seen.verifier)


@pytest.mark.parametrize(
    "size", [b"\x1b[2J\n", b"", b"5", b"05\n", b"-1\n", b"5\n5\n", b"x" * 9999]
)
def test_a_witness_that_answers_nonsense_is_told_in_one_printable_line(size, tmp_path):
    make_log(tmp_path / "log", entries_of(3))
    with pytest.raises(InputError) as refusal:
        ask_witness(LogFolder(tmp_path / "log"), LOG_VERIFIER, lambda _: WitnessReply(409, size))
    assert str(refusal.value).isprintable()
    with pytest.raises(InputError) as refusal:
        ask_witness(LogFolder(tmp_path / "log"), LOG_VERIFIER, lambda _: WitnessReply(500, size))
    assert str(refusal.value).isprintable()


def test_a_named_pipe_in_a_folder_is_refused_instead_of_waited_for(tmp_path):
    policy = make_log(tmp_path / "log", entries_of(3))
    for name in ("tile/0/000.p/3", "witnessed/3", "checkpoint"):
        copy = shutil.copytree(tmp_path / "log", tmp_path / name.replace("/", "-"))
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).unlink(missing_ok=True)
        os.mkfifo(copy / name)
        assert fsck(copy, policy).problems
    with pytest.raises(InputError, match="not a plain file"):
        LogFolder(copy).checkpoint()
