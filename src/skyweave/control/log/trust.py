"""Whom a verifier trusts: logs, witnesses and a quorum of them (c2sp.org/tlog-policy)."""

from collections.abc import Mapping
from dataclasses import dataclass

from skyweave.control.log.checkpoint import Checkpoint, checkpoint_of
from skyweave.control.log.merkle import EMPTY_ROOT
from skyweave.control.signing.encoding import shown
from skyweave.control.signing.notes import (
    COSIGNATURE,
    LOG_SIGNATURE,
    Note,
    VerifierKey,
    parse_note,
    parse_verifier_key,
    verified_lines,
)
from skyweave.errors import InputError

MAX_POLICY_BYTES = 1 << 16
MAX_NAMES = 64

NO_QUORUM = "none"


@dataclass(frozen=True)
class Group:
    """Members, witnesses or groups named before, of which `threshold` must have witnessed."""

    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True)
class TrustPolicy:
    """The accepted logs and witnesses, and the witness or group whose word is needed."""

    logs: tuple[VerifierKey, ...]
    witnesses: Mapping[str, VerifierKey]
    groups: Mapping[str, Group]
    quorum: str  # a name in `witnesses` or `groups`, or NO_QUORUM

    def has_quorum(self, cosigned: frozenset[str]) -> bool:
        """Return whether these witnesses, by name, are enough."""
        return self.quorum == NO_QUORUM or self._witnessed(self.quorum, cosigned)

    def _witnessed(self, name: str, cosigned: frozenset[str]) -> bool:
        group = self.groups.get(name)
        if group is None:
            return name in cosigned
        return sum(self._witnessed(m, cosigned) for m in group.members) >= group.threshold


@dataclass(frozen=True)
class VerifiedCheckpoint:
    """A checkpoint that an accepted log signed, and which witnesses saw it when."""

    checkpoint: Checkpoint
    note: Note
    witnessed_s: Mapping[str, int]  # POSIX seconds by the witness's name in the policy
    has_quorum: bool


def verify_checkpoint(
    content: bytes, policy: TrustPolicy, source: str = "checkpoint", *, quorum: bool = True
) -> VerifiedCheckpoint:
    """Return a checkpoint whose signatures hold; without its quorum it is refused, unless asked."""
    note = parse_note(content, source)
    checkpoint = checkpoint_of(note, source)
    keys = [key for key in policy.logs if key.name == checkpoint.origin]
    names = {key: name for name, key in policy.witnesses.items()}
    signed = verified_lines(note, [*keys, *names], source)
    if not any(each.key in keys for each in signed):
        raise InputError(
            f"{source}: no signature of the log {shown(checkpoint.origin)} by a key that the "
            "policy accepts; check the policy's log lines, or do not trust the copy"
        )
    times = {names[x.key]: x.time_s for x in signed if x.key in names and x.time_s is not None}
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise InputError(f"{source}: line 3: not the root of an empty log; fetch it again")
    enough = policy.has_quorum(frozenset(times))
    if quorum and not enough:
        raise InputError(
            f"{source}: {len(times)} of {len(policy.witnesses)} witnesses cosigned, short of the "
            f"quorum {shown(policy.quorum)}; fetch a checkpoint that more have seen"
        )
    return VerifiedCheckpoint(checkpoint, note, times, enough)


def parse_policy(content: bytes, source: str = "policy") -> TrustPolicy:
    """Return the policy of a file: lines `log`, `witness`, `group` and one `quorum`."""
    if len(content) > MAX_POLICY_BYTES:
        raise InputError(f"{source}: at most {MAX_POLICY_BYTES:,} bytes are read; shorten the file")
    try:
        lines = content.decode("utf-8").split("\n")
    except UnicodeDecodeError:
        raise InputError(f"{source}: not UTF-8; save the file as UTF-8") from None
    reader = _PolicyReader()
    for number, line in enumerate(lines, 1):
        words = line.replace("\t", " ").split(" ")
        reader.read([word for word in words if word], f"{source}: line {number}")
    return reader.policy(source)


