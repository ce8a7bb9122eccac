"""Orbit Mean-Elements Messages (CCSDS 502.0-B-3) as CelesTrak and Space-Track give them: JSON, CSV.

A record is a mapping from OMM keyword to value; one that cannot be used becomes an issue.  The
table of records serves all notations; XML and KVN are read in modules of their own.
"""

import csv
import difflib
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from skyweave.errors import InputError
from skyweave.twin.catalogue.elements import Catalogue, RowIssue, real_objects
from skyweave.twin.catalogue.files import MAX_FAULTS, MAX_LINE_BYTES, MAX_LINES, shown
from skyweave.twin.catalogue.limits import (
    FIRST_YEAR,
    LAST_YEAR,
    LIMITS,
    MAX_NORAD_ID,
    SGP4_XP,
    cospar_id,
    name_fault,
)

Record = Mapping[str, object]

_NUMBERS = {  # column of the catalogue: keyword
    "mean_motion_rev_day": "MEAN_MOTION",
    "eccentricity": "ECCENTRICITY",
    "inclination_deg": "INCLINATION",
    "raan_deg": "RA_OF_ASC_NODE",
    "argp_deg": "ARG_OF_PERICENTER",
    "mean_anomaly_deg": "MEAN_ANOMALY",
    "bstar_per_radius": "BSTAR",
    "mean_motion_dot_rev_day2": "MEAN_MOTION_DOT",
}
_REQUIRED = ("NORAD_CAT_ID", "EPOCH", *_NUMBERS.values())
_FIXED = {  # metadata that may be left out, but not say anything else
    "CENTER_NAME": ("EARTH",),
    "REF_FRAME": ("TEME",),
    "TIME_SYSTEM": ("UTC",),
    "MEAN_ELEMENT_THEORY": ("SGP4", "SGP/SGP4"),  # the second in CelesTrak's KVN
}
_UNITS = {  # of the numbers that are used; XML and KVN may name them
    "MEAN_MOTION": "rev/day",
    "ECCENTRICITY": "",
    "INCLINATION": "deg",
    "RA_OF_ASC_NODE": "deg",
    "ARG_OF_PERICENTER": "deg",
    "MEAN_ANOMALY": "deg",
    "BSTAR": "1/ER",
    "MEAN_MOTION_DOT": "rev/day**2",
}
_NUMBER = re.compile(r" *[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)? *", re.ASCII)
_EPOCH = re.compile(r"(\d{4})-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?Z?", re.ASCII)
_ALPHA_5 = re.compile(r"[A-HJ-NP-Z]\d{4}")
_BETWEEN = re.compile(r"[\s,]*")


class _RecordError(Exception):
    """Why a record cannot be used; becomes the reason of a RowIssue."""


