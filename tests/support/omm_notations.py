"""OMM records written in each notation, laid out as CelesTrak and Space-Track lay them out."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

Records = Sequence[Mapping[str, object]]

OMM = {
    "OBJECT_NAME": "ISS (ZARYA)",
    "OBJECT_ID": "1998-067A",
    "EPOCH": "2026-06-13T20:02:44.240928",
    "MEAN_MOTION": 15.49214103,
    "ECCENTRICITY": 0.0004955,
    "INCLINATION": 51.6333,
    "RA_OF_ASC_NODE": 316.6832,
    "ARG_OF_PERICENTER": 182.4672,
    "MEAN_ANOMALY": 177.6293,
    "EPHEMERIS_TYPE": 0,
    "CLASSIFICATION_TYPE": "U",
    "NORAD_CAT_ID": 25544,
    "ELEMENT_SET_NO": 999,
    "REV_AT_EPOCH": 57123,
    "BSTAR": 0.00016534,
    "MEAN_MOTION_DOT": 8.738e-05,
    "MEAN_MOTION_DDOT": 0,
}
METADATA = {
    "CENTER_NAME": "EARTH",
    "REF_FRAME": "TEME",
    "TIME_SYSTEM": "UTC",
    "MEAN_ELEMENT_THEORY": "SGP4",
}
SECTIONS = {
    "metadata": ("OBJECT_NAME", "OBJECT_ID", *METADATA),
    "meanElements": (
        *("EPOCH", "MEAN_MOTION", "ECCENTRICITY", "INCLINATION"),
        *("RA_OF_ASC_NODE", "ARG_OF_PERICENTER", "MEAN_ANOMALY"),
    ),
    "tleParameters": (
        *("EPHEMERIS_TYPE", "CLASSIFICATION_TYPE", "NORAD_CAT_ID", "ELEMENT_SET_NO"),
        *("REV_AT_EPOCH", "BSTAR", "MEAN_MOTION_DOT", "MEAN_MOTION_DDOT"),
    ),
}
UNITS = {
    **dict.fromkeys(("INCLINATION", "RA_OF_ASC_NODE", "ARG_OF_PERICENTER", "MEAN_ANOMALY"), "deg"),
    "MEAN_MOTION": "rev/day",
    "BSTAR": "1/ER",
    "MEAN_MOTION_DOT": "rev/day**2",
    "MEAN_MOTION_DDOT": "rev/day**3",
}
XML_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<ndm xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">\n'
)


def json_text(records: Records) -> bytes:
    return json.dumps([dict(record) for record in records]).encode()


def csv_text(records: Records) -> bytes:
    table = io.StringIO()
    writer = csv.DictWriter(table, list(records[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(records)
    return table.getvalue().encode()


def xml_message(record: Mapping[str, object], *, units: bool = False) -> str:
    """Return one `<omm>` on one line, as CelesTrak writes it; only keywords that have a section."""
    parts = {
        section: "".join(_field(keyword, record | METADATA, units) for keyword in keywords)
        for section, keywords in SECTIONS.items()
    }
    return (
        '<omm id="CCSDS_OMM_VERS" version="2.0"><header><CREATION_DATE/><ORIGINATOR/></header>'
        f"<body><segment><metadata>{parts['metadata']}</metadata><data>"
        f"<meanElements>{parts['meanElements']}</meanElements>"
        f"<tleParameters>{parts['tleParameters']}</tleParameters>"
        '<userDefinedParameters><USER_DEFINED parameter="PERIOD">95.6</USER_DEFINED>'
        "</userDefinedParameters></data></segment></body></omm>\n"
    )


def _field(keyword: str, record: Mapping[str, object], units: bool) -> str:
    if keyword not in record:
        return ""
    unit = f' units="{UNITS[keyword]}"' if units and keyword in UNITS else ""
    return f"<{keyword}{unit}>{escape(str(record[keyword]))}</{keyword}>"


def xml_text(records: Records, *, units: bool = False) -> bytes:
    messages = "".join(xml_message(record, units=units) for record in records)
    return f"{XML_HEAD}{messages}</ndm>\n".encode()


def kvn_text(records: Records, *, units: bool = False, theory: str = "SGP/SGP4") -> bytes:
    """Return one message after the other, with CelesTrak's name of the theory."""
    lines: list[str] = []
    for record in records:
        lines += ["CCSDS_OMM_VERS = 2.0", "CREATION_DATE  = ", "ORIGINATOR     = ", ""]
        whole = record | METADATA | {"MEAN_ELEMENT_THEORY": theory}
        for keywords in SECTIONS.values():
            for keyword in keywords:
                unit = f" [{UNITS[keyword]}]" if units and keyword in UNITS else ""
                if keyword in whole:
                    lines.append(f"{keyword:<14} = {whole[keyword]}{unit}")
            lines.append("")
    return "\r\n".join(lines).encode() + b"\r\n"
