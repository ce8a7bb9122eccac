"""Whatever somebody with a key signs, a reader comes to an answer, and the twin to a policy."""

import json
import random

import pydantic
from tests.support.made_charter import NOON_S, SALT, MadeLog, key, made_licence

from skyweave.control.domain.documents import DAY_S, DOCUMENTS, canonical
from skyweave.control.domain.replay import replay
from skyweave.control.domain.snapshots import snapshot_of
from skyweave.control.signing.dsse import sign_envelope

NEITHER = "sha256:" + "0" * 64
WORDS = ["", " ", "a-17", "AMY", "OTH", "no\nwhere", "x" * 400, "\u202e", "on", "valid",
         "tidewire", "open-waters", "storm", "approve", "reject", NEITHER, "0" * 64]  # fmt: skip
NUMBERS = [0, 1, 2, 5, NOON_S, NOON_S + DAY_S, NOON_S + 99 * DAY_S, 2**40, 10**15, -1]
ODDS = [None, [], 0.5, -3.5, 1e300, True, {}]


def council():
    """A log in which much is under way, with one document of each kind that it holds."""
    log = MadeLog()
    region = log.region(needs_licence=True)
    hidden = log.region("hidden", 0.5, publish_by_s=log.now_s + 20 * DAY_S)
    log.decide("activate", region, "on", licence=made_licence())
    log.agreement(region, exceptions=("storm",))
    log.request("r-1")
    log.decide("restrict", hidden, "limited", request_ids=("r-1",), agreements=("a-17",))
    log.propose("exclude", region, "cut")
    new = log.agreement_record(region, version=2)
    log.propose("amend_agreement", None, "less", agreement_id="a-17", agreements=("a-17",),
                replaces_by=log.put(new.encode()))  # fmt: skip
    charter = log.charter.model_copy(update={"version": 2})
    log.propose("amend_charter", None, "renewal", replaces_by=log.put(charter.encode()))
    return log


def altered(content, rng):
    """A copy of plain values with one of its leaves another."""
    if isinstance(content, dict) and content and rng.random() < 0.95:
        name = rng.choice(sorted(content))
        return content | {name: altered(content[name], rng)}
    if isinstance(content, list) and content and rng.random() < 0.8:
        n = rng.randrange(len(content))
        return [altered(each, rng) if k == n else each for k, each in enumerate(content)]
    return rng.choice(rng.choices([WORDS, NUMBERS, ODDS], [5, 5, 1])[0])


def hostile(log, rng):
    """A document of the log with some leaves changed, in its one spelling where there is one."""
    _, envelope = rng.choice(log.signed[1:])
    content = json.loads(envelope.payload)
    for _ in range(rng.choice([1, 1, 2, 3])):
        content = altered(content, rng)
    try:
        payload = DOCUMENTS[envelope.payload_type].model_validate_json(canonical(content)).encode()
    except (pydantic.ValidationError, ValueError):
        payload = canonical(content)
    return envelope.payload_type, payload


def test_no_document_that_keys_sign_stops_a_reader_or_the_twin(full_counts):
    """One signer must not take everybody's policy away with an odd number."""
    rng = random.Random(17)
    log = council()
    names = [each.person for each in log.charter.keys]
    rounds, each_round = (1_000, 10) if full_counts else (25, 10)
    accepted = 0
    for _ in range(rounds):
        kept, times = list(log.signed), log.now_s
        before = len(log.authority().ignored)
        for _ in range(each_round):
            kind, payload = hostile(log, rng)
            signed_by = rng.sample(names, rng.choice([1, 1, 2, 10]))
            log.append_envelope(sign_envelope(kind, payload, [key(name) for name in signed_by]))
        log.witness()
        for now_s in (log.now_s, log.now_s + 30 * DAY_S, log.now_s + 5000 * DAY_S):
            authority = replay(log.entries(), log.objects, now_s=now_s)
            snapshot_of(authority, log_origin="o", log_root="ab", salt=SALT)
            assert all("\n" not in each.why for each in authority.ignored)
        accepted += each_round - (len(authority.ignored) - before)
        log.signed, log.now_s = kept, times
        log.witnessed.pop()
    assert 0 < accepted < rounds * each_round
