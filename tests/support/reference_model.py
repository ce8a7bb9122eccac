"""A second opinion on an authority's log, counted by brute force from its raw entries.

Written from the rules and sharing no code with what it judges: it reads the JSON itself, checks
Ed25519 signatures with the library alone, and counts every vote of the log again for every
question.  It knows less than the real thing, on purpose: who has a vote, when a quorum was there,
what an agreement's parties consented to.  It does not know notices, blocks or timers.
"""

import base64
import functools
import hashlib
import hmac
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

TOLERANCE_S = 300  # between a signer's clock and the log's


@dataclass(frozen=True)
class Raw:
    """An entry as it stands in the log: times in s since 1970 UTC."""

    index: int
    logged_s: int
    kind: str
    document: dict
    signed: frozenset[str]  # public keys, base64, whose signatures hold
    witnessed_s: int | None


@functools.cache
def is_signed(public, signature, kind, payload):
    """Whether a key signed a payload of a type, as DSSE 1.0.2 has it."""
    message = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    try:
        Ed25519PublicKey.from_public_bytes(base64.b64decode(public)).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def sha256(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def spelled(content):
    """The one spelling of a value."""
    return json.dumps(
        content, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()  # fmt: skip


def key_id(public):
    return hashlib.sha256(base64.b64decode(public)).hexdigest()


class ReferenceModel:
    """The log up to now, counted again."""

    def __init__(self):
        self.entries = []
        self.keys = {}  # public keys by id, of every charter that was ever put forward
        self.revocations = []

    def add(self, logged_s, envelope, objects=()):
        """Take up one more entry of the log."""
        document = json.loads(envelope.payload)
        if envelope.payload_type.startswith("application/vnd.skyweave.charter."):
            self._learn(document)
        for content in dict(objects).values():
            if content.startswith(b"{") and b'"skyweave.charter.v1"' in content:
                self._learn(json.loads(content))
        signed = frozenset(
            self.keys[each.key_id]
            for each in envelope.signatures
            if each.key_id in self.keys
            and is_signed(
                self.keys[each.key_id], each.signature, envelope.payload_type, envelope.payload
            )
        )
        kind = envelope.payload_type.removeprefix("application/vnd.skyweave.").partition(".")[0]
        if not signed:
            kind, document = "", {}  # nobody says so
        raw = Raw(len(self.entries), logged_s, kind, document, signed, None)
        self.entries.append(raw)
        if kind == "revocation":
            self.revocations.append(raw)
        return raw

    def _learn(self, charter):
        self.keys |= {key_id(each["public"]): each["public"] for each in charter["keys"]}

    # Who there is

    @staticmethod
    def holders(charter, at_s, role=None, parties=None):
        """Whose public keys these are: (person, organisation), of a role or of some parties."""
        names = {key_id(k["public"]): k for k in charter["keys"]}
        if role is not None:
            listed = [r["key_ids"] for r in charter["roles"] if r["role"] == role]
            names = {i: names[i] for ids in listed for i in ids}
        return {
            k["public"]: (k["person"], k["organisation"])
            for k in names.values()
            if k["not_before_s"] <= at_s < k["not_after_s"]
            and (parties is None or k["organisation"] in parties)
        }

    def revoked(self, charter, before_entry, at_s):
        """The public keys that count no more at an entry: revoked by themselves or by the root."""
        gone = set()
        for raw in self.revocations:
            if raw.index >= before_entry:
                continue
            public = self.keys.get(raw.document["key_id"])
            root = charter["root"]
            holders = self.holders(charter, raw.logged_s, root["role"])
            signed = {holders[k] for k in raw.signed if k in holders and k not in gone}
            if public in raw.signed or enough(signed, root):
                gone.add(public)
        return gone

    # What was decided

    def approvers(self, proposed_at, charter, at_entry, holders):
        """Who of these holders has last said yes to just what an entry proposed, at a later one."""
        proposed = self.entries[proposed_at]
        at_s = self.entries[at_entry].logged_s
        owner = {k["public"]: k["person"] for k in charter["keys"]}
        proposers = {owner[k] for k in proposed.signed if k in owner}
        directive = proposed.document["directive"]
        question = sha256(spelled([sha256(spelled(directive)), proposed.document["impact"]]))
        gone = self.revoked(charter, at_entry, at_s)
        said = {}
        for raw in self.entries[proposed.index + 1 : at_entry + 1]:
            vote = raw.document
            if (
                raw.kind != "approval"
                or vote["directive_id"] != directive["directive_id"]
                or vote["question"] != question
                or vote["charter_version"] != charter["version"]
                # What counts for nothing when it is logged never counts.
                or vote["signed_s"] > raw.logged_s + TOLERANCE_S
                or vote["expires_s"] <= raw.logged_s
            ):
                continue
            for public in raw.signed & holders.keys() - gone:
                person = holders[public]
                recency = (
                    vote["signed_s"],
                    vote["decision"] == "reject",
                    vote["expires_s"],
                    key_id(public),
                )
                said[person] = max(said.get(person, ((),)), (recency, vote["decision"]))
        return {
            person
            for person, (recency, decision) in said.items()
            if decision == "approve" and recency[2] > at_s and person[0] not in proposers
        }

    def has_quorum(self, proposed_at, charter, at_entry, *, needs_licence=False, successor=None):
        """Whether every need of the directive's route is met at an entry."""
        at_s = self.entries[at_entry].logged_s
        directive = self.entries[proposed_at].document["directive"]
        route = next(r for r in charter["routes"] if r["route"] == directive["route"])
        needs = list(route["needs"])
        if needs_licence:
            needs += route["authority_needs"]
        administration = directive["administration"]
        asked = [(charter, need) for need in needs]
        if successor is not None:
            asked += [(charter, charter["root"]), (successor, successor["root"])]
        for rules, need in asked:
            role = need["role"]
            role = f"authority:{administration}" if role == "authority" else role
            holders = self.holders(rules, at_s, role)
            if not enough(self.approvers(proposed_at, charter, at_entry, holders), need):
                return False
        return True

    # What was agreed

    def is_agreed(self, raw, charter):
        """Whether an agreement bears the signatures that make it one."""
        record = raw.document
        gone = self.revoked(charter, raw.index, raw.logged_s)
        holders = self.holders(charter, raw.logged_s, parties=record["parties"])
        signed = {holders[k] for k in raw.signed - gone if k in holders}
        beside = all(
            enough(
                {
                    held[k]
                    for held in [self.holders(charter, raw.logged_s, need["role"])]
                    for k in raw.signed - gone
                    if k in held
                },
                need,
            )
            for need in charter["agreement_needs"]
        )
        return (
            beside
            and {organisation for _, organisation in signed} == set(record["parties"])
            and enough(signed, record)
        )

    def agreements(self, charters, at_s):
        """The first versions of the agreements in force; `charters` are (from when, charter)."""
        found = {}
        for raw in self.entries:
            if raw.kind == "agreement" and raw.document["agreement_id"] not in found:
                charter = [c for from_s, c in charters if from_s <= raw.logged_s][-1]
                if raw.logged_s < charter["expires_s"] and self.is_agreed(raw, charter):
                    found[raw.document["agreement_id"]] = raw
        return [
            raw
            for raw in found.values()
            if max(raw.document["from_s"], raw.logged_s) <= at_s < raw.document["until_s"]
        ]

    def has_consent(self, proposed_at, record, charter, at_entry):
        """Whether an agreement's own quorum said yes to just what an entry proposed."""
        at_s = self.entries[at_entry].logged_s
        holders = self.holders(charter, at_s, parties=record["parties"])
        return enough(self.approvers(proposed_at, charter, at_entry, holders), record)


def enough(people, need):
    """Whether these (person, organisation) are as many as a need asks."""
    return (
        len({person for person, _ in people}) >= need["people"]
        and len({organisation for _, organisation in people}) >= need["organisations"]
    )


def covers(record, salt, terminal_id, account_id):
    """Whether an agreement names a terminal or its account, or nobody and so everybody."""
    if not record["terminal_hashes"] and not record["account_hashes"]:
        return True

    def hashed(what, name):
        text = f"{what}\0{name}".encode()
        return hmac.new(bytes.fromhex(salt), text, hashlib.sha256).hexdigest()

    return (
        hashed("terminal", terminal_id) in record["terminal_hashes"]
        or hashed("account", account_id) in record["account_hashes"]
    )
