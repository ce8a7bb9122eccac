"""The Merkle tree against RFC 6962 written down once more, and against published hashes."""

import random

from tests.support import rfc6962

from skyweave.control.log.merkle import (
    EMPTY_ROOT,
    consistency_proof,
    fold,
    inclusion_proof,
    inclusion_root,
    is_consistent,
    leaf_hash,
    root,
)

# Leaves and roots of the Certificate Transparency test suite (google/certificate-transparency,
# merkletree/merkle_tree_test.cc, Apache-2.0), as every later implementation repeats them.
LEAVES = [bytes.fromhex(x) for x in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MOST_ENTRIES = 70


def subtrees(entries):
    def subtree(height, number):
        width = 1 << height
        return fold([leaf_hash(e) for e in entries[number * width : (number + 1) * width]])

    return subtree


def entries_of(size):
    return [b"entry %d" % n for n in range(size)]


def test_roots_are_those_of_certificate_transparency():
    assert [root(n, subtrees(LEAVES)).hex() for n in range(9)] == ROOTS
    assert [rfc6962.mth(LEAVES[:n]).hex() for n in range(9)] == ROOTS
    assert EMPTY_ROOT.hex() == ROOTS[0]


def test_every_proof_of_small_trees_is_the_one_of_the_definition():
    entries = entries_of(MOST_ENTRIES)
    subtree = subtrees(entries)
    roots = [rfc6962.mth(entries[:n]) for n in range(MOST_ENTRIES + 1)]
    for size in (1, 2, 3, 7, 8, 9, 31, 33, 64, MOST_ENTRIES):
        assert root(size, subtree) == roots[size]
        for index in range(size):
            proof = inclusion_proof(index, size, subtree)
            assert proof == rfc6962.path(index, entries[:size])
            assert inclusion_root(index, size, leaf_hash(entries[index]), proof) == roots[size]
        for old in range(1, size):
            proof = consistency_proof(old, size, subtree)
            assert proof == rfc6962.proof(old, entries[:size])
            assert is_consistent(old, size, roots[old], roots[size], proof)


def test_vectors_of_the_definition_are_accepted_and_the_reverse(full_counts, record_figure):
    rng = random.Random(1)
    vectors = 10_000 if full_counts else 300
    for _ in range(vectors):
        size = rng.randint(1, 200 if full_counts else 60)
        entries = [rng.randbytes(rng.randint(0, 20)) for _ in range(size)]
        subtree, index, old = subtrees(entries), rng.randrange(size), rng.randint(1, size)
        whole = rfc6962.mth(entries)
        proof = rfc6962.path(index, entries)
        assert inclusion_root(index, size, leaf_hash(entries[index]), proof) == whole
        assert inclusion_proof(index, size, subtree) == proof
        growth = rfc6962.proof(old, entries)
        assert is_consistent(old, size, rfc6962.mth(entries[:old]), whole, growth)
        assert consistency_proof(old, size, subtree) == growth
    record_figure("log: proofs exchanged with an independent RFC 6962", vectors, "", "10,000")


def test_no_changed_proof_is_accepted():
    entries = entries_of(21)
    subtree, whole = subtrees(entries), rfc6962.mth(entries)
    leaf, other = leaf_hash(entries[4]), leaf_hash(b"another")
    proof = inclusion_proof(4, 21, subtree)
    for changed in _changed(proof):
        assert inclusion_root(4, 21, leaf, changed) != whole
    assert inclusion_root(4, 21, other, proof) != whole
    for index in (-1, 0, 5, 20, 21):
        assert inclusion_root(index, 21, leaf, proof) != whole
    growth = consistency_proof(13, 21, subtree)
    old = rfc6962.mth(entries[:13])
    for changed in _changed(growth):
        assert not is_consistent(13, 21, old, whole, changed)
    # A proof need not fix the sizes, 13 to 20 climbs as 13 to 21 does: checkpoints sign them.
    for sizes in ((12, 21), (14, 21), (13, 16), (13, 33), (21, 13), (0, 21), (-1, 21)):
        assert not is_consistent(*sizes, old, whole, growth)
    assert not is_consistent(13, 21, whole, whole, growth)
    assert not is_consistent(13, 21, old, old, growth)


def test_equal_and_empty_trees_need_no_proof():
    old, extra = rfc6962.mth(entries_of(5)), [bytes(32)]
    assert is_consistent(5, 5, old, old, [])
    assert not is_consistent(5, 5, old, EMPTY_ROOT, [])
    assert not is_consistent(5, 5, old, old, extra)
    assert is_consistent(0, 5, EMPTY_ROOT, old, [])
    assert not is_consistent(0, 5, EMPTY_ROOT, old, extra)
    assert not is_consistent(0, 5, old, old, [])
    assert not is_consistent(4, 5, rfc6962.mth(entries_of(4)), old, [])
    assert consistency_proof(0, 5, subtrees(entries_of(5))) == []
    assert consistency_proof(5, 5, subtrees(entries_of(5))) == []


def _changed(proof):
    yield proof[:-1]
    yield proof[1:]
    yield [*proof, bytes(32)]
    yield proof[::-1]
    yield [proof[1], proof[0], *proof[2:]]
    for place in range(len(proof)):
        for byte in (0, 31):
            flipped = bytearray(proof[place])
            flipped[byte] ^= 1
            yield [*proof[:place], bytes(flipped), *proof[place + 1 :]]
