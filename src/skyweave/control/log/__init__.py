"""The public log: append-only, on plain files, and verifiable by anyone without its server."""

from skyweave.control.log.checkpoint import Checkpoint
from skyweave.control.log.fsck import FsckReport, fsck
from skyweave.control.log.monitor import Comparison, compare, forked
from skyweave.control.log.proofs import Receipt, parse_receipt, prove, verify_receipt
from skyweave.control.log.store import LogFolder, LogWriter, create_log
from skyweave.control.log.trust import TrustPolicy, parse_policy
from skyweave.control.log.verify import VerifiedLog, verify_folder
from skyweave.control.log.witness import Witness, WitnessReply, ask_witness

__all__ = [
    "Checkpoint",
    "Comparison",
    "FsckReport",
    "LogFolder",
    "LogWriter",
    "Receipt",
    "TrustPolicy",
    "VerifiedLog",
    "Witness",
    "WitnessReply",
    "ask_witness",
    "compare",
    "create_log",
    "forked",
    "fsck",
    "parse_policy",
    "parse_receipt",
    "prove",
    "verify_folder",
    "verify_receipt",
]
