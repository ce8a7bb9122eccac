"""What an outsider can run: compare a copy of a log with what the log said earlier."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from skyweave.control.log.checkpoint import Checkpoint
from skyweave.control.log.merkle import consistency_proof, is_consistent
from skyweave.control.log.store import LogFolder
from skyweave.control.log.trust import TrustPolicy, verify_checkpoint
from skyweave.control.log.verify import verify_folder
from skyweave.control.signing.encoding import shown
from skyweave.errors import InputError


class Outcome(StrEnum):
    """How a copy stands to an earlier checkpoint."""

    SAME = "same"
    GROWN = "grown"
    BEHIND = "behind"  # the copy is older than the checkpoint, or entries were withheld
    FORKED = "forked"  # the log signed two histories


@dataclass(frozen=True)
class Comparison:
    """A copy against an earlier checkpoint; truthy when the copy only appends to it."""

    outcome: Outcome
    earlier: Checkpoint
    now: Checkpoint

    def __bool__(self) -> bool:
        return self.outcome in (Outcome.SAME, Outcome.GROWN)

    @property
    def text(self) -> str:
        """The outcome in one line."""
        sizes = f"{self.earlier.size} entries then, {self.now.size} now"
        return {
            Outcome.SAME: f"nothing was appended: {sizes}",
            Outcome.GROWN: f"only appended: {sizes}",
            Outcome.BEHIND: f"the copy is behind: {sizes}; fetch it again, or ask what is withheld",
            Outcome.FORKED: f"FORKED: {sizes}; the log signed two histories, publish both notes",
        }[self.outcome]


def compare(folder: Path, earlier: bytes, policy: TrustPolicy) -> Comparison:
    """Return how a folder, all of it verified, stands to an earlier checkpoint of its log."""
    now = verify_folder(folder, policy, quorum=False).checkpoint
    before = verify_checkpoint(earlier, policy, "the earlier checkpoint", quorum=False).checkpoint
    if before.origin != now.origin:
        raise InputError(
            f"the earlier checkpoint is of {shown(before.origin)}, the folder of "
            f"{shown(now.origin)}; compare a log with its own"
        )
    if before.size > now.size:
        return Comparison(Outcome.BEHIND, before, now)
    proof = consistency_proof(before.size, now.size, LogFolder(folder).subtree(now.size))
    if not is_consistent(before.size, now.size, before.root, now.root, proof):
        return Comparison(Outcome.FORKED, before, now)
    return Comparison(Outcome.SAME if before.size == now.size else Outcome.GROWN, before, now)


def forked(first: bytes, second: bytes, policy: TrustPolicy) -> bool:
    """Return whether two checkpoints alone prove a fork: one log, one size, two roots."""
    one = verify_checkpoint(first, policy, "the first checkpoint", quorum=False).checkpoint
    two = verify_checkpoint(second, policy, "the second checkpoint", quorum=False).checkpoint
    return (one.origin, one.size) == (two.origin, two.size) and one.root != two.root
