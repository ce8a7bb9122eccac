"""Whatever arrives as a note, receipt, request, policy, entry or parcel: an answer or one line."""

import random
import resource
import time

import pytest
from tests.support.made_charter import MadeLog
from tests.support.made_log import LOG_KEY, LOG_VERIFIER, make_log, policy_text, witness

from skyweave.control.domain.documents import DOCUMENTS, parse_document
from skyweave.control.domain.entries import encode_entry, parse_entry
from skyweave.control.log import LogFolder, parse_policy, parse_receipt, prove
from skyweave.control.log.checkpoint import parse_checkpoint
from skyweave.control.log.tiles import decode_bundle, encode_bundle
from skyweave.control.log.trust import verify_checkpoint
from skyweave.control.log.witness import parse_request, request_body
from skyweave.control.parcel import Parcel, parse_parcel
from skyweave.control.signing.dsse import parse_envelope, sign_envelope
from skyweave.control.signing.notes import parse_note, parse_verifier_key
from skyweave.errors import InputError

MEMORY_GROWTH_KIB = 200 * 1024
SLOWEST_S = 2.0  # of one input on a busy machine; they take microseconds
PIECES = [
    b"\n", b"\n\n", b" ", b"+", b"=", b"0", b"-1", b"99999999999999999999", b"\x00", b"\xff",
    "— ".encode(), b"\xc2\xa0", b"\xe2\x80\xa8", b"old 5\n", b"index 0\n", b"extra ",
    b"quorum none\n", b'{"', b"[[[[", b"\\ud800",
    b"A" * 43 + b"=\n", b"\xef\xbc\x95", b"\x7f", b"1e999", b"nan",
]  # fmt: skip


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """Each reader with a good input."""
    folder = tmp_path_factory.mktemp("fuzz")
    witnesses = [witness(folder, n) for n in range(3)]
    policy = make_log(folder / "log", [b"%d" % n for n in range(20)], witnesses)
    log = LogFolder(folder / "log")
    note, receipt = log.checkpoint(), prove(log, 7)

    def verified(content):
        return verify_checkpoint(content, policy)

    def key(content):
        return parse_verifier_key(content.decode("latin-1"))

    def bundle(content):
        return decode_bundle(content, "bundle")

    def entry(content):
        return parse_entry(content, "entry")

    return [
        *documents(),
        (entry, encode_entry(1_795_348_800, sign_envelope("t", b"payload", [LOG_KEY]))),
        (parse_parcel, a_parcel()),
        (parse_note, note),
        (parse_checkpoint, note),
        (verified, note),
        (parse_receipt, receipt.encode()),
        (parse_request, request_body(7, receipt.proof, note)),
        (parse_policy, policy_text(witnesses, 2).encode()),
        (key, LOG_VERIFIER.text.encode()),
        (bundle, encode_bundle([b"one", b"", b"three"])),
        (parse_envelope, sign_envelope("t", b"payload", [LOG_KEY]).encode()),
    ]


def documents():
    """A reader of each kind of document that a made-up log holds, with one of them."""
    log = MadeLog()
    region = log.region()
    log.agreement(region)
    log.request()
    log.decide("activate", region)
    found = {envelope.payload_type: envelope.payload for _, envelope in log.signed}
    assert len(found) == 6
    for payload_type, payload in found.items():
        model = DOCUMENTS[payload_type]
        yield lambda content, model=model: parse_document(content, model, "document"), payload


def a_parcel():
    """A parcel with an object to publish and one to keep."""
    log = MadeLog()
    published, kept = log.put(b"published"), log.put(b"kept")
    envelope = sign_envelope("t", b"payload", [LOG_KEY])
    parcel = Parcel(envelope, {published: b"published"}, {kept: b"kept"})
    return parcel.encode()


def spoilt(good, rng):
    """A good input after a few random changes."""
    content = bytearray(good)
    for _ in range(rng.randint(1, 4)):
        place = rng.randint(0, len(content))
        kind = rng.randrange(5)
        if kind == 0:
            content[place : place + 1] = rng.randbytes(1)
        elif kind == 1:
            content[place:place] = rng.choice(PIECES)
        elif kind == 2:
            content[place : place + rng.randint(1, 30)] = b""
        elif kind == 3:
            content[place:place] = content[place : place + rng.randint(1, 200)]
        else:
            content = content[:place] + rng.randbytes(rng.randint(0, 50))
    return bytes(content)


def refusal(read, content):
    """What a reader says against an input, nothing where it accepts it."""
    try:
        read(content)
    except InputError as error:
        return str(error)
    return ""


def test_no_input_crashes_a_reader(samples, full_counts, record_figure):
    rng = random.Random(6)
    inputs = 200_000 if full_counts else 5_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    slowest_s = 0.0
    for number in range(inputs):
        read, good = samples[number % len(samples)]
        content = spoilt(good, rng)
        started_s = time.perf_counter()
        said = refusal(read, content)
        slowest_s = max(slowest_s, time.perf_counter() - started_s)
        assert "\n" not in said
        assert said == "" or 20 < len(said) < 400
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < MEMORY_GROWTH_KIB
    assert slowest_s < SLOWEST_S
    record_figure("log: spoilt notes, proofs, envelopes read without a crash", inputs, "", "200k")


def test_good_inputs_are_read(samples):
    for read, good in samples:
        assert read(good)
