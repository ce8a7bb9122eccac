"""A shell as signers have it: a folder with a made-up log, key files, a fleet and a border."""

import copy
import json
import shutil

import pytest
from tests.support.kept_log import Kept
from tests.support.made_charter import key
from typer.testing import CliRunner

from skyweave.cli.app import app
from skyweave.control.book import BookWriter
from skyweave.control.parcel import read_parcel
from skyweave.control.signing.keys import save_private_key
from skyweave.control.times import utc
from skyweave.errors import SkyweaveError

SIGNERS = (
    "tidewire-1", "tidewire-2", "amity-office-1", "harbour-hospitals-1", "island-relief-1",
    "open-waters-1",
)  # fmt: skip
# Inside the made-up region's box: 30 homes, so that some counts are published.
FLEET = "\n".join(
    ["id,lat_deg,lon_deg,service_class,account,sponsor,kit",
     "clinic,38.60,-28.30,priority,clinic,relief,KIT-C"]
    + [f"home-{n},{38.4 + n / 100:.2f},-28.3,standard,homes,,KIT-{n}" for n in range(30)]
)  # fmt: skip
BORDER = {
    "type": "Polygon",
    "coordinates": [[[-40.0, 30.0], [-39.0, 30.0], [-39.0, 31.0], [-40.0, 31.0], [-40.0, 30.0]]],
}


def copied(master, place, monkeypatch):
    """The same shell in a folder of its own, where commands run from then on."""
    shutil.copytree(master.place, place, dirs_exist_ok=True)
    monkeypatch.chdir(place)
    log, own = copy.copy(master.log), copy.copy(master)
    for name, value in vars(log).items():
        if isinstance(value, (dict, list)):
            setattr(log, name, value.copy())
    log.folder, own.place, own.log = place / "LOG", place, log
    return own


class Shell:
    """Runs commands in its folder; the log in it is written and witnessed by `log.keep`, `see`."""

    def __init__(self, place):
        self.place = place
        for name in (*SIGNERS, "log"):
            save_private_key(place / f"{name}.key", key(name))
        (place / "fleet.csv").write_text(FLEET)
        (place / "border.geojson").write_text(json.dumps(BORDER))
        self.log = Kept(place / "LOG")
        self.region = self.log.region()
        self.keep()

    def keep(self):
        """Let the keeper append what was signed, and two witnesses see it."""
        self.log.keep()
        self.log.see()

    @property
    def now(self):
        """The log's time, as --now takes it."""
        return utc(self.log.now_s)

    def says(self, *words, code=0):
        """Run a command and return what it prints."""
        found = self._run(words)
        assert found.exit_code == code, found.output
        return found.stdout

    def answer(self, *words):
        """Run a command with --json and return the document."""
        return json.loads(self.says(*words, "--json"))

    def refusal(self, *words):
        """Run a command that is refused and return the one line that it is refused with."""
        with pytest.raises(SkyweaveError) as refused:
            self._run(words)
        assert "\n" not in str(refused.value)
        return str(refused.value)

    def signed(self, *words, by, out="out.parcel"):
        """Run a command that signs at the log's time and return the parcel that it wrote."""
        self.says(*words, "--key", f"{by}.key", "--out", out, "--now", self.now)
        return read_parcel(self.place / out)

    def append(self, *parcels):
        """Let the keeper append parcels, and two witnesses see them."""
        log = self.log
        with BookWriter(log.folder, key("log")) as writer:
            for parcel in parcels:
                held = read_parcel(self.place / parcel)
                writer.append([held.envelope], held.objects, held.private, log.now_s)
                log.objects |= held.objects
                log.append_envelope(held.envelope)
            for number in (0, 1):
                writer.cosign(log.carrier(number), f"w{number}")
        log.written = len(log.signed)

    def _run(self, words):
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)
