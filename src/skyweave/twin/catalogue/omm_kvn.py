"""OMM in key-value notation (CCSDS 502.0-B-3, section 7): `KEYWORD = value [unit]` in lines."""

import re
from dataclasses import dataclass, field

from skyweave.errors import InputError
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.catalogue.files import MAX_LINE_BYTES, MAX_LINES, shown
from skyweave.twin.catalogue.omm import OmmTable, carries_unit, too_long, unit_fault

_FIRST = re.compile(r"CCSDS_([A-Z]{1,9})_VERS")
_IDLE = re.compile(r"COMMENT(\s|$)|(META|DATA|USER_DEFINED)_(START|STOP)$")
_VALUE_AND_UNIT = re.compile(r"([^\[]*)\[([^\[\]]*)\]")


@dataclass
class _Message:
    """The lines of one message, and the first of them that is at fault."""

    line: int
    text: str
    kind: str  # "OMM", "OEM", ...; "" for lines before the first message
    record: dict[str, object] = field(default_factory=dict)
    fault: tuple[int, str, str] | None = None  # line, reason, text

    def refuse(self, line: int, reason: str, text: str) -> None:
        self.fault = self.fault or (line, reason, text)


def read_omm_kvn(content: bytes, source: str) -> Catalogue:
    """Return every usable message of an OMM KVN file; each begins with CCSDS_OMM_VERS.

    A last line without line end is not believed when it holds an element: a download that broke
    off may have left 15.1 of 15.06.
    """
    lines = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        raise InputError(f"{source}: has more than {MAX_LINES} lines; give the file of one day")
    table = OmmTable(source)
    message: _Message | None = None
    for number, raw in enumerate(lines, start=1):
        text = raw[:MAX_LINE_BYTES].decode("ascii", errors="replace").strip()
        first = _FIRST.match(text)
        if first:
            _finish(message, table)
            message = _Message(number, text, first[1])
        elif text and not _IDLE.match(text):
            message = message or _Message(number, text, "")
            if len(raw) > MAX_LINE_BYTES:
                message.refuse(number, too_long(raw), text)
            _read_line(message, number, text, is_unfinished=number == len(lines))
    _finish(message, table)
    return table.catalogue()


def _read_line(message: _Message, number: int, text: str, is_unfinished: bool) -> None:
    keyword, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not keyword:
        message.refuse(number, f"found {shown(text)[:60]!r}, expected KEYWORD = value", text)
        return
    if keyword in message.record:
        message.refuse(number, f"{keyword} stands there twice in one message; keep one", text)
    if carries_unit(keyword):
        if is_unfinished:
            message.refuse(number, f"the file breaks off behind {keyword}; fetch it again", text)
        found = _VALUE_AND_UNIT.fullmatch(value)
        if found:
            value = found[1].strip()
            fault = unit_fault(keyword, found[2])
            if fault:
                message.refuse(number, fault, text)
    message.record[keyword] = value


def _finish(message: _Message | None, table: OmmTable) -> None:
    if message is None:
        return
    if message.kind != "OMM":
        found = f"a message of kind {message.kind}" if message.kind else "lines before a message"
        table.refuse(message.line, f"found {found}, expected CCSDS_OMM_VERS", message.text)
    elif message.fault:
        table.refuse(*message.fault)
    else:
        table.add(message.record, message.line, message.text)
