"""A small authority to try things with: six people, a region switched on, a clinic's agreement,
and a suspension three days later.

    python examples/small_authority.py FOLDER

Everything in it is invented.  FOLDER/LOG is its log, which anyone can verify, and which a scenario
obeys by `[policy] log = "FOLDER/LOG"`.  Real keys have passphrases, and every person has their own.
"""

import json
import sys
import tempfile
from pathlib import Path

from skyweave.api import agreements, approvals, charters, directives, log, parties, regions
from skyweave.api.authority import LogSource
from skyweave.api.parcels import Signer
from skyweave.time import parse_utc

PEOPLE = {
    "ana": "tidewire", "ben": "tidewire", "cai": "port-office", "dee": "port-office",
    "eli": "clinics", "fay": "clinics",
}  # fmt: skip
WITNESSES = ("lighthouse", "university", "press")
NOON_S = int(parse_utc("2026-06-10T12:00:00Z").astype("datetime64[s]").astype(int))
BOX = [[-28.8, 38.3], [-27.8, 38.3], [-27.8, 38.9], [-28.8, 38.9], [-28.8, 38.3]]
BORDER = {"type": "Polygon", "coordinates": [BOX]}
FLEET = """id,lat_deg,lon_deg,service_class,account
clinic,38.60,-28.30,standard,clinics
school,38.62,-28.35,standard,town
"""
AGREEMENT = """
id = "clinic-stays-on"
title = "The clinic of Port Amity stays on"
parties = ["clinics", "tidewire"]
people = 2
organisations = 2
regions = ["port-amity"]
terminals = ["clinic"]
from = 2026-06-10T00:00:00Z
until = 2027-06-10T00:00:00Z
notice_days = 30
floor = { down_bps = 5000000, up_bps = 1000000 }
"""


class Authority:
    """Keys and a log in one folder; each step is logged and witnessed a minute after the last."""

    def __init__(self, place: Path) -> None:
        self.place, self.now_s = place, NOON_S
        self.folder, self.log = place / "LOG", LogSource(place / "LOG")
        place.mkdir(parents=True, exist_ok=True)
        keys = {
            name: log.log_key(place / f"{name}.key", f"{name}.example", witness=name != "log")
            for name in ("log", *WITNESSES)
        }
        for person, organisation in PEOPLE.items():
            owner = parties.Owner(person, organisation, "Duty officer", "Resolution of the board")
            parties.party_key(place / f"{person}.key", None)
            card = place / f"{person}.card"
            parties.party_card(self.signer(person), owner, card, now_s=NOON_S)
        answers = charters.Answers(
            "consortium",
            "Council of Port Amity",
            charters.read_cards([place / f"{person}.card" for person in PEOPLE]),
            "tidewire",
            keys["log"]["verifier"],
            [(name, keys[name]["verifier"]) for name in WITNESSES],
        )
        charters.charter_init(place / "charter", answers, now_s=NOON_S)
        for person in PEOPLE:
            charters.charter_sign(place / "charter", self.signer(person))
        log.log_init(self.folder, place / "charter", self.signer("log"), now_s=NOON_S)
        self.append()

    def signer(self, name: str) -> Signer:
        return Signer(self.place / f"{name}.key")

    def append(self, *parcels: Path) -> None:
        """Log parcels and have all witnesses see them."""
        self.now_s += 60
        seen = [
            log.AskedWitness(f"{self.place / name}.key:{self.place / name}.json")
            for name in WITNESSES
        ]
        log.log_append(self.folder, parcels, self.signer("log"), witnesses=seen, now_s=self.now_s)

    def draw(self, region_id: str, title: str) -> None:
        """Put a region on the map; that alone decides nothing."""
        border, out = self.place / "border.json", self.place / "region.parcel"
        border.write_text(json.dumps(BORDER), encoding="utf-8")
        draft = regions.RegionDraft(region_id, title, needs_licence=False)
        regions.make_region(border, draft, self.signer("cai"), out, now_s=self.now_s)
        self.append(out)

    def agree(self, text: str) -> None:
        """Have the agreement of a draft signed by its parties."""
        draft, out = self.place / "agreement.toml", self.place / "agreement.parcel"
        draft.write_text(text, encoding="utf-8")
        for person in ("ana", "ben", "eli", "fay"):
            agreements.agreement_to_sign(draft, out, log=self.log).sign(self.signer(person))
        self.append(out)

    def decide(self, **draft: object) -> None:
        """Propose a directive and have all others approve it."""
        name = str(draft["id"])
        out = self.place / f"{name}.parcel"
        found = directives.draft_of(None, draft)
        fleet = self.place / "fleet.csv"
        fleet.write_text(FLEET, encoding="utf-8")
        directives.propose(
            self.log, found, self.signer("cai"), out, terminals=fleet, now_s=self.now_s
        )
        self.append(out)
        for person in ("ana", "ben", "dee", "eli", "fay"):
            vote = self.place / f"{name}-{person}.parcel"
            ballot = approvals.ballot(self.log, name, vote, now_s=self.now_s)
            signed = ballot.sign(self.signer(person), "approve", 7, vote)
            self.append(vote)
            if not signed["missing"]:
                return


def main(place: Path) -> None:
    authority = Authority(place)
    authority.draw("port-amity", "Port Amity")
    authority.decide(
        id="switch-on", kind="activate", region="port-amity", reason="The harbour asks"
    )
    authority.agree(AGREEMENT)
    authority.decide(id="pause", kind="suspend", region="port-amity", reason="Cable works", days=10)
    found = log.log_verify(authority.folder, now_s=authority.now_s)
    assert found["genesis"].startswith("sha256:")
    assert not found.get("ignored")
    print(f"{authority.folder}: {found['size']} entries")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            main(Path(folder) / "amity")
