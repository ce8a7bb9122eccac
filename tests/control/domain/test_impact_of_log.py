"""What a report says of a directive, against what a log makes of it once it is in effect."""

import numpy as np
import pytest
from tests.support.made_charter import MadeLog, made_licence

from skyweave.control.domain.documents import DAY_S, DirectiveKind
from skyweave.control.domain.impact import agreements_touched, blocking_agreements
from skyweave.control.domain.impact_after import snapshot_with
from skyweave.control.domain.snapshots import snapshot_of
from skyweave.policy.decision import decide_all
from skyweave.policy.snapshot import PolicyRegion, Subject, subject_hash
from skyweave.policy.terminals import Terminal, Terminals

SALT = "3d" * 16
AID = {"account_hashes": (subject_hash(SALT, Subject.ACCOUNT, "aid"),)}
WHO = [Terminal("a"), Terminal("b", "aid"), Terminal("c", service_class="lifeline")]
OUTSIDERS = ("tidewire-1", "amity-office-1", "island-relief-1")  # no party to the agreement


def snapshot(log):
    return snapshot_of(log.authority(), log_origin="made", log_root="00", salt=SALT)


def version_of(log, record):
    """Return the newest version of a region as an impact report takes it."""
    authority = log.authority()
    version = authority.regions[record.region_id][-1]
    licences = tuple(authority.licences.get(record.region_id, ()))
    return PolicyRegion(version.snapshot_id, record.version, record.digest_of_region,
                        version.cells, record.needs_licence, licences)  # fmt: skip


def decided(policy, cells, at_s):
    """Return what everyone gets in every cell, and by which rule."""
    terminals = Terminals.of(WHO * cells.size)
    found = decide_all(policy, terminals, np.repeat(cells, len(WHO)), at_s)
    return [found.rule.tolist(), found.reason.tolist(), found.max_down_bps.tolist(),
            found.max_up_bps.tolist()]  # fmt: skip


def made(needs_licence=False):
    """Return a log with a region that is on, and the region."""
    log = MadeLog()
    region = log.region(needs_licence=needs_licence)
    more = {"licence": made_licence()} if needs_licence else {}
    log.decide("activate", region, **more)
    return log, region


@pytest.mark.parametrize(
    ("does", "needs_licence"),
    [*((each.value, is_needed) for each in DirectiveKind for is_needed in (False, True)
       if each.changes_service and (is_needed or each != "amend_licence"))],
)  # fmt: skip
def test_what_a_report_foresees_is_what_the_log_brings(does, needs_licence):
    """Else people would sign one effect and get another."""
    log, region = made(needs_licence)
    if does == "resume":
        log.decide("suspend", region)
        log.wait(4 * DAY_S)
    changes = {"from_s": log.now_s + 4 * DAY_S}
    if does.startswith("emergency"):
        changes = {}
    if does == "lift_guarantee":
        log.agreement(region, **AID)
        changes["agreement_id"] = "a-17"
    if does == "amend_licence":
        changes |= {"licence": made_licence(status="void"), "administration": "AMY"}
    proposal = log.proposal(does, region, "d-next", **changes)
    own = version_of(log, region)
    foreseen = snapshot_with(snapshot(log), proposal.directive, own)
    voters = log.voters(does, region)
    if does == "lift_guarantee":
        voters = [*voters, "harbour-hospitals-1"]
    log.append(proposal, "tidewire-2")
    log.approve(proposal, *dict.fromkeys(voters))
    log.witness()
    at_s = max(proposal.directive.from_s, log.now_s)
    log.wait(at_s - log.now_s)
    assert log.authority().directives["d-next"].story[-1].state.value == "effective"
    assert decided(foreseen, own.cells, at_s) == decided(snapshot(log), own.cells, at_s)


@pytest.mark.parametrize("named", [{}, AID], ids=["for everyone", "for an account"])
@pytest.mark.parametrize("does", ["suspend", "restrict", "exclude", "emergency_suspend"])
def test_a_report_names_the_agreements_that_the_log_lets_block(does, named):
    log, region = made()
    log.agreement(region, **named)
    proposal = log.propose(does, region, "d-next")
    own, before = version_of(log, region), snapshot(log)
    touched = agreements_touched(proposal.directive, own, before)
    assert tuple(a.agreement_id for a in touched) == proposal.directive.agreements == ("a-17",)
    log.approve(proposal, *OUTSIDERS[: 2 if does == "emergency_suspend" else 3])
    log.witness()
    state = log.authority().directives["d-next"]
    found = blocking_agreements(proposal.directive, own, before, touched)
    assert tuple(a.agreement_id for a in found) == state.blocked_by
