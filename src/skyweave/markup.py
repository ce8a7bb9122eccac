"""XML that strangers wrote, read as a stream of elements and within limits.

Over expat from the standard library.  A document type or entity declaration is refused at its first
character: entities that expand to gigabytes and entities that fetch files both begin with one, and
no catalogue or track needs any.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple
from xml.parsers import expat

from skyweave.errors import InputError

MAX_DEPTH = 50  # a GPX file with extensions has 8
MAX_ELEMENTS = 3_000_000  # every catalogued object as OMM has about 2 million
MAX_TEXT = 64 * 2**10  # characters of one element's text, or of its attributes together
MAX_TOKEN_BYTES = 2**20  # one tag or comment; expat reads it again with every chunk until it ends
_CHUNK_BYTES = 2**16

_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff", b"<\0", b"\0<")
_ENCODING = re.compile(rb"""<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([^"'>]{0,50})["']""")
_ENCODINGS = {"utf-8": "UTF-8", "us-ascii": "US-ASCII", "iso-8859-1": "ISO-8859-1"}


class Element(NamedTuple):
    """An element that has ended; names come without their namespace."""

    name: str
    parents: tuple[str, ...]  # from the root down
    attributes: Mapping[str, str]
    text: str  # of the element itself, stripped
    line: int  # 1-based, where the element begins
    at: int  # byte of the content where the element begins


class MarkupError(InputError):
    """The text stops being XML in some line; what came before it has been read."""

    def __init__(self, source: str, line: int, problem: str) -> None:
        self.line = line
        self.reason = f"the XML text breaks: {problem}; save or fetch the file again"
        super().__init__(f"{source}: line {line}: {self.reason}")


def is_markup(content: bytes) -> bool:
    """Return whether a content begins as XML or HTML does, in UTF-8 or UTF-16."""
    if content.startswith(_UTF_16[:2]):
        return content[2:].lstrip(b"\0 \t\r\n").startswith(b"<")
    return content.removeprefix(_BOM).lstrip().startswith((b"<", b"\0<"))


def read_markup(content: bytes, source: str) -> Iterator[Element]:
    """Yield every element as it ends, so children before parents; `source` is the file's name.

    Raises MarkupError where the text is not well-formed, after the elements before that place,
    and InputError for what is refused: declarations, other encodings, and more than the limits.
    """
    if content.startswith(_UTF_16):
        raise InputError(f"{source}: UTF-16 text; save the file as UTF-8")
    start = len(content) - len(content.removeprefix(_BOM).lstrip())
    reader = _Reader(source, _encoding(content[start : start + 300], source))
    reader.lines_before = len(re.findall(rb"\r\n|\r|\n", content[:start]))
    reader.bytes_before = start
    for at in range(start, len(content), _CHUNK_BYTES):
        yield from reader.elements(content[at : at + _CHUNK_BYTES])
    yield from reader.elements(b"", is_last=True)


def _encoding(head: bytes, source: str) -> str:
    declared = _ENCODING.match(head)
    name = declared[1].decode("ascii", errors="replace").strip() if declared else "utf-8"
    if name.casefold() not in _ENCODINGS:
        raise InputError(
            f"{source}: line 1: encoded as {_shown(name)}, expected UTF-8; save the file as UTF-8"
        )
    return _ENCODINGS[name.casefold()]


class _Open:
    """An element that has begun."""

    __slots__ = ("at", "attributes", "is_blank", "line", "path", "room", "texts")

    def __init__(
        self, path: tuple[str, ...], attributes: Mapping[str, str], line: int, at: int
    ) -> None:
        self.path, self.attributes, self.line, self.at = path, attributes, line, at
        self.texts: list[str] = []
        self.room = MAX_TEXT  # characters of text that still fit
        self.is_blank = True


class _Reader:
    """What expat calls back, and the elements that are open."""

    def __init__(self, source: str, encoding: str) -> None:
        self.source = source
        self.lines_before, self.bytes_before = 0, 0  # of the file, not given to expat
        self.ended: list[Element] = []
        self.open: list[_Open] = []
        self.count = 0
        self.silent_bytes = 0  # fed since the last call back: the length of an unfinished token
        self.parser = expat.ParserCreate(encoding)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._begin
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.DefaultHandler = self._other

    def elements(self, chunk: bytes, is_last: bool = False) -> Iterator[Element]:
        self.silent_bytes += len(chunk)
        problem = ""
        try:
            self.parser.Parse(chunk, is_last)
        except expat.ExpatError as fault:
            problem = "it ends too early" if is_last else expat.ErrorString(fault.code)
        yield from self.ended
        self.ended.clear()
        if problem:
            raise MarkupError(self.source, self._line(), problem)
        if self.silent_bytes > MAX_TOKEN_BYTES:
            raise self._refusal(f"one tag or comment has more than {MAX_TOKEN_BYTES:,} bytes")

    def _line(self) -> int:
        return self.lines_before + self.parser.CurrentLineNumber

    def _refusal(self, reason: str) -> InputError:
        return InputError(
            f"{self.source}: line {self._line()}: {reason}; give the file as its program wrote it"
        )

    def _begin(self, name: str, attributes: dict[str, str]) -> None:
        self.silent_bytes = 0
        self.count += 1
        if self.count > MAX_ELEMENTS:
            raise self._refusal(f"more than {MAX_ELEMENTS:,} elements")
        if len(self.open) == MAX_DEPTH:
            raise self._refusal(f"elements are nested more than {MAX_DEPTH} deep")
        path = (*self._parent_path(), _local(name))
        local = self._local_attributes(attributes) if attributes else attributes
        at = self.bytes_before + self.parser.CurrentByteIndex
        self.open.append(_Open(path, local, self._line(), at))

    def _local_attributes(self, attributes: dict[str, str]) -> dict[str, str]:
        if sum(map(len, attributes)) + sum(map(len, attributes.values())) > MAX_TEXT:
            raise self._refusal(f"attributes of more than {MAX_TEXT:,} characters")
        return {_local(key): value for key, value in attributes.items()}

    def _parent_path(self) -> tuple[str, ...]:
        if not self.open:
            return ()
        parent = self.open[-1]
        if parent.is_blank:  # or line ends between a million children would be too much text
            parent.texts.clear()
            parent.room = MAX_TEXT
        return parent.path

    def _end(self, _name: str) -> None:
        self.silent_bytes = 0
        of = self.open.pop()
        text = "".join(of.texts).strip()
        self.ended.append(Element(of.path[-1], of.path[:-1], of.attributes, text, of.line, of.at))

    def _text(self, text: str) -> None:
        self.silent_bytes = 0
        element = self.open[-1]
        element.room -= len(text)
        if element.room < 0:
            raise self._refusal(f"an element holds more than {MAX_TEXT:,} characters of text")
        element.texts.append(text)
        element.is_blank = element.is_blank and text.isspace()

    def _doctype(self, *_declaration: object) -> None:
        raise InputError(
            f"{self.source}: line {self._line()}: found a DOCTYPE or entity declaration, which "
            "can make a small file expand without end; remove it, or fetch the file without it"
        )

    def _other(self, _text: str) -> None:
        self.silent_bytes = 0


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _shown(text: str) -> str:
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return f'"{clean}"'
