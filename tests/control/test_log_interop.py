"""Logs, checkpoints and proofs exchanged with aics-tlog, which shares no code with ours.

It needs Python 3.12; RFC 6962 itself is compared with in `test_merkle.py` everywhere.
"""

import random

import pytest
from tests.support.made_log import LOG_KEY, LOG_VERIFIER, ORIGIN, make_log, witness

from skyweave.control.log import LogFolder, prove
from skyweave.control.log.checkpoint import parse_checkpoint
from skyweave.control.log.merkle import inclusion_root, is_consistent, leaf_hash
from skyweave.control.log.trust import verify_checkpoint

aics_tlog = pytest.importorskip("aics_tlog", reason="aics-tlog is absent (it needs Python 3.12)")


def test_its_verifier_accepts_our_cosigned_checkpoint_and_proofs(tmp_path):
    entries = [b"entry %d" % n for n in range(700)]
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


def test_we_accept_its_checkpoints_and_proofs(tmp_path, full_counts, record_figure):
    from cryptography.hazmat.primitives.asymmetric import ed25519

    rng = random.Random(7)
    key = ed25519.Ed25519PrivateKey.from_private_bytes(LOG_KEY.seed())
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
