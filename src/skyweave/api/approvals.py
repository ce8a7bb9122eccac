"""Votes: what a signer is shown, what is still missing, and the signed answer."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skyweave.api.authority import LogSource, refuse_without_effect, whose
from skyweave.api.directives import Question, missing, question_of, state_of
from skyweave.api.impacts import impact_lines
from skyweave.api.parcels import Signer, refuse_existing, sealed, written
from skyweave.api.words import directive_words
from skyweave.control.domain.documents import DAY_S, Approval
from skyweave.control.domain.state import Authority

if TYPE_CHECKING:
    from skyweave.control.book import Book


@dataclass(frozen=True)
class Ballot:
    """A vote that is about to be signed."""

    book: "Book"
    authority: Authority
    question: Question
    now_s: int

    def shown(self) -> dict[str, Any]:
        """Return everything that a signer must see first."""
        directive = self.question.proposal.directive
        objects = {**self.book.objects, **self.question.objects}
        return {
            "directive": directive.directive_id,
            "question": self.question.proposal.question,
            "words": directive_words(directive, self.authority),
            "impact": impact_lines(self.question.proposal, objects),
            **self._standing(),
        }

    def _standing(self) -> dict[str, Any]:
        if not self.question.is_logged:
            return {"state": "draft", "missing": ["it is not in the log yet"], "blocked_by": []}
        state = state_of(self.authority, self.question.proposal.directive.directive_id)
        return {
            "state": str(state.state),
            "missing": missing(state),
            "blocked_by": list(state.blocked_by),
        }

    def sign(self, signer: Signer, decision: str, days: float, out: Path) -> dict[str, Any]:
        """Sign a vote and write it as a parcel; a vote that could never count is refused."""
        key = signer.load()
        office = whose(self.authority.charter, key)
        proposal = self.question.proposal
        approval = Approval(
            directive_id=proposal.directive.directive_id,
            question=proposal.question,
            charter_version=self.authority.charter.version,
            decision=decision,
            signed_s=self.now_s,
            expires_s=self.now_s + round(days * DAY_S),
        )
        parcel = sealed(approval, key)
        if self.question.is_logged:
            refuse_without_effect(self.authority, parcel, self.book.objects, self.now_s)
        return {
            **written(parcel, approval, out),
            "directive": approval.directive_id,
            "question": approval.question,
            "decision": decision,
            "signer": office.person,
            "organisation": office.organisation,
            "office": office.office,
            "expires_s": approval.expires_s,
        }


def ballot(log: LogSource, what: str, out: Path, *, now_s: int) -> Ballot:
    """Return the vote on a directive of the log, by its id, or on the proposal in a parcel."""
    refuse_existing(out)
    book = log.open()
    authority = book.authority(now_s)
    return Ballot(book, authority, question_of(authority, what), now_s)
