"""Merkle tree hashing and proofs of RFC 6962, section 2.1, over any source of subtree hashes.

The tree's left-hand subtrees are complete, so every hash that is needed folds hashes of complete
subtrees: the one of height h and number i covers the entries from i * 2**h up to (i + 1) * 2**h.
The proof checks follow RFC 9162, sections 2.1.3.2 and 2.1.4.2.
"""

import hashlib
from collections.abc import Callable, Sequence

HASH_BYTES = 32
MAX_PROOF_HASHES = 63
EMPTY_ROOT = hashlib.sha256(b"").digest()

SubtreeHash = Callable[[int, int], bytes]  # (height, number) -> hash of a complete subtree


def leaf_hash(entry: bytes) -> bytes:
    """Return the hash of one entry."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two neighbouring subtrees."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the hash over a complete subtree's 1, 2, 4, ... hashes of equal height."""
    while len(hashes) > 1:
        pairs = range(0, len(hashes), 2)
        hashes = [node_hash(hashes[n], hashes[n + 1]) for n in pairs]
    return hashes[0]


def root(size: int, subtree: SubtreeHash) -> bytes:
    """Return the root of the first `size` entries."""
    return _range_hash(0, size, subtree) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, subtree: SubtreeHash) -> list[bytes]:
    """Return the hashes from an entry's sibling up to the root's child (section 2.1.1)."""
    start, end, proof = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            proof.append(_range_hash(middle, end, subtree))
            end = middle
        else:
            proof.append(_range_hash(start, middle, subtree))
            start = middle
    return proof[::-1]


def consistency_proof(old_size: int, size: int, subtree: SubtreeHash) -> list[bytes]:
    """Return the proof that the first `old_size` of `size` entries stayed (section 2.1.2)."""
    if old_size in (0, size):
        return []
    start, end, proof, whole = 0, size, [], True  # whole: the old tree's root is known itself
    while old_size != end:
        middle = start + _split(end - start)
        if old_size <= middle:
            proof.append(_range_hash(middle, end, subtree))
            end = middle
        else:
            proof.append(_range_hash(start, middle, subtree))
            start, whole = middle, False
    if not whole:
        proof.append(_range_hash(start, end, subtree))
    return proof[::-1]


def inclusion_root(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """Return the root that an inclusion proof leads to, None where its length is impossible."""
    if not 0 <= index < size:
        return None
    node, last, result = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            return None
        if node & 1 or node == last:
            result = node_hash(sibling, result)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        node, last = node >> 1, last >> 1
    return result if last == 0 else None


def is_consistent(
    old_size: int, size: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Return whether the proof shows that the larger tree only appends to the smaller one."""
    if not 0 <= old_size <= size:
        return False
    if old_size == size:
        return not proof and old_root == new_root
    if old_size == 0:
        return not proof and old_root == EMPTY_ROOT
    return _climb(old_size, size, old_root, proof) == (old_root, new_root)


def _climb(
    old_size: int, size: int, old_root: bytes, proof: Sequence[bytes]
) -> tuple[bytes, bytes] | None:
    """Return both roots that a consistency proof leads to, for 0 < old_size < size."""
    node, last = old_size - 1, size - 1
    while node & 1:
        node, last = node >> 1, last >> 1
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    if not hashes:
        return None
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return None
        if node & 1 or node == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not node & 1 and node:
                node, last = node >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        node, last = node >> 1, last >> 1
    return (old, new) if last == 0 else None


def _range_hash(start: int, end: int, subtree: SubtreeHash) -> bytes:
    """Return the hash of the entries start..end of a subtree, complete or the tree's last."""
    count = end - start
    if count & (count - 1) == 0:
        height = count.bit_length() - 1
        return subtree(height, start >> height)
    middle = start + _split(count)
    return node_hash(_range_hash(start, middle, subtree), _range_hash(middle, end, subtree))


def _split(count: int) -> int:
    """Return the largest power of two below `count` (2 or more)."""
    return 1 << (count - 1).bit_length() - 1