class OmmTable:
    """Usable records, column by column, and issues for the others."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.rows: list[tuple[Any, ...]] = []
        self.issues: list[RowIssue] = []

    def add(self, record: Record, line: int, text: str) -> None:
        try:
            self.rows.append(_row(record))
        except _RecordError as fault:
            self.refuse(line, str(fault), text)

    def refuse(self, line: int, reason: str, text: str) -> None:
        self.issues.append(RowIssue(self.source, line, reason, shown(" ".join(text.split()))))
        if len(self.issues) > MAX_FAULTS:
            first = self.issues[0]
            raise InputError(
                f"{self.source}: more than {MAX_FAULTS} rows are bad, the first in line "
                f"{first.line}: {first.reason}; fetch the file again"
            )

    def catalogue(self) -> Catalogue:
        columns = list(zip(*self.rows, strict=True)) or [()] * (4 + len(_NUMBERS))
        name, norad_id, cospar, epoch, *numbers = columns
        elements = zip(_NUMBERS, numbers, strict=True)
        return real_objects(
            {
                "name": np.array(name, dtype=np.str_),
                "norad_id": np.array(norad_id, dtype=np.int64),
                "cospar_id": np.array(cospar, dtype=np.str_),
                "epoch_utc": np.array(epoch, dtype="datetime64[ns]"),
            }
            | {key: np.array(values, dtype=np.float64) for key, values in elements},
            self.issues,
        )


def read_omm_csv(content: bytes, source: str) -> Catalogue:
    """Return every usable record of an OMM CSV file, one line each below a line of keywords."""
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        raise InputError(f"{source}: has more than {MAX_LINES} lines; give the file of one day")
    head = next(n for n, line in enumerate(lines) if line.strip())
    keywords = _keywords(lines[head], f"{source}: line {head + 1}")
    table = OmmTable(source)
    for number, line in enumerate(lines[head + 1 :], start=head + 2):
        if len(line) > MAX_LINE_BYTES:
            table.refuse(number, too_long(line), line[:MAX_LINE_BYTES].decode("ascii", "replace"))
        elif line.strip():
            text = line.decode("ascii", errors="replace")
            values = _fields(text)
            if len(values) == len(keywords):
                table.add(dict(zip(keywords, values, strict=True)), number, text)
            else:
                table.refuse(number, _wrong_count(values, keywords), text)
    return table.catalogue()


def _keywords(line: bytes, where: str) -> list[str]:
    if len(line) > MAX_LINE_BYTES:
        raise InputError(f"{where}: {too_long(line)}")
    keywords = [word.strip() for word in _fields(line.decode("ascii", errors="replace"))]
    if len(keywords) == 1:
        raise InputError(
            f"{where}: found {shown(line)[:60]!r}, expected keywords divided by commas"
        )
    for keyword in _REQUIRED:
        if keyword not in keywords:
            raise InputError(f"{where}: the column {_missing(keyword, keywords)}")
    for keyword in keywords:
        if keywords.count(keyword) > 1:
            raise InputError(f"{where}: the column {keyword} stands there twice; keep one")
    return keywords


def _fields(text: str) -> list[str]:
    # Line by line, because one stray quote would otherwise swallow the rest of the file.
    return next(csv.reader([text]), []) if '"' in text else text.split(",")


def too_long(line: bytes) -> str:
    """Return why an overlong line is refused."""
    return (
        f"the line is {len(line)} bytes long, over the {MAX_LINE_BYTES} accepted; it was not read"
    )


def _wrong_count(values: Sequence[str], keywords: Sequence[str]) -> str:
    return f"the line has {len(values)} fields, expected {len(keywords)} as in the line of keywords"


def read_omm_json(content: bytes, source: str) -> Catalogue:
    """Return every usable record of an OMM JSON file: a list of records, or records in a row.

    Where the text breaks off, as in a truncated file, the records before are kept and the break
    is an issue.
    """
    text = content.decode("utf-8", errors="replace")
    table = OmmTable(source)
    line, counted_to = 1, 0
    for record, start, stop, problem in _records(text):
        if not isinstance(record, dict):
            problem = problem or f"found {_kind(record)} where a record in braces was expected"
        line, counted_to = line + text.count("\n", counted_to, start), start
        if problem:
            table.refuse(line, problem, text[start : min(stop, start + 1000)])
        else:
            table.add(record, line, text[start : min(stop, start + 1000)])
    return table.catalogue()


def _records(text: str) -> Iterator[tuple[Any, int, int, str]]:
    """Yield each record with where it begins and ends; at a break None with the reason, last."""
    decoder = json.JSONDecoder(parse_int=float)  # Python refuses to read integers of 4301 digits
    at = len(text) - len(text.lstrip())
    is_list = text.startswith("[", at)
    at = _next(text, at + is_list)
    while at < len(text) and not (is_list and text[at] == "]"):
        try:
            record, stop = decoder.raw_decode(text, at)
        except (ValueError, RecursionError) as fault:
            yield (
                None,
                at,
                len(text),
                f"the JSON text breaks: {_json_problem(fault)}; fetch it again",
            )
            return
        yield record, at, stop, ""
        at = _next(text, stop)
    if is_list and at == len(text):
        yield None, at, at, "the JSON list is not closed: its end is missing; fetch it again"
    elif text[at + 1 :].strip():
        yield None, at + 1, len(text), "found more text behind the end of the JSON list"


def _next(text: str, at: int) -> int:
    found = _BETWEEN.match(text, at)
    return found.end() if found else at


def _json_problem(fault: Exception) -> str:
    if isinstance(fault, json.JSONDecodeError):
        return f"{fault.msg} in line {fault.lineno}, column {fault.colno}"
    return "it is nested too deep"


def carries_unit(keyword: str) -> bool:
    """Return whether a number of this keyword may stand with a unit."""
    return keyword in _UNITS


def unit_fault(keyword: str, unit: str) -> str:
    """Return why a unit would change the number of a keyword, or "" where it would not."""
    expected = _UNITS.get(keyword)
    unit = unit.strip()
    if expected is None or unit.casefold() in ("", "n/a", expected.casefold()):
        return ""
    return f"{keyword} is in {_short(unit)}, expected {expected or 'no unit'}"


def _row(record: Record) -> tuple[Any, ...]:
    _refuse_other_theory(record)
    for keyword in _REQUIRED:
        if record.get(keyword) in (None, ""):
            raise _RecordError(_missing(keyword, [key for key in record if record[key] != ""]))
    return (
        _name(record.get("OBJECT_NAME")),
        _norad_id(record["NORAD_CAT_ID"]),
        cospar_id(str(record.get("OBJECT_ID", ""))),
        _epoch(record["EPOCH"]),
        *(_element(column, keyword, record[keyword]) for column, keyword in _NUMBERS.items()),
    )


def _refuse_other_theory(record: Record) -> None:
    """Refuse elements that are not SGP4's; first, because other theories have other keywords."""
    for keyword, accepted in _FIXED.items():
        found = record.get(keyword)
        if found not in (None, "", *accepted):
            raise _RecordError(f"{keyword} is {_short(found)}, expected {accepted[0]}")
    if _number(record.get("EPHEMERIS_TYPE") or 0.0, "EPHEMERIS_TYPE") == SGP4_XP:
        raise _RecordError("EPHEMERIS_TYPE is 4 (SGP4-XP), which SGP4 cannot propagate")


