"""A made-up charter with its people and keys, and a log of it in memory, for everybody's tests.

    log = MadeLog()                              # five organisations of two people, three witnesses
    region = log.region("port-amity")            # a region over an invented sea, logged and known
    proposal = log.propose("activate", region)   # by TIDEWIRE's second person
    log.approve(proposal, *log.voters("activate"))
    log.witness()                                # a quorum of witnesses has seen all entries
    authority = log.authority()                  # replay of all that, now

`log.decide("suspend", region, until_s=...)` is propose, approve and witness in one.  Every method
takes `by=` (names of keys) where somebody signs, and `at_s=` where it happens at another time than
`log.now_s`; the clock moves a minute with each entry, and by `log.wait(seconds)`.

A person is called "ORGANISATION-N"; so is their key.  All organisations and places are invented.
Keys follow from their names, so two runs make the same bytes.
"""

import dataclasses
import functools
import hashlib

from skyweave.control.domain import documents
from skyweave.control.domain.documents import (
    DAY_S,
    AgreementRecord,
    Approval,
    Charter,
    Directive,
    DirectiveKind,
    FloorRecord,
    KeyRecord,
    LicenceRecord,
    Need,
    Organisation,
    Proposal,
    RegionRecord,
    RoleRecord,
    Route,
    digest_of,
)
from skyweave.control.domain.entries import LoggedEntry, WitnessClock
from skyweave.control.domain.geometry import geometry_of
from skyweave.control.domain.impact_public import PublicImpact
from skyweave.control.signing.dsse import sign_envelope
from skyweave.control.signing.keys import private_key_from_seed
from skyweave.control.signing.notes import COSIGNATURE, LOG_SIGNATURE, VerifierKey
from skyweave.policy.regions import region_from_geojson

ORIGIN = "made.example/log"
NOON_S = 1_795_348_800  # 2026-11-22 12:00 UTC
HOUR_S = 3600
SALT = "5a" * 16
ADMINISTRATION = "AMY"  # of the invented Port Amity

OPERATOR = "tidewire"
AUTHORITY = "amity-office"
HOSPITALS = "harbour-hospitals"
RELIEF = "island-relief"
PRESS = "open-waters"
FIVE = (OPERATOR, AUTHORITY, HOSPITALS, RELIEF, PRESS)


@functools.cache
def key(name):
    """The private key of a person, a log or a witness: it follows from the name."""
    return private_key_from_seed(hashlib.sha256(b"made " + name.encode()).digest())


def key_id(name):
    """What the key of a name is called."""
    return key(name).public.key_id


def person(organisation, number):
    """The name of a person, and of their key."""
    return f"{organisation}-{number}"


def people_of(organisations, people):
    """The names of all people: `people` of each organisation."""
    return [person(each, n) for each in organisations for n in range(1, people + 1)]


def log_verifier():
    """What verifies checkpoints of the log."""
    return VerifierKey(ORIGIN, LOG_SIGNATURE, key("log").public)


def trust_text(witnesses=3, threshold=2):
    """The trust policy: the log, its witnesses and how many of them it takes."""
    lines = [f"log {log_verifier().text}"]
    for n in range(witnesses):
        name = f"witness.example/{n}"
        verifier = VerifierKey(name, COSIGNATURE, key(name).public)
        lines.append(f"witness w{n} {verifier.text}")
    names = " ".join(f"w{n}" for n in range(witnesses))
    return "\n".join([*lines, f"group seen {threshold} {names}", "quorum seen", ""])


def key_record(name, organisation, **changes):
    """Whose key it is."""
    fields = {
        "public": key(name).public.text,
        "person": name,
        "organisation": organisation,
        "office": "Duty officer",
        "mandate": "Resolution of the board",
        "not_before_s": NOON_S - DAY_S,
        "not_after_s": NOON_S + 4 * 366 * DAY_S,
    }
    return KeyRecord(**(fields | changes))


