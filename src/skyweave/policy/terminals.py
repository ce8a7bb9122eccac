"""Terminals as decisions know them: one, or a table of columns that is asked again and again."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.policy.salted import salted_hash
from skyweave.policy.snapshot import Subject, subject_text

LIFELINE_CLASS = "lifeline"

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Terminal:
    """What a decision knows of a terminal; its position is only the cell it is in."""

    terminal_id: str
    account_id: str = ""
    service_class: str = "standard"
    kit_id: str = ""


class Terminals:
    """N terminals as columns.  Names are hashed once, also for the tables taken from this one."""

    def __init__(
        self,
        terminal_ids: Sequence[str],
        account_ids: Sequence[str],
        service_classes: Sequence[str],
        kit_ids: Sequence[str],
    ) -> None:
        """Take one text a terminal in each column, "" where there is none."""
        columns = (terminal_ids, account_ids, service_classes, kit_ids)
        if len(set(map(len, columns))) != 1:
            raise InputError("columns of terminals differ in length; give one value a terminal")
        self._named = {
            Subject.TERMINAL: _Column.of(terminal_ids, subject_text(Subject.TERMINAL, "")),
            Subject.ACCOUNT: _Column.of(account_ids, subject_text(Subject.ACCOUNT, "")),
        }
        self._kits = _Column.of(kit_ids, "")
        self.is_lifeline: BoolArray = np.array([c == LIFELINE_CLASS for c in service_classes], bool)

    @classmethod
    def of(cls, terminals: Sequence[Terminal]) -> "Terminals":
        """Return the columns of some terminals."""
        return cls(
            [each.terminal_id for each in terminals],
            [each.account_id for each in terminals],
            [each.service_class for each in terminals],
            [each.kit_id for each in terminals],
        )

    def __len__(self) -> int:
        return int(self.is_lifeline.size)

    def take(self, rows: IntArray | BoolArray | Sequence[int]) -> "Terminals":
        """Return the terminals at some rows, or where a mask (N,) is true, in that order."""
        places = np.arange(len(self))[rows]
        taken = object.__new__(Terminals)
        taken._named = {subject: column.take(places) for subject, column in self._named.items()}
        taken._kits = self._kits.take(places)
        taken.is_lifeline = self.is_lifeline[places]
        return taken

    def rows(self, salt: str, subject: Subject, hashes: Sequence[str]) -> IntArray:
        """Return the rows of the terminals, or of the accounts' terminals, with these hashes."""
        if not hashes:
            return np.empty(0, dtype=np.int64)
        return self._named[subject].rows(salt, hashes)

    def kits(self, rows: IntArray) -> tuple[IntArray, IntArray]:
        """Return the K different kits of some rows, as numbers, and each row's place in them."""
        numbers, place = np.unique(self._kits.numbers[rows], return_inverse=True)
        return numbers, place

    def kit_hashes(self, salt: str, numbers: IntArray) -> list[str]:
        """Return the hashes of kits, given by their numbers, under a list's salt."""
        return self._kits.hashes(salt, numbers)


class _Column:
    """A column of N names: each different one has a number, which columns taken from it share."""

    def __init__(
        self, numbers: IntArray, names: Sequence[str], prefix: str, known: dict[str, list[str]]
    ) -> None:
        self.numbers = numbers
        self._names, self._prefix = names, prefix  # what is hashed is prefix and name
        self._known = known  # by salt, the hash of each name; "" where none was asked for yet
        self._number_of: dict[str, dict[str, int]] = {}  # by salt and hash, of this column's names

    @classmethod
    def of(cls, names: Sequence[str], prefix: str) -> "_Column":
        number: dict[str, int] = {}
        numbers = [number.setdefault(name, len(number)) for name in names]
        return cls(np.array(numbers, dtype=np.int64), tuple(number), prefix, {})

    def take(self, rows: IntArray) -> "_Column":
        return _Column(self.numbers[rows], self._names, self._prefix, self._known)

    @functools.cached_property
    def _order(self) -> tuple[IntArray, IntArray]:
        """The rows, those of one name together, and the numbers of their names: (N,) each."""
        rows = np.argsort(self.numbers, kind="stable")
        return rows, self.numbers[rows]

    def hashes(self, salt: str, numbers: IntArray) -> list[str]:
        """Return the hashes of names, given by their numbers."""
        known = self._known.setdefault(salt, [""] * len(self._names))
        hashed, wanted = salted_hash(salt), numbers.tolist()
        for number in wanted:
            if not known[number]:
                known[number] = hashed(self._prefix + self._names[number])
        return [known[number] for number in wanted]

    def rows(self, salt: str, hashes: Sequence[str]) -> IntArray:
        """Return the rows whose names have these hashes."""
        if salt not in self._number_of:
            present = np.flatnonzero(np.bincount(self.numbers))  # as np.unique, in a tenth
            found = zip(self.hashes(salt, present), present.tolist(), strict=True)
            self._number_of[salt] = dict(found)
        number_of, (in_order, numbers) = self._number_of[salt], self._order
        asked = [number_of[each] for each in hashes if each in number_of]
        first = np.searchsorted(numbers, asked, "left")
        count = np.searchsorted(numbers, asked, "right") - first
        # Each name's rows are a run in the order; the runs are laid end to end.
        start = np.repeat(first - np.cumsum(count) + count, count)
        return in_order[start + np.arange(start.size)]
