"""Ed25519 keys, DSSE envelopes and C2SP signed notes."""

from skyweave.control.signing.dsse import Envelope, parse_envelope, sign_envelope, signers
from skyweave.control.signing.keys import (
    PrivateKey,
    PublicKey,
    generate_key,
    load_private_key,
    save_private_key,
)
from skyweave.control.signing.notes import Note, VerifierKey, parse_note, parse_verifier_key

__all__ = [
    "Envelope",
    "Note",
    "PrivateKey",
    "PublicKey",
    "VerifierKey",
    "generate_key",
    "load_private_key",
    "parse_envelope",
    "parse_note",
    "parse_verifier_key",
    "save_private_key",
    "sign_envelope",
    "signers",
]
