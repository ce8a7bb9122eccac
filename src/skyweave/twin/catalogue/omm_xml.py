"""OMM as XML: the combined instantiation CCSDS calls NDM/XML, or a single message.

Space-Track and CelesTrak give `<ndm>` with one `<omm>` per object.  Of a message its metadata, mean
elements and TLE parameters are read; header, covariance and USER_DEFINED parameters are not.
"""

from skyweave.errors import InputError
from skyweave.markup import Element, MarkupError, read_markup
from skyweave.twin.catalogue.elements import Catalogue
from skyweave.twin.catalogue.omm import OmmTable, unit_fault

_SECTIONS = ("metadata", "meanElements", "tleParameters")
_TEXT_BYTES = 1000  # of a message, for the issue that refuses it
_MESSAGES = ("aem", "apm", "cdm", "ocm", "oem", "opm", "rdm", "tdm", "acm")  # of other kinds


def read_omm_xml(content: bytes, source: str) -> Catalogue:
    """Return every usable message of an OMM XML file, with or without a namespace.

    Where the text breaks off, as in a truncated file, the messages before are kept and the break
    is an issue.
    """
    table = OmmTable(source)
    record: dict[str, object] = {}
    fault = ""
    try:
        for element in read_markup(content, source):
            _refuse_other_root(element, source)
            within = element.parents[-1] if element.parents else ""
            if element.name == "omm":
                text = _text_at(content, element)
                if fault:
                    table.refuse(element.line, fault, text)
                else:
                    table.add(record, element.line, text)
                record, fault = {}, ""
            elif within in _SECTIONS and "omm" in element.parents:
                fault = fault or _field_fault(record, element)
                record[element.name] = element.text
            elif within == "ndm" and element.name in _MESSAGES:
                other = f"found a message <{element.name}> where <omm> was expected"
                table.refuse(element.line, other, _text_at(content, element))
    except MarkupError as broken:
        table.refuse(broken.line, broken.reason, "")
    return table.catalogue()


def _refuse_other_root(element: Element, source: str) -> None:
    root = element.parents[0] if element.parents else element.name
    if root not in ("ndm", "omm"):
        raise InputError(
            f"{source}: the XML is <{root[:40]}>, expected <ndm> or <omm>; fetch the elements as "
            "OMM XML, JSON or CSV"
        )


def _field_fault(record: dict[str, object], element: Element) -> str:
    if element.name in record:
        return f"{element.name} stands there twice in one message; keep one"
    return unit_fault(element.name, element.attributes.get("units", ""))


def _text_at(content: bytes, element: Element) -> str:
    return content[element.at : element.at + _TEXT_BYTES].decode("utf-8", errors="replace")
