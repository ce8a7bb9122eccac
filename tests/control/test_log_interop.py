"""Logs, proofs and requests exchanged with aics-tlog and aics-witness, which share no code of ours.

Their metadata asks for Python 3.12, although they run on 3.11; RFC 6962 itself is compared with in
`test_merkle.py` everywhere.
"""

import random

import pytest
from tests.support import rfc6962
from tests.support.made_log import (
    LOG_KEY,
    LOG_VERIFIER,
    NOON_S,
    ORIGIN,
    append,
    make_log,
    witness,
)

from skyweave.control.log import LogFolder, fsck, parse_policy, prove, verify_folder
from skyweave.control.log.checkpoint import Checkpoint, parse_checkpoint
from skyweave.control.log.merkle import inclusion_root, is_consistent, leaf_hash
from skyweave.control.log.trust import verify_checkpoint
from skyweave.control.log.witness import request_body
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.control.signing.notes import Note, sign_note

aics_tlog = pytest.importorskip("aics_tlog", reason="aics-tlog is absent: make test installs it")


def their_log_key():
    from cryptography.hazmat.primitives.asymmetric import ed25519

    return ed25519.Ed25519PrivateKey.from_private_bytes(LOG_KEY.seed())


def entries_of(count):
    return [b"entry %d" % n for n in range(count)]


def test_its_verifier_accepts_our_cosigned_checkpoint_and_proofs(tmp_path):
    entries = entries_of(700)
    witnesses = [witness(tmp_path, n) for n in range(3)]
    make_log(tmp_path / "log", entries, witnesses)
    log = LogFolder(tmp_path / "log")
    key, *keys = (
        aics_tlog.note.parse_vkey(each.text)
        for each in (LOG_VERIFIER, *(each.verifier for each in witnesses))
    )
    note = aics_tlog.note.parse_note(log.checkpoint())
    assert aics_tlog.verify_checkpoint(note, key, keys, quorum=3).ok
    assert not aics_tlog.verify_checkpoint(note, key, keys[:2], quorum=3).ok
    head, _ = parse_checkpoint(log.checkpoint())
    for index in (0, 1, 255, 256, 511, 512, 699):
        proof = list(prove(log, index).proof)
        assert aics_tlog.verify_leaf_inclusion(entries[index], index, 700, proof, head.root)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700, 66_000])
def test_its_auditor_accepts_every_tile_and_bundle_of_ours(size, tmp_path):
    make_log(tmp_path / "log", entries_of(1))
    for start in range(1, size, 4096):
        append(tmp_path / "log", entries_of(size)[start : start + 4096])
    head, _ = parse_checkpoint(LogFolder(tmp_path / "log").checkpoint())
    reader = aics_tlog.FileSystemTileReader(tmp_path / "log")
    found = aics_tlog.audit_tiles(reader, size, head.root)
    assert found.size == size
    assert found.bundles == -(-size // 256)
    assert aics_tlog.read_entry(reader, size - 1, size) == b"entry %d" % (size - 1)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 700])
def test_we_accept_every_tile_and_bundle_of_its_writer(size, tmp_path):
    writer = aics_tlog.IncrementalTileWriter(aics_tlog.DirectoryTileStore(tmp_path / "log"))
    writer.append(entries_of(size))
    theirs = aics_tlog.Checkpoint(ORIGIN, size, writer.root())
    note = aics_tlog.sign_checkpoint(theirs, their_log_key(), ORIGIN)
    (tmp_path / "log/checkpoint").write_bytes(note.to_bytes())
    policy = parse_policy(f"log {LOG_VERIFIER.text}\nquorum none\n".encode())
    report = fsck(tmp_path / "log", policy)
    assert report.problems == report.stray == ()
    assert verify_folder(tmp_path / "log", policy).entries == tuple(entries_of(size))


