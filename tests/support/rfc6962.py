"""RFC 6962 written down once more, as slowly and literally as section 2.1 states it.

Only the definitions over lists of entries; nothing of the package is imported, so that the tests
have a tree to compare with that shares no line with the one they test.
"""

import hashlib


def mth(entries):
    """The Merkle Tree Hash of section 2.1."""
    if not entries:
        return hashlib.sha256(b"").digest()
    if len(entries) == 1:
        return hashlib.sha256(b"\x00" + entries[0]).digest()
    k = split(len(entries))
    return hashlib.sha256(b"\x01" + mth(entries[:k]) + mth(entries[k:])).digest()


def path(m, entries):
    """The audit path PATH(m, D[n]) of section 2.1.1."""
    if len(entries) == 1:
        return []
    k = split(len(entries))
    if m < k:
        return [*path(m, entries[:k]), mth(entries[k:])]
    return [*path(m - k, entries[k:]), mth(entries[:k])]


def proof(m, entries):
    """The consistency proof PROOF(m, D[n]) of section 2.1.2, for 0 < m < n."""
    return subproof(m, entries, True)


def subproof(m, entries, whole):
    """SUBPROOF(m, D[n], b) of section 2.1.2."""
    n = len(entries)
    if m == n:
        return [] if whole else [mth(entries)]
    k = split(n)
    if m <= k:
        return [*subproof(m, entries[:k], whole), mth(entries[k:])]
    return [*subproof(m - k, entries[k:], False), mth(entries[:k])]


def split(n):
    """The largest power of two smaller than n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k
