"""A charter's rotation against PyPI `tuf`: the same keys sign the same root, the verdicts agree.

TUF is the model: version N+1 of the root is good where the thresholds of N and of N+1 signed it.
The same Ed25519 signatures go to both: ours over the envelope's encoding, theirs over theirs.
"""

import random
from datetime import UTC, datetime

import pytest
from tests.support.made_charter import NOON_S, key, key_id, key_record, made_charter

from skyweave.control.domain import charters
from skyweave.control.domain.documents import DAY_S, Charter, Need, Organisation, RoleRecord
from skyweave.control.signing.dsse import EnvelopeSignature, sign_envelope
from skyweave.errors import InputError

tuf = pytest.importorskip("tuf.api.metadata")
sslib = pytest.importorskip("securesystemslib.signer")

NAMES = [f"signer-{n}" for n in range(8)]
ORGANISATIONS = ("one", "two")
FIRST = made_charter()
EXPIRY = datetime(2030, 1, 1, tzinfo=UTC)


def charter(version, names, threshold):
    """A charter whose root are these people, `threshold` of them; nobody else is in it.

    Sound charters need two organisations at their root; what is compared here is who signed, so
    the rule is one that TUF has as well: so many keys.
    """
    keys = tuple(key_record(n, ORGANISATIONS[NAMES.index(n) % 2]) for n in names)
    root = RoleRecord(role="root", key_ids=tuple(map(key_id, names)))
    fields = {
        "version": version,
        "keys": keys,
        "organisations": tuple(Organisation(organisation=o, name=o) for o in ORGANISATIONS),
        "roles": (root,),
        "root": Need(role="root", people=threshold),
    }
    return Charter(**(vars(FIRST) | fields))


def tuf_root(version, names, threshold, expires=EXPIRY):
    """The same root as TUF has it."""
    keys = {key_id(n): tuf_key(n) for n in names}
    roles = {
        role: tuf.Role([key_id(n) for n in names], threshold)
        for role in ("root", "timestamp", "snapshot", "targets")
    }
    return tuf.Root(version=version, expires=expires, keys=keys, roles=roles)


def tuf_key(name):
    value = {"public": key(name).public.raw.hex()}
    return sslib.SSlibKey(key_id(name), "ed25519", "ed25519", value)


def our_verdict(old, new, signed):
    """Whether the roots of both versions have signed, as the log counts it."""
    envelope = sign_envelope(Charter.payload_type(), new.encode(), ())
    signatures = [our_signature(new, *each) for each in signed]
    envelope = envelope.__class__(envelope.payload_type, envelope.payload, tuple(signatures))
    return all(
        charters.root_quorum(each, charters.root_signers(each, envelope), NOON_S)
        for each in (old, new)
    )


def our_signature(new, signer, claimed, is_good):
    payload = new.encode() if is_good else new.encode() + b" "
    made = sign_envelope(Charter.payload_type(), payload, [key(signer)]).signatures[0]
    return EnvelopeSignature(key_id(claimed), made.signature)


def tuf_verdict(old, new, signed):
    """Whether TUF takes the new root after the old."""
    payload = tuf.Metadata(new).signed_bytes
    signatures = {}
    for signer, claimed, is_good in signed:
        content = payload if is_good else payload + b" "
        # TUF's envelope has one place for each key: the first good one, as ours counts any.
        made = sslib.Signature(key_id(claimed), key(signer).sign(content).hex())
        if key_id(claimed) not in signatures or (is_good and signer == claimed):
            signatures[key_id(claimed)] = made
    return bool(new.get_root_verification_result(old, payload, signatures))


def random_roots(rng):
    """Two roots in a row that share some keys or none, as arguments of both builders."""
    found = []
    for version in (1, 2):
        names = rng.sample(NAMES, rng.randint(1, 6))
        found.append((version, names, rng.randint(1, len(names))))
    return found


def random_signatures(rng, old, new):
    """Who signs: of both roots, of one alone, strangers, twice, in another's name, badly."""
    pool = rng.choice([old[1], new[1], sorted({*old[1], *new[1]}), NAMES])
    chosen = rng.choices(pool, k=rng.randint(0, 3 * len(pool)))
    signed = []
    for signer in chosen:
        is_other = rng.random() < 0.1
        claimed = rng.choice(NAMES) if is_other else signer
        signed.append((signer, claimed, rng.random() < 0.9))
    return signed


def test_random_rotations_are_taken_exactly_where_tuf_takes_them(full_counts, record_figure):
    rng = random.Random(2026)
    cases = 4_000 if full_counts else 200
    wrong = taken = 0
    for _ in range(cases):
        old, new = random_roots(rng)
        signed = random_signatures(rng, old, new)
        theirs = tuf_verdict(tuf_root(*old), tuf_root(*new), signed)
        wrong += our_verdict(charter(*old), charter(*new), signed) != theirs
        taken += theirs
    assert wrong == 0
    assert 0.1 * cases < taken < 0.9 * cases  # both verdicts are there to disagree about
    record_figure(
        f"rotations judged otherwise than by tuf {tuf_version()}, of {cases:,}", wrong, "cases", "0"
    )


def tuf_version():
    from importlib.metadata import version

    return version("tuf")


# Cases by name, as those who test TUF clients name them