def test_we_accept_its_checkpoints_and_proofs(tmp_path, full_counts, record_figure):
    rng = random.Random(7)
    key = their_log_key()
    policy = make_log(tmp_path / "log", [b"x"])
    vectors = 10_000 if full_counts else 200
    tree = aics_tlog.MerkleTree([rng.randbytes(8) for _ in range(600)])
    for _ in range(vectors):
        size = rng.randint(1, 600)
        index, old, root = rng.randrange(size), rng.randint(1, size), tree.root(size)
        note = aics_tlog.sign_checkpoint(aics_tlog.Checkpoint(ORIGIN, size, root), key, ORIGIN)
        ours = verify_checkpoint(note.to_bytes(), policy).checkpoint
        assert (ours.size, ours.root) == (size, root)
        proof = tree.inclusion_proof(index, size)
        assert inclusion_root(index, size, leaf_hash(tree.leaf_data(index)), proof) == root
        growth = tree.consistency_proof(old, size)
        assert is_consistent(old, size, tree.root(old), root, growth)
    assert leaf_hash(b"") == aics_tlog.hashing.leaf_hash(b"")
    record_figure("log: vectors exchanged with aics-tlog", vectors, "", "10,000")


# Requests in an order that moves the witness's state now and then; some good, most of them not.


def note_of(entries, origin=ORIGIN, key=LOG_KEY, size=None):
    head = Checkpoint(origin, len(entries) if size is None else size, rfc6962.mth(entries))
    return Note(head.text, (sign_note(head.text, origin, key),)).encode()


def any_request(rng, known):
    """A request to a witness that has seen `known` entries: often a good one, often nearly."""
    size = max(0, known + rng.choice((-1, 0, 0, 1, 1, 2, 7)))
    old = rng.choice((known, known, known, known, 0, max(0, known - 1), size + 1))
    entries = entries_of(size)
    proof = rfc6962.proof(old, entries) if 0 < old < size else []
    kind = rng.randrange(12)
    if kind == 0:
        proof = [*proof, bytes(32)]
    elif kind == 1:
        proof = proof[:-1]
    elif kind == 2:
        entries = [b"other", *entries[1:]]
    note = note_of(entries)
    if kind == 3:
        note = note_of(entries, origin="x.org")
    elif kind == 4:
        note = note_of(entries, key=private_key_from_seed(bytes(32)))
    elif kind == 5:
        note = note.replace(b"\n%d\n" % size, b"\n%d\n" % (size + 1), 1)
    elif kind == 6:
        note += b"\xe2\x80\x94 someone.org/else AAAAAAAA\n"
    body = request_body(old, proof, note)
    if kind == 7:
        body = body.replace(b"old ", rng.choice((b"old 0", b"old  ", b"Old ", b"old -")), 1)
    elif kind == 8:
        body = body[: rng.randrange(len(body))]
    return body


def test_its_witness_answers_every_request_as_ours_does(tmp_path, full_counts, record_figure):
    """Both hold one key, so that even the cosignatures must be the same bytes."""
    service = pytest.importorskip("aics_witness.service")
    config = pytest.importorskip("aics_witness.config")
    store = pytest.importorskip("aics_witness.store")
    from cryptography.hazmat.primitives.asymmetric import ed25519

    rng = random.Random(8)
    ours, now_s = witness(tmp_path, 1), [NOON_S]
    log = config.LogConfig(ORIGIN, (config.parse_log_vkey(LOG_VERIFIER.text),))
    requests, statuses, known = 5_000 if full_counts else 400, set(), 0
    with store.WitnessStore(tmp_path / "theirs.sqlite", create=True) as kept:
        key = ed25519.Ed25519PrivateKey.from_private_bytes(ours.key.seed())
        theirs = service.Witness(ours.name, key, kept, [log], clock=lambda: now_s[0])
        for _ in range(requests):
            now_s[0] += rng.randrange(3)
            request = any_request(rng, known)
            reply = ours.add_checkpoint(request, now_s[0])
            try:
                status, body = 200, theirs.add_checkpoint(request)
            except service.WitnessError as refusal:
                status, body = refusal.status, refusal.body
            assert reply.status == status, request
            if status in (200, 409):  # what the others say is for people
                assert reply.body == body
            statuses.add(status)
            known = theirs.store.all_logs()[0].size if theirs.store.all_logs() else 0
    assert statuses == {200, 400, 403, 404, 409, 422}
    record_figure("log: requests answered as aics-witness does", requests, "", "")
