"""Two-line element sets, with or without a name line, read by columns of bytes.

Columns are counted from 1 as in the format's description (Kelso, CelesTrak "NORAD Two-Line Element
Set Format"; Space-Track "Basic Description of the Two Line Element (TLE) Format").
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skyweave.errors import InputError
from skyweave.twin.catalogue.elements import Catalogue, RowIssue, concatenate, real_objects
from skyweave.twin.catalogue.files import MAX_FAULTS, shown
from skyweave.twin.catalogue.limits import (
    LIMITS,
    SGP4_XP,
    Limit,
    cospar_id_from_tle,
    name_fault,
)
from skyweave.twin.catalogue.lines import (
    SET_COLUMNS,
    ByteArray,
    Fault,
    Lines,
    Sets,
    pair_lines,
    split_lines,
)

BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]

_ROWS_AT_ONCE = 65_536  # bounds the memory of very large files
_LAST_DIGIT_NS = 864_000  # 1e-8 day, the last digit of an epoch
_ZERO, _BLANK, _MINUS = b"0 -"
_FIXED = {  # what stands in the columns between the fields of line 1 and of line 2
    1: {2: " ", 9: " ", 18: " ", 24: ".", 33: " ", 35: ".", 44: " ", 53: " ", 62: " ", 64: " "},
    2: {2: " ", 8: " ", 12: ".", 17: " ", 21: ".", 26: " ", 34: " ", 38: ".", 43: " ", 47: ".",
        52: " ", 55: "."},
}  # fmt: skip
_CHECKSUM_WEIGHT = np.zeros(256, dtype=np.int64)
_CHECKSUM_WEIGHT[_ZERO : _ZERO + 10] = np.arange(10)
_CHECKSUM_WEIGHT[_MINUS] = 1
_IS_SIGN = np.zeros(256, dtype=np.bool_)
_IS_SIGN[[_BLANK, _MINUS, ord("+")]] = True
_POWERS_OF_TEN = 10 ** np.arange(19, dtype=np.int64)


def read_tle(content: bytes, source: str, *, verify_checksums: bool = True) -> Catalogue:
    """Return every readable set of a TLE or 3LE file, in its order, with the others as issues.

    Blank lines and lines that begin with # are skipped, text after column 69 is ignored when a
    blank divides it from the checksum, and blanks before a number count as zeros.
    `verify_checksums=False` is for Vallado's verification set, three of whose objects were made
    up from others without a new checksum.
    """
    lines = split_lines(content, source)
    sets = pair_lines(lines)
    faults = list(sets.faults)
    parts = []
    for row in range(0, max(sets.one.size, 1), _ROWS_AT_ONCE):
        some = slice(row, row + _ROWS_AT_ONCE)
        part, bad = _read_sets(
            lines, Sets(sets.name[some], sets.one[some], sets.two[some], []), verify_checksums
        )
        parts.append(part)
        faults.extend(bad)
    return replace(concatenate(parts), issues=_issues(lines, sorted(faults), source))


def _issues(lines: Lines, faults: list[Fault], source: str) -> tuple[RowIssue, ...]:
    if len(faults) > MAX_FAULTS:
        raise InputError(
            f"{source}: more than {MAX_FAULTS} rows are bad, the first in line "
            f"{faults[0].line + 1}: {faults[0].reason}; fetch the file again"
        )
    return tuple(
        RowIssue(source, fault.line + 1, fault.reason, shown(lines.text(fault.line)))
        for fault in faults
    )


@dataclass(frozen=True)
class _Field:
    """A number in `columns` first to last, with a printed or implied decimal point."""

    what: str
    line: int
    columns: tuple[int, int]
    point: int = 0  # column of the printed point
    places: int = 0  # digits behind the point
    blanks: int = 0  # how many of the first digits may be blanks, read as zeros

    @property
    def template(self) -> str:
        first, last = self.columns
        return "".join("." if c == self.point else "N" for c in range(first, last + 1))


_ELEMENTS = {
    "inclination_deg": _Field("inclination", 2, (9, 16), 12, 4, blanks=3),
    "raan_deg": _Field("right ascension of the ascending node", 2, (18, 25), 21, 4, blanks=3),
    "eccentricity": _Field("eccentricity", 2, (27, 33), 0, 7, blanks=6),
    "argp_deg": _Field("argument of perigee", 2, (35, 42), 38, 4, blanks=3),
    "mean_anomaly_deg": _Field("mean anomaly", 2, (44, 51), 47, 4, blanks=3),
    "mean_motion_rev_day": _Field("mean motion", 2, (53, 63), 55, 8, blanks=2),
}
_YEAR = _Field("epoch year", 1, (19, 20))
_DAY = _Field("epoch day of year", 1, (21, 32), 24, 8, blanks=2)
_DERIVATIVE = _Field("first derivative of the mean motion", 1, (36, 43), 0, 8)
_TYPE = _Field("ephemeris type", 1, (63, 63), blanks=1)
_COUNTERS = (  # not used, but a fault here shows that the line is damaged
    _Field("element set number", 1, (65, 68), blanks=4),
    _Field("revolution number", 2, (64, 68), blanks=5),
)


class _Rows:
    """The two lines of each set as columns of bytes, and the first fault found in each set."""

    def __init__(self, lines: Lines, sets: Sets) -> None:
        self.lines = lines
        self.line_in_file = {0: sets.name, 1: sets.one, 2: sets.two}
        self.columns = {1: lines.columns(sets.one), 2: lines.columns(sets.two)}
        self.is_bad: BoolArray = np.zeros(sets.one.size, dtype=np.bool_)
        self.faults: list[Fault] = []

    def refuse(self, bad: BoolArray, line: int, reason: Callable[[int, str], str]) -> None:
        """Refuse rows for a fault in their line 1 or 2, or in line 0, the name.

        `reason` makes the sentence from the row and the text of that line.
        """
        if not bad.any():
            return
        for row in np.flatnonzero(bad & ~self.is_bad):
            in_file = int(self.line_in_file[line][row])
            text = self.lines.text(in_file).decode("ascii", errors="backslashreplace")
            self.faults.append(Fault(in_file, reason(int(row), text)))
        self.is_bad |= bad

    def whole(self, field: _Field) -> IntArray:
        """Return the digits of a field as whole numbers; rows that hold others are refused."""
        first, last = field.columns
        kept = [c - 1 for c in range(first, last + 1) if c != field.point]
        value, ok = _whole_numbers(self.columns[field.line][:, kept], field.blanks)
        self.refuse(
            ~ok,
            field.line,
            lambda row, text: (
                f"columns {first} to {last} hold {text[first - 1 : last]!r}, "
                f"expected the {field.what} as {field.template}"
            ),
        )
        return value

    def decimal(self, field: _Field) -> FloatArray:
        """Return a field's decimal numbers."""
        # Both operands are exact, so the quotient is the printed number correctly rounded.
        return self.whole(field) / np.float64(10**field.places)


