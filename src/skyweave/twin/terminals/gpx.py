"""Tracks as GPX 1.0 or 1.1, the files that receivers, phones and chart plotters record."""

from skyweave.errors import InputError
from skyweave.markup import Element, read_markup
from skyweave.twin.terminals.rows import HEIGHT, LATITUDE, LONGITUDE, MAX_ROWS, CsvRows

_POINT = ("gpx", "trk", "trkseg", "trkpt")
_UNTIMED = {"rtept": "routes", "wpt": "waypoints"}


def gpx_rows(content: bytes, source: str) -> CsvRows:
    """Return the track points of a GPX file as the rows that a CSV track would have.

    All tracks and segments count, in the order of the file: between two of them the terminal moves
    on as it does between two fixes.  Every point needs its `<time>`.

    `<ele>` is a height above mean sea level and is taken as the height above the WGS 84 ellipsoid,
    0 where it is absent.  Between the two lies the geoid, -106 m to +85 m (EGM2008), which changes
    the way to a satellite by no more than that: under 0.8 microseconds of round-trip time.
    """
    points = _Points(source)
    for element in read_markup(content, source):
        _refuse_other_root(element, source)
        points.read(element)
    if not points.line:
        raise InputError(f"{source}: {points.nothing_found()}")
    return CsvRows(source, points.line, points.cells)


class _Points:
    """The track points read so far, column by column."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.line: list[int] = []
        self.cells: dict[str, list[str]] = {
            "time_utc": [],
            LATITUDE.column: [],
            LONGITUDE.column: [],
            HEIGHT.column: [],
        }
        self.others: set[str] = set()  # places without time that the file holds
        self.fields: dict[str, str] = {}  # of the point that is being read

    def read(self, element: Element) -> None:
        if element.parents == _POINT and element.name in ("time", "ele"):
            if element.name in self.fields:
                raise self._refusal(element.line, f"the track point has two <{element.name}>")
            self.fields[element.name] = element.text
        elif (*element.parents, element.name) == _POINT:
            self._add(element)
            self.fields = {}
        elif element.name in _UNTIMED:
            self.others.add(_UNTIMED[element.name])

    def _add(self, point: Element) -> None:
        time = self.fields.get("time", "")
        if not time:
            raise self._refusal(point.line, "the track point has no <time>")
        if len(self.line) == MAX_ROWS:
            raise InputError(
                f"{self.source}: more than {MAX_ROWS:,} track points; at most that many are read: "
                "split the file"
            )
        self.line.append(point.line)
        values = (time, *(point.attributes.get(key, "").strip() for key in ("lat", "lon")))
        for column, value in zip(self.cells, (*values, self.fields.get("ele", "")), strict=True):
            self.cells[column].append(value)

    def _refusal(self, line: int, reason: str) -> InputError:
        return InputError(
            f"{self.source}: line {line}: {reason}; export the track as it was recorded, each "
            "point with one time"
        )

    def nothing_found(self) -> str:
        if self.others:
            found = " and ".join(sorted(self.others))
            return (
                f"found {found} but no track; they say where, not when: export the recorded track, "
                "or write a CSV with a time for each place"
            )
        return "found no track point (trk/trkseg/trkpt); export the track as it was recorded"


def _refuse_other_root(element: Element, source: str) -> None:
    root = element.parents[0] if element.parents else element.name
    if root != "gpx":
        raise InputError(
            f"{source}: the XML is <{root[:40]}>, expected <gpx>; export the track as GPX or CSV"
        )