def made_routes(people=3, organisations=2):
    """One route for each kind, named as it is; `people` of `organisations` for reductions."""
    several = (Need(role="council", people=people, organisations=organisations),)
    two = (Need(role="council", people=2, organisations=2),)
    authority = (Need(role="authority", people=1),)
    public = {"needs_instrument": True, "needs_publication": True}
    three_days = {"notice_s": 3 * DAY_S}
    kinds = {
        "activate": {"needs": two, "authority_needs": authority},
        "resume": {"needs": two},
        "emergency_activate": {
            "needs": two, "max_duration_s": 3 * DAY_S, "needs_emergency": True,
        },
        "suspend": {"needs": several, "max_duration_s": 30 * DAY_S, **three_days},
        "emergency_suspend": {
            "needs": two, "max_duration_s": DAY_S, "cooldown_s": 30 * DAY_S,
        },
        "restrict": {"needs": several, "max_duration_s": 30 * DAY_S, **three_days},
        "exclude": {"needs": several, "max_duration_s": 180 * DAY_S, **three_days, **public},
        "lift_guarantee": {"needs": several, "max_duration_s": 30 * DAY_S},
        "decided_not_to": {"needs": two},
        "amend_charter": {
            "needs": (Need(role="root", people=3, organisations=3),), "notice_s": 14 * DAY_S,
        },
        "amend_region": {"needs": several, **three_days},
        "amend_licence": {"needs": several, **three_days, **public},
        "amend_agreement": {"needs": two},
    }  # fmt: skip
    order = Route(
        route="order-of-authority",
        kind=DirectiveKind.SUSPEND,
        needs=(Need(role="authority", people=2),),
        max_duration_s=30 * DAY_S,
        needs_appeal=True,
        **three_days,
        **public,
    )
    routes = [Route(route=kind, kind=DirectiveKind(kind), **rest) for kind, rest in kinds.items()]
    return (*routes, order)


def made_charter(organisations=FIVE, people=2, **changes):
    """A charter of organisations with `people` each; any field of `Charter` can be changed."""
    names = people_of(organisations, people)
    of_operator = [key_id(person(organisations[0], n)) for n in range(1, people + 1)]
    of_authority = [key_id(person(organisations[1], n)) for n in range(1, people + 1)]
    everyone = tuple(map(key_id, names))
    fields = {
        "version": 1,
        "name": "The Port Amity council",
        "template": "made-up",
        "created_s": NOON_S,
        "expires_s": NOON_S + 3 * 366 * DAY_S,
        "trust": trust_text(),
        "salt_digest": digest_of(bytes.fromhex(SALT)),
        "organisations": tuple(
            Organisation(organisation=each, name=each.title()) for each in organisations
        ),
        "keys": tuple(key_record(name, name.rsplit("-", 1)[0]) for name in names),
        "roles": (
            RoleRecord(role="root", key_ids=everyone),
            RoleRecord(role="council", key_ids=everyone),
            RoleRecord(role="operator", key_ids=tuple(of_operator)),
            RoleRecord(role=f"authority:{ADMINISTRATION}", key_ids=tuple(of_authority)),
        ),
        "routes": made_routes(),
        "root": Need(role="root", people=3, organisations=3),
        "agreement_needs": (Need(role="operator", people=1),),
    }
    return Charter(**(fields | changes))


@functools.cache
def made_region(name="port-amity", column=0, row=0):
    """A region and its geometry: a box of 1 by 0.6 deg in the Atlantic, moved by whole boxes."""
    west, south = -28.8 + 1.0 * column, 38.3 + 0.6 * row
    east, north = west + 1.0, south + 0.6
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    border = {"type": "Polygon", "coordinates": [ring]}
    return geometry_of(region_from_geojson(border, name), border)


def made_licence(**changes):
    """A licence of the invented administration that holds for years."""
    fields = {
        "administration": ADMINISTRATION,
        "instrument": "Port Amity Gazette 12",
        "status": "valid",
        "from_s": NOON_S - DAY_S,
        "until_s": NOON_S + 2 * 366 * DAY_S,
    }
    return LicenceRecord(**(fields | changes))


def made_impact(directive, **changes):
    """The published report of a directive that touches nobody."""
    fields = {
        "directive": directive.digest, "does": directive.does, "region_id": directive.region_id,
        "is_protected": False, "at_s": directive.from_s, "until_s": directive.until_s,
        "log_size": 1, "log_root": "made", "terminals": {}, "by_service_class": {},
        "by_sponsor": {}, "by_reason": {}, "unguaranteed": 0, "accounts_cut_off": 0, "moving": 0,
        "unplaced": 0, "cells": {}, "people": {}, "border": None, "agreements": (),
        "request_ids": (), "exact": None,
    }  # fmt: skip
    return PublicImpact(**(fields | changes)).encode()


_TEXTS = {
    "instrument": "Port Amity Gazette 14",
    "publication": "https://gazette.example/14",
    "appeal": "Court of Port Amity",
    "emergency": "Storm of 22 November",
}
_DAYS = {
    "emergency_activate": 3, "suspend": 20, "emergency_suspend": 1, "restrict": 20,
    "exclude": 100, "lift_guarantee": 20,
}  # fmt: skip