def _whole_numbers(digits: ByteArray, blanks: int = 0) -> tuple[IntArray, BoolArray]:
    """Return the numbers in digits, shape (R, width), and which rows hold nothing but digits.

    As many as `blanks` of the first may be blanks, which count as zeros.
    """
    values = digits - np.uint8(_ZERO)  # bytes other than digits become 10 or more
    if blanks:
        leading = np.logical_and.accumulate(digits[:, :blanks] == _BLANK, axis=1)
        values[:, :blanks][leading] = 0
    ok = np.all(values <= 9, axis=1)
    return values.astype(np.int64) @ _POWERS_OF_TEN[: digits.shape[1]][::-1], ok


def _read_sets(lines: Lines, sets: Sets, verify_checksums: bool) -> tuple[Catalogue, list[Fault]]:
    rows = _Rows(lines, sets)
    for line in (1, 2):
        _check_shape(rows, line, SET_COLUMNS if verify_checksums else SET_COLUMNS - 1)
    columns: dict[str, Any] = {
        "norad_id": _norad_ids(rows),
        "epoch_utc": _epochs(rows),
        "mean_motion_dot_rev_day2": _derivatives(rows),
    }
    _drag_terms(rows, (45, 52))  # the second derivative, which SGP4 does not use
    columns["bstar_per_radius"] = _drag_terms(rows, (54, 61))
    columns |= {key: rows.decimal(field) for key, field in _ELEMENTS.items()}
    for field in _COUNTERS:
        rows.whole(field)
    if verify_checksums:
        for line in (1, 2):
            _check_sum(rows, line)
    for key in _ELEMENTS:
        _check_limit(rows, LIMITS[key], columns[key])
    _check_theory(rows)
    columns["name"] = _names(rows, sets.name)
    good = ~rows.is_bad
    kept = {key: column[good] for key, column in columns.items()}
    return real_objects(kept | {"cospar_id": _cospar_ids(rows.columns[1][good])}), rows.faults


