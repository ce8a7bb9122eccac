"""Votes: what a signer is shown, what is still missing, and the signed answer."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skyweave.api.authority import LogSource, Standing, whose
from skyweave.api.directives import Question, missing, question_of, state_of
from skyweave.api.impacts import impact_lines, signed_impact
from skyweave.api.new_documents import refuse_unseen_amendment
from skyweave.api.parcels import Signer, refuse_existing, sealed, written
from skyweave.api.words import directive_words
from skyweave.control.domain.documents import DAY_S, Approval
from skyweave.control.domain.state import Authority
from skyweave.control.parcel import Parcel


@dataclass(frozen=True)
class Ballot:
    """A vote that is about to be signed."""

    standing: Standing
    question: Question

    def shown(self) -> dict[str, Any]:
        """Return everything that a signer must see first."""
        proposal = self.question.proposal
        return {
            "directive": proposal.directive.directive_id,
            "question": proposal.question,
            "words": directive_words(proposal.directive, self.standing.authority, self._objects()),
            "impact": impact_lines(proposal, self._objects()),
            **self._stands(self.standing.after(self._before())),
        }

    def sign(self, signer: Signer, decision: str, days: float, out: Path) -> dict[str, Any]:
        """Sign a vote and write it as a parcel; a vote that could never count is refused."""
        key = signer.load()
        charter, proposal = self.standing.authority.charter, self.question.proposal
        office = whose(charter, key)
        approval = Approval(
            directive_id=proposal.directive.directive_id,
            question=proposal.question,
            charter_version=charter.version,
            decision=decision,
            signed_s=self.standing.now_s,
            expires_s=self.standing.now_s + round(days * DAY_S),
        )
        parcel = sealed(approval, key)
        after = self.standing.after([*self._before(), parcel])
        if decision == "approve":  # nobody approves what could not be shown
            signed_impact(proposal, self._objects())
            refuse_unseen_amendment(proposal.directive, self._objects())
        return {
            **written(parcel, approval, out),
            "decision": decision,
            "signer": office.person,
            "organisation": office.organisation,
            "office": office.office,
            "expires_s": approval.expires_s,
            **self._stands(after),
        }

    def _objects(self) -> Mapping[str, bytes]:
        return self.standing.objects(self.question.objects)

    def _before(self) -> list[Parcel]:
        """Return what must be logged before a vote: the proposal, where it is not yet."""
        return [] if self.question.parcel is None else [self.question.parcel]

    def _stands(self, authority: Authority) -> dict[str, Any]:
        found = state_of(authority, self.question.proposal.directive.directive_id)
        return {
            "state": str(found.state),
            "missing": missing(found),
            "blocked_by": list(found.blocked_by),
        }


def ballot(log: LogSource, what: str, out: Path, *, now_s: int) -> Ballot:
    """Return the vote on a directive of the log, by its id, or on the proposal in a parcel."""
    refuse_existing(out)
    standing = log.standing(now_s)
    return Ballot(standing, question_of(standing.authority, what))