def _missing(keyword: str, present: Sequence[str]) -> str:
    near = difflib.get_close_matches(keyword, present, n=1)
    hint = f" (there is {shown(near[0])[:60]})" if near and near[0] not in _REQUIRED else ""
    return f"{keyword} is missing{hint}"


def _number(value: object, keyword: str) -> float:
    """Return a number given as JSON number or as text; NaN and infinity are refused."""
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        value = float(value)
    if not isinstance(value, float) or not math.isfinite(value):
        raise _RecordError(f"{keyword} is {_short(value)}, expected a finite number")
    return value


def _element(column: str, keyword: str, value: object) -> float:
    number = _number(value, keyword)
    limit = LIMITS.get(column)
    if limit and limit.outside(number):
        raise _RecordError(f"{keyword}: {limit.reason(number)}")
    return number


def _norad_id(value: object) -> int:
    if isinstance(value, str) and _ALPHA_5.fullmatch(value):
        return 10_000 * ("ABCDEFGHJKLMNPQRSTUVWXYZ".index(value[0]) + 10) + int(value[1:])
    number = _number(value, "NORAD_CAT_ID")
    if not (1 <= number <= MAX_NORAD_ID and number == int(number)):
        raise _RecordError(
            f"NORAD_CAT_ID is {_short(value)}, expected a whole number from 1 to {MAX_NORAD_ID}"
        )
    return int(number)


def _name(value: object) -> str:
    name = value.strip() if isinstance(value, str) else ""
    fault = name_fault(name)
    if fault:
        raise _RecordError(f"OBJECT_NAME: {fault}")
    return name


def _epoch(value: object) -> np.datetime64:
    found = _EPOCH.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise _RecordError(f"EPOCH is {_short(value)}, expected UTC such as 2026-06-14T12:00:12.5")
    if not FIRST_YEAR <= int(found[1]) <= LAST_YEAR:
        raise _RecordError(f"EPOCH is {found[0]}, expected a year from {FIRST_YEAR} to {LAST_YEAR}")
    try:
        return np.datetime64(found[0].removesuffix("Z"), "ns")
    except ValueError:
        raise _RecordError(f"EPOCH is {found[0]}, which is no date of the calendar") from None


def _kind(value: object) -> str:
    names = {str: "text", float: "a number", bool: "true or false", list: "a list"}
    return names.get(type(value), "null")


def _short(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.15g}"
    return f"'{shown(value)[:60]}'" if isinstance(value, str) else _kind(value)
