"""Attacks on the log's files, its receipts and its witnesses."""

import shutil
from dataclasses import replace

from tests.control.attacks.catalogue import Row, attack, limit_of, weakened, without
from tests.support import rfc6962
from tests.support.made_log import (
    LOG_KEY,
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
    compare,
    parse_policy,
    parse_receipt,
    prove,
    verify_folder,
    verify_receipt,
)
from skyweave.control.log.checkpoint import Checkpoint, parse_checkpoint
from skyweave.control.log.trust import verify_checkpoint
from skyweave.control.log.witness import request_body
from skyweave.control.signing.dsse import parse_envelope, sign_envelope
from skyweave.control.signing.keys import (
    PublicKey,
    load_private_key,
    private_key_from_seed,
    save_private_key,
)
from skyweave.control.signing.notes import Note, cosign_note, sign_note
from skyweave.errors import InputError

OTHER_KEY = private_key_from_seed(b"attacker" + bytes(24))
SMALL_ORDER_KEY = bytes([1]) + bytes(31)

# What is true, and what the attacker wants believed.
AGREED, STRUCK = [b"genesis", b"agreement", b"vote"], [b"genesis", b"suspend!!", b"vote"]
LATER = [*AGREED, b"withdrawn"]


def forged_folder(folder, entries, checkpoint):
    """A folder of other entries, tiles and all, under a checkpoint."""
    make_log(folder, entries)
    (folder / "checkpoint").write_bytes(checkpoint)
    return folder


def note_of(entries, key=LOG_KEY):
    head = Checkpoint(ORIGIN, len(entries), rfc6962.mth(entries))
    return Note(head.text, (sign_note(head.text, ORIGIN, key),)).encode()


def ignoring(what):
    """Take away one complaint of the folder's check."""

    def stand_in(original, self, name, found):
        if what not in found:
            original(self, name, found)

    return weakened("control.log.fsck._Check._problem", stand_in)


@attack(Row.EDITED_FILES, ignoring("do not give the signed root"))
def test_an_agreement_is_overwritten_on_the_disk_with_all_tiles_made_to_fit(folder):
    """A hospital's guarantee would vanish from the record by a command of a database writer."""
    policy = make_log(folder / "log", AGREED)
    signed = (folder / "log/checkpoint").read_bytes()
    forged = forged_folder(folder / "forged", STRUCK, signed)
    return STRUCK[1] in verify_folder(forged, policy).entries


@attack(Row.EDITED_FILES, without("control.signing.keys.PublicKey.verifies", True))
def test_the_checkpoint_is_rewritten_too_without_the_log_s_key(folder):
    """Who can write to the web server's disk would decide what was ever approved."""
    policy = make_log(folder / "log", AGREED)
    old, new = (note_of(entries) for entries in (AGREED, STRUCK))
    _, signed_before = parse_checkpoint(old)
    rewritten = replace(parse_checkpoint(new)[1], lines=signed_before.lines).encode()
    return STRUCK[1] in verify_folder(
        forged_folder(folder / "forged", STRUCK, rewritten), policy
    ).entries  # fmt: skip


@attack(
    Row.EDITED_FILES,
    weakened(
        "control.log.proofs.inclusion_root",
        lambda _, index, size, leaf, proof: rfc6962.mth(AGREED),
    ),
)
def test_a_receipt_is_shown_for_an_entry_that_is_not_in_the_log(folder):
    """A dish would be switched off by a receipt that belongs to something else."""
    policy = make_log(folder / "log", AGREED)
    receipt = parse_receipt(prove(LogFolder(folder / "log"), 1).encode())
    return verify_receipt(receipt, STRUCK[1], policy).checkpoint.size == 3


@attack(Row.EDITED_FILES, ignoring("not what the log's"))
def test_a_tile_is_changed_so_that_later_proofs_fail(folder):
    """Outsiders could no longer prove an entry, and nobody would say why."""
    policy = make_log(folder / "log", AGREED)
    (tile,) = (folder / "log/tile/0").rglob("3")
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    return bool(verify_folder(folder / "log", policy).entries)


def cosigned_fork(folder):
    """Three witnesses saw one history; the log asks them for another of the same length."""
    witnesses = [witness(folder, n) for n in range(3)]
    make_log(folder / "log", AGREED, witnesses, threshold=2)
    replies = [
        each.add_checkpoint(request_body(old, [], note_of(STRUCK)), NOON_S + 60)
        for each in witnesses
        for old in (0, 3)
    ]
    return sum(reply.status == 200 for reply in replies) >= 2


