"""A made-up log written into a folder at once, witnessed when it was in memory."""

from tests.support.kept_log import SALTS, named_by
from tests.support.made_charter import ORIGIN, key, log_verifier

from skyweave.control.book import BookWriter
from skyweave.control.log import Witness


def keep(log, folder, private=None):
    """Write a `MadeLog` with its salt into a new folder; return the folder."""
    (began_s, genesis), *rest = log.signed
    seen_s = dict(log.witnessed)
    BookWriter.create(folder, ORIGIN, key("log"), genesis, {}, SALTS, now_s=began_s)
    with BookWriter(folder, key("log")) as writer:
        for n, (logged_s, envelope) in enumerate(rest, 2):
            writer.append([envelope], named_by(envelope, log.objects), private or {}, logged_s)
            if n in seen_s:
                for number in (0, 1):
                    writer.cosign(_witness(folder, number, seen_s[n]), f"w{number}")
    return folder


def _witness(folder, number, now_s):
    name = f"witness.example/{number}"
    state = folder.with_name(f"{folder.name}-w{number}.json")
    made = Witness(name, key(name), {ORIGIN: [log_verifier()]}, state)
    return lambda request: made.add_checkpoint(request, now_s)