def _check_shape(rows: _Rows, line: int, width: int) -> None:
    columns = rows.columns[line]
    rows.refuse(
        np.any((columns < _BLANK) | (columns > ord("~")), axis=1),
        line,
        lambda row, text: "the line has characters other than printable ASCII",
    )
    rows.refuse(
        (columns[:, width - 1 :] == _BLANK).all(axis=1),
        line,
        lambda row, text: (
            f"the line has {len(text.rstrip())} characters, expected {SET_COLUMNS}; "
            "its end is missing"
        ),
    )
    rows.refuse(
        columns[:, SET_COLUMNS] != _BLANK,
        line,
        lambda row, text: (
            f"column 70 holds {text[SET_COLUMNS]!r}, expected a blank behind the "
            "checksum; the columns are shifted or damaged"
        ),
    )
    fixed = _FIXED[line]
    wrong = columns[:, [column - 1 for column in fixed]] != [ord(mark) for mark in fixed.values()]

    def first_wrong(row: int, text: str) -> str:
        column = list(fixed)[int(np.argmax(wrong[row]))]
        return (
            f"column {column} holds {text[column - 1]!r}, expected {fixed[column]!r}; the columns "
            "are shifted or damaged"
        )

    rows.refuse(wrong.any(axis=1), line, first_wrong)


def _norad_ids(rows: _Rows) -> IntArray:
    """Return the object numbers of columns 3 to 7, in plain digits or Alpha-5.

    In Alpha-5 the first digit may be a letter: A is 10, Z is 33, and I and O are not used.
    """
    digits = rows.columns[1][:, 2:7]
    first = digits[:, 0].astype(np.int64)
    is_letter = (
        (first >= ord("A")) & (first <= ord("Z")) & (first != ord("I")) & (first != ord("O"))
    )
    tens = first - ord("A") + 10 - (first > ord("I")) - (first > ord("O"))
    rest, rest_ok = _whole_numbers(digits[:, 1:])
    plain, plain_ok = _whole_numbers(digits, blanks=4)
    norad_id = np.where(is_letter, 10_000 * tens + rest, plain)
    rows.refuse(
        ~np.where(is_letter, rest_ok, plain_ok) | (norad_id == 0),
        1,
        lambda row, text: (
            f"columns 3 to 7 hold {text[2:7]!r}, expected the object's number: five "
            "digits, of which the first may be a letter other than I and O (Alpha-5)"
        ),
    )
    return norad_id


def _epochs(rows: _Rows) -> NDArray[np.datetime64]:
    two_digits = rows.whole(_YEAR)
    year = np.where(two_digits >= 57, 1900, 2000) + two_digits  # 57 to 99 are 1957 to 1999
    day = rows.whole(_DAY)
    one_day = 10**_DAY.places
    rows.refuse(
        (day < one_day) | (day >= 367 * one_day),
        1,
        lambda row, text: (
            f"the epoch's day of the year is {text[20:32].strip()}, expected 1 to 366.99999999"
        ),
    )
    since_new_year = ((day - one_day) * _LAST_DIGIT_NS).astype("timedelta64[ns]")
    new_year = (year - 1970).astype("datetime64[Y]").astype("datetime64[ns]")
    return np.asarray(new_year + since_new_year)


