"""Verify a copied log offline: its entries, each one witnessed or not, or one line of refusal."""

from dataclasses import dataclass
from pathlib import Path

from skyweave.control.log.checkpoint import Checkpoint
from skyweave.control.log.fsck import check_folder
from skyweave.control.log.trust import TrustPolicy, VerifiedCheckpoint
from skyweave.errors import InputError


@dataclass(frozen=True)
class VerifiedLog:
    """A log whose every byte was checked; reductions of service count only what is witnessed."""

    checkpoint: Checkpoint  # the newest that the log signed
    entries: tuple[bytes, ...]  # all `checkpoint.size` of them
    witnessed: tuple[VerifiedCheckpoint, ...]  # with quorum, ascending by size

    @property
    def witnessed_size(self) -> int:
        """How many entries, from the first, the quorum of witnesses has seen."""
        return self.witnessed[-1].checkpoint.size if self.witnessed else 0


def verify_folder(folder: Path, policy: TrustPolicy, *, quorum: bool = True) -> VerifiedLog:
    """Return a folder's log once all of it holds; unless asked, without a quorum it is refused."""
    report, entries = check_folder(folder, policy)
    if report.problems or report.checkpoint is None:
        more = f" (and {len(report.problems) - 1} more)" if len(report.problems) > 1 else ""
        raise InputError(report.problems[0] + more)
    if quorum and not report.witnessed:
        raise InputError(
            f"{folder}: no checkpoint is cosigned by the policy's quorum of witnesses; "
            "ask them to cosign it, or copy the folder again later"
        )
    return VerifiedLog(report.checkpoint, tuple(entries), report.witnessed)


def quorum_time_s(verified: VerifiedCheckpoint, policy: TrustPolicy) -> int | None:
    """Return when the quorum was complete (POSIX seconds), None where there is none.

    A witness that was late, or claims a late time, does not move it once enough others have seen
    the checkpoint.
    """
    by_time = sorted(verified.witnessed_s.items(), key=lambda each: each[1])
    for count in range(1, len(by_time) + 1):
        if policy.has_quorum(frozenset(name for name, _ in by_time[:count])):
            return by_time[count - 1][1]
    return None