class _PolicyReader:
    """Reads line by line: a name can be used only after the line that defines it."""

    def __init__(self) -> None:
        self.logs: list[VerifierKey] = []
        self.witnesses: dict[str, VerifierKey] = {}
        self.groups: dict[str, Group] = {}
        self.members: set[str] = set()
        self.quorum: str | None = None

    def read(self, words: list[str], where: str) -> None:
        if not words or words[0].startswith("#"):
            return
        if words[0] == "log" and len(words) in (2, 3):
            self._log(words[1], where)
        elif words[0] == "witness" and len(words) in (3, 4):
            self._witness(words[1], words[2], where)
        elif words[0] == "group" and len(words) > 3:
            self._group(words[1], words[2], tuple(words[3:]), where)
        elif words[0] == "quorum" and len(words) == 2:
            self._quorum(words[1], where)
        else:
            raise InputError(
                f'{where}: found {shown(" ".join(words))}, expected "log KEY", '
                '"witness NAME KEY", "group NAME all|any|K NAME ..." or "quorum NAME"'
            )

    def policy(self, source: str) -> TrustPolicy:
        if self.quorum is None:
            raise InputError(f'{source}: no quorum line; add "quorum NAME" or "quorum none"')
        return TrustPolicy(tuple(self.logs), self.witnesses, self.groups, self.quorum)

    def _log(self, text: str, where: str) -> None:
        key = self._key(text, LOG_SIGNATURE, "log", where)
        if any(key.public == other.public for other in self.logs):
            raise InputError(f"{where}: the key stands in an earlier log line; remove one")
        self._refuse_too_many(len(self.logs), where)
        self.logs.append(key)

    def _witness(self, name: str, text: str, where: str) -> None:
        key = self._key(text, COSIGNATURE, "witness", where)
        if any(key.public == other.public for other in self.witnesses.values()):
            raise InputError(
                f"{where}: the key stands in an earlier witness line; one key is one witness"
            )
        self._new_name(name, where)
        self.witnesses[name] = key

    def _group(self, name: str, count: str, members: tuple[str, ...], where: str) -> None:
        for member in members:
            if not self._is_known(member) or member in self.members:
                fault = "in a group already" if member in self.members else "not defined above"
                raise InputError(f"{where}: {shown(member)} is {fault}; name each witness once")
            self.members.add(member)
        words = {"all": str(len(members)), "any": "1"}
        count = words.get(count, count)
        numbers = {str(n): n for n in range(1, len(members) + 1)}
        if count not in numbers:
            raise InputError(
                f"{where}: found {shown(count)}, expected all, any or 1 to {len(members)}"
            )
        self._new_name(name, where)
        self.groups[name] = Group(numbers[count], members)

    def _quorum(self, name: str, where: str) -> None:
        if self.quorum is not None:
            raise InputError(f"{where}: a second quorum line; keep one")
        if name != NO_QUORUM and not self._is_known(name):
            raise InputError(f"{where}: {shown(name)} is not defined above; define it first")
        self.quorum = name

    def _key(self, text: str, kind: int, role: str, where: str) -> VerifierKey:
        key = parse_verifier_key(text, where)
        if key.kind != kind:
            raise InputError(
                f"{where}: a key of signature type {key.kind}, a {role} has type {kind}; "
                f"copy the {role}'s verifier key"
            )
        return key

    def _new_name(self, name: str, where: str) -> None:
        if self._is_known(name) or name == NO_QUORUM:
            raise InputError(f"{where}: {shown(name)} is taken; choose another name")
        self._refuse_too_many(len(self.witnesses) + len(self.groups), where)

    def _is_known(self, name: str) -> bool:
        return name in self.witnesses or name in self.groups

    def _refuse_too_many(self, count: int, where: str) -> None:
        if count >= MAX_NAMES:
            raise InputError(f"{where}: more than {MAX_NAMES} of its kind; shorten the policy")