@attack(Row.TWO_HISTORIES, without("control.log.witness.is_consistent", True))
def test_witnesses_are_asked_to_cosign_a_second_history(folder):
    """One country would read that its hospital is guaranteed, another that it is not."""
    return cosigned_fork(folder)


@attack(Row.TWO_HISTORIES, without("control.log.trust.TrustPolicy.has_quorum", True))
def test_a_reader_is_shown_a_history_that_no_witness_has_seen(folder):
    """A private history, made for one reader, would pass for the public one."""
    witnesses = [witness(folder, n) for n in range(3)]
    policy = make_log(folder / "log", AGREED, witnesses, threshold=2)
    fork = forged_folder(folder / "fork", STRUCK, note_of(STRUCK))
    return STRUCK[1] in verify_folder(fork, policy).entries


@attack(Row.TWO_HISTORIES, without("control.log.monitor.is_consistent", True))
def test_the_copy_of_today_leaves_out_what_yesterday_s_had(folder):
    """An outsider who kept yesterday's checkpoint would not notice the rewriting."""
    policy = make_log(folder / "log", AGREED)
    yesterday = (folder / "log/checkpoint").read_bytes()
    fork = forged_folder(folder / "fork", [*STRUCK, b"more"], note_of([*STRUCK, b"more"]))
    return bool(compare(fork, yesterday, policy))


@attack(Row.TWO_HISTORIES, ignoring("a FORK"))
def test_the_proof_of_a_second_history_lies_in_the_folder_unread(folder):
    """The log would have lied to somebody, with its signature on it, and no reader be told."""
    policy = make_log(folder / "log", AGREED)
    (folder / "log/witnessed").mkdir()
    (folder / "log/witnessed/3").write_bytes(note_of(STRUCK))
    return bool(verify_folder(folder / "log", policy).entries)


@attack(Row.TWO_HISTORIES, without("control.signing.keys.PublicKey.verifies", True))
def test_a_cosignature_is_made_up_under_a_witness_s_name(folder):
    """The operator would be its own witness."""
    witnesses = [witness(folder, n) for n in range(1)]
    policy = make_log(folder / "log", AGREED, witnesses, threshold=1)
    head = Checkpoint(ORIGIN, 3, rfc6962.mth(STRUCK))
    forged = cosign_note(head.text, witnesses[0].name, OTHER_KEY, NOON_S)
    forged = forged._replace(key_hash=witnesses[0].verifier.key_hash)
    note = Note(head.text, (sign_note(head.text, ORIGIN, LOG_KEY), forged))
    return verify_checkpoint(note.encode(), policy).has_quorum


def read(path):
    """What a file holds, nothing where there is none."""
    return path.read_bytes() if path.exists() else b""


@attack(
    Row.ROLLBACK,
    weakened(
        "control.log.witness.Witness._latest",
        lambda original, self: original(self) if read(self.state) else {},
    ),
)
def test_a_witness_s_memory_is_wiped_to_make_it_cosign_again(folder):
    """The last day's decisions would be undone, with the witnesses' blessing."""
    seen = witness(folder, 1)
    make_log(folder / "log", LATER, [seen], threshold=1)
    seen.state.write_bytes(b"")
    return seen.add_checkpoint(request_body(0, [], note_of(STRUCK)), NOON_S + 60).status == 200


@attack(
    Row.ROLLBACK,
    weakened(
        "control.log.monitor.Comparison.__bool__",
        lambda original, self: original(self) or self.outcome == "behind",
    ),
)
def test_an_older_copy_is_served_so_that_a_withdrawal_is_not_seen(folder):
    """A cut that was taken back would still be carried out from an old copy."""
    policy = make_log(folder / "log", AGREED)
    shutil.copytree(folder / "log", folder / "old")
    append(folder / "log", [b"withdrawn"])
    return bool(compare(folder / "old", (folder / "log/checkpoint").read_bytes(), policy))


@attack(
    Row.ROLLBACK,
    weakened(
        "control.log.witness.Witness._latest",
        lambda original, self: {
            origin: seen._replace(time_s=0) for origin, seen in original(self).items()
        },
    ),
)  # fmt: skip
def test_a_witness_s_clock_is_set_back(folder):
    """An approval that came too late would be dated in time, and a cut take effect early."""
    seen = witness(folder, 1)
    make_log(folder / "log", AGREED, [seen], threshold=1)
    append(folder / "log", [b"late approval"])
    try:
        cosign(folder / "log", [seen], NOON_S - 3600)
    except InputError:
        raise
    except Exception:  # the witness stops rather than to date something back
        return False
    return True


