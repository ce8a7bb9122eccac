"""The scene of the attacks: an island that is served, a hospital on it, and a council.

Whether an attack succeeds is asked of the last step alone: what the cell's decision says, from a
snapshot of what the log says.  All names are invented.
"""

from tests.support.made_charter import (
    ADMINISTRATION,
    DAY_S,
    HOUR_S,
    OPERATOR,
    ORIGIN,
    SALT,
    MadeLog,
    key,
    key_id,
    key_record,
    made_charter,
    made_licence,
)

from skyweave.control.domain.documents import RoleRecord
from skyweave.control.domain.machine import State
from skyweave.control.domain.snapshots import snapshot_of
from skyweave.policy.decision import State as Service
from skyweave.policy.decision import Terminal, decide

CLINIC = Terminal("clinic", "aid", "standard", "kit-7")
NOTICE_S = 3 * DAY_S + HOUR_S
PROPOSER = "tidewire-2"


def island(charter=None, **region):
    """A log in which a region is switched on; returns it and the region's record."""
    log = MadeLog(charter)
    record = log.region(**region)
    log.decide("activate", record, "on")
    log.wait(HOUR_S)
    return log, record


def licensed_island():
    """The same where the region needs a licence, which the activation brought."""
    log = MadeLog()
    record = log.region(needs_licence=True)
    log.decide("activate", record, "on", licence=made_licence(), administration=ADMINISTRATION)
    log.wait(HOUR_S)
    return log, record


def guaranteed(**agreement):
    """The same with an agreement for everyone in the region."""
    log, record = island()
    log.agreement(record, **agreement)
    log.witness()
    return log, record


def approved_by(log, proposal, *names):
    """Votes of these people, then witnesses, then time for a notice and a little more."""
    log.approve(proposal, *names)
    settle(log)


def settle(log, seconds=NOTICE_S):
    """Witnesses see it, and the notice goes by."""
    log.witness()
    log.wait(seconds)


def is_off(log, terminal=CLINIC, at_s=None, place=0):
    """Whether a terminal in the region is off, as the twin would decide it."""
    return service(log, terminal, at_s, place).state is Service.OFF


def service(log, terminal=CLINIC, at_s=None, place=0):
    """The decision for a terminal in one of the first region's cells."""
    at_s = log.now_s if at_s is None else at_s
    authority = log.authority(at_s)
    snapshot = snapshot_of(authority, log_origin=ORIGIN, log_root="root", salt=SALT)
    first = next(iter(authority.regions.values()))[0]
    return decide(snapshot, terminal, int(first.cells[place]), at_s)


def stands(log, name, *states, at_s=None):
    """Whether a directive is, or was at some time, in one of these states."""
    found = log.authority(at_s).directives.get(name)
    return found is not None and any(step.state in states for step in found.story)


def took_effect(log, name, at_s=None):
    """Whether a directive is, or was, in effect."""
    return stands(log, name, State.EFFECTIVE, at_s=at_s)


def one_rich_in_keys():
    """A charter in which the operator's first person has three keys."""
    plain = made_charter()
    more = ["tidewire-1b", "tidewire-1c"]
    for name in more:
        key(name)
    records = [key_record(name, OPERATOR, person="tidewire-1") for name in more]
    ids = tuple(key_id(name) for name in more)
    roles = tuple(
        RoleRecord(role=r.role, key_ids=(*r.key_ids, *ids)) if r.role == "council" else r
        for r in plain.roles
    )
    return plain.model_copy(update={"keys": (*plain.keys, *records), "roles": roles})
