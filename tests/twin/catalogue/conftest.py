"""Element sets to write into files, and to break."""

import json
from pathlib import Path

import pytest
from sgp4.io import compute_checksum
from tests.support.omm_notations import OMM

ISS = (
    "1 25544U 98067A   26164.83523427  .00008738  00000+0  16534-3 0  9990",
    "2 25544  51.6333 316.6832 0004955 182.4672 177.6293 15.49214103571238",
)
HST = (
    "1 20580U 90037B   26164.23141094  .00006133  00000+0  19317-3 0  9993",
    "2 20580  28.4712 107.6084 0001932 101.0971 258.9842 15.30704754787962",
)


class Texts:
    """Catalogue texts made from two real objects."""

    iss, hst, omm = ISS, HST, OMM

    @staticmethod
    def tle(*lines: str, end: str = "\n") -> bytes:
        return (end.join(lines) + end).encode("latin-1")

    @staticmethod
    def changed(line: str, column: int, text: str) -> str:
        """Return a line with other text from a column on (counted from 1) and a good checksum."""
        line = line[: column - 1] + text + line[column - 1 + len(text) :]
        return line[:68] + str(compute_checksum(line)) + line[69:]

    @staticmethod
    def json(*records: object) -> bytes:
        return json.dumps(records, indent=1).encode()

    @staticmethod
    def csv(*records: dict[str, object]) -> bytes:
        rows = [",".join(records[0]), *(",".join(str(v) for v in r.values()) for r in records)]
        return ("\n".join(rows) + "\n").encode()


@pytest.fixture(scope="session")
def texts() -> type[Texts]:
    return Texts


@pytest.fixture
def saved(tmp_path: Path):
    """Return a function that writes content to a file and returns its path."""

    def save(content: bytes, name: str = "elements.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    return save