A, B, C, D = NAMES[:4]
CASES = {
    "the old threshold and the new one sign": ([A, B], 2, [C, D], 2, [A, B, C, D], True),
    "only the old keys sign": ([A, B], 2, [C, D], 2, [A, B], False),
    "only the new keys sign": ([A, B], 2, [C, D], 2, [C, D], False),
    "a new key is added": ([A, B], 2, [A, B, C], 2, [A, B], True),
    "a key is removed": ([A, B, C], 2, [A, B], 2, [A, B], True),
    "a removed key signs for the new root": ([A, B, C], 2, [A, B], 2, [A, C], False),
    "the threshold is raised and met": ([A, B, C], 2, [A, B, C], 3, [A, B, C], True),
    "the threshold is raised, met before only": ([A, B, C], 2, [A, B, C], 3, [A, B], False),
    "the threshold is lowered, the old one met": ([A, B, C], 3, [A, B, C], 2, [A, B, C], True),
    "the threshold is lowered, the new one met": ([A, B, C], 3, [A, B, C], 2, [A, B], False),
    "one key signs twice": ([A, B], 2, [A, B], 2, [A, A], False),
    "nobody signs": ([A], 1, [A], 1, [], False),
    "strangers sign": ([A], 1, [A], 1, [C, D], False),
    "the same keys sign a root that changes nothing": ([A, B], 1, [A, B], 1, [B], True),
}


@pytest.mark.parametrize("name", CASES)
def test_a_rotation_is_judged_as_tuf_does_where(name):
    before, first, after, second, names, expected = CASES[name]
    signed = [(n, n, True) for n in names]
    ours = our_verdict(charter(1, before, first), charter(2, after, second), signed)
    theirs = tuf_verdict(tuf_root(1, before, first), tuf_root(2, after, second), signed)
    assert (ours, theirs) == (expected, expected)


def tuf_takes_version(version):
    """Whether a TUF client that has root 5 takes a next one of a version that all sign."""
    from tuf.ngclient._internal.trusted_metadata_set import TrustedMetadataSet
    from tuf.ngclient.config import EnvelopeType

    held = signed_metadata(tuf_root(5, [A, B], 2))
    client = TrustedMetadataSet(held, EnvelopeType.METADATA)
    try:
        client.update_root(signed_metadata(tuf_root(version, [A, B], 2)))
    except tuf_exceptions().RepositoryError:
        return False
    return True


def signed_metadata(root):
    metadata = tuf.Metadata(root)
    for name in (A, B):
        made = key(name).sign(metadata.signed_bytes)
        metadata.signatures[key_id(name)] = sslib.Signature(key_id(name), made.hex())
    return metadata.to_bytes()


def tuf_exceptions():
    from tuf.api import exceptions

    return exceptions


@pytest.mark.parametrize(
    ("name", "version"),
    [("next", 6), ("the same version", 5), ("rollback", 4), ("fast-forward", 7), ("far", 1_000)],
)
def test_a_client_takes_the_next_version_and_no_other(name, version):
    """A skipped version hides a rotation; an old one brings back keys that were taken away."""
    old, new = made_charter(version=5), made_charter(version=version)
    if name == "next":
        charters.check_amendment(old, new)
    else:
        with pytest.raises(InputError, match="after 5; expected 6"):
            charters.check_amendment(old, new)
    assert tuf_takes_version(version) is (name == "next")


def test_an_expired_root_may_still_be_replaced_in_tuf_and_here():
    """Otherwise a network whose founders were late by a day could never decide again."""
    long_ago = datetime(2020, 1, 1, tzinfo=UTC)
    signed = [(A, A, True), (B, B, True)]
    assert tuf_verdict(tuf_root(1, [A, B], 2, long_ago), tuf_root(2, [A, B], 2), signed)
    expired = made_charter(created_s=NOON_S - 9 * DAY_S, expires_s=NOON_S - DAY_S)
    charters.check_amendment(expired, made_charter(version=2))


def test_keys_that_have_ended_rotate_nothing():
    """TUF's keys have no end of their own; a mandate has."""
    old = charter(1, [A, B], 2)
    ended = tuple(k.model_copy(update={"not_after_s": NOON_S}) for k in old.keys)
    with pytest.raises(InputError, match="make 0 of 2 people"):
        charters.root_quorum(Charter(**(vars(old) | {"keys": ended})), [key_id(A)], NOON_S)


def test_a_key_listed_twice_is_refused_in_tuf_and_here():
    with pytest.raises(ValueError, match="Nonunique keyids"):
        tuf.Role([key_id(A), key_id(A)], 1)
    root = RoleRecord(role="council", key_ids=(key_id("tidewire-1"),) * 2)
    first = made_charter()
    roles = (root, *(r for r in first.roles if r.role != "council"))
    with pytest.raises(InputError, match="stands there twice"):
        charters.check_charter(made_charter(roles=roles))


def test_a_threshold_of_nobody_is_refused_in_tuf_and_here():
    with pytest.raises(ValueError, match="at least 1"):
        tuf.Role([key_id(A)], 0)
    with pytest.raises(ValueError, match="greater than or equal to 1"):
        Need(role="root", people=0)


def test_two_keys_of_one_person_are_one_signature_where_tuf_counts_two():
    """The one rule that TUF does not have: a person is not two people for owning two keys."""
    old = charter(1, [A, B], 2)
    same = tuple(
        k.model_copy(update={"person": "ada", "organisation": ORGANISATIONS[0]}) for k in old.keys
    )
    one_person = Charter(**(vars(old) | {"keys": same, "root": Need(role="root", people=1)}))
    quorum = charters.root_quorum(one_person, [key_id(A), key_id(B)], NOON_S)
    assert len(quorum.approved) == 1
    signed = [(A, A, True), (B, B, True)]
    assert tuf_verdict(tuf_root(1, [A, B], 2), tuf_root(2, [A, B], 2), signed)
