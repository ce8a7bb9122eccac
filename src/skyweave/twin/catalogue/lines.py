"""The lines of a two-line-element file, paired into sets; lines that pair with nothing are faults.

Everything works on the bytes of the whole file at once: only faulty lines are looked at one by one.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.twin.catalogue.files import MAX_FAULTS, MAX_LINE_BYTES, MAX_LINES, shown

ByteArray = NDArray[np.uint8]
IndexArray = NDArray[np.int64]

SET_COLUMNS = 69
WIDTH = SET_COLUMNS + 1  # one more column shows whether anything stands right behind the checksum
_NEWLINE, _BLANK, _TAB, _HASH, _DIGIT_ONE, _DIGIT_TWO = b"\n \t#12"

IDLE, NAME, ONE, TWO, LONG = range(5)  # kinds of lines; an idle one is blank or a # comment


class Fault(NamedTuple):
    """A line that cannot be used: its index in the file, from 0, and why."""

    line: int
    reason: str


@dataclass(frozen=True)
class Lines:
    """Where each line of a file begins and ends: arrays of shape (L,)."""

    content: bytes
    start: IndexArray
    end: IndexArray  # one past the last character, the line end not counted
    kind: ByteArray

    def text(self, line: int) -> bytes:
        """Return one line without its line end, or only the beginning of an overlong one."""
        start = int(self.start[line])
        return self.content[start : min(int(self.end[line]), start + MAX_LINE_BYTES)]

    def columns(self, lines: IndexArray, width: int = WIDTH) -> ByteArray:
        """Return the first columns of each line, padded with blanks, shape (R, width)."""
        at = self.start[lines, None] + np.arange(width)
        inside = at < self.end[lines, None]
        at[~inside] = 0
        return np.where(inside, _bytes_of(self.content)[at], np.uint8(_BLANK))


class Sets(NamedTuple):
    """Which lines form element sets: arrays of shape (R,), and the lines that belong to none."""

    name: IndexArray  # line of the name, -1 where the set has none
    one: IndexArray
    two: IndexArray
    faults: list[Fault]


def split_lines(content: bytes, source: str) -> Lines:
    """Return the lines of a file, which may end in LF, CR LF or CR."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if content.count(b"\n") > MAX_LINES:
        raise InputError(f"{source}: has more than {MAX_LINES:,} lines; give the file of one day")
    text = _bytes_of(content)
    breaks = np.flatnonzero(text == _NEWLINE)
    start = np.concatenate(([0], breaks + 1))
    end = np.concatenate((breaks, [text.size]))
    return Lines(content, start, end, _kinds(text, start, end))


def _kinds(text: ByteArray, start: IndexArray, end: IndexArray) -> ByteArray:
    def column(number: int) -> ByteArray:
        at = start + number
        return np.where(at < end, text[np.minimum(at, text.size - 1)], np.uint8(_BLANK))

    first, second = column(0), column(1)
    kind = np.full(start.size, NAME, dtype=np.uint8)
    kind[(first == _DIGIT_ONE) & (second == _BLANK)] = ONE
    kind[(first == _DIGIT_TWO) & (second == _BLANK)] = TWO
    kind[_blank_lines(text, start, end) | (first == _HASH)] = IDLE
    kind[end - start > MAX_LINE_BYTES] = LONG
    return kind


def _blank_lines(text: ByteArray, start: IndexArray, end: IndexArray) -> NDArray[np.bool_]:
    written = (text != _BLANK) & (text != _TAB) & (text != _NEWLINE)
    counts = np.zeros(start.size, dtype=np.int64)
    inside = start < text.size
    counts[inside] = np.add.reduceat(written, start[inside], dtype=np.int64)
    blank: NDArray[np.bool_] = (counts == 0) | (start == end)
    return blank


def _bytes_of(content: bytes) -> ByteArray:
    return np.frombuffer(content, dtype=np.uint8)


def pair_lines(lines: Lines) -> Sets:
    """Return the sets: line 1, the line 2 of the same object after it, a name before it or not."""
    used = np.flatnonzero(lines.kind != IDLE)
    kind = lines.kind[used]
    first = np.flatnonzero((kind[:-1] == ONE) & (kind[1:] == TWO))
    ids = [lines.columns(used[line], width=7)[:, 2:] for line in (first, first + 1)]
    same = (ids[0] == ids[1]).all(axis=1)
    first = first[same]
    named = (first > 0) & (kind[first - 1] == NAME)
    loose = np.ones(used.size, dtype=np.bool_)
    loose[first], loose[first + 1], loose[first[named] - 1] = False, False, False
    name = np.where(named, used[first - 1], -1)
    return Sets(name, used[first], used[first + 1], _loose_faults(lines, used, loose))


def _loose_faults(lines: Lines, used: IndexArray, loose: NDArray[np.bool_]) -> list[Fault]:
    """Explain the lines that belong to no set, one stretch of neighbours after the other."""
    faults: list[Fault] = []
    places = np.flatnonzero(loose)
    for stretch in np.split(places, np.flatnonzero(np.diff(places) > 1) + 1):
        rest = [int(line) for line in used[stretch]]
        at = 0
        while at < len(rest) and len(faults) <= MAX_FAULTS:
            taken, fault = _fault_at(lines, rest, at)
            faults.append(fault)
            at += taken
    return faults


def _fault_at(lines: Lines, rest: list[int], at: int) -> tuple[int, Fault]:
    """Explain the loose line rest[at]; return how many of the lines that explanation covers."""
    kinds = [int(lines.kind[line]) for line in rest[at : at + 2]]
    if kinds[0] == LONG:
        size = int(lines.end[rest[at]] - lines.start[rest[at]])
        return 1, Fault(
            rest[at],
            f"the line is {size} bytes long, over the {MAX_LINE_BYTES} accepted, and was not read",
        )
    if kinds[0] != NAME:
        return _unpaired(lines, rest[at : at + 3])
    if kinds[1:] in ([ONE], [TWO]):  # the name of the unpaired line that follows
        taken, fault = _unpaired(lines, rest[at + 1 : at + 4])
        return 1 + taken, fault
    # Free text is one fault however many lines it has, but its last line may name what follows.
    end = at
    while end < len(rest) and lines.kind[rest[end]] == NAME:
        end += 1
    is_named = end < len(rest) and lines.kind[rest[end]] in (ONE, TWO)
    return end - at - is_named, Fault(rest[at], _no_element_line(lines.text(rest[at])))


def _unpaired(lines: Lines, rest: list[int]) -> tuple[int, Fault]:
    kinds = [int(lines.kind[line]) for line in rest]
    ids = [shown(lines.text(line)[2:7]) or "?" for line in rest]
    if kinds[:2] == [TWO, ONE] and ids[0] == ids[1]:
        return 2, Fault(rest[0], f"line 2 of object {ids[0]} stands before its line 1; swap them")
    if kinds[:2] == [ONE, TWO] and not (kinds[2:] == [ONE] and ids[1] == ids[2]):
        return 2, Fault(
            rest[1],
            f"line 2 is of object {ids[1]} but line 1 before it of object {ids[0]}; "
            "both lines of a set name the same object",
        )
    if kinds[0] == ONE:
        return 1, Fault(rest[0], f"line 1 of object {ids[0]} is not followed by its line 2")
    return 1, Fault(rest[0], f"line 2 of object {ids[0]} has no line 1 before it")


def _no_element_line(text: bytes) -> str:
    if text.lstrip().startswith((b"{", b"[", b"]", b"}")) or text.count(b",") > 5:
        return "found OMM text among element lines; keep one format in a file"
    return "found text that is neither an element line nor the name right before one"