@attack(Row.FLOOD, without("control.log.store._refuse_bad_batch"))
def test_one_party_floods_the_log_in_one_go(folder):
    """Nobody could read or carry the record any more, and so nobody would check it."""
    make_log(folder / "log", AGREED)
    with LogWriter(folder / "log", LOG_KEY) as log:
        return log.append([b"x"] * 5000).size == 5003


@attack(Row.FLOOD, limit_of("control.signing.dsse.MAX_ENVELOPE_BYTES", 1 << 40))
def test_a_signed_file_without_end_is_sent(folder):
    """The log keeper's machine would stand still, and with it every approval."""
    envelope = sign_envelope("application/x", bytes(1 << 20), [OTHER_KEY]).encode()
    return len(parse_envelope(envelope).payload) == 1 << 20


@attack(Row.FLOOD, limit_of("control.signing.dsse.MAX_SIGNATURES", 1 << 40))
def test_a_file_with_thousands_of_signatures_is_sent(folder):
    """Checking one proposal would take longer than its notice."""
    envelope = sign_envelope("application/x", b"{}", [OTHER_KEY] * 1000).encode()
    return len(parse_envelope(envelope).signatures) == 1000


@attack(
    Row.FLOOD,
    limit_of("control.log.witness.MAX_REQUEST_BYTES", 1 << 40),
    limit_of("control.signing.notes.MAX_NOTE_BYTES", 1 << 40),
)
def test_a_witness_is_sent_more_than_it_should_read(folder):
    """A witness that is busy reading cosigns nothing, and no activation would be confirmed."""
    text = Checkpoint(ORIGIN, 3, rfc6962.mth(AGREED)).text + "x" * (1 << 18) + "\n"
    note = Note(text, (sign_note(text, ORIGIN, LOG_KEY),)).encode()
    return witness(folder, 1).add_checkpoint(request_body(0, [], note), NOON_S).status == 200


@attack(
    Row.FLOOD,
    weakened(
        "control.log.witness.verified_lines",
        lambda original, note, keys, source: original(note, keys, source) or (note,),
    ),
)
def test_a_stranger_has_checkpoints_cosigned_in_the_log_s_name(folder):
    """Whoever is quickest would write the log's history for it."""
    request = request_body(0, [], note_of(STRUCK, key=OTHER_KEY))
    return witness(folder, 1).add_checkpoint(request, NOON_S).status == 200


@attack(Row.STOLEN_KEYS, limit_of("control.signing.keys._OTHERS", 0))
def test_a_key_file_is_read_by_another_user_of_the_machine(folder):
    """An approval could be signed by anyone who shares the approver's computer."""
    path = folder / "key.json"
    save_private_key(path, OTHER_KEY)
    path.chmod(0o644)
    return load_private_key(path) is not None


@attack(Row.STOLEN_KEYS, limit_of("control.signing.keys._SMALL_ORDER", frozenset()))
def test_a_key_is_registered_under_which_anybody_s_signature_fits(folder):
    """One vote of the quorum could be cast by every passer-by."""
    # Under the neutral element, R = S*B verifies every message: S = 0, R = neutral.
    signature = SMALL_ORDER_KEY + bytes(32)
    return PublicKey(SMALL_ORDER_KEY).verifies(signature, b"suspend the island")


@attack(Row.STOLEN_KEYS, without("control.signing.keys.PublicKey.verifies", True))
def test_the_log_keeper_s_machine_is_taken_and_signs_for_the_witnesses(folder):
    """With one stolen machine a cut could be made to look seen by all."""
    witnesses = [witness(folder, n) for n in range(3)]
    policy = parse_policy(policy_text(witnesses, 2).encode())
    make_log(folder / "log", STRUCK, witnesses[:1], threshold=1)
    head, note = parse_checkpoint((folder / "log/checkpoint").read_bytes())
    line = cosign_note(head.text, witnesses[1].name, LOG_KEY, NOON_S)
    note = note.with_line(line._replace(key_hash=witnesses[1].verifier.key_hash))
    return verify_checkpoint(note.encode(), policy).has_quorum
