"""The catalogue of attacks: what each would do to whom, and which one check stops it.

An attack is a function `attempt(folder)` that does what an attacker would do, on the real code,
and returns whether the harm is done; to be refused (`InputError`) is to fail.  `@attack` makes a
test of it that runs it twice: as things are, where it must fail, and with exactly its check taken
away, where it must succeed.  So nothing is listed that something else stops, or nothing at all.
"""

import importlib
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from skyweave.errors import InputError

FOLDER = Path(__file__).parent
MIN_ATTACKS_A_ROW = 2


class Row(StrEnum):
    """The attackers of the threat model, each with what he wants."""

    ONE_HAND = "one person, or one organisation, orders a cut"
    EDITED_FILES = "who keeps the files edits them"
    TWO_HISTORIES = "the operator shows two histories"
    REPLAY = "old approvals are used again, for another place or time"
    SWAP = "one text is approved, another carried out"
    MANY_KEYS = "one voter counts as several, or as a revoked one"
    ROLLBACK = "an older or a skipped version is put forward"
    FREEZE = "news is withheld, so that a cut lives on or a guarantee dies"
    CAPTURE = "the rules are changed to get round them"
    FAVOUR = "a favour by telephone, without a trace"
    MOVED_LINE = "a region is redrawn after its approval"
    SPOOFED_PLACE = "positions are forged at the border"
    UNMASKING = "somebody is found by what is published"
    FLOOD = "endless or unsigned data"
    STOLEN_KEYS = "some keys are stolen, fewer than it takes"
    LOST_KEYS = "keys are lost or a charter has run out, and somebody fills the gap"
    LICENCE = "a licence is edited to force service off"
    GAG = "publication is put off, and off again"
    GUARANTEE = "a guarantee is set aside by those who gave it"
    EMERGENCY = "an emergency is declared to get round the quorum"


# Attackers of the threat model whom nothing here can meet yet, and why.
LATER = {
    "sybil terminals that pass the map's threshold": "the activity map is not built yet",
    "a malicious enforcement point": "no entitlement leaves the control plane yet; what remains "
    "is on the page on what this does not protect against",
    "funding withdrawn at once": "the ledger is not built yet",
    "the network's own check of a claimed position": "it needs the serving beam, which belongs "
    "to enforcement; the border's own rules are attacked here",
}


@dataclass(frozen=True)
class Removal:
    """A check to take away: its dotted name, and what makes its stand-in of the original."""

    check: str
    instead: Callable[[Any], Any]

    def apply(self, patch: pytest.MonkeyPatch) -> None:
        """Put the stand-in in the check's place."""
        owner, name = _owner(self.check)
        patch.setattr(owner, name, self.instead(getattr(owner, name)))


def _owner(check: str) -> tuple[Any, str]:
    """Return the module or class that a dotted name's last part belongs to, and that part."""
    *path, name = check.split(".")
    for end in range(len(path), 0, -1):
        try:
            owner = importlib.import_module(".".join(path[:end]))
        except ModuleNotFoundError:
            continue
        for part in path[end:]:
            owner = getattr(owner, part)
        return owner, name
    raise ModuleNotFoundError(check)


def without(check: str, value: Any = None) -> Removal:
    """Take a function away: it returns always the same, None unless stated."""
    return Removal(f"skyweave.{check}", lambda _: lambda *_args, **_kwargs: value)


def weakened(check: str, stand_in: Callable[..., Any]) -> Removal:
    """Put a function in place of another, which it gets as its first argument."""
    return Removal(
        f"skyweave.{check}",
        lambda original: lambda *args, **kwargs: stand_in(original, *args, **kwargs),
    )


def limit_of(check: str, value: Any) -> Removal:
    """Put another value in place of a constant."""
    return Removal(f"skyweave.{check}", lambda _: value)


Attempt = Callable[[Path], bool]


@dataclass(frozen=True)
class Attack:
    """One attack: whom it would harm, and the checks without which it succeeds."""

    row: Row
    test: str  # its id under tests/
    harm: str
    removals: tuple[Removal, ...]
    attempt: Attempt

    def succeeds(self, folder: Path) -> bool:
        """Return whether the harm is done; a refusal is none."""
        folder.mkdir(parents=True)
        try:
            return self.attempt(folder)
        except InputError:
            return False

    def check(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Try it twice: with its checks it must fail, without them succeed."""
        assert not self.succeeds(folder / "as it is"), f"{self.test}: the attack SUCCEEDS"
        with monkeypatch.context() as patch:
            for removal in self.removals:
                removal.apply(patch)
            assert self.succeeds(folder / "unchecked"), (
                f"{self.test}: fails even without its check, so something else stops it"
            )


ATTACKS: dict[str, Attack] = {}


def attack(row: Row, *removals: Removal) -> Callable[[Attempt], Callable[..., None]]:
    """Register an attempt under a row of the threat model and return the test of it."""

    def register(attempt: Attempt) -> Callable[..., None]:
        found = described(row, removals, attempt)
        ATTACKS[found.test] = found

        def test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
            found.check(tmp_path, monkeypatch)

        test.__name__, test.__doc__ = attempt.__name__, attempt.__doc__
        return test

    return register


def described(row: Row, removals: tuple[Removal, ...], attempt: Attempt) -> Attack:
    """Return an attack; one without a harm in words, or a check to remove, is none."""
    harm = " ".join((attempt.__doc__ or "").split())
    if not harm or not removals or not attempt.__name__.startswith("test_"):
        raise ValueError(f"{attempt.__name__}: name it test_..., say the harm, name its check")
    file = Path(sys.modules[attempt.__module__].__file__ or "").name
    return Attack(row, f"control/attacks/{file}::{attempt.__name__}", harm, removals, attempt)


def catalogue() -> dict[Row, list[Attack]]:
    """Return all attacks by their rows, every file of them read."""
    for path in sorted(FOLDER.glob("test_attacks_*.py")):
        importlib.import_module(f"tests.control.attacks.{path.stem}")
    by_row: defaultdict[Row, list[Attack]] = defaultdict(list)
    for name in sorted(ATTACKS):
        by_row[ATTACKS[name].row].append(ATTACKS[name])
    return by_row


def table() -> Iterator[str]:
    """Yield the lines of the table: row, attack, the check that stops it."""
    yield "| attacker | attack (each is a test) | stopped by |"
    yield "|---|---|---|"
    by_row = catalogue()
    for row in Row:
        for each in by_row[row]:
            name = each.test.rpartition("::")[2].removeprefix("test_").replace("_", " ")
            checks = ", ".join(f"`{r.check.removeprefix('skyweave.')}`" for r in each.removals)
            yield f"| {row} | {name} | {checks} |"
    for what, why in LATER.items():
        yield f"| {what} | not yet | {why} |"
