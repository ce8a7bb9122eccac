"""A small log with its keys and five witnesses, for the tests of the control plane."""

from skyweave.control.log import LogFolder, LogWriter, Witness, ask_witness, create_log
from skyweave.control.log.trust import parse_policy
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.control.signing.notes import LOG_SIGNATURE, VerifierKey

ORIGIN = "example.org/log"
LOG_KEY = private_key_from_seed(b"log" + bytes(29))
LOG_VERIFIER = VerifierKey(ORIGIN, LOG_SIGNATURE, LOG_KEY.public)
NOON_S = 1_780_000_000


def witness(folder, number):
    """Witness `number`, its state in `folder`."""
    key = private_key_from_seed(b"witness" + bytes([number]) + bytes(24))
    name = f"witness.example.org/{number}"
    return Witness(name, key, {ORIGIN: [LOG_VERIFIER]}, folder / f"witness-{number}.json")


def policy_text(witnesses, threshold):
    """A policy that wants `threshold` of the witnesses."""
    lines = [f"log {LOG_VERIFIER.text}"]
    lines += [f"witness w{n} {each.verifier.text}" for n, each in enumerate(witnesses)]
    names = " ".join(f"w{n}" for n in range(len(witnesses)))
    return "\n".join([*lines, f"group all-of-them {threshold} {names}", "quorum all-of-them", ""])


def make_log(folder, entries, witnesses=(), threshold=3, now_s=NOON_S):
    """A log of these entries, cosigned by the witnesses; returns its trust policy."""
    create_log(folder, ORIGIN, LOG_KEY)
    append(folder, entries)
    cosign(folder, witnesses, now_s)
    if not witnesses:
        return parse_policy(f"log {LOG_VERIFIER.text}\nquorum none\n".encode())
    return parse_policy(policy_text(witnesses, threshold).encode())


def append(folder, entries):
    """Append entries in one batch."""
    with LogWriter(folder, LOG_KEY) as log:
        for start in range(0, len(entries), 4096):
            log.append(entries[start : start + 4096])


def cosign(folder, witnesses, now_s=NOON_S):
    """Ask each witness and publish what it signed."""
    with LogWriter(folder, LOG_KEY) as log:
        for each in witnesses:

            def carry(request, each=each):
                return each.add_checkpoint(request, now_s)

            note, line = ask_witness(LogFolder(folder), each.verifier, carry)
            log.add_cosignatures(note, [line])
