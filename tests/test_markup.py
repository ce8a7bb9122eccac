"""XML as a stream of elements: what a second parser reads, and what is refused."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skyweave import markup
from skyweave.errors import InputError
from skyweave.markup import MAX_DEPTH, MAX_TEXT, Element, MarkupError, is_markup, read_markup

BOMB = (
    '<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY a "lol">'
    + "".join(
        f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    )
    + "]>\n<lolz>&i;</lolz>"
)


def elements(text: str | bytes) -> list[Element]:
    return list(read_markup(text.encode() if isinstance(text, str) else text, "x.xml"))


def refusal(content: str | bytes) -> str:
    with pytest.raises(InputError) as refused:
        elements(content)
    text = str(refused.value)
    assert text.isprintable()
    return text


def test_elements_come_as_they_end_with_their_place_and_text():
    content = "\n<n:a q='1'>\n <b>x<c/>y</b>\n</n:a>"
    assert elements(content) == [
        Element("c", ("a", "b"), {}, "", 3, content.index("<c")),
        Element("b", ("a",), {}, "xy", 3, content.index("<b")),
        Element("a", (), {"q": "1"}, "", 2, 1),
    ]


NAMES = st.sampled_from(["a", "b", "long-name", "c1"])
TEXTS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=9)


def trees() -> st.SearchStrategy[ET.Element]:
    def made(name, attributes, text, children):
        element = ET.Element(name, attributes)
        element.text = text
        element.extend(children)
        return element

    def node(children):
        return st.builds(made, NAMES, st.dictionaries(NAMES, TEXTS, max_size=2), TEXTS, children)

    return st.recursive(node(st.just([])), lambda inner: node(st.lists(inner, max_size=3)))


@settings(deadline=None, max_examples=200)
@given(tree=trees(), chunk=st.integers(1, 40))
def test_any_tree_is_read_as_the_standard_librarys_tree(tree, chunk):
    content = ET.tostring(tree, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(markup, "_CHUNK_BYTES", chunk)
        found = elements(content)
    parsed = ET.fromstring(content)
    assert [(e.name, dict(e.attributes), e.text) for e in found] == [
        (e.tag, e.attrib, "".join([e.text or "", *(c.tail or "" for c in e)]).strip())
        for e in by_end(parsed)
    ]


def by_end(element: ET.Element):
    for child in element:
        yield from by_end(child)
    yield element


@pytest.mark.parametrize("declared", ["", ' encoding="UTF-8"', " encoding='utf-8'"])
def test_utf_8_is_read_with_and_without_saying_so(declared):
    (element,) = elements(f'\ufeff<?xml version="1.0"{declared}?><a>Zürich</a>')
    assert element.text == "Zürich"


def test_latin_1_that_says_so_is_read():
    (element,) = elements('<?xml version="1.0" encoding="ISO-8859-1"?><a>Zürich</a>'.encode("l1"))
    assert element.text == "Zürich"


DECLARATION = (
    "found a DOCTYPE or entity declaration, which can make a small file expand without end; "
    "remove it, or fetch the file without it"
)
REFUSED = {
    "an XML bomb": (BOMB, f"line 2: {DECLARATION}"),
    "an external entity": (
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        f"line 1: {DECLARATION}",
    ),
    "an external document type": (
        '<?xml version="1.0"?>\n\n<!DOCTYPE a SYSTEM "http://localhost/a.dtd"><a/>',
        f"line 3: {DECLARATION}",
    ),
    "a bare document type": ("<!DOCTYPE a><a/>", f"line 1: {DECLARATION}"),
    "10,000 elements deep": (
        "<a>" * 10_000,
        "line 1: elements are nested more than 50 deep; give the file as its program wrote it",
    ),
    "a huge text": (
        f"<a>\n<b>{'x' * (MAX_TEXT + 1)}</b></a>",
        "line 2: an element holds more than 65,536 characters of text; give the file as its",
    ),
    "a huge attribute": (
        f"<a b='{'x' * (MAX_TEXT + 1)}'/>",
        "line 1: attributes of more than 65,536 characters; give the file as its program",
    ),
    "a tag without end": (
        "<a b='" + "x" * 3_000_000,
        "line 1: one tag or comment has more than 1,048,576 bytes; give the file as its",
    ),
    "a comment without end": (
        "<!--" + "x" * 3_000_000,
        "line 1: one tag or comment has more than 1,048,576 bytes; give the file as its",
    ),
    "UTF-16": ("<a/>".encode("utf-16"), "UTF-16 text; save the file as UTF-8"),
    "UTF-16 without mark": ("<a/>".encode("utf-16-le"), "UTF-16 text; save the file as UTF-8"),
    "another encoding": (
        '<?xml version="1.0" encoding="windows-1252"?><a/>',
        'line 1: encoded as "windows-1252", expected UTF-8; save the file as UTF-8',
    ),
    "an encoding nobody knows": (
        "<?xml version='1.0' encoding='x\x01y'?><a/>",
        'line 1: encoded as "x?y", expected UTF-8; save the file as UTF-8',
    ),
}
BROKEN = {
    "an end missing": ("<a>\n<b>1</b>\n", "line 3: the XML text breaks: it ends too early; save"),
    "an end too many": ("<a></b>", "line 1: the XML text breaks: mismatched tag; save or fetch"),
    "an unknown entity": ("<a>\n&x;</a>", "line 2: the XML text breaks: undefined entity; save"),
    "two roots": ("<a/>\n<a/>", "line 2: the XML text breaks: junk after document element; save"),
    "a NUL": ("<a>\0</a>", "line 1: the XML text breaks: not well-formed (invalid token); save"),
    "Latin-1 unsaid": (
        b"<a>Z\xfcrich</a>",
        "line 1: the XML text breaks: not well-formed (invalid token); save or fetch",
    ),
    "an attribute twice": ("<a b='1' b='2'/>", "line 1: the XML text breaks: duplicate attribute"),
    "no text": ("", "line 1: the XML text breaks: it ends too early; save or fetch the file again"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_could_harm_is_refused_in_one_line(name):
    content, reason = REFUSED[name]
    text = refusal(content)
    assert text.startswith(f"x.xml: {reason}")


@pytest.mark.parametrize("name", BROKEN)
def test_a_break_is_told_with_its_line(name):
    content, reason = BROKEN[name]
    with pytest.raises(MarkupError) as broken:
        elements(content)
    assert str(broken.value).startswith(f"x.xml: {reason}")
    assert str(broken.value).endswith(broken.value.reason)
    assert f"line {broken.value.line}: " in str(broken.value)


def test_elements_before_a_break_are_kept():
    for ending in ("<b>", "</c>"):
        reader = read_markup(f"<a>\n<b>1</b>\n{ending}".encode(), "x.xml")
        assert next(reader).text == "1"
        with pytest.raises(MarkupError, match="line 3: "):
            next(reader)


def test_more_elements_than_the_limit_are_refused(monkeypatch):
    monkeypatch.setattr(markup, "MAX_ELEMENTS", 100)
    assert len(elements(f"<a>{'<b/>' * 99}</a>")) == 100
    text = refusal(f"<a>{'<b/>' * 100}</a>")
    assert text.startswith("x.xml: line 1: more than 100 elements; give the file as its program")


def test_line_ends_between_many_children_are_no_text():
    indented = "<b/>\r\n  " * (MAX_TEXT // 2)
    assert elements(f"<a>\n{indented}</a>")[-1].text == ""
    text = refusal(f"<a>\nx{indented}</a>")
    assert text.startswith(f"x.xml: line {MAX_TEXT // 3 + 2}: an element holds more than 65,536")


def test_what_is_just_within_the_limits_is_read():
    assert len(elements("<a>" * MAX_DEPTH + "</a>" * MAX_DEPTH)) == MAX_DEPTH
    assert len(elements(f"<a b='{'x' * (MAX_TEXT - 1)}'>{'y' * MAX_TEXT}</a>")[0].text) == MAX_TEXT
    assert refusal("<a>" * (MAX_DEPTH + 1)).startswith("x.xml: line 1: elements are nested more")
    assert elements(f"<a><!--{'x' * 900_000}--><!--{'x' * 900_000}--></a>")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<a/>", True),
        (b"\xef\xbb\xbf \r\n<?xml", True),
        ("<a/>".encode("utf-16"), True),
        ("<a/>".encode("utf-16-be"), True),
        (b"time_utc,lat_deg", False),
        ("time".encode("utf-16"), False),
        (b"", False),
    ],
)
def test_xml_is_told_by_how_it_begins(content, expected):
    assert is_markup(content) is expected