class MadeLog:
    """An authority's log in memory: signs documents, logs them, has them witnessed."""

    def __init__(self, charter=None, *, now_s=NOON_S, genesis_by=None):
        self.charter = made_charter() if charter is None else charter
        self.now_s = now_s
        self.objects = {}
        self.signed = []  # (logged_s, envelope)
        self.witnessed = []  # (size, time_s)
        self.names = {}
        for each in self.charter.keys:
            self.know(each.person)
        firsts = {each.organisation: each.person for each in reversed(self.charter.keys)}
        self.append(self.charter, by=genesis_by or list(firsts.values())[::-1])

    def know(self, name):
        """Let a person's key be found by its id."""
        self.names[key_id(name)] = name

    # Entries

    def wait(self, seconds):
        """Let time go by."""
        self.now_s += seconds

    def put(self, content):
        """Publish an object; returns its digest."""
        digest = digest_of(content)
        self.objects[digest] = content
        return digest

    def sign(self, document, by):
        """The envelope of a document, signed by the keys of these names."""
        by = [by] if isinstance(by, str) else by
        return sign_envelope(document.payload_type(), document.encode(), [key(n) for n in by])

    def append(self, document, by, at_s=None):
        """Log a document signed by these people, whatever the rules say; returns its index."""
        return self.append_envelope(self.sign(document, by), at_s)

    def append_envelope(self, envelope, at_s=None):
        """Log an envelope as it is; returns its index."""
        if at_s is None:
            at_s = self.now_s
            self.now_s += 60
        else:
            self.now_s = max(self.now_s, at_s)
        self.signed.append((at_s, envelope))
        return len(self.signed) - 1

    def witness(self, at_s=None):
        """A quorum of witnesses sees all that is logged."""
        if at_s is None:
            at_s = self.now_s
            self.now_s += 60
        self.witnessed.append((len(self.signed), at_s))

    def entries(self):
        """The log's entries, each with when it was witnessed."""
        clock = WitnessClock(self.witnessed)
        return tuple(
            LoggedEntry(n, logged_s, envelope, clock.seen_s(n))
            for n, (logged_s, envelope) in enumerate(self.signed)
        )

    def authority(self, now_s=None):
        """What follows from the log at a time, now where none is given."""
        from skyweave.control.domain.replay import replay

        return replay(self.entries(), self.objects, now_s=self.now_s if now_s is None else now_s)

    def check(self, document, by, at_s=None):
        """Refuse, as the writer of a log does, what would have no effect."""
        from skyweave.control.domain.replay import check_next

        at_s = self.now_s if at_s is None else at_s
        check_next(self.authority(), self.sign(document, by), at_s, self.objects)

    # Documents

    def region(self, region_id="port-amity", column=0, row=0, *, by="tidewire-1", **changes):
        """Log version 1 of a region and publish its geometry; returns its record."""
        record = self.region_record(region_id, column, row, **changes)
        self.append(record, by)
        return record

    def region_record(self, region_id="port-amity", column=0, row=0, **changes):
        """The record of a region whose geometry is published here."""
        geometry = made_region("made", column, row)
        fields = {
            "region_id": region_id,
            "version": 1,
            "title": region_id.title(),
            "digest_of_region": geometry.digest_of_region,
            "geometry": self.put(geometry.encode()),
            "cells": int(geometry.cells.size),
            "needs_licence": False,
        }
        return RegionRecord(**(fields | changes))

    def agreement(self, region, agreement_id="a-17", *, by=None, **changes):
        """Log an agreement between hospitals and operator over a region; returns its record."""
        record = self.agreement_record(region, agreement_id, **changes)
        self.append(record, by or [person(each, 1) for each in record.parties])
        return record

    def agreement_record(self, region, agreement_id="a-17", **changes):
        """An agreement, of everyone in a region where no terminal is named."""
        regions = region if isinstance(region, (list, tuple)) else [region]
        fields = {
            "agreement_id": agreement_id,
            "title": "Hospitals of the harbour stay on",
            "parties": (self.charter.organisations[2].organisation,
                        self.charter.organisations[0].organisation),
            "people": 2,
            "organisations": 2,
            "region_ids": tuple(each.region_id for each in regions),
            "floor": FloorRecord(down_bps=5_000_000, up_bps=1_000_000),
            "from_s": NOON_S,
            "until_s": NOON_S + 366 * DAY_S,
            "notice_s": 30 * DAY_S,
        }  # fmt: skip
        return AgreementRecord(**(fields | changes))

    def request(self, request_id="r-1", *, by="tidewire-1", **changes):
        """Log a request from outside; returns its document."""
        fields = {
            "request_id": request_id,
            "received_s": self.now_s,
            "asked_by": "A minister's office",
            "asked_by_kind": "state",
            "channel": "telephone",
            "pressure": "the frequency fee would double",
            "summary": "Never switch Port Amity on",
            "text": self.put(b"Do not switch it on."),
        }
        request = documents.Request(**(fields | changes))
        self.append(request, by)
        return request

    def directive(self, does, region=None, directive_id=None, **changes):
        """A directive of a kind that keeps the rules; any of its fields can be changed."""
        does = DirectiveKind(does)
        days = _DAYS.get(does.value)
        fields = {
            "directive_id": directive_id or f"d-{len(self.signed)}",
            "does": does,
            "route": does.value,
            "charter": self.charter.digest,
            "owner": self.charter.organisations[0].organisation,
            "reason": "Decided by the council",
            "from_s": self.now_s,
            "until_s": None if days is None else self.now_s + days * DAY_S,
            "approvals_until_s": self.now_s + 10 * DAY_S,
        }
        if region is not None:
            fields |= {"region_id": region.region_id, "region": region.digest}
        route_name = changes.get("route", fields["route"])
        route = next((r for r in self.charter.routes if r.route == route_name), None)
        for name, text in _TEXTS.items():
            if route is not None and getattr(route, f"needs_{name}"):
                fields[name] = text
        if route is not None and any(n.role == "authority" for n in self.needs(route, region)):
            fields["administration"] = ADMINISTRATION
        if does is DirectiveKind.RESTRICT:
            fields["max_down_bps"] = 1_000_000
        directive = Directive(**(fields | changes))
        if "agreements" in changes or region is None:
            return directive
        return directive.model_copy(update={"agreements": self.agreements_met(directive)})

    def agreements_met(self, directive):
        """The agreements that a directive touches, as it must list them."""
        from skyweave.control.domain.replay import agreements_met

        kind = AgreementRecord.payload_type()
        if all(envelope.payload_type != kind for _, envelope in self.signed):
            return ()
        return agreements_met(self.authority(), directive)

    def proposal(self, does, region=None, directive_id=None, *, impact=None, **changes):
        """What is voted on: a directive and, where cells change, a made-up impact report."""
        directive = self.directive(does, region, directive_id, **changes)
        if impact is None and directive.does.changes_service:
            impact = self.put(made_impact(directive))
        return Proposal(directive=directive, impact=impact)

    def propose(self, does, region=None, directive_id=None, *, by="tidewire-2", **changes):
        """Log a proposal; returns it."""
        proposal = self.proposal(does, region, directive_id, **changes)
        self.append(proposal, by)
        return proposal

    def ballot(self, proposal, decision="approve", **changes):
        """A vote on a proposal that keeps the rules."""
        fields = {
            "directive_id": proposal.directive.directive_id,
            "question": proposal.question,
            "charter_version": self.charter.version,
            "decision": decision,
            "signed_s": self.now_s,
            "expires_s": self.now_s + 30 * DAY_S,
        }
        return Approval(**(fields | changes))

    def vote(self, proposal, by, decision="approve", **changes):
        """Log one person's vote; returns its index."""
        return self.append(self.ballot(proposal, decision, **changes), by)

    def approve(self, proposal, *by):
        """Log an approval of each of these people; returns the index of the last."""
        return [self.vote(proposal, name) for name in by][-1]

    def needs(self, route, region):
        """The needs of a route for a region."""
        is_licensed = region is not None and region.needs_licence
        return (*route.needs, *(route.authority_needs if is_licensed else ()))

    def voters(self, route_name, region=None, proposer="tidewire-2"):
        """People enough for a route, none of them the proposer."""
        route = next(r for r in self.charter.routes if r.route == route_name)
        firsts = [person(each.organisation, 1) for each in self.charter.organisations]
        found = []
        for need in self.needs(route, region):
            if need.role == "authority":
                names = [person(self.charter.organisations[1].organisation, n) for n in (1, 2)]
            else:
                ids = {i for r in self.charter.roles if r.role == need.role for i in r.key_ids}
                names = [n for n in firsts if key_id(n) in ids]
            enough = [n for n in names if n != proposer][: need.people]
            found += [n for n in enough if n not in found]
        return found

    def decide(self, does, region=None, directive_id=None, *, by="tidewire-2", voters=None,
               witness=True, **changes):  # fmt: skip
        """Propose, approve by enough people and have it witnessed; returns the proposal."""
        proposal = self.propose(does, region, directive_id, by=by, **changes)
        self.approve(proposal, *(voters or self.voters(proposal.directive.route, region, by)))
        if witness:
            self.witness()
        return proposal


def with_signatures(envelope, other):
    """An envelope with the signatures of another over the same document added."""
    return dataclasses.replace(envelope, signatures=envelope.signatures + other.signatures)
