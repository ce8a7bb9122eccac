"""A made-up authority's log in a folder, as its keeper has it, with its witnesses beside it."""

from tests.support.made_charter import NOON_S, ORIGIN, SALT, MadeLog, key, log_verifier

from skyweave.control.book import BookWriter
from skyweave.control.domain.documents import digest_of
from skyweave.control.log import Witness
from skyweave.control.objects import document_of, named_objects

SALTS = {digest_of(bytes.fromhex(SALT)): bytes.fromhex(SALT)}


class Kept(MadeLog):
    """A made-up log whose entries stand in a folder, too."""

    def __init__(self, folder, charter=None):
        super().__init__(charter)
        self.folder = folder
        genesis = self.signed[0][1]
        BookWriter.create(folder, ORIGIN, key("log"), genesis, {}, SALTS, now_s=NOON_S)
        self.written = 1

    def keep(self, private=None, now_s=None):
        """Append what was signed since, as the keeper would."""
        envelopes = [envelope for _, envelope in self.signed[self.written :]]
        with BookWriter(self.folder, key("log")) as writer:
            for envelope in envelopes:
                named = named_by(envelope, self.objects)
                writer.append([envelope], named, private or {}, now_s or self.now_s)
        self.written = len(self.signed)

    def see(self, numbers=(0, 1), now_s=None):
        """Have witnesses see the log."""
        with BookWriter(self.folder, key("log")) as writer:
            for number in numbers:
                writer.cosign(self.carrier(number, now_s), f"w{number}")

    def carrier(self, number, now_s=None):
        name = f"witness.example/{number}"
        state = self.folder.with_name(f"{self.folder.name}-w{number}.json")
        made = Witness(name, key(name), {ORIGIN: [log_verifier()]}, state)
        return lambda request: made.add_checkpoint(request, now_s or self.now_s)


def named_by(envelope, objects):
    """The objects that a document names, of those that are there."""
    named = named_objects(document_of(envelope, "entry"), objects)
    return {each.digest: objects[each.digest] for each in named if each.digest in objects}