def _derivatives(rows: _Rows) -> FloatArray:
    sign = rows.columns[1][:, 33]
    rows.refuse(
        ~(_IS_SIGN[sign] | (sign == _ZERO)),
        1,
        lambda row, text: (
            f"column 34 holds {text[33]!r}, expected the sign of the "
            f"{_DERIVATIVE.what}: blank, + or -"
        ),
    )
    return np.asarray(np.where(sign == _MINUS, -1.0, 1.0) * rows.decimal(_DERIVATIVE))


def _drag_terms(rows: _Rows, columns: tuple[int, int]) -> FloatArray:
    """Return numbers such as "-12345-6", which is -0.12345e-6."""
    first, last = columns
    field = rows.columns[1][:, first - 1 : last]
    mantissa, mantissa_ok = _whole_numbers(field[:, 1:6])
    exponent, exponent_ok = _whole_numbers(field[:, 7:])
    signs_ok = _IS_SIGN[field[:, 0]] & _IS_SIGN[field[:, 6]]
    rows.refuse(
        ~(mantissa_ok & exponent_ok & signs_ok),
        1,
        lambda row, text: (
            f"columns {first} to {last} hold {text[first - 1 : last]!r}, expected a "
            "number such as -12345-6, which stands for -0.12345e-6"
        ),
    )
    shift = np.where(field[:, 6] == _MINUS, -exponent, exponent) - 5
    power = _POWERS_OF_TEN[np.abs(shift) * (mantissa_ok & exponent_ok)].astype(np.float64)
    size = np.where(shift < 0, mantissa / power, mantissa * power)  # one rounding, as in decimal()
    return np.asarray(np.where(field[:, 0] == _MINUS, -size, size))


def _check_sum(rows: _Rows, line: int) -> None:
    columns = rows.columns[line]
    total = _CHECKSUM_WEIGHT[columns[:, : SET_COLUMNS - 1]].sum(axis=1) % 10
    rows.refuse(
        columns[:, SET_COLUMNS - 1] != total + _ZERO,
        line,
        lambda row, text: (
            f"the checksum in column 69 is {text[68]!r} but the line adds up to "
            f"{total[row]}; a character was changed"
        ),
    )


def _check_limit(rows: _Rows, limit: Limit, values: FloatArray) -> None:
    rows.refuse(limit.outside(values), 2, lambda row, text: limit.reason(float(values[row])))


def _check_theory(rows: _Rows) -> None:
    rows.refuse(
        rows.whole(_TYPE) == SGP4_XP,
        1,
        lambda row, text: (
            "the ephemeris type is 4 (SGP4-XP), which SGP4 cannot propagate; fetch "
            "the SGP4 elements"
        ),
    )


def _names(rows: _Rows, name_line: IntArray) -> NDArray[np.str_]:
    names = [_name(rows.lines.text(line)) if line >= 0 else "" for line in name_line.tolist()]
    faults = [name_fault(name) for name in names]
    bad = np.array([bool(fault) for fault in faults], dtype=np.bool_)
    rows.refuse(bad, 0, lambda row, text: faults[row])
    kept = ["" if fault else name for name, fault in zip(names, faults, strict=True)]
    return np.array(kept, dtype=np.str_)


def _name(text: bytes) -> str:
    # A name may follow a 0, the line's number, as Space-Track writes it.
    return text.decode("latin-1").strip().removeprefix("0 ").strip()


def _cospar_ids(one: ByteArray) -> NDArray[np.str_]:
    packed = np.ascontiguousarray(one[:, 9:17]).view("S8").ravel().tolist()
    return np.array([cospar_id_from_tle(text.decode("ascii")) for text in packed], dtype=np.str_)
